/* Each way in which a store can contradict itself, and the words in which it is told. */
#include "job.h"
#include "upgrade.h"
#include "world.h"

#include <stdio.h>
#include <stdlib.h>

/* The jobs of the world below, by their sequence. */
enum { PARKED = 1, SUCCEEDED, DEAD, RUNNING, READY, LARGE };

static struct stint_id
id_of(uint64_t sequence)
{
    return id_make(0, 1, 100, sequence);
}

static void
settle(struct world *w, uint64_t sequence, enum outcome_type type)
{
    struct outcome o = {.id = id_of(sequence), .attempt = 1, .type = type};
    if (type == OUTCOME_DEAD)
        o.extra = text_slice("output");
    message_put_settle(world_frame(w, 2), sequence, &o, 1, 0);
    assert_int_equal(world_step(w, 0), STINT_OK);
}

/* A store with a job in each state, and one in parts. */
static struct world *
full_world(void)
{
    static char body[5001];
    struct world *w = world_new(NULL);
    struct job_spec job = world_job("");
    job.backoff_base_ms = job.backoff_cap_ms = 3600000;
    memset(body, 'b', sizeof body - 1);
    world_with_client(w);
    world_with_worker(w, 4);
    for (uint64_t n = PARKED; n <= LARGE; n++) {
        job.payload = n == LARGE ? text_slice(body) : text_slice("small");
        world_submit(w, 1, n, &job, 1);
        assert_int_equal(world_step(w, 0), STINT_OK);
        if (n < RUNNING)
            settle(w, n,
                n == PARKED          ? OUTCOME_FAILED
                    : n == SUCCEEDED ? OUTCOME_SUCCEEDED
                                     : OUTCOME_DEAD);
        message_put_ping(world_frame(w, 2), 1, n < READY - 1 ? 1 : 0, 0);
        assert_int_equal(world_step(w, 0), STINT_OK);
    }
    w->store->ops->begin(w->store);
    return w;
}

/* ---- what is done to the store ---- */

static void
remove_row(struct world *w, enum store_table table, const void *key, size_t size)
{
    assert_true(store_del(w->store, table, (struct slice){key, size}));
}

/* Changes the record of a job, as it stands there, and writes it with a good check. */
static void
rewrite(struct world *w, enum store_table table, uint64_t sequence, enum store_table to,
    void (*change)(struct record *r))
{
    uint8_t head[RECORD_HEAD_MAX], copy[4096];
    struct stint_id id = id_of(sequence);
    struct slice bytes;
    struct record r;
    assert_true(store_get(w->store, table, id_key(&id), &bytes));
    memcpy(copy, bytes.data, bytes.size);
    assert_true(record_decode(&r, &id, (struct slice){copy, bytes.size}));
    if (change)
        change(&r);
    remove_row(w, table, id.bytes, sizeof id.bytes);
    size_t size = record_encode(&r, &id, head);
    store_put(w->store, to, id_key(&id), (struct slice){head, size}, r.body);
}

static void
a_long_key(struct world *w)
{
    static const uint8_t key[ROW_KEY_BYTES_MAX + 2];
    store_put(
        w->store, STORE_DUE, (struct slice){key, sizeof key}, (struct slice){0}, (struct slice){0});
}

static void
a_short_key(struct world *w)
{
    store_put(w->store, STORE_SETTLED, text_slice("key"), text_slice("x"), (struct slice){0});
}

static void
a_job_of_no_queue(struct world *w)
{
    uint8_t head[RECORD_HEAD_MAX];
    struct stint_id id = id_make(0, 9, 100, 1);
    struct job_spec spec = world_job("x");
    struct record r;
    record_from_spec(&r, &spec, 1);
    size_t size = record_encode(&r, &id, head);
    store_put(w->store, STORE_LIVE, id_key(&id), (struct slice){head, size}, r.body);
}

static void
a_missing_part(struct world *w)
{
    uint8_t key[PART_KEY_BYTES];
    struct stint_id id = id_of(LARGE);
    (void)part_key(key, &id, 1);
    remove_row(w, STORE_PARTS, key, sizeof key);
}

static void
a_missing_output(struct world *w)
{
    uint8_t key[PART_KEY_BYTES];
    struct stint_id id = id_of(DEAD);
    (void)part_key(key, &id, OUTPUT_PARTS);
    remove_row(w, STORE_PARTS, key, sizeof key);
}

