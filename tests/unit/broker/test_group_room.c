/* Jobs of groups that find no room, or may not be handed out now: they are in nobody's way. */
#include "grouped.h"

#include <stdio.h>

enum { MANY = 9000, AT_A_TIME = 1000 };

/* With a worker that has this. */
static void
join(struct world *w, uint32_t peer, uint32_t slots, const char *has)
{
    struct hello h = {.version_min = 1,
        .version_max = 1,
        .role = ROLE_WORKER,
        .session = {(uint8_t)peer},
        .name = text("w"),
        .software = text("test"),
        .slots = slots,
        .window = slots,
        .queues = 1,
        .has = text(has)};
    struct slice queue = text("default"), none = {NULL, 0};
    message_put_hello(world_frame(w, peer), &h, &queue, &none, &none);
    step(w, 0);
    assert_non_null(world_read(w, peer, MESSAGE_WELCOME));
    world_claim(w, peer, NULL, 0);
    step(w, 0);
}

static struct world *
world_of_has(uint32_t slots, const char *has)
{
    struct world *w = world_new(NULL);
    memset(numbers, 0, sizeof numbers);
    world_with_client(w);
    join(w, WORKER, slots, has);
    return w;
}

/* The first worker is lost, and another one is there. */
static void
lose_the_worker(struct world *w)
{
    world_gone(w, WORKER);
    for (unsigned i = 0; i < 12; i++) {
        message_put_ping(world_frame(w, 3), 1 + i, WINDOW_UNCHANGED, 0);
        message_put_ping(world_frame(w, CLIENT), 1 + i, WINDOW_UNCHANGED, 0);
        step(w, 1000);
    }
}

static struct stint_id
give_needy(struct world *w, const char *group, const char *needs)
{
    struct job_spec job = of_group(group, "x");
    job.needs = text(needs);
    return submit(w, job).id;
}

/* So many groups, of which each has a job that no worker could run. */
static void
give_what_nobody_has(struct world *w, uint32_t groups)
{
    static struct job_spec jobs[AT_A_TIME];
    static char names[AT_A_TIME][16];
    for (uint32_t i = 0; i < groups; i += AT_A_TIME) {
        for (uint32_t n = 0; n < AT_A_TIME; n++) {
            (void)snprintf(names[n], sizeof names[n], "g%u", i + n);
            jobs[n] = of_group(names[n], "x");
            jobs[n].needs = text("gpu");
        }
        world_submit(w, CLIENT, ++numbers[CLIENT], jobs, AT_A_TIME);
        step(w, 0);
    }
}

/* As long as there is something to do at once: which comes to an end. */
static void
come_to_rest(struct world *w)
{
    unsigned steps = 0;
    for (; core_idle_ms(w->core) == 0 && steps < 100; steps++)
        step(w, 0);
    assert_true(steps < 100);
}

static void
those_that_find_no_room_hold_up_nobody(void **state)
{
    struct world *w = world_of(4);
    (void)state;
    give_what_nobody_has(w, MANY);
    struct stint_id last = give(w, "last");
    come_to_rest(w);
    assert_int_equal(world_state(w, last, NULL), STINT_RUNNING);
    struct stint_id plain = submit(w, of_group(NULL, "x")).id, late = give(w, "late");
    come_to_rest(w);
    assert_int_equal(world_state(w, plain, NULL), STINT_RUNNING);
    assert_int_equal(world_state(w, late, NULL), STINT_RUNNING);
    finish(w, last, 1, OUTCOME_SUCCEEDED);
    come_to_rest(w);
    world_destroy(&w);
}

/* What is passed over is handed out when there is room for it, before what has come later. */
static void
room_that_comes_is_for_the_first_in_turn(void **state)
{
    struct world *w = world_of_has(4, "cpus=4");
    (void)state;
    struct stint_id three = give_needy(w, "a", "cpus=3"), large = give_needy(w, "b", "cpus=3");
    struct stint_id small = give_needy(w, "c", "cpus=1"), next = give_needy(w, "d", "cpus=1");
    assert_int_equal(world_state(w, three, NULL), STINT_RUNNING);
    assert_int_equal(world_state(w, large, NULL), STINT_READY);
    assert_int_equal(world_state(w, small, NULL), STINT_RUNNING);
    assert_int_equal(world_state(w, next, NULL), STINT_READY);
    finish(w, three, 1, OUTCOME_SUCCEEDED);
    assert_int_equal(world_state(w, large, NULL), STINT_RUNNING);
    assert_int_equal(world_state(w, next, NULL), STINT_READY);
    finish(w, small, 1, OUTCOME_SUCCEEDED);
    assert_int_equal(world_state(w, next, NULL), STINT_RUNNING);
    assert_good(w);
    world_destroy(&w);
}

