/* Dispatch: ready jobs to workers with room. Slots are filled first, a job to each worker in turn;
 * then windows, in larger batches, so that a worker is never idle for a round trip. A worker's
 * queues take turns, and so do those of workers that serve by prefix, for all of a pool together.
 * In a turn a queue of a weight gives so many jobs. Every dispatch is on disk, as a bit in the
 * transit table, before it is sent. A job whose time to begin is over is not handed out, but
 * expires.
 *
 * A worker that names kinds gets no others: rows of those are passed over once for all workers that
 * name the same. A suspect, which was lost with a worker, goes to one that holds nothing else that
 * has not begun, and that worker gets nothing more before the suspect has: so if it ends its
 * worker, it alone is charged. To make room for it a worker may have to run dry; no more of them do
 * than there are suspects, and not for longer than a job takes to be told of as started.
 *
 * A job that needs something of its worker is looked for apart from others (room.h).
 *
 * Jobs of groups take turns within their level (groups.h). To hand one out writes to the store, so
 * their records are copied, and what was borrowed before goes into its frames first.
 *
 * What of a queue waits in workers when it is paused is asked back.
 */
#include "dispatch.h"
#include "apart.h"
#include "attempt.h"
#include "group_look.h"
#include "groups.h"
#include "handed.h"
#include "job.h"
#include "links.h"
#include "live.h"
#include "pace.h"
#include "peers.h"
#include "ready.h"
#include "room.h"
#include "tally.h"
#include "watch.h"

#include <utlist.h>

enum {
    HELPING = 64,
    SEARCHED_A_STEP = 4096, /* rows passed over */
    ROOMLESS_A_STEP = 2048, /* jobs of groups that find no room */
    RECORDS_BYTES = 1 << 20, /* of jobs of groups, before they go into their frames */
};

bool
dispatch_is_willing(const struct worker *w)
{
    return w->control.greeted && !w->control.paused && w->control.leave == LEAVE_NOT;
}

bool
dispatch_has_room(const struct core *core, const struct worker *w, uint32_t limit)
{
    return w->claimed && w->peer && dispatch_is_willing(w) && w->counts.held < limit &&
        w->counts.held < w->window && core->clocks.now_ms >= w->times.rests_ms &&
        peers_can_take(core, w->peer);
}

/* A record that can't be read is set aside. That writes to the store, where the bytes of earlier
 * takes of this step still lie, so those are put into their frames first. */
static void
set_damaged_aside(struct core *core, const struct stint_id *key)
{
    struct slice bytes;
    handed_send(core);
    if (store_get(core->store, STORE_LIVE, id_key(key), &bytes))
        job_set_aside(core, STORE_LIVE, key, bytes);
}

/* A ready job as it was found, which is to be handed out. */
struct found {
    struct stint_id id, key;
    struct level *level;
    struct slice bytes; /* of its record, borrowed until the store is written */
    struct record record;
};

/* So many, and what was read for them is still in the processor's cache when it is sent. */
enum { FRESH_MOST = 1024 };

/* The job is the worker's; its bytes are needed until handed_send. */
static struct lease *
hand_out(struct core *core, struct worker *w, const struct found *job)
{
    struct lease *l = attempt_lease(core, job->level, &job->id, &job->key, &job->record, w);
    live_leased(core, l);
    l->bytes = job->bytes;
    core->step.lent = true;
    if (w->fresh++ == 0)
        w->first_fresh = l;
    w->peer->taken_bytes += job->record.body_bytes;
    book_set_running(&core->book, &job->key);
    book_count(&core->book, job->level, STINT_READY, STINT_RUNNING);
    pace_take(job->level->queue);
    if (record_has(&job->record, FIELD_NEEDS))
        room_given(core, job->level->queue, &job->record);
    core->figures.dispatched++;
    tally_start(core, job->level, &job->record, l);
    if (watch_hears(core))
        watch_event(core, STINT_EVENT_STARTED, job->level, &job->id, l->attempt);
    if (w->fresh == FRESH_MOST)
        handed_send_to(core, w);
    return l;
}

