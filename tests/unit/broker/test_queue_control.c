/* Control of queues: nothing of a paused one is handed out, a closed one takes no new jobs, and an
 * empty one can be removed. What is set lasts, and no job is lost by it.
 */
#include "keyed.h"

#include <stdio.h>

enum { CLIENT = 1, WORKER = 2, SECOND = 3 };

static void
step(struct world *w, uint64_t ms)
{
    assert_int_equal(world_step(w, ms), STINT_OK);
}

/* A worker of two queues with so many slots, and a window that is wider. */
static void
greet(struct world *w, uint32_t peer, uint32_t slots, uint32_t window)
{
    const struct slice queues[] = {text("mail"), text("other")};
    struct hello h = {.version_min = 1,
        .version_max = 1,
        .role = ROLE_WORKER,
        .name = text("worker"),
        .software = text("test"),
        .slots = slots,
        .window = window,
        .queues = 2};
    memset(h.session, (int)peer, sizeof h.session);
    message_put_hello(world_frame(w, peer), &h, queues, NULL, NULL);
}

static struct world *
world_with_workers(uint32_t slots, uint32_t window)
{
    struct world *w = world_new(NULL);
    world_with_client(w);
    greet(w, WORKER, slots, window);
    world_claim(w, WORKER, NULL, 0);
    step(w, 0);
    return w;
}

static void
put_set(struct world *w, const char *queue, enum stint_queue_action action)
{
    message_put_set_queue(world_frame(w, CLIENT), 77, text(queue), action, NULL);
}

/* How it stands then. */
static struct stint_queue_setting
set(struct world *w, const char *queue, enum stint_queue_action action)
{
    put_set(w, queue, action);
    step(w, 0);
    const struct message *m = world_read(w, CLIENT, MESSAGE_QUEUE);
    assert_non_null(m);
    assert_int_equal(m->number, 77);
    return m->queue;
}

static void
expect_refused(
    struct world *w, const char *queue, enum stint_queue_action action, enum stint_status status)
{
    put_set(w, queue, action);
    step(w, 0);
    assert_non_null(world_read(w, CLIENT, MESSAGE_ERROR));
    assert_int_equal(w->message.error.status, status);
    assert_true(w->message.error.detail.size > 10);
    assert_null(world_read(w, CLIENT, MESSAGE_QUEUE));
}

static void
submit(struct world *w, uint64_t number, const char *queue, uint32_t count)
{
    struct job_spec jobs[8];
    for (uint32_t i = 0; i < count; i++) {
        jobs[i] = world_job("payload");
        jobs[i].queue = text(queue);
    }
    world_submit(w, CLIENT, number, jobs, count);
}

static void
submit_now(struct world *w, uint64_t number, const char *queue, uint32_t count)
{
    submit(w, number, queue, count);
    step(w, 0);
    assert_non_null(world_read(w, CLIENT, MESSAGE_SUBMITTED));
    assert_int_equal(w->arrays->answers[0].status, STINT_OK);
}

static struct stint_id
job(uint32_t queue, uint64_t sequence)
{
    return id_make(0, queue, DEFAULT_PRIORITY, sequence);
}

/* Of the queue with that name, as QUEUES tells it; false: it is not told. */
static bool
look(struct world *w, const char *name, struct stint_queue_info *info)
{
    message_put_page(world_frame(w, CLIENT), MESSAGE_LIST_QUEUES, 5, (struct slice){0});
    step(w, 0);
    assert_non_null(world_read(w, CLIENT, MESSAGE_QUEUES));
    uint32_t count = w->message.count;
    for (uint32_t i = 0; i < count; i++) {
        assert_true(message_next_queue(w->arrays));
        *info = w->arrays->queue_info;
        if (strcmp(info->name, name) == 0)
            return true;
    }
    return false;
}

/* The number of the queue of which a job was dispatched to the worker in the last step. */
static uint32_t
queue_dispatched(struct world *w, uint32_t worker)
{
    struct dispatched_job d = world_dispatched(w, worker);
    return id_queue(&d.id);
}

