/* The moves of a job between the tables. Each move changes record, indexes and counts together;
 * nothing else in the core writes a job. A running job's record stands in STORE_LIVE.
 */
#include "job.h"
#include "apart.h"
#include "batches.h"
#include "clock.h"
#include "groups.h"
#include "links.h"
#include "marks.h"
#include "names.h"
#include "parts.h"
#include "room.h"
#include "tally.h"
#include "unique.h"

static const enum store_table tables[] = {
    [PLACE_LIVE] = STORE_LIVE, [PLACE_PARKED] = STORE_PARKED, [PLACE_SETTLED] = STORE_SETTLED};

bool
job_body(struct core *core, const struct stint_id *id, const struct record *r, struct slice *body)
{
    *body = r->body;
    if (!record_chunked(r))
        return true;
    if (!parts_read(core, id, 0, r->body_bytes, &core->scratch.body))
        return false;
    *body = (struct slice){core->scratch.body.data, core->scratch.body.used};
    return true;
}

bool
job_output(
    struct core *core, const struct stint_id *id, const struct record *r, struct slice *output)
{
    if (!parts_read(core, id, OUTPUT_PARTS, record_get(r, FIELD_OUTPUT, 0), &core->scratch.output))
        return false;
    *output = (struct slice){core->scratch.output.data, core->scratch.output.used};
    return true;
}

void
job_keep_output(struct core *core, struct job *job, struct slice output)
{
    size_t most = core->options.result_bytes;
    if (output.size > most) /* the end of it says the most */
        output = (struct slice){output.data + output.size - most, most};
    if (output.size == 0)
        return;
    record_set(&job->record, FIELD_OUTPUT, output.size);
    parts_put(core, &job->id, OUTPUT_PARTS, output);
}

static enum stint_state
state_in(
    const struct core *core, enum store_table table, const struct stint_id *id, struct slice bytes)
{
    if (table == STORE_PARKED)
        return record_state(bytes) == STINT_BLOCKED ? STINT_BLOCKED : STINT_SCHEDULED;
    if (table == STORE_LIVE)
        return book_is_running((struct book *)&core->book, id) ? STINT_RUNNING : STINT_READY;
    return record_state(bytes);
}

/* A damaged record is moved to a table of its own, where a person can look at it; its neighbours
 * are served. It is counted and noted, never silently dropped. */
void
job_set_aside(
    struct core *core, enum store_table table, const struct stint_id *key, struct slice bytes)
{
    char text[STINT_ID_TEXT_BYTES];
    struct stint_id id = *key;
    struct level *level = book_level_of(&core->book, key);
    enum stint_state state = state_in(core, table, key, bytes);
    memcpy(core->scratch.record, bytes.data, earlier(bytes.size, sizeof core->scratch.record));
    bytes = (struct slice){core->scratch.record, earlier(bytes.size, sizeof core->scratch.record)};
    if (names_of(&core->book, key, &id))
        names_forget(&core->book, &id, key);
    store_put(core->store, STORE_DAMAGED, id_key(&id), bytes, (struct slice){0});
    store_del(core->store, table, id_key(key));
    apart_forget(core, key);
    if (level && state != STINT_UNKNOWN && level->jobs[state] > 0)
        book_count(&core->book, level, state, STINT_UNKNOWN);
    if (state == STINT_RUNNING)
        book_clear_running(&core->book, key);
    struct lease *lease = fleet_lease(&core->fleet, &id);
    if (lease)
        lease->leased.linked = true; /* its end is not to be believed without a record */
    if (level && table != STORE_SETTLED)
        groups_set_aside(core, level, key, bytes, state);
    links_set_aside(core, &id);
    batches_set_aside(core, &id, table == STORE_SETTLED);
    core->figures.damaged++;
    core_say(core, NOTE_ERROR, "a damaged record was set aside",
        NOTE_TEXT("job", stint_id_format(&id, text)));
}

bool
job_name(struct core *core, const struct stint_id *key, const struct record *r, struct stint_id *id)
{
    *id = *key;
    return !record_moved(r) || names_of(&core->book, key, id);
}

