/* Sessions and connections: who may speak, who is forgotten when, and what a worker may say it
 * holds. */
#include "world.h"

static void
a_session_that_is_not_used_is_forgotten(void **state)
{
    struct world *w = world_new(NULL);
    (void)state;
    world_with_client(w);
    (void)world_submit_one(w, 1, "a");
    world_gone(w, 1);
    assert_int_equal(world_step(w, 0), STINT_OK);
    assert_int_equal(store_model_count(w->store, STORE_SESSIONS), 1);
    for (int hour = 0; hour < 30; hour++)
        assert_int_equal(world_step(w, 3600000), STINT_OK);
    assert_int_equal(store_model_count(w->store, STORE_SESSIONS), 0);
    assert_int_equal(store_model_count(w->store, STORE_ANSWERS), 0);
    struct job_spec job = world_job("b");
    world_with_client(w);
    world_submit(w, 1, 2, &job, 1);
    assert_int_equal(world_step(w, 0), STINT_OK);
    assert_non_null(world_read(w, 1, MESSAGE_SUBMITTED));
    assert_int_equal(w->arrays->answers[0].status, STINT_SESSION_UNKNOWN);
    world_destroy(&w);
}

static void
a_session_that_is_open_is_not_forgotten(void **state)
{
    struct core_options options;
    (void)state;
    core_options_init(&options);
    options.session_keep_ms = 1000;
    struct world *w = world_new(&options);
    world_with_client(w);
    (void)world_submit_one(w, 1, "a");
    for (unsigned i = 0; i < 40; i++) {
        message_put_ping(world_frame(w, 1), i, WINDOW_UNCHANGED, 0);
        assert_int_equal(world_step(w, 500), STINT_OK);
    }
    assert_int_equal(store_model_count(w->store, STORE_SESSIONS), 1);
    (void)world_submit_one(w, 2, "b");
    world_destroy(&w);
}

static void
sessions_are_limited_and_those_that_exist_go_on(void **state)
{
    struct core_options options;
    struct job_spec job = world_job("a");
    (void)state;
    core_options_init(&options);
    options.max.sessions = 1;
    struct world *w = world_new(&options);
    world_with_client(w);
    (void)world_submit_one(w, 1, "a");
    world_hello_client(w, 5, 5);
    world_submit(w, 5, 1, &job, 1);
    assert_int_equal(world_step(w, 0), STINT_OK);
    assert_non_null(world_read(w, 5, MESSAGE_SUBMITTED));
    assert_int_equal(w->arrays->answers[0].status, STINT_TOO_MANY);
    (void)world_submit_one(w, 2, "b");
    message_put_numbered(world_frame(w, 1), MESSAGE_BYE, 3);
    world_submit(w, 5, 1, &job, 1);
    assert_int_equal(world_step(w, 0), STINT_OK);
    assert_non_null(world_read(w, 5, MESSAGE_SUBMITTED));
    world_destroy(&w);
}

static void
a_peer_of_another_version_or_without_a_session_is_refused(void **state)
{
    struct world *w = world_new(NULL);
    (void)state;
    struct hello h = {.version_min = 2, .version_max = 3, .role = ROLE_CLIENT, .session = {1}};
    message_put_hello(world_frame(w, 1), &h, NULL, NULL, NULL);
    h = (struct hello){.version_min = 1, .version_max = 1, .role = ROLE_CLIENT};
    message_put_hello(world_frame(w, 2), &h, NULL, NULL, NULL);
    h = (struct hello){.version_min = 1, .version_max = 9, .role = ROLE_CLIENT, .session = {1}};
    message_put_hello(world_frame(w, 3), &h, NULL, NULL, NULL);
    assert_int_equal(world_step(w, 0), STINT_OK);
    assert_non_null(world_read(w, 1, MESSAGE_ERROR));
    assert_int_equal(w->message.error.status, STINT_VERSION_MISMATCH);
    assert_non_null(world_read(w, 2, MESSAGE_ERROR));
    assert_int_equal(w->message.error.status, STINT_INVALID);
    assert_non_null(world_read(w, 3, MESSAGE_WELCOME));
    assert_int_equal(w->message.welcome.version, 1);
    world_destroy(&w);
}

