/* Outcomes that workers tell. Settling is idempotent and fenced: only the last (job, attempt)
 * counts, also when the job was taken back but not handed out again.
 */
#include "settle.h"
#include "apart.h"
#include "attempt.h"
#include "batches.h"
#include "job.h"
#include "joint.h"
#include "peers.h"
#include "reply.h"
#include "tally.h"
#include "telling.h"
#include "watch.h"

enum { UNABLE_REST_MS = 1000 };

static void
succeed(struct core *core, struct job *job, const struct outcome *o)
{
    job->record.last = LAST_SUCCEEDED;
    attempt_set_error(&job->record, o->extra); /* what it wrote on standard error */
    job_settle(core, job, STINT_SUCCEEDED, o->body);
    watch_settled(core, job, o->body);
    core->figures.succeeded++;
    watch_event(core, STINT_EVENT_SUCCEEDED, job->level, &job->id, job->record.attempt);
}

/* Has the attempt begun that ends so? */
static bool
has_begun(enum outcome_type type)
{
    return type != OUTCOME_RETURNED && type != OUTCOME_UNABLE;
}

static void
requeue(struct core *core, struct job *job, enum record_last last)
{
    job->record.uncounted++;
    job->record.last = last;
    record_clear(&job->record, FIELD_STARTED);
    job_make_ready(core, job);
}

/* Is there a worker that may start it, and has not refused it? */
static bool
others_can(struct core *core, const struct job *job, const struct refusers *refusers)
{
    const struct record *r = &job->record;
    struct needs *n = record_has(r, FIELD_NEEDS) ? needs_get(&core->needs, r->needs) : NULL;
    bool can = apart_others(core, job->level->queue, r->kind, n, refusers);
    if (n)
        needs_put(n);
    return can;
}

/* Somebody else is to try; if there is nobody, it has failed. While very many wait for somebody
 * else, a worker that refuses more of them gets nothing for a while. */
static void
unable(struct core *core, struct worker *worker, struct job *job, const struct outcome *o)
{
    struct refusers *refusers = job->lease ? job->lease->refusers : NULL;
    if (job->lease)
        job->lease->refusers = NULL;
    if (!refusers && !apart_has_room(core)) { /* who refused it can't be remembered */
        worker->times.rests_ms = core->clocks.now_ms + UNABLE_REST_MS;
        attempt_set_error(&job->record, o->body);
        requeue(core, job, LAST_UNABLE);
        return;
    }
    refusers = refusers_add(refusers, worker->session);
    if (others_can(core, job, refusers)) {
        attempt_set_error(&job->record, o->body);
        requeue(core, job, LAST_UNABLE);
        apart_refused(core, job->level, &job->key, &job->record, refusers);
        return;
    }
    free(refusers);
    job->record.last = LAST_FAILED;
    attempt_fail(core, job, o);
}

/* The job stands in STORE_LIVE (running, or ready after it was taken back), and this outcome of its
 * last attempt counts. */
