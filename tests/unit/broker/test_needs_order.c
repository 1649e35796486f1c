/* Jobs that need different things: each want has an order of its own, also after restarts, in
 * queues of another order, for workers of some kinds; and what happens when there are too many
 * wants.
 */
#include "needy.h"
#include "room.h"

#include <stdio.h>

enum { WORKER = NEEDY_WORKER, OTHER = NEEDY_OTHER, CLIENT = NEEDY_CLIENT };

static void
settle(struct world *w, uint32_t peer, uint64_t sequence)
{
    needy_settle(w, peer, id_make(0, 1, DEFAULT_PRIORITY, sequence), WINDOW_UNCHANGED);
}

static void
assert_given(struct world *w, uint32_t peer, uint64_t sequence)
{
    needy_assert_given(w, peer, id_make(0, 1, DEFAULT_PRIORITY, sequence));
}

static void
first_in_is_first_out_among_all_that_there_is_room_for(void **state)
{
    static const char *const needs[] = {"cpus=2", "cpus=1", NULL, "cpus=2", "cpus=1", NULL};
    struct world *w = needy_world();
    (void)state;
    for (uint64_t i = 0; i < 6; i++)
        (void)needy_submit(w, 1 + i, needs[i]);
    needy_join(w, WORKER, (struct needy_worker){.slots = 1, .has = "cpus=2"});
    for (uint64_t i = 1; i <= 6; i++) {
        assert_given(w, WORKER, i);
        settle(w, WORKER, i);
    }
    needy_finish(w);
}

static void
last_in_is_first_out_where_the_queue_is_so(void **state)
{
    static const char *const needs[] = {"cpus=2", "gpu", NULL, "cpus=2", "gpu", NULL};
    static const uint64_t order[] = {6, 4, 3, 1};
    struct world *w = needy_world();
    (void)state;
    for (uint64_t i = 0; i < 6; i++)
        (void)needy_submit(w, 1 + i, needs[i]);
    message_put_set_queue(world_frame(w, CLIENT), 8, needy_text("default"), STINT_ORDER_LIFO, NULL);
    needy_step(w, 0);
    needy_join(w, WORKER, (struct needy_worker){.slots = 1, .has = "cpus=2"});
    for (uint64_t i = 0; i < 4; i++) {
        assert_given(w, WORKER, order[i]);
        if (i == 1) { /* what comes now is next */
            (void)needy_submit(w, 7, "cpus=1");
            settle(w, WORKER, order[i]);
            assert_given(w, WORKER, 7);
            settle(w, WORKER, 7);
        } else
            settle(w, WORKER, order[i]);
    }
    message_put_set_queue(world_frame(w, CLIENT), 8, needy_text("default"), STINT_ORDER_FIFO, NULL);
    needy_step(w, 0);
    needy_join(w, OTHER, (struct needy_worker){.slots = 1, .label = "gpu"});
    assert_given(w, OTHER, 2);
    settle(w, OTHER, 2);
    assert_given(w, OTHER, 5);
    needy_finish(w);
}

static void
workers_of_some_kinds_find_theirs(void **state)
{
    struct world *w = needy_world();
    struct job_spec job = needy_job("gpu");
    (void)state;
    needy_join(w, WORKER, (struct needy_worker){.slots = 2, .has = "gpu", .kind = "b"});
    job.kind = needy_text("a");
    struct stint_id a = needy_submit_job(w, 1, job);
    needy_assert_idle(w, WORKER);
    struct stint_reason why = needy_why(w, NULL, "default");
    assert_int_equal(why.why, STINT_WHY_NO_HANDLER);
    assert_string_equal(why.kind, "a");
    job.kind = needy_text("b");
    struct stint_id b = needy_submit_job(w, 2, job);
    needy_assert_given(w, WORKER, b);
    struct stint_id plain = needy_submit(w, 3, NULL);
    needy_assert_idle(w, WORKER);
    assert_int_equal(needy_why(w, &plain, NULL).why, STINT_WHY_NO_HANDLER);
    needy_join(w, OTHER, (struct needy_worker){.slots = 2, .has = "gpu", .kind = "a"});
    needy_assert_given(w, OTHER, a);
    why = needy_why(w, NULL, "default");
    assert_int_equal(why.why, STINT_WHY_NO_HANDLER);
    assert_string_equal(why.kind, "default");
    needy_finish(w);
}

