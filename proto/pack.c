/* msgpack reading and writing; the contract is in pack.h. */
#include "pack.h"
#include "limit.h"

#include <stdlib.h>

static uint64_t
big_endian(const uint8_t *p, unsigned bytes)
{
    uint64_t value = 0;
    for (unsigned i = 0; i < bytes; i++)
        value = value << 8 | p[i];
    return value;
}

/* Takes `bytes` bytes, or makes the reader bad and returns NULL. */
static const uint8_t *
take(struct pack_reader *r, size_t bytes)
{
    if (r->bad || pack_left(r) < bytes) {
        r->bad = true;
        return NULL;
    }
    const uint8_t *at = r->at;
    r->at += bytes;
    return at;
}

static uint64_t
take_number(struct pack_reader *r, unsigned bytes)
{
    const uint8_t *p = take(r, bytes);
    return p ? big_endian(p, bytes) : 0;
}

static int
take_tag(struct pack_reader *r)
{
    const uint8_t *p = take(r, 1);
    return p ? *p : -1;
}

static uint64_t
fail(struct pack_reader *r)
{
    r->bad = true;
    return 0;
}

uint64_t
pack_uint_slow(struct pack_reader *r)
{
    int tag = take_tag(r);
    if (tag >= 0 && tag < 0x80)
        return (uint64_t)tag;
    if (tag >= 0xcc && tag <= 0xcf)
        return take_number(r, 1U << (tag - 0xcc));
    return fail(r);
}

/* A count is believed only as far as bytes are left to hold that many values. */
static uint32_t
believe(struct pack_reader *r, uint64_t count, unsigned bytes_each)
{
    if (count > pack_left(r) / bytes_each)
        return (uint32_t)fail(r);
    return r->bad ? 0 : (uint32_t)count;
}

uint32_t
pack_map(struct pack_reader *r)
{
    int tag = take_tag(r);
    if ((tag & 0xf0) == 0x80)
        return believe(r, (uint64_t)tag & 0x0f, 2);
    if (tag == 0xde || tag == 0xdf)
        return believe(r, take_number(r, tag == 0xde ? 2 : 4), 2);
    return (uint32_t)fail(r);
}

uint32_t
pack_array(struct pack_reader *r)
{
    int tag = take_tag(r);
    if (tag >= 0 && (tag & 0xf0) == 0x90)
        return believe(r, (uint64_t)tag & 0x0f, 1);
    if (tag == 0xdc || tag == 0xdd)
        return believe(r, take_number(r, tag == 0xdc ? 2 : 4), 1);
    return (uint32_t)fail(r);
}

bool
pack_bool(struct pack_reader *r)
{
    int tag = take_tag(r);
    if (tag != 0xc2 && tag != 0xc3)
        fail(r);
    return tag == 0xc3;
}

static struct slice
take_slice(struct pack_reader *r, uint64_t size)
{
    const uint8_t *data = take(r, size);
    return (struct slice){data, data ? (size_t)size : 0};
}

static bool
is_text_tag(int tag)
{
    return (tag & 0xe0) == 0xa0 || (tag >= 0xd9 && tag <= 0xdb);
}

static struct slice
text_after(struct pack_reader *r, int tag)
{
    if ((tag & 0xe0) == 0xa0)
        return take_slice(r, (uint64_t)tag & 0x1f);
    return take_slice(r, take_number(r, 1U << (tag - 0xd9)));
}

struct slice
pack_text(struct pack_reader *r)
{
    int tag = take_tag(r);
    if (tag >= 0 && is_text_tag(tag))
        return text_after(r, tag);
    fail(r);
    return (struct slice){NULL, 0};
}

struct slice
pack_bytes(struct pack_reader *r)
{
    int tag = take_tag(r);
    if (tag >= 0xc4 && tag <= 0xc6)
        return take_slice(r, take_number(r, 1U << (tag - 0xc4)));
    if (tag >= 0 && is_text_tag(tag))
        return text_after(r, tag);
    fail(r);
    return (struct slice){NULL, 0};
}

bool
pack_is_bytes(const struct pack_reader *r)
{
    return !r->bad && r->at < r->end && ((*r->at >= 0xc4 && *r->at <= 0xc6) || is_text_tag(*r->at));
}

bool
pack_is_map(const struct pack_reader *r)
{
    return !r->bad && r->at < r->end &&
        ((*r->at & 0xf0) == 0x80 || *r->at == 0xde || *r->at == 0xdf);
}

/* Skips a scalar, or the header of a container; returns how many values are inside it. */
static uint64_t
skip_head(struct pack_reader *r)
{
    if (r->bad || r->at == r->end)
        return fail(r);
    uint8_t tag = *r->at;
    if (pack_is_map(r))
        return 2 * (uint64_t)pack_map(r);
    if ((tag & 0xf0) == 0x90 || tag == 0xdc || tag == 0xdd)
        return pack_array(r);
    if (pack_is_bytes(r)) {
        pack_bytes(r);
        return 0;
    }
    r->at++;
    if (tag < 0x80 || tag >= 0xe0 || tag == 0xc0 || tag == 0xc2 || tag == 0xc3)
        return 0;
    if (tag >= 0xc7 && tag <= 0xc9) { /* ext: size, type, data */
        uint64_t size = take_number(r, 1U << (tag - 0xc7));
        take(r, 1);
        take(r, size);
    } else if (tag == 0xca || tag == 0xcb)
        take(r, tag == 0xca ? 4 : 8);
    else if (tag >= 0xcc && tag <= 0xd3)
        take(r, 1U << ((tag - 0xcc) & 3));
    else if (tag >= 0xd4 && tag <= 0xd8) /* fixext */
        take(r, 1 + (1U << (tag - 0xd4)));
    else
        fail(r); /* 0xc1 is never used */
    return 0;
}

