/* The line of a group against a list that is sorted each time: jobs come in order and out of it, of
 * one priority and of several, are cancelled, and go; the queue's order is turned round, and what
 * is known of the group is forgotten and read again.
 */
#include "group_line.h"
#include "grouped.h"

#include <stdlib.h>

enum { LINE_MOST = 400, CALLS = 1500 };

struct waiting {
    struct stint_id id;
    uint64_t due_ms; /* 0: it is ready */
};

struct line {
    struct world *w;
    struct waiting jobs[LINE_MOST];
    size_t count;
    struct stint_id runs;
    bool low_first;
    uint64_t now_ms, random;
    unsigned pings;
};

static uint64_t
draw(struct line *l, uint64_t below)
{
    l->random = l->random * 6364136223846793005ULL + 1442695040888963407ULL;
    return (l->random >> 33) % below;
}

static bool
goes_before(const struct line *l, struct stint_id a, struct stint_id b)
{
    uint8_t p = id_priority(&a), q = id_priority(&b);
    return p != q ? (l->low_first ? p < q : p > q) : id_sequence(&a) < id_sequence(&b);
}

static size_t
first_ready(const struct line *l)
{
    size_t first = l->count;
    for (size_t i = 0; i < l->count; i++)
        if (!l->jobs[i].due_ms &&
            (first == l->count || goes_before(l, l->jobs[i].id, l->jobs[first].id)))
            first = i;
    return first;
}

static struct waiting
take_out(struct line *l, size_t i)
{
    struct waiting job = l->jobs[i];
    l->jobs[i] = l->jobs[--l->count];
    return job;
}

static void
expect_next(struct line *l)
{
    size_t first = first_ready(l);
    if (first == l->count)
        memset(&l->runs, 0, sizeof l->runs);
    else
        l->runs = take_out(l, first).id;
}

static bool
none_runs(const struct line *l)
{
    static const struct stint_id none;
    return memcmp(&l->runs, &none, sizeof none) == 0;
}

static void
come(struct line *l, unsigned priorities, unsigned late)
{
    struct job_spec job = of_group("a", "x");
    if (l->count == LINE_MOST)
        return;
    job.priority = (uint8_t)(100 + draw(l, priorities));
    job.delay_ms = late && draw(l, late) == 0 ? 1 + draw(l, 4000) : 0;
    l->jobs[l->count++] =
        (struct waiting){submit(l->w, job).id, job.delay_ms ? l->now_ms + job.delay_ms : 0};
    if (none_runs(l))
        expect_next(l);
}

static void
pass(struct line *l, uint64_t ms)
{
    message_put_ping(world_frame(l->w, WORKER), ++l->pings, WINDOW_UNCHANGED, 0);
    step(l->w, ms);
    step(l->w, 0);
    l->now_ms += ms;
    for (size_t i = 0; i < l->count; i++)
        if (l->jobs[i].due_ms && l->jobs[i].due_ms <= l->now_ms)
            l->jobs[i].due_ms = 0;
    if (none_runs(l))
        expect_next(l);
}

static void
go(struct line *l)
{
    if (none_runs(l))
        return;
    finish(l->w, l->runs, 1, OUTCOME_SUCCEEDED);
    expect_next(l);
}

static void
cancel_one(struct line *l)
{
    if (l->count > 0)
        ask(l->w, MESSAGE_CANCEL, take_out(l, draw(l, l->count)).id, STINT_OK);
}

static void
turn_round(struct line *l)
{
    l->low_first = !l->low_first;
    message_put_set_queue(world_frame(l->w, CLIENT), 77, text("default"),
        l->low_first ? STINT_ORDER_LOW_FIRST : STINT_ORDER_HIGH_FIRST, NULL);
    step(l->w, 0);
    pass(l, 1);
}

static void
check(struct line *l)
{
    struct world *w = l->w;
    struct stint_stats stats;
    core_stats(w->core, &stats);
    size_t ready = 0;
    for (size_t i = 0; i < l->count; i++)
        ready += !l->jobs[i].due_ms;
    assert_int_equal(stats.jobs[STINT_READY], ready);
    assert_int_equal(stats.jobs[STINT_RUNNING], !none_runs(l));
    if (!none_runs(l))
        assert_int_equal(world_state(w, l->runs, NULL), STINT_RUNNING);
    assert_good(w);
}

