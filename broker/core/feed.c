/* What feeds record and keep; the contract is in feed.h. Events of a step are put together in
 * memory and written as rows of up to 4 KiB at its end, so that a step of a thousand jobs writes
 * some ten.
 *
 * A feed must not be what stops the queue. All of them together take no more than what is left for
 * new jobs, and what is recorded while there is no room takes the place of what is oldest; what
 * finds none is dropped, and its numbers are told as missing like all others that are gone.
 */
#include "feed.h"
#include "clock.h"
#include "random.h"
#include "reply.h"

#include <utlist.h>

enum {
    FLOOR_BYTES = 256 << 10, /* a feed may have so much, however full the store is getting */
    DROPPED_A_STEP = 512, /* rows, of a feed, beside those that new ones push out */
};

static const struct slice nothing = {0};

/* ---- rows ---- */

static void
write_feed(struct core *core, struct feed *f)
{
    uint8_t key[FEED_KEY_BYTES], row[ROW_FEED_BYTES_MAX];
    f->row.name = text_slice(f->name);
    f->row.queues = text_slice(f->queues);
    store_put(core->store, STORE_FEEDS, feed_key(key, f->row.number), row_feed_write(row, &f->row),
        nothing);
    f->changed = false;
}

/* The first row of events of the feed from this number on. */
static bool
seek_events(
    struct core *core, const struct feed *f, uint64_t from, uint64_t *first, struct slice *value)
{
    uint8_t at[EVENTS_KEY_BYTES];
    uint32_t feed;
    struct slice key;
    return store_seek(
               core->store, STORE_EVENTS, events_key(at, f->row.number, from), &key, value) &&
        events_key_read(key, &feed, first) && feed == f->row.number && *first >= from;
}

/* What is known of the oldest row. */
static void
look_at_oldest(struct core *core, struct feed *f, uint64_t from)
{
    uint8_t at[EVENTS_KEY_BYTES];
    struct slice value;
    struct row_events row;
    f->oldest = (struct oldest_events){.first = f->row.next};
    if (!seek_events(core, f, from, &f->oldest.first, &value))
        return;
    struct slice key = events_key(at, f->row.number, f->oldest.first);
    bool good = row_events_read(key, value, &row);
    if (!good)
        core_say(core, NOTE_ERROR, "events of a feed are damaged, and told as missing",
            NOTE_TEXT("feed", f->name), NOTE_NUMBER("first", f->oldest.first));
    f->oldest.bytes = value.size + EVENTS_KEY_BYTES;
    f->oldest.at_ms = good ? row.at_ms : 0; /* a damaged one goes at once */
    f->oldest.end = f->oldest.first + (good ? row.count : 1);
}

static bool
has_rows(const struct feed *f)
{
    return f->oldest.bytes > 0;
}

static void
drop_oldest(struct core *core, struct feed *f)
{
    uint8_t key[EVENTS_KEY_BYTES];
    assert(has_rows(f));
    store_del(core->store, STORE_EVENTS, events_key(key, f->row.number, f->oldest.first));
    f->row.bytes -= earlier(f->row.bytes, f->oldest.bytes);
    look_at_oldest(core, f, f->oldest.first + 1);
    f->row.first = later(f->row.first, f->oldest.first);
    f->changed = true;
}

/* More than it may have by their number are not told any more. */
static void
pass_surplus(struct feed *f)
{
    if (f->row.next - f->row.first <= f->row.max_events)
        return;
    f->row.first = f->row.next - f->row.max_events;
    f->changed = true;
}

static void
add(struct core *core, const struct row_feed *row)
{
    struct feed *f = calloc(1, sizeof *f);
    if (!f)
        abort();
    f->row = *row;
    slice_to_text(f->name, sizeof f->name, row->name);
    slice_to_text(f->queues, sizeof f->queues, row->queues);
    DL_APPEND(core->feeds.list, f);
    core->feeds.count++;
}

bool
feed_load(struct core *core)
{
    uint8_t at[FEED_KEY_BYTES] = {0};
    struct slice key, value, from = {at, 1};
    while (store_seek(core->store, STORE_FEEDS, from, &key, &value)) {
        struct row_feed row;
        if (!row_feed_read(key, value, &row) || core->feeds.count == 2 * LIMIT_FEEDS ||
            row.number == UINT32_MAX)
            return false;
        add(core, &row);
        from = feed_key(at, row.number + 1);
    }
    for (struct feed *f = core->feeds.list; f; f = f->next)
        look_at_oldest(core, f, 0);
    return true;
}