static void
nothing_of_a_paused_queue_is_handed_out_until_it_is_resumed(void **state)
{
    struct world *w = world_with_workers(4, 4);
    (void)state;
    assert_true(set(w, "mail", STINT_PAUSE_QUEUE).paused);
    submit_now(w, 1, "mail", 2);
    assert_int_equal(world_count(w, WORKER, MESSAGE_DISPATCH), 0);
    submit_now(w, 2, "other", 1);
    assert_int_equal(queue_dispatched(w, WORKER), 2);
    step(w, 1000);
    assert_int_equal(world_count(w, WORKER, MESSAGE_DISPATCH), 0);
    assert_false(set(w, "mail", STINT_RESUME_QUEUE).paused);
    assert_int_equal(queue_dispatched(w, WORKER), 1);
    assert_int_equal(w->message.count, 2);
    assert_true(world_replays(w));
    world_destroy(&w);
}

static void
a_pause_lasts_through_a_restart(void **state)
{
    struct world *w = world_with_workers(2, 2);
    struct stint_queue_info info;
    (void)state;
    submit_now(w, 1, "mail", 1);
    (void)set(w, "mail", STINT_PAUSE_QUEUE);
    (void)set(w, "mail", STINT_CLOSE_QUEUE);
    world_settle(w, WORKER, 2, job(1, 1), 1, OUTCOME_RETURNED, "");
    step(w, 0);
    world_restart(w);
    world_hello_client(w, CLIENT, 1);
    greet(w, SECOND, 2, 2);
    world_claim(w, SECOND, NULL, 0);
    step(w, 0);
    step(w, 20000); /* the grace time is over */
    assert_int_equal(world_count(w, SECOND, MESSAGE_DISPATCH), 0);
    assert_true(look(w, "mail", &info));
    assert_true(info.paused && info.closed);
    (void)set(w, "mail", STINT_OPEN_QUEUE);
    greet(w, SECOND, 2, 2);
    world_claim(w, SECOND, NULL, 0);
    assert_false(set(w, "mail", STINT_RESUME_QUEUE).paused);
    assert_int_equal(world_dispatched(w, SECOND).attempt, 2);
    assert_true(look(w, "mail", &info));
    assert_false(info.paused || info.closed);
    assert_true(world_replays(w));
    world_destroy(&w);
}

static void
what_runs_goes_on_and_its_outcome_counts(void **state)
{
    struct world *w = world_with_workers(1, 1);
    (void)state;
    submit_now(w, 1, "mail", 2);
    assert_int_equal(world_dispatched(w, WORKER).attempt, 1);
    (void)set(w, "mail", STINT_PAUSE_QUEUE);
    world_settle(w, WORKER, 2, job(1, 1), 1, OUTCOME_SUCCEEDED, "");
    step(w, 0);
    assert_int_equal(world_state(w, job(1, 1), NULL), STINT_SUCCEEDED);
    assert_int_equal(world_state(w, job(1, 2), NULL), STINT_READY);
    world_destroy(&w);
}

/* How many jobs of "mail" the worker was asked to give back in the last step; 0: none. */
static uint32_t
recalled(struct world *w)
{
    if (!world_read(w, WORKER, MESSAGE_RECALL))
        return 0;
    assert_int_equal(w->message.recall.queue.size, 4);
    assert_memory_equal(w->message.recall.queue.data, "mail", 4);
    return w->message.count;
}

static void
what_waits_in_workers_is_asked_back_when_its_queue_is_paused(void **state)
{
    struct world *w = world_with_workers(1, 4);
    struct lease_ref begun = {.id = job(1, 1), .attempt = 1};
    struct outcome returned[] = {{.id = job(1, 2), .attempt = 1, .type = OUTCOME_RETURNED},
        {.id = job(1, 3), .attempt = 1, .type = OUTCOME_RETURNED}};
    (void)state;
    submit_now(w, 1, "mail", 3);
    submit_now(w, 2, "other", 1);
    message_put_leases(world_frame(w, WORKER), MESSAGE_STARTED, 2, &begun, 1, false);
    step(w, 0);
    (void)set(w, "mail", STINT_PAUSE_QUEUE);
    assert_int_equal(recalled(w), 2);
    (void)set(w, "mail", STINT_PAUSE_QUEUE); /* it is paused already */
    assert_int_equal(recalled(w), 0);
    message_put_settle(world_frame(w, WORKER), 3, returned, 2, 4);
    step(w, 0);
    step(w, 1000);
    assert_int_equal(world_count(w, WORKER, MESSAGE_DISPATCH), 0);
    assert_int_equal(world_state(w, job(1, 1), NULL), STINT_RUNNING);
    assert_int_equal(world_state(w, job(1, 3), NULL), STINT_READY);
    assert_int_equal(world_state(w, job(2, 1), NULL), STINT_RUNNING);
    world_destroy(&w);
}

