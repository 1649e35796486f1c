/* What stintd does besides serving, as it is asked for (upkeep.h). */
#ifndef UPKEEP_RUN_H
#define UPKEEP_RUN_H

#include "options.h"

/* Is anything? Then upkeep_run does it, and returns an exit code; `signals` is a descriptor of
 * those that end us. */
bool upkeep_wanted(const struct options *options);
int upkeep_run(const struct options *options, int signals);

#endif
