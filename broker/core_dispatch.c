/* Dispatch: ready jobs to workers with room. Slots are filled first, a job to each worker in turn;
 * then windows, in larger helpings, so that a worker is never idle for a round trip. A worker's
 * queues take turns. Every dispatch is on disk, as a bit in the transit table, before it is sent.
 *
 * Recall is the other half of prefetch: a job must not wait behind a long one in a busy worker
 * while another worker is idle, so prefetched jobs that do not move are asked back.
 */
#include "core_inside.h"

#include <utlist.h>

enum {
    HELPING = 64,
    RECALL_AFTER_MS = 50, /* prefetched jobs older than this do not move */
    RECALL_EVERY_MS = 50,
};

static bool
hungry(const struct core *core, const struct worker *w, uint32_t limit)
{
    return w->claimed && w->peer && w->held < limit && w->held < w->window &&
        peer_reads(core, w->peer);
}

/* Writes the DISPATCH messages for the leases of this step. */
static void
send_fresh(struct core *core, struct worker *w)
{
    assert(w->leases && w->fresh <= w->held);
    w->peer->taken_bytes = 0; /* frames are counted when they end */
    struct lease *l = w->leases->prev; /* the newest */
    for (uint32_t i = 1; i < w->fresh; i++)
        l = l->prev;
    struct pack_buffer *b = NULL;
    size_t at = 0, begun = 0;
    uint32_t count = 0, queue = 0;
    for (; w->fresh > 0; w->fresh--, l = l->next) {
        assert(l);
        struct record r;
        struct dispatched_job job = {.id = l->id, .attempt = l->attempt};
        /* take() has looked at both; if the store has failed since, nothing of this is sent. */
        if (!record_decode(&r, &l->id, l->bytes) || !job_body(core, &l->id, &r, &job.payload))
            continue;
        if (b &&
            (id_queue(&l->id) != queue || count == LIMIT_JOBS ||
                b->used - begun > page_bytes(core))) {
            pack_close_array(b, at, count);
            outbox_end(core->out);
            b = NULL;
        }
        if (!b) {
            queue = id_queue(&l->id);
            struct queue *q = book_queue_by_number(&core->book, queue);
            b = outbox_begin(core->out, w->peer->number);
            begun = b->used;
            message_put_head(b, MESSAGE_DISPATCH, 2);
            *pack_reserve(b, 1) = 2;
            pack_put_text(b, q->name, q->name_bytes);
            *pack_reserve(b, 1) = 3;
            at = pack_open_array(b);
            count = 0;
        }
        job.kind = r.kind;
        job.max_attempts = (uint32_t)record_get(&r, FIELD_MAX_ATTEMPTS, DEFAULT_MAX_ATTEMPTS);
        job.time_to_run_ms = l->time_to_run_ms;
        job.submitted_ms = clock_told(core, r.submitted_ms);
        message_put_dispatched(b, &job);
        count++;
    }
    if (b) {
        pack_close_array(b, at, count);
        outbox_end(core->out);
    }
}

static void
send_all_fresh(struct core *core)
{
    for (struct worker *w = core->fleet.workers; w; w = w->next)
        if (w->fresh > 0)
            send_fresh(core, w);
}

/* A record that can't be read is set aside. That writes to the store, where the bytes of earlier
 * takes of this step still lie, so those are put into their frames first. */
static void
set_damaged_aside(struct core *core, const struct stint_id *id)
{
    struct slice bytes;
    send_all_fresh(core);
    if (store_get(core->store, STORE_LIVE, id_key(id), &bytes))
        job_set_aside(core, STORE_LIVE, id, bytes);
}

