/* What a step wants sent, in order. Frames lie in one buffer that is reset each step. What is in
 * the outbox is true: the router sends it only after the step's commit. */
#ifndef OUTBOX_H
#define OUTBOX_H

#include "pack.h"

struct outbox_entry {
    uint32_t peer;
    bool forget; /* no frame: the router forgets the peer, after what came before was sent... */
    bool close; /* ...and ends its connection, once that had a moment to leave */
    bool greeted; /* the connection has a peer from now on */
    size_t at, size;
};

struct outbox {
    struct pack_buffer bytes;
    struct outbox_entry *entries;
    size_t count, size;
    /* Told of every frame when it is ended, whoever made it: nothing is put out uncounted. May be
     * NULL. */
    void (*ended)(void *context, const struct outbox_entry *entry);
    void *context;
};

void outbox_reset(struct outbox *out);
void outbox_free(struct outbox *out);

/* Begin a frame for a peer; write it to the buffer returned; then end it. Frames do not nest. */
struct pack_buffer *outbox_begin(struct outbox *out, uint32_t peer);
void outbox_end(struct outbox *out);
/* The frame ended last tells a connection that it is a peer's now (WELCOME). */
void outbox_greeted(struct outbox *out);
/* The connection may go on, and say HELLO again. */
void outbox_forget(struct outbox *out, uint32_t peer);
/* The connection is to end: its peer does not read, is gone, or is not wanted. */
void outbox_close(struct outbox *out, uint32_t peer);

static inline struct slice
outbox_frame(const struct outbox *out, size_t i)
{
    return (struct slice){out->bytes.data + out->entries[i].at, out->entries[i].size};
}

#endif
