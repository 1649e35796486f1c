/* Bulk operations that are asked again, refused, kept and forgotten; whose they are, and damage. */
#include "bulked.h"
#include "rows.h"

/* ---- asked again, and refused ---- */

static void
one_that_is_sent_again_begins_no_second_one(void **state)
{
    struct world *w = world_with_many();
    (void)state;
    (void)begin(w, STINT_BULK_CANCEL, "queue=default");
    assert_int_equal(finish(w).done, MANY);
    message_put_set_queue(world_frame(w, CLIENT), 4, text("other"), STINT_CLOSE_QUEUE, NULL);
    submit_many(w, 2, "default", 7);
    assert_int_equal(begin(w, STINT_BULK_CANCEL, "queue=default").state, STINT_BULK_DONE);
    assert_int_equal(finish(w).done, MANY);
    assert_int_equal(counted_in(w, STINT_READY), 7);
    put_bulk(w, CLIENT, request(STINT_BULK_CANCEL), "queue=other");
    assert_int_equal(world_step(w, 0), STINT_OK);
    assert_non_null(world_read(w, CLIENT, MESSAGE_ERROR));
    assert_int_equal(w->message.error.status, STINT_CONFLICT);
    world_destroy(&w);
}

static void
what_says_nothing_clear_is_refused(void **state)
{
    struct world *w = world_with_many();
    struct bulk_request wrong[7];
    (void)state;
    for (size_t i = 0; i < 7; i++)
        wrong[i] = request(STINT_BULK_CANCEL);
    wrong[0].bulk = 0;
    wrong[1].all = false; /* and there is no filter */
    wrong[2].queue = text("other");
    wrong[3].priority = 3;
    wrong[4].action = STINT_BULK_MOVE;
    wrong[5].action = STINT_BULK_PRIORITY;
    wrong[6].action = STINT_BULK_PROMOTE;
    wrong[6].priority = 0;
    for (size_t i = 0; i < 7; i++) {
        put_bulk(w, CLIENT, wrong[i], "");
        assert_int_equal(world_step(w, 0), STINT_OK);
        assert_non_null(world_read(w, CLIENT, MESSAGE_ERROR));
        assert_int_equal(w->message.error.status, STINT_INVALID);
        assert_int_equal(core_idle_ms(w->core) > 0, true);
    }
    world_destroy(&w);
}

static size_t
rows(struct world *w)
{
    return store_model_count(w->store, STORE_BULKS);
}

static void
some_are_kept_and_the_oldest_that_has_ended_makes_room(void **state)
{
    enum { KEPT = 64, DAY_MS = 86400000 };
    struct world *w = world_new(NULL);
    struct bulk_request k = request(STINT_BULK_CANCEL);
    (void)state;
    world_with_client(w);
    for (uint64_t n = 1; n <= KEPT + 3; n++) {
        k.bulk = n;
        put_bulk(w, CLIENT, k, "");
        for (unsigned i = 0; i < 3; i++)
            assert_int_equal(world_step(w, 1), STINT_OK);
    }
    assert_int_equal(rows(w), KEPT);
    put_list(w, CLIENT, MESSAGE_LIST_BULKS, 3);
    put_list(w, CLIENT, MESSAGE_LIST_BULKS, 4);
    assert_int_equal(world_step(w, 0), STINT_OK);
    assert_non_null(world_read(w, CLIENT, MESSAGE_BULKS));
    assert_int_equal(w->message.count, 0);
    assert_int_equal(world_step(w, DAY_MS), STINT_OK);
    assert_int_equal(world_step(w, DAY_MS), STINT_OK);
    assert_int_equal(rows(w), 0);
    world_destroy(&w);
}

static void
more_than_there_may_be_are_refused_while_all_go_on(void **state)
{
    enum { KEPT = 64 };
    struct world *w = world_with_many();
    struct bulk_request k = request(STINT_BULK_CANCEL);
    (void)state;
    for (uint64_t n = 1; n <= KEPT + 1; n++) {
        k.bulk = n;
        put_bulk(w, CLIENT, k, "");
    }
    assert_int_equal(world_step(w, 1), STINT_OK);
    assert_int_equal(world_count(w, CLIENT, MESSAGE_BULKS), KEPT);
    assert_non_null(world_read(w, CLIENT, MESSAGE_ERROR));
    assert_int_equal(w->message.error.status, STINT_TOO_MANY);
    for (unsigned i = 0; i < 5000 && core_idle_ms(w->core) == 0; i++)
        assert_int_equal(world_step(w, 0), STINT_OK);
    assert_int_equal(counted_in(w, STINT_CANCELLED_JOB), MANY); /* each had its turn */
    assert_int_equal(rows(w), KEPT);
    world_destroy(&w);
}

