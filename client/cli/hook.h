/* A command of the user's that is run with something on its standard input, and ended if it takes
 * too long. No shell is involved. It has a process group of its own, so that what it has started is
 * ended with it.
 */
#ifndef HOOK_H
#define HOOK_H

#include "cli.h"

enum hook_how {
    HOOK_EXITED, /* code: its exit status */
    HOOK_KILLED, /* code: the signal */
    HOOK_LATE, /* it was ended, as it took too long */
    HOOK_INTERRUPTED, /* it was ended, as we are to end */
    HOOK_CANT_RUN, /* code: errno */
};

struct hook_end {
    enum hook_how how;
    int code;
    uint64_t ms; /* that it took */
};

/* Run it to its end. Its standard output is ours, or with `quiet` our standard error. The client of
 * `cli` stays in its conversation meanwhile. */
struct hook_end
hook_run(struct cli *cli, const char **argv, const char *input, bool quiet, uint64_t timeout_ms);

/* What a shell would end with. */
int hook_exit(const struct hook_end *end);

#endif
