/* The worker's conversation with the broker: takes jobs in, tells outcomes until they are
 * confirmed, claims what it holds after each reconnect, keeps its window in step with how long jobs
 * take. One thread, which no handler can delay.
 */
#include "worker.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>
#include <utlist.h>

enum {
    PREFETCH_US = 50000, /* hold about so much work ahead */
    PREFETCH_MAX = 16384,
    STARTED_AFTER_US = 50000, /* a job that runs longer is reported as started */
    SETTLE_BYTES = LIMIT_MESSAGE_BYTES / 2,
    DRAIN_MS = 30000,
    GOODBYE_MS = 1000,
    AWAY_MS = 2000, /* at a stop, a broker that is away is waited for so long */
    SETTLE_AFTER_US = 10000,
    TICK_MS = 25, /* while jobs run, look at their clocks so often */
};

/* The jobs whose outcomes one SETTLE tells; kept until it is confirmed. */
struct settling {
    struct held *jobs;
};

static enum stint_status
complain(struct stint_worker *w, enum stint_status status, const char *detail)
{
    (void)snprintf(w->error, sizeof w->error, "worker at %s: %s%s%s", w->endpoint,
        stint_status_text(status), *detail ? ": " : "", detail);
    return status;
}

static enum stint_status
copy_queues(struct stint_worker *w, const struct stint_worker_options *o)
{
    static const char *const usual[] = {"default"};
    const char *const *queues = o->queues && o->queues_count ? o->queues : usual;
    w->queues_count = o->queues && o->queues_count ? o->queues_count : 1;
    if (w->queues_count > LIMIT_QUEUES_SERVED)
        return STINT_TOO_MANY;
    w->queues = calloc(w->queues_count, sizeof *w->queues);
    if (!w->queues)
        return STINT_NO_MEMORY;
    for (uint32_t i = 0; i < w->queues_count; i++) {
        if (!name_is_valid((struct slice){(const uint8_t *)queues[i], strlen(queues[i])}))
            return STINT_BAD_NAME;
        w->queues[i] = strdup(queues[i]);
        if (!w->queues[i])
            return STINT_NO_MEMORY;
    }
    return STINT_OK;
}

static void
choose_names(struct stint_worker *w, const struct stint_worker_options *o)
{
    const char *endpoint = o->endpoint ? o->endpoint : getenv("STINT_ENDPOINT");
    char host[65] = "";
    if (!endpoint || !*endpoint)
        endpoint = "tcp://127.0.0.1:5670";
    (void)snprintf(w->endpoint, sizeof w->endpoint, "%s", endpoint);
    (void)gethostname(host, sizeof host - 1);
    if (o->name)
        (void)snprintf(w->name, sizeof w->name, "%s", o->name);
    else
        (void)snprintf(w->name, sizeof w->name, "%s:%ld", host, (long)getpid());
}

static enum stint_status
open_link(struct stint_worker *w)
{
    struct session_options s = {.role = ROLE_WORKER,
        .name = w->name,
        .software = "libstint " STINT_VERSION_TEXT,
        .slots = w->slots_count,
        .queues = (const char *const *)w->queues,
        .queues_count = w->queues_count};
    wire_random(s.id, sizeof s.id);
    wire_random(&s.seed, sizeof s.seed);
    session_init(&w->session, &s, wire_now_ms());
    return link_new(w->endpoint, &w->session, &w->link);
}

enum stint_status
stint_worker_new(const struct stint_worker_options *options, struct stint_worker **worker)
{
    static const struct stint_worker_options none;
    const struct stint_worker_options *o = options ? options : &none;
    struct stint_worker *w = calloc(1, sizeof *w);
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    *worker = NULL;
    if (!w)
        return STINT_NO_MEMORY;
    w->slots_count = o->slots ? o->slots : (uint32_t)(cores > 0 ? cores : 1);
    if (w->slots_count > LIMIT_WINDOW)
        w->slots_count = LIMIT_WINDOW;
    w->prefetch = o->prefetch;
    w->drain_ms = o->drain_ms ? o->drain_ms : DRAIN_MS;
    w->told = o->told;
    w->told_context = o->told_context;
    choose_names(w, o);
    pthread_mutex_init(&w->desk.lock, NULL);
    pthread_cond_init(&w->desk.work, NULL);
    w->desk.bell = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    enum stint_status status = w->desk.bell < 0 ? STINT_SYSTEM : copy_queues(w, o);
    if (status == STINT_OK)
        status = open_link(w);
    if (status != STINT_OK)
        stint_worker_destroy(&w);
    *worker = w;
    return status;
}

