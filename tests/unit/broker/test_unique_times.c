/* Unique keys and time: for how long one is held after its job, and what waits for its time.
 */
#include "unique_world.h"

#include <stdio.h>
#include <stdlib.h>

static void
it_is_held_for_a_time_after_a_success_and_no_other_end(void **state)
{
    (void)state;
    for (unsigned restarts = 0; restarts < 2; restarts++) {
        struct world *w = world_of(1);
        struct job_spec job = keyed("k", "x");
        job.unique_for_ms = FOR_MS;
        job.keep_ms = 0;
        struct got a = submit(w, job);
        settle(w, a.id, 1, OUTCOME_SUCCEEDED);
        assert_int_equal(world_state(w, a.id, NULL), STINT_UNKNOWN);
        if (restarts) {
            world_restart(w);
            connect(w, 1);
        }
        struct got b = submit(w, job);
        assert_int_equal(b.met, STINT_MET_JOB);
        assert_same_job(a, b);
        step(w, FOR_MS - 2000);
        assert_int_equal(submit(w, job).met, STINT_MET_JOB);
        assert_true(core_idle_ms(w->core) <= 2000);
        step(w, 2000);
        assert_int_equal(keys_held(w), 0);
        assert_int_equal(store_model_count(w->store, STORE_UNIQUE_ENDS), 0);
        struct got c = submit(w, job);
        assert_int_equal(c.met, STINT_MET_NOTHING);
        settle(w, c.id, 1, OUTCOME_DEAD);
        assert_int_equal(submit(w, job).met, STINT_MET_NOTHING);
        world_destroy(&w);
    }
}

/* Who deletes what has succeeded wants it to be as if it had never been; that it is forgotten in
 * its time is another thing. */
static void
it_is_free_when_what_has_succeeded_is_deleted(void **state)
{
    struct world *w = world_of(1);
    struct job_spec job = keyed("k", "x");
    (void)state;
    job.unique_for_ms = 100 * FOR_MS;
    job.keep_ms = FOR_MS;
    struct got a = submit(w, job);
    settle(w, a.id, 1, OUTCOME_SUCCEEDED);
    assert_int_equal(submit(w, job).met, STINT_MET_JOB);
    ask(w, MESSAGE_DELETE, a.id, STINT_OK);
    assert_int_equal(keys_held(w), 0);
    assert_int_equal(store_model_count(w->store, STORE_UNIQUE_ENDS), 0);
    struct got b = submit(w, job);
    assert_int_equal(b.met, STINT_MET_NOTHING);
    settle(w, b.id, 1, OUTCOME_SUCCEEDED);
    step(w, 2 * FOR_MS);
    assert_int_equal(world_state(w, b.id, NULL), STINT_UNKNOWN);
    assert_int_equal(submit(w, job).met, STINT_MET_JOB);
    assert_true(world_replays(w));
    world_destroy(&w);
}

/* A key that is held for a time is not let go of before, though its queue is empty and nobody names
 * it; and then that goes as any other. */
static void
a_queue_stays_as_long_as_keys_of_it_are_held(void **state)
{
    struct world *w = world_of(1);
    struct job_spec job = keyed("k", "x");
    uint64_t keep_ms = w->options.queue_keep_ms;
    (void)state;
    job.unique_for_ms = 10 * keep_ms;
    job.keep_ms = 0;
    struct got a = submit(w, job);
    settle(w, a.id, 1, OUTCOME_SUCCEEDED);
    message_put_numbered(world_frame(w, WORKER), MESSAGE_BYE, 9);
    for (unsigned i = 0; i < 9; i++)
        step(w, keep_ms);
    struct got b = submit(w, job);
    assert_int_equal(b.met, STINT_MET_JOB);
    assert_same_job(a, b);
    assert_int_equal(store_model_count(w->store, STORE_QUEUES), 1);
    for (unsigned i = 0; i < 4; i++)
        step(w, keep_ms);
    assert_int_equal(store_model_count(w->store, STORE_QUEUES), 0);
    assert_int_equal(keys_held(w), 0);
    world_destroy(&w);
}

static void
very_many_that_end_at_once_are_swept_in_steps(void **state)
{
    enum { MANY = 4096, ROUNDS = 2 };
    struct world *w = world_of(0);
    struct job_spec *jobs = calloc(MANY, sizeof *jobs);
    struct got *got = calloc(MANY, sizeof *got);
    char(*keys)[16] = calloc(MANY, sizeof *keys);
    (void)state;
    assert_true(jobs && got && keys);
    for (unsigned round = 0; round < ROUNDS; round++) {
        for (unsigned i = 0; i < MANY; i++) {
            (void)snprintf(keys[i], sizeof keys[i], "%u.%u", round, i);
            jobs[i] = keyed(keys[i], "x");
            jobs[i].unique_for_ms = FOR_MS;
        }
        submit_all(w, jobs, MANY, got);
    }
    assert_int_equal(keys_held(w), ROUNDS * MANY);
    world_hello_worker(w, WORKER + 2, 9, 2 * MANY);
    step(w, 0);
    world_claim(w, WORKER + 2, NULL, 0);
    step(w, 0);
    for (unsigned i = 1; i <= ROUNDS * MANY; i++) {
        world_settle(
            w, WORKER + 2, i, id_make(0, 1, DEFAULT_PRIORITY, i), 1, OUTCOME_SUCCEEDED, "");
        if (i % 128 == 0)
            step(w, 0);
    }
    assert_int_equal(store_model_count(w->store, STORE_UNIQUE_ENDS), ROUNDS * MANY);
    step(w, FOR_MS);
    assert_true(keys_held(w) > 0);
    for (unsigned i = 0; i < 8 && keys_held(w) > 0; i++) {
        assert_int_equal(core_idle_ms(w->core), 0);
        step(w, 0);
    }
    assert_int_equal(keys_held(w), 0);
    free(keys);
    free(got);
    free(jobs);
    world_destroy(&w);
}

