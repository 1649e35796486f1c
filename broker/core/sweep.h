/* What time does: a table of chores. */
#ifndef SWEEP_H
#define SWEEP_H

#include "state.h"

enum sweep_when {
    SWEEP_FIRST, /* before jobs are handed out, so that what becomes due goes at once */
    SWEEP_LAST, /* when the books are written */
};

/* A step of each chore that is due. */
void sweep(struct core *core, enum sweep_when when);
/* How long time alone will have nothing to do for us. */
uint64_t sweep_idle_ms(const struct core *core);
/* At start: what the tables say is due. */
void sweep_load(struct core *core);

#endif
