/* The promises of the design, one by one, tried on the core alone: a clock and a store of the
 * test's own, so that a crash is exact and nothing waits. Each test is named after what it holds
 * the core to; the number in the name is the promise's.
 */
#include "world.h"

static const struct job_spec *
one(struct job_spec *job, const char *payload)
{
    *job = world_job(payload);
    return job;
}

static void
promise_1_a_submit_is_answered_only_after_its_commit(void **state)
{
    struct world *w = world_new(NULL);
    struct job_spec job;
    (void)state;
    world_with_client(w);
    store_model_fail_commit(w->store, 0);
    world_submit(w, 1, 1, one(&job, "a"), 1);
    assert_int_equal(world_step(w, 0), STINT_IO); /* the router sends nothing after this */
    world_restart(w);
    world_with_client(w);
    assert_int_equal(w->message.welcome.submission, 0);
    assert_int_equal(store_model_count(w->store, STORE_LIVE), 0);
    world_destroy(&w);
}

static void
promise_2_a_submitted_job_is_there_until_it_is_settled(void **state)
{
    struct world *w = world_new(NULL);
    (void)state;
    world_with_client(w);
    struct stint_id id = world_submit_one(w, 1, "a");
    assert_int_equal(world_state(w, id, NULL), STINT_READY);
    world_restart(w);
    struct stint_job_info info;
    assert_int_equal(world_state(w, id, &info), STINT_READY);
    assert_int_equal(info.payload_bytes, 1);
    assert_memory_equal(info.payload, "a", 1);
    world_destroy(&w);
}

static void
promise_2_an_outcome_can_be_asked_for_until_its_retention_ends(void **state)
{
    struct world *w = world_new(NULL);
    struct job_spec job = world_job("a");
    (void)state;
    job.keep_ms = 100000;
    world_with_client(w);
    world_with_worker(w, 1);
    world_submit(w, 1, 1, &job, 1);
    assert_int_equal(world_step(w, 0), STINT_OK);
    struct stint_id id = world_dispatched(w, 2).id;
    world_settle(w, 2, 2, id, 1, OUTCOME_SUCCEEDED, "result");
    assert_int_equal(world_step(w, 0), STINT_OK);
    struct stint_job_info info;
    assert_int_equal(world_state(w, id, &info), STINT_SUCCEEDED);
    assert_memory_equal(info.result, "result", 6);
    assert_int_equal(world_step(w, 99000), STINT_OK);
    assert_int_equal(world_state(w, id, NULL), STINT_SUCCEEDED);
    assert_int_equal(world_step(w, 60000), STINT_OK);
    assert_int_equal(world_state(w, id, NULL), STINT_UNKNOWN);
    assert_int_equal(store_model_count(w->store, STORE_SETTLED), 0);
    assert_int_equal(store_model_count(w->store, STORE_EXPIRY), 0);
    world_destroy(&w);
}

static void
promise_2_a_job_with_keep_0_is_forgotten_at_success_but_not_when_it_dies(void **state)
{
    struct world *w = world_new(NULL);
    struct job_spec job = world_job("a");
    (void)state;
    job.keep_ms = 0;
    job.max_attempts = 1;
    world_with_client(w);
    world_with_worker(w, 2);
    struct job_spec two[] = {job, job};
    world_submit(w, 1, 1, two, 2);
    assert_int_equal(world_step(w, 0), STINT_OK);
    struct stint_id first = world_dispatched(w, 2).id, second = id_plus(first, 1);
    world_settle(w, 2, 2, first, 1, OUTCOME_SUCCEEDED, "");
    world_settle(w, 2, 3, second, 1, OUTCOME_FAILED, "why");
    assert_int_equal(world_step(w, 0), STINT_OK);
    assert_int_equal(world_state(w, first, NULL), STINT_UNKNOWN);
    struct stint_job_info info;
    assert_int_equal(world_state(w, second, &info), STINT_DEAD);
    assert_string_equal(info.error, "why");
    world_destroy(&w);
}

static void
promise_3_a_dispatch_is_on_disk_before_it_is_sent(void **state)
{
    struct world *w = world_new(NULL);
    (void)state;
    world_with_client(w);
    world_with_worker(w, 1);
    (void)world_submit_one(w, 1, "a");
    assert_int_equal(store_model_count(w->store, STORE_TRANSIT), 1);
    world_restart(w);
    assert_int_equal(store_model_count(w->store, STORE_TRANSIT), 1);
    world_destroy(&w);
}

