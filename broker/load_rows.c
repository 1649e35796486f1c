/* Lines of all types but jobs; the contract is in load.h. */
#include "dump.h"
#include "feed_rows.h"
#include "load.h"
#include "rights.h"
#include "schedule_rows.h"
#include "upgrade.h"
#include "upkeep.h"

#include <stdlib.h>
#include <string.h>

static const struct slice nothing;

static bool
take_header(struct load *load)
{
    struct load_line *l = &load->line;
    uint64_t version = line_number(l, "stint_dump", INT32_MAX);
    load->newer = version > DUMP_VERSION;
    if (load->newer)
        return line_wrong(l,
            "the dump has version %d and this stintd knows up to %d; use a newer one", (int)version,
            DUMP_VERSION);
    if (version == 0)
        return line_wrong(l, "stint_dump is missing: this is no dump");
    (void)line_number(l, "data_format", INT32_MAX);
    (void)line_text(l, "written", 64);
    uint8_t identity[16];
    line_hex(l, "identity", identity, sizeof identity);
    const char *text = line_must_text(l, "identity", 32);
    uint16_t broker = (uint16_t)line_must_number(l, "broker", UINT16_MAX);
    load->has_clock = line_has(l, "clock_ms");
    load->has_last_queue = line_has(l, "last_queue");
    load->epoch = line_number(l, "epoch", UINT64_MAX);
    load->clock_ms = line_number(l, "clock_ms", UINT64_MAX);
    load->ahead_ms = line_signed(l, "ahead_ms");
    load->last_queue = line_number(l, "last_queue", UINT32_MAX);
    if (l->why[0])
        return false;
    load->seal = (struct seal){.version = SEAL_VERSION, .format = DATA_FORMAT, .broker = broker};
    memcpy(load->seal.identity, text, strlen(text) + 1);
    load->begun = true;
    book_init(&load->book, load->store, broker, UINT32_MAX, UINT32_MAX);
    return true;
}

static bool
take_queue(struct load *load)
{
    struct load_line *l = &load->line;
    uint8_t key[QUEUE_KEY_BYTES], bytes[ROW_QUEUE_BYTES_MAX];
    const char *name = line_must_text(l, "name", LIMIT_NAME_BYTES);
    struct row_queue row = {.number = (uint32_t)line_must_number(l, "number", UINT32_MAX),
        .name = {(const uint8_t *)name, strlen(name)},
        .paused = line_flag(l, "paused"),
        .closed = line_flag(l, "closed"),
        .lifo = line_flag(l, "lifo"),
        .low_first = line_flag(l, "low_first"),
        .running = (uint32_t)line_number(l, "running", LIMIT_QUEUE_RUNNING),
        .rate = line_number(l, "rate", LIMIT_QUEUE_RATE),
        .weight = (uint32_t)line_number(l, "weight", LIMIT_QUEUE_WEIGHT),
        .backlog_max = (uint32_t)line_number(l, "backlog_max", LIMIT_QUEUE_BACKLOG),
        .time_to_run_ms = line_number(l, "time_to_run_ms", LIMIT_TIME_MS),
        .group_running = (uint32_t)line_number(l, "group_running", LIMIT_GROUP_RUNNING),
        .group_weights = (uint32_t)line_number(l, "group_weights", LIMIT_GROUP_WEIGHTS),
        .group_rate = line_number(l, "group_rate", LIMIT_QUEUE_RATE)};
    if (line_has(l, "keep_ms"))
        row.keep = line_number(l, "keep_ms", LIMIT_TIME_MS) + 1;
    if (!name_is_valid(row.name))
        return line_wrong(l, "%s is no name of a queue", name);
    if (row.number <= load->book.last_number)
        return line_wrong(l, "queues are to stand in the order of their numbers, from 1 on");
    if (book_queue(&load->book, row.name))
        return line_wrong(l, "there is a queue of this name already");
    if (l->why[0])
        return false;
    load->book.last_number = row.number - 1; /* it gives the next one */
    (void)book_queue_make(&load->book, row.name);
    store_put(load->store, STORE_QUEUES, queue_key(key, row.number), row_queue_write(bytes, &row),
        nothing);
    return true;
}

static void
take_totals(struct load_line *l, uint64_t totals[STINT_COUNTS])
{
    for (unsigned i = 0; i < STINT_COUNTS; i++)
        totals[i] = line_number(l, stint_count_name((enum stint_count)i), UINT64_MAX);
}

