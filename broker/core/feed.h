/* Feeds: events that are recorded in the transaction that stores what they tell of, numbered
 * without a gap, and dropped again, the oldest first. Where there is no feed, this costs one look a
 * job's event and nothing else.
 */
#ifndef FEED_H
#define FEED_H

#include "state.h"

/* At start. False: a row is damaged. */
bool feed_load(struct core *core);
void feed_fini(struct core *core);

/* The feed of this name; NULL if there is none. */
struct feed *feed_find(struct core *core, struct slice name);
/* A new one, which keeps what `wanted` says. Errors: NULL: there are LIMIT_FEEDS. */
struct feed *feed_make(struct core *core, const struct stint_feed *wanted);
/* It is as `wanted` says from now on, and goes on counting. */
void feed_change(struct core *core, struct feed *feed, const struct stint_feed *wanted);
/* Nobody finds it any more; its rows go in bounded steps. */
void feed_remove(struct core *core, struct feed *feed);
void feed_describe(const struct feed *feed, struct stint_feed *told);

/* An event of a job in this queue, to all feeds that hear of it. It is written at the end of the
 * step, as what was read from the store is borrowed until then. */
void feed_record(struct core *core, enum stint_event_type type, const struct queue *queue,
    const struct stint_id *id, uint64_t attempt, struct slice schedule);
/* At the end of a step: write what was recorded, and drop what is too much by that. */
void feed_flush(struct core *core);

/* What is too old, or too much, is dropped, some of it a step. */
void feed_sweep(struct core *core);
uint64_t feed_idle_ms(const struct core *core);

/* Events from this number on, collected as the elements of a page. False if there is none.
 * `*first` is the number of the first of them, or, if there is none, of the next one: a higher one,
 * where some are gone. */
bool
feed_page(struct core *core, struct feed *feed, uint64_t from, uint64_t *first, uint32_t *count);

#endif
