/* Groups: of each so many jobs run at once, in their order, and groups take turns; whatever becomes
 * of the jobs, also after a restart.
 */
#include "grouped.h"

#include <stdlib.h>

/* ---- order and limits ---- */

static void
one_of_a_group_runs_at_a_time_in_their_order(void **state)
{
    struct world *w = world_of(8);
    (void)state;
    set_running(w, 1);
    struct stint_id a[3], b;
    for (unsigned i = 0; i < 3; i++) {
        a[i] = give(w, "a");
        if (i == 0)
            assert_int_equal(taken(w, WORKER).count, 1);
    }
    b = give(w, "b"); /* which is held up by nobody */
    struct taken t = taken(w, WORKER);
    assert_int_equal(t.count, 1);
    assert_memory_equal(&t.ids[0], &b, sizeof b);
    assert_string_equal(t.groups[0], "b");
    assert_good(w);
    for (unsigned i = 0; i < 3; i++) {
        finish(w, a[i], 1, OUTCOME_SUCCEEDED);
        t = taken(w, WORKER);
        assert_int_equal(t.count, i < 2);
        if (i < 2)
            assert_memory_equal(&t.ids[0], &a[i + 1], sizeof b);
        assert_good(w);
    }
    assert_groups(w, 1);
    finish(w, b, 1, OUTCOME_SUCCEEDED);
    assert_groups(w, 0);
    assert_good(w);
    world_destroy(&w);
}

static void
a_job_that_is_tried_again_keeps_its_place(void **state)
{
    struct world *w = world_of(8);
    (void)state;
    set_running(w, 1);
    struct stint_id first = give(w, "a"), second = give(w, "a");
    finish(w, first, 1, OUTCOME_FAILED);
    assert_int_equal(taken(w, WORKER).count, 0);
    assert_int_equal(in_state(w, STINT_SCHEDULED), 1);
    assert_good(w);
    world_restart(w);
    connect(w, 8);
    assert_good(w);
    assert_int_equal(taken(w, WORKER).count, 0);
    step(w, 5000);
    struct taken t = taken(w, WORKER);
    assert_int_equal(t.count, 1);
    assert_memory_equal(&t.ids[0], &first, sizeof first);
    finish(w, first, 2, OUTCOME_FAILED);
    ask(w, MESSAGE_CANCEL, first, STINT_OK); /* and gives it up */
    t = taken(w, WORKER);
    assert_int_equal(in_state(w, STINT_RUNNING), 1);
    assert_int_equal(world_state(w, second, NULL), STINT_RUNNING);
    assert_good(w);
    world_destroy(&w);
}

static void
where_several_run_one_that_is_tried_again_keeps_no_place(void **state)
{
    struct world *w = world_of(8);
    (void)state;
    set_running(w, 2);
    struct stint_id id[4];
    for (unsigned i = 0; i < 4; i++)
        id[i] = give(w, "a");
    assert_int_equal(in_state(w, STINT_RUNNING), 2);
    finish(w, id[0], 1, OUTCOME_FAILED);
    assert_int_equal(in_state(w, STINT_RUNNING), 2);
    assert_int_equal(world_state(w, id[2], NULL), STINT_RUNNING);
    assert_good(w);
    world_destroy(&w);
}

