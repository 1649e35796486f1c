/* Somebody of the simulated world who makes batches, closes them and cancels some. Jobs are put
 * into them by clients; those that they make go to a queue of their own and wait there for ever, so
 * that they can be counted.
 */
#ifndef SIM_BATCHER_H
#define SIM_BATCHER_H

#include "sim.h"

/* Is he there at all? */
void batcher_begin(uint64_t seed, bool there);
/* The number of a batch that a job may be put into, most of which are open; 0: there is none. */
uint64_t batcher_choose(struct chance *chance);
/* He closes them, and rests. */
void batcher_calm(void);
bool batcher_content(void);
void batcher_stop(void);

#endif
