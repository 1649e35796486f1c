/* Unique keys; the contract is in unique.h. */
#include "unique.h"

enum { ENDS_A_STEP = 2048 };

static const struct slice nothing = {NULL, 0};

static bool
read_row(struct core *core, struct slice key, struct row_unique *row)
{
    struct slice value;
    return store_get(core->store, STORE_UNIQUE, key, &value) && row_unique_read(key, value, row);
}

static void
forget(struct core *core, const struct row_unique *row)
{
    uint8_t key[UNIQUE_KEY_BYTES_MAX], end[UNIQUE_END_BYTES_MAX];
    if (row->until_ms)
        store_del(core->store, STORE_UNIQUE_ENDS, unique_end(end, row));
    store_del(core->store, STORE_UNIQUE, unique_key(key, row->queue, row->unique));
}

static void
put(struct core *core, const struct row_unique *row)
{
    uint8_t key[UNIQUE_KEY_BYTES_MAX], end[UNIQUE_END_BYTES_MAX], value[ROW_UNIQUE_BYTES_MAX];
    store_put(core->store, STORE_UNIQUE, unique_key(key, row->queue, row->unique),
        row_unique_write(value, row), nothing);
    core->step.written_bytes += row->unique.size + sizeof value + ROW_OVERHEAD_BYTES;
    if (!row->until_ms)
        return;
    store_put(core->store, STORE_UNIQUE_ENDS, unique_end(end, row), nothing, nothing);
    core->step.written_bytes += sizeof end + ROW_OVERHEAD_BYTES;
    core->sweeps.unique_ms = earlier(core->sweeps.unique_ms, row->until_ms);
}

bool
unique_find(struct core *core, uint32_t queue, struct slice unique, struct row_unique *row)
{
    uint8_t key[UNIQUE_KEY_BYTES_MAX];
    if (!read_row(core, unique_key(key, queue, unique), row))
        return false;
    row->unique = unique; /* not the key that is gone when we return */
    if (!row->until_ms || row->until_ms > core->clocks.wall_ms)
        return true;
    forget(core, row);
    return false;
}

bool
unique_any(struct core *core, uint32_t queue)
{
    uint8_t from[QUEUE_KEY_BYTES];
    struct slice key, value, begin = queue_key(from, queue);
    return store_seek(core->store, STORE_UNIQUE, begin, &key, &value) && key.size > begin.size &&
        memcmp(key.data, begin.data, begin.size) == 0;
}

void
unique_hold(struct core *core, uint32_t queue, const struct stint_id *id, const struct record *r)
{
    const struct row_unique row = {.queue = queue, .unique = r->unique, .id = *id};
    struct row_unique before;
    assert(record_has(r, FIELD_UNIQUE));
    if (unique_find(core, queue, r->unique, &before) && before.until_ms)
        forget(core, &before);
    put(core, &row);
}

/* The row that says that the job holds its key; false if it does not, or has none. */
static bool
find_own(struct core *core, uint32_t queue, const struct stint_id *id, const struct record *r,
    struct row_unique *row)
{
    return record_has(r, FIELD_UNIQUE) && unique_find(core, queue, r->unique, row) &&
        id_compare(&row->id, id) == 0;
}

void
unique_leave(struct core *core, uint32_t queue, const struct stint_id *id, const struct record *r,
    enum stint_state to)
{
    struct row_unique row;
    uint64_t for_ms = record_get(r, FIELD_UNIQUE_FOR, 0);
    if (!find_own(core, queue, id, r, &row))
        return;
    if (to == STINT_SUCCEEDED && for_ms > 0) {
        row.until_ms = core->clocks.wall_ms + for_ms;
        put(core, &row);
    } else {
        forget(core, &row);
    }
}

void
unique_move(struct core *core, uint32_t from, uint32_t to, const struct stint_id *id,
    const struct record *r)
{
    struct row_unique row;
    if (from == to || !find_own(core, from, id, r, &row))
        return;
    forget(core, &row);
    unique_hold(core, to, id, r);
}

/* The first end there is. */
static bool
first_end(struct core *core, uint64_t *until_ms, struct slice *end, struct slice *of)
{
    struct slice value, from = {(const uint8_t *)"", 1};
    return store_seek(core->store, STORE_UNIQUE_ENDS, from, end, &value) &&
        unique_end_read(*end, until_ms, of);
}

void
unique_sweep(struct core *core)
{
    uint64_t until_ms;
    struct slice found, of;
    for (unsigned n = 0; n < ENDS_A_STEP; n++) {
        uint8_t end[UNIQUE_END_BYTES_MAX];
        struct row_unique row;
        core->sweeps.unique_ms = UINT64_MAX;
        if (!first_end(core, &until_ms, &found, &of))
            return;
        core->sweeps.unique_ms = until_ms;
        if (until_ms > core->clocks.wall_ms)
            return;
        memcpy(end, found.data, found.size);
        found.data = end;
        of.data = end + found.size - of.size;
        if (read_row(core, of, &row) && row.until_ms == until_ms)
            store_del(core->store, STORE_UNIQUE, of);
        store_del(core->store, STORE_UNIQUE_ENDS, found);
    }
}

void
unique_load(struct core *core)
{
    struct slice end, of;
    if (!first_end(core, &core->sweeps.unique_ms, &end, &of))
        core->sweeps.unique_ms = UINT64_MAX;
}
