/* The time that all runs of a job may take together: each is given what is left of it, and when
 * nothing is left the job is dead.
 */
#include "keyed.h"

#include <stdlib.h>

enum { CLIENT = 1, WORKER = 2, SECOND = 3, TOTAL_MS = 10000 };

static void
step(struct world *w, uint64_t ms)
{
    assert_int_equal(world_step(w, ms), STINT_OK);
}

static void
greet(struct world *w, uint32_t peer)
{
    world_hello_worker(w, peer, (uint8_t)peer, 1);
    step(w, 0);
    world_claim(w, peer, NULL, 0);
    step(w, 0);
}

static struct stint_id
submit(struct world *w, uint64_t total_ms, uint64_t time_to_run_ms)
{
    struct job_spec job = world_job("x");
    job.total_ms = total_ms;
    if (time_to_run_ms)
        job.time_to_run_ms = time_to_run_ms;
    job.max_attempts = 50;
    job.backoff_base_ms = job.backoff_cap_ms = 1;
    world_submit(w, CLIENT, 1, &job, 1);
    step(w, 0);
    return id_make(0, 1, DEFAULT_PRIORITY, 1);
}

static struct world *
world_with(uint64_t total_ms, uint64_t time_to_run_ms, struct stint_id *id)
{
    struct world *w = world_new(NULL);
    world_with_client(w);
    *id = submit(w, total_ms, time_to_run_ms);
    greet(w, WORKER);
    return w;
}

static void
start(struct world *w, uint32_t peer, struct stint_id id, uint32_t attempt)
{
    const struct lease_ref ref = {.id = id, .attempt = attempt, .begun = true};
    message_put_leases(world_frame(w, peer), MESSAGE_STARTED, 0, &ref, 1, false);
    step(w, 0);
}

static void
pass(struct world *w, uint32_t peer, uint64_t ms)
{
    for (; ms > 0; ms -= ms < 500 ? ms : 500) {
        message_put_ping(world_frame(w, peer), 1, WINDOW_UNCHANGED, 0);
        message_put_ping(world_frame(w, CLIENT), 1, WINDOW_UNCHANGED, 0);
        step(w, ms < 500 ? ms : 500);
    }
}

static void
end(struct world *w, uint32_t peer, struct stint_id id, uint32_t attempt, enum outcome_type type)
{
    world_settle(w, peer, 100 + attempt, id, attempt, type, "broken");
    step(w, 0);
}

/* A run of so long, as its worker tells of it. */
static void
run(struct world *w, struct stint_id id, uint32_t attempt, uint64_t ms, enum outcome_type type)
{
    start(w, WORKER, id, attempt);
    pass(w, WORKER, ms);
    end(w, WORKER, id, attempt, type);
}

static struct stint_job_info
info_of(struct world *w, struct stint_id id)
{
    struct stint_job_info info;
    (void)world_state(w, id, &info);
    return info;
}

/* After a failure: the backoff is over, and it is handed out again. */
static uint64_t
next_limit(struct world *w, uint32_t peer)
{
    step(w, 2);
    return world_dispatched(w, peer).time_to_run_ms;
}

static void
each_run_is_given_what_is_left_and_then_the_job_is_dead(void **state)
{
    struct stint_id id;
    struct world *w = world_with(TOTAL_MS, 0, &id);
    (void)state;
    assert_int_equal(world_dispatched(w, WORKER).time_to_run_ms, TOTAL_MS);
    run(w, id, 1, 4000, OUTCOME_FAILED);
    assert_int_equal(info_of(w, id).spent_ms, 4000);
    assert_int_equal(info_of(w, id).total_ms, TOTAL_MS);
    assert_int_equal(next_limit(w, WORKER), 6000);
    run(w, id, 2, 5000, OUTCOME_FAILED);
    assert_int_equal(next_limit(w, WORKER), 1000);
    run(w, id, 3, 1000, OUTCOME_FAILED);
    struct stint_job_info info = info_of(w, id);
    assert_int_equal(info.state, STINT_DEAD);
    assert_int_equal(info.failures, 3);
    assert_int_equal(info.spent_ms, TOTAL_MS);
    assert_string_equal(
        info.error, "broken\nthe time of all its runs is used up, and it is not tried again");
    assert_true(world_replays(w));
    world_destroy(&w);
}

static void
the_smaller_of_two_limits_is_given(void **state)
{
    struct stint_id id;
    struct world *w = world_with(TOTAL_MS, 6000, &id);
    (void)state;
    assert_int_equal(world_dispatched(w, WORKER).time_to_run_ms, 6000);
    run(w, id, 1, 5000, OUTCOME_FAILED);
    assert_int_equal(next_limit(w, WORKER), 5000);
    world_destroy(&w);
}

