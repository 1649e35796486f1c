/* The journal on segments in memory: what a crash may leave, what is damage, and that segments are
 * used again only when they may be. */
#include "dice.h"
#include "id.h"
#include "journal.h"
#include "record.h"
#include "segment_memory.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

enum { SEGMENT_BYTES = 16 * JOURNAL_BLOCK, SECTOR = 512 };

static const uint8_t identity[JOURNAL_IDENTITY_BYTES] = "identity of this";
static const uint8_t another[JOURNAL_IDENTITY_BYTES] = "identity of that";

struct fixture {
    struct segments *segments;
    struct journal *journal;
    struct journal_mark checkpoint;
    struct dice dice;
};

static int
begin(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    f->segments = segment_memory_new(3, 6, SEGMENT_BYTES);
    assert_int_equal(journal_create(f->segments, identity, 1, 1, &f->journal), JOURNAL_OK);
    f->checkpoint = journal_last(f->journal);
    f->dice.state = 1;
    *state = f;
    return 0;
}

static int
end(void **state)
{
    struct fixture *f = *state;
    journal_destroy(&f->journal);
    segment_memory_free(&f->segments);
    free(f);
    return 0;
}

/* A record whose payload can be told from others: `size` bytes, all of which are `what`. */
static enum journal_result
append_as(struct fixture *f, enum journal_type type, uint8_t what, size_t size)
{
    struct pack_buffer record = {0};
    memset(pack_reserve(&record, JOURNAL_HEAD_BYTES + size), what, JOURNAL_HEAD_BYTES + size);
    enum journal_result result = journal_append(f->journal, type, &record);
    pack_buffer_free(&record);
    return result;
}

static enum journal_result
append(struct fixture *f, uint8_t what, size_t size)
{
    return append_as(f, JOURNAL_DATA, what, size);
}

static void
drop(struct fixture *f)
{
    f->checkpoint = journal_last(f->journal);
    journal_drop(f->journal, f->segments->count, 0);
}

static enum journal_result
reopen(struct fixture *f)
{
    journal_destroy(&f->journal);
    return journal_open(f->segments, identity, &f->checkpoint, 3, &f->journal);
}

static bool
never(void *context)
{
    (void)context;
    return false;
}

static bool
by_chance(void *context)
{
    return dice_once_in(context, 2);
}

/* How many records follow the checkpoint; each payload is of one byte's value and `first` is that
 * of the first one, which rises. */
static unsigned
count_records(struct fixture *f, uint8_t first)
{
    struct journal_mark at = f->checkpoint;
    struct journal_head head;
    struct pack_buffer record = {0};
    enum journal_result result;
    unsigned n = 0;
    while ((result = journal_next(f->journal, &at, &head, &record)) == JOURNAL_OK) {
        assert_int_equal(head.index, f->checkpoint.index + ++n);
        for (size_t i = JOURNAL_HEAD_BYTES; i < record.used; i++)
            assert_int_equal(record.data[i], first);
        first++;
    }
    assert_int_equal(result, JOURNAL_END);
    pack_buffer_free(&record);
    return n;
}

static void
records_are_there_after_a_crash_and_in_their_order(void **state)
{
    struct fixture *f = *state;
    for (uint8_t i = 0; i < 12; i++)
        assert_int_equal(append(f, i, i * 1000U), JOURNAL_OK);
    segment_memory_crash(f->segments, never, NULL);
    assert_int_equal(reopen(f), JOURNAL_OK);
    assert_int_equal(count_records(f, 0), 12);
    assert_int_equal(journal_last(f->journal).index, 13);
    assert_int_equal(journal_confirmed(f->journal), 13);
    assert_int_equal(append(f, 12, 10), JOURNAL_OK);
    assert_int_equal(reopen(f), JOURNAL_OK);
    assert_int_equal(count_records(f, 0), 13);
}

