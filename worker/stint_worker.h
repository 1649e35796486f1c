/* libstint, the worker's half: run jobs. Public header.
 *
 *     static void
 *     run (struct stint_task *task, void *state)
 *     {
 *         const struct stint_task_info *job = stint_task_info (task);
 *         ...
 *         stint_task_succeed (task, result, result_bytes);
 *     }
 *
 *     struct stint_worker *worker;
 *     struct stint_handler handler = {.kind = "mail", .run = run};
 *     stint_worker_new (NULL, &worker);
 *     stint_worker_handle (worker, &handler);
 *     stint_worker_run (worker);             until somebody calls stint_worker_stop
 *     stint_worker_destroy (&worker);
 *
 * The thread that calls stint_worker_run talks to the broker: heartbeats, leases and confirmations
 * never depend on a handler. Handlers run on threads of their own, a thread a slot; a handler may
 * compute for an hour and keeps its lease. A handler must expect to be run again after a crash:
 * a job runs at least once; its attempt number is a fencing token for what it writes elsewhere.
 */
#ifndef STINT_WORKER_H
#define STINT_WORKER_H

#include "stint_batch.h"

#ifdef __cplusplus
extern "C" {
#endif

struct stint_worker;
struct stint_task;

/* What a worker tells of its conversation. */
enum stint_worker_event {
    STINT_WORKER_CONNECTED = 1, /* detail: the endpoint */
    STINT_WORKER_LOST, /* the conversation ended; another is begun. detail: why, if it is known */
    STINT_WORKER_DRAINING, /* told to stop: takes no more jobs, waits for those that run */
    STINT_WORKER_CANCELLING, /* the drain is over: those that still run are cancelled */
    STINT_WORKER_RESIZED, /* it has another number of slots; detail: how many */
    STINT_WORKER_PAUSED, /* the broker was told to give it nothing */
    STINT_WORKER_RESUMED,
    STINT_WORKER_LEAVES, /* it is to end by itself; detail: why. DRAINING follows */
    STINT_WORKER_REFUSED, /* no conversation may begin; detail: why. It is tried again */
    STINT_WORKER_NO_ROOM, /* the broker has no room for it now; detail: why. It is tried again */
};

struct stint_worker_options {
    const char *endpoint; /* NULL: STINT_ENDPOINT, then STINT_DEFAULT_ENDPOINT; several: "a,b" */
    const char *name; /* shown to people; NULL: host and process id */
    uint32_t slots; /* jobs at a time, until it is resized; 0: one a core */
    /* Served in turn; NULL: STINT_DEFAULT_NAME. "mail.*" stands for all queues whose names begin
     * so, those that there are and those that come; "*" for all. */
    const char *const *queues;
    uint32_t queues_count; /* at most 256 names, and 64 with a `*` */
    /* How many jobs to hold beyond those running; 0: as many as take about 50 ms, by the run times
     * measured; STINT_NO_PREFETCH: none. */
    uint32_t prefetch;
    uint32_t drain_ms; /* at a stop, wait so long for running jobs, then cancel them; 0: 30000 */
    /* NULL, or: called on the thread of stint_worker_run when something happens to the
     * conversation. `running` is how many jobs run then; `detail` is never NULL and good until it
     * returns. */
    void (*told)(
        void *context, enum stint_worker_event event, uint32_t running, const char *detail);
    void *told_context;
    const char *const *labels; /* names by which several workers are addressed; NULL: none */
    uint32_t labels_count; /* at most 16 */
    uint32_t slots_max; /* the most slots that it can be given later; 0: 65,536 */
    /* If `local_max` is not 0: slots follow the jobs that wait here, between the two, and go again
     * after `cool_down_ms` (0: 30000) in which fewer were enough. */
    uint32_t local_min, local_max, cool_down_ms;
    uint64_t exit_idle_ms; /* leave once nothing has run for so long; 0: never */
    uint64_t exit_after_ms; /* leave after so long, as stint_worker_stop; 0: never */
    /* As in struct stint_client_options; where our key usually is: worker.key. */
    const char *key, *broker_key;
    const char *has; /* what jobs can need: labels and amounts, "gpu=2 cpus=8 zone=a"; NULL: nothing
                        but the labels above */
    uint64_t reserved[5];
};
#define STINT_NO_PREFETCH UINT32_MAX

/* What a handler knows of the job in hand. Good until the handler returns. */
struct stint_task_info {
    struct stint_id id;
    const char *queue, *kind; /* with a final NUL */
    const void *payload;
    size_t payload_bytes;
    uint8_t priority;
    uint32_t attempt, max_attempts; /* this run's number, from 1, and the limit */
    uint64_t submitted_ms;
    uint64_t deadline_ms; /* since 1970: when its time to run is over; 0: never */
    uint32_t slot; /* which of the worker's slots, from 0 */
    const char *needs; /* what it takes of the worker, canonical; NULL: nothing */
};

/* Which function runs which kind. */
struct stint_handler {
    const char *kind; /* NULL: every kind that has no handler of its own */
    /* Runs one job and tells its outcome by one of the calls below, from a slot's thread. */
    void (*run)(struct stint_task *task, void *state);
    /* State a slot: made on the slot's thread before its first job of this kind, destroyed on it at
     * the end. Both may be NULL. */
    void *(*make)(void *context, uint32_t slot);
    void (*destroy)(void *context, void *state);
    void *context;
};

/* Make a worker; `options` may be NULL and is not kept.
 * Errors: STINT_BAD_ENDPOINT, STINT_BAD_KEY, STINT_BAD_NAME, STINT_TOO_MANY, STINT_INVALID (has),
 * STINT_NO_MEMORY, STINT_SYSTEM. */
STINT_EXPORT enum stint_status
stint_worker_new(const struct stint_worker_options *options, struct stint_worker **worker);
/* As stint_client_new_error, of stint_worker_new. */
STINT_EXPORT const char *stint_worker_new_error(void);
STINT_EXPORT void stint_worker_destroy(struct stint_worker **worker);

/* Add a handler, before stint_worker_run. The handler is copied, its kind too. A kind has one.
 * Errors: STINT_BAD_NAME, STINT_TOO_MANY (64 handlers), STINT_INVALID (the kind has one already,
 * or it has no `run`), STINT_WRONG_STATE (the worker runs, or has run), STINT_NO_MEMORY. */
STINT_EXPORT enum stint_status
stint_worker_handle(struct stint_worker *worker, const struct stint_handler *handler);
/* How many were added. */
STINT_EXPORT uint32_t stint_worker_handlers(const struct stint_worker *worker);

/* Serve until stopped, then finish what runs, give back what does not, and say goodbye. A broker
 * that is away is waited for. A worker runs once: to go on, make another one. Errors: STINT_INVALID
 * (no handler), STINT_WRONG_STATE (it runs, or has run), STINT_VERSION_MISMATCH, STINT_UNSUPPORTED
 * (the broker is too old: it does not know kinds, or prefixes of queues), STINT_DENIED,
 * STINT_BAD_ENDPOINT, STINT_SYSTEM (no threads). */
STINT_EXPORT enum stint_status stint_worker_run(struct stint_worker *worker);

/* Stop: the first call lets running jobs finish, the second cancels them, which gives them back.
 * Any thread, also a signal handler. */
STINT_EXPORT void stint_worker_stop(struct stint_worker *worker);

/* Take no new jobs for so long, as this machine is short of something that they need; those not
 * begun are given back. Counted from the last call. Any thread. */
STINT_EXPORT void stint_worker_hold_off(struct stint_worker *worker, uint32_t ms);

/* A sentence about why stint_worker_run ended, or stint_worker_handle refused. */
STINT_EXPORT const char *stint_worker_error(const struct stint_worker *worker);

/* Is the conversation with the broker open now? Any thread. */
STINT_EXPORT bool stint_worker_connected(const struct stint_worker *worker);

/* For a watchdog: how long ago the thread of stint_worker_run last came round, in milliseconds. It
 * does so once a second at least, whatever handlers and the broker do; 0: it does not run. Any
 * thread. */
STINT_EXPORT uint64_t stint_worker_stalled_ms(const struct stint_worker *worker);

STINT_EXPORT const struct stint_task_info *stint_task_info(const struct stint_task *task);
/* The jobs that it was `after`, as it was submitted; `*count` of them, NULL if there are none.
 * Their results, as long as the broker keeps them, are asked for with stint_get. */
STINT_EXPORT const struct stint_id *
stint_task_parents(const struct stint_task *task, size_t *count);

/* The batch that a job belongs to, and what it is to it. */
struct stint_task_batch {
    uint64_t batch; /* its number; a job that runs puts others into it with `batch` of theirs */
    enum stint_batch_role role;
    struct stint_batch_counts counts; /* of one that a batch has made: how its jobs ended */
    uint64_t reserved[2];
};
/* False: it belongs to none. */
STINT_EXPORT bool stint_task_batch(const struct stint_task *task, struct stint_task_batch *batch);
/* The group that it is in; NULL: it is in none. */
STINT_EXPORT const char *stint_task_group(const struct stint_task *task);

/* How the run ended; exactly one of these a task, from the handler. What is given is copied. A
 * handler that returns without has failed. */

/* Done; `result` is kept with the outcome (at most the broker's --result-max, 1 MiB unless it was
 * changed; a larger one makes the job dead). */
STINT_EXPORT void stint_task_succeed(struct stint_task *task, const void *result, size_t bytes);
/* Failed: try again after the backoff, until the attempts are used up. `why` is cut to its last
 * 1,000 bytes. */
STINT_EXPORT void stint_task_fail(struct stint_task *task, const char *why);
/* Failed for good: no attempt will help. The job is dead at once. */
STINT_EXPORT void stint_task_fail_for_good(struct stint_task *task, const char *why);
/* Not now: run it again in `delay_ms`. This run does not count. */
STINT_EXPORT void stint_task_snooze(struct stint_task *task, uint64_t delay_ms);

/* This worker can't run it, as what it takes is missing here: another one is tried. It fails with
 * `why` when every worker of the queue has said so. This run does not count. */
STINT_EXPORT void stint_task_unable(struct stint_task *task, const char *why);
/* It was not started: it goes back to its place. This run does not count. Mind that it may come
 * again at once, see stint_worker_hold_off. */
STINT_EXPORT void stint_task_give_back(struct stint_task *task);

/* Besides the outcome, in any order, copied. */

/* What a failed run has put out: kept as the job's last output if no attempt is left. */
STINT_EXPORT void stint_task_keep_output(struct stint_task *task, const void *output, size_t bytes);
/* What a good run said on its standard error: its last 1,000 bytes are kept. */
STINT_EXPORT void stint_task_keep_errors(struct stint_task *task, const void *text, size_t bytes);

/* What becomes real together with the end of the run, in the broker's one transaction, or not at
 * all: new jobs, and jobs that are cancelled. It goes with a success, whether it is asked for
 * before or after stint_task_succeed. A failure, for good or not, takes back what was asked for
 * before it, as does everything that has the run begun anew; what is asked for after a failure goes
 * with that, such as a job that cleans up. Nothing comes of a run that is lost, over its time, or
 * cancelled. If the broker can't take the jobs, as it never could, the run has failed, and its
 * error says why; if it could later, the end is told again until it does, and the job runs until
 * then. On the handler's thread. */

/* Ask for jobs; may be called many times, and stint_earlier means jobs of the same call. Errors:
 * STINT_BAD_NAME, STINT_INVALID (also: it is after this job), STINT_TOO_LARGE (in all 4 MiB),
 * STINT_TOO_MANY (4096 jobs, after 32,768 others), STINT_UNSUPPORTED (the broker is too old),
 * STINT_WRONG_STATE (the run has been given back). After an error nothing of this call is asked
 * for. */
STINT_EXPORT enum stint_status
stint_task_submit(struct stint_task *task, const struct stint_job *jobs, size_t count);
/* The same, of what stint_jobs_pack has made. */
STINT_EXPORT enum stint_status
stint_task_submit_packed(struct stint_task *task, const void *bytes, size_t size);
/* Have a job cancelled; one that is over by then, or not there, is left as it is. Errors:
 * STINT_TOO_MANY (4096), STINT_UNSUPPORTED, STINT_WRONG_STATE. */
STINT_EXPORT enum stint_status
stint_task_cancel(struct stint_task *task, const struct stint_id *id);
/* Take back all that was asked for. */
STINT_EXPORT void stint_task_ask_nothing(struct stint_task *task);
/* A sentence about the last of these that has failed; "": none has. Good until the next one. */
STINT_EXPORT const char *stint_task_error(const struct stint_task *task);
/* Would the broker that we last had a conversation with take any of it? */
STINT_EXPORT bool stint_task_may_ask(const struct stint_task *task);

/* How far the job is, as people are shown it while it runs: a percentage of 0 to 100, or
 * STINT_NO_PERCENT, and UTF-8 of at most 200 bytes, cut at a character; NULL: none. On the
 * handler's thread, as often as it likes: it never waits, the newest is told a few times a second,
 * and nothing if it is what was told. None of both takes back what was said, as does the end of the
 * run. It is not stored. Errors: STINT_INVALID (the percentage). */
STINT_EXPORT enum stint_status
stint_task_progress(struct stint_task *task, unsigned percent, const char *text);

/* What the run has just written on its standard error, or would have: people who follow the job see
 * it while it runs. Of what was written before somebody followed, the last 4 KiB are told; of more
 * than 16 KiB in a quarter of a second some is left out, and that is said. Nothing is stored, and
 * nothing sent while nobody follows. On the handler's thread; it never waits. */
STINT_EXPORT void stint_task_wrote(struct stint_task *task, const void *text, size_t bytes);

/* Should the handler end early: was the job cancelled or taken back, is its time to run over, or
 * does the worker end? What it settles then is heard only if the lease still stands. */
STINT_EXPORT bool stint_task_cancelled(const struct stint_task *task);
/* A descriptor that becomes readable when the task is cancelled; for poll. Do not read it. */
STINT_EXPORT int stint_task_cancel_fd(const struct stint_task *task);
/* Is it cancelled because its time to run is over? */
STINT_EXPORT bool stint_task_timed_out(const struct stint_task *task);

/* The entry point of a plugin for stint-worker: register handlers. Returns false to refuse. */
#define STINT_PLUGIN_ENTRY "stint_plugin"
typedef bool stint_plugin_fn(struct stint_worker *worker);

#ifdef __cplusplus
}
#endif
#endif
