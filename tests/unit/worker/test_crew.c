/* Slots that come and go while others run jobs: the worker's own crew, threads and handover,
 * without a broker.
 */
#include "worker.h"
#include "world.h"

#include <poll.h>
#include <stdlib.h>
#include <unistd.h>
#include <utlist.h>

enum { JOBS_MAX = 4096, PATIENCE = 60000 };

/* What the handlers do and have seen. */
static struct {
    atomic_uint running, most, runs[JOBS_MAX], made, destroyed;
    atomic_bool hold; /* who runs does not end before this is false */
} seen;

static void *
make(void *context, uint32_t slot)
{
    (void)context;
    (void)slot;
    atomic_fetch_add(&seen.made, 1);
    return &seen;
}

static void
destroy(void *context, void *state)
{
    (void)context;
    assert_ptr_equal(state, &seen);
    atomic_fetch_add(&seen.destroyed, 1);
}

static void
run(struct stint_task *task, void *state)
{
    const struct stint_task_info *job = stint_task_info(task);
    unsigned now = atomic_fetch_add(&seen.running, 1) + 1, most = atomic_load(&seen.most);
    assert_ptr_equal(state, &seen);
    while (now > most && !atomic_compare_exchange_weak(&seen.most, &most, now))
        ;
    while (atomic_load(&seen.hold) && !stint_task_cancelled(task))
        (void)poll(NULL, 0, 1);
    atomic_fetch_add(&seen.runs[job->attempt], 1);
    atomic_fetch_sub(&seen.running, 1);
    stint_task_succeed(task, "", 0);
}

static struct stint_worker *
worker_of(uint32_t slots)
{
    const struct stint_worker_options options = {
        .endpoint = "ipc:///nobody-listens-here", .slots = slots};
    const struct stint_handler handler = {
        .kind = "k", .run = run, .make = make, .destroy = destroy};
    struct stint_worker *w;
    memset(&seen, 0, sizeof seen);
    assert_int_equal(stint_worker_new(&options, &w), STINT_OK);
    assert_int_equal(stint_worker_handle(w, &handler), STINT_OK);
    assert_int_equal(crew_start(w), STINT_OK);
    return w;
}

/* Jobs arrive, numbered from `first` in place of an attempt. */
static void
arrive(struct stint_worker *w, uint32_t first, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        struct delivery *delivery = calloc(1, sizeof *delivery + sizeof(struct held));
        assert_non_null(delivery);
        struct held *h = (struct held *)(delivery + 1);
        delivery->left = 1;
        *h = (struct held){.delivery = delivery,
            .info = {.queue = delivery->queue, .kind = "k", .attempt = first + i}};
        pthread_mutex_lock(&w->handover.lock);
        DL_APPEND(w->handover.waiting, h);
        w->handover.waiting_count++;
        pthread_cond_signal(&w->handover.work);
        pthread_mutex_unlock(&w->handover.lock);
    }
}

static bool
all_idle(struct stint_worker *w)
{
    pthread_mutex_lock(&w->handover.lock);
    bool idle = !w->handover.waiting && w->handover.running == 0;
    pthread_mutex_unlock(&w->handover.lock);
    return idle;
}

static bool
as_wanted(struct stint_worker *w)
{
    crew_tend(w);
    return w->crew.count == w->crew.wanted && !w->crew.restless;
}

static struct {
    unsigned running;
} expected;

static bool
so_many_run(struct stint_worker *w)
{
    (void)w;
    return atomic_load(&seen.running) == expected.running;
}

/* Until it is so; it comes by itself, so this ends only in a test that fails. */
static void
wait_until(struct stint_worker *w, bool (*is_so)(struct stint_worker *w))
{
    for (unsigned n = 0; !is_so(w); n++) {
        assert_true(n < PATIENCE);
        crew_tend(w);
        (void)poll(NULL, 0, 1);
    }
}

static void
wait_for_running(struct stint_worker *w, unsigned count)
{
    expected.running = count;
    wait_until(w, so_many_run);
}

static void
end(struct stint_worker *w)
{
    crew_join(w);
    assert_int_equal(atomic_load(&seen.made), atomic_load(&seen.destroyed));
    stint_worker_destroy(&w);
}

static void
more_slots_begin_more_jobs_while_others_run(void **state)
{
    struct stint_worker *w = worker_of(1);
    (void)state;
    atomic_store(&seen.hold, true);
    arrive(w, 0, 20);
    wait_for_running(w, 1);
    crew_resize(w, 12);
    wait_for_running(w, 12);
    atomic_store(&seen.hold, false);
    wait_until(w, all_idle);
    assert_int_equal(atomic_load(&seen.most), 12);
    end(w);
}

