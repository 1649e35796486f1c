/* Bulk operations and filters, with random fields. */
#include "sayings.h"

/* A term that means something. */
static struct filter_term
any_term(void)
{
    struct filter_term t = {.number = upto(UINT64_MAX)};
    do {
        t.field = (enum filter_field)(1 + below(FILTER_FIELDS - 1));
        t.is = (enum filter_operator)(1 + below(FILTER_OPERATORS - 1));
    } while (!filter_knows(t.field, t.is));
    static struct stint_id ids[FILTER_TERMS_MAX];
    static unsigned next;
    if (filter_type_of(t.field) == FILTER_TYPE_ID) {
        ids[next % FILTER_TERMS_MAX] = id();
        t.text = (struct slice){ids[next++ % FILTER_TERMS_MAX].bytes, STINT_ID_BYTES};
    } else if (filter_type_of(t.field) == FILTER_TYPE_TEXT)
        t.text = letters(0, 40);
    return t;
}

static struct filter
any_filter(void)
{
    struct filter f = {.count = (uint32_t)below(5)};
    for (uint32_t i = 0; i < f.count; i++)
        f.terms[i] = any_term();
    return f;
}

static void
assert_filter(struct slice bytes, const struct filter *was)
{
    struct filter is;
    const char *why;
    assert_true(filter_read(bytes, &is, &why));
    assert_int_equal(is.count, was->count);
    for (uint32_t i = 0; i < is.count; i++) {
        const struct filter_term *a = &is.terms[i], *b = &was->terms[i];
        assert_int_equal(a->field, b->field);
        assert_int_equal(a->is, b->is);
        if (filter_type_of(a->field) == FILTER_TYPE_NUMBER)
            assert_number(a->number, b->number);
        else
            assert_same(a->text, b->text);
    }
}

static struct slice
written(struct pack_buffer *b, const struct filter *f)
{
    b->used = 0;
    if (f->count)
        filter_write(b, f);
    return (struct slice){b->data, b->used};
}

void
say_BULK(uint64_t number)
{
    struct pack_buffer b = {0};
    struct filter filter = any_filter();
    struct bulk_request k = {.bulk = upto(UINT64_MAX),
        .action = (enum stint_bulk_action)(1 + below(STINT_BULK_PRIORITY)),
        .filter = written(&b, &filter),
        .queue = chance() ? name() : (struct slice){NULL, 0},
        .priority = chance() ? -1 : (int32_t)upto(255),
        .dry = chance(),
        .all = chance()};
    message_put_bulk(&frame, number, &k);
    hear(MESSAGE_BULK, number);
    assert_number(heard.bulk.bulk, k.bulk);
    assert_int_equal(heard.bulk.action, k.action);
    assert_filter(heard.bulk.filter, &filter);
    assert_same(heard.bulk.queue, k.queue);
    assert_int_equal(heard.bulk.priority, k.priority);
    assert_int_equal(heard.bulk.dry, k.dry);
    assert_int_equal(heard.bulk.all, k.all);
    pack_buffer_free(&b);
}

static void
say_list(enum message_type type, uint64_t number)
{
    uint64_t bulk = chance() ? 0 : 1 + upto(UINT64_MAX - 1);
    struct slice cursor = type == MESSAGE_LIST_BULKS ? bytes() : (struct slice){NULL, 0};
    message_put_list_bulks(&frame, type, number, bulk, cursor);
    hear(type, number);
    assert_number(heard.list_bulks.bulk, bulk);
    assert_same(heard.list_bulks.cursor, cursor);
}

void
say_LIST_BULKS(uint64_t number)
{
    say_list(MESSAGE_LIST_BULKS, number);
}

void
say_STOP_BULK(uint64_t number)
{
    say_list(MESSAGE_STOP_BULK, number);
}

