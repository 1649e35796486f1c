/* What is damaged on disk: the core serves the rest and says so, or does not start; core_verify
 * finds it. Each table is damaged in turn, and rows are taken away where another row speaks of
 * them.
 */
#include "world.h"

#include <stdio.h>

/* A store with a row in every table: jobs ready, running, parked and settled, small and large. */
static struct world *
full_world(struct stint_id *large)
{
    static char text[9001];
    struct world *w = world_new(NULL);
    memset(text, 'L', sizeof text - 1);
    world_with_client(w);
    const struct stint_feed feed = {.name = "all"};
    message_put_set_feed(world_frame(w, 1), 1, FEED_SET, &feed);
    world_with_worker(w, 2);
    struct job_spec failing = world_job("fails");
    failing.backoff_base_ms = failing.backoff_cap_ms = 3600000;
    world_submit(w, 1, 1, &failing, 1);
    assert_int_equal(world_step(w, 0), STINT_OK);
    struct stint_id id = world_dispatched(w, 2).id;
    world_settle(w, 2, 1, id, 1, OUTCOME_FAILED, "why");
    assert_int_equal(world_step(w, 0), STINT_OK);
    id = world_submit_one(w, 2, "succeeds");
    world_settle(w, 2, 2, id, 1, OUTCOME_SUCCEEDED, "result");
    assert_int_equal(world_step(w, 0), STINT_OK);
    (void)world_submit_one(w, 3, "runs");
    (void)world_submit_one(w, 4, "runs too");
    *large = world_submit_one(w, 5, text);
    struct stint_id moved = world_submit_one(w, 6, "waits");
    const struct change change = {.set = CHANGE_PRIORITY, .to = {.priority = 3}};
    message_put_change(world_frame(w, 1), 6, &moved, 1, &change);
    const struct stint_fleet size = {.slots = 9};
    message_put_fleet(world_frame(w, 1), MESSAGE_SET_FLEET, 1, &size);
    const struct bulk_request counts = {
        .bulk = 7, .action = STINT_BULK_CANCEL, .priority = -1, .dry = true, .all = true};
    message_put_bulk(world_frame(w, 1), 1, &counts);
    static const uint8_t no_numbers[] = {0x80};
    const struct schedule_request hourly = {.action = STINT_SET_SCHEDULE,
        .name = {(const uint8_t *)"hourly", 6},
        .cron = {(const uint8_t *)"@hourly", 7},
        .job = {no_numbers, 1}};
    message_put_set_schedule(world_frame(w, 1), 1, &hourly);
    const struct batch_request batch = {
        .action = BATCH_NEW, .batch = 7, .keep_ms = KEEP_DEFAULT, .always = {no_numbers, 1}};
    message_put_set_batch(world_frame(w, 1), 1, &batch);
    assert_int_equal(world_step(w, 0), STINT_OK);
    return w;
}

struct found {
    unsigned problems;
    char first[128];
};

static void
on_problem(void *context, const char *what, const char *id)
{
    struct found *f = context;
    if (f->problems++ == 0)
        (void)snprintf(f->first, sizeof f->first, "%s %s", what, id);
}

/* What core_verify says of a store that no core uses any more. */
static struct found
verify(struct world *w)
{
    struct found f = {0};
    struct verify_report report = {.problem = on_problem, .context = &f};
    core_destroy(&w->core);
    core_verify(w->store, 0, &report);
    assert_int_equal(report.problems, f.problems);
    return f;
}

static void
verify_finds_nothing_in_a_store_that_is_whole(void **state)
{
    struct stint_id large;
    struct world *w = full_world(&large);
    struct verify_report report = {.problem = NULL};
    (void)state;
    core_destroy(&w->core);
    core_verify(w->store, 0, &report);
    assert_int_equal(report.problems, 0);
    assert_int_equal(report.jobs[STINT_READY], 3);
    assert_int_equal(report.jobs[STINT_RUNNING], 1);
    assert_int_equal(report.jobs[STINT_SCHEDULED], 1);
    assert_int_equal(report.jobs[STINT_SUCCEEDED], 1);
    assert_int_equal(report.sessions, 1);
    assert_true(report.answers > 0);
    world_destroy(&w);
}

