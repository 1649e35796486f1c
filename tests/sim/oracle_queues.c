/* What the oracle knows of what is set for queues: by whose word, by what the broker has confirmed,
 * and by what stands in the store. Nothing of a queue whose pause was confirmed is handed out, and
 * nothing new is in one that is closed, also across restarts; of one that is limited no more is
 * handed out than may be at once and in a time, and no more wait than may when a job is taken.
 */
#include "keys.h"
#include "oracle_inside.h"
#include "rows.h"

enum { HEARD_MAX = 1024, MARGIN_US = 1000 };

struct setting {
    bool paused, closed, lifo, low_first;
    uint32_t running;
    uint64_t rate;
    uint32_t weight, backlog_max;
    uint64_t keep, time_to_run_ms;
    uint32_t group_running, group_weights;
    uint64_t group_rate;
};

/* What was handed out of a queue since its rate was set, or the broker has started. */
static struct paced {
    uint64_t since_us, count, restarted_us;
} paced[KEYS_QUEUES];
static uint32_t dispatched[KEYS_QUEUES]; /* in this step */

/* A SET_QUEUE of this batch. */
struct heard_set {
    uint32_t peer;
    uint64_t number;
    const struct grant *key;
    unsigned queue;
    enum stint_queue_action action;
    struct stint_queue_limits limits;
    struct stint_queue_tuning tuning;
    struct group_setting groups;
    uint32_t group_weight; /* of the first that is named */
};

static struct setting settings[KEYS_QUEUES], before[KEYS_QUEUES];
/* Somebody has, in this batch, opened or removed it; set anything of it. */
static bool touched[KEYS_QUEUES], resumed[KEYS_QUEUES];
static struct heard_set heard[HEARD_MAX];
static uint64_t least_limits[KEYS_QUEUES]; /* that were ever set for it; 0: none */
static unsigned heard_count;

/* KEYS_QUEUES if it is another one. */
static unsigned
queue_of(struct slice name)
{
    unsigned q = 0;
    while (q < KEYS_QUEUES &&
        (strlen(keys_queues[q]) != name.size || memcmp(keys_queues[q], name.data, name.size) != 0))
        q++;
    return q;
}

void
queues_begin(void)
{
    memset(settings, 0, sizeof settings);
    memset(least_limits, 0, sizeof least_limits);
    queues_batch();
}

void
queues_batch(void)
{
    memcpy(before, settings, sizeof before);
    memset(touched, 0, sizeof touched);
    memset(resumed, 0, sizeof resumed);
    heard_count = 0;
    memset(dispatched, 0, sizeof dispatched);
}

void
queues_hear(uint32_t peer, const struct grant *key, const struct message *m,
    const struct message_arrays *arrays)
{
    unsigned queue = queue_of(m->set_queue.queue);
    if (queue == KEYS_QUEUES)
        return;
    if (heard_count == HEARD_MAX)
        sim_broken("more SET_QUEUEs than this oracle knows");
    heard[heard_count++] =
        (struct heard_set){peer, m->number, key, queue, m->set_queue.action, m->set_queue.limits,
            m->set_queue.tuning, m->set_queue.groups, arrays->items.group_weights[0].weight};
}

static void
apply_limits(unsigned queue, const struct stint_queue_limits *limits)
{
    struct setting *s = &settings[queue];
    if (limits->running != UINT32_MAX)
        s->running = limits->running;
    if (limits->rate != UINT64_MAX && limits->rate != s->rate) {
        s->rate = limits->rate;
        paced[queue] = (struct paced){world_us(), 0, known.restarted_us};
    }
}

static void
note_limit(unsigned queue)
{
    uint64_t *least_ms = &least_limits[queue], limit_ms = settings[queue].time_to_run_ms;
    if (limit_ms && (!*least_ms || limit_ms < *least_ms))
        *least_ms = limit_ms;
}

static void
apply_tuning(struct setting *s, const struct stint_queue_tuning *t)
{
    if (t->weight != UINT32_MAX)
        s->weight = t->weight > 1 ? t->weight : 0;
    if (t->backlog_max != UINT32_MAX)
        s->backlog_max = t->backlog_max;
    if (t->keep_ms != UINT64_MAX)
        s->keep = t->keep_ms == STINT_KEEP_UNSET ? 0 : t->keep_ms + 1;
    if (t->time_to_run_ms != UINT64_MAX)
        s->time_to_run_ms = t->time_to_run_ms;
    note_limit((unsigned)(s - settings));
}

/* Weights are set of one group alone. */
static void
apply_groups(struct setting *s, const struct heard_set *h)
{
    if (h->groups.running != UINT32_MAX)
        s->group_running = h->groups.running;
    if (h->groups.rate != UINT64_MAX)
        s->group_rate = h->groups.rate;
    if (h->groups.weights > 0)
        s->group_weights = h->group_weight > 1;
}

