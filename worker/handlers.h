/* What a worker runs jobs with: programs and plugins, as its settings name them. */
#ifndef HANDLERS_H
#define HANDLERS_H

#include "limit.h"
#include "runner.h"

enum { LIST_MAX = LIMIT_QUEUES_SERVED + LIMIT_PREFIXES };

/* A setting that may be given several times. */
struct list {
    const char *items[LIST_MAX];
    uint32_t count;
};
/* For struct setting. */
bool list_add(void *list, const char *value, const char **why);

struct handlers {
    struct list handles, shells; /* KIND=COMMAND */
    struct list plugins; /* files */
    bool exec;
    struct program_handler *programs; /* those made of handles and shells, for life */
};

/* Register them. False if one can't be run here; a line on standard error has said why. */
bool handlers_add(struct stint_worker *worker, struct handlers *handlers, struct runner *runner);
/* Are these names? Likewise; `setting` is whose they are, `what` one of them is called. */
bool names_check(const struct list *names, const char *setting, const char *what);
/* The same of queues, where a `*` at the end stands for all that begin so. */
bool queues_check(const struct list *queues, const char *setting);

/* `VALUE: WHAT` on standard error; false. */
bool complain(const char *what, const char *value);

#endif
