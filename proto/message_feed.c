/* Feeds of events that the broker records: SET_FEED to FEED_EVENTS. */
#include "message_fields.h"

enum set_feed_key {
    SET_FEED_NAME = 2,
    SET_FEED_ACTION = 3,
    SET_FEED_QUEUES = 4,
    SET_FEED_EVENTS = 5,
    SET_FEED_KEEP = 6,
    SET_FEED_MAX_EVENTS = 7,
    SET_FEED_MAX_BYTES = 8,
};

/* A pattern that names queues, told apart by whoever reads it. */
static void
decode_queues(struct decoding *d, char queues[STINT_NAME_BYTES])
{
    struct slice text = pack_text(&d->r);
    if (text.size > LIMIT_NAME_BYTES)
        decoding_complain(d, STINT_BAD_NAME, "a feed's queues are a name, or the begin of one");
    else
        slice_to_text(queues, STINT_NAME_BYTES, text);
}

void
set_feed_field(struct decoding *d, uint64_t key)
{
    struct stint_feed *feed = &d->m->set_feed.feed;
    switch (key) {
    case SET_FEED_NAME:
        slice_to_text(feed->name, sizeof feed->name, decoding_name(d));
        break;
    case SET_FEED_ACTION:
        d->m->set_feed.action =
            (enum feed_action)decoding_ranged(d, FEED_SET, FEED_REMOVE, "the action is 1 or 2");
        break;
    case SET_FEED_QUEUES:
        decode_queues(d, feed->queues);
        break;
    case SET_FEED_EVENTS:
        feed->events = (uint32_t)pack_uint_max(&d->r, UINT32_MAX);
        break;
    case SET_FEED_KEEP:
        feed->keep_ms =
            decoding_ranged(d, 0, LIMIT_TIME_MS, "events are kept for at most a hundred years");
        break;
    case SET_FEED_MAX_EVENTS:
        feed->max_events =
            decoding_ranged(d, 0, LIMIT_FEED_EVENTS, "a feed keeps at most 1,000,000,000 events");
        break;
    case SET_FEED_MAX_BYTES:
        feed->max_bytes =
            decoding_ranged(d, 0, LIMIT_FEED_BYTES, "a feed keeps at most 1 TiB of events");
        break;
    default:
        pack_skip(&d->r);
    }
}

