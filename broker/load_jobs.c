/* Lines of jobs become records, with all that belongs to them; the contract is in load.h. */
#include "links.h"
#include "load.h"
#include "names.h"

#include <string.h>

static const enum store_table tables[STINT_STATES] = {[STINT_READY] = STORE_LIVE,
    [STINT_RUNNING] = STORE_LIVE,
    [STINT_SCHEDULED] = STORE_PARKED,
    [STINT_SUCCEEDED] = STORE_SETTLED,
    [STINT_DEAD] = STORE_SETTLED,
    [STINT_CANCELLED_JOB] = STORE_SETTLED,
    [STINT_EXPIRED] = STORE_SETTLED,
    [STINT_BLOCKED] = STORE_PARKED};

static struct slice
key_of(const struct stint_id *id)
{
    return (struct slice){id->bytes, STINT_ID_BYTES};
}

static enum record_last
read_last(struct load_line *l)
{
    const char *name = line_text(l, "last", 32);
    for (enum record_last last = LAST_NONE; last <= LAST_OVERTIME; last++)
        if (strcmp(record_last_name(last), name) == 0)
            return last;
    if (*name)
        line_wrong(l, "%s is no way for an attempt to end", name);
    return LAST_NONE;
}

/* One of the attempts that have ended, behind those that are there. False: it is none, or not later
 * than the one before. */
static bool
read_attempt(const json_t *one, struct record *r, uint32_t *last, uint8_t to[ATTEMPTS_BYTES_MAX])
{
    json_int_t attempt, started_ms, ended_ms;
    const char *end;
    json_t *worker, *error;
    if (json_unpack((json_t *)one, "[I s I I o o !]", &attempt, &end, &started_ms, &ended_ms,
            &worker, &error) != 0 ||
        attempt <= *last || attempt > UINT32_MAX || started_ms < 0 || ended_ms < 0)
        return false;
    struct attempt_row row = {.attempt = (uint32_t)attempt,
        .started_ms = (uint64_t)started_ms,
        .ended_ms = (uint64_t)ended_ms};
    uint8_t *name = json_bytes_read(worker, &row.worker.size);
    uint8_t *text = json_bytes_read(error, &row.error.size);
    row.worker.data = name;
    row.error.data = text;
    for (unsigned e = 1; e < STINT_ATTEMPT_ENDS; e++)
        if (strcmp(stint_attempt_end_name((enum stint_attempt_end)e), end) == 0)
            row.end = (enum stint_attempt_end)e;
    bool good = name && text && row.end != 0 && row.worker.size <= LIMIT_LABEL_BYTES &&
        row.error.size <= LIMIT_ATTEMPT_ERROR_BYTES;
    if (good)
        r->attempts = attempts_add(to, r->attempts, r->submitted_ms, &row);
    *last = row.attempt;
    free(name);
    free(text);
    return good;
}

static void
read_attempts(struct load_line *l, struct record *r, uint8_t to[ATTEMPTS_BYTES_MAX])
{
    const json_t *all = json_object_get(l->object, "attempts"), *one;
    uint32_t last = 0;
    size_t i;
    if (all && l->taken_count < LINE_FIELDS_MAX)
        l->taken[l->taken_count++] = "attempts";
    if (all && !json_is_array(all))
        line_wrong(l, "attempts is to be a list");
    json_array_foreach(all, i, one) if (!l->why[0] && !read_attempt(one, r, &last, to)) line_wrong(
        l, "attempts is to be a list of number, end, started_ms, ended_ms, worker and error");
}

static void
read_group(struct load_line *l, enum stint_state state, struct record *r)
{
    bool holds = line_flag(l, "group_holds");
    if (r->group.size > 0 && !group_is_valid(r->group))
        line_wrong(l, "group is no name of one");
    if (holds && (r->group.size == 0 || state != STINT_SCHEDULED))
        line_wrong(l, "group_holds is said of a job that is not to be tried again in a group");
    if (holds && !l->why[0])
        record_hold(r, true);
}