static void
verify_finds_a_flipped_bit_in_every_table(void **state)
{
    static const enum store_table tables[] = {STORE_LEVELS, STORE_LIVE, STORE_TRANSIT, STORE_PARKED,
        STORE_SETTLED, STORE_PARTS, STORE_SESSIONS, STORE_ANSWERS, STORE_SETTINGS, STORE_NAMES,
        STORE_REDIRECTS, STORE_FEEDS, STORE_EVENTS, STORE_BULKS, STORE_SCHEDULES, STORE_BATCHES};
    (void)state;
    for (size_t i = 0; i < sizeof tables / sizeof *tables; i++) {
        struct stint_id large;
        struct world *w = full_world(&large);
        assert_true(store_model_count(w->store, tables[i]) > 0);
        store_model_damage(w->store, tables[i]);
        assert_true(verify(w).problems > 0);
        world_destroy(&w);
    }
}

/* Takes the first row of a table away. */
static void
take_away(struct world *w, enum store_table table)
{
    struct slice key, value, from = {(const uint8_t *)"", 1};
    uint8_t copy[64];
    w->store->ops->begin(w->store);
    assert_true(store_seek(w->store, table, from, &key, &value));
    memcpy(copy, key.data, key.size);
    assert_true(store_del(w->store, table, (struct slice){copy, key.size}));
    assert_int_equal(w->store->ops->commit(w->store), STINT_OK);
}

static void
verify_misses_every_row_that_is_gone(void **state)
{
    static const enum store_table tables[] = {STORE_QUEUES, STORE_LEVELS, STORE_LIVE, STORE_TRANSIT,
        STORE_PARKED, STORE_DUE, STORE_SETTLED, STORE_EXPIRY, STORE_PARTS, STORE_SESSIONS,
        STORE_FEEDS, STORE_EVENTS};
    (void)state;
    for (size_t i = 0; i < sizeof tables / sizeof *tables; i++) {
        struct stint_id large;
        struct world *w = full_world(&large);
        take_away(w, tables[i]);
        assert_true(verify(w).problems > 0);
        world_destroy(&w);
    }
}

static void
verify_finds_a_row_that_belongs_to_nothing(void **state)
{
    static const struct {
        enum store_table table;
        size_t key_bytes;
    } rows[] = {{STORE_LIVE, 16}, {STORE_LIVE, 3}, {STORE_PARKED, 16}, {STORE_DUE, 24},
        {STORE_SETTLED, 16}, {STORE_PARTS, 18}, {STORE_SESSIONS, 16}, {STORE_ANSWERS, 24},
        {STORE_FEEDS, 4}, {STORE_EVENTS, 12}, {STORE_SCHEDULES, 5}, {STORE_BATCHES, 9},
        {STORE_MEMBERS, 24}, {STORE_LIVE, 70}};
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        static const uint8_t key[70] = {9, 9, 9};
        struct stint_id large;
        struct world *w = full_world(&large);
        w->store->ops->begin(w->store);
        store_put(w->store, rows[i].table, (struct slice){key, rows[i].key_bytes},
            (struct slice){key, 40}, (struct slice){0});
        assert_int_equal(w->store->ops->commit(w->store), STINT_OK);
        assert_true(verify(w).problems > 0);
        world_destroy(&w);
    }
}

/* Moves the first record of one table into another. */
static void
move_row(struct world *w, enum store_table from, enum store_table to)
{
    struct slice key, value;
    uint8_t id[STINT_ID_BYTES], row[4096];
    w->store->ops->begin(w->store);
    assert_true(store_seek(w->store, from, (struct slice){(const uint8_t *)"", 1}, &key, &value));
    memcpy(id, key.data, sizeof id);
    memcpy(row, value.data, value.size);
    struct slice bytes = {row, value.size};
    (void)store_del(w->store, from, (struct slice){id, sizeof id});
    store_put(w->store, to, (struct slice){id, sizeof id}, bytes, (struct slice){0});
    assert_int_equal(w->store->ops->commit(w->store), STINT_OK);
}

