/* The oracle's view of the feed that a follower makes: its events are read after each commit, and
 * those of a step have to explain what became of each job in it. That is once more an automaton,
 * and far simpler than what a life can be: an event leads from some states to one or two.
 */
#include "feed_rows.h"
#include "oracle_inside.h"

#include <stdlib.h>

enum {
    READY = 1U << STINT_READY,
    SCHEDULED = 1U << STINT_SCHEDULED,
    BLOCKED = 1U << STINT_BLOCKED,
    RUNNING = 1U << STINT_RUNNING,
    SUCCEEDED = 1U << STINT_SUCCEEDED,
    DEAD = 1U << STINT_DEAD,
    CANCELLED = 1U << STINT_CANCELLED_JOB,
    EXPIRED = 1U << STINT_EXPIRED,
    NONE = 1U << STINT_UNKNOWN,
    SETTLED = SUCCEEDED | DEAD | CANCELLED | EXPIRED,
    WAITS = READY | SCHEDULED
};

/* What may be before an event, and is after it. */
static const struct {
    unsigned before, after;
} meaning[] = {[STINT_EVENT_SUBMITTED] = {NONE, READY},
    [STINT_EVENT_STARTED] = {READY, RUNNING},
    [STINT_EVENT_SUCCEEDED] = {RUNNING | WAITS, SUCCEEDED},
    [STINT_EVENT_FAILED] = {RUNNING | WAITS, SCHEDULED},
    [STINT_EVENT_REQUEUED] = {RUNNING | WAITS | DEAD | CANCELLED | EXPIRED, WAITS},
    [STINT_EVENT_DEAD] = {RUNNING | WAITS, DEAD},
    [STINT_EVENT_CANCELLED] = {RUNNING | WAITS | BLOCKED, CANCELLED},
    [STINT_EVENT_LOST] = {0, 0},
    [STINT_EVENT_CHANGED] = {WAITS | BLOCKED | DEAD | CANCELLED | EXPIRED, 0},
    [STINT_EVENT_EXPIRED] = {WAITS | BLOCKED, EXPIRED}};
enum { MEANINGS = sizeof meaning / sizeof *meaning };

struct recorded {
    struct stint_id id;
    enum stint_event_type type;
    uint64_t attempt;
};

static struct {
    LIST_OF(struct recorded) events; /* from `begin` on */
    uint64_t begin, first, next; /* first: the highest that it ever was; next 0: there is none */
    uint64_t life;
    bool whole; /* all events of this step are known */
} feed;

void
feed_begin(void)
{
    free(feed.events.all);
    memset(&feed, 0, sizeof feed);
}

/* ---- what the follower hears ---- */

void
oracle_feed_heard(uint64_t number, const struct stint_event *event)
{
    if (number < feed.begin || number >= feed.next)
        sim_broken(
            "a follower hears of event %llu, which is not on disk", (unsigned long long)number);
    const struct recorded *r = &feed.events.all[number - feed.begin];
    if (r->type != event->type || id_compare(&r->id, &event->id) != 0 || r->attempt != event->count)
        sim_broken(
            "a follower hears of event %llu, and it was another one", (unsigned long long)number);
}

void
oracle_feed_missed(uint64_t first, uint64_t count)
{
    if (count == 0 || first + count > feed.first)
        sim_broken("a follower is told that events from %llu to %llu are gone, and they are not",
            (unsigned long long)first, (unsigned long long)(first + count - 1));
}

bool
oracle_feed_ends_at(uint64_t next)
{
    bool nothing = next == 0 && feed.first == feed.next; /* what there was is kept no more */
    return feed.next > 0 && (next == feed.next || nothing);
}

/* ---- what is on disk ---- */

static bool
read_feed(struct store *s, struct row_feed *row)
{
    static const uint8_t at = 0;
    struct slice key, value;
    bool found = store_seek(s, STORE_FEEDS, (struct slice){&at, 1}, &key, &value);
    if (found && !row_feed_read(key, value, row))
        sim_broken("the row of a feed is damaged");
    return found;
}

static void
read_events(struct store *s, const struct row_feed *f, uint64_t from)
{
    uint8_t at[EVENTS_KEY_BYTES];
    struct slice key, value;
    struct row_events row = {.count = 0};
    while (store_seek(s, STORE_EVENTS, events_key(at, f->number, from), &key, &value)) {
        struct row_event e;
        if (!row_events_read(key, value, &row))
            sim_broken("events of a feed are damaged");
        if (row.first != from)
            sim_broken("a feed goes on with %llu behind %llu", (unsigned long long)row.first,
                (unsigned long long)from - 1);
        while (row_event_take(&row.events, &e))
            LIST_ADD(
                feed.events, (struct recorded){e.id, (enum stint_event_type)e.type, e.attempt});
        from += row.count;
    }
    if (from != f->next)
        sim_broken("a feed is at %llu, and its events at %llu", (unsigned long long)f->next,
            (unsigned long long)from);
}