static void
the_queues_time_limit_is_one_of_them(void **state)
{
    struct world *w = world_new(NULL);
    struct stint_queue_tuning tuning = STINT_QUEUE_TUNING_INIT;
    (void)state;
    tuning.time_to_run_ms = 3000;
    world_with_client(w);
    message_put_tune_queue(world_frame(w, CLIENT), 7, text("default"), &tuning);
    struct stint_id id = submit(w, TOTAL_MS, 0);
    greet(w, WORKER);
    assert_int_equal(world_dispatched(w, WORKER).time_to_run_ms, 3000);
    run(w, id, 1, 8000, OUTCOME_FAILED);
    assert_int_equal(next_limit(w, WORKER), 2000);
    world_destroy(&w);
}

/* A worker tells late that a run has ended which was over when all was. */
static void
what_is_left_by_measuring_is_nothing(void **state)
{
    (void)state;
    for (unsigned little = 0; little < 2; little++) {
        struct stint_id id;
        struct world *w = world_with(TOTAL_MS, 0, &id);
        run(w, id, 1, little ? TOTAL_MS - 99 : TOTAL_MS - 101, OUTCOME_FAILED);
        assert_int_equal(info_of(w, id).state, little ? STINT_DEAD : STINT_SCHEDULED);
        world_destroy(&w);
    }
    for (unsigned little = 0; little < 2; little++) { /* of a short one it is in proportion */
        struct stint_id id;
        struct world *w = world_with(160, 0, &id);
        run(w, id, 1, little ? 151 : 149, OUTCOME_FAILED);
        assert_int_equal(info_of(w, id).state, little ? STINT_DEAD : STINT_SCHEDULED);
        world_destroy(&w);
    }
}

/* It is told of when it has gone on for a moment, and of one that waits in its worker nothing
 * counts. */
static void
a_run_of_which_nothing_was_told_counts_a_moment(void **state)
{
    struct stint_id id;
    struct world *w = world_with(TOTAL_MS, 0, &id);
    (void)state;
    pass(w, WORKER, 5000);
    end(w, WORKER, id, 1, OUTCOME_FAILED);
    assert_int_equal(info_of(w, id).spent_ms, 50);
    assert_int_equal(next_limit(w, WORKER), TOTAL_MS - 50);
    pass(w, WORKER, 5000);
    end(w, WORKER, id, 2, OUTCOME_RETURNED);
    assert_int_equal(info_of(w, id).spent_ms, 50);
    world_destroy(&w);
}

static void
one_that_is_put_off_or_given_back_when_nothing_is_left_is_dead(void **state)
{
    static const enum outcome_type types[] = {OUTCOME_SNOOZED, OUTCOME_RETURNED, OUTCOME_UNABLE};
    (void)state;
    for (unsigned i = 0; i < 3; i++) {
        struct stint_id id;
        struct world *w = world_with(TOTAL_MS, 0, &id);
        run(w, id, 1, 4000, types[i]);
        if (types[i] != OUTCOME_UNABLE)
            assert_int_equal(info_of(w, id).spent_ms, 4000);
        world_destroy(&w);
        w = world_with(TOTAL_MS, 0, &id);
        run(w, id, 1, TOTAL_MS, types[i]);
        struct stint_job_info info = info_of(w, id);
        assert_int_equal(info.state, STINT_DEAD);
        assert_non_null(strstr(info.error, "the time of all its runs is used up"));
        world_destroy(&w);
    }
}

static void
one_that_succeeds_at_last_has_succeeded(void **state)
{
    struct stint_id id;
    struct world *w = world_with(TOTAL_MS, 0, &id);
    (void)state;
    run(w, id, 1, TOTAL_MS + 1000, OUTCOME_SUCCEEDED);
    assert_int_equal(info_of(w, id).state, STINT_SUCCEEDED);
    assert_int_equal(info_of(w, id).spent_ms, TOTAL_MS + 1000);
    world_destroy(&w);
}

/* ---- lost ---- */

static uint64_t
lose(struct world *w, struct stint_id id)
{
    uint64_t begun_ms = w->now_ms;
    for (unsigned n = 0; n < 200 && world_state(w, id, NULL) == STINT_RUNNING; n++)
        step(w, 250);
    return w->now_ms - begun_ms;
}