static void
the_most_urgent_of_a_group_goes_first(void **state)
{
    struct world *w = world_of(1);
    (void)state;
    set_running(w, 1);
    struct stint_id running = give(w, "a"), low = give(w, "a");
    struct job_spec job = of_group("a", "urgent");
    job.priority = 200;
    struct stint_id high = submit(w, job).id;
    assert_good(w);
    finish(w, running, 1, OUTCOME_SUCCEEDED);
    assert_int_equal(world_state(w, high, NULL), STINT_RUNNING);
    /* One that comes when another stands already goes before it, too. */
    struct stint_id b = give(w, "b");
    job.priority = 150;
    job.group = text("b");
    struct stint_id before = submit(w, job).id;
    assert_good(w);
    finish(w, high, 1, OUTCOME_SUCCEEDED);
    assert_int_equal(world_state(w, before, NULL), STINT_RUNNING);
    finish(w, before, 1, OUTCOME_SUCCEEDED);
    finish(w, low, 1, OUTCOME_SUCCEEDED);
    finish(w, b, 1, OUTCOME_SUCCEEDED);
    finish(w, low, 1, OUTCOME_SUCCEEDED);
    assert_groups(w, 0);
    assert_good(w);
    world_destroy(&w);
}

static void
limits_that_change_hold_from_now_on(void **state)
{
    struct world *w = world_of(64);
    struct job_spec jobs[40];
    struct got got[40];
    (void)state;
    for (unsigned i = 0; i < 40; i++)
        jobs[i] = of_group(i % 2 ? "a" : "b", "x");
    set_running(w, 3);
    submit_all(w, jobs, 40, got);
    assert_int_equal(in_state(w, STINT_RUNNING), 6);
    assert_good(w);
    set_running(w, 5);
    step(w, 1);
    assert_int_equal(in_state(w, STINT_RUNNING), 10);
    set_running(w, 1);
    for (unsigned i = 0; i < 8; i++) {
        finish(w, got[i].id, 1, OUTCOME_SUCCEEDED);
        assert_int_equal(in_state(w, STINT_RUNNING), 9 - i);
        assert_good(w);
    }
    finish(w, got[8].id, 1, OUTCOME_SUCCEEDED);
    assert_int_equal(in_state(w, STINT_RUNNING), 2);
    set_running(w, 0);
    step(w, 1);
    assert_int_equal(in_state(w, STINT_READY), 0);
    assert_good(w);
    world_destroy(&w);
}

static void
a_limit_that_is_lowered_holds_for_who_is_next(void **state)
{
    struct world *w = world_of(1);
    (void)state;
    struct stint_id first = give(w, "a");
    (void)give(w, "a");
    set_running(w, 1);
    world_hello_worker(w, 3, 3, 4);
    world_claim(w, 3, NULL, 0);
    step(w, 0);
    assert_false(world_told(w, "are not found")); /* the one that stood is in line again */
    assert_int_equal(in_state(w, STINT_RUNNING), 1);
    assert_good(w);
    finish(w, first, 1, OUTCOME_SUCCEEDED);
    assert_int_equal(in_state(w, STINT_RUNNING), 1);
    assert_int_equal(in_state(w, STINT_READY), 0);
    assert_good(w);
    world_destroy(&w);
}

/* The settings were stored, and the walk over the groups not done. */
static void
a_change_of_limits_survives_a_restart(void **state)
{
    struct world *w = world_of(64);
    struct job_spec jobs[40];
    struct got got[40];
    (void)state;
    for (unsigned i = 0; i < 40; i++)
        jobs[i] = of_group(i % 2 ? "a" : "b", "x");
    set_running(w, 1);
    submit_all(w, jobs, 40, got);
    set_running(w, 0);
    world_restart(w);
    connect(w, 64);
    step(w, 1);
    assert_int_equal(in_state(w, STINT_RUNNING) + in_state(w, STINT_READY), 40);
    assert_true(in_state(w, STINT_RUNNING) >= 38);
    assert_good(w);
    world_destroy(&w);
}

/* Both of its jobs are the first of their level, and one stands in the place of the other within a
 * step. */
static void
who_stands_is_known_by_level_and_number(void **state)
{
    struct world *w = world_of(4);
    struct job_spec jobs[2] = {of_group("a", "low"), of_group("a", "high")};
    struct got got[2];
    (void)state;
    jobs[1].priority = 200;
    submit_all(w, jobs, 2, got);
    struct taken t = taken(w, WORKER);
    assert_int_equal(t.count, 2);
    assert_memory_equal(&t.ids[0], &got[1].id, sizeof got[1].id);
    assert_int_equal(in_state(w, STINT_RUNNING), 2);
    assert_good(w);
    struct world *paused = world_of(0);
    submit_all(paused, jobs, 2, got);
    assert_good(paused);
    world_destroy(&paused);
    world_destroy(&w);
}

