/* A job, as messages say it. */
#ifndef MESSAGE_JOB_H
#define MESSAGE_JOB_H

#include "limit.h"
#include "needs.h"
#include "pack.h"
#include "stint_batch.h"

/* A job as a SUBMIT says it, defaults filled in. */
struct job_spec {
    struct slice queue, kind, payload;
    uint64_t keep_ms; /* KEEP_DEFAULT: the broker's */
    uint64_t time_to_run_ms, backoff_base_ms, backoff_cap_ms;
    uint64_t delay_ms, due_ms; /* not before so long after it is stored, nor before this time */
    struct slice schedule; /* which made it: the broker alone says that; empty: none */
    struct slice unique; /* empty: it has no unique key */
    uint64_t unique_flags; /* of enum unique_flag */
    uint64_t unique_for_ms; /* its key is held so long after it has succeeded */
    /* One that has not begun so long after it is stored, or at that time, expires. */
    uint64_t expires_in_ms, expires_at_ms;
    struct slice after; /* for whom it waits, as message_open_after takes it; empty: for none */
    uint64_t after_flags; /* of enum after_flag */
    uint64_t total_ms; /* of all its runs; 0: no limit */
    struct slice needs; /* of a worker, as needs_write takes it; empty: nothing */
    uint64_t batch; /* its number, with what the job is to it (batch_value); 0: it is in none */
    struct slice group; /* empty: it is in none */
    uint32_t max_attempts;
    uint8_t priority;
    bool followed; /* as it was read: a job behind it in its message is after it */
};

/* Of a job with a unique key. The numbers are the protocol's. */
enum unique_flag {
    UNIQUE_WAITING = 1, /* it holds its key while it waits, not while it runs */
    UNIQUE_REPLACE = 2, /* if its key is held by a job that waits: that takes its payload, */
    UNIQUE_MOVE = 4, /* and its time */
    UNIQUE_FLAGS_ALL = 7
};
#define KEEP_DEFAULT UINT64_MAX

/* Of a job that waits for others. The numbers are the protocol's. */
enum after_flag {
    AFTER_ANY = 1, /* until they are over, however they have ended */
    AFTER_FLAGS_ALL = 1
};

/* What a job is to a batch: one of its jobs, or made by it. A job's record, and what is told of it,
 * has the batch's number with that above it. */
static inline uint64_t
batch_value(uint64_t batch, enum stint_batch_role role)
{
    return batch | (uint64_t)role << 61;
}

static inline uint64_t
batch_number(uint64_t value)
{
    return value & LIMIT_BATCH;
}

static inline enum stint_batch_role
batch_role(uint64_t value)
{
    return (enum stint_batch_role)(value >> 61);
}

/* One that a job is after: the id of a job, or how-manieth job of its own message that is. */
struct after_ref {
    bool earlier;
    uint32_t index;
    struct stint_id id;
};

/* What of a job is to be changed: bits of `set`. */
enum change_bit {
    CHANGE_QUEUE = 1 << 1,
    CHANGE_KIND = 1 << 2,
    CHANGE_PAYLOAD = 1 << 3,
    CHANGE_PRIORITY = 1 << 4,
    CHANGE_MAX_ATTEMPTS = 1 << 5,
    CHANGE_KEEP = 1 << 6,
    CHANGE_TIME_TO_RUN = 1 << 7,
    CHANGE_BACKOFF_BASE = 1 << 8,
    CHANGE_BACKOFF_CAP = 1 << 9,
    CHANGE_DELAY = 1 << 10,
    CHANGE_TOTAL = 1 << 20,
};

struct change {
    uint32_t set;
    uint64_t delay_ms; /* from now; 0: it is due */
    struct job_spec to;
};

#endif
