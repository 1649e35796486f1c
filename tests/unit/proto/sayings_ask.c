/* Questions and answers, figures and events: what is said of them, with random fields. */
#include "sayings.h"

static uint32_t
say_ids(enum message_type type, uint64_t number, uint32_t option)
{
    struct stint_id ids[6];
    uint32_t count = (uint32_t)below(6);
    for (uint32_t i = 0; i < count; i++)
        ids[i] = id();
    message_put_ids(&frame, type, number, ids, count, option);
    hear(type, number);
    assert_int_equal(heard.count, count);
    assert_memory_equal(arrays->ids, ids, count * sizeof *ids);
    return count;
}

void
say_WAIT(uint64_t number)
{
    bool results = chance(), tells = chance(), listens = chance();
    (void)say_ids(MESSAGE_WAIT, number,
        (results ? (uint32_t)WAIT_RESULTS : 0) | (tells ? (uint32_t)WAIT_PROGRESS : 0) |
            (listens ? (uint32_t)WAIT_OUTPUT : 0));
    assert_int_equal(heard.wait.output, listens);
    assert_int_equal(heard.wait.results, results);
    assert_int_equal(heard.wait.progress, tells);
}

void
say_GET(uint64_t number)
{
    uint32_t parts = (uint32_t)below(8);
    (void)say_ids(MESSAGE_GET, number, parts);
    assert_int_equal(heard.get.parts, parts);
}

void
say_CANCEL(uint64_t number)
{
    (void)say_ids(MESSAGE_CANCEL, number, 0);
}

void
say_RETRY(uint64_t number)
{
    (void)say_ids(MESSAGE_RETRY, number, 0);
}

void
say_DELETE(uint64_t number)
{
    (void)say_ids(MESSAGE_DELETE, number, 0);
}

void
say_LIST(uint64_t number)
{
    struct message list = {.type = MESSAGE_LIST};
    list.list.queue = chance() ? name() : (struct slice){NULL, 0};
    list.list.kind = chance() ? name() : (struct slice){NULL, 0};
    list.list.cursor = bytes();
    list.list.states = (uint32_t)upto(UINT32_MAX);
    list.list.limit = (uint32_t)upto(UINT32_MAX);
    message_put_list(&frame, number, &list);
    hear(MESSAGE_LIST, number);
    assert_same(heard.list.queue, list.list.queue);
    assert_same(heard.list.kind, list.list.kind);
    assert_same(heard.list.cursor, list.list.cursor);
    assert_int_equal(heard.list.states, list.list.states);
    assert_int_equal(heard.list.limit, list.list.limit);
}

static void
say_page(enum message_type type, uint64_t number)
{
    struct slice cursor = bytes();
    message_put_page(&frame, type, number, cursor);
    hear(type, number);
    assert_same(heard.page.cursor, cursor);
}

void
say_LIST_QUEUES(uint64_t number)
{
    say_page(MESSAGE_LIST_QUEUES, number);
}

void
say_LIST_WORKERS(uint64_t number)
{
    say_page(MESSAGE_LIST_WORKERS, number);
}

void
say_GET_STATS(uint64_t number)
{
    message_put_numbered(&frame, MESSAGE_GET_STATS, number);
    hear(MESSAGE_GET_STATS, number);
}

void
say_UNSUBSCRIBE(uint64_t number)
{
    message_put_numbered(&frame, MESSAGE_UNSUBSCRIBE, number);
    hear(MESSAGE_UNSUBSCRIBE, number);
}

void
say_SUBSCRIBE(uint64_t number)
{
    struct stint_id ids[4] = {id(), id(), id(), id()};
    struct slice queue = chance() ? name() : (struct slice){NULL, 0};
    uint32_t events = (uint32_t)upto(UINT32_MAX), count = (uint32_t)below(5);
    message_put_subscribe(&frame, number, queue, events, ids, count);
    hear(MESSAGE_SUBSCRIBE, number);
    assert_same(heard.subscribe.queue, queue);
    assert_int_equal(heard.subscribe.events, events);
    assert_int_equal(heard.count, count);
    assert_memory_equal(arrays->ids, ids, count * sizeof *ids);
}