static void
free_list(struct held *list)
{
    struct held *h, *next;
    DL_FOREACH_SAFE (list, h, next)
        held_free(h);
}

static void
end_settling(struct stint_worker *w, struct request **request)
{
    struct settling *settling = (*request)->owner;
    free_list(settling->jobs);
    free(settling);
    session_request_end(&w->session, request);
}

void
stint_worker_destroy(struct stint_worker **worker)
{
    struct stint_worker *w = *worker;
    if (!w)
        return;
    while (w->session.requests) {
        struct request *r = w->session.requests;
        end_settling(w, &r);
    }
    free_list(w->desk.waiting);
    free_list(w->desk.done);
    session_fini(&w->session);
    link_destroy(&w->link, GOODBYE_MS / 2);
    for (uint32_t i = 0; w->queues && i < w->queues_count; i++)
        free(w->queues[i]);
    free(w->queues);
    for (uint32_t i = 0; i < w->handlers_count; i++)
        free((char *)(uintptr_t)w->handlers[i].kind);
    if (w->desk.bell >= 0)
        close(w->desk.bell);
    pthread_cond_destroy(&w->desk.work);
    pthread_mutex_destroy(&w->desk.lock);
    free(w);
    *worker = NULL;
}

enum stint_status
stint_worker_handle(struct stint_worker *w, const struct stint_handler *handler)
{
    const char *kind = handler->kind;
    if (kind && !name_is_valid((struct slice){(const uint8_t *)kind, strlen(kind)}))
        return complain(w, STINT_BAD_NAME, kind);
    if (w->handlers_count == HANDLERS_MAX)
        return complain(w, STINT_TOO_MANY, "64 handlers");
    struct stint_handler *mine = &w->handlers[w->handlers_count++];
    *mine = *handler;
    if (kind && !(mine->kind = strdup(kind)))
        return STINT_NO_MEMORY;
    return STINT_OK;
}

void
stint_worker_stop(struct stint_worker *w)
{
    uint64_t one = 1;
    atomic_fetch_add(&w->stops, 1);
    if (write(w->desk.bell, &one, sizeof one) < 0)
        return; /* it is rung already */
}

const char *
stint_worker_error(const struct stint_worker *w)
{
    return w->error;
}

bool
stint_worker_connected(const struct stint_worker *w)
{
    return atomic_load(&w->connected);
}

/* ---- what the broker sends ---- */

static size_t
parcel_size(const struct message *m, const struct message_room *room)
{
    size_t size = sizeof(struct parcel) + m->count * sizeof(struct held);
    for (uint32_t i = 0; i < m->count; i++)
        size += room->dispatched[i].kind.size + 1 + room->dispatched[i].payload.size;
    return size;
}

/* Copies the jobs of a DISPATCH into one allocation. */
static struct held *
unpack(struct stint_worker *w, const struct message *m)
{
    const struct message_room *room = link_room(w->link);
    struct parcel *parcel = malloc(parcel_size(m, room));
    if (!parcel)
        abort();
    struct held *jobs = (struct held *)(parcel + 1);
    char *at = (char *)(jobs + m->count);
    parcel->left = m->count;
    memcpy(parcel->queue, m->dispatch.queue.data, m->dispatch.queue.size);
    parcel->queue[m->dispatch.queue.size] = '\0';
    for (uint32_t i = 0; i < m->count; i++) {
        const struct dispatched_job *d = &room->dispatched[i];
        struct held *h = &jobs[i];
        memcpy(at, d->kind.data, d->kind.size);
        at[d->kind.size] = '\0';
        char *payload = at + d->kind.size + 1;
        if (d->payload.size)
            memcpy(payload, d->payload.data, d->payload.size);
        *h = (struct held){.parcel = parcel,
            .time_to_run_ms = d->time_to_run_ms,
            .info = {.id = d->id,
                .queue = parcel->queue,
                .kind = at,
                .payload = payload,
                .payload_bytes = d->payload.size,
                .priority = id_priority(&d->id),
                .attempt = d->attempt,
                .max_attempts = d->max_attempts,
                .submitted_ms = d->submitted_ms}};
        at = payload + d->payload.size;
    }
    return jobs;
}

