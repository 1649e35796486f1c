/* A command line for workers to run, with places for a line of input in it, and the payload of kind
 * exec that it becomes.
 */
#ifndef TEMPLATE_H
#define TEMPLATE_H

#include "cli.h"

struct value {
    const char *bytes;
    size_t size;
};

/* One unit of input: a line, and the arguments it is made of (itself, unless it was cut, or several
 * were put together). */
struct row {
    struct value line;
    struct value *args;
    size_t count;
    uint64_t number; /* from 1 on */
};

/* What every payload has beside the command. */
struct surroundings {
    char *directory; /* NULL: the worker's own */
    bool directory_required; /* where it is missing the job can't run */
    struct value *environment; /* "NAME=VALUE" */
    size_t environment_count;
    const char *input;
    size_t input_bytes;
    bool once; /* a failure is for good */
};

struct template;

/* One argument with blanks in it is cut into words as a shell would, without expanding anything;
 * with `shell` the whole is given to sh -c, and what stands for the line is an argument there.
 * `places`: {} and its like mean something. What looks like one and is none is warned of.
 * Returns an exit code. */
int template_new(const struct cli *cli, const char *const *words, size_t count, bool shell,
    bool places, struct template **t);
void template_free(struct template **t);

/* The payload for a row (NULL: none), allocated. */
void *template_payload(
    const struct template *t, const struct surroundings *s, const struct row *row, size_t *bytes);
/* The command for a row as a shell would read it, allocated. */
char *template_text(const struct template *t, const struct row *row);
/* One line that tells a command from another, allocated. */
char *template_describe(const struct template *t);

/* --wd and --env, as read from job_options. Returns an exit code. */
int surroundings_fill(const struct cli *cli, struct surroundings *s);
void surroundings_free(struct surroundings *s);

#endif
