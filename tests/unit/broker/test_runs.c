/* What is kept of a job's runs that have ended: by whom, when and how, as long as the job is kept,
 * and within a bound. What each kind of ending leaves is looked at in test_settle.
 */
#include "job.h"
#include "rows.h"
#include "world.h"

enum { CLIENT = 1, WORKER = 2, RAN_MS = 700 };

static void
step(struct world *w, uint64_t ms)
{
    assert_int_equal(world_step(w, ms), STINT_OK);
}

static struct world *
world_with_both(void)
{
    struct world *w = world_new(NULL);
    world_with_client(w);
    world_with_worker(w, 1);
    return w;
}

static void
start(struct world *w, struct stint_id id, uint32_t attempt)
{
    struct lease_ref lease = {.id = id, .attempt = attempt};
    message_put_leases(world_frame(w, WORKER), MESSAGE_STARTED, 7, &lease, 1, false);
    step(w, 0);
}

static void
settle(
    struct world *w, struct stint_id id, uint32_t attempt, enum outcome_type type, const char *body)
{
    world_settle(w, WORKER, 5, id, attempt, type, body);
    step(w, 0);
    assert_non_null(world_read(w, WORKER, MESSAGE_SETTLED));
    assert_int_equal(w->arrays->answers[0].count, 0);
}

/* It is dispatched at once, and ends a while later. Returns what is told of it. */
static struct stint_job_info
run(struct world *w, struct stint_id id, uint32_t attempt, enum outcome_type type, const char *body)
{
    struct stint_job_info info;
    step(w, RAN_MS);
    settle(w, id, attempt, type, body);
    (void)world_state(w, id, &info);
    return info;
}

static void
ask(struct world *w, enum message_type what, struct stint_id id)
{
    message_put_ids(world_frame(w, CLIENT), what, 6, &id, 1, 0);
    step(w, 0);
    assert_non_null(world_read(w, CLIENT, MESSAGE_ANSWERS));
    assert_int_equal(w->arrays->statuses[0], STINT_OK);
}

static void
complain(void *context, const char *what, const char *where)
{
    (void)context;
    fail_msg("%s %s", what, where);
}

/* Ends the test: what is stored fits together, and the same batches give the same store. */
static void
finish(struct world *w)
{
    struct verify_report report = {.problem = complain};
    core_verify(w->store, 0, &report);
    assert_int_equal(report.problems, 0);
    assert_true(world_replays(w));
    world_destroy(&w);
}

static void
a_run_is_told_with_its_worker_when_it_began_and_ended_and_the_first_line_of_its_error(void **state)
{
    struct world *w = world_with_both();
    struct stint_id id = world_submit_one(w, 1, "a");
    uint64_t began_ms = w->wall_ms;
    (void)state;
    struct stint_job_info info =
        run(w, id, 1, OUTCOME_FAILED, "exit status 3\nand what it wrote\non standard error");
    assert_int_equal(info.attempts_count, 1);
    assert_int_equal(info.attempts[0].attempt, 1);
    assert_int_equal(info.attempts[0].end, STINT_ATTEMPT_FAILED);
    assert_int_equal(info.attempts[0].started_ms, began_ms);
    assert_int_equal(info.attempts[0].ended_ms, began_ms + RAN_MS);
    assert_string_equal(info.attempts[0].error, "exit status 3");
    assert_string_equal(info.attempts[0].worker, "peer");
    step(w, 2000);
    assert_int_equal(world_dispatched(w, WORKER).attempt, 2);
    w->wall_ms += 3600000; /* a clock that is set moves what people are told, of all runs */
    info = run(w, id, 2, OUTCOME_SUCCEEDED, "done");
    assert_int_equal(info.state, STINT_SUCCEEDED);
    assert_int_equal(info.attempts_count, 2);
    assert_int_equal(info.attempts[1].end, STINT_ATTEMPT_SUCCEEDED);
    assert_int_equal(info.attempts[1].ended_ms, info.settled_ms);
    assert_int_equal(info.attempts[1].ended_ms - info.attempts[1].started_ms, RAN_MS);
    assert_int_equal(info.attempts[1].started_ms - info.attempts[0].ended_ms, 2000);
    assert_string_equal(info.attempts[1].error, "");
    finish(w);
}

