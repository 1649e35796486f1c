/* stint stats: figures of the broker and of its queues. */
#include "console.h"
#include "metrics.h"
#include "out.h"

#include <stdio.h>
#include <string.h>

static char *queues, *format;
static int by_kind, by_priority;

static struct poptOption options[] = {
    {"queue", 'q', POPT_ARG_STRING, &queues, 0,
        "only of this queue, or of those whose names begin so: 'mail.*'", "NAME|PREFIX*"},
    {"kinds", 0, POPT_ARG_NONE, &by_kind, 0, "how long jobs of each kind wait and run", NULL},
    {"priorities", 0, POPT_ARG_NONE, &by_priority, 0, "how many jobs stand at each priority", NULL},
    {"format", 0, POPT_ARG_STRING, &format, 0, "openmetrics: as Prometheus and others read it",
        "FORMAT"},
    POPT_TABLEEND};

static const struct out_column columns[] = {{"QUEUE", "queue", OUT_LEFT, 0},
    {"READY", "ready", OUT_RIGHT, 0}, {"RUNNING", "running", OUT_RIGHT, 60},
    {"DEAD", "dead", OUT_RIGHT, 70}, {"OLDEST", "age:oldest_ready_ms", OUT_RIGHT, 50},
    {"IN/S", "in_1m", OUT_RIGHT, 0}, {"DONE/S", "done_1m", OUT_RIGHT, 0},
    {"5M", "done_5m", OUT_RIGHT, 80}, {"15M", "done_15m", OUT_RIGHT, 80},
    {"FAILED/S", "failed_1m", OUT_RIGHT, 70}, {"WAIT P50", "wait_p50", OUT_RIGHT, 100},
    {"P99", "wait_p99", OUT_RIGHT, 90}, {"RUN P50", "run_p50", OUT_RIGHT, 100},
    {"P99", "run_p99", OUT_RIGHT, 90}};

static const struct out_column kind_columns[] = {{"QUEUE", "queue", OUT_LEFT, 0},
    {"KIND", "kind", OUT_LEFT, 0}, {"JOBS", "jobs", OUT_RIGHT, 0},
    {"WAIT P50", "wait_p50", OUT_RIGHT, 0}, {"P90", "wait_p90", OUT_RIGHT, 60},
    {"P99", "wait_p99", OUT_RIGHT, 0}, {"MAX", "wait_max", OUT_RIGHT, 70},
    {"RUN P50", "run_p50", OUT_RIGHT, 0}, {"P90", "run_p90", OUT_RIGHT, 60},
    {"P99", "run_p99", OUT_RIGHT, 0}, {"MAX", "run_max", OUT_RIGHT, 70}};

static const struct out_column priority_columns[] = {{"QUEUE", "queue", OUT_LEFT, 0},
    {"PRIORITY", "priority", OUT_RIGHT, 0}, {"READY", "ready", OUT_RIGHT, 0},
    {"SCHEDULED", "scheduled", OUT_RIGHT, 60}, {"RUNNING", "running", OUT_RIGHT, 0},
    {"SUCCEEDED", "succeeded", OUT_RIGHT, 70}, {"DEAD", "dead", OUT_RIGHT, 0},
    {"CANCELLED", "cancelled", OUT_RIGHT, 80}, {"EXPIRED", "expired", OUT_RIGHT, 90},
    {"BLOCKED", "blocked", OUT_RIGHT, 100}};

struct showing {
    const struct cli *cli;
    struct out_table *table;
    struct metrics *metrics;
    struct stint_figures sum; /* of all; its name is empty */
    uint64_t queues;
    bool told; /* the broker's own figures stand before */
};

/* A rate, for people: three digits. */
static void
put_rate(json_t *row, const char *field, uint64_t thousandths)
{
    char text[32];
    double rate = (double)thousandths / 1000;
    (void)snprintf(text, sizeof text, "%.*f", rate < 10 ? 2 : rate < 100 ? 1 : 0, rate);
    json_object_set_new(row, field, json_string(text));
}

/* A time, for people. */
static void
put_time(json_t *row, const char *field, uint64_t ms)
{
    char text[32];
    if (ms < 1000)
        (void)snprintf(text, sizeof text, "%u ms", (unsigned)ms);
    else if (ms < 100000)
        (void)snprintf(text, sizeof text, "%.1f s", (double)ms / 1000);
    else
        (void)snprintf(text, sizeof text, "%llu s", (unsigned long long)ms / 1000);
    json_object_set_new(row, field, json_string(text));
}

static void
put_times(json_t *row, const char *what, const struct stint_times *t)
{
    const struct {
        const char *name;
        uint64_t ms;
    } all[] = {{"p50", t->p50_ms}, {"p90", t->p90_ms}, {"p99", t->p99_ms}, {"max", t->max_ms}};
    char field[32];
    for (size_t i = 0; i < 4 && t->recent > 0; i++) {
        (void)snprintf(field, sizeof field, "%s_%s", what, all[i].name);
        put_time(row, field, all[i].ms);
    }
}

static void
add_row(struct showing *s, const struct stint_figures *f)
{
    json_t *row = out_states(f->jobs);
    json_object_set_new(row, "queue", out_text(f->queue, strlen(f->queue)));
    if (f->oldest_ready_ms)
        json_object_set_new(row, "oldest_ready_ms", json_integer((json_int_t)f->oldest_ready_ms));
    put_rate(row, "in_1m", f->rates[0][STINT_COUNT_SUBMITTED]);
    put_rate(row, "done_1m", f->rates[0][STINT_COUNT_SUCCEEDED]);
    put_rate(row, "done_5m", f->rates[1][STINT_COUNT_SUCCEEDED]);
    put_rate(row, "done_15m", f->rates[2][STINT_COUNT_SUCCEEDED]);
    put_rate(row, "failed_1m", f->rates[0][STINT_COUNT_FAILED]);
    put_times(row, "wait", &f->wait);
    put_times(row, "run", &f->run);
    out_table_add(s->table, row);
}

