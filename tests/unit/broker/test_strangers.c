/* Which hosts are held off, how much, and that the filter drops what they begin and nothing else.
 */
#include "strangers.h"

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

enum { HEADER = 40, SYN = 2, SYN_ACK = 18, ACK = 16 };

static struct sockaddr_storage
address(const char *text)
{
    struct sockaddr_storage a = {0};
    struct sockaddr_in *old = (struct sockaddr_in *)&a;
    struct sockaddr_in6 *new = (struct sockaddr_in6 *)&a;
    if (inet_pton(AF_INET, text, &old->sin_addr) == 1)
        a.ss_family = AF_INET;
    else if (inet_pton(AF_INET6, text, &new->sin6_addr) == 1)
        a.ss_family = AF_INET6;
    return a;
}

static struct stranger_host
host_seen(const char *there, const char *here)
{
    struct sockaddr_storage a = address(there), b = address(here);
    return stranger_host(&a, &b);
}

static struct stranger_host
host(const char *text)
{
    return host_seen(text, strchr(text, ':') ? "2001:db8::1" : "192.0.2.1");
}

static void
blame(struct strangers *s, const char *text, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        strangers_blame(s, host(text));
}

/* So many handshakes of it fail, in one window after the other. */
static void
flood(struct strangers *s, const char *text, unsigned count, unsigned windows, uint64_t *now_ms)
{
    for (unsigned i = 0; i < windows; i++) {
        blame(s, text, count);
        *now_ms += STRANGERS_WINDOW_MS;
        (void)strangers_judge(s, *now_ms);
    }
}

/* A segment of TCP behind the header of its packet. */
struct packet {
    uint8_t ip[HEADER], tcp[20];
};

static struct packet
packet(const char *from, uint8_t flags)
{
    struct packet p = {.tcp = {[13] = flags}};
    struct sockaddr_storage a = address(from);
    p.ip[0] = a.ss_family == AF_INET ? 0x45 : 0x60;
    if (a.ss_family == AF_INET)
        memcpy(p.ip + 12, &((struct sockaddr_in *)&a)->sin_addr, 4);
    else
        memcpy(p.ip + 8, &((struct sockaddr_in6 *)&a)->sin6_addr, 16);
    return p;
}

static uint32_t
load(const struct packet *p, const struct sock_filter *at, uint32_t drawn)
{
    const uint8_t *from = p->tcp + at->k;
    if (at->k == (uint32_t)(SKF_AD_OFF + SKF_AD_RANDOM))
        return drawn;
    if ((int32_t)at->k < 0) {
        assert_in_range(at->k - (uint32_t)SKF_NET_OFF, 0, HEADER - 4);
        from = p->ip + (at->k - (uint32_t)SKF_NET_OFF);
    }
    if (BPF_SIZE(at->code) == BPF_B)
        return *from;
    return (uint32_t)from[0] << 24 | (uint32_t)from[1] << 16 | (uint32_t)from[2] << 8 | from[3];
}

static bool
jumps(const struct sock_filter *at, uint32_t a)
{
    return BPF_OP(at->code) == BPF_JEQ ? a == at->k : a > at->k;
}

/* What the kernel would do with it, if it drew this number. */
static bool
is_let_in(const struct strangers *s, const char *from, uint8_t flags, uint32_t drawn)
{
    struct sock_filter code[STRANGERS_CODE];
    const struct packet p = packet(from, flags);
    uint32_t a = 0, n = strangers_filter(s, code);
    for (uint32_t i = 0; i < n; i++) {
        const struct sock_filter *at = &code[i];
        switch (BPF_CLASS(at->code)) {
        case BPF_LD:
            a = load(&p, at, drawn);
            break;
        case BPF_ALU:
            a = BPF_OP(at->code) == BPF_RSH ? a >> at->k : a & at->k;
            break;
        case BPF_JMP:
            i += jumps(at, a) ? at->jt : at->jf;
            break;
        default:
            assert_int_equal(BPF_CLASS(at->code), BPF_RET);
            return at->k > 0;
        }
    }
    assert_int_equal(n, 0); /* it ends with a word */
    return true;
}

