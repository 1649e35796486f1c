/* What the library tells of outcomes, of slips of its caller, and of answers that are none. Run by
 * test_library.py against scripted.py, which does what the names of queues and clients say.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "stint.h"
#include "stint_worker.h"

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

static void
count_unknown(void *context, const struct stint_job_info *info)
{
    *(unsigned *)context += info->state == STINT_UNKNOWN;
}

/* ---- slips ---- */

static void
assert_invalid(struct stint_client *c, enum stint_status status)
{
    assert_int_equal(status, STINT_INVALID);
    assert_non_null(strstr(stint_client_error(c), "NULL"));
}

static void
what_is_counted_and_not_there_is_invalid(void **state)
{
    struct stint_client *c = new_client(NULL);
    struct stint_job job = STINT_JOB_INIT;
    struct stint_id id = {{1}};
    struct stint_change change = STINT_CHANGE_INIT;
    struct stint_schedule schedule = {.name = "s", .every_ms = 1000, .job = job};
    struct stint_batch batch = {.success = &job, .keep_ms = -1};
    const struct stint_subscription subscription = {.ids_count = 5};
    const struct stint_worker_options options = {.labels_count = 5};
    struct stint_worker *w;
    struct stint_reason reason;
    void *bytes;
    size_t size;
    const char *why;
    (void)state;
    job.payload_bytes = schedule.job.payload_bytes = change.payload_bytes = 5;
    change.priority = 3;
    assert_invalid(c, stint_submit(c, &job, 1, &id, TIMEOUT_MS));
    assert_invalid(c, stint_submit(c, NULL, 1, &id, TIMEOUT_MS));
    assert_invalid(c, stint_submit_async(c, &job, 1, NULL, NULL));
    assert_invalid(c, stint_submit_async(c, NULL, 1, NULL, NULL));
    assert_int_equal(stint_jobs_pack(&job, 1, &bytes, &size, &why), STINT_INVALID);
    assert_int_equal(stint_jobs_pack(NULL, 1, &bytes, &size, &why), STINT_INVALID);
    assert_invalid(c, stint_set_schedule(c, &schedule, NULL, TIMEOUT_MS));
    assert_invalid(c, stint_batch_new(c, &batch, NULL, NULL, TIMEOUT_MS));
    assert_invalid(c, stint_change(c, &id, 1, &change, NULL, TIMEOUT_MS));
    assert_invalid(c, stint_subscribe(c, &subscription, NULL, NULL, TIMEOUT_MS));
    assert_invalid(c, stint_cancel(c, NULL, 1, NULL, TIMEOUT_MS));
    assert_invalid(c, stint_watch(c, NULL, 1, false, NULL, NULL));
    stint_unwatch(c, NULL, 1);
    assert_invalid(c, stint_wait(c, NULL, 1, false, NULL, NULL, TIMEOUT_MS));
    assert_invalid(c, stint_why(c, NULL, 1, &reason, TIMEOUT_MS));
    assert_int_equal(stint_worker_new(&options, &w), STINT_INVALID);
    assert_non_null(strstr(stint_worker_new_error(), "NULL"));
    stint_client_destroy(&c);
}

static void
what_could_not_be_made_before_is_not_told_of_the_next(void **state)
{
    static const char *const bad = "not a name";
    const struct stint_client_options key = {.key = "/nonexistent/key"},
                                      endpoint = {.endpoint = "x"};
    const struct stint_worker_options has = {.has = "gpu=;"},
                                      queue = {.queues = &bad, .queues_count = 1};
    struct stint_client *c;
    struct stint_worker *w;
    (void)state;
    assert_int_equal(stint_client_new(&key, &c), STINT_BAD_KEY);
    assert_non_null(strstr(stint_client_new_error(), "/nonexistent/key"));
    assert_int_equal(stint_client_new(&endpoint, &c), STINT_BAD_ENDPOINT);
    assert_null(strstr(stint_client_new_error(), "/nonexistent/key"));
    assert_int_equal(stint_worker_new(&has, &w), STINT_INVALID);
    assert_non_null(strstr(stint_worker_new_error(), "has: "));
    assert_int_equal(stint_worker_new(&queue, &w), STINT_BAD_NAME);
    assert_null(strstr(stint_worker_new_error(), "has: "));
}

