/* Somebody of the simulated world who makes a feed and follows it, through kills of his own, of the
 * connection and of the broker: each event has to come once and in order, or to be told as missing.
 */
#ifndef SIM_FOLLOWER_H
#define SIM_FOLLOWER_H

#include "sim.h"

void follower_begin(uint64_t seed);
/* He is killed no more. */
void follower_calm(void);
/* Has he heard of all that the feed holds? */
bool follower_content(void);
void follower_stop(void);

#endif
