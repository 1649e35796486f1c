/* How the rows of STORE_BATCHES and STORE_MEMBERS are laid out. Nobody else knows an offset or a
 * size. Numbers are big endian; the key seeds the check.
 *
 *     batches   u64 number, 0 -> words: how far the batch is (struct row_batch)
 *               u64 number, 1 -> what was said of it, which is read when it is needed:
 *     members   u64 number, id -> nothing: the job of that id is one of the batch's
 *
 *     0   u64  check: XXH3 of the rest
 *     8   u8   version, 1
 *     9   u8   size of the title
 *     10  u8   size of the queue's name
 *     11  u8   0
 *     12  u32  size of the job for success; 0: it makes none
 *     16  u32  likewise, of the one that it always makes
 *     20       title, name, and the jobs as SUBMIT writes one
 */
#ifndef BATCH_ROWS_H
#define BATCH_ROWS_H

#include "rows.h"

enum {
    BATCH_KEY_BYTES = 9,
    MEMBER_KEY_BYTES = 8 + STINT_ID_BYTES,
    BATCH_WORDS = 17,
    ROW_BATCH_BYTES_MAX = ROW_HEAD_BYTES + 8 * BATCH_WORDS,
    BATCH_TERMS_HEAD_BYTES = 20,
    ROW_BATCH_TERMS_BYTES_MAX =
        BATCH_TERMS_HEAD_BYTES + LIMIT_LABEL_BYTES + LIMIT_NAME_BYTES + 2 * LIMIT_BATCH_JOB_BYTES,
};

enum batch_part { BATCH_PART_COUNTS = 0, BATCH_PART_TERMS = 1 };

/* What has happened to a batch. */
enum batch_flag {
    BATCH_IS_CLOSED = 1, /* it is over when all its jobs have ended */
    BATCH_IS_CANCELLED = 2, /* it takes no jobs, and makes none for success */
    BATCH_CANCELS = 4, /* its jobs are being cancelled */
    /* Of the jobs that it makes, by their role: */
    BATCH_HAS = 8, /* it makes one, */
    BATCH_OWES = 32, /* which is due, */
    BATCH_MADE = 128, /* or was made */
    BATCH_FLAGS_ALL = 511,
};
_Static_assert((int)BATCH_MADE << 2 == (int)BATCH_FLAGS_ALL + 1, "each of three is two bits");

/* The bit of a job that is made in this role. */
static inline uint64_t
batch_flag(enum batch_flag flag, enum stint_batch_role role)
{
    return (uint64_t)flag << (role - STINT_BATCH_SUCCESS);
}

/* How its jobs have ended. */
enum batch_end { BATCH_SUCCEEDED, BATCH_DEAD, BATCH_CANCELLED, BATCH_EXPIRED, BATCH_ENDS };

struct row_batch {
    uint64_t flags; /* of enum batch_flag */
    uint64_t began_ms, settled_ms; /* the broker's time; settled: 0: it is not over */
    uint64_t keep_ms; /* it is known so long then; KEEP_DEFAULT: as long as outcomes are */
    uint64_t jobs; /* that ever were in it */
    uint64_t ended[BATCH_ENDS]; /* of them */
    struct stint_id made[2]; /* jobs that it has made, by role; all 0: not yet */
    enum stint_status trouble; /* why it can't make one */
    uint64_t maker; /* a hash of the session that made it */
    struct stint_id at; /* BATCH_CANCELS: those of its jobs that stand before this are done */
};

/* Those that have not ended. */
static inline uint64_t
batch_left(const struct row_batch *row)
{
    uint64_t left = row->jobs;
    for (unsigned i = 0; i < BATCH_ENDS; i++)
        left -= row->ended[i];
    return left;
}

static inline struct stint_batch_counts
batch_counts(const struct row_batch *row)
{
    return (struct stint_batch_counts){.jobs = row->jobs,
        .succeeded = row->ended[BATCH_SUCCEEDED],
        .dead = row->ended[BATCH_DEAD],
        .cancelled = row->ended[BATCH_CANCELLED],
        .expired = row->ended[BATCH_EXPIRED],
        .known = true};
}

struct row_batch_terms {
    struct slice title, queue; /* the title may be empty */
    struct slice jobs[2]; /* by role; empty: none */
};

struct slice batch_key(uint8_t key[BATCH_KEY_BYTES], uint64_t number, enum batch_part part);
/* False: it is none. */
bool batch_key_read(struct slice key, uint64_t *number, enum batch_part *part);
struct slice
row_batch_write(uint8_t buffer[ROW_BATCH_BYTES_MAX], uint64_t number, const struct row_batch *row);
/* False if it is damaged, or can't be so. */
bool row_batch_read(uint64_t number, struct slice value, struct row_batch *row);

struct slice row_batch_terms_write(uint8_t buffer[ROW_BATCH_TERMS_BYTES_MAX], uint64_t number,
    const struct row_batch_terms *terms);
/* False if it is damaged. Slices borrow from `value`. */
bool row_batch_terms_read(uint64_t number, struct slice value, struct row_batch_terms *terms);

struct slice member_key(uint8_t key[MEMBER_KEY_BYTES], uint64_t number, const struct stint_id *id);
/* False: it is none. */
bool member_key_read(struct slice key, uint64_t *number, struct stint_id *id);

#endif
