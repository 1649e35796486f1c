/* JSON objects; the contract is in out.h. Tables are in table.c. */
#include "out.h"
#include "console.h"
#include "ending.h"
#include "json_bytes.h"
#include "reasons.h"
#include "stint_objects.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

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
        json_object_set_new(o, field, out_text(value, strlen(value)));
}

void
out_put_time(json_t *o, const char *field, uint64_t ms)
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

json_t *
out_text(const void *bytes, size_t size)
{
    json_t *text = json_bytes(bytes, size);
    if (!text)
        abort();
    return text;
}

/* The object stands beside the bytes: who reads a program's output knows from a field's name what
 * it is. */
void
out_put_body(json_t *o, const char *field, const void *bytes, size_t size)
{
    char *text, name[40];
    if (!bytes)
        return;
    json_object_set_new(o, field, out_text(bytes, size));
    if (!stint_is_object(bytes, size) || stint_msgpack_to_json(bytes, size, &text) != STINT_OK)
        return;
    (void)snprintf(name, sizeof name, "%s_object", field);
    json_object_set_new(o, name, json_loads(text, JSON_ALLOW_NUL, NULL));
    free(text);
}

bool
out_exit_status(const struct stint_job_info *info, int *code, int *signal)
{
    *code = *signal = 0;
    if (info->state == STINT_SUCCEEDED)
        return true;
    int number;
    enum ending ending = ending_read(info->error, &number);
    *code = ending == ENDING_EXIT ? number : 0;
    *signal = ending == ENDING_SIGNAL ? number : 0;
    return ending == ENDING_EXIT || ending == ENDING_SIGNAL;
}

int
out_exit_code(const struct stint_job_info *info)
{
    int number;
    if (info->state == STINT_SUCCEEDED)
        return EX_OK;
    switch (ending_read(info->error, &number)) {
    case ENDING_EXIT:
        return number;
    case ENDING_SIGNAL:
        return EXIT_SIGNAL + number;
    case ENDING_TIME_OVER:
        return EXIT_TIME_OVER;
    case ENDING_CANT_RUN:
        return number == ENOENT ? EXIT_NOT_FOUND : EXIT_CANNOT_RUN;
    case ENDING_CANT_ENTER:
        return EXIT_CANNOT_RUN;
    case ENDING_OTHER:
        break;
    }
    return EXIT_JOB_FAILED;
}

static void
put_progress(json_t *o, const struct stint_progress *p)
{
    if (!p->ms_ago)
        return;
    if (p->percent != STINT_NO_PERCENT)
        json_object_set_new(o, "progress_percent", json_integer(p->percent));
    put_text(o, "progress_text", p->text ? p->text : "");
    put_number(o, "progress_ms_ago", p->ms_ago);
}

/* What would drive a terminal becomes blanks. */
void
out_progress_line(const struct stint_progress *p, char *text, size_t size)
{
    int used = 0;
    if (p->percent != STINT_NO_PERCENT)
        used = snprintf(text, size, "%u %%%s", p->percent, p->text ? "  " : "");
    (void)snprintf(text + used, size - (size_t)used, "%s", p->text ? p->text : "");
    for (unsigned char *c = (unsigned char *)text; *c; c++) {
        bool c1 = c[0] == 0xc2 && c[1] >= 0x80 && c[1] < 0xa0;
        if (c1)
            *c++ = ' ';
        if (c1 || *c < ' ' || *c == 0x7f)
            *c = ' ';
    }
}

static void
put_parents(json_t *o, const struct stint_job_info *i)
{
    char id[STINT_ID_TEXT_BYTES];
    if (!i->parents)
        return;
    json_t *all = json_array();
    for (uint64_t n = 0; n < i->parents_count; n++)
        json_array_append_new(all, json_string(stint_id_format(&i->parents[n], id)));
    json_object_set_new(o, "parents", all);
}

static void
put_attempts(json_t *o, const struct stint_job_info *i)
{
    if (!i->attempts)
        return;
    json_t *all = json_array();
    for (const struct stint_attempt *a = i->attempts; a < i->attempts + i->attempts_count; a++) {
        json_t *one = json_pack(
            "{sI ss}", "attempt", (json_int_t)a->attempt, "end", stint_attempt_end_name(a->end));
        put_text(one, "worker", a->worker);
        out_put_time(one, "started", a->started_ms);
        out_put_time(one, "ended", a->ended_ms);
        put_text(one, "error", a->error);
        json_array_append_new(all, one);
    }
    json_object_set_new(o, "attempts", all);
}

