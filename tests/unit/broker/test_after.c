/* Jobs that wait for others: when they run, what becomes of them when one of those ends otherwise,
 * and that a graph is stored as a whole or not at all. Large graphs are in test_after_graph.c.
 */
#include "keyed.h"
#include "rows.h"
#include "waiting.h"

#include <stdio.h>

enum { WORKER = 2, SOON = 5000 };

static void
step(struct world *w, uint64_t ms)
{
    assert_int_equal(world_step(w, ms), STINT_OK);
}

static struct world *
world_with_both(uint32_t slots)
{
    struct world *w = world_new(NULL);
    world_with_client(w);
    if (slots > 0) {
        world_with_worker(w, slots);
        world_claim(w, WORKER, NULL, 0);
        step(w, 0);
    }
    return w;
}

static void
finish(struct world *w)
{
    waiting_verify(w);
    assert_true(world_replays(w));
    world_destroy(&w);
    waiting_done();
}

static enum stint_status
ask(struct world *w, enum message_type what, struct stint_id id)
{
    message_put_ids(world_frame(w, WAITING_CLIENT), what, 6, &id, 1, 0);
    step(w, 0);
    assert_non_null(world_read(w, WAITING_CLIENT, MESSAGE_ANSWERS));
    return w->arrays->statuses[0];
}

static enum stint_status
change(struct world *w, struct stint_id id, struct change c)
{
    message_put_change(world_frame(w, WAITING_CLIENT), 9, &id, 1, &c);
    step(w, 0);
    assert_non_null(world_read(w, WAITING_CLIENT, MESSAGE_ANSWERS));
    return w->arrays->statuses[0];
}

static void
end(struct world *w, struct stint_id id, enum outcome_type how)
{
    struct outcome o = {.id = id, .attempt = 1, .type = how};
    message_put_settle(world_frame(w, WORKER), 9, &o, 1, WINDOW_UNCHANGED);
    step(w, 0);
}

static bool
is_handed_out(struct world *w, struct stint_id id)
{
    for (size_t i = 0; world_next(w, WORKER, &i);)
        if (w->message.type == MESSAGE_DISPATCH)
            for (uint32_t j = 0; j < w->message.count; j++)
                if (id_compare(&w->arrays->dispatched[j].id, &id) == 0)
                    return true;
    return false;
}

static void
assert_no_links(struct world *w)
{
    assert_int_equal(store_model_count(w->store, STORE_FOLLOWERS), 0);
    assert_int_equal(store_model_count(w->store, STORE_ENDED), 0);
}

static void
one_is_handed_out_in_the_step_in_which_the_last_of_its_parents_succeeds(void **state)
{
    struct world *w = world_with_both(8);
    struct stint_id parents[2];
    struct stint_job_info info;
    (void)state;
    parents[0] = waiting_submit_one(w, 1, world_job("a"));
    parents[1] = waiting_submit_one(w, 2, world_job("b"));
    struct job_spec job = waiting_job("child", parents, 2);
    job.keep_ms = 0;
    struct stint_id id = waiting_submit_one(w, 3, job);
    assert_false(is_handed_out(w, id));
    assert_int_equal(world_state(w, id, &info), STINT_BLOCKED);
    assert_int_equal(info.after, 2);
    assert_int_equal(info.after_flags, 0);
    end(w, parents[1], OUTCOME_SUCCEEDED);
    assert_false(is_handed_out(w, id));
    assert_int_equal(world_state(w, id, &info), STINT_BLOCKED);
    assert_int_equal(info.after, 1);
    end(w, parents[0], OUTCOME_SUCCEEDED);
    assert_true(is_handed_out(w, id));
    struct dispatched_job d = w->arrays->dispatched[0];
    assert_int_equal(d.after.size, sizeof parents); /* it is told what it was after */
    assert_memory_equal(d.after.data, parents, sizeof parents);
    assert_no_links(w);
    end(w, id, OUTCOME_SUCCEEDED);
    assert_int_equal(world_state(w, id, NULL), STINT_UNKNOWN); /* it was to be forgotten */
    assert_int_equal(store_model_count(w->store, STORE_PARENTS), 0);
    finish(w);
}

