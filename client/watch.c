/* What the broker tells unasked: outcomes of watched jobs, and events. Both are asked for again in
 * each conversation. */
#include "client.h"

#include <utlist.h>

static struct watched *
find_watched(struct stint_client *c, const struct stint_id *id)
{
    struct watched *w;
    HASH_FIND(hh, c->watched, id->bytes, STINT_ID_BYTES, w);
    return w;
}

void
client_watched_free(struct stint_client *c, struct watched **watched)
{
    HASH_DEL(c->watched, *watched); /* NOLINT: it is in the table */
    free((*watched)->heard);
    free(*watched);
    *watched = NULL;
}

/* Three PONGs from now the broker knows that all that it sent so far was read. */
static void
ask_again_later(struct stint_client *c)
{
    if (c->watch_at_pong == 0)
        c->watch_at_pong = c->session.pongs + 3;
}

/* The result is there, but we had so much to read that it was not sent. (If it is damaged, there is
 * an error.) */
static bool
left_out(const struct stint_job_info *info)
{
    return info->result_bytes > 0 && !info->result && !info->error[0];
}

static void
settled(struct stint_client *c, const struct stint_job_info *info)
{
    struct watched *w = find_watched(c, &info->id);
    if (!w)
        return; /* told twice, after a reconnect */
    if (w->results && left_out(info)) {
        if (!w->heard && !(w->heard = malloc(sizeof *w->heard)))
            abort();
        *w->heard = *info;
        ask_again_later(c);
        return;
    }
    /* If it was forgotten meanwhile, its end at least is known. */
    bool forgotten = info->state == STINT_UNKNOWN && w->heard;
    struct stint_job_info told = forgotten ? *w->heard : *info;
    stint_outcome_fn *fn = w->settled;
    void *context = w->context;
    client_watched_free(c, &w);
    if (fn)
        fn(context, &told);
}

/* The answer to a WAIT says which jobs are not there; the rest comes as OUTCOMES. What was refused
 * for now is asked for again. The ids are read back from the request itself. */
static void
wait_answered(struct call *call, enum stint_status status, const struct message *m)
{
    struct stint_client *c = call->client;
    struct message asked;
    struct message_room *room = link_room(c->link);
    uint32_t count = status == STINT_OK && m->type == MESSAGE_ANSWERS ? m->count : 0;
    uint32_t *statuses = malloc(((size_t)count + 1) * sizeof *statuses);
    const char *why;
    if (!statuses)
        abort();
    memcpy(statuses, room->statuses, count * sizeof *statuses);
    (void)message_decode(call->request->frame.data, call->request->frame.used, &asked, room, &why);
    struct stint_id *unknown = malloc(((size_t)count + 1) * sizeof *unknown);
    uint32_t unknowns = 0;
    if (!unknown)
        abort();
    for (uint32_t i = 0; i < count && i < asked.count; i++) {
        if (statuses[i] == STINT_NO_SUCH_JOB)
            unknown[unknowns++] = room->ids[i];
        else if (statuses[i] != STINT_OK)
            ask_again_later(c);
    }
    if (count == 0)
        ask_again_later(c);
    client_end(&call);
    for (uint32_t i = 0; i < unknowns; i++) {
        struct stint_job_info info = {.id = unknown[i], .state = STINT_UNKNOWN};
        settled(c, &info);
    }
    free(unknown);
    free(statuses);
}

static void
ask_for(struct stint_client *c, const struct stint_id *ids, uint32_t count, bool results)
{
    struct call *call = client_call(c, MESSAGE_WAIT);
    call->replied = wait_answered;
    message_put_ids(
        &call->request->frame, MESSAGE_WAIT, call->request->number, ids, count, results);
    client_send(call);
}

enum stint_status
stint_watch(struct stint_client *c, const struct stint_id *ids, size_t count, bool results,
    stint_outcome_fn *fn, void *context)
{
    enum { AT_ONCE = 2048 };
    if (HASH_COUNT(c->watched) + count > LIMIT_WATCHED)
        return client_fail(c, STINT_TOO_MANY, "watching", "65536 jobs at once");
    for (size_t i = 0; i < count; i++) {
        struct watched *w = find_watched(c, &ids[i]);
        if (!w) {
            w = calloc(1, sizeof *w);
            if (!w)
                abort();
            w->id = ids[i];
            HASH_ADD(hh, c->watched, id, STINT_ID_BYTES, w);
        }
        w->results = results;
        w->settled = fn;
        w->context = context;
    }
    for (size_t at = 0; at < count; at += AT_ONCE)
        ask_for(c, ids + at, (uint32_t)(count - at < AT_ONCE ? count - at : AT_ONCE), results);
    return STINT_OK;
}

