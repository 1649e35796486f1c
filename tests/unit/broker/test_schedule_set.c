/* Schedules as people set, pause, change, run, list and remove them, and what holds them up. Who
 * may do what is in test_rights.c, what ticks make in test_schedule.c.
 */
#include "scheduled.h"

#include <stdio.h>

/* ---- what people do ---- */

static void
one_that_is_paused_makes_nothing_and_goes_on_from_its_resume(void **state)
{
    struct world *w = world_at(at_utc(2027, 5, 3, 12, 0));
    (void)state;
    assert_true(set(w,
        (struct schedule_request){
            .cron = slice_of("0 * * * *"), .missed = STINT_MISSED_ALL, .most = 100}));
    assert_true(act(w, STINT_PAUSE_SCHEDULE, 0));
    assert_true(w->arrays->items.schedule.info.paused);
    assert_int_equal(w->arrays->items.schedule.info.next_count, 0);
    assert_int_equal(pass(w, 5 * HOUR + MINUTE, 10 * MINUTE), 0);
    down(w, MINUTE);
    assert_true(now(w, 1).paused);
    set_cron(w, "0 * * * *", ""); /* which leaves it paused */
    assert_int_equal(pass(w, HOUR, 10 * MINUTE), 0);
    assert_true(act(w, STINT_RESUME_SCHEDULE, 0));
    assert_int_equal(pass(w, 2 * HOUR, 10 * MINUTE), 2);
    end(w);
}

static void
one_that_is_set_again_is_another_one_from_now_on(void **state)
{
    struct world *w = world_at(at_utc(2027, 5, 3, 12, 0));
    (void)state;
    set_cron(w, "0 * * * *", "");
    assert_int_equal(pass(w, HOUR + 30 * MINUTE, 10 * MINUTE), 1);
    set_cron(w, "15 * * * *", ""); /* 13:15 is over */
    assert_false(w->arrays->items.schedule.info.made);
    assert_int_equal(w->arrays->items.schedule.info.next[0], at_utc(2027, 5, 3, 14, 15));
    assert_int_equal(pass(w, HOUR, 10 * MINUTE), 1);
    assert_int_equal(now(w, 1).jobs, 2);
    assert_true(set(w, (struct schedule_request){.every_ms = 20 * MINUTE}));
    assert_int_equal(pass(w, HOUR, 10 * MINUTE), 3);
    end(w);
}

static void
one_that_is_removed_is_gone(void **state)
{
    struct world *w = world_at(at_utc(2027, 5, 3, 12, 0));
    (void)state;
    set_cron(w, "0 * * * *", "");
    assert_true(act(w, STINT_REMOVE_SCHEDULE, 0));
    assert_false(act(w, STINT_REMOVE_SCHEDULE, 0));
    assert_int_equal(refused(w), STINT_NO_SUCH_SCHEDULE);
    assert_false(act(w, STINT_RUN_SCHEDULE, 1));
    assert_int_equal(pass(w, 2 * HOUR, 10 * MINUTE), 0);
    down(w, HOUR);
    assert_int_equal(jobs(w), 0);
    end(w);
}

static void
one_that_is_run_makes_a_job_once_and_its_ticks_go_on(void **state)
{
    struct world *w = world_at(at_utc(2027, 5, 3, 12, 0));
    (void)state;
    set_cron(w, "0 * * * *", "");
    assert_true(act(w, STINT_RUN_SCHEDULE, 77));
    struct stint_id id = w->arrays->items.schedule.info.run_id;
    assert_int_equal(world_state(w, id, NULL), STINT_READY);
    down(w, 10); /* the answer was lost, and it is asked again */
    assert_true(act(w, STINT_RUN_SCHEDULE, 77));
    assert_memory_equal(&w->arrays->items.schedule.info.run_id, &id, sizeof id);
    assert_int_equal(jobs(w), 1);
    assert_true(act(w, STINT_RUN_SCHEDULE, 78));
    assert_int_equal(jobs(w), 2);
    assert_false(act(w, STINT_RUN_SCHEDULE, 0));
    assert_int_equal(refused(w), STINT_INVALID);
    assert_true(act(w, STINT_PAUSE_SCHEDULE, 0));
    assert_true(act(w, STINT_RUN_SCHEDULE, 79));
    assert_true(act(w, STINT_RESUME_SCHEDULE, 0));
    assert_int_equal(pass(w, HOUR, 10 * MINUTE), 1);
    assert_int_equal(now(w, 1).jobs, 4);
    end(w);
}

