/* A peer that is not ours: it asks for much, again and again, reads little or nothing, and claims
 * to have read. It may be refused and cut off; nobody else may notice.
 */
#ifndef SIM_GREEDY_H
#define SIM_GREEDY_H

#include "sim.h"

void greedy_begin(uint64_t seed);
void greedy_stop(void);

#endif
