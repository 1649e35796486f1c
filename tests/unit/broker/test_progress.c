/* How far jobs are: only who runs a job says it, the newest counts, it ends with the run, is not
 * stored and never takes more than its bound; and whoever watches hears the newest.
 */
#include "world.h"

#include <stdio.h>

enum { CLIENT = 1, WORKER = 2, OTHER = 3 };

static void
tell(struct world *w, uint32_t peer, struct stint_id id, uint32_t attempt, uint32_t percent,
    const char *text)
{
    const struct told_progress told = {.id = id,
        .attempt = attempt,
        .percent = percent,
        .text = {(const uint8_t *)text, strlen(text)}};
    message_put_progress(world_frame(w, peer), &told, 1);
}

static void
step(struct world *w, uint64_t ms)
{
    assert_int_equal(world_step(w, ms), STINT_OK);
}

/* A job that runs in the worker. */
static struct world *
world_that_runs(struct stint_id *id)
{
    struct world *w = world_new(NULL);
    world_with_client(w);
    world_with_worker(w, 4);
    *id = world_submit_one(w, 1, "payload");
    assert_int_equal(world_state(w, *id, NULL), STINT_RUNNING);
    return w;
}

/* What GET shows of it; NULL: nothing. */
static const char *
shown(struct world *w, struct stint_id id, uint32_t *percent)
{
    static char text[STINT_PROGRESS_BYTES];
    struct stint_job_info info;
    (void)world_state(w, id, &info);
    *percent = info.progress.percent;
    if (info.progress.ms_ago == 0)
        return NULL;
    (void)snprintf(text, sizeof text, "%s", info.progress.text ? info.progress.text : "");
    return text;
}

static void
assert_shown(struct world *w, struct stint_id id, uint32_t percent, const char *text)
{
    uint32_t is;
    const char *said = shown(w, id, &is);
    assert_non_null(said);
    assert_string_equal(said, text);
    assert_int_equal(is, percent);
}

static void
assert_nothing_shown(struct world *w, struct stint_id id)
{
    uint32_t is;
    assert_null(shown(w, id, &is));
}

static void
the_newest_is_shown_and_is_taken_back_by_nothing(void **state)
{
    struct stint_id id;
    struct world *w = world_that_runs(&id);
    struct stint_job_info info;
    (void)state;
    assert_nothing_shown(w, id);
    tell(w, WORKER, id, 1, 0, "");
    step(w, 0);
    assert_shown(w, id, 0, "");
    tell(w, WORKER, id, 1, 10, "reads");
    tell(w, WORKER, id, 1, STINT_NO_PERCENT, "writes");
    step(w, 0);
    assert_shown(w, id, STINT_NO_PERCENT, "writes");
    tell(w, WORKER, id, 1, 50, "");
    step(w, 0);
    step(w, 1234);
    (void)world_state(w, id, &info);
    assert_in_range(info.progress.ms_ago, 1235, 1300);
    assert_null(info.progress.text);
    tell(w, WORKER, id, 1, STINT_NO_PERCENT, "");
    step(w, 0);
    assert_nothing_shown(w, id);
    world_destroy(&w);
}

static void
only_the_worker_of_the_attempt_is_heard(void **state)
{
    struct stint_id id, none;
    struct world *w = world_that_runs(&id);
    (void)state;
    world_hello_worker(w, OTHER, OTHER, 4);
    world_claim(w, OTHER, NULL, 0);
    step(w, 0);
    none = id;
    id_set_sequence(&none, 77);
    tell(w, OTHER, id, 1, 1, "another worker");
    tell(w, WORKER, id, 2, 2, "another attempt");
    tell(w, WORKER, none, 1, 3, "another job");
    step(w, 0);
    assert_nothing_shown(w, id);
    assert_null(world_read(w, WORKER, MESSAGE_ERROR));
    tell(w, CLIENT, id, 1, 4, "a client");
    step(w, 0);
    assert_non_null(world_read(w, CLIENT, MESSAGE_ERROR));
    assert_nothing_shown(w, id);
    world_destroy(&w);
}

