/* stint why: in one sentence, why a job does not run, and what would help. */
#include "console.h"
#include "out.h"
#include "reasons.h"

#include <stdio.h>
#include <stdlib.h>

static char *queue;

static struct poptOption why_options[] = {
    {"queue", 'q', POPT_ARG_STRING, &queue, 0, "why nothing of this queue runs", "NAME"},
    POPT_TABLEEND};

/* `name`: of whom it is said, if it is of one of several; else NULL. */
static int
tell(const struct cli *cli, const struct stint_reason *reason, const char *name)
{
    if (cli->json)
        return out_line(out_reason(reason)) ? EX_OK : EX_IOERR;
    json_t *o = out_reason(reason);
    const char *sentence = json_string_value(json_object_get(o, "sentence"));
    int n = name ? fprintf(console_out(), "%s: %s\n", name, sentence)
                 : fprintf(console_out(), "%s\n", sentence);
    json_decref(o);
    return n > 0 ? EX_OK : EX_IOERR;
}

static int
of_jobs(struct cli *cli, const char **args, const struct stint_id *ids, size_t count)
{
    struct stint_reason *reasons = cli_allocate(count * sizeof *reasons);
    enum stint_status status = stint_why(cli->client, ids, count, reasons, cli->timeout_ms);
    int rc = status == STINT_OK ? EX_OK : cli_failed(cli, status);
    for (size_t i = 0; i < count && status == STINT_OK && rc != EX_IOERR; i++) {
        int told = tell(cli, &reasons[i], count > 1 ? args[i] : NULL);
        if (told != EX_OK)
            rc = told;
        else if (reasons[i].why == STINT_WHY_UNKNOWN)
            rc = EXIT_NO_SUCH_JOB;
    }
    free(reasons);
    return rc;
}

static int
of_queue(struct cli *cli)
{
    struct stint_reason reason;
    int rc = cli_connect(cli, NULL, 0);
    if (rc != EX_OK)
        return rc;
    enum stint_status status = stint_why_queue(cli->client, queue, &reason, cli->timeout_ms);
    return status == STINT_OK ? tell(cli, &reason, NULL) : cli_failed(cli, status);
}

static int
run_why(struct cli *cli, const char **args)
{
    size_t count;
    bool named = args && args[0];
    if (named == (queue != NULL))
        return cli_usage(cli, queue ? "jobs, or a queue, not both" : "of which job? give its id");
    if (queue)
        return of_queue(cli);
    struct stint_id *ids = cli_ids(cli, args, &count);
    if (!ids)
        return EX_USAGE;
    int rc = cli_connect(cli, NULL, 0);
    if (rc == EX_OK)
        rc = of_jobs(cli, args, ids, count);
    free(ids);
    return rc;
}

const struct verb verb_why = {"why", "[OPTION...] ID...",
    "tell why a job does not run, and what would help", why_options, run_why, VERB_TAKES_ARGUMENTS};
