/* Queues and workers as a whole. */
#ifndef QUEUES_H
#define QUEUES_H

#include "state.h"

void queues_list(struct core *core, struct peer *peer, const struct message *m);
void queues_list_workers(struct core *core, struct peer *peer, const struct message *m);
/* Does it hold no job and no outcome? */
bool queues_is_empty(const struct queue *queue);
/* Called when the books are written: a queue that changed in this step stays. */
void queues_sweep(struct core *core);

#endif
