/* --dump: all that is stored, a line a row; the format is told in dump.h. One read transaction sees
 * all of it, so it fits together also while a stintd goes on writing.
 */
#include "dump.h"
#include "feed_rows.h"
#include "group_rows.h"
#include "key_files.h"
#include "keys.h"
#include "log.h"
#include "minder.h"
#include "schedule_rows.h"
#include "upkeep.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

static json_t *
hex(const uint8_t *bytes, size_t size)
{
    char text[2 * SESSION_BYTES + 1];
    for (size_t i = 0; i < size && i < SESSION_BYTES; i++)
        (void)snprintf(text + 2 * i, 3, "%02x", bytes[i]);
    return json_string(text);
}

static json_t *
hex_number(uint64_t value)
{
    char text[17];
    (void)snprintf(text, sizeof text, "%016" PRIx64, value);
    return json_string(text);
}

/* ---- rows ---- */

static void
each_queue(struct dump *d, struct slice key, struct slice value)
{
    struct row_queue row;
    if (!row_queue_read(key, value, &row)) {
        d->damaged++;
        return;
    }
    json_t *o = json_pack("{ss sI ss%}", "type", "queue", "number", (json_int_t)row.number, "name",
        row.name.data, row.name.size);
    if (row.paused)
        json_object_set_new(o, "paused", json_true());
    if (row.closed)
        json_object_set_new(o, "closed", json_true());
    if (row.lifo)
        json_object_set_new(o, "lifo", json_true());
    if (row.low_first)
        json_object_set_new(o, "low_first", json_true());
    if (row.running)
        json_object_set_new(o, "running", dump_number(row.running));
    if (row.rate)
        json_object_set_new(o, "rate", dump_number(row.rate));
    if (row.weight)
        json_object_set_new(o, "weight", dump_number(row.weight));
    if (row.backlog_max)
        json_object_set_new(o, "backlog_max", dump_number(row.backlog_max));
    if (row.keep)
        json_object_set_new(o, "keep_ms", dump_number(row.keep - 1));
    if (row.time_to_run_ms)
        json_object_set_new(o, "time_to_run_ms", dump_number(row.time_to_run_ms));
    if (row.group_running)
        json_object_set_new(o, "group_running", dump_number(row.group_running));
    if (row.group_weights)
        json_object_set_new(o, "group_weights", dump_number(row.group_weights));
    if (row.group_rate)
        json_object_set_new(o, "group_rate", dump_number(row.group_rate));
    dump_line(d, o);
}

/* What was counted; what is 0 is left out. */
static void
put_totals(json_t *o, const uint64_t totals[STINT_COUNTS])
{
    for (unsigned i = 0; i < STINT_COUNTS; i++)
        if (totals[i])
            json_object_set_new(o, stint_count_name((enum stint_count)i), dump_number(totals[i]));
}

static void
each_level(struct dump *d, struct slice key, struct slice value)
{
    struct row_level row;
    if (!row_level_read(key, value, &row)) {
        d->damaged++;
        return;
    }
    json_t *o =
        json_pack("{ss sI si so}", "type", "level", "queue", (json_int_t)id_queue(&row.level),
            "priority", (int)id_priority(&row.level), "next", dump_number(row.next));
    put_totals(o, row.totals);
    dump_line(d, o);
}

static void
dump_gone(struct dump *d)
{
    struct slice value;
    uint64_t totals[STINT_COUNTS];
    if (!store_get(d->store, STORE_META, meta_key(META_GONE_TOTALS), &value))
        return;
    if (!row_totals_read(value, totals)) {
        d->damaged++;
        return;
    }
    json_t *o = json_pack("{ss}", "type", "gone");
    put_totals(o, totals);
    dump_line(d, o);
}

static void
each_setting(struct dump *d, struct slice key, struct slice value)
{
    struct row_setting row;
    if (!row_setting_read(key, value, &row)) {
        d->damaged++;
        return;
    }
    json_t *o = json_pack("{ss}", "type", row.of == SETTING_OF_FLEET ? "fleet" : "worker");
    if (row.name.size)
        json_object_set_new(o, "name", dump_bytes(row.name.data, row.name.size));
    if (row.slots != UINT32_MAX)
        json_object_set_new(o, "slots", json_integer(row.slots));
    if (row.paused)
        json_object_set_new(o, "paused", json_true());
    dump_line(d, o);
}

/* What it is to record and keep, not what it has. */
static void
each_feed(struct dump *d, struct slice key, struct slice value)
{
    struct row_feed row;
    if (!row_feed_read(key, value, &row)) {
        d->damaged++;
        return;
    }
    if (row.removed)
        return;
    json_t *o = json_pack("{ss so sI so so so}", "type", "feed", "name",
        dump_bytes(row.name.data, row.name.size), "events", (json_int_t)row.events, "keep_ms",
        dump_number(row.keep_ms), "max_events", dump_number(row.max_events), "max_bytes",
        dump_number(row.max_bytes));
    if (row.queues.size)
        json_object_set_new(o, "queues", dump_bytes(row.queues.data, row.queues.size));
    dump_line(d, o);
}

