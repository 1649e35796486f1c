/* What is counted of jobs; the contract is in tally.h. */
#include "tally.h"

void
tally_roll(struct core *core, struct queue *q)
{
    uint64_t totals[STINT_COUNTS];
    book_totals(q, totals);
    if (q->past.figures)
        figures_roll(q->past.figures, core->clocks.slot, totals);
    else
        q->past.figures = figures_new(core->clocks.slot, totals);
    q->past.slot = core->clocks.slot;
}

/* How long it has been ready. */
static uint64_t
wait_ms(const struct core *core, const struct record *r)
{
    uint64_t since_ms = record_get(r, FIELD_READY, r->submitted_ms);
    return core->clocks.wall_ms > since_ms ? core->clocks.wall_ms - since_ms : 0;
}

void
tally_start(struct core *core, struct level *level, const struct record *r, struct lease *lease)
{
    tally_count(core, level, STINT_COUNT_STARTED);
    struct figures *f = level->queue->past.figures;
    unsigned count = f->series_count;
    struct series *s = figures_series(f, r->kind, core->book.sums.series < SERIES_MAX);
    core->book.sums.series += f->series_count - count;
    lease->leased.series = s;
    if (s)
        timing_add(&s->wait, f->span, wait_ms(core, r));
}
