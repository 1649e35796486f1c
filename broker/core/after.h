/* Jobs that wait for others: what is decided as they are submitted, and as those end. The rules are
 * in PROTOCOL.md, section 6.3; the rows in links.h.
 */
#ifndef AFTER_H
#define AFTER_H

#include "job.h"

/* Of those that the job is after: the first one that there is no record of, if there is such a one.
 * Those of its own message are not looked at. */
bool after_unknown(struct core *core, const struct job_spec *spec, struct stint_id *unknown);
/* A job of a message, or what it met. */
struct after_earlier {
    struct stint_id id;
    bool fresh; /* it was made, and has not ended */
};
/* Inserts a job that is after others; `earlier` are the jobs of its message before it. True: one of
 * them, `*failed`, has ended so that it may not run, and it is to be cancelled at once. */
bool after_insert(struct core *core, struct level *level, const struct stint_id *id,
    const struct job_spec *spec, const struct after_earlier *earlier, struct stint_id *failed);
/* The job, which is blocked, is cancelled for that. */
void after_cancel(struct core *core, const struct stint_id *id, const struct stint_id *failed);

/* Tells followers what became of those that they wait for, so many in a step. */
void after_step(struct core *core);

#endif
