/* The core's behaviour beyond the promises: order, fairness, retries, limits, questions, events. */
#include "world.h"

static void
set_queue(struct job_spec *job, const char *name)
{
    job->queue = (struct slice){(const uint8_t *)name, strlen(name)};
}

static void
higher_priority_goes_first_and_first_in_first_out_within_one(void **state)
{
    static const char expected[] = "cabed";
    struct world *w = world_new(NULL);
    struct job_spec jobs[5] = {
        world_job("a"), world_job("b"), world_job("c"), world_job("d"), world_job("e")};
    (void)state;
    jobs[2].priority = 255;
    jobs[3].priority = 0;
    world_with_client(w);
    char order[6] = "";
    world_hello_worker(w, 2, 2, 5);
    assert_int_equal(world_step(w, 0), STINT_OK);
    world_submit(w, 1, 1, jobs, 5);
    world_claim(w, 2, NULL, 0);
    assert_int_equal(world_step(w, 0), STINT_OK);
    assert_non_null(world_read(w, 2, MESSAGE_DISPATCH));
    for (size_t n = 0; n < w->message.count; n++)
        order[n] = (char)w->arrays->dispatched[n].payload.data[0];
    assert_string_equal(order, expected);
    world_destroy(&w);
}

static void
a_worker_takes_its_queues_in_turn(void **state)
{
    struct world *w = world_new(NULL);
    struct job_spec jobs[40];
    struct slice queues[2] = {{(const uint8_t *)"one", 3}, {(const uint8_t *)"two", 3}};
    struct hello h = {.version_min = 1,
        .version_max = 1,
        .role = ROLE_WORKER,
        .session = {2},
        .slots = 10,
        .window = 10,
        .queues = 2};
    (void)state;
    world_with_client(w);
    for (size_t i = 0; i < 40; i++) {
        jobs[i] = world_job("a");
        set_queue(&jobs[i], i < 30 ? "one" : "two");
    }
    world_submit(w, 1, 1, jobs, 40);
    message_put_hello(world_frame(w, 2), &h, queues, NULL, NULL);
    world_claim(w, 2, NULL, 0);
    assert_int_equal(world_step(w, 0), STINT_OK);
    uint32_t of_two = 0, all = 0;
    const char *why;
    for (size_t i = 0; i < w->out.count; i++) {
        struct slice frame = outbox_frame(&w->out, i);
        if (w->out.entries[i].peer != 2)
            continue;
        assert_int_equal(
            message_decode(frame.data, frame.size, &w->message, w->arrays, &why), STINT_OK);
        if (w->message.type != MESSAGE_DISPATCH)
            continue;
        all += w->message.count;
        if (w->message.dispatch.queue.data[0] == 't')
            of_two += w->message.count;
    }
    assert_int_equal(all, 10);
    assert_int_equal(of_two, 5);
    world_destroy(&w);
}

static void
a_failed_attempt_comes_back_after_its_backoff_and_dies_at_last(void **state)
{
    struct world *w = world_new(NULL);
    struct job_spec job = world_job("a");
    struct stint_job_info info;
    (void)state;
    job.max_attempts = 3;
    job.backoff_base_ms = 1000;
    world_with_client(w);
    world_with_worker(w, 1);
    world_submit(w, 1, 1, &job, 1);
    assert_int_equal(world_step(w, 0), STINT_OK);
    struct stint_id id = world_dispatched(w, 2).id;
    for (uint32_t attempt = 1; attempt <= 3; attempt++) {
        world_settle(w, 2, attempt, id, attempt, OUTCOME_FAILED, "boom");
        assert_int_equal(world_step(w, 0), STINT_OK);
        if (attempt == 3)
            break;
        assert_int_equal(world_state(w, id, &info), STINT_SCHEDULED);
        uint64_t wait_ms = info.due_ms - w->wall_ms, most_ms = 1000ULL << (attempt - 1);
        assert_in_range(wait_ms, most_ms / 2, most_ms);
        assert_int_equal(core_idle_ms(w->core) <= wait_ms, 1);
        message_put_ping(world_frame(w, 2), 1, 1, 0);
        assert_int_equal(world_step(w, wait_ms - 1), STINT_OK);
        assert_null(world_read(w, 2, MESSAGE_DISPATCH));
        message_put_ping(world_frame(w, 2), 1, 1, 0);
        assert_int_equal(world_step(w, 1), STINT_OK);
        assert_int_equal(world_dispatched(w, 2).attempt, attempt + 1);
    }
    assert_int_equal(world_state(w, id, &info), STINT_DEAD);
    assert_string_equal(info.error, "boom");
    assert_int_equal(info.payload_bytes, 1);
    message_put_ids(world_frame(w, 1), MESSAGE_RETRY, 9, &id, 1, 0);
    message_put_ping(world_frame(w, 2), 1, 1, 0);
    assert_int_equal(world_step(w, 0), STINT_OK);
    assert_int_equal(world_dispatched(w, 2).attempt, 4); /* fencing numbers go on */
    world_destroy(&w);
}