/* ---- answers ---- */

void
say_ANSWERS(uint64_t number)
{
    uint32_t statuses[6], count = (uint32_t)below(6);
    for (uint32_t i = 0; i < count; i++)
        statuses[i] = (uint32_t)upto(UINT16_MAX);
    message_put_answers(&frame, number, statuses, count);
    hear(MESSAGE_ANSWERS, number);
    assert_int_equal(heard.count, count);
    assert_memory_equal(arrays->statuses, statuses, count * sizeof *statuses);
}

static void
fill_numbers(uint64_t *numbers, size_t count)
{
    for (size_t i = 0; i < count; i++)
        numbers[i] = chance() ? 0 : upto(UINT64_MAX);
}

struct stint_progress
progress(void)
{
    static char texts[8][STINT_PROGRESS_BYTES];
    static unsigned next;
    if (chance())
        return (struct stint_progress){0};
    char *to = texts[next++ % 8];
    text(to, STINT_PROGRESS_BYTES);
    return (struct stint_progress){.text = chance() ? to : NULL,
        .ms_ago = 1 + upto(UINT64_MAX - 1),
        .percent = chance() ? (uint32_t)below(101) : STINT_NO_PERCENT};
}

void
assert_progress(const struct stint_progress *a, const struct stint_progress *b)
{
    assert_number(a->ms_ago, b->ms_ago);
    assert_int_equal(a->percent, b->percent);
    assert_int_equal(a->text != NULL, b->text != NULL);
    if (a->text)
        assert_string_equal(a->text, b->text);
}

/* Runs of a job that have ended, of the `which`th in a message. */
static void
fill_attempts(struct stint_job_info *i, uint32_t which)
{
    static struct stint_attempt attempts[3][LIMIT_ATTEMPTS_TOLD];
    static struct stint_id parents[3][5];
    i->parents_count = chance() ? 0 : 1 + below(5);
    i->parents = i->parents_count ? parents[which] : NULL;
    for (uint64_t n = 0; n < i->parents_count; n++)
        parents[which][n] = id();
    i->attempts_count = below(3) ? below(4) : below(LIMIT_ATTEMPTS_TOLD + 1);
    i->attempts = i->attempts_count ? attempts[which] : NULL;
    for (struct stint_attempt *a = attempts[which]; a < attempts[which] + i->attempts_count; a++) {
        a->attempt = (uint32_t)upto(UINT32_MAX);
        a->end = (enum stint_attempt_end)below(STINT_ATTEMPT_ENDS);
        a->started_ms = below(2) ? upto(UINT64_MAX) : 0;
        a->ended_ms = upto(UINT64_MAX);
        text(a->worker, sizeof a->worker);
        text(a->error, sizeof a->error);
    }
}

static void
assert_attempts(const struct stint_job_info *is, const struct stint_job_info *was)
{
    assert_int_equal(is->parents_count, was->parents_count);
    if (was->parents)
        assert_memory_equal(is->parents, was->parents, was->parents_count * sizeof *was->parents);
    assert_int_equal(is->attempts_count, was->attempts_count);
    assert_int_equal(is->attempts != NULL, was->attempts != NULL);
    for (uint64_t i = 0; i < was->attempts_count; i++) {
        ASSERT_FIELD(&is->attempts[i], &was->attempts[i], attempt);
        ASSERT_FIELD(&is->attempts[i], &was->attempts[i], end);
        ASSERT_FIELD(&is->attempts[i], &was->attempts[i], started_ms);
        ASSERT_FIELD(&is->attempts[i], &was->attempts[i], ended_ms);
        assert_string_equal(is->attempts[i].worker, was->attempts[i].worker);
        assert_string_equal(is->attempts[i].error, was->attempts[i].error);
    }
}

