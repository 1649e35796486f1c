/* DISPATCH messages; the contract is in handed.h. */
#include "handed.h"
#include "batches.h"
#include "clock.h"
#include "job.h"
#include "links.h"

/* Ids of those that it was after; those that can't be read are left out. */
static struct slice
parents_of(struct core *core, const struct stint_id *id, const struct record *r)
{
    core->scratch.parents.used = 0;
    (void)links_parents(core->store, id, r, &core->scratch.parents);
    return (struct slice){core->scratch.parents.data, core->scratch.parents.used};
}

/* How the jobs of the batch ended that has made it; empty: none has. */
static struct slice
counts_of(struct core *core, uint64_t batch)
{
    struct stint_batch_counts counts;
    core->scratch.parents.used = 0;
    if (batches_counts(core, batch, &counts))
        message_put_counts(&core->scratch.parents, &counts);
    return (struct slice){core->scratch.parents.data, core->scratch.parents.used};
}

void
handed_send_to(struct core *core, struct worker *w)
{
    assert(w->leases && w->fresh <= w->counts.held);
    w->peer->taken_bytes = 0; /* frames are counted when they end */
    struct lease *l = w->first_fresh;
    struct pack_buffer *b = NULL;
    size_t at = 0, begun = 0;
    uint32_t count = 0, queue = 0;
    for (; w->fresh > 0; w->fresh--, l = l->next) {
        assert(l);
        struct record r;
        struct dispatched_job job = {.id = l->id, .attempt = l->attempt, .confirm = l->suspect};
        /* whoever handed it out has looked at both; if the store has failed since, nothing of this
         * is sent. */
        if (!record_decode_again(&r, l->bytes) || !job_body(core, &l->id, &r, &job.payload))
            continue;
        if (b &&
            (id_queue(&l->key) != queue || count == LIMIT_JOBS ||
                b->used - begun > page_bytes(core))) {
            pack_close_array(b, at, count);
            outbox_end(core->step.out);
            b = NULL;
        }
        if (!b) {
            queue = id_queue(&l->key);
            struct queue *q = book_queue_by_number(&core->book, queue);
            b = outbox_begin(core->step.out, w->peer->number);
            begun = b->used;
            at = message_open_dispatch(b, (struct slice){(const uint8_t *)q->name, q->name_bytes});
            count = 0;
        }
        job.kind = r.kind;
        job.max_attempts = (uint32_t)record_get(&r, FIELD_MAX_ATTEMPTS, DEFAULT_MAX_ATTEMPTS);
        job.time_to_run_ms = l->time_to_run_ms;
        job.submitted_ms = clock_told(core, r.submitted_ms);
        if (record_has(&r, FIELD_AFTER))
            job.after = parents_of(core, &l->id, &r);
        job.needs = r.needs;
        if (record_has(&r, FIELD_BATCH)) {
            job.batch = r.optional[FIELD_BATCH];
            job.counts = counts_of(core, job.batch);
        }
        job.group = r.group;
        message_put_dispatched(b, &job);
        count++;
    }
    if (b) {
        pack_close_array(b, at, count);
        outbox_end(core->step.out);
    }
}

void
handed_send(struct core *core)
{
    for (struct worker *w = core->fleet.workers; w; w = w->next)
        if (w->fresh > 0)
            handed_send_to(core, w);
    core->step.lent = false;
    core->scratch.records.used = 0;
}
