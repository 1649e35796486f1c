/* Groups: of a queue, any number of jobs may belong together, as those of one customer. Of each
 * group so many run at once, at such a rate, as is set for the queue, and groups take turns by
 * their weights. It costs no memory, however many there are: what is known of a group is a row of
 * STORE_GROUPS, which is there as long as the group has jobs that wait or run (and, where there is
 * a rate, until its bucket is full again).
 *
 * The record of a ready job stands in STORE_LIVE as any other, and searching passes over it: it is
 * counted as one that is kept apart. Where it is in its group is told elsewhere:
 *
 *   in line   group_line.h, in the order in which the group's jobs go
 *   stands    STORE_GROUP_TURNS: the head of its line, if the group may run one more. One of a
 *             group stands at a time. Of those that stand in a level, the one whose turn is first
 *             is handed out; then the next of its group comes to stand, if that may.
 *   out       It runs. One that is kept apart (apart.h) counts as out too, and has a row of
 *             STORE_GROUP_TURNS with a turn that never comes, so that a restart finds it; those
 *             go before others of the group, and as many may be kept apart as there are. Where
 *             one of a group runs at a time, one that waits for its next run after a failure is
 *             out as well (record_holds): nothing of its group overtakes it.
 *
 * Turns are by start-time fair queueing. A queue's time is the turn that was handed out last. A
 * group's turn is that time, or when its last turn has finished, if that is later; it finishes
 * GROUP_TURN / weight later. Jobs without a group take turns with them as one group of weight 1.
 * So a group that comes is behind nobody's past, and one that was away has saved nothing up.
 *
 * A job without a group comes nowhere near.
 */
#ifndef GROUPS_H
#define GROUPS_H

#include "group_book.h"

enum { GROUP_TURN = 1 << 20 }; /* from one turn to the next of a group of weight 1 */

/* A job of a group is ready, and was in that state before; one that kept its place is as one that
 * ran. */
void groups_offer(struct core *core, struct level *level, const struct stint_id *key,
    const struct record *record, enum stint_state before);
/* The job, which is in that state, leaves it. If it has a group, it waits or runs there no more,
 * and keeps no place. */
void groups_part(struct core *core, struct level *level, const struct stint_id *key,
    struct record *record, enum stint_state state);
/* It is handed out. */
void groups_take(struct core *core, struct level *level, const struct stint_id *key,
    const struct record *record);
/* A job that ran, or had just run, is to wait for its next run: does it keep its group's place? It
 * does, if one of the group runs at a time. A ready one, which was taken from its worker, is out
 * then. */
bool groups_hold(struct core *core, struct level *level, const struct stint_id *key,
    struct record *record, enum stint_state state);

/* A ready job is kept apart from now on; or no more. */
void groups_set_apart(struct core *core, struct level *level, const struct stint_id *key,
    const struct record *record);
void groups_clear_apart(struct core *core, struct level *level, const struct stint_id *key);
/* May it be handed out, as far as its group goes? That may write when it may. */
bool groups_apart_may(struct core *core, struct level *level, const struct stint_id *key);
/* A record that is damaged was set aside, and its job was in this state (and is counted in it no
 * more); its bytes say of which group it may have been. */
void groups_set_aside(struct core *core, struct level *level, const struct stint_id *key,
    struct slice bytes, enum stint_state state);

/* One that stands, as it was found. */
struct standing {
    struct stint_id key;
    uint64_t turn;
    uint8_t name_bytes, name[LIMIT_GROUP_BYTES]; /* of its group; 0: damaged, as its record is */
};

/* The first that stands in the level at or behind that place, which is the begin, unless
 * groups_settle was called and nobody has come to stand since. */
bool groups_next(struct core *core, struct level *level, const struct group_turn *from,
    struct standing *standing);
/* All that stand in the level are in the store. */
void groups_settle(struct core *core, struct level *level);
/* Is it the turn of jobs without a group, before the first that stands there? */
bool groups_is_others_turn(struct core *core, struct level *level, const struct group_turn *from);
/* They had it. */
void groups_pass_others(struct core *core, struct queue *queue);
/* May its group run one more? Limits may have changed since it came to stand; if not, it is in line
 * again. */
bool groups_still_may(struct core *core, struct level *level, const struct standing *standing);
/* What stands there has no record any more. */
void groups_drop(struct core *core, struct level *level, const struct standing *standing);
/* Nothing stands there, though it was counted: the store is damaged. */
void groups_are_lost(struct core *core, struct level *level);
/* Another one may be found in the level by those who handle some kinds only. */
void groups_seek_again(struct level *level);

/* How a job of a group waits, for people. */
struct group_wait {
    bool stands, full, busy; /* full: as many run, or are kept apart, as may; busy: run */
    uint64_t out, ready;
    uint64_t token_ms; /* until it has a token; 0: it has one */
};
struct group_wait groups_wait_of(
    struct core *core, struct queue *queue, const struct stint_id *key, struct slice name);

/* Look at a group: does one come to stand? Or is the group no more? */
void groups_look_at(struct core *core, struct queue *queue, struct slice name);
#endif
