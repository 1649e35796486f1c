/* The worker's conversation with the broker: takes jobs in, tells outcomes until they are
 * confirmed, claims what it holds after each reconnect, keeps its window in step with how long jobs
 * take. One thread, which no handler can delay.
 */
#include "worker.h"
#include "defaults.h"
#include "pattern.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>
#include <utlist.h>

enum {
    COOL_DOWN_MS = 30000,
    PREFETCH_US = 50000, /* hold about so much work ahead */
    PREFETCH_MAX = 16384,
    STARTED_AFTER_US = 50000, /* a job that runs longer is reported as started */
    GOODBYE_MS = 1000,
    AWAY_MS = 2000, /* at a stop, a broker that is away is waited for so long */
    TICK_MS = 25, /* while jobs run, look at their clocks so often */
    TURN_MS = 1000, /* come round so often, for a watchdog */
};

/* Why the last worker that this thread asked for could not be made. */
static _Thread_local char new_error[REACH_WHY_BYTES];

const char *
stint_worker_new_error(void)
{
    return new_error;
}

static enum stint_status
complain(struct stint_worker *w, enum stint_status status, const char *detail)
{
    (void)snprintf(w->error, sizeof w->error, "worker at %s: %s%s%s", w->endpoint,
        stint_status_text(status), *detail ? ": " : "", detail);
    return status;
}

/* It runs, or has run. */
static enum stint_status
too_late(struct stint_worker *w, const char *why)
{
    (void)snprintf(w->error, sizeof w->error, "worker at %s: %s", w->endpoint, why);
    return STINT_WRONG_STATE;
}

/* Names and prefixes, each no more than the broker takes. */
static enum stint_status
check_queues(const char *const *queues, uint32_t count)
{
    uint32_t names = 0, prefixes = 0;
    for (uint32_t i = 0; i < count; i++) {
        struct slice queue = {(const uint8_t *)queues[i], strlen(queues[i])};
        bool open = pattern_is_open(queue);
        if (open ? !prefix_is_valid(queue) : !name_is_valid(queue))
            return STINT_BAD_NAME;
        names += !open;
        prefixes += open;
        if (names > LIMIT_QUEUES_SERVED || prefixes > LIMIT_PREFIXES)
            return STINT_TOO_MANY;
    }
    return STINT_OK;
}

static enum stint_status
copy_queues(struct stint_worker *w, const struct stint_worker_options *o)
{
    static const char *const usual[] = {STINT_DEFAULT_NAME};
    const char *const *queues = o->queues && o->queues_count ? o->queues : usual;
    w->served.queues_count = o->queues && o->queues_count ? o->queues_count : 1;
    enum stint_status status = check_queues(queues, w->served.queues_count);
    if (status != STINT_OK) {
        w->served.queues_count = 0;
        return status;
    }
    w->served.queues = calloc(w->served.queues_count, sizeof *w->served.queues);
    if (!w->served.queues)
        return STINT_NO_MEMORY;
    for (uint32_t i = 0; i < w->served.queues_count; i++) {
        w->served.queues[i] = strdup(queues[i]);
        if (!w->served.queues[i])
            return STINT_NO_MEMORY;
    }
    return STINT_OK;
}

static enum stint_status
copy_labels(struct stint_worker *w, const struct stint_worker_options *o)
{
    if (o->labels_count > LIMIT_LABELS)
        return STINT_TOO_MANY;
    if (o->labels_count > 0 && !o->labels) {
        (void)snprintf(new_error, sizeof new_error, "there are labels, and the pointer is NULL");
        return STINT_INVALID;
    }
    w->served.labels = calloc(o->labels_count + 1U, sizeof *w->served.labels);
    if (!w->served.labels)
        return STINT_NO_MEMORY;
    for (uint32_t i = 0; i < o->labels_count; i++) {
        if (!name_is_valid((struct slice){(const uint8_t *)o->labels[i], strlen(o->labels[i])}))
            return STINT_BAD_NAME;
        w->served.labels[i] = strdup(o->labels[i]);
        if (!w->served.labels[i])
            return STINT_NO_MEMORY;
        w->served.labels_count++;
    }
    return STINT_OK;
}

