/* What is told of a job. */
#ifndef DESCRIBE_H
#define DESCRIBE_H

#include "job.h"

void describe_job(const struct core *core, const struct job *job, struct stint_job_info *info);

#endif
