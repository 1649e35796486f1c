/* What a job is, seen from outside: what a submit says, what the broker tells. Public header; plain
 * data, no functions but the names of states. All times are in milliseconds; points in time since
 * 1970 UTC.
 */
#ifndef STINT_JOB_H
#define STINT_JOB_H

#include "stint_id.h"

#include <stdbool.h>
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Where a broker serves, and where it is looked for, unless it is said otherwise. */
#define STINT_DEFAULT_ENDPOINT "tcp://127.0.0.1:5670"
#define STINT_DEFAULT_NAME "default" /* the queue and the kind of a job that names none */

#define STINT_NAME_BYTES 65 /* a queue's or a kind's name with its final NUL */
#define STINT_LABEL_BYTES 129 /* a peer's name with its final NUL */
#define STINT_ERROR_BYTES 1001
#define STINT_GROUP_BYTES 129 /* the name of a group with its final NUL */
#define STINT_UNIQUE_BYTES 256 /* a job's unique key with its final NUL */
#define STINT_NEEDS_BYTES 256 /* what a job needs of a worker, likewise, and */
#define STINT_HAS_BYTES 512 /* what a worker has */

/* Where a job is in its life. The numbers are the protocol's. */
enum stint_state {
    STINT_UNKNOWN = 0, /* there is no such job, or it was forgotten */
    STINT_READY = 1, /* backlog: waits for a worker */
    STINT_SCHEDULED = 2, /* backlog: not before its due time (it came with one, a retry after its
                            backoff, a snooze) */
    STINT_RUNNING = 3, /* transit: a worker holds its lease */
    STINT_SUCCEEDED = 4, /* settled */
    STINT_DEAD = 5, /* settled: attempts used up, or failed for good; retry brings it back */
    STINT_CANCELLED_JOB = 6, /* settled */
    STINT_EXPIRED = 7, /* settled: it had not begun when its time was over; retry brings it back */
    STINT_BLOCKED = 8, /* backlog: not before other jobs have ended: `after` of struct stint_job */
};
#define STINT_STATES 9
#define STINT_STATE_BIT(state) (1U << (state))
#define STINT_STATES_ALL 0x1feU

/* "ready", "scheduled", "running", "succeeded", "dead", "cancelled", "expired", "blocked";
 * "unknown" for the rest. A constant string; any thread. */
STINT_EXPORT const char *stint_state_name(enum stint_state state);
/* The other way. Errors: STINT_INVALID if no state has that name. */
STINT_EXPORT enum stint_status stint_state_parse(const char *name, enum stint_state *state);
/* Is the job over? True for succeeded, dead, cancelled and expired. */
STINT_EXPORT bool stint_state_settled(enum stint_state state);

/* Jobs that another one is after: when all have succeeded it runs, and when one ends otherwise it
 * is cancelled. */
struct stint_parents {
    const struct stint_id *ids; /* of jobs that are there; stint_earlier: of the same call */
    uint32_t count; /* at most 1000; 0: it waits for none */
    uint32_t flags; /* bits of enum stint_after */
};

/* A job to submit. Begin with STINT_JOB_INIT and set what differs; 0 and NULL then mean the
 * default. Everything is borrowed for the call. */
struct stint_job {
    const char *queue; /* NULL: STINT_DEFAULT_NAME. Made by its first use */
    const char *kind; /* which handler runs it; NULL: STINT_DEFAULT_NAME */
    const void *payload;
    size_t payload_bytes;
    int32_t priority; /* 0 to 255, higher first; negative: the default, 100 */
    uint32_t max_attempts; /* runs before it is dead; 0: the default, 5 */
    int64_t keep_ms; /* how long the outcome is kept; 0: forgotten at success; negative: the
                        broker's default */
    uint64_t time_to_run_ms; /* the lease's limit for one run; 0: none */
    uint64_t backoff_base_ms; /* wait after the first failure, doubled each time; 0: 1000 */
    uint64_t backoff_cap_ms; /* longest wait; 0: 600000 */
    uint64_t delay_ms; /* not handed out before so long after it is stored; 0: at once */
    uint64_t due_ms; /* nor before this time, by the broker's clock; 0: at once */
    const char *unique; /* of its queue only one job at a time has this key, of 1 to 255 bytes of
                           UTF-8; NULL: it has none. What meets it: stint_client_met */
    uint64_t unique_flags; /* bits of enum stint_unique */
    uint64_t unique_for_ms; /* the key is held so long after the job has succeeded */
    uint64_t expires_in_ms; /* one that has not begun so long after it is stored expires, */
    uint64_t
        expires_at_ms; /* or at this time, by the broker's clock; the earlier counts; 0: never */
    struct stint_parents after; /* it waits, blocked, until these have ended */
    uint64_t total_ms; /* all its runs together may take so long; 0: no limit */
    const char *needs; /* it goes only to a worker that has these labels, and so much that no other
                          job of it takes: "gpu zone=a cpus=2 mem=4G"; NULL: it needs nothing */
    uint64_t batch; /* that it is in, of stint_batch_new; 0: in none */
    const char *group; /* of its queue, 1 to 128 bytes of UTF-8; NULL: it is in none. What is set
                          for groups: stint_set_groups */
    uint64_t reserved[3]; /* 0; arrays of jobs keep their layout when fields are added here */
};
/* clang-format off */
/* In the order of the fields, so that it is C++11 too. */
#define STINT_JOB_INIT                                                                             \
    {NULL, NULL, NULL, 0, -1, 0, -1, 0, 0, 0, 0, 0, NULL, 0, 0, 0, 0, {NULL, 0, 0}, 0, NULL, 0,    \
        NULL, {0, 0, 0}}
