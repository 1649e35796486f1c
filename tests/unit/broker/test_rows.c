/* The broker's stored rows: round trips, other versions of them, damage; and the upgrade of those
 * of format 2, which are written here as that format told.
 */
#include "world.h"

#include "rows.h"
#include "upgrade.h"

static struct stint_id
some_id(void)
{
    return id_make(3, 7, 100, 256);
}

static void
every_row_comes_back_as_it_was(void **state)
{
    uint8_t bytes[ROW_LEVEL_BYTES_MAX], key[ANSWER_KEY_BYTES];
    (void)state;
    struct row_level level = {.level = some_id(),
        .next = 99,
        .jobs = {0, 1, 2, 3, 4, 5, 6, 13},
        .totals = {7, 8, 9, 10, 11, 12, 14}};
    struct row_level level_back;
    assert_true(
        row_level_read(level_key(&level.level), row_level_write(bytes, &level), &level_back));
    assert_int_equal(level_back.next, 99);
    assert_memory_equal(level_back.jobs, level.jobs, sizeof level.jobs);
    assert_memory_equal(level_back.totals, level.totals, sizeof level.totals);
    assert_int_equal(id_broker(&level_back.level), 3);
    assert_int_equal(id_queue(&level_back.level), 7);
    assert_int_equal(id_priority(&level_back.level), 100);
    struct row_transit transit = {.first = some_id(), .bits = {1, 0, 1ULL << 63, 5}};
    struct row_transit transit_back;
    struct slice first = {transit.first.bytes, STINT_ID_BYTES};
    assert_true(row_transit_read(first, row_transit_write(bytes, &transit), &transit_back));
    assert_memory_equal(transit_back.bits, transit.bits, sizeof transit.bits);
    struct row_session session = {.submission = 5, .pruned = 4, .used_ms = 123456789, .owner = 99};
    struct row_session session_back;
    uint8_t name[SESSION_BYTES] = {1, 2, 3};
    assert_true(row_session_read(
        session_key(name), row_session_write(bytes, name, &session), &session_back));
    assert_memory_equal(&session_back, &session, sizeof session);
    struct row_answer answer = {.number = 6, .hash = 9, .status = STINT_TOO_MANY, .index = 2};
    struct row_answer answer_back = {0};
    assert_true(row_answer_read(6, row_answer_write(bytes, &answer), &answer_back));
    assert_true(answer_back.hash == 9 && answer_back.status == STINT_TOO_MANY);
    assert_int_equal(answer_back.index, 2);
    assert_false(row_answer_read(7, row_answer_write(bytes, &answer), &answer_back));
    uint64_t number;
    assert_true(answer_key_read(answer_key(key, name, 6), &number));
    assert_int_equal(number, 6);
}

static void
rows_of_followers_come_back(const struct stint_id *of)
{
    static const uint32_t counts[] = {1, 2, FOLLOWERS_A_ROW};
    uint8_t key[FOLLOWER_KEY_BYTES], bytes[ROW_FOLLOWERS_BYTES_MAX];
    struct stint_id last = id_make(3, 7, 100, 5000), few = id_make(3, 7, 100, 4), next;
    struct row_followers run;
    for (size_t i = 0; i < 3; i++) {
        struct slice at = follower_key(key, of, &last);
        struct slice row = row_followers_write(bytes, at, counts[i]);
        assert_true(row_followers_read(at, row, &run));
        assert_int_equal(id_compare(&run.parent, of), 0);
        assert_int_equal(id_compare(&run.last, &last), 0);
        assert_int_equal(run.count, counts[i]);
        next = followers_first(&run);
        assert_int_equal(id_sequence(&next), 5001 - counts[i]);
        assert_true(followers_have(&run, &next) && followers_have(&run, &last));
        id_set_sequence(&next, 5000 - counts[i]);
        assert_false(followers_have(&run, &next));
        id_set_sequence(&next, 5001);
        assert_false(followers_have(&run, &next));
        next = id_make(3, 7, 99, 5000); /* of another priority */
        assert_false(followers_have(&run, &next));
        if (row.size == 0)
            continue;
        bytes[row.size - 1] ^= 2;
        assert_false(row_followers_read(at, row, &run)); /* then it is the longest that may be */
        assert_int_equal(run.count, FOLLOWERS_A_ROW);
        assert_false(row_followers_read(follower_key(key, of, &few), row, &run));
        assert_int_equal(run.count, 5); /* from sequence 0 on */
    }
    assert_false(row_followers_read((struct slice){key, 5}, (struct slice){NULL, 0}, &run));
    assert_int_equal(run.count, 0);
    struct slice at = follower_key(key, of, &few); /* more than there can be before it */
    assert_false(row_followers_read(at, row_followers_write(bytes, at, 6), &run));
}

