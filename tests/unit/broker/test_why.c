/* Why a job waits, situation by situation: each is made, and the reason told has to be that one,
 * with its numbers.
 */
#include "keyed.h"

#include <stdio.h>

enum { CLIENT = 1, WORKER = 2, SECOND = 3 };

static void
step(struct world *w, uint64_t ms)
{
    assert_int_equal(world_step(w, ms), STINT_OK);
}

/* A worker of the queue "mail" that takes orders; `kind` NULL: it handles all. */
static void
greet(struct world *w, uint32_t peer, uint32_t slots, const char *kind)
{
    const struct slice queue = text("mail"), kinds = text(kind ? kind : "");
    struct hello h = {.version_min = 1,
        .version_max = 1,
        .role = ROLE_WORKER,
        .name = text("worker"),
        .software = text("test"),
        .slots = slots,
        .window = slots,
        .cores = 4,
        .queues = 1,
        .kinds = kind != NULL};
    memset(h.session, (int)peer, sizeof h.session);
    message_put_hello(world_frame(w, peer), &h, &queue, &kinds, NULL);
    world_claim(w, peer, NULL, 0);
    step(w, 0);
}

static struct world *
world_with(uint32_t workers, uint32_t slots)
{
    struct world *w = world_new(NULL);
    world_with_client(w);
    for (uint32_t i = 0; i < workers; i++)
        greet(w, WORKER + i, slots, NULL);
    return w;
}

static void
put_jobs(struct world *w, uint64_t number, uint32_t count, uint8_t priority, uint32_t attempts)
{
    struct job_spec jobs[16];
    assert_true(count <= 16);
    for (uint32_t i = 0; i < count; i++) {
        jobs[i] = world_job("payload");
        jobs[i].queue = text("mail");
        jobs[i].kind = text("letter");
        jobs[i].priority = priority;
        jobs[i].max_attempts = attempts;
    }
    world_submit(w, CLIENT, number, jobs, count);
}

static void
submit(struct world *w, uint32_t count)
{
    put_jobs(w, 1, count, DEFAULT_PRIORITY, 5);
    step(w, 0);
}

static struct stint_id
job(uint64_t sequence)
{
    return id_make(0, 1, DEFAULT_PRIORITY, sequence);
}

static void
put_why(struct world *w, struct stint_id id)
{
    message_put_why(world_frame(w, CLIENT), 55, (struct slice){0}, &id, 1);
}

/* The reason that was told in the last step. */
static struct stint_reason
told(struct world *w)
{
    const struct message *m = world_read(w, CLIENT, MESSAGE_REASONS);
    assert_non_null(m);
    assert_int_equal(m->number, 55);
    assert_int_equal(m->count, 1);
    assert_true(message_next_reason(w->arrays));
    return w->arrays->reason;
}

static struct stint_reason
why(struct world *w, struct stint_id id, enum stint_why expected)
{
    put_why(w, id);
    step(w, 0);
    struct stint_reason r = told(w);
    if (r.why != expected)
        fail_msg("it is said to be %s, not %s", stint_why_name(r.why), stint_why_name(expected));
    assert_memory_equal(&r.id, &id, sizeof id);
    if (expected != STINT_WHY_UNKNOWN) {
        assert_string_equal(r.queue, "mail");
        assert_string_equal(r.kind, "letter");
    }
    return r;
}

static struct stint_reason
why_queue(struct world *w, const char *queue, enum stint_why expected)
{
    message_put_why(world_frame(w, CLIENT), 55, text(queue), NULL, 0);
    step(w, 0);
    struct stint_reason r = told(w);
    if (r.why != expected)
        fail_msg("it is said to be %s, not %s", stint_why_name(r.why), stint_why_name(expected));
    assert_string_equal(r.queue, queue);
    return r;
}

static void
settle(struct world *w, uint64_t sequence, uint32_t attempt, struct outcome o)
{
    o.id = job(sequence);
    o.attempt = attempt;
    message_put_settle(world_frame(w, WORKER), 40 + attempt, &o, 1, WINDOW_UNCHANGED);
    step(w, 0);
}

