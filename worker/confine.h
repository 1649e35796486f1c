/* What all programs of a worker are held to by themselves, whatever their cgroup: limits of
 * resources, as setrlimit(2) knows them, and niceness.
 */
#ifndef CONFINE_H
#define CONFINE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/resource.h>

enum { CONFINE_LIMITS = 8 };

struct confine {
    struct rlimit limits[CONFINE_LIMITS];
    bool limited[CONFINE_LIMITS];
    uint64_t nice; /* added to the worker's own */
};

/* For struct setting: NAME=SOFT[:HARD]. Refused with a reason if it is no such limit, or over the
 * hard limit of a worker that may not raise it. */
bool confine_add_limit(void *confine, const char *value, const char **why);
/* In the child, before it becomes the program: safe calls only. False with errno set. */
bool confine_apply(const struct confine *confine);

#endif
