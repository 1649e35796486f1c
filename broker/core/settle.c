/* How attempts end: settled by their worker, released because it was lost, cancelled by a client;
 * and how a dead job comes back. Settling is idempotent and fenced: only the last (job, attempt)
 * counts, also when the job was taken back but not handed out again.
 */
#include "settle.h"
#include "apart.h"
#include "attempt.h"
#include "job.h"
#include "peers.h"
#include "reply.h"
#include "watch.h"

enum { UNABLE_REST_MS = 1000 };

/* What a success wrote on standard error: the last of it, from the begin of a character on. */
static struct slice
tail_of(struct slice text)
{
    if (text.size <= LIMIT_ERROR_BYTES)
        return text;
    text = (struct slice){text.data + text.size - LIMIT_ERROR_BYTES, LIMIT_ERROR_BYTES};
    for (unsigned i = 0; i < 3 && (text.data[0] & 0xc0) == 0x80; i++)
        text = (struct slice){text.data + 1, text.size - 1};
    return text;
}

static void
succeed(struct core *core, struct level *level, enum stint_state from, struct record *r,
    const struct outcome *o)
{
    r->last = LAST_SUCCEEDED;
    r->error = tail_of(o->extra);
    job_settle(core, level, &o->id, PLACE_LIVE, from, r, STINT_SUCCEEDED, o->body);
    watch_settled(core, &o->id, r, o->body);
    core->figures.succeeded++;
    watch_event(core, STINT_EVENT_SUCCEEDED, level, &o->id, r->attempt);
}

static void
requeue(struct core *core, struct level *level, enum stint_state from, struct record *r,
    enum record_last last, const struct stint_id *id)
{
    r->spared++;
    r->last = last;
    record_clear(r, FIELD_STARTED);
    job_make_ready(core, level, id, from, r);
}

/* How an attempt ends: what held it, if it was still held. */
struct ending {
    struct worker *worker;
    struct lease *lease;
    struct level *level;
    enum stint_state from;
};

/* Somebody else is to try; if there is nobody, it has failed. While very many wait for somebody
 * else, a worker that refuses more of them gets nothing for a while. */
static void
unable(struct core *core, const struct ending *e, struct record *r, const struct outcome *o)
{
    struct refusers *refusers = e->lease ? e->lease->refusers : NULL;
    if (e->lease)
        e->lease->refusers = NULL;
    if (!refusers && !apart_has_room(core)) { /* who refused it can't be remembered */
        e->worker->rests_ms = core->clocks.now_ms + UNABLE_REST_MS;
        attempt_set_error(r, o->body);
        requeue(core, e->level, e->from, r, LAST_UNABLE, &o->id);
        return;
    }
    refusers = refusers_add(refusers, e->worker->session);
    if (apart_others(core, e->level->queue, r->kind, refusers)) {
        attempt_set_error(r, o->body);
        requeue(core, e->level, e->from, r, LAST_UNABLE, &o->id);
        apart_refused(core, e->level, &o->id, r, refusers);
        return;
    }
    free(refusers);
    r->last = LAST_FAILED;
    attempt_fail(core, e->level, e->from, r, o);
}

/* The job stands in STORE_LIVE (running, or ready after it was taken back), and this outcome of its
 * last attempt counts. */
static void
apply(struct core *core, const struct ending *e, struct record *r, const struct outcome *o)
{
    switch (o->type) {
    case OUTCOME_SUCCEEDED:
        succeed(core, e->level, e->from, r, o);
        return;
    case OUTCOME_FAILED:
    case OUTCOME_DEAD:
        r->last = LAST_FAILED;
        attempt_fail(core, e->level, e->from, r, o);
        return;
    case OUTCOME_UNABLE:
        unable(core, e, r, o);
        if (r->last != LAST_UNABLE)
            return;
        break;
    case OUTCOME_SNOOZED:
        r->spared++;
        r->last = LAST_SNOOZED;
        job_park(core, e->level, &o->id, e->from, r, core->clocks.wall_ms + o->delay_ms);
        break;
    case OUTCOME_RETURNED:
        requeue(core, e->level, e->from, r, LAST_RETURNED, &o->id);
        break;
    }
    core->figures.requeued++;
    watch_event(core, STINT_EVENT_REQUEUED, e->level, &o->id, r->attempt);
}

/* A result over the limit can't be kept, and running again would not make it smaller. */
static enum stint_status
bound_body(const struct core *core, struct outcome *o)
{
    if (o->type != OUTCOME_SUCCEEDED || o->body.size <= core->options.result_bytes)
        return STINT_OK;
    o->type = OUTCOME_DEAD;
    o->body = text_slice("the result is over the broker's --result-max");
    return STINT_TOO_LARGE;
}

