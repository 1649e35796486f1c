/* Batches, jobs under one number: SET_BATCH makes, changes, closes and cancels one, LIST_BATCHES
 * and WAIT_BATCH ask about them, and BATCHES answers all three.
 */
#include "message_fields.h"

const char *
stint_batch_state_name(enum stint_batch_state state)
{
    static const char *const names[] = {"unknown", "open", "closed", "settled"};
    return names[state <= STINT_BATCH_SETTLED ? state : 0];
}

char *
stint_batch_format(uint64_t batch, char text[STINT_BATCH_TEXT_BYTES])
{
    for (unsigned i = 0; i < STINT_BATCH_TEXT_BYTES - 1; i++)
        text[i] = "0123456789abcdef"[batch >> (60 - 4 * i) & 15];
    text[STINT_BATCH_TEXT_BYTES - 1] = '\0';
    return text;
}

enum stint_status
stint_batch_parse(const char *text, uint64_t *batch)
{
    uint64_t number = 0;
    unsigned n = 0;
    for (; text[n] && n < STINT_BATCH_TEXT_BYTES - 1; n++) {
        char c = text[n];
        bool digit = c >= '0' && c <= '9', letter = c >= 'a' && c <= 'f';
        if (!digit && !letter)
            return STINT_INVALID;
        number = number << 4 | (uint64_t)(digit ? c - '0' : c - 'a' + 10);
    }
    if (n != STINT_BATCH_TEXT_BYTES - 1 || text[n] || number == 0 || number > LIMIT_BATCH)
        return STINT_INVALID;
    *batch = number;
    return STINT_OK;
}

enum { COUNTS = 5 };

void
message_put_counts(struct pack_buffer *b, const struct stint_batch_counts *c)
{
    const uint64_t numbers[COUNTS] = {c->jobs, c->succeeded, c->dead, c->cancelled, c->expired};
    pack_put_array(b, COUNTS);
    for (unsigned i = 0; i < COUNTS; i++)
        pack_put_uint(b, numbers[i]);
}

static void
read_counts(struct pack_reader *r, struct stint_batch_counts *c)
{
    uint64_t *const numbers[COUNTS] = {
        &c->jobs, &c->succeeded, &c->dead, &c->cancelled, &c->expired};
    uint32_t count = pack_array(r);
    *c = (struct stint_batch_counts){.known = true};
    for (uint32_t i = 0; i < count && !r->bad; i++)
        if (i < COUNTS)
            *numbers[i] = pack_uint(r);
        else
            pack_skip(r);
}

bool
message_read_counts(struct slice bytes, struct stint_batch_counts *counts)
{
    struct pack_reader r = pack_reader(bytes.data, bytes.size);
    read_counts(&r, counts);
    return !r.bad;
}

enum set_batch_key {
    SET_BATCH_BATCH = 2,
    SET_BATCH_ACTION = 3,
    SET_BATCH_TITLE = 4,
    SET_BATCH_QUEUE = 5,
    SET_BATCH_KEEP = 6,
    SET_BATCH_SUCCESS = 7,
    SET_BATCH_ALWAYS = 8,
};

static uint64_t
read_batch(struct decoding *d)
{
    return decoding_ranged(d, 1, LIMIT_BATCH, "a batch has a number from 1 to 2^61 - 1");
}

static struct slice
read_title(struct decoding *d)
{
    struct slice text = pack_text(&d->r);
    if (text.size > LIMIT_LABEL_BYTES)
        decoding_complain(d, STINT_TOO_LARGE, "a title has at most 128 bytes");
    if (!d->r.bad && !text_is_utf8(text))
        decoding_complain(d, STINT_INVALID, "a title is UTF-8");
    for (size_t i = 0; i < text.size && !d->r.bad; i++)
        if (text.data[i] < ' ' || text.data[i] == 0x7f)
            decoding_complain(d, STINT_INVALID, "a title is one line of text");
    return text;
}

/* A job that the batch makes: one for each time that it is over, so a key that is held by another
 * job has no meaning. */
static struct slice
read_job(struct decoding *d, struct job_spec *spec)
{
    struct slice bytes = {d->r.at, 0};
    decoding_job(d, spec);
    bytes.size = (size_t)(d->r.at - bytes.data);
    if (!d->r.bad && spec->unique.size > 0)
        decoding_complain(d, STINT_INVALID, "a job that a batch makes has no unique key");
    else if (!d->r.bad && bytes.size > LIMIT_BATCH_JOB_BYTES)
        decoding_complain(d, STINT_TOO_LARGE, "a job that a batch makes has at most 16384 bytes");
    return bytes;
}