static void
a_worker_that_was_away_is_asked_when_it_has_claimed(void **state)
{
    struct world *w = world_with_workers(1, 4);
    struct lease_ref held[] = {
        {.id = job(1, 1), .attempt = 1, .begun = true}, {.id = job(1, 2), .attempt = 1}};
    (void)state;
    submit_now(w, 1, "mail", 2);
    world_gone(w, WORKER);
    (void)set(w, "mail", STINT_PAUSE_QUEUE);
    greet(w, WORKER, 1, 4);
    step(w, 0);
    message_put_leases(world_frame(w, WORKER), MESSAGE_CLAIM, 2, held, 1, true);
    step(w, 0);
    assert_int_equal(recalled(w), 0); /* it has not said all yet */
    message_put_leases(world_frame(w, WORKER), MESSAGE_CLAIM, 3, held + 1, 1, false);
    step(w, 0);
    assert_int_equal(recalled(w), 1);
    world_destroy(&w);
}

static void
a_pause_that_is_taken_back_at_once_recalls_nothing(void **state)
{
    struct world *w = world_with_workers(1, 4);
    (void)state;
    submit_now(w, 1, "mail", 2);
    put_set(w, "mail", STINT_PAUSE_QUEUE);
    put_set(w, "mail", STINT_RESUME_QUEUE);
    submit(w, 2, "mail", 1);
    step(w, 0);
    assert_int_equal(recalled(w), 0);
    assert_int_equal(world_count(w, WORKER, MESSAGE_DISPATCH), 1);
    world_destroy(&w);
}

/* A suspect, which the worker was lost with, waits for a worker of its own. */
static void
make_suspect(struct world *w)
{
    submit_now(w, 1, "mail", 1);
    message_put_numbered(world_frame(w, WORKER), MESSAGE_BYE, 9);
    step(w, 0);
}

static void
a_suspect_of_a_paused_queue_waits_too(void **state)
{
    struct world *w = world_with_workers(2, 2);
    (void)state;
    make_suspect(w);
    (void)set(w, "mail", STINT_PAUSE_QUEUE);
    greet(w, SECOND, 2, 2);
    world_claim(w, SECOND, NULL, 0);
    step(w, 0);
    step(w, 1000);
    assert_int_equal(world_count(w, SECOND, MESSAGE_DISPATCH), 0);
    (void)set(w, "mail", STINT_RESUME_QUEUE);
    assert_true(world_dispatched(w, SECOND).confirm);
    world_destroy(&w);
}

static void
a_worker_that_made_room_for_a_suspect_goes_on_when_its_queue_is_paused(void **state)
{
    struct world *w = world_with_workers(2, 2);
    (void)state;
    make_suspect(w);
    submit_now(w, 2, "other", 1);
    greet(w, SECOND, 1, 2);
    put_set(w, "mail", STINT_PAUSE_QUEUE);
    world_claim(w, SECOND, NULL, 0);
    step(w, 0);
    assert_int_equal(queue_dispatched(w, SECOND), 2);
    (void)set(w, "mail", STINT_RESUME_QUEUE);
    submit_now(w, 3, "other", 1); /* it has room, and takes nothing else before the suspect */
    assert_int_equal(world_count(w, SECOND, MESSAGE_DISPATCH), 0);
    (void)set(w, "mail", STINT_PAUSE_QUEUE);
    assert_int_equal(queue_dispatched(w, SECOND), 2);
    world_settle(w, SECOND, 3, job(2, 1), 1, OUTCOME_SUCCEEDED, "");
    world_settle(w, SECOND, 4, job(2, 2), 1, OUTCOME_SUCCEEDED, "");
    step(w, 0);
    step(w, 1000);
    assert_int_equal(world_state(w, job(1, 1), NULL), STINT_READY);
    world_destroy(&w);
}

