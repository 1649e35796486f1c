/* Which connections are ended, and which are not. */
#include "connections.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

struct fixture {
    struct routes routes;
    struct connections all;
};

static void
begin(struct fixture *f, uint32_t max)
{
    routes_init(&f->routes, 100);
    connections_init(&f->all, max);
}

static void
end(struct fixture *f)
{
    connections_fini(&f->all);
    routes_fini(&f->routes);
}

static struct connection *
add(struct fixture *f, int fd, uint64_t now_ms)
{
    return connections_add(&f->all, fd, (uint64_t)fd + 1000, now_ms);
}

static struct connection *
add_peer(struct fixture *f, int fd, const char *id)
{
    struct connection *k = add(f, fd, 0);
    assert_null(connections_tie(k, routes_find(&f->routes, (const uint8_t *)id, strlen(id))));
    connections_greet(&f->all, k);
    return k;
}

static bool
quiet(struct fixture *f, struct connection *k, uint64_t arrived)
{
    return connections_look(&f->all, k, false, arrived, 0, 1);
}

static void
rounds(struct fixture *f)
{
    connections_round(&f->all);
    connections_round(&f->all);
}

static void
who_says_no_hello_is_ended_and_who_does_is_not(void **state)
{
    struct fixture f;
    (void)state;
    begin(&f, 100);
    struct connection *stranger = add(&f, 5, 0), *later = add(&f, 7, 1);
    struct connection *peer = add_peer(&f, 6, "a");
    assert_null(connections_due(&f.all, CONNECTION_HELLO_MS - 1));
    assert_ptr_equal(connections_due(&f.all, CONNECTION_HELLO_MS), stranger);
    assert_int_equal(stranger->why, END_NO_HELLO);
    assert_null(connections_due(&f.all, CONNECTION_HELLO_MS)); /* once */
    assert_ptr_equal(connections_due(&f.all, CONNECTION_HELLO_MS + 1), later);
    assert_null(connections_due(&f.all, 100 * CONNECTION_HELLO_MS));
    assert_true(peer->greeted);
    end(&f);
}

static void
a_peer_that_was_forgotten_is_a_stranger_again(void **state)
{
    struct fixture f;
    (void)state;
    begin(&f, 100);
    struct connection *k = add_peer(&f, 5, "a");
    struct route *route = k->route;
    connections_forget(&f.all, k, 7000);
    assert_null(route->connection);
    assert_null(k->route);
    assert_null(connections_due(&f.all, 7000 + CONNECTION_HELLO_MS - 1));
    connections_greet(&f.all, k); /* it says HELLO again */
    assert_null(connections_due(&f.all, 7000 + CONNECTION_HELLO_MS));
    connections_forget(&f.all, k, 20000);
    assert_ptr_equal(connections_due(&f.all, 20000 + CONNECTION_HELLO_MS), k);
    end(&f);
}

static void
when_there_are_too_many_the_oldest_strangers_go(void **state)
{
    struct fixture f;
    (void)state;
    begin(&f, 3);
    (void)add_peer(&f, 5, "a");
    struct connection *first = add(&f, 6, 0);
    (void)add(&f, 7, 0);
    assert_null(connections_due(&f.all, 1));
    (void)add(&f, 8, 1);
    assert_ptr_equal(connections_due(&f.all, 1), first);
    assert_int_equal(first->why, END_TOO_MANY);
    assert_null(connections_due(&f.all, 1)); /* its end is on its way */
    end(&f);
}

static void
peers_are_never_too_many_here(void **state)
{
    struct fixture f;
    (void)state;
    begin(&f, 1);
    (void)add_peer(&f, 5, "a");
    (void)add_peer(&f, 6, "b");
    assert_null(connections_due(&f.all, 1000000));
    end(&f);
}

static void
bytes_that_become_no_message_end_a_stranger(void **state)
{
    struct fixture f;
    (void)state;
    begin(&f, 100);
    struct connection *k = add(&f, 5, 0);
    (void)quiet(&f, k, CONNECTION_UNKNOWN_BYTES);
    rounds(&f);
    (void)quiet(&f, k, CONNECTION_UNKNOWN_BYTES);
    assert_null(connections_due(&f.all, 1));
    (void)quiet(&f, k, CONNECTION_UNKNOWN_BYTES + 1);
    assert_null(connections_due(&f.all, 1)); /* it may be a message that is read next */
    rounds(&f);
    (void)quiet(&f, k, CONNECTION_UNKNOWN_BYTES + 1);
    assert_ptr_equal(connections_due(&f.all, 1), k);
    assert_int_equal(k->why, END_UNFINISHED);
    end(&f);
}

