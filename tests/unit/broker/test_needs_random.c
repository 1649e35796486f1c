/* Random lives of jobs that need something, held against a model that looks at all of them: no
 * worker has more than it has, none gets what it lacks, nothing that has room waits, and of the
 * same need the first in is the first out (or the last, where the queue is so).
 */
#include "needy.h"
#include "splitmix.h"
#include "state.h"

#include <stdio.h>

enum { WORKERS = 3, QUEUES = 2, NEEDS = 7, JOBS = 600, STEPS = 500, RUNS = 30 };

struct need {
    const char *text;
    uint32_t cpus, gpus;
    bool ssd;
};

static const struct need needs[NEEDS] = {{NULL, 0, 0, false}, {"cpus=1", 1, 0, false},
    {"cpus=4", 4, 0, false}, {"cpus=2 gpus=1", 2, 1, false}, {"ssd", 0, 0, true},
    {"cpus=1 ssd", 1, 0, true}, {"gpus=9", 0, 9, false}};

static const struct {
    struct needy_worker is;
    struct need has;
    int kind; /* -1: all */
} workers[WORKERS] = {
    {{.slots = 3, .window = 5, .has = "cpus=4 gpus=1", .queue = "*"}, {NULL, 4, 1, false}, -1},
    {{.slots = 4, .window = 4, .has = "cpus=4 ssd", .queue = "*", .kind = "k1"}, {NULL, 4, 0, true},
        1},
    {{.slots = 2, .window = 3, .has = "cpus=6 gpus=2", .label = "ssd", .queue = "*"},
        {NULL, 6, 2, true}, -1}};

enum state { GONE, READY, HELD };

struct model {
    struct world *w;
    struct {
        struct stint_id id;
        enum state state;
        uint32_t queue, need, kind, worker, attempt;
        bool fresh; /* handed out in the last step */
    } jobs[JOBS];
    uint32_t count;
    bool lifo[QUEUES], paused[QUEUES];
    uint64_t seed, number;
};

static uint32_t
draw(struct model *m, uint32_t below)
{
    return (uint32_t)(splitmix64(&m->seed) % below);
}

static const char *const queues[QUEUES] = {"a", "b"};
static const char *const kinds[2] = {"k0", "k1"};

static void
pass(struct model *m)
{
    for (uint32_t n = 0; n < WORKERS; n++)
        message_put_ping(world_frame(m->w, NEEDY_WORKER + n), 5, WINDOW_UNCHANGED, 0);
    message_put_ping(world_frame(m->w, NEEDY_CLIENT), 5, WINDOW_UNCHANGED, 0);
    needy_step(m->w, draw(m, 1500));
}

static void
submit(struct model *m)
{
    if (m->count == JOBS) {
        pass(m);
        return;
    }
    uint32_t i = m->count++;
    struct job_spec job;
    m->jobs[i].queue = draw(m, QUEUES);
    m->jobs[i].need = draw(m, NEEDS);
    m->jobs[i].kind = draw(m, 2);
    m->jobs[i].state = READY;
    job = needy_job(needs[m->jobs[i].need].text);
    job.queue = needy_text(queues[m->jobs[i].queue]);
    job.kind = needy_text(kinds[m->jobs[i].kind]);
    job.priority = draw(m, 4) == 0 ? 200 : 100;
    uint32_t count;
    world_submit(m->w, NEEDY_CLIENT, ++m->number, &job, 1);
    needy_step(m->w, 0);
    assert_non_null(world_read(m->w, NEEDY_CLIENT, MESSAGE_SUBMITTED));
    assert_true(message_next_run(&m->w->arrays->answers[0], &m->jobs[i].id, &count));
}

/* A random job in this state; m->count: there is none. */
static uint32_t
any(struct model *m, enum state state)
{
    uint32_t begin = m->count ? draw(m, m->count) : 0;
    for (uint32_t i = 0; i < m->count; i++)
        if (m->jobs[(begin + i) % m->count].state == state)
            return (begin + i) % m->count;
    return m->count;
}

static void
end_run(struct model *m)
{
    uint32_t i = any(m, HELD);
    if (i == m->count) {
        pass(m);
        return;
    }
    bool returned = draw(m, 5) == 0;
    struct outcome o = {.id = m->jobs[i].id,
        .attempt = m->jobs[i].attempt,
        .type = returned ? OUTCOME_RETURNED : OUTCOME_SUCCEEDED};
    m->jobs[i].state = returned ? READY : GONE;
    message_put_settle(
        world_frame(m->w, NEEDY_WORKER + m->jobs[i].worker), 1, &o, 1, WINDOW_UNCHANGED);
    needy_step(m->w, 0);
}

static void
cancel(struct model *m)
{
    uint32_t i = any(m, draw(m, 4) == 0 ? HELD : READY);
    if (i == m->count) {
        pass(m);
        return;
    }
    m->jobs[i].state = GONE;
    message_put_ids(world_frame(m->w, NEEDY_CLIENT), MESSAGE_CANCEL, 8, &m->jobs[i].id, 1, 0);
    needy_step(m->w, 0);
}

static void
set_queue(struct model *m)
{
    uint32_t q = draw(m, QUEUES);
    enum stint_queue_action action;
    if (draw(m, 2)) {
        m->lifo[q] = !m->lifo[q];
        action = m->lifo[q] ? STINT_ORDER_LIFO : STINT_ORDER_FIFO;
    } else {
        m->paused[q] = !m->paused[q] && draw(m, 2);
        action = m->paused[q] ? STINT_PAUSE_QUEUE : STINT_RESUME_QUEUE;
    }
    message_put_set_queue(world_frame(m->w, NEEDY_CLIENT), 8, needy_text(queues[q]), action, NULL);
    needy_step(m->w, 0);
}

