/* Why jobs wait; the contract is in why.h. The first thing that holds a job up is its reason: what
 * would still hold it up behind that shows when the first is gone. Nothing is read but the job's
 * record and what is in memory, and a look at the workers is bounded by LIMIT_WHY. Whoever may not
 * see all that a worker serves is not told by it how busy that worker is (as in LIST_WORKERS): it
 * counts as one that is.
 */
#include "why.h"
#include "apart.h"
#include "backlog.h"
#include "clock.h"
#include "dispatch.h"
#include "fleet_has.h"
#include "groups.h"
#include "job.h"
#include "pace.h"
#include "peers.h"
#include "reply.h"
#include "room.h"
#include "sight.h"

/* Whose question it is, and about what. */
struct question {
    struct core *core;
    const struct grant *grant; /* of who asks */
    const struct queue *queue;
    struct slice kind; /* empty: any */
    const struct needs *needs; /* NULL: nothing */
    const struct refusers *refusers; /* who can't start it; NULL: nobody has said so */
};

/* Workers of the queue, and of them those that handle the kind, by what they can do. */
struct survey {
    uint32_t serve, handle, paused, leaving, away, refuse;
    uint32_t lack, full; /* have not what it needs; have it, and too much of it is taken */
    uint32_t willing; /* they take jobs, and */
    uint32_t free; /* have room for one now */
    uint64_t slots; /* of those that are willing */
};

/* That of the queue for what the job needs; NULL: there is none yet, or no room for it. */
static const struct want *
want_of(const struct question *q)
{
    return wants_find(
        &q->queue->servings.wants, (struct slice){(const uint8_t *)q->needs->text, q->needs->size});
}

/* Whoever rests after a program that it could not start has room again in a moment. */
static void
count_one(const struct question *q, const struct worker *w, struct survey *s)
{
    bool deaf = w->peer && w->counts.held == 0 && !peers_can_take(q->core, w->peer);
    if (!w->peer || !w->claimed || deaf)
        s->away++;
    else if (w->control.leave != LEAVE_NOT)
        s->leaving++;
    else if (w->control.paused)
        s->paused++;
    else if (dispatch_is_willing(w) && w->slots > 0 && w->window > 0) {
        bool full = q->needs && !room_fits(w, q->needs, want_of(q));
        /* Whoever has no slot for one that needs something takes no others ahead. */
        bool by_slots = q->queue->servings.wants.count > 0 || room_waits(w);
        uint32_t most = by_slots && w->slots < w->window ? w->slots : w->window;
        s->willing++;
        s->slots += w->slots;
        s->full += full;
        s->free += !full && !w->serves.draining && w->counts.trials == 0 && w->counts.held < most &&
            peers_can_take(q->core, w->peer) && sight_covers_worker(q->grant, w);
    }
}

static struct survey
look_at_workers(const struct question *q)
{
    struct survey s = {.serve = queue_workers(q->queue)};
    if (s.serve == 0)
        return s;
    for (const struct worker *w = q->core->fleet.workers; w; w = w->next) {
        if (!fleet_worker_serves_queue(w, q->queue) ||
            (q->kind.size && !kinds_have(w->serves.kinds, q->kind)))
            continue;
        s.handle++;
        if (q->needs && !fleet_worker_could(w, q->needs))
            s.lack++;
        else if (refusers_have(q->refusers, w))
            s.refuse++;
        else
            count_one(q, w, &s);
    }
    return s;
}

/* Who makes room for such a job, as far as who asks may see that. */
static void
name_reserved(const struct question *q, struct stint_reason *r)
{
    const struct want *want = want_of(q);
    if (!want || want->reserved == 0)
        return;
    for (const struct worker *w = q->core->fleet.workers; w && !r->worker[0]; w = w->next)
        if (w->serves.reserved == want && sight_covers_worker(q->grant, w))
            memcpy(r->worker, w->name, sizeof r->worker);
}

