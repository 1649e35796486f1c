/* OpenMetrics: all samples of a metric stand together, so each metric is a text that grows while
 * queues are added, and all are written at the end.
 */
#include "metrics.h"
#include "console.h"

#include <stdlib.h>
#include <string.h>

enum metric {
    JOBS,
    OLDEST,
    WORKERS,
    PAUSED,
    CLOSED,
    TOTALS, /* one for each that is counted */
    WAIT = TOTALS + STINT_COUNTS,
    RUN,
    METRICS,
};

struct metrics {
    char *texts[METRICS];
    size_t sizes[METRICS];
    FILE *streams[METRICS];
};

struct metrics *
metrics_new(void)
{
    struct metrics *m = cli_allocate(sizeof *m);
    for (unsigned i = 0; i < METRICS; i++)
        if (!(m->streams[i] = open_memstream(&m->texts[i], &m->sizes[i])))
            abort();
    return m;
}

/* A label's value: names come from others. */
static void
write_label(FILE *f, const char *name, const char *value)
{
    fprintf(f, "%s=\"", name);
    for (; *value; value++)
        if (*value == '\n')
            fputs("\\n", f);
        else if (*value == '"' || *value == '\\')
            fprintf(f, "\\%c", *value);
        else
            fputc(*value, f);
    fputc('"', f);
}

static void
write_seconds(FILE *f, uint64_t ms)
{
    fprintf(f, " %llu.%03u\n", (unsigned long long)(ms / 1000), (unsigned)(ms % 1000));
}

static void
add_number(FILE *f, const char *name, const char *queue, uint64_t value)
{
    fprintf(f, "%s{", name);
    write_label(f, "queue", queue);
    fprintf(f, "} %llu\n", (unsigned long long)value);
}

static void
begin_time(FILE *f, const char *name, const char *suffix, const char *queue, const char *kind)
{
    fprintf(f, "stint_%s_seconds%s{", name, suffix);
    write_label(f, "queue", queue);
    fputc(',', f);
    write_label(f, "kind", kind);
}

static void
add_times(
    FILE *f, const char *name, const char *queue, const char *kind, const struct stint_times *t)
{
    const struct {
        const char *quantile;
        uint64_t ms;
    } quantiles[] = {{"0.5", t->p50_ms}, {"0.9", t->p90_ms}, {"0.99", t->p99_ms}, {"1", t->max_ms}};
    for (size_t i = 0; i < 4 && t->recent > 0; i++) {
        begin_time(f, name, "", queue, kind);
        fprintf(f, ",quantile=\"%s\"}", quantiles[i].quantile);
        write_seconds(f, quantiles[i].ms);
    }
    begin_time(f, name, "_count", queue, kind);
    fprintf(f, "} %llu\n", (unsigned long long)t->count);
    begin_time(f, name, "_sum", queue, kind);
    fputc('}', f);
    write_seconds(f, t->sum_ms);
}

void
metrics_add_queue(struct metrics *m, const struct stint_figures *f)
{
    char name[64];
    for (unsigned s = 1; s < STINT_STATES; s++) {
        fprintf(m->streams[JOBS], "stint_jobs{");
        write_label(m->streams[JOBS], "queue", f->queue);
        fprintf(m->streams[JOBS], ",state=\"%s\"} %llu\n", stint_state_name((enum stint_state)s),
            (unsigned long long)f->jobs[s]);
    }
    fprintf(m->streams[OLDEST], "stint_oldest_ready_seconds{");
    write_label(m->streams[OLDEST], "queue", f->queue);
    fputc('}', m->streams[OLDEST]);
    write_seconds(m->streams[OLDEST], f->oldest_ready_ms);
    add_number(m->streams[WORKERS], "stint_queue_workers", f->queue, f->workers);
    add_number(m->streams[PAUSED], "stint_queue_paused", f->queue, f->paused);
    add_number(m->streams[CLOSED], "stint_queue_closed", f->queue, f->closed);
    for (unsigned i = 0; i < STINT_COUNTS; i++) {
        (void)snprintf(
            name, sizeof name, "stint_jobs_%s_total", stint_count_name((enum stint_count)i));
        add_number(m->streams[TOTALS + i], name, f->queue, f->totals[i]);
    }
    for (size_t i = 0; i < f->kinds_count; i++) {
        add_times(m->streams[WAIT], "wait", f->queue, f->kinds[i].kind, &f->kinds[i].wait);
        add_times(m->streams[RUN], "run", f->queue, f->kinds[i].kind, &f->kinds[i].run);
    }
}

