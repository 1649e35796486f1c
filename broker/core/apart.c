/* Jobs that are not handed out like the others. Suspects were lost with a worker: any of them may
 * be what ended it, so each goes to a worker alone, as dispatch.c has it. Others could not be
 * started by some worker, and wait for one that has not said so.
 *
 * Their records stand in STORE_LIVE with all others. Here is only where to find them, while
 * searching passes over them: so they block nobody. After a restart, searching finds the suspects
 * again; who has refused a job is forgotten.
 */
#include "apart.h"
#include "fleet_has.h"
#include "groups.h"
#include "names.h"
#include "room.h"

#include <utlist.h>

enum {
    SHELVES_MAX = 256, /* in a queue */
    LOOKED_AT = 16, /* jobs of a shelf, for one that a worker may be given */
};

static struct apart *
find(const struct core *core, const struct stint_id *key)
{
    struct apart *a = NULL;
    if (core->apart.jobs)
        HASH_FIND(hh, core->apart.jobs, key->bytes, STINT_ID_BYTES, a);
    return a;
}

/* The queue's shelf for such jobs; NULL if it has too many kinds of them. */
static struct shelf *
get_shelf(struct level *level, struct slice kind, bool refused)
{
    struct queue *q = level->queue;
    struct shelf *s, *before = NULL;
    char text[STINT_NAME_BYTES] = {0};
    uint32_t count = 0;
    slice_to_text(text, sizeof text, kind);
    DL_FOREACH (q->shelves, s) {
        count++;
        if (s->level == level && s->refused == refused && memcmp(s->kind, text, sizeof text) == 0)
            return s;
        if (!before && queue_prefers(q, level->priority, s->level->priority))
            before = s;
    }
    if (count >= SHELVES_MAX && !refused)
        return NULL;
    s = calloc(1, sizeof *s);
    if (!s)
        abort();
    s->level = level;
    s->refused = refused;
    memcpy(s->kind, text, sizeof text);
    if (before)
        DL_PREPEND_ELEM(q->shelves, before, s);
    else
        DL_APPEND(q->shelves, s);
    return s;
}

static struct apart *
add(struct core *core, struct shelf *shelf, const struct stint_id *key, const struct record *r)
{
    struct apart *a = calloc(1, sizeof *a);
    if (!a)
        abort();
    a->key = *key;
    a->shelf = shelf;
    a->suspect = record_suspect(r);
    a->grave = a->suspect && record_grave(r);
    a->submitted_ms = r->submitted_ms;
    if (record_has(r, FIELD_NEEDS)) {
        a->needs = needs_get(&core->needs, r->needs);
        a->want = room_want(core, shelf->level->queue, r->needs);
    }
    if (a->want)
        a->want->apart++;
    shelf->level->queue->suspects += a->suspect;
    DL_APPEND(shelf->jobs, a);
    a->grouped = record_has(r, FIELD_GROUP);
    if (a->grouped)
        groups_set_apart(core, shelf->level, key, r);
    HASH_ADD(hh, core->apart.jobs, key, STINT_ID_BYTES, a);
    book_set_apart(&core->book, shelf->level, key);
    return a;
}

bool
apart_keep(
    struct core *core, struct level *level, const struct stint_id *key, const struct record *r)
{
    if (HASH_COUNT(core->apart.jobs) >= core->options.max.apart)
        return false;
    struct shelf *shelf = get_shelf(level, r->kind, false);
    return shelf && add(core, shelf, key, r);
}

/* The other half is for suspects. */
bool
apart_has_room(const struct core *core)
{
    return HASH_COUNT(core->apart.jobs) < core->options.max.apart / 2;
}

void
apart_refused(struct core *core, struct level *level, const struct stint_id *key,
    const struct record *r, struct refusers *refusers)
{
    struct apart *a = add(core, get_shelf(level, r->kind, true), key, r);
    a->refusers = refusers;
    DL_APPEND2(core->apart.refused, a, prev_refused, next_refused);
}

void
apart_take_refusers(struct core *core, struct apart *a)
{
    DL_DELETE2(core->apart.refused, a, prev_refused, next_refused);
    a->refusers = NULL;
}

/* A job of a group is in its line again. */
static void
end(struct core *core, struct apart *a, bool goes_on)
{
    struct shelf *s = a->shelf;
    struct level *level = s->level;
    struct stint_id key = a->key;
    bool grouped = a->grouped && goes_on;
    struct queue *q = s->level->queue;
    book_clear_apart(&core->book, s->level, &a->key);
    HASH_DEL(core->apart.jobs, a); /* NOLINT: it is in the table */
    DL_DELETE(s->jobs, a);
    q->suspects -= a->suspect;
    if (a->want)
        a->want->apart--;
    if (a->needs)
        needs_put(a->needs);
    if (a->refusers) {
        free(a->refusers);
        DL_DELETE2(core->apart.refused, a, prev_refused, next_refused);
    }
    free(a);
    if (!s->jobs) {
        DL_DELETE(q->shelves, s);
        free(s);
    }
    if (grouped)
        groups_clear_apart(core, level, &key);
}

