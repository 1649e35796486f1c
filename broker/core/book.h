/* The books: which queues and levels there are, how many jobs stand in each state, and which live
 * jobs are in transit. A *level* is one priority of one queue; sequences are dense in it.
 *
 * A job does not move on disk when it is handed out. Its record stays where it is in dispatch order
 * and a bit in the transit table says that it runs; 256 neighbours share a row, so the durable
 * dispatch of a thousand jobs writes a handful of rows. Counts and next sequences are one row a
 * level. Both are written once a step, in the step's transaction, by book_flush.
 *
 * Memory: a queue and a level each cost some hundred bytes, a running job a bit. The backlog costs
 * nothing, and nothing of it is read at start.
 */
#ifndef BOOK_H
#define BOOK_H

#include "figures.h"
#include "ids.h"
#include "kinds.h"
#include "lanes.h"
#include "pools.h"
#include "rows.h"
#include "stint_job.h"
#include "store.h"

struct group;
struct shelf;

/* Turns that came in this step (group_turns.h). */
struct fresh_turns {
    struct fresh_turn {
        uint64_t turn, sequence;
        struct group *group;
    } * heap;
    uint32_t count, size, standing; /* standing: of them, those that are still to come */
};

/* Ready jobs of groups, which searching does not find (groups.h). */
struct level_groups {
    uint64_t ready, standing; /* standing: of them, those that may be handed out */
    uint64_t oldest; /* no ready job at all stands before this one */
    struct fresh_turns fresh;
    struct level *next_changed;
    bool changed;
    bool stopped; /* the last search did, when it had passed over very many of them */
    const struct worker
        *no_room; /* it has room for none of those that stand, as far as it looked */
    struct passed *passed; /* what workers have passed over (group_passed.h) */
    uint32_t passed_count, passed_size;
};

/* Of a worker that is told apart by `joined`, and said this of itself. */
struct passed {
    uint64_t joined;
    uint32_t told;
    uint32_t room; /* its control.room, when it began to look */
    bool cut; /* it has not looked at all */
    struct group_turn from; /* it has room for none before this one, */
    struct group_turn could; /* and would never have, for any before this one */
};

/* What the groups of a queue share; made when the first of them comes. */
struct queue_groups {
    struct queue *queue;
    uint64_t standing; /* over its levels */
    uint64_t turn, others; /* the latest whose turn it was; the next one of jobs without a group */
    struct queue_groups *next_changed, *next_walk;
    bool changed;
    bool walks; /* its groups are looked at, one after the other, as what is set has changed */
    uint8_t walked_bytes;
    uint8_t walked[LIMIT_GROUP_BYTES]; /* the last of them; none: it begins */
};

struct level {
    struct queue *queue;
    uint64_t next; /* sequence of the next job submitted */
    struct reach reach;
    struct scan *scans; /* of workers that do not handle all kinds */
    uint32_t scans_count, scans_size;
    struct lanes *lanes; /* of jobs that need something; NULL: searching has met none */
    uint64_t apart; /* ready jobs that are not found by searching: kept apart, or of a group */
    struct level_groups groups;
    uint64_t jobs[STINT_STATES];
    uint64_t totals[STINT_COUNTS]; /* what was counted of them, ever */
    uint64_t expiry_mark, expiry_block; /* last row written to STORE_EXPIRY for this level */
    struct level *next_changed;
    uint8_t priority;
    bool changed;
    bool lost; /* ready jobs are counted and not found: the store is damaged */
};

/* Workers that name a queue and handle the same kinds (NULL: all). */
struct serving {
    struct kinds *kinds;
    uint32_t workers;
    uint32_t idle; /* their free slots, when last counted */
};

struct servings {
    struct serving *list;
    uint32_t count, size;
    struct posts posts; /* of workers that serve it by prefix */
    uint32_t waiting; /* while they are counted: jobs in a worker that have not begun */
    struct wants wants; /* what its jobs need of them */
};

/* What people have set for a queue; it is in its row. */
struct queue_settings {
    bool paused; /* nothing of it is handed out */
    bool closed; /* it takes no new jobs */
    bool lifo; /* of a priority, the newest job is next */
    bool low_first; /* the lowest number of a priority is the most urgent one */
    uint32_t running; /* so many are handed out at once; 0: any number */
    uint64_t rate; /* so many in an hour; 0: any number */
    uint32_t weight; /* so many turns among the queues of a worker; 0: one */
    uint32_t backlog_max; /* so many jobs may wait; 0: any number */
    uint64_t keep; /* one more than the ms that outcomes are kept; 0: as long as the broker does */
    uint64_t time_to_run_ms; /* of jobs that name none; 0: none */
    uint32_t group_running; /* of a group so many are handed out at once; 0: any number */
    uint32_t group_weights; /* so many groups have a weight */
    uint64_t group_rate; /* of a group so many in an hour; 0: any number */
};

