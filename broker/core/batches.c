/* What is counted of batches; the contract is in batches.h. */
#include "batches.h"

#include <utlist.h>

static const struct slice nothing = {NULL, 0};

static struct job_batch *
hold(struct core *core, uint64_t number, const struct row_batch *row)
{
    struct job_batch *b = calloc(1, sizeof *b);
    if (!b)
        abort();
    b->number = number;
    b->row = *row;
    HASH_ADD(hh, core->sweeps.batches.held, number, sizeof b->number, b);
    return b;
}

static struct job_batch *
held(const struct core *core, uint64_t number)
{
    struct job_batch *b;
    HASH_FIND(hh, core->sweeps.batches.held, &number, sizeof number, b);
    return b;
}

bool
batches_are_held(const struct core *core, uint64_t number)
{
    return held(core, number) != NULL;
}

bool
batches_read(struct core *core, uint64_t number, struct row_batch *row)
{
    uint8_t key[BATCH_KEY_BYTES];
    struct slice value;
    const struct job_batch *b = held(core, number);
    if (b) {
        *row = b->row;
        return true;
    }
    return store_get(
               core->store, STORE_BATCHES, batch_key(key, number, BATCH_PART_COUNTS), &value) &&
        row_batch_read(number, value, row);
}

struct job_batch *
batches_find(struct core *core, uint64_t number)
{
    struct row_batch row;
    struct job_batch *b = held(core, number);
    if (b)
        return b;
    return batches_read(core, number, &row) ? hold(core, number, &row) : NULL;
}

bool
batches_terms(struct core *core, uint64_t number, struct row_batch_terms *terms)
{
    uint8_t key[BATCH_KEY_BYTES];
    struct slice value;
    return store_get(
               core->store, STORE_BATCHES, batch_key(key, number, BATCH_PART_TERMS), &value) &&
        row_batch_terms_read(number, value, terms);
}

struct job_batch *
batches_add(struct core *core, uint64_t number)
{
    const struct row_batch row = {.began_ms = later(core->clocks.wall_ms, 1)};
    struct job_batch *b = hold(core, number, &row);
    b->changed = true;
    return b;
}

static void
let_go(struct core *core, struct job_batch *b)
{
    HASH_DEL(core->sweeps.batches.held, b);
    free(b);
}

void
batches_remove(struct core *core, struct job_batch *b)
{
    uint8_t key[BATCH_KEY_BYTES];
    store_del(core->store, STORE_BATCHES, batch_key(key, b->number, BATCH_PART_COUNTS));
    store_del(core->store, STORE_BATCHES, batch_key(key, b->number, BATCH_PART_TERMS));
    core->sweeps.batches.settled = core->sweeps.batches.removed = true; /* who waits is told */
    let_go(core, b);
}

bool
batches_next_job(struct core *core, uint64_t number, struct stint_id *id)
{
    uint8_t from[MEMBER_KEY_BYTES];
    struct slice key, value;
    uint64_t of = 0;
    return store_seek(core->store, STORE_MEMBERS, member_key(from, number, id), &key, &value) &&
        member_key_read(key, &of, id) && of == number;
}

bool
batches_any_job(struct core *core, uint64_t number)
{
    struct stint_id id = {{0}};
    return batches_next_job(core, number, &id);
}

enum stint_status
batches_takes(struct core *core, uint64_t number, const struct grant *grant)
{
    struct row_batch_terms terms;
    struct row_batch row;
    bool there = batches_read(core, number, &row);
    if (grant &&
        (!there || !batches_terms(core, number, &terms) ||
            !grant_allows(grant, RIGHT_SUBMIT, terms.queue)))
        return there || grant_is_narrow(grant) ? STINT_DENIED : STINT_NO_SUCH_BATCH;
    if (!there)
        return STINT_NO_SUCH_BATCH;
    return row.settled_ms || (row.flags & BATCH_IS_CANCELLED) ? STINT_BATCH_OVER : STINT_OK;
}

/* What is owed is owed once, whatever becomes of the batch then. */
static void
owe(struct job_batch *b, enum stint_batch_role role)
{
    uint64_t settled = batch_flag(BATCH_OWES, role) | batch_flag(BATCH_MADE, role);
    if ((b->row.flags & batch_flag(BATCH_HAS, role)) && !(b->row.flags & settled))
        b->row.flags |= batch_flag(BATCH_OWES, role);
}

void
batches_judge(struct core *core, struct job_batch *b)
{
    struct row_batch *row = &b->row;
    bool over = (row->flags & BATCH_IS_CLOSED) && batch_left(row) == 0;
    b->changed = true;
    if (over == (row->settled_ms != 0))
        return;
    if (core->sweeps.batches.together) {
        if (!b->unjudged)
            LL_PREPEND2(core->sweeps.batches.unjudged, b, next_unjudged);
        b->unjudged = true;
        return;
    }
    row->settled_ms = over ? later(core->clocks.wall_ms, 1) : 0;
    if (!over)
        return;
    row->flags &= ~(uint64_t)BATCH_CANCELS;
    if (!(row->flags & BATCH_IS_CANCELLED) && row->ended[BATCH_SUCCEEDED] == row->jobs)
        owe(b, STINT_BATCH_SUCCESS);
    owe(b, STINT_BATCH_ALWAYS);
    core->sweeps.batches.settled = true;
    uint64_t keep_ms = row->keep_ms == KEEP_DEFAULT ? core->options.keep_ms : row->keep_ms;
    core->sweeps.batches.look_ms = earlier(core->sweeps.batches.look_ms, row->settled_ms + keep_ms);
}