/* clang-format on */

/* How a job waits for those that it is after. */
enum stint_after {
    STINT_AFTER_ANY = 1, /* until they are over, however they have ended */
};
/* In `after` of a job: the one that is so many-th in the same call, from 0 on. It has to stand
 * before the job. */
STINT_EXPORT struct stint_id stint_earlier(uint32_t index);

/* A job holds its unique key until it is settled. A submit whose key is held makes no job, and its
 * answer is the id of the job that holds it. */
enum stint_unique {
    STINT_UNIQUE_WAITING = 1, /* it holds it only while it waits, not while it runs */
    STINT_UNIQUE_REPLACE = 2, /* if the job that holds it waits, that takes this one's payload, */
    STINT_UNIQUE_MOVE = 4, /* and its time, also that to expire, if it may */
};

/* What a submit met. The numbers are the protocol's. */
enum stint_met {
    STINT_MET_NOTHING = 0, /* the job is new */
    STINT_MET_JOB = 1, /* one that holds its unique key, and stays as it is */
    STINT_MET_CHANGED = 2, /* such a one, that has taken its payload, its time, or both */
};

/* What of jobs that wait is to be changed. Begin with STINT_CHANGE_INIT, which leaves all as it is,
 * and set what is to differ. Everything is borrowed for the call. */
struct stint_change {
    const char *queue, *kind; /* NULL: as it is */
    const void *payload; /* NULL: as it is; an empty one is "" of 0 bytes */
    size_t payload_bytes;
    int32_t priority; /* negative: as it is */
    uint32_t max_attempts; /* 0: as it is; and so for the limits below */
    int64_t keep_ms; /* negative: as it is */
    uint64_t time_to_run_ms, backoff_base_ms, backoff_cap_ms;
    int64_t delay_ms; /* due so long from now, 0: at once; negative: as it is */
    uint64_t total_ms; /* 0: as it is */
    uint64_t reserved[7];
};
/* clang-format off */
#define STINT_CHANGE_INIT {NULL, NULL, NULL, 0, -1, 0, -1, 0, 0, 0, -1, 0, {0, 0, 0, 0, 0, 0, 0}}
/* clang-format on */

/* How far a run is, as it has told last. */
struct stint_progress {
    const char *text; /* UTF-8 of at most 200 bytes; NULL: it has told none */
    uint64_t ms_ago; /* since the broker was told, at least 1; 0: it was told nothing */
    uint32_t percent; /* 0 to 100, or STINT_NO_PERCENT */
};
#define STINT_NO_PERCENT UINT32_MAX
#define STINT_PROGRESS_BYTES 201 /* of such a text, with its end */

/* How a run ended. The numbers are the protocol's. */
enum stint_attempt_end {
    STINT_ATTEMPT_SUCCEEDED = 1,
    STINT_ATTEMPT_FAILED = 2,
    STINT_ATTEMPT_LOST = 3, /* its worker was lost, or its broker, and no worker claimed it */
    STINT_ATTEMPT_SNOOZED = 4, /* its handler put it off */
    STINT_ATTEMPT_UNABLE = 5, /* its worker could not start it */
    STINT_ATTEMPT_OVERTIME = 6, /* its time was over, and its worker did not end it */
    STINT_ATTEMPT_CANCELLED = 7,
};
#define STINT_ATTEMPT_ENDS 8
#define STINT_ATTEMPT_ERROR_BYTES 121 /* of the begin of its error, with its end */

