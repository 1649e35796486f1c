/* Unsigned numbers as bytes, at any address: big endian where rows are compared (keys, ids),
 * little endian in the record. A number has 2, 4 or 8 bytes. */
#ifndef BYTES_H
#define BYTES_H

#include <assert.h>
#include <endian.h>
#include <stdint.h>
#include <string.h>

static inline void
put_be(uint8_t *to, uint64_t value, unsigned bytes)
{
    assert(bytes == 2 || bytes == 4 || bytes == 8);
    value = htobe64(value << (64 - 8 * bytes));
    memcpy(to, &value, bytes);
}

static inline uint64_t
get_be(const uint8_t *from, unsigned bytes)
{
    assert(bytes == 2 || bytes == 4 || bytes == 8);
    uint64_t value = 0;
    memcpy(&value, from, bytes);
    return be64toh(value) >> (64 - 8 * bytes);
}

static inline void
put_le(uint8_t *to, uint64_t value, unsigned bytes)
{
    assert(bytes == 2 || bytes == 4 || bytes == 8);
    value = htole64(value);
    memcpy(to, &value, bytes);
}

static inline uint64_t
get_le(const uint8_t *from, unsigned bytes)
{
    assert(bytes == 2 || bytes == 4 || bytes == 8);
    uint64_t value = 0;
    memcpy(&value, from, bytes);
    return le64toh(value);
}

#endif
