/* stint show: all about jobs. stint result: only what came out. */
#include "out.h"

#include <stdio.h>
#include <stdlib.h>

static int payload;

static struct poptOption show_options[] = {
    {"payload", 'P', POPT_ARG_NONE, &payload, 0, "show the payload too", NULL}, POPT_TABLEEND};
static struct poptOption no_options[] = {POPT_TABLEEND};

static int
each_job(struct cli *cli, const char **args, enum stint_parts parts,
    int (*show)(struct cli *cli, const struct stint_job_info *info))
{
    size_t count;
    if (!args || !args[0])
        return cli_usage(cli, "of which job? give its id");
    struct stint_id *ids = cli_ids(cli, args, &count);
    if (!ids)
        return EX_USAGE;
    int rc = cli_connect(cli, NULL, 0), worst = rc;
    for (size_t i = 0; i < count && rc == EX_OK; i++) {
        const struct stint_job_info *info;
        enum stint_status status = stint_get(cli->client, &ids[i], parts, &info, cli->timeout_ms);
        int code = status == STINT_OK ? show(cli, info) : cli_failed(cli, status);
        if (code != EX_OK)
            worst = code;
        if (status != STINT_OK && status != STINT_NO_SUCH_JOB)
            rc = code;
    }
    free(ids);
    return worst;
}

static int
show_job(struct cli *cli, const struct stint_job_info *info)
{
    if (cli->json)
        return out_line(out_job(info)) ? EX_OK : EX_IOERR;
    out_fields(out_job(info));
    return EX_OK;
}

static int
show_result(struct cli *cli, const struct stint_job_info *info)
{
    if (cli->json)
        return out_line(out_job(info)) ? EX_OK : EX_IOERR;
    if (out_lost_result(info)) {
        cli_say(cli, "%s", out_lost_result(info));
        return EX_IOERR;
    }
    if (info->state == STINT_SUCCEEDED)
        return out_bytes(info->result, info->result_bytes) ? EX_OK : EX_IOERR;
    if (!stint_state_settled(info->state)) {
        cli_say(cli, "it is %s; stint wait waits for it", stint_state_name(info->state));
        return EX_TEMPFAIL;
    }
    cli_say(cli, "it is %s: %s", stint_state_name(info->state), info->error);
    return EXIT_JOB_FAILED;
}

static int
run_show(struct cli *cli, const char **args)
{
    return each_job(cli, args, payload ? STINT_PAYLOAD | STINT_RESULT : STINT_NO_PARTS, show_job);
}

static int
run_result(struct cli *cli, const char **args)
{
    return each_job(cli, args, STINT_RESULT, show_result);
}

const struct verb verb_show = {
    "show", "[OPTION...] ID...", "tell all about a job", show_options, run_show};
const struct verb verb_result = {
    "result", "[OPTION...] ID...", "print a job's result", no_options, run_result};
