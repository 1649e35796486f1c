/* A broker and a worker of one's own for the time of a command: --local DIR. */
#ifndef LOCAL_H
#define LOCAL_H

#include "cli.h"

#include <sys/types.h>

struct local;

/* The program of ours beside this one (`sibling` is where a build tree has it), or else the one on
 * the PATH. False if there is none. */
bool local_find_program(const char *name, const char *sibling, char path[4096]);

/* Take `directory` (made if it is not there): no other command may use it meanwhile. Returns an
 * exit code, after saying what is wrong. */
int local_open(struct cli *cli, const char *directory, struct local **local);
/* Start the broker, on an ipc endpoint in it; data and logs are kept there. Returns an exit code.
 */
int local_start(struct cli *cli, struct local *local);
/* Is this a job of the command that is there now? */
typedef bool local_ours_fn(void *context, const struct stint_id *id);
/* Once connected: cancel what commands before this one have left there, which is told, but for
 * what is `ours` (NULL: nothing is), and start the worker. It serves `queue` (NULL: the default
 * one), with `slots` jobs at a time (0: one a core). Returns an exit code. */
int local_work(struct cli *cli, struct local *local, const char *queue, unsigned slots,
    local_ours_fn *ours, void *context);
/* Do both still run? Else says which ended, and what it said last. Returns an exit code. */
int local_check(struct cli *cli, struct local *local);
/* Connect to the broker, while it starts. Returns an exit code. */
int local_connect(struct cli *cli, struct local *local);
/* End both, as far as they run, and wait for them; what runs is ended too. At a signal: at once. */
void local_stop(struct local **local);

/* A file in `directory` that belongs to this process until `*lock`, its descriptor, is closed.
 * Where its owner is gone and only what it started goes on, that is waited for. Returns an exit
 * code, after saying what is wrong: EX_TEMPFAIL if somebody has it. */
int local_lock(struct cli *cli, const char *directory, int *lock);

#endif
