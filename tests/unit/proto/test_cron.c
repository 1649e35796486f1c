/* Expressions of crontab(5) and their ticks, against a table that a program of its own has made
 * (cron_table.py), the nights on which clocks change, and the zones of the C library.
 */
#include "bytes.h"
#include "civil.h"
#include "cron.h"
#include "zone_files.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

enum { TICKS = 5, LINE_BYTES = 1024 };

static const char berlin[] = "CET-1CEST,M3.5.0,M10.5.0/3";

static int64_t
utc(int64_t year, unsigned month, unsigned day, unsigned hour, unsigned minute)
{
    return civil_days(year, month, day) * 86400 + hour * 3600LL + minute * 60LL;
}

static bool
next_of(const char *text, const char *rule, int64_t after, int64_t *next)
{
    struct cron cron;
    const char *why = NULL;
    if (!cron_parse(text, &cron, &why)) {
        assert_true(why && *why);
        return false;
    }
    struct zone *zone = zone_from_rule(rule);
    assert_non_null(zone);
    bool found = cron_next(&cron, zone, after, next);
    free(zone);
    return found;
}

/* So many ticks are between the two moments, and these are the first of them. */
static void
has_ticks(const char *text, int64_t from, int64_t to, unsigned count, const int64_t *first)
{
    int64_t at = from - 1;
    unsigned n = 0;
    while (next_of(text, berlin, at, &at) && at < to) {
        if (first && n < 3 && first[n])
            assert_int_equal(at, first[n]);
        n++;
    }
    assert_int_equal(n, count);
}

static void
check_line(char *line)
{
    char *rest = line;
    const char *rule = strsep(&rest, "\t");
    const char *text = rest;
    /* the expression may have tabs of its own: the two last fields are taken from behind */
    char *ticks = strrchr(rest, '\t');
    *ticks++ = '\0';
    char *after = strrchr(rest, '\t');
    *after++ = '\0';
    int64_t at = strtoll(after, NULL, 10);
    if (strcmp(ticks, "refused") == 0) {
        if (next_of(text, rule, at, &at))
            fail_msg("not refused: %s", text);
        return;
    }
    for (unsigned i = 0; i < TICKS && *ticks; i++) {
        int64_t wanted = strtoll(ticks, &ticks, 10);
        if (!next_of(text, rule, at, &at) || at != wanted)
            fail_msg("%s in %s: tick %u is %lld, not %lld", text, rule, i, (long long)at,
                (long long)wanted);
    }
}

static void
the_table_s_ticks_are_found(void **state)
{
    char line[LINE_BYTES];
    unsigned lines = 0;
    (void)state;
    FILE *f = fopen(STINT_SOURCE "/tests/unit/proto/cron_table.txt", "r");
    assert_non_null(f);
    while (fgets(line, sizeof line, f)) {
        line[strcspn(line, "\n")] = '\0';
        if (line[0] == '#')
            continue;
        check_line(line);
        lines++;
    }
    (void)fclose(f);
    assert_true(lines > 1000);
}

/* In the night of 2027-03-28 the clock goes from 02:00 to 03:00, which is 01:00 UTC. */
static void
a_fixed_time_that_is_skipped_is_due_right_after_the_change(void **state)
{
    int64_t noon = utc(2027, 3, 27, 12, 0), next_noon = utc(2027, 3, 28, 12, 0);
    int64_t change = utc(2027, 3, 28, 1, 0);
    (void)state;
    has_ticks("30 2 * * *", noon, next_noon, 1, (int64_t[3]){change});
    has_ticks("0,15,30 2 * * *", noon, next_noon, 1, (int64_t[3]){change});
    has_ticks("30 2,3 * * *", noon, next_noon, 2, (int64_t[3]){change, utc(2027, 3, 28, 1, 30)});
    has_ticks("0 2,3 * * *", noon, next_noon, 1, (int64_t[3]){change});
    has_ticks("30 2 28 3 *", noon, next_noon, 1, (int64_t[3]){change});
    has_ticks("30 2 29 3 *", noon, next_noon, 0, NULL);
    has_ticks("59 1 * * *", noon, next_noon, 1, (int64_t[3]){utc(2027, 3, 28, 0, 59)});
    has_ticks("0 3 * * *", noon, next_noon, 1, (int64_t[3]){change});
}

static void
what_follows_the_clock_has_no_tick_in_the_hour_that_is_skipped(void **state)
{
    int64_t noon = utc(2027, 3, 27, 12, 0), next_noon = utc(2027, 3, 28, 12, 0);
    (void)state;
    has_ticks("*/15 2 * * *", noon, next_noon, 0, NULL);
    has_ticks("30 * * * *", noon, next_noon, 24, NULL);
    has_ticks("* * * * *", noon, next_noon, 24 * 60, NULL);
    has_ticks("30 */2 28 3 *", noon, next_noon, 6, (int64_t[3]){utc(2027, 3, 27, 23, 30)});
}