/* Are the record and its body whole? */
static bool
read_found(struct core *core, struct found *job)
{
    struct slice body;
    return record_decode(&job->record, &job->key, job->bytes) &&
        job_name(core, &job->key, &job->record, &job->id) &&
        (!record_chunked(&job->record) || job_body(core, &job->id, &job->record, &body));
}

static bool
next_ready(struct core *core, const struct worker *w, struct found *job)
{
    struct level *level = job->level;
    if (core->step.searched >= SEARCHED_A_STEP) {
        core->step.unfinished = true;
        return false;
    }
    if (level->lanes)
        return room_next(core, level, w, &job->key, &job->bytes);
    return w->serves.kinds ? book_scan_ready(&core->book, level, book_scan(level, w->serves.kinds),
                                 &job->key, &job->bytes)
                           : book_next_ready(&core->book, level, &job->key, &job->bytes);
}

/* Its time came before a worker did. As set_damaged_aside, that writes to the store. */
static void
expire(struct core *core, const struct stint_id *key)
{
    struct job job;
    handed_send(core);
    if (job_load(core, key, PLACE_LIVE, &job))
        attempt_expire(core, &job);
}

enum turn { TURN_NONE, TURN_TAKEN, TURN_WAITS };

/* The record's bytes are ours from now on, and those of earlier takes are not needed any more. */
static void
own_bytes(struct core *core, struct found *job)
{
    struct pack_buffer *b = &core->scratch.records;
    if (b->size == 0) { /* at once: it must not move while leases point into it */
        (void)pack_reserve(b, RECORDS_BYTES + RECORD_HEAD_MAX + RECORD_INLINE_MAX);
        b->used = 0;
    }
    if (core->step.lent || b->used > RECORDS_BYTES)
        handed_send(core);
    assert(b->used + job->bytes.size <= b->size);
    memcpy(b->data + b->used, job->bytes.data, job->bytes.size);
    job->bytes.data = b->data + b->used;
    b->used += job->bytes.size;
}

/* Gives the worker a job of a group, of which it is read what can be. */
static struct lease *
hand_out_grouped(struct core *core, struct worker *w, const struct found *job)
{
    bool lent = core->step.lent;
    struct lease *l = hand_out(core, w, job);
    core->step.lent = lent;
    groups_take(core, job->level, &job->key, &job->record);
    return l;
}

/* What stands there is not to be handed out to this worker now: it stands elsewhere, or nowhere, or
 * waits for another one. */
static bool
passes(struct core *core, struct worker *w, struct found *job, const struct standing *s)
{
    bool there = store_get(core->store, STORE_LIVE, id_key(&s->key), &job->bytes) &&
        job->bytes.size <= RECORD_HEAD_MAX + RECORD_INLINE_MAX;
    if (there)
        own_bytes(core, job);
    if (!there || !read_found(core, job)) {
        set_damaged_aside(core, &s->key);
        groups_drop(core, job->level, s);
        return true;
    }
    if (job_is_overdue(core, &job->record)) {
        expire(core, &s->key);
        return true;
    }
    if (!kinds_have(w->serves.kinds, job->record.kind)) {
        book_scan(job->level, w->serves.kinds)->stood = group_behind(s);
        return true;
    }
    return !groups_still_may(core, job->level, s);
}

/* That writes to the store. */
static void
settle_turns(struct core *core, struct level *level)
{
    if (core->step.lent)
        handed_send(core);
    groups_settle(core, level);
}

/* What was passed over is not looked at again before there may be room for it. */
static enum turn
end_look(struct core *core, struct level *level, struct worker *w, struct scan *scan,
    const struct group_look *look)
{
    const struct group_turn none = {UINT64_MAX, 0};
    if (look->passed) {
        level->groups.no_room = w;
        core->step.roomless_cut |= !look->ends;
        passed_until(core, level, w, look->ends ? none : look->at, look->could, !look->ends);
    } else if (!look->ends)
        core->step.unfinished = true;
    else if (scan)
        scan->stood = none;
    else if (level->groups.standing > 0) /* the last of them may have been put back in line */
        groups_are_lost(core, level);
    return TURN_NONE;
}

