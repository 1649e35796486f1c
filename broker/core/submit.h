/* SUBMIT. */
#ifndef SUBMIT_H
#define SUBMIT_H

#include "state.h"

struct places *places_new(void);
/* Does the check of a stored answer hold? */
bool answer_is_whole(uint64_t number, struct slice row);
void submit_message(struct core *core, struct peer *peer, const struct message *m);

#endif
