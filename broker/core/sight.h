/* Which queues a peer may see. Lists and events that are not about one queue are told of these
 * alone: of the others nothing is read, counted or skipped that could show in an answer.
 */
#ifndef SIGHT_H
#define SIGHT_H

#include "state.h"

/* Are there queues, or may there be, that the peer may not see? */
static inline bool
sight_is_narrow(const struct peer *peer)
{
    return grant_is_narrow(peer->grant);
}

/* May a peer with this grant (NULL: everything) see the queue? */
bool sight_covers(const struct grant *grant, const struct queue *queue);

/* May it see all that the worker serves? */
bool sight_covers_worker(const struct grant *grant, const struct worker *worker);
/* The next thing, from `*at` on (0 at first), that the worker serves and a peer with this grant may
 * know of: the name of a queue, or a prefix with a `*` behind it. False: there is none. */
bool sight_served(
    const struct grant *grant, const struct worker *worker, uint32_t *at, struct slice *name);

/* The first queue with this number or a higher one that a peer whose sight is narrow may see; NULL:
 * there is none. Queues that hold nothing and never did have no number. */
struct queue *sight_next(struct core *core, const struct peer *peer, uint64_t number);

/* The first one from this number on that any peer may see, and the one behind a queue. */
struct queue *sight_queue_from(struct core *core, const struct peer *peer, uint64_t number);
struct queue *
sight_queue_behind(struct core *core, const struct peer *peer, const struct queue *queue);

#endif
