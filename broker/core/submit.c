/* SUBMIT: exactly once. A session's submissions are numbered without gaps; the number and its
 * answer are stored in the transaction that inserts the jobs, so that a resent one finds the first
 * answer. What is stored of it is only where each level's ids began, in the order in which the
 * message first names the levels: the resent message itself says which job went to which, and that
 * holds also when the queue is gone meanwhile. Where jobs have unique keys, that depends on what
 * they met, so the answer is stored as it was given.
 *
 * A message is accepted or refused as a whole, before the store is touched. A refusal uses no
 * number and is not stored: what is refused costs nothing that lasts, however often it is sent.
 */
#include "submit.h"
#include "after.h"
#include "batches.h"
#include "job.h"
#include "meet.h"
#include "peers.h"
#include "places.h"
#include "reply.h"
#include "room.h"
#include "sessions.h"
#include "watch.h"

#include <stdlib.h>

enum {
    PRUNED_A_STEP = 4096,
    RUN_BYTES_MAX = 32, /* of ids, encoded */
    ROW_BYTES = 256, /* what a new row of the books, or of a session, costs at most */
    GROUP_ROWS_BYTES = 3 * ROW_OVERHEAD_BYTES, /* of its group, of its place, when it is due */
    UNIQUE_ROWS_BYTES = 2 * (ROW_OVERHEAD_BYTES + LIMIT_UNIQUE_BYTES) + ROW_RUN_BYTES,
};

_Static_assert(LIMIT_MESSAGE_BYTES / 8 + LIMIT_JOBS * RUN_BYTES_MAX + 100 < LIMIT_MESSAGE_BYTES,
    "an answer in which no two ids are neighbours fits behind others");

struct verdict {
    enum stint_status status;
    uint32_t index;
    bool unique; /* some jobs have unique keys */
    bool beyond; /* as many jobs may wait as will, */
    bool patient; /* or they will be once: they come with an end, which waits and is pressed then */
    char detail[SUBMIT_DETAIL_BYTES];
};

/* So that another answer fits into the peer's SUBMITTED message of this step. */
static void
make_room(struct core *core, struct peer *peer)
{
    struct pack_buffer *b = &peer->answers.submitted;
    if (peer->answers.submitted_count == LIMIT_JOBS || b->used > page_bytes(core))
        reply_flush(core, peer, MESSAGE_SUBMITTED, b, &peer->answers.submitted_count);
}

static struct pack_buffer *
answer(struct core *core, struct peer *peer)
{
    struct pack_buffer *b = &peer->answers.submitted;
    peers_have_output(core, peer);
    make_room(core, peer);
    peer->answers.submitted_count++;
    return b;
}

static void
answer_refused(struct core *core, struct peer *peer, uint64_t number, enum stint_status status,
    uint64_t index, struct slice detail)
{
    message_put_refused(answer(core, peer), number, status, index, detail);
}

static struct pack_buffer *
answer_accepted(struct core *core, struct peer *peer, uint64_t number)
{
    struct pack_buffer *b = answer(core, peer);
    message_put_accepted(b, number);
    return b;
}

/* Runs of consecutive ids, written as they grow; also as they are stored, if that is wanted. */
struct runs {
    struct pack_buffer *b, *stored;
    size_t at;
    uint32_t count, length;
    struct stint_id first;
    enum stint_met met;
};

static void
runs_open(struct runs *runs, struct pack_buffer *b, struct pack_buffer *stored)
{
    *runs = (struct runs){.b = b, .stored = stored, .at = pack_open_array(b)};
}

static void
runs_end_one(struct runs *runs)
{
    if (runs->length == 0)
        return;
    if (runs->met == STINT_MET_NOTHING)
        message_put_run(runs->b, &runs->first, runs->length);
    else
        message_put_run_met(runs->b, &runs->first, runs->length, runs->met);
    if (runs->stored) {
        const struct row_run run = {runs->first, (uint16_t)runs->length, runs->met};
        row_run_write(pack_reserve(runs->stored, ROW_RUN_BYTES), &run);
    }
    runs->count++;
}

static void
runs_add(struct runs *runs, const struct stint_id *id, enum stint_met met)
{
    if (runs->length > 0 && met == runs->met && id_same_level(id, &runs->first) &&
        id_sequence(id) == id_sequence(&runs->first) + runs->length) {
        runs->length++;
        return;
    }
    runs_end_one(runs);
    runs->first = *id;
    runs->met = met;
    runs->length = 1;
}

