/* What time brings: jobs are due, outcomes expire, sessions are forgotten, each when its time has
 * come and not before, so many in a step and the rest at once in the next one; and how long the
 * broker may wait until then.
 */
#include "job.h"
#include "sweep.h"
#include "world.h"

#include <stdlib.h>

enum { DUE_A_STEP = 2048, SLOT_MS = 1 << EXPIRY_SLOT_SHIFT };

/* Submits so many jobs and parks them, due after `delay_ms` from now; so many ms apart each. */
static struct world *
world_with_parked(uint32_t count, uint64_t delay_ms, uint64_t apart_ms)
{
    static struct job_spec jobs[LIMIT_JOBS];
    struct world *w = world_new(NULL);
    struct job job;
    world_with_client(w);
    for (uint32_t done = 0; done < count;) {
        static uint64_t number;
        uint32_t piece = count - done < LIMIT_JOBS ? count - done : LIMIT_JOBS;
        number = done ? number + 1 : 1;
        for (uint32_t i = 0; i < piece; i++)
            jobs[i] = world_job("");
        world_submit(w, 1, number, jobs, piece);
        assert_int_equal(world_step(w, 0), STINT_OK);
        done += piece;
    }
    w->store->ops->begin(w->store);
    for (uint32_t n = 1; n <= count; n++) {
        struct stint_id id = id_make(0, 1, 100, n);
        assert_true(job_load(w->core, &id, PLACE_LIVE, &job));
        job_park(w->core, &job, w->wall_ms + delay_ms + n * apart_ms);
    }
    book_flush(&w->core->book);
    assert_int_equal(w->store->ops->commit(w->store), STINT_OK);
    return w;
}

static uint64_t
ready(struct world *w)
{
    struct stint_stats stats;
    core_stats(w->core, &stats);
    return stats.jobs[STINT_READY];
}

static void
jobs_become_due_at_their_time_and_not_before(void **state)
{
    struct world *w = world_with_parked(40, 1000, 10); /* at 1,010, 1,020 ... 1,400 */
    (void)state;
    assert_int_equal(world_step(w, 1009), STINT_OK);
    assert_int_equal(ready(w), 0);
    for (unsigned n = 1; n <= 40; n++) {
        assert_int_equal(sweep_idle_ms(w->core), 1);
        assert_int_equal(world_step(w, 1), STINT_OK);
        assert_int_equal(ready(w), n);
        assert_int_equal(store_model_count(w->store, STORE_DUE), 40 - n);
        if (n == 20)
            world_restart(w); /* when the next one is due is known at once */
        assert_int_equal(world_step(w, 9), STINT_OK);
        assert_int_equal(ready(w), n);
    }
    world_destroy(&w);
}

static void
jobs_that_are_due_together_come_in_several_steps_one_after_the_other(void **state)
{
    struct world *w = world_with_parked(5000, 1000, 0);
    (void)state;
    for (uint64_t n = 0; n < 5000; n += DUE_A_STEP) {
        assert_int_equal(ready(w), n);
        assert_int_equal(world_step(w, n ? 0 : 1000), STINT_OK);
        if (n + DUE_A_STEP < 5000)
            assert_int_equal(core_idle_ms(w->core), 0); /* there is more to do */
    }
    assert_int_equal(ready(w), 5000);
    assert_int_not_equal(core_idle_ms(w->core), 0);
    world_destroy(&w);
}

static void
the_broker_waits_no_longer_than_until_the_next_job_is_due(void **state)
{
    static const struct {
        uint64_t delay_ms, idle_ms;
    } cases[] = {{1, 1}, {17, 17}, {250, 250}, {100000, 251}}; /* a heartbeat is a second */
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct world *w = world_with_parked(1, cases[i].delay_ms, 0);
        assert_int_equal(core_idle_ms(w->core), cases[i].idle_ms);
        world_destroy(&w);
    }
}

static void
a_date_without_a_job_goes(void **state)
{
    struct world *w = world_with_parked(3, 1000, 0);
    struct stint_id id = id_make(0, 1, 100, 2);
    (void)state;
    w->store->ops->begin(w->store);
    assert_true(store_del(w->store, STORE_PARKED, id_key(&id)));
    assert_int_equal(w->store->ops->commit(w->store), STINT_OK);
    assert_int_equal(world_step(w, 1000), STINT_OK);
    assert_int_equal(ready(w), 2);
    assert_int_equal(store_model_count(w->store, STORE_DUE), 0);
    world_destroy(&w);
}