/* "succeeded", "failed", "lost", "snoozed", "unable", "overtime", "cancelled"; "unknown" for the
 * rest. A constant string; any thread. */
STINT_EXPORT const char *stint_attempt_end_name(enum stint_attempt_end end);

/* A run of a job that has ended. */
struct stint_attempt {
    uint32_t attempt; /* its number; one that was given back before it began has one too, and is
                         not told */
    enum stint_attempt_end end;
    uint64_t started_ms, ended_ms; /* started: 0: it had not begun, or nobody said when */
    char worker[STINT_LABEL_BYTES]; /* "": it is not known any more */
    char error[STINT_ATTEMPT_ERROR_BYTES]; /* its first line, cut; or "" */
};

/* What the broker tells of a job. Pointers live as long as the call that gave the struct says;
 * what was not asked for or does not apply is 0. */
struct stint_job_info {
    struct stint_id id;
    enum stint_state state;
    char queue[STINT_NAME_BYTES], kind[STINT_NAME_BYTES];
    uint8_t priority;
    uint32_t attempt; /* number of the last or the current run */
    uint32_t failures; /* runs that counted against max_attempts */
    uint32_t max_attempts;
    uint64_t submitted_ms, due_ms, started_ms, settled_ms;
    uint64_t keep_ms, time_to_run_ms, backoff_base_ms, backoff_cap_ms;
    uint64_t payload_bytes, result_bytes; /* sizes, also where the bytes were not asked for */
    const void *payload, *result; /* NULL if not asked for, not kept, or empty */
    char worker[STINT_LABEL_BYTES]; /* who runs it, or "" */
    char error[STINT_ERROR_BYTES]; /* of the last failed attempt, or ""; of a succeeded job the tail
                                      of its standard error */
    char unique[STINT_UNIQUE_BYTES]; /* its unique key; "": it has none */
    uint64_t unique_flags, unique_for_ms;
    uint64_t expires_at_ms; /* it expires then, if it has not begun; 0: it does not */
    char schedule[STINT_NAME_BYTES]; /* that made it; "": none did */
    char group[STINT_GROUP_BYTES]; /* of its queue, that it is in; "": in none */
    bool group_holds; /* scheduled: it keeps its group's place until its next run */
    struct stint_progress progress; /* of the current run */
    const struct stint_attempt *attempts; /* those that have ended, the oldest first, of very many
                                             the newest; NULL if not asked for, or none has */
    uint64_t attempts_count;
    const struct stint_id *parents; /* those that it was, or is, after; NULL if not asked for, or
                                       none; told with the attempts */
    uint64_t parents_count;
    uint32_t after; /* blocked: for so many jobs it still waits */
    uint32_t after_flags; /* bits of enum stint_after */
    uint64_t total_ms, spent_ms; /* what all its runs may take, and those took that are over */
    char needs[STINT_NEEDS_BYTES]; /* what it needs of a worker; "": nothing */
    uint64_t batch; /* that it belongs to; 0: to none */
    uint64_t batch_role; /* what it is to it: enum stint_batch_role */
    uint64_t reserved[4];
};

/* What a subscriber hears. The numbers are the protocol's. */
enum stint_event_type {
    STINT_EVENT_SUBMITTED = 1,
    STINT_EVENT_STARTED = 2, /* handed to a worker */
    STINT_EVENT_SUCCEEDED = 3,
    STINT_EVENT_FAILED = 4, /* an attempt failed; it will be tried again */
    STINT_EVENT_REQUEUED =
        5, /* back in the backlog: its worker was lost or gave it back, or retry */
    STINT_EVENT_DEAD = 6,
    STINT_EVENT_CANCELLED = 7,
    STINT_EVENT_LOST = 8, /* events were dropped, because the subscriber was too slow */
    STINT_EVENT_CHANGED = 9, /* its queue, priority, time, payload or limits: stint_change */
    STINT_EVENT_EXPIRED = 10, /* it had not begun when its time was over */
};
STINT_EXPORT const char *stint_event_name(enum stint_event_type type);

struct stint_event {
    enum stint_event_type type;
    struct stint_id id;
    uint64_t at_ms;
    uint64_t count; /* for STINT_EVENT_LOST: how many; else the attempt */
    char queue[STINT_NAME_BYTES];
    char schedule[STINT_NAME_BYTES]; /* SUBMITTED: that made the job; "": none did */
};

