/* The order in which a queue hands out its jobs: of a priority the oldest or the newest first, and
 * the highest or the lowest priority first. It is a setting, holds for what waits already, and
 * lasts.
 */
#include "keyed.h"

enum { CLIENT = 1, WORKER = 2, SECOND = 3 };

static void
step(struct world *w, uint64_t ms)
{
    assert_int_equal(world_step(w, ms), STINT_OK);
}

/* A worker of "mail" with one slot that handles `kind`; NULL: all. */
static void
greet(struct world *w, uint32_t peer, const char *kind)
{
    const struct slice queue = text("mail"), kinds = text(kind ? kind : "");
    struct hello h = {.version_min = 1,
        .version_max = 1,
        .role = ROLE_WORKER,
        .name = text("worker"),
        .software = text("test"),
        .slots = 1,
        .window = 1,
        .queues = 1,
        .kinds = kind != NULL};
    memset(h.session, (int)peer, sizeof h.session);
    message_put_hello(world_frame(w, peer), &h, &queue, &kinds, NULL);
    world_claim(w, peer, NULL, 0);
    step(w, 0);
}

static void
submit(struct world *w, uint64_t number, uint8_t priority, const char *kind, uint32_t count)
{
    struct job_spec jobs[8];
    assert_true(count <= 8);
    for (uint32_t i = 0; i < count; i++) {
        jobs[i] = world_job("payload");
        jobs[i].queue = text("mail");
        jobs[i].kind = text(kind);
        jobs[i].priority = priority;
        jobs[i].max_attempts = 5;
    }
    world_submit(w, CLIENT, number, jobs, count);
    step(w, 0);
    assert_non_null(world_read(w, CLIENT, MESSAGE_SUBMITTED));
    assert_int_equal(w->arrays->answers[0].status, STINT_OK);
}

static void
set(struct world *w, enum stint_queue_action action, bool lifo, bool low_first)
{
    message_put_set_queue(world_frame(w, CLIENT), 77, text("mail"), action, NULL);
    step(w, 0);
    const struct message *m = world_read(w, CLIENT, MESSAGE_QUEUE);
    assert_non_null(m);
    assert_int_equal(m->queue.lifo, lifo);
    assert_int_equal(m->queue.low_first, low_first);
}

static uint32_t attempt; /* of the job that was handed out last */

/* The worker has been handed this job in the last step. */
static void
receives(struct world *w, uint32_t worker, uint8_t priority, uint64_t sequence)
{
    struct dispatched_job d = world_dispatched(w, worker);
    assert_int_equal(id_priority(&d.id), priority);
    assert_int_equal(id_sequence(&d.id), sequence);
    attempt = d.attempt;
}

/* It ends the job that it has, which is this one. */
static void
ends(struct world *w, uint32_t worker, uint8_t priority, uint64_t sequence, enum outcome_type how)
{
    world_settle(w, worker, 9, id_make(0, 1, priority, sequence), attempt, how, "");
    step(w, 0);
}

/* And is handed the next one. */
static void
goes_on(struct world *w, uint8_t priority, uint64_t sequence, uint8_t then, uint64_t next)
{
    ends(w, WORKER, priority, sequence, OUTCOME_SUCCEEDED);
    receives(w, WORKER, then, next);
}

static struct world *
world_with_order(enum stint_queue_action order)
{
    struct world *w = world_new(NULL);
    world_with_client(w);
    if (order == STINT_ORDER_LIFO || order == STINT_ORDER_LOW_FIRST)
        set(w, order, order == STINT_ORDER_LIFO, order == STINT_ORDER_LOW_FIRST);
    return w;
}

static void
the_newest_is_next_also_of_what_comes_meanwhile(void **state)
{
    struct world *w = world_with_order(STINT_ORDER_LIFO);
    (void)state;
    submit(w, 1, 100, "letter", 3);
    greet(w, WORKER, NULL);
    receives(w, WORKER, 100, 3);
    submit(w, 2, 100, "letter", 2);
    goes_on(w, 100, 3, 100, 5);
    submit(w, 3, 200, "letter", 1);
    goes_on(w, 100, 5, 200, 1); /* priorities count as ever */
    goes_on(w, 200, 1, 100, 4);
    submit(w, 4, 100, "letter", 1);
    goes_on(w, 100, 4, 100, 6);
    goes_on(w, 100, 6, 100, 2);
    goes_on(w, 100, 2, 100, 1);
    assert_true(world_replays(w));
    world_destroy(&w);
}

