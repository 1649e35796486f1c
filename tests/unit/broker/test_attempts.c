/* What counts as an attempt, and what becomes of jobs that were lost with a worker, are over their
 * time, or can't be started.
 */
#include "world.h"

#include <stdlib.h>

static struct dispatched_job got[64]; /* what a worker was given in the last step */

static uint32_t
given(struct world *w, uint32_t peer)
{
    uint32_t count = 0;
    if (world_read(w, peer, MESSAGE_DISPATCH))
        for (; count < w->message.count; count++)
            got[count] = w->arrays->dispatched[count];
    return count;
}

static void
start(struct world *w, uint32_t peer, const struct dispatched_job *job)
{
    struct lease_ref lease = {.id = job->id, .attempt = job->attempt};
    message_put_leases(world_frame(w, peer), MESSAGE_STARTED, 7, &lease, 1, false);
}

/* A worker of these kinds (NULL: all), which has claimed nothing; its session is its peer's number.
 */
static void
join(struct world *w, uint32_t peer, uint32_t slots, uint32_t window, const char *kind)
{
    struct hello h = {.version_min = 1,
        .version_max = 1,
        .role = ROLE_WORKER,
        .name = {(const uint8_t *)"peer", 4},
        .software = {(const uint8_t *)"test", 4},
        .slots = slots,
        .window = window,
        .kinds = kind ? 1 : 0};
    struct slice name = {(const uint8_t *)kind, kind ? strlen(kind) : 0};
    memset(h.session, (int)peer, sizeof h.session);
    message_put_hello(world_frame(w, peer), &h, NULL, &name, NULL);
    world_claim(w, peer, NULL, 0);
    assert_int_equal(world_step(w, 0), STINT_OK);
}

static void
leave(struct world *w, uint32_t peer)
{
    message_put_numbered(world_frame(w, peer), MESSAGE_BYE, 9);
    assert_int_equal(world_step(w, 0), STINT_OK);
}

static struct stint_id
submit(struct world *w, uint64_t number, const struct job_spec *job)
{
    struct stint_id id;
    uint32_t count;
    world_submit(w, 1, number, job, 1);
    assert_int_equal(world_step(w, 0), STINT_OK);
    assert_non_null(world_read(w, 1, MESSAGE_SUBMITTED));
    assert_true(message_next_run(&w->arrays->answers[0], &id, &count));
    return id;
}

static struct stint_id
submit_kind(struct world *w, uint64_t number, const char *kind)
{
    struct job_spec job = world_job("a");
    job.kind = (struct slice){(const uint8_t *)kind, strlen(kind)};
    return submit(w, number, &job);
}

static void
only_what_has_begun_counts_when_its_worker_is_lost(void **state)
{
    struct world *w = world_new(NULL);
    struct stint_job_info info;
    (void)state;
    world_with_client(w);
    join(w, 2, 1, 8, NULL);
    struct stint_id began = world_submit_one(w, 1, "a"), waited = world_submit_one(w, 2, "b");
    start(w, 2, &(struct dispatched_job){.id = began, .attempt = 1});
    assert_int_equal(world_step(w, 0), STINT_OK);
    leave(w, 2);
    assert_true(world_told(w, "a worker has left"));
    assert_int_equal(world_state(w, began, &info), STINT_READY);
    assert_int_equal(info.failures, 1);
    assert_int_equal(world_state(w, waited, &info), STINT_READY);
    assert_int_equal(info.failures, 0);
    assert_int_equal(info.attempt, 1); /* the number is used up */
    world_destroy(&w);
}

static void
what_was_lost_with_a_worker_is_handed_out_alone_and_begins_confirmed(void **state)
{
    struct world *w = world_new(NULL);
    (void)state;
    world_with_client(w);
    join(w, 2, 4, 4, NULL);
    struct stint_id suspects[3];
    for (uint64_t i = 0; i < 3; i++)
        suspects[i] = world_submit_one(w, i + 1, "a");
    leave(w, 2);
    struct stint_id later = world_submit_one(w, 4, "b");
    join(w, 3, 4, 4, NULL);
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(given(w, 3), 1);
        assert_true(got[0].confirm);
        assert_memory_equal(&got[0].id, &suspects[i], sizeof suspects[i]);
        message_put_ping(world_frame(w, 3), 1, 8, 0);
        assert_int_equal(world_step(w, 10), STINT_OK);
        assert_int_equal(given(w, 3), 0);
        start(w, 3, &(struct dispatched_job){.id = suspects[i], .attempt = 2});
        assert_int_equal(world_step(w, 0), STINT_OK);
        struct dispatched_job next = world_dispatched(w, 3);
        assert_non_null(world_read(w, 3, MESSAGE_CONFIRMED));
        assert_int_equal(w->message.number, 7);
        assert_int_equal(w->message.count, 0);
        if (i == 2) {
            assert_memory_equal(&next.id, &later, sizeof later);
            assert_false(next.confirm);
        }
        assert_int_equal(given(w, 3), 1);
    }
    world_destroy(&w);
}

