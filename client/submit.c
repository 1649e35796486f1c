/* Submissions: numbered without gaps in the session, sent again until answered, stored once. */
#include "client.h"

#include <stdio.h>
#include <utlist.h>

enum { MESSAGE_BYTES_SOFT = LIMIT_MESSAGE_BYTES / 2 };

static struct slice
named(const char *name)
{
    if (!name)
        name = "default";
    return (struct slice){(const uint8_t *)name, strlen(name)};
}

static enum stint_status
spec_of(struct stint_client *c, const struct stint_job *job, struct job_spec *s)
{
    *s = (struct job_spec){.queue = named(job->queue),
        .kind = named(job->kind),
        .payload = {job->payload, job->payload_bytes},
        .keep_ms = job->keep_ms < 0 ? KEEP_DEFAULT : (uint64_t)job->keep_ms,
        .time_to_run_ms = job->time_to_run_ms,
        .backoff_base_ms = job->backoff_base_ms ? job->backoff_base_ms : DEFAULT_BACKOFF_BASE_MS,
        .backoff_cap_ms = job->backoff_cap_ms ? job->backoff_cap_ms : DEFAULT_BACKOFF_CAP_MS,
        .max_attempts = job->max_attempts ? job->max_attempts : DEFAULT_MAX_ATTEMPTS,
        .priority = (uint8_t)(job->priority < 0 ? DEFAULT_PRIORITY : job->priority)};
    if (!name_is_valid(s->queue) || !name_is_valid(s->kind))
        return client_fail(c, STINT_BAD_NAME, "submitting", "");
    if (job->priority > 255)
        return client_fail(c, STINT_INVALID, "submitting", "the priority is 0 to 255");
    if (s->max_attempts > LIMIT_ATTEMPTS)
        return client_fail(c, STINT_INVALID, "submitting", "max attempts are 1 to 65535");
    if ((s->keep_ms > LIMIT_TIME_MS && s->keep_ms != KEEP_DEFAULT) ||
        s->time_to_run_ms > LIMIT_TIME_MS || s->backoff_base_ms > LIMIT_TIME_MS ||
        s->backoff_cap_ms > LIMIT_TIME_MS)
        return client_fail(c, STINT_INVALID, "submitting", "a duration is at most a hundred years");
    if (s->payload.size > LIMIT_BODY_BYTES_MAX)
        return client_fail(c, STINT_TOO_LARGE, "submitting", "a payload is at most 4 MiB");
    return STINT_OK;
}

/* Submissions that came to an end without an answer, and whom to tell. */
struct ended {
    size_t count;
    struct {
        stint_submitted_fn *done;
        void *context;
    } of[];
};

/* Ends those that are open from this number on. They are told only when the client is in order
 * again, as whoever hears of it may submit at once. */
static struct ended *
end_open(struct stint_client *c, uint64_t from)
{
    struct ended *ended = calloc(1, sizeof *ended + c->pending * sizeof ended->of[0]);
    struct request *r, *next;
    if (!ended)
        abort();
    DL_FOREACH_SAFE (c->session.requests, r, next) {
        struct call *call = r->owner;
        if (r->type != MESSAGE_SUBMIT || r->number < from)
            continue;
        ended->of[ended->count].done = call->done;
        ended->of[ended->count++].context = call->context;
        c->pending--;
        client_end(&call);
    }
    return ended;
}

static void
tell_ended(struct ended **ended, enum stint_status status)
{
    for (size_t i = 0; i < (*ended)->count; i++)
        if ((*ended)->of[i].done)
            (*ended)->of[i].done((*ended)->of[i].context, status, NULL, 0);
    free(*ended);
    *ended = NULL;
}

/* A session the broker has forgotten: what was open in it has an unknown outcome; the next
 * submission begins a new one. */
static void
begin_new_session(struct stint_client *c)
{
    uint8_t id[SESSION_BYTES];
    struct ended *ended = end_open(c, 0);
    wire_random(id, sizeof id);
    c->submission = c->acked = c->stored = 0;
    c->forgotten = false;
    session_renew(&c->session, wire_now_ms(), id);
    tell_ended(&ended, STINT_UNKNOWN_OUTCOME);
}