static void
apply(struct core *core, struct worker *worker, struct job *job, const struct outcome *o)
{
    static const enum stint_attempt_end ends[] = {[OUTCOME_SUCCEEDED] = STINT_ATTEMPT_SUCCEEDED,
        [OUTCOME_FAILED] = STINT_ATTEMPT_FAILED,
        [OUTCOME_DEAD] = STINT_ATTEMPT_FAILED,
        [OUTCOME_SNOOZED] = STINT_ATTEMPT_SNOOZED,
        [OUTCOME_UNABLE] = STINT_ATTEMPT_UNABLE};
    struct record *r = &job->record;
    enum outcome_type type = o->type;
    assert(job->place == PLACE_LIVE && r->attempt == o->attempt);
    if (type != OUTCOME_SUCCEEDED && type != OUTCOME_DEAD && record_is_spent(r))
        type = OUTCOME_FAILED; /* there is no time left to try it again in */
    if (type != OUTCOME_RETURNED)
        attempt_keep(
            core, job, worker, ends[type], type == OUTCOME_SUCCEEDED ? (struct slice){0} : o->body);
    switch (type) {
    case OUTCOME_SUCCEEDED:
        succeed(core, job, o);
        return;
    case OUTCOME_FAILED:
    case OUTCOME_DEAD:
        r->last = LAST_FAILED;
        job_clear_deadline(core, job);
        attempt_fail(core, job, o);
        return;
    case OUTCOME_UNABLE:
        unable(core, worker, job, o);
        if (r->last != LAST_UNABLE)
            return;
        break;
    case OUTCOME_SNOOZED:
        r->uncounted++;
        r->last = LAST_SNOOZED;
        job_clear_deadline(core, job);
        record_clear(r, FIELD_SUSPECT);
        job_park(core, job, core->clocks.wall_ms + o->delay_ms);
        break;
    case OUTCOME_RETURNED:
        requeue(core, job, LAST_RETURNED);
        break;
    }
    core->figures.requeued++;
    watch_event(core, STINT_EVENT_REQUEUED, job->level, &job->id, r->attempt);
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

/* Has the job run to an end, good or bad? */
static bool
is_run(enum outcome_type type)
{
    return type == OUTCOME_SUCCEEDED || type == OUTCOME_FAILED || type == OUTCOME_DEAD;
}

/* What is to become real with an end decides what that end is: if it never can, a success is none;
 * if it can't now, nothing has ended, and false is returned. With a run that is to be begun anew
 * nothing becomes real, as that will ask again. */
static bool
weigh_joint(struct core *core, struct peer *peer, struct outcome *o, enum stint_status *status,
    uint8_t text[LIMIT_ERROR_BYTES])
{
    struct slice error;
    bool asks = is_run(o->type) && *status == STINT_OK;
    if (asks)
        *status = joint_may(core, peer, o, text, &error);
    if (asks && *status == STINT_OK)
        return true;
    o->joint = (struct slice){NULL, 0};
    if (!asks)
        return true;
    o->body = error;
    if (o->type == OUTCOME_SUCCEEDED) {
        o->type = OUTCOME_FAILED;
        o->extra = (struct slice){NULL, 0};
    }
    return !joint_passes(*status);
}

/* False: the end is not taken now. `text` is what its body may be written to. */
static bool
weigh(struct core *core, struct peer *peer, struct outcome *o, enum stint_status *status,
    uint8_t text[LIMIT_ERROR_BYTES])
{
    *status = bound_body(core, o);
    return o->joint.size == 0 || weigh_joint(core, peer, o, status, text);
}

/* The run is over and has told its end, which waits for room: neither is its time over, nor has it
 * not begun. Whoever asks how far the job is hears of it. */
static void
hold(struct core *core, struct lease *lease, enum stint_status why)
{
    const struct told_progress told = {.id = lease->id,
        .attempt = lease->attempt,
        .percent = STINT_NO_PERCENT,
        .text = text_slice(why == STINT_QUEUE_CLOSED
                ? "it has ended, and waits until the queue of its new jobs is opened"
                : "it has ended, and waits until there is room for its new jobs")};
    if (lease->worker && !attempt_begin(core, lease))
        return; /* damaged, and over */
    lease->deadline_ms = UINT64_MAX; /* it has none any more */
    telling_say(core, lease, &told);
}

/* Is a success of it forgotten at once? */
static bool
is_forgotten(const struct lease *lease, const struct queue *q)
{
    uint64_t keep_ms = lease->leased.keep_ms;
    return keep_ms == 0 || (keep_ms == KEEP_DEFAULT && queue_keep(q, KEEP_DEFAULT) == 0);
}

static enum stint_status
settle_running(
    struct core *core, struct peer *peer, struct lease *lease, const struct outcome *given)
{
    struct worker *worker = peer->worker;
    struct outcome o = *given;
    uint8_t text[LIMIT_ERROR_BYTES];
    struct job job;
    enum stint_status status;
    struct level *level = book_level_of(&core->book, &lease->key);
    assert(lease->attempt == o.attempt && (!lease->worker || lease->worker == worker));
    if (!weigh(core, peer, &o, &status, text)) {
        hold(core, lease, status);
        return status;
    }

    worker->counts.succeeded += o.type == OUTCOME_SUCCEEDED;
    worker->counts.failed += o.type == OUTCOME_FAILED || o.type == OUTCOME_DEAD;
    if (o.type == OUTCOME_SUCCEEDED && is_forgotten(lease, level->queue) && !lease->leased.unique &&
        !lease->leased.start_by && !lease->leased.linked && !core->fleet.watches &&
        !watch_hears(core)) {
        /* Forgotten at success, and nobody watches: the record need not be read. */
        job_forget(core, level, &lease->id, &lease->key, STINT_RUNNING, lease->leased.chunked);
        core->figures.succeeded++;
        tally_count(core, level, STINT_COUNT_SUCCEEDED);
    } else if (job_of_lease(core, lease, &job)) {
        job.record.attempt = lease->attempt;
        attempt_ran(core, lease, &job.record, has_begun(o.type));
        apply(core, worker, &job, &o);
    } else {
        /* Set aside as damaged: its bit and count are gone already. */
        fleet_lease_remove(&core->fleet, lease);
        return STINT_DAMAGED;
    }
    if (is_run(o.type))
        tally_run(core, level->queue, lease);
    book_clear_running(&core->book, &lease->key);
    fleet_lease_remove(&core->fleet, lease);
    if (o.joint.size > 0)
        joint_apply(core, peer, &o);
    return status;
}

/* Does an outcome count that comes after its job was taken back, and before it was handed out
 * again? */
static bool
counts_late(const struct job *job, const struct outcome *o)
{
    switch (job->record.last) {
    case LAST_LOST:
    case LAST_LOST_WAITING:
    case LAST_OVERTIME:
        return job->place != PLACE_SETTLED;
    case LAST_RETURNED: /* it seemed lost on its way to the worker, and was not: the run counts */
        return job->place == PLACE_LIVE && o->type != OUTCOME_RETURNED;
    default:
        return false;
    }
}

/* An outcome without a lease: it comes late or twice. */
static enum stint_status
settle_late(struct core *core, struct peer *peer, const struct outcome *given)
{
    struct outcome o = *given;
    uint8_t text[LIMIT_ERROR_BYTES];
    enum stint_status status;
    struct job job;
    struct record *r = &job.record;
    if (!job_find(core, &o.id, &job))
        return STINT_NO_SUCH_JOB;
    if (r->attempt != o.attempt)
        return STINT_STALE;
    if (r->last == LAST_NONE) /* cancelled, or begun anew after that: this end was never told */
        return STINT_STALE;
    if (!counts_late(&job, &o)) {
        bool told = r->last != LAST_LOST && r->last != LAST_LOST_WAITING &&
            r->last != LAST_OVERTIME && (r->last != LAST_RETURNED || o.type == OUTCOME_RETURNED);
        return told ? STINT_OK : STINT_STALE; /* told before: a lost answer, asked again */
    }
    if (!weigh(core, peer, &o, &status, text))
        return status;
    if (given->joint.size > 0 && !job_find(core, &o.id, &job)) /* others were read meanwhile */
        return STINT_DAMAGED;
    apart_forget(core, &job.key);
    attempt_ran_on(core, r);
    if (r->last == LAST_LOST_WAITING || r->last == LAST_RETURNED)
        r->uncounted--;
    if (job.place == PLACE_PARKED)
        job_unpark(core, &job);
    apply(core, peer->worker, &job, &o);
    if (o.joint.size > 0)
        joint_apply(core, peer, &o);
    return status;
}

static enum stint_status
settle_alone(struct core *core, struct peer *peer, const struct outcome *o)
{
    struct lease *lease = fleet_lease(&core->fleet, &o->id);
    if (!lease)
        return settle_late(core, peer, o);
    if (lease->attempt != o->attempt || (lease->worker && lease->worker != peer->worker))
        return STINT_STALE;
    return settle_running(core, peer, lease, o);
}

/* Its new jobs may be of its own batch, which is not over then, though it was the last of it. */
static enum stint_status
settle_one(struct core *core, struct peer *peer, const struct outcome *o)
{
    if (o->joint.size == 0)
        return settle_alone(core, peer, o);
    batches_begin_together(core);
    enum stint_status status = settle_alone(core, peer, o);
    batches_end_together(core);
    return status;
}

void
settle_message(struct core *core, struct peer *peer, const struct message *m)
{
    enum { AHEAD = 6 };
    struct pack_buffer *b = &peer->answers.settled;
    peers_have_output(core, peer);
    if (peer->answers.settled_count == LIMIT_JOBS || b->used > page_bytes(core))
        reply_flush(core, peer, MESSAGE_SETTLED, b, &peer->answers.settled_count);
    peer->answers.settled_count++;
    size_t at = message_open_settled(b, m->number);
    uint32_t exceptions = 0;
    if (m->settle.window != WINDOW_UNCHANGED)
        peer->worker->window = m->settle.window;
    for (uint32_t i = 0; i < m->count; i++) {
        if (i + AHEAD < m->count)
            fleet_lease_expect(&core->fleet, &core->scratch.decoded->outcomes[i + AHEAD].id);
        enum stint_status status = judgement_denies(&core->scratch.judgement, i)
            ? STINT_DENIED
            : settle_one(core, peer, &core->scratch.decoded->outcomes[i]);
        if (status == STINT_OK)
            continue;
        core->figures.stale += status == STINT_STALE;
        message_put_exception(b, i, status);
        exceptions++;
    }
    pack_close_array(b, at, exceptions);
}
