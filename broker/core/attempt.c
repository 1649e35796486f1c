/* Attempts, as their workers tell of them: what a worker claims to hold, what has begun. And how
 * they end without a word: the worker is lost, has left, or does not end what is over its time.
 *
 * Only an attempt that has begun may count against its job. It has begun if the worker has said so,
 * in STARTED or in a claim. What a lost worker held is a suspect from then on, begun or not: one
 * of those jobs may have ended the worker, and dispatch.c hands them out so that it is found.
 *
 * Where all runs of a job together may take so long, each is given what is left of that, and when
 * nothing is left the job is dead. A run counts from when it was told to have begun; one that is
 * lost until it is given up, as its worker may go on.
 */
#include "attempt.h"
#include "apart.h"
#include "fleet_has.h"
#include "groups.h"
#include "job.h"
#include "live.h"
#include "random.h"
#include "tally.h"
#include "watch.h"

#include <utlist.h>

/* Its worker ends an attempt at its limit, and has so long on top of the lost time to say so. */
enum { OVERTIME_MS = 15000 };
/* Of the jobs that wait for another worker, so many are looked at a time. */
enum { REFUSED_JUDGED = 256 };
/* A worker tells of a run when it has gone on for so long. */
enum { TOLD_AFTER_MS = 50 };

/* base, 2 base, 4 base ... up to the cap; then somewhere in its upper half, so that jobs that
 * failed together do not come back together. */
static uint64_t
backoff_ms(struct core *core, const struct record *r)
{
    uint64_t delay = record_get(r, FIELD_BACKOFF_BASE, DEFAULT_BACKOFF_BASE_MS);
    uint64_t cap = record_get(r, FIELD_BACKOFF_CAP, DEFAULT_BACKOFF_CAP_MS);
    for (uint32_t n = record_failures(r); n > 1 && delay < cap; n--)
        delay *= 2;
    delay = earlier(delay, cap);
    return delay - delay / 2 + random_draw(core) % (delay / 2 + 1);
}

static bool
used_up(const struct record *r)
{
    return record_failures(r) >= record_get(r, FIELD_MAX_ATTEMPTS, DEFAULT_MAX_ATTEMPTS);
}

void
attempt_set_error(struct record *r, struct slice text)
{
    r->error = text_tail(text, LIMIT_ERROR_BYTES); /* the end of an output says the most */
}

/* When it began; 0: it had not, or it is not known. */
static uint64_t
started_ms(const struct core *core, const struct lease *l, enum stint_attempt_end end)
{
    bool ran = l->begun || end == STINT_ATTEMPT_SUCCEEDED || end == STINT_ATTEMPT_FAILED ||
        end == STINT_ATTEMPT_SNOOZED;
    if (l->begun_ms || !ran || l->leased.resumed)
        return l->begun_ms;
    return core->clocks.wall_ms - (core->clocks.now_ms - l->dispatched_ms);
}

/* The attempt of that number, as it was kept before. */
static uint64_t
kept_start_ms(const struct record *r)
{
    struct slice rest = r->attempts;
    struct attempt_row row = attempts_before(r->submitted_ms);
    while (attempts_next(&rest, &row))
        if (row.attempt == r->attempt)
            return row.started_ms;
    return 0;
}

static struct slice
first_line(struct slice text)
{
    const uint8_t *end = text.size ? memchr(text.data, '\n', text.size) : NULL;
    size_t size = end ? (size_t)(end - text.data) : text.size;
    return text_head((struct slice){text.data, size}, LIMIT_ATTEMPT_ERROR_BYTES);
}

void
attempt_keep(struct core *core, struct job *job, const struct worker *teller,
    enum stint_attempt_end end, struct slice error)
{
    struct record *r = &job->record;
    const struct lease *l = job->lease;
    const struct worker *worker = l ? l->worker : teller;
    uint64_t began_ms = kept_start_ms(r); /* of one that was lost, and goes on */
    if (!began_ms && l)
        began_ms = started_ms(core, l, end);
    const struct attempt_row row = {.attempt = r->attempt,
        .end = end,
        .started_ms = began_ms,
        .ended_ms = core->clocks.wall_ms,
        .worker = text_slice(worker ? worker->name : ""),
        .error = first_line(error)};
    assert(r->attempt > 0);
    r->attempts = attempts_add(core->scratch.attempts, r->attempts, r->submitted_ms, &row);
}