static void
set_queue(struct world *w, enum stint_queue_action action)
{
    message_put_set_queue(world_frame(w, CLIENT), 66, text("mail"), action, NULL);
    step(w, 0);
}

static void
control(struct world *w, enum control_action action)
{
    const struct control c = {.action = action, .target = CONTROL_ALL, .slots = SLOTS_OWN};
    message_put_control(world_frame(w, CLIENT), 67, &c);
    step(w, 0);
}

/* ---- it is over, or under way ---- */

static void
a_job_that_is_not_there(void **state)
{
    struct world *w = world_with(0, 0);
    (void)state;
    submit(w, 1);
    (void)why(w, job(2), STINT_WHY_UNKNOWN);
    (void)why(w, id_make(0, 9, 0, 1), STINT_WHY_UNKNOWN);
    world_destroy(&w);
}

static void
one_that_is_settled(void **state)
{
    struct world *w = world_with(1, 2);
    (void)state;
    submit(w, 2);
    settle(w, 1, 1, (struct outcome){.type = OUTCOME_SUCCEEDED});
    settle(w, 2, 1, (struct outcome){.type = OUTCOME_DEAD});
    assert_int_equal(why(w, job(1), STINT_WHY_SETTLED).state, STINT_SUCCEEDED);
    assert_int_equal(why(w, job(2), STINT_WHY_SETTLED).state, STINT_DEAD);
    world_destroy(&w);
}

static void
one_that_a_worker_has_and_one_that_runs(void **state)
{
    struct world *w = world_with(1, 2);
    struct lease_ref started = {.id = job(1), .attempt = 1};
    (void)state;
    submit(w, 1);
    assert_string_equal(why(w, job(1), STINT_WHY_HELD).worker, "worker");
    message_put_leases(world_frame(w, WORKER), MESSAGE_STARTED, 2, &started, 1, false);
    step(w, 0);
    assert_string_equal(why(w, job(1), STINT_WHY_RUNNING).worker, "worker");
    world_gone(w, WORKER);
    assert_string_equal(why(w, job(1), STINT_WHY_CUT_OFF).worker, "worker");
    world_destroy(&w);
}

static void
one_that_was_handed_out_before_a_restart_and_one_that_waits_in_the_grace_time(void **state)
{
    struct world *w = world_with(1, 1);
    (void)state;
    submit(w, 2);
    world_restart(w);
    world_hello_client(w, CLIENT, 1);
    struct stint_reason r = why(w, job(1), STINT_WHY_UNCLAIMED);
    assert_int_equal(r.due_ms, w->wall_ms + DEFAULT_GRACE_MS);
    r = why(w, job(2), STINT_WHY_GRACE);
    assert_int_equal(r.due_ms, w->wall_ms + DEFAULT_GRACE_MS);
    step(w, DEFAULT_GRACE_MS / 2);
    step(w, DEFAULT_GRACE_MS);
    for (unsigned i = 0; i < 20; i++) /* the broker counts as it listens */
        step(w, 1000);
    world_hello_client(w, CLIENT, 1);
    (void)why(w, job(1), STINT_WHY_NO_WORKER);
    (void)why(w, job(2), STINT_WHY_NO_WORKER);
    world_destroy(&w);
}

/* ---- it is not its time ---- */

static void
one_that_failed_and_is_tried_again(void **state)
{
    struct world *w = world_with(1, 1);
    (void)state;
    submit(w, 1);
    settle(w, 1, 1, (struct outcome){.type = OUTCOME_FAILED, .body = text("no paper")});
    struct stint_reason r = why(w, job(1), STINT_WHY_RETRY);
    assert_string_equal(r.error, "no paper");
    assert_in_range(r.due_ms, w->wall_ms + 1, w->wall_ms + 2 * DEFAULT_BACKOFF_BASE_MS);
    assert_int_equal(r.workers, 0);
    world_destroy(&w);
}

