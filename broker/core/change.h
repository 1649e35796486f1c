/* CANCEL, RETRY, CHANGE and DELETE; and the same of one job that was found. */
#ifndef CHANGE_H
#define CHANGE_H

#include "job.h"

void change_message(struct core *core, struct peer *peer, const struct message *m);

/* Where its job stands afterwards is not in `job` any more. Whoever asks may do that to it. */
typedef enum stint_status
change_fn(struct core *core, struct job *job, const struct change *change);
change_fn change_cancel, change_retry, change_delete;
/* As `change` says. Errors: as told of CHANGE. */
change_fn change_job;

#endif
