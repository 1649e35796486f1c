/* Fleet control: what people set lasts, reaches whom it is for and nobody else, and a worker that
 * is paused or leaves is handed nothing.
 */
#include "world.h"

#include <stdio.h>

enum { CLIENT = 1, FIRST = 2, SECOND = 3, THIRD = 4 };

static struct slice
text(const char *t)
{
    return (struct slice){(const uint8_t *)t, strlen(t)};
}

static void
step(struct world *w, uint64_t ms)
{
    assert_int_equal(world_step(w, ms), STINT_OK);
}

/* A worker that takes orders (unless it has no cores), under a name of its own. */
static void
greet(struct world *w, uint32_t peer, const char *name, uint32_t slots, uint32_t cores)
{
    struct hello h = {.version_min = 1,
        .version_max = 1,
        .role = ROLE_WORKER,
        .name = text(name),
        .software = text("test"),
        .slots = slots,
        .window = slots,
        .cores = cores};
    memset(h.session, (int)peer, sizeof h.session);
    message_put_hello(world_frame(w, peer), &h, NULL, NULL, NULL);
    world_claim(w, peer, NULL, 0);
}

static void
put_control(struct world *w, enum control_action action, enum control_target target,
    const char *name, uint32_t slots)
{
    const struct control c = {
        .action = action, .target = target, .name = text(name), .slots = slots};
    message_put_control(world_frame(w, CLIENT), 77, &c);
    step(w, 0);
}

/* How many workers were met. */
static uint32_t
control(struct world *w, enum control_action action, enum control_target target, const char *name)
{
    put_control(w, action, target, name, SLOTS_OWN);
    const struct message *m = world_read(w, CLIENT, MESSAGE_CONTROLLED);
    assert_non_null(m);
    assert_int_equal(m->number, 77);
    return m->controlled.met;
}

static uint32_t
resize(struct world *w, const char *name, uint32_t slots)
{
    put_control(w, CONTROL_RESIZE, CONTROL_NAMED, name, slots);
    const struct message *m = world_read(w, CLIENT, MESSAGE_CONTROLLED);
    assert_non_null(m);
    return m->controlled.met;
}

static void
set_fleet(struct world *w, uint32_t slots)
{
    const struct stint_fleet size = {.slots = slots};
    message_put_fleet(world_frame(w, CLIENT), MESSAGE_SET_FLEET, 5, &size);
    step(w, 0);
}

/* The order that a worker got in the last step. */
static struct order
ordered(struct world *w, uint32_t peer)
{
    const struct message *m = world_read(w, peer, MESSAGE_ORDER);
    assert_non_null(m);
    return m->order;
}

static struct world *
world_with(uint32_t workers)
{
    struct world *w = world_new(NULL);
    char name[8];
    world_with_client(w);
    for (uint32_t i = 0; i < workers; i++) {
        (void)snprintf(name, sizeof name, "w%u", (unsigned)i);
        greet(w, FIRST + i, name, 2, 4);
    }
    step(w, 0);
    return w;
}

static void
what_is_set_lasts_through_restarts_of_broker_and_worker(void **state)
{
    struct world *w = world_with(1);
    (void)state;
    assert_int_equal(resize(w, "w0", 9), 1);
    assert_int_equal(ordered(w, FIRST).slots, 9);
    assert_int_equal(control(w, CONTROL_PAUSE, CONTROL_NAMED, "w0"), 1);
    set_fleet(w, 30);
    world_restart(w);
    world_hello_client(w, CLIENT, 1);
    greet(w, SECOND, "w0", 2, 4); /* another session */
    greet(w, THIRD, "w1", 2, 4);
    step(w, 200);
    assert_int_equal(ordered(w, SECOND).slots, 9);
    assert_true(ordered(w, SECOND).paused);
    assert_int_equal(ordered(w, THIRD).slots, 21); /* what is left of the fleet's size */
    assert_false(ordered(w, THIRD).paused);
    assert_true(world_replays(w));
    world_destroy(&w);
}

