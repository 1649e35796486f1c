/* The DEALER socket: what the link relies on that a broker need not be there for. */
#include "wire.h"

#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>
#include <zmq.h>

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

/* What stands at an endpoint, and ends each connection. */
struct peer {
    const char *mechanism; /* NULL: it ends them at once */
    unsigned silent; /* and so many of the first */
    int listener;
    unsigned port;
    atomic_uint met;
    pthread_t thread;
};

static bool
read_all(int fd, uint8_t *to, size_t size)
{
    ssize_t n = 1;
    for (; size > 0 && n > 0; size -= (size_t)n, to += n)
        if ((n = read(fd, to, size)) <= 0)
            return false;
    return true;
}

/* Says so much that the other side says all, and then ends, with its own mechanism still unsaid, as
 * a side does that has read the other's first. Who says no more gets the whole greeting. */
static void
greet(const struct peer *p, int fd)
{
    uint8_t greeting[64] = {0xFF, 0, 0, 0, 0, 0, 0, 0, 1, 0x7F, 3, 0}, theirs[64];
    (void)snprintf((char *)greeting + 12, 20, "%s", p->mechanism);
    if (write(fd, greeting, 11) != 11 || !read_all(fd, theirs, 11))
        return;
    if (poll(&(struct pollfd){.fd = fd, .events = POLLIN}, 1, 300) > 0)
        (void)read_all(fd, theirs + 11, sizeof theirs - 11);
    else if (write(fd, greeting + 11, sizeof greeting - 11) > 0)
        (void)read_all(fd, theirs, sizeof theirs); /* until they have read it */
}

static void *
meet(void *peer)
{
    struct peer *p = peer;
    int fd;
    while ((fd = accept(p->listener, NULL, NULL)) >= 0) {
        if (p->mechanism && atomic_load(&p->met) >= p->silent)
            greet(p, fd);
        close(fd);
        atomic_fetch_add(&p->met, 1);
    }
    return NULL;
}

static void
peer_begin(struct peer *p, const char *mechanism, unsigned silent)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t size = sizeof at;
    *p = (struct peer){
        .mechanism = mechanism, .silent = silent, .listener = socket(AF_INET, SOCK_STREAM, 0)};
    assert_int_equal(bind(p->listener, (struct sockaddr *)&at, size), 0);
    assert_int_equal(listen(p->listener, 16), 0);
    assert_int_equal(getsockname(p->listener, (struct sockaddr *)&at, &size), 0);
    p->port = ntohs(at.sin_port);
    assert_int_equal(pthread_create(&p->thread, NULL, meet, p), 0);
}

static void
peer_end(struct peer *p)
{
    shutdown(p->listener, SHUT_RDWR);
    assert_int_equal(pthread_join(p->thread, NULL), 0);
    close(p->listener);
}

/* Whether two sides differ in keys is found out, whoever ends the connection first; who only ends
 * connections, as what forwards them does while nobody is behind it, has not refused. */
static void
a_handshake_that_fails_without_a_word_is_explained(void **state)
{
    static const char refusal[] = "one side speaks by keys";
    static const char doubt[] = "the handshake failed";
    static const struct {
        const char *mechanism;
        bool by_keys;
        const char *why; /* NULL: nothing is said */
        unsigned silent;
    } cases[] = {{"CURVE", false, refusal, 0}, {"CURVE", false, refusal, 4},
        {"NULL", true, refusal, 0}, {"CURVE", true, doubt, 0}, {"NULL", false, NULL, 0},
        {"PLAIN", false, NULL, 0}, {NULL, true, doubt, 0}, {NULL, false, NULL, 0}};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char endpoint[64], broker[41], public[41], secret[41];
        struct wire *w = wire_new();
        struct peer p;
        const char *why = NULL;
        bool final = false;
        peer_begin(&p, cases[i].mechanism, cases[i].silent);
        (void)snprintf(endpoint, sizeof endpoint, "tcp://127.0.0.1:%u", p.port);
        assert_int_equal(zmq_curve_keypair(broker, secret), 0);
        assert_int_equal(zmq_curve_keypair(public, secret), 0);
        struct wire_target target = {.endpoint = endpoint};
        if (cases[i].by_keys)
            target = (struct wire_target){endpoint, broker, public, secret};
        assert_int_equal(wire_open(w, &target), STINT_OK);
        while (!why && (cases[i].why || atomic_load(&p.met) < 6)) {
            wire_wait(w, NULL, 0, false, wire_now_ms() + 20);
            why = wire_refusal(w, &final);
        }
        if (cases[i].why)
            assert_memory_equal(why, cases[i].why, strlen(cases[i].why));
        else
            assert_null(why);
        assert_int_equal(final, cases[i].why == refusal);
        wire_destroy(&w);
        peer_end(&p);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_waits_for_as_many_descriptors_as_there_are),
        cmocka_unit_test(what_is_no_endpoint_is_refused),
        cmocka_unit_test(without_a_connection_nothing_moves),
        cmocka_unit_test(a_handshake_that_fails_without_a_word_is_explained),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
