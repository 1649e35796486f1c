/* Sayings of the messages of batches; the contract is in sayings.h. */
#include "sayings.h"

static uint64_t
any_batch(void)
{
    return 1 + upto(LIMIT_BATCH - 1);
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
    if (spec.payload.size > LIMIT_BATCH_JOB_BYTES / 2)
        spec.payload.size = LIMIT_BATCH_JOB_BYTES / 2;
    message_put_job(b, &spec);
    return (struct slice){b->data, b->used};
}

void
say_SET_BATCH(uint64_t number)
{
    struct pack_buffer jobs[2] = {{0}};
    struct batch_request s = {.action = (enum batch_action)(BATCH_NEW + below(BATCH_CANCEL)),
        .batch = any_batch(),
        .keep_ms = chance() ? KEEP_DEFAULT : upto(LIMIT_TIME_MS)};
    if (chance())
        s.title = letters(1, LIMIT_LABEL_BYTES);
    if (chance())
        s.queue = name();
    if (chance())
        s.success = any_job(&jobs[0]);
    if (chance())
        s.always = any_job(&jobs[1]);
    message_put_set_batch(&frame, number, &s);
    hear(MESSAGE_SET_BATCH, number);
    const struct batch_request *is = &heard.set_batch;
    assert_int_equal(is->action, s.action);
    assert_number(is->batch, s.batch);
    assert_number(is->keep_ms, s.keep_ms);
    assert_same(is->title, s.title);
    assert_same(is->queue, s.queue);
    assert_same(is->success, s.success);
    assert_same(is->always, s.always);
    pack_buffer_free(&jobs[0]);
    pack_buffer_free(&jobs[1]);
}

static void
say_list(enum message_type type, uint64_t number, struct slice cursor)
{
    uint64_t batch = chance() ? any_batch() : 0;
    message_put_list_batches(&frame, type, number, batch, cursor);
    hear(type, number);
    assert_number(heard.list_batches.batch, batch);
    assert_same(heard.list_batches.cursor, cursor);
}

void
say_LIST_BATCHES(uint64_t number)
{
    say_list(MESSAGE_LIST_BATCHES, number, chance() ? letters(1, 64) : (struct slice){NULL, 0});
}

void
say_WAIT_BATCH(uint64_t number)
{
    say_list(MESSAGE_WAIT_BATCH, number, (struct slice){NULL, 0});
}

static void
any_info(struct stint_batch_info *i)
{
    static const struct stint_id none;
    *i = (struct stint_batch_info){.batch = any_batch(),
        .state = (enum stint_batch_state)(1 + below(3)),
        .cancelled = chance(),
        .has_success = chance(),
        .has_always = chance(),
        .began_ms = upto(UINT64_MAX),
        .settled_ms = upto(UINT64_MAX),
        .keep_ms = upto(UINT64_MAX),
        .counts = {upto(UINT64_MAX), upto(UINT64_MAX), upto(UINT64_MAX), upto(UINT64_MAX),
            upto(UINT64_MAX), true},
        .success_id = chance() ? id() : none,
        .always_id = chance() ? id() : none,
        .trouble = (enum stint_status)below(60)};
    text(i->title, sizeof i->title);
    text(i->queue, sizeof i->queue);
}

static void
assert_counts(const struct stint_batch_counts *is, const struct stint_batch_counts *was)
{
    ASSERT_FIELD(is, was, known);
    ASSERT_FIELD(is, was, jobs);
    ASSERT_FIELD(is, was, succeeded);
    ASSERT_FIELD(is, was, dead);
    ASSERT_FIELD(is, was, cancelled);
    ASSERT_FIELD(is, was, expired);
}

static void
assert_info(const struct stint_batch_info *is, const struct stint_batch_info *was)
{
    ASSERT_FIELD(is, was, batch);
    ASSERT_FIELD(is, was, state);
    ASSERT_FIELD(is, was, cancelled);
    ASSERT_FIELD(is, was, has_success);
    ASSERT_FIELD(is, was, has_always);
    assert_string_equal(is->title, was->title);
    assert_string_equal(is->queue, was->queue);
    ASSERT_FIELD(is, was, began_ms);
    ASSERT_FIELD(is, was, settled_ms);
    ASSERT_FIELD(is, was, keep_ms);
    assert_counts(&is->counts, &was->counts);
    ASSERT_FIELD(is, was, success_id);
    ASSERT_FIELD(is, was, always_id);
    ASSERT_FIELD(is, was, trouble);
}

void
say_BATCHES(uint64_t number)
{
    static struct stint_batch_info infos[3];
    struct pack_buffer elements = {0};
    uint32_t count = (uint32_t)below(4);
    for (uint32_t i = 0; i < count; i++) {
        any_info(&infos[i]);
        message_put_batch_info(&elements, &infos[i]);
    }
    message_put_numbered_elements(&frame, MESSAGE_BATCHES, number,
        (struct slice){elements.data, elements.used}, count, (struct slice){0});
    hear(MESSAGE_BATCHES, number);
    assert_int_equal(heard.count, count);
    for (uint32_t i = 0; i < count; i++) {
        assert_true(message_next_batch(arrays));
        assert_info(&arrays->items.batch, &infos[i]);
    }
    pack_buffer_free(&elements);
}
