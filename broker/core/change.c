/* What clients change: jobs are cancelled, dead or cancelled ones begin anew, those that wait get
 * another queue, priority, time, payload or limit, and what does not run is deleted.
 */
#include "change.h"
#include "apart.h"
#include "attempt.h"
#include "groups.h"
#include "job.h"
#include "links.h"
#include "meet.h"
#include "reply.h"
#include "unique.h"
#include "watch.h"

/* What a change may write beside the record: names, redirects, a level, a queue, when it is due. */
enum { CHANGE_ROWS_BYTES = 8 * ROW_OVERHEAD_BYTES };

/* A running job is settled at once; its worker is told to stop, and what it says later is stale. */
enum stint_status
change_cancel(struct core *core, struct job *job, const struct change *c)
{
    (void)c;
    if (job->place == PLACE_SETTLED)
        return job->state == STINT_CANCELLED_JOB ? STINT_OK : STINT_WRONG_STATE;
    if (job->lease) {
        job->record.attempt = job->lease->attempt;
        attempt_keep(core, job, NULL, STINT_ATTEMPT_CANCELLED, (struct slice){0});
        attempt_ran(core, job->lease, &job->record, false);
        attempt_revoke(core, job->lease, STINT_CANCELLED);
        fleet_lease_remove(&core->fleet, job->lease);
        job->lease = NULL;
        book_clear_running(&core->book, &job->key);
    }
    apart_forget(core, &job->key);
    job->record.last = LAST_NONE;
    job_settle(core, job, STINT_CANCELLED_JOB, (struct slice){0});
    watch_settled(core, job, (struct slice){0});
    core->figures.cancelled++;
    watch_event(core, STINT_EVENT_CANCELLED, job->level, &job->id, job->record.attempt);
    return STINT_OK;
}

/* A dead or cancelled job begins anew: its attempts go on counting up, as they fence, but none of
 * the old ones counts against its limit any more. */
enum stint_status
change_retry(struct core *core, struct job *job, const struct change *c)
{
    (void)c;
    if (job->place != PLACE_SETTLED || job->state == STINT_SUCCEEDED)
        return STINT_WRONG_STATE;
    if (record_followed(&job->record) && links_are_told(core, &job->id))
        return STINT_WRONG_STATE; /* those who waited for it have to hear first how it has ended */
    if (!meet_is_free(core, job->level->queue->number, job))
        return STINT_UNIQUE_HELD;
    job->record.uncounted = job->record.attempt;
    job->record.last = LAST_NONE;
    job_revive(core, job);
    core->figures.requeued++;
    watch_event(core, STINT_EVENT_REQUEUED, job->level, &job->id, job->record.attempt);
    return STINT_OK;
}

/* The level that the job is to stand in; NULL and why not. */
static struct level *
level_for(struct core *core, const struct job *job, const struct change *c, enum stint_status *why)
{
    uint8_t priority = c->set & CHANGE_PRIORITY ? c->to.priority : job->level->priority;
    struct queue *q = job->level->queue;
    *why = STINT_TOO_MANY;
    if (c->set & CHANGE_QUEUE) {
        q = book_queue(&core->book, c->to.queue);
        uint64_t most = q ? backlog_most(core, q) : 0;
        if (q && q != job->level->queue && q->set.closed) {
            *why = STINT_QUEUE_CLOSED;
            return NULL;
        }
        bool waits = job->place != PLACE_SETTLED && q != job->level->queue;
        if (waits && most && q->backlog >= most) {
            *why = STINT_QUEUE_FULL;
            return NULL;
        }
        if (!q && core->book.levels >= core->book.max.levels)
            return NULL; /* before a queue is made for it */
        q = book_queue_make(&core->book, c->to.queue);
    }
    return q ? book_level(&core->book, q, priority, true) : NULL;
}

static void
set_field(struct record *r, const struct change *c, enum change_bit bit, enum record_field field,
    uint64_t value)
{
    if (c->set & bit)
        record_set(r, field, value);
}

static void
set_fields(struct record *r, const struct change *c)
{
    if (c->set & CHANGE_KIND)
        r->kind = c->to.kind;
    set_field(r, c, CHANGE_MAX_ATTEMPTS, FIELD_MAX_ATTEMPTS, c->to.max_attempts);
    set_field(r, c, CHANGE_KEEP, FIELD_KEEP, c->to.keep_ms);
    set_field(r, c, CHANGE_TIME_TO_RUN, FIELD_TIME_TO_RUN, c->to.time_to_run_ms);
    set_field(r, c, CHANGE_BACKOFF_BASE, FIELD_BACKOFF_BASE, c->to.backoff_base_ms);
    set_field(r, c, CHANGE_BACKOFF_CAP, FIELD_BACKOFF_CAP, c->to.backoff_cap_ms);
    set_field(r, c, CHANGE_TOTAL, FIELD_TOTAL, c->to.total_ms);
}

