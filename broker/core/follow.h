/* Feeds as people make, list and read them. Who reads one that has nothing to tell yet is answered
 * when it has, at the end of a step, with what that step recorded.
 */
#ifndef FOLLOW_H
#define FOLLOW_H

#include "state.h"

/* Messages: SET_FEED, LIST_FEEDS, READ_FEED. */
void follow_message(struct core *core, struct peer *peer, const struct message *m);
/* At the end of a step: answer those who can be. */
void follow_answer(struct core *core);

#endif