static struct stint_job_info
job_info(void)
{
    struct stint_job_info i = {.id = id(), .state = (enum stint_state)below(STINT_STATES)};
    uint64_t *const numbers[] = {&i.submitted_ms, &i.due_ms, &i.started_ms, &i.settled_ms,
        &i.keep_ms, &i.time_to_run_ms, &i.backoff_base_ms, &i.backoff_cap_ms, &i.expires_at_ms,
        &i.total_ms, &i.spent_ms};
    struct slice payload = bytes(), result = bytes();
    i.priority = id_priority(&i.id);
    i.attempt = (uint32_t)upto(UINT32_MAX);
    i.failures = (uint32_t)upto(UINT32_MAX);
    i.max_attempts = (uint32_t)upto(UINT32_MAX);
    for (size_t n = 0; n < sizeof numbers / sizeof *numbers; n++)
        fill_numbers(numbers[n], 1);
    i.payload_bytes = payload.size;
    i.result_bytes = result.size;
    i.payload = chance() ? payload.data : NULL;
    i.result = chance() ? result.data : NULL;
    text(i.queue, sizeof i.queue);
    text(i.kind, sizeof i.kind);
    text(i.worker, sizeof i.worker);
    text(i.error, sizeof i.error);
    i.after = (uint32_t)upto(UINT32_MAX);
    i.after_flags = (uint32_t)upto(UINT32_MAX);
    text(i.schedule, sizeof i.schedule);
    text(i.needs, sizeof i.needs);
    i.batch = chance() ? 1 + upto(LIMIT_BATCH - 1) : 0;
    i.batch_role = i.batch ? below(3) : 0;
    text(i.group, sizeof i.group);
    i.group_holds = chance();
    i.progress = progress();
    return i;
}

/* Bodies are elsewhere now. */
static void
assert_job_info(const struct stint_job_info *was)
{
    const struct stint_job_info *is = &arrays->info;
    ASSERT_FIELD(is, was, id);
    ASSERT_FIELD(is, was, state);
    ASSERT_FIELD(is, was, queue);
    ASSERT_FIELD(is, was, kind);
    ASSERT_FIELD(is, was, priority);
    ASSERT_FIELD(is, was, attempt);
    ASSERT_FIELD(is, was, failures);
    ASSERT_FIELD(is, was, max_attempts);
    ASSERT_FIELD(is, was, submitted_ms);
    ASSERT_FIELD(is, was, due_ms);
    ASSERT_FIELD(is, was, expires_at_ms);
    ASSERT_FIELD(is, was, after);
    ASSERT_FIELD(is, was, after_flags);
    ASSERT_FIELD(is, was, total_ms);
    ASSERT_FIELD(is, was, spent_ms);
    assert_string_equal(is->schedule, was->schedule);
    assert_string_equal(is->needs, was->needs);
    ASSERT_FIELD(is, was, batch);
    ASSERT_FIELD(is, was, batch_role);
    assert_string_equal(is->group, was->group);
    ASSERT_FIELD(is, was, group_holds);
    ASSERT_FIELD(is, was, started_ms);
    ASSERT_FIELD(is, was, settled_ms);
    ASSERT_FIELD(is, was, keep_ms);
    ASSERT_FIELD(is, was, time_to_run_ms);
    ASSERT_FIELD(is, was, backoff_base_ms);
    ASSERT_FIELD(is, was, backoff_cap_ms);
    ASSERT_FIELD(is, was, payload_bytes);
    ASSERT_FIELD(is, was, result_bytes);
    ASSERT_FIELD(is, was, worker);
    ASSERT_FIELD(is, was, error);
    assert_progress(&is->progress, &was->progress);
    assert_attempts(is, was);
    assert_int_equal(was->payload != NULL, is->payload != NULL);
    assert_int_equal(was->result != NULL, is->result != NULL);
    if (was->payload)
        assert_memory_equal(is->payload, was->payload, was->payload_bytes);
    if (was->result)
        assert_memory_equal(is->result, was->result, was->result_bytes);
}

