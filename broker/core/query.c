/* Questions: WAIT, GET, LIST and the figures. A question is read-only and repeatable, and each has
 * a bound on what it may read in one step: a list is told in pages.
 */
#include "query.h"
#include "batches.h"
#include "clock.h"
#include "describe.h"
#include "job.h"
#include "links.h"
#include "live.h"
#include "match.h"
#include "peers.h"
#include "reply.h"
#include "sight.h"
#include "telling.h"
#include "watch.h"

enum {
    PAGE_JOBS = 1000,
    SCANNED_A_PAGE = 20000, /* rows that may be passed over */
    FILTERED_A_PAGE = 4000, /* the same, where a filter is asked of each */
    CURSOR_BYTES = 1 + STINT_ID_BYTES, /* place, id */
    /* A description without bodies, runs and parents: its texts, numbers, an id, and lengths. */
    INFO_NUMBERS = 32,
    INFO_BYTES_MAX = 3 * STINT_NAME_BYTES + STINT_LABEL_BYTES + STINT_ERROR_BYTES +
        STINT_PROGRESS_BYTES + STINT_UNIQUE_BYTES + STINT_NEEDS_BYTES + STINT_GROUP_BYTES +
        INFO_NUMBERS * 10 + 100,
    ATTEMPT_TOLD_BYTES = STINT_LABEL_BYTES + 40, /* without its error */
};

/* Has a message in which `used` bytes are room for so many more, and for descriptions of `more`
 * jobs behind them? Bodies take half of it at most, but for the first. */
static bool
has_room_for(const struct core *core, size_t used, size_t bytes, uint32_t more)
{
    size_t needed = used + bytes + (more + 1) * (size_t)INFO_BYTES_MAX;
    return (used == 0 || used + bytes <= core->options.message_bytes / 2) &&
        needed <= core->options.message_bytes - page_bytes(core) / 2;
}

static void
say_damaged(struct core *core, struct stint_job_info *info)
{
    (void)strcpy(info->error, "the stored body is damaged");
    core_say(core, NOTE_ERROR, "a damaged body can't be served", NOTE_TEXT("queue", info->queue));
}

/* Puts what is asked for of payload and result into the description, if the message has room:
 * `used` bytes are in it, and descriptions of `more` jobs come behind this one. Of a dead job, the
 * result is its last output. */
static void
add_body(struct core *core, const struct record *r, uint32_t parts, size_t used, uint32_t more,
    struct stint_job_info *info)
{
    _Static_assert(
        LIMIT_BODY_BYTES_MAX + LIMIT_MESSAGE_BYTES / 8 + 2 * INFO_BYTES_MAX < LIMIT_MESSAGE_BYTES,
        "the largest body fits into a message that has begun");
    struct slice body;
    size_t output_bytes = record_get(r, FIELD_OUTPUT, 0);
    bool is_result = r->state == STINT_SUCCEEDED;
    if ((parts & (is_result ? PART_RESULT : PART_PAYLOAD)) && r->body_bytes > 0 &&
        has_room_for(core, used, r->body_bytes, more)) {
        if (!job_body(core, &info->id, r, &body))
            say_damaged(core, info);
        else if (is_result)
            info->result = body.data;
        else
            info->payload = body.data;
    }
    if (info->payload)
        used += r->body_bytes;
    if ((parts & PART_RESULT) && output_bytes > 0 && has_room_for(core, used, output_bytes, more)) {
        if (!job_output(core, &info->id, r, &body))
            say_damaged(core, info);
        else
            info->result = body.data;
    }
}

/* The same, of its runs that have ended. */
static void
add_attempts(struct core *core, const struct record *r, size_t used, uint32_t more,
    struct stint_job_info *info)
{
    struct slice rest = r->attempts;
    struct attempt_row row = attempts_before(r->submitted_ms);
    uint32_t count = 0;
    used += (info->payload ? info->payload_bytes : 0) + (info->result ? info->result_bytes : 0) +
        rest.size + LIMIT_ATTEMPTS_TOLD * (size_t)ATTEMPT_TOLD_BYTES +
        (more + 1) * (size_t)INFO_BYTES_MAX;
    if (used > core->options.message_bytes - page_bytes(core) / 2)
        return;
    for (; count < LIMIT_ATTEMPTS_TOLD && attempts_next(&rest, &row); count++) {
        struct stint_attempt *told = &core->scratch.told[count];
        *told = (struct stint_attempt){.attempt = row.attempt,
            .end = row.end,
            .started_ms = clock_told(core, row.started_ms),
            .ended_ms = clock_told(core, row.ended_ms)};
        slice_to_text(told->worker, sizeof told->worker, row.worker);
        slice_to_text(told->error, sizeof told->error, row.error);
    }
    info->attempts = count ? core->scratch.told : NULL;
    info->attempts_count = count;
}

