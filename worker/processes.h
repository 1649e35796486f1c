/* What /proc tells of processes: which ones are children of this process's main thread (that is
 * where orphans come to that it adopts), when they began, and for which job.
 */
#ifndef PROCESSES_H
#define PROCESSES_H

#include "now.h"
#include "stint_id.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum { CHILDREN_MAX = 4096 };

struct process {
    bool dead; /* a zombie: it waits to be reaped */
    pid_t group, session;
    uint64_t started_ticks;
};

/* The list of the calling thread's children, to be read by children_read from any thread; -1 if
 * /proc is missing, tells of another pid namespace, or keeps no such list. */
int children_open(void);
/* At most CHILDREN_MAX of them. `list` may be -1: none. */
size_t children_read(int list, pid_t *pids);

/* For children, which stay what they are until they are reaped. False if there is none. */
bool process_look(pid_t pid, struct process *process);
/* The job in its environment; false if it names none or can't be read. */
bool process_job(pid_t pid, struct stint_id *id, uint32_t *attempt);
/* SIGKILL to it and its process group, unless that is our own: a group dies at once, also what it
 * is about to fork. */
void process_kill(pid_t pid);

/* Now, as process.started_ticks counts. */
uint64_t clock_ticks(void);
void clock_pause(unsigned ms);

#endif
