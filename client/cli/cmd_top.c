/* stint top: queues, workers and failures as they are now, with keys to act on a queue. On what is
 * no terminal it is text, a piece an interval.
 */
#include "console.h"
#include "out.h"
#include "screen.h"
#include "top.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { RETRIED_AT_MOST = 1000000, WAKES_MS = 100, WORKERS_SHOWN = 8, FAILURES_SHOWN = 5 };

static char *interval_text;
static int once;

static struct poptOption options[] = {
    {"interval", 0, POPT_ARG_STRING, &interval_text, 0, "look again after so long (2s)", "TIME"},
    {"once", 0, POPT_ARG_NONE, &once, 0, "print it once, as text", NULL}, POPT_TABLEEND};

/* What the person looks at. */
struct view {
    struct top *top;
    char chosen[STINT_NAME_BYTES]; /* the queue; "": the first */
    char said[256]; /* of the last key */
    bool bad; /* it did not do what was wanted */
    bool help;
    int asked; /* the key that waits for a yes; 0: none */
    size_t first; /* of the queues that are shown */
};

static void
say(struct view *v, bool bad, const char *what, const char *more)
{
    (void)snprintf(v->said, sizeof v->said, "%s%s", what, more);
    v->bad = bad;
}

/* ---- as text ---- */

static bool
print_line(const char *line)
{
    return fprintf(console_out(), "%s\n", line) > 0;
}

static bool
print_text(const struct top *top)
{
    char line[TOP_LINE_BYTES];
    top_broker_line(top, line);
    print_line(line);
    top_sum_line(top, line);
    print_line(line);
    top_queue_heading(line);
    print_line(line);
    for (size_t i = 0; i < top->queues.count; i++) {
        top_queue_line(top_queue(top, i), line);
        print_line(line);
    }
    top_worker_heading(line);
    print_line(line);
    for (size_t i = 0; i < top->workers.count; i++) {
        top_worker_line(top_worker(top, i), line);
        print_line(line);
    }
    top_failure_heading(line);
    print_line(line);
    for (size_t i = 0; i < FAILURES_SHOWN && top_failure(top, i); i++) {
        top_failure_line(top_failure(top, i), line);
        print_line(line);
    }
    return fflush(console_out()) == 0 && !console_failed();
}

/* Until somebody ends it, or whoever reads it has gone. */
static int
show_text(struct cli *cli, struct top *top, uint64_t interval_ms)
{
    bool first = true;
    cli_catch_interrupt();
    for (;;) {
        enum stint_status status = top_look(top);
        if (status != STINT_OK)
            return cli_failed(cli, status);
        if (!first && !cli->json)
            print_line("");
        first = false;
        if (!(cli->json ? out_line(top_json(top)) && fflush(console_out()) == 0 : print_text(top)))
            return EX_IOERR;
        if (once)
            return EX_OK;
        for (uint64_t end = clock_ms() + interval_ms; clock_ms() < end;) {
            uint64_t left = end - clock_ms();
            if (cli_interrupted() || console_reader_gone())
                return cli_interrupted() ? EXIT_SIGNAL + cli_interrupted() : EX_OK;
            status = stint_client_process(cli->client, left < WAKES_MS ? (uint32_t)left : WAKES_MS);
            if (status != STINT_OK)
                return cli_failed(cli, status);
        }
    }
}

/* ---- on a screen ---- */

static size_t
chosen_index(const struct view *v)
{
    for (size_t i = 0; i < v->top->queues.count; i++)
        if (strcmp(top_queue(v->top, i)->figures.queue, v->chosen) == 0)
            return i;
    return 0;
}

static const struct top_queue *
chosen_queue(const struct view *v)
{
    return v->top->queues.count ? top_queue(v->top, chosen_index(v)) : NULL;
}

static void
choose(struct view *v, int by)
{
    size_t count = v->top->queues.count, at = chosen_index(v);
    if (count == 0)
        return;
    if (by < 0)
        at -= at > 0;
    else if (v->chosen[0] || by > 0)
        at += at + 1 < count && by > 0;
    memcpy(v->chosen, top_queue(v->top, at)->figures.queue, sizeof v->chosen);
}

static void
draw_help(void)
{
    static const char *const lines[] = {"Keys of stint top", "", "up, down, k, j   choose a queue",
        "p                pause it: nothing of it is handed out", "r                resume it",
        "c                close it, so that it drains: no new jobs",
        "o                open it again", "R                retry its dead jobs (asks first)",
        "space            look now", "h, ?             this page", "q                leave", "",
        "Any key goes back."};
    for (int i = 0; i < (int)(sizeof lines / sizeof *lines); i++)
        screen_put(i, i == 0 ? LOOK_HEADING : LOOK_PLAIN, lines[i]);
}