/* All come back and claim what they hold. */
static void
come_back(struct model *m)
{
    for (uint32_t n = 0; n < WORKERS; n++) {
        struct lease_ref held[JOBS];
        uint32_t count = 0;
        for (uint32_t i = 0; i < m->count; i++)
            if (m->jobs[i].state == HELD && m->jobs[i].worker == n)
                held[count++] = (struct lease_ref){
                    .id = m->jobs[i].id, .attempt = m->jobs[i].attempt, .begun = true};
        needy_hello(m->w, NEEDY_WORKER + n, workers[n].is);
        world_claim(m->w, NEEDY_WORKER + n, held, count);
    }
    world_hello_client(m->w, NEEDY_CLIENT, 1);
    needy_step(m->w, 0);
}

static void
note_given(struct model *m, uint32_t n)
{
    size_t at = 0;
    while (world_next(m->w, NEEDY_WORKER + n, &at)) {
        if (m->w->message.type != MESSAGE_DISPATCH)
            continue;
        for (uint32_t d = 0; d < m->w->message.count; d++) {
            const struct dispatched_job *job = &m->w->arrays->dispatched[d];
            uint32_t i = 0;
            while (i < m->count && memcmp(&m->jobs[i].id, &job->id, sizeof job->id) != 0)
                i++;
            assert_true(i < m->count && m->jobs[i].state == READY);
            m->jobs[i].state = HELD;
            m->jobs[i].worker = n;
            m->jobs[i].attempt = job->attempt;
            m->jobs[i].fresh = true;
        }
    }
}

static struct need
held_by(const struct model *m, uint32_t n, uint32_t *count)
{
    struct need sum = {0};
    *count = 0;
    for (uint32_t i = 0; i < m->count; i++)
        if (m->jobs[i].state == HELD && m->jobs[i].worker == n) {
            sum.cpus += needs[m->jobs[i].need].cpus;
            sum.gpus += needs[m->jobs[i].need].gpus;
            ++*count;
            assert_true(!needs[m->jobs[i].need].ssd || workers[n].has.ssd);
        }
    return sum;
}

/* Nothing that this worker has room for waits. */
static void
check_nothing_waits(struct model *m, uint32_t n, struct need sum)
{
    uint8_t session[SESSION_BYTES];
    memset(session, (int)(10 + NEEDY_WORKER + n), sizeof session);
    const struct worker *worker = fleet_worker(&m->w->core->fleet, session);
    const struct want *want = worker->serves.reserved;
    for (uint32_t i = 0; i < m->count; i++) {
        const struct need *need = &needs[m->jobs[i].need];
        bool fits = sum.cpus + need->cpus <= workers[n].has.cpus &&
            sum.gpus + need->gpus <= workers[n].has.gpus && (!need->ssd || workers[n].has.ssd);
        bool handles = workers[n].kind < 0 || (uint32_t)workers[n].kind == m->jobs[i].kind;
        bool barred = want && need->cpus + need->gpus > 0 &&
            (strcmp(want->needs->text, need->text) != 0 ||
                strcmp(want->queue->name, queues[m->jobs[i].queue]) != 0);
        if (m->jobs[i].state == READY && fits && handles && !barred && !m->paused[m->jobs[i].queue])
            fail_msg("seed run: job %u, %s, waits, and worker %u has room", i,
                need->text ? need->text : "that needs nothing", n);
    }
}

/* Of the same need, kind, queue and priority, those that were handed out were before those that
 * were not. */
static void
check_order(struct model *m)
{
    for (uint32_t i = 0; i < m->count; i++)
        for (uint32_t k = 0; m->jobs[i].fresh && k < m->count; k++)
            if (m->jobs[k].state == READY && m->jobs[k].need == m->jobs[i].need &&
                m->jobs[k].kind == m->jobs[i].kind && id_same_level(&m->jobs[k].id, &m->jobs[i].id))
                assert_int_equal(id_sequence(&m->jobs[k].id) > id_sequence(&m->jobs[i].id),
                    !m->lifo[m->jobs[i].queue]);
    for (uint32_t i = 0; i < m->count; i++)
        m->jobs[i].fresh = false;
}

static void
check(struct model *m)
{
    for (uint32_t n = 0; n < WORKERS; n++)
        note_given(m, n);
    for (uint32_t n = 0; n < WORKERS; n++) {
        uint32_t count;
        struct need sum = held_by(m, n, &count);
        assert_true(sum.cpus <= workers[n].has.cpus && sum.gpus <= workers[n].has.gpus);
        assert_true(count <= workers[n].is.window);
        if (count < workers[n].is.slots)
            check_nothing_waits(m, n, sum);
    }
    check_order(m);
}

static void
live(uint64_t seed)
{
    static struct model m;
    m = (struct model){.w = needy_world(), .seed = seed};
    come_back(&m);
    check(&m);
    for (unsigned s = 0; s < STEPS; s++) {
        uint32_t what = draw(&m, 100);
        if (what < 45)
            submit(&m);
        else if (what < 85)
            end_run(&m);
        else if (what < 90)
            cancel(&m);
        else if (what < 94 && m.count > 20)
            set_queue(&m);
        else if (what < 95) {
            world_restart(m.w);
            come_back(&m);
        } else
            pass(&m);
        check(&m);
    }
    needy_finish(m.w);
}

static void
random_lives_hold_what_is_promised(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= RUNS; seed++)
        live(seed);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(random_lives_hold_what_is_promised)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