/* ---- turns ---- */

/* A message of very many of one group comes before a few of another. */
static void
groups_take_turns(void **state)
{
    struct world *w = world_of(0);
    struct job_spec jobs[240];
    struct got got[240];
    (void)state;
    for (unsigned i = 0; i < 200; i++)
        jobs[i] = of_group("many", "x");
    for (unsigned i = 200; i < 240; i++)
        jobs[i] = of_group(i % 2 ? "few" : NULL, "x");
    submit_all(w, jobs, 240, got);
    world_hello_worker(w, 3, 3, 30);
    world_claim(w, 3, NULL, 0);
    step(w, 0);
    struct taken t = taken(w, 3);
    uint32_t few = 0, none = 0;
    assert_true(t.count >= 30);
    for (unsigned i = 0; i < 30; i++) {
        few += strcmp(t.groups[i], "few") == 0;
        none += t.groups[i][0] == 0;
    }
    assert_int_equal(few, 10);
    assert_int_equal(none, 10);
    assert_good(w);
    world_destroy(&w);
}

/* One that comes when another one has had many turns is not behind it in its turns, and one that
 * goes on does not wait until the new one has had as many. */
static void
who_comes_late_takes_turns_from_now_on(void **state)
{
    struct world *w = world_of(0);
    struct job_spec jobs[80];
    struct got got[80];
    (void)state;
    for (unsigned i = 0; i < 80; i++)
        jobs[i] = of_group("old", "x");
    submit_all(w, jobs, 80, got);
    world_hello_worker(w, 3, 3, 40);
    world_claim(w, 3, NULL, 0);
    step(w, 0);
    assert_int_equal(taken(w, 3).count, 40);
    for (unsigned i = 0; i < 40; i++)
        jobs[i] = of_group("new", "x");
    submit_all(w, jobs, 40, got);
    world_hello_worker(w, 4, 4, 20);
    world_claim(w, 4, NULL, 0);
    step(w, 0);
    struct taken t = taken(w, 4);
    uint32_t old = 0;
    assert_int_equal(t.count, 20);
    for (unsigned i = 0; i < 20; i++)
        old += strcmp(t.groups[i], "old") == 0;
    assert_in_range(old, 9, 11);
    assert_good(w);
    world_destroy(&w);
}

static void
by_their_weights(void **state)
{
    struct world *w = world_of(0);
    struct job_spec jobs[240];
    struct got got[240];
    (void)state;
    for (unsigned i = 0; i < 240; i++)
        jobs[i] = of_group(i < 120 ? "light" : "heavy", "x");
    set_weight(w, "heavy", 3);
    submit_all(w, jobs, 240, got);
    world_restart(w);
    world_with_client(w);
    world_hello_worker(w, 3, 3, 80);
    world_claim(w, 3, NULL, 0);
    step(w, 0);
    struct taken t = taken(w, 3);
    uint32_t heavy = 0;
    for (unsigned i = 0; i < 80; i++)
        heavy += strcmp(t.groups[i], "heavy") == 0;
    assert_in_range(heavy, 59, 61);
    assert_good(w);
    set_weight(w, "heavy", 1);
    assert_good(w);
    world_destroy(&w);
}

/* A worker that handles some kinds gets those of groups that are of such a kind, and what nobody
 * handles is told. */