static void
promise_3_a_job_that_kills_its_broker_and_workers_dies_in_the_end(void **state)
{
    struct core_options options;
    (void)state;
    core_options_init(&options);
    struct world *w = world_new(&options);
    world_with_client(w);
    struct stint_id id = world_submit_one(w, 1, "poison");
    for (uint32_t attempt = 1; attempt <= DEFAULT_MAX_ATTEMPTS + 1; attempt++) {
        world_with_worker(w, 1);
        struct lease_ref lease = {.id = id, .attempt = world_dispatched(w, 2).attempt};
        message_put_leases(world_frame(w, 2), MESSAGE_STARTED, 7, &lease, 1, false);
        assert_int_equal(world_step(w, 0), STINT_OK);
        world_restart(w); /* nobody claims it */
        for (unsigned ms = 0; ms < DEFAULT_GRACE_MS + 1000; ms += 200)
            assert_int_equal(world_step(w, 200), STINT_OK);
    }
    struct stint_job_info info;
    assert_int_equal(world_state(w, id, &info), STINT_DEAD);
    /* Of the first run nobody knew that it had begun; the others had to be confirmed. */
    assert_int_equal(info.attempt, DEFAULT_MAX_ATTEMPTS + 1);
    assert_int_equal(info.failures, DEFAULT_MAX_ATTEMPTS);
    world_destroy(&w);
}

static void
promise_3_no_job_is_leased_twice_at_once(void **state)
{
    struct world *w = world_new(NULL);
    (void)state;
    world_with_client(w);
    world_with_worker(w, 1);
    (void)world_submit_one(w, 1, "a");
    assert_non_null(world_read(w, 2, MESSAGE_DISPATCH));
    world_hello_worker(w, 3, 3, 1);
    world_claim(w, 3, NULL, 0);
    assert_int_equal(world_step(w, 0), STINT_OK);
    assert_null(world_read(w, 3, MESSAGE_DISPATCH));
    world_destroy(&w);
}

static void
promise_4_a_resent_submit_gets_the_first_answer_and_makes_no_second_job(void **state)
{
    struct world *w = world_new(NULL);
    struct job_spec jobs[3] = {world_job("a"), world_job("b"), world_job("c")};
    struct stint_id first, again;
    uint32_t count;
    (void)state;
    jobs[1].priority = 7;
    world_with_client(w);
    world_submit(w, 1, 1, jobs, 3);
    assert_int_equal(world_step(w, 0), STINT_OK);
    assert_non_null(world_read(w, 1, MESSAGE_SUBMITTED));
    assert_int_equal(w->arrays->answers[0].count, 3);
    assert_true(message_next_run(&w->arrays->answers[0], &first, &count));
    world_restart(w); /* the answer was lost with the broker */
    world_with_client(w);
    assert_int_equal(w->message.welcome.submission, 1);
    world_submit(w, 1, 1, jobs, 3);
    assert_int_equal(world_step(w, 0), STINT_OK);
    assert_non_null(world_read(w, 1, MESSAGE_SUBMITTED));
    assert_int_equal(w->arrays->answers[0].status, STINT_OK);
    assert_int_equal(w->arrays->answers[0].count, 3);
    assert_true(message_next_run(&w->arrays->answers[0], &again, &count));
    assert_memory_equal(&first, &again, sizeof first);
    assert_true(message_next_run(&w->arrays->answers[0], &again, &count));
    assert_int_equal(id_priority(&again), 7);
    assert_int_equal(store_model_count(w->store, STORE_LIVE), 3);
    world_destroy(&w);
}