static void
say_jobs(enum message_type type, uint64_t number)
{
    struct stint_job_info infos[3];
    struct pack_buffer elements = {0};
    uint32_t count = (uint32_t)below(4);
    struct slice cursor = type == MESSAGE_JOBS ? bytes() : (struct slice){NULL, 0};
    for (uint32_t i = 0; i < count; i++) {
        infos[i] = job_info();
        fill_attempts(&infos[i], i);
        message_put_job_info(&elements, &infos[i]);
    }
    struct slice all = {elements.data, elements.used};
    if (type == MESSAGE_JOBS)
        message_put_numbered_elements(&frame, type, number, all, count, cursor);
    else
        message_put_elements(&frame, type, all, count);
    hear(type, type == MESSAGE_JOBS ? number : 0);
    assert_same(heard.page.cursor, cursor);
    assert_int_equal(heard.count, count);
    for (uint32_t i = 0; i < count; i++) {
        assert_true(message_next_job(arrays));
        assert_job_info(&infos[i]);
    }
    pack_buffer_free(&elements);
}

void
say_OUTCOMES(uint64_t number)
{
    say_jobs(MESSAGE_OUTCOMES, number);
}

void
say_JOBS(uint64_t number)
{
    say_jobs(MESSAGE_JOBS, number);
}

void
say_QUEUES(uint64_t number)
{
    struct stint_queue_info infos[3];
    struct pack_buffer elements = {0};
    uint32_t count = (uint32_t)below(4);
    struct slice cursor = bytes();
    for (uint32_t i = 0; i < count; i++) {
        infos[i] = (struct stint_queue_info){.number = (uint32_t)upto(UINT32_MAX),
            .workers = (uint32_t)upto(UINT32_MAX),
            .oldest_ready_ms = below(2) ? upto(UINT64_MAX) : 0,
            .weight = 1 + (uint32_t)upto(LIMIT_QUEUE_WEIGHT - 1),
            .backlog_max = (uint32_t)upto(LIMIT_QUEUE_BACKLOG),
            .keep_ms = below(2) ? STINT_KEEP_UNSET : upto(LIMIT_TIME_MS),
            .time_to_run_ms = below(2) ? 0 : upto(LIMIT_TIME_MS),
            .group_running = (uint32_t)upto(LIMIT_GROUP_RUNNING),
            .group_weights = (uint32_t)upto(LIMIT_GROUP_WEIGHTS),
            .group_rate = upto(LIMIT_QUEUE_RATE)};
        text(infos[i].name, sizeof infos[i].name);
        text(infos[i].unserved, sizeof infos[i].unserved);
        fill_numbers(infos[i].jobs, STINT_STATES);
        message_put_queue_info(&elements, &infos[i]);
    }
    message_put_numbered_elements(&frame, MESSAGE_QUEUES, number,
        (struct slice){elements.data, elements.used}, count, cursor);
    hear(MESSAGE_QUEUES, number);
    assert_same(heard.page.cursor, cursor);
    assert_int_equal(heard.count, count);
    for (uint32_t i = 0; i < count; i++) {
        assert_true(message_next_queue(arrays));
        ASSERT_FIELD(&arrays->queue_info, &infos[i], name);
        ASSERT_FIELD(&arrays->queue_info, &infos[i], number);
        ASSERT_FIELD(&arrays->queue_info, &infos[i], jobs);
        ASSERT_FIELD(&arrays->queue_info, &infos[i], workers);
        ASSERT_FIELD(&arrays->queue_info, &infos[i], unserved);
        ASSERT_FIELD(&arrays->queue_info, &infos[i], oldest_ready_ms);
        ASSERT_FIELD(&arrays->queue_info, &infos[i], weight);
        ASSERT_FIELD(&arrays->queue_info, &infos[i], backlog_max);
        ASSERT_FIELD(&arrays->queue_info, &infos[i], keep_ms);
        ASSERT_FIELD(&arrays->queue_info, &infos[i], time_to_run_ms);
        ASSERT_FIELD(&arrays->queue_info, &infos[i], group_running);
        ASSERT_FIELD(&arrays->queue_info, &infos[i], group_weights);
        ASSERT_FIELD(&arrays->queue_info, &infos[i], group_rate);
    }
    pack_buffer_free(&elements);
}

