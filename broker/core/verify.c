/* Reads everything that is stored and says what does not fit together. Nothing is changed, and no
 * core is needed. Slow: it visits every row, so it is for people, for backups and for tests.
 */
#include "batch_verify.h"
#include "job.h"
#include "marks.h"
#include "names.h"
#include "parts.h"
#include "state.h"
#include "upgrade.h"
#include "verify_groups.h"
#include "verify_links.h"

struct verify {
    struct store *store;
    struct book book;
    struct verify_report *report;
    uint64_t due_rows, parked, parts, parts_wanted, moved, names, redirects;
    uint64_t stray_deadlines; /* of jobs that are not there */
    struct link_check links;
    struct batch_verify batches;
    uint64_t unique_ends, unique_end_rows; /* keys that have an end, and ends */
    uint64_t events, event_rows; /* rows that belong to feeds, and all */
    struct feed_seen {
        struct row_feed row;
        uint64_t begin, next, bytes, rows;
    } feed; /* whose events are read */
    struct group_check groups;
};

static void
complain(struct verify *v, const char *what, const struct stint_id *id)
{
    char text[STINT_ID_TEXT_BYTES] = "";
    v->report->problems++;
    if (v->report->problem)
        v->report->problem(v->report->context, what, id ? stint_id_format(id, text) : text);
}

static void
complain_of(void *context, const char *what, const struct stint_id *id)
{
    complain(context, what, id);
}

/* Calls `each` for every row; keys of another size are a problem of their own, unless any will do:
 * 0. */
static void
each_row_between(struct verify *v, enum store_table table, struct slice begin, struct slice end,
    size_t key_bytes, void (*each)(struct verify *v, struct slice key, struct slice value))
{
    uint8_t at[ROW_KEY_BYTES_MAX + 2] = {0};
    struct slice key, value, from = {at, begin.size};
    memcpy(at, begin.data, begin.size);
    while (store_seek(v->store, table, from, &key, &value)) {
        if (end.size > 0 && store_key_before(end, key))
            return;
        if (key.size >= sizeof at) {
            complain(v, "a key is too long", NULL);
            return;
        }
        if (store_key_before(key, from)) {
            complain(v, "keys are out of order: a page of the tree is damaged", NULL);
            return;
        }
        memcpy(at, key.data, key.size);
        if (!store_get(v->store, table, (struct slice){at, key.size}, &value))
            complain(v, "a key is not found where it stands: a page of the tree is damaged", NULL);
        at[key.size] = 0; /* the least key after this one */
        from.size = key.size + 1;
        if (key.size == key_bytes || key_bytes == 0)
            each(v, (struct slice){at, key.size}, value);
        else
            complain(v, "a key has a wrong size", NULL);
    }
}

static void
each_row(struct verify *v, enum store_table table, size_t key_bytes,
    void (*each)(struct verify *v, struct slice key, struct slice value))
{
    static const uint8_t first = 0;
    each_row_between(v, table, (struct slice){&first, 1}, (struct slice){0}, key_bytes, each);
}

static struct stint_id
id_at(const uint8_t *bytes)
{
    struct stint_id id;
    memcpy(id.bytes, bytes, STINT_ID_BYTES);
    return id;
}

/* A job of this state was found: its level must have counted it. */
static void
count(struct verify *v, const struct stint_id *id, enum stint_state state)
{
    struct level *level = book_level_of(&v->book, id);
    v->report->jobs[state]++;
    if (!level)
        complain(
            v, "a job's queue or priority is not in the books, or its number is not used yet", id);
    else
        level->jobs[state]--; /* what is left in the end was miscounted */
}

static void
check_parts(struct verify *v, const struct stint_id *id, uint32_t first, size_t bytes)
{
    uint32_t parts = (uint32_t)((bytes + PART_BYTES - 1) / PART_BYTES);
    v->parts_wanted += parts;
    for (uint32_t part = first; part < first + parts; part++) {
        struct slice piece;
        if (!part_read(v->store, id, part, &piece)) {
            complain(v, "a part of a large body is missing or damaged", id);
            return;
        }
    }
}

/* What the job is called: its parts go by that. */
static void
check_name(
    struct verify *v, const struct stint_id *key, const struct record *r, struct stint_id *id)
{
    struct stint_id back;
    *id = *key;
    if (!record_moved(r))
        return;
    v->moved++;
    if (!names_of(&v->book, key, id) || !names_find(&v->book, id, &back) ||
        id_compare(&back, key) != 0)
        complain(v, "a job that was moved is not found by its id", key);
}

