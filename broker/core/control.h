/* The fleet as people want it: how many slots, who is paused, who is to leave. What is set lasts,
 * by the worker's name; to drain and to stop are orders to a session. Workers are told by ORDER,
 * once at the end of a step that has changed something, and after each WELCOME.
 */
#ifndef CONTROL_H
#define CONTROL_H

#include "state.h"

/* At start. False: a row is damaged. */
bool control_load(struct core *core);
void control_fini(struct core *core);
/* A worker's conversation has begun; it hears how things are to stand. */
void control_greet(struct core *core, struct worker *worker);
/* What it tells of itself with a PING. */
void control_ping(struct core *core, struct worker *worker, const struct ping *ping);
/* A worker has gone. */
void control_left(struct core *core);

/* Messages: CONTROL; SET_FLEET and GET_FLEET; LIST_RUNNING. */
void control_message(struct core *core, struct peer *peer, const struct message *m);
void control_fleet(struct core *core, struct peer *peer, const struct message *m);
void control_list_running(struct core *core, struct peer *peer, const struct message *m);

/* At the end of a step: tell workers what has changed for them. */
void control_tell(struct core *core);
/* How long that can wait, in ms. */
uint64_t control_idle_ms(const struct core *core);

#endif