/* All but what is in parts; what is put together goes to `attempts`. */
static void
read_record(struct load_line *l, enum stint_state state, struct record *r,
    uint8_t attempts[ATTEMPTS_BYTES_MAX])
{
    *r = (struct record){.state = state == STINT_RUNNING ? STINT_READY : state,
        .last = read_last(l),
        .attempt = (uint32_t)line_number(l, "attempt", UINT32_MAX),
        .uncounted = (uint32_t)line_number(l, "uncounted", UINT32_MAX),
        .submitted_ms = line_number(l, "submitted_ms", UINT64_MAX),
        .kind = line_bytes(l, "kind", LIMIT_NAME_BYTES),
        .error = line_bytes(l, "error", LIMIT_ERROR_BYTES),
        .unique = line_bytes(l, "unique", LIMIT_UNIQUE_BYTES),
        .schedule = line_bytes(l, "schedule", LIMIT_NAME_BYTES),
        .needs = line_bytes(l, "needs", LIMIT_NEEDS_BYTES),
        .group = line_bytes(l, "group", LIMIT_GROUP_BYTES)};
    read_attempts(l, r, attempts);
    for (enum record_field f = 0; f < FIELDS_OPTIONAL; f++)
        if (f != FIELD_OUTPUT && f != FIELD_UNIQUE && f != FIELD_ATTEMPTS && f != FIELD_SCHEDULE &&
            f != FIELD_NEEDS && f != FIELD_GROUP && f != FIELD_PARENT && record_field_name(f) &&
            line_has(l, record_field_name(f)))
            record_set(r, f, line_number(l, record_field_name(f), UINT64_MAX));
    if (r->unique.size > 0)
        record_set(r, FIELD_UNIQUE, r->unique.size);
    if (r->schedule.size > 0)
        record_set(r, FIELD_SCHEDULE, r->schedule.size);
    if (r->needs.size > 0)
        record_set_needs(r, r->needs);
    if (r->group.size > 0)
        record_set(r, FIELD_GROUP, r->group.size);
    read_group(l, state, r);
    if (line_flag(l, "suspect"))
        record_mark(r, FIELD_SUSPECT);
    if (line_flag(l, "followed"))
        record_mark(r, FIELD_FOLLOWED);
    if (r->needs.size > 0 && !needs_are_canonical(r->needs))
        line_wrong(l, "needs are no labels and amounts in their order");
    if (!name_is_valid(r->kind))
        line_wrong(l, "kind is missing, or is no name");
    if (r->uncounted > r->attempt)
        line_wrong(l, "uncounted is more than attempt");
    if (state == STINT_SCHEDULED && !record_has(r, FIELD_DUE))
        line_wrong(l, "due_ms is missing of a scheduled job");
    if (stint_state_settled(state) && record_has(r, FIELD_START_BY))
        line_wrong(l, "start_by_ms is said of a job that is over");
    if (record_has(r, FIELD_SPENT) && !record_has(r, FIELD_TOTAL))
        line_wrong(l, "spent_ms is said of a job without total_ms");
    if (stint_state_settled(state) && !record_has(r, FIELD_EXPIRES))
        line_wrong(l, "expires_ms is missing of a job that is over");
}

static void
put_parts(struct store *store, const struct stint_id *id, uint32_t part, struct slice body)
{
    uint8_t key[PART_KEY_BYTES], head[ROW_PART_BYTES];
    for (; body.size > 0; part++) {
        struct slice piece = {body.data, body.size < PART_BYTES ? body.size : PART_BYTES};
        store_put(store, STORE_PARTS, part_key(key, id, part),
            row_part_write(head, id, part, piece), piece);
        body.data += piece.size;
        body.size -= piece.size;
    }
}

/* A job, and where it stands: its id says that, unless it was moved. */
struct placed {
    struct stint_id id, at;
    enum stint_state state;
    struct load_links {
        struct stint_id after[LIMIT_AFTER], waits_for[LIMIT_AFTER];
        uint32_t after_count, waits_count;
    } links;
};

/* An array of ids; how many they are. */
static uint32_t
read_ids(struct load_line *l, const char *name, struct stint_id ids[LIMIT_AFTER])
{
    json_t *all = json_object_get(l->object, name), *one;
    size_t i;
    if (all && l->taken_count < LINE_FIELDS_MAX)
        l->taken[l->taken_count++] = name;
    if (json_array_size(all) > LIMIT_AFTER)
        line_wrong(l, "%s are more than %d ids", name, LIMIT_AFTER);
    json_array_foreach(all, i, one)
    {
        const char *text = json_string_value(one);
        if (l->why[0])
            return 0;
        if (!text || stint_id_parse(text, &ids[i]) != STINT_OK)
            line_wrong(l, "%s has one that is no id of a job", name);
    }
    return (uint32_t)json_array_size(all);
}

