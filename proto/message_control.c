/* Fleet control: CONTROL and what it makes of workers (ORDER), the fleet's size, and what a worker
 * runs. And control of queues.
 */
#include "message_fields.h"

/* A label, or the name of a worker, which is any text. */
enum control_key {
    CONTROL_ACTION = 2,
    CONTROL_TARGET = 3,
    CONTROL_NAME = 4,
    CONTROL_SLOTS = 5,
};

void
control_field(struct decoding *d, uint64_t key)
{
    struct control *c = &d->m->control;
    switch (key) {
    case CONTROL_ACTION:
        c->action = (enum control_action)decoding_ranged(
            d, CONTROL_RESIZE, CONTROL_STOP, "the action is 1 to 5");
        break;
    case CONTROL_TARGET:
        c->target = (enum control_target)decoding_ranged(
            d, CONTROL_ALL, CONTROL_LABELLED, "the target is 1 (all), 2 (name) or 3 (label)");
        break;
    case CONTROL_NAME:
        c->name = decoding_label(d);
        break;
    case CONTROL_SLOTS:
        c->slots = (uint32_t)decoding_ranged(d, 0, LIMIT_WINDOW, "slots are 0 to 65536");
        break;
    default:
        pack_skip(&d->r);
    }
}

void
message_put_control(struct pack_buffer *b, uint64_t number, const struct control *c)
{
    bool slots = c->slots != SLOTS_OWN;
    put_head_numbered(b, MESSAGE_CONTROL, 3U + (c->name.size > 0) + slots, number);
    pack_put_key_uint(b, CONTROL_ACTION, c->action);
    pack_put_key_uint(b, CONTROL_TARGET, c->target);
    if (c->name.size)
        put_key_text(b, CONTROL_NAME, c->name);
    if (slots)
        pack_put_key_uint(b, CONTROL_SLOTS, c->slots);
}

enum controlled_key { CONTROLLED_MET = 2 };

void
controlled_field(struct decoding *d, uint64_t key)
{
    if (key == CONTROLLED_MET)
        d->m->controlled.met = (uint32_t)pack_uint_max(&d->r, UINT32_MAX);
    else
        pack_skip(&d->r);
}

void
message_put_controlled(struct pack_buffer *b, uint64_t number, uint32_t met)
{
    put_head_numbered(b, MESSAGE_CONTROLLED, 2, number);
    pack_put_key_uint(b, CONTROLLED_MET, met);
}

enum order_key {
    ORDER_SLOTS = 2,
    ORDER_PAUSED = 3,
    ORDER_LEAVE = 4,
};

void
order_field(struct decoding *d, uint64_t key)
{
    struct order *o = &d->m->order;
    if (key == ORDER_SLOTS)
        o->slots = (uint32_t)decoding_ranged(d, 0, LIMIT_WINDOW, "slots are 0 to 65536");
    else if (key == ORDER_PAUSED)
        o->paused = pack_bool(&d->r);
    else if (key == ORDER_LEAVE)
        o->leave = (enum leave)decoding_ranged(
            d, LEAVE_NOT, LEAVE_STOP, "a worker leaves by 1 (drain) or 2 (stop)");
    else
        pack_skip(&d->r);
}

void
message_put_order(struct pack_buffer *b, const struct order *o)
{
    bool slots = o->slots != SLOTS_OWN;
    put_head(b, MESSAGE_ORDER, (uint32_t)slots + o->paused + (o->leave != LEAVE_NOT));
    if (slots)
        pack_put_key_uint(b, ORDER_SLOTS, o->slots);
    if (o->paused)
        put_key_bool(b, ORDER_PAUSED, true);
    if (o->leave != LEAVE_NOT)
        pack_put_key_uint(b, ORDER_LEAVE, o->leave);
}

/* SET_FLEET and FLEET. */
enum fleet_key {
    FLEET_SLOTS = 2,
    FLEET_WORKERS = 3,
    FLEET_CORES = 4,
    FLEET_GIVEN = 5,
};

