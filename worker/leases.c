/* The jobs a worker holds, on the thread of its conversation: taken in, given back, claimed in each
 * new conversation, told of until the broker has confirmed it. What runs them is in task.c.
 */
#include "worker.h"

#include <stdlib.h>
#include <utlist.h>

enum {
    SETTLE_BYTES = LIMIT_MESSAGE_BYTES / 2,
    OUTCOME_BYTES = 64, /* of an outcome, its bodies not counted, at most */
};

/* The jobs whose outcomes one SETTLE tells; kept until it is confirmed. */
struct settling {
    struct held *jobs;
};

void
held_free_all(struct held *list)
{
    struct held *h, *next;
    DL_FOREACH_SAFE (list, h, next)
        held_free(h);
}

/* The request is over; of a SETTLE, so are its jobs. */
void
leases_end_request(struct stint_worker *w, struct request **request)
{
    struct settling *settling = (*request)->owner;
    if (settling)
        held_free_all(settling->jobs);
    free(settling);
    session_request_end(&w->session, request);
}

static size_t
delivery_size(const struct message *m, const struct message_arrays *arrays)
{
    size_t size = sizeof(struct delivery) + m->count * sizeof(struct held);
    for (uint32_t i = 0; i < m->count; i++)
        size += arrays->dispatched[i].kind.size + 1 + arrays->dispatched[i].payload.size +
            arrays->dispatched[i].after.size + arrays->dispatched[i].counts.size +
            arrays->dispatched[i].needs.size + 1 +
            (arrays->dispatched[i].group.size ? arrays->dispatched[i].group.size + 1 : 0);
    return size;
}

/* Copies the jobs of a DISPATCH into one allocation. */
static struct held *
unpack(struct stint_worker *w, const struct message *m)
{
    const struct message_arrays *arrays = link_arrays(w->link);
    struct delivery *delivery = malloc(delivery_size(m, arrays));
    if (!delivery)
        abort();
    struct held *jobs = (struct held *)(delivery + 1);
    char *at = (char *)(jobs + m->count);
    delivery->left = m->count;
    memcpy(delivery->queue, m->dispatch.queue.data, m->dispatch.queue.size);
    delivery->queue[m->dispatch.queue.size] = '\0';
    for (uint32_t i = 0; i < m->count; i++) {
        const struct dispatched_job *d = &arrays->dispatched[i];
        struct held *h = &jobs[i];
        memcpy(at, d->kind.data, d->kind.size);
        at[d->kind.size] = '\0';
        char *payload = at + d->kind.size + 1;
        if (d->payload.size)
            memcpy(payload, d->payload.data, d->payload.size);
        if (d->after.size)
            memcpy(payload + d->payload.size, d->after.data, d->after.size);
        if (d->counts.size)
            memcpy(payload + d->payload.size + d->after.size, d->counts.data, d->counts.size);
        char *needs = payload + d->payload.size + d->after.size + d->counts.size;
        slice_to_text(needs, d->needs.size + 1, d->needs);
        *h = (struct held){.delivery = delivery,
            .time_to_run_ms = d->time_to_run_ms,
            .asked = d->confirm,
            .around = {.parents = (const struct stint_id *)(payload + d->payload.size),
                .parents_count = d->after.size / STINT_ID_BYTES,
                .batch = d->batch,
                .counts = {(const uint8_t *)payload + d->payload.size + d->after.size,
                    d->counts.size}},
            .info = {.id = d->id,
                .queue = delivery->queue,
                .kind = at,
                .payload = payload,
                .payload_bytes = d->payload.size,
                .priority = id_priority(&d->id),
                .attempt = d->attempt,
                .max_attempts = d->max_attempts,
                .submitted_ms = d->submitted_ms,
                .needs = d->needs.size ? needs : NULL}};
        at = needs + d->needs.size + 1;
        if (d->group.size) {
            memcpy(at, d->group.data, d->group.size);
            at[d->group.size] = '\0';
            h->around.group = at;
            at += d->group.size + 1;
        }
    }
    return jobs;
}

