/* The moves of a job between the tables. Each move changes record, indexes and counts together;
 * nothing else in the core writes a job. A running job's record stands in STORE_LIVE.
 */
#include "job.h"
#include "apart.h"
#include "clock.h"

enum {
    NEIGHBOURS = 1024, /* sequences of a level that share the marks of when they expire */
};

static const enum store_table tables[] = {
    [PLACE_LIVE] = STORE_LIVE, [PLACE_PARKED] = STORE_PARKED, [PLACE_SETTLED] = STORE_SETTLED};

static void
put_parts(struct core *core, const struct stint_id *id, uint32_t part, struct slice body)
{
    uint8_t key[PART_KEY_BYTES], head[ROW_PART_BYTES];
    for (; body.size > 0; part++) {
        struct slice piece = {body.data, earlier(body.size, PART_BYTES)};
        store_put(core->store, STORE_PARTS, part_key(key, id, part),
            row_part_write(head, id, part, piece), piece);
        core->step.written_bytes += piece.size + ROW_OVERHEAD_BYTES;
        body.data += piece.size;
        body.size -= piece.size;
    }
}

static void
del_parts(struct core *core, const struct stint_id *id, uint32_t part)
{
    uint8_t key[PART_KEY_BYTES];
    while (store_del(core->store, STORE_PARTS, part_key(key, id, part)))
        part++;
}

bool
part_read(struct store *store, const struct stint_id *id, uint32_t part, struct slice *piece)
{
    uint8_t key[PART_KEY_BYTES];
    struct slice value;
    return store_get(store, STORE_PARTS, part_key(key, id, part), &value) &&
        row_part_read(id, part, value, piece);
}

/* Puts `size` bytes together from the parts that begin with `part`. */
static bool
read_parts(struct core *core, const struct stint_id *id, uint32_t part, size_t size,
    struct pack_buffer *whole)
{
    whole->used = 0;
    for (; whole->used < size; part++) {
        struct slice piece;
        if (!part_read(core->store, id, part, &piece) || piece.size > size - whole->used)
            return false;
        memcpy(pack_reserve(whole, piece.size), piece.data, piece.size);
    }
    return true;
}

bool
job_body(struct core *core, const struct stint_id *id, const struct record *r, struct slice *body)
{
    *body = r->body;
    if (!record_parted(r))
        return true;
    if (!read_parts(core, id, 0, r->body_bytes, &core->scratch.body))
        return false;
    *body = (struct slice){core->scratch.body.data, core->scratch.body.used};
    return true;
}

bool
job_output(
    struct core *core, const struct stint_id *id, const struct record *r, struct slice *output)
{
    if (!read_parts(core, id, OUTPUT_PARTS, record_get(r, FIELD_OUTPUT, 0), &core->scratch.output))
        return false;
    *output = (struct slice){core->scratch.output.data, core->scratch.output.used};
    return true;
}

void
job_keep_output(struct core *core, const struct stint_id *id, struct record *r, struct slice output)
{
    size_t most = core->options.result_bytes;
    if (output.size > most) /* the end of it says the most */
        output = (struct slice){output.data + output.size - most, most};
    if (output.size == 0)
        return;
    record_set(r, FIELD_OUTPUT, output.size);
    put_parts(core, id, OUTPUT_PARTS, output);
}

void
job_drop_output(struct core *core, const struct stint_id *id, struct record *r)
{
    if (record_has(r, FIELD_OUTPUT))
        del_parts(core, id, OUTPUT_PARTS);
    record_clear(r, FIELD_OUTPUT);
}

static enum stint_state
state_in(
    const struct core *core, enum store_table table, const struct stint_id *id, struct slice bytes)
{
    if (table == STORE_PARKED)
        return STINT_SCHEDULED;
    if (table == STORE_LIVE)
        return book_is_running((struct book *)&core->book, id) ? STINT_RUNNING : STINT_READY;
    unsigned state = bytes.size > 9 ? bytes.data[9] : 0;
    return state < STINT_STATES ? (enum stint_state)state : STINT_UNKNOWN;
}

/* A damaged record is moved to a table of its own, where a person can look at it; its neighbours
 * are served. It is counted and noted, never silently dropped. */
