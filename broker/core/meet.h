/* A submit, or a job that comes back or moves, whose unique key is held by another job. */
#ifndef MEET_H
#define MEET_H

#include "job.h"

/* Does a job of the queue hold the key of this one? Then it is `*id`, and if the submit wants that
 * and it waits, it has taken the payload or the time of the new one. Else STINT_MET_NOTHING. */
enum stint_met meet_holder(
    struct core *core, const struct queue *queue, const struct job_spec *spec, struct stint_id *id);
/* Would it meet one? Nothing is changed. */
bool meet_any(struct core *core, const struct queue *queue, const struct job_spec *spec);
/* May this job, which does not run, and stands or is to stand in that queue, have its key there? It
 * may if it has none. It is read again, if another one was. */
bool meet_is_free(struct core *core, uint32_t queue, struct job *job);

#endif
