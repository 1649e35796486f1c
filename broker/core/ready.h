/* The ready jobs of a level, one after the other: in a queue as most are the oldest first, in one
 * that is LIFO the newest. How far a level was searched is remembered, for all jobs and for those
 * of some kinds (once for all workers that handle the same), so that what runs, or is passed over,
 * is not looked at each time.
 */
#ifndef READY_H
#define READY_H

#include "book.h"

/* Where the search for these kinds stands; made if it is not there. Borrowed until the next one is
 * made. */
struct scan *book_scan(struct level *level, const struct kinds *kinds);
/* May it find more? */
bool book_scan_is_open(const struct level *level, const struct scan *scan);
/* Has it passed over the job of this sequence? */
bool book_scan_is_past(const struct level *level, const struct scan *scan, uint64_t sequence);
/* The same of a reach; and the first job that it may find, which it is moved behind (of a queue
 * that is LIFO: to). */
bool book_reach_is_open(const struct level *level, const struct reach *reach);
bool book_reach_ready(struct book *book, struct level *level, struct reach *reach,
    struct stint_id *id, struct slice *bytes);
/* Nobody searches this queue for these kinds any more. */
void book_end_scans(struct queue *queue, const struct kinds *kinds);

/* Jobs of groups are passed over (groups.h). Where there are very many of them a search stops, and
 * finds none; the next one goes on from there. */
static inline bool
book_has_stopped(const struct level *level)
{
    return level->groups.ready > 0 && level->groups.stopped;
}

/* The first ready job of the level; its stored bytes are borrowed until the store is written.
 * False if there is none. The job is to be set running or apart at once, or set aside. */
bool
book_next_ready(struct book *book, struct level *level, struct stint_id *id, struct slice *bytes);
/* The same, which is not passed: the next one finds it again. */
bool
book_peek_ready(struct book *book, struct level *level, struct stint_id *id, struct slice *bytes);
/* The oldest one, also of those of groups, where somebody only asks: no more than a few blocks of
 * running jobs are passed over, and the next one who asks goes on behind them. False: none is
 * found, which says nothing. */
bool
book_glance_ready(struct book *book, struct level *level, struct stint_id *id, struct slice *bytes);
/* The next ready job of a scan, which may also be passed over. */
bool book_scan_ready(struct book *book, struct level *level, struct scan *scan, struct stint_id *id,
    struct slice *bytes);

#endif
