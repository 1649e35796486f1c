/* Jobs that somebody watches or waits for. They are asked for again in each conversation. */
#include "client.h"

#include <stdio.h>
#include <utlist.h>

static struct watched *
find_watched(struct stint_client *c, const struct stint_id *id)
{
    struct watched *w;
    HASH_FIND(hh, c->watching.all, id->bytes, STINT_ID_BYTES, w);
    return w;
}

void
client_watched_free(struct stint_client *c, struct watched **watched)
{
    HASH_DEL(c->watching.all, *watched); /* NOLINT: it is in the table */
    free((*watched)->heard);
    free(*watched);
    *watched = NULL;
}

static bool
wants_results(const struct watched *w)
{
    return (w->watch.active && w->watch.results) || (w->wait.active && w->wait.results);
}

static void
let_go(struct stint_client *c, struct watched *w, struct watcher *watcher)
{
    if (!watcher->active)
        return;
    watcher->active = false;
    c->watching.watches -= watcher == &w->watch;
    c->watching.waits -= watcher == &w->wait;
    c->watching.waited = c->watching.waits == 0;
}

static void
free_if_unused(struct stint_client *c, struct watched **watched)
{
    if (!(*watched)->watch.active && !(*watched)->wait.active)
        client_watched_free(c, watched);
}

/* Three PONGs from now the broker knows that all that it sent so far was read. */
static void
ask_again_later(struct stint_client *c)
{
    if (c->watching.again_at_pong == 0)
        c->watching.again_at_pong = c->session.pings.answered + 3;
}

/* The result is there, but we had so much to read that it was not sent; unless it is damaged, which
 * the broker says in these words. Anything else in `error` is what the job wrote or failed of. */
static bool
left_out(const struct stint_job_info *info)
{
    static const char damaged[] = "the stored body is damaged";
    return info->result_bytes > 0 && !info->result && strcmp(info->error, damaged) != 0;
}

/* How far a job is that runs; whoever is told may watch and unwatch. */
static void
runs(struct stint_client *c, const struct stint_job_info *info)
{
    const struct watched *w = find_watched(c, &info->id);
    if (!w || !c->watching.progress || c->closing)
        return;
    c->called++;
    c->calling++;
    c->watching.progress(c->watching.progress_context, info);
    c->calling--;
}

/* Tells those who need not wait for the result any longer. Whoever is told may watch and unwatch.
 */
static void
settled(struct stint_client *c, const struct stint_job_info *info)
{
    struct watched *w = find_watched(c, &info->id);
    struct watcher told[2];
    unsigned count = 0;
    if (!w || c->closing)
        return; /* told twice, after a reconnect */
    bool incomplete = left_out(info);
    /* If it was forgotten meanwhile, its end at least is known. */
    bool forgotten = info->state == STINT_UNKNOWN && w->heard;
    struct stint_job_info end = forgotten ? *w->heard : *info;
    struct watcher *watchers[] = {&w->watch, &w->wait};
    for (unsigned i = 0; i < 2; i++)
        if (watchers[i]->active && !(incomplete && watchers[i]->results)) {
            told[count++] = *watchers[i];
            let_go(c, w, watchers[i]);
        }
    if (w->watch.active || w->wait.active) {
        if (!w->heard && !(w->heard = malloc(sizeof *w->heard)))
            abort();
        *w->heard = *info;
        ask_again_later(c);
    }
    free_if_unused(c, &w);
    for (unsigned i = 0; i < count; i++) {
        struct stint_job_info for_one = end;
        if (!told[i].results)
            for_one.result = NULL;
        if (!told[i].settled)
            continue;
        c->called++;
        c->calling++;
        told[i].settled(told[i].context, &for_one);
        c->calling--;
    }
}

/* There is no such job, or this client may not see it: nothing will be heard of it. */
static bool
is_final(enum stint_status status)
{
    return status == STINT_NO_SUCH_JOB || status == STINT_DENIED;
}

/* Of which nothing will be heard, and why. */
struct refused_id {
    struct stint_id id;
    enum stint_status status;
};

/* The answer to a WAIT says which jobs are not there; the rest comes as OUTCOMES. What was refused
 * for now is asked for again. The ids are read back from the request itself. */