static void
say_dead(struct core *core, const struct job *job)
{
    char text[STINT_ID_TEXT_BYTES], kind[STINT_NAME_BYTES], error[NOTE_TEXT_BYTES];
    slice_to_text(kind, sizeof kind, job->record.kind);
    slice_to_text(error, sizeof error, job->record.error);
    core_say(core, NOTE_INFO, "a job is dead", NOTE_TEXT("job", stint_id_format(&job->id, text)),
        NOTE_TEXT("queue", job->level->queue->name), NOTE_TEXT("kind", kind),
        NOTE_NUMBER("attempts", job->record.attempt), NOTE_TEXT("error", error));
}

static void
become_dead(struct core *core, struct job *job, struct slice output)
{
    job_keep_output(core, job, output);
    size_t kept = record_get(&job->record, FIELD_OUTPUT, 0);
    if (kept > 0)
        output = (struct slice){output.data + output.size - kept, kept};
    job_settle(core, job, STINT_DEAD, output);
    watch_settled(core, job, output);
    say_dead(core, job);
    core->figures.dead++;
    watch_event(core, STINT_EVENT_DEAD, job->level, &job->id, job->record.attempt);
}

/* Its error gets a line more, which is the reason. Of what is too long the middle goes: its first
 * line says how the run ended. */
static void
say_spent(struct record *r, uint8_t text[LIMIT_ERROR_BYTES])
{
    static const char line[] = "\nthe time of all its runs is used up, and it is not tried again";
    bool alone = r->error.size == 0;
    size_t size = sizeof line - 1 - alone, room = LIMIT_ERROR_BYTES - size;
    size_t head = r->error.size > room ? room / 2 : r->error.size;
    size_t tail = r->error.size > room ? room - head : 0;
    if (head > 0)
        memcpy(text, r->error.data, head);
    if (tail > 0)
        memcpy(text + head, r->error.data + r->error.size - tail, tail);
    memcpy(text + head + tail, line + alone, size);
    r->error = (struct slice){text, head + tail + size};
}

void
attempt_fail(struct core *core, struct job *job, const struct outcome *o)
{
    uint8_t text[LIMIT_ERROR_BYTES];
    bool over = o->type == OUTCOME_DEAD || used_up(&job->record);
    bool spent = !over && record_is_spent(&job->record);
    attempt_set_error(&job->record, o->body);
    if (spent)
        say_spent(&job->record, text);
    core->figures.failed++;
    tally_count(core, job->level, STINT_COUNT_FAILED);
    if (over || spent) {
        become_dead(core, job, o->extra);
        return;
    }
    record_clear(&job->record, FIELD_SUSPECT);
    uint64_t delay_ms = o->delay_ms ? o->delay_ms : backoff_ms(core, &job->record);
    job_park(core, job, core->clocks.wall_ms + delay_ms);
    watch_event(core, STINT_EVENT_FAILED, job->level, &job->id, job->record.attempt);
}

void
attempt_failed(struct core *core, struct job *job, enum record_last last, struct slice why)
{
    struct outcome o = {.id = job->id, .type = OUTCOME_FAILED, .body = why};
    job->record.last = last;
    attempt_fail(core, job, &o);
}

static void
spend(struct record *r, uint64_t ms)
{
    if (record_has(r, FIELD_TOTAL))
        record_set(r, FIELD_SPENT, earlier(record_get(r, FIELD_SPENT, 0), UINT64_MAX - ms) + ms);
}

