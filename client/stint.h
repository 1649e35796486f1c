/* libstint, the client's half: submit jobs to a broker, follow them, ask about them. Public header.
 *
 *     struct stint_client *client;
 *     struct stint_job job = STINT_JOB_INIT;
 *     struct stint_id id;
 *     job.queue = "mail"; job.payload = "hello"; job.payload_bytes = 5;
 *     if (stint_client_new(NULL, &client) == STINT_OK &&
 *         stint_submit(client, &job, 1, &id, STINT_TIMEOUT_DEFAULT) == STINT_OK)
 *         ...the job is on the broker's disk, exactly once...
 *     stint_client_destroy(&client);
 *
 * A client belongs to one thread at a time; a program may have many. It has no thread of its own:
 * it works inside calls, so whoever has callbacks waiting calls stint_client_process now and then,
 * or when stint_client_fd is readable. Connections that break are made again, and what was not
 * confirmed is sent again; a submission is stored exactly once however often it is sent.
 *
 * Callbacks are called from within any call that waits. A callback may make the calls that do not
 * wait (stint_submit_async, stint_watch, stint_unwatch, stint_unsubscribe, stint_follow,
 * stint_unfollow, and those that only look at the client). All others return STINT_IN_CALLBACK
 * there, and stint_client_destroy must not be called. A call that has returned leaves no callback
 * of its own behind.
 *
 * `timeout_ms` is in milliseconds everywhere, and 0 is for ever. When it is over, calls return
 * STINT_UNREACHABLE if there was no conversation with the broker, STINT_TOO_MANY if it had no room
 * for one, else STINT_TIMEOUT: then what was asked may have been done or not, but for a submit,
 * which says UNKNOWN_OUTCOME where that is so, and STINT_TIMEOUT instead of STINT_TOO_MANY.
 * All of them may also return STINT_VERSION_MISMATCH or STINT_DENIED if the broker refuses the
 * conversation, and what the broker answers. stint_client_error has a sentence about the last
 * failure. Signals do not end a call, but stint_client_process returns early.
 *
 * A client does not survive fork: the child must not touch it, nor destroy it; it makes its own.
 * Structs are to be set to 0 (struct stint_job: to STINT_JOB_INIT) before they are filled in, and
 * their `reserved` fields left so: later versions of the library give them a meaning.
 */
#ifndef STINT_H
#define STINT_H

#include "stint_batch.h"