static void
it_ends_with_the_run(void **state)
{
    static const enum outcome_type ends[] = {OUTCOME_SUCCEEDED, OUTCOME_DEAD, OUTCOME_RETURNED};
    (void)state;
    for (unsigned i = 0; i < sizeof ends / sizeof *ends; i++) {
        struct stint_id id;
        struct world *w = world_that_runs(&id);
        tell(w, WORKER, id, 1, 99, "nearly");
        world_settle(w, WORKER, 3, id, 1, ends[i], "");
        tell(w, WORKER, id, 1, 100, "late");
        step(w, 0);
        assert_nothing_shown(w, id); /* what was returned runs again by now: it has said nothing */
        world_destroy(&w);
    }
}

static void
a_restart_knows_nothing_of_it_until_it_is_told_again(void **state)
{
    struct stint_id id;
    struct world *w = world_that_runs(&id);
    const struct lease_ref lease = {.id = id, .attempt = 1, .begun = true};
    (void)state;
    tell(w, WORKER, id, 1, 40, "half way");
    step(w, 0);
    world_restart(w);
    world_hello_client(w, CLIENT, CLIENT);
    world_hello_worker(w, WORKER, WORKER, 4);
    tell(w, WORKER, id, 1, 41, "not claimed yet");
    step(w, 0);
    assert_nothing_shown(w, id);
    world_claim(w, WORKER, &lease, 1);
    tell(w, WORKER, id, 1, 42, "claimed");
    step(w, 0);
    assert_shown(w, id, 42, "claimed");
    assert_true(world_replays(w));
    world_destroy(&w);
}

static void
what_was_told_longest_ago_makes_room(void **state)
{
    enum { JOBS = 40 };
    struct core_options o;
    struct stint_id ids[JOBS];
    uint32_t percent, shown_count = 0;
    (void)state;
    core_options_init(&o);
    o.max.progress_bytes = 2048;
    struct world *w = world_new(&o);
    world_with_client(w);
    world_with_worker(w, JOBS);
    for (unsigned i = 0; i < JOBS; i++)
        ids[i] = world_submit_one(w, i + 1, "");
    for (unsigned i = 0; i < JOBS; i++)
        tell(w, WORKER, ids[i], 1, i, "so far");
    tell(w, WORKER, ids[JOBS - 2], 1, 1, "again");
    step(w, 0);
    for (unsigned i = 0; i < JOBS; i++)
        shown_count += shown(w, ids[i], &percent) != NULL;
    assert_in_range(shown_count, 5, 2048 / 64);
    for (unsigned i = 0; i < JOBS - shown_count; i++)
        assert_nothing_shown(w, ids[i]);
    assert_shown(w, ids[JOBS - 1], JOBS - 1, "so far");
    assert_shown(w, ids[JOBS - 2], 1, "again");
    for (unsigned i = 0; i < JOBS; i++)
        world_settle(w, WORKER, 100 + i, ids[i], 1, OUTCOME_SUCCEEDED, "");
    step(w, 0);
    world_destroy(&w);
}

/* How many OUTCOMES of jobs that run the step has brought the peer; the last percentage. */
static unsigned
pushed(struct world *w, uint32_t peer, uint32_t *percent)
{
    unsigned count = 0;
    for (size_t i = 0; world_next(w, peer, &i);)
        if (w->message.type == MESSAGE_OUTCOMES)
            for (uint32_t n = 0; n < w->message.count; n++) {
                assert_true(message_next_job(w->arrays));
                count += w->arrays->info.state == STINT_RUNNING;
                *percent = w->arrays->info.progress.percent;
            }
    return count;
}

