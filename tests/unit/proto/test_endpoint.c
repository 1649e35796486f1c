/* Which texts are endpoints, and which of them only this host reaches. */
#include "endpoint.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

static bool
good(const char *text, enum endpoint_use use)
{
    struct endpoint e;
    const char *why;
    bool parsed = endpoint_parse(text, use, &e, &why);
    assert_true(parsed || *why);
    return parsed;
}

static void
what_can_be_connected_to_is_an_endpoint(void **state)
{
    static const char *const texts[] = {"tcp://127.0.0.1:1", "tcp://h:65535", "tcp://a-b.c_d:5670",
        "tcp://[::1]:5670", "tcp://[fe80::1%eth0]:80", "tcp://[::ffff:1.2.3.4]:99", "ipc://x",
        "ipc:///run/stint/socket", "ipc:///home/my work/a,b;c%d/socket", "ipc://@name",
        "tcp://localhost:23100"};
    (void)state;
    for (unsigned i = 0; i < sizeof texts / sizeof *texts; i++) {
        assert_true(good(texts[i], ENDPOINT_CONNECT));
        assert_true(good(texts[i], ENDPOINT_BIND));
    }
}

static void
what_libzmq_would_take_for_something_else_is_none(void **state)
{
    static const char *const texts[] = {"", "tcp", "tcp://", "tcp://h", "tcp://h:", "tcp://:1",
        "tcp://127.0.0.1:86600", "tcp://127.0.0.1:80000", "tcp://127.0.0.1:65536",
        "tcp://127.0.0.1:-1", "tcp://127.0.0.1:21x", "tcp://127.0.0.1:+1", "tcp://127.0.0.1: 1",
        "tcp://127.0.0.1:0", "tcp://127.0.0.1:007", "tcp://127.0.0.1:99999999999999999999",
        "tcp://127.0.0.1:22131;0.0.0.0:22132", "tcp://127.0.0.1:22131,tcp://0.0.0.0:22132",
        "tcp://127.0.0.1:1;h:2", "tcp://::1:5670", "tcp://[::1]", "tcp://[]:1", "tcp://[x]:1",
        "tcp://[::1:1", "tcp://a b:1", "tcp://a/b:1", "tcp://a\n:1", "tcp://-a:1", "tcp://.:1",
        "udp://h:1", "inproc://x", "TCP://h:1", "ipc://", "ipc://*", "ipc://@", "ipc://dir/",
        "ipc://a\nb", "http://h:1", "127.0.0.1:1", "tcp://tcp://h:1"};
    (void)state;
    for (unsigned i = 0; i < sizeof texts / sizeof *texts; i++) {
        assert_false(good(texts[i], ENDPOINT_CONNECT));
        assert_false(good(texts[i], ENDPOINT_BIND));
    }
}

static void
a_star_is_only_for_those_that_listen(void **state)
{
    struct endpoint e;
    const char *why;
    (void)state;
    assert_true(endpoint_parse("tcp://*:*", ENDPOINT_BIND, &e, &why));
    assert_true(e.any_host && e.any_port);
    assert_true(endpoint_parse("tcp://127.0.0.1:*", ENDPOINT_BIND, &e, &why));
    assert_true(!e.any_host && e.any_port);
    assert_false(good("tcp://*:1", ENDPOINT_CONNECT));
    assert_false(good("tcp://h:*", ENDPOINT_CONNECT));
    assert_false(good("tcp://*x:1", ENDPOINT_BIND));
    assert_false(good("tcp://h:**", ENDPOINT_BIND));
}

static void
paths_have_the_length_the_kernel_has_room_for(void **state)
{
    char text[6 + 109] = "ipc://";
    (void)state;
    for (unsigned n = 1; n <= 108; n++) {
        text[6 + n - 1] = 'p';
        text[6 + n] = '\0';
        assert_int_equal(good(text, ENDPOINT_BIND), n <= 107);
    }
}

static void
of_several_it_is_said_what_is_wrong(void **state)
{
    static const struct {
        const char *text, *word;
        enum endpoint_use use;
    } rows[] = {{"tcp://127.0.0.1:1,bar", "behind a comma", ENDPOINT_CONNECT},
        {"tcp://h:1,", "behind a comma", ENDPOINT_CONNECT},
        {"tcp://h:1;tcp://i:1", "by commas", ENDPOINT_CONNECT},
        {"tcp://h:1,tcp://i:1", "one address", ENDPOINT_BIND},
        {"tcp://h:1;i:1", "one address", ENDPOINT_BIND}, {"tcp://h", "host:port", ENDPOINT_BIND}};
    (void)state;
    for (unsigned i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct endpoint e;
        const char *why;
        assert_false(endpoint_parse(rows[i].text, rows[i].use, &e, &why));
        assert_non_null(strstr(why, rows[i].word));
        assert_null(strstr(why, "option")); /* it may stand in a variable */
    }
}

static bool
local(const char *text)
{
    struct endpoint e;
    const char *why;
    assert_true(endpoint_parse(text, ENDPOINT_BIND, &e, &why));
    return endpoint_is_local(&e);
}

static void
only_this_host_reaches_what_is_local(void **state)
{
    (void)state;
    assert_true(local("tcp://127.0.0.1:1"));
    assert_true(local("tcp://127.1.2.3:*"));
    assert_true(local("tcp://localhost:1"));
    assert_true(local("tcp://[::1]:1"));
    assert_true(local("tcp://lo:1"));
    assert_true(local("ipc://path"));
    assert_true(local("ipc://@name"));
    assert_false(local("tcp://*:1"));
    assert_false(local("tcp://0.0.0.0:1"));
    assert_false(local("tcp://[::]:1"));
    assert_false(local("tcp://127.example.org:1"));
    assert_false(local("tcp://127.0.0.1.example.org:1"));
    assert_false(local("tcp://localhost.example.org:1"));
    assert_false(local("tcp://eth0:1"));
}

static void
several_are_local_if_each_of_them_is(void **state)
{
    (void)state;
    assert_true(endpoint_list_is_local("ipc://x,y"));
    assert_true(endpoint_list_is_local("ipc://x,tcp://127.0.0.1:1,ipc://y"));
    assert_true(endpoint_list_is_local("tcp://localhost:1"));
    assert_false(endpoint_list_is_local("ipc://x,tcp://h:1"));
    assert_false(endpoint_list_is_local("tcp://h:1,ipc://x"));
    assert_false(endpoint_list_is_local("tcp://127.0.0.1:1,tcp://h:1,tcp://127.0.0.1:1"));
    assert_false(endpoint_list_is_local("tcp://127.0.0.1:1,"));
    assert_false(endpoint_list_is_local(""));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_can_be_connected_to_is_an_endpoint),
        cmocka_unit_test(what_libzmq_would_take_for_something_else_is_none),
        cmocka_unit_test(a_star_is_only_for_those_that_listen),
        cmocka_unit_test(paths_have_the_length_the_kernel_has_room_for),
        cmocka_unit_test(of_several_it_is_said_what_is_wrong),
        cmocka_unit_test(several_are_local_if_each_of_them_is),
        cmocka_unit_test(only_this_host_reaches_what_is_local),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
