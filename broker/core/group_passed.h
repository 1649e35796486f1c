/* Jobs of groups that stand in a level and that a worker has no room for: each worker that has met
 * some knows how far it has looked, so that it does not look at all of them again each time. Memory
 * only, and only where such jobs stand.
 */
#ifndef GROUP_PASSED_H
#define GROUP_PASSED_H

#include "state.h"

/* What the worker has passed over in the level; NULL: nothing. */
struct passed *passed_find(const struct level *level, const struct worker *worker);
/* Where it goes on. What it has no room for may have it now, unless it had not seen all. */
struct group_turn passed_begin(struct passed *passed, const struct worker *worker);
/* It has no room for any that stands before this one. `could`: nor would it ever have, before that
 * one. `cut`: it looks further in the next step. */
void passed_until(struct core *core, struct level *level, const struct worker *worker,
    struct group_turn until, struct group_turn could, bool cut);
/* One stands there from now on. */
void passed_stands(struct level *level, uint64_t turn);
/* All are to be looked at again. */
void passed_forget(struct level *level);

#endif
