/* The store with a journal before the model store, against a model store without one: whatever
 * stops it, a start finds what was committed, or that and the one step whose commit failed. */
#include "dice.h"
#include "segment_memory.h"
#include "store_journal.h"
#include "store_model.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

enum { SEGMENT_BYTES = 16 * JOURNAL_BLOCK, KEYS = 60 };

struct fixture {
    struct store *inner, *store; /* the checkpoint, and what stands before it */
    struct store *truth; /* what was asked for */
    struct segments *segments;
    struct dice dice;
    uint64_t term; /* at each start; 0: it rises */
    char error[512];
};

static enum stint_status
open_as(struct fixture *f, bool look)
{
    struct row_journal row;
    bool bad, has = store_journal_row(f->inner, &row, &bad);
    assert_false(bad);
    struct store_journal_options options = {.checkpoint = f->inner,
        .segments = f->segments,
        .identity = "identity of this",
        .term = f->term ? f->term
            : has       ? row.term + 1
                        : 1,
        .kept_bytes_max = 8 * JOURNAL_BLOCK,
        .pending_bytes_max = 1 << 20,
        .look = look,
        .borrows = true};
    return store_journal_new(&options, has ? &row : NULL, &f->store, f->error);
}

static int
begin(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    f->inner = store_model_new();
    f->truth = store_model_new();
    f->segments = segment_memory_new(2, 4, SEGMENT_BYTES);
    f->dice.state = 1;
    assert_int_equal(open_as(f, false), STINT_OK);
    store_journal_started(f->store);
    *state = f;
    return 0;
}

static int
end(void **state)
{
    struct fixture *f = *state;
    f->store->ops->destroy(&f->store);
    f->inner->ops->destroy(&f->inner);
    f->truth->ops->destroy(&f->truth);
    segment_memory_free(&f->segments);
    free(f);
    return 0;
}

static bool
by_chance(void *context)
{
    return dice_once_in(context, 2);
}

static bool
never(void *context)
{
    (void)context;
    return false;
}

/* Power is lost. */
static void
crash(struct fixture *f)
{
    f->store->ops->destroy(&f->store);
    store_model_crash(f->inner);
    segment_memory_crash(f->segments, by_chance, &f->dice);
}

/* One change, in each of the stores. */
static void
change(struct fixture *f, struct store *const *stores, unsigned count)
{
    static uint8_t bytes[9000];
    uint8_t key[4] = {0, 0, 0, (uint8_t)dice_roll(&f->dice, KEYS)};
    struct slice k = {key, sizeof key};
    enum store_table table = (enum store_table)(1 + dice_roll(&f->dice, STORE_TABLES - 1));
    size_t size = dice_roll(&f->dice, dice_once_in(&f->dice, 30) ? sizeof bytes : 100);
    bool puts = dice_roll(&f->dice, 3) > 0, found = false;
    memset(bytes, (int)dice_roll(&f->dice, 256), size);
    for (unsigned i = 0; i < count; i++) {
        if (puts)
            store_put(stores[i], table, k, (struct slice){bytes, size / 2},
                (struct slice){bytes + size / 2, size - size / 2});
        else if (i == 0)
            found = store_del(stores[i], table, k);
        else
            assert_true(store_del(stores[i], table, k) == found || *f->inner->ops->error(f->inner));
    }
}

static enum stint_status
step(struct fixture *f, unsigned changes)
{
    struct store *const stores[] = {f->store, f->truth};
    f->store->ops->begin(f->store);
    f->truth->ops->begin(f->truth);
    for (unsigned i = 0; i < changes; i++)
        change(f, stores, 2);
    enum stint_status status = f->store->ops->commit(f->store);
    (void)f->truth->ops->commit(f->truth);
    return status;
}

/* Does the checkpoint's transaction hold the same as that store, apart from its own row? */
static bool
holds(struct fixture *f, struct store *store)
{
    struct slice value;
    struct slice key = meta_key(META_JOURNAL);
    assert_true(store_get(f->inner, STORE_META, key, &value));
    store_put(store, STORE_META, key, value, (struct slice){0});
    bool same = store_model_equal(f->inner, store);
    (void)store_del(store, STORE_META, key);
    return same;
}

static enum stint_status
put_one(struct fixture *f)
{
    f->store->ops->begin(f->store);
    store_put(f->store, STORE_LIVE, (struct slice){(const uint8_t *)"k", 1}, (struct slice){0},
        (struct slice){0});
    return f->store->ops->commit(f->store);
}

