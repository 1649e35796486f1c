/* Filters: whatever somebody writes for one, it is read or refused in words; what was read has
 * bytes that say the same, and a text that says the same. And whatever a peer sends for one.
 */
#include "fuzz.h"
#include "where.h"

enum { TEXT_MAX = 3000 };

static void
same(const struct filter *a, const struct filter *b)
{
    MUST(a->count == b->count);
    for (uint32_t i = 0; i < a->count; i++) {
        const struct filter_term *x = &a->terms[i], *y = &b->terms[i];
        MUST(x->field == y->field && x->is == y->is);
        MUST(filter_knows(x->field, x->is));
        if (filter_type_of(x->field) == FILTER_TYPE_NUMBER)
            MUST(x->number == y->number);
        else
            MUST(x->text.size == y->text.size &&
                (x->text.size == 0 || memcmp(x->text.data, y->text.data, x->text.size) == 0));
    }
}

/* Bytes, and what is read from them is written as them, but for what nobody knows. */
static void
try_bytes(struct slice bytes)
{
    struct filter filter, again;
    const char *why = "";
    struct pack_buffer b = {0};
    if (!filter_read(bytes, &filter, &why)) {
        MUST(*why);
        return;
    }
    filter_write(&b, &filter);
    MUST(filter_read((struct slice){b.data, b.used}, &again, &why));
    same(&filter, &again);
    pack_buffer_free(&b);
}

static void
try_text(const char *text)
{
    struct where where = {.used = 0}, again = {.used = 0};
    struct pack_buffer b = {0};
    char back[WHERE_TEXT_BYTES];
    if (!where_read(&where, text)) {
        MUST(where.why[0]);
        return;
    }
    filter_write(&b, &where.filter);
    if (b.used <= FILTER_BYTES_MAX) {
        MUST(where_write((struct slice){b.data, b.used}, back, sizeof back));
        MUST(where_read(&again, back));
        same(&where.filter, &again.filter);
    }
    pack_buffer_free(&b);
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    char text[TEXT_MAX + 1];
    size_t used = size < TEXT_MAX ? size : TEXT_MAX;
    if (used)
        memcpy(text, bytes, used);
    text[used] = '\0';
    try_bytes((struct slice){bytes, size});
    try_text(text);
    return 0;
}
