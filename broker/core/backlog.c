/* What waits in a queue, as people are told of it: nothing is searched for it, so that who asks
 * costs little.
 */
#include "backlog.h"
#include "groups.h"
#include "ready.h"

#include <utlist.h>

enum { SHELVES_LOOKED_AT = 256 }; /* the most urgent ones, for the oldest job */

/* Has every worker of the queue that could have taken it passed over this place in the level? */
static bool
is_passed_over(struct level *level, uint64_t sequence)
{
    const struct queue *q = level->queue;
    const struct post *p = q->servings.posts.all;
    bool passed = q->servings.count > 0 || p;
    for (uint32_t i = 0; i < q->servings.count && passed; i++)
        passed = q->servings.list[i].kinds &&
            book_scan_is_past(level, book_scan(level, q->servings.list[i].kinds), sequence);
    for (; p && passed; p = p->next_here)
        passed = p->pool->terms.kinds &&
            book_scan_is_past(level, book_scan(level, p->pool->terms.kinds), sequence);
    return passed;
}

static bool
is_served(const struct queue *q, struct slice kind)
{
    for (uint32_t i = 0; i < q->servings.count; i++)
        if (kinds_have(q->servings.list[i].kinds, kind))
            return true;
    for (const struct post *p = q->servings.posts.all; p; p = p->next_here)
        if (kinds_have(p->pool->terms.kinds, kind))
            return true;
    return false;
}

/* Of the jobs of groups, whoever is not taken comes to be the first that stands. */
static bool
first_of_groups_is_unserved(struct core *core, struct level *level)
{
    const struct group_turn begin = {0, 0};
    struct standing s;
    struct slice bytes;
    struct record r;
    if (level->groups.standing == 0 || !groups_next(core, level, &begin, &s) ||
        !store_get(core->store, STORE_LIVE, id_key(&s.key), &bytes) ||
        !record_decode(&r, &s.key, bytes) || is_served(level->queue, r.kind))
        return false;
    slice_to_text(core->scratch.unserved, sizeof core->scratch.unserved, r.kind);
    return true;
}

const char *
backlog_unserved(struct core *core, struct queue *q)
{
    const struct shelf *s;
    if (q->servings.count == 0 && !q->servings.posts.all)
        return NULL;
    if (posts_have_kinds(&q->servings.posts, NULL))
        return NULL;
    for (uint32_t i = 0; i < q->servings.count; i++)
        if (!q->servings.list[i].kinds)
            return NULL;
    for (uint32_t i = 0; i < q->levels_count; i++) {
        struct stint_id id;
        struct slice bytes;
        struct record r;
        struct level *level = q->levels[i];
        if (level->jobs[STINT_READY] > level->apart && !level->lost &&
            book_peek_ready(&core->book, level, &id, &bytes) &&
            is_passed_over(level, id_sequence(&id)) && record_decode(&r, &id, bytes)) {
            slice_to_text(core->scratch.unserved, sizeof core->scratch.unserved, r.kind);
            return core->scratch.unserved;
        }
        if (first_of_groups_is_unserved(core, level))
            return core->scratch.unserved;
    }
    DL_FOREACH (q->shelves, s)
        if (!is_served(q, text_slice(s->kind)))
            return s->kind;
    return NULL;
}

uint64_t
backlog_oldest_ready_ms(struct core *core, struct queue *q)
{
    const struct shelf *s;
    uint64_t first_ms = UINT64_MAX;
    for (uint32_t i = 0; i < q->levels_count; i++) {
        struct stint_id id;
        struct slice bytes;
        struct record r;
        struct level *level = q->levels[i];
        if (level->jobs[STINT_READY] == level->apart - level->groups.ready)
            continue;
        core->step.listed++;
        if (book_glance_ready(&core->book, level, &id, &bytes) && record_decode(&r, &id, bytes))
            first_ms = earlier(first_ms, r.submitted_ms);
    }
    unsigned looked = 0;
    for (s = q->shelves; s && looked < SHELVES_LOOKED_AT; s = s->next, looked++)
        first_ms = earlier(first_ms, s->jobs->submitted_ms);
    if (first_ms == UINT64_MAX)
        return 0;
    return core->clocks.wall_ms > first_ms ? core->clocks.wall_ms - first_ms : 1;
}
