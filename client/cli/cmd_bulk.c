/* stint bulk: something is done to all jobs that a filter is true of. The broker does it; this
 * counts first, asks, and shows how far it is.
 */
#include "console.h"
#include "out.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char **where, *to;
static int all, dry_run, yes, no_wait;

static struct poptOption options[] = {
    {"where", 'w', POPT_ARG_ARGV, &where, 0,
        "the jobs of which this is true: see FILTERS in stint(1)", "FILTER"},
    {"all", 0, POPT_ARG_NONE, &all, 0, "all jobs there are, where no filter is given", NULL},
    {"to", 0, POPT_ARG_STRING, &to, 0, "move: to this queue; priority: this one, 0 to 255",
        "QUEUE|N"},
    {"dry-run", 0, POPT_ARG_NONE, &dry_run, 0, "count them and show three, and do nothing to them",
        NULL},
    {"yes", 'y', POPT_ARG_NONE, &yes, 0, "do not ask first", NULL},
    {"no-wait", 0, POPT_ARG_NONE, &no_wait, 0, "print its id when it has begun, and end", NULL},
    POPT_TABLEEND};

static const struct action {
    const char *name;
    enum stint_bulk_action action;
    const char *done;
} actions[] = {{"cancel", STINT_BULK_CANCEL, "cancelled"}, {"retry", STINT_BULK_RETRY, "retried"},
    {"delete", STINT_BULK_DELETE, "deleted"}, {"promote", STINT_BULK_PROMOTE, "promoted"},
    {"move", STINT_BULK_MOVE, "moved"}, {"priority", STINT_BULK_PRIORITY, "given the priority"}};
enum { ACTIONS = sizeof actions / sizeof *actions };

static const struct out_column columns[] = {{"ID", "bulk", OUT_LEFT, 0},
    {"ACTION", "action", OUT_LEFT, 0}, {"STATE", "state", OUT_LEFT, 0},
    {"COUNTED", "counted", OUT_RIGHT, 0}, {"DONE", "done", OUT_RIGHT, 0},
    {"REFUSED", "refused", OUT_RIGHT, 90}, {"AGE", "ago:began", OUT_RIGHT, 60},
    {"KEY", "key", OUT_LEFT, 100}, {"WHERE", "where", OUT_LONG, 0}};

static const struct out_column example_columns[] = {{"ID", "id", OUT_LEFT, 0},
    {"QUEUE", "queue", OUT_LEFT, 60}, {"KIND", "kind", OUT_LEFT, 70},
    {"STATE", "state", OUT_LEFT, 0}, {"AGE", "ago:submitted", OUT_RIGHT, 50},
    {"ERROR", "error", OUT_LONG, 0}};

static const char *
done_to(enum stint_bulk_action action)
{
    size_t i = 0;
    while (i + 1 < ACTIONS && actions[i].action != action)
        i++;
    return actions[i].done;
}

static bool
has_ended(const struct stint_bulk_info *info)
{
    return info->state == STINT_BULK_DONE || info->state == STINT_BULK_STOPPED;
}

/* ---- what it says ---- */

/* Of a dry run, some of the jobs that it would be about; not a word where they can't be seen. */
static void
show_examples(struct cli *cli, const struct stint_bulk_info *info)
{
    struct out_table *table =
        out_table_new(example_columns, sizeof example_columns / sizeof *example_columns);
    for (uint32_t i = 0; i < info->examples_count; i++) {
        const struct stint_job_info *job;
        if (stint_get(cli->client, &info->examples[i], STINT_NO_PARTS, &job, cli->timeout_ms) ==
            STINT_OK)
            out_table_add(table, out_job(job));
    }
    (void)out_table_show(&table);
}

