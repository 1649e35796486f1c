/* Bulk operations: what they do to which jobs, that they end after a restart with what they said,
 * and that what comes after their beginning is left as it is.
 */
#include "bulked.h"

/* ---- one job in each state ---- */

enum { READY, RUNNING, SCHEDULED, SUCCEEDED, DEAD, CANCELLED, JOBS };
static const enum stint_state states[JOBS] = {
    STINT_READY, STINT_RUNNING, STINT_SCHEDULED, STINT_SUCCEEDED, STINT_DEAD, STINT_CANCELLED_JOB};

static struct world *
world_of_all_states(struct stint_id ids[JOBS])
{
    static const enum outcome_type outcomes[JOBS] = {
        [SCHEDULED] = OUTCOME_FAILED, [SUCCEEDED] = OUTCOME_SUCCEEDED, [DEAD] = OUTCOME_DEAD};
    struct world *w = world_new(NULL);
    world_with_client(w);
    for (unsigned i = RUNNING; i < JOBS; i++) {
        struct job_spec job = world_job("x");
        uint32_t count;
        job.backoff_base_ms = job.backoff_cap_ms = 600000;
        world_submit(w, CLIENT, i, &job, 1);
        assert_int_equal(world_step(w, 0), STINT_OK);
        assert_non_null(world_read(w, CLIENT, MESSAGE_SUBMITTED));
        assert_true(message_next_run(&w->arrays->answers[0], &ids[i], &count));
    }
    message_put_ids(world_frame(w, CLIENT), MESSAGE_CANCEL, 4, &ids[CANCELLED], 1, 0);
    world_with_worker(w, 4);
    for (unsigned i = SCHEDULED; i <= DEAD; i++)
        world_settle(w, WORKER, i, ids[i], 1, outcomes[i], "told");
    message_put_ping(world_frame(w, WORKER), 9, 0, 0); /* it takes no more */
    assert_int_equal(world_step(w, 10), STINT_OK);
    ids[READY] = world_submit_one(w, JOBS, "x");
    assert_int_equal(world_step(w, 10), STINT_OK);
    for (unsigned i = 0; i < JOBS; i++)
        assert_int_equal(world_state(w, ids[i], NULL), states[i]);
    return w;
}

static void
what_an_operation_does_in_each_state(void **state)
{
    enum { SAME = -1 };
    /* What becomes of a job: SAME: it is not meant. */
    static const struct {
        enum stint_bulk_action action;
        int to[JOBS];
        unsigned done;
    } cases[] = {
        {STINT_BULK_CANCEL,
            {STINT_CANCELLED_JOB, STINT_CANCELLED_JOB, STINT_CANCELLED_JOB, SAME, SAME, SAME}, 3},
        {STINT_BULK_RETRY, {SAME, SAME, SAME, SAME, STINT_READY, STINT_READY}, 2},
        {STINT_BULK_DELETE,
            {STINT_UNKNOWN, SAME, STINT_UNKNOWN, STINT_UNKNOWN, STINT_UNKNOWN, STINT_UNKNOWN}, 5},
        {STINT_BULK_PROMOTE, {SAME, SAME, STINT_READY, SAME, SAME, SAME}, 1},
        {STINT_BULK_MOVE,
            {STINT_READY, SAME, STINT_SCHEDULED, SAME, STINT_DEAD, STINT_CANCELLED_JOB}, 4},
        {STINT_BULK_PRIORITY,
            {STINT_READY, SAME, STINT_SCHEDULED, SAME, STINT_DEAD, STINT_CANCELLED_JOB}, 4}};
    (void)state;
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        struct stint_id ids[JOBS];
        struct world *w = world_of_all_states(ids);
        (void)begin(w, cases[c].action, "");
        struct stint_bulk_info i = finish(w);
        assert_int_equal(i.counted, cases[c].done);
        assert_int_equal(i.done, cases[c].done);
        assert_int_equal(i.refused, 0);
        for (unsigned n = 0; n < JOBS; n++) {
            struct stint_job_info info;
            bool meant = cases[c].to[n] != SAME;
            enum stint_state to = meant ? (enum stint_state)cases[c].to[n] : states[n];
            assert_int_equal(world_state(w, ids[n], &info), to);
            if (cases[c].action == STINT_BULK_MOVE)
                assert_string_equal(info.queue, meant ? "other" : "default");
            if (cases[c].action == STINT_BULK_PRIORITY)
                assert_int_equal(info.priority, meant ? 7 : DEFAULT_PRIORITY);
        }
        check_whole(w);
        world_destroy(&w);
    }
}

