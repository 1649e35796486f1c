/* What `stint top` shows; the contract is in top.h. */
#include "top.h"
#include "console.h"
#include "out.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { LOOKED_UP = 16, LISTED = 1000, RETRIED_AT_ONCE = 4096 };

static void *
add(struct top_list *list, size_t size)
{
    if (list->count == list->size) {
        list->size = list->size ? 2 * list->size : 16;
        list->all = realloc(list->all, list->size * size);
        if (!list->all)
            abort();
    }
    return (char *)list->all + list->count++ * size;
}

/* ---- failures ---- */

static struct top_failure *
add_failure(struct top *top, const struct stint_id *id, uint64_t at_ms, bool dead)
{
    struct top_failure *f = &top->failures[top->failures_next++ % TOP_FAILURES];
    *f = (struct top_failure){.id = *id, .at_ms = at_ms, .dead = dead};
    return f;
}

const struct top_failure *
top_failure(const struct top *top, size_t i)
{
    if (i >= top->failures_next || i >= TOP_FAILURES)
        return NULL;
    return &top->failures[(top->failures_next - 1 - i) % TOP_FAILURES];
}

static void
happened(void *context, const struct stint_event *event)
{
    struct top *top = context;
    if (event->type != STINT_EVENT_FAILED && event->type != STINT_EVENT_DEAD)
        return;
    struct top_failure *f =
        add_failure(top, &event->id, event->at_ms, event->type == STINT_EVENT_DEAD);
    (void)snprintf(f->queue, sizeof f->queue, "%s", event->queue);
}

static void
describe(struct top_failure *f, const struct stint_job_info *info)
{
    f->looked_up = true;
    (void)snprintf(f->queue, sizeof f->queue, "%s", info->queue);
    (void)snprintf(f->kind, sizeof f->kind, "%s", info->kind);
    (void)snprintf(f->error, sizeof f->error, "%s", info->error);
}

static int
compare_settled(const void *a, const void *b)
{
    uint64_t x = ((const struct stint_job_info *)a)->settled_ms;
    uint64_t y = ((const struct stint_job_info *)b)->settled_ms;
    return (x > y) - (x < y);
}

static bool
each_dead(void *context, const struct stint_job_info *info)
{
    *(struct stint_job_info *)add(context, sizeof *info) = *info;
    return true;
}

/* Of what is dead already: the latest among the first so many of the list. */
static enum stint_status
look_back(struct top *top)
{
    struct top_list jobs = {0};
    struct stint_filter filter = {.states = STINT_STATE_BIT(STINT_DEAD), .limit = LISTED};
    enum stint_status status =
        stint_list(top->cli->client, &filter, each_dead, &jobs, top->cli->timeout_ms);
    struct stint_job_info *all = jobs.all;
    if (jobs.count)
        qsort(all, jobs.count, sizeof *all, compare_settled);
    for (size_t i = jobs.count > TOP_FAILURES ? jobs.count - TOP_FAILURES : 0; i < jobs.count; i++)
        describe(add_failure(top, &all[i].id, all[i].settled_ms, true), &all[i]);
    free(jobs.all);
    return status == STINT_DENIED ? STINT_OK : status;
}

/* An event has no error: those are looked up, of the newest. */
static enum stint_status
look_up(struct top *top)
{
    enum stint_status status = STINT_OK;
    for (size_t i = 0; i < LOOKED_UP && status == STINT_OK; i++) {
        struct top_failure *f = (struct top_failure *)top_failure(top, i);
        const struct stint_job_info *info;
        if (!f || f->looked_up)
            continue;
        struct stint_id id = f->id;
        status = stint_get(top->cli->client, &id, 0, &info, top->cli->timeout_ms);
        if (status == STINT_OK && memcmp(&f->id, &id, sizeof id) == 0)
            describe(f, info);
        if (status == STINT_NO_SUCH_JOB || status == STINT_DENIED) {
            f->looked_up = true;
            status = STINT_OK;
        }
    }
    return status;
}

/* ---- a look ---- */