/* A feed: events that the broker records as it commits what they tell of, numbered 1, 2, 3 ... */
struct stint_feed {
    char name[STINT_NAME_BYTES];
    char queues[STINT_NAME_BYTES]; /* of this queue; "mail.*": those that begin so; "": of all */
    uint32_t events; /* bits 1 << enum stint_event_type; 0: all */
    uint64_t keep_ms, max_events, max_bytes; /* what is beyond one of them is dropped, the oldest
                                                first; 0: the broker's defaults */
    uint64_t life; /* drawn when the feed is made: numbers of another one mean other events */
    uint64_t first, next; /* numbers of the oldest event that is kept, and of the next one */
    uint64_t bytes; /* that they take */
    bool made; /* it was not there before */
    uint64_t reserved[4];
};

/* What can be done with a schedule. The numbers are the protocol's. */
enum stint_schedule_action {
    STINT_SET_SCHEDULE = 1,
    STINT_REMOVE_SCHEDULE = 2,
    STINT_PAUSE_SCHEDULE = 3,
    STINT_RESUME_SCHEDULE = 4, /* from now on: what was due meanwhile is not made up for */
    STINT_RUN_SCHEDULE = 5, /* a job now, besides its ticks */
};

/* What becomes of ticks that could not be made in their time, as the broker was down. */
enum stint_missed {
    STINT_MISSED_SKIP = 1, /* nothing, if they are over for more than a minute */
    STINT_MISSED_ONE = 2, /* one job for all of them: the default */
    STINT_MISSED_ALL = 3, /* a job for each, up to a number */
};

/* What becomes of a tick while the last one's job is not over. */
enum stint_overlap {
    STINT_OVERLAP_START = 1, /* its job is made: the default */
    STINT_OVERLAP_SKIP = 2, /* nothing */
    STINT_OVERLAP_REPLACE = 3, /* its job is made, and the last one is cancelled */
};

/* "skip", "one", "all"; "start", "skip", "replace"; "unknown" for the rest. Constant strings; any
 * thread. */
STINT_EXPORT const char *stint_missed_name(enum stint_missed missed);
STINT_EXPORT const char *stint_overlap_name(enum stint_overlap overlap);

/* A schedule to set. Begin with STINT_SCHEDULE_INIT; NULL and 0 then mean the default. Either
 * `cron` or `every_ms` is given. Everything is borrowed for the call. */
struct stint_schedule {
    const char *name; /* as those of queues */
    const char *cron; /* five fields as crontab(5) has them, or @daily and so on */
    const char *zone; /* whose time that is, as tzdata names it: "Europe/Berlin"; NULL: "UTC" */
    uint64_t every_ms; /* from when it is set on, by the time that passes; at least 1000 */
    enum stint_missed missed;
    uint32_t missed_most; /* of STINT_MISSED_ALL, 1 to 1000 */
    enum stint_overlap overlap;
    struct stint_job job; /* without times of its own: due_ms and expires_at_ms are 0 */
    uint64_t reserved[4];
};
/* clang-format off */
#define STINT_SCHEDULE_INIT                                                                        \
    {NULL, NULL, NULL, 0, (enum stint_missed)0, 0, (enum stint_overlap)0, STINT_JOB_INIT,          \
        {0, 0, 0, 0}}
/* clang-format on */

#define STINT_NEXT_TICKS 100

/* What the broker tells of one. Pointers live as long as the call that gave the struct says. */
struct stint_schedule_info {
    char name[STINT_NAME_BYTES], queue[STINT_NAME_BYTES], kind[STINT_NAME_BYTES];
    char cron[256], zone[64]; /* cron "": it is every_ms */
    uint64_t every_ms;
    enum stint_missed missed;
    uint32_t missed_most;
    enum stint_overlap overlap;
    bool paused;
    bool made; /* it was not there before */
    enum stint_status trouble; /* why its last tick could not be made, and is tried again */
    uint64_t last_ms; /* its last tick; 0: there was none yet */
    struct stint_id last_id; /* the last job it made; all 0: none */
    struct stint_id run_id; /* STINT_RUN_SCHEDULE: the job that this made */
    uint64_t jobs, skipped; /* jobs that it made, and ticks for which it made none */
    uint64_t next[STINT_NEXT_TICKS]; /* its next ticks, as many as were asked for and there are */
    uint32_t next_count;
    const struct stint_job *job; /* NULL: not asked for */
    uint64_t reserved[4];
};

