/* The changes of a journal's record. Checks would keep a fuzzer out, so it begins behind them: what
 * can be read must be the same after it was written and read again. */
#include "fuzz.h"
#include "journal_record.h"

enum { CHANGES_MAX = 4096 };

static bool
is_same(const struct journal_change *a, const struct journal_change *b)
{
    return a->table == b->table && a->is_put == b->is_put && a->key.size == b->key.size &&
        memcmp(a->key.data, b->key.data, a->key.size) == 0 &&
        (!a->is_put ||
            (a->value.size == b->value.size &&
                (a->value.size == 0 || memcmp(a->value.data, b->value.data, a->value.size) == 0)));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct journal_writer writer;
    static struct journal_reader first, again;
    struct journal_change a, b;
    bool bad, bad_again;
    unsigned changes = 0;
    if (!writer.payload_bytes_max)
        journal_writer_init(&writer, 1 << 24);
    journal_writer_reset(&writer);
    journal_reader_init(&first, data, size);
    while (changes < CHANGES_MAX && journal_read_change(&first, &a, &bad)) {
        changes++;
        if (a.is_put)
            journal_write_put(&writer, a.table, a.key, a.value, (struct slice){0});
        else
            journal_write_del(&writer, a.table, a.key);
    }
    MUST(!writer.too_large);
    uint32_t written = journal_writer_finish(&writer);
    journal_reader_init(&first, data, size);
    journal_reader_init(&again, writer.buffer.data + JOURNAL_HEAD_BYTES, written);
    for (unsigned i = 0; i < changes; i++) {
        MUST(journal_read_change(&first, &a, &bad) && journal_read_change(&again, &b, &bad_again));
        MUST(!bad && !bad_again && is_same(&a, &b));
    }
    MUST(!journal_read_change(&again, &b, &bad_again) && !bad_again);
    return 0;
}
