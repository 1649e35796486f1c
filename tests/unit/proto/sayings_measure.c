/* Messages of how queues do, with random fields: LIST_FIGURES, FIGURES and PEEK. */
#include "sayings.h"

#include <stdlib.h>

void
say_LIST_FIGURES(uint64_t number)
{
    struct slice queues = chance() ? name() : (struct slice){0}, cursor = bytes();
    uint32_t parts = (uint32_t)below(4);
    message_put_list_figures(&frame, number, queues, parts, cursor);
    hear(MESSAGE_LIST_FIGURES, number);
    assert_same(heard.list_figures.queues, queues);
    assert_same(heard.list_figures.cursor, cursor);
    assert_int_equal(heard.list_figures.parts, parts);
}

void
say_PEEK(uint64_t number)
{
    struct message m = {.peek.queue = name(),
        .peek.cursor = bytes(),
        .peek.offset = upto(UINT64_MAX),
        .peek.limit = (uint32_t)upto(UINT32_MAX),
        .peek.parts = (uint32_t)below(4)};
    message_put_peek(&frame, number, &m);
    hear(MESSAGE_PEEK, number);
    assert_same(heard.peek.queue, m.peek.queue);
    assert_same(heard.peek.cursor, m.peek.cursor);
    assert_number(heard.peek.offset, m.peek.offset);
    assert_int_equal(heard.peek.limit, m.peek.limit);
    assert_int_equal(heard.peek.parts, m.peek.parts);
}

static void
fill(uint64_t *numbers, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        numbers[i] = upto(UINT64_MAX);
}

static struct stint_times
any_times(void)
{
    return (struct stint_times){.count = upto(UINT64_MAX),
        .sum_ms = upto(UINT64_MAX),
        .recent = upto(UINT64_MAX),
        .p50_ms = upto(UINT64_MAX),
        .p90_ms = upto(UINT64_MAX),
        .p99_ms = upto(UINT64_MAX),
        .max_ms = upto(UINT64_MAX)};
}

/* Of one queue, with what it points to. */
struct sayable {
    struct stint_figures figures;
    struct stint_kind_figures kinds[3];
    struct stint_priority_figures priorities[3];
};

static void
make(struct sayable *s)
{
    struct stint_figures *f = &s->figures;
    *s = (struct sayable){.figures.workers = (uint32_t)upto(UINT32_MAX),
        .figures.oldest_ready_ms = upto(UINT64_MAX),
        .figures.paused = chance(),
        .figures.closed = chance()};
    text(f->queue, sizeof f->queue);
    fill(f->totals, STINT_COUNTS);
    fill(f->rates[0], STINT_RATES * STINT_COUNTS);
    fill(f->jobs, STINT_STATES);
    f->kinds = s->kinds;
    f->priorities = s->priorities;
    f->kinds_count = below(4);
    f->priorities_count = below(4);
    if (f->kinds_count > 0) {
        f->wait = any_times();
        f->run = any_times();
    }
    for (unsigned i = 0; i < 3; i++) {
        text(s->kinds[i].kind, sizeof s->kinds[i].kind);
        s->kinds[i].wait = any_times();
        s->kinds[i].run = any_times();
        s->priorities[i].priority = (uint8_t)below(256);
        fill(s->priorities[i].jobs, STINT_STATES);
    }
}

static void
assert_heard(const struct stint_figures *was)
{
    const struct stint_figures *is = &arrays->measured.figures;
    assert_true(message_next_figures(arrays));
    assert_string_equal(is->queue, was->queue);
    ASSERT_FIELD(is, was, totals);
    ASSERT_FIELD(is, was, rates);
    ASSERT_FIELD(is, was, jobs);
    ASSERT_FIELD(is, was, workers);
    ASSERT_FIELD(is, was, oldest_ready_ms);
    ASSERT_FIELD(is, was, paused);
    ASSERT_FIELD(is, was, closed);
    ASSERT_FIELD(is, was, wait);
    ASSERT_FIELD(is, was, run);
    assert_int_equal(is->kinds_count, was->kinds_count);
    assert_int_equal(is->priorities_count, was->priorities_count);
    for (size_t i = 0; i < was->kinds_count; i++) {
        assert_string_equal(is->kinds[i].kind, was->kinds[i].kind);
        ASSERT_FIELD(&is->kinds[i], &was->kinds[i], wait);
        ASSERT_FIELD(&is->kinds[i], &was->kinds[i], run);
    }
    for (size_t i = 0; i < was->priorities_count; i++) {
        ASSERT_FIELD(&is->priorities[i], &was->priorities[i], priority);
        ASSERT_FIELD(&is->priorities[i], &was->priorities[i], jobs);
    }
}

void
say_FIGURES(uint64_t number)
{
    struct sayable said[2];
    struct pack_buffer elements = {0};
    uint32_t count = (uint32_t)below(3);
    for (uint32_t i = 0; i < count; i++) {
        make(&said[i]);
        message_put_figures(&elements, &said[i].figures);
    }
    message_put_numbered_elements(&frame, MESSAGE_FIGURES, number,
        (struct slice){elements.data, elements.used}, count, (struct slice){0});
    hear(MESSAGE_FIGURES, number);
    assert_int_equal(heard.count, count);
    for (uint32_t i = 0; i < count; i++)
        assert_heard(&said[i].figures);
    pack_buffer_free(&elements);
}
