/* Messages to frames; the contract is in message.h. Every encoder writes rising keys and the
 * shortest form of each number, so that equal messages are equal bytes.
 */
#include "message.h"

static void
put_key_bytes(struct pack_buffer *b, uint8_t key, const void *data, size_t size)
{
    *pack_reserve(b, 1) = key;
    pack_put_bytes(b, data, size);
}

static void
put_key_text(struct pack_buffer *b, uint8_t key, struct slice text)
{
    *pack_reserve(b, 1) = key;
    pack_put_text(b, text.data, text.size);
}

static void
put_key_string(struct pack_buffer *b, uint8_t key, const char *text)
{
    *pack_reserve(b, 1) = key;
    pack_put_string(b, text);
}

static void
put_names(struct pack_buffer *b, uint8_t key, const struct slice *names, uint32_t count)
{
    *pack_reserve(b, 1) = key;
    pack_put_array(b, count);
    for (uint32_t i = 0; i < count; i++)
        pack_put_text(b, names[i].data, names[i].size);
}

static void
put_id(struct pack_buffer *b, const struct stint_id *id)
{
    uint8_t *p = pack_reserve(b, 2 + STINT_ID_BYTES);
    p[0] = 0xc4;
    p[1] = STINT_ID_BYTES;
    memcpy(p + 2, id->bytes, STINT_ID_BYTES);
}

void
message_put_head(struct pack_buffer *b, enum message_type type, uint32_t fields)
{
    pack_put_map(b, fields + 1);
    pack_put_key_uint(b, 0, type);
}

void
message_put_hello(struct pack_buffer *b, const struct hello *h, const struct slice *queues,
    const struct slice *kinds)
{
    bool worker = h->role == ROLE_WORKER;
    message_put_head(b, MESSAGE_HELLO, worker ? 9 + (h->kinds > 0) : 6);
    pack_put_key_uint(b, 2, h->version_min);
    pack_put_key_uint(b, 3, h->version_max);
    pack_put_key_uint(b, 4, h->role);
    put_key_bytes(b, 5, h->session, SESSION_BYTES);
    put_key_text(b, 6, h->name);
    put_key_text(b, 7, h->software);
    if (!worker)
        return;
    pack_put_key_uint(b, 8, h->slots);
    pack_put_key_uint(b, 9, h->window);
    put_names(b, 10, queues, h->queues);
    if (h->kinds)
        put_names(b, 11, kinds, h->kinds);
}

void
message_put_welcome(
    struct pack_buffer *b, const struct welcome *w, const struct broker_ref *brokers)
{
    message_put_head(b, MESSAGE_WELCOME, 11);
    pack_put_key_uint(b, 2, w->version);
    pack_put_key_uint(b, 3, w->epoch);
    pack_put_key_uint(b, 4, w->broker);
    pack_put_key_uint(b, 5, w->heartbeat_ms);
    pack_put_key_uint(b, 6, w->lost_ms);
    pack_put_key_uint(b, 7, w->message_bytes);
    pack_put_key_uint(b, 8, w->payload_bytes);
    pack_put_key_uint(b, 9, w->result_bytes);
    pack_put_key_uint(b, 10, w->submission);
    *pack_reserve(b, 1) = 11;
    pack_put_array(b, w->brokers);
    for (uint32_t i = 0; i < w->brokers; i++) {
        pack_put_array(b, 2);
        pack_put_uint(b, brokers[i].number);
        pack_put_text(b, brokers[i].endpoint.data, brokers[i].endpoint.size);
    }
    put_key_text(b, 12, w->software);
}

void
message_put_ping(struct pack_buffer *b, uint64_t number, uint32_t window, uint64_t token)
{
    message_put_head(b, MESSAGE_PING, 1U + (window != WINDOW_UNCHANGED) + (token != 0));
    pack_put_key_uint(b, 1, number);
    if (window != WINDOW_UNCHANGED)
        pack_put_key_uint(b, 2, window);
    if (token)
        pack_put_key_uint(b, 3, token);
}

