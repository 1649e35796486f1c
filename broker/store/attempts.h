/* The attempts of a job that have ended, as its record has them: the oldest first, and of very many
 * the newest. Most jobs have one, so it is short: times are told as what has passed since the one
 * before, at first since the job was submitted, and a worker's name once. Each:
 *
 *     u8       0x80, and how it ended (enum stint_attempt_end) with what of the following there is
 *     number   attempt, less one more than the one before
 *     number   0x20: when it began, by the broker's time: twice what has passed since the end of
 *              the one before, or twice how much earlier it was, less one
 *     number   when it ended, likewise, since it began, or since the end of the one before
 *     u8       0x10: size of the worker's name, and the name; 0: that of the one before
 *     u8       0x40: size of the error, and the error
 *
 * A number has seven bits in a byte, the lowest first, and 0x80 in each but its last. What format
 * 10 of the data has written is read too, and becomes this when one is added. There, in little
 * endian:
 *
 *     0   u8   how it ended
 *     1   u8   size of the worker's name
 *     2   u8   size of the error
 *     3   u8   0
 *     4   u32  attempt
 *     8   u64  when it began; 0: it had not, or nobody said
 *     16  u64  when it ended
 *     24       worker, error
 */
#ifndef ATTEMPTS_H
#define ATTEMPTS_H

#include "limit.h"
#include "pack.h"
#include "stint_job.h"

enum { ATTEMPTS_BYTES_MAX = 1920 };

struct attempt_row {
    uint32_t attempt;
    enum stint_attempt_end end;
    uint64_t started_ms; /* 0: it had not begun, or nobody said */
    uint64_t ended_ms;
    struct slice worker; /* at most LIMIT_LABEL_BYTES */
    struct slice error; /* at most LIMIT_ATTEMPT_ERROR_BYTES */
};

/* What stands before the first one of a job that was submitted then. */
static inline struct attempt_row
attempts_before(uint64_t submitted_ms)
{
    return (struct attempt_row){.ended_ms = submitted_ms};
}

/* The next one, and `rest` is what stands behind it; it borrows from there. `row` has the one
 * before, at first attempts_before. False: there is none, or what is there is none. */
bool attempts_next(struct slice *rest, struct attempt_row *row);

/* Are they nothing but attempts, each later than the one before? */
bool attempts_are_sane(struct slice attempts);

/* Writes those of a job that was submitted then to `to` with one more, or with this one in the
 * place of the last if that has its number. The oldest go where there is no room. They may stand in
 * `to` already; the row's texts may not. */
struct slice attempts_add(uint8_t to[ATTEMPTS_BYTES_MAX], struct slice attempts,
    uint64_t submitted_ms, const struct attempt_row *row);

#endif
