/* How many jobs of a queue may be handed out now, by what people have set for it: so many at once,
 * and so many in a time. The latter is a bucket of tokens, one a job. It fills evenly, holds what
 * comes in a second (one at least), and is empty at a start and after a change: so in no time of
 * any length more are handed out than the rate and one bucket allow. Memory only. A job that a
 * worker gives back before it has begun has used its token.
 */
#ifndef PACE_H
#define PACE_H

#include "book.h"

/* Of a queue that has a limit. */
uint32_t pace_limited_room(const struct queue *queue);

/* How many may be handed out; UINT32_MAX: any number. */
static inline uint32_t
pace_room(const struct queue *q)
{
    return q->set.running || q->set.rate ? pace_limited_room(q) : UINT32_MAX;
}

/* Does it hand out as many as it may at once? */
bool pace_is_full(const struct queue *queue);
/* One is handed out. */
void pace_take(struct queue *queue);
/* Time has passed: buckets fill, and pools look again at queues that have tokens. */
void pace_pass(struct book *book, uint64_t now_ms);
/* In how many ms the queue has a token; 0: it has one, or has no rate. */
uint64_t pace_wait_ms(const struct queue *queue);
/* In how many ms a queue in which jobs wait has one that has none now; UINT64_MAX: there is none.
 */
uint64_t pace_idle_ms(const struct book *book);

#endif
