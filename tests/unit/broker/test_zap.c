/* Who is let in, and as whom: a ROUTER that has a listener with keys and one without. */
#include "key_files.h"
#include "zap.h"

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <zmq.h>

#include <cmocka.h>

struct fixture {
    void *context, *router, *monitor;
    struct zap *zap;
    struct key_file broker, known, stranger;
    uint8_t key[KEY_BYTES]; /* of `known` */
    char sealed[64], plain[64]; /* endpoints */
};

static uint64_t
find(void *context, const uint8_t key[KEY_BYTES])
{
    const struct fixture *f = context;
    return memcmp(key, f->key, KEY_BYTES) == 0 ? 77 : 0;
}

static void
listen_with(struct fixture *f, int keys, char endpoint[64])
{
    const char *domain = keys ? ZAP_DOMAIN_KEYS : ZAP_DOMAIN_LOCAL;
    size_t size = 64;
    assert_int_equal(zmq_setsockopt(f->router, ZMQ_CURVE_SERVER, &keys, sizeof keys), 0);
    assert_int_equal(zmq_setsockopt(f->router, ZMQ_ZAP_DOMAIN, domain, strlen(domain)), 0);
    assert_int_equal(zmq_bind(f->router, "tcp://127.0.0.1:*"), 0);
    assert_int_equal(zmq_getsockopt(f->router, ZMQ_LAST_ENDPOINT, endpoint, &size), 0);
}

static int
begin(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    int on = 1;
    assert_non_null(f);
    assert_true(
        key_files_draw(&f->broker) && key_files_draw(&f->known) && key_files_draw(&f->stranger));
    assert_true(key_decode(f->known.public_key, KEY_TEXT_BYTES - 1, f->key));
    f->context = zmq_ctx_new();
    f->zap = zap_new(f->context, find, f);
    assert_non_null(f->zap);
    f->router = zmq_socket(f->context, ZMQ_ROUTER);
    assert_int_equal(zmq_setsockopt(f->router, ZAP_ENFORCE_DOMAIN, &on, sizeof on), 0);
    assert_int_equal(zmq_setsockopt(f->router, ZMQ_CURVE_SECRETKEY, f->broker.secret_key, 41), 0);
    assert_int_equal(zmq_socket_monitor(f->router, "inproc://monitor",
                         ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL | ZMQ_EVENT_HANDSHAKE_FAILED_AUTH |
                             ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL),
        0);
    f->monitor = zmq_socket(f->context, ZMQ_PAIR);
    assert_int_equal(zmq_connect(f->monitor, "inproc://monitor"), 0);
    listen_with(f, 1, f->sealed);
    listen_with(f, 0, f->plain);
    *state = f;
    return 0;
}

static int
end(void **state)
{
    struct fixture *f = *state;
    int none = 0;
    zap_destroy(&f->zap);
    (void)zmq_socket_monitor(f->router, NULL, 0);
    zmq_close(f->monitor);
    (void)zmq_setsockopt(f->router, ZMQ_LINGER, &none, sizeof none);
    zmq_close(f->router);
    zmq_ctx_term(f->context);
    free(f);
    return 0;
}

/* A peer that says one thing; `key` NULL: it has none. */
static void *
speak(struct fixture *f, const char *endpoint, const struct key_file *key)
{
    int none = 0;
    void *peer = zmq_socket(f->context, ZMQ_DEALER);
    (void)zmq_setsockopt(peer, ZMQ_LINGER, &none, sizeof none);
    if (key) {
        (void)zmq_setsockopt(peer, ZMQ_CURVE_SERVERKEY, f->broker.public_key, 41);
        (void)zmq_setsockopt(peer, ZMQ_CURVE_PUBLICKEY, key->public_key, 41);
        (void)zmq_setsockopt(peer, ZMQ_CURVE_SECRETKEY, key->secret_key, 41);
    }
    assert_int_equal(zmq_connect(peer, endpoint), 0);
    assert_int_equal(zmq_send(peer, "x", 1, 0), 1);
    return peer;
}

