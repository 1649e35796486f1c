/* What is not about one queue, to a key for some of them: lists of all jobs go over the queues that
 * it may see as if there were no others, and events and what is lost of them are theirs alone. That
 * nothing of others shows is test_secrets.c; here is that what may be seen is told, and all of it.
 */
#include "keyed.h"

#include <stdio.h>

enum { CURSOR_BYTES = 1 + STINT_ID_BYTES };

static struct slice
cursor_of(const uint8_t bytes[CURSOR_BYTES])
{
    return (struct slice){bytes, CURSOR_BYTES};
}

/* Asks for a page of a list of all queues; what is told of it. The cursor stays where it is until
 * the next page. */
static const struct message *
page(struct world *w, struct message list)
{
    static uint8_t cursor[CURSOR_BYTES];
    message_put_list(world_frame(w, KEYED), 7, &list);
    message_put_ping(world_frame(w, KEYED), 8, WINDOW_UNCHANGED, 0);
    assert_int_equal(world_step(w, 0), STINT_OK);
    assert_non_null(world_read(w, KEYED, MESSAGE_JOBS));
    if (w->message.page.cursor.size) {
        assert_int_equal(w->message.page.cursor.size, CURSOR_BYTES);
        memcpy(cursor, w->message.page.cursor.data, CURSOR_BYTES);
        w->message.page.cursor.data = cursor;
    }
    return &w->message;
}

static void
submit_many(struct world *w, uint64_t number, const char *queue, const char *kind, uint32_t count)
{
    struct job_spec job = world_job("");
    job.queue = text(queue);
    job.kind = text(kind);
    world_submit_many(w, LOCAL, number, &job, count);
}

static void
come_with(struct world *w, const struct grant *g)
{
    w->grants[KEYED] = g;
    put_hello(w, KEYED, ROLE_CLIENT, "");
    assert_int_equal(world_step(w, 0), STINT_OK);
    assert_non_null(world_read(w, KEYED, MESSAGE_WELCOME));
}

static void
however_much_stands_in_another_queue_no_page_is_shorter_for_it(void **state)
{
    struct world *w = world_new(NULL);
    struct grant g = grant_of("key", RIGHT_SEE, "mail.*");
    struct message list = {.list.kind = text("rare")};
    uint64_t number = 1;
    (void)state;
    world_with_client(w);
    submit_many(w, number++, "mail.in", "common", 3);
    for (unsigned i = 0; i < 6; i++) /* more than a filter passes over in a page */
        submit_many(w, number++, "pay.roll", "rare", LIMIT_JOBS);
    submit_many(w, number++, "mail.out", "rare", 2);
    submit_many(w, number++, "pay.last", "rare", LIMIT_JOBS);
    come_with(w, &g);
    const struct message *m = page(w, list);
    assert_int_equal(m->count, 2);
    assert_int_equal(m->page.cursor.size, 0);
    assert_true(message_next_job(w->arrays));
    assert_string_equal(w->arrays->info.queue, "mail.out");
    world_destroy(&w);
}

static void
each_page_goes_on_where_the_one_before_ended_over_all_tables(void **state)
{
    struct world *w = a_world_with_two_queues();
    struct grant g = grant_of("key", RIGHTS_ALL, "mail.*");
    struct message list = {.list.limit = 1};
    struct stint_id ids[2];
    unsigned seen[8] = {0};
    (void)state;
    submit_many(w, 3, "mail.out", "default", 3); /* the third queue */
    submit_many(w, 4, "mail.in", "default", 1);
    ids[0] = id_make(w->options.broker, 3, DEFAULT_PRIORITY, 2);
    ids[1] = id_make(w->options.broker, 1, DEFAULT_PRIORITY, 1);
    come_with(w, &g);
    message_put_ids(world_frame(w, KEYED), MESSAGE_CANCEL, 6, ids, 2, 0);
    assert_int_equal(world_step(w, 0), STINT_OK);
    unsigned pages = 0, jobs = 0;
    do {
        const struct message *m = page(w, list);
        assert_in_range(m->count, 0, 1);
        list.list.cursor = m->page.cursor;
        if (m->count > 0) {
            assert_true(message_next_job(w->arrays));
            seen[jobs++] =
                id_queue(&w->arrays->info.id) * 10 + (unsigned)id_sequence(&w->arrays->info.id);
        }
    } while (list.list.cursor.size && ++pages < 20);
    static const unsigned expected[] = {12, 31, 33, 11, 32}; /* the cancelled ones last */
    assert_int_equal(jobs, 5);
    assert_memory_equal(seen, expected, sizeof expected);
    world_destroy(&w);
}