static void
it_goes_round_when_checkpoints_are_made_and_is_full_when_not(void **state)
{
    struct fixture *f = *state;
    enum { RECORD = 5000 };
    unsigned written = 0;
    for (unsigned i = 0; i < 500; i++) {
        assert_int_equal(append(f, (uint8_t)i, RECORD), JOURNAL_OK);
        if (i % 3 == 2)
            drop(f);
    }
    drop(f);
    while (append(f, (uint8_t)written, RECORD) == JOURNAL_OK)
        written++;
    assert_in_range(written, 14, 3 * 8);
    assert_int_equal(append(f, 0, RECORD), JOURNAL_FULL); /* and nothing has changed */
    assert_int_equal(reopen(f), JOURNAL_OK);
    assert_int_equal(count_records(f, 0), written);
    assert_int_equal(append_as(f, JOURNAL_CHECKPOINT, 0, 0), JOURNAL_OK);
    drop(f);
    assert_int_equal(append(f, 0, RECORD), JOURNAL_OK);
}

static void
checkpoints_of_their_own_always_find_a_block(void **state)
{
    struct fixture *f = *state;
    for (unsigned i = 0; i < 300; i++) {
        size_t size = dice_roll(&f->dice, journal_payload_max(f->segments) + 1);
        if (append(f, 0, size) == JOURNAL_FULL || dice_once_in(&f->dice, 4)) {
            assert_int_equal(append_as(f, JOURNAL_CHECKPOINT, 0, 0), JOURNAL_OK);
            drop(f);
        }
    }
    assert_int_equal(append_as(f, JOURNAL_CHECKPOINT, 0, 0), JOURNAL_OK);
    drop(f);
    assert_int_equal(append(f, 0, journal_payload_max(f->segments)), JOURNAL_OK);
}

static void
room_says_how_much_can_be_written(void **state)
{
    struct fixture *f = *state;
    for (unsigned i = 0; i < 100; i++) {
        uint64_t room = journal_room_bytes(f->journal);
        enum journal_result result = append(f, 0, 100);
        assert_int_equal(result, room >= JOURNAL_BLOCK ? JOURNAL_OK : JOURNAL_FULL);
        if (result == JOURNAL_FULL) {
            assert_int_equal(append_as(f, JOURNAL_CHECKPOINT, 0, 0), JOURNAL_OK);
            drop(f);
        }
    }
}

static void
a_record_that_a_crash_tore_is_the_end(void **state)
{
    struct fixture *f = *state;
    unsigned whole = 0, torn = 0;
    for (unsigned i = 0; i < 400; i++) {
        uint8_t n = (uint8_t)dice_roll(&f->dice, 4);
        for (uint8_t k = 0; k < n; k++)
            assert_int_equal(append(f, k, dice_roll(&f->dice, 9000)), JOURNAL_OK);
        segment_memory_fail(f->segments, dice_roll(&f->dice, 2));
        assert_int_equal(append(f, n, dice_roll(&f->dice, 9000)), JOURNAL_FAILED);
        segment_memory_crash(f->segments, by_chance, &f->dice);
        assert_int_equal(reopen(f), JOURNAL_OK);
        unsigned found = count_records(f, 0);
        assert_in_range(found, n, n + 1);
        whole += found == n + 1U;
        torn += found == n;
        journal_set_term(f->journal, journal_last(f->journal).term + 1);
        assert_int_equal(append_as(f, JOURNAL_CHECKPOINT, 0, 0), JOURNAL_OK);
        drop(f);
    }
    assert_true(whole > 0 && torn > 100);
}

/* Flip a bit of what stands there, look, and put it right. */
static enum journal_result
open_with_flip(struct fixture *f, unsigned segment, uint64_t bit)
{
    uint8_t *byte = segment_memory_bytes(f->segments, segment) + bit / 8;
    *byte ^= (uint8_t)(1 << bit % 8);
    enum journal_result result = reopen(f);
    *byte ^= (uint8_t)(1 << bit % 8);
    return result;
}

