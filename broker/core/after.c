/* Jobs that wait for others; the contract is in after.h. An end is only noted where it happens
 * (links.h); from there its followers are told in the same step, before jobs are handed out, or,
 * where there are very many, in steps that follow. So no end takes long, however many wait for it,
 * and a cancelled follower is an end like any other.
 */
#include "after.h"
#include "attempt.h"
#include "links.h"
#include "names.h"
#include "watch.h"

enum {
    COST_A_STEP = 8192, /* of a step, in rows */
    FOLLOWER_COST = 4, /* one that is told */
    SEEN_SLOTS = 2048,
};
_Static_assert((int)SEEN_SLOTS > (int)LIMIT_AFTER, "there is an empty slot");

bool
after_unknown(struct core *core, const struct job_spec *spec, struct stint_id *unknown)
{
    struct pack_reader r;
    for (uint32_t n = message_open_after(spec->after, &r); n > 0; n--) {
        struct after_ref ref = message_next_after(&r);
        struct job job;
        if (!ref.earlier && !job_find(core, &ref.id, &job)) {
            *unknown = ref.id;
            return true;
        }
    }
    return false;
}

/* Those that a job is after, each once. */
struct gathered {
    struct stint_id ids[LIMIT_AFTER];
    bool waits[LIMIT_AFTER]; /* that one has not ended */
    uint32_t count, waiting;
    uint16_t seen[SEEN_SLOTS]; /* index in `ids`, and 1; by a hash */
};

/* A new one is added; false if it is there already. */
static bool
add(struct gathered *g, const struct stint_id *id)
{
    uint64_t at = record_check(id->bytes, STINT_ID_BYTES, 0) % SEEN_SLOTS;
    for (; g->seen[at] != 0; at = (at + 1) % SEEN_SLOTS)
        if (id_compare(&g->ids[g->seen[at] - 1], id) == 0)
            return false;
    g->waits[g->count] = false;
    g->ids[g->count] = *id;
    g->seen[at] = (uint16_t)++g->count;
    return true;
}

/* From now on it is known to have followers. */
static void
mark_followed(struct core *core, struct job *job)
{
    if (job->lease)
        job->lease->leased.linked = true;
    if (record_followed(&job->record))
        return;
    record_mark(&job->record, FIELD_FOLLOWED);
    job_write(core, job);
}

/* What the one that was added last has come to. */
static enum after_fate
look_at(struct core *core, struct gathered *g, const struct after_ref *ref,
    const struct after_earlier *earlier, bool any)
{
    struct job job;
    if (ref->earlier && earlier[ref->index].fresh) { /* it was marked as it was made */
        g->waits[g->count - 1] = true;
        g->waiting++;
        return AFTER_WAITS;
    }
    if (!job_find(core, &g->ids[g->count - 1], &job))
        /* Of the same message: it met a key that is held by one that has succeeded and is gone. */
        return ref->earlier || any ? AFTER_ALL : AFTER_NEVER;
    if (job.place == PLACE_SETTLED)
        return any || job.state == STINT_SUCCEEDED ? AFTER_ALL : AFTER_NEVER;
    mark_followed(core, &job);
    g->waits[g->count - 1] = true;
    g->waiting++;
    return AFTER_WAITS;
}

bool
after_insert(struct core *core, struct level *level, const struct stint_id *id,
    const struct job_spec *spec, const struct after_earlier *earlier, struct stint_id *failed)
{
    struct gathered g;
    struct pack_reader r;
    enum after_fate fate = AFTER_ALL;
    bool any = spec->after_flags & AFTER_ANY;
    g.count = g.waiting = 0;
    memset(g.seen, 0, sizeof g.seen);
    for (uint32_t n = message_open_after(spec->after, &r); n > 0; n--) {
        struct after_ref ref = message_next_after(&r);
        if (!add(&g, ref.earlier ? &earlier[ref.index].id : &ref.id))
            continue;
        enum after_fate one = look_at(core, &g, &ref, earlier, any);
        if (one == AFTER_NEVER && fate != AFTER_NEVER)
            *failed = g.ids[g.count - 1];
        fate = one > fate ? one : fate;
    }
    bool waits = fate == AFTER_WAITS;
    job_insert_after(
        core, level, id, spec, &(struct job_after){g.ids, g.count, waits ? g.waiting : 0, fate});
    for (uint32_t i = 0; waits && i < g.count; i++)
        if (g.waits[i])
            links_follow(core, &g.ids[i], id);
    return fate == AFTER_NEVER;
}