static void
one_that_is_given_back_is_the_newest_again(void **state)
{
    struct world *w = world_with_order(STINT_ORDER_LIFO);
    (void)state;
    submit(w, 1, 100, "letter", 3);
    greet(w, WORKER, NULL);
    receives(w, WORKER, 100, 3);
    goes_on(w, 100, 3, 100, 2);
    greet(w, SECOND, NULL);
    receives(w, SECOND, 100, 1);
    submit(w, 2, 100, "letter", 1);
    ends(w, SECOND, 100, 1, OUTCOME_RETURNED);
    receives(w, SECOND, 100, 4);
    ends(w, WORKER, 100, 2, OUTCOME_RETURNED);
    receives(w, WORKER, 100, 2);
    goes_on(w, 100, 2, 100, 1);
    world_destroy(&w);
}

static void
workers_of_some_kinds_get_the_newest_of_these(void **state)
{
    struct world *w = world_with_order(STINT_ORDER_LIFO);
    (void)state;
    submit(w, 1, 100, "letter", 2);
    submit(w, 2, 100, "parcel", 2);
    submit(w, 3, 100, "letter", 1);
    greet(w, WORKER, "letter");
    receives(w, WORKER, 100, 5);
    goes_on(w, 100, 5, 100, 2);
    submit(w, 4, 100, "letter", 1);
    submit(w, 5, 100, "parcel", 1);
    goes_on(w, 100, 2, 100, 6);
    goes_on(w, 100, 6, 100, 1);
    ends(w, WORKER, 100, 1, OUTCOME_SUCCEEDED);
    submit(w, 6, 100, "letter", 1);
    receives(w, WORKER, 100, 8); /* what came when nothing was left */
    greet(w, SECOND, "parcel");
    receives(w, SECOND, 100, 7);
    ends(w, SECOND, 100, 7, OUTCOME_SUCCEEDED);
    receives(w, SECOND, 100, 4);
    world_destroy(&w);
}

static void
an_order_holds_for_what_waits_already_and_can_be_taken_back(void **state)
{
    struct world *w = world_with_order(STINT_ORDER_FIFO);
    (void)state;
    submit(w, 1, 100, "letter", 6);
    greet(w, WORKER, NULL);
    receives(w, WORKER, 100, 1);
    set(w, STINT_ORDER_LIFO, true, false);
    goes_on(w, 100, 1, 100, 6);
    set(w, STINT_ORDER_FIFO, false, false);
    goes_on(w, 100, 6, 100, 2);
    submit(w, 2, 100, "letter", 1);
    set(w, STINT_ORDER_LIFO, true, false);
    goes_on(w, 100, 2, 100, 7);
    goes_on(w, 100, 7, 100, 5);
    world_destroy(&w);
}

static void
the_lowest_number_is_the_most_urgent_one(void **state)
{
    struct world *w = world_with_order(STINT_ORDER_LOW_FIRST);
    (void)state;
    submit(w, 1, 100, "letter", 2);
    submit(w, 2, 7, "letter", 1);
    submit(w, 3, 200, "letter", 1);
    greet(w, WORKER, NULL);
    receives(w, WORKER, 7, 1);
    goes_on(w, 7, 1, 100, 1);
    submit(w, 4, 0, "letter", 1);
    goes_on(w, 100, 1, 0, 1);
    set(w, STINT_ORDER_HIGH_FIRST, false, false);
    goes_on(w, 0, 1, 200, 1);
    goes_on(w, 200, 1, 100, 2);
    world_destroy(&w);
}

