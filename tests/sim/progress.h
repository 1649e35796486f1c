/* Workers tell how far their jobs are, at random; and the oracle's part of that: what the broker
 * tells of it was told by the run that goes on, of that job, in that worker, and never goes back.
 */
#ifndef SIM_PROGRESS_H
#define SIM_PROGRESS_H

#include "message.h"
#include "sim.h"
#include "stint.h"
#include "stint_worker.h"

/* In a run: waits as actor_wait, and tells now and then how far it is. */
void progress_wait(struct stint_task *task, struct process *process, bool (*ready)(void *context),
    void *context, uint64_t until_us);
/* The oracle hears an answer. The reader of its elements is left as it was. */
void progress_told(const struct message *m, struct message_arrays *arrays);
void progress_begin(void);
/* This client hears how far jobs are, and maybe what they write. */
void progress_listen(struct stint_client *client, struct chance *chance, unsigned index);

#endif