static void
put_batch(json_t *o, const struct stint_job_info *i)
{
    char text[STINT_BATCH_TEXT_BYTES];
    if (!i->batch)
        return;
    put_text(o, "batch", stint_batch_format(i->batch, text));
    if (i->batch_role != STINT_BATCH_JOB)
        put_text(o, "batch_end", i->batch_role == STINT_BATCH_SUCCESS ? "success" : "always");
}

bool
out_hidden(const struct stint_job_info *i)
{
    return i->state == STINT_UNKNOWN && i->error[0];
}

json_t *
out_job(const struct stint_job_info *i)
{
    char id[STINT_ID_TEXT_BYTES];
    json_t *o = json_pack("{ss ss ss}", "schema", "stint.job/1", "id", stint_id_format(&i->id, id),
        "state", stint_state_name(i->state));
    if (out_hidden(i))
        put_text(o, "error", i->error);
    if (i->state == STINT_UNKNOWN)
        return o;
    put_text(o, "queue", i->queue);
    put_text(o, "kind", i->kind);
    json_object_set_new(o, "priority", json_integer(i->priority));
    put_number(o, "attempt", i->attempt);
    put_number(o, "failures", i->failures);
    put_number(o, "max_attempts", i->max_attempts);
    out_put_time(o, "submitted", i->submitted_ms);
    out_put_time(o, "due", i->due_ms);
    out_put_time(o, "started", i->started_ms);
    out_put_time(o, "settled", i->settled_ms);
    out_put_time(o, "expires", i->expires_at_ms);
    put_number(o, "after", i->after);
    if (i->after_flags & STINT_AFTER_ANY)
        json_object_set_new(o, "after_end", json_string("any"));
    put_text(o, "schedule", i->schedule);
    put_text(o, "needs", i->needs);
    put_batch(o, i);
    put_number(o, "keep_ms", i->keep_ms);
    put_number(o, "time_to_run_ms", i->time_to_run_ms);
    put_number(o, "total_ms", i->total_ms);
    put_number(o, "spent_ms", i->spent_ms);
    put_number(o, "payload_bytes", i->payload_bytes);
    put_number(o, "result_bytes", i->result_bytes);
    out_put_body(o, "payload", i->payload, i->payload_bytes);
    out_put_body(o, "result", i->result, i->result_bytes);
    put_text(o, "worker", i->worker);
    put_text(o, "group", i->group);
    if (i->group_holds)
        json_object_set_new(o, "group_holds", json_true());
    put_text(o, "unique", i->unique);
    if (i->unique[0])
        json_object_set_new(o, "unique_while",
            json_string(i->unique_flags & STINT_UNIQUE_WAITING ? "waiting" : "active"));
    put_number(o, "unique_for_ms", i->unique_for_ms);
    put_progress(o, &i->progress);
    put_attempts(o, i);
    put_parents(o, i);
    int code, signal;
    if (stint_state_settled(i->state) && strcmp(i->kind, "exec") == 0 &&
        out_exit_status(i, &code, &signal))
        json_object_set_new(
            o, signal ? "signal" : "exit_status", json_integer(signal ? signal : code));
    /* Of a job that succeeded it is the end of its standard error. */
    put_text(o, i->state == STINT_SUCCEEDED && !out_lost_result(i) ? "stderr" : "error", i->error);
    return o;
}

json_t *
out_states(const uint64_t *jobs)
{
    json_t *o = json_object();
    for (unsigned s = 1; s < STINT_STATES; s++)
        json_object_set_new(
            o, stint_state_name((enum stint_state)s), json_integer((json_int_t)jobs[s]));
    return o;
}

static json_t *
out_counts(const uint64_t totals[STINT_COUNTS])
{
    json_t *o = json_object();
    for (unsigned i = 0; i < STINT_COUNTS; i++)
        json_object_set_new(
            o, stint_count_name((enum stint_count)i), json_integer((json_int_t)totals[i]));
    return o;
}

/* What else is set for a queue; what is not set is left out. */
static void
put_tuning(
    json_t *o, uint32_t weight, uint32_t backlog_max, uint64_t keep_ms, uint64_t time_to_run_ms)
{
    json_object_set_new(o, "weight", json_integer(weight));
    put_number(o, "backlog_max", backlog_max);
    if (keep_ms != STINT_KEEP_UNSET)
        json_object_set_new(o, "keep_ms", json_integer((json_int_t)keep_ms));
    put_number(o, "default_timeout_ms", time_to_run_ms);
}