static void
what_is_taken_back_leaves_nothing_in_the_store(void **state)
{
    struct world *w = world_with(1);
    (void)state;
    (void)resize(w, "w0", 9);
    (void)control(w, CONTROL_PAUSE, CONTROL_ALL, "");
    set_fleet(w, 30);
    assert_int_equal(store_model_count(w->store, STORE_SETTINGS), 2);
    world_gone(w, FIRST);
    for (unsigned n = 0; n < 20; n++)
        step(w, 1000); /* it is lost, and can be set free all the same */
    assert_int_equal(resize(w, "w0", SLOTS_OWN), 1);
    assert_int_equal(control(w, CONTROL_RESUME, CONTROL_NAMED, "w0"), 1);
    set_fleet(w, 0);
    assert_int_equal(store_model_count(w->store, STORE_SETTINGS), 0);
    assert_int_equal(control(w, CONTROL_RESUME, CONTROL_NAMED, "w0"), 0);
    assert_int_equal(resize(w, "w0", 5), 0); /* nobody is there, and nothing is set for a typo */
    assert_int_equal(store_model_count(w->store, STORE_SETTINGS), 0);
    world_destroy(&w);
}

static void
what_is_set_for_those_who_are_away_is_taken_back_with_the_rest(void **state)
{
    struct world *w = world_with(2);
    (void)state;
    (void)resize(w, "w0", 9);
    assert_int_equal(control(w, CONTROL_PAUSE, CONTROL_ALL, ""), 2);
    world_gone(w, FIRST);
    for (unsigned n = 0; n < 20; n++) {
        message_put_ping(world_frame(w, SECOND), n, 0, 0);
        step(w, 1000);
    }
    assert_int_equal(control(w, CONTROL_PAUSE, CONTROL_ALL, ""), 1); /* who is here */
    assert_int_equal(control(w, CONTROL_RESUME, CONTROL_LABELLED, "gpu"), 0);
    assert_int_equal(store_model_count(w->store, STORE_SETTINGS), 2);
    assert_int_equal(control(w, CONTROL_RESUME, CONTROL_ALL, ""), 2);
    assert_int_equal(store_model_count(w->store, STORE_SETTINGS), 1); /* the size of w0 */
    assert_int_equal(control(w, CONTROL_RESUME, CONTROL_ALL, ""), 1);
    const struct control own = {
        .action = CONTROL_RESIZE, .target = CONTROL_ALL, .slots = SLOTS_OWN};
    message_put_control(world_frame(w, CLIENT), 9, &own);
    step(w, 0);
    assert_int_equal(store_model_count(w->store, STORE_SETTINGS), 0);
    world_destroy(&w);
}

static void
a_paused_worker_is_handed_nothing_until_it_is_resumed(void **state)
{
    struct world *w = world_with(1);
    (void)state;
    assert_int_equal(control(w, CONTROL_PAUSE, CONTROL_NAMED, "w0"), 1);
    (void)world_submit_one(w, 1, "waits");
    assert_int_equal(world_count(w, FIRST, MESSAGE_DISPATCH), 0);
    step(w, 1000);
    assert_int_equal(world_count(w, FIRST, MESSAGE_DISPATCH), 0);
    assert_int_equal(control(w, CONTROL_RESUME, CONTROL_NAMED, "w0"), 1);
    assert_int_equal(world_count(w, FIRST, MESSAGE_DISPATCH), 1);
    assert_false(ordered(w, FIRST).paused);
    world_destroy(&w);
}

static void
one_that_leaves_is_handed_nothing_and_is_told_again_after_a_reconnect(void **state)
{
    struct world *w = world_with(1);
    (void)state;
    assert_int_equal(control(w, CONTROL_DRAIN, CONTROL_ALL, ""), 1);
    assert_int_equal(ordered(w, FIRST).leave, LEAVE_DRAIN);
    (void)world_submit_one(w, 1, "waits");
    assert_int_equal(world_count(w, FIRST, MESSAGE_DISPATCH), 0);
    world_gone(w, FIRST);
    greet(w, FIRST, "w0", 2, 4);
    step(w, 0);
    assert_int_equal(ordered(w, FIRST).leave, LEAVE_DRAIN);
    assert_int_equal(world_count(w, FIRST, MESSAGE_DISPATCH), 0);
    assert_int_equal(control(w, CONTROL_STOP, CONTROL_ALL, ""), 1);
    assert_int_equal(ordered(w, FIRST).leave, LEAVE_STOP);
    assert_int_equal(control(w, CONTROL_DRAIN, CONTROL_ALL, ""), 1); /* it is not called back */
    assert_int_equal(world_count(w, FIRST, MESSAGE_ORDER), 0);
    greet(w, SECOND, "w0", 2, 4); /* another session of that name is not meant */
    step(w, 0);
    assert_int_equal(ordered(w, SECOND).leave, LEAVE_NOT);
    assert_int_equal(world_count(w, SECOND, MESSAGE_DISPATCH), 1);
    world_destroy(&w);
}

