/* uthash with a hash that suits the core's keys: ids and sessions (16 bytes) and names (padded to
 * 64 bytes with zeros). Include it instead of uthash.h in the core; key sizes must be multiples
 * of 8.
 *
 * Jobs come and go in the order of their sequences, so neighbours stand side by side in the table:
 * the next one is in memory that was just looked at. A table of blocks has every 256th id.
 */
#ifndef IDS_H
#define IDS_H

#include "id.h"

static inline uint64_t
id_hash_word(uint64_t h, uint64_t word)
{
    h ^= word;
    h ^= h >> 32; /* ids differ in their last bytes, the high ones of a word */
    h *= 0x9e3779b97f4a7c15U;
    return h ^ h >> 32;
}

/* Names are peers' to choose, who could choose such as all have one hash: so it begins with what
 * they can't know, drawn when the program starts (ids.c). Nothing goes by the order of a
 * table. */
extern uint64_t ids_seed;

static inline unsigned
id_hash(const void *key, size_t size)
{
    uint64_t h = ids_seed;
    if (size == STINT_ID_BYTES) {
        uint64_t level, sequence = get_be((const uint8_t *)key + 8, 8);
        memcpy(&level, key, 8);
        return (unsigned)(id_hash_word(0, level) + sequence + (sequence >> 8));
    }
    for (size_t i = 0; i < size; i += 8) {
        uint64_t word;
        memcpy(&word, (const uint8_t *)key + i, 8);
        h = id_hash_word(h, word);
    }
    return (unsigned)h;
}

#define HASH_FUNCTION(key, size, hash) ((hash) = id_hash((key), (size)))
#define HASH_KEYCMP(a, b, size) memcmp(a, b, size)
#define uthash_fatal(text) abort()
#include <stdlib.h>
#include <uthash.h>

/* uthash lets chains grow to 10 before it makes its table larger, and puts what is new before what
 * is old. What ends is old: it would be found behind all others, each of them somewhere else in
 * memory. */
#undef HASH_BKT_CAPACITY_THRESH
#define HASH_BKT_CAPACITY_THRESH 2U

#endif
