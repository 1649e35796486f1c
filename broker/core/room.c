/* Room for jobs that need something; the contract is in room.h. */
#include "room.h"
#include "fleet_has.h"
#include "pace.h"
#include "ready.h"

#include <utlist.h>

enum {
    PEEKED = 256, /* rows that are looked at for one job */
    SWEEP_EVERY_MS = 1000,
};

bool
room_fits(const struct worker *w, const struct needs *n, const struct want *want)
{
    bool free = n->amounts_count == 0 ||
        ((!w->serves.reserved || w->serves.reserved == want) && has_free(w->control.has, n));
    return free && fleet_worker_could(w, n);
}

static bool
fits(const struct worker *w, const struct want *want)
{
    return room_fits(w, want->needs, want);
}

static struct reach *
plain_reach(struct level *level, const struct kinds *kinds)
{
    return kinds ? &book_scan(level, kinds)->reach : &level->reach;
}

bool
room_may_have(struct level *level, const struct worker *w, bool fitting)
{
    const struct kinds *kinds = w->serves.kinds;
    if (book_reach_is_open(level, plain_reach(level, kinds)) ||
        (!fitting && level->lanes->passed_first))
        return true;
    for (uint32_t i = 0; i < level->lanes->count; i++) {
        struct lane *lane = &level->lanes->list[i];
        if (book_reach_is_open(level, lane_reach(lane, kinds)) && (!fitting || fits(w, lane->want)))
            return true;
    }
    return false;
}

/* Where a search back begins. */
static uint64_t
top_of(const struct level *level, const struct reach *r)
{
    return r->met < level->next ? level->next : r->tail;
}

/* All that the worker has room for is searched at once. */
struct sources {
    struct reach *reaches[LIMIT_QUEUE_NEEDS + 1];
    struct want *wants[LIMIT_QUEUE_NEEDS + 1]; /* NULL: it is for jobs that need nothing */
    uint32_t count;
    struct reach nearest;
};

static void
add_source(struct sources *s, const struct level *level, struct reach *reach, struct want *want)
{
    if (!book_reach_is_open(level, reach))
        return;
    assert(s->count <= LIMIT_QUEUE_NEEDS);
    s->wants[s->count] = want;
    s->reaches[s->count++] = reach;
    s->nearest.head = earlier(s->nearest.head, reach->head);
    s->nearest.tail = later(s->nearest.tail, top_of(level, reach));
}

/* What was found stands there; what stands before it is none of theirs. */
static void
move_source(const struct level *level, struct reach *r, uint64_t sequence)
{
    if (!level->queue->set.lifo)
        r->head = later(r->head, sequence + 1);
    else if (top_of(level, r) > sequence) {
        r->tail = sequence;
        r->met = level->next;
    }
}

/* It is searched from there on: what was passed over so far is none of theirs. */
static void
stop_source(const struct level *level, struct reach *r, const struct reach *stopped)
{
    if (!level->queue->set.lifo)
        r->head = later(r->head, stopped->head);
    else if (top_of(level, r) > stopped->tail) {
        r->tail = stopped->tail;
        r->met = level->next;
    }
}

bool
room_next(struct core *core, struct level *level, const struct worker *w, struct stint_id *key,
    struct slice *bytes)
{
    struct sources s = {.nearest = {.head = level->next, .met = level->next}};
    add_source(&s, level, plain_reach(level, w->serves.kinds), NULL);
    for (uint32_t i = 0; i < level->lanes->count; i++) {
        struct lane *lane = &level->lanes->list[i];
        if (fits(w, lane->want))
            add_source(&s, level, lane_reach(lane, w->serves.kinds), lane->want);
    }
    if (s.count == 0)
        return false;
    bool some = level->jobs[STINT_READY] > level->apart;
    bool found = some && book_reach_ready(&core->book, level, &s.nearest, key, bytes);
    for (uint32_t i = 0; i < s.count; i++) {
        if (found)
            move_source(level, s.reaches[i], id_sequence(key));
        else if (some && book_has_stopped(level))
            stop_source(level, s.reaches[i], &s.nearest);
        else { /* what comes now stands behind it */
            *s.reaches[i] = (struct reach){.head = level->next, .met = level->next};
            if (s.wants[i])
                s.wants[i]->since_ms = 0;
        }
    }
    return found;
}