static void
promise_4_a_refusal_uses_no_number_and_leaves_nothing(void **state)
{
    struct core_options options;
    (void)state;
    core_options_init(&options);
    options.max.queues = 1;
    struct world *w = world_new(&options);
    struct job_spec two[2] = {world_job("a"), world_job("b")};
    two[1].queue = (struct slice){(const uint8_t *)"second", 6};
    world_with_client(w);
    world_submit(w, 1, 1, two, 2);
    assert_int_equal(world_step(w, 0), STINT_OK);
    assert_non_null(world_read(w, 1, MESSAGE_SUBMITTED));
    assert_int_equal(w->arrays->answers[0].status, STINT_TOO_MANY);
    assert_int_equal(store_model_count(w->store, STORE_SESSIONS), 0);
    assert_int_equal(store_model_count(w->store, STORE_ANSWERS), 0);
    world_submit(w, 1, 2, two, 1); /* it was on its way behind the refused one */
    assert_int_equal(world_step(w, 0), STINT_OK);
    assert_non_null(world_read(w, 1, MESSAGE_SUBMITTED));
    assert_int_equal(w->arrays->answers[0].status, STINT_OUT_OF_ORDER);
    assert_int_equal(w->arrays->answers[0].index, 1);
    w->options.max.queues = 2;
    world_restart(w);
    world_with_client(w);
    world_submit(w, 1, 1, two, 2);
    assert_int_equal(world_step(w, 0), STINT_OK);
    assert_non_null(world_read(w, 1, MESSAGE_SUBMITTED));
    assert_int_equal(w->arrays->answers[0].status, STINT_OK);
    assert_int_equal(store_model_count(w->store, STORE_LIVE), 2);
    world_destroy(&w);
}

static void
promise_4_a_number_is_not_used_for_other_jobs_and_none_is_skipped(void **state)
{
    struct world *w = world_new(NULL);
    struct job_spec job;
    (void)state;
    world_with_client(w);
    (void)world_submit_one(w, 1, "a");
    world_submit(w, 1, 1, one(&job, "other"), 1);
    world_submit(w, 1, 3, one(&job, "c"), 1);
    assert_int_equal(world_step(w, 0), STINT_OK);
    assert_non_null(world_read(w, 1, MESSAGE_SUBMITTED));
    assert_int_equal(w->arrays->answers[0].status, STINT_CONFLICT);
    assert_int_equal(w->arrays->answers[1].status, STINT_OUT_OF_ORDER);
    assert_int_equal(w->arrays->answers[1].index, 2);
    assert_int_equal(store_model_count(w->store, STORE_LIVE), 1);
    world_destroy(&w);
}

static void
promise_4_one_row_a_session_is_left_when_answers_are_confirmed(void **state)
{
    struct world *w = world_new(NULL);
    struct job_spec job;
    (void)state;
    world_with_client(w);
    for (uint64_t n = 1; n <= 20; n++) {
        message_put_submit(world_frame(w, 1), n, n - 1, one(&job, "a"), 1);
        assert_int_equal(world_step(w, 0), STINT_OK);
    }
    assert_int_equal(store_model_count(w->store, STORE_SESSIONS), 1);
    assert_int_equal(store_model_count(w->store, STORE_ANSWERS), 1);
    message_put_numbered(world_frame(w, 1), MESSAGE_BYE, 1);
    assert_int_equal(world_step(w, 0), STINT_OK);
    assert_non_null(world_read(w, 1, MESSAGE_BYE));
    assert_int_equal(store_model_count(w->store, STORE_SESSIONS), 0);
    assert_int_equal(store_model_count(w->store, STORE_ANSWERS), 0);
    world_destroy(&w);
}

static void
promise_5_a_settle_sent_twice_counts_once(void **state)
{
    struct world *w = world_new(NULL);
    struct stint_stats stats;
    (void)state;
    world_with_client(w);
    world_with_worker(w, 1);
    struct stint_id id = world_submit_one(w, 1, "a");
    world_settle(w, 2, 2, id, 1, OUTCOME_SUCCEEDED, "x");
    world_settle(w, 2, 2, id, 1, OUTCOME_SUCCEEDED, "x");
    assert_int_equal(world_step(w, 0), STINT_OK);
    assert_non_null(world_read(w, 2, MESSAGE_SETTLED));
    assert_int_equal(w->message.count, 2);
    assert_int_equal(w->arrays->answers[0].count, 0);
    assert_int_equal(w->arrays->answers[1].count, 0);
    core_stats(w->core, &stats);
    assert_int_equal(stats.succeeded, 1);
    world_destroy(&w);
}

/* Worker 2 falls silent until it is lost. */
static void
lose_worker_2(struct world *w)
{
    for (unsigned ms = 0; ms < DEFAULT_LOST_MS + 500; ms += 250) {
        message_put_ping(world_frame(w, 1), 1, 0, 0);
        assert_int_equal(world_step(w, 250), STINT_OK);
    }
}

