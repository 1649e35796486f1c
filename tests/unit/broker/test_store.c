/* One set of tests that every store must pass: LMDB's and the model's. */
#include "world.h"

#include "store_lmdb.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static char path[64];

static struct store *
open_lmdb(void)
{
    struct store_lmdb_options o = {.path = path, .size_bytes = 64 << 20, .reserve_bytes = 1 << 20};
    struct store *store;
    const char *error = "";
    assert_int_equal(store_lmdb_new(&o, &store, &error), STINT_OK);
    return store;
}

static int
with_lmdb(void **state)
{
    (void)snprintf(path, sizeof path, "/tmp/stint-store-%ld.lmdb", (long)getpid());
    *state = open_lmdb();
    return 0;
}

static int
with_model(void **state)
{
    *state = store_model_new();
    return 0;
}

static int
without(void **state)
{
    struct store *store = *state;
    char lock[80];
    store->ops->destroy(&store);
    (void)snprintf(lock, sizeof lock, "%s-lock", path);
    (void)unlink(path);
    (void)unlink(lock);
    return 0;
}

static struct slice
text(const char *t)
{
    return (struct slice){(const uint8_t *)t, strlen(t)};
}

static void
put(struct store *s, const char *key, const char *head, const char *body)
{
    store_put(s, STORE_META, text(key), text(head), text(body));
}

static void
a_row_is_put_replaced_found_and_deleted(void **state)
{
    struct store *s = *state;
    struct slice v;
    s->ops->begin(s);
    assert_false(store_get(s, STORE_META, text("b"), &v));
    put(s, "b", "he", "llo");
    assert_true(store_get(s, STORE_META, text("b"), &v));
    assert_int_equal(v.size, 5);
    assert_memory_equal(v.data, "hello", 5);
    put(s, "b", "longer than before", "");
    assert_true(store_get(s, STORE_META, text("b"), &v));
    assert_int_equal(v.size, 18);
    assert_false(store_get(s, STORE_QUEUES, text("b"), &v)); /* tables are apart */
    assert_true(store_del(s, STORE_META, text("b")));
    assert_false(store_del(s, STORE_META, text("b")));
    assert_int_equal(s->ops->commit(s), STINT_OK);
}

static void
seek_finds_the_first_row_at_or_after_a_key(void **state)
{
    struct store *s = *state;
    struct slice k, v;
    s->ops->begin(s);
    put(s, "d", "4", "");
    put(s, "b", "2", "");
    assert_true(store_seek(s, STORE_META, text("a"), &k, &v));
    assert_memory_equal(k.data, "b", 1);
    assert_true(store_seek(s, STORE_META, text("b"), &k, &v));
    assert_memory_equal(k.data, "b", 1);
    assert_true(store_seek(s, STORE_META, text("c"), &k, &v));
    assert_memory_equal(k.data, "d", 1);
    assert_false(store_seek(s, STORE_META, text("e"), &k, &v));
    s->ops->abort(s);
}

static void
seek_back_finds_the_last_row_at_or_before_a_key(void **state)
{
    struct store *s = *state;
    struct slice k, v;
    s->ops->begin(s);
    assert_false(store_seek_back(s, STORE_META, text("z"), &k, &v));
    put(s, "d", "4", "");
    put(s, "b", "2", "");
    assert_false(store_seek_back(s, STORE_META, text("a"), &k, &v));
    assert_true(store_seek_back(s, STORE_META, text("b"), &k, &v));
    assert_memory_equal(k.data, "b", 1);
    assert_memory_equal(v.data, "2", 1);
    assert_true(store_seek_back(s, STORE_META, text("c"), &k, &v));
    assert_memory_equal(k.data, "b", 1);
    assert_true(store_seek_back(s, STORE_META, text("bb"), &k, &v)); /* one that is longer */
    assert_memory_equal(k.data, "b", 1);
    assert_true(store_seek_back(s, STORE_META, text("e"), &k, &v)); /* behind the last one */
    assert_memory_equal(k.data, "d", 1);
    s->ops->abort(s);
}

static void
a_longer_key_between_two_that_count_up_is_no_row_behind_both(void **state)
{
    struct store *s = *state;
    struct slice k, v;
    s->ops->begin(s);
    put(s, "ab", "1", "");
    put(s, "abc", "2", "");
    put(s, "ac", "3", "");
    assert_true(store_seek(s, STORE_META, text("ab"), &k, &v));
    assert_memory_equal(v.data, "1", 1);
    assert_true(store_seek(s, STORE_META, text("ac"), &k, &v));
    assert_memory_equal(v.data, "3", 1);
    s->ops->abort(s);
}

