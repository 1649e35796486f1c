/* The book of groups: what is known of each, of what the groups of a queue share, and what is set
 * for them. Rows that were looked at in a step are written at its end, and kept in memory up to a
 * number, as they are wanted again soon. What groups do is in groups.h.
 */
#ifndef GROUP_BOOK_H
#define GROUP_BOOK_H

#include "group_turns.h"

enum { GROUP_TOKEN = 3600000 }; /* as in pace.c: an hour's worth of milliseconds */

/* Borrowed until the end of the step. One that is not there yet has nothing, and all its tokens. */
struct group *group_get(struct core *core, struct queue *queue, struct slice name);
void group_mark(struct core *core, struct group *group);
/* What is counted of groups in the level has changed. */
void group_mark_level(struct core *core, struct level *level);

/* Do as many of it run, or are kept apart, as may run? */
static inline bool
group_is_full(const struct group *g)
{
    return g->queue->set.group_running && g->row.out >= g->queue->set.group_running;
}

/* Do as many of it run as may? */
static inline bool
group_is_busy(const struct group *g)
{
    return g->queue->set.group_running && g->row.out >= g->row.apart + g->queue->set.group_running;
}

/* In how many ms it has so much of tokens; a token is GROUP_TOKEN. */
uint64_t group_until_tokens(const struct core *core, const struct group *group, uint64_t wanted);
void group_use_token(const struct core *core, struct group *group);
/* It is to be looked at then, or earlier. */
void group_set_due(struct core *core, struct group *group, uint64_t due_ms);

/* The queue's, made if it has none yet. */
struct queue_groups *groups_of_queue(struct core *core, struct queue *queue);
/* They are to be written. */
void groups_queue_changed(struct core *core, struct queue_groups *queue);
/* The settings of a queue for its groups have changed. */
void groups_were_set(struct core *core, struct queue *queue);
/* A weight of a group; 1 is none. Whoever sets some calls groups_were_set then. True: it had one.
 */
bool
groups_set_weight(struct core *core, const struct queue *queue, struct slice name, uint32_t weight);
uint32_t groups_weight(struct core *core, const struct queue *queue, struct slice name);
/* A queue that holds nothing goes. */
void groups_end_queue(struct core *core, struct queue *queue);
/* What is known of a group, also of this step. False: there is none. */
bool
groups_get(struct core *core, const struct queue *queue, struct slice name, struct row_group *row);

/* More are in memory than are kept there at the end of a step, by far. */
enum { GROUPS_MANY = 1 << 16 };

static inline bool
groups_are_many(const struct core *core)
{
    return core->sweeps.groups.all && HASH_COUNT(core->sweeps.groups.all) > GROUPS_MANY;
}

/* Rows that have changed are written. */
void groups_flush(struct core *core);
void groups_fini(struct core *core);

#endif
