/* A plugin whose runs leave a history: a line when a run begins and one when it ends, appended to
 * the file that CHAOS_RUNS names, each in one write. The result is the payload; with CHAOS_TELL the
 * attempt and the worker stand behind it, so that it tells whose outcome counts. A run takes
 * CHAOS_PAUSE_MS, or what stands behind the last `@` of its payload.
 *
 *     b JOB ATTEMPT WORKER NANOSECONDS
 *     e JOB ATTEMPT WORKER NANOSECONDS
 *
 * WORKER is what CHAOS_WORKER says, as process ids come again.
 */
#include "stint_worker.h"

#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static int runs = -1;
static int pause_ms;
static const char *worker_name;
static bool tells;

static bool
note(char what, const struct stint_task_info *job)
{
    char line[160], id[STINT_ID_TEXT_BYTES];
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    int n = snprintf(line, sizeof line, "%c %s %u %s %lld\n", what, stint_id_format(&job->id, id),
        job->attempt, worker_name, (long long)t.tv_sec * 1000000000 + t.tv_nsec);
    return write(runs, line, (size_t)n) == n;
}

static int
pause_of(const struct stint_task_info *job)
{
    char digits[16] = "";
    const char *payload = job->payload, *end = payload + job->payload_bytes;
    const char *at = job->payload_bytes ? memrchr(payload, '@', job->payload_bytes) : NULL;
    if (!at)
        return pause_ms;
    (void)snprintf(digits, sizeof digits, "%.*s", (int)(end - at - 1), at + 1);
    return atoi(digits);
}

static void
succeed(struct stint_task *task, const struct stint_task_info *job)
{
    char text[256];
    if (!tells) {
        stint_task_succeed(task, job->payload, job->payload_bytes);
        return;
    }
    (void)snprintf(text, sizeof text, "%.*s %u %s", (int)job->payload_bytes,
        (const char *)job->payload, job->attempt, worker_name);
    stint_task_succeed(task, text, strlen(text));
}

static void
run(struct stint_task *task, void *state)
{
    const struct stint_task_info *job = stint_task_info(task);
    struct pollfd cancelled = {.fd = stint_task_cancel_fd(task), .events = POLLIN};
    (void)state;
    if (!note('b', job)) {
        stint_task_fail(task, "the history can't be written");
        return;
    }
    int wait_ms = pause_of(job);
    if (wait_ms > 0 && poll(&cancelled, 1, wait_ms) > 0) {
        stint_task_fail(task, "cancelled");
        return;
    }
    (void)note('e', job);
    succeed(task, job);
}

bool stint_plugin(struct stint_worker *worker);

__attribute__((visibility("default"))) bool
stint_plugin(struct stint_worker *worker)
{
    const struct stint_handler handler = {.kind = "work", .run = run};
    const char *path = getenv("CHAOS_RUNS"), *pause = getenv("CHAOS_PAUSE_MS");
    runs = path ? open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600) : -1;
    pause_ms = pause ? atoi(pause) : 0;
    worker_name = getenv("CHAOS_WORKER");
    tells = getenv("CHAOS_TELL") != NULL;
    return runs >= 0 && worker_name && stint_worker_handle(worker, &handler) == STINT_OK;
}
