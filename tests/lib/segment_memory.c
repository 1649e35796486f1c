/* Segments in memory; the contract is in segment_memory.h. */
#include "segment_memory.h"

#include <stdlib.h>
#include <string.h>

enum { SECTOR = 512 };

/* What a sector held before it was written to. */
struct before {
    unsigned number;
    uint64_t at;
    uint8_t bytes[SECTOR];
};

struct segment_memory {
    struct segments base; /* first: they are segments */
    unsigned max, fail_in; /* 0: never */
    bool growing, failed, lazy;
    uint8_t *bytes[SEGMENTS_MAX];
    struct before *unflushed; /* newest last */
    size_t count, size;
};

static struct segment_memory *
self(struct segments *segments)
{
    return (struct segment_memory *)segments;
}

static bool
fails(struct segment_memory *m)
{
    if (m->fail_in && --m->fail_in == 0)
        m->failed = true;
    return m->failed;
}

static bool
memory_read(struct segments *segments, unsigned number, uint64_t at, uint8_t *to, size_t size)
{
    memcpy(to, self(segments)->bytes[number] + at, size);
    return true;
}

static void
remember(struct segment_memory *m, unsigned number, uint64_t at)
{
    if (m->count == m->size) {
        m->size = m->size ? 2 * m->size : 64;
        m->unflushed = realloc(m->unflushed, m->size * sizeof *m->unflushed);
        if (!m->unflushed)
            abort();
    }
    struct before *b = &m->unflushed[m->count++];
    b->number = number;
    b->at = at;
    memcpy(b->bytes, m->bytes[number] + at, SECTOR);
}

static bool
memory_write(
    struct segments *segments, unsigned number, uint64_t at, const uint8_t *from, size_t size)
{
    struct segment_memory *m = self(segments);
    bool failed = fails(m);
    if (at % SECTOR != 0 || size % SECTOR != 0 || at + size > m->base.bytes)
        abort();
    for (uint64_t done = 0; done < size; done += SECTOR)
        remember(m, number, at + done);
    memcpy(m->bytes[number] + at, from, size);
    return !failed;
}

static bool
memory_flush(struct segments *segments, unsigned number)
{
    struct segment_memory *m = self(segments);
    size_t left = 0;
    if (fails(m))
        return false;
    if (m->lazy)
        return true;
    for (size_t i = 0; i < m->count; i++)
        if (m->unflushed[i].number != number)
            m->unflushed[left++] = m->unflushed[i];
    m->count = left;
    return true;
}

static bool
memory_grow(struct segments *segments)
{
    struct segment_memory *m = self(segments);
    if (m->growing && m->base.count < m->max) {
        m->bytes[m->base.count] = calloc(1, m->base.bytes);
        if (!m->bytes[m->base.count++])
            abort();
    }
    m->growing = !m->growing;
    return true;
}

static const char *
memory_error(struct segments *segments)
{
    return self(segments)->failed ? "the segments were told to fail" : "";
}

static const struct segments_ops memory_ops = {
    memory_read, memory_write, memory_flush, memory_grow, memory_error, segment_memory_free};

struct segments *
segment_memory_new(unsigned count, unsigned max, uint64_t bytes)
{
    struct segment_memory *m = calloc(1, sizeof *m);
    if (!m)
        abort();
    m->base = (struct segments){.ops = &memory_ops, .count = count, .bytes = bytes};
    m->max = max;
    for (unsigned i = 0; i < count; i++)
        if (!(m->bytes[i] = calloc(1, bytes)))
            abort();
    return &m->base;
}

void
segment_memory_free(struct segments **segments)
{
    if (!*segments)
        return;
    struct segment_memory *m = self(*segments);
    for (unsigned i = 0; i < m->base.count; i++)
        free(m->bytes[i]);
    free(m->unflushed);
    free(m);
    *segments = NULL;
}

void
segment_memory_crash(struct segments *segments, bool (*stays)(void *context), void *context)
{
    struct segment_memory *m = self(segments);
    m->failed = m->growing = false;
    m->fail_in = 0;
    while (m->count > 0) {
        const struct before *b = &m->unflushed[--m->count];
        if (!stays(context))
            memcpy(m->bytes[b->number] + b->at, b->bytes, SECTOR);
    }
}

void
segment_memory_fail(struct segments *segments, unsigned n)
{
    self(segments)->fail_in = n + 1;
}

void
segment_memory_spare(struct segments *segments)
{
    self(segments)->fail_in = 0;
}

void
segment_memory_lazy(struct segments *segments, bool lazy)
{
    self(segments)->lazy = lazy;
}

uint8_t *
segment_memory_bytes(struct segments *segments, unsigned number)
{
    return self(segments)->bytes[number];
}
