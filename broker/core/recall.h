/* Jobs that wait in a busy worker are asked back. */
#ifndef RECALL_H
#define RECALL_H

#include "state.h"

void recall_jobs(struct core *core);

#endif