void
message_put_pong(struct pack_buffer *b, uint64_t number, uint64_t token)
{
    message_put_head(b, MESSAGE_PONG, 2);
    pack_put_key_uint(b, 1, number);
    pack_put_key_uint(b, 2, token);
}

void
message_put_page(
    struct pack_buffer *b, enum message_type type, uint64_t number, struct slice cursor)
{
    message_put_head(b, type, 1U + (cursor.size > 0));
    pack_put_key_uint(b, 1, number);
    if (cursor.size)
        put_key_bytes(b, 2, cursor.data, cursor.size);
}

void
message_put_numbered(struct pack_buffer *b, enum message_type type, uint64_t number)
{
    message_put_head(b, type, 1);
    pack_put_key_uint(b, 1, number);
}

void
message_put_error(struct pack_buffer *b, enum message_type about, uint64_t number,
    enum stint_status status, const char *detail, const char *endpoint)
{
    message_put_head(b, MESSAGE_ERROR, endpoint ? 5 : 4);
    pack_put_key_uint(b, 1, number);
    pack_put_key_uint(b, 2, status);
    put_key_string(b, 3, detail);
    pack_put_key_uint(b, 4, about);
    if (endpoint)
        put_key_string(b, 5, endpoint);
}

static bool
same(struct slice a, struct slice b)
{
    return a.size == b.size && (a.size == 0 || memcmp(a.data, b.data, a.size) == 0);
}

/* Which optional numbers of a spec differ from what `base` says; the bits are the keys. */
static uint32_t
differing(const struct job_spec *s, const struct job_spec *base)
{
    return (uint32_t)(!same(s->queue, base->queue)) << 1 |
        (uint32_t)(!same(s->kind, base->kind)) << 2 |
        (uint32_t)(s->priority != base->priority) << 4 |
        (uint32_t)(s->max_attempts != base->max_attempts) << 5 |
        (uint32_t)(s->keep_ms != base->keep_ms) << 6 |
        (uint32_t)(s->time_to_run_ms != base->time_to_run_ms) << 7 |
        (uint32_t)(s->backoff_base_ms != base->backoff_base_ms) << 8 |
        (uint32_t)(s->backoff_cap_ms != base->backoff_cap_ms) << 9;
}

static uint32_t
count_bits(uint32_t bits)
{
    uint32_t n = 0;
    for (; bits; bits &= bits - 1)
        n++;
    return n;
}

static void
put_spec(struct pack_buffer *b, const struct job_spec *s, uint32_t keys)
{
    pack_put_map(b, count_bits(keys));
    if (keys & 1U << 1)
        put_key_text(b, 1, s->queue);
    if (keys & 1U << 2)
        put_key_text(b, 2, s->kind);
    if (keys & 1U << 3)
        put_key_bytes(b, 3, s->payload.data, s->payload.size);
    if (keys & 1U << 4)
        pack_put_key_uint(b, 4, s->priority);
    if (keys & 1U << 5)
        pack_put_key_uint(b, 5, s->max_attempts);
    if (keys & 1U << 6)
        pack_put_key_uint(b, 6, s->keep_ms);
    if (keys & 1U << 7)
        pack_put_key_uint(b, 7, s->time_to_run_ms);
    if (keys & 1U << 8)
        pack_put_key_uint(b, 8, s->backoff_base_ms);
    if (keys & 1U << 9)
        pack_put_key_uint(b, 9, s->backoff_cap_ms);
}

/* The first job's settings become the common part, and the others say what differs. What no job
 * can say (that it wants the broker's retention, or no time limit) must not be overridden by the
 * common part, so those two stay out of it if any job leaves them alone. */