static void
say_end(const struct cli *cli, const struct stint_bulk_info *i)
{
    unsigned long long counted = i->counted, done = i->done, refused = i->refused;
    char left[160] = "", target[STINT_NAME_BYTES + 8] = "";
    size_t n = 0;
    if (i->action == STINT_BULK_MOVE)
        (void)snprintf(target, sizeof target, " to %s", i->queue);
    if (i->action == STINT_BULK_PRIORITY)
        (void)snprintf(target, sizeof target, " %u", i->priority);
    if (refused)
        n += (size_t)snprintf(
            left, sizeof left, "; %llu could not be (%s)", refused, stint_status_text(i->status));
    if (i->state == STINT_BULK_DONE && counted > done + refused)
        (void)snprintf(
            left + n, sizeof left - n, "; %llu had moved on meanwhile", counted - done - refused);
    cli_say(cli, "%llu of %llu jobs %s%s%s%s", done, counted, done_to(i->action), target, left,
        i->state == STINT_BULK_STOPPED ? "; it was stopped" : "");
}

/* At its end. Returns an exit code, which is that of a refusal where all were refused. */
static int
tell_end(struct cli *cli, const struct stint_bulk_info *info)
{
    bool refused = has_ended(info) && !info->dry && info->done == 0 && info->refused > 0;
    if (cli->json && !out_line(out_bulk(info)))
        return EX_IOERR;
    if (!has_ended(info))
        cli_say(cli, "it is accepted as %016" PRIx64 "; this key may not see how far it is",
            info->bulk);
    if (cli->json || !has_ended(info))
        return refused ? cli_exit(info->status) : EX_OK;
    if (info->dry) {
        struct stint_bulk_info kept = *info;
        show_examples(cli, &kept);
        cli_say(cli, "%llu jobs; nothing was done to them", (unsigned long long)kept.counted);
    } else
        say_end(cli, info);
    return refused ? cli_exit(info->status) : EX_OK;
}

static void
show_progress(const struct stint_bulk_info *i)
{
    enum { WIDTH = 30, LINE_BYTES = 160 };
    char line[LINE_BYTES], bar[WIDTH + 1];
    uint64_t over = i->done + i->refused, of = i->counted > over ? i->counted : over;
    if (console_error_width() == 0)
        return;
    if (i->state == STINT_BULK_COUNTING)
        (void)snprintf(line, sizeof line, "counting: %" PRIu64 " jobs", i->counted);
    else {
        size_t full = of ? (size_t)(over * WIDTH / of) : WIDTH;
        memset(bar, '.', WIDTH);
        memset(bar, '#', full);
        bar[WIDTH] = '\0';
        (void)snprintf(line, sizeof line, "[%s] %" PRIu64 " of %" PRIu64 " jobs %s", bar, over, of,
            done_to(i->action));
    }
    console_progress(line);
}

/* ---- waiting ---- */

static void
say_goes_on(const struct cli *cli, uint64_t bulk)
{
    cli_say(cli,
        "it goes on as %016" PRIx64 ": stint bulk wait %016" PRIx64
        ", or stint bulk stop %016" PRIx64,
        bulk, bulk, bulk);
}

/* Until it has ended, or it turns out that this key may do it and not see it. Returns an exit code.
 */
static int
wait_for(struct cli *cli, struct stint_bulk_info *info)
{
    enum { LOOK_MS = 200, FIRST_LOOK_MS = 5 };
    const uint64_t bulk = info->bulk;
    uint64_t look_ms = FIRST_LOOK_MS; /* short ones are to be short */
    int rc = EX_OK;
    cli_catch_interrupt();
    while (rc == EX_OK && !has_ended(info)) {
        uint64_t until_ms = clock_ms() + look_ms;
        look_ms = 2 * look_ms < LOOK_MS ? 2 * look_ms : LOOK_MS;
        show_progress(info);
        for (uint64_t now_ms; (now_ms = clock_ms()) < until_ms && !cli_interrupted();)
            if (stint_client_process(cli->client, (uint32_t)(until_ms - now_ms)) != STINT_OK)
                break;
        enum stint_status status = stint_bulk_get(cli->client, bulk, info, cli->timeout_ms);
        if (cli_interrupted() && !has_ended(info))
            rc = EXIT_SIGNAL + cli_interrupted();
        else if (status == STINT_DENIED && !info->dry)
            break;
        else if (status != STINT_OK)
            rc = cli_failed(cli, status);
    }
    console_progress("");
    if (rc != EX_OK && !info->dry)
        say_goes_on(cli, bulk);
    return rc;
}

