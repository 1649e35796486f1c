/* What runs write on standard error while they run: told to who listens, and kept nowhere. */
#ifndef LIVE_H
#define LIVE_H

#include "state.h"

/* The peer waits for this job, and wants to hear what its runs write, or not (any more). */
void live_listen(struct core *core, struct peer *peer, const struct stint_id *id, bool wants);
/* WROTE: from the worker of each run to who listens to it. */
void live_message(struct core *core, struct peer *peer, const struct message *m);
/* At the end of a step, when jobs were handed out: their workers hear that somebody listens. */
void live_flush(struct core *core);

void live_leased_now(struct core *core, const struct lease *lease);
/* A worker has this lease, in this conversation. Nobody listens to most. */
static inline void
live_leased(struct core *core, const struct lease *lease)
{
    if (core->fleet.pushed.listening > 0)
        live_leased_now(core, lease);
}

#endif