void
message_put_set_feed(
    struct pack_buffer *b, uint64_t number, enum feed_action action, const struct stint_feed *feed)
{
    const uint64_t numbers[] = {feed->events, feed->keep_ms, feed->max_events, feed->max_bytes};
    uint32_t fields = 3U + (feed->queues[0] != 0);
    for (unsigned i = 0; i < sizeof numbers / sizeof *numbers; i++)
        fields += numbers[i] != 0;
    put_head_numbered(b, MESSAGE_SET_FEED, fields, number);
    put_key_string(b, SET_FEED_NAME, feed->name);
    pack_put_key_uint(b, SET_FEED_ACTION, action);
    if (feed->queues[0])
        put_key_string(b, SET_FEED_QUEUES, feed->queues);
    for (uint8_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        if (numbers[i])
            pack_put_key_uint(b, (uint8_t)(SET_FEED_EVENTS + i), numbers[i]);
}

/* Of an element of FEEDS; all but the name are absent where they are zero or empty. */
enum feed_key {
    FEED_NAME = 1,
    FEED_QUEUES = 2,
    FEED_EVENT_BITS = 3,
    FEED_KEEP = 4,
    FEED_MAX_EVENTS = 5,
    FEED_MAX_BYTES = 6,
    FEED_LIFE = 7,
    FEED_FIRST = 8,
    FEED_NEXT = 9,
    FEED_BYTES = 10,
    FEED_MADE = 11,
};
enum { FEED_NUMBERS = FEED_BYTES - FEED_KEEP + 1 };

bool
message_next_feed(struct message_arrays *arrays)
{
    struct pack_reader *r = &arrays->items.r;
    struct stint_feed *f = &arrays->feed;
    int64_t last = -1;
    *f = (struct stint_feed){.name = ""};
    uint64_t *const numbers[FEED_NUMBERS] = {
        &f->keep_ms, &f->max_events, &f->max_bytes, &f->life, &f->first, &f->next, &f->bytes};
    for (uint32_t n = pack_map(r); n > 0 && !r->bad; n--) {
        uint64_t key = pack_key(r, &last);
        if (key == FEED_NAME)
            slice_to_text(f->name, sizeof f->name, pack_text(r));
        else if (key == FEED_QUEUES)
            slice_to_text(f->queues, sizeof f->queues, pack_text(r));
        else if (key == FEED_EVENT_BITS)
            f->events = (uint32_t)pack_uint_max(r, UINT32_MAX);
        else if (key >= FEED_KEEP && key <= FEED_BYTES)
            *numbers[key - FEED_KEEP] = pack_uint(r);
        else if (key == FEED_MADE)
            f->made = pack_bool(r);
        else
            pack_skip(r);
    }
    return !r->bad;
}

void
message_put_feed(struct pack_buffer *b, const struct stint_feed *f)
{
    const uint64_t numbers[FEED_NUMBERS] = {
        f->keep_ms, f->max_events, f->max_bytes, f->life, f->first, f->next, f->bytes};
    uint32_t fields = 1U + (f->queues[0] != 0) + (f->events != 0) + f->made;
    for (unsigned i = 0; i < FEED_NUMBERS; i++)
        fields += numbers[i] != 0;
    pack_put_map(b, fields);
    put_key_string(b, FEED_NAME, f->name);
    if (f->queues[0])
        put_key_string(b, FEED_QUEUES, f->queues);
    if (f->events)
        pack_put_key_uint(b, FEED_EVENT_BITS, f->events);
    for (uint8_t i = 0; i < FEED_NUMBERS; i++)
        if (numbers[i])
            pack_put_key_uint(b, (uint8_t)(FEED_KEEP + i), numbers[i]);
    if (f->made)
        put_key_bool(b, FEED_MADE, true);
}

enum read_feed_key {
    READ_FEED_NAME = 2,
    READ_FEED_FROM = 3,
    READ_FEED_WAIT = 4,
    READ_FEED_LIFE = 5,
};

void
read_feed_field(struct decoding *d, uint64_t key)
{
    if (key == READ_FEED_NAME)
        d->m->read_feed.name = decoding_name(d);
    else if (key == READ_FEED_FROM)
        d->m->read_feed.from = pack_uint(&d->r);
    else if (key == READ_FEED_WAIT)
        d->m->read_feed.wait = pack_bool(&d->r);
    else if (key == READ_FEED_LIFE)
        d->m->read_feed.life = pack_uint(&d->r);
    else
        pack_skip(&d->r);
}

void
message_put_read_feed(struct pack_buffer *b, uint64_t number, struct slice name, uint64_t from,
    uint64_t life, bool wait)
{
    put_head_numbered(b, MESSAGE_READ_FEED, 2U + (from > 0) + (life > 0) + wait, number);
    put_key_text(b, READ_FEED_NAME, name);
    if (from)
        pack_put_key_uint(b, READ_FEED_FROM, from);
    if (wait)
        put_key_bool(b, READ_FEED_WAIT, true);
    if (life)
        pack_put_key_uint(b, READ_FEED_LIFE, life);
}

enum feed_events_key {
    FEED_EVENTS_FIRST = 3,
    FEED_EVENTS_NEXT = 4,
    FEED_EVENTS_LIFE = 5,
};

void
feed_events_field(struct decoding *d, uint64_t key)
{
    if (key == FEED_EVENTS_FIRST)
        d->m->feed_events.first = pack_uint(&d->r);
    else if (key == FEED_EVENTS_NEXT)
        d->m->feed_events.next = pack_uint(&d->r);
    else if (key == FEED_EVENTS_LIFE)
        d->m->feed_events.life = pack_uint(&d->r);
    else
        events_field(d, key);
}

void
message_put_feed_events(struct pack_buffer *b, uint64_t number, struct slice events, uint32_t count,
    const struct feed_events *page)
{
    put_head_numbered(b, MESSAGE_FEED_EVENTS, 5, number);
    put_key_array(b, KEY_ELEMENTS, count);
    if (events.size)
        memcpy(pack_reserve(b, events.size), events.data, events.size);
    pack_put_key_uint(b, FEED_EVENTS_FIRST, page->first);
    pack_put_key_uint(b, FEED_EVENTS_NEXT, page->next);
    pack_put_key_uint(b, FEED_EVENTS_LIFE, page->life);
}
