/* Questions and commands: each is one request and one reply, except a list, which is one a page. */
#include "client.h"
#include "newest.h"
#include "where.h"

/* A body that came with the job, kept after what `b` holds already. */
static const void *
keep_body(struct pack_buffer *b, const void *body, uint64_t size)
{
    if (!body)
        return b->used ? b->data : NULL;
    b->used = 0;
    return memcpy(pack_reserve(b, size), body, size);
}

static enum stint_status
take_job(struct stint_client *c, const struct message *m, void *into)
{
    struct message_arrays *arrays = link_arrays(c->link);
    (void)into;
    if (m->type != MESSAGE_JOBS || m->count != 1 || !message_next_job(arrays))
        return STINT_BAD_MESSAGE;
    c->lent.info = arrays->info;
    if (c->lent.info.state == STINT_UNKNOWN)
        return client_fail(c, STINT_NO_SUCH_JOB, "looking up the job", "");
    if (c->lent.info.progress.text) {
        (void)strcpy(c->lent.progress, c->lent.info.progress.text);
        c->lent.info.progress.text = c->lent.progress;
    }
    if (arrays->info.attempts) {
        memcpy(c->lent.attempts, arrays->info.attempts,
            arrays->info.attempts_count * sizeof *c->lent.attempts);
        c->lent.info.attempts = c->lent.attempts;
    }
    if (arrays->info.parents) {
        size_t size = arrays->info.parents_count * sizeof *arrays->info.parents;
        c->lent.parents.used = 0;
        c->lent.info.parents = (const struct stint_id *)memcpy(
            pack_reserve(&c->lent.parents, size), arrays->info.parents, size);
    }
    c->lent.info.payload =
        keep_body(&c->lent.payload, c->lent.info.payload, c->lent.info.payload_bytes);
    c->lent.info.result =
        keep_body(&c->lent.result, c->lent.info.result, c->lent.info.result_bytes);
    return STINT_OK;
}

static enum stint_status
ask_for_job(struct stint_client *c, const struct stint_id *id, uint32_t parts, uint32_t timeout_ms)
{
    struct call *call = client_call(c, MESSAGE_GET);
    message_put_ids(&call->request->frame, MESSAGE_GET, call->request->number, id, 1, parts);
    return client_ask(&call, timeout_ms, take_job, NULL, "looking up the job");
}

enum stint_status
stint_get(struct stint_client *c, const struct stint_id *id, uint32_t parts,
    const struct stint_job_info **info, uint32_t timeout_ms)
{
    const struct stint_job_info *job = *info = &c->lent.info;
    const uint32_t bodies = STINT_PAYLOAD | STINT_RESULT;
    enum stint_status status = client_may_wait(c, "looking up the job");
    if (status != STINT_OK)
        return status;
    c->lent.payload.used = c->lent.result.used = 0;
    status = ask_for_job(c, id, parts, timeout_ms);
    if ((parts & bodies) != bodies)
        return status;
    /* What was left out, as both do not fit into one message, is asked for by itself. */
    parts &= ~bodies;
    if (status == STINT_OK && job->payload_bytes > 0 && !job->payload)
        status = ask_for_job(c, id, parts | STINT_PAYLOAD, timeout_ms);
    if (status == STINT_OK && job->result_bytes > 0 && !job->result)
        status = ask_for_job(c, id, parts | STINT_RESULT, timeout_ms);
    return status;
}

/* Where the next page begins. */
struct cursor {
    uint8_t bytes[64];
    size_t size;
    bool over; /* that was the last page, or enough */
};

static bool
take_cursor(struct cursor *cursor, const struct message *m)
{
    cursor->size = m->page.cursor.size;
    if (cursor->size > sizeof cursor->bytes)
        return false;
    if (cursor->size)
        memcpy(cursor->bytes, m->page.cursor.data, cursor->size);
    cursor->over = cursor->size == 0;
    return true;
}

static struct slice
cursor_slice(const struct cursor *cursor)
{
    return (struct slice){cursor->bytes, cursor->size};
}