/* The same, of those that it was after. */
static void
add_parents(struct core *core, const struct record *r, size_t used, uint32_t more,
    struct stint_job_info *info)
{
    struct pack_buffer *ids = &core->scratch.parents;
    used += (info->payload ? info->payload_bytes : 0) + (info->result ? info->result_bytes : 0) +
        2 * r->attempts.size + LIMIT_AFTER * STINT_ID_BYTES + (more + 1) * (size_t)INFO_BYTES_MAX;
    if (!record_has(r, FIELD_AFTER) || used > core->options.message_bytes - page_bytes(core) / 2)
        return;
    ids->used = 0;
    (void)links_parents(core->store, &info->id, r, ids);
    info->parents = ids->used > 0 ? (const struct stint_id *)ids->data : NULL;
    info->parents_count = ids->used / STINT_ID_BYTES;
}

/* Does what was collected fit into a message, with what is around it? Descriptions of all the jobs
 * that a GET may name need not: those whose texts are all at their limits do not. */
static bool
page_fits(const struct core *core)
{
    enum { AROUND_BYTES = 64 };
    return core->scratch.page.used + AROUND_BYTES <= core->options.message_bytes;
}

void
query_get(struct core *core, struct peer *peer, const struct message *m)
{
    reply_page_begin(core);
    for (uint32_t i = 0; i < m->count; i++) {
        struct stint_job_info info = {.id = core->scratch.decoded->ids[i]};
        struct job job;
        if (job_find(core, &core->scratch.decoded->ids[i], &job)) {
            describe_job(core, &job, &info);
            add_body(core, &job.record, m->get.parts, core->scratch.page.used, m->count - i, &info);
            if (m->get.parts & PART_ATTEMPTS)
                add_attempts(core, &job.record, core->scratch.page.used, m->count - i, &info);
            if (m->get.parts & PART_ATTEMPTS)
                add_parents(core, &job.record, core->scratch.page.used, m->count - i, &info);
        }
        message_put_job_info(&core->scratch.page, &info);
        if (!page_fits(core)) {
            reply_refuse(core, peer->number, m, STINT_TOO_MANY,
                "the descriptions do not fit into a message; ask for fewer jobs at once");
            return;
        }
    }
    reply_page_send(core, peer, MESSAGE_JOBS, m->number, m->count, (struct slice){0});
}

/* Outcomes that are there are told at once; the rest is watched. The answer says which of the ids
 * can't be waited for. */
void
query_wait(struct core *core, struct peer *peer, const struct message *m)
{
    for (uint32_t i = 0; i < m->count; i++) {
        struct stint_id id = core->scratch.decoded->ids[i];
        struct job job;
        enum stint_status status = STINT_OK;
        if (judgement_denies(&core->scratch.judgement, i))
            status = STINT_DENIED;
        else if (!job_find(core, &id, &job))
            status = STINT_NO_SUCH_JOB;
        else if (job.place == PLACE_SETTLED) {
            struct stint_job_info info;
            describe_job(core, &job, &info);
            if (m->wait.results && peers_can_take(core, peer))
                add_body(core, &job.record, PART_RESULT, 0, 0, &info);
            info.payload_bytes = 0;
            watch_put_outcome(core, peer, &info);
        } else if (!fleet_watch(&core->fleet, peer, &id, m->wait.results, m->wait.progress))
            status = STINT_TOO_MANY;
        else if (m->wait.progress)
            telling_begin(core, peer, &id);
        if (status == STINT_OK && (m->wait.output || core->fleet.pushed.listening > 0))
            live_listen(core, peer, &id, m->wait.output);
        core->scratch.decoded->statuses[i] = status;
    }
    reply_statuses(core, peer, m->number, core->scratch.decoded->statuses, m->count);
}

/* What a LIST asks for, and how far it has come. */
struct listing {
    const struct peer *narrow; /* NULL, or it is about all queues that this one may see */
    const struct queue *queue; /* NULL: all */
    uint32_t states, limit, count, scanned, scanned_most;
    struct slice kind;
    struct filter filter;
    uint64_t
        batch; /* its jobs alone are looked at, in the order of their ids; 0: those of tables */
    enum place place;
    struct stint_id begin, at; /* of the queue, or of all; where the list goes on */
};