static void
slots_that_are_too_many_end_after_what_they_run(void **state)
{
    struct stint_worker *w = worker_of(8);
    (void)state;
    atomic_store(&seen.hold, true);
    arrive(w, 0, 8);
    wait_for_running(w, 8);
    crew_resize(w, 2);
    arrive(w, 8, 30);
    assert_false(as_wanted(w));
    assert_int_equal(atomic_load(&seen.running), 8);
    atomic_store(&seen.most, 0);
    atomic_store(&seen.hold, false);
    wait_until(w, all_idle);
    wait_until(w, as_wanted);
    assert_int_equal(w->crew.count, 2);
    for (unsigned i = 0; i < 38; i++)
        assert_int_equal(atomic_load(&seen.runs[i]), 1);
    end(w);
}

/* While a job runs in a slot that is too many, none begins in one that is not. */
static void
no_more_begin_than_there_are_slots(void **state)
{
    struct stint_worker *w = worker_of(4);
    (void)state;
    atomic_store(&seen.hold, true);
    arrive(w, 0, 3);
    wait_for_running(w, 3);
    crew_resize(w, 1);
    arrive(w, 3, 10);
    wait_for_running(w, 3);
    atomic_store(&seen.most, 0); /* from now on */
    pthread_mutex_lock(&w->handover.lock);
    assert_int_equal(w->handover.waiting_count, 10);
    for (uint32_t i = 0; i < w->crew.count; i++)
        if (w->crew.slots[i]->number < w->handover.slots)
            assert_false(slot_may_begin(w->crew.slots[i]));
    pthread_mutex_unlock(&w->handover.lock);
    atomic_store(&seen.hold, false);
    wait_until(w, all_idle);
    assert_int_equal(atomic_load(&seen.most), 1);
    end(w);
}

static void
without_slots_nothing_begins_and_with_one_it_goes_on(void **state)
{
    struct stint_worker *w = worker_of(3);
    (void)state;
    crew_resize(w, 0);
    wait_until(w, as_wanted);
    assert_int_equal(w->crew.count, 0);
    arrive(w, 0, 5);
    assert_false(all_idle(w));
    crew_resize(w, 1);
    wait_until(w, all_idle);
    for (unsigned i = 0; i < 5; i++)
        assert_int_equal(atomic_load(&seen.runs[i]), 1);
    end(w);
}

static void
it_is_resized_no_further_than_it_may(void **state)
{
    struct stint_worker *w = worker_of(2);
    (void)state;
    w->crew.most = 5;
    crew_resize(w, 100);
    assert_int_equal(w->crew.wanted, 5);
    end(w);
}

static void
one_that_leaves_when_idle_is_not_idle_while_a_job_runs(void **state)
{
    struct stint_worker *w = worker_of(1);
    (void)state;
    w->orders.exit_idle_ms = 1;
    w->orders.begun_ms = w->orders.idle_since_ms = wire_now_ms();
    atomic_store(&seen.hold, true);
    arrive(w, 0, 1);
    wait_for_running(w, 1);
    for (unsigned n = 0; n < 20; n++) {
        orders_tick(w);
        assert_false(orders_leaves(w));
        (void)poll(NULL, 0, 1);
    }
    atomic_store(&seen.hold, false);
    wait_until(w, all_idle);
    for (unsigned n = 0; n < 20; n++) { /* nor before its outcome is told */
        orders_tick(w);
        assert_false(orders_leaves(w));
        (void)poll(NULL, 0, 1);
    }
    struct held *done = w->handover.done;
    w->handover.done = NULL;
    while (!orders_leaves(w))
        orders_tick(w);
    w->handover.done = done;
    end(w);
}

/* Up and down at random under load: each job runs once, and none is left behind asleep. */
static void
stress(void **state)
{
    enum { ROUNDS = 300, EACH = 13 };
    struct stint_worker *w = worker_of(1);
    uint64_t chance = 88172645463325252U;
    (void)state;
    for (unsigned n = 0; n < ROUNDS; n++) {
        chance ^= chance << 13;
        chance ^= chance >> 7;
        chance ^= chance << 17;
        crew_resize(w, 1 + (uint32_t)(chance % 64));
        arrive(w, n * EACH, EACH);
        crew_tend(w);
    }
    wait_until(w, all_idle);
    crew_resize(w, 1);
    wait_until(w, as_wanted);
    for (unsigned i = 0; i < ROUNDS * EACH; i++)
        assert_int_equal(atomic_load(&seen.runs[i]), 1);
    assert_true(atomic_load(&seen.most) <= 64);
    end(w);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(more_slots_begin_more_jobs_while_others_run),
        cmocka_unit_test(slots_that_are_too_many_end_after_what_they_run),
        cmocka_unit_test(no_more_begin_than_there_are_slots),
        cmocka_unit_test(without_slots_nothing_begins_and_with_one_it_goes_on),
        cmocka_unit_test(it_is_resized_no_further_than_it_may),
        cmocka_unit_test(one_that_leaves_when_idle_is_not_idle_while_a_job_runs),
        cmocka_unit_test(stress),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
