/* stint batch: make, fill, close, cancel, show and wait for batches, and say which jobs they make.
 */
#include "console.h"
#include "jobs.h"
#include "out.h"
#include "payload.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char *title;
static int quiet;

static struct poptOption options[] = {
    {"title", 0, POPT_ARG_STRING, &title, 0, "new: what people are to call it", "TEXT"},
    {"quiet", 'Q', POPT_ARG_NONE, &quiet, 0, "wait: print nothing", NULL},
    {NULL, '\0', POPT_ARG_INCLUDE_TABLE, job_option_table, 0,
        "The job of success and always; of new --queue and --keep, of ls --queue, of wait "
        "--timeout:",
        NULL},
    {NULL, '\0', POPT_ARG_INCLUDE_TABLE, due_option_table, 0, "When that job is due:", NULL},
    {NULL, '\0', POPT_ARG_INCLUDE_TABLE, expires_option_table, 0, "Until when it may begin:", NULL},
    {NULL, '\0', POPT_ARG_INCLUDE_TABLE, payload_option_table, 0, "Its payload:", NULL},
    POPT_TABLEEND};

/* ---- how it looks ---- */

static void
put_id(json_t *o, const char *field, const struct stint_id *id)
{
    static const struct stint_id none;
    char text[STINT_ID_TEXT_BYTES];
    if (memcmp(id, &none, sizeof none) != 0)
        json_object_set_new(o, field, json_string(stint_id_format(id, text)));
}

static uint64_t
left_of(const struct stint_batch_counts *c)
{
    return c->jobs - c->succeeded - c->dead - c->cancelled - c->expired;
}

json_t *
out_batch(const struct stint_batch_info *i)
{
    const struct stint_batch_counts *c = &i->counts;
    char text[STINT_BATCH_TEXT_BYTES];
    json_t *o = json_pack("{ss ss ss so ss sb}", "schema", "stint.batch/1", "batch",
        stint_batch_format(i->batch, text), "state", stint_batch_state_name(i->state), "title",
        out_text(i->title, strlen(i->title)), "queue", i->queue, "cancelled", i->cancelled);
    const struct {
        const char *name;
        uint64_t number;
    } numbers[] = {{"jobs", c->jobs}, {"left", left_of(c)}, {"succeeded", c->succeeded},
        {"dead", c->dead}, {"cancelled_jobs", c->cancelled}, {"expired", c->expired},
        {"keep_ms", i->keep_ms}};
    for (size_t n = 0; n < sizeof numbers / sizeof *numbers; n++)
        json_object_set_new(o, numbers[n].name, json_integer((json_int_t)numbers[n].number));
    json_object_set_new(o, "makes_success", json_boolean(i->has_success));
    json_object_set_new(o, "makes_always", json_boolean(i->has_always));
    out_put_time(o, "began", i->began_ms);
    out_put_time(o, "settled", i->settled_ms);
    put_id(o, "success_id", &i->success_id);
    put_id(o, "always_id", &i->always_id);
    if (i->trouble != STINT_OK)
        json_object_set_new(o, "trouble", json_string(stint_status_name(i->trouble)));
    return o;
}

/* ---- one ---- */

static int
tell(struct cli *cli, const struct stint_batch_info *info, const char *done)
{
    char text[STINT_BATCH_TEXT_BYTES];
    if (cli->json)
        return out_line(out_batch(info)) ? EX_OK : EX_IOERR;
    cli_say(cli, "the batch %s %s: %llu jobs, %llu have not ended",
        stint_batch_format(info->batch, text), done, (unsigned long long)info->counts.jobs,
        (unsigned long long)left_of(&info->counts));
    return EX_OK;
}

static int
make(struct cli *cli, const char *arg)
{
    struct stint_batch b = STINT_BATCH_INIT;
    struct stint_batch_info info;
    struct stint_job job;
    char text[STINT_BATCH_TEXT_BYTES];
    if (arg)
        return cli_usage(cli, "%s: new takes no argument; --title TEXT names it", arg);
    int rc = jobs_fill(cli, &job); /* --queue and --keep */
    if (rc == EX_OK)
        rc = cli_connect(cli, NULL, 0);
    if (rc != EX_OK)
        return rc;
    b.title = title;
    b.queue = job.queue;
    b.keep_ms = job.keep_ms;
    enum stint_status status = stint_batch_new(cli->client, &b, NULL, &info, cli->timeout_ms);
    if (status != STINT_OK)
        return cli_failed(cli, status);
    if (cli->json)
        return out_line(out_batch(&info)) ? EX_OK : EX_IOERR;
    fprintf(console_out(), "%s\n", stint_batch_format(info.batch, text));
    return EX_OK;
}

