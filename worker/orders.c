/* How many slots there are to be and when the worker leaves: by the broker's orders, and by its own
 * rules where it has some. What is decided here crew.c and the loop in worker.c do.
 */
#include "worker.h"

#include <stdio.h>

enum { LOAD_EVERY_MS = 1000 };

bool
orders_leaves(const struct stint_worker *w)
{
    return atomic_load(&w->shared.stops) > 0 || w->orders.left || w->orders.leave != LEAVE_NOT;
}

/* There may be fewer than were wanted, if the system has no more. */
static void
tell_size(struct stint_worker *w)
{
    char text[16];
    if (w->session.options.slots == w->crew.wanted)
        return;
    (void)snprintf(text, sizeof text, "%u", (unsigned)w->crew.wanted);
    w->session.options.slots = w->crew.wanted;
    w->orders.resized = true;
    worker_say(w, STINT_WORKER_RESIZED, text);
}

/* Where slots follow the work, an order says how far they may. */
static void
order_slots(struct stint_worker *w, uint32_t slots)
{
    struct local *l = &w->orders.local;
    if (!l->follows) {
        crew_resize(w, slots == SLOTS_OWN ? w->crew.own : slots);
        return;
    }
    l->max = slots == SLOTS_OWN ? w->crew.own : slots > w->crew.most ? w->crew.most : slots;
    uint32_t least = l->min < l->max ? l->min : l->max; /* with none it would not hear of work */
    if (w->crew.wanted > l->max || w->crew.wanted < least)
        crew_resize(w, w->crew.wanted > l->max ? l->max : least);
}

void
orders_take(struct stint_worker *w, const struct message *m)
{
    const struct order *o = &m->order;
    if (o->paused != w->orders.paused) {
        w->orders.paused = o->paused;
        worker_say(w, o->paused ? STINT_WORKER_PAUSED : STINT_WORKER_RESUMED, "");
    }
    if (o->paused)
        leases_give_back(w);
    if (!orders_leaves(w))
        order_slots(w, o->slots);
    if (o->leave > w->orders.leave) { /* nobody is told to stay who was told to leave */
        worker_say(w, STINT_WORKER_LEAVES, o->leave == LEAVE_STOP ? "stop" : "drain");
        w->orders.leave = o->leave;
    }
}

/* A broker that gives no orders is not to keep this worker as another one has ordered it to be. */
void
orders_forget(struct stint_worker *w)
{
    struct message none = {.order = {.slots = SLOTS_OWN}};
    if (!session_has_feature(&w->session, "control"))
        orders_take(w, &none);
}

static void
leave(struct stint_worker *w, const char *why)
{
    w->orders.left = true;
    worker_say(w, STINT_WORKER_LEAVES, why);
}

static void
leave_in_time(struct stint_worker *w, bool idle, uint64_t now_ms)
{
    struct orders *o = &w->orders;
    if (!idle)
        o->idle_since_ms = now_ms;
    if (orders_leaves(w))
        return;
    if (o->exit_after_ms && now_ms - o->begun_ms >= o->exit_after_ms)
        leave(w, "its time is over");
    else if (o->exit_idle_ms && now_ms - o->idle_since_ms >= o->exit_idle_ms)
        leave(w, "it was idle");
}

/* More slots as soon as a job waits for one; fewer once that was so for a while. */
static void
follow_work(struct stint_worker *w, uint32_t running, uint32_t held, uint64_t now_ms)
{
    struct local *l = &w->orders.local;
    if (!l->follows || orders_leaves(w))
        return;
    l->needed = held > l->needed ? held : l->needed;
    if (running >= w->crew.wanted && held > running && w->crew.wanted < l->max)
        crew_resize(w, held < l->max ? held : l->max);
    if (held >= w->crew.wanted) {
        l->since_ms = now_ms;
        l->needed = 0;
    }
    if (now_ms - l->since_ms < l->cool_down_ms)
        return;
    uint32_t least = l->min < l->max ? l->min : l->max;
    crew_resize(w, l->needed > least ? l->needed : least);
    l->since_ms = now_ms;
    l->needed = 0;
}

void
orders_tick(struct stint_worker *w)
{
    uint64_t now_ms = wire_now_ms();
    pthread_mutex_lock(&w->handover.lock);
    uint32_t running = w->handover.running;
    uint32_t held = running + w->handover.waiting_count;
    bool untold = w->handover.done || w->handover.asked || w->handover.later;
    pthread_mutex_unlock(&w->handover.lock);
    /* An outcome that the broker has not confirmed is kept for it, also while it is away. */
    leave_in_time(w, held == 0 && !untold && !w->session.requests.first, now_ms);
    follow_work(w, running, held, now_ms);
    crew_tend(w);
    tell_size(w);
    if (now_ms - w->orders.load_ms >= LOAD_EVERY_MS) {
        w->orders.load_ms = now_ms;
        w->session.load = machine_load();
    }
}

/* The time from `since_ms` on, or what is left of it. */
static uint64_t
left_of(uint64_t time_ms, uint64_t since_ms, uint64_t now_ms)
{
    uint64_t passed_ms = now_ms - since_ms;
    return time_ms == 0 ? UINT32_MAX : passed_ms < time_ms ? time_ms - passed_ms : 0;
}

uint64_t
orders_wake_ms(const struct stint_worker *w)
{
    const struct orders *o = &w->orders;
    uint64_t now_ms = wire_now_ms();
    if (orders_leaves(w))
        return UINT32_MAX;
    uint64_t wake_ms = left_of(o->exit_after_ms, o->begun_ms, now_ms);
    uint64_t idle_ms = left_of(o->exit_idle_ms, o->idle_since_ms, now_ms);
    uint64_t cool_ms = !w->orders.local.follows || w->crew.wanted <= w->orders.local.min
        ? UINT32_MAX
        : left_of(w->orders.local.cool_down_ms, w->orders.local.since_ms, now_ms);
    wake_ms = idle_ms < wake_ms ? idle_ms : wake_ms;
    return cool_ms < wake_ms ? cool_ms : wake_ms;
}