static void
check_attempts(struct verify *v, const struct stint_id *key, const struct record *r)
{
    struct slice rest = r->attempts;
    struct attempt_row row = attempts_before(r->submitted_ms);
    if (rest.size == 0)
        return;
    bool sane = attempts_are_sane(rest);
    while (sane && attempts_next(&rest, &row))
        ; /* to the last */
    if (!sane || !record_fits(r, &row))
        complain(v, "what is kept of a job's runs can't be so", key);
}

static void
check_body(struct verify *v, const struct stint_id *key, const struct record *r)
{
    struct stint_id name;
    const struct stint_id *id = &name;
    check_name(v, key, r, &name);
    check_attempts(v, key, r);
    batch_verify_job(&v->batches, id, r);
    if (record_chunked(r))
        check_parts(v, id, 0, r->body_bytes);
    check_parts(v, id, OUTPUT_PARTS, record_get(r, FIELD_OUTPUT, 0));
    if (record_has(r, FIELD_OUTPUT) && r->state != STINT_DEAD)
        complain(v, "a job that is not dead has kept an output", id);
    if (record_has(r, FIELD_SPENT) && !record_has(r, FIELD_TOTAL))
        complain(v, "a job has used of a time for all runs that it does not have", id);
    if (record_has(r, FIELD_NEEDS) && !needs_are_canonical(r->needs))
        complain(v, "what a job needs of a worker is damaged", id);
}

static void
followers_row(struct verify *v, struct slice key, struct slice value)
{
    link_check_followers(&v->links, key, value);
}

static void
parents_row(struct verify *v, struct slice key, struct slice value)
{
    link_check_parents(&v->links, key, value);
}

static void
ended_row(struct verify *v, struct slice key, struct slice value)
{
    link_check_ended(&v->links, key, value);
}

static bool
read_record(
    struct verify *v, struct slice key, struct slice value, struct stint_id *id, struct record *r)
{
    *id = id_at(key.data);
    if (record_decode(r, id, value)) {
        check_body(v, id, r);
        link_check_job(&v->links, id, r);
        return true;
    }
    complain(v, "a record is damaged", id);
    return false;
}

/* A job that waits and may expire is looked at when its time comes. */
static void
check_deadline(struct verify *v, const struct stint_id *key, const struct record *r)
{
    uint8_t at[TIME_KEY_BYTES];
    struct slice nothing;
    if (record_has(r, FIELD_START_BY) &&
        !store_get(
            v->store, STORE_DEADLINES, time_key(at, r->optional[FIELD_START_BY], key), &nothing))
        complain(v, "a job would never expire", key);
}

static void
deadline_row(struct verify *v, struct slice key, struct slice value)
{
    uint64_t by_ms = 0;
    struct stint_id at;
    struct record r;
    if (!time_key_read(key, &by_ms, &at) ||
        (!store_get(v->store, STORE_LIVE, id_key(&at), &value) &&
            !store_get(v->store, STORE_PARKED, id_key(&at), &value))) {
        v->stray_deadlines++;
        return;
    }
    if (record_decode(&r, &at, value) && record_get(&r, FIELD_START_BY, 0) != by_ms)
        complain(v, "a job expires at another time than it says", &at);
}

static void
live_row(struct verify *v, struct slice key, struct slice value)
{
    struct stint_id id;
    struct record r;
    if (!read_record(v, key, value, &id, &r))
        return;
    if (r.state != STINT_READY)
        complain(v, "a job stands among the live ones and is not", &id);
    bool runs = book_is_running(&v->book, &id);
    count(v, &id, runs ? STINT_RUNNING : STINT_READY);
    group_check_job(&v->groups, &id, &r, runs);
    if (!runs)
        check_deadline(v, &id, &r);
}

static void
running_job(void *context, const struct stint_id *id)
{
    struct verify *v = context;
    struct slice value;
    if (!store_get(v->store, STORE_LIVE, id_key(id), &value))
        complain(v, "a job is running and has no record", id);
}