/* What of its rate is not used; pace.h. */
struct bucket {
    uint64_t tokens, filled_ms; /* as they were then, monotonic */
    bool begun;
};

/* What has been of it, and of its groups; memory only. */
struct queue_past {
    struct queue_groups *groups; /* NULL: it has had none */
    uint64_t empty_ms; /* since when it was seen to be empty and unused; 0: it is not */
    uint64_t slot; /* its figures are of this one; 0: it has none yet */
    struct figures *figures;
    struct bucket bucket;
    struct queue *next_rated; /* of those that have a rate */
};

struct queue {
    uint32_t number; /* 0: no job has come for it, and it is only in memory */
    uint32_t levels_count, levels_size;
    struct level **levels; /* the most urgent first */
    uint64_t ready, backlog; /* sums over the levels; backlog: all that wait */
    uint32_t workers, watchers; /* workers and pools that name it; subscriptions to it */
    struct servings servings; /* who serves it, by what they handle */
    struct shelf *shelves; /* ready jobs that are kept apart, most urgent first */
    uint64_t apart; /* sum over the levels */
    uint32_t suspects, draining; /* kept apart; workers that make room for one of them */
    struct queue_settings set;
    struct queue_past past;
    uint64_t key; /* its number, as wide as the hash wants it; of one that is only in memory: the
                     how-manieth that is */
    UT_hash_handle hh, hh_number;
    uint8_t name_bytes;
    char name[STINT_NAME_BYTES];
};

struct block {
    struct stint_id first; /* sequence a multiple of 256 */
    uint64_t bits[TRANSIT_WORDS]; /* running */
    uint64_t apart[TRANSIT_WORDS]; /* ready, and not to be found by searching; memory only */
    uint32_t count, apart_count;
    bool changed;
    struct block *next_changed;
    UT_hash_handle hh;
};

struct book_max {
    uint32_t queues, levels;
};

/* What is to be written. */
struct book_changed {
    struct level *levels;
    struct block *blocks;
};

/* Of all queues. */
struct book_sums {
    uint64_t totals[STINT_COUNTS]; /* what was counted, ever, */
    uint64_t gone[STINT_COUNTS]; /* and of that in queues that are no more */
    uint32_t series; /* that their figures have */
};

/* Queues that peers wait for, and nothing is in. */
struct book_expected {
    struct queue *queues; /* uthash by name */
    uint32_t count;
    uint64_t ever;
};

struct book_weights {
    uint32_t queues; /* how many have a weight */
    uint64_t changes; /* of any, ever */
};

struct book {
    struct store *store;
    uint16_t broker;
    struct book_max max;
    struct queue *by_name; /* uthash; its order is that of the numbers */
    struct queue *by_number; /* uthash of the same */
    struct queue *recent_queue;
    struct queue *rated; /* those that have a rate */
    struct book_weights weights;
    struct book_expected expected;
    uint32_t queues, levels;
    uint32_t last_number; /* of a queue, ever */
    uint64_t changes; /* queues with a number that came or went, ever */
    uint64_t jobs[STINT_STATES]; /* sums over all levels */
    struct book_sums sums;
    struct block *blocks; /* uthash */
    struct block *recent;
    struct book_changed changed;
    struct pool *pools; /* uthash by their texts */
    bool has_moved; /* jobs that are called otherwise than where they stand (names.h) */
};

void book_init(struct book *book, struct store *store, uint16_t broker, uint32_t queues_max,
    uint32_t levels_max);
void book_fini(struct book *book);

/* Read queues, levels and transit at start. Errors: STINT_DAMAGED (a row's check fails). */
enum stint_status book_load(struct book *book);

/* Write what changed since the last flush. */
void book_flush(struct book *book);

struct queue *book_queue(struct book *book, struct slice name);
/* One that is only in memory; NULL if there is none. */
struct queue *book_queue_expected(struct book *book, struct slice name);
/* One that a job is put into. Errors: NULL if there are queues_max of them. */
struct queue *book_queue_make(struct book *book, struct slice name);
/* One that a peer serves or watches: until a job comes, it is only in memory. Errors: NULL if too
 * many are expected. */
struct queue *book_queue_expect(struct book *book, struct slice name);
/* From now on, and after a restart. Of the order in which jobs are handed out, those that are kept
 * apart are not told: apart_sort. */
