/* Where a program is, and what environment it gets. */
#ifndef PROGRAM_H
#define PROGRAM_H

#include "stint_worker.h"

#include <stdbool.h>

/* Where the program run last was found, as a search through PATH costs more than all else we do for
 * a short program. */
struct place {
    char *name, *path, *searched; /* its name, where it is, the PATH that says so */
};

/* The path of the program `name`; NULL with errno set (ENOENT, EACCES) if there is none. PATH is
 * taken from `environment` if it holds one, else from our own; parts of it that are relative are
 * meant from `directory` on, unless that is NULL. */
const char *
place_find(struct place *place, const char *name, char *const *environment, const char *directory);
void place_forget(struct place *place);

/* Is it a file that may be executed? Else false with errno set. */
bool program_check(const char *path);
/* As place_find searches, for a message: our PATH. */
const char *program_path(void);

/* What all programs of this worker are told of it. */
struct surroundings {
    char *endpoint, *worker; /* NAME=VALUE */
};
bool surroundings_set(struct surroundings *s, const char *endpoint, const char *worker);

/* The environment of a job's program, in one allocation to be freed; NULL without memory. */
char **environment_make(
    const struct surroundings *s, const struct stint_task_info *job, char *const *of_job);

#endif
