/* The broker's figures, and events: LIST_QUEUES to EVENTS. */
#include "message_fields.h"

/* LIST_QUEUES, LIST_WORKERS: where the page begins. */
enum page_key { PAGE_CURSOR = 2 };

void
cursor_field(struct decoding *d, uint64_t key)
{
    if (key == PAGE_CURSOR)
        d->m->page.cursor = pack_bytes(&d->r);
    else
        pack_skip(&d->r);
}

void
message_put_page(
    struct pack_buffer *b, enum message_type type, uint64_t number, struct slice cursor)
{
    put_head_numbered(b, type, 1U + (cursor.size > 0), number);
    if (cursor.size)
        put_key_bytes(b, PAGE_CURSOR, cursor.data, cursor.size);
}

/* Of a queue in QUEUES. */
enum queue_key {
    QUEUE_NAME = 1,
    QUEUE_NUMBER = 2,
    QUEUE_JOBS = 3,
    QUEUE_WORKERS = 4,
    QUEUE_UNSERVED = 5,
    QUEUE_OLDEST_READY = 6,
    QUEUE_PAUSED = 7,
    QUEUE_CLOSED = 8,
    QUEUE_LIFO = 9,
    QUEUE_LOW_FIRST = 10,
    QUEUE_RUNNING = 11,
    QUEUE_RATE = 12,
    QUEUE_WEIGHT = 13,
    QUEUE_BACKLOG_MAX = 14,
    QUEUE_KEEP = 15,
    QUEUE_TIME_TO_RUN = 16,
    QUEUE_GROUP_RUNNING = 17,
    QUEUE_GROUP_RATE = 18,
    QUEUE_GROUP_WEIGHTS = 19,
};

static void
read_queue_tuning(struct pack_reader *r, uint64_t key, struct stint_queue_info *info)
{
    if (key == QUEUE_WEIGHT)
        info->weight = (uint32_t)pack_uint_max(r, UINT32_MAX);
    else if (key == QUEUE_BACKLOG_MAX)
        info->backlog_max = (uint32_t)pack_uint_max(r, UINT32_MAX);
    else if (key == QUEUE_KEEP)
        info->keep_ms = pack_uint(r);
    else if (key == QUEUE_TIME_TO_RUN)
        info->time_to_run_ms = pack_uint(r);
    else if (key == QUEUE_GROUP_RUNNING)
        info->group_running = (uint32_t)pack_uint_max(r, UINT32_MAX);
    else if (key == QUEUE_GROUP_RATE)
        info->group_rate = pack_uint(r);
    else if (key == QUEUE_GROUP_WEIGHTS)
        info->group_weights = (uint32_t)pack_uint_max(r, UINT32_MAX);
    else
        pack_skip(r);
}

bool
message_next_queue(struct message_arrays *arrays)
{
    struct pack_reader *r = &arrays->items.r;
    struct stint_queue_info *info = &arrays->queue_info;
    int64_t last = -1;
    *info = (struct stint_queue_info){.weight = 1, .keep_ms = STINT_KEEP_UNSET};
    for (uint32_t n = pack_map(r); n > 0 && !r->bad; n--) {
        uint64_t key = pack_key(r, &last);
        if (key == QUEUE_NAME)
            slice_to_text(info->name, sizeof info->name, pack_text(r));
        else if (key == QUEUE_NUMBER)
            info->number = (uint32_t)pack_uint_max(r, UINT32_MAX);
        else if (key == QUEUE_JOBS)
            decoding_states(r, info->jobs);
        else if (key == QUEUE_WORKERS)
            info->workers = (uint32_t)pack_uint_max(r, UINT32_MAX);
        else if (key == QUEUE_UNSERVED)
            slice_to_text(info->unserved, sizeof info->unserved, pack_text(r));
        else if (key == QUEUE_OLDEST_READY)
            info->oldest_ready_ms = pack_uint(r);
        else if (key == QUEUE_PAUSED)
            info->paused = pack_bool(r);
        else if (key == QUEUE_CLOSED)
            info->closed = pack_bool(r);
        else if (key == QUEUE_LIFO)
            info->lifo = pack_bool(r);
        else if (key == QUEUE_LOW_FIRST)
            info->low_first = pack_bool(r);
        else if (key == QUEUE_RUNNING)
            info->running = (uint32_t)pack_uint_max(r, UINT32_MAX);
        else if (key == QUEUE_RATE)
            info->rate = pack_uint(r);
        else
            read_queue_tuning(r, key, info);
    }
    return !r->bad;
}