void
attempt_ran(const struct core *core, const struct lease *l, struct record *r, bool ended)
{
    uint64_t wall_ms = core->clocks.wall_ms;
    uint64_t told_ms = l->begun_ms ? wall_ms - earlier(l->begun_ms, wall_ms) : 0;
    uint64_t held_ms = core->clocks.now_ms - l->dispatched_ms;
    /* Whoever had to ask before it began was told of it in time. */
    uint64_t before_ms = held_ms > told_ms && !l->suspect ? held_ms - told_ms : 0;
    if (l->begun || ended)
        spend(r, told_ms + earlier(before_ms, TOLD_AFTER_MS));
}

/* What a run took that began and was given up then: no more than it might. */
static uint64_t
lost_ms(const struct record *r, uint64_t begun_ms, uint64_t until_ms)
{
    return earlier(
        until_ms - earlier(begun_ms, until_ms), record_get(r, FIELD_TIME_TO_RUN, UINT64_MAX));
}

/* The last run was lost, and counted until it was given up; but it goes on, or has ended later. */
static void
was_not_lost(struct record *r)
{
    if (r->last != LAST_LOST || !record_has(r, FIELD_SPENT) || !record_has(r, FIELD_STARTED))
        return;
    uint64_t spent_ms = r->optional[FIELD_SPENT];
    uint64_t counted_ms = lost_ms(r, r->optional[FIELD_STARTED], record_get(r, FIELD_READY, 0));
    record_set(r, FIELD_SPENT, spent_ms - earlier(counted_ms, spent_ms));
}

void
attempt_ran_on(const struct core *core, struct record *r)
{
    uint64_t wall_ms = core->clocks.wall_ms;
    if (r->last != LAST_LOST || !record_has(r, FIELD_STARTED))
        return;
    was_not_lost(r);
    spend(r, wall_ms - earlier(r->optional[FIELD_STARTED], wall_ms));
}

void
attempt_release(struct core *core, struct lease *lease, enum record_last last, const char *why)
{
    struct job job;
    uint8_t text[LIMIT_ERROR_BYTES];
    uint32_t attempt = lease->attempt;
    uint64_t begun_ms = lease->begun_ms;
    struct record *r = &job.record;
    bool there = job_of_lease(core, lease, &job);
    if (there) {
        r->attempt = attempt;
        if (last != LAST_RETURNED)
            attempt_keep(core, &job, NULL, STINT_ATTEMPT_LOST, text_slice(why));
    }
    fleet_lease_remove(&core->fleet, lease);
    if (!there)
        return;
    assert(job.state == STINT_RUNNING);
    job.lease = NULL;
    book_clear_running(&core->book, &job.key);
    if (begun_ms)
        spend(r, lost_ms(r, begun_ms, core->clocks.wall_ms));
    r->last = last;
    record_clear(r, FIELD_STARTED);
    if (last == LAST_LOST && begun_ms) /* should it be claimed after all */
        record_set(r, FIELD_STARTED, begun_ms);
    if (last != LAST_RETURNED)
        record_mark(r, FIELD_SUSPECT);
    if (last == LAST_LOST)
        attempt_set_error(r, text_slice(why));
    else
        r->uncounted++;
    bool over = used_up(r), spent = !over && record_is_spent(r);
    if (spent)
        say_spent(r, text);
    if (over || spent) {
        become_dead(core, &job, (struct slice){0});
        return;
    }
    job_make_ready(core, &job);
    core->figures.requeued++;
    watch_event(core, STINT_EVENT_REQUEUED, job.level, &job.id, attempt);
}

void
attempt_expire(struct core *core, struct job *job)
{
    assert(!job->lease && job->place != PLACE_SETTLED && job_is_overdue(core, &job->record));
    apart_forget(core, &job->key);
    job->record.last = LAST_NONE; /* whoever says that it ran after all is too late */
    attempt_set_error(&job->record, text_slice("it had not begun when its time was over"));
    job_settle(core, job, STINT_EXPIRED, (struct slice){0});
    watch_settled(core, job, (struct slice){0});
    watch_event(core, STINT_EVENT_EXPIRED, job->level, &job->id, job->record.attempt);
}

