/* What waits in a queue: a kind that nobody handles, and how long the first job has waited. */
#ifndef BACKLOG_H
#define BACKLOG_H

#include "state.h"

/* A kind that waits in this queue and that no worker of it handles, or NULL; borrowed until the
 * next call. */
const char *backlog_unserved(struct core *core, struct queue *queue);
/* What ready jobs need, if none of its workers has it, into `text` of STINT_NEEDS_BYTES; false:
 * there is nothing like that. */
bool backlog_unmet(struct core *core, struct queue *queue, char *text);
/* How long ago the first ready job was submitted, in ms and at least 1; 0: no job is ready. Of each
 * level it is the first in dispatch order that counts, and of those kept apart the next one of each
 * kind, so that nothing is searched for it. */
uint64_t backlog_oldest_ready_ms(struct core *core, struct queue *queue);

#endif
