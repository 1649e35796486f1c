/* What becomes of an outcome that is told: in time, late, twice, or by somebody else. However an
 * attempt ended, each kind of outcome that comes afterwards has one answer and leaves one state.
 */
#include "job.h"
#include "world.h"

#include <stdlib.h>

enum { HOUR_MS = 3600000, TYPES = OUTCOME_UNABLE + 1 };

/* How the first attempt ended, before the outcome that is looked at comes. */
enum ending {
    NOT_ENDED, /* it still runs */
    LOST, /* with its worker, after it had begun */
    LOST_WAITING, /* before that */
    OVERTIME,
    NOT_CLAIMED, /* its worker came back and did not name it */
    LOST_FOR_GOOD, /* and it was its last attempt */
    CANCELLED,
    BEGUN_ANEW, /* dead, and a client had it tried again */
    HANDED_ON, /* lost, and another worker has its second attempt */
    TOLD, /* and with each type of outcome: */
    ENDINGS = TOLD + TYPES,
};

static void
join(struct world *w, uint32_t peer, uint32_t window)
{
    struct hello h = {.version_min = 1,
        .version_max = 1,
        .role = ROLE_WORKER,
        .name = {(const uint8_t *)"peer", 4},
        .software = {(const uint8_t *)"test", 4},
        .slots = 1,
        .window = window};
    memset(h.session, (int)peer, sizeof h.session);
    message_put_hello(world_frame(w, peer), &h, NULL, NULL, NULL);
    world_claim(w, peer, NULL, 0);
    assert_int_equal(world_step(w, 0), STINT_OK);
}

static void
leave(struct world *w, uint32_t peer)
{
    message_put_numbered(world_frame(w, peer), MESSAGE_BYE, 9);
    assert_int_equal(world_step(w, 0), STINT_OK);
}

static void
say_begun(struct world *w, uint32_t peer, struct stint_id id)
{
    struct lease_ref lease = {.id = id, .attempt = 1};
    message_put_leases(world_frame(w, peer), MESSAGE_STARTED, 7, &lease, 1, false);
    assert_int_equal(world_step(w, 0), STINT_OK);
}

/* A worker settles one job, and asks for no more of them. Returns the status. */
static enum stint_status
settle(struct world *w, uint32_t peer, struct stint_id id, uint32_t attempt, enum outcome_type type)
{
    enum stint_status status = STINT_OK;
    uint32_t index = 9;
    struct outcome o = {.id = id,
        .attempt = attempt,
        .type = type,
        .body = {(const uint8_t *)"told", 4},
        .delay_ms = type == OUTCOME_SNOOZED ? HOUR_MS : 0};
    message_put_settle(world_frame(w, peer), 5, &o, 1, 0);
    assert_int_equal(world_step(w, 0), STINT_OK);
    assert_non_null(world_read(w, peer, MESSAGE_SETTLED));
    assert_int_equal(w->message.count, 1);
    struct answer *answer = &w->arrays->answers[0];
    if (answer->count > 0) {
        assert_true(message_next_exception(answer, &index, &status));
        assert_int_equal(index, 0);
        assert_int_not_equal(status, STINT_OK);
    }
    return status;
}

static void
ask(struct world *w, enum message_type what, struct stint_id id)
{
    message_put_ids(world_frame(w, 1), what, 6, &id, 1, 0);
    assert_int_equal(world_step(w, 0), STINT_OK);
}

/* The worker does not end it, and is heard all the time. */
static void
run_over_time(struct world *w)
{
    for (unsigned n = 0; n < 40; n++) {
        message_put_ping(world_frame(w, 2), 1, WINDOW_UNCHANGED, 0);
        assert_int_equal(world_step(w, 1000), STINT_OK);
    }
    assert_true(world_told(w, "taken back"));
}