static enum stint_status
copy_has(struct stint_worker *w, const struct stint_worker_options *o)
{
    size_t size;
    const struct slice has = {(const uint8_t *)o->has, o->has ? strlen(o->has) : 0};
    const char *why = o->has ? needs_write(NEEDS_OF_WORKER, has, w->served.has, &size) : NULL;
    if (!why)
        return STINT_OK;
    (void)snprintf(new_error, sizeof new_error, "has: %s", why);
    return STINT_INVALID;
}

static enum stint_status
open_link(struct stint_worker *w, const struct stint_worker_options *o)
{
    struct session_options s = {.role = ROLE_WORKER,
        .name = w->name,
        .software = "libstint " STINT_VERSION_TEXT,
        .slots = w->crew.wanted,
        .cores = machine_cores(),
        .queues = (const char *const *)w->served.queues,
        .labels = (const char *const *)w->served.labels,
        .queues_count = w->served.queues_count,
        .labels_count = w->served.labels_count,
        .has = w->served.has};
    wire_random(s.id, sizeof s.id);
    wire_random(&s.seed, sizeof s.seed);
    session_init(&w->session, &s, wire_now_ms());
    const struct reach_wish wish = {
        .endpoint = o->endpoint, .key = o->key, .broker_key = o->broker_key, .file = "worker.key"};
    struct reach reach;
    enum stint_status status = reach_find(&wish, &reach, new_error);
    if (status == STINT_OK)
        status = link_new(&reach, &w->session, &w->link);
    reach_forget(&reach);
    return status;
}

/* How many slots it has, may have, and when it leaves. */
static void
set_size(struct stint_worker *w, const struct stint_worker_options *o)
{
    struct crew *crew = &w->crew;
    crew->most = o->slots_max && o->slots_max < LIMIT_WINDOW ? o->slots_max : LIMIT_WINDOW;
    crew->own = o->local_max ? o->local_max : o->slots ? o->slots : machine_cores();
    if (crew->own > crew->most)
        crew->own = crew->most;
    w->orders = (struct orders){.exit_idle_ms = o->exit_idle_ms, .exit_after_ms = o->exit_after_ms};
    w->orders.local = (struct local){.follows = o->local_max > 0,
        .min = o->local_min,
        .max = o->local_max ? crew->own : 0,
        .cool_down_ms = o->cool_down_ms ? o->cool_down_ms : COOL_DOWN_MS};
    crew->wanted = o->local_max && o->local_min < crew->own ? o->local_min : crew->own;
    if (crew->wanted == 0)
        crew->wanted = 1; /* it would not hear of work */
    w->orders.local.min = o->local_min ? o->local_min : 1;
}

enum stint_status
stint_worker_new(const struct stint_worker_options *options, struct stint_worker **worker)
{
    static const struct stint_worker_options none;
    const struct stint_worker_options *o = options ? options : &none;
    struct stint_worker *w = calloc(1, sizeof *w);
    *worker = NULL;
    new_error[0] = '\0';
    if (!w)
        return STINT_NO_MEMORY;
    set_size(w, o);
    w->prefetch = o->prefetch;
    w->drain_ms = o->drain_ms ? o->drain_ms : DEFAULT_DRAIN_MS;
    w->telling.told = o->told;
    w->telling.context = o->told_context;
    (void)snprintf(w->endpoint, sizeof w->endpoint, "%s", defaults_endpoint(o->endpoint));
    (void)defaults_name(o->name, (long)getpid(), w->name);
    pthread_mutex_init(&w->handover.lock, NULL);
    pthread_cond_init(&w->handover.work, NULL);
    w->handover.wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    enum stint_status status = w->handover.wake_fd < 0 ? STINT_SYSTEM : copy_queues(w, o);
    if (status == STINT_OK)
        status = copy_labels(w, o);
    if (status == STINT_OK)
        status = copy_has(w, o);
    if (status == STINT_OK)
        status = open_link(w, o);
    if (status != STINT_OK)
        stint_worker_destroy(&w);
    *worker = w;
    return status;
}