/* With the lock held: takes a job that has not begun out of the list it stands in. */
static void
take_out(struct stint_worker *w, struct held *h)
{
    if (h->asked) {
        struct request *r = session_request(&w->session, MESSAGE_STARTED, h->asked);
        if (r)
            leases_end_request(w, &r); /* nobody waits for its answer any more */
        DL_DELETE(w->handover.asked, h);
        return;
    }
    DL_DELETE(w->handover.waiting, h);
    w->handover.waiting_count--;
}

/* With the lock held: moves such a job to the done ones, never started. */
static void
give_back(struct stint_worker *w, struct held *h)
{
    take_out(w, h);
    h->outcome = OUTCOME_RETURNED;
    DL_APPEND(w->handover.done, h);
}

/* With the lock held: all that has not begun. */
static void
give_all_back(struct stint_worker *w)
{
    while (w->handover.waiting)
        give_back(w, w->handover.waiting->prev);
    while (w->handover.asked)
        give_back(w, w->handover.asked->prev);
}

/* With the lock held: jobs that were lost with a worker before begin only when the broker has
 * written down that they do, so that it finds out which of them kill their workers. */
static void
ask_to_begin(struct stint_worker *w, struct held *h)
{
    struct lease_ref lease = {.id = h->info.id, .attempt = h->info.attempt};
    struct request *r = session_request_new(MESSAGE_STARTED, ++w->number);
    h->asked = r->number;
    DL_APPEND(w->handover.asked, h);
    message_put_leases(&r->frame, MESSAGE_STARTED, r->number, &lease, 1, false);
    session_request_add(&w->session, r);
}

/* Jobs that reach a worker that is about to stop are not begun. */
static void
take_dispatch(struct stint_worker *w, const struct message *m)
{
    if (m->count == 0 || w->leaving)
        return;
    struct held *jobs = unpack(w, m);
    bool stopping = orders_leaves(w) || w->orders.paused || worker_holds_off(w);
    pthread_mutex_lock(&w->handover.lock);
    for (uint32_t i = 0; i < m->count; i++) {
        if (jobs[i].asked) {
            ask_to_begin(w, &jobs[i]);
            continue;
        }
        DL_APPEND(w->handover.waiting, &jobs[i]);
        w->handover.waiting_count++;
    }
    if (stopping)
        give_all_back(w);
    if (m->count == 1)
        pthread_cond_signal(&w->handover.work);
    else
        pthread_cond_broadcast(&w->handover.work);
    pthread_mutex_unlock(&w->handover.lock);
}

/* Ends that were not taken, as there is no room for what comes with them, are told again later. */
static void
keep_those_that_wait(struct stint_worker *w, struct settling *settling, struct answer *answer)
{
    struct held *h = settling->jobs;
    uint32_t at = 0, index;
    enum stint_status status;
    pthread_mutex_lock(&w->handover.lock);
    for (uint32_t n = 0; n < answer->count && message_next_exception(answer, &index, &status);
         n++) {
        for (; h && at < index; at++)
            h = h->next;
        struct held *refused = h;
        if (!h)
            break;
        h = h->next;
        at++;
        DL_DELETE(settling->jobs, refused);
        if (!joint_waits(w, refused, status))
            held_free(refused);
    }
    pthread_mutex_unlock(&w->handover.lock);
}

static void
take_settled(struct stint_worker *w, const struct message *m)
{
    struct answer *answers = link_arrays(w->link)->answers;
    for (uint32_t i = 0; i < m->count; i++) {
        struct request *r = session_request(&w->session, MESSAGE_SETTLE, answers[i].number);
        if (!r)
            continue;
        if (answers[i].count > 0)
            keep_those_that_wait(w, r->owner, &answers[i]);
        /* Confirmed, also where other outcomes were refused: those leases are over. */
        leases_end_request(w, &r);
    }
}

static void
give_back_newest(struct stint_worker *w, uint32_t count)
{
    pthread_mutex_lock(&w->handover.lock);
    for (; count > 0 && w->handover.waiting; count--)
        give_back(w, w->handover.waiting->prev);
    pthread_mutex_unlock(&w->handover.lock);
}

/* All of this queue that has not begun, as it is paused: also what came after the broker counted.
 */
