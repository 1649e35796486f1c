/* Batches for people. A batch belongs to a queue, as to what keys may do: who may submit to it
 * makes batches, puts jobs into them, changes and closes them; to cancel one takes what it takes to
 * cancel a job of that queue, and is done to all its jobs, in whichever queue whoever put them in
 * had them run. The jobs that a batch makes go to queues to which whoever sets them may submit.
 */
#include "batch_control.h"
#include "batch.h"
#include "batches.h"
#include "reply.h"

enum {
    CURSOR_BYTES = 8,
    LISTED_MOST = 1000,
    SCANNED_MOST = 20000, /* for a key for some queues, which may see few of them */
};

static const struct slice default_queue = {(const uint8_t *)"default", 7};

static void
deny(struct core *core, struct peer *peer, const struct message *m)
{
    reply_refuse(core, peer->number, m, STINT_DENIED,
        "this key may not do that to this batch, if it is there, or submit to the queue of a job "
        "that it makes");
}

static void
refuse_unknown(struct core *core, struct peer *peer, const struct message *m)
{
    if (grant_is_narrow(peer->grant))
        deny(core, peer, m);
    else
        reply_refuse(core, peer->number, m, STINT_NO_SUCH_BATCH, "");
}

/* Has it any of these rights on the queue that the batch belongs to? */
static bool
allowed(struct core *core, const struct peer *peer, uint32_t rights, uint64_t number)
{
    struct row_batch_terms terms;
    return !peer->grant ||
        (batches_terms(core, number, &terms) && grant_allows(peer->grant, rights, terms.queue));
}

static void
put_info(struct core *core, uint64_t number, const struct row_batch *row)
{
    struct stint_batch_info info;
    batch_describe(core, number, row, &info);
    message_put_batch_info(&core->scratch.page, &info);
}

static void
tell(struct core *core, struct peer *peer, const struct message *m, uint64_t number,
    const struct row_batch *row)
{
    reply_page_begin(core);
    put_info(core, number, row);
    reply_page_send(core, peer, MESSAGE_BATCHES, m->number, 1, (struct slice){0});
}

static void
say(struct core *core, const struct peer *peer, const char *what, uint64_t number)
{
    char text[STINT_BATCH_TEXT_BYTES];
    core_audit(core, peer, what, NOTE_TEXT("batch", stint_batch_format(number, text)));
}

/* ---- new ones, and what is said of them ---- */

/* May jobs be submitted to the queues of those that it is to make? */
static bool
may_make(const struct core *core, const struct peer *peer, const struct batch_request *s)
{
    const struct job_spec *specs = core->scratch.decoded->specs;
    return (s->success.size == 0 || grant_allows(peer->grant, RIGHT_SUBMIT, specs[0].queue)) &&
        (s->always.size == 0 || grant_allows(peer->grant, RIGHT_SUBMIT, specs[1].queue));
}

/* Why not; STINT_OK: they may be. */
static enum stint_status
jobs_fit(const struct core *core, const struct batch_request *s, const char **why)
{
    const struct job_spec *specs = core->scratch.decoded->specs;
    *why = "a payload is over --payload-max";
    if ((s->success.size > 0 && specs[0].payload.size > core->options.payload_bytes) ||
        (s->always.size > 0 && specs[1].payload.size > core->options.payload_bytes))
        return STINT_TOO_LARGE;
    *why = "the store or its disk is full; see --store-size and --disk-free";
    return store_has_room(core, ROW_BATCH_TERMS_BYTES_MAX + 4ULL * ROW_OVERHEAD_BYTES)
        ? STINT_OK
        : STINT_STORE_FULL;
}

static void
write_terms(struct core *core, struct job_batch *b, const struct row_batch_terms *terms)
{
    uint8_t key[BATCH_KEY_BYTES], bytes[ROW_BATCH_TERMS_BYTES_MAX];
    struct slice row = row_batch_terms_write(bytes, b->number, terms);
    store_put(core->store, STORE_BATCHES, batch_key(key, b->number, BATCH_PART_TERMS), row,
        (struct slice){0});
    core->step.written_bytes += row.size + ROW_OVERHEAD_BYTES;
    for (enum stint_batch_role role = STINT_BATCH_SUCCESS; role <= STINT_BATCH_ALWAYS; role++)
        if (terms->jobs[role - STINT_BATCH_SUCCESS].size > 0)
            b->row.flags |= batch_flag(BATCH_HAS, role);
    b->changed = true;
}

