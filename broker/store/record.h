/* The job record: a job as it is stored. A record is a head and a body: the body is the payload of
 * a job that may still run (or be retried), or the result of one that succeeded, never both. Small
 * bodies stand in the record; larger ones are cut into parts in a table of their own, because a
 * value that needs several adjoining pages is slow to place in a churned file.
 *
 *     0   u64  check: XXH3 of the rest, seeded with the sequence of its key
 *     8   u8   format version, 1
 *     9   u8   state, enum stint_state (READY also while it runs: the transit table says that)
 *     10  u8   last, enum record_last: how the last attempt ended
 *     11  u8   size of the kind
 *     12  u32  fields: which of the optional ones follow, bits of enum record_field
 *     16  u32  attempt: number of the last attempt that is over
 *     20  u32  uncounted: how many of those do not count against max_attempts
 *     24  u64  submitted_ms
 *     32  u32  body_bytes, also where the body is in parts
 *     36  u16  size of the error text
 *     38  u16  size of the attempts that have ended
 *     40  u64  each optional field, in the order of its bit
 *     ..       kind, error text, unique key, attempts, name of its schedule, needs, group, body
 * (unless chunked)
 *
 * Integers are little-endian. To add an optional field: a new bit at the end of enum record_field,
 * a row in record.c. Old readers refuse bits they do not know, so raise the store's
 * format version with it (data.c).
 */
#ifndef RECORD_H
#define RECORD_H

#include "attempts.h"
#include "message.h"

enum record_last {
    LAST_NONE = 0,
    LAST_FAILED = 1,
    LAST_LOST = 2, /* it had begun, and its worker was lost */
    LAST_RETURNED = 3,
    LAST_SNOOZED = 4,
    LAST_SUCCEEDED = 5,
    LAST_LOST_WAITING = 6, /* its worker was lost before it began: does not count */
    LAST_BEGUN = 7, /* not over: the attempt after `attempt` has begun */
    LAST_UNABLE = 8, /* its worker could not start it: does not count */
    LAST_OVERTIME = 9, /* its time was over, and its worker did not end it */
};

enum record_field {
    FIELD_KEEP = 0, /* absent: the broker's default at settling */
    FIELD_TIME_TO_RUN = 1,
    FIELD_MAX_ATTEMPTS = 2,
    FIELD_BACKOFF_BASE = 3,
    FIELD_BACKOFF_CAP = 4,
    FIELD_DUE = 5,
    FIELD_STARTED = 6, /* wall clock: when the last attempt began, if it was told */
    FIELD_SETTLED = 7,
    FIELD_EXPIRES = 8,
    FIELD_OUTPUT = 9, /* dead: bytes of its last output, which is in parts of its own */
    FIELD_READY = 10, /* when it became ready, if that was not by its submission */
    FIELD_UNIQUE = 11, /* bytes of its unique key */
    FIELD_UNIQUE_FOR = 12, /* how long that is held after it has succeeded */
    FIELD_UNIQUE_FLAGS = 13, /* of enum unique_flag */
    FIELD_START_BY = 14, /* it expires, if it has not begun then; absent once it has */
    FIELD_ATTEMPTS = 15, /* read only: format 10 had the size of its attempts here */
    FIELD_AFTER = 16, /* for so many jobs it still waits; absent: it never waited for any */
    FIELD_AFTER_FLAGS = 17, /* of enum after_flag */
    FIELD_TOTAL = 18, /* all its runs together may take so long */
    FIELD_SPENT = 19, /* of one with such a limit: those that are over took so long */
    FIELD_SCHEDULE = 20, /* bytes of the name of the schedule that made it */
    FIELD_GROUP = 21, /* bytes of its group's name, and whether it keeps its place (record_holds) */
    FIELD_BATCH = 22, /* number of its batch, and what it is to it (batch_value) */
    FIELD_NEEDS = 23, /* bytes of what it needs of a worker */
    FIELD_PARENT = 24, /* it is after one alone, of its own queue and priority: its sequence */
    FIELDS_OPTIONAL = 25,
    FIELD_FOLLOWED = 28, /* no value of its own: others wait for it, or did */
    FIELD_MOVED = 29, /* no value of its own: its id is not its key, but in STORE_NAMES */
    FIELD_SUSPECT =
        30, /* no value of its own: it was lost with a worker, and has not ended since */
    FIELD_CHUNKED = 31, /* no value of its own: the body is in parts */
};

enum {
    RECORD_FIXED_BYTES = 40,
    RECORD_HEAD_MAX = RECORD_FIXED_BYTES + 8 * FIELDS_OPTIONAL + LIMIT_NAME_BYTES +
        LIMIT_ERROR_BYTES + LIMIT_UNIQUE_BYTES + ATTEMPTS_BYTES_MAX + LIMIT_NAME_BYTES +
        LIMIT_NEEDS_BYTES + LIMIT_GROUP_BYTES,
    RECORD_INLINE_MAX = 1900, /* what still shares a 4 KiB page with a neighbour */
    PART_BYTES = 4072, /* with its check 4080: one overflow page exactly */
    OUTPUT_PARTS = 0x8000, /* the number of the first part of an output */
};

struct record {
    enum stint_state state;
    enum record_last last;
    uint32_t attempt, uncounted;
    uint64_t submitted_ms;
    uint64_t optional[FIELDS_OPTIONAL];
    uint32_t fields; /* bits of those that are set */
    uint32_t body_bytes;
    struct slice kind, error, unique, schedule, group;
    struct slice needs; /* canonical (needs.h) */
    struct slice attempts; /* those that have ended (attempts.h) */
    struct slice body; /* empty if chunked */
};

