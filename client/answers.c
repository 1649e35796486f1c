/* What the broker says of submissions. What is stored is told at once. What is refused has no
 * number and is not stored, and those behind it were not looked at (OUT_OF_ORDER): "try again
 * later" holds all of them back for a while and sends them again; any other refusal ends the one it
 * is about, and those behind it get its number. Before a number is given to other jobs, a new
 * conversation is begun: its WELCOME tells for certain what is stored, and no copy of what was sent
 * before can arrive after it.
 */
#include "client.h"

#include <stdio.h>
#include <utlist.h>

enum { BACKOFF_BASE_MS = 100, BACKOFF_CAP_MS = 2000 };

static bool
is_passing(enum stint_status status)
{
    return status == STINT_QUEUE_FULL || status == STINT_BACKLOG_FULL ||
        status == STINT_STORE_FULL || status == STINT_TOO_MANY || status == STINT_CLOSING ||
        status == STINT_QUEUE_CLOSED || status == STINT_TOO_VARIED;
}

/* Takes a submission out of the row; its call is left. */
static void
take_out(struct call *call)
{
    struct stint_client *c = call->client;
    struct submissions *s = &c->submissions;
    s->open--;
    s->abandoned -= call->abandoned;
    session_request_end(&c->session, &call->request);
}

/* Answers come in order, so all before the first open one are answered. */
static void
update_acked(struct stint_client *c)
{
    const struct request *first = c->session.submissions.first;
    c->submissions.acked = first ? first->number - 1 : c->submissions.last;
}

static void
tell(struct call *call, enum stint_status status, size_t count)
{
    struct stint_client *c = call->client;
    stint_submitted_fn *done = call->done;
    void *context = call->context;
    free(call->detail);
    free(call);
    if (!done)
        return;
    c->called++;
    c->calling++;
    done(context, status, c->lent.ids, count);
    c->calling--;
}

void
client_finish(struct call *call, enum stint_status status, size_t count)
{
    struct stint_client *c = call->client;
    take_out(call);
    update_acked(c);
    tell(call, status, count);
}

void
client_renumber(struct call *call, uint64_t number)
{
    struct request *r = call->request;
    struct pack_buffer old = r->frame;
    if (r->number == number)
        return;
    r->number = number;
    r->frame = (struct pack_buffer){0};
    message_put_submit_again(
        &r->frame, (struct slice){old.data, old.used}, number, call->client->submissions.acked);
    pack_buffer_free(&old);
}

/* ---- the broker has no room ---- */

static void
release(struct stint_client *c)
{
    struct submissions *s = &c->submissions;
    s->held = STINT_OK;
    s->why[0] = '\0';
    s->refusals = 0;
    s->backoff_ms = s->held_number = 0;
    c->session.submissions.allowed = UINT32_MAX;
}

static void
hold(struct stint_client *c, uint64_t number, enum stint_status status, const char *why)
{
    struct submissions *s = &c->submissions;
    uint32_t random;
    if (s->held != STINT_OK && s->resume_ms != UINT64_MAX)
        return; /* about a copy of what was refused before */
    wire_random(&random, sizeof random);
    s->held = status;
    (void)snprintf(
        s->why, sizeof s->why, "%s%s%s", stint_status_text(status), *why ? ": " : "", why);
    s->refusals = number == s->held_number ? s->refusals + 1 : 1;
    s->held_number = number;
    s->backoff_ms = s->backoff_ms ? 2 * s->backoff_ms : BACKOFF_BASE_MS;
    if (s->backoff_ms > BACKOFF_CAP_MS)
        s->backoff_ms = BACKOFF_CAP_MS;
    s->resume_ms = wire_now_ms() + s->backoff_ms / 2 + random % (s->backoff_ms / 2 + 1);
    c->session.submissions.allowed = 0;
    session_resubmit(&c->session);
    if (s->refusals == 2) /* older brokers store refusals: WELCOME tells if this is one */
        session_renew(&c->session, wire_now_ms(), NULL);
}

void
client_try_held(struct stint_client *c, uint64_t now_ms)
{
    struct submissions *s = &c->submissions;
    if (s->held == STINT_OK || c->session.state != SESSION_OPEN || now_ms < s->resume_ms)
        return;
    if (s->open == 0) {
        release(c);
        return;
    }
    s->resume_ms = UINT64_MAX;
    c->session.submissions.allowed = 1;
}

/* ---- answers ---- */

static size_t
read_runs(struct stint_client *c, struct answer *a)
{
    size_t count = 0;
    for (uint32_t i = 0; i < a->count; i++) {
        struct stint_id first;
        uint32_t length;
        if (!message_next_run(a, &first, &length) || count + length > LIMIT_JOBS)
            break;
        for (uint32_t n = 0; n < length; n++, count++) {
            c->lent.ids[count] = id_plus(first, n);
            c->lent.met[count] = (uint8_t)a->met;
        }
    }
    return count;
}

static void
take_ids(struct call *call, struct answer *a)
{
    struct stint_client *c = call->client;
    struct submissions *s = &c->submissions;
    enum stint_status status = STINT_OK;
    size_t count = read_runs(c, a);
    if (count != call->count)
        status = client_fail(c, STINT_BAD_MESSAGE, "submitting", "ids are missing");
    /* Is one before it refused, and this one stored? Then that refusal has a number, and stays. */
    if (s->held != STINT_OK && a->number > s->held_number)
        session_renew(&c->session, wire_now_ms(), NULL);
    else
        release(c);
    client_finish(call, status, status == STINT_OK ? count : 0);
}

