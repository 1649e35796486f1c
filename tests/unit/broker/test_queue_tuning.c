/* What else is set for queues: how many jobs may wait, what holds for jobs that say nothing, and
 * how often a queue's turn comes.
 */
#include "keyed.h"
#include "rows.h"

#include <stdlib.h>

enum { CLIENT = 1, WORKER = 2, SECOND = 3, HAND_OUTS = 1000, QUEUES = 3 };

static void
step(struct world *w, uint64_t ms)
{
    assert_int_equal(world_step(w, ms), STINT_OK);
}

static struct world *
world_with_peers(const struct core_options *options)
{
    struct world *w = world_new(options);
    world_with_client(w);
    step(w, 0);
    return w;
}

static struct stint_queue_setting
tune(struct world *w, const char *queue, const struct stint_queue_tuning *tuning)
{
    message_put_tune_queue(world_frame(w, CLIENT), 77, text(queue), tuning);
    step(w, 0);
    const struct message *m = world_read(w, CLIENT, MESSAGE_QUEUE);
    assert_non_null(m);
    return m->queue;
}

static struct stint_queue_tuning
as_it_is(void)
{
    return (struct stint_queue_tuning)STINT_QUEUE_TUNING_INIT;
}

static struct stint_queue_setting
keep(struct world *w, uint64_t keep_ms)
{
    struct stint_queue_tuning t = as_it_is();
    t.keep_ms = keep_ms;
    return tune(w, "default", &t);
}

static struct stint_queue_setting
backlog(struct world *w, const char *queue, uint32_t most)
{
    struct stint_queue_tuning t = as_it_is();
    t.backlog_max = most;
    return tune(w, queue, &t);
}

static struct stint_queue_setting
limit_time(struct world *w, uint64_t ms)
{
    struct stint_queue_tuning t = as_it_is();
    t.time_to_run_ms = ms;
    return tune(w, "default", &t);
}

static struct stint_queue_setting
weigh(struct world *w, const char *queue, uint32_t weight)
{
    struct stint_queue_tuning t = as_it_is();
    t.weight = weight;
    return tune(w, queue, &t);
}

static void
greet(struct world *w, uint32_t peer, uint32_t slots)
{
    world_hello_worker(w, peer, (uint8_t)peer, slots);
    step(w, 0);
    world_claim(w, peer, NULL, 0);
    step(w, 0);
}

/* ---- settings ---- */

static void
what_is_set_is_told_lasts_and_goes_with_the_queue(void **state)
{
    struct world *w = world_with_peers(NULL);
    const struct stint_queue_tuning all = {
        .weight = 3, .backlog_max = 1000, .keep_ms = 0, .time_to_run_ms = 30000};
    struct stint_queue_tuning none = as_it_is();
    (void)state;
    struct stint_queue_setting now = tune(w, "default", &all);
    assert_true(now.made);
    world_restart(w);
    world_with_client(w);
    step(w, 0);
    now = tune(w, "default", &none);
    assert_int_equal(now.weight, 3);
    assert_int_equal(now.backlog_max, 1000);
    assert_int_equal(now.keep_ms, 0);
    assert_int_equal(now.time_to_run_ms, 30000);
    message_put_page(world_frame(w, CLIENT), MESSAGE_LIST_QUEUES, 5, (struct slice){0});
    step(w, 0);
    assert_non_null(world_read(w, CLIENT, MESSAGE_QUEUES));
    assert_true(message_next_queue(w->arrays));
    assert_int_equal(w->arrays->queue_info.weight, 3);
    assert_int_equal(w->arrays->queue_info.backlog_max, 1000);
    assert_int_equal(w->arrays->queue_info.keep_ms, 0);
    assert_int_equal(w->arrays->queue_info.time_to_run_ms, 30000);
    none = (struct stint_queue_tuning){.weight = 1, .keep_ms = STINT_KEEP_UNSET};
    now = tune(w, "default", &none);
    assert_int_equal(now.weight, 1);
    assert_int_equal(now.backlog_max, 0);
    assert_true(now.keep_ms == STINT_KEEP_UNSET);
    assert_int_equal(now.time_to_run_ms, 0);
    (void)tune(w, "default", &all);
    message_put_set_queue(world_frame(w, CLIENT), 78, text("default"), STINT_REMOVE_QUEUE, NULL);
    step(w, 0);
    assert_non_null(world_read(w, CLIENT, MESSAGE_QUEUE));
    assert_true(backlog(w, "default", 1).made);
    now = weigh(w, "default", 1);
    assert_true(now.weight == 1 && now.keep_ms == STINT_KEEP_UNSET && now.time_to_run_ms == 0);
    assert_true(world_replays(w));
    world_destroy(&w);
}