static void
a_lost_run_counts_until_it_is_given_up(void **state)
{
    struct stint_id id;
    struct world *w = world_with(100000, 0, &id);
    (void)state;
    start(w, WORKER, id, 1);
    pass(w, WORKER, 2000);
    uint64_t silent_ms = lose(w, id), spent_ms = info_of(w, id).spent_ms;
    assert_in_range(spent_ms, 2000 + silent_ms - 250, 2000 + silent_ms);
    greet(w, SECOND);
    assert_int_equal(world_dispatched(w, SECOND).time_to_run_ms, 100000 - spent_ms);
    world_destroy(&w);
}

static void
a_lost_run_counts_no_more_than_it_might_take(void **state)
{
    struct stint_id id;
    struct world *w = world_with(100000, 1500, &id);
    (void)state;
    start(w, WORKER, id, 1);
    (void)lose(w, id);
    assert_int_equal(info_of(w, id).spent_ms, 1500);
    world_destroy(&w);
}

static void
one_whose_worker_is_lost_when_nothing_is_left_is_dead(void **state)
{
    struct stint_id id;
    struct world *w = world_with(TOTAL_MS, 0, &id);
    (void)state;
    start(w, WORKER, id, 1);
    pass(w, WORKER, TOTAL_MS - 500);
    (void)lose(w, id);
    struct stint_job_info info = info_of(w, id);
    assert_int_equal(info.state, STINT_DEAD);
    assert_string_equal(info.error,
        "the worker was lost\nthe time of all its runs is used up, and it is not tried again");
    world_destroy(&w);
}

/* It goes on, or has ended meanwhile: it counts once, from its beginning. */
static void
one_that_was_not_lost_counts_once(void **state)
{
    (void)state;
    for (unsigned claims = 0; claims < 2; claims++) {
        struct stint_id id;
        struct world *w = world_with(100000, 0, &id);
        const struct lease_ref ref = {.id = id, .attempt = 1, .begun = true};
        uint64_t begun_ms = w->now_ms;
        start(w, WORKER, id, 1);
        (void)lose(w, id);
        assert_int_equal(world_state(w, id, NULL), STINT_READY);
        world_hello_worker(w, WORKER, WORKER, 1);
        step(w, 3000);
        if (claims) {
            world_claim(w, WORKER, &ref, 1);
            step(w, 0);
            pass(w, WORKER, 4000);
        }
        end(w, WORKER, id, 1, OUTCOME_FAILED);
        assert_in_range(info_of(w, id).spent_ms, w->now_ms - begun_ms, w->now_ms - begun_ms + 50);
        world_destroy(&w);
    }
}

static void
what_has_run_is_known_after_a_restart(void **state)
{
    struct stint_id id;
    struct world *w = world_with(TOTAL_MS, 0, &id);
    const struct lease_ref ref = {.id = id, .attempt = 2, .begun = true};
    (void)state;
    run(w, id, 1, 3000, OUTCOME_FAILED);
    assert_int_equal(next_limit(w, WORKER), 7000);
    start(w, WORKER, id, 2);
    pass(w, WORKER, 2000);
    world_restart(w);
    world_with_client(w);
    world_hello_worker(w, WORKER, WORKER, 1);
    step(w, 0);
    world_claim(w, WORKER, &ref, 1);
    step(w, 0);
    pass(w, WORKER, 1000);
    end(w, WORKER, id, 2, OUTCOME_FAILED);
    assert_in_range(info_of(w, id).spent_ms, 6000, 6050);
    world_destroy(&w);
}

/* Its worker does not end it at the limit: the broker does, and then all is used up. */
static void
a_run_that_is_taken_back_counts(void **state)
{
    struct stint_id id;
    struct world *w = world_with(2000, 0, &id);
    (void)state;
    start(w, WORKER, id, 1);
    for (unsigned n = 0; n < 100 && world_state(w, id, NULL) == STINT_RUNNING; n++)
        pass(w, WORKER, 500);
    struct stint_job_info info = info_of(w, id);
    assert_int_equal(info.state, STINT_DEAD);
    assert_true(info.spent_ms > 2000);
    assert_non_null(strstr(info.error, "its worker did not end it\nthe time of all its runs"));
    world_destroy(&w);
}

/* ---- what people do ---- */

static void
one_that_is_retried_has_all_its_time_anew(void **state)
{
    struct stint_id id;
    struct world *w = world_with(TOTAL_MS, 0, &id);
    (void)state;
    run(w, id, 1, TOTAL_MS, OUTCOME_FAILED);
    assert_int_equal(world_state(w, id, NULL), STINT_DEAD);
    message_put_ids(world_frame(w, CLIENT), MESSAGE_RETRY, 10, &id, 1, 0);
    step(w, 0);
    assert_int_equal(world_dispatched(w, WORKER).time_to_run_ms, TOTAL_MS);
    assert_int_equal(info_of(w, id).spent_ms, 0);
    world_destroy(&w);
}

