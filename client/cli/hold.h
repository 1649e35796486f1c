/* Who holds a lease for a shell script: a process that stint take leaves behind. It is a worker of
 * one slot, which gives its job to the command, and settles it when stint settle says how.
 */
#ifndef HOLD_H
#define HOLD_H

#include "cli.h"

struct hold_options {
    const char *const *queues, *const *kinds; /* NULL at the end; NULL: the default one, all */
    uint64_t lease_ms, wait_ms;
    long process; /* the job goes back when this one ends; 0: none */
    int to; /* the command, a socket */
};

/* What the holder tells the command, in this order: any number of lines before the job. */
enum hold_word {
    HOLD_CONNECTED = 'c',
    HOLD_WRONG = 'e', /* then an int: the exit code, and text up to the end */
    HOLD_JOB = 'j', /* then a struct hold_job, and the payload */
};
/* And the command, once it has printed the job: */
enum { HOLD_KEPT = 'k' };

struct hold_job {
    struct stint_id id;
    uint32_t attempt, max_attempts, priority;
    uint64_t deadline_ms; /* since 1970: when the lease ends */
    uint64_t payload_bytes;
    char queue[STINT_NAME_BYTES], kind[STINT_NAME_BYTES];
};

/* Hold one job, in the process that stays. Returns when it is over. */
void hold_run(const struct cli *cli, const struct hold_options *options);

#endif
