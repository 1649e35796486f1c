/* Watching real connections with a clock of the test's own: who says nothing is ended when its time
 * is over, and not because we stood still; and how many there may be.
 */
#include "monitor.h"

#include <errno.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>
#include <zmq.h>

#include <cmocka.h>

enum { DEADLINE_MS = 60000, BEAT_MS = 250 };

struct net {
    void *context, *router;
    struct routes routes;
    struct monitor *monitor;
    uint16_t port;
    uint64_t now_ms;
};

/* Waits until the monitor has something to tell, and takes it in at the time it is now. */
static void
hear(struct net *net)
{
    zmq_pollitem_t item = {.fd = monitor_fd(net->monitor), .events = ZMQ_POLLIN};
    assert_int_equal(zmq_poll(&item, 1, DEADLINE_MS), 1);
    monitor_hear(net->monitor, net->now_ms, true);
}

static int
with_router_for(void **state, uint32_t peers)
{
    static struct net net;
    char bound[64];
    size_t size = sizeof bound;
    int none = 0;
    net = (struct net){.context = zmq_ctx_new(), .now_ms = 1000};
    net.router = zmq_socket(net.context, ZMQ_ROUTER);
    routes_init(&net.routes, peers + 100);
    struct monitor_options options = {.context = net.context,
        .socket = net.router,
        .routes = &net.routes,
        .peers_max = peers,
        .heartbeat_ms = 1000};
    net.monitor = monitor_new(&options);
    if (!net.monitor || zmq_setsockopt(net.router, ZMQ_LINGER, &none, sizeof none) != 0 ||
        zmq_bind(net.router, "tcp://127.0.0.1:*") != 0 ||
        zmq_getsockopt(net.router, ZMQ_LAST_ENDPOINT, bound, &size) != 0)
        return -1;
    net.port = (uint16_t)strtoul(strrchr(bound, ':') + 1, NULL, 10);
    hear(&net); /* that it listens */
    *state = &net;
    return 0;
}

static int
with_router(void **state)
{
    return with_router_for(state, 10);
}

static int
with_router_for_many(void **state)
{
    return with_router_for(state, 1000);
}

static int
without(void **state)
{
    struct net *net = *state;
    monitor_destroy(&net->monitor);
    routes_fini(&net->routes);
    return zmq_close(net->router) || zmq_ctx_term(net->context);
}

/* A connection that says nothing. */
static int
dial(const struct net *net)
{
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(net->port), .sin_addr = {htonl(INADDR_LOOPBACK)}};
    struct timeval deadline = {DEADLINE_MS / 1000, 0};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &deadline, sizeof deadline), 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
    return fd;
}

static void
let_pass(struct net *net, uint64_t ms)
{
    for (; ms > 0; ms -= BEAT_MS) {
        net->now_ms += BEAT_MS;
        monitor_hear(net->monitor, net->now_ms, true);
        monitor_tend(net->monitor, net->now_ms);
    }
}

/* Has nobody ended it yet? What came over it is read away. */
static bool
is_open(int fd)
{
    char bytes[256];
    ssize_t n;
    while ((n = recv(fd, bytes, sizeof bytes, MSG_DONTWAIT)) > 0)
        ;
    return n < 0 && errno == EAGAIN;
}

/* Waits until it is over. */
static void
expect_end(int fd)
{
    char bytes[256];
    ssize_t n;
    while ((n = recv(fd, bytes, sizeof bytes, 0)) > 0)
        ;
    assert_true(n == 0 || errno == ECONNRESET);
    close(fd);
}

static void
who_says_nothing_is_ended_when_its_time_is_over(void **state)
{
    struct net *net = *state;
    assert_true(monitor_idle_ms(net->monitor, net->now_ms) == UINT64_MAX); /* there is nobody */
    int fd = dial(net);
    hear(net);
    assert_true(monitor_idle_ms(net->monitor, net->now_ms) <= 100);
    let_pass(net, CONNECTION_HELLO_MS - BEAT_MS);
    assert_true(is_open(fd));
    let_pass(net, BEAT_MS);
    expect_end(fd);
    hear(net); /* and the transport lets go of it */
}