/* For whom it waits, and waited. */
static void
read_links(struct load_line *l, struct placed *p, struct record *r)
{
    struct load_links *links = &p->links;
    uint32_t found = 0;
    links->after_count = read_ids(l, "after", links->after);
    links->waits_count = read_ids(l, "waits_for", links->waits_for);
    if (links->after_count > 0 && !record_has(r, FIELD_AFTER))
        record_set(r, FIELD_AFTER, 0);
    for (uint32_t i = 0; i < links->waits_count; i++)
        for (uint32_t a = 0; a < links->after_count; a++)
            found += id_compare(&links->waits_for[i], &links->after[a]) == 0;
    if (found != links->waits_count || record_get(r, FIELD_AFTER, 0) != found ||
        (p->state == STINT_BLOCKED) != (found > 0) ||
        record_has(r, FIELD_AFTER) != (links->after_count > 0))
        line_wrong(l, "state, after, waits_for and after_left do not fit together");
}

/* What says where the job is found, by its id and when its time comes. */
static void
put_marks(struct load *load, const struct placed *p, const struct record *r)
{
    uint8_t key[TIME_KEY_BYTES];
    struct slice nothing = {NULL, 0};
    if (record_moved(r))
        names_move(&load->book, &p->id, &p->id, &p->at);
    if (p->state == STINT_SCHEDULED)
        store_put(load->store, STORE_DUE, time_key(key, record_get(r, FIELD_DUE, 0), &p->at),
            nothing, nothing);
    if (stint_state_settled(p->state))
        store_put(load->store, STORE_EXPIRY,
            expiry_key(key, &p->at, record_get(r, FIELD_EXPIRES, 0)), nothing, nothing);
    for (uint32_t i = 0; i < p->links.waits_count; i++) {
        uint8_t follower[FOLLOWER_KEY_BYTES];
        store_put(load->store, STORE_FOLLOWERS,
            follower_key(follower, &p->links.waits_for[i], &p->id), nothing, nothing);
    }
    if (record_has(r, FIELD_START_BY))
        store_put(load->store, STORE_DEADLINES, time_key(key, r->optional[FIELD_START_BY], &p->at),
            nothing, nothing);
    load_member(load, &p->id, r);
    if (p->state == STINT_RUNNING)
        book_set_running(&load->book, &p->at);
}

static void
put_job(struct load *load, const struct placed *p, struct record *r, struct slice body,
    struct slice output)
{
    uint8_t head[RECORD_HEAD_MAX];
    if (output.size > 0)
        record_set(r, FIELD_OUTPUT, output.size);
    if (id_compare(&p->id, &p->at) != 0)
        record_mark(r, FIELD_MOVED);
    if (p->links.after_count > 0)
        (void)links_add(load->store, &p->id, r, p->links.after, p->links.after_count);
    record_set_body(r, body);
    size_t size = record_encode(r, &p->at, head);
    store_put(load->store, tables[p->state], key_of(&p->at), (struct slice){head, size}, r->body);
    if (record_chunked(r))
        put_parts(load->store, &p->id, 0, body);
    put_parts(load->store, &p->id, OUTPUT_PARTS, output);
    put_marks(load, p, r);
}

static bool
stands(struct load *load, const struct stint_id *at)
{
    struct slice value;
    return store_get(load->store, STORE_LIVE, key_of(at), &value) ||
        store_get(load->store, STORE_PARKED, key_of(at), &value) ||
        store_get(load->store, STORE_SETTLED, key_of(at), &value);
}

/* Is there a job of this id? One that stands there and was moved has another. */
static bool
is_known(struct load *load, const struct stint_id *id)
{
    struct slice value;
    return store_get(load->store, STORE_REDIRECTS, key_of(id), &value) ||
        (stands(load, id) && !store_get(load->store, STORE_NAMES, key_of(id), &value));
}

/* Would this id be given again? Its queue or level may be gone by now. */
static bool
is_to_come(struct load *load, const struct stint_id *id)
{
    struct queue *queue = book_queue_by_number(&load->book, id_queue(id));
    const struct level *level =
        queue ? book_level(&load->book, queue, id_priority(id), false) : NULL;
    return id_broker(id) != load->book.broker || (level && id_sequence(id) >= level->next);
}

/* The level that it stands in, after looking whether all that is said of it fits together. */
static struct level *
level_of(struct load *load, const struct placed *p)
{
    struct load_line *l = &load->line;
    const char *queue = line_text(l, "queue", LIMIT_NAME_BYTES);
    struct level *level = l->why[0] ? NULL : book_level_of(&load->book, &p->at);
    if (!level || is_to_come(load, &p->id))
        line_wrong(l,
            "its id is of another broker, of a queue or a priority that no line before names, or "
            "not below the level's next");
    else if (*queue && strcmp(queue, level->queue->name) != 0)
        line_wrong(l, "its id is of the queue %s, not of %s", level->queue->name, queue);
    else if (stands(load, &p->at) || is_known(load, &p->id))
        line_wrong(l, "there is a job of this id already");
    return level;
}