static void
apply(const struct heard_set *h)
{
    struct setting *s = &settings[h->queue];
    resumed[h->queue] = true;
    touched[h->queue] |= h->action == STINT_OPEN_QUEUE || h->action == STINT_REMOVE_QUEUE;
    if (h->action == STINT_REMOVE_QUEUE)
        *s = (struct setting){0};
    else if (h->action == STINT_PAUSE_QUEUE || h->action == STINT_RESUME_QUEUE)
        s->paused = h->action == STINT_PAUSE_QUEUE;
    else if (h->action == STINT_ORDER_FIFO || h->action == STINT_ORDER_LIFO)
        s->lifo = h->action == STINT_ORDER_LIFO;
    else if (h->action == STINT_ORDER_HIGH_FIRST || h->action == STINT_ORDER_LOW_FIRST)
        s->low_first = h->action == STINT_ORDER_LOW_FIRST;
    else if (h->action == STINT_LIMIT_QUEUE)
        apply_limits(h->queue, &h->limits);
    else if (h->action == STINT_TUNE_QUEUE)
        apply_tuning(s, &h->tuning);
    else if (h->action == STINT_SET_GROUPS)
        apply_groups(s, h);
    else
        s->closed = h->action == STINT_CLOSE_QUEUE;
}

static bool
is_so(const struct stint_queue_setting *q, const struct setting *s)
{
    return q->paused == s->paused && q->closed == s->closed && q->lifo == s->lifo &&
        q->low_first == s->low_first && q->running == s->running && q->rate == s->rate &&
        q->weight == (s->weight ? s->weight : 1) && q->backlog_max == s->backlog_max &&
        q->keep_ms == (s->keep ? s->keep - 1 : STINT_KEEP_UNSET) &&
        q->time_to_run_ms == s->time_to_run_ms && q->group_running == s->group_running &&
        q->group_weights == s->group_weights && q->group_rate == s->group_rate;
}

/* Confirmed in the order in which they came. */
void
queues_told(uint32_t peer, const struct message *m)
{
    for (unsigned i = 0; i < heard_count; i++) {
        struct heard_set *h = &heard[i];
        if (h->peer != peer || h->number != m->number)
            continue;
        if (!keys_allow(h->key, RIGHT_CONTROL, keys_queues[h->queue]))
            sim_broken("%s has set what its key does not let it", h->key->name);
        apply(h);
        if (!is_so(&m->queue, &settings[h->queue]))
            sim_broken("the queue %s is said to stand as it does not", keys_queues[h->queue]);
        heard_count--;
        memmove(h, h + 1, (heard_count - i) * sizeof *h);
        return;
    }
    sim_broken("a queue was set, and nobody asked for it");
}

void
queues_check_dispatch(struct slice name, uint32_t jobs)
{
    unsigned q = queue_of(name);
    if (q < KEYS_QUEUES && settings[q].paused)
        sim_broken("the queue %s is paused, and something of it is handed out", keys_queues[q]);
    if (q < KEYS_QUEUES)
        dispatched[q] += jobs;
}

static uint64_t
running(unsigned queue)
{
    uint64_t count = 0;
    for (uint32_t i = 0; i < known.count; i++)
        count += known.jobs[i].now.state == STINT_RUNNING && known.jobs[i].now_queue == queue;
    return count;
}

void
queues_check_limits(void)
{
    for (unsigned q = 0; q < KEYS_QUEUES; q++) {
        const struct setting *s = &settings[q];
        struct paced *p = &paced[q];
        if (dispatched[q] == 0)
            continue;
        if (s->running && running(q) > s->running)
            sim_broken("of the queue %s more was handed out than may run at once", keys_queues[q]);
        if (p->restarted_us != known.restarted_us)
            *p = (struct paced){known.restarted_us, 0, known.restarted_us};
        p->count += dispatched[q];
        if (!s->rate)
            continue;
        uint64_t burst = s->rate / 3600 > 1 ? s->rate / 3600 : 1;
        uint64_t came = (world_us() - p->since_us + MARGIN_US) / 1000 * s->rate / 3600000;
        if (p->count > burst + came)
            sim_broken("of the queue %s more was handed out than may in a time", keys_queues[q]);
    }
}

bool
queues_prefer(unsigned queue, const struct stint_id *a, const struct stint_id *b, bool apart)
{
    const struct setting *s = &settings[queue];
    if (s->lifo != before[queue].lifo || s->low_first != before[queue].low_first)
        return false;
    if (id_priority(a) != id_priority(b))
        return s->low_first ? id_priority(a) < id_priority(b) : id_priority(a) > id_priority(b);
    return !apart && (s->lifo ? id_compare(a, b) > 0 : id_compare(a, b) < 0);
}

struct group_settings
groups_settings(unsigned queue)
{
    const struct setting *s = &settings[queue];
    return (struct group_settings){s->group_running, s->group_rate, resumed[queue]};
}

