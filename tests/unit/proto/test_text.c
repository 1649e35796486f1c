/* What our programs write and read as text: numbers with units, and how commands ended. */
#include "ending.h"
#include "units.h"
#include "world.h"

#include <errno.h>
#include <string.h>

static void
a_duration_or_a_size_is_read_with_its_unit(void **state)
{
    uint64_t n = 0;
    (void)state;
    assert_true(units_read_duration("500ms", &n) && n == 500);
    assert_true(units_read_duration("10s", &n) && n == 10000);
    assert_true(units_read_duration("7", &n) && n == 7000);
    assert_true(units_read_duration("24h", &n) && n == 86400000);
    assert_true(units_read_size("64K", &n) && n == 65536);
    assert_true(units_read_size("0", &n) && n == 0);
}

static void
what_is_no_duration_and_no_size_is_refused(void **state)
{
    static const char *const texts[] = {"", "-1s", " 1s", "+1", "s", "10x", "1.5", "1 s",
        "18446744073709551615d", "18446744073709551615T", "99999999999999999999"};
    uint64_t n;
    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        assert_false(units_read_duration(texts[i], &n));
        assert_false(units_read_size(texts[i], &n));
    }
}

static void
a_number_is_written_in_the_largest_unit_that_leaves_it_whole(void **state)
{
    char text[UNITS_TEXT_BYTES];
    (void)state;
    assert_string_equal(units_write_duration(0, text), "0");
    assert_string_equal(units_write_duration(1500, text), "1500ms");
    assert_string_equal(units_write_duration(90000, text), "90s");
    assert_string_equal(units_write_duration(2 * 86400000, text), "2d");
    assert_string_equal(units_write_size(4097, text), "4097");
    assert_string_equal(units_write_size(64 << 20, text), "64M");
}

static void
an_ending_is_read_as_it_was_written(void **state)
{
    char text[200];
    int number;
    (void)state;
    ending_write(ENDING_EXIT, 3, text, sizeof text);
    assert_string_equal(text, "exit status 3");
    assert_int_equal(ending_read(text, &number), ENDING_EXIT);
    assert_int_equal(number, 3);
    ending_write(ENDING_SIGNAL, 9, text, sizeof text);
    assert_string_equal(text, "killed by signal 9 (Killed)");
    assert_int_equal(ending_read(text, &number), ENDING_SIGNAL);
    assert_int_equal(number, 9);
    ending_write(ENDING_TIME_OVER, 0, text, sizeof text);
    assert_int_equal(ending_read(text, &number), ENDING_TIME_OVER);
    ending_write_unstarted(ENDING_CANT_RUN, ENOENT, "prog", " (why)", text, sizeof text);
    assert_string_equal(text, "can't run prog: No such file or directory (why)");
    assert_int_equal(ending_read(text, &number), ENDING_CANT_RUN);
    assert_int_equal(number, ENOENT);
    ending_write_unstarted(ENDING_CANT_RUN, EACCES, "prog", "", text, sizeof text);
    assert_int_equal(ending_read(text, &number), ENDING_CANT_RUN);
    assert_int_equal(number, 0);
    ending_write_unstarted(ENDING_CANT_ENTER, ENOENT, "/there", "", text, sizeof text);
    assert_string_equal(text, "can't enter the directory /there: No such file or directory");
    assert_int_equal(ending_read(text, &number), ENDING_CANT_ENTER);
}

static void
a_text_that_only_speaks_of_an_ending_tells_none(void **state)
{
    static const char *const texts[] = {"", "exit status", "exit status x", "exit status -1",
        "exit status 256", "killed by signal ", "the output is over 9 bytes\nexit status 3"};
    int number;
    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        assert_int_equal(ending_read(texts[i], &number), ENDING_OTHER);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_duration_or_a_size_is_read_with_its_unit),
        cmocka_unit_test(what_is_no_duration_and_no_size_is_refused),
        cmocka_unit_test(a_number_is_written_in_the_largest_unit_that_leaves_it_whole),
        cmocka_unit_test(an_ending_is_read_as_it_was_written),
        cmocka_unit_test(a_text_that_only_speaks_of_an_ending_tells_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
