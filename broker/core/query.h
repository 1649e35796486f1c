/* Questions: WAIT, GET, LIST and the figures. */
#ifndef QUERY_H
#define QUERY_H

#include "state.h"

void query_get(struct core *core, struct peer *peer, const struct message *m);
void query_wait(struct core *core, struct peer *peer, const struct message *m);
void query_list(struct core *core, struct peer *peer, const struct message *m);
void query_peek(struct core *core, struct peer *peer, const struct message *m);
void query_stats(struct core *core, struct peer *peer, const struct message *m);

#endif