static void
watchers_that_want_to_hear_the_newest_a_few_times_a_second(void **state)
{
    struct stint_id id;
    struct world *w = world_that_runs(&id);
    uint32_t percent = 0;
    unsigned count = 0;
    (void)state;
    tell(w, WORKER, id, 1, 7, "before");
    message_put_ids(world_frame(w, CLIENT), MESSAGE_WAIT, 5, &id, 1, WAIT_PROGRESS);
    world_hello_client(w, OTHER, OTHER);
    step(w, 0);
    assert_int_equal(pushed(w, CLIENT, &percent), 1); /* how it stands, at once */
    assert_int_equal(percent, 7);
    message_put_ids(world_frame(w, OTHER), MESSAGE_WAIT, 5, &id, 1, WAIT_RESULTS);
    step(w, 1000);
    assert_int_equal(pushed(w, CLIENT, &percent), 0); /* nothing is new */
    for (unsigned ms = 0; ms < 1000; ms += 10) {
        tell(w, WORKER, id, 1, ms / 10, "goes on");
        step(w, 10);
        count += pushed(w, CLIENT, &percent);
        assert_int_equal(pushed(w, OTHER, &percent), 0);
    }
    assert_in_range(count, 3, 6);
    assert_in_range(core_idle_ms(w->core), 0, 200);
    step(w, 200);
    (void)pushed(w, CLIENT, &percent);
    assert_int_equal(percent, 99);
    world_settle(w, WORKER, 3, id, 1, OUTCOME_SUCCEEDED, "");
    step(w, 200);
    assert_non_null(world_read(w, CLIENT, MESSAGE_OUTCOMES));
    assert_non_null(world_read(w, OTHER, MESSAGE_OUTCOMES));
    assert_int_equal(pushed(w, CLIENT, &percent), 0);
    world_destroy(&w);
}

static void
who_does_not_read_hears_the_newest_when_it_does(void **state)
{
    struct core_options o;
    struct message list = {.type = MESSAGE_LIST};
    uint32_t percent = 0;
    uint64_t token;
    (void)state;
    core_options_init(&o);
    o.unread_bytes = 3000;
    struct world *w = world_new(&o);
    world_with_client(w);
    world_with_worker(w, 4);
    struct stint_id id = world_submit_one(w, 1, "");
    message_put_ids(world_frame(w, CLIENT), MESSAGE_WAIT, 5, &id, 1, WAIT_PROGRESS);
    step(w, 0);
    do {
        message_put_list(world_frame(w, CLIENT), 6, &list);
        step(w, 0);
    } while (!world_read(w, CLIENT, MESSAGE_ERROR));
    tell(w, WORKER, id, 1, 20, "");
    step(w, 300);
    assert_int_equal(pushed(w, CLIENT, &percent), 0);
    tell(w, WORKER, id, 1, 30, "");
    step(w, 300);
    step(w, 300);
    assert_int_equal(pushed(w, CLIENT, &percent), 0);
    message_put_ping(world_frame(w, CLIENT), 7, WINDOW_UNCHANGED, 0);
    step(w, 0);
    assert_non_null(world_read(w, CLIENT, MESSAGE_PONG));
    token = w->message.pong.token;
    message_put_ping(world_frame(w, CLIENT), 8, WINDOW_UNCHANGED, token);
    step(w, 0);
    step(w, 300);
    assert_int_equal(pushed(w, CLIENT, &percent), 1);
    assert_int_equal(percent, 30);
    step(w, 300);
    assert_int_equal(pushed(w, CLIENT, &percent), 0);
    world_destroy(&w);
}

static void
a_worker_s_list_of_what_it_runs_has_it(void **state)
{
    struct stint_id id;
    struct world *w = world_that_runs(&id);
    (void)state;
    tell(w, WORKER, id, 1, 12, "here");
    step(w, 0);
    message_put_list_running(
        world_frame(w, CLIENT), 9, (struct slice){(const uint8_t *)"peer", 4}, (struct slice){0});
    step(w, 0);
    assert_non_null(world_read(w, CLIENT, MESSAGE_RUNNING));
    assert_int_equal(w->message.count, 1);
    assert_true(message_next_running(w->arrays));
    assert_int_equal(w->arrays->running_info.progress.percent, 12);
    assert_string_equal(w->arrays->running_info.progress.text, "here");
    world_destroy(&w);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_newest_is_shown_and_is_taken_back_by_nothing),
        cmocka_unit_test(only_the_worker_of_the_attempt_is_heard),
        cmocka_unit_test(it_ends_with_the_run),
        cmocka_unit_test(a_restart_knows_nothing_of_it_until_it_is_told_again),
        cmocka_unit_test(what_was_told_longest_ago_makes_room),
        cmocka_unit_test(watchers_that_want_to_hear_the_newest_a_few_times_a_second),
        cmocka_unit_test(who_does_not_read_hears_the_newest_when_it_does),
        cmocka_unit_test(a_worker_s_list_of_what_it_runs_has_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
