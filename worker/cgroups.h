/* Cgroups of version 2, where the system lets us make them: one for all that the worker runs, and
 * in it one a slot, in which the slot's programs start. What is in it ends with the job, however
 * well it hides from all else by which a process is known, and it can bound what a job takes. Where
 * there are none, strays.h does alone.
 *
 * The worker's cgroup is locked while guard or worker live; one that is not was left by a worker
 * that was killed together with its guard, and the next worker in the same place removes it.
 */
#ifndef CGROUPS_H
#define CGROUPS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* What a job may take; 0: as much as there is. */
struct cgroup_bounds {
    uint64_t memory_bytes, tasks;
    uint64_t cpu_us; /* of processor time in CGROUP_PERIOD_US */
};
enum { CGROUP_PERIOD_US = 100000 };

struct cgroup_slot {
    int dir; /* -1: none, or not yet */
    uint32_t number; /* of those that the slot has had */
    char *stack; /* for clone_into */
};

struct cgroups {
    struct cgroup_bounds bounds;
    int parent, dir; /* -1: none, and all of this does nothing */
    int self; /* where guard and worker have moved to; -1: they stay where they were */
    char name[48], self_name[48]; /* in the parent */
    struct cgroup_slot *slots;
    uint32_t count;
};

/* Before the guard is started: it shares them. Removes what dead workers have left. False, with a
 * sentence in `why`, if there are bounds and they can't be kept here; without bounds never. */
bool cgroups_open(
    struct cgroups *cgroups, const struct cgroup_bounds *bounds, char *why, size_t why_bytes);
bool cgroups_bounded(const struct cgroups *cgroups);
/* In the worker. Tries whether a program can be started in one; if not, there are none from now on.
 * False with errno set without memory, or if there are bounds and it can't. */
bool cgroups_prepare(struct cgroups *cgroups, uint32_t slots);

/* As clone_into; -1 with errno set if the slot can't have one. By the slot's own thread. */
pid_t
cgroups_start(struct cgroups *cgroups, uint32_t slot, int (*child)(void *argument), void *argument);
/* Ends all that is in the slot's, and waits for it. False if something does not die.
 * `*out_of_memory`: something in it was killed because it was over its bound. */
bool cgroups_end(struct cgroups *cgroups, uint32_t slot, bool *out_of_memory);

/* SIGKILL to all that is in any of them. */
void cgroups_kill(const struct cgroups *cgroups);
/* At the very end, in guard or worker. */
void cgroups_remove(const struct cgroups *cgroups);

#endif
