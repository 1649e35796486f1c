/* Unique keys: of a queue, one job at a time has a key, whatever is done to it.
 */
#include "rows.h"
#include "unique_world.h"

#include <stdlib.h>

/* ---- who holds a key ---- */

static void
the_second_one_is_the_first_while_that_waits_or_runs(void **state)
{
    struct world *w = world_of(0);
    struct stint_job_info info;
    (void)state;
    struct got a = submit(w, keyed("k", "first")), b = submit(w, keyed("k", "second"));
    assert_int_equal(a.met, STINT_MET_NOTHING);
    assert_int_equal(b.met, STINT_MET_JOB);
    assert_same_job(a, b);
    assert_int_equal(jobs_there(w), 1);
    assert_int_equal(world_state(w, a.id, &info), STINT_READY);
    assert_string_equal(info.unique, "k");
    assert_int_equal(info.payload_bytes, 5); /* the first one's */
    world_destroy(&w);
    w = world_of(2);
    a = submit(w, keyed("k", "first"));
    assert_int_equal(world_state(w, a.id, NULL), STINT_RUNNING);
    b = submit(w, keyed("k", "second"));
    assert_int_equal(b.met, STINT_MET_JOB);
    assert_int_equal(jobs_there(w), 1);
    settle(w, a.id, 1, OUTCOME_FAILED); /* it waits for its second run, and holds the key */
    assert_int_equal(submit(w, keyed("k", "third")).met, STINT_MET_JOB);
    assert_true(world_replays(w));
    world_destroy(&w);
}

static void
other_keys_other_queues_and_none_at_all_are_apart(void **state)
{
    struct world *w = world_of(0);
    struct job_spec elsewhere = keyed("k", "x"), begins = keyed("kk", "x");
    (void)state;
    elsewhere.queue = (struct slice){(const uint8_t *)"other", 5};
    (void)submit(w, keyed("k", "x"));
    assert_int_equal(submit(w, elsewhere).met, STINT_MET_NOTHING);
    assert_int_equal(submit(w, begins).met, STINT_MET_NOTHING);
    assert_int_equal(submit(w, world_job("x")).met, STINT_MET_NOTHING);
    assert_int_equal(submit(w, world_job("x")).met, STINT_MET_NOTHING);
    elsewhere.priority = 7; /* a key is the queue's, not the priority's */
    assert_int_equal(submit(w, elsewhere).met, STINT_MET_JOB);
    assert_int_equal(jobs_there(w), 5);
    assert_int_equal(keys_held(w), 3);
    world_destroy(&w);
}

static void
each_end_frees_the_key(void **state)
{
    static const struct {
        enum outcome_type outcome; /* 0: */
        enum message_type message;
    } cases[] = {
        {OUTCOME_SUCCEEDED, 0}, {OUTCOME_DEAD, 0}, {0, MESSAGE_CANCEL}, {0, MESSAGE_DELETE}};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        for (unsigned kept = 0; kept < 2; kept++) {
            struct world *w = world_of(cases[i].outcome ? 1 : 0);
            struct job_spec job = keyed("k", "x");
            job.keep_ms = kept ? 1000000 : 0;
            struct got a = submit(w, job);
            if (cases[i].outcome)
                settle(w, a.id, 1, cases[i].outcome);
            else
                ask(w, cases[i].message, a.id, STINT_OK);
            assert_int_equal(keys_held(w), 0);
            struct got b = submit(w, job);
            assert_int_equal(b.met, STINT_MET_NOTHING);
            assert_memory_not_equal(&a.id, &b.id, sizeof a.id);
            assert_true(world_replays(w));
            world_destroy(&w);
        }
}

