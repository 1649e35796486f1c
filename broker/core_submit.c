/* SUBMIT: exactly once. A session's submissions are numbered without gaps; the number and its
 * answer are stored in the transaction that inserts the jobs, so that a resent one finds the first
 * answer, be it ids or a refusal. What is stored of an accepted one is only where each level's ids
 * began: the resent message itself says which job went to which level.
 *
 * A message is accepted or refused as a whole, before the store is touched.
 */
#include "core_inside.h"

enum {
    ANSWER_KEY_BYTES = SESSION_BYTES + 8,
    ANSWER_HEAD_BYTES = 24, /* check, hash of the message, status, index */
    ANSWER_START_BYTES = 13, /* queue, priority, first sequence */
    DETAIL_BYTES = 160,
    PRUNED_A_STEP = 4096,
};

struct verdict {
    enum stint_status status;
    uint32_t index;
    char detail[DETAIL_BYTES];
};

static void
answer_key(uint8_t key[ANSWER_KEY_BYTES], const struct peer *peer, uint64_t number)
{
    memcpy(key, peer->session, SESSION_BYTES);
    id_put_be(key + SESSION_BYTES, number, 8);
}

/* Opens an answer in the peer's SUBMITTED message of this step. */
static struct pack_buffer *
answer(struct core *core, struct peer *peer, uint64_t number, enum stint_status status)
{
    struct pack_buffer *b = &peer->submitted;
    core_has_output(core, peer);
    if (peer->submitted_count == LIMIT_JOBS)
        watch_flush_answers(core, peer, MESSAGE_SUBMITTED, b, &peer->submitted_count);
    peer->submitted_count++;
    pack_put_array(b, status == STINT_OK ? 3 : 4);
    pack_put_uint(b, number);
    pack_put_uint(b, status);
    return b;
}

static void
answer_refused(struct core *core, struct peer *peer, uint64_t number, enum stint_status status,
    uint64_t index, struct slice detail)
{
    struct pack_buffer *b = answer(core, peer, number, status);
    pack_put_uint(b, index);
    pack_put_text(b, detail.data, detail.size);
}

/* Runs of consecutive ids, written as they grow. */
struct runs {
    struct pack_buffer *b;
    size_t at;
    uint32_t count, length;
    struct stint_id first;
};

static void
runs_open(struct runs *runs, struct pack_buffer *b)
{
    *runs = (struct runs){.b = b, .at = pack_open_array(b)};
}

static void
runs_end_one(struct runs *runs)
{
    if (runs->length == 0)
        return;
    pack_put_array(runs->b, 2);
    pack_put_bytes(runs->b, runs->first.bytes, STINT_ID_BYTES);
    pack_put_uint(runs->b, runs->length);
    runs->count++;
}

static void
runs_add(struct runs *runs, const struct stint_id *id)
{
    if (runs->length > 0 && id_same_level(id, &runs->first) &&
        id_sequence(id) == id_sequence(&runs->first) + runs->length) {
        runs->length++;
        return;
    }
    runs_end_one(runs);
    runs->first = *id;
    runs->length = 1;
}

static void
runs_close(struct runs *runs)
{
    runs_end_one(runs);
    pack_close_array(runs->b, runs->at, runs->count);
}

static bool
same_name(struct slice a, struct slice b)
{
    return a.data == b.data || (a.size == b.size && memcmp(a.data, b.data, a.size) == 0);
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
    size_t used = 0;
    for (unsigned i = 0; i < 2; i++)
        for (const char *c = parts[i]; *c && used < sizeof v->detail - 1; c++)
            v->detail[used++] = *c;
    v->detail[used] = '\0';
}

/* What the jobs of one message would add. New queues and levels are counted per run of jobs, and
 * jobs for new queues together, which errs on the safe side where a message mixes them. */
struct tally {
    uint64_t bytes;
    uint32_t new_queues, new_levels, for_new;
    struct slice name;
    uint8_t priority;
    struct queue *queue;
};

/* How many jobs of this message so far are for the queue of this one. */
static uint32_t
tally_queue(const struct core *core, struct tally *t)
{
    struct queue *q = t->queue;
    if (!q)
        return ++t->for_new;
    if (q->tallied != core->tallies)
        q->tally = 0;
    q->tallied = core->tallies;
    return ++q->tally;
}

static bool
tally_place(struct core *core, struct tally *t, const struct job_spec *spec, uint32_t i)
{
    bool same_queue = i > 0 && same_name(t->name, spec->queue);
    if (!same_queue) {
        t->name = spec->queue;
        t->queue = book_queue(&core->book, spec->queue);
        t->new_queues += t->queue == NULL;
    }
    if (!same_queue || t->priority != spec->priority) {
        t->priority = spec->priority;
        t->new_levels += !t->queue || !book_level(&core->book, t->queue, spec->priority, false);
    }
    return core->book.queues + t->new_queues <= core->book.queues_max &&
        core->book.levels + t->new_levels <= core->book.levels_max;
}