static void
runs_close(struct runs *runs)
{
    runs_end_one(runs);
    pack_close_array(runs->b, runs->at, runs->count);
}

static void
write_detail(struct verdict *v, const char *const *parts, unsigned count)
{
    size_t used = 0;
    for (unsigned i = 0; i < count; i++)
        for (const char *c = parts[i]; *c && used < sizeof v->detail - 1; c++)
            v->detail[used++] = *c;
    v->detail[used] = '\0';
}

static void
refuse(
    struct verdict *v, uint32_t index, enum stint_status status, const char *what, uint64_t limit)
{
    char digits[24];
    size_t n = sizeof digits;
    digits[--n] = '\0';
    do
        digits[--n] = (char)('0' + limit % 10);
    while ((limit /= 10) > 0);
    v->status = status;
    v->index = index;
    const char *parts[] = {what, digits + n};
    write_detail(v, parts, 2);
}

/* What the jobs of one message would add. */
struct tally {
    uint64_t bytes;
    uint32_t queues, levels; /* new ones */
    uint32_t links; /* jobs that they are after */
    uint32_t fresh; /* those that are new, and meet none that holds their key */
    uint64_t batch; /* that the last one of them was in */
    struct place_of_jobs *queue; /* of the last job */
};

/* By what people have set. */
static void
refuse_closed(struct verdict *v, uint32_t index, const struct queue *q)
{
    const char *parts[] = {
        "queue ", q->name, " is closed: it takes no new jobs until it is opened"};
    write_detail(v, parts, 3);
    v->status = STINT_QUEUE_CLOSED;
    v->index = index;
}

/* False if there would be too many queues or levels; then the verdict says so. */
static bool
tally_place(struct core *core, struct tally *t, uint32_t i, struct verdict *v)
{
    const struct job_spec *spec = &core->scratch.decoded->specs[i];
    struct book *book = &core->book;
    if (i == 0 || !same_name(spec->queue, core->scratch.decoded->specs[i - 1].queue))
        t->queue = places_find(core->scratch.places, spec, ANY_PRIORITY);
    struct place_of_jobs *level = places_find(core->scratch.places, spec, spec->priority);
    if (t->queue->jobs == 0) {
        t->queue->queue = book_queue(book, spec->queue);
        t->queues += t->queue->queue == NULL;
        t->bytes += t->queue->queue ? 0U : ROW_BYTES;
    }
    if (level->jobs++ == 0) {
        struct queue *q = t->queue->queue;
        bool is_new = !q || !book_level(book, q, spec->priority, false);
        t->levels += is_new;
        t->bytes += ROW_START_BYTES + (is_new ? ROW_BYTES : 0U);
    }
    if (book->queues + t->queues > book->max.queues)
        refuse(v, i, STINT_TOO_MANY, "there are --queues-max queues, ", book->max.queues);
    else if (book->levels + t->levels > book->max.levels)
        refuse(v, i, STINT_TOO_MANY, "the queues have as many priorities in use as there may be, ",
            book->max.levels);
    return v->status == STINT_OK;
}

/* What they are after is known, and there is an end to it. */
static bool
tally_after(
    struct core *core, struct tally *t, const struct job_spec *spec, uint32_t i, struct verdict *v)
{
    char text[STINT_ID_TEXT_BYTES];
    struct pack_reader r;
    struct stint_id unknown;
    uint32_t count = message_open_after(spec->after, &r);
    t->links += count;
    t->bytes += count * (uint64_t)(FOLLOWER_KEY_BYTES + STINT_ID_BYTES + 2 * ROW_OVERHEAD_BYTES);
    if (t->links > LIMIT_AFTER_ALL)
        refuse(v, i, STINT_TOO_LARGE, "the jobs of one message are after more others than may be, ",
            LIMIT_AFTER_ALL);
    else if (after_unknown(core, spec, &unknown)) {
        const char *parts[] = {"it is to run after a job that is not known (any more): ",
            stint_id_format(&unknown, text)};
        write_detail(v, parts, 2);
        v->status = STINT_NO_SUCH_JOB;
        v->index = i;
    }
    return v->status == STINT_OK;
}