static void
put_queue_tuning(struct pack_buffer *b, const struct stint_queue_info *info)
{
    if (info->weight > 1)
        pack_put_key_uint(b, QUEUE_WEIGHT, info->weight);
    if (info->backlog_max)
        pack_put_key_uint(b, QUEUE_BACKLOG_MAX, info->backlog_max);
    if (info->keep_ms != STINT_KEEP_UNSET)
        pack_put_key_uint(b, QUEUE_KEEP, info->keep_ms);
    if (info->time_to_run_ms)
        pack_put_key_uint(b, QUEUE_TIME_TO_RUN, info->time_to_run_ms);
    if (info->group_running)
        pack_put_key_uint(b, QUEUE_GROUP_RUNNING, info->group_running);
    if (info->group_rate)
        pack_put_key_uint(b, QUEUE_GROUP_RATE, info->group_rate);
    if (info->group_weights)
        pack_put_key_uint(b, QUEUE_GROUP_WEIGHTS, info->group_weights);
}

void
message_put_queue_info(struct pack_buffer *b, const struct stint_queue_info *info)
{
    uint32_t tuned = 0U + (info->weight > 1) + (info->backlog_max != 0) +
        (info->keep_ms != STINT_KEEP_UNSET) + (info->time_to_run_ms != 0) +
        (info->group_running != 0) + (info->group_rate != 0) + (info->group_weights != 0);
    pack_put_map(b,
        4U + (info->unserved[0] != 0) + (info->oldest_ready_ms != 0) + info->paused + info->closed +
            info->lifo + info->low_first + (info->running != 0) + (info->rate != 0) + tuned);
    put_key_string(b, QUEUE_NAME, info->name);
    pack_put_key_uint(b, QUEUE_NUMBER, info->number);
    put_states(b, QUEUE_JOBS, info->jobs);
    pack_put_key_uint(b, QUEUE_WORKERS, info->workers);
    if (info->unserved[0])
        put_key_string(b, QUEUE_UNSERVED, info->unserved);
    if (info->oldest_ready_ms)
        pack_put_key_uint(b, QUEUE_OLDEST_READY, info->oldest_ready_ms);
    if (info->paused)
        put_key_bool(b, QUEUE_PAUSED, true);
    if (info->closed)
        put_key_bool(b, QUEUE_CLOSED, true);
    if (info->lifo)
        put_key_bool(b, QUEUE_LIFO, true);
    if (info->low_first)
        put_key_bool(b, QUEUE_LOW_FIRST, true);
    if (info->running)
        pack_put_key_uint(b, QUEUE_RUNNING, info->running);
    if (info->rate)
        pack_put_key_uint(b, QUEUE_RATE, info->rate);
    put_queue_tuning(b, info);
}

/* Of a worker in WORKERS. */
enum worker_key {
    WORKER_NAME = 1,
    WORKER_SOFTWARE = 2,
    WORKER_QUEUES = 3,
    WORKER_SLOTS = 4,
    WORKER_WINDOW = 5,
    WORKER_HELD = 6,
    WORKER_SEEN_AGO = 7,
    WORKER_SUCCEEDED = 8,
    WORKER_FAILED = 9,
    WORKER_KINDS = 10,
    WORKER_LABELS = 11,
    WORKER_BEGUN = 12,
    WORKER_CORES = 13,
    WORKER_LOAD = 14,
    WORKER_STATE = 15,
    WORKER_SINCE_AGO = 16,
    WORKER_HAS = 17,
    WORKER_TAKEN = 18,
};

