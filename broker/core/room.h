/* Jobs that need something of their worker: which of them a worker has room for, and who makes room
 * for one that finds none.
 *
 * A job goes only to a worker that has its labels, and as much of each amount as it needs, which is
 * the worker's no more until the job ends. It takes a slot: none is held ahead. Whoever has no slot
 * for the one whose turn it is takes no others ahead meanwhile.
 *
 * A want whose next job has found room nowhere for RESERVE_AFTER_MS, though there are workers that
 * could run it, is reserved one of these: that is given nothing that takes amounts but jobs of the
 * want, until one of them was handed out, to whomever. What takes none goes on. As that one may run
 * what takes very long, another one is reserved each time that the time it has waited is twice as
 * long. A worker is reserved for one want.
 */
#ifndef ROOM_H
#define ROOM_H

#include "state.h"

enum { RESERVE_AFTER_MS = 5000 };

/* May the worker be given a job now that needs this, if it has a slot? `want` is that of its queue;
 * NULL: there are too many. */
bool room_fits(const struct worker *worker, const struct needs *needs, const struct want *want);
/* May searching find a job in the level that this worker handles; `fitting`: and has room for? */
bool room_may_have(struct level *level, const struct worker *worker, bool fitting);
/* The first of those that have room, or that it does not know yet. As book_next_ready. */
bool room_next(struct core *core, struct level *level, const struct worker *worker,
    struct stint_id *key, struct slice *bytes);
/* A job that needs something was found: from now on its want has a lane in the level, so that it
 * may be passed over. NULL: its queue has too many wants, and it is looked for when some are gone.
 */
struct want *room_meet(struct core *core, struct level *level, const struct stint_id *key,
    const struct record *record);
/* What is to become of a job that was found, and needs something. */
enum room {
    ROOM_GOOD, /* it is to be handed out */
    ROOM_NONE, /* it is passed over; its lane finds it again */
    ROOM_SLOT /* the worker is to wait until it has a slot for it */
};
enum room room_judge(struct core *core, struct worker *worker, struct level *level,
    const struct stint_id *key, const struct record *record);
/* A job that needs something was handed out. */
void room_given(struct core *core, const struct queue *queue, const struct record *record);
/* A worker looks for a job of the queue: it may be reserved for one that finds no room. */
void room_survey(struct core *core, struct worker *worker, struct queue *queue);
/* The worker is reserved: is there a job for it? It is no more, if there is none. */
enum room room_reserved(struct core *core, struct worker *worker);
/* Has it room for the job that it is reserved for, but for a slot? */
bool room_waits(const struct worker *worker);

/* The want of the queue's jobs that need this; NULL: there are too many others. */
struct want *room_want(struct core *core, struct queue *queue, struct slice needs);
/* May a job that needs this come to the queue? */
bool room_admits(struct core *core, struct queue *queue, struct slice needs);
/* What the spec needs, as the record has it. */
void room_record(struct core *core, struct record *record, const struct job_spec *spec);
/* Is a job of the lane ready that is of these kinds (NULL: any)? It is not passed. `record` borrows
 * until the store is written. */
bool room_peek(struct core *core, struct level *level, struct lane *lane, const struct kinds *kinds,
    struct stint_id *key, struct record *record);
/* Has this worker said that it can't start the job? `refusers` may be NULL. */
bool refusers_have(const struct refusers *refusers, const struct worker *worker);
void room_check(const struct core *core);

#endif