static bool
matches(const struct core *core, const struct listing *l, const struct job *job)
{
    struct slice kind = job->record.kind;
    return (l->states >> job->state & 1) != 0 &&
        (l->kind.size == 0 ||
            (l->kind.size == kind.size && memcmp(l->kind.data, kind.data, kind.size) == 0)) &&
        match_queue(&l->filter, job->level->queue) &&
        match_job(core, &l->filter, job, core->clocks.wall_ms);
}

/* Lists from one table; true when it has come to its end. */
static bool
list_place(struct core *core, struct listing *l)
{
    static const enum store_table tables[] = {
        [PLACE_LIVE] = STORE_LIVE, [PLACE_PARKED] = STORE_PARKED, [PLACE_SETTLED] = STORE_SETTLED};
    struct slice key, bytes;
    while (store_seek(core->store, tables[l->place], id_key(&l->at), &key, &bytes)) {
        struct job job;
        struct stint_job_info info;
        if (key.size != STINT_ID_BYTES || memcmp(key.data, l->at.bytes, STINT_ID_BYTES) < 0) {
            core_say(core, NOTE_ERROR, "a list lacks jobs, the data file is damaged; --verify",
                NOTE_TEXT("about", "keys are out of order"));
            return true;
        }
        memcpy(l->at.bytes, key.data, STINT_ID_BYTES);
        if (l->queue && id_queue(&l->at) != l->queue->number)
            return true;
        if (l->count == l->limit || l->scanned == l->scanned_most ||
            core->scratch.page.used > page_bytes(core))
            return false;
        l->scanned++;
        core->step.listed++;
        if (job_load(core, &l->at, l->place, &job) && matches(core, l, &job)) {
            describe_job(core, &job, &info);
            message_put_job_info(&core->scratch.page, &info);
            l->count++;
        }
        l->at = id_plus(l->at, 1);
    }
    return true;
}

static bool
wanted(const struct listing *l)
{
    static const uint32_t states[] = {
        [PLACE_LIVE] = STINT_STATE_BIT(STINT_READY) | STINT_STATE_BIT(STINT_RUNNING),
        [PLACE_PARKED] = STINT_STATE_BIT(STINT_SCHEDULED) | STINT_STATE_BIT(STINT_BLOCKED),
        [PLACE_SETTLED] = STINT_STATE_BIT(STINT_SUCCEEDED) | STINT_STATE_BIT(STINT_DEAD) |
            STINT_STATE_BIT(STINT_CANCELLED_JOB) | STINT_STATE_BIT(STINT_EXPIRED)};
    return (l->states & states[l->place]) != 0;
}

/* Is this a place of the list? One of another queue is not: it would show whether there is a job
 * between there and here. */
static bool
is_place(struct core *core, const struct listing *l)
{
    uint32_t number = id_queue(&l->at);
    if (!l->narrow)
        return !l->queue ||
            (id_broker(&l->at) == core->options.broker && number == l->queue->number);
    const struct queue *q = sight_next(core, l->narrow, number);
    return id_broker(&l->at) == core->options.broker && q && q->number == number;
}

/* Where the page begins that this cursor names. */
static bool
read_cursor(struct core *core, struct slice given, struct listing *l)
{
    if (given.size != CURSOR_BYTES || given.data[0] < PLACE_LIVE || given.data[0] > PLACE_SETTLED)
        return false;
    l->place = (enum place)given.data[0];
    memcpy(l->at.bytes, given.data + 1, STINT_ID_BYTES);
    return l->batch || is_place(core, l);
}

/* The same, of all queues that the peer may see, one after the other. The rows of others are not
 * read, so a page ends where it would if they were not there; and so that there is an end to the
 * work, a queue that may be seen counts as a row. */
static bool
list_seen(struct core *core, struct listing *l)
{
    uint64_t number = id_queue(&l->at);
    for (; (l->queue = sight_next(core, l->narrow, number)); number = l->queue->number + 1ULL) {
        if (id_queue(&l->at) != l->queue->number)
            l->at = id_make(core->options.broker, l->queue->number, 255, 0);
        if (l->scanned == l->scanned_most)
            return false;
        l->scanned++;
        core->step.listed++;
        if (!list_place(core, l))
            return false;
    }
    return true;
}