static void
nobody_is_recalled_for_a_worker_that_waits_at_a_paused_queue(void **state)
{
    struct world *w = world_with_workers(1, 4);
    struct slice mail = text("mail");
    struct hello h = {.version_min = 1,
        .version_max = 1,
        .role = ROLE_WORKER,
        .session = {SECOND},
        .slots = 2,
        .window = 2,
        .queues = 1};
    (void)state;
    submit_now(w, 1, "other", 4);
    (void)set(w, "mail", STINT_PAUSE_QUEUE);
    message_put_hello(world_frame(w, SECOND), &h, &mail, NULL, NULL);
    world_claim(w, SECOND, NULL, 0);
    step(w, 10);
    step(w, 200);
    assert_int_equal(world_count(w, WORKER, MESSAGE_RECALL), 0);
    (void)set(w, "mail", STINT_RESUME_QUEUE);
    step(w, 200);
    assert_int_equal(world_count(w, WORKER, MESSAGE_RECALL), 1);
    world_destroy(&w);
}

static void
a_closed_queue_refuses_what_is_new_and_takes_the_same_when_it_is_open(void **state)
{
    struct world *w = world_with_workers(1, 1);
    struct job_spec two[] = {world_job("a"), world_job("b")};
    (void)state;
    submit_now(w, 1, "mail", 2);
    assert_true(set(w, "mail", STINT_CLOSE_QUEUE).closed);
    two[0].queue = text("other");
    two[1].queue = text("mail");
    world_submit(w, CLIENT, 2, two, 2);
    step(w, 0);
    assert_non_null(world_read(w, CLIENT, MESSAGE_SUBMITTED));
    assert_int_equal(w->arrays->answers[0].status, STINT_QUEUE_CLOSED);
    assert_int_equal(w->arrays->answers[0].index, 1);
    struct slice said = w->arrays->answers[0].detail;
    assert_true(said.size > 20 && memcmp(said.data, "queue mail is closed", 20) == 0);
    submit(w, 1, "mail", 2); /* what is stored is answered as it was */
    submit_now(w, 2, "other", 1); /* a refusal uses no number */
    assert_int_equal(w->arrays->answers[1].status, STINT_OK);
    world_settle(w, WORKER, 2, job(1, 1), 1, OUTCOME_DEAD, "no");
    step(w, 0);
    assert_int_equal(world_dispatched(w, WORKER).attempt, 1); /* it finishes what it has */
    struct stint_id dead = job(1, 1);
    message_put_ids(world_frame(w, CLIENT), MESSAGE_RETRY, 6, &dead, 1, 0);
    step(w, 0);
    assert_int_equal(w->arrays->statuses[0], STINT_OK);
    assert_int_equal(world_state(w, dead, NULL), STINT_READY);
    assert_false(set(w, "mail", STINT_OPEN_QUEUE).closed);
    submit_now(w, 3, "mail", 1);
    assert_true(world_replays(w));
    world_destroy(&w);
}

static enum stint_status
move(struct world *w, struct stint_id id, const char *queue)
{
    const struct change c = {.set = CHANGE_QUEUE, .to.queue = text(queue)};
    message_put_change(world_frame(w, CLIENT), 6, &id, 1, &c);
    step(w, 0);
    assert_non_null(world_read(w, CLIENT, MESSAGE_ANSWERS));
    return (enum stint_status)w->arrays->statuses[0];
}

static void
nothing_is_moved_into_a_closed_queue(void **state)
{
    struct world *w = world_new(NULL);
    struct stint_id id = job(1, 1);
    (void)state;
    world_with_client(w);
    submit_now(w, 1, "mail", 1);
    (void)set(w, "other", STINT_CLOSE_QUEUE);
    (void)set(w, "mail", STINT_CLOSE_QUEUE); /* what is there may be changed all the same */
    assert_int_equal(move(w, id, "other"), STINT_QUEUE_CLOSED);
    assert_int_equal(move(w, id, "mail"), STINT_OK);
    (void)set(w, "other", STINT_OPEN_QUEUE);
    assert_int_equal(move(w, id, "other"), STINT_OK);
    (void)set(w, "mail", STINT_REMOVE_QUEUE); /* its only job stands elsewhere, and keeps its id */
    assert_int_equal(world_state(w, id, NULL), STINT_READY);
    world_destroy(&w);
}

