/* What is counted of jobs, under a clock of the test's: counts that no restart loses, rates, and
 * how long jobs wait and run; and what of that a key for some queues is told.
 */
#include "keyed.h"

#include "figures.h"

#include <stdio.h>

enum { CLIENT = 1, WORKER = 2 };

static void
submit(struct world *w, uint64_t number, const char *queue, const char *kind, uint32_t count)
{
    struct job_spec job = world_job("x");
    job.queue = text(queue);
    job.kind = text(kind);
    world_submit_many(w, CLIENT, number, &job, count);
}

/* Of the first queue that is told to this peer of those that match, into w->arrays. */
static const struct stint_figures *
ask(struct world *w, uint32_t peer, const char *queues)
{
    struct message_arrays *a = w->arrays;
    message_put_list_figures(world_frame(w, peer), 7, text(queues), 3, (struct slice){0});
    assert_int_equal(world_step(w, 0), STINT_OK);
    assert_non_null(world_read(w, peer, MESSAGE_FIGURES));
    if (w->message.count == 0)
        return NULL;
    assert_true(message_next_figures(a));
    return &a->measured.figures;
}

static void
pass(struct world *w, uint64_t ms)
{
    for (; ms > 0; ms -= ms < 500 ? ms : 500) {
        message_put_ping(world_frame(w, CLIENT), 5, WINDOW_UNCHANGED, 0);
        message_put_ping(world_frame(w, WORKER), 5, WINDOW_UNCHANGED, 0);
        assert_int_equal(world_step(w, ms < 500 ? ms : 500), STINT_OK);
    }
}

/* A worker of the queue with this many slots. */
static void
work(struct world *w, uint32_t slots, const char *queue)
{
    struct slice name = text(queue);
    struct hello h = {.version_min = 1,
        .version_max = 1,
        .role = ROLE_WORKER,
        .queues = 1,
        .slots = slots,
        .window = slots};
    memset(h.session, WORKER, sizeof h.session);
    message_put_hello(world_frame(w, WORKER), &h, &name, NULL, NULL);
    world_claim(w, WORKER, NULL, 0);
    assert_int_equal(world_step(w, 0), STINT_OK);
}

static struct stint_id
given(struct world *w)
{
    return world_dispatched(w, WORKER).id;
}

static void
settle(struct world *w, struct stint_id id, uint32_t attempt, enum outcome_type type)
{
    world_settle(w, WORKER, 9, id, attempt, type, "");
    assert_int_equal(world_step(w, 0), STINT_OK);
}

static void
each_bucket_holds_what_is_at_most_an_eighth_below_its_top(void **state)
{
    uint64_t last = 0;
    (void)state;
    for (uint64_t ms = 0; ms < 1U << 20; ms++) {
        unsigned bucket = histogram_bucket(ms);
        uint64_t top = histogram_top(bucket);
        assert_true(bucket < TIME_BUCKETS && top >= ms);
        assert_true(top - ms <= ms / 8);
        assert_true(bucket == last || bucket == last + 1);
        last = bucket;
    }
    for (unsigned b = 0; b < TIME_BUCKETS; b++)
        assert_int_equal(histogram_bucket(histogram_top(b)), b);
    assert_int_equal(histogram_bucket(UINT64_MAX), TIME_BUCKETS - 1);
}

static void
percentiles_are_those_of_the_times_that_were_put_in(void **state)
{
    struct timing t = {.count = 0};
    struct stint_times told;
    (void)state;
    timing_tell(&t, &told);
    assert_int_equal(told.recent + told.p50_ms + told.max_ms, 0);
    for (uint64_t ms = 1; ms <= 1000; ms++)
        timing_add(&t, (unsigned)ms & 1, ms);
    timing_tell(&t, &told);
    assert_int_equal(told.count, 1000);
    assert_int_equal(told.sum_ms, 500500);
    assert_int_equal(told.recent, 1000);
    assert_in_range(told.p50_ms, 500, 500 + 500 / 8);
    assert_in_range(told.p90_ms, 900, 900 + 900 / 8);
    assert_in_range(told.p99_ms, 990, 1000); /* never over the largest */
    assert_int_equal(told.max_ms, 1000);
    struct timing one = {.count = 0};
    timing_add(&one, 0, 7);
    timing_tell(&one, &told);
    assert_int_equal(told.p50_ms, 7);
    assert_int_equal(told.p99_ms, 7);
}