/* ---- beginning ---- */

static int
begin(struct cli *cli, const struct stint_bulk *bulk, struct stint_bulk_info *info)
{
    enum stint_status status = stint_bulk_begin(cli->client, bulk, info, cli->timeout_ms);
    return status == STINT_OK ? EX_OK : cli_failed(cli, status);
}

/* Only a person at a terminal is asked, but whoever forgets --yes learns how many jobs it would be,
 * and whether the filter can be read. Returns an exit code: EX_OK is a yes. */
static int
ask_first(struct cli *cli, const struct stint_bulk *bulk)
{
    struct stint_bulk count = *bulk;
    struct stint_bulk_info info;
    char answer[8] = "";
    count.dry = true;
    int rc = begin(cli, &count, &info);
    if (rc == EX_OK)
        rc = wait_for(cli, &info);
    if (rc != EX_OK)
        return rc;
    struct stint_bulk_info kept = info;
    show_examples(cli, &kept);
    if (!isatty(STDIN_FILENO) || console_error_width() == 0)
        return cli_usage(cli, "it is about %llu jobs, and nobody can be asked here: --yes does it",
            (unsigned long long)kept.counted);
    cli_say(cli, "%s %llu jobs? y or n", stint_bulk_action_name(bulk->action),
        (unsigned long long)kept.counted);
    if (!fgets(answer, sizeof answer, stdin) || (answer[0] != 'y' && answer[0] != 'Y')) {
        cli_say(cli, "nothing was done");
        return EXIT_JOB_FAILED;
    }
    return EX_OK;
}

static int
do_it(struct cli *cli, const struct stint_bulk *bulk)
{
    struct stint_bulk_info info;
    int rc = bulk->dry || yes ? EX_OK : ask_first(cli, bulk);
    if (rc == EX_OK)
        rc = begin(cli, bulk, &info);
    if (rc != EX_OK)
        return rc;
    if (no_wait && cli->json)
        return out_line(out_bulk(&info)) ? EX_OK : EX_IOERR;
    if (no_wait)
        return fprintf(console_out(), "%016" PRIx64 "\n", info.bulk) > 0 ? EX_OK : EX_IOERR;
    rc = wait_for(cli, &info);
    return rc == EX_OK ? tell_end(cli, &info) : rc;
}

static int
start(struct cli *cli, const struct action *action)
{
    struct stint_bulk bulk = STINT_BULK_INIT;
    uint64_t priority;
    bool needs_to = action->action == STINT_BULK_MOVE || action->action == STINT_BULK_PRIORITY;
    if ((where == NULL) == (all == 0))
        return cli_usage(cli, "of which jobs? give --where FILTER, or --all");
    if (needs_to != (to != NULL))
        return cli_usage(
            cli, needs_to ? "%s: where to? give --to" : "%s takes no --to", action->name);
    if (action->action == STINT_BULK_PRIORITY) {
        if (!cli_number(cli, "to", to, 0, 255, &priority))
            return EX_USAGE;
        bulk.priority = (int32_t)priority;
    } else
        bulk.queue = to;
    int rc = cli_connect(cli, NULL, 0);
    if (rc != EX_OK)
        return rc;
    char *filter = cli_join(where);
    bulk.action = action->action;
    bulk.where = filter;
    bulk.dry = dry_run != 0;
    rc = strspn(filter, " ") == strlen(filter) && !all
        ? cli_usage(cli, "--where: the filter is empty")
        : do_it(cli, &bulk);
    free(filter);
    return rc;
}

/* ---- those that there are ---- */

struct listing {
    struct cli *cli;
    struct out_table *table;
    const char *prefix; /* of an id that is looked for, or NULL */
    uint64_t found;
    unsigned count;
};

static bool
each(void *context, const struct stint_bulk_info *info)
{
    struct listing *l = context;
    char text[20];
    (void)snprintf(text, sizeof text, "%016" PRIx64, info->bulk);
    if (l->prefix && strncmp(text, l->prefix, strlen(l->prefix)) != 0)
        return true;
    l->count++;
    l->found = info->bulk;
    if (l->prefix)
        return true;
    if (l->cli->json)
        return out_line(out_bulk(info));
    out_table_add(l->table, out_bulk(info));
    return !console_failed();
}