static void
a_running_job_that_is_cancelled_is_taken_from_its_worker(void **state)
{
    struct stint_id ids[JOBS];
    struct world *w = world_of_all_states(ids);
    (void)state;
    message_put_ids(world_frame(w, CLIENT), MESSAGE_WAIT, 4, &ids[RUNNING], 1, 0);
    put_bulk(w, CLIENT, request(STINT_BULK_CANCEL), "state=running");
    bool revoked = false, told = false;
    for (unsigned i = 0; i < 4; i++) {
        assert_int_equal(world_step(w, 1), STINT_OK);
        revoked |= world_count(w, WORKER, MESSAGE_REVOKE) > 0;
        told |= world_count(w, CLIENT, MESSAGE_OUTCOMES) > 0;
    }
    assert_true(revoked && told);
    assert_int_equal(finish(w).done, 1);
    world_destroy(&w);
}

static void
who_waits_for_a_job_that_is_deleted_hears_that_it_is_cancelled(void **state)
{
    struct stint_id ids[JOBS];
    struct world *w = world_of_all_states(ids);
    bool told = false;
    (void)state;
    message_put_ids(world_frame(w, CLIENT), MESSAGE_WAIT, 4, &ids[READY], 1, 0);
    put_bulk(w, CLIENT, request(STINT_BULK_DELETE), "state=ready");
    for (unsigned i = 0; i < 4 && !told; i++) {
        assert_int_equal(world_step(w, 1), STINT_OK);
        told = world_read(w, CLIENT, MESSAGE_OUTCOMES) && message_next_job(w->arrays);
    }
    assert_true(told);
    assert_int_equal(w->arrays->info.state, STINT_CANCELLED_JOB);
    assert_int_equal(world_state(w, ids[READY], NULL), STINT_UNKNOWN);
    world_destroy(&w);
}

/* ---- which jobs ---- */

static void
jobs_that_come_after_its_beginning_are_left(void **state)
{
    struct world *w = world_with_many();
    struct job_spec job = world_job("late");
    (void)state;
    put_bulk(w, CLIENT, request(STINT_BULK_CANCEL), "queue=default");
    world_submit(w, CLIENT, 2, &job, 1); /* before it is answered: it is one of them */
    assert_int_equal(world_step(w, 0), STINT_OK);
    world_submit(w, CLIENT, 3, &job, 1); /* at the same moment by the clock, and behind it */
    assert_int_equal(world_step(w, 0), STINT_OK);
    struct stint_bulk_info i = finish(w);
    assert_int_equal(i.counted, MANY + 1);
    assert_int_equal(i.done, MANY + 1);
    assert_int_equal(counted_in(w, STINT_READY), 1);
    assert_int_equal(counted_in(w, STINT_CANCELLED_JOB), MANY + 1);
    check_whole(w);
    world_destroy(&w);
}

static void
jobs_that_come_after_a_restart_are_left(void **state)
{
    struct world *w = world_with_many();
    (void)state;
    (void)begin(w, STINT_BULK_CANCEL, "queue=default");
    world_restart(w);
    world_hello_client(w, CLIENT, 1);
    assert_int_equal(world_step(w, 0), STINT_OK);
    (void)world_submit_one(w, 2, "late");
    assert_int_equal(finish(w).done, MANY);
    assert_int_equal(counted_in(w, STINT_READY), 1);
    world_destroy(&w);
}

static void
a_job_that_ends_meanwhile_is_left_and_told(void **state)
{
    struct stint_id ids[JOBS];
    struct world *w = world_of_all_states(ids);
    (void)state;
    /* It is counted as scheduled, in the step in which it begins, and is dead when its turn comes.
     */
    const struct change now = {.set = CHANGE_DELAY};
    struct bulk_request k = request(STINT_BULK_MOVE);
    put_bulk(w, CLIENT, k, "queue=default");
    assert_int_equal(world_step(w, 0), STINT_OK);
    assert_int_equal(read_one(w, CLIENT)->state, STINT_BULK_COUNTING);
    message_put_ids(world_frame(w, CLIENT), MESSAGE_CANCEL, 4, &ids[SCHEDULED], 1, 0);
    message_put_change(world_frame(w, CLIENT), 4, &ids[READY], 1, &now);
    struct stint_bulk_info i = finish(w);
    assert_int_equal(i.counted, 4);
    assert_int_equal(i.done, 3);
    assert_int_equal(i.refused, 0);
    struct stint_job_info info;
    assert_int_equal(world_state(w, ids[SCHEDULED], &info), STINT_CANCELLED_JOB);
    assert_string_equal(info.queue, "default");
    world_destroy(&w);
}