static void
kinds_that_nobody_handles_hold_up_their_groups_alone(void **state)
{
    struct world *w = world_of(0);
    const struct slice kinds[] = {text("odd")};
    struct hello h = {.version_min = 1,
        .version_max = 1,
        .role = ROLE_WORKER,
        .name = text("odd one"),
        .software = text("test"),
        .slots = 8,
        .window = 8,
        .kinds = 1};
    (void)state;
    memset(h.session, 3, sizeof h.session);
    world_gone(w, WORKER);
    for (unsigned i = 0; i < 20; i++)
        step(w, 1000);
    set_running(w, 1);
    struct job_spec job = of_group("a", "x");
    (void)submit(w, job); /* of the kind `default` */
    job.kind = text("odd");
    struct stint_id behind = submit(w, job).id;
    job.group = text("b");
    struct stint_id odd = submit(w, job).id;
    message_put_hello(world_frame(w, 3), &h, NULL, kinds, NULL);
    world_claim(w, 3, NULL, 0);
    step(w, 0);
    assert_int_equal(world_state(w, odd, NULL), STINT_RUNNING);
    assert_int_equal(world_state(w, behind, NULL), STINT_READY);
    message_put_why(world_frame(w, CLIENT), 55, text("default"), NULL, 0);
    step(w, 0);
    assert_non_null(world_read(w, CLIENT, MESSAGE_REASONS));
    assert_true(message_next_reason(w->arrays));
    assert_int_equal(w->arrays->reason.why, STINT_WHY_NO_HANDLER);
    assert_string_equal(w->arrays->reason.kind, "default");
    assert_good(w);
    world_destroy(&w);
}

static enum stint_why
why_of_queue(struct world *w)
{
    message_put_why(world_frame(w, CLIENT), 56, text("default"), NULL, 0);
    step(w, 0);
    assert_non_null(world_read(w, CLIENT, MESSAGE_REASONS));
    assert_true(message_next_reason(w->arrays));
    return w->arrays->reason.why;
}

static void
a_queue_tells_what_holds_its_groups_up(void **state)
{
    struct world *w = world_of(8);
    struct job_spec needy = of_group("b", "x");
    (void)state;
    set_running(w, 1);
    (void)give(w, "a");
    (void)give(w, "a");
    assert_int_equal(why_of_queue(w), STINT_WHY_GROUP_FULL);
    assert_int_equal(w->arrays->reason.slots, 1);
    needy.needs = text("gpu");
    (void)submit(w, needy);
    assert_int_equal(why_of_queue(w), STINT_WHY_NEEDS);
    assert_string_equal(w->arrays->reason.needs, "gpu");
    assert_good(w);
    world_destroy(&w);
}

/* ---- rates ---- */

static void
no_group_goes_faster_than_its_rate(void **state)
{
    struct world *w = world_of(64);
    struct job_spec jobs[20];
    struct got got[20];
    (void)state;
    set_rate(w, 3600); /* one a second */
    for (unsigned i = 0; i < 20; i++)
        jobs[i] = of_group(i % 2 ? "a" : "b", "x");
    submit_all(w, jobs, 20, got);
    assert_int_equal(in_state(w, STINT_RUNNING), 2);
    step(w, 999);
    assert_int_equal(in_state(w, STINT_RUNNING), 2);
    step(w, 1);
    assert_int_equal(in_state(w, STINT_RUNNING), 4);
    world_restart(w);
    connect(w, 64);
    assert_int_equal(in_state(w, STINT_RUNNING), 4);
    step(w, 1000);
    assert_true(in_state(w, STINT_RUNNING) <= 6);
    assert_good(w);
    set_rate(w, 0);
    step(w, 1);
    assert_int_equal(in_state(w, STINT_READY), 0);
    assert_good(w);
    world_destroy(&w);
}