/* What is to be said of the workers. False: nothing, as one of them has room. */
static bool
blame_workers(const struct question *q, struct stint_reason *r)
{
    const struct core *core = q->core;
    struct survey s = look_at_workers(q);
    bool grace = core->clocks.grace_until_ms > core->clocks.listened_ms;
    r->workers = s.handle;
    r->paused = s.paused;
    r->leaving = s.leaving;
    r->away = s.away;
    r->slots = s.slots;
    if (s.handle == 0) {
        r->workers = s.serve;
        r->why = grace ? STINT_WHY_GRACE : s.serve ? STINT_WHY_NO_HANDLER : STINT_WHY_NO_WORKER;
        if (grace)
            r->due_ms = clock_told(core, core->clocks.wall_ms) + core->clocks.grace_until_ms -
                core->clocks.listened_ms;
        return true;
    }
    if (s.lack == s.handle) {
        r->why = STINT_WHY_NEEDS;
        return true;
    }
    r->workers -= s.lack;
    if (s.refuse > 0 && s.free == 0) {
        r->workers -= s.refuse;
        r->why = STINT_WHY_UNABLE;
    } else if (s.willing == 0)
        r->why = STINT_WHY_UNWILLING;
    else if (s.free == 0 && s.full > 0) {
        r->why = STINT_WHY_ROOM;
        name_reserved(q, r);
    } else if (s.free == 0)
        r->why = STINT_WHY_BUSY;
    return s.free == 0;
}

/* How many ready jobs of its queue are handed out before it: those of more urgent priorities, and
 * of its own as many as can stand before it. */
static void
count_before(const struct level *level, uint64_t sequence, struct stint_reason *r)
{
    const struct queue *q = level->queue;
    uint64_t others = level->jobs[STINT_READY] - earlier(level->jobs[STINT_READY], 1);
    uint64_t head = level->reach.head;
    for (uint32_t i = 0; level->lanes && i < level->lanes->count; i++)
        head = earlier(head, level->lanes->list[i].reach.head);
    uint64_t older = sequence - earlier(sequence, later(head, 1));
    uint64_t newer = level->next - 1 - sequence;
    uint64_t places = (q->set.lifo ? newer : older) + level->apart;
    uint64_t most = earlier(others, places), behind = q->set.lifo ? older : newer;
    for (uint32_t i = 0; i < q->levels_count && q->levels[i] != level; i++)
        r->before += q->levels[i]->jobs[STINT_READY];
    r->before += most;
    r->about = most > others - earlier(others, behind);
}

/* Do limits of its queue hold it up? */
static bool
blame_pace(const struct core *core, const struct queue *q, struct stint_reason *r)
{
    if (pace_room(q) > 0)
        return false;
    if (pace_is_full(q)) {
        r->why = STINT_WHY_LIMITED;
        r->slots = q->set.running;
    } else {
        r->why = STINT_WHY_RATE;
        r->due_ms = clock_told(core, core->clocks.wall_ms) + pace_wait_ms(q);
    }
    return true;
}

/* Did searching pass over it, as its queue has too many wants? */
static bool
is_passed(const struct job *job)
{
    const struct lanes *lanes = job->level->lanes;
    uint64_t sequence = id_sequence(&job->key);
    return lanes && lanes->passed_first && sequence >= lanes->passed_first &&
        sequence <= lanes->passed_last &&
        !wants_find(&job->level->queue->servings.wants, job->record.needs);
}

/* Does its group hold it up? */
static bool
blame_group(struct core *core, const struct job *job, struct stint_reason *r)
{
    if (!record_has(&job->record, FIELD_GROUP))
        return false;
    struct queue *q = job->level->queue;
    struct group_wait w = groups_wait_of(core, q, &job->key, job->record.group);
    bool apart = apart_find(core, &job->key);
    if (w.stands || (apart && !w.busy && w.token_ms == 0))
        return false;
    r->before = w.ready - earlier(w.ready, 1);
    r->about = r->before > 0;
    if (apart ? w.busy : w.full) {
        r->why = STINT_WHY_GROUP_FULL;
        r->slots = q->set.group_running;
    } else if (w.token_ms > 0) {
        r->why = STINT_WHY_GROUP_RATE;
        r->due_ms = clock_told(core, core->clocks.wall_ms) + w.token_ms;
    } else
        r->why = STINT_WHY_GROUP_LINE;
    return true;
}