size_t
stint_client_watched(const struct stint_client *c)
{
    return HASH_COUNT(c->watched);
}

void
client_take_outcomes(struct stint_client *c, const struct message *m)
{
    struct message_room *room = link_room(c->link);
    for (uint32_t i = 0; i < m->count && message_next_job(room); i++) {
        struct stint_job_info info = room->info;
        settled(c, &info);
    }
}

void
client_take_events(struct stint_client *c, const struct message *m)
{
    const struct stint_event *events = link_room(c->link)->events;
    struct subscribed *s = c->subscribed;
    while (s && s->number != m->number)
        s = s->next;
    for (uint32_t i = 0; s && i < m->count; i++) {
        struct stint_event event = events[i];
        s->happened(s->context, &event);
    }
}

/* Watches all over again. WAITs that are still open are contained in it. */
static void
ask_for_all(struct stint_client *c)
{
    enum { AT_ONCE = 2048 };
    struct stint_id ids[AT_ONCE];
    uint32_t count = 0;
    bool results = false;
    struct request *r, *next_request;
    DL_FOREACH_SAFE (c->session.requests, r, next_request) {
        if (r->type == MESSAGE_WAIT) {
            struct call *call = r->owner;
            client_end(&call);
        }
    }
    struct watched *w, *next;
    HASH_ITER (hh, c->watched, w, next) {
        if (count == AT_ONCE || (count > 0 && w->results != results)) {
            ask_for(c, ids, count, results);
            count = 0;
        }
        results = w->results;
        ids[count++] = w->id;
    }
    if (count > 0)
        ask_for(c, ids, count, results);
}

/* A new conversation: the broker knows nothing of what we watch. SUBSCRIBEs that are still open are
 * resent by the session anyway. */
void
client_watch_again(struct stint_client *c)
{
    c->watch_at_pong = 0;
    ask_for_all(c);
    for (struct subscribed *s = c->subscribed; s; s = s->next) {
        if (session_request(&c->session, MESSAGE_SUBSCRIBE, s->number))
            continue;
        (void)session_control(&c->session, &s->frame);
    }
}

void
client_watch_rest(struct stint_client *c)
{
    if (c->watch_at_pong == 0 || c->session.pongs < c->watch_at_pong)
        return;
    c->watch_at_pong = 0;
    ask_for_all(c);
}

static enum stint_status
first_answer(struct stint_client *c, const struct message *m, void *into)
{
    (void)into;
    if (m->type != MESSAGE_ANSWERS || m->count != 1)
        return STINT_BAD_MESSAGE;
    enum stint_status status = (enum stint_status)link_room(c->link)->statuses[0];
    return status == STINT_OK ? STINT_OK : client_fail(c, status, "subscribing", "");
}

enum stint_status
stint_subscribe(struct stint_client *c, const struct stint_subscription *what,
    stint_event_fn *happened, void *context, uint32_t timeout_ms)
{
    struct slice queue = {NULL, 0};
    if (what->queue && !client_good_name(what->queue))
        return client_fail(c, STINT_BAD_NAME, "subscribing", what->queue);
    if (what->ids_count > LIMIT_JOBS)
        return client_fail(c, STINT_TOO_MANY, "subscribing", "4096 jobs");
    if (what->queue)
        queue = (struct slice){(const uint8_t *)what->queue, strlen(what->queue)};
    struct subscribed *s = calloc(1, sizeof *s);
    if (!s)
        abort();
    struct call *call = client_call(c, MESSAGE_SUBSCRIBE);
    s->number = call->request->number;
    s->happened = happened;
    s->context = context;
    message_put_subscribe(
        &s->frame, s->number, queue, what->events, what->ids, (uint32_t)what->ids_count);
    memcpy(pack_reserve(&call->request->frame, s->frame.used), s->frame.data, s->frame.used);
    LL_PREPEND(c->subscribed, s);
    enum stint_status status = client_ask(&call, timeout_ms, first_answer, NULL, "subscribing");
    if (status != STINT_OK) {
        LL_DELETE(c->subscribed, s);
        pack_buffer_free(&s->frame);
        free(s);
    }
    return status;
}
