/* Rows of jobs that wait for others; the contract is in links.h. */
#include "links.h"

static const struct slice nothing = {NULL, 0};

static void
put_parents(struct core *core, const struct stint_id *id, const struct stint_id *parents,
    uint32_t number, uint32_t count)
{
    uint8_t key[PARENTS_KEY_BYTES], bytes[ROW_PARENTS_BYTES_MAX];
    struct slice at = parents_key(key, id, number);
    struct slice row = row_parents_write(bytes, at, parents, count);
    store_put(core->store, STORE_PARENTS, at, row, nothing);
    core->step.written_bytes += row.size + ROW_OVERHEAD_BYTES;
}

void
links_add(
    struct core *core, const struct stint_id *id, const struct stint_id *parents, uint32_t count)
{
    assert(count > 0 && count <= LIMIT_AFTER);
    for (uint32_t i = 0; i < count; i += PARENTS_A_ROW)
        put_parents(
            core, id, parents + i, i / PARENTS_A_ROW, (uint32_t)earlier(PARENTS_A_ROW, count - i));
}

void
links_follow(struct core *core, const struct stint_id *parent, const struct stint_id *id)
{
    uint8_t key[FOLLOWER_KEY_BYTES];
    store_put(core->store, STORE_FOLLOWERS, follower_key(key, parent, id), nothing, nothing);
    core->step.written_bytes += ROW_OVERHEAD_BYTES;
}

/* One row of its parents. */
static bool
read_parents(
    struct store *store, const struct stint_id *id, uint32_t number, bool *there, struct slice *ids)
{
    uint8_t bytes[PARENTS_KEY_BYTES];
    struct slice key = parents_key(bytes, id, number), value;
    *there = store_get(store, STORE_PARENTS, key, &value);
    return *there && row_parents_read(key, value, ids);
}

bool
links_parents(struct store *store, const struct stint_id *id, struct pack_buffer *ids)
{
    const size_t full = PARENTS_A_ROW * STINT_ID_BYTES;
    bool there = true, whole = true;
    for (uint32_t number = 0; there; number++) {
        struct slice row = {NULL, 0};
        if (read_parents(store, id, number, &there, &row)) {
            memcpy(pack_reserve(ids, row.size), row.data, row.size);
            there = row.size == full; /* or it is the last one */
        } else {
            whole &= !there && number > 0;
        }
    }
    return whole;
}

void
links_cut(struct core *core, const struct stint_id *id)
{
    struct pack_buffer *ids = &core->scratch.parents;
    uint8_t key[FOLLOWER_KEY_BYTES];
    ids->used = 0;
    (void)links_parents(core->store, id, ids);
    for (size_t at = 0; at < ids->used; at += STINT_ID_BYTES) {
        struct stint_id parent;
        memcpy(parent.bytes, ids->data + at, STINT_ID_BYTES);
        store_del(core->store, STORE_FOLLOWERS, follower_key(key, &parent, id));
    }
}

void
links_forget(struct core *core, const struct stint_id *id)
{
    uint8_t key[PARENTS_KEY_BYTES];
    for (uint32_t n = 0; store_del(core->store, STORE_PARENTS, parents_key(key, id, n)); n++)
        continue;
}

static void
put_ended(struct core *core, const struct linked_end *e)
{
    uint8_t bytes[ROW_ENDED_BYTES_MAX];
    store_put(core->store, STORE_ENDED, id_key(&e->id), row_ended_write(bytes, &e->id, e->state),
        nothing);
    core->step.written_bytes += sizeof bytes + ROW_OVERHEAD_BYTES;
    core->sweeps.links.rows = true;
}

void
links_ended(struct core *core, const struct stint_id *id, enum stint_state state)
{
    struct links *l = &core->sweeps.links;
    const struct linked_end e = {.id = *id, .state = state};
    assert(stint_state_settled(state));
    if (l->count < LINKED_ENDS)
        l->ends[l->count++] = e;
    else
        put_ended(core, &e);
}

void
links_end_step(struct core *core)
{
    struct links *l = &core->sweeps.links;
    for (; l->first < l->count; l->first++)
        put_ended(core, &l->ends[l->first]);
    l->first = l->count = 0;
}

bool
links_are_told(struct core *core, const struct stint_id *id)
{
    struct slice value;
    for (uint32_t i = core->sweeps.links.first; i < core->sweeps.links.count; i++)
        if (id_compare(&core->sweeps.links.ends[i].id, id) == 0)
            return true;
    return store_get(core->store, STORE_ENDED, id_key(id), &value);
}

/* The first of those that wait for it. */
static bool
first_follower(struct core *core, const struct stint_id *id, struct stint_id *follower)
{
    uint8_t from[FOLLOWER_KEY_BYTES];
    static const struct stint_id least;
    struct slice key, value;
    if (!store_seek(core->store, STORE_FOLLOWERS, follower_key(from, id, &least), &key, &value) ||
        key.size != FOLLOWER_KEY_BYTES || memcmp(key.data, id->bytes, STINT_ID_BYTES) != 0)
        return false;
    memcpy(follower->bytes, key.data + STINT_ID_BYTES, STINT_ID_BYTES);
    return true;
}

void
links_set_aside(struct core *core, const struct stint_id *id)
{
    struct stint_id follower;
    if (first_follower(core, id, &follower) && !links_are_told(core, id))
        links_ended(core, id, STINT_DEAD);
    links_cut(core, id);
    links_forget(core, id);
}

static bool
next_row(struct core *core, struct linked_end *ended)
{
    struct slice key, value, from = {(const uint8_t *)"", 1};
    ended->stored = true;
    while (store_seek(core->store, STORE_ENDED, from, &key, &value)) {
        uint8_t at[ROW_KEY_BYTES_MAX];
        if (row_ended_read(key, value, &ended->id, &ended->state))
            return true;
        if (key.size == STINT_ID_BYTES) { /* how is not known: then it was not well */
            memcpy(ended->id.bytes, key.data, STINT_ID_BYTES);
            ended->state = STINT_DEAD;
            return true;
        }
        if (key.size > sizeof at)
            break;
        memcpy(at, key.data, key.size);
        store_del(core->store, STORE_ENDED, (struct slice){at, key.size});
    }
    core->sweeps.links.rows = false;
    return false;
}

bool
links_next_ended(struct core *core, struct linked_end *ended)
{
    struct links *l = &core->sweeps.links;
    if (l->rows && next_row(core, ended))
        return true;
    if (l->first == l->count)
        return false;
    *ended = l->ends[l->first];
    return true;
}

bool
links_take_follower(struct core *core, const struct linked_end *ended, struct stint_id *follower)
{
    struct links *l = &core->sweeps.links;
    uint8_t key[FOLLOWER_KEY_BYTES];
    if (first_follower(core, &ended->id, follower)) {
        store_del(core->store, STORE_FOLLOWERS, follower_key(key, &ended->id, follower));
        return true;
    }
    if (ended->stored)
        store_del(core->store, STORE_ENDED, id_key(&ended->id));
    else
        l->first++;
    return false;
}

void
links_load(struct core *core)
{
    struct slice key, value, from = {(const uint8_t *)"", 1};
    core->sweeps.links.rows = store_seek(core->store, STORE_ENDED, from, &key, &value);
}