/* One queue: jobs by state, indexed by enum stint_state. */
struct stint_queue_info {
    char name[STINT_NAME_BYTES];
    uint32_t number;
    uint64_t jobs[STINT_STATES];
    uint32_t workers; /* that serve it now */
    char unserved[STINT_NAME_BYTES]; /* a kind that waits and none of them handles, or "" */
    /* How long ago the job was submitted that is the oldest of those that are next: the first ready
     * one of each priority. At least 1; 0: none is ready, or the broker is older and does not tell.
     */
    uint64_t oldest_ready_ms;
    bool paused; /* nothing of it is handed out */
    bool closed; /* it takes no new jobs */
    bool lifo; /* of a priority, the newest job is next, not the oldest */
    bool low_first; /* the lowest number of a priority is the most urgent one, not the highest */
    uint32_t running; /* so many are handed out at once; 0: any number */
    uint64_t rate; /* and so many in an hour; 0: any number */
    uint32_t weight; /* so many turns among the queues that a worker serves; 1, if none is set */
    uint32_t backlog_max; /* so many of its jobs may wait; 0: any number */
    uint64_t keep_ms; /* how long outcomes are kept; STINT_KEEP_UNSET: as the broker keeps them */
    uint64_t time_to_run_ms; /* the time limit of jobs that name none; 0: none */
    uint32_t group_running; /* of a group so many are handed out at once; 0: any number */
    uint32_t group_weights; /* so many groups have a weight */
    uint64_t group_rate; /* of a group so many in an hour; 0: any number */
    uint64_t reserved[2];
};

/* What can be done with a queue. The numbers are the protocol's. */
enum stint_queue_action {
    STINT_PAUSE_QUEUE = 1, /* nothing of it is handed out */
    STINT_RESUME_QUEUE = 2,
    STINT_CLOSE_QUEUE = 3, /* it takes no new jobs; what is there is finished */
    STINT_OPEN_QUEUE = 4,
    STINT_REMOVE_QUEUE = 5, /* it holds nothing, and goes with its settings */
    STINT_ORDER_FIFO = 6, /* of a priority, the oldest job is next, */
    STINT_ORDER_LIFO = 7, /* the newest */
    STINT_ORDER_HIGH_FIRST = 8, /* the highest priority is the most urgent one, */
    STINT_ORDER_LOW_FIRST = 9, /* the lowest */
    STINT_LIMIT_QUEUE = 10, /* by stint_limit_queue */
    STINT_TUNE_QUEUE = 11, /* by stint_tune_queue */
    STINT_SET_GROUPS = 12, /* by stint_set_groups */
};

/* How a queue stands after that. */
struct stint_queue_setting {
    bool paused, closed, lifo, low_first;
    bool made; /* it was not there before */
    uint32_t running; /* so many are handed out at once; 0: any number */
    uint64_t rate; /* and so many in an hour; 0: any number */
    uint32_t weight, backlog_max; /* as in struct stint_queue_info, also those behind */
    uint64_t keep_ms, time_to_run_ms;
    uint32_t group_running, group_weights;
    uint64_t group_rate;
    uint64_t reserved[2];
};

/* How many jobs of a queue are handed out. Begin with STINT_QUEUE_LIMITS_INIT, which leaves all as
 * it is, and set what is to differ. */
struct stint_queue_limits {
    uint32_t running; /* so many at once, over all workers; 0: any number; UINT32_MAX: as it is */
    uint64_t rate; /* so many in an hour; 0: any number; UINT64_MAX: as it is */
    uint64_t reserved[4];
};
#define STINT_QUEUE_LIMITS_INIT \
    { \
        UINT32_MAX, UINT64_MAX, \
        { \
            0, 0, 0, 0 \
        } \
    }

/* As long as the broker keeps them. */
#define STINT_KEEP_UNSET (UINT64_MAX - 1)

/* What else is set for a queue. Begin with STINT_QUEUE_TUNING_INIT, which leaves all as it is, and
 * set what is to differ. */
struct stint_queue_tuning {
    uint32_t weight; /* 1 to 100; UINT32_MAX: as it is */
    uint32_t backlog_max; /* so many of its jobs may wait; 0: any number; UINT32_MAX: as it is */
    /* So long the outcomes of jobs are kept that say nothing of it, at least as long as the broker
     * keeps them where they have not succeeded; STINT_KEEP_UNSET: the broker's again; UINT64_MAX:
     * as it is. */
    uint64_t keep_ms;
    uint64_t time_to_run_ms; /* of jobs that name none; 0: none; UINT64_MAX: as it is */
    uint64_t reserved[4];
};
#define STINT_QUEUE_TUNING_INIT \
    { \
        UINT32_MAX, UINT32_MAX, UINT64_MAX, UINT64_MAX, \
        { \
            0, 0, 0, 0 \
        } \
    }