/* One after the other, each of which is over before the next one comes. */
static void
a_group_without_jobs_keeps_its_bucket(void **state)
{
    struct world *w = world_of(8);
    (void)state;
    set_rate(w, 3600);
    struct stint_id id = give(w, "a");
    finish(w, id, 1, OUTCOME_SUCCEEDED);
    assert_groups(w, 1);
    id = give(w, "a");
    assert_int_equal(in_state(w, STINT_RUNNING), 0);
    step(w, 1000);
    assert_int_equal(in_state(w, STINT_RUNNING), 1);
    finish(w, id, 1, OUTCOME_SUCCEEDED);
    step(w, 999);
    assert_groups(w, 1);
    step(w, 1);
    assert_groups(w, 0);
    assert_good(w);
    world_destroy(&w);
}

/* ---- what becomes of jobs ---- */

static void
a_lost_worker_gives_places_back_in_order(void **state)
{
    struct world *w = world_of(2);
    (void)state;
    set_running(w, 1);
    struct stint_id first = give(w, "a"), second = give(w, "a");
    world_gone(w, WORKER);
    step(w, 1);
    for (unsigned i = 0; i < 20; i++)
        step(w, 1000);
    assert_int_equal(in_state(w, STINT_READY), 2);
    assert_good(w);
    world_with_worker(w, 2);
    world_claim(w, WORKER, NULL, 0);
    step(w, 0);
    assert_int_equal(world_state(w, first, NULL), STINT_RUNNING);
    assert_int_equal(world_state(w, second, NULL), STINT_READY);
    assert_good(w);
    world_restart(w); /* a suspect that is out */
    connect(w, 2);
    assert_good(w);
    world_destroy(&w);
}

/* A suspect that is kept apart when the broker ends: it waits until a worker has nothing else. */
static void
what_is_kept_apart_is_in_line_after_a_restart(void **state)
{
    struct world *w = world_of(1);
    (void)state;
    set_running(w, 1);
    struct stint_id first = give(w, "a"), second = give(w, "a");
    world_hello_worker(w, 3, 3, 4);
    world_claim(w, 3, NULL, 0);
    step(w, 0);
    (void)give(w, NULL); /* which has not begun, as far as is known */
    world_gone(w, WORKER);
    for (unsigned i = 0; i < 10; i++) {
        message_put_ping(world_frame(w, 3), 1 + i, WINDOW_UNCHANGED, 0);
        step(w, 1000);
    }
    assert_int_equal(world_state(w, first, NULL), STINT_READY);
    assert_int_equal(store_model_count(w->store, STORE_GROUP_TURNS), 1);
    assert_int_equal(in_lines(w), 1);
    assert_good(w);
    world_restart(w);
    assert_int_equal(in_lines(w), 1);
    assert_good(w);
    memset(numbers, 0, sizeof numbers);
    world_with_worker(w, 1);
    world_claim(w, WORKER, NULL, 0);
    step(w, 0);
    assert_int_equal(world_state(w, first, NULL), STINT_RUNNING);
    assert_int_equal(world_state(w, second, NULL), STINT_READY);
    assert_good(w);
    world_destroy(&w);
}

static enum stint_why
why_of_job(struct world *w, struct stint_id id)
{
    message_put_why(world_frame(w, CLIENT), 56, (struct slice){0}, &id, 1);
    step(w, 0);
    assert_non_null(world_read(w, CLIENT, MESSAGE_REASONS));
    assert_true(message_next_reason(w->arrays));
    return w->arrays->reason.why;
}

/* As many as there are: when fewer of a group may run than are kept apart, they go one after the
 * other, and before those in line. */
