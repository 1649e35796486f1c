/* Questions and commands: each is one request and one reply, except a list, which is one a page. */
#include "client.h"

#include <time.h>

static enum stint_status
take_job(struct stint_client *c, const struct message *m, void *into)
{
    struct message_room *room = link_room(c->link);
    (void)into;
    if (m->type != MESSAGE_JOBS || m->count != 1 || !message_next_job(room))
        return STINT_BAD_MESSAGE;
    c->info = room->info;
    if (c->info.state == STINT_UNKNOWN)
        return client_fail(c, STINT_NO_SUCH_JOB, "looking up the job", "");
    const void *body = c->info.result ? c->info.result : c->info.payload;
    size_t size = c->info.result ? c->info.result_bytes : c->info.payload_bytes;
    c->body.used = 0;
    if (body) {
        const uint8_t *copy = memcpy(pack_reserve(&c->body, size + 1), body, size);
        if (c->info.result)
            c->info.result = copy;
        else
            c->info.payload = copy;
    }
    return STINT_OK;
}

enum stint_status
stint_get(struct stint_client *c, const struct stint_id *id, enum stint_parts parts,
    const struct stint_job_info **info, uint32_t timeout_ms)
{
    struct call *call = client_call(c, MESSAGE_GET);
    message_put_ids(&call->request->frame, MESSAGE_GET, call->request->number, id, 1, parts);
    *info = &c->info;
    return client_ask(&call, timeout_ms, take_job, NULL, "looking up the job");
}

struct listing {
    stint_job_fn *each;
    void *context;
    uint64_t left; /* UINT64_MAX: no limit */
    uint8_t cursor[64];
    size_t cursor_bytes;
    bool over;
};

static enum stint_status
take_page(struct stint_client *c, const struct message *m, void *into)
{
    struct listing *l = into;
    struct message_room *room = link_room(c->link);
    if (m->type != MESSAGE_JOBS || m->page.cursor.size > sizeof l->cursor)
        return STINT_BAD_MESSAGE;
    l->cursor_bytes = m->page.cursor.size;
    if (l->cursor_bytes)
        memcpy(l->cursor, m->page.cursor.data, l->cursor_bytes);
    l->over = l->cursor_bytes == 0;
    for (uint32_t i = 0; i < m->count; i++) {
        if (!message_next_job(room))
            return STINT_BAD_MESSAGE;
        if (l->left == 0 || !l->each(l->context, &room->info)) {
            l->over = true;
            return STINT_OK;
        }
        l->left -= l->left != UINT64_MAX;
    }
    l->over |= l->left == 0;
    return STINT_OK;
}

static struct slice
name_or_none(const char *name)
{
    return name ? (struct slice){(const uint8_t *)name, strlen(name)} : (struct slice){NULL, 0};
}

enum stint_status
stint_list(struct stint_client *c, const struct stint_filter *filter, stint_job_fn *each,
    void *context, uint32_t timeout_ms)
{
    struct listing l = {
        .each = each, .context = context, .left = filter->limit ? filter->limit : UINT64_MAX};
    if ((filter->queue && !client_good_name(filter->queue)) ||
        (filter->kind && !client_good_name(filter->kind)))
        return client_fail(c, STINT_BAD_NAME, "listing", "");
    enum stint_status status = STINT_OK;
    while (status == STINT_OK && !l.over) {
        struct call *call = client_call(c, MESSAGE_LIST);
        struct message m = {.type = MESSAGE_LIST};
        m.list.queue = name_or_none(filter->queue);
        m.list.kind = name_or_none(filter->kind);
        m.list.states = filter->states;
        m.list.cursor = (struct slice){l.cursor, l.cursor_bytes};
        m.list.limit = l.left < 1000 ? (uint32_t)l.left : 1000;
        message_put_list(&call->request->frame, call->request->number, &m);
        status = client_ask(&call, timeout_ms, take_page, &l, "listing");
    }
    return status;
}

struct answering {
    enum stint_status *statuses, first;
    size_t count;
    const char *what;
};

static enum stint_status
take_answers(struct stint_client *c, const struct message *m, void *into)
{
    struct answering *a = into;
    const uint32_t *statuses = link_room(c->link)->statuses;
    if (m->type != MESSAGE_ANSWERS || m->count != a->count)
        return STINT_BAD_MESSAGE;
    for (size_t i = 0; i < a->count; i++) {
        enum stint_status status = (enum stint_status)statuses[i];
        if (a->statuses)
            a->statuses[i] = status;
        if (a->first == STINT_OK && status != STINT_OK)
            a->first = client_fail(c, status, a->what, "");
    }
    return STINT_OK;
}

