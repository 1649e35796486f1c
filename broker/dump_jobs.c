/* Jobs as lines of a dump; the format is told in dump.h. */
#include "dump.h"
#include "links.h"

static struct slice
key_of(const struct stint_id *id)
{
    return (struct slice){id->bytes, STINT_ID_BYTES};
}

static bool
is_running(struct dump *d, const struct stint_id *id)
{
    struct stint_id first = *id;
    struct slice value;
    unsigned bit = id->bytes[STINT_ID_BYTES - 1];
    first.bytes[STINT_ID_BYTES - 1] = 0;
    if (id_compare(&first, &d->block) != 0) {
        struct row_transit row = {.bits = {0}};
        if (store_get(d->store, STORE_TRANSIT, key_of(&first), &value))
            (void)row_transit_read(key_of(&first), value, &row);
        memcpy(d->bits, row.bits, sizeof d->bits);
        d->block = first;
    }
    return (d->bits[bit / 64] >> bit % 64 & 1) != 0;
}

/* The name of the queue that it stands in; NULL: its row is gone or damaged. */
static const char *
queue_of(struct dump *d, const struct stint_id *id)
{
    uint8_t key[QUEUE_KEY_BYTES];
    struct slice value;
    struct row_queue row;
    if (d->queue == id_queue(id) && d->queue != 0)
        return d->name;
    struct slice k = queue_key(key, id_queue(id));
    if (!store_get(d->store, STORE_QUEUES, k, &value) || !row_queue_read(k, value, &row))
        return NULL;
    memcpy(d->name, row.name.data, row.name.size);
    d->name[row.name.size] = '\0';
    d->queue = id_queue(id);
    return d->name;
}

/* `size` bytes from the parts that begin with `part`, as a value; NULL: one is missing or damaged.
 */
static json_t *
from_parts(struct dump *d, const struct stint_id *id, uint32_t part, size_t size)
{
    d->body.used = 0;
    for (; d->body.used < size; part++) {
        uint8_t key[PART_KEY_BYTES];
        struct slice value, piece;
        if (!store_get(d->store, STORE_PARTS, part_key(key, id, part), &value) ||
            !row_part_read(id, part, value, &piece) || piece.size > size - d->body.used)
            return NULL;
        memcpy(pack_reserve(&d->body, piece.size), piece.data, piece.size);
    }
    return dump_bytes(d->body.data, size);
}

static void
put_bytes(json_t *o, const char *name, struct slice bytes)
{
    if (bytes.size > 0)
        json_object_set_new(o, name, dump_bytes(bytes.data, bytes.size));
}

static void
put_number(json_t *o, const char *name, uint64_t value)
{
    if (value > 0)
        json_object_set_new(o, name, dump_number(value));
}

/* False if a part of what belongs to it is missing. */
static bool
put_bodies(struct dump *d, json_t *o, const struct stint_id *id, const struct record *r)
{
    const char *name = r->state == STINT_SUCCEEDED ? "result" : "payload";
    json_t *value;
    if (record_chunked(r)) {
        value = from_parts(d, id, 0, r->body_bytes);
        if (!value)
            return false;
        json_object_set_new(o, name, value);
    } else {
        put_bytes(o, name, r->body);
    }
    if (!record_has(r, FIELD_OUTPUT))
        return true;
    value = from_parts(d, id, OUTPUT_PARTS, record_get(r, FIELD_OUTPUT, 0));
    if (value)
        json_object_set_new(o, "output", value);
    return value != NULL;
}

static void
put_attempts(json_t *o, const struct record *r)
{
    struct slice rest = r->attempts;
    struct attempt_row row = attempts_before(r->submitted_ms);
    if (rest.size == 0)
        return;
    json_t *all = json_array();
    while (attempts_next(&rest, &row))
        json_array_append_new(all,
            json_pack("[o s o o o o]", dump_number(row.attempt), stint_attempt_end_name(row.end),
                dump_number(row.started_ms), dump_number(row.ended_ms),
                dump_bytes(row.worker.data, row.worker.size),
                dump_bytes(row.error.data, row.error.size)));
    json_object_set_new(o, "attempts", all);
}