static void
a_job_that_becomes_due_while_the_walk_goes_on_is_met_all_the_same(void **state)
{
    enum { LATER = 400 };
    struct world *w = world_with_many();
    struct stint_id ids[LATER];
    const struct change later = {.set = CHANGE_DELAY, .delay_ms = 3};
    (void)state;
    for (unsigned i = 0; i < LATER; i++)
        ids[i] = id_make(0, 1, DEFAULT_PRIORITY, MANY - i);
    message_put_change(world_frame(w, CLIENT), 4, ids, LATER, &later);
    assert_int_equal(world_step(w, 0), STINT_OK);
    (void)begin(w, STINT_BULK_CANCEL, "queue=default");
    for (unsigned i = 0; i < 100; i++)
        assert_int_equal(world_step(w, 1), STINT_OK);
    struct stint_bulk_info i = finish(w);
    assert_int_equal(i.counted, MANY);
    assert_int_equal(i.done, MANY);
    world_destroy(&w);
}

static void
a_job_that_moves_ahead_of_the_walk_is_done_once(void **state)
{
    struct world *w = world_with_many();
    (void)state;
    submit_many(w, 2, "other", 10); /* the walk gets there later */
    (void)begin(w, STINT_BULK_MOVE, "kind=default");
    struct stint_bulk_info i = finish(w);
    assert_int_equal(i.counted, MANY);
    assert_int_equal(i.done, MANY);
    check_whole(w);
    world_destroy(&w);
}

static void
an_operation_of_one_queue_leaves_the_others(void **state)
{
    struct world *w = world_with_many();
    (void)state;
    submit_many(w, 2, "other", 10);
    submit_many(w, 3, "third", 5);
    (void)begin(w, STINT_BULK_DELETE, "queue=other");
    assert_int_equal(finish(w).done, 10);
    assert_int_equal(counted_in(w, STINT_READY), MANY + 5);
    world_destroy(&w);
}

/* ---- bounds, and the end ---- */

static void
a_step_does_a_piece_and_answers_others(void **state)
{
    struct world *w = world_with_many();
    uint64_t before = 0;
    unsigned pieces = 0;
    (void)state;
    (void)begin(w, STINT_BULK_CANCEL, "");
    for (uint64_t n = 2; counted_in(w, STINT_CANCELLED_JOB) < MANY; n++) {
        (void)world_submit_one(w, n, "other"); /* in that very step */
        uint64_t now = counted_in(w, STINT_CANCELLED_JOB);
        assert_true(now - before <= 300);
        assert_true(now == MANY || core_idle_ms(w->core) == 0);
        pieces += now > before;
        before = now;
        assert_true(n < 1000);
    }
    assert_true(pieces >= MANY / 300);
    world_destroy(&w);
}

static void
slow_steps_become_smaller(void **state)
{
    struct world *w = world_with_many();
    uint64_t before, now = 0;
    unsigned pieces = 0;
    (void)state;
    (void)begin(w, STINT_BULK_CANCEL, "");
    do {
        before = now;
        assert_int_equal(world_step(w, 50), STINT_OK);
        now = counted_in(w, STINT_CANCELLED_JOB);
        pieces += now > before;
    } while (now < MANY);
    assert_true(pieces > MANY / 100);
    world_destroy(&w);
}

/* What the row says is what was done, whenever the broker is killed. */
static void
a_broker_that_is_killed_at_any_step_goes_on_where_it_was(void **state)
{
    struct world *w = world_with_many();
    unsigned restarts = 0;
    (void)state;
    (void)begin(w, STINT_BULK_CANCEL, "queue=default");
    struct stint_bulk_info i;
    do {
        assert_int_equal(world_step(w, 0), STINT_OK);
        world_restart(w);
        world_hello_client(w, CLIENT, 1);
        uint64_t cancelled = counted_in(w, STINT_CANCELLED_JOB);
        i = look(w); /* which is answered before that step's piece */
        assert_int_equal(i.done, cancelled);
        assert_true(i.state == STINT_BULK_COUNTING || i.counted == MANY);
        restarts++;
    } while (i.state != STINT_BULK_DONE);
    assert_true(restarts > 3);
    assert_int_equal(i.done, MANY);
    assert_int_equal(i.refused, 0);
    check_whole(w);
    world_destroy(&w);
}