static void
forget(struct core *core, struct feed *f)
{
    DL_DELETE(core->feeds.list, f);
    core->feeds.count--;
    pack_buffer_free(&f->pending.events);
    free(f->pending.rows);
    free(f);
}

void
feed_fini(struct core *core)
{
    while (core->feeds.list)
        forget(core, core->feeds.list);
}

/* ---- feeds ---- */

struct feed *
feed_find(struct core *core, struct slice name)
{
    for (struct feed *f = core->feeds.list; f; f = f->next)
        if (!f->row.removed && strlen(f->name) == name.size &&
            memcmp(f->name, name.data, name.size) == 0)
            return f;
    return NULL;
}

/* Those that go still have their rows. */
static uint32_t
free_number(const struct core *core)
{
    uint32_t number = 1;
    const struct feed *f = core->feeds.list;
    while (f) {
        bool taken = f->row.number == number;
        number += taken;
        f = taken ? core->feeds.list : f->next;
    }
    return number;
}

struct feed *
feed_make(struct core *core, const struct stint_feed *wanted)
{
    uint32_t living = 0;
    for (const struct feed *f = core->feeds.list; f; f = f->next)
        living += !f->row.removed;
    if (living >= LIMIT_FEEDS || core->feeds.count >= 2 * LIMIT_FEEDS)
        return NULL;
    add(core,
        &(struct row_feed){.number = free_number(core),
            .name = text_slice(wanted->name),
            .life = random_draw(core) >> 1 | 1, /* so that it is a number in JSON */
            .first = 1,
            .next = 1});
    struct feed *f = core->feeds.list->prev;
    f->oldest.first = 1;
    feed_change(core, f, wanted);
    return f;
}

void
feed_change(struct core *core, struct feed *f, const struct stint_feed *wanted)
{
    memcpy(f->queues, wanted->queues, sizeof f->queues);
    f->row.events = wanted->events;
    f->row.keep_ms = wanted->keep_ms ? wanted->keep_ms : DEFAULT_FEED_KEEP_MS;
    f->row.max_events = wanted->max_events ? wanted->max_events : DEFAULT_FEED_EVENTS;
    f->row.max_bytes = wanted->max_bytes ? wanted->max_bytes : DEFAULT_FEED_BYTES;
    pass_surplus(f);
    f->heard.number = 0;
    f->changed = core->feeds.news = true; /* who reads it may not be allowed to any more */
}

void
feed_remove(struct core *core, struct feed *f)
{
    f->row.removed = true;
    f->row.first = f->row.next;
    f->changed = core->feeds.news = true;
}

void
feed_describe(const struct feed *f, struct stint_feed *told)
{
    *told = (struct stint_feed){.events = f->row.events,
        .keep_ms = f->row.keep_ms,
        .max_events = f->row.max_events,
        .max_bytes = f->row.max_bytes,
        .life = f->row.life,
        .first = f->row.first,
        .next = f->row.next,
        .bytes = f->row.bytes};
    memcpy(told->name, f->name, sizeof told->name);
    memcpy(told->queues, f->queues, sizeof told->queues);
}

/* How much the feed may take: what it was given, but not what new jobs need. */
static uint64_t
share(const struct core *core, const struct feed *f)
{
    uint64_t room = core->step.room_bytes / 2 / core->feeds.count;
    return earlier(f->row.max_bytes, later(FLOOR_BYTES, room));
}

/* Is there a row that is to go? */
static bool
is_surplus(const struct core *core, const struct feed *f)
{
    return has_rows(f) &&
        (f->row.removed || f->oldest.end <= f->row.first || f->row.bytes > share(core, f) ||
            core->clocks.wall_ms >= f->oldest.at_ms + f->row.keep_ms);
}

static void
drop_surplus(struct core *core, struct feed *f, uint32_t rows)
{
    pass_surplus(f);
    for (; rows > 0 && is_surplus(core, f); rows--)
        drop_oldest(core, f);
}

/* ---- recording ---- */

/* What stands next to each other is mostly of one queue, whose number is no other queue's ever. */
static bool
hears(struct feed *f, enum stint_event_type type, const struct queue *q)
{
    if (f->row.removed || (f->row.events && !(f->row.events >> type & 1)))
        return false;
    if (f->heard.number != q->number) {
        struct slice pattern = {(const uint8_t *)f->queues, strlen(f->queues)};
        struct slice name = {(const uint8_t *)q->name, q->name_bytes};
        f->heard.number = q->number;
        f->heard.hears = pattern.size == 0 || pattern_matches(pattern, name);
    }
    return f->heard.hears;
}

