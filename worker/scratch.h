/* A directory of its own for each run of a program, removed when the run has ended, whatever it has
 * left there.
 *
 * A worker has one directory for all of them in the one that the setting names. It is locked while
 * guard or worker live; one that is not was left by a worker that was killed together with its
 * guard, and the next worker in the same place removes it. What is much to remove, a thread does
 * that is there for nothing else.
 */
#ifndef SCRATCH_H
#define SCRATCH_H

#include "identity.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    SCRATCH_FILES = 24, /* descriptors, at most, besides those that a slot has for its run */
    SCRATCH_LEFT_MAX = 256,
    SCRATCH_WAITING_MAX = 64, /* while so many wait to be removed no new ones are made */
};

/* Of a run that has ended and left much. */
struct scratch_left {
    uint64_t number;
    uint64_t
        due_ms; /* 0: it waits; else something in it can't be removed, and is tried again then */
};

struct scratch_remover {
    pthread_t thread;
    bool started, dead_left; /* what killed workers have left is not removed yet */
    pthread_mutex_t lock;
    pthread_cond_t work;
    struct scratch_left left[SCRATCH_LEFT_MAX];
    uint32_t count, waiting;
    uint64_t told_ms;
};

struct scratch {
    char *path; /* of the worker's own, absolute; NULL: none, and all of this does nothing */
    int parent, dir;
    char name[48]; /* in the parent */
    const struct identity *identity; /* whose the directories are to be */
    atomic_ullong runs; /* that there have been */
    atomic_bool stop;
    struct scratch_remover remover;
};

/* That of a run. */
struct scratch_run {
    uint64_t number;
    char *path; /* absolute; NULL: none */
};

/* Before the guard is started: it shares it. `directory` may be NULL: none. False, with a sentence
 * in `why`, if no run could have a directory there. The identity is borrowed. */
bool scratch_open(struct scratch *scratch, const char *directory, const struct identity *identity,
    char *why, size_t why_bytes);
/* In the worker: the thread begins. False with errno set if the system refuses. */
bool scratch_start(struct scratch *scratch);
/* In the worker: the thread ends at once. */
void scratch_stop(struct scratch *scratch);

/* A new one. False with errno set if it can't be made; to EBUSY if too many wait to be removed. By
 * any thread. */
bool scratch_make(struct scratch *scratch, struct scratch_run *run);
/* The run has ended, and all that it left running; its directory goes, now or soon. By any thread.
 */
void scratch_end(struct scratch *scratch, struct scratch_run *run);

/* At the very end, in guard or worker: all of it goes, as far as that takes no longer than a
 * supervisor may wait. Others may be at it still. */
void scratch_remove(const struct scratch *scratch);
/* Gives back the lock, and what else it holds. */
void scratch_close(struct scratch *scratch);

#endif
