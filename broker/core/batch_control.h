/* SET_BATCH, LIST_BATCHES, WAIT_BATCH. */
#ifndef BATCH_CONTROL_H
#define BATCH_CONTROL_H

#include "state.h"

void batch_message(struct core *core, struct peer *peer, const struct message *m);

#endif