/* The same, of the jobs of a batch. */
static bool
list_batch(struct core *core, struct listing *l)
{
    for (struct stint_id id = l->at; batches_next_job(core, l->batch, &id); id = id_plus(id, 1)) {
        struct job job;
        struct stint_job_info info;
        l->at = id;
        if (l->count == l->limit || l->scanned == l->scanned_most ||
            core->scratch.page.used > page_bytes(core))
            return false;
        l->scanned++;
        core->step.listed++;
        if (!job_find(core, &id, &job) || (l->queue && job.level->queue != l->queue) ||
            !matches(core, l, &job))
            continue;
        describe_job(core, &job, &info);
        message_put_job_info(&core->scratch.page, &info);
        l->count++;
    }
    return true;
}

/* Collects a page; true when the list has come to its end, or else `l` says where it goes on. */
static bool
list_all(struct core *core, struct listing *l)
{
    if (l->batch)
        return list_batch(core, l);
    for (; l->place <= PLACE_SETTLED; l->place++, l->at = l->begin)
        if (wanted(l) && !(l->narrow ? list_seen(core, l) : list_place(core, l)))
            return false;
    return true;
}

void
query_list(struct core *core, struct peer *peer, const struct message *m)
{
    struct listing l = {.states = m->list.states ? m->list.states : STINT_STATES_ALL,
        .limit = m->list.limit && m->list.limit < PAGE_JOBS ? m->list.limit : PAGE_JOBS,
        .scanned_most =
            rows_a_page(core, m->list.filter.size > 0 ? FILTERED_A_PAGE : SCANNED_A_PAGE),
        .narrow = m->list.queue.size == 0 && sight_is_narrow(peer) ? peer : NULL,
        .kind = m->list.kind,
        .place = PLACE_LIVE};
    uint8_t cursor[CURSOR_BYTES];
    struct slice next = {0};
    const char *why;
    bool read = filter_read(m->list.filter, &l.filter, &why);
    assert(read); /* the decoder has seen to that */
    reply_page_begin(core);
    if (m->list.queue.size && !(l.queue = book_queue(&core->book, m->list.queue))) {
        reply_refuse(core, peer->number, m, STINT_NO_SUCH_QUEUE, "no job was ever put into it");
        return;
    }
    if (!sight_is_narrow(peer)) /* or where its pages end would show that there are others */
        l.batch = match_batch(&l.filter);
    if (l.queue && !l.batch)
        l.begin = id_make(core->options.broker, l.queue->number, 255, 0);
    l.at = l.begin;
    if (m->list.cursor.size && !read_cursor(core, m->list.cursor, &l)) {
        reply_refuse(core, peer->number, m, STINT_INVALID, "this cursor was not given by a list");
        return;
    }
    if (!list_all(core, &l)) {
        cursor[0] = (uint8_t)l.place;
        memcpy(cursor + 1, l.at.bytes, STINT_ID_BYTES);
        next = (struct slice){cursor, sizeof cursor};
    }
    reply_page_send(core, peer, MESSAGE_JOBS, m->number, l.count, next);
}

/* What is next in a queue: how many to pass over, and how many to tell. */
struct peek {
    struct queue *queue;
    uint64_t offset;
    uint32_t limit, count, scanned, scanned_most;
    uint32_t parts;
    bool goes_on; /* it is not the first page, and goes on at */
    struct stint_id at;
};
enum { PEEK_CURSOR_BYTES = STINT_ID_BYTES + 8 };

static void
peek_tell(struct core *core, struct peek *p)
{
    struct job job;
    struct stint_job_info info;
    if (!job_load(core, &p->at, PLACE_LIVE, &job))
        return;
    describe_job(core, &job, &info);
    add_body(core, &job.record, p->parts, core->scratch.page.used, p->limit - p->count, &info);
    message_put_job_info(&core->scratch.page, &info);
    p->count++;
}

/* The row of STORE_LIVE at `p->at`, or the next one in the order of the queue. */
static bool
peek_seek(struct core *core, struct peek *p)
{
    struct slice key, bytes;
    bool back = p->queue->set.lifo;
    bool found = back ? store_seek_back(core->store, STORE_LIVE, id_key(&p->at), &key, &bytes)
                      : store_seek(core->store, STORE_LIVE, id_key(&p->at), &key, &bytes);
    if (!found || key.size != STINT_ID_BYTES)
        return false;
    int order = memcmp(key.data, p->at.bytes, STINT_ID_BYTES);
    memcpy(p->at.bytes, key.data, STINT_ID_BYTES);
    return back ? order <= 0 : order >= 0;
}