/* Jobs that one worker could not start wait for another one, apart from all others. */
static void
those_that_are_kept_apart_follow_the_order_of_priorities(void **state)
{
    (void)state;
    for (unsigned late = 0; late < 2; late++) {
        struct world *w = world_with_order(late ? STINT_ORDER_FIFO : STINT_ORDER_LOW_FIRST);
        submit(w, 1, 100, "letter", 1);
        greet(w, SECOND, NULL);
        receives(w, SECOND, 100, 1);
        greet(w, WORKER, NULL);
        submit(w, 2, 200, "letter", 1);
        receives(w, WORKER, 200, 1);
        ends(w, WORKER, 200, 1, OUTCOME_UNABLE);
        submit(w, 3, 7, "letter", 1);
        receives(w, WORKER, 7, 1);
        ends(w, WORKER, 7, 1, OUTCOME_UNABLE);
        if (late)
            set(w, STINT_ORDER_LOW_FIRST, false, true);
        ends(w, SECOND, 100, 1, OUTCOME_SUCCEEDED);
        receives(w, SECOND, 7, 1);
        ends(w, SECOND, 7, 1, OUTCOME_SUCCEEDED);
        receives(w, SECOND, 200, 1);
        world_destroy(&w);
    }
}

/* As one is told why it waits. */
static uint64_t
before(struct world *w, uint8_t priority, uint64_t sequence)
{
    const struct stint_id id = id_make(0, 1, priority, sequence);
    message_put_why(world_frame(w, CLIENT), 55, (struct slice){0}, &id, 1);
    step(w, 0);
    assert_non_null(world_read(w, CLIENT, MESSAGE_REASONS));
    assert_true(message_next_reason(w->arrays));
    assert_int_equal(w->arrays->reason.why, STINT_WHY_NO_WORKER);
    return w->arrays->reason.before;
}

static void
how_many_are_before_one_follows_the_order(void **state)
{
    struct world *w = world_with_order(STINT_ORDER_LIFO);
    (void)state;
    submit(w, 1, 100, "letter", 5);
    submit(w, 2, 7, "letter", 2);
    assert_int_equal(before(w, 100, 5), 0);
    assert_int_equal(before(w, 100, 1), 4);
    assert_int_equal(before(w, 7, 2), 5);
    set(w, STINT_ORDER_LOW_FIRST, true, true);
    assert_int_equal(before(w, 7, 1), 1);
    assert_int_equal(before(w, 100, 4), 3);
    world_destroy(&w);
}

static void
it_lasts_through_a_restart_and_in_an_empty_queue(void **state)
{
    struct world *w = world_with_order(STINT_ORDER_LIFO);
    (void)state;
    set(w, STINT_ORDER_LOW_FIRST, true, true);
    step(w, 3600000);
    step(w, 3600000); /* queues that nobody uses have gone */
    world_restart(w);
    world_with_client(w);
    submit(w, 1, 100, "letter", 2);
    submit(w, 2, 7, "letter", 2);
    greet(w, WORKER, NULL);
    receives(w, WORKER, 7, 2);
    goes_on(w, 7, 2, 7, 1);
    goes_on(w, 7, 1, 100, 2);
    message_put_page(world_frame(w, CLIENT), MESSAGE_LIST_QUEUES, 5, (struct slice){0});
    step(w, 0);
    assert_non_null(world_read(w, CLIENT, MESSAGE_QUEUES));
    assert_true(message_next_queue(w->arrays));
    assert_true(w->arrays->queue_info.lifo && w->arrays->queue_info.low_first);
    world_destroy(&w);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_newest_is_next_also_of_what_comes_meanwhile),
        cmocka_unit_test(one_that_is_given_back_is_the_newest_again),
        cmocka_unit_test(workers_of_some_kinds_get_the_newest_of_these),
        cmocka_unit_test(an_order_holds_for_what_waits_already_and_can_be_taken_back),
        cmocka_unit_test(the_lowest_number_is_the_most_urgent_one),
        cmocka_unit_test(those_that_are_kept_apart_follow_the_order_of_priorities),
        cmocka_unit_test(how_many_are_before_one_follows_the_order),
        cmocka_unit_test(it_lasts_through_a_restart_and_in_an_empty_queue),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