static void
what_becomes_of_a_job_is_counted_once_each(void **state)
{
    struct world *w = world_new(NULL);
    const uint64_t all[STINT_COUNTS] = {4, 4, 1, 2, 1, 1};
    (void)state;
    world_with_client(w);
    struct job_spec once = world_job("x");
    once.queue = text("mail");
    once.max_attempts = 1;
    world_submit(w, CLIENT, 1, &once, 1);
    assert_int_equal(world_step(w, 0), STINT_OK);
    work(w, 1, "mail");
    settle(w, given(w), 1, OUTCOME_FAILED); /* dead */
    submit(w, 2, "mail", "k", 1);
    struct stint_id id = given(w);
    settle(w, id, 1, OUTCOME_FAILED); /* and is tried again */
    pass(w, 60000);
    submit(w, 3, "mail", "k", 1);
    pass(w, 1000);
    settle(w, id, 2, OUTCOME_SUCCEEDED);
    submit(w, 4, "mail", "k", 1);
    struct stint_id last = {{0}};
    const struct stint_figures *f = ask(w, CLIENT, "mail");
    assert_int_equal(f->totals[STINT_COUNT_STARTED], 4);
    struct message list = {.list.states = STINT_STATE_BIT(STINT_READY), .list.queue = text("mail")};
    message_put_list(world_frame(w, CLIENT), 8, &list);
    assert_int_equal(world_step(w, 0), STINT_OK);
    assert_non_null(world_read(w, CLIENT, MESSAGE_JOBS));
    assert_true(message_next_job(w->arrays));
    last = w->arrays->info.id;
    message_put_ids(world_frame(w, CLIENT), MESSAGE_CANCEL, 9, &last, 1, 0);
    assert_int_equal(world_step(w, 0), STINT_OK);
    f = ask(w, CLIENT, "mail");
    assert_memory_equal(f->totals, all, sizeof all);
    struct stint_stats stats;
    core_stats(w->core, &stats);
    assert_memory_equal(stats.totals, all, sizeof all);
    world_restart(w);
    world_with_client(w);
    f = ask(w, CLIENT, "mail");
    assert_memory_equal(f->totals, all, sizeof all);
    core_stats(w->core, &stats);
    assert_memory_equal(stats.totals, all, sizeof all);
    assert_int_equal(stats.submitted, 0); /* that is of this life */
    assert_true(world_replays(w));
    world_destroy(&w);
}

static void
who_is_deleted_while_it_waits_was_cancelled(void **state)
{
    struct world *w = world_new(NULL);
    struct stint_stats stats;
    (void)state;
    world_with_client(w);
    struct stint_id id = world_submit_one(w, 1, "x");
    message_put_ids(world_frame(w, CLIENT), MESSAGE_DELETE, 9, &id, 1, 0);
    assert_int_equal(world_step(w, 0), STINT_OK);
    assert_int_equal(world_state(w, id, NULL), STINT_UNKNOWN);
    core_stats(w->core, &stats);
    assert_int_equal(stats.cancelled, 1);
    assert_int_equal(stats.totals[STINT_COUNT_CANCELLED], 1);
    world_destroy(&w);
}