void
fleet_field(struct decoding *d, uint64_t key)
{
    struct stint_fleet *f = &d->m->fleet;
    if (key == FLEET_SLOTS)
        f->slots = (uint32_t)decoding_ranged(
            d, 0, LIMIT_FLEET_SLOTS, "a fleet has at most 16777216 slots");
    else if (d->m->type == MESSAGE_SET_FLEET)
        pack_skip(&d->r);
    else if (key == FLEET_WORKERS)
        f->workers = (uint32_t)pack_uint_max(&d->r, UINT32_MAX);
    else if (key == FLEET_CORES)
        f->cores = pack_uint(&d->r);
    else if (key == FLEET_GIVEN)
        f->given = pack_uint(&d->r);
    else
        pack_skip(&d->r);
}

void
message_put_fleet(
    struct pack_buffer *b, enum message_type type, uint64_t number, const struct stint_fleet *f)
{
    put_head_numbered(b, type, type == MESSAGE_FLEET ? 5 : 2, number);
    pack_put_key_uint(b, FLEET_SLOTS, f->slots);
    if (type != MESSAGE_FLEET)
        return;
    pack_put_key_uint(b, FLEET_WORKERS, f->workers);
    pack_put_key_uint(b, FLEET_CORES, f->cores);
    pack_put_key_uint(b, FLEET_GIVEN, f->given);
}

enum list_running_key {
    LIST_RUNNING_CURSOR = 2,
    LIST_RUNNING_WORKER = 3,
};

void
list_running_field(struct decoding *d, uint64_t key)
{
    if (key == LIST_RUNNING_CURSOR)
        d->m->list_running.cursor = pack_bytes(&d->r);
    else if (key == LIST_RUNNING_WORKER)
        d->m->list_running.worker = decoding_label(d);
    else
        pack_skip(&d->r);
}

void
message_put_list_running(
    struct pack_buffer *b, uint64_t number, struct slice worker, struct slice cursor)
{
    put_head_numbered(b, MESSAGE_LIST_RUNNING, 2U + (cursor.size > 0), number);
    if (cursor.size)
        put_key_bytes(b, LIST_RUNNING_CURSOR, cursor.data, cursor.size);
    put_key_text(b, LIST_RUNNING_WORKER, worker);
}

/* Of a job in RUNNING. */
enum running_key {
    RUNNING_ID = 1,
    RUNNING_QUEUE = 2,
    RUNNING_KIND = 3,
    RUNNING_ATTEMPT = 4,
    RUNNING_BEGUN = 5,
    RUNNING_AGO = 6,
    RUNNING_PROGRESS = 7, /* and the two behind it */
};

bool
message_next_running(struct message_arrays *arrays)
{
    struct pack_reader *r = &arrays->items.r;
    struct stint_running_info *info = &arrays->running_info;
    int64_t last = -1;
    *info = (struct stint_running_info){0};
    for (uint32_t n = pack_map(r); n > 0 && !r->bad; n--) {
        uint64_t key = pack_key(r, &last);
        if (key == RUNNING_ID)
            read_id(r, &info->id);
        else if (key == RUNNING_QUEUE)
            slice_to_text(info->queue, sizeof info->queue, pack_text(r));
        else if (key == RUNNING_KIND)
            slice_to_text(info->kind, sizeof info->kind, pack_text(r));
        else if (key == RUNNING_ATTEMPT)
            info->attempt = (uint32_t)pack_uint_max(r, UINT32_MAX);
        else if (key == RUNNING_BEGUN)
            info->begun = pack_bool(r);
        else if (key == RUNNING_AGO)
            info->ms_ago = pack_uint(r);
        else if (key >= RUNNING_PROGRESS && key <= RUNNING_PROGRESS + PROGRESS_TEXT)
            read_progress(r, (enum progress_at)(key - RUNNING_PROGRESS), &info->progress,
                arrays->items.progress);
        else
            pack_skip(r);
    }
    return !r->bad;
}

void
message_put_running_info(struct pack_buffer *b, const struct stint_running_info *info)
{
    pack_put_map(b, 6 + progress_fields(&info->progress));
    put_key(b, RUNNING_ID);
    put_id(b, &info->id);
    put_key_string(b, RUNNING_QUEUE, info->queue);
    put_key_string(b, RUNNING_KIND, info->kind);
    pack_put_key_uint(b, RUNNING_ATTEMPT, info->attempt);
    put_key_bool(b, RUNNING_BEGUN, info->begun);
    pack_put_key_uint(b, RUNNING_AGO, info->ms_ago);
    put_progress(b, RUNNING_PROGRESS, &info->progress);
}

