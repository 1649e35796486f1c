/* Keys whose end counts up: ids, and others that have a number last. */
#ifndef KEY_ORDER_H
#define KEY_ORDER_H

#include "bytes.h"
#include "pack.h"

/* The last 8 bytes of a key, or all of it, as a number. */
static inline uint64_t
key_tail(struct slice key)
{
    if (key.size >= 8)
        return get_be(key.data + key.size - 8, 8);
    uint64_t number = 0;
    for (size_t i = 0; i < key.size; i++)
        number = number << 8 | key.data[i];
    return number;
}

/* Is `key` the one right behind `before`, with nothing between them of their size? A carry out of
 * the tail would change the bytes before it, which have to be the same. */
static inline bool
key_follows(struct slice before, struct slice key)
{
    size_t tail = key.size < 8 ? key.size : 8;
    uint64_t number = key_tail(key);
    return key.size > 0 && before.size == key.size && number != 0 &&
        key_tail(before) == number - 1 && memcmp(before.data, key.data, key.size - tail) == 0;
}

#endif