/* The job that it makes for success, or always. */
static int
set_job(struct cli *cli, uint64_t batch, bool success, const char **args)
{
    struct stint_batch b = STINT_BATCH_INIT;
    struct stint_batch_info info;
    struct stint_job job;
    char *bytes = NULL;
    int rc = jobs_fill(cli, &job);
    if (rc == EX_OK)
        rc = payload_take(cli, args, &job, &bytes);
    if (rc == EX_OK)
        rc = cli_connect(cli, NULL, 0);
    if (rc == EX_OK) {
        b.success = success ? &job : NULL;
        b.always = success ? NULL : &job;
        enum stint_status status =
            stint_batch_change(cli->client, batch, &b, &info, cli->timeout_ms);
        rc = status == STINT_OK ? EX_OK : cli_failed(cli, status);
    }
    free(bytes);
    if (rc != EX_OK)
        return rc;
    return tell(cli, &info,
        success ? "makes this job when all of its jobs have succeeded"
                : "makes this job when all of its jobs have ended");
}

static int
show(struct cli *cli, uint64_t batch)
{
    struct stint_batch_info info;
    enum stint_status status = stint_batch_get(cli->client, batch, &info, cli->timeout_ms);
    if (status != STINT_OK)
        return cli_failed(cli, status);
    if (cli->json)
        return out_line(out_batch(&info)) ? EX_OK : EX_IOERR;
    out_fields(out_batch(&info));
    return EX_OK;
}

static int
close_it(struct cli *cli, uint64_t batch)
{
    struct stint_batch_info info;
    enum stint_status status = stint_batch_close(cli->client, batch, &info, cli->timeout_ms);
    return status == STINT_OK ? tell(cli, &info, "is closed") : cli_failed(cli, status);
}

/* What is left of it, at most a whole --broker-timeout, so that a broker that is silent is noticed;
 * UINT32_MAX: for ever. */
static uint32_t
slice_of(const struct cli *cli, uint64_t end_ms)
{
    uint64_t left_ms = UINT32_MAX, now_ms = clock_ms();
    if (end_ms)
        left_ms = end_ms > now_ms ? end_ms - now_ms : 1;
    if (cli->bounded && cli->timeout_ms < left_ms)
        left_ms = cli->timeout_ms;
    return left_ms < UINT32_MAX ? (uint32_t)left_ms : UINT32_MAX;
}

/* Until it is settled, or `end_ms`, if that is not 0. */
static int
wait_for(struct cli *cli, uint64_t batch, uint64_t end_ms, struct stint_batch_info *info)
{
    enum stint_status status = stint_connect(cli->client, cli->timeout_ms);
    while (status == STINT_OK) {
        uint32_t ms = slice_of(cli, end_ms);
        status = stint_batch_wait(cli->client, batch, info, ms == UINT32_MAX ? 0 : ms);
        if (status == STINT_OK)
            return EX_OK;
        if (status != STINT_TIMEOUT)
            break;
        if (end_ms && clock_ms() >= end_ms) {
            cli_say(cli, "the batch is not settled after %s", job_options.timeout);
            return EXIT_TIME_OVER;
        }
        status = stint_ping(cli->client, NULL, cli->timeout_ms);
    }
    return cli_failed(cli, status);
}

static int
wait(struct cli *cli, uint64_t batch)
{
    struct stint_batch_info info;
    uint64_t end_ms = 0;
    if (job_options.timeout && !cli_duration(cli, "timeout", job_options.timeout, &end_ms))
        return EX_USAGE;
    if (job_options.timeout)
        end_ms += clock_ms() + 1;
    int rc = wait_for(cli, batch, end_ms, &info);
    if (rc != EX_OK)
        return rc;
    const struct stint_batch_counts *c = &info.counts;
    if (!quiet && cli->json)
        rc = out_line(out_batch(&info)) ? EX_OK : EX_IOERR;
    else if (!quiet)
        fprintf(console_out(),
            "%llu jobs: %llu succeeded, %llu dead, %llu cancelled, %llu expired\n",
            (unsigned long long)c->jobs, (unsigned long long)c->succeeded,
            (unsigned long long)c->dead, (unsigned long long)c->cancelled,
            (unsigned long long)c->expired);
    if (rc != EX_OK)
        return rc;
    return c->succeeded == c->jobs && !info.cancelled ? EX_OK : EXIT_JOB_FAILED;
}

static int
cancel(struct cli *cli, uint64_t batch)
{
    struct stint_batch_info info;
    enum stint_status status = stint_batch_cancel(cli->client, batch, &info, cli->timeout_ms);
    if (status != STINT_OK)
        return cli_failed(cli, status);
    if (info.state != STINT_BATCH_SETTLED) { /* very many take the broker a while */
        struct stint_batch_info now;
        status = stint_batch_get(cli->client, batch, &now, cli->timeout_ms);
        if (status == STINT_DENIED)
            return tell(cli, &info, "is being cancelled, and this key may not see how far that is");
        int rc = wait_for(cli, batch, 0, &info);
        if (rc != EX_OK)
            return rc;
    }
    return tell(cli, &info, "is cancelled");
}

