/* Numbers with units, endings, bytes as JSON, names and endpoints by default: what is written is
 * read back as it was, and what is read is read as people mean it.
 */
#include "defaults.h"
#include "ending.h"
#include "json_bytes.h"
#include "splitmix.h"
#include "units.h"
#include "words.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void
every_unit_scales_as_it_says(void **state)
{
    static const struct {
        const char *text;
        uint64_t ms; /* UINT64_MAX: it is no duration */
        uint64_t bytes; /* nor a size */
    } rows[] = {{"1ms", 1, UINT64_MAX}, {"1s", 1000, UINT64_MAX}, {"1m", 60000, UINT64_MAX},
        {"1h", 3600000, UINT64_MAX}, {"1d", 86400000, UINT64_MAX}, {"1", 1000, 1}, {"0", 0, 0},
        {"1K", UINT64_MAX, 1024}, {"1M", UINT64_MAX, 1 << 20}, {"1G", UINT64_MAX, 1 << 30},
        {"1T", UINT64_MAX, 1ULL << 40}, {"007s", 7000, UINT64_MAX}, {"0K", UINT64_MAX, 0},
        {"1S", UINT64_MAX, UINT64_MAX}, {"1k", UINT64_MAX, UINT64_MAX},
        {"1KB", UINT64_MAX, UINT64_MAX}, {"1sec", UINT64_MAX, UINT64_MAX},
        {"1m30s", UINT64_MAX, UINT64_MAX}, {"1s ", UINT64_MAX, UINT64_MAX},
        {"\t1", UINT64_MAX, UINT64_MAX}, {"0x10", UINT64_MAX, UINT64_MAX},
        {"18446744073709551615ms", UINT64_MAX, UINT64_MAX},
        {"18446744073709551s", 18446744073709551000U, UINT64_MAX},
        {"18446744073709552s", UINT64_MAX, UINT64_MAX},
        {"213503982334d", 18446744073657600000U, UINT64_MAX},
        {"213503982335d", UINT64_MAX, UINT64_MAX}, {"16777215T", UINT64_MAX, 16777215ULL << 40},
        {"16777216T", UINT64_MAX, UINT64_MAX}};
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        uint64_t ms = UINT64_MAX, bytes = UINT64_MAX;
        bool duration = units_read_duration(rows[i].text, &ms);
        bool size = units_read_size(rows[i].text, &bytes);
        assert_true((duration ? ms : UINT64_MAX) == rows[i].ms);
        assert_true((size ? bytes : UINT64_MAX) == rows[i].bytes);
    }
}

static void
a_number_ends_where_its_digits_do(void **state)
{
    const char *rest;
    uint64_t n;
    (void)state;
    assert_true(units_read_number("18446744073709551615", &n, &rest));
    assert_true(n == UINT64_MAX && *rest == '\0');
    assert_true(units_read_number("12%", &n, &rest));
    assert_true(n == 12);
    assert_string_equal(rest, "%");
    assert_false(units_read_number("18446744073709551616", &n, &rest));
    assert_false(units_read_number("", &n, &rest));
    assert_false(units_read_number("-1", &n, &rest));
    assert_false(units_read_number("+1", &n, &rest));
    assert_false(units_read_number(" 1", &n, &rest));
}

static void
whatever_is_written_with_a_unit_is_read_back(void **state)
{
    static const uint64_t scales[] = {1, 1000, 60000, 3600000, 86400000, 1024, 1 << 20, 1 << 30};
    uint64_t seed = 3;
    (void)state;
    for (unsigned i = 0; i < 50000; i++) {
        char text[UNITS_TEXT_BYTES];
        uint64_t read, n = splitmix64(&seed) >> splitmix64(&seed) % 64;
        if (n < UINT64_MAX >> 31)
            n *= scales[splitmix64(&seed) % 8];
        assert_true(n == 0 || units_read_duration(units_write_duration(n, text), &read));
        assert_true(n == 0 || read == n);
        assert_true(units_read_size(units_write_size(n, text), &read));
        assert_true(read == n);
    }
}

