/* What this step has handed out goes to the workers. */
#ifndef HANDED_H
#define HANDED_H

#include "state.h"

/* Writes DISPATCH messages for all leases that are fresh. Until then, what was borrowed from the
 * store for them has to stay: whoever writes to it calls this first. */
void handed_send(struct core *core);
/* The same for those of one worker, of which there are some. */
void handed_send_to(struct core *core, struct worker *w);

#endif
