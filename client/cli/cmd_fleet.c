/* stint fleet: workers on several hosts, from one place, how many jobs they run together, and a
 * command that grows and shrinks it. */
#include "console.h"
#include "launch.h"
#include "out.h"
#include "scale.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    UP_MS = 20000,
    DOWN_MS = 60000,
    AT_ONCE = 32,
    EVERY_MS = 30000,
    EVERY_LEAST_MS = 100,
    TIMEOUT_MS = 60000
};

static char *ssh, *wait_text, *at_once_text, *every_text, *timeout_text, **queues;
static int now, once;

static struct poptOption fleet_options[] = {
    {"ssh", 0, POPT_ARG_STRING, &ssh, 0, "how to reach hosts (STINT_SSH, or else ssh)", "COMMAND"},
    {"wait", 0, POPT_ARG_STRING, &wait_text, 0,
        "up: until a worker is connected (20s); down: until its jobs have ended (60s)", "TIME"},
    {"now", 0, POPT_ARG_NONE, &now, 0, "down: end what runs, and give it back to the queue", NULL},
    {"at-once", 0, POPT_ARG_STRING, &at_once_text, 0, "hosts at a time (32)", "N"},
    {"every", 0, POPT_ARG_STRING, &every_text, 0, "scale: run the command so often (30s)", "TIME"},
    {"queue", 'q', POPT_ARG_ARGV, &queues, 0, "scale: only of this queue; repeatable", "NAME"},
    {"timeout", 0, POPT_ARG_STRING, &timeout_text, 0,
        "scale: the command is ended if it takes longer (60s)", "TIME"},
    {"once", 0, POPT_ARG_NONE, &once, 0, "scale: run it once, and end with its exit status", NULL},
    POPT_TABLEEND};

/* What the broker knows of a worker. */
struct known {
    char name[STINT_LABEL_BYTES];
    uint32_t slots, held;
    struct known *next;
};

struct fleet {
    struct cli *cli;
    struct known *known;
    bool asked; /* the broker */
};

static bool
each_worker(void *context, const struct stint_worker_info *info)
{
    struct fleet *f = context;
    struct known *k = cli_allocate(sizeof *k);
    (void)snprintf(k->name, sizeof k->name, "%s", info->name);
    k->slots = info->slots;
    k->held = info->held;
    k->next = f->known;
    f->known = k;
    return true;
}

/* Whoever asks for the status wants to know of hosts also when the broker is away. */
static void
ask_broker(struct fleet *f)
{
    f->asked = cli_connect(f->cli, NULL, 0) == EX_OK &&
        stint_workers(f->cli->client, each_worker, f, f->cli->timeout_ms) == STINT_OK;
    if (!f->asked)
        cli_say(f->cli, "the broker does not answer; told is what the hosts say");
}

static const struct known *
find(const struct fleet *f, const char *name)
{
    const struct known *k = f->known;
    while (k && strcmp(k->name, name) != 0)
        k = k->next;
    return k;
}

static void
show_json(const struct fleet *f, const struct launch_report *r)
{
    json_t *object =
        json_pack("{ss ss ss so sI so}", "schema", "stint.host/1", "host", r->host->name, "state",
            r->state, "address", out_text(r->host->address, strlen(r->host->address)), "pid",
            (json_int_t)r->pid, "detail", out_text(r->detail, strlen(r->detail)));
    const struct known *k = find(f, r->host->name);
    if (f->asked) {
        (void)json_object_set_new(object, "connected", json_boolean(k != NULL));
        if (k) {
            (void)json_object_set_new(object, "slots", json_integer(k->slots));
            (void)json_object_set_new(object, "held", json_integer(k->held));
        }
    }
    (void)out_line(object);
}

static void
show(void *context, const struct launch_report *r)
{
    const struct fleet *f = context;
    const struct known *k = find(f, r->host->name);
    if (f->cli->json) {
        show_json(f, r);
        return;
    }
    FILE *out = console_out();
    (void)fprintf(out, "%-20s %-11s", r->host->name, r->state);
    if (r->pid)
        (void)fprintf(out, " pid %ld", r->pid);
    if (f->asked && k)
        (void)fprintf(out, ", %u slots, %u jobs held", k->slots, k->held);
    else if (f->asked && strcmp(r->state, "running") == 0)
        (void)fputs(", not connected", out);
    (void)fputs(*r->detail ? r->pid ? ", " : " " : "", out);
    console_text(r->detail);
    (void)putc('\n', out);
    (void)fflush(out);
}

static int
read_options(struct cli *cli, struct launch_options *options)
{
    uint64_t at_once = AT_ONCE;
    options->ssh = ssh;
    options->now = now;
    options->wait_ms = options->verb == LAUNCH_UP ? UP_MS : DOWN_MS;
    if (now && options->verb != LAUNCH_DOWN)
        return cli_usage(cli, "--now is for stint fleet down");
    if (wait_text && options->verb == LAUNCH_STATUS)
        return cli_usage(cli, "--wait has no effect on stint fleet status");
    if ((wait_text && !cli_duration(cli, "wait", wait_text, &options->wait_ms)) ||
        (at_once_text && !cli_number(cli, "at-once", at_once_text, 1, 1000, &at_once)))
        return EX_USAGE;
    options->at_once = (unsigned)at_once;
    return EX_OK;
}

