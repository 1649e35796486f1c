/* Expressions as crontab(5) has them: five fields (minute, hour, day of the month, month, day of
 * the week), or @yearly, @annually, @monthly, @weekly, @daily, @midnight, @hourly. Pure.
 *
 * A field is `*`, a number, a range, each of the two with a step (`*` and `a-b`), or several of
 * them with commas between them. Months and days of the week also have their English names' first
 * three letters. Sunday is 0 or 7. If day of the month and day of the week are both given, a day is
 * meant that either of them means; one that begins with `*` is not given, in this sense.
 *
 * A change of the zone's clocks, as the two of daylight saving, is met as cron(8) of Debian does
 * it. If minute or hour begins with `*`, the expression follows the clock: what the clock passes
 * over is no tick, and what it shows twice is two. All others are for fixed times: those that the
 * clock passes over are one tick right after the change, and one that it shows twice is a tick the
 * first time.
 */
#ifndef CRON_H
#define CRON_H

#include "zone.h"

struct cron {
    uint64_t minutes; /* a bit for each that is meant */
    uint32_t hours, days;
    uint16_t months;
    uint8_t weekdays; /* bit 0: Sunday */
    bool either; /* day of the month or of the week */
    bool follows; /* the clock */
};

enum {
    CRON_TEXT_BYTES = 256, /* with its end */
    CRON_YEARS = 45, /* in which there is a tick: the 29th of February is a Sunday after 40 years,
                        at most */
};

/* False: it is none, and `*why` a constant sentence that says why. */
bool cron_parse(const char *text, struct cron *cron, const char **why);

/* The first tick after this moment, in seconds since 1970. False: there is none in CRON_YEARS. */
bool cron_next(const struct cron *cron, const struct zone *zone, int64_t after_s, int64_t *next_s);

#endif
