/* Limits of queues: so many jobs of one are handed out at once, and so many in a time, whatever
 * workers there are, and also after a restart.
 */
#include "keyed.h"

#include <stdlib.h>

enum { CLIENT = 1, WORKER = 2, SECOND = 3, JOBS = 64, HOUR_MS = 3600000 };

static void
step(struct world *w, uint64_t ms)
{
    assert_int_equal(world_step(w, ms), STINT_OK);
}

static void
greet(struct world *w, uint32_t peer, uint32_t slots)
{
    world_hello_worker(w, peer, (uint8_t)peer, slots);
    step(w, 0);
    world_claim(w, peer, NULL, 0);
    step(w, 0);
}

/* A worker of 8 slots that serves these queues, or, if it is `prefixes`, those that begin so. */
static void
greet_for(struct world *w, const struct slice *names, uint32_t queues, uint32_t prefixes)
{
    struct hello h = {.version_min = 1,
        .version_max = 1,
        .role = ROLE_WORKER,
        .name = text("worker"),
        .software = text("test"),
        .slots = 8,
        .window = 8,
        .queues = queues,
        .prefixes = prefixes};
    memset(h.session, WORKER, sizeof h.session);
    message_put_hello(world_frame(w, WORKER), &h, names, NULL, NULL);
    world_claim(w, WORKER, NULL, 0);
    step(w, 0);
}

static struct world *
world_with_jobs(void)
{
    struct world *w = world_new(NULL);
    struct job_spec job = world_job("x");
    world_with_client(w);
    world_submit_many(w, CLIENT, 1, &job, JOBS);
    return w;
}

static struct stint_queue_setting
limit(struct world *w, uint32_t running, uint64_t rate)
{
    const struct stint_queue_limits limits = {.running = running, .rate = rate};
    message_put_set_queue(world_frame(w, CLIENT), 77, text("default"), STINT_LIMIT_QUEUE, &limits);
    step(w, 0);
    const struct message *m = world_read(w, CLIENT, MESSAGE_QUEUE);
    assert_non_null(m);
    return m->queue;
}

static uint64_t
in_state(struct world *w, enum stint_state state)
{
    struct stint_stats stats;
    core_stats(w->core, &stats);
    return stats.jobs[state];
}

static uint64_t
running(struct world *w)
{
    return in_state(w, STINT_RUNNING);
}

static void
settle(struct world *w, uint32_t peer, uint64_t sequence)
{
    struct outcome o = {
        .id = id_make(0, 1, DEFAULT_PRIORITY, sequence), .attempt = 1, .type = OUTCOME_SUCCEEDED};
    message_put_settle(world_frame(w, peer), 100 + sequence, &o, 1, WINDOW_UNCHANGED);
    step(w, 0);
}

static struct stint_reason
why(struct world *w, bool of_queue)
{
    struct stint_id last = id_make(0, 1, DEFAULT_PRIORITY, JOBS);
    message_put_why(world_frame(w, CLIENT), 55, of_queue ? text("default") : (struct slice){0},
        &last, of_queue ? 0 : 1);
    step(w, 0);
    assert_non_null(world_read(w, CLIENT, MESSAGE_REASONS));
    assert_true(message_next_reason(w->arrays));
    return w->arrays->reason;
}

/* ---- at once ---- */

static void
no_more_run_at_once_than_may(void **state)
{
    struct world *w = world_with_jobs();
    (void)state;
    assert_int_equal(limit(w, 3, UINT64_MAX).running, 3);
    greet(w, WORKER, 2);
    greet(w, SECOND, 8);
    assert_int_equal(running(w), 3);
    struct stint_reason r = why(w, false);
    assert_int_equal(r.why, STINT_WHY_LIMITED);
    assert_int_equal(r.slots, 3);
    assert_int_equal(why(w, true).why, STINT_WHY_LIMITED);
    for (uint64_t n = 1; n <= 5; n++) {
        settle(w, WORKER, n);
        settle(w, SECOND, n); /* one of them has it */
        assert_int_equal(running(w), 3);
    }
    assert_int_equal(limit(w, 5, UINT64_MAX).running, 5);
    assert_int_equal(running(w), 5);
    assert_int_equal(limit(w, 1, UINT64_MAX).running, 1);
    assert_int_equal(running(w), 5); /* what runs goes on */
    settle(w, WORKER, 6);
    settle(w, SECOND, 6);
    assert_int_equal(running(w), 4);
    assert_int_equal(limit(w, 0, UINT64_MAX).running, 0);
    assert_int_equal(running(w), 10);
    assert_true(world_replays(w));
    world_destroy(&w);
}

/* Windows are filled many jobs at a time. */
static void
a_window_is_filled_no_further_than_may(void **state)
{
    struct world *w = world_with_jobs();
    (void)state;
    (void)limit(w, 3, UINT64_MAX);
    greet(w, WORKER, 1);
    message_put_ping(world_frame(w, WORKER), 1, 16, 0);
    step(w, 0);
    assert_int_equal(running(w), 3);
    (void)limit(w, 0, UINT64_MAX);
    assert_int_equal(running(w), 16);
    world_destroy(&w);
}

static void
other_queues_of_a_worker_go_on(void **state)
{
    struct world *w = world_with_jobs();
    struct job_spec other = world_job("x");
    const struct slice queues[] = {text("default"), text("other")};
    (void)state;
    other.queue = queues[1];
    world_submit_many(w, CLIENT, 2, &other, JOBS);
    (void)limit(w, 1, UINT64_MAX);
    greet_for(w, queues, 2, 0);
    assert_int_equal(running(w), 8);
    settle(w, WORKER, 1);
    assert_int_equal(running(w), 8);
    world_destroy(&w);
}