static void
one_that_its_handler_has_put_off(void **state)
{
    struct world *w = world_with(1, 1);
    (void)state;
    submit(w, 1);
    settle(w, 1, 1, (struct outcome){.type = OUTCOME_SNOOZED, .delay_ms = 180000});
    struct stint_reason r = why(w, job(1), STINT_WHY_SNOOZED);
    assert_int_equal(r.due_ms, w->wall_ms + 180000);
    assert_string_equal(r.error, "");
    world_destroy(&w);
}

/* ---- people want it so ---- */

static void
one_whose_queue_is_paused_whatever_else_there_is(void **state)
{
    struct world *w = world_with(0, 0);
    (void)state;
    submit(w, 1);
    set_queue(w, STINT_PAUSE_QUEUE);
    (void)why(w, job(1), STINT_WHY_PAUSED);
    greet(w, WORKER, 2, NULL);
    (void)why(w, job(1), STINT_WHY_PAUSED);
    set_queue(w, STINT_RESUME_QUEUE);
    (void)why(w, job(1), STINT_WHY_HELD);
    world_destroy(&w);
}

static void
one_whose_workers_are_paused(void **state)
{
    struct world *w = world_with(2, 1);
    (void)state;
    control(w, CONTROL_PAUSE);
    world_hello_worker(w, WORKER + 2, WORKER + 2, 5); /* of another queue */
    world_claim(w, WORKER + 2, NULL, 0);
    submit(w, 1);
    struct stint_reason r = why(w, job(1), STINT_WHY_UNWILLING);
    assert_int_equal(r.workers, 2);
    assert_int_equal(r.paused, 2);
    assert_int_equal(r.leaving + r.away, 0);
    assert_int_equal(r.slots, 0);
    world_destroy(&w);
}

static void
one_whose_workers_leave_or_are_cut_off_or_have_no_slots(void **state)
{
    struct world *w = world_with(1, 1);
    (void)state;
    control(w, CONTROL_DRAIN);
    submit(w, 1);
    struct stint_reason r = why(w, job(1), STINT_WHY_UNWILLING);
    assert_int_equal(r.leaving, 1);
    greet(w, SECOND, 0, NULL);
    r = why(w, job(1), STINT_WHY_UNWILLING);
    assert_int_equal(r.workers, 2);
    assert_int_equal(r.leaving, 1);
    assert_int_equal(r.paused + r.away, 0); /* so the second one has no slots */
    world_gone(w, SECOND);
    r = why(w, job(1), STINT_WHY_UNWILLING);
    assert_int_equal(r.leaving, 1);
    assert_int_equal(r.away, 1);
    world_destroy(&w);
}

static void
one_whose_worker_has_no_share_of_the_fleets_size_yet(void **state)
{
    const struct stint_fleet size = {.slots = 3};
    struct world *w = world_with(0, 0);
    (void)state;
    message_put_fleet(world_frame(w, CLIENT), MESSAGE_SET_FLEET, 5, &size);
    step(w, 0);
    submit(w, 1);
    greet(w, WORKER, 2, NULL);
    (void)why(w, job(1), STINT_WHY_UNWILLING);
    step(w, 200);
    (void)why(w, job(1), STINT_WHY_HELD);
    world_destroy(&w);
}

/* ---- there is nobody for it ---- */

static void
one_that_no_worker_serves(void **state)
{
    struct world *w = world_with(0, 0);
    (void)state;
    submit(w, 1);
    world_hello_worker(w, WORKER, 2, 5); /* of another queue */
    world_claim(w, WORKER, NULL, 0);
    struct stint_reason r = why(w, job(1), STINT_WHY_NO_WORKER);
    assert_int_equal(r.workers + r.slots, 0);
    world_destroy(&w);
}

static void
one_whose_kind_no_worker_handles(void **state)
{
    struct world *w = world_with(0, 0);
    (void)state;
    submit(w, 1);
    greet(w, WORKER, 2, "parcel");
    greet(w, SECOND, 2, "card");
    assert_int_equal(why(w, job(1), STINT_WHY_NO_HANDLER).workers, 2);
    world_destroy(&w);
}

