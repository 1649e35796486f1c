/* What comes of batches; the contract is in batch.h. */
#include "batch.h"
#include "batches.h"
#include "change.h"
#include "clock.h"
#include "job.h"
#include "reply.h"
#include "submit.h"

#include <utlist.h>

enum {
    CANCELLED_A_STEP = 512, /* jobs */
    MADE_A_STEP = 512,
    LOOKED_A_STEP = 256, /* rows */
    HELD_MOST = 1024, /* then no more rows are looked at in this step */
    EMPTY_MS = 3600000, /* one without jobs is kept for so long, even where outcomes are not */
    RETRY_MS = 1000, /* what can't be made is tried again so often */
    WAITERS_SEEN = 64,
};
#define FORGET_AGAIN_MS (3600ULL * 1000) /* for jobs that are left is looked so often, at most */

void
batch_load(struct core *core)
{
    core->sweeps.batches.look_ms = 0;
}

void
batch_fini(struct core *core)
{
    struct batches *all = &core->sweeps.batches;
    while (all->waiters) {
        struct batch_waiter *w = all->waiters;
        DL_DELETE(all->waiters, w);
        free(w);
    }
    batches_fini(core);
}

/* ---- the jobs that it makes ---- */

/* The job that is made in this role; its slices last until the next one is read. */
static bool
read_job(
    struct core *core, const struct job_batch *b, enum stint_batch_role role, struct job_spec *spec)
{
    struct pack_buffer *bytes = &core->sweeps.batches.job;
    struct row_batch_terms terms;
    if (!batches_terms(core, b->number, &terms))
        return false;
    struct slice job = terms.jobs[role - STINT_BATCH_SUCCESS];
    bytes->used = 0;
    if (job.size == 0)
        return false;
    memcpy(pack_reserve(bytes, job.size), job.data, job.size);
    if (!message_read_job((struct slice){bytes->data, job.size}, spec))
        return false;
    spec->batch = batch_value(b->number, role);
    return true;
}

static void
note_trouble(struct core *core, struct job_batch *b, enum stint_status status)
{
    char text[STINT_BATCH_TEXT_BYTES];
    b->changed |= b->row.trouble != status;
    if (b->row.trouble == STINT_OK && status != STINT_OK) {
        core_say(core, NOTE_WARN, "a batch that is over can't make its job, and tries again",
            NOTE_TEXT("batch", stint_batch_format(b->number, text)),
            NOTE_TEXT("why", stint_status_name(status)));
    }
    b->row.trouble = status;
    b->tried = status != STINT_OK;
    if (b->tried)
        core->sweeps.batches.look_ms =
            earlier(core->sweeps.batches.look_ms, core->clocks.wall_ms + RETRY_MS);
}

/* False: it could not be made. */
static bool
make(struct core *core, struct job_batch *b, enum stint_batch_role role)
{
    struct job_spec spec;
    struct stint_id *id = &b->row.made[role - STINT_BATCH_SUCCESS];
    enum stint_status status =
        read_job(core, b, role, &spec) ? submit_may(core, &spec, false) : STINT_DAMAGED;
    note_trouble(core, b, status);
    if (status != STINT_OK)
        return false;
    (void)submit_job(core, &spec, id);
    b->row.flags &= ~batch_flag(BATCH_OWES, role);
    b->row.flags |= batch_flag(BATCH_MADE, role);
    b->changed = true;
    return true;
}

static void
pay(struct core *core, struct job_batch *b, uint32_t *share)
{
    for (enum stint_batch_role role = STINT_BATCH_SUCCESS; role <= STINT_BATCH_ALWAYS; role++)
        if (!b->tried && *share > 0 && (b->row.flags & batch_flag(BATCH_OWES, role))) {
            *share -= 1;
            (void)make(core, b, role);
        }
}

/* ---- cancelling ---- */

void
batch_cancel(struct core *core, struct job_batch *b)
{
    static const struct stint_id none;
    b->row.flags |= BATCH_IS_CLOSED | BATCH_IS_CANCELLED | BATCH_CANCELS;
    b->row.at = none;
    b->changed = true;
    batches_judge(core, b);
}

/* A batch that is over is so by the end of its last job, or here, if that had ended before. */
static void
cancel_some(struct core *core, struct job_batch *b, uint32_t *share)
{
    while (*share > 0 && (b->row.flags & BATCH_CANCELS)) {
        struct stint_id id = b->row.at;
        struct job job;
        b->changed = true;
        if (!batches_next_job(core, b->number, &id)) {
            b->row.flags &= ~(uint64_t)BATCH_CANCELS;
            return;
        }
        b->row.at = id_plus(id, 1);
        *share -= 1;
        if (job_find(core, &id, &job) && job.place != PLACE_SETTLED)
            (void)change_cancel(core, &job, NULL);
    }
}

