/* Recall is the other half of prefetch: a job must not wait behind a long one in a busy worker
 * while another worker is idle, so prefetched jobs that do not move are asked back.
 */
#include "recall.h"
#include "dispatch.h"
#include "pace.h"

enum {
    RECALL_AFTER_MS = 50, /* prefetched jobs older than this do not move */
    RECALL_EVERY_MS = 50,
    SAMPLED = 16, /* a worker's newest jobs, for their kinds */
};

static void
clear_idle(const struct worker *w)
{
    for (uint32_t i = 0; i < w->serves.queues_count; i++)
        queue_serving(w->serves.queues[i], w->serves.kinds)->idle = 0;
    if (w->serves.pool)
        w->serves.pool->idle = 0;
}

/* Counts, in each queue and pool, the free slots of workers that could take more. False if there
 * are none.
 */
static bool
count_idle(struct core *core)
{
    uint64_t idle = 0;
    for (const struct worker *w = core->fleet.workers; w; w = w->next)
        clear_idle(w);
    for (const struct worker *w = core->fleet.workers; w; w = w->next) {
        if (w->serves.draining || w->counts.trials > 0 || !dispatch_has_room(core, w, w->slots))
            continue;
        for (uint32_t i = 0; i < w->serves.queues_count; i++)
            queue_serving(w->serves.queues[i], w->serves.kinds)->idle += w->slots - w->counts.held;
        if (w->serves.pool)
            w->serves.pool->idle += w->slots - w->counts.held;
        idle += w->slots - w->counts.held;
    }
    return idle > 0;
}

/* Is there, among the newest jobs of the worker, one of this queue and these kinds? */
static bool
holds_for(const struct worker *w, const struct queue *q, const struct kinds *kinds)
{
    const struct lease *l = w->leases->prev;
    for (uint32_t i = 0; i < SAMPLED && i < w->counts.held - w->slots; i++, l = l->prev)
        if (id_queue(&l->key) == q->number && kinds_have_hash(kinds, l->kind))
            return true;
    return false;
}

static bool
may_be_for(const struct worker *busy, const struct queue *q, const struct kinds *kinds)
{
    return !kinds || kinds == busy->serves.kinds || holds_for(busy, q, kinds);
}

/* How many free slots idle workers of this queue have for what that one holds ahead of it. */
static uint32_t
idle_slots_at(const struct worker *busy, const struct queue *q)
{
    uint32_t idle = 0;
    if (q->set.paused || q->set.group_rate || pace_wait_ms(q) > 0) /* it would cost a token */
        return 0;
    for (uint32_t n = 0; n < q->servings.count; n++) {
        const struct serving *s = &q->servings.list[n];
        if (s->idle > 0 && may_be_for(busy, q, s->kinds))
            idle += s->idle;
    }
    for (const struct post *p = q->servings.posts.all; p; p = p->next_here)
        if (p->pool->idle > 0 && may_be_for(busy, q, p->pool->terms.kinds))
            idle += p->pool->idle;
    return idle;
}

/* And for what it holds ahead of any. One that serves by prefix may have very many queues: there,
 * those of its newest jobs stand for all. */
static uint32_t
idle_slots_for(struct core *core, const struct worker *busy)
{
    uint32_t most = 0;
    for (uint32_t i = 0; i < busy->serves.queues_count; i++) {
        uint32_t idle = idle_slots_at(busy, busy->serves.queues[i]);
        most = idle > most ? idle : most;
    }
    const struct lease *l = busy->leases->prev;
    uint32_t ahead = busy->serves.pool ? busy->counts.held - busy->slots : 0;
    for (uint32_t i = 0; i < SAMPLED && i < ahead; i++, l = l->prev) {
        const struct queue *q = book_queue_by_number(&core->book, id_queue(&l->key));
        uint32_t idle = q ? idle_slots_at(busy, q) : 0;
        most = idle > most ? idle : most;
    }
    return most;
}

void
recall_jobs(struct core *core)
{
    struct fleet *fleet = &core->fleet;
    if (fleet->workers_count < 2 ||
        core->clocks.now_ms - core->clocks.recalled_ms < RECALL_EVERY_MS)
        return;
    core->clocks.recalled_ms = core->clocks.now_ms;
    if (!count_idle(core))
        return;
    for (struct worker *w = fleet->workers; w; w = w->next) {
        if (!w->peer || w->counts.held <= w->slots ||
            core->clocks.now_ms - w->leases->prev->dispatched_ms < RECALL_AFTER_MS ||
            core->clocks.now_ms - w->times.recalled_ms < 2ULL * RECALL_EVERY_MS)
            continue;
        uint32_t count = idle_slots_for(core, w);
        if (count > w->counts.held - w->slots)
            count = w->counts.held - w->slots;
        if (count == 0)
            continue;
        w->times.recalled_ms = core->clocks.now_ms;
        message_put_recall(outbox_begin(core->step.out, w->peer->number), count, (struct slice){0});
        outbox_end(core->step.out);
        core->figures.recalled += count;
    }
}