static uint32_t
common_part(const struct job_spec *jobs, uint32_t count, struct job_spec *base)
{
    *base = (struct job_spec){.queue = {(const uint8_t *)"default", 7},
        .kind = {(const uint8_t *)"default", 7},
        .keep_ms = KEEP_DEFAULT,
        .backoff_base_ms = DEFAULT_BACKOFF_BASE_MS,
        .backoff_cap_ms = DEFAULT_BACKOFF_CAP_MS,
        .max_attempts = DEFAULT_MAX_ATTEMPTS,
        .priority = DEFAULT_PRIORITY};
    struct job_spec common = jobs[0];
    for (uint32_t i = 1; i < count; i++) {
        if (jobs[i].keep_ms == KEEP_DEFAULT)
            common.keep_ms = KEEP_DEFAULT;
        if (jobs[i].time_to_run_ms == 0)
            common.time_to_run_ms = 0;
    }
    uint32_t keys = differing(&common, base);
    *base = common;
    return keys;
}

void
message_put_submit(struct pack_buffer *b, uint64_t number, uint64_t acked,
    const struct job_spec *jobs, uint32_t count)
{
    struct job_spec base;
    uint32_t common = common_part(jobs, count, &base);

    message_put_head(b, MESSAGE_SUBMIT, common ? 4 : 3);
    pack_put_key_uint(b, 1, number);
    pack_put_key_uint(b, 2, acked);
    if (common) {
        *pack_reserve(b, 1) = 3;
        put_spec(b, &base, common);
    }
    *pack_reserve(b, 1) = 4;
    pack_put_array(b, count);
    for (uint32_t i = 0; i < count; i++) {
        uint32_t keys = differing(&jobs[i], &base);
        if (keys == 0)
            pack_put_bytes(b, jobs[i].payload.data, jobs[i].payload.size);
        else
            put_spec(b, &jobs[i], keys | 1U << 3);
    }
}

void
message_put_settle(struct pack_buffer *b, uint64_t number, const struct outcome *outcomes,
    uint32_t count, uint32_t window)
{
    message_put_head(b, MESSAGE_SETTLE, window == WINDOW_UNCHANGED ? 2 : 3);
    pack_put_key_uint(b, 1, number);
    *pack_reserve(b, 1) = 2;
    pack_put_array(b, count);
    for (uint32_t i = 0; i < count; i++) {
        const struct outcome *o = &outcomes[i];
        uint32_t elements = o->extra.size ? 6 : o->delay_ms ? 5 : o->body.size ? 4 : 3;
        pack_put_array(b, elements);
        put_id(b, &o->id);
        pack_put_uint(b, o->attempt);
        pack_put_uint(b, o->type);
        if (elements > 3)
            pack_put_bytes(b, o->body.data, o->body.size);
        if (elements > 4)
            pack_put_uint(b, o->delay_ms);
        if (elements > 5)
            pack_put_bytes(b, o->extra.data, o->extra.size);
    }
    if (window != WINDOW_UNCHANGED)
        pack_put_key_uint(b, 3, window);
}

void
message_put_leases(struct pack_buffer *b, enum message_type type, uint64_t number,
    const struct lease_ref *leases, uint32_t count, bool more)
{
    bool with_status =
        type == MESSAGE_CLAIMED || type == MESSAGE_CONFIRMED || type == MESSAGE_REVOKE;
    message_put_head(b, type, type == MESSAGE_CLAIM ? 3 : 2);
    pack_put_key_uint(b, 1, number);
    *pack_reserve(b, 1) = 2;
    pack_put_array(b, count);
    for (uint32_t i = 0; i < count; i++) {
        bool begun = type == MESSAGE_CLAIM && leases[i].begun;
        pack_put_array(b, with_status || begun ? 3 : 2);
        put_id(b, &leases[i].id);
        pack_put_uint(b, leases[i].attempt);
        if (with_status || begun)
            pack_put_uint(b, begun ? 1 : leases[i].status);
    }
    if (type == MESSAGE_CLAIM) {
        *pack_reserve(b, 1) = 3;
        pack_put_bool(b, more);
    }
}