static void
end_first_attempt(struct world *w, struct stint_id id, enum ending ending)
{
    switch (ending) {
    case NOT_ENDED:
        return;
    case LOST:
    case LOST_FOR_GOOD:
        say_begun(w, 2, id);
        leave(w, 2);
        join(w, 2, 0);
        return;
    case LOST_WAITING:
        leave(w, 2);
        join(w, 2, 0);
        return;
    case OVERTIME:
        say_begun(w, 2, id);
        run_over_time(w);
        return;
    case NOT_CLAIMED:
        join(w, 2, 0);
        return;
    case CANCELLED:
        ask(w, MESSAGE_CANCEL, id);
        return;
    case BEGUN_ANEW:
        assert_int_equal(settle(w, 2, id, 1, OUTCOME_DEAD), STINT_OK);
        ask(w, MESSAGE_RETRY, id);
        return;
    case HANDED_ON:
        leave(w, 2);
        join(w, 3, 1);
        assert_int_equal(world_dispatched(w, 3).attempt, 2);
        join(w, 2, 0);
        return;
    default:
        assert_int_equal(settle(w, 2, id, 1, (enum outcome_type)(ending - TOLD)), STINT_OK);
    }
}

/* A worker (peer 2) holds the only job; then its attempt ends so. */
static struct world *
world_after(enum ending ending, struct stint_id *id)
{
    struct world *w = world_new(NULL);
    struct job_spec job = world_job("payload");
    job.backoff_base_ms = job.backoff_cap_ms = HOUR_MS;
    job.max_attempts = ending == LOST_FOR_GOOD ? 1 : 3;
    job.time_to_run_ms = ending == OVERTIME ? 1000 : 0;
    world_with_client(w);
    join(w, 2, 1);
    world_submit(w, 1, 1, &job, 1);
    assert_int_equal(world_step(w, 0), STINT_OK);
    *id = world_dispatched(w, 2).id;
    end_first_attempt(w, *id, ending);
    return w;
}

static void
check_whole(struct world *w)
{
    struct verify_report report = {.problem = NULL};
    core_destroy(&w->core);
    core_verify(w->store, 0, &report);
    assert_int_equal(report.problems, 0);
}

/* What an outcome leaves that counts: the state, and how many attempts were used up. */
static const struct {
    enum stint_state state;
    uint32_t failures;
} left[TYPES] = {
    [OUTCOME_SUCCEEDED] = {STINT_SUCCEEDED, 0},
    [OUTCOME_FAILED] = {STINT_SCHEDULED, 1},
    [OUTCOME_DEAD] = {STINT_DEAD, 1},
    [OUTCOME_SNOOZED] = {STINT_SCHEDULED, 0},
    [OUTCOME_RETURNED] = {STINT_READY, 0},
    [OUTCOME_UNABLE] = {STINT_SCHEDULED, 1}, /* nobody else could start it */
};
static const enum stint_attempt_end ends[TYPES] = {[OUTCOME_SUCCEEDED] = STINT_ATTEMPT_SUCCEEDED,
    [OUTCOME_FAILED] = STINT_ATTEMPT_FAILED,
    [OUTCOME_DEAD] = STINT_ATTEMPT_FAILED,
    [OUTCOME_SNOOZED] = STINT_ATTEMPT_SNOOZED,
    [OUTCOME_UNABLE] = STINT_ATTEMPT_UNABLE};

/* Of the job's first attempt, how it ended; 0: it is not told. */
static void
assert_told_end(
    const struct stint_job_info *info, enum stint_attempt_end end, const char *worker, bool error)
{
    assert_int_equal(info->attempts_count, end != 0);
    if (end == 0)
        return;
    assert_int_equal(info->attempts[0].attempt, 1);
    assert_int_equal(info->attempts[0].end, end);
    assert_string_equal(info->attempts[0].worker, worker);
    assert_int_equal(info->attempts[0].error[0] != '\0', error);
}