static void
that_a_suspect_has_begun_is_known_after_a_restart(void **state)
{
    struct world *w = world_new(NULL);
    struct stint_job_info info;
    (void)state;
    world_with_client(w);
    join(w, 2, 1, 1, NULL);
    struct stint_id id = world_submit_one(w, 1, "a");
    for (uint32_t n = 1; n <= 2; n++) {
        world_restart(w);
        for (unsigned ms = 0; ms < DEFAULT_GRACE_MS + 1000; ms += 200)
            assert_int_equal(world_step(w, 200), STINT_OK);
        join(w, 2, 1, 1, NULL);
        assert_int_equal(world_state(w, id, &info), STINT_RUNNING);
        assert_int_equal(info.attempt, n + 1);
        assert_int_equal(info.failures, n - 1);
        start(w, 2, &(struct dispatched_job){.id = id, .attempt = n + 1});
        assert_int_equal(world_step(w, 0), STINT_OK);
    }
    world_destroy(&w);
}

static void
started_is_refused_for_what_the_worker_does_not_hold(void **state)
{
    struct world *w = world_new(NULL);
    (void)state;
    world_with_client(w);
    join(w, 2, 1, 1, NULL);
    struct stint_id id = world_submit_one(w, 1, "a");
    start(w, 2, &(struct dispatched_job){.id = id, .attempt = 7});
    assert_int_equal(world_step(w, 0), STINT_OK);
    assert_non_null(world_read(w, 2, MESSAGE_CONFIRMED));
    assert_int_equal(w->message.count, 1);
    assert_int_equal(w->arrays->leases[0].status, STINT_STALE);
    id.bytes[15] = 200;
    start(w, 2, &(struct dispatched_job){.id = id, .attempt = 1});
    assert_int_equal(world_step(w, 0), STINT_OK);
    assert_non_null(world_read(w, 2, MESSAGE_CONFIRMED));
    assert_int_equal(w->arrays->leases[0].status, STINT_NO_SUCH_JOB);
    world_destroy(&w);
}

/* A worker that says STARTED where it must, runs what it is given in order, and dies of poison. It
 * is begun again each time. Two slots and 16 jobs ahead, as in `stint-worker -s 2 --prefetch 16`.
 */
struct fragile {
    struct world *w;
    uint32_t peer, deaths, begun;
    uint64_t poison; /* the sequence of the job that kills */
    uint64_t number;
    struct dispatched_job mine[64];
    uint32_t count;
};

static bool
run_one(struct fragile *f, const struct dispatched_job *job)
{
    if (id_sequence(&job->id) == f->poison)
        return false;
    world_settle(f->w, f->peer, ++f->number, job->id, job->attempt, OUTCOME_SUCCEEDED, "");
    return true;
}

/* It dies with all it holds, and another one comes when that is known. */
static void
die(struct fragile *f)
{
    f->deaths++;
    f->count = 0;
    for (unsigned ms = 0; ms < DEFAULT_LOST_MS + 500; ms += 250) {
        message_put_ping(world_frame(f->w, 1), 1, 0, 0);
        assert_int_equal(world_step(f->w, 250), STINT_OK);
    }
    join(f->w, ++f->peer, 2, 18, NULL);
}

static void
live(struct fragile *f)
{
    uint32_t count = given(f->w, f->peer);
    memcpy(f->mine + f->count, got, count * sizeof *got);
    f->count += count;
    if (count > 0 && got[0].confirm) {
        assert_int_equal(count, 1);
        f->begun++;
        start(f->w, f->peer, &got[0]);
    } else if (f->count > 0) {
        struct dispatched_job job = f->mine[0];
        memmove(f->mine, f->mine + 1, --f->count * sizeof *f->mine);
        if (!run_one(f, &job)) {
            die(f);
            return;
        }
    }
    message_put_ping(world_frame(f->w, f->peer), 1, 18, 0);
    assert_int_equal(world_step(f->w, 1), STINT_OK);
}

