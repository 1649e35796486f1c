/* How attempts begin, and how they end. */
#ifndef ATTEMPT_H
#define ATTEMPT_H

#include "job.h"

/* An attempt that no worker could begin, or that was not ended in time, has failed. The job is
 * ready or running. */
void attempt_failed(struct core *core, struct job *job, enum record_last last, struct slice why);
/* The record tells of its last attempt that it ended so, with the first line of `error`; whoever
 * does so moves the job then. If it ends now, the job has its lease still; if that was taken
 * before, `teller` says it late, and what was kept of it is put right. */
void attempt_keep(struct core *core, struct job *job, const struct worker *teller,
    enum stint_attempt_end end, struct slice error);
/* The lease ends and its job goes back to the backlog, or is dead if its attempts are used up. */
void
attempt_release(struct core *core, struct lease *lease, enum record_last last, const char *why);
/* A job that waits has not begun in time. */
void attempt_expire(struct core *core, struct job *job);
void attempt_revoke(struct core *core, struct lease *lease, enum stint_status why);
/* The lease of a job whose record this is, and which stands in that level, for its next attempt.
 * `worker` may be NULL: then it is a running one, which nobody has claimed since the restart. */
struct lease *attempt_lease(struct core *core, const struct level *level, const struct stint_id *id,
    const struct stint_id *key, const struct record *record, struct worker *worker);
/* The attempt has begun. False: its record is damaged, and its lease over. */
bool attempt_begin(struct core *core, struct lease *lease);
void attempt_claim(struct core *core, struct peer *peer, const struct message *m);
void attempt_started(struct core *core, struct peer *peer, const struct message *m);
/* Leases of this worker whose time is long over are taken back. */
void attempt_judge(struct core *core, struct worker *worker);
/* A worker's leases end, lost; then the worker is forgotten. */
void attempt_end_worker(struct core *core, struct worker *worker);
/* What nobody has claimed since the restart is lost. */
void attempt_end_grace(struct core *core);
/* Jobs that everybody has refused who is left have failed. */
void attempt_judge_refused(struct core *core);
/* A run that is over counts in the time of all runs of its job. `ended`: its worker has told how it
 * ended, so that it has begun, though that may not have been told. */
void
attempt_ran(const struct core *core, const struct lease *lease, struct record *record, bool ended);
/* The last run was taken back, and has ended now, as its worker tells. */
void attempt_ran_on(const struct core *core, struct record *record);
/* The end of it, if it is too long. */
void attempt_set_error(struct record *r, struct slice text);
/* The attempt has failed as its worker says, or for ever (OUTCOME_DEAD). */
void attempt_fail(struct core *core, struct job *job, const struct outcome *o);

#endif