/* A list that comes page by page. */
struct listing {
    enum message_type page; /* what carries one */
    bool (*next)(struct message_arrays *arrays); /* decodes the next item of it */
    /* Tells the application of that item. False: no more are wanted. */
    bool (*tell)(const struct listing *l, const struct message_arrays *arrays);
    stint_job_fn *each_job; /* one of these */
    stint_queue_fn *each_queue;
    stint_worker_fn *each_worker;
    stint_running_fn *each_running;
    stint_figures_fn *each_figures;
    void *context;
    uint64_t left; /* UINT64_MAX: no limit */
    struct cursor cursor;
};

static enum stint_status
take_page(struct stint_client *c, const struct message *m, void *into)
{
    struct listing *l = into;
    struct message_arrays *arrays = link_arrays(c->link);
    if (m->type != l->page || !take_cursor(&l->cursor, m))
        return STINT_BAD_MESSAGE;
    for (uint32_t i = 0; i < m->count; i++) {
        if (!l->next(arrays))
            return STINT_BAD_MESSAGE;
        c->called++;
        c->calling++;
        bool more = l->left > 0 && l->tell(l, arrays);
        c->calling--;
        if (!more) {
            l->cursor.over = true;
            return STINT_OK;
        }
        l->left -= l->left != UINT64_MAX;
    }
    l->cursor.over |= l->left == 0;
    return STINT_OK;
}

static bool
tell_job(const struct listing *l, const struct message_arrays *arrays)
{
    return l->each_job(l->context, &arrays->info);
}

static bool
tell_queue(const struct listing *l, const struct message_arrays *arrays)
{
    return l->each_queue(l->context, &arrays->queue_info);
}

static bool
tell_worker(const struct listing *l, const struct message_arrays *arrays)
{
    return l->each_worker(l->context, &arrays->worker_info);
}

static bool
tell_running(const struct listing *l, const struct message_arrays *arrays)
{
    return l->each_running(l->context, &arrays->running_info);
}

static bool
tell_figures(const struct listing *l, const struct message_arrays *arrays)
{
    return l->each_figures(l->context, &arrays->measured.figures);
}

static struct slice
name_or_none(const char *name)
{
    return name ? (struct slice){(const uint8_t *)name, strlen(name)} : (struct slice){NULL, 0};
}

enum stint_status
client_write_where(
    struct stint_client *c, const struct where *where, struct pack_buffer *bytes, const char *what)
{
    bytes->used = 0;
    if (where->filter.count > 0)
        filter_write(bytes, &where->filter);
    return bytes->used > FILTER_BYTES_MAX
        ? client_fail(c, STINT_INVALID, what, "the filter is too long")
        : STINT_OK;
}

static enum stint_status
check_filter(struct stint_client *c, const struct stint_filter *filter)
{
    bool good = !filter->queue || client_good_name(filter->queue);
    if (!good || (filter->kind && !client_good_name(filter->kind)))
        return client_fail(c, STINT_BAD_NAME, "listing", good ? filter->kind : filter->queue);
    if (filter->newest && (filter->limit == 0 || filter->limit > NEWEST_MAX))
        return client_fail(c, STINT_INVALID, "listing", "the limit of the newest is 1 to 100000");
    return client_may_wait(c, "listing");
}

/* May the broker be asked with a filter? One that knows none would skip it. */
static enum stint_status
find_filters(struct stint_client *c, const struct where *where, bool *knows, uint32_t timeout_ms)
{
    enum stint_status status = stint_connect(c, timeout_ms);
    *knows = status == STINT_OK && session_has_feature(&c->session, "bulk");
    if (status == STINT_OK && !*knows && where->filter.count > 0)
        return client_fail(c, STINT_UNSUPPORTED, "listing", "this broker knows no filters");
    return status;
}