static uint64_t
maker_of(const struct peer *peer)
{
    return record_check(peer->session, SESSION_BYTES, 0);
}

/* Is it the NEW that made this one, sent again? */
static bool
is_again(const struct peer *peer, const struct row_batch *row)
{
    return row->maker == maker_of(peer);
}

static void
make(struct core *core, struct peer *peer, const struct message *m)
{
    const struct batch_request *s = &m->set_batch;
    const struct row_batch_terms terms = {.title = s->title,
        .queue = s->queue.size ? s->queue : default_queue,
        .jobs = {s->success, s->always}};
    struct row_batch row;
    const char *why;
    bool there = batches_read(core, s->batch, &row);
    enum stint_status status = jobs_fit(core, s, &why);
    if (!grant_allows(peer->grant, RIGHT_SUBMIT, terms.queue) || !may_make(core, peer, s))
        deny(core, peer, m);
    else if (there && is_again(peer, &row))
        tell(core, peer, m, s->batch, &row);
    else if (there || batches_any_job(core, s->batch))
        reply_refuse(core, peer->number, m, STINT_CONFLICT, "that number is another batch's");
    else if (status != STINT_OK)
        reply_refuse(core, peer->number, m, status, why);
    else {
        struct job_batch *b = batches_add(core, s->batch);
        b->row.keep_ms = s->keep_ms;
        b->row.maker = maker_of(peer);
        write_terms(core, b, &terms);
        core->sweeps.batches.look_ms =
            earlier(core->sweeps.batches.look_ms, b->row.began_ms + core->options.keep_ms);
        say(core, peer, "a batch is made", b->number);
        tell(core, peer, m, b->number, &b->row);
    }
}

/* What is given of it counts from now on; a job that it has made, or is to make at once, stays as
 * it is. */
static void
change(struct core *core, struct peer *peer, const struct message *m, struct job_batch *b)
{
    const struct batch_request *s = &m->set_batch;
    const char *why;
    struct row_batch_terms terms;
    struct pack_buffer old = {0};
    enum stint_status status = jobs_fit(core, s, &why);
    if (!may_make(core, peer, s)) {
        deny(core, peer, m);
        return;
    }
    if (b->row.settled_ms && (s->success.size > 0 || s->always.size > 0)) {
        status = STINT_BATCH_OVER;
        why = "what it makes is settled when it is over";
    }
    if (status == STINT_OK && !batches_terms(core, b->number, &terms)) {
        status = STINT_DAMAGED;
        why = "its row is damaged";
    }
    if (status != STINT_OK) {
        reply_refuse(core, peer->number, m, status, why);
        return;
    }
    /* The store lends them until it is written, which writing does. */
    const struct slice given[] = {s->title, {0}, s->success, s->always};
    struct slice *const kept[] = {&terms.title, &terms.queue, &terms.jobs[0], &terms.jobs[1]};
    size_t at[4];
    for (unsigned i = 0; i < 4; i++) {
        struct slice is = given[i].size ? given[i] : *kept[i];
        at[i] = old.used;
        if (is.size)
            memcpy(pack_reserve(&old, is.size), is.data, is.size);
        kept[i]->size = is.size;
    }
    for (unsigned i = 0; i < 4; i++)
        kept[i]->data = old.data + at[i];
    if (s->keep_ms != KEEP_DEFAULT)
        b->row.keep_ms = s->keep_ms;
    write_terms(core, b, &terms);
    pack_buffer_free(&old);
    core->sweeps.batches.look_ms = earlier(core->sweeps.batches.look_ms, core->clocks.wall_ms);
    say(core, peer, "a batch is changed", b->number);
    tell(core, peer, m, b->number, &b->row);
}

/* ---- its end ---- */

static void
end(struct core *core, struct peer *peer, const struct message *m, struct job_batch *b)
{
    bool cancels = m->set_batch.action == BATCH_CANCEL;
    uint64_t was = b->row.flags;
    if (cancels && !(was & BATCH_IS_CANCELLED) && b->row.settled_ms == 0)
        batch_cancel(core, b);
    b->row.flags |= BATCH_IS_CLOSED;
    batches_judge(core, b);
    if (b->row.flags != was)
        say(core, peer, cancels ? "a batch is cancelled" : "a batch is closed", b->number);
    tell(core, peer, m, b->number, &b->row);
}

