/* stint cancel and stint retry: change where jobs stand. */
#include "out.h"

#include <stdio.h>
#include <stdlib.h>

static struct poptOption no_options[] = {POPT_TABLEEND};

typedef enum stint_status change_fn(struct stint_client *client, const struct stint_id *ids,
    size_t count, enum stint_status *statuses, uint32_t timeout_ms);

static int
change(struct cli *cli, const char **args, change_fn *fn)
{
    size_t count;
    if (!args || !args[0])
        return cli_usage(cli, "which job? give its id");
    struct stint_id *ids = cli_ids(cli, args, &count);
    if (!ids)
        return EX_USAGE;
    enum stint_status *statuses = calloc(count, sizeof *statuses);
    if (!statuses)
        abort();
    int rc = cli_connect(cli, NULL, 0);
    if (rc == EX_OK) {
        enum stint_status first = fn(cli->client, ids, count, statuses, cli->timeout_ms);
        bool answered = false;
        for (size_t i = 0; i < count; i++)
            answered |= statuses[i] != STINT_OK;
        if (first != STINT_OK && !answered)
            rc = cli_failed(cli, first);
        for (size_t i = 0; i < count && (first == STINT_OK || answered); i++) {
            if (cli->json)
                (void)out_line(json_pack("{ss ss ss}", "schema", "stint.changed/1", "id", args[i],
                    "status", stint_status_name(statuses[i])));
            if (statuses[i] != STINT_OK) {
                cli_say(cli, "%s: %s", args[i], stint_status_text(statuses[i]));
                rc = cli_exit(statuses[i]);
            }
        }
    }
    free(statuses);
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

const struct verb verb_cancel = {
    "cancel", "[OPTION...] ID...", "cancel jobs, also those that run", no_options, run_cancel};
const struct verb verb_retry = {"retry", "[OPTION...] ID...",
    "bring dead or cancelled jobs back, with all their attempts", no_options, run_retry};
