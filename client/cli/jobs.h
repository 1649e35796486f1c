/* What submit, map and run share: the options of a job, and the payload of kind exec. */
#ifndef JOBS_H
#define JOBS_H

#include "cli.h"

struct job_options {
    char *queue, *kind, *keep, *time_to_run, *backoff, *backoff_cap;
    int priority, attempts;
};

/* One set for the verb that runs; its popt table has fixed addresses. */
extern struct job_options job_options;
extern struct poptOption job_option_table[];

/* Fill in a job from the options. Returns an exit code. */
int jobs_fill(const struct cli *cli, struct stint_job *job);

/* A command line for workers to run, with places for a line of input. */
struct template
{
    char **words;
    size_t count;
    bool has_place; /* some word has {}; else the line is appended */
};

/* One argument with blanks in it is cut into words as a shell would, without expanding anything;
 * with `shell` the whole is given to sh -c, where the line is "$1" and {} stands for it.
 * Returns an exit code. */
int jobs_template(const struct cli *cli, const char **args, bool shell, struct template *t);
void jobs_template_free(struct template *t);

/* The payload of kind exec for a line (NULL: none), allocated. `once`: a failure is for good. */
void *jobs_payload(
    const struct template *t, const char *line, size_t line_bytes, bool once, size_t *bytes);

#endif
