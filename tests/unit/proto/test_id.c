/* The text form of ids, both ways. */
#include "world.h"

static void
an_id_is_written_and_read_back(void **state)
{
    static const struct {
        uint16_t broker;
        uint32_t queue;
        uint8_t priority;
        uint64_t sequence;
        const char *text;
    } rows[] = {{0, 1, 100, 1, "0.1.100.1"}, {0, 0, 0, 0, "0.0.0.0"},
        {65535, UINT32_MAX, 255, UINT64_MAX, "65535.4294967295.255.18446744073709551615"}};
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char text[STINT_ID_TEXT_BYTES];
        struct stint_id read,
            id = id_make(rows[i].broker, rows[i].queue, rows[i].priority, rows[i].sequence);
        assert_string_equal(stint_id_format(&id, text), rows[i].text);
        assert_int_equal(stint_id_parse(rows[i].text, &read), STINT_OK);
        assert_memory_equal(&read, &id, sizeof id);
    }
}

static void
what_is_not_an_id_is_refused(void **state)
{
    static const char *const texts[] = {"", "1", "0.1.100", "0.1.100.", "0.1.100.1.", "0.1.100.1x",
        "0.1.256.1", "65536.1.1.1", "0.4294967296.1.1", "0.1.1.18446744073709551616", "0.01.1.1",
        " 0.1.1.1", "-1.1.1.1", "0..1.1"};
    struct stint_id id;
    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        assert_int_equal(stint_id_parse(texts[i], &id), STINT_INVALID);
}

static void
ids_sort_in_dispatch_order(void **state)
{
    struct stint_id urgent = id_make(0, 1, 200, 9), old = id_make(0, 1, 100, 1),
                    young = id_make(0, 1, 100, 256);
    (void)state;
    assert_true(id_compare(&urgent, &old) < 0);
    assert_true(id_compare(&old, &young) < 0);
    assert_true(id_same_level(&old, &young));
    assert_false(id_same_level(&urgent, &old));
}

static void
every_status_has_a_name_and_a_text(void **state)
{
    (void)state;
#define X(code, name, text, hint) \
    assert_string_equal(stint_status_name(STINT_##name), #name); \
    assert_true(strlen(stint_status_text(STINT_##name)) > 0);
    STINT_STATUS_MAP(X)
#undef X
    assert_string_equal(stint_status_name((enum stint_status)999), "UNKNOWN");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_id_is_written_and_read_back),
        cmocka_unit_test(what_is_not_an_id_is_refused),
        cmocka_unit_test(ids_sort_in_dispatch_order),
        cmocka_unit_test(every_status_has_a_name_and_a_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