static void
a_list_of_all_queues_goes_on_only_from_a_queue_that_may_be_seen(void **state)
{
    struct world *w = a_world_with_two_queues();
    struct grant g = grant_of("key", RIGHT_SEE, "pay.roll");
    uint16_t broker = w->options.broker;
    const struct {
        struct stint_id at;
        bool taken;
    } cases[] = {{id_make(broker, 2, DEFAULT_PRIORITY, 1), true},
        {id_make(broker, 2, 0, 900), true}, /* its end: nothing follows */
        {id_make(broker, 1, DEFAULT_PRIORITY, 1), false},
        {id_make(broker, 1, DEFAULT_PRIORITY, 900), false}, {id_make(broker, 0, 255, 0), false},
        {id_make(broker, 3, DEFAULT_PRIORITY, 1), false},
        {id_make(broker, UINT32_MAX, DEFAULT_PRIORITY, 1), false},
        {id_make((uint16_t)(broker + 1), 2, DEFAULT_PRIORITY, 1), false}};
    (void)state;
    come_with(w, &g);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        uint8_t cursor[CURSOR_BYTES] = {1};
        memcpy(cursor + 1, cases[i].at.bytes, STINT_ID_BYTES);
        struct message list = {.list.cursor = cursor_of(cursor)};
        message_put_list(world_frame(w, KEYED), 7, &list);
        assert_int_equal(world_step(w, 0), STINT_OK);
        if (cases[i].taken)
            assert_int_equal(world_read(w, KEYED, MESSAGE_JOBS) ? w->message.count : 9, i == 0);
        else
            expect_error(w, STINT_INVALID);
    }
    world_destroy(&w);
}

static void
a_page_passes_over_a_bounded_number_of_queues_and_every_list_ends(void **state)
{
    enum { MESSAGES = 6 };
    static char names[LIMIT_JOBS][16];
    static struct job_spec jobs[LIMIT_JOBS];
    struct core_options options;
    struct grant g = grant_of("key", RIGHT_SEE, "q*");
    struct message list = {.list.states = STINT_STATE_BIT(STINT_SCHEDULED)};
    unsigned pages = 0;
    (void)state;
    core_options_init(&options);
    options.max.queues = options.max.levels = MESSAGES * LIMIT_JOBS;
    struct world *w = world_new(&options);
    world_with_client(w);
    for (uint32_t n = 0; n < MESSAGES; n++) {
        for (uint32_t i = 0; i < LIMIT_JOBS; i++) {
            (void)snprintf(names[i], sizeof names[i], "q%u", n * LIMIT_JOBS + i);
            jobs[i] = world_job("");
            jobs[i].queue = text(names[i]);
        }
        world_submit(w, LOCAL, n + 1, jobs, LIMIT_JOBS);
        assert_int_equal(world_step(w, 0), STINT_OK);
    }
    come_with(w, &g);
    do {
        const struct message *m = page(w, list);
        assert_int_equal(m->count, 0);
        list.list.cursor = m->page.cursor;
        pages++;
    } while (list.list.cursor.size && pages < 100);
    assert_int_equal(pages, 2);
    world_destroy(&w);
}

