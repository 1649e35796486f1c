/* What is known of groups, and what is to be written of it; the contract is in group_book.h. */
#include "group_book.h"

#include <utlist.h>

/* What ids.h has is for keys of which no two fall into the same chain. Names do: the table would
 * grow each time when the third comes to one, far beyond what it holds. */
#undef HASH_BKT_CAPACITY_THRESH
#define HASH_BKT_CAPACITY_THRESH 10U

enum {
    KEPT = 16384, /* groups in memory at the end of a step */
    BURST_MS = 1000,
};

static const struct slice nothing = {NULL, 0};

/* ---- what is known, and what is to be written of it ---- */

void
group_mark(struct core *core, struct group *g)
{
    if (g->changed)
        return;
    g->changed = true;
    LL_PREPEND2(core->sweeps.groups.changed, g, next_changed);
}

void
groups_queue_changed(struct core *core, struct queue_groups *q)
{
    if (q->changed)
        return;
    q->changed = true;
    LL_PREPEND2(core->sweeps.groups.queues, q, next_changed);
}

void
group_mark_level(struct core *core, struct level *level)
{
    if (level->groups.changed)
        return;
    level->groups.changed = true;
    LL_PREPEND2(core->sweeps.groups.levels, level, groups.next_changed);
}

struct queue_groups *
groups_of_queue(struct core *core, struct queue *q)
{
    if (q->past.groups)
        return q->past.groups;
    q->past.groups = calloc(1, sizeof *q->past.groups);
    if (!q->past.groups)
        abort();
    q->past.groups->queue = q;
    groups_queue_changed(core, q->past.groups);
    return q->past.groups;
}

uint32_t
groups_weight(struct core *core, const struct queue *q, struct slice name)
{
    uint8_t key[GROUP_WEIGHT_KEY_BYTES_MAX];
    struct slice value, at = group_weight_key(key, q->number, name);
    uint32_t weight;
    if (q->set.group_weights && store_get(core->store, STORE_GROUPS, at, &value) &&
        row_group_weight_read(at, value, &weight))
        return weight;
    return 1;
}

static void
read_row(struct core *core, struct group *g)
{
    uint8_t key[GROUP_KEY_BYTES_MAX];
    struct slice value, at = group_key(key, g->queue->number, group_name(g));
    if (!store_get(core->store, STORE_GROUPS, at, &value))
        return;
    g->stored = true;
    if (row_group_read(at, value, &g->row))
        return;
    g->row = (struct row_group){0};
    core_say(core, NOTE_ERROR, "the row of a group is damaged; --verify",
        NOTE_TEXT("queue", g->queue->name));
}

/* Never the size of an id: that is hashed as one. */
static size_t
key_bytes(struct slice name)
{
    size_t size = (name.size + 7) / 8 * 8;
    return GROUP_KEY_HEAD + (size > 16 ? size : 16);
}

static struct group *
find(struct core *core, const struct queue *q, struct slice name,
    uint8_t key[GROUP_KEY_HEAD + GROUP_NAME_ROOM])
{
    struct group *g = NULL;
    size_t size = key_bytes(name);
    assert(name.size > 0 && name.size <= LIMIT_GROUP_BYTES);
    put_be(key, (uint64_t)q->number << 32 | name.size, GROUP_KEY_HEAD);
    memset(key + GROUP_KEY_HEAD, 0, size - GROUP_KEY_HEAD);
    memcpy(key + GROUP_KEY_HEAD, name.data, name.size);
    if (core->sweeps.groups.all)
        HASH_FIND(hh, core->sweeps.groups.all, key, size, g);
    return g;
}

/* A group that is not there yet has nothing, and all its tokens. */
struct group *
group_get(struct core *core, struct queue *q, struct slice name)
{
    uint8_t key[GROUP_KEY_HEAD + GROUP_NAME_ROOM];
    struct group *g = core->sweeps.groups.recent;
    if (g && g->queue == q && g->name_bytes == name.size &&
        memcmp(g->key + GROUP_KEY_HEAD, name.data, name.size) == 0)
        return g;
    size_t size = key_bytes(name);
    g = core->sweeps.groups.recent = find(core, q, name, key);
    if (g)
        return g;
    g = calloc(1, sizeof *g);
    if (!g)
        abort();
    g->queue = q;
    g->name_bytes = (uint8_t)name.size;
    memcpy(g->key, key, size);
    read_row(core, g);
    g->weight = groups_weight(core, q, group_name(g));
    HASH_ADD(hh, core->sweeps.groups.all, key, size, g);
    core->sweeps.groups.recent = g;
    return g;
}

