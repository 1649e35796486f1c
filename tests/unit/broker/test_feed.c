/* Feeds: what is recorded, in which order and under which numbers; what is dropped and how that is
 * told; who is answered when; and what a feed costs whoever follows none: nothing. Who may read
 * which feed is in test_rights.c and test_sight.c.
 */
#include "feed_rows.h"
#include "world.h"

#include <stdio.h>

enum { READ = 500, OTHER = 3 };

static void
set_feed(struct world *w, struct stint_feed feed)
{
    static uint64_t number = 1000;
    if (!feed.name[0])
        (void)snprintf(feed.name, sizeof feed.name, "all");
    message_put_set_feed(world_frame(w, 1), ++number, FEED_SET, &feed);
    assert_int_equal(world_step(w, 0), STINT_OK);
    assert_non_null(world_read(w, 1, MESSAGE_FEEDS));
    assert_true(message_next_feed(w->arrays));
}

static void
put_read(struct world *w, uint32_t peer, uint64_t number, uint64_t from, bool wait)
{
    message_put_read_feed(
        world_frame(w, peer), number, (struct slice){(const uint8_t *)"all", 3}, from, 0, wait);
}

/* A page from this number on; the events are in w->arrays. */
static struct feed_events
read_from(struct world *w, uint64_t from)
{
    put_read(w, 1, READ, from, false);
    assert_int_equal(world_step(w, 0), STINT_OK);
    assert_non_null(world_read(w, 1, MESSAGE_FEED_EVENTS));
    return w->message.feed_events;
}

static struct stint_feed
feed_now(struct world *w)
{
    message_put_numbered(world_frame(w, 1), MESSAGE_LIST_FEEDS, 1);
    assert_int_equal(world_step(w, 0), STINT_OK);
    assert_non_null(world_read(w, 1, MESSAGE_FEEDS));
    assert_int_equal(w->message.count, 1);
    assert_true(message_next_feed(w->arrays));
    return w->arrays->feed;
}

static void
submit_many(struct world *w, uint64_t number, uint32_t count)
{
    struct job_spec job = world_job("x");
    world_submit_many(w, 1, number, &job, count);
}

static uint64_t
problems(struct world *w)
{
    struct verify_report report = {.problems = 0};
    core_verify(w->store, 0, &report);
    return report.problems;
}

static uint64_t
rows_in(struct world *w, enum store_table table)
{
    struct slice key, value;
    uint8_t at[32] = {0};
    struct slice from = {at, 1};
    uint64_t count = 0;
    w->store->ops->begin(w->store);
    while (store_seek(w->store, table, from, &key, &value)) {
        memcpy(at, key.data, key.size);
        at[key.size] = 0;
        from.size = key.size + 1;
        count++;
    }
    w->store->ops->abort(w->store);
    return count;
}

static void
expect(struct world *w, uint32_t i, enum stint_event_type type, struct stint_id id, uint64_t count)
{
    assert_in_range(i, 0, w->message.count - 1);
    const struct stint_event *e = &w->arrays->events[i];
    assert_int_equal(e->type, type);
    assert_memory_equal(&e->id, &id, sizeof id);
    assert_int_equal(e->count, count);
    assert_string_equal(e->queue, "default");
}

