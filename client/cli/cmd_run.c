/* stint run: one command on some worker; its output and its exit code. */
#include "jobs.h"
#include "local.h"
#include "out.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { KEEP_MS = 3600000 };

static char *local_directory;
static int shell, again;

static struct poptOption options[] = {
    {NULL, '\0', POPT_ARG_INCLUDE_TABLE, job_option_table, 0, "The job:", NULL},
    {"shell", 'S', POPT_ARG_NONE, &shell, 0, "the command is a line for /bin/sh", NULL},
    {"retry", 'R', POPT_ARG_NONE, &again, 0, "a failure is tried again, as --attempts says", NULL},
    {"local", 'L', POPT_ARG_STRING, &local_directory, 0,
        "without a broker: start one and a worker for the time, with their data in DIR", "DIR"},
    POPT_TABLEEND};

struct running {
    struct cli *cli;
    int exit_code;
    bool over;
};

/* What the program itself would have ended with, as far as its error text tells. */
static int
exit_code_of(const struct stint_job_info *info)
{
    int code;
    if (info->state == STINT_SUCCEEDED)
        return EX_OK;
    if (sscanf(info->error, "exit status %d", &code) == 1)
        return code;
    if (sscanf(info->error, "killed by signal %d", &code) == 1)
        return 128 + code;
    if (strncmp(info->error, "the time to run was over", 24) == 0)
        return 124;
    return EXIT_JOB_FAILED;
}

static void
settled(void *context, const struct stint_job_info *info)
{
    struct running *r = context;
    const char *said = strchr(info->error, '\n');
    const char *lost = out_lost_result(info);
    r->over = true;
    r->exit_code = lost ? EX_IOERR : exit_code_of(info);
    if (r->cli->json)
        (void)out_line(out_job(info));
    else if (lost)
        cli_say(r->cli, "%s", lost);
    else
        (void)out_bytes(info->result, info->result_bytes);
    if (info->state == STINT_SUCCEEDED)
        return;
    if (strncmp(info->error, "exit status", 11) != 0)
        cli_say(r->cli, "%s: %.*s", stint_state_name(info->state), (int)strcspn(info->error, "\n"),
            info->error);
    if (said)
        fprintf(stderr, "%s\n", said + 1);
}

static int
submit_and_wait(struct cli *cli, const struct stint_job *job)
{
    struct running r = {.cli = cli};
    char text[STINT_ID_TEXT_BYTES];
    struct stint_id id;
    enum stint_status status = stint_submit(cli->client, job, 1, &id, cli->timeout_ms);
    if (status == STINT_OK)
        status = stint_watch(cli->client, &id, 1, true, settled, &r);
    cli_catch_interrupt();
    while (status == STINT_OK && !r.over && !cli_interrupted())
        status = stint_client_process(cli->client, 1000);
    if (status != STINT_OK)
        return cli_failed(cli, status);
    if (r.over)
        return r.exit_code;
    cli_say(cli, "the job goes on; follow it with: stint wait --results %s",
        stint_id_format(&id, text));
    return 128 + 2;
}

static int
run(struct cli *cli, const char **args)
{
    struct stint_job job;
    struct template template;
    struct local local = {0};
    int rc = jobs_fill(cli, &job);
    if (rc == EX_OK)
        rc = jobs_template(cli, args, shell, &template);
    if (rc != EX_OK)
        return rc;
    if (!job_options.kind)
        job.kind = "exec";
    if (job.keep_ms < 0)
        job.keep_ms = KEEP_MS;
    void *payload = jobs_payload(&template, NULL, 0, !again, &job.payload_bytes);
    job.payload = payload;
    if (local_directory)
        rc = local_start(cli, local_directory, 0, &local);
    if (rc == EX_OK)
        rc = cli_connect(cli, NULL, 0);
    if (rc == EX_OK)
        rc = submit_and_wait(cli, &job);
    stint_client_destroy(&cli->client);
    local_stop(&local);
    free(payload);
    jobs_template_free(&template);
    return rc;
}

const struct verb verb_run = {"run", "[OPTION...] COMMAND [ARGUMENT...]",
    "run one command on a worker; its output and exit code", options, run};
