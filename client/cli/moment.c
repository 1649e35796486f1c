/* Points in time; the contract is in moment.h. */
#include "moment.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define LAST_S 253402300799ULL /* the end of the year 9999, which a broker takes */

/* So many digits, up to `most`; moves `*at` behind them. */
static bool
digits(const char **at, unsigned count, int most, int *value)
{
    *value = 0;
    for (; count > 0; count--, ++*at) {
        if (!isdigit((unsigned char)**at))
            return false;
        *value = 10 * *value + **at - '0';
    }
    return *value <= most;
}

/* YYYY-MM-DD */
static bool
read_date(const char **at, struct tm *tm)
{
    if (!digits(at, 4, 9999, &tm->tm_year) || *(*at)++ != '-' || !digits(at, 2, 12, &tm->tm_mon) ||
        *(*at)++ != '-' || !digits(at, 2, 31, &tm->tm_mday))
        return false;
    tm->tm_year -= 1900;
    tm->tm_mon--;
    return tm->tm_year >= 70 && tm->tm_mon >= 0 && tm->tm_mday > 0;
}

/* HH:MM or HH:MM:SS */
static bool
read_clock(const char **at, struct tm *tm)
{
    if (!digits(at, 2, 23, &tm->tm_hour) || *(*at)++ != ':' || !digits(at, 2, 59, &tm->tm_min))
        return false;
    if (**at != ':')
        return true;
    ++*at;
    return digits(at, 2, 59, &tm->tm_sec);
}

/* Z, or +HH:MM: how many seconds east of UTC. */
static bool
read_zone(const char **at, int *east_s)
{
    int hours = 0, minutes = 0;
    char sign = *(*at)++;
    if (sign == 'Z')
        return true;
    if (!digits(at, 2, 14, &hours) || *(*at)++ != ':' || !digits(at, 2, 59, &minutes))
        return false;
    *east_s = (sign == '-' ? -60 : 60) * (60 * hours + minutes);
    return true;
}

static bool
tell(time_t seconds, uint64_t *ms)
{
    *ms = (uint64_t)seconds * 1000;
    return seconds >= 0 && (uint64_t)seconds <= LAST_S;
}

static bool
read_seconds(const char *text, uint64_t *ms)
{
    char *end;
    unsigned long long seconds = strtoull(text, &end, 10);
    return isdigit((unsigned char)*text) && !*end && seconds <= LAST_S && tell((time_t)seconds, ms);
}

/* By the local clock; on a day that has no such time, as when the clock is put forward, at the time
 * that it is then. False: there is no such day. */
static bool
tell_local(struct tm tm, uint64_t *ms)
{
    int day = tm.tm_mday;
    tm.tm_isdst = -1;
    time_t seconds = mktime(&tm);
    return tm.tm_mday == day && tell(seconds, ms);
}

/* So late today, or else tomorrow. */
static bool
next_time(const struct tm *given, uint64_t now_ms, uint64_t *ms)
{
    time_t now = (time_t)(now_ms / 1000);
    struct tm tm;
    for (int days = 0; days < 2; days++) {
        if (!localtime_r(&now, &tm))
            return false;
        tm.tm_mday += days;
        tm.tm_hour = given->tm_hour;
        tm.tm_min = given->tm_min;
        tm.tm_sec = given->tm_sec;
        tm.tm_isdst = -1;
        if (tell(mktime(&tm), ms) && *ms > now_ms)
            return true;
    }
    return false;
}

bool
moment_read(const char *text, uint64_t now_ms, uint64_t *ms)
{
    struct tm tm = {0};
    int east_s = 0;
    const char *at = text;
    if (*at == '@')
        return read_seconds(at + 1, ms);
    if (strlen(text) < 10)
        return read_clock(&at, &tm) && !*at && next_time(&tm, now_ms, ms);
    if (!read_date(&at, &tm))
        return false;
    if ((*at == 'T' || *at == ' ') && (at++, !read_clock(&at, &tm)))
        return false;
    if (!*at)
        return tell_local(tm, ms);
    if (!strchr("Z+-", *at) || !read_zone(&at, &east_s) || *at)
        return false;
    int day = tm.tm_mday;
    time_t seconds = timegm(&tm);
    return tm.tm_mday == day && tell(seconds - east_s, ms);
}
