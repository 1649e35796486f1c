/* Operations on all jobs that a filter is true of, at the moment at which it begins. It walks over
 * the jobs by where they stand, first to count and then to work, some hundred in a step; a row in
 * the store says how far it is and is written in the transaction that changes the jobs, so that it
 * goes on after a restart where it was, and what it says is what was done.
 *
 * Live, parked and settled jobs are walked over together: a job that leaves one table for another
 * keeps its key, and so is met once, wherever it is by then. What came after the beginning is told
 * by its time: the moment of the beginning ends with its step (clock_tick). What has ended since is
 * left as well: it was another job then, and one that was retried is not to be retried again.
 */
#include "bulk.h"
#include "batches.h"
#include "change.h"
#include "clock.h"
#include "match.h"
#include "reply.h"

#include <utlist.h>

enum {
    BULKS_MAX = 64, /* kept, and those that have ended as long as there is room */
    /* What a step may cost: a row that is looked at is 1. Others wait for it, so it is less where
     * steps take longer than this, down to the least. */
    STEP_COST = 4096,
    STEP_COST_LEAST = 1024,
    STEP_MS = 4,
    CHANGE_COST = 14,
    PART_COST = 4, /* of a body's */
    CURSOR_BYTES = 16,
};
#define BULK_KEEP_MS (24ULL * 3600 * 1000)

struct bulk {
    struct row_bulk row; /* its texts are the next three */
    char queue[STINT_NAME_BYTES], key[STINT_LABEL_BYTES];
    uint8_t filter[FILTER_BYTES_MAX];
    struct bulk *prev, *next; /* as they began; of those of one moment, by their numbers */
};

static bool
comes_after(const struct row_bulk *row, uint64_t began_ms, uint64_t bulk)
{
    return row->began_ms != began_ms ? row->began_ms > began_ms : row->bulk > bulk;
}

static struct bulk *
keep(struct core *core, const struct row_bulk *row)
{
    struct bulk *b = calloc(1, sizeof *b);
    if (!b)
        abort();
    b->row = *row;
    slice_to_text(b->queue, sizeof b->queue, row->queue);
    slice_to_text(b->key, sizeof b->key, row->key);
    if (row->filter.size)
        memcpy(b->filter, row->filter.data, row->filter.size);
    b->row.queue = text_slice(b->queue);
    b->row.key = text_slice(b->key);
    b->row.filter.data = b->filter;
    struct bulk *before = core->bulks.all ? core->bulks.all->prev : NULL; /* the last one */
    while (before && comes_after(&before->row, row->began_ms, row->bulk))
        before = before == core->bulks.all ? NULL : before->prev;
    if (before)
        DL_APPEND_ELEM(core->bulks.all, before, b);
    else
        DL_PREPEND(core->bulks.all, b);
    core->bulks.count++;
    return b;
}

static void
write_row(struct core *core, const struct bulk *b)
{
    uint8_t key[BULK_KEY_BYTES], bytes[ROW_BULK_BYTES_MAX];
    struct slice row = row_bulk_write(bytes, &b->row);
    store_put(core->store, STORE_BULKS, bulk_key(key, b->row.bulk), row, (struct slice){0});
    core->step.written_bytes += row.size + ROW_OVERHEAD_BYTES;
}

static void
forget(struct core *core, struct bulk *b)
{
    uint8_t key[BULK_KEY_BYTES];
    store_del(core->store, STORE_BULKS, bulk_key(key, b->row.bulk));
    if (core->bulks.turn == b)
        core->bulks.turn = NULL;
    DL_DELETE(core->bulks.all, b);
    core->bulks.count--;
    free(b);
}

static bool
has_ended(const struct bulk *b)
{
    return b->row.state >= STINT_BULK_DONE;
}

