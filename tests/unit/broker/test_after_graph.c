/* Large graphs of jobs: each ends as the rules say, whatever its shape, in bounded steps, also when
 * the broker is restarted in between.
 */
#include "record.h"
#include "waiting.h"

#include <stdio.h>

enum { WORKER = 2, JOBS = 10000, A_MESSAGE = 1000, PARENTS = 1000 };

enum shape { WIDE, DEEP, DIAMOND, ANY_SHAPE, SHAPES };

static struct graph {
    enum shape shape;
    unsigned failing; /* of 100 */
    struct stint_id ids[JOBS];
    struct job_spec specs[A_MESSAGE];
    enum stint_state ends[JOBS];
} g;

static uint64_t
drawn(uint64_t i, uint64_t about)
{
    const uint64_t words[] = {i, about};
    return record_check(words, sizeof words, g.shape) >> 8;
}

static bool
fails(uint32_t i)
{
    return i > 0 && drawn(i, 1) % 100 < g.failing;
}

static bool
takes_any(uint32_t i)
{
    return drawn(i, 2) % 5 == 0;
}

/* Those that job `i` is after, all of which stand before it. */
static uint32_t
parents_of(uint32_t i, uint32_t *parents)
{
    uint32_t count = 0;
    switch (g.shape) {
    case WIDE: /* one, all others, and one that joins as many of them as it may */
        if (i == JOBS - 1)
            for (; count < PARENTS; count++)
                parents[count] = count + 1;
        else if (i > 0)
            parents[count++] = 0;
        break;
    case DEEP: /* ten chains */
        if (i >= 10)
            parents[count++] = i - 10;
        break;
    case DIAMOND: /* layers of ten, each after all of the one before */
        for (; i >= 10 && count < 10; count++)
            parents[count] = i - i % 10 - 10 + count;
        break;
    default:
        for (uint32_t most = (uint32_t)(drawn(i, 3) % 5); i > 0 && count < most; count++)
            parents[count] = (uint32_t)(drawn(i, 10 + count) % i);
    }
    return count;
}

/* How each is to end. */
static void
foresee(void)
{
    static uint32_t parents[PARENTS];
    for (uint32_t i = 0; i < JOBS; i++) {
        bool runs = true;
        for (uint32_t n = parents_of(i, parents); n > 0; n--)
            runs &= takes_any(i) || g.ends[parents[n - 1]] == STINT_SUCCEEDED;
        g.ends[i] = !runs ? STINT_CANCELLED_JOB : fails(i) ? STINT_DEAD : STINT_SUCCEEDED;
    }
}

/* In messages of a thousand; those of the same one are named by their places. */
static void
submit_all(struct world *w)
{
    static uint32_t parents[PARENTS];
    static char payloads[A_MESSAGE][8];
    for (uint32_t begin = 0; begin < JOBS; begin += A_MESSAGE) {
        for (uint32_t i = begin; i < begin + A_MESSAGE; i++) {
            struct job_spec *job = &g.specs[i - begin];
            (void)snprintf(payloads[i - begin], sizeof payloads[0], "%u", i);
            *job = world_job(payloads[i - begin]);
            uint32_t count = parents_of(i, parents);
            if (count == 0)
                continue;
            struct pack_buffer *b = waiting_buffer(count);
            for (uint32_t n = 0; n < count; n++)
                if (parents[n] >= begin)
                    pack_put_uint(b, parents[n] - begin);
                else
                    pack_put_bytes(b, g.ids[parents[n]].bytes, STINT_ID_BYTES);
            job->after = (struct slice){b->data, b->used};
            job->after_flags = takes_any(i) ? AFTER_ANY : 0;
        }
        assert_int_equal(
            waiting_submit(w, begin / A_MESSAGE + 1, g.specs, A_MESSAGE, g.ids + begin), STINT_OK);
    }
}

/* Ends what the last step has handed out. False: there was nothing. */
static bool
work(struct world *w, uint64_t number)
{
    static struct outcome outcomes[LIMIT_JOBS];
    uint32_t count = 0;
    for (size_t at = 0; world_next(w, WORKER, &at);)
        for (uint32_t i = 0; w->message.type == MESSAGE_DISPATCH && i < w->message.count; i++) {
            const struct dispatched_job *d = &w->arrays->dispatched[i];
            char text[8] = "";
            slice_to_text(text, sizeof text, d->payload);
            bool bad = fails((uint32_t)strtoul(text, NULL, 10));
            outcomes[count++] = (struct outcome){
                .id = d->id, .attempt = d->attempt, .type = bad ? OUTCOME_DEAD : OUTCOME_SUCCEEDED};
        }
    if (count > 0)
        message_put_settle(world_frame(w, WORKER), number, outcomes, count, WINDOW_UNCHANGED);
    return count > 0;
}

