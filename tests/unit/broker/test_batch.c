/* Batches: what is counted of their jobs, when they are over, and which jobs they make then. */
#include "batched.h"

enum { B = 77 };

static void
a_batch_is_over_when_it_is_closed_and_its_jobs_have_ended(void **state)
{
    struct world *w = batch_world(4);
    (void)state;
    make_batch(w, B);
    struct stint_id a = add_job(w, B), b = add_job(w, B);
    settle(w, a, 1, OUTCOME_SUCCEEDED);
    settle(w, b, 1, OUTCOME_SUCCEEDED);
    struct stint_batch_info info = batch_now(w, B);
    assert_int_equal(info.state, STINT_BATCH_OPEN); /* it may still grow */
    assert_true(is_none(&info.always_id));
    assert_true(act(w, BATCH_CLOSE, B));
    assert_int_equal(w->arrays->items.batch.state, STINT_BATCH_SETTLED);
    info = batch_now(w, B);
    assert_false(is_none(&info.success_id) || is_none(&info.always_id));
    assert_int_equal(jobs_made(w), 4);
    assert_counts(w, B, (struct stint_batch_counts){.jobs = 2, .succeeded = 2});
    finish(w);
}

static void
its_jobs_are_made_in_the_step_of_the_last_end(void **state)
{
    struct world *w = batch_world(4);
    (void)state;
    make_batch(w, B);
    struct stint_id a = add_job(w, B);
    assert_int_equal(world_dispatched(w, WORKER).batch, B);
    assert_true(act(w, BATCH_CLOSE, B));
    assert_int_equal(w->arrays->items.batch.state, STINT_BATCH_CLOSED);
    settle(w, a, 1, OUTCOME_SUCCEEDED);
    struct dispatched_job made = world_dispatched(w, WORKER);
    assert_int_equal(batch_number(made.batch), B);
    assert_int_equal(batch_role(made.batch), STINT_BATCH_SUCCESS);
    struct stint_batch_counts counts;
    assert_true(message_read_counts(made.counts, &counts));
    assert_int_equal(counts.jobs, 1);
    assert_int_equal(counts.succeeded, 1);
    finish(w);
}

static void
how_its_jobs_end_is_counted(void **state)
{
    struct world *w = batch_world(1);
    (void)state;
    make_batch(w, B);
    struct job_spec late = batch_job(B, "late"), once = batch_job(B, "once");
    late.expires_in_ms = 100;
    once.max_attempts = 1;
    struct stint_id dead = submit_one(w, once), ready = add_job(w, B), gone = add_job(w, B);
    (void)submit_one(w, late);
    assert_int_equal(ask(w, MESSAGE_CANCEL, ready), STINT_OK);
    assert_int_equal(ask(w, MESSAGE_DELETE, gone), STINT_OK); /* counts as cancelled */
    step(w, 200);
    assert_true(act(w, BATCH_CLOSE, B));
    assert_counts(w, B, (struct stint_batch_counts){.jobs = 4, .cancelled = 2, .expired = 1});
    settle(w, dead, 1, OUTCOME_FAILED);
    assert_counts(
        w, B, (struct stint_batch_counts){.jobs = 4, .dead = 1, .cancelled = 2, .expired = 1});
    struct stint_batch_info info = batch_now(w, B);
    assert_int_equal(info.state, STINT_BATCH_SETTLED);
    assert_true(is_none(&info.success_id));
    assert_false(is_none(&info.always_id));
    finish(w);
}

static void
one_that_failed_and_is_tried_again_has_not_ended(void **state)
{
    struct world *w = batch_world(1);
    (void)state;
    make_batch(w, B);
    struct stint_id a = add_job(w, B);
    assert_true(act(w, BATCH_CLOSE, B));
    settle(w, a, 1, OUTCOME_FAILED);
    assert_int_equal(batch_now(w, B).state, STINT_BATCH_CLOSED);
    assert_counts(w, B, (struct stint_batch_counts){.jobs = 1});
    finish(w);
}

static void
a_closed_one_takes_jobs_until_it_is_over(void **state)
{
    struct world *w = batch_world(2);
    struct job_spec more = batch_job(B, "more");
    struct stint_id id;
    (void)state;
    make_batch(w, B);
    struct stint_id a = add_job(w, B);
    assert_true(act(w, BATCH_CLOSE, B));
    struct stint_id inside = add_job(w, B); /* while the first one runs */
    settle(w, a, 1, OUTCOME_SUCCEEDED);
    assert_int_equal(batch_now(w, B).state, STINT_BATCH_CLOSED);
    settle(w, inside, 1, OUTCOME_SUCCEEDED);
    assert_int_equal(batch_now(w, B).state, STINT_BATCH_SETTLED);
    assert_int_equal(submit(w, &more, 1, &id), STINT_BATCH_OVER);
    more.batch = B + 1;
    assert_int_equal(submit(w, &more, 1, &id), STINT_NO_SUCH_BATCH);
    finish(w);
}

