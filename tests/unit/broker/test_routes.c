/* The router's numbers for connections, and when everybody has been heard. */
#include "routes.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static struct route *
find(struct routes *r, const char *id)
{
    return routes_find(r, (const uint8_t *)id, strlen(id));
}

static void
a_number_stands_for_one_connection_until_it_is_forgotten(void **state)
{
    struct routes r;
    (void)state;
    routes_init(&r, 2);
    struct route *a = find(&r, "a"), *b = find(&r, "b");
    assert_int_equal(a->number, 0);
    assert_int_equal(b->number, 1);
    assert_ptr_equal(find(&r, "a"), a);
    assert_ptr_equal(routes_at(&r, 1), b);
    assert_null(find(&r, "c")); /* there are two */
    routes_forget(&r, a);
    assert_null(routes_at(&r, 0));
    assert_int_equal(find(&r, "c")->number, 0);
    assert_null(find(&r, "a"));
    routes_fini(&r);
}

static void
what_is_gone_is_told_once_and_not_if_it_is_forgotten(void **state)
{
    struct routes r;
    (void)state;
    routes_init(&r, 9);
    struct route *a = find(&r, "a"), *b = find(&r, "b"), *c = find(&r, "c");
    routes_mark_gone(&r, a);
    routes_mark_gone(&r, b);
    routes_mark_gone(&r, c);
    routes_forget(&r, b);
    assert_ptr_equal(routes_take_gone(&r), c);
    assert_ptr_equal(routes_take_gone(&r), a);
    assert_null(routes_take_gone(&r));
    routes_fini(&r);
}

static void
forgetting_who_was_told_gone_leaves_the_others_to_be_told(void **state)
{
    struct routes r;
    (void)state;
    routes_init(&r, 9);
    struct route *a = find(&r, "a"), *b = find(&r, "b");
    routes_mark_gone(&r, a);
    assert_ptr_equal(routes_take_gone(&r), a);
    routes_mark_gone(&r, b);
    routes_forget(&r, a);
    assert_ptr_equal(routes_take_gone(&r), b);
    assert_null(routes_take_gone(&r));
    routes_fini(&r);
}

static void
an_ended_connection_is_gone_once_its_last_words_were_read(void **state)
{
    struct routes r;
    (void)state;
    routes_init(&r, 9);
    struct route *a = find(&r, "a"), *b = find(&r, "b"), *c = find(&r, "c");
    routes_mark_ending(&r, a);
    routes_end_round(&r);
    assert_null(routes_take_gone(&r));
    routes_mark_ending(&r, b);
    routes_mark_ending(&r, c);
    routes_forget(&r, c);
    routes_mark_ending(&r, a); /* once is enough */
    routes_end_round(&r);
    assert_ptr_equal(routes_take_gone(&r), a);
    assert_null(routes_take_gone(&r));
    routes_mark_gone(&r, b); /* a send failed meanwhile */
    assert_ptr_equal(routes_take_gone(&r), b);
    routes_end_round(&r);
    assert_null(routes_take_gone(&r));
    assert_null(r.ending);
    routes_fini(&r);
}

static void
an_id_that_is_too_long_is_nobody(void **state)
{
    struct routes r;
    uint8_t id[ROUTING_BYTES + 1] = {0};
    (void)state;
    routes_init(&r, 9);
    assert_null(routes_find(&r, id, sizeof id));
    assert_non_null(routes_find(&r, id, ROUTING_BYTES));
    routes_fini(&r);
}

static void
a_round_takes_a_frame_of_each_and_one_more(void **state)
{
    struct routes r;
    (void)state;
    routes_init(&r, 9);
    (void)find(&r, "a");
    (void)find(&r, "b");
    assert_false(routes_round(&r, 1));
    assert_false(routes_round(&r, 1));
    assert_true(routes_round(&r, 1));
    assert_false(routes_round(&r, 0)); /* the next one begins */
    assert_true(routes_round(&r, 100));
    routes_fini(&r);
}

static void
those_that_were_forgotten_had_their_turn_in_this_round(void **state)
{
    struct routes r;
    (void)state;
    routes_init(&r, 9);
    (void)find(&r, "a");
    for (unsigned i = 0; i < 9; i++) { /* each of them says one thing, and is sent away */
        routes_forget(&r, find(&r, "stranger"));
        assert_false(routes_round(&r, 1));
    }
    assert_false(routes_round(&r, 1));
    assert_true(routes_round(&r, 1));
    routes_fini(&r);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_number_stands_for_one_connection_until_it_is_forgotten),
        cmocka_unit_test(what_is_gone_is_told_once_and_not_if_it_is_forgotten),
        cmocka_unit_test(forgetting_who_was_told_gone_leaves_the_others_to_be_told),
        cmocka_unit_test(an_ended_connection_is_gone_once_its_last_words_were_read),
        cmocka_unit_test(an_id_that_is_too_long_is_nobody),
        cmocka_unit_test(a_round_takes_a_frame_of_each_and_one_more),
        cmocka_unit_test(those_that_were_forgotten_had_their_turn_in_this_round),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
