/* What a worker asks for with the end of a run becomes real with it, once, or not at all. */
#include "keyed.h"
#include "waiting.h"

#include <stdlib.h>

enum { WORKER = 2, ANOTHER = 3, HOUR_MS = 3600000, ASKED_MAX = 8 };

/* An outcome and what comes with it, until the next one is written. */
static struct pack_buffer jobs_of, joint_of;

static struct slice
joint_with(const struct job_spec *jobs, uint32_t count, const struct stint_id *ids,
    uint32_t cancelled, uint32_t flags)
{
    jobs_of.used = joint_of.used = 0;
    for (uint32_t i = 0; i < count; i++)
        message_put_job(&jobs_of, &jobs[i]);
    message_put_joint(&joint_of,
        &(struct joint){.jobs = {jobs_of.data, jobs_of.used},
            .jobs_count = count,
            .ids = ids,
            .ids_count = cancelled,
            .flags = flags});
    return (struct slice){joint_of.data, joint_of.used};
}

static void
step(struct world *w, uint64_t ms)
{
    assert_int_equal(world_step(w, ms), STINT_OK);
}

/* What of the outcome was not taken. */
static enum stint_status
tell(struct world *w, uint32_t peer, struct outcome o)
{
    enum stint_status status = STINT_OK;
    uint32_t index = 9;
    message_put_settle(world_frame(w, peer), 5, &o, 1, WINDOW_UNCHANGED);
    step(w, 0);
    assert_non_null(world_read(w, peer, MESSAGE_SETTLED));
    if (w->arrays->answers[0].count > 0)
        assert_true(message_next_exception(&w->arrays->answers[0], &index, &status));
    return status;
}

static struct outcome
an_end(struct stint_id id, enum outcome_type type, struct slice joint)
{
    return (struct outcome){
        .id = id, .attempt = 1, .type = type, .body = text("told"), .joint = joint};
}

static uint64_t
jobs_in(struct world *w, enum stint_state state)
{
    struct stint_stats s;
    core_stats(w->core, &s);
    return s.jobs[state];
}

/* How many jobs there are that did not come from the client's one. */
static uint64_t
made(struct world *w)
{
    struct stint_stats s;
    core_stats(w->core, &s);
    return s.submitted - 1;
}

static struct job_spec
job_for(const char *queue, const char *payload)
{
    struct job_spec job = world_job(payload);
    job.queue = text(queue);
    return job;
}

/* A worker holds the only job. */
static struct world *
world_with_job_like(const struct core_options *options, struct job_spec job, struct stint_id *id)
{
    struct world *w = world_new(options);
    world_with_client(w);
    world_with_worker(w, 1);
    job.backoff_base_ms = job.backoff_cap_ms = HOUR_MS;
    world_submit(w, 1, 1, &job, 1);
    step(w, 0);
    *id = world_dispatched(w, WORKER).id;
    message_put_ping(world_frame(w, WORKER), 1, 0, 0); /* it is to be given no other */
    step(w, 0);
    return w;
}

static struct world *
world_with_job(struct stint_id *id)
{
    return world_with_job_like(NULL, world_job("first"), id);
}

static void
finish(struct world *w)
{
    waiting_verify(w);
    assert_true(world_replays(w));
    world_destroy(&w);
    waiting_done();
    pack_buffer_free(&jobs_of);
    pack_buffer_free(&joint_of);
}

static void
new_jobs_come_with_an_end_once(void **state)
{
    (void)state;
    static const enum outcome_type ends[] = {OUTCOME_SUCCEEDED, OUTCOME_FAILED, OUTCOME_DEAD};
    static const enum stint_state states[] = {STINT_SUCCEEDED, STINT_SCHEDULED, STINT_DEAD};
    for (unsigned i = 0; i < 3; i++) {
        struct stint_id id;
        struct world *w = world_with_job(&id);
        const struct job_spec jobs[] = {
            job_for("next", "a"), job_for("next", "b"), job_for("else", "")};
        struct outcome o = an_end(id, ends[i], joint_with(jobs, 3, NULL, 0, 0));
        assert_int_equal(tell(w, WORKER, o), STINT_OK);
        assert_int_equal(world_state(w, id, NULL), states[i]);
        assert_int_equal(jobs_in(w, STINT_READY), 3);
        assert_int_equal(tell(w, WORKER, o), STINT_OK); /* the answer was lost */
        world_restart(w);
        world_with_worker(w, 0);
        assert_int_equal(tell(w, WORKER, o), STINT_OK);
        assert_int_equal(jobs_in(w, STINT_READY), 3);
        o.attempt = 2;
        assert_int_equal(tell(w, WORKER, o), STINT_STALE);
        assert_int_equal(jobs_in(w, STINT_READY), 3);
        finish(w);
    }
}

