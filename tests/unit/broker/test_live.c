/* What runs write is told to who listens, and only to them; workers show it only while somebody
 * does.
 */
#include "keyed.h"

enum { CLIENT = 1, WORKER = 2, SECOND = 3 };

static void
step(struct world *w, uint64_t ms)
{
    assert_int_equal(world_step(w, ms), STINT_OK);
}

static void
listen(struct world *w, uint32_t peer, struct stint_id id, bool wants)
{
    message_put_ids(
        world_frame(w, peer), MESSAGE_WAIT, 6, &id, 1, wants ? (uint32_t)WAIT_OUTPUT : 0);
    step(w, 0);
}

static void
put_piece(struct world *w, uint32_t peer, struct stint_id id, uint32_t attempt, const char *said)
{
    const struct wrote piece = {.id = id, .attempt = attempt, .at = 7, .text = text(said)};
    message_put_wrote(world_frame(w, peer), MESSAGE_WROTE, &piece, 1);
    step(w, 0);
}

/* Was the worker asked to show it (1), or to show it no more (0), in the last step? -1: neither. */
static int
asked(struct world *w, uint32_t peer)
{
    return world_read(w, peer, MESSAGE_SHOW) ? (int)w->arrays->leases[0].status : -1;
}

static bool
hears(struct world *w, uint32_t peer, const char *said)
{
    if (!world_read(w, peer, MESSAGE_OUTPUT))
        return false;
    const struct wrote *piece = &w->arrays->wrote[0];
    assert_int_equal(w->message.count, 1);
    assert_int_equal(piece->at, 7);
    return piece->text.size == strlen(said) && memcmp(piece->text.data, said, strlen(said)) == 0;
}

static struct world *
world_with_job(struct stint_id *id)
{
    struct world *w = world_new(NULL);
    world_with_client(w);
    *id = world_submit_one(w, 1, "talks");
    return w;
}

static void
who_listens_hears_runs_that_begin_later(void **state)
{
    (void)state;
    struct stint_id id;
    struct world *w = world_with_job(&id);
    listen(w, CLIENT, id, true);
    world_with_worker(w, 1);
    assert_int_equal(world_dispatched(w, WORKER).attempt, 1);
    size_t i = 0; /* the worker has the job before it is asked to show it */
    while (world_next(w, WORKER, &i) && w->message.type != MESSAGE_SHOW)
        assert_int_not_equal(w->message.type, MESSAGE_NONE);
    assert_int_equal(w->message.type, MESSAGE_SHOW);
    assert_true(i > 1);
    put_piece(w, WORKER, id, 1, "one");
    assert_true(hears(w, CLIENT, "one"));
    world_settle(w, WORKER, 3, id, 1, OUTCOME_FAILED, "");
    step(w, 0);
    step(w, 1200); /* its next run */
    assert_int_equal(world_dispatched(w, WORKER).attempt, 2);
    assert_int_equal(asked(w, WORKER), 1);
    put_piece(w, WORKER, id, 2, "two");
    assert_true(hears(w, CLIENT, "two"));
    world_destroy(&w);
}

/* However many are listened to, and however often that is asked for in a step. */
static void
a_worker_is_asked_for_all_of_its_runs_at_once(void **state)
{
    enum { JOBS = 5000, ROUNDS = 3 };
    static struct stint_id ids[JOBS];
    struct job_spec job = world_job("talks");
    struct world *w = world_new(NULL);
    uint32_t frames = 0, asked_for = 0;
    (void)state;
    world_with_client(w);
    for (uint64_t n = 0; n < 2; n++)
        world_submit_many(w, CLIENT, n + 1, &job, JOBS / 2);
    world_with_worker(w, JOBS);
    world_claim(w, WORKER, NULL, 0);
    for (unsigned n = 0; n < 4; n++)
        step(w, 0);
    for (uint32_t i = 0; i < JOBS; i++)
        ids[i] = id_make(w->options.broker, 1, DEFAULT_PRIORITY, i + 1);
    assert_int_equal(world_state(w, ids[JOBS - 1], NULL), STINT_RUNNING);
    for (unsigned n = 0; n < ROUNDS; n++)
        for (uint32_t wants = 1; wants < 2; wants--)
            for (uint32_t at = 0; at < JOBS; at += JOBS / 2)
                message_put_ids(world_frame(w, CLIENT), MESSAGE_WAIT, 6, ids + at, JOBS / 2,
                    wants || n == ROUNDS - 1 ? (uint32_t)WAIT_OUTPUT : 0);
    step(w, 0);
    for (size_t i = 0; world_next(w, WORKER, &i);)
        if (w->message.type == MESSAGE_SHOW) {
            frames++;
            asked_for += w->message.count;
        }
    assert_int_equal(asked_for, JOBS);
    assert_int_equal(frames, 2);
    world_destroy(&w);
}

