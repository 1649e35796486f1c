/* PEEK: what is next in a queue, in the order in which it is handed out, by offset; and that
 * nothing is taken and little read.
 */
#include "keyed.h"

#include <stdio.h>

enum { CLIENT = 1, MANY = 20 };

/* Submit a job of this payload; as many copies of it. */
static void
submit(struct world *w, uint64_t number, uint8_t priority, const char *payload, uint32_t count)
{
    static struct job_spec jobs[LIMIT_JOBS];
    for (uint32_t i = 0; i < count; i++) {
        jobs[i] = world_job(payload);
        jobs[i].queue = text("mail");
        jobs[i].priority = priority;
    }
    world_submit(w, CLIENT, number, jobs, count);
    assert_int_equal(world_step(w, 0), STINT_OK);
}

/* The payloads of what is there, one after the other. */
static const char *
peek(struct world *w, uint64_t offset, uint32_t limit)
{
    static char all[4096];
    static uint8_t cursor[64];
    struct message m = {
        .peek.queue = text("mail"), .peek.offset = offset, .peek.limit = limit, .peek.parts = 1};
    size_t used = 0;
    do {
        message_put_peek(world_frame(w, CLIENT), 7, &m);
        assert_int_equal(world_step(w, 0), STINT_OK);
        assert_non_null(world_read(w, CLIENT, MESSAGE_JOBS));
        for (uint32_t i = 0; i < w->message.count; i++, m.peek.limit--) {
            assert_true(message_next_job(w->arrays));
            const struct stint_job_info *info = &w->arrays->info;
            memcpy(all + used, info->payload, info->payload_bytes);
            used += info->payload_bytes;
        }
        m.peek.cursor = w->message.page.cursor;
        assert_true(m.peek.cursor.size <= sizeof cursor);
        if (m.peek.cursor.size)
            memcpy(cursor, m.peek.cursor.data, m.peek.cursor.size);
        m.peek.cursor.data = cursor;
    } while (m.peek.cursor.size > 0 && m.peek.limit > 0);
    all[used] = '\0';
    return all;
}

static void
what_is_next_is_told_in_the_order_of_dispatch(void **state)
{
    struct world *w = world_new(NULL);
    (void)state;
    world_with_client(w);
    submit(w, 1, 100, "a", 1);
    submit(w, 2, 7, "b", 1);
    submit(w, 3, 200, "c", 1);
    submit(w, 4, 100, "d", 1);
    assert_string_equal(peek(w, 0, 10), "cadb");
    assert_string_equal(peek(w, 0, 1), "c");
    assert_string_equal(peek(w, 1, 2), "ad");
    assert_string_equal(peek(w, 3, 10), "b");
    assert_string_equal(peek(w, 4, 10), "");
    assert_string_equal(peek(w, UINT64_MAX, 10), "");
    world_destroy(&w);
}

static void
set_order(struct world *w, enum stint_queue_action action)
{
    message_put_set_queue(world_frame(w, CLIENT), 8, text("mail"), action, NULL);
    assert_int_equal(world_step(w, 0), STINT_OK);
    assert_non_null(world_read(w, CLIENT, MESSAGE_QUEUE));
}

static void
what_is_next_is_told_in_the_order_that_was_set(void **state)
{
    struct world *w = world_new(NULL);
    (void)state;
    world_with_client(w);
    submit(w, 1, 100, "a", 1);
    submit(w, 2, 7, "b", 1);
    submit(w, 3, 100, "c", 1);
    submit(w, 4, 7, "d", 1);
    set_order(w, STINT_ORDER_LIFO);
    assert_string_equal(peek(w, 0, 10), "cadb");
    set_order(w, STINT_ORDER_LOW_FIRST);
    assert_string_equal(peek(w, 0, 10), "dbca");
    assert_string_equal(peek(w, 1, 2), "bc");
    assert_string_equal(peek(w, 3, 1), "a");
    submit(w, 5, 7, "e", 1);
    assert_string_equal(peek(w, 0, 2), "ed");
    set_order(w, STINT_ORDER_FIFO);
    assert_string_equal(peek(w, 0, 10), "bdeac");
    world_destroy(&w);
}

/* In more pages than one. */
static void
a_long_queue_is_told_to_its_end_in_either_order(void **state)
{
    struct world *w = world_new(NULL);
    uint64_t number = 1;
    (void)state;
    world_with_client(w);
    submit(w, number++, 100, "a", 1);
    for (unsigned i = 0; i < MANY; i++)
        submit(w, number++, 100, "x", LIMIT_JOBS / 2);
    submit(w, number++, 200, "z", 1);
    const uint64_t last = MANY * LIMIT_JOBS / 2 + 1;
    assert_string_equal(peek(w, last, 2), "x");
    set_order(w, STINT_ORDER_LIFO);
    assert_string_equal(peek(w, 0, 2), "zx");
    assert_string_equal(peek(w, last - 1, 3), "xa");
    assert_string_equal(peek(w, last, 3), "a");
    set_order(w, STINT_ORDER_LOW_FIRST);
    assert_string_equal(peek(w, last - 1, 3), "az");
    world_destroy(&w);
}

