/* What all peers together may make the broker keep: each alone stays within what it may, and there
 * are many of them. Who asks for little is served all the same. */
#include "world.h"

enum { FIRST = 10 };

static void
submit_many(struct world *w, uint64_t number, uint32_t count)
{
    struct job_spec job = world_job("");
    world_submit_many(w, 1, number, &job, count);
}

/* Subscribes to everything, and tells the status. */
static uint32_t
subscribe(struct world *w, uint32_t peer, uint64_t number)
{
    message_put_subscribe(world_frame(w, peer), number, (struct slice){NULL, 0}, 0, NULL, 0);
    assert_int_equal(world_step(w, 0), STINT_OK);
    assert_non_null(world_read(w, peer, MESSAGE_ANSWERS));
    return w->arrays->statuses[0];
}

static void
however_many_subscribe_the_events_of_a_step_have_a_bound(void **state)
{
    enum { PEERS = 40, EVENTS_BYTES = 16 << 20, LEAST = 16 << 10 };
    struct world *w = world_new(NULL);
    uint32_t taken = 0;
    (void)state;
    world_with_client(w);
    for (uint32_t p = FIRST; p < FIRST + PEERS; p++) {
        world_hello_client(w, p, (uint8_t)p);
        for (uint64_t n = 1; n <= LIMIT_SUBSCRIPTIONS; n++) {
            bool ok = subscribe(w, p, n) == STINT_OK;
            taken += ok;
            assert_true(ok || n > 1); /* each may have one */
        }
    }
    assert_in_range(taken, LIMIT_SUBSCRIPTIONS_ALL, LIMIT_SUBSCRIPTIONS_ALL + PEERS);
    submit_many(w, 1, LIMIT_JOBS);
    assert_in_range(
        w->out.bytes.used, EVENTS_BYTES / 2, EVENTS_BYTES + PEERS * (LEAST + 1000) + 100000);
    for (uint32_t p = FIRST; p < FIRST + PEERS; p++)
        assert_non_null(world_read(w, p, MESSAGE_EVENTS));
    /* Whoever goes makes room. */
    world_gone(w, FIRST);
    world_gone(w, FIRST + PEERS - 1);
    world_hello_client(w, 9, 9);
    assert_int_equal(subscribe(w, 9, 1), STINT_OK);
    assert_int_equal(subscribe(w, 9, 2), STINT_OK);
    world_destroy(&w);
}

/* Waits for jobs of the first level, from the how-manieth on; how many were taken. */
static uint32_t
wait_for(struct world *w, uint32_t peer, uint64_t from, uint32_t count)
{
    struct stint_id ids[LIMIT_JOBS];
    uint32_t taken = 0;
    for (uint32_t i = 0; i < count; i++)
        ids[i] = id_make(w->options.broker, 1, DEFAULT_PRIORITY, from + i + 1);
    message_put_ids(world_frame(w, peer), MESSAGE_WAIT, 1, ids, count, 1);
    assert_int_equal(world_step(w, 0), STINT_OK);
    assert_non_null(world_read(w, peer, MESSAGE_ANSWERS));
    for (uint32_t i = 0; i < count; i++)
        taken += w->arrays->statuses[i] == STINT_OK;
    return taken;
}

static void
all_together_wait_for_a_bounded_number_of_jobs_and_each_for_some(void **state)
{
    enum { PEERS = LIMIT_WATCHED_ALL / LIMIT_WATCHED };
    struct world *w = world_new(NULL);
    (void)state;
    world_with_client(w);
    for (uint64_t n = 0; n < LIMIT_WATCHED / LIMIT_JOBS; n++)
        submit_many(w, n + 1, LIMIT_JOBS);
    for (uint32_t p = FIRST; p < FIRST + PEERS; p++) {
        world_hello_client(w, p, (uint8_t)p);
        for (uint64_t at = 0; at < LIMIT_WATCHED; at += LIMIT_JOBS)
            assert_int_equal(wait_for(w, p, at, LIMIT_JOBS), LIMIT_JOBS);
    }
    assert_int_equal(wait_for(w, 1, 0, LIMIT_JOBS), LIMIT_WATCHED_LEAST);
    world_gone(w, FIRST);
    assert_int_equal(wait_for(w, 1, 0, LIMIT_JOBS), LIMIT_JOBS);
    world_destroy(&w);
}