static void
a_queue_is_made_by_what_is_set_and_not_by_what_is_taken_back(void **state)
{
    const struct stint_queue_tuning cases[] = {
        {1, UINT32_MAX, UINT64_MAX, UINT64_MAX, {0}},
        {UINT32_MAX, 0, UINT64_MAX, UINT64_MAX, {0}},
        {UINT32_MAX, UINT32_MAX, STINT_KEEP_UNSET, UINT64_MAX, {0}},
        {UINT32_MAX, UINT32_MAX, UINT64_MAX, 0, {0}},
        {2, UINT32_MAX, UINT64_MAX, UINT64_MAX, {0}},
        {UINT32_MAX, 1, UINT64_MAX, UINT64_MAX, {0}},
        {UINT32_MAX, UINT32_MAX, 0, UINT64_MAX, {0}},
        {UINT32_MAX, UINT32_MAX, UINT64_MAX, 1, {0}},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct core_options options;
        core_options_init(&options);
        options.queue_keep_ms = 1000;
        struct world *w = world_with_peers(&options);
        message_put_tune_queue(world_frame(w, CLIENT), 77, text("default"), &cases[i]);
        step(w, 0);
        if (i < 4) {
            assert_non_null(world_read(w, CLIENT, MESSAGE_ERROR));
            assert_int_equal(w->message.error.status, STINT_NO_SUCH_QUEUE);
        } else {
            for (unsigned n = 0; n < 5; n++) /* it does not go though it is empty */
                step(w, 1000);
            assert_false(tune(w, "default", &cases[i]).made);
        }
        world_destroy(&w);
    }
}

/* ---- how many may wait ---- */

static enum stint_status
submit(struct world *w, uint64_t number, const char *queue, uint32_t count, uint64_t delay_ms)
{
    struct job_spec jobs[8];
    assert_true(count <= 8);
    for (uint32_t i = 0; i < count; i++) {
        jobs[i] = world_job("x");
        jobs[i].queue = text(queue);
        jobs[i].delay_ms = delay_ms;
    }
    world_submit(w, CLIENT, number, jobs, count);
    step(w, 0);
    assert_non_null(world_read(w, CLIENT, MESSAGE_SUBMITTED));
    return w->arrays->answers[0].status;
}

static void
no_more_wait_than_may(void **state)
{
    struct world *w = world_with_peers(NULL);
    (void)state;
    assert_int_equal(backlog(w, "default", 4).backlog_max, 4);
    assert_int_equal(submit(w, 1, "default", 5, 0), STINT_TOO_LARGE); /* it would never do */
    assert_int_equal(submit(w, 1, "default", 2, 0), STINT_OK);
    assert_int_equal(submit(w, 2, "default", 3, 0), STINT_QUEUE_FULL); /* all of it, or nothing */
    assert_int_equal(submit(w, 2, "default", 1, 60000), STINT_OK);
    assert_int_equal(submit(w, 3, "default", 1, 0), STINT_OK);
    assert_int_equal(submit(w, 4, "default", 1, 60000), STINT_QUEUE_FULL);
    assert_int_equal(submit(w, 4, "other", 8, 0), STINT_OK);
    message_put_why(world_frame(w, CLIENT), 55, text("default"), NULL, 0);
    step(w, 0);
    assert_non_null(world_read(w, CLIENT, MESSAGE_REASONS));
    assert_true(message_next_reason(w->arrays));
    assert_true(w->arrays->reason.full);
    greet(w, WORKER, 1); /* what runs does not wait */
    assert_int_equal(submit(w, 5, "default", 1, 0), STINT_OK);
    assert_int_equal(submit(w, 6, "default", 1, 0), STINT_QUEUE_FULL);
    world_restart(w);
    world_with_client(w);
    step(w, 0);
    assert_int_equal(submit(w, 6, "default", 1, 0), STINT_QUEUE_FULL);
    (void)backlog(w, "default", 0);
    assert_int_equal(submit(w, 6, "default", 8, 0), STINT_OK);
    assert_true(world_replays(w));
    world_destroy(&w);
}

