/* Batches: jobs under one number. Public header, as stint_job.h is. */
#ifndef STINT_BATCH_H
#define STINT_BATCH_H

#include "stint_job.h"

#ifdef __cplusplus
extern "C" {
#endif

/* What a job is to its batch. The numbers are the protocol's. */
enum stint_batch_role {
    STINT_BATCH_JOB = 0, /* one of its jobs */
    STINT_BATCH_SUCCESS = 1, /* made by it when all its jobs had succeeded */
    STINT_BATCH_ALWAYS = 2, /* made by it when all its jobs had ended */
};

/* A batch's number as people write it: 16 hexadecimal digits. */
#define STINT_BATCH_TEXT_BYTES 17
STINT_EXPORT char *stint_batch_format(uint64_t batch, char text[STINT_BATCH_TEXT_BYTES]);
/* The other way. Errors: STINT_INVALID: it is none. */
STINT_EXPORT enum stint_status stint_batch_parse(const char *text, uint64_t *batch);

/* How far a batch is. */
enum stint_batch_state {
    STINT_BATCH_OPEN = 1, /* it takes jobs, and is not over before it is closed */
    STINT_BATCH_CLOSED = 2, /* it is over when all its jobs have ended; until then they may add more
                             */
    STINT_BATCH_SETTLED = 3, /* all its jobs have ended */
};
/* "open", "closed", "settled"; "unknown" for the rest. A constant string; any thread. */
STINT_EXPORT const char *stint_batch_state_name(enum stint_batch_state state);

/* How many jobs were ever in a batch, and of them those that have ended, by how. A job that was
 * deleted before it ended counts as cancelled. */
struct stint_batch_counts {
    uint64_t jobs, succeeded, dead, cancelled, expired;
    bool known; /* false: there is nothing here */
};

/* A batch to make. Begin with STINT_BATCH_INIT. Everything is borrowed for the call. */
struct stint_batch {
    const char *title; /* for people, at most 128 bytes of UTF-8; NULL: none */
    const char *queue; /* whose keys may see and control it, "default" if NULL */
    int64_t keep_ms; /* how long it is known when it is over; negative: as outcomes are */
    const struct stint_job *success; /* a job that it makes when all its jobs have succeeded */
    const struct stint_job *always; /* and one when all have ended, however; NULL: none */
    uint64_t reserved[4];
};
/* clang-format off */
#define STINT_BATCH_INIT {NULL, NULL, -1, NULL, NULL, {0, 0, 0, 0}}
/* clang-format on */

/* What the broker tells of a batch. */
struct stint_batch_info {
    uint64_t batch; /* its number, which is never another one's */
    enum stint_batch_state state;
    bool cancelled; /* it was: it takes no jobs, and makes no job for success */
    bool has_success, has_always; /* it makes such jobs */
    char title[STINT_LABEL_BYTES];
    char queue[STINT_NAME_BYTES];
    uint64_t began_ms, settled_ms, keep_ms;
    struct stint_batch_counts counts;
    struct stint_id success_id, always_id; /* that it has made; all 0: not yet */
    enum stint_status trouble; /* why it can't make one that is due, and tries again */
    uint64_t reserved[4];
};

#ifdef __cplusplus
}
#endif

#endif
