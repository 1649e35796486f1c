/* A job in a slot: taken from the handover, run by its handler, which tells an outcome, and put
 * back. No thread of its own.
 */
#include "now.h"
#include "worker.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>
#include <utlist.h>

void
held_free(struct held *held)
{
    free(held->body);
    free(held->output);
    free(held->errors);
    held->body = held->output = held->errors = NULL;
    joint_free(held);
    free(held->live);
    held->live = NULL;
    if (--held->delivery->left == 0)
        free(held->delivery);
}

void
slot_cancel(struct stint_task *task, bool timed_out)
{
    uint64_t one = 1;
    if (timed_out)
        atomic_store(&task->timed_out, true);
    atomic_store(&task->cancelled, true);
    if (!task->signalled && write(task->cancel_fd, &one, sizeof one) == sizeof one)
        task->signalled = true;
}

static int
find_handler(const struct stint_worker *w, const char *kind)
{
    int any = -1;
    for (uint32_t i = 0; i < w->served.handlers_count; i++) {
        if (!w->served.handlers[i].kind)
            any = (int)i;
        else if (strcmp(w->served.handlers[i].kind, kind) == 0)
            return (int)i;
    }
    return any;
}

void
slot_run(struct slot *slot)
{
    struct stint_worker *w = slot->worker;
    struct held *held = slot->task.held;
    int i = find_handler(w, held->info.kind);
    if (i < 0) {
        char why[STINT_NAME_BYTES + 64];
        (void)snprintf(why, sizeof why, "no worker has a handler for kind %s", held->info.kind);
        stint_task_unable(&slot->task, why);
        return;
    }
    const struct stint_handler *handler = &w->served.handlers[i];
    if (!slot->made[i]) {
        slot->made[i] = true;
        slot->states[i] = handler->make ? handler->make(handler->context, slot->number) : NULL;
    }
    handler->run(&slot->task, slot->states[i]);
    if (held->outcome == 0)
        stint_task_fail(&slot->task, "the handler returned without an outcome");
}

static void
ring(struct handover *handover)
{
    uint64_t one = 1;
    if (write(handover->wake_fd, &one, sizeof one) < 0)
        return; /* it is rung already */
}

bool
slot_may_begin(const struct slot *slot)
{
    const struct handover *h = &slot->worker->handover;
    return h->waiting && slot->number < h->slots && h->running < h->slots;
}

bool
slot_is_over(const struct slot *slot)
{
    const struct handover *h = &slot->worker->handover;
    return h->closing || slot->number >= h->slots;
}

void
slot_begin(struct slot *slot, struct held *held)
{
    struct stint_task *t = &slot->task;
    slot->worker->handover.running++;
    DL_DELETE(slot->worker->handover.waiting, held);
    slot->worker->handover.waiting_count--;
    held->info.slot = slot->number;
    if (held->time_to_run_ms)
        held->info.deadline_ms = clock_wall_ms() + held->time_to_run_ms;
    t->held = held;
    t->started_us = wire_now_us();
}

void
slot_finish(struct slot *slot)
{
    struct handover *handover = &slot->worker->handover;
    struct stint_task *t = &slot->task;
    uint64_t value;
    handover->running--;
    handover->finished++;
    handover->run_us += wire_now_us() - t->started_us;
    bool ran_dry = handover->held_back && handover->waiting_count <= handover->slots;
    if (!handover->done || ran_dry)
        ring(handover);
    handover->held_back &= !ran_dry;
    DL_APPEND(handover->done, t->held);
    telling_end(t);
    t->held = NULL;
    t->started_us = 0;
    if (t->signalled && read(t->cancel_fd, &value, sizeof value) == sizeof value)
        t->signalled = false;
    atomic_store(&t->cancelled, false);
    atomic_store(&t->timed_out, false);
}

void
slot_end(struct slot *slot)
{
    const struct stint_worker *w = slot->worker;
    for (uint32_t i = 0; i < w->served.handlers_count; i++)
        if (slot->made[i] && w->served.handlers[i].destroy)
            w->served.handlers[i].destroy(w->served.handlers[i].context, slot->states[i]);
    memset(slot->made, 0, sizeof slot->made); /* it may start again */
}

void
slot_ended(struct slot *slot)
{
    slot->life = SLOT_ENDED;
    ring(&slot->worker->handover);
}

static void
keep(uint8_t **to, size_t *to_bytes, const void *data, size_t bytes)
{
    free(*to);
    *to = NULL;
    *to_bytes = bytes;
    if (bytes == 0)
        return;
    *to = malloc(bytes);
    if (!*to)
        abort();
    memcpy(*to, data, bytes);
}