/* With the lock held: moves a waiting job to the done ones, never started. */
static void
give_back(struct stint_worker *w, struct held *h)
{
    DL_DELETE(w->desk.waiting, h);
    w->desk.waiting_count--;
    h->outcome = OUTCOME_RETURNED;
    DL_APPEND(w->desk.done, h);
}

/* Jobs that reach a worker that is about to stop are not begun. */
static void
take_dispatch(struct stint_worker *w, const struct message *m)
{
    if (m->count == 0 || w->leaving)
        return;
    struct held *jobs = unpack(w, m);
    bool stopping = atomic_load(&w->stops) > 0 || worker_holds_off(w);
    pthread_mutex_lock(&w->desk.lock);
    for (uint32_t i = 0; i < m->count; i++)
        DL_APPEND(w->desk.waiting, &jobs[i]);
    w->desk.waiting_count += m->count;
    while (stopping && w->desk.waiting)
        give_back(w, w->desk.waiting->prev);
    if (m->count == 1)
        pthread_cond_signal(&w->desk.work);
    else
        pthread_cond_broadcast(&w->desk.work);
    pthread_mutex_unlock(&w->desk.lock);
}

static void
take_settled(struct stint_worker *w, const struct message *m)
{
    const struct answer *answers = link_room(w->link)->answers;
    for (uint32_t i = 0; i < m->count; i++) {
        /* Confirmed, also where single outcomes were refused: those leases are over. */
        struct request *r = session_request(&w->session, MESSAGE_SETTLE, answers[i].number);
        if (r)
            end_settling(w, &r);
    }
}

static void
give_back_newest(struct stint_worker *w, uint32_t count)
{
    pthread_mutex_lock(&w->desk.lock);
    for (; count > 0 && w->desk.waiting; count--)
        give_back(w, w->desk.waiting->prev);
    pthread_mutex_unlock(&w->desk.lock);
}

static bool
is_it(const struct held *h, const struct lease_ref *lease)
{
    return h->info.attempt == lease->attempt && id_compare(&h->info.id, &lease->id) == 0;
}

/* A lease is over: a waiting job is dropped, a running one cancelled and its outcome not told. */
static void
drop_lease(struct stint_worker *w, const struct lease_ref *lease)
{
    struct held *h, *next;
    pthread_mutex_lock(&w->desk.lock);
    DL_FOREACH_SAFE (w->desk.waiting, h, next) {
        if (is_it(h, lease)) {
            DL_DELETE(w->desk.waiting, h);
            w->desk.waiting_count--;
            held_free(h);
            break;
        }
    }
    for (uint32_t i = 0; i < w->slots_count; i++) {
        struct stint_task *t = &w->slots[i].task;
        if (t->held && is_it(t->held, lease)) {
            t->held->revoked = lease->status != STINT_TIMEOUT;
            slot_cancel(t, lease->status == STINT_TIMEOUT);
        }
    }
    pthread_mutex_unlock(&w->desk.lock);
}

static void
take(void *owner, const struct message *m)
{
    struct stint_worker *w = owner;
    const struct message_room *room = link_room(w->link);
    switch (m->type) {
    case MESSAGE_DISPATCH:
        take_dispatch(w, m);
        break;
    case MESSAGE_SETTLED:
        take_settled(w, m);
        break;
    case MESSAGE_RECALL:
        give_back_newest(w, m->count);
        break;
    case MESSAGE_CLAIMED:
    case MESSAGE_REVOKE:
        for (uint32_t i = 0; i < m->count; i++)
            drop_lease(w, &room->leases[i]);
        break;
    case MESSAGE_BYE:
        w->gone = true;
        break;
    default:
        break;
    }
}

/* ---- what the broker is told ---- */

struct claim {
    struct stint_worker *w;
    struct lease_ref leases[LIMIT_JOBS];
    uint32_t count;
};

