/* SUBMIT. */
#ifndef SUBMIT_H
#define SUBMIT_H

#include "state.h"

struct places *places_new(void);
void submit_message(struct core *core, struct peer *peer, const struct message *m);

#endif