static enum stint_status
exception_of_settle(struct world *w, uint32_t peer)
{
    uint32_t index;
    enum stint_status status;
    assert_non_null(world_read(w, peer, MESSAGE_SETTLED));
    if (w->arrays->answers[0].count == 0)
        return STINT_OK;
    assert_true(message_next_exception(&w->arrays->answers[0], &index, &status));
    return status;
}

static void
promise_5_a_late_settle_of_an_old_attempt_is_refused(void **state)
{
    struct world *w = world_new(NULL);
    (void)state;
    world_with_client(w);
    world_with_worker(w, 1);
    struct stint_id id = world_submit_one(w, 1, "a");
    lose_worker_2(w);
    world_hello_worker(w, 3, 3, 1);
    world_claim(w, 3, NULL, 0);
    assert_int_equal(world_step(w, 0), STINT_OK);
    assert_int_equal(world_dispatched(w, 3).attempt, 2);
    world_hello_worker(w, 4, 2, 0); /* the lost one is back, on another connection */
    struct lease_ref lease = {.id = id, .attempt = 1};
    world_claim(w, 4, &lease, 1);
    world_settle(w, 4, 2, id, 1, OUTCOME_SUCCEEDED, "late");
    assert_int_equal(world_step(w, 0), STINT_OK);
    assert_int_equal(exception_of_settle(w, 4), STINT_STALE);
    assert_int_equal(world_state(w, id, NULL), STINT_RUNNING);
    world_destroy(&w);
}

static void
promise_5_a_late_settle_counts_if_the_job_was_not_handed_out_again(void **state)
{
    struct world *w = world_new(NULL);
    (void)state;
    world_with_client(w);
    world_with_worker(w, 1);
    struct stint_id id = world_submit_one(w, 1, "a");
    lose_worker_2(w);
    assert_int_equal(world_state(w, id, NULL), STINT_READY);
    world_hello_worker(w, 4, 2, 0);
    world_settle(w, 4, 2, id, 1, OUTCOME_SUCCEEDED, "late");
    assert_int_equal(world_step(w, 0), STINT_OK);
    assert_int_equal(exception_of_settle(w, 4), STINT_OK);
    struct stint_job_info info;
    assert_int_equal(world_state(w, id, &info), STINT_SUCCEEDED);
    assert_int_equal(info.attempt, 1);
    world_destroy(&w);
}

static void
promise_6_a_silent_worker_loses_its_leases_and_its_jobs_go_back_to_their_place(void **state)
{
    struct world *w = world_new(NULL);
    (void)state;
    world_with_client(w);
    world_with_worker(w, 1);
    struct stint_id first = world_submit_one(w, 1, "first");
    struct stint_id second = world_submit_one(w, 2, "second");
    assert_int_equal(world_state(w, second, NULL), STINT_READY);
    lose_worker_2(w);
    world_hello_worker(w, 3, 3, 1);
    world_claim(w, 3, NULL, 0);
    assert_int_equal(world_step(w, 0), STINT_OK);
    struct dispatched_job job = world_dispatched(w, 3);
    assert_memory_equal(&job.id, &first, sizeof first);
    assert_int_equal(job.attempt, 2);
    world_destroy(&w);
}

static void
promise_6_what_a_worker_gives_back_unstarted_is_ready_at_once_and_costs_no_attempt(void **state)
{
    struct world *w = world_new(NULL);
    (void)state;
    world_with_client(w);
    world_with_worker(w, 1);
    struct stint_id id = world_submit_one(w, 1, "a");
    struct outcome o = {.id = id, .attempt = 1, .type = OUTCOME_RETURNED};
    message_put_settle(world_frame(w, 2), 2, &o, 1, 0);
    message_put_numbered(world_frame(w, 2), MESSAGE_BYE, 3);
    assert_int_equal(world_step(w, 0), STINT_OK);
    struct stint_job_info info;
    assert_int_equal(world_state(w, id, &info), STINT_READY);
    assert_int_equal(info.attempt, 1); /* the number is used up: it fences */
    assert_int_equal(info.failures, 0);
    world_destroy(&w);
}

