/* SUBMIT. */
#ifndef SUBMIT_H
#define SUBMIT_H

#include "state.h"

/* It is answered with why it was not accepted. */
void submit_refuse(struct core *core, struct peer *peer, const struct message *m,
    enum stint_status status, uint32_t index, const char *why);
/* A job that the broker makes itself: may it be made, and why not? It is read into the decoded
 * ones. `instead`: in the place of one that waits in its queue, and leaves it first. */
enum stint_status submit_may(struct core *core, const struct job_spec *spec, bool instead);
/* It may be made, and is. `*id` is its id, or that of the job that holds its unique key. */
enum stint_met submit_job(struct core *core, const struct job_spec *spec, struct stint_id *id);
/* Several, which are in the decoded ones: may all of them be made? If not, why. `beyond`: also
 * where as many wait as may. */
enum { SUBMIT_DETAIL_BYTES = 160 };
enum stint_status
submit_may_all(struct core *core, uint32_t count, bool beyond, char why[SUBMIT_DETAIL_BYTES]);
/* They may, and are. */
void submit_all(struct core *core, uint32_t count);
void submit_message(struct core *core, struct peer *peer, const struct message *m);

#endif
