/* How long the oldest ready job has waited, as QUEUES tells it: the earliest time of submission
 * among what is next in each priority, found without searching for it.
 */
#include "world.h"

#include <stdlib.h>

enum { WORKER = 2, OTHER = 3 };

static struct slice
text(const char *t)
{
    return (struct slice){(const uint8_t *)t, strlen(t)};
}

/* Of the first queue, now. */
static uint64_t
oldest(struct world *w)
{
    message_put_page(world_frame(w, 1), MESSAGE_LIST_QUEUES, 7, (struct slice){0});
    assert_int_equal(world_step(w, 0), STINT_OK);
    assert_non_null(world_read(w, 1, MESSAGE_QUEUES));
    assert_true(message_next_queue(w->arrays));
    return w->arrays->queue_info.oldest_ready_ms;
}

static struct stint_id
submit(struct world *w, uint64_t number, uint8_t priority, const char *kind)
{
    struct job_spec job = world_job("x");
    struct stint_id id;
    uint32_t count;
    job.priority = priority;
    job.kind = text(kind);
    world_submit(w, 1, number, &job, 1);
    assert_int_equal(world_step(w, 0), STINT_OK);
    assert_non_null(world_read(w, 1, MESSAGE_SUBMITTED));
    assert_true(message_next_run(&w->arrays->answers[0], &id, &count));
    return id;
}

static void
pass(struct world *w, uint64_t ms)
{
    for (; ms > 0; ms -= ms < 500 ? ms : 500)
        assert_int_equal(world_step(w, ms < 500 ? ms : 500), STINT_OK);
}

static void
is_given(struct world *w, uint32_t peer, struct stint_id id)
{
    struct dispatched_job job = world_dispatched(w, peer);
    assert_memory_equal(&job.id, &id, sizeof id);
}

static void
hello(struct world *w, uint32_t peer, uint32_t window, const char *kind)
{
    struct slice name = text(kind);
    struct hello h = {.version_min = 1,
        .version_max = 1,
        .role = ROLE_WORKER,
        .slots = window,
        .window = window,
        .kinds = kind[0] != '\0'};
    memset(h.session, (int)peer, sizeof h.session);
    message_put_hello(world_frame(w, peer), &h, NULL, &name, NULL);
    world_claim(w, peer, NULL, 0);
    assert_int_equal(world_step(w, 0), STINT_OK);
}

static void
the_oldest_is_the_earliest_of_what_is_next_in_each_priority(void **state)
{
    struct world *w = world_new(NULL);
    (void)state;
    world_with_client(w);
    struct stint_id low = submit(w, 1, 7, "k");
    assert_int_equal(oldest(w), 1); /* at once: 0 would be that none is ready */
    pass(w, 1000);
    struct stint_id high = submit(w, 2, 200, "k");
    pass(w, 500);
    (void)submit(w, 3, 200, "k");
    pass(w, 2000);
    assert_int_equal(oldest(w), 3500);
    message_put_ids(world_frame(w, 1), MESSAGE_CANCEL, 3, &low, 1, 0);
    assert_int_equal(world_step(w, 0), STINT_OK);
    assert_int_equal(oldest(w), 2500);
    message_put_ids(world_frame(w, 1), MESSAGE_CANCEL, 3, &high, 1, 0);
    assert_int_equal(world_step(w, 0), STINT_OK);
    assert_int_equal(oldest(w), 2000);
    world_destroy(&w);
}

static void
what_runs_and_what_is_scheduled_is_not_ready_and_what_comes_back_is_as_old_as_it_is(void **state)
{
    struct world *w = world_new(NULL);
    (void)state;
    world_with_client(w);
    struct stint_id first = submit(w, 1, 100, "k");
    pass(w, 1000);
    (void)submit(w, 2, 100, "k");
    hello(w, WORKER, 1, "");
    assert_int_equal(oldest(w), 1); /* the first one runs */
    hello(w, OTHER, 1, "");
    assert_int_equal(oldest(w), 0);
    struct outcome o = {.id = first, .attempt = 1, .type = OUTCOME_SNOOZED, .delay_ms = 1000};
    message_put_settle(world_frame(w, WORKER), 3, &o, 1, 0);
    assert_int_equal(world_step(w, 0), STINT_OK);
    assert_int_equal(oldest(w), 0);
    pass(w, 2000);
    uint64_t age = oldest(w);
    assert_int_equal(age, 3000);
    world_restart(w);
    world_with_client(w);
    assert_in_range(oldest(w), age, age + 1000);
    world_destroy(&w);
}