static void
blame_ready(struct question *q, const struct job *job, struct stint_reason *r)
{
    const struct apart *apart = apart_find(q->core, &job->key);
    if (q->queue->set.paused) {
        r->why = STINT_WHY_PAUSED;
        return;
    }
    q->refusers = apart ? apart->refusers : NULL;
    bool blamed = blame_workers(q, r);
    if ((!blamed || r->why == STINT_WHY_BUSY) &&
        (blame_pace(q->core, q->queue, r) || blame_group(q->core, job, r)))
        return;
    if (q->needs && !blamed && is_passed(job)) {
        r->why = STINT_WHY_VARIED;
        return;
    }
    if (record_suspect(&job->record) && (!blamed || r->why == STINT_WHY_BUSY)) {
        r->why = STINT_WHY_SUSPECT;
        return;
    }
    count_before(job->level, id_sequence(&job->key), r);
    if (!blamed)
        r->why = STINT_WHY_NEXT;
}

static void
blame_time(const struct core *core, const struct record *record, struct stint_reason *r)
{
    bool failed = record->last == LAST_FAILED || record->last == LAST_OVERTIME;
    r->why = failed                    ? STINT_WHY_RETRY
        : record->last == LAST_SNOOZED ? STINT_WHY_SNOOZED
                                       : STINT_WHY_DUE;
    r->due_ms = clock_told(core, record_get(record, FIELD_DUE, 0));
    if (failed)
        slice_to_text(r->error, sizeof r->error, record->error);
}

static void
blame_lease(const struct core *core, const struct lease *l, struct stint_reason *r)
{
    if (!l || !l->worker) {
        r->why = STINT_WHY_UNCLAIMED;
        r->due_ms = clock_told(core, core->clocks.wall_ms) + core->clocks.grace_until_ms -
            earlier(core->clocks.grace_until_ms, core->clocks.listened_ms);
        return;
    }
    memcpy(r->worker, l->worker->name, sizeof r->worker);
    r->why = !l->worker->peer ? STINT_WHY_CUT_OFF : l->begun ? STINT_WHY_RUNNING : STINT_WHY_HELD;
}

void
why_job(
    struct core *core, const struct grant *grant, const struct stint_id *id, struct stint_reason *r)
{
    struct job job;
    *r = (struct stint_reason){.id = *id};
    if (!job_find(core, id, &job))
        return;
    struct question q = {
        .core = core, .grant = grant, .queue = job.level->queue, .kind = job.record.kind};
    memcpy(r->queue, q.queue->name, sizeof r->queue);
    slice_to_text(r->kind, sizeof r->kind, job.record.kind);
    if (job.place == PLACE_SETTLED) {
        r->why = STINT_WHY_SETTLED;
        r->state = job.state;
    } else if (job.state == STINT_BLOCKED) {
        r->why = STINT_WHY_AFTER;
        r->before = record_get(&job.record, FIELD_AFTER, 0);
    } else if (job.place == PLACE_PARKED)
        blame_time(core, &job.record, r);
    else if (job.state == STINT_RUNNING)
        blame_lease(core, job.lease, r);
    else {
        struct needs *needs =
            record_has(&job.record, FIELD_NEEDS) ? needs_get(&core->needs, job.record.needs) : NULL;
        q.needs = needs;
        blame_ready(&q, &job, r);
        if (r->why == STINT_WHY_UNABLE)
            slice_to_text(r->error, sizeof r->error, job.record.error);
        if (r->why >= STINT_WHY_NEEDS)
            slice_to_text(r->needs, sizeof r->needs, job.record.needs);
        if (needs)
            needs_put(needs);
    }
}

/* Nothing of it is ready: some wait for their time, or all for other jobs. */
static enum stint_why
blame_waiting(const struct queue *queue, uint64_t *blocked)
{
    uint64_t scheduled = 0;
    for (uint32_t i = 0; i < queue->levels_count; i++) {
        scheduled += queue->levels[i]->jobs[STINT_SCHEDULED];
        *blocked += queue->levels[i]->jobs[STINT_BLOCKED];
    }
    if (scheduled == 0)
        return STINT_WHY_AFTER;
    *blocked = 0;
    return STINT_WHY_DUE;
}

/* Is all that is ready in groups, none of which may run one more? Which of their limits it is may
 * differ from one to the next: the first that is set is named. */
