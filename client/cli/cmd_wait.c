/* stint wait: until jobs are settled. */
#include "console.h"
#include "lines.h"
#include "out.h"
#include "stall.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>

enum { AT_ONCE = 16384 };

static char *path, *limit;
static int results, quiet, progress;

static struct poptOption options[] = {
    {"file", 'f', POPT_ARG_STRING, &path, 0, "ids from this file, a line each; -: standard input",
        "FILE"},
    {"timeout", 0, POPT_ARG_STRING, &limit, 0, "wait no longer than this; then 124 (for ever)",
        "TIME"},
    {"results", 'r', POPT_ARG_NONE, &results, 0, "print the results instead of the states", NULL},
    {"progress", 0, POPT_ARG_NONE, &progress, 0,
        "say on standard error how far jobs that run are, each time they tell it", NULL},
    {"quiet", 'Q', POPT_ARG_NONE, &quiet, 0, "print nothing; the exit code tells", NULL},
    POPT_TABLEEND};

/* A job that is waited for; `times`: as often as its id was given. */
struct awaited {
    struct stint_id id;
    unsigned times;
    UT_hash_handle hh;
};

struct waiting {
    struct cli *cli;
    struct awaited *jobs;
    struct stall stall;
    uint64_t failed, unknown, hidden, end_ms;
    size_t left; /* ids of the command line that nobody has asked for yet */
    struct lines *lines; /* more ids; NULL: there are none */
    bool once; /* --timeout 0: each is looked at, and none is waited for */
    int rc;
};

static void
tell(struct waiting *w, const struct stint_job_info *info)
{
    char id[STINT_ID_TEXT_BYTES];
    stint_id_format(&info->id, id);
    const char *lost = results || w->cli->json ? out_lost_result(info) : NULL;
    bool good = info->state == STINT_SUCCEEDED;
    w->failed += !good || lost;
    if (quiet)
        return;
    if (w->cli->json)
        (void)out_line(out_job(info));
    else if (!results)
        fprintf(console_out(), "%s  %s\n", id, stint_state_name(info->state));
    else {
        if (!lost)
            (void)out_bytes(info->result, info->result ? info->result_bytes : 0);
        (void)fflush(console_out());
        if (lost || !good)
            cli_say(w->cli, "%s: %s%s%s", id, lost ? lost : stint_state_name(info->state),
                lost || !info->error[0] ? "" : ": ", lost ? "" : info->error);
    }
    (void)fflush(console_out());
}

static void
settled(void *context, const struct stint_job_info *info)
{
    struct waiting *w = context;
    struct awaited *a;
    HASH_FIND(hh, w->jobs, &info->id, sizeof info->id, a);
    if (!a)
        return;
    HASH_DEL(w->jobs, a); /* NOLINT: it is in the table */
    stall_progress(&w->stall);
    if (info->state == STINT_UNKNOWN) {
        char id[STINT_ID_TEXT_BYTES];
        bool hidden = out_hidden(info);
        w->hidden += hidden;
        w->unknown += !hidden;
        cli_say(w->cli, "%s: %s", stint_id_format(&info->id, id),
            hidden ? "this key may not see it" : stint_status_text(STINT_NO_SUCH_JOB));
    } else
        for (unsigned i = 0; i < a->times; i++)
            tell(w, info);
    free(a);
}

static void
runs(void *context, const struct stint_job_info *info)
{
    struct waiting *w = context;
    char id[STINT_ID_TEXT_BYTES], text[STINT_PROGRESS_BYTES + 16];
    stall_progress(&w->stall);
    out_progress_line(&info->progress, text, sizeof text);
    cli_say(w->cli, "%s: %s", stint_id_format(&info->id, id), text);
}

static const struct stint_id *
first_awaited(void *context)
{
    const struct waiting *w = context;
    return w->jobs ? &w->jobs->id : NULL;
}

static bool
ended(struct waiting *w)
{
    return w->rc != EX_OK || cli_interrupted() || console_failed() || console_reader_gone() ||
        (w->end_ms && clock_ms() >= w->end_ms);
}

/* Lets the client work for a moment. */
static void
process(struct waiting *w, uint32_t ms)
{
    uint64_t now_ms = clock_ms();
    if (w->end_ms && now_ms < w->end_ms && w->end_ms - now_ms < ms)
        ms = (uint32_t)(w->end_ms - now_ms);
    enum stint_status status = stint_client_process(w->cli->client, ms);
    if (status != STINT_OK)
        w->rc = cli_failed(w->cli, status);
    else if (w->jobs)
        w->rc = stall_look(&w->stall);
}

static void
look_at(struct waiting *w, const struct stint_id *id)
{
    const struct stint_job_info *info;
    const struct stint_job_info missing = {.id = *id, .state = STINT_UNKNOWN};
    unsigned parts = results || w->cli->json ? STINT_RESULT : STINT_NO_PARTS;
    enum stint_status status = stint_get(w->cli->client, id, parts, &info, w->cli->timeout_ms);
    if (status == STINT_NO_SUCH_JOB || status == STINT_DENIED) /* as one that is watched */
        settled(w, &missing);
    else if (status != STINT_OK)
        w->rc = cli_failed(w->cli, status);
    else if (stint_state_settled(info->state))
        settled(w, info);
}

/* One more, after waiting until there is room. */
static void
await(struct waiting *w, const struct stint_id *id)
{
    struct awaited *a;
    while (stint_client_watched(w->cli->client) >= AT_ONCE && !ended(w))
        process(w, 200);
    HASH_FIND(hh, w->jobs, id, sizeof *id, a);
    if (a) {
        a->times++;
        return;
    }
    a = cli_allocate(sizeof *a);
    a->id = *id;
    a->times = 1;
    HASH_ADD(hh, w->jobs, id, sizeof a->id, a);
    if (w->once) {
        look_at(w, id);
        return;
    }
    enum stint_status status =
        stint_watch(w->cli->client, id, 1, results || w->cli->json, settled, w);
    if (status != STINT_OK && w->rc == EX_OK)
        w->rc = cli_failed(w->cli, status);
}

