/* Expressions, rules of zones and files of zones: whatever is written, it is read or refused. What
 * was read has ticks that come one after the other, at times that the expression means, and no tick
 * between them. The first byte says which; of an expression a rule follows, behind a zero.
 */
#include "cron.h"
#include "fuzz.h"

#include <string.h>

enum { TEXT_MAX = 1000, TICKS = 20 };

static void
try_zone(struct zone *zone)
{
    static const int64_t moments[] = {
        -4000000000, 0, 951782400, 1700000000, 4102444800, 9999999999};
    struct zone_span span;
    if (!zone)
        return;
    for (unsigned i = 0; i < sizeof moments / sizeof *moments; i++) {
        int64_t at = moments[i];
        zone_at(zone, at, &span);
        MUST(span.begin <= at && at < span.end);
        MUST(span.ahead > -27 * 3600 && span.ahead < 27 * 3600);
    }
}

static void
try_ticks(const struct cron *cron, const struct zone *zone)
{
    int64_t at = 1700000000, next;
    for (unsigned i = 0; i < TICKS && cron_next(cron, zone, at, &next); i++) {
        int64_t again;
        MUST(next > at);
        MUST(cron_next(cron, zone, next - 1, &again) && again == next);
        MUST(cron_next(cron, zone, at + (next - at) / 2, &again) && again >= next);
        at = next;
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    char text[TEXT_MAX + 1];
    struct cron cron;
    const char *why = NULL;
    if (size == 0)
        return 0;
    struct zone *zone = NULL;
    if (bytes[0] == 'z') {
        zone = zone_from_file(bytes + 1, size - 1);
        try_zone(zone);
        free(zone);
        return 0;
    }
    size_t used = size - 1 < TEXT_MAX ? size - 1 : TEXT_MAX;
    memcpy(text, bytes + 1, used);
    text[used] = '\0';
    size_t end = strlen(text);
    zone = zone_from_rule(end < used ? text + end + 1 : "UTC0");
    try_zone(zone);
    if (cron_parse(text, &cron, &why)) {
        MUST(cron.minutes && cron.hours && cron.days && cron.months && cron.weekdays);
        if (zone)
            try_ticks(&cron, zone);
    } else
        MUST(why && *why);
    free(zone);
    return 0;
}