static int
list(struct cli *cli)
{
    struct listing l = {.cli = cli};
    int rc = cli_connect(cli, NULL, 0);
    if (rc != EX_OK)
        return rc;
    l.table = out_table_new(columns, sizeof columns / sizeof *columns);
    enum stint_status status = stint_bulks(cli->client, each, &l, cli->timeout_ms);
    bool table = out_table_show(&l.table);
    if (status != STINT_OK)
        return cli_failed(cli, status);
    if (!table && !cli->json)
        cli_say(cli, "none is kept");
    return EX_OK;
}

/* Its number, of which the first digits are enough. Returns an exit code. */
static int
find(struct cli *cli, const char *text, uint64_t *bulk)
{
    enum { DIGITS = 16 };
    struct listing l = {.cli = cli, .prefix = text};
    size_t size = strlen(text);
    if (size == 0 || size > DIGITS || strspn(text, "0123456789abcdef") != size)
        return cli_usage(cli, "%s is no id of a bulk operation; see stint bulk ls", text);
    if (size == DIGITS) {
        *bulk = strtoull(text, NULL, 16);
        return EX_OK;
    }
    enum stint_status status = stint_bulks(cli->client, each, &l, cli->timeout_ms);
    if (status != STINT_OK)
        return cli_failed(cli, status);
    *bulk = l.found;
    if (l.count == 1)
        return EX_OK;
    cli_say(
        cli, "%s: %s", text, l.count ? "several begin so" : "there is none, or it is forgotten");
    return EXIT_NO_SUCH_JOB;
}

/* "show", "wait" or "stop". */
static int
of_one(struct cli *cli, const char *word, const char *text)
{
    struct stint_bulk_info info;
    uint64_t bulk = 0;
    int rc = cli_connect(cli, NULL, 0);
    if (rc == EX_OK)
        rc = find(cli, text, &bulk);
    if (rc != EX_OK)
        return rc;
    enum stint_status status = strcmp(word, "stop") == 0
        ? stint_bulk_stop(cli->client, bulk, &info, cli->timeout_ms)
        : stint_bulk_get(cli->client, bulk, &info, cli->timeout_ms);
    if (status != STINT_OK)
        return cli_failed(cli, status);
    if (strcmp(word, "show") == 0 && cli->json)
        return out_line(out_bulk(&info)) ? EX_OK : EX_IOERR;
    if (strcmp(word, "show") == 0) {
        out_fields(out_bulk(&info));
        return EX_OK;
    }
    rc = wait_for(cli, &info); /* one that was stopped has ended */
    return rc == EX_OK ? tell_end(cli, &info) : rc;
}

static int
run(struct cli *cli, const char **args)
{
    const char *word = args ? args[0] : NULL;
    bool is_about = word &&
        (strcmp(word, "show") == 0 || strcmp(word, "wait") == 0 || strcmp(word, "stop") == 0);
    if (!word)
        return cli_usage(
            cli, "what? cancel, retry, delete, promote, move, priority; ls, show, wait, stop");
    if (args[1] && (!is_about || args[2]))
        return cli_usage(cli, "what is %s?", is_about ? args[2] : args[1]);
    if (is_about)
        return args[1] ? of_one(cli, word, args[1]) : cli_usage(cli, "which one? give its id");
    if (strcmp(word, "ls") == 0)
        return list(cli);
    for (size_t i = 0; i < ACTIONS; i++)
        if (strcmp(actions[i].name, word) == 0)
            return start(cli, &actions[i]);
    return cli_usage(cli,
        "%s: write cancel, retry, delete, promote, move, priority, ls, show, wait or stop", word);
}

const struct verb verb_bulk = {"bulk",
    "[OPTION...] cancel|retry|delete|promote|move|priority|ls|show|wait|stop [ID]",
    "cancel, retry, delete, promote or move all jobs that a filter is true of", options, run,
    VERB_TAKES_ARGUMENTS};
