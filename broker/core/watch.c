/* What is pushed to peers: outcomes to those who wait, events to those who subscribed. Both are
 * collected during a step and sent after it; a subscriber too slow for its events is told how many
 * it missed.
 */
#include "watch.h"
#include "describe.h"
#include "clock.h"
#include "feed.h"
#include "job.h"
#include "peers.h"
#include "reply.h"
#include "sight.h"

enum {
    EVENTS_A_STEP = LIMIT_JOBS,
    EVENTS_BYTES = 16 << 20, /* of all subscriptions, in a step; beyond that, a peer has: */
    EVENTS_BYTES_LEAST = 16 << 10,
};

static void
flush_outcomes(struct core *core, struct peer *peer)
{
    if (peer->answers.outcomes_count == 0)
        return;
    struct pack_buffer *b = outbox_begin(core->step.out, peer->number);
    message_put_elements(b, MESSAGE_OUTCOMES,
        (struct slice){peer->answers.outcomes.data, peer->answers.outcomes.used},
        peer->answers.outcomes_count);
    outbox_end(core->step.out);
    pack_buffer_empty(&peer->answers.outcomes);
    peer->answers.outcomes_count = 0;
}

void
watch_put_outcome(struct core *core, struct peer *peer, const struct stint_job_info *info)
{
    peers_have_output(core, peer);
    message_put_job_info(&peer->answers.outcomes, info);
    if (++peer->answers.outcomes_count == LIMIT_JOBS ||
        peer->answers.outcomes.used > page_bytes(core))
        flush_outcomes(core, peer);
}

void
watch_settled(struct core *core, const struct job *job, struct slice result)
{
    struct watch *first = core->fleet.watches ? fleet_watches(&core->fleet, &job->id) : NULL;
    if (!first)
        return;
    struct stint_job_info info;
    assert(stint_state_settled(job->record.state));
    describe_job(core, job, &info);
    info.payload_bytes = 0;
    info.result_bytes = result.size;
    for (struct watch *w = first; w; w = w->next_same) {
        /* To a peer that does not read, results are not pushed; it can ask for them. */
        bool wanted = w->results && peers_can_take(core, w->peer);
        info.result = wanted && result.size ? result.data : NULL;
        watch_put_outcome(core, w->peer, &info);
    }
    fleet_watches_end(&core->fleet, first);
}

void
watch_moved(struct core *core, const struct job *job)
{
    struct watch *next, *w = core->fleet.watches ? fleet_watches(&core->fleet, &job->id) : NULL;
    const struct stint_job_info unknown = {.id = job->id};
    for (; w; w = next) {
        next = w->next_same;
        if (sight_covers(w->peer->grant, job->level->queue))
            continue;
        watch_put_outcome(core, w->peer, &unknown);
        fleet_unwatch(&core->fleet, w);
    }
}