static void
a_damaged_record_with_later_ones_behind_is_never_passed_over(void **state)
{
    struct fixture *f = *state;
    struct journal_mark last;
    for (uint8_t i = 0; i < 5; i++)
        assert_int_equal(append(f, i, 3000), JOURNAL_OK);
    last = journal_last(f->journal);
    for (unsigned n = 0; n < 3000; n++) {
        uint64_t block = dice_roll(&f->dice, (unsigned)(last.offset / JOURNAL_BLOCK));
        uint64_t bit = dice_roll(&f->dice, 8 * (JOURNAL_HEAD_BYTES + 3000));
        enum journal_result result = open_with_flip(f, 0, 8 * block * JOURNAL_BLOCK + bit);
        if (block > 0)
            assert_int_equal(result, JOURNAL_DAMAGED);
        else if (bit < 8 * JOURNAL_HEAD_BYTES)
            assert_int_equal(result, JOURNAL_FOREIGN); /* the checkpoint's own */
    }
    assert_int_equal(reopen(f), JOURNAL_OK);
    assert_int_equal(count_records(f, 0), 5);
}

static void
a_record_that_is_not_there_at_all_with_later_ones_behind_is_damage(void **state)
{
    struct fixture *f = *state;
    struct journal_mark gone;
    uint64_t index;
    for (uint8_t i = 0; i < 20; i++) {
        assert_int_equal(append(f, i, 6000), JOURNAL_OK);
        if (i == 17)
            gone = journal_last(f->journal);
    }
    memset(segment_memory_bytes(f->segments, gone.segment) + gone.offset, 0, gone.bytes);
    assert_int_equal(reopen(f), JOURNAL_DAMAGED);
    /* Beside a broker that writes, they came while we looked. */
    assert_int_equal(journal_reach(f->segments, identity, &f->checkpoint, 3, &index), JOURNAL_OK);
    assert_int_equal(index, gone.index - 1);
    memset(segment_memory_bytes(f->segments, 1), 0, SEGMENT_BYTES); /* a whole segment */
    assert_int_equal(reopen(f), JOURNAL_DAMAGED);
}

static void
a_journal_of_another_directory_or_of_another_time_is_foreign(void **state)
{
    struct fixture *f = *state;
    struct journal *journal;
    struct journal_mark mark = f->checkpoint;
    assert_int_equal(append(f, 0, 10), JOURNAL_OK);
    assert_int_equal(journal_open(f->segments, another, &mark, 3, &journal), JOURNAL_FOREIGN);
    mark.check ^= 1;
    assert_int_equal(journal_open(f->segments, identity, &mark, 3, &journal), JOURNAL_FOREIGN);
    mark = journal_last(f->journal);
    mark.index++; /* the journal is older than the data file */
    mark.offset += mark.bytes;
    assert_int_equal(journal_open(f->segments, identity, &mark, 3, &journal), JOURNAL_FOREIGN);
    assert_int_equal(journal_open(f->segments, identity, &f->checkpoint, 4, &journal),
        JOURNAL_FOREIGN); /* more segments than there are */
    for (unsigned i = 0; i < 64; i++) { /* places that are none */
        mark = f->checkpoint;
        mark.segment = dice_roll(&f->dice, 8);
        mark.offset = dice_next(&f->dice) >> dice_roll(&f->dice, 64);
        mark.bytes = dice_next(&f->dice) >> dice_roll(&f->dice, 64);
        if (mark.segment != 0 || mark.offset != 0)
            assert_int_equal(
                journal_open(f->segments, identity, &mark, 3, &journal), JOURNAL_FOREIGN);
    }
}

static void
a_newer_format_is_told_from_damage(void **state)
{
    struct fixture *f = *state;
    struct journal_mark second;
    assert_int_equal(append(f, 0, 10), JOURNAL_OK);
    second = journal_last(f->journal);
    uint8_t *at = segment_memory_bytes(f->segments, second.segment) + second.offset;
    at[5]++; /* its format */
    uint64_t seed = get_be(identity, 8) ^ get_be(identity + 8, 8);
    put_be(at + 80, record_check(at, 80, seed), 8);
    assert_int_equal(reopen(f), JOURNAL_NEWER);
}