static void
what_is_forgotten_at_success_makes_its_jobs_once(void **state)
{
    (void)state;
    struct stint_id id;
    struct job_spec job = world_job("first"), next = job_for("next", "a");
    job.keep_ms = 0;
    struct world *w = world_with_job_like(NULL, job, &id);
    struct outcome o = an_end(id, OUTCOME_SUCCEEDED, joint_with(&next, 1, NULL, 0, 0));
    assert_int_equal(tell(w, WORKER, o), STINT_OK);
    assert_int_equal(tell(w, WORKER, o), STINT_NO_SUCH_JOB);
    assert_int_equal(jobs_in(w, STINT_READY), 1);
    assert_int_equal(made(w), 1);
    finish(w);
}

static void
runs_that_are_to_begin_anew_make_nothing(void **state)
{
    (void)state;
    static const enum outcome_type ends[] = {OUTCOME_SNOOZED, OUTCOME_RETURNED, OUTCOME_UNABLE};
    for (unsigned i = 0; i < 3; i++) {
        struct stint_id id;
        struct world *w = world_with_job(&id);
        struct job_spec next = job_for("next", "a");
        assert_int_equal(
            tell(w, WORKER, an_end(id, ends[i], joint_with(&next, 1, &id, 1, 0))), STINT_OK);
        assert_int_equal(made(w), 0);
        assert_int_not_equal(world_state(w, id, NULL), STINT_CANCELLED_JOB);
        finish(w);
    }
}

static void
an_end_that_is_late_brings_its_jobs(void **state)
{
    (void)state;
    struct stint_id id;
    struct world *w = world_with_job(&id);
    struct job_spec next = job_for("next", "a");
    message_put_numbered(world_frame(w, WORKER), MESSAGE_BYE, 9);
    step(w, 0);
    assert_int_equal(world_state(w, id, NULL), STINT_READY);
    world_with_worker(w, 0);
    struct outcome o = an_end(id, OUTCOME_SUCCEEDED, joint_with(&next, 1, NULL, 0, 0));
    assert_int_equal(tell(w, WORKER, o), STINT_OK);
    assert_int_equal(world_state(w, id, NULL), STINT_SUCCEEDED);
    assert_int_equal(made(w), 1);
    assert_int_equal(tell(w, WORKER, o), STINT_OK);
    assert_int_equal(made(w), 1);
    finish(w);
}

static void
a_graph_comes_with_an_end(void **state)
{
    (void)state;
    struct stint_id id;
    struct world *w = world_with_job(&id);
    const uint32_t both[] = {0, 1}, first = 0;
    struct job_spec jobs[] = {job_for("next", "root"), waiting_job_behind("child", &first, 1),
        waiting_job_behind("last", both, 2)};
    assert_int_equal(
        tell(w, WORKER, an_end(id, OUTCOME_SUCCEEDED, joint_with(jobs, 3, NULL, 0, 0))), STINT_OK);
    assert_int_equal(jobs_in(w, STINT_READY), 1);
    assert_int_equal(jobs_in(w, STINT_BLOCKED), 2);
    finish(w);
}