static void
what_becomes_of_it_is_decided_by_how_its_parent_ends(void **state)
{
    enum way { SUCCEEDS, DIES, CANCELLED, DELETED, EXPIRES, FAILS, WAYS };
    static const enum stint_state plain[WAYS] = {[SUCCEEDS] = STINT_READY,
        [DIES] = STINT_CANCELLED_JOB,
        [CANCELLED] = STINT_CANCELLED_JOB,
        [DELETED] = STINT_CANCELLED_JOB,
        [EXPIRES] = STINT_CANCELLED_JOB,
        [FAILS] = STINT_BLOCKED};
    (void)state;
    for (unsigned n = 0; n < 2 * (unsigned)WAYS; n++) {
        enum way way = (enum way)(n / 2);
        bool any = n % 2, runs = way == SUCCEEDS || way == DIES || way == FAILS;
        struct world *w = world_with_both(runs ? 1 : 0);
        struct job_spec parent = world_job("parent"), other = world_job("other");
        struct stint_job_info info;
        parent.expires_in_ms = way == EXPIRES ? SOON : 0;
        struct stint_id first = waiting_submit_one(w, 1, parent);
        other.queue = text("nobody");
        struct stint_id never = waiting_submit_one(w, 2, other);
        struct job_spec job = waiting_job("child", &first, 1);
        job.after_flags = any ? AFTER_ANY : 0;
        struct stint_id id = waiting_submit_one(w, 3, job);
        struct stint_id both[2] = {never, first};
        struct stint_id waits_on = waiting_submit_one(w, 4, waiting_job("child of two", both, 2));
        if (runs)
            end(w, first,
                way == SUCCEEDS   ? OUTCOME_SUCCEEDED
                    : way == DIES ? OUTCOME_DEAD
                                  : OUTCOME_FAILED);
        else if (way == EXPIRES)
            step(w, SOON);
        else
            assert_int_equal(
                ask(w, way == DELETED ? MESSAGE_DELETE : MESSAGE_CANCEL, first), STINT_OK);
        enum stint_state expected = plain[way];
        if (any && way != FAILS)
            expected = STINT_READY;
        if (expected == STINT_READY && runs)
            expected = STINT_RUNNING;
        assert_int_equal(world_state(w, id, &info), expected);
        if (expected == STINT_CANCELLED_JOB)
            assert_non_null(strstr(info.error, "has not succeeded"));
        assert_int_equal(world_state(w, waits_on, NULL),
            way == SUCCEEDS || way == FAILS ? STINT_BLOCKED : STINT_CANCELLED_JOB);
        assert_int_equal(store_model_count(w->store, STORE_FOLLOWERS),
            way == SUCCEEDS    ? 1
                : way == FAILS ? 3
                               : 0);
        finish(w);
    }
}

static void
a_parent_that_has_ended_before_counts_as_it_ended(void **state)
{
    struct world *w = world_with_both(8);
    (void)state;
    struct stint_id good = waiting_submit_one(w, 1, world_job("a")),
                    bad = waiting_submit_one(w, 2, world_job("b")),
                    waits = waiting_submit_one(w, 3, world_job("c"));
    end(w, good, OUTCOME_SUCCEEDED);
    end(w, bad, OUTCOME_DEAD);
    struct stint_id runs = waiting_submit_after(w, 4, good), dies = waiting_submit_after(w, 5, bad);
    assert_int_equal(world_state(w, runs, NULL), STINT_RUNNING);
    assert_int_equal(world_state(w, dies, NULL), STINT_CANCELLED_JOB);
    struct job_spec any = waiting_job("x", &bad, 1);
    any.after_flags = AFTER_ANY;
    assert_int_equal(world_state(w, waiting_submit_one(w, 6, any), NULL), STINT_RUNNING);
    struct stint_id three[] = {
        waits, bad, waits}; /* it does not wait for the one that runs still */
    for (unsigned i = 0; i < 2; i++)
        assert_int_equal(
            world_state(w, waiting_submit_one(w, 7 + i, waiting_job("x", three + i, 2)), NULL),
            STINT_CANCELLED_JOB);
    assert_no_links(w);
    finish(w);
}