static bool
take_level(struct load *load)
{
    struct load_line *l = &load->line;
    uint32_t number = (uint32_t)line_must_number(l, "queue", UINT32_MAX);
    uint8_t priority = (uint8_t)line_must_number(l, "priority", UINT8_MAX);
    uint64_t next = line_must_number(l, "next", INT64_MAX), totals[STINT_COUNTS];
    take_totals(l, totals);
    struct queue *queue = book_queue_by_number(&load->book, number);
    if (!queue)
        return line_wrong(l, "no line before names the queue %u", number);
    if (next < 1)
        return line_wrong(l, "next is at least 1");
    if (book_level(&load->book, queue, priority, false))
        return line_wrong(l, "there is a level of this queue and priority already");
    if (l->why[0])
        return false;
    struct level *level = book_level(&load->book, queue, priority, true);
    level->next = next;
    memcpy(level->totals, totals, sizeof totals);
    return true;
}

static bool
take_gone(struct load *load)
{
    struct load_line *l = &load->line;
    uint8_t bytes[ROW_TOTALS_BYTES_MAX];
    uint64_t totals[STINT_COUNTS];
    take_totals(l, totals);
    if (l->why[0])
        return false;
    store_put(load->store, STORE_META, meta_key(META_GONE_TOTALS), row_totals_write(bytes, totals),
        nothing);
    return true;
}

static bool
take_setting(struct load *load, enum setting_of of)
{
    struct load_line *l = &load->line;
    uint8_t key[SETTING_KEY_BYTES_MAX], bytes[ROW_SETTING_BYTES_MAX];
    bool has_slots = line_has(l, "slots");
    uint32_t slots = (uint32_t)line_number(l, "slots", UINT32_MAX - 1);
    struct row_setting row = {.of = of,
        .name = of == SETTING_OF_FLEET ? nothing : line_bytes(l, "name", LIMIT_LABEL_BYTES),
        .slots = has_slots ? slots : UINT32_MAX,
        .paused = line_flag(l, "paused")};
    if (l->why[0])
        return false;
    store_put(load->store, STORE_SETTINGS, setting_key(key, of, row.name),
        row_setting_write(bytes, &row), nothing);
    return true;
}

static bool
take_fleet(struct load *load)
{
    return take_setting(load, SETTING_OF_FLEET);
}

static bool
take_worker(struct load *load)
{
    return take_setting(load, SETTING_OF_WORKER);
}

static bool
has_feed(struct load *load, struct slice name)
{
    uint8_t key[FEED_KEY_BYTES];
    struct slice value;
    struct row_feed row;
    for (uint32_t i = 1; i <= load->feeds; i++) {
        struct slice at = feed_key(key, i);
        if (store_get(load->store, STORE_FEEDS, at, &value) && row_feed_read(at, value, &row) &&
            row.name.size == name.size && memcmp(row.name.data, name.data, name.size) == 0)
            return true;
    }
    return false;
}

/* It begins anew, as its events were not dumped. */
static bool
take_feed(struct load *load)
{
    struct load_line *l = &load->line;
    uint8_t key[FEED_KEY_BYTES], bytes[ROW_FEED_BYTES_MAX];
    char queues[STINT_NAME_BYTES];
    struct row_feed row = {.number = load->feeds + 1,
        .name = line_bytes(l, "name", LIMIT_NAME_BYTES),
        .queues = line_has(l, "queues") ? line_bytes(l, "queues", LIMIT_NAME_BYTES) : nothing,
        .events = (uint32_t)line_number(l, "events", UINT32_MAX),
        .keep_ms = line_number(l, "keep_ms", LIMIT_TIME_MS),
        .max_events = line_number(l, "max_events", LIMIT_FEED_EVENTS),
        .max_bytes = line_number(l, "max_bytes", LIMIT_FEED_BYTES),
        .life = feed_life(),
        .first = 1,
        .next = 1};
    slice_to_text(queues, sizeof queues, row.queues);
    if (!l->why[0] && (!name_is_valid(row.name) || !pattern_is_valid(queues)))
        line_wrong(l, "%s is no feed that there can be", "it");
    if (!l->why[0] && load->feeds == LIMIT_FEEDS)
        line_wrong(l, "there are more than %s feeds", "16");
    if (!l->why[0] && has_feed(load, row.name))
        line_wrong(l, "%s stands there twice", "this feed");
    if (l->why[0])
        return false;
    load->feeds++;
    store_put(
        load->store, STORE_FEEDS, feed_key(key, row.number), row_feed_write(bytes, &row), nothing);
    return true;
}