static void
a_long_error_is_cut_between_two_characters(void **state)
{
    struct world *w = world_with_both();
    char text[2 * LIMIT_ATTEMPT_ERROR_BYTES + 2] = "x";
    (void)state;
    for (unsigned i = 0; i < LIMIT_ATTEMPT_ERROR_BYTES; i++)
        (void)strcpy(text + 1 + 2 * (size_t)i, "\xc3\xa9");
    struct stint_id id = world_submit_one(w, 1, "a");
    struct stint_job_info info = run(w, id, 1, OUTCOME_DEAD, text);
    assert_int_equal(strlen(info.attempts[0].error), LIMIT_ATTEMPT_ERROR_BYTES - 1);
    assert_memory_equal(info.attempts[0].error, text, LIMIT_ATTEMPT_ERROR_BYTES - 1);
    assert_int_equal(strlen(info.error), strlen(text));
    finish(w);
}

static void
one_that_was_lost_before_it_began_has_no_start(void **state)
{
    struct world *w = world_with_both();
    struct stint_id id = world_submit_one(w, 1, "a");
    struct stint_job_info info;
    (void)state;
    for (uint32_t attempt = 1; attempt <= 2; attempt++) {
        uint64_t began_ms = w->wall_ms;
        if (attempt == 2)
            start(w, id, attempt);
        step(w, RAN_MS);
        message_put_numbered(world_frame(w, WORKER), MESSAGE_BYE, 9);
        step(w, 0);
        (void)world_state(w, id, &info);
        assert_int_equal(info.attempts_count, attempt);
        const struct stint_attempt *last = &info.attempts[attempt - 1];
        assert_int_equal(last->end, STINT_ATTEMPT_LOST);
        assert_int_equal(last->started_ms, attempt == 2 ? began_ms : 0);
        assert_int_equal(last->ended_ms, began_ms + RAN_MS);
        assert_string_equal(last->error, "the worker was lost");
        world_with_worker(w, 1);
        assert_int_equal(world_dispatched(w, WORKER).attempt, attempt + 1);
    }
    finish(w);
}

static void
they_outlive_the_broker_and_of_what_nobody_claimed_worker_and_start_are_not_known(void **state)
{
    struct world *w = world_with_both();
    struct stint_id id = world_submit_one(w, 1, "a");
    struct stint_job_info info;
    (void)state;
    (void)run(w, id, 1, OUTCOME_FAILED, "no");
    step(w, 2000);
    assert_int_equal(world_dispatched(w, WORKER).attempt, 2);
    world_restart(w);
    for (unsigned i = 0; world_state(w, id, &info) != STINT_READY && i < 200; i++)
        step(w, 500);
    assert_int_equal(info.attempts_count, 2);
    assert_string_equal(info.attempts[0].worker, "peer");
    assert_string_equal(info.attempts[0].error, "no");
    assert_int_equal(info.attempts[1].end, STINT_ATTEMPT_LOST);
    assert_int_equal(info.attempts[1].started_ms, 0);
    assert_string_equal(info.attempts[1].worker, "");
    finish(w);
}

static void
one_that_was_claimed_after_a_restart_is_told_with_its_worker_and_no_start(void **state)
{
    struct world *w = world_with_both();
    struct stint_id id = world_submit_one(w, 1, "a");
    struct lease_ref lease = {.id = id, .attempt = 1, .begun = true};
    struct stint_job_info info;
    (void)state;
    world_restart(w);
    world_hello_worker(w, WORKER, 2, 1);
    world_claim(w, WORKER, &lease, 1);
    step(w, RAN_MS);
    settle(w, id, 1, OUTCOME_SUCCEEDED, "");
    (void)world_state(w, id, &info);
    assert_int_equal(info.attempts_count, 1);
    assert_string_equal(info.attempts[0].worker, "peer");
    assert_int_equal(info.attempts[0].started_ms, 0); /* when it was handed out is not known now */
    finish(w);
}

