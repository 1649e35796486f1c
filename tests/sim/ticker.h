/* Somebody of the simulated world who sets schedules, and pauses, resumes, runs and removes them.
 * Their jobs go to a queue of their own and wait there for ever, so that they can be counted.
 */
#ifndef SIM_TICKER_H
#define SIM_TICKER_H

#include "sim.h"

enum { TICKER_SCHEDULES = 3 };

extern const char *const ticker_names[TICKER_SCHEDULES];

/* Is he there at all? */
void ticker_begin(uint64_t seed, bool there);
/* He removes them, and rests. */
void ticker_calm(void);
bool ticker_content(void);
void ticker_stop(void);

#endif