/* One that goes on is gone on with by whoever serves what is loaded. */
static void
each_bulk(struct dump *d, struct slice key, struct slice value)
{
    struct row_bulk row;
    char text[STINT_ID_TEXT_BYTES];
    json_t *examples = json_array();
    if (!row_bulk_read(key, value, &row)) {
        d->damaged++;
        json_decref(examples);
        return;
    }
    (void)snprintf(text, sizeof text, "%016" PRIx64, row.bulk);
    json_t *o = json_pack("{ss ss ss ss sb si ss% ss% so}", "type", "bulk", "bulk", text, "action",
        stint_bulk_action_name(row.action), "state", stint_bulk_state_name(row.state), "dry",
        row.dry, "priority", row.priority, "queue", (const char *)row.queue.data, row.queue.size,
        "key", (const char *)row.key.data, row.key.size, "filter",
        dump_bytes(row.filter.data, row.filter.size));
    json_object_set_new(o, "began_ms", dump_number(row.began_ms));
    json_object_set_new(o, "ended_ms", dump_number(row.ended_ms));
    json_object_set_new(o, "counted", dump_number(row.counted));
    json_object_set_new(o, "done", dump_number(row.done));
    json_object_set_new(o, "refused", dump_number(row.refused));
    json_object_set_new(o, "status", json_integer(row.status));
    json_object_set_new(o, "at", json_string(stint_id_format(&row.at, text)));
    for (uint32_t i = 0; i < row.examples_count; i++)
        json_array_append_new(examples, json_string(stint_id_format(&row.examples[i], text)));
    json_object_set_new(o, "examples", examples);
    dump_line(d, o);
}

static void
put_id(json_t *o, const char *name, const struct stint_id *id)
{
    static const struct stint_id none;
    char text[STINT_ID_TEXT_BYTES];
    if (id_compare(id, &none) != 0)
        json_object_set_new(o, name, json_string(stint_id_format(id, text)));
}

static void
put_some(json_t *o, const char *name, uint64_t value)
{
    if (value)
        json_object_set_new(o, name, dump_number(value));
}

static void
each_schedule(struct dump *d, struct slice key, struct slice value)
{
    struct row_schedule row;
    if (!row_schedule_read(key, value, &row)) {
        d->damaged++;
        return;
    }
    json_t *o = json_pack("{ss so ss ss so}", "type", "schedule", "name",
        dump_bytes(row.name.data, row.name.size), "missed", stint_missed_name(row.missed),
        "overlap", stint_overlap_name(row.overlap), "job", json_base64(row.job.data, row.job.size));
    if (row.cron.size > 0) {
        json_object_set_new(o, "cron", dump_bytes(row.cron.data, row.cron.size));
        json_object_set_new(o, "zone", dump_bytes(row.zone.data, row.zone.size));
    }
    if (row.paused)
        json_object_set_new(o, "paused", json_true());
    put_some(o, "every_ms", row.every_ms);
    put_some(o, "most", row.most);
    put_some(o, "began_ms", row.began_ms);
    put_some(o, "seen_ms", row.seen_ms);
    put_some(o, "ticked_ms", row.ticked_ms);
    put_some(o, "run", row.run);
    put_some(o, "jobs", row.jobs);
    put_some(o, "skipped", row.skipped);
    put_id(o, "last", &row.last);
    put_id(o, "run_id", &row.run_id);
    dump_line(d, o);
}

static void
each_session(struct dump *d, struct slice key, struct slice value)
{
    struct row_session row;
    if (!row_session_read(key, value, &row)) {
        d->damaged++;
        return;
    }
    json_t *o = json_pack("{ss so so so so}", "type", "session", "session",
        hex(key.data, SESSION_BYTES), "submission", dump_number(row.submission), "pruned",
        dump_number(row.pruned), "used_ms", dump_number(row.used_ms));
    if (row.owner)
        json_object_set_new(o, "owner", hex_number(row.owner));
    dump_line(d, o);
}

/* Is it what is said of an accepted submission, with numbers that JSON has room for? */
static bool
has_starts(const struct row_answer *row)
{
    struct slice rest = row->rest;
    struct row_start start;
    bool fits = row->status == STINT_OK;
    while (fits && row_start_take(&rest, &start))
        fits = start.first <= INT64_MAX;
    return fits && rest.size == 0;
}

static bool
has_runs(const struct row_answer *row)
{
    return row->runs && row->status == STINT_OK && row->rest.size % ROW_RUN_BYTES == 0;
}