void
pack_skip(struct pack_reader *r)
{
    uint64_t left[LIMIT_DEPTH + 1];
    unsigned depth = 0;
    left[0] = 1;
    for (;;) {
        while (left[depth] == 0) {
            if (depth-- == 0)
                return;
        }
        left[depth]--;
        uint64_t inside = skip_head(r);
        if (r->bad)
            return;
        if (inside > 0) {
            if (++depth > LIMIT_DEPTH) {
                fail(r);
                return;
            }
            left[depth] = inside;
        }
    }
}

bool
pack_check(const void *data, size_t size)
{
    struct pack_reader r = pack_reader(data, size);
    pack_skip(&r);
    return !r.bad && r.at == r.end;
}

void
pack_buffer_free(struct pack_buffer *b)
{
    free(b->data);
    *b = (struct pack_buffer){0};
}

void
pack_buffer_empty(struct pack_buffer *b)
{
    enum { KEEP_BYTES = 128 << 10 };
    if (b->size > KEEP_BYTES)
        pack_buffer_free(b);
    b->used = 0;
}

void
pack_grow(struct pack_buffer *b, size_t more)
{
    size_t size = b->size ? b->size : 256;
    while (size - b->used < more)
        size *= 2;
    uint8_t *data = realloc(b->data, size);
    if (!data)
        abort();
    b->data = data;
    b->size = size;
}

static void
put_head(struct pack_buffer *b, uint8_t tag, uint64_t value, unsigned bytes)
{
    uint8_t *p = pack_reserve(b, 1 + bytes);
    *p = tag;
    for (unsigned i = bytes; i > 0; i--, value >>= 8)
        p[i] = (uint8_t)value;
}

void
pack_put_uint(struct pack_buffer *b, uint64_t value)
{
    if (value < 0x80)
        *pack_reserve(b, 1) = (uint8_t)value;
    else if (value <= UINT8_MAX)
        put_head(b, 0xcc, value, 1);
    else if (value <= UINT16_MAX)
        put_head(b, 0xcd, value, 2);
    else if (value <= UINT32_MAX)
        put_head(b, 0xce, value, 4);
    else
        put_head(b, 0xcf, value, 8);
}

void
pack_put_map(struct pack_buffer *b, uint32_t pairs)
{
    if (pairs < 16)
        *pack_reserve(b, 1) = (uint8_t)(0x80 | pairs);
    else if (pairs <= UINT16_MAX)
        put_head(b, 0xde, pairs, 2);
    else
        put_head(b, 0xdf, pairs, 4);
}

void
pack_put_array(struct pack_buffer *b, uint32_t elements)
{
    if (elements < 16)
        *pack_reserve(b, 1) = (uint8_t)(0x90 | elements);
    else if (elements <= UINT16_MAX)
        put_head(b, 0xdc, elements, 2);
    else
        put_head(b, 0xdd, elements, 4);
}

void
pack_put_bool(struct pack_buffer *b, bool value)
{
    *pack_reserve(b, 1) = value ? 0xc3 : 0xc2;
}

static void
put_body(struct pack_buffer *b, const void *data, size_t size)
{
    if (size > 0)
        memcpy(pack_reserve(b, size), data, size);
}

void
pack_put_bytes(struct pack_buffer *b, const void *data, size_t size)
{
    if (size <= UINT8_MAX)
        put_head(b, 0xc4, size, 1);
    else if (size <= UINT16_MAX)
        put_head(b, 0xc5, size, 2);
    else
        put_head(b, 0xc6, size, 4);
    put_body(b, data, size);
}

void
pack_put_text(struct pack_buffer *b, const void *data, size_t size)
{
    if (size < 32)
        *pack_reserve(b, 1) = (uint8_t)(0xa0 | size);
    else if (size <= UINT8_MAX)
        put_head(b, 0xd9, size, 1);
    else if (size <= UINT16_MAX)
        put_head(b, 0xda, size, 2);
    else
        put_head(b, 0xdb, size, 4);
    put_body(b, data, size);
}

void
pack_put_string(struct pack_buffer *b, const char *text)
{
    pack_put_text(b, text, strlen(text));
}

size_t
pack_open_array(struct pack_buffer *b)
{
    size_t at = b->used;
    put_head(b, 0xdc, 0, 2);
    return at;
}

void
pack_close_array(struct pack_buffer *b, size_t at, uint32_t elements)
{
    b->data[at + 1] = (uint8_t)(elements >> 8);
    b->data[at + 2] = (uint8_t)elements;
}
