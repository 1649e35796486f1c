/* Unique keys: of a queue, one job at a time has a key, whatever is done to it.
 */
#include "keyed.h"
#include "store.h"

#include <stdio.h>
#include <stdlib.h>

enum { CLIENT = 1, WORKER = 2, FOR_MS = 60000 };

static uint64_t numbers[4];

static void
step(struct world *w, uint64_t ms)
{
    assert_int_equal(world_step(w, ms), STINT_OK);
}

static void
connect(struct world *w, uint32_t slots)
{
    world_with_client(w);
    world_with_worker(w, slots);
    world_claim(w, WORKER, NULL, 0);
    step(w, 0);
}

/* With a worker that takes so many jobs. */
static struct world *
world_of(uint32_t slots)
{
    struct world *w = world_new(NULL);
    memset(numbers, 0, sizeof numbers);
    connect(w, slots);
    return w;
}

static struct job_spec
keyed(const char *key, const char *payload)
{
    struct job_spec job = world_job(payload);
    job.unique = (struct slice){(const uint8_t *)key, strlen(key)};
    return job;
}

struct got {
    struct stint_id id;
    enum stint_met met;
};

/* What the jobs of one submission met. */
static void
submit_all(struct world *w, const struct job_spec *jobs, uint32_t count, struct got *got)
{
    uint32_t all = 0;
    world_submit(w, CLIENT, ++numbers[CLIENT], jobs, count);
    step(w, 0);
    assert_non_null(world_read(w, CLIENT, MESSAGE_SUBMITTED));
    struct answer *a = &w->arrays->answers[0];
    assert_int_equal(a->status, STINT_OK);
    for (uint32_t i = 0; i < a->count; i++) {
        struct stint_id first;
        uint32_t length;
        assert_true(message_next_run(a, &first, &length));
        for (uint32_t n = 0; n < length; n++) {
            assert_true(all < count);
            got[all++] = (struct got){id_plus(first, n), a->met};
        }
    }
    assert_int_equal(all, count);
}

static struct got
submit(struct world *w, struct job_spec job)
{
    struct got got;
    submit_all(w, &job, 1, &got);
    return got;
}

static void
assert_same_job(struct got a, struct got b)
{
    assert_memory_equal(&a.id, &b.id, sizeof a.id);
}

static size_t
keys_held(struct world *w)
{
    assert_int_equal(
        store_model_count(w->store, STORE_UNIQUE_ENDS) > store_model_count(w->store, STORE_UNIQUE),
        false);
    return store_model_count(w->store, STORE_UNIQUE);
}

static uint64_t
jobs_there(struct world *w)
{
    struct stint_stats stats;
    uint64_t sum = 0;
    core_stats(w->core, &stats);
    for (unsigned s = STINT_READY; s <= STINT_RUNNING; s++)
        sum += stats.jobs[s];
    return sum;
}

static void
ask(struct world *w, enum message_type type, struct stint_id id, enum stint_status expected)
{
    message_put_ids(world_frame(w, CLIENT), type, 77, &id, 1, 0);
    step(w, 0);
    assert_non_null(world_read(w, CLIENT, MESSAGE_ANSWERS));
    assert_int_equal(w->arrays->statuses[0], expected);
}

static void
change(struct world *w, struct stint_id id, struct change c, enum stint_status expected)
{
    message_put_change(world_frame(w, CLIENT), 78, &id, 1, &c);
    step(w, 0);
    assert_non_null(world_read(w, CLIENT, MESSAGE_ANSWERS));
    assert_int_equal(w->arrays->statuses[0], expected);
}

static void
settle(struct world *w, struct stint_id id, uint32_t attempt, enum outcome_type type)
{
    world_settle(w, WORKER, 900 + attempt, id, attempt, type, "x");
    step(w, 0);
}

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

/* ---- for a time after ---- */

static void
it_is_held_for_a_time_after_a_success_and_no_other_end(void **state)
{
    (void)state;
    for (unsigned restarts = 0; restarts < 2; restarts++) {
        struct world *w = world_of(1);
        struct job_spec job = keyed("k", "x");
        job.unique_for_ms = FOR_MS;
        job.keep_ms = 0;
        struct got a = submit(w, job);
        settle(w, a.id, 1, OUTCOME_SUCCEEDED);
        assert_int_equal(world_state(w, a.id, NULL), STINT_UNKNOWN);
        if (restarts) {
            world_restart(w);
            connect(w, 1);
        }
        struct got b = submit(w, job);
        assert_int_equal(b.met, STINT_MET_JOB);
        assert_same_job(a, b);
        step(w, FOR_MS - 2000);
        assert_int_equal(submit(w, job).met, STINT_MET_JOB);
        assert_true(core_idle_ms(w->core) <= 2000);
        step(w, 2000);
        assert_int_equal(keys_held(w), 0);
        assert_int_equal(store_model_count(w->store, STORE_UNIQUE_ENDS), 0);
        struct got c = submit(w, job);
        assert_int_equal(c.met, STINT_MET_NOTHING);
        settle(w, c.id, 1, OUTCOME_DEAD);
        assert_int_equal(submit(w, job).met, STINT_MET_NOTHING);
        world_destroy(&w);
    }
}

