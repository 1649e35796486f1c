/* How much there is to do, told to a command; the contract is in scale.h. */
#include "scale.h"
#include "console.h"
#include "hook.h"
#include "out.h"
#include "stall.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>

enum {
    ASK_MS = 3000, /* a signal does not end a call to the library */
    LOOK_MS = 200,
    AGAIN_MS = 600000, /* the same failure is told so often */
    CUT_LIST_BYTES = 900, /* a list of queues that is shorter is not cut */
    KINDS = HOOK_CANT_RUN + 1,
};

/* What is told of a queue, or of all together. */
struct figures {
    uint64_t jobs[STINT_STATES];
    uint64_t oldest_ready_ms;
    bool unknown; /* jobs are ready, and the broker does not tell how old they are */
    uint64_t workers, slots, slots_free;
};

struct queue {
    char name[STINT_NAME_BYTES], unserved[STINT_NAME_BYTES];
    struct figures figures;
    UT_hash_handle hh; /* by name, in the order in which they came */
};

struct failing {
    uint64_t told_ms, count; /* since it was told */
};

struct scale {
    struct cli *cli;
    const struct scale_options *options;
    struct queue *queues;
    struct figures total;
    bool partial; /* some worker's list of queues was cut */
    uint64_t runs, heard_ms;
    bool said_away, said_refused;
    struct failing failing[KINDS];
};

/* ---- the figures ---- */

static struct queue *
find(const struct scale *s, const char *name)
{
    struct queue *q = NULL;
    if (s->queues)
        HASH_FIND_STR(s->queues, name, q);
    return q;
}

static struct queue *
add(struct scale *s, const char *name)
{
    struct queue *q = cli_allocate(sizeof *q);
    (void)snprintf(q->name, sizeof q->name, "%s", name);
    HASH_ADD_STR(s->queues, name, q); /* NOLINT: uthash */
    return q;
}

static void
forget(struct scale *s)
{
    struct queue *q, *next;
    HASH_ITER (hh, s->queues, q, next) {
        HASH_DEL(s->queues, q); /* NOLINT: it is in the table */
        free(q);
    }
    s->total = (struct figures){0};
    s->partial = false;
}

static bool
is_wanted(const struct scale *s, const char *name)
{
    char **names = s->options->queues;
    for (size_t i = 0; names && names[i]; i++)
        if (strcmp(names[i], name) == 0)
            return true;
    return !names;
}

static bool
each_queue(void *context, const struct stint_queue_info *info)
{
    struct scale *s = context;
    if (!is_wanted(s, info->name))
        return true;
    struct queue *q = find(s, info->name);
    if (!q)
        q = add(s, info->name);
    q->figures = (struct figures){.oldest_ready_ms = info->oldest_ready_ms,
        .unknown = info->jobs[STINT_READY] > 0 && info->oldest_ready_ms == 0,
        .workers = info->workers};
    memcpy(q->figures.jobs, info->jobs, sizeof q->figures.jobs);
    memcpy(q->unserved, info->unserved, sizeof q->unserved);
    return true;
}

static void
add_slots(struct figures *f, const struct stint_worker_info *info)
{
    f->slots += info->slots;
    if ((info->state & (STINT_IS_PAUSED | STINT_IS_LEAVING | STINT_IS_AWAY)) == 0 &&
        info->slots > info->held)
        f->slots_free += info->slots - info->held;
}

/* To the queue of this name, or to those whose names begin so. Of what a worker lists no queue is
 * meant twice. */
static bool
add_slots_to(struct scale *s, const char *name, const struct stint_worker_info *info)
{
    size_t size = strlen(name);
    struct queue *q = find(s, name);
    bool any = q != NULL;
    if (q)
        add_slots(&q->figures, info);
    for (q = size > 0 && name[size - 1] == '*' ? s->queues : NULL; q; q = q->hh.next)
        if (stall_serves(name, size, q->name)) {
            add_slots(&q->figures, info);
            any = true;
        }
    return any;
}

/* A worker's slots are there for each of its queues, and once for all together. */
static bool
each_worker(void *context, const struct stint_worker_info *info)
{
    struct scale *s = context;
    char name[STINT_NAME_BYTES + 4];
    size_t size = strlen(info->queues);
    bool cut = size > CUT_LIST_BYTES && strcmp(info->queues + size - 3, "...") == 0, counts = false;
    for (const char *at = info->queues; *at; at += strspn(at, " ")) {
        size_t n = strcspn(at, " ");
        bool last = at[n] == '\0';
        (void)snprintf(name, sizeof name, "%.*s", (int)(cut && last ? n - 3 : n), at);
        counts |= add_slots_to(s, name, info);
        at += n;
    }
    s->partial |= cut;
    if (counts || cut || !s->options->queues) {
        s->total.workers++;
        add_slots(&s->total, info);
    }
    return true;
}