static void
verify_finds_a_record_in_the_wrong_table(void **state)
{
    static const struct {
        enum store_table from, to;
    } moves[] = {{STORE_LIVE, STORE_SETTLED}, {STORE_LIVE, STORE_PARKED},
        {STORE_SETTLED, STORE_LIVE}, {STORE_PARKED, STORE_SETTLED}};
    (void)state;
    for (size_t i = 0; i < sizeof moves / sizeof *moves; i++) {
        struct stint_id large;
        struct world *w = full_world(&large);
        move_row(w, moves[i].from, moves[i].to);
        assert_true(verify(w).problems > 0);
        world_destroy(&w);
    }
}

static void
verify_counts_what_was_set_aside(void **state)
{
    struct stint_id large;
    struct world *w = full_world(&large);
    struct verify_report report = {.problem = NULL};
    (void)state;
    store_model_damage(w->store, STORE_SETTLED);
    struct stint_id id = id_make(0, 1, 100, 2);
    assert_int_equal(world_state(w, id, NULL), STINT_UNKNOWN);
    assert_true(world_told(w, ""));
    core_destroy(&w->core);
    core_verify(w->store, 0, &report);
    assert_int_equal(report.problems, 0);
    assert_int_equal(report.damaged, 1);
    assert_int_equal(store_model_count(w->store, STORE_SETTLED), 0);
    world_destroy(&w);
}

static void
a_broker_whose_own_books_are_damaged_does_not_start(void **state)
{
    static const enum store_table tables[] = {
        STORE_META, STORE_LEVELS, STORE_TRANSIT, STORE_SETTINGS, STORE_FEEDS, STORE_SCHEDULES};
    (void)state;
    for (size_t i = 0; i < sizeof tables / sizeof *tables; i++) {
        struct stint_id large;
        struct world *w = full_world(&large);
        const char *error = NULL;
        store_model_damage(w->store, tables[i]);
        core_destroy(&w->core);
        assert_int_equal(
            core_new(&w->options, w->store, w->now_ms, &w->core, &error), STINT_DAMAGED);
        assert_non_null(strstr(error, "damaged"));
        world_destroy(&w);
    }
}

static void
a_broker_whose_disk_fails_at_its_start_does_not_start(void **state)
{
    struct world *w = world_new(NULL);
    const char *error = NULL;
    (void)state;
    core_destroy(&w->core);
    store_model_fail_commit(w->store, 0);
    assert_int_equal(core_new(&w->options, w->store, w->now_ms, &w->core, &error), STINT_IO);
    assert_non_null(error);
    world_destroy(&w);
}

static void
a_large_body_with_a_damaged_part_is_never_dispatched(void **state)
{
    struct stint_id large;
    struct world *w = full_world(&large);
    (void)state;
    store_model_damage(w->store, STORE_PARTS);
    world_hello_worker(w, 3, 3, 8);
    world_claim(w, 3, NULL, 0);
    assert_int_equal(world_step(w, 0), STINT_OK);
    struct stint_stats stats;
    core_stats(w->core, &stats);
    assert_int_equal(stats.leases, 3); /* all but the large one */
    assert_int_equal(world_state(w, large, NULL), STINT_UNKNOWN);
    assert_true(world_told(w, ""));
    assert_int_equal(store_model_count(w->store, STORE_DAMAGED), 1);
    world_destroy(&w);
}

/* Its record is set aside while it runs: its end is not taken for one that needs no record, and the
 * next one, which is counted with it, runs on. */
static void
the_end_of_a_job_that_was_set_aside_is_not_counted(void **state)
{
    struct world *w = world_new(NULL);
    struct job_spec jobs[2] = {world_job("a"), world_job("b")};
    struct stint_stats stats;
    (void)state;
    world_with_client(w);
    world_with_worker(w, 2);
    world_claim(w, 2, NULL, 0);
    jobs[0].keep_ms = jobs[1].keep_ms = 0;
    world_submit(w, 1, 1, jobs, 2);
    assert_int_equal(world_step(w, 0), STINT_OK);
    struct stint_id id = world_dispatched(w, 2).id;
    store_model_damage(w->store, STORE_LIVE);
    assert_int_equal(world_state(w, id, NULL), STINT_UNKNOWN);
    world_settle(w, 2, 1, id, 1, OUTCOME_SUCCEEDED, "");
    assert_int_equal(world_step(w, 0), STINT_OK);
    core_stats(w->core, &stats);
    assert_int_equal(stats.jobs[STINT_RUNNING], 1);
    assert_int_equal(stats.leases, 1);
    assert_int_equal(world_state(w, id_plus(id, 1), NULL), STINT_RUNNING);
    world_destroy(&w);
}