void
say_WORKERS(uint64_t number)
{
    struct stint_worker_info infos[3];
    struct pack_buffer elements = {0};
    uint32_t count = (uint32_t)below(4);
    struct slice cursor = bytes();
    for (uint32_t i = 0; i < count; i++) {
        struct stint_worker_info *w = &infos[i];
        *w = (struct stint_worker_info){.slots = (uint32_t)upto(UINT32_MAX),
            .window = (uint32_t)upto(UINT32_MAX),
            .held = (uint32_t)upto(UINT32_MAX),
            .seen_ms_ago = upto(UINT64_MAX),
            .succeeded = upto(UINT64_MAX),
            .failed = upto(UINT64_MAX),
            .begun = (uint32_t)upto(UINT32_MAX),
            .cores = (uint32_t)upto(UINT32_MAX),
            .load = (uint32_t)upto(UINT32_MAX),
            .state = (uint32_t)upto(UINT32_MAX),
            .since_ms_ago = upto(UINT64_MAX)};
        text(w->labels, sizeof w->labels);
        text(w->has, sizeof w->has);
        text(w->taken, sizeof w->taken);
        text(w->name, sizeof w->name);
        text(w->software, sizeof w->software);
        text(w->queues, sizeof w->queues);
        text(w->kinds, sizeof w->kinds);
        message_put_worker_info(&elements, w);
    }
    message_put_numbered_elements(&frame, MESSAGE_WORKERS, number,
        (struct slice){elements.data, elements.used}, count, cursor);
    hear(MESSAGE_WORKERS, number);
    assert_same(heard.page.cursor, cursor);
    assert_int_equal(heard.count, count);
    for (uint32_t i = 0; i < count; i++) {
        const struct stint_worker_info *is = &arrays->worker_info, *was = &infos[i];
        assert_true(message_next_worker(arrays));
        ASSERT_FIELD(is, was, name);
        ASSERT_FIELD(is, was, software);
        ASSERT_FIELD(is, was, queues);
        ASSERT_FIELD(is, was, kinds);
        ASSERT_FIELD(is, was, slots);
        ASSERT_FIELD(is, was, window);
        ASSERT_FIELD(is, was, held);
        ASSERT_FIELD(is, was, seen_ms_ago);
        ASSERT_FIELD(is, was, succeeded);
        ASSERT_FIELD(is, was, failed);
        ASSERT_FIELD(is, was, begun);
        ASSERT_FIELD(is, was, cores);
        ASSERT_FIELD(is, was, load);
        ASSERT_FIELD(is, was, state);
        ASSERT_FIELD(is, was, since_ms_ago);
        ASSERT_FIELD(is, was, labels);
        ASSERT_FIELD(is, was, has);
        ASSERT_FIELD(is, was, taken);
    }
    pack_buffer_free(&elements);
}

void
say_STATS(uint64_t number)
{
    struct stint_stats s = {0};
#define X(field) s.field = upto(UINT64_MAX);
    STINT_STATS_FIELDS(X)
#undef X
    fill_numbers(s.jobs, STINT_STATES);
    fill_numbers(s.totals, STINT_COUNTS);
    message_put_stats(&frame, number, &s);
    hear(MESSAGE_STATS, number);
#define X(field) assert_number(heard.stats.field, s.field);
    STINT_STATS_FIELDS(X)
#undef X
    ASSERT_FIELD(&heard.stats, &s, jobs);
    ASSERT_FIELD(&heard.stats, &s, totals);
}