/* ---- all ---- */

struct listing {
    struct cli *cli;
    struct out_table *table;
};

static bool
each(void *context, const struct stint_batch_info *info)
{
    const struct listing *l = context;
    if (job_options.queue && strcmp(job_options.queue, info->queue) != 0)
        return true;
    if (l->cli->json)
        return out_line(out_batch(info));
    out_table_add(l->table, out_batch(info));
    return true;
}

static int
list(struct cli *cli)
{
    static const struct out_column columns[] = {{"BATCH", "batch", OUT_LEFT, 0},
        {"STATE", "state", OUT_LEFT, 0}, {"JOBS", "jobs", OUT_RIGHT, 0},
        {"LEFT", "left", OUT_RIGHT, 0}, {"SUCCEEDED", "succeeded", OUT_RIGHT, 60},
        {"DEAD", "dead", OUT_RIGHT, 60}, {"CANCELLED", "cancelled_jobs", OUT_RIGHT, 70},
        {"EXPIRED", "expired", OUT_RIGHT, 80}, {"AGE", "ago:began", OUT_RIGHT, 50},
        {"TITLE", "title", OUT_LONG, 0}};
    struct listing l = {.cli = cli};
    int rc = cli_connect(cli, NULL, 0);
    if (rc != EX_OK)
        return rc;
    l.table = out_table_new(columns, sizeof columns / sizeof *columns);
    enum stint_status status = stint_batches(cli->client, each, &l, cli->timeout_ms);
    bool any = out_table_show(&l.table);
    if (status != STINT_OK)
        return cli_failed(cli, status);
    if (!any && !cli->json)
        cli_say(cli, "there are no batches%s%s", job_options.queue ? " of queue " : "",
            job_options.queue ? job_options.queue : "");
    return console_failed() ? EX_IOERR : EX_OK;
}

/* ---- which of them ---- */

static const struct act {
    const char *word;
    int (*run)(struct cli *cli, uint64_t batch);
} acts[] = {{"show", show}, {"close", close_it}, {"wait", wait}, {"cancel", cancel}};

static int
about_one(struct cli *cli, const struct act *act, const char *text, const char *rest)
{
    uint64_t batch;
    if (!text || rest)
        return cli_usage(cli, "which batch? give its id, as stint batch new prints it");
    if (stint_batch_parse(text, &batch) != STINT_OK)
        return cli_usage(cli, "%s is no id of a batch: %s", text, jobs_batch_trouble(text));
    int rc = cli_connect(cli, NULL, 0);
    return rc == EX_OK ? act->run(cli, batch) : rc;
}

static const struct cli_takes takes[] = {{"new", {"title", "queue", "keep"}}, {"ls", {"queue"}},
    {"wait", {"timeout", "quiet"}}, {"show", {NULL}}, {"close", {NULL}}, {"cancel", {NULL}},
    {NULL}};

static int
run(struct cli *cli, const char **args)
{
    const char *what = args ? args[0] : NULL;
    uint64_t batch;
    if (!what)
        return cli_usage(
            cli, "what about batches? new, success, always, close, show, ls, wait or cancel");
    int rc = title && strcmp(what, "new") != 0 ? cli_usage(cli, "--title is for stint batch new")
                                               : cli_check_takes(cli, options, takes, what);
    if (rc != EX_OK)
        return rc;
    if (strcmp(what, "new") == 0)
        return make(cli, args[1]);
    if (strcmp(what, "ls") == 0)
        return args[1] ? cli_usage(cli, "%s: ls takes no argument", args[1]) : list(cli);
    for (size_t i = 0; i < sizeof acts / sizeof *acts; i++)
        if (strcmp(what, acts[i].word) == 0)
            return about_one(cli, &acts[i], args[1], args[1] ? args[2] : NULL);
    if (strcmp(what, "success") != 0 && strcmp(what, "always") != 0)
        return cli_usage(
            cli, "%s: write new, success, always, close, show, ls, wait or cancel", what);
    if (quiet)
        return cli_usage(cli, "--quiet has no effect with %s", what);
    if (!args[1] || stint_batch_parse(args[1], &batch) != STINT_OK)
        return cli_usage(cli, "which batch? give its id, as stint batch new prints it");
    return set_job(cli, batch, strcmp(what, "success") == 0, args + 2);
}

const struct verb verb_batch = {"batch",
    "[OPTION...] new|success ID [PAYLOAD]|always ID [PAYLOAD]|close|show|wait|cancel ID|ls",
    "jobs under one id: count, wait for or cancel them, and run jobs when they are over", options,
    run, VERB_TAKES_ARGUMENTS};
