/* Expressions of crontab(5); the contract is in cron.h.
 *
 * The next tick is looked for in the spans of the zone, one after the other. Within a span local
 * time is UTC and a number, so the search is one for the next local minute, day by day.
 */
#include "cron.h"
#include "civil.h"

#include <string.h>

enum { DAY_MINUTES = 24 * 60, SPANS_MAX = 4096 };

/* ---- parsing ---- */

struct field {
    unsigned least, most;
    const char *names; /* three letters each; NULL: none */
    unsigned first; /* what the first name means */
    const char *why; /* what is said of one that is none */
};

static const struct field fields[] = {
    {0, 59, NULL, 0, "the first field, minutes, has numbers from 0 to 59"},
    {0, 23, NULL, 0, "the second field, hours, has numbers from 0 to 23"},
    {1, 31, NULL, 0, "the third field, days of the month, has numbers from 1 to 31"},
    {1, 12, "janfebmaraprmayjunjulaugsepoctnovdec", 1,
        "the fourth field, months, has numbers from 1 to 12, or jan to dec"},
    {0, 7, "sunmontuewedthufrisat", 0,
        "the fifth field, days of the week, has numbers from 0 to 7, or sun to sat"},
};
enum { FIELDS = sizeof fields / sizeof *fields };

static const struct {
    const char *name, *means;
} nicknames[] = {{"@yearly", "0 0 1 1 *"}, {"@annually", "0 0 1 1 *"}, {"@monthly", "0 0 1 * *"},
    {"@weekly", "0 0 * * 0"}, {"@daily", "0 0 * * *"}, {"@midnight", "0 0 * * *"},
    {"@hourly", "0 * * * *"}};

static bool
is_blank(char c)
{
    return c == ' ' || c == '\t';
}

static char
lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

static bool
take_name(const char **at, const struct field *f, unsigned *value)
{
    for (unsigned i = 0; f->names && f->names[3 * (size_t)i]; i++) {
        const char *name = f->names + 3 * (size_t)i;
        if (lower((*at)[0]) == name[0] && lower((*at)[1]) == name[1] &&
            lower((*at)[2]) == name[2]) {
            *value = f->first + i;
            *at += 3;
            return true;
        }
    }
    return false;
}

static bool
take_number(const char **at, unsigned *value)
{
    const char *begin = *at;
    for (*value = 0; **at >= '0' && **at <= '9' && *at - begin < 4; ++*at)
        *value = 10 * *value + (unsigned)(**at - '0');
    return *at > begin;
}

static bool
take_value(const char **at, const struct field *f, unsigned *value)
{
    return (take_number(at, value) || take_name(at, f, value)) && *value >= f->least &&
        *value <= f->most;
}

/* `*`, a number, a range, with a step behind it or not. */
static bool
take_part(const char **at, const struct field *f, uint64_t *bits, const char **why)
{
    unsigned from = f->least, to = f->most, step = 1;
    bool single = false;
    *why = f->why;
    if (**at == '*')
        ++*at;
    else {
        if (!take_value(at, f, &from))
            return false;
        to = from;
        single = **at != '-';
        if (!single) {
            ++*at;
            const char *end = *at;
            if (!take_value(at, f, &to))
                return false;
            if (f->most == 7 && to == 0 && from > 0 && lower(*end) == 's')
                to = 7; /* fri-sun */
        }
        if (from > to) {
            *why = "a range goes from the smaller to the larger number";
            return false;
        }
    }
    if (**at == '/') {
        ++*at;
        if (single || !take_number(at, &step) || step == 0 || step > f->most) {
            *why = "a step, from 1 to the largest number of its field, stands behind * or a range";
            return false;
        }
    }
    for (unsigned n = from; n <= to; n += step)
        *bits |= UINT64_C(1) << n;
    return true;
}

static bool
take_field(const char **at, const struct field *f, uint64_t *bits, const char **why)
{
    *bits = 0;
    do {
        if (!take_part(at, f, bits, why))
            return false;
    } while (**at == ',' && *++*at);
    *why = f->why;
    return **at == '\0' ? (*at)[-1] != ',' : is_blank(**at);
}

static bool
parse_fields(const char *text, struct cron *c, const char **why)
{
    uint64_t bits[FIELDS];
    bool stars[FIELDS];
    const char *at = text;
    for (unsigned i = 0; i < FIELDS; i++) {
        while (is_blank(*at))
            at++;
        stars[i] = *at == '*';
        if (*at == '\0') {
            *why = "an expression has five fields: minute, hour, day of the month, month, day of "
                   "the week";
            return false;
        }
        if (!take_field(&at, &fields[i], &bits[i], why))
            return false;
    }
    while (is_blank(*at))
        at++;
    if (*at != '\0') {
        *why = "an expression has five fields, and nothing behind them";
        return false;
    }
    *c = (struct cron){.minutes = bits[0],
        .hours = (uint32_t)bits[1],
        .days = (uint32_t)bits[2],
        .months = (uint16_t)bits[3],
        .weekdays = (uint8_t)((bits[4] | bits[4] >> 7) & 0x7f),
        .either = !stars[2] && !stars[4],
        .follows = stars[0] || stars[1]};
    return true;
}