void
stint_worker_destroy(struct stint_worker **worker)
{
    struct stint_worker *w = *worker;
    if (!w)
        return;
    while (w->session.requests.first) {
        struct request *r = w->session.requests.first;
        leases_end_request(w, &r);
    }
    held_free_all(w->handover.waiting);
    held_free_all(w->handover.asked);
    held_free_all(w->handover.done);
    held_free_all(w->handover.later);
    session_fini(&w->session);
    link_destroy(&w->link, GOODBYE_MS / 2);
    for (uint32_t i = 0; w->served.queues && i < w->served.queues_count; i++)
        free(w->served.queues[i]);
    free(w->served.queues);
    for (uint32_t i = 0; i < w->served.labels_count; i++)
        free(w->served.labels[i]);
    free(w->served.labels);
    for (uint32_t i = 0; i < w->served.handlers_count; i++)
        free((char *)(uintptr_t)w->served.handlers[i].kind);
    if (w->handover.wake_fd >= 0)
        close(w->handover.wake_fd);
    pthread_cond_destroy(&w->handover.work);
    pthread_mutex_destroy(&w->handover.lock);
    free(w);
    *worker = NULL;
}

/* Of exactly this kind, or with NULL of all that have none. */
static bool
has_handler(const struct stint_worker *w, const char *kind)
{
    for (uint32_t i = 0; i < w->served.handlers_count; i++) {
        const char *taken = w->served.handlers[i].kind;
        if (kind && taken ? strcmp(kind, taken) == 0 : kind == taken)
            return true;
    }
    return false;
}

enum stint_status
stint_worker_handle(struct stint_worker *w, const struct stint_handler *handler)
{
    char detail[STINT_NAME_BYTES + 32];
    const char *kind = handler->kind;
    if (atomic_load(&w->shared.ran))
        return too_late(w, "handlers are added before it runs");
    if (kind && !name_is_valid((struct slice){(const uint8_t *)kind, strlen(kind)}))
        return complain(w, STINT_BAD_NAME, kind);
    if (!handler->run)
        return complain(w, STINT_INVALID, "it has no function that runs jobs");
    if (has_handler(w, kind)) {
        (void)snprintf(
            detail, sizeof detail, "%s has a handler already", kind ? kind : "every other kind");
        return complain(w, STINT_INVALID, detail);
    }
    if (w->served.handlers_count == HANDLERS_MAX)
        return complain(w, STINT_TOO_MANY, "64 handlers");
    struct stint_handler *mine = &w->served.handlers[w->served.handlers_count++];
    *mine = *handler;
    if (kind && !(mine->kind = strdup(kind)))
        return STINT_NO_MEMORY;
    return STINT_OK;
}

uint32_t
stint_worker_handlers(const struct stint_worker *w)
{
    return w->served.handlers_count;
}

void
stint_worker_stop(struct stint_worker *w)
{
    uint64_t one = 1;
    atomic_fetch_add(&w->shared.stops, 1);
    if (write(w->handover.wake_fd, &one, sizeof one) < 0)
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
    return atomic_load(&w->shared.connected);
}

uint64_t
stint_worker_stalled_ms(const struct stint_worker *w)
{
    uint64_t turned_ms = atomic_load(&w->shared.turned_ms), now_ms = wire_now_ms();
    return turned_ms && now_ms > turned_ms ? now_ms - turned_ms : 0;
}

/* How much to hold ahead where slots follow the work: as much again, so that what waits is seen. */
static uint32_t
ahead_of_growth(const struct stint_worker *w)
{
    uint32_t more = w->orders.local.max > w->crew.wanted ? w->orders.local.max - w->crew.wanted : 0;
    return more < w->crew.wanted ? more : w->crew.wanted;
}

