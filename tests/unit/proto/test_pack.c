/* The msgpack reader and writer: round trips, and what is not msgpack. */
#include "world.h"

static void
numbers_come_back_in_the_shortest_form(void **state)
{
    static const struct {
        uint64_t value;
        size_t bytes;
    } rows[] = {{0, 1}, {127, 1}, {128, 2}, {255, 2}, {256, 3}, {65535, 3}, {65536, 5},
        {UINT32_MAX, 5}, {1ULL << 32, 9}, {UINT64_MAX, 9}};
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct pack_buffer b = {0};
        pack_put_uint(&b, rows[i].value);
        assert_int_equal(b.used, rows[i].bytes);
        struct pack_reader r = pack_reader(b.data, b.used);
        assert_true(pack_uint(&r) == rows[i].value);
        assert_false(r.bad);
        assert_int_equal(pack_left(&r), 0);
        assert_true(pack_check(b.data, b.used));
        pack_buffer_free(&b);
    }
}

static void
bytes_and_texts_of_every_width_come_back(void **state)
{
    static const size_t sizes[] = {0, 1, 31, 32, 255, 256, 65535, 65536};
    static char bytes[65536];
    (void)state;
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        struct pack_buffer b = {0};
        pack_put_text(&b, bytes, sizes[i]);
        pack_put_bytes(&b, bytes, sizes[i]);
        struct pack_reader r = pack_reader(b.data, b.used);
        assert_int_equal(pack_text(&r).size, sizes[i]);
        assert_int_equal(pack_bytes(&r).size, sizes[i]);
        assert_false(r.bad);
        assert_int_equal(pack_left(&r), 0);
        pack_buffer_free(&b);
    }
}

static void
every_prefix_of_a_value_is_refused(void **state)
{
    struct pack_buffer b = {0};
    (void)state;
    pack_put_map(&b, 2);
    pack_put_uint(&b, 1);
    pack_put_bytes(&b, "some bytes", 10);
    pack_put_uint(&b, 70000);
    pack_put_array(&b, 3);
    pack_put_bool(&b, true);
    pack_put_text(&b, "text", 4);
    pack_put_uint(&b, 1ULL << 40);
    assert_true(pack_check(b.data, b.used));
    for (size_t size = 0; size < b.used; size++)
        assert_false(pack_check(b.data, size));
    pack_buffer_free(&b);
}

static void
a_declared_count_is_believed_only_as_far_as_bytes_are_left(void **state)
{
    static const uint8_t array[] = {0xdd, 0xff, 0, 0, 0}, map[] = {0xdf, 0xff, 0, 0, 0},
                         bytes[] = {0xc6, 0xff, 0xff, 0xff, 0xff};
    struct pack_reader r = pack_reader(array, sizeof array);
    (void)state;
    assert_int_equal(pack_array(&r), 0);
    assert_true(r.bad);
    r = pack_reader(map, sizeof map);
    assert_int_equal(pack_map(&r), 0);
    assert_true(r.bad);
    r = pack_reader(bytes, sizeof bytes);
    assert_int_equal(pack_bytes(&r).size, 0);
    assert_true(r.bad);
    assert_int_equal(pack_uint(&r), 0); /* an error is sticky */
}

static void
nesting_is_bounded(void **state)
{
    uint8_t nested[64];
    (void)state;
    for (size_t depth = 1; depth < sizeof nested; depth++) {
        memset(nested, 0x91, depth);
        nested[depth] = 0;
        assert_int_equal(pack_check(nested, depth + 1), depth <= LIMIT_DEPTH);
    }
}

static void
random_bytes_never_read_past_the_end(void **state)
{
    uint64_t seed = 1;
    uint8_t bytes[64];
    (void)state;
    for (unsigned round = 0; round < 200000; round++) {
        size_t size = round % sizeof bytes;
        for (size_t i = 0; i < size; i++) {
            seed = seed * 6364136223846793005ULL + 1442695040888963407ULL;
            bytes[i] = (uint8_t)(seed >> 56);
        }
        struct pack_reader r = pack_reader(bytes, size);
        pack_skip(&r);
        assert_true(r.at <= r.end);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_come_back_in_the_shortest_form),
        cmocka_unit_test(bytes_and_texts_of_every_width_come_back),
        cmocka_unit_test(every_prefix_of_a_value_is_refused),
        cmocka_unit_test(a_declared_count_is_believed_only_as_far_as_bytes_are_left),
        cmocka_unit_test(nesting_is_bounded),
        cmocka_unit_test(random_bytes_never_read_past_the_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
