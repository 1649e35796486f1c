/* What all verbs share: talk, exit codes, numbers and times, the end by a signal. */
#include "cli.h"
#include "console.h"
#include "units.h"

#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>

static volatile sig_atomic_t interrupted;

static void
on_interrupt(int signal)
{
    interrupted = signal;
}

void
cli_catch_interrupt(void)
{
    static const int signals[] = {SIGINT, SIGTERM, SIGHUP};
    struct sigaction action = {.sa_handler = on_interrupt, .sa_flags = (int)SA_RESETHAND}, was;
    for (size_t i = 0; i < sizeof signals / sizeof *signals; i++)
        if (sigaction(signals[i], NULL, &was) == 0 && was.sa_handler != SIG_IGN)
            (void)sigaction(signals[i], &action, NULL);
}

int
cli_interrupted(void)
{
    return interrupted;
}

void *
cli_allocate(size_t size)
{
    void *p = calloc(1, size ? size : 1);
    if (!p)
        abort();
    return p;
}

char *
cli_copy(const void *bytes, size_t size)
{
    char *c = malloc(size + 1);
    if (!c)
        abort();
    if (size)
        memcpy(c, bytes, size);
    c[size] = '\0';
    return c;
}

char *
cli_join(char *const *words)
{
    size_t size = 1, used = 0;
    for (size_t i = 0; words && words[i]; i++)
        size += strlen(words[i]) + 1;
    char *text = cli_allocate(size);
    for (size_t i = 0; words && words[i]; i++)
        used += (size_t)snprintf(text + used, size - used, "%s%s", i ? " " : "", words[i]);
    return text;
}

static void
say(const struct cli *cli, const char *format, va_list arguments)
{
    char *text = NULL, *line = NULL;
    if (vasprintf(&text, format, arguments) < 0 ||
        asprintf(&line, "stint %s: %s", cli->verb, text) < 0)
        abort();
    console_say(line);
    free(line);
    free(text);
}

void
cli_say(const struct cli *cli, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    say(cli, format, arguments);
    va_end(arguments);
}

int
cli_usage(const struct cli *cli, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    say(cli, format, arguments);
    va_end(arguments);
    return EX_USAGE;
}

bool
cli_passing(enum stint_status status)
{
    return status == STINT_QUEUE_FULL || status == STINT_BACKLOG_FULL ||
        status == STINT_STORE_FULL || status == STINT_TOO_MANY || status == STINT_QUEUE_CLOSED ||
        status == STINT_TOO_VARIED;
}

int
cli_exit(enum stint_status status)
{
    switch (status) {
    case STINT_OK:
        return EX_OK;
    case STINT_NO_SUCH_JOB:
    case STINT_NO_SUCH_QUEUE:
    case STINT_NO_SUCH_FEED:
    case STINT_NO_SUCH_SCHEDULE:
    case STINT_NO_SUCH_BATCH:
        return EXIT_NO_SUCH_JOB;
    case STINT_INVALID:
    case STINT_BAD_NAME:
    case STINT_WRONG_STATE:
    case STINT_UNIQUE_HELD:
    case STINT_NOT_EMPTY:
    case STINT_BATCH_OVER:
    case STINT_TOO_LARGE:
        return EX_DATAERR;
    case STINT_UNREACHABLE:
        return EX_UNAVAILABLE;
    case STINT_TIMEOUT:
    case STINT_STORE_FULL:
    case STINT_QUEUE_FULL:
    case STINT_BACKLOG_FULL:
    case STINT_TOO_MANY:
    case STINT_CLOSING:
    case STINT_QUEUE_CLOSED:
    case STINT_TOO_VARIED:
    case STINT_UNKNOWN_OUTCOME:
        return EX_TEMPFAIL;
    case STINT_DENIED:
        return EX_NOPERM;
    case STINT_BAD_ENDPOINT:
    case STINT_BAD_KEY:
        return EX_CONFIG;
    case STINT_SYSTEM:
    case STINT_NO_MEMORY:
        return EX_OSERR;
    default:
        return EX_PROTOCOL;
    }
}

int
cli_failed(struct cli *cli, enum stint_status status)
{
    cli_say(cli, "%s", stint_client_error(cli->client));
    return cli_exit(status);
}