static void
rows_of_jobs_that_wait_for_others_come_back(void **state)
{
    uint8_t bytes[ROW_PARENTS_BYTES_MAX], end[ROW_ENDED_BYTES_MAX], key[PARENTS_KEY_BYTES],
        other[PARENTS_KEY_BYTES];
    struct stint_id ids[PARENTS_A_ROW], of = some_id(), back;
    enum stint_state how;
    struct slice read;
    (void)state;
    for (uint32_t i = 0; i < PARENTS_A_ROW; i++)
        ids[i] = id_make(3, 7, 100, i + 1);
    for (uint32_t count = 1; count <= PARENTS_A_ROW; count += PARENTS_A_ROW - 1) {
        struct slice at = parents_key(key, &of, 4), row = row_parents_write(bytes, at, ids, count);
        assert_true(row_parents_read(at, row, &read));
        assert_int_equal(read.size, count * STINT_ID_BYTES);
        assert_memory_equal(read.data, ids, read.size);
        assert_false(row_parents_read(parents_key(other, &of, 5), row, &read));
        bytes[9] ^= 1;
        assert_false(row_parents_read(at, row, &read));
        assert_false(row_parents_read(at, (struct slice){bytes, 8}, &read));
        assert_false(row_parents_read(at, (struct slice){bytes, row.size - 1}, &read));
    }
    rows_of_followers_come_back(&of);
    for (enum stint_state s = STINT_UNKNOWN; s < STINT_STATES; s++) {
        struct slice row = row_ended_write(end, &of, s);
        bool good = row_ended_read((struct slice){of.bytes, sizeof of}, row, &back, &how);
        assert_int_equal(good, stint_state_settled(s)); /* nothing else is an end */
        assert_true(!good || (how == s && id_compare(&back, &of) == 0));
        assert_false(row_ended_read((struct slice){ids[0].bytes, sizeof of}, row, &back, &how));
    }
}

static void
a_queue_comes_back_with_what_is_set_for_it(void **state)
{
    uint8_t bytes[ROW_QUEUE_BYTES_MAX], key[QUEUE_KEY_BYTES];
    struct row_queue back, row = {.number = 4, .name = {(const uint8_t *)"default", 7}};
    struct slice written;
    (void)state;
    for (unsigned set = 0; set < 4; set++) {
        row.paused = (set & 1) != 0;
        row.closed = (set & 2) != 0;
        written = row_queue_write(bytes, &row);
        memset(&back, 0xff, sizeof back);
        assert_true(row_queue_read(queue_key(key, 4), written, &back));
        assert_int_equal(back.number, 4);
        assert_int_equal(back.name.size, 7);
        assert_int_equal(back.paused, row.paused);
        assert_int_equal(back.closed, row.closed);
        if (set == 0)
            assert_int_equal(written.size, QUEUE_HEAD_BYTES + 7); /* as it ever was */
    }
    assert_false(row_queue_read(queue_key(key, 5), written, &back));
    for (size_t bit = 0; bit < 8 * written.size; bit++) {
        bytes[bit / 8] ^= (uint8_t)(1U << bit % 8);
        assert_false(row_queue_read(queue_key(key, 4), written, &back));
        bytes[bit / 8] ^= (uint8_t)(1U << bit % 8);
    }
}