bool
cron_parse(const char *text, struct cron *c, const char **why)
{
    while (is_blank(*text))
        text++;
    if (*text != '@')
        return parse_fields(text, c, why);
    for (unsigned i = 0; i < sizeof nicknames / sizeof *nicknames; i++) {
        const char *at = text, *name = nicknames[i].name;
        for (; *name && lower(*at) == *name; name++)
            at++;
        while (is_blank(*at))
            at++;
        if (*name == '\0' && *at == '\0')
            return parse_fields(nicknames[i].means, c, why);
    }
    *why = "of words with an @ there are @yearly, @annually, @monthly, @weekly, @daily, @midnight "
           "and @hourly";
    return false;
}

/* ---- the next tick ---- */

static int64_t
divide_down(int64_t a, int64_t b)
{
    return a / b - (a % b < 0);
}

static int64_t
divide_up(int64_t a, int64_t b)
{
    return a / b + (a % b > 0);
}

static bool
means_day(const struct cron *c, const struct civil *date, int64_t day)
{
    bool of_month = (c->days >> date->day & 1) != 0;
    bool of_week = (c->weekdays >> civil_weekday(day) & 1) != 0;
    return c->either ? of_month || of_week : of_month && of_week;
}

static unsigned
lowest(uint64_t bits)
{
    return (unsigned)__builtin_ctzll(bits);
}

/* The first minute of a day that is meant, from this one on. */
static bool
next_in_day(const struct cron *c, unsigned from, unsigned *minute)
{
    unsigned hour = from / 60;
    uint64_t hours = (uint64_t)c->hours >> hour << hour;
    uint64_t minutes = c->minutes >> from % 60 << from % 60;
    if ((hours >> hour & 1) && minutes) {
        *minute = 60 * hour + lowest(minutes);
        return true;
    }
    hours = hours >> (hour + 1) << (hour + 1);
    if (!hours)
        return false;
    *minute = 60 * lowest(hours) + lowest(c->minutes);
    return true;
}

/* The first local minute that is meant, from `from` on and before `end`. */
static bool
next_local(const struct cron *c, int64_t from, int64_t end, int64_t *found)
{
    int64_t day = divide_down(from, DAY_MINUTES);
    unsigned minute = (unsigned)(from - day * DAY_MINUTES), at;
    while (day * DAY_MINUTES < end) {
        struct civil date = civil_from_days(day);
        if (!(c->months >> date.month & 1)) {
            day += civil_month_days(date.year, date.month) - date.day + 1;
            minute = 0;
            continue;
        }
        if (means_day(c, &date, day) && next_in_day(c, minute, &at)) {
            *found = day * DAY_MINUTES + at;
            return *found < end;
        }
        day++;
        minute = 0;
    }
    return false;
}

static int64_t
local_of(int64_t utc, int32_t ahead)
{
    return divide_up(utc + ahead, 60);
}

/* In a span, from `from` on. Fixed times that its begin has passed over are due at its begin; those
 * that it shows again are over. */
static bool
next_in_span(const struct cron *c, const struct zone *zone, const struct zone_span *span,
    int64_t from, int64_t end, int64_t *next)
{
    int64_t minute, first = local_of(from, span->ahead);
    if (!c->follows && span->begin != INT64_MIN) {
        struct zone_span before;
        zone_at(zone, span->begin - 1, &before);
        int64_t shown = local_of(span->begin, before.ahead);
        int64_t shows = local_of(span->begin, span->ahead);
        if (from <= span->begin && next_local(c, shown, shows, &minute)) {
            *next = span->begin;
            return true;
        }
        first = first > shown || shown <= shows ? first : shown;
    }
    if (!next_local(c, first, local_of(end, span->ahead), &minute))
        return false;
    *next = minute * 60 - span->ahead;
    return true;
}

bool
cron_next(const struct cron *c, const struct zone *zone, int64_t after, int64_t *next)
{
    int64_t from = after + 1;
    const int64_t last = after + CRON_YEARS * 366LL * 86400;
    for (unsigned n = 0; n < SPANS_MAX && from < last; n++) {
        struct zone_span span;
        zone_at(zone, from, &span);
        if (next_in_span(c, zone, &span, from, span.end < last ? span.end : last, next))
            return true;
        if (span.end == INT64_MAX)
            return false;
        from = span.end;
    }
    return false;
}