static void
each_start_has_an_epoch_of_its_own(void **state)
{
    struct world *w = world_new(NULL);
    (void)state;
    for (uint64_t epoch = 1; epoch <= 3; epoch++) {
        world_with_client(w);
        assert_int_equal(w->message.welcome.epoch, epoch);
        world_restart(w);
    }
    world_destroy(&w);
}

static void
a_goodbye_gives_everything_back_at_once(void **state)
{
    struct world *w = world_new(NULL);
    struct stint_job_info info;
    (void)state;
    world_with_client(w);
    world_with_worker(w, 1);
    struct stint_id id = world_submit_one(w, 1, "a");
    message_put_numbered(world_frame(w, 2), MESSAGE_BYE, 1);
    assert_int_equal(world_step(w, 0), STINT_OK);
    assert_non_null(world_read(w, 2, MESSAGE_BYE));
    assert_int_equal(world_state(w, id, &info), STINT_READY);
    assert_int_equal(info.failures, 0); /* it was never told of as started */
    struct stint_stats stats;
    core_stats(w->core, &stats);
    assert_int_equal(stats.workers, 0);
    world_destroy(&w);
}

static void
a_worker_is_not_judged_before_all_that_arrived_was_read(void **state)
{
    struct world *w = world_new(NULL);
    (void)state;
    world_with_client(w);
    world_with_worker(w, 1);
    struct stint_id id = world_submit_one(w, 1, "a");
    w->heard = HEARD_SOME;
    for (unsigned ms = 0; ms < 2 * DEFAULT_LOST_MS; ms += 250) {
        assert_int_equal(world_step(w, 250), STINT_OK);
        assert_null(world_read(w, 2, MESSAGE_ERROR));
    }
    message_put_ping(world_frame(w, 2), 1, 1, 0);
    w->heard = HEARD_ALL;
    assert_int_equal(world_step(w, 300), STINT_OK);
    assert_int_equal(world_state(w, id, NULL), STINT_RUNNING);
    world_destroy(&w);
}

static void
a_silent_worker_is_lost_although_there_is_always_more_to_read(void **state)
{
    struct world *w = world_new(NULL);
    (void)state;
    world_with_client(w);
    world_with_worker(w, 1);
    struct stint_id id = world_submit_one(w, 1, "a");
    w->heard = HEARD_EACH;
    for (unsigned ms = 0; ms < DEFAULT_LOST_MS; ms += 300) {
        assert_int_equal(world_state(w, id, NULL), STINT_RUNNING);
        assert_int_equal(world_step(w, 300), STINT_OK);
    }
    /* A batch tells who was heard of those that had something to say at the one before. */
    assert_int_equal(world_state(w, id, NULL), STINT_RUNNING);
    assert_int_equal(world_step(w, 300), STINT_OK);
    assert_int_equal(world_state(w, id, NULL), STINT_READY);
    world_destroy(&w);
}

static void
a_silent_worker_is_lost_although_each_commit_takes_long(void **state)
{
    struct world *w = world_new(NULL);
    unsigned steps = 0;
    (void)state;
    world_with_client(w);
    world_with_worker(w, 1);
    struct stint_id id = world_submit_one(w, 1, "a");
    while (world_state(w, id, NULL) == STINT_RUNNING && steps++ < 100)
        assert_int_equal(world_step(w, 3 * DEFAULT_HEARTBEAT_MS), STINT_OK);
    assert_int_equal(world_state(w, id, NULL), STINT_READY);
    /* It had as many chances to be heard as if each commit had been quick. */
    assert_true(steps >= DEFAULT_LOST_MS / DEFAULT_HEARTBEAT_MS);
    world_destroy(&w);
}

static void
a_worker_may_not_claim_what_another_one_holds(void **state)
{
    struct world *w = world_new(NULL);
    (void)state;
    world_with_client(w);
    world_with_worker(w, 1);
    struct stint_id id = world_submit_one(w, 1, "a");
    struct lease_ref lease = {.id = id, .attempt = 1};
    world_hello_worker(w, 3, 3, 1);
    world_claim(w, 3, &lease, 1);
    assert_int_equal(world_step(w, 0), STINT_OK);
    assert_non_null(world_read(w, 3, MESSAGE_CLAIMED));
    assert_int_equal(w->message.count, 1);
    assert_int_equal(w->arrays->leases[0].status, STINT_STALE);
    world_settle(w, 2, 1, id, 1, OUTCOME_SUCCEEDED, "mine");
    assert_int_equal(world_step(w, 0), STINT_OK);
    assert_int_equal(world_state(w, id, NULL), STINT_SUCCEEDED);
    world_destroy(&w);
}