/* How many turns a group takes, where others take one. */
struct stint_group_weight {
    const char *name;
    uint32_t weight; /* 1 to 1000 */
};

/* What is set for the groups of a queue. Begin with STINT_GROUP_SETTING_INIT, which leaves all as
 * it is, and set what is to differ. */
struct stint_group_setting {
    uint32_t running; /* of each so many are handed out at once; 0: any number; UINT32_MAX: as it
                         is */
    uint64_t rate; /* and so many in an hour; 0: any number; UINT64_MAX: as it is */
    const struct stint_group_weight *weights; /* of these groups; of others they stay as they are */
    uint32_t weights_count; /* at most 100; and a queue has at most 10000 */
    uint64_t reserved[4];
};
#define STINT_GROUP_SETTING_INIT \
    { \
        UINT32_MAX, UINT64_MAX, NULL, 0, \
        { \
            0, 0, 0, 0 \
        } \
    }

/* A group that has jobs which are ready or run. */
struct stint_group_info {
    char name[STINT_GROUP_BYTES];
    uint64_t ready;
    uint64_t running; /* also those that keep its place until they are tried again */
    uint32_t weight;
    uint64_t wait_ms; /* until its rate lets the next one begin; 0: it does */
    uint64_t reserved[4];
};

/* One worker of the fleet. */
struct stint_worker_info {
    char name[STINT_LABEL_BYTES], software[STINT_LABEL_BYTES];
    char queues[1024]; /* separated by spaces, cut with "..." */
    char kinds[1024]; /* likewise, those it handles; "": all */
    uint32_t slots, window, held; /* held: leases now, prefetched ones counted */
    uint64_t seen_ms_ago, succeeded, failed;
    char labels[1024]; /* as the queues */
    uint32_t begun; /* jobs that run, as far as it was told */
    uint32_t cores, load; /* of its machine; load: in hundredths of a core; cores 0: not told */
    uint32_t state; /* bits of enum stint_worker_state */
    uint64_t since_ms_ago; /* it came, to this broker in this life */
    char has[STINT_HAS_BYTES]; /* amounts and labels that jobs can need */
    char taken[STINT_HAS_BYTES]; /* amounts that the jobs take which it holds */
    uint64_t reserved[8];
};

enum stint_worker_state {
    STINT_IS_PAUSED = 1, /* it is given nothing */
    STINT_IS_LEAVING = 2, /* it was told to drain or to stop */
    STINT_IS_AWAY = 4, /* its connection is gone; it is not lost yet */
};

/* A job that a worker holds. */
struct stint_running_info {
    struct stint_id id;
    char queue[STINT_NAME_BYTES], kind[STINT_NAME_BYTES];
    uint32_t attempt;
    bool begun; /* it runs, or may; else it waits in the worker */
    uint64_t ms_ago; /* it was handed out */
    struct stint_progress progress;
    uint64_t reserved[1];
};

