/* What comes of it that a batch is over: the jobs that it makes, whoever waits for it, and that it
 * is forgotten in the end. And its jobs are cancelled, so many in a step, when it is to be
 * cancelled.
 *
 * What is to be done stands in the batch's row. A job that can't be made (its queue is closed or
 * full) is tried again and again. A batch is forgotten when it has been over for as long as it is
 * to be kept and neither one of its jobs nor one that it has made is left; so is one that was never
 * given a job. For that all rows are looked at, now and then, a piece in a step.
 */
#ifndef BATCH_H
#define BATCH_H

#include "state.h"

/* At start: all rows are to be looked at. */
void batch_load(struct core *core);
void batch_fini(struct core *core);

/* Before jobs are handed out. */
void batch_step(struct core *core);
/* When all has happened that happens in a step: whoever waits is told, and rows are written. */
void batch_end_step(struct core *core);
uint64_t batch_idle_ms(const struct core *core);

void batch_describe(
    struct core *core, uint64_t number, const struct row_batch *row, struct stint_batch_info *info);
/* Its jobs that have not ended are cancelled from now on, and it takes no more. */
void batch_cancel(struct core *core, struct job_batch *b);
/* A WAIT_BATCH is answered when the batch is over. False: this peer waits for too many. */
bool batch_wait(struct core *core, const struct peer *peer, uint64_t number, uint64_t batch);

#endif
