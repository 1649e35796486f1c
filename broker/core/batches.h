/* Batches, as what becomes of their jobs counts in them. Whoever moves a job (job.c) says here that
 * it joins, ends, begins anew or is gone; nothing else changes the counts. A batch is over, and
 * settled, when it is closed and all its jobs have ended; what comes of that is in batch.h. In the
 * step in which it settles for the first time its row says which jobs it owes, so that whatever
 * stops us each is made once.
 *
 * A job's record says which batch it belongs to, and how (batch_value); STORE_MEMBERS lists those
 * jobs that are in one and known. A job of no batch comes nowhere near. What has changed in a step
 * is held in memory, and each row is written once, at its end.
 */
#ifndef BATCHES_H
#define BATCHES_H

#include "ids.h"
#include "state.h"

/* The batch of this number, held from now on; whoever changes it says so with `changed`. It stays
 * where it is until the end of the step. NULL: there is none, or its row is damaged. */
struct job_batch *batches_find(struct core *core, uint64_t number);
bool batches_are_held(const struct core *core, uint64_t number);
/* How it is, without holding it. */
bool batches_read(struct core *core, uint64_t number, struct row_batch *row);
/* What was said of it; borrowed until the store is written. */
bool batches_terms(struct core *core, uint64_t number, struct row_batch_terms *terms);
struct job_batch *batches_add(struct core *core, uint64_t number);
void batches_remove(struct core *core, struct job_batch *b);
/* Is any of its jobs known? */
bool batches_any_job(struct core *core, uint64_t number);
/* The first of its jobs whose id is not less; false: there is none. */
bool batches_next_job(struct core *core, uint64_t number, struct stint_id *id);

/* Does it take jobs of whom this grant is? STINT_NO_SUCH_BATCH, STINT_BATCH_OVER, STINT_DENIED. */
enum stint_status batches_takes(struct core *core, uint64_t number, const struct grant *grant);
/* The job, which is new, is one of it, if `value` says that. */
void batches_join(struct core *core, uint64_t value, const struct stint_id *id);
/* Its job has ended so. */
void batches_end(struct core *core, uint64_t value, enum stint_state to);
/* Its job, which had ended so, begins anew: a batch that is over is so no longer. */
void batches_revive(struct core *core, uint64_t value, enum stint_state from);
/* Its job is no more. */
void batches_leave(struct core *core, uint64_t value, const struct stint_id *id);
/* The job's record is damaged, and nobody knows which batch it was in. `ended`: it had. */
void batches_set_aside(struct core *core, const struct stint_id *id, bool ended);
/* It has been closed, or cancelled: is it over? */
void batches_judge(struct core *core, struct job_batch *b);
/* What comes between these is one: no batch is over as long as something of it may still join. */
void batches_begin_together(struct core *core);
void batches_end_together(struct core *core);

/* How its jobs have ended, for one that it has made. False: it has made none such. */
bool batches_counts(struct core *core, uint64_t value, struct stint_batch_counts *counts);

/* Is there something to do for it? */
static inline bool
batch_has_work(const struct row_batch *row)
{
    return (row->flags & (BATCH_CANCELS | 3 * BATCH_OWES)) != 0;
}

/* At the end of a step. */
void batches_write(struct core *core);
void batches_fini(struct core *core);

#endif