/* A queue's row with these settings, put together by hand. */
static struct slice
queue_with(uint8_t *row, uint8_t version, uint8_t count, const uint64_t *words, size_t size)
{
    struct row_queue plain = {.number = 4, .name = {(const uint8_t *)"default", 7}};
    size_t at = row_queue_write(row, &plain).size, total = at + size;
    put_be(row + 10, size, 2);
    if (size > 0)
        row[at] = version;
    if (size > 1)
        row[at + 1] = count;
    for (size_t i = 0; 2 + 8 * (i + 1) <= size; i++)
        put_be(row + at + 2 + 8 * i, words[i], 8);
    put_be(row, record_check(row + 8, total - 8, 4), 8);
    return (struct slice){row, total};
}

static void
settings_of_a_queue_that_are_not_known_have_to_be_0(void **state)
{
    uint8_t bytes[200], key[QUEUE_KEY_BYTES];
    uint64_t words[] = {1, 1, 1, 1, 7, 9, 3, 1000, 6, 5, 4, 2, 8, 0, 0};
    struct row_queue row;
    struct slice at = queue_key(key, 4);
    (void)state;
    assert_true(row_queue_read(at, queue_with(bytes, 1, 15, words, 122), &row));
    assert_int_equal(row.group_running, 4);
    assert_int_equal(row.group_weights, 2);
    assert_int_equal(row.group_rate, 8);
    assert_true(row_queue_read(at, queue_with(bytes, 1, 10, words, 82), &row));
    assert_true(!row.group_running && !row.group_weights && !row.group_rate);
    assert_true(row.paused && row.closed && row.lifo && row.low_first);
    assert_int_equal(row.running, 7);
    assert_int_equal(row.rate, 9);
    assert_int_equal(row.weight, 3);
    assert_int_equal(row.backlog_max, 1000);
    assert_int_equal(row.keep, 6);
    assert_int_equal(row.time_to_run_ms, 5);
    assert_true(row_queue_read(at, queue_with(bytes, 1, 6, words, 50), &row));
    assert_int_equal(row.rate, 9); /* of the format before */
    assert_true(!row.weight && !row.backlog_max && !row.keep && !row.time_to_run_ms);
    assert_true(row_queue_read(at, queue_with(bytes, 1, 1, words, 10), &row));
    assert_true(row.paused && !row.closed && !row.lifo &&
        !row.low_first); /* of a program that knew no other */
    assert_true(row_queue_read(at, queue_with(bytes, 1, 0, words, 2), &row));
    assert_false(row.paused || row.closed);
    words[14] = 1;
    assert_false(row_queue_read(at, queue_with(bytes, 1, 15, words, 122), &row));
    static const uint64_t most[] = {LIMIT_QUEUE_WEIGHT, LIMIT_QUEUE_BACKLOG, LIMIT_TIME_MS + 1,
        LIMIT_TIME_MS, LIMIT_GROUP_RUNNING, LIMIT_GROUP_WEIGHTS, LIMIT_QUEUE_RATE};
    for (unsigned i = 0; i < 7; i++) {
        uint64_t was = words[6 + i];
        words[6 + i] = most[i];
        assert_true(row_queue_read(at, queue_with(bytes, 1, 13, words, 106), &row));
        words[6 + i]++;
        assert_false(row_queue_read(at, queue_with(bytes, 1, 13, words, 106), &row));
        words[6 + i] = was;
    }
    words[4] = LIMIT_QUEUE_RUNNING + 1;
    assert_false(row_queue_read(at, queue_with(bytes, 1, 5, words, 42), &row));
    words[1] = 2; /* neither yes nor no */
    assert_false(row_queue_read(at, queue_with(bytes, 1, 2, words, 18), &row));
    words[1] = 0;
    assert_false(row_queue_read(at, queue_with(bytes, 2, 2, words, 18), &row));
    assert_false(row_queue_read(at, queue_with(bytes, 1, 3, words, 18), &row));
    assert_false(row_queue_read(at, queue_with(bytes, 1, 1, words, 18), &row));
    assert_false(row_queue_read(at, queue_with(bytes, 1, 0, words, 1), &row));
}