/* Who deletes what has succeeded wants it to be as if it had never been; that it is forgotten in
 * its time is another thing. */
static void
it_is_free_when_what_has_succeeded_is_deleted(void **state)
{
    struct world *w = world_of(1);
    struct job_spec job = keyed("k", "x");
    (void)state;
    job.unique_for_ms = 100 * FOR_MS;
    job.keep_ms = FOR_MS;
    struct got a = submit(w, job);
    settle(w, a.id, 1, OUTCOME_SUCCEEDED);
    assert_int_equal(submit(w, job).met, STINT_MET_JOB);
    ask(w, MESSAGE_DELETE, a.id, STINT_OK);
    assert_int_equal(keys_held(w), 0);
    assert_int_equal(store_model_count(w->store, STORE_UNIQUE_ENDS), 0);
    struct got b = submit(w, job);
    assert_int_equal(b.met, STINT_MET_NOTHING);
    settle(w, b.id, 1, OUTCOME_SUCCEEDED);
    step(w, 2 * FOR_MS);
    assert_int_equal(world_state(w, b.id, NULL), STINT_UNKNOWN);
    assert_int_equal(submit(w, job).met, STINT_MET_JOB);
    assert_true(world_replays(w));
    world_destroy(&w);
}

/* A key that is held for a time is not let go of before, though its queue is empty and nobody names
 * it; and then that goes as any other. */
static void
a_queue_stays_as_long_as_keys_of_it_are_held(void **state)
{
    struct world *w = world_of(1);
    struct job_spec job = keyed("k", "x");
    uint64_t keep_ms = w->options.queue_keep_ms;
    (void)state;
    job.unique_for_ms = 10 * keep_ms;
    job.keep_ms = 0;
    struct got a = submit(w, job);
    settle(w, a.id, 1, OUTCOME_SUCCEEDED);
    message_put_numbered(world_frame(w, WORKER), MESSAGE_BYE, 9);
    for (unsigned i = 0; i < 9; i++)
        step(w, keep_ms);
    struct got b = submit(w, job);
    assert_int_equal(b.met, STINT_MET_JOB);
    assert_same_job(a, b);
    assert_int_equal(store_model_count(w->store, STORE_QUEUES), 1);
    for (unsigned i = 0; i < 4; i++)
        step(w, keep_ms);
    assert_int_equal(store_model_count(w->store, STORE_QUEUES), 0);
    assert_int_equal(keys_held(w), 0);
    world_destroy(&w);
}