/* Reads the record that stands there into `job->record`, and what the job is called. */
static bool
read_record(struct core *core, enum place place, struct job *job)
{
    struct slice bytes;
    if (!store_get(core->store, tables[place], id_key(&job->key), &bytes))
        return false;
    if (bytes.size <= sizeof core->scratch.record) {
        memcpy(core->scratch.record, bytes.data, bytes.size);
        if (record_decode(
                &job->record, &job->key, (struct slice){core->scratch.record, bytes.size}) &&
            job_name(core, &job->key, &job->record, &job->id)) {
            job->place = place;
            return true;
        }
    }
    job_set_aside(core, tables[place], &job->key, bytes);
    return false;
}

static bool
stand_at(struct core *core, const struct stint_id *key, struct job *job)
{
    job->id = job->key = *key;
    job->place = PLACE_NONE;
    job->lease = NULL;
    job->level = book_level_of(&core->book, &job->key);
    return job->level != NULL;
}

static void
set_state(struct job *job)
{
    if (job->place == PLACE_LIVE)
        job->state = job->lease ? STINT_RUNNING : STINT_READY;
    else if (job->place == PLACE_PARKED)
        job->state = job->record.state == STINT_BLOCKED ? STINT_BLOCKED : STINT_SCHEDULED;
    else
        job->state = job->record.state;
}

bool
job_load(struct core *core, const struct stint_id *key, enum place place, struct job *job)
{
    if (!stand_at(core, key, job) || !read_record(core, place, job))
        return false;
    if (place == PLACE_LIVE)
        job->lease = fleet_lease(&core->fleet, &job->id);
    set_state(job);
    return true;
}

bool
job_of_lease(struct core *core, struct lease *lease, struct job *job)
{
    if (!stand_at(core, &lease->key, job) || !read_record(core, PLACE_LIVE, job))
        return false;
    job->lease = lease;
    job->state = STINT_RUNNING;
    return true;
}

bool
job_find(struct core *core, const struct stint_id *id, struct job *job)
{
    struct stint_id key = *id;
    (void)names_find(&core->book, id, &key);
    if (!stand_at(core, &key, job))
        return false;
    for (enum place p = PLACE_LIVE; p <= PLACE_SETTLED && job->place == PLACE_NONE; p++)
        (void)read_record(core, p, job);
    if (job->place == PLACE_NONE || id_compare(&job->id, id) != 0)
        return false; /* or what stands there is called otherwise */
    if (job->place == PLACE_LIVE)
        job->lease = fleet_lease(&core->fleet, id);
    set_state(job);
    return true;
}

static void
write_record(
    struct core *core, enum place place, const struct stint_id *key, const struct record *r)
{
    uint8_t head[RECORD_HEAD_MAX];
    size_t size = record_encode(r, key, head);
    assert(place != PLACE_NONE);
    store_put(core->store, tables[place], id_key(key), (struct slice){head, size}, r->body);
    core->step.written_bytes += size + r->body.size + ROW_OVERHEAD_BYTES;
}

void
job_write(struct core *core, const struct job *job)
{
    write_record(core, job->place, &job->key, &job->record);
}

/* A worker that was taken the job from may still run it, with what it was given: nothing that it
 * tells of that counts any more. A suspect stays one. */
static void
disown_last(struct record *r)
{
    if (r->last != LAST_LOST && r->last != LAST_LOST_WAITING && r->last != LAST_RETURNED &&
        r->last != LAST_OVERTIME)
        return;
    if (record_suspect(r))
        record_mark(r, FIELD_SUSPECT);
    r->last = LAST_NONE;
    record_clear(r, FIELD_STARTED);
}

void
job_set_payload(struct core *core, struct job *job, struct slice payload)
{
    assert(job->state != STINT_SUCCEEDED);
    if (record_chunked(&job->record))
        parts_del(core, &job->id, 0);
    record_set_body(&job->record, payload);
    if (record_chunked(&job->record))
        parts_put(core, &job->id, 0, payload);
    disown_last(&job->record);
}

uint64_t
job_due(const struct core *core, const struct job_spec *spec)
{
    uint64_t after_ms = core->clocks.wall_ms + spec->delay_ms;
    return spec->due_ms ? later(after_ms, clock_stored(core, spec->due_ms)) : after_ms;
}