enum set_queue_key {
    SET_QUEUE_NAME = 2,
    SET_QUEUE_ACTION = 3,
    SET_QUEUE_RUNNING = 4,
    SET_QUEUE_RATE = 5,
    SET_QUEUE_WEIGHT = 6,
    SET_QUEUE_BACKLOG_MAX = 7,
    SET_QUEUE_KEEP = 8,
    SET_QUEUE_TIME_TO_RUN = 9,
    SET_QUEUE_GROUP_RUNNING = 10,
    SET_QUEUE_GROUP_RATE = 11,
    SET_QUEUE_GROUP_WEIGHTS = 12,
};

/* A duration, or that there is none of the queue's own. */
static uint64_t
read_queue_keep(struct decoding *d)
{
    static const char why[] = "a duration is at most a hundred years";
    uint64_t keep_ms = pack_uint(&d->r);
    if (keep_ms > LIMIT_TIME_MS && keep_ms != STINT_KEEP_UNSET && !d->r.bad)
        decoding_complain(d, STINT_INVALID, why);
    return keep_ms;
}

static void
tuning_field(struct decoding *d, uint64_t key, struct stint_queue_tuning *t)
{
    if (key == SET_QUEUE_WEIGHT)
        t->weight =
            (uint32_t)decoding_ranged(d, 1, LIMIT_QUEUE_WEIGHT, "a queue's weight is 1 to 100");
    else if (key == SET_QUEUE_BACKLOG_MAX)
        t->backlog_max = (uint32_t)decoding_ranged(
            d, 0, LIMIT_QUEUE_BACKLOG, "a queue is limited to at most 1073741824 jobs that wait");
    else if (key == SET_QUEUE_KEEP)
        t->keep_ms = read_queue_keep(d);
    else if (key == SET_QUEUE_TIME_TO_RUN)
        t->time_to_run_ms =
            decoding_ranged(d, 0, LIMIT_TIME_MS, "a duration is at most a hundred years");
    else
        pack_skip(&d->r);
}

/* Each is an array of a name and a weight. */
static void
read_group_weights(struct decoding *d)
{
    uint32_t count = decoding_counted(
        d, LIMIT_GROUP_WEIGHTS_SET, "at most 100 weights of groups in one message");
    d->m->set_queue.groups.weights = count;
    for (uint32_t i = 0; i < count && !d->r.bad; i++) {
        struct group_weight *w = &d->arrays->items.group_weights[i];
        uint32_t elements = pack_array(&d->r);
        w->name = decoding_group(d);
        w->weight = (uint32_t)decoding_ranged(
            d, 1, LIMIT_GROUP_WEIGHT, "the weight of a group is 1 to 1000");
        if (!d->r.bad)
            decoding_skip_rest(d, 2, elements);
    }
}

static void
group_setting_field(struct decoding *d, uint64_t key)
{
    struct group_setting *g = &d->m->set_queue.groups;
    if (key == SET_QUEUE_GROUP_RUNNING)
        g->running = (uint32_t)decoding_ranged(
            d, 0, LIMIT_GROUP_RUNNING, "groups are limited to at most 16777216 jobs at once");
    else if (key == SET_QUEUE_GROUP_RATE)
        g->rate = decoding_ranged(d, 0, LIMIT_QUEUE_RATE, "a rate is at most a million a second");
    else
        read_group_weights(d);
}

void
set_queue_field(struct decoding *d, uint64_t key)
{
    if (key == SET_QUEUE_NAME)
        d->m->set_queue.queue = decoding_name(d);
    else if (key == SET_QUEUE_ACTION)
        d->m->set_queue.action = (enum stint_queue_action)decoding_ranged(
            d, STINT_PAUSE_QUEUE, STINT_SET_GROUPS, "the action is 1 to 12");
    else if (key == SET_QUEUE_RUNNING)
        d->m->set_queue.limits.running = (uint32_t)decoding_ranged(
            d, 0, LIMIT_QUEUE_RUNNING, "a queue is limited to at most 16777216 jobs at once");
    else if (key == SET_QUEUE_RATE)
        d->m->set_queue.limits.rate =
            decoding_ranged(d, 0, LIMIT_QUEUE_RATE, "a rate is at most a million a second");
    else if (key >= SET_QUEUE_GROUP_RUNNING && key <= SET_QUEUE_GROUP_WEIGHTS)
        group_setting_field(d, key);
    else
        tuning_field(d, key, &d->m->set_queue.tuning);
}

