/* BULK, LIST_BULKS and STOP_BULK: what is done to all jobs that a filter is true of, a bounded
 * piece of it in a step.
 */
#ifndef BULK_H
#define BULK_H

#include "state.h"

/* Errors: false: damaged rows were noted and are not kept. */
void bulk_load(struct core *core);
void bulk_fini(struct core *core);

void bulk_message(struct core *core, struct peer *peer, const struct message *m);

/* Goes on with one of those that have not ended, each in turn. */
void bulk_step(struct core *core);
/* The step is over, and with it the moment in which those began that did so in it. */
void bulk_end_step(struct core *core);
/* Is there one? */
bool bulk_is_open(const struct core *core);

#endif
