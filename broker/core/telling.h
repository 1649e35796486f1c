/* Workers tell how far their jobs are; whoever watches one and wants to hears the newest of it. */
#ifndef TELLING_H
#define TELLING_H

#include "state.h"

/* PROGRESS. */
void telling_message(struct core *core, struct peer *peer, const struct message *m);
/* What is told of the job of this lease. */
void telling_say(struct core *core, struct lease *lease, const struct told_progress *told);
/* A watch has begun: it hears how far the job is now. */
void telling_begin(struct core *core, struct peer *peer, const struct stint_id *id);
/* At the end of a step: watchers are told, a few times a second. */
void telling_push(struct core *core);
/* In so many ms they are to be told; UINT64_MAX: of nothing. */
uint64_t telling_idle_ms(const struct core *core);

#endif
