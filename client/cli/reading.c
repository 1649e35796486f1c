/* stint events --feed; the contract is in reading.h. A position is NUMBER, or NUMBER@LIFE, which
 * can tell when numbers have begun anew. It is written down when what stands before it was printed:
 * after a kill something may be told again, and nothing is left out.
 */
#include "reading.h"
#include "console.h"
#include "out.h"
#include "stall.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { POSITION_BYTES = 48, PATH_BYTES = 4096 };

struct told {
    struct cli *cli;
    const struct reading *r;
    struct stall stall;
    struct stint_feed_position at, saved;
    uint64_t count;
    bool over;
    enum stint_status status;
};

/* ---- positions ---- */

static bool
parse_position(const char *text, struct stint_feed_position *at)
{
    char *end = NULL, *life = NULL;
    *at = (struct stint_feed_position){.next = 0};
    if (strcmp(text, "next") == 0) {
        at->next = STINT_FEED_NEXT;
        return true;
    }
    errno = 0;
    if (*text < '0' || *text > '9')
        return false;
    at->next = strtoull(text, &end, 10);
    if (*end == '@' && end[1] >= '0' && end[1] <= '9')
        at->life = strtoull(end + 1, &life, 10);
    return errno == 0 && at->next < STINT_FEED_NEXT && (*end == '\0' || (life && *life == '\0'));
}

static const char *
position_text(const struct stint_feed_position *at, char text[POSITION_BYTES])
{
    int n = snprintf(text, POSITION_BYTES, "%" PRIu64, at->next);
    if (at->life)
        (void)snprintf(text + n, POSITION_BYTES - (size_t)n, "@%" PRIu64, at->life);
    return text;
}

/* A file that is not there yet is a begin. */
static int
read_cursor(struct cli *cli, const char *path, struct stint_feed_position *at)
{
    char line[POSITION_BYTES + 2] = "";
    FILE *f = fopen(path, "re");
    if (!f && errno == ENOENT)
        return EX_OK;
    if (!f) {
        cli_say(cli, "can't read %s: %s", path, strerror(errno));
        return EX_NOINPUT;
    }
    bool good = fgets(line, sizeof line, f) != NULL;
    (void)fclose(f);
    line[strcspn(line, "\n")] = '\0';
    if (good && parse_position(line, at) && at->next != STINT_FEED_NEXT)
        return EX_OK;
    cli_say(cli, "%s holds no position of a feed; remove it to begin anew", path);
    return EX_DATAERR;
}

static int
save_cursor(struct told *t)
{
    char path[PATH_BYTES], text[POSITION_BYTES];
    if (!t->r->cursor || memcmp(&t->at, &t->saved, sizeof t->at) == 0)
        return EX_OK;
    if (snprintf(path, sizeof path, "%s.new", t->r->cursor) >= (int)sizeof path)
        return cli_usage(t->cli, "--cursor: the path is too long");
    FILE *f = fopen(path, "we");
    bool good = f && fprintf(f, "%s\n", position_text(&t->at, text)) > 0 && fflush(f) == 0 &&
        fdatasync(fileno(f)) == 0;
    if (f && fclose(f) != 0)
        good = false;
    if (good && rename(path, t->r->cursor) == 0) {
        t->saved = t->at;
        return EX_OK;
    }
    cli_say(t->cli, "can't write %s: %s", t->r->cursor, strerror(errno));
    return EX_IOERR;
}

int
reading_prepare(struct cli *cli, const struct reading *r, struct stint_feed_position *from)
{
    *from = (struct stint_feed_position){.next = 0};
    if ((r->from != NULL) + (r->after != NULL) + (r->cursor != NULL) > 1)
        return cli_usage(cli, "give one of --from, --after and --cursor");
    if (r->from && !parse_position(r->from, from))
        return cli_usage(
            cli, "--from=%s: write a number, a position as --json tells it, or next", r->from);
    if (r->after && (!parse_position(r->after, from) || from->life || ++from->next == 0))
        return cli_usage(cli, "--after=%s: write the number of an event", r->after);
    return r->cursor ? read_cursor(cli, r->cursor, from) : EX_OK;
}

/* ---- telling ---- */