static void
the_lower_of_two_limits_holds(void **state)
{
    struct core_options options;
    (void)state;
    core_options_init(&options);
    options.max.queue_backlog = 3;
    struct world *w = world_with_peers(&options);
    (void)backlog(w, "few", 2);
    (void)backlog(w, "many", 5);
    assert_int_equal(submit(w, 1, "few", 2, 0), STINT_OK);
    assert_int_equal(submit(w, 2, "few", 1, 0), STINT_QUEUE_FULL);
    assert_int_equal(submit(w, 2, "many", 3, 0), STINT_OK);
    assert_int_equal(submit(w, 3, "many", 1, 0), STINT_QUEUE_FULL);
    assert_int_equal(submit(w, 3, "none", 3, 0), STINT_OK);
    assert_int_equal(submit(w, 4, "none", 1, 0), STINT_QUEUE_FULL);
    world_destroy(&w);
}

/* What is retried was the queue's before; what is moved was not. */
static void
a_full_queue_takes_what_is_retried_and_not_what_is_moved(void **state)
{
    struct world *w = world_with_peers(NULL);
    const struct change to = {.set = CHANGE_QUEUE, .to = {.queue = text("default")}};
    struct stint_id dead = id_make(0, 1, DEFAULT_PRIORITY, 1), other;
    (void)state;
    (void)backlog(w, "default", 2);
    assert_int_equal(submit(w, 1, "default", 1, 0), STINT_OK);
    greet(w, WORKER, 1);
    world_settle(w, WORKER, 2, dead, 1, OUTCOME_DEAD, "broken");
    step(w, 0);
    world_gone(w, WORKER);
    assert_int_equal(submit(w, 2, "default", 2, 0), STINT_OK);
    assert_int_equal(submit(w, 3, "other", 1, 0), STINT_OK);
    other = id_make(0, 2, DEFAULT_PRIORITY, 1);
    message_put_change(world_frame(w, CLIENT), 9, &other, 1, &to);
    step(w, 0);
    assert_non_null(world_read(w, CLIENT, MESSAGE_ANSWERS));
    assert_int_equal(w->arrays->statuses[0], STINT_QUEUE_FULL);
    message_put_ids(world_frame(w, CLIENT), MESSAGE_RETRY, 10, &dead, 1, 0);
    step(w, 0);
    assert_int_equal(world_state(w, dead, NULL), STINT_READY);
    assert_int_equal(submit(w, 4, "default", 1, 0), STINT_QUEUE_FULL);
    world_destroy(&w);
}

/* ---- what holds for jobs that say nothing ---- */

static struct stint_id
submit_one(struct world *w, uint64_t number, uint64_t keep_ms, uint64_t time_to_run_ms)
{
    struct job_spec job = world_job("x");
    job.keep_ms = keep_ms;
    if (time_to_run_ms)
        job.time_to_run_ms = time_to_run_ms;
    world_submit(w, CLIENT, number, &job, 1);
    step(w, 0);
    assert_non_null(world_read(w, CLIENT, MESSAGE_SUBMITTED));
    return id_make(0, 1, DEFAULT_PRIORITY, number);
}

static void
outcomes_are_kept_as_the_queue_says_unless_the_job_does(void **state)
{
    static const struct {
        uint64_t queue_ms, job_ms, kept_ms;
        enum outcome_type end;
    } cases[] = {{5000, KEEP_DEFAULT, 5000, OUTCOME_SUCCEEDED},
        {5000, 7000, 7000, OUTCOME_SUCCEEDED}, {0, 7000, 7000, OUTCOME_SUCCEEDED},
        {0, KEEP_DEFAULT, 0, OUTCOME_SUCCEEDED}, {5000, 0, 0, OUTCOME_SUCCEEDED},
        {STINT_KEEP_UNSET, KEEP_DEFAULT, 9000, OUTCOME_SUCCEEDED},
        {0, KEEP_DEFAULT, 20000, OUTCOME_DEAD}, {60000, KEEP_DEFAULT, 60000, OUTCOME_DEAD}};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct core_options options;
        struct stint_job_info info;
        core_options_init(&options);
        options.keep_ms = 9000;
        options.keep_dead_ms = 20000;
        struct world *w = world_with_peers(&options);
        if (cases[i].queue_ms != STINT_KEEP_UNSET)
            assert_int_equal(keep(w, cases[i].queue_ms).keep_ms, cases[i].queue_ms);
        struct stint_id id = submit_one(w, 1, cases[i].job_ms, 0);
        (void)world_state(w, id, &info);
        if (cases[i].end == OUTCOME_SUCCEEDED)
            assert_int_equal(info.keep_ms, cases[i].kept_ms);
        greet(w, WORKER, 1);
        world_settle(w, WORKER, 2, id, 1, cases[i].end, "done");
        step(w, 0);
        if (cases[i].kept_ms > 0) {
            step(w, cases[i].kept_ms - 1);
            assert_int_not_equal(world_state(w, id, NULL), STINT_UNKNOWN);
        }
        for (unsigned n = 0; n < 3; n++) /* outcomes go by slots of time */
            step(w, 1ULL << EXPIRY_SLOT_SHIFT);
        assert_int_equal(world_state(w, id, NULL), STINT_UNKNOWN);
        world_destroy(&w);
    }
}