/* Its batch takes jobs. One that the broker makes for a batch is none of its jobs. */
static bool
tally_batch(struct core *core, struct tally *t, uint64_t value, uint32_t i, struct verdict *v)
{
    t->bytes += MEMBER_KEY_BYTES + ROW_OVERHEAD_BYTES;
    if (value == t->batch || batch_role(value) != STINT_BATCH_JOB)
        return true;
    t->bytes += ROW_BATCH_BYTES_MAX + ROW_OVERHEAD_BYTES;
    t->batch = value;
    v->status = batches_takes(core, value, core->step.grant);
    v->index = i;
    char text[STINT_BATCH_TEXT_BYTES];
    const char *parts[] = {v->status == STINT_DENIED
            ? "this key may not put jobs into this batch, if it is there: "
            : v->status == STINT_BATCH_OVER ? "it takes no more jobs: "
                                            : "it is not known: ",
        stint_batch_format(value, text)};
    write_detail(v, parts, 2);
    return v->status == STINT_OK;
}

static bool
wishes_more(const struct job_spec *s)
{
    return (s->expires_in_ms | s->expires_at_ms | s->unique.size | s->group.size | s->after.size |
               s->needs.size | s->batch) != 0;
}

/* What most jobs do not ask for. */
static bool
tally_wishes(
    struct core *core, struct tally *t, const struct job_spec *spec, uint32_t i, struct verdict *v)
{
    if (spec->expires_in_ms || spec->expires_at_ms)
        t->bytes += ROW_OVERHEAD_BYTES;
    if (spec->unique.size > 0) {
        t->bytes += UNIQUE_ROWS_BYTES;
        v->unique = true;
    }
    if (spec->group.size > 0)
        t->bytes += GROUP_ROWS_BYTES + 3 * spec->group.size;
    if (spec->after.size > 0 && !tally_after(core, t, spec, i, v))
        return false;
    t->bytes += spec->needs.size;
    if (spec->needs.size > 0 && t->queue->queue &&
        !room_admits(core, t->queue->queue, spec->needs)) {
        refuse(v, i, STINT_TOO_VARIED, /* another queue, or this one later, takes it */
            "the jobs of a queue need at most so many different things, ", LIMIT_QUEUE_NEEDS);
        return false;
    }
    return !spec->batch || tally_batch(core, t, spec->batch, i, v);
}

/* What passes is told apart from what never can: a message that is larger than the backlog may be
 * would be sent again for ever. */
static void
refuse_backlog(struct verdict *v, uint32_t index, bool never, enum stint_status status,
    const char *what, uint64_t limit)
{
    if (never)
        refuse(v, index, STINT_TOO_LARGE, "more jobs in one message than may wait at all, ", limit);
    else
        refuse(v, index, status, what, limit);
}

/* Does the queue take one more job? */
static bool
tally_queue(struct core *core, struct tally *t, uint32_t i, struct verdict *v)
{
    const struct core_options *o = &core->options;
    const struct queue *q = t->queue->queue;
    uint64_t waits = (q ? q->backlog : 0) + ++t->queue->jobs;
    uint64_t most = q ? backlog_most(core, q) : o->max.queue_backlog;
    t->fresh++;
    if (q && q->set.closed)
        refuse_closed(v, i, q);
    else if (most && waits > most && !v->beyond)
        refuse_backlog(v, i, t->queue->jobs > most && !v->patient, STINT_QUEUE_FULL,
            most == o->max.queue_backlog ? "a queue holds --queue-backlog-max jobs, "
                                         : "the queue holds as many jobs as are set for it, ",
            most);
    return v->status == STINT_OK;
}

/* Does this job meet one that holds its key, and so is none itself? */
static bool
is_met(struct core *core, const struct tally *t, const struct job_spec *spec)
{
    return spec->unique.size > 0 && t->queue->queue && meet_any(core, t->queue->queue, spec);
}

