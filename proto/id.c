/* The text form of a job's id. */
#include "id.h"
#include "stint_job.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>

char *
stint_id_format(const struct stint_id *id, char text[STINT_ID_TEXT_BYTES])
{
    (void)snprintf(text, STINT_ID_TEXT_BYTES, "%u.%" PRIu32 ".%u.%" PRIu64, id_broker(id),
        id_queue(id), id_priority(id), id_sequence(id));
    return text;
}

/* Reads digits up to `stop`; leading zeros are refused, so that each id has one text. */
static bool
read_number(const char **at, char stop, uint64_t max, uint64_t *value)
{
    const char *s = *at;
    uint64_t n = 0;
    if (*s == '0' && s[1] != stop)
        return false;
    if (*s == stop)
        return false;
    for (; *s != stop; s++) {
        if (*s < '0' || *s > '9')
            return false;
        uint64_t digit = (uint64_t)(*s - '0');
        if (n > (max - digit) / 10)
            return false;
        n = n * 10 + digit;
    }
    *at = stop ? s + 1 : s;
    *value = n;
    return true;
}

enum stint_status
stint_id_parse(const char *text, struct stint_id *id)
{
    uint64_t broker, queue, priority, sequence;
    if (!read_number(&text, '.', UINT16_MAX, &broker) ||
        !read_number(&text, '.', UINT32_MAX, &queue) ||
        !read_number(&text, '.', UINT8_MAX, &priority) ||
        !read_number(&text, '\0', UINT64_MAX, &sequence))
        return STINT_INVALID;
    *id = id_make((uint16_t)broker, (uint32_t)queue, (uint8_t)priority, sequence);
    return STINT_OK;
}

struct stint_id
stint_earlier(uint32_t index)
{
    return id_make(0, 0, 255, index + 1ULL); /* there is no queue 0 */
}