static void
a_scheduled_job_that_is_cancelled_leaves_no_date_behind(void **state)
{
    struct world *w = world_new(NULL);
    (void)state;
    world_with_client(w);
    world_with_worker(w, 1);
    struct stint_id id = world_submit_one(w, 1, "a");
    world_settle(w, 2, 2, id, 1, OUTCOME_FAILED, "boom");
    assert_int_equal(world_step(w, 0), STINT_OK);
    assert_int_equal(store_model_count(w->store, STORE_DUE), 1);
    message_put_ids(world_frame(w, 1), MESSAGE_CANCEL, 3, &id, 1, 0);
    assert_int_equal(world_step(w, 0), STINT_OK);
    assert_int_equal(world_state(w, id, NULL), STINT_CANCELLED_JOB);
    assert_int_equal(store_model_count(w->store, STORE_PARKED), 0);
    assert_int_equal(store_model_count(w->store, STORE_DUE), 0);
    world_destroy(&w);
}

static void
a_running_job_is_cancelled_at_once_and_its_worker_told(void **state)
{
    struct world *w = world_new(NULL);
    (void)state;
    world_with_client(w);
    world_with_worker(w, 1);
    struct stint_id id = world_submit_one(w, 1, "a");
    message_put_ids(world_frame(w, 1), MESSAGE_CANCEL, 5, &id, 1, 0);
    assert_int_equal(world_step(w, 0), STINT_OK);
    assert_non_null(world_read(w, 1, MESSAGE_ANSWERS));
    assert_int_equal(w->arrays->statuses[0], STINT_OK);
    assert_non_null(world_read(w, 2, MESSAGE_REVOKE));
    assert_int_equal(w->arrays->leases[0].status, STINT_CANCELLED);
    assert_int_equal(world_state(w, id, NULL), STINT_CANCELLED_JOB);
    world_settle(w, 2, 2, id, 1, OUTCOME_SUCCEEDED, "");
    assert_int_equal(world_step(w, 0), STINT_OK);
    assert_int_equal(world_state(w, id, NULL), STINT_CANCELLED_JOB);
    world_destroy(&w);
}

static void
prefetched_jobs_that_do_not_move_are_recalled_for_an_idle_worker(void **state)
{
    struct world *w = world_new(NULL);
    struct job_spec jobs[4] = {world_job("a"), world_job("b"), world_job("c"), world_job("d")};
    (void)state;
    world_with_client(w);
    world_with_worker(w, 1);
    message_put_ping(world_frame(w, 2), 1, 4, 0); /* a window of four */
    assert_int_equal(world_step(w, 0), STINT_OK);
    world_submit(w, 1, 1, jobs, 4);
    assert_int_equal(world_step(w, 0), STINT_OK);
    assert_non_null(world_read(w, 2, MESSAGE_DISPATCH));
    assert_int_equal(w->message.count, 4);
    world_hello_worker(w, 3, 3, 2);
    world_claim(w, 3, NULL, 0);
    assert_int_equal(world_step(w, 10), STINT_OK);
    message_put_ping(world_frame(w, 2), 1, 4, 0);
    assert_int_equal(world_step(w, 200), STINT_OK);
    assert_non_null(world_read(w, 2, MESSAGE_RECALL));
    assert_int_equal(w->message.count, 2);
    world_destroy(&w);
}