static void
a_worker_gets_nothing_before_it_has_claimed_and_nothing_that_it_has_no_room_for(void **state)
{
    struct world *w = world_new(NULL);
    (void)state;
    world_with_client(w);
    world_hello_worker(w, 2, 2, 2);
    (void)world_submit_one(w, 1, "a");
    assert_null(world_read(w, 2, MESSAGE_DISPATCH));
    message_put_ping(world_frame(w, 2), 1, 0, 0); /* it drains */
    world_claim(w, 2, NULL, 0);
    assert_int_equal(world_step(w, 0), STINT_OK);
    assert_non_null(world_read(w, 2, MESSAGE_CLAIMED));
    assert_null(world_read(w, 2, MESSAGE_DISPATCH));
    message_put_ping(world_frame(w, 2), 2, 1, 0);
    (void)world_submit_one(w, 2, "b");
    assert_non_null(world_read(w, 2, MESSAGE_DISPATCH));
    assert_int_equal(w->message.count, 1);
    world_destroy(&w);
}

static void
a_session_has_one_connection_and_the_former_one_is_forgotten(void **state)
{
    struct world *w = world_new(NULL);
    struct job_spec job = world_job("a");
    struct stint_stats stats;
    bool forgotten = false;
    (void)state;
    world_with_client(w);
    world_hello_client(w, 6, 1);
    assert_int_equal(world_step(w, 0), STINT_OK);
    assert_non_null(world_read(w, 6, MESSAGE_WELCOME));
    for (size_t i = 0; i < w->out.count; i++)
        forgotten |= w->out.entries[i].forget && w->out.entries[i].peer == 1;
    assert_true(forgotten);
    core_stats(w->core, &stats);
    assert_int_equal(stats.peers, 1);
    world_submit(w, 1, 1, &job, 1);
    assert_int_equal(world_step(w, 0), STINT_OK);
    assert_non_null(world_read(w, 1, MESSAGE_ERROR));
    assert_int_equal(w->message.error.status, STINT_HELLO_FIRST);
    world_destroy(&w);
}

/* Submits until `count` answers of the session are stored. */
static void
store_answers(struct world *w, uint32_t peer, uint64_t count)
{
    struct job_spec job = world_job("a");
    for (uint64_t n = 1; n <= count; n++) {
        world_submit(w, peer, n, &job, 1);
        if (n % 200 == 0 || n == count)
            assert_int_equal(world_step(w, 0), STINT_OK);
        if (n % 2000 == 0) { /* it reads, too */
            for (unsigned i = 0; i < 2; i++) {
                message_put_ping(world_frame(w, peer), 1, WINDOW_UNCHANGED, w->message.pong.token);
                assert_int_equal(world_step(w, 0), STINT_OK);
                assert_non_null(world_read(w, peer, MESSAGE_PONG));
            }
        }
    }
}

static void
answers_that_are_not_confirmed_are_limited_until_they_are(void **state)
{
    struct world *w = world_new(NULL);
    struct job_spec job = world_job("a");
    (void)state;
    world_with_client(w);
    store_answers(w, 1, LIMIT_SUBMISSIONS_OPEN);
    assert_int_equal(store_model_count(w->store, STORE_ANSWERS), LIMIT_SUBMISSIONS_OPEN);
    world_submit(w, 1, LIMIT_SUBMISSIONS_OPEN + 1, &job, 1);
    assert_int_equal(world_step(w, 0), STINT_OK);
    assert_non_null(world_read(w, 1, MESSAGE_SUBMITTED));
    assert_int_equal(w->arrays->answers[0].status, STINT_TOO_MANY);
    message_put_submit(world_frame(w, 1), LIMIT_SUBMISSIONS_OPEN + 1, 5, &job, 1);
    assert_int_equal(world_step(w, 0), STINT_OK);
    assert_non_null(world_read(w, 1, MESSAGE_SUBMITTED));
    assert_int_equal(w->arrays->answers[0].status, STINT_OK);
    world_destroy(&w);
}

