/* Why a job does not run, in one reason with its numbers. */
#ifndef WHY_H
#define WHY_H

#include "state.h"

/* WHY: of jobs, or of a queue. */
void why_message(struct core *core, struct peer *peer, const struct message *m);

/* The same for whoever works with the core directly: of one job, as a peer with that grant is told
 * (NULL: one that may do everything). */
void why_job(struct core *core, const struct grant *grant, const struct stint_id *id,
    struct stint_reason *reason);

#endif