static enum stint_status
ask_page(struct stint_client *c, const struct stint_filter *filter, struct listing *l,
    struct slice where, uint32_t timeout_ms)
{
    struct call *call = client_call(c, MESSAGE_LIST);
    struct message m = {.type = MESSAGE_LIST};
    m.list.queue = name_or_none(filter->queue);
    m.list.kind = name_or_none(filter->kind);
    m.list.filter = where;
    m.list.states = filter->states;
    m.list.cursor = cursor_slice(&l->cursor);
    m.list.limit = l->left < 1000 ? (uint32_t)l->left : 1000;
    message_put_list(&call->request->frame, call->request->number, &m);
    return client_ask(&call, timeout_ms, take_page, l, "listing");
}

static enum stint_status
list_pages(struct stint_client *c, const struct stint_filter *filter, struct listing *l,
    const struct where *where, uint32_t timeout_ms)
{
    struct pack_buffer bytes = {0};
    bool knows;
    enum stint_status status = client_write_where(c, where, &bytes, "listing");
    if (status == STINT_OK && bytes.used > 0)
        status = find_filters(c, where, &knows, timeout_ms);
    while (status == STINT_OK && !l->cursor.over)
        status = ask_page(c, filter, l, (struct slice){bytes.data, bytes.used}, timeout_ms);
    pack_buffer_free(&bytes);
    return status;
}

static bool
keep_newest(void *context, const struct stint_job_info *info)
{
    newest_take(context, info);
    return true;
}

/* As soon as there are enough, the broker is asked for none that is older than all of them. */
static enum stint_status
look_for_newest(struct stint_client *c, const struct stint_filter *filter, struct newest *newest,
    struct where *where, uint32_t timeout_ms)
{
    struct listing l = {.page = MESSAGE_JOBS,
        .next = message_next_job,
        .tell = tell_job,
        .each_job = keep_newest,
        .context = newest,
        .left = UINT64_MAX};
    struct pack_buffer bytes = {0};
    uint32_t terms = where->filter.count;
    bool knows;
    enum stint_status status = find_filters(c, where, &knows, timeout_ms);
    while (status == STINT_OK && !l.cursor.over) {
        uint64_t least_ms = knows ? newest_least_ms(newest) : 0;
        where->filter.count = terms;
        if (least_ms > 0)
            (void)where_add(where, FILTER_SUBMITTED, FILTER_AT_LEAST, least_ms);
        status = client_write_where(c, where, &bytes, "listing");
        if (status == STINT_OK)
            status = ask_page(c, filter, &l, (struct slice){bytes.data, bytes.used}, timeout_ms);
    }
    pack_buffer_free(&bytes);
    return status;
}

static enum stint_status
list_newest(struct stint_client *c, const struct stint_filter *filter, struct where *where,
    stint_job_fn *each, void *context, uint32_t timeout_ms)
{
    struct newest newest = {.most = (size_t)filter->limit};
    enum stint_status status = look_for_newest(c, filter, &newest, where, timeout_ms);
    newest_sort(&newest);
    for (size_t i = 0; i < newest.count && status == STINT_OK; i++) {
        c->called++;
        c->calling++;
        bool more = each(context, &newest.all[i]);
        c->calling--;
        if (!more)
            break;
    }
    newest_free(&newest);
    return status;
}

