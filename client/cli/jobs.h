/* What submit, map and run share: the options of a job. */
#ifndef JOBS_H
#define JOBS_H

#include "cli.h"

struct job_options {
    char *queue, *kind, *keep, *timeout, *backoff, *backoff_cap, *priority, *attempts;
    char *directory; /* --wd */
    char *in, *at; /* when it is due */
    char *expires; /* when it is not to begin any more */
    char *unique, *unique_while, *unique_for;
    int unique_replace, unique_move;
    char **environment; /* --env, as often as wished */
    char *input; /* --stdin */
    int no_wait; /* for room */
};

/* One set for the verb that runs; its popt table has fixed addresses. */
extern struct job_options job_options;
/* submit's table, and the one of map and run, whose jobs run commands. */
extern struct poptOption job_option_table[], command_option_table[];
/* When jobs are due: --in and --at. */
extern struct poptOption due_option_table[];
/* Until when they may begin: --expires. */
extern struct poptOption expires_option_table[];
/* For which jobs they wait: --after and --after-any. */
extern struct poptOption after_option_table[];
/* In which batch they are: --batch. */
extern struct poptOption batch_option_table[];
/* How long all runs may take: --total. */
extern struct poptOption total_option_table[];
/* What they need of a worker: --needs. */
extern struct poptOption needs_option_table[];
/* Which group they are in: --group. */
extern struct poptOption group_option_table[];
/* That there is one of its kind: --unique and so on. */
extern struct poptOption unique_option_table[];

/* They are to come with the end of the job within which this runs: --at-end. */
extern int jobs_at_end;

/* Fill in a job from the options. Returns an exit code. */
int jobs_fill(const struct cli *cli, struct stint_job *job);

/* The whole of a file ("-" or NULL: standard input), allocated, up to a payload's size. Says once
 * that it reads a terminal, or that nothing comes. Returns an exit code. */
int jobs_read(const struct cli *cli, const char *path, char **bytes, size_t *size);

/* Who is told, while jobs are submitted, what becomes of them; `from` and `index` are places in
 * their array. */
struct jobs_told {
    void (*stored)(void *context, size_t from, size_t count);
    void (*too_large)(void *context, size_t index); /* it is left out */
    void *context;
};

/* Submits jobs of at most one message, in pieces if there is not room for all at once, and waits
 * for room as long as it takes: said once. The first `*done` of them are stored, or left out, also
 * if it fails. `met` (NULL: not wanted) is what they met. `told` NULL: nobody is told, and a job
 * that is too large is a failure. Ends when it is interrupted, or nobody reads the output. Returns
 * an exit code. */
int jobs_submit(struct cli *cli, const struct stint_job *jobs, size_t count, struct stint_id *ids,
    enum stint_met *met, size_t *done, const struct jobs_told *told);

/* Tells the id of a job that is stored, or was met: a line, or an object. */
void jobs_print_id(const struct cli *cli, const struct stint_id *id, enum stint_met met);
/* Tells people, if it was met, that it was. */
void jobs_say_met(const struct cli *cli, const struct stint_id *id, enum stint_met met);
/* Why this can't be the id of a batch. */
const char *jobs_batch_trouble(const char *text);
/* A text of a job whose payload is this line, which `{}` in it stands for, as in --unique and
 * --group. Allocated; NULL if there is none. */
char *jobs_text_of(const char *text, const char *line, size_t size);
/* Why a line can't be in a unique key, or in the name of a group (in_it: it is in one of them);
 * NULL: it can, or there is none. The library would refuse all that is sent with it. */
const char *
jobs_text_trouble(const char *key, const char *group, const char *line, size_t size, bool in_it);

enum {
    JOBS_PAYLOAD_MAX = 4 << 20, /* no broker takes more in one job */
    JOBS_AFTER_MAX = 1000, /* jobs that one waits for */
    JOBS_KEEP_MS = 86400000, /* of jobs whose outcome the command waits for */
};

#endif