/* Why a job does not run, or why nothing of a queue does. The numbers are the protocol's. */
enum stint_why {
    STINT_WHY_UNKNOWN = 0, /* there is no such job, or it was forgotten */
    STINT_WHY_SETTLED = 1, /* it is over */
    STINT_WHY_RUNNING = 2, /* a worker has it, and it runs as far as we were told */
    STINT_WHY_HELD = 3, /* a worker has it, and it has not said that it runs */
    STINT_WHY_UNCLAIMED = 4, /* it was handed out before a restart of the broker */
    STINT_WHY_CUT_OFF = 5, /* its worker's connection is gone */
    STINT_WHY_RETRY = 6, /* it failed, and is tried again at its due time */
    STINT_WHY_SNOOZED = 7, /* it was put off by its own handler */
    STINT_WHY_DUE = 8, /* it is not its time yet */
    STINT_WHY_PAUSED = 9, /* its queue is paused */
    STINT_WHY_GRACE = 10, /* the broker has just started, and no such worker is back yet */
    STINT_WHY_NO_WORKER = 11, /* no worker serves its queue */
    STINT_WHY_NO_HANDLER = 12, /* none of those handles its kind */
    STINT_WHY_UNABLE = 13, /* one that does can't start it, and none of the others has room */
    STINT_WHY_UNWILLING = 14, /* those that do take nothing: paused, leaving, without slots... */
    STINT_WHY_SUSPECT = 15, /* it was lost with a worker, and waits for one that has nothing else */
    STINT_WHY_BUSY = 16, /* all of them have as many jobs as they take */
    STINT_WHY_NEXT = 17, /* nothing: it is handed out when its turn comes, in a moment */
    STINT_WHY_NOTHING = 18, /* of a queue: nothing waits in it */
    STINT_WHY_LIMITED = 19, /* as many of its queue run as may at once: `slots` */
    STINT_WHY_RATE = 20, /* as many of its queue have begun as may; due_ms: one more may */
    STINT_WHY_AFTER = 21, /* it is blocked: it waits for other jobs, `before` of them */
    STINT_WHY_GROUP_FULL = 22, /* as many of its group run as may at once: `slots` */
    STINT_WHY_GROUP_RATE = 23, /* as many of its group have begun as may; due_ms: one more may */
    STINT_WHY_GROUP_LINE = 24, /* others of its group go before it: `before`, at most */
    STINT_WHY_NEEDS = 25, /* no worker that handles its kind has what it needs */
    STINT_WHY_ROOM = 26, /* those that do have too much of it taken; `worker`, if it is not "",
                            makes room for the next such job */
    STINT_WHY_VARIED = 27, /* the jobs of its queue need so many different things that those of some
                              wait until others are gone */
};
#define STINT_WHYS 28

/* "paused", "no_worker", and so on; "unknown" for what this version does not know. A constant
 * string; any thread. */
STINT_EXPORT const char *stint_why_name(enum stint_why why);

/* One reason, and its numbers; what does not apply is 0 or "". */
struct stint_reason {
    struct stint_id id; /* of the job; 0 of a queue */
    enum stint_why why;
    char queue[STINT_NAME_BYTES], kind[STINT_NAME_BYTES];
    enum stint_state state; /* SETTLED: which */
    bool closed, full; /* of a queue: submits wait */
    bool about; /* `before` is an upper bound */
    uint32_t workers; /* that serve the queue and handle the kind; NO_HANDLER: that serve it;
                         UNABLE: that have not said so */
    uint32_t paused, leaving, away; /* of them */
    uint64_t slots; /* of them */
    uint64_t before; /* jobs of the queue that are handed out before it; AFTER: that have to end */
    uint64_t due_ms; /* when it is to run; GRACE, UNCLAIMED: when that is over */
    char worker[STINT_LABEL_BYTES]; /* that has it */
    char error[STINT_ERROR_BYTES]; /* RETRY, UNABLE: of the last attempt */
    char needs[STINT_NEEDS_BYTES]; /* NEEDS, ROOM, VARIED: what is needed */
    uint64_t reserved[4];
};

/* What is done to all jobs that a filter is true of. The numbers are the protocol's. */
enum stint_bulk_action {
    STINT_BULK_CANCEL = 1, /* those that are not settled */
    STINT_BULK_RETRY = 2, /* those that are dead, cancelled or expired */
    STINT_BULK_DELETE = 3, /* those that do not run */
    STINT_BULK_PROMOTE = 4, /* those that are scheduled */
    STINT_BULK_MOVE = 5, /* to another queue: those that do not run and have not succeeded */
    STINT_BULK_PRIORITY = 6, /* another priority: the same ones */
};

/* How far that is. The numbers are the protocol's. */
enum stint_bulk_state {
    STINT_BULK_COUNTING = 1, /* how many there are */
    STINT_BULK_WORKING = 2,
    STINT_BULK_DONE = 3,
    STINT_BULK_STOPPED = 4, /* before its end, by stint_bulk_stop */
};
enum { STINT_BULK_EXAMPLES = 3 };

/* "cancel", "retry", "delete", "promote", "move", "priority"; "counting", "working", "done",
 * "stopped"; "unknown" for the rest. Constant strings; any thread. */
STINT_EXPORT const char *stint_bulk_action_name(enum stint_bulk_action action);
STINT_EXPORT const char *stint_bulk_state_name(enum stint_bulk_state state);

