/* stint run: one command on some worker; its output, its errors and its exit code. */
#include "console.h"
#include "ending.h"
#include "jobs.h"
#include "local.h"
#include "out.h"
#include "stall.h"
#include "template.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { CANCEL_MS = 5000 };

static char *local_directory;
static int shell, again, detach;

static struct poptOption options[] = {
    {NULL, '\0', POPT_ARG_INCLUDE_TABLE, command_option_table, 0, "The job:", NULL},
    {NULL, '\0', POPT_ARG_INCLUDE_TABLE, due_option_table, 0, "When it is due:", NULL},
    {NULL, '\0', POPT_ARG_INCLUDE_TABLE, expires_option_table, 0, "Until when it may begin:", NULL},
    {NULL, '\0', POPT_ARG_INCLUDE_TABLE, after_option_table, 0, "After which jobs:", NULL},
    {NULL, '\0', POPT_ARG_INCLUDE_TABLE, total_option_table, 0,
        "How long it may take in all:", NULL},
    {NULL, '\0', POPT_ARG_INCLUDE_TABLE, needs_option_table, 0, "What a worker is to have:", NULL},
    {NULL, '\0', POPT_ARG_INCLUDE_TABLE, batch_option_table, 0, "In which batch it is:", NULL},
    {NULL, '\0', POPT_ARG_INCLUDE_TABLE, group_option_table, 0, "What it belongs to:", NULL},
    {NULL, '\0', POPT_ARG_INCLUDE_TABLE, unique_option_table, 0, "That there is only one:", NULL},
    {"shell", 'S', POPT_ARG_NONE, &shell, 0, "the command is a line for /bin/sh", NULL},
    {"retry", 'R', POPT_ARG_NONE, &again, 0, "a failure is tried again, as --attempts 5", NULL},
    {"detach", 0, POPT_ARG_NONE, &detach, 0, "print the job's id and do not wait for it", NULL},
    {"local", 'L', POPT_ARG_STRING, &local_directory, 0,
        "without a broker: start one and a worker for the time, with their data in DIR", "DIR"},
    POPT_TABLEEND};

struct running {
    struct cli *cli;
    struct stint_id id;
    struct stall stall;
    int exit_code;
    bool over, cancelling;
};

static void
settled(void *context, const struct stint_job_info *info)
{
    struct running *r = context;
    const char *lost = out_lost_result(info);
    bool good = info->state == STINT_SUCCEEDED;
    int number;
    if (r->cancelling)
        return;
    console_progress("");
    r->over = true;
    if (info->state == STINT_UNKNOWN) { /* it has held a key for longer than it is kept */
        char id[STINT_ID_TEXT_BYTES];
        bool hidden = out_hidden(info);
        cli_say(r->cli, "%s: %s", stint_id_format(&info->id, id),
            hidden ? "it is submitted, and this key may not see what comes of it"
                   : "it is over, and what came of it was forgotten");
        r->exit_code = hidden ? EX_NOPERM : EXIT_NO_SUCH_JOB;
        if (r->cli->json)
            (void)out_line(out_job(info));
        return;
    }
    r->exit_code = lost ? EX_IOERR : out_exit_code(info);
    if (r->cli->json) {
        (void)out_line(out_job(info));
        return;
    }
    if (lost)
        cli_say(r->cli, "%s", lost);
    else if (info->result)
        (void)out_bytes(info->result, info->result_bytes);
    (void)fflush(console_out());
    const char *said = strchr(info->error, '\n');
    if (good && !lost)
        console_error_bytes(info->error, strlen(info->error));
    if (!good && ending_read(info->error, &number) != ENDING_EXIT)
        cli_say(r->cli, "%s%s%.*s", stint_state_name(info->state), info->error[0] ? ": " : "",
            (int)strcspn(info->error, "\n"), info->error);
    if (!good && said)
        console_error_bytes(said + 1, strlen(said + 1));
}

/* A line of the terminal, until there is something else to show. */
static void
runs(void *context, const struct stint_job_info *info)
{
    struct running *r = context;
    char text[STINT_PROGRESS_BYTES + 16];
    stall_progress(&r->stall);
    out_progress_line(&info->progress, text, sizeof text);
    console_progress(text);
}

static const struct stint_id *
the_job(void *context)
{
    const struct running *r = context;
    return &r->id;
}