/* A step in which one begins takes a millisecond of the broker's time: a flood of them must not
 * move what is due. */
static void
a_flood_of_them_does_not_drive_the_clock(void **state)
{
    enum { FLOOD = 200 };
    struct world *w = world_new(NULL);
    struct bulk_request k = request(STINT_BULK_CANCEL);
    size_t refused = 0;
    (void)state;
    world_with_client(w);
    for (k.bulk = 1; k.bulk <= FLOOD; k.bulk++) {
        put_bulk(w, CLIENT, k, "");
        put_list(w, CLIENT, MESSAGE_STOP_BULK, k.bulk); /* which makes room */
        assert_int_equal(world_step(w, 0), STINT_OK);
        refused += world_count(w, CLIENT, MESSAGE_ERROR);
    }
    assert_true(refused > FLOOD / 2);
    struct stint_job_info info;
    (void)world_state(w, world_submit_one(w, 1, "x"), &info);
    assert_true(info.submitted_ms <= w->wall_ms + 64);
    world_destroy(&w);
}

static void
a_list_of_them_comes_in_pages(void **state)
{
    struct core_options options;
    uint8_t cursor[16];
    struct slice at = {0};
    uint64_t next = 1; /* those of one moment come by their numbers */
    unsigned pages = 0;
    (void)state;
    core_options_init(&options);
    options.message_bytes = 4 << 10; /* pages of half a KiB */
    struct world *w = world_new(&options);
    struct bulk_request k = request(STINT_BULK_CANCEL);
    world_with_client(w);
    for (uint64_t n = 1; n <= 40; n++) {
        k.bulk = n;
        put_bulk(w, CLIENT, k, "queue=default error~\"something that is quite long to say\"");
        if (n % 4 == 0)
            assert_int_equal(world_step(w, 1), STINT_OK);
    }
    do {
        message_put_list_bulks(world_frame(w, CLIENT), MESSAGE_LIST_BULKS, 6, 0, at);
        assert_int_equal(world_step(w, 0), STINT_OK);
        assert_non_null(world_read(w, CLIENT, MESSAGE_BULKS));
        for (uint32_t i = 0; i < w->message.count; i++) {
            assert_true(message_next_bulk(w->arrays));
            assert_int_equal(w->arrays->bulk.info.bulk, next++);
        }
        at = (struct slice){cursor, w->message.page.cursor.size};
        if (at.size)
            memcpy(cursor, w->message.page.cursor.data, at.size);
        pages++;
    } while (at.size);
    assert_int_equal(next, 41);
    assert_true(pages > 3);
    message_put_list_bulks(
        world_frame(w, CLIENT), MESSAGE_LIST_BULKS, 6, 0, (struct slice){cursor, 3});
    assert_int_equal(world_step(w, 0), STINT_OK);
    assert_int_equal(world_read(w, CLIENT, MESSAGE_ERROR)->error.status, STINT_INVALID);
    world_destroy(&w);
}

/* ---- keys for some queues ---- */

static void
a_key_for_some_queues_does_what_it_may_do_job_by_job(void **state)
{
    static const struct {
        const char *filter;
        bool allowed;
    } cases[] = {{"", false}, {"state=ready", false}, {"queue=mail.in", true},
        {"queue=pay.roll", false}, {"queue=mail.*", true}, {"queue=m*", false}, {"queue=*", false},
        {"queue!=pay.roll", false}, {"queue~mail", false}, {"queue!=pay.*", false},
        {"queue=mail.in state=ready", true}, {"queue=mail.* queue=m*", true}};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct world *w = a_world_with_two_queues();
        struct grant g = grant_of("key", RIGHT_SUBMIT, "mail.*");
        w->grants[KEYED] = &g;
        put_hello(w, KEYED, ROLE_CLIENT, "");
        put_bulk(w, KEYED, request(STINT_BULK_CANCEL), cases[i].filter);
        assert_int_equal(world_step(w, 0), STINT_OK);
        if (cases[i].allowed) {
            (void)read_one(w, KEYED);
            for (unsigned n = 0; n < 4; n++)
                assert_int_equal(world_step(w, 0), STINT_OK);
            assert_int_equal(counted_in(w, STINT_CANCELLED_JOB), 1);
        } else
            expect_error(w, STINT_DENIED);
        assert_int_equal(world_state(w, id_make(0, 2, DEFAULT_PRIORITY, 1), NULL), STINT_READY);
        world_destroy(&w);
    }
}