static void
write_head(const char *name, const char *type, const char *help)
{
    fprintf(console_out(), "# TYPE %s %s\n", name, type);
    if (strlen(name) > 8 && strcmp(name + strlen(name) - 8, "_seconds") == 0)
        fprintf(console_out(), "# UNIT %s seconds\n", name);
    fprintf(console_out(), "# HELP %s %s\n", name, help);
}

static void
write_broker(const struct stint_stats *s)
{
    const struct {
        const char *name, *help;
        uint64_t value;
        bool counts;
    } own[] = {{"stint_broker_epoch", "Starts of the broker so far.", s->epoch, false},
        {"stint_peers", "Connections.", s->peers, false},
        {"stint_workers", "Workers of the fleet.", s->workers, false},
        {"stint_slots", "Slots of all workers.", s->slots, false},
        {"stint_sessions", "Client sessions that are stored.", s->sessions, false},
        {"stint_store_used_bytes", "Bytes of the store in use.", s->store_used_bytes, false},
        {"stint_store_size_bytes", "Bytes that the store may use.", s->store_size_bytes, false},
        {"stint_requeued", "Jobs given or taken back since the start.", s->requeued, true},
        {"stint_refused", "Messages refused since the start.", s->refused, true},
        {"stint_commits", "Transactions since the start.", s->commits, true}};
    for (size_t i = 0; i < sizeof own / sizeof *own; i++) {
        write_head(own[i].name, own[i].counts ? "counter" : "gauge", own[i].help);
        fprintf(console_out(), "%s%s %llu\n", own[i].name, own[i].counts ? "_total" : "",
            (unsigned long long)own[i].value);
    }
    write_head("stint_broker_uptime_seconds", "gauge", "Since the broker was started.");
    fprintf(console_out(), "stint_broker_uptime_seconds");
    write_seconds(console_out(), s->uptime_ms);
}

void
metrics_write(struct metrics **metrics, const struct stint_stats *stats)
{
    static const struct {
        const char *name, *type, *help;
    } heads[METRICS] = {[JOBS] = {"stint_jobs", "gauge", "Jobs in each state."},
        [OLDEST] = {"stint_oldest_ready_seconds", "gauge",
            "Since the oldest ready job was submitted; 0: none is ready."},
        [WORKERS] = {"stint_queue_workers", "gauge", "Workers that serve the queue."},
        [PAUSED] = {"stint_queue_paused", "gauge", "1: nothing of the queue is handed out."},
        [CLOSED] = {"stint_queue_closed", "gauge", "1: the queue takes no new jobs."},
        [TOTALS] = {"stint_jobs_submitted", "counter", "Jobs submitted."},
        [TOTALS + 1] = {"stint_jobs_started", "counter", "Attempts: jobs handed out to workers."},
        [TOTALS + 2] = {"stint_jobs_succeeded", "counter", "Jobs that succeeded."},
        [TOTALS + 3] = {"stint_jobs_failed", "counter", "Attempts that failed."},
        [TOTALS + 4] = {"stint_jobs_dead", "counter", "Jobs whose attempts were used up."},
        [TOTALS + 5] = {"stint_jobs_cancelled", "counter", "Jobs that were cancelled."},
        [TOTALS + 6] = {"stint_jobs_expired", "counter", "Jobs that had not begun in time."},
        [WAIT] = {"stint_wait_seconds", "summary",
            "From when a job was ready until it was handed out; quantiles of 5 to 10 minutes."},
        [RUN] = {"stint_run_seconds", "summary",
            "From when a job was handed out until its end was told; quantiles likewise."}};
    struct metrics *m = *metrics;
    if (stats)
        write_broker(stats);
    for (unsigned i = 0; i < METRICS; i++) {
        if (fclose(m->streams[i]) != 0)
            abort();
        write_head(heads[i].name, heads[i].type, heads[i].help);
        fputs(m->texts[i], console_out());
        free(m->texts[i]);
    }
    fputs("# EOF\n", console_out());
    free(m);
    *metrics = NULL;
}