/* The names that LIST_QUEUES tells, each with a space behind it. */
static const char *
queues_told(struct world *w)
{
    static char told[256];
    size_t used = 0;
    message_put_page(world_frame(w, KEYED), MESSAGE_LIST_QUEUES, 3, (struct slice){0});
    message_put_ping(world_frame(w, LOCAL), 8, WINDOW_UNCHANGED, 0);
    assert_int_equal(world_step(w, 0), STINT_OK);
    assert_non_null(world_read(w, KEYED, MESSAGE_QUEUES));
    told[0] = '\0';
    for (uint32_t n = w->message.count; n > 0; n--) {
        assert_true(message_next_queue(w->arrays));
        used +=
            (size_t)snprintf(told + used, sizeof told - used, "%s ", w->arrays->queue_info.name);
    }
    return told;
}

static void
queues_that_come_and_go_are_seen_and_seen_no_more(void **state)
{
    struct world *w = a_world_with_two_queues();
    struct grant g = grant_of("key", RIGHTS_ALL, "mail.*");
    struct stint_id id = id_make(w->options.broker, 3, DEFAULT_PRIORITY, 1);
    struct job_spec job = world_job("");
    (void)state;
    come_with(w, &g);
    assert_string_equal(queues_told(w), "mail.in ");
    job.queue = text("mail.brief");
    job.keep_ms = 0;
    world_submit(w, LOCAL, 3, &job, 1);
    put_submit(w, LOCAL, 4, "pay.more");
    put_submit(w, LOCAL, 5, "mail.more");
    assert_string_equal(queues_told(w), "mail.in mail.brief mail.more ");
    world_settle(w, RUNS, 4, id, 1, OUTCOME_SUCCEEDED, "");
    message_put_ids(world_frame(w, LOCAL), MESSAGE_CANCEL, 3, &id, 1, 0);
    for (unsigned s = 0; s < 90000000 / 30000; s++) { /* a day later its outcome goes, and it */
        message_put_ping(world_frame(w, LOCAL), 1, WINDOW_UNCHANGED, 0);
        message_put_ping(world_frame(w, KEYED), 1, WINDOW_UNCHANGED, 0);
        assert_int_equal(world_step(w, 30000), STINT_OK);
    }
    assert_string_equal(queues_told(w), "mail.in mail.more ");
    assert_int_equal(page(w, (struct message){0})->count, 2);
    world_destroy(&w);
}

static void
events_that_are_lost_are_counted_as_far_as_they_may_be_heard_of(void **state)
{
    enum { OWN = 300, OTHERS = 2000 };
    struct core_options options;
    struct grant g = grant_of("key", RIGHT_SEE, "mail.*");
    uint64_t heard = 0, lost = 0;
    (void)state;
    core_options_init(&options);
    options.message_bytes = 65536;
    struct world *w = world_new(&options);
    world_with_client(w);
    come_with(w, &g);
    message_put_subscribe(world_frame(w, KEYED), 5, (struct slice){0}, 0, NULL, 0);
    assert_int_equal(world_step(w, 0), STINT_OK);
    struct job_spec jobs[OWN + OTHERS];
    for (unsigned i = 0; i < OWN + OTHERS; i++) { /* now and then one of them */
        jobs[i] = world_job("");
        jobs[i].queue =
            text(i % ((OWN + OTHERS) / OWN) == 0 && i / 7 < OWN ? "mail.in" : "pay.roll");
    }
    uint64_t own = 0;
    for (unsigned i = 0; i < OWN + OTHERS; i++)
        own += jobs[i].queue.data[0] == 'm';
    world_submit(w, LOCAL, 1, jobs, OWN + OTHERS);
    assert_int_equal(world_step(w, 0), STINT_OK);
    for (size_t i = 0; world_next(w, KEYED, &i);)
        for (uint32_t e = 0; w->message.type == MESSAGE_EVENTS && e < w->message.count; e++) {
            bool is_lost = w->arrays->events[e].type == STINT_EVENT_LOST;
            heard += !is_lost;
            lost += is_lost ? w->arrays->events[e].count : 0;
        }
    assert_true(heard > 0 && lost > 0);
    assert_int_equal(heard + lost, own);
    world_destroy(&w);
}