static void
check_jobs(struct core *core, const struct message *m, struct verdict *v)
{
    const struct core_options *o = &core->options;
    struct tally t = {0};
    core->tallies++;
    v->status = STINT_OK;
    for (uint32_t i = 0; i < m->count; i++) {
        const struct job_spec *spec = &core->room->specs[i];
        if (spec->payload.size > o->payload_bytes) {
            refuse(v, i, STINT_TOO_LARGE, "a payload is over --payload-max, ", o->payload_bytes);
            return;
        }
        if (!tally_place(core, &t, spec, i)) {
            refuse(v, i, STINT_TOO_MANY, "no more queues and priorities than --queues-max, ",
                o->queues_max);
            return;
        }
        uint64_t waits = (t.queue ? t.queue->backlog : 0) + tally_queue(core, &t);
        if (o->queue_backlog_max && waits > o->queue_backlog_max) {
            refuse(v, i, STINT_QUEUE_FULL, "a queue holds --queue-backlog-max jobs, ",
                o->queue_backlog_max);
            return;
        }
        t.bytes += spec->payload.size + RECORD_FIXED_BYTES + 128;
    }
    uint64_t backlog = core->book.jobs[STINT_READY] + core->book.jobs[STINT_SCHEDULED];
    if (o->backlog_max && backlog + m->count > o->backlog_max)
        refuse(v, 0, STINT_BACKLOG_FULL, "the broker holds --backlog-max jobs, ", o->backlog_max);
    else if (2 * t.bytes > core->store->ops->room(core->store))
        refuse(v, 0, STINT_STORE_FULL,
            "the store or its disk is full; see --store-size and --disk-free; jobs refused: ",
            m->count);
}

/* Of a stored answer: its own head and what follows it. */
static uint64_t
answer_check(uint64_t number, const uint8_t head[ANSWER_HEAD_BYTES], struct slice rest)
{
    uint64_t check = record_check(head + 8, ANSWER_HEAD_BYTES - 8, number);
    return rest.size ? record_check(rest.data, rest.size, check) : check;
}

bool
answer_is_whole(uint64_t number, struct slice row)
{
    if (row.size < ANSWER_HEAD_BYTES)
        return false;
    struct slice rest = {row.data + ANSWER_HEAD_BYTES, row.size - ANSWER_HEAD_BYTES};
    return id_get_be(row.data, 8) == answer_check(number, row.data, rest);
}

static void
store_answer(struct core *core, struct peer *peer, uint64_t number, uint64_t hash,
    const struct verdict *v, struct slice rest)
{
    uint8_t key[ANSWER_KEY_BYTES], head[ANSWER_HEAD_BYTES];
    answer_key(key, peer, number);
    id_put_be(head + 8, hash, 8);
    id_put_be(head + 16, v->status, 4);
    id_put_be(head + 20, v->index, 4);
    id_put_be(head, answer_check(number, head, rest), 8);
    store_put(core->store, STORE_ANSWERS, (struct slice){key, sizeof key},
        (struct slice){head, sizeof head}, rest);
}

static void
put_start(struct pack_buffer *b, const struct level *level, uint64_t first)
{
    uint8_t *p = pack_reserve(b, ANSWER_START_BYTES);
    id_put_be(p, level->queue->number, 4);
    p[4] = level->priority;
    id_put_be(p + 5, first, 8);
}

/* Inserts the jobs, and writes into core->page where each level began. */
static void
insert_jobs(struct core *core, struct peer *peer, const struct message *m)
{
    struct runs runs;
    struct level *level = NULL;
    const struct job_spec *last = NULL;
    core->page.used = 0;
    runs_open(&runs, answer(core, peer, m->number, STINT_OK));
    for (uint32_t i = 0; i < m->count; i++) {
        const struct job_spec *spec = &core->room->specs[i];
        if (!last || !same_name(last->queue, spec->queue) || last->priority != spec->priority) {
            struct queue *q = book_queue_make(&core->book, spec->queue);
            level = book_level(&core->book, q, spec->priority, true);
            bool seen = false;
            for (size_t at = 0; at < core->page.used && !seen; at += ANSWER_START_BYTES)
                seen = id_get_be(core->page.data + at, 4) == q->number &&
                    core->page.data[at + 4] == level->priority;
            if (!seen)
                put_start(&core->page, level, level->next);
            last = spec;
        }
        struct stint_id id = book_id(&core->book, level, level->next++);
        job_insert(core, level, &id, spec);
        runs_add(&runs, &id);
        if (core->fleet.subscriptions)
            watch_event(core, STINT_EVENT_SUBMITTED, level, &id, 0);
    }
    runs_close(&runs);
    core->figures.submitted += m->count;
}

