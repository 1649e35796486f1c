/* stint feed: make, list and remove feeds of recorded events. */
#include "console.h"
#include "out.h"

#include <stdio.h>
#include <string.h>

static char *queue, *events, *keep, *max_text, *bytes_text;

static struct poptOption options[] = {
    {"queue", 'q', POPT_ARG_STRING, &queue, 0,
        "add: of this queue, or of those that begin so (mail.*); of all, if not given", "NAME"},
    {"events", 0, POPT_ARG_STRING, &events, 0,
        "add: these events, as succeeded,dead; all, if not given", "LIST"},
    {"keep", 0, POPT_ARG_STRING, &keep, 0, "add: keep events for so long (24h)", "TIME"},
    {"max", 0, POPT_ARG_STRING, &max_text, 0, "add: keep so many events at most (1000000)", "N"},
    {"max-bytes", 0, POPT_ARG_STRING, &bytes_text, 0,
        "add: let them take so many bytes at most (67108864)", "N"},
    POPT_TABLEEND};

enum { FIRST_EVENT = STINT_EVENT_SUBMITTED, LAST_EVENT = STINT_EVENT_EXPIRED };

static bool
is_recorded(unsigned type)
{
    return type != STINT_EVENT_LOST;
}

/* The bit of the event that is called so; 0: there is none. */
static uint32_t
event_bit(const char *name, size_t size)
{
    for (unsigned type = FIRST_EVENT; type <= LAST_EVENT; type++) {
        const char *known = stint_event_name((enum stint_event_type)type);
        if (is_recorded(type) && strlen(known) == size && memcmp(known, name, size) == 0)
            return 1U << type;
    }
    return 0;
}

static int
read_events(struct cli *cli, uint32_t *bits)
{
    for (const char *at = events; at; at += *at == ',') {
        size_t size = strcspn(at, ",");
        uint32_t bit = event_bit(at, size);
        if (!bit)
            return cli_usage(cli,
                "--events=%s: write a list of submitted, started, succeeded, failed, requeued, "
                "dead, cancelled, changed and expired",
                events);
        *bits |= bit;
        at += size;
        if (!*at)
            break;
    }
    return EX_OK;
}

static int
read_options(struct cli *cli, struct stint_feed *feed)
{
    if (queue && (!*queue || strlen(queue) >= sizeof feed->queues))
        return cli_usage(
            cli, "--queue=%s: write the name of a queue, or its begin and a star", queue);
    if (queue)
        memcpy(feed->queues, queue, strlen(queue) + 1);
    if (read_events(cli, &feed->events) != EX_OK ||
        (keep && !cli_duration(cli, "keep", keep, &feed->keep_ms)) ||
        (max_text && !cli_number(cli, "max", max_text, 1, 1000000000, &feed->max_events)) ||
        (bytes_text &&
            !cli_number(cli, "max-bytes", bytes_text, 4096, UINT64_C(1) << 40, &feed->max_bytes)))
        return EX_USAGE;
    if (keep && feed->keep_ms == 0)
        return cli_usage(cli, "--keep=%s: write how long events are kept", keep);
    return EX_OK;
}

static json_t *
event_names(uint32_t bits)
{
    json_t *all = json_array();
    for (unsigned type = FIRST_EVENT; type <= LAST_EVENT; type++)
        if (is_recorded(type) && (bits == 0 || (bits >> type & 1)))
            json_array_append_new(all, json_string(stint_event_name((enum stint_event_type)type)));
    return all;
}

static int
add(struct cli *cli, const char *name)
{
    struct stint_feed feed = {.events = 0}, now;
    int rc = read_options(cli, &feed);
    if (rc != EX_OK)
        return rc;
    if (strlen(name) >= sizeof feed.name)
        return cli_usage(cli, "%s: a feed's name has at most 64 characters", name);
    memcpy(feed.name, name, strlen(name) + 1);
    rc = cli_connect(cli, NULL, 0);
    if (rc != EX_OK)
        return rc;
    enum stint_status status = stint_set_feed(cli->client, &feed, &now, cli->timeout_ms);
    if (status != STINT_OK)
        return cli_failed(cli, status);
    if (cli->json)
        return out_line(out_feed(&now)) ? EX_OK : EX_IOERR;
    cli_say(cli, "the feed %s %s, its next event has the number %llu", name,
        now.made ? "is made" : "was there and is changed", (unsigned long long)now.next);
    return EX_OK;
}

