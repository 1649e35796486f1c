/* What time brings to groups; the contract is in group_time.h. */
#include "group_time.h"

#include <utlist.h>

enum { DUE_A_STEP = 1024, WALKED_A_STEP = 1024 };

static bool
first_due(
    struct core *core, struct slice *found, uint64_t *due_ms, uint32_t *queue, struct slice *name)
{
    struct slice value, from = {(const uint8_t *)"", 1};
    return store_seek(core->store, STORE_GROUP_DUE, from, found, &value) &&
        group_due_read(*found, due_ms, queue, name);
}

uint64_t
group_due_in(const struct core *core)
{
    uint64_t due_ms = core->sweeps.groups.due_ms, now_ms = core->clocks.wall_ms;
    return due_ms > now_ms ? due_ms - now_ms : 0;
}

/* A queue that is gone leaves nothing of its groups behind. */
static void
look_at(struct core *core, uint32_t number, struct slice name)
{
    uint8_t key[GROUP_KEY_BYTES_MAX];
    struct queue *q = book_queue_by_number(&core->book, number);
    if (q)
        groups_look_at(core, q, name);
    else
        store_del(core->store, STORE_GROUPS, group_key(key, number, name));
}

void
group_due_step(struct core *core)
{
    uint64_t due_ms;
    uint32_t queue;
    struct slice found, name;
    for (unsigned n = 0; n < DUE_A_STEP; n++) {
        uint8_t at[GROUP_DUE_KEY_BYTES_MAX];
        core->sweeps.groups.due_ms = UINT64_MAX;
        if (!first_due(core, &found, &due_ms, &queue, &name))
            return;
        core->sweeps.groups.due_ms = due_ms;
        if (due_ms > core->clocks.wall_ms)
            return;
        memcpy(at, found.data, found.size);
        name.data = at + found.size - name.size;
        store_del(core->store, STORE_GROUP_DUE, (struct slice){at, found.size});
        look_at(core, queue, name);
    }
}

uint64_t
group_walk_in(const struct core *core)
{
    return core->sweeps.groups.walks ? 0 : UINT64_MAX;
}

static void
end_walk(struct core *core, struct queue_groups *q)
{
    LL_DELETE2(core->sweeps.groups.walks, q, next_walk);
    q->walks = false;
    groups_queue_changed(core, q);
}

/* The first group behind those that were looked at. */
static bool
next_group(struct core *core, const struct queue_groups *q, struct slice *name)
{
    static const uint8_t first = 1; /* behind all rows that are of no group */
    uint8_t from[GROUP_KEY_BYTES_MAX + 1];
    struct slice key, value, at = {&first, 1};
    enum group_row which;
    uint32_t queue;
    if (q->walked_bytes)
        at = (struct slice){q->walked, q->walked_bytes};
    size_t size = group_key(from, q->queue->number, at).size;
    from[size] = 0; /* the least key after that one */
    return store_seek(core->store, STORE_GROUPS, (struct slice){from, size + (q->walked_bytes > 0)},
               &key, &value) &&
        group_key_read(key, &which, &queue, name) && which == GROUP_ROW_GROUP &&
        queue == q->queue->number;
}

/* Those of this step that have no row yet were looked at when they came. */
void
group_walk_step(struct core *core)
{
    struct slice name;
    struct queue_groups *q = core->sweeps.groups.walks;
    for (unsigned n = 0; q && n < WALKED_A_STEP; n++) {
        if (!next_group(core, q, &name)) {
            end_walk(core, q);
            return;
        }
        memcpy(q->walked, name.data, name.size);
        q->walked_bytes = (uint8_t)name.size;
        groups_look_at(core, q->queue, (struct slice){q->walked, q->walked_bytes});
    }
}

/* ---- at start ---- */

static bool
load_level(struct core *core, struct level *level)
{
    uint8_t key[LEVEL_GROUPS_KEY_BYTES];
    struct level_groups *g = &level->groups;
    struct slice value, at = level_groups_key(key, level->queue->number, level->priority);
    if (!store_get(core->store, STORE_GROUPS, at, &value))
        return true;
    if (!row_level_groups_read(at, value, &g->ready, &g->standing))
        return false;
    g->ready = earlier(g->ready, level->jobs[STINT_READY]); /* a damaged one may be gone since */
    level->apart += g->ready;
    level->queue->apart += g->ready;
    level->queue->past.groups->standing += g->standing;
    return true;
}

/* What was kept apart, nobody remembers why. */
static void
unite_level(struct core *core, struct level *level)
{
    uint8_t at[GROUP_TURN_KEY_BYTES];
    struct slice found, value;
    struct stint_id key, from = book_id(&core->book, level, 0);
    uint64_t turn;
    while (store_seek(core->store, STORE_GROUP_TURNS, group_turn_key(at, &from, GROUP_TURN_APART),
               &found, &value) &&
        group_turn_key_read(found, &key, &turn) && id_same_level(&key, &from) &&
        turn == GROUP_TURN_APART) {
        groups_clear_apart(core, level, &key);
        from = id_plus(key, 1);
    }
}

static bool
load_queue(struct core *core, struct queue *q)
{
    uint8_t key[QUEUE_GROUPS_KEY_BYTES];
    struct row_queue_groups row;
    struct slice value, at = queue_groups_key(key, q->number);
    if (!store_get(core->store, STORE_GROUPS, at, &value))
        return true;
    if (!row_queue_groups_read(at, value, &row))
        return false;
    struct queue_groups *g = groups_of_queue(core, q);
    g->turn = row.turn;
    g->others = row.others;
    for (uint32_t i = 0; i < q->levels_count; i++)
        if (!load_level(core, q->levels[i]))
            return false;
    for (uint32_t i = 0; i < q->levels_count; i++)
        unite_level(core, q->levels[i]);
    if (row.walks)
        groups_were_set(core, q);
    return true;
}

bool
group_load(struct core *core)
{
    uint64_t due_ms;
    uint32_t queue;
    struct slice found, value, name, from = {(const uint8_t *)"", 1};
    bool good = true;
    core->sweeps.groups.due_ms = UINT64_MAX;
    if (first_due(core, &found, &due_ms, &queue, &name))
        core->sweeps.groups.due_ms = due_ms;
    if (!store_seek(core->store, STORE_GROUPS, from, &found, &value))
        return true; /* there never was one */
    for (struct queue *q = core->book.by_name; q && good; q = q->hh.next)
        good = load_queue(core, q);
    groups_flush(core);
    return good;
}