/* Asks for one job so many times over. */
static void
get_again_and_again(struct world *w, struct stint_id id, uint32_t count)
{
    struct stint_id ids[LIMIT_JOBS];
    for (uint32_t i = 0; i < count; i++)
        ids[i] = id;
    message_put_ids(world_frame(w, 1), MESSAGE_GET, 1, ids, count, PART_PAYLOAD | PART_ATTEMPTS);
    assert_int_equal(world_step(w, 0), STINT_OK);
}

static void
descriptions_that_do_not_fit_into_a_message_are_refused(void **state)
{
    enum { MESSAGE_BYTES = 64 << 10, FEW = 100 };
    struct core_options options;
    (void)state;
    core_options_init(&options);
    options.message_bytes = MESSAGE_BYTES;
    struct world *w = world_new(&options);
    world_with_client(w);
    struct stint_id id = world_submit_one(w, 1, "payload");
    get_again_and_again(w, id, LIMIT_JOBS);
    assert_non_null(world_read(w, 1, MESSAGE_ERROR));
    assert_int_equal(w->message.error.status, STINT_TOO_MANY);
    get_again_and_again(w, id, FEW);
    assert_non_null(world_read(w, 1, MESSAGE_JOBS));
    assert_int_equal(w->message.count, FEW);
    world_destroy(&w);
}

static void
join(struct world *w, uint32_t peer, uint32_t window)
{
    world_hello_worker(w, peer, (uint8_t)peer, window);
    world_claim(w, peer, NULL, 0);
    message_put_ping(world_frame(w, peer), 1, window, 0);
    assert_int_equal(world_step(w, 0), STINT_OK);
}

/* Says of all that it was given that it can't be started there; how many that were. */
static uint32_t
refuse_all(struct world *w, uint32_t peer)
{
    static struct outcome outcomes[LIMIT_JOBS];
    if (!world_read(w, peer, MESSAGE_DISPATCH))
        return 0;
    uint32_t count = w->message.count;
    for (uint32_t i = 0; i < count; i++)
        outcomes[i] = (struct outcome){.id = w->arrays->dispatched[i].id,
            .attempt = w->arrays->dispatched[i].attempt,
            .type = OUTCOME_UNABLE,
            .body = {(const uint8_t *)"no", 2}};
    message_put_settle(world_frame(w, peer), 9, outcomes, count, WINDOW_UNCHANGED);
    assert_int_equal(world_step(w, 0), STINT_OK);
    return count;
}

static void
while_many_jobs_wait_for_another_worker_who_refuses_more_of_them_rests(void **state)
{
    enum { JOBS = 40, MOST = 8, WINDOW = 4, SECONDS = 6 };
    struct core_options options;
    struct stint_job_info info;
    uint32_t refused = 0, more;
    (void)state;
    core_options_init(&options);
    options.max.apart = 2 * MOST;
    struct world *w = world_new(&options);
    world_with_client(w);
    join(w, 3, 0); /* it would take them, and is busy with others */
    submit_many(w, 1, JOBS);
    join(w, 2, WINDOW);
    while ((more = refuse_all(w, 2)) > 0)
        refused += more;
    assert_in_range(refused, MOST + 1, MOST + WINDOW);
    for (unsigned s = 0; s < SECONDS; s++) {
        message_put_ping(world_frame(w, 2), 1, WINDOW, 0);
        message_put_ping(world_frame(w, 3), 1, 0, 0);
        assert_int_equal(world_step(w, 1000), STINT_OK);
        assert_in_range(more = refuse_all(w, 2), 1, WINDOW);
    }
    /* None was charged or is lost: who can take them gets them all. */
    assert_int_equal(
        world_state(w, id_make(w->options.broker, 1, DEFAULT_PRIORITY, JOBS), &info), STINT_READY);
    assert_int_equal(info.failures, 0);
    uint32_t given = 0;
    message_put_ping(world_frame(w, 3), 1, JOBS, 0);
    assert_int_equal(world_step(w, 0), STINT_OK);
    assert_non_null(world_read(w, 3, MESSAGE_DISPATCH));
    for (given = w->message.count; given < JOBS && world_step(w, 0) == STINT_OK;)
        given += world_read(w, 3, MESSAGE_DISPATCH) ? w->message.count : JOBS;
    assert_int_equal(given, JOBS);
    world_destroy(&w);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(however_many_subscribe_the_events_of_a_step_have_a_bound),
        cmocka_unit_test(all_together_wait_for_a_bounded_number_of_jobs_and_each_for_some),
        cmocka_unit_test(descriptions_that_do_not_fit_into_a_message_are_refused),
        cmocka_unit_test(while_many_jobs_wait_for_another_worker_who_refuses_more_of_them_rests),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