static const char *
queue_state(const struct stint_queue_info *i)
{
    if (i->paused)
        return i->closed ? "paused, closed" : "paused";
    if (i->running || i->rate)
        return i->closed ? "limited, closed" : "limited";
    return i->closed ? "closed" : "";
}

/* What is set for the groups of a queue. */
static void
put_groups(json_t *o, uint32_t running, uint64_t rate, uint32_t weights)
{
    put_number(o, "group_running_max", running);
    put_number(o, "group_rate_per_hour", rate);
    put_number(o, "group_weights", weights);
}

json_t *
out_queue(const struct stint_queue_info *i)
{
    json_t *o = json_pack("{ss ss sI sI}", "schema", "stint.queue/1", "name", i->name, "number",
        (json_int_t)i->number, "workers", (json_int_t)i->workers);
    json_object_set_new(o, "paused", json_boolean(i->paused));
    json_object_set_new(o, "closed", json_boolean(i->closed));
    json_object_set_new(o, "order", json_string(i->lifo ? "lifo" : "fifo"));
    json_object_set_new(o, "priorities", json_string(i->low_first ? "low-first" : "high-first"));
    put_number(o, "running_max", i->running);
    put_number(o, "rate_per_hour", i->rate);
    put_tuning(o, i->weight, i->backlog_max, i->keep_ms, i->time_to_run_ms);
    put_groups(o, i->group_running, i->group_rate, i->group_weights);
    put_text(o, "state", queue_state(i));
    put_text(o, "unserved", i->unserved);
    put_number(o, "oldest_ready_ms", i->oldest_ready_ms);
    json_t *states = out_states(i->jobs);
    json_object_update(o, states);
    json_decref(states);
    return o;
}

json_t *
out_queue_setting(const char *name, const char *action, const struct stint_queue_setting *now)
{
    json_t *o = json_pack("{ss ss ss sb sb ss ss sb}", "schema", "stint.queue_setting/1", "queue",
        name, "action", action, "paused", now->paused, "closed", now->closed, "order",
        now->lifo ? "lifo" : "fifo", "priorities", now->low_first ? "low-first" : "high-first",
        "made", now->made);
    put_number(o, "running_max", now->running);
    put_number(o, "rate_per_hour", now->rate);
    put_tuning(o, now->weight, now->backlog_max, now->keep_ms, now->time_to_run_ms);
    put_groups(o, now->group_running, now->group_rate, now->group_weights);
    return o;
}

json_t *
out_group(const struct stint_group_info *i)
{
    json_t *o = json_pack("{ss so sI sI sI}", "schema", "stint.group/1", "group",
        out_text(i->name, strlen(i->name)), "ready", (json_int_t)i->ready, "running",
        (json_int_t)i->running, "weight", (json_int_t)i->weight);
    put_number(o, "wait_ms", i->wait_ms);
    return o;
}

json_t *
out_worker(const struct stint_worker_info *i)
{
    json_t *o = json_pack("{ss so so ss sI sI sI sI sI sI}", "schema", "stint.worker/1", "name",
        out_text(i->name, strlen(i->name)), "software", out_text(i->software, strlen(i->software)),
        "queues", i->queues, "slots", (json_int_t)i->slots, "window", (json_int_t)i->window, "held",
        (json_int_t)i->held, "seen_ms_ago", (json_int_t)i->seen_ms_ago, "succeeded",
        (json_int_t)i->succeeded, "failed", (json_int_t)i->failed);
    put_text(o, "kinds", i->kinds);
    put_text(o, "labels", i->labels);
    put_text(o, "has", i->has);
    put_text(o, "taken", i->taken);
    put_number(o, "running", i->begun);
    put_number(o, "cores", i->cores);
    put_number(o, "load_percent", i->load);
    put_text(o, "state",
        i->state & STINT_IS_AWAY          ? "away"
            : i->state & STINT_IS_LEAVING ? "leaving"
            : i->state & STINT_IS_PAUSED  ? "paused"
                                          : "");
    put_number(o, "since_ms_ago", i->since_ms_ago);
    return o;
}