static bool
each_queue(void *context, const struct stint_figures *figures)
{
    struct top *top = context;
    struct top_queue *q = add(&top->queues, sizeof *q);
    *q = (struct top_queue){.figures = *figures};
    q->figures.kinds = NULL;
    q->figures.priorities = NULL;
    q->figures.kinds_count = q->figures.priorities_count = 0;
    return true;
}

static int
compare_names(const void *a, const void *b)
{
    return strcmp(
        ((const struct top_queue *)a)->figures.queue, ((const struct top_queue *)b)->figures.queue);
}

/* The queues stand in the order of their names. */
static bool
each_limit(void *context, const struct stint_queue_info *info)
{
    struct top *top = context;
    struct top_queue key, *q;
    memcpy(key.figures.queue, info->name, sizeof key.figures.queue);
    q = top->queues.count
        ? bsearch(&key, top->queues.all, top->queues.count, sizeof key, compare_names)
        : NULL;
    if (q) {
        q->running_max = info->running;
        q->rate_per_hour = info->rate;
    }
    return true;
}

static bool
each_worker(void *context, const struct stint_worker_info *info)
{
    struct top *top = context;
    *(struct stint_worker_info *)add(&top->workers, sizeof *info) = *info;
    return true;
}

/* How fast it went since the last look; the broker's own rate when there was none, or when it
 * counts anew. */
static void
set_live(const struct top *top, struct top_queue *q, uint64_t passed_ms)
{
    const struct top_queue *then = top->former.count && passed_ms > 0
        ? bsearch(q, top->former.all, top->former.count, sizeof *q, compare_names)
        : NULL;
    for (unsigned i = 0; i < STINT_COUNTS; i++) {
        uint64_t now = q->figures.totals[i], before = then ? then->figures.totals[i] : 0;
        q->live[i] = then && now >= before ? (double)(now - before) * 1000 / (double)passed_ms
                                           : (double)q->figures.rates[0][i] / 1000;
    }
}

static void
add_up(struct top *top)
{
    struct top_queue *sum = &top->all;
    *sum = (struct top_queue){.figures = {.queue = ""}};
    for (size_t i = 0; i < top->queues.count; i++) {
        const struct top_queue *q = top_queue(top, i);
        for (unsigned s = 0; s < STINT_STATES; s++)
            sum->figures.jobs[s] += q->figures.jobs[s];
        for (unsigned c = 0; c < STINT_COUNTS; c++) {
            sum->figures.totals[c] += q->figures.totals[c];
            sum->live[c] += q->live[c];
        }
        if (q->figures.oldest_ready_ms > sum->figures.oldest_ready_ms)
            sum->figures.oldest_ready_ms = q->figures.oldest_ready_ms;
    }
}

void
top_begin(struct top *top, struct cli *cli)
{
    *top = (struct top){.cli = cli};
}

void
top_end(struct top *top)
{
    free(top->queues.all);
    free(top->former.all);
    free(top->workers.all);
}

static enum stint_status
look_first(struct top *top)
{
    struct stint_subscription what = {.events = 1U << STINT_EVENT_FAILED | 1U << STINT_EVENT_DEAD};
    enum stint_status status = look_back(top);
    if (status == STINT_OK)
        status = stint_subscribe(top->cli->client, &what, happened, top, top->cli->timeout_ms);
    return status == STINT_DENIED ? STINT_OK : status;
}

static enum stint_status
ask(struct top *top)
{
    struct stint_client *client = top->cli->client;
    uint32_t timeout_ms = top->cli->timeout_ms;
    enum stint_status status = stint_get_stats(client, &top->stats, timeout_ms);
    top->has_stats = status == STINT_OK;
    if (status != STINT_OK && status != STINT_DENIED)
        return status;
    status = stint_workers(client, each_worker, top, timeout_ms);
    top->has_workers = status == STINT_OK;
    if (status != STINT_OK && status != STINT_DENIED)
        return status;
    status = stint_list_figures(client, NULL, STINT_FIGURES_KINDS, each_queue, top, timeout_ms);
    if (status != STINT_OK)
        return status;
    if (top->queues.count)
        qsort(top->queues.all, top->queues.count, sizeof(struct top_queue), compare_names);
    status = stint_queues(client, each_limit, top, timeout_ms);
    return status == STINT_OK ? look_up(top) : status;
}

