/* stint cancel, retry, promote, delete and change: what jobs are and where they stand. */
#include "console.h"
#include "jobs.h"
#include "out.h"
#include "within.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int at_end;

static struct poptOption no_options[] = {POPT_TABLEEND};
static struct poptOption cancel_options[] = {
    {"at-end", 0, POPT_ARG_NONE, &at_end, 0,
        "within a job's program: with the end of that job, if that is a success", NULL},
    POPT_TABLEEND};

static char *payload_file;
static int due_now;

static struct poptOption change_options[] = {
    {NULL, '\0', POPT_ARG_INCLUDE_TABLE, job_option_table, 0, "What is to be different:", NULL},
    {NULL, '\0', POPT_ARG_INCLUDE_TABLE, due_option_table, 0, "When they are due:", NULL},
    {NULL, '\0', POPT_ARG_INCLUDE_TABLE, total_option_table, 0,
        "How long they may take in all:", NULL},
    {"now", 0, POPT_ARG_NONE, &due_now, 0, "due at once", NULL},
    {"file", 'f', POPT_ARG_STRING, &payload_file, 0,
        "the payload is this file's; -: standard input; of one job only", "FILE"},
    POPT_TABLEEND};

typedef enum stint_status change_fn(struct stint_client *client, const struct stint_id *ids,
    size_t count, enum stint_status *statuses, uint32_t timeout_ms);

/* What change_fn is to do beside the ids: of stint_change. */
static struct stint_change what;

static enum stint_status
change_jobs(struct stint_client *client, const struct stint_id *ids, size_t count,
    enum stint_status *statuses, uint32_t timeout_ms)
{
    return stint_change(client, ids, count, &what, statuses, timeout_ms);
}

/* What a verb does to a job, as of one that can't be done so. */
static const char *
done_to(const char *verb)
{
    static const struct {
        const char *verb, *done;
    } words[] = {{"cancel", "cancelled"}, {"retry", "retried"}, {"promote", "promoted"},
        {"delete", "deleted"}, {"change", "changed so"}};
    size_t i = 0;
    while (i + 1 < sizeof words / sizeof *words && strcmp(words[i].verb, verb) != 0)
        i++;
    return words[i].done;
}

/* Why a job was left as it is: where it stands says that best. */
static void
say_why(struct cli *cli, const struct stint_id *id, const char *text, enum stint_status status)
{
    const struct stint_job_info *info;
    if (status == STINT_WRONG_STATE &&
        stint_get(cli->client, id, STINT_NO_PARTS, &info, cli->timeout_ms) == STINT_OK)
        cli_say(cli, "%s: it is %s, and so can't be %s", text, stint_state_name(info->state),
            done_to(cli->verb));
    else
        cli_say(cli, "%s: %s", text, stint_status_text(status));
}

static int
change_all(
    struct cli *cli, const char **args, const struct stint_id *ids, size_t count, change_fn *fn)
{
    enum stint_status *statuses = cli_allocate(count * sizeof *statuses);
    size_t answered = 0;
    int rc = EX_OK;
    for (size_t i = 0; i < count; i++)
        statuses[i] = STINT_UNKNOWN_OUTCOME; /* what no answer has reached */
    enum stint_status first = fn(cli->client, ids, count, statuses, cli->timeout_ms);
    for (size_t i = 0; i < count && statuses[i] != STINT_UNKNOWN_OUTCOME; i++) {
        answered++;
        if (cli->json)
            (void)out_line(json_pack("{ss ss ss}", "schema", "stint.changed/1", "id", args[i],
                "status", stint_status_name(statuses[i])));
        if (statuses[i] != STINT_OK) {
            say_why(cli, &ids[i], args[i], statuses[i]);
            rc = cli_exit(statuses[i]);
        }
    }
    if (answered < count) {
        rc = cli_failed(cli, first);
        if (answered > 0)
            cli_say(cli, "of the last %zu of %zu it is not known", count - answered, count);
    }
    free(statuses);
    return rc;
}

static int
change(struct cli *cli, const char **args, change_fn *fn)
{
    size_t count;
    if (!args || !args[0])
        return cli_usage(cli, "which job? give its id");
    struct stint_id *ids = cli_ids(cli, args, &count);
    if (!ids)
        return EX_USAGE;
    int rc = cli_connect(cli, NULL, 0);
    if (rc == EX_OK)
        rc = change_all(cli, args, ids, count, fn);
    free(ids);
    return rc;
}