void book_queue_set(struct book *book, struct queue *queue, struct queue_settings set);
/* Have queues of the pool weights? */
bool book_is_weighted(const struct book *book, struct pool *pool);
/* A queue that holds nothing goes, with what is set for it. Its number is not used again, so that
 * no id is ever given twice. If somebody names or watches it, it stays as one that is only in
 * memory. False if it was changed since book_flush: then it stays. */
bool book_queue_remove(struct book *book, struct queue *queue);
struct queue *book_queue_by_number(struct book *book, uint32_t number);
/* Errors: NULL if it is not there, or, where it is to be made, if there are levels_max. */
struct level *book_level(struct book *book, struct queue *queue, uint8_t priority, bool make);
/* The level of an id, or NULL if no such job can ever have been made here. */
struct level *book_level_of(struct book *book, const struct stint_id *id);
struct stint_id book_id(const struct book *book, const struct level *level, uint64_t sequence);

/* Does somebody need it to be there, though nothing is in it? */
static inline bool
queue_is_used(const struct queue *queue)
{
    return queue->workers > 0 || queue->watchers > 0 || queue->draining > 0 ||
        queue->servings.wants.reserved > 0;
}

/* What was counted of a queue's jobs, ever: the sums over its levels. */
void book_totals(const struct queue *queue, uint64_t totals[STINT_COUNTS]);

/* Count a job that leaves `from` and enters `to`; STINT_UNKNOWN stands for outside. */
void book_count(struct book *book, struct level *level, enum stint_state from, enum stint_state to);

/* The block of 256 neighbours that an id stands in, if any of them runs or is kept apart; else
 * NULL. Borrowed until the next flush. */
struct block *book_block(struct book *book, const struct stint_id *id);

static inline unsigned
block_bit(const struct stint_id *id)
{
    return id->bytes[STINT_ID_BYTES - 1];
}

bool book_is_running(struct book *book, const struct stint_id *id);
void book_set_running(struct book *book, const struct stint_id *id);
void book_clear_running(struct book *book, const struct stint_id *id);

/* A ready job is kept apart from now on: searching passes over it. */
void book_set_apart(struct book *book, struct level *level, const struct stint_id *id);
/* And no longer. Searching finds it only after book_ready_at. */
void book_clear_apart(struct book *book, struct level *level, const struct stint_id *id);

/* Is anything set for it? Then it is kept, also when it is empty. */
static inline bool
queue_is_set(const struct queue *q)
{
    return q->set.paused || q->set.closed || q->set.lifo || q->set.low_first || q->set.running ||
        q->set.rate || q->set.weight || q->set.backlog_max || q->set.keep ||
        q->set.time_to_run_ms || q->set.group_running || q->set.group_weights || q->set.group_rate;
}

/* So long, in ms, outcomes are kept of its jobs that say nothing. */
static inline uint64_t
queue_keep(const struct queue *q, uint64_t otherwise)
{
    return q->set.keep ? q->set.keep - 1 : otherwise;
}

/* So many turns it has among the queues of a worker. */
static inline uint32_t
queue_weight(const struct queue *q)
{
    return q->set.weight ? q->set.weight : 1;
}

/* Is a job of priority `a` handed out before one of `b`? */
static inline bool
queue_prefers(const struct queue *q, uint8_t a, uint8_t b)
{
    return q->set.low_first ? a < b : a > b;
}

/* A job of this level became ready: the search for the next ready one does not pass it. */
static inline void
book_ready_at(struct level *level, uint64_t sequence)
{
    posts_wake(&level->queue->servings.posts);
    reach_to(&level->reach, sequence);
    if (sequence < level->groups.oldest)
        level->groups.oldest = sequence;
    for (uint32_t i = 0; i < level->scans_count; i++)
        reach_to(&level->scans[i].reach, sequence);
    if (level->lanes)
        lanes_ready_at(level->lanes, sequence);
}

/* Those that name the queue and handle these kinds; there has to be one. */
static inline struct serving *
queue_serving(struct queue *queue, const struct kinds *kinds)
{
    struct serving *s = queue->servings.list;
    while (s->kinds != kinds)
        s++;
    return s;
}

/* How many workers serve it, by its name or by a prefix. */
static inline uint32_t
queue_workers(const struct queue *queue)
{
    uint32_t workers = posts_workers(&queue->servings.posts);
    for (uint32_t i = 0; i < queue->servings.count; i++)
        workers += queue->servings.list[i].workers;
    return workers;
}

/* Call `each` for every running job, in the order of ids within a block. */
void book_each_running(
    struct book *book, void (*each)(void *context, const struct stint_id *id), void *context);

#endif