static void
wait_answered(struct call *call, enum stint_status status, const struct message *m)
{
    struct stint_client *c = call->client;
    struct message asked = {0};
    struct message_arrays *arrays = link_arrays(c->link);
    uint32_t count = status == STINT_OK && m->type == MESSAGE_ANSWERS ? m->count : 0;
    uint32_t *statuses = malloc(((size_t)count + 1) * sizeof *statuses);
    const char *why;
    if (!statuses)
        abort();
    memcpy(statuses, arrays->statuses, count * sizeof *statuses);
    (void)message_decode(
        call->request->frame.data, call->request->frame.used, &asked, arrays, &why);
    struct refused_id *refused = malloc(((size_t)asked.count + 1) * sizeof *refused);
    uint32_t refusals = 0;
    if (!refused)
        abort();
    for (uint32_t i = 0; i < asked.count && (i < count || is_final(status)); i++) {
        enum stint_status one = is_final(status) ? status : (enum stint_status)statuses[i];
        if (is_final(one))
            refused[refusals++] = (struct refused_id){arrays->ids[i], one};
        else if (one != STINT_OK)
            ask_again_later(c);
    }
    if (count == 0 && refusals == 0)
        ask_again_later(c);
    client_end(&call);
    for (uint32_t i = 0; i < refusals; i++) {
        struct stint_job_info info = {.id = refused[i].id, .state = STINT_UNKNOWN};
        if (refused[i].status == STINT_DENIED)
            (void)snprintf(info.error, sizeof info.error, "%s", stint_status_text(STINT_DENIED));
        settled(c, &info);
    }
    free(refused);
    free(statuses);
}

static void
ask_for(struct stint_client *c, const struct stint_id *ids, uint32_t count, bool results)
{
    struct call *call = client_call(c, MESSAGE_WAIT);
    call->replied = wait_answered;
    message_put_ids(&call->request->frame, MESSAGE_WAIT, call->request->number, ids, count,
        (results ? WAIT_RESULTS : 0U) | (c->watching.progress ? WAIT_PROGRESS : 0U) |
            (c->watching.output ? WAIT_OUTPUT : 0U));
    client_send(call);
}

/* In as many messages as it takes; with results those that want them, without those that do not. */
static void
ask_for_these(struct stint_client *c, const struct stint_id *ids, size_t count)
{
    enum { AT_ONCE = 2048 };
    struct stint_id some[AT_ONCE];
    for (int results = 0; results < 2; results++) {
        uint32_t n = 0;
        for (size_t i = 0; i < count; i++) {
            if (wants_results(find_watched(c, &ids[i])) != (bool)results)
                continue;
            some[n++] = ids[i];
            if (n == AT_ONCE) {
                ask_for(c, some, n, results);
                n = 0;
            }
        }
        if (n > 0)
            ask_for(c, some, n, results);
    }
}

static struct watched *
watched(struct stint_client *c, const struct stint_id *id)
{
    struct watched *w = find_watched(c, id);
    if (w)
        return w;
    w = calloc(1, sizeof *w);
    if (!w)
        abort();
    w->id = *id;
    HASH_ADD(hh, c->watching.all, id, STINT_ID_BYTES, w);
    return w;
}

/* They are in the table, where there is room for all of them. The broker watches what we have let
 * go of until it is settled, or the conversation ends: so a new one is begun before there is too
 * much of that. */
static enum stint_status
make_room(struct stint_client *c, const struct stint_id *ids, size_t count, const char *what)
{
    if (count > 0 && !ids)
        return client_fail(c, STINT_INVALID, what, COUNT_OF_NULL);
    for (size_t i = 0; i < count; i++)
        (void)watched(c, &ids[i]);
    if (HASH_COUNT(c->watching.all) > LIMIT_WATCHED) {
        for (size_t i = 0; i < count; i++) {
            struct watched *w = find_watched(c, &ids[i]);
            if (w)
                free_if_unused(c, &w);
        }
        return client_fail(c, STINT_TOO_MANY, what, "65536 jobs at once");
    }
    if (HASH_COUNT(c->watching.all) + c->watching.unwatched > LIMIT_WATCHED)
        session_renew(&c->session, wire_now_ms(), NULL);
    return STINT_OK;
}

enum stint_status
stint_watch(struct stint_client *c, const struct stint_id *ids, size_t count, bool results,
    stint_outcome_fn *fn, void *context)
{
    if (c->closing)
        return client_fail(c, STINT_CLOSED, "watching", "the client is being destroyed");
    enum stint_status status = make_room(c, ids, count, "watching");
    for (size_t i = 0; status == STINT_OK && i < count; i++) {
        struct watched *w = watched(c, &ids[i]);
        c->watching.watches += !w->watch.active;
        w->watch = (struct watcher){true, results, fn, context};
    }
    if (status == STINT_OK)
        ask_for_these(c, ids, count);
    return status;
}

void
stint_watch_progress(struct stint_client *c, stint_outcome_fn *fn, void *context)
{
    c->watching.progress = fn;
    c->watching.progress_context = context;
}

void
stint_unwatch(struct stint_client *c, const struct stint_id *ids, size_t count)
{
    for (size_t i = 0; ids && i < count; i++) {
        struct watched *w = find_watched(c, &ids[i]);
        if (!w || !w->watch.active)
            continue;
        let_go(c, w, &w->watch);
        c->watching.unwatched += !w->wait.active;
        free_if_unused(c, &w);
    }
}