void
say_EVENTS(uint64_t number)
{
    struct stint_event events[4];
    struct pack_buffer elements = {0};
    uint32_t count = (uint32_t)below(5);
    for (uint32_t i = 0; i < count; i++) {
        events[i] = (struct stint_event){.type = (enum stint_event_type)upto(UINT16_MAX),
            .id = id(),
            .at_ms = upto(UINT64_MAX),
            .count = upto(UINT64_MAX)};
        text(events[i].queue, sizeof events[i].queue);
        message_put_event(&elements, &events[i]);
    }
    message_put_numbered_elements(&frame, MESSAGE_EVENTS, number,
        (struct slice){elements.data, elements.used}, count, (struct slice){NULL, 0});
    hear(MESSAGE_EVENTS, number);
    assert_int_equal(heard.count, count);
    for (uint32_t i = 0; i < count; i++) {
        const struct stint_event *is = &arrays->events[i], *was = &events[i];
        ASSERT_FIELD(is, was, type);
        ASSERT_FIELD(is, was, id);
        ASSERT_FIELD(is, was, at_ms);
        ASSERT_FIELD(is, was, count);
        assert_string_equal(is->queue, was->queue);
    }
    pack_buffer_free(&elements);
}

void
say_WHY(uint64_t number)
{
    struct stint_id ids[4];
    struct slice queue = chance() ? name() : (struct slice){0};
    uint32_t count = (uint32_t)below(5);
    for (uint32_t i = 0; i < count; i++)
        ids[i] = id();
    message_put_why(&frame, number, queue, ids, count);
    hear(MESSAGE_WHY, number);
    assert_same(heard.why.queue, queue);
    assert_int_equal(heard.count, count);
    if (count)
        assert_memory_equal(arrays->ids, ids, count * sizeof *ids);
}

static struct stint_reason
any_reason(void)
{
    struct stint_reason r = {.why = (enum stint_why)below(STINT_WHYS),
        .state = (enum stint_state)below(STINT_STATES),
        .closed = chance(),
        .full = chance(),
        .about = chance(),
        .workers = (uint32_t)upto(UINT32_MAX),
        .paused = (uint32_t)upto(UINT32_MAX),
        .leaving = (uint32_t)upto(UINT32_MAX),
        .away = (uint32_t)upto(UINT32_MAX),
        .slots = upto(UINT64_MAX),
        .before = upto(UINT64_MAX),
        .due_ms = upto(UINT64_MAX)};
    if (chance())
        r.id = id();
    text(r.queue, sizeof r.queue);
    text(r.kind, sizeof r.kind);
    text(r.worker, sizeof r.worker);
    text(r.error, sizeof r.error);
    text(r.needs, sizeof r.needs);
    return r;
}

void
say_REASONS(uint64_t number)
{
    struct stint_reason reasons[3];
    struct pack_buffer elements = {0};
    uint32_t count = (uint32_t)below(4);
    for (uint32_t i = 0; i < count; i++) {
        reasons[i] = any_reason();
        message_put_reason(&elements, &reasons[i]);
    }
    message_put_numbered_elements(&frame, MESSAGE_REASONS, number,
        (struct slice){elements.data, elements.used}, count, (struct slice){0});
    hear(MESSAGE_REASONS, number);
    assert_int_equal(heard.count, count);
    for (uint32_t i = 0; i < count; i++) {
        const struct stint_reason *is = &arrays->reason, *was = &reasons[i];
        assert_true(message_next_reason(arrays));
        ASSERT_FIELD(is, was, why);
        ASSERT_FIELD(is, was, id);
        ASSERT_FIELD(is, was, queue);
        ASSERT_FIELD(is, was, kind);
        ASSERT_FIELD(is, was, state);
        ASSERT_FIELD(is, was, closed);
        ASSERT_FIELD(is, was, full);
        ASSERT_FIELD(is, was, about);
        ASSERT_FIELD(is, was, workers);
        ASSERT_FIELD(is, was, paused);
        ASSERT_FIELD(is, was, leaving);
        ASSERT_FIELD(is, was, away);
        ASSERT_FIELD(is, was, slots);
        ASSERT_FIELD(is, was, before);
        ASSERT_FIELD(is, was, needs);
        ASSERT_FIELD(is, was, due_ms);
        ASSERT_FIELD(is, was, worker);
        ASSERT_FIELD(is, was, error);
    }
    pack_buffer_free(&elements);
}
