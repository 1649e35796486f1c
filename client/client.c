/* The client's frame: making and ending one, pumping its link, and giving replies to the calls that
 * wait for them.
 */
#include "client.h"
#include "defaults.h"

#include <assert.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <unistd.h>
#include <utlist.h>

const char *
stint_version(void)
{
    return STINT_VERSION_TEXT;
}

/* Why the last client that this thread asked for could not be made. */
static _Thread_local char reach_why[REACH_WHY_BYTES];

enum { MOVING_MS = 100 }; /* a deadline is over while a large frame is on its way: look so often */

enum stint_status
client_fail(struct stint_client *c, enum stint_status status, const char *what, const char *detail)
{
    const char *text = stint_status_text(status), *hint = stint_status_hint(status);
    if (*detail && (status == STINT_INVALID || status == STINT_TOO_MANY))
        hint = ""; /* it is of the detail, which stands there */
    (void)snprintf(c->error, sizeof c->error, "%s at %s: %s%s%s%s%s", what, c->endpoint, text,
        *detail ? ": " : "", detail, *hint ? "; " : "", hint);
    return status;
}

enum stint_status
client_fail_so(struct stint_client *c, enum stint_status status, const char *what, const char *text)
{
    (void)snprintf(c->error, sizeof c->error, "%s at %s: %s", what, c->endpoint, text);
    return status;
}

enum stint_status
client_too_late(struct stint_client *c, const char *what)
{
    enum stint_status status = c->session.state == SESSION_OPEN ? STINT_TIMEOUT : STINT_UNREACHABLE;
    bool final;
    char text[200];
    const char *refusal = link_refusal(c->link, &final);
    if (status == STINT_UNREACHABLE && !refusal && c->session.refusal &&
        c->session.over == c->session.refusal) { /* and nothing else came after that */
        (void)snprintf(text, sizeof text, "%s; try again later, or raise its limits (--peers-max)",
            c->session.refusal);
        return client_fail_so(c, STINT_TOO_MANY, what, text);
    }
    return client_fail(c, status, what, refusal ? refusal : "");
}

enum stint_status
client_may_wait(struct stint_client *c, const char *what)
{
    return c->calling ? client_fail(c, STINT_IN_CALLBACK, what, "") : STINT_OK;
}