static bool
wanted(const struct reading *r, const struct stint_event *e)
{
    bool among = r->ids_count == 0;
    for (size_t i = 0; i < r->ids_count && !among; i++)
        among = memcmp(&r->ids[i], &e->id, sizeof e->id) == 0;
    return among && (!r->queue || strcmp(r->queue, e->queue) == 0);
}

static void
put_position(json_t *o, const struct stint_feed_news *news)
{
    char text[POSITION_BYTES];
    json_object_set_new(o, "feed", json_string(news->feed));
    json_object_set_new(o, "position", json_string(position_text(&news->at, text)));
}

static void
tell_event(const struct told *t, const struct stint_feed_news *news)
{
    char id[STINT_ID_TEXT_BYTES];
    json_t *o = out_event(news->event);
    if (t->cli->json) {
        json_object_set_new(o, "number", json_integer((json_int_t)news->first));
        put_position(o, news);
        (void)out_line(o);
        return;
    }
    const char *at = json_string_value(json_object_get(o, "at"));
    fprintf(console_out(), "%8" PRIu64 "  %s  %-10s %s  %s\n", news->first, at ? at : "",
        stint_event_name(news->event->type), stint_id_format(&news->event->id, id),
        news->event->queue);
    json_decref(o);
}

static void
tell_gap(const struct told *t, const struct stint_feed_news *news)
{
    uint64_t last = news->first + news->missing - 1;
    if (t->cli->json) {
        json_t *o = json_pack("{ss sI sb}", "schema", "stint.feed_gap/1", "missing",
            (json_int_t)news->missing, "anew", news->anew);
        if (news->missing > 0) {
            json_object_set_new(o, "first", json_integer((json_int_t)news->first));
            json_object_set_new(o, "last", json_integer((json_int_t)last));
        }
        put_position(o, news);
        (void)out_line(o);
        return;
    }
    if (news->anew)
        cli_say(t->cli,
            "the numbers of the feed %s began anew: it was made again, or brought back from a "
            "backup",
            news->feed);
    if (news->missing > 0)
        cli_say(t->cli,
            "of the feed %s events are missing, %" PRIu64 " to %" PRIu64 " (%" PRIu64 ")"
            ": they are not kept any more",
            news->feed, news->first, last, news->missing);
}

static void
happened(void *context, const struct stint_feed_news *news)
{
    struct told *t = context;
    stall_progress(&t->stall);
    if (t->over)
        return;
    if (news->end) {
        t->over = true;
        t->status = news->status;
    } else if (!news->event)
        tell_gap(t, news);
    else if (wanted(t->r, news->event)) {
        tell_event(t, news);
        t->over = t->r->limit && ++t->count >= t->r->limit;
    }
    t->at = news->at;
}

static int
finish(struct told *t, int rc)
{
    if (t->over && t->status != STINT_OK) {
        cli_say(t->cli, "the feed %s: %s", t->r->feed,
            t->status == STINT_UNKNOWN_TYPE ? "this broker records no events"
                                            : stint_client_error(t->cli->client));
        return cli_exit(t->status == STINT_UNKNOWN_TYPE ? STINT_UNSUPPORTED : t->status);
    }
    if (rc != EX_OK)
        return rc;
    if (console_failed())
        return EX_IOERR;
    return cli_interrupted() ? EXIT_SIGNAL + cli_interrupted() : EX_OK;
}

int
reading_run(struct cli *cli, const struct reading *r, struct stint_feed_position from)
{
    struct told t = {.cli = cli, .r = r, .at = from, .saved = from};
    const struct stint_follow what = {
        .feed = r->feed, .from = from, .ends = !r->follow, .happened = happened, .context = &t};
    int rc = EX_OK;
    cli_catch_interrupt();
    stall_begin(&t.stall, cli, NULL, NULL);
    enum stint_status status = stint_follow(cli->client, &what);
    while (status == STINT_OK && rc == EX_OK && !t.over && !cli_interrupted() &&
        !console_failed() && !console_reader_gone()) {
        status = stint_client_process(cli->client, 200);
        bool printed = fflush(console_out()) == 0 && !console_failed();
        if (printed)
            rc = save_cursor(&t);
        if (status == STINT_OK && rc == EX_OK)
            rc = stall_look(&t.stall);
    }
    if (status != STINT_OK)
        return cli_failed(cli, status);
    return finish(&t, rc);
}
