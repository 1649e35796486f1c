/* A file that becomes visible whole or not at all. It has no name while it is written, where the
 * file system can do that, so that even a process that is killed leaves nothing behind; else it has
 * a name of its own beside the one it is to have.
 */
#ifndef FRESH_H
#define FRESH_H

#include <stdbool.h>

struct fresh {
    int fd; /* -1: none */
    bool named; /* it stands at `aside` */
    char path[4096]; /* by which this process can open it */
    char name[4096], aside[4096];
};

/* A file that is to be `name`; or, with `keeps` false, one that lies in the directory `name` and is
 * never to have a name. False with errno set. */
bool fresh_open(struct fresh *f, const char *name, bool keeps);
/* Bring it to the disk under its name: in place of a file that is there, or not. False with errno
 * set, EEXIST if one is there. It is closed if true. */
bool fresh_keep(struct fresh *f, bool replace);
/* Leave nothing of it. */
void fresh_drop(struct fresh *f);
/* The same, when the process ends at once, and another thread may still write to it. */
void fresh_abandon(const struct fresh *f);

#endif
