/* Where log lines go, on each kind of descriptor: what it takes now is written at once and in
 * order, what it does not waits, what does not fit is counted, and nobody else's flags are touched.
 */
#include "log_sink.h"
#include "splitmix.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum kind { PIPE, SOCKET, KINDS };

static struct log_sink sink;
static int ends[2]; /* read here, written there */

static void
open_ends(enum kind kind)
{
    int both[2];
    memset(&sink, 0, sizeof sink);
    if (kind == PIPE)
        assert_int_equal(pipe(ends), 0);
    else {
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, both), 0);
        ends[0] = both[0];
        ends[1] = both[1];
    }
    assert_int_equal(fcntl(ends[0], F_SETFL, O_NONBLOCK), 0);
    log_sink_open(&sink, ends[1]);
    assert_int_equal(sink.kind, kind == PIPE ? SINK_OWN : SINK_SOCKET);
}

static void
close_ends(void)
{
    if (sink.kind == SINK_OWN)
        close(sink.fd);
    close(ends[0]);
    close(ends[1]);
}

static size_t
read_some(char *to, size_t size)
{
    size_t used = 0;
    for (ssize_t n; used < size && (n = read(ends[0], to + used, size - used)) > 0;)
        used += (size_t)n;
    return used;
}

/* Lines of random lengths, read at random: what was taken comes out whole and in order. */
static void
what_is_taken_comes_out_whole_and_in_order(void **state)
{
    enum { LINES = 4000, LINE_MAX = 900, ALL = LINES * LINE_MAX };
    char *taken = malloc(ALL), *got = malloc(ALL), line[LINE_MAX];
    (void)state;
    assert_true(taken && got);
    for (unsigned kind = 0; kind < KINDS; kind++) {
        uint64_t seed = kind, dropped = 0;
        size_t put = 0, come = 0;
        open_ends((enum kind)kind);
        for (unsigned i = 0; i < LINES; i++) {
            size_t size = 20 + splitmix64(&seed) % (LINE_MAX - 20);
            memset(line, 'a' + (int)(i % 26), size);
            (void)snprintf(line, size, "%u ", i);
            line[size - 1] = '\n';
            if (log_sink_put(&sink, line, size)) {
                memcpy(taken + put, line, size);
                put += size;
            } else
                dropped++;
            assert_true(sink.dropped == dropped);
            assert_true(sink.waiting <= LOG_WAITING_MAX);
            if (i % 1000 > 800 && splitmix64(&seed) % 8 == 0)
                come += read_some(got + come, splitmix64(&seed) % 30000);
        }
        assert_true(dropped > 0); /* else this has tried nothing */
        do
            come += read_some(got + come, ALL - come);
        while (!log_sink_flush(&sink));
        come += read_some(got + come, ALL - come);
        assert_int_equal(come, put);
        assert_memory_equal(got, taken, put);
        assert_int_equal(fcntl(ends[1], F_GETFL) & O_NONBLOCK, 0);
        close_ends();
    }
    free(taken);
    free(got);
}

static void
a_reader_that_has_gone_loses_lines_and_nothing_waits_for_it(void **state)
{
    static char large[LOG_WAITING_MAX];
    (void)state;
    (void)signal(SIGPIPE, SIG_IGN);
    for (unsigned kind = 0; kind < KINDS; kind++) {
        open_ends((enum kind)kind);
        while (sink.waiting == 0) /* until it takes no more */
            assert_true(log_sink_put(&sink, large, 4096));
        close(ends[0]);
        assert_true(log_sink_flush(&sink)); /* there is nobody to wait for */
        assert_int_equal(sink.waiting, 0);
        assert_true(sink.dropped == 1);
        assert_true(log_sink_put(&sink, "line\n", 5));
        assert_true(sink.dropped == 2);
        assert_int_equal(log_sink_write(&sink, "x", 1), -1);
        assert_int_equal(errno, EPIPE);
        ends[0] = dup(ends[1]);
        close_ends();
    }
}

static void
a_line_larger_than_what_may_wait_is_dropped_alone(void **state)
{
    static char large[2 * LOG_WAITING_MAX];
    (void)state;
    open_ends(PIPE);
    while (sink.waiting == 0)
        assert_true(log_sink_put(&sink, large, 4096));
    size_t waiting = sink.waiting;
    assert_false(log_sink_put(&sink, large, LOG_WAITING_MAX - waiting + 1));
    assert_int_equal(sink.waiting, waiting);
    assert_true(log_sink_put(&sink, large, LOG_WAITING_MAX - waiting)); /* that just fits */
    assert_int_equal(sink.waiting, LOG_WAITING_MAX);
    assert_false(log_sink_put(&sink, large, 1));
    assert_true(sink.dropped == 2);
    close_ends();
}

static void
a_full_disk_and_a_closed_descriptor_lose_lines_and_block_nobody(void **state)
{
    (void)state;
    memset(&sink, 0, sizeof sink);
    int full = open("/dev/full", O_WRONLY | O_CLOEXEC);
    assert_true(full >= 0);
    log_sink_open(&sink, full);
    assert_true(log_sink_put(&sink, "line\n", 5));
    assert_true(sink.dropped == 1 && sink.waiting == 0);
    int was = sink.fd;
    log_sink_open(&sink, -1); /* what it had opened itself is closed */
    assert_int_equal(fcntl(was, F_GETFD), -1);
    assert_int_equal(fcntl(full, F_GETFD), FD_CLOEXEC);
    assert_int_equal(sink.kind, SINK_ANY);
    assert_true(log_sink_put(&sink, "line\n", 5) || sink.dropped > 1);
    close(full);
}

static void
a_file_is_written_as_it_is_and_keeps_its_place(void **state)
{
    char path[] = "/tmp/stint-sink-XXXXXX", text[64] = "";
    (void)state;
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, "before\n", 7), 7);
    memset(&sink, 0, sizeof sink);
    log_sink_open(&sink, fd);
    assert_int_equal(sink.fd, fd);
    assert_int_equal(sink.kind, SINK_ANY);
    assert_true(log_sink_put(&sink, "line\n", 5));
    assert_true(log_sink_flush(&sink));
    assert_int_equal(pread(fd, text, sizeof text, 0), 12);
    assert_string_equal(text, "before\nline\n");
    close(fd);
    unlink(path);
}

static void
an_end_that_is_only_for_reading_is_not_opened_for_writing(void **state)
{
    (void)state;
    memset(&sink, 0, sizeof sink);
    assert_int_equal(pipe(ends), 0);
    log_sink_open(&sink, ends[0]);
    assert_int_equal(sink.kind, SINK_ANY);
    assert_int_equal(sink.fd, ends[0]);
    close(ends[0]);
    close(ends[1]);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_taken_comes_out_whole_and_in_order),
        cmocka_unit_test(a_reader_that_has_gone_loses_lines_and_nothing_waits_for_it),
        cmocka_unit_test(a_line_larger_than_what_may_wait_is_dropped_alone),
        cmocka_unit_test(a_full_disk_and_a_closed_descriptor_lose_lines_and_block_nobody),
        cmocka_unit_test(a_file_is_written_as_it_is_and_keeps_its_place),
        cmocka_unit_test(an_end_that_is_only_for_reading_is_not_opened_for_writing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