static void
a_commit_that_fails_undoes_the_jobs_and_the_count_of_them(void **state)
{
    struct world *w = world_with_many();
    (void)state;
    (void)begin(w, STINT_BULK_CANCEL, "");
    while (counted_in(w, STINT_CANCELLED_JOB) == 0)
        assert_int_equal(world_step(w, 0), STINT_OK);
    uint64_t done = counted_in(w, STINT_CANCELLED_JOB);
    store_model_fail_commit(w->store, 0);
    assert_int_equal(world_step(w, 0), STINT_IO);
    world_restart(w);
    assert_int_equal(counted_in(w, STINT_CANCELLED_JOB), done);
    world_hello_client(w, CLIENT, 1);
    assert_int_equal(finish(w).done, MANY);
    assert_int_equal(counted_in(w, STINT_CANCELLED_JOB), MANY);
    world_destroy(&w);
}

static void
what_was_played_is_played_again_the_same(void **state)
{
    struct world *w = world_with_many();
    (void)state;
    (void)begin(w, STINT_BULK_MOVE, "queue=default");
    (void)finish(w);
    assert_true(world_replays(w));
    world_destroy(&w);
}

static void
a_dry_one_counts_and_changes_nothing(void **state)
{
    struct world *w = world_with_many();
    struct bulk_request k = request(STINT_BULK_DELETE);
    (void)state;
    k.dry = true;
    put_bulk(w, CLIENT, k, "queue=default");
    assert_int_equal(world_step(w, 0), STINT_OK);
    struct stint_bulk_info i = finish(w);
    assert_true(i.dry);
    assert_int_equal(i.counted, MANY);
    assert_int_equal(i.done, 0);
    assert_int_equal(i.examples_count, 3);
    for (uint32_t n = 0; n < 3; n++)
        assert_int_equal(world_state(w, i.examples[n], NULL), STINT_READY);
    assert_int_equal(counted_in(w, STINT_READY), MANY);
    world_destroy(&w);
}

static void
one_that_is_stopped_does_no_more(void **state)
{
    struct world *w = world_with_many();
    (void)state;
    (void)begin(w, STINT_BULK_CANCEL, "");
    while (counted_in(w, STINT_CANCELLED_JOB) == 0)
        assert_int_equal(world_step(w, 0), STINT_OK);
    put_list(w, CLIENT, MESSAGE_STOP_BULK, NUMBER);
    assert_int_equal(world_step(w, 0), STINT_OK);
    struct stint_bulk_info i = *read_one(w, CLIENT);
    assert_int_equal(i.state, STINT_BULK_STOPPED);
    assert_int_equal(i.counted, MANY);
    assert_true(i.done > 0 && i.done < MANY);
    world_restart(w);
    for (unsigned n = 0; n < 20; n++)
        assert_int_equal(world_step(w, 1), STINT_OK);
    assert_int_equal(counted_in(w, STINT_CANCELLED_JOB), i.done);
    world_destroy(&w);
}

static void
what_a_job_is_refused_is_counted_and_told(void **state)
{
    struct world *w = world_with_many();
    (void)state;
    message_put_set_queue(world_frame(w, CLIENT), 4, text("other"), STINT_CLOSE_QUEUE, NULL);
    (void)begin(w, STINT_BULK_MOVE, "queue=default");
    struct stint_bulk_info i = finish(w);
    assert_int_equal(i.counted, MANY);
    assert_int_equal(i.done, 0);
    assert_int_equal(i.refused, MANY);
    assert_int_equal(i.status, STINT_QUEUE_CLOSED);
    world_destroy(&w);
}

/* What a key with these rights on this queue is told of the operation when it asks so. */
static struct stint_bulk_info
told(struct world *w, struct grant *g, enum message_type type)
{
    w->grants[KEYED] = g;
    world_hello_client(w, KEYED, 7);
    assert_int_equal(world_step(w, 0), STINT_OK);
    if (type == MESSAGE_BULK)
        put_bulk(w, KEYED, request(STINT_BULK_MOVE), "queue=mail");
    else
        put_list(w, KEYED, type, NUMBER);
    assert_int_equal(world_step(w, 0), STINT_OK);
    struct stint_bulk_info i = *read_one(w, KEYED);
    world_gone(w, KEYED);
    assert_int_equal(world_step(w, 0), STINT_OK);
    return i;
}

