/* JSON, tables and progress; the contract is in out.h. */
#include "out.h"

#include <libsmartcols.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

static void
put_number(json_t *o, const char *field, uint64_t value)
{
    if (value)
        json_object_set_new(o, field, json_integer((json_int_t)value));
}

static void
put_text(json_t *o, const char *field, const char *value)
{
    if (*value)
        json_object_set_new(o, field, json_string(value));
}

static void
put_time(json_t *o, const char *field, uint64_t ms)
{
    char text[40];
    struct tm utc;
    time_t seconds = (time_t)(ms / 1000);
    if (!ms || !gmtime_r(&seconds, &utc))
        return;
    size_t used = strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &utc);
    (void)snprintf(text + used, sizeof text - used, ".%03uZ", (unsigned)(ms % 1000));
    json_object_set_new(o, field, json_string(text));
}

static json_t *
base64(const uint8_t *bytes, size_t size)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    char *text = malloc(size / 3 * 4 + 5), *at = text;
    if (!text)
        abort();
    for (size_t i = 0; i < size; i += 3) {
        size_t left = size - i;
        uint32_t word = (uint32_t)bytes[i] << 16 | (left > 1 ? (uint32_t)bytes[i + 1] << 8 : 0) |
            (left > 2 ? bytes[i + 2] : 0);
        *at++ = digits[word >> 18];
        *at++ = digits[word >> 12 & 63];
        *at++ = left > 1 ? digits[word >> 6 & 63] : '=';
        *at++ = left > 2 ? digits[word & 63] : '=';
    }
    json_t *o = json_pack("{s o}", "base64", json_stringn(text, (size_t)(at - text)));
    free(text);
    return o;
}

static void
put_bytes(json_t *o, const char *field, const void *bytes, size_t size)
{
    if (!bytes)
        return;
    json_t *text = json_stringn(bytes, size);
    json_object_set_new(o, field, text ? text : base64(bytes, size));
}

json_t *
out_job(const struct stint_job_info *i)
{
    char id[STINT_ID_TEXT_BYTES];
    json_t *o = json_pack("{ss ss ss}", "schema", "stint.job/1", "id", stint_id_format(&i->id, id),
        "state", stint_state_name(i->state));
    if (i->state == STINT_UNKNOWN)
        return o;
    put_text(o, "queue", i->queue);
    put_text(o, "kind", i->kind);
    json_object_set_new(o, "priority", json_integer(i->priority));
    put_number(o, "attempt", i->attempt);
    put_number(o, "failures", i->failures);
    put_number(o, "max_attempts", i->max_attempts);
    put_time(o, "submitted", i->submitted_ms);
    put_time(o, "due", i->due_ms);
    put_time(o, "started", i->started_ms);
    put_time(o, "settled", i->settled_ms);
    put_number(o, "keep_ms", i->keep_ms);
    put_number(o, "time_to_run_ms", i->time_to_run_ms);
    put_number(o, "payload_bytes", i->payload_bytes);
    put_number(o, "result_bytes", i->result_bytes);
    put_bytes(o, "payload", i->payload, i->payload_bytes);
    put_bytes(o, "result", i->result, i->result_bytes);
    put_text(o, "worker", i->worker);
    if (i->error[0])
        put_bytes(o, "error", i->error, strlen(i->error));
    return o;
}

static json_t *
states_of(const uint64_t *jobs)
{
    json_t *o = json_object();
    for (unsigned s = 1; s < STINT_STATES; s++)
        json_object_set_new(
            o, stint_state_name((enum stint_state)s), json_integer((json_int_t)jobs[s]));
    return o;
}

json_t *
out_queue(const struct stint_queue_info *i)
{
    json_t *o = json_pack("{ss ss sI sI}", "schema", "stint.queue/1", "name", i->name, "number",
        (json_int_t)i->number, "workers", (json_int_t)i->workers);
    json_t *states = states_of(i->jobs);
    json_object_update(o, states);
    json_decref(states);
    return o;
}

json_t *
out_worker(const struct stint_worker_info *i)
{
    return json_pack("{ss ss ss ss sI sI sI sI sI sI}", "schema", "stint.worker/1", "name", i->name,
        "software", i->software, "queues", i->queues, "slots", (json_int_t)i->slots, "window",
        (json_int_t)i->window, "held", (json_int_t)i->held, "seen_ms_ago",
        (json_int_t)i->seen_ms_ago, "succeeded", (json_int_t)i->succeeded, "failed",
        (json_int_t)i->failed);
}

json_t *
out_stats(const struct stint_stats *s)
{
    json_t *o = json_pack("{ss}", "schema", "stint.stats/1");
#define X(field) json_object_set_new(o, #field, json_integer((json_int_t)s->field));
    STINT_STATS_FIELDS(X)
#undef X
    json_object_set_new(o, "jobs", states_of(s->jobs));
    return o;
}