static void
what_can_be_no_schedule_is_refused(void **state)
{
    struct world *w = world_at(at_utc(2027, 5, 3, 12, 0));
    static const struct {
        const char *cron, *zone;
        uint64_t every_ms;
    } bad[] = {{"", "", 0}, {"* * * * *", "", 5000}, {"* * * *", "", 0}, {"60 * * * *", "", 0},
        {"0 0 30 2 *", "", 0}, {"* * * * *", "Made/South", 0}, {"* * * * *", "../x", 0},
        {"@reboot", "", 0}, {"", "", 999}, {"", "", LIMIT_TIME_MS + 1}, {"* * * *\n*", "", 0}};
    struct job_spec job = world_job("x");
    (void)state;
    for (unsigned i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_false(set(w,
            (struct schedule_request){.cron = slice_of(bad[i].cron),
                .zone = slice_of(bad[i].zone),
                .every_ms = bad[i].every_ms}));
        assert_int_equal(refused(w), STINT_INVALID);
    }
    job.due_ms = 5;
    assert_false(set_job(w, (struct schedule_request){.every_ms = HOUR}, &job));
    assert_int_equal(refused(w), STINT_INVALID);
    job = world_job("x");
    static uint8_t large[LIMIT_SCHEDULE_JOB_BYTES];
    job.payload = (struct slice){large, sizeof large};
    assert_false(set_job(w, (struct schedule_request){.every_ms = HOUR}, &job));
    assert_int_equal(refused(w), STINT_TOO_LARGE);
    job.payload.size = sizeof large - 100;
    assert_true(set_job(w, (struct schedule_request){.every_ms = HOUR}, &job));
    assert_int_equal(pass(w, HOUR, HOUR), 1);
    assert_false(set(w, (struct schedule_request){.name = slice_of("no name"), .every_ms = HOUR}));
    assert_int_equal(refused(w), STINT_BAD_NAME);
    end(w);
}

static void
a_queue_that_is_closed_or_full_gets_its_job_when_it_is_not(void **state)
{
    struct core_options o;
    core_options_init(&o);
    o.max.queue_backlog = 1;
    struct world *w = world_new(&o);
    (void)state;
    w->wall_ms = at_utc(2027, 5, 3, 12, 0);
    world_with_client(w);
    set_cron(w, "0 * * * *", "");
    struct stint_id id = world_submit_one(w, 1, "first");
    assert_int_equal(pass(w, 3 * HOUR, 10 * MINUTE), 0);
    assert_int_equal(now(w, 1).trouble, STINT_QUEUE_FULL);
    assert_true(world_told(w, "can't make its job"));
    down(w, MINUTE);
    greet(w);
    message_put_ids(world_frame(w, 1), MESSAGE_CANCEL, ++number, &id, 1, 0);
    assert_int_equal(pass(w, 2000, 100), 1);
    assert_int_equal(now(w, 1).trouble, STINT_OK);
    id = now(w, 1).last_id;
    greet(w);
    message_put_set_queue(
        world_frame(w, 1), ++number, slice_of("default"), STINT_CLOSE_QUEUE, NULL);
    greet(w);
    message_put_ids(world_frame(w, 1), MESSAGE_CANCEL, ++number, &id, 1, 0);
    assert_int_equal(pass(w, HOUR, 10 * MINUTE), 0);
    assert_int_equal(now(w, 1).trouble, STINT_QUEUE_CLOSED);
    assert_false(act(w, STINT_RUN_SCHEDULE, 5));
    assert_int_equal(refused(w), STINT_QUEUE_CLOSED);
    greet(w);
    message_put_set_queue(world_frame(w, 1), ++number, slice_of("default"), STINT_OPEN_QUEUE, NULL);
    assert_int_equal(pass(w, 2000, 100), 1);
    end(w);
}