/* What counts is what is set when it ends, in the queue in which it stands then. */
static void
a_keep_that_is_set_later_holds_for_jobs_that_were_there(void **state)
{
    struct world *w = world_with_peers(NULL);
    (void)state;
    (void)keep(w, 60000);
    struct stint_id first = submit_one(w, 1, KEEP_DEFAULT, 0), second;
    second = submit_one(w, 2, KEEP_DEFAULT, 0);
    greet(w, WORKER, 2);
    (void)keep(w, 0);
    world_settle(w, WORKER, 2, first, 1, OUTCOME_SUCCEEDED, "");
    step(w, 0);
    assert_int_equal(world_state(w, first, NULL), STINT_UNKNOWN);
    assert_true(keep(w, STINT_KEEP_UNSET).keep_ms == STINT_KEEP_UNSET);
    world_settle(w, WORKER, 3, second, 1, OUTCOME_SUCCEEDED, "");
    step(w, 0);
    assert_int_equal(world_state(w, second, NULL), STINT_SUCCEEDED);
    world_destroy(&w);
}

static void
a_job_without_a_time_limit_gets_the_queues(void **state)
{
    struct world *w = world_with_peers(NULL);
    struct stint_job_info info;
    (void)state;
    (void)limit_time(w, 30000);
    struct stint_id first = submit_one(w, 1, KEEP_DEFAULT, 0);
    greet(w, WORKER, 1);
    assert_int_equal(world_dispatched(w, WORKER).time_to_run_ms, 30000);
    (void)world_state(w, first, &info);
    assert_int_equal(info.time_to_run_ms, 30000);
    struct stint_id second = submit_one(w, 2, KEEP_DEFAULT, 5000);
    world_settle(w, WORKER, 2, first, 1, OUTCOME_SUCCEEDED, "");
    step(w, 0);
    assert_int_equal(world_dispatched(w, WORKER).time_to_run_ms, 5000); /* it has its own */
    (void)submit_one(w, 3, KEEP_DEFAULT, 0);
    (void)limit_time(w, 0);
    world_settle(w, WORKER, 3, second, 1, OUTCOME_SUCCEEDED, "");
    step(w, 0);
    assert_int_equal(world_dispatched(w, WORKER).time_to_run_ms, 0);
    world_destroy(&w);
}

/* Its worker does not end it: the broker does, also one that has begun before a restart. */
static void
a_run_over_the_queues_time_limit_is_taken_back(void **state)
{
    (void)state;
    for (unsigned restarts = 0; restarts < 2; restarts++) {
        struct world *w = world_with_peers(NULL);
        struct stint_job_info info;
        (void)limit_time(w, 1000);
        struct stint_id id = submit_one(w, 1, KEEP_DEFAULT, 0);
        const struct lease_ref ref = {.id = id, .attempt = 1, .begun = true};
        greet(w, WORKER, 1);
        message_put_leases(world_frame(w, WORKER), MESSAGE_STARTED, 0, &ref, 1, false);
        step(w, 0);
        if (restarts) {
            world_restart(w);
            world_with_client(w);
            world_hello_worker(w, WORKER, WORKER, 1);
            step(w, 0);
            world_claim(w, WORKER, &ref, 1);
            step(w, 0);
        }
        for (unsigned n = 0; n < 120 && world_state(w, id, &info) == STINT_RUNNING; n++) {
            message_put_ping(world_frame(w, WORKER), 1, 1, 0);
            step(w, 500);
        }
        assert_int_equal(info.state, STINT_SCHEDULED);
        assert_non_null(strstr(info.error, "time limit"));
        world_destroy(&w);
    }
}

