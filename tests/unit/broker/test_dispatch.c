/* Who gets which job. Beside the broker stands a list of all jobs; after each step, what was handed
 * out is held against what has to be true of any dispatch, whatever came before it.
 */
#include "dice.h"
#include "world.h"

#include <stdlib.h>

enum { QUEUES = 3, KINDS = 3, WORKERS = 5, JOBS = 4000, STEPS = 900, ALL = 7 };

static const char *const queue_names[QUEUES] = {"one", "two", "three"};
static const char *const kind_names[KINDS] = {"red", "green", "blue"};
static const uint8_t priorities[] = {0, 100, 100, 100, 255};

struct model_job {
    struct stint_id id;
    unsigned queue, kind;
    uint32_t attempt; /* of the last dispatch */
    int worker; /* -1: it is ready, or over */
    bool over;
    bool fresh; /* it was handed out in this step */
};

struct model_worker {
    unsigned queues, kinds; /* bits */
    uint32_t slots, window, held;
};

struct model {
    struct dice dice;
    struct world *w;
    struct model_worker workers[WORKERS];
    struct model_job jobs[JOBS];
    unsigned jobs_count;
    uint64_t number, settled; /* of the last submission, and of the last SETTLE */
    unsigned said; /* frames in this step */
};

static struct slice
text(const char *t)
{
    return (struct slice){(const uint8_t *)t, strlen(t)};
}

/* The peers' numbers. */
static uint32_t
peer_of(unsigned worker)
{
    return 10 + worker;
}

/* Those whose bits are set; all of them are none, as nothing said means all kinds. */
static uint32_t
names_of(const char *const *names, unsigned bits, struct slice out[3])
{
    uint32_t count = 0;
    for (unsigned i = 0; i < 3; i++)
        if (bits >> i & 1)
            out[count++] = text(names[i]);
    return count;
}

/* The same queues by prefixes that stand for them, and maybe by some of their names as well; names
 * first. */
static uint32_t
prefixes_of(struct dice *dice, unsigned bits, struct slice *out, uint32_t *prefixes)
{
    static const char *const each[QUEUES] = {"o*", "two*", "th*"};
    uint32_t names = names_of(queue_names, bits & dice_roll(dice, ALL + 1), out), count = names;
    if (bits == ALL && dice_once_in(dice, 2))
        out[count++] = text("*");
    for (unsigned q = 0; q < QUEUES && count == names; q++)
        if (bits >> q & 1) {
            out[count++] = (bits & 6) == 6 && q > 0 ? text("t*") : text(each[q]);
        }
    for (unsigned q = 0; q < QUEUES; q++)
        if (bits >> q & 1)
            out[count++] = text(each[q]);
    *prefixes = count - names;
    return names;
}

static void
join(struct model *m, unsigned n)
{
    struct slice queues[3 + 2 * QUEUES], kinds[3];
    struct model_worker *w = &m->workers[n];
    w->queues = 1 + dice_roll(&m->dice, ALL);
    w->kinds = dice_once_in(&m->dice, 2) ? ALL : 1 + dice_roll(&m->dice, ALL);
    w->slots = 1 + dice_roll(&m->dice, 6);
    w->window = w->slots + dice_roll(&m->dice, 12);
    struct hello h = {.version_min = 1,
        .version_max = 1,
        .role = ROLE_WORKER,
        .name = text("worker"),
        .software = text("test"),
        .slots = w->slots,
        .window = w->window,
        .kinds = w->kinds == ALL ? 0 : names_of(kind_names, w->kinds, kinds)};
    h.queues = dice_once_in(&m->dice, 2) ? names_of(queue_names, w->queues, queues)
                                         : prefixes_of(&m->dice, w->queues, queues, &h.prefixes);
    memset(h.session, (int)peer_of(n), sizeof h.session);
    message_put_hello(world_frame(m->w, peer_of(n)), &h, queues, kinds, NULL);
    world_claim(m->w, peer_of(n), NULL, 0);
}