static void
a_dead_job_that_is_retried_opens_the_count_again(void **state)
{
    struct world *w = batch_world(1);
    struct job_spec once = batch_job(B, "once");
    (void)state;
    once.max_attempts = 1;
    make_batch(w, B);
    struct stint_id a = submit_one(w, once);
    assert_true(act(w, BATCH_CLOSE, B));
    settle(w, a, 1, OUTCOME_FAILED);
    struct stint_id always = batch_now(w, B).always_id;
    assert_false(is_none(&always));
    settle(w, always, 1, OUTCOME_SUCCEEDED);
    assert_int_equal(ask(w, MESSAGE_RETRY, a), STINT_OK);
    assert_int_equal(batch_now(w, B).state, STINT_BATCH_CLOSED);
    assert_counts(w, B, (struct stint_batch_counts){.jobs = 1});
    waiting_verify(w);
    settle(w, a, 2, OUTCOME_SUCCEEDED);
    struct stint_batch_info info = batch_now(w, B);
    assert_false(is_none(&info.success_id)); /* it comes now, as it had not come */
    assert_memory_equal(
        &info.always_id, &always, sizeof always); /* that one came, once and for all */
    assert_int_equal(jobs_made(w), 3);
    finish(w);
}

static void
an_empty_one_that_is_closed_has_succeeded(void **state)
{
    struct world *w = batch_world(0);
    (void)state;
    make_batch(w, B);
    assert_true(act(w, BATCH_CLOSE, B));
    assert_true(act(w, BATCH_CLOSE, B)); /* again */
    assert_int_equal(jobs_made(w), 2);
    assert_int_equal(batch_now(w, B).state, STINT_BATCH_SETTLED);
    finish(w);
}

static void
what_is_owed_is_made_when_it_can_be(void **state)
{
    struct world *w = batch_world(1);
    (void)state;
    make_batch(w, B);
    struct stint_id a = add_job(w, B);
    assert_true(act(w, BATCH_CLOSE, B));
    message_put_set_queue(
        world_frame(w, 1), ++number, slice_of("default"), STINT_CLOSE_QUEUE, NULL);
    step(w, 0);
    settle(w, a, 1, OUTCOME_SUCCEEDED);
    struct stint_batch_info info = batch_now(w, B);
    assert_int_equal(info.state, STINT_BATCH_SETTLED);
    assert_int_equal(info.trouble, STINT_QUEUE_CLOSED);
    assert_true(is_none(&info.success_id) && is_none(&info.always_id));
    waiting_verify(w);
    step(w, 1500);
    world_restart(w); /* what it owes is on the disk */
    world_hello_client(w, 1, 1);
    message_put_set_queue(world_frame(w, 1), ++number, slice_of("default"), STINT_OPEN_QUEUE, NULL);
    step(w, 0);
    step(w, 1500);
    step(w, 1500);
    info = batch_now(w, B);
    assert_int_equal(info.trouble, STINT_OK);
    assert_false(is_none(&info.success_id) || is_none(&info.always_id));
    assert_int_equal(jobs_made(w), 3);
    finish(w);
}

static void
a_restart_forgets_no_count(void **state)
{
    struct world *w = batch_world(2);
    (void)state;
    make_batch(w, B);
    struct stint_id a = add_job(w, B);
    (void)add_job(w, B);
    settle(w, a, 1, OUTCOME_SUCCEEDED);
    assert_true(act(w, BATCH_CLOSE, B));
    world_restart(w);
    world_hello_client(w, 1, 1);
    step(w, 0);
    assert_counts(w, B, (struct stint_batch_counts){.jobs = 2, .succeeded = 1});
    assert_int_equal(batch_now(w, B).state, STINT_BATCH_CLOSED);
    finish(w);
}

static void
jobs_that_are_forgotten_at_success_count(void **state)
{
    struct world *w = batch_world(1);
    struct job_spec job = batch_job(B, "short");
    (void)state;
    job.keep_ms = 0;
    make_batch(w, B);
    struct stint_id a = submit_one(w, job);
    assert_true(act(w, BATCH_CLOSE, B));
    settle(w, a, 1, OUTCOME_SUCCEEDED);
    assert_counts(w, B, (struct stint_batch_counts){.jobs = 1, .succeeded = 1});
    finish(w);
}

static void
one_that_meets_a_unique_key_is_in_no_batch(void **state)
{
    struct world *w = batch_world(0);
    struct job_spec job = world_job("first");
    struct stint_id id;
    (void)state;
    job.unique = slice_of("k");
    make_batch(w, B);
    (void)submit_one(w, job);
    job.batch = B;
    assert_int_equal(submit(w, &job, 1, &id), STINT_OK);
    assert_counts(w, B, (struct stint_batch_counts){.jobs = 0});
    finish(w);
}