static void
a_damaged_session_row_is_told_of_and_its_client_begins_anew(void **state)
{
    struct stint_id large;
    struct world *w = full_world(&large);
    (void)state;
    world_restart(w);
    store_model_damage(w->store, STORE_SESSIONS);
    world_with_client(w);
    assert_int_equal(w->message.welcome.submission, 0);
    assert_true(world_told(w, ""));
    world_destroy(&w);
}

static void
a_damaged_answer_is_not_given_again(void **state)
{
    struct stint_id large;
    struct world *w = full_world(&large);
    struct job_spec job = world_job("fails");
    (void)state;
    job.backoff_base_ms = job.backoff_cap_ms = 3600000;
    store_model_damage(w->store, STORE_ANSWERS);
    world_submit(w, 1, 1, &job, 1);
    assert_int_equal(world_step(w, 0), STINT_OK);
    assert_non_null(world_read(w, 1, MESSAGE_SUBMITTED));
    assert_int_equal(w->arrays->answers[0].status, STINT_DAMAGED);
    world_destroy(&w);
}

static void
jobs_that_are_counted_and_not_found_are_told_of_and_hold_up_nobody(void **state)
{
    struct world *w = world_new(NULL);
    (void)state;
    world_with_client(w);
    struct job_spec first = world_job("is not found"), second = world_job("less urgent");
    first.priority = 200;
    second.priority = 1;
    world_submit(w, 1, 1, &first, 1);
    world_submit(w, 1, 2, &second, 1);
    assert_int_equal(world_step(w, 0), STINT_OK);
    assert_non_null(world_read(w, 1, MESSAGE_SUBMITTED));
    struct slice key, value;
    uint8_t hidden[STINT_ID_BYTES];
    w->store->ops->begin(w->store);
    assert_true(
        store_seek(w->store, STORE_LIVE, (struct slice){(const uint8_t *)"", 0}, &key, &value));
    memcpy(hidden, key.data, sizeof hidden);
    assert_true(store_del(w->store, STORE_LIVE, (struct slice){hidden, sizeof hidden}));
    assert_int_equal(w->store->ops->commit(w->store), STINT_OK);
    world_with_worker(w, 4);
    struct stint_id id = world_dispatched(w, 2).id;
    assert_int_equal(id_priority(&id), 1);
    assert_true(world_told(w, "not found"));
    /* A later job of the same level is found. */
    world_submit(w, 1, 3, &first, 1);
    assert_int_equal(world_step(w, 0), STINT_OK);
    id = world_dispatched(w, 2).id;
    assert_int_equal(id_priority(&id), 200);
    assert_int_equal(id_sequence(&id), 2);
    world_destroy(&w);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(verify_finds_nothing_in_a_store_that_is_whole),
        cmocka_unit_test(verify_finds_a_flipped_bit_in_every_table),
        cmocka_unit_test(verify_misses_every_row_that_is_gone),
        cmocka_unit_test(verify_finds_a_row_that_belongs_to_nothing),
        cmocka_unit_test(verify_finds_a_record_in_the_wrong_table),
        cmocka_unit_test(verify_counts_what_was_set_aside),
        cmocka_unit_test(a_broker_whose_own_books_are_damaged_does_not_start),
        cmocka_unit_test(a_broker_whose_disk_fails_at_its_start_does_not_start),
        cmocka_unit_test(jobs_that_are_counted_and_not_found_are_told_of_and_hold_up_nobody),
        cmocka_unit_test(a_large_body_with_a_damaged_part_is_never_dispatched),
        cmocka_unit_test(the_end_of_a_job_that_was_set_aside_is_not_counted),
        cmocka_unit_test(a_damaged_session_row_is_told_of_and_its_client_begins_anew),
        cmocka_unit_test(a_damaged_answer_is_not_given_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