bool
message_next_worker(struct message_arrays *arrays)
{
    struct pack_reader *r = &arrays->items.r;
    struct stint_worker_info *info = &arrays->worker_info;
    uint32_t *const counts[] = {&info->slots, &info->window, &info->held};
    uint64_t *const totals[] = {&info->seen_ms_ago, &info->succeeded, &info->failed};
    uint32_t *const figures[] = {&info->begun, &info->cores, &info->load, &info->state};
    int64_t last = -1;
    *info = (struct stint_worker_info){0};
    for (uint32_t n = pack_map(r); n > 0 && !r->bad; n--) {
        uint64_t key = pack_key(r, &last);
        if (key == WORKER_NAME)
            slice_to_text(info->name, sizeof info->name, pack_text(r));
        else if (key == WORKER_SOFTWARE)
            slice_to_text(info->software, sizeof info->software, pack_text(r));
        else if (key == WORKER_QUEUES)
            slice_to_text(info->queues, sizeof info->queues, pack_text(r));
        else if (key >= WORKER_SLOTS && key <= WORKER_HELD)
            *counts[key - WORKER_SLOTS] = (uint32_t)pack_uint_max(r, UINT32_MAX);
        else if (key >= WORKER_SEEN_AGO && key <= WORKER_FAILED)
            *totals[key - WORKER_SEEN_AGO] = pack_uint(r);
        else if (key == WORKER_KINDS)
            slice_to_text(info->kinds, sizeof info->kinds, pack_text(r));
        else if (key == WORKER_LABELS)
            slice_to_text(info->labels, sizeof info->labels, pack_text(r));
        else if (key >= WORKER_BEGUN && key <= WORKER_STATE)
            *figures[key - WORKER_BEGUN] = (uint32_t)pack_uint_max(r, UINT32_MAX);
        else if (key == WORKER_SINCE_AGO)
            info->since_ms_ago = pack_uint(r);
        else if (key == WORKER_HAS)
            slice_to_text(info->has, sizeof info->has, pack_text(r));
        else if (key == WORKER_TAKEN)
            slice_to_text(info->taken, sizeof info->taken, pack_text(r));
        else
            pack_skip(r);
    }
    return !r->bad;
}

void
message_put_worker_info(struct pack_buffer *b, const struct stint_worker_info *info)
{
    const uint64_t figures[] = {
        info->begun, info->cores, info->load, info->state, info->since_ms_ago};
    uint32_t fields = 9U + (info->kinds[0] != 0) + (info->labels[0] != 0) + (info->has[0] != 0) +
        (info->taken[0] != 0);
    for (uint8_t i = 0; i < 5; i++)
        fields += figures[i] != 0;
    pack_put_map(b, fields);
    put_key_string(b, WORKER_NAME, info->name);
    put_key_string(b, WORKER_SOFTWARE, info->software);
    put_key_string(b, WORKER_QUEUES, info->queues);
    pack_put_key_uint(b, WORKER_SLOTS, info->slots);
    pack_put_key_uint(b, WORKER_WINDOW, info->window);
    pack_put_key_uint(b, WORKER_HELD, info->held);
    pack_put_key_uint(b, WORKER_SEEN_AGO, info->seen_ms_ago);
    pack_put_key_uint(b, WORKER_SUCCEEDED, info->succeeded);
    pack_put_key_uint(b, WORKER_FAILED, info->failed);
    if (info->kinds[0])
        put_key_string(b, WORKER_KINDS, info->kinds);
    if (info->labels[0])
        put_key_string(b, WORKER_LABELS, info->labels);
    for (uint8_t i = 0; i < 5; i++)
        if (figures[i])
            pack_put_key_uint(b, (uint8_t)(WORKER_BEGUN + i), figures[i]);
    if (info->has[0])
        put_key_string(b, WORKER_HAS, info->has);
    if (info->taken[0])
        put_key_string(b, WORKER_TAKEN, info->taken);
}

/* The figures have the keys from 2 on, in the order of their list. */
enum stats_key {
    STATS_BEFORE_FIRST = 1,
#define X(field) STATS_##field,
    STINT_STATS_FIELDS(X)
#undef X
        STATS_END,
    STATS_JOBS = 64,
    STATS_TOTALS = 65,
};
_Static_assert((int)STATS_END <= (int)STATS_JOBS, "the figures end below the jobs' key");

static void
read_totals(struct pack_reader *r, uint64_t totals[STINT_COUNTS])
{
    uint32_t elements = pack_array(r);
    for (uint32_t i = 0; i < elements && !r->bad; i++) {
        uint64_t total = pack_uint(r);
        if (i < STINT_COUNTS)
            totals[i] = total;
    }
}