/* Is this one of the want? */
static bool
is_of(const struct want *want, const struct record *r)
{
    return record_has(r, FIELD_NEEDS) && r->needs.size == want->needs->size &&
        memcmp(r->needs.data, want->needs->text, r->needs.size) == 0;
}

enum peeked { PEEKED_NONE, PEEKED_ONE, PEEKED_ENOUGH };

/* The next job of the lane, if there is one among so many rows. */
static enum peeked
peek(struct core *core, struct level *level, struct lane *lane, const struct kinds *kinds,
    struct stint_id *key, struct record *r)
{
    struct reach *reach = lane_reach(lane, kinds);
    struct slice bytes;
    for (unsigned n = 0; n < PEEKED; n++) {
        bool open = level->jobs[STINT_READY] > level->apart && book_reach_is_open(level, reach);
        if (!open || !book_reach_ready(&core->book, level, reach, key, &bytes)) {
            if (open && book_has_stopped(level))
                return PEEKED_ENOUGH;
            *reach = (struct reach){.head = level->next, .met = level->next};
            return PEEKED_NONE;
        }
        core->step.searched++;
        if (record_decode(r, key, bytes) && is_of(lane->want, r) && kinds_have(kinds, r->kind)) {
            reach_to(reach, id_sequence(key));
            return PEEKED_ONE;
        }
    }
    return PEEKED_ENOUGH;
}

bool
room_peek(struct core *core, struct level *level, struct lane *lane, const struct kinds *kinds,
    struct stint_id *key, struct record *r)
{
    return peek(core, level, lane, kinds, key, r) == PEEKED_ONE;
}

/* Has it no jobs any more, as far as that is quickly told? Where nobody has searched, they may not
 * have been met yet. */
static bool
is_over(struct core *core, struct want *want)
{
    const struct reach begin = {.head = 0};
    struct queue *q = want->queue;
    struct stint_id key;
    struct record r;
    bool over = want->reserved == 0 && want->apart == 0 && !want->grouped;
    for (uint32_t i = 0; over && i < q->levels_count; i++) {
        struct level *level = q->levels[i];
        if (level->jobs[STINT_READY] > level->apart)
            over = peek(core, level, lanes_get(&level->lanes, want, &begin), NULL, &key, &r) ==
                PEEKED_NONE;
    }
    return over;
}

static void
remove_want(struct queue *q, struct want *want)
{
    for (uint32_t i = 0; i < q->levels_count; i++) {
        struct lane *lane = lanes_find(q->levels[i]->lanes, want);
        if (lane)
            lanes_remove(q->levels[i]->lanes, lane);
    }
    wants_remove(&q->servings.wants, want);
}

/* Wants without jobs go; then others that had no place are looked for again. */
static void
sweep(struct core *core, struct queue *q)
{
    struct wants *wants = &q->servings.wants;
    uint64_t now_ms = later(core->clocks.now_ms, 1);
    uint32_t before = wants->count;
    if (wants->swept_ms && now_ms - wants->swept_ms < SWEEP_EVERY_MS)
        return;
    wants->swept_ms = now_ms;
    for (uint32_t i = wants->count; i-- > 0;)
        if (is_over(core, wants->list[i]))
            remove_want(q, wants->list[i]);
    for (uint32_t i = 0; wants->count < before && i < q->levels_count; i++) {
        struct lanes *l = q->levels[i]->lanes;
        if (!l || !l->passed_first)
            continue;
        uint64_t first = l->passed_first, last = l->passed_last;
        l->passed_first = l->passed_last = 0;
        book_ready_at(q->levels[i], first);
        book_ready_at(q->levels[i], last);
    }
}

struct want *
room_want(struct core *core, struct queue *q, struct slice needs)
{
    struct want *want = wants_get(&q->servings.wants, q, &core->needs, needs);
    if (want)
        return want;
    sweep(core, q);
    return wants_get(&q->servings.wants, q, &core->needs, needs);
}

bool
room_admits(struct core *core, struct queue *q, struct slice needs)
{
    char text[LIMIT_HAS_BYTES + 1];
    size_t size;
    const char *why = needs_write(NEEDS_OF_JOB, needs, text, &size);
    assert(!why);
    return room_want(core, q, (struct slice){(const uint8_t *)text, size}) != NULL;
}