static void
limits_refuse_with_the_status_that_names_them(void **state)
{
    struct core_options options;
    (void)state;
    core_options_init(&options);
    options.payload_bytes = 4;
    options.max.queue_backlog = 2;
    options.max.queues = 2;
    struct world *w = world_new(&options);
    struct job_spec big = world_job("12345"),
                    good[3] = {world_job("a"), world_job("b"), world_job("c")};
    struct job_spec far = world_job("a"), third = world_job("a");
    world_with_client(w);
    set_queue(&far, "second");
    set_queue(&third, "third");
    world_submit(w, 1, 1, &big, 1); /* a refusal uses no number */
    world_submit(w, 1, 1, good, 3); /* more than the queue may ever hold: waiting would not help */
    world_submit(w, 1, 1, good, 2);
    world_submit(w, 1, 2, good, 1);
    world_submit(w, 1, 2, &far, 1);
    world_submit(w, 1, 3, &third, 1);
    assert_int_equal(world_step(w, 0), STINT_OK);
    assert_non_null(world_read(w, 1, MESSAGE_SUBMITTED));
    assert_int_equal(w->arrays->answers[0].status, STINT_TOO_LARGE);
    assert_int_equal(w->arrays->answers[1].status, STINT_TOO_LARGE);
    assert_int_equal(w->arrays->answers[2].status, STINT_OK);
    assert_int_equal(w->arrays->answers[3].status, STINT_QUEUE_FULL);
    assert_int_equal(w->arrays->answers[4].status, STINT_OK);
    assert_int_equal(w->arrays->answers[5].status, STINT_TOO_MANY);
    world_destroy(&w);
}

static void
a_result_over_the_limit_makes_the_job_dead(void **state)
{
    struct core_options options;
    (void)state;
    core_options_init(&options);
    options.result_bytes = 3;
    struct world *w = world_new(&options);
    world_with_client(w);
    world_with_worker(w, 1);
    struct stint_id id = world_submit_one(w, 1, "a");
    world_settle(w, 2, 2, id, 1, OUTCOME_SUCCEEDED, "1234");
    assert_int_equal(world_step(w, 0), STINT_OK);
    assert_int_equal(world_state(w, id, NULL), STINT_DEAD);
    world_destroy(&w);
}

static void
large_payloads_and_results_come_back_whole(void **state)
{
    static char large[100001];
    struct world *w = world_new(NULL);
    struct stint_job_info info;
    (void)state;
    for (size_t i = 0; i < sizeof large - 1; i++)
        large[i] = (char)('a' + i % 23);
    world_with_client(w);
    struct stint_id id = world_submit_one(w, 1, large);
    assert_int_equal(store_model_count(w->store, STORE_PARTS), 25);
    world_with_worker(w, 1);
    assert_int_equal(world_state(w, id, &info), STINT_RUNNING);
    assert_int_equal(info.payload_bytes, sizeof large - 1);
    assert_memory_equal(info.payload, large, sizeof large - 1);
    world_settle(w, 2, 2, id, 1, OUTCOME_SUCCEEDED, large);
    assert_int_equal(world_step(w, 0), STINT_OK);
    assert_int_equal(world_state(w, id, &info), STINT_SUCCEEDED);
    assert_int_equal(info.result_bytes, sizeof large - 1);
    assert_memory_equal(info.result, large, sizeof large - 1);
    for (int day = 0; day < 30; day++)
        assert_int_equal(world_step(w, 3600000), STINT_OK);
    assert_int_equal(store_model_count(w->store, STORE_PARTS), 0);
    world_destroy(&w);
}

static void
a_damaged_record_is_set_aside_and_its_neighbours_are_served(void **state)
{
    struct world *w = world_new(NULL);
    struct job_spec jobs[2] = {world_job("a"), world_job("b")};
    (void)state;
    world_with_client(w);
    world_submit(w, 1, 1, jobs, 2);
    assert_int_equal(world_step(w, 0), STINT_OK);
    store_model_damage(w->store, STORE_LIVE);
    world_hello_worker(w, 2, 2, 2);
    world_claim(w, 2, NULL, 0);
    assert_int_equal(world_step(w, 0), STINT_OK);
    assert_non_null(world_read(w, 2, MESSAGE_DISPATCH));
    assert_int_equal(w->message.count, 1);
    assert_memory_equal(w->arrays->dispatched[0].payload.data, "b", 1);
    assert_int_equal(store_model_count(w->store, STORE_DAMAGED), 1);
    assert_true(world_told(w, ""));
    world_destroy(&w);
}

