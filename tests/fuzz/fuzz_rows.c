/* The readers of stored rows. The first byte says which, and a check would keep a fuzzer out, so it
 * is put right first; what then is a row must be the same after it was written and read again. */
#include "batch_rows.h"
#include "feed_rows.h"
#include "fuzz.h"
#include "rows.h"
#include "schedule_rows.h"

enum { BYTES_MAX = 4096 };

static const struct stint_id id = {{0, 0, 0, 0, 0, 1, 155, 0, 0, 0, 0, 0, 0, 0, 1, 0}};
static const struct slice key = {id.bytes, STINT_ID_BYTES};

static void
read_level(struct slice row)
{
    struct row_level a, b;
    uint8_t again[ROW_LEVEL_BYTES_MAX];
    struct slice level = level_key(&id);
    if (!row_level_read(level, row, &a))
        return;
    MUST(row_level_read(level, row_level_write(again, &a), &b));
    MUST(a.next == b.next && memcmp(a.jobs, b.jobs, sizeof a.jobs) == 0);
}

static void
read_transit(struct slice row)
{
    struct row_transit a, b;
    uint8_t again[ROW_TRANSIT_BYTES_MAX];
    if (!row_transit_read(key, row, &a))
        return;
    MUST(row_transit_read(key, row_transit_write(again, &a), &b));
    MUST(memcmp(a.bits, b.bits, sizeof a.bits) == 0);
}

static void
read_session(struct slice row)
{
    struct row_session a, b;
    uint8_t again[ROW_SESSION_BYTES_MAX];
    if (!row_session_read(key, row, &a))
        return;
    MUST(row_session_read(key, row_session_write(again, id.bytes, &a), &b));
    MUST(a.submission == b.submission && a.pruned == b.pruned && a.used_ms == b.used_ms);
}

static void
read_queue(struct slice row)
{
    struct row_queue a, b;
    uint8_t number[QUEUE_KEY_BYTES], again[ROW_QUEUE_BYTES_MAX];
    if (!row_queue_read(queue_key(number, 7), row, &a))
        return;
    MUST(a.name.size <= LIMIT_NAME_BYTES);
    MUST(row_queue_read(queue_key(number, 7), row_queue_write(again, &a), &b));
    MUST(a.paused == b.paused && a.closed == b.closed && a.name.size == b.name.size);
}

static void
read_answer(struct slice row)
{
    struct row_answer a;
    struct row_start start;
    uint8_t head[ROW_ANSWER_BYTES];
    if (!row_answer_read(7, row, &a))
        return;
    (void)row_answer_write(head, &a);
    MUST(memcmp(head + 8, row.data + 8, 8) == 0 && a.rest.size + ROW_ANSWER_BYTES == row.size);
    while (row_start_take(&a.rest, &start))
        MUST(a.rest.size < row.size);
}

static void
read_setting(struct slice row)
{
    struct row_setting a, b;
    uint8_t bytes[SETTING_KEY_BYTES_MAX], again[ROW_SETTING_BYTES_MAX];
    struct slice name = {(const uint8_t *)"n", 1};
    if (!row_setting_read(setting_key(bytes, SETTING_OF_WORKER, name), row, &a))
        return;
    MUST(row_setting_read(
        setting_key(bytes, SETTING_OF_WORKER, name), row_setting_write(again, &a), &b));
    MUST(a.slots == b.slots && a.paused == b.paused);
}

static void
read_feed(struct slice row)
{
    struct row_feed a, b;
    uint8_t number[FEED_KEY_BYTES], again[ROW_FEED_BYTES_MAX];
    if (!row_feed_read(feed_key(number, 7), row, &a))
        return;
    MUST(row_feed_read(feed_key(number, 7), row_feed_write(again, &a), &b));
    MUST(a.first == b.first && a.next == b.next && a.removed == b.removed && a.bytes == b.bytes &&
        a.queues.size == b.queues.size);
}

/* A check of its own is put right before it is read. */
static void
read_events(struct slice row)
{
    struct row_events a = {.feed = 7, .first = 9};
    struct row_event event;
    uint8_t number[EVENTS_KEY_BYTES], bytes[BYTES_MAX];
    if (row.size <= ROW_EVENTS_HEAD_BYTES)
        return;
    memcpy(bytes, row.data, row.size);
    a.count = (uint32_t)get_be(row.data + 10, 2) % ROW_EVENTS_MAX + 1;
    a.events = (struct slice){row.data + ROW_EVENTS_HEAD_BYTES, row.size - ROW_EVENTS_HEAD_BYTES};
    (void)row_events_write(bytes, &a);
    row.data = bytes;
    if (!row_events_read(events_key(number, 7, 9), row, &a))
        return;
    uint32_t count = 0;
    while (row_event_take(&a.events, &event))
        count++;
    MUST(count == a.count && a.events.size == 0);
}