/* Hands one job of the level to the worker. False if none is ready. */
static bool
take(struct core *core, struct worker *w, struct level *level)
{
    struct stint_id id;
    struct slice bytes;
    struct record r;
    while (book_next_ready(&core->book, level, &id, &bytes)) {
        struct slice body;
        if (!record_decode(&r, &id, bytes) ||
            (record_parted(&r) && !job_body(core, &id, &r, &body))) {
            set_damaged_aside(core, &id);
            continue;
        }
        struct lease *l = fleet_lease_add(&core->fleet, &id, r.attempt + 1, w);
        l->parted = record_parted(&r);
        l->has_keep = record_has(&r, FIELD_KEEP);
        l->keep_ms = record_get(&r, FIELD_KEEP, 0);
        l->time_to_run_ms = record_get(&r, FIELD_TIME_TO_RUN, 0);
        l->dispatched_ms = core->now_ms;
        l->bytes = bytes;
        w->fresh++;
        w->peer->taken_bytes += r.body_bytes;
        book_set_running(&core->book, &id);
        book_count(&core->book, level, STINT_READY, STINT_RUNNING);
        core->figures.dispatched++;
        if (core->fleet.subscriptions)
            watch_event(core, STINT_EVENT_STARTED, level, &id, l->attempt);
        return true;
    }
    if (level->lost)
        core_say(core, NOTE_ERROR, "ready jobs are not found, the data file is damaged; --verify",
            NOTE_TEXT("queue", level->queue->name));
    return false;
}

static struct level *
first_ready(struct queue *q)
{
    for (uint32_t i = 0; q->ready > 0 && i < q->levels_count; i++)
        if (q->levels[i]->jobs[STINT_READY] > 0 && !q->levels[i]->lost)
            return q->levels[i];
    return NULL;
}

/* Up to `want` jobs from the worker's queues, which take turns. */
static uint32_t
help(struct core *core, struct worker *w, uint32_t want)
{
    uint32_t taken = 0;
    for (uint32_t tried = 0; taken < want && tried < w->queues_count; tried++) {
        struct queue *q = w->queues[w->turn++ % w->queues_count];
        /* Its share, so that every queue gets one before any gets all. */
        uint32_t share = want / w->queues_count ? want / w->queues_count : 1;
        struct level *level;
        while (share > 0 && taken < want && peer_reads(core, w->peer)) {
            if ((level = first_ready(q)) == NULL || !take(core, w, level))
                break;
            share--;
            taken++;
        }
    }
    return taken;
}

/* Rounds over all workers until nobody takes anything. */
static void
rounds(struct core *core, bool windows)
{
    bool progress = true;
    while (progress && core->book.jobs[STINT_READY] > 0) {
        progress = false;
        for (struct worker *w = core->fleet.workers; w; w = w->next) {
            uint32_t limit = windows ? w->window : w->slots;
            if (!hungry(core, w, limit))
                continue;
            uint32_t want = windows ? HELPING : 1;
            if (want > limit - w->held)
                want = limit - w->held;
            progress |= help(core, w, want) > 0;
        }
    }
}

void
dispatch_all(struct core *core)
{
    struct fleet *fleet = &core->fleet;
    if (core->book.jobs[STINT_READY] == 0 || !fleet->workers)
        return;
    struct worker *first = fleet->workers; /* somebody else begins next time */
    if (first->next) {
        DL_DELETE(fleet->workers, first);
        DL_APPEND(fleet->workers, first);
    }
    rounds(core, false);
    rounds(core, true);
    send_all_fresh(core);
}

/* How many free slots idle workers have for this worker's queues. */
static uint32_t
idle_slots_for(const struct core *core, const struct worker *busy)
{
    uint32_t idle = 0;
    for (const struct worker *w = core->fleet.workers; w; w = w->next) {
        if (w == busy || !hungry(core, w, w->slots))
            continue;
        bool common = false;
        for (uint32_t i = 0; i < w->queues_count && !common; i++)
            for (uint32_t j = 0; j < busy->queues_count && !common; j++)
                common = w->queues[i] == busy->queues[j];
        if (common)
            idle += w->slots - w->held;
    }
    return idle;
}

void
dispatch_recall(struct core *core)
{
    struct fleet *fleet = &core->fleet;
    if (fleet->workers_count < 2 || core->now_ms - core->recalled_ms < RECALL_EVERY_MS)
        return;
    core->recalled_ms = core->now_ms;
    for (struct worker *w = fleet->workers; w; w = w->next) {
        if (!w->peer || w->held <= w->slots ||
            core->now_ms - w->leases->prev->dispatched_ms < RECALL_AFTER_MS ||
            core->now_ms - w->recalled_ms < 2ULL * RECALL_EVERY_MS)
            continue;
        uint32_t count = idle_slots_for(core, w);
        if (count > w->held - w->slots)
            count = w->held - w->slots;
        if (count == 0)
            continue;
        w->recalled_ms = core->now_ms;
        message_put_recall(outbox_begin(core->out, w->peer->number), count);
        outbox_end(core->out);
        core->figures.recalled += count;
    }
}