/* When a job expires that has not begun, by the broker's time; 0: it does not. */
static uint64_t
start_by_of(const struct core *core, const struct job_spec *spec)
{
    uint64_t by_ms = spec->expires_in_ms ? core->clocks.wall_ms + spec->expires_in_ms : UINT64_MAX;
    if (spec->expires_at_ms)
        by_ms = earlier(by_ms, clock_stored(core, spec->expires_at_ms));
    return by_ms == UINT64_MAX ? 0 : by_ms;
}

/* It stands there and waits: time is to look at it if it may expire. Of one that was handed out the
 * row may be there still, or gone, if its time came meanwhile. */
static void
put_deadline(struct core *core, const struct stint_id *job_key, const struct record *r)
{
    uint8_t key[TIME_KEY_BYTES];
    if (!record_has(r, FIELD_START_BY))
        return;
    uint64_t by_ms = r->optional[FIELD_START_BY];
    store_put(core->store, STORE_DEADLINES, time_key(key, by_ms, job_key), (struct slice){0},
        (struct slice){0});
    core->step.written_bytes += ROW_OVERHEAD_BYTES;
    core->sweeps.deadline_ms = earlier(core->sweeps.deadline_ms, by_ms);
}

static void
del_deadline(struct core *core, const struct stint_id *job_key, const struct record *r)
{
    uint8_t key[TIME_KEY_BYTES];
    if (record_has(r, FIELD_START_BY))
        store_del(
            core->store, STORE_DEADLINES, time_key(key, r->optional[FIELD_START_BY], job_key));
}

void
job_clear_deadline(struct core *core, struct job *job)
{
    del_deadline(core, &job->key, &job->record);
    record_clear(&job->record, FIELD_START_BY);
}

void
job_take_deadline(struct core *core, struct job *job, const struct job_spec *spec)
{
    uint64_t by_ms = start_by_of(core, spec);
    assert(!job->lease && job->place != PLACE_SETTLED);
    if (!record_has(&job->record, FIELD_START_BY))
        return;
    job_clear_deadline(core, job);
    if (by_ms)
        record_set(&job->record, FIELD_START_BY, by_ms);
    put_deadline(core, &job->key, &job->record);
}

/* The record and its row say when it is due. */
static void
schedule(struct core *core, const struct stint_id *job_key, struct record *r, uint64_t due_ms)
{
    uint8_t key[TIME_KEY_BYTES];
    r->state = STINT_SCHEDULED;
    record_set(r, FIELD_DUE, due_ms);
    store_put(core->store, STORE_DUE, time_key(key, due_ms, job_key), (struct slice){0},
        (struct slice){0});
    core->sweeps.due_ms = earlier(core->sweeps.due_ms, due_ms);
}

/* All of it that is not its payload is in the record. */
static void
insert(struct core *core, struct level *level, const struct stint_id *id,
    const struct job_spec *spec, struct record *r)
{
    uint64_t due_ms = spec->delay_ms || spec->due_ms ? job_due(core, spec) : 0;
    bool later = due_ms > core->clocks.wall_ms;
    if (spec->needs.size > 0)
        room_record(core, r, spec);
    if (spec->expires_in_ms || spec->expires_at_ms) {
        record_set(r, FIELD_START_BY, start_by_of(core, spec));
        put_deadline(core, id, r);
    }
    if (later && r->state == STINT_BLOCKED)
        record_set(r, FIELD_DUE, due_ms); /* it is looked at when it waits for nobody any more */
    else if (later)
        schedule(core, id, r, due_ms);
    write_record(core, r->state == STINT_READY ? PLACE_LIVE : PLACE_PARKED, id, r);
    if (record_chunked(r))
        parts_put(core, id, 0, spec->payload);
    if (record_has(r, FIELD_UNIQUE))
        unique_hold(core, level->queue->number, id, r);
    if (record_has(r, FIELD_BATCH))
        batches_join(core, r->optional[FIELD_BATCH], id);
    book_count(&core->book, level, STINT_UNKNOWN, r->state);
    if (record_has(r, FIELD_GROUP) && r->state == STINT_READY)
        groups_offer(core, level, id, r, STINT_UNKNOWN);
    tally_count(core, level, STINT_COUNT_SUBMITTED);
}

