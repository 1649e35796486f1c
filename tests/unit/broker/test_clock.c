/* A wall clock that is set is not the passing of time: what is due, and what is kept, goes by the
 * time that passed. */
#include "world.h"

static const uint64_t YEARS = 10ULL * 365 * 86400 * 1000, DAY = 86400000, MINUTE = 60000;

static struct world *
world_with_a_failed_job(struct stint_id *id)
{
    struct world *w = world_new(NULL);
    struct job_spec job = world_job("a");
    job.backoff_base_ms = job.backoff_cap_ms = MINUTE;
    world_with_client(w);
    world_with_worker(w, 1);
    world_submit(w, 1, 1, &job, 1);
    assert_int_equal(world_step(w, 0), STINT_OK);
    *id = world_dispatched(w, 2).id;
    message_put_ping(world_frame(w, 2), 1, 0, 0);
    world_settle(w, 2, 1, *id, 1, OUTCOME_FAILED, "no");
    assert_int_equal(world_step(w, 0), STINT_OK);
    assert_int_equal(world_state(w, *id, NULL), STINT_SCHEDULED);
    return w;
}

/* It is ready after a minute, of which so much has passed, and not before 30 s of it. */
static void
wait_until_ready(struct world *w, struct stint_id id, uint64_t passed_ms)
{
    while (world_state(w, id, NULL) != STINT_READY) {
        assert_true(passed_ms <= MINUTE + 2000);
        assert_int_equal(world_step(w, 1000), STINT_OK);
        passed_ms += 1000;
    }
    assert_true(passed_ms >= MINUTE / 2);
}

static void
a_clock_that_is_set_forward_makes_nothing_due(void **state)
{
    struct stint_id id;
    struct world *w = world_with_a_failed_job(&id);
    (void)state;
    w->wall_ms += DAY;
    assert_int_equal(world_step(w, 100), STINT_OK);
    assert_true(world_told(w, "was set forward"));
    assert_int_equal(world_state(w, id, NULL), STINT_SCHEDULED);
    wait_until_ready(w, id, 100);
    world_destroy(&w);
}

static void
ten_years_forward_set_right_and_restarted_a_retry_is_due_in_its_minute(void **state)
{
    (void)state;
    for (unsigned down = 0; down < 3; down++) {
        struct stint_id id;
        struct world *w = world_with_a_failed_job(&id);
        w->wall_ms += YEARS;
        assert_int_equal(world_step(w, 100), STINT_OK);
        if (down == 2)
            world_restart(w); /* while it is wrong */
        if (down)
            assert_int_equal(world_step(w, 0), STINT_OK);
        if (down == 0) { /* set right while it runs */
            w->wall_ms -= YEARS;
            assert_int_equal(world_step(w, 100), STINT_OK);
            assert_true(world_told(w, "was set back"));
            world_restart(w);
        } else { /* set right while it is down */
            world_restart(w);
            w->wall_ms -= YEARS;
        }
        assert_int_equal(world_step(w, 0), STINT_OK);
        wait_until_ready(w, id, 200);
        world_destroy(&w);
    }
}

static void
failed_ten_years_ahead_it_is_due_in_its_minute_also_after_that(void **state)
{
    struct world *w = world_new(NULL);
    struct job_spec job = world_job("a");
    (void)state;
    job.backoff_base_ms = job.backoff_cap_ms = MINUTE;
    world_with_client(w);
    w->wall_ms += YEARS;
    assert_int_equal(world_step(w, 100), STINT_OK);
    world_with_worker(w, 1);
    world_submit(w, 1, 1, &job, 1);
    assert_int_equal(world_step(w, 0), STINT_OK);
    struct stint_id id = world_dispatched(w, 2).id;
    message_put_ping(world_frame(w, 2), 1, 0, 0);
    world_settle(w, 2, 1, id, 1, OUTCOME_FAILED, "no");
    assert_int_equal(world_step(w, 0), STINT_OK);
    w->wall_ms -= YEARS;
    world_restart(w);
    assert_int_equal(world_step(w, 0), STINT_OK);
    wait_until_ready(w, id, 0);
    world_destroy(&w);
}

static struct stint_id
succeed(struct world *w)
{
    world_with_client(w);
    world_with_worker(w, 1);
    struct stint_id id = world_submit_one(w, 1, "a");
    world_settle(w, 2, 1, id, 1, OUTCOME_SUCCEEDED, "yes");
    assert_int_equal(world_step(w, 0), STINT_OK);
    return id;
}

