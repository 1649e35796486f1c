/* The stored form of a job; the layout is told in record.h. */
#include "record.h"
#include "bytes.h"
#include "id.h"

#include <assert.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

enum { RECORD_VERSION = 1 };

/* Dumps have them (broker/dump.h): they are never changed. */
static const char *const field_names[FIELDS_OPTIONAL] = {[FIELD_KEEP] = "keep_ms",
    [FIELD_TIME_TO_RUN] = "time_to_run_ms",
    [FIELD_MAX_ATTEMPTS] = "max_attempts",
    [FIELD_BACKOFF_BASE] = "backoff_base_ms",
    [FIELD_BACKOFF_CAP] = "backoff_cap_ms",
    [FIELD_DUE] = "due_ms",
    [FIELD_STARTED] = "started_ms",
    [FIELD_SETTLED] = "settled_ms",
    [FIELD_EXPIRES] = "expires_ms",
    [FIELD_OUTPUT] = "output_bytes",
    [FIELD_READY] = "ready_ms",
    [FIELD_UNIQUE] = "unique_bytes",
    [FIELD_UNIQUE_FOR] = "unique_for_ms",
    [FIELD_UNIQUE_FLAGS] = "unique_flags",
    [FIELD_START_BY] = "start_by_ms",
    [FIELD_ATTEMPTS] = "attempts_bytes",
    [FIELD_AFTER] = "after_left",
    [FIELD_AFTER_FLAGS] = "after_flags",
    [FIELD_TOTAL] = "total_ms",
    [FIELD_SPENT] = "spent_ms",
    [FIELD_SCHEDULE] = "schedule_bytes",
    [FIELD_BATCH] = "batch",
    [FIELD_NEEDS] = "needs_bytes",
    [FIELD_GROUP] = "group_bytes"};

static const char *const last_names[] = {[LAST_NONE] = "none",
    [LAST_FAILED] = "failed",
    [LAST_LOST] = "lost",
    [LAST_RETURNED] = "returned",
    [LAST_SNOOZED] = "snoozed",
    [LAST_SUCCEEDED] = "succeeded",
    [LAST_LOST_WAITING] = "lost_waiting",
    [LAST_BEGUN] = "begun",
    [LAST_UNABLE] = "unable",
    [LAST_OVERTIME] = "overtime"};

const char *
record_field_name(enum record_field field)
{
    return field_names[field];
}

const char *
record_last_name(enum record_last last)
{
    return last_names[last];
}

uint64_t
record_check(const void *data, size_t size, uint64_t seed)
{
    return XXH3_64bits_withSeed(data, size, seed);
}

/* Head and body are hashed apart, so that a body never has to be copied behind its head first. */
static uint64_t
check_of(const uint8_t *head, size_t head_bytes, struct slice body, const struct stint_id *id)
{
    uint64_t check = record_check(head + 8, head_bytes - 8, id_sequence(id));
    if (body.size > 0)
        check ^= record_check(body.data, body.size, check);
    return check;
}

static void
set_unique(struct record *r, const struct job_spec *spec)
{
    r->unique = spec->unique;
    record_set(r, FIELD_UNIQUE, spec->unique.size);
    if (spec->unique_for_ms)
        record_set(r, FIELD_UNIQUE_FOR, spec->unique_for_ms);
    if (spec->unique_flags & UNIQUE_WAITING)
        record_set(r, FIELD_UNIQUE_FLAGS, UNIQUE_WAITING);
}

void
record_from_spec(struct record *r, const struct job_spec *spec, uint64_t wall_ms)
{
    *r = (struct record){.state = STINT_READY, .submitted_ms = wall_ms, .kind = spec->kind};
    if (spec->keep_ms != KEEP_DEFAULT)
        record_set(r, FIELD_KEEP, spec->keep_ms);
    if (spec->time_to_run_ms)
        record_set(r, FIELD_TIME_TO_RUN, spec->time_to_run_ms);
    if (spec->max_attempts != DEFAULT_MAX_ATTEMPTS)
        record_set(r, FIELD_MAX_ATTEMPTS, spec->max_attempts);
    if (spec->backoff_base_ms != DEFAULT_BACKOFF_BASE_MS)
        record_set(r, FIELD_BACKOFF_BASE, spec->backoff_base_ms);
    if (spec->backoff_cap_ms != DEFAULT_BACKOFF_CAP_MS)
        record_set(r, FIELD_BACKOFF_CAP, spec->backoff_cap_ms);
    if (spec->total_ms)
        record_set(r, FIELD_TOTAL, spec->total_ms);
    if (spec->followed)
        record_mark(r, FIELD_FOLLOWED);
    if (spec->batch)
        record_set(r, FIELD_BATCH, spec->batch);
    if (spec->unique.size)
        set_unique(r, spec);
    if (spec->schedule.size) {
        r->schedule = spec->schedule;
        record_set(r, FIELD_SCHEDULE, spec->schedule.size);
    }
    if (spec->group.size) {
        r->group = spec->group;
        record_set(r, FIELD_GROUP, spec->group.size);
    }
    record_set_body(r, spec->payload);
}