static void
it_is_told_as_a_submission_and_then_as_a_cancellation(void **state)
{
    struct world *w = world_with_both(0);
    (void)state;
    struct stint_id bad = waiting_submit_one(w, 1, world_job("b"));
    struct stint_id child = waiting_submit_after(w, 2, bad);
    message_put_subscribe(world_frame(w, WAITING_CLIENT), 70, (struct slice){0}, 0, NULL, 0);
    message_put_ids(world_frame(w, WAITING_CLIENT), MESSAGE_WAIT, 5, &child, 1, 0);
    step(w, 0);
    assert_int_equal(ask(w, MESSAGE_CANCEL, bad), STINT_OK);
    assert_non_null(world_read(w, WAITING_CLIENT, MESSAGE_OUTCOMES));
    assert_true(message_next_job(w->arrays));
    assert_int_equal(w->arrays->info.state, STINT_CANCELLED_JOB);
    assert_non_null(world_read(w, WAITING_CLIENT, MESSAGE_EVENTS));
    assert_int_equal(w->message.count, 2); /* of both */
    assert_int_equal(w->arrays->events[1].type, STINT_EVENT_CANCELLED);
    assert_memory_equal(&w->arrays->events[1].id, &child, sizeof child);
    (void)waiting_submit_after(w, 3, bad);
    assert_non_null(world_read(w, WAITING_CLIENT, MESSAGE_EVENTS));
    assert_int_equal(w->message.count, 2);
    assert_int_equal(w->arrays->events[0].type, STINT_EVENT_SUBMITTED);
    assert_int_equal(w->arrays->events[1].type, STINT_EVENT_CANCELLED);
    finish(w);
}

/* By an id, and by a place in its message. */
static void
one_that_is_not_known_is_refused_and_nothing_is_stored(void **state)
{
    struct world *w = world_with_both(1);
    struct job_spec jobs[2];
    struct stint_id ids[2], gone, none = id_make(0, 1, DEFAULT_PRIORITY, 99);
    struct job_spec short_lived = world_job("x");
    (void)state;
    short_lived.keep_ms = 0;
    gone = waiting_submit_one(w, 1, short_lived);
    end(w, gone, OUTCOME_SUCCEEDED);
    struct stint_id unknown[] = {none, gone, id_make(7, 1, DEFAULT_PRIORITY, 1), {{0}}};
    for (unsigned i = 0; i < 4; i++) {
        jobs[0] = world_job("first");
        jobs[1] = waiting_job("second", &unknown[i], 1);
        assert_int_equal(waiting_submit(w, 2, jobs, 2, ids), STINT_NO_SUCH_JOB);
        assert_int_equal(w->arrays->answers[0].index, 1);
    }
    struct stint_stats stats;
    core_stats(w->core, &stats);
    assert_int_equal(stats.submitted, 1);
    for (unsigned i = 1; i < 3; i++) { /* itself, and one behind it */
        jobs[0] = waiting_job_behind("first", (uint32_t[]){i - 1}, 1);
        jobs[1] = world_job("second");
        world_submit(w, WAITING_CLIENT, 2, jobs, 2);
        step(w, 0);
        assert_non_null(world_read(w, WAITING_CLIENT, MESSAGE_ERROR));
        assert_int_equal(w->message.error.status, STINT_INVALID);
    }
    core_stats(w->core, &stats);
    assert_int_equal(stats.submitted, 1);
    finish(w);
}

