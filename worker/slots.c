/* Slots: threads that run handlers. A slot takes a job from the handover, runs its handler, and
 * puts the outcome back on the handover, under one lock a job. What happens to a job meanwhile is
 * in task.c and how many slots there are in crew.c, so that the simulator can do without threads,
 * and on a machine of its own.
 */
#include "worker.h"

#include <stdlib.h>
#include <unistd.h>

static void *
slot_main(void *argument)
{
    struct slot *slot = argument;
    struct handover *handover = &slot->worker->handover;
    pthread_mutex_lock(&handover->lock);
    for (;;) {
        while (!slot_may_begin(slot) && !slot_is_over(slot))
            pthread_cond_wait(&handover->work, &handover->lock);
        if (!slot_may_begin(slot))
            break;
        slot_begin(slot, handover->waiting);
        pthread_mutex_unlock(&handover->lock);
        slot_run(slot);
        pthread_mutex_lock(&handover->lock);
        slot_finish(slot);
    }
    slot->life = SLOT_ENDING;
    pthread_cond_signal(&handover->work); /* whoever may begin now, or was to be woken for us */
    pthread_mutex_unlock(&handover->lock);
    slot_end(slot);
    pthread_mutex_lock(&handover->lock);
    slot_ended(slot);
    pthread_mutex_unlock(&handover->lock);
    return NULL;
}

bool
slot_start(struct slot *slot)
{
    return pthread_create(&slot->thread, NULL, slot_main, slot) == 0;
}

void
slot_join(struct slot *slot)
{
    pthread_join(slot->thread, NULL);
}

void
slots_wake(struct stint_worker *w)
{
    pthread_cond_broadcast(&w->handover.work);
}

uint32_t
machine_cores(void)
{
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    return cores < 1 ? 1 : cores > LIMIT_CORES ? LIMIT_CORES : (uint32_t)cores;
}

uint32_t
machine_load(void)
{
    double load;
    if (getloadavg(&load, 1) != 1 || load < 0)
        return 0;
    return load < LIMIT_CORES ? (uint32_t)(100 * load) : 100 * LIMIT_CORES;
}