static void
only_those_who_are_meant_are_met(void **state)
{
    struct world *w = world_with(2);
    (void)state;
    world_hello_ordered(w, THIRD, THIRD, 1, "gpu");
    world_claim(w, THIRD, NULL, 0);
    step(w, 0);
    assert_int_equal(control(w, CONTROL_PAUSE, CONTROL_LABELLED, "gp"), 0);
    assert_int_equal(control(w, CONTROL_PAUSE, CONTROL_LABELLED, "gpu2"), 0);
    assert_int_equal(control(w, CONTROL_PAUSE, CONTROL_LABELLED, "gpu"), 1);
    assert_true(ordered(w, THIRD).paused);
    assert_int_equal(world_count(w, FIRST, MESSAGE_ORDER), 0);
    assert_int_equal(control(w, CONTROL_PAUSE, CONTROL_NAMED, "w"), 0);
    assert_int_equal(control(w, CONTROL_PAUSE, CONTROL_NAMED, "w1"), 1);
    assert_int_equal(world_count(w, SECOND, MESSAGE_ORDER), 1);
    assert_int_equal(world_count(w, FIRST, MESSAGE_ORDER), 0);
    greet(w, 5, "w1", 2, 4); /* names need not be unique */
    step(w, 0);
    assert_true(ordered(w, 5).paused);
    assert_int_equal(control(w, CONTROL_RESUME, CONTROL_NAMED, "w1"), 2);
    assert_int_equal(control(w, CONTROL_RESUME, CONTROL_ALL, ""), 4);
    world_destroy(&w);
}

static void
a_label_is_one_word_of_several(void **state)
{
    struct world *w = world_new(NULL);
    const struct slice labels[] = {text("eu"), text("gpu"), text("big")};
    struct hello h = {.version_min = 1,
        .version_max = 1,
        .role = ROLE_WORKER,
        .name = text("n"),
        .session = {9},
        .slots = 1,
        .window = 1,
        .cores = 4,
        .labels = 3};
    (void)state;
    world_with_client(w);
    message_put_hello(world_frame(w, FIRST), &h, NULL, NULL, labels);
    step(w, 0);
    for (size_t i = 0; i < 3; i++) {
        char label[8] = {0};
        memcpy(label, labels[i].data, labels[i].size);
        assert_int_equal(control(w, CONTROL_PAUSE, CONTROL_LABELLED, label), 1);
    }
    assert_int_equal(control(w, CONTROL_PAUSE, CONTROL_LABELLED, "eu gpu"), 0);
    assert_int_equal(control(w, CONTROL_PAUSE, CONTROL_LABELLED, "pu"), 0);
    world_destroy(&w);
}

static void
one_that_takes_no_orders_can_be_paused_and_nothing_else(void **state)
{
    struct world *w = world_new(NULL);
    (void)state;
    world_with_client(w);
    greet(w, FIRST, "old", 1, 0);
    step(w, 0);
    assert_int_equal(world_count(w, FIRST, MESSAGE_ORDER), 0);
    assert_int_equal(resize(w, "old", 4), 0);
    assert_int_equal(control(w, CONTROL_DRAIN, CONTROL_ALL, ""), 0);
    assert_int_equal(control(w, CONTROL_PAUSE, CONTROL_ALL, ""), 1);
    (void)world_submit_one(w, 1, "waits");
    assert_int_equal(world_count(w, FIRST, MESSAGE_DISPATCH), 0);
    assert_int_equal(control(w, CONTROL_RESUME, CONTROL_ALL, ""), 1);
    assert_int_equal(world_count(w, FIRST, MESSAGE_DISPATCH), 1);
    assert_int_equal(world_count(w, FIRST, MESSAGE_ORDER), 0);
    world_destroy(&w);
}