/* ---- outcomes ---- */

/* Settles the job so that its outcome is kept for so long. */
static void
settle(struct world *w, uint64_t sequence, uint64_t keep_ms)
{
    struct stint_id id = id_make(0, 1, 100, sequence);
    struct job job;
    w->store->ops->begin(w->store);
    assert_true(job_load(w->core, &id, PLACE_PARKED, &job));
    record_set(&job.record, FIELD_KEEP, keep_ms);
    job_settle(w->core, &job, STINT_SUCCEEDED, (struct slice){0});
    book_flush(&w->core->book);
    assert_int_equal(w->store->ops->commit(w->store), STINT_OK);
}

static void
an_outcome_is_kept_for_its_time_and_goes_soon_after_it(void **state)
{
    static const uint64_t keeps[] = {
        1, 500, SLOT_MS - 1, SLOT_MS, SLOT_MS + 1, 5 * SLOT_MS, 5 * SLOT_MS + 1, 1000000};
    enum { COUNT = sizeof keeps / sizeof *keeps };
    struct world *w = world_with_parked(COUNT, 1ULL << 40, 0);
    uint64_t begin_ms = w->wall_ms;
    (void)state;
    for (unsigned n = 0; n < COUNT; n++)
        settle(w, n + 1, keeps[n]);
    for (unsigned step = 0; step < 600; step++) {
        assert_int_equal(world_step(w, 2000), STINT_OK);
        uint64_t passed_ms = w->wall_ms - begin_ms;
        for (unsigned n = 0; n < COUNT; n++) {
            struct stint_id id = id_make(0, 1, 100, n + 1);
            struct slice bytes;
            bool there = store_get(w->store, STORE_SETTLED, id_key(&id), &bytes);
            assert_true(there || passed_ms >= keeps[n]);
            assert_true(!there || passed_ms < keeps[n] + SLOT_MS + 2000);
        }
        if (step == 20)
            world_restart(w);
    }
    assert_int_equal(store_model_count(w->store, STORE_SETTLED), 0);
    assert_int_equal(store_model_count(w->store, STORE_EXPIRY), 0);
    world_destroy(&w);
}

/* ---- sessions ---- */

static void
a_session_is_kept_for_its_time_after_it_was_used_last(void **state)
{
    struct core_options options;
    struct stint_stats stats;
    (void)state;
    core_options_init(&options);
    options.session_keep_ms = 3600000;
    struct world *w = world_new(&options);
    struct job_spec job = world_job("");
    for (uint8_t n = 1; n <= 3; n++) { /* used fifty minutes apart */
        world_hello_client(w, n, n);
        world_submit(w, n, 1, &job, 1);
        assert_int_equal(world_step(w, 0), STINT_OK);
        world_gone(w, n);
        for (unsigned minute = 0; n < 3 && minute < 50; minute++)
            assert_int_equal(world_step(w, 60000), STINT_OK);
        core_stats(w->core, &stats);
        assert_int_equal(stats.sessions, n < 3 ? 1 : 2); /* the first is gone before the third */
    }
    for (unsigned minute = 0; minute < 70; minute++)
        assert_int_equal(world_step(w, 60000), STINT_OK);
    core_stats(w->core, &stats);
    assert_int_equal(stats.sessions, 0);
    assert_int_equal(store_model_count(w->store, STORE_SESSIONS), 0);
    assert_int_equal(store_model_count(w->store, STORE_ANSWERS), 0);
    assert_int_equal(ready(w), 3); /* the jobs are nobody's */
    world_destroy(&w);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(jobs_become_due_at_their_time_and_not_before),
        cmocka_unit_test(jobs_that_are_due_together_come_in_several_steps_one_after_the_other),
        cmocka_unit_test(the_broker_waits_no_longer_than_until_the_next_job_is_due),
        cmocka_unit_test(a_date_without_a_job_goes),
        cmocka_unit_test(an_outcome_is_kept_for_its_time_and_goes_soon_after_it),
        cmocka_unit_test(a_session_is_kept_for_its_time_after_it_was_used_last),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