void
job_insert(
    struct core *core, struct level *level, const struct stint_id *id, const struct job_spec *spec)
{
    struct record r;
    record_from_spec(&r, spec, core->clocks.wall_ms);
    insert(core, level, id, spec, &r);
}

void
job_insert_after(struct core *core, struct level *level, const struct stint_id *id,
    const struct job_spec *spec, const struct job_after *after)
{
    struct record r;
    record_from_spec(&r, spec, core->clocks.wall_ms);
    record_set(&r, FIELD_AFTER, after->waits);
    if (spec->after_flags)
        record_set(&r, FIELD_AFTER_FLAGS, spec->after_flags);
    core->step.written_bytes += links_add(core->store, id, &r, after->parents, after->count);
    if (after->fate != AFTER_ALL)
        r.state = STINT_BLOCKED;
    insert(core, level, id, spec, &r);
}

/* Takes the record out of where it stands; its parts stay. */
static void
take_out(struct core *core, const struct job *job)
{
    assert(job->place != PLACE_NONE);
    store_del(core->store, tables[job->place], id_key(&job->key));
    if (job->state == STINT_SCHEDULED) {
        uint8_t key[TIME_KEY_BYTES];
        uint64_t due_ms = record_get(&job->record, FIELD_DUE, 0);
        store_del(core->store, STORE_DUE, time_key(key, due_ms, &job->key));
    }
}

/* The job has left where it was, and stands here now. */
static void
enter(struct core *core, struct job *job, enum place place, enum stint_state state)
{
    book_count(&core->book, job->level, job->state, state);
    job->place = place;
    job->state = state;
}

void
job_forget(struct core *core, struct level *level, const struct stint_id *id,
    const struct stint_id *key, enum stint_state from, bool chunked)
{
    store_del(core->store, STORE_LIVE, id_key(key));
    if (chunked)
        parts_del(core, id, 0);
    if (id_compare(id, key) != 0)
        names_forget(&core->book, id, key);
    book_count(&core->book, level, from, STINT_UNKNOWN);
}

/* The job is no more, and its record is out already. */
static void
vanish(struct core *core, struct job *job)
{
    if (record_moved(&job->record))
        names_forget(&core->book, &job->id, &job->key);
    if (record_has(&job->record, FIELD_AFTER))
        links_forget(core, &job->id, &job->record);
    if (record_has(&job->record, FIELD_BATCH))
        batches_leave(core, job->record.optional[FIELD_BATCH], &job->id);
    enter(core, job, PLACE_NONE, STINT_UNKNOWN);
}

uint64_t
job_kept_ms(const struct core *core, const struct job *job)
{
    return record_get(
        &job->record, FIELD_KEEP, queue_keep(job->level->queue, core->options.keep_ms));
}

static uint64_t
keep_of(const struct core *core, const struct job *job, enum stint_state state)
{
    uint64_t keep = job_kept_ms(core, job);
    if (state == STINT_SUCCEEDED)
        return keep;
    /* Whoever asks to forget successes still wants to see what went wrong. */
    uint64_t least = state == STINT_DEAD ? core->options.keep_dead_ms : core->options.keep_ms;
    return keep > least ? keep : least;
}

/* It ends in this state: it waits for none any more, those that wait for it are to be told, and its
 * batch counts it. */
static void
leave_links(struct core *core, struct job *job, enum stint_state to)
{
    if (record_get(&job->record, FIELD_AFTER, 0) > 0) {
        links_cut(core, &job->id, &job->record);
        record_set(&job->record, FIELD_AFTER, 0);
    }
    if (record_followed(&job->record))
        links_ended(core, &job->id, to);
    if (record_has(&job->record, FIELD_BATCH))
        batches_end(core, job->record.optional[FIELD_BATCH], to);
}

static void
count_end(struct core *core, struct level *level, enum stint_state to)
{
    tally_count(core, level,
        to == STINT_SUCCEEDED     ? STINT_COUNT_SUCCEEDED
            : to == STINT_DEAD    ? STINT_COUNT_DEAD
            : to == STINT_EXPIRED ? STINT_COUNT_EXPIRED
                                  : STINT_COUNT_CANCELLED);
}

