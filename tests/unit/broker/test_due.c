/* Jobs that are submitted for later: not handed out before they are due, and then like any other.
 */
#include "keyed.h"

#include <stdlib.h>

enum { CLIENT = 1, WORKER = 2, LARGE = 300000 };

static void
step(struct world *w, uint64_t ms)
{
    assert_int_equal(world_step(w, ms), STINT_OK);
}

static struct world *
world_with_both(void)
{
    struct world *w = world_new(NULL);
    world_with_client(w);
    world_with_worker(w, 4);
    world_claim(w, WORKER, NULL, 0);
    step(w, 0);
    return w;
}

/* The id of a job that was submitted so. */
static struct stint_id
submit(struct world *w, uint64_t number, struct job_spec job)
{
    world_submit(w, CLIENT, number, &job, 1);
    step(w, 0);
    assert_non_null(world_read(w, CLIENT, MESSAGE_SUBMITTED));
    assert_int_equal(w->arrays->answers[0].status, STINT_OK);
    return id_make(0, 1, DEFAULT_PRIORITY, number);
}

static struct job_spec
job_in(uint64_t delay_ms)
{
    struct job_spec job = world_job("payload");
    job.delay_ms = delay_ms;
    return job;
}

static struct job_spec
job_at(uint64_t due_ms)
{
    struct job_spec job = world_job("payload");
    job.due_ms = due_ms;
    return job;
}

static bool
is_handed_out(struct world *w)
{
    return world_count(w, WORKER, MESSAGE_DISPATCH) > 0;
}

static uint64_t
scheduled(struct world *w)
{
    struct stint_stats stats;
    core_stats(w->core, &stats);
    return stats.jobs[STINT_SCHEDULED];
}

static void
one_that_comes_for_later_waits_until_it_is_due(void **state)
{
    struct world *w = world_with_both();
    struct stint_job_info info;
    (void)state;
    struct stint_id id = submit(w, 1, job_in(5000));
    assert_false(is_handed_out(w));
    assert_int_equal(world_state(w, id, &info), STINT_SCHEDULED);
    assert_int_equal(info.due_ms, info.submitted_ms + 5000);
    assert_int_equal(info.attempt, 0);
    message_put_why(world_frame(w, CLIENT), 55, (struct slice){0}, &id, 1);
    step(w, 4999);
    assert_non_null(world_read(w, CLIENT, MESSAGE_REASONS));
    assert_true(message_next_reason(w->arrays));
    assert_int_equal(w->arrays->reason.why, STINT_WHY_DUE);
    assert_false(is_handed_out(w));
    assert_int_equal(scheduled(w), 1);
    step(w, 1);
    assert_true(is_handed_out(w));
    struct dispatched_job d = world_dispatched(w, WORKER);
    assert_memory_equal(&d.id, &id, sizeof id);
    assert_int_equal(d.attempt, 1);
    world_settle(w, WORKER, 9, id, 1, OUTCOME_SUCCEEDED, "done");
    step(w, 0);
    assert_int_equal(world_state(w, id, &info), STINT_SUCCEEDED);
    assert_true(world_replays(w));
    world_destroy(&w);
}

static void
it_waits_through_a_restart_with_a_payload_of_any_size(void **state)
{
    (void)state;
    for (unsigned large = 0; large < 2; large++) {
        struct world *w = world_with_both();
        struct job_spec job = job_in(60000);
        char *payload = malloc(LARGE);
        assert_non_null(payload);
        memset(payload, 'x', LARGE);
        if (large)
            job.payload = (struct slice){(const uint8_t *)payload, LARGE};
        (void)submit(w, 1, job);
        world_restart(w);
        world_with_client(w);
        world_with_worker(w, 1);
        world_claim(w, WORKER, NULL, 0);
        step(w, 59000);
        assert_false(is_handed_out(w));
        step(w, 1000);
        struct dispatched_job d = world_dispatched(w, WORKER);
        assert_int_equal(d.payload.size, job.payload.size);
        assert_memory_equal(d.payload.data, job.payload.data, job.payload.size);
        free(payload);
        world_destroy(&w);
    }
}