static void
what_never_can_be_fails_the_attempt(void **state)
{
    (void)state;
    enum { UNKNOWN_PARENT, ITSELF, TOO_LARGE, CASES };
    static const enum stint_status why[] = {STINT_NO_SUCH_JOB, STINT_INVALID, STINT_TOO_LARGE};
    static const char *const words[] = {"not known", "the one that it comes from", "--payload-max"};
    for (unsigned i = 0; i < CASES; i++) {
        struct stint_id id, unknown = id_make(0, 77, 3, 4);
        struct stint_job_info info;
        struct core_options options;
        core_options_init(&options);
        options.payload_bytes = 10;
        struct world *w = world_with_job_like(&options, world_job("first"), &id);
        struct job_spec jobs[] = {job_for("next", "good"),
            i == UNKNOWN_PARENT ? waiting_job("bad", &unknown, 1)
                : i == ITSELF   ? waiting_job("bad", &id, 1)
                                : world_job("more than it may be")};
        struct stint_id other = world_submit_one(w, 2, "other");
        struct slice joint = joint_with(jobs, 2, &other, 1, 0);
        assert_int_equal(tell(w, WORKER, an_end(id, OUTCOME_SUCCEEDED, joint)), why[i]);
        assert_int_equal(world_state(w, id, &info), STINT_SCHEDULED); /* to be tried again */
        assert_non_null(strstr(info.error, "with its end was refused"));
        assert_non_null(strstr(info.error, words[i]));
        assert_int_equal(world_state(w, other, NULL), STINT_READY);
        assert_int_equal(made(w), 1); /* the other one */
        finish(w);
    }
}

static void
a_failure_for_good_stays_one_and_says_both(void **state)
{
    (void)state;
    struct stint_id id, unknown = id_make(0, 77, 3, 4);
    struct stint_job_info info;
    struct world *w = world_with_job(&id);
    struct job_spec next = waiting_job("bad", &unknown, 1);
    assert_int_equal(tell(w, WORKER, an_end(id, OUTCOME_DEAD, joint_with(&next, 1, NULL, 0, 0))),
        STINT_NO_SUCH_JOB);
    assert_int_equal(world_state(w, id, &info), STINT_DEAD);
    assert_non_null(strstr(info.error, "not known"));
    assert_non_null(strstr(info.error, "\ntold"));
    finish(w);
}

static void
a_result_that_is_too_large_brings_nothing(void **state)
{
    (void)state;
    struct stint_id id;
    struct core_options options;
    core_options_init(&options);
    options.result_bytes = 3;
    struct world *w = world_with_job_like(&options, world_job("first"), &id);
    struct job_spec next = job_for("next", "a");
    assert_int_equal(
        tell(w, WORKER, an_end(id, OUTCOME_SUCCEEDED, joint_with(&next, 1, NULL, 0, 0))),
        STINT_TOO_LARGE);
    assert_int_equal(world_state(w, id, NULL), STINT_DEAD);
    assert_int_equal(made(w), 0);
    finish(w);
}

/* The queue is full, closed or neither from now on. */
static void
set_queue(struct world *w, const char *name, enum stint_queue_action action, uint64_t backlog)
{
    struct stint_queue_tuning t = STINT_QUEUE_TUNING_INIT;
    t.backlog_max = (uint32_t)backlog;
    if (backlog)
        message_put_tune_queue(world_frame(w, 1), 8, text(name), &t);
    else
        message_put_set_queue(world_frame(w, 1), 8, text(name), action, NULL);
    step(w, 0);
    assert_non_null(world_read(w, 1, MESSAGE_QUEUE));
}

static void
what_can_be_later_is_told_again_later(void **state)
{
    (void)state;
    for (unsigned closed = 0; closed < 2; closed++) {
        struct stint_id id;
        struct stint_job_info info;
        struct world *w = world_with_job(&id);
        struct job_spec jobs[] = {job_for("other", "a"), job_for("next", "b")};
        struct job_spec first = job_for("next", "there already");
        first.keep_ms = 0;
        world_submit(w, 1, 2, &first, 1);
        step(w, 0);
        set_queue(w, "next", closed ? STINT_CLOSE_QUEUE : 0, closed ? 0 : 1);
        struct outcome o = an_end(id, OUTCOME_SUCCEEDED, joint_with(jobs, 2, NULL, 0, 0));
        for (unsigned n = 0; n < 3; n++) {
            assert_int_equal(tell(w, WORKER, o), closed ? STINT_QUEUE_CLOSED : STINT_QUEUE_FULL);
            assert_int_equal(world_state(w, id, &info), STINT_RUNNING);
            assert_non_null(strstr(info.progress.text, "it has ended, and waits until"));
            assert_int_equal(jobs_in(w, STINT_READY), 1);
            if (n == 1) {
                const struct lease_ref lease = {.id = id, .attempt = 1, .begun = true};
                world_restart(w);
                world_with_client(w);
                world_hello_worker(w, WORKER, 2, 0);
                world_claim(w, WORKER, &lease, 1);
                step(w, 0);
            }
        }
        set_queue(w, "next", STINT_OPEN_QUEUE, closed ? 0 : 2);
        assert_int_equal(tell(w, WORKER, o), STINT_OK);
        assert_int_equal(world_state(w, id, NULL), STINT_SUCCEEDED);
        assert_int_equal(jobs_in(w, STINT_READY), 3);
        finish(w);
    }
}