static void
a_graph_comes_in_one_message(void **state)
{
    struct world *w = world_with_both(8);
    struct job_spec jobs[4] = {world_job("root")};
    struct stint_id ids[4];
    (void)state;
    jobs[1] = waiting_job_behind("left", (uint32_t[]){0}, 1);
    jobs[2] = waiting_job_behind("right", (uint32_t[]){0, 0}, 2); /* once is enough */
    jobs[3] = waiting_job_behind("join", (uint32_t[]){1, 2, 0}, 3);
    assert_int_equal(waiting_submit(w, 1, jobs, 4, ids), STINT_OK);
    assert_true(is_handed_out(w, ids[0]));
    end(w, ids[0], OUTCOME_SUCCEEDED);
    assert_true(is_handed_out(w, ids[1]) && is_handed_out(w, ids[2]));
    end(w, ids[1], OUTCOME_SUCCEEDED);
    assert_false(is_handed_out(w, ids[3]));
    end(w, ids[2], OUTCOME_SUCCEEDED);
    assert_true(is_handed_out(w, ids[3]));
    assert_no_links(w);
    finish(w);
}

/* A message that is sent again is answered as it was, and adds nothing. */
static void
a_graph_that_is_sent_again_is_the_same_one(void **state)
{
    struct world *w = world_with_both(0);
    struct job_spec jobs[2] = {world_job("root")};
    struct stint_id ids[2], again[2];
    (void)state;
    jobs[1] = waiting_job_behind("leaf", (uint32_t[]){0}, 1);
    assert_int_equal(waiting_submit(w, 1, jobs, 2, ids), STINT_OK);
    assert_int_equal(waiting_submit(w, 1, jobs, 2, again), STINT_OK);
    assert_memory_equal(ids, again, sizeof ids);
    assert_int_equal(store_model_count(w->store, STORE_FOLLOWERS), 1);
    finish(w);
}

static void
there_is_a_limit_to_what_one_may_wait_for(void **state)
{
    enum { MOST = LIMIT_AFTER, FULL = LIMIT_AFTER_ALL / LIMIT_AFTER };
    static struct job_spec jobs[MOST + FULL + 2];
    static struct stint_id ids[MOST + FULL + 2];
    static uint32_t places[MOST + 1];
    struct world *w = world_with_both(0);
    (void)state;
    for (uint32_t i = 0; i <= MOST; i++) {
        jobs[i] = world_job("x");
        places[i] = i;
    }
    jobs[MOST + 1] = waiting_job_behind("join", places, MOST + 1);
    world_submit(w, WAITING_CLIENT, 1, jobs, MOST + 2);
    step(w, 0);
    assert_non_null(world_read(w, WAITING_CLIENT, MESSAGE_ERROR));
    assert_int_equal(w->message.error.status, STINT_TOO_LARGE);
    for (uint32_t i = 0; i <= FULL; i++)
        jobs[MOST + i] = waiting_job_behind("join", places, MOST);
    assert_int_equal(waiting_submit(w, 1, jobs, MOST + FULL + 1, ids), STINT_TOO_LARGE);
    assert_int_equal(w->arrays->answers[0].index, MOST + FULL);
    assert_int_equal(waiting_submit(w, 1, jobs, MOST + FULL, ids), STINT_OK);
    assert_int_equal(store_model_count(w->store, STORE_FOLLOWERS), FULL * MOST);
    struct stint_job_info info;
    (void)world_state(w, ids[MOST], &info);
    assert_int_equal(info.after, MOST);
    assert_int_equal(ask(w, MESSAGE_CANCEL, ids[MOST]), STINT_OK); /* its rows go with it */
    assert_int_equal(store_model_count(w->store, STORE_FOLLOWERS), (FULL - 1) * MOST);
    finish(w);
}

static void
its_time_counts_from_its_submission(void **state)
{
    struct world *w = world_with_both(8);
    (void)state;
    struct stint_id parent = waiting_submit_one(w, 1, world_job("a"));
    struct job_spec later = waiting_job("later", &parent, 1), due = later;
    later.delay_ms = 2 * SOON;
    due.delay_ms = SOON;
    struct stint_id waits = waiting_submit_one(w, 2, later), ready = waiting_submit_one(w, 3, due);
    step(w, SOON);
    assert_int_equal(world_state(w, ready, NULL), STINT_BLOCKED);
    assert_int_equal(store_model_count(w->store, STORE_DUE), 0);
    end(w, parent, OUTCOME_SUCCEEDED);
    assert_true(is_handed_out(w, ready));
    assert_int_equal(world_state(w, waits, NULL), STINT_SCHEDULED);
    step(w, SOON - 1);
    assert_false(is_handed_out(w, waits));
    step(w, 1);
    assert_true(is_handed_out(w, waits));
    finish(w);
}