/* What the next message that comes is from. */
static uint64_t
heard_from(struct fixture *f)
{
    zmq_msg_t id, body;
    uint64_t number = 0;
    zmq_msg_init(&id);
    zmq_msg_init(&body);
    assert_true(zmq_msg_recv(&id, f->router, 0) > 0);
    assert_int_equal(zmq_msg_recv(&body, f->router, 0), 1);
    assert_true(zap_user(zmq_msg_gets(&body, "User-Id"), &number));
    zmq_msg_close(&id);
    zmq_msg_close(&body);
    return number;
}

static void
a_key_that_is_known_has_its_number_and_who_needs_none_has_0(void **state)
{
    struct fixture *f = *state;
    void *peer = speak(f, f->sealed, &f->known);
    assert_int_equal(heard_from(f), 77);
    zmq_close(peer);
    peer = speak(f, f->plain, NULL);
    assert_int_equal(heard_from(f), 0);
    zmq_close(peer);
}

static void
nobody_names_himself(void **state)
{
    struct fixture *f = *state;
    static const char ready[] = "\x04\x2a\x05READY\x0bSocket-Type\0\0\0\x06"
                                "DEALER\x07User-Id\0\0\0\x02"
                                "77";
    uint8_t greeting[64] = {0xff, [9] = 0x7f, 3, 0, 'N', 'U', 'L', 'L'};
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    to.sin_port = htons((uint16_t)atoi(strrchr(f->plain, ':') + 1));
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof to), 0);
    assert_int_equal(send(fd, greeting, sizeof greeting, MSG_NOSIGNAL), sizeof greeting);
    assert_int_equal(recv(fd, greeting, sizeof greeting, MSG_WAITALL), sizeof greeting);
    assert_int_equal(send(fd, ready, sizeof ready - 1, MSG_NOSIGNAL), sizeof ready - 1);
    assert_int_equal(send(fd, "\0\1x", 3, MSG_NOSIGNAL), 3);
    assert_int_equal(heard_from(f), 0);
    close(fd);
}

static void
who_has_another_key_or_none_or_one_too_many_is_not_heard(void **state)
{
    struct fixture *f = *state;
    const struct {
        const char *endpoint;
        const struct key_file *key;
    } strangers[] = {{f->sealed, &f->stranger}, {f->sealed, NULL}, {f->plain, &f->known}};
    for (unsigned i = 0; i < sizeof strangers / sizeof *strangers; i++) {
        uint8_t event[8];
        void *peer = speak(f, strangers[i].endpoint, strangers[i].key);
        assert_int_equal(zmq_recv(f->monitor, event, sizeof event, 0), 6);
        assert_true(zmq_recv(f->monitor, event, sizeof event, 0) >= 0); /* the address */
        assert_int_equal(zmq_recv(f->router, event, sizeof event, ZMQ_DONTWAIT), -1);
        zmq_close(peer);
    }
}

static void
without_its_handler_nobody_is_let_in(void **state)
{
    struct fixture *f = *state;
    uint8_t event[8];
    zap_destroy(&f->zap);
    void *peer = speak(f, f->sealed, &f->known);
    assert_int_equal(zmq_recv(f->monitor, event, sizeof event, 0), 6);
    assert_int_equal(zmq_recv(f->router, event, sizeof event, ZMQ_DONTWAIT), -1);
    zmq_close(peer);
}

static void
a_user_is_a_number_and_nothing_else(void **state)
{
    static const char *const none[] = {NULL, "", "x", "-1", " 1", "1x", "12345678901234567890"};
    uint64_t number;
    (void)state;
    for (unsigned i = 0; i < sizeof none / sizeof *none; i++)
        assert_false(zap_user(none[i], &number));
    assert_true(zap_user("1234567890123456789", &number));
    assert_int_equal(number, 1234567890123456789);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(
            a_key_that_is_known_has_its_number_and_who_needs_none_has_0, begin, end),
        cmocka_unit_test_setup_teardown(nobody_names_himself, begin, end),
        cmocka_unit_test_setup_teardown(
            who_has_another_key_or_none_or_one_too_many_is_not_heard, begin, end),
        cmocka_unit_test_setup_teardown(without_its_handler_nobody_is_let_in, begin, end),
        cmocka_unit_test(a_user_is_a_number_and_nothing_else),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