static void
what_finds_no_room_in_the_store_is_made_when_there_is_some(void **state)
{
    struct world *w = world_at(at_utc(2027, 5, 3, 12, 0));
    (void)state;
    assert_true(set(w,
        (struct schedule_request){
            .cron = slice_of("0 * * * *"), .missed = STINT_MISSED_ALL, .most = 10}));
    store_model_set_room(w->store, 100);
    assert_int_equal(pass(w, 3 * HOUR, 10 * MINUTE), 0);
    assert_int_equal(now(w, 1).trouble, STINT_STORE_FULL);
    assert_false(set(w, (struct schedule_request){.name = slice_of("t"), .every_ms = HOUR}));
    assert_int_equal(refused(w), STINT_STORE_FULL);
    assert_true(act(w, STINT_PAUSE_SCHEDULE, 0)); /* which makes room, if anything does */
    assert_true(act(w, STINT_REMOVE_SCHEDULE, 0));
    store_model_set_room(w->store, UINT64_MAX);
    assert_true(set(w,
        (struct schedule_request){
            .cron = slice_of("0 * * * *"), .missed = STINT_MISSED_ALL, .most = 10}));
    store_model_set_room(w->store, 100);
    assert_int_equal(pass(w, 3 * HOUR, 10 * MINUTE), 0);
    store_model_set_room(w->store, UINT64_MAX);
    assert_int_equal(pass(w, 2000, 100), 3);
    end(w);
}

static void
a_unique_key_that_is_held_is_met(void **state)
{
    struct world *w = world_at(at_utc(2027, 5, 3, 12, 0));
    struct job_spec job = world_job("x");
    (void)state;
    job.unique = slice_of("key");
    assert_true(set_job(w, (struct schedule_request){.cron = slice_of("0 * * * *")}, &job));
    assert_int_equal(pass(w, 3 * HOUR, HOUR), 1);
    assert_int_equal(now(w, 1).jobs, 1);
    assert_int_equal(now(w, 1).skipped, 2);
    end(w);
}

/* What a tick meets is somebody's: it is neither cancelled by the next one, nor waited for. */
static void
a_job_that_is_met_is_not_its_own(void **state)
{
    (void)state;
    for (enum stint_overlap rule = 0; rule <= STINT_OVERLAP_REPLACE; rule++) {
        struct world *w = world_at(at_utc(2027, 5, 3, 12, 0));
        const struct stint_id none = {{0}};
        struct job_spec job = world_job("x");
        job.unique = slice_of("key");
        world_submit(w, 1, 1, &job, 1);
        assert_int_equal(world_step(w, 0), STINT_OK);
        struct stint_id own = id_make(w->options.broker, 1, DEFAULT_PRIORITY, 1);
        assert_true(set_job(
            w, (struct schedule_request){.cron = slice_of("0 * * * *"), .overlap = rule}, &job));
        assert_int_equal(pass(w, 3 * HOUR, HOUR), 0);
        assert_int_equal(now(w, 1).skipped, 3);
        struct stint_id last = now(w, 1).last_id;
        assert_int_equal(id_compare(&last, &none), 0);
        assert_int_equal(world_state(w, own, NULL), STINT_READY);
        greet(w);
        assert_true(act(w, STINT_RUN_SCHEDULE, 5));
        last = w->arrays->items.schedule.info.run_id;
        assert_int_equal(id_compare(&last, &own), 0);
        end(w);
    }
}

/* The job that is to be replaced is in nobody's way; one that runs takes no room that it could
 * leave. */
