/* Brings stored rows to the format that this program writes. The store says in a row of its own
 * (META_FORMAT) which one its rows have, in the transaction that changes them: whatever stops us,
 * all of them are old or all are new.
 *
 *     2 to 3   levels, transit, sessions, queues and the meta rows got a version and room to grow,
 *              queues a check; the store got a META_FORMAT. Format 1 has the rows of format 2.
 *     3 to 4   there are STORE_SETTINGS; all other rows are as they were.
 *     4 to 5   there are STORE_NAMES and STORE_REDIRECTS, and records may say FIELD_MOVED; a
 *              queue's row may say that it is paused or closed. A program of format 4 would read
 *              that and do as if it were not.
 *     5 to 6   there are STORE_BULKS, STORE_FEEDS and STORE_EVENTS. A program of format 5 would
 *              change jobs of which a feed then told nothing. A level's row has what was counted of
 *              its jobs, which begins at 0, and the store what was counted of queues that are no
 *              more; records may have FIELD_READY.
 *     6 to 7   there is a journal, and a row that says up to where it is in here. A program of
 *              format 6 would not see what stands in it alone.
 *     7 to 8   there are STORE_UNIQUE and STORE_UNIQUE_ENDS; records may have a unique key,
 *              answers runs of ids, and queues limits. A program of format 7 would make a second
 *              job of a key.
 *     8 to 9   a level's row has room for 16 states before what was counted; there are
 *              STORE_DEADLINES, and records may have FIELD_START_BY. A program of format 8 would
 *              hand out what has expired.
 *     9 to 10  records may have the runs that have ended; there are STORE_FOLLOWERS and what else
 *              belongs to jobs that wait for others, a state of its own; STORE_SCHEDULES; and
 *              queues have a weight, a backlog and defaults, which a program of format 9 would
 *              forget.
 *     10 to 11 what is kept of runs is shorter; there are batches, groups and what jobs need, which
 *              a program of format 10 would not keep to.
 *     11 to 12 rows of a group's line hold many jobs, and the row of the group its first and last
 *              ones, which a program of format 11 would not find. What it wrote is read as it is.
 *     12 to 13 a row of STORE_FOLLOWERS may be of many jobs, and a record may have FIELD_PARENT
 *              instead of a row of STORE_PARENTS. A program of format 12 would leave those jobs
 *              waiting. What it wrote is read as it is.
 *
 * Where nothing else is said, rows are as they were.
 */
#ifndef UPGRADE_H
#define UPGRADE_H

#include "store.h"

/* What is written now. */
#define DATA_FORMAT 13

/* Within a transaction, which the caller commits or aborts. `*from` is the format that was found; a
 * store that is empty gets the mark of the present one. A row that is damaged stays as it is, for
 * whoever reads it to find.
 * Errors: STINT_VERSION_MISMATCH (the format is newer), STINT_DAMAGED (of the mark). */
enum stint_status store_upgrade(struct store *store, unsigned *from);

#endif