/* ---- all rows are looked at ---- */

static bool
is_over(struct core *core, const struct stint_id *id)
{
    struct job job;
    return !job_find(core, id, &job) || job.place == PLACE_SETTLED;
}

/* When it is to be forgotten, if nothing of it is left by then. One that waits for its first job
 * does so for as long as outcomes are kept, and an hour, at least. */
static uint64_t
forget_ms(const struct core *core, const struct row_batch *row)
{
    uint64_t keep_ms = row->keep_ms == KEEP_DEFAULT ? core->options.keep_ms : row->keep_ms;
    if (row->settled_ms)
        return row->settled_ms + keep_ms;
    uint64_t empty_ms = later(later(keep_ms, core->options.keep_ms), EMPTY_MS);
    return row->jobs == 0 ? row->began_ms + empty_ms : UINT64_MAX;
}

/* It is held if there is something to do for it, and forgotten if its time has come. */
static void
look_at(struct core *core, uint64_t number, const struct row_batch *row)
{
    uint64_t due_ms = forget_ms(core, row), now_ms = core->clocks.wall_ms;
    uint64_t *next_ms = &core->sweeps.batches.look_ms;
    if (batch_has_work(row)) {
        (void)batches_find(core, number);
        return;
    }
    if (due_ms <= now_ms && !batches_any_job(core, number) && is_over(core, &row->made[0]) &&
        is_over(core, &row->made[1])) {
        struct job_batch *b = batches_find(core, number);
        if (b)
            batches_remove(core, b);
        return;
    }
    if (due_ms <= now_ms) {
        uint64_t keep_ms = row->settled_ms ? due_ms - row->settled_ms : FORGET_AGAIN_MS;
        due_ms = now_ms + earlier(later(keep_ms, RETRY_MS), FORGET_AGAIN_MS);
    }
    *next_ms = earlier(*next_ms, due_ms);
}

/* The next row; false: there is none. */
static bool
look_further(struct core *core)
{
    uint8_t from[BATCH_KEY_BYTES];
    struct slice key, value;
    struct row_batch row;
    uint64_t number;
    enum batch_part part;
    struct batches *all = &core->sweeps.batches;
    if (all->at > LIMIT_BATCH ||
        !store_seek(core->store, STORE_BATCHES, batch_key(from, all->at, BATCH_PART_COUNTS), &key,
            &value) ||
        !batch_key_read(key, &number, &part) || number < all->at)
        return false;
    all->at = number + 1;
    all->looked++;
    if (batches_read(core, number, &row))
        look_at(core, number, &row);
    else
        core_say(core, NOTE_ERROR, "the row of a batch is damaged: what is counted of it is lost",
            NOTE_NUMBER("bytes", value.size));
    return true;
}

static void
look(struct core *core)
{
    struct batches *all = &core->sweeps.batches;
    if (!all->looking && all->look_ms > core->clocks.wall_ms)
        return;
    if (!all->looking) {
        all->looking = true;
        all->look_ms = UINT64_MAX;
        all->at = 1;
        all->looked = 0;
    }
    for (unsigned n = 0; n < LOOKED_A_STEP && all->looking; n++) {
        if (HASH_COUNT(all->held) >= HELD_MOST)
            return;
        all->looking = look_further(core);
    }
    /* Where there are very many, it takes a while before they are looked at again. */
    if (!all->looking && all->look_ms != UINT64_MAX)
        all->look_ms = later(all->look_ms, core->clocks.wall_ms + later(all->looked, 100));
}

/* ---- a step ---- */

void
batch_step(struct core *core)
{
    uint32_t cancels = CANCELLED_A_STEP, makes = MADE_A_STEP;
    struct job_batch *b, *next;
    look(core);
    HASH_ITER (hh, core->sweeps.batches.held, b, next) {
        b->tried = false;
        cancel_some(core, b, &cancels);
        pay(core, b, &makes);
    }
}

/* ---- who waits ---- */

/* NULL: it is gone, or says that it is another one. */
static struct peer *
peer_of(struct core *core, const struct batch_waiter *w)
{
    struct peer *peer = fleet_peer(&core->fleet, w->peer);
    return peer && memcmp(peer->session, w->session, SESSION_BYTES) == 0 ? peer : NULL;
}