static void
a_job_that_kills_its_workers_dies_alone(void **state)
{
    struct fragile f = {.w = world_new(NULL), .peer = 20, .poison = 21};
    struct job_spec jobs[61];
    struct stint_stats stats;
    (void)state;
    world_with_client(f.w);
    for (unsigned i = 0; i < 61; i++)
        jobs[i] = world_job("a");
    world_submit(f.w, 1, 1, jobs, 61);
    assert_int_equal(world_step(f.w, 0), STINT_OK);
    join(f.w, ++f.peer, 2, 18, NULL);
    for (unsigned turn = 0; turn < 400; turn++)
        live(&f);
    core_stats(f.w->core, &stats);
    assert_int_equal(stats.jobs[STINT_DEAD], 1);
    assert_int_equal(stats.jobs[STINT_SUCCEEDED], 60);
    assert_true(f.deaths <= DEFAULT_MAX_ATTEMPTS + 1);
    assert_true(world_told(f.w, "a job is dead"));
    world_destroy(&f.w);
}

static void
only_jobs_that_began_die_of_their_workers_deaths(void **state)
{
    enum { MANY = 2000, KILLS = 30, EVERY = 23 };
    struct fragile f = {.w = world_new(NULL), .peer = 20, .poison = UINT64_MAX};
    struct job_spec *jobs = calloc(MANY, sizeof *jobs);
    struct stint_stats stats;
    (void)state;
    assert_non_null(jobs);
    world_with_client(f.w);
    for (unsigned i = 0; i < MANY; i++) {
        jobs[i] = world_job("a");
        jobs[i].max_attempts = 1;
    }
    world_submit(f.w, 1, 1, jobs, MANY);
    assert_int_equal(world_step(f.w, 0), STINT_OK);
    join(f.w, ++f.peer, 2, 18, NULL);
    for (unsigned turn = 1; f.deaths < KILLS; turn++)
        if (turn % EVERY == 0)
            die(&f);
        else
            live(&f);
    core_stats(f.w->core, &stats);
    assert_true(stats.jobs[STINT_DEAD] <= f.begun); /* those that were told of as started */
    assert_true(stats.jobs[STINT_DEAD] <= KILLS);
    assert_true(stats.jobs[STINT_SUCCEEDED] > 0);
    free(jobs);
    world_destroy(&f.w);
}

static void
a_suspect_that_a_busy_worker_has_no_room_for_lets_it_run_dry_and_no_other(void **state)
{
    struct world *w = world_new(NULL);
    (void)state;
    world_with_client(w);
    join(w, 2, 1, 1, NULL);
    struct stint_id suspect = world_submit_one(w, 1, "s");
    join(w, 3, 1, 2, NULL);
    join(w, 4, 1, 2, NULL);
    for (uint64_t i = 2; i < 6; i++)
        (void)world_submit_one(w, i, "n");
    for (uint64_t i = 6; i < 12; i++)
        (void)world_submit_one(w, i, "n");
    leave(w, 2);
    uint32_t dry = 0, others = 0;
    /* Each ends one of its jobs: one worker gets another, the other one is kept free. */
    for (uint32_t peer = 3; peer <= 4; peer++)
        for (uint32_t sequence = 2; sequence < 6; sequence++) {
            struct stint_id id = suspect;
            id.bytes[15] = (uint8_t)sequence;
            struct outcome o = {.id = id, .attempt = 1, .type = OUTCOME_SUCCEEDED};
            message_put_settle(world_frame(w, peer), sequence, &o, 1, WINDOW_UNCHANGED);
            assert_int_equal(world_step(w, 0), STINT_OK);
            for (uint32_t p = 3; p <= 4; p++)
                for (uint32_t n = given(w, p); n > 0; n--) {
                    dry += got[n - 1].confirm;
                    others += !got[n - 1].confirm;
                }
        }
    assert_int_equal(dry, 1);
    assert_true(others >= 2);
    assert_int_equal(world_state(w, suspect, NULL), STINT_RUNNING);
    world_destroy(&w);
}

