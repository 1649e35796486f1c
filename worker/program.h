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
 * taken from `environment` if it holds one, else it is `path`; parts of it that are relative are
 * meant from `directory` on, unless that is NULL. */
const char *place_find(struct place *place, const char *name, const char *path,
    char *const *environment, const char *directory);
void place_forget(struct place *place);

/* Is it a file that may be executed? Else false with errno set. */
bool program_check(const char *path);
/* What all programs of this worker find. */
struct surroundings {
    char *endpoint, *worker; /* NAME=VALUE */
    char **base; /* their environment before the job's own; ended by NULL; its texts are others' */
};

/* The declared part of it: NAME=VALUE, or NAME, whose value is the worker's. */
struct declared {
    const char *const *variables;
    uint32_t count;
    bool clean; /* nothing else but a PATH is the programs' */
    char *const *login; /* NAME=VALUE, ended by NULL, after the declared ones; or NULL */
    bool scratch; /* each run is told of a temporary directory of its own */
};
/* Why a variable can't be declared; NULL: it can. */
const char *declared_check(const char *variable);
/* `declared` may be NULL: none. False without memory. */
bool surroundings_set(struct surroundings *s, const char *endpoint, const char *worker,
    const struct declared *declared);
/* The PATH of programs whose job names none. */
const char *surroundings_path(const struct surroundings *s);

/* The environment of a job's program, in one allocation to be freed; NULL without memory.
 * `scratch`: the run's temporary directory, or NULL; `told`: what is told of the jobs around it,
 * ended by NULL; or NULL. */
char **environment_make(const struct surroundings *s, const struct stint_task_info *job,
    char *const *of_job, const char *scratch, char *const *told);

#endif
