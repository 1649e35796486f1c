/* A filter says which jobs are meant: terms, all of which have to be true. On the wire and in the
 * store it is an array of [field, operator, value]; people write it as text, which the client reads
 * (client/where.h). Whoever reads one here has a filter that means something: each term's operator
 * is one that its field knows, and its value has the field's type.
 */
#ifndef FILTER_H
#define FILTER_H

#include "pack.h"
#include "stint_id.h"
#include "stint_status.h"

/* The numbers are the protocol's. */
enum filter_field {
    FILTER_ID = 1,
    FILTER_QUEUE = 2,
    FILTER_STATE = 3, /* a number: bits STINT_STATE_BIT(state), any of which will do */
    FILTER_KIND = 4,
    FILTER_PRIORITY = 5,
    FILTER_ATTEMPTS = 6, /* number of the last run */
    FILTER_FAILURES = 7, /* runs that counted */
    FILTER_ERROR = 8,
    FILTER_WORKER = 9, /* that runs it */
    FILTER_AGE = 10, /* ms since it was submitted */
    FILTER_DUE = 11, /* ms until it is due; of scheduled jobs only */
    FILTER_SETTLED = 12, /* ms since it ended; of settled jobs only */
    FILTER_BYTES = 13, /* of its payload or result */
    FILTER_SUBMITTED = 14, /* when it was submitted, as jobs tell it */
    FILTER_UNIQUE = 15, /* its unique key */
    FILTER_GROUP = 16, /* that it is in */
    FILTER_BATCH = 17, /* number of its batch */
    FILTER_NEEDS = 18, /* what it needs of a worker, as jobs tell it */
    FILTER_FIELDS
};

enum filter_operator {
    FILTER_IS = 1,
    FILTER_IS_NOT = 2,
    FILTER_CONTAINS = 3, /* whatever the case of ASCII letters */
    FILTER_LESS = 4,
    FILTER_AT_MOST = 5,
    FILTER_MORE = 6,
    FILTER_AT_LEAST = 7,
    FILTER_BEGINS = 8,
    FILTER_BEGINS_NOT = 9,
    FILTER_OPERATORS
};

enum { FILTER_TERMS_MAX = 16, FILTER_BYTES_MAX = 1024 };

struct filter_term {
    enum filter_field field;
    enum filter_operator is;
    uint64_t number;
    struct slice text; /* of a text; of an id its bytes */
};

struct filter {
    uint32_t count;
    struct filter_term terms[FILTER_TERMS_MAX];
};

enum filter_type { FILTER_TYPE_NUMBER, FILTER_TYPE_TEXT, FILTER_TYPE_ID };

/* What its values are. */
enum filter_type filter_type_of(enum filter_field field);
/* Does this field know this operator? */
bool filter_knows(enum filter_field field, enum filter_operator is);

/* Read a whole filter; texts borrow. False if it is none, and `*why` is a constant sentence. No
 * bytes are a filter without terms. */
bool filter_read(struct slice bytes, struct filter *filter, const char **why);
void filter_write(struct pack_buffer *b, const struct filter *filter);

#endif
