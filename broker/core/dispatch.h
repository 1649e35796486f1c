/* Jobs are handed out to workers. */
#ifndef DISPATCH_H
#define DISPATCH_H

#include "state.h"

/* May the worker be given anything, as far as people have said? */
bool dispatch_is_willing(const struct worker *worker);
/* Has it room for another job, of `limit` and of its window? */
bool dispatch_has_room(const struct core *core, const struct worker *worker, uint32_t limit);
void dispatch_all(struct core *core);
/* What the worker holds of paused queues and has not begun, it is to give back. */
void dispatch_recall_paused(struct core *core, const struct worker *worker);

#endif
