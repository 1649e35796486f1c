/* How far a level was searched for jobs of some kinds, kept once for all workers that handle the
 * same. book.h has what searches.
 */
#ifndef SCANS_H
#define SCANS_H

#include "book.h"

/* Where the search for these kinds stands; made if it is not there. Borrowed until the next one is
 * made. */
struct scan *book_scan(struct level *level, const struct kinds *kinds);
/* Nobody searches this queue for these kinds any more. */
void book_end_scans(struct queue *queue, const struct kinds *kinds);

#endif