static void
a_session_with_many_answers_is_forgotten_in_several_steps(void **state)
{
    enum { SESSIONS = 3 };
    struct world *w = world_new(NULL);
    (void)state;
    for (uint32_t p = 1; p <= SESSIONS; p++) {
        world_hello_client(w, p, (uint8_t)p);
        assert_int_equal(world_step(w, 0), STINT_OK);
        w->message.pong.token = 0;
        store_answers(w, p, LIMIT_SUBMISSIONS_OPEN);
    }
    for (uint32_t p = 1; p <= SESSIONS; p++)
        message_put_numbered(world_frame(w, p), MESSAGE_BYE, 1);
    assert_int_equal(world_step(w, 0), STINT_OK);
    assert_in_range(store_model_count(w->store, STORE_ANSWERS), 1, LIMIT_SUBMISSIONS_OPEN + 1);
    assert_int_equal(core_idle_ms(w->core), 0);
    /* It is over all the same: who comes back begins anew, and a restart leaves nothing behind. */
    world_restart(w);
    for (unsigned s = 0; s < 20; s++)
        assert_int_equal(world_step(w, 10000), STINT_OK);
    assert_int_equal(store_model_count(w->store, STORE_ANSWERS), 0);
    assert_int_equal(store_model_count(w->store, STORE_SESSIONS), 0);
    world_destroy(&w);
}

static void
a_session_that_is_back_before_all_of_it_was_forgotten_begins_anew(void **state)
{
    enum { SESSIONS = 3 };
    struct world *w = world_new(NULL);
    (void)state;
    for (uint32_t p = 1; p <= SESSIONS; p++) {
        world_hello_client(w, p, (uint8_t)p);
        assert_int_equal(world_step(w, 0), STINT_OK);
        w->message.pong.token = 0;
        store_answers(w, p, LIMIT_SUBMISSIONS_OPEN);
    }
    for (uint32_t p = 1; p <= SESSIONS; p++) {
        message_put_numbered(world_frame(w, p), MESSAGE_BYE, 1);
        world_hello_client(w, 10 + p, (uint8_t)p);
    }
    assert_int_equal(world_step(w, 0), STINT_OK);
    for (uint32_t p = 1; p <= SESSIONS; p++) {
        assert_non_null(world_read(w, 10 + p, MESSAGE_WELCOME));
        assert_int_equal(w->message.welcome.submission, 0);
    }
    assert_int_equal(world_step(w, 0), STINT_OK);
    assert_int_equal(store_model_count(w->store, STORE_ANSWERS), 0);
    world_destroy(&w);
}

static void
a_connection_speaks_for_a_few_sessions_and_is_ended_then(void **state)
{
    struct world *w = world_new(NULL);
    struct stint_stats stats;
    (void)state;
    for (uint8_t n = 1; n <= 20; n++)
        world_hello_client(w, 1, n);
    assert_int_equal(world_step(w, 0), STINT_OK);
    assert_int_equal(world_count(w, 1, MESSAGE_WELCOME), 16);
    assert_non_null(world_read(w, 1, MESSAGE_ERROR));
    assert_int_equal(w->message.error.status, STINT_TOO_MANY);
    assert_true(w->out.entries[w->out.count - 1].close);
    core_stats(w->core, &stats);
    assert_int_equal(stats.peers, 0);
    for (unsigned n = 0; n < 40; n++) { /* the same one as often as it likes */
        world_hello_client(w, 2, 1);
        assert_int_equal(world_step(w, 0), STINT_OK);
        assert_non_null(world_read(w, 2, MESSAGE_WELCOME));
    }
    world_destroy(&w);
}

static void
workers_are_limited_also_those_that_are_cut_off(void **state)
{
    struct core_options options;
    (void)state;
    core_options_init(&options);
    options.max.workers = 3;
    struct world *w = world_new(&options);
    for (uint8_t n = 1; n <= 5; n++)
        world_hello_worker(w, 1, n, 1); /* one connection */
    world_hello_worker(w, 2, 1, 1); /* known already */
    assert_int_equal(world_step(w, 0), STINT_OK);
    assert_int_equal(world_count(w, 1, MESSAGE_WELCOME), 3 + 0);
    assert_non_null(world_read(w, 1, MESSAGE_ERROR));
    assert_int_equal(w->message.error.status, STINT_TOO_MANY);
    assert_non_null(world_read(w, 2, MESSAGE_WELCOME));
    world_destroy(&w);
}