/* By a prefix, in whose rounds a queue at its limit rests. */
static void
a_pool_comes_back_to_a_queue_that_has_room_again(void **state)
{
    struct world *w = world_with_jobs();
    const struct slice prefix = text("def*");
    (void)state;
    (void)limit(w, 2, 3600);
    greet_for(w, &prefix, 0, 1);
    assert_int_equal(running(w), 0); /* no token yet */
    step(w, 1000);
    assert_int_equal(running(w), 1);
    step(w, 1000);
    assert_int_equal(running(w), 2);
    step(w, 1000);
    assert_int_equal(running(w), 2);
    settle(w, WORKER, 1);
    assert_int_equal(running(w), 2);
    world_destroy(&w);
}

static void
limits_last_through_a_restart_and_go_with_the_queue(void **state)
{
    struct world *w = world_with_jobs();
    (void)state;
    (void)limit(w, 2, 10);
    world_restart(w);
    world_with_client(w);
    step(w, 0);
    struct stint_queue_setting now = limit(w, UINT32_MAX, UINT64_MAX);
    assert_int_equal(now.running, 2);
    assert_int_equal(now.rate, 10);
    now = limit(w, 0, UINT64_MAX);
    assert_int_equal(now.running, 0);
    assert_int_equal(now.rate, 10);
    assert_true(world_replays(w));
    world_destroy(&w);
}

static void
a_queue_with_a_rate_is_removed(void **state)
{
    struct world *w = world_new(NULL);
    (void)state;
    world_with_client(w);
    for (unsigned used = 0; used < 2; used++) {
        if (used)
            greet(w, WORKER, 1);
        assert_true(limit(w, UINT32_MAX, 3600).made);
        message_put_set_queue(
            world_frame(w, CLIENT), 78, text("default"), STINT_REMOVE_QUEUE, NULL);
        step(w, 0);
        assert_non_null(world_read(w, CLIENT, MESSAGE_QUEUE));
        for (unsigned i = 0; i < 3; i++)
            step(w, 1000);
    }
    world_destroy(&w);
}

/* ---- in a time ---- */

/* How many are handed out in so many ms, in steps of this size; 0: as the broker wants to wake. */
static uint64_t
handed_out_in(struct world *w, uint64_t ms, uint64_t step_ms)
{
    struct stint_stats before, after;
    core_stats(w->core, &before);
    for (uint64_t passed = 0; passed < ms;) {
        uint64_t idle = step_ms ? step_ms : core_idle_ms(w->core);
        idle = idle == 0 ? 1 : idle > ms - passed ? ms - passed : idle;
        message_put_ping(world_frame(w, WORKER), 1, JOBS, 0);
        step(w, idle);
        passed += idle;
    }
    core_stats(w->core, &after);
    return after.dispatched - before.dispatched;
}

static void
so_many_begin_in_a_time_and_no_more(void **state)
{
    static const struct {
        uint64_t rate, ms, step_ms, least, most;
    } cases[] = {
        {3600, 10000, 0, 9, 10}, /* one a second */
        {60, 120000, 0, 1, 2}, /* one a minute */
        {36000, 3000, 0, 29, 30}, /* ten a second */
        {1, HOUR_MS + 2000, 2000, 1, 1},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct world *w = world_with_jobs();
        (void)limit(w, UINT32_MAX, cases[i].rate);
        greet(w, WORKER, JOBS);
        assert_in_range(
            handed_out_in(w, cases[i].ms, cases[i].step_ms), cases[i].least, cases[i].most);
        world_destroy(&w);
    }
}

static void
after_a_rest_those_of_a_second_come_at_once_and_not_all(void **state)
{
    struct world *w = world_with_jobs();
    (void)state;
    (void)limit(w, UINT32_MAX, 8 * 3600);
    step(w, 60000);
    greet(w, WORKER, JOBS);
    assert_int_equal(running(w), 8);
    struct stint_reason r = why(w, false);
    assert_int_equal(r.why, STINT_WHY_RATE);
    assert_in_range(r.due_ms, w->wall_ms, w->wall_ms + 125);
    assert_true(core_idle_ms(w->core) <= 125);
    assert_int_equal(why(w, true).why, STINT_WHY_RATE);
    step(w, 125);
    assert_int_equal(running(w), 9);
    world_destroy(&w);
}

static void
a_restart_and_a_change_give_no_tokens(void **state)
{
    struct world *w = world_with_jobs();
    (void)state;
    (void)limit(w, UINT32_MAX, 8 * 3600);
    step(w, 60000);
    world_restart(w);
    world_with_client(w);
    greet(w, WORKER, JOBS);
    assert_int_equal(running(w), 0);
    step(w, 1000);
    assert_int_equal(running(w), 8);
    step(w, 1000);
    assert_int_equal(running(w), 16);
    step(w, 100);
    (void)limit(w, UINT32_MAX, 4 * 3600); /* what was saved of the other rate is gone */
    step(w, 249);
    assert_int_equal(running(w), 16);
    step(w, 1);
    assert_int_equal(running(w), 17);
    (void)limit(w, UINT32_MAX, 0);
    assert_int_equal(running(w), JOBS);
    world_destroy(&w);
}

#define FOR(test) cmocka_unit_test(test)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        FOR(no_more_run_at_once_than_may),
        FOR(a_window_is_filled_no_further_than_may),
        FOR(other_queues_of_a_worker_go_on),
        FOR(a_pool_comes_back_to_a_queue_that_has_room_again),
        FOR(limits_last_through_a_restart_and_go_with_the_queue),
        FOR(a_queue_with_a_rate_is_removed),
        FOR(so_many_begin_in_a_time_and_no_more),
        FOR(after_a_rest_those_of_a_second_come_at_once_and_not_all),
        FOR(a_restart_and_a_change_give_no_tokens),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