static void
take_refusal(struct call *call, enum stint_status status, uint32_t index, struct slice detail)
{
    struct stint_client *c = call->client;
    char said[160], text[200];
    bool stored = call->request->number <= c->submissions.stored;
    slice_to_text(said, sizeof said, detail);
    if (call->count > 1 || call->first > 0)
        (void)snprintf(text, sizeof text, "job %zu: %s", call->first + index, said);
    else
        (void)snprintf(text, sizeof text, "%s", said);
    if (stored && status == STINT_SESSION_UNKNOWN)
        status = STINT_UNKNOWN_OUTCOME; /* it was stored, and the answer is forgotten */
    if (stored) { /* an answer that older brokers stored, and its number is used up */
        client_fail(c, status, "submitting", text);
        release(c);
        client_finish(call, status, 0);
        return;
    }
    if (is_passing(status) && !c->refuse_at_once && !call->abandoned && call->refused == STINT_OK) {
        hold(c, call->request->number, status, said);
        return;
    }
    if (call->refused == STINT_OK) {
        call->refused = status;
        client_set_detail(call, text);
    }
    session_renew(&c->session, wire_now_ms(), NULL);
}

/* A submission was not looked at, as one before it is missing. Mostly that one was refused; or this
 * one overtook it, and is sent again behind it. */
static void
take_out_of_turn(struct stint_client *c)
{
    const struct request *first = c->session.submissions.first;
    if (c->submissions.held == STINT_OK && c->session.state == SESSION_OPEN && first->sent)
        session_resubmit(&c->session);
}

static void
take_answer(struct stint_client *c, struct answer *a)
{
    struct request *r = session_request(&c->session, MESSAGE_SUBMIT, a->number);
    if (!r)
        return; /* answered before; it was sent twice */
    if (a->status == STINT_OK)
        take_ids(r->owner, a);
    else if (a->status == STINT_OUT_OF_ORDER ||
        (a->status == STINT_SESSION_UNKNOWN && a->number > c->submissions.stored))
        take_out_of_turn(c);
    else
        take_refusal(r->owner, a->status, a->index, a->detail);
}

void
client_take_submitted(struct stint_client *c, const struct message *m)
{
    struct answer *answers = link_arrays(c->link)->answers;
    for (uint32_t i = 0; i < m->count; i++) {
        struct answer a = answers[i];
        take_answer(c, &a);
    }
}

void
client_submit_failed(struct call *call, enum stint_status status, const struct message *m)
{
    take_refusal(call, status, 0, m->error.detail);
}

/* ---- a new conversation ---- */

/* Tells those that have ended, now that the client is in order: whoever hears of it may submit. */
static void
tell_ended(struct call *ended)
{
    while (ended) {
        struct call *call = ended;
        ended = call->next;
        if (call->done)
            client_fail(
                call->client, call->refused, "submitting", call->detail ? call->detail : "");
        tell(call, call->refused, 0);
    }
}

/* The session is not known any more: what was sent in it has an unknown outcome. In a session that
 * the caller brought, that is true of all, as an earlier client may have sent it. */
static void
forget(struct stint_client *c, struct call **ended)
{
    struct submissions *s = &c->submissions;
    struct request *r, *next;
    char text[120];
    uint8_t id[SESSION_BYTES];
    (void)snprintf(text, sizeof text,
        "the broker has forgotten this session: it knows %llu of %llu",
        (unsigned long long)s->stored, (unsigned long long)s->acked);
    s->forgotten = c->own_session;
    DL_FOREACH_SAFE (c->session.submissions.first, r, next) {
        struct call *call = r->owner;
        if (!r->ever_sent && !c->own_session)
            continue;
        s->forgotten = false;
        take_out(call);
        call->refused = STINT_UNKNOWN_OUTCOME;
        client_set_detail(call, text);
        LL_APPEND(*ended, call);
    }
    s->acked = s->stored = c->own_session ? s->stored : 0;
    s->last = s->stored;
    if (c->own_session)
        return;
    wire_random(id, sizeof id);
    session_renew(&c->session, wire_now_ms(), id);
}

void
client_opened(struct stint_client *c)
{
    struct submissions *s = &c->submissions;
    struct request *r, *next;
    struct call *ended = NULL;
    s->stored = c->session.welcome.submission;
    s->welcomed = true;
    if (s->stored < s->acked)
        forget(c, &ended);
    uint64_t last = s->last < s->stored ? s->last : s->stored;
    DL_FOREACH_SAFE (c->session.submissions.first, r, next) {
        struct call *call = r->owner;
        bool stored = r->number <= s->stored;
        const char *lacks = stored ? NULL : client_lacks(c, call->needs);
        if (lacks && call->refused == STINT_OK) { /* it would be stored without what it needs */
            call->refused = STINT_UNSUPPORTED;
            client_set_detail(call, lacks);
        }
        if (stored && !call->abandoned)
            call->refused = STINT_OK; /* its answer is still to come */
        else if (stored || call->abandoned || call->refused != STINT_OK) {
            take_out(call);
            LL_APPEND(ended, call);
        } else {
            r->ever_sent = false;
            client_renumber(call, ++last);
        }
    }
    s->last = last;
    update_acked(c);
    if (s->held != STINT_OK)
        s->resume_ms = 0;
    tell_ended(ended);
}

void
client_end_submissions(struct stint_client *c)
{
    while (c->session.submissions.first) {
        struct call *call = c->session.submissions.first->owner;
        enum stint_status status =
            client_may_be_stored(c, call) ? STINT_UNKNOWN_OUTCOME : STINT_CLOSED;
        client_fail(c, status, "submitting", "the client is destroyed");
        take_out(call); /* it does not count as answered */
        tell(call, status, 0);
    }
}
