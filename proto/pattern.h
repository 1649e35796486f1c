/* Patterns of queues' names: a name, or how names begin and a `*` behind it. `*` alone is all. Keys
 * grant by them, figures and feeds are asked for by them, and workers serve by them.
 */
#ifndef PATTERN_H
#define PATTERN_H

#include "pack.h"

/* Does it mean all names that begin so? */
static inline bool
pattern_is_open(struct slice pattern)
{
    return pattern.size > 0 && pattern.data[pattern.size - 1] == '*';
}

bool pattern_matches(struct slice pattern, struct slice name);
/* Is all that `narrow` matches matched by `wide`? */
bool pattern_covers(struct slice wide, struct slice narrow);
/* Is it how names begin, or nothing, with a `*` behind it? It is no longer than a name. */
bool prefix_is_valid(struct slice pattern);

#endif