bool
load_job(struct load *load)
{
    struct load_line *l = &load->line;
    uint8_t attempts[ATTEMPTS_BYTES_MAX];
    struct record r;
    struct placed p;
    p.id = line_id(l, "id");
    const char *state_name = line_must_text(l, "state", 32);
    if (stint_state_parse(state_name, &p.state) != STINT_OK || !tables[p.state])
        return line_wrong(l, "%s is no state of a job", state_name);
    p.at = line_has(l, "at") ? line_id(l, "at") : p.id;
    struct level *level = level_of(load, &p);
    read_record(l, p.state, &r, attempts);
    read_links(l, &p, &r);
    struct slice body =
        line_bytes(l, p.state == STINT_SUCCEEDED ? "result" : "payload", LIMIT_BODY_BYTES_MAX);
    struct slice output = line_bytes(l, "output", LIMIT_BODY_BYTES_MAX);
    if (output.size > 0 && p.state != STINT_DEAD)
        line_wrong(l, "output is kept of dead jobs alone");
    if (l->why[0])
        return false;
    put_job(load, &p, &r, body, output);
    load_group_job(load, level, &p.at, &r, p.state == STINT_RUNNING);
    book_count(&load->book, level, STINT_UNKNOWN, p.state);
    load->jobs++;
    return true;
}

bool
load_damaged(struct load *load)
{
    enum { MOST = 1 << 16 };
    struct load_line *l = &load->line;
    struct stint_id id = line_id(l, "id");
    struct slice bytes = line_bytes(l, "bytes", MOST);
    if (l->why[0])
        return false;
    store_put(load->store, STORE_DAMAGED, key_of(&id), bytes, (struct slice){NULL, 0});
    load->damaged++;
    return true;
}

bool
load_ended(struct load *load)
{
    struct load_line *l = &load->line;
    uint8_t bytes[ROW_ENDED_BYTES_MAX];
    struct stint_id id = line_id(l, "id");
    enum stint_state state;
    const char *name = line_must_text(l, "state", 32);
    if (stint_state_parse(name, &state) != STINT_OK || !stint_state_settled(state))
        return line_wrong(l, "%s is no state in which a job ends", name);
    if (l->why[0])
        return false;
    store_put(load->store, STORE_ENDED, key_of(&id), row_ended_write(bytes, &id, state),
        (struct slice){NULL, 0});
    return true;
}

/* Does a job of this id wait or run? */
static bool
is_to_end(struct load *load, const struct stint_id *id)
{
    struct stint_id at = *id;
    struct slice value;
    (void)names_find(&load->book, id, &at);
    return store_get(load->store, STORE_LIVE, key_of(&at), &value) ||
        store_get(load->store, STORE_PARKED, key_of(&at), &value) ||
        store_get(load->store, STORE_ENDED, key_of(id), &value);
}

/* How it has ended, if it has; one that is not there has not ended well. */
static enum stint_state
end_of(struct load *load, const struct stint_id *id)
{
    struct stint_id at = *id;
    struct slice value;
    (void)names_find(&load->book, id, &at);
    enum stint_state state = store_get(load->store, STORE_SETTLED, key_of(&at), &value)
        ? record_state(value)
        : STINT_UNKNOWN;
    return stint_state_settled(state) ? state : STINT_DEAD;
}

/* Nobody is to wait for a job that is over, or not there, as its line was damaged or is missing:
 * those who do are to be told. */
void
load_finish_links(struct load *load)
{
    uint8_t at[FOLLOWER_KEY_BYTES + 1] = {0}, bytes[ROW_ENDED_BYTES_MAX];
    struct slice key, value, from = {at, 1};
    while (store_seek(load->store, STORE_FOLLOWERS, from, &key, &value)) {
        struct stint_id parent;
        memcpy(at, key.data, FOLLOWER_KEY_BYTES);
        at[FOLLOWER_KEY_BYTES] = 0; /* the least key after this one */
        from.size = sizeof at;
        memcpy(parent.bytes, at, STINT_ID_BYTES);
        if (!is_to_end(load, &parent))
            store_put(load->store, STORE_ENDED, key_of(&parent),
                row_ended_write(bytes, &parent, end_of(load, &parent)), (struct slice){NULL, 0});
    }
}