static void
promise_6_a_paused_broker_does_not_condemn_its_workers(void **state)
{
    struct world *w = world_new(NULL);
    (void)state;
    world_with_client(w);
    world_with_worker(w, 1);
    struct stint_id id = world_submit_one(w, 1, "a");
    assert_int_equal(world_step(w, 60000), STINT_OK); /* we were stopped for a minute */
    assert_int_equal(world_state(w, id, NULL), STINT_RUNNING);
    message_put_ping(world_frame(w, 2), 5, 1, 0);
    assert_int_equal(world_step(w, 300), STINT_OK);
    assert_int_equal(world_state(w, id, NULL), STINT_RUNNING);
    world_destroy(&w);
}

static void
promise_7_a_claimed_job_is_not_run_again_after_a_restart(void **state)
{
    struct world *w = world_new(NULL);
    (void)state;
    world_with_client(w);
    world_with_worker(w, 1);
    struct stint_id id = world_submit_one(w, 1, "a");
    world_restart(w);
    struct lease_ref lease = {.id = id, .attempt = 1};
    world_hello_worker(w, 3, 3, 1); /* another one, which gets nothing */
    world_claim(w, 3, NULL, 0);
    world_hello_worker(w, 2, 2, 1);
    world_claim(w, 2, &lease, 1);
    assert_int_equal(world_step(w, 100), STINT_OK);
    assert_null(world_read(w, 3, MESSAGE_DISPATCH));
    assert_non_null(world_read(w, 2, MESSAGE_CLAIMED));
    assert_int_equal(w->message.count, 0);
    for (unsigned ms = 0; ms < DEFAULT_GRACE_MS + 1000; ms += 250) {
        message_put_ping(world_frame(w, 2), 1, 1, 0);
        message_put_ping(world_frame(w, 3), 1, 1, 0);
        assert_int_equal(world_step(w, 250), STINT_OK);
        assert_null(world_read(w, 3, MESSAGE_DISPATCH));
    }
    world_settle(w, 2, 2, id, 1, OUTCOME_SUCCEEDED, "");
    assert_int_equal(world_step(w, 0), STINT_OK);
    assert_int_equal(exception_of_settle(w, 2), STINT_OK);
    assert_int_equal(world_state(w, id, NULL), STINT_SUCCEEDED);
    world_destroy(&w);
}

static void
promise_7_what_nobody_claims_is_requeued_after_the_grace_time(void **state)
{
    struct world *w = world_new(NULL);
    (void)state;
    world_with_client(w);
    world_with_worker(w, 1);
    struct stint_id id = world_submit_one(w, 1, "a");
    world_restart(w);
    world_hello_worker(w, 3, 3, 1);
    world_claim(w, 3, NULL, 0);
    assert_int_equal(world_step(w, 0), STINT_OK);
    assert_int_equal(world_state(w, id, NULL), STINT_RUNNING);
    bool dispatched = false;
    for (unsigned ms = 0; ms < DEFAULT_GRACE_MS + 1000 && !dispatched; ms += 250) {
        message_put_ping(world_frame(w, 3), 1, 1, 0);
        assert_int_equal(world_step(w, 250), STINT_OK);
        dispatched = world_read(w, 3, MESSAGE_DISPATCH) != NULL;
    }
    assert_true(dispatched);
    assert_int_equal(w->arrays->dispatched[0].attempt, 2);
    world_destroy(&w);
}

static void
promise_7_a_claim_after_the_grace_time_counts_if_the_job_still_waits(void **state)
{
    struct world *w = world_new(NULL);
    (void)state;
    world_with_client(w);
    world_with_worker(w, 1);
    struct stint_id id = world_submit_one(w, 1, "a");
    world_restart(w);
    for (unsigned ms = 0; ms < DEFAULT_GRACE_MS + 1000; ms += 250)
        assert_int_equal(world_step(w, 250), STINT_OK);
    assert_int_equal(world_state(w, id, NULL), STINT_READY);
    struct lease_ref lease = {.id = id, .attempt = 1};
    world_hello_worker(w, 2, 2, 1);
    world_claim(w, 2, &lease, 1);
    assert_int_equal(world_step(w, 0), STINT_OK);
    assert_null(world_read(w, 2, MESSAGE_DISPATCH));
    struct stint_job_info info;
    assert_int_equal(world_state(w, id, &info), STINT_RUNNING);
    assert_int_equal(info.attempt, 1);
    world_destroy(&w);
}

