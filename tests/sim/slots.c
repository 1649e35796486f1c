/* Slots of the simulated world: actors instead of threads. The contract is in worker/worker.h; what
 * a slot does with a job is the real worker/task.c.
 */
#include "sim.h"
#include "worker.h"

#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

static struct slot_actor {
    struct slot *slot;
    struct actor *actor;
    struct slot_actor *next;
} * running;

static bool
has_work(void *context)
{
    const struct slot *slot = context;
    return slot->worker->handover.waiting || slot->worker->handover.closing;
}

static void
slot_main(void *context)
{
    struct slot *slot = context;
    struct handover *handover = &slot->worker->handover;
    for (;;) {
        actor_wait(has_work, slot, UINT64_MAX);
        if (!handover->waiting)
            break;
        slot_begin(slot, handover->waiting);
        slot_run(slot);
        slot_finish(slot);
    }
    slot_end(slot);
}

enum stint_status
slots_start(struct stint_worker *w)
{
    w->slots = calloc(w->slots_count, sizeof *w->slots);
    if (!w->slots)
        return STINT_NO_MEMORY;
    for (uint32_t i = 0; i < w->slots_count; i++) {
        struct slot *slot = &w->slots[i];
        struct slot_actor *a = calloc(1, sizeof *a);
        if (!a)
            abort();
        slot->worker = w;
        slot->number = i;
        slot->task.cancel_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        a->slot = slot;
        a->actor = actor_start(actor_process(), slot_main, slot);
        a->next = running;
        running = a;
    }
    return STINT_OK;
}

/* Takes an actor of this worker off the list; NULL if none is left. */
static struct slot_actor *
take_actor(const struct stint_worker *w)
{
    for (struct slot_actor **at = &running; *at; at = &(*at)->next)
        if ((*at)->slot->worker == w) {
            struct slot_actor *a = *at;
            *at = a->next;
            return a;
        }
    return NULL;
}

void
slots_join(struct stint_worker *w)
{
    struct slot_actor *a;
    w->handover.closing = true;
    while ((a = take_actor(w)) != NULL) {
        actor_join(&a->actor);
        close(a->slot->task.cancel_fd);
        free(a);
    }
    free(w->slots);
    w->slots = NULL;
}