static void
a_wait_is_answered_when_the_job_is_settled(void **state)
{
    struct world *w = world_new(NULL);
    (void)state;
    world_with_client(w);
    world_with_worker(w, 1);
    struct stint_id id = world_submit_one(w, 1, "a"), unknown = id_plus(id, 5);
    struct stint_id ids[2] = {id, unknown};
    message_put_ids(world_frame(w, 1), MESSAGE_WAIT, 3, ids, 2, 1);
    assert_int_equal(world_step(w, 0), STINT_OK);
    assert_non_null(world_read(w, 1, MESSAGE_ANSWERS));
    assert_int_equal(w->arrays->statuses[0], STINT_OK);
    assert_int_equal(w->arrays->statuses[1], STINT_NO_SUCH_JOB);
    assert_null(world_read(w, 1, MESSAGE_OUTCOMES));
    world_settle(w, 2, 2, id, 1, OUTCOME_SUCCEEDED, "out");
    assert_int_equal(world_step(w, 0), STINT_OK);
    assert_non_null(world_read(w, 1, MESSAGE_OUTCOMES));
    assert_true(message_next_job(w->arrays));
    assert_int_equal(w->arrays->info.state, STINT_SUCCEEDED);
    assert_memory_equal(w->arrays->info.result, "out", 3);
    message_put_ids(world_frame(w, 1), MESSAGE_WAIT, 4, &id, 1, 1);
    assert_int_equal(world_step(w, 0), STINT_OK);
    assert_non_null(world_read(w, 1, MESSAGE_OUTCOMES)); /* it is settled already */
    world_destroy(&w);
}

static void
a_list_is_read_in_pages_with_filters(void **state)
{
    struct world *w = world_new(NULL);
    struct job_spec jobs[100];
    struct message list = {.type = MESSAGE_LIST};
    uint8_t cursor[32];
    uint32_t seen = 0, pages = 0;
    (void)state;
    world_with_client(w);
    for (size_t i = 0; i < 100; i++) {
        jobs[i] = world_job("a");
        set_queue(&jobs[i], i % 2 ? "odd" : "even");
    }
    world_submit(w, 1, 1, jobs, 100);
    assert_int_equal(world_step(w, 0), STINT_OK);
    list.list.queue = (struct slice){(const uint8_t *)"odd", 3};
    list.list.limit = 20;
    do {
        message_put_list(world_frame(w, 1), 1, &list);
        assert_int_equal(world_step(w, 0), STINT_OK);
        assert_non_null(world_read(w, 1, MESSAGE_JOBS));
        size_t size = w->message.page.cursor.size;
        if (size)
            memcpy(cursor, w->message.page.cursor.data, size);
        list.list.cursor = (struct slice){cursor, size};
        for (uint32_t i = 0; i < w->message.count; i++) {
            assert_true(message_next_job(w->arrays));
            assert_string_equal(w->arrays->info.queue, "odd");
            seen++;
        }
        pages++;
    } while (list.list.cursor.size);
    assert_int_equal(seen, 50);
    assert_int_equal(pages, 3);
    world_destroy(&w);
}

static void
a_list_and_an_outcome_tell_the_state_a_job_is_in(void **state)
{
    static const enum stint_state states[] = {STINT_RUNNING, STINT_READY, STINT_DEAD};
    struct world *w = world_new(NULL);
    struct message list = {.type = MESSAGE_LIST};
    struct stint_id ids[3];
    (void)state;
    world_with_client(w);
    world_with_worker(w, 1);
    ids[2] = world_submit_one(w, 1, "dies");
    message_put_ids(world_frame(w, 1), MESSAGE_WAIT, 2, &ids[2], 1, 1);
    world_settle(w, 2, 2, ids[2], 1, OUTCOME_DEAD, "why");
    assert_int_equal(world_step(w, 0), STINT_OK);
    assert_non_null(world_read(w, 1, MESSAGE_OUTCOMES));
    assert_true(message_next_job(w->arrays));
    assert_int_equal(w->arrays->info.state, STINT_DEAD);
    assert_int_equal(w->arrays->info.payload_bytes, 0); /* an outcome is not about the payload */
    assert_string_equal(w->arrays->info.error, "why");
    ids[0] = world_submit_one(w, 2, "runs");
    ids[1] = world_submit_one(w, 3, "waits");
    for (unsigned i = 0; i < 3; i++) {
        list.list.states = STINT_STATE_BIT(states[i]);
        message_put_list(world_frame(w, 1), 1, &list);
        assert_int_equal(world_step(w, 0), STINT_OK);
        assert_non_null(world_read(w, 1, MESSAGE_JOBS));
        assert_int_equal(w->message.count, 1);
        assert_true(message_next_job(w->arrays));
        assert_int_equal(w->arrays->info.state, states[i]);
        assert_int_equal(id_compare(&w->arrays->info.id, &ids[i]), 0);
    }
    world_destroy(&w);
}