static void
promise_7_a_dispatch_lost_on_its_way_is_taken_back_at_the_claim(void **state)
{
    struct world *w = world_new(NULL);
    (void)state;
    world_with_client(w);
    world_with_worker(w, 1);
    struct stint_id id = world_submit_one(w, 1, "a");
    world_hello_worker(w, 5, 2, 1); /* the connection broke under the DISPATCH */
    world_claim(w, 5, NULL, 0);
    assert_int_equal(world_step(w, 0), STINT_OK);
    struct dispatched_job again = world_dispatched(w, 5);
    assert_memory_equal(&again.id, &id, sizeof id);
    assert_int_equal(again.attempt, 2);
    struct stint_job_info info;
    (void)world_state(w, id, &info);
    assert_int_equal(info.failures, 0); /* what was never run costs no attempt */
    world_destroy(&w);
}

static void
promise_8_start_reads_nothing_of_the_backlog(void **state)
{
    struct world *w = world_new(NULL);
    struct job_spec jobs[1000];
    (void)state;
    world_with_client(w);
    for (size_t i = 0; i < 1000; i++)
        jobs[i] = world_job("a");
    world_submit(w, 1, 1, jobs, 1000);
    assert_int_equal(world_step(w, 0), STINT_OK);
    store_model_damage(w->store, STORE_LIVE); /* a start that read it would notice */
    assert_false(world_told(w, "damaged"));
    core_destroy(&w->core);
    const char *error;
    assert_int_equal(core_new(&w->options, w->store, w->now_ms, &w->core, &error), STINT_OK);
    assert_false(world_told(w, "damaged"));
    world_destroy(&w);
}

static void
promise_9_a_full_store_refuses_submits_while_settles_go_through(void **state)
{
    struct world *w = world_new(NULL);
    struct job_spec job;
    (void)state;
    world_with_client(w);
    world_with_worker(w, 1);
    struct stint_id id = world_submit_one(w, 1, "a");
    store_model_set_room(w->store, 10);
    world_submit(w, 1, 2, one(&job, "b"), 1);
    world_settle(w, 2, 2, id, 1, OUTCOME_SUCCEEDED, "x");
    assert_int_equal(world_step(w, 0), STINT_OK);
    assert_non_null(world_read(w, 1, MESSAGE_SUBMITTED));
    assert_int_equal(w->arrays->answers[0].status, STINT_STORE_FULL);
    assert_int_equal(exception_of_settle(w, 2), STINT_OK);
    store_model_set_room(w->store, UINT64_MAX);
    (void)world_submit_one(w, 2, "c");
    world_destroy(&w);
}

static void
promise_10_a_stranger_and_rubbish_get_a_status_and_leave_nothing(void **state)
{
    static const uint8_t bomb[] = {0xdd, 0xff, 0, 0, 0};
    struct world *w = world_new(NULL);
    struct job_spec job;
    (void)state;
    memcpy(pack_reserve(world_frame(w, 7), sizeof bomb), bomb, sizeof bomb);
    world_submit(w, 8, 1, one(&job, "a"), 1);
    assert_int_equal(world_step(w, 0), STINT_OK);
    assert_non_null(world_read(w, 7, MESSAGE_ERROR));
    assert_int_equal(w->message.error.status, STINT_BAD_MESSAGE);
    assert_non_null(world_read(w, 8, MESSAGE_ERROR));
    assert_int_equal(w->message.error.status, STINT_HELLO_FIRST);
    assert_int_equal(store_model_count(w->store, STORE_LIVE), 0);
    struct stint_stats stats;
    core_stats(w->core, &stats);
    assert_int_equal(stats.peers, 0);
    world_destroy(&w);
}

/* The router gives a forgotten connection's number to the next one, so a peer that is there must
 * never be forgotten: its number would stand for somebody else's session. */
