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
    struct record r;
    enum place place = job_find(core, id, &r);
    if (place == PLACE_NONE)
        return STINT_NO_SUCH_JOB;
    if (place == PLACE_SETTLED)
        return r.state == STINT_CANCELLED_JOB ? STINT_OK : STINT_WRONG_STATE;
    struct level *level = book_level_of(&core->book, id);
    enum stint_state from = place == PLACE_PARKED ? STINT_SCHEDULED : STINT_READY;
    struct lease *lease = fleet_lease(&core->fleet, id);
    if (lease) {
        from = STINT_RUNNING;
        r.attempt = lease->attempt;
        attempt_revoke(core, lease, STINT_CANCELLED);
        fleet_lease_remove(&core->fleet, lease);
        book_clear_running(&core->book, id);
    }
    apart_forget(core, id);
    r.last = LAST_NONE;
    job_settle(core, level, id, place, from, &r, STINT_CANCELLED_JOB, (struct slice){0});
    watch_settled(core, id, &r, (struct slice){0});
    core->figures.cancelled++;
    watch_event(core, STINT_EVENT_CANCELLED, level, id, r.attempt);
    return STINT_OK;
}

/* A dead or cancelled job begins anew: its attempts go on counting up, as they fence, but none of
 * the old ones counts against its limit any more. */
static enum stint_status
retry_one(struct core *core, const struct stint_id *id)
{
    struct record r;
    enum place place = job_find(core, id, &r);
    if (place == PLACE_NONE)
        return STINT_NO_SUCH_JOB;
    if (place != PLACE_SETTLED || r.state == STINT_SUCCEEDED)
        return STINT_WRONG_STATE;
    struct level *level = book_level_of(&core->book, id);
    enum stint_state from = r.state;
    store_del(core->store, STORE_SETTLED, id_key(id));
    job_drop_output(core, id, &r);
    r.spared = r.attempt;
    r.last = LAST_NONE;
    record_clear(&r, FIELD_SETTLED);
    record_clear(&r, FIELD_EXPIRES);
    job_make_ready(core, level, id, from, &r);
    core->figures.requeued++;
    watch_event(core, STINT_EVENT_REQUEUED, level, id, r.attempt);
    return STINT_OK;
}

static void
each_id(struct core *core, struct peer *peer, const struct message *m,
    enum stint_status (*one)(struct core *core, const struct stint_id *id))
{
    /* Statuses are written over the ids they answer: a status is smaller than an id. */
    for (uint32_t i = 0; i < m->count; i++) {
        struct stint_id id = core->scratch.decoded->ids[i];
        core->scratch.decoded->statuses[i] = one(core, &id);
    }
    reply_statuses(core, peer, m->number, core->scratch.decoded->statuses, m->count);
}

void
change_cancel(struct core *core, struct peer *peer, const struct message *m)
{
    each_id(core, peer, m, cancel_one);
}

void
change_retry(struct core *core, struct peer *peer, const struct message *m)
{
    each_id(core, peer, m, retry_one);
}