void
set_batch_field(struct decoding *d, uint64_t key)
{
    struct batch_request *s = &d->m->set_batch;
    switch (key) {
    case SET_BATCH_BATCH:
        s->batch = read_batch(d);
        break;
    case SET_BATCH_ACTION:
        s->action =
            (enum batch_action)decoding_ranged(d, BATCH_NEW, BATCH_CANCEL, "the action is 1 to 4");
        break;
    case SET_BATCH_TITLE:
        s->title = read_title(d);
        break;
    case SET_BATCH_QUEUE:
        s->queue = decoding_name(d);
        break;
    case SET_BATCH_KEEP:
        s->keep_ms = decoding_ranged(d, 0, LIMIT_TIME_MS, "a duration is at most a hundred years");
        break;
    case SET_BATCH_SUCCESS:
        s->success = read_job(d, &d->arrays->specs[0]);
        break;
    case SET_BATCH_ALWAYS:
        s->always = read_job(d, &d->arrays->specs[1]);
        break;
    default:
        pack_skip(&d->r);
    }
}

void
message_put_set_batch(struct pack_buffer *b, uint64_t number, const struct batch_request *s)
{
    bool keeps = s->keep_ms != KEEP_DEFAULT;
    put_head_numbered(b, MESSAGE_SET_BATCH,
        3U + (s->title.size > 0) + (s->queue.size > 0) + keeps + (s->success.size > 0) +
            (s->always.size > 0),
        number);
    pack_put_key_uint(b, SET_BATCH_BATCH, s->batch);
    pack_put_key_uint(b, SET_BATCH_ACTION, s->action);
    if (s->title.size)
        put_key_text(b, SET_BATCH_TITLE, s->title);
    if (s->queue.size)
        put_key_text(b, SET_BATCH_QUEUE, s->queue);
    if (keeps)
        pack_put_key_uint(b, SET_BATCH_KEEP, s->keep_ms);
    if (s->success.size)
        put_key_filter(b, SET_BATCH_SUCCESS, s->success); /* which is msgpack already */
    if (s->always.size)
        put_key_filter(b, SET_BATCH_ALWAYS, s->always);
}

enum list_batches_key {
    LIST_BATCHES_BATCH = 2,
    LIST_BATCHES_CURSOR = 3,
};

void
list_batches_field(struct decoding *d, uint64_t key)
{
    if (key == LIST_BATCHES_BATCH)
        d->m->list_batches.batch = read_batch(d);
    else if (key == LIST_BATCHES_CURSOR && d->m->type == MESSAGE_LIST_BATCHES)
        d->m->list_batches.cursor = pack_bytes(&d->r);
    else
        pack_skip(&d->r);
}

void
message_put_list_batches(struct pack_buffer *b, enum message_type type, uint64_t number,
    uint64_t batch, struct slice cursor)
{
    put_head_numbered(b, type, 1U + (batch != 0) + (cursor.size > 0), number);
    if (batch)
        pack_put_key_uint(b, LIST_BATCHES_BATCH, batch);
    if (cursor.size)
        put_key_bytes(b, LIST_BATCHES_CURSOR, cursor.data, cursor.size);
}

/* Of an element of BATCHES. Zero and empty are absent, but for the first two and the counts. */
enum batch_info_key {
    BATCH_INFO_BATCH = 1,
    BATCH_INFO_STATE = 2,
    BATCH_INFO_TITLE = 3,
    BATCH_INFO_QUEUE = 4,
    BATCH_INFO_CANCELLED = 5,
    BATCH_INFO_BEGAN = 6,
    BATCH_INFO_SETTLED = 7,
    BATCH_INFO_KEEP = 8,
    BATCH_INFO_COUNTS = 9,
    BATCH_INFO_MAKES = 10, /* bits 1 << enum stint_batch_role */
    BATCH_INFO_SUCCESS = 11,
    BATCH_INFO_ALWAYS = 12,
    BATCH_INFO_TROUBLE = 13,
};