static void
who_begins_to_listen_later_hears_the_rest(void **state)
{
    (void)state;
    struct stint_id id;
    struct world *w = world_with_job(&id);
    world_with_worker(w, 1);
    assert_int_equal(asked(w, WORKER), -1);
    put_piece(w, WORKER, id, 1, "nobody"); /* which it was not asked for */
    assert_int_equal(asked(w, WORKER), 0);
    listen(w, CLIENT, id, true);
    assert_int_equal(asked(w, WORKER), 1);
    listen(w, CLIENT, id, true); /* it does already */
    assert_int_equal(asked(w, WORKER), -1);
    world_hello_client(w, SECOND, SECOND);
    step(w, 0);
    listen(w, SECOND, id, true);
    assert_int_equal(asked(w, WORKER), 1); /* for what stands before */
    put_piece(w, WORKER, id, 1, "both");
    assert_true(hears(w, CLIENT, "both") && hears(w, SECOND, "both"));
    listen(w, CLIENT, id, false);
    put_piece(w, WORKER, id, 1, "one");
    assert_true(!hears(w, CLIENT, "one") && hears(w, SECOND, "one"));
    message_put_numbered(world_frame(w, SECOND), MESSAGE_BYE, 9);
    put_piece(w, WORKER, id, 1, "none");
    assert_int_equal(asked(w, WORKER), 0);
    world_destroy(&w);
}

static void
what_is_not_of_the_lease_is_passed_over(void **state)
{
    (void)state;
    struct stint_id id;
    struct world *w = world_with_job(&id);
    world_with_worker(w, 1);
    world_hello_worker(w, SECOND, SECOND, 0);
    world_claim(w, SECOND, NULL, 0);
    listen(w, CLIENT, id, true);
    put_piece(w, SECOND, id, 1, "another's");
    assert_null(world_read(w, CLIENT, MESSAGE_OUTPUT));
    put_piece(w, WORKER, id, 2, "of another run");
    assert_null(world_read(w, CLIENT, MESSAGE_OUTPUT));
    assert_int_equal(asked(w, WORKER), -1);
    put_piece(w, CLIENT, id, 1, "no worker's");
    assert_non_null(world_read(w, CLIENT, MESSAGE_ERROR));
    world_settle(w, WORKER, 3, id, 1, OUTCOME_SUCCEEDED, "");
    put_piece(w, WORKER, id, 1, "late");
    assert_null(world_read(w, CLIENT, MESSAGE_OUTPUT));
    world_destroy(&w);
}

static void
a_worker_that_comes_back_is_asked_again(void **state)
{
    (void)state;
    struct stint_id id;
    struct world *w = world_with_job(&id);
    const struct lease_ref lease = {.id = {{0}}, .attempt = 1, .begun = true};
    struct lease_ref held = lease;
    world_with_worker(w, 1);
    listen(w, CLIENT, id, true);
    held.id = id;
    world_hello_worker(w, WORKER, 2, 1);
    step(w, 0);
    assert_int_equal(asked(w, WORKER), -1);
    world_claim(w, WORKER, &held, 1);
    step(w, 0);
    assert_int_equal(asked(w, WORKER), 1);
    world_restart(w); /* who listens asks again */
    world_with_client(w);
    world_hello_worker(w, WORKER, 2, 1);
    world_claim(w, WORKER, &held, 1);
    step(w, 0);
    assert_int_equal(asked(w, WORKER), -1);
    listen(w, CLIENT, id, true);
    assert_int_equal(asked(w, WORKER), 1);
    world_destroy(&w);
}

static void
who_does_not_read_is_not_told(void **state)
{
    (void)state;
    struct core_options options;
    char said[1001];
    unsigned told = 0;
    core_options_init(&options);
    options.unread_bytes = options.answers_bytes = 8000;
    struct world *w = world_new(&options);
    world_with_client(w);
    struct stint_id id = world_submit_one(w, 1, "talks");
    world_with_worker(w, 1);
    listen(w, CLIENT, id, true);
    memset(said, 'x', sizeof said - 1);
    said[sizeof said - 1] = '\0';
    for (unsigned i = 0; i < 30; i++) {
        put_piece(w, WORKER, id, 1, said);
        told += hears(w, CLIENT, said);
    }
    assert_in_range(told, 1, 9);
    world_settle(w, WORKER, 3, id, 1, OUTCOME_SUCCEEDED, "");
    step(w, 0);
    assert_non_null(world_read(w, CLIENT, MESSAGE_OUTCOMES)); /* it is not cut off */
    world_destroy(&w);
}

static void
a_key_that_may_not_see_the_queue_hears_nothing(void **state)
{
    (void)state;
    struct world *w = world_new(NULL);
    struct grant g = grant_of("eyes", RIGHT_SEE, "mail.*");
    world_with_client(w);
    put_submit(w, CLIENT, 1, "pay.roll");
    step(w, 0);
    struct stint_id id = id_make(0, 1, DEFAULT_PRIORITY, 1);
    w->grants[KEYED] = &g;
    put_hello(w, KEYED, ROLE_CLIENT, "");
    step(w, 0);
    listen(w, KEYED, id, true);
    assert_non_null(world_read(w, KEYED, MESSAGE_ANSWERS));
    assert_int_equal(w->arrays->statuses[0], STINT_DENIED);
    world_destroy(&w);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_listens_hears_runs_that_begin_later),
        cmocka_unit_test(a_worker_is_asked_for_all_of_its_runs_at_once),
        cmocka_unit_test(who_begins_to_listen_later_hears_the_rest),
        cmocka_unit_test(what_is_not_of_the_lease_is_passed_over),
        cmocka_unit_test(a_worker_that_comes_back_is_asked_again),
        cmocka_unit_test(who_does_not_read_is_not_told),
        cmocka_unit_test(a_key_that_may_not_see_the_queue_hears_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
