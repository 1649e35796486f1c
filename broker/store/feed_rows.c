/* The rows of feeds; their layout is told in feed_rows.h. */
#include "feed_rows.h"

enum { FEED_VERSION = 1, EVENTS_VERSION = 1 };

struct slice
feed_key(uint8_t key[FEED_KEY_BYTES], uint32_t number)
{
    put_be(key, number, FEED_KEY_BYTES);
    return (struct slice){key, FEED_KEY_BYTES};
}

static void
put_text(uint8_t *at, struct slice text)
{
    if (text.size)
        memcpy(at, text.data, text.size);
}

struct slice
row_feed_write(uint8_t buffer[ROW_FEED_BYTES_MAX], const struct row_feed *row)
{
    const uint64_t words[FEED_WORDS] = {row->keep_ms, row->max_events, row->max_bytes, row->life,
        row->first, row->next, row->bytes};
    size_t size = FEED_HEAD_BYTES + row->name.size + row->queues.size;
    assert(row->name.size <= LIMIT_NAME_BYTES && row->queues.size <= LIMIT_NAME_BYTES);
    buffer[8] = FEED_VERSION;
    buffer[9] = (uint8_t)row->name.size;
    buffer[10] = (uint8_t)row->queues.size;
    buffer[11] = row->removed;
    put_be(buffer + 12, row->events, 4);
    for (unsigned i = 0; i < FEED_WORDS; i++)
        put_be(buffer + 16 + 8 * (size_t)i, words[i], 8);
    put_text(buffer + FEED_HEAD_BYTES, row->name);
    put_text(buffer + FEED_HEAD_BYTES + row->name.size, row->queues);
    put_be(buffer, record_check(buffer + 8, size - 8, row->number), 8);
    return (struct slice){buffer, size};
}

bool
row_feed_read(struct slice key, struct slice value, struct row_feed *row)
{
    if (key.size != FEED_KEY_BYTES || value.size < FEED_HEAD_BYTES ||
        value.data[8] != FEED_VERSION || value.data[11] > 1 ||
        value.size != FEED_HEAD_BYTES + (size_t)value.data[9] + value.data[10])
        return false;
    *row = (struct row_feed){.number = (uint32_t)get_be(key.data, FEED_KEY_BYTES),
        .name = {value.data + FEED_HEAD_BYTES, value.data[9]},
        .queues = {value.data + FEED_HEAD_BYTES + value.data[9], value.data[10]},
        .removed = value.data[11] != 0,
        .events = (uint32_t)get_be(value.data + 12, 4)};
    uint64_t *const words[FEED_WORDS] = {&row->keep_ms, &row->max_events, &row->max_bytes,
        &row->life, &row->first, &row->next, &row->bytes};
    for (unsigned i = 0; i < FEED_WORDS; i++)
        *words[i] = get_be(value.data + 16 + 8 * (size_t)i, 8);
    return get_be(value.data, 8) == record_check(value.data + 8, value.size - 8, row->number) &&
        name_is_valid(row->name) && row->queues.size <= LIMIT_NAME_BYTES && row->first > 0 &&
        row->first <= row->next;
}

struct slice
events_key(uint8_t key[EVENTS_KEY_BYTES], uint32_t feed, uint64_t first)
{
    put_be(key, feed, 4);
    put_be(key + 4, first, 8);
    return (struct slice){key, EVENTS_KEY_BYTES};
}

bool
events_key_read(struct slice key, uint32_t *feed, uint64_t *first)
{
    if (key.size != EVENTS_KEY_BYTES)
        return false;
    *feed = (uint32_t)get_be(key.data, 4);
    *first = get_be(key.data + 4, 8);
    return true;
}

static uint64_t
events_check(const struct row_events *row, const uint8_t head[ROW_EVENTS_HEAD_BYTES])
{
    uint64_t seed = row->feed * 0x9e3779b97f4a7c15ULL + row->first;
    seed = record_check(head + 8, ROW_EVENTS_HEAD_BYTES - 8, seed);
    return record_check(row->events.data, row->events.size, seed);
}