bool
groups_prefer(unsigned queue, const struct stint_id *a, const struct stint_id *b)
{
    const struct setting *s = &settings[queue];
    if (s->low_first != before[queue].low_first)
        return false;
    if (id_priority(a) != id_priority(b))
        return s->low_first ? id_priority(a) < id_priority(b) : id_priority(a) > id_priority(b);
    return id_compare(a, b) < 0;
}

void
queues_check_new(const struct job *j)
{
    unsigned q = j->now_queue;
    if (before[q].closed && settings[q].closed && !touched[q])
        sim_broken("%s was taken into a queue that is closed", job_named(j));
}

uint64_t
queues_backlog_max(unsigned queue)
{
    if (queue >= KEYS_QUEUES || resumed[queue])
        return 0;
    return settings[queue].backlog_max;
}

void
queues_keep(unsigned queue, bool *forgets, bool *keeps)
{
    bool both = queue < KEYS_QUEUES && resumed[queue];
    *forgets = both || (queue < KEYS_QUEUES && settings[queue].keep == 1);
    *keeps = both || !*forgets;
}

uint64_t
queues_least_limit(unsigned queue)
{
    return queue < KEYS_QUEUES ? least_limits[queue] : 0;
}

void
queues_check_limit(unsigned q, uint64_t wished_ms, uint64_t left_ms, uint64_t given_ms)
{
    if (q >= KEYS_QUEUES || resumed[q])
        return;
    uint64_t limit_ms = wished_ms ? wished_ms : settings[q].time_to_run_ms;
    if (left_ms != UINT64_MAX && (!limit_ms || left_ms < limit_ms))
        limit_ms = left_ms;
    if (given_ms != limit_ms)
        sim_broken("a job of %s is given %llu ms", keys_queues[q], (unsigned long long)given_ms);
}

enum queue_pause
queues_pause(unsigned queue)
{
    if (resumed[queue] || before[queue].paused != settings[queue].paused)
        return PAUSE_PARTLY;
    return settings[queue].paused ? PAUSE_ALL_ALONG : PAUSE_NOT;
}

static void
read_settings(struct store *s, struct setting found[KEYS_QUEUES])
{
    uint8_t from[QUEUE_KEY_BYTES + 1] = {0};
    struct slice key, value, at = {from, 1};
    struct row_queue row;
    memset(found, 0, KEYS_QUEUES * sizeof *found);
    s->ops->begin(s);
    while (store_seek(s, STORE_QUEUES, at, &key, &value)) {
        if (!row_queue_read(key, value, &row))
            sim_broken("a queue's row is damaged");
        if (queue_of(row.name) < KEYS_QUEUES)
            found[queue_of(row.name)] = (struct setting){row.paused, row.closed, row.lifo,
                row.low_first, row.running, row.rate, row.weight, row.backlog_max, row.keep,
                row.time_to_run_ms, row.group_running, row.group_weights, row.group_rate};
        memcpy(from, key.data, QUEUE_KEY_BYTES);
        from[QUEUE_KEY_BYTES] = 0;
        at.size = sizeof from;
    }
    s->ops->abort(s);
}

void
queues_check_store(struct store *s, bool in_doubt)
{
    struct setting found[KEYS_QUEUES];
    read_settings(s, found);
    for (unsigned q = 0; q < KEYS_QUEUES; q++)
        if (in_doubt) {
            settings[q] = found[q];
            note_limit(q);
        } else if (memcmp(&found[q], &settings[q], sizeof found[q]) != 0)
            sim_broken("what is set for the queue %s is not what is on disk", keys_queues[q]);
}

static void
check_limit(uint64_t waiting, uint64_t fresh, uint64_t most)
{
    if (most && fresh && waiting > most)
        sim_broken("a queue took %llu jobs over its limit", (unsigned long long)(waiting - most));
}

void
queues_check_backlogs(void)
{
    uint64_t waiting[8] = {0}, fresh[8] = {0};
    for (uint32_t i = 0; i < known.count; i++) {
        const struct job *j = &known.jobs[i];
        bool waits = j->was.state == STINT_READY || j->was.state == STINT_SCHEDULED ||
            j->was.state == STINT_BLOCKED;
        waiting[j->queue] += waits;
        bool limited = !j->brought || !joint_presses(j);
        /* one that came and has ended made room as well, for those behind it */
        fresh[j->now_queue] += limited && j->was.state == STINT_UNKNOWN && !j->been && j->stored &&
            j->now.state != STINT_UNKNOWN && !stint_state_settled(j->now.state);
        /* what left the backlog in this step made room before, or after */
        waiting[j->queue] -=
            waits && (j->now.state != j->was.state || id_compare(&j->key, &j->now_key) != 0);
    }
    for (unsigned q = 0; q < 8; q++) {
        check_limit(waiting[q] + fresh[q], fresh[q], known.options.max.queue_backlog);
        check_limit(waiting[q] + fresh[q], fresh[q], queues_backlog_max(q));
    }
}
