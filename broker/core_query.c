/* Questions: WAIT, GET, LIST and the figures. A question is read-only and repeatable, and each has
 * a bound on what it may read in one step: a list is told in pages.
 */
#include "core_inside.h"

enum {
    PAGE_JOBS = 1000,
    /* Rows that a filter may pass over: in a page, and in a step, which may bring many questions.
     * After that a page has at least a few, so that every list comes to its end. */
    SCANNED_A_PAGE = 20000,
    SCANNED_A_STEP = 10 * SCANNED_A_PAGE,
    SCANNED_AT_LEAST = 50,
    CURSOR_BYTES = 1 + STINT_ID_BYTES, /* place, id */
    /* A description without its body: its texts, 13 numbers, an id, and keys and lengths. */
    INFO_BYTES_MAX = 2 * STINT_NAME_BYTES + STINT_LABEL_BYTES + STINT_ERROR_BYTES + 13 * 10 + 100,
};

void
query_answers(
    struct core *core, struct peer *peer, uint64_t number, const uint32_t *statuses, uint32_t count)
{
    _Static_assert(
        LIMIT_JOBS * 5 + 100 < LIMIT_MESSAGE_BYTES / 8, "statuses of a message fit into one");
    struct pack_buffer *b = outbox_begin(core->out, peer->number);
    message_put_answers(b, number, statuses, count);
    outbox_end(core->out);
}

static uint64_t
wall_of(const struct core *core, uint64_t monotonic_ms)
{
    return clock_told(core, core->wall_ms - (core->now_ms - monotonic_ms));
}

void
query_describe(struct core *core, const struct stint_id *id, enum place place,
    const struct record *r, struct stint_job_info *info)
{
    const struct level *level = book_level_of(&core->book, id);
    const struct lease *lease = place == PLACE_LIVE ? fleet_lease(&core->fleet, id) : NULL;
    *info = (struct stint_job_info){.id = *id, .state = r->state};
    memcpy(info->queue, level->queue->name, sizeof info->queue);
    slice_to_text(info->kind, sizeof info->kind, r->kind);
    slice_to_text(info->error, sizeof info->error, r->error);
    info->attempt = r->attempt;
    info->failures = record_failures(r) - (r->last == LAST_SUCCEEDED);
    info->max_attempts = (uint32_t)record_get(r, FIELD_MAX_ATTEMPTS, DEFAULT_MAX_ATTEMPTS);
    info->submitted_ms = clock_told(core, r->submitted_ms);
    info->due_ms = clock_told(core, record_get(r, FIELD_DUE, 0));
    info->settled_ms = clock_told(core, record_get(r, FIELD_SETTLED, 0));
    info->keep_ms = record_get(r, FIELD_KEEP, core->options.keep_ms);
    info->time_to_run_ms = record_get(r, FIELD_TIME_TO_RUN, 0);
    info->backoff_base_ms = record_get(r, FIELD_BACKOFF_BASE, 0);
    info->backoff_cap_ms = record_get(r, FIELD_BACKOFF_CAP, 0);
    if (r->state == STINT_SUCCEEDED)
        info->result_bytes = r->body_bytes;
    else {
        info->payload_bytes = r->body_bytes;
        info->result_bytes = record_get(r, FIELD_OUTPUT, 0);
    }
    if (lease) {
        info->state = STINT_RUNNING;
        info->attempt = lease->attempt;
        info->started_ms = wall_of(core, lease->dispatched_ms);
        if (lease->worker)
            memcpy(info->worker, lease->worker->name, sizeof info->worker);
    }
}

void
page_begin(struct core *core)
{
    core->page.used = 0;
}

void
page_send(struct core *core, struct peer *peer, enum message_type type, uint64_t number,
    uint32_t count, struct slice cursor)
{
    struct pack_buffer *b = outbox_begin(core->out, peer->number);
    message_put_numbered_elements(
        b, type, number, (struct slice){core->page.data, core->page.used}, count, cursor);
    outbox_end(core->out);
}

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
    _Static_assert(LIMIT_JOBS * INFO_BYTES_MAX + LIMIT_MESSAGE_BYTES / 8 < LIMIT_MESSAGE_BYTES,
        "descriptions of all jobs of a message fit into one");
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

void
query_get(struct core *core, struct peer *peer, const struct message *m)
{
    page_begin(core);
    for (uint32_t i = 0; i < m->count; i++) {
        struct stint_job_info info = {.id = core->room->ids[i]};
        struct record r;
        enum place place = job_find(core, &info.id, &r);
        if (place != PLACE_NONE) {
            query_describe(core, &core->room->ids[i], place, &r, &info);
            add_body(core, &r, m->get.parts, core->page.used, m->count - i, &info);
        }
        message_put_job_info(&core->page, &info);
    }
    page_send(core, peer, MESSAGE_JOBS, m->number, m->count, (struct slice){0});
}

/* Outcomes that are there are told at once; the rest is watched. The answer says which of the ids
 * can't be waited for. */
