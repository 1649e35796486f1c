/* How far jobs are: a handler says it on its own thread as often as it likes, and the thread of the
 * conversation tells the broker the newest of each a few times a second. Neither waits for the
 * other: between them is a lock of each task's, held while 200 bytes are copied.
 */
#include "message.h"
#include "worker.h"

#include <stdlib.h>

enum {
    TELL_EVERY_MS = 250,
    TOLD_AT_ONCE = 256, /* jobs; those that are left are the first the next time */
};

/* Of the character that begins here; 0: none does. */
static size_t
character(const char *at, size_t left)
{
    for (size_t size = 1; size <= 4 && size <= left; size++)
        if (text_is_utf8((struct slice){(const uint8_t *)at, size}))
            return size;
    return 0;
}

/* What fits of the text, in whole characters and on one line. What is none becomes `?`. */
static void
copy_text(char to[STINT_PROGRESS_BYTES], const char *from)
{
    size_t used = 0, left = strnlen(from, 4 * STINT_PROGRESS_BYTES);
    while (left > 0) {
        size_t size = character(from, left), taken = size ? size : 1;
        if (used + taken >= STINT_PROGRESS_BYTES)
            break;
        bool control = size == 1 && ((unsigned char)*from < ' ' || *from == 0x7f);
        if (size == 0 || control)
            to[used] = control ? ' ' : '?';
        else
            memcpy(to + used, from, size);
        used += taken;
        from += taken;
        left -= taken;
    }
    to[used] = '\0';
}

static bool
is_same(const struct said *a, const struct said *b)
{
    return a->percent == b->percent && strcmp(a->text, b->text) == 0;
}

enum stint_status
stint_task_progress(struct stint_task *task, unsigned percent, const char *text)
{
    struct task_progress *p = &task->progress;
    struct said said = {.percent = percent};
    if (percent > 100 && percent != STINT_NO_PERCENT)
        return STINT_INVALID;
    if (task->held->outcome != 0)
        return STINT_OK; /* it is over, whatever is said of it now */
    copy_text(said.text, text ? text : "");
    if (p->used && is_same(&said, &p->newest)) /* only this thread writes it */
        return STINT_OK;
    pthread_mutex_lock(&p->lock);
    p->used = true;
    p->newest = said;
    pthread_mutex_unlock(&p->lock);
    atomic_store(&p->changed, true);
    atomic_store(p->news, true);
    return STINT_OK;
}

void
telling_end(struct stint_task *task)
{
    struct task_progress *p = &task->progress;
    if (!p->used)
        return;
    p->used = p->was_told = false;
    atomic_store(&p->changed, false);
}

void
telling_again(struct stint_worker *w)
{
    for (uint32_t i = 0; i < w->crew.count; i++) {
        struct task_progress *p = &w->crew.slots[i]->task.progress;
        pthread_mutex_lock(&p->lock);
        p->was_told = false;
        if (p->used) {
            atomic_store(&p->changed, true);
            atomic_store(p->news, true);
        }
        pthread_mutex_unlock(&p->lock);
    }
}

/* With the handover's lock held. False: it is as it was told. */
static bool
take_newest(struct stint_task *task, struct told_progress *told)
{
    struct task_progress *p = &task->progress;
    if (!atomic_exchange(&p->changed, false) || !task->held || task->held->revoked)
        return false;
    pthread_mutex_lock(&p->lock);
    struct said newest = p->newest;
    pthread_mutex_unlock(&p->lock);
    if (p->was_told && is_same(&newest, &p->told))
        return false;
    p->told = newest;
    p->was_told = true;
    *told = (struct told_progress){.id = task->held->info.id,
        .attempt = task->held->info.attempt,
        .percent = p->told.percent,
        .text = {(const uint8_t *)p->told.text, strlen(p->told.text)}};
    return true;
}

/* With the handover's lock held: from the slot on where the last one ended. */
static void
tell(struct stint_worker *w)
{
    struct told_progress told[TOLD_AT_ONCE];
    struct pack_buffer frame = {0};
    uint32_t count = 0, looked = 0;
    atomic_store(&w->shared.news, false);
    for (; looked < w->crew.count && count < TOLD_AT_ONCE; looked++) {
        w->news.slot = w->news.slot + 1 < w->crew.count ? w->news.slot + 1 : 0;
        count += take_newest(&w->crew.slots[w->news.slot]->task, &told[count]);
    }
    if (looked < w->crew.count)
        atomic_store(&w->shared.news, true);
    if (count == 0)
        return;
    message_put_progress(&frame, told, count);
    if (!session_control(&w->session, &frame))
        telling_again(w); /* there was no room */
    pack_buffer_free(&frame);
}

void
telling_send(struct stint_worker *w)
{
    uint64_t now_ms = wire_now_ms();
    if (!atomic_load(&w->shared.news) || !w->claimed || w->session.state != SESSION_OPEN ||
        now_ms - w->news.told_ms < TELL_EVERY_MS || !session_has_feature(&w->session, "progress"))
        return;
    w->news.told_ms = now_ms;
    pthread_mutex_lock(&w->handover.lock);
    tell(w);
    pthread_mutex_unlock(&w->handover.lock);
}
