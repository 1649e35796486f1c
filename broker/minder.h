/* Watches over whoever works beside a broker or instead of one, from a thread of its own: a signal
 * ends it, and nothing is left of the file that was being made. As long as somebody reads a store,
 * no page that its broker frees is used again, so its data file grows; if by too much, the reader
 * has to give up.
 */
#ifndef MINDER_H
#define MINDER_H

#include "fresh.h"

#include <stdint.h>

struct minder_options {
    int signals; /* a signalfd of those that end us */
    struct fresh *fresh; /* to be dropped; NULL: none */
    void (*drop)(void *context); /* what else is; NULL: nothing */
    void *context;
};

/* From now on, up to the end of the process. The options are copied; there is one minder. */
void minder_start(const struct minder_options *options);
/* The store in `file` is read from now on, and may grow by so many bytes; 0: without bound. */
void minder_reads(int file, uint64_t growth_bytes);
/* The store is read no longer. Returns by how much the data file grew. */
uint64_t minder_done_reading(void);

#endif
