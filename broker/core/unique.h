/* Unique keys: of a queue, one job at a time holds a key. Where it stands is a row of STORE_UNIQUE,
 * written with the job, and gone with its end; or it stays for a while, if the job wanted that.
 * Jobs without a key come nowhere near it.
 */
#ifndef UNIQUE_H
#define UNIQUE_H

#include "state.h"

/* The row of a key, unless its time is over. Whether its job still holds it is another question,
 * that meet.c answers. Borrowed until the store is written. */
bool unique_find(struct core *core, uint32_t queue, struct slice unique, struct row_unique *row);
/* Is there any key of that queue? */
bool unique_any(struct core *core, uint32_t queue);
/* The job, which has a key, holds it from now on; whoever held it before does so no longer. */
void unique_hold(
    struct core *core, uint32_t queue, const struct stint_id *id, const struct record *record);
/* It ends in this state, and leaves its key, if it holds one. */
void unique_leave(struct core *core, uint32_t queue, const struct stint_id *id,
    const struct record *record, enum stint_state to);
/* It goes to another queue, and takes its key along, if it holds one. */
void unique_move(struct core *core, uint32_t from, uint32_t to, const struct stint_id *id,
    const struct record *record);

/* Keys whose time is over go, so many in a step. */
void unique_sweep(struct core *core);
void unique_load(struct core *core);

#endif
