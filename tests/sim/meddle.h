/* What clients of the simulated world ask for, or change, now and then. */
#ifndef SIM_MEDDLE_H
#define SIM_MEDDLE_H

#include "sim.h"
#include "stint.h"

enum { MEDDLE_PATIENCE_MS = 3000 };

/* About one of the `known` ids, or, of who has a key, about a guessed one; that it fails is part of
 * the world. False: it is to wait for some, which is the caller's. */
bool meddle_with(struct stint_client *client, const struct grant *key, struct chance *chance,
    const struct stint_id *recent, unsigned known, unsigned queues);

#endif
