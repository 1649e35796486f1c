/* Of the jobs that pass by, those that were submitted last. */
#ifndef NEWEST_H
#define NEWEST_H

#include "stint.h"

enum { NEWEST_MAX = 100000 };

struct newest {
    size_t most, count, size;
    struct stint_job_info *all; /* a heap: the oldest of them is the first */
};

void newest_take(struct newest *newest, const struct stint_job_info *info);
/* One that was submitted before that is not among them; 0: there is room for any. */
uint64_t newest_least_ms(const struct newest *newest);
/* The newest first; then it is no heap any more. */
void newest_sort(struct newest *newest);
void newest_free(struct newest *newest);

#endif