static void
a_suspect_that_is_settled_late_or_cancelled_is_not_handed_out(void **state)
{
    struct world *w = world_new(NULL);
    (void)state;
    world_with_client(w);
    join(w, 2, 3, 3, NULL);
    struct stint_id ids[3];
    for (uint64_t i = 0; i < 3; i++)
        ids[i] = world_submit_one(w, i + 1, "a");
    leave(w, 2);
    join(w, 3, 1, 1, NULL); /* it takes the first, and looks at no other */
    join(w, 4, 2, 2, NULL);
    assert_int_equal(world_state(w, ids[1], NULL), STINT_RUNNING);
    leave(w, 3);
    leave(w, 4);
    /* All are found, and none fits: this one can't take any. */
    join(w, 5, 1, 1, "other");
    message_put_ids(world_frame(w, 1), MESSAGE_CANCEL, 5, &ids[0], 1, 0);
    world_hello_worker(w, 6, 4, 0);
    world_settle(w, 6, 5, ids[1], 2, OUTCOME_SUCCEEDED, "late");
    assert_int_equal(world_step(w, 0), STINT_OK);
    assert_int_equal(world_state(w, ids[0], NULL), STINT_CANCELLED_JOB);
    assert_int_equal(world_state(w, ids[1], NULL), STINT_SUCCEEDED);
    join(w, 7, 2, 2, NULL);
    assert_int_equal(given(w, 7), 1);
    assert_memory_equal(&got[0].id, &ids[2], sizeof ids[2]);
    world_destroy(&w);
}

/* ---- time limits ---- */

static bool
is_revoked_within(struct world *w, uint64_t most_ms)
{
    bool revoked = false;
    for (uint64_t ms = 0; ms < most_ms && !revoked; ms += 250) {
        message_put_ping(world_frame(w, 2), 1, 0, 0);
        assert_int_equal(world_step(w, 250), STINT_OK);
        revoked = world_read(w, 2, MESSAGE_REVOKE) != NULL;
    }
    return revoked;
}

static struct stint_id
submit_limited(struct world *w)
{
    struct job_spec job = world_job("a");
    job.time_to_run_ms = 3000;
    return submit(w, 1, &job);
}

static void
a_job_far_over_its_time_is_taken_back_as_a_failed_attempt_and_its_worker_told(void **state)
{
    struct world *w = world_new(NULL);
    struct stint_job_info info;
    (void)state;
    world_with_client(w);
    world_with_worker(w, 1);
    struct stint_id id = submit_limited(w);
    start(w, 2, &(struct dispatched_job){.id = id, .attempt = 1});
    assert_int_equal(world_step(w, 0), STINT_OK);
    /* At the limit its worker ends it. */
    assert_false(is_revoked_within(w, 3000 + DEFAULT_LOST_MS + 14000));
    assert_true(is_revoked_within(w, 3000));
    assert_int_equal(w->arrays->leases[0].status, STINT_TIMEOUT);
    assert_true(world_told(w, "was taken back"));
    assert_int_equal(world_state(w, id, &info), STINT_SCHEDULED);
    assert_int_equal(info.failures, 1);
    assert_non_null(strstr(info.error, "time limit"));
    /* What it came to after all counts. */
    world_settle(w, 2, 3, id, 1, OUTCOME_SUCCEEDED, "late");
    assert_int_equal(world_step(w, 0), STINT_OK);
    assert_int_equal(world_state(w, id, &info), STINT_SUCCEEDED);
    assert_int_equal(store_model_count(w->store, STORE_DUE), 0);
    world_destroy(&w);
}

static void
a_deadline_lives_through_loss_claim_and_restart(void **state)
{
    struct world *w = world_new(NULL);
    (void)state;
    for (unsigned restart = 0; restart < 2; restart++) {
        world_with_client(w);
        if (restart == 0) {
            world_with_worker(w, 1);
            struct stint_id id = submit_limited(w);
            start(w, 2, &(struct dispatched_job){.id = id, .attempt = 1});
            assert_int_equal(world_step(w, 0), STINT_OK);
            for (unsigned ms = 0; ms < DEFAULT_LOST_MS + 500; ms += 250) {
                message_put_ping(world_frame(w, 1), 1, 0, 0);
                assert_int_equal(world_step(w, 250), STINT_OK);
            }
            assert_int_equal(world_state(w, id, NULL), STINT_READY);
        } else
            world_restart(w);
        world_hello_worker(w, 2, 2, 0);
        struct stint_id id = id_make(w->options.broker, 1, DEFAULT_PRIORITY, 1);
        struct lease_ref lease = {.id = id, .attempt = 1, .begun = true};
        world_claim(w, 2, &lease, 1);
        assert_int_equal(world_step(w, 0), STINT_OK);
        assert_non_null(world_read(w, 2, MESSAGE_CLAIMED));
        assert_int_equal(w->message.count, 0);
        if (restart == 0)
            assert_int_equal(world_state(w, id, NULL), STINT_RUNNING);
    }
    /* The lost time has passed since it began, and a moment. */
    assert_true(is_revoked_within(w, 3000 + 15000 + 1000));
    world_destroy(&w);
}

