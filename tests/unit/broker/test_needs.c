/* Jobs that need something of their worker: who is given them, what they take, that a large one
 * gets its room, and why one waits.
 */
#include "needy.h"
#include "room.h"
#include "state.h"

enum { WORKER = NEEDY_WORKER, OTHER = NEEDY_OTHER, CLIENT = NEEDY_CLIENT };

/* How many workers make room for a large job. */
static uint32_t
reserved_workers(struct world *w)
{
    uint32_t count = 0;
    for (const struct worker *one = w->core->fleet.workers; one; one = one->next)
        count += one->serves.reserved != NULL;
    return count;
}

static void
a_job_goes_only_where_its_labels_are(void **state)
{
    struct world *w = needy_world();
    (void)state;
    needy_join(w, WORKER, (struct needy_worker){.slots = 4, .has = "ssd zone=b"});
    struct stint_id id = needy_submit(w, 1, "gpu zone=a");
    needy_assert_idle(w, WORKER);
    needy_join(w, OTHER, (struct needy_worker){.slots = 4, .has = "zone=a", .label = "gpu"});
    needy_assert_given(w, OTHER, id);
    struct stint_id ssd = needy_submit(w, 2, "ssd");
    needy_assert_given(w, WORKER, ssd);
    needy_finish(w);
}

static void
the_worker_is_told_what_a_job_needs_in_its_canonical_form(void **state)
{
    struct world *w = needy_world();
    struct stint_job_info info;
    (void)state;
    needy_join(w, WORKER, (struct needy_worker){.slots = 4, .has = "mem=8G,zone=a,cpus=2"});
    struct stint_id id = needy_submit(w, 1, "zone=a mem=1024M,cpus=0.50 zone=a");
    struct dispatched_job d = world_dispatched(w, WORKER);
    assert_int_equal(d.needs.size, strlen("cpus=0.5 mem=1G zone=a"));
    assert_memory_equal(d.needs.data, "cpus=0.5 mem=1G zone=a", d.needs.size);
    assert_int_equal(world_state(w, id, &info), STINT_RUNNING);
    assert_string_equal(info.needs, "cpus=0.5 mem=1G zone=a");
    message_put_page(world_frame(w, CLIENT), MESSAGE_LIST_WORKERS, 5, (struct slice){0});
    needy_step(w, 0);
    assert_non_null(world_read(w, CLIENT, MESSAGE_WORKERS));
    assert_true(message_next_worker(w->arrays));
    assert_string_equal(w->arrays->worker_info.has, "cpus=2 mem=8G zone=a");
    assert_string_equal(w->arrays->worker_info.taken, "cpus=0.5 mem=1G");
    needy_finish(w);
}

static void
amounts_are_taken_until_a_job_ends_and_given_back_then(void **state)
{
    struct world *w = needy_world();
    struct stint_id ids[3];
    (void)state;
    needy_join(w, WORKER, (struct needy_worker){.slots = 8, .has = "cpus=4"});
    ids[0] = needy_submit(w, 1, "cpus=2");
    needy_assert_given(w, WORKER, ids[0]);
    ids[1] = needy_submit(w, 2, "cpus=1.5");
    needy_assert_given(w, WORKER, ids[1]);
    ids[2] = needy_submit(w, 3, "cpus=1");
    needy_assert_idle(w, WORKER);
    assert_int_equal(needy_why(w, &ids[2], NULL).why, STINT_WHY_ROOM);
    needy_settle(w, WORKER, ids[1], WINDOW_UNCHANGED);
    needy_assert_given(w, WORKER, ids[2]);
    needy_finish(w);
}

static void
all_ways_in_which_a_run_ends_give_back_what_it_took(void **state)
{
    static const enum outcome_type types[] = {OUTCOME_FAILED, OUTCOME_DEAD, OUTCOME_SNOOZED};
    struct world *w = needy_world();
    (void)state;
    needy_join(w, WORKER, (struct needy_worker){.slots = 8, .has = "cpus=1"});
    for (uint64_t i = 0; i < sizeof types / sizeof *types; i++) {
        struct stint_id id = needy_submit(w, 1 + i, "cpus=1");
        needy_assert_given(w, WORKER, id);
        struct outcome o = {.id = id, .attempt = 1, .type = types[i], .delay_ms = 60000};
        message_put_settle(world_frame(w, WORKER), 1, &o, 1, WINDOW_UNCHANGED);
        needy_step(w, 0);
        needy_assert_idle(w, WORKER);
    }
    struct stint_id id = needy_submit(w, 4, "cpus=1");
    needy_assert_given(w, WORKER, id);
    message_put_ids(world_frame(w, CLIENT), MESSAGE_CANCEL, 6, &id, 1, 0);
    needy_step(w, 0);
    struct stint_id last = needy_submit(w, 5, "cpus=1");
    needy_assert_given(w, WORKER, last);
    needy_finish(w);
}

