/* What the oracle knows of groups: a job is in the group that it wished; of a group no more is
 * handed out than may be at once and in a time; and in a group the most urgent and oldest job goes
 * first, nothing overtaking one that keeps its place until it is tried again. What is set is told
 * by oracle_queues.c.
 */
#include "keys.h"
#include "oracle_inside.h"

enum { MARGIN_US = 1000 };

const char *const groups_names[GROUPS_NAMES] = {"g", "group", "\xc3\xa4"};

/* Of a group in a queue. */
static struct grouped {
    uint32_t dispatched; /* in this step */
    uint64_t most; /* so many may run, as that was the limit when they came to; UINT64_MAX: any */
    struct {
        uint64_t since_us, count, rate, starts;
    } paced; /* what was handed out since its rate was set */
} groups[KEYS_QUEUES][GROUPS_NAMES];
static uint64_t starts;

void
groups_begin(void)
{
    memset(groups, 0, sizeof groups);
    starts = 0;
}

void
groups_start(void)
{
    starts++;
}

static int
index_of(const struct job *j)
{
    for (int i = 0; i < GROUPS_NAMES; i++)
        if (j->wish.group && strcmp(groups_names[i], j->wish.group) == 0)
            return i;
    return -1;
}

void
groups_read(struct job *j, const struct record *r)
{
    size_t size = j->wish.group ? strlen(j->wish.group) : 0;
    if (r->group.size != size || (size && memcmp(r->group.data, j->wish.group, size) != 0))
        sim_broken("%s is in another group than it wished", job_named(j));
    j->now_holds = record_holds(r);
    if (j->now_holds && r->state != STINT_SCHEDULED)
        sim_broken("%s keeps its group's place, and is not to be tried again", job_named(j));
}

/* Was it in line all through the step? One that is kept apart, or came or went, was not. */
static bool
was_in_line(const struct job *j)
{
    return j->was.state == STINT_READY && j->now.state == STINT_READY && job_is_unchanged(j) &&
        id_compare(&j->key, &j->now_key) == 0 && !j->now.suspect && !j->was_refused;
}

static void
check_order(const struct job *j, const struct group_settings *set)
{
    for (uint32_t i = 0; i < known.count; i++) {
        const struct job *other = &known.jobs[i];
        if (other == j || other->now_queue != j->now_queue || !other->wish.group ||
            strcmp(other->wish.group, j->wish.group) != 0)
            continue;
        if (was_in_line(other) && !j->now.suspect && !j->was_refused &&
            groups_prefer(j->now_queue, &other->now_key, &j->now_key))
            sim_broken("%s was dispatched before one of its group", job_named(j));
        if (set->running == 1 && !set->changed && other->now.state == STINT_SCHEDULED &&
            other->now_holds && other->was_holds && job_is_unchanged(other))
            sim_broken("%s has overtaken one of its group", job_named(j));
    }
}

void
groups_check_dispatch(const struct job *j)
{
    int g = index_of(j);
    struct group_settings set = groups_settings(j->now_queue);
    if (g < 0)
        return;
    groups[j->now_queue][g].dispatched++;
    check_order(j, &set);
}

/* How many of it run, and how many may as they are kept apart. */
static uint64_t
count(unsigned queue, int g, bool apart)
{
    uint64_t running = 0;
    for (uint32_t i = 0; i < known.count; i++) {
        const struct job *j = &known.jobs[i];
        if (j->now_queue != queue || index_of(j) != g)
            continue;
        running += j->now.state == STINT_RUNNING ||
            (apart &&
                (j->now_holds ||
                    (j->now.state == STINT_READY && (j->now.suspect || j->was_refused))));
    }
    return running;
}

static void
check_rate(struct grouped *s, const struct group_settings *set, unsigned queue)
{
    if (s->paced.rate != set->rate || set->changed)
        memset(&s->paced, 0, sizeof s->paced);
    if (s->paced.since_us == 0) {
        s->paced.since_us = world_us();
        s->paced.rate = set->rate;
        s->paced.starts = starts;
    }
    s->paced.count += s->dispatched;
    uint64_t burst = set->rate / 3600 > 1 ? set->rate / 3600 : 1;
    uint64_t came = (world_us() - s->paced.since_us + MARGIN_US) / 1000 * set->rate / 3600000;
    /* The broker's clock may have gone on further than ours while it was away. */
    if (set->rate && s->paced.count > burst * (2 + starts - s->paced.starts) + came)
        sim_broken("of a group of %s more was handed out than may in a time", keys_queues[queue]);
}

void
groups_check(void)
{
    for (unsigned q = 0; q < KEYS_QUEUES; q++)
        for (int g = 0; g < GROUPS_NAMES; g++) {
            struct grouped *s = &groups[q][g];
            struct group_settings set = groups_settings(q);
            uint64_t limit = set.running ? set.running : UINT64_MAX;
            if (s->dispatched > 0 && !set.changed && count(q, g, false) > limit &&
                count(q, g, false) > s->most)
                sim_broken("of a group of %s more was handed out than may run", keys_queues[q]);
            check_rate(s, &set, q);
            if (limit > s->most || count(q, g, true) <= limit)
                s->most = limit;
            s->dispatched = 0;
        }
}

void
groups_remember(struct job *j)
{
    j->was_holds = j->now_holds;
}
