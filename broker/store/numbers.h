/* Numbers in as many bytes as they need: seven bits in each, the lowest first, and the eighth says
 * that another one follows.
 */
#ifndef NUMBERS_H
#define NUMBERS_H

#include <stdbool.h>
#include <stdint.h>

enum { NUMBER_BYTES_MAX = 10 };

/* Returns where it ends. */
static inline uint8_t *
number_write(uint8_t *at, uint64_t number)
{
    for (; number >= 0x80; number >>= 7)
        *at++ = (uint8_t)(number | 0x80);
    *at++ = (uint8_t)number;
    return at;
}

/* Moves `at` behind it. False if it does not end before `end`, or is too large. */
static inline bool
number_read(const uint8_t **at, const uint8_t *end, uint64_t *number)
{
    *number = 0;
    for (unsigned shift = 0; shift < 64 && *at < end; shift += 7) {
        uint8_t byte = *(*at)++;
        *number |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80)
            return shift < 63 || byte < 2;
    }
    return false;
}

/* Distances either way: near ones are small. */
static inline uint64_t
number_of_distance(uint64_t from, uint64_t to)
{
    uint64_t distance = to - from;
    return distance >> 63 ? ~distance << 1 | 1 : distance << 1;
}

static inline uint64_t
number_to_distance(uint64_t from, uint64_t number)
{
    return from + (number & 1 ? ~(number >> 1) : number >> 1);
}

#endif