static void
jobs_that_need_nothing_pass_those_that_find_no_room(void **state)
{
    struct world *w = needy_world();
    (void)state;
    needy_join(w, WORKER, (struct needy_worker){.slots = 8, .has = "cpus=1"});
    struct stint_id first = needy_submit(w, 1, "cpus=1");
    needy_assert_given(w, WORKER, first);
    (void)needy_submit(w, 2, "cpus=1");
    needy_assert_idle(w, WORKER);
    struct stint_id plain = needy_submit(w, 3, NULL);
    needy_assert_given(w, WORKER, plain);
    struct stint_id label = needy_submit(w, 4, "gpu");
    needy_assert_idle(w, WORKER);
    assert_int_equal(needy_why(w, &label, NULL).why, STINT_WHY_NEEDS);
    needy_finish(w);
}

static void
none_is_held_ahead_and_others_do_not_take_its_slot(void **state)
{
    struct world *w = needy_world();
    struct stint_id plain[4];
    (void)state;
    needy_join(w, WORKER, (struct needy_worker){.slots = 1, .window = 2, .has = "cpus=4"});
    plain[0] = needy_submit(w, 1, NULL);
    plain[1] = needy_submit(w, 2, NULL);
    needy_assert_given(w, WORKER, plain[1]); /* which is held ahead */
    struct stint_id id = needy_submit(w, 3, "cpus=1");
    plain[2] = needy_submit(w, 4, NULL);
    plain[3] = needy_submit(w, 5, NULL);
    needy_settle(w, WORKER, plain[0], 2);
    needy_assert_idle(w, WORKER); /* it has no slot, and its turn comes before the others */
    needy_settle(w, WORKER, plain[1], 2);
    struct dispatched_job last;
    assert_int_equal(needy_given(w, WORKER, &last), 2); /* it, and one that is held ahead */
    assert_memory_equal(&last.id, &plain[2], sizeof last.id);
    assert_int_equal(world_state(w, id, NULL), STINT_RUNNING);
    needy_finish(w);
}

static void
jobs_of_other_queues_do_not_take_its_slot_either(void **state)
{
    struct world *w = needy_world();
    struct slice queues[] = {needy_text("a"), needy_text("b")};
    struct hello h = {.version_min = 1,
        .version_max = 1,
        .role = ROLE_WORKER,
        .name = needy_text("both"),
        .software = needy_text("test"),
        .slots = 1,
        .window = 3,
        .queues = 2,
        .has = needy_text("cpus=1")};
    (void)state;
    memset(h.session, 12, sizeof h.session);
    message_put_hello(world_frame(w, WORKER), &h, queues, NULL, NULL);
    needy_step(w, 0);
    world_claim(w, WORKER, NULL, 0);
    needy_step(w, 0);
    struct job_spec many = needy_job(NULL), one = needy_job("cpus=1");
    many.queue = queues[0];
    one.queue = queues[1];
    world_submit_many(w, CLIENT, 1, &many, 100);
    struct stint_id id = needy_submit_job(w, 2, one);
    for (unsigned settled = 0; world_state(w, id, NULL) == STINT_READY; settled++) {
        assert_in_range(settled, 0, 4); /* of all that it held, and one that it got meanwhile */
        struct stint_id plain = id_make(0, 1, DEFAULT_PRIORITY, settled + 1);
        needy_settle(w, WORKER, plain, 3);
    }
    needy_finish(w);
}

