/* Is a filter true of a job? Pure. */
#ifndef MATCH_H
#define MATCH_H

#include "filter.h"
#include "job.h"

/* What its terms say of queues: none of a queue's jobs is meant if that is false. */
bool match_queue(const struct filter *filter, const struct queue *queue);
/* Of a job whose queue they are true of; ages are as of `now_ms`, by the broker's time. */
bool match_job(
    const struct core *core, const struct filter *filter, const struct job *job, uint64_t now_ms);

/* The batch whose jobs alone it may be true of; 0: it does not say. */
uint64_t match_batch(const struct filter *filter);

#endif
