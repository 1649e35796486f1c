/* What jobs are called that were moved. A job's id says where it stands (queue, priority,
 * sequence), and that is its key; when it is moved to another queue or priority it gets a new key
 * and keeps its id. Both ways between the two are a row each, for those jobs alone; where there are
 * none, asking costs nothing.
 */
#ifndef NAMES_H
#define NAMES_H

#include "book.h"

/* At start: are there any? */
void names_load(struct book *book);

/* Where the job of this id stands, if it was moved. False: it was not, or there is none. */
bool names_find(struct book *book, const struct stint_id *id, struct stint_id *key);
/* What the job is called that stands there, if it was moved. False: the row is not there, or is
 * damaged. */
bool names_of(struct book *book, const struct stint_id *key, struct stint_id *id);

/* The job of this id has left `from` (its id, if it never moved before) and stands at `to`. */
void names_move(struct book *book, const struct stint_id *id, const struct stint_id *from,
    const struct stint_id *to);
/* The job is no more. */
void names_forget(struct book *book, const struct stint_id *id, const struct stint_id *key);

#endif