static void
a_full_queue_has_room_for_what_replaces_a_job_of_it(void **state)
{
    struct core_options o;
    core_options_init(&o);
    o.max.queue_backlog = 1;
    struct world *w = world_new(&o);
    (void)state;
    w->wall_ms = at_utc(2027, 5, 3, 12, 0);
    world_with_client(w);
    assert_true(set(w,
        (struct schedule_request){
            .cron = slice_of("0 * * * *"), .overlap = STINT_OVERLAP_REPLACE}));
    assert_int_equal(pass(w, 3 * HOUR, HOUR), 3);
    assert_int_equal(now(w, 1).trouble, STINT_OK);
    struct stint_id last = now(w, 1).last_id;
    world_hello_worker(w, 2, 2, 1);
    world_claim(w, 2, NULL, 0);
    assert_int_equal(world_step(w, 0), STINT_OK);
    assert_int_equal(world_state(w, last, NULL), STINT_RUNNING);
    greet(w);
    struct job_spec job = world_job("fills");
    world_submit(w, 1, 1, &job, 1);
    for (unsigned i = 0; i < 120; i++) {
        message_put_ping(world_frame(w, 2), 1, 0, 0);
        assert_int_equal(world_step(w, MINUTE / 2), STINT_OK);
    }
    greet(w);
    assert_int_equal(now(w, 1).trouble, STINT_QUEUE_FULL);
    assert_int_equal(world_state(w, last, NULL), STINT_RUNNING);
    world_destroy(&w);
}

static void
a_zone_that_is_gone_is_told_and_the_rest_goes_on(void **state)
{
    struct world *w = world_at(at_utc(2027, 5, 3, 12, 0));
    (void)state;
    set_cron(w, "0 * * * *", "Made/North");
    assert_true(
        set(w, (struct schedule_request){.name = slice_of("t"), .cron = slice_of("@hourly")}));
    w->options.zone = NULL;
    down(w, MINUTE);
    assert_true(world_told(w, "time zone of a schedule is not there"));
    assert_int_equal(pass(w, 2 * HOUR, 10 * MINUTE), 2);
    assert_int_equal(now(w, 1).next_count, 0);
    w->options.zone = made_zone;
    down(w, MINUTE);
    assert_int_equal(pass(w, 1000, 1000), 0); /* two were missed, which is one job */
    assert_int_equal(now(w, 1).jobs, 1);
    world_destroy(&w);
}

/* ---- many ---- */

static void
a_thousand_are_listed_in_pages_and_due_at_once(void **state)
{
    enum { MANY = 1200 };
    struct core_options o;
    core_options_init(&o);
    o.message_bytes = 64 << 10; /* pages of 8 KiB */
    struct world *w = world_new(&o);
    struct slice cursor = {NULL, 0};
    char last[STINT_NAME_BYTES] = "", name[STINT_NAME_BYTES];
    uint32_t seen = 0, pages = 0;
    (void)state;
    w->wall_ms = at_utc(2027, 5, 3, 12, 0);
    world_with_client(w);
    for (unsigned i = 0; i < MANY; i++) {
        (void)snprintf(name, sizeof name, "n%u", i * 7919 % MANY);
        assert_true(
            set(w, (struct schedule_request){.name = slice_of(name), .cron = slice_of("@hourly")}));
    }
    do {
        message_put_list_schedules(world_frame(w, 1), ++number, slice_of(""), 1, cursor);
        assert_int_equal(world_step(w, 0), STINT_OK);
        assert_non_null(world_read(w, 1, MESSAGE_SCHEDULES));
        for (uint32_t i = 0; i < w->message.count; i++, seen++) {
            assert_true(message_next_schedule(w->arrays));
            assert_true(strcmp(last, w->arrays->items.schedule.info.name) < 0);
            memcpy(last, w->arrays->items.schedule.info.name, sizeof last);
        }
        cursor = w->message.page.cursor.size ? slice_of(last) : (struct slice){NULL, 0};
        pages++;
    } while (cursor.size > 0);
    assert_int_equal(seen, MANY);
    assert_true(pages > 3);
    (void)pass(w, HOUR - 10, HOUR - 10);
    assert_int_equal(pass(w, 100, 10), MANY);
    assert_int_equal(pass(w, 30 * MINUTE, MINUTE), 0);
    end(w);
}

