/* Which of flag, environment and file wins. */
#include "world.h"

#include "settings.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

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

struct list {
    char text[256];
};

static bool
append(void *to, const char *value, const char **why)
{
    struct list *list = to;
    *why = "no";
    size_t used = strlen(list->text);
    (void)snprintf(list->text + used, sizeof list->text - used, "%s,", value);
    return true;
}

/* Arguments end with NULL. */
static enum settings_result
read_list(struct list *list, const char *file, const char *const *arguments)
{
    const char *text = "unset";
    const struct setting table[] = {
        {"listen", 'l', SETTING_EACH, list, 0, 0, "TEXT", "a list", append},
        {"text", 't', SETTING_TEXT, &text, 0, 0, "TEXT", "a text", NULL}};
    const struct program program = {"test", "", "", table, 2};
    char *argv[12] = {
        (char *)(uintptr_t) "test", (char *)(uintptr_t) "--config", (char *)(uintptr_t)file, NULL};
    int argc = 3;
    for (; *arguments; arguments++)
        argv[argc++] = (char *)(uintptr_t)*arguments;
    list->text[0] = '\0';
    return settings_read(&program, argc, argv);
}

static const char *
write_file(const char *text)
{
    static char path[64];
    (void)snprintf(path, sizeof path, "/tmp/stint-settings-XXXXXX");
    int fd = mkstemp(path);
    assert_true(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text));
    close(fd);
    return path;
}

#define ARGUMENTS(...) ((const char *const[]){__VA_ARGS__, NULL})

static void
a_list_comes_from_the_strongest_source_alone(void **state)
{
    struct list list;
    (void)state;
    const char *path = write_file("listen = file1\nlisten = file2\n");
    assert_int_equal(read_list(&list, path, ARGUMENTS("--text=x")), SETTINGS_OK);
    assert_string_equal(list.text, "file1,file2,");
    setenv("STINT_LISTEN", "", 1);
    assert_int_equal(read_list(&list, path, ARGUMENTS("--text=x")), SETTINGS_OK);
    assert_string_equal(list.text, "file1,file2,");
    setenv("STINT_LISTEN", "environment", 1);
    assert_int_equal(read_list(&list, path, ARGUMENTS("--text=x")), SETTINGS_OK);
    assert_string_equal(list.text, "environment,");
    assert_int_equal(
        read_list(&list, path, ARGUMENTS("-l", "flag1", "--listen=flag2")), SETTINGS_OK);
    assert_string_equal(list.text, "flag1,flag2,");
    unsetenv("STINT_LISTEN");
    unlink(path);
}

static void
a_file_that_says_less_than_it_seems_is_refused(void **state)
{
    static const char *const bad[] = {
        "text = \n", "listen =\n", "text = x\n    listen = y\n", "Text = x\n", "flag\n"};
    struct list list;
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        const char *path = write_file(bad[i]);
        assert_int_equal(read_list(&list, path, ARGUMENTS("-l", "x")) == SETTINGS_CONFIG,
            strncmp(bad[i], "listen", 6) != 0); /* what is overridden is not looked at */
        unlink(path);
    }
    assert_int_equal(read_list(&list, "/tmp", ARGUMENTS("-l", "x")), SETTINGS_CONFIG);
}

static void
every_program_answers_help_in_each_spelling(void **state)
{
    struct list list;
    (void)state;
    const char *path = write_file("");
    int saved = dup(STDOUT_FILENO), null = open("/dev/null", O_WRONLY);
    (void)fflush(stdout);
    dup2(null, STDOUT_FILENO);
    for (unsigned i = 0; i < 5; i++) {
        const char *const spellings[] = {"-h", "-?", "--help", "--usage", "--version"};
        assert_int_equal(read_list(&list, path, ARGUMENTS(spellings[i])), SETTINGS_DONE);
    }
    dup2(saved, STDOUT_FILENO);
    close(saved);
    close(null);
    unlink(path);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_flag_is_stronger_than_the_environment_and_that_than_the_file),
        cmocka_unit_test(what_is_unknown_or_out_of_range_is_refused),
        cmocka_unit_test(a_list_comes_from_the_strongest_source_alone),
        cmocka_unit_test(a_file_that_says_less_than_it_seems_is_refused),
        cmocka_unit_test(every_program_answers_help_in_each_spelling),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
