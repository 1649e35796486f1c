/* A job as it lies in a store; the contract is in stored.h. */
#include "stored.h"
#include "rows.h"

bool
stored_running(struct store *s, const struct stint_id *id)
{
    struct stint_id first = *id;
    struct slice key = {first.bytes, STINT_ID_BYTES}, value;
    struct row_transit row;
    unsigned bit = (unsigned)(id_sequence(id) % BLOCK_JOBS);
    id_set_sequence(&first, id_sequence(id) - bit);
    return store_get(s, STORE_TRANSIT, key, &value) && row_transit_read(key, value, &row) &&
        (row.bits[bit / 64] >> bit % 64 & 1) != 0;
}

bool
stored_find(struct store *s, const struct stint_id *id, struct record *r)
{
    static const enum store_table tables[] = {STORE_LIVE, STORE_PARKED, STORE_SETTLED};
    struct slice key = {id->bytes, STINT_ID_BYTES}, value;
    for (unsigned t = 0; t < sizeof tables / sizeof *tables; t++) {
        if (!store_get(s, tables[t], key, &value))
            continue;
        if (!record_decode(r, id, value))
            return false;
        if (tables[t] == STORE_LIVE && stored_running(s, id)) {
            r->state = STINT_RUNNING;
            r->attempt++;
        }
        return true;
    }
    return false;
}