static void
set(struct core *core, struct peer *peer, const struct message *m)
{
    const struct batch_request *s = &m->set_batch;
    uint32_t rights = s->action == BATCH_CANCEL ? RIGHT_SUBMIT | RIGHT_CONTROL : RIGHT_SUBMIT;
    if (s->batch == 0 || s->action == 0) {
        reply_refuse(
            core, peer->number, m, STINT_INVALID, "a SET_BATCH has a number and an action");
        return;
    }
    if (s->action == BATCH_NEW) {
        make(core, peer, m);
        return;
    }
    struct job_batch *b = batches_find(core, s->batch);
    if (!b)
        refuse_unknown(core, peer, m);
    else if (!allowed(core, peer, rights, b->number))
        deny(core, peer, m);
    else if (s->action == BATCH_CHANGE)
        change(core, peer, m, b);
    else
        end(core, peer, m, b);
}

/* ---- lists ---- */

static void
list_one(struct core *core, struct peer *peer, const struct message *m)
{
    struct row_batch row;
    uint64_t number = m->list_batches.batch;
    if (!batches_read(core, number, &row))
        refuse_unknown(core, peer, m);
    else if (!allowed(core, peer, RIGHT_SEE, number))
        deny(core, peer, m);
    else if (m->type != MESSAGE_WAIT_BATCH || row.settled_ms)
        tell(core, peer, m, number, &row);
    else if (!batch_wait(core, peer, m->number, number))
        reply_refuse(core, peer->number, m, STINT_TOO_MANY, "a connection waits for 64 batches");
}

/* The number of the next batch from this one on; false: there is none. */
static bool
next_number(struct core *core, uint64_t *number)
{
    uint8_t from[BATCH_KEY_BYTES];
    struct slice key, value;
    enum batch_part part;
    uint64_t least = *number;
    return least <= LIMIT_BATCH &&
        store_seek(
            core->store, STORE_BATCHES, batch_key(from, least, BATCH_PART_COUNTS), &key, &value) &&
        batch_key_read(key, number, &part) && *number >= least;
}

/* In the order of their numbers, which is about that in which they were made. The cursor is the
 * first number of the next page. A key for some queues gets as long pages as if there were no
 * others, and a cursor that is behind the last one of its own. */
static void
list_all(struct core *core, struct peer *peer, const struct message *m)
{
    uint8_t cursor[CURSOR_BYTES];
    struct slice given = m->list_batches.cursor, next = {0};
    uint64_t number = given.size ? get_be(given.data, CURSOR_BYTES) : 1;
    uint32_t count = 0, n = 0;
    uint32_t most = rows_a_page(core, grant_is_narrow(peer->grant) ? SCANNED_MOST : LISTED_MOST);
    bool full = false;
    reply_page_begin(core);
    for (; !full && n < most && next_number(core, &number); number++, n++) {
        struct row_batch row;
        core->step.listed++;
        if (!batches_read(core, number, &row) || !allowed(core, peer, RIGHT_SEE, number))
            continue;
        put_info(core, number, &row);
        full = ++count == LISTED_MOST || core->scratch.page.used > page_bytes(core);
    }
    if (full || n == most) {
        put_be(cursor, number, CURSOR_BYTES);
        next = (struct slice){cursor, CURSOR_BYTES};
    }
    reply_page_send(core, peer, MESSAGE_BATCHES, m->number, count, next);
}

void
batch_message(struct core *core, struct peer *peer, const struct message *m)
{
    struct slice cursor = m->list_batches.cursor;
    if (m->type == MESSAGE_SET_BATCH)
        set(core, peer, m);
    else if (m->list_batches.batch)
        list_one(core, peer, m);
    else if (m->type == MESSAGE_WAIT_BATCH || (cursor.size && cursor.size != CURSOR_BYTES))
        reply_refuse(core, peer->number, m, STINT_INVALID,
            m->type == MESSAGE_WAIT_BATCH ? "a WAIT_BATCH has a number"
                                          : "this cursor was not given by a list");
    else
        list_all(core, peer, m);
}