static void
a_job_is_told_from_its_begin_to_its_end_each_event_once(void **state)
{
    struct world *w = *state;
    world_with_client(w);
    world_with_worker(w, 1);
    set_feed(w, (struct stint_feed){.events = 0});
    assert_true(w->arrays->feed.made);
    struct stint_id id = world_submit_one(w, 1, "a");
    (void)world_dispatched(w, 2);
    world_settle(w, 2, 1, id, 1, OUTCOME_FAILED, "no");
    assert_int_equal(world_step(w, 0), STINT_OK);
    message_put_ids(world_frame(w, 1), MESSAGE_CANCEL, 7, &id, 1, 0);
    assert_int_equal(world_step(w, 0), STINT_OK);
    message_put_ids(world_frame(w, 1), MESSAGE_RETRY, 8, &id, 1, 0);
    assert_int_equal(world_step(w, 0), STINT_OK);
    struct feed_events page = read_from(w, 1);
    assert_int_equal(page.first, 1);
    assert_int_equal(page.next, 7);
    assert_int_equal(w->message.count, 6);
    expect(w, 0, STINT_EVENT_SUBMITTED, id, 0);
    expect(w, 1, STINT_EVENT_STARTED, id, 1);
    expect(w, 2, STINT_EVENT_FAILED, id, 1);
    expect(w, 3, STINT_EVENT_CANCELLED, id, 1);
    expect(w, 4, STINT_EVENT_REQUEUED, id, 1);
    expect(w, 5, STINT_EVENT_STARTED, id, 2);
    page = read_from(w, 4);
    assert_int_equal(page.first, 4);
    expect(w, 0, STINT_EVENT_CANCELLED, id, 1);
    assert_int_equal(problems(w), 0);
}

static void
where_there_is_no_feed_nothing_is_recorded(void **state)
{
    struct world *w = *state;
    world_with_worker(w, 4);
    submit_many(w, 1, 10);
    assert_int_equal(rows_in(w, STORE_FEEDS), 0);
    assert_int_equal(rows_in(w, STORE_EVENTS), 0);
}

static void
numbers_go_on_after_a_restart_and_what_was_told_stays(void **state)
{
    struct world *w = *state;
    world_with_client(w);
    set_feed(w, (struct stint_feed){.events = 0});
    uint64_t life = w->arrays->feed.life;
    submit_many(w, 1, 1000);
    world_restart(w);
    world_with_client(w);
    submit_many(w, 2, 5);
    struct feed_events page = read_from(w, 990);
    assert_int_equal(page.first, 990);
    assert_int_equal(page.next, 1006);
    assert_int_equal(page.life, life);
    assert_int_equal(w->message.count, 16);
    for (uint32_t i = 0; i < 16; i++)
        assert_int_equal(id_sequence(&w->arrays->events[i].id), 990 + i);
    assert_int_equal(problems(w), 0);
    assert_true(world_replays(w));
}

static void
a_step_of_many_jobs_writes_few_rows_and_is_read_in_pages(void **state)
{
    struct world *w = *state;
    world_with_client(w);
    set_feed(w, (struct stint_feed){.events = 0});
    submit_many(w, 1, LIMIT_JOBS);
    submit_many(w, 2, LIMIT_JOBS);
    assert_in_range(rows_in(w, STORE_EVENTS), 2 * LIMIT_JOBS / ROW_EVENTS_MAX, 60);
    uint64_t next = 1;
    while (next <= 2 * LIMIT_JOBS) {
        struct feed_events page = read_from(w, next);
        assert_int_equal(page.first, next);
        assert_in_range(w->message.count, 1, LIMIT_JOBS);
        for (uint32_t i = 0; i < w->message.count; i++)
            assert_int_equal(id_sequence(&w->arrays->events[i].id), next + i);
        next += w->message.count;
    }
    assert_int_equal(read_from(w, next).first, next);
    assert_int_equal(w->message.count, 0);
}

static void
a_feed_hears_of_its_queues_and_events_alone(void **state)
{
    static const char *const queues[] = {"mail.in", "mail", "mail.out", "other"};
    struct world *w = *state;
    world_with_client(w);
    struct stint_feed feed = {.queues = "mail.*", .events = 1U << STINT_EVENT_SUBMITTED};
    set_feed(w, feed);
    for (unsigned i = 0; i < 4; i++) {
        struct job_spec job = world_job("x");
        job.queue = (struct slice){(const uint8_t *)queues[i], strlen(queues[i])};
        world_submit(w, 1, 1 + i, &job, 1);
        assert_int_equal(world_step(w, 0), STINT_OK);
        struct stint_id id = {{0}};
        put_be(id.bytes + 2, 1 + i, 4);
        id.bytes[6] = 155;
        put_be(id.bytes + 8, 1, 8);
        message_put_ids(world_frame(w, 1), MESSAGE_CANCEL, 50, &id, 1, 0);
        assert_int_equal(world_step(w, 0), STINT_OK);
    }
    assert_int_equal(read_from(w, 1).next, 3);
    assert_int_equal(w->message.count, 2);
    assert_string_equal(w->arrays->events[0].queue, "mail.in");
    assert_string_equal(w->arrays->events[1].queue, "mail.out");
}

