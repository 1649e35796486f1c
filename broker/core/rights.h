/* Who may do what. A peer that came with a key may do what its key grants, on the queues that the
 * key names; one that was asked for no key may do everything.
 */
#ifndef RIGHTS_H
#define RIGHTS_H

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

#endif
