/* As which user a worker that root runs lets programs run. All is looked up once, at the start: the
 * user database may be anywhere, and a child between vfork and exec can't ask it.
 */
#ifndef IDENTITY_H
#define IDENTITY_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct groups {
    gid_t *all;
    size_t count;
};

struct identity {
    bool changes; /* false: programs run as the worker does, and all below does nothing */
    uid_t uid;
    gid_t gid;
    struct groups groups;
    char *name;
    char
        *variables[5]; /* what a login sets, NAME=VALUE; ended by NULL, empty: none was asked for */
    gid_t own_gid; /* the worker's, to come back to */
    struct groups own_groups;
};

/* NAME[:GROUP], each a name or a number. NULL: as the worker. False, with a sentence in `why`, if
 * there is none, or this worker may not. Before there are threads. */
bool identity_read(struct identity *identity, const char *text, char *why, size_t why_bytes);
/* Can a child become it? False with errno set. Before there are threads. */
bool identity_try(const struct identity *identity);

/* In the child, before it becomes the program: safe calls only. False with errno set: it is to end.
 * The signal that the child gets by its parent's death is to be set again. */
bool identity_become(const struct identity *identity);

/* The calling thread alone looks for files as that user would, until identity_look_as_self. False
 * with errno set if it can't; then it does not. */
bool identity_look(const struct identity *identity);
void identity_look_as_self(const struct identity *identity);
/* May that user go to this directory? Else false with errno set. */
bool identity_may_enter(const struct identity *identity, const char *directory);
/* A new file of ours is to be that user's. False with errno set. */
bool identity_give(const struct identity *identity, int fd);

#endif
