/* Ready jobs that searching does not find. */
#ifndef APART_H
#define APART_H

#include "state.h"

/* A suspect that was found by searching. False: there is no room to keep it apart. */
bool apart_keep(
    struct core *core, struct level *level, const struct stint_id *key, const struct record *r);
/* Can it be remembered of one more job who has refused it? */
bool apart_has_room(const struct core *core);
/* A ready job that these sessions can't start, which are taken over. */
void apart_refused(struct core *core, struct level *level, const struct stint_id *key,
    const struct record *r, struct refusers *refusers);
/* Its refusers are the caller's now. */
void apart_take_refusers(struct core *core, struct apart *apart);
/* Its id, if it is kept apart, is so no longer. */
void apart_forget(struct core *core, const struct stint_id *key);
/* Is there a worker that has not refused it, and has what it needs (NULL: nothing)? */
bool apart_others(struct core *core, const struct queue *q, struct slice kind,
    const struct needs *needs, const struct refusers *refusers);
/* The queue's priorities have another order now. */
void apart_sort(struct queue *q);
/* What this worker may be given of the queue, unless jobs of the level `normal` (NULL: there are
 * none) are more urgent; or NULL. Where the queue has groups, that may write when one of them may
 * run one more. */
struct apart *apart_for(
    struct core *core, const struct worker *w, const struct queue *q, const struct level *normal);
/* That of this job; NULL: it is not kept apart. */
const struct apart *apart_find(const struct core *core, const struct stint_id *id);
void apart_check(const struct core *core);
void apart_fini(struct core *core);

#endif