static void
a_large_one_is_passed_for_a_while_and_then_gets_a_worker(void **state)
{
    struct world *w = needy_world();
    struct stint_id small[64];
    uint32_t running[2] = {0, 1}, next = 2;
    (void)state;
    needy_join(w, WORKER, (struct needy_worker){.slots = 8, .has = "cpus=2"});
    small[0] = needy_submit(w, 1, "cpus=1");
    small[1] = needy_submit(w, 2, "cpus=1");
    struct stint_id large = needy_submit(w, 3, "cpus=2");
    for (uint32_t i = 2; i < 64; i++)
        small[i] = needy_submit(w, 2 + i, "cpus=1");
    unsigned passed = 0;
    for (;; passed++) { /* each second one of two ends */
        assert_in_range(passed, 0, 10);
        needy_step(w, 1000);
        needy_settle(w, WORKER, small[running[passed % 2]], WINDOW_UNCHANGED);
        if (needy_given(w, WORKER, NULL) == 0)
            break;
        running[passed % 2] = next++;
    }
    assert_in_range(passed, RESERVE_AFTER_MS / 1000 - 1, RESERVE_AFTER_MS / 1000 + 1);
    struct stint_reason why = needy_why(w, &large, NULL);
    assert_int_equal(why.why, STINT_WHY_ROOM);
    assert_string_equal(why.worker, "first");
    assert_string_equal(why.needs, "cpus=2");
    struct stint_id plain = needy_submit(w, 66, NULL);
    needy_assert_given(w, WORKER, plain); /* which takes nothing of it */
    needy_settle(w, WORKER, small[running[(passed + 1) % 2]], WINDOW_UNCHANGED);
    needy_assert_given(w, WORKER, large);
    needy_settle(w, WORKER, large, WINDOW_UNCHANGED);
    assert_int_equal(needy_given(w, WORKER, NULL), 2); /* the small ones again */
    needy_finish(w);
}

static void
more_workers_make_room_the_longer_a_large_one_waits(void **state)
{
    struct world *w = needy_world();
    struct outcome none = {.type = OUTCOME_RETURNED, .attempt = 9};
    (void)state;
    for (uint32_t peer = WORKER; peer < WORKER + 4; peer++) {
        needy_join(w, peer, (struct needy_worker){.slots = 8, .has = "cpus=2"});
        (void)needy_submit(w, peer - 1, "cpus=1.5");
    }
    struct stint_id large = needy_submit(w, 5, "cpus=2");
    uint64_t waited_ms = 0;
    for (unsigned i = 0; i < 60; i++, waited_ms += 1000) {
        uint32_t expected = waited_ms >= 40000 ? 4
            : waited_ms >= 20000               ? 3
            : waited_ms >= 10000               ? 2
                                               : waited_ms >= RESERVE_AFTER_MS;
        assert_int_equal(reserved_workers(w), expected);
        for (uint32_t peer = WORKER; peer < WORKER + 4; peer++)
            message_put_settle(world_frame(w, peer), 1, &none, 1, WINDOW_UNCHANGED);
        needy_step(w, 1000);
    }
    needy_settle(w, WORKER + 2, id_make(0, 1, DEFAULT_PRIORITY, 3), WINDOW_UNCHANGED);
    needy_assert_given(w, WORKER + 2, large);
    assert_int_equal(reserved_workers(w), 0);
    needy_finish(w);
}

static void
a_worker_without_slots_is_not_waited_for(void **state)
{
    struct world *w = needy_world();
    (void)state;
    needy_join(w, WORKER, (struct needy_worker){.slots = 0, .window = 4, .has = "cpus=4"});
    struct stint_id id = needy_submit(w, 1, "cpus=1");
    needy_assert_idle(w, WORKER);
    assert_int_equal(reserved_workers(w), 0);
    needy_join(w, OTHER, (struct needy_worker){.slots = 1, .has = "cpus=1"});
    needy_assert_given(w, OTHER, id);
    needy_finish(w);
}

static void
small_ones_of_other_queues_do_not_starve_a_large_one(void **state)
{
    struct world *w = needy_world();
    struct job_spec small = needy_job("cpus=1"), large = needy_job("cpus=2");
    (void)state;
    needy_join(w, WORKER, (struct needy_worker){.slots = 8, .has = "cpus=2", .queue = "*"});
    small.queue = needy_text("small");
    world_submit_many(w, CLIENT, 1, &small, 100);
    large.queue = needy_text("large");
    struct stint_id id = needy_submit_job(w, 2, large);
    unsigned ended = 0;
    for (; world_state(w, id, NULL) == STINT_READY; ended++) {
        assert_in_range(ended, 0, 20);
        needy_step(w, 1000);
        needy_settle(w, WORKER, id_make(0, 1, DEFAULT_PRIORITY, ended + 1), WINDOW_UNCHANGED);
    }
    needy_finish(w);
}

