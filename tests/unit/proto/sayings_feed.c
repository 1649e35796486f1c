/* Sayings of the messages of feeds; the contract is in sayings.h. */
#include "sayings.h"

static uint64_t
number_or_none(uint64_t max)
{
    return chance() ? 0 : upto(max);
}

void
say_SET_FEED(uint64_t number)
{
    struct stint_feed feed = {.events = (uint32_t)number_or_none(UINT32_MAX),
        .keep_ms = number_or_none(LIMIT_TIME_MS),
        .max_events = number_or_none(LIMIT_FEED_EVENTS),
        .max_bytes = number_or_none(LIMIT_FEED_BYTES)};
    enum feed_action action = chance() ? FEED_SET : FEED_REMOVE;
    slice_to_text(feed.name, sizeof feed.name, name());
    if (chance())
        slice_to_text(feed.queues, sizeof feed.queues, name());
    message_put_set_feed(&frame, number, action, &feed);
    hear(MESSAGE_SET_FEED, number);
    const struct stint_feed *is = &heard.set_feed.feed, *was = &feed;
    assert_int_equal(heard.set_feed.action, action);
    ASSERT_FIELD(is, was, name);
    ASSERT_FIELD(is, was, queues);
    ASSERT_FIELD(is, was, events);
    ASSERT_FIELD(is, was, keep_ms);
    ASSERT_FIELD(is, was, max_events);
    ASSERT_FIELD(is, was, max_bytes);
}

void
say_LIST_FEEDS(uint64_t number)
{
    message_put_numbered(&frame, MESSAGE_LIST_FEEDS, number);
    hear(MESSAGE_LIST_FEEDS, number);
}

static struct stint_feed
any_feed(void)
{
    struct stint_feed f = {.events = (uint32_t)number_or_none(UINT32_MAX),
        .keep_ms = number_or_none(UINT64_MAX),
        .max_events = number_or_none(UINT64_MAX),
        .max_bytes = number_or_none(UINT64_MAX),
        .life = number_or_none(UINT64_MAX),
        .first = number_or_none(UINT64_MAX),
        .next = number_or_none(UINT64_MAX),
        .bytes = number_or_none(UINT64_MAX),
        .made = chance()};
    text(f.name, sizeof f.name);
    text(f.queues, sizeof f.queues);
    return f;
}

void
say_FEEDS(uint64_t number)
{
    struct stint_feed feeds[3];
    struct pack_buffer elements = {0};
    uint32_t count = (uint32_t)below(4);
    for (uint32_t i = 0; i < count; i++) {
        feeds[i] = any_feed();
        message_put_feed(&elements, &feeds[i]);
    }
    message_put_numbered_elements(&frame, MESSAGE_FEEDS, number,
        (struct slice){elements.data, elements.used}, count, (struct slice){0});
    hear(MESSAGE_FEEDS, number);
    assert_int_equal(heard.count, count);
    for (uint32_t i = 0; i < count; i++) {
        const struct stint_feed *is = &arrays->feed, *was = &feeds[i];
        assert_true(message_next_feed(arrays));
        assert_string_equal(is->name, was->name);
        assert_string_equal(is->queues, was->queues);
        ASSERT_FIELD(is, was, events);
        ASSERT_FIELD(is, was, keep_ms);
        ASSERT_FIELD(is, was, max_events);
        ASSERT_FIELD(is, was, max_bytes);
        ASSERT_FIELD(is, was, life);
        ASSERT_FIELD(is, was, first);
        ASSERT_FIELD(is, was, next);
        ASSERT_FIELD(is, was, bytes);
        ASSERT_FIELD(is, was, made);
    }
    pack_buffer_free(&elements);
}

void
say_READ_FEED(uint64_t number)
{
    struct slice feed = name();
    uint64_t from = number_or_none(UINT64_MAX), life = number_or_none(UINT64_MAX);
    bool wait = chance();
    message_put_read_feed(&frame, number, feed, from, life, wait);
    hear(MESSAGE_READ_FEED, number);
    assert_same(heard.read_feed.name, feed);
    assert_number(heard.read_feed.from, from);
    assert_number(heard.read_feed.life, life);
    assert_int_equal(heard.read_feed.wait, wait);
}

void
say_FEED_EVENTS(uint64_t number)
{
    struct stint_event events[4];
    struct pack_buffer elements = {0};
    struct feed_events page = {upto(UINT64_MAX), upto(UINT64_MAX), upto(UINT64_MAX)};
    uint32_t count = (uint32_t)below(5);
    for (uint32_t i = 0; i < count; i++) {
        events[i] = (struct stint_event){.type = (enum stint_event_type)upto(UINT16_MAX),
            .id = id(),
            .at_ms = upto(UINT64_MAX),
            .count = upto(UINT64_MAX)};
        text(events[i].queue, sizeof events[i].queue);
        text(events[i].schedule, sizeof events[i].schedule);
        message_put_event(&elements, &events[i]);
    }
    message_put_feed_events(
        &frame, number, (struct slice){elements.data, elements.used}, count, &page);
    hear(MESSAGE_FEED_EVENTS, number);
    assert_int_equal(heard.count, count);
    assert_number(heard.feed_events.first, page.first);
    assert_number(heard.feed_events.next, page.next);
    assert_number(heard.feed_events.life, page.life);
    for (uint32_t i = 0; i < count; i++) {
        const struct stint_event *is = &arrays->events[i], *was = &events[i];
        ASSERT_FIELD(is, was, type);
        ASSERT_FIELD(is, was, id);
        ASSERT_FIELD(is, was, at_ms);
        ASSERT_FIELD(is, was, count);
        assert_string_equal(is->queue, was->queue);
        assert_string_equal(is->schedule, was->schedule);
    }
    pack_buffer_free(&elements);
}