static void
who_began_it_is_noted_and_told_to_who_may_see_all(void **state)
{
    struct world *w = a_world_with_two_queues();
    struct grant g = grant_of("ann", RIGHTS_ALL, "mail.*");
    (void)state;
    w->grants[KEYED] = &g;
    put_hello(w, KEYED, ROLE_CLIENT, "");
    put_bulk(w, KEYED, request(STINT_BULK_CANCEL), "queue=mail.in");
    assert_int_equal(world_step(w, 0), STINT_OK);
    assert_string_equal(read_one(w, KEYED)->key, "");
    assert_true(world_told(w, "a bulk operation begins"));
    assert_string_equal(look(w).key, "ann");
    (void)finish(w);
    assert_true(world_told(w, "a bulk operation ended"));
    world_destroy(&w);
}

/* ---- damage ---- */

static void
a_damaged_row_is_told_of_and_the_broker_starts(void **state)
{
    struct world *w = world_with_many();
    (void)state;
    (void)begin(w, STINT_BULK_CANCEL, "queue=default");
    store_model_damage(w->store, STORE_BULKS);
    world_restart(w);
    assert_true(world_told(w, "bulk operation is not kept"));
    assert_int_equal(world_step(w, 0), STINT_OK);
    assert_int_equal(rows(w), 0);
    world_destroy(&w);
}

static void
a_row_is_read_as_it_was_written(void **state)
{
    uint8_t key[BULK_KEY_BYTES], bytes[ROW_BULK_BYTES_MAX];
    static const uint8_t filter[] = {0x91, 0x93, 5, 4, 7};
    const struct row_bulk row = {.bulk = NUMBER,
        .action = STINT_BULK_MOVE,
        .state = STINT_BULK_STOPPED,
        .dry = true,
        .priority = 255,
        .queue = text("other"),
        .key = text("ann"),
        .filter = {filter, sizeof filter},
        .began_ms = 1,
        .ended_ms = 2,
        .counted = 3,
        .done = 4,
        .refused = 5,
        .status = STINT_QUEUE_FULL,
        .at = id_make(1, 2, 3, 4),
        .examples_count = 3,
        .examples = {id_make(1, 1, 1, 1), id_make(2, 2, 2, 2), id_make(3, 3, 3, 3)}};
    struct row_bulk back = {.bulk = 0};
    (void)state;
    assert_true(row_bulk_read(bulk_key(key, NUMBER), row_bulk_write(bytes, &row), &back));
    assert_memory_equal(back.queue.data, "other", 5);
    assert_memory_equal(back.key.data, "ann", 3);
    assert_memory_equal(back.filter.data, filter, sizeof filter);
    back.queue = row.queue;
    back.key = row.key;
    back.filter = row.filter;
    struct slice again = row_bulk_write(bytes, &back);
    uint8_t once[ROW_BULK_BYTES_MAX];
    struct slice first = row_bulk_write(once, &row);
    assert_int_equal(again.size, first.size);
    assert_memory_equal(again.data, first.data, first.size);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_that_is_sent_again_begins_no_second_one),
        cmocka_unit_test(what_says_nothing_clear_is_refused),
        cmocka_unit_test(some_are_kept_and_the_oldest_that_has_ended_makes_room),
        cmocka_unit_test(more_than_there_may_be_are_refused_while_all_go_on),
        cmocka_unit_test(a_flood_of_them_does_not_drive_the_clock),
        cmocka_unit_test(a_list_of_them_comes_in_pages),
        cmocka_unit_test(a_key_for_some_queues_does_what_it_may_do_job_by_job),
        cmocka_unit_test(who_began_it_is_noted_and_told_to_who_may_see_all),
        cmocka_unit_test(a_damaged_row_is_told_of_and_the_broker_starts),
        cmocka_unit_test(a_row_is_read_as_it_was_written),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