static struct stint_bulk_info
any_info(void)
{
    struct stint_bulk_info i = {.bulk = upto(UINT64_MAX),
        .action = (enum stint_bulk_action)below(8),
        .state = (enum stint_bulk_state)below(6),
        .priority = (uint8_t)upto(255),
        .dry = chance(),
        .status = (enum stint_status)upto(UINT16_MAX),
        .examples_count = (uint32_t)below(STINT_BULK_EXAMPLES + 1)};
    uint64_t *const numbers[] = {&i.began_ms, &i.ended_ms, &i.counted, &i.done, &i.refused};
    text(i.queue, sizeof i.queue);
    text(i.key, sizeof i.key);
    for (size_t n = 0; n < sizeof numbers / sizeof *numbers; n++)
        *numbers[n] = chance() ? 0 : upto(UINT64_MAX);
    for (uint32_t n = 0; n < i.examples_count; n++)
        i.examples[n] = id();
    return i;
}

static void
assert_info(const struct stint_bulk_info *is, const struct stint_bulk_info *was)
{
    ASSERT_FIELD(is, was, bulk);
    ASSERT_FIELD(is, was, action);
    ASSERT_FIELD(is, was, state);
    ASSERT_FIELD(is, was, queue);
    ASSERT_FIELD(is, was, priority);
    ASSERT_FIELD(is, was, dry);
    ASSERT_FIELD(is, was, key);
    ASSERT_FIELD(is, was, began_ms);
    ASSERT_FIELD(is, was, ended_ms);
    ASSERT_FIELD(is, was, counted);
    ASSERT_FIELD(is, was, done);
    ASSERT_FIELD(is, was, refused);
    ASSERT_FIELD(is, was, status);
    ASSERT_FIELD(is, was, examples_count);
    ASSERT_FIELD(is, was, examples);
}

void
say_BULKS(uint64_t number)
{
    struct bulk_item items[3];
    struct filter filters[3];
    struct pack_buffer elements = {0}, b[3] = {{0}};
    uint32_t count = (uint32_t)below(4);
    struct slice cursor = bytes();
    for (uint32_t i = 0; i < count; i++) {
        filters[i] = any_filter();
        items[i] = (struct bulk_item){.info = any_info(), .filter = written(&b[i], &filters[i])};
        message_put_bulk_info(&elements, &items[i]);
    }
    message_put_numbered_elements(
        &frame, MESSAGE_BULKS, number, (struct slice){elements.data, elements.used}, count, cursor);
    hear(MESSAGE_BULKS, number);
    assert_int_equal(heard.count, count);
    assert_same(heard.page.cursor, cursor);
    for (uint32_t i = 0; i < count; i++) {
        assert_true(message_next_bulk(arrays));
        assert_info(&arrays->bulk.info, &items[i].info);
        assert_filter(arrays->bulk.filter, &filters[i]);
        pack_buffer_free(&b[i]);
    }
    pack_buffer_free(&elements);
}

/* ---- what runs write ---- */

static void
say_pieces(enum message_type type)
{
    struct wrote pieces[4];
    uint32_t count = (uint32_t)below(4);
    for (uint32_t i = 0; i < count; i++)
        pieces[i] = (struct wrote){.id = id(),
            .attempt = (uint32_t)upto(UINT32_MAX),
            .at = upto(UINT64_MAX),
            .text = bytes()};
    message_put_wrote(&frame, type, pieces, count);
    hear(type, 0);
    assert_int_equal(heard.count, count);
    for (uint32_t i = 0; i < count; i++) {
        ASSERT_FIELD(&arrays->wrote[i], &pieces[i], id);
        assert_int_equal(arrays->wrote[i].attempt, pieces[i].attempt);
        assert_number(arrays->wrote[i].at, pieces[i].at);
        assert_same(arrays->wrote[i].text, pieces[i].text);
    }
}

void
say_WROTE(uint64_t number)
{
    (void)number;
    say_pieces(MESSAGE_WROTE);
}

void
say_OUTPUT(uint64_t number)
{
    (void)number;
    say_pieces(MESSAGE_OUTPUT);
}