static void
a_level_may_have_more_or_fewer_states_and_counts(void **state)
{
    enum { NEW_STATE = 1 + STINT_STATES, SHORT = 1 + STINT_CANCELLED_JOB + 1 };
    uint8_t bytes[ROW_LEVEL_BYTES_MAX + 8];
    uint64_t words[LEVEL_WORDS + 1] = {99, 0, 1, 2, 3, 4, 5, 6, 7};
    struct stint_id id = some_id();
    struct slice key = level_key(&id);
    uint64_t seed = get_be(key.data, 8);
    struct row_level row;
    (void)state;
    for (unsigned i = 0; i < STINT_COUNTS; i++)
        words[LEVEL_TOTALS + i] = 11 + i;
    assert_true(row_level_read(key, row_words_write(bytes, seed, words, LEVEL_WORDS + 1), &row));
    assert_int_equal(row.jobs[STINT_EXPIRED], 7);
    assert_int_equal(row.totals[STINT_COUNT_EXPIRED], 17);
    words[LEVEL_WORDS] = 1; /* this count is not known: writing the row would forget it */
    assert_false(row_level_read(key, row_words_write(bytes, seed, words, LEVEL_WORDS + 1), &row));
    words[LEVEL_WORDS] = 0;
    words[NEW_STATE] = 1; /* nor is this job's state */
    assert_false(row_level_read(key, row_words_write(bytes, seed, words, LEVEL_WORDS), &row));
    memset(&row, 0xff, sizeof row);
    assert_true(row_level_read(key, row_words_write(bytes, seed, words, SHORT), &row));
    assert_int_equal(row.jobs[STINT_CANCELLED_JOB], 6);
    assert_int_equal(row.jobs[STINT_EXPIRED], 0);
    assert_int_equal(row.totals[STINT_COUNT_SUBMITTED], 0); /* before they were counted */
}

static void
a_row_with_a_flipped_bit_or_under_another_key_is_none(void **state)
{
    uint8_t bytes[ROW_TRANSIT_BYTES_MAX];
    struct row_transit back, row = {.first = some_id(), .bits = {1, 2, 3, 4}};
    struct slice key = {row.first.bytes, STINT_ID_BYTES}, written = row_transit_write(bytes, &row);
    struct stint_id other = id_make(3, 8, 100, 256);
    (void)state;
    assert_true(row_transit_read(key, written, &back));
    assert_false(row_transit_read((struct slice){other.bytes, STINT_ID_BYTES}, written, &back));
    for (size_t bit = 0; bit < 8 * written.size; bit++) {
        bytes[bit / 8] ^= (uint8_t)(1U << bit % 8);
        assert_false(row_transit_read(key, written, &back));
        bytes[bit / 8] ^= (uint8_t)(1U << bit % 8);
    }
    for (size_t size = 0; size < written.size; size++)
        assert_false(row_transit_read(key, (struct slice){bytes, size}, &back));
}

/* ---- the upgrade ---- */

static void
put(struct world *w, enum store_table table, struct slice key, struct slice value)
{
    store_put(w->store, table, key, value, (struct slice){0});
}

static struct slice
old_row(uint8_t *bytes, uint64_t seed, const uint64_t *words, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        put_be(bytes + 8 + 8 * (size_t)i, words[i], 8);
    put_be(bytes, record_check(bytes + 8, 8 * (size_t)count, seed), 8);
    return (struct slice){bytes, 8 + 8 * (size_t)count};
}