static void
beyond_its_number_the_oldest_go_and_a_reader_is_told_from_where_it_goes_on(void **state)
{
    struct world *w = *state;
    world_with_client(w);
    set_feed(w, (struct stint_feed){.max_events = 100});
    submit_many(w, 1, 1000);
    submit_many(w, 2, 1);
    struct feed_events page = read_from(w, 5);
    assert_int_equal(page.first, 902);
    assert_int_equal(page.next, 1002);
    assert_int_equal(w->message.count, 100);
    assert_int_equal(id_sequence(&w->arrays->events[0].id), 902);
    assert_in_range(rows_in(w, STORE_EVENTS), 1, 3);
    assert_int_equal(problems(w), 0);
}

static void
beyond_its_bytes_the_oldest_go(void **state)
{
    struct world *w = *state;
    world_with_client(w);
    set_feed(w, (struct stint_feed){.max_bytes = 10000});
    submit_many(w, 1, 1000);
    struct stint_feed f = feed_now(w);
    assert_in_range(f.bytes, 10000 - 4096, 10000);
    assert_in_range(f.first, 1001 - 10000 / ROW_EVENT_BYTES, 999);
    assert_int_equal(f.next, 1001);
    assert_int_equal(problems(w), 0);
}

static void
what_is_too_old_goes(void **state)
{
    struct world *w = *state;
    world_with_client(w);
    set_feed(w, (struct stint_feed){.keep_ms = 5000});
    submit_many(w, 1, 3);
    assert_int_equal(world_step(w, 3000), STINT_OK);
    submit_many(w, 2, 2);
    assert_in_range(core_idle_ms(w->core), 0, 2000);
    assert_int_equal(world_step(w, 2000), STINT_OK);
    assert_int_equal(read_from(w, 1).first, 4);
    assert_int_equal(w->message.count, 2);
    assert_int_equal(world_step(w, 3000), STINT_OK);
    assert_int_equal(read_from(w, 1).first, 6);
    assert_int_equal(w->message.count, 0);
    assert_int_equal(rows_in(w, STORE_EVENTS), 0);
    assert_int_equal(problems(w), 0);
}

static void
a_limit_that_is_lowered_is_reached_in_steps(void **state)
{
    struct world *w = *state;
    world_with_client(w);
    set_feed(w, (struct stint_feed){.events = 0});
    for (unsigned i = 1; i <= 2000; i++)
        submit_many(w, i, 1);
    set_feed(w, (struct stint_feed){.max_events = 10});
    assert_false(w->arrays->feed.made);
    for (unsigned i = 0; i < 5 && core_idle_ms(w->core) == 0; i++) {
        uint64_t before = rows_in(w, STORE_EVENTS);
        assert_int_equal(problems(w), 0);
        assert_int_equal(world_step(w, 0), STINT_OK);
        assert_in_range(before - rows_in(w, STORE_EVENTS), 0, 600);
    }
    assert_int_equal(rows_in(w, STORE_EVENTS), 10);
    assert_int_equal(read_from(w, 1).first, 1991);
}

/* ---- a store that is full ---- */

static void
step_without_room(struct world *w, uint64_t room)
{
    store_model_set_room(w->store, room);
    assert_int_equal(world_step(w, 0), STINT_OK);
}