void
job_set_aside(
    struct core *core, enum store_table table, const struct stint_id *id, struct slice bytes)
{
    char text[STINT_ID_TEXT_BYTES];
    struct level *level = book_level_of(&core->book, id);
    enum stint_state state = state_in(core, table, id, bytes);
    memcpy(core->scratch.record, bytes.data, earlier(bytes.size, sizeof core->scratch.record));
    bytes = (struct slice){core->scratch.record, earlier(bytes.size, sizeof core->scratch.record)};
    store_put(core->store, STORE_DAMAGED, id_key(id), bytes, (struct slice){0});
    store_del(core->store, table, id_key(id));
    apart_forget(core, id);
    if (level && state != STINT_UNKNOWN && level->jobs[state] > 0)
        book_count(&core->book, level, state, STINT_UNKNOWN);
    if (state == STINT_RUNNING)
        book_clear_running(&core->book, id);
    core->figures.damaged++;
    core_say(core, NOTE_ERROR, "a damaged record was set aside",
        NOTE_TEXT("job", stint_id_format(id, text)));
}

bool
job_read(struct core *core, enum store_table table, const struct stint_id *id, struct record *r)
{
    struct slice bytes;
    if (!store_get(core->store, table, id_key(id), &bytes))
        return false;
    if (bytes.size <= sizeof core->scratch.record) {
        memcpy(core->scratch.record, bytes.data, bytes.size);
        if (record_decode(r, id, (struct slice){core->scratch.record, bytes.size}))
            return true;
    }
    job_set_aside(core, table, id, bytes);
    return false;
}

enum place
job_find(struct core *core, const struct stint_id *id, struct record *r)
{
    if (!book_level_of(&core->book, id))
        return PLACE_NONE;
    for (enum place p = PLACE_LIVE; p <= PLACE_SETTLED; p++)
        if (job_read(core, tables[p], id, r))
            return p;
    return PLACE_NONE;
}

void
job_write(
    struct core *core, enum store_table table, const struct stint_id *id, const struct record *r)
{
    uint8_t head[RECORD_HEAD_MAX];
    size_t size = record_encode(r, id, head);
    store_put(core->store, table, id_key(id), (struct slice){head, size}, r->body);
    core->step.written_bytes += size + r->body.size + ROW_OVERHEAD_BYTES;
}

void
job_insert(
    struct core *core, struct level *level, const struct stint_id *id, const struct job_spec *spec)
{
    struct record r;
    record_from_spec(&r, spec, core->clocks.wall_ms);
    job_write(core, STORE_LIVE, id, &r);
    if (record_parted(&r))
        put_parts(core, id, 0, spec->payload);
    book_count(&core->book, level, STINT_UNKNOWN, STINT_READY);
}

static void
del_due(struct core *core, const struct stint_id *id, const struct record *r)
{
    uint8_t key[TIME_KEY_BYTES];
    store_del(core->store, STORE_DUE, time_key(key, record_get(r, FIELD_DUE, 0), id));
}

/* Takes the record out of where it stands; its parts stay. */
static void
take_out(struct core *core, const struct stint_id *id, enum place place, const struct record *r)
{
    store_del(core->store, tables[place], id_key(id));
    if (place == PLACE_PARKED)
        del_due(core, id, r);
}

void
job_forget(struct core *core, struct level *level, const struct stint_id *id, enum stint_state from,
    bool parted)
{
    store_del(core->store, STORE_LIVE, id_key(id));
    if (parted)
        del_parts(core, id, 0);
    book_count(&core->book, level, from, STINT_UNKNOWN);
}

struct stint_id
job_neighbourhood(const struct stint_id *id)
{
    struct stint_id first = *id;
    id_set_sequence(&first, id_sequence(id) & ~(uint64_t)(NEIGHBOURS - 1));
    return first;
}

/* When the slot has begun, all of what it is for is over. */
static uint64_t
slot_of(uint64_t expires_ms)
{
    return (expires_ms >> EXPIRY_SLOT_SHIFT) + 1;
}

bool
job_is_marked(struct store *store, const struct stint_id *id, uint64_t expires_ms)
{
    uint8_t key[TIME_KEY_BYTES];
    struct slice nothing;
    struct stint_id first = job_neighbourhood(id);
    return store_get(store, STORE_EXPIRY, time_key(key, slot_of(expires_ms), &first), &nothing);
}