static void
a_few_failures_are_nothing(void **state)
{
    struct strangers s = {0};
    uint64_t now_ms = 0;
    (void)state;
    flood(&s, "198.51.100.7", STRANGERS_WINDOW_MAX, 50, &now_ms);
    assert_null(strangers_worst(&s));
    flood(&s, "198.51.100.8", 100 * STRANGERS_WINDOW_MAX, 1, &now_ms); /* all at once, and over */
    assert_null(strangers_worst(&s));
    assert_true(is_let_in(&s, "198.51.100.8", SYN, UINT32_MAX));
    flood(&s, "198.51.100.8", 0, 2, &now_ms);
    assert_false(strangers_any(&s));
}

static void
a_flood_is_let_in_as_much_as_is_bearable(void **state)
{
    struct strangers s = {0};
    uint64_t now_ms = 0;
    (void)state;
    flood(&s, "198.51.100.7", 100 * STRANGERS_WINDOW_MAX, 2, &now_ms);
    assert_non_null(strangers_worst(&s));
    assert_true(is_let_in(&s, "198.51.100.7", SYN, UINT32_MAX / 101));
    assert_false(is_let_in(&s, "198.51.100.7", SYN, UINT32_MAX / 99));
    /* Of it, only what is let in fails: that is no reason to let in more, or less. */
    flood(&s, "198.51.100.7", STRANGERS_WINDOW_MAX, 50, &now_ms);
    assert_false(is_let_in(&s, "198.51.100.7", SYN, UINT32_MAX / 99));
    assert_true(is_let_in(&s, "198.51.100.7", SYN, UINT32_MAX / 101));
    flood(&s, "198.51.100.7", 2 * STRANGERS_WINDOW_MAX, 2, &now_ms); /* it became more */
    assert_false(is_let_in(&s, "198.51.100.7", SYN, UINT32_MAX / 199));
}

static void
only_what_a_stranger_begins_is_dropped(void **state)
{
    struct strangers s = {0};
    uint64_t now_ms = 0;
    (void)state;
    for (unsigned i = 0; i < 4; i++) {
        blame(&s, "2001:db8:1:2:3::4", 1000);
        blame(&s, "198.51.100.9", 1000);
        flood(&s, "198.51.100.7", 1000, 1, &now_ms);
    }
    static const char *const held[] = {
        "198.51.100.7", "198.51.100.9", "2001:db8:1:2:3::4", "2001:db8:1:2:ffff::1"};
    static const char *const free[] = {"198.51.100.8", "127.0.0.1", "2001:db8:1:3:3::4",
        "2001:db9:1:2:3::4", "::1", "198.51.100.6"};
    for (unsigned i = 0; i < sizeof held / sizeof *held; i++) {
        assert_false(is_let_in(&s, held[i], SYN, UINT32_MAX));
        assert_true(is_let_in(&s, held[i], SYN, 0));
        assert_true(is_let_in(&s, held[i], ACK, UINT32_MAX));
        assert_true(is_let_in(&s, held[i], SYN_ACK, UINT32_MAX));
    }
    for (unsigned i = 0; i < sizeof free / sizeof *free; i++)
        assert_true(is_let_in(&s, free[i], SYN, UINT32_MAX));
}

static void
when_it_is_over_all_are_let_in_again(void **state)
{
    struct strangers s = {0};
    uint64_t now_ms = 0;
    (void)state;
    flood(&s, "198.51.100.7", 10000, 5, &now_ms);
    assert_non_null(strangers_worst(&s));
    assert_false(strangers_judge(&s, now_ms + STRANGERS_WINDOW_MS - 1));
    assert_true(strangers_judge(&s, now_ms + STRANGERS_WINDOW_MS));
    now_ms += STRANGERS_WINDOW_MS;
    flood(&s, "198.51.100.7", 0, 40, &now_ms);
    assert_null(strangers_worst(&s));
    assert_false(strangers_any(&s));
    struct sock_filter code[STRANGERS_CODE];
    assert_int_equal(strangers_filter(&s, code), 0);
}

