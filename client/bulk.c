/* Operations on all jobs that a filter is true of: begun, asked after and stopped. The broker does
 * the work; we say what is meant.
 */
#include "client.h"
#include "where.h"

static const char what[] = "a bulk operation";

struct asking {
    stint_bulk_fn *each;
    void *context;
    uint64_t told;
    uint8_t cursor[64];
    size_t cursor_bytes;
    bool ended; /* by the application */
};

static enum stint_status
take_bulks(struct stint_client *c, const struct message *m, void *into)
{
    struct asking *a = into;
    struct message_arrays *arrays = link_arrays(c->link);
    if (m->type != MESSAGE_BULKS || m->page.cursor.size > sizeof a->cursor)
        return STINT_BAD_MESSAGE;
    a->cursor_bytes = m->page.cursor.size;
    if (a->cursor_bytes)
        memcpy(a->cursor, m->page.cursor.data, a->cursor_bytes);
    for (uint32_t i = 0; i < m->count && !a->ended; i++) {
        struct stint_bulk_info *info = &arrays->bulk.info;
        if (!message_next_bulk(arrays))
            return STINT_BAD_MESSAGE;
        if (!where_write(arrays->bulk.filter, c->lent.where, sizeof c->lent.where))
            (void)strcpy(c->lent.where, "?"); /* a newer broker's */
        info->where = c->lent.where;
        a->told++;
        c->called++;
        c->calling++;
        a->ended = a->each && !a->each(a->context, info);
        c->calling--;
    }
    return STINT_OK;
}

static enum stint_status
send(struct stint_client *c, struct call *call, struct asking *a, uint32_t timeout_ms)
{
    enum stint_status status = client_ask(&call, timeout_ms, take_bulks, a, what);
    return status == STINT_UNKNOWN_TYPE
        ? client_fail(c, STINT_UNSUPPORTED, what, "this broker has no bulk operations")
        : status;
}

static bool
copy(void *context, const struct stint_bulk_info *info)
{
    if (context)
        *(struct stint_bulk_info *)context = *info;
    return true;
}

static enum stint_status
ask(struct stint_client *c, enum message_type type, uint64_t number, struct asking *a,
    uint32_t timeout_ms)
{
    enum stint_status status = client_may_wait(c, what);
    if (status != STINT_OK)
        return status;
    struct call *call = client_call(c, type);
    message_put_list_bulks(&call->request->frame, type, call->request->number, number,
        (struct slice){a->cursor, a->cursor_bytes});
    return send(c, call, a, timeout_ms);
}

static enum stint_status
ask_for_one(struct stint_client *c, enum message_type type, uint64_t number,
    struct stint_bulk_info *info, uint32_t timeout_ms)
{
    struct asking a = {.each = copy, .context = info};
    enum stint_status status =
        number == 0 ? STINT_OK : ask(c, type, number, &a, timeout_ms); /* 0 would ask for all */
    return status == STINT_OK && a.told == 0
        ? client_fail_so(c, STINT_NO_SUCH_JOB, what,
              "there is none of this number, or it is forgotten, or not yours to see")
        : status;
}

static enum stint_status
read_request(struct stint_client *c, const struct stint_bulk *bulk, struct where *where,
    struct bulk_request *k)
{
    if (bulk->action < STINT_BULK_CANCEL || bulk->action > STINT_BULK_PRIORITY)
        return client_fail(c, STINT_INVALID, what, "there is no such action");
    if ((bulk->action == STINT_BULK_MOVE) != (bulk->queue != NULL))
        return client_fail(c, STINT_INVALID, what, "it is a move that names a queue");
    if (bulk->queue && !client_good_name(bulk->queue))
        return client_fail(c, STINT_BAD_NAME, what, bulk->queue);
    if ((bulk->action == STINT_BULK_PRIORITY) != (bulk->priority >= 0) || bulk->priority > 255)
        return client_fail(
            c, STINT_INVALID, what, "it is the action priority that names a priority, 0 to 255");
    if (!bulk->where)
        return client_fail(c, STINT_INVALID, what, "of which jobs? \"\" is all of them");
    if (!where_read(where, bulk->where))
        return client_fail(c, STINT_INVALID, what, where->why);
    *k = (struct bulk_request){.bulk = bulk->number,
        .action = bulk->action,
        .priority = bulk->priority,
        .dry = bulk->dry,
        .all = where->filter.count == 0};
    if (bulk->queue)
        k->queue = (struct slice){(const uint8_t *)bulk->queue, strlen(bulk->queue)};
    while (k->bulk == 0)
        wire_random(&k->bulk, sizeof k->bulk);
    return client_may_wait(c, what);
}

enum stint_status
stint_bulk_begin(struct stint_client *c, const struct stint_bulk *bulk,
    struct stint_bulk_info *info, uint32_t timeout_ms)
{
    struct where where = {.used = 0};
    struct bulk_request k;
    struct pack_buffer filter = {0};
    struct asking a = {.each = copy, .context = info};
    enum stint_status status = read_request(c, bulk, &where, &k);
    if (status == STINT_OK)
        status = client_write_where(c, &where, &filter, what);
    if (status == STINT_OK) {
        struct call *call = client_call(c, MESSAGE_BULK);
        k.filter = (struct slice){filter.data, filter.used};
        message_put_bulk(&call->request->frame, call->request->number, &k);
        status = send(c, call, &a, timeout_ms);
    }
    pack_buffer_free(&filter);
    return status == STINT_OK && a.told == 0 ? client_fail(c, STINT_BAD_MESSAGE, what, NO_ANSWER)
                                             : status;
}

enum stint_status
stint_bulk_get(
    struct stint_client *c, uint64_t number, struct stint_bulk_info *info, uint32_t timeout_ms)
{
    return ask_for_one(c, MESSAGE_LIST_BULKS, number, info, timeout_ms);
}

enum stint_status
stint_bulk_stop(
    struct stint_client *c, uint64_t number, struct stint_bulk_info *info, uint32_t timeout_ms)
{
    return ask_for_one(c, MESSAGE_STOP_BULK, number, info, timeout_ms);
}

enum stint_status
stint_bulks(struct stint_client *c, stint_bulk_fn *each, void *context, uint32_t timeout_ms)
{
    struct asking a = {.each = each, .context = context};
    enum stint_status status;
    do
        status = ask(c, MESSAGE_LIST_BULKS, 0, &a, timeout_ms);
    while (status == STINT_OK && a.cursor_bytes > 0 && !a.ended);
    return status;
}
