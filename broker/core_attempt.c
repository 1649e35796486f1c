/* Attempts, as their workers tell of them: what a worker claims to hold, what has begun. And how
 * they end without a word: the worker is lost, has left, or does not end what is over its time.
 *
 * Only an attempt that has begun may count against its job. It has begun if the worker has said so,
 * in STARTED or in a claim. What a lost worker held is a suspect from then on, begun or not: one
 * of those jobs may have ended the worker, and core_dispatch.c hands them out so that it is found.
 */
#include "core_inside.h"

/* Its worker ends an attempt at its limit, and has so long on top of the lost time to say so. */
enum { OVERTIME_MS = 15000 };

/* The time to run counts from when it began, whatever has happened since. Whoever was away, we or
 * the worker, has the lost time to tell how it ended. */
static void
set_deadline(struct core *core, struct lease *l)
{
    if (l->deadline_ms || !l->time_to_run_ms || !l->begun)
        return;
    uint64_t limit_ms = l->time_to_run_ms + core->options.lost_ms + OVERTIME_MS;
    uint64_t passed_ms = core->wall_ms > l->begun_ms ? core->wall_ms - l->begun_ms : 0;
    uint64_t left_ms = limit_ms - earlier(passed_ms, limit_ms);
    l->deadline_ms = core->listened_ms + later(left_ms, core->options.lost_ms);
}

struct lease *
attempt_lease(
    struct core *core, const struct stint_id *id, const struct record *r, struct worker *worker)
{
    struct lease *l = fleet_lease_add(&core->fleet, id, r->attempt + 1, worker);
    l->parted = record_parted(r);
    l->has_keep = record_has(r, FIELD_KEEP);
    l->keep_ms = record_get(r, FIELD_KEEP, 0);
    l->time_to_run_ms = record_get(r, FIELD_TIME_TO_RUN, 0);
    l->dispatched_ms = core->now_ms;
    if (core->fleet.kinds)
        l->kind = kinds_hash(r->kind);
    if (record_suspect(r))
        fleet_lease_suspect(l, record_grave(r));
    if (r->last == LAST_BEGUN) {
        fleet_lease_begin(l);
        l->begun_ms = record_get(r, FIELD_STARTED, 0);
    }
    return l;
}

/* The attempt has begun. Of a suspect, and of one with a limit, the next start of the broker knows
 * that too. False: its record is damaged, and its lease over. */
static bool
begin(struct core *core, struct lease *l)
{
    struct record r;
    if (l->begun)
        return true;
    fleet_lease_begin(l);
    if (!l->suspect && !l->time_to_run_ms)
        return true;
    struct stint_id id = l->id;
    if (!job_read(core, STORE_LIVE, &id, &r)) {
        fleet_lease_remove(&core->fleet, l);
        return false;
    }
    r.last = LAST_BEGUN;
    if (!l->begun_ms)
        l->begun_ms = core->wall_ms;
    record_set(&r, FIELD_STARTED, l->begun_ms);
    set_deadline(core, l);
    job_write(core, STORE_LIVE, &id, &r);
    return true;
}

/* A job that was taken back but not handed out again is given to who still runs it. */
static struct lease *
reclaim(struct core *core, struct worker *worker, const struct lease_ref *ref)
{
    struct record r;
    struct level *level = book_level_of(&core->book, &ref->id);
    if (!level || !job_read(core, STORE_LIVE, &ref->id, &r) ||
        (r.last != LAST_LOST && r.last != LAST_LOST_WAITING) || r.attempt != ref->attempt ||
        r.attempt == 0)
        return NULL;
    apart_forget(core, &ref->id);
    r.spared -= r.last == LAST_LOST_WAITING;
    r.attempt--;
    job_write(core, STORE_LIVE, &ref->id, &r);
    book_set_running(&core->book, &ref->id);
    book_count(&core->book, level, STINT_READY, STINT_RUNNING);
    struct lease *l = attempt_lease(core, &ref->id, &r, worker);
    l->begun_ms = record_get(&r, FIELD_STARTED, 0);
    return l;
}

