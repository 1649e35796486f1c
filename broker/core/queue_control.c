/* Queue control; the contract is in queue_control.h. Who pauses or closes a queue, or
 * gives it another order, wants that to hold for its name from now on, so one that is not there is
 * made, and the answer says so: it may be a slip of the pen. Whatever is set, no job is lost by it,
 * and what runs goes on.
 */
#include "queue_control.h"
#include "apart.h"
#include "groups.h"
#include "queues.h"
#include "reply.h"

enum { GROUP_WEIGHT_BYTES = ROW_OVERHEAD_BYTES + LIMIT_GROUP_BYTES + ROW_GROUP_WEIGHT_BYTES_MAX };

static const char *
action_name(enum stint_queue_action action)
{
    static const char *const names[] = {[STINT_PAUSE_QUEUE] = "pause",
        [STINT_RESUME_QUEUE] = "resume",
        [STINT_CLOSE_QUEUE] = "close",
        [STINT_OPEN_QUEUE] = "open",
        [STINT_REMOVE_QUEUE] = "remove",
        [STINT_ORDER_FIFO] = "oldest first",
        [STINT_ORDER_LIFO] = "newest first",
        [STINT_ORDER_HIGH_FIRST] = "high priorities first",
        [STINT_ORDER_LOW_FIRST] = "low priorities first",
        [STINT_LIMIT_QUEUE] = "limit",
        [STINT_TUNE_QUEUE] = "tune",
        [STINT_SET_GROUPS] = "set groups"};
    return names[action];
}

static struct queue_settings
tuned(struct queue_settings set, const struct stint_queue_tuning *to)
{
    if (to->weight != UINT32_MAX)
        set.weight = to->weight == 1 ? 0 : to->weight;
    if (to->backlog_max != UINT32_MAX)
        set.backlog_max = to->backlog_max;
    if (to->keep_ms != UINT64_MAX)
        set.keep = to->keep_ms == STINT_KEEP_UNSET ? 0 : to->keep_ms + 1;
    if (to->time_to_run_ms != UINT64_MAX)
        set.time_to_run_ms = to->time_to_run_ms;
    return set;
}

/* The settings after that. */
static struct queue_settings
changed(struct queue_settings set, const struct message *m)
{
    enum stint_queue_action action = m->set_queue.action;
    const struct stint_queue_limits *limits = &m->set_queue.limits;
    if (action == STINT_PAUSE_QUEUE || action == STINT_RESUME_QUEUE)
        set.paused = action == STINT_PAUSE_QUEUE;
    if (action == STINT_CLOSE_QUEUE || action == STINT_OPEN_QUEUE)
        set.closed = action == STINT_CLOSE_QUEUE;
    if (action == STINT_ORDER_FIFO || action == STINT_ORDER_LIFO)
        set.lifo = action == STINT_ORDER_LIFO;
    if (action == STINT_ORDER_HIGH_FIRST || action == STINT_ORDER_LOW_FIRST)
        set.low_first = action == STINT_ORDER_LOW_FIRST;
    if (action == STINT_LIMIT_QUEUE && limits->running != UINT32_MAX)
        set.running = limits->running;
    if (action == STINT_LIMIT_QUEUE && limits->rate != UINT64_MAX)
        set.rate = limits->rate;
    if (action == STINT_TUNE_QUEUE)
        return tuned(set, &m->set_queue.tuning);
    if (action == STINT_SET_GROUPS && m->set_queue.groups.running != UINT32_MAX)
        set.group_running = m->set_queue.groups.running;
    if (action == STINT_SET_GROUPS && m->set_queue.groups.rate != UINT64_MAX)
        set.group_rate = m->set_queue.groups.rate;
    return set;
}

/* How many groups of the queue have a weight after that. */
static uint32_t
weights_after(struct core *core, const struct queue *q, const struct message *m)
{
    uint32_t count = q->set.group_weights;
    for (uint32_t i = 0; i < m->set_queue.groups.weights; i++) {
        const struct group_weight *w = &core->scratch.decoded->items.group_weights[i];
        bool had = groups_set_weight(core, q, w->name, w->weight); /* maybe by this message */
        count += (uint32_t)(w->weight > 1) - (uint32_t)had;
    }
    return count;
}

/* What is set for groups: those that wait are looked at again, one after the other. */
static void
set_groups(struct core *core, struct queue *q, const struct message *m)
{
    struct queue_settings now = changed(q->set, m);
    now.group_weights = weights_after(core, q, m);
    book_queue_set(&core->book, q, now);
    groups_were_set(core, q);
}

static void
set(struct core *core, struct queue *q, const struct message *m)
{
    if (m->set_queue.action == STINT_SET_GROUPS) {
        set_groups(core, q, m);
        return;
    }
    struct queue_settings now = changed(q->set, m);
    bool turned = now.low_first != q->set.low_first;
    core->step.paused |= now.paused && !q->set.paused;
    _Static_assert(
        sizeof now == 4 * sizeof(bool) + 5 * 4 + 4 * 8, "nothing but settings is compared");
    if (memcmp(&now, &q->set, sizeof now) != 0)
        book_queue_set(&core->book, q, now);
    if (turned)
        apart_sort(q);
    if (turned && q->past.groups)
        groups_were_set(core, q);
}

/* False if it can't be, and the peer was told so. */
static bool
remove_queue(struct core *core, const struct peer *peer, const struct message *m, struct queue *q)
{
    if (!queues_is_empty(q)) {
        reply_refuse(core, peer->number, m, STINT_NOT_EMPTY,
            "it holds jobs, or outcomes that are kept, and only an empty one can be removed");
        return false;
    }
    book_flush(&core->book);
    groups_end_queue(core, q);
    return book_queue_remove(&core->book, q);
}