void
message_put_recall(struct pack_buffer *b, uint32_t count)
{
    message_put_head(b, MESSAGE_RECALL, 1);
    pack_put_key_uint(b, 2, count);
}

void
message_put_ids(struct pack_buffer *b, enum message_type type, uint64_t number,
    const struct stint_id *ids, uint32_t count, uint32_t option)
{
    bool with_option = type == MESSAGE_WAIT || type == MESSAGE_GET;
    message_put_head(b, type, with_option ? 3 : 2);
    pack_put_key_uint(b, 1, number);
    *pack_reserve(b, 1) = 2;
    pack_put_array(b, count);
    for (uint32_t i = 0; i < count; i++)
        put_id(b, &ids[i]);
    if (!with_option)
        return;
    *pack_reserve(b, 1) = 3;
    if (type == MESSAGE_WAIT)
        pack_put_bool(b, option != 0);
    else
        pack_put_uint(b, option);
}

void
message_put_list(struct pack_buffer *b, uint64_t number, const struct message *m)
{
    uint32_t fields =
        3U + (m->list.queue.size > 0) + (m->list.kind.size > 0) + (m->list.cursor.size > 0);
    message_put_head(b, MESSAGE_LIST, fields);
    pack_put_key_uint(b, 1, number);
    if (m->list.queue.size)
        put_key_text(b, 2, m->list.queue);
    pack_put_key_uint(b, 3, m->list.states);
    if (m->list.kind.size)
        put_key_text(b, 4, m->list.kind);
    if (m->list.cursor.size)
        put_key_bytes(b, 5, m->list.cursor.data, m->list.cursor.size);
    pack_put_key_uint(b, 6, m->list.limit);
}

void
message_put_subscribe(struct pack_buffer *b, uint64_t number, struct slice queue, uint32_t events,
    const struct stint_id *ids, uint32_t count)
{
    message_put_head(b, MESSAGE_SUBSCRIBE, 2U + (queue.size > 0) + (count > 0));
    pack_put_key_uint(b, 1, number);
    if (queue.size)
        put_key_text(b, 2, queue);
    pack_put_key_uint(b, 3, events);
    if (count) {
        *pack_reserve(b, 1) = 4;
        pack_put_array(b, count);
        for (uint32_t i = 0; i < count; i++)
            put_id(b, &ids[i]);
    }
}

void
message_put_stats(struct pack_buffer *b, uint64_t number, const struct stint_stats *s)
{
    uint32_t fields = 2; /* number, jobs */
#define X(field) fields++;
    STINT_STATS_FIELDS(X)
#undef X
    message_put_head(b, MESSAGE_STATS, fields);
    pack_put_key_uint(b, 1, number);
    uint8_t key = 2;
#define X(field) pack_put_key_uint(b, key++, s->field);
    STINT_STATS_FIELDS(X)
#undef X
    *pack_reserve(b, 1) = 64;
    pack_put_array(b, STINT_STATES);
    for (unsigned i = 0; i < STINT_STATES; i++)
        pack_put_uint(b, s->jobs[i]);
}

void
message_put_dispatched(struct pack_buffer *b, const struct dispatched_job *job)
{
    pack_put_map(b,
        5U + (job->max_attempts != DEFAULT_MAX_ATTEMPTS) + (job->time_to_run_ms > 0) +
            job->confirm);
    *pack_reserve(b, 1) = 1;
    put_id(b, &job->id);
    pack_put_key_uint(b, 2, job->attempt);
    put_key_text(b, 3, job->kind);
    put_key_bytes(b, 4, job->payload.data, job->payload.size);
    if (job->max_attempts != DEFAULT_MAX_ATTEMPTS)
        pack_put_key_uint(b, 5, job->max_attempts);
    if (job->time_to_run_ms)
        pack_put_key_uint(b, 6, job->time_to_run_ms);
    pack_put_key_uint(b, 7, job->submitted_ms);
    if (job->confirm) {
        *pack_reserve(b, 1) = 8;
        pack_put_bool(b, true);
    }
}