static enum stint_status
command(struct stint_client *c, enum message_type type, const char *what,
    const struct stint_id *ids, size_t count, enum stint_status *statuses, uint32_t timeout_ms)
{
    struct answering a = {.first = STINT_OK, .what = what};
    for (size_t at = 0; at < count; at += a.count) {
        a.count = count - at < LIMIT_JOBS ? count - at : LIMIT_JOBS;
        a.statuses = statuses ? statuses + at : NULL;
        struct call *call = client_call(c, type);
        message_put_ids(
            &call->request->frame, type, call->request->number, ids + at, (uint32_t)a.count, 0);
        enum stint_status status = client_ask(&call, timeout_ms, take_answers, &a, what);
        if (status != STINT_OK)
            return status;
    }
    return a.first;
}

enum stint_status
stint_cancel(struct stint_client *c, const struct stint_id *ids, size_t count,
    enum stint_status *statuses, uint32_t timeout_ms)
{
    return command(c, MESSAGE_CANCEL, "cancelling", ids, count, statuses, timeout_ms);
}

enum stint_status
stint_retry(struct stint_client *c, const struct stint_id *ids, size_t count,
    enum stint_status *statuses, uint32_t timeout_ms)
{
    return command(c, MESSAGE_RETRY, "retrying", ids, count, statuses, timeout_ms);
}

static enum stint_status
plain_ask(struct stint_client *c, enum message_type type, uint32_t timeout_ms,
    enum stint_status (*reply)(struct stint_client *c, const struct message *m, void *into),
    void *into, const char *what)
{
    struct call *call = client_call(c, type);
    message_put_numbered(&call->request->frame, type, call->request->number);
    return client_ask(&call, timeout_ms, reply, into, what);
}

struct each_queue {
    stint_queue_fn *each;
    void *context;
};

static enum stint_status
take_queues(struct stint_client *c, const struct message *m, void *into)
{
    struct each_queue *e = into;
    struct message_room *room = link_room(c->link);
    for (uint32_t i = 0; m->type == MESSAGE_QUEUES && i < m->count; i++) {
        if (!message_next_queue(room))
            return STINT_BAD_MESSAGE;
        if (!e->each(e->context, &room->queue_info))
            break;
    }
    return STINT_OK;
}

enum stint_status
stint_queues(struct stint_client *c, stint_queue_fn *each, void *context, uint32_t timeout_ms)
{
    struct each_queue e = {each, context};
    return plain_ask(c, MESSAGE_LIST_QUEUES, timeout_ms, take_queues, &e, "asking for the queues");
}

struct each_worker {
    stint_worker_fn *each;
    void *context;
};

static enum stint_status
take_workers(struct stint_client *c, const struct message *m, void *into)
{
    struct each_worker *e = into;
    struct message_room *room = link_room(c->link);
    for (uint32_t i = 0; m->type == MESSAGE_WORKERS && i < m->count; i++) {
        if (!message_next_worker(room))
            return STINT_BAD_MESSAGE;
        if (!e->each(e->context, &room->worker_info))
            break;
    }
    return STINT_OK;
}

enum stint_status
stint_workers(struct stint_client *c, stint_worker_fn *each, void *context, uint32_t timeout_ms)
{
    struct each_worker e = {each, context};
    return plain_ask(
        c, MESSAGE_LIST_WORKERS, timeout_ms, take_workers, &e, "asking for the workers");
}

static enum stint_status
take_stats(struct stint_client *c, const struct message *m, void *into)
{
    (void)c;
    if (m->type != MESSAGE_STATS)
        return STINT_BAD_MESSAGE;
    *(struct stint_stats *)into = m->stats;
    return STINT_OK;
}

enum stint_status
stint_get_stats(struct stint_client *c, struct stint_stats *stats, uint32_t timeout_ms)
{
    return plain_ask(c, MESSAGE_GET_STATS, timeout_ms, take_stats, stats, "asking for figures");
}

/* A request of its own kind of small, as PING's answers do not come through to us: stats. */
enum stint_status
stint_ping(struct stint_client *c, uint64_t *us, uint32_t timeout_ms)
{
    struct timespec from, to;
    struct stint_stats stats;
    enum stint_status status = stint_connect(c, timeout_ms);
    clock_gettime(CLOCK_MONOTONIC, &from);
    if (status == STINT_OK)
        status = plain_ask(c, MESSAGE_GET_STATS, timeout_ms, take_stats, &stats, "pinging");
    clock_gettime(CLOCK_MONOTONIC, &to);
    if (us)
        *us = (uint64_t)((to.tv_sec - from.tv_sec) * 1000000 + (to.tv_nsec - from.tv_nsec) / 1000);
    return status;
}