static void
read_makes(struct pack_reader *r, struct stint_batch_info *i)
{
    uint64_t makes = pack_uint(r);
    i->has_success = (makes >> STINT_BATCH_SUCCESS & 1) != 0;
    i->has_always = (makes >> STINT_BATCH_ALWAYS & 1) != 0;
}

static void
batch_info_field(struct pack_reader *r, struct stint_batch_info *i, uint64_t key)
{
    switch (key) {
    case BATCH_INFO_BATCH:
        i->batch = pack_uint(r);
        break;
    case BATCH_INFO_STATE:
        i->state = (enum stint_batch_state)pack_uint_max(r, UINT8_MAX);
        break;
    case BATCH_INFO_TITLE:
        slice_to_text(i->title, sizeof i->title, pack_text(r));
        break;
    case BATCH_INFO_QUEUE:
        slice_to_text(i->queue, sizeof i->queue, pack_text(r));
        break;
    case BATCH_INFO_CANCELLED:
        i->cancelled = pack_bool(r);
        break;
    case BATCH_INFO_BEGAN:
        i->began_ms = pack_uint(r);
        break;
    case BATCH_INFO_SETTLED:
        i->settled_ms = pack_uint(r);
        break;
    case BATCH_INFO_KEEP:
        i->keep_ms = pack_uint(r);
        break;
    case BATCH_INFO_COUNTS:
        read_counts(r, &i->counts);
        break;
    case BATCH_INFO_MAKES:
        read_makes(r, i);
        break;
    case BATCH_INFO_SUCCESS:
        read_id(r, &i->success_id);
        break;
    case BATCH_INFO_ALWAYS:
        read_id(r, &i->always_id);
        break;
    case BATCH_INFO_TROUBLE:
        i->trouble = (enum stint_status)pack_uint_max(r, UINT16_MAX);
        break;
    default:
        pack_skip(r);
    }
}

bool
message_next_batch(struct message_arrays *arrays)
{
    struct pack_reader *r = &arrays->items.r;
    int64_t last = -1;
    arrays->items.batch = (struct stint_batch_info){.batch = 0};
    for (uint32_t n = pack_map(r); n > 0 && !r->bad; n--)
        batch_info_field(r, &arrays->items.batch, pack_key(r, &last));
    return !r->bad;
}

static bool
is_some(const struct stint_id *id)
{
    static const struct stint_id none;
    return memcmp(id, &none, sizeof none) != 0;
}

static void
put_some_id(struct pack_buffer *b, uint8_t key, const struct stint_id *id)
{
    if (!is_some(id))
        return;
    put_key(b, key);
    put_id(b, id);
}

void
message_put_batch_info(struct pack_buffer *b, const struct stint_batch_info *i)
{
    const uint64_t times[] = {i->began_ms, i->settled_ms, i->keep_ms};
    uint64_t makes = (uint64_t)i->has_success << STINT_BATCH_SUCCESS |
        (uint64_t)i->has_always << STINT_BATCH_ALWAYS;
    uint32_t fields = 3U + (i->title[0] != 0) + (i->queue[0] != 0) + i->cancelled + (makes != 0) +
        is_some(&i->success_id) + is_some(&i->always_id) + (i->trouble != STINT_OK);
    for (unsigned n = 0; n < 3; n++)
        fields += times[n] != 0;
    pack_put_map(b, fields);
    pack_put_key_uint(b, BATCH_INFO_BATCH, i->batch);
    pack_put_key_uint(b, BATCH_INFO_STATE, i->state);
    if (i->title[0])
        put_key_string(b, BATCH_INFO_TITLE, i->title);
    if (i->queue[0])
        put_key_string(b, BATCH_INFO_QUEUE, i->queue);
    if (i->cancelled)
        put_key_bool(b, BATCH_INFO_CANCELLED, true);
    for (uint8_t n = 0; n < 3; n++)
        if (times[n])
            pack_put_key_uint(b, (uint8_t)(BATCH_INFO_BEGAN + n), times[n]);
    put_key(b, BATCH_INFO_COUNTS);
    message_put_counts(b, &i->counts);
    if (makes)
        pack_put_key_uint(b, BATCH_INFO_MAKES, makes);
    put_some_id(b, BATCH_INFO_SUCCESS, &i->success_id);
    put_some_id(b, BATCH_INFO_ALWAYS, &i->always_id);
    if (i->trouble != STINT_OK)
        pack_put_key_uint(b, BATCH_INFO_TROUBLE, i->trouble);
}