void
job_settle(struct core *core, struct job *job, enum stint_state to, struct slice result)
{
    struct record *r = &job->record;
    uint64_t keep_ms = keep_of(core, job, to);
    assert(stint_state_settled(to) && job->place != PLACE_SETTLED);
    take_out(core, job);
    groups_part(core, job->level, &job->key, &job->record, job->state);
    job_clear_deadline(core, job);
    unique_leave(core, job->level->queue->number, &job->id, r, to);
    leave_links(core, job, to);
    count_end(core, job->level, to);
    r->state = to;
    record_clear(r, FIELD_DUE);
    record_clear(r, FIELD_READY);
    record_set(r, FIELD_SETTLED, core->clocks.wall_ms);
    record_clear(r, FIELD_STARTED);
    record_clear(r, FIELD_SUSPECT);
    if (to == STINT_SUCCEEDED && record_chunked(r))
        parts_del(core, &job->id, 0);
    if (keep_ms == 0 && to == STINT_SUCCEEDED) {
        vanish(core, job);
        return;
    }
    record_set(r, FIELD_EXPIRES, core->clocks.wall_ms + keep_ms);
    if (to == STINT_SUCCEEDED) {
        record_set_body(r, result);
        if (record_chunked(r))
            parts_put(core, &job->id, 0, result);
    }
    enter(core, job, PLACE_SETTLED, to);
    job_write(core, job);
    marks_put(core, job->level, &job->key, core->clocks.wall_ms + keep_ms);
}

static void
park(struct core *core, struct job *job, uint64_t due_ms, bool again)
{
    struct record *r = &job->record;
    assert(job->place == PLACE_LIVE);
    take_out(core, job);
    if (record_has(r, FIELD_GROUP)) {
        bool holds = again && groups_hold(core, job->level, &job->key, r, job->state);
        if (!holds)
            groups_part(core, job->level, &job->key, &job->record, job->state);
        record_hold(r, holds);
    }
    record_clear(r, FIELD_STARTED);
    record_clear(r, FIELD_READY);
    schedule(core, &job->key, r, due_ms);
    put_deadline(core, &job->key, r);
    enter(core, job, PLACE_PARKED, STINT_SCHEDULED);
    job_write(core, job);
}

void
job_park(struct core *core, struct job *job, uint64_t due_ms)
{
    park(core, job, due_ms, true);
}

void
job_unpark(struct core *core, struct job *job)
{
    assert(job->place == PLACE_PARKED && job->state == STINT_SCHEDULED);
    take_out(core, job);
    record_clear(&job->record, FIELD_DUE);
    job_make_ready(core, job);
}

void
job_unblock(struct core *core, struct job *job)
{
    uint64_t due_ms = record_get(&job->record, FIELD_DUE, 0);
    assert(job->state == STINT_BLOCKED && record_get(&job->record, FIELD_AFTER, 1) == 0);
    take_out(core, job);
    if (due_ms <= core->clocks.wall_ms) {
        record_clear(&job->record, FIELD_DUE);
        job_make_ready(core, job);
        return;
    }
    schedule(core, &job->key, &job->record, due_ms);
    enter(core, job, PLACE_PARKED, STINT_SCHEDULED);
    job_write(core, job);
}

/* It is not its time alone that one waits for that is blocked. */
static void
reschedule_blocked(struct core *core, struct job *job, uint64_t due_ms)
{
    record_clear(&job->record, FIELD_DUE);
    if (due_ms > core->clocks.wall_ms)
        record_set(&job->record, FIELD_DUE, due_ms);
    job_write(core, job);
}

void
job_reschedule(struct core *core, struct job *job, uint64_t due_ms)
{
    if (job->state == STINT_BLOCKED) {
        reschedule_blocked(core, job, due_ms);
        return;
    }
    if (job->place == PLACE_PARKED)
        job_unpark(core, job);
    if (due_ms > core->clocks.wall_ms)
        park(core, job, due_ms, false);
}

void
job_make_ready(struct core *core, struct job *job)
{
    enum stint_state before = job->state;
    bool held = record_holds(&job->record);
    if (held)
        record_hold(&job->record, false);
    job->record.state = STINT_READY;
    record_set(&job->record, FIELD_READY, core->clocks.wall_ms);
    put_deadline(core, &job->key, &job->record);
    enter(core, job, PLACE_LIVE, STINT_READY);
    job_write(core, job);
    if (record_has(&job->record, FIELD_GROUP))
        groups_offer(core, job->level, &job->key, &job->record, held ? STINT_RUNNING : before);
    else
        book_ready_at(job->level, id_sequence(&job->key));
}