static void
give_back_of(struct stint_worker *w, struct slice queue)
{
    struct held *h, *next;
    pthread_mutex_lock(&w->handover.lock);
    struct held *const lists[] = {w->handover.waiting, w->handover.asked};
    for (unsigned i = 0; i < 2; i++)
        DL_FOREACH_SAFE (lists[i], h, next)
            if (strlen(h->info.queue) == queue.size &&
                memcmp(h->info.queue, queue.data, queue.size) == 0)
                give_back(w, h);
    pthread_mutex_unlock(&w->handover.lock);
}

void
leases_give_back(struct stint_worker *w)
{
    pthread_mutex_lock(&w->handover.lock);
    give_all_back(w);
    pthread_mutex_unlock(&w->handover.lock);
}

void
leases_keep(struct stint_worker *w, uint32_t most)
{
    pthread_mutex_lock(&w->handover.lock);
    while (w->handover.waiting && w->handover.running + w->handover.waiting_count > most)
        give_back(w, w->handover.waiting->prev);
    pthread_mutex_unlock(&w->handover.lock);
}

static bool
is_it(const struct held *h, const struct lease_ref *lease)
{
    return h->info.attempt == lease->attempt && id_compare(&h->info.id, &lease->id) == 0;
}

/* A lease is over: a waiting job is dropped, a running one cancelled and its outcome not told. */
static void
drop_lease(struct stint_worker *w, const struct lease_ref *lease)
{
    struct held *h, *next;
    pthread_mutex_lock(&w->handover.lock);
    struct held *const lists[] = {w->handover.waiting, w->handover.asked};
    for (unsigned i = 0; i < 2; i++)
        DL_FOREACH_SAFE (lists[i], h, next)
            if (is_it(h, lease)) {
                take_out(w, h);
                held_free(h);
                break;
            }
    DL_FOREACH_SAFE (w->handover.later, h, next)
        if (is_it(h, lease)) {
            DL_DELETE(w->handover.later, h);
            held_free(h);
        }
    for (uint32_t i = 0; i < w->crew.count; i++) {
        struct stint_task *t = &w->crew.slots[i]->task;
        if (t->held && is_it(t->held, lease)) {
            t->held->revoked = lease->status != STINT_TIMEOUT;
            slot_cancel(t, lease->status == STINT_TIMEOUT);
        }
    }
    pthread_mutex_unlock(&w->handover.lock);
}

/* Somebody listens to what it writes, or nobody does any more. */
static void
show_lease(struct stint_worker *w, const struct lease_ref *lease)
{
    struct held *h;
    pthread_mutex_lock(&w->handover.lock);
    struct held *const lists[] = {w->handover.waiting, w->handover.asked, w->handover.done};
    for (unsigned i = 0; i < 3; i++)
        DL_FOREACH (lists[i], h)
            if (is_it(h, lease))
                live_show(w, h, lease->status != 0);
    for (uint32_t i = 0; i < w->crew.count; i++) {
        h = w->crew.slots[i]->task.held;
        if (h && is_it(h, lease))
            live_show(w, h, lease->status != 0);
    }
    pthread_mutex_unlock(&w->handover.lock);
}

/* What was asked for and not refused (that is dropped before) may begin, as the next ones. */
static void
take_confirmed(struct stint_worker *w, uint64_t number)
{
    struct held *h, *next;
    struct request *r = session_request(&w->session, MESSAGE_STARTED, number);
    if (!r)
        return;
    leases_end_request(w, &r);
    pthread_mutex_lock(&w->handover.lock);
    DL_FOREACH_SAFE (w->handover.asked, h, next)
        if (h->asked == number) {
            take_out(w, h);
            h->asked = 0;
            h->begun = true;
            DL_PREPEND(w->handover.waiting, h);
            w->handover.waiting_count++;
        }
    pthread_cond_signal(&w->handover.work);
    pthread_mutex_unlock(&w->handover.lock);
}