static void
on_a_full_store_new_events_take_the_place_of_old_ones(void **state)
{
    struct world *w = *state;
    world_with_client(w);
    set_feed(w, (struct stint_feed){.events = 0});
    submit_many(w, 1, 2000);
    uint64_t bytes = feed_now(w).bytes;
    struct stint_id id = {{0}};
    id.bytes[5] = 1;
    id.bytes[6] = 155;
    for (unsigned i = 1; i <= 500; i++) {
        put_be(id.bytes + 8, i, 8);
        message_put_ids(world_frame(w, 1), MESSAGE_CANCEL, i, &id, 1, 0);
        step_without_room(w, 0);
        assert_non_null(world_read(w, 1, MESSAGE_ANSWERS)); /* the queue goes on */
        assert_int_equal(w->arrays->statuses[0], STINT_OK);
    }
    struct stint_feed f = feed_now(w);
    assert_in_range(f.bytes, 1, bytes);
    assert_int_equal(f.next, 2501);
    assert_true(f.first > 1);
    assert_int_equal(read_from(w, f.first).first, f.first);
    assert_int_equal(problems(w), 0);
}

static void
where_there_is_no_room_at_all_events_are_told_as_missing(void **state)
{
    struct world *w = *state;
    struct stint_stats stats;
    world_with_client(w);
    struct stint_id id = world_submit_one(w, 1, "a");
    set_feed(w, (struct stint_feed){.events = 0});
    put_read(w, 1, READ, 1, true);
    message_put_ids(world_frame(w, 1), MESSAGE_CANCEL, 9, &id, 1, 0);
    step_without_room(w, 0);
    assert_non_null(world_read(w, 1, MESSAGE_FEED_EVENTS));
    assert_int_equal(w->message.count, 0);
    assert_int_equal(w->message.feed_events.first, 2); /* so that 1 is missing */
    assert_true(world_told(w, "there is no room"));
    core_stats(w->core, &stats);
    assert_int_equal(stats.events_lost, 1);
    store_model_set_room(w->store, UINT64_MAX / 4);
    (void)world_submit_one(w, 2, "b");
    assert_int_equal(read_from(w, 1).first, 2);
    assert_int_equal(w->message.count, 1);
    assert_int_equal(problems(w), 0);
}

static void
a_feed_gives_back_what_new_jobs_need(void **state)
{
    enum { MIB = 1 << 20 };
    struct world *w = *state;
    world_with_client(w);
    set_feed(w, (struct stint_feed){.events = 0});
    for (unsigned i = 1; i <= 20; i++)
        submit_many(w, i, LIMIT_JOBS);
    assert_in_range(feed_now(w).bytes, 3 * MIB / 2, 4 * MIB);
    for (unsigned i = 0; i < 3; i++)
        step_without_room(w, 2 * MIB);
    assert_in_range(feed_now(w).bytes, MIB / 2, MIB);
    assert_int_equal(problems(w), 0);
}

/* ---- who is answered when ---- */

static void
who_waits_is_answered_by_the_step_that_has_something_to_tell(void **state)
{
    struct world *w = *state;
    world_with_client(w);
    set_feed(w, (struct stint_feed){.events = 0});
    world_hello_client(w, OTHER, 9);
    put_read(w, OTHER, 77, 1, true);
    assert_int_equal(world_step(w, 0), STINT_OK);
    assert_null(world_read(w, OTHER, MESSAGE_FEED_EVENTS));
    assert_int_equal(world_step(w, 10), STINT_OK);
    assert_null(world_read(w, OTHER, MESSAGE_FEED_EVENTS));
    submit_many(w, 1, 2);
    assert_non_null(world_read(w, OTHER, MESSAGE_FEED_EVENTS));
    assert_int_equal(w->message.number, 77);
    assert_int_equal(w->message.count, 2);
    submit_many(w, 2, 1); /* and once */
    assert_null(world_read(w, OTHER, MESSAGE_FEED_EVENTS));
}

