/* What a step wants sent; the contract is in outbox.h. */
#include "outbox.h"

#include <stdlib.h>

/* After a step that put out much, memory goes back: what a peak needed is not kept for ever. */
enum { KEEP_BYTES = 4 << 20 };

void
outbox_reset(struct outbox *out)
{
    if (out->bytes.size > KEEP_BYTES)
        pack_buffer_free(&out->bytes);
    out->bytes.used = 0;
    out->count = 0;
}

void
outbox_free(struct outbox *out)
{
    pack_buffer_free(&out->bytes);
    free(out->entries);
    *out = (struct outbox){0};
}

static struct outbox_entry *
add_entry(struct outbox *out, uint32_t peer)
{
    if (out->count == out->size) {
        size_t size = out->size ? 2 * out->size : 64;
        struct outbox_entry *entries = realloc(out->entries, size * sizeof *entries);
        if (!entries)
            abort();
        out->entries = entries;
        out->size = size;
    }
    struct outbox_entry *e = &out->entries[out->count++];
    *e = (struct outbox_entry){.peer = peer, .at = out->bytes.used};
    return e;
}

struct pack_buffer *
outbox_begin(struct outbox *out, uint32_t peer)
{
    add_entry(out, peer);
    return &out->bytes;
}

void
outbox_end(struct outbox *out)
{
    struct outbox_entry *e = &out->entries[out->count - 1];
    e->size = out->bytes.used - e->at;
    if (out->ended)
        out->ended(out->context, e);
}

void
outbox_greeted(struct outbox *out)
{
    out->entries[out->count - 1].greeted = true;
}

void
outbox_forget(struct outbox *out, uint32_t peer)
{
    add_entry(out, peer)->forget = true;
}

void
outbox_close(struct outbox *out, uint32_t peer)
{
    struct outbox_entry *e = add_entry(out, peer);
    e->forget = e->close = true;
}