/* Each may be what has ended the worker; nobody is left who could run most of them. */
static void
suspects_that_find_no_room_hold_up_no_other(void **state)
{
    struct world *w = world_of_has(30, "gpu");
    (void)state;
    for (unsigned i = 0; i < 20; i++)
        (void)give_needy(w, NULL, "gpu");
    struct stint_id plain = give(w, NULL);
    assert_int_equal(in_state(w, STINT_RUNNING), 21);
    join(w, 3, 4, "cpus=4");
    lose_the_worker(w);
    assert_int_equal(world_state(w, plain, NULL), STINT_RUNNING);
    assert_int_equal(in_state(w, STINT_READY), 20);
    assert_good(w);
    world_destroy(&w);
}

/* As above, of a group that may run no more now. */
static void
suspects_whose_group_waits_hold_up_no_other(void **state)
{
    struct world *w = world_of_has(2, "cpus=4");
    (void)state;
    set_running(w, 2);
    struct job_spec urgent = of_group("a", "x");
    urgent.priority = 200;
    struct stint_id grouped = submit(w, urgent).id, other = give(w, NULL);
    join(w, 3, 4, "cpus=4");
    const struct lease_ref second = {.id = give(w, "a"), .attempt = 1};
    lose_the_worker(w);
    assert_int_equal(in_state(w, STINT_READY), 2);
    set_running(w, 1);
    message_put_leases(world_frame(w, 3), MESSAGE_STARTED, 0, &second, 1, false);
    step(w, 0);
    assert_int_equal(world_state(w, other, NULL), STINT_RUNNING);
    assert_int_equal(world_state(w, grouped, NULL), STINT_READY);
    assert_good(w);
    world_destroy(&w);
}

/* As any other job that needs much: after a while a worker makes room for it. */
static void
a_large_one_is_not_passed_for_ever(void **state)
{
    struct world *w = world_of_has(8, "cpus=4");
    struct stint_id small[4], large;
    unsigned at = 0, ended = 0;
    (void)state;
    for (unsigned i = 0; i < 4; i++)
        small[i] = give_needy(w, NULL, "cpus=1");
    large = give_needy(w, "a", "cpus=4");
    for (; ended < 40 && world_state(w, large, NULL) == STINT_READY; ended++) {
        struct stint_id next = give_needy(w, NULL, "cpus=1");
        finish(w, small[at], 1, OUTCOME_SUCCEEDED);
        if (world_state(w, next, NULL) == STINT_RUNNING)
            small[at] = next;
        at = (at + 1) % 4;
        message_put_ping(world_frame(w, WORKER), 1 + ended, WINDOW_UNCHANGED, 0);
        message_put_ping(world_frame(w, CLIENT), 1 + ended, WINDOW_UNCHANGED, 0);
        step(w, 1000);
    }
    assert_int_equal(world_state(w, large, NULL), STINT_RUNNING);
    finish(w, large, 1, OUTCOME_SUCCEEDED);
    assert_int_equal(in_state(w, STINT_RUNNING), 4);
    /* One that is gone is made room for by nobody. */
    large = give_needy(w, "a", "cpus=4");
    ask(w, MESSAGE_CANCEL, large, STINT_OK);
    for (unsigned i = 0; i < 8; i++) {
        message_put_ping(world_frame(w, WORKER), 99 + i, WINDOW_UNCHANGED, 0);
        message_put_ping(world_frame(w, CLIENT), 99 + i, WINDOW_UNCHANGED, 0);
        step(w, 1000);
    }
    assert_good(w);
    world_destroy(&w);
}

/* Searching goes past them in pieces, and finds what stands behind. */
static void
set_order(struct world *w, enum stint_queue_action action)
{
    message_put_set_queue(world_frame(w, CLIENT), 78, text("default"), action, NULL);
    step(w, 0);
}

static void
what_stands_behind_very_many_is_found(void **state)
{
    (void)state;
    for (unsigned lifo = 0; lifo < 2; lifo++) {
        struct world *w = world_of_has(4, "cpus=4");
        struct stint_id first[2], last[2];
        set_order(w, STINT_PAUSE_QUEUE);
        set_order(w, lifo ? STINT_ORDER_LIFO : STINT_ORDER_FIFO);
        first[0] = give_needy(w, NULL, "cpus=1");
        first[1] = give(w, NULL);
        (void)give_needy(w, NULL, "gpu");
        give_what_nobody_has(w, MANY);
        (void)give_needy(w, NULL, "gpu");
        last[0] = give_needy(w, NULL, "cpus=1");
        last[1] = give(w, NULL);
        set_order(w, STINT_RESUME_QUEUE);
        come_to_rest(w);
        for (unsigned i = 0; i < 2; i++) {
            assert_int_equal(world_state(w, first[i], NULL), STINT_RUNNING);
            assert_int_equal(world_state(w, last[i], NULL), STINT_RUNNING);
        }
        world_destroy(&w);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(those_that_find_no_room_hold_up_nobody),
        cmocka_unit_test(room_that_comes_is_for_the_first_in_turn),
        cmocka_unit_test(a_large_one_is_not_passed_for_ever),
        cmocka_unit_test(what_stands_behind_very_many_is_found),
        cmocka_unit_test(suspects_that_find_no_room_hold_up_no_other),
        cmocka_unit_test(suspects_whose_group_waits_hold_up_no_other),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