/* The row that is being collected; another one if this event does not fit in. */
static struct pending_row *
row_for(struct pending *p, size_t bytes)
{
    struct pending_row *last = p->rows_count ? &p->rows[p->rows_count - 1] : NULL;
    if (last && ROW_EVENTS_HEAD_BYTES + (p->events.used - last->at) + bytes <= ROW_EVENTS_BYTES_MAX)
        return last;
    if (p->rows_count == p->rows_size) {
        p->rows_size = p->rows_size ? 2 * p->rows_size : 16;
        p->rows = realloc(p->rows, p->rows_size * sizeof *p->rows);
        if (!p->rows)
            abort();
    }
    p->rows[p->rows_count] = (struct pending_row){.at = p->events.used};
    return &p->rows[p->rows_count++];
}

void
feed_record(struct core *core, enum stint_event_type type, const struct queue *q,
    const struct stint_id *id, uint64_t attempt, struct slice schedule)
{
    for (struct feed *f = core->feeds.list; f; f = f->next) {
        if (!hears(f, type, q))
            continue;
        struct row_event event = {.type = (uint8_t)type,
            .attempt = (uint32_t)attempt,
            .id = *id,
            .queue = {(const uint8_t *)q->name, q->name_bytes},
            .schedule = schedule};
        struct pending *p = &f->pending;
        uint8_t bytes[ROW_EVENT_BYTES_MAX];
        struct pending_row *row = row_for(p, row_event_write(bytes, &event));
        if (row->count > 0 && p->queue == q->number)
            event.queue.size = 0;
        p->queue = q->number;
        size_t size = row_event_write(bytes, &event);
        memcpy(pack_reserve(&p->events, size), bytes, size);
        row->count++;
    }
}

/* What the feed may grow to by these bytes: where it has too much already, sweeping shrinks it. */
static uint64_t
limit(const struct core *core, const struct feed *f, uint64_t bytes)
{
    uint64_t most = share(core, f);
    return store_has_room(core, bytes) && f->row.bytes < most ? most : f->row.bytes;
}

/* There is no room for these: they are gone before they were told. */
static void
lose(struct core *core, struct feed *f, uint32_t count)
{
    while (has_rows(f))
        drop_oldest(core, f);
    f->row.next += count;
    f->row.first = f->oldest.first = f->row.next;
    core->figures.events_lost += count;
    if (!f->losing)
        core_say(core, NOTE_WARN, "events are not recorded, there is no room for them",
            NOTE_TEXT("feed", f->name), NOTE_NUMBER("events", count));
    f->losing = true;
}

static void
put_row(struct core *core, struct feed *f, struct slice events, uint32_t count, uint64_t most)
{
    uint8_t key[EVENTS_KEY_BYTES], head[ROW_EVENTS_HEAD_BYTES];
    struct row_events row = {.feed = f->row.number,
        .first = f->row.next,
        .count = count,
        .at_ms = core->clocks.wall_ms,
        .told_ms = clock_told(core, core->clocks.wall_ms),
        .events = events};
    uint64_t bytes = EVENTS_KEY_BYTES + ROW_EVENTS_HEAD_BYTES + events.size;
    while (has_rows(f) && f->row.bytes + bytes > most)
        drop_oldest(core, f);
    if (f->row.bytes + bytes > most) {
        lose(core, f, count);
        return;
    }
    store_put(core->store, STORE_EVENTS, events_key(key, row.feed, row.first),
        row_events_write(head, &row), events);
    if (!has_rows(f))
        f->oldest = (struct oldest_events){
            .first = row.first, .end = row.first + count, .at_ms = row.at_ms, .bytes = bytes};
    f->row.bytes += bytes;
    f->row.next += count;
    f->losing = false;
}

static void
flush_one(struct core *core, struct feed *f)
{
    struct pending *p = &f->pending;
    uint64_t most = limit(core, f, p->events.used + p->rows_count * ROW_OVERHEAD_BYTES);
    for (uint32_t i = 0; i < p->rows_count; i++) {
        size_t end = i + 1 < p->rows_count ? p->rows[i + 1].at : p->events.used;
        struct slice events = {p->events.data + p->rows[i].at, end - p->rows[i].at};
        put_row(core, f, events, p->rows[i].count, most);
        core->step.written_bytes += events.size + ROW_OVERHEAD_BYTES;
    }
    drop_surplus(core, f, p->rows_count + 1);
    p->rows_count = 0;
    pack_buffer_empty(&p->events);
    f->changed = true;
    core->feeds.news = true;
}

