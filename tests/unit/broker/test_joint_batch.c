/* New jobs that come with an end, and the batch of the one that ends: it is not over before they
 * are.
 */
#include "batched.h"

enum { BATCH = 77 };

/* How the run of a job ends that asks for one more job of that batch. */
static struct outcome
bringing(struct pack_buffer *jobs, struct pack_buffer *all, struct stint_id id, uint64_t batch)
{
    const struct job_spec job = batch_job(batch, "one more");
    jobs->used = all->used = 0;
    message_put_job(jobs, &job);
    message_put_joint(all, &(struct joint){.jobs = {jobs->data, jobs->used}, .jobs_count = 1});
    return (struct outcome){
        .id = id, .attempt = 1, .type = OUTCOME_SUCCEEDED, .joint = {all->data, all->used}};
}

static void
the_last_job_of_a_closed_batch_may_bring_more(void **state)
{
    struct world *w = batch_world(1);
    struct pack_buffer jobs = {0}, all = {0};
    (void)state;
    make_batch(w, BATCH);
    struct stint_id last = add_job(w, BATCH);
    assert_int_equal(world_state(w, last, NULL), STINT_RUNNING);
    assert_true(act(w, BATCH_CLOSE, BATCH));
    struct outcome o = bringing(&jobs, &all, last, BATCH);
    message_put_settle(world_frame(w, WORKER), ++number, &o, 1, WINDOW_UNCHANGED);
    step(w, 0);
    assert_non_null(world_read(w, WORKER, MESSAGE_SETTLED));
    assert_int_equal(w->arrays->answers[0].count, 0);
    struct stint_id more = world_dispatched(w, WORKER).id;
    struct stint_batch_info is = batch_now(w, BATCH);
    assert_int_equal(is.state, STINT_BATCH_CLOSED);
    assert_int_equal(is.counts.jobs, 2);
    assert_true(is_none(&is.success_id) && is_none(&is.always_id));
    waiting_verify(w);
    settle(w, more, 1, OUTCOME_FAILED);
    is = batch_now(w, BATCH);
    assert_true(is_none(&is.always_id));
    assert_int_equal(ask(w, MESSAGE_CANCEL, more), STINT_OK);
    is = batch_now(w, BATCH);
    assert_int_equal(is.state, STINT_BATCH_SETTLED);
    assert_true(is_none(&is.success_id) && !is_none(&is.always_id));
    pack_buffer_free(&jobs);
    pack_buffer_free(&all);
    finish(w);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_last_job_of_a_closed_batch_may_bring_more),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
