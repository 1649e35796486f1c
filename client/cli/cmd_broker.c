/* stint queues, workers and ping: how the broker is. */
#include "console.h"
#include "out.h"

#include <stdio.h>

static struct poptOption no_options[] = {POPT_TABLEEND};

static const struct out_column queue_columns[] = {{"QUEUE", "name", OUT_LEFT, 0},
    {"READY", "ready", OUT_RIGHT, 0}, {"SCHEDULED", "scheduled", OUT_RIGHT, 60},
    {"RUNNING", "running", OUT_RIGHT, 0}, {"SUCCEEDED", "succeeded", OUT_RIGHT, 70},
    {"DEAD", "dead", OUT_RIGHT, 0}, {"CANCELLED", "cancelled", OUT_RIGHT, 80},
    {"EXPIRED", "expired", OUT_RIGHT, 100}, {"BLOCKED", "blocked", OUT_RIGHT, 110},
    {"OLDEST", "age:oldest_ready_ms", OUT_RIGHT, 90}, {"WORKERS", "workers", OUT_RIGHT, 0},
    {"STATE", "state", OUT_LEFT, 50}, {"UNSERVED", "unserved", OUT_LONG, 50}};

static const struct out_column worker_columns[] = {{"WORKER", "name", OUT_LEFT, 0},
    {"SLOTS", "slots", OUT_RIGHT, 0}, {"HELD", "held", OUT_RIGHT, 0},
    {"STATE", "state", OUT_LEFT, 0}, {"LABELS", "labels", OUT_LONG, 70},
    {"HAS", "has", OUT_LONG, 120}, {"TAKEN", "taken", OUT_LONG, 120},
    {"LOAD %", "load_percent", OUT_RIGHT, 100}, {"WINDOW", "window", OUT_RIGHT, 90},
    {"SUCCEEDED", "succeeded", OUT_RIGHT, 60}, {"FAILED", "failed", OUT_RIGHT, 60},
    {"SEEN MS AGO", "seen_ms_ago", OUT_RIGHT, 80}, {"SOFTWARE", "software", OUT_LEFT, 110},
    {"QUEUES", "queues", OUT_LONG, 0}, {"KINDS", "kinds", OUT_LONG, 0}};

struct showing {
    const struct cli *cli;
    struct out_table *table;
    uint64_t count;
};

static bool
show(struct showing *s, json_t *object)
{
    s->count++;
    if (s->cli->json)
        return out_line(object);
    out_table_add(s->table, object);
    return !console_failed();
}

static bool
each_queue(void *context, const struct stint_queue_info *info)
{
    return show(context, out_queue(info));
}

static bool
each_worker(void *context, const struct stint_worker_info *info)
{
    return show(context, out_worker(info));
}

static int
run_queues(struct cli *cli, const char **args)
{
    struct showing s = {.cli = cli};
    (void)args;
    int rc = cli_connect(cli, NULL, 0);
    if (rc != EX_OK)
        return rc;
    s.table = out_table_new(queue_columns, sizeof queue_columns / sizeof *queue_columns);
    enum stint_status status = stint_queues(cli->client, each_queue, &s, cli->timeout_ms);
    (void)out_table_show(&s.table);
    if (status != STINT_OK)
        return cli_failed(cli, status);
    if (s.count == 0)
        cli_say(cli, "there is no queue yet; the first job submitted makes one");
    return EX_OK;
}

static int
run_workers(struct cli *cli, const char **args)
{
    struct showing s = {.cli = cli};
    (void)args;
    int rc = cli_connect(cli, NULL, 0);
    if (rc != EX_OK)
        return rc;
    s.table = out_table_new(worker_columns, sizeof worker_columns / sizeof *worker_columns);
    enum stint_status status = stint_workers(cli->client, each_worker, &s, cli->timeout_ms);
    (void)out_table_show(&s.table);
    if (status != STINT_OK)
        return cli_failed(cli, status);
    if (s.count == 0)
        cli_say(cli, "no worker is connected");
    return EX_OK;
}

static int
run_ping(struct cli *cli, const char **args)
{
    uint64_t us;
    (void)args;
    int rc = cli_connect(cli, NULL, 0);
    if (rc != EX_OK)
        return rc;
    enum stint_status status = stint_ping(cli->client, &us, cli->timeout_ms);
    if (status != STINT_OK)
        return cli_failed(cli, status);
    if (cli->json)
        return out_line(json_pack("{ss sI}", "schema", "stint.ping/1", "us", (json_int_t)us))
            ? EX_OK
            : EX_IOERR;
    fprintf(console_out(), "the broker answered in %.2f ms\n", (double)us / 1000);
    return EX_OK;
}

const struct verb verb_queues = {"queues", "[OPTION...]",
    "list queues and how many jobs stand in each state", no_options, run_queues,
    VERB_TAKES_NOTHING};
const struct verb verb_workers = {"workers", "[OPTION...]", "list the workers of the fleet",
    no_options, run_workers, VERB_TAKES_NOTHING};
const struct verb verb_ping = {"ping", "[OPTION...]", "ask the broker for a sign of life",
    no_options, run_ping, VERB_TAKES_NOTHING};