/* The first outcome of a task counts. */
static void
tell(struct stint_task *task, enum outcome_type outcome, const void *body, size_t bytes,
    uint64_t delay_ms)
{
    struct held *held = task->held;
    if (held->outcome != 0)
        return;
    held->outcome = outcome;
    held->delay_ms = delay_ms;
    joint_end(held, outcome);
    keep(&held->body, &held->body_bytes, body, bytes);
}

static void
tell_text(struct stint_task *task, enum outcome_type outcome, const char *why)
{
    struct slice text =
        text_tail((struct slice){(const uint8_t *)why, strlen(why)}, LIMIT_ERROR_BYTES);
    tell(task, outcome, text.data, text.size, 0);
}

const struct stint_task_info *
stint_task_info(const struct stint_task *task)
{
    return &task->held->info;
}

const char *
stint_task_group(const struct stint_task *task)
{
    return task->held->around.group;
}

const struct stint_id *
stint_task_parents(const struct stint_task *task, size_t *count)
{
    *count = task->held->around.parents_count;
    return *count > 0 ? task->held->around.parents : NULL;
}

bool
stint_task_batch(const struct stint_task *task, struct stint_task_batch *batch)
{
    const struct around *a = &task->held->around;
    *batch =
        (struct stint_task_batch){.batch = batch_number(a->batch), .role = batch_role(a->batch)};
    if (a->counts.size > 0 && !message_read_counts(a->counts, &batch->counts))
        batch->counts.known = false;
    return a->batch != 0;
}

void
stint_task_succeed(struct stint_task *task, const void *result, size_t bytes)
{
    if (bytes > LIMIT_BODY_BYTES_MAX) {
        stint_task_fail_for_good(task, "the result is over 4 MiB");
        return;
    }
    tell(task, OUTCOME_SUCCEEDED, result, bytes, 0);
}

void
stint_task_fail(struct stint_task *task, const char *why)
{
    tell_text(task, OUTCOME_FAILED, why);
}

void
stint_task_fail_for_good(struct stint_task *task, const char *why)
{
    tell_text(task, OUTCOME_DEAD, why);
}

void
stint_task_snooze(struct stint_task *task, uint64_t delay_ms)
{
    tell(task, OUTCOME_SNOOZED, NULL, 0, delay_ms < LIMIT_TIME_MS ? delay_ms : LIMIT_TIME_MS);
}

void
stint_task_unable(struct stint_task *task, const char *why)
{
    tell_text(task, OUTCOME_UNABLE, why);
}

void
stint_task_give_back(struct stint_task *task)
{
    tell(task, OUTCOME_RETURNED, NULL, 0, 0);
}

void
stint_task_keep_output(struct stint_task *task, const void *output, size_t bytes)
{
    if (bytes > LIMIT_BODY_BYTES_MAX)
        bytes = LIMIT_BODY_BYTES_MAX;
    keep(&task->held->output, &task->held->output_bytes, output, bytes);
}

void
stint_task_keep_errors(struct stint_task *task, const void *text, size_t bytes)
{
    size_t kept = bytes < LIMIT_ERROR_BYTES ? bytes : LIMIT_ERROR_BYTES;
    const char *from = text;
    if (kept)
        from += bytes - kept;
    keep(&task->held->errors, &task->held->errors_bytes, from, kept);
}

bool
stint_task_cancelled(const struct stint_task *task)
{
    return atomic_load(&task->cancelled);
}

int
stint_task_cancel_fd(const struct stint_task *task)
{
    return task->cancel_fd;
}

bool
stint_task_timed_out(const struct stint_task *task)
{
    return atomic_load(&task->timed_out);
}

void
stint_worker_hold_off(struct stint_worker *w, uint32_t ms)
{
    uint64_t one = 1;
    atomic_store(&w->shared.held_off_ms, wire_now_ms() + ms);
    if (write(w->handover.wake_fd, &one, sizeof one) < 0)
        return; /* it is rung already */
}

bool
worker_holds_off(const struct stint_worker *w)
{
    return atomic_load(&w->shared.held_off_ms) > wire_now_ms();
}

void
worker_say(struct stint_worker *w, enum stint_worker_event event, const char *detail)
{
    uint32_t running = 0;
    if (!w->telling.told)
        return;
    pthread_mutex_lock(&w->handover.lock);
    running = w->handover.running;
    pthread_mutex_unlock(&w->handover.lock);
    w->telling.told(w->telling.context, event, running, detail);
}