/* Nobody waits any more. The ids are those in the table, as the caller's may have changed. */
static void
stop_waiting(struct stint_client *c)
{
    struct watched *w, *next;
    if (c->watching.waits == 0)
        return;
    HASH_ITER (hh, c->watching.all, w, next) {
        if (!w->wait.active)
            continue;
        let_go(c, w, &w->wait);
        c->watching.unwatched += !w->watch.active;
        free_if_unused(c, &w);
    }
}

enum stint_status
stint_wait(struct stint_client *c, const struct stint_id *ids, size_t count, bool results,
    stint_outcome_fn *fn, void *context, uint32_t timeout_ms)
{
    char text[80];
    uint64_t end_ms = client_end_ms(timeout_ms);
    enum stint_status status = client_may_wait(c, "waiting");
    if (status == STINT_OK)
        status = make_room(c, ids, count, "waiting");
    if (status != STINT_OK || count == 0)
        return status;
    for (size_t i = 0; i < count; i++) {
        struct watched *w = watched(c, &ids[i]);
        c->watching.waits += !w->wait.active;
        w->wait = (struct watcher){true, results, fn, context};
    }
    c->watching.waited = false;
    ask_for_these(c, ids, count);
    status = client_run_until(c, &c->watching.waited, end_ms);
    if (status == STINT_TIMEOUT && c->session.state == SESSION_OPEN) {
        (void)snprintf(
            text, sizeof text, "%zu of %zu jobs are not settled yet", c->watching.waits, count);
        client_fail_so(c, status, "waiting", text);
    } else if (status == STINT_TIMEOUT)
        status = client_too_late(c, "waiting");
    stop_waiting(c);
    return status;
}

size_t
stint_client_watched(const struct stint_client *c)
{
    return c->watching.watches;
}

void
client_take_outcomes(struct stint_client *c, const struct message *m)
{
    struct message_arrays *arrays = link_arrays(c->link);
    for (uint32_t i = 0; i < m->count && message_next_job(arrays); i++) {
        struct stint_job_info info = arrays->info;
        if (info.state == STINT_RUNNING)
            runs(c, &info);
        else
            settled(c, &info);
    }
}

/* Watches all over again. WAITs that are still open are contained in it. */
static void
ask_for_all(struct stint_client *c)
{
    struct request *r, *next_request;
    DL_FOREACH_SAFE (c->session.requests.first, r, next_request) {
        if (r->type == MESSAGE_WAIT) {
            struct call *call = r->owner;
            client_end(&call);
        }
    }
    size_t count = 0;
    struct stint_id *ids = calloc(HASH_COUNT(c->watching.all) + 1, sizeof *ids);
    struct watched *w, *next;
    if (!ids)
        abort();
    HASH_ITER (hh, c->watching.all, w, next)
        ids[count++] = w->id;
    ask_for_these(c, ids, count);
    free(ids);
}

/* A new conversation: the broker knows nothing of what we watch. */
void
client_watch_again(struct stint_client *c)
{
    c->watching.again_at_pong = 0;
    c->watching.unwatched = 0;
    ask_for_all(c);
}

void
client_watch_rest(struct stint_client *c)
{
    if (c->watching.again_at_pong == 0 || c->session.pings.answered < c->watching.again_at_pong)
        return;
    c->watching.again_at_pong = 0;
    ask_for_all(c);
}

enum stint_status
stint_watch_output(struct stint_client *c, stint_output_fn *fn, void *context)
{
    if (fn && c->submissions.welcomed && !session_has_feature(&c->session, "output_live"))
        return client_fail(c, STINT_UNSUPPORTED, "watching",
            "the broker is too old to tell what jobs write while they run");
    c->watching.output = fn;
    c->watching.output_context = context;
    return STINT_OK;
}

/* It may have been told before, in part: after a reconnect, or as somebody else began to listen. */
static void
wrote(struct stint_client *c, const struct wrote *piece)
{
    struct watched *w = find_watched(c, &piece->id);
    struct slice text = piece->text;
    if (!w || !c->watching.output || c->closing || piece->attempt < w->output_attempt)
        return;
    bool begins = piece->attempt > w->output_attempt;
    uint64_t at = begins ? 0 : w->output_at;
    uint64_t again = piece->at < at ? at - piece->at : 0;
    if (again > text.size || (again == text.size && !begins))
        return;
    w->output_attempt = piece->attempt;
    w->output_at = piece->at + text.size;
    const struct stint_output output = {.id = piece->id,
        .attempt = piece->attempt,
        .text = text.data + again,
        .bytes = text.size - again,
        .left_out = piece->at > at ? piece->at - at : 0};
    c->called++;
    c->calling++;
    c->watching.output(c->watching.output_context, &output);
    c->calling--;
}

void
client_take_output(struct stint_client *c, const struct message *m)
{
    const struct wrote *pieces = link_arrays(c->link)->wrote;
    for (uint32_t i = 0; i < m->count; i++)
        wrote(c, &pieces[i]);
}
