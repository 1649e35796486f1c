/* The verb table, options that all verbs share, and where every verb ends. */
#include "cli.h"
#include "console.h"
#include "streams.h"
#include "values.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct verb *const verbs[] = {&verb_submit, &verb_map, &verb_run, &verb_wait,
    &verb_result, &verb_show, &verb_ls, &verb_bulk, &verb_cancel, &verb_retry, &verb_change,
    &verb_promote, &verb_delete, &verb_peek, &verb_take, &verb_settle, &verb_progress, &verb_follow,
    &verb_why, &verb_queues, &verb_queue, &verb_groups, &verb_workers, &verb_worker, &verb_fleet,
    &verb_key, &verb_events, &verb_feed, &verb_schedule, &verb_batch, &verb_stats, &verb_top,
    &verb_bench, &verb_ping, &verb_backup, &verb_restore, &verb_dump, &verb_load};

/* Options of all verbs; they may stand before the verb and after it. */
static char *endpoint, *key, *broker_key, *broker_timeout;
static int json, help;

static struct poptOption common[] = {
    {"endpoint", 'e', POPT_ARG_STRING, &endpoint, 0, "the broker", "ENDPOINT"},
    {"key", 0, POPT_ARG_STRING, &key, 0, "our own key, for a broker that asks for one", "FILE"},
    {"broker-key", 0, POPT_ARG_STRING, &broker_key, 0, "the broker's public key", "KEY|FILE"},
    {"broker-timeout", 0, POPT_ARG_STRING, &broker_timeout, 0,
        "give up when the broker is silent for so long (10s; map, run, wait, events and fleet "
        "scale: to connect, then for ever)",
        "TIME"},
    {"json", 'j', POPT_ARG_NONE, &json, 0, "write JSON, a line an object", NULL},
    {"help", 'h', POPT_ARG_NONE, &help, 0, "tell the options", NULL},
    {"usage", '?', POPT_ARG_NONE | POPT_ARGFLAG_DOC_HIDDEN, &help, 0, NULL, NULL}, POPT_TABLEEND};

static void
print_help(FILE *to)
{
    fprintf(to,
        "Usage: stint [OPTION...] VERB [OPTION...] [ARGUMENT...]\n\n"
        "A durable job queue with a fleet of workers.\n\nVerbs:\n");
    for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++)
        fprintf(to, "  %-8s  %s\n", verbs[i]->name, verbs[i]->summary);
    fprintf(to, "  %-8s  %s\n", "help", "tell the options of a verb");
    fprintf(to,
        "\n`stint help VERB` or `stint VERB --help` tells its options. The broker is taken from "
        "--endpoint,\nthen STINT_ENDPOINT, then " STINT_DEFAULT_ENDPOINT ".\n");
}

static const struct verb *
find(const char *name)
{
    for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++)
        if (strcmp(verbs[i]->name, name) == 0)
            return verbs[i];
    return NULL;
}

static void
print_options(const struct poptOption *table)
{
    for (const struct poptOption *o = table;
         o->longName || o->shortName || o->argInfo == POPT_ARG_INCLUDE_TABLE; o++)
        if (o->argInfo == POPT_ARG_INCLUDE_TABLE)
            print_options((const struct poptOption *)o->arg);
        else if (o->longName && !(o->argInfo & POPT_ARGFLAG_DOC_HIDDEN))
            fprintf(console_out(), "--%s\n", o->longName);
}

/* For shell completion: the long options of a verb, or the verbs. */
static int
print_words(const char *verb)
{
    const struct verb *v = verb ? find(verb) : NULL;
    for (size_t i = 0; !verb && i < sizeof verbs / sizeof *verbs; i++)
        fprintf(console_out(), "%s\n", verbs[i]->name);
    if (v) {
        print_options(v->options);
        print_options(common);
    }
    return EX_OK;
}

/* What stands before the verb, and -j and its like after it. */
static int
take_common(struct cli *cli)
{
    uint64_t timeout_ms = STINT_TIMEOUT_DEFAULT;
    if (broker_timeout && !cli_duration(cli, "broker-timeout", broker_timeout, &timeout_ms))
        return EX_USAGE;
    if (timeout_ms == 0)
        return cli_usage(cli, "--broker-timeout=%s: write at least 1ms", broker_timeout);
    cli->endpoint = endpoint;
    cli->key = key;
    cli->broker_key = broker_key;
    cli->json = json != 0;
    cli->bounded = broker_timeout != NULL;
    cli->timeout_ms = timeout_ms > UINT32_MAX ? UINT32_MAX : (uint32_t)timeout_ms;
    return EX_OK;
}

