/* The guard: a process that outlives the worker just long enough to end what it ran. It waits on a
 * pipe that only the worker holds; when the worker is gone, also by SIGKILL, it kills the process
 * groups that are still marked in a table both share.
 */
#ifndef GUARD_H
#define GUARD_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct guard {
    _Atomic pid_t *groups; /* a process group a slot, or 0; shared memory */
    uint32_t count;
    int pipe;
};

/* Start it, before any thread. False with errno set if the system refuses. */
bool guard_start(struct guard *guard, uint32_t slots);

#endif