/* One operation. */
struct stint_bulk_info {
    uint64_t bulk; /* its number */
    enum stint_bulk_action action;
    enum stint_bulk_state state;
    char queue[STINT_NAME_BYTES]; /* MOVE: where to */
    uint8_t priority; /* PRIORITY: which */
    bool dry; /* jobs are counted, and nothing is done to them */
    char key[STINT_LABEL_BYTES]; /* of whoever began it, or "" */
    uint64_t began_ms, ended_ms; /* jobs that came after it began are left as they are */
    uint64_t counted; /* jobs of which the filter was true when they were counted */
    uint64_t done; /* to so many */
    uint64_t refused; /* and so many could not be treated so: */
    enum stint_status status; /* why, of the last of them */
    uint32_t examples_count;
    struct stint_id examples[STINT_BULK_EXAMPLES]; /* of those that were counted */
    const char *where; /* the filter as text; "": all jobs. Borrowed */
    uint64_t reserved[6];
};

/* How many jobs at a time the fleet is to run, and what it has. */
struct stint_fleet {
    uint32_t slots; /* that are divided among its workers by their cores; 0: each has its own */
    uint32_t workers; /* that share them */
    uint64_t cores; /* of these workers' machines */
    uint64_t given; /* slots that workers have now, of all of them */
    uint64_t reserved[4];
};

/* What is counted of jobs, for good: a restart of the broker begins nothing anew. */
enum stint_count {
    STINT_COUNT_SUBMITTED = 0,
    STINT_COUNT_STARTED = 1, /* attempts: each time a job was handed out */
    STINT_COUNT_SUCCEEDED = 2,
    STINT_COUNT_FAILED = 3, /* attempts, those that were tried again or not */
    STINT_COUNT_DEAD = 4,
    STINT_COUNT_CANCELLED = 5,
    STINT_COUNT_EXPIRED = 6,
};
#define STINT_COUNTS 7
/* "submitted" and so on; any thread. */
STINT_EXPORT const char *stint_count_name(enum stint_count count);

/* Of 1, 5 and 15 minutes. */
#define STINT_RATES 3

/* How long something took, in milliseconds. Percentiles are of the last 5 to 10 minutes and at most
 * an eighth too high. */
struct stint_times {
    uint64_t count, sum_ms; /* since the broker's start */
    uint64_t recent; /* that the percentiles are of; 0: there are none */
    uint64_t p50_ms, p90_ms, p99_ms, max_ms;
    uint64_t reserved[2];
};

/* Of the jobs of one kind in a queue. */
struct stint_kind_figures {
    char kind[STINT_NAME_BYTES]; /* "": of all kinds that have none of their own */
    struct stint_times wait; /* from when it was ready until it was handed out */
    struct stint_times run; /* from then until its worker had told how it ended */
};

/* Jobs of one priority in a queue. */
struct stint_priority_figures {
    uint8_t priority;
    uint64_t jobs[STINT_STATES];
};

/* A queue's figures. What was not asked for is empty. */
struct stint_figures {
    char queue[STINT_NAME_BYTES];
    uint64_t totals[STINT_COUNTS];
    uint64_t rates[STINT_RATES][STINT_COUNTS]; /* jobs in 1,000 seconds; shorter after a start */
    uint64_t jobs[STINT_STATES];
    uint64_t oldest_ready_ms; /* since the oldest ready job was submitted; 0: none is */
    uint32_t workers;
    bool paused, closed;
    struct stint_times wait, run; /* of all kinds together */
    const struct stint_kind_figures *kinds;
    const struct stint_priority_figures *priorities; /* highest first; those in use */
    size_t kinds_count, priorities_count;
    uint64_t reserved[8];
};
enum stint_figures_part { STINT_FIGURES_KINDS = 1, STINT_FIGURES_PRIORITIES = 2 };

/* The broker's own figures since its start. */
struct stint_stats {
    uint64_t epoch, uptime_ms;
    uint64_t peers, workers, slots, leases, queues, sessions;
    uint64_t submitted, dispatched, succeeded, failed, dead, requeued, cancelled, stale, refused;
    uint64_t commits, events_lost, store_used_bytes, store_size_bytes, recalled, damaged;
    uint64_t jobs[STINT_STATES]; /* in all queues, by state */
    uint64_t totals[STINT_COUNTS]; /* over all its starts: enum stint_count */
    uint64_t reserved[18];
};
/* clang-format off */
#define STINT_STATS_FIELDS(X)                                                                      \
    X(epoch) X(uptime_ms) X(peers) X(workers) X(slots) X(leases) X(queues) X(sessions)             \
    X(submitted) X(dispatched) X(succeeded) X(failed) X(dead) X(requeued) X(cancelled) X(stale)    \
    X(refused) X(commits) X(events_lost) X(store_used_bytes) X(store_size_bytes) X(recalled)       \
    X(damaged)
/* clang-format on */

#ifdef __cplusplus
}
#endif
#endif