static void
one_that_holds_it_while_it_waits_lets_go_by_running(void **state)
{
    struct world *w = world_of(1);
    struct job_spec job = keyed("k", "x");
    (void)state;
    job.unique_flags = UNIQUE_WAITING;
    struct got a = submit(w, job), b = submit(w, job);
    assert_int_equal(b.met, STINT_MET_NOTHING); /* a runs */
    assert_int_equal(submit(w, job).met, STINT_MET_JOB); /* b waits */
    settle(w, a.id, 1, OUTCOME_FAILED); /* a waits again, but b has the key; and b runs now */
    assert_int_equal(world_state(w, b.id, NULL), STINT_RUNNING);
    struct got c = submit(w, job);
    assert_int_equal(c.met, STINT_MET_NOTHING);
    ask(w, MESSAGE_CANCEL, a.id, STINT_OK); /* its end does not free what is another one's */
    struct got d = submit(w, job);
    assert_int_equal(d.met, STINT_MET_JOB);
    assert_same_job(c, d);
    assert_int_equal(keys_held(w), 1);
    world_destroy(&w);
}

/* ---- what it does to the one that it meets ---- */

static void
one_that_waits_takes_the_payload_and_one_that_runs_does_not(void **state)
{
    static char large[300000];
    (void)state;
    memset(large, 'l', sizeof large);
    for (unsigned big = 0; big < 4; big++) { /* from small or large to small or large */
        struct world *w = world_of(0);
        struct job_spec job = keyed("k", "first"), next = keyed("k", "and the next one");
        if (big & 1)
            job.payload = (struct slice){(const uint8_t *)large, sizeof large};
        if (big & 2)
            next.payload = (struct slice){(const uint8_t *)large, sizeof large - 1};
        next.unique_flags = UNIQUE_REPLACE;
        struct got a = submit(w, job), b = submit(w, next);
        assert_int_equal(b.met, STINT_MET_CHANGED);
        assert_same_job(a, b);
        world_hello_worker(w, 4, 9, 1);
        step(w, 0);
        world_claim(w, 4, NULL, 0);
        step(w, 0);
        struct dispatched_job d = world_dispatched(w, 4);
        assert_int_equal(d.payload.size, next.payload.size);
        assert_memory_equal(d.payload.data, next.payload.data, next.payload.size);
        assert_int_equal(submit(w, next).met, STINT_MET_JOB);
        assert_true(world_replays(w));
        world_destroy(&w);
    }
}

/* A worker that seemed lost has run what is no more: neither that nor its outcome counts. */
static void
one_that_takes_a_payload_is_not_claimed_with_the_old_one(void **state)
{
    (void)state;
    for (unsigned way = 0; way < 4; way++) { /* begun or not; replaced, or changed */
        struct world *w = world_of(1);
        struct job_spec next = keyed("k", "and the next one");
        struct change to = {.set = CHANGE_PAYLOAD, .to = {.payload = next.payload}};
        next.unique_flags = UNIQUE_REPLACE;
        struct got a = submit(w, keyed("k", "first"));
        struct lease_ref lease = {.id = a.id, .attempt = 1, .begun = way & 1};
        if (way & 1)
            message_put_leases(world_frame(w, WORKER), MESSAGE_STARTED, 7, &lease, 1, false);
        step(w, 0);
        message_put_numbered(world_frame(w, WORKER), MESSAGE_BYE, 9);
        step(w, 0);
        assert_int_equal(world_state(w, a.id, NULL), STINT_READY);
        if (way & 2)
            change(w, a.id, to, STINT_OK);
        else
            assert_int_equal(submit(w, next).met, STINT_MET_CHANGED);
        world_hello_worker(w, 4, 9, 0);
        step(w, 0);
        world_claim(w, 4, &lease, 1);
        step(w, 0);
        assert_non_null(world_read(w, 4, MESSAGE_CLAIMED));
        assert_int_equal(w->message.count, 1);
        world_settle(w, 4, 1, a.id, 1, OUTCOME_SUCCEEDED, "of the first");
        step(w, 0);
        assert_int_equal(world_state(w, a.id, NULL), STINT_READY);
        world_hello_worker(w, 5, 10, 1);
        step(w, 0);
        world_claim(w, 5, NULL, 0);
        step(w, 0);
        struct dispatched_job d = world_dispatched(w, 5);
        assert_int_equal(d.attempt, 2);
        assert_true(d.confirm); /* it may be what ended that worker, still */
        assert_int_equal(d.payload.size, next.payload.size);
        assert_true(world_replays(w));
        world_destroy(&w);
    }
}

