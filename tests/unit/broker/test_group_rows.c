/* Rows of groups: what is damaged, gone or of nobody is found by the verifier, and the broker lives
 * with it. And how many groups there may be.
 */
#include "grouped.h"

#include <stdio.h>
#include <stdlib.h>

static const enum store_table tables[] = {
    STORE_GROUPS, STORE_GROUP_LINES, STORE_GROUP_TURNS, STORE_GROUP_DUE};
enum { TABLES = sizeof tables / sizeof *tables };

/* Groups that wait for a token, run, and wait in line, in two priorities. */
static struct world *
full_world(void)
{
    struct world *w = world_of(2);
    enum { JOBS = 150 };
    struct job_spec jobs[JOBS];
    struct got got[JOBS];
    set_groups(w, (struct group_setting){2, 3600, 0}, NULL);
    set_weight(w, "c", 7);
    for (unsigned i = 0; i < JOBS; i++) {
        jobs[i] = of_group(i % 3 == 0 ? "a" : i % 3 == 1 ? "b" : "c", "x");
        jobs[i].priority = i % 2 ? 100 : 90;
    }
    submit_all(w, jobs, JOBS, got);
    assert_good(w);
    for (unsigned i = 0; i < TABLES; i++)
        assert_true(store_model_count(w->store, tables[i]) > 0);
    return w;
}

/* Calls it with a copy of each key of the table, in a world of its own; the world goes on. */
static void
each_row(
    enum store_table table, void (*harm)(struct world *w, enum store_table t, struct slice key))
{
    for (size_t n = 0;; n++) {
        struct world *w = full_world();
        uint8_t at[GROUP_LINE_BYTES_MAX + 9] = {0};
        struct slice key, value, from = {at, 1};
        bool there = n < store_model_count(w->store, table);
        w->store->ops->begin(w->store);
        for (size_t i = 0; there && i <= n; i++) {
            assert_true(store_seek(w->store, table, from, &key, &value));
            memcpy(at, key.data, key.size);
            at[key.size] = 0;
            from.size = key.size + 1;
        }
        if (there)
            harm(w, table, (struct slice){at, from.size - 1});
        assert_int_equal(w->store->ops->commit(w->store), STINT_OK);
        if (there) {
            assert_true(problems(w, true) > 0);
            for (unsigned i = 0; i < 5; i++)
                (void)world_step(w, 1000);
            (void)world_count(w, WORKER, MESSAGE_DISPATCH);
        }
        world_destroy(&w);
        if (!there)
            return;
    }
}

static void
take_away(struct world *w, enum store_table table, struct slice key)
{
    assert_true(store_del(w->store, table, key));
}

static void
a_row_that_is_gone_is_missed(void **state)
{
    (void)state;
    for (unsigned i = 0; i < TABLES; i++)
        each_row(tables[i], take_away);
}

static void
add_another(struct world *w, enum store_table table, struct slice key)
{
    uint8_t other[GROUP_LINE_BYTES_MAX + 9], value[40] = {1};
    memcpy(other, key.data, key.size);
    other[key.size - 1] ^= 0x40;
    store_put(w->store, table, (struct slice){other, key.size}, (struct slice){value, 40},
        (struct slice){0});
}

static void
a_row_that_belongs_to_nobody_is_found(void **state)
{
    (void)state;
    for (unsigned i = 0; i < TABLES; i++)
        each_row(tables[i], add_another);
}

static void
a_row_that_is_damaged_is_found(void **state)
{
    static const enum store_table of[] = {STORE_GROUPS, STORE_GROUP_LINES, STORE_GROUP_TURNS};
    (void)state;
    for (unsigned i = 0; i < 3; i++) {
        struct world *w = full_world();
        store_model_damage(w->store, of[i]);
        assert_true(problems(w, true) > 0);
        world_destroy(&w);
    }
}