static void
what_runs_is_not_next_and_what_comes_back_is(void **state)
{
    struct world *w = world_new(NULL);
    (void)state;
    world_with_client(w);
    submit(w, 1, 100, "a", 1);
    submit(w, 2, 100, "b", 1);
    submit(w, 3, 100, "c", 1);
    struct slice name = text("mail");
    struct hello h = {.version_min = 1,
        .version_max = 1,
        .role = ROLE_WORKER,
        .queues = 1,
        .slots = 2,
        .window = 2};
    memset(h.session, 2, sizeof h.session);
    message_put_hello(world_frame(w, 2), &h, &name, NULL, NULL);
    world_claim(w, 2, NULL, 0);
    assert_int_equal(world_step(w, 0), STINT_OK);
    struct stint_id first = world_dispatched(w, 2).id;
    assert_string_equal(peek(w, 0, 10), "c");
    assert_string_equal(peek(w, 1, 10), "");
    struct outcome o = {.id = first, .attempt = 1, .type = OUTCOME_RETURNED};
    message_put_settle(world_frame(w, 2), 9, &o, 1, 0);
    assert_int_equal(world_step(w, 0), STINT_OK);
    assert_string_equal(peek(w, 0, 10), "ac");
    world_destroy(&w);
}

static void
an_offset_far_in_is_reached_in_bounded_steps(void **state)
{
    struct world *w = world_new(NULL);
    uint64_t number = 1;
    (void)state;
    world_with_client(w);
    for (unsigned i = 0; i < MANY; i++) /* more than one page looks at */
        submit(w, number++, 100, "x", LIMIT_JOBS / 2);
    submit(w, number++, 100, "y", 1);
    submit(w, number++, 7, "z", 1);
    assert_string_equal(peek(w, MANY * LIMIT_JOBS / 2, 2), "yz");
    assert_string_equal(peek(w, MANY * LIMIT_JOBS / 2 + 1, 2), "z"); /* whole levels are not read */
    struct message m = {.peek.queue = text("mail"), .peek.offset = MANY * LIMIT_JOBS / 2};
    message_put_peek(world_frame(w, CLIENT), 7, &m);
    assert_int_equal(world_step(w, 0), STINT_OK);
    assert_non_null(world_read(w, CLIENT, MESSAGE_JOBS));
    assert_int_equal(w->message.count, 0);
    assert_true(w->message.page.cursor.size > 0);
    world_destroy(&w);
}

static void
a_queue_that_is_not_there_and_a_cursor_of_another_are_refused(void **state)
{
    struct world *w = world_new(NULL);
    struct grant g = grant_of("key", RIGHT_SEE, "pay.*");
    uint8_t cursor[STINT_ID_BYTES + 8] = {0};
    (void)state;
    world_with_client(w);
    submit(w, 1, 100, "a", 1);
    struct message m = {.peek.queue = text("nothing")};
    message_put_peek(world_frame(w, CLIENT), 7, &m);
    assert_int_equal(world_step(w, 0), STINT_OK);
    assert_non_null(world_read(w, CLIENT, MESSAGE_ERROR));
    assert_int_equal(w->message.error.status, STINT_NO_SUCH_QUEUE);
    m.peek.queue = text("mail");
    m.peek.cursor = (struct slice){cursor, sizeof cursor};
    message_put_peek(world_frame(w, CLIENT), 7, &m);
    assert_int_equal(world_step(w, 0), STINT_OK);
    assert_non_null(world_read(w, CLIENT, MESSAGE_ERROR));
    assert_int_equal(w->message.error.status, STINT_INVALID);
    w->grants[KEYED] = &g;
    put_hello(w, KEYED, ROLE_CLIENT, "");
    assert_int_equal(world_step(w, 0), STINT_OK);
    m.peek.cursor.size = 0;
    message_put_peek(world_frame(w, KEYED), 7, &m);
    assert_int_equal(world_step(w, 0), STINT_OK);
    assert_non_null(world_read(w, KEYED, MESSAGE_ERROR));
    assert_int_equal(w->message.error.status, STINT_DENIED);
    world_destroy(&w);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_next_is_told_in_the_order_of_dispatch),
        cmocka_unit_test(what_is_next_is_told_in_the_order_that_was_set),
        cmocka_unit_test(a_long_queue_is_told_to_its_end_in_either_order),
        cmocka_unit_test(what_runs_is_not_next_and_what_comes_back_is),
        cmocka_unit_test(an_offset_far_in_is_reached_in_bounded_steps),
        cmocka_unit_test(a_queue_that_is_not_there_and_a_cursor_of_another_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
