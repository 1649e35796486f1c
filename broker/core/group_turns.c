/* Turns of this step; the contract is in group_turns.h. What stands no more stays in the heap until
 * it comes to its top.
 */
#include "group_turns.h"

static bool
is_before(const struct fresh_turn *a, const struct fresh_turn *b)
{
    return a->turn < b->turn || (a->turn == b->turn && a->sequence < b->sequence);
}

/* Or does another one of the group, maybe of the same number in another level? */
static bool
still_stands(const struct level *level, const struct fresh_turn *t)
{
    const struct group *g = t->group;
    return g->fresh && g->row.stands == t->sequence && g->row.turn == t->turn &&
        g->row.priority == level->priority;
}

void
turns_add(struct level *level, struct group *g)
{
    struct fresh_turns *all = &level->groups.fresh;
    const struct fresh_turn new = {g->row.turn, g->row.stands, g};
    if (all->count == all->size) {
        all->size = all->size ? 2 * all->size : 64;
        all->heap = realloc(all->heap, all->size * sizeof *all->heap);
        if (!all->heap)
            abort();
    }
    uint32_t at = all->count++;
    for (; at > 0 && is_before(&new, &all->heap[(at - 1) / 2]); at = (at - 1) / 2)
        all->heap[at] = all->heap[(at - 1) / 2];
    all->heap[at] = new;
    all->standing++;
    g->fresh = true;
}

bool
turns_remove(struct level *level, struct group *g)
{
    bool fresh = g->fresh;
    assert(!fresh || level->groups.fresh.standing > 0);
    level->groups.fresh.standing -= fresh;
    g->fresh = false;
    return fresh;
}

static void
drop_first(struct fresh_turns *all)
{
    const struct fresh_turn last = all->heap[--all->count];
    uint32_t at = 0, child;
    for (; (child = 2 * at + 1) < all->count; at = child) {
        child += child + 1 < all->count && is_before(&all->heap[child + 1], &all->heap[child]);
        if (!is_before(&all->heap[child], &last))
            break;
        all->heap[at] = all->heap[child];
    }
    all->heap[at] = last;
}

const struct group *
turns_first(struct level *level)
{
    struct fresh_turns *all = &level->groups.fresh;
    while (all->count > 0 && !still_stands(level, &all->heap[0]))
        drop_first(all);
    return all->count > 0 ? all->heap[0].group : NULL;
}

void
turns_put(struct core *core, const struct stint_id *key, uint64_t turn, struct slice name)
{
    uint8_t at[GROUP_TURN_KEY_BYTES], row[ROW_GROUP_TURN_BYTES_MAX];
    struct slice turn_key = group_turn_key(at, key, turn), nothing = {NULL, 0};
    store_put(core->store, STORE_GROUP_TURNS, turn_key, row_group_turn_write(row, turn_key, name),
        nothing);
    core->step.written_bytes += name.size + ROW_OVERHEAD_BYTES;
}

void
turns_write(struct core *core, struct level *level)
{
    struct fresh_turns *all = &level->groups.fresh;
    for (uint32_t i = 0; i < all->count; i++) {
        const struct fresh_turn *t = &all->heap[i];
        if (!still_stands(level, t))
            continue;
        struct stint_id key = book_id(&core->book, level, t->sequence);
        turns_put(core, &key, t->turn, group_name(t->group));
        t->group->fresh = false;
    }
    all->count = all->standing = 0;
}