/* As take, of a level in which jobs of groups stand. */
static enum turn
take_grouped(struct core *core, struct worker *w, struct level *level)
{
    struct found job = {.level = level};
    struct standing s;
    struct scan *scan = w->serves.kinds ? book_scan(level, w->serves.kinds) : NULL;
    const struct group_turn kept = scan ? scan->stood : (struct group_turn){0, 0};
    struct group_look look = group_look_begin(level, w, scan);
    while (core->step.searched < SEARCHED_A_STEP &&
        !(look.passed && core->step.roomless >= ROOMLESS_A_STEP)) {
        if ((scan || look.passed) && level->groups.fresh.standing > 0)
            settle_turns(core, level);
        look.ends = !groups_next(core, level, &look.at, &s);
        if (look.ends)
            break;
        job.key = s.key;
        if (passes(core, w, &job, &s)) {
            core->step.searched++;
            if (scan && look.passed) {
                group_look_on(&look, &s, true);
                scan->stood = kept; /* what was passed before it is looked at again */
            } else if (scan)
                look.at = look.could = scan->stood;
            continue;
        }
        if (record_suspect(&job.record) && apart_keep(core, level, &job.key, &job.record)) {
            core->step.searched++;
            return TURN_NONE;
        }
        if (!group_look_fits(core, w, level->queue, &job.record, &s, &look))
            continue;
        if (look.passed)
            passed_until(core, level, w, look.at, look.could, false);
        hand_out_grouped(core, w, &job);
        return TURN_TAKEN;
    }
    return end_look(core, level, w, scan, &look);
}

static bool
may_have(struct level *level, const struct worker *w, bool fitting)
{
    if (level->lanes)
        return room_may_have(level, w, fitting);
    return !w->serves.kinds || book_scan_is_open(level, book_scan(level, w->serves.kinds));
}

static bool
has_others(struct level *level, const struct worker *w, bool fitting)
{
    return level->jobs[STINT_READY] > level->apart && !level->lost && may_have(level, w, fitting);
}

static bool
has_standing(struct level *level, const struct worker *w, bool fitting)
{
    return level->groups.standing > 0 && !(fitting && level->groups.no_room == w) &&
        (!w->serves.kinds || book_scan(level, w->serves.kinds)->stood.turn != UINT64_MAX);
}

/* As take, of jobs without a group. */
static enum turn
take_other(struct core *core, struct worker *w, struct level *level)
{
    struct found job;
    job.level = level;
    while (next_ready(core, w, &job)) {
        if (!read_found(core, &job)) {
            set_damaged_aside(core, &job.key);
            continue;
        }
        if (job_is_overdue(core, &job.record)) {
            expire(core, &job.key);
            core->step.searched++;
            continue;
        }
        if (record_suspect(&job.record) && apart_keep(core, level, &job.key, &job.record)) {
            core->step.searched++;
            return TURN_NONE; /* it may be its turn now */
        }
        enum room room = ROOM_GOOD;
        if (record_has(&job.record, FIELD_NEEDS))
            room = room_judge(core, w, level, &job.key, &job.record);
        else if (!kinds_have(w->serves.kinds, job.record.kind))
            room = ROOM_NONE;
        if (room == ROOM_SLOT)
            return TURN_WAITS;
        if (room == ROOM_NONE) {
            core->step.searched++;
            continue;
        }
        hand_out(core, w, &job);
        return TURN_TAKEN;
    }
    core->step.unfinished |= book_has_stopped(level);
    if (level->lost)
        core_say(core, NOTE_ERROR, "ready jobs are not found, the data file is damaged; --verify",
            NOTE_TEXT("queue", level->queue->name));
    return TURN_NONE;
}

/* Hands one job of the level to the worker. TURN_NONE: none is found, or first one to keep apart;
 * TURN_WAITS: it is to have a slot first. */
static enum turn
take(struct core *core, struct worker *w, struct level *level)
{
    if (!level->groups.standing)
        return take_other(core, w, level);
    const struct group_turn begin = {0, 0};
    bool others = has_others(level, w, true), standing = has_standing(level, w, true);
    if (standing && (!others || !groups_is_others_turn(core, level, &begin)))
        return take_grouped(core, w, level);
    enum turn turn = take_other(core, w, level);
    if (turn == TURN_TAKEN)
        groups_pass_others(core, level->queue);
    return turn;
}

