/* stint events: what happens, a line an event, as it happens. */
#include "out.h"

#include <stdio.h>
#include <stdlib.h>

static char *queue;
static int limit;

static struct poptOption options[] = {
    {"queue", 'q', POPT_ARG_STRING, &queue, 0, "only of this queue", "NAME"},
    {"limit", 'n', POPT_ARG_INT, &limit, 0, "end after so many; 0: never (0)", "N"}, POPT_TABLEEND};

struct watching {
    const struct cli *cli;
    int count;
    bool broken;
};

static void
happened(void *context, const struct stint_event *event)
{
    struct watching *w = context;
    char id[STINT_ID_TEXT_BYTES];
    if (limit && w->count >= limit)
        return;
    w->count++;
    if (w->cli->json)
        w->broken |= !out_line(out_event(event));
    else {
        json_t *o = out_event(event);
        const char *at = json_string_value(json_object_get(o, "at"));
        if (event->type == STINT_EVENT_LOST)
            printf("%s  %-10s %llu events\n", at, stint_event_name(event->type),
                (unsigned long long)event->count);
        else
            printf("%s  %-10s %s  %s\n", at, stint_event_name(event->type),
                stint_id_format(&event->id, id), event->queue);
        json_decref(o);
    }
    w->broken |= fflush(stdout) != 0;
}

static int
run(struct cli *cli, const char **args)
{
    struct watching w = {.cli = cli};
    size_t count;
    struct stint_id *ids = cli_ids(cli, args, &count);
    if (!ids)
        return EX_USAGE;
    struct stint_subscription what = {.queue = queue, .ids = ids, .ids_count = count};
    int rc = cli_connect(cli, NULL, 0);
    if (rc == EX_OK) {
        cli_catch_interrupt();
        enum stint_status status =
            stint_subscribe(cli->client, &what, happened, &w, cli->timeout_ms);
        while (
            status == STINT_OK && !cli_interrupted() && !w.broken && !(limit && w.count >= limit))
            status = stint_client_process(cli->client, 1000);
        if (status != STINT_OK)
            rc = cli_failed(cli, status);
    }
    free(ids);
    return rc;
}

const struct verb verb_events = {
    "events", "[OPTION...] [ID...]", "tell what happens to jobs as it happens", options, run};