static void
a_queue_closed_behind_a_submit_of_the_same_batch_takes_that(void **state)
{
    struct world *w = world_with_workers(1, 1);
    (void)state;
    submit_now(w, 1, "mail", 1);
    submit(w, 2, "mail", 1);
    put_set(w, "mail", STINT_CLOSE_QUEUE);
    submit(w, 3, "mail", 1);
    step(w, 0);
    assert_non_null(world_read(w, CLIENT, MESSAGE_SUBMITTED));
    assert_int_equal(w->arrays->answers[0].status, STINT_OK);
    assert_int_equal(w->arrays->answers[1].status, STINT_QUEUE_CLOSED);
    world_destroy(&w);
}

static void
to_pause_or_close_makes_a_queue_and_nothing_else_does(void **state)
{
    static const enum stint_queue_action others[] = {
        STINT_RESUME_QUEUE, STINT_OPEN_QUEUE, STINT_REMOVE_QUEUE};
    struct core_options options;
    struct stint_queue_info info;
    core_options_init(&options);
    options.max.queues = 2;
    struct world *w = world_new(&options);
    (void)state;
    world_with_client(w);
    for (size_t i = 0; i < 3; i++)
        expect_refused(w, "new", others[i], STINT_NO_SUCH_QUEUE);
    assert_false(look(w, "new", &info));
    assert_true(set(w, "new", STINT_PAUSE_QUEUE).made);
    struct stint_queue_setting now = set(w, "new", STINT_CLOSE_QUEUE);
    assert_true(now.paused && now.closed && !now.made);
    assert_true(look(w, "new", &info));
    assert_true(info.paused && info.closed && info.number == 1);
    assert_true(set(w, "second", STINT_CLOSE_QUEUE).made);
    expect_refused(w, "third", STINT_CLOSE_QUEUE, STINT_TOO_MANY);
    world_destroy(&w);
}

static void
a_set_queue_without_queue_or_action_is_invalid(void **state)
{
    struct world *w = world_new(NULL);
    (void)state;
    world_with_client(w);
    message_put_numbered(world_frame(w, CLIENT), MESSAGE_SET_QUEUE, 4);
    step(w, 0);
    assert_non_null(world_read(w, CLIENT, MESSAGE_ERROR));
    assert_int_equal(w->message.error.status, STINT_INVALID);
    world_destroy(&w);
}

static void
only_an_empty_queue_is_removed_and_its_settings_with_it(void **state)
{
    struct world *w = world_new(NULL);
    struct stint_queue_info info;
    struct stint_id id = job(1, 1);
    (void)state;
    world_with_client(w);
    submit_now(w, 1, "mail", 1);
    (void)set(w, "mail", STINT_PAUSE_QUEUE);
    expect_refused(w, "mail", STINT_REMOVE_QUEUE, STINT_NOT_EMPTY);
    message_put_ids(world_frame(w, CLIENT), MESSAGE_CANCEL, 6, &id, 1, 0);
    step(w, 0);
    expect_refused(w, "mail", STINT_REMOVE_QUEUE, STINT_NOT_EMPTY); /* its outcome is kept */
    step(w, DEFAULT_KEEP_DEAD_MS + 60000);
    step(w, 1000);
    world_hello_client(w, CLIENT, 1);
    step(w, 0);
    assert_true(look(w, "mail", &info)); /* one with settings does not go by itself */
    struct stint_queue_setting now = set(w, "mail", STINT_REMOVE_QUEUE);
    assert_false(now.paused || now.closed || now.made);
    assert_false(look(w, "mail", &info));
    submit_now(w, 2, "mail", 1);
    assert_true(look(w, "mail", &info));
    assert_false(info.paused);
    assert_int_equal(info.number, 2); /* no id is given twice */
    assert_true(world_replays(w));
    world_destroy(&w);
}