static struct level *
first_with_groups(struct queue *q, const struct worker *w, bool fitting)
{
    for (uint32_t i = 0; i < q->levels_count; i++)
        if (has_standing(q->levels[i], w, fitting) || has_others(q->levels[i], w, fitting))
            return q->levels[i];
    return NULL;
}

/* The most urgent level that may have a job that the worker handles; `fitting`: and has room for.
 */
static struct level *
first_ready(struct queue *q, const struct worker *w, bool fitting)
{
    if (q->past.groups && q->past.groups->standing)
        return first_with_groups(q, w, fitting);
    for (uint32_t i = 0; q->ready > q->apart && i < q->levels_count; i++) {
        struct level *level = q->levels[i];
        if (level->jobs[STINT_READY] > level->apart && !level->lost && may_have(level, w, fitting))
            return level;
    }
    return NULL;
}

/* Hands out a job that was kept apart. */
static void
hand_out_apart(struct core *core, struct worker *w, struct apart *a)
{
    struct found job;
    struct refusers *refusers = a->refusers;
    job.level = a->shelf->level;
    job.key = a->key;
    if (!store_get(core->store, STORE_LIVE, id_key(&job.key), &job.bytes) ||
        !read_found(core, &job)) {
        set_damaged_aside(core, &job.key);
        apart_forget(core, &job.key);
        return;
    }
    if (job_is_overdue(core, &job.record)) {
        expire(core, &job.key);
        return;
    }
    if (refusers)
        apart_take_refusers(core, a);
    if (record_has(&job.record, FIELD_GROUP)) {
        own_bytes(core, &job);
        (void)record_decode(&job.record, &job.key, job.bytes);
        apart_forget(core, &job.key);
        hand_out_grouped(core, w, &job)->refusers = refusers;
        return;
    }
    apart_forget(core, &job.key);
    hand_out(core, w, &job)->refusers = refusers;
}

/* Of the jobs that are kept apart, the worker's turn: it takes one, or has to wait for one. */
static enum turn
take_apart(struct core *core, struct worker *w, struct queue *q)
{
    if (q->past.groups && core->step.lent)
        handed_send(core);
    struct apart *a = apart_for(core, w, q, first_ready(q, w, true));
    if (!a) {
        if (w->serves.draining == q)
            fleet_worker_drain(w, NULL);
        return TURN_NONE;
    }
    if (a->suspect && (w->counts.held > w->counts.begun || w->counts.held >= w->slots)) {
        if (w->serves.draining == q)
            return TURN_WAITS;
        if (w->serves.draining || q->draining >= q->suspects || q->draining >= pace_room(q))
            return TURN_NONE;
        fleet_worker_drain(w, q);
        return TURN_WAITS;
    }
    if (a->suspect)
        fleet_worker_drain(w, NULL);
    hand_out_apart(core, w, a);
    return TURN_TAKEN;
}

/* Up to `share` jobs of one queue. */
static uint32_t
help_from(struct core *core, struct worker *w, struct queue *q, uint32_t share)
{
    uint32_t taken = 0, room = pace_room(q);
    if (q->set.paused)
        return 0;
    if (share > room)
        share = room;
    if (q->servings.wants.count > 0)
        room_survey(core, w, q);
    for (uint32_t i = 0; q->past.groups && i < q->levels_count; i++)
        q->levels[i]->groups.no_room = NULL;
    while (taken < share && w->counts.trials == 0 && peers_can_take(core, w->peer)) {
        enum turn turn = q->shelves ? take_apart(core, w, q) : TURN_NONE;
        if (turn == TURN_WAITS)
            break;
        if (turn == TURN_TAKEN) {
            taken++;
            continue;
        }
        struct level *level = first_ready(q, w, true);
        if (!level)
            break;
        turn = take(core, w, level);
        if (turn == TURN_TAKEN)
            taken++;
        else if (turn == TURN_WAITS || core->step.unfinished)
            break;
    }
    return taken;
}

/* Is nothing of the queue to be given to workers that handle what this one does, for now? */
static bool
is_exhausted(struct queue *q, const struct worker *w)
{
    return q->set.paused || pace_room(q) == 0 || (!q->shelves && !first_ready(q, w, false));
}