static void
what_is_aborted_is_gone_and_what_is_committed_stays(void **state)
{
    struct store *s = *state;
    struct slice v;
    s->ops->begin(s);
    put(s, "kept", "1", "");
    assert_int_equal(s->ops->commit(s), STINT_OK);
    s->ops->begin(s);
    put(s, "lost", "1", "");
    assert_true(store_del(s, STORE_META, text("kept")));
    s->ops->abort(s);
    s->ops->begin(s);
    assert_true(store_get(s, STORE_META, text("kept"), &v));
    assert_false(store_get(s, STORE_META, text("lost"), &v));
    s->ops->abort(s);
}

static void
rows_come_in_order_while_others_are_deleted_and_added(void **state)
{
    struct store *s = *state;
    struct slice k, v;
    s->ops->begin(s);
    for (unsigned i = 0; i < 3000; i++) {
        uint8_t key[4];
        put_be(key, (uint64_t)i * 7919 % 3000, 4);
        store_put(s, STORE_LIVE, (struct slice){key, 4}, text("0123456789012345678901234567890"),
            text("body"));
    }
    unsigned seen = 0;
    uint8_t from[4] = {0};
    while (store_seek(s, STORE_LIVE, (struct slice){from, 4}, &k, &v)) {
        uint64_t n = get_be(k.data, 4);
        assert_int_equal(n, seen);
        put_be(from, n, 4);
        assert_true(store_del(s, STORE_LIVE, (struct slice){from, 4}));
        uint8_t tail[4];
        put_be(tail, 100000 + n, 4);
        store_put(s, STORE_LIVE, (struct slice){tail, 4}, text("x"), (struct slice){0});
        put_be(from, n + 1, 4);
        if (++seen == 3000)
            break;
    }
    assert_int_equal(seen, 3000);
    assert_int_equal(s->ops->commit(s), STINT_OK);
}

enum { WALKED = 2000 };

/* What there is, beside the store that should say the same. */
struct walk {
    struct store *store;
    bool has[WALKED + 1], committed[WALKED + 1];
    uint64_t random;
};

static unsigned
draw(struct walk *w, unsigned below)
{
    w->random = w->random * 6364136223846793005ULL + 1442695040888963407ULL;
    return (unsigned)(w->random >> 33) % below;
}

static struct slice
walk_key(uint8_t key[12], unsigned n)
{
    memset(key, 7, 4);
    put_be(key + 4, n, 8);
    return (struct slice){key, 12};
}

static void
walk_put(struct walk *w, unsigned n)
{
    static const uint8_t body[200];
    uint8_t key[12];
    store_put(w->store, STORE_LIVE, walk_key(key, n), (struct slice){0},
        (struct slice){body, 60 + draw(w, 140)});
    w->has[n] = true;
}

static void
walk_del(struct walk *w, unsigned n)
{
    uint8_t key[12];
    assert_int_equal(store_del(w->store, STORE_LIVE, walk_key(key, n)), w->has[n]);
    w->has[n] = false;
}

/* Any of what comes between two steps of somebody who walks, or nothing. */
static void
interrupt(struct walk *w, unsigned near)
{
    uint8_t key[12];
    struct slice k, v;
    unsigned n = draw(w, 2) ? draw(w, WALKED) : (near + draw(w, 4)) % WALKED;
    switch (draw(w, 24)) {
    case 0:
        walk_put(w, n);
        break;
    case 1:
        walk_del(w, n);
        break;
    case 2:
        assert_int_equal(store_get(w->store, STORE_LIVE, walk_key(key, n), &v), w->has[n]);
        break;
    case 3:
        (void)w->store->ops->seek_back(w->store, STORE_LIVE, walk_key(key, n), &k, &v);
        break;
    case 4:
        store_put(w->store, STORE_META, text("elsewhere"), text("x"), (struct slice){0});
        break;
    case 5:
        assert_int_equal(w->store->ops->commit(w->store), STINT_OK);
        memcpy(w->committed, w->has, sizeof w->has);
        w->store->ops->begin(w->store);
        break;
    case 6:
        if (draw(w, 8) > 0)
            break;
        w->store->ops->abort(w->store);
        memcpy(w->has, w->committed, sizeof w->has);
        w->store->ops->begin(w->store);
        break;
    default:
        break;
    }
}

static void
walk_on(struct walk *w, unsigned from, unsigned steps)
{
    for (; steps > 0; steps--) {
        uint8_t key[12];
        struct slice k, v;
        bool found = store_seek(w->store, STORE_LIVE, walk_key(key, from), &k, &v);
        while (from < WALKED && !w->has[from])
            from++;
        assert_int_equal(found, from < WALKED);
        if (!found)
            return;
        assert_int_equal(get_be(k.data + 4, 8), from);
        assert_true(v.size >= 60);
        interrupt(w, from);
        from++;
    }
}