static void
one_that_is_due_already_is_ready_at_once(void **state)
{
    struct world *w = world_with_both();
    (void)state;
    (void)submit(w, 1, job_in(0));
    assert_true(is_handed_out(w));
    (void)submit(w, 2, job_at(1));
    assert_true(is_handed_out(w));
    (void)submit(w, 3, job_at(w->wall_ms));
    assert_true(is_handed_out(w));
    world_destroy(&w);
}

static void
a_time_is_the_brokers_also_when_its_wall_clock_was_set(void **state)
{
    struct world *w = world_with_both();
    struct stint_job_info info;
    (void)state;
    for (unsigned i = 0; i < 2; i++) {
        uint64_t due_ms = w->wall_ms + 3000;
        struct stint_id id = submit(w, i + 1, job_at(due_ms));
        assert_int_equal(world_state(w, id, &info), STINT_SCHEDULED);
        assert_int_equal(info.due_ms, due_ms);
        step(w, 2999);
        assert_false(is_handed_out(w));
        step(w, 1);
        assert_true(is_handed_out(w));
        w->wall_ms += 3600000; /* an hour that did not pass */
        step(w, 0);
    }
    world_destroy(&w);
}

static void
of_a_delay_and_a_time_the_later_counts(void **state)
{
    struct world *w = world_with_both();
    struct stint_job_info info;
    struct job_spec job = job_in(2000);
    (void)state;
    job.due_ms = w->wall_ms + 1000;
    (void)world_state(w, submit(w, 1, job), &info);
    assert_int_equal(info.due_ms, info.submitted_ms + 2000);
    job.due_ms = w->wall_ms + 9000;
    (void)world_state(w, submit(w, 2, job), &info);
    assert_int_equal(info.due_ms, job.due_ms);
    world_destroy(&w);
}

static void
it_counts_as_waiting_and_can_be_cancelled_or_run_now(void **state)
{
    struct world *w = world_with_both();
    struct change now = {.set = CHANGE_DELAY};
    (void)state;
    struct stint_id first = submit(w, 1, job_in(5000)), second = submit(w, 2, job_in(5000));
    assert_int_equal(scheduled(w), 2);
    message_put_ids(world_frame(w, CLIENT), MESSAGE_CANCEL, 5, &first, 1, 0);
    step(w, 0);
    assert_int_equal(world_state(w, first, NULL), STINT_CANCELLED_JOB);
    message_put_change(world_frame(w, CLIENT), 6, &second, 1, &now);
    step(w, 0);
    assert_true(is_handed_out(w));
    step(w, 10000);
    assert_false(is_handed_out(w)); /* and no second time */
    world_destroy(&w);
}

static void
a_submission_that_is_sent_again_is_not_put_off_again(void **state)
{
    struct world *w = world_with_both();
    struct job_spec jobs[] = {job_in(3000), job_in(0), job_in(3000)};
    (void)state;
    world_submit(w, CLIENT, 1, jobs, 3);
    step(w, 0);
    assert_int_equal(scheduled(w), 2);
    step(w, 2000);
    world_submit(w, CLIENT, 1, jobs, 3);
    step(w, 0);
    assert_non_null(world_read(w, CLIENT, MESSAGE_SUBMITTED));
    assert_int_equal(w->arrays->answers[0].status, STINT_OK);
    assert_int_equal(scheduled(w), 2);
    step(w, 1000);
    assert_int_equal(scheduled(w), 0);
    world_destroy(&w);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_that_comes_for_later_waits_until_it_is_due),
        cmocka_unit_test(it_waits_through_a_restart_with_a_payload_of_any_size),
        cmocka_unit_test(one_that_is_due_already_is_ready_at_once),
        cmocka_unit_test(a_time_is_the_brokers_also_when_its_wall_clock_was_set),
        cmocka_unit_test(of_a_delay_and_a_time_the_later_counts),
        cmocka_unit_test(it_counts_as_waiting_and_can_be_cancelled_or_run_now),
        cmocka_unit_test(a_submission_that_is_sent_again_is_not_put_off_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