/* As a key file it is to say what the line said. */
static bool
is_whole(const struct key_file *file)
{
    static char text[KEY_FILE_BYTES];
    char why[KEY_WHY_BYTES];
    struct key_file again = {.role = ""};
    size_t size = key_file_write(file, false, text);
    return key_file_read(text, size, &again, why) &&
        strcmp(file->public_key, again.public_key) == 0 && strcmp(file->role, again.role) == 0 &&
        strcmp(file->rights, again.rights) == 0 && strcmp(file->queues, again.queues) == 0 &&
        file->says_queues == again.says_queues;
}

static void
copy_text(char *to, size_t size, const char *text)
{
    memcpy(to, text, strlen(text) < size ? strlen(text) + 1 : 0);
}

static bool
take_key(struct load *load)
{
    struct load_line *l = &load->line;
    struct loaded_key key = {.file.says_queues = line_has(l, "queues")};
    struct key_file *f = &key.file;
    copy_text(key.name, sizeof key.name, line_must_text(l, "name", LIMIT_NAME_BYTES));
    copy_text(f->public_key, KEY_TEXT_BYTES, line_must_text(l, "public_key", KEY_TEXT_BYTES - 1));
    copy_text(f->role, KEY_WORD_BYTES, line_text(l, "role", KEY_WORD_BYTES - 1));
    copy_text(f->rights, KEY_WORD_BYTES, line_text(l, "rights", KEY_WORD_BYTES - 1));
    copy_text(f->queues, KEY_QUEUES_BYTES, line_text(l, "queues", KEY_QUEUES_BYTES - 1));
    if (!l->why[0] && !key_name_is_valid(key.name))
        line_wrong(l, "%s is no name of a key", key.name);
    for (size_t i = 0; i < load->keys_count; i++)
        if (strcmp(load->keys[i].name, key.name) == 0)
            line_wrong(l, "there is a key of this name already");
    if (!l->why[0] && !is_whole(f))
        line_wrong(l, "it is no key that a file can hold");
    if (l->why[0])
        return false;
    load->keys = realloc(load->keys, (load->keys_count + 1) * sizeof key);
    if (!load->keys)
        abort();
    load->keys[load->keys_count++] = key;
    return true;
}

/* ---- what is known of clients ---- */

static bool
take_session(struct load *load)
{
    struct load_line *l = &load->line;
    uint8_t session[SESSION_BYTES], owner[8] = {0}, bytes[ROW_SESSION_BYTES_MAX];
    struct slice value;
    line_hex(l, "session", session, SESSION_BYTES);
    if (line_has(l, "owner"))
        line_hex(l, "owner", owner, sizeof owner);
    struct row_session row = {.submission = line_number(l, "submission", UINT64_MAX),
        .pruned = line_number(l, "pruned", UINT64_MAX),
        .used_ms = line_number(l, "used_ms", UINT64_MAX),
        .owner = get_be(owner, 8)};
    if (row.pruned > row.submission)
        return line_wrong(l, "pruned is more than submission");
    if (l->why[0])
        return false;
    if (store_get(load->store, STORE_SESSIONS, session_key(session), &value))
        return line_wrong(l, "there is a session of this name already");
    store_put(load->store, STORE_SESSIONS, session_key(session),
        row_session_write(bytes, session, &row), nothing);
    load->sessions++;
    return true;
}

/* A name's number, as `name_of` has it for those from 1 to `most`; 0 after saying that it is none.
 */
static unsigned
read_word(struct load_line *l, const char *field, const char *(*name_of)(unsigned), unsigned most)
{
    const char *word = line_must_text(l, field, 16);
    for (unsigned i = 1; i <= most && !l->why[0]; i++)
        if (strcmp(name_of(i), word) == 0)
            return i;
    line_wrong(l, "%s is not known", field);
    return 0;
}

static const char *
action_name(unsigned number)
{
    return stint_bulk_action_name((enum stint_bulk_action)number);
}

static const char *
state_name(unsigned number)
{
    return stint_bulk_state_name((enum stint_bulk_state)number);
}