static void
who_is_reserved_and_goes_makes_room_no_more(void **state)
{
    enum { PAUSES, LEAVES, ENDS, QUEUE_PAUSES, CANCELLED, LESS, WAYS };
    (void)state;
    for (unsigned way = 0; way < WAYS; way++) {
        struct world *w = needy_world();
        struct needy_worker is = {.slots = 8, .has = "cpus=2"};
        struct outcome none = {.type = OUTCOME_RETURNED, .attempt = 9};
        needy_join(w, WORKER, is);
        struct stint_id small = needy_submit(w, 1, "cpus=1");
        struct stint_id large = needy_submit(w, 2, "cpus=2");
        needy_step(w, RESERVE_AFTER_MS);
        message_put_settle(world_frame(w, WORKER), 1, &none, 1, WINDOW_UNCHANGED);
        needy_step(w, 0);
        assert_string_equal(needy_why(w, &large, NULL).worker, "first");
        struct stint_id next = needy_submit(w, 3, "cpus=1");
        needy_assert_idle(w, WORKER);
        assert_int_equal(needy_why(w, &next, NULL).why, STINT_WHY_ROOM);
        assert_int_equal(reserved_workers(w), 1);
        struct control control = {
            .action = CONTROL_PAUSE, .target = CONTROL_NAMED, .name = needy_text("first")};
        if (way == PAUSES)
            message_put_control(world_frame(w, CLIENT), 8, &control);
        else if (way == LEAVES)
            message_put_numbered(world_frame(w, WORKER), MESSAGE_BYE, 3);
        else if (way == QUEUE_PAUSES)
            message_put_set_queue(
                world_frame(w, CLIENT), 8, needy_text("default"), STINT_PAUSE_QUEUE, NULL);
        else if (way == CANCELLED)
            message_put_ids(world_frame(w, CLIENT), MESSAGE_CANCEL, 8, &large, 1, 0);
        else if (way == LESS)
            needy_hello(w, WORKER, (struct needy_worker){.slots = 8, .has = "cpus=1"});
        else
            world_gone(w, WORKER);
        needy_step(w, way == ENDS ? 10000 : 0);
        needy_step(w, 0);
        assert_int_equal(reserved_workers(w), 0);
        if (way == CANCELLED)
            assert_int_equal(world_state(w, next, NULL), STINT_RUNNING);
        (void)small;
        needy_finish(w);
    }
}

static void
what_a_worker_claims_after_a_restart_is_taken(void **state)
{
    struct world *w = needy_world();
    struct needy_worker is = {.slots = 8, .has = "cpus=2"};
    (void)state;
    needy_join(w, WORKER, is);
    struct stint_id one = needy_submit(w, 1, "cpus=1"), two = needy_submit(w, 2, "cpus=2");
    struct stint_id three = needy_submit(w, 3, "cpus=1");
    assert_int_equal(world_state(w, three, NULL), STINT_RUNNING);
    world_restart(w);
    needy_hello(w, WORKER, is);
    struct lease_ref held[] = {
        {.id = one, .attempt = 1, .begun = true}, {.id = three, .attempt = 1, .begun = true}};
    world_claim(w, WORKER, held, 2);
    needy_step(w, 0);
    needy_assert_idle(w, WORKER);
    world_hello_client(w, CLIENT, 1);
    struct stint_id four = needy_submit(w, 4, "cpus=1");
    needy_assert_idle(w, WORKER);
    needy_settle(w, WORKER, one, WINDOW_UNCHANGED);
    needy_assert_given(w, WORKER, four); /* which passes the large one */
    needy_settle(w, WORKER, three, WINDOW_UNCHANGED);
    needy_settle(w, WORKER, four, WINDOW_UNCHANGED);
    needy_assert_given(w, WORKER, two);
    needy_finish(w);
}