static void
sessions_that_rest_make_room_for_others(void **state)
{
    enum { SESSIONS = 1000 };
    struct core_options options;
    struct job_spec job = world_job("a");
    (void)state;
    core_options_init(&options);
    options.max.sessions = SESSIONS;
    struct world *w = world_new(&options);
    for (uint32_t n = 0; n < SESSIONS; n++) {
        struct hello h = {.role = ROLE_CLIENT, .version_min = 1, .version_max = 1};
        memcpy(h.session, &(uint32_t){n + 1}, 4);
        message_put_hello(world_frame(w, 10 + n), &h, NULL, NULL, NULL);
        world_submit(w, 10 + n, 1, &job, 1);
        world_gone(w, 10 + n);
        if (n % 80 == 79 || n == SESSIONS - 1)
            assert_int_equal(world_step(w, 0), STINT_OK);
    }
    assert_int_equal(store_model_count(w->store, STORE_SESSIONS), SESSIONS);
    enum stint_status status = STINT_TOO_MANY;
    unsigned seconds = 0;
    while (status != STINT_OK) {
        world_hello_client(w, 1, 200);
        world_submit(w, 1, 1, &job, 1);
        assert_int_equal(world_step(w, 1000), STINT_OK);
        assert_non_null(world_read(w, 1, MESSAGE_SUBMITTED));
        status = w->arrays->answers[0].status;
        assert_true(++seconds < 90);
        assert_true(status == STINT_OK || status == STINT_TOO_MANY);
    }
    assert_in_range(seconds, 55, 90);
    world_destroy(&w);
}

static void
no_session_is_forgotten_for_room_before_its_client_could_come_back_after_a_restart(void **state)
{
    struct core_options options;
    struct job_spec job = world_job("a");
    (void)state;
    core_options_init(&options);
    options.max.sessions = 1;
    struct world *w = world_new(&options);
    world_with_client(w);
    (void)world_submit_one(w, 1, "a");
    w->wall_ms += 5ULL * 86400000; /* it was down for long, or its clock is wrong */
    world_restart(w);
    for (unsigned s = 0; s < 30; s++) {
        world_hello_client(w, 5, 5);
        world_submit(w, 5, 1, &job, 1);
        assert_int_equal(world_step(w, 1000), STINT_OK);
        assert_non_null(world_read(w, 5, MESSAGE_SUBMITTED));
        assert_int_equal(w->arrays->answers[0].status, STINT_TOO_MANY);
    }
    world_with_client(w);
    assert_int_equal(w->message.welcome.submission, 1);
    (void)world_submit_one(w, 2, "b");
    world_destroy(&w);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_session_that_is_not_used_is_forgotten),
        cmocka_unit_test(a_session_that_is_open_is_not_forgotten),
        cmocka_unit_test(sessions_are_limited_and_those_that_exist_go_on),
        cmocka_unit_test(a_peer_of_another_version_or_without_a_session_is_refused),
        cmocka_unit_test(each_start_has_an_epoch_of_its_own),
        cmocka_unit_test(a_goodbye_gives_everything_back_at_once),
        cmocka_unit_test(a_worker_is_not_judged_before_all_that_arrived_was_read),
        cmocka_unit_test(a_silent_worker_is_lost_although_there_is_always_more_to_read),
        cmocka_unit_test(a_silent_worker_is_lost_although_each_commit_takes_long),
        cmocka_unit_test(a_worker_may_not_claim_what_another_one_holds),
        cmocka_unit_test(
            a_worker_gets_nothing_before_it_has_claimed_and_nothing_that_it_has_no_room_for),
        cmocka_unit_test(a_session_has_one_connection_and_the_former_one_is_forgotten),
        cmocka_unit_test(answers_that_are_not_confirmed_are_limited_until_they_are),
        cmocka_unit_test(a_session_with_many_answers_is_forgotten_in_several_steps),
        cmocka_unit_test(a_session_that_is_back_before_all_of_it_was_forgotten_begins_anew),
        cmocka_unit_test(a_connection_speaks_for_a_few_sessions_and_is_ended_then),
        cmocka_unit_test(workers_are_limited_also_those_that_are_cut_off),
        cmocka_unit_test(sessions_that_rest_make_room_for_others),
        cmocka_unit_test(
            no_session_is_forgotten_for_room_before_its_client_could_come_back_after_a_restart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