static bool
listed(const struct subscription *s, const struct stint_id *id)
{
    uint32_t low = 0, high = s->ids_count;
    while (low < high) {
        uint32_t middle = (low + high) / 2;
        if (id_compare(&s->ids[middle], id) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low < s->ids_count && id_compare(&s->ids[low], id) == 0;
}

/* What stands next to each other is mostly of one queue, whose number is no other queue's ever. */
static bool
sees(struct subscription *s, const struct queue *q)
{
    if (s->heard_queue != q->number) {
        s->heard_queue = q->number;
        s->heard = sight_covers(s->grant, q);
    }
    return s->heard;
}

/* Does it hear of this job? What it may not hear of is not counted as lost either. */
static bool
hears(struct subscription *s, const struct queue *q, const struct stint_id *id)
{
    return (!s->queue || s->queue == q) && (!s->ids || listed(s, id)) && (!s->grant || sees(s, q));
}

static void
put_event(struct core *core, struct subscription *s, const struct stint_event *event)
{
    size_t used = s->pending.used;
    message_put_event(&s->pending, event);
    s->peer->events_bytes += s->pending.used - used;
    core->fleet.pushed.events_bytes += s->pending.used - used;
    s->pending_count++;
}

static bool
has_room(const struct core *core, const struct subscription *s)
{
    return s->pending_count < EVENTS_A_STEP - 1 && s->pending.used <= page_bytes(core) &&
        (core->fleet.pushed.events_bytes < EVENTS_BYTES ||
            s->peer->events_bytes < EVENTS_BYTES_LEAST) &&
        peers_can_take(core, s->peer);
}

static void
tell_event(struct core *core, enum stint_event_type type, const struct level *level,
    const struct stint_id *id, uint64_t count, struct slice schedule)
{
    if (core->feeds.list)
        feed_record(core, type, level->queue, id, count, schedule);
    for (struct subscription *s = core->fleet.subscriptions; s; s = s->next) {
        if (!(s->events >> type & 1) || (s->some && !hears(s, level->queue, id)))
            continue;
        if (!has_room(core, s)) {
            s->dropped++;
            continue;
        }
        struct stint_event event = {.type = type,
            .id = *id,
            .at_ms = clock_told(core, core->clocks.wall_ms),
            .count = count};
        memcpy(event.queue, level->queue->name, sizeof event.queue);
        slice_to_text(event.schedule, sizeof event.schedule, schedule);
        put_event(core, s, &event);
    }
}

void
watch_event(struct core *core, enum stint_event_type type, const struct level *level,
    const struct stint_id *id, uint64_t count)
{
    tell_event(core, type, level, id, count, (struct slice){NULL, 0});
}

void
watch_submitted(
    struct core *core, const struct level *level, const struct stint_id *id, struct slice schedule)
{
    tell_event(core, STINT_EVENT_SUBMITTED, level, id, 0, schedule);
}

static void
flush_events(struct core *core, struct subscription *s)
{
    if (s->dropped && peers_can_take(core, s->peer)) {
        struct stint_event lost = {.type = STINT_EVENT_LOST,
            .at_ms = clock_told(core, core->clocks.wall_ms),
            .count = s->dropped};
        put_event(core, s, &lost);
        core->figures.events_lost += s->dropped;
        s->dropped = 0;
    }
    if (s->pending_count == 0)
        return;
    struct pack_buffer *b = outbox_begin(core->step.out, s->peer->number);
    message_put_numbered_elements(b, MESSAGE_EVENTS, s->number,
        (struct slice){s->pending.data, s->pending.used}, s->pending_count, (struct slice){0});
    s->peer->events_bytes -= s->pending.used;
    core->fleet.pushed.events_bytes -= s->pending.used;
    outbox_end(core->step.out);
    pack_buffer_empty(&s->pending);
    s->pending_count = 0;
}

static int
compare_ids(const void *a, const void *b)
{
    return id_compare(a, b);
}

static struct subscription *
find_subscription(struct core *core, const struct peer *peer, uint64_t number)
{
    struct subscription *s = core->fleet.subscriptions;
    while (s && (s->peer != peer || s->number != number))
        s = s->next;
    return s;
}

static bool
may_subscribe(const struct fleet *fleet, const struct peer *peer, uint32_t ids)
{
    bool room = fleet->pushed.subscriptions_count < LIMIT_SUBSCRIPTIONS_ALL &&
        fleet->pushed.subscribed_ids + ids <= LIMIT_SUBSCRIBED_ALL;
    return (peer->subscriptions_count == 0 && ids <= LIMIT_WATCHED_LEAST) ||
        (peer->subscriptions_count < LIMIT_SUBSCRIPTIONS && room);
}

/* A subscription said again, as after a reconnect, takes the place of the first. */
void
watch_subscribe(struct core *core, struct peer *peer, const struct message *m)
{
    uint32_t status = STINT_OK;
    struct queue *queue = NULL;
    struct slice name = m->subscribe.queue;
    struct subscription *former = find_subscription(core, peer, m->number);
    if (former)
        fleet_unsubscribe(&core->fleet, former);
    if (name.size && !(queue = book_queue_expect(&core->book, name)))
        status = STINT_TOO_MANY;
    else if (!may_subscribe(&core->fleet, peer, m->count))
        status = STINT_TOO_MANY;
    if (status == STINT_OK) {
        struct subscription *s = fleet_subscribe(&core->fleet, peer, m->number);
        s->queue = queue;
        if (queue)
            queue->watchers++;
        s->grant = !queue && sight_is_narrow(peer) ? peer->grant : NULL;
        s->some = queue || m->count > 0 || s->grant;
        s->events = m->subscribe.events ? m->subscribe.events : UINT32_MAX;
        if (m->count > 0) {
            size_t bytes = m->count * sizeof *s->ids;
            s->ids = malloc(bytes);
            if (!s->ids)
                abort();
            memcpy(s->ids, core->scratch.decoded->ids, bytes);
            s->ids_count = m->count;
            core->fleet.pushed.subscribed_ids += m->count;
            qsort(s->ids, s->ids_count, sizeof *s->ids, compare_ids);
        }
    }
    reply_statuses(core, peer, m->number, &status, 1);
}

void
watch_unsubscribe(struct core *core, struct peer *peer, const struct message *m)
{
    uint32_t status = STINT_OK;
    struct subscription *s = find_subscription(core, peer, m->number);
    struct feed_reader *r = fleet_reader(&core->fleet, peer, m->number);
    if (s)
        fleet_unsubscribe(&core->fleet, s);
    if (r)
        fleet_end_reader(&core->fleet, r);
    reply_statuses(core, peer, m->number, &status, 1);
}

void
watch_flush(struct core *core)
{
    for (struct peer *p = core->step.outputs; p; p = p->answers.next_output) {
        p->answers.has_output = false;
        reply_flush(core, p, MESSAGE_SUBMITTED, &p->answers.submitted, &p->answers.submitted_count);
        reply_flush(core, p, MESSAGE_SETTLED, &p->answers.settled, &p->answers.settled_count);
        flush_outcomes(core, p);
    }
    core->step.outputs = NULL;
    for (struct subscription *s = core->fleet.subscriptions; s; s = s->next)
        flush_events(core, s);
}