static void
send_claim(struct claim *c, bool more)
{
    struct pack_buffer frame = {0};
    message_put_leases(&frame, MESSAGE_CLAIM, ++c->w->number, c->leases, c->count, more);
    (void)session_control(&c->w->session, &frame);
    pack_buffer_free(&frame);
    c->count = 0;
}

static void
claim_one(struct claim *c, const struct held *h)
{
    if (h->revoked)
        return;
    if (c->count == LIMIT_JOBS)
        send_claim(c, true);
    c->leases[c->count++] = (struct lease_ref){.id = h->info.id, .attempt = h->info.attempt};
}

/* Everything held, in whatever state: what is not named the broker takes for lost on its way. */
static void
claim_all(struct stint_worker *w)
{
    struct claim *c = malloc(sizeof *c);
    const struct held *h;
    struct request *r;
    if (!c)
        abort();
    c->w = w;
    c->count = 0;
    DL_FOREACH (w->session.requests, r) {
        const struct settling *settling = r->owner;
        DL_FOREACH (settling->jobs, h)
            claim_one(c, h);
    }
    pthread_mutex_lock(&w->desk.lock);
    DL_FOREACH (w->desk.done, h)
        claim_one(c, h);
    DL_FOREACH (w->desk.waiting, h)
        claim_one(c, h);
    for (uint32_t i = 0; i < w->slots_count; i++) {
        w->slots[i].task.reported = false;
        if (w->slots[i].task.held)
            claim_one(c, w->slots[i].task.held);
    }
    pthread_mutex_unlock(&w->desk.lock);
    send_claim(c, false);
    free(c);
    w->claimed = true;
}

/* Tells what `jobs` came to, in one request; takes the list over. */
static void
settle(struct stint_worker *w, struct held *jobs, uint32_t count)
{
    struct outcome *outcomes = malloc(count * sizeof *outcomes);
    struct settling *settling = malloc(sizeof *settling);
    struct held *h;
    uint32_t n = 0;
    if (!outcomes || !settling)
        abort();
    DL_FOREACH (jobs, h)
        outcomes[n++] = (struct outcome){.id = h->info.id,
            .attempt = h->info.attempt,
            .type = h->outcome,
            .body = {h->body, h->body_bytes},
            .delay_ms = h->delay_ms};
    struct request *r = session_request_new(MESSAGE_SETTLE, ++w->number);
    message_put_settle(&r->frame, r->number, outcomes, count, w->session.window);
    settling->jobs = jobs;
    r->owner = settling;
    session_request_add(&w->session, r);
    free(outcomes);
}

/* The outcomes to tell now. While there is enough work ahead they are held back for a moment, since
 * each SETTLE costs the broker a synced commit and a thousand in one cost hardly more. */
static struct held *
take_done(struct stint_worker *w)
{
    struct held *done = NULL;
    uint64_t now_us = wire_now_us();
    pthread_mutex_lock(&w->desk.lock);
    if (w->desk.waiting_count <= w->slots_count || now_us - w->settled_us >= SETTLE_AFTER_US) {
        done = w->desk.done;
        w->desk.done = NULL;
        w->settled_us = now_us;
    }
    pthread_mutex_unlock(&w->desk.lock);
    return done;
}

static void
settle_done(struct stint_worker *w)
{
    struct held *done = take_done(w), *h, *next, *jobs = NULL;
    uint32_t count = 0;
    size_t bytes = 0;
    DL_FOREACH_SAFE (done, h, next) {
        DL_DELETE(done, h);
        if (h->revoked) {
            held_free(h);
            continue;
        }
        if (count == LIMIT_JOBS || (count > 0 && bytes + h->body_bytes > SETTLE_BYTES)) {
            settle(w, jobs, count);
            jobs = NULL;
            count = 0;
            bytes = 0;
        }
        DL_APPEND(jobs, h);
        bytes += h->body_bytes;
        count++;
    }
    if (count > 0)
        settle(w, jobs, count);
}

/* How many jobs to hold: one a slot, and about PREFETCH_US of work ahead; none ahead before a run
 * time is known. If every slot is busy with something longer than the mean, that is the better
 * guess. */