/* ---- exactly once, whatever it met ---- */

static void
a_message_meets_itself_and_is_answered_the_same_when_it_is_sent_again(void **state)
{
    struct world *w = world_of(0);
    struct got got[5], again[5];
    struct job_spec jobs[5] = {
        keyed("a", "1"), keyed("b", "2"), keyed("a", "3"), world_job("4"), keyed("b", "5")};
    (void)state;
    jobs[4].unique_flags = UNIQUE_REPLACE;
    submit_all(w, jobs, 5, got);
    assert_int_equal(got[0].met, STINT_MET_NOTHING);
    assert_int_equal(got[1].met, STINT_MET_NOTHING);
    assert_int_equal(got[2].met, STINT_MET_JOB);
    assert_int_equal(got[3].met, STINT_MET_NOTHING);
    assert_int_equal(got[4].met, STINT_MET_CHANGED);
    assert_same_job(got[2], got[0]);
    assert_same_job(got[4], got[1]);
    assert_int_equal(jobs_there(w), 3);
    ask(w, MESSAGE_CANCEL, got[0].id, STINT_OK); /* the key is free, and all the same: */
    for (unsigned i = 0; i < 2; i++) {
        numbers[CLIENT]--;
        submit_all(w, jobs, 5, again);
        for (unsigned n = 0; n < 5; n++) {
            assert_same_job(got[n], again[n]);
            assert_int_equal(got[n].met, again[n].met);
        }
        assert_int_equal(jobs_there(w), 2);
        world_restart(w);
        connect(w, 0);
    }
    assert_true(world_replays(w));
    world_destroy(&w);
}

/* The answer to a submission of one message. */
static enum stint_status
status_of(struct world *w, const struct job_spec *jobs, uint32_t count)
{
    world_submit(w, CLIENT, ++numbers[CLIENT], jobs, count);
    step(w, 0);
    assert_non_null(world_read(w, CLIENT, MESSAGE_SUBMITTED));
    enum stint_status status = w->arrays->answers[0].status;
    numbers[CLIENT] -= status != STINT_OK; /* which uses no number */
    return status;
}

/* Who meets a job makes none, and needs no room; others of its message do. */
static void
who_meets_a_job_needs_no_room(void **state)
{
    struct core_options o;
    core_options_init(&o);
    o.max.queue_backlog = 2;
    struct world *w = world_new(&o);
    const struct job_spec both[] = {keyed("a", "x"), keyed("b", "x")}, one_new = keyed("c", "x"),
                          mixed[] = {both[0], one_new};
    (void)state;
    memset(numbers, 0, sizeof numbers);
    connect(w, 0);
    assert_int_equal(status_of(w, both, 1), STINT_OK);
    assert_int_equal(status_of(w, both, 2), STINT_OK); /* the first one is there */
    assert_int_equal(status_of(w, both, 2), STINT_OK);
    assert_int_equal(jobs_there(w), 2);
    assert_int_equal(status_of(w, mixed, 2), STINT_QUEUE_FULL);
    assert_int_equal(status_of(w, &one_new, 1), STINT_QUEUE_FULL);
    message_put_set_queue(world_frame(w, CLIENT), 90, text("default"), STINT_CLOSE_QUEUE, NULL);
    step(w, 0);
    assert_int_equal(status_of(w, both, 2), STINT_OK);
    assert_int_equal(status_of(w, mixed, 2), STINT_QUEUE_CLOSED);
    world_destroy(&w);
}

/* What many answers of a step take is counted: they have an id for each job that met another one.
 */
