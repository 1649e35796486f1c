/* Numbers as people write them; the contract is in units.h. */
#include "units.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct unit {
    const char *name;
    uint64_t scale;
};

/* The largest first; the last one is 1. */
static const struct unit durations[] = {
    {"d", 86400000}, {"h", 3600000}, {"m", 60000}, {"s", 1000}, {"ms", 1}};
static const struct unit sizes[] = {
    {"T", 1ULL << 40}, {"G", 1ULL << 30}, {"M", 1ULL << 20}, {"K", 1ULL << 10}, {"", 1}};
enum { UNITS = sizeof sizes / sizeof *sizes };
_Static_assert(sizeof durations == sizeof sizes, "both tables have as many units");

bool
units_read_number(const char *text, uint64_t *value, const char **rest)
{
    char *end;
    if (*text < '0' || *text > '9') /* strtoull takes blanks and signs */
        return false;
    errno = 0;
    *value = strtoull(text, &end, 10);
    *rest = end;
    return errno == 0;
}

static bool
read_scaled(const char *text, const struct unit units[UNITS], const char *usual, uint64_t *value)
{
    const char *name;
    uint64_t n;
    if (!units_read_number(text, &n, &name))
        return false;
    if (*name == '\0')
        name = usual;
    for (unsigned i = 0; i < UNITS; i++)
        if (strcmp(name, units[i].name) == 0 && n <= UINT64_MAX / units[i].scale) {
            *value = n * units[i].scale;
            return true;
        }
    return false;
}

bool
units_read_duration(const char *text, uint64_t *ms)
{
    return read_scaled(text, durations, "s", ms);
}

bool
units_read_size(const char *text, uint64_t *bytes)
{
    return read_scaled(text, sizes, "", bytes);
}

static char *
write_scaled(uint64_t n, const struct unit units[UNITS], char *text)
{
    unsigned i = 0;
    while (n % units[i].scale != 0)
        i++;
    (void)snprintf(text, UNITS_TEXT_BYTES, "%llu%s", (unsigned long long)(n / units[i].scale),
        n ? units[i].name : "");
    return text;
}

char *
units_write_duration(uint64_t ms, char text[UNITS_TEXT_BYTES])
{
    return write_scaled(ms, durations, text);
}

char *
units_write_size(uint64_t bytes, char text[UNITS_TEXT_BYTES])
{
    return write_scaled(bytes, sizes, text);
}
