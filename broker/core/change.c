/* What clients change: jobs are cancelled, and dead or cancelled ones begin anew. */
#include "change.h"
#include "apart.h"
#include "attempt.h"
#include "job.h"
#include "reply.h"
#include "watch.h"

/* A running job is settled at once; its worker is told to stop, and what it says later is stale. */
static enum stint_status
cancel_one(struct core *core, const struct stint_id *id)
{
    struct job job;
    if (!job_find(core, id, &job))
        return STINT_NO_SUCH_JOB;
    if (job.place == PLACE_SETTLED)
        return job.state == STINT_CANCELLED_JOB ? STINT_OK : STINT_WRONG_STATE;
    if (job.lease) {
        job.record.attempt = job.lease->attempt;
        attempt_revoke(core, job.lease, STINT_CANCELLED);
        fleet_lease_remove(&core->fleet, job.lease);
        job.lease = NULL;
        book_clear_running(&core->book, id);
    }
    apart_forget(core, id);
    job.record.last = LAST_NONE;
    job_settle(core, &job, STINT_CANCELLED_JOB, (struct slice){0});
    watch_settled(core, &job, (struct slice){0});
    core->figures.cancelled++;
    watch_event(core, STINT_EVENT_CANCELLED, job.level, id, job.record.attempt);
    return STINT_OK;
}

/* A dead or cancelled job begins anew: its attempts go on counting up, as they fence, but none of
 * the old ones counts against its limit any more. */
static enum stint_status
retry_one(struct core *core, const struct stint_id *id)
{
    struct job job;
    if (!job_find(core, id, &job))
        return STINT_NO_SUCH_JOB;
    if (job.place != PLACE_SETTLED || job.state == STINT_SUCCEEDED)
        return STINT_WRONG_STATE;
    job.record.uncounted = job.record.attempt;
    job.record.last = LAST_NONE;
    job_revive(core, &job);
    core->figures.requeued++;
    watch_event(core, STINT_EVENT_REQUEUED, job.level, id, job.record.attempt);
    return STINT_OK;
}

static void
each_id(struct core *core, struct peer *peer, const struct message *m,
    enum stint_status (*one)(struct core *core, const struct stint_id *id), const char *done)
{
    struct stint_id first = {{0}};
    uint32_t count = 0;
    /* Statuses are written over the ids they answer: a status is smaller than an id. */
    for (uint32_t i = 0; i < m->count; i++) {
        struct stint_id id = core->scratch.decoded->ids[i];
        bool denied = judgement_denies(&core->scratch.judgement, i);
        enum stint_status status = denied ? STINT_DENIED : one(core, &id);
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

void
change_cancel(struct core *core, struct peer *peer, const struct message *m)
{
    each_id(core, peer, m, cancel_one, "jobs were cancelled");
}

void
change_retry(struct core *core, struct peer *peer, const struct message *m)
{
    each_id(core, peer, m, retry_one, "jobs begin anew");
}