static void
who_stops_waiting_or_is_gone_is_not_answered(void **state)
{
    struct world *w = *state;
    world_with_client(w);
    set_feed(w, (struct stint_feed){.events = 0});
    world_hello_client(w, OTHER, 9);
    put_read(w, OTHER, 77, 1, true);
    put_read(w, 1, 78, 1, true);
    assert_int_equal(world_step(w, 0), STINT_OK);
    message_put_numbered(world_frame(w, 1), MESSAGE_UNSUBSCRIBE, 78);
    world_gone(w, OTHER);
    submit_many(w, 1, 2);
    assert_null(world_read(w, 1, MESSAGE_FEED_EVENTS));
    assert_null(world_read(w, OTHER, MESSAGE_FEED_EVENTS));
}

static void
what_comes_next_is_told_to_who_wants_nothing_older(void **state)
{
    struct world *w = *state;
    world_with_client(w);
    set_feed(w, (struct stint_feed){.events = 0});
    submit_many(w, 1, 5);
    put_read(w, 1, READ, FEED_FROM_NEXT, true);
    assert_int_equal(world_step(w, 0), STINT_OK);
    assert_null(world_read(w, 1, MESSAGE_FEED_EVENTS));
    submit_many(w, 2, 1);
    assert_non_null(world_read(w, 1, MESSAGE_FEED_EVENTS));
    assert_int_equal(w->message.feed_events.first, 6);
    assert_int_equal(w->message.count, 1);
}

static void
a_position_of_another_life_begins_anew(void **state)
{
    struct world *w = *state;
    struct slice all = {(const uint8_t *)"all", 3};
    world_with_client(w);
    set_feed(w, (struct stint_feed){.events = 0});
    uint64_t life = w->arrays->feed.life;
    submit_many(w, 1, 5);
    assert_int_equal(read_from(w, 90).first, 1); /* which it can't have been told here */
    struct stint_feed gone = {.name = "all"};
    put_read(w, 1, 60, 6, true);
    message_put_set_feed(world_frame(w, 1), 61, FEED_REMOVE, &gone);
    assert_int_equal(world_step(w, 0), STINT_OK);
    assert_non_null(world_read(w, 1, MESSAGE_ERROR)); /* who waits for it is told */
    assert_int_equal(w->message.error.status, STINT_NO_SUCH_FEED);
    assert_int_equal(w->message.number, 60);
    set_feed(w, (struct stint_feed){.events = 0});
    assert_int_not_equal(w->arrays->feed.life, life);
    submit_many(w, 2, 9);
    message_put_read_feed(world_frame(w, 1), 62, all, 6, life, false);
    assert_int_equal(world_step(w, 0), STINT_OK);
    assert_non_null(world_read(w, 1, MESSAGE_FEED_EVENTS));
    assert_int_equal(w->message.feed_events.first, 1);
    assert_int_equal(w->message.count, 9);
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(world_step(w, 0), STINT_OK);
    assert_int_equal(rows_in(w, STORE_FEEDS), 1); /* the removed one is gone, row by row */
    assert_int_equal(problems(w), 0);
}

static void
damaged_events_are_told_as_missing_and_the_others_told(void **state)
{
    struct world *w = *state;
    uint8_t key[EVENTS_KEY_BYTES], bad[100] = {1, 2, 3};
    world_with_client(w);
    set_feed(w, (struct stint_feed){.events = 0});
    for (unsigned i = 1; i <= 3; i++)
        submit_many(w, i, 2);
    w->store->ops->begin(w->store);
    store_put(w->store, STORE_EVENTS, events_key(key, 1, 3), (struct slice){bad, sizeof bad},
        (struct slice){0});
    assert_int_equal(w->store->ops->commit(w->store), STINT_OK);
    assert_true(problems(w) > 0);
    assert_int_equal(read_from(w, 1).first, 1);
    assert_int_equal(w->message.count, 2);
    assert_int_equal(read_from(w, 3).first, 5);
    assert_int_equal(w->message.count, 2);
    assert_int_equal(read_from(w, 4).first, 5);
}

