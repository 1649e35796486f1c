/* The payload of one job that is prepared for later, by schedule and batch: an argument, a file, or
 * a command as run makes it.
 */
#ifndef PAYLOAD_H
#define PAYLOAD_H

#include "jobs.h"

struct payload_options {
    char *path; /* --file */
    int is_command, shell; /* --exec, --shell */
};
extern struct payload_options payload_options;
extern struct poptOption payload_option_table[];

/* Into the job; `*bytes` is allocated, and the payload as long as it is. Returns an exit code. */
int payload_take(struct cli *cli, const char **args, struct stint_job *job, char **bytes);

#endif