static void
add_kinds(struct showing *s, const struct stint_figures *f)
{
    for (size_t i = 0; i < f->kinds_count; i++) {
        const struct stint_kind_figures *k = &f->kinds[i];
        json_t *row = json_pack("{so so sI}", "queue", out_text(f->queue, strlen(f->queue)), "kind",
            out_text(k->kind[0] ? k->kind : "(others)", strlen(k->kind[0] ? k->kind : "(others)")),
            "jobs", (json_int_t)k->run.count);
        put_times(row, "wait", &k->wait);
        put_times(row, "run", &k->run);
        out_table_add(s->table, row);
    }
}

static void
add_priorities(struct showing *s, const struct stint_figures *f)
{
    for (size_t i = 0; i < f->priorities_count; i++) {
        json_t *row = out_states(f->priorities[i].jobs);
        json_object_set_new(row, "queue", out_text(f->queue, strlen(f->queue)));
        json_object_set_new(row, "priority", json_integer(f->priorities[i].priority));
        out_table_add(s->table, row);
    }
}

/* Percentiles of several queues have no sum. */
static void
add_up(struct stint_figures *sum, const struct stint_figures *f)
{
    for (unsigned i = 0; i < STINT_COUNTS; i++) {
        sum->totals[i] += f->totals[i];
        for (unsigned r = 0; r < STINT_RATES; r++)
            sum->rates[r][i] += f->rates[r][i];
    }
    for (unsigned i = 0; i < STINT_STATES; i++)
        sum->jobs[i] += f->jobs[i];
    if (f->oldest_ready_ms > sum->oldest_ready_ms)
        sum->oldest_ready_ms = f->oldest_ready_ms;
}

static bool
each(void *context, const struct stint_figures *f)
{
    struct showing *s = context;
    s->queues++;
    if (s->metrics)
        metrics_add_queue(s->metrics, f);
    else if (s->cli->json)
        return out_line(out_figures(f));
    else if (by_kind)
        add_kinds(s, f);
    else if (by_priority)
        add_priorities(s, f);
    else
        add_row(s, f);
    add_up(&s->sum, f);
    return !console_failed();
}

static struct out_table *
make_table(void)
{
    if (by_kind)
        return out_table_new(kind_columns, sizeof kind_columns / sizeof *kind_columns);
    if (by_priority)
        return out_table_new(priority_columns, sizeof priority_columns / sizeof *priority_columns);
    return out_table_new(columns, sizeof columns / sizeof *columns);
}

static enum stint_status
show_queues(struct cli *cli, struct showing *s)
{
    uint32_t parts = (by_priority && !by_kind ? 0 : STINT_FIGURES_KINDS) |
        (by_priority || cli->json ? STINT_FIGURES_PRIORITIES : 0);
    enum stint_status status =
        stint_list_figures(cli->client, queues, parts, each, s, cli->timeout_ms);
    if (!s->table)
        return status;
    if (s->queues > 1 && !by_kind && !by_priority) {
        (void)snprintf(
            s->sum.queue, sizeof s->sum.queue, "(all %llu)", (unsigned long long)s->queues);
        add_row(s, &s->sum);
    }
    if (s->told && s->queues > 0)
        fputc('\n', console_out());
    (void)out_table_show(&s->table);
    return status;
}

static int
run_stats(struct cli *cli, const char **args)
{
    struct stint_stats stats;
    struct showing s = {.cli = cli};
    (void)args;
    if (format && strcmp(format, "openmetrics") != 0)
        return cli_usage(cli, "--format %s: it is openmetrics, or not given", format);
    if (format && cli->json)
        return cli_usage(cli, "--json and --format are two formats: choose one");
    if (by_kind && by_priority && !cli->json && !format)
        return cli_usage(cli, "--kinds and --priorities are two tables: choose one, or --json");
    int rc = cli_connect(cli, NULL, 0);
    if (rc != EX_OK)
        return rc;
    enum stint_status status = stint_get_stats(cli->client, &stats, cli->timeout_ms);
    bool whole = status == STINT_OK; /* not to a key for some queues: it is told of those */
    bool plain = !queues && !by_kind && !by_priority;
    if (!whole && status != STINT_DENIED)
        return cli_failed(cli, status);
    if (cli->json && whole && plain) /* one object: queues are asked for by name, or by '*' */
        return out_line(out_stats(&stats)) ? EX_OK : EX_IOERR;
    if (format)
        s.metrics = metrics_new();
    else if (!cli->json && whole && plain)
        out_fields(out_stats(&stats));
    s.told = whole && plain;
    if (!s.metrics && !cli->json)
        s.table = make_table();
    status = show_queues(cli, &s);
    if (s.metrics)
        metrics_write(&s.metrics, whole && !queues ? &stats : NULL);
    if (status == STINT_UNSUPPORTED && plain && whole && !format)
        return EX_OK; /* a broker of before this release: what it has was told */
    if (status != STINT_OK)
        return cli_failed(cli, status);
    if (queues && !strchr(queues, '*') && s.queues == 0) {
        cli_say(cli, "%s: %s", queues, stint_status_text(STINT_NO_SUCH_QUEUE));
        return cli_exit(STINT_NO_SUCH_QUEUE);
    }
    return EX_OK;
}

const struct verb verb_stats = {"stats", "[OPTION...]",
    "tell the figures of the broker and its queues", options, run_stats, VERB_TAKES_NOTHING};