static void
what_was_left_in_a_segment_is_never_taken_for_what_follows(void **state)
{
    struct fixture *f = *state;
    for (unsigned round = 0; round < 300; round++) {
        unsigned n = dice_roll(&f->dice, 9);
        for (uint8_t i = 0; i < n; i++)
            assert_int_equal(append(f, i, 5000), JOURNAL_OK);
        assert_int_equal(reopen(f), JOURNAL_OK);
        assert_int_equal(count_records(f, 0), n);
        drop(f);
    }
}

/* The record that stands behind has the right index and term, and belongs to another one before it.
 */
static void
a_record_of_another_row_does_not_follow(void **state)
{
    struct fixture *f = *state;
    uint8_t block[JOURNAL_BLOCK];
    assert_int_equal(append(f, 0, 10), JOURNAL_OK);
    assert_int_equal(append(f, 1, 10), JOURNAL_OK);
    uint8_t *second = segment_memory_bytes(f->segments, 0) + 2 * JOURNAL_BLOCK;
    memcpy(block, second, sizeof block);
    journal_destroy(&f->journal);
    memset(segment_memory_bytes(f->segments, 0), 0, SEGMENT_BYTES);
    assert_int_equal(journal_create(f->segments, identity, 1, 1, &f->journal), JOURNAL_OK);
    f->checkpoint = journal_last(f->journal);
    assert_int_equal(append(f, 7, 10), JOURNAL_OK);
    memcpy(second, block, sizeof block);
    assert_int_equal(reopen(f), JOURNAL_OK);
    assert_int_equal(count_records(f, 7), 1);
}

static void
segments_are_kept_for_who_reads_behind_as_long_as_one_is_free(void **state)
{
    struct fixture *f = *state;
    struct journal_mark first = f->checkpoint;
    struct journal_head head;
    struct pack_buffer record = {0};
    while (journal_last(f->journal).segment == 0)
        assert_int_equal(append(f, 1, 6000), JOURNAL_OK);
    journal_drop(f->journal, 3, SEGMENT_BYTES);
    assert_int_equal(journal_next(f->journal, &first, &head, &record), JOURNAL_OK);
    while (journal_last(f->journal).segment == 1)
        assert_int_equal(append(f, 1, 6000), JOURNAL_OK);
    journal_drop(f->journal, 3, SEGMENT_BYTES); /* the second one is kept, the first one is free */
    while (append(f, 1, 6000) == JOURNAL_OK)
        assert_int_not_equal(journal_last(f->journal).segment, 1);
    assert_int_equal(journal_last(f->journal).segment, 0);
    assert_int_equal(append_as(f, JOURNAL_CHECKPOINT, 0, 0), JOURNAL_OK);
    journal_drop(f->journal, 3, 100 * SEGMENT_BYTES);
    for (unsigned i = 0; i < 16; i++) /* more is retained than there is; it goes on all the same */
        if (append(f, 1, 6000) != JOURNAL_OK) {
            assert_int_equal(append_as(f, JOURNAL_CHECKPOINT, 0, 0), JOURNAL_OK);
            journal_drop(f->journal, 3, 100 * SEGMENT_BYTES);
            assert_int_equal(append(f, 1, 6000), JOURNAL_OK);
        }
    pack_buffer_free(&record);
}

static struct journal_mark
cut_all_but(struct fixture *f, unsigned kept, enum journal_result *result)
{
    struct journal_mark at = f->checkpoint;
    struct journal_head head;
    struct pack_buffer record = {0};
    for (unsigned i = 0; i < kept; i++)
        assert_int_equal(journal_next(f->journal, &at, &head, &record), JOURNAL_OK);
    *result = journal_cut(f->journal, &at);
    pack_buffer_free(&record);
    return at;
}