static void
there_are_so_many_feeds_and_no_more(void **state)
{
    struct world *w = *state;
    world_with_client(w);
    for (unsigned i = 0; i < LIMIT_FEEDS; i++) {
        struct stint_feed feed = {.events = 0};
        (void)snprintf(feed.name, sizeof feed.name, "feed%u", i);
        set_feed(w, feed);
    }
    struct stint_feed more = {.name = "more"};
    message_put_set_feed(world_frame(w, 1), 5, FEED_SET, &more);
    assert_int_equal(world_step(w, 0), STINT_OK);
    assert_non_null(world_read(w, 1, MESSAGE_ERROR));
    assert_int_equal(w->message.error.status, STINT_TOO_MANY);
}

static void
what_makes_no_sense_is_refused(void **state)
{
    static const struct {
        struct stint_feed feed;
        int action;
        enum stint_status status;
    } cases[] = {{{.name = ""}, FEED_SET, STINT_BAD_NAME}, {{.name = "a"}, 0, STINT_INVALID},
        {{.name = "a"}, 3, STINT_INVALID}, {{.name = "no such"}, FEED_SET, STINT_BAD_NAME},
        {{.name = "none"}, FEED_REMOVE, STINT_NO_SUCH_FEED},
        {{.name = "a", .queues = "*x"}, FEED_SET, STINT_BAD_NAME},
        {{.name = "a", .queues = "x**"}, FEED_SET, STINT_BAD_NAME},
        {{.name = "a", .queues = ".x"}, FEED_SET, STINT_BAD_NAME}};
    struct world *w = *state;
    world_with_client(w);
    for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
        message_put_set_feed(
            world_frame(w, 1), 5, (enum feed_action)cases[i].action, &cases[i].feed);
        assert_int_equal(world_step(w, 0), STINT_OK);
        assert_non_null(world_read(w, 1, MESSAGE_ERROR));
        assert_int_equal(w->message.error.status, cases[i].status);
    }
    put_read(w, 1, READ, 1, false);
    assert_int_equal(world_step(w, 0), STINT_OK);
    assert_non_null(world_read(w, 1, MESSAGE_ERROR));
    assert_int_equal(w->message.error.status, STINT_NO_SUCH_FEED);
}

static int
setup(void **state)
{
    struct core_options options;
    core_options_init(&options);
    options.software = "test";
    *state = world_new(&options);
    return 0;
}

static int
teardown(void **state)
{
    struct world *w = *state;
    world_destroy(&w);
    return 0;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_job_is_told_from_its_begin_to_its_end_each_event_once),
        TEST(where_there_is_no_feed_nothing_is_recorded),
        TEST(numbers_go_on_after_a_restart_and_what_was_told_stays),
        TEST(a_step_of_many_jobs_writes_few_rows_and_is_read_in_pages),
        TEST(a_feed_hears_of_its_queues_and_events_alone),
        TEST(beyond_its_number_the_oldest_go_and_a_reader_is_told_from_where_it_goes_on),
        TEST(beyond_its_bytes_the_oldest_go),
        TEST(what_is_too_old_goes),
        TEST(a_limit_that_is_lowered_is_reached_in_steps),
        TEST(on_a_full_store_new_events_take_the_place_of_old_ones),
        TEST(where_there_is_no_room_at_all_events_are_told_as_missing),
        TEST(a_feed_gives_back_what_new_jobs_need),
        TEST(who_waits_is_answered_by_the_step_that_has_something_to_tell),
        TEST(who_stops_waiting_or_is_gone_is_not_answered),
        TEST(what_comes_next_is_told_to_who_wants_nothing_older),
        TEST(a_position_of_another_life_begins_anew),
        TEST(damaged_events_are_told_as_missing_and_the_others_told),
        TEST(there_are_so_many_feeds_and_no_more),
        TEST(what_makes_no_sense_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
