/* Listening: endpoints that can't be used are told in words, and the file of an ipc endpoint is
 * never taken away from whoever serves there, nor left behind.
 */
#include "listen.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include <zmq.h>

#include <cmocka.h>

static const struct listen_security plain;
static char directory[64];
static char error[LISTEN_ERROR_BYTES];
static void *context;
static void *sockets[16]; /* that are open: also those of a test that fails are closed after it */

static const char *
in(const char *name)
{
    static char path[100];
    (void)snprintf(path, sizeof path, "%s/%s", directory, name);
    return path;
}

static const char *
ipc(const char *name)
{
    static char endpoint[120];
    (void)snprintf(endpoint, sizeof endpoint, "ipc://%s", in(name));
    return endpoint;
}

static int
with_directory(void **state)
{
    (void)state;
    (void)strcpy(directory, "/tmp/stint-listen-XXXXXX");
    context = zmq_ctx_new();
    return context && mkdtemp(directory) ? 0 : -1;
}

static void
end_socket(void *socket)
{
    unsigned i = 0;
    while (sockets[i] != socket)
        i++;
    sockets[i] = NULL;
    zmq_close(socket);
}

static int
without(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof sockets / sizeof *sockets; i++)
        if (sockets[i])
            end_socket(sockets[i]);
    (void)unlink(in("socket"));
    return zmq_ctx_term(context) || rmdir(directory);
}

static void *
open_socket(int type)
{
    int none = 0;
    unsigned i = 0;
    void *socket = zmq_socket(context, type);
    assert_non_null(socket);
    while (sockets[i])
        i++;
    sockets[i] = socket;
    assert_int_equal(zmq_setsockopt(socket, ZMQ_LINGER, &none, sizeof none), 0);
    return socket;
}

static void *
router(void)
{
    return open_socket(ZMQ_ROUTER);
}

