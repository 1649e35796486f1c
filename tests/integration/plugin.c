/* A plugin for stint-worker, as a user would write one on the public header: it turns payloads
 * round, keeps a count in each slot's state, and snoozes a job at its first attempt. It has nothing
 * for anybody if the environment says so. */
#include "stint_worker.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

struct counter {
    unsigned jobs;
};

static void *
make(void *context, uint32_t slot)
{
    (void)context;
    (void)slot;
    return calloc(1, sizeof(struct counter));
}

static void
destroy(void *context, void *state)
{
    (void)context;
    free(state);
}

static void
turn_round(struct stint_task *task, void *state)
{
    const struct stint_task_info *job = stint_task_info(task);
    struct counter *counter = state;
    const char *from = job->payload;
    char *to = malloc(job->payload_bytes + 32);
    if (!to) {
        stint_task_fail(task, "out of memory");
        return;
    }
    for (size_t i = 0; i < job->payload_bytes; i++)
        to[i] = from[job->payload_bytes - 1 - i];
    int more = snprintf(to + job->payload_bytes, 32, " %u", ++counter->jobs);
    stint_task_succeed(task, to, job->payload_bytes + (size_t)more);
    free(to);
}

static void
snooze_once(struct stint_task *task, void *state)
{
    (void)state;
    if (stint_task_info(task)->attempt == 1)
        stint_task_snooze(task, 10);
    else
        stint_task_succeed(task, "awake", 5);
}

/* The payload is the name of a file, which it waits for. */
static void
wait_for_a_file(struct stint_task *task, void *state)
{
    const struct stint_task_info *job = stint_task_info(task);
    struct pollfd p = {.fd = stint_task_cancel_fd(task), .events = POLLIN};
    char path[256];
    (void)state;
    (void)snprintf(path, sizeof path, "%.*s", (int)job->payload_bytes, (const char *)job->payload);
    while (access(path, F_OK) != 0 && !stint_task_cancelled(task)) {
        (void)stint_task_progress(task, 25, "waits for a file");
        (void)poll(&p, 1, 10);
    }
    stint_task_succeed(task, NULL, 0);
}

static void
say_nothing(struct stint_task *task, void *state)
{
    (void)task;
    (void)state;
}

bool stint_plugin(struct stint_worker *worker);

__attribute__((visibility("default"))) bool
stint_plugin(struct stint_worker *worker)
{
    const struct stint_handler handlers[] = {
        {.kind = "turn", .run = turn_round, .make = make, .destroy = destroy},
        {.kind = "snooze", .run = snooze_once},
        {.kind = "silent", .run = say_nothing},
        {.kind = "slow", .run = wait_for_a_file},
    };
    if (getenv("PLUGIN_IS_EMPTY"))
        return true;
    for (size_t i = 0; i < sizeof handlers / sizeof *handlers; i++)
        if (stint_worker_handle(worker, &handlers[i]) != STINT_OK)
            return false;
    return true;
}
