/* Job options, and submitting however often it takes; the contract is in jobs.h. */
#include "jobs.h"
#include "console.h"
#include "lines.h"
#include "moment.h"
#include "out.h"
#include "stall.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct job_options job_options;

/* clang-format off */
#define OPTIONS(KIND, KEEP) \
    {"queue", 'q', POPT_ARG_STRING, &job_options.queue, 0, "into this queue (default)", "NAME"}, \
    {"kind", 'k', POPT_ARG_STRING, &job_options.kind, 0, KIND, "NAME"}, \
    {"priority", 'p', POPT_ARG_STRING, &job_options.priority, 0, \
        "0 to 255, higher first (100)", "N"}, \
    {"keep", 0, POPT_ARG_STRING, &job_options.keep, 0, KEEP, "TIME"}, \
    {"timeout", 0, POPT_ARG_STRING, &job_options.timeout, 0, \
        "a run may take so long (no limit)", "TIME"}, \
    {"time-to-run", 0, POPT_ARG_STRING | POPT_ARGFLAG_DOC_HIDDEN, &job_options.timeout, 0, \
        NULL, NULL}, \
    {"backoff", 0, POPT_ARG_STRING, &job_options.backoff, 0, \
        "wait so long after the first failure, then twice as long each time (1s)", "TIME"}, \
    {"backoff-cap", 0, POPT_ARG_STRING, &job_options.backoff_cap, 0, \
        "but at most so long (10m)", "TIME"}

struct poptOption job_option_table[] = {
    OPTIONS("which handler runs it (default)",
        "keep its outcome so long; 0: forget it at success (the broker's, 24h)"),
    {"attempts", 'a', POPT_ARG_STRING, &job_options.attempts, 0,
        "runs before it is dead (5)", "N"},
    POPT_TABLEEND};

struct poptOption due_option_table[] = {
    {"in", 0, POPT_ARG_STRING, &job_options.in, 0, "due so long from now, and not before", "TIME"},
    {"at", 0, POPT_ARG_STRING, &job_options.at, 0,
        "due at this time, and not before: 17:30, 2026-12-24T08:00, 2026-12-24T08:00Z, @SECONDS",
        "WHEN"},
    POPT_TABLEEND};

struct poptOption command_option_table[] = {
    OPTIONS("which handler runs it (exec: the command is run)",
        "keep its outcome so long (1d; with --state and --local 30d)"),
    {"attempts", 'a', POPT_ARG_STRING, &job_options.attempts, 0,
        "a failure is tried again, up to so many runs (1)", "N"},
    {"wd", 0, POPT_ARG_STRING, &job_options.directory, 0,
        "run in this directory, which must be there; -: the worker's own (this one, where it is "
        "there)", "DIR"},
    {"env", 0, POPT_ARG_ARGV, &job_options.environment, 0,
        "set this variable for the command; its value from here, unless given; repeatable",
        "NAME[=VALUE]"},
    {"stdin", 0, POPT_ARG_STRING, &job_options.input, 0,
        "the command reads this file as its standard input; -: ours", "FILE"},
    POPT_TABLEEND};
/* clang-format on */

int
jobs_fill(const struct cli *cli, struct stint_job *job)
{
    const struct job_options *o = &job_options;
    struct stint_job fresh = STINT_JOB_INIT;
    uint64_t number;
    *job = fresh;
    job->queue = o->queue;
    job->kind = o->kind;
    if (o->priority) {
        if (!cli_number(cli, "priority", o->priority, 0, 255, &number))
            return EX_USAGE;
        job->priority = (int32_t)number;
    }
    if (o->attempts) {
        if (!cli_number(cli, "attempts", o->attempts, 1, 65535, &number))
            return EX_USAGE;
        job->max_attempts = (uint32_t)number;
    }
    if (o->keep) {
        if (!cli_duration(cli, "keep", o->keep, &number))
            return EX_USAGE;
        job->keep_ms = (int64_t)number;
    }
    if (o->in && !cli_duration(cli, "in", o->in, &job->delay_ms))
        return EX_USAGE;
    if (o->at && !moment_read(o->at, clock_wall_ms(), &job->due_ms))
        return cli_usage(
            cli, "--at=%s: write HH:MM, YYYY-MM-DD, YYYY-MM-DDTHH:MM[:SS][Z] or @SECONDS", o->at);
    if (o->in && o->at)
        return cli_usage(cli, "--in and --at: write one of them");
    const struct {
        const char *option, *text;
        uint64_t *ms;
    } times[] = {{"timeout", o->timeout, &job->time_to_run_ms},
        {"backoff", o->backoff, &job->backoff_base_ms},
        {"backoff-cap", o->backoff_cap, &job->backoff_cap_ms}};
    for (size_t i = 0; i < sizeof times / sizeof *times; i++) {
        if (!times[i].text)
            continue;
        if (!cli_duration(cli, times[i].option, times[i].text, times[i].ms))
            return EX_USAGE;
        if (*times[i].ms == 0)
            return cli_usage(cli, "--%s=%s: write at least 1ms", times[i].option, times[i].text);
    }
    return EX_OK;
}

