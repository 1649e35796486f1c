/* What one peer may cost: bytes kept for it that it does not read, rows looked at for it, work put
 * off until a time that comes at once. */
#include "world.h"

#include <stdlib.h>

enum { UNREAD_BYTES = 1040, BODY_BYTES = 300 };

static uint64_t tokens[8]; /* of the last PONG that each peer has read */
static char body[BODY_BYTES + 1];

static struct world *
world_that_keeps_little(void)
{
    struct core_options options;
    core_options_init(&options);
    memset(tokens, 0, sizeof tokens);
    options.unread_bytes = UNREAD_BYTES;
    memset(body, 'x', BODY_BYTES);
    struct world *w = world_new(&options);
    world_with_client(w);
    return w;
}

/* Two PINGs, each with the token of the PONG before it: all that was sent before is read. */
static void
show_that_it_reads(struct world *w, uint32_t peer)
{
    for (uint64_t number = 1; number <= 2; number++) {
        message_put_ping(world_frame(w, peer), number, WINDOW_UNCHANGED, tokens[peer]);
        assert_int_equal(world_step(w, 0), STINT_OK);
        assert_true(world_read(w, peer, MESSAGE_PONG));
        tokens[peer] = w->message.pong.token;
    }
}

static void
submit_many(struct world *w, uint64_t number, uint32_t count, const char *payload)
{
    struct job_spec job = world_job(payload);
    world_submit_many(w, 1, number, &job, count);
}

/* Settles all jobs that the last step gave to worker 2, at once. Returns how many. */
static uint32_t
succeed_all(struct world *w, uint64_t number, const char *result, struct stint_id *ids)
{
    struct outcome outcomes[LIMIT_JOBS];
    uint32_t count = 0;
    for (size_t at = 0; world_next(w, 2, &at);)
        for (uint32_t i = 0; w->message.type == MESSAGE_DISPATCH && i < w->message.count; i++) {
            const struct dispatched_job *job = &w->arrays->dispatched[i];
            assert_true(count < LIMIT_JOBS);
            outcomes[count] = (struct outcome){.id = job->id,
                .attempt = job->attempt,
                .type = OUTCOME_SUCCEEDED,
                .body = {(const uint8_t *)result, strlen(result)}};
            if (ids)
                ids[count] = job->id;
            count++;
        }
    if (count == 0)
        return 0;
    message_put_settle(world_frame(w, 2), number, outcomes, count, WINDOW_UNCHANGED);
    assert_int_equal(world_step(w, 0), STINT_OK);
    return count;
}

/* How many of the outcomes told in the last step have a result, and how many have none. */
static void
count_results(struct world *w, uint32_t peer, uint32_t *with, uint32_t *without)
{
    *with = *without = 0;
    if (!world_read(w, peer, MESSAGE_OUTCOMES))
        return;
    for (uint32_t i = 0; i < w->message.count; i++) {
        assert_true(message_next_job(w->arrays));
        assert_int_equal(w->arrays->info.result_bytes, BODY_BYTES);
        *(w->arrays->info.result ? with : without) += 1;
    }
}

static void
results_are_left_out_for_who_does_not_read_and_told_to_who_reads(void **state)
{
    struct world *w = world_that_keeps_little();
    struct stint_id ids[16];
    uint32_t with, without;
    (void)state;
    world_with_worker(w, 16);
    submit_many(w, 1, 16, "");
    assert_int_equal(succeed_all(w, 2, body, ids), 16);
    show_that_it_reads(w, 1);
    message_put_ids(world_frame(w, 1), MESSAGE_WAIT, 10, ids, 8, 1);
    assert_int_equal(world_step(w, 0), STINT_OK);
    count_results(w, 1, &with, &without);
    assert_int_equal(with, 3); /* of 300 bytes each, and their descriptions */
    assert_int_equal(without, 5);
    message_put_ids(world_frame(w, 1), MESSAGE_WAIT, 11, ids, 8, 1);
    assert_int_equal(world_step(w, 0), STINT_OK);
    assert_non_null(world_read(w, 1, MESSAGE_ERROR));
    assert_int_equal(w->message.error.status, STINT_TOO_MANY);
    show_that_it_reads(w, 1);
    message_put_ids(world_frame(w, 1), MESSAGE_WAIT, 12, ids + 8, 8, 1);
    assert_int_equal(world_step(w, 0), STINT_OK);
    count_results(w, 1, &with, &without);
    assert_int_equal(with, 3);
    world_destroy(&w);
}