static void
move(struct world *w, struct stint_id id, const char *queue)
{
    struct change to = {.set = CHANGE_QUEUE};
    to.to.queue = text(queue);
    message_put_change(world_frame(w, LOCAL), 6, &id, 1, &to);
    assert_int_equal(world_step(w, 0), STINT_OK);
}

static void
a_job_that_was_moved_is_listed_and_heard_of_where_it_stands(void **state)
{
    struct world *w = a_world_with_two_queues();
    struct grant g = grant_of("key", RIGHTS_ALL, "mail.*");
    struct stint_id other = id_make(w->options.broker, 2, DEFAULT_PRIORITY, 1);
    struct message list = {.list.limit = 1};
    (void)state;
    come_with(w, &g);
    message_put_subscribe(world_frame(w, KEYED), 5, (struct slice){0}, 0, NULL, 0);
    move(w, other, "mail.in"); /* its id is of a queue that may not be seen */
    const struct message *m = page(w, list);
    assert_int_equal(m->count, 1);
    list.list.cursor = m->page.cursor;
    m = page(w, list);
    assert_int_equal(m->count, 1);
    assert_int_equal(m->page.cursor.size, 0);
    assert_true(message_next_job(w->arrays));
    assert_memory_equal(&w->arrays->info.id, &other, sizeof other);
    assert_string_equal(w->arrays->info.queue, "mail.in");
    message_put_ids(world_frame(w, LOCAL), MESSAGE_CANCEL, 3, &other, 1, 0);
    assert_int_equal(world_step(w, 0), STINT_OK);
    assert_non_null(world_read(w, KEYED, MESSAGE_EVENTS));
    message_put_ids(world_frame(w, LOCAL), MESSAGE_RETRY, 3, &other, 1, 0);
    move(w, other, "pay.roll");
    assert_int_equal(page(w, (struct message){0})->count, 1);
    message_put_ids(world_frame(w, LOCAL), MESSAGE_CANCEL, 3, &other, 1, 0);
    assert_int_equal(world_step(w, 0), STINT_OK);
    assert_null(world_read(w, KEYED, MESSAGE_EVENTS));
    world_destroy(&w);
}

static void
of_a_shared_worker_neither_window_nor_moments_of_silence_are_told(void **state)
{
    struct world *w = a_world_with_two_queues();
    struct grant g = grant_of("key", RIGHT_SEE, "mail.in");
    const struct stint_worker_info *info = &w->arrays->worker_info;
    static const struct {
        uint64_t passes_ms, silent_ms;
    } cases[] = {{300, 0}, {900, 0}, {800, 0}, {1000, 3000}};
    (void)state;
    message_put_ping(world_frame(w, RUNS), 2, 9, 0);
    assert_int_equal(world_step(w, 0), STINT_OK);
    come_with(w, &g);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        message_put_page(world_frame(w, KEYED), MESSAGE_LIST_WORKERS, 3, (struct slice){0});
        assert_int_equal(world_step(w, cases[i].passes_ms), STINT_OK);
        assert_non_null(world_read(w, KEYED, MESSAGE_WORKERS));
        assert_true(message_next_worker(w->arrays));
        assert_int_equal(info->window, 0);
        assert_int_equal(info->seen_ms_ago, cases[i].silent_ms);
    }
    world_destroy(&w);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(however_much_stands_in_another_queue_no_page_is_shorter_for_it),
        cmocka_unit_test(each_page_goes_on_where_the_one_before_ended_over_all_tables),
        cmocka_unit_test(a_list_of_all_queues_goes_on_only_from_a_queue_that_may_be_seen),
        cmocka_unit_test(a_page_passes_over_a_bounded_number_of_queues_and_every_list_ends),
        cmocka_unit_test(queues_that_come_and_go_are_seen_and_seen_no_more),
        cmocka_unit_test(events_that_are_lost_are_counted_as_far_as_they_may_be_heard_of),
        cmocka_unit_test(a_job_that_was_moved_is_listed_and_heard_of_where_it_stands),
        cmocka_unit_test(of_a_shared_worker_neither_window_nor_moments_of_silence_are_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