/* Ready jobs of one level, in the order of their places; false if the page has come to its end. */
static bool
peek_level(struct core *core, struct peek *p)
{
    struct stint_id from = p->at;
    while (peek_seek(core, p)) {
        if (!id_same_level(&p->at, &from))
            return true;
        if (p->count == p->limit || p->scanned == p->scanned_most ||
            core->scratch.page.used > page_bytes(core))
            return false;
        p->scanned++;
        core->step.listed++;
        if (!book_is_running(&core->book, &p->at)) {
            if (p->offset > 0)
                p->offset--;
            else
                peek_tell(core, p);
        }
        p->at = id_plus(p->at, p->queue->set.lifo ? (uint64_t)-1 : 1);
    }
    return true;
}

/* Levels that are passed over as a whole are not read. */
static bool
peek_all(struct core *core, struct peek *p)
{
    struct stint_id begun = p->at;
    for (uint32_t l = 0; l < p->queue->levels_count; l++) {
        const struct level *level = p->queue->levels[l];
        bool goes_on = p->goes_on && level->priority == id_priority(&begun);
        if (p->goes_on && queue_prefers(p->queue, level->priority, id_priority(&begun)))
            continue;
        if (!goes_on && p->offset >= level->jobs[STINT_READY]) {
            p->offset -= level->jobs[STINT_READY];
            continue;
        }
        p->at =
            goes_on ? begun : book_id(&core->book, level, p->queue->set.lifo ? level->next - 1 : 0);
        if (!peek_level(core, p))
            return false;
    }
    return true;
}

static bool
peek_begin(struct core *core, const struct message *m, struct peek *p)
{
    struct slice given = m->peek.cursor;
    p->goes_on = given.size > 0;
    if (!p->goes_on)
        return true;
    if (given.size != PEEK_CURSOR_BYTES)
        return false;
    memcpy(p->at.bytes, given.data, STINT_ID_BYTES);
    p->offset = get_be(given.data + STINT_ID_BYTES, 8);
    return id_broker(&p->at) == core->options.broker && id_queue(&p->at) == p->queue->number;
}

void
query_peek(struct core *core, struct peer *peer, const struct message *m)
{
    struct peek p = {.queue = book_queue(&core->book, m->peek.queue),
        .offset = m->peek.offset,
        .limit = m->peek.limit && m->peek.limit < PAGE_JOBS ? m->peek.limit : PAGE_JOBS,
        .scanned_most = rows_a_page(core, SCANNED_A_PAGE),
        .parts = m->peek.parts & PART_PAYLOAD};
    uint8_t cursor[PEEK_CURSOR_BYTES];
    struct slice next = {0};
    if (!p.queue) {
        reply_refuse(core, peer->number, m, STINT_NO_SUCH_QUEUE, "no job was ever put into it");
        return;
    }
    if (!peek_begin(core, m, &p)) {
        reply_refuse(core, peer->number, m, STINT_INVALID, "this cursor was not given by a peek");
        return;
    }
    reply_page_begin(core);
    if (!peek_all(core, &p)) {
        memcpy(cursor, p.at.bytes, STINT_ID_BYTES);
        put_be(cursor + STINT_ID_BYTES, p.offset, 8);
        next = (struct slice){cursor, sizeof cursor};
    }
    reply_page_send(core, peer, MESSAGE_JOBS, m->number, p.count, next);
}

void
core_stats(struct core *core, struct stint_stats *stats)
{
    *stats = core->figures;
    stats->epoch = core->epoch;
    stats->uptime_ms = core->clocks.now_ms - core->clocks.started_ms;
    stats->peers = core->fleet.peers_count;
    stats->workers = core->fleet.workers_count;
    stats->slots = core->fleet.slots;
    stats->leases = HASH_COUNT(core->fleet.leases);
    stats->queues = core->book.queues;
    stats->sessions = core->sessions;
    memcpy(stats->jobs, core->book.jobs, sizeof stats->jobs);
    memcpy(stats->totals, core->book.sums.totals, sizeof stats->totals);
    core->store->ops->usage(core->store, &stats->store_used_bytes, &stats->store_size_bytes);
}

void
query_stats(struct core *core, struct peer *peer, const struct message *m)
{
    struct stint_stats stats;
    core_stats(core, &stats);
    message_put_stats(outbox_begin(core->step.out, peer->number), m->number, &stats);
    outbox_end(core->step.out);
}
