/* The router between real sockets and a core that is played here: who is told what, and which
 * connections end. A peer is a plain TCP socket that speaks ZMTP by hand.
 */
#include "router.h"

#include <arpa/inet.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

enum { TURNS = 2000, TURN_MS = 10 };

struct fixture {
    struct router *router;
    struct outbox out;
    int nothing; /* a descriptor that is never readable */
    uint32_t peer; /* of the last frame */
    unsigned frames, gone, alive;
};

static int
begin(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    static const char *const endpoints[] = {"tcp://127.0.0.1:*"};
    const struct router_options options = {.held = -1,
        .endpoints = endpoints,
        .endpoints_count = 1,
        .peers_max = 10,
        .heartbeat_ms = 40};
    const char *error;
    assert_non_null(f);
    assert_int_equal(router_new(&options, &f->router, &error), STINT_OK);
    f->nothing = eventfd(0, EFD_CLOEXEC);
    *state = f;
    return 0;
}

static int
end(void **state)
{
    struct fixture *f = *state;
    router_destroy(&f->router);
    outbox_free(&f->out);
    close(f->nothing);
    free(f);
    return 0;
}

/* One turn of the loop; what the test has put into the outbox is sent. */
static void
turn(struct fixture *f)
{
    struct batch batch = {0};
    router_wait(f->router, f->nothing, TURN_MS);
    router_drain(f->router, &batch);
    for (size_t i = 0; i < batch.count; i++) {
        const struct event *e = &batch.events[i];
        f->frames += e->kind == EVENT_FRAME;
        f->gone += e->kind == EVENT_GONE;
        f->alive += e->kind == EVENT_ALIVE;
        f->peer = e->peer;
    }
    router_done(f->router);
    router_send(f->router, &f->out);
    outbox_reset(&f->out);
}

static void
turn_until(struct fixture *f, const unsigned *count, unsigned value)
{
    for (unsigned n = 0; n < TURNS && *count < value; n++)
        turn(f);
    assert_int_equal(*count, value);
}

static void
say(struct fixture *f, const char *text, bool welcome)
{
    struct pack_buffer *b = outbox_begin(&f->out, f->peer);
    memcpy(pack_reserve(b, strlen(text)), text, strlen(text));
    outbox_end(&f->out);
    if (welcome)
        outbox_greeted(&f->out);
}

static void
put(int fd, const void *data, size_t size)
{
    assert_int_equal(send(fd, data, size, MSG_NOSIGNAL), size);
}

/* A DEALER that has shaken hands and sent one frame of one byte; it is read. */
static int
connect_peer(struct fixture *f)
{
    static const char ready[] = "\x04\x1c\x05READY\x0bSocket-Type\0\0\0\x06"
                                "DEALER";
    uint8_t greeting[64] = {0xff, [9] = 0x7f, 3, 0, 'N', 'U', 'L', 'L'};
    uint8_t theirs[sizeof greeting]; /* libzmq wants to be listened to first */
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    to.sin_port = htons((uint16_t)atoi(strrchr(router_endpoint(f->router), ':') + 1));
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof to), 0);
    put(fd, greeting, sizeof greeting);
    assert_int_equal(recv(fd, theirs, sizeof theirs, MSG_WAITALL), sizeof theirs);
    put(fd, ready, sizeof ready - 1);
    put(fd, "\0\1x", 3);
    f->frames = 0;
    turn_until(f, &f->frames, 1);
    return fd;
}

/* Has the router ended it? What came before is read; `text`, if any, is in it. */
static bool
over(int fd, const char *text, bool *heard)
{
    char bytes[4096];
    for (;;) {
        ssize_t n = recv(fd, bytes, sizeof bytes, MSG_DONTWAIT);
        if (n == 0)
            return true;
        if (n < 0)
            return errno == ECONNRESET;
        if (text && memmem(bytes, (size_t)n, text, strlen(text)))
            *heard = true;
    }
}

static void
wait_over(struct fixture *f, int fd, const char *text, bool *heard)
{
    for (unsigned n = 0; n < TURNS; n++) {
        turn(f);
        if (over(fd, text, heard))
            return;
    }
    fail();
}

static void
a_close_ends_the_connection_after_what_was_said_before(void **state)
{
    struct fixture *f = *state;
    bool heard = false;
    int fd = connect_peer(f);
    say(f, "you are too many", false);
    outbox_close(&f->out, f->peer);
    turn(f);
    unsigned frames = f->frames;
    put(fd, "\0\1y", 3); /* too late: it is not heard */
    wait_over(f, fd, "you are too many", &heard);
    assert_true(heard);
    assert_int_equal(f->frames, frames);
    assert_int_equal(f->gone, 0); /* the core knows */
    close(fd);
}

static void
a_peer_that_lets_go_is_gone(void **state)
{
    struct fixture *f = *state;
    int fd = connect_peer(f);
    say(f, "welcome", true);
    turn(f);
    close(fd);
    turn_until(f, &f->gone, 1);
    outbox_forget(&f->out, f->peer);
    for (unsigned n = 0; n < 20; n++)
        turn(f);
    assert_int_equal(f->gone, 1);
}

static void
bytes_of_a_frame_that_is_not_whole_are_life(void **state)
{
    struct fixture *f = *state;
    static const char bytes[1000];
    enum { PIECES = 2000 };
    unsigned sent = 0;
    int fd = connect_peer(f);
    say(f, "welcome", true);
    turn(f);
    put(fd, "\2\0\0\0\0\0\x1e\x84\x80", 9); /* PIECES times so many bytes are to come */
    while (f->alive < 3 && sent < PIECES - 1) {
        put(fd, bytes, sizeof bytes);
        sent++;
        turn(f);
    }
    assert_true(f->alive >= 3);
    assert_int_equal(f->frames, 1);
    for (; sent < PIECES; sent++) {
        put(fd, bytes, sizeof bytes);
        if (sent % 50 == 0)
            turn(f);
    }
    turn_until(f, &f->frames, 2);
    close(fd);
}

static void
who_has_been_welcomed_stays_and_who_has_not_is_ended(void **state)
{
    struct fixture *f = *state;
    int stranger = connect_peer(f);
    outbox_forget(&f->out, f->peer);
    int peer = connect_peer(f);
    say(f, "welcome", true);
    wait_over(f, stranger, NULL, NULL);
    assert_false(over(peer, NULL, NULL));
    outbox_forget(&f->out, f->peer); /* now it is one, too */
    wait_over(f, peer, NULL, NULL);
    close(stranger);
    close(peer);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(
            a_close_ends_the_connection_after_what_was_said_before, begin, end),
        cmocka_unit_test_setup_teardown(a_peer_that_lets_go_is_gone, begin, end),
        cmocka_unit_test_setup_teardown(bytes_of_a_frame_that_is_not_whole_are_life, begin, end),
        cmocka_unit_test_setup_teardown(
            who_has_been_welcomed_stays_and_who_has_not_is_ended, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
