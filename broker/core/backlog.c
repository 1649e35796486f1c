/* What waits in a queue, as people are told of it: nothing is searched for it, so that who asks
 * costs little.
 */
#include "backlog.h"
#include "fleet_has.h"
#include "groups.h"
#include "ready.h"
#include "room.h"

#include <utlist.h>

enum {
    SHELVES_LOOKED_AT = 256, /* the most urgent ones, for the oldest job */
    PLAIN_LOOKED_AT = 64, /* jobs that need something, for one that needs nothing */
};

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

/* A kind of jobs in lanes that no worker handles; NULL: there is none, as far as it is seen. */
static const char *
unserved_in_lanes(struct core *core, struct queue *q, struct level *level)
{
    for (uint32_t i = 0; level->lanes && i < level->lanes->count; i++) {
        struct stint_id id;
        struct record r;
        if (!room_peek(core, level, &level->lanes->list[i], NULL, &id, &r) || is_served(q, r.kind))
            continue;
        slice_to_text(core->scratch.unserved, sizeof core->scratch.unserved, r.kind);
        return core->scratch.unserved;
    }
    return NULL;
}

/* The first job that needs nothing, of those that the search for all kinds has not passed; it does
 * not pass it. */
static bool
first_plain(struct core *core, struct level *level, struct stint_id *id, struct record *r)
{
    struct slice bytes;
    for (unsigned n = 0; n < PLAIN_LOOKED_AT; n++) {
        if (level->jobs[STINT_READY] <= level->apart || level->lost ||
            !book_peek_ready(&core->book, level, id, &bytes) || !record_decode(r, id, bytes))
            return false;
        if (!record_has(r, FIELD_NEEDS))
            return true;
        (void)room_meet(core, level, id, r);
        (void)book_next_ready(&core->book, level, id, &bytes);
    }
    return false;
}

/* Of the jobs of groups, whoever is not taken comes to be the first that stands. */
static bool
first_of_groups(struct core *core, struct level *level, struct record *r)
{
    const struct group_turn begin = {0, 0};
    struct standing s;
    struct slice bytes;
    return level->groups.standing > 0 && groups_next(core, level, &begin, &s) &&
        store_get(core->store, STORE_LIVE, id_key(&s.key), &bytes) &&
        record_decode(r, &s.key, bytes);
}

static bool
is_met(const struct core *core, const struct queue *q, const struct needs *needs)
{
    for (const struct worker *w = core->fleet.workers; w; w = w->next)
        if (fleet_worker_could(w, needs) && fleet_worker_serves_queue(w, q))
            return true;
    return false;
}

static bool
groups_are_unmet(struct core *core, struct level *level, char *text)
{
    struct record r;
    if (!first_of_groups(core, level, &r) || !record_has(&r, FIELD_NEEDS))
        return false;
    struct needs *needs = needs_get(&core->needs, r.needs);
    bool met = is_met(core, level->queue, needs);
    needs_put(needs);
    if (!met)
        slice_to_text(text, STINT_NEEDS_BYTES, r.needs);
    return !met;
}

bool
backlog_unmet(struct core *core, struct queue *q, char *text)
{
    for (uint32_t i = 0; i < q->servings.wants.count; i++) {
        const struct want *want = q->servings.wants.list[i];
        bool waits = want->apart > 0;
        for (uint32_t n = 0; n < q->levels_count && !waits; n++) {
            struct stint_id id;
            struct record r;
            struct lane *lane = lanes_find(q->levels[n]->lanes, want);
            waits = lane && room_peek(core, q->levels[n], lane, NULL, &id, &r);
        }
        if (!waits || is_met(core, q, want->needs))
            continue;
        memcpy(text, want->needs->text, want->needs->size);
        text[want->needs->size] = '\0';
        return true;
    }
    for (uint32_t i = 0; i < q->levels_count; i++)
        if (groups_are_unmet(core, q->levels[i], text))
            return true;
    return false;
}

static bool
first_of_groups_is_unserved(struct core *core, struct level *level)
{
    struct record r;
    if (!first_of_groups(core, level, &r) || is_served(level->queue, r.kind))
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
        struct record r;
        struct level *level = q->levels[i];
        const char *kind = unserved_in_lanes(core, q, level);
        if (kind)
            return kind;
        if (first_plain(core, level, &id, &r) && is_passed_over(level, id_sequence(&id))) {
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