static void
what_is_known_of_one_is_the_same_after_a_restart(void **state)
{
    struct world *w = world_at(at_utc(2027, 5, 3, 12, 0));
    (void)state;
    assert_true(set(w,
        (struct schedule_request){.cron = slice_of("  7 */2 * jan-dec 1-5 "),
            .zone = slice_of("Made/North"),
            .missed = STINT_MISSED_ALL,
            .most = 12,
            .overlap = STINT_OVERLAP_SKIP}));
    assert_int_equal(pass(w, 5 * HOUR, 10 * MINUTE), 1);
    struct stint_schedule_info before = now(w, 5);
    struct slice job = w->arrays->items.schedule.job;
    assert_true(job.size > 0);
    down(w, 10);
    struct stint_schedule_info after = now(w, 5);
    assert_memory_equal(&after, &before, sizeof after);
    end(w);
}

static void
where_there_is_none_nothing_is_kept_and_nothing_wakes_the_broker(void **state)
{
    struct world *w = world_at(at_utc(2027, 5, 3, 12, 0));
    struct slice key, value, from = {(const uint8_t *)"", 1};
    (void)state;
    (void)world_submit_one(w, 1, "x");
    w->store->ops->begin(w->store);
    assert_false(store_seek(w->store, STORE_SCHEDULES, from, &key, &value));
    w->store->ops->abort(w->store);
    message_put_list_schedules(world_frame(w, 1), ++number, slice_of(""), 1, slice_of(""));
    assert_false(answered(w));
    assert_int_equal(w->message.count, 0);
    end(w);
}

static void
the_broker_wakes_for_a_tick(void **state)
{
    struct world *w = world_at(at_utc(2027, 5, 3, 12, 0));
    (void)state;
    set_cron(w, "0 * * * *", "");
    (void)pass(w, HOUR - 10, HOUR - 10);
    assert_int_equal(core_idle_ms(w->core), 10);
    end(w);
}

/* What a key's holder is answered who wants this. */
static enum stint_status
asked_with_key(
    struct world *w, const struct grant *key, enum stint_schedule_action action, const char *queue)
{
    struct pack_buffer b = {0};
    struct job_spec job = world_job("x");
    uint32_t peer = 2 + (uint32_t)key->name[0] % 8; /* each has a session of its own */
    job.queue = slice_of(queue);
    message_put_job(&b, &job);
    w->grants[peer] = key;
    world_hello_client(w, peer, (uint8_t)peer);
    message_put_set_schedule(world_frame(w, peer), ++number,
        &(struct schedule_request){.action = action,
            .name = slice_of("s"),
            .every_ms = action == STINT_SET_SCHEDULE ? HOUR : 0,
            .job = {b.data, b.used},
            .run = number});
    pack_buffer_free(&b);
    assert_int_equal(world_step(w, 0), STINT_OK);
    return world_read(w, peer, MESSAGE_ERROR) ? w->message.error.status : STINT_OK;
}