static void
it_may_be_put_off_and_promoted_and_stays_blocked(void **state)
{
    struct world *w = world_with_both(8);
    struct stint_job_info info;
    (void)state;
    struct stint_id parent = waiting_submit_one(w, 1, world_job("a")),
                    id = waiting_submit_after(w, 2, parent);
    assert_int_equal(
        change(w, id, (struct change){.set = CHANGE_DELAY, .delay_ms = SOON}), STINT_OK);
    assert_int_equal(world_state(w, id, &info), STINT_BLOCKED);
    assert_true(info.due_ms > 0);
    assert_int_equal(change(w, id, (struct change){.set = CHANGE_DELAY}), STINT_OK);
    assert_int_equal(world_state(w, id, &info), STINT_BLOCKED);
    assert_int_equal(info.due_ms, 0);
    end(w, parent, OUTCOME_SUCCEEDED);
    assert_true(is_handed_out(w, id));
    finish(w);
}

static void
one_that_waits_for_others_expires_and_tells_its_own_followers(void **state)
{
    struct world *w = world_with_both(8);
    (void)state;
    struct stint_id parent = waiting_submit_one(w, 1, world_job("a"));
    struct job_spec job = waiting_job("child", &parent, 1);
    job.expires_in_ms = SOON;
    struct stint_id id = waiting_submit_one(w, 2, job), grandchild = waiting_submit_after(w, 3, id);
    step(w, SOON);
    assert_int_equal(world_state(w, id, NULL), STINT_EXPIRED);
    assert_int_equal(world_state(w, grandchild, NULL), STINT_CANCELLED_JOB);
    assert_no_links(w);
    end(w, parent, OUTCOME_SUCCEEDED);
    assert_int_equal(world_state(w, id, NULL), STINT_EXPIRED);
    finish(w);
}

/* Ids stay, wherever jobs are moved. */
static void
parents_and_followers_may_be_moved(void **state)
{
    struct world *w = world_with_both(0);
    struct change to = {.set = CHANGE_QUEUE, .to = {.queue = text("other")}};
    struct change prio = {.set = CHANGE_PRIORITY, .to = {.priority = 7}};
    (void)state;
    struct stint_id parent = waiting_submit_one(w, 1, world_job("a")),
                    id = waiting_submit_after(w, 2, parent);
    assert_int_equal(change(w, parent, to), STINT_OK);
    assert_int_equal(change(w, id, to), STINT_OK);
    assert_int_equal(change(w, id, prio), STINT_OK);
    assert_int_equal(world_state(w, id, NULL), STINT_BLOCKED);
    struct stint_id second = waiting_submit_after(w, 3, parent);
    waiting_verify(w);
    world_restart(w);
    world_with_client(w);
    assert_int_equal(ask(w, MESSAGE_CANCEL, parent), STINT_OK);
    assert_int_equal(world_state(w, id, NULL), STINT_CANCELLED_JOB);
    assert_int_equal(world_state(w, second, NULL), STINT_CANCELLED_JOB);
    assert_int_equal(ask(w, MESSAGE_RETRY, id), STINT_OK);
    assert_int_equal(ask(w, MESSAGE_DELETE, id), STINT_OK);
    assert_int_equal(ask(w, MESSAGE_DELETE, second), STINT_OK);
    assert_int_equal(store_model_count(w->store, STORE_PARENTS), 0);
    assert_no_links(w);
    finish(w);
}

