/* Time zones; the contract is in zone.h. */
#include "zone.h"
#include "bytes.h"
#include "civil.h"

#include <stdlib.h>

enum { DAY_S = 86400, AHEAD_MAX_S = 26 * 3600, NAME_LETTERS = 3, TRANSITIONS_MAX = 4096 };

/* When a rule's clocks change: a day of each year and a time of that day, by the clocks before. */
struct change {
    enum { CHANGE_JULIAN, CHANGE_DAY, CHANGE_WEEKDAY } by;
    int month, week, day;
    int32_t time_s;
};

struct rule {
    bool is_set, has_summer;
    int32_t ahead, summer_ahead;
    struct change summer, winter; /* when each begins */
};

struct transition {
    int64_t at;
    int32_t ahead; /* from then on */
};

struct zone {
    struct rule rule; /* for what comes after the last transition */
    int32_t first_ahead; /* before the first one */
    uint32_t count;
    struct transition transitions[];
};

/* ---- rules ---- */

static bool
take(const char **at, char c)
{
    if (**at != c)
        return false;
    ++*at;
    return true;
}

static bool
take_number(const char **at, int most, int *value)
{
    const char *begin = *at;
    for (*value = 0; **at >= '0' && **at <= '9' && *at - begin < 5; ++*at)
        *value = 10 * *value + (**at - '0');
    return *at > begin && *value <= most;
}

static bool
is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool
is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* What its clocks are called: letters, or more than that in angle brackets. */
static bool
take_name(const char **at)
{
    const char *begin = *at;
    if (take(at, '<')) {
        while (is_letter(**at) || is_digit(**at) || **at == '+' || **at == '-')
            ++*at;
        return *at - begin > NAME_LETTERS && take(at, '>');
    }
    while (is_letter(**at))
        ++*at;
    return *at - begin >= NAME_LETTERS;
}

/* Hours, and perhaps minutes and seconds. */
static bool
take_time(const char **at, int hours_most, int32_t *time_s)
{
    int hours, minutes = 0, seconds = 0;
    bool negative = take(at, '-');
    if (!negative)
        (void)take(at, '+');
    if (!take_number(at, hours_most, &hours) ||
        (take(at, ':') &&
            (!take_number(at, 59, &minutes) || (take(at, ':') && !take_number(at, 59, &seconds)))))
        return false;
    *time_s = hours * 3600 + minutes * 60 + seconds;
    if (negative)
        *time_s = -*time_s;
    return true;
}

static bool
take_change(const char **at, struct change *c)
{
    *c = (struct change){.by = CHANGE_DAY, .time_s = 7200};
    if (!take(at, ','))
        return false;
    if (take(at, 'M')) {
        c->by = CHANGE_WEEKDAY;
        if (!take_number(at, 12, &c->month) || c->month == 0 || !take(at, '.') ||
            !take_number(at, 5, &c->week) || c->week == 0 || !take(at, '.') ||
            !take_number(at, 6, &c->day))
            return false;
    } else {
        if (take(at, 'J'))
            c->by = CHANGE_JULIAN;
        if (!take_number(at, 365, &c->day) || (c->by == CHANGE_JULIAN && c->day == 0))
            return false;
    }
    return !take(at, '/') || take_time(at, 167, &c->time_s);
}

/* A rule says how far UTC is ahead of the zone. */
static bool
read_rule(const char *text, struct rule *r)
{
    const char *at = text;
    *r = (struct rule){.is_set = true};
    if (!take_name(&at) || !take_time(&at, 24, &r->ahead))
        return false;
    r->ahead = -r->ahead;
    if (*at == '\0')
        return true;
    r->has_summer = true;
    r->summer_ahead = r->ahead + 3600;
    if (!take_name(&at))
        return false;
    if (*at != ',') {
        if (!take_time(&at, 24, &r->summer_ahead))
            return false;
        r->summer_ahead = -r->summer_ahead;
    }
    return take_change(&at, &r->summer) && take_change(&at, &r->winter) && *at == '\0';
}

/* Days since 1970. */
static int64_t
day_of(const struct change *c, int64_t year)
{
    if (c->by == CHANGE_DAY)
        return civil_days(year, 1, 1) + c->day;
    if (c->by == CHANGE_JULIAN) /* the 29th of February is not counted */
        return civil_days(year, 1, 1) + c->day - 1 + (c->day >= 60 && civil_is_leap(year));
    int64_t first = civil_days(year, (unsigned)c->month, 1);
    int64_t day = first + (c->day - (int)civil_weekday(first) + 7) % 7 + 7LL * (c->week - 1);
    while (day >= first + (int64_t)civil_month_days(year, (unsigned)c->month))
        day -= 7;
    return day;
}

/* The changes of three years are looked at, so that what stands next to a year's begin is met. */
static void
rule_at(const struct rule *r, int64_t utc, struct zone_span *span)
{
    struct transition all[6] = {{0}};
    unsigned count = 0, n = 0;
    int64_t year = civil_from_days(utc / DAY_S).year;
    *span = (struct zone_span){INT64_MIN, INT64_MAX, r->ahead};
    if (!r->has_summer)
        return;
    for (int64_t y = year - 1; y <= year + 1; y++) {
        struct transition summer = {
            day_of(&r->summer, y) * DAY_S + r->summer.time_s - r->ahead, r->summer_ahead};
        struct transition winter = {
            day_of(&r->winter, y) * DAY_S + r->winter.time_s - r->summer_ahead, r->ahead};
        bool south = winter.at < summer.at;
        all[count++] = south ? winter : summer;
        all[count++] = south ? summer : winter;
    }
    span->ahead = all[1].ahead;
    for (; n < count && all[n].at <= utc; n++) {
        span->begin = all[n].at;
        span->ahead = all[n].ahead;
    }
    if (n < count)
        span->end = all[n].at;
    if (span->end <= span->begin) /* rules that overlap: an end is not before its begin */
        span->end = span->begin + 1;
}

