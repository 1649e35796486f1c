/* Schedules: each tick makes exactly one job, whatever clocks do and however often the broker is
 * started; what becomes of ticks that were missed, and of those whose last job is not over.
 * Expressions themselves are in test_cron.c, what people do in test_schedule_set.c.
 */
#include "scheduled.h"

/* ---- ticks ---- */

static void
a_tick_makes_one_job_that_names_its_schedule(void **state)
{
    struct world *w = world_at(at_utc(2027, 5, 3, 12, 0));
    struct stint_job_info info;
    struct job_spec job = world_job("payload");
    (void)state;
    job.priority = 7;
    job.kind = slice_of("mail");
    assert_true(set_job(w, (struct schedule_request){.cron = slice_of("*/5 * * * *")}, &job));
    assert_true(w->arrays->items.schedule.info.made);
    assert_int_equal(pass(w, 5 * MINUTE - 1, MINUTE * 5 - 1), 0);
    assert_int_equal(pass(w, 1, 1), 1);
    assert_int_equal(pass(w, 4 * MINUTE, MINUTE), 0);
    struct stint_schedule_info s = now(w, 3);
    assert_int_equal(s.jobs, 1);
    assert_int_equal(s.last_ms, at_utc(2027, 5, 3, 12, 5));
    assert_int_equal(s.next_count, 3);
    assert_int_equal(s.next[0], at_utc(2027, 5, 3, 12, 10));
    assert_int_equal(s.next[2], at_utc(2027, 5, 3, 12, 20));
    assert_string_equal(s.zone, "UTC");
    assert_int_equal(world_state(w, s.last_id, &info), STINT_READY);
    assert_string_equal(info.schedule, "s");
    assert_string_equal(info.kind, "mail");
    assert_int_equal(info.priority, 7);
    assert_int_equal(info.payload_bytes, 7);
    end(w);
}

static void
a_period_is_even_and_a_restart_does_not_move_it(void **state)
{
    struct world *w = world_at(at_utc(2027, 5, 3, 12, 0));
    (void)state;
    assert_true(set(w, (struct schedule_request){.every_ms = 7 * MINUTE}));
    assert_int_equal(pass(w, 70 * MINUTE, 10000), 10);
    down(w, 3 * MINUTE);
    assert_int_equal(pass(w, 4 * MINUTE - 1, 4 * MINUTE - 1), 0);
    assert_int_equal(pass(w, 1, 1), 1);
    struct stint_schedule_info s = now(w, 1);
    assert_int_equal(s.next[0], at_utc(2027, 5, 3, 13, 24));
    assert_int_equal(s.last_ms, at_utc(2027, 5, 3, 13, 17));
    end(w);
}

static void
a_restart_at_any_moment_of_a_tick_makes_one_job(void **state)
{
    (void)state;
    for (uint64_t before_ms = 0; before_ms < 4; before_ms++) {
        struct world *w = world_at(at_utc(2027, 5, 3, 12, 0));
        set_cron(w, "30 * * * *", "");
        (void)pass(w, 30 * MINUTE - before_ms, 30 * MINUTE - before_ms);
        for (unsigned n = 0; n < 6; n++)
            down(w, 1);
        assert_int_equal(jobs(w), 1);
        end(w);
    }
}

static void
what_is_made_is_told_with_its_schedule(void **state)
{
    struct world *w = world_at(at_utc(2027, 5, 3, 12, 0));
    struct stint_feed feed = {.name = "all"};
    (void)state;
    set_cron(w, "30 * * * *", "");
    message_put_set_feed(world_frame(w, 1), ++number, FEED_SET, &feed);
    message_put_subscribe(world_frame(w, 1), 500, slice_of(""), 0, NULL, 0);
    assert_int_equal(pass(w, 30 * MINUTE, 30 * MINUTE), 1);
    assert_non_null(world_read(w, 1, MESSAGE_EVENTS));
    assert_int_equal(w->arrays->events[0].type, STINT_EVENT_SUBMITTED);
    assert_string_equal(w->arrays->events[0].schedule, "s");
    (void)world_submit_one(w, 1, "x");
    message_put_read_feed(world_frame(w, 1), ++number, slice_of("all"), 1, 0, false);
    assert_int_equal(world_step(w, 0), STINT_OK);
    assert_non_null(world_read(w, 1, MESSAGE_FEED_EVENTS));
    assert_int_equal(w->message.count, 2);
    assert_string_equal(w->arrays->events[0].schedule, "s");
    assert_string_equal(w->arrays->events[1].schedule, "");
    assert_string_equal(w->arrays->events[0].queue, w->arrays->events[1].queue);
    end(w);
}