static void
submit(struct model *m)
{
    if (m->jobs_count == JOBS)
        return;
    struct model_job *mine = &m->jobs[m->jobs_count];
    struct job_spec job = world_job("x");
    *mine = (struct model_job){
        .queue = dice_roll(&m->dice, QUEUES), .kind = dice_roll(&m->dice, KINDS), .worker = -1};
    job.queue = text(queue_names[mine->queue]);
    job.kind = text(kind_names[mine->kind]);
    job.priority = priorities[dice_roll(&m->dice, sizeof priorities)];
    world_submit(m->w, 1, ++m->number, &job, 1);
    m->jobs_count++;
    m->said++;
}

/* A job that runs ends, or is given back; the worker's window may change. */
static void
settle(struct model *m)
{
    unsigned from = m->jobs_count ? dice_roll(&m->dice, m->jobs_count) : 0;
    for (unsigned i = 0; i < m->jobs_count; i++) {
        struct model_job *job = &m->jobs[(from + i) % m->jobs_count];
        if (job->worker < 0)
            continue;
        struct model_worker *w = &m->workers[job->worker];
        struct outcome o = {.id = job->id, .attempt = job->attempt, .type = OUTCOME_SUCCEEDED};
        if (dice_once_in(&m->dice, 4))
            o.type = OUTCOME_RETURNED;
        if (dice_once_in(&m->dice, 4))
            w->window = dice_roll(&m->dice, 16);
        message_put_settle(
            world_frame(m->w, peer_of((unsigned)job->worker)), ++m->settled, &o, 1, w->window);
        m->said++;
        w->held--;
        job->worker = -1;
        job->over = o.type == OUTCOME_SUCCEEDED;
        return;
    }
}

/* The ids of this step's submissions, in the order they were said. */
static void
read_ids(struct model *m, unsigned from)
{
    for (size_t i = 0; world_next(m->w, 1, &i);) {
        for (uint32_t a = 0; m->w->message.type == MESSAGE_SUBMITTED && a < m->w->message.count;
             a++) {
            uint32_t count;
            struct answer *answer = &m->w->arrays->answers[a];
            assert_int_equal(answer->status, STINT_OK);
            assert_true(message_next_run(answer, &m->jobs[from].id, &count));
            assert_int_equal(count, 1);
            from++;
        }
    }
    assert_int_equal(from, m->jobs_count);
}

static struct model_job *
job_of(struct model *m, const struct stint_id *id)
{
    for (unsigned i = 0; i < m->jobs_count; i++)
        if (memcmp(&m->jobs[i].id, id, sizeof *id) == 0)
            return &m->jobs[i];
    fail_msg("a job was handed out that nobody submitted");
    return NULL;
}

static void
read_dispatch(struct model *m, unsigned n)
{
    struct model_worker *w = &m->workers[n];
    for (size_t i = 0; world_next(m->w, peer_of(n), &i);) {
        if (m->w->message.type != MESSAGE_DISPATCH)
            continue;
        for (uint32_t d = 0; d < m->w->message.count; d++) {
            const struct dispatched_job *got = &m->w->arrays->dispatched[d];
            struct model_job *job = job_of(m, &got->id);
            assert_false(job->over);
            assert_int_equal(job->worker, -1); /* nobody else has it */
            assert_true(w->queues >> job->queue & 1);
            assert_true(w->kinds >> job->kind & 1);
            assert_int_equal(got->attempt, job->attempt + 1);
            assert_memory_equal(m->w->message.dispatch.queue.data, queue_names[job->queue], 3);
            job->attempt = got->attempt;
            job->worker = (int)n;
            job->fresh = true;
            assert_true(++w->held <= w->window);
        }
    }
}

static bool
may_have(const struct model_worker *w, const struct model_job *job)
{
    return (w->queues >> job->queue & 1) && (w->kinds >> job->kind & 1);
}

/* Nobody has room while there is a job to be had; and whoever got one got none that another one of
 * its queue and kind should have gone before. */