static void
steps_are_there_after_a_crash(void **state)
{
    struct fixture *f = *state;
    struct store_journal_figures figures;
    uint64_t replayed = 0;
    for (unsigned round = 0; round < 300; round++) {
        unsigned steps = dice_roll(&f->dice, 12);
        for (unsigned i = 0; i < steps; i++)
            assert_int_equal(step(f, dice_roll(&f->dice, 20)), STINT_OK);
        if (dice_once_in(&f->dice, 4))
            assert_int_equal(store_journal_checkpoint(f->store), STINT_OK);
        assert_true(holds(f, f->truth));
        crash(f);
        assert_int_equal(open_as(f, false), STINT_OK);
        assert_true(holds(f, f->truth));
        store_journal_figures(f->store, &figures);
        replayed += figures.replayed;
        if (dice_once_in(&f->dice, 2))
            store_journal_started(f->store);
    }
    assert_true(replayed > 300);
    assert_true(f->segments->count > 2); /* it has grown, as it was full */
}

static void
a_step_whose_commit_fails_is_there_as_a_whole_or_not_at_all(void **state)
{
    struct fixture *f = *state;
    unsigned there = 0, gone = 0;
    for (unsigned round = 0; round < 600; round++) {
        for (unsigned i = dice_roll(&f->dice, 4); i > 0; i--)
            assert_int_equal(step(f, dice_roll(&f->dice, 20)), STINT_OK);
        /* The same steps once more, up to the one that fails. */
        if (dice_once_in(&f->dice, 3))
            store_model_fail_operation(f->inner, dice_roll(&f->dice, 60));
        else if (dice_once_in(&f->dice, 2))
            store_model_fail_commit(f->inner, 0);
        else
            segment_memory_fail(f->segments, dice_roll(&f->dice, 3));
        struct store *const both[] = {f->store, f->truth};
        f->store->ops->begin(f->store);
        f->truth->ops->begin(f->truth);
        for (unsigned i = dice_roll(&f->dice, 20); i > 0; i--)
            change(f, both, 1 + !*f->inner->ops->error(f->inner));
        bool good = f->store->ops->commit(f->store) == STINT_OK;
        crash(f);
        assert_int_equal(open_as(f, false), STINT_OK);
        bool is_there = holds(f, f->truth);
        there += !good && is_there;
        if (is_there) {
            (void)f->truth->ops->commit(f->truth);
        } else {
            assert_false(good);
            f->truth->ops->abort(f->truth);
            assert_true(holds(f, f->truth));
            gone++;
        }
        if (dice_once_in(&f->dice, 2))
            store_journal_started(f->store);
    }
    assert_true(there > 10 && gone > 10);
}

static void
a_step_that_fits_into_no_record_is_a_checkpoint_of_its_own(void **state)
{
    struct fixture *f = *state;
    static uint8_t large[SEGMENT_BYTES];
    struct store_journal_figures before, after;
    store_journal_figures(f->store, &before);
    for (unsigned i = 0; i < 9; i++) {
        assert_int_equal(step(f, 3), STINT_OK);
        struct store *const both[] = {f->store, f->truth};
        large[0] = (uint8_t)i;
        for (unsigned k = 0; k < 2; k++) {
            both[k]->ops->begin(both[k]);
            store_put(both[k], STORE_LIVE, (struct slice){(const uint8_t *)"large", 5},
                (struct slice){large, sizeof large}, (struct slice){0});
            assert_int_equal(both[k]->ops->commit(both[k]), STINT_OK);
        }
        if (i % 3 == 0)
            assert_int_equal(step(f, 3), STINT_OK);
        store_journal_figures(f->store, &after);
        assert_true(after.checkpoints > before.checkpoints);
        before = after;
        crash(f);
        assert_int_equal(open_as(f, false), STINT_OK);
        assert_true(holds(f, f->truth));
        store_journal_started(f->store);
        store_journal_figures(f->store, &before);
    }
}

static void
a_step_that_is_aborted_leaves_those_before_it(void **state)
{
    struct fixture *f = *state;
    for (unsigned round = 0; round < 50; round++) {
        for (unsigned i = dice_roll(&f->dice, 5); i > 0; i--)
            assert_int_equal(step(f, 5), STINT_OK);
        f->store->ops->begin(f->store);
        for (unsigned i = dice_roll(&f->dice, 10); i > 0; i--)
            change(f, &f->store, 1);
        f->store->ops->abort(f->store);
        assert_true(holds(f, f->truth));
    }
    assert_int_equal(step(f, 5), STINT_OK);
    crash(f);
    assert_int_equal(open_as(f, false), STINT_OK);
    assert_true(holds(f, f->truth));
}

