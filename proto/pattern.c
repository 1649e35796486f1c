/* Patterns of queues' names; the contract is in pattern.h. */
#include "pattern.h"
#include "limit.h"
#include "message.h"

bool
pattern_matches(struct slice pattern, struct slice name)
{
    size_t size = pattern.size;
    if (pattern_is_open(pattern))
        return name.size >= size - 1 && memcmp(pattern.data, name.data, size - 1) == 0;
    return name.size == size && memcmp(pattern.data, name.data, size) == 0;
}

bool
pattern_covers(struct slice wide, struct slice narrow)
{
    bool open = pattern_is_open(narrow);
    narrow.size -= open;
    return (!open || pattern_is_open(wide)) && pattern_matches(wide, narrow);
}

bool
prefix_is_valid(struct slice pattern)
{
    struct slice begin = pattern;
    begin.size -= pattern_is_open(pattern);
    return begin.size < pattern.size && pattern.size <= LIMIT_NAME_BYTES &&
        (begin.size == 0 || name_is_valid(begin));
}
