/* stint show: all about jobs. stint result: only what came out. */
#include "console.h"
#include "out.h"
#include "units.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int payload, errors;

static struct poptOption show_options[] = {
    {"payload", 0, POPT_ARG_NONE, &payload, 0, "show the payload and the result too", NULL},
    {NULL, 'P', POPT_ARG_NONE | POPT_ARGFLAG_DOC_HIDDEN, &payload, 0, NULL, NULL}, POPT_TABLEEND};
static struct poptOption result_options[] = {
    {"stderr", 0, POPT_ARG_NONE, &errors, 0, "print the end of its standard error instead", NULL},
    POPT_TABLEEND};

static int
each_job(struct cli *cli, const char **args, unsigned parts,
    int (*show)(struct cli *cli, const struct stint_job_info *info))
{
    size_t count;
    if (!args || !args[0])
        return cli_usage(cli, "of which job? give its id");
    struct stint_id *ids = cli_ids(cli, args, &count);
    if (!ids)
        return EX_USAGE;
    int rc = cli_connect(cli, NULL, 0), worst = rc;
    for (size_t i = 0; i < count && rc == EX_OK && !console_failed(); i++) {
        const struct stint_job_info *info;
        enum stint_status status = stint_get(cli->client, &ids[i], parts, &info, cli->timeout_ms);
        int code = EX_OK;
        if (status == STINT_OK)
            code = show(cli, info);
        else if (status == STINT_NO_SUCH_JOB) {
            cli_say(
                cli, "%s: %s; %s", args[i], stint_status_text(status), stint_status_hint(status));
            code = EXIT_NO_SUCH_JOB;
        } else
            rc = code = cli_failed(cli, status);
        if (code != EX_OK)
            worst = code;
    }
    free(ids);
    return worst;
}

/* Of one that waits. A broker that is too old does not tell it. */
static void
add_reason(struct cli *cli, const struct stint_id *id, json_t *job)
{
    struct stint_reason reason;
    const struct stint_id one = *id; /* the call that lent it is not the last one any more */
    if (stint_why(cli->client, &one, 1, &reason, cli->timeout_ms) != STINT_OK)
        return;
    json_t *o = out_reason(&reason);
    json_object_set(job, "why", json_object_get(o, "sentence"));
    json_decref(o);
}

/* For people: the object alone, in place of its bytes. */
static void
leave_one(json_t *job, const char *field, const char *object)
{
    json_t *value = json_object_get(job, object);
    if (value)
        json_object_set(job, field, value);
    (void)json_object_del(job, object);
}

/* For people: a line for each run that has ended, in place of the array. */
static void
put_runs(json_t *job, const struct stint_job_info *info)
{
    (void)json_object_del(job, "attempts");
    for (const struct stint_attempt *a = info->attempts;
         info->attempts && a < info->attempts + info->attempts_count; a++) {
        char field[32], took[UNITS_TEXT_BYTES + 8] = "", text[STINT_LABEL_BYTES + 256];
        json_t *time = json_object();
        out_put_time(time, "at", a->ended_ms);
        if (a->started_ms && a->started_ms <= a->ended_ms) {
            (void)strcpy(took, " after ");
            (void)units_write_duration(a->ended_ms - a->started_ms, took + strlen(took));
        }
        (void)snprintf(field, sizeof field, "run %u", a->attempt);
        (void)snprintf(text, sizeof text, "%s%s at %s%s%s%s%s", stint_attempt_end_name(a->end),
            took, json_string_value(json_object_get(time, "at")), a->worker[0] ? " on " : "",
            a->worker, a->error[0] ? ": " : "", a->error);
        json_object_set_new(job, field, out_text(text, strlen(text)));
        json_decref(time);
    }
}

/* The same: on one line. */
static void
put_parents(json_t *job, const struct stint_job_info *info)
{
    char *text = info->parents ? cli_allocate(info->parents_count * STINT_ID_TEXT_BYTES) : NULL;
    size_t used = 0;
    (void)json_object_del(job, "parents");
    for (uint64_t i = 0; text && i < info->parents_count; i++) {
        if (i > 0)
            text[used++] = ' ';
        used += strlen(stint_id_format(&info->parents[i], text + used));
    }
    if (text)
        json_object_set_new(job, "parents", json_string(text));
    free(text);
}

static int
show_job(struct cli *cli, const struct stint_job_info *info)
{
    json_t *o = out_job(info);
    if (!stint_state_settled(info->state) && info->state != STINT_RUNNING)
        add_reason(cli, &info->id, o);
    if (cli->json)
        return out_line(o) ? EX_OK : EX_IOERR;
    leave_one(o, "payload", "payload_object");
    leave_one(o, "result", "result_object");
    put_runs(o, info);
    put_parents(o, info);
    out_fields(o);
    return EX_OK;
}

static int
result_code(const struct stint_job_info *info)
{
    if (!stint_state_settled(info->state))
        return EX_TEMPFAIL;
    if (info->state != STINT_SUCCEEDED)
        return EXIT_JOB_FAILED;
    return out_lost_result(info) ? EX_IOERR : EX_OK;
}

/* Of one that failed, what stands behind the first line: that says how it ended. */
static void
print_errors(const struct stint_job_info *info)
{
    const char *text = info->error;
    if (info->state != STINT_SUCCEEDED)
        text = strchr(text, '\n') ? strchr(text, '\n') + 1 : "";
    else if (out_lost_result(info))
        text = "";
    size_t size = strlen(text);
    (void)out_bytes(text, size);
    if (size > 0 && text[size - 1] != '\n')
        (void)out_bytes("\n", 1);
}

static int
show_result(struct cli *cli, const struct stint_job_info *info)
{
    char id[STINT_ID_TEXT_BYTES];
    stint_id_format(&info->id, id);
    if (cli->json)
        (void)out_line(out_job(info));
    else if (!stint_state_settled(info->state))
        cli_say(cli, "%s is %s; stint wait waits for it", id, stint_state_name(info->state));
    else if (errors)
        print_errors(info);
    else {
        const char *lost = out_lost_result(info);
        if (lost)
            cli_say(cli, "%s: %s", id, lost);
        else if (info->result)
            (void)out_bytes(info->result, info->result_bytes);
        (void)fflush(console_out());
        if (info->state != STINT_SUCCEEDED)
            cli_say(cli, "%s is %s%s%s", id, stint_state_name(info->state),
                info->error[0] ? ": " : "", info->error);
    }
    return result_code(info);
}

static int
run_show(struct cli *cli, const char **args)
{
    unsigned bodies = payload ? STINT_PAYLOAD | STINT_RESULT : STINT_NO_PARTS;
    return each_job(cli, args, bodies | STINT_ATTEMPTS, show_job);
}

static int
run_result(struct cli *cli, const char **args)
{
    if (errors && cli->json)
        return cli_usage(cli, "--stderr has no effect with --json, which tells it anyway");
    return each_job(cli, args, STINT_RESULT, show_result);
}

const struct verb verb_show = {"show", "[OPTION...] ID...", "tell all about a job", show_options,
    run_show, VERB_TAKES_ARGUMENTS};
const struct verb verb_result = {"result", "[OPTION...] ID...", "print a job's result",
    result_options, run_result, VERB_TAKES_ARGUMENTS};
