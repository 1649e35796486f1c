/* What jobs carry, and what comes of them, so that each can be recognised. */
#include "oracle_inside.h"
#include "stint_worker.h"

#include <stdlib.h>

static char *
padded(const char *text, size_t bytes)
{
    size_t n = strlen(text);
    char *p = malloc(bytes + n + 1);
    if (!p)
        abort();
    memcpy(p, text, n);
    memset(p + n, 'x', bytes + 1);
    return p;
}

char *
oracle_payload(uint32_t job)
{
    char text[32];
    (void)snprintf(text, sizeof text, "job %08u ", job);
    return padded(text, known.jobs[job].wish.payload_bytes);
}

char *
oracle_result(uint32_t job, uint32_t attempt, size_t *bytes)
{
    char text[32];
    (void)snprintf(text, sizeof text, "ran %08u %05u ", job, attempt);
    *bytes = known.jobs[job].wish.result_bytes;
    return padded(text, *bytes);
}

char *
oracle_output(uint32_t job, size_t *bytes)
{
    char text[32];
    (void)snprintf(text, sizeof text, "out %08u ", job);
    *bytes = known.jobs[job].wish.result_bytes;
    char *output = padded(text, *bytes);
    return output;
}

bool
oracle_number(struct slice bytes, uint32_t *job, uint32_t *attempt)
{
    char text[32];
    slice_to_text(text, sizeof text, bytes);
    *attempt = 0;
    if (sscanf(text, "job %8u ", job) != 1 && sscanf(text, "ran %8u %5u ", job, attempt) != 2)
        return false;
    return *job < known.count;
}

void
oracle_fail(struct stint_task *task, uint32_t job, const char *why)
{
    size_t bytes;
    char *output = oracle_output(job, &bytes);
    stint_task_keep_output(task, output, bytes);
    stint_task_fail(task, why);
    free(output);
}