static void
check(struct model *m)
{
    for (unsigned i = 0; i < m->jobs_count; i++) {
        const struct model_job *ready = &m->jobs[i];
        if (ready->over || ready->worker >= 0)
            continue;
        for (unsigned n = 0; n < WORKERS; n++)
            if (may_have(&m->workers[n], ready))
                assert_true(m->workers[n].held >= m->workers[n].window);
        for (unsigned j = 0; j < m->jobs_count; j++) {
            const struct model_job *taken = &m->jobs[j];
            if (taken->fresh && taken->queue == ready->queue &&
                may_have(&m->workers[taken->worker], ready))
                assert_true(id_compare(&taken->id, &ready->id) < 0);
        }
    }
}

static void
whatever_comes_jobs_go_in_their_order_to_whoever_may_have_them(void **state)
{
    struct model *m = calloc(1, sizeof *m);
    (void)state;
    assert_non_null(m);
    for (uint64_t seed = 1; seed <= 4; seed++) {
        *m = (struct model){.dice = {seed}, .w = world_new(NULL)};
        world_with_client(m->w);
        for (unsigned n = 0; n < WORKERS; n++)
            join(m, n);
        for (unsigned step = 0; step < STEPS; step++) {
            unsigned before = m->jobs_count;
            for (m->said = 0; m->said < 1 + dice_roll(&m->dice, 8);)
                if (dice_once_in(&m->dice, 2))
                    submit(m);
                else {
                    settle(m);
                    m->said++;
                }
            assert_int_equal(world_step(m->w, 1), STINT_OK);
            read_ids(m, before);
            for (unsigned j = 0; j < m->jobs_count; j++)
                m->jobs[j].fresh = false;
            for (unsigned n = 0; n < WORKERS; n++)
                read_dispatch(m, n);
            check(m);
        }
        assert_true(m->jobs_count > STEPS);
        world_destroy(&m->w);
    }
    free(m);
}

/* ---- shares ---- */

/* Jobs in each of three queues; what one worker that serves them all is given of each. */
static void
a_workers_queues_share_its_room_and_what_one_leaves_the_others_take(void **state)
{
    static const struct {
        unsigned jobs[QUEUES];
        uint32_t slots, window;
        unsigned given[QUEUES];
    } cases[] = {
        {{50, 50, 50}, 30, 30, {10, 10, 10}},
        {{50, 0, 50}, 30, 30, {15, 0, 15}},
        {{50, 3, 50}, 30, 30, {14, 3, 13}},
        {{50, 0, 0}, 30, 30, {30, 0, 0}},
        {{2, 2, 2}, 30, 30, {2, 2, 2}},
        {{50, 50, 50}, 3, 33, {11, 11, 11}}, /* slots are one each, windows ten each */
        {{50, 50, 50}, 3, 3, {1, 1, 1}},
        {{50, 50, 50}, 2, 2, {1, 1, 0}},
    };
    (void)state;
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        struct world *w = world_new(NULL);
        struct job_spec jobs[150];
        struct slice names[QUEUES];
        unsigned given[QUEUES] = {0};
        uint32_t count = 0;
        for (unsigned q = 0; q < QUEUES; q++)
            for (unsigned n = 0; n < cases[c].jobs[q]; n++) {
                jobs[count] = world_job("x");
                jobs[count++].queue = text(queue_names[q]);
            }
        world_with_client(w);
        world_submit(w, 1, 1, jobs, count);
        struct hello h = {.version_min = 1,
            .version_max = 1,
            .role = ROLE_WORKER,
            .name = text("worker"),
            .software = text("test"),
            .slots = cases[c].slots,
            .window = cases[c].window,
            .queues = names_of(queue_names, ALL, names)};
        h.session[0] = 2;
        message_put_hello(world_frame(w, 2), &h, names, NULL, NULL);
        world_claim(w, 2, NULL, 0);
        assert_int_equal(world_step(w, 0), STINT_OK);
        for (size_t i = 0; world_next(w, 2, &i);)
            for (unsigned q = 0; w->message.type == MESSAGE_DISPATCH && q < QUEUES; q++)
                if (memcmp(w->message.dispatch.queue.data, queue_names[q], 3) == 0)
                    given[q] += w->message.count;
        for (unsigned q = 0; q < QUEUES; q++)
            assert_int_equal(given[q], cases[c].given[q]);
        world_destroy(&w);
    }
}

