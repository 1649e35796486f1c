/* The client's frame: making and ending one, pumping its link, and giving replies to the calls that
 * wait for them.
 */
#include "client.h"

#include <stdio.h>
#include <unistd.h>
#include <utlist.h>

const char *
stint_version(void)
{
    return STINT_VERSION_TEXT;
}

enum stint_status
client_fail(struct stint_client *c, enum stint_status status, const char *what, const char *detail)
{
    const char *text = stint_status_text(status), *hint = stint_status_hint(status);
    (void)snprintf(c->error, sizeof c->error, "%s at %s: %s%s%s%s%s", what, c->endpoint, text,
        *detail ? ": " : "", detail, *hint ? "; " : "", hint);
    return status;
}

const char *
stint_client_error(const struct stint_client *c)
{
    return c->error;
}

bool
client_good_name(const char *name)
{
    return name_is_valid((struct slice){(const uint8_t *)name, strlen(name)});
}

static const char *
choose_endpoint(const struct stint_client_options *o)
{
    const char *variable = getenv("STINT_ENDPOINT");
    if (o->endpoint)
        return o->endpoint;
    return variable && *variable ? variable : STINT_DEFAULT_ENDPOINT;
}

static void
choose_name(struct stint_client *c, const char *name)
{
    char host[65] = "";
    if (name) {
        (void)snprintf(c->name, sizeof c->name, "%s", name);
        return;
    }
    (void)gethostname(host, sizeof host - 1);
    (void)snprintf(c->name, sizeof c->name, "%s:%ld", host, (long)getpid());
}

enum stint_status
stint_client_new(const struct stint_client_options *options, struct stint_client **client)
{
    static const struct stint_client_options none;
    const struct stint_client_options *o = options ? options : &none;
    struct stint_client *c = calloc(1, sizeof *c);
    *client = NULL;
    if (!c)
        return STINT_NO_MEMORY;
    c->ids = calloc(LIMIT_JOBS, sizeof *c->ids);
    (void)snprintf(c->endpoint, sizeof c->endpoint, "%s", choose_endpoint(o));
    choose_name(c, o->name);
    struct session_options s = {
        .role = ROLE_CLIENT, .name = c->name, .software = "libstint " STINT_VERSION_TEXT};
    c->own_session = o->session != NULL;
    c->submission = c->acked = o->session ? o->submission : 0;
    if (o->session)
        memcpy(s.id, o->session, SESSION_BYTES);
    else
        wire_random(s.id, SESSION_BYTES);
    wire_random(&s.seed, sizeof s.seed);
    session_init(&c->session, &s, wire_now_ms());
    enum stint_status status =
        c->ids ? link_new(c->endpoint, &c->session, &c->link) : STINT_NO_MEMORY;
    if (status != STINT_OK)
        stint_client_destroy(&c);
    *client = c;
    return status;
}

static void
say_goodbye(struct stint_client *c)
{
    struct pack_buffer frame = {0};
    if (c->own_session || c->session.state != SESSION_OPEN || c->pending > 0)
        return;
    message_put_numbered(&frame, MESSAGE_BYE, 0);
    if (session_control(&c->session, &frame))
        (void)stint_client_process(c, 0);
    pack_buffer_free(&frame);
}

void
stint_client_destroy(struct stint_client **client)
{
    enum { LINGER_MS = 500 };
    struct stint_client *c = *client;
    if (!c)
        return;
    if (c->link)
        say_goodbye(c);
    struct request *r, *next_request;
    DL_FOREACH_SAFE (c->session.requests, r, next_request) {
        struct call *call = r->owner;
        free(call);
    }
    session_fini(&c->session);
    link_destroy(&c->link, LINGER_MS);
    struct watched *w, *next;
    HASH_ITER (hh, c->watched, w, next)
        client_watched_free(c, &w);
    while (c->subscribed) {
        struct subscribed *s = c->subscribed;
        c->subscribed = s->next;
        pack_buffer_free(&s->frame);
        free(s);
    }
    pack_buffer_free(&c->body);
    free(c->ids);
    free(c);
    *client = NULL;
}

struct call *
client_call(struct stint_client *c, enum message_type type)
{
    struct call *call = calloc(1, sizeof *call);
    if (!call)
        abort();
    call->client = c;
    call->request =
        session_request_new(type, type == MESSAGE_SUBMIT ? ++c->submission : ++c->number);
    call->request->owner = call;
    return call;
}

void
client_send(struct call *call)
{
    session_request_add(&call->client->session, call->request);
}

void
client_end(struct call **call)
{
    session_request_end(&(*call)->client->session, &(*call)->request);
    free(*call);
    *call = NULL;
}

/* Which request a reply answers; the number tells them apart, as all but SUBMIT share one row. */
static struct call *
call_of(struct stint_client *c, const struct message *m)
{
    struct request *r;
    DL_FOREACH (c->session.requests, r) {
        bool submit = r->type == MESSAGE_SUBMIT;
        bool about_submit = m->type == MESSAGE_ERROR && m->error.about == MESSAGE_SUBMIT;
        if (r->number == m->number && submit == about_submit)
            return r->owner;
    }
    return NULL;
}

