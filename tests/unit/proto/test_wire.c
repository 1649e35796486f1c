/* The DEALER socket: what the link relies on that a broker need not be there for. */
#include "wire.h"

#include <setjmp.h>
#include <stdarg.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cmocka.h>

enum { MANY = 50 };

static void
it_waits_for_as_many_descriptors_as_there_are(void **state)
{
    int fds[MANY];
    uint64_t one = 1;
    struct wire *w = wire_new();
    (void)state;
    assert_int_equal(
        wire_open(w, &(struct wire_target){.endpoint = "ipc://nobody-is-there"}), STINT_OK);
    for (unsigned i = 0; i < MANY; i++)
        assert_true((fds[i] = eventfd(0, EFD_CLOEXEC)) >= 0);
    for (unsigned i = 0; i < MANY; i++) {
        uint64_t until_ms = wire_now_ms() + 60000;
        assert_int_equal(write(fds[i], &one, sizeof one), sizeof one);
        wire_wait(w, fds, MANY, false, until_ms);
        assert_true(wire_now_ms() < until_ms); /* it woke for this one */
        assert_int_equal(read(fds[i], &one, sizeof one), sizeof one);
    }
    for (unsigned i = 0; i < MANY; i++)
        close(fds[i]);
    wire_destroy(&w);
}

static void
what_is_no_endpoint_is_refused(void **state)
{
    struct wire *w = wire_new();
    (void)state;
    assert_int_equal(wire_open(w, &(struct wire_target){.endpoint = "tcp://127.0.0.1:80000"}),
        STINT_BAD_ENDPOINT);
    assert_int_equal(
        wire_open(w, &(struct wire_target){.endpoint = "tcp://*:5670"}), STINT_BAD_ENDPOINT);
    assert_int_equal(
        wire_open(w, &(struct wire_target){.endpoint = "tcp://h:1;h:2"}), STINT_BAD_ENDPOINT);
    assert_int_equal(wire_fd(w), -1);
    wire_destroy(&w);
}

static void
without_a_connection_nothing_moves(void **state)
{
    struct wire *w = wire_new();
    (void)state;
    assert_int_equal(
        wire_open(w, &(struct wire_target){.endpoint = "tcp://127.0.0.1:1"}), STINT_OK);
    uint64_t progress = wire_progress(w);
    assert_int_equal(wire_progress(w), progress);
    wire_destroy(&w);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_waits_for_as_many_descriptors_as_there_are),
        cmocka_unit_test(what_is_no_endpoint_is_refused),
        cmocka_unit_test(without_a_connection_nothing_moves),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