static void
a_peer_may_send_the_largest_message_slowly(void **state)
{
    struct fixture f;
    (void)state;
    begin(&f, 100);
    struct connection *k = add_peer(&f, 5, "a");
    for (uint64_t bytes = 1000; bytes <= CONNECTION_PEER_BYTES; bytes += 1000) {
        assert_true(quiet(&f, k, bytes)); /* each time it lives */
        rounds(&f);
    }
    assert_null(connections_due(&f.all, 1));
    assert_false(quiet(&f, k, k->arrived)); /* nothing more came */
    (void)connections_look(&f.all, k, true, k->arrived, 0, 1); /* the message is whole */
    (void)quiet(&f, k, k->arrived + CONNECTION_PEER_BYTES);
    rounds(&f);
    (void)quiet(&f, k, k->arrived);
    assert_null(connections_due(&f.all, 1));
    (void)quiet(&f, k, k->arrived + 1);
    rounds(&f);
    (void)quiet(&f, k, k->arrived);
    assert_ptr_equal(connections_due(&f.all, 1), k);
    end(&f);
}

static void
a_few_bytes_are_no_sign_of_life(void **state)
{
    struct fixture f;
    (void)state;
    begin(&f, 100);
    struct connection *k = add_peer(&f, 5, "a");
    uint64_t bytes = 0;
    for (; bytes < CONNECTION_LIFE_BYTES; bytes += 10)
        assert_false(quiet(&f, k, bytes));
    assert_true(quiet(&f, k, bytes)); /* slowly, but it is more than ZeroMQ would say itself */
    assert_false(quiet(&f, k, bytes + 10));
    end(&f);
}

static void
what_waits_to_be_read_is_no_unfinished_message(void **state)
{
    struct fixture f;
    (void)state;
    begin(&f, 100);
    struct connection *k = add_peer(&f, 5, "a");
    for (uint64_t n = 1; n < 100; n++) { /* a busy broker hears of each a little */
        (void)quiet(&f, k, n * CONNECTION_PEER_BYTES);
        rounds(&f);
        (void)connections_look(&f.all, k, true, n * CONNECTION_PEER_BYTES, 0, 1);
        connections_take(k, CONNECTION_PEER_BYTES);
    }
    /* In the kernel, not in our memory. */
    (void)connections_look(
        &f.all, k, false, 200ULL * CONNECTION_PEER_BYTES, 101ULL * CONNECTION_PEER_BYTES, 1);
    rounds(&f);
    (void)connections_look(
        &f.all, k, false, 200ULL * CONNECTION_PEER_BYTES, 101ULL * CONNECTION_PEER_BYTES, 1);
    assert_null(connections_due(&f.all, 1));
    end(&f);
}

static void
who_sends_more_than_can_be_read_is_ended_once_all_together_are_too_far_ahead(void **state)
{
    enum { PEERS = CONNECTIONS_AHEAD_BYTES / CONNECTION_PEER_BYTES + 2, FD = 10 };
    struct fixture f;
    struct connection *k[2] = {NULL};
    uint64_t arrived = 0;
    (void)state;
    begin(&f, 100);
    k[0] = add_peer(&f, 5, "a");
    /* Alone, one may be far ahead; what is in the kernel, or was read, does not count. */
    for (unsigned n = 0; n < 10; n++) {
        arrived += CONNECTIONS_AHEAD_BYTES;
        (void)connections_look(&f.all, k[0], true, arrived, CONNECTIONS_AHEAD_BYTES / 2, 1);
        connections_take(k[0], CONNECTIONS_AHEAD_BYTES);
    }
    (void)connections_look(&f.all, k[0], true, arrived + CONNECTION_AHEAD_BYTES + 200, 0, 1);
    assert_null(connections_due(&f.all, 1));
    /* Others, each with less than it may have: none of them is ended, but the first is. */
    for (int p = 0; p < PEERS; p++) {
        char id[] = {(char)('b' + p), '\0'};
        k[1] = add_peer(&f, FD + p, id);
        (void)connections_look(&f.all, k[1], true, CONNECTION_PEER_BYTES, 0, 1);
        assert_null(connections_due(&f.all, 1));
    }
    (void)connections_look(&f.all, k[0], true, arrived + CONNECTION_AHEAD_BYTES + 200, 0, 1);
    assert_ptr_equal(connections_due(&f.all, 1), k[0]);
    assert_int_equal(k[0]->why, END_AHEAD);
    assert_null(connections_due(&f.all, 1));
    assert_int_equal(f.all.ahead, (uint64_t)PEERS * CONNECTION_PEER_BYTES);
    end(&f);
}

static void
many_strangers_together_may_not_send_much_either(void **state)
{
    struct fixture f;
    unsigned ended = 0;
    (void)state;
    begin(&f, 1000);
    for (int turn = 0; turn < 3; turn++, rounds(&f))
        for (int fd = 5; fd < 205; fd++) {
            struct connection *k = connections_at(&f.all, fd);
            (void)quiet(&f, k ? k : add(&f, fd, 0), CONNECTION_UNKNOWN_BYTES);
        }
    while (connections_due(&f.all, 1))
        ended++;
    assert_int_equal(ended, 200 - CONNECTION_UNKNOWNS_BYTES / CONNECTION_UNKNOWN_BYTES);
    assert_true(f.all.unfinished[0] <= CONNECTION_UNKNOWNS_BYTES);
    end(&f);
}