static void
what_was_taken_back_is_claimed_by_its_last_attempt_alone(void **state)
{
    struct world *w = world_new(NULL);
    struct stint_job_info info;
    (void)state;
    world_with_client(w);
    join(w, 2, 1, 1, NULL);
    struct stint_id id = world_submit_one(w, 1, "a");
    leave(w, 2);
    for (uint32_t attempt = 2; attempt > 0; attempt--) {
        struct lease_ref lease = {.id = id, .attempt = attempt, .begun = true};
        world_hello_worker(w, 2, 2, 0);
        world_claim(w, 2, &lease, 1);
        assert_int_equal(world_step(w, 0), STINT_OK);
        assert_non_null(world_read(w, 2, MESSAGE_CLAIMED));
        assert_int_equal(w->message.count, attempt == 1 ? 0 : 1);
    }
    assert_int_equal(world_state(w, id, &info), STINT_RUNNING);
    assert_int_equal(info.failures, 0);
    leave(w, 2); /* it was told as begun: this one counts */
    assert_int_equal(world_state(w, id, &info), STINT_READY);
    assert_int_equal(info.failures, 1);
    world_destroy(&w);
}

/* ---- jobs that a worker can't start ---- */

static void
refuse(struct world *w, uint32_t peer, const struct dispatched_job *job)
{
    struct outcome o = {.id = job->id,
        .attempt = job->attempt,
        .type = OUTCOME_UNABLE,
        .body = {(const uint8_t *)"no such program", 15}};
    message_put_settle(world_frame(w, peer), job->attempt, &o, 1, WINDOW_UNCHANGED);
    assert_int_equal(world_step(w, 0), STINT_OK);
}

static void
what_one_worker_cant_start_another_one_gets_and_it_costs_nothing(void **state)
{
    struct world *w = world_new(NULL);
    struct stint_job_info info;
    (void)state;
    world_with_client(w);
    join(w, 2, 1, 1, NULL);
    struct stint_id id = world_submit_one(w, 1, "a");
    join(w, 3, 1, 1, NULL);
    refuse(w, 2, &(struct dispatched_job){.id = id, .attempt = 1});
    assert_int_equal(given(w, 2), 0);
    assert_int_equal(given(w, 3), 1);
    assert_int_equal(got[0].attempt, 2);
    assert_int_equal(world_state(w, id, &info), STINT_RUNNING);
    assert_int_equal(info.failures, 0);
    world_settle(w, 3, 5, id, 2, OUTCOME_SUCCEEDED, "");
    assert_int_equal(world_step(w, 0), STINT_OK);
    assert_int_equal(world_state(w, id, NULL), STINT_SUCCEEDED);
    world_destroy(&w);
}

static void
what_nobody_can_start_has_failed_with_their_word(void **state)
{
    struct world *w = world_new(NULL);
    struct stint_job_info info;
    struct job_spec job = world_job("a");
    (void)state;
    job.max_attempts = 1;
    world_with_client(w);
    join(w, 2, 1, 1, NULL);
    struct stint_id id = submit(w, 1, &job);
    join(w, 3, 1, 1, NULL);
    refuse(w, 2, &(struct dispatched_job){.id = id, .attempt = 1});
    refuse(w, 3, &(struct dispatched_job){.id = id, .attempt = 2});
    assert_int_equal(world_state(w, id, &info), STINT_DEAD);
    assert_int_equal(info.failures, 1);
    assert_string_equal(info.error, "no such program");
    /* And if the only one left who might start it goes. */
    id = submit(w, 2, &job);
    uint32_t first = given(w, 2) ? 2 : 3;
    join(w, 4, 1, 1, "other"); /* it does not handle the kind */
    message_put_ping(world_frame(w, first == 2 ? 3 : 2), 1, 0, 0);
    assert_int_equal(world_step(w, 0), STINT_OK);
    refuse(w, first, &(struct dispatched_job){.id = id, .attempt = 1});
    assert_int_equal(world_state(w, id, &info), STINT_READY);
    leave(w, first == 2 ? 3 : 2);
    message_put_ping(world_frame(w, first), 1, 1, 0);
    assert_int_equal(world_step(w, DEFAULT_HEARTBEAT_MS), STINT_OK);
    assert_int_equal(world_state(w, id, &info), STINT_DEAD);
    world_destroy(&w);
}