static void
those_that_are_kept_apart_do_not_hold_up_each_other(void **state)
{
    struct world *w = world_of(3);
    struct stint_id ids[4];
    (void)state;
    for (unsigned i = 0; i < 3; i++)
        ids[i] = give(w, "a");
    world_hello_worker(w, 3, 3, 1);
    world_claim(w, 3, NULL, 0);
    struct outcome o = {.id = give(w, NULL), .attempt = 1, .type = OUTCOME_SUCCEEDED};
    assert_int_equal(taken(w, 3).count, 1);
    for (unsigned i = 0; i < 3; i++)
        finish(w, ids[i], 1, OUTCOME_UNABLE);
    assert_int_equal(in_state(w, STINT_READY), 3);
    set_running(w, 1);
    ids[3] = give(w, "a");
    assert_good(w);
    for (unsigned i = 0; i < 3; i++) {
        message_put_settle(world_frame(w, 3), 10 + i, &o, 1, 4);
        step(w, 0);
        struct taken t = taken(w, 3);
        assert_int_equal(t.count, 1);
        assert_int_equal(in_state(w, STINT_READY), 3 - i);
        assert_int_not_equal(id_compare(&t.ids[0], &ids[3]), 0);
        for (unsigned n = 0; n < 4; n++)
            if (world_state(w, ids[n], NULL) == STINT_READY)
                assert_int_equal(why_of_job(w, ids[n]), STINT_WHY_GROUP_FULL);
        o = (struct outcome){.id = t.ids[0], .attempt = t.attempts[0], .type = OUTCOME_SUCCEEDED};
        assert_good(w);
    }
    message_put_settle(world_frame(w, 3), 13, &o, 1, 4);
    step(w, 0);
    assert_int_equal(world_state(w, ids[3], NULL), STINT_RUNNING);
    assert_good(w);
    world_destroy(&w);
}

static void
jobs_that_wait_in_line_go_as_any_others(void **state)
{
    struct world *w = world_of(1);
    (void)state;
    set_running(w, 1);
    struct stint_id id[8];
    for (unsigned i = 0; i < 8; i++)
        id[i] = give(w, i < 6 ? "a" : "b");
    ask(w, MESSAGE_CANCEL, id[1], STINT_OK);
    ask(w, MESSAGE_DELETE, id[2], STINT_OK);
    assert_good(w);
    change(w, id[5], (struct change){.set = CHANGE_PRIORITY, .to.priority = 200}, STINT_OK);
    assert_good(w);
    change(w, id[6], (struct change){.set = CHANGE_QUEUE, .to.queue = text("other")}, STINT_OK);
    assert_good(w);
    change(w, id[3], (struct change){.set = CHANGE_DELAY, .delay_ms = 500}, STINT_OK);
    assert_good(w);
    ask(w, MESSAGE_RETRY, id[1], STINT_OK);
    assert_good(w);
    world_restart(w);
    connect(w, 1);
    step(w, 20000);
    finish(w, id[0], 1, OUTCOME_SUCCEEDED);
    assert_good(w);
    world_destroy(&w);
}

/* ---- lives that are drawn ---- */

static uint64_t
draw(uint64_t *seed, uint64_t most)
{
    *seed = *seed * 6364136223846793005ULL + 1442695040888963407ULL;
    return (*seed >> 33) % most;
}

struct life {
    struct world *w;
    uint64_t seed;
    struct stint_id ids[512];
    uint32_t count;
    uint64_t running; /* of each group, at most */
};

static void
check_life(struct life *l)
{
    uint32_t running[4] = {0};
    if (draw(&l->seed, 4) == 0)
        assert_good(l->w);
    for (uint32_t i = 0; i < l->count; i++) {
        struct stint_job_info info;
        if (world_state(l->w, l->ids[i], &info) == STINT_RUNNING && info.group[0])
            running[info.group[0] - 'a']++;
    }
    for (unsigned i = 0; i < 4 && l->running; i++)
        assert_true(running[i] <= l->running);
}

