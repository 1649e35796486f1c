/* Attempts that have ended, as a record has them; the layout is told in attempts.h. */
#include "attempts.h"
#include "bytes.h"
#include "numbers.h"

#include <assert.h>
#include <string.h>

enum {
    IS_SHORT = 0x80, /* not as format 10 had it */
    HAS_ERROR = 0x40,
    HAS_START = 0x20,
    HAS_WORKER = 0x10,
    END = 0x0f,
    LONG_BYTES = 24, /* in format 10, without its texts */
    ROW_BYTES_MAX =
        1 + 3 * NUMBER_BYTES_MAX + 1 + LIMIT_LABEL_BYTES + 1 + LIMIT_ATTEMPT_ERROR_BYTES,
};

/* Takes what stands first from the rest; without effect once there was too little. */
struct reader {
    struct slice rest;
    bool failed;
};

static uint64_t
read_number(struct reader *r)
{
    const uint8_t *at = r->rest.data, *end = at + r->rest.size;
    uint64_t value = 0;
    r->failed |= !number_read(&at, end, &value);
    r->rest = (struct slice){at, (size_t)(end - at)};
    return value;
}

/* A time, told as the distance from another. */
static uint64_t
read_time(struct reader *r, uint64_t since_ms)
{
    return number_to_distance(since_ms, read_number(r));
}

static struct slice
read_text(struct reader *r)
{
    size_t size = r->rest.size ? r->rest.data[0] : 0;
    if (size >= r->rest.size) {
        r->failed = true;
        return (struct slice){NULL, 0};
    }
    struct slice text = {r->rest.data + 1, size};
    r->rest = (struct slice){text.data + size, r->rest.size - 1 - size};
    return text;
}

static bool
read_long(struct slice *rest, struct attempt_row *row)
{
    const uint8_t *p = rest->data;
    if (rest->size < LONG_BYTES)
        return false;
    struct attempt_row read = {.end = (enum stint_attempt_end)p[0],
        .attempt = (uint32_t)get_le(p + 4, 4),
        .started_ms = get_le(p + 8, 8),
        .ended_ms = get_le(p + 16, 8),
        .worker = {p + LONG_BYTES, p[1]},
        .error = {p + LONG_BYTES + p[1], p[2]}};
    size_t size = LONG_BYTES + read.worker.size + read.error.size;
    if (size > rest->size)
        return false;
    *row = read;
    *rest = (struct slice){p + size, rest->size - size};
    return true;
}

bool
attempts_next(struct slice *rest, struct attempt_row *row)
{
    if (rest->size == 0)
        return false;
    uint8_t first = rest->data[0];
    if (!(first & IS_SHORT))
        return read_long(rest, row);
    struct reader r = {.rest = {rest->data + 1, rest->size - 1}};
    struct attempt_row read = {.end = (enum stint_attempt_end)(first & END)};
    read.attempt = row->attempt + 1 + (uint32_t)read_number(&r);
    if (first & HAS_START)
        read.started_ms = read_time(&r, row->ended_ms);
    read.ended_ms = read_time(&r, first & HAS_START ? read.started_ms : row->ended_ms);
    if (first & HAS_WORKER) {
        read.worker = read_text(&r);
        if (read.worker.size == 0)
            read.worker = row->worker;
    }
    if (first & HAS_ERROR)
        read.error = read_text(&r);
    if (r.failed)
        return false;
    *row = read;
    *rest = r.rest;
    return true;
}

bool
attempts_are_sane(struct slice attempts)
{
    struct attempt_row row = attempts_before(0);
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

static uint8_t *
write_time(uint8_t *at, uint64_t since_ms, uint64_t time_ms)
{
    return number_write(at, number_of_distance(since_ms, time_ms));
}

static uint8_t *
write_text(uint8_t *at, struct slice text)
{
    *at++ = (uint8_t)text.size;
    if (text.size)
        memcpy(at, text.data, text.size);
    return at + text.size;
}

static bool
is_same(struct slice a, struct slice b)
{
    return a.size == b.size && (a.size == 0 || memcmp(a.data, b.data, a.size) == 0);
}

/* Writes one that follows another, and says where it ends. */
static uint8_t *
write_row(uint8_t *at, const struct attempt_row *before, const struct attempt_row *row)
{
    static const struct slice as_before;
    assert(row->attempt > before->attempt && (unsigned)row->end <= END);
    assert(row->worker.size <= LIMIT_LABEL_BYTES && row->error.size <= LIMIT_ATTEMPT_ERROR_BYTES);
    *at++ = (uint8_t)(IS_SHORT | row->end | (row->started_ms ? HAS_START : 0) |
        (row->worker.size ? HAS_WORKER : 0) | (row->error.size ? HAS_ERROR : 0));
    at = number_write(at, row->attempt - before->attempt - 1);
    if (row->started_ms)
        at = write_time(at, before->ended_ms, row->started_ms);
    at = write_time(at, row->started_ms ? row->started_ms : before->ended_ms, row->ended_ms);
    if (row->worker.size)
        at = write_text(at, is_same(row->worker, before->worker) ? as_before : row->worker);
    return row->error.size ? write_text(at, row->error) : at;
}

/* Those with earlier numbers without the oldest `left_out`, and the row behind them. Its size; 0:
 * there is no room for so many. */
static size_t
write_all(uint8_t to[ATTEMPTS_BYTES_MAX + ROW_BYTES_MAX], struct slice attempts, unsigned left_out,
    uint64_t submitted_ms, const struct attempt_row *row)
{
    struct attempt_row read = attempts_before(submitted_ms), before = read;
    uint8_t *at = to;
    unsigned count = 1;
    while (attempts_next(&attempts, &read) && read.attempt < row->attempt) {
        if (left_out > 0) {
            left_out--;
            continue;
        }
        at = write_row(at, &before, &read);
        before = read;
        if (++count > LIMIT_ATTEMPTS_TOLD || at - to > ATTEMPTS_BYTES_MAX)
            return 0;
    }
    size_t size = (size_t)(write_row(at, &before, row) - to);
    return size <= ATTEMPTS_BYTES_MAX ? size : 0;
}

struct slice
attempts_add(uint8_t to[ATTEMPTS_BYTES_MAX], struct slice attempts, uint64_t submitted_ms,
    const struct attempt_row *row)
{
    uint8_t bytes[ATTEMPTS_BYTES_MAX + ROW_BYTES_MAX];
    size_t size = 0;
    for (unsigned left_out = 0; size == 0; left_out++)
        size = write_all(bytes, attempts, left_out, submitted_ms, row);
    memcpy(to, bytes, size);
    return (struct slice){to, size};
}