#ifdef __cplusplus
extern "C" {
#endif

#define STINT_TIMEOUT_DEFAULT 10000 /* ms */
#define STINT_SESSION_BYTES 16

struct stint_client;

/* "0.1.0". A constant string; any thread. */
STINT_EXPORT const char *stint_version(void);

struct stint_client_options {
    /* NULL: environment STINT_ENDPOINT, then STINT_DEFAULT_ENDPOINT. Several are parted by commas,
     * and tried in turn. */
    const char *endpoint;
    const char *name; /* shown to people; NULL: host and process id */
    /* NULL: a new session. Else 16 bytes that this client used before: its numbered submissions go
     * on where they stopped, across processes; see stint_client_answered. */
    const uint8_t *session;
    uint64_t submission; /* with `session`: the last one whose answer this client has; the next
                            submit is the one after it, and is answered as it was the first time */
    /* "Try again later" (STINT_QUEUE_FULL, STINT_QUEUE_CLOSED, STINT_BACKLOG_FULL,
     * STINT_STORE_FULL, STINT_TOO_MANY, STINT_TOO_VARIED) is an answer: submits are told at once,
     * instead of waiting until there is room. */
    bool refuse_at_once;
    /* Keys: the path of our own key's file (NULL: STINT_KEY), and the broker's public key, or the
     * path of a file of it; several are parted by commas (NULL: STINT_BROKER_KEY). Where none of
     * these is given, and the broker is on another host, client.key and broker.pub are looked for
     * in
     * ~/.config/stint and /etc/stint. */
    const char *key, *broker_key;
    uint64_t reserved[5];
};

/* Make a client. It connects in the background: a broker that is away is not an error here.
 * `options` may be NULL and is not kept. The caller owns the client.
 * Errors: STINT_BAD_ENDPOINT, STINT_BAD_KEY, STINT_SYSTEM, STINT_NO_MEMORY. */
STINT_EXPORT enum stint_status
stint_client_new(const struct stint_client_options *options, struct stint_client **client);

/* A sentence about why stint_client_new failed last in this thread: which file, what is wrong with
 * it;
 * "" if there is no more to say than its status does. A string of the thread's own. */
STINT_EXPORT const char *stint_client_new_error(void);

/* End a client and set the pointer to NULL. If all was confirmed, the broker is told that the
 * session is over, unless the session was the caller's own. What was not confirmed is given up: the
 * `done` of each such submission is called, with STINT_UNKNOWN_OUTCOME if it may have been stored,
 * STINT_CLOSED if it certainly was not. No other callback is called. Not from a callback. */
STINT_EXPORT void stint_client_destroy(struct stint_client **client);

/* A sentence about the last call that failed: what, where, why. Owned by the client, good until its
 * next call. */
STINT_EXPORT const char *stint_client_error(const struct stint_client *client);

/* Wait until the conversation with the broker is open. timeout_ms 0: for ever.
 * Errors: STINT_UNREACHABLE, STINT_TOO_MANY (the broker has no room for another connection, all the
 * time), STINT_VERSION_MISMATCH, STINT_DENIED (also if the broker does not take
 * our key, as soon as it has said so). */
STINT_EXPORT enum stint_status stint_connect(struct stint_client *client, uint32_t timeout_ms);

/* The number of the last submission of this session that the broker has stored; 0 if none. Good
 * once connected. Whoever brings a session of its own learns here where it stopped. */
STINT_EXPORT uint64_t stint_client_submission(const struct stint_client *client);

/* All submissions of this session up to this number are answered. A program that brings a session
 * of its own writes this down with the answers, before it submits more; after a crash, or after
 * STINT_UNKNOWN_OUTCOME, it makes a new client of the same session with this as `submission`, and
 * submits the same jobs again, in the same order: what was stored is answered with its ids. */
STINT_EXPORT uint64_t stint_client_answered(const struct stint_client *client);

/* Submit `count` jobs. All of one message (up to 4,096 jobs, 4 MiB) are stored or none; a larger
 * call is cut into several, which are stored one after the other. Returns when they are on disk;
 * `ids` (count of them; NULL: not wanted) are in the order of the jobs. All jobs are checked before
 * the first is sent. While the broker says "try again later" (QUEUE_FULL and so on), it is asked
 * again, until the time is over.
 *
 * timeout_ms 0: for ever. Errors: STINT_BAD_NAME, STINT_TOO_LARGE, STINT_INVALID: the sentence says
 * which job. STINT_QUEUE_FULL, STINT_BACKLOG_FULL, STINT_STORE_FULL, STINT_TOO_MANY: there was no
 * room in all that time (to make sure that nothing was stored may take two seconds longer).
 * STINT_QUEUE_CLOSED: the queue was closed all that time. STINT_TOO_VARIED: its jobs needed too
 * many different things.
 * STINT_NO_SUCH_JOB: one is `after` a job that is not known, or was forgotten; which one, says the
 * sentence.
 * STINT_UNREACHABLE, STINT_TIMEOUT: it was never sent. STINT_UNKNOWN_OUTCOME: it was sent and not
 * answered; look for the jobs before you submit them again. After each of the others it is certain
 * that the message that failed was not stored. */
STINT_EXPORT enum stint_status stint_submit(struct stint_client *client,
    const struct stint_job *jobs, size_t count, struct stint_id *ids, uint32_t timeout_ms);

/* The same, and tells how far it came: the first `*stored` jobs are on disk and their ids known,
 * also if it failed. After STINT_UNKNOWN_OUTCOME the next ones (of one message) may be stored or
 * not; in all other cases no more than these are. */
STINT_EXPORT enum stint_status
stint_submit_some(struct stint_client *client, const struct stint_job *jobs, size_t count,
    struct stint_id *ids, size_t *stored, uint32_t timeout_ms);

/* Jobs as bytes, by which a program hands them to the worker that runs it: there they are for
 * stint_task_submit_packed. `*bytes` is for free(). `why` may be NULL; else it gets a sentence
 * about what was wrong, good until the next call of this thread. Any thread. Errors:
 * STINT_BAD_NAME, STINT_INVALID, STINT_NO_MEMORY. */
STINT_EXPORT enum stint_status stint_jobs_pack(
    const struct stint_job *jobs, size_t count, void **bytes, size_t *size, const char **why);

/* What the job `index` met that was submitted with a unique key: if this is not STINT_MET_NOTHING,
 * its id is that of a job that was there. Within stint_submitted_fn it is about the jobs of that
 * answer, else about those of the last stint_submit or stint_submit_some that has returned, until
 * the next one begins. */
STINT_EXPORT enum stint_met stint_client_met(const struct stint_client *client, size_t index);

/* The answer to a submission; `ids` are borrowed for the call. */
typedef void stint_submitted_fn(
    void *context, enum stint_status status, const struct stint_id *ids, size_t count);

/* Submit without waiting: one message, at most 4,096 jobs and 4 MiB. The jobs are copied. `done`
 * (may be NULL) is called once: from a later call on this client with the broker's answer, or from
 * stint_client_destroy. Submissions are stored in the order of the calls. While the broker says
 * "try again later" they are kept and sent again (stint_client_held tells so), unless the client
 * was made with `refuse_at_once`. A refusal is the end of that submission only.
 * Errors: STINT_BAD_NAME, STINT_TOO_LARGE, STINT_INVALID, and STINT_TOO_MANY while 8,192
 * submissions are unanswered: process and try again. If it fails, `done` is not called. */
STINT_EXPORT enum stint_status stint_submit_async(struct stint_client *client,
    const struct stint_job *jobs, size_t count, stint_submitted_fn *done, void *context);

/* Submissions not answered yet. */
STINT_EXPORT size_t stint_client_pending(const struct stint_client *client);

/* STINT_OK, or why submissions are held back now: the broker's last "try again later". `*why`
 * (NULL: not wanted) is then a sentence, good until the next call on this client; else "". */
STINT_EXPORT enum stint_status
stint_client_held(const struct stint_client *client, const char **why);

/* A job that is settled, or that the broker does not know or does not let the client see (state
 * STINT_UNKNOWN; if the client may not see it, whether it is there or not, `error` says so, and
 * else it is empty). `info` is borrowed for the call. */
typedef void stint_outcome_fn(void *context, const struct stint_job_info *info);

/* Call `settled` once for each job when it is settled, from later calls on this client; with
 * `results` its result comes along. A job that is watched already is watched by the new function
 * from now on, instead. Survives reconnects and broker restarts. A result that can't be had is NULL
 * although `result_bytes` is not 0: its job is kept for no time and the client was behind with
 * reading, or what is stored is damaged; then `error` says so.
 * Errors: STINT_TOO_MANY: 65,536 are watched already. */
STINT_EXPORT enum stint_status stint_watch(struct stint_client *client, const struct stint_id *ids,
    size_t count, bool results, stint_outcome_fn *settled, void *context);

/* No longer watch these jobs: their function is not called any more. Those that are not watched are
 * passed over. Does not wait. */
STINT_EXPORT void
stint_unwatch(struct stint_client *client, const struct stint_id *ids, size_t count);

/* Call `fn` with how far jobs are that run and are watched or waited for from now on: with id,
 * attempt and progress of a job, state STINT_RUNNING, a few times a second at most, the newest each
 * time. NULL: nobody wants to hear it. From a broker that does not know of progress nothing comes.
 */
STINT_EXPORT void
stint_watch_progress(struct stint_client *client, stint_outcome_fn *fn, void *context);

/* What a run has written on standard error. */
struct stint_output {
    struct stint_id id;
    uint32_t attempt;
    const void *text; /* borrowed; may end within a character */
    size_t bytes; /* 0: the run has begun */
    uint64_t left_out; /* bytes before it that were written and not told */
    uint64_t reserved[2];
};
typedef void stint_output_fn(void *context, const struct stint_output *output);
/* Call `fn` with what the runs of jobs write on standard error, as they do, of those jobs that are
 * watched or waited for from now on; of a run that goes on already, the last 4 KiB first. It is
 * told a few times a second, and what is too much is left out, as is what this client does not read
 * in time. NULL: nobody wants to hear it. Errors: STINT_UNSUPPORTED (the broker is too old, as far
 * as it is known). */
STINT_EXPORT enum stint_status
stint_watch_output(struct stint_client *client, stint_output_fn *fn, void *context);

/* Jobs watched that are not settled yet. */
STINT_EXPORT size_t stint_client_watched(const struct stint_client *client);

/* Return when all these jobs are settled; `settled` (may be NULL) is called once for each, before
 * it returns and never after. Jobs that are watched stay so, and are told to both functions.
 * timeout_ms 0: for ever; STINT_TIMEOUT also if the broker is well and some jobs are not settled
 * yet. Errors: STINT_TOO_MANY: more than 65,536. */
STINT_EXPORT enum stint_status stint_wait(struct stint_client *client, const struct stint_id *ids,
    size_t count, bool results, stint_outcome_fn *settled, void *context, uint32_t timeout_ms);

/* Send and receive what there is and call callbacks. If there was nothing to call, wait up to
 * `wait_ms` for something (here 0 is not to wait at all); it returns once a callback was called,
 * and may return earlier, such as on a signal.
 * Errors: STINT_VERSION_MISMATCH, STINT_DENIED, STINT_BAD_ENDPOINT: this client is at its end. */
STINT_EXPORT enum stint_status stint_client_process(struct stint_client *client, uint32_t wait_ms);

/* For event loops: readable when stint_client_process has something to do. It is the same one as
 * long as the client lives, and its own: do not close it. -1: no descriptor can be had. libstint(3)
 * leads to an example. */
STINT_EXPORT int stint_client_fd(struct stint_client *client);
/* Call stint_client_process at the latest in so many ms. Ask again after each call. */
STINT_EXPORT uint32_t stint_client_timeout_ms(const struct stint_client *client);

enum stint_parts { STINT_NO_PARTS = 0, STINT_PAYLOAD = 1, STINT_RESULT = 2, STINT_ATTEMPTS = 4 };

/* Describe one job, with payload, result and the runs that have ended as `parts` says (bits of enum
 * stint_parts); a broker that is too old tells no runs. `*info` points into the client and is good
 * until its next call. Errors: STINT_NO_SUCH_JOB. */
STINT_EXPORT enum stint_status stint_get(struct stint_client *client, const struct stint_id *id,
    uint32_t parts, const struct stint_job_info **info, uint32_t timeout_ms);

struct stint_filter {
    const char *queue; /* NULL: all */
    const char *kind; /* NULL: all */
    uint32_t states; /* bits STINT_STATE_BIT(state); 0: all */
    uint64_t limit; /* 0: none */
    const char *where; /* a filter as stint(1) has it, such as "state=dead age>1h"; NULL: none */
    bool newest; /* those that were submitted last, the newest first; there has to be a limit */
    uint64_t reserved[4];
};

/* Called for each job of a list; false ends it. */
typedef bool stint_job_fn(void *context, const struct stint_job_info *info);

/* List jobs: those waiting or running in dispatch order, then scheduled, then settled ones. Read in
 * pages; jobs that move meanwhile may be missed or seen twice. The newest are told when all have
 * been looked at, and kept in memory until then: 100,000 at most. Errors: STINT_NO_SUCH_QUEUE,
 * STINT_BAD_NAME, STINT_INVALID (`where` is no filter, and stint_client_error says why; or the
 * limit of the newest), STINT_UNSUPPORTED (the broker is too old for filters). `timeout_ms` is for
 * each page. */
STINT_EXPORT enum stint_status stint_list(struct stint_client *client,
    const struct stint_filter *filter, stint_job_fn *each, void *context, uint32_t timeout_ms);

/* Cancel jobs, wherever they stand; a running one is settled at once and its worker told to stop.
 * `statuses` (count of them; NULL: not wanted): STINT_OK, STINT_NO_SUCH_JOB, STINT_WRONG_STATE.
 * Returns the first that is not STINT_OK. */
STINT_EXPORT enum stint_status stint_cancel(struct stint_client *client, const struct stint_id *ids,
    size_t count, enum stint_status *statuses, uint32_t timeout_ms);

/* Bring dead, cancelled or expired jobs back to the backlog with all their attempts; as
 * stint_cancel. */
STINT_EXPORT enum stint_status stint_retry(struct stint_client *client, const struct stint_id *ids,
    size_t count, enum stint_status *statuses, uint32_t timeout_ms);

/* Jobs that do not run and have not succeeded are to be as `change` says, in all that it sets:
 * another queue or priority (they come last there), due at another time, with another payload (one
 * job at a time) or other limits. Their ids stay. As stint_cancel; also STINT_TOO_LARGE,
 * STINT_TOO_MANY, STINT_QUEUE_FULL, STINT_STORE_FULL, and for the whole call STINT_INVALID,
 * STINT_BAD_NAME, STINT_UNSUPPORTED (the broker is too old). */
STINT_EXPORT enum stint_status
stint_change(struct stint_client *client, const struct stint_id *ids, size_t count,
    const struct stint_change *change, enum stint_status *statuses, uint32_t timeout_ms);

/* Delete jobs that do not run, with their outcomes: afterwards they are unknown. Who waits for one
 * hears that it was cancelled. As stint_cancel; also STINT_UNSUPPORTED. */
STINT_EXPORT enum stint_status stint_delete(struct stint_client *client, const struct stint_id *ids,
    size_t count, enum stint_status *statuses, uint32_t timeout_ms);

/* Called for each queue or worker; false ends the list. `info` is borrowed for the call. */
typedef bool stint_queue_fn(void *context, const struct stint_queue_info *info);
typedef bool stint_worker_fn(void *context, const struct stint_worker_info *info);

/* Why jobs do not run, each in one reason with its numbers: `reasons` (count of them) are in the
 * order of the ids. What is told is so at this moment; of a job that runs, or is over, that is its
 * reason. The other one tells why nothing of a queue runs, and whether submits to it wait.
 * Errors: STINT_BAD_NAME, STINT_NO_SUCH_QUEUE, STINT_UNSUPPORTED (the broker is too old). */
STINT_EXPORT enum stint_status stint_why(struct stint_client *client, const struct stint_id *ids,
    size_t count, struct stint_reason *reasons, uint32_t timeout_ms);
STINT_EXPORT enum stint_status stint_why_queue(struct stint_client *client, const char *queue,
    struct stint_reason *reason, uint32_t timeout_ms);

/* List the queues, or the workers, in pages; `timeout_ms` is for each page. */
STINT_EXPORT enum stint_status
stint_queues(struct stint_client *client, stint_queue_fn *each, void *context, uint32_t timeout_ms);
STINT_EXPORT enum stint_status stint_workers(
    struct stint_client *client, stint_worker_fn *each, void *context, uint32_t timeout_ms);
/* Called for each queue; false ends the list. `info` and what it points to are borrowed. */
typedef bool stint_figures_fn(void *context, const struct stint_figures *info);

/* Figures of the queue of this name, of those whose names begin so (`mail.*`), or of all (NULL):
 * what was counted of their jobs, how fast that goes, and with the parts that are asked for (bits
 * of enum stint_figures_part) how long jobs of each kind wait and run, and how many stand at each
 * priority. Errors: STINT_BAD_NAME, STINT_UNSUPPORTED (the broker is too old). */
STINT_EXPORT enum stint_status stint_list_figures(struct stint_client *client, const char *queues,
    uint32_t parts, stint_figures_fn *each, void *context, uint32_t timeout_ms);

/* Look at what is next in a queue: its ready jobs in the order in which they are handed out, from
 * that one on that has `offset` before it, and at most `limit` (0: all). Nothing is taken. With
 * their payloads, if `parts` says STINT_PAYLOAD and they fit. Jobs that come and go meanwhile may
 * be missed. Errors: STINT_BAD_NAME, STINT_NO_SUCH_QUEUE, STINT_UNSUPPORTED (the broker is too
 * old). */
STINT_EXPORT enum stint_status
stint_peek(struct stint_client *client, const char *queue, uint64_t offset, uint64_t limit,
    uint32_t parts, stint_job_fn *each, void *context, uint32_t timeout_ms);

/* Called for each job that a worker holds; false ends the list. */
typedef bool stint_running_fn(void *context, const struct stint_running_info *info);

/* What the workers of this name run, and what waits in them, in pages; jobs that end meanwhile may
 * be missed or seen twice. Errors: STINT_INVALID, STINT_UNSUPPORTED (the broker is too old). */
STINT_EXPORT enum stint_status stint_running(struct stint_client *client, const char *worker,
    stint_running_fn *each, void *context, uint32_t timeout_ms);

/* Whom fleet control is for: just one of these is set. */
struct stint_target {
    const char *worker; /* those of this name */
    const char *label; /* those that have this label */
    bool all;
};

#define STINT_OWN_SLOTS UINT32_MAX

/* The functions below tell workers what to do. `*met` (NULL: not wanted): how many they were. Slots
 * and pauses are kept by the worker's name, through restarts of broker and worker; who is not there
 * can't be met, but what is set for a name can be taken back.
 * Errors: STINT_INVALID, STINT_TOO_MANY, STINT_UNSUPPORTED (the broker is too old). */

/* So many jobs at a time, also more than the worker was started with (0 to 65,536), or
 * STINT_OWN_SLOTS: as many as it was started with. Jobs that run are not touched. */
STINT_EXPORT enum stint_status stint_set_slots(struct stint_client *client,
    const struct stint_target *target, uint32_t slots, uint32_t *met, uint32_t timeout_ms);
/* They are given no jobs, and give back what has not begun; until they are resumed. */
STINT_EXPORT enum stint_status stint_pause_workers(struct stint_client *client,
    const struct stint_target *target, uint32_t *met, uint32_t timeout_ms);
STINT_EXPORT enum stint_status stint_resume_workers(struct stint_client *client,
    const struct stint_target *target, uint32_t *met, uint32_t timeout_ms);
/* They finish what they run, however long that takes, and end. */
STINT_EXPORT enum stint_status stint_drain_workers(struct stint_client *client,
    const struct stint_target *target, uint32_t *met, uint32_t timeout_ms);
/* They cancel what they run, which others run then, and end. */
STINT_EXPORT enum stint_status stint_stop_workers(struct stint_client *client,
    const struct stint_target *target, uint32_t *met, uint32_t timeout_ms);

/* How many jobs at a time all workers together are to run: the broker divides that by their cores,
 * again when workers come and go; those that have slots of their own by stint_set_slots keep them,
 * as part of it. Kept through restarts. 0: each has its own again. `fleet` (NULL: not wanted): how
 * it is then. Errors: STINT_INVALID (over 16,777,216), STINT_UNSUPPORTED. */
STINT_EXPORT enum stint_status stint_set_fleet(
    struct stint_client *client, uint32_t slots, struct stint_fleet *fleet, uint32_t timeout_ms);
STINT_EXPORT enum stint_status
stint_get_fleet(struct stint_client *client, struct stint_fleet *fleet, uint32_t timeout_ms);

/* Pause, resume, close, open or remove a queue, or set the order in which its jobs are handed out.
 * What is set is on the broker's disk when this returns, and lasts until it is taken back. Of a
 * paused queue nothing is handed out, and workers give back what they have not begun; what runs
 * goes on. A closed one takes no new jobs (submits wait, or are told STINT_QUEUE_CLOSED) and
 * finishes what it has; stint_retry still brings its dead jobs back. To pause or close one that is
 * not there, or to give it another order than the usual one (the oldest job of the highest priority
 * first), makes it. Only one that holds no job and no outcome can be removed, with what is set for
 * it. `now` (NULL: not wanted): how it stands then. Errors: STINT_BAD_NAME, STINT_INVALID,
 * STINT_NO_SUCH_QUEUE (where it is not made), STINT_NOT_EMPTY (to remove), STINT_TOO_MANY,
 * STINT_UNSUPPORTED. */
STINT_EXPORT enum stint_status stint_set_queue(struct stint_client *client, const char *queue,
    enum stint_queue_action action, struct stint_queue_setting *now, uint32_t timeout_ms);

/* How many jobs of a queue are handed out, from now on and also after a restart: so many at once
 * over all workers, and so many in an hour, evenly; after a pause at most those of a second, or
 * one, come at once. What runs goes on. To limit one that is not there makes it. As
 * stint_set_queue; STINT_INVALID: over 16,777,216 at once or a million a second. */
STINT_EXPORT enum stint_status stint_limit_queue(struct stint_client *client, const char *queue,
    const struct stint_queue_limits *limits, struct stint_queue_setting *now, uint32_t timeout_ms);

/* What else holds for a queue, from now on and also after a restart: how many turns it has among
 * the queues that a worker serves (weight), how many of its jobs may wait (submits beyond that
 * wait, or are told STINT_QUEUE_FULL), how long the outcomes of jobs are kept that say nothing of
 * it, and the time limit of jobs that name none, which holds for those handed out from then on. To
 * set something for one that is not there makes it. As stint_set_queue; STINT_INVALID: a weight
 * that is not 1 to 100, over 1,073,741,824 jobs, over a hundred years. */
STINT_EXPORT enum stint_status stint_tune_queue(struct stint_client *client, const char *queue,
    const struct stint_queue_tuning *tuning, struct stint_queue_setting *now, uint32_t timeout_ms);

/* An operation on all jobs that a filter is true of. Begin with STINT_BULK_INIT. Everything is
 * borrowed for the call. */
struct stint_bulk {
    enum stint_bulk_action action;
    const char *where; /* a filter as stint(1) has it; "": all jobs; NULL is refused */
    const char *queue; /* STINT_BULK_MOVE: where to */
    int32_t priority; /* STINT_BULK_PRIORITY: which, 0 to 255 */
    bool dry; /* count them, and do nothing */
    uint64_t number; /* 0: one is drawn. The same again with the same number begins no second one */
    uint64_t reserved[4];
};
/* clang-format off */
#define STINT_BULK_INIT {STINT_BULK_CANCEL, NULL, NULL, -1, false, 0, {0, 0, 0, 0}}
/* clang-format on */

/* Called for each operation of a list; `info` is borrowed for the call. False ends it. */
typedef bool stint_bulk_fn(void *context, const struct stint_bulk_info *info);

/* Do something to all jobs of which the filter is true now. It is on the broker's disk when this
 * returns, goes on without us and through restarts, a bounded piece at a time beside everything
 * else, first counting them and then working: ask how far it is with stint_bulk_get. Jobs that come
 * later, and those that end meanwhile, are left as they are: where it has done less than it has
 * counted, so many have moved. 64 operations are kept; ended ones for a day, as long as there is
 * room. A key for some queues has to name one in the filter, `queue=`. `*info` (NULL: not wanted):
 * how it stands; its texts are good until the next call on this client. Errors: STINT_INVALID (what
 * is wrong with it says stint_client_error), STINT_BAD_NAME, STINT_DENIED, STINT_CONFLICT (another
 * one has that number), STINT_TOO_MANY (64 go on), STINT_UNSUPPORTED (the broker is too old). */
STINT_EXPORT enum stint_status stint_bulk_begin(struct stint_client *client,
    const struct stint_bulk *bulk, struct stint_bulk_info *info, uint32_t timeout_ms);

/* How one stands. `*info` as of stint_bulk_begin. Errors: STINT_NO_SUCH_JOB: there is none of this
 * number, or it is forgotten, or not ours to see; STINT_UNSUPPORTED. */
STINT_EXPORT enum stint_status stint_bulk_get(struct stint_client *client, uint64_t number,
    struct stint_bulk_info *info, uint32_t timeout_ms);

/* End it where it is: what was done stays done. One that has ended stays as it is. `info` (NULL:
 * not wanted) as of stint_bulk_begin. Errors: as of stint_bulk_get. */
STINT_EXPORT enum stint_status stint_bulk_stop(struct stint_client *client, uint64_t number,
    struct stint_bulk_info *info, uint32_t timeout_ms);

/* All that the broker keeps, in the order in which they began. Errors: STINT_UNSUPPORTED. */
STINT_EXPORT enum stint_status
stint_bulks(struct stint_client *client, stint_bulk_fn *each, void *context, uint32_t timeout_ms);

STINT_EXPORT enum stint_status
stint_get_stats(struct stint_client *client, struct stint_stats *stats, uint32_t timeout_ms);

/* One round trip. `*us` (NULL: not wanted): microseconds it took. */
STINT_EXPORT enum stint_status
stint_ping(struct stint_client *client, uint64_t *us, uint32_t timeout_ms);

typedef void stint_event_fn(void *context, const struct stint_event *event);

struct stint_subscription {
    const char *queue; /* NULL: all */
    const struct stint_id *ids; /* NULL: all jobs; at most 4,096 */
    size_t ids_count;
    uint32_t events; /* bits 1 << enum stint_event_type; 0: all */
    uint64_t reserved[4];
};

/* Hear of events until the client ends or stint_unsubscribe, from later calls on it. Taken up again
 * after a reconnect; what happened in between is not told. At most 64. Errors: STINT_TOO_MANY,
 * STINT_BAD_NAME. */
STINT_EXPORT enum stint_status
stint_subscribe(struct stint_client *client, const struct stint_subscription *subscription,
    stint_event_fn *happened, void *context, uint32_t timeout_ms);

/* End the subscriptions that were made with this function and context. Does not wait, and the
 * function is not called any more. */
STINT_EXPORT void
stint_unsubscribe(struct stint_client *client, stint_event_fn *happened, void *context);

/* Feeds: events that the broker records in the transaction that stores what they tell of. A feed
 * hears of the queues and events that it was made for; its events are numbered 1, 2, 3 ... and kept
 * until there are too many, or they are too old. Whoever knows where it was can go on there, after
 * whatever has happened to it, to the connection or to the broker.
 */

/* Make a feed of this name, or, if there is one, let it record and keep what `feed` says from now
 * on (0: the default); it goes on counting. `now` (NULL: not wanted): how it is then. What happened
 * before is in no feed. Errors: STINT_BAD_NAME (also for `queues`), STINT_INVALID, STINT_TOO_MANY
 * (there are 16), STINT_DENIED (it takes `control` of all queues), STINT_UNSUPPORTED (the broker is
 * too old). */
STINT_EXPORT enum stint_status stint_set_feed(struct stint_client *client,
    const struct stint_feed *feed, struct stint_feed *now, uint32_t timeout_ms);

/* Remove a feed with its events. Errors: STINT_NO_SUCH_FEED; else as stint_set_feed. */
STINT_EXPORT enum stint_status
stint_remove_feed(struct stint_client *client, const char *name, uint32_t timeout_ms);

/* Called for each feed; false ends the list. `feed` is borrowed for the call. */
typedef bool stint_feed_fn(void *context, const struct stint_feed *feed);

/* List the feeds that the client may see: those of whose queues it may see all. */
STINT_EXPORT enum stint_status
stint_feeds(struct stint_client *client, stint_feed_fn *each, void *context, uint32_t timeout_ms);

/* Schedules: named, they make jobs by the clock; the broker makes them, whether clients are there
 * or not, exactly one for each tick. */

/* What holds for each group of a queue, from now on and also after a restart: so many of its jobs
 * are handed out at once, and so many in an hour; and how many turns some groups take, where others
 * take one. Groups that wait are looked at one after the other, so where there are very many it
 * takes a moment. To set something for a queue that is not there makes it. As stint_set_queue;
 * STINT_INVALID: over 16,777,216 at once or a million a second, a weight that is not 1 to 1000, a
 * group that is none; STINT_TOO_MANY: 10,000 groups of the queue have a weight; STINT_UNSUPPORTED:
 * the broker is older. */
STINT_EXPORT enum stint_status stint_set_groups(struct stint_client *client, const char *queue,
    const struct stint_group_setting *setting, struct stint_queue_setting *now,
    uint32_t timeout_ms);

/* Called for each group; false ends the list. All is borrowed for the call. */
typedef bool stint_group_fn(void *context, const struct stint_group_info *info);

/* List the groups of a queue that have jobs which are ready or run, by name; or one of them alone
 * (group; NULL: all). Errors: STINT_NO_SUCH_QUEUE, STINT_BAD_NAME, STINT_INVALID (no group can have
 * that name), STINT_DENIED, STINT_UNSUPPORTED. */
STINT_EXPORT enum stint_status stint_groups(struct stint_client *client, const char *queue,
    const char *group, stint_group_fn *each, void *context, uint32_t timeout_ms);

/* Make a schedule, or change the one of this name; one that is paused stays so. `now` (NULL: not
 * wanted): how it is then, without its job. Errors: STINT_BAD_NAME, STINT_INVALID (the expression
 * or the zone, what never comes, a job with times of its own), STINT_TOO_LARGE (the job is over 16
 * KiB), STINT_TOO_MANY (there are 10,000), STINT_STORE_FULL, STINT_DENIED (it takes `control` and
 * `submit` of the job's queue), STINT_UNSUPPORTED (the broker is too old). */
STINT_EXPORT enum stint_status stint_set_schedule(struct stint_client *client,
    const struct stint_schedule *schedule, struct stint_schedule_info *now, uint32_t timeout_ms);

/* Remove, pause or resume a schedule, or have it make a job now: `now->run_id`. Errors:
 * STINT_NO_SUCH_SCHEDULE, STINT_INVALID (there is no such action); of a run what stint_submit has;
 * else as stint_set_schedule. */
STINT_EXPORT enum stint_status stint_control_schedule(struct stint_client *client, const char *name,
    enum stint_schedule_action action, struct stint_schedule_info *now, uint32_t timeout_ms);

/* Called for each schedule; false ends the list. All is borrowed for the call. */
typedef bool stint_schedule_fn(void *context, const struct stint_schedule_info *info);

/* List the schedules whose queues the client may see, by name, with the next tick of each; or one
 * (`name`, else NULL) with its job and its `next` next ticks, at most 100. Errors:
 * STINT_NO_SUCH_SCHEDULE, STINT_DENIED, STINT_UNSUPPORTED. */
STINT_EXPORT enum stint_status stint_schedules(struct stint_client *client, const char *name,
    uint32_t next, stint_schedule_fn *each, void *context, uint32_t timeout_ms);

/* Batches: jobs under one number, which the broker counts as they end, with a job that it makes
 * when all have succeeded and one that it makes when all are over, each once, through any crash.
 */

/* Make a batch, which is open. `*info` (NULL: not wanted) is how it is; its number goes into
 * `batch` of struct stint_job, or is `*batch`. Errors: STINT_BAD_NAME, STINT_INVALID (the title; a
 * job that is after others, in a batch, or has a unique key), STINT_TOO_LARGE (a job over 16 KiB),
 * STINT_STORE_FULL, STINT_DENIED (it takes `submit` of the batch's queue and of those of the jobs),
 * STINT_UNSUPPORTED (the broker is too old). */
STINT_EXPORT enum stint_status
stint_batch_new(struct stint_client *client, const struct stint_batch *batch, uint64_t *number,
    struct stint_batch_info *info, uint32_t timeout_ms);

/* Give it another title, another time that it is kept, or other jobs to make: what is NULL or
 * negative stays as it is. Errors: STINT_NO_SUCH_BATCH, STINT_BATCH_OVER (its jobs are settled);
 * else as stint_batch_new. */
STINT_EXPORT enum stint_status stint_batch_change(struct stint_client *client, uint64_t number,
    const struct stint_batch *batch, struct stint_batch_info *info, uint32_t timeout_ms);

/* Close it: it is over when all its jobs have ended, and until then they may add more. Errors:
 * STINT_NO_SUCH_BATCH, STINT_DENIED, STINT_UNSUPPORTED. */
STINT_EXPORT enum stint_status stint_batch_close(struct stint_client *client, uint64_t number,
    struct stint_batch_info *info, uint32_t timeout_ms);

/* Close it, let no job into it any more, and cancel those that have not ended. Very many take the
 * broker a while: it is settled when all are. Errors: as of stint_batch_close. */
STINT_EXPORT enum stint_status stint_batch_cancel(struct stint_client *client, uint64_t number,
    struct stint_batch_info *info, uint32_t timeout_ms);

/* How it is. Errors: as of stint_batch_close. */
STINT_EXPORT enum stint_status stint_batch_get(struct stint_client *client, uint64_t number,
    struct stint_batch_info *info, uint32_t timeout_ms);

/* Wait until it is settled. Goes on by itself after a reconnect. Errors: STINT_TIMEOUT,
 * STINT_TOO_MANY (this client waits for 64); else as of stint_batch_close. */
STINT_EXPORT enum stint_status stint_batch_wait(struct stint_client *client, uint64_t number,
    struct stint_batch_info *info, uint32_t timeout_ms);

/* Called for each batch; false ends the list. `info` is borrowed for the call. */
typedef bool stint_batch_fn(void *context, const struct stint_batch_info *info);

/* List the batches whose queues the client may see, in about the order in which they were made.
 * Errors: STINT_DENIED, STINT_UNSUPPORTED. */
STINT_EXPORT enum stint_status stint_batches(
    struct stint_client *client, stint_batch_fn *each, void *context, uint32_t timeout_ms);

#define STINT_FEED_NEXT UINT64_MAX

/* Where a follower is. Plain numbers, to be kept in a file or a table. */
struct stint_feed_position {
    uint64_t next; /* number of the event it wants next; 0: the oldest that is kept;
                      STINT_FEED_NEXT: none of those that are there */
    uint64_t life; /* of the feed in which that was counted; 0: not known */
};

/* What a follower hears: an event, or that some are missing, or that it is over. */
struct stint_feed_news {
    const char *feed;
    const struct stint_event *event; /* NULL: none */
    uint64_t first; /* the event's number; or of the first one that is missing */
    uint64_t missing; /* so many are, from that one on */
    /* Numbers begin anew: the feed was removed and made again, or brought back from a backup. What
     * was heard before has to do with other numbers; `missing` are of the new ones. */
    bool anew;
    bool end; /* nothing more is told, because of `status`; STINT_OK: it has come to the end */
    enum stint_status status;
    struct stint_feed_position at; /* from here it goes on behind this */
    uint64_t reserved[4];
};
/* `news` and what it points to are borrowed for the call. */
typedef void stint_feed_news_fn(void *context, const struct stint_feed_news *news);

struct stint_follow {
    const char *feed; /* its name; copied */
    struct stint_feed_position from;
    bool ends; /* when all is told that is there; else it goes on with what happens */
    stint_feed_news_fn *happened;
    void *context;
    uint64_t reserved[4];
};

/* Hear of a feed's events, each once and in order, from later calls on this client, until it ends
 * or stint_unfollow. It goes on by itself after a reconnect and a restart of the broker, and what
 * the broker does not have any more is told as missing, by its numbers. To go on later, or
 * elsewhere, keep `at` of what was worked off last. That there is no such feed, or that the broker
 * is too old (STINT_UNKNOWN_TYPE), is told as its end. At most 16 at a time. Does not wait. Errors:
 * STINT_BAD_NAME, STINT_TOO_MANY. */
STINT_EXPORT enum stint_status
stint_follow(struct stint_client *client, const struct stint_follow *what);

/* No longer follow what was begun with this function and context. Does not wait, and the function
 * is not called any more. */
STINT_EXPORT void
stint_unfollow(struct stint_client *client, stint_feed_news_fn *happened, void *context);

#ifdef __cplusplus
}
#endif
#endif