/* Makes an empty store one of format 2, with a row of each kind and no job. */
static void
make_old(struct world *w)
{
    uint8_t bytes[80], key[QUEUE_KEY_BYTES];
    struct stint_id id = id_make(0, 7, 100, 256);
    uint8_t session[SESSION_BYTES] = {5};
    w->store->ops->begin(w->store);
    (void)store_del(w->store, STORE_META, meta_key(META_FORMAT));
    put(w, STORE_META, meta_key(META_EPOCH), old_row(bytes, 0, (uint64_t[]){41, 1}, 2));
    put(w, STORE_META, meta_key(META_CLOCK), old_row(bytes, 0, (uint64_t[]){0, w->wall_ms}, 2));
    put_be(bytes + 8, 12, 4);
    put_be(bytes, record_check(bytes + 8, 4, 0), 8);
    put(w, STORE_META, meta_key(META_LAST_QUEUE), (struct slice){bytes, 12});
    put(w, STORE_QUEUES, queue_key(key, 7), (struct slice){(const uint8_t *)"default", 7});
    put(w, STORE_LEVELS, level_key(&id),
        old_row(bytes, get_be(id.bytes, 8), (uint64_t[8]){500}, 8));
    put(w, STORE_TRANSIT, (struct slice){id.bytes, STINT_ID_BYTES},
        old_row(bytes, 256, (uint64_t[4]){0}, 4));
    put(w, STORE_SESSIONS, session_key(session),
        old_row(bytes, 0, (uint64_t[]){3, 3, w->wall_ms}, 3));
    assert_int_equal(w->store->ops->commit(w->store), STINT_OK);
}

static void
rows_of_format_2_are_brought_up_to_date(void **state)
{
    struct world *w = world_new(NULL);
    struct verify_report report = {.problem = NULL};
    const char *error = "";
    (void)state;
    core_destroy(&w->core);
    make_old(w);
    core_verify(w->store, 0, &report); /* which changes nothing */
    assert_int_equal(report.problems, 0);
    assert_int_equal(report.sessions, 1);
    assert_int_equal(core_new(&w->options, w->store, w->now_ms, &w->core, &error), STINT_OK);
    struct note note;
    assert_true(core_next_note(w->core, &note));
    assert_non_null(strstr(note.event, "newer format"));
    assert_false(core_next_note(w->core, &note));
    struct stint_stats stats;
    core_stats(w->core, &stats);
    assert_int_equal(stats.epoch, 42);
    world_with_client(w);
    struct stint_id id = world_submit_one(w, 1, "x");
    assert_int_equal(id_queue(&id), 7);
    assert_int_equal(id_sequence(&id), 500);
    struct job_spec job = world_job("y");
    job.queue = (struct slice){(const uint8_t *)"other", 5};
    world_submit(w, 1, 2, &job, 1);
    assert_int_equal(world_step(w, 0), STINT_OK);
    core_destroy(&w->core);
    uint8_t key[QUEUE_KEY_BYTES];
    struct slice value;
    w->store->ops->begin(w->store); /* numbers up to 12 were given before */
    assert_true(store_get(w->store, STORE_QUEUES, queue_key(key, 13), &value));
    w->store->ops->abort(w->store);
    core_verify(w->store, 0, &report);
    assert_int_equal(report.problems, 0);
    world_destroy(&w);
}