static void
choose_window(struct stint_worker *w)
{
    uint64_t now_us = wire_now_us(), least_us = UINT64_MAX;
    pthread_mutex_lock(&w->desk.lock);
    uint64_t finished = w->desk.finished, run_us = w->desk.run_us;
    w->desk.finished = w->desk.run_us = 0;
    for (uint32_t i = 0; i < w->slots_count; i++) {
        uint64_t started_us = w->slots[i].task.started_us;
        uint64_t elapsed_us = started_us ? now_us - started_us : 0;
        least_us = elapsed_us < least_us ? elapsed_us : least_us;
    }
    pthread_mutex_unlock(&w->desk.lock);
    if (finished) {
        double mean = (double)run_us / (double)finished + 1, weight = (double)finished / 8;
        if (w->mean_us == 0)
            w->mean_us = mean;
        w->mean_us += (mean - w->mean_us) * (weight > 0.5 ? 0.5 : weight);
    }
    double each_us = w->mean_us > (double)least_us ? w->mean_us : (double)least_us;
    uint32_t prefetch = 0;
    if (w->mean_us > 0 && each_us <= PREFETCH_US)
        prefetch = (uint32_t)(PREFETCH_US / each_us * w->slots_count);
    if (w->prefetch)
        prefetch = w->prefetch == STINT_NO_PREFETCH ? 0 : w->prefetch;
    if (prefetch > PREFETCH_MAX)
        prefetch = PREFETCH_MAX;
    uint32_t window = w->slots_count + prefetch;
    window = window > LIMIT_WINDOW ? LIMIT_WINDOW : window;
    if (atomic_load(&w->stops) > 0 || worker_holds_off(w))
        window = 0;
    bool again = w->session.window == 0 && window > 0 && w->claimed;
    w->session.window = window;
    if (again)
        session_tell_window(&w->session);
}

/* Jobs that run longer than a moment are reported as started, once: their time to run counts from
 * here, and they can't be recalled. Those over their time are cancelled. */
static void
watch_slots(struct stint_worker *w)
{
    struct lease_ref *started = NULL;
    uint32_t count = 0;
    uint64_t now_us = wire_now_us();
    pthread_mutex_lock(&w->desk.lock);
    for (uint32_t i = 0; i < w->slots_count; i++) {
        struct stint_task *t = &w->slots[i].task;
        if (!t->held)
            continue;
        uint64_t limit_us = t->held->time_to_run_ms * 1000;
        if (limit_us && now_us - t->started_us >= limit_us && !atomic_load(&t->cancelled))
            slot_cancel(t, true);
        if (t->reported || now_us - t->started_us < STARTED_AFTER_US || !w->claimed ||
            count == LIMIT_JOBS)
            continue;
        if (!started && !(started = malloc(LIMIT_JOBS * sizeof *started)))
            abort();
        started[count++] =
            (struct lease_ref){.id = t->held->info.id, .attempt = t->held->info.attempt};
        t->reported = true;
    }
    pthread_mutex_unlock(&w->desk.lock);
    if (count > 0) {
        struct pack_buffer frame = {0};
        message_put_leases(&frame, MESSAGE_STARTED, ++w->number, started, count, false);
        (void)session_control(&w->session, &frame);
        pack_buffer_free(&frame);
    }
    free(started);
}

/* Does a handler run? */
static bool
busy_slots(struct stint_worker *w)
{
    bool any = false;
    pthread_mutex_lock(&w->desk.lock);
    for (uint32_t i = 0; i < w->slots_count && !any; i++)
        any = w->slots[i].task.held != NULL;
    pthread_mutex_unlock(&w->desk.lock);
    return any;
}

/* Is anything in hand: running, waiting, or done and not yet told? */
static bool
busy(struct stint_worker *w)
{
    pthread_mutex_lock(&w->desk.lock);
    bool any = w->desk.done || w->desk.waiting;
    pthread_mutex_unlock(&w->desk.lock);
    return any || busy_slots(w);
}

/* How long the loop may sleep if nothing wakes it, in ms. */
static uint64_t
tick_of(struct stint_worker *w)
{
    pthread_mutex_lock(&w->desk.lock);
    bool done = w->desk.done != NULL;
    pthread_mutex_unlock(&w->desk.lock);
    if (done)
        return SETTLE_AFTER_US / 1000;
    return busy(w) || worker_holds_off(w) ? TICK_MS : UINT32_MAX;
}

