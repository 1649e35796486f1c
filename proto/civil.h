/* The calendar: days since the first of January 1970, as year, month and day, and the other way
 * round. Years are the calendar's that is used now, for all times.
 */
#ifndef CIVIL_H
#define CIVIL_H

#include <stdbool.h>
#include <stdint.h>

struct civil {
    int64_t year;
    unsigned month, day; /* from 1 on */
};

static inline bool
civil_is_leap(int64_t year)
{
    return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

static inline unsigned
civil_month_days(int64_t year, unsigned month)
{
    static const unsigned char days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    return month == 2 && civil_is_leap(year) ? 29U : days[month - 1];
}

/* Years begin in March here, so that the day that is not always there is the last of one; 400 of
 * them are 146,097 days. */
static inline int64_t
civil_days(int64_t year, unsigned month, unsigned day)
{
    int64_t y = year - (month <= 2);
    int64_t era = (y >= 0 ? y : y - 399) / 400;
    int64_t of_era = y - era * 400;
    int64_t of_year = (153 * (int64_t)((month + 9) % 12) + 2) / 5 + day - 1;
    return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

static inline struct civil
civil_from_days(int64_t days)
{
    int64_t shifted = days + 719468;
    int64_t era = (shifted >= 0 ? shifted : shifted - 146096) / 146097;
    int64_t of_era = shifted - era * 146097;
    int64_t year = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    int64_t of_year = of_era - (365 * year + year / 4 - year / 100);
    unsigned month = (unsigned)((5 * of_year + 2) / 153);
    struct civil c = {.day = (unsigned)(of_year - (153 * (int64_t)month + 2) / 5 + 1),
        .month = month < 10 ? month + 3 : month - 9};
    c.year = year + era * 400 + (c.month <= 2);
    return c;
}

/* 0: Sunday. */
static inline unsigned
civil_weekday(int64_t days)
{
    return (unsigned)(((days + 4) % 7 + 7) % 7);
}

#endif
