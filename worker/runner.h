/* Runs a program for a job: payload to its standard input, its standard output is the result, the
 * tail of its standard error the error text, its exit code decides. What the program starts ends
 * with it.
 */
#ifndef RUNNER_H
#define RUNNER_H

#include "guard.h"
#include "stint_worker.h"

struct runner {
    struct guard *guard;
    int null; /* /dev/null, for programs without a payload */
    size_t result_bytes; /* most standard output kept */
};

/* A slot's own part: where the program it ran last was found, as a search through PATH costs more
 * than all else we do for a short program. */
struct runner_slot {
    const struct runner *runner;
    char *name, *path;
};

struct runner_slot *runner_slot_new(const struct runner *runner);
void runner_slot_destroy(struct runner_slot **slot);

/* What to run: a NULL-ended argument vector, and what its standard input is. */
struct command {
    char *const *argv;
    const void *input;
    size_t input_bytes;
    bool once; /* any failure is for good */
};

void runner_run(struct runner_slot *slot, const struct command *command, struct stint_task *task);

/* Kind `exec`: the payload is a msgpack array of strings, the argument vector, or a map with the
 * keys argv, stdin (bytes) and once (boolean). */
void runner_run_exec(struct runner_slot *slot, struct stint_task *task);

#endif
