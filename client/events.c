/* Events: subscriptions, which are made again in each conversation. */
#include "client.h"

#include <utlist.h>

void
client_subscribed_free(struct subscribed **subscribed)
{
    pack_buffer_free(&(*subscribed)->frame);
    free(*subscribed);
    *subscribed = NULL;
}

static struct subscribed *
find(struct stint_client *c, uint64_t number)
{
    struct subscribed *s = c->told.subscribed;
    while (s && s->number != number)
        s = s->next;
    return s;
}

void
client_take_events(struct stint_client *c, const struct message *m)
{
    const struct stint_event *events = link_arrays(c->link)->events;
    struct subscribed *s = find(c, m->number);
    if (!s)
        return;
    c->told.telling = s;
    for (uint32_t i = 0; !s->over && !c->closing && i < m->count; i++) {
        struct stint_event event = events[i];
        c->called++;
        c->calling++;
        s->happened(s->context, &event);
        c->calling--;
    }
    c->told.telling = NULL;
    if (s->over)
        client_subscribed_free(&s);
}

/* SUBSCRIBEs that are still open are sent again by the session anyway. */
void
client_subscribe_again(struct stint_client *c)
{
    for (struct subscribed *s = c->told.subscribed; s; s = s->next) {
        if (session_request(&c->session, MESSAGE_SUBSCRIBE, s->number))
            continue;
        (void)session_control(&c->session, &s->frame);
    }
}

static void
unsubscribed(struct call *call, enum stint_status status, const struct message *m)
{
    (void)status;
    (void)m;
    client_end(&call);
}

/* Nothing of it is told from now on, and the broker is asked to say no more. */
static void
unsubscribe(struct stint_client *c, struct subscribed *s)
{
    struct call *call = client_call(c, MESSAGE_UNSUBSCRIBE);
    call->request->number = s->number;
    call->replied = unsubscribed;
    message_put_numbered(&call->request->frame, MESSAGE_UNSUBSCRIBE, s->number);
    client_send(call);
    LL_DELETE(c->told.subscribed, s);
    if (s == c->told.telling)
        s->over = true;
    else
        client_subscribed_free(&s);
}

static enum stint_status
first_answer(struct stint_client *c, const struct message *m, void *into)
{
    (void)into;
    if (m->type != MESSAGE_ANSWERS || m->count != 1)
        return STINT_BAD_MESSAGE;
    enum stint_status status = (enum stint_status)link_arrays(c->link)->statuses[0];
    return status == STINT_OK ? STINT_OK : client_fail(c, status, "subscribing", "");
}

enum stint_status
stint_subscribe(struct stint_client *c, const struct stint_subscription *what,
    stint_event_fn *happened, void *context, uint32_t timeout_ms)
{
    struct slice queue = {NULL, 0};
    enum stint_status status = client_may_wait(c, "subscribing");
    if (status != STINT_OK)
        return status;
    if (what->queue && !client_good_name(what->queue))
        return client_fail(c, STINT_BAD_NAME, "subscribing", what->queue);
    if (what->ids_count > LIMIT_JOBS)
        return client_fail(c, STINT_TOO_MANY, "subscribing", "4096 jobs");
    if (what->ids_count > 0 && !what->ids)
        return client_fail(c, STINT_INVALID, "subscribing", COUNT_OF_NULL);
    if (what->queue)
        queue = (struct slice){(const uint8_t *)what->queue, strlen(what->queue)};
    struct subscribed *s = calloc(1, sizeof *s);
    if (!s)
        abort();
    struct call *call = client_call(c, MESSAGE_SUBSCRIBE);
    uint64_t number = call->request->number;
    s->number = number;
    s->happened = happened;
    s->context = context;
    message_put_subscribe(
        &s->frame, s->number, queue, what->events, what->ids, (uint32_t)what->ids_count);
    memcpy(pack_reserve(&call->request->frame, s->frame.used), s->frame.data, s->frame.used);
    LL_PREPEND(c->told.subscribed, s);
    status = client_ask(&call, timeout_ms, first_answer, NULL, "subscribing");
    if (status == STINT_OK || !(s = find(c, number)))
        return status;
    unsubscribe(c, s); /* the broker may have heard of it, if time is over */
    return status;
}

void
stint_unsubscribe(struct stint_client *c, stint_event_fn *happened, void *context)
{
    struct subscribed *s, *next;
    LL_FOREACH_SAFE (c->told.subscribed, s, next)
        if (s->happened == happened && s->context == context)
            unsubscribe(c, s);
}
