/* Jobs are handed out to workers. */
#ifndef DISPATCH_H
#define DISPATCH_H

#include "state.h"

void dispatch_all(struct core *core);
void dispatch_recall(struct core *core);
/* A kind that waits in this queue and that no worker of it handles, or NULL; borrowed until the
 * next call. */
const char *dispatch_unserved(struct core *core, struct queue *queue);
/* How long ago the first ready job was submitted, in ms and at least 1; 0: no job is ready. Of each
 * level it is the first in dispatch order that counts, and of those kept apart the next one of each
 * kind, so that nothing is searched for it. */
uint64_t dispatch_oldest_ready_ms(struct core *core, struct queue *queue);

#endif