/* Each bit of it counts, and a row of format 11 is one whose line is all in rows. */
static void
a_row_of_a_group_is_read_as_it_was_written(void **state)
{
    enum { OLD_WORDS = 9 };
    struct row_group row = {.ready = 6, .out = 2, .stands = 1000, .priority = 90, .far = 1}, read;
    uint8_t key[GROUP_KEY_BYTES_MAX], bytes[ROW_GROUP_BYTES_MAX];
    struct slice at = group_key(key, 7, text("a"));
    const uint64_t old[OLD_WORDS] = {6, 2, 1000, 90};
    (void)state;
    row.low_first = true;
    row.near = (struct group_places){3, {90, 90, 200}, {7, 1001, UINT64_MAX >> 3}};
    row.tail = (struct group_places){1, {200}, {1}};
    struct slice value = row_group_write(bytes, at, &row);
    assert_true(row_group_read(at, value, &read));
    assert_true(read.ready == 6 && read.out == 2 && read.far == 1 && read.low_first);
    assert_int_equal(read.near.count, 3);
    for (unsigned i = 0; i < 3; i++)
        assert_true(read.near.priority[i] == row.near.priority[i] &&
            read.near.sequence[i] == row.near.sequence[i]);
    assert_true(read.tail.count == 1 && read.tail.priority[0] == 200 && read.tail.sequence[0] == 1);
    for (size_t i = 0; i < 8 * value.size; i++) {
        bytes[i / 8] ^= (uint8_t)(1 << i % 8);
        assert_false(row_group_read(at, value, &read));
        bytes[i / 8] ^= (uint8_t)(1 << i % 8);
    }
    for (size_t size = 0; size < value.size; size++)
        assert_false(row_group_read(at, (struct slice){bytes, size}, &read));
    uint64_t seed = record_check(at.data, at.size, 0);
    assert_true(row_group_read(at, row_words_write(bytes, seed, old, OLD_WORDS), &read));
    assert_true(read.ready == 6 && read.far == 5 && read.near.count == 0 && read.tail.count == 0);
}

/* Its jobs are not found any more; those behind it go on. */
static void
a_row_of_a_line_that_is_damaged_holds_up_nobody(void **state)
{
    enum { JOBS = 1 + 4 * GROUP_PLACES };
    struct world *w = world_of(1);
    struct stint_id id[JOBS];
    unsigned ended = 0;
    (void)state;
    set_running(w, 1);
    for (unsigned i = 0; i < JOBS; i++)
        id[i] = give(w, "a");
    assert_int_equal(store_model_count(w->store, STORE_GROUP_LINES), 2);
    store_model_damage(w->store, STORE_GROUP_LINES);
    for (unsigned i = 0; i < JOBS; i++)
        if (world_state(w, id[i], NULL) == STINT_RUNNING) {
            finish(w, id[i], 1, OUTCOME_SUCCEEDED);
            ended++;
        }
    assert_int_equal(ended, JOBS - GROUP_PLACES);
    assert_true(problems(w, true) > 0);
    world_destroy(&w);
}

static void
delete_row(struct world *w, enum store_table table, struct slice key)
{
    w->store->ops->begin(w->store);
    assert_true(store_del(w->store, table, key));
    assert_int_equal(w->store->ops->commit(w->store), STINT_OK);
}

/* Its row is gone, so that nobody knows of what is in its line. Who is cancelled and tried again
 * may be there still, and the broker lives with it: all that can be asked for can be done. */
static void
a_group_whose_row_is_gone_ends_no_broker(void **state)
{
    enum { JOBS = 1 + 6 * GROUP_PLACES };
    struct world *w = world_of(1);
    struct stint_id id[JOBS];
    uint8_t key[GROUP_KEY_BYTES_MAX];
    (void)state;
    set_running(w, 1);
    for (unsigned i = 0; i < JOBS; i++)
        id[i] = give(w, "a");
    delete_row(w, STORE_GROUPS, group_key(key, id_queue(&id[0]), text("a")));
    set_running(w, 1); /* all that is known of groups is forgotten */
    assert_true(problems(w, true) > 0);
    for (unsigned round = 0; round < 2; round++)
        for (unsigned i = 2; i < JOBS; i++) {
            ask(w, MESSAGE_CANCEL, id[i], STINT_OK);
            ask(w, MESSAGE_RETRY, id[i], STINT_OK);
        }
    for (unsigned round = 0; round < 3; round++)
        for (unsigned i = 0; i < JOBS; i++)
            if (world_state(w, id[i], NULL) == STINT_RUNNING)
                finish(w, id[i], 1, OUTCOME_SUCCEEDED);
    for (unsigned i = 0; i < JOBS; i++)
        if (world_state(w, id[i], NULL) == STINT_READY)
            ask(w, MESSAGE_CANCEL, id[i], STINT_OK);
    assert_int_equal(in_state(w, STINT_READY), 0);
    world_destroy(&w);
}