/* Ids come as they come, and outcomes are told meanwhile. */
static void
read_ids(struct waiting *w)
{
    const char *line;
    size_t bytes;
    enum lines_result got = LINES_ONE;
    while (w->lines && !ended(w) && (got = lines_next(w->lines, 0, &line, &bytes)) == LINES_ONE) {
        char text[STINT_ID_TEXT_BYTES] = "";
        struct stint_id id;
        if (bytes < sizeof text)
            memcpy(text, line, bytes);
        if (bytes > 0 && stint_id_parse(text, &id) == STINT_OK)
            await(w, &id);
        else if (bytes > 0)
            w->rc = cli_usage(w->cli, "%s: line %llu is no id: %.*s", path,
                (unsigned long long)lines_count(w->lines), bytes < 80 ? (int)bytes : 80, line);
    }
    if (got == LINES_ERROR || got == LINES_TOO_LONG) {
        cli_say(w->cli, "reading %s failed: %s", path,
            got == LINES_ERROR ? strerror(errno) : "a line is too long to be an id");
        w->rc = got == LINES_ERROR ? EX_IOERR : EX_DATAERR;
    }
    if (got != LINES_ONE && got != LINES_NONE_YET)
        lines_close(&w->lines);
}

/* Within the time that there is; if that is over, all ids are left. */
static int
connect_in_time(struct waiting *w)
{
    uint64_t now_ms = clock_ms(), left_ms = w->end_ms > now_ms ? w->end_ms - now_ms : 1;
    bool shorter = w->end_ms && left_ms < w->cli->timeout_ms;
    uint32_t ms = shorter ? (uint32_t)left_ms : w->cli->timeout_ms;
    enum stint_status status = stint_connect(w->cli->client, ms);
    if (status == STINT_OK)
        return EX_OK;
    int rc = cli_failed(w->cli, status);
    return shorter && (status == STINT_UNREACHABLE || status == STINT_TIMEOUT) ? EX_OK : rc;
}

static int
tell_rest(const struct waiting *w)
{
    unsigned long long jobs = HASH_COUNT(w->jobs) + w->left;
    if (w->lines)
        cli_say(w->cli, "%s was not read to its end in %s; of the jobs so far %llu are not settled",
            path, limit, jobs);
    else
        cli_say(w->cli, "%llu jobs are not settled after %s", jobs, limit);
    return EXIT_TIME_OVER;
}

static void
wait_all(struct waiting *w, const struct stint_id *ids)
{
    cli_catch_interrupt();
    stall_begin(&w->stall, w->cli, NULL, NULL);
    if (progress)
        stint_watch_progress(w->cli->client, runs, w);
    w->stall.waits_for = first_awaited;
    w->stall.context = w;
    for (; w->left > 0 && !ended(w); w->left--)
        await(w, ids++);
    if (w->once) {
        read_ids(w);
        return;
    }
    while ((w->jobs || w->lines) && !ended(w)) {
        read_ids(w);
        if (w->jobs || w->lines)
            process(w, w->lines ? 20 : 200);
    }
}

static int
wait_for(struct waiting *w, const struct stint_id *ids)
{
    w->rc = connect_in_time(w);
    if (w->rc == EX_OK && !ended(w))
        wait_all(w, ids);
    if (w->rc != EX_OK)
        return w->rc;
    if (console_failed())
        return EX_IOERR;
    if (cli_interrupted())
        return EXIT_SIGNAL + cli_interrupted();
    if (w->jobs || w->lines || w->left > 0)
        return tell_rest(w);
    if (w->hidden)
        return EX_NOPERM;
    if (w->unknown)
        return EXIT_NO_SUCH_JOB;
    return w->failed ? EXIT_JOB_FAILED : EX_OK;
}

static int
run(struct cli *cli, const char **args)
{
    struct waiting w = {.cli = cli};
    if (!path && (!args || !args[0]))
        return cli_usage(cli, "for which job? give its id, or --file");
    if (quiet && (results || cli->json))
        return cli_usage(cli, "--quiet prints nothing; --results and --json do not go with it");
    if (quiet && progress)
        return cli_usage(cli, "--quiet prints nothing; --progress does not go with it");
    if (limit) {
        if (!cli_duration(cli, "timeout", limit, &w.end_ms))
            return EX_USAGE;
        w.once = w.end_ms == 0;
        w.end_ms += w.once ? 0 : clock_ms() + 1;
    }
    struct stint_id *ids = cli_ids(cli, args, &w.left);
    if (!ids)
        return EX_USAGE;
    int rc = EX_OK;
    if (path && !(w.lines = lines_open(path, '\n', 4096))) {
        cli_say(cli, "can't read %s: %s", path, strerror(errno));
        rc = EX_NOINPUT;
    }
    if (rc == EX_OK)
        rc = cli_connect(cli, NULL, 0);
    if (rc == EX_OK)
        rc = wait_for(&w, ids);
    stint_client_destroy(&cli->client);
    while (w.jobs) {
        struct awaited *a = w.jobs;
        HASH_DEL(w.jobs, a); /* NOLINT: it is in the table */
        free(a);
    }
    lines_close(&w.lines);
    free(ids);
    return rc;
}

const struct verb verb_wait = {"wait", "[OPTION...] [ID...]",
    "wait until jobs are settled; 1 if one failed", options, run, VERB_TAKES_ARGUMENTS};
