/* Sayings of the messages of schedules; the contract is in sayings.h. */
#include "sayings.h"

static uint64_t
number_or_none(uint64_t least, uint64_t max)
{
    return chance() ? 0 : least + upto(max - least);
}

/* A job as it is kept, whose bytes are in `b`. */
static struct slice
any_job(struct pack_buffer *b)
{
    struct job_spec spec;
    b->used = 0;
    pack_put_map(b, 0);
    assert_true(message_read_job((struct slice){b->data, b->used}, &spec));
    b->used = 0;
    spec.queue = name();
    spec.payload = bytes();
    spec.delay_ms = number_or_none(1, LIMIT_TIME_MS);
    if (spec.payload.size > LIMIT_SCHEDULE_JOB_BYTES / 2)
        spec.payload.size = LIMIT_SCHEDULE_JOB_BYTES / 2;
    message_put_job(b, &spec);
    return (struct slice){b->data, b->used};
}

void
say_SET_SCHEDULE(uint64_t number)
{
    struct pack_buffer job = {0};
    struct schedule_request s = {
        .action = (enum stint_schedule_action)(STINT_SET_SCHEDULE + below(STINT_RUN_SCHEDULE)),
        .name = name(),
        .every_ms = number_or_none(LEAST_EVERY_MS, LIMIT_TIME_MS),
        .missed = (enum stint_missed)number_or_none(1, STINT_MISSED_ALL),
        .most = (uint32_t)number_or_none(1, LIMIT_MISSED),
        .overlap = (enum stint_overlap)number_or_none(1, STINT_OVERLAP_REPLACE),
        .run = number_or_none(1, UINT64_MAX)};
    if (chance())
        s.cron = letters(1, 255);
    if (chance())
        s.zone = letters(1, 63);
    if (chance())
        s.job = any_job(&job);
    message_put_set_schedule(&frame, number, &s);
    hear(MESSAGE_SET_SCHEDULE, number);
    const struct schedule_request *is = &heard.set_schedule;
    assert_int_equal(is->action, s.action);
    assert_same(is->name, s.name);
    assert_same(is->cron, s.cron);
    assert_same(is->zone, s.zone);
    assert_same(is->job, s.job);
    assert_number(is->every_ms, s.every_ms);
    assert_int_equal(is->missed, s.missed);
    assert_int_equal(is->most, s.most);
    assert_int_equal(is->overlap, s.overlap);
    assert_number(is->run, s.run);
    pack_buffer_free(&job);
}

void
say_LIST_SCHEDULES(uint64_t number)
{
    struct slice of = chance() ? name() : (struct slice){NULL, 0};
    struct slice cursor = chance() ? letters(1, 64) : (struct slice){NULL, 0};
    uint32_t next = (uint32_t)below(STINT_NEXT_TICKS + 1);
    message_put_list_schedules(&frame, number, of, next, cursor);
    hear(MESSAGE_LIST_SCHEDULES, number);
    assert_same(heard.list_schedules.name, of);
    assert_same(heard.list_schedules.cursor, cursor);
    assert_int_equal(heard.list_schedules.next, next);
}

static void
any_schedule(struct schedule_item *item)
{
    static const struct stint_id none;
    struct stint_schedule_info *s = &item->info;
    *item = (struct schedule_item){.job = {NULL, 0}};
    text(s->name, sizeof s->name);
    text(s->queue, sizeof s->queue);
    text(s->kind, sizeof s->kind);
    text(s->cron, sizeof s->cron);
    text(s->zone, sizeof s->zone);
    s->every_ms = number_or_none(1, UINT64_MAX);
    s->missed = (enum stint_missed)below(4);
    s->missed_most = (uint32_t)number_or_none(1, UINT32_MAX);
    s->overlap = (enum stint_overlap)below(4);
    s->paused = chance();
    s->made = chance();
    s->trouble = (enum stint_status)below(60);
    s->last_ms = number_or_none(1, UINT64_MAX);
    s->last_id = chance() ? id() : none;
    s->run_id = chance() ? id() : none;
    s->jobs = number_or_none(1, UINT64_MAX);
    s->skipped = number_or_none(1, UINT64_MAX);
    s->next_count = (uint32_t)below(4);
    for (uint32_t i = 0; i < s->next_count; i++)
        s->next[i] = upto(UINT64_MAX);
}

static void
assert_schedule(const struct schedule_item *is, const struct schedule_item *was)
{
    const struct stint_schedule_info *a = &is->info, *b = &was->info;
    assert_string_equal(a->name, b->name);
    assert_string_equal(a->queue, b->queue);
    assert_string_equal(a->kind, b->kind);
    assert_string_equal(a->cron, b->cron);
    assert_string_equal(a->zone, b->zone);
    ASSERT_FIELD(a, b, every_ms);
    ASSERT_FIELD(a, b, missed);
    ASSERT_FIELD(a, b, missed_most);
    ASSERT_FIELD(a, b, overlap);
    ASSERT_FIELD(a, b, paused);
    ASSERT_FIELD(a, b, made);
    ASSERT_FIELD(a, b, trouble);
    ASSERT_FIELD(a, b, last_ms);
    ASSERT_FIELD(a, b, last_id);
    ASSERT_FIELD(a, b, run_id);
    ASSERT_FIELD(a, b, jobs);
    ASSERT_FIELD(a, b, skipped);
    ASSERT_FIELD(a, b, next_count);
    for (uint32_t i = 0; i < b->next_count; i++)
        assert_number(a->next[i], b->next[i]);
    assert_same(is->job, was->job);
}

void
say_SCHEDULES(uint64_t number)
{
    static struct schedule_item items[3];
    struct pack_buffer elements = {0}, jobs[3] = {{0}};
    uint32_t count = (uint32_t)below(4);
    for (uint32_t i = 0; i < count; i++) {
        any_schedule(&items[i]);
        if (chance())
            items[i].job = any_job(&jobs[i]);
        message_put_schedule(&elements, &items[i]);
    }
    message_put_numbered_elements(&frame, MESSAGE_SCHEDULES, number,
        (struct slice){elements.data, elements.used}, count, (struct slice){0});
    hear(MESSAGE_SCHEDULES, number);
    assert_int_equal(heard.count, count);
    for (uint32_t i = 0; i < count; i++) {
        assert_true(message_next_schedule(arrays));
        assert_schedule(&arrays->items.schedule, &items[i]);
    }
    pack_buffer_free(&elements);
    for (unsigned i = 0; i < 3; i++)
        pack_buffer_free(&jobs[i]);
}