static void
one_that_was_given_back_to_its_worker_is_told_once_as_it_ended(void **state)
{
    struct world *w = world_with_both();
    struct stint_id id = world_submit_one(w, 1, "a");
    struct lease_ref lease = {.id = id, .attempt = 1, .begun = true};
    uint64_t began_ms = w->wall_ms;
    struct stint_job_info info;
    (void)state;
    start(w, id, 1);
    step(w, RAN_MS);
    message_put_numbered(world_frame(w, WORKER), MESSAGE_BYE, 9);
    step(w, 0);
    (void)world_state(w, id, &info);
    assert_int_equal(info.attempts[0].end, STINT_ATTEMPT_LOST);
    world_hello_worker(w, WORKER, 2, 0);
    world_claim(w, WORKER, &lease, 1);
    step(w, 0);
    assert_int_equal(world_state(w, id, &info), STINT_RUNNING);
    info = run(w, id, 1, OUTCOME_FAILED, "after all");
    assert_int_equal(info.attempts_count, 1);
    assert_int_equal(info.attempts[0].end, STINT_ATTEMPT_FAILED);
    assert_string_equal(info.attempts[0].error, "after all");
    assert_int_equal(info.attempts[0].started_ms, began_ms);
    assert_int_equal(info.attempts[0].ended_ms, began_ms + 2 * RAN_MS);
    finish(w);
}

static void
a_late_outcome_keeps_when_it_began(void **state)
{
    struct world *w = world_with_both();
    struct stint_id id = world_submit_one(w, 1, "a");
    uint64_t began_ms = w->wall_ms;
    struct stint_job_info info;
    (void)state;
    start(w, id, 1);
    step(w, RAN_MS);
    message_put_numbered(world_frame(w, WORKER), MESSAGE_BYE, 9);
    step(w, RAN_MS);
    world_hello_worker(w, WORKER, 2, 0);
    world_claim(w, WORKER, NULL, 0);
    step(w, 0);
    settle(w, id, 1, OUTCOME_SUCCEEDED, "");
    (void)world_state(w, id, &info);
    assert_int_equal(info.attempts_count, 1);
    assert_int_equal(info.attempts[0].end, STINT_ATTEMPT_SUCCEEDED);
    assert_int_equal(info.attempts[0].started_ms, began_ms);
    assert_int_equal(info.attempts[0].ended_ms, began_ms + 2 * RAN_MS);
    assert_string_equal(info.attempts[0].worker, "peer");
    finish(w);
}

static void
count(void *context, const char *what, const char *where)
{
    (void)where;
    *(unsigned *)context += strstr(what, "runs can't be so") != NULL;
}

static void
runs_that_do_not_fit_to_their_job_are_noticed(void **state)
{
    (void)state;
    for (unsigned wrong = 0; wrong < 4; wrong++) {
        struct world *w = world_with_both();
        struct stint_id id = world_submit_one(w, 1, "a");
        unsigned problems = 0;
        struct verify_report report = {.problem = count, .context = &problems};
        struct job job;
        static uint8_t bytes[ATTEMPTS_BYTES_MAX];
        (void)run(w, id, 1, OUTCOME_SUCCEEDED, "");
        w->store->ops->begin(w->store);
        assert_true(job_find(w->core, &id, &job));
        struct attempt_row row = {.attempt = wrong == 1 ? 2 : 1,
            .end = wrong == 2 ? STINT_ATTEMPT_FAILED : STINT_ATTEMPT_SUCCEEDED};
        job.record.attempts = attempts_add(bytes, (struct slice){0}, job.record.submitted_ms, &row);
        if (wrong == 3)
            bytes[0] = 0;
        job_write(w->core, &job);
        assert_int_equal(w->store->ops->commit(w->store), STINT_OK);
        core_verify(w->store, 0, &report);
        assert_int_equal(problems, wrong != 0);
        world_destroy(&w);
    }
}