/* Of formats 6 to 8: the counts stand behind seven states, or are not there yet. */
static void
levels_of_format_8_are_brought_up_to_date(void **state)
{
    enum { STATES = 7, COUNTS = 6 };
    const uint64_t words[1 + STATES + COUNTS] = {50, 0, 0, 0, 0, 0, 0, 0, 41, 42, 43, 44, 45, 46};
    (void)state;
    for (unsigned from = 6; from <= 9; from++)
        for (unsigned counted = 0; counted < 2; counted++) {
            struct world *w = world_new(NULL);
            struct stint_id id = id_make(0, 7, 100, 0);
            uint8_t bytes[ROW_QUEUE_BYTES_MAX + ROW_LEVEL_BYTES_MAX], key[QUEUE_KEY_BYTES];
            const struct row_queue queue = {.number = 7, .name = {(const uint8_t *)"default", 7}};
            struct slice value;
            struct row_level row;
            unsigned told;
            w->store->ops->begin(w->store);
            put(w, STORE_META, meta_key(META_FORMAT),
                row_meta_write(bytes, (uint64_t[META_WORDS]){from}));
            put(w, STORE_QUEUES, queue_key(key, 7), row_queue_write(bytes, &queue));
            put(w, STORE_LEVELS, level_key(&id),
                row_words_write(bytes, get_be(id.bytes, 8), words,
                    1 + STATES + (counted ? (unsigned)COUNTS : 0)));
            assert_int_equal(store_upgrade(w->store, &told), STINT_OK);
            assert_int_equal(told, from);
            assert_true(store_get(w->store, STORE_LEVELS, level_key(&id), &value));
            bool read = row_level_read(level_key(&id), value, &row);
            assert_true(read || (from == 9 && counted)); /* what is new already is left alone */
            assert_int_equal(row.next, 50);
            for (unsigned i = 0; read && i < COUNTS; i++)
                assert_int_equal(row.totals[i], counted ? 41 + i : 0);
            for (unsigned i = 0; read && i < STINT_STATES; i++)
                assert_int_equal(row.jobs[i], 0);
            w->store->ops->abort(w->store);
            world_destroy(&w);
        }
}

static void
an_upgrade_makes_no_damage_good(void **state)
{
    static const enum store_table tables[] = {STORE_META, STORE_LEVELS, STORE_TRANSIT};
    (void)state;
    for (size_t i = 0; i < sizeof tables / sizeof *tables; i++) {
        struct world *w = world_new(NULL);
        const char *error = "";
        core_destroy(&w->core);
        make_old(w);
        store_model_damage(w->store, tables[i]);
        assert_int_equal(
            core_new(&w->options, w->store, w->now_ms, &w->core, &error), STINT_DAMAGED);
        world_destroy(&w);
    }
}

static void
a_store_of_a_newer_format_is_refused_in_words(void **state)
{
    struct world *w = world_new(NULL);
    uint8_t bytes[ROW_META_BYTES_MAX];
    const char *error = "";
    (void)state;
    core_destroy(&w->core);
    w->store->ops->begin(w->store);
    put(w, STORE_META, meta_key(META_FORMAT),
        row_meta_write(bytes, (uint64_t[META_WORDS]){DATA_FORMAT + 1}));
    assert_int_equal(w->store->ops->commit(w->store), STINT_OK);
    assert_int_equal(
        core_new(&w->options, w->store, w->now_ms, &w->core, &error), STINT_VERSION_MISMATCH);
    assert_non_null(strstr(error, "newer stintd"));
    world_destroy(&w);
}

static void
a_new_store_says_its_format(void **state)
{
    struct world *w = world_new(NULL);
    struct slice value;
    uint64_t words[META_WORDS];
    (void)state;
    w->store->ops->begin(w->store);
    assert_true(store_get(w->store, STORE_META, meta_key(META_FORMAT), &value));
    assert_true(row_meta_read(value, words));
    assert_int_equal(words[0], DATA_FORMAT);
    w->store->ops->abort(w->store);
    world_destroy(&w);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_row_comes_back_as_it_was),
        cmocka_unit_test(rows_of_jobs_that_wait_for_others_come_back),
        cmocka_unit_test(a_queue_comes_back_with_what_is_set_for_it),
        cmocka_unit_test(settings_of_a_queue_that_are_not_known_have_to_be_0),
        cmocka_unit_test(a_level_may_have_more_or_fewer_states_and_counts),
        cmocka_unit_test(a_row_with_a_flipped_bit_or_under_another_key_is_none),
        cmocka_unit_test(rows_of_format_2_are_brought_up_to_date),
        cmocka_unit_test(levels_of_format_8_are_brought_up_to_date),
        cmocka_unit_test(an_upgrade_makes_no_damage_good),
        cmocka_unit_test(a_store_of_a_newer_format_is_refused_in_words),
        cmocka_unit_test(a_new_store_says_its_format),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
