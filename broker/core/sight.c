/* Which queues a peer may see. Asking each queue against each pattern costs as much as there are of
 * both, so which queues a grant covers is kept with it until a queue comes or goes.
 */
#include "sight.h"

bool
sight_covers(const struct grant *grant, const struct queue *q)
{
    return grant_allows(grant, RIGHT_SEE, (struct slice){(const uint8_t *)q->name, q->name_bytes});
}

/* How many queues it names, and which is the i-th. */
static uint32_t
count_named(const struct worker_serves *s)
{
    return s->pool ? s->pool->terms.names_count : s->queues_count;
}

static struct slice
named(const struct worker_serves *s, uint32_t i)
{
    if (s->pool)
        return s->pool->terms.names[i];
    return (struct slice){(const uint8_t *)s->queues[i]->name, s->queues[i]->name_bytes};
}

bool
sight_covers_worker(const struct grant *grant, const struct worker *worker)
{
    const struct worker_serves *s = &worker->serves;
    bool all = true;
    for (uint32_t i = 0; grant && i < count_named(s) && all; i++)
        all = grant_allows(grant, RIGHT_SEE, named(s, i));
    for (uint32_t i = 0; grant && s->pool && i < s->pool->terms.prefixes_count && all; i++)
        all = grant_allows_pattern(grant, RIGHT_SEE, s->pool->terms.prefixes[i]);
    return all;
}

bool
sight_served(
    const struct grant *grant, const struct worker *worker, uint32_t *at, struct slice *name)
{
    const struct worker_serves *s = &worker->serves;
    uint32_t names = count_named(s), parts = grant_parts(grant);
    uint32_t end = names + (s->pool ? s->pool->terms.prefixes_count * parts : 0);
    bool seen = false;
    for (; *at < end && !seen; ++*at) {
        uint32_t i = *at < names ? 0 : *at - names;
        if (*at < names) {
            *name = named(s, *at);
            seen = grant_allows(grant, RIGHT_SEE, *name);
        } else
            seen =
                grant_part(grant, RIGHT_SEE, s->pool->terms.prefixes[i / parts], i % parts, name);
    }
    return seen;
}

static void
add(struct seen *seen, struct queue *q)
{
    if (seen->count == seen->size) {
        seen->size = seen->size ? 2 * seen->size : 16;
        seen->queues = realloc(seen->queues, seen->size * sizeof(struct queue *));
        if (!seen->queues)
            abort();
    }
    seen->queues[seen->count++] = q;
}

/* The queues stand in the book in the order of their numbers. */
static const struct seen *
look(const struct core *core, struct held_grant *h)
{
    struct seen *seen = &h->seen;
    if (seen->changes == core->book.changes)
        return seen;
    seen->count = 0;
    for (struct queue *q = core->book.by_name; q; q = q->hh.next)
        if (sight_covers(&h->grant, q))
            add(seen, q);
    seen->changes = core->book.changes;
    return seen;
}

struct queue *
sight_next(struct core *core, const struct peer *peer, uint64_t number)
{
    const struct seen *seen = look(core, peer->held);
    uint32_t low = 0, high = seen->count;
    while (low < high) {
        uint32_t middle = (low + high) / 2;
        if (seen->queues[middle]->number < number)
            low = middle + 1;
        else
            high = middle;
    }
    return low < seen->count ? seen->queues[low] : NULL;
}

struct queue *
sight_queue_from(struct core *core, const struct peer *peer, uint64_t number)
{
    if (sight_is_narrow(peer))
        return sight_next(core, peer, number);
    struct queue *q =
        number <= UINT32_MAX ? book_queue_by_number(&core->book, (uint32_t)number) : NULL;
    if (!q)
        for (q = core->book.by_name; q && q->number < number;)
            q = q->hh.next;
    return q;
}

struct queue *
sight_queue_behind(struct core *core, const struct peer *peer, const struct queue *q)
{
    return sight_is_narrow(peer) ? sight_next(core, peer, q->number + 1ULL) : q->hh.next;
}
