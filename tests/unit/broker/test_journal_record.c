/* Changes written into a record and read again, and headers. */
#include "dice.h"
#include "journal_record.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

enum { CHANGES = 400, VALUE_MAX = 3000 };

struct made {
    enum store_table table;
    bool is_put;
    uint8_t key[JOURNAL_KEY_BYTES_MAX], value[VALUE_MAX];
    size_t key_size, value_size;
};

static struct journal_writer writer;

static int
begin(void **state)
{
    (void)state;
    journal_writer_init(&writer, 1 << 20);
    return 0;
}

static int
end(void **state)
{
    (void)state;
    journal_writer_fini(&writer);
    return 0;
}

static struct slice
text(const char *t)
{
    return (struct slice){(const uint8_t *)t, strlen(t)};
}

static struct slice
number(uint8_t key[16], uint64_t n)
{
    memset(key, 7, 16);
    for (unsigned i = 0; i < 8; i++)
        key[15 - i] = (uint8_t)(n >> 8 * i);
    return (struct slice){key, 16};
}

static struct journal_reader
reader_of(size_t size)
{
    struct journal_reader reader;
    journal_reader_init(&reader, writer.buffer.data + JOURNAL_HEAD_BYTES, size);
    return reader;
}

static void
assert_deleted(struct journal_reader *r, enum store_table table, uint64_t n)
{
    uint8_t key[16];
    struct journal_change change;
    bool bad;
    assert_true(journal_read_change(r, &change, &bad));
    assert_false(change.is_put);
    assert_int_equal(change.table, table);
    assert_int_equal(change.key.size, 16);
    assert_memory_equal(change.key.data, number(key, n).data, 16);
}

static void
assert_ended(struct journal_reader *r)
{
    struct journal_change change;
    bool bad;
    assert_false(journal_read_change(r, &change, &bad));
    assert_false(bad);
}

static void
neighbours_that_are_deleted_are_one_run_of_a_few_bytes(void **state)
{
    uint8_t key[16];
    (void)state;
    for (uint64_t n = 250; n < 1250; n++)
        journal_write_del(&writer, STORE_LIVE, number(key, n));
    journal_write_del(&writer, STORE_LIVE, number(key, 1251));
    journal_write_del(&writer, STORE_SETTLED, number(key, 1252)); /* another table */
    uint32_t size = journal_writer_finish(&writer);
    assert_true(size < 60);
    struct journal_reader r = reader_of(size);
    for (uint64_t n = 250; n < 1250; n++)
        assert_deleted(&r, STORE_LIVE, n);
    assert_deleted(&r, STORE_LIVE, 1251);
    assert_deleted(&r, STORE_SETTLED, 1252);
    assert_ended(&r);
}

static void
a_run_does_not_carry_into_what_stands_before_the_number(void **state)
{
    uint8_t key[16], after[16];
    (void)state;
    journal_write_del(&writer, STORE_LIVE, number(key, UINT64_MAX));
    memset(after, 7, 8);
    memset(after + 8, 0, 8);
    after[7] = 8;
    journal_write_del(&writer, STORE_LIVE, (struct slice){after, 16});
    journal_write_del(&writer, STORE_LIVE, number(key, UINT64_MAX));
    journal_write_del(&writer, STORE_LIVE, number(key, 0)); /* which follows nothing */
    struct journal_reader r = reader_of(journal_writer_finish(&writer));
    struct journal_change change;
    bool bad;
    assert_deleted(&r, STORE_LIVE, UINT64_MAX);
    assert_true(journal_read_change(&r, &change, &bad));
    assert_memory_equal(change.key.data, after, 16);
    assert_deleted(&r, STORE_LIVE, UINT64_MAX);
    assert_deleted(&r, STORE_LIVE, 0);
    assert_ended(&r);
}

static void
make(struct dice *dice, struct made *m, const struct made *before)
{
    m->table = (enum store_table)dice_roll(dice, STORE_TABLES);
    m->is_put = dice_roll(dice, 3) > 0;
    m->key_size = dice_once_in(dice, 20) ? JOURNAL_KEY_BYTES_MAX : 1 + dice_roll(dice, 40);
    for (size_t i = 0; i < m->key_size; i++)
        m->key[i] = (uint8_t)dice_roll(dice, 4);
    if (before && dice_once_in(dice, 2)) { /* a neighbour, or the like */
        m->table = before->table;
        m->is_put = before->is_put;
        m->key_size = before->key_size;
        memcpy(m->key, before->key, m->key_size);
        m->key[m->key_size - 1]++;
    }
    m->value_size = m->is_put ? dice_roll(dice, dice_once_in(dice, 10) ? VALUE_MAX : 200) : 0;
    for (size_t i = 0; i < m->value_size; i++)
        m->value[i] = (uint8_t)dice_next(dice);
}

static void
what_is_written_is_read(void **state)
{
    static struct made all[CHANGES];
    struct dice dice = {1};
    (void)state;
    for (unsigned round = 0; round < 50; round++) {
        journal_writer_reset(&writer);
        for (unsigned i = 0; i < CHANGES; i++) {
            struct made *m = &all[i];
            make(&dice, m, i ? m - 1 : NULL);
            struct slice key = {m->key, m->key_size};
            size_t head = m->value_size / 3;
            if (m->is_put)
                journal_write_put(&writer, m->table, key, (struct slice){m->value, head},
                    (struct slice){m->value + head, m->value_size - head});
            else
                journal_write_del(&writer, m->table, key);
        }
        struct journal_reader r = reader_of(journal_writer_finish(&writer));
        for (unsigned i = 0; i < CHANGES; i++) {
            struct journal_change change;
            bool bad;
            assert_true(journal_read_change(&r, &change, &bad));
            assert_int_equal(change.table, all[i].table);
            assert_int_equal(change.is_put, all[i].is_put);
            assert_int_equal(change.key.size, all[i].key_size);
            assert_memory_equal(change.key.data, all[i].key, all[i].key_size);
            if (all[i].is_put) {
                assert_int_equal(change.value.size, all[i].value_size);
                if (all[i].value_size)
                    assert_memory_equal(change.value.data, all[i].value, all[i].value_size);
            }
        }
        assert_ended(&r);
    }
}

