/* uthash with a hash that suits the core's keys: ids (16 bytes, the second word a dense number),
 * sessions (16 random bytes) and names (padded to 64 bytes with zeros). Include it instead of
 * uthash.h in the core; key sizes must be multiples of 8.
 */
#ifndef IDS_H
#define IDS_H

#include "id.h"

static inline unsigned
id_hash(const void *key, size_t size)
{
    uint64_t h = 0;
    for (size_t i = 0; i < size; i += 8) {
        uint64_t word;
        memcpy(&word, (const uint8_t *)key + i, 8);
        h ^= word;
        h ^= h >> 32; /* ids differ in their last bytes, the high ones of a word */
        h *= 0x9e3779b97f4a7c15U;
        h ^= h >> 32;
    }
    return (unsigned)h;
}

#define HASH_FUNCTION(key, size, hash) ((hash) = id_hash((key), (size)))
#define HASH_KEYCMP(a, b, size) memcmp(a, b, size)
#define uthash_fatal(text) abort()
#include <stdlib.h>
#include <uthash.h>

#endif
