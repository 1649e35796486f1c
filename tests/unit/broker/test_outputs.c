/* What runs put out besides their outcome: the output of a job that is dead, and what a success
 * said on standard error.
 */
#include "world.h"

#include <stdlib.h>

static void
settle_with_extra(struct world *w, struct stint_id id, enum outcome_type type, struct slice extra)
{
    struct outcome o = {
        .id = id, .attempt = 1, .type = type, .body = {(const uint8_t *)"body", 4}, .extra = extra};
    message_put_settle(world_frame(w, 2), 3, &o, 1, 1);
    assert_int_equal(world_step(w, 0), STINT_OK);
}

static void
the_output_of_a_dead_job_is_kept_and_goes_with_it(void **state)
{
    struct world *w = world_new(NULL);
    struct stint_job_info info;
    char *output = malloc(10001);
    (void)state;
    assert_non_null(output);
    memset(output, 'o', 10001);
    world_with_client(w);
    world_with_worker(w, 1);
    struct stint_id id = world_submit_one(w, 1, "payload");
    settle_with_extra(w, id, OUTCOME_DEAD, (struct slice){(const uint8_t *)output, 10001});
    assert_int_equal(world_state(w, id, &info), STINT_DEAD);
    assert_int_equal(info.result_bytes, 10001);
    assert_memory_equal(info.result, output, 10001);
    assert_memory_equal(info.payload, "payload", 7);
    assert_int_equal(store_model_count(w->store, STORE_PARTS), 3);
    struct verify_report report = {0};
    core_verify(w->store, w->options.broker, &report);
    assert_int_equal(report.problems, 0);
    message_put_ids(world_frame(w, 1), MESSAGE_RETRY, 5, &id, 1, 0);
    assert_int_equal(world_step(w, 0), STINT_OK);
    assert_int_equal(store_model_count(w->store, STORE_PARTS), 0);
    assert_int_equal(world_state(w, id, &info), STINT_RUNNING);
    assert_int_equal(info.result_bytes, 0);
    free(output);
    world_destroy(&w);
}

static void
an_output_over_the_limit_is_cut_and_one_of_a_job_that_goes_on_is_not_kept(void **state)
{
    struct core_options options;
    struct stint_job_info info;
    (void)state;
    core_options_init(&options);
    options.result_bytes = 100;
    options.keep_ms = options.keep_dead_ms = 1000;
    struct world *w = world_new(&options);
    char output[101];
    memset(output, 'a', 100);
    output[100] = 'z';
    world_with_client(w);
    world_with_worker(w, 1);
    struct stint_id id = world_submit_one(w, 1, "a");
    settle_with_extra(w, id, OUTCOME_FAILED, (struct slice){(const uint8_t *)output, 101});
    assert_int_equal(world_state(w, id, &info), STINT_SCHEDULED);
    assert_int_equal(info.result_bytes, 0);
    assert_int_equal(store_model_count(w->store, STORE_PARTS), 0);
    id = world_submit_one(w, 2, "b");
    settle_with_extra(w, id, OUTCOME_DEAD, (struct slice){(const uint8_t *)output, 101});
    assert_int_equal(world_state(w, id, &info), STINT_DEAD);
    assert_int_equal(info.result_bytes, 100);
    assert_memory_equal(info.result, output + 1, 100);
    /* It goes with the job. */
    for (unsigned ms = 0; ms < 40000 && store_model_count(w->store, STORE_SETTLED) > 0; ms += 500)
        assert_int_equal(world_step(w, 500), STINT_OK);
    assert_int_equal(store_model_count(w->store, STORE_SETTLED), 0);
    assert_int_equal(store_model_count(w->store, STORE_PARTS), 0);
    world_destroy(&w);
}

static void
what_a_success_said_on_standard_error_is_kept_from_a_whole_character_on(void **state)
{
    struct world *w = world_new(NULL);
    struct stint_job_info info;
    char text[1002] = "\xc3\xa9"; /* two bytes, of which the second would be the first kept */
    (void)state;
    memset(text + 2, 'e', sizeof text - 3);
    world_with_client(w);
    world_with_worker(w, 1);
    struct stint_id id = world_submit_one(w, 1, "a");
    settle_with_extra(w, id, OUTCOME_SUCCEEDED, (struct slice){(const uint8_t *)text, 1001});
    assert_int_equal(world_state(w, id, &info), STINT_SUCCEEDED);
    assert_string_equal(info.error, text + 2);
    assert_memory_equal(info.result, "body", 4);
    world_destroy(&w);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_output_of_a_dead_job_is_kept_and_goes_with_it),
        cmocka_unit_test(an_output_over_the_limit_is_cut_and_one_of_a_job_that_goes_on_is_not_kept),
        cmocka_unit_test(what_a_success_said_on_standard_error_is_kept_from_a_whole_character_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