enum stint_status
stint_list(struct stint_client *c, const struct stint_filter *filter, stint_job_fn *each,
    void *context, uint32_t timeout_ms)
{
    struct where where = {.used = 0};
    struct listing l = {.page = MESSAGE_JOBS,
        .next = message_next_job,
        .tell = tell_job,
        .each_job = each,
        .context = context,
        .left = filter->limit ? filter->limit : UINT64_MAX};
    enum stint_status status = check_filter(c, filter);
    if (status == STINT_OK && filter->where && !where_read(&where, filter->where))
        status = client_fail(c, STINT_INVALID, "listing", where.why);
    if (status != STINT_OK)
        return status;
    return filter->newest ? list_newest(c, filter, &where, each, context, timeout_ms)
                          : list_pages(c, filter, &l, &where, timeout_ms);
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
    const uint32_t *statuses = link_arrays(c->link)->statuses;
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

/* A broker that is too old knows no such message. `change` is of MESSAGE_CHANGE. */
static enum stint_status
command(struct stint_client *c, enum message_type type, const char *what,
    const struct stint_id *ids, size_t count, const struct change *change,
    enum stint_status *statuses, uint32_t timeout_ms)
{
    struct answering a = {.first = STINT_OK, .what = what};
    enum stint_status status = client_may_wait(c, what);
    if (status == STINT_OK && count > 0 && !ids)
        status = client_fail(c, STINT_INVALID, what, COUNT_OF_NULL);
    if (status != STINT_OK)
        return status;
    for (size_t at = 0; at < count; at += a.count) {
        a.count = count - at < LIMIT_JOBS ? count - at : LIMIT_JOBS;
        a.statuses = statuses ? statuses + at : NULL;
        struct call *call = client_call(c, type);
        struct pack_buffer *b = &call->request->frame;
        if (change)
            message_put_change(b, call->request->number, ids + at, (uint32_t)a.count, change);
        else
            message_put_ids(b, type, call->request->number, ids + at, (uint32_t)a.count, 0);
        status = client_ask(&call, timeout_ms, take_answers, &a, what);
        if (status == STINT_UNKNOWN_TYPE && type >= MESSAGE_CHANGE)
            return client_fail(c, STINT_UNSUPPORTED, what, "this broker can't change jobs so");
        if (status != STINT_OK)
            return status;
    }
    return a.first;
}

enum stint_status
stint_cancel(struct stint_client *c, const struct stint_id *ids, size_t count,
    enum stint_status *statuses, uint32_t timeout_ms)
{
    return command(c, MESSAGE_CANCEL, "cancelling", ids, count, NULL, statuses, timeout_ms);
}

enum stint_status
stint_retry(struct stint_client *c, const struct stint_id *ids, size_t count,
    enum stint_status *statuses, uint32_t timeout_ms)
{
    return command(c, MESSAGE_RETRY, "retrying", ids, count, NULL, statuses, timeout_ms);
}

enum stint_status
stint_delete(struct stint_client *c, const struct stint_id *ids, size_t count,
    enum stint_status *statuses, uint32_t timeout_ms)
{
    return command(c, MESSAGE_DELETE, "deleting", ids, count, NULL, statuses, timeout_ms);
}

static struct slice
name_of(const char *text)
{
    return text ? (struct slice){(const uint8_t *)text, strlen(text)} : (struct slice){0};
}

/* What it says, as the wire has it. */
static struct change
read_change(const struct stint_change *given)
{
    struct change c = {.set = 0,
        .delay_ms = (uint64_t)given->delay_ms,
        .to = {.queue = name_of(given->queue),
            .kind = name_of(given->kind),
            .payload = {given->payload, given->payload_bytes},
            .keep_ms = (uint64_t)given->keep_ms,
            .time_to_run_ms = given->time_to_run_ms,
            .backoff_base_ms = given->backoff_base_ms,
            .backoff_cap_ms = given->backoff_cap_ms,
            .total_ms = given->total_ms,
            .max_attempts = given->max_attempts,
            .priority = (uint8_t)given->priority}};
    const struct {
        bool is_set;
        enum change_bit bit;
    } parts[] = {{given->queue, CHANGE_QUEUE}, {given->kind, CHANGE_KIND},
        {given->payload, CHANGE_PAYLOAD}, {given->priority >= 0, CHANGE_PRIORITY},
        {given->max_attempts, CHANGE_MAX_ATTEMPTS}, {given->keep_ms >= 0, CHANGE_KEEP},
        {given->time_to_run_ms, CHANGE_TIME_TO_RUN}, {given->backoff_base_ms, CHANGE_BACKOFF_BASE},
        {given->backoff_cap_ms, CHANGE_BACKOFF_CAP}, {given->delay_ms >= 0, CHANGE_DELAY},
        {given->total_ms, CHANGE_TOTAL}};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        c.set |= parts[i].is_set ? (uint32_t)parts[i].bit : 0;
    return c;
}

static enum stint_status
check_change(struct stint_client *c, const struct stint_change *given, const struct change *change,
    size_t count, const char *what)
{
    const struct job_spec *to = &change->to;
    if ((given->queue && !name_is_valid(to->queue)) || (given->kind && !name_is_valid(to->kind)))
        return client_fail(c, STINT_BAD_NAME, what, "");
    if (given->priority > 255)
        return client_fail(c, STINT_INVALID, what, "the priority is 0 to 255");
    if (given->max_attempts > LIMIT_ATTEMPTS)
        return client_fail(c, STINT_INVALID, what, "max attempts are 1 to 65535");
    if (given->keep_ms > (int64_t)LIMIT_TIME_MS || given->delay_ms > (int64_t)LIMIT_TIME_MS ||
        to->time_to_run_ms > LIMIT_TIME_MS || to->backoff_base_ms > LIMIT_TIME_MS ||
        to->backoff_cap_ms > LIMIT_TIME_MS || to->total_ms > LIMIT_TIME_MS)
        return client_fail(c, STINT_INVALID, what, "a duration is at most a hundred years");
    if (change->set == 0)
        return client_fail(c, STINT_INVALID, what, "nothing is to be changed");
    if (!given->payload && given->payload_bytes > 0)
        return client_fail(c, STINT_INVALID, what, "a payload of some bytes, which is NULL");
    if (given->payload && count > 1)
        return client_fail(c, STINT_INVALID, what, "a payload is given to one job");
    if (to->payload.size > LIMIT_BODY_BYTES_MAX)
        return client_fail(c, STINT_TOO_LARGE, what, "");
    return STINT_OK;
}

enum stint_status
stint_change(struct stint_client *c, const struct stint_id *ids, size_t count,
    const struct stint_change *given, enum stint_status *statuses, uint32_t timeout_ms)
{
    static const char what[] = "changing jobs";
    struct change change = read_change(given);
    enum stint_status status = check_change(c, given, &change, count, what);
    if (status == STINT_OK && given->total_ms) {
        status = stint_connect(c, timeout_ms);
        if (status == STINT_OK && !session_has_feature(&c->session, "total"))
            return client_fail(c, STINT_UNSUPPORTED, what,
                "the broker is too old for a limit of all runs of a job");
    }
    return status == STINT_OK
        ? command(c, MESSAGE_CHANGE, what, ids, count, &change, statuses, timeout_ms)
        : status;
}

static enum stint_status
plain_ask(struct stint_client *c, enum message_type type, uint32_t timeout_ms,
    enum stint_status (*reply)(struct stint_client *c, const struct message *m, void *into),
    void *into, const char *what)
{
    enum stint_status status = client_may_wait(c, what);
    if (status != STINT_OK)
        return status;
    struct call *call = client_call(c, type);
    message_put_numbered(&call->request->frame, type, call->request->number);
    return client_ask(&call, timeout_ms, reply, into, what);
}

/* A list without a filter. */
static enum stint_status
list_all(struct stint_client *c, enum message_type type, struct listing *l, uint32_t timeout_ms,
    const char *what)
{
    enum stint_status status = client_may_wait(c, what);
    l->left = UINT64_MAX;
    while (status == STINT_OK && !l->cursor.over) {
        struct call *call = client_call(c, type);
        message_put_page(
            &call->request->frame, type, call->request->number, cursor_slice(&l->cursor));
        status = client_ask(&call, timeout_ms, take_page, l, what);
    }
    return status;
}

enum stint_status
stint_queues(struct stint_client *c, stint_queue_fn *each, void *context, uint32_t timeout_ms)
{
    struct listing l = {.page = MESSAGE_QUEUES,
        .next = message_next_queue,
        .tell = tell_queue,
        .each_queue = each,
        .context = context};
    return list_all(c, MESSAGE_LIST_QUEUES, &l, timeout_ms, "asking for the queues");
}

enum stint_status
stint_workers(struct stint_client *c, stint_worker_fn *each, void *context, uint32_t timeout_ms)
{
    struct listing l = {.page = MESSAGE_WORKERS,
        .next = message_next_worker,
        .tell = tell_worker,
        .each_worker = each,
        .context = context};
    return list_all(c, MESSAGE_LIST_WORKERS, &l, timeout_ms, "asking for the workers");
}

enum stint_status
stint_running(struct stint_client *c, const char *worker, stint_running_fn *each, void *context,
    uint32_t timeout_ms)
{
    static const char what[] = "asking what a worker runs";
    struct listing l = {.page = MESSAGE_RUNNING,
        .next = message_next_running,
        .tell = tell_running,
        .each_running = each,
        .context = context,
        .left = UINT64_MAX};
    if (strlen(worker) == 0 || strlen(worker) > LIMIT_LABEL_BYTES)
        return client_fail(c, STINT_INVALID, what, "a worker's name has 1 to 128 bytes");
    enum stint_status status = client_may_wait(c, what);
    while (status == STINT_OK && !l.cursor.over) {
        struct call *call = client_call(c, MESSAGE_LIST_RUNNING);
        message_put_list_running(&call->request->frame, call->request->number, name_or_none(worker),
            cursor_slice(&l.cursor));
        status = client_ask(&call, timeout_ms, take_page, &l, what);
    }
    return status == STINT_UNKNOWN_TYPE
        ? client_fail(c, STINT_UNSUPPORTED, what, "this broker has no fleet control")
        : status;
}

/* A name, or how names begin and `*`. */
static bool
is_pattern(const char *text)
{
    struct slice name = {(const uint8_t *)text, strlen(text)};
    if (name.size > 0 && text[name.size - 1] == '*' && --name.size == 0)
        return true;
    return name_is_valid(name);
}

static enum stint_status
too_old(struct stint_client *c, enum stint_status status, const char *what)
{
    return status == STINT_UNKNOWN_TYPE
        ? client_fail(c, STINT_UNSUPPORTED, what, "this broker is too old for that")
        : status;
}

enum stint_status
stint_list_figures(struct stint_client *c, const char *queues, uint32_t parts,
    stint_figures_fn *each, void *context, uint32_t timeout_ms)
{
    static const char what[] = "asking for figures";
    struct listing l = {.page = MESSAGE_FIGURES,
        .next = message_next_figures,
        .tell = tell_figures,
        .each_figures = each,
        .context = context,
        .left = UINT64_MAX};
    if (queues && !is_pattern(queues))
        return client_fail(c, STINT_BAD_NAME, what, queues);
    enum stint_status status = client_may_wait(c, what);
    while (status == STINT_OK && !l.cursor.over) {
        struct call *call = client_call(c, MESSAGE_LIST_FIGURES);
        message_put_list_figures(&call->request->frame, call->request->number, name_or_none(queues),
            parts, cursor_slice(&l.cursor));
        status = client_ask(&call, timeout_ms, take_page, &l, what);
    }
    return too_old(c, status, what);
}

enum stint_status
stint_peek(struct stint_client *c, const char *queue, uint64_t offset, uint64_t limit,
    uint32_t parts, stint_job_fn *each, void *context, uint32_t timeout_ms)
{
    static const char what[] = "looking at what is next";
    struct listing l = {.page = MESSAGE_JOBS,
        .next = message_next_job,
        .tell = tell_job,
        .each_job = each,
        .context = context,
        .left = limit ? limit : UINT64_MAX};
    if (!client_good_name(queue))
        return client_fail(c, STINT_BAD_NAME, what, queue);
    enum stint_status status = client_may_wait(c, what);
    while (status == STINT_OK && !l.cursor.over) {
        struct call *call = client_call(c, MESSAGE_PEEK);
        struct message m = {.type = MESSAGE_PEEK};
        m.peek.queue = name_or_none(queue);
        m.peek.offset = offset;
        m.peek.limit = l.left < 1000 ? (uint32_t)l.left : 1000;
        m.peek.parts = parts;
        m.peek.cursor = cursor_slice(&l.cursor);
        message_put_peek(&call->request->frame, call->request->number, &m);
        status = client_ask(&call, timeout_ms, take_page, &l, what);
    }
    return too_old(c, status, what);
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