/* Queues from line `at` on, `room` of them, around the chosen one. */
static void
draw_queues(struct view *v, int at, size_t room)
{
    char line[TOP_LINE_BYTES];
    size_t count = v->top->queues.count, chosen = chosen_index(v);
    if (v->first > chosen)
        v->first = chosen;
    if (chosen >= v->first + room)
        v->first = chosen - room + 1;
    if (v->first + room > count)
        v->first = count > room ? count - room : 0;
    for (size_t i = 0; i < room && v->first + i < count; i++) {
        const struct top_queue *q = top_queue(v->top, v->first + i);
        top_queue_line(q, line);
        screen_put(at + (int)i, v->first + i == chosen ? LOOK_CHOSEN : LOOK_PLAIN, line);
    }
}

static int
draw_workers(const struct view *v, int at, size_t room)
{
    char line[TOP_LINE_BYTES];
    top_worker_heading(line);
    screen_put(at++, LOOK_HEADING, line);
    for (size_t i = 0; i < room; i++) {
        top_worker_line(top_worker(v->top, i), line);
        screen_put(at++, LOOK_PLAIN, line);
    }
    return at;
}

static void
draw_failures(const struct view *v, int at, size_t room)
{
    char line[TOP_LINE_BYTES];
    top_failure_heading(line);
    screen_put(at++, LOOK_HEADING, line);
    for (size_t i = 0; i < room && top_failure(v->top, i); i++) {
        const struct top_failure *f = top_failure(v->top, i);
        top_failure_line(f, line);
        screen_put(at++, f->dead ? LOOK_BAD : LOOK_PLAIN, line);
    }
}

