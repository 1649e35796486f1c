/* Cgroups, where the system lets us have them: one for the worker's jobs, and in it one a slot, in
 * which the slot's programs run one after the other. What is in it ends with the job, however well
 * it hides from all else by which a process is known. Where there are none, strays.h does alone.
 *
 * The worker's cgroup is locked while guard or worker live; one that is not was left by a worker
 * that was killed together with its guard, and the next worker in the same place removes it.
 */
#ifndef CGROUPS_H
#define CGROUPS_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct cgroup_slot {
    int dir; /* -1: none, or not yet */
    uint32_t number; /* of the cgroup; another one when one could not be emptied */
    char *stack; /* for clone_into */
};

struct cgroups {
    int parent, dir; /* -1: none, and all of this does nothing */
    char name[48]; /* in the parent */
    char path[PATH_MAX]; /* of ours, as /proc/PID/cgroup tells it */
    struct cgroup_slot *slots;
    uint32_t count;
};

/* Before the guard is started: it shares them. Removes what dead workers have left. */
void cgroups_open(struct cgroups *cgroups);
/* In the worker. Tries whether a program can be started in one; if not, there are none from now on.
 * False without memory. */
bool cgroups_prepare(struct cgroups *cgroups, uint32_t slots);

/* As clone_into; -1 with errno set if the slot has none, or none any more. */
pid_t
cgroups_start(struct cgroups *cgroups, uint32_t slot, int (*child)(void *argument), void *argument);
/* Ends all that is in the slot's, and waits for it. False if something does not die. */
bool cgroups_end(struct cgroups *cgroups, uint32_t slot);
/* In whose cgroup is this process? False: in none of ours. */
bool cgroups_find(const struct cgroups *cgroups, pid_t pid, uint32_t *slot);

/* SIGKILL to all that is in any of them. */
void cgroups_kill(const struct cgroups *cgroups);
/* At the very end, in guard or worker. */
void cgroups_remove(const struct cgroups *cgroups);

#endif