static void
very_many_that_end_at_once_are_swept_in_steps(void **state)
{
    enum { MANY = 4096, ROUNDS = 2 };
    struct world *w = world_of(0);
    struct job_spec *jobs = calloc(MANY, sizeof *jobs);
    struct got *got = calloc(MANY, sizeof *got);
    char(*keys)[16] = calloc(MANY, sizeof *keys);
    (void)state;
    assert_true(jobs && got && keys);
    for (unsigned round = 0; round < ROUNDS; round++) {
        for (unsigned i = 0; i < MANY; i++) {
            (void)snprintf(keys[i], sizeof keys[i], "%u.%u", round, i);
            jobs[i] = keyed(keys[i], "x");
            jobs[i].unique_for_ms = FOR_MS;
        }
        submit_all(w, jobs, MANY, got);
    }
    assert_int_equal(keys_held(w), ROUNDS * MANY);
    world_hello_worker(w, WORKER + 2, 9, 2 * MANY);
    step(w, 0);
    world_claim(w, WORKER + 2, NULL, 0);
    step(w, 0);
    for (unsigned i = 1; i <= ROUNDS * MANY; i++) {
        world_settle(
            w, WORKER + 2, i, id_make(0, 1, DEFAULT_PRIORITY, i), 1, OUTCOME_SUCCEEDED, "");
        if (i % 128 == 0)
            step(w, 0);
    }
    assert_int_equal(store_model_count(w->store, STORE_UNIQUE_ENDS), ROUNDS * MANY);
    step(w, FOR_MS);
    assert_true(keys_held(w) > 0);
    for (unsigned i = 0; i < 8 && keys_held(w) > 0; i++) {
        assert_int_equal(core_idle_ms(w->core), 0);
        step(w, 0);
    }
    assert_int_equal(keys_held(w), 0);
    free(keys);
    free(got);
    free(jobs);
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

static void
it_is_put_off_each_time_or_comes_at_once(void **state)
{
    struct world *w = world_of(0);
    struct job_spec job = keyed("k", "x");
    (void)state;
    job.unique_flags = UNIQUE_MOVE;
    job.delay_ms = 10000;
    struct got a = submit(w, job);
    for (unsigned i = 0; i < 5; i++) {
        step(w, 6000);
        assert_int_equal(submit(w, job).met, STINT_MET_CHANGED);
        assert_int_equal(world_state(w, a.id, NULL), STINT_SCHEDULED);
    }
    step(w, 9999);
    assert_int_equal(world_state(w, a.id, NULL), STINT_SCHEDULED);
    assert_int_equal(store_model_count(w->store, STORE_DUE), 1);
    job.delay_ms = 0;
    assert_int_equal(submit(w, job).met, STINT_MET_CHANGED);
    assert_int_equal(world_state(w, a.id, NULL), STINT_READY);
    assert_int_equal(store_model_count(w->store, STORE_DUE), 0);
    world_destroy(&w);
}

/* One that may expire has the time of the last one that came; one that may not, keeps that. */
static void
it_is_put_off_and_does_not_expire_meanwhile(void **state)
{
    struct world *w = world_of(0);
    struct job_spec job = keyed("k", "x"), plain = keyed("p", "x");
    struct stint_job_info info;
    (void)state;
    job.unique_flags = UNIQUE_MOVE;
    job.delay_ms = 10000;
    job.expires_in_ms = 15000;
    struct got a = submit(w, job), b = submit(w, plain);
    for (unsigned i = 0; i < 5; i++) {
        step(w, 6000);
        assert_int_equal(submit(w, job).met, STINT_MET_CHANGED);
        assert_int_equal(store_model_count(w->store, STORE_DEADLINES), 1);
    }
    assert_int_equal(world_state(w, a.id, &info), STINT_SCHEDULED);
    assert_int_equal(info.expires_at_ms, w->wall_ms + 15000);
    plain.unique_flags = UNIQUE_MOVE;
    plain.expires_in_ms = 1;
    assert_int_equal(submit(w, plain).met, STINT_MET_CHANGED);
    step(w, 14999);
    assert_int_equal(world_state(w, a.id, NULL), STINT_READY);
    job.expires_in_ms = 0;
    assert_int_equal(submit(w, job).met, STINT_MET_CHANGED);
    assert_int_equal(store_model_count(w->store, STORE_DEADLINES), 0);
    step(w, 60000);
    assert_int_equal(world_state(w, a.id, NULL), STINT_READY);
    assert_int_equal(world_state(w, b.id, NULL), STINT_READY);
    assert_true(world_replays(w));
    world_destroy(&w);
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

/* One whose time to begin is over holds nothing, even if the clock has not come to it yet. */
static void
one_that_is_over_is_not_met(void **state)
{
    enum { SOON = 5000, MANY = 3000 };
    struct world *w = world_of(0);
    struct job_spec first = keyed("k", "x"), other = world_job("x");
    (void)state;
    first.expires_in_ms = SOON;
    other.expires_in_ms = SOON - 1;
    other.queue = text("other");
    struct got a = submit(w, first);
    for (unsigned i = 0; i < MANY / 1000; i++)
        world_submit_many(w, CLIENT, ++numbers[CLIENT], &other, 1000);
    step(w, 0);
    struct job_spec next = keyed("k", "y");
    world_submit(w, CLIENT, ++numbers[CLIENT], &next, 1);
    step(w, SOON);
    struct got b = submit(w, keyed("k", "z"));
    assert_int_equal(b.met, STINT_MET_JOB);
    assert_memory_not_equal(&a.id, &b.id, sizeof a.id);
    step(w, 0);
    assert_int_equal(world_state(w, a.id, NULL), STINT_EXPIRED);
    assert_int_equal(world_state(w, b.id, NULL), STINT_READY);
    assert_same_job(submit(w, keyed("k", "z")), b);
    world_destroy(&w);
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

#define FOR(test) cmocka_unit_test(test)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        FOR(the_second_one_is_the_first_while_that_waits_or_runs),
        FOR(other_keys_other_queues_and_none_at_all_are_apart),
        FOR(each_end_frees_the_key),
        FOR(one_that_holds_it_while_it_waits_lets_go_by_running),
        FOR(it_is_held_for_a_time_after_a_success_and_no_other_end),
        FOR(it_is_free_when_what_has_succeeded_is_deleted),
        FOR(a_queue_stays_as_long_as_keys_of_it_are_held),
        FOR(very_many_that_end_at_once_are_swept_in_steps),
        FOR(one_that_waits_takes_the_payload_and_one_that_runs_does_not),
        FOR(it_is_put_off_each_time_or_comes_at_once),
        FOR(it_is_put_off_and_does_not_expire_meanwhile),
        FOR(a_message_meets_itself_and_is_answered_the_same_when_it_is_sent_again),
        FOR(one_comes_back_only_if_its_key_is_free),
        FOR(one_that_moves_takes_its_key_along_if_there_is_room_for_it),
        FOR(one_that_lets_go_by_running_is_in_nobodys_way),
        FOR(one_that_is_over_is_not_met),
        FOR(a_key_has_a_size_and_is_text),
        FOR(what_is_damaged_holds_no_key),
        FOR(what_is_damaged_is_in_nobodys_way),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
