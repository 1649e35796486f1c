/* Workers that serve queues by prefix. Those that say the same names, prefixes and kinds are one
 * *pool*: which queues there are for it is kept once for all of them, and changes only when a queue
 * comes or goes, or the pool does.
 *
 * A queue has a *post* in each pool that serves it. The post stands in the pool's round, where it
 * waits for its turn, or rests: then nothing is ready in its queue that these workers may be given,
 * and the next job that becomes ready wakes it. So looking for a job costs as much as there are
 * queues with jobs, not as there are queues.
 */
#ifndef POOLS_H
#define POOLS_H

#include "ids.h"
#include "kinds.h"
#include "limit.h"

struct queue;

struct post {
    struct pool *pool;
    struct queue *queue;
    bool rests;
    bool named; /* the pool has the queue's name, so that it is expected */
    uint32_t left; /* of its turn: so many jobs, if queues have weights; 0: it begins */
    struct post *prev, *next; /* in the pool's round, or among those of the queue that rest */
    struct post *prev_here, *next_here; /* of the queue */
    struct post *prev_all, *next_all; /* of the pool */
};

/* A queue's. */
struct posts {
    struct post *all, *resting;
};

/* What a pool serves and takes; slices, in order. No prefix covers another one, or a name. */
struct pool_terms {
    struct slice names[LIMIT_QUEUES_SERVED], prefixes[LIMIT_PREFIXES];
    uint32_t names_count, prefixes_count;
    const struct kinds *kinds; /* NULL: all */
};

struct pool {
    struct pool_terms terms; /* their texts are in `text`, which the pool is found by */
    char *text;
    uint32_t workers;
    uint32_t idle; /* their free slots, when last counted */
    struct pool **all; /* where it is found */
    struct post *posts;
    struct post *round; /* whose turn it is comes first */
    uint32_t round_count;
    uint64_t weighed; /* changes of weights there had been when it was last asked for, */
    bool weighted; /* and whether queues of it had one */
    UT_hash_handle hh;
};

/* Sorts them, and takes out what is there twice or covered by a prefix. */
void pool_terms_reduce(struct pool_terms *terms);

/* The one with these terms, which are reduced; NULL: there is none. */
struct pool *pools_find(struct pool *pools, const struct pool_terms *terms);
/* A new one, without posts. */
struct pool *pools_add(struct pool **pools, const struct pool_terms *terms);
/* It has no posts any more. */
void pools_remove(struct pool *pool);
/* A queue has come: it gets its posts. Returns how many pools name it. */
uint32_t
pools_meet(struct pool *pools, struct queue *queue, struct posts *posts, struct slice name);
/* It goes. */
void posts_end(struct posts *posts);

/* Does it serve the queue of this name, and because it has that very name? */
bool pool_serves(const struct pool *pool, struct slice queue, bool *named);

/* The queue gets its post in the pool, which rests unless something may be ready in it. */
struct post *pool_post(struct pool *pool, struct queue *queue, struct posts *posts, bool ready);
void pool_end_post(struct post *post, struct posts *posts);

/* Nothing is ready that its workers may be given. */
void pool_rest(struct post *post, struct posts *posts);
/* Its queue had its turn. */
void pool_pass(struct post *post);
void posts_wake_all(struct posts *posts);
/* A job became ready. */
static inline void
posts_wake(struct posts *posts)
{
    if (posts->resting)
        posts_wake_all(posts);
}
/* The post of this pool; NULL: it does not serve the queue. */
struct post *posts_find(const struct posts *posts, const struct pool *pool);
/* Do workers of some pool handle these kinds here? */
bool posts_have_kinds(const struct posts *posts, const struct kinds *kinds);
/* How many workers they have. */
uint32_t posts_workers(const struct posts *posts);

#endif
