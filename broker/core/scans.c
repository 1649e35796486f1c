/* How far levels were searched for some kinds. */
#include "scans.h"

#include <stdlib.h>

struct scan *
book_scan(struct level *level, const struct kinds *kinds)
{
    for (uint32_t i = 0; i < level->scans_count; i++)
        if (level->scans[i].kinds == kinds)
            return &level->scans[i];
    if (level->scans_count == level->scans_size) {
        level->scans_size = level->scans_size ? 2 * level->scans_size : 4;
        level->scans = realloc(level->scans, level->scans_size * sizeof *level->scans);
        if (!level->scans)
            abort();
    }
    struct scan *scan = &level->scans[level->scans_count++];
    *scan = (struct scan){kinds, level->head};
    return scan;
}

void
book_end_scans(struct queue *q, const struct kinds *kinds)
{
    for (uint32_t l = 0; l < q->levels_count; l++) {
        struct level *level = q->levels[l];
        for (uint32_t i = 0; i < level->scans_count; i++)
            if (level->scans[i].kinds == kinds)
                level->scans[i--] = level->scans[--level->scans_count];
    }
}