enum stint_status
top_look(struct top *top)
{
    enum stint_status status = STINT_OK;
    struct top_list spare = top->former;
    if (top->taken_ms == 0)
        status = look_first(top);
    if (status != STINT_OK)
        return status;
    top->former = top->queues;
    top->queues = spare;
    top->queues.count = top->workers.count = 0;
    status = ask(top);
    if (status != STINT_OK) { /* what was seen last stays */
        spare = top->queues;
        top->queues = top->former;
        top->former = spare;
        top->former.count = 0;
        return status;
    }
    uint64_t now_ms = clock_ms();
    uint64_t passed_ms = top->taken_ms ? now_ms - top->taken_ms : 0;
    top->taken_ms = now_ms;
    for (size_t i = 0; i < top->queues.count; i++)
        set_live(top, top_queue(top, i), passed_ms);
    add_up(top);
    return STINT_OK;
}

/* ---- lines ---- */

/* What comes from peers: nothing in it may drive a terminal. */
static void
clean(char *to, size_t size, const char *from)
{
    console_piece(to, size, from, '?');
}

static const char *
span(uint64_t ms, char text[24])
{
    uint64_t s = ms / 1000;
    if (ms < 1000)
        (void)snprintf(text, 24, "%llums", (unsigned long long)ms);
    else if (s < 120)
        (void)snprintf(text, 24, "%llus", (unsigned long long)s);
    else if (s < 7200)
        (void)snprintf(text, 24, "%llum", (unsigned long long)s / 60);
    else if (s < 172800)
        (void)snprintf(text, 24, "%lluh", (unsigned long long)s / 3600);
    else
        (void)snprintf(text, 24, "%llud", (unsigned long long)s / 86400);
    return text;
}

static const char *
rate(double per_second, char text[24])
{
    (void)snprintf(text, 24, "%.*f", per_second < 10 && per_second > 0 ? 1 : 0, per_second);
    return text;
}

static uint64_t
busy_slots(const struct top *top)
{
    uint64_t busy = 0;
    for (size_t i = 0; i < top->workers.count; i++)
        busy += top_worker(top, i)->begun;
    return busy;
}

static uint64_t
all_slots(const struct top *top)
{
    uint64_t slots = 0;
    for (size_t i = 0; i < top->workers.count; i++)
        slots += top_worker(top, i)->slots;
    return slots;
}

void
top_broker_line(const struct top *top, char *line)
{
    char up[24], store[64] = "";
    const struct stint_stats *s = &top->stats;
    if (top->has_stats && s->store_size_bytes > 0)
        (void)snprintf(store, sizeof store, ", store %llu %% full",
            (unsigned long long)(s->store_used_bytes * 100 / s->store_size_bytes));
    if (top->has_stats)
        (void)snprintf(line, TOP_LINE_BYTES,
            "broker up %s, start %llu%s; %llu workers, %llu slots, %llu busy",
            span(s->uptime_ms, up), (unsigned long long)s->epoch, store,
            (unsigned long long)top->workers.count, (unsigned long long)all_slots(top),
            (unsigned long long)busy_slots(top));
    else
        (void)snprintf(line, TOP_LINE_BYTES, "%llu workers, %llu slots, %llu busy",
            (unsigned long long)top->workers.count, (unsigned long long)all_slots(top),
            (unsigned long long)busy_slots(top));
}

void
top_sum_line(const struct top *top, char *line)
{
    char in[24], done[24], failed[24], age[24];
    const struct stint_figures *f = &top->all.figures;
    (void)snprintf(line, TOP_LINE_BYTES,
        "%llu ready (oldest %s), %llu scheduled, %llu running, %llu dead; a second: %s in, %s "
        "done, "
        "%s failed",
        (unsigned long long)f->jobs[STINT_READY],
        f->oldest_ready_ms ? span(f->oldest_ready_ms, age) : "-",
        (unsigned long long)f->jobs[STINT_SCHEDULED], (unsigned long long)f->jobs[STINT_RUNNING],
        (unsigned long long)f->jobs[STINT_DEAD], rate(top->all.live[STINT_COUNT_SUBMITTED], in),
        rate(top->all.live[STINT_COUNT_SUCCEEDED], done),
        rate(top->all.live[STINT_COUNT_FAILED], failed));
}