static void
read_examples(struct load_line *l, struct row_bulk *row)
{
    json_t *all = json_object_get(l->object, "examples"), *one;
    size_t i;
    if (l->taken_count < LINE_FIELDS_MAX)
        l->taken[l->taken_count++] = "examples";
    if (json_array_size(all) > BULK_EXAMPLES)
        line_wrong(l, "there are more than %d examples", BULK_EXAMPLES);
    json_array_foreach(all, i, one)
    {
        const char *text = json_string_value(one);
        if (l->why[0])
            return;
        if (!text || stint_id_parse(text, &row->examples[i]) != STINT_OK)
            line_wrong(l, "an example is no id of a job");
        row->examples_count++;
    }
}

static void
read_bulk(struct load_line *l, struct row_bulk *row)
{
    const char *queue = line_text(l, "queue", LIMIT_NAME_BYTES);
    row->action = (enum stint_bulk_action)read_word(l, "action", action_name, STINT_BULK_PRIORITY);
    row->state = (enum stint_bulk_state)read_word(l, "state", state_name, STINT_BULK_STOPPED);
    row->dry = line_flag(l, "dry");
    row->priority = (uint8_t)line_number(l, "priority", UINT8_MAX);
    row->queue = (struct slice){(const uint8_t *)queue, strlen(queue)};
    row->key = line_bytes(l, "key", LIMIT_LABEL_BYTES);
    row->filter = line_bytes(l, "filter", FILTER_BYTES_MAX);
    row->began_ms = line_must_number(l, "began_ms", UINT64_MAX);
    row->ended_ms = line_number(l, "ended_ms", UINT64_MAX);
    row->counted = line_number(l, "counted", UINT64_MAX);
    row->done = line_number(l, "done", UINT64_MAX);
    row->refused = line_number(l, "refused", UINT64_MAX);
    row->status = (enum stint_status)line_number(l, "status", UINT16_MAX);
    row->at = line_id(l, "at");
    read_examples(l, row);
}

static bool
take_bulk(struct load *load)
{
    struct load_line *l = &load->line;
    uint8_t number[8], key[BULK_KEY_BYTES], bytes[ROW_BULK_BYTES_MAX];
    struct row_bulk row = {.bulk = 0}, back;
    struct slice value;
    line_hex(l, "bulk", number, sizeof number);
    row.bulk = get_be(number, 8);
    read_bulk(l, &row);
    if (l->why[0])
        return false;
    value = row_bulk_write(bytes, &row);
    if (row.bulk == 0 || row.began_ms == 0 ||
        (row.state >= STINT_BULK_DONE) != (row.ended_ms != 0) ||
        !row_bulk_read(bulk_key(key, row.bulk), value, &back))
        return line_wrong(l, "it is no operation that there can be");
    store_put(load->store, STORE_BULKS, bulk_key(key, row.bulk), value, nothing);
    return true;
}

static bool
take_unique(struct load *load)
{
    struct load_line *l = &load->line;
    uint8_t key[UNIQUE_KEY_BYTES_MAX], end[UNIQUE_END_BYTES_MAX], bytes[ROW_UNIQUE_BYTES_MAX];
    struct slice value;
    struct row_unique row = {.queue = (uint32_t)line_must_number(l, "queue", UINT32_MAX),
        .unique = line_bytes(l, "key", LIMIT_UNIQUE_BYTES),
        .id = line_id(l, "id"),
        .until_ms = line_number(l, "until_ms", UINT64_MAX)};
    if (l->why[0])
        return false;
    bool gone = !book_queue_by_number(&load->book, row.queue);
    if (row.unique.size == 0 || (gone && !row.until_ms))
        return line_wrong(l, "its key is empty, or of a queue that no line before names");
    if (gone) /* its queue was removed meanwhile, and its number is not given again */
        return true;
    struct slice k = unique_key(key, row.queue, row.unique);
    if (store_get(load->store, STORE_UNIQUE, k, &value))
        return line_wrong(l, "this key is held already");
    store_put(load->store, STORE_UNIQUE, k, row_unique_write(bytes, &row), nothing);
    if (row.until_ms)
        store_put(load->store, STORE_UNIQUE_ENDS, unique_end(end, &row), nothing, nothing);
    return true;
}

static const char *
missed_name(unsigned number)
{
    return stint_missed_name((enum stint_missed)number);
}

static const char *
overlap_name(unsigned number)
{
    return stint_overlap_name((enum stint_overlap)number);
}

