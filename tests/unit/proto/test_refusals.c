/* What settings say when they refuse something: which one, from where, and what to write instead.
 * Standard error is a file of the test's own. */
#include "log.h"
#include "settings.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct values {
    bool flag;
    const char *text;
    uint64_t number, duration, size;
    unsigned each;
};

static bool
add(void *to, const char *value, const char **why)
{
    *why = "it is not even";
    if (atoi(value) % 2)
        return false;
    ++*(unsigned *)to;
    free((char *)(uintptr_t)value); /* it is ours now */
    return true;
}

static char said[4096], path[64];
static const char *kept[64]; /* texts, which stay allocated */
static size_t kept_count;

/* Runs the table over arguments (NULL: none), one of the environment and a file (likewise). */
static enum settings_result
read_all(struct values *v, const char *argument, const char *variable, const char *file)
{
    const struct setting table[] = {
        {"a-flag", 'f', SETTING_FLAG, &v->flag, 0, 0, NULL, "a flag", NULL},
        {"a-text", 't', SETTING_TEXT, &v->text, 0, 0, "TEXT", "a text", NULL},
        {"a-number", 'n', SETTING_NUMBER, &v->number, 2, 9, "N", "a number", NULL},
        {"a-time", 0, SETTING_DURATION, &v->duration, 1000, 86400000, "TIME", "a time", NULL},
        {"a-size", 0, SETTING_SIZE, &v->size, 4096, 0, "SIZE", "a size", NULL},
        {"each", 'e', SETTING_EACH, &v->each, 0, 0, "N", "some", add}};
    const struct program program = {"prog", "", "", table, 6};
    const char *argv[] = {"prog", argument, NULL};
    char *pair = variable ? strdup(variable) : NULL, config[] = "STINT_CONFIG";
    int saved = dup(STDERR_FILENO), to = open(path, O_RDWR | O_TRUNC | O_CREAT, 0600);
    *v = (struct values){.text = "was", .number = 5, .duration = 2000, .size = 8192};
    assert_true(saved >= 0 && to >= 0);
    if (pair) {
        *strchr(pair, '=') = '\0';
        setenv(pair, pair + strlen(pair) + 1, 1);
    }
    if (file)
        setenv(config, file, 1);
    dup2(to, STDERR_FILENO);
    enum settings_result result =
        settings_read(&program, argument ? 2 : 1, (char **)(uintptr_t)argv);
    dup2(saved, STDERR_FILENO);
    if (strcmp(v->text, "was") != 0)
        kept[kept_count++] = v->text;
    ssize_t n = pread(to, said, sizeof said - 1, 0);
    said[n > 0 ? n : 0] = '\0';
    close(to);
    close(saved);
    if (pair)
        unsetenv(pair);
    unsetenv(config);
    free(pair);
    return result;
}

static void
a_refusal_says_what_of_where_and_what_to_write(void **state)
{
    static const struct {
        const char *argument, *variable, *words;
        enum settings_result result;
    } rows[] = {
        {"--a-number=1", NULL, "prog: --a-number=1: it must be from 2 to 9", SETTINGS_USAGE},
        {"--a-number=10", NULL, "prog: --a-number=10: it must be from 2 to 9", SETTINGS_USAGE},
        {"--a-number=2x", NULL, "prog: --a-number=2x: write a whole number", SETTINGS_USAGE},
        {"-n3.5", NULL, "prog: --a-number=3.5: write a whole number", SETTINGS_USAGE},
        {"--a-time=999ms", NULL, "prog: --a-time=999ms: it must be from 1s to 1d", SETTINGS_USAGE},
        {"--a-time=1w", NULL,
            "prog: --a-time=1w: write a duration such as 500ms, 10s, 5m, 24h or 30d",
            SETTINGS_USAGE},
        {"--a-size=4095", NULL, "prog: --a-size=4095: it must be at least 4K", SETTINGS_USAGE},
        {"--a-size=4k", NULL, "prog: --a-size=4k: write a size such as 4096, 64K, 8M or 2G",
            SETTINGS_USAGE},
        {"--a-text=", NULL, "prog: --a-text=: it is empty", SETTINGS_USAGE},
        {"--each=3", NULL, "prog: --each=3: it is not even", SETTINGS_USAGE},
        {"--each=", NULL, "prog: --each=: it is empty", SETTINGS_USAGE},
        {"--nothing", NULL, "prog: --nothing: unknown option; see prog --help", SETTINGS_USAGE},
        {"--a-number", NULL, "prog: --a-number: missing argument; see prog --help", SETTINGS_USAGE},
        {"word", NULL, "prog: what is word? it takes no arguments; see prog --help",
            SETTINGS_USAGE},
        {NULL, "STINT_A_NUMBER=10",
            "prog: environment, setting a-number = 10: it must be from 2 to 9", SETTINGS_CONFIG},
        {NULL, "STINT_A_FLAG=maybe", "prog: environment, setting a-flag = maybe: write yes or no",
            SETTINGS_CONFIG},
        {NULL, "STINT_EACH=1", "prog: environment, setting each = 1: it is not even",
            SETTINGS_CONFIG},
        {NULL, "STINT_CONFIG=/no/such",
            "prog: can't read the configuration /no/such: No such file or directory",
            SETTINGS_CONFIG},
        {NULL, "STINT_CONFIG=/tmp", "prog: can't read the configuration /tmp: Is a directory",
            SETTINGS_CONFIG}};
    struct values v;
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char line[300];
        (void)snprintf(line, sizeof line, "%s\n", rows[i].words);
        assert_int_equal(read_all(&v, rows[i].argument, rows[i].variable, NULL), rows[i].result);
        assert_string_equal(said, line);
    }
}