void
bulk_load(struct core *core)
{
    uint8_t at[BULK_KEY_BYTES + 1] = {0};
    struct slice key, value, from = {at, 1};
    while (store_seek(core->store, STORE_BULKS, from, &key, &value) && key.size < sizeof at &&
        !store_key_before(key, from)) {
        struct row_bulk row;
        memcpy(at, key.data, key.size);
        from.size = key.size + 1;
        at[key.size] = 0; /* the least key after this one */
        if (row_bulk_read((struct slice){at, key.size}, value, &row)) {
            core->bulks.open += !has_ended(keep(core, &row));
            continue;
        }
        core_say(core, NOTE_ERROR, "the damaged row of a bulk operation is not kept",
            NOTE_NUMBER("bytes", value.size));
        store_del(core->store, STORE_BULKS, (struct slice){at, key.size});
    }
}

void
bulk_fini(struct core *core)
{
    struct bulk *b, *next;
    DL_FOREACH_SAFE (core->bulks.all, b, next)
        free(b);
    core->bulks.all = NULL;
}

bool
bulk_is_open(const struct core *core)
{
    return core->bulks.open > 0;
}

/* ---- the walk ---- */

static const enum store_table tables[] = {STORE_LIVE, STORE_PARKED, STORE_SETTLED};
static const enum place places[] = {PLACE_LIVE, PLACE_PARKED, PLACE_SETTLED};
enum { TABLES = 3 };

struct walk {
    struct core *core;
    struct bulk *bulk;
    struct filter filter;
    struct change change;
    struct {
        struct stint_id key;
        bool over;
    } next[TABLES]; /* the first in each that stands at `bulk->row.at` or behind it */
    uint32_t queue; /* number of the one that was looked at last, and */
    bool meant; /* what the filter says of it */
    uint32_t cost, most;
};

static bool
seek(struct walk *w, unsigned t)
{
    struct slice key, value;
    const struct stint_id *at = &w->bulk->row.at;
    bool found = store_seek(w->core->store, tables[t], id_key(at), &key, &value) &&
        key.size == STINT_ID_BYTES;
    if (found && memcmp(key.data, at->bytes, STINT_ID_BYTES) < 0) {
        core_say(w->core, NOTE_ERROR, "a bulk operation lacks jobs, the data file is damaged",
            NOTE_TEXT("about", "keys are out of order; --verify"));
        found = false;
    }
    if (found)
        memcpy(w->next[t].key.bytes, key.data, STINT_ID_BYTES);
    w->next[t].over = !found;
    return found;
}

/* The table in which the next key stands; TABLES: there is none. */
static unsigned
next_table(struct walk *w)
{
    unsigned first = TABLES;
    for (unsigned t = 0; t < TABLES; t++) {
        if (!w->next[t].over && id_compare(&w->next[t].key, &w->bulk->row.at) < 0)
            (void)seek(w, t);
        if (!w->next[t].over &&
            (first == TABLES || id_compare(&w->next[t].key, &w->next[first].key) < 0))
            first = t;
    }
    return first;
}

/* Does the filter mean the queue of this key? If not, the walk goes on behind that queue. */
static bool
means_queue(struct walk *w, const struct stint_id *key)
{
    uint32_t number = id_queue(key);
    if (number != w->queue || number == 0) {
        const struct queue *q = book_queue_by_number(&w->core->book, number);
        w->queue = number;
        w->meant = q && match_queue(&w->filter, q);
    }
    if (!w->meant) /* or to its end: numbers go no higher */
        w->bulk->row.at = number == UINT32_MAX ? id_make(UINT16_MAX, UINT32_MAX, 0, UINT64_MAX)
                                               : id_make(id_broker(key), number + 1, 255, 0);
    return w->meant;
}

/* ---- what is done to a job ---- */

