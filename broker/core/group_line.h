/* The line of a group: its jobs that wait for those before them, in the order in which they go,
 * which is most urgent first, then the oldest, whatever the order of the queue.
 *
 * Its first ones, and those that came last, are in the group's row, which is written anyway; so
 * jobs that come and go in order cost no rows of their own. What is between is in
 * STORE_GROUP_LINES, as many in a row as the group's row has at either end.
 *
 *     near   the first, in order; nothing of the rest goes before the last of them
 *     far    rows, of one priority each, that do not overlap
 *     tail   jobs of one priority, the oldest first; they belong among the far ones, and are
 *            written as a row when there are enough of them
 */
#ifndef GROUP_LINE_H
#define GROUP_LINE_H

#include "group_book.h"

/* Does the first go before the second, in the queue's order? */
bool group_line_goes_before(const struct queue *queue, uint8_t priority, uint64_t sequence,
    uint8_t than_priority, uint64_t than_sequence);

/* One that is not in it comes. */
void group_line_add(struct core *core, struct group *group, uint8_t priority, uint64_t sequence);
/* False: it was not there. */
bool group_line_remove(struct core *core, struct group *group, uint8_t priority, uint64_t sequence);
/* The first of it. False: there is none. */
bool
group_line_first(struct core *core, struct group *group, uint8_t *priority, uint64_t *sequence);

/* Is the job in the line, by what is stored? */
bool group_line_has(struct store *store, uint32_t queue, struct slice name,
    const struct row_group *row, uint8_t priority, uint64_t sequence);

#endif