static uint64_t
left(struct world *w)
{
    struct stint_stats s;
    core_stats(w->core, &s);
    return s.jobs[STINT_READY] + s.jobs[STINT_RUNNING] + s.jobs[STINT_BLOCKED];
}

static void
assert_ended(struct world *w)
{
    struct stint_stats s;
    uint64_t foreseen[STINT_STATES] = {0};
    for (uint32_t i = 0; i < JOBS; i++)
        foreseen[g.ends[i]]++;
    core_stats(w->core, &s);
    for (unsigned state = STINT_READY; state < STINT_STATES; state++)
        assert_int_equal(s.jobs[state], foreseen[state]);
    for (uint32_t i = 0; i < JOBS; i += 97)
        assert_int_equal(world_state(w, g.ids[i], NULL), g.ends[i]);
    assert_int_equal(store_model_count(w->store, STORE_FOLLOWERS), 0);
    assert_int_equal(store_model_count(w->store, STORE_ENDED), 0);
    waiting_verify(w);
}

static void
run(enum shape shape, unsigned failing, bool restarts)
{
    struct world *w = world_new(NULL);
    memset(&g, 0, sizeof g);
    g.shape = shape;
    g.failing = failing;
    foresee();
    world_with_client(w);
    submit_all(w);
    world_hello_worker(w, WORKER, 2, 900);
    world_claim(w, WORKER, NULL, 0);
    assert_int_equal(world_step(w, 0), STINT_OK);
    for (uint64_t n = 1; left(w) > 0; n++) {
        assert_true(n < WORLD_LOG / 2);
        (void)work(w, n);
        assert_int_equal(world_step(w, 0), STINT_OK);
        if (restarts && n % 40 == 0 && !work(w, n)) {
            world_restart(w);
            world_hello_worker(w, WORKER, 2, 900);
            world_claim(w, WORKER, NULL, 0);
            assert_int_equal(world_step(w, 0), STINT_OK);
        }
    }
    assert_ended(w);
    world_destroy(&w);
    waiting_done();
}

static void
a_wide_graph_ends_as_the_rules_say(void **state)
{
    (void)state;
    run(WIDE, 0, false);
    run(WIDE, 1, false);
}

static void
a_deep_graph_ends_as_the_rules_say(void **state)
{
    (void)state;
    run(DEEP, 0, false);
    run(DEEP, 1, false);
}

static void
a_graph_of_diamonds_ends_as_the_rules_say(void **state)
{
    (void)state;
    run(DIAMOND, 0, false);
    run(DIAMOND, 1, false);
}

static void
any_graph_ends_as_the_rules_say(void **state)
{
    (void)state;
    for (unsigned failing = 0; failing < 40; failing += 13)
        run(ANY_SHAPE, failing, failing % 2);
}

/* One that very many wait for: its end does not make one step long, nobody is forgotten if the
 * broker is restarted in between, and it is retried only when all were told. */