static void
be_cancelled(struct record *r)
{
    r->state = STINT_CANCELLED_JOB;
}

static void
an_output_of_a_cancelled_job(struct world *w)
{
    rewrite(w, STORE_SETTLED, DEAD, STORE_SETTLED, be_cancelled);
}

static void
a_flipped_bit(struct world *w)
{
    store_model_damage(w->store, STORE_LIVE);
}

static void
a_dead_job_among_the_live(struct world *w)
{
    rewrite(w, STORE_SETTLED, DEAD, STORE_LIVE, NULL);
}

static void
a_ready_job_among_the_settled(struct world *w)
{
    rewrite(w, STORE_LIVE, READY, STORE_SETTLED, NULL);
}

static void
a_ready_job_among_the_parked(struct world *w)
{
    rewrite(w, STORE_LIVE, READY, STORE_PARKED, NULL);
}

static void
a_running_job_without_a_record(struct world *w)
{
    struct stint_id id = id_of(RUNNING);
    remove_row(w, STORE_LIVE, id.bytes, sizeof id.bytes);
}

static void
be_due_later(struct record *r)
{
    record_set(r, FIELD_DUE, record_get(r, FIELD_DUE, 0) + 1);
}

static void
a_date_that_is_another(struct world *w)
{
    rewrite(w, STORE_PARKED, PARKED, STORE_PARKED, be_due_later);
}

static void
expire_never(struct record *r)
{
    record_set(r, FIELD_EXPIRES, record_get(r, FIELD_EXPIRES, 0) + 100000);
}

static void
an_outcome_without_a_mark(struct world *w)
{
    rewrite(w, STORE_SETTLED, SUCCEEDED, STORE_SETTLED, expire_never);
}

static void
expire_unsaid(struct record *r)
{
    record_clear(r, FIELD_EXPIRES);
}

static void
an_outcome_that_does_not_expire(struct world *w)
{
    rewrite(w, STORE_SETTLED, SUCCEEDED, STORE_SETTLED, expire_unsaid);
}

/* The session of client 1, with these numbers. */
static void
put_session(struct world *w, uint64_t submission, uint64_t pruned)
{
    uint8_t session[SESSION_BYTES], bytes[ROW_SESSION_BYTES_MAX];
    struct row_session row = {submission, pruned, w->wall_ms, 0};
    memset(session, 1, sizeof session);
    store_put(w->store, STORE_SESSIONS, session_key(session),
        row_session_write(bytes, session, &row), (struct slice){0});
}

static void
a_session_pruned_beyond_its_end(struct world *w)
{
    put_session(w, 6, 7);
}

static void
answers_that_were_pruned(struct world *w)
{
    put_session(w, 6, 3);
}

static void
answers_to_what_was_not_said(struct world *w)
{
    put_session(w, 5, 0);
}

static void
a_damaged_session(struct world *w)
{
    store_model_damage(w->store, STORE_SESSIONS);
}

static void
a_damaged_answer(struct world *w)
{
    store_model_damage(w->store, STORE_ANSWERS);
}

static void
spend_of_nothing(struct record *r)
{
    record_set(r, FIELD_SPENT, 5);
}

static void
need_in_another_order(struct record *r)
{
    record_set_needs(r, text_slice("ssd gpu"));
}

static void
needs_that_nobody_would_have_written(struct world *w)
{
    rewrite(w, STORE_LIVE, READY, STORE_LIVE, need_in_another_order);
}

static void
a_time_that_is_used_of_none(struct world *w)
{
    rewrite(w, STORE_LIVE, READY, STORE_LIVE, spend_of_nothing);
}

static void
a_wrong_count(struct world *w)
{
    struct row_level row = {.level = id_of(0), .next = LARGE + 1, .jobs = {[STINT_READY] = 1}};
    uint8_t bytes[ROW_LEVEL_BYTES_MAX];
    store_put(w->store, STORE_LEVELS, level_key(&row.level), row_level_write(bytes, &row),
        (struct slice){0});
}