void
record_set_needs(struct record *r, struct slice needs)
{
    r->needs = needs;
    record_set(r, FIELD_NEEDS, needs.size);
}

/* What a record costs is by the fields that it has, not by those that there may be. */
static uint32_t
fields_with_values(const struct record *r)
{
    return r->fields & ((1U << FIELDS_OPTIONAL) - 1);
}

static size_t
head_size(const struct record *r)
{
    size_t size = RECORD_FIXED_BYTES + r->kind.size + r->error.size + r->unique.size +
        r->attempts.size + r->schedule.size + r->needs.size + r->group.size;
    for (uint32_t bits = fields_with_values(r); bits; bits &= bits - 1)
        size += 8;
    return size;
}

void
record_set_body(struct record *r, struct slice body)
{
    /* Later changes add a few fields and an error text; leave room for them, so that a job's
     * payload never has to move from its record into parts. A schedule and a group are named from
     * the start, and what it needs. */
    enum { LATER = 8 * (FIELDS_OPTIONAL - 4) + LIMIT_ERROR_BYTES };
    size_t schedule = r->schedule.size ? 8 + r->schedule.size : 0;
    size_t needs = r->needs.size ? 8 + r->needs.size : 0;
    size_t group = r->group.size ? 8 + r->group.size : 0;
    r->body_bytes = (uint32_t)body.size;
    r->body = body;
    r->fields &= ~(1U << FIELD_CHUNKED);
    if (RECORD_FIXED_BYTES + r->kind.size + r->unique.size + schedule + needs + group + LATER +
            body.size >
        RECORD_INLINE_MAX) {
        r->fields |= 1U << FIELD_CHUNKED;
        r->body = (struct slice){NULL, 0};
    }
}

size_t
record_encode(const struct record *r, const struct stint_id *id, uint8_t head[RECORD_HEAD_MAX])
{
    assert(!record_has(r, FIELD_ATTEMPTS) && r->attempts.size <= ATTEMPTS_BYTES_MAX);
    head[8] = RECORD_VERSION;
    head[9] = (uint8_t)r->state;
    head[10] = (uint8_t)r->last;
    head[11] = (uint8_t)r->kind.size;
    put_le(head + 12, r->fields, 4);
    put_le(head + 16, r->attempt, 4);
    put_le(head + 20, r->uncounted, 4);
    put_le(head + 24, r->submitted_ms, 8);
    put_le(head + 32, r->body_bytes, 4);
    put_le(head + 36, r->error.size, 2);
    put_le(head + 38, r->attempts.size, 2);
    uint8_t *at = head + RECORD_FIXED_BYTES;
    for (uint32_t bits = fields_with_values(r); bits; bits &= bits - 1, at += 8)
        put_le(at, r->optional[__builtin_ctz(bits)], 8);
    if (r->kind.size)
        memcpy(at, r->kind.data, r->kind.size);
    at += r->kind.size;
    if (r->error.size)
        memcpy(at, r->error.data, r->error.size);
    at += r->error.size;
    if (r->unique.size)
        memcpy(at, r->unique.data, r->unique.size);
    at += r->unique.size;
    if (r->attempts.size)
        memcpy(at, r->attempts.data, r->attempts.size);
    at += r->attempts.size;
    if (r->schedule.size)
        memcpy(at, r->schedule.data, r->schedule.size);
    at += r->schedule.size;
    if (r->needs.size)
        memcpy(at, r->needs.data, r->needs.size);
    at += r->needs.size;
    if (r->group.size)
        memcpy(at, r->group.data, r->group.size);
    at += r->group.size;
    size_t size = (size_t)(at - head);
    put_le(head, check_of(head, size, r->body, id), 8);
    return size;
}

/* Could we have written these? The check in the head says that somebody did. */
static bool
is_sane(const struct record *r)
{
    const uint32_t known = (1U << FIELDS_OPTIONAL) - 1;
    const uint32_t marks =
        1U << FIELD_CHUNKED | 1U << FIELD_SUSPECT | 1U << FIELD_MOVED | 1U << FIELD_FOLLOWED;
    return r->state < STINT_STATES && r->last <= LAST_OVERTIME && r->uncounted <= r->attempt &&
        (r->fields & ~(known | marks)) == 0 && r->kind.size <= LIMIT_NAME_BYTES &&
        r->error.size <= LIMIT_ERROR_BYTES && r->unique.size <= LIMIT_UNIQUE_BYTES &&
        r->attempts.size <= ATTEMPTS_BYTES_MAX && r->schedule.size <= LIMIT_NAME_BYTES &&
        r->needs.size <= LIMIT_NEEDS_BYTES && r->group.size <= LIMIT_GROUP_BYTES;
}

enum stint_state
record_state(struct slice bytes)
{
    unsigned state = bytes.size > 9 ? bytes.data[9] : STINT_UNKNOWN;
    return state < STINT_STATES ? (enum stint_state)state : STINT_UNKNOWN;
}