static void
a_step_without_changes_writes_nothing(void **state)
{
    struct fixture *f = *state;
    struct slice value;
    uint64_t index = journal_last(store_journal_log(f->store)).index;
    for (unsigned i = 0; i < 10; i++) {
        f->store->ops->begin(f->store);
        assert_false(
            store_get(f->store, STORE_LIVE, (struct slice){(const uint8_t *)"x", 1}, &value));
        assert_false(store_del(f->store, STORE_LIVE, (struct slice){(const uint8_t *)"x", 1}));
        assert_int_equal(f->store->ops->commit(f->store), STINT_OK);
    }
    assert_int_equal(journal_last(store_journal_log(f->store)).index, index);
}

static void
who_only_looks_sees_all_and_changes_nothing(void **state)
{
    struct fixture *f = *state;
    struct row_journal before, after;
    bool bad;
    for (unsigned i = 0; i < 5; i++)
        assert_int_equal(step(f, 5), STINT_OK);
    for (unsigned i = 0; i < 3; i++) {
        crash(f);
        assert_true(store_journal_row(f->inner, &before, &bad));
        uint8_t *copy = malloc(SEGMENT_BYTES);
        memcpy(copy, segment_memory_bytes(f->segments, 0), SEGMENT_BYTES);
        assert_int_equal(open_as(f, true), STINT_OK);
        assert_true(holds(f, f->truth));
        assert_int_equal(store_journal_checkpoint(f->store), STINT_OK);
        f->store->ops->destroy(&f->store);
        assert_memory_equal(copy, segment_memory_bytes(f->segments, 0), SEGMENT_BYTES);
        free(copy);
        store_model_crash(f->inner);
        assert_true(store_journal_row(f->inner, &after, &bad));
        assert_memory_equal(&before, &after, sizeof before);
        assert_int_equal(open_as(f, false), STINT_OK);
        /* a checkpoint that was not made: the next start takes its mark back */
        store_model_fail_commit(f->inner, 0);
        assert_int_equal(put_one(f), STINT_IO);
    }
    crash(f);
    assert_int_equal(open_as(f, false), STINT_OK);
    assert_true(holds(f, f->truth));
}

static void
a_suffix_that_is_cut_is_undone_in_the_tables(void **state)
{
    struct fixture *f = *state;
    for (unsigned round = 0; round < 60; round++) {
        for (unsigned i = dice_roll(&f->dice, 4); i > 0; i--)
            assert_int_equal(step(f, 5), STINT_OK);
        assert_int_equal(store_journal_checkpoint(f->store), STINT_OK);
        for (unsigned i = dice_roll(&f->dice, 3); i > 0; i--)
            assert_int_equal(step(f, 5), STINT_OK);
        uint64_t index = journal_last(store_journal_log(f->store)).index;
        for (unsigned i = dice_roll(&f->dice, 3); i > 0; i--) {
            f->store->ops->begin(f->store);
            change(f, &f->store, 1);
            assert_int_equal(f->store->ops->commit(f->store), STINT_OK);
        }
        assert_int_equal(store_journal_cut(f->store, index), STINT_OK);
        assert_true(holds(f, f->truth));
        assert_int_equal(journal_last(store_journal_log(f->store)).index, index);
        if (dice_once_in(&f->dice, 2)) {
            crash(f);
            assert_int_equal(open_as(f, false), STINT_OK);
            assert_true(holds(f, f->truth));
            store_journal_started(f->store);
        }
    }
}

/* The broker was killed before its flush, so that it is there until power is lost. */
static void
a_checkpoint_of_a_record_that_was_never_flushed_outlasts_it(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(step(f, 5), STINT_OK);
    segment_memory_lazy(f->segments, true);
    assert_int_equal(step(f, 5), STINT_OK);
    segment_memory_lazy(f->segments, false);
    f->store->ops->destroy(&f->store);
    store_model_crash(f->inner);
    assert_int_equal(open_as(f, false), STINT_OK);
    assert_true(holds(f, f->truth));
    assert_int_equal(store_journal_checkpoint(f->store), STINT_OK);
    f->store->ops->destroy(&f->store);
    store_model_crash(f->inner);
    segment_memory_crash(f->segments, never, NULL);
    assert_int_equal(open_as(f, false), STINT_OK);
    assert_true(holds(f, f->truth));
}