static const struct action {
    change_fn *apply;
    uint32_t states; /* of jobs that can be treated so */
} actions[] = {
    [STINT_BULK_CANCEL] = {change_cancel,
        STINT_STATE_BIT(STINT_READY) | STINT_STATE_BIT(STINT_SCHEDULED) |
            STINT_STATE_BIT(STINT_RUNNING) | STINT_STATE_BIT(STINT_BLOCKED)},
    [STINT_BULK_RETRY] = {change_retry,
        STINT_STATE_BIT(STINT_DEAD) | STINT_STATE_BIT(STINT_CANCELLED_JOB) |
            STINT_STATE_BIT(STINT_EXPIRED)},
    [STINT_BULK_DELETE] = {change_delete, STINT_STATES_ALL & ~STINT_STATE_BIT(STINT_RUNNING)},
    [STINT_BULK_PROMOTE] = {change_job, STINT_STATE_BIT(STINT_SCHEDULED)},
    [STINT_BULK_MOVE] = {change_job,
        STINT_STATES_ALL & ~(STINT_STATE_BIT(STINT_RUNNING) | STINT_STATE_BIT(STINT_SUCCEEDED))},
    [STINT_BULK_PRIORITY] = {change_job,
        STINT_STATES_ALL & ~(STINT_STATE_BIT(STINT_RUNNING) | STINT_STATE_BIT(STINT_SUCCEEDED))},
};

static struct change
change_of(const struct row_bulk *row)
{
    struct change c = {.set = 0};
    switch (row->action) {
    case STINT_BULK_PROMOTE:
        c.set = CHANGE_DELAY;
        break;
    case STINT_BULK_MOVE:
        c.set = CHANGE_QUEUE;
        c.to.queue = row->queue;
        break;
    case STINT_BULK_PRIORITY:
        c.set = CHANGE_PRIORITY;
        c.to.priority = row->priority;
        break;
    default:
        break;
    }
    return c;
}

/* Does it stand already where it is to be? */
static bool
is_there(const struct row_bulk *row, const struct job *job)
{
    const struct queue *q = job->level->queue;
    if (row->action == STINT_BULK_PRIORITY)
        return job->level->priority == row->priority;
    return row->action == STINT_BULK_MOVE && q->name_bytes == row->queue.size &&
        memcmp(q->name, row->queue.data, row->queue.size) == 0;
}

static bool
is_meant(const struct walk *w, const struct job *job)
{
    const struct row_bulk *row = &w->bulk->row;
    return (actions[row->action].states >> job->state & 1) != 0 &&
        job->record.submitted_ms <= row->began_ms &&
        (job->place != PLACE_SETTLED ||
            record_get(&job->record, FIELD_SETTLED, 0) <= row->began_ms) &&
        !is_there(row, job) && match_job(w->core, &w->filter, job, row->began_ms);
}

static void
count(struct row_bulk *row, const struct job *job)
{
    if (row->examples_count < BULK_EXAMPLES)
        row->examples[row->examples_count++] = job->id;
    row->counted++;
}

static void
work(struct walk *w, struct job *job)
{
    struct row_bulk *row = &w->bulk->row;
    uint64_t parts =
        (job->record.body_bytes + record_get(&job->record, FIELD_OUTPUT, 0)) / PART_BYTES;
    uint64_t links = record_get(&job->record, FIELD_AFTER, 0);
    w->cost += CHANGE_COST + (uint32_t)earlier(parts * PART_COST + links, STEP_COST);
    enum stint_status status = actions[row->action].apply(w->core, job, &w->change);
    if (status == STINT_OK)
        row->done++;
    else {
        row->refused++;
        row->status = status;
    }
}

/* What is to be done to a job that was found. */
static void
visit(struct walk *w, struct job *job)
{
    if (!is_meant(w, job))
        return;
    if (w->bulk->row.state == STINT_BULK_COUNTING)
        count(&w->bulk->row, job);
    else
        work(w, job);
}

/* The same walk over the jobs of a batch, in the order of their ids. */
static bool
walk_batch(struct walk *w, uint64_t batch)
{
    struct row_bulk *row = &w->bulk->row;
    struct stint_id id = row->at;
    for (; batches_next_job(w->core, batch, &id); id = row->at, w->cost++) {
        struct job job;
        if (w->cost >= w->most)
            return false;
        row->at = id_plus(id, 1);
        if (job_find(w->core, &id, &job) && match_queue(&w->filter, job.level->queue))
            visit(w, &job);
    }
    return true;
}

