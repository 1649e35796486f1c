/* Groups of a queue, in pages. */
#ifndef GROUP_LIST_H
#define GROUP_LIST_H

#include "state.h"

void group_list(struct core *core, struct peer *peer, const struct message *m);

#endif