static void
one_that_is_cancelled_tells_what_it_has_used(void **state)
{
    struct stint_id id;
    struct world *w = world_with(TOTAL_MS, 0, &id);
    (void)state;
    start(w, WORKER, id, 1);
    pass(w, WORKER, 3000);
    message_put_ids(world_frame(w, CLIENT), MESSAGE_CANCEL, 10, &id, 1, 0);
    step(w, 0);
    assert_int_equal(info_of(w, id).state, STINT_CANCELLED_JOB);
    assert_int_equal(info_of(w, id).spent_ms, 3000);
    world_destroy(&w);
}

static void
change_total(struct world *w, struct stint_id id, uint64_t total_ms)
{
    const struct change to = {.set = CHANGE_TOTAL, .to = {.total_ms = total_ms}};
    message_put_change(world_frame(w, CLIENT), 9, &id, 1, &to);
    step(w, 0);
    assert_non_null(world_read(w, CLIENT, MESSAGE_ANSWERS));
    assert_int_equal(w->arrays->statuses[0], STINT_OK);
}

static void
the_time_of_all_runs_is_changed(void **state)
{
    struct stint_id id;
    struct world *w = world_with(TOTAL_MS, 0, &id);
    (void)state;
    run(w, id, 1, 4000, OUTCOME_FAILED);
    change_total(w, id, 50000);
    assert_int_equal(next_limit(w, WORKER), 46000);
    end(w, WORKER, id, 2, OUTCOME_FAILED);
    change_total(w, id, 1000); /* less than it has used: one run more, of no time */
    assert_int_equal(next_limit(w, WORKER), 1);
    end(w, WORKER, id, 3, OUTCOME_FAILED);
    assert_int_equal(world_state(w, id, NULL), STINT_DEAD);
    world_destroy(&w);
}

/* A job that has no such limit has nothing that counts. */
static void
without_a_limit_nothing_counts(void **state)
{
    struct stint_id id;
    struct world *w = world_with(0, 6000, &id);
    (void)state;
    run(w, id, 1, 5000, OUTCOME_FAILED);
    assert_int_equal(info_of(w, id).spent_ms, 0);
    assert_int_equal(next_limit(w, WORKER), 6000);
    world_destroy(&w);
}

/* The reason is told though the error fills all there is. */
static void
the_reason_is_told_behind_a_long_error(void **state)
{
    static char error[2 * LIMIT_ERROR_BYTES];
    struct stint_id id;
    struct world *w = world_with(TOTAL_MS, 0, &id);
    (void)state;
    memset(error, 'e', sizeof error - 1);
    memset(error, 'b', 400);
    start(w, WORKER, id, 1);
    pass(w, WORKER, TOTAL_MS);
    world_settle(w, WORKER, 5, id, 1, OUTCOME_FAILED, error);
    step(w, 0);
    struct stint_job_info info = info_of(w, id);
    assert_int_equal(info.state, STINT_DEAD);
    assert_int_equal(strlen(info.error), LIMIT_ERROR_BYTES);
    assert_string_equal(strchr(info.error, '\n'),
        "\nthe time of all its runs is used up, and it is not tried again");
    world_destroy(&w);
}

#define FOR(test) cmocka_unit_test(test)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        FOR(each_run_is_given_what_is_left_and_then_the_job_is_dead),
        FOR(the_smaller_of_two_limits_is_given),
        FOR(the_queues_time_limit_is_one_of_them),
        FOR(what_is_left_by_measuring_is_nothing),
        FOR(a_run_of_which_nothing_was_told_counts_a_moment),
        FOR(one_that_is_put_off_or_given_back_when_nothing_is_left_is_dead),
        FOR(one_that_succeeds_at_last_has_succeeded),
        FOR(a_lost_run_counts_until_it_is_given_up),
        FOR(a_lost_run_counts_no_more_than_it_might_take),
        FOR(one_whose_worker_is_lost_when_nothing_is_left_is_dead),
        FOR(one_that_was_not_lost_counts_once),
        FOR(what_has_run_is_known_after_a_restart),
        FOR(a_run_that_is_taken_back_counts),
        FOR(one_that_is_retried_has_all_its_time_anew),
        FOR(one_that_is_cancelled_tells_what_it_has_used),
        FOR(the_time_of_all_runs_is_changed),
        FOR(without_a_limit_nothing_counts),
        FOR(the_reason_is_told_behind_a_long_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