static void
every_exit_status_and_signal_is_read_back_also_with_text_behind_it(void **state)
{
    char text[600], more[700];
    int number;
    (void)state;
    for (int n = 0; n < 256; n++) {
        ending_write(ENDING_EXIT, n, text, sizeof text);
        (void)snprintf(more, sizeof more, "%s\nkilled by signal 9", text);
        assert_int_equal(ending_read(more, &number), ENDING_EXIT);
        assert_int_equal(number, n);
    }
    for (int n = 1; n < NSIG; n++) {
        ending_write(ENDING_SIGNAL, n, text, sizeof text);
        assert_non_null(strstr(text, strsignal(n)));
        assert_int_equal(ending_read(text, &number), ENDING_SIGNAL);
        assert_int_equal(number, n);
    }
    ending_write(ENDING_TIME_OVER, 5, text, sizeof text);
    assert_int_equal(ending_read(text, &number), ENDING_TIME_OVER);
    assert_int_equal(number, 0);
    assert_int_equal(ending_read("the time limit was over", &number), ENDING_TIME_OVER);
    assert_int_equal(ending_read("exit status 256", &number), ENDING_OTHER);
    assert_int_equal(number, 0);
}

static void
a_long_name_leaves_room_for_the_reason(void **state)
{
    char name[2000], text[600];
    int number;
    (void)state;
    memset(name, 'n', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    ending_write_unstarted(ENDING_CANT_RUN, ENOENT, name, "", text, sizeof text);
    assert_non_null(strstr(text, strerror(ENOENT)));
    assert_int_equal(ending_read(text, &number), ENDING_CANT_RUN);
    assert_int_equal(number, ENOENT);
    ending_write_unstarted(ENDING_CANT_ENTER, EACCES, name, " (more)", text, sizeof text);
    assert_non_null(strstr(text, "Permission denied (more)"));
    assert_int_equal(ending_read(text, &number), ENDING_CANT_ENTER);
    assert_int_equal(number, 0);
}

/* The other way, written for the test. */
static size_t
from_base64(const char *text, uint8_t *bytes)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    size_t count = 0;
    uint32_t word = 0;
    unsigned bits = 0;
    assert_int_equal(strlen(text) % 4, 0);
    for (; *text && *text != '='; text++) {
        const char *digit = strchr(digits, *text);
        assert_non_null(digit);
        word = word << 6 | (uint32_t)(digit - digits);
        bits += 6;
        if (bits >= 8) {
            bits -= 8;
            bytes[count++] = (uint8_t)(word >> bits);
        }
    }
    assert_int_equal(word & ((1U << bits) - 1), 0); /* no stray bits */
    assert_true(strlen(text) <= 2 && strspn(text, "=") == strlen(text));
    return count;
}

static void
bytes_that_are_no_text_come_through_json_as_they_are(void **state)
{
    uint64_t seed = 9;
    uint8_t bytes[70], read[70];
    (void)state;
    for (unsigned i = 0; i < 20000; i++) {
        size_t size = i % sizeof bytes, most = i % 3 ? 256 : 128;
        for (size_t n = 0; n < size; n++)
            bytes[n] = (uint8_t)(splitmix64(&seed) % most);
        json_t *value = json_bytes(bytes, size);
        assert_non_null(value);
        if (most == 128)
            assert_true(json_is_string(value));
        if (json_is_string(value)) {
            assert_int_equal(json_string_length(value), size);
            assert_memory_equal(json_string_value(value), bytes, size);
        } else {
            assert_int_equal(json_object_size(value), 1);
            const char *text = json_string_value(json_object_get(value, "base64"));
            assert_non_null(text);
            assert_int_equal(from_base64(text, read), size);
            assert_memory_equal(read, bytes, size);
        }
        size_t again = 0;
        uint8_t *back = json_bytes_read(value, &again);
        assert_non_null(back);
        assert_int_equal(again, size);
        assert_memory_equal(back, bytes, size);
        free(back);
        json_decref(value);
    }
}

static void
what_is_no_base64_is_not_read_as_bytes(void **state)
{
    static const char *const wrong[] = {"{\"base64\":\"YQ\"}", "{\"base64\":\"YQ=\"}",
        "{\"base64\":\"YR==\"}", "{\"base64\":\"Y===\"}", "{\"base64\":\"YWI=YWI=\"}",
        "{\"base64\":\"YW-_\"}", "{\"base64\":\"YWJj\",\"x\":1}", "{\"base64\":1}", "{}", "[]", "1",
        "{\"base64\":\"====\"}", "{\"base64\":\"YWJ\\u0000\"}"};
    size_t size;
    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        json_t *value = json_loads(wrong[i], JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
        assert_non_null(value);
        if (json_bytes_read(value, &size))
            fail_msg("%s was read", wrong[i]);
        json_decref(value);
    }
    assert_null(json_bytes_read(NULL, &size));
}

