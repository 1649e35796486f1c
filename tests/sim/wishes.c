/* Wishes; the contract is in wishes.h. */
#include "wishes.h"
#include "batcher.h"
#include "keys.h"

const char *const wishes_kinds[3] = {"default", "odd", "rare"};
static const char *const wishes_groups[3] = {"g", "group", "\xc3\xa4"};
static const char *const wishes_keys[3] = {"k", "key", "\xc3\xa4"};

static const char *const wishes_needs[] = {
    "cpus=1", "cpus=2", "cpus=4", "cpus=1 odd", "cpus=1.5 gpu=1", "mem=512M"};

const char *
wishes_has(bool all, struct chance *c)
{
    static const char *const some[] = {
        NULL, "cpus=4 gpu=2 mem=512M", "cpus=1", "odd cpus=8", "mem=2G,gpu=1,cpus=0"};
    return all ? "cpus=4 gpu=1 mem=1G odd" : some[chance_below(c, sizeof some / sizeof *some)];
}

/* Batches are those of queue default. */
static bool
may_join(const struct grant *key)
{
    return !key || (!keys_restrict(key) && keys_allow(key, RIGHT_SUBMIT, "default"));
}

struct wish
wishes_make(const struct load *load, const struct grant *key, struct chance *c)
{
    static const uint8_t priorities[] = {100, 100, 100, 0, 255, 7};
    static const uint32_t attempts[] = {5, 5, 1, 2, 3};
    struct wish w = {.queue = (unsigned)chance_below(c, load->queues),
        .kind = wishes_kinds[chance_below(c, load->kinds)],
        .kills = chance_in_100(c, load->killers),
        .picky = chance_in_100(c, load->picky),
        .priority = priorities[chance_below(c, sizeof priorities)],
        .max_attempts = attempts[chance_below(c, 5)],
        .keep_ms = -1,
        .backoff_base_ms = 1 + chance_skewed(c, 3000),
        .backoff_cap_ms = 1 + chance_skewed(c, 20000),
        .payload_bytes = 13 + chance_skewed(c, 200),
        .result_bytes = 19 + chance_skewed(c, 200)};
    if (chance_in_100(c, 30))
        w.keep_ms = 0;
    else if (load->brief || chance_in_100(c, 20))
        w.keep_ms = (int64_t)chance_between(c, 1000, 60000);
    if (chance_in_100(c, 15))
        w.time_to_run_ms = chance_between(c, 100, 5000);
    if (chance_in_100(c, 10))
        w.delay_ms = chance_between(c, 1, 5000);
    if (chance_in_100(c, 15))
        w.expires_in_ms = 1 + chance_skewed(c, 20000);
    if (chance_in_100(c, 15))
        w.total_ms = 50 + chance_skewed(c, 15000);
    if (chance_in_100(c, load->grouped))
        w.group = wishes_groups[chance_below(c, 3)];
    if (chance_in_100(c, load->keyed)) {
        w.unique = wishes_keys[chance_below(c, 3)];
        w.unique_waiting = chance_in_100(c, 30);
        w.unique_for_ms = chance_in_100(c, 30) ? chance_between(c, 1, 20000) : 0;
    }
    if (chance_in_100(c, load->needy))
        w.needs = wishes_needs[chance_below(c, sizeof wishes_needs / sizeof *wishes_needs)];
    if (load->batched && may_join(key) && chance_in_100(c, load->batched))
        w.batch = batcher_choose(c);
    if (chance_in_100(c, load->large)) {
        w.payload_bytes += chance_below(c, 9000);
        w.result_bytes += chance_below(c, 9000);
    }
    /* What it may not do, it tries now and then. */
    while (key && !keys_allow(key, RIGHT_SUBMIT, keys_queues[w.queue]) && !chance_in_100(c, 5))
        w.queue = (unsigned)chance_below(c, load->queues);
    return w;
}

/* A number of a job that it may be after; false: there is none. One that has a unique key may turn
 * out to be another job. */
static bool
choose(const struct grant *key, uint32_t first, uint32_t place, struct chance *c, uint32_t *number)
{
    struct stint_id id;
    bool here = place > 0 && (first == 0 || key || chance_in_100(c, 80));
    if (!here && (key || first == 0))
        return false;
    *number = here ? first + (uint32_t)chance_below(c, place) : (uint32_t)chance_below(c, first);
    return !oracle_wish_of(*number)->unique && (here || oracle_told(*number, &id));
}

void
wishes_wait(struct wish *w, const struct load *load, const struct grant *key, uint32_t first,
    uint32_t place, struct chance *c)
{
    unsigned count = chance_in_100(c, load->linked) ? 1 + (unsigned)chance_below(c, 2) : 0;
    w->after.any = chance_in_100(c, 30);
    for (unsigned i = 0; i < count; i++)
        if (choose(key, first, place, c, &w->after.jobs[w->after.count]))
            w->after.count++;
}

static struct stint_id
parent_id(uint32_t number, uint32_t first)
{
    struct stint_id id;
    if (number >= first)
        return stint_earlier(number - first);
    (void)oracle_told(number, &id);
    return id;
}

struct stint_job
wishes_job(const struct wish *w, uint32_t first, struct stint_id ids[2])
{
    for (unsigned i = 0; i < w->after.count; i++)
        ids[i] = parent_id(w->after.jobs[i], first);
    return (struct stint_job){.queue = keys_queues[w->queue],
        .kind = w->kind,
        .payload_bytes = w->payload_bytes,
        .priority = w->priority,
        .max_attempts = w->max_attempts,
        .keep_ms = w->keep_ms,
        .time_to_run_ms = w->time_to_run_ms,
        .backoff_base_ms = w->backoff_base_ms,
        .backoff_cap_ms = w->backoff_cap_ms,
        .delay_ms = w->delay_ms,
        .expires_in_ms = w->expires_in_ms,
        .total_ms = w->total_ms,
        .needs = w->needs,
        .group = w->group,
        .batch = w->batch,
        .unique = w->unique,
        .unique_flags = w->unique_waiting ? STINT_UNIQUE_WAITING : 0,
        .unique_for_ms = w->unique_for_ms,
        .after = {ids, w->after.count, w->after.any ? STINT_AFTER_ANY : 0}};
}