static void
what_was_counted_of_a_queue_that_went_stays_counted(void **state)
{
    struct core_options o;
    struct stint_stats stats;
    core_options_init(&o);
    o.queue_keep_ms = 2000;
    struct world *w = world_new(&o);
    (void)state;
    world_with_client(w);
    struct job_spec job = world_job("x");
    job.queue = text("mail");
    job.keep_ms = 0;
    world_submit(w, CLIENT, 1, &job, 1);
    assert_int_equal(world_step(w, 0), STINT_OK);
    work(w, 1, "mail");
    settle(w, given(w), 1, OUTCOME_SUCCEEDED);
    message_put_numbered(world_frame(w, WORKER), MESSAGE_BYE, 0);
    assert_int_equal(world_step(w, 0), STINT_OK);
    for (unsigned i = 0; i < 20; i++)
        assert_int_equal(world_step(w, 500), STINT_OK);
    assert_null(ask(w, CLIENT, "mail"));
    for (unsigned life = 0; life < 2; life++) {
        core_stats(w->core, &stats);
        assert_int_equal(stats.totals[STINT_COUNT_SUBMITTED], 1);
        assert_int_equal(stats.totals[STINT_COUNT_SUCCEEDED], 1);
        world_restart(w);
        world_with_client(w);
    }
    submit(w, 2, "mail", "k", 1);
    assert_int_equal(ask(w, CLIENT, "mail")->totals[STINT_COUNT_SUBMITTED], 1); /* begun anew */
    core_stats(w->core, &stats);
    assert_int_equal(stats.totals[STINT_COUNT_SUBMITTED], 2);
    world_destroy(&w);
}

static void
rates_are_of_the_last_minutes_and_of_less_after_a_start(void **state)
{
    struct world *w = world_new(NULL);
    (void)state;
    world_with_client(w);
    submit(w, 1, "mail", "k", 30);
    pass(w, 10000);
    uint64_t rate = ask(w, CLIENT, "mail")->rates[0][STINT_COUNT_SUBMITTED];
    assert_in_range(rate, 2900, 3100); /* 30 in 10 s, of which we know no more */
    pass(w, 290000);
    const struct stint_figures *f = ask(w, CLIENT, "mail");
    assert_int_equal(f->rates[0][STINT_COUNT_SUBMITTED], 0);
    assert_in_range(f->rates[1][STINT_COUNT_SUBMITTED], 90, 101); /* 30 in 5 minutes */
    assert_in_range(f->rates[2][STINT_COUNT_SUBMITTED], 90, 101);
    pass(w, 100000);
    f = ask(w, CLIENT, "mail");
    assert_int_equal(f->rates[1][STINT_COUNT_SUBMITTED], 0);
    assert_in_range(f->rates[2][STINT_COUNT_SUBMITTED], 70, 80); /* in 400 s */
    pass(w, 600000);
    f = ask(w, CLIENT, "mail");
    assert_int_equal(f->rates[2][STINT_COUNT_SUBMITTED], 0);
    submit(w, 2, "mail", "k", 60);
    pass(w, 60000);
    f = ask(w, CLIENT, "mail");
    assert_in_range(f->rates[0][STINT_COUNT_SUBMITTED], 800, 1001);
    assert_in_range(f->rates[2][STINT_COUNT_SUBMITTED], 60, 67);
    assert_int_equal(f->rates[0][STINT_COUNT_STARTED], 0);
    world_destroy(&w);
}

static void
a_wait_is_from_when_a_job_was_ready_and_a_run_from_when_it_was_handed_out(void **state)
{
    struct world *w = world_new(NULL);
    (void)state;
    world_with_client(w);
    submit(w, 1, "mail", "pdf", 1);
    pass(w, 3000);
    work(w, 1, "mail");
    struct stint_id id = given(w);
    pass(w, 700);
    settle(w, id, 1, OUTCOME_FAILED);
    const struct stint_kind_figures *k = ask(w, CLIENT, "mail")->kinds;
    assert_string_equal(k->kind, "pdf");
    assert_int_equal(k->wait.max_ms, 3000);
    assert_int_equal(k->run.max_ms, 700);
    uint64_t waited = 0;
    for (; world_count(w, WORKER, MESSAGE_DISPATCH) == 0; waited += 500)
        pass(w, 500);
    assert_true(waited >= 500); /* it had to: that was no time in which it was ready */
    k = ask(w, CLIENT, "mail")->kinds;
    assert_int_equal(k->wait.count, 2);
    assert_in_range(k->wait.sum_ms, 3000, 3500);
    pass(w, 20);
    settle(w, id, 2, OUTCOME_RETURNED); /* that is no run */
    k = ask(w, CLIENT, "mail")->kinds;
    assert_int_equal(k->run.count, 1);
    assert_int_equal(k->wait.count, 3); /* it was handed out again at once */
    assert_in_range(k->wait.sum_ms, 3000, 3500);
    world_destroy(&w);
}

