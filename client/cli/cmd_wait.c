/* stint wait: until jobs are settled. */
#include "lines.h"
#include "out.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { AT_ONCE = 16384 };

static char *path;
static int results, quiet;

static struct poptOption options[] = {
    {"file", 'f', POPT_ARG_STRING, &path, 0, "ids from this file, a line each; -: standard input",
        "FILE"},
    {"results", 'r', POPT_ARG_NONE, &results, 0, "print the results instead of the states", NULL},
    {"quiet", 'Q', POPT_ARG_NONE, &quiet, 0, "print nothing; the exit code tells", NULL},
    POPT_TABLEEND};

struct waiting {
    struct cli *cli;
    uint64_t failed, unknown;
    bool broken;
};

static void
settled(void *context, const struct stint_job_info *info)
{
    struct waiting *w = context;
    char id[STINT_ID_TEXT_BYTES];
    stint_id_format(&info->id, id);
    if (info->state == STINT_UNKNOWN) {
        w->unknown++;
        cli_say(w->cli, "%s: %s", id, stint_status_text(STINT_NO_SUCH_JOB));
        return;
    }
    const char *lost = results || w->cli->json ? out_lost_result(info) : NULL;
    w->failed += info->state != STINT_SUCCEEDED || lost;
    if (quiet)
        return;
    if (w->cli->json)
        w->broken |= !out_line(out_job(info));
    else if (!results)
        w->broken |= printf("%s  %s\n", id, stint_state_name(info->state)) < 0;
    else if (lost)
        cli_say(w->cli, "%s: %s", id, lost);
    else if (info->state == STINT_SUCCEEDED)
        w->broken |= !out_bytes(info->result, info->result_bytes);
    else
        cli_say(w->cli, "%s: %s: %s", id, stint_state_name(info->state), info->error);
    w->broken |= fflush(stdout) != 0;
}

/* Watches one more, after waiting until there is room. */
static enum stint_status
watch(struct waiting *w, const struct stint_id *id)
{
    enum stint_status status = STINT_OK;
    while (status == STINT_OK && stint_client_watched(w->cli->client) >= AT_ONCE)
        status = stint_client_process(w->cli->client, 1000);
    if (status == STINT_OK)
        status = stint_watch(w->cli->client, id, 1, results || w->cli->json, settled, w);
    return status;
}

static int
watch_file(struct waiting *w, enum stint_status *status)
{
    const char *line;
    size_t bytes;
    struct lines *lines = lines_open(path, '\n');
    if (!lines) {
        cli_say(w->cli, "can't read %s: %s", path, strerror(errno));
        return EX_NOINPUT;
    }
    int rc = EX_OK;
    while (
        rc == EX_OK && *status == STINT_OK && lines_next(lines, true, &line, &bytes) == LINES_ONE) {
        char text[STINT_ID_TEXT_BYTES] = "";
        struct stint_id id;
        if (bytes < sizeof text)
            memcpy(text, line, bytes);
        if (stint_id_parse(text, &id) != STINT_OK)
            rc = cli_usage(w->cli, "%s: not an id: %.*s", path, (int)bytes, line);
        else
            *status = watch(w, &id);
    }
    lines_close(&lines);
    return rc;
}

static int
run(struct cli *cli, const char **args)
{
    struct waiting w = {.cli = cli};
    enum stint_status status = STINT_OK;
    size_t count;
    if (!path && (!args || !args[0]))
        return cli_usage(cli, "for which job? give its id, or --file");
    struct stint_id *ids = cli_ids(cli, args, &count);
    if (!ids)
        return EX_USAGE;
    int rc = cli_connect(cli, NULL, 0);
    if (rc == EX_OK)
        status = stint_connect(cli->client, cli->timeout_ms);
    for (size_t i = 0; i < count && rc == EX_OK && status == STINT_OK; i++)
        status = watch(&w, &ids[i]);
    if (path && rc == EX_OK && status == STINT_OK)
        rc = watch_file(&w, &status);
    cli_catch_interrupt();
    while (rc == EX_OK && status == STINT_OK && stint_client_watched(cli->client) > 0 &&
        !cli_interrupted() && !w.broken)
        status = stint_client_process(cli->client, 1000);
    free(ids);
    if (status != STINT_OK)
        return cli_failed(cli, status);
    if (rc != EX_OK)
        return rc;
    if (w.unknown)
        return EXIT_NO_SUCH_JOB;
    return w.failed ? EXIT_JOB_FAILED : EX_OK;
}

const struct verb verb_wait = {
    "wait", "[OPTION...] [ID...]", "wait until jobs are settled; 1 if one failed", options, run};
