/* SUBMIT. */
#ifndef SUBMIT_H
#define SUBMIT_H

#include "state.h"

struct places *places_new(void);
/* It is answered with why it was not accepted. */
void submit_refuse(struct core *core, struct peer *peer, const struct message *m,
    enum stint_status status, uint32_t index, const char *why);
void submit_message(struct core *core, struct peer *peer, const struct message *m);

#endif