static int
cancel_at_end(struct cli *cli, const char **args)
{
    size_t count;
    if (!args || !args[0])
        return cli_usage(cli, "which job? give its id");
    struct stint_id *ids = cli_ids(cli, args, &count);
    int rc = ids ? within_cancel(cli, ids, count) : EX_USAGE;
    free(ids);
    return rc;
}

static int
run_cancel(struct cli *cli, const char **args)
{
    if (at_end)
        return cancel_at_end(cli, args);
    return change(cli, args, stint_cancel);
}

static int
run_retry(struct cli *cli, const char **args)
{
    return change(cli, args, stint_retry);
}

static int
run_delete(struct cli *cli, const char **args)
{
    return change(cli, args, stint_delete);
}

static void
begin_change(void)
{
    const struct stint_change none = STINT_CHANGE_INIT;
    what = none;
}

static int
run_promote(struct cli *cli, const char **args)
{
    begin_change();
    what.delay_ms = 0;
    return change(cli, args, change_jobs);
}

/* From the options of a job, of which those are 0 and NULL that were not given. */
static int
read_options(struct cli *cli)
{
    struct stint_job job;
    int rc = jobs_fill(cli, &job);
    if (rc != EX_OK)
        return rc;
    what.queue = job.queue;
    what.kind = job.kind;
    what.priority = job.priority;
    what.max_attempts = job.max_attempts;
    what.keep_ms = job.keep_ms;
    what.time_to_run_ms = job.time_to_run_ms;
    what.backoff_base_ms = job.backoff_base_ms;
    what.backoff_cap_ms = job.backoff_cap_ms;
    what.total_ms = job.total_ms;
    if ((job_options.in || job_options.at) && due_now)
        return cli_usage(cli, "--now and --in or --at: write one of them");
    uint64_t now_ms = clock_wall_ms();
    if (job_options.at)
        what.delay_ms = job.due_ms > now_ms ? (int64_t)(job.due_ms - now_ms) : 0;
    else if (job_options.in || due_now)
        what.delay_ms = (int64_t)job.delay_ms;
    return EX_OK;
}

static bool
changes_nothing(void)
{
    return !what.queue && !what.kind && what.priority < 0 && what.max_attempts == 0 &&
        what.keep_ms < 0 && what.time_to_run_ms == 0 && what.backoff_base_ms == 0 &&
        what.backoff_cap_ms == 0 && what.total_ms == 0 && what.delay_ms < 0 && !payload_file;
}

static int
run_change(struct cli *cli, const char **args)
{
    char *payload = NULL;
    size_t bytes = 0;
    begin_change();
    int rc = read_options(cli);
    if (rc == EX_OK && changes_nothing())
        rc = cli_usage(cli, "what is to be different? see stint change --help");
    if (rc == EX_OK && payload_file && args && args[0] && args[1])
        rc = cli_usage(cli, "--file gives a payload to one job, and here are several");
    if (rc == EX_OK && payload_file)
        rc = jobs_read(cli, payload_file, &payload, &bytes);
    if (rc == EX_OK) {
        what.payload = payload;
        what.payload_bytes = bytes;
        rc = change(cli, args, change_jobs);
    }
    free(payload);
    return rc;
}

const struct verb verb_cancel = {"cancel", "[OPTION...] ID...", "cancel jobs, also those that run",
    cancel_options, run_cancel, VERB_TAKES_ARGUMENTS};
const struct verb verb_retry = {"retry", "[OPTION...] ID...",
    "bring dead, cancelled or expired jobs back, with all their attempts", no_options, run_retry,
    VERB_TAKES_ARGUMENTS};
const struct verb verb_change = {"change", "[OPTION...] ID...",
    "give waiting jobs another queue, priority, time, payload or limit", change_options, run_change,
    VERB_TAKES_ARGUMENTS};
const struct verb verb_promote = {"promote", "[OPTION...] ID...", "scheduled jobs are due at once",
    no_options, run_promote, VERB_TAKES_ARGUMENTS};
const struct verb verb_delete = {"delete", "[OPTION...] ID...",
    "forget jobs that do not run, with their outcomes", no_options, run_delete,
    VERB_TAKES_ARGUMENTS};