/* `exactly`: those that are none are not counted. */
static void
tally_jobs(struct core *core, const struct message *m, struct verdict *v, bool exactly)
{
    const struct core_options *o = &core->options;
    struct tally t = {.bytes = 2ULL * ROW_BYTES};
    places_begin(core->scratch.places);
    v->status = STINT_OK;
    for (uint32_t i = 0; i < m->count; i++) {
        const struct job_spec *spec = &core->scratch.decoded->specs[i];
        if (spec->payload.size > o->payload_bytes) {
            refuse(v, i, STINT_TOO_LARGE, "a payload is over --payload-max, ", o->payload_bytes);
            return;
        }
        if (!same_place(core->scratch.decoded->specs, i) && !tally_place(core, &t, i, v))
            return;
        if (!(exactly && is_met(core, &t, spec)) && !tally_queue(core, &t, i, v))
            return;
        t.bytes += spec->payload.size + RECORD_FIXED_BYTES + ROW_OVERHEAD_BYTES;
        if (wishes_more(spec) && !tally_wishes(core, &t, spec, i, v))
            return;
    }
    uint64_t backlog = core->book.jobs[STINT_READY] + core->book.jobs[STINT_SCHEDULED] +
        core->book.jobs[STINT_BLOCKED];
    if (t.fresh > 0 && o->max.backlog && backlog + t.fresh > o->max.backlog && !v->beyond)
        refuse_backlog(v, 0, t.fresh > o->max.backlog && !v->patient, STINT_BACKLOG_FULL,
            "the broker holds --backlog-max jobs, ", o->max.backlog);
    else if (!store_has_room(core, t.bytes))
        refuse(v, 0, STINT_STORE_FULL,
            "the store or its disk is full; see --store-size and --disk-free; jobs refused: ",
            m->count);
}

static bool
any_unique(const struct core *core, const struct message *m)
{
    for (uint32_t i = 0; i < m->count; i++)
        if (core->scratch.decoded->specs[i].unique.size > 0)
            return true;
    return false;
}

static void
check_jobs(struct core *core, const struct message *m, struct verdict *v)
{
    tally_jobs(core, m, v, false);
    bool by_room = v->status == STINT_QUEUE_CLOSED || v->status == STINT_QUEUE_FULL ||
        v->status == STINT_BACKLOG_FULL || v->status == STINT_TOO_LARGE;
    if (by_room && any_unique(core, m))
        tally_jobs(core, m, v, true);
}

static void
store_answer(struct core *core, struct peer *peer, uint64_t number, uint64_t hash,
    const struct verdict *v, struct slice rest)
{
    uint8_t key[ANSWER_KEY_BYTES], head[ROW_ANSWER_BYTES];
    const struct row_answer row = {.number = number,
        .hash = hash,
        .status = v->status,
        .index = v->index,
        .runs = v->unique,
        .rest = rest};
    store_put(core->store, STORE_ANSWERS, answer_key(key, peer->session, number),
        row_answer_write(head, &row), rest);
    core->step.written_bytes += sizeof head + rest.size + ROW_OVERHEAD_BYTES;
}

static void
put_start(struct pack_buffer *b, const struct level *level, uint64_t first)
{
    const struct row_start start = {level->queue->number, level->priority, first};
    row_start_write(pack_reserve(b, ROW_START_BYTES), &start);
}

/* A job that is new, or what it meets. */
static enum stint_met
insert_one(
    struct core *core, struct level *level, const struct job_spec *spec, struct after_earlier *made)
{
    struct stint_id failed, *id = &made->id;
    bool fails = false;
    if (spec->unique.size > 0) {
        enum stint_met met = meet_holder(core, level->queue, spec, id);
        made->fresh = false;
        if (met != STINT_MET_NOTHING)
            return met;
    }
    *id = book_id(&core->book, level, level->next++);
    if (spec->after.size > 0)
        fails = after_insert(core, level, id, spec, core->scratch.places->earlier, &failed);
    else
        job_insert(core, level, id, spec);
    core->figures.submitted++;
    if (watch_hears(core))
        watch_submitted(core, level, id, spec->schedule);
    made->fresh = !fails;
    if (fails)
        after_cancel(core, id, &failed);
    return STINT_MET_NOTHING;
}

/* Inserts the jobs, and writes into core->scratch.page where each level began; or, if some have
 * unique keys, the answer. */
static void
insert_jobs(struct core *core, struct peer *peer, const struct message *m, bool unique)
{
    struct runs runs;
    struct level *level = NULL;
    core->scratch.page.used = 0;
    places_begin(core->scratch.places);
    runs_open(&runs, answer_accepted(core, peer, m->number), unique ? &core->scratch.page : NULL);
    for (uint32_t i = 0; i < m->count; i++) {
        const struct job_spec *spec = &core->scratch.decoded->specs[i];
        if (!same_place(core->scratch.decoded->specs, i)) {
            struct place_of_jobs *place = places_find(core->scratch.places, spec, spec->priority);
            if (!place->level) {
                struct queue *q = book_queue_make(&core->book, spec->queue);
                assert(q); /* check_jobs has counted */
                place->level = book_level(&core->book, q, spec->priority, true);
                assert(place->level);
                if (!unique)
                    put_start(&core->scratch.page, place->level, place->level->next);
            }
            level = place->level;
        }
        struct after_earlier *made = &core->scratch.places->earlier[i];
        enum stint_met met = insert_one(core, level, spec, made);
        runs_add(&runs, &made->id, met);
    }
    runs_close(&runs);
}

