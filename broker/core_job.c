/* The moves of a job between the tables. Each move changes record, indexes and counts together;
 * nothing else in the core writes a job. A running job's record stands in STORE_LIVE.
 */
#include "core_inside.h"

enum { DUE_KEY_BYTES = 8 + STINT_ID_BYTES, PART_KEY_BYTES = STINT_ID_BYTES + 2 };

static const enum store_table tables[] = {
    [PLACE_LIVE] = STORE_LIVE, [PLACE_PARKED] = STORE_PARKED, [PLACE_SETTLED] = STORE_SETTLED};

static void
part_key(uint8_t key[PART_KEY_BYTES], const struct stint_id *id, uint32_t part)
{
    memcpy(key, id->bytes, STINT_ID_BYTES);
    put_be(key + STINT_ID_BYTES, part, 2);
}

static void
put_parts(struct core *core, const struct stint_id *id, uint32_t part, struct slice body)
{
    uint8_t key[PART_KEY_BYTES], check[8];
    for (; body.size > 0; part++) {
        struct slice piece = {body.data, earlier(body.size, PART_BYTES)};
        part_key(key, id, part);
        put_be(check, record_check(piece.data, piece.size, id_sequence(id) + part), 8);
        store_put(core->store, STORE_PARTS, (struct slice){key, sizeof key},
            (struct slice){check, sizeof check}, piece);
        body.data += piece.size;
        body.size -= piece.size;
    }
}

static void
del_parts(struct core *core, const struct stint_id *id, uint32_t part)
{
    uint8_t key[PART_KEY_BYTES];
    do
        part_key(key, id, part++);
    while (store_del(core->store, STORE_PARTS, (struct slice){key, sizeof key}));
}

bool
part_read(struct store *store, const struct stint_id *id, uint32_t part, struct slice *piece)
{
    uint8_t key[PART_KEY_BYTES];
    struct slice v;
    part_key(key, id, part);
    if (!store_get(store, STORE_PARTS, (struct slice){key, sizeof key}, &v) || v.size <= 8 ||
        get_be(v.data, 8) != record_check(v.data + 8, v.size - 8, id_sequence(id) + part))
        return false;
    *piece = (struct slice){v.data + 8, v.size - 8};
    return true;
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
    if (!read_parts(core, id, 0, r->body_bytes, &core->body))
        return false;
    *body = (struct slice){core->body.data, core->body.used};
    return true;
}

bool
job_output(
    struct core *core, const struct stint_id *id, const struct record *r, struct slice *output)
{
    if (!read_parts(core, id, OUTPUT_PARTS, record_get(r, FIELD_OUTPUT, 0), &core->output))
        return false;
    *output = (struct slice){core->output.data, core->output.used};
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
    memcpy(core->scratch, bytes.data, earlier(bytes.size, sizeof core->scratch));
    bytes = (struct slice){core->scratch, earlier(bytes.size, sizeof core->scratch)};
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
    if (bytes.size <= sizeof core->scratch) {
        memcpy(core->scratch, bytes.data, bytes.size);
        if (record_decode(r, id, (struct slice){core->scratch, bytes.size}))
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
}

void
job_insert(
    struct core *core, struct level *level, const struct stint_id *id, const struct job_spec *spec)
{
    struct record r;
    record_from_spec(&r, spec, core->wall_ms);
    job_write(core, STORE_LIVE, id, &r);
    if (record_parted(&r))
        put_parts(core, id, 0, spec->payload);
    book_count(&core->book, level, STINT_UNKNOWN, STINT_READY);
}

static void
due_key(uint8_t key[DUE_KEY_BYTES], uint64_t due_ms, const struct stint_id *id)
{
    put_be(key, due_ms, 8);
    memcpy(key + 8, id->bytes, STINT_ID_BYTES);
}

static void
del_due(struct core *core, const struct stint_id *id, const struct record *r)
{
    uint8_t key[DUE_KEY_BYTES];
    due_key(key, record_get(r, FIELD_DUE, 0), id);
    store_del(core->store, STORE_DUE, (struct slice){key, sizeof key});
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
    record_set(r, FIELD_SETTLED, core->wall_ms);
    record_clear(r, FIELD_STARTED);
    record_clear(r, FIELD_SUSPECT);
    if (to == STINT_SUCCEEDED && record_parted(r))
        del_parts(core, id, 0);
    watch_settled(core, id, r, result);
    if (keep_ms == 0 && to == STINT_SUCCEEDED) {
        book_count(&core->book, level, from, STINT_UNKNOWN);
        return;
    }
    record_set(r, FIELD_EXPIRES, core->wall_ms + keep_ms);
    if (to == STINT_SUCCEEDED) {
        record_set_body(r, result);
        if (record_parted(r))
            put_parts(core, id, 0, result);
    }
    job_write(core, STORE_SETTLED, id, r);
    sweep_mark_expiry(core, level, id, core->wall_ms + keep_ms);
    book_count(&core->book, level, from, to);
}

void
job_park(struct core *core, struct level *level, const struct stint_id *id, enum stint_state from,
    struct record *r, uint64_t due_ms)
{
    uint8_t key[DUE_KEY_BYTES];
    take_out(core, id, PLACE_LIVE, r);
    r->state = STINT_SCHEDULED;
    record_clear(r, FIELD_STARTED);
    record_clear(r, FIELD_SUSPECT);
    record_set(r, FIELD_DUE, due_ms);
    job_write(core, STORE_PARKED, id, r);
    due_key(key, due_ms, id);
    store_put(core->store, STORE_DUE, (struct slice){key, sizeof key}, (struct slice){0},
        (struct slice){0});
    core->next_due_ms = earlier(core->next_due_ms, due_ms);
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