/* How often each of these jobs was given to the worker in some steps. */
static void
assert_given_once(struct world *w, const struct stint_id *ids, unsigned count)
{
    unsigned given[8] = {0};
    assert_true(count <= 8);
    for (unsigned n = 0; n < 5; n++) {
        step(w, 100);
        struct taken t = taken(w, WORKER);
        for (uint32_t i = 0; i < t.count; i++)
            for (unsigned k = 0; k < count; k++)
                given[k] += id_compare(&t.ids[i], &ids[k]) == 0;
    }
    for (unsigned k = 0; k < count; k++)
        assert_int_equal(given[k], 1);
}

/* One of it stands: that is handed out, once. */
static void
who_stands_in_a_group_whose_row_is_gone_runs_once(void **state)
{
    (void)state;
    for (uint32_t limit = 0; limit < 2; limit++) {
        struct world *w = world_of(0);
        uint8_t key[GROUP_KEY_BYTES_MAX];
        struct stint_id id = give(w, "a");
        set_running(w, limit);
        delete_row(w, STORE_GROUPS, group_key(key, id_queue(&id), text("a")));
        world_restart(w);
        world_with_client(w);
        world_hello_worker(w, WORKER, WORKER, 8);
        world_claim(w, WORKER, NULL, 0);
        assert_given_once(w, &id, 1);
        finish(w, id, 1, OUTCOME_SUCCEEDED);
        assert_int_equal(in_state(w, STINT_SUCCEEDED), 1);
        assert_int_equal(in_state(w, STINT_READY) + in_state(w, STINT_RUNNING), 0);
        world_destroy(&w);
    }
}

/* It stood again as its worker was lost, and its worker claims it: nobody else is given it, though
 * its group's row is gone and its turn is still there. */
static void
who_is_claimed_in_a_group_whose_row_is_gone_runs_once(void **state)
{
    struct world *w = world_of(1);
    uint8_t key[GROUP_KEY_BYTES_MAX];
    struct lease_ref lease = {.attempt = 1};
    (void)state;
    lease.id = give(w, "a");
    world_gone(w, WORKER);
    for (unsigned i = 0; i < 100 && in_state(w, STINT_READY) == 0; i++) {
        message_put_ping(world_frame(w, CLIENT), 5, WINDOW_UNCHANGED, 0);
        step(w, 1000);
    }
    assert_int_equal(store_model_count(w->store, STORE_GROUP_TURNS), 1);
    delete_row(w, STORE_GROUPS, group_key(key, id_queue(&lease.id), text("a")));
    set_running(w, 0); /* all that is known of groups is forgotten */
    world_hello_worker(w, WORKER, WORKER, 1);
    world_claim(w, WORKER, &lease, 1);
    step(w, 0);
    assert_int_equal(world_state(w, lease.id, NULL), STINT_RUNNING);
    world_hello_worker(w, 3, 3, 8);
    world_claim(w, 3, NULL, 0);
    for (unsigned i = 0; i < 3; i++) {
        step(w, 100);
        assert_int_equal(taken(w, 3).count, 0);
    }
    finish(w, lease.id, 1, OUTCOME_SUCCEEDED);
    assert_int_equal(in_state(w, STINT_SUCCEEDED), 1);
    world_destroy(&w);
}

/* Its group is known by its record, so neither it nor those behind it are lost; nor do they end the
 * broker by leaving. */
static void
a_damaged_turn_holds_up_nobody(void **state)
{
    (void)state;
    for (unsigned leaves = 0; leaves < 3; leaves++) {
        struct world *w = world_of(0);
        struct stint_id ids[3];
        for (unsigned i = 0; i < 3; i++)
            ids[i] = give(w, i == 0 ? "a" : i == 1 ? "b" : "c");
        world_restart(w);
        store_model_damage(w->store, STORE_GROUP_TURNS);
        connect(w, 0);
        if (leaves > 0)
            ask(w, MESSAGE_CANCEL, ids[leaves - 1], STINT_OK);
        connect(w, 8);
        step(w, 0);
        assert_int_equal(in_state(w, STINT_RUNNING), leaves > 0 ? 2 : 3);
        world_destroy(&w);
    }
}

