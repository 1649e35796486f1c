/* Schedules as people set and list them. */
#ifndef SCHEDULE_CONTROL_H
#define SCHEDULE_CONTROL_H

#include "state.h"

/* Messages: SET_SCHEDULE, LIST_SCHEDULES. */
void schedule_message(struct core *core, struct peer *peer, const struct message *m);

#endif