static size_t
least(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Three lines above the queues, one below all; on a small screen queues come first, then workers.
 */
static void
draw_all(struct view *v)
{
    char line[TOP_LINE_BYTES];
    size_t lines = screen_lines() > 4 ? (size_t)screen_lines() - 4 : 1;
    size_t workers = least(v->top->workers.count, WORKERS_SHOWN), failures = 0;
    while (failures < FAILURES_SHOWN && top_failure(v->top, failures))
        failures++;
    size_t queues = least(v->top->queues.count, lines);
    size_t rest = lines - queues, least_queues = queues < 3 ? queues : 3;
    size_t wanted = (workers ? workers + 1 : 0) + (failures ? failures + 1 : 0);
    if (rest < wanted) { /* queues make room, down to a few */
        size_t more = least(wanted - rest, queues - least_queues);
        queues -= more;
        rest += more;
    }
    workers = rest > 1 ? least(workers, rest - 1) : 0;
    rest -= workers ? workers + 1 : 0;
    failures = rest > 1 ? least(failures, rest - 1) : 0;
    top_broker_line(v->top, line);
    screen_put(0, LOOK_PLAIN, line);
    top_sum_line(v->top, line);
    screen_put(1, LOOK_PLAIN, line);
    top_queue_heading(line);
    screen_put(2, LOOK_HEADING, line);
    draw_queues(v, 3, queues ? queues : 1);
    int at = 3 + (int)queues;
    if (workers)
        at = draw_workers(v, at, workers);
    if (failures)
        draw_failures(v, at, failures);
}

static void
draw(struct view *v)
{
    screen_clear();
    if (v->help)
        draw_help();
    else
        draw_all(v);
    screen_put(screen_lines() - 1, v->bad ? LOOK_BAD : LOOK_HEADING,
        v->said[0] ? v->said
            : v->top->queues.count == 0
            ? "there is no queue yet; q leaves, h tells the keys"
            : "p pause  r resume  c close  o open  R retry dead  h help  q leave");
    screen_show();
}

static void
look(struct view *v)
{
    enum stint_status status = top_look(v->top);
    if (status != STINT_OK)
        say(v, true, "the broker can't be asked: ", stint_client_error(v->top->cli->client));
    else if (v->bad && strncmp(v->said, "the broker", 10) == 0)
        say(v, false, "", "");
    if (v->chosen[0] == '\0')
        choose(v, 0);
}

static void
set_queue(struct view *v, enum stint_queue_action action, const char *done)
{
    const struct top_queue *q = chosen_queue(v);
    char text[STINT_NAME_BYTES + 64];
    if (!q)
        return;
    enum stint_status status = stint_set_queue(
        v->top->cli->client, q->figures.queue, action, NULL, v->top->cli->timeout_ms);
    (void)snprintf(text, sizeof text, "%s ", q->figures.queue);
    if (status == STINT_OK)
        say(v, false, text, done);
    else
        say(v, true, "not done: ", stint_client_error(v->top->cli->client));
    if (status == STINT_OK)
        look(v);
}

static void
retry_dead(struct view *v)
{
    const struct top_queue *q = chosen_queue(v);
    char text[64], name[STINT_NAME_BYTES];
    uint64_t retried;
    if (!q)
        return;
    memcpy(name, q->figures.queue, sizeof name);
    enum stint_status status = top_retry_dead(v->top, name, RETRIED_AT_MOST, &retried);
    (void)snprintf(text, sizeof text, "%llu dead jobs retried of ", (unsigned long long)retried);
    if (status == STINT_OK)
        say(v, false, text, name);
    else
        say(v, true, "not done: ", stint_client_error(v->top->cli->client));
    if (status == STINT_OK)
        look(v);
}

static void
ask_to_retry(struct view *v)
{
    const struct top_queue *q = chosen_queue(v);
    char text[80];
    if (!q)
        return;
    (void)snprintf(text, sizeof text, "retry %llu dead jobs of ",
        (unsigned long long)q->figures.jobs[STINT_DEAD]);
    say(v, false, text, q->figures.queue);
    (void)strncat(v->said, "? y or n", sizeof v->said - strlen(v->said) - 1);
    v->asked = 'R';
}

/* False: to leave. */
static bool
press(struct view *v, int key)
{
    if (key == SCREEN_RESIZED)
        return true;
    if (v->asked) {
        v->asked = 0;
        say(v, false, key == 'y' ? "" : "nothing was done", "");
        if (key == 'y')
            retry_dead(v);
        return true;
    }
    if (v->help) {
        v->help = false;
        return true;
    }
    say(v, false, "", "");
    switch (key) {
    case 'q':
        return false;
    case SCREEN_UP:
    case 'k':
        choose(v, -1);
        break;
    case SCREEN_DOWN:
    case 'j':
        choose(v, 1);
        break;
    case 'p':
        set_queue(v, STINT_PAUSE_QUEUE, "is paused");
        break;
    case 'r':
        set_queue(v, STINT_RESUME_QUEUE, "is resumed");
        break;
    case 'c':
    case 'd':
        set_queue(v, STINT_CLOSE_QUEUE, "is closed: what waits in it is still run");
        break;
    case 'o':
        set_queue(v, STINT_OPEN_QUEUE, "is open");
        break;
    case 'R':
        ask_to_retry(v);
        break;
    case ' ':
        look(v);
        break;
    case 'h':
    case '?':
        v->help = true;
        break;
    default:
        say(v, false, "h tells the keys", "");
    }
    return true;
}

static int
show_screen(struct cli *cli, struct top *top, uint64_t interval_ms)
{
    struct view v = {.top = top};
    bool more = true;
    cli_catch_interrupt();
    look(&v);
    for (uint64_t next = clock_ms() + interval_ms; more && !cli_interrupted();) {
        draw(&v);
        int key = screen_key(WAKES_MS);
        if (key != SCREEN_NOTHING)
            more = press(&v, key);
        (void)stint_client_process(cli->client, 0);
        if (clock_ms() >= next) {
            look(&v);
            next = clock_ms() + interval_ms;
        }
    }
    return cli_interrupted() ? EXIT_SIGNAL + cli_interrupted() : EX_OK;
}

static int
run(struct cli *cli, const char **args)
{
    struct top top;
    uint64_t interval_ms = 2000;
    (void)args;
    if (interval_text && !cli_duration(cli, "interval", interval_text, &interval_ms))
        return EX_USAGE;
    if (interval_ms < WAKES_MS)
        return cli_usage(cli, "--interval is at least 100ms");
    int rc = cli_connect(cli, NULL, 0);
    if (rc != EX_OK)
        return rc;
    top_begin(&top, cli);
    if (once || cli->json || !screen_begin())
        rc = show_text(cli, &top, interval_ms);
    else {
        rc = show_screen(cli, &top, interval_ms);
        screen_end();
    }
    stint_client_destroy(&cli->client);
    top_end(&top);
    return rc;
}

const struct verb verb_top = {"top", "[OPTION...]",
    "watch queues, workers and failures, and act on a queue", options, run, VERB_TAKES_NOTHING};