static void
watching_the_same_jobs_again_takes_no_more_room(void **state)
{
    enum { MOST = 65536, MANY = 40000 };
    struct stint_client *c = new_client(NULL);
    struct stint_id *ids = calloc(MOST + 1, sizeof *ids);
    unsigned unknown = 0;
    (void)state;
    assert_non_null(ids);
    for (uint32_t i = 0; i < MOST + 1; i++)
        memcpy(&ids[i].bytes[8], &i, sizeof i);
    for (unsigned i = 0; i < 2; i++)
        assert_int_equal(stint_watch(c, ids, MANY, false, count_unknown, &unknown), STINT_OK);
    assert_int_equal(stint_watch(c, ids, MOST + 1, false, NULL, NULL), STINT_TOO_MANY);
    assert_int_equal(stint_client_watched(c), MANY);
    assert_int_equal(stint_wait(c, ids, MANY, false, NULL, NULL, TIMEOUT_MS), STINT_OK);
    assert_int_equal(unknown, MANY); /* told once of each */
    assert_int_equal(stint_watch(c, ids, MOST, false, NULL, NULL), STINT_OK);
    assert_int_equal(stint_watch(c, &ids[MOST], 1, false, NULL, NULL), STINT_TOO_MANY);
    free(ids);
    stint_client_destroy(&c);
}

/* ---- answers that are none ---- */

static void
end_of_feed(void *context, const struct stint_feed_news *news)
{
    if (news->end)
        *(enum stint_status *)context = news->status;
}

static void
assert_said(struct stint_client *c, enum stint_status status, const char *what)
{
    assert_int_equal(status, STINT_BAD_MESSAGE);
    assert_non_null(strstr(stint_client_error(c), what));
    assert_non_null(strstr(stint_client_error(c), "none to this question"));
}

static void
an_answer_to_another_question_is_told_in_words(void **state)
{
    struct stint_client *c = new_client("confused");
    const struct stint_target all = {.all = true};
    const struct stint_job_info *info;
    const struct stint_filter filter = {0};
    const struct stint_bulk bulk = {.action = STINT_BULK_CANCEL, .where = "", .priority = -1};
    const struct stint_subscription subscription = {0};
    struct stint_id id = {{1}};
    struct stint_stats stats;
    struct stint_fleet fleet;
    struct stint_reason reason;
    struct stint_bulk_info done;
    enum stint_status end = STINT_OK;
    struct stint_follow follow = {.feed = "f", .happened = end_of_feed, .context = &end};
    (void)state;
    assert_said(c, stint_get_stats(c, &stats, TIMEOUT_MS), "asking for figures");
    assert_said(c, stint_get(c, &id, 0, &info, TIMEOUT_MS), "looking up the job");
    assert_said(c, stint_list(c, &filter, NULL, NULL, TIMEOUT_MS), "listing");
    assert_said(c, stint_queues(c, NULL, NULL, TIMEOUT_MS), "asking for the queues");
    assert_said(c, stint_workers(c, NULL, NULL, TIMEOUT_MS), "asking for the workers");
    assert_said(c, stint_cancel(c, &id, 1, NULL, TIMEOUT_MS), "cancelling");
    assert_said(c, stint_why(c, &id, 1, &reason, TIMEOUT_MS), "asking why");
    assert_said(c, stint_get_fleet(c, &fleet, TIMEOUT_MS), "the fleet's size");
    assert_said(c, stint_pause_workers(c, &all, NULL, TIMEOUT_MS), "controlling workers");
    assert_said(c, stint_feeds(c, NULL, NULL, TIMEOUT_MS), "listing feeds");
    assert_said(c, stint_bulk_begin(c, &bulk, &done, TIMEOUT_MS), "a bulk operation");
    assert_said(c, stint_subscribe(c, &subscription, NULL, NULL, TIMEOUT_MS), "subscribing");
    assert_int_equal(stint_follow(c, &follow), STINT_OK);
    while (end == STINT_OK)
        assert_int_equal(stint_client_process(c, 1000), STINT_OK);
    assert_said(c, end, "following a feed");
    stint_client_destroy(&c);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(
            a_result_that_was_left_out_is_asked_for_again_also_if_the_job_wrote_errors),
        cmocka_unit_test(a_result_that_can_not_be_had_is_missing),
        cmocka_unit_test(what_is_counted_and_not_there_is_invalid),
        cmocka_unit_test(what_could_not_be_made_before_is_not_told_of_the_next),
        cmocka_unit_test(watching_the_same_jobs_again_takes_no_more_room),
        cmocka_unit_test(an_answer_to_another_question_is_told_in_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
