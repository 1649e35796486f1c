/* What must be true, said apart from the core and far more simply. The oracle hears what clients
 * submit and what they are answered, reads every frame that reaches or leaves the broker, and after
 * each commit reads the store's tables itself. A job's whole life is a small automaton: from what
 * it was before a step, what came in and went out must explain what it is after it. What can't be
 * explained is a broken promise.
 */
#ifndef ORACLE_H
#define ORACLE_H

#include "core.h"
#include "message.h"
#include "sim.h"

/* What a client wants of a job. The job's number is in its payload, so that it can be told apart
 * before it has an id, and in its result. */
struct wish {
    unsigned queue; /* 0.. */
    const char *kind;
    bool kills; /* its run ends its worker, until faults stop */
    bool picky; /* only some workers can start it */
    uint8_t priority;
    uint32_t max_attempts;
    int64_t keep_ms; /* negative: the broker's default */
    uint64_t time_to_run_ms, backoff_base_ms, backoff_cap_ms;
    uint64_t delay_ms; /* it comes to be run so much later; 0: at once */
    uint64_t expires_in_ms; /* it expires if it has not begun; 0: it does not */
    uint64_t total_ms; /* of all its runs; 0: no limit */
    const char *group; /* NULL: none */
    uint64_t batch; /* its number; 0: it is in none */
    const char *unique; /* its unique key; NULL: none */
    bool unique_waiting; /* that it holds only while it waits */
    uint64_t unique_for_ms; /* after a success */
    struct {
        uint32_t jobs[2]; /* numbers of those that it is after */
        unsigned count;
        bool any; /* any end of them will do */
    } after;
    const char *needs; /* of a worker, canonical; NULL: nothing */
    size_t payload_bytes, result_bytes;
};

void oracle_begin(const struct core_options *options);
void oracle_end(void);

/* ---- what clients do ---- */

/* A job is about to be submitted: its number, from 0. */
uint32_t oracle_wish(const struct wish *wish);
const struct wish *oracle_wish_of(uint32_t job);
/* A run of `parent` is about to ask for a job that comes with its end: its number. */
uint32_t oracle_brought(const struct wish *wish, uint32_t parent, uint32_t attempt);
bool oracle_was_brought(uint32_t job);
/* May there be so many jobs more? */
bool oracle_has_room(uint32_t count);
/* The payload of a job, or its result of an attempt; allocated. */
char *oracle_payload(uint32_t job);
char *oracle_result(uint32_t job, uint32_t attempt, size_t *bytes);
/* What a run of it puts out that fails; allocated. */
char *oracle_output(uint32_t job, size_t *bytes);
struct stint_task;
/* Is the task told what its job was after? */
void oracle_check_parents(const struct stint_task *task, uint32_t job);
/* The id of a job, if its submission was acknowledged. */
bool oracle_told(uint32_t job, struct stint_id *id);
/* The task fails, with that output. */
void oracle_fail(struct stint_task *task, uint32_t job, const char *why);
/* The number in a payload or result. False: it is neither. */
bool oracle_number(struct slice bytes, uint32_t *job, uint32_t *attempt);
/* Its submission was answered. `id` only if that is STINT_OK. */
void oracle_answered(uint32_t job, enum stint_status status, const struct stint_id *id);
/* Its submission made no job, as this one held its key. */
void oracle_met(uint32_t job, const struct stint_id *id);
/* Nobody will ever hear the answer: whoever asked is dead, and nobody asks again. */
void oracle_abandoned(uint32_t job);
/* A worker has begun to run a job: from now on it knows that it holds it. */
void oracle_run_began(uint32_t job, uint32_t attempt, const char *worker);
/* A run has ended in its worker, and took so long. */
void oracle_run_took(uint32_t job, uint64_t us);
/* A client heard how a job ended. */
void oracle_outcome(const struct stint_job_info *info);

/* A follower of the feed heard of this event, or that so many are not kept any more. */
void oracle_feed_heard(uint64_t number, const struct stint_event *event);
void oracle_feed_missed(uint64_t first, uint64_t count);
/* Is this the number of the event that it records next? 0: the follower has heard nothing yet. */
bool oracle_feed_ends_at(uint64_t next);

/* ---- what the broker does ---- */

/* It has started on what is in the store. */
void oracle_started(struct store *store, struct core *core);
/* It is about to take a batch, */
void oracle_batch(const struct batch *batch);
/* has committed, and is about to send; */
void oracle_stepped(struct store *store, struct core *core, const struct outbox *out);
/* or its commit failed: what is on disk may be before it or after it. */
void oracle_failed(const struct outbox *out);

/* ---- the end: faults have stopped, and all has been given time ---- */

/* Is every job that was acknowledged settled, or gone after it was? */
bool oracle_all_settled(void);
/* Say what is not as it should be in the end, if anything. */
void oracle_check_end(void);
/* Is nothing of any job left in the store? */
bool oracle_all_gone(void);

#endif