void
room_record(struct core *core, struct record *r, const struct job_spec *spec)
{
    size_t size;
    const char *why = needs_write(NEEDS_OF_JOB, spec->needs, core->scratch.needs, &size);
    assert(!why);
    record_set_needs(r, (struct slice){(const uint8_t *)core->scratch.needs, size});
    record_set_body(r, spec->payload);
}

/* Searching, which has moved all that the worker has room for, finds it again. */
static void
put_back(struct level *level, const struct worker *w, uint64_t sequence)
{
    reach_to(plain_reach(level, w->serves.kinds), sequence);
    for (uint32_t i = 0; i < level->lanes->count; i++)
        if (fits(w, level->lanes->list[i].want))
            reach_to(lane_reach(&level->lanes->list[i], w->serves.kinds), sequence);
}

struct want *
room_meet(
    struct core *core, struct level *level, const struct stint_id *key, const struct record *r)
{
    const uint64_t sequence = id_sequence(key);
    struct want *want = room_want(core, level->queue, r->needs);
    /* None of it was met before, so none stands before it. */
    const struct reach begin = {.head = level->queue->set.lifo ? 0 : sequence};
    if (want)
        (void)lanes_get(&level->lanes, want, &begin);
    else
        lanes_pass(&level->lanes, sequence);
    return want;
}

enum room
room_judge(struct core *core, struct worker *w, struct level *level, const struct stint_id *key,
    const struct record *r)
{
    struct want *want = room_meet(core, level, key, r);
    if (!want || !kinds_have(w->serves.kinds, r->kind) || !fits(w, want))
        return ROOM_NONE;
    if (w->counts.held < w->slots)
        return ROOM_GOOD;
    put_back(level, w, id_sequence(key));
    if (w->slots > 0 && !w->serves.reserved && want->reserved == 0)
        fleet_worker_reserve(w, want);
    return ROOM_SLOT;
}

void
room_given(struct core *core, const struct queue *q, const struct record *r)
{
    struct want *want = wants_find(&q->servings.wants, r->needs);
    if (!want)
        return;
    want->since_ms = 0;
    want->grouped = false; /* if there is another one, whoever looks meets it */
    for (struct worker *w = core->fleet.workers; w && want->reserved > 0; w = w->next)
        if (w->serves.reserved == want)
            fleet_worker_reserve(w, NULL);
}

/* How many workers are to make room for what has waited for so long. */
static uint32_t
may_reserve(uint64_t waited_ms)
{
    uint32_t workers = 0;
    for (uint64_t ms = RESERVE_AFTER_MS; ms <= waited_ms; ms *= 2)
        workers++;
    return workers;
}

/* It finds no room at a worker that could run it. Returns whether it is to be reserved one, rather
 * than `other`. */
static bool
has_waited(const struct core *core, struct want *want, const struct want *other)
{
    uint64_t now_ms = later(core->clocks.now_ms, 1);
    if (!want->since_ms)
        want->since_ms = now_ms;
    return want->reserved < may_reserve(now_ms - want->since_ms) &&
        (!other || want->since_ms < other->since_ms);
}

/* Of the level, the want that has waited longest, if that is longer than the other one has.
 * `*some`: there may be something that the worker has room for. */
static struct want *
survey_level(const struct core *core, const struct worker *w, struct level *level,
    struct want *other, bool *some)
{
    const struct kinds *kinds = w->serves.kinds;
    *some = book_reach_is_open(level, plain_reach(level, kinds));
    for (uint32_t i = 0; level->lanes && i < level->lanes->count; i++) {
        struct lane *lane = &level->lanes->list[i];
        if (!book_reach_is_open(level, lane_reach(lane, kinds)))
            continue;
        bool has_room = fits(w, lane->want);
        *some |= has_room;
        if (!has_room && fleet_worker_could(w, lane->want->needs) &&
            has_waited(core, lane->want, other))
            other = lane->want;
    }
    return other;
}

bool
refusers_have(const struct refusers *refusers, const struct worker *w)
{
    for (uint32_t i = 0; refusers && i < refusers->count; i++)
        if (memcmp(refusers->sessions[i], w->session, SESSION_BYTES) == 0)
            return true;
    return false;
}

