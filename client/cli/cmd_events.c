/* stint events: what happens, a line an event, as it happens, or as a feed has recorded it. */
#include "console.h"
#include "out.h"
#include "reading.h"
#include "stall.h"

#include <stdio.h>
#include <stdlib.h>

static char *queue, *limit_text, *feed, *from, *after, *cursor;
static uint64_t limit;
static int follow;

static struct poptOption options[] = {
    {"queue", 'q', POPT_ARG_STRING, &queue, 0, "only of this queue", "NAME"},
    {"limit", 'n', POPT_ARG_STRING, &limit_text, 0, "end after so many; 0: never (0)", "N"},
    {"feed", 0, POPT_ARG_STRING, &feed, 0, "what this feed has recorded (stint feed add)", "NAME"},
    {"from", 0, POPT_ARG_STRING, &from, 0,
        "of a feed: from this number or position on, or from the next event (the oldest kept)",
        "N|POSITION|next"},
    {"after", 0, POPT_ARG_STRING, &after, 0, "of a feed: from the number behind this one on", "N"},
    {"cursor", 0, POPT_ARG_STRING, &cursor, 0,
        "of a feed: go on at the position in this file, and keep it there", "FILE"},
    {"follow", 0, POPT_ARG_NONE, &follow, 0, "of a feed: when all is told, go on with what happens",
        NULL},
    POPT_TABLEEND};

struct watching {
    const struct cli *cli;
    struct stall stall;
    uint64_t count;
};

static void
happened(void *context, const struct stint_event *event)
{
    struct watching *w = context;
    char id[STINT_ID_TEXT_BYTES];
    if (limit && w->count >= limit)
        return;
    w->count++;
    stall_progress(&w->stall);
    if (w->cli->json)
        (void)out_line(out_event(event));
    else {
        json_t *o = out_event(event);
        const char *at = json_string_value(json_object_get(o, "at"));
        fprintf(console_out(), "%s  %-10s ", at ? at : "", stint_event_name(event->type));
        if (event->type == STINT_EVENT_LOST)
            fprintf(console_out(), "%llu events\n", (unsigned long long)event->count);
        else
            fprintf(console_out(), "%s  %s\n", stint_id_format(&event->id, id), event->queue);
        json_decref(o);
    }
    (void)fflush(console_out());
}

static int
watch(struct cli *cli, const struct stint_subscription *what, struct watching *w)
{
    int rc = EX_OK;
    enum stint_status status = stint_subscribe(cli->client, what, happened, w, cli->timeout_ms);
    cli_catch_interrupt();
    stall_begin(&w->stall, cli, NULL, NULL);
    while (status == STINT_OK && rc == EX_OK && !cli_interrupted() && !console_failed() &&
        !console_reader_gone() && !(limit && w->count >= limit)) {
        status = stint_client_process(cli->client, 200);
        if (status == STINT_OK)
            rc = stall_look(&w->stall);
    }
    if (status != STINT_OK)
        return cli_failed(cli, status);
    if (rc != EX_OK)
        return rc;
    if (console_failed())
        return EX_IOERR;
    return cli_interrupted() ? EXIT_SIGNAL + cli_interrupted() : EX_OK;
}

static int
read_feed(struct cli *cli, const struct stint_id *ids, size_t count)
{
    struct stint_feed_position at;
    struct reading r = {.feed = feed,
        .from = from,
        .after = after,
        .cursor = cursor,
        .follow = follow,
        .limit = limit,
        .queue = queue,
        .ids = ids,
        .ids_count = count};
    int rc = reading_prepare(cli, &r, &at);
    if (rc == EX_OK)
        rc = cli_connect(cli, NULL, 0);
    return rc == EX_OK ? reading_run(cli, &r, at) : rc;
}

static int
run(struct cli *cli, const char **args)
{
    struct watching w = {.cli = cli};
    size_t count;
    if (!feed && (from || after || cursor || follow))
        return cli_usage(cli, "--from, --after, --cursor and --follow are for a feed: say --feed");
    if (limit_text && !cli_number(cli, "limit", limit_text, 0, UINT64_MAX, &limit))
        return EX_USAGE;
    struct stint_id *ids = cli_ids(cli, args, &count);
    if (!ids)
        return EX_USAGE;
    struct stint_subscription what = {.queue = queue, .ids = ids, .ids_count = count};
    int rc = feed ? read_feed(cli, ids, count) : cli_connect(cli, NULL, 0);
    if (rc == EX_OK && !feed)
        rc = watch(cli, &what, &w);
    stint_client_destroy(&cli->client);
    free(ids);
    return rc;
}

const struct verb verb_events = {"events", "[OPTION...] [ID...]",
    "tell what happens to jobs as it happens", options, run, VERB_TAKES_ARGUMENTS};
