/* stint map: a durable, distributed xargs. Lines in, a job each, results out in the order of input.
 * This file reads the options and runs the loop; the parts are told in map.h.
 */
#include "console.h"
#include "jobs.h"
#include "local.h"
#include "map.h"
#include "out.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

static struct map_options given;
static char *slots, *together, *halt, *delay;
static int unordered, shell, zero, again, tag, dry_run, progress, failed_again;

static struct poptOption options[] = {
    {NULL, '\0', POPT_ARG_INCLUDE_TABLE, command_option_table, 0, "The jobs:", NULL},
    {NULL, '\0', POPT_ARG_INCLUDE_TABLE, due_option_table, 0, "When it is due:", NULL},
    {NULL, '\0', POPT_ARG_INCLUDE_TABLE, needs_option_table, 0, "What a worker is to have:", NULL},
    {NULL, '\0', POPT_ARG_INCLUDE_TABLE, group_option_table, 0, "What it belongs to:", NULL},
    {NULL, '\0', POPT_ARG_INCLUDE_TABLE, batch_option_table, 0, "In which batch it is:", NULL},
    {"input", 'i', POPT_ARG_STRING, &given.input, 0, "lines from this file", "FILE"},
    {"null", '0', POPT_ARG_NONE, &zero, 0, "lines end with a zero byte, as from find -print0",
        NULL},
    {"max-args", 'N', POPT_ARG_STRING, &together, 0, "a job for so many lines together (1)", "N"},
    {"colsep", 0, POPT_ARG_STRING, &given.separator, 0,
        "cut lines where this text stands: {1} {2} and so on are the pieces", "TEXT"},
    {"shell", 'S', POPT_ARG_NONE, &shell, 0, "the command is a line for /bin/sh; {} is the line",
        NULL},
    {"unordered", 'u', POPT_ARG_NONE, &unordered, 0, "write results as they come", NULL},
    {"tag", 0, POPT_ARG_NONE, &tag, 0, "begin each line of results with the line of input", NULL},
    {"results", 0, POPT_ARG_STRING, &given.results, 0,
        "write standard output and error of each into DIR/NUMBER/ too", "DIR"},
    {"joblog", 0, POPT_ARG_STRING, &given.joblog, 0,
        "add a line for each job to this file, in the columns of GNU parallel", "FILE"},
    {"progress", 0, POPT_ARG_NONE, &progress, 0,
        "show progress from the start, and also where standard error is no terminal", NULL},
    {"eta", 0, POPT_ARG_NONE | POPT_ARGFLAG_DOC_HIDDEN, &progress, 0, NULL, NULL},
    {"bar", 0, POPT_ARG_NONE | POPT_ARGFLAG_DOC_HIDDEN, &progress, 0, NULL, NULL},
    {"dry-run", 0, POPT_ARG_NONE, &dry_run, 0, "print the commands and run nothing", NULL},
    {"retry", 'R', POPT_ARG_NONE, &again, 0, "a failure is tried again, as --attempts 5", NULL},
    {"halt", 0, POPT_ARG_STRING, &halt, 0,
        "end early: now,fail=1 ends all at the first failure, soon,fail=3 begins nothing after the "
        "third; also success, done, and N% (never)",
        "WHEN"},
    {"delay", 0, POPT_ARG_STRING, &delay, 0, "submit a job only so long after the last one",
        "TIME"},
    {"state", 0, POPT_ARG_STRING, &given.state, 0,
        "remember in DIR what is done; the same command with it goes on where it stopped", "DIR"},
    {"retry-failed", 0, POPT_ARG_NONE, &failed_again, 0,
        "with --state or --local: run again what failed, too", NULL},
    {"local", 'L', POPT_ARG_STRING, &given.local, 0,
        "without a broker: start one and a worker for the time, with data and --state in DIR",
        "DIR"},
    {"slots", 'P', POPT_ARG_STRING, &slots, 0, "with --local: jobs at a time (one a core)", "N"},
    POPT_TABLEEND};

static bool
is_exec(void)
{
    return !job_options.kind || strcmp(job_options.kind, "exec") == 0;
}