static void
who_sets_or_runs_one_may_submit_to_its_queue_now_and_before(void **state)
{
    struct world *w = world_at(at_utc(2027, 5, 3, 12, 0));
    const struct grant all = {.name = "all", .rights = RIGHT_CONTROL | RIGHT_SUBMIT};
    const struct grant control = {.name = "control", .rights = RIGHT_CONTROL};
    const struct grant other = {
        .name = "other", .rights = RIGHTS_ALL, .patterns_count = 1, .patterns = {"other"}};
    (void)state;
    assert_int_equal(asked_with_key(w, &control, STINT_SET_SCHEDULE, "default"), STINT_DENIED);
    assert_int_equal(asked_with_key(w, &other, STINT_SET_SCHEDULE, "default"), STINT_DENIED);
    assert_int_equal(asked_with_key(w, &all, STINT_SET_SCHEDULE, "default"), STINT_OK);
    assert_int_equal(asked_with_key(w, &control, STINT_RUN_SCHEDULE, "default"), STINT_DENIED);
    assert_int_equal(asked_with_key(w, &control, STINT_PAUSE_SCHEDULE, "default"), STINT_OK);
    assert_int_equal(asked_with_key(w, &other, STINT_SET_SCHEDULE, "other"), STINT_DENIED);
    assert_int_equal(asked_with_key(w, &other, STINT_REMOVE_SCHEDULE, "other"), STINT_DENIED);
    assert_int_equal(asked_with_key(w, &all, STINT_RUN_SCHEDULE, "default"), STINT_OK);
    assert_int_equal(asked_with_key(w, &control, STINT_REMOVE_SCHEDULE, "default"), STINT_OK);
    assert_int_equal(asked_with_key(w, &other, STINT_SET_SCHEDULE, "other"), STINT_OK);
    assert_int_equal(jobs(w), 1);
    world_destroy(&w);
}

/* A key that may see none of them has nothing to read, and still can't keep the broker at it. */
static void
a_step_lists_so_many_and_no_more(void **state)
{
    enum { SCHEDULES = 1000, LISTS = 250, MOST = 200000 };
    struct world *w = world_at(at_utc(2027, 5, 3, 12, 0));
    const struct grant other = {
        .name = "other", .rights = RIGHTS_ALL, .patterns_count = 1, .patterns = {"other"}};
    char name[16];
    (void)state;
    for (unsigned i = 0; i < SCHEDULES; i++) {
        (void)snprintf(name, sizeof name, "s%u", i);
        assert_true(set(w, (struct schedule_request){.name = slice_of(name), .every_ms = DAY}));
    }
    w->grants[6] = &other;
    world_hello_client(w, 6, 6);
    assert_int_equal(world_step(w, 0), STINT_OK);
    for (unsigned i = 0; i < LISTS; i++)
        message_put_list_schedules(world_frame(w, 6), i + 1, slice_of(""), 0, (struct slice){0});
    assert_int_equal(world_step(w, 0), STINT_OK);
    assert_int_equal(world_count(w, 6, MESSAGE_SCHEDULES), MOST / SCHEDULES);
    assert_int_equal(world_count(w, 6, MESSAGE_ERROR), LISTS - MOST / SCHEDULES);
    end(w);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_that_is_paused_makes_nothing_and_goes_on_from_its_resume),
        cmocka_unit_test(one_that_is_set_again_is_another_one_from_now_on),
        cmocka_unit_test(one_that_is_removed_is_gone),
        cmocka_unit_test(one_that_is_run_makes_a_job_once_and_its_ticks_go_on),
        cmocka_unit_test(what_can_be_no_schedule_is_refused),
        cmocka_unit_test(a_queue_that_is_closed_or_full_gets_its_job_when_it_is_not),
        cmocka_unit_test(what_finds_no_room_in_the_store_is_made_when_there_is_some),
        cmocka_unit_test(a_unique_key_that_is_held_is_met),
        cmocka_unit_test(a_job_that_is_met_is_not_its_own),
        cmocka_unit_test(a_step_lists_so_many_and_no_more),
        cmocka_unit_test(a_full_queue_has_room_for_what_replaces_a_job_of_it),
        cmocka_unit_test(who_sets_or_runs_one_may_submit_to_its_queue_now_and_before),
        cmocka_unit_test(a_zone_that_is_gone_is_told_and_the_rest_goes_on),
        cmocka_unit_test(a_thousand_are_listed_in_pages_and_due_at_once),
        cmocka_unit_test(what_is_known_of_one_is_the_same_after_a_restart),
        cmocka_unit_test(where_there_is_none_nothing_is_kept_and_nothing_wakes_the_broker),
        cmocka_unit_test(the_broker_wakes_for_a_tick),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
