/* How far runs are, as their workers have told last: in memory alone, and no more of it than fits
 * into a bound over all of them. What was told longest ago makes room.
 */
#ifndef PROGRESS_H
#define PROGRESS_H

#include "message.h"

/* Of a run that has told something. */
struct progress {
    struct progress **owner; /* its lease's pointer to it */
    const struct stint_id *id; /* the lease's */
    uint32_t attempt, percent;
    uint64_t told_ms; /* by now_ms */
    bool fresh; /* those who watch the job were not told */
    bool listed; /* among the news */
    struct progress *prev, *next; /* who told longest ago is first */
    struct progress *prev_news, *next_news;
    uint32_t text_bytes;
    char text[]; /* with a final NUL */
};

struct progresses {
    struct progress *all;
    struct progress *news; /* of jobs that are watched; who is to be told first is first */
    uint64_t bytes; /* of all */
    uint64_t pushed_ms; /* by now_ms: when watchers were told last */
};

/* In place of what `*owner` points to, which may be NULL; what says nothing just takes that away.
 * Then the oldest ones go, as far as all together are over `most` bytes. */
void progress_tell(struct progresses *all, struct progress **owner, const struct stint_id *id,
    const struct told_progress *told, uint64_t now_ms, uint64_t most);
/* It is not there any more. */
void progress_forget(struct progresses *all, struct progress *progress);
/* Watchers are to be told of it; they were told. */
void progress_list(struct progresses *all, struct progress *progress);
void progress_unlist(struct progresses *all, struct progress *progress);
/* As it is told; `progress` may be NULL. The text is borrowed. */
struct stint_progress progress_info(const struct progress *progress, uint64_t now_ms);

#endif