/* The number of the oldest event that is on disk, whether it is told or not. */
static uint64_t
oldest(struct store *s, const struct row_feed *f)
{
    uint8_t at[EVENTS_KEY_BYTES];
    struct slice key, value;
    uint32_t number;
    uint64_t first;
    if (!store_seek(s, STORE_EVENTS, events_key(at, f->number, 0), &key, &value) ||
        !events_key_read(key, &number, &first))
        return f->next;
    return first;
}

/* Takes in what is new; `*from` is the number of its first event. */
static void
take_in(struct store *s, const struct row_feed *row, uint64_t *from)
{
    bool known_before = feed.next > 0 && row->life == feed.life;
    if (known_before && (row->next < feed.next || row->first < feed.first))
        sim_broken("a feed counts back");
    *from = known_before ? feed.next : 1;
    feed.whole = known_before && row->first <= *from;
    uint64_t there = oldest(s, row);
    if (!known_before) {
        feed.events.count = 0;
        *from = feed.begin = there;
    }
    for (; *from < there; ++*from) /* dropped before anybody could look */
        LIST_ADD(feed.events, (struct recorded){.type = (enum stint_event_type)0});
    feed.life = row->life;
    feed.first = row->first > feed.first || !known_before ? row->first : feed.first;
}

/* ---- what it means ---- */

/* What else may have become of a job without an event. */
static unsigned
widen(const struct job *j, unsigned states)
{
    if ((states & BLOCKED) && after_may_run(j))
        states |= SCHEDULED; /* others have ended */
    if (states & SCHEDULED)
        states |= READY; /* it was due */
    if (states & SETTLED)
        states |= NONE; /* it has expired, or was deleted */
    for (size_t i = 0; i < traffic.claims.count && (states & READY); i++)
        if (id_compare(&traffic.claims.all[i].id, &j->id) == 0)
            states |= RUNNING; /* its worker is back */
    return states;
}

static void
follow(const struct job *j, uint64_t from, unsigned *states, bool *changed)
{
    for (size_t i = from - feed.begin; i < feed.events.count; i++) {
        const struct recorded *r = &feed.events.all[i];
        if (id_compare(&r->id, &j->id) != 0)
            continue;
        if (r->type == 0 || (unsigned)r->type >= MEANINGS ||
            !(widen(j, *states) & meaning[r->type].before))
            sim_broken("event %llu says that %s %s, which it can't",
                (unsigned long long)feed.begin + i, job_named(j), stint_event_name(r->type));
        *changed |= r->type == STINT_EVENT_CHANGED;
        if (r->type == STINT_EVENT_CHANGED)
            *states = *states & WAITS ? *states | WAITS : *states;
        else
            *states = r->type != STINT_EVENT_SUBMITTED ? meaning[r->type].after
                : j->wish.after.count                  ? BLOCKED
                : j->wish.delay_ms                     ? SCHEDULED
                                                       : READY;
    }
}

static void
judge(const struct job *j, uint64_t from)
{
    bool was_there = j->was.state != STINT_UNKNOWN || j->been || j->was.attempt;
    unsigned states = was_there && j->was.state == STINT_UNKNOWN ? 0 : 1U << j->was.state;
    bool changed = false;
    follow(j, from, &states, &changed);
    if (states && !(widen(j, states) >> j->now.state & 1))
        sim_broken("%s was %s and is %s, and the feed does not say how", job_named(j),
            stint_state_name(j->was.state), stint_state_name(j->now.state));
    if (!changed && was_there && j->now.state != STINT_UNKNOWN &&
        id_compare(&j->now_key, &j->key) != 0)
        sim_broken("%s was moved, and the feed does not say so", job_named(j));
}

void
feed_check_store(struct store *s)
{
    struct row_feed row;
    uint64_t from;
    s->ops->begin(s);
    bool there = read_feed(s, &row);
    if (there) {
        take_in(s, &row, &from);
        read_events(s, &row, from);
        feed.next = row.next;
    } else if (feed.next > 0)
        sim_broken("a feed is gone");
    s->ops->abort(s);
    for (uint32_t i = 0; there && feed.whole && i < known.count; i++)
        if (known.jobs[i].stored)
            judge(&known.jobs[i], from);
}
