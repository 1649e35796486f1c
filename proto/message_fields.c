/* What messages share: names, ids, lists, whole messages of nothing but a number or a list. */
#include "message_fields.h"

static bool
is_letter_or_digit(uint8_t c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

bool
name_is_valid(struct slice name)
{
    if (name.size == 0 || name.size > LIMIT_NAME_BYTES || !is_letter_or_digit(name.data[0]))
        return false;
    for (size_t i = 1; i < name.size; i++) {
        uint8_t c = name.data[i];
        if (!is_letter_or_digit(c) && c != '.' && c != '_' && c != '-')
            return false;
    }
    return true;
}

/* No overlong forms, no surrogates, nothing beyond U+10FFFF. */
bool
text_is_utf8(struct slice text)
{
    static const uint32_t least[] = {0, 0x80, 0x800, 0x10000};
    for (size_t i = 0; i < text.size;) {
        uint32_t c = text.data[i++];
        unsigned more = c < 0x80 ? 0 : c >> 5 == 6 ? 1 : c >> 4 == 14 ? 2 : c >> 3 == 30 ? 3 : 4;
        if (more == 4 || text.size - i < more)
            return false;
        c = more ? c & 0x3fU >> more : c;
        for (unsigned n = 0; n < more; n++, i++) {
            if ((text.data[i] & 0xc0) != 0x80)
                return false;
            c = c << 6 | (text.data[i] & 0x3fU);
        }
        if (c < least[more] || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
            return false;
    }
    return true;
}

static bool
is_within_character(uint8_t byte)
{
    return (byte & 0xc0) == 0x80;
}

struct slice
text_head(struct slice text, size_t most)
{
    size_t size = most;
    if (text.size <= most)
        return text;
    for (unsigned i = 0; i < 3 && size > 0 && is_within_character(text.data[size]); i++)
        size--;
    return (struct slice){text.data, size};
}

struct slice
text_tail(struct slice text, size_t most)
{
    size_t from = text.size - most;
    if (text.size <= most)
        return text;
    for (unsigned i = 0; i < 3 && from < text.size && is_within_character(text.data[from]); i++)
        from++;
    return (struct slice){text.data + from, text.size - from};
}

void
decoding_complain(struct decoding *d, enum stint_status status, const char *why)
{
    if (d->status == STINT_OK) {
        d->status = status;
        d->why = why;
    }
    d->r.bad = true;
}

struct slice
decoding_name(struct decoding *d)
{
    struct slice text = pack_text(&d->r);
    if (!d->r.bad && !name_is_valid(text))
        decoding_complain(d, STINT_BAD_NAME, "the name of a queue or kind is not allowed");
    return text;
}

struct slice
decoding_label(struct decoding *d)
{
    struct slice text = pack_text(&d->r);
    if (text.size > LIMIT_LABEL_BYTES)
        decoding_complain(d, STINT_TOO_LARGE, "a peer's name or software is over 128 bytes");
    if (!d->r.bad && !text_is_utf8(text))
        decoding_complain(d, STINT_BAD_NAME, "a peer's name or software is not UTF-8");
    return text;
}

struct slice
decoding_progress_text(struct decoding *d)
{
    struct slice text = pack_text(&d->r);
    if (text.size > LIMIT_PROGRESS_BYTES)
        decoding_complain(d, STINT_TOO_LARGE, "the text of a progress is over 200 bytes");
    if (!d->r.bad && (!text_is_utf8(text) || memchr(text.data, '\0', text.size)))
        decoding_complain(d, STINT_INVALID, "the text of a progress is not UTF-8, or has a NUL");
    return text;
}

void
decoding_ids(struct decoding *d)
{
    d->m->count = decoding_counted(d, LIMIT_JOBS, "over 4096 ids in one message");
    for (uint32_t i = 0; i < d->m->count && !d->r.bad; i++)
        decoding_id(d, &d->arrays->ids[i]);
}

struct slice
decoding_filter(struct decoding *d)
{
    struct filter filter;
    struct slice bytes = {d->r.at, 0};
    struct pack_reader array = d->r;
    const char *why;
    (void)pack_array(&array);
    d->r.bad |= array.bad;
    pack_skip(&d->r);
    bytes.size = d->r.bad ? 0 : (size_t)(d->r.at - bytes.data);
    if (!d->r.bad && !filter_read(bytes, &filter, &why))
        decoding_complain(d, STINT_INVALID, why);
    return bytes;
}

void
decoding_states(struct pack_reader *r, uint64_t jobs[STINT_STATES])
{
    uint32_t states = pack_array(r);
    for (uint32_t i = 0; i < states && !r->bad; i++) {
        uint64_t value = pack_uint(r);
        if (i < STINT_STATES)
            jobs[i] = value;
    }
}

void
no_field(struct decoding *d, uint64_t key)
{
    (void)key;
    pack_skip(&d->r);
}

void
put_head(struct pack_buffer *b, enum message_type type, uint32_t fields)
{
    pack_put_map(b, fields + 1);
    pack_put_key_uint(b, KEY_TYPE, type);
}

void
put_head_numbered(struct pack_buffer *b, enum message_type type, uint32_t fields, uint64_t number)
{
    put_head(b, type, fields);
    pack_put_key_uint(b, KEY_NUMBER, number);
}

void
put_names(struct pack_buffer *b, uint8_t key, const struct slice *names, uint32_t count)
{
    put_key_array(b, key, count);
    for (uint32_t i = 0; i < count; i++)
        pack_put_text(b, names[i].data, names[i].size);
}

void
put_ids(struct pack_buffer *b, uint8_t key, const struct stint_id *ids, uint32_t count)
{
    put_key_array(b, key, count);
    for (uint32_t i = 0; i < count; i++)
        put_id(b, &ids[i]);
}

void
put_states(struct pack_buffer *b, uint8_t key, const uint64_t jobs[STINT_STATES])
{
    put_key_array(b, key, STINT_STATES);
    for (unsigned i = 0; i < STINT_STATES; i++)
        pack_put_uint(b, jobs[i]);
}

void
message_put_numbered(struct pack_buffer *b, enum message_type type, uint64_t number)
{
    put_head_numbered(b, type, 1, number);
}

static void
put_elements(struct pack_buffer *b, struct slice elements, uint32_t count)
{
    put_key_array(b, KEY_ELEMENTS, count);
    if (elements.size)
        memcpy(pack_reserve(b, elements.size), elements.data, elements.size);
}

void
message_put_elements(
    struct pack_buffer *b, enum message_type type, struct slice elements, uint32_t count)
{
    put_head(b, type, 1);
    put_elements(b, elements, count);
}

void
message_put_numbered_elements(struct pack_buffer *b, enum message_type type, uint64_t number,
    struct slice elements, uint32_t count, struct slice cursor)
{
    put_head_numbered(b, type, 2U + (cursor.size > 0), number);
    put_elements(b, elements, count);
    if (cursor.size)
        put_key_bytes(b, KEY_CURSOR, cursor.data, cursor.size);
}

void
put_progress(struct pack_buffer *b, uint8_t key, const struct stint_progress *p)
{
    if (!p->ms_ago)
        return;
    pack_put_key_uint(b, key + PROGRESS_AGO, p->ms_ago);
    if (p->percent != STINT_NO_PERCENT)
        pack_put_key_uint(b, key + PROGRESS_PERCENT, p->percent);
    if (p->text)
        put_key_string(b, key + PROGRESS_TEXT, p->text);
}

void
read_progress(struct pack_reader *r, enum progress_at at, struct stint_progress *p,
    char text[STINT_PROGRESS_BYTES])
{
    switch (at) {
    case PROGRESS_AGO:
        p->ms_ago = pack_uint(r);
        p->percent = STINT_NO_PERCENT;
        break;
    case PROGRESS_PERCENT:
        p->percent = (uint32_t)pack_uint_max(r, 100);
        break;
    case PROGRESS_TEXT:
        slice_to_text(text, STINT_PROGRESS_BYTES, pack_text(r));
        p->text = text;
        break;
    }
}