void
message_put_set_queue(struct pack_buffer *b, uint64_t number, struct slice queue,
    enum stint_queue_action action, const struct stint_queue_limits *limits)
{
    bool running = limits && limits->running != UINT32_MAX;
    bool rate = limits && limits->rate != UINT64_MAX;
    put_head_numbered(b, MESSAGE_SET_QUEUE, 3U + running + rate, number);
    put_key_text(b, SET_QUEUE_NAME, queue);
    pack_put_key_uint(b, SET_QUEUE_ACTION, action);
    if (running)
        pack_put_key_uint(b, SET_QUEUE_RUNNING, limits->running);
    if (rate)
        pack_put_key_uint(b, SET_QUEUE_RATE, limits->rate);
}

void
message_put_tune_queue(
    struct pack_buffer *b, uint64_t number, struct slice queue, const struct stint_queue_tuning *t)
{
    const struct {
        enum set_queue_key key;
        bool is_set;
        uint64_t value;
    } values[] = {{SET_QUEUE_WEIGHT, t->weight != UINT32_MAX, t->weight},
        {SET_QUEUE_BACKLOG_MAX, t->backlog_max != UINT32_MAX, t->backlog_max},
        {SET_QUEUE_KEEP, t->keep_ms != UINT64_MAX, t->keep_ms},
        {SET_QUEUE_TIME_TO_RUN, t->time_to_run_ms != UINT64_MAX, t->time_to_run_ms}};
    uint32_t fields = 3;
    for (size_t i = 0; i < sizeof values / sizeof *values; i++)
        fields += values[i].is_set;
    put_head_numbered(b, MESSAGE_SET_QUEUE, fields, number);
    put_key_text(b, SET_QUEUE_NAME, queue);
    pack_put_key_uint(b, SET_QUEUE_ACTION, STINT_TUNE_QUEUE);
    for (size_t i = 0; i < sizeof values / sizeof *values; i++)
        if (values[i].is_set)
            pack_put_key_uint(b, values[i].key, values[i].value);
}

void
message_put_group_setting(struct pack_buffer *b, uint64_t number, struct slice queue,
    const struct group_setting *g, const struct group_weight *weights)
{
    bool running = g->running != UINT32_MAX, rate = g->rate != UINT64_MAX;
    put_head_numbered(b, MESSAGE_SET_QUEUE, 3U + running + rate + (g->weights > 0), number);
    put_key_text(b, SET_QUEUE_NAME, queue);
    pack_put_key_uint(b, SET_QUEUE_ACTION, STINT_SET_GROUPS);
    if (running)
        pack_put_key_uint(b, SET_QUEUE_GROUP_RUNNING, g->running);
    if (rate)
        pack_put_key_uint(b, SET_QUEUE_GROUP_RATE, g->rate);
    if (g->weights == 0)
        return;
    put_key_array(b, SET_QUEUE_GROUP_WEIGHTS, g->weights);
    for (uint32_t i = 0; i < g->weights; i++) {
        pack_put_array(b, 2);
        pack_put_text(b, weights[i].name.data, weights[i].name.size);
        pack_put_uint(b, weights[i].weight);
    }
}

enum queue_set_key {
    QUEUE_SET_PAUSED = 2,
    QUEUE_SET_CLOSED = 3,
    QUEUE_SET_MADE = 4,
    QUEUE_SET_LIFO = 5,
    QUEUE_SET_LOW_FIRST = 6,
    QUEUE_SET_RUNNING = 7,
    QUEUE_SET_RATE = 8,
    QUEUE_SET_WEIGHT = 9,
    QUEUE_SET_BACKLOG_MAX = 10,
    QUEUE_SET_KEEP = 11,
    QUEUE_SET_TIME_TO_RUN = 12,
    QUEUE_SET_GROUP_RUNNING = 13,
    QUEUE_SET_GROUP_RATE = 14,
    QUEUE_SET_GROUP_WEIGHTS = 15,
};

