/* What the library tells of outcomes, of slips of its caller, and of answers that are none. Run by
 * test_library.py against scripted.py, which does what the names of queues and clients say.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "stint.h"

#include <stdlib.h>
#include <string.h>

enum { TIMEOUT_MS = 30000 };

static struct stint_client *
new_client(const char *name)
{
    struct stint_client *c;
    const struct stint_client_options options = {.name = name};
    assert_int_equal(stint_client_new(&options, &c), STINT_OK);
    return c;
}

static struct stint_id
submit(struct stint_client *c, const char *queue)
{
    struct stint_job job = STINT_JOB_INIT;
    struct stint_id id;
    job.queue = queue;
    assert_int_equal(stint_submit(c, &job, 1, &id, TIMEOUT_MS), STINT_OK);
    return id;
}

/* ---- outcomes ---- */

struct heard {
    unsigned count;
    bool result; /* it came along */
    struct stint_job_info info;
};

static void
hear(void *context, const struct stint_job_info *info)
{
    struct heard *h = context;
    h->count++;
    h->info = *info;
    h->result = info->result && memcmp(info->result, "result", 6) == 0;
}

static struct heard
hear_of(const char *queue)
{
    struct stint_client *c = new_client(NULL);
    struct heard watched = {0}, waited = {0};
    struct stint_id ids[] = {submit(c, queue), submit(c, queue)};
    assert_int_equal(stint_watch(c, &ids[0], 1, true, hear, &watched), STINT_OK);
    assert_int_equal(stint_wait(c, &ids[1], 1, true, hear, &waited, TIMEOUT_MS), STINT_OK);
    while (watched.count == 0)
        assert_int_equal(stint_client_process(c, 1000), STINT_OK);
    assert_int_equal(watched.count, 1);
    assert_int_equal(waited.count, 1);
    assert_int_equal(watched.result, waited.result);
    assert_int_equal(watched.info.state, STINT_SUCCEEDED);
    assert_int_equal(watched.info.result_bytes, 6);
    stint_client_destroy(&c);
    return waited;
}

static void
a_result_that_was_left_out_is_asked_for_again_also_if_the_job_wrote_errors(void **state)
{
    (void)state;
    struct heard heard = hear_of("leftout");
    assert_true(heard.result);
    assert_string_equal(heard.info.error, "a warning");
}

static void
a_result_that_can_not_be_had_is_missing(void **state)
{
    (void)state;
    struct heard heard = hear_of("damaged");
    assert_false(heard.result);
    assert_string_equal(heard.info.error, "the stored body is damaged");
    assert_false(hear_of("gone").result);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(
            a_result_that_was_left_out_is_asked_for_again_also_if_the_job_wrote_errors),
        cmocka_unit_test(a_result_that_can_not_be_had_is_missing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
