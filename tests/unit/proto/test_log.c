/* Log lines: what a line says, and that whoever does not read them stops nobody. Standard error is
 * a pipe of the test's own. */
#include "world.h"

#include "log.h"
#include "log_sink.h"

#include <fcntl.h>
#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static int saved, ends[2];
static char line[8192];

static int
take_standard_error(void **state)
{
    (void)state;
    (void)signal(SIGPIPE, SIG_IGN);
    saved = dup(STDERR_FILENO);
    return saved < 0 || pipe(ends) != 0 || dup2(ends[1], STDERR_FILENO) < 0 ? -1 : 0;
}

static int
give_it_back(void **state)
{
    (void)state;
    (void)dup2(saved, STDERR_FILENO);
    log_open("test", LOG_LEVEL_ERROR, false); /* closes what it had opened of the pipe */
    close(saved);
    close(ends[0]);
    close(ends[1]);
    return 0;
}

/* All that is in the pipe, up to the buffer's size. */
static const char *
said(void)
{
    ssize_t n = read(ends[0], line, sizeof line - 1);
    assert_true(n > 0);
    line[n] = '\0';
    return line;
}

static void
a_line_has_its_event_and_its_fields(void **state)
{
    (void)state;
    unsetenv("JOURNAL_STREAM");
    log_open("test", LOG_LEVEL_INFO, false);
    log_event(LOG_LEVEL_INFO, "joined",
        LOG_FIELDS(LOG_TEXT("worker", "host 4"), LOG_NUMBER("slots", 8), LOG_TEXT("none", NULL)));
    assert_non_null(
        strstr(said(), " level=info program=test event=joined worker=\"host 4\" slots=8\n"));
    log_event(LOG_LEVEL_DEBUG, "not shown", NULL);
    log_event(LOG_LEVEL_WARN, "stopped", NULL);
    assert_null(strstr(said(), "not shown"));
    assert_non_null(strstr(line, "level=warn program=test event=stopped\n"));
}

static void
in_json_numbers_are_numbers_and_every_field_is_there(void **state)
{
    (void)state;
    log_open("test", LOG_LEVEL_INFO, true);
    log_event(LOG_LEVEL_INFO, "lost",
        LOG_FIELDS(LOG_TEXT("worker", "h\xe9"), LOG_NUMBER("leases", UINT64_MAX),
            LOG_TEXT("queue", "caf\xc3\xa9")));
    json_t *o = json_loads(said(), 0, NULL);
    assert_non_null(o);
    assert_string_equal(json_string_value(json_object_get(o, "schema")), "stint.log/1");
    assert_string_equal(json_string_value(json_object_get(o, "event")), "lost");
    assert_string_equal(json_string_value(json_object_get(o, "queue")), "caf\xc3\xa9");
    assert_true(json_is_integer(json_object_get(o, "leases")));
    json_t *worker = json_object_get(o, "worker");
    assert_string_equal(json_string_value(json_object_get(worker, "base64")), "aOk=");
    json_decref(o);
}

static void
nothing_raw_reaches_a_terminal(void **state)
{
    static const char *const nasty[] = {"\x1b[2J", "a\rb", "\x7f", "\xc2\x9b!", "\xe9",
        "\xed\xa0\x80", "\xc0\xaf", "\xf5\x80\x80\x80", "line\nline"};
    (void)state;
    for (int json = 0; json < 2; json++) {
        log_open("test", LOG_LEVEL_INFO, json);
        for (size_t i = 0; i < sizeof nasty / sizeof *nasty; i++) {
            log_event(LOG_LEVEL_INFO, "said", LOG_FIELDS(LOG_TEXT("text", nasty[i])));
            const char *text = said();
            size_t bytes = strlen(text);
            assert_int_equal(text[bytes - 1], '\n');
            for (size_t at = 0; at + 1 < bytes; at++)
                assert_true(text[at] >= ' ' && (json || text[at] < 127));
        }
    }
}

