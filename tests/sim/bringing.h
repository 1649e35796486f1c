/* Runs of the simulated world that ask for new jobs, and have others cancelled, with their end. */
#ifndef SIM_BRINGING_H
#define SIM_BRINGING_H

#include "peers.h"

struct stint_task;

void bringing_begin(void);
/* Now and then the run of this job asks for something; with its success, or with the failure that
 * was told. */
void
bringing_ask(struct stint_task *task, uint32_t job, const struct load *load, struct chance *chance);

#endif