static void
a_full_queue_takes_them_if_they_may_not_wait(void **state)
{
    (void)state;
    struct stint_id id;
    struct core_options options;
    core_options_init(&options);
    options.max.queue_backlog = options.max.backlog = 2;
    struct world *w = world_with_job_like(&options, world_job("first"), &id);
    struct job_spec jobs[] = {job_for("next", "a"), job_for("next", "b")};
    world_submit(w, 1, 2, jobs, 1);
    step(w, 0);
    struct outcome o = an_end(id, OUTCOME_SUCCEEDED, joint_with(jobs, 2, NULL, 0, 0));
    assert_int_equal(tell(w, WORKER, o), STINT_QUEUE_FULL);
    const struct job_spec more[] = {jobs[0], jobs[0], jobs[0]}; /* than may ever wait there */
    o.joint = joint_with(more, 3, NULL, 0, 0);
    assert_int_equal(tell(w, WORKER, o), STINT_QUEUE_FULL);
    o.joint = joint_with(more, 3, NULL, 0, JOINT_BEYOND);
    assert_int_equal(tell(w, WORKER, o), STINT_OK);
    assert_int_equal(jobs_in(w, STINT_READY), 4);
    finish(w);
}

static void
time_does_not_run_for_an_end_that_waits(void **state)
{
    (void)state;
    struct stint_id id;
    struct job_spec job = world_job("first"), next = job_for("next", "a");
    job.time_to_run_ms = 1000;
    struct world *w = world_with_job_like(NULL, job, &id);
    world_submit(w, 1, 2, &next, 1);
    step(w, 0);
    set_queue(w, "next", STINT_CLOSE_QUEUE, 0);
    struct outcome o = an_end(id, OUTCOME_SUCCEEDED, joint_with(&next, 1, NULL, 0, 0));
    for (unsigned n = 0; n < 60; n++) {
        message_put_ping(world_frame(w, WORKER), 1, WINDOW_UNCHANGED, 0);
        step(w, 1000);
        if (n == 0)
            assert_int_equal(tell(w, WORKER, o), STINT_QUEUE_CLOSED);
    }
    assert_int_equal(world_state(w, id, NULL), STINT_RUNNING);
    world_with_client(w); /* it was silent for too long */
    set_queue(w, "next", STINT_OPEN_QUEUE, 0);
    assert_int_equal(tell(w, WORKER, o), STINT_OK);
    finish(w);
}

static void
an_end_that_waits_is_over_with_its_lease(void **state)
{
    (void)state;
    struct stint_id id;
    struct world *w = world_with_job(&id);
    struct job_spec next = job_for("next", "a");
    world_submit(w, 1, 2, &next, 1);
    step(w, 0);
    set_queue(w, "next", STINT_CLOSE_QUEUE, 0);
    struct outcome o = an_end(id, OUTCOME_SUCCEEDED, joint_with(&next, 1, NULL, 0, 0));
    assert_int_equal(tell(w, WORKER, o), STINT_QUEUE_CLOSED);
    message_put_ids(world_frame(w, 1), MESSAGE_CANCEL, 6, &id, 1, 0);
    set_queue(w, "next", STINT_OPEN_QUEUE, 0);
    assert_int_equal(tell(w, WORKER, o), STINT_STALE);
    assert_int_equal(made(w), 1);
    finish(w);
}