/* Options that would have no effect, or not the one that was meant. */
static int
check_combinations(const struct cli *cli, bool command, bool arguments, int64_t keep_ms)
{
    const struct job_options *j = &job_options;
    if (!is_exec() && command)
        return cli_usage(cli,
            "with --kind %s the line itself is the payload, and there is no "
            "command (to keep the order of input, leave -k out: map does that "
            "anyway)",
            j->kind);
    if (!is_exec() && (shell || j->directory || j->environment || j->input || again))
        return cli_usage(
            cli, "--shell, --wd, --env, --stdin and --retry are for commands, not for --kind");
    if (slots && !given.local)
        return cli_usage(cli, "--slots is for --local; elsewhere each worker has its own");
    if (keep_ms == 0 && (given.local || given.state))
        return cli_usage(cli,
            "--keep 0: with --state and --local outcomes have to be kept until the "
            "map goes on; else its lines are run twice");
    if (failed_again && !given.local && !given.state)
        return cli_usage(cli, "--retry-failed needs --state or --local");
    if (tag && cli->json)
        return cli_usage(cli, "--tag has no effect with --json, which tells the line anyway");
    if ((j->backoff || j->backoff_cap) && is_exec() && !again && !j->attempts)
        return cli_usage(
            cli, "--backoff has no effect without --retry or --attempts: a failure is for good");
    if (arguments && (given.input || zero || together || given.separator))
        return cli_usage(cli, "with ::: there are no lines for --input, -0, -N and --colsep");
    if (j->input && strcmp(j->input, "-") == 0 && !arguments && !given.input)
        return cli_usage(cli, "--stdin -: standard input is read for lines already");
    if (given.local && cli->endpoint)
        return cli_usage(cli, "--local has a broker of its own; --endpoint does not go with it");
    if (together && given.separator)
        return cli_usage(cli, "-N and --colsep do not go together");
    if (given.separator && !*given.separator)
        return cli_usage(cli, "--colsep: write at least one character");
    return EX_OK;
}

static int
read_options(struct map *m, bool command, bool arguments, uint64_t *count)
{
    enum { SHORT_MS = 3600000 };
    const struct cli *cli = m->cli;
    uint64_t n = 0;
    int rc = check_combinations(cli, command, arguments, m->job.keep_ms);
    *count = 1;
    if (rc != EX_OK)
        return rc;
    if ((together && !cli_number(cli, "max-args", together, 1, 10000, count)) ||
        (slots && !cli_number(cli, "slots", slots, 1, 65536, &n)) ||
        (delay && !cli_duration(cli, "delay", delay, &given.delay_ms)) ||
        (halt && !map_read_halt(cli, halt, &given.halt)))
        return EX_USAGE;
    if (m->job.keep_ms > 0 && m->job.keep_ms < SHORT_MS && (given.local || given.state))
        cli_say(cli,
            "--keep %s is short: lines whose outcomes are not kept any more when this map goes on "
            "are run again",
            job_options.keep);
    given.queue = job_options.queue ? job_options.queue : STINT_DEFAULT_NAME;
    given.unordered = unordered != 0;
    given.tag = tag != 0;
    given.progress = progress != 0;
    given.failed_again = failed_again != 0;
    m->o = given;
    m->surroundings.once = !again && !job_options.attempts;
    return EX_OK;
}

static int
open_command(struct map *m, const char **words, size_t count)
{
    char *bytes = NULL;
    size_t size = 0;
    int rc;
    if (!is_exec())
        return EX_OK;
    rc = template_new(m->cli, (const char *const *)words, count, shell, true, &m->template);
    if (rc == EX_OK)
        rc = surroundings_fill(m->cli, &m->surroundings);
    if (rc == EX_OK && job_options.input)
        rc = jobs_read(m->cli, job_options.input, &bytes, &size);
    m->surroundings.input = bytes;
    m->surroundings.input_bytes = size;
    return rc;
}

/* What a state belongs to: the command, and all that makes it do something else with a line. */
static char *
describe(const struct map *m)
{
    const struct surroundings *s = &m->surroundings;
    char *text = NULL;
    size_t size;
    FILE *f = open_memstream(&text, &size);
    XXH3_state_t *h = XXH3_createState();
    if (!f || !h || XXH3_64bits_reset(h) != XXH_OK)
        abort();
    char *command = m->template ? template_describe(m->template) : NULL;
    fprintf(f, "%s%s", command ? "" : "\x1f--kind=", command ? command : m->job.kind);
    if (s->directory)
        fprintf(f, "\x1f--wd=%s", s->directory);
    for (size_t i = 0; i < s->environment_count; i++)
        (void)XXH3_64bits_update(h, s->environment[i].bytes, s->environment[i].size + 1);
    if (s->input)
        (void)XXH3_64bits_update(h, s->input, s->input_bytes);
    if (s->environment_count > 0 || s->input)
        fprintf(f, "\x1f--env --stdin %016llx", (unsigned long long)XXH3_64bits_digest(h));
    if (fclose(f) != 0)
        abort();
    XXH3_freeState(h);
    free(command);
    return text;
}

