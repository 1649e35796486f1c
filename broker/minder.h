/* Watches over whoever reads a store beside the broker that writes it, from a thread of its own. As
 * long as somebody reads, no page that the broker frees is used again, so its data file grows; if
 * by too much, the reader has to give up. A signal ends it as well. Nothing is left of the file
 * that was being made.
 */
#ifndef MINDER_H
#define MINDER_H

#include "fresh.h"

#include <stdint.h>

struct minder_options {
    int signals; /* a signalfd of those that end us */
    int file; /* of the data file that is read; -1: none */
    uint64_t growth_bytes; /* by which it may grow; 0: without bound */
    struct fresh *fresh; /* to be dropped; NULL: none */
    void (*drop)(void *context); /* what else is; NULL: nothing */
    void *context;
};

/* From now on, up to the end of the process. The options are copied; there is one minder. */
void minder_start(const struct minder_options *options);
/* The store is read no longer. Returns by how much the data file grew. */
uint64_t minder_done_reading(void);

#endif