/* So many in a hundred come; of these, so many priorities, and one in so many comes late. */
struct kind {
    unsigned come, priorities, late, turns;
};

static void
run(const struct kind *kind, uint64_t seed)
{
    struct line l = {.w = world_of(1), .random = seed};
    set_running(l.w, 1);
    for (unsigned call = 0; call < CALLS; call++) {
        bool fills = call < CALLS / 2;
        uint64_t what = draw(&l, 100);
        if (what < (fills ? kind->come : 90 - kind->come))
            come(&l, kind->priorities, kind->late);
        else if (what < 90)
            go(&l);
        else if (what < 94)
            cancel_one(&l);
        else if (what < 97)
            pass(&l, draw(&l, 1500));
        else if (what < 98 && kind->turns)
            turn_round(&l);
        else
            set_running(l.w, 1); /* all that is known of groups is forgotten */
        if (call % 8 == 0)
            check(&l);
    }
    while (l.count > 0 || !none_runs(&l)) {
        pass(&l, 1000);
        go(&l);
        check(&l);
    }
    assert_groups(l.w, 0);
    assert_int_equal(store_model_count(l.w->store, STORE_GROUP_LINES), 0);
    world_destroy(&l.w);
}

static void
run_some(const struct kind *kind)
{
    for (uint64_t seed = 1; seed <= 8; seed++)
        run(kind, seed);
}

static void
a_line_in_order(void **state)
{
    (void)state;
    run_some(&(struct kind){.come = 75, .priorities = 1});
}

static void
a_line_whose_jobs_come_late(void **state)
{
    (void)state;
    run_some(&(struct kind){.come = 70, .priorities = 1, .late = 3});
}

static void
a_line_of_many_priorities_whose_order_turns(void **state)
{
    (void)state;
    run_some(&(struct kind){.come = 70, .priorities = 3, .late = 5, .turns = 1});
}

/* What comes in order is written as rows of many, and most of it never. */
static void
jobs_in_order_cost_few_rows(void **state)
{
    struct line l = {.w = world_of(1), .random = 1};
    (void)state;
    set_running(l.w, 1);
    for (unsigned i = 0; i < 1 + GROUP_PLACES; i++)
        come(&l, 1, 0);
    assert_int_equal(store_model_count(l.w->store, STORE_GROUP_LINES), 0);
    for (unsigned i = 0; i < 10 * GROUP_PLACES; i++)
        come(&l, 1, 0);
    assert_int_equal(store_model_count(l.w->store, STORE_GROUP_LINES), 9);
    while (!none_runs(&l)) {
        go(&l);
        check(&l);
    }
    world_destroy(&l.w);
}

/* Only a damaged store brings one a second time. */
static void
one_that_is_there_already_comes_once(void **state)
{
    enum { JOBS = 4 * GROUP_PLACES };
    struct world *w = world_of(1);
    struct stint_id id = give(w, "other");
    uint8_t priority;
    uint64_t sequence, count = 0;
    (void)state;
    w->store->ops->begin(w->store);
    struct queue *q = book_queue_by_number(&w->core->book, id_queue(&id));
    struct group *g = group_get(w->core, q, text("a"));
    for (uint64_t i = 1; i <= JOBS; i++)
        group_line_add(w->core, g, 100, i);
    for (uint64_t i = 1 + GROUP_PLACES; i <= JOBS - GROUP_PLACES; i++)
        group_line_add(w->core, g, 100, i);
    for (; group_line_first(w->core, g, &priority, &sequence); count++) {
        assert_int_equal(sequence, count + 1);
        assert_true(group_line_remove(w->core, g, priority, sequence));
    }
    assert_int_equal(count, JOBS);
    w->store->ops->abort(w->store);
    world_destroy(&w);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_line_in_order),
        cmocka_unit_test(a_line_whose_jobs_come_late),
        cmocka_unit_test(a_line_of_many_priorities_whose_order_turns),
        cmocka_unit_test(jobs_in_order_cost_few_rows),
        cmocka_unit_test(one_that_is_there_already_comes_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
