/* msgpack, read with bounds checks from bytes that nobody vouches for, and written without
 * surprises. The reader never allocates and never trusts a declared count: an error is sticky, and
 * after one every read gives zero. Slices borrow from the frame. Not a msgpack library: it knows
 * what an envelope needs (maps, arrays, unsigned integers, strings, bytes, booleans).
 */
#ifndef PACK_H
#define PACK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct slice {
    const uint8_t *data;
    size_t size;
};

/* Copy a slice into a text of `size` bytes with a final NUL; what does not fit is cut. */
static inline void
slice_to_text(char *to, size_t size, struct slice from)
{
    size_t n = from.size < size - 1 ? from.size : size - 1;
    if (n > 0)
        memcpy(to, from.data, n);
    to[n] = '\0';
}

struct pack_reader {
    const uint8_t *at, *end;
    bool bad;
};

static inline struct pack_reader
pack_reader(const void *data, size_t size)
{
    const uint8_t *at = data;
    return (struct pack_reader){.at = at, .end = size ? at + size : at, .bad = false};
}

static inline size_t
pack_left(const struct pack_reader *r)
{
    return (size_t)(r->end - r->at);
}

/* Each of these reads one value of its type, or makes the reader bad and returns nothing. */
uint64_t pack_uint_slow(struct pack_reader *r);
uint32_t pack_map(struct pack_reader *r); /* pairs; at most half of the bytes left */
uint32_t pack_array(struct pack_reader *r); /* elements; at most the bytes left */
bool pack_bool(struct pack_reader *r);
struct slice pack_bytes(struct pack_reader *r); /* bin or str: languages differ in their default */
struct slice pack_text(struct pack_reader *r); /* str only */
void pack_skip(struct pack_reader *r); /* any value, nested up to LIMIT_DEPTH */
bool pack_is_bytes(const struct pack_reader *r); /* is the next value bin or str? */
bool pack_is_map(const struct pack_reader *r);

static inline uint64_t
pack_uint(struct pack_reader *r)
{
    if (r->at < r->end && *r->at < 0x80)
        return *r->at++;
    return pack_uint_slow(r);
}

/* The keys of a map must rise: that forbids duplicates and gives each message one form. `*last`
 * begins at -1. */
static inline uint64_t
pack_key(struct pack_reader *r, int64_t *last)
{
    uint64_t key = pack_uint(r);
    if ((int64_t)key <= *last || key > INT32_MAX)
        r->bad = true;
    *last = (int64_t)key;
    return key;
}

/* An unsigned integer of at most `max`; a larger one makes the reader bad. */
static inline uint64_t
pack_uint_max(struct pack_reader *r, uint64_t max)
{
    uint64_t value = pack_uint(r);
    if (value > max)
        r->bad = true;
    return r->bad ? 0 : value;
}

/* Is `size` bytes of `data` exactly one msgpack value, nested at most LIMIT_DEPTH deep? */
bool pack_check(const void *data, size_t size);

/* A buffer that grows; writing to it can't fail but by lack of memory, which ends the process:
 * callers bound what they write. */
struct pack_buffer {
    uint8_t *data;
    size_t used, size;
};

void pack_buffer_free(struct pack_buffer *b);
/* Nothing is in it any more; what a peak needed is not kept. */
void pack_buffer_empty(struct pack_buffer *b);
void pack_grow(struct pack_buffer *b, size_t more);

static inline uint8_t *
pack_reserve(struct pack_buffer *b, size_t more)
{
    if (b->size - b->used < more)
        pack_grow(b, more);
    uint8_t *at = b->data + b->used;
    b->used += more;
    return at;
}

void pack_put_uint(struct pack_buffer *b, uint64_t value);
void pack_put_map(struct pack_buffer *b, uint32_t pairs);
void pack_put_array(struct pack_buffer *b, uint32_t elements);
void pack_put_bool(struct pack_buffer *b, bool value);
void pack_put_bytes(struct pack_buffer *b, const void *data, size_t size);
void pack_put_text(struct pack_buffer *b, const void *data, size_t size);
void pack_put_string(struct pack_buffer *b, const char *text);

/* A header of fixed width whose count is filled in when it is known. Used where elements are
 * written as they are found; the only place where the encoding is not the shortest. */
size_t pack_open_array(struct pack_buffer *b);
void pack_close_array(struct pack_buffer *b, size_t at, uint32_t elements);

static inline void
pack_put_key_uint(struct pack_buffer *b, uint8_t key, uint64_t value)
{
    *pack_reserve(b, 1) = key;
    pack_put_uint(b, value);
}

#endif