static void
add_up(struct scale *s)
{
    struct figures *t = &s->total;
    for (const struct queue *q = s->queues; q; q = q->hh.next) {
        for (unsigned i = 0; i < STINT_STATES; i++)
            t->jobs[i] += q->figures.jobs[i];
        if (q->figures.oldest_ready_ms > t->oldest_ready_ms)
            t->oldest_ready_ms = q->figures.oldest_ready_ms;
        t->unknown |= q->figures.unknown;
    }
}

static json_t *
figures_object(const struct figures *f)
{
    json_t *o = out_states(f->jobs);
    bool unknown = f->unknown && f->oldest_ready_ms == 0;
    (void)json_object_set_new(
        o, "oldest_ready_ms", unknown ? json_null() : json_integer((json_int_t)f->oldest_ready_ms));
    (void)json_object_set_new(o, "workers", json_integer((json_int_t)f->workers));
    (void)json_object_set_new(o, "slots", json_integer((json_int_t)f->slots));
    (void)json_object_set_new(o, "slots_free", json_integer((json_int_t)f->slots_free));
    return o;
}

/* What the command reads. */
static char *
input_of(const struct scale *s)
{
    json_t *queues = json_array();
    for (const struct queue *q = s->queues; q; q = q->hh.next) {
        json_t *o = json_pack("{ss}", "name", q->name), *figures = figures_object(&q->figures);
        (void)json_object_update(o, figures);
        json_decref(figures);
        if (q->unserved[0])
            (void)json_object_set_new(o, "unserved", json_string(q->unserved));
        (void)json_array_append_new(queues, o);
    }
    json_t *o = json_pack("{ss si sI sI sI sb so so}", "schema", "stint.scale/1", "version", 1,
        "at_ms", (json_int_t)clock_wall_ms(), "every_ms", (json_int_t)s->options->every_ms, "run",
        (json_int_t)s->runs, "partial", s->partial, "total", figures_object(&s->total), "queues",
        queues);
    char *text = json_dumps(o, JSON_COMPACT), *line = NULL;
    if (!text || asprintf(&line, "%s\n", text) < 0)
        abort();
    free(text);
    json_decref(o);
    return line;
}

/* ---- asking ---- */

static enum stint_status
ask(struct scale *s, uint32_t timeout_ms)
{
    forget(s);
    for (size_t i = 0; s->options->queues && s->options->queues[i]; i++)
        if (!find(s, s->options->queues[i]))
            (void)add(s, s->options->queues[i]); /* told also if it is not there */
    enum stint_status status = stint_queues(s->cli->client, each_queue, s, timeout_ms);
    if (status == STINT_OK)
        status = stint_workers(s->cli->client, each_worker, s, timeout_ms);
    if (status == STINT_OK)
        add_up(s);
    return status;
}

static const char *
endpoint_of(const struct cli *cli)
{
    return cli->endpoint ? cli->endpoint : "its endpoint";
}

/* The broker is away, or has no time for questions: EX_OK to ask again, or how it ends. */
static int
look_why(struct scale *s, enum stint_status status)
{
    struct cli *cli = s->cli;
    uint64_t silent_ms = clock_ms() - s->heard_ms;
    bool away = status == STINT_UNREACHABLE || status == STINT_TIMEOUT;
    if (s->options->once || (!away && !cli_passing(status)))
        return cli_failed(cli, status);
    if (cli->bounded && silent_ms >= cli->timeout_ms) {
        cli_say(cli, "no sign of the broker at %s for %llu s (--broker-timeout)", endpoint_of(cli),
            (unsigned long long)silent_ms / 1000);
        return EX_UNAVAILABLE;
    }
    if (away && !s->said_away && silent_ms >= STALL_MS) {
        cli_say(cli,
            "no answer from the broker at %s; waiting until it is back (Ctrl-C, or "
            "--broker-timeout, ends that)",
            endpoint_of(cli));
        s->said_away = true;
    } else if (!away && !s->said_refused) {
        cli_say(cli, "%s; asking again until it answers", stint_client_error(cli->client));
        s->said_refused = true;
    }
    return EX_OK;
}

/* Waits, in the conversation. */
static int
pass(struct scale *s, uint64_t until_ms)
{
    for (uint64_t now_ms; (now_ms = clock_ms()) < until_ms && !cli_interrupted();) {
        uint64_t left_ms = until_ms - now_ms;
        enum stint_status status =
            stint_client_process(s->cli->client, left_ms < LOOK_MS ? (uint32_t)left_ms : LOOK_MS);
        if (status != STINT_OK)
            return cli_failed(s->cli, status);
        if (s->cli->json && console_reader_gone())
            break;
    }
    return EX_OK;
}

