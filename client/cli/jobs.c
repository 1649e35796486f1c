/* Job options, and submitting however often it takes; the contract is in jobs.h. */
#include "jobs.h"
#include "console.h"
#include "lines.h"
#include "moment.h"
#include "out.h"
#include "stall.h"
#include "within.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct job_options job_options;
int jobs_at_end;
static char **after; /* --after, as often as wished */
static int after_any;
static char *total; /* --total */
static char *needs; /* --needs */
static char *batch; /* --batch */
static char *group; /* --group */

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

struct poptOption expires_option_table[] = {
    {"expires", 0, POPT_ARG_STRING, &job_options.expires, 0,
        "it expires, if it has not begun so long from now, or at this time", "TIME|WHEN"},
    POPT_TABLEEND};

struct poptOption after_option_table[] = {
    {"after", 0, POPT_ARG_ARGV, &after, 0,
        "not before these jobs have succeeded, or it is cancelled; with commas; repeatable",
        "ID..."},
    {"after-any", 0, POPT_ARG_NONE, &after_any, 0,
        "but until they are over, however they have ended", NULL},
    POPT_TABLEEND};

struct poptOption total_option_table[] = {
    {"total", 0, POPT_ARG_STRING, &total, 0,
        "all its runs together may take so long (no limit)", "TIME"},
    POPT_TABLEEND};

struct poptOption needs_option_table[] = {
    {"needs", 0, POPT_ARG_STRING, &needs, 0,
        "labels and amounts, as \"gpu zone=a cpus=2 mem=4G\": it runs where they are, and free",
        "WORDS"},
    POPT_TABLEEND};

struct poptOption batch_option_table[] = {
    {"batch", 0, POPT_ARG_STRING, &batch, 0,
        "it is one of this batch, which stint batch new has made", "ID"},
    POPT_TABLEEND};

struct poptOption group_option_table[] = {
    {"group", 0, POPT_ARG_STRING, &group, 0,
        "it belongs to this group of the queue (stint queue set --group-running); where there are "
        "lines, {} is the line", "NAME"},
    POPT_TABLEEND};