static void
a_sequence_that_is_not_used_yet(struct world *w)
{
    struct row_level row = {.level = id_of(0), .next = LARGE};
    uint8_t bytes[ROW_LEVEL_BYTES_MAX];
    store_put(w->store, STORE_LEVELS, level_key(&row.level), row_level_write(bytes, &row),
        (struct slice){0});
}

static void
a_newer_format(struct world *w)
{
    uint8_t bytes[ROW_META_BYTES_MAX];
    const uint64_t words[META_WORDS] = {DATA_FORMAT + 1};
    store_put(w->store, STORE_META, meta_key(META_FORMAT), row_meta_write(bytes, words),
        (struct slice){0});
}

static void
damaged_books(struct world *w)
{
    store_model_damage(w->store, STORE_TRANSIT);
}

static void
one_date_too_many(struct world *w)
{
    uint8_t key[TIME_KEY_BYTES];
    struct stint_id id = id_of(READY);
    store_put(w->store, STORE_DUE, time_key(key, 5, &id), (struct slice){0}, (struct slice){0});
}

static void
a_part_of_nothing(struct world *w)
{
    uint8_t key[PART_KEY_BYTES];
    struct stint_id id = id_of(READY);
    store_put(
        w->store, STORE_PARTS, part_key(key, &id, 0), text_slice("0123456789"), (struct slice){0});
}

/* ---- what is told ---- */

static char said[4096];

static void
on_problem(void *context, const char *what, const char *id)
{
    (void)context;
    size_t used = strlen(said);
    (void)snprintf(said + used, sizeof said - used, "%s|%s\n", what, id);
}