void
top_queue_heading(char *line)
{
    (void)snprintf(line, TOP_LINE_BYTES,
        "%-20s %8s %8s %6s %7s %7s %7s %6s %-6s %9s %7s %7s %7s %7s %s", "QUEUE", "READY",
        "RUNNING", "DEAD", "IN/S", "DONE/S", "FAIL/S", "OLDEST", "STATE", "SCHEDULED", "DONE 1M",
        "15M", "RUN P99", "WORKERS", "LIMIT");
}

/* How many of it may run, and begin in a time: "10, 7/s". */
static void
write_limit(const struct top_queue *q, char *to, size_t size)
{
    char most[24] = "", fast[32] = "", number[24];
    if (q->running_max)
        (void)snprintf(most, sizeof most, "%u%s", q->running_max, q->rate_per_hour ? ", " : "");
    if (q->rate_per_hour)
        (void)snprintf(fast, sizeof fast, "%s/s", rate((double)q->rate_per_hour / 3600, number));
    (void)snprintf(to, size, "%s%s", most, fast);
}

void
top_queue_line(const struct top_queue *q, char *line)
{
    char in[24], done[24], failed[24], age[24], run[24], one[24], fifteen[24];
    char name[STINT_NAME_BYTES], limit[64];
    const struct stint_figures *f = &q->figures;
    clean(name, sizeof name, f->queue);
    write_limit(q, limit, sizeof limit);
    (void)snprintf(line, TOP_LINE_BYTES,
        "%-20s %8llu %8llu %6llu %7s %7s %7s %6s %-6s %9llu %7s %7s %7s %7u %s", name,
        (unsigned long long)f->jobs[STINT_READY], (unsigned long long)f->jobs[STINT_RUNNING],
        (unsigned long long)f->jobs[STINT_DEAD], rate(q->live[STINT_COUNT_SUBMITTED], in),
        rate(q->live[STINT_COUNT_SUCCEEDED], done), rate(q->live[STINT_COUNT_FAILED], failed),
        f->oldest_ready_ms ? span(f->oldest_ready_ms, age) : "-",
        f->paused && f->closed ? "pa,cl"
            : f->paused        ? "paused"
            : f->closed        ? "closed"
                               : "",
        (unsigned long long)f->jobs[STINT_SCHEDULED],
        rate((double)f->rates[0][STINT_COUNT_SUCCEEDED] / 1000, one),
        rate((double)f->rates[2][STINT_COUNT_SUCCEEDED] / 1000, fifteen),
        f->run.recent ? span(f->run.p99_ms, run) : "-", f->workers, limit);
}

void
top_worker_heading(char *line)
{
    (void)snprintf(line, TOP_LINE_BYTES, "%-24s %6s %6s %6s %-8s %10s %8s  %s", "WORKER", "SLOTS",
        "BUSY", "HELD", "STATE", "SUCCEEDED", "FAILED", "QUEUES");
}

void
top_worker_line(const struct stint_worker_info *w, char *line)
{
    char name[STINT_LABEL_BYTES], queues[512];
    clean(name, sizeof name, w->name);
    clean(queues, sizeof queues, w->queues);
    (void)snprintf(line, TOP_LINE_BYTES, "%-24s %6u %6u %6u %-8s %10llu %8llu  %s", name, w->slots,
        w->begun, w->held,
        w->state & STINT_IS_AWAY          ? "away"
            : w->state & STINT_IS_LEAVING ? "leaving"
            : w->state & STINT_IS_PAUSED  ? "paused"
                                          : "",
        (unsigned long long)w->succeeded, (unsigned long long)w->failed, queues);
}

void
top_failure_heading(char *line)
{
    (void)snprintf(
        line, TOP_LINE_BYTES, "%-8s  %-6s  %-20s %-16s %s", "FAILED", "", "QUEUE", "KIND", "ERROR");
}