void
feed_flush(struct core *core)
{
    for (struct feed *f = core->feeds.list; f; f = f->next) {
        if (f->pending.rows_count > 0)
            flush_one(core, f);
        if (f->changed)
            write_feed(core, f);
    }
}

/* ---- what is kept ---- */

static void
sweep_one(struct core *core, struct feed *f)
{
    drop_surplus(core, f, DROPPED_A_STEP);
    if (f->row.removed && !has_rows(f)) {
        uint8_t key[FEED_KEY_BYTES];
        store_del(core->store, STORE_FEEDS, feed_key(key, f->row.number));
        forget(core, f);
    }
}

void
feed_sweep(struct core *core)
{
    struct feed *f, *next;
    DL_FOREACH_SAFE (core->feeds.list, f, next)
        sweep_one(core, f);
}

uint64_t
feed_idle_ms(const struct core *core)
{
    uint64_t idle_ms = core->feeds.unanswered ? 0 : UINT64_MAX;
    for (const struct feed *f = core->feeds.list; f; f = f->next) {
        uint64_t over_ms = f->oldest.at_ms + f->row.keep_ms;
        if (f->row.removed || is_surplus(core, f))
            return 0;
        if (has_rows(f))
            idle_ms = earlier(idle_ms, over_ms - core->clocks.wall_ms);
    }
    return idle_ms;
}

/* ---- reading ---- */

/* The row that this event is in may begin some before it. */
static bool
find_events(
    struct core *core, const struct feed *f, uint64_t from, uint64_t *first, struct slice *value)
{
    uint64_t at = from > ROW_EVENTS_MAX ? from - ROW_EVENTS_MAX + 1 : 1;
    uint8_t key[EVENTS_KEY_BYTES];
    *first = from;
    if (store_get(core->store, STORE_EVENTS, events_key(key, f->row.number, from), value))
        return true; /* which is so for whoever follows it */
    bool found = false;
    struct slice next;
    for (uint64_t number = at; seek_events(core, f, number, &number, &next); number++) {
        core->step.listed++;
        if (found && number > from)
            break;
        found = true;
        *first = number;
        *value = next;
        if (number >= from)
            break;
    }
    return found;
}

/* Collects what the row has from `*at` on. False if the page is full. */
static bool
collect(struct core *core, const struct row_events *row, uint64_t *at, uint32_t *count)
{
    struct slice events = row->events;
    struct row_event e;
    struct stint_event told = {.at_ms = row->told_ms};
    for (uint64_t number = row->first; row_event_take(&events, &e); number++) {
        if (e.queue.size)
            slice_to_text(told.queue, sizeof told.queue, e.queue);
        if (number < *at)
            continue;
        if (*count == LIMIT_JOBS || core->scratch.page.used > page_bytes(core))
            return false;
        told.type = (enum stint_event_type)e.type;
        told.id = e.id;
        told.count = e.attempt;
        slice_to_text(told.schedule, sizeof told.schedule, e.schedule);
        message_put_event(&core->scratch.page, &told);
        ++*count;
        *at = number + 1;
    }
    return true;
}

/* A row that is damaged is passed over: what was in it is told as missing. */
bool
feed_page(struct core *core, struct feed *f, uint64_t from, uint64_t *first, uint32_t *count)
{
    struct slice value;
    struct row_events row;
    uint64_t start, at = later(from, f->row.first);
    uint8_t key[EVENTS_KEY_BYTES];
    bool more = at < f->row.next && find_events(core, f, at, &start, &value);
    reply_page_begin(core);
    *first = at;
    *count = 0;
    while (more) {
        core->step.listed++;
        if (!row_events_read(events_key(key, f->row.number, start), value, &row))
            row = (struct row_events){.first = start, .count = 0};
        bool gap = row.count == 0 || row.first > at;
        if (gap && *count > 0)
            break;
        if (row.count > 0) {
            *first = *count > 0 ? *first : later(row.first, at);
            at = later(row.first, at);
            if (!collect(core, &row, &at, count))
                break;
        }
        more = seek_events(core, f, start + 1, &start, &value);
    }
    if (*count == 0)
        *first = later(*first, f->row.next);
    return *count > 0;
}