static void
one_whose_kind_is_passed_over_counts_and_whoever_comes_is_still_given_its_own(void **state)
{
    struct world *w = world_new(NULL);
    (void)state;
    world_with_client(w);
    hello(w, WORKER, 2, "pdf");
    struct stint_id first = submit(w, 1, 100, "odd");
    pass(w, 1000);
    struct stint_id id = submit(w, 2, 100, "odd");
    assert_int_equal(oldest(w), 1000);
    struct stint_id pdf = submit(w, 3, 100, "pdf");
    is_given(w, WORKER, pdf);
    assert_int_equal(oldest(w), 1000);
    hello(w, OTHER, 1, ""); /* asking has moved nothing behind a job */
    is_given(w, OTHER, first);
    assert_int_equal(oldest(w), 1);
    world_settle(w, OTHER, 3, first, 1, OUTCOME_SUCCEEDED, "");
    assert_int_equal(world_step(w, 0), STINT_OK);
    is_given(w, OTHER, id);
    assert_int_equal(oldest(w), 0);
    world_destroy(&w);
}

static void
jobs_that_are_kept_apart_count(void **state)
{
    struct world *w = world_new(NULL);
    (void)state;
    world_with_client(w);
    struct stint_id id = submit(w, 1, 100, "k");
    hello(w, WORKER, 2, "");
    pass(w, 1000);
    struct outcome o = {.id = id, .attempt = 1, .type = OUTCOME_UNABLE, .body = text("no")};
    hello(w, OTHER, 1, "k");
    message_put_ping(world_frame(w, OTHER), 5, 0, 0);
    message_put_settle(world_frame(w, WORKER), 3, &o, 1, 2);
    assert_int_equal(world_step(w, 0), STINT_OK); /* the other one is to try, and takes nothing */
    assert_int_equal(oldest(w), 1000);
    (void)submit(w, 2, 7, "k"); /* which the first one takes */
    assert_int_equal(oldest(w), 1000);
    message_put_ping(world_frame(w, OTHER), 5, 1, 0);
    assert_int_equal(world_step(w, 0), STINT_OK);
    is_given(w, OTHER, id);
    assert_int_equal(oldest(w), 0);
    world_destroy(&w);
}

static void
a_page_looks_at_a_bounded_number_of_priorities_and_the_list_comes_to_its_end(void **state)
{
    enum { NAMES = 40, PRIORITIES = 256 };
    static struct job_spec jobs[PRIORITIES];
    struct world *w = world_new(NULL);
    char name[8] = "q-a";
    uint8_t cursor[16];
    struct slice at = {0};
    unsigned told = 0, pages = 0;
    (void)state;
    world_with_client(w);
    for (unsigned n = 0; n < NAMES; n++) {
        name[1] = n < 26 ? '-' : '_';
        name[2] = (char)('A' + n % 26);
        for (unsigned p = 0; p < PRIORITIES; p++) {
            jobs[p] = world_job("");
            jobs[p].queue = text(name);
            jobs[p].priority = (uint8_t)p;
        }
        world_submit(w, 1, n + 1, jobs, PRIORITIES);
        assert_int_equal(world_step(w, 0), STINT_OK);
    }
    do {
        message_put_page(world_frame(w, 1), MESSAGE_LIST_QUEUES, 7, at);
        assert_int_equal(world_step(w, 10), STINT_OK);
        assert_non_null(world_read(w, 1, MESSAGE_QUEUES));
        for (uint32_t i = 0; i < w->message.count; i++, told++) {
            assert_true(message_next_queue(w->arrays));
            assert_in_range(w->arrays->queue_info.oldest_ready_ms, 1, 1000);
        }
        at = w->message.page.cursor;
        assert_true(at.size <= sizeof cursor);
        if (at.size)
            memcpy(cursor, at.data, at.size);
        at.data = cursor;
    } while (++pages < 100 && at.size > 0);
    assert_int_equal(told, NAMES);
    assert_int_equal(pages, 3); /* 4,096 priorities a page */
    world_destroy(&w);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_oldest_is_the_earliest_of_what_is_next_in_each_priority),
        cmocka_unit_test(
            what_runs_and_what_is_scheduled_is_not_ready_and_what_comes_back_is_as_old_as_it_is),
        cmocka_unit_test(
            one_whose_kind_is_passed_over_counts_and_whoever_comes_is_still_given_its_own),
        cmocka_unit_test(jobs_that_are_kept_apart_count),
        cmocka_unit_test(
            a_page_looks_at_a_bounded_number_of_priorities_and_the_list_comes_to_its_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