static void
parked_row(struct verify *v, struct slice key, struct slice value)
{
    uint8_t due[TIME_KEY_BYTES];
    struct stint_id id;
    struct record r;
    struct slice nothing;
    if (!read_record(v, key, value, &id, &r))
        return;
    bool blocked = r.state == STINT_BLOCKED;
    v->parked += !blocked;
    count(v, &id, blocked ? STINT_BLOCKED : STINT_SCHEDULED);
    group_check_job(&v->groups, &id, &r, false);
    if (!blocked &&
        (r.state != STINT_SCHEDULED ||
            !store_get(
                v->store, STORE_DUE, time_key(due, record_get(&r, FIELD_DUE, 0), &id), &nothing)))
        complain(v, "a scheduled job is not in the table of what is due", &id);
    check_deadline(v, &id, &r);
}

static void
due_row(struct verify *v, struct slice key, struct slice value)
{
    (void)key;
    (void)value;
    v->due_rows++;
}

static void
settled_row(struct verify *v, struct slice key, struct slice value)
{
    struct stint_id id;
    struct record r;
    if (!read_record(v, key, value, &id, &r))
        return;
    if (!stint_state_settled(r.state) || !record_has(&r, FIELD_EXPIRES)) {
        complain(v, "a job stands among the settled ones and is not", &id);
        return;
    }
    if (record_has(&r, FIELD_START_BY))
        complain(v, "a job that is over would expire", &id);
    count(v, &id, r.state);
    if (!marks_have(v->store, &id, record_get(&r, FIELD_EXPIRES, 0)))
        complain(v, "an outcome would never expire", &id);
}

static void
part_row(struct verify *v, struct slice key, struct slice value)
{
    (void)key;
    (void)value;
    v->parts++;
}

static void
session_row(struct verify *v, struct slice key, struct slice value)
{
    struct row_session row;
    v->report->sessions++;
    if (!row_session_read(key, value, &row) || row.pruned > row.submission)
        complain(v, "a session's row is damaged", NULL);
}

static void
answer_row(struct verify *v, struct slice key, struct slice value)
{
    struct row_answer answer;
    struct row_session row;
    struct slice session = session_key(key.data);
    uint64_t number = 0;
    v->report->answers++;
    if (!answer_key_read(key, &number) || !row_answer_read(number, value, &answer))
        complain(v, "the stored answer to a submission is damaged", NULL);
    if (!store_get(v->store, STORE_SESSIONS, session, &value) ||
        !row_session_read(session, value, &row) || number > row.submission || number <= row.pruned)
        complain(v, "the stored answer to a submission belongs to no session", NULL);
}

static void
setting_row(struct verify *v, struct slice key, struct slice value)
{
    struct row_setting row;
    if (!row_setting_read(key, value, &row))
        complain(v, "what was set for a worker or the fleet is damaged", NULL);
}

static void
name_row(struct verify *v, struct slice key, struct slice value)
{
    struct stint_id is;
    v->names++;
    if (!row_name_read(key, value, &is))
        complain(v, "what a job is called that was moved is damaged", NULL);
}

static void
redirect_row(struct verify *v, struct slice key, struct slice value)
{
    struct stint_id is;
    v->redirects++;
    if (!row_name_read(key, value, &is))
        complain(v, "where a job stands that was moved is damaged", NULL);
}

/* The feed whose events are read, as its row says, and how far they are. */
static void
end_feed(struct verify *v)
{
    const struct row_feed *f = &v->feed.row;
    bool ended = v->feed.rows ? v->feed.next == f->next : f->first == f->next;
    if (f->number == 0)
        return;
    if (!ended || v->feed.begin > f->first)
        complain(v, "events of a feed are missing", NULL);
    if (v->feed.bytes != f->bytes)
        complain(v, "the bytes of a feed's events are miscounted", NULL);
}

static void
events_row(struct verify *v, struct slice key, struct slice value)
{
    struct row_events row;
    bool good = row_events_read(key, value, &row);
    if (!good)
        complain(v, "events of a feed are damaged", NULL);
    if (row.feed != v->feed.row.number) {
        complain(v, "events belong to no feed", NULL);
        return;
    }
    if (v->feed.rows++ == 0)
        v->feed.begin = row.first;
    else if (row.first != v->feed.next)
        complain(v, "the numbers of a feed's events are not in a row", NULL);
    v->feed.next = row.first + row.count;
    v->feed.bytes += key.size + value.size;
}