struct poptOption unique_option_table[] = {
    {"unique", 0, POPT_ARG_STRING, &job_options.unique, 0,
        "no new job while one of the queue has this key: the id is that one's", "KEY"},
    {"unique-while", 0, POPT_ARG_STRING, &job_options.unique_while, 0,
        "it has it while it is active (waiting or running), or only waiting (active)",
        "active|waiting"},
    {"unique-for", 0, POPT_ARG_STRING, &job_options.unique_for, 0,
        "and so long after it has succeeded", "TIME"},
    {"unique-replace", 0, POPT_ARG_NONE, &job_options.unique_replace, 0,
        "if that one waits, it takes the payload of this one", NULL},
    {"unique-move", 0, POPT_ARG_NONE, &job_options.unique_move, 0,
        "if that one waits, it is due when this one would be", NULL},
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

/* The rest of it where there is a key; how the key itself is made is for who submits. */
static int
fill_unique(const struct cli *cli, struct stint_job *job)
{
    const struct job_options *o = &job_options;
    bool waiting = o->unique_while && strcmp(o->unique_while, "waiting") == 0;
    if (!o->unique) {
        if (o->unique_while || o->unique_for || o->unique_replace || o->unique_move)
            return cli_usage(cli, "--unique-... has no effect without --unique KEY");
        return EX_OK;
    }
    if (o->unique_while && !waiting && strcmp(o->unique_while, "active") != 0)
        return cli_usage(cli, "--unique-while=%s: write active or waiting", o->unique_while);
    if (!*o->unique)
        return cli_usage(cli, "--unique: the key is empty");
    if (o->unique_for && !cli_duration(cli, "unique-for", o->unique_for, &job->unique_for_ms))
        return EX_USAGE;
    job->unique = o->unique;
    job->unique_flags = (waiting ? STINT_UNIQUE_WAITING : 0U) |
        (o->unique_replace ? STINT_UNIQUE_REPLACE : 0U) | (o->unique_move ? STINT_UNIQUE_MOVE : 0U);
    return EX_OK;
}

/* A duration, or a time as --at has it. */
static int
fill_expires(const struct cli *cli, struct stint_job *job)
{
    const char *text = job_options.expires;
    if (!text)
        return EX_OK;
    if (moment_read(text, clock_wall_ms(), &job->expires_at_ms)) {
        if (job->expires_at_ms == 0) /* which would be never */
            job->expires_at_ms = 1;
        return EX_OK;
    }
    if (text[strspn(text, "0123456789")] == '\0' || strpbrk(text, ":-@"))
        return cli_usage(cli,
            "--expires=%s: write a time like 90s, 10m or 2h, or HH:MM, YYYY-MM-DD, "
            "YYYY-MM-DDTHH:MM[:SS][Z] or @SECONDS",
            text);
    if (!cli_duration(cli, "expires", text, &job->expires_in_ms))
        return EX_USAGE;
    if (job->expires_in_ms == 0)
        return cli_usage(cli, "--expires=%s: write at least 1ms", text);
    return EX_OK;
}

/* The ids of one --after, one after the other. */
static int
add_after(const struct cli *cli, const char *text, struct stint_id *ids, uint32_t *count)
{
    char id[STINT_ID_TEXT_BYTES];
    for (const char *at = text; at; at = strchr(at, ',') ? strchr(at, ',') + 1 : NULL) {
        size_t size = strcspn(at, ",");
        if (*count == JOBS_AFTER_MAX)
            return cli_usage(cli, "--after: a job waits for at most %d others", JOBS_AFTER_MAX);
        memcpy(id, at, size < sizeof id ? size : 0);
        id[size < sizeof id ? size : 0] = '\0';
        if (stint_id_parse(id, &ids[(*count)++]) != STINT_OK)
            return cli_usage(cli, "--after=%s: write ids of jobs, with commas between them", text);
    }
    return EX_OK;
}

static int
fill_after(const struct cli *cli, struct stint_job *job)
{
    static struct stint_id ids[JOBS_AFTER_MAX];
    int rc = EX_OK;
    if (!after)
        return after_any ? cli_usage(cli, "--after-any has no effect without --after ID") : EX_OK;
    for (char **text = after; *text && rc == EX_OK; text++)
        rc = add_after(cli, *text, ids, &job->after.count);
    job->after.ids = ids;
    job->after.flags = after_any ? STINT_AFTER_ANY : 0;
    return rc;
}

const char *
jobs_batch_trouble(const char *text)
{
    enum { DIGITS = 16 };
    return strlen(text) == DIGITS && strspn(text, "0123456789abcdef") == DIGITS
        ? "no batch has it; they go from 0000000000000001 to 1fffffffffffffff"
        : "write its 16 digits, as stint batch new prints them";
}

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
    } times[] = {{"timeout", o->timeout, &job->time_to_run_ms}, {"total", total, &job->total_ms},
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
    if (needs && needs[strspn(needs, " ,")] == '\0')
        return cli_usage(cli, "--needs=%s: write labels and amounts, such as gpu or cpus=2", needs);
    job->needs = needs;
    if (batch && stint_batch_parse(batch, &job->batch) != STINT_OK)
        return cli_usage(cli, "--batch=%s: %s", batch, jobs_batch_trouble(batch));
    job->group = group;
    if (job->group && !*job->group)
        return cli_usage(cli, "--group: the name is empty");
    int rc = fill_expires(cli, job);
    rc = rc == EX_OK ? fill_after(cli, job) : rc;
    return rc == EX_OK ? fill_unique(cli, job) : rc;
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

/* Why no more are submitted: an exit code. */
static int
stopped(void)
{
    if (cli_interrupted())
        return EXIT_SIGNAL + cli_interrupted();
    return console_failed() ? EX_IOERR : EX_OK;
}

int
jobs_submit(struct cli *cli, const struct stint_job *jobs, size_t count, struct stint_id *ids,
    enum stint_met *met, size_t *done, const struct jobs_told *told)
{
    size_t piece = count;
    bool said = false;
    int rc = EX_OK;
    *done = 0;
    if (jobs_at_end) /* they have no ids yet */
        return within_submit(cli, jobs, count);
    while (rc == EX_OK && *done < count && (rc = stopped()) == EX_OK) {
        size_t n = piece < count - *done ? piece : count - *done;
        enum stint_status status =
            stint_submit(cli->client, jobs + *done, n, ids + *done, cli->timeout_ms);
        if (status == STINT_OK) {
            for (size_t i = 0; met && i < n; i++)
                met[*done + i] = stint_client_met(cli->client, i);
            *done += n;
            piece = 2 * n;
            if (told)
                told->stored(told->context, *done - n, n);
        } else if (status == STINT_TOO_LARGE && n == 1 && told)
            told->too_large(told->context, (*done)++);
        else if (!cli_passing(status) && !(status == STINT_TOO_LARGE && n > 1))
            rc = cli_failed(cli, status);
        else if (n > 1 && status != STINT_QUEUE_CLOSED)
            piece = n / 2;
        else if (job_options.no_wait)
            rc = cli_failed(cli, status);
        else {
            if (!said)
                say_later(cli, status, jobs[*done].queue);
            said = true;
            rc = hold_off(cli);
        }
    }
    return rc;
}

void
jobs_print_id(const struct cli *cli, const struct stint_id *id, enum stint_met met)
{
    static const char *const names[] = {[STINT_MET_JOB] = "job", [STINT_MET_CHANGED] = "changed"};
    char text[STINT_ID_TEXT_BYTES];
    stint_id_format(id, text);
    if (!cli->json) {
        fprintf(console_out(), "%s\n", text);
        return;
    }
    json_t *o = json_pack("{ss ss}", "schema", "stint.submitted/1", "id", text);
    if (met != STINT_MET_NOTHING && (size_t)met < sizeof names / sizeof *names)
        json_object_set_new(o, "met", json_string(names[met]));
    (void)out_line(o);
}

void
jobs_say_met(const struct cli *cli, const struct stint_id *id, enum stint_met met)
{
    char text[STINT_ID_TEXT_BYTES];
    stint_id_format(id, text);
    if (cli->json)
        return; /* the object says it */
    if (met == STINT_MET_JOB)
        cli_say(cli, "%s was there already, and has this key", text);
    else if (met == STINT_MET_CHANGED)
        cli_say(cli, "%s was there already, and has been changed", text);
}

char *
jobs_text_of(const char *key, const char *line, size_t size)
{
    const char *place;
    if (!key)
        return NULL;
    size_t room = strlen(key) + 1, used = 0;
    for (place = key; (place = strstr(place, "{}")) != NULL; place += 2)
        room += size;
    char *made = cli_allocate(room);
    for (; (place = strstr(key, "{}")) != NULL; key = place + 2) {
        memcpy(made + used, key, (size_t)(place - key));
        used += (size_t)(place - key);
        memcpy(made + used, line, size);
        used += size;
    }
    memcpy(made + used, key, strlen(key));
    return made;
}

static bool
is_utf8(const char *text)
{
    json_t *json = json_string(text);
    bool good = json != NULL;
    json_decref(json);
    return good;
}

const char *
jobs_text_trouble(const char *key, const char *in_group, const char *line, size_t bytes, bool in_it)
{
    if (in_it && memchr(line, 0, bytes))
        return "a line with a zero byte can't be in a unique key or the name of a group";
    if (key && (!*key || strlen(key) >= STINT_UNIQUE_BYTES))
        return "its unique key has no bytes, or over 255";
    if (in_group && (!*in_group || strlen(in_group) >= STINT_GROUP_BYTES))
        return "the name of its group has no bytes, or over 128";
    if (key && !is_utf8(key))
        return "its unique key is not UTF-8";
    return in_group && !is_utf8(in_group) ? "the name of its group is not UTF-8" : NULL;
}