/* In the night of 2027-10-31 it goes from 03:00 back to 02:00, which is 01:00 UTC. */
static void
a_fixed_time_that_comes_twice_is_due_the_first_time(void **state)
{
    int64_t noon = utc(2027, 10, 30, 12, 0), next_noon = utc(2027, 10, 31, 12, 0);
    (void)state;
    has_ticks("30 2 * * *", noon, next_noon, 1, (int64_t[3]){utc(2027, 10, 31, 0, 30)});
    has_ticks("0 2,3 * * *", noon, next_noon, 2,
        (int64_t[3]){utc(2027, 10, 31, 0, 0), utc(2027, 10, 31, 2, 0)});
    /* asked in the middle of the hour that comes again */
    has_ticks("30 2 * * *", utc(2027, 10, 31, 1, 10), next_noon, 0, NULL);
    has_ticks("30 2 * * *", utc(2027, 10, 31, 0, 31), next_noon, 0, NULL);
}

static void
what_follows_the_clock_has_all_ticks_of_the_hour_that_comes_twice(void **state)
{
    int64_t noon = utc(2027, 10, 30, 12, 0), next_noon = utc(2027, 10, 31, 12, 0);
    (void)state;
    has_ticks("*/30 2 * * *", noon, next_noon, 4,
        (int64_t[3]){utc(2027, 10, 31, 0, 0), utc(2027, 10, 31, 0, 30), utc(2027, 10, 31, 1, 0)});
    has_ticks("30 * * * *", noon, next_noon, 24, NULL);
}

/* Samoa had no 2011-12-30. A fixed time of it is due when the next day begins. */
static void
a_day_that_is_skipped_is_a_change_like_others(void **state)
{
    struct cron cron;
    const char *why;
    int64_t next, change = utc(2011, 12, 30, 10, 0);
    (void)state;
    struct zone *zone = zone_of_machine("Pacific/Apia");
    if (!zone) {
        print_message("there is no tzdata here\n");
        return;
    }
    assert_true(cron_parse("30 12 * * *", &cron, &why));
    assert_true(cron_next(&cron, zone, change - 1, &next));
    assert_int_equal(next, change);
    assert_true(cron_next(&cron, zone, change, &next));
    assert_int_equal(next, change + 12 * 3600 + 1800);
    free(zone);
}

static void
what_never_comes_is_found_out(void **state)
{
    static const char *const texts[] = {"0 0 30 2 *", "0 0 31 2,4,6,9,11 *", "* * 31 apr *"};
    int64_t next;
    (void)state;
    for (unsigned i = 0; i < sizeof texts / sizeof *texts; i++)
        assert_false(next_of(texts[i], "UTC0", 0, &next));
    assert_true(next_of("0 0 29 2 *", "UTC0", utc(2096, 3, 1, 0, 0), &next));
    assert_int_equal(next, utc(2104, 2, 29, 0, 0));
    assert_true(next_of("0 0 29 2 */7", "UTC0", utc(2088, 3, 1, 0, 0), &next));
    assert_int_equal(next, utc(2128, 2, 29, 0, 0));
}

/* ---- zones ---- */