static void
a_close_leaves_what_was_sent_a_moment(void **state)
{
    struct fixture f;
    (void)state;
    begin(&f, 100);
    struct connection *k = add_peer(&f, 5, "a");
    connections_close(&f.all, k, END_ASKED, 1000);
    assert_true(k->deaf);
    connections_greet(&f.all, k); /* too late */
    assert_null(connections_due(&f.all, 999));
    connections_close(&f.all, k, END_FOREIGN_ID, 500); /* sooner */
    assert_ptr_equal(connections_due(&f.all, 500), k);
    connections_close(&f.all, k, END_ASKED, 100);
    assert_null(connections_due(&f.all, 5000));
    end(&f);
}

static void
a_descriptor_is_used_again(void **state)
{
    struct fixture f;
    struct route *route;
    (void)state;
    begin(&f, 100);
    struct connection *k = add_peer(&f, 5, "a");
    (void)quiet(&f, k, 5000);
    connections_remove(&f.all, 5, &route);
    assert_non_null(route);
    assert_null(route->connection);
    assert_null(connections_at(&f.all, 5));
    assert_int_equal(f.all.unfinished[1], 0);
    connections_remove(&f.all, 5, &route);
    assert_null(route);
    connections_remove(&f.all, 5000, &route);
    assert_null(route);
    k = add(&f, 5, 1);
    struct route *a = routes_find(&f.routes, (const uint8_t *)"a", 1);
    struct route *b = routes_find(&f.routes, (const uint8_t *)"b", 1);
    assert_null(connections_tie(k, a)); /* its last words, read late */
    assert_ptr_equal(connections_tie(k, b), a);
    assert_null(a->connection);
    assert_ptr_equal(b->connection, k);
    end(&f);
}

/* What libzmq puts on the wire for a message of so many bytes. Under CURVE it is a command: its
 * name (8 bytes), a nonce (8), a code (16), flags (1), and the message. */
static uint64_t
on_the_wire(uint64_t bytes, bool sealed)
{
    uint64_t body = sealed ? 8 + 8 + 16 + 1 + bytes : bytes;
    return body + (body <= 255 ? 1 + 1 : 1 + 8);
}

static void
what_encryption_adds_is_not_taken_for_what_waits(void **state)
{
    enum { FRAMES = 1200000 };
    struct fixture f;
    (void)state;
    for (int sealed = 0; sealed <= 1; sealed++) {
        begin(&f, 100);
        struct connection *k = add_peer(&f, 5, "a");
        k->sealed = sealed;
        uint64_t arrived = 0;
        for (uint64_t n = 0; n < FRAMES; n++) {
            uint64_t bytes = n % 300; /* on both sides of where the length takes more room */
            arrived += on_the_wire(bytes, sealed);
            connections_take(k, bytes);
        }
        (void)connections_look(&f.all, k, true, arrived, 0, 1);
        assert_int_equal(k->taken, arrived);
        assert_int_equal(k->ahead, 0);
        arrived += on_the_wire(1 << 20, sealed); /* and what does wait is seen */
        (void)connections_look(&f.all, k, false, arrived, 0, 1);
        assert_int_equal(k->ahead, on_the_wire(1 << 20, sealed));
        assert_int_equal(f.all.ahead, k->ahead);
        end(&f);
    }
}

/* The walk over a list stands at one of its connections, which may leave it. */
static void
the_next_one_to_be_looked_at_is_never_one_that_has_left(void **state)
{
    struct fixture f;
    struct route *route;
    (void)state;
    begin(&f, 10);
    struct connection *a = add(&f, 1, 0), *b = add(&f, 2, 0);
    f.all.at_unknown = a;
    connections_remove(&f.all, 1, &route);
    assert_ptr_equal(f.all.at_unknown, b);
    connections_close(&f.all, b, END_AHEAD, 0);
    assert_null(f.all.at_unknown);
    struct connection *c = add_peer(&f, 3, "c"), *d = add_peer(&f, 4, "d");
    f.all.at = c;
    connections_forget(&f.all, c, 0);
    assert_ptr_equal(f.all.at, d);
    connections_remove(&f.all, 4, &route);
    assert_null(f.all.at);
    end(&f);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_says_no_hello_is_ended_and_who_does_is_not),
        cmocka_unit_test(a_peer_that_was_forgotten_is_a_stranger_again),
        cmocka_unit_test(when_there_are_too_many_the_oldest_strangers_go),
        cmocka_unit_test(peers_are_never_too_many_here),
        cmocka_unit_test(bytes_that_become_no_message_end_a_stranger),
        cmocka_unit_test(a_peer_may_send_the_largest_message_slowly),
        cmocka_unit_test(a_few_bytes_are_no_sign_of_life),
        cmocka_unit_test(what_waits_to_be_read_is_no_unfinished_message),
        cmocka_unit_test(
            who_sends_more_than_can_be_read_is_ended_once_all_together_are_too_far_ahead),
        cmocka_unit_test(what_encryption_adds_is_not_taken_for_what_waits),
        cmocka_unit_test(many_strangers_together_may_not_send_much_either),
        cmocka_unit_test(a_close_leaves_what_was_sent_a_moment),
        cmocka_unit_test(a_descriptor_is_used_again),
        cmocka_unit_test(the_next_one_to_be_looked_at_is_never_one_that_has_left),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