static void
check_counted(enum ending ending, enum outcome_type type)
{
    struct stint_id id;
    struct stint_job_info info;
    struct stint_stats stats;
    struct world *w = world_after(ending, &id);
    for (unsigned again = 0; again < 2; again++) { /* its answer may be lost on its way */
        assert_int_equal(settle(w, 2, id, 1, type), STINT_OK);
        assert_int_equal(world_state(w, id, &info), left[type].state);
        assert_int_equal(info.attempt, 1);
        assert_int_equal(info.failures, left[type].failures);
        core_stats(w->core, &stats);
        assert_int_equal(stats.succeeded, type == OUTCOME_SUCCEEDED);
        assert_int_equal(stats.dead, type == OUTCOME_DEAD);
        assert_int_equal(stats.jobs[left[type].state], 1);
        assert_int_equal(info.result_bytes, type == OUTCOME_SUCCEEDED ? 4 : 0);
        if (left[type].failures)
            assert_string_equal(info.error, "told");
        if (type != OUTCOME_RETURNED)
            assert_told_end(&info, ends[type], "peer", type != OUTCOME_SUCCEEDED);
        else if (ending == OVERTIME || ending == LOST || ending == LOST_WAITING)
            assert_told_end(&info, ending == OVERTIME ? STINT_ATTEMPT_OVERTIME : STINT_ATTEMPT_LOST,
                "peer", true);
        else
            assert_told_end(&info, 0, "", false);
    }
    check_whole(w);
    world_destroy(&w);
}

static void
an_outcome_counts_also_if_it_is_late_and_nobody_else_has_the_job(void **state)
{
    static const enum ending late[] = {NOT_ENDED, LOST, LOST_WAITING, OVERTIME, NOT_CLAIMED};
    (void)state;
    for (size_t i = 0; i < sizeof late / sizeof *late; i++)
        for (unsigned type = OUTCOME_SUCCEEDED; type < TYPES; type++)
            check_counted(late[i], (enum outcome_type)type);
}

static void
an_outcome_that_is_not_wanted_any_more_changes_nothing(void **state)
{
    static const enum ending over[] = {LOST_FOR_GOOD, CANCELLED, BEGUN_ANEW, HANDED_ON};
    static const enum stint_attempt_end ended[] = {
        STINT_ATTEMPT_LOST, STINT_ATTEMPT_CANCELLED, STINT_ATTEMPT_FAILED, STINT_ATTEMPT_LOST};
    (void)state;
    for (size_t i = 0; i < sizeof over / sizeof *over; i++)
        for (unsigned type = OUTCOME_SUCCEEDED; type < TYPES; type++) {
            struct stint_id id;
            struct stint_job_info before, after;
            struct stint_stats stats;
            struct world *w = world_after(over[i], &id);
            (void)world_state(w, id, &before);
            assert_int_equal(settle(w, 2, id, 1, (enum outcome_type)type), STINT_STALE);
            assert_int_equal(world_state(w, id, &after), before.state);
            assert_int_equal(after.attempt, before.attempt);
            assert_int_equal(after.failures, before.failures);
            assert_told_end(&after, ended[i], "peer", over[i] != CANCELLED);
            core_stats(w->core, &stats);
            assert_int_equal(stats.stale, 1);
            assert_int_equal(stats.succeeded, 0);
            check_whole(w);
            world_destroy(&w);
        }
}

static void
what_was_told_before_is_acknowledged_and_not_done_again(void **state)
{
    (void)state;
    for (unsigned first = OUTCOME_SUCCEEDED; first < TYPES; first++)
        for (unsigned type = OUTCOME_SUCCEEDED; type < TYPES; type++) {
            struct stint_id id;
            struct stint_job_info info;
            struct world *w = world_after((enum ending)(TOLD + first), &id);
            /* One that came back and was run all the same: the run is what counts. */
            bool counts = first == OUTCOME_RETURNED && type != OUTCOME_RETURNED;
            assert_int_equal(settle(w, 2, id, 1, (enum outcome_type)type), STINT_OK);
            assert_int_equal(world_state(w, id, &info), left[counts ? type : first].state);
            assert_int_equal(info.failures, left[counts ? type : first].failures);
            check_whole(w);
            world_destroy(&w);
        }
}