static void
of_too_many_hosts_those_that_fail_most_are_held_off(void **state)
{
    struct strangers s = {0};
    uint64_t now_ms = 0;
    char text[STRANGER_TEXT_BYTES];
    (void)state;
    for (unsigned window = 0; window < 4; window++) {
        for (uint32_t i = 0; i < 20 * STRANGERS_HOSTS; i++)
            strangers_blame(&s, (struct stranger_host){4, {0, 0x0a000000 + i}});
        flood(&s, "198.51.100.7", 1000, 1, &now_ms);
    }
    assert_non_null(strangers_worst(&s));
    assert_string_equal(stranger_text(strangers_worst(&s), text), "198.51.100.7");
    assert_true(is_let_in(&s, "10.0.0.1", SYN, UINT32_MAX));
    /* Nobody that is held off gives up its place to a new one. */
    for (uint32_t i = 0; i < STRANGERS_HOSTS; i++)
        for (unsigned n = 0; n < 1000; n++)
            strangers_blame(&s, (struct stranger_host){4, {0, 0x0b000000 + i}});
    assert_false(is_let_in(&s, "198.51.100.7", SYN, UINT32_MAX));
}

static void
this_host_is_no_stranger(void **state)
{
    static const char *const own[][2] = {{"127.0.0.1", "127.0.0.1"}, {"::1", "::1"},
        {"192.0.2.1", "192.0.2.1"}, {"::ffff:192.0.2.1", "192.0.2.1"}};
    static const char *const others[][2] = {
        {"127.0.0.2", "127.0.0.1"}, {"2001:db8::2", "2001:db8::1"}, {"192.0.2.2", "192.0.2.1"}};
    (void)state;
    for (unsigned i = 0; i < sizeof own / sizeof *own; i++)
        assert_int_equal(host_seen(own[i][0], own[i][1]).version, 0);
    for (unsigned i = 0; i < sizeof others / sizeof *others; i++)
        assert_int_not_equal(host_seen(others[i][0], others[i][1]).version, 0);
    struct sockaddr_storage local = {.ss_family = AF_UNIX};
    assert_int_equal(stranger_host(&local, &local).version, 0);
    struct strangers s = {0};
    for (unsigned i = 0; i < 1000; i++)
        strangers_blame(&s, host_seen("::1", "::1"));
    assert_false(strangers_any(&s));
}

static void
hosts_are_written_as_people_do(void **state)
{
    char text[STRANGER_TEXT_BYTES];
    struct stranger k = {.host = host("198.51.100.7")};
    (void)state;
    assert_string_equal(stranger_text(&k, text), "198.51.100.7");
    k.host = host("::ffff:198.51.100.7");
    assert_string_equal(stranger_text(&k, text), "198.51.100.7");
    k.host = host("2001:db8:1:2:3::4");
    assert_string_equal(stranger_text(&k, text), "2001:db8:1:2::/64");
}

/* It checks each jump, and each load that it knows. */
static void
the_kernel_takes_the_longest_filter(void **state)
{
    struct strangers s = {0};
    struct sock_filter code[STRANGERS_CODE];
    (void)state;
    for (uint32_t i = 0; i < STRANGERS_HOSTS; i++)
        s.all[i] = (struct stranger){.host = {i % 2 ? 4 : 6, {i, i}}, .pass = i};
    struct sock_fprog program = {strangers_filter(&s, code), code};
    assert_int_equal(program.len, STRANGERS_CODE);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program), 0);
    close(fd);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_few_failures_are_nothing),
        cmocka_unit_test(a_flood_is_let_in_as_much_as_is_bearable),
        cmocka_unit_test(only_what_a_stranger_begins_is_dropped),
        cmocka_unit_test(when_it_is_over_all_are_let_in_again),
        cmocka_unit_test(of_too_many_hosts_those_that_fail_most_are_held_off),
        cmocka_unit_test(this_host_is_no_stranger),
        cmocka_unit_test(hosts_are_written_as_people_do),
        cmocka_unit_test(the_kernel_takes_the_longest_filter),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
