/* Keys of the simulated world: what they grant, and what that means, said apart from the core. */
#ifndef SIM_KEYS_H
#define SIM_KEYS_H

#include "rights.h"
#include "sim.h"

enum { KEYS_QUEUES = 3 };
/* Names of the queues that wishes are for; and one that nobody wishes anything in. */
extern const char *const keys_queues[KEYS_QUEUES];
#define KEYS_EMPTY_QUEUE "delta"

/* Which of them it is; KEYS_QUEUES: none. */
unsigned keys_index(struct slice queue);

/* A key with these rights on `count` of the first `queues` queues, from `first` on; or on all. */
void keys_make(struct grant *key, const char *name, uint32_t rights, unsigned first, unsigned count,
    unsigned queues);
/* Does it grant one of these rights there? NULL grants everything. */
bool keys_allow(const struct grant *key, uint32_t rights, const char *queue);
/* Is it for some queues only? */
bool keys_restrict(const struct grant *key);

#endif