static void
an_endpoint_is_the_wanted_one_or_the_environments_or_the_usual(void **state)
{
    (void)state;
    unsetenv("STINT_ENDPOINT");
    assert_string_equal(defaults_endpoint(NULL), STINT_DEFAULT_ENDPOINT);
    assert_string_equal(defaults_endpoint("ipc://x"), "ipc://x");
    setenv("STINT_ENDPOINT", "", 1);
    assert_string_equal(defaults_endpoint(NULL), STINT_DEFAULT_ENDPOINT);
    setenv("STINT_ENDPOINT", "tcp://there:1", 1);
    assert_string_equal(defaults_endpoint(NULL), "tcp://there:1");
    assert_string_equal(defaults_endpoint("ipc://x"), "ipc://x");
    assert_string_equal(defaults_endpoint(""), ""); /* refused where it is used, not replaced */
    unsetenv("STINT_ENDPOINT");
}

static void
a_name_is_the_wanted_one_or_host_and_process_and_fits(void **state)
{
    char name[STINT_LABEL_BYTES], host[65] = "", usual[100], large[300];
    (void)state;
    assert_int_equal(gethostname(host, sizeof host - 1), 0);
    (void)snprintf(usual, sizeof usual, "%s:77", host);
    assert_ptr_equal(defaults_name(NULL, 77, name), name);
    assert_string_equal(name, usual);
    assert_string_equal(defaults_name("mine", 77, name), "mine");
    memset(large, 'x', sizeof large - 1);
    large[sizeof large - 1] = '\0';
    assert_int_equal(strlen(defaults_name(large, 77, name)), STINT_LABEL_BYTES - 1);
    for (unsigned i = 1; i < 4; i++) { /* no half character, wherever it stands */
        memcpy(large + STINT_LABEL_BYTES - 1 - i, "\xf0\x9f\x90\xa2", 4);
        assert_int_equal(strlen(defaults_name(large, 77, name)), STINT_LABEL_BYTES - 1 - i);
    }
}

static void
words_are_cut_or_refused_as_a_shell_would(void **state)
{
    static const struct {
        const char *text;
        const char *words; /* each with '|' behind it; NULL: it is refused */
    } rows[] = {{"cat", "cat|"}, {"  a  b\tc ", "a|b|c|"}, {"'a b' \"c d\"", "a b|c d|"},
        {"a\\ b", "a b|"}, {"'it\\'s'", "it's|"}, {"\"it's\"", "it's|"}, {"a'b'\"c\"", "abc|"},
        {"'\"' \"'\"", "\"|'|"}, {"'a", NULL}, {"cmd \"a", NULL}, {"cmd 'a\"", NULL},
        {"cmd \"a\\\"", NULL}, {"cmd \\", NULL}, {"", NULL}, {" \t", NULL},
        {"cmd \\' a", "cmd|'|a|"}};
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const char **words, *why;
        int count;
        char got[128] = "";
        why = words_cut(rows[i].text, &count, &words);
        for (int k = 0; k < count && words; k++)
            (void)snprintf(got + strlen(got), sizeof got - strlen(got), "%s|", words[k]);
        assert_int_equal(why == NULL, rows[i].words != NULL);
        assert_int_equal(words == NULL, why != NULL);
        if (rows[i].words)
            assert_string_equal(got, rows[i].words);
        free(words);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_unit_scales_as_it_says),
        cmocka_unit_test(words_are_cut_or_refused_as_a_shell_would),
        cmocka_unit_test(a_number_ends_where_its_digits_do),
        cmocka_unit_test(whatever_is_written_with_a_unit_is_read_back),
        cmocka_unit_test(every_exit_status_and_signal_is_read_back_also_with_text_behind_it),
        cmocka_unit_test(a_long_name_leaves_room_for_the_reason),
        cmocka_unit_test(bytes_that_are_no_text_come_through_json_as_they_are),
        cmocka_unit_test(what_is_no_base64_is_not_read_as_bytes),
        cmocka_unit_test(an_endpoint_is_the_wanted_one_or_the_environments_or_the_usual),
        cmocka_unit_test(a_name_is_the_wanted_one_or_host_and_process_and_fits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
