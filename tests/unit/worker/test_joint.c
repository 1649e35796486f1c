/* What a handler asks for with its end, as the worker gathers it, tells it, and tells it again
 * while there is no room for it. No thread and no broker: a slot is run by hand, and what would be
 * sent is read here.
 */
#include "worker.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>
#include <utlist.h>

struct world {
    struct stint_worker w;
    struct slot slot, *crew[1];
    uint64_t answered; /* SETTLEs */
};

static struct stint_job
a_job(const char *queue, const char *payload)
{
    struct stint_job job = STINT_JOB_INIT;
    job.queue = queue;
    job.payload = payload;
    job.payload_bytes = strlen(payload);
    return job;
}

static struct world *
world_new(bool knows)
{
    static const char *const queues[] = {"q"};
    struct world *o = calloc(1, sizeof *o);
    struct session_options s = {.role = ROLE_WORKER,
        .name = "n",
        .software = "s",
        .slots = 1,
        .queues = queues,
        .queues_count = 1};
    struct reach reach = {.endpoints = {"ipc://@stint-nobody-is-there"}, .endpoints_count = 1};
    assert_non_null(o);
    struct stint_worker *w = &o->w;
    session_init(&w->session, &s, 0);
    assert_int_equal(link_new(&reach, &w->session, &w->link), STINT_OK);
    session_sent(&w->session); /* HELLO */
    w->session.state = SESSION_OPEN;
    w->session.welcome.features = knows ? FEATURES_ALL : 0;
    w->claimed = true;
    pthread_mutex_init(&w->handover.lock, NULL);
    pthread_cond_init(&w->handover.work, NULL);
    w->handover.wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    w->handover.slots = w->crew.count = w->crew.wanted = w->crew.own = w->crew.most = 1;
    w->crew.slots = o->crew;
    o->crew[0] = &o->slot;
    o->slot.worker = w;
    o->slot.task.handover = &w->handover;
    o->slot.task.cancel_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    leases_greet(w);
    return o;
}

static void
world_free(struct world *o)
{
    struct stint_worker *w = &o->w;
    held_free_all(w->handover.done);
    held_free_all(w->handover.later);
    while (w->session.requests.first) {
        struct request *r = w->session.requests.first;
        leases_end_request(w, &r);
    }
    session_fini(&w->session);
    link_destroy(&w->link, 0);
    close(w->handover.wake_fd);
    close(o->slot.task.cancel_fd);
    pthread_cond_destroy(&w->handover.work);
    pthread_mutex_destroy(&w->handover.lock);
    free(o);
}

static void
give(struct world *o, struct pack_buffer *frame)
{
    struct message m;
    const char *why;
    assert_int_equal(
        message_decode(frame->data, frame->used, &m, link_arrays(o->w.link), &why), STINT_OK);
    leases_take(&o->w, &m);
    pack_buffer_free(frame);
}

static struct stint_id
the_id(void)
{
    return (struct stint_id){{1}};
}

/* The slot runs a job; it is ended by the test. */
static struct stint_task *
begin(struct world *o)
{
    struct pack_buffer frame = {0};
    const struct dispatched_job job = {
        .id = the_id(), .kind = {(const uint8_t *)"k", 1}, .attempt = 3, .max_attempts = 5};
    size_t at = message_open_dispatch(&frame, (struct slice){(const uint8_t *)"q", 1});
    message_put_dispatched(&frame, &job);
    pack_close_array(&frame, at, 1);
    give(o, &frame);
    slot_begin(&o->slot, o->w.handover.waiting);
    return &o->slot.task;
}

/* What is told of it: its outcome, borrowed from the arrays. */
static struct outcome
end(struct world *o)
{
    struct message m;
    const char *why;
    if (o->slot.task.held)
        slot_finish(&o->slot);
    o->w.settled_us = 0;
    leases_settle(&o->w);
    const struct request *r = o->w.session.requests.first;
    assert_non_null(r);
    assert_int_equal(r->type, MESSAGE_SETTLE);
    assert_int_equal(
        message_decode(r->frame.data, r->frame.used, &m, link_arrays(o->w.link), &why), STINT_OK);
    assert_int_equal(m.count, 1);
    return link_arrays(o->w.link)->outcomes[0];
}

/* It is answered, with this exception. */
static void
answer(struct world *o, enum stint_status status)
{
    struct pack_buffer one = {0}, frame = {0};
    size_t at = message_open_settled(&one, o->w.session.requests.first->number);
    if (status != STINT_OK)
        message_put_exception(&one, 0, status);
    pack_close_array(&one, at, status != STINT_OK);
    message_put_elements(&frame, MESSAGE_SETTLED, (struct slice){one.data, one.used}, 1);
    pack_buffer_free(&one);
    give(o, &frame);
    assert_null(o->w.session.requests.first);
}

