/* How the broker's rows are laid out. Numbers in them are big endian, so that keys are in order.
 */
#ifndef ROWS_H
#define ROWS_H

#include "id.h"
#include "pack.h"

/* STORE_DUE and STORE_EXPIRY: a time, and an id. The rows are empty. */
enum { TIME_KEY_BYTES = 8 + STINT_ID_BYTES };

static inline struct slice
time_key(uint8_t key[TIME_KEY_BYTES], uint64_t time, const struct stint_id *id)
{
    put_be(key, time, 8);
    memcpy(key + 8, id->bytes, STINT_ID_BYTES);
    return (struct slice){key, TIME_KEY_BYTES};
}

/* False if it is none. */
static inline bool
time_key_read(struct slice key, uint64_t *time, struct stint_id *id)
{
    if (key.size != TIME_KEY_BYTES)
        return false;
    *time = get_be(key.data, 8);
    memcpy(id->bytes, key.data + 8, STINT_ID_BYTES);
    return true;
}

#endif
