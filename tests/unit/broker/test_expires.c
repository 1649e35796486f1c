/* Jobs that expire if they have not begun in time: when, from where, what becomes of them then, and
 * that one that has begun never does.
 */
#include "keyed.h"
#include "rows.h"

enum { CLIENT = 1, WORKER = 2, THIRD = 3, SOON = 5000 };

static void
step(struct world *w, uint64_t ms)
{
    assert_int_equal(world_step(w, ms), STINT_OK);
}

static struct world *
world_with_both(uint32_t slots)
{
    struct world *w = world_new(NULL);
    world_with_client(w);
    if (slots > 0) {
        world_with_worker(w, slots);
        world_claim(w, WORKER, NULL, 0);
        step(w, 0);
    }
    return w;
}

static struct job_spec
job_for(uint64_t expires_in_ms)
{
    struct job_spec job = world_job("payload");
    job.expires_in_ms = expires_in_ms;
    return job;
}

/* The id of a job that was submitted so. */
static struct stint_id
submit(struct world *w, uint64_t number, struct job_spec job)
{
    struct stint_id id = {{0}};
    uint32_t count;
    world_submit(w, CLIENT, number, &job, 1);
    step(w, 0);
    assert_non_null(world_read(w, CLIENT, MESSAGE_SUBMITTED));
    assert_true(message_next_run(&w->arrays->answers[0], &id, &count));
    return id;
}

static bool
is_handed_out(struct world *w)
{
    return world_count(w, WORKER, MESSAGE_DISPATCH) > 0;
}

static void
assert_handed_out(struct world *w, const struct stint_id *id)
{
    struct dispatched_job d = world_dispatched(w, WORKER);
    assert_memory_equal(&d.id, id, sizeof *id);
}

