/* The library's worker as a program uses it. Run by test_library.py, as test_library.c is.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "stint_worker.h"

#include <poll.h>
#include <pthread.h>
#include <string.h>
#include <unistd.h>

enum { TIMEOUT_MS = 60000 };

/* Its conversation stands still in here until it may go on. */
static void
block(void *context, enum stint_worker_event event, uint32_t running, const char *detail)
{
    char byte;
    (void)running;
    (void)detail;
    if (event == STINT_WORKER_CONNECTED)
        assert_int_equal(read(*(int *)context, &byte, 1), 1);
}

static void *
run_worker(void *worker)
{
    assert_int_equal(stint_worker_run(worker), STINT_OK);
    return NULL;
}

static void
never_run(struct stint_task *task, void *worker)
{
    (void)task;
    (void)worker;
}

static void
a_worker_tells_how_long_it_stands_still(void **state)
{
    int gate[2];
    pthread_t thread;
    struct stint_worker *w;
    const struct stint_handler handler = {.run = never_run};
    const char *queue = "stands-still";
    (void)state;
    assert_int_equal(pipe(gate), 0);
    const struct stint_worker_options options = {
        .queues = &queue, .queues_count = 1, .told = block, .told_context = &gate[0]};
    assert_int_equal(stint_worker_new(&options, &w), STINT_OK);
    assert_int_equal(stint_worker_handle(w, &handler), STINT_OK);
    assert_int_equal(stint_worker_stalled_ms(w), 0);
    assert_int_equal(pthread_create(&thread, NULL, run_worker, w), 0);
    for (unsigned looks = 0; stint_worker_stalled_ms(w) < 200; looks++) {
        assert_true(looks < TIMEOUT_MS);
        (void)poll(NULL, 0, 1);
    }
    stint_worker_stop(w);
    assert_int_equal(write(gate[1], "", 1), 1);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(stint_worker_stalled_ms(w), 0);
    stint_worker_destroy(&w);
    close(gate[0]);
    close(gate[1]);
}

/* As soon as it is connected. */
static void
stop_it(void *worker, enum stint_worker_event event, uint32_t running, const char *detail)
{
    (void)running;
    (void)detail;
    if (event == STINT_WORKER_CONNECTED)
        stint_worker_stop(*(struct stint_worker **)worker);
}

static void
a_worker_runs_once(void **state)
{
    struct stint_worker *w;
    const struct stint_handler handler = {.run = never_run}, late = {.kind = "k", .run = never_run};
    const char *queue = "runs-once";
    const struct stint_worker_options options = {
        .queues = &queue, .queues_count = 1, .told = stop_it, .told_context = &w};
    (void)state;
    assert_int_equal(stint_worker_new(&options, &w), STINT_OK);
    assert_int_equal(stint_worker_run(w), STINT_INVALID); /* it has not run by that */
    assert_int_equal(stint_worker_handle(w, &handler), STINT_OK);
    assert_int_equal(stint_worker_run(w), STINT_OK);
    assert_int_equal(stint_worker_run(w), STINT_WRONG_STATE);
    assert_non_null(strstr(stint_worker_error(w), "runs once"));
    assert_int_equal(stint_worker_handle(w, &late), STINT_WRONG_STATE);
    assert_int_equal(stint_worker_handlers(w), 1);
    assert_int_equal(stint_worker_run(w), STINT_WRONG_STATE);
    stint_worker_destroy(&w);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_worker_tells_how_long_it_stands_still),
        cmocka_unit_test(a_worker_runs_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