static void
answers_do_not_take_more_than_there_is_room_for(void **state)
{
    enum { MESSAGES = 100, ROOM = 8200000 };
    struct world *w = world_of(0);
    struct job_spec *jobs = calloc(LIMIT_JOBS, sizeof *jobs);
    uint32_t accepted = 0;
    (void)state;
    assert_non_null(jobs);
    for (unsigned i = 0; i < LIMIT_JOBS; i++)
        jobs[i] = keyed("k", "");
    (void)submit(w, jobs[0]);
    store_model_set_room(w->store, ROOM);
    for (unsigned i = 0; i < MESSAGES; i++)
        world_submit(w, CLIENT, ++numbers[CLIENT], jobs, LIMIT_JOBS);
    step(w, 0);
    for (size_t i = 0; world_next(w, CLIENT, &i);)
        for (uint32_t n = 0; w->message.type == MESSAGE_SUBMITTED && n < w->message.count; n++)
            accepted += w->arrays->answers[n].status == STINT_OK;
    assert_true(accepted > 0);
    assert_true(accepted * LIMIT_JOBS * ROW_RUN_BYTES < ROOM / 2);
    free(jobs);
    world_destroy(&w);
}

/* ---- jobs that come back, or go elsewhere ---- */

static void
one_comes_back_only_if_its_key_is_free(void **state)
{
    struct world *w = world_of(0);
    (void)state;
    struct got a = submit(w, keyed("k", "x"));
    ask(w, MESSAGE_CANCEL, a.id, STINT_OK);
    struct got b = submit(w, keyed("k", "y"));
    assert_int_equal(b.met, STINT_MET_NOTHING);
    ask(w, MESSAGE_RETRY, a.id, STINT_UNIQUE_HELD);
    assert_int_equal(world_state(w, a.id, NULL), STINT_CANCELLED_JOB);
    ask(w, MESSAGE_DELETE, b.id, STINT_OK);
    ask(w, MESSAGE_RETRY, a.id, STINT_OK);
    struct got c = submit(w, keyed("k", "z"));
    assert_int_equal(c.met, STINT_MET_JOB);
    assert_same_job(a, c);
    world_destroy(&w);
}

static void
one_that_moves_takes_its_key_along_if_there_is_room_for_it(void **state)
{
    struct world *w = world_of(0);
    struct change to = {.set = CHANGE_QUEUE, .to = {.queue = {(const uint8_t *)"other", 5}}};
    struct change up = {.set = CHANGE_PRIORITY, .to = {.priority = 200}};
    struct job_spec there = keyed("k", "y");
    (void)state;
    there.queue = to.to.queue;
    struct got a = submit(w, keyed("k", "x")), b = submit(w, there);
    change(w, a.id, up, STINT_OK);
    assert_same_job(submit(w, keyed("k", "x")), a); /* found, though it was moved */
    change(w, a.id, to, STINT_UNIQUE_HELD);
    ask(w, MESSAGE_CANCEL, b.id, STINT_OK);
    change(w, a.id, to, STINT_OK);
    struct got c = submit(w, there);
    assert_int_equal(c.met, STINT_MET_JOB);
    assert_same_job(a, c);
    assert_int_equal(submit(w, keyed("k", "x")).met, STINT_MET_NOTHING);
    assert_int_equal(keys_held(w), 2);
    change(w, b.id,
        (struct change){.set = CHANGE_QUEUE, .to = {.queue = {(const uint8_t *)"third", 5}}},
        STINT_OK); /* what is over holds nothing, and goes anywhere */
    assert_true(world_replays(w));
    world_destroy(&w);
}

/* What lets go by running is not in the way of one that comes back, or comes from elsewhere. */
static void
one_that_lets_go_by_running_is_in_nobodys_way(void **state)
{
    struct change to = {.set = CHANGE_QUEUE};
    (void)state;
    for (unsigned moves = 0; moves < 2; moves++) {
        struct world *w = world_of(1);
        struct job_spec job = keyed("k", "x"), other = job;
        to.to.queue = job.queue;
        other.queue = moves ? text("other") : job.queue;
        job.unique_flags = UNIQUE_WAITING;
        struct got a = submit(w, other);
        if (!moves)
            ask(w, MESSAGE_CANCEL, a.id, STINT_OK);
        struct got b = submit(w, job);
        assert_int_equal(world_state(w, b.id, NULL), STINT_RUNNING);
        if (moves)
            change(w, a.id, to, STINT_OK);
        else
            ask(w, MESSAGE_RETRY, a.id, STINT_OK);
        struct got c = submit(w, job);
        assert_int_equal(c.met, STINT_MET_JOB);
        assert_same_job(a, c);
        settle(w, b.id, 1, OUTCOME_SUCCEEDED);
        assert_int_equal(keys_held(w), 1);
        assert_true(world_replays(w));
        world_destroy(&w);
    }
}