static void
rules_are_read_or_refused(void **state)
{
    static const char *const good[] = {"UTC0", "CET-1CEST,M3.5.0,M10.5.0/3", "<-03>3",
        "<+1030>-10:30<+11>-11,M10.1.0,M4.1.0", "EST5EDT,J60/2,J300/-1:30:30", "ZZZ-24:59:59",
        "AAA3BBB,0/0,365/167"};
    static const char *const bad[] = {"", "U0", "UTC", "UTC25", "UTC0x", "CET-1CEST",
        "CET-1CEST,M3.5.0", "CET-1CEST,M13.5.0,M10.5.0", "CET-1CEST,M3.6.0,M10.5.0",
        "CET-1CEST,M3.5.7,M10.5.0", "CET-1CEST,J0,J1", "CET-1CEST,366,1", "<+>3", "<ab",
        "CET-1CEST,M3.5.0,M10.5.0/168", "CET-1CEST,M3.5.0,M10.5.0 "};
    (void)state;
    for (unsigned i = 0; i < sizeof good / sizeof *good; i++) {
        struct zone *zone = zone_from_rule(good[i]);
        assert_non_null(zone);
        free(zone);
    }
    for (unsigned i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_null(zone_from_rule(bad[i]));
}

static void
names_of_zones_lead_nowhere_else(void **state)
{
    static const char *const bad[] = {"", "/etc/passwd", "..", "../x", "Europe/../x", "Europe/",
        "Europe//Berlin", ".hidden", "a b", "a\n", "-x", "Europe/Ber\xc3\xbcn"};
    (void)state;
    for (unsigned i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_false(zone_name_is_valid(bad[i]));
        assert_null(zone_of_machine(bad[i]));
    }
    assert_true(zone_name_is_valid("America/Argentina/Buenos_Aires"));
    assert_true(zone_name_is_valid("Etc/GMT+5"));
    assert_null(zone_of_machine("Europe")); /* a directory */
    assert_null(zone_of_machine("Europe/Nowhere"));
    struct zone *zone = zone_of_machine("UTC");
    assert_non_null(zone);
    free(zone);
}

/* Over a century, the C library shows the same time. */
static void
files_say_what_the_c_library_says(void **state)
{
    static const char *const names[] = {"Europe/Berlin", "America/New_York", "Australia/Lord_Howe",
        "Asia/Kolkata", "Pacific/Apia", "Africa/Casablanca", "America/Sao_Paulo", "Asia/Tehran"};
    (void)state;
    for (unsigned i = 0; i < sizeof names / sizeof *names; i++) {
        struct zone *zone = zone_of_machine(names[i]);
        if (!zone) {
            print_message("there is no %s here\n", names[i]);
            continue;
        }
        assert_int_equal(setenv("TZ", names[i], 1), 0);
        tzset();
        struct zone_span span = {.end = 0};
        for (time_t at = 0; at < 4102444800; at += 7 * 3600 + 13) {
            struct tm tm;
            assert_non_null(localtime_r(&at, &tm));
            zone_at(zone, at, &span);
            assert_true(span.begin <= at && at < span.end);
            if (tm.tm_gmtoff != span.ahead)
                fail_msg(
                    "%s at %lld: %ld, not %d", names[i], (long long)at, tm.tm_gmtoff, span.ahead);
        }
        free(zone);
    }
    assert_int_equal(unsetenv("TZ"), 0);
    tzset();
}

/* Cut or turned anywhere, a file is refused or read, and what was read answers. */
static void
a_damaged_file_is_harmless(void **state)
{
    enum { SIZE = 44 + 44 + 2 * 9 + 2 * 6 + 8 + 1 + sizeof berlin };
    uint8_t file[SIZE] = {'T', 'Z', 'i', 'f', '2'}, *at = file + 44;
    (void)state;
    memcpy(at, file, 5);
    put_be(at + 32, 2, 4); /* transitions, types, letters */
    put_be(at + 36, 2, 4);
    put_be(at + 40, 8, 4);
    put_be(at + 44, 1000000, 8);
    put_be(at + 52, 2000000, 8);
    at[60] = 1;
    put_be(at + 62, 3600, 4);
    put_be(at + 68, 7200, 4);
    at[44 + 18 + 12 + 8] = '\n';
    memcpy(at + 44 + 18 + 12 + 9, berlin, sizeof berlin - 1);
    file[SIZE - 1] = '\n';
    struct zone *zone = zone_from_file(file, sizeof file);
    assert_non_null(zone);
    struct zone_span span;
    zone_at(zone, 1500000, &span);
    assert_true(span.begin == 1000000 && span.end == 2000000 && span.ahead == 7200);
    zone_at(zone, 0, &span);
    assert_true(span.begin == INT64_MIN && span.end == 1000000 && span.ahead == 3600);
    zone_at(zone, 2000000, &span);
    assert_true(span.begin == 2000000 && span.ahead == 3600);
    free(zone);
    for (size_t size = 0; size < sizeof file; size++) {
        zone = zone_from_file(file, size);
        assert_null(zone);
    }
    for (size_t bit = 0; bit < 8 * sizeof file; bit++) {
        file[bit / 8] ^= (uint8_t)(1U << bit % 8);
        zone = zone_from_file(file, sizeof file);
        if (zone)
            zone_at(zone, 1700000000, &span);
        free(zone);
        file[bit / 8] ^= (uint8_t)(1U << bit % 8);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_table_s_ticks_are_found),
        cmocka_unit_test(a_fixed_time_that_is_skipped_is_due_right_after_the_change),
        cmocka_unit_test(what_follows_the_clock_has_no_tick_in_the_hour_that_is_skipped),
        cmocka_unit_test(a_fixed_time_that_comes_twice_is_due_the_first_time),
        cmocka_unit_test(what_follows_the_clock_has_all_ticks_of_the_hour_that_comes_twice),
        cmocka_unit_test(a_day_that_is_skipped_is_a_change_like_others),
        cmocka_unit_test(what_never_comes_is_found_out),
        cmocka_unit_test(rules_are_read_or_refused),
        cmocka_unit_test(names_of_zones_lead_nowhere_else),
        cmocka_unit_test(files_say_what_the_c_library_says),
        cmocka_unit_test(a_damaged_file_is_harmless),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
