/* Lanes of a level; the contract is in lanes.h. */
#include "lanes.h"

#include <stdlib.h>

struct lane *
lanes_find(const struct lanes *lanes, const struct want *want)
{
    for (uint32_t i = 0; lanes && i < lanes->count; i++)
        if (lanes->list[i].want == want)
            return &lanes->list[i];
    return NULL;
}

static struct lanes *
open_lanes(struct lanes **lanes)
{
    if (!*lanes)
        *lanes = calloc(1, sizeof **lanes);
    if (!*lanes)
        abort();
    return *lanes;
}

struct lane *
lanes_get(struct lanes **lanes, struct want *want, const struct reach *begin)
{
    struct lane *lane = lanes_find(*lanes, want);
    if (lane)
        return lane;
    struct lanes *l = open_lanes(lanes);
    if (l->count == l->size) {
        l->size = l->size ? 2 * l->size : 4;
        l->list = realloc(l->list, l->size * sizeof *l->list);
        if (!l->list)
            abort();
    }
    lane = &l->list[l->count++];
    *lane = (struct lane){.want = want, .reach = *begin};
    return lane;
}

void
lanes_remove(struct lanes *lanes, struct lane *lane)
{
    free(lane->scans);
    *lane = lanes->list[--lanes->count];
}

struct reach *
lane_reach(struct lane *lane, const struct kinds *kinds)
{
    if (!kinds)
        return &lane->reach;
    for (uint32_t i = 0; i < lane->scans_count; i++)
        if (lane->scans[i].kinds == kinds)
            return &lane->scans[i].reach;
    if (lane->scans_count == lane->scans_size) {
        lane->scans_size = lane->scans_size ? 2 * lane->scans_size : 2;
        lane->scans = realloc(lane->scans, lane->scans_size * sizeof *lane->scans);
        if (!lane->scans)
            abort();
    }
    struct scan *scan = &lane->scans[lane->scans_count++];
    *scan = (struct scan){.kinds = kinds, .reach = lane->reach};
    return &scan->reach;
}

void
lanes_ready_at(struct lanes *lanes, uint64_t sequence)
{
    for (uint32_t l = 0; l < lanes->count; l++) {
        struct lane *lane = &lanes->list[l];
        reach_to(&lane->reach, sequence);
        for (uint32_t i = 0; i < lane->scans_count; i++)
            reach_to(&lane->scans[i].reach, sequence);
    }
}

void
lanes_end_scans(struct lanes *lanes, const struct kinds *kinds)
{
    for (uint32_t l = 0; l < lanes->count; l++) {
        struct lane *lane = &lanes->list[l];
        for (uint32_t i = 0; i < lane->scans_count; i++)
            if (lane->scans[i].kinds == kinds)
                lane->scans[i--] = lane->scans[--lane->scans_count];
    }
}

void
lanes_pass(struct lanes **lanes, uint64_t sequence)
{
    struct lanes *l = open_lanes(lanes);
    if (!l->passed_first || sequence < l->passed_first)
        l->passed_first = sequence;
    if (sequence > l->passed_last)
        l->passed_last = sequence;
}

void
lanes_end(struct lanes **lanes)
{
    for (uint32_t i = 0; *lanes && i < (*lanes)->count; i++)
        free((*lanes)->list[i].scans);
    if (*lanes)
        free((*lanes)->list);
    free(*lanes);
    *lanes = NULL;
}