/* Flips a bit of a record, and has it looked at. */
static void
damage_record(struct world *w, enum store_table table, struct stint_id id, size_t at)
{
    struct slice value, key = {id.bytes, STINT_ID_BYTES};
    uint8_t bytes[4096];
    w->store->ops->begin(w->store);
    assert_true(store_get(w->store, table, key, &value));
    memcpy(bytes, value.data, value.size);
    bytes[at] ^= 1;
    store_put(w->store, table, key, (struct slice){bytes, value.size}, (struct slice){0});
    assert_int_equal(w->store->ops->commit(w->store), STINT_OK);
    (void)world_state(w, id, NULL);
}

static size_t
record_bytes(struct world *w, struct stint_id id)
{
    struct slice value;
    w->store->ops->begin(w->store);
    assert_true(store_get(w->store, STORE_LIVE, (struct slice){id.bytes, STINT_ID_BYTES}, &value));
    w->store->ops->abort(w->store);
    return value.size;
}

/* Whatever of it is damaged, also its group's name: the broker starts again, and its queue can go.
 */
static void
the_only_record_of_a_queue_may_be_damaged_anywhere(void **state)
{
    (void)state;
    size_t size = 1;
    for (size_t at = 0; at < size; at++) {
        struct world *w = world_of(0);
        struct stint_id id = give(w, "a");
        size = record_bytes(w, id);
        damage_record(w, STORE_LIVE, id, at);
        assert_int_equal(in_state(w, STINT_READY), 0);
        world_restart(w);
        connect(w, 0);
        message_put_set_queue(
            world_frame(w, CLIENT), 77, text("default"), STINT_REMOVE_QUEUE, NULL);
        step(w, 0);
        assert_int_equal(store_model_count(w->store, STORE_DAMAGED), 1);
        world_destroy(&w);
    }
}

/* One in line, behind another one: nothing says of which group it was, but that their counts can't
 * be so. */
static void
a_record_in_line_may_be_damaged_anywhere(void **state)
{
    (void)state;
    size_t size = 1;
    for (size_t at = 0; at < size; at++) {
        struct world *w = world_of(0);
        struct stint_id first = give(w, "a"), second = give(w, "a");
        size = record_bytes(w, second);
        damage_record(w, STORE_LIVE, second, at);
        assert_int_equal(in_state(w, STINT_READY), 1);
        world_restart(w);
        connect(w, 2);
        step(w, 0);
        assert_int_equal(world_state(w, first, NULL), STINT_RUNNING);
        world_destroy(&w);
    }
}

/* One that failed keeps its group's place, until it is found to be damaged. */
static void
a_damaged_job_gives_its_place_back(void **state)
{
    struct world *w = world_of(1);
    (void)state;
    set_running(w, 1);
    struct stint_id first = give(w, "a"), second = give(w, "a");
    finish(w, first, 1, OUTCOME_FAILED);
    assert_int_equal(world_state(w, first, NULL), STINT_SCHEDULED);
    assert_int_equal(world_state(w, second, NULL), STINT_READY);
    damage_record(w, STORE_PARKED, first, 24);
    connect(w, 1);
    step(w, 0);
    assert_int_equal(world_state(w, second, NULL), STINT_RUNNING);
    world_destroy(&w);
}

/* The later one counts. */
static void
a_weight_that_is_given_twice_is_one(void **state)
{
    const struct group_weight twice[] = {
        {text("a"), 2}, {text("a"), 1}, {text("b"), 3}, {text("b"), 4}};
    struct world *w = world_of(0);
    (void)state;
    (void)set_groups(w, (struct group_setting){UINT32_MAX, UINT64_MAX, 4}, twice);
    assert_good(w);
    (void)set_groups(w, (struct group_setting){UINT32_MAX, UINT64_MAX, 2}, twice);
    assert_good(w);
    set_weight(w, "b", 1);
    assert_good(w);
    world_destroy(&w);
}