static void
jobs_are_cancelled_with_an_end(void **state)
{
    (void)state;
    struct stint_id id;
    struct world *w = world_with_job(&id);
    struct stint_id ids[] = {
        world_submit_one(w, 2, "a"), world_submit_one(w, 3, "b"), id_make(0, 77, 3, 4), id};
    message_put_ids(world_frame(w, 1), MESSAGE_CANCEL, 6, &ids[1], 1, 0);
    step(w, 0);
    while (world_told(w, "cancelled"))
        ;
    struct outcome o = an_end(id, OUTCOME_SUCCEEDED, joint_with(NULL, 0, ids, 4, 0));
    assert_int_equal(tell(w, WORKER, o), STINT_OK);
    assert_true(world_told(w, "jobs were cancelled"));
    assert_int_equal(world_state(w, ids[0], NULL), STINT_CANCELLED_JOB);
    assert_int_equal(world_state(w, id, NULL), STINT_SUCCEEDED);
    message_put_ids(world_frame(w, 1), MESSAGE_RETRY, 6, ids, 1, 0);
    step(w, 0);
    assert_int_equal(tell(w, WORKER, o), STINT_OK); /* told again: cancels nothing */
    assert_int_equal(world_state(w, ids[0], NULL), STINT_READY);
    finish(w);
}

/* The key that the job holds, and that of one that it cancels, are free for the new ones. */
static void
keys_are_free_for_new_jobs(void **state)
{
    (void)state;
    struct stint_id id;
    struct job_spec job = world_job("first"), other = world_job("other");
    job.unique = text("mine");
    other.unique = text("its");
    struct world *w = world_with_job_like(NULL, job, &id);
    struct stint_id waits = waiting_submit_one(w, 2, other);
    const struct job_spec jobs[] = {job, other};
    struct slice joint = joint_with(jobs, 2, &waits, 1, 0);
    assert_int_equal(tell(w, WORKER, an_end(id, OUTCOME_SUCCEEDED, joint)), STINT_OK);
    assert_int_equal(world_state(w, waits, NULL), STINT_CANCELLED_JOB);
    assert_int_equal(jobs_in(w, STINT_READY), 2);
    finish(w);
}

static void
a_key_that_is_held_is_no_refusal(void **state)
{
    (void)state;
    struct stint_id id;
    struct job_spec job = world_job("first"), other = world_job("other");
    job.unique = text("mine");
    other.unique = text("its");
    struct world *w = world_with_job_like(NULL, job, &id);
    (void)waiting_submit_one(w, 2, other);
    const struct job_spec jobs[] = {job, other};
    struct slice joint = joint_with(jobs, 2, NULL, 0, 0);
    assert_int_equal(tell(w, WORKER, an_end(id, OUTCOME_FAILED, joint)), STINT_OK);
    assert_int_equal(jobs_in(w, STINT_READY), 1);
    assert_int_equal(jobs_in(w, STINT_SCHEDULED), 1);
    assert_int_equal(made(w), 1);
    finish(w);
}

/* With a key, the new jobs and those to be cancelled need what a SUBMIT and a CANCEL of them would.
 */
static void
a_key_has_to_grant_what_comes_with_an_end(void **state)
{
    (void)state;
    enum { TO_ITS_OWN, TO_ANOTHER, CANCELS, CANCELS_ANOTHER, AFTER_ANOTHER, CASES };
    static const enum stint_status with_submit[CASES] = {
        STINT_OK, STINT_DENIED, STINT_OK, STINT_DENIED, STINT_DENIED};
    for (unsigned i = 0; i < 2 * CASES; i++) {
        bool submits = i >= CASES;
        unsigned what = i % CASES;
        struct grant g = grant_of("crew", RIGHT_RUN | (submits ? RIGHT_SUBMIT : 0U), "mail.*");
        struct world *w = world_new(NULL);
        struct slice queue = text("mail.in");
        struct hello h = {.version_min = 1,
            .version_max = 1,
            .role = ROLE_WORKER,
            .slots = 1,
            .window = 1,
            .name = text("keyed"),
            .software = text("test"),
            .queues = 1};
        world_with_client(w);
        put_submit(w, 1, 1, "mail.in");
        put_submit(w, 1, 2, "pay.roll");
        put_submit(w, 1, 3, "mail.out");
        step(w, 0);
        w->grants[KEYED] = &g;
        memset(h.session, 44, sizeof h.session);
        message_put_hello(world_frame(w, KEYED), &h, &queue, NULL, NULL);
        world_claim(w, KEYED, NULL, 0);
        step(w, 0);
        struct stint_id id = world_dispatched(w, KEYED).id;
        struct stint_id pay = id_make(0, 2, DEFAULT_PRIORITY, 1);
        struct stint_id out = id_make(0, 3, DEFAULT_PRIORITY, 1);
        struct job_spec next = job_for(what == TO_ANOTHER ? "pay.roll" : "mail.out", "x");
        if (what == AFTER_ANOTHER)
            next = waiting_job("x", &pay, 1);
        next.queue = text(what == TO_ANOTHER ? "pay.roll" : "mail.out");
        bool cancels = what == CANCELS || what == CANCELS_ANOTHER;
        struct slice joint =
            joint_with(&next, !cancels, what == CANCELS_ANOTHER ? &pay : &out, cancels, 0);
        enum stint_status expected = submits ? with_submit[what] : STINT_DENIED;
        assert_int_equal(tell(w, KEYED, an_end(id, OUTCOME_SUCCEEDED, joint)), expected);
        assert_int_equal(
            world_state(w, id, NULL), expected == STINT_OK ? STINT_SUCCEEDED : STINT_SCHEDULED);
        assert_int_equal(world_state(w, cancels && expected == STINT_OK ? out : pay, NULL),
            cancels && expected == STINT_OK ? STINT_CANCELLED_JOB : STINT_READY);
        finish(w);
    }
}