static void
cancel(struct core *core, struct job *job, const struct stint_id *failed)
{
    char text[STINT_ID_TEXT_BYTES], error[64 + STINT_ID_TEXT_BYTES];
    static const char why[] = "it was to run after a job that has not succeeded: ";
    assert(job->state == STINT_BLOCKED);
    (void)strcpy(error, why);
    (void)strcpy(error + sizeof why - 1, stint_id_format(failed, text));
    attempt_set_error(&job->record, text_slice(error));
    job->record.last = LAST_NONE;
    job_settle(core, job, STINT_CANCELLED_JOB, (struct slice){0});
    watch_settled(core, job, (struct slice){0});
    core->figures.cancelled++;
    watch_event(core, STINT_EVENT_CANCELLED, job->level, &job->id, job->record.attempt);
}

void
after_cancel(struct core *core, const struct stint_id *id, const struct stint_id *failed)
{
    struct job job;
    if (job_load(core, id, PLACE_PARKED, &job))
        cancel(core, &job, failed);
}

/* A follower for which so many have ended well since its record was read last: the ends of a step
 * are often of one and the same. */
struct waiting {
    struct stint_id id;
    uint32_t ended;
};

/* Where a follower stands that has to be told. False: it does not wait any more, or it was damaged
 * and set aside. */
static bool
find_blocked(struct core *core, const struct stint_id *id, struct job *job)
{
    struct stint_id key = *id;
    (void)names_find(&core->book, id, &key);
    return job_load(core, &key, PLACE_PARKED, job) && job->state == STINT_BLOCKED &&
        id_compare(&job->id, id) == 0; /* or what stands there is called otherwise */
}

/* Writes what has become of it. */
static void
settle_waiting(struct core *core, struct waiting *w)
{
    struct job job;
    uint32_t ended = w->ended;
    w->ended = 0;
    if (ended == 0 || !find_blocked(core, &w->id, &job))
        return;
    uint64_t left = record_get(&job.record, FIELD_AFTER, 0);
    record_set(&job.record, FIELD_AFTER, left > ended ? left - ended : 0);
    if (left <= ended)
        job_unblock(core, &job);
    else
        job_write(core, &job);
}

/* Tells one follower that this job has ended; what that has cost, in rows. */
static uint32_t
tell(struct core *core, const struct linked_end *ended, const struct stint_id *follower,
    struct waiting *w)
{
    struct job job;
    bool again = w->ended > 0 && id_compare(&w->id, follower) == 0;
    if (!again)
        settle_waiting(core, w);
    w->id = *follower;
    if (ended->state == STINT_SUCCEEDED) {
        w->ended++;
        return again ? 1 : FOLLOWER_COST;
    }
    settle_waiting(core, w);
    if (!find_blocked(core, follower, &job))
        return 1;
    if (record_get(&job.record, FIELD_AFTER_FLAGS, 0) & AFTER_ANY) {
        w->ended++;
        return FOLLOWER_COST;
    }
    uint64_t left = record_get(&job.record, FIELD_AFTER, 0);
    cancel(core, &job, &ended->id);
    return FOLLOWER_COST + (uint32_t)left;
}

void
after_step(struct core *core)
{
    struct linked_end ended;
    struct stint_id follower;
    struct waiting w = {.ended = 0};
    uint32_t cost = 0;
    while (cost < COST_A_STEP && links_next_ended(core, &ended)) {
        cost++;
        while (cost < COST_A_STEP && links_take_follower(core, &ended, &follower))
            cost += tell(core, &ended, &follower, &w);
    }
    settle_waiting(core, &w);
}
