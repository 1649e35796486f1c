/* What time brings to groups: some are to be looked at, as they have a token now, or as what is set
 * for them has changed. And what is known of them at a start.
 */
#ifndef GROUP_TIME_H
#define GROUP_TIME_H

#include "groups.h"

/* In how many ms there is something to do; and that, a bounded step of it. */
uint64_t group_due_in(const struct core *core);
void group_due_step(struct core *core);
uint64_t group_walk_in(const struct core *core);
void group_walk_step(struct core *core);
/* At start: counts of levels and queues. What was kept apart is in line again. False: a row is
 * damaged. */
bool group_load(struct core *core);

#endif