/* The new queue takes no jobs, so that all are refused. */
static void
who_may_not_see_the_jobs_or_the_new_queue_is_told_nothing_of_them(void **state)
{
    struct grant mail = grant_of("mail", RIGHT_SEE, NULL);
    struct grant blind = grant_of("blind", RIGHT_SUBMIT, NULL);
    struct grant all = grant_of("all", RIGHT_SEE | RIGHT_SUBMIT, NULL);
    struct world *w = world_new(NULL);
    (void)state;
    mail.patterns_count = 1;
    (void)strcpy(mail.patterns[0], "mail");
    world_with_client(w);
    submit_many(w, 1, "mail", 5);
    submit_many(w, 2, "other", 1);
    message_put_set_queue(world_frame(w, CLIENT), 3, text("other"), STINT_CLOSE_QUEUE, NULL);
    (void)begin(w, STINT_BULK_MOVE, "queue=mail");
    struct stint_bulk_info i = finish(w);
    assert_int_equal(i.refused, 5);
    assert_int_equal(i.status, STINT_QUEUE_CLOSED);

    i = told(w, &mail, MESSAGE_LIST_BULKS);
    assert_int_equal(i.refused, 5);
    assert_string_equal(i.queue, "");
    assert_int_equal(i.status, STINT_OK);

    i = told(w, &blind, MESSAGE_BULK);
    assert_int_equal(i.state, STINT_BULK_DONE);
    assert_string_equal(i.queue, "other");
    assert_int_equal(i.counted + i.done + i.refused + i.examples_count, 0);
    assert_int_equal(i.status, STINT_OK);
    i = told(w, &blind, MESSAGE_STOP_BULK);
    assert_int_equal(i.counted + i.refused, 0);

    i = told(w, &all, MESSAGE_BULK);
    assert_int_equal(i.refused, 5);
    assert_int_equal(i.status, STINT_QUEUE_CLOSED);
    world_destroy(&w);
}

static void
who_may_not_see_jobs_does_not_have_them_counted(void **state)
{
    struct grant blind = grant_of("blind", RIGHT_SUBMIT | RIGHT_CONTROL, NULL);
    struct world *w = world_new(NULL);
    struct bulk_request dry = request(STINT_BULK_CANCEL);
    (void)state;
    dry.dry = true;
    w->grants[KEYED] = &blind;
    world_hello_client(w, KEYED, 7);
    put_bulk(w, KEYED, dry, "");
    assert_int_equal(world_step(w, 0), STINT_OK);
    assert_null(world_read(w, KEYED, MESSAGE_BULKS));
    expect_error(w, STINT_DENIED);
    world_destroy(&w);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_an_operation_does_in_each_state),
        cmocka_unit_test(a_running_job_that_is_cancelled_is_taken_from_its_worker),
        cmocka_unit_test(who_waits_for_a_job_that_is_deleted_hears_that_it_is_cancelled),
        cmocka_unit_test(jobs_that_come_after_its_beginning_are_left),
        cmocka_unit_test(jobs_that_come_after_a_restart_are_left),
        cmocka_unit_test(a_job_that_ends_meanwhile_is_left_and_told),
        cmocka_unit_test(a_job_that_becomes_due_while_the_walk_goes_on_is_met_all_the_same),
        cmocka_unit_test(a_job_that_moves_ahead_of_the_walk_is_done_once),
        cmocka_unit_test(an_operation_of_one_queue_leaves_the_others),
        cmocka_unit_test(a_step_does_a_piece_and_answers_others),
        cmocka_unit_test(slow_steps_become_smaller),
        cmocka_unit_test(a_broker_that_is_killed_at_any_step_goes_on_where_it_was),
        cmocka_unit_test(a_commit_that_fails_undoes_the_jobs_and_the_count_of_them),
        cmocka_unit_test(what_was_played_is_played_again_the_same),
        cmocka_unit_test(a_dry_one_counts_and_changes_nothing),
        cmocka_unit_test(one_that_is_stopped_does_no_more),
        cmocka_unit_test(what_a_job_is_refused_is_counted_and_told),
        cmocka_unit_test(who_may_not_see_the_jobs_or_the_new_queue_is_told_nothing_of_them),
        cmocka_unit_test(who_may_not_see_jobs_does_not_have_them_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