static int
open_state(struct map *m)
{
    char directory[4096];
    if (!m->o.local && !m->o.state)
        return EX_OK;
    if (m->o.state)
        (void)snprintf(directory, sizeof directory, "%s", m->o.state);
    else
        (void)snprintf(directory, sizeof directory, "%s/map", m->o.local);
    char *command = describe(m);
    const char *called = m->o.state ? m->o.state : m->o.local;
    int rc = state_open(m->cli, directory, called, command, m->o.failed_again, &m->state);
    free(command);
    return rc;
}

/* Has whoever reads our output gone, or can't we write to it? Then nobody needs the rest. */
static bool
output_ended(struct map *m)
{
    if (!console_failed() && !console_reader_gone())
        return false;
    map_cancel(m, false);
    m->rc = EX_IOERR;
    return true;
}

static void
work(struct map *m, struct local *local)
{
    uint64_t seen = 0;
    while (m->rc == EX_OK && !map_finished(m) && !cli_interrupted()) {
        map_read(m);
        if (m->rc != EX_OK || map_finished(m))
            break;
        (void)fflush(console_out()); /* whoever reads our output need not wait for us to end */
        if (output_ended(m))
            break;
        /* An input that can go on is looked at often; nothing else can wake us for it. */
        bool reading = (!m->over && (map_has_room(m) || m->o.delay_ms)) || m->waiting.count > 0;
        enum stint_status status = stint_client_process(m->cli->client, reading ? 10 : 200);
        if (status != STINT_OK && m->rc == EX_OK)
            m->rc = cli_failed(m->cli, status);
        map_ask_runs(m, false);
        if (m->counts.done != seen || m->window.open == 0) /* refusals are none */
            stall_progress(&m->stall);
        seen = m->counts.done;
        if (m->rc == EX_OK)
            m->rc = local_check(m->cli, local);
        if (m->rc == EX_OK)
            m->rc = stall_look(&m->stall);
        if (!m->stopping && map_halts(m))
            map_cancel(m, m->o.halt.when == HALT_NOW);
        map_show_progress(m, false);
    }
    map_ask_runs(m, true);
    (void)fflush(console_out());
    if (m->rc == EX_OK && !cli_interrupted())
        (void)output_ended(m);
    map_show_progress(m, true);
}

/* Why it ended, and with which exit code. */
static int
conclude(struct map *m)
{
    if (m->rc == EX_IOERR && console_failed())
        return m->rc; /* told where all verbs end */
    /* However it ends, what goes on without us can be followed. */
    if (m->rc == EX_OK ? cli_interrupted() != 0 : !m->o.local)
        map_detach(m);
    map_summary(m);
    if (m->rc != EX_OK)
        return m->rc;
    if (cli_interrupted())
        return EXIT_SIGNAL + cli_interrupted();
    if (m->stopping)
        cli_say(m->cli, "ended early by --halt; %llu lines that were read were not run",
            (unsigned long long)m->counts.not_run);
    else if (m->state && m->input_rc == EX_OK && !state_finish(m->state)) {
        cli_say(m->cli, "can't write to the state directory: %s", strerror(errno));
        return EX_IOERR;
    }
    if (m->input_rc != EX_OK)
        return m->input_rc;
    bool failed = m->counts.failed > 0 || m->counts.skipped_failed > 0;
    /* parallel's rule: a success that was waited for is one. */
    bool wished = m->stopping && m->o.halt.what == HALT_SUCCESS;
    return failed && !wished ? EXIT_JOB_FAILED : EX_OK;
}

static bool
is_ours(void *context, const struct stint_id *id)
{
    struct map *m = context;
    return state_awaits(m->state, id);
}