static void
one_message_brings_no_more_than_a_submit(void **state)
{
    (void)state;
    struct world *w = world_new(NULL);
    struct job_spec *jobs = calloc(LIMIT_JOBS, sizeof *jobs);
    struct pack_buffer half = {0};
    world_with_client(w);
    world_with_worker(w, 2);
    (void)world_submit_one(w, 1, "a");
    struct stint_id first = world_dispatched(w, WORKER).id;
    (void)world_submit_one(w, 2, "b");
    struct stint_id second = world_dispatched(w, WORKER).id;
    for (uint32_t i = 0; i < LIMIT_JOBS; i++)
        jobs[i] = job_for("next", "");
    struct slice joint = joint_with(jobs, LIMIT_JOBS / 2, NULL, 0, 0);
    memcpy(pack_reserve(&half, joint.size), joint.data, joint.size);
    struct outcome o[] = {an_end(first, OUTCOME_SUCCEEDED, (struct slice){half.data, half.used}),
        an_end(second, OUTCOME_SUCCEEDED, joint_with(jobs, LIMIT_JOBS / 2 + 1, NULL, 0, 0))};
    message_put_settle(world_frame(w, WORKER), 5, o, 2, 0);
    step(w, 0);
    const struct message *m = world_read(w, WORKER, MESSAGE_ERROR);
    assert_non_null(m);
    assert_int_equal(m->error.status, STINT_TOO_LARGE);
    o[1].joint = joint_with(jobs, LIMIT_JOBS / 2, NULL, 0, 0);
    message_put_settle(world_frame(w, WORKER), 6, o, 2, 0);
    step(w, 0);
    assert_int_equal(jobs_in(w, STINT_READY), LIMIT_JOBS);
    free(jobs);
    pack_buffer_free(&half);
    finish(w);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(new_jobs_come_with_an_end_once),
        cmocka_unit_test(what_is_forgotten_at_success_makes_its_jobs_once),
        cmocka_unit_test(runs_that_are_to_begin_anew_make_nothing),
        cmocka_unit_test(an_end_that_is_late_brings_its_jobs),
        cmocka_unit_test(a_graph_comes_with_an_end),
        cmocka_unit_test(what_never_can_be_fails_the_attempt),
        cmocka_unit_test(a_failure_for_good_stays_one_and_says_both),
        cmocka_unit_test(a_result_that_is_too_large_brings_nothing),
        cmocka_unit_test(what_can_be_later_is_told_again_later),
        cmocka_unit_test(a_full_queue_takes_them_if_they_may_not_wait),
        cmocka_unit_test(time_does_not_run_for_an_end_that_waits),
        cmocka_unit_test(an_end_that_waits_is_over_with_its_lease),
        cmocka_unit_test(jobs_are_cancelled_with_an_end),
        cmocka_unit_test(keys_are_free_for_new_jobs),
        cmocka_unit_test(a_key_that_is_held_is_no_refusal),
        cmocka_unit_test(a_key_has_to_grant_what_comes_with_an_end),
        cmocka_unit_test(one_message_brings_no_more_than_a_submit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
