/* stint submit: a job from an argument, a file or standard input; or a job a line. */
#include "console.h"
#include "graph.h"
#include "jobs.h"
#include "lines.h"
#include "out.h"
#include "stint_objects.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char *path, *graph;
static int each, zero, object, as_batch;

static struct poptOption options[] = {
    {NULL, '\0', POPT_ARG_INCLUDE_TABLE, job_option_table, 0, "The job:", NULL},
    {NULL, '\0', POPT_ARG_INCLUDE_TABLE, due_option_table, 0, "When it is due:", NULL},
    {NULL, '\0', POPT_ARG_INCLUDE_TABLE, expires_option_table, 0, "Until when it may begin:", NULL},
    {NULL, '\0', POPT_ARG_INCLUDE_TABLE, after_option_table, 0, "After which jobs:", NULL},
    {NULL, '\0', POPT_ARG_INCLUDE_TABLE, total_option_table, 0,
        "How long it may take in all:", NULL},
    {NULL, '\0', POPT_ARG_INCLUDE_TABLE, needs_option_table, 0, "What a worker is to have:", NULL},
    {NULL, '\0', POPT_ARG_INCLUDE_TABLE, batch_option_table, 0, "In which batch it is:", NULL},
    {NULL, '\0', POPT_ARG_INCLUDE_TABLE, group_option_table, 0, "What it belongs to:", NULL},
    {NULL, '\0', POPT_ARG_INCLUDE_TABLE, unique_option_table, 0,
        "That there is only one (with --each, {} in KEY is the line):", NULL},
    {"file", 'f', POPT_ARG_STRING, &path, 0, "payload from this file; -: standard input", "FILE"},
    {"each", 'E', POPT_ARG_NONE, &each, 0, "a job for each line of the file or standard input",
        NULL},
    {"null", '0', POPT_ARG_NONE, &zero, 0,
        "with --each: lines end with a zero byte, as from find -print0", NULL},
    {"as-batch", 0, POPT_ARG_NONE, &as_batch, 0,
        "with --each: all of them are a new batch, which is closed then; prints its id alone",
        NULL},
    {"graph", 0, POPT_ARG_STRING, &graph, 0,
        "a job for each line, NAME [PARENT...]: PAYLOAD, after those named; all of them, or none",
        "FILE"},
    {"object", 'o', POPT_ARG_NONE, &object, 0,
        "the payload is written in JSON, an object or an array, and stored in msgpack", NULL},
    {"no-wait", 0, POPT_ARG_NONE, &job_options.no_wait, 0,
        "where there is no room, do not wait for it: exit with 75", NULL},
    {"at-end", 0, POPT_ARG_NONE, &jobs_at_end, 0,
        "within a job's program: it comes with the end of that job, if that is a success", NULL},
    POPT_TABLEEND};

static int
submit_one(struct cli *cli, struct stint_job *job)
{
    struct stint_id id;
    size_t stored;
    enum stint_met met;
    int rc = jobs_submit(cli, job, 1, &id, &met, &stored, NULL);
    if (rc == EX_OK && stored > 0) {
        jobs_print_id(cli, &id, met);
        jobs_say_met(cli, &id, met);
    }
    return rc;
}

/* From the JSON that is there; what is no array or object would be taken for a text when it is
 * shown. */
static int
make_object(struct cli *cli, char **bytes, size_t *size)
{
    void *made;
    enum stint_status status = stint_json_to_msgpack(*bytes, *size, &made, size);
    free(*bytes);
    *bytes = made;
    if (status != STINT_OK)
        cli_say(
            cli, "--object: the payload is not the JSON of an object: %s", stint_objects_error());
    else if (!stint_is_object(made, *size))
        cli_say(cli, "--object: the payload is neither an object nor an array: %s",
            "without --object it is stored as it is");
    else
        return EX_OK;
    return EX_DATAERR;
}

/* One message's worth: it is stored as a whole or not at all. */
enum { LINES_A_MESSAGE = 1000, BYTES_A_MESSAGE = 512 << 10 };

struct pile {
    struct cli *cli;
    struct stint_job jobs[LINES_A_MESSAGE];
    struct stint_id ids[LINES_A_MESSAGE];
    enum stint_met met[LINES_A_MESSAGE];
    size_t count, bytes;
    uint64_t stored, first_line; /* lines that are stored; the first one of the pile */
    uint64_t refused; /* lines that no broker takes */
    uint64_t met_jobs, changed; /* that have met jobs, and changed them */
};

static void
free_jobs(struct pile *pile)
{
    for (size_t i = 0; i < pile->count; i++) {
        free((void *)(uintptr_t)pile->jobs[i].payload);
        free((void *)(uintptr_t)pile->jobs[i].unique);
        free((void *)(uintptr_t)pile->jobs[i].group);
    }
}