void
attempt_revoke(struct core *core, struct lease *lease, enum stint_status why)
{
    struct lease_ref ref = {.id = lease->id, .attempt = lease->attempt, .status = why};
    if (!lease->worker || !lease->worker->peer)
        return;
    message_put_leases(outbox_begin(core->step.out, lease->worker->peer->number), MESSAGE_REVOKE, 0,
        &ref, 1, false);
    outbox_end(core->step.out);
}

/* The time to run counts from when it began, whatever has happened since. Whoever was away, we or
 * the worker, has the lost time to tell how it ended. */
static void
set_deadline(struct core *core, struct lease *l)
{
    if (l->deadline_ms || !l->time_to_run_ms || !l->begun)
        return;
    uint64_t limit_ms = l->time_to_run_ms + core->options.lost_ms + OVERTIME_MS;
    uint64_t passed_ms =
        core->clocks.wall_ms > l->begun_ms ? core->clocks.wall_ms - l->begun_ms : 0;
    uint64_t left_ms = limit_ms - earlier(passed_ms, limit_ms);
    l->deadline_ms = core->clocks.listened_ms + later(left_ms, core->options.lost_ms);
}

struct lease *
attempt_lease(struct core *core, const struct level *level, const struct stint_id *id,
    const struct stint_id *key, const struct record *r, struct worker *worker)
{
    struct lease *l = fleet_lease_add(&core->fleet, id, key, r->attempt + 1, worker);
    l->leased.chunked = record_chunked(r);
    l->leased.unique = record_has(r, FIELD_UNIQUE);
    l->leased.start_by = record_has(r, FIELD_START_BY);
    l->leased.linked =
        (r->fields &
            (1U << FIELD_AFTER | 1U << FIELD_FOLLOWED | 1U << FIELD_BATCH | 1U << FIELD_GROUP)) !=
        0;
    l->leased.keep_ms = record_get(r, FIELD_KEEP, KEEP_DEFAULT);
    /* One that is restored was given what was set for its queue then, if it has begun with a limit.
     */
    bool usual = worker || r->last == LAST_BEGUN;
    l->time_to_run_ms = record_limit_ms(r, usual ? level->queue->set.time_to_run_ms : 0);
    l->dispatched_ms = core->clocks.now_ms;
    l->leased.resumed = !worker;
    if (core->fleet.kinds)
        l->kind = kinds_hash(r->kind);
    if (record_has(r, FIELD_NEEDS))
        fleet_lease_need(l, needs_get(&core->needs, r->needs));
    if (record_suspect(r))
        fleet_lease_suspect(l, record_grave(r));
    if (r->last == LAST_BEGUN) {
        fleet_lease_begin(l);
        l->begun_ms = record_get(r, FIELD_STARTED, 0);
    }
    return l;
}

/* Of a suspect, and of one with a limit, the next start of the broker knows that too; and of one
 * that might have expired, that it will not. */
bool
attempt_begin(struct core *core, struct lease *l)
{
    struct job job;
    assert(l->worker);
    if (l->begun)
        return true;
    fleet_lease_begin(l);
    bool keeps = l->suspect || l->time_to_run_ms;
    if (!keeps && !l->leased.start_by)
        return true;
    if (!job_of_lease(core, l, &job)) {
        fleet_lease_remove(&core->fleet, l);
        return false;
    }
    job_clear_deadline(core, &job);
    l->leased.start_by = false;
    if (keeps) {
        job.record.last = LAST_BEGUN;
        if (!l->begun_ms)
            l->begun_ms = core->clocks.wall_ms;
        record_set(&job.record, FIELD_STARTED, l->begun_ms);
        set_deadline(core, l);
    }
    job_write(core, &job);
    return true;
}