static void
the_more_urgent_one_is_first_and_a_changed_priority_counts(void **state)
{
    struct world *w = needy_world();
    struct job_spec low = needy_job("cpus=1"), high = needy_job("cpus=1");
    (void)state;
    needy_join(w, WORKER, (struct needy_worker){.slots = 2, .has = "cpus=1"});
    struct stint_id busy = needy_submit(w, 1, "cpus=1");
    low.priority = 10;
    high.priority = 200;
    struct stint_id first = needy_submit_job(w, 2, low), second = needy_submit_job(w, 3, low);
    struct stint_id urgent = needy_submit_job(w, 4, high);
    struct change change = {.set = CHANGE_PRIORITY, .to = {.priority = 255}};
    message_put_change(world_frame(w, CLIENT), 9, &second, 1, &change);
    needy_step(w, 0);
    needy_settle(w, WORKER, busy, WINDOW_UNCHANGED);
    needy_assert_given(w, WORKER, second);
    needy_settle(w, WORKER, second, WINDOW_UNCHANGED);
    needy_assert_given(w, WORKER, urgent);
    needy_settle(w, WORKER, urgent, WINDOW_UNCHANGED);
    needy_assert_given(w, WORKER, first);
    needy_finish(w);
}

static void
after_a_restart_all_is_found_again(void **state)
{
    static const char *const needs[] = {"gpu", "cpus=9", NULL, "cpus=1", "gpu", "cpus=1"};
    struct world *w = needy_world();
    (void)state;
    for (uint64_t i = 0; i < 6; i++)
        (void)needy_submit(w, 1 + i, needs[i]);
    world_restart(w);
    needy_join(w, WORKER, (struct needy_worker){.slots = 8, .has = "cpus=1"});
    assert_int_equal(needy_given(w, WORKER, NULL), 2);
    world_restart(w);
    needy_join(w, OTHER, (struct needy_worker){.slots = 8, .has = "gpu"});
    assert_int_equal(needy_given(w, OTHER, NULL), 2);
    needy_finish(w);
}

static struct job_spec
numbered(char text[32], unsigned i)
{
    (void)snprintf(text, 32, "label.%u", i);
    return needy_job(text);
}

static void
too_many_wants_are_refused_until_some_are_gone(void **state)
{
    char text[32];
    struct world *w = needy_world();
    struct job_spec job;
    (void)state;
    (void)needy_submit(w, 1, NULL); /* so that there is a queue */
    for (unsigned i = 0; i < LIMIT_QUEUE_NEEDS; i++)
        (void)needy_submit_job(w, 2 + i, numbered(text, i));
    job = numbered(text, LIMIT_QUEUE_NEEDS);
    uint64_t number = LIMIT_QUEUE_NEEDS + 2;
    needy_join(w, WORKER, (struct needy_worker){.slots = 8});
    world_submit(w, CLIENT, number, &job, 1);
    needy_step(w, 0);
    assert_non_null(world_read(w, CLIENT, MESSAGE_SUBMITTED));
    assert_int_equal(w->arrays->answers[0].status, STINT_TOO_VARIED);
    needy_join(w, OTHER, (struct needy_worker){.slots = 1, .has = "label.7"});
    struct stint_id seventh = id_make(0, 1, DEFAULT_PRIORITY, 9);
    needy_assert_given(w, OTHER, seventh);
    needy_settle(w, OTHER, seventh, WINDOW_UNCHANGED);
    needy_step(w, 1000);
    (void)needy_submit_job(w, number, numbered(text, LIMIT_QUEUE_NEEDS));
    needy_finish(w);
}

static void
wants_that_nobody_has_searched_for_are_not_gone(void **state)
{
    char text[32];
    struct world *w = needy_world();
    struct job_spec job;
    (void)state;
    (void)needy_submit(w, 1, NULL);
    for (unsigned i = 0; i < LIMIT_QUEUE_NEEDS; i++)
        (void)needy_submit_job(w, 2 + i, numbered(text, i));
    job = numbered(text, LIMIT_QUEUE_NEEDS);
    needy_step(w, 2000);
    world_submit(w, CLIENT, LIMIT_QUEUE_NEEDS + 2, &job, 1);
    needy_step(w, 0);
    assert_non_null(world_read(w, CLIENT, MESSAGE_SUBMITTED));
    assert_int_equal(w->arrays->answers[0].status, STINT_TOO_VARIED);
    for (unsigned i = 0; i < LIMIT_QUEUE_NEEDS; i++) {
        struct stint_id id = id_make(0, 1, DEFAULT_PRIORITY, 2 + i);
        message_put_ids(world_frame(w, CLIENT), MESSAGE_CANCEL, 8, &id, 1, 0);
        needy_step(w, 0);
    }
    needy_step(w, 2000);
    (void)needy_submit_job(w, LIMIT_QUEUE_NEEDS + 2, job);
    needy_finish(w);
}