void
top_failure_line(const struct top_failure *f, char *line)
{
    char at[24] = "", queue[STINT_NAME_BYTES], kind[STINT_NAME_BYTES], error[sizeof f->error];
    struct tm local;
    time_t seconds = (time_t)(f->at_ms / 1000);
    if (localtime_r(&seconds, &local))
        (void)strftime(at, sizeof at, "%H:%M:%S", &local);
    clean(queue, sizeof queue, f->queue);
    clean(kind, sizeof kind, f->kind);
    clean(error, sizeof error, f->error);
    (void)snprintf(line, TOP_LINE_BYTES, "%-8s  %-6s  %-20s %-16s %s", at,
        f->dead ? "dead" : "failed", queue, kind, error);
}

/* ---- JSON ---- */

static json_t *
out_failure(const struct top_failure *f)
{
    char id[STINT_ID_TEXT_BYTES];
    json_t *o = json_pack("{ss sb}", "id", stint_id_format(&f->id, id), "dead", f->dead);
    out_put_time(o, "at", f->at_ms);
    json_object_set_new(o, "queue", out_text(f->queue, strlen(f->queue)));
    json_object_set_new(o, "kind", out_text(f->kind, strlen(f->kind)));
    json_object_set_new(o, "error", out_text(f->error, strlen(f->error)));
    return o;
}

json_t *
top_json(const struct top *top)
{
    json_t *o = json_pack("{ss}", "schema", "stint.top/1"), *queues = json_array();
    json_t *workers = json_array(), *failures = json_array();
    const struct top_failure *f;
    if (top->has_stats)
        json_object_set_new(o, "stats", out_stats(&top->stats));
    for (size_t i = 0; i < top->queues.count; i++) {
        const struct top_queue *q = top_queue(top, i);
        json_t *one = out_figures(&q->figures), *live = json_object();
        for (unsigned c = 0; c < STINT_COUNTS; c++)
            json_object_set_new(live, stint_count_name((enum stint_count)c), json_real(q->live[c]));
        json_object_set_new(one, "live", live);
        if (q->running_max)
            json_object_set_new(one, "running_max", json_integer(q->running_max));
        if (q->rate_per_hour)
            json_object_set_new(one, "rate_per_hour", json_integer((json_int_t)q->rate_per_hour));
        json_array_append_new(queues, one);
    }
    for (size_t i = 0; i < top->workers.count; i++)
        json_array_append_new(workers, out_worker(top_worker(top, i)));
    for (size_t i = 0; (f = top_failure(top, i)); i++)
        json_array_append_new(failures, out_failure(f));
    json_object_set_new(o, "queues", queues);
    json_object_set_new(o, "workers", workers);
    json_object_set_new(o, "failures", failures);
    return o;
}

/* ---- what a key does ---- */

static bool
each_id(void *context, const struct stint_job_info *info)
{
    *(struct stint_id *)add(context, sizeof info->id) = info->id;
    return true;
}

enum stint_status
top_retry_dead(struct top *top, const char *queue, uint64_t most, uint64_t *retried)
{
    struct stint_filter filter = {.queue = queue, .states = STINT_STATE_BIT(STINT_DEAD)};
    enum stint_status status = STINT_OK;
    bool more = true;
    *retried = 0;
    while (status == STINT_OK && more && *retried < most) {
        struct top_list ids = {0};
        enum stint_status each[RETRIED_AT_ONCE];
        uint64_t before = *retried;
        filter.limit = most - before < RETRIED_AT_ONCE ? most - before : RETRIED_AT_ONCE;
        status = stint_list(top->cli->client, &filter, each_id, &ids, top->cli->timeout_ms);
        if (status == STINT_OK && ids.count > 0) {
            /* One that somebody else has retried or deleted meanwhile is no failure of ours. */
            memset(each, 0xff, sizeof each);
            status = stint_retry(top->cli->client, ids.all, ids.count, each, top->cli->timeout_ms);
            for (size_t i = 0; i < ids.count; i++)
                *retried += each[i] == STINT_OK;
            if (status == STINT_WRONG_STATE || status == STINT_NO_SUCH_JOB)
                status = STINT_OK;
        }
        more = ids.count == filter.limit && *retried > before;
        free(ids.all);
    }
    return status;
}