static void
say_once(const struct cli *cli, const char *from, uint64_t begun_ms, bool *said)
{
    if (!*said && clock_ms() - begun_ms >= STALL_MS)
        cli_say(
            cli, "reading %s to its end, and nothing comes (--stdin /dev/null: do without)", from);
    *said |= clock_ms() - begun_ms >= STALL_MS;
}

int
jobs_read(const struct cli *cli, const char *path, char **bytes, size_t *size)
{
    bool standard = !path || strcmp(path, "-") == 0, said = false;
    const char *from = standard ? "standard input" : path;
    int fd = standard ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
    uint64_t begun_ms = clock_ms();
    size_t room = 0;
    ssize_t n = fd < 0 ? -1 : 1;
    *bytes = cli_copy("", 0);
    *size = 0;
    if (fd >= 0 && isatty(fd)) {
        cli_say(cli, "reading from the terminal; end it with Ctrl-D");
        said = true;
    }
    while (n != 0 && fd >= 0 && *size <= JOBS_PAYLOAD_MAX) {
        if (room - *size < 65536) {
            room = room ? 2 * room : 131072;
            *bytes = realloc(*bytes, room);
            if (!*bytes)
                abort();
        }
        struct pollfd p = {.fd = fd, .events = POLLIN};
        if (poll(&p, 1, 500) == 0) {
            say_once(cli, from, begun_ms, &said);
            continue;
        }
        n = read(fd, *bytes + *size, room - *size - 1);
        if (n < 0 && errno != EINTR && errno != EAGAIN)
            break;
        *size += n > 0 ? (size_t)n : 0;
    }
    if (n < 0)
        cli_say(cli, "can't read %s: %s", from, strerror(errno));
    else if (*size > JOBS_PAYLOAD_MAX)
        cli_say(cli, "%s is over 4 MiB, which no job can carry", from);
    if (fd > STDERR_FILENO)
        close(fd);
    if (n < 0)
        return fd < 0 ? EX_NOINPUT : EX_IOERR;
    return *size > JOBS_PAYLOAD_MAX ? EX_DATAERR : EX_OK;
}

/* Waits for a moment, as there was no room. Returns an exit code. */
static int
hold_off(struct cli *cli)
{
    enum { MOMENT_MS = 100 };
    uint64_t until_ms = clock_ms() + MOMENT_MS;
    for (uint64_t now_ms; (now_ms = clock_ms()) < until_ms && !cli_interrupted();) {
        enum stint_status status = stint_client_process(cli->client, (uint32_t)(until_ms - now_ms));
        if (status != STINT_OK)
            return cli_failed(cli, status);
    }
    return cli_interrupted() ? EXIT_SIGNAL + cli_interrupted() : EX_OK;
}

static void
say_later(const struct cli *cli, enum stint_status why, const char *queue)
{
    if (why == STINT_QUEUE_CLOSED)
        cli_say(cli, "queue %s is closed; waiting until it is opened",
            queue ? queue : STINT_DEFAULT_NAME);
    else
        cli_say(cli, "%s; waiting until there is room", stint_status_text(why));
}

int
jobs_submit(struct cli *cli, const struct stint_job *jobs, size_t count, struct stint_id *ids,
    size_t *stored)
{
    size_t piece = count;
    bool said = false;
    *stored = 0;
    while (*stored < count) {
        size_t n = piece < count - *stored ? piece : count - *stored;
        enum stint_status status =
            stint_submit(cli->client, jobs + *stored, n, ids + *stored, cli->timeout_ms);
        if (status == STINT_OK) {
            *stored += n;
            piece = 2 * n;
            continue;
        }
        if (!cli_passing(status) && !(status == STINT_TOO_LARGE && n > 1))
            return cli_failed(cli, status);
        if (n > 1 && status != STINT_QUEUE_CLOSED) {
            piece = n / 2;
            continue;
        }
        if (job_options.no_wait)
            return cli_failed(cli, status);
        if (!said)
            say_later(cli, status, jobs[*stored].queue);
        said = true;
        int rc = hold_off(cli);
        if (rc != EX_OK)
            return rc;
    }
    return EX_OK;
}

void
jobs_print_id(const struct cli *cli, const struct stint_id *id)
{
    char text[STINT_ID_TEXT_BYTES];
    stint_id_format(id, text);
    if (cli->json)
        (void)out_line(json_pack("{ss ss}", "schema", "stint.submitted/1", "id", text));
    else
        fprintf(console_out(), "%s\n", text);
}