/* ---- clocks ---- */

static void
the_wall_clock_a_day_ahead_is_one_job_and_back_none(void **state)
{
    struct world *w = world_at(at_utc(2027, 5, 3, 12, 0));
    (void)state;
    set_cron(w, "0 * * * *", "");
    assert_int_equal(pass(w, 2 * HOUR, 10 * MINUTE), 2);
    w->wall_ms += DAY;
    assert_int_equal(pass(w, 100, 10), 1); /* for all 24 that are missed */
    assert_int_equal(pass(w, 2 * HOUR - 100, 10 * MINUTE), 2);
    w->wall_ms -= DAY;
    assert_int_equal(pass(w, 23 * HOUR, HOUR), 0); /* what the clock shows again is over */
    assert_int_equal(pass(w, 4 * HOUR, HOUR), 3);
    end(w);
}

static void
a_clock_that_goes_to_and_fro_makes_no_tick_twice(void **state)
{
    struct world *w = world_at(at_utc(2027, 5, 3, 12, 0));
    uint64_t made = 0;
    (void)state;
    set_cron(w, "*/10 * * * *", "");
    for (unsigned n = 0; n < 30; n++) {
        made += pass(w, 2 * MINUTE, MINUTE);
        w->wall_ms += n % 2 ? 3 * MINUTE : 0;
        w->wall_ms -= n % 2 ? 0 : 3 * MINUTE;
        if (n % 7 == 0)
            down(w, 1);
    }
    assert_int_equal(made, 5);
    end(w);
}

static void
a_period_does_not_heed_a_clock_that_is_set(void **state)
{
    struct world *w = world_at(at_utc(2027, 5, 3, 12, 0));
    (void)state;
    assert_true(set(w, (struct schedule_request){.every_ms = HOUR}));
    assert_int_equal(pass(w, 2 * HOUR, 10 * MINUTE), 2);
    w->wall_ms += DAY;
    assert_int_equal(pass(w, 2 * HOUR, 10 * MINUTE), 2);
    w->wall_ms -= 3 * DAY;
    assert_int_equal(pass(w, 2 * HOUR, 10 * MINUTE), 2);
    end(w);
}

static void
in_the_night_that_loses_an_hour_a_fixed_time_is_due_after_it(void **state)
{
    struct world *w = world_at(at_utc(2027, 3, 27, 20, 0));
    (void)state;
    set_cron(w, "30 2 * * *", "Made/North");
    assert_true(set(w,
        (struct schedule_request){.name = slice_of("hourly"),
            .cron = slice_of("30 * * * *"),
            .zone = slice_of("Made/North")}));
    assert_int_equal(pass(w, 5 * HOUR - 1, HOUR * 5 - 1), 1); /* hourly, for five that are missed */
    assert_int_equal(pass(w, 1, 1), 1); /* 01:00 UTC: 02:00 is 03:00, and 02:30 is due */
    assert_int_equal(now(w, 1).last_ms, at_utc(2027, 3, 28, 1, 0));
    assert_int_equal(pass(w, 6 * HOUR, 10 * MINUTE), 6); /* hourly */
    struct stint_schedule_info s = now(w, 2);
    assert_int_equal(s.jobs, 1);
    assert_int_equal(s.next[0], at_utc(2027, 3, 29, 0, 30));
    end(w);
}

static void
in_the_night_that_has_an_hour_twice_a_fixed_time_is_due_once(void **state)
{
    struct world *w = world_at(at_utc(2027, 10, 30, 22, 10));
    (void)state;
    set_cron(w, "30 2 * * *", "Made/North");
    assert_true(set(w,
        (struct schedule_request){.name = slice_of("hourly"),
            .cron = slice_of("30 * * * *"),
            .zone = slice_of("Made/North")}));
    assert_int_equal(pass(w, 6 * HOUR, 10 * MINUTE), 1 + 6);
    struct stint_schedule_info s = now(w, 1);
    assert_int_equal(s.jobs, 1);
    assert_int_equal(s.last_ms, at_utc(2027, 10, 31, 0, 30));
    assert_int_equal(s.next[0], at_utc(2027, 11, 1, 1, 30));
    end(w);
}

