/* Attempts that have ended, as a record has them; the layout is told in attempts.h. */
#include "attempts.h"
#include "bytes.h"

#include <assert.h>
#include <string.h>

bool
attempts_next(struct slice *rest, struct attempt_row *row)
{
    const uint8_t *p = rest->data;
    if (rest->size < ATTEMPT_FIXED_BYTES)
        return false;
    *row = (struct attempt_row){.end = (enum stint_attempt_end)p[0],
        .attempt = (uint32_t)get_le(p + 4, 4),
        .started_ms = get_le(p + 8, 8),
        .ended_ms = get_le(p + 16, 8),
        .worker = {p + ATTEMPT_FIXED_BYTES, p[1]},
        .error = {p + ATTEMPT_FIXED_BYTES + p[1], p[2]}};
    size_t size = ATTEMPT_FIXED_BYTES + row->worker.size + row->error.size;
    if (size > rest->size)
        return false;
    *rest = (struct slice){p + size, rest->size - size};
    return true;
}

bool
attempts_are_sane(struct slice attempts)
{
    struct attempt_row row;
    uint32_t last = 0;
    if (attempts.size > ATTEMPTS_BYTES_MAX)
        return false;
    while (attempts_next(&attempts, &row)) {
        if (row.end < STINT_ATTEMPT_SUCCEEDED || row.end >= STINT_ATTEMPT_ENDS ||
            row.attempt <= last || row.worker.size > LIMIT_LABEL_BYTES ||
            row.error.size > LIMIT_ATTEMPT_ERROR_BYTES)
            return false;
        last = row.attempt;
    }
    return attempts.size == 0;
}

static size_t
write_row(uint8_t *at, const struct attempt_row *row)
{
    assert(row->worker.size <= LIMIT_LABEL_BYTES && row->error.size <= LIMIT_ATTEMPT_ERROR_BYTES);
    at[0] = (uint8_t)row->end;
    at[1] = (uint8_t)row->worker.size;
    at[2] = (uint8_t)row->error.size;
    at[3] = 0;
    put_le(at + 4, row->attempt, 4);
    put_le(at + 8, row->started_ms, 8);
    put_le(at + 16, row->ended_ms, 8);
    at += ATTEMPT_FIXED_BYTES;
    if (row->worker.size)
        memcpy(at, row->worker.data, row->worker.size);
    if (row->error.size)
        memcpy(at + row->worker.size, row->error.data, row->error.size);
    return ATTEMPT_FIXED_BYTES + row->worker.size + row->error.size;
}

struct slice
attempts_add(uint8_t to[ATTEMPTS_BYTES_MAX], struct slice attempts, const struct attempt_row *row)
{
    size_t needs = ATTEMPT_FIXED_BYTES + row->worker.size + row->error.size, before = 0;
    struct slice rest = attempts;
    struct attempt_row each;
    while (attempts_next(&rest, &each) && each.attempt != row->attempt)
        before = attempts.size - rest.size;
    attempts.size = before;
    while (attempts.size + needs > ATTEMPTS_BYTES_MAX && attempts_next(&attempts, &each))
        ; /* the oldest goes */
    if (attempts.size)
        memmove(to, attempts.data, attempts.size);
    return (struct slice){to, attempts.size + write_row(to + attempts.size, row)};
}
