/* Unique keys, as the oracle sees them: of a queue, one job at a time has a key. */
#include "oracle_inside.h"

#include "now.h"

/* A broker's time may stand still while it is away, and a key is held by it. */
enum { SLACK_US = 60 * 1000000 };

static bool
lives(const struct job *j)
{
    return j->now.state != STINT_UNKNOWN && !stint_state_settled(j->now.state);
}

static bool
same_key(const struct job *a, const struct job *b)
{
    return a->now_queue == b->now_queue && strcmp(a->wish.unique, b->wish.unique) == 0;
}

/* Of those that hold it until they are over there is one; and of those that have never been handed
 * out, however they hold it. */
static bool
may_share(const struct job *a, const struct job *b)
{
    bool waiting = a->now.state != STINT_RUNNING && b->now.state != STINT_RUNNING &&
        a->now.attempt == 0 && b->now.attempt == 0;
    return !waiting && (a->wish.unique_waiting || b->wish.unique_waiting);
}

void
unique_check(void)
{
    for (uint32_t i = 0; i < known.count; i++) {
        const struct job *a = &known.jobs[i];
        if (!a->wish.unique || !lives(a))
            continue;
        for (uint32_t n = 0; n < i; n++) {
            const struct job *b = &known.jobs[n];
            if (b->wish.unique && lives(b) && same_key(a, b) && !may_share(a, b))
                sim_broken("%s has the unique key of another one", job_named(a));
        }
    }
}

void
unique_remember(struct job *j)
{
    j->over_us = lives(j) ? 0 : j->over_us ? j->over_us : world_us();
}

void
oracle_met(uint32_t number, const struct stint_id *id)
{
    struct job *j = &known.jobs[number];
    const struct job *other = job_known(id);
    sim_trace("  told  job %u: there is one", number);
    if (j->stored)
        sim_broken("%s is stored, and was said to have met another one", job_named(j));
    if (!j->wish.unique || !other || !other->wish.unique ||
        strcmp(j->wish.unique, other->wish.unique) != 0)
        sim_broken("a job was said to have met one of another key");
    uint64_t held_us = other->been >> STINT_SUCCEEDED & 1 ? other->wish.unique_for_ms * 1000 : 0;
    if (other->over_us && other->over_us + held_us + SLACK_US < j->wished_us)
        sim_broken("%s holds its key long after it was over", job_named(other));
    j->answer = ANSWER_MET;
}