static void
one_wait_for_many_large_results_is_not_answered_with_all_of_them(void **state)
{
    enum { JOBS = 24, LARGE = 500000 };
    struct core_options options;
    struct stint_id ids[JOBS];
    uint32_t told = 0;
    (void)state;
    core_options_init(&options);
    options.unread_bytes = 3000000;
    struct world *w = world_new(&options);
    char *large = calloc(1, LARGE + 1);
    assert_non_null(large);
    memset(large, 'x', LARGE);
    world_with_client(w);
    world_with_worker(w, 1);
    for (uint32_t i = 0; i < JOBS; i++) {
        ids[i] = world_submit_one(w, i + 1, "");
        assert_int_equal(succeed_all(w, 100 + i, large, NULL), 1);
    }
    message_put_ids(world_frame(w, 1), MESSAGE_WAIT, 10, ids, JOBS, 1);
    assert_int_equal(world_step(w, 0), STINT_OK);
    assert_in_range(w->out.bytes.used, LARGE, 3000000 + 3 * LARGE);
    told = (uint32_t)world_count(w, 1, MESSAGE_OUTCOMES);
    assert_in_range(told, 2, JOBS);
    free(large);
    world_destroy(&w);
}

static void
a_result_that_is_settled_while_its_waiter_does_not_read_is_left_out(void **state)
{
    struct world *w = world_that_keeps_little();
    struct message list = {.type = MESSAGE_LIST};
    uint32_t with, without;
    bool refused = false;
    (void)state;
    world_with_worker(w, 1);
    struct stint_id id = world_submit_one(w, 1, "");
    message_put_ids(world_frame(w, 1), MESSAGE_WAIT, 10, &id, 1, 1);
    assert_int_equal(world_step(w, 0), STINT_OK);
    for (uint64_t n = 20; n < 100 && !refused; n++) {
        message_put_list(world_frame(w, 1), n, &list);
        assert_int_equal(world_step(w, 0), STINT_OK);
        refused = world_read(w, 1, MESSAGE_ERROR) != NULL;
    }
    assert_true(refused);
    world_settle(w, 2, 3, id, 1, OUTCOME_SUCCEEDED, body);
    assert_int_equal(world_step(w, 0), STINT_OK);
    count_results(w, 1, &with, &without);
    assert_int_equal(without, 1);
    show_that_it_reads(w, 1);
    message_put_ids(world_frame(w, 1), MESSAGE_WAIT, 31, &id, 1, 1);
    assert_int_equal(world_step(w, 0), STINT_OK);
    count_results(w, 1, &with, &without);
    assert_int_equal(with, 1);
    world_destroy(&w);
}

static void
a_worker_that_does_not_read_is_given_no_more(void **state)
{
    struct world *w = world_that_keeps_little();
    (void)state;
    world_with_worker(w, 16);
    show_that_it_reads(w, 2); /* the size of WELCOME is none of it */
    submit_many(w, 1, 16, body);
    assert_non_null(world_read(w, 2, MESSAGE_DISPATCH));
    assert_int_equal(w->message.count, 4); /* 1,200 bytes, the fourth before 1,040 were reached */
    assert_int_equal(world_step(w, 10), STINT_OK);
    assert_null(world_read(w, 2, MESSAGE_DISPATCH));
    show_that_it_reads(w, 2);
    assert_non_null(world_read(w, 2, MESSAGE_DISPATCH));
    assert_int_equal(w->message.count, 4);
    world_destroy(&w);
}