/* What it is about, the reason's name and its numbers, and the sentence made of them. */
json_t *
out_reason(const struct stint_reason *r)
{
    static const struct stint_id none;
    char id[STINT_ID_TEXT_BYTES];
    char *sentence = reason_sentence(r, clock_wall_ms());
    json_t *o = json_pack("{ss}", "schema", "stint.why/1");
    if (memcmp(&r->id, &none, sizeof none) != 0)
        put_text(o, "id", stint_id_format(&r->id, id));
    put_text(o, "reason", stint_why_name(r->why));
    json_object_set_new(o, "sentence", out_text(sentence, strlen(sentence)));
    put_text(o, "queue", r->queue);
    put_text(o, "kind", r->kind);
    put_text(o, "state", r->state ? stint_state_name(r->state) : "");
    put_number(o, "workers", r->workers);
    put_number(o, "paused", r->paused);
    put_number(o, "leaving", r->leaving);
    put_number(o, "away", r->away);
    put_number(o, "slots", r->slots);
    put_number(o, "before", r->before);
    if (r->about)
        json_object_set_new(o, "about", json_true());
    out_put_time(o, "due", r->due_ms);
    put_text(o, "worker", r->worker);
    put_text(o, "needs", r->needs);
    put_text(o, "error", r->error);
    if (r->closed || r->full)
        put_text(o, "submits", r->closed ? "closed" : "full");
    free(sentence);
    return o;
}

json_t *
out_running(const struct stint_running_info *i)
{
    char id[STINT_ID_TEXT_BYTES];
    json_t *o = json_pack("{ss ss ss ss sI ss sI}", "schema", "stint.running/1", "id",
        stint_id_format(&i->id, id), "queue", i->queue, "kind", i->kind, "attempt",
        (json_int_t)i->attempt, "state", i->begun ? "running" : "waiting", "ms_ago",
        (json_int_t)i->ms_ago);
    put_progress(o, &i->progress);
    return o;
}

json_t *
out_fleet(const struct stint_fleet *f)
{
    return json_pack("{ss sI sI sI sI}", "schema", "stint.fleet/1", "slots", (json_int_t)f->slots,
        "workers", (json_int_t)f->workers, "cores", (json_int_t)f->cores, "given",
        (json_int_t)f->given);
}

json_t *
out_stats(const struct stint_stats *s)
{
    json_t *o = json_pack("{ss}", "schema", "stint.stats/1");
#define X(field) json_object_set_new(o, #field, json_integer((json_int_t)s->field));
    STINT_STATS_FIELDS(X)
#undef X
    json_object_set_new(o, "jobs", out_states(s->jobs));
    json_object_set_new(o, "totals", out_counts(s->totals));
    return o;
}

static json_t *
out_times(const struct stint_times *t)
{
    return json_pack("{sI sI sI sI sI sI sI}", "count", (json_int_t)t->count, "sum",
        (json_int_t)t->sum_ms, "recent", (json_int_t)t->recent, "p50", (json_int_t)t->p50_ms, "p90",
        (json_int_t)t->p90_ms, "p99", (json_int_t)t->p99_ms, "max", (json_int_t)t->max_ms);
}

/* Times are in ms, rates in jobs a second. */
json_t *
out_figures(const struct stint_figures *f)
{
    static const char *const minutes[STINT_RATES] = {"1m", "5m", "15m"};
    json_t *o = json_pack("{ss so sI sb sb so}", "schema", "stint.figures/1", "queue",
        out_text(f->queue, strlen(f->queue)), "workers", (json_int_t)f->workers, "paused",
        f->paused, "closed", f->closed, "totals", out_counts(f->totals));
    json_t *states = out_states(f->jobs), *rates = json_object();
    json_object_update(o, states);
    json_decref(states);
    for (unsigned r = 0; r < STINT_RATES; r++) {
        json_t *rate = json_object();
        for (unsigned i = 0; i < STINT_COUNTS; i++)
            json_object_set_new(rate, stint_count_name((enum stint_count)i),
                json_real((double)f->rates[r][i] / 1000));
        json_object_set_new(rates, minutes[r], rate);
    }
    json_object_set_new(o, "rates", rates);
    put_number(o, "oldest_ready_ms", f->oldest_ready_ms);
    json_object_set_new(o, "wait_ms", out_times(&f->wait));
    json_object_set_new(o, "run_ms", out_times(&f->run));
    json_t *kinds = json_array(), *priorities = json_array();
    for (size_t i = 0; i < f->kinds_count; i++)
        json_array_append_new(kinds,
            json_pack("{so so so}", "kind", out_text(f->kinds[i].kind, strlen(f->kinds[i].kind)),
                "wait_ms", out_times(&f->kinds[i].wait), "run_ms", out_times(&f->kinds[i].run)));
    json_object_set_new(o, "kinds", kinds);
    for (size_t i = 0; i < f->priorities_count; i++) {
        json_t *p = out_states(f->priorities[i].jobs);
        json_object_set_new(p, "priority", json_integer(f->priorities[i].priority));
        json_array_append_new(priorities, p);
    }
    json_object_set_new(o, "priorities", priorities);
    return o;
}