/* Walks on until the step's share is used up. True at the end of the walk. */
static bool
walk(struct walk *w)
{
    struct row_bulk *row = &w->bulk->row;
    uint64_t batch = match_batch(&w->filter);
    if (batch)
        return walk_batch(w, batch);
    for (unsigned t = 0; t < TABLES; t++)
        (void)seek(w, t);
    for (unsigned t; (t = next_table(w)) < TABLES; w->cost++) {
        struct stint_id key = w->next[t].key;
        struct job job;
        if (w->cost >= w->most)
            return false;
        if (!means_queue(w, &key))
            continue;
        row->at = id_plus(key, 1);
        if (job_load(w->core, &key, places[t], &job))
            visit(w, &job);
    }
    return true;
}

/* ---- its course ---- */

/* As people write it: 16 digits. */
static char *
number_text(uint64_t bulk, char text[20])
{
    for (unsigned i = 0; i < 16; i++)
        text[i] = "0123456789abcdef"[bulk >> (60 - 4 * i) & 15];
    text[16] = '\0';
    return text;
}

static void
end(struct core *core, struct bulk *b, enum stint_bulk_state state)
{
    char text[20];
    b->row.state = state;
    b->row.ended_ms = core->clocks.wall_ms;
    core->bulks.open--;
    core_say(core, NOTE_AUDIT, "a bulk operation ended", NOTE_NUMBER("audit", 1),
        NOTE_TEXT("key", b->key), NOTE_TEXT("bulk", number_text(b->row.bulk, text)),
        NOTE_TEXT("state", stint_bulk_state_name(state)), NOTE_NUMBER("counted", b->row.counted),
        NOTE_NUMBER("done", b->row.done), NOTE_NUMBER("refused", b->row.refused));
}

static void
go_on(struct core *core, struct bulk *b)
{
    struct walk w = {
        .core = core, .bulk = b, .change = change_of(&b->row), .most = core->bulks.step_cost};
    const char *why;
    bool read = filter_read(b->row.filter, &w.filter, &why);
    assert(read); /* the row's owner has seen to that */
    if (walk(&w)) {
        if (b->row.state == STINT_BULK_WORKING || b->row.dry)
            end(core, b, STINT_BULK_DONE);
        else {
            b->row.state = STINT_BULK_WORKING;
            b->row.at = (struct stint_id){{0}};
        }
    }
    write_row(core, b);
}

/* Each gets its turn. There is one. */
static struct bulk *
next_open(struct core *core)
{
    struct bulk *b = core->bulks.turn;
    do
        b = b && b->next ? b->next : core->bulks.all;
    while (has_ended(b));
    core->bulks.turn = b;
    return b;
}

static void
forget_old(struct core *core)
{
    struct bulk *b, *next;
    DL_FOREACH_SAFE (core->bulks.all, b, next)
        if (has_ended(b) && b->row.ended_ms + BULK_KEEP_MS <= core->clocks.wall_ms)
            forget(core, b);
}

/* By how long the last step took: one follows the other as long as there is work. */
static void
set_pace(struct core *core)
{
    uint32_t cost = core->bulks.step_cost;
    uint64_t passed_ms = core->clocks.now_ms - core->bulks.stepped_ms;
    core->bulks.stepped_ms = core->clocks.now_ms;
    if (cost == 0)
        core->bulks.step_cost = STEP_COST / 2;
    else if (passed_ms > STEP_MS)
        core->bulks.step_cost = (uint32_t)later(cost / 2, STEP_COST_LEAST);
    else
        core->bulks.step_cost = (uint32_t)earlier(cost + cost / 8, STEP_COST);
}

void
bulk_step(struct core *core)
{
    if (!core->bulks.all)
        return;
    forget_old(core);
    if (core->bulks.open == 0)
        return;
    set_pace(core);
    go_on(core, next_open(core));
}