/* It was handed out without a limit, and what is set later is not its worker's. */
static void
a_time_limit_that_is_set_later_does_not_hold_for_what_runs_also_after_a_restart(void **state)
{
    struct world *w = world_with_peers(NULL);
    struct stint_id id = submit_one(w, 1, KEEP_DEFAULT, 0);
    const struct lease_ref ref = {.id = id, .attempt = 1, .begun = true};
    (void)state;
    greet(w, WORKER, 1);
    message_put_leases(world_frame(w, WORKER), MESSAGE_STARTED, 0, &ref, 1, false);
    step(w, 0);
    (void)limit_time(w, 1000);
    world_restart(w);
    world_with_client(w);
    world_hello_worker(w, WORKER, WORKER, 1);
    step(w, 0);
    world_claim(w, WORKER, &ref, 1);
    for (unsigned n = 0; n < 120; n++) {
        message_put_ping(world_frame(w, WORKER), 1, 1, 0);
        step(w, 500);
        assert_int_equal(world_state(w, id, NULL), STINT_RUNNING);
    }
    world_destroy(&w);
}

/* ---- weights ---- */

static const char *const names[QUEUES] = {"qa", "qb", "qc"};

/* A worker of them all, by name or by how their names begin. */
static void
greet_all(struct world *w, uint32_t slots, uint32_t window, bool by_prefix)
{
    struct slice parts[QUEUES] = {text("qa"), text("qb"), text("qc")};
    struct hello h = {.version_min = 1,
        .version_max = 1,
        .role = ROLE_WORKER,
        .name = text("worker"),
        .software = text("test"),
        .slots = slots,
        .window = window,
        .queues = by_prefix ? 0 : QUEUES,
        .prefixes = by_prefix};
    if (by_prefix)
        parts[0] = text("q*");
    memset(h.session, WORKER, sizeof h.session);
    message_put_hello(world_frame(w, WORKER), &h, parts, NULL, NULL);
    world_claim(w, WORKER, NULL, 0);
    step(w, 0);
}

/* Queues that always have jobs: each time some are handed out and done. */
static void
count_shares(struct world *w, uint64_t shares[QUEUES], uint32_t a_step)
{
    uint64_t total = 0, settled = 100;
    while (total < HAND_OUTS) {
        struct outcome done[64];
        uint32_t count = 0;
        size_t i = 0;
        while (world_next(w, WORKER, &i)) {
            if (w->message.type != MESSAGE_DISPATCH)
                continue;
            for (uint32_t n = 0; n < w->message.count; n++) {
                struct stint_id id = w->arrays->dispatched[n].id;
                assert_in_range(id_queue(&id), 1, QUEUES);
                shares[id_queue(&id) - 1]++;
                total++;
                assert_true(count < 64);
                done[count++] = (struct outcome){.id = id, .attempt = 1, .type = OUTCOME_SUCCEEDED};
            }
        }
        assert_true(count > 0);
        for (uint32_t from = 0; from < count; from += a_step) {
            uint32_t some = count - from < a_step ? count - from : a_step;
            message_put_settle(
                world_frame(w, WORKER), ++settled, done + from, some, WINDOW_UNCHANGED);
        }
        step(w, 1);
    }
}

static void
shares_are_as_weights(void **state)
{
    static const struct {
        uint32_t slots, window, weights[QUEUES];
    } cases[] = {{1, 1, {3, 1, 1}}, {4, 4, {5, 2, 1}}, {8, 32, {3, 2, 1}}, {1, 64, {10, 1, 1}},
        {3, 16, {1, 1, 1}}, {2, 7, {1, 1, 2}}};
    (void)state;
    for (size_t i = 0; i < 2 * sizeof cases / sizeof *cases; i++) {
        const uint32_t *weights = cases[i / 2].weights;
        struct world *w = world_with_peers(NULL);
        uint64_t shares[QUEUES] = {0}, sum = weights[0] + weights[1] + weights[2], total;
        for (unsigned q = 0; q < QUEUES; q++) {
            struct job_spec job = world_job("x");
            job.queue = text(names[q]);
            for (unsigned n = 0; n < 2; n++)
                world_submit_many(w, CLIENT, 1 + 2 * q + n, &job, 1000);
            if (weights[q] > 1)
                assert_int_equal(weigh(w, names[q], weights[q]).weight, weights[q]);
        }
        if (i / 2 % 2 == 0) { /* also after a restart */
            world_restart(w);
            world_with_client(w);
        }
        greet_all(w, cases[i / 2].slots, cases[i / 2].window, i % 2);
        count_shares(w, shares, 3);
        total = shares[0] + shares[1] + shares[2];
        for (unsigned q = 0; q < QUEUES; q++) {
            uint64_t due = total * weights[q] / sum;
            assert_in_range(shares[q], due - due / 10, due + due / 10);
        }
        assert_true(world_replays(w));
        world_destroy(&w);
    }
}

