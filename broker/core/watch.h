/* What is pushed to peers: outcomes and events. */
#ifndef WATCH_H
#define WATCH_H

#include "job.h"

void watch_put_outcome(struct core *core, struct peer *peer, const struct stint_job_info *info);
void watch_settled(struct core *core, const struct job *job, struct slice result);
/* It stands in another queue, maybe: who may not see that one waits in vain, and is told so. */
void watch_moved(struct core *core, const struct job *job);
/* Does anybody hear of events? */
static inline bool
watch_hears(const struct core *core)
{
    return core->fleet.subscriptions || core->feeds.list;
}
void watch_event(struct core *core, enum stint_event_type type, const struct level *level,
    const struct stint_id *id, uint64_t count);
/* A job is new; the schedule that made it is named, if one did. */
void watch_submitted(
    struct core *core, const struct level *level, const struct stint_id *id, struct slice schedule);
void watch_subscribe(struct core *core, struct peer *peer, const struct message *m);
void watch_unsubscribe(struct core *core, struct peer *peer, const struct message *m);
void watch_flush(struct core *core);

#endif