static void
an_outcome_of_an_attempt_that_never_was_or_of_another_worker_is_stale(void **state)
{
    static const struct {
        enum ending ending;
        uint32_t peer, attempt;
        uint64_t sequence;
        enum stint_status status;
    } cases[] = {
        {NOT_ENDED, 2, 0, 1, STINT_STALE},
        {NOT_ENDED, 2, 2, 1, STINT_STALE},
        {NOT_ENDED, 4, 1, 1, STINT_STALE}, /* it is another worker's */
        {LOST, 2, 0, 1, STINT_STALE},
        {LOST, 2, 2, 1, STINT_STALE},
        {OVERTIME, 2, 2, 1, STINT_STALE},
        {HANDED_ON, 2, 2, 1, STINT_STALE}, /* it is another worker's */
        {TOLD + OUTCOME_FAILED, 2, 2, 1, STINT_STALE},
        {TOLD + OUTCOME_SUCCEEDED, 2, 7, 1, STINT_STALE},
        {NOT_ENDED, 2, 1, 2, STINT_NO_SUCH_JOB},
        {NOT_ENDED, 2, 1, 0, STINT_NO_SUCH_JOB},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct stint_id id, other;
        struct stint_job_info before, after;
        struct world *w = world_after(cases[i].ending, &id);
        join(w, 4, 0);
        (void)world_state(w, id, &before);
        other = id;
        id_set_sequence(&other, cases[i].sequence);
        assert_int_equal(
            settle(w, cases[i].peer, other, cases[i].attempt, OUTCOME_SUCCEEDED), cases[i].status);
        assert_int_equal(world_state(w, id, &after), before.state);
        check_whole(w);
        world_destroy(&w);
    }
}

static void
who_waits_for_a_job_hears_of_an_outcome_that_comes_late(void **state)
{
    static const enum ending late[] = {LOST, LOST_WAITING, OVERTIME, NOT_CLAIMED};
    (void)state;
    for (size_t i = 0; i < sizeof late / sizeof *late; i++) {
        struct stint_id id;
        struct world *w = world_after(late[i], &id);
        message_put_ids(world_frame(w, 1), MESSAGE_WAIT, 8, &id, 1, true);
        assert_int_equal(world_step(w, 0), STINT_OK);
        assert_null(world_read(w, 1, MESSAGE_OUTCOMES));
        assert_int_equal(settle(w, 2, id, 1, OUTCOME_SUCCEEDED), STINT_OK);
        assert_non_null(world_read(w, 1, MESSAGE_OUTCOMES));
        assert_true(message_next_job(w->arrays));
        assert_memory_equal(&w->arrays->info.id, &id, sizeof id);
        assert_int_equal(w->arrays->info.state, STINT_SUCCEEDED);
        assert_int_equal(w->arrays->info.result_bytes, 4);
        world_destroy(&w);
    }
}

/* ---- after a failure ---- */

static void
a_failed_attempt_waits_longer_each_time_up_to_a_cap(void **state)
{
    static const struct {
        uint64_t base_ms, cap_ms;
        uint32_t failures;
        uint64_t delay_ms; /* somewhere in the upper half of it */
    } cases[] = {
        {1000, 600000, 1, 1000},
        {1000, 600000, 2, 2000},
        {1000, 600000, 3, 4000},
        {1000, 600000, 10, 512000},
        {1000, 600000, 11, 600000},
        {1000, 600000, 60000, 600000},
        {50, 50, 1, 50},
        {50, 10, 1, 10},
        {3, 1000000, 4, 24},
        {LIMIT_TIME_MS / 2 + 1, LIMIT_TIME_MS, 65535, LIMIT_TIME_MS},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct world *w = world_after(NOT_ENDED, &(struct stint_id){{0}});
        struct core *core = w->core;
        struct lease *lease = core->fleet.leases;
        struct job job;
        w->store->ops->begin(w->store);
        assert_true(job_of_lease(core, lease, &job));
        record_set(&job.record, FIELD_BACKOFF_BASE, cases[i].base_ms);
        record_set(&job.record, FIELD_BACKOFF_CAP, cases[i].cap_ms);
        record_set(&job.record, FIELD_MAX_ATTEMPTS, 65536);
        job.record.attempt = cases[i].failures + 2;
        job.record.uncounted = 3; /* the attempt that fails is one more */
        job_write(core, &job);
        lease->attempt = cases[i].failures + 3;
        uint64_t wall_ms = core->clocks.wall_ms;
        struct stint_job_info info;
        struct stint_id id = job.id;
        assert_int_equal(w->store->ops->commit(w->store), STINT_OK);
        assert_int_equal(settle(w, 2, id, cases[i].failures + 3, OUTCOME_FAILED), STINT_OK);
        assert_int_equal(world_state(w, id, &info), STINT_SCHEDULED);
        assert_int_equal(info.failures, cases[i].failures);
        assert_true(info.due_ms - wall_ms <= cases[i].delay_ms);
        assert_true(info.due_ms - wall_ms >= cases[i].delay_ms / 2);
        world_destroy(&w);
    }
}

