/* Jobs of groups that find no room, or may not be handed out now: they are in nobody's way. */
#include "grouped.h"

#include <stdio.h>

enum { MANY = 9000, AT_A_TIME = 1000 };

/* With a worker that has this. */
static struct world *
world_of_has(const char *has)
{
    struct world *w = world_new(NULL);
    struct hello h = {.version_min = 1,
        .version_max = 1,
        .role = ROLE_WORKER,
        .session = {7},
        .name = text("w"),
        .software = text("test"),
        .slots = 4,
        .window = 4,
        .queues = 1,
        .has = text(has)};
    struct slice queue = text("default"), none = {NULL, 0};
    memset(numbers, 0, sizeof numbers);
    world_with_client(w);
    message_put_hello(world_frame(w, WORKER), &h, &queue, &none, &none);
    step(w, 0);
    assert_non_null(world_read(w, WORKER, MESSAGE_WELCOME));
    world_claim(w, WORKER, NULL, 0);
    step(w, 0);
    return w;
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
    struct world *w = world_of_has("cpus=4");
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

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(those_that_find_no_room_hold_up_nobody),
        cmocka_unit_test(room_that_comes_is_for_the_first_in_turn),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