static void
a_retry_of_a_parent_brings_nobody_back_and_one_of_a_child_lets_it_run(void **state)
{
    struct world *w = world_with_both(8);
    struct stint_job_info info;
    (void)state;
    struct stint_id parent = waiting_submit_one(w, 1, world_job("a")),
                    id = waiting_submit_after(w, 2, parent);
    end(w, parent, OUTCOME_DEAD);
    assert_int_equal(world_state(w, id, NULL), STINT_CANCELLED_JOB);
    assert_int_equal(ask(w, MESSAGE_RETRY, parent), STINT_OK);
    assert_true(is_handed_out(w, parent));
    assert_int_equal(world_state(w, id, NULL), STINT_CANCELLED_JOB);
    assert_int_equal(ask(w, MESSAGE_RETRY, id), STINT_OK);
    assert_true(is_handed_out(w, id)); /* it waits for nobody, and is told what it was after */
    struct dispatched_job d = world_dispatched(w, WORKER);
    assert_memory_equal(d.after.data, &parent, sizeof parent);
    (void)world_state(w, id, &info);
    assert_int_equal(info.after, 0);
    struct stint_id late = waiting_submit_after(w, 3, parent); /* of its second life */
    assert_int_equal(world_state(w, late, NULL), STINT_BLOCKED);
    struct outcome o = {.id = parent, .attempt = 2, .type = OUTCOME_SUCCEEDED};
    message_put_settle(world_frame(w, WORKER), 11, &o, 1, WINDOW_UNCHANGED);
    step(w, 0);
    assert_true(is_handed_out(w, late));
    finish(w);
}

static void
one_with_a_unique_key_holds_it_while_it_is_blocked(void **state)
{
    struct world *w = world_with_both(0);
    struct stint_job_info info;
    (void)state;
    struct stint_id parent = waiting_submit_one(w, 1, world_job("a")),
                    other = waiting_submit_one(w, 2, world_job("b"));
    struct job_spec job = waiting_job("first", &parent, 1);
    job.unique = text("key");
    struct stint_id id = waiting_submit_one(w, 3, job);
    struct job_spec again = waiting_job("second", &other, 1);
    again.unique = text("key");
    again.unique_flags = UNIQUE_REPLACE | UNIQUE_MOVE;
    again.delay_ms = SOON;
    struct stint_id met = waiting_submit_one(w, 4, again);
    assert_memory_equal(&met, &id, sizeof id);
    assert_int_equal(world_state(w, id, &info), STINT_BLOCKED);
    assert_memory_equal(info.payload, "second", 6); /* its payload and time, not its parents */
    assert_true(info.due_ms > 0);
    assert_int_equal(info.after, 1);
    assert_int_equal(ask(w, MESSAGE_CANCEL, other), STINT_OK);
    assert_int_equal(world_state(w, id, NULL), STINT_BLOCKED);
    assert_int_equal(ask(w, MESSAGE_CANCEL, parent), STINT_OK);
    assert_int_equal(world_state(w, id, NULL), STINT_CANCELLED_JOB);
    struct stint_id fresh = waiting_submit_one(w, 5, again); /* after one that was cancelled */
    assert_memory_not_equal(&fresh, &id, sizeof id);
    assert_int_equal(world_state(w, fresh, NULL), STINT_CANCELLED_JOB);
    assert_int_equal(ask(w, MESSAGE_RETRY, id), STINT_OK); /* so its key is free again */
    finish(w);
}

/* What stands before it in its message may have met a key that is there: it is after that one then,
 * or, if it has succeeded and is gone, after nobody. */
static void
it_may_be_after_one_that_met_a_key(void **state)
{
    (void)state;
    for (unsigned succeeded = 0; succeeded < 2; succeeded++) {
        struct world *w = world_with_both(8);
        struct job_spec jobs[2] = {world_job("holds")};
        struct stint_id first, ids[2];
        jobs[0].unique = text("key");
        jobs[0].unique_for_ms = SOON;
        jobs[0].keep_ms = 0;
        first = waiting_submit_one(w, 1, jobs[0]);
        if (succeeded)
            end(w, first, OUTCOME_SUCCEEDED);
        jobs[1] = waiting_job_behind("child", (uint32_t[]){0}, 1);
        assert_int_equal(waiting_submit(w, 2, jobs, 2, ids), STINT_OK);
        assert_memory_equal(&ids[0], &first, sizeof first);
        assert_int_equal(world_state(w, ids[1], NULL), succeeded ? STINT_RUNNING : STINT_BLOCKED);
        if (!succeeded)
            end(w, first, OUTCOME_SUCCEEDED);
        assert_int_equal(world_state(w, ids[1], NULL), STINT_RUNNING);
        finish(w);
    }
}

