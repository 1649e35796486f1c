/* Time zones: how far a zone's clocks are ahead of UTC, and from when to when. A zone is read from
 * the bytes of a file of tzdata (TZif, RFC 8536) or made from a rule as the variable TZ has it,
 * such as "CET-1CEST,M3.5.0,M10.5.0/3". The C library knows one zone at a time, for a whole
 * process; a broker needs many, and may be part of another program, so it reads them itself. Pure.
 */
#ifndef ZONE_H
#define ZONE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    ZONE_NAME_BYTES = 64, /* with its end */
    ZONE_FILE_BYTES = 1 << 18, /* no file of tzdata is larger than a few KiB */
};

struct zone;

/* A time in which nothing changes, in seconds since 1970. */
struct zone_span {
    int64_t begin, end; /* INT64_MIN, INT64_MAX: none */
    int32_t ahead; /* local time less UTC, in seconds */
};

/* NULL: it is no such thing. Free it with free(). */
struct zone *zone_from_file(const void *bytes, size_t size);
struct zone *zone_from_rule(const char *rule);

/* The span that this moment is in. */
void zone_at(const struct zone *zone, int64_t utc, struct zone_span *span);

/* May it be a zone's name? "Europe/Berlin": parts of letters, digits, + and -, with _ inside. It
 * can then stand behind a directory's name. */
bool zone_name_is_valid(const char *name);

/* What opens the zone of a name; NULL: there is none. */
typedef struct zone *zone_opener(const char *name);

#endif