static void
what_comes_with_too_many_wants_at_once_waits_and_is_found(void **state)
{
    enum { MANY = LIMIT_QUEUE_NEEDS + 50 };
    static char texts[MANY][32];
    static struct job_spec jobs[MANY];
    struct world *w = needy_world();
    struct stint_id last = id_make(0, 1, DEFAULT_PRIORITY, MANY);
    (void)state;
    for (unsigned i = 0; i < MANY; i++)
        jobs[i] = numbered(texts[i], i);
    world_submit(w, CLIENT, 1, jobs, MANY);
    needy_step(w, 0);
    needy_join(w, WORKER, (struct needy_worker){.slots = 8});
    needy_join(w, OTHER, (struct needy_worker){.slots = 1, .has = texts[MANY - 1]});
    needy_assert_idle(w, OTHER);
    assert_int_equal(needy_why(w, &last, NULL).why, STINT_WHY_VARIED);
    for (unsigned i = 0; i < 60; i++) {
        struct stint_id id = id_make(0, 1, DEFAULT_PRIORITY, i + 1);
        message_put_ids(world_frame(w, CLIENT), MESSAGE_CANCEL, 8, &id, 1, 0);
    }
    needy_step(w, 0);
    needy_step(w, 1000);
    needy_step(w, 1000);
    assert_int_equal(world_state(w, last, NULL), STINT_RUNNING);
    needy_finish(w);
}

static void
a_queue_that_is_removed_takes_its_wants_with_it(void **state)
{
    struct world *w = needy_world();
    struct outcome none = {.type = OUTCOME_RETURNED, .attempt = 9};
    (void)state;
    needy_join(w, WORKER, (struct needy_worker){.slots = 8, .has = "cpus=2", .queue = "*"});
    (void)needy_submit(w, 1, "cpus=1");
    struct job_spec job = needy_job("cpus=2");
    job.queue = needy_text("other");
    struct stint_id large = needy_submit_job(w, 2, job);
    needy_step(w, RESERVE_AFTER_MS);
    message_put_settle(world_frame(w, WORKER), 1, &none, 1, WINDOW_UNCHANGED);
    needy_step(w, 0);
    assert_string_equal(needy_why(w, &large, NULL).worker, "first");
    message_put_ids(world_frame(w, CLIENT), MESSAGE_DELETE, 8, &large, 1, 0);
    message_put_set_queue(world_frame(w, CLIENT), 9, needy_text("other"), STINT_REMOVE_QUEUE, NULL);
    needy_step(w, 0);
    needy_step(w, 0);
    message_put_set_queue(world_frame(w, CLIENT), 9, needy_text("other"), STINT_REMOVE_QUEUE, NULL);
    needy_step(w, 0);
    for (unsigned i = 0; i < 4; i++)
        needy_step(w, 1000);
    struct stint_id next = needy_submit_job(w, 3, job);
    (void)next;
    needy_finish(w);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(first_in_is_first_out_among_all_that_there_is_room_for),
        cmocka_unit_test(last_in_is_first_out_where_the_queue_is_so),
        cmocka_unit_test(workers_of_some_kinds_find_theirs),
        cmocka_unit_test(the_more_urgent_one_is_first_and_a_changed_priority_counts),
        cmocka_unit_test(after_a_restart_all_is_found_again),
        cmocka_unit_test(too_many_wants_are_refused_until_some_are_gone),
        cmocka_unit_test(wants_that_nobody_has_searched_for_are_not_gone),
        cmocka_unit_test(what_comes_with_too_many_wants_at_once_waits_and_is_found),
        cmocka_unit_test(a_queue_that_is_removed_takes_its_wants_with_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
