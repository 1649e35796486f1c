/* Slots of the simulated world: actors instead of threads. The contract is in worker/worker.h; what
 * a slot does with a job is the real worker/task.c.
 */
#include "sim.h"
#include "worker.h"

#include <stdlib.h>

static struct slot_actor {
    struct slot *slot;
    struct actor *actor;
    struct slot_actor *next;
} * running;

static bool
has_work(void *context)
{
    const struct slot *slot = context;
    return slot_may_begin(slot) || slot_is_over(slot);
}

static void
slot_main(void *context)
{
    struct slot *slot = context;
    for (;;) {
        actor_wait(has_work, slot, UINT64_MAX);
        if (!slot_may_begin(slot))
            break;
        slot_begin(slot, slot->worker->handover.waiting);
        slot_run(slot);
        slot_finish(slot);
    }
    slot->life = SLOT_ENDING;
    slot_end(slot);
    slot_ended(slot);
}

bool
slot_start(struct slot *slot)
{
    struct slot_actor *a = calloc(1, sizeof *a);
    if (!a)
        abort();
    a->slot = slot;
    a->actor = actor_start(actor_process(), slot_main, slot);
    a->next = running;
    running = a;
    return true;
}

void
slot_join(struct slot *slot)
{
    struct slot_actor **at = &running;
    while ((*at)->slot != slot)
        at = &(*at)->next;
    struct slot_actor *a = *at;
    *at = a->next;
    actor_join(&a->actor);
    free(a);
}

/* Actors look for themselves. */
void
slots_wake(struct stint_worker *w)
{
    (void)w;
}

/* Every machine of the simulated world is alike. */
uint32_t
machine_cores(void)
{
    return 2;
}

uint32_t
machine_load(void)
{
    return 150;
}
