/* What workers have passed over; the contract is in group_passed.h. */
#include "group_passed.h"

struct passed *
passed_find(const struct level *level, const struct worker *w)
{
    const struct level_groups *g = &level->groups;
    for (uint32_t i = 0; i < g->passed_count; i++)
        if (g->passed[i].joined == w->joined && g->passed[i].told == w->control.told)
            return &g->passed[i];
    return NULL;
}

struct group_turn
passed_begin(struct passed *p, const struct worker *w)
{
    if (p->room != w->control.room && !p->cut) {
        p->room = w->control.room;
        p->from = p->could;
    }
    return p->from;
}

static bool
is_there(const struct core *core, const struct passed *p)
{
    for (const struct worker *w = core->fleet.workers; w; w = w->next)
        if (w->joined == p->joined)
            return w->control.told == p->told;
    return false;
}

/* Of those that have gone, or told something else, nothing is needed any more. */
static struct passed *
add(const struct core *core, struct level_groups *g)
{
    for (uint32_t i = g->passed_count; g->passed_count == g->passed_size && i-- > 0;)
        if (!is_there(core, &g->passed[i]))
            g->passed[i] = g->passed[--g->passed_count];
    if (g->passed_count == g->passed_size) {
        g->passed_size = g->passed_size ? 2 * g->passed_size : 4;
        g->passed = realloc(g->passed, g->passed_size * sizeof *g->passed);
        if (!g->passed)
            abort();
    }
    return &g->passed[g->passed_count++];
}

void
passed_until(struct core *core, struct level *level, const struct worker *w,
    struct group_turn until, struct group_turn could, bool cut)
{
    struct passed *p = passed_find(level, w);
    if (!p) {
        p = add(core, &level->groups);
        *p = (struct passed){.joined = w->joined, .told = w->control.told, .room = w->control.room};
    }
    p->could = could;
    p->from = until;
    p->cut = cut;
}

static void
back_to(struct group_turn *at, uint64_t turn)
{
    if (turn <= at->turn)
        *at = (struct group_turn){turn, 0};
}

void
passed_stands(struct level *level, uint64_t turn)
{
    for (uint32_t i = 0; i < level->groups.passed_count; i++) {
        back_to(&level->groups.passed[i].could, turn);
        back_to(&level->groups.passed[i].from, turn);
    }
}

void
passed_forget(struct level *level)
{
    level->groups.passed_count = 0;
}
