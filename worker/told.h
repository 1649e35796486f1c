/* What a program is told of the jobs around its own, as variables of its environment. */
#ifndef TOLD_H
#define TOLD_H

#include "stint_worker.h"

enum { BATCH_VARIABLES = 6, BATCH_VARIABLE_BYTES = 48, TOLD_MOST = BATCH_VARIABLES + 3 };

struct told {
    char *all[TOLD_MOST + 1]; /* ended by NULL */
    char *after, *group; /* of them, those that are allocated; NULL: not there */
    char batch[BATCH_VARIABLES][BATCH_VARIABLE_BYTES];
};

/* STINT_AFTER, STINT_BATCH and so on, STINT_AT_END and STINT_GROUP, of those that hold of the task.
 * False: there is no memory. */
bool told_make(struct told *told, const struct stint_task *task);
void told_end(struct told *told);

/* STINT_AFTER=IDS of a job that was after these, allocated; NULL if there are none, or no memory.
 */
char *after_variable(const struct stint_id *parents, size_t count);

/* STINT_BATCH=ID of a job of a batch, and of one that it has made also STINT_BATCH_JOBS and so on,
 * in `text`; returns how many there are in `all`. */
size_t
batch_variables(const struct stint_task_batch *b, char text[][BATCH_VARIABLE_BYTES], char **all);

#endif