/* ---- what can be wrong ---- */

static void
refused(struct world *w, struct job_spec job)
{
    world_submit(w, CLIENT, numbers[CLIENT] + 1, &job, 1);
    step(w, 0);
    const struct message *m = world_read(w, CLIENT, MESSAGE_ERROR);
    if (m)
        assert_int_equal(m->error.status, STINT_INVALID);
    else {
        assert_non_null(world_read(w, CLIENT, MESSAGE_SUBMITTED));
        assert_int_equal(w->arrays->answers[0].status, STINT_INVALID);
    }
}

static void
a_key_has_a_size_and_is_text(void **state)
{
    struct world *w = world_of(0);
    char longest[LIMIT_UNIQUE_BYTES + 2];
    struct job_spec job = world_job("x");
    (void)state;
    memset(longest, 'k', sizeof longest);
    longest[LIMIT_UNIQUE_BYTES + 1] = '\0';
    refused(w, keyed(longest, "x"));
    refused(w, keyed("\xff", "x"));
    job.unique = (struct slice){(const uint8_t *)"a\0b", 3};
    refused(w, job);
    job = keyed("k", "x");
    job.unique_flags = 8;
    refused(w, job);
    longest[LIMIT_UNIQUE_BYTES] = '\0';
    assert_int_equal(submit(w, keyed(longest, "x")).met, STINT_MET_NOTHING);
    assert_int_equal(submit(w, keyed(longest, "x")).met, STINT_MET_JOB);
    assert_int_equal(submit(w, keyed("\xc3\xa4", "x")).met, STINT_MET_NOTHING);
    world_destroy(&w);
}

static void
what_is_damaged_holds_no_key(void **state)
{
    struct world *w = world_of(0);
    (void)state;
    struct got a = submit(w, keyed("k", "x"));
    store_model_damage(w->store, STORE_LIVE);
    struct got b = submit(w, keyed("k", "x"));
    assert_int_equal(b.met, STINT_MET_NOTHING);
    assert_memory_not_equal(&a.id, &b.id, sizeof a.id);
    assert_int_equal(submit(w, keyed("k", "x")).met, STINT_MET_JOB);
    world_destroy(&w);
}

/* Nor is one that comes back kept from it by what is damaged. */
static void
what_is_damaged_is_in_nobodys_way(void **state)
{
    struct world *w = world_of(0);
    (void)state;
    struct got a = submit(w, keyed("k", "x"));
    ask(w, MESSAGE_CANCEL, a.id, STINT_OK);
    (void)submit(w, keyed("k", "y"));
    store_model_damage(w->store, STORE_LIVE);
    ask(w, MESSAGE_RETRY, a.id, STINT_OK);
    assert_same_job(submit(w, keyed("k", "z")), a);
    world_destroy(&w);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        FOR(the_second_one_is_the_first_while_that_waits_or_runs),
        FOR(who_meets_a_job_needs_no_room),
        FOR(other_keys_other_queues_and_none_at_all_are_apart),
        FOR(each_end_frees_the_key),
        FOR(one_that_holds_it_while_it_waits_lets_go_by_running),
        FOR(one_that_waits_takes_the_payload_and_one_that_runs_does_not),
        FOR(one_that_takes_a_payload_is_not_claimed_with_the_old_one),
        FOR(a_message_meets_itself_and_is_answered_the_same_when_it_is_sent_again),
        FOR(answers_do_not_take_more_than_there_is_room_for),
        FOR(one_comes_back_only_if_its_key_is_free),
        FOR(one_that_moves_takes_its_key_along_if_there_is_room_for_it),
        FOR(one_that_lets_go_by_running_is_in_nobodys_way),
        FOR(a_key_has_a_size_and_is_text),
        FOR(what_is_damaged_holds_no_key),
        FOR(what_is_damaged_is_in_nobodys_way),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
