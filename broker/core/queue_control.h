/* Queues as people want them: paused, closed, removed. What is set is stored in the queue's row. */
#ifndef QUEUE_CONTROL_H
#define QUEUE_CONTROL_H

#include "state.h"

/* SET_QUEUE. */
void queue_control_message(struct core *core, struct peer *peer, const struct message *m);

#endif