static void
put_record(json_t *o, const struct record *r)
{
    put_bytes(o, "kind", r->kind);
    put_number(o, "attempt", r->attempt);
    put_number(o, "uncounted", r->uncounted);
    if (r->last != LAST_NONE)
        json_object_set_new(o, "last", json_string(record_last_name(r->last)));
    put_number(o, "submitted_ms", r->submitted_ms);
    for (enum record_field f = 0; f < FIELDS_OPTIONAL; f++)
        if (record_has(r, f) && f != FIELD_OUTPUT && f != FIELD_UNIQUE && f != FIELD_ATTEMPTS &&
            f != FIELD_SCHEDULE && f != FIELD_NEEDS && f != FIELD_GROUP &&
            f != FIELD_PARENT) /* what is said as a whole */
            json_object_set_new(o, record_field_name(f), dump_number(r->optional[f]));
    if (record_has(r, FIELD_SUSPECT))
        json_object_set_new(o, "suspect", json_true());
    if (record_followed(r))
        json_object_set_new(o, "followed", json_true());
    put_bytes(o, "error", r->error);
    put_bytes(o, "unique", r->unique);
    put_bytes(o, "schedule", r->schedule);
    put_bytes(o, "needs", r->needs);
    put_bytes(o, "group", r->group);
    if (record_holds(r))
        json_object_set_new(o, "group_holds", json_true());
    put_attempts(o, r);
}

static void
put_damaged(struct dump *d, const char *id, struct slice value)
{
    dump_line(d,
        json_pack("{ss ss so}", "type", "damaged", "id", id, "bytes",
            dump_bytes(value.data, value.size)));
}

/* Ids of those that it is after, and for which of them it waits. False if they are damaged. */
static bool
put_links(struct dump *d, json_t *o, const struct stint_id *id, const struct record *r)
{
    json_t *after, *waits_for = json_array();
    d->body.used = 0;
    bool whole = links_parents(d->store, id, r, &d->body);
    json_object_set_new(o, "after", after = json_array());
    for (size_t at = 0; at < d->body.used; at += STINT_ID_BYTES) {
        char text[STINT_ID_TEXT_BYTES];
        struct stint_id parent;
        memcpy(parent.bytes, d->body.data + at, STINT_ID_BYTES);
        json_array_append_new(after, json_string(stint_id_format(&parent, text)));
        if (links_wait_for(d->store, &parent, id))
            json_array_append_new(waits_for, json_string(text));
    }
    if (json_array_size(waits_for) > 0)
        json_object_set(o, "waits_for", waits_for);
    json_decref(waits_for);
    return whole;
}

/* What the job that stands there is called. False if that is not found. */
static bool
name_of(struct dump *d, const struct stint_id *key, const struct record *r, struct stint_id *id)
{
    struct slice value;
    *id = *key;
    return !record_moved(r) ||
        (store_get(d->store, STORE_NAMES, key_of(key), &value) &&
            row_name_read(key_of(key), value, id));
}

/* The job whose record stands there; NULL if something of it is damaged. */
static json_t *
job_line(struct dump *d, const struct stint_id *key, struct slice value)
{
    char text[STINT_ID_TEXT_BYTES];
    struct stint_id id;
    struct record r;
    const char *queue = queue_of(d, key);
    if (!queue || !record_decode(&r, key, value) || !name_of(d, key, &r, &id))
        return NULL;
    bool runs = r.state == STINT_READY && is_running(d, key);
    json_t *o = json_pack("{ss ss ss}", "type", "job", "id", stint_id_format(&id, text), "state",
        stint_state_name(runs ? STINT_RUNNING : r.state));
    if (record_moved(&r))
        json_object_set_new(o, "at", json_string(stint_id_format(key, text)));
    json_object_set_new(o, "queue", json_string(queue));
    put_record(o, &r);
    if (put_bodies(d, o, &id, &r) && (!record_has(&r, FIELD_AFTER) || put_links(d, o, &id, &r)))
        return o;
    json_decref(o);
    return NULL;
}

static void
each_job(struct dump *d, struct slice key, struct slice value)
{
    char text[STINT_ID_TEXT_BYTES];
    struct stint_id at;
    if (key.size != STINT_ID_BYTES) {
        d->damaged++;
        return;
    }
    memcpy(at.bytes, key.data, STINT_ID_BYTES);
    json_t *o = job_line(d, &at, value);
    if (o) {
        d->jobs++;
        dump_line(d, o);
        return;
    }
    d->damaged++;
    put_damaged(d, stint_id_format(&at, text), value);
}

static void
each_damaged(struct dump *d, struct slice key, struct slice value)
{
    char text[STINT_ID_TEXT_BYTES];
    struct stint_id id;
    if (key.size != STINT_ID_BYTES)
        return;
    memcpy(id.bytes, key.data, STINT_ID_BYTES);
    put_damaged(d, stint_id_format(&id, text), value);
}

void
dump_jobs(struct dump *d)
{
    dump_each(d, STORE_LIVE, each_job);
    dump_each(d, STORE_PARKED, each_job);
    dump_each(d, STORE_SETTLED, each_job);
    dump_each(d, STORE_DAMAGED, each_damaged);
}