static void
a_suffix_that_was_cut_stays_away_and_a_crash_in_the_middle_leaves_an_end(void **state)
{
    struct fixture *f = *state;
    enum journal_result result;
    unsigned stopped = 0;
    for (unsigned round = 0; round < 200; round++) {
        unsigned n = 1 + dice_roll(&f->dice, 6), kept = dice_roll(&f->dice, n);
        journal_confirm_apart(f->journal);
        for (uint8_t i = 0; i < n; i++)
            assert_int_equal(append(f, i, dice_roll(&f->dice, 9000)), JOURNAL_OK);
        assert_int_equal(journal_confirmed(f->journal), f->checkpoint.index);
        if (dice_once_in(&f->dice, 2))
            segment_memory_fail(f->segments, dice_roll(&f->dice, 2 * (n - kept)));
        cut_all_but(f, kept, &result);
        segment_memory_crash(f->segments, by_chance, &f->dice);
        assert_int_equal(reopen(f), JOURNAL_OK);
        unsigned found = count_records(f, 0);
        assert_in_range(found, kept, result == JOURNAL_OK ? kept : n);
        stopped += result != JOURNAL_OK && found > kept;
        journal_set_term(f->journal, journal_last(f->journal).term + 1);
        if (append(f, (uint8_t)found, 100) == JOURNAL_FULL)
            assert_int_equal(append_as(f, JOURNAL_CHECKPOINT, 0, 0), JOURNAL_OK);
        drop(f);
    }
    assert_true(stopped > 10);
}

static void
a_flush_alone_confirms_nothing_where_somebody_else_does(void **state)
{
    struct fixture *f = *state;
    journal_confirm_apart(f->journal);
    assert_int_equal(append(f, 0, 10), JOURNAL_OK);
    assert_int_equal(journal_confirmed(f->journal), 1);
    journal_confirm(f->journal, 2);
    assert_int_equal(journal_confirmed(f->journal), 2);
    assert_int_equal(append(f, 1, 10), JOURNAL_OK);
    struct journal_mark at = f->checkpoint;
    struct journal_head head;
    struct pack_buffer record = {0};
    assert_int_equal(journal_next(f->journal, &at, &head, &record), JOURNAL_OK);
    assert_int_equal(head.confirmed, 1);
    assert_int_equal(journal_next(f->journal, &at, &head, &record), JOURNAL_OK);
    assert_int_equal(head.confirmed, 2);
    pack_buffer_free(&record);
}

static void
a_new_segment_is_used_when_a_checkpoint_names_it(void **state)
{
    struct fixture *f = *state;
    assert_true(f->segments->ops->grow(f->segments));
    assert_true(f->segments->ops->grow(f->segments));
    assert_int_equal(f->segments->count, 4);
    while (append(f, 1, 6000) == JOURNAL_OK)
        assert_true(journal_last(f->journal).segment < 3);
    assert_int_equal(append_as(f, JOURNAL_CHECKPOINT, 0, 0), JOURNAL_OK);
    drop(f);
    bool used = false;
    while (append(f, 1, 6000) == JOURNAL_OK)
        used |= journal_last(f->journal).segment == 3;
    assert_true(used);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(records_are_there_after_a_crash_and_in_their_order),
        TEST(it_goes_round_when_checkpoints_are_made_and_is_full_when_not),
        TEST(checkpoints_of_their_own_always_find_a_block),
        TEST(room_says_how_much_can_be_written),
        TEST(a_record_that_a_crash_tore_is_the_end),
        TEST(a_damaged_record_with_later_ones_behind_is_never_passed_over),
        TEST(a_record_that_is_not_there_at_all_with_later_ones_behind_is_damage),
        TEST(a_journal_of_another_directory_or_of_another_time_is_foreign),
        TEST(a_newer_format_is_told_from_damage),
        TEST(what_was_left_in_a_segment_is_never_taken_for_what_follows),
        TEST(a_record_of_another_row_does_not_follow),
        TEST(segments_are_kept_for_who_reads_behind_as_long_as_one_is_free),
        TEST(a_suffix_that_was_cut_stays_away_and_a_crash_in_the_middle_leaves_an_end),
        TEST(a_flush_alone_confirms_nothing_where_somebody_else_does),
        TEST(a_new_segment_is_used_when_a_checkpoint_names_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
