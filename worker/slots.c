/* Slots: threads that run handlers. A slot takes a job from the handover, runs its handler, and
 * puts the outcome back on the handover, under one lock a job. What happens to a job meanwhile is
 * in task.c, so that the simulator can do without threads.
 */
#include "worker.h"

#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

static void *
slot_main(void *argument)
{
    struct slot *slot = argument;
    struct stint_worker *w = slot->worker;
    struct handover *handover = &w->handover;
    pthread_mutex_lock(&handover->lock);
    for (;;) {
        while (!handover->waiting && !handover->closing)
            pthread_cond_wait(&handover->work, &handover->lock);
        if (!handover->waiting)
            break;
        slot_begin(slot, handover->waiting);
        pthread_mutex_unlock(&handover->lock);
        slot_run(slot);
        pthread_mutex_lock(&handover->lock);
        slot_finish(slot);
    }
    pthread_mutex_unlock(&handover->lock);
    slot_end(slot);
    return NULL;
}

enum stint_status
slots_start(struct stint_worker *w)
{
    w->slots = calloc(w->slots_count, sizeof *w->slots);
    if (!w->slots)
        return STINT_NO_MEMORY;
    for (uint32_t i = 0; i < w->slots_count; i++) {
        struct slot *slot = &w->slots[i];
        slot->worker = w;
        slot->number = i;
        slot->task.cancel_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        if (slot->task.cancel_fd < 0 || pthread_create(&slot->thread, NULL, slot_main, slot) != 0) {
            if (slot->task.cancel_fd >= 0)
                close(slot->task.cancel_fd);
            w->slots_count = i; /* those before it are to be joined */
            return STINT_SYSTEM;
        }
    }
    return STINT_OK;
}

void
slots_join(struct stint_worker *w)
{
    pthread_mutex_lock(&w->handover.lock);
    w->handover.closing = true;
    pthread_cond_broadcast(&w->handover.work);
    pthread_mutex_unlock(&w->handover.lock);
    for (uint32_t i = 0; w->slots && i < w->slots_count; i++) {
        pthread_join(w->slots[i].thread, NULL);
        close(w->slots[i].task.cancel_fd);
    }
    free(w->slots);
    w->slots = NULL;
}