static void
take_reply(struct stint_client *c, const struct message *m)
{
    struct call *call = call_of(c, m);
    if (!call)
        return; /* its deadline passed */
    if (m->type == MESSAGE_ERROR) {
        char detail[200];
        (void)snprintf(detail, sizeof detail, "%.*s", (int)m->error.detail.size,
            (const char *)m->error.detail.data);
        client_fail(c, m->error.status, "the broker", detail);
        call->replied(call, m->error.status, m);
    } else
        call->replied(call, STINT_OK, m);
}

static void
take(void *owner, const struct message *m)
{
    struct stint_client *c = owner;
    switch (m->type) {
    case MESSAGE_SUBMITTED:
        client_take_submitted(c, m);
        break;
    case MESSAGE_OUTCOMES:
        client_take_outcomes(c, m);
        break;
    case MESSAGE_EVENTS:
        client_take_events(c, m);
        break;
    default:
        take_reply(c, m);
    }
}

static enum stint_status
pump(struct stint_client *c)
{
    enum stint_status status = link_pump(c->link, wire_now_ms(), false, take, c);
    if (c->session.opened) {
        c->session.opened = false;
        client_opened(c);
        client_watch_again(c);
        (void)link_pump(c->link, wire_now_ms(), false, take, c);
    }
    client_watch_rest(c);
    if (c->session.state == SESSION_FAILED)
        return client_fail(c, c->session.failed, "the broker", c->session.detail);
    return status;
}

enum stint_status
stint_client_process(struct stint_client *c, uint32_t timeout_ms)
{
    uint64_t heard_ms = c->session.heard_ms;
    enum stint_status status = pump(c);
    if (status == STINT_OK && timeout_ms > 0 && c->session.heard_ms == heard_ms) {
        link_wait(c->link, NULL, 0, wire_now_ms() + timeout_ms);
        status = pump(c);
    }
    return status;
}

int
stint_client_fd(const struct stint_client *c)
{
    return link_fd(c->link);
}

uint32_t
stint_client_timeout_ms(const struct stint_client *c)
{
    uint64_t now_ms = wire_now_ms(), wake_ms = session_wake_ms(&c->session);
    if (wake_ms <= now_ms)
        return 0;
    return wake_ms - now_ms > 60000 ? 60000 : (uint32_t)(wake_ms - now_ms);
}

uint64_t
stint_client_submission(const struct stint_client *c)
{
    return c->stored;
}

/* What to call it when time is over. */
static enum stint_status
too_late(struct stint_client *c, const char *what)
{
    enum stint_status status = c->session.state == SESSION_OPEN ? STINT_TIMEOUT : STINT_UNREACHABLE;
    return client_fail(c, status, what, "");
}

/* Pump until `*over`, or the deadline. */
static enum stint_status
run_until(struct stint_client *c, const bool *over, uint32_t timeout_ms, const char *what)
{
    uint64_t end_ms = timeout_ms ? wire_now_ms() + timeout_ms : UINT64_MAX;
    enum stint_status status = pump(c);
    while (status == STINT_OK && !*over) {
        uint64_t now_ms = wire_now_ms();
        if (now_ms >= end_ms && !session_moves(&c->session, now_ms))
            return too_late(c, what);
        link_wait(c->link, NULL, 0, now_ms < end_ms ? end_ms : now_ms + 100);
        status = pump(c);
    }
    return status;
}

enum stint_status
stint_connect(struct stint_client *c, uint32_t timeout_ms)
{
    uint64_t end_ms = wire_now_ms() + timeout_ms;
    enum stint_status status = pump(c);
    while (status == STINT_OK && c->session.state != SESSION_OPEN) {
        if (wire_now_ms() >= end_ms)
            return too_late(c, "connecting");
        link_wait(c->link, NULL, 0, end_ms);
        status = pump(c);
    }
    return status;
}

struct asking {
    enum stint_status (*reply)(struct stint_client *c, const struct message *m, void *into);
    void *into;
};

static void
asked(struct call *call, enum stint_status status, const struct message *m)
{
    struct asking *asking = call->into;
    call->status = status;
    if (status == STINT_OK && asking->reply)
        call->status = asking->reply(call->client, m, asking->into);
    call->over = true;
}

enum stint_status
client_ask(struct call **call, uint32_t timeout_ms,
    enum stint_status (*reply)(struct stint_client *c, const struct message *m, void *into),
    void *into, const char *what)
{
    struct stint_client *c = (*call)->client;
    struct asking asking = {reply, into};
    (*call)->replied = asked;
    (*call)->into = &asking;
    client_send(*call);
    enum stint_status status = run_until(c, &(*call)->over, timeout_ms, what);
    if ((*call)->over)
        status = (*call)->status;
    client_end(call);
    return status;
}

enum stint_status
stint_wait(struct stint_client *c, const struct stint_id *ids, size_t count, bool results,
    stint_outcome_fn *settled, void *context, uint32_t timeout_ms)
{
    uint64_t end_ms = timeout_ms ? wire_now_ms() + timeout_ms : UINT64_MAX;
    enum stint_status status = stint_watch(c, ids, count, results, settled, context);
    while (status == STINT_OK && HASH_COUNT(c->watched) > 0) {
        if (wire_now_ms() >= end_ms)
            return too_late(c, "waiting");
        status = pump(c);
        if (status == STINT_OK && HASH_COUNT(c->watched) > 0)
            link_wait(c->link, NULL, 0, end_ms);
    }
    return status;
}