void
leases_take(void *owner, const struct message *m)
{
    struct stint_worker *w = owner;
    const struct message_arrays *arrays = link_arrays(w->link);
    switch (m->type) {
    case MESSAGE_DISPATCH:
        take_dispatch(w, m);
        break;
    case MESSAGE_SETTLED:
        take_settled(w, m);
        break;
    case MESSAGE_RECALL:
        if (m->recall.queue.size)
            give_back_of(w, m->recall.queue);
        else
            give_back_newest(w, m->count);
        break;
    case MESSAGE_CLAIMED:
    case MESSAGE_CONFIRMED:
    case MESSAGE_REVOKE:
        for (uint32_t i = 0; i < m->count; i++)
            drop_lease(w, &arrays->leases[i]);
        if (m->type == MESSAGE_CONFIRMED)
            take_confirmed(w, m->number);
        break;
    case MESSAGE_ORDER:
        orders_take(w, m);
        break;
    case MESSAGE_SHOW:
        for (uint32_t i = 0; i < m->count; i++)
            show_lease(w, &arrays->leases[i]);
        break;
    case MESSAGE_BYE:
        w->gone = true;
        break;
    default:
        break;
    }
}

struct claim {
    struct stint_worker *w;
    struct lease_ref leases[LIMIT_JOBS];
    uint32_t count;
};

static void
send_claim(struct claim *c, bool more)
{
    struct pack_buffer frame = {0};
    message_put_leases(&frame, MESSAGE_CLAIM, ++c->w->number, c->leases, c->count, more);
    (void)session_control(&c->w->session, &frame);
    pack_buffer_free(&frame);
    c->count = 0;
}

/* Has its handler been started, as far as anybody can know? */
static bool
has_begun(const struct held *h)
{
    return h->begun ||
        (h->outcome != 0 && h->outcome != OUTCOME_RETURNED && h->outcome != OUTCOME_UNABLE);
}

static void
claim_one(struct claim *c, struct held *h)
{
    live_forget(h);
    if (h->revoked)
        return;
    if (c->count == LIMIT_JOBS)
        send_claim(c, true);
    c->leases[c->count++] =
        (struct lease_ref){.id = h->info.id, .attempt = h->info.attempt, .begun = has_begun(h)};
}

/* Everything held, in whatever state: what is not named the broker takes for lost on its way. */
void
leases_claim(struct stint_worker *w)
{
    struct claim *c = malloc(sizeof *c);
    struct held *h;
    struct request *r;
    if (!c)
        abort();
    c->w = w;
    c->count = 0;
    DL_FOREACH (w->session.requests.first, r) {
        const struct settling *settling = r->owner;
        if (settling)
            DL_FOREACH (settling->jobs, h)
                claim_one(c, h);
    }
    pthread_mutex_lock(&w->handover.lock);
    DL_FOREACH (w->handover.done, h)
        claim_one(c, h);
    DL_FOREACH (w->handover.waiting, h)
        claim_one(c, h);
    DL_FOREACH (w->handover.asked, h)
        claim_one(c, h);
    DL_FOREACH (w->handover.later, h)
        claim_one(c, h);
    for (uint32_t i = 0; i < w->crew.count; i++) {
        struct held *runs = w->crew.slots[i]->task.held;
        if (!runs)
            continue;
        runs->begun = true;
        claim_one(c, runs);
    }
    telling_again(w);
    pthread_mutex_unlock(&w->handover.lock);
    send_claim(c, false);
    free(c);
    w->claimed = true;
}

/* What goes with the outcome: what a good run said of itself, what a bad one put out. */
static struct slice
extra_of(const struct held *h)
{
    if (h->outcome == OUTCOME_SUCCEEDED)
        return (struct slice){h->errors, h->errors_bytes};
    if (h->outcome == OUTCOME_FAILED || h->outcome == OUTCOME_DEAD)
        return (struct slice){h->output, h->output_bytes};
    return (struct slice){NULL, 0};
}