static void
one_that_a_worker_cant_start(void **state)
{
    struct world *w = world_with(2, 1);
    (void)state;
    submit(w, 2); /* one to each */
    assert_int_equal(world_count(w, WORKER, MESSAGE_DISPATCH), 1);
    struct dispatched_job d = world_dispatched(w, WORKER);
    uint64_t first = id_sequence(&d.id);
    settle(w, first, 1, (struct outcome){.type = OUTCOME_UNABLE, .body = text("no such program")});
    struct stint_reason r = why(w, job(first), STINT_WHY_UNABLE);
    assert_int_equal(r.workers, 1); /* the other one, which is busy */
    assert_string_equal(r.error, "no such program");
    world_destroy(&w);
}

/* ---- those that are there have other things to do ---- */

static void
one_that_waits_for_a_worker_of_its_own(void **state)
{
    struct world *w = world_with(1, 1);
    (void)state;
    submit(w, 2);
    message_put_numbered(world_frame(w, WORKER), MESSAGE_BYE, 9); /* lost with the first one */
    step(w, 0);
    put_jobs(w, 2, 1, 200, 5);
    greet(w, WORKER, 1, NULL); /* it gets the urgent one */
    struct stint_reason r = why(w, job(1), STINT_WHY_SUSPECT);
    assert_int_equal(r.workers, 1);
    (void)why(w, job(2), STINT_WHY_BUSY);
    world_destroy(&w);
}

static void
one_that_waits_behind_others_for_a_slot(void **state)
{
    struct world *w = world_with(2, 2);
    (void)state;
    put_jobs(w, 1, 10, DEFAULT_PRIORITY, 5); /* one of them, and all of those, are handed out */
    put_jobs(w, 2, 3, 200, 5);
    step(w, 0);
    struct stint_reason r = why(w, job(10), STINT_WHY_BUSY);
    assert_int_equal(r.workers, 2);
    assert_int_equal(r.slots, 4);
    assert_int_equal(r.before, 8);
    put_why(w, id_make(0, 1, 200, 3));
    step(w, 0);
    assert_int_equal(told(w).why, STINT_WHY_HELD); /* an urgent one, which went first */
    world_destroy(&w);
}

static void
how_many_are_before_it_is_exact_where_nothing_has_moved_and_a_bound_where_it_has(void **state)
{
    struct world *w = world_with(0, 0);
    struct stint_id gone[] = {job(2), job(3)};
    (void)state;
    submit(w, 10);
    struct stint_reason r = why(w, job(6), STINT_WHY_NO_WORKER);
    assert_int_equal(r.before, 5);
    assert_false(r.about);
    message_put_ids(world_frame(w, CLIENT), MESSAGE_CANCEL, 6, gone, 2, 0);
    step(w, 0);
    r = why(w, job(6), STINT_WHY_NO_WORKER);
    assert_true(r.about);
    assert_in_range(r.before, 3, 5);
    r = why(w, job(10), STINT_WHY_NO_WORKER);
    assert_int_equal(r.before, 7);
    assert_false(r.about);
    assert_int_equal(why(w, job(1), STINT_WHY_NO_WORKER).before, 0);
    put_jobs(w, 2, 3, 200, 5);
    put_jobs(w, 3, 4, 7, 5);
    step(w, 0);
    assert_int_equal(why(w, job(1), STINT_WHY_NO_WORKER).before, 3);
    assert_int_equal(why(w, job(10), STINT_WHY_NO_WORKER).before, 10);
    assert_int_equal(why(w, id_make(0, 1, 200, 2), STINT_WHY_NO_WORKER).before, 1);
    world_destroy(&w);
}