/* ---- kinds ---- */

static void
a_worker_that_names_kinds_gets_no_others(void **state)
{
    struct world *w = world_new(NULL);
    (void)state;
    world_with_client(w);
    struct stint_id red = submit_kind(w, 1, "red"), blue = submit_kind(w, 2, "blue");
    join(w, 2, 4, 4, "blue");
    assert_int_equal(given(w, 2), 1);
    assert_memory_equal(&got[0].id, &blue, sizeof blue);
    assert_int_equal(world_state(w, red, NULL), STINT_READY);
    message_put_page(world_frame(w, 1), MESSAGE_LIST_QUEUES, 1, (struct slice){0});
    assert_int_equal(world_step(w, 0), STINT_OK);
    assert_non_null(world_read(w, 1, MESSAGE_QUEUES));
    assert_true(message_next_queue(w->arrays));
    assert_string_equal(w->arrays->queue_info.unserved, "red");
    /* What comes back before the place that was searched is found again. */
    world_settle(w, 2, 3, blue, 1, OUTCOME_RETURNED, "");
    message_put_ping(world_frame(w, 2), 1, 4, 0);
    assert_int_equal(world_step(w, 0), STINT_OK);
    assert_int_equal(given(w, 2), 1);
    join(w, 3, 1, 1, NULL);
    assert_int_equal(given(w, 3), 1);
    assert_memory_equal(&got[0].id, &red, sizeof red);
    world_destroy(&w);
}

static void
searching_for_a_kind_takes_steps_and_not_a_long_one(void **state)
{
    enum { MANY = 4096, STEPS = 3 };
    struct world *w = world_new(NULL);
    struct job_spec *jobs = calloc(MANY, sizeof *jobs);
    (void)state;
    assert_non_null(jobs);
    world_with_client(w);
    for (unsigned i = 0; i < MANY; i++) {
        jobs[i] = world_job("");
        jobs[i].kind = (struct slice){(const uint8_t *)"red", 3};
    }
    for (uint64_t n = 1; n <= STEPS; n++) {
        world_submit(w, 1, n, jobs, MANY);
        assert_int_equal(world_step(w, 0), STINT_OK);
    }
    struct stint_id blue = submit_kind(w, STEPS + 1, "blue");
    join(w, 2, 1, 1, "blue");
    unsigned steps = 0;
    while (given(w, 2) == 0) {
        assert_int_equal(core_idle_ms(w->core), 0);
        assert_int_equal(world_step(w, 0), STINT_OK);
        assert_true(++steps <= STEPS);
    }
    assert_int_equal(steps, STEPS);
    assert_memory_equal(&got[0].id, &blue, sizeof blue);
    assert_int_not_equal(core_idle_ms(w->core), 0);
    free(jobs);
    world_destroy(&w);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_what_has_begun_counts_when_its_worker_is_lost),
        cmocka_unit_test(what_was_lost_with_a_worker_is_handed_out_alone_and_begins_confirmed),
        cmocka_unit_test(that_a_suspect_has_begun_is_known_after_a_restart),
        cmocka_unit_test(started_is_refused_for_what_the_worker_does_not_hold),
        cmocka_unit_test(a_job_that_kills_its_workers_dies_alone),
        cmocka_unit_test(only_jobs_that_began_die_of_their_workers_deaths),
        cmocka_unit_test(a_suspect_that_a_busy_worker_has_no_room_for_lets_it_run_dry_and_no_other),
        cmocka_unit_test(a_suspect_that_is_settled_late_or_cancelled_is_not_handed_out),
        cmocka_unit_test(
            a_job_far_over_its_time_is_taken_back_as_a_failed_attempt_and_its_worker_told),
        cmocka_unit_test(a_deadline_lives_through_loss_claim_and_restart),
        cmocka_unit_test(what_was_taken_back_is_claimed_by_its_last_attempt_alone),
        cmocka_unit_test(what_one_worker_cant_start_another_one_gets_and_it_costs_nothing),
        cmocka_unit_test(what_nobody_can_start_has_failed_with_their_word),
        cmocka_unit_test(a_worker_that_names_kinds_gets_no_others),
        cmocka_unit_test(searching_for_a_kind_takes_steps_and_not_a_long_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
