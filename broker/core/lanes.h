/* How far a level was searched: for all jobs, for those of some kinds, and for those of a want. */
#ifndef LANES_H
#define LANES_H

#include "wants.h"

/* No ready job stands before `head`, nor, of those before `met`, at or behind `tail`; apart from
 * those that are kept apart, those of groups, and those that need something, which lanes find. That
 * holds in any order of the queue, though only one that is LIFO is searched back from the tail. */
struct reach {
    uint64_t head, tail, met;
};

/* The same for jobs of these kinds; and no job of a group that stands before this turn. */
struct scan {
    const struct kinds *kinds;
    struct reach reach;
    struct group_turn {
        uint64_t turn, sequence; /* turn UINT64_MAX: none that stands */
    } stood;
};

/* Of a want in a level. */
struct lane {
    struct want *want;
    struct reach reach; /* of workers that handle all kinds */
    struct scan *scans; /* of others */
    uint32_t scans_count, scans_size;
};

struct lanes {
    struct lane *list;
    uint32_t count, size;
    /* The first and the last sequence of jobs that were passed over as their queue had too many
     * wants; first 0: there are none. */
    uint64_t passed_first, passed_last;
};

static inline void
reach_to(struct reach *reach, uint64_t sequence)
{
    if (sequence < reach->head)
        reach->head = sequence;
    if (sequence >= reach->tail)
        reach->tail = sequence + 1;
}

/* The lane of this want; NULL: there is none. `lanes` may be NULL. */
struct lane *lanes_find(const struct lanes *lanes, const struct want *want);
/* The same, made, at this place, if it is not there. */
struct lane *lanes_get(struct lanes **lanes, struct want *want, const struct reach *begin);
void lanes_remove(struct lanes *lanes, struct lane *lane);
/* How far it was searched for these kinds (NULL: all). Borrowed until another one is asked for. */
struct reach *lane_reach(struct lane *lane, const struct kinds *kinds);
/* A job of the level became ready there. */
void lanes_ready_at(struct lanes *lanes, uint64_t sequence);
/* Nobody searches for these kinds any more. */
void lanes_end_scans(struct lanes *lanes, const struct kinds *kinds);
/* A job was passed over whose want has no lane, as there are too many. */
void lanes_pass(struct lanes **lanes, uint64_t sequence);
void lanes_end(struct lanes **lanes);

#endif