uint64_t
client_end_ms(uint32_t timeout_ms)
{
    return timeout_ms ? wire_now_ms() + timeout_ms : UINT64_MAX;
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

static enum stint_status
open_link(struct stint_client *c, const struct stint_client_options *o)
{
    const struct reach_wish wish = {
        .endpoint = o->endpoint, .key = o->key, .broker_key = o->broker_key, .file = "client.key"};
    struct reach reach;
    enum stint_status status = reach_find(&wish, &reach, reach_why);
    if (status == STINT_OK)
        status = link_new(&reach, &c->session, &c->link);
    reach_forget(&reach);
    return status;
}

const char *
stint_client_new_error(void)
{
    return reach_why;
}

enum stint_status
stint_client_new(const struct stint_client_options *options, struct stint_client **client)
{
    static const struct stint_client_options none;
    const struct stint_client_options *o = options ? options : &none;
    struct stint_client *c = calloc(1, sizeof *c);
    *client = NULL;
    reach_why[0] = '\0';
    if (!c)
        return STINT_NO_MEMORY;
    c->lent.ids = calloc(LIMIT_JOBS, sizeof *c->lent.ids);
    (void)snprintf(c->endpoint, sizeof c->endpoint, "%s", defaults_endpoint(o->endpoint));
    (void)defaults_name(o->name, (long)getpid(), c->name);
    struct session_options s = {
        .role = ROLE_CLIENT, .name = c->name, .software = "libstint " STINT_VERSION_TEXT};
    c->epoll_fd = c->socket_fd = -1;
    c->own_session = o->session != NULL;
    c->refuse_at_once = o->refuse_at_once;
    c->submissions.last = c->submissions.acked = o->session ? o->submission : 0;
    if (o->session)
        memcpy(s.id, o->session, SESSION_BYTES);
    else
        wire_random(s.id, SESSION_BYTES);
    wire_random(&s.seed, sizeof s.seed);
    session_init(&c->session, &s, wire_now_ms());
    enum stint_status status = c->lent.ids ? open_link(c, o) : STINT_NO_MEMORY;
    if (status != STINT_OK)
        stint_client_destroy(&c);
    *client = c;
    return status;
}

static enum stint_status pump(struct stint_client *c);

static void
say_goodbye(struct stint_client *c)
{
    struct pack_buffer frame = {0};
    if (c->own_session || c->session.state != SESSION_OPEN || c->submissions.open > 0)
        return;
    message_put_numbered(&frame, MESSAGE_BYE, 0);
    if (session_control(&c->session, &frame))
        (void)pump(c);
    pack_buffer_free(&frame);
}

static void
free_requests(struct stint_client *c)
{
    struct request *r, *next;
    DL_FOREACH_SAFE (c->session.requests.first, r, next) {
        struct call *call = r->owner;
        client_end(&call);
    }
    session_fini(&c->session);
}

void
stint_client_destroy(struct stint_client **client)
{
    enum { LINGER_MS = 500 };
    struct stint_client *c = *client;
    if (!c)
        return;
    assert(!c->calling);
    c->closing = true;
    if (c->link) {
        (void)pump(c); /* what has arrived already counts */
        say_goodbye(c);
    }
    client_end_submissions(c);
    free_requests(c);
    link_destroy(&c->link, LINGER_MS);
    struct watched *w, *next;
    HASH_ITER (hh, c->watching.all, w, next)
        client_watched_free(c, &w);
    while (c->told.subscribed) {
        struct subscribed *s = c->told.subscribed;
        c->told.subscribed = s->next;
        client_subscribed_free(&s);
    }
    while (c->told.followed) {
        struct followed *f = c->told.followed;
        c->told.followed = f->next;
        client_followed_free(&f);
    }
    if (c->epoll_fd >= 0)
        (void)close(c->epoll_fd);
    pack_buffer_free(&c->lent.payload);
    pack_buffer_free(&c->lent.result);
    pack_buffer_free(&c->lent.parents);
    free(c->lent.ids);
    free(c->submissions.met);
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
        session_request_new(type, type == MESSAGE_SUBMIT ? ++c->submissions.last : ++c->number);
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
    struct stint_client *c = (*call)->client;
    if (c->later.call == *call)
        c->later.call = NULL;
    session_request_end(&c->session, &(*call)->request);
    free(*call);
    *call = NULL;
}

/* Which request a reply answers; the number tells them apart, as all but SUBMIT share one row. */
static struct call *
call_of(struct stint_client *c, const struct message *m)
{
    struct request *r;
    if (m->type == MESSAGE_ERROR && m->error.about == MESSAGE_SUBMIT) {
        r = session_request(&c->session, MESSAGE_SUBMIT, m->number);
        return r ? r->owner : NULL;
    }
    DL_FOREACH (c->session.requests.first, r) {
        if (r->number == m->number)
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
    if (m->type != MESSAGE_ERROR) {
        call->replied(call, STINT_OK, m);
        return;
    }
    char detail[200];
    slice_to_text(detail, sizeof detail, m->error.detail);
    /* Of a schedule's expression and zone the detail says all there is to say. */
    if (m->error.about == MESSAGE_SET_SCHEDULE && m->error.status == STINT_INVALID && detail[0])
        client_fail_so(c, STINT_INVALID, "the broker", detail);
    else if (call->request->type != MESSAGE_SUBMIT)
        client_fail(c, m->error.status, "the broker", detail);
    call->replied(call, m->error.status, m);
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
    case MESSAGE_OUTPUT:
        client_take_output(c, m);
        break;
    default:
        take_reply(c, m);
    }
}

/* The socket's descriptor is another one after a reconnect, perhaps of the same number; the one
 * that we tell stays and looks at it. */
static void
follow_socket(struct stint_client *c)
{
    struct epoll_event readable = {.events = EPOLLIN};
    int fd = link_fd(c->link);
    if (c->epoll_fd < 0)
        return;
    if (c->socket_fd >= 0 && c->socket_fd != fd)
        (void)epoll_ctl(c->epoll_fd, EPOLL_CTL_DEL, c->socket_fd, NULL);
    if (fd >= 0)
        (void)epoll_ctl(c->epoll_fd, EPOLL_CTL_ADD, fd, &readable); /* it may be there already */
    c->socket_fd = fd;
}

/* What there was too much to read for is asked again when it has been read, which the broker learns
 * with one PING after the other. */
static void
ask_later(struct stint_client *c)
{
    if (!c->later.call)
        return;
    if (c->session.pings.answered < c->later.at_pong) {
        if (c->session.pings.open == 0)
            session_tell_window(&c->session);
        return;
    }
    session_request_again(&c->session, c->later.call->request);
    c->later.call = NULL;
}

static void
open_again(struct stint_client *c)
{
    c->session.opened = false;
    c->later.call = NULL; /* it is sent again anyway */
    client_opened(c);
    client_watch_again(c);
    client_subscribe_again(c);
    client_follow_opened(c);
}

/* Does the broker let us in by no key that we have? Once there was a conversation, it is only that
 * the key was revoked, or that the broker's is being changed: then it is tried again and again. */
static enum stint_status
refused(struct stint_client *c)
{
    bool final;
    const char *why = link_refusal(c->link, &final);
    if (!final || c->session.welcome.version != 0)
        return STINT_OK;
    return client_fail(c, STINT_DENIED, "connecting", why);
}

/* The broker took our HELLO for none. A name that it did not allow is ours, and no queue's. */
static enum stint_status
failed(struct stint_client *c)
{
    const struct session_failure *f = &c->session.failure;
    return f->status == STINT_BAD_NAME ? client_fail_so(c, f->status, "the broker", f->detail)
                                       : client_fail(c, f->status, "the broker", f->detail);
}

static enum stint_status
pump(struct stint_client *c)
{
    client_try_held(c, wire_now_ms());
    enum stint_status status = link_pump(c->link, wire_now_ms(), false, take, c);
    if (c->session.opened) {
        open_again(c);
        client_try_held(c, wire_now_ms());
        (void)link_pump(c->link, wire_now_ms(), false, take, c);
    }
    client_watch_rest(c);
    client_follow_rest(c);
    ask_later(c);
    follow_socket(c);
    if (c->session.state == SESSION_FAILED)
        return failed(c);
    return status == STINT_OK ? refused(c) : client_fail(c, status, "connecting", "");
}

/* Pump until there is nothing to do now: an edge of the descriptor may have been used up by
 * sending, and what arrived then would not be told again. */
static enum stint_status
pump_all(struct stint_client *c)
{
    enum { TURNS = 16 };
    enum stint_status status = STINT_OK;
    uint64_t frames = UINT64_MAX;
    for (unsigned i = 0; i < TURNS && status == STINT_OK && frames != c->session.frames; i++) {
        frames = c->session.frames;
        status = pump(c);
    }
    c->busy = status == STINT_OK && frames != c->session.frames;
    return status;
}

/* When submissions that are held go on; that needs a conversation. */
static uint64_t
resumes_ms(const struct stint_client *c)
{
    bool waits = c->submissions.held != STINT_OK && c->session.state == SESSION_OPEN;
    return waits ? c->submissions.resume_ms : UINT64_MAX;
}

static void
sleep_until(struct stint_client *c, uint64_t end_ms)
{
    uint64_t resume_ms = resumes_ms(c);
    link_wait(c->link, NULL, 0, resume_ms < end_ms ? resume_ms : end_ms);
}

enum stint_status
stint_client_process(struct stint_client *c, uint32_t wait_ms)
{
    enum stint_status status = client_may_wait(c, "processing");
    uint64_t called = c->called;
    if (status == STINT_OK)
        status = pump_all(c);
    if (status == STINT_OK && wait_ms > 0 && c->called == called) {
        sleep_until(c, wire_now_ms() + wait_ms);
        status = pump_all(c);
    }
    return status;
}

int
stint_client_fd(struct stint_client *c)
{
    if (c->epoll_fd < 0)
        c->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    follow_socket(c);
    return c->epoll_fd;
}

uint32_t
stint_client_timeout_ms(const struct stint_client *c)
{
    uint64_t now_ms = wire_now_ms(), wake_ms = session_wake_ms(&c->session);
    if (resumes_ms(c) < wake_ms)
        wake_ms = resumes_ms(c);
    if (wake_ms <= now_ms || c->busy)
        return 0;
    return wake_ms - now_ms > 60000 ? 60000 : (uint32_t)(wake_ms - now_ms);
}

uint64_t
stint_client_submission(const struct stint_client *c)
{
    return c->submissions.stored;
}

uint64_t
stint_client_answered(const struct stint_client *c)
{
    return c->submissions.acked;
}

/* While bytes of what is on its way move (if `moving` counts), it is too early to give it up; but
 * nothing is on its way while submissions are held. */
static enum stint_status
run_until(struct stint_client *c, const bool *over, uint64_t end_ms, bool moving)
{
    enum stint_status status = pump(c);
    while (status == STINT_OK && !*over) {
        uint64_t now_ms = wire_now_ms();
        if (now_ms >= end_ms &&
            !(moving && c->submissions.held == STINT_OK && session_moves(&c->session, now_ms)))
            return STINT_TIMEOUT;
        sleep_until(c, now_ms < end_ms ? end_ms : now_ms + MOVING_MS);
        status = pump(c);
    }
    return status;
}

enum stint_status
client_run_until(struct stint_client *c, const bool *over, uint64_t end_ms)
{
    return run_until(c, over, end_ms, false);
}

enum stint_status
client_run_for_answer(struct stint_client *c, const bool *over, uint64_t end_ms)
{
    return run_until(c, over, end_ms, true);
}

enum stint_status
stint_connect(struct stint_client *c, uint32_t timeout_ms)
{
    uint64_t end_ms = client_end_ms(timeout_ms);
    enum stint_status status = client_may_wait(c, "connecting");
    if (status == STINT_OK)
        status = pump(c);
    while (status == STINT_OK && c->session.state != SESSION_OPEN) {
        if (wire_now_ms() >= end_ms)
            return client_too_late(c, "connecting");
        sleep_until(c, end_ms);
        status = pump(c);
    }
    return status;
}

/* By a PING of the conversation, which takes no right. One that is begun anew counts from 0. */
enum stint_status
stint_ping(struct stint_client *c, uint64_t *us, uint32_t timeout_ms)
{
    const struct session_pings *pings = &c->session.pings;
    uint64_t end_ms = client_end_ms(timeout_ms), wanted = 0;
    enum stint_status status = stint_connect(c, timeout_ms);
    uint64_t from_us = wire_now_us();
    while (status == STINT_OK && (wanted == 0 || pings->answered < wanted)) {
        if (wire_now_ms() >= end_ms)
            return client_too_late(c, "pinging");
        if (c->session.state == SESSION_OPEN && (wanted == 0 || pings->sent < wanted)) {
            session_tell_window(&c->session);
            wanted = pings->sent;
        }
        status = pump(c);
        if (status == STINT_OK && pings->answered < wanted)
            sleep_until(c, end_ms);
    }
    if (us)
        *us = wire_now_us() - from_us;
    return status;
}

struct asking {
    enum stint_status (*reply)(struct stint_client *c, const struct message *m, void *into);
    void *into;
};

static void
asked(struct call *call, enum stint_status status, const struct message *m)
{
    enum { RETRIES = 3 };
    struct stint_client *c = call->client;
    struct asking *asking = call->into;
    /* We may have much to read: what does the broker know of it? Else a limit is met, and stays. */
    if (status == STINT_TOO_MANY && call->retries < RETRIES) {
        call->retries++;
        session_tell_window(&c->session);
        c->later.call = call;
        c->later.at_pong = c->session.pings.answered + 3;
        return;
    }
    call->status = status;
    if (status == STINT_OK && asking->reply)
        call->status = asking->reply(c, m, asking->into);
    call->over = true;
}

/* What a call asks for, and for whom its answer is. */
struct question {
    struct asking asking;
    const char *what;
};

/* Whoever takes the answer need not say what is wrong with it. */
static enum stint_status
take_answer(struct stint_client *c, const struct message *m, void *into)
{
    const struct question *q = into;
    enum stint_status status = q->asking.reply ? q->asking.reply(c, m, q->asking.into) : STINT_OK;
    return status == STINT_BAD_MESSAGE ? client_fail(c, status, q->what, NO_ANSWER) : status;
}

enum stint_status
client_ask(struct call **call, uint32_t timeout_ms,
    enum stint_status (*reply)(struct stint_client *c, const struct message *m, void *into),
    void *into, const char *what)
{
    struct stint_client *c = (*call)->client;
    struct question question = {{reply, into}, what};
    struct asking asking = {take_answer, &question};
    (*call)->replied = asked;
    (*call)->into = &asking;
    client_send(*call);
    enum stint_status status = client_run_for_answer(c, &(*call)->over, client_end_ms(timeout_ms));
    if ((*call)->over)
        status = (*call)->status;
    else if (status == STINT_TIMEOUT)
        status = client_too_late(c, what);
    client_end(call);
    return status;
}
