/* Queue control; the contract is in queue_control.h. Who pauses or closes a queue, or
 * gives it another order, wants that to hold for its name from now on, so one that is not there is
 * made, and the answer says so: it may be a slip of the pen. Whatever is set, no job is lost by it,
 * and what runs goes on.
 */
#include "queue_control.h"
#include "apart.h"
#include "queues.h"
#include "reply.h"

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
        [STINT_TUNE_QUEUE] = "tune"};
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
    return set;
}

static void
set(struct core *core, struct queue *q, const struct message *m)
{
    struct queue_settings now = changed(q->set, m);
    bool turned = now.low_first != q->set.low_first;
    core->step.paused |= now.paused && !q->set.paused;
    _Static_assert(
        sizeof now == 4 * sizeof(bool) + 3 * 4 + 3 * 8, "nothing but settings is compared");
    if (memcmp(&now, &q->set, sizeof now) != 0)
        book_queue_set(&core->book, q, now);
    if (turned)
        apart_sort(q);
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

/* The queue to be set; NULL if there is none, and the peer was told so. */
static struct queue *
find(struct core *core, const struct peer *peer, const struct message *m, bool *made)
{
    enum stint_queue_action action = m->set_queue.action;
    bool makes = action == STINT_PAUSE_QUEUE || action == STINT_CLOSE_QUEUE ||
        action == STINT_ORDER_LIFO || action == STINT_ORDER_LOW_FIRST ||
        (action == STINT_LIMIT_QUEUE && limits_something(&m->set_queue.limits)) ||
        (action == STINT_TUNE_QUEUE && tunes_something(&m->set_queue.tuning));
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
    }
    if (action == STINT_TUNE_QUEUE)
        core_audit(core, peer, "a queue is tuned", NOTE_TEXT("queue", name),
            NOTE_NUMBER("weight", answer.weight), NOTE_NUMBER("backlog_max", answer.backlog_max),
            NOTE_NUMBER("time_to_run_ms", answer.time_to_run_ms));
    else
        core_audit(core, peer, "a queue is controlled", NOTE_TEXT("action", action_name(action)),
            NOTE_TEXT("queue", name), NOTE_NUMBER("running", answer.running),
            NOTE_NUMBER("rate", answer.rate));
    message_put_queue(outbox_begin(core->step.out, peer->number), m->number, &answer);
    outbox_end(core->step.out);
}