static void
live(struct life *l)
{
    struct world *w = l->w;
    static const char *const groups[] = {"a", "b", "c", NULL};
    struct stint_id id = l->count ? l->ids[draw(&l->seed, l->count)] : (struct stint_id){{0}};
    uint64_t what = draw(&l->seed, 14);
    struct change c = {.set = 0};
    if (what < 5 && l->count < 512) {
        struct job_spec job = of_group(groups[draw(&l->seed, 4)], "x");
        job.priority = (uint8_t)(100 + draw(&l->seed, 2));
        job.delay_ms = draw(&l->seed, 5) == 0 ? 300 : 0;
        job.keep_ms = draw(&l->seed, 2) ? 0 : KEEP_DEFAULT;
        l->ids[l->count++] = submit(w, job).id;
    } else if (what == 5) {
        c = (struct change){
            .set = CHANGE_PRIORITY, .to.priority = (uint8_t)(100 + draw(&l->seed, 3))};
        message_put_change(world_frame(w, CLIENT), 78, &id, 1, &c);
    } else if (what == 6) {
        c = (struct change){.set = CHANGE_DELAY, .delay_ms = draw(&l->seed, 3) * 200};
        message_put_change(world_frame(w, CLIENT), 78, &id, 1, &c);
    } else if (what < 10) {
        static const enum message_type types[] = {MESSAGE_CANCEL, MESSAGE_RETRY, MESSAGE_DELETE};
        message_put_ids(world_frame(w, CLIENT), types[what - 7], 77, &id, 1, 0);
    } else {
        static const enum outcome_type ends[] = {OUTCOME_SUCCEEDED, OUTCOME_FAILED, OUTCOME_SNOOZED,
            OUTCOME_RETURNED, OUTCOME_DEAD, OUTCOME_UNABLE};
        struct stint_job_info info;
        struct outcome o = {.id = id, .type = ends[draw(&l->seed, 6)], .delay_ms = 100};
        if (world_state(w, id, &info) == STINT_RUNNING) {
            o.attempt = info.attempt;
            message_put_settle(world_frame(w, WORKER), 500, &o, 1, WINDOW_UNCHANGED);
        }
    }
    step(w, draw(&l->seed, 2) * 150);
}

static void
drawn_lives(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 40; seed++) {
        struct life l = {.w = world_of(6), .seed = seed};
        l.running = draw(&l.seed, 4);
        if (l.running > 0)
            set_running(l.w, (uint32_t)l.running);
        if (draw(&l.seed, 3) == 0)
            set_rate(l.w, 18000);
        for (unsigned n = 0; n < 120; n++) {
            live(&l);
            check_life(&l);
            if (draw(&l.seed, 40) == 0) {
                world_restart(l.w);
                memset(numbers, 0, sizeof numbers);
                world_hello_client(l.w, CLIENT, (uint8_t)(100 + n));
                world_with_worker(l.w, 6);
                world_claim(l.w, WORKER, NULL, 0);
                step(l.w, 0);
            }
        }
        assert_good(l.w);
        world_destroy(&l.w);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {FOR(one_of_a_group_runs_at_a_time_in_their_order),
        FOR(a_job_that_is_tried_again_keeps_its_place),
        FOR(where_several_run_one_that_is_tried_again_keeps_no_place),
        FOR(the_most_urgent_of_a_group_goes_first), FOR(limits_that_change_hold_from_now_on),
        FOR(a_change_of_limits_survives_a_restart),
        FOR(a_limit_that_is_lowered_holds_for_who_is_next),
        FOR(who_stands_is_known_by_level_and_number), FOR(groups_take_turns),
        FOR(who_comes_late_takes_turns_from_now_on), FOR(by_their_weights),
        FOR(kinds_that_nobody_handles_hold_up_their_groups_alone),
        FOR(a_queue_tells_what_holds_its_groups_up), FOR(no_group_goes_faster_than_its_rate),
        FOR(a_group_without_jobs_keeps_its_bucket), FOR(a_lost_worker_gives_places_back_in_order),
        FOR(what_is_kept_apart_is_in_line_after_a_restart),
        FOR(those_that_are_kept_apart_do_not_hold_up_each_other),
        FOR(jobs_that_wait_in_line_go_as_any_others), FOR(drawn_lives)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