static size_t
read_runs(struct stint_client *c, struct answer *a)
{
    size_t count = 0;
    for (uint32_t i = 0; i < a->count; i++) {
        struct stint_id first;
        uint32_t length;
        if (!message_next_run(a, &first, &length) || count + length > LIMIT_JOBS)
            break;
        for (uint32_t n = 0; n < length; n++)
            c->ids[count++] = id_plus(first, n);
    }
    return count;
}

static void
take_answer(struct stint_client *c, struct answer *a)
{
    struct request *r = session_request(&c->session, MESSAGE_SUBMIT, a->number);
    if (!r)
        return; /* answered before; it was sent twice */
    struct call *call = r->owner;
    size_t count = a->status == STINT_OK ? read_runs(c, a) : 0;
    stint_submitted_fn *done = call->done;
    void *context = call->context;
    if (a->status != STINT_OK) {
        char detail[200];
        (void)snprintf(
            detail, sizeof detail, "%.*s", (int)a->detail.size, (const char *)a->detail.data);
        client_fail(c, a->status, "submitting", detail);
    } else if (count != call->count)
        a->status = client_fail(c, STINT_BAD_MESSAGE, "submitting", "ids are missing");
    client_end(&call);
    c->pending--;
    /* Answers come in order, so all before the first open one are answered. */
    struct request *open = NULL;
    DL_FOREACH (c->session.requests, open) {
        if (open->type == MESSAGE_SUBMIT)
            break;
    }
    c->acked = open ? open->number - 1 : c->submission;
    if (done)
        done(context, a->status, c->ids, count);
}

void
client_opened(struct stint_client *c)
{
    c->stored = c->session.welcome.submission;
    c->forgotten = c->stored < c->acked;
    if (c->forgotten && c->pending == 0 && !c->own_session)
        begin_new_session(c);
}

/* A submission was not looked at. Mostly it overtook another one, and is sent again behind it; but
 * the broker may have forgotten this session, which the WELCOME of this conversation has told. */
static void
take_out_of_turn(struct stint_client *c, const struct answer *a)
{
    char detail[200];
    if (!c->forgotten && (a->status == STINT_OUT_OF_ORDER || a->number > c->stored)) {
        session_resend(&c->session);
        return;
    }
    (void)snprintf(detail, sizeof detail,
        "the broker has forgotten this session (%s at %llu of %llu: %.*s)",
        stint_status_name(a->status), (unsigned long long)a->number,
        (unsigned long long)c->submission, (int)a->detail.size, (const char *)a->detail.data);
    client_fail(c, STINT_UNKNOWN_OUTCOME, "submitting", detail);
    begin_new_session(c);
}

void
client_take_submitted(struct stint_client *c, const struct message *m)
{
    struct answer *answers = link_room(c->link)->answers;
    for (uint32_t i = 0; i < m->count; i++) {
        struct answer a = answers[i];
        if (a.status != STINT_OUT_OF_ORDER && a.status != STINT_SESSION_UNKNOWN)
            take_answer(c, &a);
        else if (session_request(&c->session, MESSAGE_SUBMIT, a.number))
            take_out_of_turn(c, &a);
    }
}

/* The broker did not count this submission, so it takes none of those after it. Their numbers are
 * used again, in a new conversation: answers to the old ones may still be on their way. */
static void
submit_failed(struct call *call, enum stint_status status, const struct message *m)
{
    struct stint_client *c = call->client;
    uint64_t number = call->request->number;
    struct ended *ended = end_open(c, number);
    (void)m;
    c->submission = number - 1;
    session_renew(&c->session, wire_now_ms(), NULL);
    tell_ended(&ended, status);
}

static enum stint_status
submit_specs(struct stint_client *c, const struct job_spec *specs, uint32_t count,
    stint_submitted_fn *done, void *context)
{
    if (c->pending >= LIMIT_SUBMISSIONS_OPEN)
        return client_fail(c, STINT_TOO_MANY, "submitting", "too many are unanswered");
    struct call *call = client_call(c, MESSAGE_SUBMIT);
    call->replied = submit_failed;
    call->done = done;
    call->context = context;
    call->count = count;
    message_put_submit(&call->request->frame, call->request->number, c->acked, specs, count);
    client_send(call);
    c->pending++;
    return STINT_OK;
}