static uint32_t
window_for(const struct stint_worker *w, double each_us)
{
    const uint32_t slots = w->crew.wanted;
    uint32_t prefetch = 0;
    if (orders_leaves(w) || w->orders.paused || worker_holds_off(w) || slots == 0)
        return 0;
    if (w->mean_us > 0 && each_us <= PREFETCH_US)
        prefetch = (uint32_t)(PREFETCH_US / each_us * slots);
    if (w->prefetch)
        prefetch = w->prefetch == STINT_NO_PREFETCH ? 0 : w->prefetch;
    if (prefetch > PREFETCH_MAX)
        prefetch = PREFETCH_MAX;
    if (prefetch < ahead_of_growth(w))
        prefetch = ahead_of_growth(w);
    return slots + prefetch > LIMIT_WINDOW ? LIMIT_WINDOW : slots + prefetch;
}

/* The slots are others: the broker hears of it at once. Until it says so by its PONG it goes on
 * with the old ones, and gets back what these can't hold, which would wait here behind all that
 * runs. */
static void
tell_resized(struct stint_worker *w)
{
    if (w->orders.resized)
        session_tell_window(&w->session);
    w->orders.telling |= w->orders.resized;
    w->orders.resized = false;
    if (!w->orders.telling)
        return;
    leases_keep(w, w->session.window);
    w->orders.telling = !session_answered(&w->session);
}

/* How many jobs to hold: one a slot, and about PREFETCH_US of work ahead; none ahead before a run
 * time is known. If every slot is busy with something longer than the mean, that is the better
 * guess. */
static void
choose_window(struct stint_worker *w)
{
    uint64_t least_us = UINT64_MAX;
    pthread_mutex_lock(&w->handover.lock);
    uint64_t now_us = wire_now_us(); /* with the lock held, no slot begins after it */
    uint64_t finished = w->handover.finished, run_us = w->handover.run_us;
    w->handover.finished = w->handover.run_us = 0;
    for (uint32_t i = 0; i < w->crew.count; i++) {
        uint64_t started_us = w->crew.slots[i]->task.started_us;
        uint64_t elapsed_us = started_us ? now_us - started_us : 0;
        least_us = elapsed_us < least_us ? elapsed_us : least_us;
    }
    pthread_mutex_unlock(&w->handover.lock);
    if (finished) {
        double mean = (double)run_us / (double)finished + 1, weight = (double)finished / 8;
        if (w->mean_us == 0)
            w->mean_us = mean;
        w->mean_us += (mean - w->mean_us) * (weight > 0.5 ? 0.5 : weight);
    }
    double each_us = w->mean_us > (double)least_us ? w->mean_us : (double)least_us;
    uint32_t window = window_for(w, each_us);
    bool again = w->session.window == 0 && window > 0 && w->claimed;
    w->session.window = window;
    if (again && !w->orders.resized)
        session_tell_window(&w->session);
    tell_resized(w);
}

/* Jobs that run longer than a moment are reported as started, once: their time to run counts from
 * here, and they can't be recalled. Those over their time are cancelled. */
static void
watch_slots(struct stint_worker *w)
{
    struct lease_ref *started = NULL;
    uint32_t count = 0;
    pthread_mutex_lock(&w->handover.lock);
    uint64_t now_us = wire_now_us(); /* with the lock held, no slot begins after it */
    for (uint32_t i = 0; i < w->crew.count; i++) {
        struct stint_task *t = &w->crew.slots[i]->task;
        if (!t->held)
            continue;
        uint64_t limit_us = t->held->time_to_run_ms * 1000;
        if (limit_us && now_us - t->started_us >= limit_us && !atomic_load(&t->cancelled))
            slot_cancel(t, true);
        if (t->held->begun || now_us - t->started_us < STARTED_AFTER_US || !w->claimed ||
            count == LIMIT_JOBS)
            continue;
        if (!started && !(started = malloc(LIMIT_JOBS * sizeof *started)))
            abort();
        started[count++] =
            (struct lease_ref){.id = t->held->info.id, .attempt = t->held->info.attempt};
        t->held->begun = true;
    }
    pthread_mutex_unlock(&w->handover.lock);
    if (count > 0) {
        struct pack_buffer frame = {0};
        message_put_leases(&frame, MESSAGE_STARTED, 0, started, count, false);
        (void)session_control(&w->session, &frame);
        pack_buffer_free(&frame);
    }
    free(started);
}