static void
end_waiter(struct core *core, struct batch_waiter *w)
{
    DL_DELETE(core->sweeps.batches.waiters, w);
    core->sweeps.batches.waiters_count--;
    free(w);
}

static void
forget_gone(struct core *core)
{
    struct batches *all = &core->sweeps.batches;
    struct batch_waiter *w, *next;
    if (all->waiters_count < 2 * all->waiters_kept + WAITERS_SEEN)
        return;
    DL_FOREACH_SAFE (all->waiters, w, next)
        if (!peer_of(core, w))
            end_waiter(core, w);
    all->waiters_kept = all->waiters_count;
}

bool
batch_wait(struct core *core, const struct peer *peer, uint64_t number, uint64_t batch)
{
    struct batches *all = &core->sweeps.batches;
    struct batch_waiter *w;
    unsigned mine = 0;
    forget_gone(core);
    DL_FOREACH (all->waiters, w) {
        if (w->peer != peer->number || !peer_of(core, w))
            continue;
        if (w->number == number || w->batch == batch) { /* it was sent again, or instead */
            w->number = number;
            w->batch = batch;
            return true;
        }
        mine++;
    }
    if (mine >= LIMIT_BATCH_WAITS)
        return false;
    w = calloc(1, sizeof *w);
    if (!w)
        abort();
    w->peer = peer->number;
    memcpy(w->session, peer->session, SESSION_BYTES);
    w->number = number;
    w->batch = batch;
    DL_APPEND(all->waiters, w);
    all->waiters_count++;
    return true;
}

static void
answer(
    struct core *core, struct peer *peer, const struct batch_waiter *w, const struct row_batch *row)
{
    struct stint_batch_info info;
    batch_describe(core, w->batch, row, &info);
    reply_page_begin(core);
    message_put_batch_info(&core->scratch.page, &info);
    reply_page_send(core, peer, MESSAGE_BATCHES, w->number, 1, (struct slice){0});
}

static void
answer_waiters(struct core *core)
{
    struct batch_waiter *w, *next;
    DL_FOREACH_SAFE (core->sweeps.batches.waiters, w, next) {
        struct row_batch row;
        if (!batches_are_held(core, w->batch) && !core->sweeps.batches.removed)
            continue; /* nothing became of it in this step */
        struct peer *peer = peer_of(core, w);
        bool there = batches_read(core, w->batch, &row);
        if (peer && there && row.settled_ms == 0)
            continue;
        const struct message about = {.type = MESSAGE_WAIT_BATCH, .number = w->number};
        if (peer && there)
            answer(core, peer, w, &row);
        else if (peer)
            reply_refuse(core, peer->number, &about, STINT_NO_SUCH_BATCH, "");
        end_waiter(core, w);
    }
}

void
batch_end_step(struct core *core)
{
    if (core->sweeps.batches.settled)
        answer_waiters(core);
    core->sweeps.batches.settled = core->sweeps.batches.removed = false;
    if (core->sweeps.batches.held)
        batches_write(core);
}

uint64_t
batch_idle_ms(const struct core *core)
{
    const struct batches *all = &core->sweeps.batches;
    if (all->held || all->looking)
        return 0;
    return all->look_ms > core->clocks.wall_ms ? all->look_ms - core->clocks.wall_ms : 0;
}

/* ---- what is told ---- */

void
batch_describe(
    struct core *core, uint64_t number, const struct row_batch *row, struct stint_batch_info *info)
{
    struct row_batch_terms terms;
    *info = (struct stint_batch_info){.batch = number,
        .state = row->settled_ms                  ? STINT_BATCH_SETTLED
            : (row->flags & BATCH_IS_CLOSED) != 0 ? STINT_BATCH_CLOSED
                                                  : STINT_BATCH_OPEN,
        .cancelled = (row->flags & BATCH_IS_CANCELLED) != 0,
        .has_success = (row->flags & batch_flag(BATCH_HAS, STINT_BATCH_SUCCESS)) != 0,
        .has_always = (row->flags & batch_flag(BATCH_HAS, STINT_BATCH_ALWAYS)) != 0,
        .began_ms = clock_told(core, row->began_ms),
        .settled_ms = clock_told(core, row->settled_ms),
        .keep_ms = row->keep_ms == KEEP_DEFAULT ? core->options.keep_ms : row->keep_ms,
        .counts = batch_counts(row),
        .success_id = row->made[0],
        .always_id = row->made[1],
        .trouble = row->trouble};
    if (!batches_terms(core, number, &terms))
        return;
    slice_to_text(info->title, sizeof info->title, terms.title);
    slice_to_text(info->queue, sizeof info->queue, terms.queue);
}