/* Zero and empty are absent. */
void
message_put_job_info(struct pack_buffer *b, const struct stint_job_info *i)
{
    const struct {
        uint8_t key;
        uint64_t value;
    } numbers[] = {{5, i->attempt}, {6, i->failures}, {7, i->max_attempts}, {8, i->submitted_ms},
        {9, i->due_ms}, {10, i->started_ms}, {11, i->settled_ms}, {12, i->keep_ms},
        {13, i->time_to_run_ms}, {14, i->payload_bytes}, {15, i->result_bytes}};
    enum { NUMBERS = sizeof numbers / sizeof *numbers };
    uint32_t fields = 2U + (i->queue[0] != 0) + (i->kind[0] != 0) + (i->payload != NULL) +
        (i->result != NULL) + (i->worker[0] != 0) + (i->error[0] != 0) + (i->backoff_base_ms != 0) +
        (i->backoff_cap_ms != 0);
    for (unsigned n = 0; n < NUMBERS; n++)
        fields += numbers[n].value != 0;

    pack_put_map(b, fields);
    *pack_reserve(b, 1) = 1;
    put_id(b, &i->id);
    pack_put_key_uint(b, 2, i->state);
    if (i->queue[0])
        put_key_string(b, 3, i->queue);
    if (i->kind[0])
        put_key_string(b, 4, i->kind);
    for (unsigned n = 0; n < NUMBERS; n++)
        if (numbers[n].value)
            pack_put_key_uint(b, numbers[n].key, numbers[n].value);
    if (i->payload)
        put_key_bytes(b, 16, i->payload, i->payload_bytes);
    if (i->result)
        put_key_bytes(b, 17, i->result, i->result_bytes);
    if (i->worker[0])
        put_key_string(b, 18, i->worker);
    if (i->error[0])
        put_key_bytes(b, 19, i->error, strlen(i->error));
    if (i->backoff_base_ms)
        pack_put_key_uint(b, 20, i->backoff_base_ms);
    if (i->backoff_cap_ms)
        pack_put_key_uint(b, 21, i->backoff_cap_ms);
}

void
message_put_queue_info(struct pack_buffer *b, const struct stint_queue_info *info)
{
    pack_put_map(b, 4U + (info->unserved[0] != 0));
    put_key_string(b, 1, info->name);
    pack_put_key_uint(b, 2, info->number);
    *pack_reserve(b, 1) = 3;
    pack_put_array(b, STINT_STATES);
    for (unsigned i = 0; i < STINT_STATES; i++)
        pack_put_uint(b, info->jobs[i]);
    pack_put_key_uint(b, 4, info->workers);
    if (info->unserved[0])
        put_key_string(b, 5, info->unserved);
}

void
message_put_worker_info(struct pack_buffer *b, const struct stint_worker_info *info)
{
    pack_put_map(b, 9U + (info->kinds[0] != 0));
    put_key_string(b, 1, info->name);
    put_key_string(b, 2, info->software);
    put_key_string(b, 3, info->queues);
    pack_put_key_uint(b, 4, info->slots);
    pack_put_key_uint(b, 5, info->window);
    pack_put_key_uint(b, 6, info->held);
    pack_put_key_uint(b, 7, info->seen_ms_ago);
    pack_put_key_uint(b, 8, info->succeeded);
    pack_put_key_uint(b, 9, info->failed);
    if (info->kinds[0])
        put_key_string(b, 10, info->kinds);
}

void
message_put_event(struct pack_buffer *b, const struct stint_event *event)
{
    pack_put_array(b, 5);
    pack_put_uint(b, event->type);
    put_id(b, &event->id);
    pack_put_uint(b, event->at_ms);
    pack_put_uint(b, event->count);
    pack_put_string(b, event->queue);
}