/* The ids of a resent submission, from where each level began and the jobs in the message. False if
 * they do not fit together. */
static bool
repeat_ids(struct core *core, const struct message *m, struct slice starts, struct runs *runs)
{
    struct place_of_jobs *place = NULL;
    struct stint_id level = {{0}};
    places_begin(core->scratch.places);
    for (uint32_t i = 0; i < m->count; i++) {
        const struct job_spec *spec = &core->scratch.decoded->specs[i];
        if (!same_place(core->scratch.decoded->specs, i)) {
            place = places_find(core->scratch.places, spec, spec->priority);
            if (place->jobs == 0) {
                struct row_start start;
                if (!row_start_take(&starts, &start) || start.priority != spec->priority)
                    return false;
                place->jobs = start.queue; /* here: the queue's number */
                place->next = start.first;
            }
            level = id_make(core->options.broker, place->jobs, spec->priority, 0);
        }
        struct stint_id id = id_plus(level, place->next++);
        runs_add(runs, &id, STINT_MET_NOTHING);
    }
    return starts.size == 0;
}

/* The same, of an answer that was stored as it was given. */
static bool
repeat_runs(const struct message *m, struct slice stored, struct runs *runs)
{
    struct row_run run;
    uint32_t count = 0;
    while (row_run_take(&stored, &run) && count + run.count <= m->count) {
        for (uint32_t i = 0; i < run.count; i++) {
            struct stint_id id = id_plus(run.first, i);
            runs_add(runs, &id, run.met);
        }
        count += run.count;
    }
    return stored.size == 0 && count == m->count;
}

static void
repeat_accepted(
    struct core *core, struct peer *peer, const struct message *m, const struct row_answer *row)
{
    struct runs runs;
    make_room(core, peer);
    size_t begun = peer->answers.submitted.used;
    runs_open(&runs, answer_accepted(core, peer, m->number), NULL);
    if (row->runs ? repeat_runs(m, row->rest, &runs) : repeat_ids(core, m, row->rest, &runs)) {
        runs_close(&runs);
        return;
    }
    peer->answers.submitted.used = begun;
    peer->answers.submitted_count--;
    answer_refused(
        core, peer, m->number, STINT_DAMAGED, 0, text_slice("the stored answer is damaged"));
}

static void
repeat_answer(struct core *core, struct peer *peer, const struct message *m, uint64_t hash)
{
    uint8_t key[ANSWER_KEY_BYTES];
    struct slice value;
    struct row_answer row;
    if (!store_get(core->store, STORE_ANSWERS, answer_key(key, peer->session, m->number), &value)) {
        answer_refused(core, peer, m->number, STINT_SESSION_UNKNOWN, 0,
            text_slice("the peer has confirmed this answer already"));
        return;
    }
    if (!row_answer_read(m->number, value, &row))
        answer_refused(
            core, peer, m->number, STINT_DAMAGED, 0, text_slice("the stored answer is damaged"));
    else if (hash != row.hash)
        answer_refused(core, peer, m->number, STINT_CONFLICT, 0,
            text_slice("a resent submission must be the same bytes"));
    else if (row.status != STINT_OK)
        answer_refused(core, peer, m->number, row.status, row.index, row.rest);
    else
        repeat_accepted(core, peer, m, &row);
}

/* Answers that the peer has confirmed are forgotten, a bounded number at a time. */
static void
prune_answers(struct core *core, struct peer *peer, uint64_t acked)
{
    acked = earlier(acked, peer->submissions.last);
    for (uint32_t n = 0; peer->submissions.pruned < acked && n < PRUNED_A_STEP; n++) {
        uint8_t key[ANSWER_KEY_BYTES];
        store_del(
            core->store, STORE_ANSWERS, answer_key(key, peer->session, ++peer->submissions.pruned));
        peer->submissions.changed = true;
    }
}