/* A restart in the second of the two hours. */
static void
a_restart_in_the_hour_that_comes_twice_makes_no_second_job(void **state)
{
    struct world *w = world_at(at_utc(2027, 10, 30, 22, 10));
    uint64_t made;
    (void)state;
    set_cron(w, "30 2 * * *", "Made/North");
    assert_int_equal(pass(w, 3 * HOUR, 10 * MINUTE), 1);
    (void)after_down(w, 10 * MINUTE, &made);
    assert_int_equal(made + pass(w, 5 * HOUR, 10 * MINUTE), 0);
    end(w);
}

/* ---- missed ---- */

static void
ticks_that_were_missed_are_skipped_one_or_all(void **state)
{
    static const struct {
        enum stint_missed missed;
        uint32_t most;
        uint64_t made;
    } cases[] = {{0, 0, 1}, {STINT_MISSED_SKIP, 0, 0}, {STINT_MISSED_ONE, 0, 1},
        {STINT_MISSED_ALL, 3, 3}, {STINT_MISSED_ALL, 5, 5}, {STINT_MISSED_ALL, 100, 5},
        {STINT_MISSED_ALL, 0, 5}};
    (void)state;
    for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct world *w = world_at(at_utc(2027, 5, 3, 12, 0));
        uint64_t made;
        assert_true(set(w,
            (struct schedule_request){
                .cron = slice_of("0 * * * *"), .missed = cases[i].missed, .most = cases[i].most}));
        /* 13:00 to 17:00 are missed */
        struct stint_schedule_info s = after_down(w, 5 * HOUR + 10 * MINUTE, &made);
        assert_int_equal(made, cases[i].made);
        assert_int_equal(s.jobs, cases[i].made);
        assert_int_equal(s.next[0], at_utc(2027, 5, 3, 18, 0));
        assert_int_equal(pass(w, 3 * HOUR, 10 * MINUTE), 3);
        end(w);
    }
}

static void
a_tick_that_is_less_than_a_minute_late_is_not_missed(void **state)
{
    (void)state;
    for (unsigned late = 0; late < 2; late++) {
        struct world *w = world_at(at_utc(2027, 5, 3, 12, 0));
        uint64_t made;
        assert_true(set(w,
            (struct schedule_request){.cron = slice_of("0 * * * *"), .missed = STINT_MISSED_SKIP}));
        struct stint_schedule_info s = after_down(w, 3 * HOUR + MINUTE - 10 + 11 * late, &made);
        assert_int_equal(made, late ? 0 : 1);
        assert_int_equal(s.skipped, late ? 1 : 0);
        end(w);
    }
}

static void
a_year_of_minutes_that_was_missed_is_one_job(void **state)
{
    struct world *w = world_at(at_utc(2027, 5, 3, 12, 0));
    (void)state;
    set_cron(w, "* * * * *", "");
    w->wall_ms += 365 * DAY;
    assert_int_equal(pass(w, 100, 10), 1);
    assert_int_equal(pass(w, 10 * MINUTE, 10000), 10);
    end(w);
}

/* ---- overlap ---- */

static void
a_tick_whose_last_job_is_not_over_starts_skips_or_replaces(void **state)
{
    (void)state;
    for (enum stint_overlap rule = 0; rule <= STINT_OVERLAP_REPLACE; rule++) {
        struct world *w = world_at(at_utc(2027, 5, 3, 12, 0));
        assert_true(
            set(w, (struct schedule_request){.cron = slice_of("0 * * * *"), .overlap = rule}));
        assert_int_equal(pass(w, HOUR, HOUR), 1);
        struct stint_id first = now(w, 1).last_id;
        assert_int_equal(pass(w, HOUR, HOUR), rule == STINT_OVERLAP_SKIP ? 0 : 1);
        struct stint_schedule_info s = now(w, 1);
        assert_int_equal(s.skipped, rule == STINT_OVERLAP_SKIP);
        assert_int_equal(world_state(w, first, NULL),
            rule == STINT_OVERLAP_REPLACE ? STINT_CANCELLED_JOB : STINT_READY);
        assert_int_equal(id_compare(&s.last_id, &first) == 0, rule == STINT_OVERLAP_SKIP);
        end(w);
    }
}

