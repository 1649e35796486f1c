/* What a program leaves behind: children in sessions of their own, daemons, whatever forks twice.
 * The worker adopts them (it is a subreaper), and when a job ends all that belongs to it is killed.
 *
 * An orphan belongs to the job in whose session it is; or else to the one its environment names; or
 * else, if it has hidden both, to none that was begun after it. One that can still be of a job
 * that runs is left alone until no such job is left.
 */
#ifndef STRAYS_H
#define STRAYS_H

#include "stint_id.h"

#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* A job that runs. */
struct living {
    bool here;
    struct stint_id id;
    uint32_t attempt;
    pid_t leader; /* of its session; 0: not known yet */
    uint64_t begun_ticks;
};

struct strays {
    pthread_mutex_t lock;
    int children; /* see children_open */
    struct living *jobs; /* a slot each */
    uint32_t count; /* of the slots that had one yet */
};

/* To be called on the main thread, which is where orphans come to; `slots`: at most so many there
 * will be. False without memory. */
bool strays_open(struct strays *strays, uint32_t slots);
/* Before a job's program is started in a slot, and after. */
void
strays_expect(struct strays *strays, uint32_t slot, const struct stint_id *id, uint32_t attempt);
void strays_begin(struct strays *strays, uint32_t slot, pid_t leader);
/* The leader has ended and is not reaped yet: end all else. False if something does not die. */
bool strays_end(struct strays *strays, uint32_t slot);
/* The leader, which has ended, is reaped, and told of in `info`; nobody else reaps it before. */
void strays_wait(struct strays *strays, uint32_t slot, int pidfd, siginfo_t *info);
/* The program was not started. */
void strays_forget(struct strays *strays, uint32_t slot);
/* SIGKILL to all jobs that run. */
void strays_kill_running(struct strays *strays);
/* Now and then: reap those that have ended. */
void strays_reap(struct strays *strays);
/* Kill every child of this process, of whatever thread, until none lives. */
void strays_end_all(struct strays *strays);

#endif