/* The record of a job that stands, and of one in line: its group goes on. */
static void
a_record_that_is_damaged_does_not_hold_up_its_group(void **state)
{
    (void)state;
    for (unsigned which = 1; which < 3; which++) {
        struct world *w = world_of(1);
        struct stint_id id[4];
        set_running(w, 2);
        for (unsigned i = 0; i < 4; i++)
            id[i] = give(w, "a"); /* the first runs, the second stands */
        damage_record(w, STORE_LIVE, id[which], 24); /* when it was submitted */
        world_hello_worker(w, 3, 3, 8);
        world_claim(w, 3, NULL, 0);
        step(w, 0);
        step(w, 0);
        assert_int_equal(in_state(w, STINT_RUNNING), 2);
        for (unsigned i = 0; i < 4; i++)
            for (uint32_t peer = WORKER; peer <= 3; peer++) {
                const struct outcome o = {.id = id[i], .attempt = 1, .type = OUTCOME_SUCCEEDED};
                message_put_settle(world_frame(w, peer), 500 + i, &o, 1, WINDOW_UNCHANGED);
                step(w, 0);
            }
        assert_int_equal(in_state(w, STINT_SUCCEEDED), 3);
        assert_groups(w, 0);
        assert_good(w);
        world_destroy(&w);
    }
}

/* Each with one job; they go in the order in which they came. */
static void
many_groups_of_one_job_each(void **state)
{
    enum { GROUPS = 40000, A_MESSAGE = 4000 };
    struct world *w = world_of(0);
    struct job_spec *jobs = calloc(A_MESSAGE, sizeof *jobs);
    char(*names)[16] = calloc(A_MESSAGE, sizeof *names);
    (void)state;
    assert_true(jobs && names);
    for (uint64_t n = 0; n < GROUPS; n += A_MESSAGE) {
        for (unsigned i = 0; i < A_MESSAGE; i++) {
            (void)snprintf(names[i], sizeof names[i], "g%llu", (unsigned long long)(n + i));
            jobs[i] = of_group(names[i], "x");
        }
        world_submit(w, CLIENT, ++numbers[CLIENT], jobs, A_MESSAGE);
        step(w, 0);
    }
    assert_groups(w, GROUPS);
    assert_int_equal(store_model_count(w->store, STORE_GROUP_LINES), 0);
    assert_good(w);
    world_restart(w);
    world_with_client(w);
    world_hello_worker(w, 3, 3, 200);
    world_claim(w, 3, NULL, 0);
    step(w, 0);
    struct taken t = taken(w, 3);
    assert_int_equal(t.count, 200);
    for (unsigned i = 1; i < t.count; i++)
        assert_true(id_compare(&t.ids[i - 1], &t.ids[i]) < 0);
    free(jobs);
    free(names);
    world_destroy(&w);
}

/* A thousand that all have jobs enough: what each gets is what its weight says, to one job. */
static void
a_thousand_groups_share_by_their_weights(void **state)
{
    enum { GROUPS = 1000, JOBS = 16, LIGHT = 6, SLOTS = GROUPS / 2 * 3 * LIGHT };
    struct world *w = world_of(0);
    struct job_spec *jobs = calloc(GROUPS, sizeof *jobs);
    char(*names)[16] = calloc(GROUPS, sizeof *names);
    uint32_t *got = calloc(GROUPS, sizeof *got);
    struct group_weight weights[LIMIT_GROUP_WEIGHTS_SET];
    (void)state;
    assert_true(jobs && names && got);
    for (unsigned i = 0; i < GROUPS; i++) {
        (void)snprintf(names[i], sizeof names[i], "g%03u", i);
        jobs[i] = of_group(names[i], "x");
        if (i % 2)
            weights[i / 2 % LIMIT_GROUP_WEIGHTS_SET] = (struct group_weight){text(names[i]), 2};
        if (i % 2 && i / 2 % LIMIT_GROUP_WEIGHTS_SET == LIMIT_GROUP_WEIGHTS_SET - 1)
            set_groups(w, (struct group_setting){UINT32_MAX, UINT64_MAX, LIMIT_GROUP_WEIGHTS_SET},
                weights);
    }
    for (unsigned n = 0; n < JOBS; n++) {
        world_submit(w, CLIENT, ++numbers[CLIENT], jobs, GROUPS);
        step(w, 0);
    }
    world_hello_worker(w, 3, 3, SLOTS);
    world_claim(w, 3, NULL, 0);
    step(w, 0);
    for (size_t i = 0; world_next(w, 3, &i);)
        for (uint32_t n = 0; w->message.type == MESSAGE_DISPATCH && n < w->message.count; n++)
            got[atoi((const char *)w->arrays->dispatched[n].group.data + 1)]++;
    for (unsigned i = 0; i < GROUPS; i++)
        assert_in_range(got[i], (i % 2 ? 2 * LIGHT : LIGHT) - 1, (i % 2 ? 2 * LIGHT : LIGHT) + 1);
    free(got);
    free(jobs);
    free(names);
    world_destroy(&w);
}