static void
feed_row(struct verify *v, struct slice key, struct slice value)
{
    v->feed = (struct feed_seen){.rows = 0};
    if (!row_feed_read(key, value, &v->feed.row))
        complain(v, "the row of a feed is damaged", NULL);
    uint8_t from[EVENTS_KEY_BYTES], to[EVENTS_KEY_BYTES];
    uint32_t number = (uint32_t)get_be(key.data, FEED_KEY_BYTES);
    v->feed.row.number = number;
    each_row_between(v, STORE_EVENTS, events_key(from, number, 0),
        events_key(to, number, UINT64_MAX), EVENTS_KEY_BYTES, events_row);
    end_feed(v);
    v->events += v->feed.rows;
}

static void
event_row(struct verify *v, struct slice key, struct slice value)
{
    (void)key;
    (void)value;
    v->event_rows++;
}

/* Of a key that a job holds, the job has to be there, if it was not set aside. */
static void
unique_row(struct verify *v, struct slice key, struct slice value)
{
    uint8_t end[UNIQUE_END_BYTES_MAX];
    struct row_unique row;
    struct slice nothing;
    struct stint_id at;
    if (!row_unique_read(key, value, &row)) {
        complain(v, "the row of a unique key is damaged", NULL);
        return;
    }
    if (row.until_ms) {
        v->unique_ends++;
        if (!store_get(v->store, STORE_UNIQUE_ENDS, unique_end(end, &row), &nothing))
            complain(v, "a unique key would never be free again", &row.id);
        return;
    }
    at = row.id;
    (void)names_find(&v->book, &row.id, &at);
    if (!store_get(v->store, STORE_LIVE, id_key(&at), &nothing) &&
        !store_get(v->store, STORE_PARKED, id_key(&at), &nothing) &&
        !store_get(v->store, STORE_DAMAGED, id_key(&row.id), &nothing))
        complain(v, "a unique key is held by a job that is not there", &row.id);
}

static void
unique_end_row(struct verify *v, struct slice key, struct slice value)
{
    uint64_t until_ms;
    struct slice of;
    (void)value;
    v->unique_end_rows++;
    if (!unique_end_read(key, &until_ms, &of))
        complain(v, "when a unique key is free again is damaged", NULL);
}

static void
bulk_row(struct verify *v, struct slice key, struct slice value)
{
    struct row_bulk row;
    if (!row_bulk_read(key, value, &row))
        complain(v, "the row of a bulk operation is damaged", NULL);
    else if (row.began_ms == 0 || (row.state >= STINT_BULK_DONE) != (row.ended_ms != 0))
        complain(v, "a bulk operation has ended and goes on, or the other way round", NULL);
}

/* What would be made of it has to be a job, at a time that there is. */
static void
schedule_row(struct verify *v, struct slice key, struct slice value)
{
    struct row_schedule row;
    struct job_spec spec;
    struct cron cron;
    const char *why;
    char text[CRON_TEXT_BYTES];
    if (!row_schedule_read(key, value, &row)) {
        complain(v, "the row of a schedule is damaged", NULL);
        return;
    }
    slice_to_text(text, sizeof text, row.cron);
    if (row.every_ms == 0 && !cron_parse(text, &cron, &why))
        complain(v, "the expression of a schedule is none", NULL);
    if (!message_read_job(row.job, &spec))
        complain(v, "the job of a schedule is damaged", NULL);
}

static void
group_row(struct verify *v, struct slice key, struct slice value)
{
    group_check_row(&v->groups, key, value);
}

static void
group_line_row(struct verify *v, struct slice key, struct slice value)
{
    group_check_line(&v->groups, key, value);
}

static void
group_turn_row(struct verify *v, struct slice key, struct slice value)
{
    group_check_turn(&v->groups, key, value);
}

static void
group_due_row(struct verify *v, struct slice key, struct slice value)
{
    (void)value;
    group_check_due(&v->groups, key);
}

static void
check_groups(struct verify *v)
{
    each_row(v, STORE_GROUPS, 0, group_row);
    each_row(v, STORE_GROUP_LINES, 0, group_line_row);
    each_row(v, STORE_GROUP_TURNS, GROUP_TURN_KEY_BYTES, group_turn_row);
    each_row(v, STORE_GROUP_DUE, 0, group_due_row);
    group_check_end(&v->groups);
}

static void
damaged_row(struct verify *v, struct slice key, struct slice value)
{
    (void)key;
    (void)value;
    v->report->damaged++;
}