json_t *
out_event(const struct stint_event *e)
{
    char id[STINT_ID_TEXT_BYTES];
    json_t *o = json_pack("{ss ss}", "schema", "stint.event/1", "event", stint_event_name(e->type));
    put_time(o, "at", e->at_ms);
    if (e->type == STINT_EVENT_LOST) {
        put_number(o, "lost", e->count);
        return o;
    }
    json_object_set_new(o, "id", json_string(stint_id_format(&e->id, id)));
    put_text(o, "queue", e->queue);
    put_number(o, "attempt", e->count);
    return o;
}

bool
out_line(json_t *object)
{
    bool good = json_dumpf(object, stdout, JSON_COMPACT) == 0 && fputc('\n', stdout) != EOF;
    json_decref(object);
    return good && (!isatty(STDOUT_FILENO) || fflush(stdout) == 0);
}

struct out_table {
    struct libscols_table *table;
    const struct out_column *columns;
    size_t count;
};

struct out_table *
out_table_new(const struct out_column *columns, size_t count)
{
    struct out_table *t = calloc(1, sizeof *t);
    if (!t)
        abort();
    scols_init_debug(0);
    t->table = scols_new_table();
    t->columns = columns;
    t->count = count;
    for (size_t i = 0; i < count; i++) {
        int flags = columns[i].right ? SCOLS_FL_RIGHT : 0;
        bool last = i == count - 1;
        scols_table_new_column(
            t->table, columns[i].title, 0.1, last ? flags | SCOLS_FL_TRUNC : flags);
    }
    return t;
}

/* A field as people read it; control characters do not reach the terminal. */
static void
field_text(const json_t *object, const char *field, char *text, size_t size)
{
    const json_t *v = json_object_get(object, field);
    char *dump = NULL;
    const char *from = "";
    (void)snprintf(text, size, "%s", "");
    if (json_is_integer(v))
        (void)snprintf(text, size, "%lld", (long long)json_integer_value(v));
    else if (json_is_string(v))
        from = json_string_value(v);
    else if (v)
        from = dump = json_dumps(v, JSON_COMPACT);
    for (size_t n = 0; *from && n + 1 < size; from++) {
        text[n++] = (unsigned char)*from < ' ' || *from == 127 ? ' ' : *from;
        text[n] = '\0';
    }
    free(dump);
}

void
out_table_add(struct out_table *t, json_t *object)
{
    struct libscols_line *line = scols_table_new_line(t->table, NULL);
    for (size_t i = 0; i < t->count; i++) {
        char text[200];
        field_text(object, t->columns[i].field, text, sizeof text);
        scols_line_set_data(line, i, text);
    }
    json_decref(object);
}

void
out_table_show(struct out_table **table)
{
    if (scols_table_get_nlines((*table)->table) > 0)
        scols_print_table((*table)->table);
    scols_unref_table((*table)->table);
    free(*table);
    *table = NULL;
}

void
out_fields(json_t *object)
{
    const char *field;
    json_t *value;
    json_object_foreach(object, field, value)
    {
        char text[4096];
        if (strcmp(field, "schema") == 0)
            continue;
        if (json_is_string(value) && strchr(json_string_value(value), '\n'))
            printf("%-16s%s\n", field, json_string_value(value));
        else {
            field_text(object, field, text, sizeof text);
            printf("%-16s%s\n", field, text);
        }
    }
    json_decref(object);
}

const char *
out_lost_result(const struct stint_job_info *info)
{
    if (info->state != STINT_SUCCEEDED || info->result || info->result_bytes == 0)
        return NULL;
    return info->error[0] ? info->error : "succeeded, but its result was not kept long enough";
}

bool
out_bytes(const void *bytes, size_t size)
{
    return size == 0 || fwrite(bytes, 1, size, stdout) == size;
}

void
out_progress(uint64_t done, uint64_t total, uint64_t failed, bool last)
{
    enum { WIDTH = 30, EVERY_MS = 100 };
    static struct timespec begun, shown;
    struct timespec now;
    char bar[WIDTH + 1];
    if (!isatty(STDERR_FILENO))
        return;
    clock_gettime(CLOCK_MONOTONIC, &now);
    if (!begun.tv_sec)
        begun = now;
    double since =
        (double)(now.tv_sec - shown.tv_sec) + (double)(now.tv_nsec - shown.tv_nsec) / 1e9;
    double all = (double)(now.tv_sec - begun.tv_sec) + (double)(now.tv_nsec - begun.tv_nsec) / 1e9;
    if (all < 1 || (!last && since * 1000 < EVERY_MS)) /* short work needs no bar */
        return;
    shown = now;
    size_t full = total ? (size_t)(done * WIDTH / total) : 0;
    memset(bar, ' ', WIDTH);
    memset(bar, '#', full < WIDTH ? full : WIDTH);
    bar[WIDTH] = '\0';
    fprintf(stderr, "\r[%s] %llu/%llu  %llu failed  %.0f/s  ", bar, (unsigned long long)done,
        (unsigned long long)total, (unsigned long long)failed, (double)done / all);
    if (last)
        fputc('\n', stderr);
}