void
stats_field(struct decoding *d, uint64_t key)
{
    struct stint_stats *s = &d->m->stats;
    switch (key) {
#define X(field) \
    case STATS_##field: \
        s->field = pack_uint(&d->r); \
        break;
        STINT_STATS_FIELDS(X)
#undef X
    case STATS_JOBS:
        decoding_states(&d->r, s->jobs);
        break;
    case STATS_TOTALS:
        read_totals(&d->r, s->totals);
        break;
    default:
        pack_skip(&d->r);
    }
}

void
message_put_stats(struct pack_buffer *b, uint64_t number, const struct stint_stats *s)
{
    enum { FIGURES = STATS_END - STATS_BEFORE_FIRST - 1 };
    put_head_numbered(b, MESSAGE_STATS, FIGURES + 3, number); /* and the number, jobs and totals */
#define X(field) pack_put_key_uint(b, STATS_##field, s->field);
    STINT_STATS_FIELDS(X)
#undef X
    put_states(b, STATS_JOBS, s->jobs);
    put_key_array(b, STATS_TOTALS, STINT_COUNTS);
    for (unsigned i = 0; i < STINT_COUNTS; i++)
        pack_put_uint(b, s->totals[i]);
}

enum subscribe_key {
    SUBSCRIBE_QUEUE = 2,
    SUBSCRIBE_EVENTS = 3,
    SUBSCRIBE_IDS = 4,
};

void
subscribe_field(struct decoding *d, uint64_t key)
{
    switch (key) {
    case SUBSCRIBE_QUEUE:
        d->m->subscribe.queue = decoding_name(d);
        break;
    case SUBSCRIBE_EVENTS:
        d->m->subscribe.events = (uint32_t)pack_uint_max(&d->r, UINT32_MAX);
        break;
    case SUBSCRIBE_IDS:
        decoding_ids(d);
        break;
    default:
        pack_skip(&d->r);
    }
}

void
message_put_subscribe(struct pack_buffer *b, uint64_t number, struct slice queue, uint32_t events,
    const struct stint_id *ids, uint32_t count)
{
    put_head_numbered(b, MESSAGE_SUBSCRIBE, 2U + (queue.size > 0) + (count > 0), number);
    if (queue.size)
        put_key_text(b, SUBSCRIBE_QUEUE, queue);
    pack_put_key_uint(b, SUBSCRIBE_EVENTS, events);
    if (count)
        put_ids(b, SUBSCRIBE_IDS, ids, count);
}

/* The schedule that made the job stands behind them, if one did. */
enum { EVENT_ELEMENTS = 5 };

void
events_field(struct decoding *d, uint64_t key)
{
    if (key != KEY_ELEMENTS) {
        pack_skip(&d->r);
        return;
    }
    d->m->count = decoding_counted(d, LIMIT_JOBS, "over 4096 events in one message");
    for (uint32_t i = 0; i < d->m->count && !d->r.bad; i++) {
        struct stint_event *e = &d->arrays->events[i];
        uint32_t elements = pack_array(&d->r);
        e->type = (enum stint_event_type)pack_uint_max(&d->r, UINT16_MAX);
        decoding_id(d, &e->id);
        e->at_ms = pack_uint(&d->r);
        e->count = pack_uint(&d->r);
        slice_to_text(e->queue, sizeof e->queue, pack_text(&d->r));
        e->schedule[0] = '\0';
        if (elements > EVENT_ELEMENTS && !d->r.bad)
            slice_to_text(e->schedule, sizeof e->schedule, pack_text(&d->r));
        decoding_skip_rest(d, EVENT_ELEMENTS + (elements > EVENT_ELEMENTS), elements);
    }
}

void
message_put_event(struct pack_buffer *b, const struct stint_event *event)
{
    pack_put_array(b, EVENT_ELEMENTS + (event->schedule[0] != 0));
    pack_put_uint(b, event->type);
    put_id(b, &event->id);
    pack_put_uint(b, event->at_ms);
    pack_put_uint(b, event->count);
    pack_put_string(b, event->queue);
    if (event->schedule[0])
        pack_put_string(b, event->schedule);
}