static void
a_connection_that_says_hello_after_rubbish_is_not_forgotten(void **state)
{
    struct world *w = world_new(NULL);
    (void)state;
    memcpy(pack_reserve(world_frame(w, 1), 1), "x", 1);
    message_put_ping(world_frame(w, 1), 1, 0, 0);
    world_hello_client(w, 1, 1);
    assert_int_equal(world_step(w, 0), STINT_OK);
    assert_int_equal(world_count(w, 1, MESSAGE_ERROR), 2);
    assert_non_null(world_read(w, 1, MESSAGE_WELCOME));
    for (size_t i = 0; i < w->out.count; i++)
        assert_false(w->out.entries[i].forget);
    memcpy(pack_reserve(world_frame(w, 5), 1), "x", 1);
    assert_int_equal(world_step(w, 0), STINT_OK);
    assert_int_equal(w->out.count, 2);
    assert_true(w->out.entries[1].forget); /* but a stranger is, after its answer */
    world_destroy(&w);
}

static void
a_replayed_batch_log_gives_the_same_state(void **state)
{
    struct world *w = world_new(NULL);
    (void)state;
    world_with_client(w);
    world_with_worker(w, 2);
    struct stint_id id = {{0}};
    for (uint64_t n = 1; n <= 30; n++) {
        id = world_submit_one(w, n, "payload");
        if (world_read(w, 2, MESSAGE_DISPATCH) && n % 3)
            world_settle(w, 2, n, w->arrays->dispatched[0].id, w->arrays->dispatched[0].attempt,
                n % 2 ? OUTCOME_FAILED : OUTCOME_SUCCEEDED, "text");
        assert_int_equal(world_step(w, 700), STINT_OK);
        if (n == 15)
            world_restart(w);
        if (n == 16) {
            world_with_client(w);
            world_with_worker(w, 2);
        }
        if (n == 15)
            world_with_client(w);
    }
    (void)id;
    assert_true(world_replays(w));
    world_destroy(&w);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(promise_1_a_submit_is_answered_only_after_its_commit),
        cmocka_unit_test(promise_2_a_submitted_job_is_there_until_it_is_settled),
        cmocka_unit_test(promise_2_an_outcome_can_be_asked_for_until_its_retention_ends),
        cmocka_unit_test(promise_2_a_job_with_keep_0_is_forgotten_at_success_but_not_when_it_dies),
        cmocka_unit_test(promise_3_a_dispatch_is_on_disk_before_it_is_sent),
        cmocka_unit_test(promise_3_a_job_that_kills_its_broker_and_workers_dies_in_the_end),
        cmocka_unit_test(promise_3_no_job_is_leased_twice_at_once),
        cmocka_unit_test(promise_4_a_resent_submit_gets_the_first_answer_and_makes_no_second_job),
        cmocka_unit_test(promise_4_a_refusal_uses_no_number_and_leaves_nothing),
        cmocka_unit_test(promise_4_a_number_is_not_used_for_other_jobs_and_none_is_skipped),
        cmocka_unit_test(promise_4_one_row_a_session_is_left_when_answers_are_confirmed),
        cmocka_unit_test(promise_5_a_settle_sent_twice_counts_once),
        cmocka_unit_test(promise_5_a_late_settle_of_an_old_attempt_is_refused),
        cmocka_unit_test(promise_5_a_late_settle_counts_if_the_job_was_not_handed_out_again),
        cmocka_unit_test(
            promise_6_a_silent_worker_loses_its_leases_and_its_jobs_go_back_to_their_place),
        cmocka_unit_test(
            promise_6_what_a_worker_gives_back_unstarted_is_ready_at_once_and_costs_no_attempt),
        cmocka_unit_test(promise_6_a_paused_broker_does_not_condemn_its_workers),
        cmocka_unit_test(promise_7_a_claimed_job_is_not_run_again_after_a_restart),
        cmocka_unit_test(promise_7_what_nobody_claims_is_requeued_after_the_grace_time),
        cmocka_unit_test(promise_7_a_claim_after_the_grace_time_counts_if_the_job_still_waits),
        cmocka_unit_test(promise_7_a_dispatch_lost_on_its_way_is_taken_back_at_the_claim),
        cmocka_unit_test(promise_8_start_reads_nothing_of_the_backlog),
        cmocka_unit_test(promise_9_a_full_store_refuses_submits_while_settles_go_through),
        cmocka_unit_test(promise_10_a_stranger_and_rubbish_get_a_status_and_leave_nothing),
        cmocka_unit_test(a_connection_that_says_hello_after_rubbish_is_not_forgotten),
        cmocka_unit_test(a_replayed_batch_log_gives_the_same_state),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