static void
every_slot_has_a_job_before_anybodys_window_has_two(void **state)
{
    static const struct {
        unsigned workers, jobs;
        uint32_t slots, window;
        unsigned least, most; /* that one of the workers holds */
    } cases[] = {
        {4, 4, 1, 100, 1, 1}, {4, 3, 1, 100, 0, 1}, {4, 8, 2, 100, 2, 2}, {4, 10, 4, 4, 2, 3},
        {3, 90, 1, 5, 5, 5}, {4, 0, 1, 5, 0, 0},
        {2, 100, 2, 200, 2, 98}, /* beyond the slots, large batches are handed out */
    };
    (void)state;
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        struct world *w = world_new(NULL);
        struct job_spec jobs[100];
        world_with_client(w);
        for (unsigned n = 0; n < cases[c].workers; n++) {
            struct hello h = {.version_min = 1,
                .version_max = 1,
                .role = ROLE_WORKER,
                .name = text("worker"),
                .software = text("test"),
                .slots = cases[c].slots,
                .window = cases[c].window};
            memset(h.session, (int)peer_of(n), sizeof h.session);
            message_put_hello(world_frame(w, peer_of(n)), &h, NULL, NULL, NULL);
            world_claim(w, peer_of(n), NULL, 0);
        }
        for (unsigned n = 0; n < cases[c].jobs; n++)
            jobs[n] = world_job("x");
        if (cases[c].jobs)
            world_submit(w, 1, 1, jobs, cases[c].jobs);
        assert_int_equal(world_step(w, 0), STINT_OK);
        for (unsigned n = 0; n < cases[c].workers; n++) {
            unsigned given = 0;
            for (size_t i = 0; world_next(w, peer_of(n), &i);)
                given += w->message.type == MESSAGE_DISPATCH ? w->message.count : 0;
            assert_in_range(given, cases[c].least, cases[c].most);
        }
        world_destroy(&w);
    }
}

static void
who_asks_for_nothing_or_has_not_claimed_gets_nothing(void **state)
{
    struct world *w = world_new(NULL);
    (void)state;
    world_with_client(w);
    world_hello_worker(w, 2, 2, 5);
    (void)world_submit_one(w, 1, "x");
    assert_null(world_read(w, 2, MESSAGE_DISPATCH)); /* what does it hold? it has not said so */
    message_put_ping(world_frame(w, 2), 1, 0, 0);
    world_claim(w, 2, NULL, 0);
    assert_int_equal(world_step(w, 0), STINT_OK);
    assert_non_null(world_read(w, 2, MESSAGE_CLAIMED));
    assert_null(world_read(w, 2, MESSAGE_DISPATCH));
    message_put_ping(world_frame(w, 2), 1, 1, 0);
    assert_int_equal(world_step(w, 0), STINT_OK);
    assert_int_equal(world_dispatched(w, 2).attempt, 1);
    (void)world_submit_one(w, 2, "y");
    assert_null(world_read(w, 2, MESSAGE_DISPATCH));
    message_put_ping(world_frame(w, 2), 1, 2, 0);
    assert_int_equal(world_step(w, 0), STINT_OK);
    assert_int_equal(world_dispatched(w, 2).attempt, 1);
    world_destroy(&w);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whatever_comes_jobs_go_in_their_order_to_whoever_may_have_them),
        cmocka_unit_test(a_workers_queues_share_its_room_and_what_one_leaves_the_others_take),
        cmocka_unit_test(every_slot_has_a_job_before_anybodys_window_has_two),
        cmocka_unit_test(who_asks_for_nothing_or_has_not_claimed_gets_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
