/* Looking for a job of a group; the contract is in group_look.h. */
#include "group_look.h"
#include "fleet_has.h"
#include "room.h"

struct group_turn
group_behind(const struct standing *s)
{
    return (struct group_turn){s->turn, id_sequence(&s->key) + 1};
}

static bool
is_later(const struct group_turn *a, const struct group_turn *b)
{
    return a->turn > b->turn || (a->turn == b->turn && a->sequence > b->sequence);
}

struct group_look
group_look_begin(const struct level *level, const struct worker *w, const struct scan *scan)
{
    struct passed *p = passed_find(level, w);
    struct group_look look = {.at = scan ? scan->stood : (struct group_turn){0, 0}};
    look.could = look.at;
    if (!p)
        return look;
    struct group_turn from = passed_begin(p, w);
    if (is_later(&from, &look.at)) {
        look.at = from;
        look.passed = true;
    }
    if (is_later(&p->could, &look.could))
        look.could = p->could;
    return look;
}

void
group_look_on(struct group_look *look, const struct standing *s, bool never)
{
    if (never && !is_later(&look->at, &look->could))
        look->could = group_behind(s);
    look->at = group_behind(s);
}

/* It is not to be passed over for ever. */
static void
pass_over(struct core *core, const struct worker *w, struct queue *q, const struct record *r,
    const struct needs *needs)
{
    struct want *want = needs->amounts_count > 0 ? room_want(core, q, r->needs) : NULL;
    if (want && !has_free(w->control.has, needs))
        want->grouped = true;
}

bool
group_look_fits(struct core *core, const struct worker *w, struct queue *q, const struct record *r,
    const struct standing *s, struct group_look *look)
{
    if (!record_has(r, FIELD_NEEDS))
        return true;
    struct needs *needs = needs_get(&core->needs, r->needs);
    bool fits = room_fits(w, needs, wants_find(&q->servings.wants, r->needs));
    if (!fits) {
        bool could = fleet_worker_could(w, needs);
        group_look_on(look, s, !could);
        if (could)
            pass_over(core, w, q, r, needs);
        core->step.roomless++;
        look->passed = true;
    }
    needs_put(needs);
    return fits;
}
