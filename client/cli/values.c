/* Values for shell completion; the contract is in values.h. */
#include "values.h"
#include "cli.h"
#include "console.h"

#include <stdio.h>
#include <string.h>

enum { WAIT_MS = 500, JOBS = 200 };

static bool
each_queue(void *context, const struct stint_queue_info *info)
{
    (void)context;
    return fprintf(console_out(), "%s\n", info->name) > 0;
}

static bool
each_job(void *context, const struct stint_job_info *info)
{
    char text[STINT_ID_TEXT_BYTES];
    const char *what = context;
    bool ids = strcmp(what, "ids") == 0;
    return fprintf(console_out(), "%s\n", ids ? stint_id_format(&info->id, text) : info->kind) > 0;
}

static bool
each_worker(void *context, const struct stint_worker_info *info)
{
    (void)context;
    return fprintf(console_out(), "%s\n", info->name) > 0;
}

static bool
each_schedule(void *context, const struct stint_schedule_info *info)
{
    (void)context;
    return fprintf(console_out(), "%s\n", info->name) > 0;
}

int
values_print(const char *what, const char *endpoint)
{
    struct cli cli = {.verb = "--values", .endpoint = endpoint, .timeout_ms = WAIT_MS};
    char name[16];
    (void)snprintf(name, sizeof name, "%s", what);
    if (strcmp(name, "states") == 0) {
        for (int s = STINT_READY; s < STINT_STATES; s++)
            fprintf(console_out(), "%s\n", stint_state_name((enum stint_state)s));
        return EX_OK;
    }
    if (strcmp(name, "queues") != 0 && strcmp(name, "ids") != 0 && strcmp(name, "kinds") != 0 &&
        strcmp(name, "workers") != 0 && strcmp(name, "schedules") != 0)
        return cli_usage(&cli, "%s: write queues, workers, schedules, kinds, states or ids", what);
    struct stint_filter filter = {.limit = JOBS};
    struct stint_client_options options = {.endpoint = endpoint};
    if (stint_client_new(&options, &cli.client) != STINT_OK)
        return EX_UNAVAILABLE;
    enum stint_status status = *name == 'q' ? stint_queues(cli.client, each_queue, NULL, WAIT_MS)
        : *name == 'w'                      ? stint_workers(cli.client, each_worker, NULL, WAIT_MS)
        : *name == 's' ? stint_schedules(cli.client, NULL, 0, each_schedule, NULL, WAIT_MS)
                       : stint_list(cli.client, &filter, each_job, name, WAIT_MS);
    stint_client_destroy(&cli.client);
    return status == STINT_OK ? EX_OK : cli_exit(status);
}
