/* The time of all runs of a job, as the oracle sees it: what its runs took in the workers, and what
 * the broker has counted of that. No job whose time is used up waits to be run again, and none runs
 * for longer than that, but for what the broker can't know: a run counts from when it is told of.
 */
#include "oracle_inside.h"

enum { MARGIN_MS = 1000 };

void
total_read(struct job *j, const struct record *r)
{
    j->now_total_ms = record_get(r, FIELD_TOTAL, 0);
    j->now_spent_ms = record_get(r, FIELD_SPENT, 0);
    j->now_spent = record_is_spent(r);
}

void
total_check(struct job *j)
{
    bool waits = j->now.state == STINT_READY || j->now.state == STINT_SCHEDULED;
    if (j->now.state == STINT_UNKNOWN)
        return;
    if (j->now_total_ms != j->wish.total_ms)
        sim_broken("%s has another time for all runs than it wished", job_named(j));
    if (waits && j->now_total_ms && j->now_spent)
        sim_broken("%s waits, and the time of all its runs is used up", job_named(j));
    if (stint_state_settled(j->was.state) && !stint_state_settled(j->now.state)) { /* retried */
        if (j->now_spent_ms)
            sim_broken("%s is retried, and has not all its time", job_named(j));
        j->took_us = j->runs = 0;
    }
}

uint64_t
total_left_ms(const struct job *j)
{
    if (!j->now_total_ms)
        return UINT64_MAX;
    return j->now_total_ms > j->now_spent_ms ? j->now_total_ms - j->now_spent_ms : 1;
}

void
oracle_run_took(uint32_t job, uint64_t us)
{
    struct job *j = &known.jobs[job];
    if (!j->wish.total_ms)
        return;
    j->took_us += us;
    j->runs++;
    uint64_t unknown_ms = j->runs * (known.options.lost_ms + MARGIN_MS);
    if (j->took_us > (j->wish.total_ms + unknown_ms) * 1000)
        sim_broken("%s has run for longer than all its runs may", job_named(j));
}