static void
a_line_of_the_file_is_refused_with_the_files_name(void **state)
{
    static const struct {
        const char *line, *words;
    } rows[] = {{"a-number = 10\n", "a-number = 10: it must be from 2 to 9"},
        {"a-flag = maybe\n", "a-flag = maybe: write yes or no"},
        {"no-such = 1\n", "no-such = 1: there is no such setting; see --help"},
        {"a-text = x\n    a-number = 3\n", "a-text = x: lines are not to be indented"},
        {"a-time = soon\n", "a-time = soon: write a duration such as 500ms, 10s, 5m, 24h or 30d"}};
    struct values v;
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char file[] = "/tmp/stint-refusal-XXXXXX", line[300];
        int fd = mkstemp(file);
        assert_true(fd >= 0 && dprintf(fd, "%s", rows[i].line) > 0);
        close(fd);
        assert_int_equal(read_all(&v, NULL, NULL, file), SETTINGS_CONFIG);
        (void)snprintf(line, sizeof line, "prog: %s: %s\n", file, rows[i].words);
        assert_string_equal(said, line);
        unlink(file);
    }
}

static void
every_type_takes_its_value_from_each_source(void **state)
{
    static const char *const truths[] = {"yes", "1", "true"}, *const lies[] = {"no", "0", "false"};
    struct values v;
    char variable[64];
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        (void)snprintf(variable, sizeof variable, "STINT_A_FLAG=%s", truths[i]);
        assert_int_equal(read_all(&v, NULL, variable, NULL), SETTINGS_OK);
        assert_true(v.flag);
        (void)snprintf(variable, sizeof variable, "STINT_A_FLAG=%s", lies[i]);
        assert_int_equal(read_all(&v, NULL, variable, NULL), SETTINGS_OK);
        assert_false(v.flag);
        assert_int_equal(read_all(&v, "-f", variable, NULL), SETTINGS_OK);
        assert_true(v.flag); /* the flag is stronger */
    }
    assert_int_equal(read_all(&v, "--a-time=1m", "STINT_A_SIZE=1M", NULL), SETTINGS_OK);
    assert_true(v.duration == 60000 && v.size == 1 << 20 && v.number == 5);
    assert_string_equal(v.text, "was");
    assert_int_equal(read_all(&v, "-tx", "STINT_EACH=2", NULL), SETTINGS_OK);
    assert_string_equal(v.text, "x");
    assert_int_equal(v.each, 1);
    assert_string_equal(said, "");
}

static void
each_result_has_its_exit_code(void **state)
{
    (void)state;
    assert_int_equal(settings_exit_code(SETTINGS_OK), -1);
    assert_int_equal(settings_exit_code(SETTINGS_DONE), 0);
    assert_int_equal(settings_exit_code(SETTINGS_USAGE), 64);
    assert_int_equal(settings_exit_code(SETTINGS_CONFIG), 78);
}

static void
a_level_or_a_format_that_is_none_is_refused_by_name(void **state)
{
    static const char *const levels[] = {"error", "warn", "info", "debug"};
    int saved = dup(STDERR_FILENO), to = open(path, O_RDWR | O_TRUNC | O_CREAT, 0600);
    (void)state;
    dup2(to, STDERR_FILENO);
    for (size_t i = 0; i < 4; i++)
        assert_true(log_choose("prog", levels[i], "json"));
    assert_true(log_choose("prog", "info", "text"));
    assert_false(log_choose("prog", "loud", "text"));
    assert_false(log_choose("prog", "", "text"));
    assert_false(log_choose("prog", "info", "xml"));
    dup2(saved, STDERR_FILENO);
    ssize_t n = pread(to, said, sizeof said - 1, 0);
    said[n > 0 ? n : 0] = '\0';
    assert_string_equal(said,
        "prog: --log-level is error, warn, info or debug\n"
        "prog: --log-level is error, warn, info or debug\n"
        "prog: --log-format is text or json\n");
    close(to);
    close(saved);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_refusal_says_what_of_where_and_what_to_write),
        cmocka_unit_test(a_line_of_the_file_is_refused_with_the_files_name),
        cmocka_unit_test(every_type_takes_its_value_from_each_source),
        cmocka_unit_test(each_result_has_its_exit_code),
        cmocka_unit_test(a_level_or_a_format_that_is_none_is_refused_by_name),
    };
    (void)snprintf(path, sizeof path, "/tmp/stint-said-XXXXXX");
    int fd = mkstemp(path);
    unsetenv("STINT_CONFIG");
    int failed = fd < 0 ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
    close(fd);
    unlink(path);
    return failed;
}