/* Does a handler run? */
static bool
busy_slots(struct stint_worker *w)
{
    pthread_mutex_lock(&w->handover.lock);
    bool any = w->handover.running > 0;
    pthread_mutex_unlock(&w->handover.lock);
    return any;
}

/* Is anything in hand: running, waiting, or done and not yet told? */
static bool
busy(struct stint_worker *w)
{
    pthread_mutex_lock(&w->handover.lock);
    bool any = w->handover.done || w->handover.waiting || w->handover.asked || w->handover.later;
    pthread_mutex_unlock(&w->handover.lock);
    return any || busy_slots(w);
}

/* How long the loop may sleep if nothing wakes it, in ms. */
static uint64_t
tick_of(struct stint_worker *w)
{
    pthread_mutex_lock(&w->handover.lock);
    bool done = w->handover.done != NULL;
    pthread_mutex_unlock(&w->handover.lock);
    if (done)
        return LEASES_TOLD_AFTER_US / 1000;
    uint64_t wake_ms = orders_wake_ms(w);
    return (busy(w) || worker_holds_off(w)) && wake_ms > TICK_MS ? TICK_MS : wake_ms;
}

static void
cancel_all(struct stint_worker *w)
{
    pthread_mutex_lock(&w->handover.lock);
    for (uint32_t i = 0; i < w->crew.count; i++)
        if (w->crew.slots[i]->task.held)
            slot_cancel(&w->crew.slots[i]->task, false);
    pthread_mutex_unlock(&w->handover.lock);
}

/* ---- the loop ---- */

static void
tell_connection(struct stint_worker *w)
{
    char why[256];
    uint64_t now_ms = wire_now_ms(), wake_ms = session_wake_ms(&w->session);
    if (w->shared.connected) {
        worker_say(w, STINT_WORKER_CONNECTED, w->endpoint);
        return;
    }
    (void)snprintf(why, sizeof why, "%s; tries again in %llu ms",
        w->session.over ? w->session.over : "it was ended",
        (unsigned long long)(wake_ms > now_ms ? wake_ms - now_ms : 0));
    worker_say(w, STINT_WORKER_LOST, why);
}

static void
tell_refusal(struct stint_worker *w)
{
    bool final;
    const char *refusal = link_refusal(w->link, &final), *no_room = w->session.refusal;
    if (refusal && refusal != w->telling.refusal)
        worker_say(w, STINT_WORKER_REFUSED, refusal);
    if (no_room && no_room != w->telling.no_room)
        worker_say(w, STINT_WORKER_NO_ROOM, no_room);
    w->telling.refusal = refusal;
    w->telling.no_room = no_room;
}

static enum stint_status
turn(struct stint_worker *w, uint64_t until_ms)
{
    uint64_t rings;
    uint64_t now_ms = wire_now_ms(), tick_ms = tick_of(w);
    atomic_store(&w->shared.turned_ms, now_ms);
    if (tick_ms > TURN_MS)
        tick_ms = TURN_MS;
    if (until_ms > now_ms + tick_ms)
        until_ms = now_ms + tick_ms;
    link_wait(w->link, &w->handover.wake_fd, 1, until_ms);
    if (read(w->handover.wake_fd, &rings, sizeof rings) < 0)
        errno = 0; /* not rung */
    if (w->session.state != SESSION_OPEN)
        w->claimed = false;
    enum stint_status status = link_pump(w->link, wire_now_ms(), !w->claimed, leases_take, w);
    if (w->session.opened) {
        w->session.opened = false;
        leases_greet(w);
        leases_claim(w);
        orders_forget(w);
    }
    if (atomic_exchange(&w->shared.connected, w->session.state == SESSION_OPEN) !=
        (w->session.state == SESSION_OPEN))
        tell_connection(w);
    tell_refusal(w);
    if (worker_holds_off(w))
        leases_give_back(w);
    watch_slots(w);
    orders_tick(w);
    choose_window(w);
    telling_send(w);
    live_send(w);
    leases_settle(w);
    if (status == STINT_OK)
        status = link_pump(w->link, wire_now_ms(), !w->claimed, leases_take, w);
    if (w->session.state == SESSION_FAILED)
        return complain(w, w->session.failure.status, w->session.failure.detail);
    return status == STINT_OK ? status : complain(w, status, "");
}

