/* CANCEL, RETRY, CHANGE and DELETE. */
#ifndef CHANGE_H
#define CHANGE_H

#include "state.h"

void change_message(struct core *core, struct peer *peer, const struct message *m);

#endif
