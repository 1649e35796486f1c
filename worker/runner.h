/* Runs a program for a job: payload to its standard input, its standard output is the result, the
 * tail of its standard error the error text, its exit code decides. What the program starts ends
 * with it. A program that can't be started is no failure of the job, see hold_off.
 */
#ifndef RUNNER_H
#define RUNNER_H

#include "confine.h"
#include "guard.h"
#include "identity.h"
#include "program.h"
#include "stint_worker.h"
#include "strays.h"

#include <signal.h>
#include <sys/resource.h>

struct runner {
    struct stint_worker *worker;
    struct guard *guard;
    struct strays strays;
    int null; /* /dev/null, for programs without a payload */
    size_t result_bytes; /* most standard output kept */
    struct surroundings surroundings;
    struct confine confine; /* of programs */
    const struct identity *identity; /* theirs */
    int ignored[NSIG]; /* signals that we were told to ignore, ended by 0; programs are not */
    struct rlimit files; /* as we found it: what programs get */
    bool vfork_waits; /* as it should; not under tools that watch a process */
    atomic_bool abandoned; /* the guard is gone: nothing is told any more */
    /* A time in which programs can't be started. */
    pthread_mutex_t lock;
    atomic_bool short_of;
    bool told;
    uint32_t delay_ms;
    uint64_t until_ms, told_ms;
};

/* Everything but worker, guard, result_bytes, files, surroundings, confine and identity, which the
 * caller has set. `slots`: the most there will be. False with errno set if the system refuses. Main
 * thread only. */
bool runner_open(struct runner *runner, uint32_t slots);

/* A slot's own part. */
struct runner_slot {
    struct runner *runner;
    struct place place;
};

struct runner_slot *runner_slot_new(struct runner *runner);
void runner_slot_destroy(struct runner_slot **slot);

/* What to run, where, and what its standard input is. */
struct command {
    char *const *argv; /* ended by NULL */
    const void *input;
    size_t input_bytes;
    bool once; /* any failure is for good */
    const char *directory; /* NULL: the worker's own */
    bool directory_required; /* else the worker's own if it can't be entered */
    char *const *environment; /* NAME=VALUE, ended by NULL, on top of the worker's; or NULL */
    bool ours; /* the program is this worker's own setting, not the job's wish */
};

void runner_run(struct runner_slot *slot, const struct command *command, struct stint_task *task);

/* Kind `exec`: the payload is a msgpack array of strings, the argument vector, or a map; see
 * stint-worker(1). In exec.c. */
void runner_run_exec(struct runner_slot *slot, struct stint_task *task);

#endif