static void
a_record_of_a_job_costs_about_its_size_once(void **state)
{
    uint8_t key[16], record[200] = {0};
    (void)state;
    for (uint64_t n = 0; n < 256; n++)
        journal_write_put(&writer, STORE_LIVE, number(key, n),
            (struct slice){record, sizeof record}, (struct slice){0});
    for (uint64_t n = 0; n < 256; n++)
        journal_write_del(&writer, STORE_LIVE, number(key, n));
    assert_true(journal_writer_finish(&writer) < 256 * (sizeof record + 8));
}

static void
more_than_the_most_is_noticed_and_the_next_record_is_whole_again(void **state)
{
    uint8_t bytes[2000] = {0};
    (void)state;
    journal_writer_fini(&writer);
    journal_writer_init(&writer, 4096);
    journal_write_put(&writer, STORE_META, text("a"), (struct slice){bytes, 2000}, text("x"));
    assert_false(writer.too_large);
    journal_write_put(&writer, STORE_META, text("b"), (struct slice){bytes, 2000}, text("x"));
    assert_true(writer.too_large && writer.any);
    journal_write_del(&writer, STORE_META, text("b"));
    journal_writer_reset(&writer);
    assert_false(writer.too_large || writer.any);
    journal_write_put(&writer, STORE_META, text("a"), text("1"), text(""));
    struct journal_reader r = reader_of(journal_writer_finish(&writer));
    struct journal_change change;
    bool bad;
    assert_true(journal_read_change(&r, &change, &bad));
    assert_int_equal(change.value.size, 1);
    assert_ended(&r);
}

/* Each of these can't be read, and says so. */
static void
rubbish_is_refused(void **state)
{
    static const struct {
        const char *bytes;
        size_t size;
    } all[] = {
        {"\x60\0\x01k", 4}, /* no such change */
        {"\0", 1}, /* no key */
        {"\0\x01\x01k\x01v", 6}, /* shares with nothing */
        {"\0\0\x05k", 4}, /* a key that is cut off */
        {"\0\0\x01k", 4}, /* no value */
        {"\0\0\x01k\x02v", 6}, /* a value that is cut off */
        {"\0\0\x80\x04k\x01v", 7}, /* a key of 512 bytes */
        {"\0\0\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02", 12}, /* more than 64 bits */
        {"\0\0\x80", 3}, /* a number that does not end */
        {"\x40\0\x01\xff\x01", 5}, /* a run beyond the last key */
        {"\x40\0\0\x01", 4}, /* a run of empty keys */
        {"\x40\0\x01k\x80\x80\x80\x01", 8}, /* a run that is too long */
    };
    (void)state;
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        struct journal_reader r;
        struct journal_change change;
        bool bad = false;
        journal_reader_init(&r, (const uint8_t *)all[i].bytes, all[i].size);
        while (journal_read_change(&r, &change, &bad))
            ;
        assert_true(bad);
        assert_false(journal_read_change(&r, &change, &bad)); /* for good */
        assert_true(bad);
    }
}

static void
a_header_is_read_as_it_was_written_and_no_bit_of_it_may_change(void **state)
{
    static const uint8_t identity[JOURNAL_IDENTITY_BYTES] = "identity of this";
    static const uint8_t other[JOURNAL_IDENTITY_BYTES] = "identity of that";
    uint8_t at[JOURNAL_HEAD_BYTES], payload[100] = {1, 2, 3};
    struct journal_head head = {JOURNAL_DATA, 11, 3, 10, 2, 77, sizeof payload, 0, 0}, again;
    (void)state;
    journal_head_write(at, identity, &head, payload);
    assert_int_equal(journal_head_read(at, identity, &again), JOURNAL_HEAD_GOOD);
    assert_true(again.type == JOURNAL_DATA && again.index == 11 && again.term == 3);
    assert_true(again.confirmed == 10 && again.previous_term == 2 && again.previous_check == 77);
    assert_true(again.payload_bytes == sizeof payload && again.check == head.check);
    assert_true(journal_payload_is_good(&again, payload));
    payload[99] ^= 1;
    assert_false(journal_payload_is_good(&again, payload));
    assert_int_equal(journal_head_read(at, other, &again), JOURNAL_HEAD_NONE);
    for (unsigned bit = 0; bit < 8 * JOURNAL_HEAD_BYTES; bit++) {
        at[bit / 8] ^= (uint8_t)(1 << bit % 8);
        assert_int_equal(journal_head_read(at, identity, &again), JOURNAL_HEAD_NONE);
        at[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(
            neighbours_that_are_deleted_are_one_run_of_a_few_bytes, begin, end),
        cmocka_unit_test_setup_teardown(
            a_run_does_not_carry_into_what_stands_before_the_number, begin, end),
        cmocka_unit_test_setup_teardown(what_is_written_is_read, begin, end),
        cmocka_unit_test_setup_teardown(a_record_of_a_job_costs_about_its_size_once, begin, end),
        cmocka_unit_test_setup_teardown(
            more_than_the_most_is_noticed_and_the_next_record_is_whole_again, begin, end),
        cmocka_unit_test(rubbish_is_refused),
        cmocka_unit_test(a_header_is_read_as_it_was_written_and_no_bit_of_it_may_change),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