/* The worker's lease, or NULL and why not. */
static struct lease *
lease_of(struct core *core, const struct worker *worker, const struct lease_ref *ref,
    enum stint_status *why)
{
    struct lease *l = fleet_lease(&core->fleet, &ref->id);
    struct record r;
    *why = STINT_OK;
    if (l && l->attempt == ref->attempt && (!l->worker || l->worker == worker))
        return l;
    *why = l || job_find(core, &ref->id, &r) != PLACE_NONE ? STINT_STALE : STINT_NO_SUCH_JOB;
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
    if (ref->begun && !begin(core, l))
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
            settle_release(core, l, LAST_RETURNED, "");
        l = next;
    }
    worker->claimed = true;
    if (!worker->known)
        core_say(core, NOTE_INFO, "a worker has joined", NOTE_TEXT("worker", worker->name),
            NOTE_NUMBER("slots", worker->slots), NOTE_NUMBER("queues", worker->queues_count));
    worker->known = true;
}

void
attempt_claim(struct core *core, struct peer *peer, const struct message *m)
{
    struct worker *worker = peer->worker;
    uint32_t refused = 0;
    for (uint32_t i = 0; i < m->count; i++) {
        struct lease_ref ref = core->room->leases[i];
        ref.status = claim_one(core, worker, &ref);
        if (ref.status != STINT_OK)
            core->room->leases[refused++] = ref;
    }
    message_put_leases(outbox_begin(core->out, peer->number), MESSAGE_CLAIMED, m->number,
        core->room->leases, refused, false);
    outbox_end(core->out);
    if (!m->claim.more)
        end_claim(core, worker);
}

void
attempt_started(struct core *core, struct peer *peer, const struct message *m)
{
    uint32_t refused = 0;
    for (uint32_t i = 0; i < m->count; i++) {
        struct lease_ref ref = core->room->leases[i];
        enum stint_status why;
        struct lease *l = lease_of(core, peer->worker, &ref, &why);
        if (l && !l->worker)
            why = STINT_STALE; /* it is to be claimed first */
        else if (l && !begin(core, l))
            why = STINT_NO_SUCH_JOB;
        ref.status = why;
        if (why != STINT_OK)
            core->room->leases[refused++] = ref;
    }
    if (m->number == 0)
        return; /* it is not to be answered */
    message_put_leases(outbox_begin(core->out, peer->number), MESSAGE_CONFIRMED, m->number,
        core->room->leases, refused, false);
    outbox_end(core->out);
}

static void
take_back(struct core *core, struct worker *worker, struct lease *l)
{
    char text[STINT_ID_TEXT_BYTES];
    struct stint_id id = l->id;
    struct level *level = book_level_of(&core->book, &id);
    struct record r;
    core_say(core, NOTE_WARN,
        "a job was taken back, its time was over and its worker did not end it",
        NOTE_TEXT("job", stint_id_format(&id, text)), NOTE_NUMBER("attempt", l->attempt),
        NOTE_NUMBER("limit_ms", l->time_to_run_ms), NOTE_TEXT("worker", worker->name));
    settle_revoke(core, l, STINT_TIMEOUT);
    uint32_t attempt = l->attempt;
    fleet_lease_remove(&core->fleet, l);
    if (!job_read(core, STORE_LIVE, &id, &r))
        return;
    r.attempt = attempt;
    book_clear_running(&core->book, &id);
    settle_failed(core, level, &id, STINT_RUNNING, &r, LAST_OVERTIME,
        text_slice("the time limit was over and its worker did not end it"));
}

void
attempt_judge(struct core *core, struct worker *worker)
{
    struct lease *l = worker->leases;
    while (l) {
        struct lease *next = l->next;
        set_deadline(core, l);
        if (l->deadline_ms && core->heard_ms >= l->deadline_ms)
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
        settle_release(core, l, l->begun ? LAST_LOST : LAST_LOST_WAITING, "the worker was lost");
        l = next;
    }
    fleet_worker_remove(&core->fleet, worker);
}

void
attempt_end_grace(struct core *core)
{
    while (core->fleet.orphans) {
        struct lease *l = core->fleet.orphans;
        settle_release(core, l, l->begun ? LAST_LOST : LAST_LOST_WAITING,
            "the broker was restarted and no worker claimed it");
    }
}