static void
read_bulk(struct slice row)
{
    struct row_bulk a, b;
    uint8_t bytes[BULK_KEY_BYTES], again[ROW_BULK_BYTES_MAX], once_more[ROW_BULK_BYTES_MAX];
    struct slice at = bulk_key(bytes, id_sequence(&id) + 1);
    if (!row_bulk_read(at, row, &a))
        return;
    struct slice written = row_bulk_write(again, &a);
    MUST(row_bulk_read(at, written, &b));
    struct slice back = row_bulk_write(once_more, &b);
    MUST(back.size == written.size && memcmp(back.data, written.data, back.size) == 0);
}

static void
read_schedule(struct slice row)
{
    static uint8_t again[SCHEDULE_BEFORE_JOB_MAX + LIMIT_SCHEDULE_JOB_BYTES];
    struct row_schedule a, b;
    struct job_spec spec;
    struct slice at = schedule_key((struct slice){(const uint8_t *)"s", 1});
    if (!row_schedule_read(at, row, &a))
        return;
    uint8_t head[SCHEDULE_BEFORE_JOB_MAX];
    struct slice written = row_schedule_write(head, &a);
    memcpy(again, written.data, written.size);
    memcpy(again + written.size, a.job.data, a.job.size);
    MUST(row_schedule_read(at, (struct slice){again, written.size + a.job.size}, &b));
    MUST(a.seen_ms == b.seen_ms && a.skipped == b.skipped && a.job.size == b.job.size);
    (void)message_read_job(b.job, &spec);
}

/* What check its row has, if it is as long as it says. */
static uint64_t
schedule_check(struct slice row)
{
    size_t job = row.size >= 16 ? get_be(row.data + 12, 4) : 0;
    if (row.size < 16 || job > row.size - 16)
        return 0;
    uint64_t check = record_check("s", 1, 0);
    check = record_check(row.data + 8, row.size - job - 8, check);
    return record_check(row.data + row.size - job, job, check);
}

/* Of either part. */
static void
read_batch(struct slice row)
{
    static uint8_t terms_again[ROW_BATCH_TERMS_BYTES_MAX];
    uint8_t again[ROW_BATCH_BYTES_MAX];
    struct row_batch a, b;
    struct row_batch_terms c, d;
    if (row_batch_read(7, row, &a)) {
        MUST(row_batch_read(7, row_batch_write(again, 7, &a), &b));
        MUST(a.flags == b.flags && a.jobs == b.jobs && batch_left(&a) <= a.jobs);
    }
    if (row_batch_terms_read(7, row, &c)) {
        MUST(row_batch_terms_read(7, row_batch_terms_write(terms_again, 7, &c), &d));
        MUST(c.title.size == d.title.size && c.jobs[1].size == d.jobs[1].size);
    }
}

static void
read_row(unsigned which, struct slice row)
{
    uint64_t words[META_WORDS];
    struct slice piece;
    switch (which) {
    case 0:
        read_level(row);
        break;
    case 1:
        read_transit(row);
        break;
    case 2:
        read_session(row);
        break;
    case 3:
        read_queue(row);
        break;
    case 4:
        read_answer(row);
        break;
    case 6:
        read_setting(row);
        break;
    case 5:
        (void)row_meta_read(row, words);
        break;
    case 7:
        read_feed(row);
        break;
    case 8:
        read_events(row);
        break;
    case 10:
        read_schedule(row);
        break;
    case 11:
        read_batch(row);
        break;
    default:
        read_bulk(row);
        (void)row_part_read(&id, 1, row, &piece);
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *given, size_t size)
{
    static uint8_t bytes[BYTES_MAX];
    const uint64_t seeds[] = {get_be(id.bytes, 8), row_seed(id.bytes), row_seed(id.bytes), 7, 7, 0,
        record_check("\2n", 2, 0), 7, 0, id_sequence(&id) + 1, 0, 7};
    if (size < 1 || size > sizeof bytes)
        return 0;
    unsigned which = given[0] % 12;
    struct slice row = {given + 1, size - 1};
    read_row(which, row);
    if (row.size < ROW_PART_BYTES)
        return 0;
    memcpy(bytes, row.data, row.size);
    put_be(bytes, record_check(bytes + 8, row.size - 8, seeds[which]), 8);
    row.data = bytes;
    if (which == 4 && row.size >= ROW_ANSWER_BYTES)
        put_be(bytes,
            row_answer_check(
                7, bytes, (struct slice){bytes + ROW_ANSWER_BYTES, row.size - ROW_ANSWER_BYTES}),
            8);
    if (which == 10)
        put_be(bytes, schedule_check(row), 8);
    read_row(which, row);
    return 0;
}