/* Is the worker not to be given more now, though it has room? */
static bool
has_to_stop(const struct core *core, const struct worker *w)
{
    return w->serves.draining || w->counts.trials > 0 || core->step.unfinished ||
        !peers_can_take(core, w->peer) || room_waits(w);
}

/* A queue's turn, in which it gives so many jobs as its weight is, of which so many are left. It
 * goes on with the next worker of a pool, or the next message of a worker, so that weights hold
 * however few jobs go at a time. Returns how many it gave; the turn is over if none are left. */
static uint32_t
take_turn(struct core *core, struct worker *w, struct queue *q, uint32_t *left, uint32_t want)
{
    if (*left == 0)
        *left = queue_weight(q);
    uint32_t share = *left < want ? *left : want, got = help_from(core, w, q, share);
    assert(got <= share);
    *left = got < share ? 0 : *left - got;
    return got;
}

static bool
is_weighted(const struct core *core, const struct worker *w)
{
    if (core->book.weights.queues == 0)
        return false;
    if (w->serves.pool)
        return book_is_weighted(&core->book, w->serves.pool);
    for (uint32_t i = 0; i < w->serves.queues_count; i++)
        if (w->serves.queues[i]->set.weight)
            return true;
    return false;
}

/* As help, of a worker whose queues have weights. */
static uint32_t
help_by_weight(struct core *core, struct worker *w, uint32_t want)
{
    struct worker_serves *s = &w->serves;
    struct pool *pool = s->pool;
    uint32_t taken = 0, fruitless = 0;
    while (taken < want && fruitless < (pool ? pool->round_count : s->queues_count)) {
        struct post *post = pool ? pool->round : NULL;
        struct queue *q = post ? post->queue : s->queues[s->turn % s->queues_count];
        uint32_t *left = post ? &post->left : &s->left;
        uint32_t got = take_turn(core, w, q, left, want - taken);
        taken += got;
        fruitless = got > 0 ? 0 : fruitless + 1;
        if (post && is_exhausted(q, w)) {
            *left = 0;
            pool_rest(post, &q->servings.posts);
        } else if (post && *left == 0)
            pool_pass(post);
        else if (*left == 0)
            s->turn++;
        if (has_to_stop(core, w))
            break;
    }
    return taken;
}

/* Up to `want` jobs from the queues of the worker's pool that are not known to have none. The one
 * that has given some has its next turn when all others have had theirs. */
static uint32_t
help_in_rounds(struct core *core, struct worker *w, uint32_t want)
{
    struct pool *pool = w->serves.pool;
    uint32_t taken = 0, left = pool->round_count;
    uint32_t share = left && want / left ? want / left : 1;
    struct post *next;
    for (struct post *post = pool->round; left > 0 && taken < want; post = next, left--) {
        struct queue *q = post->queue;
        uint32_t got = help_from(core, w, q, share < want - taken ? share : want - taken);
        next = post->next;
        taken += got;
        if (is_exhausted(q, w))
            pool_rest(post, &q->servings.posts);
        else if (got > 0)
            pool_pass(post);
        if (has_to_stop(core, w))
            break;
    }
    return taken;
}

/* The turn of a worker that is reserved: it takes a job of that queue, or waits for a slot. */
static enum turn
take_reserved(struct core *core, struct worker *w)
{
    struct queue *q = w->serves.reserved->queue;
    enum room room = room_reserved(core, w);
    if (room == ROOM_GOOD && help_from(core, w, q, 1) > 0)
        return TURN_TAKEN;
    if (room == ROOM_GOOD && w->serves.reserved)
        w->serves.reserved->grouped = false; /* it is there no more */
    return room == ROOM_SLOT ? TURN_WAITS : TURN_NONE;
}