const struct apart *
apart_find(const struct core *core, const struct stint_id *id)
{
    return find(core, id);
}

void
apart_forget(struct core *core, const struct stint_id *key)
{
    struct apart *a = find(core, key);
    if (a)
        end(core, a, true);
}

/* The same of a job that needs something: of those that have it. */
static bool
others_with(const struct core *core, const struct queue *q, struct slice kind,
    const struct needs *needs, const struct refusers *refusers)
{
    for (const struct worker *w = core->fleet.workers; w; w = w->next)
        if (kinds_have(w->serves.kinds, kind) && fleet_worker_could(w, needs) &&
            fleet_worker_serves_queue(w, q) && !refusers_have(refusers, w))
            return true;
    return false;
}

bool
apart_others(struct core *core, const struct queue *q, struct slice kind, const struct needs *needs,
    const struct refusers *refusers)
{
    uint64_t others = 0;
    if (refusers->count == REFUSERS_MAX)
        return false;
    if (needs)
        return others_with(core, q, kind, needs, refusers);
    for (uint32_t i = 0; i < q->servings.count; i++)
        if (kinds_have(q->servings.list[i].kinds, kind))
            others += q->servings.list[i].workers;
    for (const struct post *p = q->servings.posts.all; p; p = p->next_here)
        if (kinds_have(p->pool->terms.kinds, kind))
            others += p->pool->workers;
    for (uint32_t i = 0; others > 0 && i < refusers->count; i++) {
        const struct worker *w = fleet_worker(&core->fleet, refusers->sessions[i]);
        others -= w && kinds_have(w->serves.kinds, kind) && fleet_worker_serves_queue(w, q);
    }
    return others > 0;
}

static int
compare(const struct shelf *a, const struct shelf *b)
{
    const struct queue *q = a->level->queue;
    return queue_prefers(q, a->level->priority, b->level->priority) ? -1
        : queue_prefers(q, b->level->priority, a->level->priority)  ? 1
                                                                    : 0;
}

void
apart_sort(struct queue *q)
{
    DL_SORT(q->shelves, compare);
}

static bool
fits(const struct worker *w, const struct apart *a)
{
    bool shares = !a->suspect || (w->counts.graves == 0 && (!a->grave || w->counts.suspects == 0));
    return shares && !refusers_have(a->refusers, w) &&
        (!a->needs || room_fits(w, a->needs, a->want));
}

static struct apart *
look_through(struct core *core, struct shelf *s, const struct worker *w)
{
    struct apart *a, *next;
    unsigned looked = 0;
    DL_FOREACH_SAFE (s->jobs, a, next) {
        if (fits(w, a) && (!a->grouped || groups_apart_may(core, s->level, &a->key)))
            return a;
        if (++looked == LOOKED_AT)
            break;
        if ((s->refused || a->needs || a->grouped) && next) { /* others come first next time */
            DL_DELETE(s->jobs, a);
            DL_APPEND(s->jobs, a);
        }
    }
    return NULL;
}

struct apart *
apart_for(
    struct core *core, const struct worker *w, const struct queue *q, const struct level *normal)
{
    struct shelf *s;
    DL_FOREACH (q->shelves, s) {
        if (normal && queue_prefers(q, normal->priority, s->level->priority))
            break;
        struct apart *a =
            kinds_have(w->serves.kinds, text_slice(s->kind)) ? look_through(core, s, w) : NULL;
        if (a)
            return a;
    }
    return NULL;
}

void
apart_check(const struct core *core)
{
    uint64_t in_levels = 0, grouped = 0;
    for (const struct apart *a = core->apart.jobs; a; a = a->hh.next) {
        assert(!book_is_running((struct book *)&core->book, &a->key));
        struct stint_id id = a->key;
        (void)names_of((struct book *)&core->book, &a->key, &id);
        assert(!fleet_lease((struct fleet *)&core->fleet, &id));
        assert(a->shelf->refused == (a->refusers != NULL));
    }
    for (const struct queue *q = core->book.by_name; q; q = q->hh.next) {
        uint64_t apart = 0;
        for (uint32_t i = 0; i < q->levels_count; i++) {
            assert(q->levels[i]->apart <= q->levels[i]->jobs[STINT_READY]);
            apart += q->levels[i]->apart;
            grouped += q->levels[i]->groups.ready;
            assert(q->levels[i]->groups.standing <= q->levels[i]->groups.ready);
        }
        assert(apart == q->apart);
        in_levels += apart;
    }
    assert(in_levels == HASH_COUNT(core->apart.jobs) + grouped);
}

void
apart_fini(struct core *core)
{
    struct apart *a, *next;
    HASH_ITER (hh, core->apart.jobs, a, next)
        end(core, a, false);
}
