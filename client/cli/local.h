/* A broker and a worker of one's own for the time of a command: --local DIR. */
#ifndef LOCAL_H
#define LOCAL_H

#include "cli.h"

#include <sys/types.h>

struct local {
    pid_t broker, worker;
    char endpoint[300];
};

/* Start both on an ipc endpoint in `directory` (made if it is not there); data and logs are kept
 * there. `slots` 0: one a core. Returns an exit code. */
int local_start(struct cli *cli, const char *directory, unsigned slots, struct local *local);
/* End both and wait for them. */
void local_stop(struct local *local);

#endif