static void
a_fleets_size_is_divided_by_cores_to_the_last_slot(void **state)
{
    struct world *w = world_new(NULL);
    (void)state;
    world_with_client(w);
    greet(w, FIRST, "small", 1, 1);
    greet(w, SECOND, "middle", 1, 3);
    greet(w, THIRD, "large", 1, 7);
    step(w, 0);
    set_fleet(w, 22);
    assert_int_equal(ordered(w, FIRST).slots, 2);
    assert_int_equal(ordered(w, SECOND).slots, 6);
    assert_int_equal(ordered(w, THIRD).slots, 14);
    for (uint32_t size = 1; size < 60; size++) {
        uint32_t sum = 0;
        set_fleet(w, 1000); /* all of them hear of another share */
        set_fleet(w, size);
        for (uint32_t peer = FIRST; peer <= THIRD; peer++)
            sum += ordered(w, peer).slots;
        assert_int_equal(sum, size);
    }
    set_fleet(w, 22);
    assert_int_equal(resize(w, "large", 11), 1); /* a size of its own is part of it */
    assert_int_equal(world_count(w, FIRST, MESSAGE_ORDER), 0); /* 2, as before */
    assert_int_equal(resize(w, "large", 2), 1);
    assert_int_equal(ordered(w, FIRST).slots, 5);
    assert_int_equal(ordered(w, SECOND).slots, 15);
    set_fleet(w, 0);
    assert_int_equal(ordered(w, SECOND).slots, SLOTS_OWN);
    world_destroy(&w);
}

/* With no share yet, it would run as many jobs as it likes. */
static void
a_newcomer_gets_jobs_only_with_its_share(void **state)
{
    struct world *w = world_with(1);
    (void)state;
    (void)control(w, CONTROL_PAUSE, CONTROL_NAMED, "w0");
    set_fleet(w, 10);
    greet(w, SECOND, "second", 2, 4);
    (void)world_submit_one(w, 1, "waits");
    assert_int_equal(world_count(w, SECOND, MESSAGE_ORDER), 0);
    assert_int_equal(world_count(w, SECOND, MESSAGE_DISPATCH), 0);
    step(w, 100);
    assert_int_equal(ordered(w, SECOND).slots, 10);
    assert_int_equal(world_count(w, SECOND, MESSAGE_DISPATCH), 1);
    world_destroy(&w);
}

static void
who_comes_and_goes_changes_the_shares_of_others(void **state)
{
    struct world *w = world_with(1);
    (void)state;
    set_fleet(w, 10);
    assert_int_equal(ordered(w, FIRST).slots, 10);
    step(w, 200);
    greet(w, SECOND, "second", 2, 4);
    step(w, 0);
    assert_int_equal(ordered(w, SECOND).slots, 5);
    assert_int_equal(ordered(w, FIRST).slots, 5);
    message_put_numbered(world_frame(w, SECOND), MESSAGE_BYE, 1);
    step(w, 0);
    step(w, 200);
    assert_int_equal(ordered(w, FIRST).slots, 10);
    world_destroy(&w);
}

static void
slots_that_a_worker_tells_are_the_ones_that_count(void **state)
{
    struct world *w = world_with(1);
    const struct ping ping = {.window = 5, .slots = 5, .load = 150};
    (void)state;
    message_put_worker_ping(world_frame(w, FIRST), 1, &ping);
    message_put_numbered(world_frame(w, CLIENT), MESSAGE_GET_STATS, 1);
    step(w, 0);
    assert_int_equal(world_read(w, CLIENT, MESSAGE_STATS)->stats.slots, 5);
    message_put_page(world_frame(w, CLIENT), MESSAGE_LIST_WORKERS, 2, (struct slice){0});
    step(w, 0);
    assert_non_null(world_read(w, CLIENT, MESSAGE_WORKERS));
    assert_true(message_next_worker(w->arrays));
    assert_int_equal(w->arrays->worker_info.slots, 5);
    assert_int_equal(w->arrays->worker_info.load, 150);
    assert_int_equal(w->arrays->worker_info.cores, 4);
    world_destroy(&w);
}

