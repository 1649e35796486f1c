/* A peer with a key for a queue of its own, which asks for everything that is not its: it guesses
 * ids, names other queues, claims and settles what others run. Nothing of it may have any effect,
 * and nothing that it is told may be of another queue: the oracle looks at both.
 */
#ifndef SIM_INTRUDER_H
#define SIM_INTRUDER_H

#include "sim.h"

void intruder_begin(uint64_t seed);
void intruder_stop(void);

#endif
