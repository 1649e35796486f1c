/* What a peer may not do is refused here, before anything else sees it. */
#ifndef GATE_H
#define GATE_H

#include "state.h"

/* May whoever sent this HELLO come in? If not, it was told so. */
bool gate_admits_hello(struct core *core, uint32_t number, const struct message *m);
/* May the peer do what its message asks for? If not, it was told so. If so, but for some of the
 * message's elements, whoever handles it answers those that judgement_denies with STINT_DENIED. */
bool gate_admits(struct core *core, struct peer *peer, const struct message *m);

#endif