static void
delete_on(struct walk *w, unsigned from, unsigned steps)
{
    for (; steps > 0 && from < WALKED; from++) {
        if (!w->has[from] && draw(w, 20) > 0)
            continue;
        walk_del(w, from);
        interrupt(w, from);
        steps--;
    }
}

/* Who goes on where he was is not led astray by what happens on the way. */
static void
rows_are_found_and_deleted_one_after_another(void **state)
{
    struct walk *w = calloc(1, sizeof *w);
    assert_non_null(w);
    w->store = *state;
    w->store->ops->begin(w->store);
    for (unsigned round = 0; round < 1500; round++) {
        unsigned from = draw(w, WALKED), steps = draw(w, 200);
        switch (draw(w, 3)) {
        case 0:
            for (unsigned n = from; n < WALKED && n < from + steps; n++)
                walk_put(w, n);
            break;
        case 1:
            walk_on(w, from, steps);
            break;
        default:
            delete_on(w, from, steps);
        }
    }
    w->store->ops->abort(w->store);
    free(w);
}

static void
a_committed_row_survives_a_restart_of_the_file(void **state)
{
    struct store *s = *state;
    struct slice v;
    s->ops->begin(s);
    put(s, "a", "value", "");
    assert_int_equal(s->ops->commit(s), STINT_OK);
    s->ops->destroy(&s);
    s = open_lmdb();
    s->ops->begin(s);
    assert_true(store_get(s, STORE_META, text("a"), &v));
    assert_memory_equal(v.data, "value", 5);
    s->ops->abort(s);
    *state = s;
}

static void
room_falls_as_the_map_fills_and_comes_back_after_deletes(void **state)
{
    static const char body[4000];
    struct store *s = *state;
    uint64_t first = s->ops->room(s), n = 0;
    while (s->ops->room(s) > first / 8) {
        uint8_t key[8];
        s->ops->begin(s);
        for (unsigned i = 0; i < 50; i++) {
            put_be(key, n++, 8);
            store_put(s, STORE_PARTS, (struct slice){key, 8}, (struct slice){0},
                (struct slice){(const uint8_t *)body, sizeof body});
        }
        assert_int_equal(s->ops->commit(s), STINT_OK);
        assert_true(n < 100000);
    }
    for (uint64_t i = 0; i < n; i += 50) {
        uint8_t key[8];
        s->ops->begin(s);
        for (uint64_t j = i; j < i + 50; j++) {
            put_be(key, j, 8);
            assert_true(store_del(s, STORE_PARTS, (struct slice){key, 8}));
        }
        assert_int_equal(s->ops->commit(s), STINT_OK);
    }
    for (unsigned i = 0; i < 40; i++) { /* room is worked out anew each second */
        s->ops->begin(s);
        put(s, "a", i % 2 ? "1" : "2", "");
        assert_int_equal(s->ops->commit(s), STINT_OK);
        (void)s->ops->room(s);
        (void)store_lmdb_tend(s);
    }
    assert_true(s->ops->room(s) > first / 2);
}

#define FOR(test, setup) cmocka_unit_test_setup_teardown(test, setup, without)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        FOR(a_row_is_put_replaced_found_and_deleted, with_lmdb),
        FOR(a_row_is_put_replaced_found_and_deleted, with_model),
        FOR(seek_finds_the_first_row_at_or_after_a_key, with_lmdb),
        FOR(seek_finds_the_first_row_at_or_after_a_key, with_model),
        FOR(seek_back_finds_the_last_row_at_or_before_a_key, with_lmdb),
        FOR(seek_back_finds_the_last_row_at_or_before_a_key, with_model),
        FOR(a_longer_key_between_two_that_count_up_is_no_row_behind_both, with_lmdb),
        FOR(a_longer_key_between_two_that_count_up_is_no_row_behind_both, with_model),
        FOR(what_is_aborted_is_gone_and_what_is_committed_stays, with_lmdb),
        FOR(what_is_aborted_is_gone_and_what_is_committed_stays, with_model),
        FOR(rows_come_in_order_while_others_are_deleted_and_added, with_lmdb),
        FOR(rows_come_in_order_while_others_are_deleted_and_added, with_model),
        FOR(rows_are_found_and_deleted_one_after_another, with_lmdb),
        FOR(rows_are_found_and_deleted_one_after_another, with_model),
        FOR(a_committed_row_survives_a_restart_of_the_file, with_lmdb),
        FOR(room_falls_as_the_map_fills_and_comes_back_after_deletes, with_lmdb),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