static void
who_does_not_read_is_told_how_many_events_it_missed(void **state)
{
    struct world *w = world_that_keeps_little();
    uint64_t heard = 0;
    (void)state;
    world_hello_client(w, 5, 5);
    message_put_subscribe(world_frame(w, 5), 50, (struct slice){NULL, 0}, 0, NULL, 0);
    assert_int_equal(world_step(w, 0), STINT_OK);
    for (uint64_t n = 1; n <= 100; n++) {
        show_that_it_reads(w, 1);
        (void)world_submit_one(w, n, "");
        if (world_read(w, 5, MESSAGE_EVENTS))
            heard += w->message.count;
    }
    assert_in_range(heard, 10, 60);
    show_that_it_reads(w, 1);
    show_that_it_reads(w, 5);
    assert_non_null(world_read(w, 5, MESSAGE_EVENTS));
    assert_int_equal(w->message.count, 1);
    assert_int_equal(w->arrays->events[0].type, STINT_EVENT_LOST);
    assert_int_equal(w->arrays->events[0].count, 100 - heard);
    (void)world_submit_one(w, 101, "");
    assert_non_null(world_read(w, 5, MESSAGE_EVENTS));
    assert_int_equal(w->arrays->events[0].type, STINT_EVENT_SUBMITTED);
    world_destroy(&w);
}

static uint64_t
listed_up_to(struct world *w, size_t n)
{
    const char *why;
    struct stint_id at;
    struct slice frame = outbox_frame(&w->out, n);
    assert_int_equal(
        message_decode(frame.data, frame.size, &w->message, w->arrays, &why), STINT_OK);
    assert_int_equal(w->message.type, MESSAGE_JOBS);
    assert_int_equal(w->message.page.cursor.size, 1 + STINT_ID_BYTES);
    memcpy(at.bytes, w->message.page.cursor.data + 1, STINT_ID_BYTES);
    return id_sequence(&at);
}

static void
many_lists_in_one_step_look_at_a_bounded_number_of_rows(void **state)
{
    enum { MESSAGES = 5, LISTS = 12 };
    struct world *w = world_new(NULL);
    struct message list = {.type = MESSAGE_LIST};
    (void)state;
    world_with_client(w);
    for (uint64_t n = 1; n <= MESSAGES; n++)
        submit_many(w, n, LIMIT_JOBS, "");
    list.list.kind = (struct slice){(const uint8_t *)"other", 5}; /* no job is of it */
    list.list.queue = (struct slice){(const uint8_t *)"default", 7};
    for (uint64_t n = 0; n < LISTS; n++)
        message_put_list(world_frame(w, 1), 100 + n, &list);
    assert_int_equal(world_step(w, 0), STINT_OK);
    assert_int_equal(w->out.count, LISTS);
    assert_int_equal(listed_up_to(w, 0), 20001);
    assert_int_equal(listed_up_to(w, 9), 20001);
    assert_int_equal(listed_up_to(w, 10), 51);
    assert_int_equal(listed_up_to(w, 11), 51);
    world_destroy(&w);
}

static void
what_expires_at_once_is_swept_in_several_steps(void **state)
{
    enum { JOBS = 5 * LIMIT_JOBS };
    struct core_options options;
    (void)state;
    core_options_init(&options);
    options.keep_ms = 1000;
    struct world *w = world_new(&options);
    world_with_client(w);
    world_with_worker(w, LIMIT_JOBS);
    for (uint64_t n = 1; n <= 5; n++) {
        submit_many(w, n, LIMIT_JOBS, "");
        assert_int_equal(succeed_all(w, n + 1, "", NULL), LIMIT_JOBS);
    }
    assert_int_equal(store_model_count(w->store, STORE_SETTLED), JOBS);
    assert_int_equal(world_step(w, 60000), STINT_OK);
    assert_in_range(store_model_count(w->store, STORE_SETTLED), 1, JOBS - LIMIT_JOBS);
    assert_int_equal(core_idle_ms(w->core), 0);
    assert_int_equal(world_step(w, 0), STINT_OK);
    assert_int_equal(store_model_count(w->store, STORE_SETTLED), 0);
    assert_int_equal(world_step(w, 0), STINT_OK);
    assert_int_equal(store_model_count(w->store, STORE_EXPIRY), 0);
    world_destroy(&w);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(results_are_left_out_for_who_does_not_read_and_told_to_who_reads),
        cmocka_unit_test(one_wait_for_many_large_results_is_not_answered_with_all_of_them),
        cmocka_unit_test(a_result_that_is_settled_while_its_waiter_does_not_read_is_left_out),
        cmocka_unit_test(a_worker_that_does_not_read_is_given_no_more),
        cmocka_unit_test(who_does_not_read_is_told_how_many_events_it_missed),
        cmocka_unit_test(many_lists_in_one_step_look_at_a_bounded_number_of_rows),
        cmocka_unit_test(what_expires_at_once_is_swept_in_several_steps),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