/* A job that was taken back but not handed out again is given to who still runs it. */
static struct lease *
reclaim(struct core *core, struct worker *worker, const struct lease_ref *ref)
{
    struct job job;
    struct record *r = &job.record;
    if (!job_find(core, &ref->id, &job) || job.place != PLACE_LIVE ||
        (r->last != LAST_LOST && r->last != LAST_LOST_WAITING) || r->attempt != ref->attempt ||
        r->attempt == 0)
        return NULL;
    assert(job.state == STINT_READY);
    apart_forget(core, &job.key);
    was_not_lost(r);
    r->uncounted -= r->last == LAST_LOST_WAITING;
    r->attempt--;
    job_write(core, &job);
    book_set_running(&core->book, &job.key);
    book_count(&core->book, job.level, STINT_READY, STINT_RUNNING);
    if (record_has(r, FIELD_GROUP))
        groups_take(core, job.level, &job.key, r);
    struct lease *l = attempt_lease(core, job.level, &job.id, &job.key, r, worker);
    l->begun_ms = record_get(r, FIELD_STARTED, 0);
    return l;
}

/* The worker's lease, or NULL and why not. */
static struct lease *
lease_of(struct core *core, const struct worker *worker, const struct lease_ref *ref,
    enum stint_status *why)
{
    struct lease *l = fleet_lease(&core->fleet, &ref->id);
    struct job job;
    *why = STINT_OK;
    if (l && l->attempt == ref->attempt && (!l->worker || l->worker == worker))
        return l;
    *why = l || job_find(core, &ref->id, &job) ? STINT_STALE : STINT_NO_SUCH_JOB;
    return NULL;
}

static enum stint_status
claim_one(struct core *core, struct worker *worker, const struct lease_ref *ref)
{
    enum stint_status why;
    struct lease *l = lease_of(core, worker, ref, &why);
    if (!l && !fleet_lease(&core->fleet, &ref->id))
        l = reclaim(core, worker, ref);
    if (!l)
        return why;
    if (!l->worker)
        fleet_lease_adopt(&core->fleet, l, worker);
    l->claimed = true;
    live_leased(core, l);
    if (ref->begun && !attempt_begin(core, l))
        return STINT_NO_SUCH_JOB;
    return STINT_OK;
}

/* What the worker did not name it does not hold: those dispatches were lost on their way. */
static void
end_claim(struct core *core, struct worker *worker)
{
    struct lease *l = worker->leases;
    while (l) {
        struct lease *next = l->next;
        if (l->claimed)
            l->claimed = false;
        else
            attempt_release(core, l, LAST_RETURNED, "");
        l = next;
    }
    worker->claimed = true;
    if (!worker->known)
        core_say(core, NOTE_INFO, "a worker has joined", NOTE_TEXT("worker", worker->name),
            NOTE_NUMBER("slots", worker->slots), NOTE_NUMBER("queues", fleet_worker_names(worker)));
    worker->known = true;
}

void
attempt_claim(struct core *core, struct peer *peer, const struct message *m)
{
    struct worker *worker = peer->worker;
    uint32_t refused = 0;
    for (uint32_t i = 0; i < m->count; i++) {
        struct lease_ref ref = core->scratch.decoded->leases[i];
        bool denied = judgement_denies(&core->scratch.judgement, i);
        ref.status = denied ? STINT_DENIED : claim_one(core, worker, &ref);
        if (ref.status != STINT_OK)
            core->scratch.decoded->leases[refused++] = ref;
    }
    message_put_leases(outbox_begin(core->step.out, peer->number), MESSAGE_CLAIMED, m->number,
        core->scratch.decoded->leases, refused, false);
    outbox_end(core->step.out);
    if (!m->claim.more)
        end_claim(core, worker);
}

static enum stint_status
start_one(struct core *core, const struct worker *worker, const struct lease_ref *ref)
{
    enum stint_status why;
    struct lease *l = lease_of(core, worker, ref, &why);
    if (l && !l->worker)
        return STINT_STALE; /* it is to be claimed first */
    if (l && !attempt_begin(core, l))
        return STINT_NO_SUCH_JOB;
    return why;
}