bool
groups_get(struct core *core, const struct queue *q, struct slice name, struct row_group *row)
{
    uint8_t key[GROUP_KEY_HEAD + GROUP_NAME_ROOM], at[GROUP_KEY_BYTES_MAX];
    const struct group *g = find(core, q, name, key);
    struct slice value, row_key = group_key(at, q->number, name);
    if (g)
        *row = g->row;
    return g ||
        (store_get(core->store, STORE_GROUPS, row_key, &value) &&
            row_group_read(row_key, value, row));
}

/* ---- limits ---- */

static uint64_t
bucket_size(const struct queue *q)
{
    return later(q->set.group_rate * BURST_MS, GROUP_TOKEN);
}

/* What it has of tokens by now. */
static uint64_t
tokens_now(const struct core *core, const struct group *g)
{
    uint64_t size = bucket_size(g->queue);
    uint64_t passed_ms = core->clocks.wall_ms - earlier(g->row.filled_ms, core->clocks.wall_ms);
    uint64_t tokens = earlier(g->row.tokens, size);
    if (g->row.filled_ms == 0 || passed_ms >= (size - tokens) / g->queue->set.group_rate + 1)
        return size;
    return earlier(tokens + passed_ms * g->queue->set.group_rate, size);
}

/* In how many ms it has so many. */
uint64_t
group_until_tokens(const struct core *core, const struct group *g, uint64_t wanted)
{
    uint64_t rate = g->queue->set.group_rate, tokens = rate ? tokens_now(core, g) : wanted;
    return tokens >= wanted ? 0 : (wanted - tokens + rate - 1) / rate;
}

void
group_use_token(const struct core *core, struct group *g)
{
    if (!g->queue->set.group_rate)
        return;
    uint64_t tokens = tokens_now(core, g);
    g->row.tokens = tokens - earlier(tokens, GROUP_TOKEN);
    g->row.filled_ms = core->clocks.wall_ms;
}

/* It is to be looked at then. A row that comes earlier does as well: it puts another one. */
void
group_set_due(struct core *core, struct group *g, uint64_t due_ms)
{
    uint8_t key[GROUP_DUE_KEY_BYTES_MAX];
    if (g->row.due_ms && g->row.due_ms <= due_ms)
        return;
    if (g->row.due_ms)
        store_del(core->store, STORE_GROUP_DUE,
            group_due_key(key, g->row.due_ms, g->queue->number, group_name(g)));
    g->row.due_ms = due_ms;
    store_put(core->store, STORE_GROUP_DUE,
        group_due_key(key, due_ms, g->queue->number, group_name(g)), nothing, nothing);
    core->step.written_bytes += g->name_bytes + ROW_OVERHEAD_BYTES;
    core->sweeps.groups.due_ms = earlier(core->sweeps.groups.due_ms, due_ms);
}

/* ---- settings ---- */

static void
forget_all(struct core *core)
{
    struct group *g, *next;
    core->sweeps.groups.recent = NULL;
    HASH_ITER (hh, core->sweeps.groups.all, g, next) {
        HASH_DEL(core->sweeps.groups.all, g);
        free(g);
    }
}

/* ---- the end of a step ---- */

/* Where there is a rate, a group that has no jobs is remembered until its bucket is full: or who
 * submits one job after the other would have a full one each time. */
static bool
is_over(struct core *core, struct group *g)
{
    if (g->row.ready > 0 || g->row.out > 0)
        return false;
    uint64_t wait_ms =
        g->queue->set.group_rate ? group_until_tokens(core, g, bucket_size(g->queue)) : 0;
    if (wait_ms == 0)
        return true;
    group_set_due(core, g, core->clocks.wall_ms + wait_ms);
    return false;
}