static void
a_queue_that_workers_serve_can_be_removed_and_comes_back_with_a_job(void **state)
{
    struct world *w = world_with_workers(1, 1);
    struct stint_queue_info info;
    struct job_spec brief = world_job("brief");
    (void)state;
    brief.queue = text("mail");
    brief.keep_ms = 0;
    world_submit(w, CLIENT, 1, &brief, 1);
    message_put_subscribe(world_frame(w, CLIENT), 8, text("mail"), 0, NULL, 0);
    step(w, 0);
    world_settle(w, WORKER, 2, job(1, 1), 1, OUTCOME_SUCCEEDED, "");
    put_set(w, "mail", STINT_REMOVE_QUEUE); /* in the step in which it became empty */
    step(w, 0);
    assert_non_null(world_read(w, CLIENT, MESSAGE_QUEUE));
    assert_true(look(w, "mail", &info));
    assert_int_equal(info.number, 0);
    assert_int_equal(info.workers, 1);
    submit_now(w, 2, "mail", 1);
    assert_int_equal(queue_dispatched(w, WORKER), 2);
    assert_non_null(world_read(w, CLIENT, MESSAGE_EVENTS));
    world_restart(w);
    assert_true(world_replays(w));
    world_destroy(&w);
}

static void
a_queue_that_was_resumed_goes_when_it_is_empty(void **state)
{
    struct core_options options;
    struct stint_queue_info info;
    core_options_init(&options);
    options.queue_keep_ms = 5000;
    struct world *w = world_new(&options);
    (void)state;
    world_with_client(w);
    (void)set(w, "mail", STINT_PAUSE_QUEUE);
    (void)set(w, "closed", STINT_CLOSE_QUEUE);
    for (unsigned i = 0; i < 10; i++)
        step(w, 1000);
    assert_true(look(w, "mail", &info));
    assert_true(look(w, "closed", &info));
    (void)set(w, "mail", STINT_RESUME_QUEUE);
    (void)set(w, "closed", STINT_OPEN_QUEUE);
    for (unsigned i = 0; i < 10; i++)
        step(w, 1000);
    assert_false(look(w, "mail", &info));
    assert_false(look(w, "closed", &info));
    world_destroy(&w);
}

static void
who_controls_a_queue_is_noted(void **state)
{
    struct world *w = world_new(NULL);
    (void)state;
    world_with_client(w);
    (void)world_told(w, "");
    (void)set(w, "mail", STINT_PAUSE_QUEUE);
    assert_true(world_told(w, "a queue is controlled"));
    expect_refused(w, "none", STINT_RESUME_QUEUE, STINT_NO_SUCH_QUEUE);
    assert_false(world_told(w, "a queue is controlled"));
    world_destroy(&w);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_of_a_paused_queue_is_handed_out_until_it_is_resumed),
        cmocka_unit_test(a_pause_lasts_through_a_restart),
        cmocka_unit_test(what_runs_goes_on_and_its_outcome_counts),
        cmocka_unit_test(what_waits_in_workers_is_asked_back_when_its_queue_is_paused),
        cmocka_unit_test(a_worker_that_was_away_is_asked_when_it_has_claimed),
        cmocka_unit_test(a_pause_that_is_taken_back_at_once_recalls_nothing),
        cmocka_unit_test(a_suspect_of_a_paused_queue_waits_too),
        cmocka_unit_test(a_worker_that_made_room_for_a_suspect_goes_on_when_its_queue_is_paused),
        cmocka_unit_test(nobody_is_recalled_for_a_worker_that_waits_at_a_paused_queue),
        cmocka_unit_test(a_closed_queue_refuses_what_is_new_and_takes_the_same_when_it_is_open),
        cmocka_unit_test(nothing_is_moved_into_a_closed_queue),
        cmocka_unit_test(a_queue_closed_behind_a_submit_of_the_same_batch_takes_that),
        cmocka_unit_test(to_pause_or_close_makes_a_queue_and_nothing_else_does),
        cmocka_unit_test(a_set_queue_without_queue_or_action_is_invalid),
        cmocka_unit_test(only_an_empty_queue_is_removed_and_its_settings_with_it),
        cmocka_unit_test(a_queue_that_workers_serve_can_be_removed_and_comes_back_with_a_job),
        cmocka_unit_test(a_queue_that_was_resumed_goes_when_it_is_empty),
        cmocka_unit_test(who_controls_a_queue_is_noted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
