/* stint worker: what a worker does, and what it is told to do. */
#include "console.h"
#include "out.h"

#include <stdio.h>
#include <string.h>

static char *label;
static int all;

static struct poptOption worker_options[] = {
    {"label", 0, POPT_ARG_STRING, &label, 0, "all workers that have this label", "NAME"},
    {"all", 0, POPT_ARG_NONE, &all, 0, "all workers", NULL}, POPT_TABLEEND};

typedef enum stint_status control_fn(struct stint_client *client, const struct stint_target *target,
    uint32_t *met, uint32_t timeout_ms);

static const struct action {
    const char *name;
    control_fn *fn; /* NULL: resize */
    const char *done;
} actions[] = {{"resize", NULL, "resized"}, {"pause", stint_pause_workers, "paused"},
    {"resume", stint_resume_workers, "resumed"}, {"drain", stint_drain_workers, "told to drain"},
    {"stop", stint_stop_workers, "told to stop"}};

static const struct out_column running_columns[] = {{"JOB", "id", OUT_LEFT, 0},
    {"QUEUE", "queue", OUT_LEFT, 60}, {"KIND", "kind", OUT_LEFT, 0},
    {"ATTEMPT", "attempt", OUT_RIGHT, 70}, {"STATE", "state", OUT_LEFT, 0},
    {"SINCE MS", "ms_ago", OUT_RIGHT, 0}, {"%", "progress_percent", OUT_RIGHT, 0},
    {"PROGRESS", "progress_text", OUT_LONG, 60}};

/* ---- show ---- */

struct showing {
    const struct cli *cli;
    const char *name;
    struct out_table *table;
    unsigned found;
};

static bool
each_worker(void *context, const struct stint_worker_info *info)
{
    struct showing *s = context;
    if (strcmp(info->name, s->name) != 0)
        return true;
    s->found++;
    if (s->cli->json)
        return out_line(out_worker(info));
    out_fields(out_worker(info));
    return !console_failed();
}

static bool
each_running(void *context, const struct stint_running_info *info)
{
    const struct showing *s = context;
    if (s->cli->json)
        return out_line(out_running(info));
    out_table_add(s->table, out_running(info));
    return !console_failed();
}

static int
say_none(const struct cli *cli, const char *name)
{
    cli_say(cli, "there is no worker %s; stint workers lists them", name);
    return EXIT_NO_SUCH_JOB;
}

static int
show(struct cli *cli, const char *name)
{
    struct showing s = {.cli = cli, .name = name};
    int rc = cli_connect(cli, NULL, 0);
    if (rc != EX_OK)
        return rc;
    enum stint_status status = stint_workers(cli->client, each_worker, &s, cli->timeout_ms);
    if (status == STINT_OK && s.found == 0)
        return say_none(cli, name);
    if (status != STINT_OK)
        return cli_failed(cli, status);
    s.table = out_table_new(running_columns, sizeof running_columns / sizeof *running_columns);
    status = stint_running(cli->client, name, each_running, &s, cli->timeout_ms);
    (void)out_table_show(&s.table);
    return status == STINT_OK ? EX_OK : cli_failed(cli, status);
}

/* ---- the others ---- */

static int
control(
    struct cli *cli, const struct action *action, const struct stint_target *target, uint32_t slots)
{
    uint32_t met = 0;
    const char *whom = target->worker ? target->worker : target->label ? target->label : "all";
    int rc = cli_connect(cli, NULL, 0);
    if (rc != EX_OK)
        return rc;
    enum stint_status status = action->fn
        ? action->fn(cli->client, target, &met, cli->timeout_ms)
        : stint_set_slots(cli->client, target, slots, &met, cli->timeout_ms);
    if (status != STINT_OK)
        return cli_failed(cli, status);
    if (cli->json &&
        !out_line(json_pack("{ss ss ss sI}", "schema", "stint.controlled/1", "action", action->name,
            "target", whom, "workers", (json_int_t)met)))
        return EX_IOERR;
    if (met == 0 && target->worker)
        return say_none(cli, whom);
    if (met == 0)
        cli_say(cli, target->label ? "no worker has the label %s" : "no worker is connected", whom);
    if (met > 0 && !cli->json)
        cli_say(cli, "%u worker%s %s", met, met == 1 ? "" : "s", action->done);
    return EX_OK;
}

/* A number, or "own": as many as it was started with. */
static bool
read_slots(const struct cli *cli, const char *text, uint32_t *slots)
{
    uint64_t number;
    *slots = STINT_OWN_SLOTS;
    if (strcmp(text, "own") == 0)
        return true;
    if (!cli_count(cli, "slots", text, 0, 65536, &number))
        return false;
    *slots = (uint32_t)number;
    return true;
}

static int
read_target(const struct cli *cli, const char ***args, struct stint_target *target)
{
    *target = (struct stint_target){.label = label, .all = all != 0};
    if (label && all)
        return cli_usage(cli, "--label or --all, not both");
    if (label || all)
        return EX_OK;
    if (!**args)
        return cli_usage(cli, "which worker? give its name, or --label, or --all");
    target->worker = *(*args)++;
    return EX_OK;
}

static int
run_action(struct cli *cli, const struct action *action, const char **args)
{
    struct stint_target target;
    uint32_t slots = STINT_OWN_SLOTS;
    int rc = read_target(cli, &args, &target);
    if (rc != EX_OK)
        return rc;
    if (!action->fn && !*args)
        return cli_usage(cli, "how many slots? give a number, or own");
    if (!action->fn && !read_slots(cli, *args++, &slots))
        return EX_USAGE;
    if (*args)
        return cli_usage(cli, "what is %s?", *args);
    return control(cli, action, &target, slots);
}

static int
run_worker(struct cli *cli, const char **args)
{
    if (!args || !args[0])
        return cli_usage(cli, "what about it? show, resize, pause, resume, drain or stop");
    if (strcmp(args[0], "show") == 0) {
        if (label || all || !args[1] || args[2])
            return cli_usage(cli, "which worker? give one name");
        return show(cli, args[1]);
    }
    for (size_t i = 0; i < sizeof actions / sizeof *actions; i++)
        if (strcmp(actions[i].name, args[0]) == 0)
            return run_action(cli, &actions[i], args + 1);
    return cli_usage(cli, "%s: write show, resize, pause, resume, drain or stop", args[0]);
}

const struct verb verb_worker = {"worker",
    "[OPTION...] show|resize|pause|resume|drain|stop [NAME] [SLOTS]",
    "show a worker, or tell workers what to do", worker_options, run_worker, VERB_TAKES_ARGUMENTS};