struct zone *
zone_from_rule(const char *text)
{
    struct zone *z = calloc(1, sizeof *z);
    if (!z)
        abort();
    if (!read_rule(text, &z->rule)) {
        free(z);
        return NULL;
    }
    z->first_ahead = z->rule.ahead;
    return z;
}

/* ---- files ---- */

enum { HEAD_BYTES = 44, TYPE_BYTES = 6, RULE_BYTES_MAX = 128 };

/* What is in a block, behind its head. */
struct counts {
    uint32_t in_universal, in_standard, leaps, transitions, types, letters;
};

static bool
read_head(const uint8_t *at, size_t left, struct counts *c)
{
    if (left < HEAD_BYTES || memcmp(at, "TZif", 4) != 0)
        return false;
    uint32_t *const all[] = {
        &c->in_universal, &c->in_standard, &c->leaps, &c->transitions, &c->types, &c->letters};
    for (unsigned i = 0; i < 6; i++) {
        *all[i] = (uint32_t)get_be(at + 20 + 4 * (size_t)i, 4);
        if (*all[i] > ZONE_FILE_BYTES)
            return false;
    }
    return true;
}

static size_t
block_bytes(const struct counts *c, size_t time_bytes)
{
    return (size_t)c->transitions * (time_bytes + 1) + (size_t)c->types * TYPE_BYTES + c->letters +
        (size_t)c->leaps * (time_bytes + 4) + c->in_standard + c->in_universal;
}

static bool
read_ahead(const uint8_t *types, const struct counts *c, unsigned type, int32_t *ahead)
{
    if (type >= c->types)
        return false;
    *ahead = (int32_t)(uint32_t)get_be(types + (size_t)TYPE_BYTES * type, 4);
    return *ahead > -AHEAD_MAX_S && *ahead < AHEAD_MAX_S;
}

static bool
read_transitions(struct zone *z, const uint8_t *at, const struct counts *c)
{
    const uint8_t *numbers = at + 8 * (size_t)c->transitions;
    const uint8_t *types = numbers + c->transitions;
    if (!read_ahead(types, c, 0, &z->first_ahead))
        return false;
    for (; z->count < c->transitions; z->count++) {
        struct transition *t = &z->transitions[z->count];
        t->at = (int64_t)get_be(at + 8 * (size_t)z->count, 8);
        if (!read_ahead(types, c, numbers[z->count], &t->ahead) ||
            (z->count > 0 && t->at <= t[-1].at))
            return false;
    }
    return true;
}

/* The last line: a rule for later times, or nothing. */
static bool
read_last_line(struct zone *z, const uint8_t *at, size_t left)
{
    char text[RULE_BYTES_MAX];
    if (left < 2 || at[0] != '\n')
        return false;
    const uint8_t *end = memchr(at + 1, '\n', left - 1);
    if (!end || end - at > RULE_BYTES_MAX)
        return false;
    size_t size = (size_t)(end - at) - 1;
    memcpy(text, at + 1, size);
    text[size] = '\0';
    return size == 0 || (strlen(text) == size && read_rule(text, &z->rule));
}

/* The first block has times of 32 bits, for old readers; the second one those that count. Zones
 * that count leap seconds are not those of a wall clock. */
struct zone *
zone_from_file(const void *bytes, size_t size)
{
    const uint8_t *at = bytes, *end = at + size;
    struct counts c;
    if (size > ZONE_FILE_BYTES || !read_head(at, size, &c) || at[4] < '2')
        return NULL;
    at += HEAD_BYTES;
    if (block_bytes(&c, 4) > (size_t)(end - at))
        return NULL;
    at += block_bytes(&c, 4);
    if (!read_head(at, (size_t)(end - at), &c))
        return NULL;
    at += HEAD_BYTES;
    if (c.leaps > 0 || c.transitions > TRANSITIONS_MAX || block_bytes(&c, 8) > (size_t)(end - at))
        return NULL;
    struct zone *z = calloc(1, sizeof *z + c.transitions * sizeof *z->transitions);
    if (!z)
        abort();
    if (!read_transitions(z, at, &c) ||
        !read_last_line(z, at + block_bytes(&c, 8), (size_t)(end - at) - block_bytes(&c, 8))) {
        free(z);
        return NULL;
    }
    return z;
}

/* ---- what all of them are asked ---- */

void
zone_at(const struct zone *z, int64_t utc, struct zone_span *span)
{
    uint32_t low = 0, high = z->count;
    while (low < high) {
        uint32_t middle = (low + high) / 2;
        if (z->transitions[middle].at <= utc)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == z->count && z->rule.is_set) {
        rule_at(&z->rule, utc, span);
        if (low > 0 && span->begin < z->transitions[low - 1].at)
            span->begin = z->transitions[low - 1].at;
        return;
    }
    span->begin = low > 0 ? z->transitions[low - 1].at : INT64_MIN;
    span->ahead = low > 0 ? z->transitions[low - 1].ahead : z->first_ahead;
    span->end = low < z->count ? z->transitions[low].at : INT64_MAX;
}

bool
zone_name_is_valid(const char *name)
{
    size_t size = strlen(name);
    bool begins = true;
    if (size == 0 || size >= ZONE_NAME_BYTES || name[size - 1] == '/')
        return false;
    for (const char *c = name; *c; c++) {
        bool plain = is_letter(*c) || is_digit(*c);
        if (!plain && (begins || (*c != '/' && *c != '_' && *c != '-' && *c != '+')))
            return false;
        begins = *c == '/';
    }
    return true;
}