/* A core file would hold our key. */
static void
hide_secrets(const struct cli *cli)
{
    const char *variable = getenv("STINT_KEY");
    if ((cli->key && *cli->key) || (!cli->key && variable && *variable))
        (void)prctl(PR_SET_DUMPABLE, 0);
}

int
cli_connect(struct cli *cli, const uint8_t *session, uint64_t submission)
{
    struct stint_client_options options = {.endpoint = cli->endpoint,
        .key = cli->key,
        .broker_key = cli->broker_key,
        .session = session,
        .submission = submission,
        .refuse_at_once = true};
    hide_secrets(cli);
    enum stint_status status = stint_client_new(&options, &cli->client);
    if (status == STINT_OK)
        return EX_OK;
    const char *why = stint_client_new_error();
    if (!*why)
        why = cli->endpoint ? cli->endpoint : "STINT_ENDPOINT";
    cli_say(cli, "%s: %s; %s", why, stint_status_text(status), stint_status_hint(status));
    return cli_exit(status);
}

bool
cli_duration(const struct cli *cli, const char *option, const char *text, uint64_t *ms)
{
    const uint64_t LONGEST_MS = 36500ULL * 86400000; /* what is over that is a slip */
    if (units_read_duration(text, ms) && *ms <= LONGEST_MS)
        return true;
    cli_say(cli, "--%s=%s: write a duration such as 500ms, 10s, 5m, 24h or 30d, up to 36500d",
        option, text);
    return false;
}

static bool
read_number(const char *text, uint64_t min, uint64_t max, uint64_t *number)
{
    const char *rest;
    uint64_t n;
    if (!units_read_number(text, &n, &rest) || *rest || n < min || n > max)
        return false;
    *number = n;
    return true;
}

bool
cli_count(const struct cli *cli, const char *these, const char *text, uint64_t min, uint64_t max,
    uint64_t *number)
{
    if (read_number(text, min, max, number))
        return true;
    cli_say(cli, "%s: write a number of %s from %llu to %llu", text, these, (unsigned long long)min,
        (unsigned long long)max);
    return false;
}

bool
cli_number(const struct cli *cli, const char *option, const char *text, uint64_t min, uint64_t max,
    uint64_t *number)
{
    if (read_number(text, min, max, number))
        return true;
    cli_say(cli, "--%s=%s: write a number from %llu to %llu", option, text, (unsigned long long)min,
        (unsigned long long)max);
    return false;
}

static bool
is_given(const struct poptOption *o)
{
    if ((o->argInfo & POPT_ARG_MASK) == POPT_ARG_NONE)
        return o->arg && *(const int *)o->arg != 0;
    return o->arg && *(char *const *)o->arg != NULL;
}

static bool
is_named(const char *const *names, const char *name)
{
    while (*names && strcmp(*names, name) != 0)
        names++;
    return *names != NULL;
}

/* Hidden ones are other names of those that are shown. */
const char *
cli_given(const struct poptOption *o, const char *const *names, bool among)
{
    const char *given = NULL;
    for (; !given && (o->longName || o->arg); o++) {
        if ((o->argInfo & POPT_ARG_MASK) == POPT_ARG_INCLUDE_TABLE)
            given = cli_given(o->arg, names, among); /* NOLINT(misc-no-recursion): one level */
        else if (!(o->argInfo & POPT_ARGFLAG_DOC_HIDDEN) && is_given(o) &&
            is_named(names, o->longName) == among)
            given = o->longName;
    }
    return given;
}

int
cli_check_takes(const struct cli *cli, const struct poptOption *options,
    const struct cli_takes *takes, const char *what)
{
    while (takes->what && strcmp(takes->what, what) != 0)
        takes++;
    const char *stray = takes->what ? cli_given(options, takes->names, false) : NULL;
    return stray ? cli_usage(cli, "--%s has no effect with %s", stray, what) : EX_OK;
}

struct stint_id *
cli_ids(const struct cli *cli, const char **args, size_t *count)
{
    size_t n = 0;
    while (args && args[n])
        n++;
    struct stint_id *ids = cli_allocate((n + 1) * sizeof *ids);
    for (size_t i = 0; i < n; i++)
        if (stint_id_parse(args[i], &ids[i]) != STINT_OK) {
            cli_say(cli, "%s is not a job's id; ids look like 0.1.100.7", args[i]);
            free(ids);
            return NULL;
        }
    *count = n;
    return ids;
}