/* A job that waits, or may be retried, is to be another one; its id stays. */
enum stint_status
change_job(struct core *core, struct job *job, const struct change *c)
{
    enum stint_status status;
    uint64_t payload = c->set & CHANGE_PAYLOAD ? c->to.payload.size : 0;
    if (job->state == STINT_RUNNING || job->state == STINT_SUCCEEDED ||
        (job->place == PLACE_SETTLED && (c->set & CHANGE_DELAY)))
        return STINT_WRONG_STATE;
    if (payload > core->options.payload_bytes)
        return STINT_TOO_LARGE;
    if (!store_has_room(core, payload + RECORD_HEAD_MAX + RECORD_INLINE_MAX + CHANGE_ROWS_BYTES))
        return STINT_STORE_FULL;
    struct level *level = level_for(core, job, c, &status);
    if (!level)
        return status;
    if (level->queue != job->level->queue && job->place != PLACE_SETTLED &&
        !meet_is_free(core, level->queue->number, job))
        return STINT_UNIQUE_HELD;
    apart_forget(core, &job->key);
    set_fields(&job->record, c);
    if (c->set & CHANGE_PAYLOAD)
        job_set_payload(core, job, c->to.payload);
    if (level != job->level)
        job_move(core, job, level);
    else
        job_write(core, job);
    if (c->set & CHANGE_DELAY)
        job_reschedule(core, job, core->clocks.wall_ms + c->delay_ms);
    if (job->place == PLACE_LIVE && record_has(&job->record, FIELD_GROUP))
        groups_seek_again(job->level); /* it was of another kind */
    else if (job->place == PLACE_LIVE)
        book_ready_at(job->level, id_sequence(&job->key)); /* it was apart, or of another kind */
    watch_moved(core, job);
    watch_event(core, STINT_EVENT_CHANGED, job->level, &job->id, job->record.attempt);
    return STINT_OK;
}

/* One that does not run is as if it had never been. */
enum stint_status
change_delete(struct core *core, struct job *job, const struct change *c)
{
    (void)c;
    if (job->state == STINT_RUNNING)
        return STINT_WRONG_STATE;
    if (job->place == PLACE_SETTLED) { /* a key that it held beyond its end is free, too */
        unique_leave(core, job->level->queue->number, &job->id, &job->record, STINT_CANCELLED_JOB);
        job_remove_settled(core, job);
        return STINT_OK;
    }
    apart_forget(core, &job->key);
    job_remove_waiting(core, job);
    watch_settled(core, job, (struct slice){0}); /* whoever waits hears that it was cancelled */
    core->figures.cancelled++;
    watch_event(core, STINT_EVENT_CANCELLED, job->level, &job->id, job->record.attempt);
    return STINT_OK;
}

static void
each_id(
    struct core *core, struct peer *peer, const struct message *m, change_fn *one, const char *done)
{
    struct stint_id first = {{0}};
    uint32_t count = 0;
    /* Statuses are written over the ids they answer: a status is smaller than an id. */
    for (uint32_t i = 0; i < m->count; i++) {
        struct stint_id id = core->scratch.decoded->ids[i];
        struct job job;
        enum stint_status status = STINT_DENIED;
        if (!judgement_denies(&core->scratch.judgement, i))
            status = job_find(core, &id, &job) ? one(core, &job, &m->change) : STINT_NO_SUCH_JOB;
        if (status == STINT_OK && count++ == 0)
            first = id;
        core->scratch.decoded->statuses[i] = status;
    }
    char text[STINT_ID_TEXT_BYTES];
    if (count > 0)
        core_audit(core, peer, done, NOTE_NUMBER("jobs", count),
            NOTE_TEXT("first", stint_id_format(&first, text)));
    reply_statuses(core, peer, m->number, core->scratch.decoded->statuses, m->count);
}

static void
change_jobs(struct core *core, struct peer *peer, const struct message *m)
{
    if ((m->change.set & CHANGE_PAYLOAD) && m->count > 1)
        reply_refuse(core, peer->number, m, STINT_INVALID, "a payload is given to one job");
    else if (m->change.set == 0)
        reply_refuse(core, peer->number, m, STINT_INVALID, "nothing is to be changed");
    else
        each_id(core, peer, m, change_job, "jobs were changed");
}

void
change_message(struct core *core, struct peer *peer, const struct message *m)
{
    switch (m->type) {
    case MESSAGE_CANCEL:
        each_id(core, peer, m, change_cancel, "jobs were cancelled");
        break;
    case MESSAGE_RETRY:
        each_id(core, peer, m, change_retry, "jobs begin anew");
        break;
    case MESSAGE_DELETE:
        each_id(core, peer, m, change_delete, "jobs were deleted");
        break;
    default:
        change_jobs(core, peer, m);
    }
}