void
queue_field(struct decoding *d, uint64_t key)
{
    struct stint_queue_setting *q = &d->m->queue;
    if (key == QUEUE_SET_PAUSED)
        q->paused = pack_bool(&d->r);
    else if (key == QUEUE_SET_CLOSED)
        q->closed = pack_bool(&d->r);
    else if (key == QUEUE_SET_MADE)
        q->made = pack_bool(&d->r);
    else if (key == QUEUE_SET_LIFO)
        q->lifo = pack_bool(&d->r);
    else if (key == QUEUE_SET_LOW_FIRST)
        q->low_first = pack_bool(&d->r);
    else if (key == QUEUE_SET_RUNNING)
        q->running = (uint32_t)pack_uint_max(&d->r, UINT32_MAX);
    else if (key == QUEUE_SET_RATE)
        q->rate = pack_uint(&d->r);
    else if (key == QUEUE_SET_WEIGHT)
        q->weight = (uint32_t)pack_uint_max(&d->r, UINT32_MAX);
    else if (key == QUEUE_SET_BACKLOG_MAX)
        q->backlog_max = (uint32_t)pack_uint_max(&d->r, UINT32_MAX);
    else if (key == QUEUE_SET_KEEP)
        q->keep_ms = pack_uint(&d->r);
    else if (key == QUEUE_SET_TIME_TO_RUN)
        q->time_to_run_ms = pack_uint(&d->r);
    else if (key == QUEUE_SET_GROUP_RUNNING)
        q->group_running = (uint32_t)pack_uint_max(&d->r, UINT32_MAX);
    else if (key == QUEUE_SET_GROUP_RATE)
        q->group_rate = pack_uint(&d->r);
    else if (key == QUEUE_SET_GROUP_WEIGHTS)
        q->group_weights = (uint32_t)pack_uint_max(&d->r, UINT32_MAX);
    else
        pack_skip(&d->r);
}

void
message_put_queue(struct pack_buffer *b, uint64_t number, const struct stint_queue_setting *q)
{
    uint32_t tuned = 0U + (q->weight > 1) + (q->backlog_max != 0) +
        (q->keep_ms != STINT_KEEP_UNSET) + (q->time_to_run_ms != 0) + (q->group_running != 0) +
        (q->group_rate != 0) + (q->group_weights != 0);
    put_head_numbered(b, MESSAGE_QUEUE,
        1U + q->paused + q->closed + q->made + q->lifo + q->low_first + (q->running != 0) +
            (q->rate != 0) + tuned,
        number);
    if (q->paused)
        put_key_bool(b, QUEUE_SET_PAUSED, true);
    if (q->closed)
        put_key_bool(b, QUEUE_SET_CLOSED, true);
    if (q->made)
        put_key_bool(b, QUEUE_SET_MADE, true);
    if (q->lifo)
        put_key_bool(b, QUEUE_SET_LIFO, true);
    if (q->low_first)
        put_key_bool(b, QUEUE_SET_LOW_FIRST, true);
    if (q->running)
        pack_put_key_uint(b, QUEUE_SET_RUNNING, q->running);
    if (q->rate)
        pack_put_key_uint(b, QUEUE_SET_RATE, q->rate);
    if (q->weight > 1)
        pack_put_key_uint(b, QUEUE_SET_WEIGHT, q->weight);
    if (q->backlog_max)
        pack_put_key_uint(b, QUEUE_SET_BACKLOG_MAX, q->backlog_max);
    if (q->keep_ms != STINT_KEEP_UNSET)
        pack_put_key_uint(b, QUEUE_SET_KEEP, q->keep_ms);
    if (q->time_to_run_ms)
        pack_put_key_uint(b, QUEUE_SET_TIME_TO_RUN, q->time_to_run_ms);
    if (q->group_running)
        pack_put_key_uint(b, QUEUE_SET_GROUP_RUNNING, q->group_running);
    if (q->group_rate)
        pack_put_key_uint(b, QUEUE_SET_GROUP_RATE, q->group_rate);
    if (q->group_weights)
        pack_put_key_uint(b, QUEUE_SET_GROUP_WEIGHTS, q->group_weights);
}
