/* stint cancel and stint retry: change where jobs stand. */
#include "console.h"
#include "out.h"

#include <stdio.h>
#include <stdlib.h>

static struct poptOption no_options[] = {POPT_TABLEEND};

typedef enum stint_status change_fn(struct stint_client *client, const struct stint_id *ids,
    size_t count, enum stint_status *statuses, uint32_t timeout_ms);

/* Why a job was left as it is: where it stands says that best. */
static void
say_why(struct cli *cli, const struct stint_id *id, const char *text, enum stint_status status)
{
    const struct stint_job_info *info;
    if (status == STINT_WRONG_STATE &&
        stint_get(cli->client, id, STINT_NO_PARTS, &info, cli->timeout_ms) == STINT_OK)
        cli_say(cli, "%s: it is %s, and so can't be %s", text, stint_state_name(info->state),
            *cli->verb == 'c' ? "cancelled" : "retried");
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
run_cancel(struct cli *cli, const char **args)
{
    return change(cli, args, stint_cancel);
}

static int
run_retry(struct cli *cli, const char **args)
{
    return change(cli, args, stint_retry);
}

const struct verb verb_cancel = {"cancel", "[OPTION...] ID...", "cancel jobs, also those that run",
    no_options, run_cancel, VERB_TAKES_ARGUMENTS};
const struct verb verb_retry = {"retry", "[OPTION...] ID...",
    "bring dead or cancelled jobs back, with all their attempts", no_options, run_retry,
    VERB_TAKES_ARGUMENTS};