static void
several_calls_are_one_list(void **state)
{
    (void)state;
    static struct job_spec specs[LIMIT_JOBS];
    struct world *o = world_new(true);
    struct stint_task *t = begin(o);
    struct stint_job jobs[] = {a_job("a", "one"), a_job("b", "two")};
    struct stint_id earlier = stint_earlier(0), other = {{9}}, ids[LIMIT_AFTER];
    struct pack_reader r;
    jobs[1].after.ids = &earlier;
    jobs[1].after.count = 1;
    assert_true(stint_task_may_ask(t));
    assert_int_equal(stint_task_submit(t, jobs, 2), STINT_OK);
    assert_int_equal(stint_task_cancel(t, &other), STINT_OK);
    stint_task_succeed(t, "result", 6);
    assert_int_equal(stint_task_submit(t, jobs, 2), STINT_OK);
    struct outcome told = end(o);
    assert_int_equal(told.type, OUTCOME_SUCCEEDED);
    assert_int_equal(message_joint_ids(told.joint, ids), 1);
    assert_memory_equal(&ids[0], &other, sizeof other);
    assert_int_equal(message_joint_jobs(told.joint, specs), 4);
    assert_int_equal(message_open_after(specs[3].after, &r), 1);
    assert_int_equal(message_next_after(&r).index, 2); /* of its own call */
    assert_int_equal(message_joint_flags(told.joint), 0);
    answer(o, STINT_OK);
    world_free(o);
}

static void
a_failure_takes_back_what_was_asked_for_before_it(void **state)
{
    (void)state;
    static struct job_spec specs[LIMIT_JOBS];
    struct world *o = world_new(true);
    struct stint_job before = a_job("a", "before"), behind = a_job("a", "behind");
    struct stint_task *t = begin(o);
    assert_int_equal(stint_task_submit(t, &before, 1), STINT_OK);
    stint_task_fail(t, "why");
    struct outcome told = end(o);
    assert_int_equal(told.joint.size, 0);
    answer(o, STINT_OK);
    t = begin(o);
    assert_int_equal(stint_task_submit(t, &before, 1), STINT_OK);
    stint_task_fail_for_good(t, "why");
    assert_int_equal(stint_task_submit(t, &behind, 1), STINT_OK);
    told = end(o);
    assert_int_equal(message_joint_jobs(told.joint, specs), 1);
    assert_memory_equal(specs[0].payload.data, "behind", 6);
    answer(o, STINT_OK);
    t = begin(o);
    assert_int_equal(stint_task_submit(t, &before, 1), STINT_OK);
    stint_task_snooze(t, 0);
    assert_int_equal(stint_task_submit(t, &before, 1), STINT_WRONG_STATE);
    assert_int_equal(end(o).joint.size, 0);
    answer(o, STINT_OK);
    t = begin(o);
    assert_int_equal(stint_task_submit(t, &before, 1), STINT_OK);
    stint_task_ask_nothing(t);
    stint_task_succeed(t, NULL, 0);
    assert_int_equal(end(o).joint.size, 0);
    answer(o, STINT_OK);
    world_free(o);
}

static void
what_is_refused_is_not_asked_for(void **state)
{
    (void)state;
    struct world *o = world_new(true);
    struct stint_task *t = begin(o);
    struct stint_id self = the_id();
    struct stint_job good = a_job("a", "good"), *many = calloc(LIMIT_JOBS, sizeof *many);
    struct stint_job bad[] = {good, a_job("no name", "")};
    char *large = calloc(1, 4 << 20);
    assert_string_equal(stint_task_error(t), "");
    assert_int_equal(stint_task_submit(t, bad, 2), STINT_BAD_NAME);
    assert_non_null(strstr(stint_task_error(t), "no name"));
    bad[1] = good;
    bad[1].after.ids = &self;
    bad[1].after.count = 1;
    assert_int_equal(stint_task_submit(t, bad, 2), STINT_INVALID);
    assert_non_null(strstr(stint_task_error(t), "the one that asks"));
    assert_int_equal(stint_task_submit_packed(t, "x", 1), STINT_INVALID);
    assert_int_equal(stint_task_submit(t, many, 0), STINT_INVALID);
    for (size_t i = 0; i < LIMIT_JOBS; i++)
        many[i] = good;
    bad[1] = good;
    bad[1].payload = large;
    bad[1].payload_bytes = 1 << 20;
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(stint_task_submit(t, &bad[1], 1), STINT_OK);
    assert_int_equal(stint_task_submit(t, &bad[1], 1), STINT_TOO_LARGE);
    assert_int_equal(stint_task_submit(t, many, LIMIT_JOBS - 3), STINT_OK);
    assert_int_equal(stint_task_submit(t, &good, 1), STINT_TOO_MANY);
    for (uint32_t i = 0; i < LIMIT_JOBS; i++)
        assert_int_equal(stint_task_cancel(t, &self), STINT_OK);
    assert_int_equal(stint_task_cancel(t, &self), STINT_TOO_MANY);
    stint_task_succeed(t, large, 4 << 20);
    assert_true(end(o).joint.size > 3 << 20);
    assert_true(o->w.session.requests.first->frame.used < LIMIT_MESSAGE_BYTES);
    free(large);
    free(many);
    world_free(o);
}