static void
check_counts(struct verify *v)
{
    for (const struct queue *q = v->book.by_name; q; q = q->hh.next)
        for (uint32_t i = 0; i < q->levels_count; i++) {
            const struct level *level = q->levels[i];
            for (unsigned state = 0; state < STINT_STATES; state++)
                if (level->jobs[state] != 0) {
                    struct stint_id id = book_id(&v->book, level, 0);
                    complain(v, "jobs are counted that are not there, or are not counted; in", &id);
                    break;
                }
        }
}

void
core_verify(struct store *store, uint16_t broker, struct verify_report *report)
{
    struct verify v = {.store = store, .report = report};
    v.batches = (struct batch_verify){
        .store = store, .book = &v.book, .complain = complain_of, .context = &v};
    unsigned from;
    store->ops->begin(store);
    if (store_upgrade(store, &from) != STINT_OK) /* for as long as we look at it */
        complain(&v, "the format of the rows is damaged, or newer than this program", NULL);
    book_init(&v.book, store, broker, UINT32_MAX, UINT32_MAX);
    if (book_load(&v.book) != STINT_OK)
        complain(&v, "a row of the broker's own books is damaged", NULL);
    names_load(&v.book);
    v.links = (struct link_check){
        .store = store, .book = &v.book, .complain = complain_of, .context = &v};
    v.groups = (struct group_check){
        .store = store, .book = &v.book, .complain = complain_of, .context = &v};
    each_row(&v, STORE_LIVE, STINT_ID_BYTES, live_row);
    book_each_running(&v.book, running_job, &v);
    each_row(&v, STORE_PARKED, STINT_ID_BYTES, parked_row);
    each_row(&v, STORE_DUE, TIME_KEY_BYTES, due_row);
    each_row(&v, STORE_SETTLED, STINT_ID_BYTES, settled_row);
    each_row(&v, STORE_PARTS, PART_KEY_BYTES, part_row);
    each_row(&v, STORE_SESSIONS, SESSION_BYTES, session_row);
    each_row(&v, STORE_ANSWERS, ANSWER_KEY_BYTES, answer_row);
    each_row(&v, STORE_DAMAGED, STINT_ID_BYTES, damaged_row);
    each_row(&v, STORE_SETTINGS, 0, setting_row);
    each_row(&v, STORE_NAMES, STINT_ID_BYTES, name_row);
    each_row(&v, STORE_REDIRECTS, STINT_ID_BYTES, redirect_row);
    each_row(&v, STORE_FEEDS, FEED_KEY_BYTES, feed_row);
    each_row(&v, STORE_EVENTS, EVENTS_KEY_BYTES, event_row);
    if (v.events != v.event_rows)
        complain(&v, "events belong to no feed", NULL);
    each_row(&v, STORE_BULKS, BULK_KEY_BYTES, bulk_row);
    each_row(&v, STORE_SCHEDULES, 0, schedule_row);
    each_row(&v, STORE_DEADLINES, TIME_KEY_BYTES, deadline_row);
    if (v.stray_deadlines > v.report->damaged) /* one that was set aside leaves its row behind */
        complain(&v, "jobs expire that are not there", NULL);
    each_row(&v, STORE_UNIQUE, 0, unique_row);
    each_row(&v, STORE_UNIQUE_ENDS, 0, unique_end_row);
    if (v.unique_ends != v.unique_end_rows)
        complain(&v, "ends of unique keys belong to none", NULL);
    each_row(&v, STORE_FOLLOWERS, FOLLOWER_KEY_BYTES, followers_row);
    each_row(&v, STORE_PARENTS, PARENTS_KEY_BYTES, parents_row);
    each_row(&v, STORE_ENDED, STINT_ID_BYTES, ended_row);
    link_check_end(&v.links);
    batch_verify_rows(&v.batches, report->damaged);
    check_groups(&v);
    check_counts(&v);
    if (v.due_rows != v.parked)
        complain(&v, "more jobs are due than are scheduled", NULL);
    if (v.parts != v.parts_wanted)
        complain(&v, "parts of bodies belong to no job", NULL);
    if (v.names != v.moved || v.redirects != v.moved)
        complain(&v, "names are kept of jobs that were not moved, or are gone", NULL);
    book_fini(&v.book);
    store->ops->abort(store);
}