static json_t *
runs_of(struct slice rest)
{
    char text[STINT_ID_TEXT_BYTES];
    struct row_run run;
    json_t *all = json_array();
    while (row_run_take(&rest, &run))
        json_array_append_new(
            all, json_pack("[sii]", stint_id_format(&run.first, text), run.count, (int)run.met));
    return all;
}

static json_t *
starts_of(struct slice rest)
{
    struct row_start start;
    json_t *all = json_array();
    while (row_start_take(&rest, &start))
        json_array_append_new(all,
            json_pack(
                "[IiO]", (json_int_t)start.queue, (int)start.priority, dump_number(start.first)));
    return all;
}

static void
each_answer(struct dump *d, struct slice key, struct slice value)
{
    struct row_answer row;
    uint64_t number;
    if (!answer_key_read(key, &number) || !row_answer_read(number, value, &row)) {
        d->damaged++;
        return;
    }
    json_t *o = json_pack("{ss so so so si}", "type", "answer", "session",
        hex(key.data, SESSION_BYTES), "submission", dump_number(number), "hash",
        hex_number(row.hash), "status", (int)row.status);
    if (row.index)
        json_object_set_new(o, "index", json_integer(row.index));
    if (has_runs(&row))
        json_object_set_new(o, "runs", runs_of(row.rest));
    else if (!row.runs && has_starts(&row))
        json_object_set_new(o, "starts", starts_of(row.rest));
    else if (row.rest.size)
        json_object_set_new(o, "text", dump_bytes(row.rest.data, row.rest.size));
    dump_line(d, o);
}

static bool
has_queue(struct dump *d, uint32_t number)
{
    uint8_t key[QUEUE_KEY_BYTES];
    struct slice value;
    return store_get(d->store, STORE_QUEUES, queue_key(key, number), &value);
}

/* Of a group what does not follow from its jobs; and its weight. Turns begin anew. */
static void
each_group(struct dump *d, struct slice key, struct slice value)
{
    enum group_row which;
    uint32_t queue, weight;
    struct slice name;
    struct row_group row;
    bool good = group_key_read(key, &which, &queue, &name);
    if (good && which == GROUP_ROW_WEIGHT && row_group_weight_read(key, value, &weight))
        dump_line(d,
            json_pack("{ss sI so sI}", "type", "group_weight", "queue", (json_int_t)queue, "name",
                dump_bytes(name.data, name.size), "weight", (json_int_t)weight));
    else if (!good || which == GROUP_ROW_WEIGHT ||
        (which == GROUP_ROW_GROUP && !row_group_read(key, value, &row)))
        d->damaged++;
    else if (which == GROUP_ROW_GROUP && row.filled_ms && has_queue(d, queue))
        dump_line(d,
            json_pack("{ss sI so so so}", "type", "group", "queue", (json_int_t)queue, "name",
                dump_bytes(name.data, name.size), "tokens", dump_number(row.tokens), "filled_ms",
                dump_number(row.filled_ms)));
}

static void
each_unique(struct dump *d, struct slice key, struct slice value)
{
    char text[STINT_ID_TEXT_BYTES];
    struct row_unique row;
    if (!row_unique_read(key, value, &row)) {
        d->damaged++;
        return;
    }
    json_t *o = json_pack("{ss sI so ss}", "type", "unique", "queue", (json_int_t)row.queue, "key",
        dump_bytes(row.unique.data, row.unique.size), "id", stint_id_format(&row.id, text));
    if (row.until_ms)
        json_object_set_new(o, "until_ms", dump_number(row.until_ms));
    dump_line(d, o);
}

static void
each_ended(struct dump *d, struct slice key, struct slice value)
{
    char text[STINT_ID_TEXT_BYTES];
    struct stint_id id;
    enum stint_state state;
    if (!row_ended_read(key, value, &id, &state)) {
        d->damaged++;
        return;
    }
    dump_line(d,
        json_pack("{ss ss ss}", "type", "ended", "id", stint_id_format(&id, text), "state",
            stint_state_name(state)));
}

void
dump_store(struct dump *d)
{
    dump_each(d, STORE_QUEUES, each_queue);
    dump_each(d, STORE_LEVELS, each_level);
    dump_gone(d);
    dump_each(d, STORE_GROUPS, each_group);
    dump_each(d, STORE_SETTINGS, each_setting);
    dump_each(d, STORE_FEEDS, each_feed);
    dump_jobs(d);
    dump_each(d, STORE_UNIQUE, each_unique);
    dump_each(d, STORE_ENDED, each_ended);
    dump_each(d, STORE_SESSIONS, each_session);
    dump_each(d, STORE_ANSWERS, each_answer);
    dump_each(d, STORE_BULKS, each_bulk);
    dump_each(d, STORE_SCHEDULES, each_schedule);
    dump_batches(d);
}