/* Asks until there is an answer. */
static int
look(struct scale *s)
{
    const struct cli *cli = s->cli;
    uint32_t ask_ms =
        s->options->once || (cli->bounded && cli->timeout_ms < ASK_MS) ? cli->timeout_ms : ASK_MS;
    int rc = EX_OK;
    s->heard_ms = clock_ms();
    while (rc == EX_OK && !cli_interrupted()) {
        enum stint_status status = ask(s, ask_ms);
        if (status == STINT_OK) {
            if (s->said_away)
                cli_say(cli, "the broker is back");
            s->said_away = s->said_refused = false;
            break;
        }
        if (!cli_interrupted())
            rc = look_why(s, status);
        if (rc == EX_OK)
            rc = pass(s, clock_ms() + LOOK_MS);
    }
    return rc;
}

/* ---- the command ---- */

static void
say_failure(struct scale *s, const char *command, const struct hook_end *e)
{
    struct failing *f = &s->failing[e->how];
    uint64_t now_ms = clock_ms();
    char before[80] = "";
    f->count++;
    if (f->told_ms && now_ms - f->told_ms < AGAIN_MS)
        return;
    if (f->told_ms)
        (void)snprintf(before, sizeof before, " (%llu times since that was told)",
            (unsigned long long)f->count);
    if (e->how == HOOK_EXITED)
        cli_say(s->cli, "%s ended with exit status %d%s", command, e->code, before);
    else if (e->how == HOOK_KILLED)
        cli_say(s->cli, "%s was killed by signal %d%s", command, e->code, before);
    else if (e->how == HOOK_LATE)
        cli_say(s->cli, "%s took longer than %llu ms, and was ended%s", command,
            (unsigned long long)s->options->timeout_ms, before);
    else
        cli_say(s->cli, "can't run %s: %s%s", command, strerror(e->code), before);
    f->told_ms = now_ms ? now_ms : 1;
    f->count = 0;
}

static bool
is_good(const struct hook_end *e)
{
    return e->how == HOOK_EXITED && e->code == 0;
}

/* A line for each run, with --json. */
static void
tell_run(const struct scale *s, const struct hook_end *e)
{
    json_t *o = json_pack("{ss sI sI}", "schema", "stint.scaled/1", "run", (json_int_t)s->runs,
        "ms", (json_int_t)e->ms);
    if (e->how == HOOK_EXITED)
        (void)json_object_set_new(o, "exit_status", json_integer(e->code));
    else if (e->how == HOOK_KILLED)
        (void)json_object_set_new(o, "signal", json_integer(e->code));
    else if (e->how == HOOK_LATE)
        (void)json_object_set_new(o, "timed_out", json_true());
    else if (e->how == HOOK_CANT_RUN)
        (void)json_object_set_new(o, "error", json_string(strerror(e->code)));
    else
        (void)json_object_set_new(o, "interrupted", json_true());
    (void)out_line(o);
    (void)fflush(console_out());
}

static struct hook_end
run_command(struct scale *s, const char **argv)
{
    s->runs++;
    char *input = input_of(s);
    struct hook_end e = hook_run(s->cli, argv, input, s->cli->json, s->options->timeout_ms);
    free(input);
    if (s->cli->json)
        tell_run(s, &e);
    if (!is_good(&e) && e.how != HOOK_INTERRUPTED)
        say_failure(s, argv[0], &e);
    return e;
}

static int
go_on(struct scale *s, const char **argv)
{
    for (;;) {
        uint64_t begun_ms = clock_ms();
        struct hook_end e = {HOOK_INTERRUPTED, 0, 0};
        int rc = look(s);
        if (rc != EX_OK)
            return rc;
        if (!cli_interrupted())
            e = run_command(s, argv);
        if (!cli_interrupted() && s->options->once)
            return hook_exit(&e);
        rc = pass(s, begun_ms + s->options->every_ms);
        if (rc != EX_OK || console_failed())
            return rc != EX_OK ? rc : EX_IOERR;
        if (cli_interrupted())
            return EXIT_SIGNAL + cli_interrupted();
    }
}

/* What it asks of the broker itself goes where we asked. */
static void
tell_where(const struct cli *cli)
{
    if (cli->endpoint)
        (void)setenv("STINT_ENDPOINT", cli->endpoint, 1);
    if (cli->key)
        (void)setenv("STINT_KEY", cli->key, 1);
    if (cli->broker_key)
        (void)setenv("STINT_BROKER_KEY", cli->broker_key, 1);
}

int
scale_run(struct cli *cli, const struct scale_options *options, const char **argv)
{
    struct scale s = {.cli = cli, .options = options};
    tell_where(cli);
    int rc = cli_connect(cli, NULL, 0);
    if (rc != EX_OK)
        return rc;
    enum stint_status status = stint_connect(cli->client, cli->timeout_ms);
    if (status != STINT_OK)
        return cli_failed(cli, status);
    cli_catch_interrupt();
    rc = go_on(&s, argv);
    forget(&s);
    return rc;
}
