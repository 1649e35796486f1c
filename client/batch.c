/* Batches: made, changed, closed, cancelled, waited for and listed. */
#include "client.h"

#include <stdlib.h>

static const char lacks[] = "the broker is too old for batches";

/* Where the elements of BATCHES go. */
struct telling {
    stint_batch_fn *each; /* NULL: there is one, and it goes to */
    struct stint_batch_info *one;
    void *context;
    uint8_t cursor[64];
    size_t cursor_bytes;
    bool ended; /* whoever is told has heard enough */
};

static enum stint_status
take_batches(struct stint_client *c, const struct message *m, void *into)
{
    struct telling *t = into;
    struct message_arrays *arrays = link_arrays(c->link);
    if (m->type != MESSAGE_BATCHES || m->page.cursor.size > sizeof t->cursor ||
        (!t->each && m->count != 1))
        return STINT_BAD_MESSAGE;
    t->cursor_bytes = m->page.cursor.size;
    if (t->cursor_bytes)
        memcpy(t->cursor, m->page.cursor.data, t->cursor_bytes);
    for (uint32_t i = 0; i < m->count && !t->ended; i++) {
        if (!message_next_batch(arrays))
            return STINT_BAD_MESSAGE;
        const struct stint_batch_info info = arrays->items.batch;
        if (!t->each) {
            *t->one = info;
            continue;
        }
        c->calling++;
        t->ended = !t->each(t->context, &info);
        c->calling--;
    }
    return STINT_OK;
}

/* Connected, to a broker that has batches. */
static enum stint_status
begin(struct stint_client *c, uint32_t timeout_ms, const char *what)
{
    enum stint_status status = stint_connect(c, timeout_ms);
    if (status == STINT_OK && !session_has_feature(&c->session, "batches"))
        return client_fail(c, STINT_UNSUPPORTED, what, lacks);
    return status == STINT_OK ? client_may_wait(c, what) : status;
}

static enum stint_status
set(struct stint_client *c, const struct batch_request *request, struct stint_batch_info *info,
    uint32_t timeout_ms, const char *what)
{
    struct stint_batch_info told;
    struct telling t = {.one = info ? info : &told};
    enum stint_status status = begin(c, timeout_ms, what);
    if (status == STINT_OK && request->batch == 0)
        return client_fail(c, STINT_NO_SUCH_BATCH, what, "there is no batch 0");
    if (status != STINT_OK)
        return status;
    struct call *call = client_call(c, MESSAGE_SET_BATCH);
    message_put_set_batch(&call->request->frame, call->request->number, request);
    return client_ask(&call, timeout_ms, take_batches, &t, what);
}

static struct slice
text_of(const char *text)
{
    return (struct slice){(const uint8_t *)text, text ? strlen(text) : 0};
}

static enum stint_status
put_job(struct stint_client *c, const struct stint_job *job, const char *what,
    struct pack_buffer *bytes, struct slice *is)
{
    struct job_spec spec;
    if (!job)
        return STINT_OK;
    if (job->unique || job->after.count || job->batch)
        return client_fail(c, STINT_INVALID, what,
            "a job that it makes is after no others, in no batch, and has no unique key");
    enum stint_status status = client_job_spec(c, job, &spec);
    if (status != STINT_OK)
        return status;
    message_put_job(bytes, &spec);
    *is = (struct slice){bytes->data, bytes->used};
    return is->size > LIMIT_BATCH_JOB_BYTES
        ? client_fail(c, STINT_TOO_LARGE, what, "a job that it makes has at most 16384 bytes")
        : STINT_OK;
}

/* What a batch is to be, on its way. */
static enum stint_status
send_terms(struct stint_client *c, struct batch_request *request, const struct stint_batch *b,
    struct stint_batch_info *info, uint32_t timeout_ms, const char *what)
{
    struct pack_buffer success = {0}, always = {0};
    request->title = text_of(b->title);
    request->keep_ms = b->keep_ms < 0 ? KEEP_DEFAULT : (uint64_t)b->keep_ms;
    enum stint_status status = put_job(c, b->success, what, &success, &request->success);
    if (status == STINT_OK)
        status = put_job(c, b->always, what, &always, &request->always);
    if (status == STINT_OK && b->queue && !client_good_name(b->queue))
        status = client_fail(c, STINT_BAD_NAME, what, b->queue);
    if (status == STINT_OK)
        status = set(c, request, info, timeout_ms, what);
    pack_buffer_free(&success);
    pack_buffer_free(&always);
    return status;
}