static bool
blame_groups(const struct queue *queue, struct stint_reason *r)
{
    uint64_t ready = 0, standing = 0;
    for (uint32_t i = 0; i < queue->levels_count; i++) {
        ready += queue->levels[i]->groups.ready;
        standing += queue->levels[i]->groups.standing;
    }
    if (standing > 0 || ready < queue->ready)
        return false;
    r->why = queue->set.group_running ? STINT_WHY_GROUP_FULL : STINT_WHY_GROUP_RATE;
    r->slots = queue->set.group_running;
    return true;
}

/* Of what waits in it as a whole. */
static void
blame_queue(
    struct core *core, const struct grant *grant, struct queue *queue, struct stint_reason *r)
{
    const uint64_t most = backlog_most(core, queue);
    struct question q = {.core = core, .grant = grant, .queue = queue};
    *r = (struct stint_reason){.closed = queue->set.closed};
    r->full = most && queue->backlog >= most;
    memcpy(r->queue, queue->name, sizeof r->queue);
    r->before = queue->ready;
    const char *unserved = backlog_unserved(core, queue);
    if (queue->set.paused)
        r->why = STINT_WHY_PAUSED;
    else if (queue->backlog == 0)
        r->why = STINT_WHY_NOTHING;
    else if (queue->ready == 0)
        r->why = blame_waiting(queue, &r->before);
    else if (unserved) {
        r->why = STINT_WHY_NO_HANDLER;
        r->workers = queue_workers(queue);
        memcpy(r->kind, unserved, sizeof r->kind);
    } else if (queue_workers(queue) > 0 && backlog_unmet(core, queue, r->needs)) {
        r->why = STINT_WHY_NEEDS;
        r->workers = queue_workers(queue);
    } else {
        bool blamed = blame_workers(&q, r);
        if ((!blamed || r->why == STINT_WHY_BUSY) &&
            (blame_pace(core, queue, r) || blame_groups(queue, r)))
            return;
        if (!blamed)
            r->why = STINT_WHY_NEXT;
    }
}

/* One that holds or held jobs, or that workers wait at; NULL: there is none. */
static struct queue *
find_queue(struct core *core, struct slice name)
{
    struct queue *q = book_queue(&core->book, name);
    return q ? q : book_queue_expected(&core->book, name);
}

/* Is there a worker that would serve it, by a prefix, if it were there? */
static bool
is_awaited(const struct core *core, struct slice name)
{
    bool awaited = false, named;
    for (const struct pool *p = core->book.pools; p && !awaited; p = p->hh.next)
        awaited = pool_serves(p, name, &named);
    return awaited;
}

static void
answer_queue(struct core *core, struct peer *peer, const struct message *m)
{
    struct stint_reason reason;
    struct queue *q = find_queue(core, m->why.queue);
    if (!q && !is_awaited(core, m->why.queue)) {
        reply_refuse(core, peer->number, m, STINT_NO_SUCH_QUEUE,
            "no job has come for it, and no worker serves it");
        return;
    }
    if (q)
        blame_queue(core, peer->grant, q, &reason);
    else {
        reason = (struct stint_reason){.why = STINT_WHY_NOTHING};
        slice_to_text(reason.queue, sizeof reason.queue, m->why.queue);
    }
    reply_page_begin(core);
    message_put_reason(&core->scratch.page, &reason);
    reply_page_send(core, peer, MESSAGE_REASONS, m->number, 1, (struct slice){0});
}

void
why_message(struct core *core, struct peer *peer, const struct message *m)
{
    struct stint_reason reason;
    bool by_name = m->why.queue.size > 0;
    if (by_name == (m->count > 0) || m->count > LIMIT_WHY) {
        reply_refuse(
            core, peer->number, m, STINT_INVALID, "a WHY is about a queue, or about 1 to 64 jobs");
        return;
    }
    if (by_name) {
        answer_queue(core, peer, m);
        return;
    }
    reply_page_begin(core);
    for (uint32_t i = 0; i < m->count; i++) {
        why_job(core, peer->grant, &core->scratch.decoded->ids[i], &reason);
        message_put_reason(&core->scratch.page, &reason);
    }
    reply_page_send(core, peer, MESSAGE_REASONS, m->number, m->count, (struct slice){0});
}