/* What had moved meanwhile is what was counted and neither done nor refused, at its end. */
json_t *
out_bulk(const struct stint_bulk_info *i)
{
    char text[STINT_ID_TEXT_BYTES];
    uint64_t over = i->done + i->refused;
    (void)snprintf(text, sizeof text, "%016llx", (unsigned long long)i->bulk);
    json_t *examples = json_array(),
           *o = json_pack("{ss ss ss ss}", "schema", "stint.bulk/1", "bulk", text, "action",
               stint_bulk_action_name(i->action), "state", stint_bulk_state_name(i->state));
    json_object_set_new(o, "where", out_text(i->where, strlen(i->where)));
    json_object_set_new(o, "dry", json_boolean(i->dry));
    put_text(o, "to", i->queue);
    if (i->action == STINT_BULK_PRIORITY)
        json_object_set_new(o, "to", json_integer(i->priority));
    put_text(o, "key", i->key);
    out_put_time(o, "began", i->began_ms);
    out_put_time(o, "ended", i->ended_ms);
    json_object_set_new(o, "counted", json_integer((json_int_t)i->counted));
    json_object_set_new(o, "done", json_integer((json_int_t)i->done));
    json_object_set_new(o, "refused", json_integer((json_int_t)i->refused));
    if (i->status != STINT_OK)
        put_text(o, "status", stint_status_name(i->status));
    if (i->state == STINT_BULK_DONE && !i->dry)
        json_object_set_new(
            o, "moved", json_integer((json_int_t)(i->counted > over ? i->counted - over : 0)));
    for (uint32_t n = 0; n < i->examples_count; n++)
        json_array_append_new(examples, json_string(stint_id_format(&i->examples[n], text)));
    json_object_set_new(o, "examples", examples);
    return o;
}

json_t *
out_event(const struct stint_event *e)
{
    char id[STINT_ID_TEXT_BYTES];
    json_t *o = json_pack("{ss ss}", "schema", "stint.event/1", "event", stint_event_name(e->type));
    out_put_time(o, "at", e->at_ms);
    if (e->type == STINT_EVENT_LOST) {
        put_number(o, "lost", e->count);
        return o;
    }
    json_object_set_new(o, "id", json_string(stint_id_format(&e->id, id)));
    put_text(o, "queue", e->queue);
    put_number(o, "attempt", e->count);
    put_text(o, "schedule", e->schedule);
    return o;
}

json_t *
out_key(const char *name, const struct key_file *file, const struct key_grant *grant)
{
    char rights[KEY_WORD_BYTES] = "", queues[KEY_QUEUES_BYTES + KEY_PATTERNS_MAX] = "";
    size_t n = 0;
    if (grant) {
        key_rights_text(grant->rights, rights);
        (void)snprintf(queues, sizeof queues, "%s", grant->patterns_count ? "" : "*");
        for (unsigned i = 0; i < grant->patterns_count && n < sizeof queues; i++)
            n += (size_t)snprintf(
                queues + n, sizeof queues - n, "%s%s", i ? ", " : "", grant->patterns[i]);
    }
    json_t *o = json_pack("{ss}", "schema", "stint.key/1");
    if (name)
        put_text(o, "name", name);
    put_text(o, "public_key", file->public_key);
    put_text(o, "role", grant ? file->role : "");
    put_text(o, "rights", rights);
    put_text(o, "queues", queues);
    return o;
}

bool
out_line(json_t *object)
{
    FILE *f = console_out();
    bool good = json_dumpf(object, f, JSON_COMPACT) == 0 && fputc('\n', f) != EOF;
    json_decref(object);
    return good;
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
    return size == 0 || fwrite(bytes, 1, size, console_out()) == size;
}