static void
counts_are_right_after_any_crash(void **state)
{
    struct world *w = world_new(NULL);
    struct stint_stats before, after;
    (void)state;
    world_with_client(w);
    world_with_worker(w, 3);
    for (uint64_t n = 1; n <= 10; n++)
        (void)world_submit_one(w, n, "a");
    struct stint_id first = world_submit_one(w, 11, "a");
    id_set_sequence(&first, 1);
    world_settle(w, 2, 2, first, 1, OUTCOME_FAILED, "");
    assert_int_equal(world_step(w, 0), STINT_OK);
    core_stats(w->core, &before);
    world_restart(w);
    core_stats(w->core, &after);
    assert_memory_equal(before.jobs, after.jobs, sizeof before.jobs);
    assert_int_equal(after.jobs[STINT_RUNNING], 2); /* the settle told a window of 1 */
    assert_int_equal(after.jobs[STINT_SCHEDULED], 1);
    assert_int_equal(after.jobs[STINT_READY], 8);
    assert_int_equal(store_model_count(w->store, STORE_LIVE), 10);
    world_destroy(&w);
}

static void
subscribers_hear_the_life_of_a_job(void **state)
{
    static const enum stint_event_type life[] = {STINT_EVENT_SUBMITTED, STINT_EVENT_STARTED,
        STINT_EVENT_FAILED, STINT_EVENT_STARTED, STINT_EVENT_SUCCEEDED};
    struct world *w = world_new(NULL);
    size_t heard = 0;
    (void)state;
    world_with_client(w);
    world_with_worker(w, 1);
    message_put_subscribe(world_frame(w, 1), 50, (struct slice){NULL, 0}, 0, NULL, 0);
    assert_int_equal(world_step(w, 0), STINT_OK);
    assert_non_null(world_read(w, 1, MESSAGE_ANSWERS));
    struct stint_id id = world_submit_one(w, 1, "a");
    for (unsigned step = 0; step < 40 && heard < 5; step++) {
        if (world_read(w, 1, MESSAGE_EVENTS))
            for (uint32_t i = 0; i < w->message.count; i++) {
                assert_int_equal(w->arrays->events[i].type, life[heard++]);
                assert_string_equal(w->arrays->events[i].queue, "default");
            }
        if (heard == 2)
            world_settle(w, 2, 2, id, 1, OUTCOME_FAILED, "");
        else if (heard == 4)
            world_settle(w, 2, 3, id, 2, OUTCOME_SUCCEEDED, "");
        else
            message_put_ping(world_frame(w, 2), 1, 1, 0);
        assert_int_equal(world_step(w, 100), STINT_OK);
    }
    assert_int_equal(heard, 5);
    world_destroy(&w);
}

static void
who_unsubscribes_is_answered_and_hears_no_more(void **state)
{
    struct world *w = world_new(NULL);
    (void)state;
    world_with_client(w);
    message_put_subscribe(world_frame(w, 1), 50, (struct slice){NULL, 0}, 0, NULL, 0);
    (void)world_submit_one(w, 1, "a");
    assert_non_null(world_read(w, 1, MESSAGE_EVENTS));
    message_put_numbered(world_frame(w, 1), MESSAGE_UNSUBSCRIBE, 50);
    assert_int_equal(world_step(w, 0), STINT_OK);
    assert_non_null(world_read(w, 1, MESSAGE_ANSWERS));
    assert_int_equal(w->message.number, 50);
    assert_int_equal(w->arrays->statuses[0], STINT_OK);
    (void)world_submit_one(w, 2, "b");
    assert_null(world_read(w, 1, MESSAGE_EVENTS));
    world_destroy(&w);
}

static void
a_client_may_not_settle(void **state)
{
    struct world *w = world_new(NULL);
    (void)state;
    world_with_client(w);
    struct stint_id id = world_submit_one(w, 1, "a");
    world_settle(w, 1, 2, id, 1, OUTCOME_SUCCEEDED, "");
    assert_int_equal(world_step(w, 0), STINT_OK);
    assert_non_null(world_read(w, 1, MESSAGE_ERROR));
    assert_int_equal(w->message.error.status, STINT_DENIED);
    world_destroy(&w);
}