static void
each_contradiction_is_told_in_its_own_words(void **state)
{
    static const struct {
        void (*spoil)(struct world *w);
        const char *words;
    } cases[] = {
        {a_long_key, "a key is too long|\n"},
        {a_short_key, "a key has a wrong size|\n"},
        {a_job_of_no_queue,
            "a job's queue or priority is not in the books, or its number is not "
            "used yet|0.9.100.1\n"},
        {a_sequence_that_is_not_used_yet, "its number is not used yet|0.1.100.6\n"},
        {a_missing_part, "a part of a large body is missing or damaged|0.1.100.6\n"},
        {a_missing_output, "a part of a large body is missing or damaged|0.1.100.3\n"},
        {an_output_of_a_cancelled_job, "a job that is not dead has kept an output|0.1.100.3\n"},
        {a_time_that_is_used_of_none,
            "a job has used of a time for all runs that it does not have|0.1.100.5\n"},
        {needs_that_nobody_would_have_written,
            "what a job needs of a worker is damaged|0.1.100.5\n"},
        {a_flipped_bit, "a record is damaged|0.1.100.4\n"},
        {a_dead_job_among_the_live, "a job stands among the live ones and is not|0.1.100.3\n"},
        {a_ready_job_among_the_settled,
            "a job stands among the settled ones and is not|0.1.100.5\n"},
        {a_ready_job_among_the_parked,
            "a scheduled job is not in the table of what is due|0.1.100.5\n"},
        {a_running_job_without_a_record, "a job is running and has no record|0.1.100.4\n"},
        {a_date_that_is_another, "a scheduled job is not in the table of what is due|0.1.100.1\n"},
        {an_outcome_without_a_mark, "an outcome would never expire|0.1.100.2\n"},
        {an_outcome_that_does_not_expire,
            "a job stands among the settled ones and is not|0.1.100.2\n"},
        {a_session_pruned_beyond_its_end, "a session's row is damaged|\n"},
        {a_damaged_session, "a session's row is damaged|\n"},
        {a_damaged_answer, "the stored answer to a submission is damaged|\n"},
        {answers_that_were_pruned, "the stored answer to a submission belongs to no session|\n"},
        {answers_to_what_was_not_said,
            "the stored answer to a submission belongs to no session|\n"},
        {a_wrong_count, "jobs are counted that are not there, or are not counted; in|0.1.100.0\n"},
        {a_newer_format, "the format of the rows is damaged, or newer than this program|\n"},
        {damaged_books, "a row of the broker's own books is damaged|\n"},
        {one_date_too_many, "more jobs are due than are scheduled|\n"},
        {a_part_of_nothing, "parts of bodies belong to no job|\n"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct world *w = full_world();
        struct verify_report report = {.problem = on_problem};
        said[0] = '\0';
        cases[i].spoil(w);
        assert_int_equal(w->store->ops->commit(w->store), STINT_OK);
        core_destroy(&w->core);
        core_verify(w->store, 0, &report);
        if (!strstr(said, cases[i].words))
            fail_msg("case %zu: expected \"%s\", and it said: %s", i, cases[i].words, said);
        world_destroy(&w);
    }
}

static void
a_store_that_is_whole_is_counted_and_nothing_is_told(void **state)
{
    struct world *w = full_world();
    struct verify_report report = {.problem = on_problem};
    (void)state;
    said[0] = '\0';
    w->store->ops->abort(w->store);
    core_destroy(&w->core);
    core_verify(w->store, 0, &report);
    assert_string_equal(said, "");
    const uint64_t jobs[STINT_STATES] = {0, 2, 1, 1, 1, 1, 0};
    assert_memory_equal(report.jobs, jobs, sizeof jobs);
    assert_int_equal(report.sessions, 1);
    assert_int_equal(report.answers, 6);
    assert_int_equal(report.damaged, 0);
    /* Of another broker, nothing is in the books. */
    report = (struct verify_report){.problem = on_problem};
    core_verify(w->store, 1, &report);
    assert_non_null(strstr(said, "|0.1.100.1\n"));
    world_destroy(&w);
}

/* ---- a tree whose pages are damaged ---- */

/* A store over another one, which in one table finds the first row again and again, or none by its
 * key. Nobody writes to it. */
struct lying_store {
    struct store base;
    struct store *truth;
    enum store_table table;
    bool circles;
    unsigned seeks;
};

static struct lying_store *
self(struct store *store)
{
    return (struct lying_store *)store;
}

static void
lie_begin(struct store *s)
{
    self(s)->truth->ops->begin(self(s)->truth);
}

static void
lie_abort(struct store *s)
{
    self(s)->truth->ops->abort(self(s)->truth);
}

static bool
lie_get(struct store *s, enum store_table table, struct slice key, struct slice *value)
{
    return (self(s)->circles || table != self(s)->table) &&
        store_get(self(s)->truth, table, key, value);
}

static bool
lie_seek(struct store *s, enum store_table table, struct slice from, struct slice *key,
    struct slice *value)
{
    if (self(s)->circles && table == self(s)->table)
        from = (struct slice){(const uint8_t *)"", 1};
    assert_true(++self(s)->seeks < 1000); /* it has to come to an end */
    return store_seek(self(s)->truth, table, from, key, value);
}

static void
verify_liar(struct store *truth, enum store_table table, bool circles)
{
    static const struct store_ops ops = {
        .begin = lie_begin, .abort = lie_abort, .get = lie_get, .seek = lie_seek};
    struct lying_store liar = {{&ops}, truth, table, circles, 0};
    struct verify_report report = {.problem = on_problem};
    said[0] = '\0';
    core_verify(&liar.base, 0, &report);
}

static void
keys_in_circles_and_keys_that_are_not_found_are_told_of_and_come_to_an_end(void **state)
{
    static const enum store_table books[] = {STORE_QUEUES, STORE_LEVELS, STORE_TRANSIT};
    static const enum store_table others[] = {STORE_LIVE, STORE_PARKED, STORE_DUE, STORE_SETTLED,
        STORE_PARTS, STORE_SESSIONS, STORE_ANSWERS};
    struct world *w = full_world();
    (void)state;
    w->store->ops->abort(w->store);
    core_destroy(&w->core);
    for (size_t i = 0; i < sizeof books / sizeof *books; i++) {
        verify_liar(w->store, books[i], true);
        assert_non_null(strstr(said, "a row of the broker's own books is damaged|\n"));
    }
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        verify_liar(w->store, others[i], true);
        assert_non_null(strstr(said, "keys are out of order: a page of the tree is damaged|\n"));
        verify_liar(w->store, others[i], false);
        assert_non_null(
            strstr(said, "a key is not found where it stands: a page of the tree is damaged|\n"));
    }
    world_destroy(&w);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_contradiction_is_told_in_its_own_words),
        cmocka_unit_test(a_store_that_is_whole_is_counted_and_nothing_is_told),
        cmocka_unit_test(
            keys_in_circles_and_keys_that_are_not_found_are_told_of_and_come_to_an_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
