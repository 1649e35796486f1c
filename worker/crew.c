/* How many slots there are: more are started and some ended while others run jobs. What a slot is
 * stands in slots.c. All on the thread of the conversation, which never waits for a handler here.
 */
#include "worker.h"

#include <assert.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

static struct slot *
make_slot(struct stint_worker *w)
{
    struct slot *slot = calloc(1, sizeof *slot);
    if (!slot)
        abort();
    slot->worker = w;
    slot->number = w->crew.count;
    slot->task.progress.news = &w->shared.news;
    slot->task.handover = &w->handover;
    if (pthread_mutex_init(&slot->task.progress.lock, NULL) != 0)
        abort();
    slot->task.cancel_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    return slot;
}

static void
free_slot(struct slot *slot)
{
    if (slot->task.cancel_fd >= 0)
        close(slot->task.cancel_fd);
    (void)pthread_mutex_destroy(&slot->task.progress.lock);
    free(slot);
}

static void
add_slot(struct stint_worker *w)
{
    struct crew *crew = &w->crew;
    crew->slots = realloc(crew->slots, (crew->count + 1) * sizeof(struct slot *));
    if (!crew->slots)
        abort();
    crew->slots[crew->count] = make_slot(w);
    crew->count++;
}

static enum slot_life
life_of(struct slot *slot)
{
    pthread_mutex_lock(&slot->worker->handover.lock);
    enum slot_life life = slot->life;
    pthread_mutex_unlock(&slot->worker->handover.lock);
    return life;
}

static void
want(struct stint_worker *w, uint32_t wanted)
{
    pthread_mutex_lock(&w->handover.lock);
    w->crew.wanted = w->handover.slots = wanted;
    slots_wake(w);
    pthread_mutex_unlock(&w->handover.lock);
}

/* One that has no thread. False: the system has no more. */
static bool
start(struct slot *slot)
{
    slot->life = SLOT_LIVES;
    if (slot->task.cancel_fd >= 0 && slot_start(slot))
        return true;
    slot->life = SLOT_NONE;
    return false;
}

/* Joins the slot if it has ended, and starts it if it is wanted. Is there more to do with it later?
 */
static bool
tend(struct stint_worker *w, struct slot *slot)
{
    enum slot_life life = life_of(slot);
    if (life == SLOT_ENDED) {
        slot_join(slot);
        slot->life = life = SLOT_NONE;
    }
    if (life == SLOT_NONE && slot->number < w->crew.wanted && !start(slot))
        want(w, slot->number); /* these are all that can be had */
    return life == SLOT_ENDING || (life == SLOT_LIVES && slot->number >= w->crew.wanted);
}

void
crew_tend(struct stint_worker *w)
{
    struct crew *crew = &w->crew;
    if (!crew->restless)
        return;
    crew->restless = false;
    while (crew->count < crew->wanted)
        add_slot(w);
    for (uint32_t i = 0; i < crew->count; i++)
        crew->restless |= tend(w, crew->slots[i]);
    while (crew->count > crew->wanted && life_of(crew->slots[crew->count - 1]) == SLOT_NONE)
        free_slot(crew->slots[--crew->count]);
}

void
crew_resize(struct stint_worker *w, uint32_t wanted)
{
    if (wanted > w->crew.most)
        wanted = w->crew.most;
    if (wanted == w->crew.wanted)
        return;
    w->crew.restless = true;
    want(w, wanted);
    crew_tend(w);
}

enum stint_status
crew_start(struct stint_worker *w)
{
    uint32_t wanted = w->crew.wanted;
    w->crew.restless = true;
    want(w, wanted);
    crew_tend(w);
    return w->crew.wanted == wanted ? STINT_OK : STINT_SYSTEM;
}

void
crew_join(struct stint_worker *w)
{
    struct crew *crew = &w->crew;
    pthread_mutex_lock(&w->handover.lock);
    w->handover.closing = true;
    slots_wake(w);
    pthread_mutex_unlock(&w->handover.lock);
    for (uint32_t i = 0; i < crew->count; i++) {
        if (life_of(crew->slots[i]) != SLOT_NONE)
            slot_join(crew->slots[i]);
        free_slot(crew->slots[i]);
    }
    free(crew->slots);
    crew->slots = NULL;
    crew->count = 0;
}