static void
one_that_nothing_holds_up(void **state)
{
    struct world *w = world_with(1, 1);
    (void)state;
    put_jobs(w, 1, 1, DEFAULT_PRIORITY, 5);
    put_why(w, job(1)); /* in the step in which it is handed out */
    step(w, 0);
    assert_int_equal(told(w).why, STINT_WHY_NEXT);
    assert_non_null(world_read(w, WORKER, MESSAGE_DISPATCH));
    world_destroy(&w);
}

/* It has a free slot, and can't be told of anything. */
static void
one_whose_worker_does_not_read(void **state)
{
    struct core_options options;
    (void)state;
    core_options_init(&options);
    options.unread_bytes = 2000;
    struct world *w = world_new(&options);
    world_with_client(w);
    greet(w, WORKER, 1, NULL);
    for (uint64_t n = 1; n <= 200; n++)
        message_put_ping(world_frame(w, WORKER), n, WINDOW_UNCHANGED, n);
    step(w, 0);
    submit(w, 1);
    struct stint_reason r = why(w, job(1), STINT_WHY_UNWILLING);
    assert_int_equal(r.workers, 1);
    assert_int_equal(r.away, 1);
    world_destroy(&w);
}

/* ---- queues ---- */

static void
a_queue_in_which_nothing_waits(void **state)
{
    struct world *w = world_with(1, 1);
    (void)state;
    (void)why_queue(w, "mail", STINT_WHY_NOTHING); /* only a worker waits at it */
    submit(w, 1);
    (void)why_queue(w, "mail", STINT_WHY_NOTHING);
    settle(w, 1, 1, (struct outcome){.type = OUTCOME_SNOOZED, .delay_ms = 5000});
    (void)why_queue(w, "mail", STINT_WHY_DUE);
    message_put_why(world_frame(w, CLIENT), 55, text("other"), NULL, 0);
    step(w, 0);
    assert_non_null(world_read(w, CLIENT, MESSAGE_ERROR));
    assert_int_equal(w->message.error.status, STINT_NO_SUCH_QUEUE);
    world_destroy(&w);
}

static void
a_queue_that_is_paused_closed_or_full(void **state)
{
    struct core_options options;
    (void)state;
    core_options_init(&options);
    options.max.queue_backlog = 2;
    struct world *w = world_new(&options);
    world_with_client(w);
    submit(w, 1);
    struct stint_reason r = why_queue(w, "mail", STINT_WHY_NO_WORKER);
    assert_false(r.closed || r.full);
    set_queue(w, STINT_CLOSE_QUEUE);
    set_queue(w, STINT_PAUSE_QUEUE);
    r = why_queue(w, "mail", STINT_WHY_PAUSED);
    assert_true(r.closed);
    assert_false(r.full);
    set_queue(w, STINT_OPEN_QUEUE);
    put_jobs(w, 2, 1, DEFAULT_PRIORITY, 5);
    step(w, 0);
    r = why_queue(w, "mail", STINT_WHY_PAUSED);
    assert_true(r.full);
    assert_int_equal(r.before, 2);
    world_destroy(&w);
}

static void
a_queue_whose_workers_are_of_no_use(void **state)
{
    struct world *w = world_with(0, 0);
    (void)state;
    submit(w, 3);
    greet(w, WORKER, 2, "parcel");
    struct stint_reason r = why_queue(w, "mail", STINT_WHY_NO_HANDLER);
    assert_string_equal(r.kind, "letter");
    assert_int_equal(r.workers, 1);
    greet(w, SECOND, 1, NULL);
    message_put_worker_ping(
        world_frame(w, WORKER), 3, &(struct ping){.window = 0, .slots = SLOTS_UNCHANGED});
    r = why_queue(w, "mail", STINT_WHY_BUSY);
    assert_int_equal(r.slots, 1);
    assert_int_equal(r.before, 2);
    world_destroy(&w);
}

/* ---- who asks what ---- */