static void
a_long_text_is_cut_between_characters(void **state)
{
    char text[6000];
    (void)state;
    for (size_t i = 0; i + 3 < sizeof text; i += 3)
        memcpy(text + i, "\xe2\x82\xac", 3);
    text[5997] = '\0';
    log_open("test", LOG_LEVEL_INFO, true);
    log_event(LOG_LEVEL_INFO, "said", LOG_FIELDS(LOG_TEXT("text", text)));
    json_t *o = json_loads(said(), 0, NULL);
    const char *cut = json_string_value(json_object_get(o, "text"));
    assert_non_null(cut);
    assert_true(strlen(cut) <= 1003);
    assert_string_equal(cut + strlen(cut) - 6, "\xe2\x82\xac...");
    json_decref(o);
}

static void
fill_the_pipe(void)
{
    char bytes[4096] = {0};
    int flags = fcntl(ends[1], F_GETFL);
    assert_int_equal(fcntl(ends[1], F_SETFL, flags | O_NONBLOCK), 0);
    while (write(ends[1], bytes, sizeof bytes) > 0) {
    }
    assert_int_equal(fcntl(ends[1], F_SETFL, flags), 0);
}

static size_t
empty_the_pipe(char *text, size_t size)
{
    size_t used = 0;
    int flags = fcntl(ends[0], F_GETFL);
    (void)fcntl(ends[0], F_SETFL, flags | O_NONBLOCK);
    for (ssize_t n; used < size && (n = read(ends[0], text + used, size - used)) > 0;)
        used += (size_t)n;
    (void)fcntl(ends[0], F_SETFL, flags);
    return used;
}

static void
nobody_waits_for_a_full_pipe_and_what_was_dropped_is_told(void **state)
{
    enum { MUCH = 4 << 20 };
    char *text = calloc(1, MUCH);
    (void)state;
    log_open("test", LOG_LEVEL_INFO, false);
    fill_the_pipe();
    for (unsigned i = 0; i < 5000; i++)
        log_event(LOG_LEVEL_INFO, "said", LOG_FIELDS(LOG_NUMBER("number", i)));
    assert_false(log_flush());
    size_t used = empty_the_pipe(text, MUCH);
    for (unsigned i = 0; i < 100 && !log_flush(); i++)
        used += empty_the_pipe(text + used, MUCH - used);
    used += empty_the_pipe(text + used, MUCH - used);
    char *first = memmem(text, used, "event=said number=0\n", 20);
    assert_non_null(first);
    assert_null(strstr(first, "number=4999\n"));
    unsigned kept = 0, lost = 0;
    for (char *at = first; (at = strstr(at, "event=said")); at++)
        kept++;
    char *told = strstr(first, "event=\"log lines were dropped\" lines=");
    assert_non_null(told);
    assert_int_equal(sscanf(strstr(told, "lines="), "lines=%u", &lost), 1);
    assert_int_equal(kept + lost, 5000);
    assert_int_equal(fcntl(ends[1], F_GETFL) & O_NONBLOCK, 0);
    free(text);
}

static void
a_closed_pipe_or_descriptor_is_no_trouble(void **state)
{
    (void)state;
    log_open("test", LOG_LEVEL_INFO, false);
    close(ends[0]);
    for (unsigned i = 0; i < 100; i++)
        log_event(LOG_LEVEL_INFO, "said", NULL);
    ends[0] = dup(saved);
    close(STDERR_FILENO);
    log_open("test", LOG_LEVEL_INFO, true);
    log_event(LOG_LEVEL_INFO, "said", NULL);
    log_last_words("gone\n");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, take_standard_error, give_it_back)
        TEST(a_line_has_its_event_and_its_fields),
        TEST(in_json_numbers_are_numbers_and_every_field_is_there),
        TEST(nothing_raw_reaches_a_terminal),
        TEST(a_long_text_is_cut_between_characters),
        TEST(nobody_waits_for_a_full_pipe_and_what_was_dropped_is_told),
        TEST(a_closed_pipe_or_descriptor_is_no_trouble),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