/* The workers connect to where the command does, unless the file says otherwise. */
static int
name_broker(struct cli *cli, struct hosts *hosts)
{
    const char *endpoint = cli->endpoint ? cli->endpoint : getenv("STINT_ENDPOINT");
    for (size_t i = 0; i < hosts->count; i++)
        if (!host_has(&hosts->all[i], "endpoint") && !host_has(&hosts->all[i], "config")) {
            if (!endpoint || !*endpoint)
                return cli_usage(cli,
                    "where is the broker? say endpoint= in the file, or --endpoint, as hosts "
                    "reach it");
            host_add(&hosts->all[i], "endpoint", endpoint);
        }
    return EX_OK;
}

static int
run_launch(struct cli *cli, struct launch_options *options, const char *path)
{
    struct hosts hosts;
    struct fleet fleet = {.cli = cli};
    int rc = read_options(cli, options);
    if (rc != EX_OK || (rc = hosts_read(cli, path, &hosts)) != EX_OK)
        return rc;
    if (options->verb == LAUNCH_UP)
        rc = name_broker(cli, &hosts);
    else if (options->verb == LAUNCH_STATUS)
        ask_broker(&fleet);
    if (rc == EX_OK)
        rc = launch(cli, &hosts, options, show, &fleet);
    while (fleet.known) {
        struct known *next = fleet.known->next;
        free(fleet.known);
        fleet.known = next;
    }
    hosts_free(&hosts);
    return rc;
}

/* ---- its size ---- */

static int
show_size(struct cli *cli, const uint64_t *slots)
{
    struct stint_fleet fleet = {0};
    int rc = cli_connect(cli, NULL, 0);
    if (rc != EX_OK)
        return rc;
    enum stint_status status = slots
        ? stint_set_fleet(cli->client, (uint32_t)*slots, &fleet, cli->timeout_ms)
        : stint_get_fleet(cli->client, &fleet, cli->timeout_ms);
    if (status != STINT_OK)
        return cli_failed(cli, status);
    if (cli->json)
        return out_line(out_fleet(&fleet)) ? EX_OK : EX_IOERR;
    out_fields(out_fleet(&fleet));
    return EX_OK;
}

static bool
has_launching(void)
{
    return ssh || wait_text || now || at_once_text;
}

static bool
has_scaling(void)
{
    return every_text || queues || timeout_text || once;
}

static int
run_size(struct cli *cli, const char **args)
{
    uint64_t slots;
    if (has_launching() || has_scaling())
        return cli_usage(cli, "size takes none of these options");
    if (!args[0])
        return show_size(cli, NULL);
    if (args[1])
        return cli_usage(cli, "what is %s?", args[1]);
    if (!cli_count(cli, "slots", args[0], 0, 1 << 24, &slots))
        return EX_USAGE;
    return show_size(cli, &slots);
}

/* ---- growing and shrinking ---- */

static int
run_scale(struct cli *cli, const char **args)
{
    struct scale_options options = {
        .every_ms = EVERY_MS, .timeout_ms = TIMEOUT_MS, .queues = queues, .once = once != 0};
    if (has_launching())
        return cli_usage(cli, "scale takes --every, --queue, --timeout and --once");
    if (every_text && once)
        return cli_usage(cli, "--every has no effect with --once");
    if ((every_text && !cli_duration(cli, "every", every_text, &options.every_ms)) ||
        (timeout_text && !cli_duration(cli, "timeout", timeout_text, &options.timeout_ms)))
        return EX_USAGE;
    if (options.every_ms < EVERY_LEAST_MS || options.timeout_ms == 0)
        return cli_usage(cli, "--%s: write at least %s", options.timeout_ms ? "every" : "timeout",
            options.timeout_ms ? "100ms" : "1ms");
    if (!args[0])
        return cli_usage(cli, "which command? write it behind --");
    return scale_run(cli, &options, args);
}

static int
run_fleet(struct cli *cli, const char **args)
{
    static const char *const verbs[] = {
        [LAUNCH_UP] = "up", [LAUNCH_DOWN] = "down", [LAUNCH_STATUS] = "status"};
    if (!args || !args[0])
        return cli_usage(
            cli, "what about it? write up, down or status and a file of hosts, size, or scale");
    if (strcmp(args[0], "size") == 0)
        return run_size(cli, args + 1);
    if (strcmp(args[0], "scale") == 0)
        return run_scale(cli, args + 1);
    for (unsigned i = 0; i < sizeof verbs / sizeof *verbs; i++)
        if (strcmp(args[0], verbs[i]) == 0) {
            struct launch_options options = {.verb = (enum launch_verb)i};
            if (has_scaling())
                return cli_usage(cli, "%s takes none of the options of scale", verbs[i]);
            if (!args[1] || args[2])
                return cli_usage(cli, "%s takes one file of hosts", verbs[i]);
            return run_launch(cli, &options, args[1]);
        }
    return cli_usage(cli, "what is %s? write up, down, status, size or scale", args[0]);
}

const struct verb verb_fleet = {"fleet",
    "[OPTION...] up|down|status FILE | size [SLOTS] | scale -- COMMAND [ARGUMENT...]",
    "start, stop and see workers on other hosts; how many jobs at a time they run", fleet_options,
    run_fleet, VERB_TAKES_ARGUMENTS};
