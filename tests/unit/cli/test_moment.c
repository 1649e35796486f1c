/* Points in time as people write them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "moment.h"

#include <stdlib.h>
#include <time.h>

/* Noon of 2026-03-28 in Berlin, an hour east of UTC; the next night the clock is put forward. */
static const uint64_t now_ms = 1774695600000;

static int
in_berlin(void **state)
{
    (void)state;
    (void)setenv("TZ", "CET-1CEST,M3.5.0/2,M10.5.0/3", 1);
    tzset();
    return 0;
}

static void
times_are_read_by_the_local_clock_or_with_an_offset(void **state)
{
    static const struct {
        const char *text;
        uint64_t seconds;
    } moments[] = {{"@0", 0}, {"@1774695600", 1774695600}, {"12:00:01", 1774695601}, /* today */
        {"12:00", 1774695600 + 23 * 3600}, /* tomorrow, a day of 23 hours later */
        {"11:59", 1774695600 - 60 + 23 * 3600}, {"23:59", 1774695600 + 43140},
        {"2026-03-28", 1774652400}, {"2026-03-28T12:00", 1774695600},
        {"2026-03-28 12:00:05", 1774695605}, {"2026-03-28T11:00Z", 1774695600},
        {"2026-03-28T11:00:00Z", 1774695600}, {"2026-03-28T06:30-04:30", 1774695600},
        {"2026-03-28T12:00+01:00", 1774695600}, {"2026-07-01T00:00", 1782856800},
        {"2026-03-29T02:30", 1774747800}, /* there is no such time: then it is 03:30 */
        {"2028-02-29", 1835391600}, {"1970-01-02", 82800}, {"9999-12-31T23:59:59Z", 253402300799}};
    (void)state;
    for (size_t i = 0; i < sizeof moments / sizeof *moments; i++) {
        uint64_t ms = 1;
        if (!moment_read(moments[i].text, now_ms, &ms))
            fail_msg("%s is not read", moments[i].text);
        if (ms != 1000 * moments[i].seconds)
            fail_msg("%s is read as %llu", moments[i].text, (unsigned long long)ms);
    }
}

static void
what_is_no_time_is_refused(void **state)
{
    static const char *const texts[] = {"", "@", "@-1", "@x", "@1x", "@ 1", "@253402300800",
        "@99999999999999999999", "12", "12:", "12:5", "24:00", "12:60", "12:00:60", "12:00 ",
        "noon", "1:00", "2026-02-29", "2026-02-30T10:00Z", "2026-13-01", "2026-00-01", "2026-01-00",
        "2026-01-32", "2026-1-1", "2026-01-01T", "2026-01-01T8:00", "2026-01-01Z8", "2026-01-01X",
        "2026-01-01T08:00X", "2026-01-01T08:00+1", "2026-01-01T08:00+15:00", "2026-01-01T08:00Z ",
        "1969-12-31", "20260101T0800", "12:00:00Z"};
    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        uint64_t ms;
        if (moment_read(texts[i], now_ms, &ms))
            fail_msg("\"%s\" is taken for %llu", texts[i], (unsigned long long)ms);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(times_are_read_by_the_local_clock_or_with_an_offset),
        cmocka_unit_test(what_is_no_time_is_refused),
    };
    return cmocka_run_group_tests(tests, in_berlin, NULL);
}