/* One that is forgotten at success, and runs already when it gets a follower. */
static void
a_parent_that_is_forgotten_at_success_tells_its_followers(void **state)
{
    struct world *w = world_with_both(8);
    struct job_spec job = world_job("a");
    (void)state;
    job.keep_ms = 0;
    struct stint_id parent = waiting_submit_one(w, 1, job);
    assert_true(is_handed_out(w, parent));
    struct stint_id id = waiting_submit_after(w, 2, parent);
    end(w, parent, OUTCOME_SUCCEEDED);
    assert_true(is_handed_out(w, id));
    assert_int_equal(world_state(w, parent, NULL), STINT_UNKNOWN);
    parent = waiting_submit_one(w, 3, job); /* the same through a restart */
    id = waiting_submit_after(w, 4, parent);
    world_restart(w);
    world_with_client(w);
    struct lease_ref lease = {.id = parent, .attempt = 1, .begun = true};
    world_hello_worker(w, WORKER, 2, 8);
    world_claim(w, WORKER, &lease, 1);
    step(w, 0);
    end(w, parent, OUTCOME_SUCCEEDED);
    assert_true(is_handed_out(w, id));
    finish(w);
}

static void
why_lists_filters_and_bulk_operations_know_them(void **state)
{
    struct world *w = world_with_both(0);
    struct message list = {.type = MESSAGE_LIST};
    (void)state;
    struct stint_id parent = waiting_submit_one(w, 1, world_job("a")),
                    id = waiting_submit_after(w, 2, parent);
    message_put_why(world_frame(w, WAITING_CLIENT), 7, (struct slice){0}, &id, 1);
    step(w, 0);
    assert_non_null(world_read(w, WAITING_CLIENT, MESSAGE_REASONS));
    assert_true(message_next_reason(w->arrays));
    assert_int_equal(w->arrays->reason.why, STINT_WHY_AFTER);
    assert_int_equal(w->arrays->reason.before, 1);
    list.list.states = STINT_STATE_BIT(STINT_BLOCKED);
    message_put_list(world_frame(w, WAITING_CLIENT), 8, &list);
    step(w, 0);
    assert_non_null(world_read(w, WAITING_CLIENT, MESSAGE_JOBS));
    assert_int_equal(w->message.count, 1);
    struct job_spec moved = waiting_job("x", &parent, 1);
    moved.queue = text("other");
    struct stint_id alone = waiting_submit_one(w, 3, moved);
    message_put_why(world_frame(w, WAITING_CLIENT), 9, text("other"), NULL, 0);
    step(w, 0);
    assert_non_null(world_read(w, WAITING_CLIENT, MESSAGE_REASONS));
    assert_true(message_next_reason(w->arrays));
    assert_int_equal(w->arrays->reason.why, STINT_WHY_AFTER);
    assert_int_equal(w->arrays->reason.before, 1);
    struct filter blocked = {.count = 1,
        .terms = {{FILTER_STATE, FILTER_IS, STINT_STATE_BIT(STINT_BLOCKED), {NULL, 0}}}};
    struct pack_buffer b = {NULL, 0, 0};
    filter_write(&b, &blocked);
    struct bulk_request some = {
        .bulk = 5, .action = STINT_BULK_CANCEL, .priority = -1, .filter = {b.data, b.used}};
    message_put_bulk(world_frame(w, WAITING_CLIENT), 10, &some);
    for (unsigned i = 0; i < 5; i++)
        step(w, 1);
    pack_buffer_free(&b);
    assert_int_equal(world_state(w, id, NULL), STINT_CANCELLED_JOB);
    assert_int_equal(world_state(w, alone, NULL), STINT_CANCELLED_JOB);
    assert_int_equal(world_state(w, parent, NULL), STINT_READY);
    finish(w);
}