static void
percentiles_forget_what_is_older_than_ten_minutes_and_sums_do_not(void **state)
{
    struct world *w = world_new(NULL);
    (void)state;
    world_with_client(w);
    work(w, 1, "mail");
    submit(w, 1, "mail", "k", 1);
    struct stint_id id = given(w);
    pass(w, 5000);
    settle(w, id, 1, OUTCOME_SUCCEEDED);
    pass(w, 299000);
    const struct stint_times *run = &ask(w, CLIENT, "mail")->kinds->run;
    assert_int_equal(run->recent, 1);
    assert_int_equal(run->p50_ms, 5000);
    pass(w, 300000);
    submit(w, 2, "mail", "k", 1);
    id = given(w);
    pass(w, 10);
    settle(w, id, 1, OUTCOME_SUCCEEDED);
    run = &ask(w, CLIENT, "mail")->kinds->run;
    assert_int_equal(run->recent, 1);
    assert_int_equal(run->max_ms, 10);
    assert_int_equal(run->count, 2);
    assert_int_equal(run->sum_ms, 5010);
    world_destroy(&w);
}

static void
kinds_beyond_so_many_are_told_together(void **state)
{
    enum { MORE = 5 };
    struct world *w = world_new(NULL);
    char kind[8];
    (void)state;
    world_with_client(w);
    work(w, 100, "mail");
    for (unsigned i = 0; i < KINDS_KEPT + MORE; i++) {
        (void)snprintf(kind, sizeof kind, "k%u", i);
        submit(w, i + 1, "mail", kind, 1);
    }
    const struct stint_figures *f = ask(w, CLIENT, "mail");
    assert_int_equal(f->kinds_count, KINDS_KEPT + 1);
    assert_string_equal(f->kinds[0].kind, "k0");
    assert_string_equal(f->kinds[KINDS_KEPT].kind, "");
    assert_int_equal(f->kinds[KINDS_KEPT].wait.count, MORE);
    assert_int_equal(f->kinds[KINDS_KEPT - 1].wait.count, 1);
    assert_int_equal(f->wait.count, KINDS_KEPT + MORE);
    assert_int_equal(f->wait.recent, KINDS_KEPT + MORE);
    world_destroy(&w);
}

static void
counts_by_priority_are_those_in_use_the_highest_first(void **state)
{
    struct world *w = world_new(NULL);
    struct job_spec jobs[3] = {world_job("a"), world_job("b"), world_job("c")};
    (void)state;
    world_with_client(w);
    jobs[0].priority = 7;
    jobs[1].priority = 200;
    jobs[2].priority = 7;
    for (unsigned i = 0; i < 3; i++)
        jobs[i].queue = text("mail");
    world_submit(w, CLIENT, 1, jobs, 3);
    assert_int_equal(world_step(w, 0), STINT_OK);
    const struct stint_figures *f = ask(w, CLIENT, "ma*");
    assert_int_equal(f->priorities_count, 2);
    assert_int_equal(f->priorities[0].priority, 200);
    assert_int_equal(f->priorities[0].jobs[STINT_READY], 1);
    assert_int_equal(f->priorities[1].priority, 7);
    assert_int_equal(f->priorities[1].jobs[STINT_READY], 2);
    world_destroy(&w);
}

static void
a_key_is_told_of_its_own_queues_and_a_prefix_narrows_further(void **state)
{
    struct world *w = world_new(NULL);
    struct grant g = grant_of("key", RIGHT_SEE, "mail.*");
    (void)state;
    world_with_client(w);
    submit(w, 1, "pay", "k", 3);
    submit(w, 2, "mail.in", "k", 1);
    submit(w, 3, "mail.out", "k", 2);
    w->grants[KEYED] = &g;
    put_hello(w, KEYED, ROLE_CLIENT, "");
    assert_int_equal(world_step(w, 0), STINT_OK);
    assert_string_equal(ask(w, KEYED, "")->queue, "mail.in");
    assert_int_equal(w->message.count, 2);
    assert_string_equal(ask(w, KEYED, "mail.o*")->queue, "mail.out");
    assert_int_equal(w->message.count, 1);
    assert_null(ask(w, KEYED, "pay"));
    assert_null(ask(w, KEYED, "p*"));
    assert_null(ask(w, CLIENT, "mail"));
    world_destroy(&w);
}

