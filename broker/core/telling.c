/* How far jobs are: what comes from the worker that has the lease is kept with it, what comes from
 * others or late is passed over in silence, as it is out of date. Watchers are told of all that is
 * new together and not at once, so that neither a worker that tells very often nor many watchers of
 * one job make work that grows with both; one that does not read hears the newest when it does.
 */
#include "telling.h"
#include "peers.h"
#include "watch.h"

enum {
    PUSH_EVERY_MS = 200,
    PUSHED_AT_ONCE = LIMIT_JOBS, /* to all watchers; the rest is told the next time */
};

static bool
is_wanted(struct core *core, const struct stint_id *id)
{
    struct watch *w = core->fleet.watches ? fleet_watches(&core->fleet, id) : NULL;
    while (w && !w->progress)
        w = w->next_same;
    return w != NULL;
}

void
telling_say(struct core *core, struct lease *l, const struct told_progress *told)
{
    struct progresses *all = &core->fleet.progresses;
    progress_tell(
        all, &l->progress, &l->id, told, core->clocks.now_ms, core->options.max.progress_bytes);
    if (l->progress && is_wanted(core, &l->id))
        progress_list(all, l->progress);
}

void
telling_message(struct core *core, struct peer *peer, const struct message *m)
{
    for (uint32_t i = 0; i < m->count; i++) {
        const struct told_progress *told = &core->scratch.decoded->told[i];
        struct lease *l = judgement_denies(&core->scratch.judgement, i)
            ? NULL
            : fleet_lease(&core->fleet, &told->id);
        if (!l || l->attempt != told->attempt || l->worker != peer->worker)
            continue;
        telling_say(core, l, told);
    }
}

static void
put(struct core *core, struct peer *peer, const struct progress *p)
{
    const struct stint_job_info info = {.id = *p->id,
        .state = STINT_RUNNING,
        .attempt = p->attempt,
        .progress = progress_info(p, core->clocks.now_ms)};
    watch_put_outcome(core, peer, &info);
}

void
telling_begin(struct core *core, struct peer *peer, const struct stint_id *id)
{
    const struct lease *l = fleet_lease(&core->fleet, id);
    if (l && l->progress && peers_can_take(core, peer))
        put(core, peer, l->progress);
}

/* Returns how many were told. */
static uint32_t
push_one(struct core *core, struct progress *p)
{
    uint32_t told = 0;
    bool behind = false;
    struct watch *w = core->fleet.watches ? fleet_watches(&core->fleet, p->id) : NULL;
    for (; w; w = w->next_same) {
        if (!w->progress || (!p->fresh && !w->behind))
            continue;
        w->behind = !peers_can_take(core, w->peer);
        behind |= w->behind;
        if (w->behind)
            continue;
        put(core, w->peer, p);
        told++;
    }
    p->fresh = false;
    progress_unlist(&core->fleet.progresses, p);
    if (behind)
        progress_list(&core->fleet.progresses, p);
    return told;
}

void
telling_push(struct core *core)
{
    struct progresses *all = &core->fleet.progresses;
    uint32_t told = 0;
    if (telling_idle_ms(core) > 0)
        return;
    all->pushed_ms = core->clocks.now_ms;
    /* Those that somebody is behind with come to the end of the list, where this ends. */
    struct progress *last = all->news->prev_news, *p;
    do {
        p = all->news;
        told += push_one(core, p);
    } while (p != last && told < PUSHED_AT_ONCE);
}

uint64_t
telling_idle_ms(const struct core *core)
{
    const struct progresses *all = &core->fleet.progresses;
    uint64_t passed_ms = core->clocks.now_ms - all->pushed_ms;
    if (!all->news)
        return UINT64_MAX;
    return passed_ms >= PUSH_EVERY_MS ? 0 : PUSH_EVERY_MS - passed_ms;
}