static void
a_job_that_runs_or_waits_for_its_time_is_not_over_and_one_that_is_gone_is(void **state)
{
    struct world *w = world_at(at_utc(2027, 5, 3, 12, 0));
    struct job_spec job = world_job("x");
    (void)state;
    job.delay_ms = 90 * MINUTE;
    assert_true(set_job(w,
        (struct schedule_request){.cron = slice_of("0 * * * *"), .overlap = STINT_OVERLAP_SKIP},
        &job));
    assert_int_equal(pass(w, HOUR, HOUR), 1);
    struct stint_id id = now(w, 1).last_id;
    assert_int_equal(world_state(w, id, NULL), STINT_SCHEDULED);
    assert_int_equal(pass(w, HOUR, HOUR), 0);
    world_with_worker(w, 1);
    assert_int_equal(world_step(w, 30 * MINUTE), STINT_OK);
    world_hello_worker(w, 2, 2, 1);
    world_claim(w, 2, NULL, 0);
    assert_int_equal(world_step(w, 10), STINT_OK);
    assert_int_equal(world_state(w, id, NULL), STINT_RUNNING);
    assert_int_equal(now(w, 1).skipped, 1);
    greet(w);
    message_put_ids(world_frame(w, 1), MESSAGE_CANCEL, ++number, &id, 1, 0);
    assert_int_equal(world_step(w, 0), STINT_OK);
    message_put_ids(world_frame(w, 1), MESSAGE_DELETE, ++number, &id, 1, 0);
    assert_int_equal(world_step(w, 0), STINT_OK);
    assert_int_equal(world_state(w, id, NULL), STINT_UNKNOWN);
    assert_int_equal(pass(w, HOUR, HOUR), 1);
    end(w);
}

static void
a_job_that_was_moved_still_counts_as_the_last_one(void **state)
{
    struct world *w = world_at(at_utc(2027, 5, 3, 12, 0));
    struct change change = {.set = CHANGE_QUEUE, .to.queue = slice_of("elsewhere")};
    (void)state;
    assert_true(set(w,
        (struct schedule_request){
            .cron = slice_of("0 * * * *"), .overlap = STINT_OVERLAP_REPLACE}));
    assert_int_equal(pass(w, HOUR, HOUR), 1);
    struct stint_id id = now(w, 1).last_id;
    struct stint_job_info info;
    greet(w);
    message_put_change(world_frame(w, 1), ++number, &id, 1, &change);
    assert_int_equal(world_step(w, 0), STINT_OK);
    assert_int_equal(world_state(w, id, &info), STINT_READY);
    assert_string_equal(info.schedule, "s");
    assert_string_equal(info.queue, "elsewhere");
    assert_int_equal(pass(w, HOUR, HOUR), 1);
    assert_int_equal(world_state(w, id, NULL), STINT_CANCELLED_JOB);
    end(w);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_tick_makes_one_job_that_names_its_schedule),
        cmocka_unit_test(a_period_is_even_and_a_restart_does_not_move_it),
        cmocka_unit_test(a_restart_at_any_moment_of_a_tick_makes_one_job),
        cmocka_unit_test(what_is_made_is_told_with_its_schedule),
        cmocka_unit_test(the_wall_clock_a_day_ahead_is_one_job_and_back_none),
        cmocka_unit_test(a_clock_that_goes_to_and_fro_makes_no_tick_twice),
        cmocka_unit_test(a_period_does_not_heed_a_clock_that_is_set),
        cmocka_unit_test(in_the_night_that_loses_an_hour_a_fixed_time_is_due_after_it),
        cmocka_unit_test(in_the_night_that_has_an_hour_twice_a_fixed_time_is_due_once),
        cmocka_unit_test(a_restart_in_the_hour_that_comes_twice_makes_no_second_job),
        cmocka_unit_test(ticks_that_were_missed_are_skipped_one_or_all),
        cmocka_unit_test(a_tick_that_is_less_than_a_minute_late_is_not_missed),
        cmocka_unit_test(a_year_of_minutes_that_was_missed_is_one_job),
        cmocka_unit_test(a_tick_whose_last_job_is_not_over_starts_skips_or_replaces),
        cmocka_unit_test(a_job_that_runs_or_waits_for_its_time_is_not_over_and_one_that_is_gone_is),
        cmocka_unit_test(a_job_that_was_moved_still_counts_as_the_last_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
