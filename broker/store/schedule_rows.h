/* How the rows of STORE_SCHEDULES are laid out: a schedule's name -> when it makes which job, and
 * how far it is. Nobody else knows an offset or a size. Numbers are big endian; the name seeds the
 * check.
 *
 *     0   u64  check: XXH3 of the rest
 *     8   u8   version, 1
 *     9   u8   how many words there are
 *     10  u8   size of the expression
 *     11  u8   size of the zone
 *     12  u32  size of the job
 *     16       words, then the expression, the zone, the job as SUBMIT writes one
 *
 * Words may be added at the end, as to other rows of words (rows.h).
 */
#ifndef SCHEDULE_ROWS_H
#define SCHEDULE_ROWS_H

#include "cron.h"
#include "rows.h"

enum {
    SCHEDULE_WORDS = 15,
    SCHEDULE_HEAD_BYTES = 16 + 8 * SCHEDULE_WORDS,
    SCHEDULE_BEFORE_JOB_MAX = SCHEDULE_HEAD_BYTES + CRON_TEXT_BYTES + ZONE_NAME_BYTES,
};

struct row_schedule {
    struct slice name;
    struct slice cron, zone; /* empty: it is every_ms */
    uint64_t every_ms;
    enum stint_missed missed;
    uint32_t most; /* MISSED_ALL: so many at once */
    enum stint_overlap overlap;
    bool paused;
    /* Of an expression times are the wall clock's, of a period the broker's (clock.h). */
    uint64_t began_ms; /* what a period is counted from */
    uint64_t seen_ms; /* ticks up to here have been dealt with */
    uint64_t ticked_ms; /* the last one that there was; 0: none yet */
    struct stint_id last; /* the last job it made, or met; all 0: none */
    uint64_t run; /* number of the last RUN, and the job it made */
    struct stint_id run_id;
    uint64_t jobs, skipped;
    struct slice job;
};

/* The key is the name. */
static inline struct slice
schedule_key(struct slice name)
{
    return name;
}

/* What is stored before the job. */
struct slice
row_schedule_write(uint8_t buffer[SCHEDULE_BEFORE_JOB_MAX], const struct row_schedule *row);
/* False if it is damaged. Slices borrow from `key` and `value`. */
bool row_schedule_read(struct slice key, struct slice value, struct row_schedule *row);

#endif