static int
run_map(struct map *m)
{
    struct local *local = NULL;
    uint64_t count = 0;
    if (slots)
        (void)cli_number(m->cli, "slots", slots, 1, 65536, &count);
    int rc = map_open_outputs(m);
    if (rc == EX_OK && m->o.local)
        rc = local_open(m->cli, m->o.local, &local);
    if (rc == EX_OK) /* before anything runs: what the directory holds may be another map's */
        rc = open_state(m);
    if (rc == EX_OK && local)
        rc = local_start(m->cli, local);
    if (rc == EX_OK)
        rc = cli_connect(m->cli, m->state ? state_session(m->state) : NULL,
            m->state ? state_answered(m->state) : 0);
    if (rc == EX_OK)
        rc = local_connect(m->cli, local);
    if (rc == EX_OK) {
        cli_catch_interrupt();
        stall_begin(&m->stall, m->cli, m->o.queue, m->job.kind);
        if (m->o.halt.percent)
            m->counts.total = input_total(m->input);
        if (m->state)
            map_recover(m);
        if (m->rc == EX_OK && local)
            m->rc = local_work(m->cli, local, m->o.queue, (unsigned)count, is_ours, m);
        work(m, local);
        rc = conclude(m);
    }
    m->ending = true;
    stint_client_destroy(&m->cli->client);
    local_stop(&local);
    state_close(&m->state);
    map_close_outputs(m);
    return rc == EX_OK ? m->rc : rc;
}

static int
print_commands(struct map *m)
{
    struct row row;
    enum lines_result got = LINES_ONE;
    while ((got == LINES_ONE || got == LINES_NONE_YET) && !console_failed()) {
        got = input_next(m->input, 1000, &row);
        if (got == LINES_NONE_YET)
            (void)fflush(console_out());
        if (got != LINES_ONE)
            continue;
        char *text = m->template ? template_text(m->template, &row)
                                 : cli_copy(row.line.bytes, row.line.size);
        if (m->cli->json)
            (void)out_line(json_pack("{ss sI so so}", "schema", "stint.command/1", "number",
                (json_int_t)row.number, "line", out_text(row.line.bytes, row.line.size), "command",
                out_text(text, strlen(text))));
        else
            fprintf(console_out(), "%s\n", text);
        free(text);
    }
    if (got == LINES_ERROR || got == LINES_TOO_LONG)
        map_input_trouble(m, got);
    return m->input_rc;
}

static int
run(struct cli *cli, const char **args)
{
    static const char *none[] = {NULL};
    struct map *m = cli_allocate(sizeof *m);
    size_t words = 0;
    uint64_t count = 1;
    args = args ? args : none;
    while (args[words] && strcmp(args[words], ":::") != 0)
        words++;
    const char **sets = args[words] ? args + words + 1 : NULL;
    m->cli = cli;
    int rc = jobs_fill(cli, &m->job);
    const char *unknown = input_unknown_marker(args); /* without a ::: before it, too */
    if (rc == EX_OK && unknown)
        rc = cli_usage(cli, "%s is not known here; ::: and --input are", unknown);
    if (rc == EX_OK && m->job.group && strstr(m->job.group, "{}") && (given.state || given.local))
        rc = cli_usage(cli,
            "--group with {} has no place with --state or --local: what is sent "
            "again has no line");
    if (rc == EX_OK)
        rc = read_options(m, words > 0, sets != NULL, &count);
    if (rc == EX_OK)
        rc = open_command(m, args, words);
    struct input_options input = {given.input, zero ? '\0' : '\n', count, given.separator, sets};
    if (rc == EX_OK)
        rc = input_open(cli, &input, &m->input);
    if (rc == EX_OK) {
        if (is_exec())
            m->job.kind = "exec";
        if (m->job.keep_ms < 0)
            m->job.keep_ms = given.state || given.local ? 30LL * JOBS_KEEP_MS : JOBS_KEEP_MS;
        rc = dry_run ? print_commands(m) : run_map(m);
    }
    m->ending = true;
    while (m->window.items)
        map_item_free(m, m->window.items);
    free(m->window.filling);
    free(m->waiting.items);
    input_close(&m->input);
    template_free(&m->template);
    free((void *)(uintptr_t)m->surroundings.input);
    surroundings_free(&m->surroundings);
    free(m);
    return rc;
}

const struct verb verb_map = {"map", "[OPTION...] COMMAND [ARGUMENT...] [::: VALUE...]",
    "run a command for each line of input, on all workers", options, run, VERB_TAKES_COMMAND};