struct listing {
    struct cli *cli;
    struct out_table *table;
};

static bool
each(void *context, const struct stint_feed *feed)
{
    const struct listing *l = context;
    if (l->cli->json)
        return out_line(out_feed(feed));
    out_table_add(l->table, out_feed(feed));
    return true;
}

static int
list(struct cli *cli)
{
    static const struct out_column columns[] = {{"FEED", "name", OUT_LEFT, 0},
        {"QUEUES", "queues", OUT_LEFT, 0}, {"FIRST", "first", OUT_RIGHT, 0},
        {"NEXT", "next", OUT_RIGHT, 0}, {"EVENTS", "kept", OUT_RIGHT, 0},
        {"MAX", "max_events", OUT_RIGHT, 70}, {"BYTES", "bytes", OUT_RIGHT, 70},
        {"KEEP", "age:keep_ms", OUT_RIGHT, 0}};
    struct listing l = {.cli = cli};
    int rc = cli_connect(cli, NULL, 0);
    if (rc != EX_OK)
        return rc;
    if (!cli->json)
        l.table = out_table_new(columns, sizeof columns / sizeof *columns);
    enum stint_status status = stint_feeds(cli->client, each, &l, cli->timeout_ms);
    bool any = cli->json || out_table_show(&l.table);
    if (status != STINT_OK)
        return cli_failed(cli, status);
    if (!any)
        cli_say(cli, "there is no feed; stint feed add makes one");
    return console_failed() ? EX_IOERR : EX_OK;
}

/* One that fails does not hold up the others. */
static int
remove_feeds(struct cli *cli, const char **names)
{
    int failed = EX_OK, rc = cli_connect(cli, NULL, 0);
    if (rc != EX_OK)
        return rc;
    for (; *names; names++) {
        enum stint_status status = stint_remove_feed(cli->client, *names, cli->timeout_ms);
        if (status == STINT_OK && cli->json)
            rc = out_line(json_pack(
                     "{ss ss sb}", "schema", "stint.feed/1", "name", *names, "removed", 1))
                ? EX_OK
                : EX_IOERR;
        else if (status == STINT_OK)
            cli_say(cli, "the feed %s is removed", *names);
        else {
            cli_say(cli, "%s: %s", *names, stint_client_error(cli->client));
            rc = cli_exit(status);
        }
        failed = failed == EX_OK ? rc : failed;
        if (rc == EX_UNAVAILABLE || rc == EX_TEMPFAIL || rc == EX_IOERR)
            break;
    }
    return failed;
}

json_t *
out_feed(const struct stint_feed *f)
{
    const struct {
        const char *field;
        uint64_t value;
    } numbers[] = {{"keep_ms", f->keep_ms}, {"max_events", f->max_events},
        {"max_bytes", f->max_bytes}, {"first", f->first}, {"next", f->next},
        {"kept", f->next - f->first}, {"bytes", f->bytes}, {"life", f->life}};
    json_t *o = json_pack("{ss ss ss so}", "schema", "stint.feed/1", "name", f->name, "queues",
        *f->queues ? f->queues : "*", "events", event_names(f->events));
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        json_object_set_new(o, numbers[i].field, json_integer((json_int_t)numbers[i].value));
    return o;
}

static int
run(struct cli *cli, const char **args)
{
    bool given = queue || events || keep || max_text || bytes_text;
    const char *what = args ? args[0] : NULL;
    if (!what)
        return cli_usage(cli, "what about feeds? add, ls or rm");
    if (strcmp(what, "add") == 0)
        return args[1] && !args[2] ? add(cli, args[1]) : cli_usage(cli, "which feed? give a name");
    if (given)
        return cli_usage(cli, "options of a feed are for stint feed add");
    if (strcmp(what, "ls") == 0)
        return args[1] ? cli_usage(cli, "%s: ls takes no argument", args[1]) : list(cli);
    if (strcmp(what, "rm") != 0)
        return cli_usage(cli, "%s: write add, ls or rm", what);
    return args[1] ? remove_feeds(cli, args + 1)
                   : cli_usage(cli, "which feed? give one or more names");
}

const struct verb verb_feed = {"feed", "[OPTION...] add NAME|ls|rm NAME...",
    "make, list or remove feeds: numbered events that are kept", options, run,
    VERB_TAKES_ARGUMENTS};