/* What this peer may not do at all now, whatever its jobs are. */
static void
check_peer(struct core *core, const struct peer *peer, struct verdict *v)
{
    const struct core_options *o = &core->options;
    if (!peer->submissions.stored && !peer->submissions.changed &&
        core->sessions >= o->max.sessions) {
        sessions_sweep_soon(core);
        refuse(v, 0, STINT_TOO_MANY, "there are --sessions-max client sessions, ", o->max.sessions);
    } else if (peer->submissions.last - peer->submissions.pruned >= LIMIT_SUBMISSIONS_OPEN)
        refuse(v, 0, STINT_TOO_MANY,
            "so many answers of this session were not confirmed by `acked`: ",
            LIMIT_SUBMISSIONS_OPEN);
}

void
submit_refuse(struct core *core, struct peer *peer, const struct message *m,
    enum stint_status status, uint32_t index, const char *why)
{
    answer_refused(core, peer, m->number, status, index, text_slice(why));
    reply_refused(core, peer->number, m, status);
    peer->submissions.refused |= m->number == peer->submissions.last + 1;
}

static void
accept_or_refuse(struct core *core, struct peer *peer, const struct message *m, uint64_t hash)
{
    struct verdict v = {.status = STINT_OK};
    check_peer(core, peer, &v);
    if (v.status == STINT_OK)
        check_jobs(core, m, &v);
    if (v.status != STINT_OK) {
        submit_refuse(core, peer, m, v.status, v.index, v.detail);
        return;
    }
    batches_begin_together(core); /* who holds a key may be damaged, and the last of its batch */
    insert_jobs(core, peer, m, v.unique);
    batches_end_together(core);
    store_answer(core, peer, m->number, hash, &v,
        (struct slice){core->scratch.page.data, core->scratch.page.used});
    peer->submissions.refused = false;
    peer->submissions.last = m->number;
    peer->submissions.changed = true;
    peers_have_output(core, peer);
}

enum stint_status
submit_may(struct core *core, const struct job_spec *spec, bool instead)
{
    const struct message one = {.count = 1};
    struct verdict v = {.status = STINT_OK, .beyond = instead};
    core->scratch.decoded->specs[0] = *spec;
    check_jobs(core, &one, &v);
    return v.status;
}

/* In its queue and level, which are made if they are not there. */
static enum stint_met
make_one(struct core *core, const struct job_spec *spec, struct after_earlier *made)
{
    struct queue *q = book_queue_make(&core->book, spec->queue);
    assert(q); /* submit_may has counted */
    struct level *level = book_level(&core->book, q, spec->priority, true);
    assert(level);
    return insert_one(core, level, spec, made);
}

enum stint_met
submit_job(struct core *core, const struct job_spec *spec, struct stint_id *id)
{
    struct after_earlier made;
    enum stint_met met = make_one(core, spec, &made);
    *id = made.id;
    return met;
}

enum stint_status
submit_may_all(struct core *core, uint32_t count, bool beyond, char why[SUBMIT_DETAIL_BYTES])
{
    const struct message all = {.count = count};
    struct verdict v = {.status = STINT_OK, .beyond = beyond, .patient = true};
    check_jobs(core, &all, &v);
    if (v.status != STINT_OK)
        memcpy(why, v.detail, sizeof v.detail);
    return v.status;
}

void
submit_all(struct core *core, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        (void)make_one(core, &core->scratch.decoded->specs[i], &core->scratch.places->earlier[i]);
}

void
submit_message(struct core *core, struct peer *peer, const struct message *m)
{
    uint64_t number = m->number;
    if (number == 0 || m->count == 0 || !m->submit.jobs.data) {
        reply_refuse(core, peer->number, m, STINT_INVALID,
            "a submit has a number from 1, what is confirmed, and jobs");
        return;
    }
    /* One that is stored is answered as it was, whatever is unread: a refusal would be a lie. */
    if (number > peer->submissions.last && !peers_can_take(core, peer)) {
        submit_refuse(core, peer, m, STINT_TOO_MANY, 0,
            "too much of what was answered is unread: read it, and PING");
        return;
    }
    uint64_t hash = record_check(m->submit.jobs.data, m->submit.jobs.size, 0);
    if (number <= peer->submissions.last)
        repeat_answer(core, peer, m, hash);
    else if (number == peer->submissions.last + 1) {
        prune_answers(core, peer, m->submit.acked);
        accept_or_refuse(core, peer, m, hash);
    } else if (peer->submissions.last == 0 && !peer->submissions.refused)
        answer_refused(core, peer, number, STINT_SESSION_UNKNOWN, 0,
            text_slice("nothing is known of this session"));
    else
        answer_refused(core, peer, number, STINT_OUT_OF_ORDER, peer->submissions.last + 1,
            text_slice("a submission before this one is missing"));
}