static enum stint_status
settle_running(
    struct core *core, struct worker *worker, struct lease *lease, const struct outcome *given)
{
    struct level *level = book_level_of(&core->book, &given->id);
    struct outcome o = *given;
    struct record r;
    enum stint_status status = bound_body(core, &o);

    worker->succeeded += o.type == OUTCOME_SUCCEEDED;
    worker->failed += o.type == OUTCOME_FAILED || o.type == OUTCOME_DEAD;
    if (o.type == OUTCOME_SUCCEEDED && lease->has_keep && lease->keep_ms == 0 &&
        !core->fleet.watches && !core->fleet.subscriptions) {
        /* Forgotten at success, and nobody watches: the record need not be read. */
        job_forget(core, level, &o.id, STINT_RUNNING, lease->parted);
        core->figures.succeeded++;
    } else if (job_read(core, STORE_LIVE, &o.id, &r)) {
        struct ending e = {worker, lease, level, STINT_RUNNING};
        r.attempt = lease->attempt;
        apply(core, &e, &r, &o);
    } else {
        /* Set aside as damaged: its bit and count are gone already. */
        fleet_lease_remove(&core->fleet, lease);
        return STINT_DAMAGED;
    }
    book_clear_running(&core->book, &o.id);
    fleet_lease_remove(&core->fleet, lease);
    return status;
}

/* Does an outcome count that comes after its job was taken back, and before it was handed out
 * again? */
static bool
counts_late(enum place place, const struct record *r, const struct outcome *o)
{
    switch (r->last) {
    case LAST_LOST:
    case LAST_LOST_WAITING:
    case LAST_OVERTIME:
        return place != PLACE_SETTLED;
    case LAST_RETURNED: /* it seemed lost on its way to the worker, and was not: the run counts */
        return place == PLACE_LIVE && o->type != OUTCOME_RETURNED;
    default:
        return false;
    }
}

/* An outcome without a lease: it comes late or twice. */
static enum stint_status
settle_late(struct core *core, struct worker *worker, const struct outcome *given)
{
    struct outcome o = *given;
    struct record r;
    struct level *level = book_level_of(&core->book, &o.id);
    enum place place = job_find(core, &o.id, &r);
    if (place == PLACE_NONE)
        return STINT_NO_SUCH_JOB;
    if (r.attempt != o.attempt)
        return STINT_STALE;
    if (r.last == LAST_NONE) /* cancelled, or begun anew after that: nobody ever told this end */
        return STINT_STALE;
    if (!counts_late(place, &r, &o)) {
        bool told = r.last != LAST_LOST && r.last != LAST_LOST_WAITING && r.last != LAST_OVERTIME &&
            (r.last != LAST_RETURNED || o.type == OUTCOME_RETURNED);
        return told ? STINT_OK : STINT_STALE; /* told before: a lost answer, asked again */
    }
    apart_forget(core, &o.id);
    if (r.last == LAST_LOST_WAITING || r.last == LAST_RETURNED)
        r.spared--;
    if (place == PLACE_PARKED)
        job_unpark(core, level, &o.id, &r);
    enum stint_status status = bound_body(core, &o);
    struct ending e = {worker, NULL, level, STINT_READY};
    apply(core, &e, &r, &o);
    return status;
}

static enum stint_status
settle_one(struct core *core, struct worker *worker, const struct outcome *o)
{
    struct lease *lease = fleet_lease(&core->fleet, &o->id);
    if (!lease)
        return settle_late(core, worker, o);
    if (lease->attempt != o->attempt || (lease->worker && lease->worker != worker))
        return STINT_STALE;
    return settle_running(core, worker, lease, o);
}

void
settle_message(struct core *core, struct peer *peer, const struct message *m)
{
    struct pack_buffer *b = &peer->settled;
    peers_have_output(core, peer);
    if (peer->settled_count == LIMIT_JOBS || b->used > page_bytes(core))
        reply_flush(core, peer, MESSAGE_SETTLED, b, &peer->settled_count);
    peer->settled_count++;
    size_t at = message_open_settled(b, m->number);
    uint32_t exceptions = 0;
    if (m->settle.window != WINDOW_UNCHANGED)
        peer->worker->window = m->settle.window;
    for (uint32_t i = 0; i < m->count; i++) {
        enum stint_status status =
            settle_one(core, peer->worker, &core->scratch.decoded->outcomes[i]);
        if (status == STINT_OK)
            continue;
        core->figures.stale += status == STINT_STALE;
        message_put_exception(b, i, status);
        exceptions++;
    }
    pack_close_array(b, at, exceptions);
}
