/* SETTLE: outcomes that workers tell. */
#ifndef SETTLE_H
#define SETTLE_H

#include "state.h"

void settle_message(struct core *core, struct peer *peer, const struct message *m);

#endif