static void
flush_group(struct core *core, struct group *g)
{
    uint8_t key[GROUP_KEY_BYTES_MAX], row[ROW_GROUP_BYTES_MAX], due[GROUP_DUE_KEY_BYTES_MAX];
    struct slice at = group_key(key, g->queue->number, group_name(g));
    g->changed = false;
    if (!is_over(core, g)) {
        struct slice value = row_group_write(row, at, &g->row);
        store_put(core->store, STORE_GROUPS, at, value, nothing);
        core->step.written_bytes += g->stored ? 0 : value.size + ROW_OVERHEAD_BYTES;
        g->stored = true;
        return;
    }
    if (g->row.due_ms)
        store_del(core->store, STORE_GROUP_DUE,
            group_due_key(due, g->row.due_ms, g->queue->number, group_name(g)));
    if (g->stored)
        store_del(core->store, STORE_GROUPS, at);
    g->row = (struct row_group){0}; /* it stays in memory: it may have another job in a moment */
    g->stored = false;
}

static void
flush_level(struct core *core, struct level *level)
{
    uint8_t key[LEVEL_GROUPS_KEY_BYTES], row[ROW_LEVEL_GROUPS_BYTES_MAX];
    struct slice at = level_groups_key(key, level->queue->number, level->priority);
    level->groups.changed = false;
    turns_write(core, level);
    store_put(core->store, STORE_GROUPS, at,
        row_level_groups_write(row, at, level->groups.ready, level->groups.standing), nothing);
}

static void
flush_queue(struct core *core, struct queue_groups *q)
{
    uint8_t key[QUEUE_GROUPS_KEY_BYTES], row[ROW_QUEUE_GROUPS_BYTES_MAX];
    const struct row_queue_groups words = {q->turn, q->others, q->walks};
    struct slice at = queue_groups_key(key, q->queue->number);
    q->changed = false;
    store_put(core->store, STORE_GROUPS, at, row_queue_groups_write(row, at, &words), nothing);
}

void
groups_flush(struct core *core)
{
    struct groups *all = &core->sweeps.groups;
    for (struct group *g = all->changed; g; g = g->next_changed)
        flush_group(core, g);
    for (struct level *l = all->levels; l; l = l->groups.next_changed)
        flush_level(core, l);
    for (struct queue_groups *q = all->queues; q; q = q->next_changed)
        flush_queue(core, q);
    all->changed = NULL;
    all->levels = NULL;
    all->queues = NULL;
    if (HASH_COUNT(all->all) > KEPT)
        forget_all(core);
}

void
groups_were_set(struct core *core, struct queue *queue)
{
    struct queue_groups *q = groups_of_queue(core, queue);
    groups_flush(core);
    forget_all(core); /* weights are read with them */
    if (!q->walks)
        LL_PREPEND2(core->sweeps.groups.walks, q, next_walk);
    q->walks = true;
    q->walked_bytes = 0;
    groups_queue_changed(core, q);
}

bool
groups_set_weight(struct core *core, const struct queue *q, struct slice name, uint32_t weight)
{
    uint8_t key[GROUP_WEIGHT_KEY_BYTES_MAX], row[ROW_GROUP_WEIGHT_BYTES_MAX];
    struct slice before, at = group_weight_key(key, q->number, name);
    bool had = store_get(core->store, STORE_GROUPS, at, &before);
    if (weight > 1)
        store_put(core->store, STORE_GROUPS, at, row_group_weight_write(row, at, weight), nothing);
    else
        store_del(core->store, STORE_GROUPS, at);
    core->step.written_bytes += sizeof row + ROW_OVERHEAD_BYTES;
    return had;
}

void
groups_end_queue(struct core *core, struct queue *queue)
{
    uint8_t from[QUEUE_GROUPS_KEY_BYTES];
    struct queue_groups *q = queue->past.groups;
    struct slice key, value, name, begin = queue_groups_key(from, queue->number);
    enum group_row which;
    uint32_t number;
    if (!q)
        return;
    groups_flush(core);
    forget_all(core);
    while (store_seek(core->store, STORE_GROUPS, begin, &key, &value) &&
        group_key_read(key, &which, &number, &name) && number == queue->number &&
        which != GROUP_ROW_GROUP) {
        uint8_t at[GROUP_WEIGHT_KEY_BYTES_MAX];
        memcpy(at, key.data, key.size);
        store_del(core->store, STORE_GROUPS, (struct slice){at, key.size});
    }
    if (q->walks)
        LL_DELETE2(core->sweeps.groups.walks, q, next_walk);
    free(q);
    queue->past.groups = NULL;
}

void
groups_fini(struct core *core)
{
    forget_all(core);
}