/* Up to `want` jobs from the worker's queues, which take turns. */
static uint32_t
help(struct core *core, struct worker *w, uint32_t want)
{
    uint32_t taken = 0;
    struct queue *d = w->serves.draining;
    if (d && pace_room(d) > 0 && take_apart(core, w, d) != TURN_NONE)
        return w->serves.draining ? 0 : 1;
    enum turn turn = w->serves.reserved ? take_reserved(core, w) : TURN_NONE;
    if (turn != TURN_NONE)
        return turn == TURN_TAKEN;
    if (is_weighted(core, w))
        return help_by_weight(core, w, want);
    if (w->serves.pool)
        return help_in_rounds(core, w, want);
    for (uint32_t tried = 0; taken < want && tried < w->serves.queues_count; tried++) {
        struct queue *q = w->serves.queues[w->serves.turn++ % w->serves.queues_count];
        /* Its share, so that every queue gets one before any gets all. */
        uint32_t share = want / w->serves.queues_count ? want / w->serves.queues_count : 1;
        taken += help_from(core, w, q, share < want - taken ? share : want - taken);
        if (w->serves.draining || w->counts.trials > 0 || room_waits(w))
            break;
    }
    return taken;
}

/* Rounds over all workers until nobody takes anything. */
static void
rounds(struct core *core, bool windows)
{
    bool progress = true;
    while (progress && core->book.jobs[STINT_READY] > 0 && !core->step.unfinished) {
        progress = false;
        for (struct worker *w = core->fleet.workers; w; w = w->next) {
            uint32_t limit = windows ? w->window : w->slots;
            if (w->serves.draining &&
                (w->window == 0 || !w->peer || !dispatch_is_willing(w) ||
                    pace_room(w->serves.draining) == 0 || !peers_can_take(core, w->peer)))
                fleet_worker_drain(w, NULL); /* another one is to make room */
            if (w->serves.reserved && (w->window == 0 || !w->peer || !dispatch_is_willing(w)))
                fleet_worker_reserve(w, NULL); /* likewise */
            if (!dispatch_has_room(core, w, limit))
                continue;
            uint32_t want = windows ? HELPING : 1;
            if (want > limit - w->counts.held)
                want = limit - w->counts.held;
            progress |= help(core, w, want) > 0;
        }
    }
}

/* The queue, if it is paused, of a job that has not begun, as far as we were told. */
static struct queue *
paused_queue_of(struct core *core, const struct lease *l)
{
    struct queue *q = l->begun ? NULL : book_queue_by_number(&core->book, id_queue(&l->key));
    return q && q->set.paused ? q : NULL;
}

void
dispatch_recall_paused(struct core *core, const struct worker *w)
{
    struct queue *q;
    if (!w->peer)
        return;
    for (const struct lease *l = w->leases; l; l = l->next)
        if ((q = paused_queue_of(core, l)) != NULL)
            q->servings.waiting++;
    for (const struct lease *l = w->leases; l; l = l->next) {
        q = paused_queue_of(core, l);
        if (!q || q->servings.waiting == 0)
            continue;
        message_put_recall(outbox_begin(core->step.out, w->peer->number), q->servings.waiting,
            (struct slice){(const uint8_t *)q->name, q->name_bytes});
        outbox_end(core->step.out);
        core->figures.recalled += q->servings.waiting;
        q->servings.waiting = 0;
    }
}

/* Queues were paused: nobody makes room for a suspect of theirs, and nothing of them is to begin.
 */
static void
pause_workers(struct core *core)
{
    for (struct worker *w = core->fleet.workers; w; w = w->next) {
        if (w->serves.draining && w->serves.draining->set.paused)
            fleet_worker_drain(w, NULL);
        if (w->serves.reserved && w->serves.reserved->queue->set.paused)
            fleet_worker_reserve(w, NULL);
        dispatch_recall_paused(core, w);
    }
    core->step.paused = false;
}

void
dispatch_all(struct core *core)
{
    struct fleet *fleet = &core->fleet;
    core->step.searched = 0;
    core->step.unfinished = core->step.roomless_cut = false;
    core->step.roomless = 0;
    if (core->step.paused)
        pause_workers(core);
    pace_pass(&core->book, core->clocks.now_ms);
    if (core->book.jobs[STINT_READY] == 0 || !fleet->workers)
        return;
    struct worker *first = fleet->workers; /* somebody else begins next time */
    if (first->next) {
        DL_DELETE(fleet->workers, first);
        DL_APPEND(fleet->workers, first);
    }
    rounds(core, false);
    rounds(core, true);
    handed_send(core);
}
