/* What the broker counts, against what the oracle has seen. */
#include "oracle_inside.h"

/* What a job has gone through is counted: no less than the oracle has seen of it on disk, exactly
 * where each of it shows, and never less than was told before, whatever happened to the broker. */
void
totals_check(struct core *core, bool restarted)
{
    enum { ENDS = 4 };
    static const enum stint_state ends[ENDS] = {
        STINT_SUCCEEDED, STINT_DEAD, STINT_CANCELLED_JOB, STINT_EXPIRED};
    static const enum stint_count counted[ENDS] = {
        STINT_COUNT_SUCCEEDED, STINT_COUNT_DEAD, STINT_COUNT_CANCELLED, STINT_COUNT_EXPIRED};
    struct stint_stats stats;
    uint64_t stored = 0, attempts = 0, least[ENDS] = {0};
    for (uint32_t i = 0; i < known.count; i++) {
        const struct job *j = &known.jobs[i];
        stored += j->stored;
        attempts += j->seen_attempts;
        for (unsigned e = 0; e < ENDS; e++)
            least[e] += j->been >> ends[e] & 1;
    }
    core_stats(core, &stats);
    if (stats.totals[STINT_COUNT_SUBMITTED] < stored ||
        stats.totals[STINT_COUNT_SUBMITTED] > known.count + schedules_jobs() + batches_jobs())
        sim_broken("%llu jobs are counted as submitted, and %llu were seen of %u",
            (unsigned long long)stats.totals[STINT_COUNT_SUBMITTED], (unsigned long long)stored,
            known.count);
    if (stats.totals[STINT_COUNT_STARTED] < attempts)
        sim_broken("%llu attempts are counted, and %llu were seen",
            (unsigned long long)stats.totals[STINT_COUNT_STARTED], (unsigned long long)attempts);
    for (unsigned e = 0; e < ENDS; e++)
        if (stats.totals[counted[e]] < least[e])
            sim_broken("%llu jobs are counted as %s, and %llu were seen to be",
                (unsigned long long)stats.totals[counted[e]], stint_state_name(ends[e]),
                (unsigned long long)least[e]);
    for (unsigned c = 0; c < STINT_COUNTS; c++)
        if (stats.totals[c] < known.totals[c] || (restarted && stats.totals[c] != known.totals[c]))
            sim_broken("%s was counted to %llu and is %llu now",
                stint_count_name((enum stint_count)c), (unsigned long long)known.totals[c],
                (unsigned long long)stats.totals[c]);
    memcpy(known.totals, stats.totals, sizeof known.totals);
}
