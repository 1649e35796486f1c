/* What programs write on standard error while they run. The last of it is kept, so that whoever
 * begins to listen sees it; it is told only while the broker says that somebody does, a few times a
 * second and no more at a time than is kept. The handler's thread and that of the conversation meet
 * here under the handover's lock, for as long as a few kilobytes are copied.
 */
#include "worker.h"

#include <stdlib.h>
#include <utlist.h>

enum {
    TELL_EVERY_MS = 250,
    TAIL_BYTES = 4096, /* kept while nobody listens */
    KEPT_BYTES = 16384, /* while somebody does: what is more between two times is left out */
};

struct live {
    uint64_t written, told; /* in all; told: up to here */
    uint32_t used; /* the last so many of them are kept */
    bool on; /* somebody listens, as was said in this conversation */
    bool fresh; /* it is to be told once though nothing is written */
    uint8_t bytes[KEPT_BYTES];
};

static struct live *
of(struct held *held)
{
    if (!held->live && !(held->live = malloc(sizeof *held->live)))
        abort();
    return held->live;
}

static void
begin(struct held *held)
{
    struct live *l = of(held);
    l->written = l->told = 0;
    l->used = 0;
    l->on = l->fresh = false;
}

void
stint_task_wrote(struct stint_task *task, const void *text, size_t bytes)
{
    const uint8_t *from = text;
    if (bytes == 0)
        return;
    pthread_mutex_lock(&task->handover->lock);
    if (!task->held->live)
        begin(task->held);
    struct live *l = task->held->live;
    uint32_t most = l->on ? KEPT_BYTES : TAIL_BYTES;
    uint32_t count = bytes < most ? (uint32_t)bytes : most;
    uint32_t stays = l->used < most - count ? l->used : most - count;
    memmove(l->bytes, l->bytes + l->used - stays, stays);
    memcpy(l->bytes + stays, from + bytes - count, count);
    l->used = stays + count;
    l->written += bytes;
    pthread_mutex_unlock(&task->handover->lock);
}

/* What was not told yet, as far as it is kept. */
static void
tell(struct stint_worker *w, struct held *held)
{
    struct live *l = held->live;
    uint64_t at = l->written - l->used > l->told ? l->written - l->used : l->told;
    struct pack_buffer frame = {0};
    if (!l->fresh && at == l->written)
        return;
    const struct wrote piece = {.id = held->info.id,
        .attempt = held->info.attempt,
        .at = at,
        .text = {l->bytes + l->used - (l->written - at), (size_t)(l->written - at)}};
    message_put_wrote(&frame, MESSAGE_WROTE, &piece, 1);
    if (session_control(&w->session, &frame)) { /* or else there was no room */
        l->told = l->written;
        l->fresh = false;
    }
    pack_buffer_free(&frame);
}

/* Is it to be told of now? */
static bool
may_tell(const struct stint_worker *w)
{
    return w->claimed && w->session.state == SESSION_OPEN;
}

void
live_send(struct stint_worker *w)
{
    struct handover *h = &w->handover;
    uint64_t now_ms = wire_now_ms();
    bool on = false;
    if (!h->listened || now_ms - h->listened_ms < TELL_EVERY_MS || !may_tell(w))
        return;
    h->listened_ms = now_ms;
    pthread_mutex_lock(&h->lock);
    for (uint32_t i = 0; i < w->crew.count; i++) {
        struct held *held = w->crew.slots[i]->task.held;
        if (!held || !held->live || !held->live->on || held->revoked)
            continue;
        on = true;
        tell(w, held);
    }
    const struct held *waits;
    DL_FOREACH (h->waiting, waits)
        on |= waits->live != NULL;
    DL_FOREACH (h->asked, waits)
        on |= waits->live != NULL;
    h->listened = on;
    pthread_mutex_unlock(&h->lock);
}

void
live_end(struct stint_worker *w, struct held *held)
{
    if (held->live && held->live->on && may_tell(w))
        tell(w, held);
}

void
live_show(struct stint_worker *w, struct held *held, bool on)
{
    if (!held->live)
        begin(held);
    struct live *l = held->live;
    uint32_t shown = l->used < TAIL_BYTES ? l->used : TAIL_BYTES;
    l->on = l->fresh = on;
    l->told = l->written - shown;
    w->handover.listened |= on;
}

void
live_forget(struct held *held)
{
    if (held->live)
        held->live->on = false;
}
