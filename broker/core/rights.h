/* Who may do what. A peer that came with a key may do what its key grants, on the queues that the
 * key names; one that was asked for no key (a grant of NULL) may do everything. What each message
 * needs is the table rights.def, and rights_judge the one place that looks at it. Pure.
 */
#ifndef RIGHTS_H
#define RIGHTS_H

#include "message.h"
#include "pattern.h"
#include "stint_job.h"

#include <stdint.h>

enum right { RIGHT_SUBMIT = 1, RIGHT_RUN = 2, RIGHT_SEE = 4, RIGHT_CONTROL = 8, RIGHTS_ALL = 15 };
enum { GRANT_PATTERNS_MAX = 64 };

/* What a key grants to whoever holds it. */
struct grant {
    char name[STINT_LABEL_BYTES]; /* of the key */
    uint32_t rights; /* enum right */
    uint32_t patterns_count; /* of names of queues; 0: all */
    char patterns[GRANT_PATTERNS_MAX][STINT_NAME_BYTES]; /* "mail", or "mail.*": that prefix */
};

/* On which queues a message needs its right. */
enum need_where {
    NEED_NOWHERE, /* whoever has said HELLO may */
    NEED_SERVED, /* on each that a worker's HELLO names */
    NEED_JOBS, /* on that of each job, or the message is refused */
    /* On that of each of its elements; those that are denied are answered so, one by one: */
    NEED_OUTCOMES,
    NEED_LEASES,
    NEED_TOLD,
    NEED_WROTE,
    NEED_IDS,
    NEED_CHANGED, /* the same, and on the queue that it names, or the message is refused */
    NEED_ALL_IDS, /* on that of each id, or the message is refused */
    NEED_LISTED, /* on the one it names; if it names none, on any: of the others nothing is told */
    NEED_WATCHED, /* likewise; if it names none but ids, on that of each of them */
    NEED_SET, /* on the one it names */
    NEED_MEANT, /* on those that its filter names, and on the queue that it names */
    NEED_ASKED, /* on the one it names; if it names none, on that of each of its ids */
    NEED_PEEKED, /* on the one it names */
    NEED_GROUPED, /* likewise */
    NEED_SOMEWHERE, /* on any; of the others nothing is told */
    NEED_EVERYWHERE, /* on all */
};

/* What is to be said of a message. */
struct judgement {
    const char *why; /* a constant sentence: it is denied; NULL: it is not, but for: */
    uint32_t index; /* if it is: which of its elements was at fault */
    uint32_t denied_count; /* elements that are denied, */
    uint64_t denied[LIMIT_JOBS / 64]; /* a bit for each; if there are any */
};

/* Is this element of the message that was judged denied? */
static inline bool
judgement_denies(const struct judgement *j, uint32_t index)
{
    return j->denied_count > 0 && (j->denied[index / 64] >> index % 64 & 1) != 0;
}

struct book;

/* `arrays` are the message's; `book` knows in which queues
 * the jobs of ids stand. An id of a queue that is not there is
 * denied like one of another's queue, unless the grant is for all. */
void rights_judge(const struct grant *grant, struct book *book, const struct message *m,
    const struct message_arrays *arrays, struct judgement *judgement);

/* Does it grant any of these rights on the queue of this name? */
bool grant_allows(const struct grant *grant, uint32_t rights, struct slice queue);
/* Does it grant any of these on all queues that there may be of this pattern? */
bool grant_allows_all(const struct grant *grant, uint32_t rights, const char *pattern);
bool grant_allows_pattern(const struct grant *grant, uint32_t rights, struct slice pattern);
/* Of all queues that there may be of an open pattern, those on which it grants any of these, as
 * patterns: the whole of it, or what the grant has within it. There are so many candidates, and
 * false says that the i-th is none. */
uint32_t grant_parts(const struct grant *grant);
bool grant_part(const struct grant *grant, uint32_t rights, struct slice pattern, uint32_t i,
    struct slice *part);
/* Is it a pattern, or "": all? */
bool pattern_is_valid(const char *pattern);
/* Does it grant any of these rights on all queues in which jobs may be that this filter is true of?
 * Only what the filter says of queues counts. */
bool grant_allows_filter(const struct grant *grant, uint32_t rights, struct slice filter);
/* Is there a queue that it does not cover, or may there be one? */
bool grant_is_narrow(const struct grant *grant);
/* The name of the key, or "local" if there is none; borrowed. */
const char *grant_name(const struct grant *grant);
/* What a session is known to belong to, when nobody is there who says so: a hash of the key's name,
 * or 0 if there is none. */
uint64_t grant_owner(const struct grant *grant);
/* Two that grant the same, to the same name. */
bool grant_same(const struct grant *a, const struct grant *b);

#endif