/* ---- header and keys ---- */

static bool
meta(struct dump *d, enum meta_row which, uint64_t words[META_WORDS])
{
    struct slice value;
    memset(words, 0, META_WORDS * sizeof *words);
    if (!store_get(d->store, STORE_META, meta_key(which), &value))
        return false;
    bool good = row_meta_read(value, words);
    d->damaged += !good;
    return good;
}

static json_t *
date(uint64_t ms)
{
    char text[40] = "";
    struct tm utc;
    time_t seconds = (time_t)(ms / 1000);
    if (!gmtime_r(&seconds, &utc))
        return json_null();
    size_t used = strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &utc);
    (void)snprintf(text + used, sizeof text - used, ".%03uZ", (unsigned)(ms % 1000));
    return json_string(text);
}

void
dump_header(struct dump *d, const struct seal *seal)
{
    uint64_t words[META_WORDS];
    json_t *o = json_pack("{ss si si ss si}", "type", "header", "stint_dump", DUMP_VERSION,
        "data_format", seal->format, "identity", seal->identity, "broker", seal->broker);
    (void)meta(d, META_EPOCH, words);
    json_object_set_new(o, "epoch", dump_number(words[0]));
    if (meta(d, META_CLOCK, words)) {
        json_object_set_new(o, "clock_ms", dump_number(words[1]));
        json_object_set_new(o, "ahead_ms", json_integer((json_int_t)words[0]));
        json_object_set_new(o, "written", date(words[0] + words[1]));
    }
    if (meta(d, META_LAST_QUEUE, words))
        json_object_set_new(o, "last_queue", dump_number(words[0]));
    dump_line(d, o);
}

static int
is_key(const struct dirent *entry)
{
    const char *end = strrchr(entry->d_name, '.');
    return end && end != entry->d_name && strcmp(end, ".pub") == 0 &&
        strcmp(entry->d_name, "broker.pub") != 0; /* which grants nothing */
}

static void
put_key(struct dump *d, const char *directory, const char *entry)
{
    char path[4096 + 256], why[KEY_WHY_BYTES];
    struct key_file file;
    (void)snprintf(path, sizeof path, "%s/%s", directory, entry);
    if (!key_files_load(path, &file, why)) {
        (void)upkeep_refuse(0, "%s: %s; it is left out", path, why);
        d->damaged++;
        return;
    }
    json_t *o = json_pack("{ss ss% ss}", "type", "key", "name", entry,
        strlen(entry) - strlen(".pub"), "public_key", file.public_key);
    if (file.role[0])
        json_object_set_new(o, "role", json_string(file.role));
    if (file.rights[0])
        json_object_set_new(o, "rights", json_string(file.rights));
    if (file.says_queues)
        json_object_set_new(o, "queues", json_string(file.queues));
    explicit_bzero(&file, sizeof file);
    dump_line(d, o);
}

static void
put_keys(struct dump *d, const char *directory)
{
    struct dirent **found = NULL;
    int count = scandir(directory, &found, is_key, alphasort);
    if (count < 0 && errno != ENOENT && errno != ENOTDIR) {
        (void)upkeep_refuse(0, "can't read %s: %s; keys are left out", directory, strerror(errno));
        d->damaged++;
    }
    for (int i = 0; i < count; i++) {
        put_key(d, directory, found[i]->d_name);
        free(found[i]);
    }
    free(found);
}

int
dump_run(const struct options *o, int signals)
{
    struct source s;
    struct dump d = {.to = stdout};
    minder_start(&(struct minder_options){.signals = signals});
    int rc = source_open(&s, o, o->data, false);
    if (rc)
        return rc;
    minder_reads(s.data.file, o->upkeep.growth_bytes);
    d.store = s.store;
    s.store->ops->begin(s.store);
    dump_header(&d, &s.seal);
    put_keys(&d, o->keys);
    dump_store(&d);
    s.store->ops->abort(s.store);
    uint64_t grown = minder_done_reading();
    source_close(&s);
    dump_line(&d, json_pack("{ss}", "type", "end"));
    pack_buffer_free(&d.body);
    pack_buffer_free(&d.line);
    rc = upkeep_printed();
    if (!rc && d.damaged > 0)
        rc = upkeep_refuse(EX_DATAERR,
            "%" PRIu64 " rows are damaged and not whole in the dump (see --verify)", d.damaged);
    if (!rc)
        log_event(LOG_LEVEL_INFO, "dumped",
            LOG_FIELDS(LOG_TEXT("data", o->data), LOG_NUMBER("jobs", d.jobs),
                LOG_NUMBER("grown_bytes", grown)));
    return rc;
}