static void
an_endpoint_that_can_not_be_used_is_told_in_words(void **state)
{
    static const struct {
        const char *endpoint;
        enum stint_status status;
        const char *words;
    } cases[] = {
        {"", STINT_BAD_ENDPOINT, "can't listen at"},
        {"tcp://", STINT_BAD_ENDPOINT, "can't listen at"},
        {"udp://127.0.0.1:5670", STINT_BAD_ENDPOINT, "can't listen at udp://127.0.0.1:5670"},
        {"tcp://127.0.0.1", STINT_BAD_ENDPOINT, "can't listen at tcp://127.0.0.1:"},
        {"tcp://127.0.0.1:80000", STINT_BAD_ENDPOINT, "can't listen at tcp://127.0.0.1:80000"},
        {"tcp://192.0.2.1:5670", STINT_SYSTEM, "Cannot assign requested address"},
        {"tcp://no-such-name:5670", STINT_BAD_ENDPOINT, "write an address of this host"},
        {"ipc://", STINT_BAD_ENDPOINT, "can't listen at"},
        {"ipc:///no/such/place", STINT_SYSTEM, "No such file or directory"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct listener listener;
        void *socket = router();
        error[0] = '\0';
        assert_int_equal(
            listen_at(socket, cases[i].endpoint, &plain, -1, &listener, error), cases[i].status);
        if (!strstr(error, cases[i].words))
            fail_msg("%s: it said \"%s\"", cases[i].endpoint, error);
        assert_string_equal(listener.path, "");
        listen_end(&listener);
        end_socket(socket);
    }
}

static void
a_name_that_stands_for_this_host_is_listened_at(void **state)
{
    static const char *const endpoints[] = {"tcp://localhost:*", "tcp://127.0.0.1:*", "tcp://*:*"};
    (void)state;
    for (size_t i = 0; i < sizeof endpoints / sizeof *endpoints; i++) {
        struct listener listener;
        void *socket = router();
        if (listen_at(socket, endpoints[i], &plain, -1, &listener, error) != STINT_OK)
            fail_msg("%s", error);
        assert_string_equal(listener.path, "");
        end_socket(socket);
    }
}

static void
a_port_that_is_taken_is_not_taken_again(void **state)
{
    char bound[64];
    size_t size = sizeof bound;
    struct listener listener;
    void *first = router(), *second = router();
    (void)state;
    assert_int_equal(listen_at(first, "tcp://127.0.0.1:*", &plain, -1, &listener, error), STINT_OK);
    assert_int_equal(zmq_getsockopt(first, ZMQ_LAST_ENDPOINT, bound, &size), 0);
    assert_int_equal(listen_at(second, bound, &plain, -1, &listener, error), STINT_SYSTEM);
    assert_non_null(strstr(error, "in use"));
    end_socket(first);
    end_socket(second);
}

/* As a broker does that serves in its data directory. */
static void
a_directory_that_we_hold_ourselves_is_not_waited_for(void **state)
{
    struct listener listener;
    struct stat st;
    void *socket = router();
    (void)state;
    int held = open(in(""), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_true(held >= 0);
    assert_int_equal(flock(held, LOCK_EX), 0);
    assert_int_equal(listen_at(socket, ipc("socket"), &plain, held, &listener, error), STINT_OK);
    assert_int_equal(lstat(in("socket"), &st), 0);
    listen_end(&listener);
    assert_int_equal(lstat(in("socket"), &st), -1);
    close(held);
    end_socket(socket);
}

/* It is left as it is, as it belongs to all threads. */
static void
a_socket_is_for_its_user_alone_whatever_the_umask_is(void **state)
{
    struct listener listener;
    struct stat st;
    void *socket = router();
    (void)state;
    mode_t mask = umask(0);
    assert_int_equal(listen_at(socket, ipc("socket"), &plain, -1, &listener, error), STINT_OK);
    assert_int_equal(umask(mask), 0);
    assert_int_equal(lstat(in("socket"), &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    listen_end(&listener);
    end_socket(socket);
}

static void
an_ipc_endpoint_is_a_file_of_its_users_that_goes_at_the_end(void **state)
{
    struct listener listener;
    struct stat st;
    void *socket = router(), *peer = open_socket(ZMQ_DEALER);
    char byte;
    (void)state;
    assert_int_equal(listen_at(socket, ipc("socket"), &plain, -1, &listener, error), STINT_OK);
    assert_int_equal(lstat(in("socket"), &st), 0);
    assert_true(S_ISSOCK(st.st_mode));
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_string_equal(listener.path, in("socket"));
    assert_int_equal(zmq_connect(peer, ipc("socket")), 0);
    assert_int_equal(zmq_send(peer, "x", 1, 0), 1);
    assert_int_equal(zmq_recv(socket, &byte, 0, 0), 5); /* somebody is heard there */
    end_socket(peer);
    end_socket(socket);
    listen_end(&listener);
    assert_int_equal(lstat(in("socket"), &st), -1);
    listen_end(&listener); /* once more is nothing */
}

static void
an_ipc_endpoint_is_not_taken_away_from_who_serves_there(void **state)
{
    struct listener first, second;
    struct stat before, after;
    void *one = router(), *two = router();
    (void)state;
    assert_int_equal(listen_at(one, ipc("socket"), &plain, -1, &first, error), STINT_OK);
    assert_int_equal(lstat(in("socket"), &before), 0);
    assert_int_equal(listen_at(two, ipc("socket"), &plain, -1, &second, error), STINT_SYSTEM);
    assert_non_null(strstr(error, "another process serves there already"));
    listen_end(&second);
    end_socket(two);
    assert_int_equal(lstat(in("socket"), &after), 0);
    assert_int_equal(before.st_ino, after.st_ino);
    end_socket(one);
    listen_end(&first);
}

/* Makes a socket's file behind which nobody stands. */
static void
leave_behind(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    (void)snprintf(address.sun_path, sizeof address.sun_path, "%s", in("socket"));
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
    close(fd);
}

static void
a_socket_that_was_left_behind_is_replaced_and_any_other_file_is_not(void **state)
{
    struct listener listener;
    struct stat st;
    void *socket = router();
    (void)state;
    FILE *file = fopen(in("socket"), "w");
    assert_non_null(file);
    assert_int_equal(fputs("precious", file) >= 0, 1);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(listen_at(socket, ipc("socket"), &plain, -1, &listener, error), STINT_SYSTEM);
    assert_non_null(strstr(error, "a file that is no socket"));
    assert_int_equal(lstat(in("socket"), &st), 0);
    assert_int_equal(st.st_size, 8);
    assert_int_equal(unlink(in("socket")), 0);
    leave_behind();
    assert_int_equal(listen_at(socket, ipc("socket"), &plain, -1, &listener, error), STINT_OK);
    end_socket(socket);
    listen_end(&listener);
}

static void
what_is_at_the_path_in_the_end_and_is_not_ours_stays(void **state)
{
    struct listener listener;
    struct stat st;
    void *socket = router();
    (void)state;
    assert_int_equal(listen_at(socket, ipc("socket"), &plain, -1, &listener, error), STINT_OK);
    /* Ours is kept under another name meanwhile, so that its number is not given again. */
    assert_int_equal(rename(listener.path, strdupa(in("kept"))), 0);
    leave_behind(); /* as if another broker served there by now */
    end_socket(socket);
    listen_end(&listener);
    assert_int_equal(lstat(in("socket"), &st), 0);
    assert_int_equal(unlink(in("kept")), 0);
}

static void
peers_are_told_a_name_where_we_listen_at_every_address(void **state)
{
    static const struct {
        const char *bound,
            *after; /* what comes behind the host's name; NULL: it is told as it is */
    } cases[] = {{"tcp://0.0.0.0:5670", ":5670"}, {"tcp://[::]:99", ":99"},
        {"tcp://127.0.0.1:5670", NULL}, {"tcp://[::1]:5670", NULL}, {"ipc:///run/stint", NULL},
        {"tcp://10.0.0.0:5670", NULL}};
    char host[128] = "";
    (void)state;
    assert_int_equal(gethostname(host, sizeof host - 1), 0);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char told[256], expected[256];
        listen_told(cases[i].bound, told, sizeof told);
        (void)snprintf(expected, sizeof expected, "tcp://%s%s", host, cases[i].after);
        assert_string_equal(told, cases[i].after ? expected : cases[i].bound);
    }
}

#define FOR(test) cmocka_unit_test_setup_teardown(test, with_directory, without)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        FOR(an_endpoint_that_can_not_be_used_is_told_in_words),
        FOR(a_name_that_stands_for_this_host_is_listened_at),
        FOR(a_port_that_is_taken_is_not_taken_again),
        FOR(a_directory_that_we_hold_ourselves_is_not_waited_for),
        FOR(a_socket_is_for_its_user_alone_whatever_the_umask_is),
        FOR(an_ipc_endpoint_is_a_file_of_its_users_that_goes_at_the_end),
        FOR(an_ipc_endpoint_is_not_taken_away_from_who_serves_there),
        FOR(a_socket_that_was_left_behind_is_replaced_and_any_other_file_is_not),
        FOR(what_is_at_the_path_in_the_end_and_is_not_ours_stays),
        FOR(peers_are_told_a_name_where_we_listen_at_every_address),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
