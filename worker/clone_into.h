/* Starts a child that shares our memory, as vfork does, and is in another cgroup from its first
 * moment. To move it there afterwards would take the kernel up to a millisecond.
 */
#ifndef CLONE_INTO_H
#define CLONE_INTO_H

#include <stddef.h>
#include <sys/types.h>

/* The caller waits until the child has become another program or ended. Until then the child runs
 * `child` on the given stack (ends aligned to 16 bytes) and must do nothing that is not safe after
 * vfork; what `child` returns is its exit status. `cgroup` is the directory's descriptor. Returns
 * the child's number; -1 with errno set, to ENOSYS also where this was not written for. */
pid_t
clone_into(int cgroup, void *stack, size_t bytes, int (*child)(void *argument), void *argument);

#endif
