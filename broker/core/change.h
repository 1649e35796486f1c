/* CANCEL and RETRY. */
#ifndef CHANGE_H
#define CHANGE_H

#include "state.h"

void change_cancel(struct core *core, struct peer *peer, const struct message *m);
void change_retry(struct core *core, struct peer *peer, const struct message *m);

#endif
