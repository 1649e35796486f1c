/* Jobs that wait for others, as the oracle sees them: none runs before those have ended, none waits
 * any longer, and none is cancelled without cause.
 */
#include "oracle_inside.h"
#include "stint_worker.h"

static const unsigned failures = 1U << STINT_DEAD | 1U << STINT_CANCELLED_JOB | 1U << STINT_EXPIRED;

static const struct job *
parent(const struct job *j, unsigned n)
{
    return &known.jobs[j->wish.after.jobs[n]];
}

static bool
is_over(const struct job *p)
{
    return p->stored && (p->now.state == STINT_UNKNOWN || stint_state_settled(p->now.state));
}

/* The states in which it may have ended ever, as bits. Jobs are judged in the order of their
 * numbers, so what became of this one in the step is known. */
static unsigned
ends(const struct job *p)
{
    return p->been | p->passed | (stint_state_settled(p->now.state) ? 1U << p->now.state : 0);
}

bool
after_may_run(const struct job *j)
{
    bool may = true;
    for (unsigned n = 0; n < j->wish.after.count; n++)
        may &= (ends(parent(j, n)) & (j->wish.after.any ? ~0U : 1U << STINT_SUCCEEDED)) != 0;
    return may;
}

bool
after_may_fail(const struct job *j)
{
    bool may = false;
    for (unsigned n = 0; n < j->wish.after.count; n++)
        may |= !j->wish.after.any && (ends(parent(j, n)) & failures);
    return may;
}

void
after_read(struct job *j, const struct record *r)
{
    j->now_after = (uint32_t)record_get(r, FIELD_AFTER, 0);
    if (record_has(r, FIELD_AFTER) != (j->wish.after.count > 0))
        sim_broken(
            "%s is after others, and nobody has wished it, or the other way round", job_named(j));
}

/* Those that have never ended it waits for; and for none whose end was on disk before this step. */
void
after_check(const struct job *j)
{
    unsigned least = 0, most = 0;
    if (j->now.state != STINT_BLOCKED)
        return;
    for (unsigned n = 0; n < j->wish.after.count; n++) {
        bool twice = n > 0 && j->wish.after.jobs[0] == j->wish.after.jobs[n];
        least += !twice && ends(parent(j, n)) == 0;
        most += !twice && !(j->ended >> n & 1);
    }
    if (j->now_after < least || j->now_after > most || j->now_after == 0)
        sim_broken("%s waits for %u others, and not for %u to %u", job_named(j), j->now_after,
            least, most);
}

void
after_remember(struct job *j)
{
    for (unsigned n = 0; n < j->wish.after.count; n++)
        j->ended |= (unsigned)is_over(parent(j, n)) << n;
}

void
oracle_check_parents(const struct stint_task *task, uint32_t number)
{
    const struct job *j = &known.jobs[number];
    size_t count;
    const struct stint_id *ids = stint_task_parents(task, &count);
    bool twice = j->wish.after.count == 2 && j->wish.after.jobs[0] == j->wish.after.jobs[1];
    if (count != j->wish.after.count - twice)
        sim_broken("the task of %s is told of %zu parents", job_named(j), count);
    for (unsigned n = 0; n < count; n++)
        if (id_compare(&ids[n], &parent(j, n)->id) != 0)
            sim_broken("the task of %s is told of another parent", job_named(j));
}

bool
oracle_told(uint32_t number, struct stint_id *id)
{
    *id = known.jobs[number].told;
    return known.jobs[number].answer == ANSWER_STORED;
}