/* The ids of a resent submission, from where each level began and the jobs in the message. */
static bool
repeat_ids(struct core *core, struct peer *peer, const struct message *m, struct slice starts)
{
    struct runs runs;
    if (starts.size % ANSWER_START_BYTES != 0)
        return false;
    core->page.used = 0;
    memcpy(pack_reserve(&core->page, starts.size), starts.data, starts.size);
    runs_open(&runs, answer(core, peer, m->number, STINT_OK));
    for (uint32_t i = 0; i < m->count; i++) {
        const struct job_spec *spec = &core->room->specs[i];
        const struct queue *q = book_queue(&core->book, spec->queue);
        for (size_t at = 0; q && at < core->page.used; at += ANSWER_START_BYTES) {
            uint8_t *p = core->page.data + at;
            if (id_get_be(p, 4) != q->number || p[4] != spec->priority)
                continue;
            uint64_t sequence = id_get_be(p + 5, 8);
            struct stint_id id = id_make(core->options.broker, q->number, spec->priority, sequence);
            runs_add(&runs, &id);
            id_put_be(p + 5, sequence + 1, 8);
            break;
        }
    }
    runs_close(&runs);
    return true;
}

static void
repeat_answer(struct core *core, struct peer *peer, const struct message *m, uint64_t hash)
{
    uint8_t key[ANSWER_KEY_BYTES];
    struct slice row;
    answer_key(key, peer, m->number);
    if (!store_get(core->store, STORE_ANSWERS, (struct slice){key, sizeof key}, &row) ||
        row.size < ANSWER_HEAD_BYTES) {
        answer_refused(core, peer, m->number, STINT_SESSION_UNKNOWN, 0,
            text_slice("the peer has confirmed this answer already"));
        return;
    }
    struct slice rest = {row.data + ANSWER_HEAD_BYTES, row.size - ANSWER_HEAD_BYTES};
    enum stint_status status = (enum stint_status)id_get_be(row.data + 16, 4);
    if (!answer_is_whole(m->number, row))
        answer_refused(
            core, peer, m->number, STINT_DAMAGED, 0, text_slice("the stored answer is damaged"));
    else if (hash != id_get_be(row.data + 8, 8))
        answer_refused(core, peer, m->number, STINT_CONFLICT, 0,
            text_slice("a resent submission must be the same bytes"));
    else if (status != STINT_OK)
        answer_refused(core, peer, m->number, status, id_get_be(row.data + 20, 4), rest);
    else if (!repeat_ids(core, peer, m, rest))
        answer_refused(
            core, peer, m->number, STINT_DAMAGED, 0, text_slice("the stored answer is damaged"));
}

/* Answers that the peer has confirmed are forgotten, a bounded number at a time. */
static void
prune_answers(struct core *core, struct peer *peer, uint64_t acked)
{
    acked = earlier(acked, peer->submission);
    for (uint32_t n = 0; peer->pruned < acked && n < PRUNED_A_STEP; n++) {
        uint8_t key[ANSWER_KEY_BYTES];
        answer_key(key, peer, ++peer->pruned);
        store_del(core->store, STORE_ANSWERS, (struct slice){key, sizeof key});
        peer->session_changed = true;
    }
}

static void
accept_or_refuse(struct core *core, struct peer *peer, const struct message *m, uint64_t hash)
{
    struct verdict v = {0};
    check_jobs(core, m, &v);
    if (v.status == STINT_OK) {
        insert_jobs(core, peer, m);
        store_answer(
            core, peer, m->number, hash, &v, (struct slice){core->page.data, core->page.used});
    } else {
        struct slice detail = text_slice(v.detail);
        answer_refused(core, peer, m->number, v.status, v.index, detail);
        store_answer(core, peer, m->number, hash, &v, detail);
        core->figures.refused++;
    }
    peer->submission = m->number;
    peer->session_changed = true;
    core_has_output(core, peer);
}

void
submit_message(struct core *core, struct peer *peer, const struct message *m)
{
    uint64_t number = m->number;
    if (number == 0 || m->count == 0 || !m->submit.jobs.data) {
        core_refuse(core, peer->number, m, STINT_INVALID,
            "a submit has a number from 1, what is confirmed, and jobs");
        return;
    }
    if (!peer->session_stored && core->sessions >= core->options.sessions_max) {
        core_refuse(core, peer->number, m, STINT_TOO_MANY,
            "there are --sessions-max client sessions; try again later");
        return;
    }
    uint64_t hash = record_check(m->submit.jobs.data, m->submit.jobs.size, 0);
    if (number <= peer->submission)
        repeat_answer(core, peer, m, hash);
    else if (number == peer->submission + 1) {
        prune_answers(core, peer, m->submit.acked);
        accept_or_refuse(core, peer, m, hash);
    } else if (peer->submission == 0)
        answer_refused(core, peer, number, STINT_SESSION_UNKNOWN, 0,
            text_slice("nothing is known of this session"));
    else
        answer_refused(core, peer, number, STINT_OUT_OF_ORDER, peer->submission + 1,
            text_slice("a submission before this one is missing"));
}