static void
a_broker_that_does_not_know_of_it_is_not_told(void **state)
{
    (void)state;
    struct world *o = world_new(false);
    struct stint_job job = a_job("a", "");
    struct stint_task *t = begin(o);
    assert_false(stint_task_may_ask(t));
    assert_int_equal(stint_task_submit(t, &job, 1), STINT_UNSUPPORTED);
    stint_task_succeed(t, NULL, 0);
    assert_int_equal(end(o).type, OUTCOME_SUCCEEDED);
    answer(o, STINT_OK);
    o->w.session.welcome.features = FEATURES_ALL;
    leases_greet(&o->w);
    t = begin(o);
    assert_int_equal(stint_task_submit(t, &job, 1), STINT_OK);
    stint_task_succeed(t, NULL, 0);
    assert_int_equal(end(o).type, OUTCOME_SUCCEEDED);
    o->w.session.welcome.features = 0; /* an older one comes, before that was answered */
    leases_greet(&o->w);
    assert_null(o->w.session.requests.first);
    struct outcome told = end(o);
    assert_int_equal(told.type, OUTCOME_FAILED);
    assert_int_equal(told.joint.size, 0);
    assert_non_null(memmem(told.body.data, told.body.size, "too old", 7));
    world_free(o);
}

static void
an_end_that_has_to_wait_is_claimed_and_told_again(void **state)
{
    (void)state;
    static const enum stint_status passing[] = {
        STINT_QUEUE_FULL, STINT_QUEUE_CLOSED, STINT_BACKLOG_FULL, STINT_STORE_FULL, STINT_TOO_MANY};
    struct world *o = world_new(true);
    struct stint_job job = a_job("a", "");
    struct stint_task *t = begin(o);
    struct message m;
    const char *why;
    assert_int_equal(stint_task_submit(t, &job, 1), STINT_OK);
    stint_task_succeed(t, NULL, 0);
    for (size_t i = 0; i < sizeof passing / sizeof *passing; i++) {
        assert_int_equal(end(o).joint.size > 0, true);
        answer(o, passing[i]);
        struct held *h = o->w.handover.later;
        assert_non_null(h);
        assert_in_range(h->with_end->delay_ms, 100, 2000);
        leases_settle(&o->w);
        assert_null(o->w.session.requests.first); /* not yet */
        leases_claim(&o->w);
        assert_int_equal(message_decode(o->w.session.control.frames.data,
                             o->w.session.control.frames.used, &m, link_arrays(o->w.link), &why),
            STINT_OK);
        assert_int_equal(m.count, 1);
        assert_true(link_arrays(o->w.link)->leases[0].begun);
        o->w.session.control.frames.used = o->w.session.control.count = 0;
        h->with_end->again_ms = 0;
        if (i == 3)
            h->with_end->since_ms -= 60000;
    }
    assert_int_equal(message_joint_flags(end(o).joint), JOINT_BEYOND);
    answer(o, STINT_DENIED); /* for good */
    assert_null(o->w.handover.later);
    world_free(o);
}

static void
an_end_that_waits_goes_with_its_lease_or_its_worker(void **state)
{
    (void)state;
    struct world *o = world_new(true);
    struct stint_job job = a_job("a", "");
    const struct lease_ref lease = {.id = the_id(), .attempt = 3, .status = STINT_CANCELLED};
    struct pack_buffer frame = {0};
    for (unsigned i = 0; i < 2; i++) {
        struct stint_task *t = begin(o);
        assert_int_equal(stint_task_submit(t, &job, 1), STINT_OK);
        stint_task_succeed(t, "result", 6);
        (void)end(o);
        answer(o, STINT_QUEUE_FULL);
        assert_non_null(o->w.handover.later);
        if (i == 0) {
            message_put_leases(&frame, MESSAGE_REVOKE, 0, &lease, 1, false);
            give(o, &frame);
            assert_null(o->w.handover.later);
            continue;
        }
        leases_give_up(&o->w);
        struct outcome told = end(o);
        assert_int_equal(told.type, OUTCOME_SNOOZED);
        assert_int_equal(told.joint.size + told.body.size, 0);
    }
    world_free(o);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(several_calls_are_one_list),
        cmocka_unit_test(a_failure_takes_back_what_was_asked_for_before_it),
        cmocka_unit_test(what_is_refused_is_not_asked_for),
        cmocka_unit_test(a_broker_that_does_not_know_of_it_is_not_told),
        cmocka_unit_test(an_end_that_has_to_wait_is_claimed_and_told_again),
        cmocka_unit_test(an_end_that_waits_goes_with_its_lease_or_its_worker),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
