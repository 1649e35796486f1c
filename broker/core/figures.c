/* Figures of one queue; the contract is in figures.h. */
#include "figures.h"

#include <stdlib.h>

struct figures *
figures_new(uint64_t slot, const uint64_t totals[STINT_COUNTS])
{
    struct figures *f = calloc(1, sizeof *f);
    if (!f)
        abort();
    f->slot = slot;
    memcpy(f->begun, totals, sizeof f->begun);
    return f;
}

void
figures_destroy(struct figures **f)
{
    if (!*f)
        return;
    for (unsigned i = 0; i < (*f)->series_count; i++)
        free((*f)->series[i]);
    free(*f);
    *f = NULL;
}

/* So many spans have begun since. */
static void
turn_spans(struct figures *f, uint64_t passed)
{
    for (; passed > 0; passed--) {
        f->span = 1 - f->span;
        for (unsigned i = 0; i < f->series_count; i++) {
            f->series[i]->wait.spans[f->span] = (struct histogram){.max_ms = 0};
            f->series[i]->run.spans[f->span] = (struct histogram){.max_ms = 0};
        }
    }
}

void
figures_roll(struct figures *f, uint64_t slot, const uint64_t totals[STINT_COUNTS])
{
    uint64_t passed = slot - f->slot, spans = slot / SPAN_SLOTS - f->slot / SPAN_SLOTS;
    uint32_t *over = f->slots[f->slot % SLOTS_KEPT];
    if (passed == 0)
        return;
    for (unsigned i = 0; i < STINT_COUNTS; i++)
        over[i] = (uint32_t)(totals[i] - f->begun[i]);
    for (uint64_t i = 1; i < passed && i < SLOTS_KEPT + 1; i++)
        memset(f->slots[(f->slot + i) % SLOTS_KEPT], 0, sizeof f->slots[0]);
    memcpy(f->begun, totals, sizeof f->begun);
    f->slot = slot;
    turn_spans(f, spans < 2 ? spans : 2);
}

struct series *
figures_find(struct figures *f, struct slice kind, bool more)
{
    struct series *s = NULL;
    for (unsigned i = 0; i < f->series_count; i++)
        if (f->series[i]->kind_bytes == kind.size &&
            memcmp(f->series[i]->kind, kind.data, kind.size) == 0)
            return f->recent = f->series[i];
    if (f->series_count > KINDS_KEPT) /* the last one is the rest's */
        return f->series[KINDS_KEPT];
    if (!more)
        return NULL;
    s = calloc(1, sizeof *s);
    if (!s)
        abort();
    if (f->series_count < KINDS_KEPT) {
        s->kind_bytes = (uint8_t)kind.size;
        memcpy(s->kind, kind.data, kind.size);
    }
    return f->series[f->series_count++] = s;
}

uint64_t
histogram_top(unsigned bucket)
{
    if (bucket < LINEAR_BUCKETS)
        return bucket;
    unsigned power = 4 + (bucket - LINEAR_BUCKETS) / POWER_BUCKETS;
    uint64_t part = (bucket - LINEAR_BUCKETS) % POWER_BUCKETS;
    return ((POWER_BUCKETS + part + 1) << (power - 3)) - 1;
}

void
timing_add_all(struct timing *to, const struct timing *from)
{
    to->count += from->count;
    to->sum_ms += from->sum_ms;
    for (unsigned s = 0; s < 2; s++) {
        struct histogram *h = &to->spans[s];
        const struct histogram *more = &from->spans[s];
        for (unsigned i = 0; i < TIME_BUCKETS; i++)
            h->counts[i] += more->counts[i];
        if (more->max_ms > h->max_ms)
            h->max_ms = more->max_ms;
    }
}

/* The time within which the first `rank` of both histograms are. */
static uint64_t
time_of(const struct timing *t, uint64_t rank)
{
    unsigned bucket = 0;
    uint64_t seen = 0;
    for (; bucket < TIME_BUCKETS - 1; bucket++) {
        seen += t->spans[0].counts[bucket] + (uint64_t)t->spans[1].counts[bucket];
        if (seen >= rank)
            break;
    }
    return histogram_top(bucket);
}

static uint64_t
percentile(const struct timing *t, const struct stint_times *times, unsigned percent)
{
    uint64_t ms = time_of(t, (times->recent * percent + 99) / 100);
    return ms < times->max_ms ? ms : times->max_ms;
}

void
timing_tell(const struct timing *t, struct stint_times *times)
{
    *times = (struct stint_times){.count = t->count, .sum_ms = t->sum_ms};
    for (unsigned s = 0; s < 2; s++) {
        for (unsigned i = 0; i < TIME_BUCKETS; i++)
            times->recent += t->spans[s].counts[i];
        if (t->spans[s].max_ms > times->max_ms)
            times->max_ms = t->spans[s].max_ms;
    }
    if (times->recent == 0)
        return;
    times->p50_ms = percentile(t, times, 50);
    times->p90_ms = percentile(t, times, 90);
    times->p99_ms = percentile(t, times, 99);
}

void
figures_rates(const struct figures *f, const uint64_t totals[STINT_COUNTS], uint64_t passed_ms,
    uint64_t up_ms, uint64_t rates[STINT_RATES][STINT_COUNTS])
{
    static const unsigned slots[STINT_RATES] = {
        60000 / FIGURES_SLOT_MS, 300000 / FIGURES_SLOT_MS, SLOTS_KEPT};
    for (unsigned r = 0; r < STINT_RATES; r++) {
        uint64_t over_ms = (uint64_t)slots[r] * FIGURES_SLOT_MS + passed_ms;
        over_ms = over_ms < up_ms ? over_ms : up_ms;
        over_ms = over_ms > 1000 ? over_ms : 1000;
        for (unsigned c = 0; c < STINT_COUNTS; c++) {
            uint64_t sum = totals[c] - f->begun[c];
            for (unsigned i = 1; i <= slots[r] && i <= f->slot; i++)
                sum += f->slots[(f->slot - i) % SLOTS_KEPT][c];
            rates[r][c] = sum * 1000000 / over_ms;
        }
    }
}
