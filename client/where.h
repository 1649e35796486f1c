/* The filter that people write, `queue=mail.* state=dead,cancelled age>1h error~"timed out"`, read
 * into the one that goes on the wire. What it means is told in stint(1), FILTERS.
 */
#ifndef WHERE_H
#define WHERE_H

#include "filter.h"

enum { WHERE_WHY_BYTES = 200, WHERE_TEXT_BYTES = 4096 };

/* Values that are unquoted and ids, which a filter borrows. */
struct where {
    struct filter filter;
    char texts[FILTER_BYTES_MAX];
    size_t used;
    char why[WHERE_WHY_BYTES]; /* a sentence, if it can't be read */
};

/* Read terms behind those that are there; begin with a zeroed one. False, and `why`, if the text is
 * not one. An empty text has no terms. */
bool where_read(struct where *where, const char *text);
/* Add one term, as if it had been written. */
bool
where_add(struct where *where, enum filter_field field, enum filter_operator is, uint64_t number);
bool where_add_text(
    struct where *where, enum filter_field field, enum filter_operator is, const char *text);

/* A filter as text, which where_read takes and which says the same. False if there is no room for
 * it, or it is of a newer version than this one. */
bool where_write(struct slice filter, char *text, size_t size);

#endif
