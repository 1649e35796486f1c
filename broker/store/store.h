/* The durable state: ordered tables of small rows, and one write transaction at a time. Only the
 * store knows how a commit is made durable. Callers see no LMDB; the simulator and the fuzzers
 * bring stores of their own.
 *
 * What the tables hold is told by the list below; how their rows are laid out, by rows.h. An
 * operation that the disk or the map refuses makes the whole transaction fail: from then on reads
 * find nothing, writes do nothing, and the commit returns STINT_IO. So callers look at one result,
 * the commit's.
 */
#ifndef STORE_H
#define STORE_H

#include "pack.h"
#include "stint_status.h"

enum store_table {
    STORE_META, /* name -> value: format, epoch, clock */
    STORE_QUEUES, /* queue number -> name, settings */
    STORE_LEVELS, /* queue, priority -> next sequence, counts by state */
    STORE_LIVE, /* id -> record: ready and running jobs, in dispatch order */
    STORE_TRANSIT, /* id of the first of 256 -> which of them are running, a bit each */
    STORE_PARKED, /* id -> record: scheduled and blocked jobs */
    STORE_DUE, /* time, id -> nothing: when scheduled jobs go back to live */
    STORE_SETTLED, /* id -> record: succeeded, dead, cancelled */
    STORE_EXPIRY, /* minute, id of the first of 1024 -> nothing: where settled records expire */
    STORE_PARTS, /* id, number -> a piece of a large body */
    STORE_SESSIONS, /* session -> last submission, pruned up to, when used */
    STORE_ANSWERS, /* session, submission -> its answer */
    STORE_DAMAGED, /* id -> the bytes of a record whose check failed, set aside */
    STORE_SETTINGS, /* whose -> what a person has set: the fleet's size, a worker's slots and pause
                     */
    STORE_NAMES, /* key -> id: what jobs are called that were moved, by where they stand */
    STORE_REDIRECTS, /* id -> key: the other way round */
    STORE_FEEDS, /* number of a feed -> its name, what it records and keeps, how far it is */
    STORE_EVENTS, /* feed, number of the first -> events of a step */
    STORE_BULKS, /* number -> an operation on many jobs: what it does, to which, how far it is */
    STORE_UNIQUE, /* queue number, unique key -> which job holds it, or until when it is held */
    STORE_UNIQUE_ENDS, /* time, queue number, unique key -> nothing: until then it is held */
    STORE_DEADLINES, /* time, key -> nothing: when jobs expire that have not begun */
    STORE_FOLLOWERS, /* id, id -> the second job, and so many before it, wait for the first */
    STORE_PARENTS, /* id, number -> ids of jobs that it is after, a hundred in a row */
    STORE_ENDED, /* id -> how that job ended: followers of it have to be told */
    STORE_SCHEDULES, /* name -> a schedule: its job, when it makes it, and how far it is */
    STORE_BATCHES, /* number, 0 or 1 -> a batch: how far it is; its title and the jobs it makes */
    STORE_MEMBERS, /* number of a batch, id -> nothing: the job is in it */
    STORE_GROUPS, /* queue number, group -> how many jobs of it wait and run, and when it is next */
    STORE_GROUP_LINES, /* queue number, group, priority, sequence -> jobs that wait in it, from that
                          one on */
    STORE_GROUP_TURNS, /* level, turn, sequence -> group: its next job, which may be handed out */
    STORE_GROUP_DUE, /* time, queue number, group -> nothing: then it is to be looked at */
    STORE_TABLES
};

struct store;

struct store_ops {
    void (*begin)(struct store *store);
    /* Make everything since begin durable, or nothing of it. Errors: STINT_IO. */
    enum stint_status (*commit)(struct store *store);
    void (*abort)(struct store *store);
    bool (*get)(struct store *store, enum store_table table, struct slice key, struct slice *value);
    /* The first row at or after `from`. */
    bool (*seek)(struct store *store, enum store_table table, struct slice from, struct slice *key,
        struct slice *value);
    /* The last row at or before `from`. */
    bool (*seek_back)(struct store *store, enum store_table table, struct slice from,
        struct slice *key, struct slice *value);
    /* Insert or replace; the value is `head` and then `body`. */
    void (*put)(struct store *store, enum store_table table, struct slice key, struct slice head,
        struct slice body);
    bool (*del)(struct store *store, enum store_table table, struct slice key);
    /* Bytes that new jobs may still take; what settles need is kept back and not counted. Asked
     * between transactions, so that it can be handed to a step with its batch. */
    uint64_t (*room)(struct store *store);
    void (*usage)(struct store *store, uint64_t *used_bytes, uint64_t *size_bytes);
    /* Bytes of memory that what is not committed takes, about. */
    uint64_t (*pending)(struct store *store);
    /* A sentence about the failure, for the log; "" as long as there was none. */
    const char *(*error)(struct store *store);
    void (*destroy)(struct store **store);
};

struct store {
    const struct store_ops *ops;
};

/* What get and seek hand out is borrowed until the next put or del, or the end of the
 * transaction. */

/* Does key `a` stand before key `b`? Where the pages of a tree are damaged, seek may find one that
 * stands before what it was asked for; a walk that goes on from there may never end. */
static inline bool
store_key_before(struct slice a, struct slice b)
{
    int order = memcmp(a.data, b.data, a.size < b.size ? a.size : b.size);
    return order < 0 || (order == 0 && a.size < b.size);
}

static inline bool
store_get(struct store *s, enum store_table table, struct slice key, struct slice *value)
{
    return s->ops->get(s, table, key, value);
}

static inline bool
store_seek(struct store *s, enum store_table table, struct slice from, struct slice *key,
    struct slice *value)
{
    return s->ops->seek(s, table, from, key, value);
}

static inline bool
store_seek_back(struct store *s, enum store_table table, struct slice from, struct slice *key,
    struct slice *value)
{
    return s->ops->seek_back(s, table, from, key, value);
}

static inline void
store_put(
    struct store *s, enum store_table table, struct slice key, struct slice head, struct slice body)
{
    s->ops->put(s, table, key, head, body);
}

static inline bool
store_del(struct store *s, enum store_table table, struct slice key)
{
    return s->ops->del(s, table, key);
}

#endif