/* A drain that the broker was asked for takes as long as it takes. Others are bounded. */
static bool
is_pressed(const struct stint_worker *w)
{
    return atomic_load(&w->shared.stops) > 0 || w->orders.left;
}

static bool
is_to_cancel(const struct stint_worker *w)
{
    return atomic_load(&w->shared.stops) > 1 || w->orders.leave == LEAVE_STOP;
}

/* No new jobs; give back what waits and what was on its way, let finish what runs, see it
 * confirmed, say goodbye. */
static enum stint_status
drain(struct stint_worker *w)
{
    struct pack_buffer frame = {0};
    uint64_t now_ms = wire_now_ms(), open_ms = now_ms;
    uint64_t end_ms = UINT64_MAX, answered_ms = now_ms + GOODBYE_MS;
    enum stint_status status = STINT_OK;
    bool cancelled = false;
    worker_say(w, STINT_WORKER_DRAINING, "");
    w->session.window = 0;
    session_tell_window(&w->session);
    while (status == STINT_OK &&
        (busy(w) || w->session.requests.first ||
            (now_ms < answered_ms && !session_answered(&w->session)))) {
        now_ms = wire_now_ms();
        leases_give_back(w);
        if (w->session.state == SESSION_OPEN || busy_slots(w))
            open_ms = now_ms;
        if (now_ms - open_ms >= AWAY_MS)
            break; /* the broker is away; it will find out by our silence */
        if (end_ms == UINT64_MAX && is_pressed(w))
            end_ms = now_ms + w->drain_ms;
        if (!cancelled && (now_ms >= end_ms || is_to_cancel(w))) {
            cancelled = true;
            worker_say(w, STINT_WORKER_CANCELLING, "");
            cancel_all(w);
        }
        if (cancelled)
            leases_give_up(w);
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

/* The broker hands out only what some handler takes. One without a kind takes all. */
static void
tell_kinds(struct stint_worker *w)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < w->served.handlers_count && w->served.handlers[i].kind; i++)
        w->served.kinds[count++] = w->served.handlers[i].kind;
    w->session.options.kinds = w->served.kinds;
    w->session.options.kinds_count = count == w->served.handlers_count ? count : 0;
    session_options_changed(&w->session, wire_now_ms());
}

enum stint_status
stint_worker_run(struct stint_worker *w)
{
    if (w->served.handlers_count == 0)
        return complain(w, STINT_INVALID, "it has no handler");
    if (atomic_exchange(&w->shared.ran, true))
        return too_late(w, "it has run already, and a worker runs once: make another one");
    tell_kinds(w);
    uint64_t now_ms = wire_now_ms();
    atomic_store(&w->shared.turned_ms, now_ms);
    enum stint_status status = crew_start(w);
    w->orders.begun_ms = w->orders.idle_since_ms = w->orders.local.since_ms = now_ms;
    if (status != STINT_OK)
        complain(w, status, "can't start threads");
    while (status == STINT_OK && !orders_leaves(w))
        status = turn(w, UINT64_MAX);
    if (status == STINT_OK)
        status = drain(w);
    else
        cancel_all(w);
    crew_join(w);
    atomic_store(&w->shared.turned_ms, 0);
    return status;
}