/* May one of the want's jobs that are kept apart go to the worker, once that has room? */
static bool
is_apart_for(const struct worker *w, const struct want *want)
{
    const struct shelf *s;
    const struct apart *a;
    if (want->apart == 0)
        return false;
    DL_FOREACH (want->queue->shelves, s)
        if (kinds_have(w->serves.kinds, text_slice(s->kind)))
            DL_FOREACH (s->jobs, a)
                if (a->want == want && !refusers_have(a->refusers, w))
                    return true;
    return false;
}

void
room_survey(struct core *core, struct worker *w, struct queue *q)
{
    struct wants *wants = &q->servings.wants;
    struct want *longest = NULL;
    bool some = false, passed = false;
    if (wants->count == 0)
        return;
    for (uint32_t i = 0; i < q->levels_count && !some; i++) {
        struct level *level = q->levels[i];
        passed |= level->lanes && level->lanes->passed_first;
        if (level->jobs[STINT_READY] > level->apart)
            longest = survey_level(core, w, level, longest, &some);
    }
    for (uint32_t i = 0; i < wants->count; i++) {
        struct want *want = wants->list[i];
        if (!fits(w, want) && fleet_worker_could(w, want->needs) &&
            (want->grouped || is_apart_for(w, want)) && has_waited(core, want, longest))
            longest = want;
    }
    if (longest && !w->serves.reserved)
        fleet_worker_reserve(w, longest);
    if (passed)
        sweep(core, q);
}

bool
room_waits(const struct worker *w)
{
    const struct want *want = w->serves.reserved;
    return want && w->counts.held >= w->slots && has_free(w->control.has, want->needs);
}

/* Is there a job for it, as far as that is quickly told? */
static bool
is_wanted(struct core *core, const struct worker *w, struct want *want)
{
    const struct queue *q = want->queue;
    struct stint_id key;
    struct record r;
    bool found = want->grouped || is_apart_for(w, want);
    for (uint32_t i = 0; !found && i < q->levels_count; i++) {
        struct lane *lane = lanes_find(q->levels[i]->lanes, want);
        found = lane && peek(core, q->levels[i], lane, w->serves.kinds, &key, &r) != PEEKED_NONE;
    }
    return found;
}

enum room
room_reserved(struct core *core, struct worker *w)
{
    struct want *want = w->serves.reserved;
    const struct queue *q = want->queue;
    if (q->set.paused || pace_room(q) == 0 || w->slots == 0 || !fleet_worker_serves_queue(w, q) ||
        !fleet_worker_could(w, want->needs) || !is_wanted(core, w, want)) {
        want->since_ms = 0;
        fleet_worker_reserve(w, NULL);
        return ROOM_NONE;
    }
    if (!has_free(w->control.has, want->needs))
        return ROOM_NONE;
    return w->counts.held < w->slots ? ROOM_GOOD : ROOM_SLOT;
}

/* What is taken of each amount is what the jobs take that the worker holds. */
static void
check_taken(const struct worker *w)
{
    const struct has *h = w->control.has;
    uint64_t taken[LIMIT_HAS] = {0};
    for (const struct lease *l = w->leases; l; l = l->next)
        for (uint32_t i = 0; l->leased.needs && i < l->leased.needs->amounts_count; i++)
            for (uint32_t n = 0; n < h->amounts_count; n++)
                if (has_is(&h->amounts[n].most, &l->leased.needs->amounts[i]))
                    taken[n] += l->leased.needs->amounts[i].value;
    for (uint32_t n = 0; n < h->amounts_count; n++)
        assert(taken[n] == h->amounts[n].taken);
}

void
room_check(const struct core *core)
{
    uint32_t reserved = 0, wanted = 0;
    for (const struct worker *w = core->fleet.workers; w; w = w->next) {
        reserved += w->serves.reserved != NULL;
        assert(!w->serves.reserved || w->serves.reserved->reserved > 0);
        if (w->control.has)
            check_taken(w);
    }
    for (const struct queue *q = core->book.by_name; q; q = q->hh.next) {
        wanted += q->servings.wants.reserved;
        for (uint32_t i = 0; i < q->levels_count; i++)
            assert(!q->levels[i]->lanes || q->levels[i]->lanes->count <= q->servings.wants.count);
    }
    for (const struct queue *q = core->book.expected.queues; q; q = q->hh.next)
        wanted += q->servings.wants.reserved;
    assert(reserved == wanted);
}
