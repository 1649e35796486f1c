/* Limits of a program's resources; the contract is in confine.h. */
#include "confine.h"
#include "units.h"

#include <string.h>
#include <unistd.h>

static const struct {
    const char *name;
    int resource;
} known[CONFINE_LIMITS] = {{"nofile", RLIMIT_NOFILE}, {"as", RLIMIT_AS}, {"cpu", RLIMIT_CPU},
    {"fsize", RLIMIT_FSIZE}, {"core", RLIMIT_CORE}, {"nproc", RLIMIT_NPROC},
    {"stack", RLIMIT_STACK}, {"data", RLIMIT_DATA}};

static bool
read_limit(const char *text, size_t bytes, rlim_t *limit)
{
    char copy[32];
    uint64_t number;
    if (bytes >= sizeof copy)
        return false;
    memcpy(copy, text, bytes);
    copy[bytes] = '\0';
    *limit = RLIM_INFINITY;
    if (strcmp(copy, "unlimited") == 0)
        return true;
    if (!units_read_size(copy, &number))
        return false;
    *limit = number;
    return true;
}

bool
confine_add_limit(void *confine, const char *value, const char **why)
{
    struct confine *c = confine;
    struct rlimit now, wanted;
    size_t name = strcspn(value, "="), which = 0;
    while (which < CONFINE_LIMITS &&
        (strlen(known[which].name) != name || strncmp(known[which].name, value, name) != 0))
        which++;
    *why = "write NAME=SOFT or NAME=SOFT:HARD, each a number, a size or unlimited; the names are "
           "nofile, as, cpu, fsize, core, nproc, stack, data";
    if (which == CONFINE_LIMITS || value[name] != '=')
        return false;
    const char *soft = value + name + 1, *hard = soft + strcspn(soft, ":");
    if (!read_limit(soft, (size_t)(hard - soft), &wanted.rlim_cur))
        return false;
    wanted.rlim_max = wanted.rlim_cur;
    if (*hard && !read_limit(hard + 1, strlen(hard + 1), &wanted.rlim_max))
        return false;
    *why = "the soft limit is over the hard one";
    if (wanted.rlim_cur > wanted.rlim_max)
        return false;
    *why = "it is over the worker's own hard limit, which only root may raise";
    if (geteuid() != 0 &&
        (getrlimit((__rlimit_resource_t)known[which].resource, &now) != 0 ||
            wanted.rlim_max > now.rlim_max))
        return false;
    c->limits[which] = wanted;
    c->limited[which] = true;
    return true;
}

bool
confine_apply(const struct confine *c)
{
    for (size_t i = 0; i < CONFINE_LIMITS; i++)
        if (c->limited[i] && setrlimit((__rlimit_resource_t)known[i].resource, &c->limits[i]) != 0)
            return false;
    /* nice returns the new value, which may be -1, and at 19 it stays there. */
    if (c->nice)
        (void)!nice((int)c->nice);
    return true;
}