void
query_wait(struct core *core, struct peer *peer, const struct message *m)
{
    for (uint32_t i = 0; i < m->count; i++) {
        struct stint_id id = core->room->ids[i];
        struct record r;
        enum place place = job_find(core, &id, &r);
        enum stint_status status = STINT_OK;
        if (place == PLACE_NONE)
            status = STINT_NO_SUCH_JOB;
        else if (place == PLACE_SETTLED) {
            struct stint_job_info info;
            query_describe(core, &id, place, &r, &info);
            if (m->wait.results && peer_reads(core, peer))
                add_body(core, &r, PART_RESULT, 0, 0, &info);
            info.payload_bytes = 0;
            watch_put_outcome(core, peer, &info);
        } else if (!fleet_watch(&core->fleet, peer, &id, m->wait.results))
            status = STINT_TOO_MANY;
        core->room->statuses[i] = status;
    }
    query_answers(core, peer, m->number, core->room->statuses, m->count);
}

/* What a LIST asks for, and how far it has come. */
struct listing {
    const struct queue *queue;
    uint32_t states, limit, count, scanned, scanned_most;
    struct slice kind;
    enum place place;
    struct stint_id at;
};

static bool
matches(
    struct core *core, const struct listing *l, const struct record *r, const struct stint_id *id)
{
    enum stint_state state = r->state;
    if (l->place == PLACE_LIVE && book_is_running(&core->book, id))
        state = STINT_RUNNING;
    return (l->states >> state & 1) != 0 &&
        (l->kind.size == 0 ||
            (l->kind.size == r->kind.size &&
                memcmp(l->kind.data, r->kind.data, r->kind.size) == 0));
}

/* Lists from one table; true when it has come to its end. */
static bool
list_place(struct core *core, struct listing *l)
{
    static const enum store_table tables[] = {
        [PLACE_LIVE] = STORE_LIVE, [PLACE_PARKED] = STORE_PARKED, [PLACE_SETTLED] = STORE_SETTLED};
    struct slice key, bytes;
    while (store_seek(core->store, tables[l->place], id_key(&l->at), &key, &bytes)) {
        struct record r;
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
            core->page.used > page_bytes(core))
            return false;
        l->scanned++;
        core->listed++;
        if (job_read(core, tables[l->place], &l->at, &r) && book_level_of(&core->book, &l->at) &&
            matches(core, l, &r, &l->at)) {
            query_describe(core, &l->at, l->place, &r, &info);
            message_put_job_info(&core->page, &info);
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
        [PLACE_PARKED] = STINT_STATE_BIT(STINT_SCHEDULED),
        [PLACE_SETTLED] = STINT_STATE_BIT(STINT_SUCCEEDED) | STINT_STATE_BIT(STINT_DEAD) |
            STINT_STATE_BIT(STINT_CANCELLED_JOB)};
    return (l->states & states[l->place]) != 0;
}

void
query_list(struct core *core, struct peer *peer, const struct message *m)
{
    struct listing l = {.states = m->list.states ? m->list.states : STINT_STATES_ALL,
        .limit = m->list.limit && m->list.limit < PAGE_JOBS ? m->list.limit : PAGE_JOBS,
        .scanned_most = core->listed < SCANNED_A_STEP ? SCANNED_A_PAGE : SCANNED_AT_LEAST,
        .kind = m->list.kind,
        .place = PLACE_LIVE};
    uint8_t cursor[CURSOR_BYTES];
    struct slice next = {0};
    struct slice given = m->list.cursor;
    page_begin(core);
    if (m->list.queue.size && !(l.queue = book_queue(&core->book, m->list.queue))) {
        core_refuse(core, peer->number, m, STINT_NO_SUCH_QUEUE, "no job was ever put into it");
        return;
    }
    struct stint_id begin =
        l.queue ? id_make(core->options.broker, l.queue->number, 255, 0) : (struct stint_id){{0}};
    l.at = begin;
    if (given.size == CURSOR_BYTES && given.data[0] >= PLACE_LIVE &&
        given.data[0] <= PLACE_SETTLED) {
        l.place = (enum place)given.data[0];
        memcpy(l.at.bytes, given.data + 1, STINT_ID_BYTES);
    } else if (given.size) {
        core_refuse(core, peer->number, m, STINT_INVALID, "this cursor was not given by a list");
        return;
    }
    for (; l.place <= PLACE_SETTLED; l.place++, l.at = begin)
        if (wanted(&l) && !list_place(core, &l)) {
            cursor[0] = (uint8_t)l.place;
            memcpy(cursor + 1, l.at.bytes, STINT_ID_BYTES);
            next = (struct slice){cursor, sizeof cursor};
            break;
        }
    page_send(core, peer, MESSAGE_JOBS, m->number, l.count, next);
}

void
query_stats(struct core *core, struct peer *peer, const struct message *m)
{
    struct stint_stats stats;
    core_stats(core, &stats);
    message_put_stats(outbox_begin(core->out, peer->number), m->number, &stats);
    outbox_end(core->out);
}