static void
say_where(struct cli *cli, const struct pile *pile)
{
    const char *again = zero ? "sed -z" : "sed";
    if (pile->first_line == 1) { /* sed 1,0d would take the first line away */
        cli_say(cli, "stopped at line 1: no jobs are stored");
        return;
    }
    cli_say(cli,
        "stopped at line %llu: %llu jobs are stored%s; go on with "
        "the rest: %s 1,%llud | stint submit --each ...",
        (unsigned long long)pile->first_line, (unsigned long long)pile->stored,
        as_batch ? "" : ", and their ids printed", again, (unsigned long long)pile->first_line - 1);
}

/* Their ids are out before more of them are stored. */
static void
piece_stored(void *context, size_t from, size_t count)
{
    struct pile *pile = context;
    for (size_t i = from; i < from + count; i++) {
        if (!as_batch)
            jobs_print_id(pile->cli, &pile->ids[i], pile->met[i]);
        pile->met_jobs += pile->met[i] != STINT_MET_NOTHING;
        pile->changed += pile->met[i] == STINT_MET_CHANGED;
    }
    pile->stored += count;
    (void)fflush(console_out());
}

/* It loses nobody else. */
static void
line_too_large(void *context, size_t index)
{
    struct pile *pile = context;
    cli_say(pile->cli, "line %llu: its %zu bytes are more than the broker takes; it is left out",
        (unsigned long long)(pile->first_line + index), pile->jobs[index].payload_bytes);
    pile->refused++;
}

/* From here on an interrupt is held back until it is told what is stored. A broker that is away is
 * not waited for so. */
static int
begin_storing(struct cli *cli)
{
    enum stint_status status = stint_connect(cli->client, cli->timeout_ms);
    if (status != STINT_OK)
        return cli_failed(cli, status);
    cli_catch_interrupt();
    return EX_OK;
}

static int
submit_pile(struct cli *cli, struct pile *pile)
{
    const struct jobs_told told = {piece_stored, line_too_large, pile};
    size_t done = 0;
    int rc = EX_OK;
    if (pile->first_line == 1 && !jobs_at_end)
        rc = begin_storing(cli);
    if (rc == EX_OK)
        rc = jobs_submit(cli, pile->jobs, pile->count, pile->ids, pile->met, &done, &told);
    free_jobs(pile);
    pile->first_line += rc == EX_OK ? pile->count : done;
    pile->count = pile->bytes = 0;
    if (rc == EX_OK && console_failed())
        rc = EX_IOERR;
    else if (rc != EX_OK)
        say_where(cli, pile);
    return rc;
}

static int
add_line(struct cli *cli, struct pile *pile, const struct stint_job *common, const char *line,
    size_t bytes)
{
    char *payload = cli_copy(line, bytes), *key = jobs_text_of(job_options.unique, line, bytes);
    char *group = jobs_text_of(common->group, line, bytes);
    bool in_it =
        (key && strstr(job_options.unique, "{}")) || (group && strstr(common->group, "{}"));
    const char *trouble = jobs_text_trouble(key, group, line, bytes, in_it);
    int rc = trouble ? EX_DATAERR : EX_OK;
    if (trouble)
        cli_say(
            cli, "line %llu: %s", (unsigned long long)(pile->first_line + pile->count), trouble);
    else if (object)
        rc = make_object(cli, &payload, &bytes);
    if (rc != EX_OK) { /* what stands before it is stored */
        free(payload);
        free(key);
        free(group);
        int sent = pile->count > 0 ? submit_pile(cli, pile) : EX_OK;
        if (sent == EX_OK)
            say_where(cli, pile);
        return sent == EX_OK ? rc : sent;
    }
    if (pile->count > 0 && pile->bytes + bytes > BYTES_A_MESSAGE)
        rc = submit_pile(cli, pile);
    struct stint_job *job = &pile->jobs[pile->count++];
    *job = *common;
    job->payload = payload;
    job->payload_bytes = bytes;
    job->unique = key;
    job->group = group;
    pile->bytes += bytes;
    return rc;
}

/* Lines are sent as soon as the input pauses, so that a pipe's jobs are not held back. */
static int
submit_each(struct cli *cli, const struct stint_job *common)
{
    struct lines *lines = lines_open(path, zero ? '\0' : '\n', JOBS_PAYLOAD_MAX);
    struct pile *pile = cli_allocate(sizeof *pile);
    enum lines_result got = LINES_ONE;
    const char *line;
    size_t bytes;
    int rc = EX_OK;
    pile->cli = cli;
    pile->first_line = 1;
    if (as_batch) /* which is there already */
        cli_catch_interrupt();
    if (!lines) {
        cli_say(cli, "can't read %s: %s", path, strerror(errno));
        rc = EX_NOINPUT;
    }
    while (rc == EX_OK && (got == LINES_ONE || got == LINES_NONE_YET)) {
        got = lines_next(lines, pile->count == 0 ? 1000 : 0, &line, &bytes);
        if (got == LINES_ONE)
            rc = add_line(cli, pile, common, line, bytes);
        if (rc == EX_OK && cli_interrupted() && (got != LINES_OVER || pile->count > 0)) {
            say_where(cli, pile);
            rc = EXIT_SIGNAL + cli_interrupted();
        }
        if (rc == EX_OK &&
            (pile->count == LINES_A_MESSAGE || (got != LINES_ONE && pile->count > 0)))
            rc = submit_pile(cli, pile);
    }
    if (got == LINES_ERROR)
        cli_say(cli, "reading failed: %s", strerror(errno));
    if (got == LINES_TOO_LONG)
        cli_say(cli, "line %llu is over 4 MiB, which no job can carry",
            (unsigned long long)pile->first_line);
    if (rc == EX_OK && (got == LINES_ERROR || got == LINES_TOO_LONG)) {
        say_where(cli, pile);
        rc = got == LINES_ERROR ? EX_IOERR : EX_DATAERR;
    }
    if (rc == EX_OK && pile->refused > 0)
        rc = EX_DATAERR;
    if (pile->met_jobs > 0)
        cli_say(cli, "jobs that were there already: %llu; of them changed: %llu",
            (unsigned long long)pile->met_jobs, (unsigned long long)pile->changed);
    free_jobs(pile);
    free(pile);
    lines_close(&lines);
    return rc;
}

