/* How the rows of feeds are laid out: STORE_FEEDS, a row a feed, and STORE_EVENTS, its events,
 * those of a step together. Nobody else knows an offset or a size. Numbers are big endian; a key's
 * numbers seed the check of its row.
 *
 *     feeds     u32 number -> a feed                  events    u32 feed, u64 first -> events
 *
 *     0   u64  check: XXH3 of the rest                0   u64  check
 *     8   u8   version, 1                             8   u8   version, 1
 *     9   u8   size of the name                       9   u8   0
 *     10  u8   size of the queues                     10  u16  how many events, numbered from first
 *     11  u8   1: it is removed, its events go        12  u32  0
 *     12  u32  which events                           16  u64  broker's time of all of them
 *     16  u64  keep_ms, max_events, max_bytes,        24  u64  the same, as people were told it
 * then life, first, next, bytes               32       the events 72       the name, the queues
 *
 * An event: u8 type, u8 size of the queue's name (0: the queue of the one before), u32 attempt, the
 * job's id, the queue's name. The first of a row names its queue. If 128 is added to its type, the
 * schedule that made the job follows: u8 size, name.
 */
#ifndef FEED_ROWS_H
#define FEED_ROWS_H

#include "rows.h"

enum {
    FEED_WORDS = 7,
    FEED_HEAD_BYTES = 16 + 8 * FEED_WORDS,
    FEED_KEY_BYTES = 4,
    ROW_FEED_BYTES_MAX = FEED_HEAD_BYTES + 2 * LIMIT_NAME_BYTES,
    EVENTS_KEY_BYTES = 12,
    ROW_EVENTS_HEAD_BYTES = 32,
    ROW_EVENTS_BYTES_MAX = 4080, /* so that it takes no more than a page */
    ROW_EVENT_BYTES = 6 + STINT_ID_BYTES,
    ROW_EVENT_BYTES_MAX = ROW_EVENT_BYTES + LIMIT_NAME_BYTES + 1 + LIMIT_NAME_BYTES,
    ROW_EVENT_SCHEDULED = 128,
    ROW_EVENTS_MAX = (ROW_EVENTS_BYTES_MAX - ROW_EVENTS_HEAD_BYTES) / ROW_EVENT_BYTES,
};

struct row_feed {
    uint32_t number; /* of the feed, in this store */
    struct slice name, queues; /* queues: a pattern (rights.h); empty: of all */
    bool removed;
    uint32_t events;
    uint64_t keep_ms, max_events, max_bytes;
    uint64_t life; /* drawn when it was made */
    uint64_t first, next; /* numbers of the oldest event that is told, and of the next one */
    uint64_t bytes; /* of its rows of events, with their keys */
};

struct slice feed_key(uint8_t key[FEED_KEY_BYTES], uint32_t number);
struct slice row_feed_write(uint8_t buffer[ROW_FEED_BYTES_MAX], const struct row_feed *row);
/* False if it is damaged. Slices borrow from `value`. */
bool row_feed_read(struct slice key, struct slice value, struct row_feed *row);

/* Events that were put together in a step. */
struct row_events {
    uint32_t feed;
    uint64_t first; /* number of the first event */
    uint32_t count;
    uint64_t at_ms, told_ms;
    struct slice events;
};

struct row_event {
    uint8_t type;
    uint32_t attempt;
    struct stint_id id;
    struct slice queue; /* empty: that of the one before */
    struct slice schedule; /* empty: none made the job */
};

struct slice events_key(uint8_t key[EVENTS_KEY_BYTES], uint32_t feed, uint64_t first);
/* False if it is none. */
bool events_key_read(struct slice key, uint32_t *feed, uint64_t *first);
/* What is stored before the events. */
struct slice row_events_write(uint8_t buffer[ROW_EVENTS_HEAD_BYTES], const struct row_events *row);
/* False if it is damaged, in its head or in an event. Borrows from `value`. */
bool row_events_read(struct slice key, struct slice value, struct row_events *row);

/* Appends an event; returns its size. */
size_t row_event_write(uint8_t *at, const struct row_event *event);
/* Takes the first event off; false if there is none. */
bool row_event_take(struct slice *events, struct row_event *event);

#endif