static void
standing_still_is_nobodys_silence(void **state)
{
    struct net *net = *state;
    int fd = dial(net);
    hear(net);
    for (unsigned n = 1; n < CONNECTION_HELLO_MS / BEAT_MS; n++) {
        net->now_ms += 3600000; /* stopped for an hour, each time */
        monitor_hear(net->monitor, net->now_ms, true);
        assert_true(is_open(fd));
    }
    let_pass(net, BEAT_MS);
    expect_end(fd);
}

static void
who_comes_when_there_are_too_many_takes_the_place_of_the_oldest_stranger(void **state)
{
    enum { MOST = 10 + MORE_THAN_PEERS };
    struct net *net = *state;
    int fds[MOST + 1];
    for (unsigned n = 0; n <= MOST; n++) {
        fds[n] = dial(net);
        hear(net);
        if (n < MOST)
            assert_true(is_open(fds[0]));
    }
    expect_end(fds[0]);
    for (unsigned n = 1; n <= MOST; n++) {
        assert_true(is_open(fds[n]));
        close(fds[n]);
    }
}

/* Begins a message that never ends, and waits until the other side's kernel has all of it. */
static void
send_unfinished(int fd)
{
    static const uint8_t opening[] = {0xff, 0, 0, 0, 0, 0, 0, 0, 1, 0x7f, 3, 0, 'N', 'U', 'L',
        'L', [64] = 4, 28, 5, 'R', 'E', 'A', 'D', 'Y', 11, 'S', 'o', 'c', 'k', 'e', 't', '-', 'T',
        'y', 'p', 'e', 0, 0, 0, 6, 'D', 'E', 'A', 'L', 'E', 'R', 2, 0, 0, 0, 0, 1, 0, 0, 0};
    static const char body[8 * CONNECTION_UNKNOWN_BYTES];
    int left = 1;
    assert_int_equal(send(fd, opening, sizeof opening, 0), sizeof opening);
    assert_int_equal(send(fd, body, sizeof body, 0), sizeof body);
    for (unsigned waited_ms = 0; left > 0 && waited_ms < DEADLINE_MS; waited_ms++) {
        assert_int_equal(ioctl(fd, SIOCOUTQ, &left), 0);
        (void)poll(NULL, 0, 1);
    }
    assert_int_equal(left, 0);
}

static void
of_very_many_strangers_each_is_looked_at_in_its_turn(void **state)
{
    enum { MANY = 600, TURNS = 40, TURN_MS = 25 };
    struct net *net = *state;
    int fds[MANY];
    for (unsigned n = 0; n < MANY; n++) {
        fds[n] = dial(net);
        hear(net);
    }
    send_unfinished(fds[MANY - 1]);
    for (unsigned n = 0; n < TURNS; n++) { /* far less than the time to say HELLO in */
        net->now_ms += TURN_MS;
        monitor_hear(net->monitor, net->now_ms, true);
        monitor_round(net->monitor);
        monitor_tend(net->monitor, net->now_ms);
    }
    expect_end(fds[MANY - 1]);
    for (unsigned n = 0; n < MANY - 1; n++) {
        assert_true(is_open(fds[n]));
        close(fds[n]);
    }
}

static void
there_are_no_more_connections_than_descriptors_suffice_for(void **state)
{
    static const struct {
        rlim_t files;
        uint32_t peers, connections;
    } cases[] = {
        {1024, 10, 10 + MORE_THAN_PEERS},
        {1024, 100000, 1024 - 256},
        {64, 100000, MORE_THAN_PEERS + 1}, /* so few that nothing is right */
        {200, 100000, 200 - 50},
        {160, 100000, 160 - 48},
    };
    struct rlimit before, limit;
    (void)state;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        limit = before;
        limit.rlim_cur = cases[i].files;
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
        uint32_t connections = monitor_connections_max(cases[i].peers);
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
        assert_int_equal(connections, cases[i].connections);
    }
}

#define FOR(test) cmocka_unit_test_setup_teardown(test, with_router, without)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        FOR(who_says_nothing_is_ended_when_its_time_is_over),
        FOR(standing_still_is_nobodys_silence),
        FOR(who_comes_when_there_are_too_many_takes_the_place_of_the_oldest_stranger),
        cmocka_unit_test_setup_teardown(
            of_very_many_strangers_each_is_looked_at_in_its_turn, with_router_for_many, without),
        cmocka_unit_test(there_are_no_more_connections_than_descriptors_suffice_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