/* What people call a field that has a value (NULL: there is no such field), and how the last
 * attempt ended. */
const char *record_field_name(enum record_field field);
const char *record_last_name(enum record_last last);

static inline bool
record_has(const struct record *r, enum record_field field)
{
    return (r->fields >> field & 1) != 0;
}

static inline uint64_t
record_get(const struct record *r, enum record_field field, uint64_t otherwise)
{
    return record_has(r, field) ? r->optional[field] : otherwise;
}

static inline void
record_set(struct record *r, enum record_field field, uint64_t value)
{
    r->fields |= 1U << field;
    r->optional[field] = value;
}

/* Set a field that has no value of its own. */
static inline void
record_mark(struct record *r, enum record_field field)
{
    r->fields |= 1U << field;
}

static inline void
record_clear(struct record *r, enum record_field field)
{
    r->fields &= ~(1U << field);
}

/* Is it called otherwise than where it stands? */
static inline bool
record_moved(const struct record *r)
{
    return (r->fields >> FIELD_MOVED & 1) != 0;
}

static inline bool
record_chunked(const struct record *r)
{
    return (r->fields >> FIELD_CHUNKED & 1) != 0;
}

/* Do others wait for it, or did? */
static inline bool
record_followed(const struct record *r)
{
    return (r->fields >> FIELD_FOLLOWED & 1) != 0;
}

/* Was it lost with a worker, and has not ended since? Then it may be what ended that worker. */
static inline bool
record_suspect(const struct record *r)
{
    return (r->fields >> FIELD_SUSPECT & 1) != 0 || r->last == LAST_LOST ||
        r->last == LAST_LOST_WAITING || r->last == LAST_BEGUN;
}

/* Does it keep its group's place while it waits for its next run? A bit above the bytes of the
 * group's name says so. */
enum { GROUP_HOLDS = 1 << 16 };

static inline bool
record_holds(const struct record *r)
{
    return record_has(r, FIELD_GROUP) && (r->optional[FIELD_GROUP] & GROUP_HOLDS) != 0;
}

static inline void
record_hold(struct record *r, bool holds)
{
    r->optional[FIELD_GROUP] = r->group.size | (holds ? GROUP_HOLDS : 0U);
}

/* Runs that count against max_attempts. */
static inline uint32_t
record_failures(const struct record *r)
{
    return r->attempt - r->uncounted;
}

/* Is so little left of the time for all runs that another one is of no use? It is measured in
 * messages, so a run that its worker has ended when all was over seems to have ended a little
 * before. */
static inline bool
record_is_spent(const struct record *r)
{
    uint64_t total_ms = record_get(r, FIELD_TOTAL, UINT64_MAX);
    uint64_t rest_ms = total_ms / 16 < 100 ? total_ms / 16 : 100;
    return record_get(r, FIELD_SPENT, 0) >= total_ms - rest_ms;
}

/* What a run of it may take, if that is `otherwise` for one that says nothing; 0: no limit. */
static inline uint64_t
record_limit_ms(const struct record *r, uint64_t otherwise)
{
    uint64_t limit_ms = record_get(r, FIELD_TIME_TO_RUN, otherwise);
    if (!record_has(r, FIELD_TOTAL))
        return limit_ms;
    uint64_t total_ms = r->optional[FIELD_TOTAL], spent_ms = record_get(r, FIELD_SPENT, 0);
    uint64_t left_ms = total_ms > spent_ms ? total_ms - spent_ms : 1;
    return limit_ms && limit_ms < left_ms ? limit_ms : left_ms;
}

/* Is a suspect on its last attempt, or has it failed twice and was lost again? */
static inline bool
record_grave(const struct record *r)
{
    return record_failures(r) >= 2 ||
        record_failures(r) + 1 >= record_get(r, FIELD_MAX_ATTEMPTS, DEFAULT_MAX_ATTEMPTS);
}

/* A fresh record of a submitted job; borrows the spec's slices. */
void record_from_spec(struct record *r, const struct job_spec *spec, uint64_t wall_ms);

/* The same of what it needs, a canonical text. */
void record_set_needs(struct record *r, struct slice needs);

/* Give the record this body, or none; decides whether it goes in parts. Call it after the other
 * fields are set. */
void record_set_body(struct record *r, struct slice body);

/* Write the head (all but the body) for the key `id`; returns its size. The record's bytes are the
 * head and then `r->body`. */
size_t
record_encode(const struct record *r, const struct stint_id *id, uint8_t head[RECORD_HEAD_MAX]);

/* Does the stored record say that its job has a group? It is not looked at otherwise. */
static inline bool
record_bytes_grouped(struct slice bytes)
{
    return bytes.size >= RECORD_FIXED_BYTES &&
        (bytes.data[12 + FIELD_GROUP / 8] >> FIELD_GROUP % 8 & 1) != 0;
}

/* The state alone, of a record that may be damaged; STINT_UNKNOWN if it is none. */
enum stint_state record_state(struct slice bytes);
/* Read a record stored under `id`. False if it is damaged. Slices borrow from `bytes`. */
bool record_decode(struct record *r, const struct stint_id *id, struct slice bytes);
/* The same of bytes that were read so and have not changed: the check is not worked out again. */
bool record_decode_again(struct record *r, struct slice bytes);

/* The group that a damaged record seems to name; empty: it does not. */
struct slice record_group_of_damaged(struct slice bytes, bool *holds);

/* The check of other stored rows: of `size` bytes, seeded. */
uint64_t record_check(const void *data, size_t size, uint64_t seed);

/* Does the last of its attempts that have ended fit to how it says that the last one ended? */
bool record_fits(const struct record *r, const struct attempt_row *row);

#endif
