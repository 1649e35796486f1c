/* HELLO to BYE, and who is not heard any more. */
#ifndef CONVERSATION_H
#define CONVERSATION_H

#include "state.h"

void conversation_hello(struct core *core, uint32_t number, const struct message *m);
void conversation_ping(struct core *core, struct peer *peer, const struct message *m);
void conversation_bye(struct core *core, struct peer *peer, const struct message *m);
void conversation_judge(struct core *core, enum hearing heard);

#endif