static void
outcomes_are_kept_for_their_time_whatever_the_clock_is_set_to(void **state)
{
    struct world *w = world_new(NULL);
    (void)state;
    struct stint_id id = succeed(w);
    w->wall_ms += YEARS;
    assert_int_equal(world_step(w, 1000), STINT_OK);
    assert_int_equal(world_state(w, id, NULL), STINT_SUCCEEDED);
    world_restart(w);
    assert_int_equal(world_step(w, 1000), STINT_OK);
    assert_int_equal(world_state(w, id, NULL), STINT_SUCCEEDED);
    w->wall_ms -= YEARS;
    for (unsigned hour = 0; hour < 23; hour++)
        assert_int_equal(world_step(w, 3600000), STINT_OK);
    assert_int_equal(world_state(w, id, NULL), STINT_SUCCEEDED);
    assert_int_equal(world_step(w, 2 * 3600000), STINT_OK);
    assert_int_equal(world_state(w, id, NULL), STINT_UNKNOWN);
    world_destroy(&w);
}

static void
while_it_is_down_at_most_a_week_passes(void **state)
{
    struct core_options options;
    (void)state;
    core_options_init(&options);
    options.keep_ms = 30 * DAY;
    struct world *w = world_new(&options);
    struct stint_id id = succeed(w);
    w->wall_ms += YEARS; /* when it starts, its clock has not been set yet */
    world_restart(w);
    assert_int_equal(world_step(w, 0), STINT_OK);
    assert_true(world_told(w, "was set forward"));
    assert_int_equal(world_state(w, id, NULL), STINT_SUCCEEDED);
    w->wall_ms -= YEARS;
    assert_int_equal(world_step(w, 22 * DAY), STINT_OK);
    assert_int_equal(world_state(w, id, NULL), STINT_SUCCEEDED);
    assert_int_equal(world_step(w, 2 * DAY), STINT_OK);
    assert_int_equal(world_state(w, id, NULL), STINT_UNKNOWN);
    world_destroy(&w);
}

static void
time_passes_while_the_broker_is_down(void **state)
{
    struct stint_id id;
    struct world *w = world_with_a_failed_job(&id);
    (void)state;
    w->now_ms += 2 * MINUTE;
    w->wall_ms += 2 * MINUTE;
    world_restart(w);
    assert_int_equal(world_step(w, 0), STINT_OK);
    assert_int_equal(world_state(w, id, NULL), STINT_READY);
    world_destroy(&w);
}

static void
people_are_told_times_as_the_clock_has_them_now(void **state)
{
    struct world *w = world_new(NULL);
    struct stint_job_info info;
    (void)state;
    struct stint_id id = succeed(w);
    assert_int_equal(world_state(w, id, &info), STINT_SUCCEEDED);
    assert_int_equal(info.settled_ms, w->wall_ms);
    w->wall_ms += YEARS;
    assert_int_equal(world_step(w, MINUTE), STINT_OK);
    assert_int_equal(world_state(w, id, &info), STINT_SUCCEEDED);
    assert_int_equal(info.settled_ms, w->wall_ms - MINUTE);
    assert_int_equal(info.submitted_ms, w->wall_ms - MINUTE);
    w->wall_ms -= YEARS;
    assert_int_equal(world_step(w, MINUTE), STINT_OK);
    assert_int_equal(world_state(w, id, &info), STINT_SUCCEEDED);
    assert_int_equal(info.settled_ms, w->wall_ms - 2 * MINUTE);
    world_destroy(&w);
}

static void
a_clock_that_drifts_is_followed(void **state)
{
    struct world *w = world_new(NULL);
    struct stint_job_info info;
    (void)state;
    world_with_client(w);
    for (unsigned i = 0; i < 1000; i++) {
        w->wall_ms += i % 2 ? 30 : 0; /* drawn forward by 15 s in all */
        assert_int_equal(world_step(w, 100), STINT_OK);
        assert_false(world_told(w, "was set"));
    }
    world_with_client(w);
    struct stint_id id = world_submit_one(w, 1, "a");
    assert_int_equal(world_state(w, id, &info), STINT_READY);
    assert_int_equal(info.submitted_ms, w->wall_ms);
    world_destroy(&w);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_clock_that_is_set_forward_makes_nothing_due),
        cmocka_unit_test(ten_years_forward_set_right_and_restarted_a_retry_is_due_in_its_minute),
        cmocka_unit_test(failed_ten_years_ahead_it_is_due_in_its_minute_also_after_that),
        cmocka_unit_test(outcomes_are_kept_for_their_time_whatever_the_clock_is_set_to),
        cmocka_unit_test(while_it_is_down_at_most_a_week_passes),
        cmocka_unit_test(time_passes_while_the_broker_is_down),
        cmocka_unit_test(people_are_told_times_as_the_clock_has_them_now),
        cmocka_unit_test(a_clock_that_drifts_is_followed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
