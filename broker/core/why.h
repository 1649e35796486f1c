/* Why a job does not run, in one reason with its numbers. */
#ifndef WHY_H
#define WHY_H

#include "state.h"

/* WHY: of jobs, or of a queue. */
void why_message(struct core *core, struct peer *peer, const struct message *m);

#endif