static struct row_schedule
read_schedule(struct load_line *l)
{
    struct row_schedule row = {.name = line_bytes(l, "name", LIMIT_NAME_BYTES),
        .cron = line_bytes(l, "cron", CRON_TEXT_BYTES - 1),
        .zone = line_bytes(l, "zone", ZONE_NAME_BYTES - 1),
        .job = line_bytes(l, "job", LIMIT_SCHEDULE_JOB_BYTES),
        .every_ms = line_number(l, "every_ms", LIMIT_TIME_MS),
        .missed = (enum stint_missed)read_word(l, "missed", missed_name, STINT_MISSED_ALL),
        .most = (uint32_t)line_number(l, "most", LIMIT_MISSED),
        .overlap = (enum stint_overlap)read_word(l, "overlap", overlap_name, STINT_OVERLAP_REPLACE),
        .paused = line_flag(l, "paused"),
        .began_ms = line_must_number(l, "began_ms", UINT64_MAX),
        .seen_ms = line_must_number(l, "seen_ms", UINT64_MAX),
        .ticked_ms = line_number(l, "ticked_ms", UINT64_MAX),
        .run = line_number(l, "run", UINT64_MAX),
        .jobs = line_number(l, "jobs", UINT64_MAX),
        .skipped = line_number(l, "skipped", UINT64_MAX)};
    if (line_has(l, "last"))
        row.last = line_id(l, "last");
    if (line_has(l, "run_id"))
        row.run_id = line_id(l, "run_id");
    return row;
}

static bool
take_schedule(struct load *load)
{
    struct load_line *l = &load->line;
    uint8_t head[SCHEDULE_BEFORE_JOB_MAX];
    static uint8_t whole[SCHEDULE_BEFORE_JOB_MAX + LIMIT_SCHEDULE_JOB_BYTES];
    struct row_schedule row = read_schedule(l), back;
    struct job_spec spec;
    struct cron cron;
    struct slice value;
    const char *why;
    char text[CRON_TEXT_BYTES];
    if (l->why[0])
        return false;
    slice_to_text(text, sizeof text, row.cron);
    if (row.job.size == 0 || !message_read_job(row.job, &spec) ||
        (row.cron.size > 0 && !cron_parse(text, &cron, &why)))
        return line_wrong(l, "its job or its expression is none");
    struct slice before = row_schedule_write(head, &row);
    memcpy(whole, before.data, before.size);
    memcpy(whole + before.size, row.job.data, row.job.size);
    if (!row_schedule_read(row.name, (struct slice){whole, before.size + row.job.size}, &back))
        return line_wrong(l, "it is no schedule that there can be");
    if (store_get(load->store, STORE_SCHEDULES, schedule_key(row.name), &value))
        return line_wrong(l, "there is a schedule of this name already");
    store_put(load->store, STORE_SCHEDULES, schedule_key(row.name), before, row.job);
    return true;
}

/* Runs of ids, as an answer has them. */
static struct slice
read_runs(struct load_line *l, uint8_t *bytes)
{
    json_t *all = json_object_get(l->object, "runs"), *one;
    size_t i, used = 0;
    if (l->taken_count < LINE_FIELDS_MAX)
        l->taken[l->taken_count++] = "runs";
    json_array_foreach(all, i, one)
    {
        const char *text;
        json_int_t count, met;
        struct row_run run;
        if (i >= LIMIT_JOBS || json_unpack(one, "[sII!]", &text, &count, &met) != 0 || count < 1 ||
            count > LIMIT_JOBS || met < 0 || met > STINT_MET_CHANGED ||
            stint_id_parse(text, &run.first) != STINT_OK) {
            line_wrong(l, "runs is to be a list of first id, count and what was met");
            break;
        }
        run.count = (uint16_t)count;
        run.met = (enum stint_met)met;
        row_run_write(bytes + used, &run);
        used += ROW_RUN_BYTES;
    }
    return (struct slice){bytes, used};
}

/* The starts of levels, as an answer has them. */
static struct slice
read_starts(struct load_line *l, uint8_t *bytes)
{
    json_t *all = json_object_get(l->object, "starts"), *one;
    size_t i, used = 0;
    if (l->taken_count < LINE_FIELDS_MAX)
        l->taken[l->taken_count++] = "starts";
    json_array_foreach(all, i, one)
    {
        json_int_t queue, priority, first;
        if (i >= LIMIT_JOBS || json_unpack(one, "[III!]", &queue, &priority, &first) != 0 ||
            queue < 0 || queue > UINT32_MAX || priority < 0 || priority > UINT8_MAX || first < 0) {
            line_wrong(l, "starts is to be a list of queue, priority and first sequence");
            break;
        }
        row_start_write(
            bytes + used, &(struct row_start){(uint32_t)queue, (uint8_t)priority, (uint64_t)first});
        used += ROW_START_BYTES;
    }
    return (struct slice){bytes, used};
}