static int
wait_for(struct cli *cli, const struct stint_id *id, struct local *local)
{
    struct running r = {.cli = cli, .id = *id};
    char text[STINT_ID_TEXT_BYTES];
    int rc = EX_OK;
    if (console_error_width() > 0 && !cli->json)
        stint_watch_progress(cli->client, runs, &r);
    enum stint_status status = stint_watch(cli->client, id, 1, true, settled, &r);
    stall_begin(&r.stall, cli, NULL, NULL);
    r.stall.waits_for = the_job;
    r.stall.context = &r;
    while (status == STINT_OK && rc == EX_OK && !r.over && !cli_interrupted()) {
        status = stint_client_process(cli->client, 200);
        if (status == STINT_OK && !r.over)
            rc = local_check(cli, local);
        if (status == STINT_OK && rc == EX_OK && !r.over)
            rc = stall_look(&r.stall);
    }
    console_progress("");
    if (r.over)
        return r.exit_code;
    if (status != STINT_OK)
        return cli_failed(cli, status);
    if (local) { /* it can't go on, and must not begin again when the directory is used next */
        r.cancelling = true;
        (void)stint_cancel(cli->client, id, 1, NULL, CANCEL_MS);
        cli_say(cli, "stopped; the command is ended, and not run again");
    } else
        cli_say(cli, "the job goes on; follow it with: stint wait --results %s",
            stint_id_format(id, text));
    return rc != EX_OK ? rc : EXIT_SIGNAL + cli_interrupted();
}

static int
run_job(struct cli *cli, const struct stint_job *job)
{
    struct local *local = NULL;
    struct stint_id id;
    enum stint_met met = STINT_MET_NOTHING;
    size_t stored;
    int rc = EX_OK;
    if (local_directory)
        rc = local_open(cli, local_directory, &local);
    if (rc == EX_OK && local)
        rc = local_start(cli, local);
    if (rc == EX_OK)
        rc = cli_connect(cli, NULL, 0);
    if (rc == EX_OK && local)
        rc = local_connect(cli, local);
    if (rc == EX_OK && local)
        rc = local_work(cli, local, job->queue, 0, NULL, NULL);
    if (rc == EX_OK) {
        cli_catch_interrupt(); /* from here on there may be a job that is not to be run again */
        rc = jobs_submit(cli, job, 1, &id, &met, &stored, NULL);
    }
    if (rc == EX_OK)
        jobs_say_met(cli, &id, met);
    if (rc == EX_OK && detach)
        jobs_print_id(cli, &id, met);
    else if (rc == EX_OK)
        rc = wait_for(cli, &id, local);
    stint_client_destroy(&cli->client);
    local_stop(&local);
    return rc;
}

/* Standard input goes along, unless it is a terminal: who wants that says --stdin -. */
static int
read_input(const struct cli *cli, char **bytes, size_t *size)
{
    if (job_options.input)
        return jobs_read(cli, job_options.input, bytes, size);
    if (isatty(STDIN_FILENO))
        return EX_OK;
    return jobs_read(cli, NULL, bytes, size);
}

static int
run(struct cli *cli, const char **args)
{
    struct stint_job job;
    struct template *template = NULL;
    struct surroundings s = {.once = !again && !job_options.attempts};
    char *bytes = NULL;
    void *payload = NULL;
    size_t count = 0;
    while (args && args[count])
        count++;
    int rc = jobs_fill(cli, &job);
    if (rc == EX_OK && local_directory && cli->endpoint)
        rc = cli_usage(cli, "--local has a broker of its own; --endpoint does not go with it");
    if (rc == EX_OK && detach && local_directory)
        rc = cli_usage(cli, "--detach has no use with --local, which ends with the command");
    if (rc == EX_OK && (job_options.backoff || job_options.backoff_cap) && s.once)
        rc = cli_usage(
            cli, "--backoff has no effect without --retry or --attempts: a failure is for good");
    if (rc == EX_OK && job_options.kind && strcmp(job_options.kind, "exec") != 0)
        rc = cli_usage(cli, "--kind %s: run is for commands; see stint submit", job_options.kind);
    if (rc == EX_OK)
        rc = template_new(cli, (const char *const *)args, count, shell, false, &template);
    if (rc == EX_OK)
        rc = surroundings_fill(cli, &s);
    if (rc == EX_OK)
        rc = read_input(cli, &bytes, &s.input_bytes);
    if (rc == EX_OK) {
        s.input = bytes;
        job.kind = "exec";
        if (job.keep_ms < 0 && !detach)
            job.keep_ms = JOBS_KEEP_MS;
        job.payload = payload = template_payload(template, &s, NULL, &job.payload_bytes);
        rc = run_job(cli, &job);
    }
    free(payload);
    free(bytes);
    surroundings_free(&s);
    template_free(&template);
    return rc;
}

const struct verb verb_run = {"run", "[OPTION...] COMMAND [ARGUMENT...]",
    "run one command on a worker; its output and exit code", options, run, VERB_TAKES_COMMAND};