void
bulk_end_step(struct core *core)
{
    if (core->bulks.begun) /* what comes from now on comes later */
        clock_tick(core);
    core->bulks.begun = false;
}

/* ---- messages ---- */

static struct bulk *
find(const struct core *core, uint64_t number)
{
    struct bulk *b;
    DL_FOREACH (core->bulks.all, b)
        if (b->row.bulk == number)
            break;
    return b;
}

/* How many jobs a filter is true of, and which, is for those who may see them; where they go, for
 * those who may have to do with that queue. */
static void
put_info(struct core *core, const struct peer *peer, const struct bulk *b)
{
    const struct row_bulk *row = &b->row;
    bool sees = grant_allows_filter(peer->grant, RIGHT_SEE, row->filter);
    bool knows = !b->queue[0] || grant_allows(peer->grant, RIGHTS_ALL, text_slice(b->queue));
    struct bulk_item item = {.filter = row->filter};
    struct stint_bulk_info *i = &item.info;
    i->bulk = row->bulk;
    i->action = row->action;
    i->state = row->state;
    if (knows)
        memcpy(i->queue, b->queue, sizeof i->queue);
    i->priority = row->priority;
    i->dry = row->dry;
    if (!grant_is_narrow(peer->grant))
        memcpy(i->key, b->key, sizeof i->key);
    i->began_ms = clock_told(core, row->began_ms);
    i->ended_ms = clock_told(core, row->ended_ms);
    if (sees) {
        i->counted = row->counted;
        i->done = row->done;
        i->refused = row->refused;
        i->examples_count = row->examples_count;
        memcpy(i->examples, row->examples, sizeof row->examples);
    }
    if (sees && knows)
        i->status = row->status;
    message_put_bulk_info(&core->scratch.page, &item);
}

static void
answer(struct core *core, struct peer *peer, const struct message *m, const struct bulk *b)
{
    reply_page_begin(core);
    if (b)
        put_info(core, peer, b);
    reply_page_send(core, peer, MESSAGE_BULKS, m->number, b != NULL, (struct slice){0});
}

/* Is it one that this LIST_BULKS asks for, behind what was told last? */
static bool
is_asked(const struct peer *peer, const struct message *m, const struct bulk *b,
    const uint8_t after[CURSOR_BYTES])
{
    uint64_t number = m->list_bulks.bulk;
    return (number == 0 || b->row.bulk == number) &&
        comes_after(&b->row, get_be(after, 8), get_be(after + 8, 8)) &&
        grant_allows_filter(peer->grant, RIGHT_SEE, b->row.filter);
}

/* Oldest first. What a peer may not know of is passed over. */
static void
list(struct core *core, struct peer *peer, const struct message *m)
{
    struct slice given = m->list_bulks.cursor, next = {0};
    uint8_t told[CURSOR_BYTES] = {0}; /* when it began, its number */
    const struct bulk *b;
    uint32_t count = 0;
    if (given.size != 0 && given.size != CURSOR_BYTES) {
        reply_refuse(core, peer->number, m, STINT_INVALID, "this cursor was not given by a list");
        return;
    }
    if (given.size)
        memcpy(told, given.data, CURSOR_BYTES);
    reply_page_begin(core);
    DL_FOREACH (core->bulks.all, b) {
        if (!is_asked(peer, m, b, told))
            continue;
        if (core->scratch.page.used > page_bytes(core)) {
            next = (struct slice){told, CURSOR_BYTES};
            break;
        }
        put_info(core, peer, b);
        put_be(told, b->row.began_ms, 8);
        put_be(told + 8, b->row.bulk, 8);
        count++;
    }
    reply_page_send(core, peer, MESSAGE_BULKS, m->number, count, next);
}

