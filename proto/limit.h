/* Every limit of the protocol, with its unit and its reason. What a broker may lower or raise at
 * run time has a default here and travels in WELCOME; the rest is part of the protocol.
 */
#ifndef LIMIT_H
#define LIMIT_H

enum {
    /* One message. Large enough for a thousand common jobs or a few of the largest; small enough
     * that a thousand peers sending one each do not hurt. The transport refuses larger frames. */
    LIMIT_MESSAGE_BYTES = 8 << 20,
    LIMIT_SEAL_BYTES = 33, /* that CURVE adds to a message on the wire */
    LIMIT_PAYLOAD_BYTES = 1 << 20, /* default, a job's payload */
    LIMIT_RESULT_BYTES = 1 << 20, /* default, a job's result */
    LIMIT_BODY_BYTES_MAX = 4 << 20, /* what the two defaults above may be raised to */
    LIMIT_ERROR_BYTES = 1000, /* a failed attempt's text; longer ones are cut, not refused */
    LIMIT_ATTEMPTS_TOLD = 80, /* attempts of a job that have ended and are told, at most */
    LIMIT_ATTEMPT_ERROR_BYTES = 120, /* of each, the begin of its error */
    LIMIT_PROGRESS_BYTES = 200, /* of the text with which a run tells how far it is */
    LIMIT_WROTE_BYTES = 64 << 10, /* of what a run writes on standard error, in one piece */
    LIMIT_NAME_BYTES = 64, /* names of queues and kinds */
    LIMIT_UNIQUE_BYTES = 255, /* a job's unique key */
    LIMIT_GROUP_BYTES = 128, /* the name of a job's group */
    LIMIT_LABEL_BYTES = 128, /* a peer's own name and its software's */
    LIMIT_JOBS = 4096, /* jobs, ids or outcomes in one message */
    LIMIT_QUEUES_SERVED = 256, /* queues one worker serves */
    LIMIT_PREFIXES = 64, /* prefixes by which one worker serves queues */
    LIMIT_KINDS = 64, /* kinds one worker handles */
    LIMIT_DEPTH = 8, /* nesting of the envelope, payloads not counted */
    LIMIT_WINDOW = 1 << 16, /* jobs a worker may hold */
    LIMIT_LABELS = 16, /* of one worker */
    LIMIT_CORES = 1 << 16, /* of one machine */
    LIMIT_FLEET_SLOTS = 1 << 24, /* of all workers */
    LIMIT_ATTEMPTS = 65535, /* highest value of a job's max attempts */
    LIMIT_SUBMISSIONS_OPEN = 8192, /* unanswered submissions of one session */
    LIMIT_WATCHED = 65536, /* jobs one connection may wait for at once */
    LIMIT_UNREAD_BYTES = 64 << 20, /* what a peer was sent and has not shown to have read */
    LIMIT_SUBSCRIPTIONS = 64, /* subscriptions of one connection */
    /* Each event is held against all subscriptions there are. */
    LIMIT_SUBSCRIPTIONS_ALL = 1024, /* of all connections; but each may have one */
    LIMIT_SUBSCRIBED_ALL = 1 << 20, /* ids that they name */
    LIMIT_WATCHED_ALL = 1 << 19, /* jobs that all connections wait for; but each may for: */
    LIMIT_WATCHED_LEAST = 256,
    LIMIT_QUEUE_RUNNING = 1 << 24, /* jobs of a queue at once, that it may be limited to */
    LIMIT_AFTER = 1000, /* jobs that one waits for */
    LIMIT_AFTER_ALL = 1 << 15, /* the same, of all jobs in one message: each costs a row */
    LIMIT_NEEDS = 16, /* labels and amounts that a job needs... */
    LIMIT_NEEDS_BYTES = 255, /* ...as one text */
    LIMIT_HAS = 32, /* the same of what a worker has */
    LIMIT_HAS_BYTES = 511,
    LIMIT_QUEUE_NEEDS = 256, /* different needs of the jobs of a queue: each is looked for */
    LIMIT_QUEUE_BACKLOG = 1 << 30, /* jobs that may wait in it, likewise */
    LIMIT_QUEUE_WEIGHT = 100,
    LIMIT_GROUP_RUNNING = 1 << 24, /* jobs of a group at once, that groups may be limited to */
    LIMIT_GROUP_WEIGHT = 1000,
    LIMIT_GROUP_WEIGHTS = 10000, /* groups of a queue that have one */
    LIMIT_GROUP_WEIGHTS_SET = 100, /* the same, in one message */
    LIMIT_FEEDS = 16, /* each event is held against all of them */
    LIMIT_FEED_READERS = 16, /* READ_FEEDs of one connection that wait */
    LIMIT_FEED_READERS_ALL = 1024, /* of all connections; but each may have one */
};

/* Defaults of a job and of a conversation, in milliseconds unless said. */
enum {
    DEFAULT_PRIORITY = 100,
    DEFAULT_MAX_ATTEMPTS = 5, /* runs */
    DEFAULT_BACKOFF_BASE_MS = 1000,
    DEFAULT_BACKOFF_CAP_MS = 600000,
    DEFAULT_HEARTBEAT_MS = 1000,
    DEFAULT_LOST_MS = 5000,
    DEFAULT_GRACE_MS = 10000,
    DEFAULT_DRAIN_MS = 30000, /* of a worker that ends */
};

#define DEFAULT_KEEP_MS (24ULL * 3600 * 1000) /* outcomes of jobs that say nothing */
#define DEFAULT_KEEP_DEAD_MS (30ULL * 86400 * 1000) /* the dead-letter set is kept longer */
#define LIMIT_TIME_MS (100ULL * 366 * 86400 * 1000) /* any duration: a hundred years */
#define LIMIT_MOMENT_MS 253402300799999ULL /* any point in time: the end of the year 9999 */

/* Schedules. Each is looked at when one of them is due, and its job is read then. */
enum {
    LIMIT_SCHEDULES = 10000,
    LIMIT_SCHEDULE_JOB_BYTES = 16 << 10, /* its job, as SUBMIT writes one */
    LIMIT_MISSED = 1000, /* ticks that are made up for at once */
    LEAST_EVERY_MS = 1000,
};

/* Batches. */
enum {
    LIMIT_BATCH_JOB_BYTES =
        16 << 10, /* a job that it makes when it is over, as SUBMIT writes one */
    LIMIT_BATCH_WAITS = 64, /* batches that a connection waits for */
};

#define LIMIT_QUEUE_RATE (3600ULL * 1000000) /* jobs in an hour, likewise */

/* The number of a batch; what is above it says what a job is to its batch. */
#define LIMIT_BATCH ((1ULL << 61) - 1)

/* What a feed keeps, at most and if nothing is said. */
#define LIMIT_FEED_EVENTS 1000000000ULL
#define LIMIT_FEED_BYTES (1ULL << 40)
#define DEFAULT_FEED_EVENTS 1000000ULL
#define DEFAULT_FEED_BYTES (64ULL << 20)
#define DEFAULT_FEED_KEEP_MS DEFAULT_KEEP_MS

/* Jobs, in a message that asks why they wait: each may take a look at all workers. */
#define LIMIT_WHY 64

#endif