static bool
is_there(struct cli *cli, uint64_t batch)
{
    struct stint_batch_info now;
    return stint_batch_get(cli->client, batch, &now, cli->timeout_ms) != STINT_NO_SUCH_BATCH;
}

/* All lines are one batch. Where it stops, the batch stays open with those that are stored. */
static int
submit_batch(struct cli *cli, struct stint_job *common)
{
    struct stint_batch b = STINT_BATCH_INIT;
    struct stint_batch_info now;
    char text[STINT_BATCH_TEXT_BYTES];
    b.queue = common->queue;
    enum stint_status status =
        stint_batch_new(cli->client, &b, &common->batch, NULL, cli->timeout_ms);
    if (status != STINT_OK)
        return cli_failed(cli, status);
    stint_batch_format(common->batch, text);
    int rc = submit_each(cli, common);
    if (rc == EXIT_NO_SUCH_JOB && !is_there(cli, common->batch))
        return rc; /* what failed has been said: it is gone */
    if (rc != EX_OK) {
        cli_say(cli,
            "the batch %s is there, and open: stint batch cancel %s, or go on with --batch %s in "
            "the place of --as-batch, and close it",
            text, text, text);
        return rc;
    }
    status = stint_batch_close(cli->client, common->batch, &now, cli->timeout_ms);
    if (status != STINT_OK)
        return cli_failed(cli, status);
    if (cli->json)
        return out_line(out_batch(&now)) ? EX_OK : EX_IOERR;
    fprintf(console_out(), "%s\n", text);
    return EX_OK;
}

/* Of one job: the argument, or what is read; as an object, if it is to be one. */
static int
take_payload(struct cli *cli, const char **args, char **bytes, size_t *size)
{
    int rc = EX_OK;
    if (args && args[0]) {
        *size = strlen(args[0]);
        *bytes = cli_copy(args[0], *size);
    } else {
        rc = jobs_read(cli, path, bytes, size);
    }
    return rc == EX_OK && object ? make_object(cli, bytes, size) : rc;
}

static const char says_all[] = "--graph FILE says what jobs there are, and what they are after";

static int
check_graph(const struct cli *cli)
{
    static const char *const not_these[] = {"file", "each", "null", "object", "after", "after-any",
        "unique", "unique-while", "unique-for", "unique-replace", "unique-move", NULL};
    const char *given = cli_given(options, not_these, true);
    return given ? cli_usage(cli, "--%s does not go with --graph: %s", given, says_all) : EX_OK;
}

static int
run(struct cli *cli, const char **args)
{
    struct stint_job job;
    char *bytes = NULL;
    size_t size = 0;
    int rc = jobs_fill(cli, &job);
    if (rc != EX_OK)
        return rc;
    if (args && args[0] && (path || each || args[1]))
        return cli_usage(cli, "one payload: an argument, --file, or standard input");
    if (as_batch && (!each || job.batch))
        return cli_usage(cli, "--as-batch makes a batch of the jobs of --each");
    if (as_batch && jobs_at_end)
        return cli_usage(cli,
            "--as-batch makes its batch at once, and has no place with --at-end; make it before, "
            "and give its id with --batch");
    if (graph)
        return args && args[0]          ? cli_usage(cli, "%s: %s", args[0], says_all)
            : check_graph(cli) == EX_OK ? graph_submit(cli, graph, &job)
                                        : EX_USAGE;
    if (zero && !each)
        return cli_usage(cli, "--null has no effect without --each");
    if (rc == EX_OK && !each)
        rc = take_payload(cli, args, &bytes, &size);
    if (rc == EX_OK && !jobs_at_end)
        rc = cli_connect(cli, NULL, 0);
    if (rc == EX_OK && each)
        rc = as_batch ? submit_batch(cli, &job) : submit_each(cli, &job);
    else if (rc == EX_OK) {
        job.payload = bytes;
        job.payload_bytes = size;
        rc = submit_one(cli, &job);
    }
    free(bytes);
    return rc;
}

const struct verb verb_submit = {"submit", "[OPTION...] [PAYLOAD]",
    "put a job, or a job a line, into a queue; prints the ids", options, run, VERB_TAKES_ARGUMENTS};