static void
stop(struct core *core, struct peer *peer, const struct message *m)
{
    char text[20];
    struct bulk *b = find(core, m->list_bulks.bulk);
    if (b && !grant_allows_filter(peer->grant, RIGHT_SUBMIT | RIGHT_CONTROL, b->row.filter))
        b = NULL;
    if (b && !has_ended(b)) {
        core_audit(core, peer, "a bulk operation is stopped",
            NOTE_TEXT("bulk", number_text(b->row.bulk, text)));
        end(core, b, STINT_BULK_STOPPED);
        write_row(core, b);
    }
    answer(core, peer, m, b);
}

static bool
same(struct slice a, struct slice b)
{
    return a.size == b.size && (a.size == 0 || memcmp(a.data, b.data, a.size) == 0);
}

/* Is that the BULK that this one began with, sent again? */
static bool
is_again(const struct bulk *b, const struct bulk_request *k)
{
    const struct row_bulk *row = &b->row;
    return row->action == k->action && row->dry == k->dry && same(row->queue, k->queue) &&
        row->priority == (k->priority < 0 ? 0 : k->priority) && same(row->filter, k->filter);
}

/* What is wrong with it; NULL: nothing. */
static const char *
complaint(const struct bulk_request *k)
{
    struct filter filter;
    const char *why;
    if (!filter_read(k->filter, &filter, &why))
        return why;
    if (k->bulk == 0 || k->action == 0)
        return "a BULK has a number and an action";
    if ((k->action == STINT_BULK_MOVE) != (k->queue.size > 0))
        return "it is a move that names a queue";
    if ((k->action == STINT_BULK_PRIORITY) != (k->priority >= 0))
        return "it is the action priority that names a priority";
    if (filter.count == 0 && !k->all)
        return "without a filter it is about all jobs, which has to be said";
    return NULL;
}

/* Room for one more; if need be, the one goes that ended first. */
static bool
make_room(struct core *core)
{
    struct bulk *b, *first = NULL;
    DL_FOREACH (core->bulks.all, b)
        if (has_ended(b) && (!first || b->row.ended_ms < first->row.ended_ms))
            first = b;
    if (core->bulks.count >= BULKS_MAX && first)
        forget(core, first);
    return core->bulks.count < BULKS_MAX;
}

static struct bulk *
begin(struct core *core, const struct peer *peer, const struct bulk_request *k)
{
    char text[20];
    const struct row_bulk row = {.bulk = k->bulk,
        .action = k->action,
        .state = STINT_BULK_COUNTING,
        .dry = k->dry,
        .priority = k->priority < 0 ? 0 : (uint8_t)k->priority,
        .queue = k->queue,
        .key = text_slice(grant_name(peer->grant)),
        .filter = k->filter,
        .began_ms = core->clocks.wall_ms};
    struct bulk *b = keep(core, &row);
    core->bulks.open++;
    core->bulks.begun = true;
    write_row(core, b);
    core_audit(core, peer, k->dry ? "jobs are counted" : "a bulk operation begins",
        NOTE_TEXT("action", stint_bulk_action_name(k->action)),
        NOTE_TEXT("bulk", number_text(k->bulk, text)), NOTE_TEXT("to", b->queue));
    return b;
}

static void
start(struct core *core, struct peer *peer, const struct message *m)
{
    const struct bulk_request *k = &m->bulk;
    const char *why = complaint(k);
    struct bulk *b = find(core, k->bulk);
    if (why)
        reply_refuse(core, peer->number, m, STINT_INVALID, why);
    else if (b && !is_again(b, k))
        reply_refuse(core, peer->number, m, STINT_CONFLICT, "that number is another operation's");
    else if (!b && (core->clocks.ticked_ms >= BULKS_MAX || !make_room(core)))
        reply_refuse(
            core, peer->number, m, STINT_TOO_MANY, "64 bulk operations go on, or have just begun");
    else
        answer(core, peer, m, b ? b : begin(core, peer, k));
}

void
bulk_message(struct core *core, struct peer *peer, const struct message *m)
{
    if (m->type == MESSAGE_BULK)
        start(core, peer, m);
    else if (m->type == MESSAGE_STOP_BULK)
        stop(core, peer, m);
    else
        list(core, peer, m);
}