static void
cancel_all(struct stint_worker *w)
{
    pthread_mutex_lock(&w->desk.lock);
    for (uint32_t i = 0; i < w->slots_count; i++)
        if (w->slots[i].task.held)
            slot_cancel(&w->slots[i].task, false);
    pthread_mutex_unlock(&w->desk.lock);
}

/* ---- the loop ---- */

static enum stint_status
turn(struct stint_worker *w, uint64_t until_ms)
{
    uint64_t rings;
    uint64_t tick_ms = wire_now_ms() + tick_of(w);
    if (until_ms > tick_ms)
        until_ms = tick_ms;
    link_wait(w->link, &w->desk.bell, 1, until_ms);
    if (read(w->desk.bell, &rings, sizeof rings) < 0)
        errno = 0; /* not rung */
    if (w->session.state != SESSION_OPEN)
        w->claimed = false;
    enum stint_status status = link_pump(w->link, wire_now_ms(), !w->claimed, take, w);
    if (w->session.opened) {
        w->session.opened = false;
        claim_all(w);
    }
    if (atomic_exchange(&w->connected, w->session.state == SESSION_OPEN) !=
        (w->session.state == SESSION_OPEN))
        worker_say(w, w->connected ? STINT_WORKER_CONNECTED : STINT_WORKER_LOST,
            w->connected ? w->endpoint : "");
    if (worker_holds_off(w))
        give_back_newest(w, UINT32_MAX);
    watch_slots(w);
    choose_window(w);
    settle_done(w);
    if (status == STINT_OK)
        status = link_pump(w->link, wire_now_ms(), !w->claimed, take, w);
    if (w->session.state == SESSION_FAILED)
        return complain(w, w->session.failed, w->session.detail);
    return status == STINT_OK ? status : complain(w, status, "");
}

/* No new jobs; give back what waits and what was on its way, let finish what runs, see it
 * confirmed, say goodbye. */
static enum stint_status
drain(struct stint_worker *w)
{
    struct pack_buffer frame = {0};
    uint64_t now_ms = wire_now_ms(), open_ms = now_ms;
    uint64_t end_ms = now_ms + w->drain_ms, answered_ms = now_ms + GOODBYE_MS;
    enum stint_status status = STINT_OK;
    bool cancelled = false;
    worker_say(w, STINT_WORKER_DRAINING, "");
    w->session.window = 0;
    session_tell_window(&w->session);
    while (status == STINT_OK &&
        (busy(w) || w->session.requests ||
            (now_ms < answered_ms && !session_answered(&w->session)))) {
        now_ms = wire_now_ms();
        give_back_newest(w, UINT32_MAX);
        if (w->session.state == SESSION_OPEN || busy_slots(w))
            open_ms = now_ms;
        if (now_ms - open_ms >= AWAY_MS)
            break; /* the broker is away; it will find out by our silence */
        if (!cancelled && (now_ms >= end_ms || atomic_load(&w->stops) > 1)) {
            cancelled = true;
            worker_say(w, STINT_WORKER_CANCELLING, "");
            cancel_all(w);
        }
        status = turn(w, now_ms + TICK_MS);
    }
    w->leaving = true;
    message_put_numbered(&frame, MESSAGE_BYE, ++w->number);
    if (status == STINT_OK && w->session.state == SESSION_OPEN &&
        session_control(&w->session, &frame)) {
        end_ms = wire_now_ms() + GOODBYE_MS;
        while (status == STINT_OK && !w->gone && wire_now_ms() < end_ms)
            status = turn(w, end_ms);
    }
    pack_buffer_free(&frame);
    return status;
}

enum stint_status
stint_worker_run(struct stint_worker *w)
{
    enum stint_status status = slots_start(w);
    if (status != STINT_OK)
        complain(w, status, "can't start threads");
    while (status == STINT_OK && atomic_load(&w->stops) == 0)
        status = turn(w, UINT64_MAX);
    if (status == STINT_OK)
        status = drain(w);
    else
        cancel_all(w);
    slots_join(w);
    return status;
}
