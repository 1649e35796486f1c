/* Where the jobs of a message go: each queue, and each level of one, is found in one look. */
#ifndef PLACES_H
#define PLACES_H

#include "after.h"

enum {
    PLACES = 2 * LIMIT_JOBS,
    PLACES_SLOTS = 4 * PLACES,
    ANY_PRIORITY = 256,
};

/* A queue, or a level, that jobs of a message are for. */
struct place_of_jobs {
    const struct job_spec *first;
    struct queue *queue; /* NULL: it is to be made */
    struct level *level;
    unsigned priority; /* ANY_PRIORITY: it stands for the queue */
    uint32_t jobs; /* so far */
    uint64_t next; /* the next id of a resent message's job */
};

/* All of one message, found by name and priority in one look. */
struct places {
    struct place_of_jobs all[PLACES];
    uint32_t count, stamp;
    struct {
        uint32_t stamp, index;
    } slots[PLACES_SLOTS];
    struct after_earlier earlier[LIMIT_JOBS]; /* the message's jobs, so far */
};

struct places *places_new(void);
/* Another message begins. */
void places_begin(struct places *places);
/* The place of this job, or, of ANY_PRIORITY, of its queue; a new one has no jobs and no queue yet.
 */
struct place_of_jobs *
places_find(struct places *places, const struct job_spec *spec, unsigned priority);

static inline bool
same_name(struct slice a, struct slice b)
{
    return a.data == b.data || (a.size == b.size && memcmp(a.data, b.data, a.size) == 0);
}

/* Does the job go where the one before it went? */
static inline bool
same_place(const struct job_spec *specs, uint32_t i)
{
    return i > 0 && specs[i].priority == specs[i - 1].priority &&
        same_name(specs[i].queue, specs[i - 1].queue);
}

#endif