static void
a_data_file_that_is_older_than_its_journal_is_refused(void **state)
{
    struct fixture *f = *state;
    struct row_journal old;
    uint8_t buffer[ROW_JOURNAL_BYTES_MAX];
    bool bad;
    assert_int_equal(step(f, 5), STINT_OK);
    assert_int_equal(store_journal_checkpoint(f->store), STINT_OK);
    assert_true(store_journal_row(f->inner, &old, &bad));
    crash(f);
    assert_int_equal(open_as(f, false), STINT_OK); /* each commit is a checkpoint of its own now */
    assert_int_equal(step(f, 5), STINT_OK);
    assert_int_equal(step(f, 5), STINT_OK);
    crash(f);
    f->inner->ops->begin(f->inner);
    store_put(f->inner, STORE_META, meta_key(META_JOURNAL), row_journal_write(buffer, &old),
        (struct slice){0});
    assert_int_equal(f->inner->ops->commit(f->inner), STINT_OK);
    assert_int_equal(open_as(f, false), STINT_DAMAGED);
    assert_non_null(strstr(f->error, "older"));
    assert_ptr_equal(f->store, f->inner);
    struct store *inner = f->inner; /* for the teardown */
    f->store = store_model_new();
    f->inner = inner;
}

static void
a_record_that_can_t_be_understood_is_refused(void **state)
{
    struct fixture *f = *state;
    struct pack_buffer record = {0};
    assert_int_equal(step(f, 5), STINT_OK);
    memset(pack_reserve(&record, JOURNAL_HEAD_BYTES + 5), 0xff, JOURNAL_HEAD_BYTES + 5);
    assert_int_equal(
        journal_append(store_journal_log(f->store), JOURNAL_DATA, &record), JOURNAL_OK);
    pack_buffer_free(&record);
    crash(f);
    assert_int_equal(open_as(f, false), STINT_DAMAGED);
    assert_non_null(strstr(f->error, "can't be understood"));
    f->store = store_model_new();
}

static void
records_of_so_many_bytes_are_a_checkpoint_however_many_segments_are_free(void **state)
{
    struct fixture *f = *state;
    struct store_journal_figures before, after;
    f->store->ops->destroy(&f->store);
    segment_memory_free(&f->segments);
    f->segments = segment_memory_new(8, 8, SEGMENT_BYTES);
    f->inner->ops->destroy(&f->inner);
    f->inner = store_model_new();
    assert_int_equal(open_as(f, false), STINT_OK);
    store_journal_started(f->store);
    store_journal_figures(f->store, &before);
    for (unsigned i = 0; i < 8; i++) /* a block each */
        assert_int_equal(put_one(f), STINT_OK);
    store_journal_figures(f->store, &after);
    assert_int_equal(after.checkpoints, before.checkpoints);
    assert_int_equal(put_one(f), STINT_OK);
    store_journal_figures(f->store, &after);
    assert_int_equal(after.checkpoints, before.checkpoints + 1);
}

static void
the_term_rises_also_where_nobody_remembers_it(void **state)
{
    struct fixture *f = *state;
    uint64_t term = 0;
    f->term = 1;
    for (unsigned i = 0; i < 4; i++) {
        assert_int_equal(put_one(f), STINT_OK);
        uint64_t now = journal_last(store_journal_log(f->store)).term;
        assert_true(now > term);
        term = now;
        crash(f);
        assert_int_equal(open_as(f, false), STINT_OK);
    }
}

static void
flushes_that_lie_lose_steps(void **state)
{
    struct fixture *f = *state;
    unsigned lost = 0;
    segment_memory_lazy(f->segments, true);
    for (unsigned round = 0; round < 20; round++) {
        assert_int_equal(step(f, 5), STINT_OK);
        assert_int_equal(step(f, 5), STINT_OK);
        crash(f);
        if (open_as(f, false) != STINT_OK) {
            lost++;
            f->store = store_model_new();
            break;
        }
        lost += !holds(f, f->truth);
    }
    assert_true(lost > 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(steps_are_there_after_a_crash),
        TEST(a_step_whose_commit_fails_is_there_as_a_whole_or_not_at_all),
        TEST(a_step_that_fits_into_no_record_is_a_checkpoint_of_its_own),
        TEST(a_step_that_is_aborted_leaves_those_before_it),
        TEST(a_step_without_changes_writes_nothing),
        TEST(who_only_looks_sees_all_and_changes_nothing),
        TEST(a_suffix_that_is_cut_is_undone_in_the_tables),
        TEST(a_checkpoint_of_a_record_that_was_never_flushed_outlasts_it),
        TEST(a_data_file_that_is_older_than_its_journal_is_refused),
        TEST(a_record_that_can_t_be_understood_is_refused),
        TEST(records_of_so_many_bytes_are_a_checkpoint_however_many_segments_are_free),
        TEST(the_term_rises_also_where_nobody_remembers_it),
        TEST(flushes_that_lie_lose_steps),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
