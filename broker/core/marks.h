/* Marks that say in which neighbourhood outcomes expire, and when (sweep.c). */
#ifndef MARKS_H
#define MARKS_H

#include "state.h"

/* Is there a mark for an outcome that expires then? */
bool marks_have(struct store *store, const struct stint_id *id, uint64_t expires_ms);
void
marks_put(struct core *core, struct level *level, const struct stint_id *id, uint64_t expires_ms);

#endif