static void
it_is_put_off_each_time_or_comes_at_once(void **state)
{
    struct world *w = world_of(0);
    struct job_spec job = keyed("k", "x");
    (void)state;
    job.unique_flags = UNIQUE_MOVE;
    job.delay_ms = 10000;
    struct got a = submit(w, job);
    for (unsigned i = 0; i < 5; i++) {
        step(w, 6000);
        assert_int_equal(submit(w, job).met, STINT_MET_CHANGED);
        assert_int_equal(world_state(w, a.id, NULL), STINT_SCHEDULED);
    }
    step(w, 9999);
    assert_int_equal(world_state(w, a.id, NULL), STINT_SCHEDULED);
    assert_int_equal(store_model_count(w->store, STORE_DUE), 1);
    job.delay_ms = 0;
    assert_int_equal(submit(w, job).met, STINT_MET_CHANGED);
    assert_int_equal(world_state(w, a.id, NULL), STINT_READY);
    assert_int_equal(store_model_count(w->store, STORE_DUE), 0);
    world_destroy(&w);
}

/* One that may expire has the time of the last one that came; one that may not, keeps that. */
static void
it_is_put_off_and_does_not_expire_meanwhile(void **state)
{
    struct world *w = world_of(0);
    struct job_spec job = keyed("k", "x"), plain = keyed("p", "x");
    struct stint_job_info info;
    (void)state;
    job.unique_flags = UNIQUE_MOVE;
    job.delay_ms = 10000;
    job.expires_in_ms = 15000;
    struct got a = submit(w, job), b = submit(w, plain);
    for (unsigned i = 0; i < 5; i++) {
        step(w, 6000);
        assert_int_equal(submit(w, job).met, STINT_MET_CHANGED);
        assert_int_equal(store_model_count(w->store, STORE_DEADLINES), 1);
    }
    assert_int_equal(world_state(w, a.id, &info), STINT_SCHEDULED);
    assert_int_equal(info.expires_at_ms, w->wall_ms + 15000);
    plain.unique_flags = UNIQUE_MOVE;
    plain.expires_in_ms = 1;
    assert_int_equal(submit(w, plain).met, STINT_MET_CHANGED);
    step(w, 14999);
    assert_int_equal(world_state(w, a.id, NULL), STINT_READY);
    job.expires_in_ms = 0;
    assert_int_equal(submit(w, job).met, STINT_MET_CHANGED);
    assert_int_equal(store_model_count(w->store, STORE_DEADLINES), 0);
    step(w, 60000);
    assert_int_equal(world_state(w, a.id, NULL), STINT_READY);
    assert_int_equal(world_state(w, b.id, NULL), STINT_READY);
    assert_true(world_replays(w));
    world_destroy(&w);
}

/* One whose time to begin is over holds nothing, even if the clock has not come to it yet. */
static void
one_that_is_over_is_not_met(void **state)
{
    enum { SOON = 5000, MANY = 3000 };
    struct world *w = world_of(0);
    struct job_spec first = keyed("k", "x"), other = world_job("x");
    (void)state;
    first.expires_in_ms = SOON;
    other.expires_in_ms = SOON - 1;
    other.queue = text("other");
    struct got a = submit(w, first);
    for (unsigned i = 0; i < MANY / 1000; i++)
        world_submit_many(w, CLIENT, ++numbers[CLIENT], &other, 1000);
    step(w, 0);
    struct job_spec next = keyed("k", "y");
    world_submit(w, CLIENT, ++numbers[CLIENT], &next, 1);
    step(w, SOON);
    struct got b = submit(w, keyed("k", "z"));
    assert_int_equal(b.met, STINT_MET_JOB);
    assert_memory_not_equal(&a.id, &b.id, sizeof a.id);
    step(w, 0);
    assert_int_equal(world_state(w, a.id, NULL), STINT_EXPIRED);
    assert_int_equal(world_state(w, b.id, NULL), STINT_READY);
    assert_same_job(submit(w, keyed("k", "z")), b);
    world_destroy(&w);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        FOR(it_is_held_for_a_time_after_a_success_and_no_other_end),
        FOR(it_is_free_when_what_has_succeeded_is_deleted),
        FOR(a_queue_stays_as_long_as_keys_of_it_are_held),
        FOR(very_many_that_end_at_once_are_swept_in_steps),
        FOR(it_is_put_off_each_time_or_comes_at_once),
        FOR(it_is_put_off_and_does_not_expire_meanwhile),
        FOR(one_that_is_over_is_not_met),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