/* Fields that say how long a text is. */
enum {
    SIZES = 1 << FIELD_UNIQUE | 1 << FIELD_ATTEMPTS | 1 << FIELD_SCHEDULE | 1 << FIELD_NEEDS |
        1 << FIELD_GROUP,
};

static void
read_sizes(struct record *r)
{
    if (record_has(r, FIELD_UNIQUE))
        r->unique.size = r->optional[FIELD_UNIQUE];
    if (record_has(r, FIELD_ATTEMPTS)) {
        r->attempts.size = r->optional[FIELD_ATTEMPTS];
        record_clear(r, FIELD_ATTEMPTS);
    }
    if (record_has(r, FIELD_SCHEDULE))
        r->schedule.size = r->optional[FIELD_SCHEDULE];
    if (record_has(r, FIELD_NEEDS))
        r->needs.size = r->optional[FIELD_NEEDS];
    if (record_has(r, FIELD_GROUP))
        r->group.size = r->optional[FIELD_GROUP] & ~(uint64_t)GROUP_HOLDS;
}

bool
record_decode_again(struct record *r, struct slice bytes)
{
    const uint8_t *p = bytes.data;
    if (bytes.size < RECORD_FIXED_BYTES || p[8] != RECORD_VERSION)
        return false;
    r->state = (enum stint_state)p[9];
    r->last = (enum record_last)p[10];
    r->fields = (uint32_t)get_le(p + 12, 4);
    r->attempt = (uint32_t)get_le(p + 16, 4);
    r->uncounted = (uint32_t)get_le(p + 20, 4);
    r->submitted_ms = get_le(p + 24, 8);
    r->body_bytes = (uint32_t)get_le(p + 32, 4);
    r->kind.size = p[11];
    r->error.size = get_le(p + 36, 2);
    r->unique.size = r->attempts.size = r->schedule.size = r->needs.size = r->group.size = 0;
    size_t head = head_size(r);
    if (bytes.size < head)
        return false;
    const uint8_t *at = p + RECORD_FIXED_BYTES;
    for (uint32_t bits = fields_with_values(r); bits; bits &= bits - 1, at += 8)
        r->optional[__builtin_ctz(bits)] = get_le(at, 8);
    r->attempts.size = get_le(p + 38, 2);
    if (r->fields & SIZES)
        read_sizes(r);
    size_t body = record_chunked(r) ? 0 : r->body_bytes;
    head += r->unique.size + r->attempts.size + r->schedule.size + r->needs.size + r->group.size;
    if (!is_sane(r) || bytes.size != head + body)
        return false;
    r->kind.data = at;
    r->error.data = at + r->kind.size;
    r->unique.data = r->error.data + r->error.size;
    r->attempts.data = r->unique.data + r->unique.size;
    r->schedule.data = r->attempts.data + r->attempts.size;
    r->needs.data = r->schedule.data + r->schedule.size;
    r->group.data = r->needs.data + r->needs.size;
    r->body = (struct slice){p + head, body};
    return true;
}

bool
record_decode(struct record *r, const struct stint_id *id, struct slice bytes)
{
    return record_decode_again(r, bytes) &&
        get_le(bytes.data, 8) == check_of(bytes.data, bytes.size - r->body.size, r->body, id);
}

struct slice
record_group_of_damaged(struct slice bytes, bool *holds)
{
    struct record r = {0};
    *holds = false;
    if (!record_bytes_grouped(bytes))
        return (struct slice){NULL, 0};
    (void)record_decode(&r, &(struct stint_id){{0}}, bytes); /* the check alone may be wrong */
    const uint8_t *end = bytes.data + bytes.size;
    bool inside = r.group.size > 0 && r.group.size <= LIMIT_GROUP_BYTES && r.group.data &&
        r.group.data >= bytes.data && r.group.data + r.group.size <= end;
    *holds = inside && record_holds(&r);
    return inside && !memchr(r.group.data, 0, r.group.size) ? r.group : (struct slice){NULL, 0};
}

bool
record_fits(const struct record *r, const struct attempt_row *row)
{
    /* A run that was taken from its worker and given back is there, and goes on. */
    bool is_last =
        row->attempt == r->attempt || (r->state == STINT_READY && row->attempt == r->attempt + 1);
    switch (r->last) {
    case LAST_SUCCEEDED:
        return is_last && row->end == STINT_ATTEMPT_SUCCEEDED;
    case LAST_FAILED: /* or nobody could start it */
        return is_last && (row->end == STINT_ATTEMPT_FAILED || row->end == STINT_ATTEMPT_UNABLE);
    case LAST_LOST:
    case LAST_LOST_WAITING:
        return is_last && row->end == STINT_ATTEMPT_LOST;
    case LAST_SNOOZED:
        return is_last && row->end == STINT_ATTEMPT_SNOOZED;
    case LAST_UNABLE:
        return is_last && row->end == STINT_ATTEMPT_UNABLE;
    case LAST_OVERTIME:
        return is_last && row->end == STINT_ATTEMPT_OVERTIME;
    default:
        return row->attempt <= r->attempt + 1;
    }
}