static size_t
deadlines(struct world *w)
{
    return store_model_count(w->store, STORE_DEADLINES);
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

static enum stint_status
ask(struct world *w, enum message_type what, struct stint_id id)
{
    message_put_ids(world_frame(w, CLIENT), what, 6, &id, 1, 0);
    step(w, 0);
    assert_non_null(world_read(w, CLIENT, MESSAGE_ANSWERS));
    return w->arrays->statuses[0];
}

static void
start(struct world *w, uint32_t worker, struct stint_id id, uint32_t attempt)
{
    struct lease_ref lease = {.id = id, .attempt = attempt};
    message_put_leases(world_frame(w, worker), MESSAGE_STARTED, 7, &lease, 1, false);
    step(w, 0);
}

static void
one_that_waits_expires_at_its_time_and_who_waits_for_it_is_told(void **state)
{
    struct world *w = world_with_both(0);
    struct stint_job_info info;
    struct stint_stats stats;
    (void)state;
    message_put_subscribe(world_frame(w, CLIENT), 70, (struct slice){0}, 0, NULL, 0);
    struct stint_id id = submit(w, 1, job_for(SOON));
    assert_int_equal(world_state(w, id, &info), STINT_READY);
    assert_int_equal(info.expires_at_ms, info.submitted_ms + SOON);
    message_put_ids(world_frame(w, CLIENT), MESSAGE_WAIT, 5, &id, 1, 0);
    step(w, SOON - 1);
    assert_int_equal(core_idle_ms(w->core), 1);
    assert_int_equal(deadlines(w), 1);
    assert_int_equal(world_state(w, id, NULL), STINT_READY);
    step(w, 1);
    assert_non_null(world_read(w, CLIENT, MESSAGE_OUTCOMES));
    assert_true(message_next_job(w->arrays));
    assert_int_equal(w->arrays->info.state, STINT_EXPIRED);
    assert_non_null(world_read(w, CLIENT, MESSAGE_EVENTS));
    assert_int_equal(w->arrays->events[0].type, STINT_EVENT_EXPIRED);
    assert_int_equal(world_state(w, id, &info), STINT_EXPIRED);
    assert_int_equal(info.attempt, 0);
    assert_int_equal(info.expires_at_ms, 0);
    assert_non_null(strstr(info.error, "had not begun"));
    core_stats(w->core, &stats);
    assert_int_equal(stats.jobs[STINT_EXPIRED], 1);
    assert_int_equal(stats.totals[STINT_COUNT_EXPIRED], 1);
    assert_int_equal(stats.totals[STINT_COUNT_CANCELLED], 0);
    assert_int_equal(deadlines(w), 0);
    finish(w);
}

static void
of_a_duration_and_a_time_the_earlier_counts(void **state)
{
    struct world *w = world_with_both(0);
    struct stint_job_info info;
    struct job_spec job = job_for(SOON);
    (void)state;
    job.expires_at_ms = w->wall_ms + 9 * SOON;
    (void)world_state(w, submit(w, 1, job), &info);
    assert_int_equal(info.expires_at_ms, info.submitted_ms + SOON);
    job.expires_at_ms = w->wall_ms + 1000;
    (void)world_state(w, submit(w, 2, job), &info);
    assert_int_equal(info.expires_at_ms, job.expires_at_ms);
    w->wall_ms += 3600000; /* a clock that is set moves what people are told, and no job */
    step(w, 0);
    job.expires_in_ms = 0;
    job.expires_at_ms = w->wall_ms + 1000;
    struct stint_id id = submit(w, 3, job);
    (void)world_state(w, id, &info);
    assert_int_equal(info.expires_at_ms, job.expires_at_ms);
    step(w, 999);
    assert_int_equal(world_state(w, id, NULL), STINT_READY);
    step(w, 1);
    assert_int_equal(world_state(w, id, NULL), STINT_EXPIRED);
    finish(w);
}

static void
one_that_is_over_when_it_comes_expires_at_once_and_is_seen_so(void **state)
{
    struct world *w = world_with_both(4);
    struct job_spec job = job_for(0);
    (void)state;
    job.expires_at_ms = 1;
    struct stint_id id = submit(w, 1, job);
    assert_false(is_handed_out(w));
    step(w, 0);
    assert_int_equal(world_state(w, id, NULL), STINT_EXPIRED);
    job.delay_ms = SOON; /* one that is scheduled likewise */
    id = submit(w, 2, job);
    step(w, 0);
    assert_int_equal(world_state(w, id, NULL), STINT_EXPIRED);
    assert_int_equal(store_model_count(w->store, STORE_DUE), 0);
    finish(w);
}

static void
one_that_is_scheduled_expires_too(void **state)
{
    struct world *w = world_with_both(4);
    struct job_spec job = job_for(SOON);
    (void)state;
    job.delay_ms = 2 * SOON;
    struct stint_id late = submit(w, 1, job);
    job.delay_ms = SOON / 2;
    struct stint_id id = submit(w, 2, job);
    step(w, SOON / 2);
    assert_handed_out(w, &id);
    step(w, SOON / 2);
    assert_int_equal(world_state(w, late, NULL), STINT_EXPIRED);
    assert_int_equal(store_model_count(w->store, STORE_DUE), 0);
    step(w, 2 * SOON);
    assert_false(is_handed_out(w));
    finish(w);
}

static void
one_that_a_worker_holds_may_begin_and_comes_back_to_expire(void **state)
{
    struct world *w = world_with_both(4);
    (void)state;
    struct stint_id begins = submit(w, 1, job_for(SOON)), returns = submit(w, 2, job_for(SOON));
    assert_int_equal(deadlines(w), 2);
    step(w, 2 * SOON);
    assert_int_equal(deadlines(w), 0); /* nothing is to be looked at while they are held */
    assert_true(core_idle_ms(w->core) > 0);
    assert_int_equal(world_state(w, begins, NULL), STINT_RUNNING);
    start(w, WORKER, begins, 1);
    world_settle(w, WORKER, 9, begins, 1, OUTCOME_FAILED, "it broke");
    world_settle(w, WORKER, 10, returns, 1, OUTCOME_RETURNED, "");
    step(w, 0);
    assert_false(is_handed_out(w));
    step(w, 0);
    assert_int_equal(world_state(w, returns, NULL), STINT_EXPIRED);
    assert_int_equal(world_state(w, begins, NULL), STINT_SCHEDULED);
    step(w, 2 * SOON);
    assert_handed_out(w, &begins);
    finish(w);
}

/* It begins in time, and is in the backlog again when its time is over. */
static void
one_that_has_begun_never_expires(void **state)
{
    enum way { TOLD, FAILED, SNOOZED, LOST, RESTARTED, WAYS };
    (void)state;
    for (enum way way = TOLD; way < WAYS; way++) {
        struct world *w = world_with_both(4);
        struct stint_id id = submit(w, 1, job_for(SOON));
        enum outcome_type type = way == SNOOZED ? OUTCOME_SNOOZED : OUTCOME_FAILED;
        struct stint_job_info info;
        if (way == FAILED || way == SNOOZED)
            world_settle(w, WORKER, 9, id, 1, type, "");
        else
            start(w, WORKER, id, 1);
        step(w, 0);
        if (way == RESTARTED) {
            world_restart(w);
            world_with_client(w);
        }
        assert_int_equal(deadlines(w), 0);
        (void)world_state(w, id, &info);
        assert_int_equal(info.expires_at_ms, 0);
        if (way == LOST)
            message_put_numbered(world_frame(w, WORKER), MESSAGE_BYE, 9);
        for (unsigned i = 0; i < 3; i++)
            step(w, SOON);
        assert_int_not_equal(world_state(w, id, NULL), STINT_EXPIRED);
        finish(w);
    }
}

/* Its worker is lost, leaves, can't start it, or never had it; and the broker may restart. */
static void
one_that_comes_back_without_having_begun_expires(void **state)
{
    enum way { LEFT, UNABLE, RESTARTED, NOT_CLAIMED, WAYS };
    (void)state;
    for (enum way way = LEFT; way < WAYS; way++) {
        struct world *w = world_with_both(way == UNABLE ? 1 : 4);
        struct stint_job_info info;
        if (way == UNABLE) { /* there is another one that might start it, and has no room */
            world_hello_worker(w, THIRD, 77, 0);
            world_claim(w, THIRD, NULL, 0);
            step(w, 0);
        }
        struct stint_id id = submit(w, 1, job_for(60000));
        step(w, 60000);
        assert_int_equal(world_state(w, id, NULL), STINT_RUNNING);
        if (way == LEFT)
            message_put_numbered(world_frame(w, WORKER), MESSAGE_BYE, 9);
        else if (way == UNABLE)
            world_settle(w, WORKER, 9, id, 1, OUTCOME_UNABLE, "no such program");
        else {
            world_restart(w);
            world_with_client(w);
            if (way == NOT_CLAIMED) {
                world_with_worker(w, 4);
                world_claim(w, WORKER, NULL, 0);
            }
        }
        for (unsigned i = 0; i < 30; i++)
            step(w, 1000);
        assert_int_equal(world_state(w, id, &info), STINT_EXPIRED);
        assert_int_equal(info.failures, 0);
        finish(w);
    }
}

static void
what_is_told_of_it_afterwards_is_stale(void **state)
{
    struct world *w = world_with_both(4);
    uint32_t index;
    enum stint_status status;
    (void)state;
    struct stint_id id = submit(w, 1, job_for(SOON));
    world_settle(w, WORKER, 9, id, 1, OUTCOME_RETURNED, "");
    step(w, SOON);
    step(w, 0);
    assert_int_equal(world_state(w, id, NULL), STINT_EXPIRED);
    world_settle(w, WORKER, 10, id, 1, OUTCOME_SUCCEEDED, "done");
    step(w, 0);
    assert_non_null(world_read(w, WORKER, MESSAGE_SETTLED));
    assert_true(message_next_exception(&w->arrays->answers[0], &index, &status));
    assert_int_equal(status, STINT_STALE);
    assert_int_equal(world_state(w, id, NULL), STINT_EXPIRED);
    finish(w);
}

static void
none_is_handed_out_after_its_time_however_many_there_are(void **state)
{
    enum { MANY = 6000, FEW = 3 };
    struct world *w = world_with_both(0);
    struct job_spec job = job_for(SOON), plain = world_job("x");
    struct stint_stats stats;
    (void)state;
    for (uint64_t n = 0; n < MANY / 1000; n++)
        world_submit_many(w, CLIENT, n + 1, &job, 1000);
    world_submit_many(w, CLIENT, MANY / 1000 + 1, &plain, FEW);
    world_with_worker(w, 8);
    world_claim(w, WORKER, NULL, 0); /* in the step in which all are over */
    step(w, 2 * SOON);
    for (unsigned i = 0; i < 8; i++) {
        if (world_read(w, WORKER, MESSAGE_DISPATCH))
            for (uint32_t j = 0; j < w->message.count; j++)
                assert_true(id_sequence(&w->arrays->dispatched[j].id) > MANY);
        step(w, 0);
    }
    core_stats(w->core, &stats);
    assert_int_equal(stats.jobs[STINT_EXPIRED], MANY);
    assert_int_equal(stats.jobs[STINT_RUNNING], FEW);
    assert_int_equal(deadlines(w), 0);
    finish(w);
}

/* One that was lost with a worker waits until another one has nothing else to begin. The clock has
 * so much to do in that step that it does not come to it. */
static void
nor_is_one_that_was_kept_apart(void **state)
{
    enum { MANY = 3000 };
    struct world *w = world_with_both(1);
    struct job_spec other = job_for(SOON - 1);
    (void)state;
    other.queue = text("other");
    struct stint_id suspect = submit(w, 1, job_for(SOON));
    assert_true(is_handed_out(w));
    world_hello_worker(w, THIRD, 77, 2);
    world_claim(w, THIRD, NULL, 0);
    step(w, 0);
    struct stint_id plain = submit(w, 2, world_job("x"));
    assert_int_equal(world_count(w, THIRD, MESSAGE_DISPATCH), 1);
    message_put_numbered(world_frame(w, WORKER), MESSAGE_BYE, 9);
    step(w, 0);
    for (uint64_t n = 0; n < MANY / 1000; n++)
        world_submit_many(w, CLIENT, n + 3, &other, 1000);
    assert_int_equal(world_state(w, suspect, NULL), STINT_READY);
    struct lease_ref lease = {.id = plain, .attempt = 1};
    message_put_leases(world_frame(w, THIRD), MESSAGE_STARTED, 7, &lease, 1, false);
    step(w, SOON);
    assert_int_equal(world_count(w, THIRD, MESSAGE_DISPATCH), 0);
    assert_true(deadlines(w) > 0);
    assert_int_equal(world_state(w, suspect, NULL), STINT_EXPIRED);
    step(w, 0);
    finish(w);
}

static void
it_waits_for_its_time_through_a_restart(void **state)
{
    struct world *w = world_with_both(0);
    (void)state;
    struct stint_id id = submit(w, 1, job_for(60000));
    world_restart(w);
    world_with_client(w);
    step(w, 30000);
    assert_int_equal(world_state(w, id, NULL), STINT_READY);
    step(w, 60000);
    assert_int_equal(world_state(w, id, NULL), STINT_EXPIRED);
    finish(w);
}

static void
a_retry_brings_it_back_for_good(void **state)
{
    struct world *w = world_with_both(0);
    struct stint_job_info info;
    (void)state;
    struct stint_id id = submit(w, 1, job_for(SOON));
    step(w, SOON);
    assert_int_equal(ask(w, MESSAGE_CANCEL, id), STINT_WRONG_STATE);
    assert_int_equal(ask(w, MESSAGE_RETRY, id), STINT_OK);
    step(w, 9 * SOON);
    assert_int_equal(world_state(w, id, &info), STINT_READY);
    assert_int_equal(info.expires_at_ms, 0);
    struct stint_id cancelled = submit(w, 2, job_for(SOON));
    assert_int_equal(ask(w, MESSAGE_CANCEL, cancelled), STINT_OK);
    assert_int_equal(deadlines(w), 0);
    struct stint_id deleted = submit(w, 3, job_for(SOON));
    assert_int_equal(ask(w, MESSAGE_DELETE, deleted), STINT_OK);
    assert_int_equal(deadlines(w), 0);
    step(w, SOON);
    assert_int_equal(world_state(w, cancelled, NULL), STINT_CANCELLED_JOB);
    assert_int_equal(world_state(w, deleted, NULL), STINT_UNKNOWN);
    finish(w);
}

static void
one_that_was_moved_or_put_off_expires_all_the_same(void **state)
{
    struct world *w = world_with_both(0);
    struct change changes[] = {
        {.set = CHANGE_QUEUE, .to = {.queue = text("other")}},
        {.set = CHANGE_PRIORITY, .to = {.priority = 7}},
        {.set = CHANGE_DELAY, .delay_ms = 9 * SOON},
        {.set = CHANGE_DELAY},
    };
    struct stint_id ids[4];
    (void)state;
    for (unsigned i = 0; i < 4; i++) {
        ids[i] = submit(w, i + 1, job_for(SOON));
        message_put_change(world_frame(w, CLIENT), 9, &ids[i], 1, &changes[i]);
        step(w, 0);
        assert_int_equal(deadlines(w), i + 1);
    }
    step(w, SOON);
    for (unsigned i = 0; i < 4; i++)
        assert_int_equal(world_state(w, ids[i], NULL), STINT_EXPIRED);
    finish(w);
}

static void
its_outcome_is_kept_like_that_of_a_cancelled_one(void **state)
{
    struct world *w = world_with_both(0);
    struct job_spec job = job_for(SOON);
    uint64_t most_ms = w->options.keep_ms + (1ULL << EXPIRY_SLOT_SHIFT) * 2;
    (void)state;
    job.keep_ms = 0; /* so it is forgotten if it succeeds */
    struct stint_id id = submit(w, 1, job);
    step(w, SOON);
    step(w, w->options.keep_ms - 1);
    assert_int_equal(world_state(w, id, NULL), STINT_EXPIRED);
    step(w, most_ms - w->options.keep_ms);
    step(w, 0);
    assert_int_equal(world_state(w, id, NULL), STINT_UNKNOWN);
    finish(w);
}

static void
one_that_is_forgotten_at_success_leaves_no_row(void **state)
{
    struct world *w = world_with_both(4);
    struct job_spec job = job_for(SOON);
    (void)state;
    job.keep_ms = 0;
    struct stint_id id = submit(w, 1, job);
    assert_int_equal(deadlines(w), 1);
    world_settle(w, WORKER, 9, id, 1, OUTCOME_SUCCEEDED, "");
    step(w, 0);
    assert_int_equal(deadlines(w), 0);
    assert_int_equal(world_state(w, id, NULL), STINT_UNKNOWN);
    finish(w);
}

static void
its_unique_key_is_free_then(void **state)
{
    struct world *w = world_with_both(0);
    struct job_spec job = job_for(SOON);
    (void)state;
    job.unique = text("key");
    struct stint_id first = submit(w, 1, job), met = submit(w, 2, job);
    assert_memory_equal(&met, &first, sizeof met);
    step(w, SOON);
    struct stint_id second = submit(w, 3, job);
    assert_memory_not_equal(&second, &first, sizeof first);
    assert_int_equal(world_state(w, first, NULL), STINT_EXPIRED);
    assert_int_equal(ask(w, MESSAGE_RETRY, first), STINT_UNIQUE_HELD);
    finish(w);
}

/* A filter and a list know the state. */
static void
they_are_listed(void **state)
{
    struct world *w = world_with_both(0);
    (void)state;
    struct stint_id id = submit(w, 1, job_for(SOON));
    (void)submit(w, 2, world_job("x"));
    step(w, SOON);
    for (unsigned all = 0; all < 2; all++) {
        struct message list = {.type = MESSAGE_LIST};
        list.list.states = all ? 0 : STINT_STATE_BIT(STINT_EXPIRED);
        message_put_list(world_frame(w, CLIENT), 8, &list);
        step(w, 0);
        assert_non_null(world_read(w, CLIENT, MESSAGE_JOBS));
        assert_int_equal(w->message.count, 1 + all);
        for (unsigned i = 0; i <= all; i++)
            assert_true(message_next_job(w->arrays));
        assert_memory_equal(&w->arrays->info.id, &id, sizeof id);
        assert_int_equal(w->arrays->info.state, STINT_EXPIRED);
    }
    finish(w);
}

/* Rows that lead nowhere are no work for ever, and the verifier sees them. */
static void
a_row_that_leads_nowhere_goes_and_one_that_lacks_is_missed(void **state)
{
    uint8_t key[TIME_KEY_BYTES];
    struct verify_report report = {.problem = NULL};
    struct stint_id none = id_make(0, 1, DEFAULT_PRIORITY, 99);
    (void)state;
    for (unsigned lacks = 0; lacks < 2; lacks++) {
        struct world *w = world_with_both(0);
        struct stint_id id = submit(w, 1, job_for(SOON));
        struct slice row = time_key(key, w->wall_ms + SOON, lacks ? &id : &none);
        report.problems = 0;
        w->store->ops->begin(w->store);
        if (lacks)
            assert_true(store_del(w->store, STORE_DEADLINES, row));
        else
            store_put(w->store, STORE_DEADLINES, row, (struct slice){0}, (struct slice){0});
        assert_int_equal(w->store->ops->commit(w->store), STINT_OK);
        core_verify(w->store, 0, &report);
        assert_int_equal(report.problems, 1);
        step(w, SOON);
        assert_int_equal(deadlines(w), 0);
        world_destroy(&w);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_that_waits_expires_at_its_time_and_who_waits_for_it_is_told),
        cmocka_unit_test(of_a_duration_and_a_time_the_earlier_counts),
        cmocka_unit_test(one_that_is_over_when_it_comes_expires_at_once_and_is_seen_so),
        cmocka_unit_test(one_that_is_scheduled_expires_too),
        cmocka_unit_test(one_that_a_worker_holds_may_begin_and_comes_back_to_expire),
        cmocka_unit_test(one_that_has_begun_never_expires),
        cmocka_unit_test(one_that_comes_back_without_having_begun_expires),
        cmocka_unit_test(what_is_told_of_it_afterwards_is_stale),
        cmocka_unit_test(none_is_handed_out_after_its_time_however_many_there_are),
        cmocka_unit_test(nor_is_one_that_was_kept_apart),
        cmocka_unit_test(it_waits_for_its_time_through_a_restart),
        cmocka_unit_test(a_retry_brings_it_back_for_good),
        cmocka_unit_test(one_that_was_moved_or_put_off_expires_all_the_same),
        cmocka_unit_test(its_outcome_is_kept_like_that_of_a_cancelled_one),
        cmocka_unit_test(one_that_is_forgotten_at_success_leaves_no_row),
        cmocka_unit_test(its_unique_key_is_free_then),
        cmocka_unit_test(they_are_listed),
        cmocka_unit_test(a_row_that_leads_nowhere_goes_and_one_that_lacks_is_missed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
