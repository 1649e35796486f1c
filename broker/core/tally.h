/* What is counted of jobs as they come, run and go, and told with LIST_FIGURES. The counts are in
 * the levels' rows, which the step writes anyway, so they are exact whatever happens to the broker;
 * rates and times are in memory (figures.h).
 */
#ifndef TALLY_H
#define TALLY_H

#include "state.h"

/* So many pairs of a queue and a kind are measured in all; jobs of others are only counted. */
enum { SERIES_MAX = 4096 };

/* Brings a queue's rates and times to the present slot, before anything is added to them. */
void tally_roll(struct core *core, struct queue *queue);

static inline void
tally_count(struct core *core, struct level *level, enum stint_count what)
{
    if (level->queue->past.slot != core->clocks.slot)
        tally_roll(core, level->queue);
    level->totals[what]++;
    core->book.sums.totals[what]++;
}

/* A job is handed out. */
void tally_start(
    struct core *core, struct level *level, const struct record *record, struct lease *lease);

/* An attempt has ended by itself, and that was counted. */
static inline void
tally_run(struct core *core, const struct queue *queue, const struct lease *lease)
{
    struct series *s = lease->leased.series;
    if (s)
        timing_add(&s->run, queue->past.figures->span, core->clocks.now_ms - lease->dispatched_ms);
}

#endif