/* Or are limits only taken away? */
static bool
limits_something(const struct stint_queue_limits *limits)
{
    return (limits->running != 0 && limits->running != UINT32_MAX) ||
        (limits->rate != 0 && limits->rate != UINT64_MAX);
}

/* Or is only taken away what is set? */
static bool
tunes_something(const struct stint_queue_tuning *to)
{
    return (to->weight != 1 && to->weight != UINT32_MAX) ||
        (to->backlog_max != 0 && to->backlog_max != UINT32_MAX) || to->keep_ms < STINT_KEEP_UNSET ||
        (to->time_to_run_ms != 0 && to->time_to_run_ms != UINT64_MAX);
}

static bool
sets_groups(const struct core *core, const struct message *m)
{
    const struct group_setting *g = &m->set_queue.groups;
    bool sets =
        (g->running != 0 && g->running != UINT32_MAX) || (g->rate != 0 && g->rate != UINT64_MAX);
    for (uint32_t i = 0; i < g->weights && !sets; i++)
        sets = core->scratch.decoded->items.group_weights[i].weight > 1;
    return sets;
}

/* The queue to be set; NULL if there is none, and the peer was told so. */
static struct queue *
find(struct core *core, const struct peer *peer, const struct message *m, bool *made)
{
    enum stint_queue_action action = m->set_queue.action;
    bool makes = action == STINT_PAUSE_QUEUE || action == STINT_CLOSE_QUEUE ||
        action == STINT_ORDER_LIFO || action == STINT_ORDER_LOW_FIRST ||
        (action == STINT_LIMIT_QUEUE && limits_something(&m->set_queue.limits)) ||
        (action == STINT_TUNE_QUEUE && tunes_something(&m->set_queue.tuning)) ||
        (action == STINT_SET_GROUPS && sets_groups(core, m));
    struct queue *q = book_queue(&core->book, m->set_queue.queue);
    *made = !q && makes;
    if (q)
        return q;
    if (makes && (q = book_queue_make(&core->book, m->set_queue.queue)) != NULL)
        return q;
    if (makes)
        reply_refuse(core, peer->number, m, STINT_TOO_MANY, "there are --queues-max queues");
    else
        reply_refuse(core, peer->number, m, STINT_NO_SUCH_QUEUE,
            "no job has come for it, and nothing is set for it");
    return NULL;
}

/* False if there would be too many weights, or no room, and the peer was told so. */
static bool
may_set_groups(struct core *core, const struct peer *peer, const struct message *m)
{
    const struct queue *q = book_queue(&core->book, m->set_queue.queue);
    uint32_t more = m->set_queue.groups.weights, has = q ? q->set.group_weights : 0;
    if (more > 0 && has + more > LIMIT_GROUP_WEIGHTS)
        reply_refuse(core, peer->number, m, STINT_TOO_MANY,
            "at most 10000 groups of a queue have a weight: set some to 1 again");
    else if (more > 0 && !store_has_room(core, more * (uint64_t)GROUP_WEIGHT_BYTES))
        reply_refuse(core, peer->number, m, STINT_STORE_FULL, "the store or its disk is full");
    else
        return true;
    return false;
}

void
queue_control_message(struct core *core, struct peer *peer, const struct message *m)
{
    enum stint_queue_action action = m->set_queue.action;
    struct stint_queue_setting answer = {.weight = 1, .keep_ms = STINT_KEEP_UNSET};
    char name[STINT_NAME_BYTES];
    slice_to_text(name, sizeof name, m->set_queue.queue);
    if (action == 0 || !*name) {
        reply_refuse(core, peer->number, m, STINT_INVALID, "a SET_QUEUE has a queue and an action");
        return;
    }
    if (action == STINT_SET_GROUPS && !may_set_groups(core, peer, m))
        return;
    struct queue *q = find(core, peer, m, &answer.made);
    if (!q || (action == STINT_REMOVE_QUEUE && !remove_queue(core, peer, m, q)))
        return;
    if (action != STINT_REMOVE_QUEUE) {
        set(core, q, m);
        answer.paused = q->set.paused;
        answer.closed = q->set.closed;
        answer.lifo = q->set.lifo;
        answer.low_first = q->set.low_first;
        answer.running = q->set.running;
        answer.rate = q->set.rate;
        answer.weight = queue_weight(q);
        answer.backlog_max = q->set.backlog_max;
        answer.keep_ms = queue_keep(q, STINT_KEEP_UNSET);
        answer.time_to_run_ms = q->set.time_to_run_ms;
        answer.group_running = q->set.group_running;
        answer.group_rate = q->set.group_rate;
        answer.group_weights = q->set.group_weights;
    }
    if (action == STINT_TUNE_QUEUE)
        core_audit(core, peer, "a queue is tuned", NOTE_TEXT("queue", name),
            NOTE_NUMBER("weight", answer.weight), NOTE_NUMBER("backlog_max", answer.backlog_max),
            NOTE_NUMBER("time_to_run_ms", answer.time_to_run_ms));
    else if (action == STINT_SET_GROUPS)
        core_audit(core, peer, "groups of a queue are set", NOTE_TEXT("queue", name),
            NOTE_NUMBER("running", answer.group_running), NOTE_NUMBER("rate", answer.group_rate),
            NOTE_NUMBER("weights", answer.group_weights));
    else
        core_audit(core, peer, "a queue is controlled", NOTE_TEXT("action", action_name(action)),
            NOTE_TEXT("queue", name), NOTE_NUMBER("running", answer.running),
            NOTE_NUMBER("rate", answer.rate));
    message_put_queue(outbox_begin(core->step.out, peer->number), m->number, &answer);
    outbox_end(core->step.out);
}