static void
a_control_that_says_too_little_is_refused_and_does_nothing(void **state)
{
    static const struct {
        enum control_action action;
        enum control_target target;
        const char *name;
    } bad[] = {{0, CONTROL_ALL, ""}, {CONTROL_STOP, 0, ""}, {CONTROL_STOP, CONTROL_NAMED, ""},
        {CONTROL_STOP, CONTROL_LABELLED, ""}, {CONTROL_STOP, CONTROL_ALL, "w0"}};
    struct world *w = world_with(1);
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        const struct control c = {.action = bad[i].action ? bad[i].action : CONTROL_STOP,
            .target = bad[i].target ? bad[i].target : CONTROL_ALL,
            .name = text(bad[i].name),
            .slots = SLOTS_OWN};
        struct pack_buffer *b = world_frame(w, CLIENT);
        if (bad[i].action && bad[i].target)
            message_put_control(b, 1, &c);
        else { /* a map of type, number and the one of them that is there */
            pack_put_map(b, 3);
            pack_put_key_uint(b, 0, MESSAGE_CONTROL);
            pack_put_key_uint(b, 1, 1);
            pack_put_key_uint(b, bad[i].action ? 2 : 3, bad[i].action ? CONTROL_STOP : CONTROL_ALL);
        }
        step(w, 0);
        const struct message *m = world_read(w, CLIENT, MESSAGE_ERROR);
        assert_non_null(m);
        assert_int_equal(m->error.status, STINT_INVALID);
        assert_int_equal(world_count(w, FIRST, MESSAGE_ORDER), 0);
    }
    world_destroy(&w);
}

static void
what_a_worker_holds_is_listed_in_pages_each_job_once(void **state)
{
    enum { JOBS = 600 };
    static struct job_spec jobs[JOBS];
    struct world *w = world_new(NULL);
    struct slice cursor = {0};
    uint8_t kept[64];
    uint64_t next = 1;
    (void)state;
    world_with_client(w);
    greet(w, FIRST, "w0", JOBS, 4);
    step(w, 0);
    for (size_t i = 0; i < JOBS; i++)
        jobs[i] = world_job("x");
    world_submit(w, CLIENT, 1, jobs, JOBS);
    step(w, 0);
    step(w, 70);
    do {
        message_put_list_running(world_frame(w, CLIENT), 4, text("w0"), cursor);
        step(w, 0);
        const struct message *m = world_read(w, CLIENT, MESSAGE_RUNNING);
        assert_non_null(m);
        cursor = m->page.cursor;
        for (uint32_t i = 0; i < m->count; i++, next++) {
            assert_true(message_next_running(w->arrays));
            assert_int_equal(id_sequence(&w->arrays->running_info.id), next);
            assert_int_equal(w->arrays->running_info.ms_ago, 70);
            assert_string_equal(w->arrays->running_info.kind, "default");
            assert_string_equal(w->arrays->running_info.queue, "default");
        }
        assert_true(cursor.size <= sizeof kept);
        if (cursor.size)
            memcpy(kept, cursor.data, cursor.size);
        cursor.data = kept;
    } while (cursor.size);
    assert_int_equal(next, JOBS + 1);
    message_put_list_running(world_frame(w, CLIENT), 4, text("w0"), text("odd"));
    step(w, 0);
    assert_int_equal(world_read(w, CLIENT, MESSAGE_ERROR)->error.status, STINT_INVALID);
    world_destroy(&w);
}

static void
who_did_what_to_how_many_is_noted(void **state)
{
    struct world *w = world_with(2);
    (void)state;
    (void)control(w, CONTROL_PAUSE, CONTROL_ALL, "");
    assert_true(world_told(w, "workers are controlled"));
    set_fleet(w, 3);
    assert_true(world_told(w, "the fleet is resized"));
    world_destroy(&w);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_set_lasts_through_restarts_of_broker_and_worker),
        cmocka_unit_test(what_is_taken_back_leaves_nothing_in_the_store),
        cmocka_unit_test(what_is_set_for_those_who_are_away_is_taken_back_with_the_rest),
        cmocka_unit_test(a_paused_worker_is_handed_nothing_until_it_is_resumed),
        cmocka_unit_test(one_that_leaves_is_handed_nothing_and_is_told_again_after_a_reconnect),
        cmocka_unit_test(only_those_who_are_meant_are_met),
        cmocka_unit_test(a_label_is_one_word_of_several),
        cmocka_unit_test(one_that_takes_no_orders_can_be_paused_and_nothing_else),
        cmocka_unit_test(a_fleets_size_is_divided_by_cores_to_the_last_slot),
        cmocka_unit_test(a_newcomer_gets_jobs_only_with_its_share),
        cmocka_unit_test(who_comes_and_goes_changes_the_shares_of_others),
        cmocka_unit_test(slots_that_a_worker_tells_are_the_ones_that_count),
        cmocka_unit_test(a_control_that_says_too_little_is_refused_and_does_nothing),
        cmocka_unit_test(what_a_worker_holds_is_listed_in_pages_each_job_once),
        cmocka_unit_test(who_did_what_to_how_many_is_noted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