void
attempt_started(struct core *core, struct peer *peer, const struct message *m)
{
    uint32_t refused = 0;
    for (uint32_t i = 0; i < m->count; i++) {
        struct lease_ref ref = core->scratch.decoded->leases[i];
        bool denied = judgement_denies(&core->scratch.judgement, i);
        ref.status = denied ? STINT_DENIED : start_one(core, peer->worker, &ref);
        if (ref.status != STINT_OK)
            core->scratch.decoded->leases[refused++] = ref;
    }
    if (m->number == 0)
        return; /* it is not to be answered */
    message_put_leases(outbox_begin(core->step.out, peer->number), MESSAGE_CONFIRMED, m->number,
        core->scratch.decoded->leases, refused, false);
    outbox_end(core->step.out);
}

static void
take_back(struct core *core, struct worker *worker, struct lease *l)
{
    char text[STINT_ID_TEXT_BYTES];
    struct job job;
    core_say(core, NOTE_WARN,
        "a job was taken back, its time was over and its worker did not end it",
        NOTE_TEXT("job", stint_id_format(&l->id, text)), NOTE_NUMBER("attempt", l->attempt),
        NOTE_NUMBER("limit_ms", l->time_to_run_ms), NOTE_TEXT("worker", worker->name));
    attempt_revoke(core, l, STINT_TIMEOUT);
    const struct slice why = text_slice("the time limit was over and its worker did not end it");
    bool there = job_of_lease(core, l, &job);
    if (there) {
        job.record.attempt = l->attempt;
        attempt_keep(core, &job, NULL, STINT_ATTEMPT_OVERTIME, why);
        attempt_ran(core, l, &job.record, false);
    }
    fleet_lease_remove(&core->fleet, l);
    if (!there)
        return;
    assert(job.state == STINT_RUNNING);
    job.lease = NULL;
    book_clear_running(&core->book, &job.key);
    attempt_failed(core, &job, LAST_OVERTIME, why);
}

void
attempt_judge(struct core *core, struct worker *worker)
{
    struct lease *l = worker->leases;
    while (l) {
        struct lease *next = l->next;
        set_deadline(core, l);
        if (l->deadline_ms && core->clocks.heard_ms >= l->deadline_ms)
            take_back(core, worker, l);
        l = next;
    }
}

void
attempt_end_worker(struct core *core, struct worker *worker)
{
    struct lease *l = worker->leases;
    while (l) {
        struct lease *next = l->next;
        attempt_release(core, l, l->begun ? LAST_LOST : LAST_LOST_WAITING, "the worker was lost");
        l = next;
    }
    fleet_worker_remove(&core->fleet, worker);
}

void
attempt_end_grace(struct core *core)
{
    while (core->fleet.orphans) {
        struct lease *l = core->fleet.orphans;
        attempt_release(core, l, l->begun ? LAST_LOST : LAST_LOST_WAITING,
            "the broker was restarted and no worker claimed it");
    }
}

/* Nobody is left who might start it: its attempt counts after all. */
static void
give_up(struct core *core, const struct stint_id *key)
{
    struct job job;
    apart_forget(core, key);
    if (!job_load(core, key, PLACE_LIVE, &job))
        return;
    job.record.uncounted -= job.record.uncounted > 0;
    attempt_failed(core, &job, LAST_FAILED, job.record.error);
}

void
attempt_judge_refused(struct core *core)
{
    struct apart *last = core->apart.refused ? core->apart.refused->prev_refused : NULL, *a = NULL;
    for (unsigned n = 0; core->apart.refused && a != last && n < REFUSED_JUDGED; n++) {
        a = core->apart.refused; /* to the end, so that the next time others are looked at */
        DL_DELETE2(core->apart.refused, a, prev_refused, next_refused);
        DL_APPEND2(core->apart.refused, a, prev_refused, next_refused);
        if (!apart_others(
                core, a->shelf->level->queue, text_slice(a->shelf->kind), a->needs, a->refusers)) {
            bool ends = a == last;
            struct stint_id key = a->key;
            give_up(core, &key);
            if (ends)
                break;
        }
    }
}
