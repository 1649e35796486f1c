/* Figures of one queue: how fast its counts grow, and how long its jobs wait and run. Memory only;
 * the counts themselves are the levels' and in their rows. What stands here knows no clock: it is
 * told in which *slot* of FIGURES_SLOT_MS we are, and figures_roll, to be called whenever that has
 * changed, makes room for it.
 *
 * Rates are of the last 1, 5 and 15 minutes, counted in slots. Times go into log-linear histograms:
 * up to 15 ms each millisecond has a bucket of its own, and from there each power of two has 8. A
 * percentile is told as the largest time of its bucket, so it is never too low and at most an
 * eighth too high. Two histograms take turns every SPAN_SLOTS, and what is told is both: the last 5
 * to 10 minutes. Each kind has its own, up to KINDS_KEPT of a queue; the rest share one.
 */
#ifndef FIGURES_H
#define FIGURES_H

#include "pack.h"
#include "stint_job.h"

enum {
    FIGURES_SLOT_MS = 15000,
    SLOTS_KEPT = 60, /* that are over: 15 minutes */
    SPAN_SLOTS = 20, /* 5 minutes */
    KINDS_KEPT = 16, /* of a queue; then a series for the rest */
    LINEAR_BUCKETS = 16,
    POWER_BUCKETS = 8, /* of each power of two */
    POWERS = 32, /* from 2^4 on: up to two years */
    TIME_BUCKETS = LINEAR_BUCKETS + POWER_BUCKETS * POWERS,
};

struct histogram {
    uint32_t counts[TIME_BUCKETS];
    uint64_t max_ms;
};

struct timing {
    uint64_t count, sum_ms; /* all of them, ever */
    struct histogram spans[2];
};

/* Of the jobs of one kind; an empty one: of the rest. */
struct series {
    struct timing wait, run;
    uint8_t kind_bytes;
    char kind[STINT_NAME_BYTES];
};

struct figures {
    uint64_t slot; /* the one that is counted now */
    uint64_t begun[STINT_COUNTS]; /* the counts when it began */
    uint32_t slots[SLOTS_KEPT][STINT_COUNTS]; /* what those before it brought */
    unsigned span; /* which of the histograms is the present one */
    unsigned series_count;
    struct series *recent; /* that was asked for last; NULL: none */
    struct series *series[KINDS_KEPT + 1];
};

/* Of a queue that has counted so much by now. Never NULL. */
struct figures *figures_new(uint64_t slot, const uint64_t totals[STINT_COUNTS]);
void figures_destroy(struct figures **figures);

/* It is this slot now, and until it began so much was counted. */
void figures_roll(struct figures *figures, uint64_t slot, const uint64_t totals[STINT_COUNTS]);

/* Those of a kind; made if there is none and `more` are allowed, or else the rest's. NULL: there is
 * neither. Lasts as long as the figures. */
struct series *figures_find(struct figures *figures, struct slice kind, bool more);

static inline struct series *
figures_series(struct figures *f, struct slice kind, bool more)
{
    struct series *s = f->recent;
    if (s && s->kind_bytes == kind.size && memcmp(s->kind, kind.data, kind.size) == 0)
        return s;
    return figures_find(f, kind, more);
}

static inline unsigned
histogram_bucket(uint64_t ms)
{
    if (ms < LINEAR_BUCKETS)
        return (unsigned)ms;
    unsigned power = 63 - (unsigned)__builtin_clzll(ms);
    if (power >= 4 + POWERS)
        return TIME_BUCKETS - 1;
    return LINEAR_BUCKETS + (power - 4) * POWER_BUCKETS +
        (unsigned)(ms >> (power - 3) & (POWER_BUCKETS - 1));
}

/* The largest time that falls into it. */
uint64_t histogram_top(unsigned bucket);

static inline void
timing_add(struct timing *t, unsigned span, uint64_t ms)
{
    struct histogram *h = &t->spans[span];
    t->count++;
    t->sum_ms += ms;
    h->counts[histogram_bucket(ms)]++;
    if (ms > h->max_ms)
        h->max_ms = ms;
}

/* All that is in the one comes to the other. */
void timing_add_all(struct timing *to, const struct timing *from);
void timing_tell(const struct timing *t, struct stint_times *times);

/* Rates, if so much has been counted by now: `passed_ms` of the present slot are over, and the
 * broker has been up for `up_ms`. */
void figures_rates(const struct figures *figures, const uint64_t totals[STINT_COUNTS],
    uint64_t passed_ms, uint64_t up_ms, uint64_t rates[STINT_RATES][STINT_COUNTS]);

#endif