static void
what_is_kept_of_a_long_error_begins_with_a_whole_character(void **state)
{
    static char error[LIMIT_ERROR_BYTES + 2];
    struct stint_job_info info;
    struct stint_id id;
    struct world *w = world_after(NOT_ENDED, &id);
    (void)state;
    for (size_t i = 0; i < LIMIT_ERROR_BYTES; i += 2)
        memcpy(error + i, "\xc3\xa4", 2);
    error[LIMIT_ERROR_BYTES] = '.';
    world_settle(w, 2, 5, id, 1, OUTCOME_FAILED, error);
    assert_int_equal(world_step(w, 0), STINT_OK);
    (void)world_state(w, id, &info);
    assert_string_equal(info.error, error + 2);
    world_destroy(&w);
}

static void
jobs_that_failed_together_do_not_come_back_together(void **state)
{
    enum { JOBS = 200 };
    struct world *w = world_new(NULL);
    static struct job_spec jobs[JOBS];
    static struct outcome outcomes[JOBS];
    unsigned quarters[4] = {0};
    (void)state;
    world_with_client(w);
    world_with_worker(w, JOBS);
    for (unsigned i = 0; i < JOBS; i++) {
        jobs[i] = world_job("");
        jobs[i].backoff_base_ms = jobs[i].backoff_cap_ms = 80000;
        outcomes[i] =
            (struct outcome){.id = id_make(0, 1, 100, i + 1), .attempt = 1, .type = OUTCOME_FAILED};
    }
    world_submit(w, 1, 1, jobs, JOBS);
    assert_int_equal(world_step(w, 0), STINT_OK);
    message_put_settle(world_frame(w, 2), 1, outcomes, JOBS, 0);
    assert_int_equal(world_step(w, 0), STINT_OK);
    for (unsigned i = 0; i < JOBS; i++) {
        struct stint_job_info info;
        assert_int_equal(world_state(w, outcomes[i].id, &info), STINT_SCHEDULED);
        uint64_t delay_ms = info.due_ms - w->wall_ms;
        assert_true(delay_ms >= 40000 && delay_ms <= 80000);
        quarters[(delay_ms - 40000) * 4 / 40001]++;
    }
    for (unsigned q = 0; q < 4; q++)
        assert_true(quarters[q] > JOBS / 8);
    world_destroy(&w);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_outcome_counts_also_if_it_is_late_and_nobody_else_has_the_job),
        cmocka_unit_test(an_outcome_that_is_not_wanted_any_more_changes_nothing),
        cmocka_unit_test(what_was_told_before_is_acknowledged_and_not_done_again),
        cmocka_unit_test(an_outcome_of_an_attempt_that_never_was_or_of_another_worker_is_stale),
        cmocka_unit_test(who_waits_for_a_job_hears_of_an_outcome_that_comes_late),
        cmocka_unit_test(a_failed_attempt_waits_longer_each_time_up_to_a_cap),
        cmocka_unit_test(what_is_kept_of_a_long_error_begins_with_a_whole_character),
        cmocka_unit_test(jobs_that_failed_together_do_not_come_back_together),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
