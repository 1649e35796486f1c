/* The attempts of a job that have ended, as its record has them: the oldest first, and of very many
 * the newest. Each, numbers in little endian as in the record:
 *
 *     0   u8   how it ended (enum stint_attempt_end)
 *     1   u8   size of the worker's name
 *     2   u8   size of the error
 *     3   u8   0
 *     4   u32  attempt
 *     8   u64  when it began, by the broker's time; 0: it had not, or nobody said
 *     16  u64  when it ended
 *     24       worker, error
 */
#ifndef ATTEMPTS_H
#define ATTEMPTS_H

#include "limit.h"
#include "pack.h"
#include "stint_job.h"

enum {
    ATTEMPT_FIXED_BYTES = 24,
    ATTEMPTS_BYTES_MAX = LIMIT_ATTEMPTS_TOLD * ATTEMPT_FIXED_BYTES,
};

struct attempt_row {
    uint32_t attempt;
    enum stint_attempt_end end;
    uint64_t started_ms, ended_ms;
    struct slice worker; /* at most LIMIT_LABEL_BYTES */
    struct slice error; /* at most LIMIT_ATTEMPT_ERROR_BYTES */
};

/* The next one, and `rest` is what stands behind it; it borrows from there. False: there is none,
 * or what is there is none. */
bool attempts_next(struct slice *rest, struct attempt_row *row);

/* Are they nothing but attempts, each later than the one before? */
bool attempts_are_sane(struct slice attempts);

/* Writes them to `to` with one more, or with this one in the place of the last if that has its
 * number. The oldest go where there is no room. They may stand in `to` already; the row's texts may
 * not. */
struct slice
attempts_add(uint8_t to[ATTEMPTS_BYTES_MAX], struct slice attempts, const struct attempt_row *row);

#endif