static void
a_worker_can_settle_only_what_it_holds(void **state)
{
    struct world *w = world_new(NULL);
    (void)state;
    world_with_client(w);
    world_with_worker(w, 1);
    struct stint_id id = world_submit_one(w, 1, "a");
    world_hello_worker(w, 3, 3, 1);
    world_claim(w, 3, NULL, 0);
    world_settle(w, 3, 2, id, 1, OUTCOME_SUCCEEDED, "stolen");
    assert_int_equal(world_step(w, 0), STINT_OK);
    assert_int_equal(world_state(w, id, NULL), STINT_RUNNING);
    world_destroy(&w);
}

static void
a_wall_clock_that_is_set_back_delays_nothing(void **state)
{
    struct world *w = world_new(NULL);
    (void)state;
    world_with_client(w);
    world_with_worker(w, 1);
    struct stint_id id = world_submit_one(w, 1, "a");
    w->wall_ms -= 3600000;
    struct outcome o = {.id = id, .attempt = 1, .type = OUTCOME_SNOOZED, .delay_ms = 700};
    message_put_settle(world_frame(w, 2), 1, &o, 1, WINDOW_UNCHANGED);
    assert_int_equal(world_step(w, 0), STINT_OK);
    assert_int_equal(world_state(w, id, NULL), STINT_SCHEDULED);
    message_put_ping(world_frame(w, 2), 1, 1, 0);
    assert_int_equal(world_step(w, 690), STINT_OK);
    assert_null(world_read(w, 2, MESSAGE_DISPATCH));
    assert_int_equal(world_step(w, 10), STINT_OK);
    assert_int_equal(world_dispatched(w, 2).attempt, 2);
    world_destroy(&w);
}

static void
a_wall_clock_that_is_set_back_keeps_what_was_to_be_kept(void **state)
{
    struct world *w = world_new(NULL);
    struct job_spec job = world_job("a");
    struct stint_job_info info;
    (void)state;
    job.keep_ms = 60000;
    world_with_client(w);
    world_with_worker(w, 1);
    w->wall_ms -= 3600000;
    world_submit(w, 1, 1, &job, 1);
    assert_int_equal(world_step(w, 0), STINT_OK);
    struct stint_id id = world_dispatched(w, 2).id;
    world_settle(w, 2, 1, id, 1, OUTCOME_SUCCEEDED, "");
    assert_int_equal(world_step(w, 0), STINT_OK);
    assert_int_equal(world_state(w, id, &info), STINT_SUCCEEDED);
    assert_true(info.settled_ms >= info.submitted_ms);
    w->wall_ms += 3600000 + 5000; /* right again */
    assert_int_equal(world_step(w, 5000), STINT_OK);
    assert_int_equal(world_state(w, id, NULL), STINT_SUCCEEDED);
    world_destroy(&w);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(higher_priority_goes_first_and_first_in_first_out_within_one),
        cmocka_unit_test(a_worker_takes_its_queues_in_turn),
        cmocka_unit_test(a_failed_attempt_comes_back_after_its_backoff_and_dies_at_last),
        cmocka_unit_test(a_scheduled_job_that_is_cancelled_leaves_no_date_behind),
        cmocka_unit_test(a_running_job_is_cancelled_at_once_and_its_worker_told),
        cmocka_unit_test(prefetched_jobs_that_do_not_move_are_recalled_for_an_idle_worker),
        cmocka_unit_test(limits_refuse_with_the_status_that_names_them),
        cmocka_unit_test(a_result_over_the_limit_makes_the_job_dead),
        cmocka_unit_test(large_payloads_and_results_come_back_whole),
        cmocka_unit_test(a_damaged_record_is_set_aside_and_its_neighbours_are_served),
        cmocka_unit_test(a_wait_is_answered_when_the_job_is_settled),
        cmocka_unit_test(a_list_is_read_in_pages_with_filters),
        cmocka_unit_test(a_list_and_an_outcome_tell_the_state_a_job_is_in),
        cmocka_unit_test(counts_are_right_after_any_crash),
        cmocka_unit_test(subscribers_hear_the_life_of_a_job),
        cmocka_unit_test(who_unsubscribes_is_answered_and_hears_no_more),
        cmocka_unit_test(a_client_may_not_settle),
        cmocka_unit_test(a_worker_can_settle_only_what_it_holds),
        cmocka_unit_test(a_wall_clock_that_is_set_back_delays_nothing),
        cmocka_unit_test(a_wall_clock_that_is_set_back_keeps_what_was_to_be_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