void
job_revive(struct core *core, struct job *job)
{
    assert(job->place == PLACE_SETTLED && job->state != STINT_SUCCEEDED);
    take_out(core, job);
    if (record_has(&job->record, FIELD_OUTPUT))
        parts_del(core, &job->id, OUTPUT_PARTS);
    record_clear(&job->record, FIELD_OUTPUT);
    if (record_has(&job->record, FIELD_BATCH))
        batches_revive(core, job->record.optional[FIELD_BATCH], job->state);
    record_clear(&job->record, FIELD_FOLLOWED); /* all were told */
    record_clear(&job->record, FIELD_SETTLED);
    record_clear(&job->record, FIELD_EXPIRES);
    record_clear(&job->record, FIELD_SPENT);
    if (record_has(&job->record, FIELD_UNIQUE))
        unique_hold(core, job->level->queue->number, &job->id, &job->record);
    job_make_ready(core, job);
}

void
job_remove_settled(struct core *core, struct job *job)
{
    assert(job->place == PLACE_SETTLED);
    take_out(core, job);
    if (record_chunked(&job->record))
        parts_del(core, &job->id, 0);
    if (record_has(&job->record, FIELD_OUTPUT))
        parts_del(core, &job->id, OUTPUT_PARTS);
    vanish(core, job);
}

void
job_remove_waiting(struct core *core, struct job *job)
{
    assert(job->place == PLACE_PARKED || (job->place == PLACE_LIVE && !job->lease));
    take_out(core, job);
    groups_part(core, job->level, &job->key, &job->record, job->state);
    job_clear_deadline(core, job);
    unique_leave(core, job->level->queue->number, &job->id, &job->record, STINT_CANCELLED_JOB);
    leave_links(core, job, STINT_CANCELLED_JOB);
    count_end(core, job->level, STINT_CANCELLED_JOB);
    if (record_chunked(&job->record))
        parts_del(core, &job->id, 0);
    vanish(core, job);
    job->record.state = STINT_CANCELLED_JOB;
    job->record.last = LAST_NONE;
    record_clear(&job->record, FIELD_DUE);
    record_set(&job->record, FIELD_SETTLED, core->clocks.wall_ms);
}

/* Large bodies stay where they are: their parts go by the id. */
void
job_move(struct core *core, struct job *job, struct level *level)
{
    struct stint_id from = job->key;
    uint8_t key[TIME_KEY_BYTES];
    uint64_t due_ms = record_get(&job->record, FIELD_DUE, 0);
    assert(job->state != STINT_RUNNING && job->level != level);
    take_out(core, job);
    if (job->state == STINT_READY || job->level->queue != level->queue)
        groups_part(
            core, job->level, &job->key, &job->record, job->state); /* else it keeps its place */
    del_deadline(core, &job->key, &job->record);
    book_count(&core->book, job->level, job->state, STINT_UNKNOWN);
    unique_move(core, job->level->queue->number, level->queue->number, &job->id, &job->record);
    job->level = level;
    job->key = book_id(&core->book, level, level->next++);
    names_move(&core->book, &job->id, &from, &job->key);
    record_mark(&job->record, FIELD_MOVED);
    put_deadline(core, &job->key, &job->record);
    book_count(&core->book, level, STINT_UNKNOWN, job->state);
    job_write(core, job);
    if (job->place == PLACE_LIVE && record_has(&job->record, FIELD_GROUP))
        groups_offer(core, level, &job->key, &job->record, STINT_UNKNOWN);
    else if (job->place == PLACE_LIVE)
        book_ready_at(level, id_sequence(&job->key));
    else if (job->state == STINT_SCHEDULED)
        store_put(core->store, STORE_DUE, time_key(key, due_ms, &job->key), (struct slice){0},
            (struct slice){0});
    else if (job->place == PLACE_SETTLED)
        marks_put(core, level, &job->key, record_get(&job->record, FIELD_EXPIRES, 0));
}
