/* A hash table that is emptied by counting up; the contract is in places.h. */
#include "places.h"

#include <stdlib.h>

struct places *
places_new(void)
{
    struct places *p = calloc(1, sizeof *p);
    if (!p)
        abort();
    return p;
}

void
places_begin(struct places *p)
{
    p->count = 0;
    if (++p->stamp == 0) {
        memset(p->slots, 0, sizeof p->slots);
        p->stamp = 1;
    }
}

struct place_of_jobs *
places_find(struct places *p, const struct job_spec *spec, unsigned priority)
{
    uint64_t at = record_check(spec->queue.data, spec->queue.size, priority) % PLACES_SLOTS;
    for (; p->slots[at].stamp == p->stamp; at = (at + 1) % PLACES_SLOTS) {
        struct place_of_jobs *place = &p->all[p->slots[at].index];
        if (place->priority == priority && same_name(place->first->queue, spec->queue))
            return place;
    }
    assert(p->count < PLACES);
    p->slots[at].stamp = p->stamp;
    p->slots[at].index = p->count;
    struct place_of_jobs *place = &p->all[p->count++];
    *place = (struct place_of_jobs){.first = spec, .priority = priority};
    return place;
}