/* What was told of a submission: where levels began, runs of ids, or why it was refused. */
static struct slice
read_rest(struct load_line *l, uint8_t *bytes, bool *runs)
{
    enum { TEXT_MOST = 1 << 16 };
    *runs = line_has(l, "runs");
    if (*runs)
        return read_runs(l, bytes);
    return line_has(l, "starts") ? read_starts(l, bytes) : line_bytes(l, "text", TEXT_MOST);
}

static bool
take_answer(struct load *load)
{
    static uint8_t rest[LIMIT_JOBS * ROW_RUN_BYTES];
    struct load_line *l = &load->line;
    uint8_t session[SESSION_BYTES], hash[8], key[ANSWER_KEY_BYTES], head[ROW_ANSWER_BYTES];
    struct slice value;
    struct row_session owner;
    line_hex(l, "session", session, SESSION_BYTES);
    line_hex(l, "hash", hash, sizeof hash);
    struct row_answer row = {.number = line_must_number(l, "submission", UINT64_MAX),
        .hash = get_be(hash, 8),
        .status = (enum stint_status)line_number(l, "status", UINT16_MAX),
        .index = (uint32_t)line_number(l, "index", UINT32_MAX)};
    row.rest = read_rest(l, rest, &row.runs);
    if (l->why[0])
        return false;
    if (!store_get(load->store, STORE_SESSIONS, session_key(session), &value) ||
        !row_session_read(session_key(session), value, &owner) || row.number > owner.submission ||
        row.number <= owner.pruned)
        return line_wrong(l, "it belongs to no session of a line before");
    struct slice k = answer_key(key, session, row.number);
    if (store_get(load->store, STORE_ANSWERS, k, &value))
        return line_wrong(l, "there is an answer to this submission already");
    store_put(load->store, STORE_ANSWERS, k, row_answer_write(head, &row), row.rest);
    return true;
}

/* ---- all ---- */

static bool
take_end(struct load *load)
{
    load->ended = true;
    return true;
}

static const struct {
    const char *type;
    bool (*take)(struct load *load);
} types[] = {{"job", load_job}, {"answer", take_answer}, {"session", take_session},
    {"level", take_level}, {"gone", take_gone}, {"queue", take_queue}, {"worker", take_worker},
    {"fleet", take_fleet}, {"feed", take_feed}, {"key", take_key}, {"damaged", load_damaged},
    {"header", take_header}, {"bulk", take_bulk}, {"unique", take_unique}, {"ended", load_ended},
    {"schedule", take_schedule}, {"batch", load_batch}, {"group", load_group},
    {"group_weight", load_group_weight}, {"end", take_end}};
enum { TYPES = sizeof types / sizeof *types };

bool
load_knows(const char *type)
{
    for (unsigned i = 0; i < TYPES; i++)
        if (strcmp(types[i].type, type) == 0)
            return true;
    return false;
}

bool
load_take(struct load *load, const char *type)
{
    bool header = strcmp(type, "header") == 0;
    if (load->ended)
        return line_wrong(&load->line, "it stands behind the end");
    if (header == load->begun)
        return line_wrong(
            &load->line, header ? "there is a header already" : "the header is missing before it");
    for (unsigned i = 0; i < TYPES; i++)
        if (strcmp(types[i].type, type) == 0)
            return types[i].take(load);
    return false;
}

static void
put_meta(struct load *load, enum meta_row which, uint64_t first, uint64_t second)
{
    uint8_t bytes[ROW_META_BYTES_MAX];
    const uint64_t words[META_WORDS] = {first, second};
    store_put(load->store, STORE_META, meta_key(which), row_meta_write(bytes, words), nothing);
}

void
load_finish(struct load *load)
{
    const char *identity = load->seal.identity;
    load_finish_links(load);
    load_finish_groups(load);
    book_flush(&load->book);
    put_meta(load, META_FORMAT, DATA_FORMAT, 0);
    put_meta(load, META_EPOCH, load->epoch, load->sessions);
    if (load->has_clock)
        put_meta(load, META_CLOCK, (uint64_t)load->ahead_ms, load->clock_ms);
    if (load->has_last_queue)
        put_meta(load, META_LAST_QUEUE, load->last_queue, 0);
    store_put(load->store, STORE_META, meta_key(META_IDENTITY),
        (struct slice){(const uint8_t *)identity, strlen(identity)}, nothing);
}