static int
run_verb(const struct verb *verb, int argc, const char **argv)
{
    struct cli cli = {.verb = verb->name};
    char program[64];
    struct poptOption table[] = {
        {NULL, '\0', POPT_ARG_INCLUDE_TABLE, verb->options, 0, "Options:", NULL},
        {NULL, '\0', POPT_ARG_INCLUDE_TABLE, common, 0, "Options of all verbs:", NULL},
        POPT_TABLEEND};
    (void)snprintf(program, sizeof program, "stint %s", verb->name);
    argv[0] = program;
    poptContext popt = poptGetContext(program, argc, argv, table,
        verb->takes == VERB_TAKES_COMMAND ? POPT_CONTEXT_POSIXMEHARDER : 0);
    poptSetOtherOptionHelp(popt, verb->arguments);
    int rc = poptGetNextOpt(popt);
    if (rc < -1)
        rc = cli_usage(&cli, "%s: %s; see stint help %s",
            poptBadOption(popt, POPT_BADOPTION_NOALIAS), poptStrerror(rc), verb->name);
    else if (help) {
        poptPrintHelp(popt, console_out(), 0);
        rc = EX_OK;
    } else if ((rc = take_common(&cli)) == EX_OK) {
        const char **args = poptGetArgs(popt);
        if (verb->takes == VERB_TAKES_NOTHING && args && args[0])
            rc = cli_usage(&cli, "what is %s? it takes no arguments", args[0]);
        else
            rc = verb->run(&cli, args);
        stint_client_destroy(&cli.client);
    }
    poptFreeContext(popt);
    return rc;
}

/* Reads the options before the verb. Returns where the verb stands, or `argc`. */
static int
read_leading(int argc, const char **argv, int *rc)
{
    int version = 0, words = 0;
    struct poptOption table[] = {{NULL, '\0', POPT_ARG_INCLUDE_TABLE, common, 0, "Options:", NULL},
        {"version", 'V', POPT_ARG_NONE, &version, 0, "tell the version", NULL},
        {"words", 0, POPT_ARG_NONE | POPT_ARGFLAG_DOC_HIDDEN, &words, 0, NULL, NULL},
        {"values", 0, POPT_ARG_NONE | POPT_ARGFLAG_DOC_HIDDEN, &words, 0, NULL, NULL},
        POPT_TABLEEND};
    poptContext popt = poptGetContext("stint", argc, argv, table, POPT_CONTEXT_POSIXMEHARDER);
    int got = poptGetNextOpt(popt);
    const char **args = poptGetArgs(popt);
    int left = 0;
    while (args && args[left])
        left++;
    *rc = -1;
    if (got < -1) {
        char text[300];
        (void)snprintf(text, sizeof text, "stint: %s: %s; see stint --help",
            poptBadOption(popt, POPT_BADOPTION_NOALIAS), poptStrerror(got));
        console_say(text);
        *rc = EX_USAGE;
    } else if (version) {
        fprintf(console_out(), "stint %s\n", stint_version());
        *rc = EX_OK;
    }
    poptFreeContext(popt);
    return argc - left;
}

static int
run(int argc, const char **argv)
{
    int rc, at = argc;
    if (argc > 1 && strcmp(argv[1], "--words") == 0)
        return print_words(argc > 2 ? argv[2] : NULL);
    if (argc > 2 && strcmp(argv[1], "--values") == 0)
        return values_print(argv[2], argc > 3 ? argv[3] : NULL);
    at = read_leading(argc, argv, &rc);
    if (rc >= 0)
        return rc;
    if (at < argc && strcmp(argv[at], "help") == 0) {
        help = 1;
        at++;
    }
    if (at == argc) {
        print_help(help ? console_out() : stderr);
        return help ? EX_OK : EX_USAGE;
    }
    const struct verb *verb = find(argv[at]);
    if (!verb) {
        char text[300];
        (void)snprintf(text, sizeof text, "stint: there is no verb %s; see stint --help", argv[at]);
        console_say(text);
        return EX_USAGE;
    }
    return run_verb(verb, argc - at, argv + at);
}

int
main(int argc, char **argv)
{
    standard_streams_open();
    (void)signal(SIGPIPE, SIG_IGN);
    int rc = run(argc, (const char **)argv);
    int end = console_end("stint");
    /* What went wrong before says more than an output that is not there; but 0 it can't be. */
    return end != EX_OK && (rc == EX_OK || rc == EX_IOERR || rc == EXIT_JOB_FAILED) ? end : rc;
}