struct slice
row_events_write(uint8_t buffer[ROW_EVENTS_HEAD_BYTES], const struct row_events *row)
{
    assert(row->count > 0 && row->count <= ROW_EVENTS_MAX);
    put_be(buffer + 8, (uint64_t)EVENTS_VERSION << 56 | (uint64_t)row->count << 32, 8);
    put_be(buffer + 16, row->at_ms, 8);
    put_be(buffer + 24, row->told_ms, 8);
    put_be(buffer, events_check(row, buffer), 8);
    return (struct slice){buffer, ROW_EVENTS_HEAD_BYTES};
}

/* Are there so many events, and nothing else? */
static bool
has_events(struct slice events, uint32_t count)
{
    struct row_event event;
    uint32_t found = 0;
    while (row_event_take(&events, &event)) {
        if (found++ == 0 && event.queue.size == 0)
            return false;
    }
    return found == count && events.size == 0;
}

bool
row_events_read(struct slice key, struct slice value, struct row_events *row)
{
    *row = (struct row_events){.count = 0};
    if (!events_key_read(key, &row->feed, &row->first) || value.size <= ROW_EVENTS_HEAD_BYTES ||
        get_be(value.data + 8, 2) != EVENTS_VERSION << 8 || get_be(value.data + 12, 4) != 0)
        return false;
    row->count = (uint32_t)get_be(value.data + 10, 2);
    row->at_ms = get_be(value.data + 16, 8);
    row->told_ms = get_be(value.data + 24, 8);
    row->events =
        (struct slice){value.data + ROW_EVENTS_HEAD_BYTES, value.size - ROW_EVENTS_HEAD_BYTES};
    return get_be(value.data, 8) == events_check(row, value.data) && row->count > 0 &&
        has_events(row->events, row->count);
}

size_t
row_event_write(uint8_t *at, const struct row_event *event)
{
    at[0] = (uint8_t)(event->type | (event->schedule.size ? ROW_EVENT_SCHEDULED : 0));
    at[1] = (uint8_t)event->queue.size;
    put_be(at + 2, event->attempt, 4);
    memcpy(at + 6, event->id.bytes, STINT_ID_BYTES);
    put_text(at + ROW_EVENT_BYTES, event->queue);
    if (event->schedule.size == 0)
        return ROW_EVENT_BYTES + event->queue.size;
    uint8_t *behind = at + ROW_EVENT_BYTES + event->queue.size;
    behind[0] = (uint8_t)event->schedule.size;
    put_text(behind + 1, event->schedule);
    return ROW_EVENT_BYTES + event->queue.size + 1 + event->schedule.size;
}

static bool
take_schedule(struct slice *events, struct row_event *event)
{
    if (events->size < 1 || events->data[0] == 0 || events->data[0] > LIMIT_NAME_BYTES ||
        events->size < 1 + (size_t)events->data[0])
        return false;
    event->schedule = (struct slice){events->data + 1, events->data[0]};
    events->data += 1 + event->schedule.size;
    events->size -= 1 + event->schedule.size;
    return true;
}

bool
row_event_take(struct slice *events, struct row_event *event)
{
    if (events->size < ROW_EVENT_BYTES || events->data[1] > LIMIT_NAME_BYTES ||
        events->size < ROW_EVENT_BYTES + (size_t)events->data[1])
        return false;
    const uint8_t *at = events->data;
    *event = (struct row_event){.type = at[0] & (ROW_EVENT_SCHEDULED - 1),
        .attempt = (uint32_t)get_be(at + 2, 4),
        .queue = {at + ROW_EVENT_BYTES, at[1]}};
    memcpy(event->id.bytes, at + 6, STINT_ID_BYTES);
    bool scheduled = (at[0] & ROW_EVENT_SCHEDULED) != 0;
    events->data += ROW_EVENT_BYTES + event->queue.size;
    events->size -= ROW_EVENT_BYTES + event->queue.size;
    return !scheduled || take_schedule(events, event);
}
