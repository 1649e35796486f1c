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
    int null;            /* /dev/null, for programs without a payload */
    size_t result_bytes; /* most standard output kept */
};

/* What to run: a NULL-ended argument vector, and what its standard input is. */
struct command {
    char *const *argv;
    const void *input;
    size_t input_bytes;
    bool once; /* any failure is for good */
};

void runner_run(const struct runner *runner, const struct command *command,
    struct stint_task *task);

/* Kind `exec`: the payload is a msgpack array of strings, the argument vector, or a map with the
 * keys argv, stdin (bytes) and once (boolean). */
void runner_run_exec(const struct runner *runner, struct stint_task *task);

#endif