static void
of_very_many_the_newest_are_kept_through_retry_move_and_change(void **state)
{
    enum { MANY = 100 };
    struct world *w = world_with_both();
    struct stint_id id = world_submit_one(w, 1, "a");
    struct stint_job_info info = {.attempts_count = 0};
    (void)state;
    for (uint32_t attempt = 1; attempt <= MANY; attempt++) {
        info = run(w, id, attempt, OUTCOME_DEAD, "a reason that is not short");
        assert_int_equal(info.attempts[info.attempts_count - 1].attempt, attempt);
        if (attempt == MANY / 2) {
            struct change c = {.set = CHANGE_PRIORITY, .to = {.priority = 7}};
            message_put_change(world_frame(w, CLIENT), 8, &id, 1, &c);
            step(w, 0);
        }
        ask(w, MESSAGE_RETRY, id);
    }
    assert_true(info.attempts_count > ATTEMPTS_BYTES_MAX / 40 &&
        info.attempts_count <= LIMIT_ATTEMPTS_TOLD);
    for (uint32_t i = 0; i < info.attempts_count; i++)
        assert_int_equal(info.attempts[i].attempt, MANY - info.attempts_count + 1 + i);
    finish(w);
}

static void
who_does_not_ask_for_them_gets_none(void **state)
{
    struct world *w = world_with_both();
    struct stint_id id = world_submit_one(w, 1, "a");
    (void)state;
    (void)run(w, id, 1, OUTCOME_SUCCEEDED, "");
    message_put_ids(world_frame(w, CLIENT), MESSAGE_GET, 6, &id, 1, PART_PAYLOAD | PART_RESULT);
    step(w, 0);
    assert_non_null(world_read(w, CLIENT, MESSAGE_JOBS));
    assert_true(message_next_job(w->arrays));
    assert_int_equal(w->arrays->info.attempts_count, 0);
    assert_null(w->arrays->info.attempts);
    finish(w);
}

static void
many_jobs_that_are_asked_for_at_once_fit_into_a_message(void **state)
{
    enum { JOBS = 4000, RUNS = 40, LEAST = 200 };
    struct world *w = world_with_both();
    static struct stint_id ids[JOBS];
    struct stint_id id = world_submit_one(w, 1, "a");
    uint32_t told = 0;
    (void)state;
    for (uint32_t attempt = 1; attempt <= RUNS; attempt++) {
        (void)run(w, id, attempt, OUTCOME_DEAD, "a reason that is not short");
        ask(w, MESSAGE_RETRY, id);
    }
    for (unsigned i = 0; i < JOBS; i++)
        ids[i] = id;
    message_put_ids(world_frame(w, CLIENT), MESSAGE_GET, 6, ids, JOBS, PART_ATTEMPTS);
    step(w, 0);
    assert_non_null(world_read(w, CLIENT, MESSAGE_JOBS));
    assert_int_equal(w->message.count, JOBS);
    for (unsigned i = 0; i < JOBS; i++) {
        assert_true(message_next_job(w->arrays));
        told += w->arrays->info.attempts != NULL;
    }
    assert_true(told >= LEAST && told < JOBS); /* for the rest there was no room */
    finish(w);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(
            a_run_is_told_with_its_worker_when_it_began_and_ended_and_the_first_line_of_its_error),
        cmocka_unit_test(a_long_error_is_cut_between_two_characters),
        cmocka_unit_test(one_that_was_lost_before_it_began_has_no_start),
        cmocka_unit_test(
            they_outlive_the_broker_and_of_what_nobody_claimed_worker_and_start_are_not_known),
        cmocka_unit_test(one_that_was_claimed_after_a_restart_is_told_with_its_worker_and_no_start),
        cmocka_unit_test(one_that_was_given_back_to_its_worker_is_told_once_as_it_ended),
        cmocka_unit_test(a_late_outcome_keeps_when_it_began),
        cmocka_unit_test(runs_that_do_not_fit_to_their_job_are_noticed),
        cmocka_unit_test(of_very_many_the_newest_are_kept_through_retry_move_and_change),
        cmocka_unit_test(who_does_not_ask_for_them_gets_none),
        cmocka_unit_test(many_jobs_that_are_asked_for_at_once_fit_into_a_message),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