void
job_mark_expiry(
    struct core *core, struct level *level, const struct stint_id *id, uint64_t expires_ms)
{
    uint64_t slot = slot_of(expires_ms);
    struct stint_id first = job_neighbourhood(id);
    if (level->expiry_mark == slot && level->expiry_block == id_sequence(&first))
        return;
    uint8_t key[TIME_KEY_BYTES];
    store_put(core->store, STORE_EXPIRY, time_key(key, slot, &first), (struct slice){0},
        (struct slice){0});
    level->expiry_mark = slot;
    level->expiry_block = id_sequence(&first);
    core->sweeps.expiry_ms = earlier(core->sweeps.expiry_ms, slot << EXPIRY_SLOT_SHIFT);
}

static uint64_t
keep_of(const struct core *core, const struct record *r, enum stint_state state)
{
    uint64_t keep = record_get(r, FIELD_KEEP, core->options.keep_ms);
    if (state == STINT_SUCCEEDED)
        return keep;
    /* Whoever asks to forget successes still wants to see what went wrong. */
    uint64_t least = state == STINT_DEAD ? core->options.keep_dead_ms : core->options.keep_ms;
    return keep > least ? keep : least;
}

void
job_settle(struct core *core, struct level *level, const struct stint_id *id, enum place place,
    enum stint_state from, struct record *r, enum stint_state to, struct slice result)
{
    uint64_t keep_ms = keep_of(core, r, to);
    take_out(core, id, place, r);
    r->state = to;
    record_clear(r, FIELD_DUE);
    record_set(r, FIELD_SETTLED, core->clocks.wall_ms);
    record_clear(r, FIELD_STARTED);
    record_clear(r, FIELD_SUSPECT);
    if (to == STINT_SUCCEEDED && record_parted(r))
        del_parts(core, id, 0);
    if (keep_ms == 0 && to == STINT_SUCCEEDED) {
        book_count(&core->book, level, from, STINT_UNKNOWN);
        return;
    }
    record_set(r, FIELD_EXPIRES, core->clocks.wall_ms + keep_ms);
    if (to == STINT_SUCCEEDED) {
        record_set_body(r, result);
        if (record_parted(r))
            put_parts(core, id, 0, result);
    }
    job_write(core, STORE_SETTLED, id, r);
    job_mark_expiry(core, level, id, core->clocks.wall_ms + keep_ms);
    book_count(&core->book, level, from, to);
}

void
job_park(struct core *core, struct level *level, const struct stint_id *id, enum stint_state from,
    struct record *r, uint64_t due_ms)
{
    uint8_t key[TIME_KEY_BYTES];
    take_out(core, id, PLACE_LIVE, r);
    r->state = STINT_SCHEDULED;
    record_clear(r, FIELD_STARTED);
    record_clear(r, FIELD_SUSPECT);
    record_set(r, FIELD_DUE, due_ms);
    job_write(core, STORE_PARKED, id, r);
    store_put(
        core->store, STORE_DUE, time_key(key, due_ms, id), (struct slice){0}, (struct slice){0});
    core->sweeps.due_ms = earlier(core->sweeps.due_ms, due_ms);
    book_count(&core->book, level, from, STINT_SCHEDULED);
}

void
job_unpark(struct core *core, struct level *level, const struct stint_id *id, struct record *r)
{
    take_out(core, id, PLACE_PARKED, r);
    record_clear(r, FIELD_DUE);
    job_make_ready(core, level, id, STINT_SCHEDULED, r);
}

/* The record stands in STORE_LIVE afterwards, at its old place in dispatch order. */
void
job_make_ready(struct core *core, struct level *level, const struct stint_id *id,
    enum stint_state from, const struct record *r)
{
    struct record ready = *r;
    ready.state = STINT_READY;
    job_write(core, STORE_LIVE, id, &ready);
    book_count(&core->book, level, from, STINT_READY);
    book_ready_at(level, id_sequence(id));
}

void
job_remove_settled(
    struct core *core, struct level *level, const struct stint_id *id, const struct record *r)
{
    store_del(core->store, STORE_SETTLED, id_key(id));
    if (record_parted(r))
        del_parts(core, id, 0);
    if (record_has(r, FIELD_OUTPUT))
        del_parts(core, id, OUTPUT_PARTS);
    book_count(&core->book, level, r->state, STINT_UNKNOWN);
}

static uint64_t
wall_of(const struct core *core, uint64_t monotonic_ms)
{
    return clock_told(core, core->clocks.wall_ms - (core->clocks.now_ms - monotonic_ms));
}

void
job_describe(struct core *core, const struct stint_id *id, enum place place, const struct record *r,
    struct stint_job_info *info)
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