/* The time, so that they are listed in the order in which they were made, and random bits: what is
 * sent again, after a reconnect, makes no second one. */
static uint64_t
draw(void)
{
    uint64_t bits;
    wire_random(&bits, sizeof bits);
    return ((wire_wall_ms() << 19 | bits >> 45) & LIMIT_BATCH) | 1;
}

enum stint_status
stint_batch_new(struct stint_client *c, const struct stint_batch *b, uint64_t *number,
    struct stint_batch_info *info, uint32_t timeout_ms)
{
    enum { TRIES = 3 };
    enum stint_status status = STINT_CONFLICT;
    struct batch_request request = {.action = BATCH_NEW, .queue = text_of(b->queue)};
    for (unsigned n = 0; n < TRIES && status == STINT_CONFLICT; n++) {
        request.batch = draw();
        status = send_terms(c, &request, b, info, timeout_ms, "making a batch");
    }
    if (status == STINT_OK && number)
        *number = request.batch;
    return status;
}

enum stint_status
stint_batch_change(struct stint_client *c, uint64_t number, const struct stint_batch *b,
    struct stint_batch_info *info, uint32_t timeout_ms)
{
    struct batch_request request = {.action = BATCH_CHANGE, .batch = number};
    if (b->queue)
        return client_fail(c, STINT_INVALID, "changing a batch", "its queue stays as it is");
    return send_terms(c, &request, b, info, timeout_ms, "changing a batch");
}

enum stint_status
stint_batch_close(
    struct stint_client *c, uint64_t number, struct stint_batch_info *info, uint32_t timeout_ms)
{
    const struct batch_request request = {
        .action = BATCH_CLOSE, .batch = number, .keep_ms = KEEP_DEFAULT};
    return set(c, &request, info, timeout_ms, "closing a batch");
}

enum stint_status
stint_batch_cancel(
    struct stint_client *c, uint64_t number, struct stint_batch_info *info, uint32_t timeout_ms)
{
    const struct batch_request request = {
        .action = BATCH_CANCEL, .batch = number, .keep_ms = KEEP_DEFAULT};
    return set(c, &request, info, timeout_ms, "cancelling a batch");
}

static enum stint_status
ask(struct stint_client *c, enum message_type type, uint64_t number, struct stint_batch_info *info,
    uint32_t timeout_ms, const char *what)
{
    struct stint_batch_info told;
    struct telling t = {.one = info ? info : &told};
    enum stint_status status = begin(c, timeout_ms, what);
    if (status == STINT_OK && (number == 0 || number > LIMIT_BATCH))
        return client_fail(c, STINT_NO_SUCH_BATCH, what, "no batch has this number");
    if (status != STINT_OK)
        return status;
    struct call *call = client_call(c, type);
    message_put_list_batches(
        &call->request->frame, type, call->request->number, number, (struct slice){0});
    return client_ask(&call, timeout_ms, take_batches, &t, what);
}

enum stint_status
stint_batch_get(
    struct stint_client *c, uint64_t number, struct stint_batch_info *info, uint32_t timeout_ms)
{
    return ask(c, MESSAGE_LIST_BATCHES, number, info, timeout_ms, "asking for a batch");
}

enum stint_status
stint_batch_wait(
    struct stint_client *c, uint64_t number, struct stint_batch_info *info, uint32_t timeout_ms)
{
    return ask(c, MESSAGE_WAIT_BATCH, number, info, timeout_ms, "waiting for a batch");
}

enum stint_status
stint_batches(struct stint_client *c, stint_batch_fn *each, void *context, uint32_t timeout_ms)
{
    static const char what[] = "listing batches";
    struct telling t = {.each = each, .context = context};
    enum stint_status status = begin(c, timeout_ms, what);
    do {
        if (status != STINT_OK)
            return status;
        struct call *call = client_call(c, MESSAGE_LIST_BATCHES);
        message_put_list_batches(&call->request->frame, MESSAGE_LIST_BATCHES, call->request->number,
            0, (struct slice){t.cursor, t.cursor_bytes});
        status = client_ask(&call, timeout_ms, take_batches, &t, what);
    } while (status == STINT_OK && t.cursor_bytes && !t.ended);
    return status;
}