/* What a page of the list says, and where the next one begins. */
static void
groups_are_listed_in_pages(void **state)
{
    enum { GROUPS = 5000, A_MESSAGE = 2500 };
    struct world *w = world_of(0);
    struct job_spec *jobs = calloc(A_MESSAGE, sizeof *jobs);
    char(*names)[16] = calloc(A_MESSAGE, sizeof *names);
    uint8_t last[LIMIT_GROUP_BYTES];
    struct slice cursor = {NULL, 0};
    uint32_t told = 0, pages = 0;
    (void)state;
    assert_true(jobs && names);
    for (unsigned n = 0; n < GROUPS; n += A_MESSAGE) {
        for (unsigned i = 0; i < A_MESSAGE; i++) {
            (void)snprintf(names[i], sizeof names[i], "g%05u", n + i);
            jobs[i] = of_group(names[i], "x");
        }
        world_submit(w, CLIENT, ++numbers[CLIENT], jobs, A_MESSAGE);
        step(w, 0);
    }
    do {
        message_put_list_groups(
            world_frame(w, CLIENT), 7, text("default"), (struct slice){NULL, 0}, cursor);
        step(w, 0);
        const struct message *m = world_read(w, CLIENT, MESSAGE_GROUPS);
        assert_non_null(m);
        for (uint32_t i = 0; i < m->count; i++) {
            char expected[16];
            assert_true(message_next_group(w->arrays));
            (void)snprintf(expected, sizeof expected, "g%05u", told++);
            assert_string_equal(w->arrays->items.group.name, expected);
            assert_int_equal(w->arrays->items.group.ready, 1);
        }
        pages++;
        cursor = (struct slice){last, m->page.cursor.size};
        if (cursor.size)
            memcpy(last, m->page.cursor.data, cursor.size);
    } while (cursor.size > 0);
    assert_int_equal(told, GROUPS);
    assert_true(pages > 1);
    free(jobs);
    free(names);
    world_destroy(&w);
}

static void
the_broker_wakes_when_a_group_has_a_token(void **state)
{
    struct world *w = world_of(2);
    (void)state;
    set_rate(w, 3000); /* one in 1200 ms */
    (void)give(w, "a");
    (void)give(w, "a");
    step(w, 1170);
    assert_true(core_idle_ms(w->core) <= 50);
    step(w, core_idle_ms(w->core));
    assert_int_equal(in_state(w, STINT_RUNNING), 2);
    world_destroy(&w);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {FOR(a_row_that_is_gone_is_missed),
        FOR(a_row_that_belongs_to_nobody_is_found), FOR(a_row_that_is_damaged_is_found),
        FOR(a_row_of_a_group_is_read_as_it_was_written),
        FOR(a_group_whose_row_is_gone_ends_no_broker),
        FOR(who_stands_in_a_group_whose_row_is_gone_runs_once),
        FOR(who_is_claimed_in_a_group_whose_row_is_gone_runs_once),
        FOR(a_damaged_turn_holds_up_nobody),
        FOR(the_only_record_of_a_queue_may_be_damaged_anywhere),
        FOR(a_record_in_line_may_be_damaged_anywhere), FOR(a_damaged_job_gives_its_place_back),
        FOR(a_weight_that_is_given_twice_is_one),
        FOR(a_row_of_a_line_that_is_damaged_holds_up_nobody),
        FOR(a_record_that_is_damaged_does_not_hold_up_its_group), FOR(many_groups_of_one_job_each),
        FOR(a_thousand_groups_share_by_their_weights), FOR(groups_are_listed_in_pages),
        FOR(the_broker_wakes_when_a_group_has_a_token)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