void
batches_begin_together(struct core *core)
{
    core->sweeps.batches.together = true;
}

void
batches_end_together(struct core *core)
{
    struct batches *all = &core->sweeps.batches;
    struct job_batch *b;
    all->together = false;
    while ((b = all->unjudged) != NULL) {
        LL_DELETE2(all->unjudged, b, next_unjudged);
        b->unjudged = false;
        batches_judge(core, b);
    }
}

void
batches_join(struct core *core, uint64_t value, const struct stint_id *id)
{
    uint8_t key[MEMBER_KEY_BYTES];
    if (batch_role(value) != STINT_BATCH_JOB)
        return;
    struct job_batch *b = batches_find(core, value);
    assert(b && b->row.settled_ms == 0); /* whoever submits has seen to that */
    b->row.jobs++;
    b->changed = true;
    store_put(core->store, STORE_MEMBERS, member_key(key, value, id), nothing, nothing);
    core->step.written_bytes += MEMBER_KEY_BYTES + ROW_OVERHEAD_BYTES;
}

/* NULL: it has no number of its own, or is not known. */
static struct job_batch *
batch_of(struct core *core, uint64_t value)
{
    return batch_role(value) == STINT_BATCH_JOB ? batches_find(core, value) : NULL;
}

static enum batch_end
end_of(enum stint_state state)
{
    return state == STINT_SUCCEEDED    ? BATCH_SUCCEEDED
        : state == STINT_CANCELLED_JOB ? BATCH_CANCELLED
        : state == STINT_EXPIRED       ? BATCH_EXPIRED
                                       : BATCH_DEAD;
}

void
batches_end(struct core *core, uint64_t value, enum stint_state to)
{
    struct job_batch *b = batch_of(core, value);
    if (!b || batch_left(&b->row) == 0)
        return;
    b->row.ended[end_of(to)]++;
    batches_judge(core, b);
}

void
batches_revive(struct core *core, uint64_t value, enum stint_state from)
{
    struct job_batch *b = batch_of(core, value);
    if (!b || b->row.ended[end_of(from)] == 0)
        return;
    b->row.ended[end_of(from)]--;
    batches_judge(core, b);
}

void
batches_leave(struct core *core, uint64_t value, const struct stint_id *id)
{
    uint8_t key[MEMBER_KEY_BYTES];
    if (batch_role(value) == STINT_BATCH_JOB)
        store_del(core->store, STORE_MEMBERS, member_key(key, value, id));
}

/* All batches are asked; that is rare enough. */
void
batches_set_aside(struct core *core, const struct stint_id *id, bool ended)
{
    uint8_t key[BATCH_KEY_BYTES], member[MEMBER_KEY_BYTES];
    struct slice found, value;
    uint64_t number = 0;
    enum batch_part part;
    while (number < LIMIT_BATCH &&
        store_seek(core->store, STORE_BATCHES, batch_key(key, number + 1, BATCH_PART_COUNTS),
            &found, &value) &&
        batch_key_read(found, &number, &part)) {
        if (!store_del(core->store, STORE_MEMBERS, member_key(member, number, id)))
            continue;
        if (!ended)
            batches_end(core, number, STINT_DEAD);
        return;
    }
}

bool
batches_counts(struct core *core, uint64_t value, struct stint_batch_counts *counts)
{
    struct row_batch row;
    if (batch_role(value) == STINT_BATCH_JOB || !batches_read(core, batch_number(value), &row))
        return false;
    *counts = batch_counts(&row);
    return true;
}

void
batches_write(struct core *core)
{
    uint8_t key[BATCH_KEY_BYTES], bytes[ROW_BATCH_BYTES_MAX];
    struct job_batch *b, *next;
    HASH_ITER (hh, core->sweeps.batches.held, b, next) {
        if (b->changed) {
            store_put(core->store, STORE_BATCHES, batch_key(key, b->number, BATCH_PART_COUNTS),
                row_batch_write(bytes, b->number, &b->row), nothing);
            core->step.written_bytes += sizeof bytes + ROW_OVERHEAD_BYTES;
        }
        b->changed = false;
        if (b->tried || !batch_has_work(&b->row))
            let_go(core, b);
    }
}

void
batches_fini(struct core *core)
{
    struct job_batch *b, *next;
    HASH_ITER (hh, core->sweeps.batches.held, b, next)
        let_go(core, b);
    pack_buffer_free(&core->sweeps.batches.job);
}
