/* Why jobs wait: asked of the broker, a few at a time, as each may take it a look at all workers.
 */
#include "client.h"

static const char what[] = "asking why";

/* Where the answers to one message go. */
struct asking {
    struct stint_reason *reasons;
    size_t count;
};

static enum stint_status
take_reasons(struct stint_client *c, const struct message *m, void *into)
{
    const struct asking *a = into;
    struct message_arrays *arrays = link_arrays(c->link);
    if (m->type != MESSAGE_REASONS || m->count != a->count)
        return STINT_BAD_MESSAGE;
    for (size_t i = 0; i < a->count; i++) {
        if (!message_next_reason(arrays))
            return STINT_BAD_MESSAGE;
        a->reasons[i] = arrays->reason;
    }
    return STINT_OK;
}

static enum stint_status
ask(struct stint_client *c, struct slice queue, const struct stint_id *ids, struct asking *a,
    uint32_t timeout_ms)
{
    struct call *call = client_call(c, MESSAGE_WHY);
    message_put_why(
        &call->request->frame, call->request->number, queue, ids, ids ? (uint32_t)a->count : 0);
    enum stint_status status = client_ask(&call, timeout_ms, take_reasons, a, what);
    return status == STINT_UNKNOWN_TYPE
        ? client_fail(c, STINT_UNSUPPORTED, what, "this broker does not tell why jobs wait")
        : status;
}

enum stint_status
stint_why(struct stint_client *c, const struct stint_id *ids, size_t count,
    struct stint_reason *reasons, uint32_t timeout_ms)
{
    enum stint_status status = client_may_wait(c, what);
    if (status == STINT_OK && count > 0 && !ids)
        status = client_fail(c, STINT_INVALID, what, COUNT_OF_NULL);
    for (size_t at = 0; at < count && status == STINT_OK; at += LIMIT_WHY) {
        struct asking a = {reasons + at, count - at < LIMIT_WHY ? count - at : LIMIT_WHY};
        status = ask(c, (struct slice){0}, ids + at, &a, timeout_ms);
    }
    return status;
}

enum stint_status
stint_why_queue(
    struct stint_client *c, const char *queue, struct stint_reason *reason, uint32_t timeout_ms)
{
    struct asking a = {reason, 1};
    if (!client_good_name(queue))
        return client_fail(c, STINT_BAD_NAME, what, queue);
    enum stint_status status = client_may_wait(c, what);
    if (status != STINT_OK)
        return status;
    return ask(c, (struct slice){(const uint8_t *)queue, strlen(queue)}, NULL, &a, timeout_ms);
}