/* Tells what `jobs` came to, in one request; takes the list over. */
static void
settle(struct stint_worker *w, struct held *jobs, uint32_t count)
{
    struct outcome *outcomes = malloc(count * sizeof *outcomes);
    struct settling *settling = malloc(sizeof *settling);
    struct held *h;
    uint32_t n = 0;
    if (!outcomes || !settling)
        abort();
    DL_FOREACH (jobs, h)
        outcomes[n++] = (struct outcome){.id = h->info.id,
            .attempt = h->info.attempt,
            .type = h->outcome,
            .body = {h->body, h->body_bytes},
            .delay_ms = h->delay_ms,
            .extra = extra_of(h),
            .joint = joint_bytes(h)};
    struct request *r = session_request_new(MESSAGE_SETTLE, ++w->number);
    message_put_settle(&r->frame, r->number, outcomes, count, w->session.window);
    settling->jobs = jobs;
    r->owner = settling;
    session_request_add(&w->session, r);
    free(outcomes);
}

/* How much one SETTLE tells. */
struct load {
    size_t bytes;
    uint32_t count;
    struct joint_size joint;
};

/* Has a SETTLE that tells so much no room for this one? */
static bool
is_full(const struct load *l, const struct joint_size *more, size_t bytes)
{
    return l->count == LIMIT_JOBS || l->bytes + bytes > SETTLE_BYTES ||
        l->joint.jobs + more->jobs > LIMIT_JOBS || l->joint.ids + more->ids > LIMIT_JOBS ||
        l->joint.links + more->links > LIMIT_AFTER_ALL;
}

void
leases_give_up(struct stint_worker *w)
{
    pthread_mutex_lock(&w->handover.lock);
    joint_give_up(w);
    pthread_mutex_unlock(&w->handover.lock);
}

/* Does it tell of anything that comes with an end? */
static bool
has_joint(const struct settling *settling)
{
    const struct held *h;
    DL_FOREACH (settling->jobs, h)
        if (h->with_end)
            return true;
    return false;
}

void
leases_greet(struct stint_worker *w)
{
    struct request *r, *next;
    pthread_mutex_lock(&w->handover.lock);
    w->handover.broker = w->session.welcome;
    DL_FOREACH_SAFE (w->session.requests.first, r, next) {
        struct settling *settling = r->owner;
        if (!settling || session_has_feature(&w->session, "settle_jobs") || !has_joint(settling))
            continue;
        DL_CONCAT(w->handover.done, settling->jobs);
        settling->jobs = NULL;
        leases_end_request(w, &r);
    }
    pthread_mutex_unlock(&w->handover.lock);
}

/* The outcomes to tell now. While there is enough work ahead they are held back for a moment, since
 * each SETTLE costs the broker a synced commit and a thousand in one cost hardly more. */
static struct held *
take_done(struct stint_worker *w)
{
    struct held *done = NULL;
    uint64_t now_us = wire_now_us();
    pthread_mutex_lock(&w->handover.lock);
    if (w->handover.later)
        joint_tell_again(w);
    w->handover.held_back =
        w->handover.waiting_count > w->crew.wanted && now_us - w->settled_us < LEASES_TOLD_AFTER_US;
    if (!w->handover.held_back) {
        done = w->handover.done;
        w->handover.done = NULL;
        w->settled_us = now_us;
    }
    pthread_mutex_unlock(&w->handover.lock);
    return done;
}

void
leases_settle(struct stint_worker *w)
{
    struct held *done = take_done(w), *h, *next, *jobs = NULL;
    static const struct joint_size nothing;
    struct load load = {0};
    DL_FOREACH_SAFE (done, h, next) {
        DL_DELETE(done, h);
        if (h->revoked) {
            held_free(h);
            continue;
        }
        if (h->live)
            live_end(w, h);
        const struct joint_size *joint = &nothing;
        size_t bytes = h->body_bytes + extra_of(h).size + OUTCOME_BYTES;
        if (h->with_end) {
            joint_refuse_old(w, h);
            joint = &h->with_end->size;
            bytes += h->with_end->jobs.used + h->with_end->ids.used;
        }
        if (load.count > 0 && is_full(&load, joint, bytes)) {
            settle(w, jobs, load.count);
            jobs = NULL;
            load = (struct load){0};
        }
        DL_APPEND(jobs, h);
        load.bytes += bytes;
        load.count++;
        load.joint.jobs += joint->jobs;
        load.joint.ids += joint->ids;
        load.joint.links += joint->links;
    }
    if (load.count > 0)
        settle(w, jobs, load.count);
}