static void
what_is_no_question_is_refused(void **state)
{
    struct world *w = world_with(0, 0);
    struct stint_id ids[65];
    (void)state;
    for (unsigned i = 0; i < 65; i++)
        ids[i] = job(i + 1);
    submit(w, 1);
    for (unsigned n = 0; n < 3; n++) {
        message_put_why(world_frame(w, CLIENT), 55, n == 1 ? text("mail") : (struct slice){0}, ids,
            n == 0       ? 0
                : n == 1 ? 1
                         : 65);
        step(w, 0);
        assert_non_null(world_read(w, CLIENT, MESSAGE_ERROR));
        assert_int_equal(w->message.error.status, STINT_INVALID);
    }
    message_put_why(world_frame(w, CLIENT), 55, (struct slice){0}, ids, 64);
    step(w, 0);
    assert_non_null(world_read(w, CLIENT, MESSAGE_REASONS));
    assert_int_equal(w->message.count, 64);
    world_destroy(&w);
}

/* What a worker does for a queue that the peer may not see is no business of the peer's. */
static void
a_key_is_not_told_how_busy_a_worker_is_that_it_does_not_see_all_of(void **state)
{
    struct world *w = world_with(0, 0);
    const struct slice both[] = {text("mail"), text("pay.roll")};
    struct hello h = {.version_min = 1,
        .version_max = 1,
        .role = ROLE_WORKER,
        .session = {WORKER},
        .slots = 1,
        .window = 1,
        .queues = 2};
    struct grant g = grant_of("key", RIGHTS_ALL, "mail");
    struct stint_id id = job(1);
    (void)state;
    w->grants[KEYED] = &g;
    put_hello(w, KEYED, ROLE_CLIENT, "");
    message_put_hello(world_frame(w, WORKER), &h, both, NULL, NULL);
    world_claim(w, WORKER, NULL, 0);
    step(w, 0);
    put_jobs(w, 1, 1, DEFAULT_PRIORITY, 5);
    message_put_why(world_frame(w, KEYED), 55, (struct slice){0}, &id, 1);
    put_why(w, id);
    step(w, 0);
    assert_int_equal(told(w).why, STINT_WHY_NEXT);
    assert_non_null(world_read(w, KEYED, MESSAGE_REASONS));
    assert_true(message_next_reason(w->arrays));
    assert_int_equal(w->arrays->reason.why, STINT_WHY_BUSY);
    world_destroy(&w);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_job_that_is_not_there),
        cmocka_unit_test(one_that_is_settled),
        cmocka_unit_test(one_that_a_worker_has_and_one_that_runs),
        cmocka_unit_test(
            one_that_was_handed_out_before_a_restart_and_one_that_waits_in_the_grace_time),
        cmocka_unit_test(one_that_failed_and_is_tried_again),
        cmocka_unit_test(one_that_its_handler_has_put_off),
        cmocka_unit_test(one_whose_queue_is_paused_whatever_else_there_is),
        cmocka_unit_test(one_whose_workers_are_paused),
        cmocka_unit_test(one_whose_workers_leave_or_are_cut_off_or_have_no_slots),
        cmocka_unit_test(one_whose_worker_has_no_share_of_the_fleets_size_yet),
        cmocka_unit_test(one_that_no_worker_serves),
        cmocka_unit_test(one_whose_kind_no_worker_handles),
        cmocka_unit_test(one_that_a_worker_cant_start),
        cmocka_unit_test(one_that_waits_for_a_worker_of_its_own),
        cmocka_unit_test(one_that_waits_behind_others_for_a_slot),
        cmocka_unit_test(
            how_many_are_before_it_is_exact_where_nothing_has_moved_and_a_bound_where_it_has),
        cmocka_unit_test(one_that_nothing_holds_up),
        cmocka_unit_test(one_whose_worker_does_not_read),
        cmocka_unit_test(a_queue_in_which_nothing_waits),
        cmocka_unit_test(a_queue_that_is_paused_closed_or_full),
        cmocka_unit_test(a_queue_whose_workers_are_of_no_use),
        cmocka_unit_test(what_is_no_question_is_refused),
        cmocka_unit_test(a_key_is_not_told_how_busy_a_worker_is_that_it_does_not_see_all_of),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