static void
weights_that_are_set_later_hold_from_then_on(void **state)
{
    (void)state;
    for (unsigned by_prefix = 0; by_prefix < 2; by_prefix++) {
        struct world *w = world_with_peers(NULL);
        for (unsigned q = 0; q < QUEUES; q++) {
            struct job_spec job = world_job("x");
            job.queue = text(names[q]);
            for (unsigned n = 0; n < 5; n++)
                world_submit_many(w, CLIENT, 1 + 5 * q + n, &job, 1000);
        }
        (void)weigh(w, "elsewhere", 7);
        greet_all(w, 2, 4, by_prefix);
        for (unsigned round = 0; round < 3; round++) {
            uint64_t shares[QUEUES] = {0}, weight = round == 1 ? 8 : 1;
            struct stint_queue_tuning t = as_it_is();
            t.weight = (uint32_t)weight;
            message_put_tune_queue(world_frame(w, CLIENT), 7, text("qb"), &t);
            count_shares(w, shares, 3);
            uint64_t total = shares[0] + shares[1] + shares[2], due = total * weight / (2 + weight);
            assert_in_range(shares[1], due - due / 10, due + due / 10);
        }
        world_destroy(&w);
    }
}

/* What a queue does not use of its turn, others get. */
static void
a_weighted_queue_that_is_empty_or_limited_holds_nobody_up(void **state)
{
    (void)state;
    for (unsigned by_prefix = 0; by_prefix < 2; by_prefix++) {
        struct world *w = world_with_peers(NULL);
        struct stint_stats stats;
        struct job_spec job = world_job("x");
        const struct stint_queue_limits limits = {.running = 2, .rate = UINT64_MAX};
        (void)weigh(w, "qa", 50);
        (void)weigh(w, "qb", 20);
        message_put_set_queue(world_frame(w, CLIENT), 5, text("qb"), STINT_LIMIT_QUEUE, &limits);
        job.queue = text("qb");
        world_submit_many(w, CLIENT, 1, &job, 40);
        job.queue = text("qc");
        world_submit_many(w, CLIENT, 2, &job, 40);
        greet_all(w, 4, 32, by_prefix);
        core_stats(w->core, &stats);
        assert_int_equal(stats.jobs[STINT_RUNNING], 32);
        job.queue = text("qa");
        world_submit_many(w, CLIENT, 3, &job, 8);
        message_put_ping(world_frame(w, WORKER), 1, 40, 0);
        step(w, 0);
        core_stats(w->core, &stats);
        assert_int_equal(stats.jobs[STINT_RUNNING], 40);
        world_destroy(&w);
    }
}

#define FOR(test) cmocka_unit_test(test)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        FOR(what_is_set_is_told_lasts_and_goes_with_the_queue),
        FOR(a_queue_is_made_by_what_is_set_and_not_by_what_is_taken_back),
        FOR(no_more_wait_than_may),
        FOR(the_lower_of_two_limits_holds),
        FOR(a_full_queue_takes_what_is_retried_and_not_what_is_moved),
        FOR(outcomes_are_kept_as_the_queue_says_unless_the_job_does),
        FOR(a_keep_that_is_set_later_holds_for_jobs_that_were_there),
        FOR(a_job_without_a_time_limit_gets_the_queues),
        FOR(a_run_over_the_queues_time_limit_is_taken_back),
        FOR(a_time_limit_that_is_set_later_does_not_hold_for_what_runs_also_after_a_restart),
        FOR(shares_are_as_weights),
        FOR(weights_that_are_set_later_hold_from_then_on),
        FOR(a_weighted_queue_that_is_empty_or_limited_holds_nobody_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
