/* The guard: the process that the user started, which runs the worker as its child and outlives it
 * just long enough to end what it ran. Orphans come to it when the worker is gone, however that
 * happened, and it ends them all. If the guard is killed instead, the worker does the same.
 *
 * Signals that ask the worker to stop may be sent to either, or by a terminal to both.
 */
#ifndef GUARD_H
#define GUARD_H

#include "cgroups.h"
#include "scratch.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* How the worker is, for the service manager: it listens to the process that it has started, which
 * is the guard. */
enum guard_news { GUARD_STARTING, GUARD_AWAY, GUARD_CONNECTED, GUARD_STOPPING };

/* What the worker lets the guard know, in memory that both see. */
struct guard_pulse {
    _Atomic unsigned news; /* enum guard_news */
    _Atomic unsigned beats; /* one more each time that the worker has looked and all moved */
};

struct guard {
    struct guard_pulse *pulse;
    _Atomic pid_t *groups; /* a process group a slot, or 0; shared memory */
    uint32_t count;
    int stops; /* a byte for each signal to stop that the guard got; it ends with the guard */
    pid_t pid; /* of the guard */
    uint64_t drain_ms; /* what a stop takes, at most */
    struct cgroups cgroups; /* opened before, as is the next; whoever lives longest removes them */
    struct scratch scratch;
};

/* Go on as the guard's child, before any thread is made; `slots`: the most there will be. The guard
 * itself never returns: it exits as the worker did. False with errno set if the system refuses. */
bool guard_start(struct guard *guard, uint32_t slots);

/* In the worker: how it is from now on. */
void guard_tell(const struct guard *guard, enum guard_news news);
/* In the worker, once a second: it is alive. */
void guard_beat(const struct guard *guard);

#endif