static void
very_many_followers_are_told_in_steps(void **state)
{
    (void)state;
    for (unsigned any = 0; any < 2; any++) {
        enum stint_state to = any ? STINT_READY : STINT_CANCELLED_JOB;
        struct world *w = world_new(NULL);
        struct stint_stats s;
        uint64_t before = 0, most = 0;
        memset(&g, 0, sizeof g);
        world_with_client(w);
        struct stint_id root = world_submit_one(w, 1, "root");
        struct job_spec job = waiting_job("x", &root, 1);
        job.after_flags = any ? AFTER_ANY : 0;
        for (uint32_t i = 0; i < JOBS / A_MESSAGE; i++)
            world_submit_many(w, WAITING_CLIENT, i + 2, &job, A_MESSAGE);
        message_put_ids(world_frame(w, WAITING_CLIENT), MESSAGE_CANCEL, 6, &root, 1, 0);
        for (unsigned n = 0; before < JOBS; n++) {
            assert_true(n < 100);
            assert_int_equal(world_step(w, 0), STINT_OK);
            core_stats(w->core, &s);
            uint64_t told = s.jobs[to] - (to == STINT_CANCELLED_JOB);
            most = told - before > most ? told - before : most;
            before = told;
            assert_int_equal(core_idle_ms(w->core) == 0, told < JOBS);
            if (told == JOBS)
                break;
            message_put_ids(world_frame(w, WAITING_CLIENT), MESSAGE_RETRY, 7, &root, 1, 0);
            assert_int_equal(world_step(w, 0), STINT_OK);
            assert_non_null(world_read(w, WAITING_CLIENT, MESSAGE_ANSWERS));
            core_stats(w->core, &s);
            before = s.jobs[to] - (to == STINT_CANCELLED_JOB);
            if (before < JOBS)
                assert_int_equal(w->arrays->statuses[0], STINT_WRONG_STATE);
            world_restart(w);
            world_with_client(w);
            core_stats(w->core, &s);
            before = s.jobs[to] - (to == STINT_CANCELLED_JOB);
        }
        assert_true(most <= 4096);
        for (unsigned n = 0; n < 2; n++)
            assert_int_equal(world_step(w, 0), STINT_OK);
        message_put_ids(world_frame(w, WAITING_CLIENT), MESSAGE_RETRY, 7, &root, 1, 0);
        assert_int_equal(world_state(w, root, NULL), STINT_READY);
        waiting_verify(w);
        assert_true(world_replays(w));
        world_destroy(&w);
        waiting_done();
    }
}

/* Very many end in one step, each with a follower of its own and one that waits for many of them:
 * what the step does not tell is told by those that follow, also behind a restart. */
static void
very_many_ends_of_a_step_are_told(void **state)
{
    enum { PAIRS = 2000, SHARED = 40, WIDTH = PAIRS / SHARED, ALL = 2 * PAIRS + SHARED };
    static struct job_spec jobs[ALL];
    static struct stint_id ids[ALL];
    (void)state;
    for (unsigned how = 0; how < 4; how++) {
        bool any = how % 2, restarts = how / 2;
        enum stint_state to = any ? STINT_READY : STINT_CANCELLED_JOB;
        struct world *w = world_new(NULL);
        struct stint_stats s;
        world_with_client(w);
        for (uint32_t i = 0; i < PAIRS; i++) {
            jobs[i] = world_job("root");
            jobs[PAIRS + i] = waiting_job_behind("its own", &i, 1);
            jobs[PAIRS + i].after_flags = any ? AFTER_ANY : 0;
        }
        for (uint32_t i = 0; i < SHARED; i++) {
            uint32_t places[WIDTH];
            for (uint32_t n = 0; n < WIDTH; n++)
                places[n] = i * WIDTH + n;
            jobs[2 * PAIRS + i] = waiting_job_behind("of many", places, WIDTH);
            jobs[2 * PAIRS + i].after_flags = any ? AFTER_ANY : 0;
        }
        assert_int_equal(waiting_submit(w, 1, jobs, ALL, ids), STINT_OK);
        core_stats(w->core, &s);
        assert_int_equal(s.jobs[STINT_BLOCKED], PAIRS + SHARED);
        message_put_ids(world_frame(w, WAITING_CLIENT), MESSAGE_CANCEL, 6, ids, PAIRS, 0);
        for (unsigned n = 0; s.jobs[STINT_BLOCKED] > 0; n++) {
            assert_true(n < 100);
            assert_int_equal(world_step(w, 0), STINT_OK);
            if (restarts) {
                world_restart(w);
                world_with_client(w);
            }
            core_stats(w->core, &s);
        }
        assert_int_equal(s.jobs[to], any ? PAIRS + SHARED : ALL);
        assert_int_equal(world_step(w, 0), STINT_OK);
        assert_int_equal(store_model_count(w->store, STORE_ENDED), 0);
        assert_int_equal(store_model_count(w->store, STORE_FOLLOWERS), 0);
        waiting_verify(w);
        world_destroy(&w);
        waiting_done();
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_wide_graph_ends_as_the_rules_say),
        cmocka_unit_test(a_deep_graph_ends_as_the_rules_say),
        cmocka_unit_test(a_graph_of_diamonds_ends_as_the_rules_say),
        cmocka_unit_test(any_graph_ends_as_the_rules_say),
        cmocka_unit_test(very_many_followers_are_told_in_steps),
        cmocka_unit_test(very_many_ends_of_a_step_are_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