static void
one_that_fails_with_others_counts(void **state)
{
    struct world *w = batch_world(0);
    (void)state;
    make_batch(w, B);
    struct stint_id a = add_job(w, B);
    struct job_spec after = waiting_job("after", &a, 1);
    after.batch = B;
    struct stint_id b = submit_one(w, after);
    assert_true(act(w, BATCH_CLOSE, B));
    assert_int_equal(ask(w, MESSAGE_CANCEL, a), STINT_OK);
    assert_int_equal(world_state(w, b, NULL), STINT_CANCELLED_JOB);
    assert_counts(w, B, (struct stint_batch_counts){.jobs = 2, .cancelled = 2});
    assert_int_equal(batch_now(w, B).state, STINT_BATCH_SETTLED);
    finish(w);
}

static void
moved_jobs_stay_in_their_batch(void **state)
{
    struct world *w = batch_world(1);
    struct stint_job_info info;
    (void)state;
    make_batch(w, B);
    struct job_spec job = batch_job(B, "later");
    job.delay_ms = 50;
    struct stint_id a = submit_one(w, job);
    struct change c = {.set = CHANGE_PRIORITY};
    c.to.priority = 200;
    message_put_change(world_frame(w, 1), ++number, &a, 1, &c);
    step(w, 0);
    assert_int_equal(world_state(w, a, &info), STINT_SCHEDULED);
    assert_int_equal(info.batch, B);
    assert_int_equal(info.batch_role, STINT_BATCH_JOB);
    assert_true(act(w, BATCH_CLOSE, B));
    step(w, 100);
    settle(w, a, 1, OUTCOME_SUCCEEDED);
    assert_int_equal(batch_now(w, B).state, STINT_BATCH_SETTLED);
    finish(w);
}

static void
a_damaged_job_of_it_has_ended_badly(void **state)
{
    struct world *w = batch_world(0);
    (void)state;
    make_batch(w, B);
    make_batch(w, B + 1);
    (void)add_job(w, B);
    struct stint_id a = add_job(w, B + 1);
    assert_true(act(w, BATCH_CLOSE, B + 1));
    w->store->ops->begin(w->store);
    store_put(w->store, STORE_LIVE, (struct slice){a.bytes, STINT_ID_BYTES}, slice_of("damage"),
        (struct slice){0});
    assert_int_equal(w->store->ops->commit(w->store), STINT_OK);
    (void)world_state(w, a, NULL);
    assert_counts(w, B + 1, (struct stint_batch_counts){.jobs = 1, .dead = 1});
    assert_counts(w, B, (struct stint_batch_counts){.jobs = 1});
    waiting_verify(w);
    world_destroy(&w);
}

/* The last job of a closed batch holds a key, and is found to be damaged by a submit of that key
 * and to that batch: it is over only when that one is. */
static void
who_meets_a_damaged_job_of_its_batch_is_in_it(void **state)
{
    struct world *w = batch_world(0);
    struct job_spec job = batch_job(B, "x");
    (void)state;
    job.unique = slice_of("key");
    make_batch(w, B);
    (void)submit_one(w, job);
    assert_true(act(w, BATCH_CLOSE, B));
    store_model_damage(w->store, STORE_LIVE);
    struct stint_id b = submit_one(w, job);
    assert_int_equal(world_state(w, b, NULL), STINT_READY);
    assert_counts(w, B, (struct stint_batch_counts){.jobs = 2, .dead = 1});
    waiting_verify(w);
    world_destroy(&w);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_batch_is_over_when_it_is_closed_and_its_jobs_have_ended),
        cmocka_unit_test(its_jobs_are_made_in_the_step_of_the_last_end),
        cmocka_unit_test(how_its_jobs_end_is_counted),
        cmocka_unit_test(one_that_failed_and_is_tried_again_has_not_ended),
        cmocka_unit_test(a_closed_one_takes_jobs_until_it_is_over),
        cmocka_unit_test(a_dead_job_that_is_retried_opens_the_count_again),
        cmocka_unit_test(an_empty_one_that_is_closed_has_succeeded),
        cmocka_unit_test(what_is_owed_is_made_when_it_can_be),
        cmocka_unit_test(a_restart_forgets_no_count),
        cmocka_unit_test(jobs_that_are_forgotten_at_success_count),
        cmocka_unit_test(one_that_meets_a_unique_key_is_in_no_batch),
        cmocka_unit_test(one_that_fails_with_others_counts),
        cmocka_unit_test(moved_jobs_stay_in_their_batch),
        cmocka_unit_test(a_damaged_job_of_it_has_ended_badly),
        cmocka_unit_test(who_meets_a_damaged_job_of_its_batch_is_in_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
