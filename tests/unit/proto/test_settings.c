/* Durations and sizes, and which of flag, environment and file wins. */
#include "world.h"

#include "settings.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static void
durations_and_sizes_are_read(void **state)
{
    uint64_t n;
    (void)state;
    assert_true(settings_duration("500ms", &n) && n == 500);
    assert_true(settings_duration("10s", &n) && n == 10000);
    assert_true(settings_duration("7", &n) && n == 7000);
    assert_true(settings_duration("24h", &n) && n == 86400000);
    assert_true(settings_size("64K", &n) && n == 65536);
    assert_true(settings_size("0", &n) && n == 0);
    assert_false(settings_duration("", &n));
    assert_false(settings_duration("-1s", &n));
    assert_false(settings_duration("10x", &n));
    assert_false(settings_duration("18446744073709551615d", &n));
    assert_false(settings_size("1.5G", &n));
    assert_false(settings_size("99999999999999999999", &n));
}

static enum settings_result
read_with(uint64_t *value, const char *flag, const char *file)
{
    const struct setting table[] = {
        {"some-number", 0, SETTING_NUMBER, value, 1, 100, "N", "a number", NULL}};
    const struct program program = {"test", "", "", table, 1};
    char *argv[5] = {(char *)(uintptr_t) "test", NULL, NULL, NULL, NULL};
    int argc = 1;
    if (flag)
        argv[argc++] = (char *)(uintptr_t)flag;
    if (file) {
        argv[argc++] = (char *)(uintptr_t) "--config";
        argv[argc++] = (char *)(uintptr_t)file;
    }
    return settings_read(&program, argc, argv);
}

static void
a_flag_is_stronger_than_the_environment_and_that_than_the_file(void **state)
{
    char path[] = "/tmp/stint-settings-XXXXXX";
    uint64_t value = 1;
    int fd = mkstemp(path);
    (void)state;
    assert_true(fd >= 0);
    assert_true(dprintf(fd, "some-number = 10\n") > 0);
    close(fd);
    assert_int_equal(read_with(&value, NULL, path), SETTINGS_OK);
    assert_int_equal(value, 10);
    setenv("STINT_SOME_NUMBER", "20", 1);
    assert_int_equal(read_with(&value, NULL, path), SETTINGS_OK);
    assert_int_equal(value, 20);
    assert_int_equal(read_with(&value, "--some-number=30", path), SETTINGS_OK);
    assert_int_equal(value, 30);
    setenv("STINT_SOME_NUMBER", "many", 1);
    assert_int_equal(read_with(&value, NULL, NULL), SETTINGS_CONFIG);
    unsetenv("STINT_SOME_NUMBER");
    unlink(path);
}

static void
what_is_unknown_or_out_of_range_is_refused(void **state)
{
    char path[] = "/tmp/stint-settings-XXXXXX";
    uint64_t value = 1;
    int fd = mkstemp(path);
    (void)state;
    assert_true(dprintf(fd, "other = 10\n") > 0);
    close(fd);
    assert_int_equal(read_with(&value, NULL, path), SETTINGS_CONFIG);
    assert_int_equal(read_with(&value, NULL, "/nonexistent"), SETTINGS_CONFIG);
    assert_int_equal(read_with(&value, "--some-number=101", NULL), SETTINGS_USAGE);
    assert_int_equal(read_with(&value, "--some-number=0", NULL), SETTINGS_USAGE);
    assert_int_equal(read_with(&value, "--other", NULL), SETTINGS_USAGE);
    assert_int_equal(read_with(&value, "argument", NULL), SETTINGS_USAGE);
    unlink(path);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(durations_and_sizes_are_read),
        cmocka_unit_test(a_flag_is_stronger_than_the_environment_and_that_than_the_file),
        cmocka_unit_test(what_is_unknown_or_out_of_range_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