enum stint_status
stint_submit_async(struct stint_client *c, const struct stint_job *jobs, size_t count,
    stint_submitted_fn *done, void *context)
{
    struct job_spec one, *specs = &one;
    size_t bytes = 0;
    if (count == 0 || count > LIMIT_JOBS)
        return client_fail(c, STINT_INVALID, "submitting", "1 to 4096 jobs at a time");
    if (count > 1 && !(specs = malloc(count * sizeof *specs)))
        return client_fail(c, STINT_NO_MEMORY, "submitting", "");
    enum stint_status status = STINT_OK;
    for (size_t i = 0; i < count && status == STINT_OK; i++) {
        status = spec_of(c, &jobs[i], &specs[i]);
        bytes += jobs[i].payload_bytes;
    }
    if (status == STINT_OK && count > 1 && bytes > MESSAGE_BYTES_SOFT)
        status = client_fail(c, STINT_TOO_LARGE, "submitting", "a message is at most 4 MiB");
    if (status == STINT_OK)
        status = submit_specs(c, specs, (uint32_t)count, done, context);
    if (specs != &one)
        free(specs);
    return status;
}

size_t
stint_client_pending(const struct stint_client *c)
{
    return c->pending;
}

/* One piece of a synchronous submit. */
struct piece {
    struct stint_id *ids;
    enum stint_status status;
    bool over;
};

static void
piece_done(void *context, enum stint_status status, const struct stint_id *ids, size_t count)
{
    struct piece *piece = context;
    piece->status = status;
    piece->over = true;
    if (piece->ids && status == STINT_OK)
        memcpy(piece->ids, ids, count * sizeof *ids);
}

/* Lets go of a submission whose deadline passed. One that was never sent is taken back; any other
 * stays, as its number must not be missing, and is answered to nobody. */
static enum stint_status
abandon(struct stint_client *c, struct piece *piece, enum stint_status status)
{
    struct request *r;
    DL_FOREACH (c->session.requests, r) {
        struct call *call = r->owner;
        if (r->type != MESSAGE_SUBMIT || call->context != piece)
            continue;
        if (r->number == c->submission && !r->sent && status != STINT_TIMEOUT) {
            c->submission--;
            c->pending--;
            client_end(&call);
            return status;
        }
        call->done = NULL;
        return client_fail(c, STINT_UNKNOWN_OUTCOME, "submitting", "");
    }
    return status;
}

static enum stint_status
submit_piece(struct stint_client *c, const struct stint_job *jobs, size_t count,
    struct stint_id *ids, uint64_t end_ms)
{
    struct piece piece = {.ids = ids};
    enum stint_status status = stint_submit_async(c, jobs, count, piece_done, &piece);
    if (status != STINT_OK)
        return status;
    while (!piece.over) {
        uint64_t now_ms = wire_now_ms();
        if (now_ms >= end_ms && !session_moves(&c->session, now_ms)) {
            status = c->session.state == SESSION_OPEN ? STINT_TIMEOUT : STINT_UNREACHABLE;
            return abandon(c, &piece, client_fail(c, status, "submitting", ""));
        }
        uint64_t left_ms = now_ms < end_ms ? end_ms - now_ms : 100;
        status = stint_client_process(c, left_ms > 60000 ? 60000 : (uint32_t)left_ms);
        if (status != STINT_OK && !piece.over)
            return abandon(c, &piece, status);
    }
    return piece.status;
}

enum stint_status
stint_submit(struct stint_client *c, const struct stint_job *jobs, size_t count,
    struct stint_id *ids, uint32_t timeout_ms)
{
    uint64_t end_ms = timeout_ms ? wire_now_ms() + timeout_ms : UINT64_MAX;
    for (size_t at = 0; at < count;) {
        size_t n = 0, bytes = 0;
        while (at + n < count && n < LIMIT_JOBS &&
            (n == 0 || bytes + jobs[at + n].payload_bytes <= MESSAGE_BYTES_SOFT))
            bytes += jobs[at + n++].payload_bytes;
        enum stint_status status = submit_piece(c, jobs + at, n, ids ? ids + at : NULL, end_ms);
        if (status != STINT_OK)
            return status;
        at += n;
    }
    return STINT_OK;
}