static void
one_that_was_lost_with_its_worker_goes_where_it_may_run(void **state)
{
    struct world *w = needy_world();
    (void)state;
    needy_join(w, WORKER, (struct needy_worker){.slots = 8, .has = "cpus=2 gpu"});
    struct stint_id id = needy_submit(w, 1, "cpus=2 gpu");
    needy_started(w, WORKER, id, 1);
    needy_join(w, OTHER, (struct needy_worker){.slots = 8, .has = "cpus=2"});
    world_gone(w, WORKER);
    needy_step(w, 1000);
    for (unsigned i = 0; i < 8; i++) {
        message_put_ping(world_frame(w, OTHER), 5, WINDOW_UNCHANGED, 0);
        needy_step(w, 1000);
        needy_assert_idle(w, OTHER);
    }
    assert_int_equal(world_state(w, id, NULL), STINT_READY);
    assert_int_equal(needy_why(w, &id, NULL).why, STINT_WHY_NEEDS);
    needy_join(w, NEEDY_THIRD, (struct needy_worker){.slots = 8, .has = "cpus=4 gpu"});
    struct dispatched_job d = world_dispatched(w, NEEDY_THIRD);
    assert_memory_equal(&d.id, &id, sizeof id);
    assert_true(d.confirm);
    needy_finish(w);
}

static void
one_that_a_worker_could_not_start_waits_for_another_that_has_it(void **state)
{
    struct world *w = needy_world();
    (void)state;
    needy_join(w, WORKER, (struct needy_worker){.slots = 8, .has = "cpus=2"});
    needy_join(w, OTHER, (struct needy_worker){.slots = 8, .has = "cpus=1"});
    struct stint_id id = needy_submit(w, 1, "cpus=2");
    needy_assert_given(w, WORKER, id);
    struct outcome o = {.id = id, .attempt = 1, .type = OUTCOME_UNABLE};
    message_put_settle(world_frame(w, WORKER), 1, &o, 1, WINDOW_UNCHANGED);
    needy_step(w, 0);
    assert_int_equal(
        world_state(w, id, NULL), STINT_SCHEDULED); /* it has failed: nobody else may */
    struct stint_id again = needy_submit(w, 2, "cpus=2");
    needy_join(w, NEEDY_THIRD, (struct needy_worker){.slots = 8, .has = "cpus=2"});
    o.id = again;
    message_put_settle(world_frame(w, WORKER), 2, &o, 1, WINDOW_UNCHANGED);
    needy_step(w, 0);
    needy_assert_given(w, NEEDY_THIRD, again);
    needy_finish(w);
}

/* Neither one that has refused it. */
static void
a_worker_is_not_reserved_for_one_that_is_kept_for_others(void **state)
{
    struct world *w = needy_world();
    (void)state;
    needy_join(w, WORKER, (struct needy_worker){.slots = 8, .has = "cpus=4"});
    struct stint_id large = needy_submit(w, 1, "cpus=4");
    needy_assert_given(w, WORKER, large);
    needy_join(w, NEEDY_THIRD, (struct needy_worker){.slots = 8, .has = "cpus=4"});
    struct stint_id busy = needy_submit(w, 2, "cpus=4");
    needy_assert_given(w, NEEDY_THIRD, busy);
    struct outcome o = {.id = large, .attempt = 1, .type = OUTCOME_UNABLE};
    message_put_settle(world_frame(w, WORKER), 1, &o, 1, WINDOW_UNCHANGED);
    needy_step(w, 0);
    struct stint_id small = needy_submit(w, 3, "cpus=1");
    needy_assert_given(w, WORKER, small);
    for (unsigned s = 0; s < 2 * RESERVE_AFTER_MS / 1000; s++) {
        message_put_ping(world_frame(w, WORKER), 5, WINDOW_UNCHANGED, 0);
        message_put_ping(world_frame(w, NEEDY_THIRD), 5, WINDOW_UNCHANGED, 0);
        needy_step(w, 1000);
    }
    struct stint_id next = needy_submit(w, 4, "cpus=1");
    needy_assert_given(w, WORKER, next);
    needy_settle(w, NEEDY_THIRD, busy, WINDOW_UNCHANGED);
    needy_assert_given(w, NEEDY_THIRD, large);
    needy_finish(w);
}

static void
a_worker_that_has_less_than_it_holds_gets_nothing_that_takes_more(void **state)
{
    struct world *w = needy_world();
    struct needy_worker is = {.slots = 8, .has = "cpus=4"};
    (void)state;
    needy_join(w, WORKER, is);
    struct stint_id one = needy_submit(w, 1, "cpus=3");
    is.has = "cpus=2";
    needy_hello(w, WORKER, is);
    struct lease_ref held = {.id = one, .attempt = 1, .begun = true};
    world_claim(w, WORKER, &held, 1);
    needy_step(w, 0);
    struct stint_id two = needy_submit(w, 2, "cpus=1");
    needy_assert_idle(w, WORKER);
    needy_settle(w, WORKER, one, WINDOW_UNCHANGED);
    needy_assert_given(w, WORKER, two);
    is.has = NULL; /* and one that has nothing any more gives nothing back */
    needy_hello(w, WORKER, is);
    held.id = two;
    world_claim(w, WORKER, &held, 1);
    needy_step(w, 0);
    needy_settle(w, WORKER, two, WINDOW_UNCHANGED);
    needy_finish(w);
}