static void
all_queues_are_told_in_pages_that_read_a_bounded_amount(void **state)
{
    enum { QUEUES = 300, KINDS = 10 };
    struct world *w = world_new(NULL);
    uint8_t cursor[16];
    struct slice at = {0};
    unsigned told = 0, pages = 0;
    char queue[16], kind[16];
    (void)state;
    world_with_client(w);
    struct slice names[LIMIT_QUEUES_SERVED];
    static char texts[QUEUES][16];
    for (unsigned i = 0; i < QUEUES; i++)
        (void)snprintf(texts[i], sizeof texts[i], "q%u", i);
    unsigned served = LIMIT_QUEUES_SERVED;
    assert_true(served <= QUEUES);
    for (unsigned i = 0; i < served; i++)
        names[i] = text(texts[i]);
    struct hello h = {.version_min = 1,
        .version_max = 1,
        .role = ROLE_WORKER,
        .queues = served,
        .slots = 10000,
        .window = 10000};
    memset(h.session, WORKER, sizeof h.session);
    message_put_hello(world_frame(w, WORKER), &h, names, NULL, NULL);
    world_claim(w, WORKER, NULL, 0);
    assert_int_equal(world_step(w, 0), STINT_OK);
    for (unsigned i = 0; i < QUEUES; i++) {
        struct job_spec jobs[KINDS];
        static char kinds[KINDS][16];
        (void)snprintf(queue, sizeof queue, "q%u", i);
        for (unsigned k = 0; k < KINDS; k++) {
            (void)snprintf(kind, sizeof kind, "k%u", k);
            memcpy(kinds[k], kind, sizeof kind);
            jobs[k] = world_job("x");
            jobs[k].queue = text(queue);
            jobs[k].kind = text(kinds[k]);
        }
        world_submit(w, CLIENT, i + 1, jobs, KINDS);
        assert_int_equal(world_step(w, 0), STINT_OK);
    }
    do {
        message_put_list_figures(world_frame(w, CLIENT), 7, text(""), 1, at);
        assert_int_equal(world_step(w, 1), STINT_OK);
        assert_non_null(world_read(w, CLIENT, MESSAGE_FIGURES));
        told += w->message.count;
        at = w->message.page.cursor;
        assert_true(at.size <= sizeof cursor);
        if (at.size)
            memcpy(cursor, at.data, at.size);
        at.data = cursor;
    } while (++pages < 100 && at.size > 0);
    assert_int_equal(told, QUEUES);
    assert_true(pages > 1);
    message_put_list_figures(world_frame(w, CLIENT), 7, text(""), 1, text("odd"));
    assert_int_equal(world_step(w, 1), STINT_OK);
    assert_non_null(world_read(w, CLIENT, MESSAGE_ERROR));
    assert_int_equal(w->message.error.status, STINT_INVALID);
    world_destroy(&w);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_bucket_holds_what_is_at_most_an_eighth_below_its_top),
        cmocka_unit_test(percentiles_are_those_of_the_times_that_were_put_in),
        cmocka_unit_test(what_becomes_of_a_job_is_counted_once_each),
        cmocka_unit_test(who_is_deleted_while_it_waits_was_cancelled),
        cmocka_unit_test(what_was_counted_of_a_queue_that_went_stays_counted),
        cmocka_unit_test(rates_are_of_the_last_minutes_and_of_less_after_a_start),
        cmocka_unit_test(a_wait_is_from_when_a_job_was_ready_and_a_run_from_when_it_was_handed_out),
        cmocka_unit_test(percentiles_forget_what_is_older_than_ten_minutes_and_sums_do_not),
        cmocka_unit_test(kinds_beyond_so_many_are_told_together),
        cmocka_unit_test(counts_by_priority_are_those_in_use_the_highest_first),
        cmocka_unit_test(a_key_is_told_of_its_own_queues_and_a_prefix_narrows_further),
        cmocka_unit_test(all_queues_are_told_in_pages_that_read_a_bounded_amount),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