/* Blocked jobs take room as all that wait do. */
static void
they_count_as_waiting(void **state)
{
    struct core_options o;
    struct job_spec jobs[3] = {world_job("root")};
    struct stint_id ids[3];
    (void)state;
    core_options_init(&o);
    o.max.backlog = 2;
    for (unsigned of_queue = 0; of_queue < 2; of_queue++) {
        struct world *w = world_new(&o);
        world_with_client(w);
        jobs[1] = waiting_job_behind("leaf", (uint32_t[]){0}, 1);
        assert_int_equal(waiting_submit(w, 1, jobs, 2, ids), STINT_OK);
        jobs[2] = world_job("more");
        assert_int_equal(waiting_submit(w, 2, &jobs[2], 1, ids),
            of_queue ? STINT_QUEUE_FULL : STINT_BACKLOG_FULL);
        world_restart(w);
        world_with_client(w);
        assert_int_equal(waiting_submit(w, 2, &jobs[2], 1, ids),
            of_queue ? STINT_QUEUE_FULL : STINT_BACKLOG_FULL);
        finish(w);
        o.max.backlog = 0;
        o.max.queue_backlog = 2;
    }
}

static void
a_key_is_needed_for_the_queue_of_a_parent(void **state)
{
    struct world *w = a_world_with_two_queues();
    struct grant g = grant_of("clerk", RIGHT_SUBMIT, "mail.*");
    struct stint_id mail = id_make(0, 1, DEFAULT_PRIORITY, 1),
                    pay = id_make(0, 2, DEFAULT_PRIORITY, 1),
                    none = id_make(0, 2, DEFAULT_PRIORITY, 77);
    const struct stint_id parents[] = {mail, pay, none};
    (void)state;
    w->grants[KEYED] = &g;
    put_hello(w, KEYED, ROLE_CLIENT, "mail.in");
    step(w, 0);
    for (unsigned i = 0; i < 3; i++) {
        struct job_spec job = waiting_job("x", &parents[i], 1);
        job.queue = text("mail.in");
        world_submit(w, KEYED, 1 + (i > 0), &job, 1);
        step(w, 0);
        assert_int_equal(status_told(w, MESSAGE_SUBMITTED), i == 0 ? STINT_OK : STINT_DENIED);
    }
    finish(w);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_is_handed_out_in_the_step_in_which_the_last_of_its_parents_succeeds),
        cmocka_unit_test(what_becomes_of_it_is_decided_by_how_its_parent_ends),
        cmocka_unit_test(a_parent_that_has_ended_before_counts_as_it_ended),
        cmocka_unit_test(it_is_told_as_a_submission_and_then_as_a_cancellation),
        cmocka_unit_test(one_that_is_not_known_is_refused_and_nothing_is_stored),
        cmocka_unit_test(a_graph_comes_in_one_message),
        cmocka_unit_test(a_graph_that_is_sent_again_is_the_same_one),
        cmocka_unit_test(there_is_a_limit_to_what_one_may_wait_for),
        cmocka_unit_test(its_time_counts_from_its_submission),
        cmocka_unit_test(it_may_be_put_off_and_promoted_and_stays_blocked),
        cmocka_unit_test(one_that_waits_for_others_expires_and_tells_its_own_followers),
        cmocka_unit_test(parents_and_followers_may_be_moved),
        cmocka_unit_test(a_retry_of_a_parent_brings_nobody_back_and_one_of_a_child_lets_it_run),
        cmocka_unit_test(one_with_a_unique_key_holds_it_while_it_is_blocked),
        cmocka_unit_test(it_may_be_after_one_that_met_a_key),
        cmocka_unit_test(a_parent_that_is_forgotten_at_success_tells_its_followers),
        cmocka_unit_test(why_lists_filters_and_bulk_operations_know_them),
        cmocka_unit_test(they_count_as_waiting),
        cmocka_unit_test(a_key_is_needed_for_the_queue_of_a_parent),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
