/* The verb table, what all verbs share, and how statuses become exit codes. */
#include "cli.h"

#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct verb *const verbs[] = {&verb_submit, &verb_map, &verb_run, &verb_wait,
    &verb_result, &verb_show, &verb_ls, &verb_cancel, &verb_retry, &verb_queues, &verb_workers,
    &verb_events, &verb_stats, &verb_bench, &verb_ping};

static volatile sig_atomic_t interrupted;

static void
on_interrupt(int signal)
{
    (void)signal;
    interrupted = 1;
}

void
cli_catch_interrupt(void)
{
    struct sigaction action = {.sa_handler = on_interrupt, .sa_flags = (int)SA_RESETHAND};
    (void)sigaction(SIGINT, &action, NULL);
    (void)sigaction(SIGTERM, &action, NULL);
}

bool
cli_interrupted(void)
{
    return interrupted != 0;
}

static void
say(const struct cli *cli, const char *format, va_list arguments)
{
    fprintf(stderr, "stint %s: ", cli->verb);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
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

int
cli_exit(enum stint_status status)
{
    switch (status) {
    case STINT_OK:
        return EX_OK;
    case STINT_NO_SUCH_JOB:
    case STINT_NO_SUCH_QUEUE:
        return EXIT_NO_SUCH_JOB;
    case STINT_INVALID:
    case STINT_BAD_NAME:
    case STINT_WRONG_STATE:
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
    case STINT_UNKNOWN_OUTCOME:
        return EX_TEMPFAIL;
    case STINT_DENIED:
        return EX_NOPERM;
    case STINT_BAD_ENDPOINT:
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

int
cli_connect(struct cli *cli, const uint8_t *session, uint64_t submission)
{
    struct stint_client_options options = {
        .endpoint = cli->endpoint, .session = session, .submission = submission};
    enum stint_status status = stint_client_new(&options, &cli->client);
    if (status == STINT_OK)
        return EX_OK;
    cli_say(cli, "%s: %s; %s", cli->endpoint ? cli->endpoint : "STINT_ENDPOINT",
        stint_status_text(status), stint_status_hint(status));
    return cli_exit(status);
}

bool
cli_duration(const struct cli *cli, const char *option, const char *text, uint64_t *ms)
{
    static const struct {
        const char *unit;
        uint64_t ms;
    } units[] = {{"ms", 1}, {"s", 1000}, {"", 1000}, {"m", 60000}, {"h", 3600000}, {"d", 86400000}};
    char *end;
    unsigned long long n = strtoull(text, &end, 10);
    for (size_t i = 0; i < sizeof units / sizeof *units && end != text && *text != '-'; i++)
        if (strcmp(end, units[i].unit) == 0 && n <= UINT64_MAX / units[i].ms) {
            *ms = n * units[i].ms;
            return true;
        }
    cli_say(cli, "--%s=%s: write a duration such as 500ms, 10s, 5m, 24h or 30d", option, text);
    return false;
}

struct stint_id *
cli_ids(const struct cli *cli, const char **args, size_t *count)
{
    size_t n = 0;
    while (args && args[n])
        n++;
    struct stint_id *ids = calloc(n + 1, sizeof *ids);
    for (size_t i = 0; ids && i < n; i++)
        if (stint_id_parse(args[i], &ids[i]) != STINT_OK) {
            cli_say(cli, "%s is not a job's id; ids look like 0.1.100.7", args[i]);
            free(ids);
            return NULL;
        }
    *count = n;
    return ids;
}

static void
print_help(FILE *to)
{
    fprintf(to,
        "Usage: stint VERB [OPTION...] [ARGUMENT...]\n\n"
        "A durable job queue with a fleet of workers.\n\nVerbs:\n");
    for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++)
        fprintf(to, "  %-8s  %s\n", verbs[i]->name, verbs[i]->summary);
    fprintf(to,
        "\n`stint VERB --help` tells its options. The broker is taken from --endpoint, "
        "then\nSTINT_ENDPOINT, then " STINT_DEFAULT_ENDPOINT ".\n");
}

static const struct verb *
find(const char *name)
{
    for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++)
        if (strcmp(verbs[i]->name, name) == 0)
            return verbs[i];
    return NULL;
}

/* For shell completion: the long options of a verb, or the verbs. */
static int
print_words(const char *verb)
{
    const struct verb *v = verb ? find(verb) : NULL;
    for (size_t i = 0; !verb && i < sizeof verbs / sizeof *verbs; i++)
        puts(verbs[i]->name);
    for (const struct poptOption *o = v ? v->options : NULL;
         o && (o->longName || o->argInfo == POPT_ARG_INCLUDE_TABLE); o++) {
        if (o->longName)
            printf("--%s\n", o->longName);
        const struct poptOption *inner =
            o->argInfo == POPT_ARG_INCLUDE_TABLE ? (const struct poptOption *)o->arg : NULL;
        for (; inner && inner->longName; inner++)
            printf("--%s\n", inner->longName);
    }
    if (v)
        printf("--endpoint\n--timeout\n--json\n--help\n");
    return EX_OK;
}

static int
run_verb(const struct verb *verb, int argc, char **argv)
{
    struct cli cli = {.verb = verb->name, .timeout_ms = STINT_TIMEOUT_DEFAULT};
    char *endpoint = NULL, *timeout = NULL, program[64];
    int json = 0, rc;
    uint64_t timeout_ms = cli.timeout_ms;
    struct poptOption common[] = {
        {"endpoint", 'e', POPT_ARG_STRING, &endpoint, 0, "the broker", "ENDPOINT"},
        {"timeout", 't', POPT_ARG_STRING, &timeout, 0,
            "give up when the broker is silent for so long (10s)", "TIME"},
        {"json", 'j', POPT_ARG_NONE, &json, 0, "write JSON, a line an object", NULL},
        POPT_TABLEEND};
    struct poptOption table[] = {
        {NULL, '\0', POPT_ARG_INCLUDE_TABLE, verb->options, 0, "Options:", NULL},
        {NULL, '\0', POPT_ARG_INCLUDE_TABLE, common, 0, "Options of all verbs:", NULL},
        POPT_AUTOHELP POPT_TABLEEND};
    (void)snprintf(program, sizeof program, "stint %s", verb->name);
    /* What follows the first argument that is no option belongs to the program to be run. */
    poptContext popt = poptGetContext(program, argc, (const char **)argv, table,
        verb->run == verb_map.run || verb->run == verb_run.run ? POPT_CONTEXT_POSIXMEHARDER : 0);
    poptSetOtherOptionHelp(popt, verb->arguments);
    rc = poptGetNextOpt(popt);
    if (rc < -1)
        rc = cli_usage(&cli, "%s: %s; see stint %s --help",
            poptBadOption(popt, POPT_BADOPTION_NOALIAS), poptStrerror(rc), verb->name);
    else if (timeout && !cli_duration(&cli, "timeout", timeout, &timeout_ms))
        rc = EX_USAGE;
    else {
        cli.endpoint = endpoint;
        cli.json = json != 0;
        cli.timeout_ms = timeout_ms > UINT32_MAX ? UINT32_MAX : (uint32_t)timeout_ms;
        rc = verb->run(&cli, poptGetArgs(popt));
        stint_client_destroy(&cli.client);
        if (fflush(stdout) != 0 && rc == EX_OK)
            rc = EX_IOERR;
    }
    poptFreeContext(popt);
    free(endpoint);
    free(timeout);
    return rc;
}

int
main(int argc, char **argv)
{
    if (argc < 2) {
        print_help(stderr);
        return EX_USAGE;
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 ||
        strcmp(argv[1], "help") == 0) {
        print_help(stdout);
        return EX_OK;
    }
    if (strcmp(argv[1], "--version") == 0 || strcmp(argv[1], "-V") == 0) {
        printf("stint %s\n", stint_version());
        return EX_OK;
    }
    if (strcmp(argv[1], "--words") == 0)
        return print_words(argc > 2 ? argv[2] : NULL);
    const struct verb *verb = find(argv[1]);
    if (!verb) {
        fprintf(stderr, "stint: there is no verb %s; see stint --help\n", argv[1]);
        return EX_USAGE;
    }
    (void)signal(SIGPIPE, SIG_IGN);
    return run_verb(verb, argc - 1, argv + 1);
}