static void
why_says_what_is_missing(void **state)
{
    struct world *w = needy_world();
    struct stint_reason why;
    (void)state;
    struct stint_id id = needy_submit(w, 1, "gpu=1");
    assert_int_equal(needy_why(w, &id, NULL).why, STINT_WHY_NO_WORKER);
    assert_int_equal(needy_why(w, NULL, "default").why, STINT_WHY_NO_WORKER);
    needy_join(w, WORKER, (struct needy_worker){.slots = 1, .has = "cpus=4 gpu=0"});
    why = needy_why(w, &id, NULL);
    assert_int_equal(why.why, STINT_WHY_NEEDS);
    assert_int_equal(why.workers, 1);
    assert_string_equal(why.needs, "gpu=1");
    why = needy_why(w, NULL, "default");
    assert_int_equal(why.why, STINT_WHY_NEEDS);
    assert_string_equal(why.needs, "gpu=1");
    needy_join(w, OTHER, (struct needy_worker){.slots = 1, .has = "gpu=1"});
    needy_assert_given(w, OTHER, id);
    struct stint_id next = needy_submit(w, 2, "gpu=1");
    why = needy_why(w, &next, NULL);
    assert_int_equal(why.why, STINT_WHY_ROOM);
    assert_int_equal(why.workers, 1);
    assert_string_equal(why.worker, "");
    assert_int_equal(needy_why(w, NULL, "default").why, STINT_WHY_NEXT);
    needy_finish(w);
}

static void
what_is_no_need_is_refused(void **state)
{
    static const char *const bad[] = {" ", "=2", "a=", "gpu=-1", "gpu=1e3", "gpu=0", "mem=1P",
        "mem=1025T", "cpus=1 cpus=2", "cpus=1.0001", ".5", "caf\xc3\xa9"};
    struct world *w = needy_world();
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct job_spec job = needy_job(bad[i]);
        world_submit(w, CLIENT, 1, &job, 1);
        needy_step(w, 0);
        assert_non_null(world_read(w, CLIENT, MESSAGE_ERROR));
        assert_int_equal(w->message.error.status, STINT_INVALID);
    }
    needy_finish(w);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_job_goes_only_where_its_labels_are),
        cmocka_unit_test(the_worker_is_told_what_a_job_needs_in_its_canonical_form),
        cmocka_unit_test(amounts_are_taken_until_a_job_ends_and_given_back_then),
        cmocka_unit_test(all_ways_in_which_a_run_ends_give_back_what_it_took),
        cmocka_unit_test(jobs_that_need_nothing_pass_those_that_find_no_room),
        cmocka_unit_test(none_is_held_ahead_and_others_do_not_take_its_slot),
        cmocka_unit_test(jobs_of_other_queues_do_not_take_its_slot_either),
        cmocka_unit_test(a_large_one_is_passed_for_a_while_and_then_gets_a_worker),
        cmocka_unit_test(more_workers_make_room_the_longer_a_large_one_waits),
        cmocka_unit_test(a_worker_without_slots_is_not_waited_for),
        cmocka_unit_test(small_ones_of_other_queues_do_not_starve_a_large_one),
        cmocka_unit_test(who_is_reserved_and_goes_makes_room_no_more),
        cmocka_unit_test(what_a_worker_claims_after_a_restart_is_taken),
        cmocka_unit_test(one_that_was_lost_with_its_worker_goes_where_it_may_run),
        cmocka_unit_test(one_that_a_worker_could_not_start_waits_for_another_that_has_it),
        cmocka_unit_test(a_worker_is_not_reserved_for_one_that_is_kept_for_others),
        cmocka_unit_test(a_worker_that_has_less_than_it_holds_gets_nothing_that_takes_more),
        cmocka_unit_test(why_says_what_is_missing),
        cmocka_unit_test(what_is_no_need_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
