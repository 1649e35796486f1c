/* What the command says to the worker of the job within whose program it runs: lines on the
 * descriptor that STINT_CONTROL names.
 */
#ifndef WITHIN_H
#define WITHIN_H

#include "cli.h"

/* The descriptor; -1 after saying that there is none. */
int within_find(const struct cli *cli);
/* A line with its end, of at most PIPE_BUF bytes: in one write, so that lines of several programs
 * do not mix. Returns an exit code. */
int within_write(const struct cli *cli, int fd, const char *line, size_t size);
/* Ask for these jobs with the end of the job; `ids` has to be good. Returns an exit code. */
int within_submit(struct cli *cli, const struct stint_job *jobs, size_t count);
int within_cancel(struct cli *cli, const struct stint_id *ids, size_t count);

#endif
