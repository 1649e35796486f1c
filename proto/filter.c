/* Filters as bytes; the contract is in filter.h. */
#include "filter.h"
#include "stint_job.h"

#define IS(op) (1U << FILTER_##op)
enum {
    SAME = IS(IS) | IS(IS_NOT),
    ORDER = IS(LESS) | IS(AT_MOST) | IS(MORE) | IS(AT_LEAST),
    TEXTS = SAME | IS(CONTAINS) | IS(BEGINS) | IS(BEGINS_NOT),
};

/* A time that passes is never exactly so much. */
static const struct field {
    enum filter_type type;
    uint32_t operators;
} fields[FILTER_FIELDS] = {
    [FILTER_ID] = {FILTER_TYPE_ID, SAME | ORDER},
    [FILTER_QUEUE] = {FILTER_TYPE_TEXT, TEXTS},
    [FILTER_STATE] = {FILTER_TYPE_NUMBER, IS(IS)},
    [FILTER_KIND] = {FILTER_TYPE_TEXT, TEXTS},
    [FILTER_PRIORITY] = {FILTER_TYPE_NUMBER, SAME | ORDER},
    [FILTER_ATTEMPTS] = {FILTER_TYPE_NUMBER, SAME | ORDER},
    [FILTER_FAILURES] = {FILTER_TYPE_NUMBER, SAME | ORDER},
    [FILTER_ERROR] = {FILTER_TYPE_TEXT, TEXTS},
    [FILTER_WORKER] = {FILTER_TYPE_TEXT, TEXTS},
    [FILTER_AGE] = {FILTER_TYPE_NUMBER, ORDER},
    [FILTER_DUE] = {FILTER_TYPE_NUMBER, ORDER},
    [FILTER_SETTLED] = {FILTER_TYPE_NUMBER, ORDER},
    [FILTER_BYTES] = {FILTER_TYPE_NUMBER, SAME | ORDER},
    [FILTER_SUBMITTED] = {FILTER_TYPE_NUMBER, ORDER},
    [FILTER_UNIQUE] = {FILTER_TYPE_TEXT, TEXTS},
    [FILTER_GROUP] = {FILTER_TYPE_TEXT, TEXTS},
    [FILTER_BATCH] = {FILTER_TYPE_NUMBER, SAME},
    [FILTER_NEEDS] = {FILTER_TYPE_TEXT, TEXTS},
};

enum filter_type
filter_type_of(enum filter_field field)
{
    return fields[field].type;
}

bool
filter_knows(enum filter_field field, enum filter_operator is)
{
    return (unsigned)field < FILTER_FIELDS && (unsigned)is < FILTER_OPERATORS &&
        (fields[field].operators >> is & 1) != 0;
}

static bool
read_term(struct pack_reader *r, struct filter_term *term)
{
    uint32_t elements = pack_array(r);
    if (elements < 3)
        r->bad = true;
    term->field = (enum filter_field)pack_uint_max(r, UINT8_MAX);
    term->is = (enum filter_operator)pack_uint_max(r, UINT8_MAX);
    if (r->bad || !filter_knows(term->field, term->is))
        return false;
    if (filter_type_of(term->field) == FILTER_TYPE_NUMBER)
        term->number = pack_uint(r);
    else
        term->text = pack_bytes(r);
    if (filter_type_of(term->field) == FILTER_TYPE_ID && term->text.size != STINT_ID_BYTES)
        r->bad = true;
    for (uint32_t i = 3; i < elements && !r->bad; i++)
        pack_skip(r);
    return !r->bad;
}

bool
filter_read(struct slice bytes, struct filter *filter, const char **why)
{
    struct pack_reader r = pack_reader(bytes.data, bytes.size);
    filter->count = 0;
    *why = "a filter has at most 1024 bytes and 16 terms";
    if (bytes.size == 0)
        return true;
    uint32_t count = pack_array(&r);
    if (bytes.size > FILTER_BYTES_MAX || count > FILTER_TERMS_MAX)
        return false;
    *why = "a filter is terms of a field, an operator and a value, and this broker knows one not";
    for (uint32_t i = 0; i < count; i++) {
        filter->terms[i] = (struct filter_term){.number = 0};
        if (!read_term(&r, &filter->terms[i]))
            return false;
    }
    if (r.bad || r.at != r.end)
        return false;
    filter->count = count;
    return true;
}

void
filter_write(struct pack_buffer *b, const struct filter *filter)
{
    pack_put_array(b, filter->count);
    for (uint32_t i = 0; i < filter->count; i++) {
        const struct filter_term *t = &filter->terms[i];
        enum filter_type type = filter_type_of(t->field);
        pack_put_array(b, 3);
        pack_put_uint(b, t->field);
        pack_put_uint(b, t->is);
        if (type == FILTER_TYPE_NUMBER)
            pack_put_uint(b, t->number);
        else if (type == FILTER_TYPE_TEXT)
            pack_put_text(b, t->text.data, t->text.size);
        else
            pack_put_bytes(b, t->text.data, t->text.size);
    }
}
