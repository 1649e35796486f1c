/* CHANGE and DELETE: what they do in each state, and that a job which is moved to another queue or
 * priority goes on under its id, whatever happens to it afterwards.
 */
#include "dice.h"
#include "keyed.h"
#include "rows.h"
#include "stored.h"
#include "world.h"

#include <stdlib.h>

enum { LARGE = 9000, CLIENT = 1, WORKER = 2 };

static uint8_t large[LARGE];

/* ---- what is said ---- */

static void
put_change(struct world *w, struct stint_id id, const struct change *change)
{
    message_put_change(world_frame(w, CLIENT), 6, &id, 1, change);
}

static enum stint_status
answered(struct world *w)
{
    assert_int_equal(world_step(w, 0), STINT_OK);
    assert_non_null(world_read(w, CLIENT, MESSAGE_ANSWERS));
    assert_int_equal(w->message.count, 1);
    return w->arrays->statuses[0];
}

static enum stint_status
change(struct world *w, struct stint_id id, const struct change *change)
{
    put_change(w, id, change);
    return answered(w);
}

static enum stint_status
ask(struct world *w, enum message_type what, struct stint_id id)
{
    message_put_ids(world_frame(w, CLIENT), what, 6, &id, 1, 0);
    return answered(w);
}

static struct change
to_queue(const char *name)
{
    return (struct change){.set = CHANGE_QUEUE, .to = {.queue = text(name)}};
}

static struct change
to_priority(uint8_t priority)
{
    return (struct change){.set = CHANGE_PRIORITY, .to = {.priority = priority}};
}

/* A worker of both queues, with so many slots. */
static void
greet_worker(struct world *w, uint8_t session, uint32_t slots)
{
    struct slice queues[] = {text("default"), text("other")};
    struct hello h = {.version_min = 1,
        .version_max = 1,
        .role = ROLE_WORKER,
        .session = {session},
        .queues = 2,
        .slots = slots,
        .window = slots};
    message_put_hello(world_frame(w, WORKER), &h, queues, NULL, NULL);
    world_claim(w, WORKER, NULL, 0);
    assert_int_equal(world_step(w, 0), STINT_OK);
}

static struct world *
world_with_job(size_t bytes, struct stint_id *id)
{
    struct world *w = world_new(NULL);
    struct job_spec job = world_job("");
    uint32_t count;
    job.payload = (struct slice){large, bytes};
    job.backoff_base_ms = job.backoff_cap_ms = 7000;
    job.max_attempts = 2;
    world_with_client(w);
    world_submit(w, CLIENT, 1, &job, 1);
    assert_int_equal(world_step(w, 0), STINT_OK);
    assert_non_null(world_read(w, CLIENT, MESSAGE_SUBMITTED));
    assert_true(message_next_run(&w->arrays->answers[0], id, &count));
    return w;
}

static void
bring_to(struct world *w, const struct stint_id *id, enum stint_state to)
{
    static const enum outcome_type outcomes[STINT_STATES] = {[STINT_SCHEDULED] = OUTCOME_FAILED,
        [STINT_SUCCEEDED] = OUTCOME_SUCCEEDED,
        [STINT_DEAD] = OUTCOME_DEAD};
    if (to == STINT_CANCELLED_JOB)
        assert_int_equal(ask(w, MESSAGE_CANCEL, *id), STINT_OK);
    else if (to != STINT_READY) {
        greet_worker(w, WORKER, 1);
        uint32_t attempt = world_dispatched(w, WORKER).attempt;
        if (to != STINT_RUNNING)
            world_settle(w, WORKER, 1, *id, attempt, outcomes[to], "told");
        assert_int_equal(world_step(w, 0), STINT_OK);
        world_gone(w, WORKER);
        assert_int_equal(world_step(w, 0), STINT_OK);
    }
    assert_int_equal(world_state(w, *id, NULL), to);
}

static void
check_whole(struct world *w, size_t moved)
{
    struct verify_report report = {.problem = NULL};
    assert_int_equal(store_model_count(w->store, STORE_NAMES), moved);
    assert_int_equal(store_model_count(w->store, STORE_REDIRECTS), moved);
    core_destroy(&w->core);
    core_verify(w->store, 0, &report);
    assert_int_equal(report.problems, 0);
}

/* ---- in each state ---- */

static void
what_a_change_does_in_each_state(void **state)
{
    const struct change payload = {.set = CHANGE_PAYLOAD | CHANGE_MAX_ATTEMPTS,
        .to = {.payload = {large, 3}, .max_attempts = 9}};
    const struct change due = {.set = CHANGE_DELAY}, later = {.set = CHANGE_DELAY, .delay_ms = 50};
    const struct {
        enum stint_state from;
        struct change what;
        enum stint_status status;
        enum stint_state to;
    } cases[] = {
        {STINT_READY, payload, STINT_OK, STINT_READY},
        {STINT_READY, to_queue("other"), STINT_OK, STINT_READY},
        {STINT_READY, to_priority(7), STINT_OK, STINT_READY},
        {STINT_READY, to_priority(DEFAULT_PRIORITY), STINT_OK, STINT_READY},
        {STINT_READY, later, STINT_OK, STINT_SCHEDULED},
        {STINT_READY, due, STINT_OK, STINT_READY},
        {STINT_SCHEDULED, payload, STINT_OK, STINT_SCHEDULED},
        {STINT_SCHEDULED, to_queue("other"), STINT_OK, STINT_SCHEDULED},
        {STINT_SCHEDULED, later, STINT_OK, STINT_SCHEDULED},
        {STINT_SCHEDULED, due, STINT_OK, STINT_READY},
        {STINT_RUNNING, payload, STINT_WRONG_STATE, STINT_RUNNING},
        {STINT_RUNNING, to_queue("other"), STINT_WRONG_STATE, STINT_RUNNING},
        {STINT_SUCCEEDED, to_priority(7), STINT_WRONG_STATE, STINT_SUCCEEDED},
        {STINT_DEAD, payload, STINT_OK, STINT_DEAD},
        {STINT_DEAD, to_queue("other"), STINT_OK, STINT_DEAD},
        {STINT_DEAD, due, STINT_WRONG_STATE, STINT_DEAD},
        {STINT_CANCELLED_JOB, to_priority(7), STINT_OK, STINT_CANCELLED_JOB},
        {STINT_CANCELLED_JOB, later, STINT_WRONG_STATE, STINT_CANCELLED_JOB},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct stint_id id;
        struct stint_job_info info;
        struct world *w = world_with_job(i % 2 ? LARGE : 20, &id);
        const struct change *what = &cases[i].what;
        bring_to(w, &id, cases[i].from);
        bool done = cases[i].status == STINT_OK;
        bool moves = done &&
            (what->set & CHANGE_QUEUE ||
                (what->set & CHANGE_PRIORITY && what->to.priority != DEFAULT_PRIORITY));
        assert_int_equal(change(w, id, what), cases[i].status);
        assert_int_equal(world_state(w, id, &info), cases[i].to);
        assert_string_equal(info.queue, done && what->set & CHANGE_QUEUE ? "other" : "default");
        assert_int_equal(info.priority,
            done && what->set & CHANGE_PRIORITY ? what->to.priority : DEFAULT_PRIORITY);
        if (done && what->set & CHANGE_PAYLOAD) {
            assert_int_equal(info.payload_bytes, 3);
            assert_int_equal(info.max_attempts, 9);
        }
        struct stint_id never = id;
        id_set_sequence(&never, 99);
        assert_int_equal(change(w, never, what), STINT_NO_SUCH_JOB);
        check_whole(w, moves);
        world_destroy(&w);
    }
}

static void
what_a_deletion_does_in_each_state(void **state)
{
    static const enum stint_state states[] = {STINT_READY, STINT_SCHEDULED, STINT_RUNNING,
        STINT_SUCCEEDED, STINT_DEAD, STINT_CANCELLED_JOB};
    (void)state;
    for (size_t i = 0; i < 2 * sizeof states / sizeof *states; i++) {
        enum stint_state from = states[i / 2];
        bool runs = from == STINT_RUNNING;
        struct stint_id id;
        struct world *w = world_with_job(LARGE, &id);
        const struct change other = to_queue("other");
        if (i % 2)
            assert_int_equal(change(w, id, &other), STINT_OK);
        bring_to(w, &id, from);
        assert_int_equal(ask(w, MESSAGE_DELETE, id), runs ? STINT_WRONG_STATE : STINT_OK);
        assert_int_equal(world_state(w, id, NULL), runs ? STINT_RUNNING : STINT_UNKNOWN);
        if (!runs)
            assert_int_equal(ask(w, MESSAGE_DELETE, id), STINT_NO_SUCH_JOB);
        assert_int_equal(store_model_count(w->store, STORE_PARTS) > 0, runs);
        check_whole(w, runs && i % 2);
        world_destroy(&w);
    }
}

/* ---- under its id ---- */

static void
a_moved_job_is_handed_out_settled_and_heard_of_under_its_id(void **state)
{
    struct stint_id id;
    struct stint_job_info info;
    struct world *w = world_with_job(LARGE, &id);
    const struct change other = to_queue("other");
    (void)state;
    message_put_ids(world_frame(w, CLIENT), MESSAGE_WAIT, 2, &id, 1, 1);
    message_put_subscribe(world_frame(w, CLIENT), 3, (struct slice){0}, 0, &id, 1);
    assert_int_equal(change(w, id, &other), STINT_OK);
    greet_worker(w, WORKER, 1);
    struct dispatched_job job = world_dispatched(w, WORKER);
    assert_memory_equal(&job.id, &id, sizeof id);
    assert_int_equal(job.payload.size, LARGE);
    assert_int_equal(world_state(w, id, &info), STINT_RUNNING);
    assert_string_equal(info.queue, "other");
    world_settle(w, WORKER, 5, id, 1, OUTCOME_SUCCEEDED, "done");
    assert_int_equal(world_step(w, 0), STINT_OK);
    assert_non_null(world_read(w, CLIENT, MESSAGE_OUTCOMES));
    assert_true(message_next_job(w->arrays));
    assert_memory_equal(&w->arrays->info.id, &id, sizeof id);
    assert_int_equal(w->arrays->info.state, STINT_SUCCEEDED);
    assert_non_null(world_read(w, CLIENT, MESSAGE_EVENTS));
    assert_memory_equal(&w->arrays->events[0].id, &id, sizeof id);
    check_whole(w, 1);
    world_destroy(&w);
}

static void
what_a_moved_job_stands_at_is_no_id(void **state)
{
    struct stint_id id, key = id_make(0, 1, 7, 1);
    struct world *w = world_with_job(20, &id);
    const struct change seven = to_priority(7);
    (void)state;
    assert_int_equal(change(w, id, &seven), STINT_OK);
    assert_int_equal(world_state(w, key, NULL), STINT_UNKNOWN);
    assert_int_equal(ask(w, MESSAGE_CANCEL, key), STINT_NO_SUCH_JOB);
    assert_int_equal(ask(w, MESSAGE_DELETE, key), STINT_NO_SUCH_JOB);
    assert_int_equal(ask(w, MESSAGE_CANCEL, id), STINT_OK);
    check_whole(w, 1);
    world_destroy(&w);
}

static void
a_job_may_be_moved_again_and_back(void **state)
{
    struct stint_id id;
    struct stint_job_info info;
    struct world *w = world_with_job(20, &id);
    (void)state;
    for (unsigned i = 0; i < 6; i++) {
        const struct change there = to_queue(i % 2 ? "default" : "other");
        const struct change urgent = to_priority((uint8_t)(i + 1));
        assert_int_equal(change(w, id, &there), STINT_OK);
        assert_int_equal(change(w, id, i % 3 ? &urgent : &there), STINT_OK);
        assert_int_equal(store_model_count(w->store, STORE_NAMES), 1);
        world_restart(w);
        world_with_client(w);
        assert_int_equal(world_state(w, id, &info), STINT_READY);
        assert_string_equal(info.queue, i % 2 ? "default" : "other");
    }
    check_whole(w, 1);
    world_destroy(&w);
}

static void
a_worker_claims_a_moved_job_after_a_restart_and_its_late_word_counts(void **state)
{
    struct stint_id id;
    struct world *w = world_with_job(20, &id);
    const struct change other = to_queue("other"), back = to_priority(200);
    struct lease_ref ref = {.attempt = 1, .begun = true};
    (void)state;
    assert_int_equal(change(w, id, &other), STINT_OK);
    greet_worker(w, 5, 1);
    assert_int_equal(world_dispatched(w, WORKER).attempt, 1);
    world_restart(w);
    world_with_client(w);
    ref.id = id;
    struct slice queues[] = {text("default"), text("other")};
    struct hello h = {.version_min = 1,
        .version_max = 1,
        .role = ROLE_WORKER,
        .session = {5},
        .queues = 2,
        .slots = 1,
        .window = 0};
    message_put_hello(world_frame(w, WORKER), &h, queues, NULL, NULL);
    world_claim(w, WORKER, &ref, 1);
    assert_int_equal(world_step(w, 0), STINT_OK);
    assert_non_null(world_read(w, WORKER, MESSAGE_CLAIMED));
    assert_int_equal(w->message.count, 0);
    world_gone(w, WORKER);
    for (unsigned i = 0; i < 40 && world_state(w, id, NULL) == STINT_RUNNING; i++)
        assert_int_equal(world_step(w, 500), STINT_OK);
    assert_int_equal(world_state(w, id, NULL), STINT_READY); /* its worker was lost */
    assert_int_equal(change(w, id, &back), STINT_OK);
    message_put_hello(world_frame(w, WORKER), &h, queues, NULL, NULL);
    world_claim(w, WORKER, &ref, 1);
    world_settle(w, WORKER, 9, id, 1, OUTCOME_SUCCEEDED, "late");
    assert_int_equal(world_step(w, 0), STINT_OK);
    assert_int_equal(world_state(w, id, NULL), STINT_SUCCEEDED);
    check_whole(w, 1);
    world_destroy(&w);
}

static void
a_moved_jobs_rows_are_gone_when_it_is_forgotten(void **state)
{
    (void)state;
    for (unsigned keeps = 0; keeps < 2; keeps++) {
        struct stint_id id;
        struct world *w = world_with_job(LARGE, &id);
        struct change other = to_queue("other");
        other.set |= CHANGE_KEEP;
        other.to.keep_ms = keeps ? 5000 : 0;
        assert_int_equal(change(w, id, &other), STINT_OK);
        greet_worker(w, 5, 1);
        assert_int_equal(world_dispatched(w, WORKER).attempt, 1);
        world_settle(w, WORKER, 5, id, 1, OUTCOME_SUCCEEDED, "done");
        for (unsigned i = 0; i < 200 && (i == 0 || store_model_count(w->store, STORE_NAMES)); i++)
            assert_int_equal(world_step(w, 500), STINT_OK);
        assert_int_equal(world_state(w, id, NULL), STINT_UNKNOWN);
        check_whole(w, 0);
        world_destroy(&w);
    }
}

static void
who_may_not_see_where_a_job_went_is_told_that_it_is_unknown(void **state)
{
    struct world *w = a_world_with_two_queues();
    struct stint_id id = id_make(w->options.broker, 1, DEFAULT_PRIORITY, 1);
    struct grant g = grant_of("key", RIGHTS_ALL, "mail.*");
    const struct change pay = to_queue("pay.roll");
    (void)state;
    world_gone(w, RUNS); /* the job is given back */
    w->grants[KEYED] = &g;
    put_hello(w, KEYED, ROLE_CLIENT, "mail.in");
    for (unsigned i = 0; i < 40; i++)
        assert_int_equal(world_step(w, 500), STINT_OK);
    put_hello(w, KEYED, ROLE_CLIENT, "mail.in");
    message_put_ids(world_frame(w, KEYED), MESSAGE_WAIT, 2, &id, 1, 1);
    message_put_subscribe(world_frame(w, KEYED), 3, (struct slice){0}, 0, &id, 1);
    world_hello_client(w, LOCAL, 1);
    assert_int_equal(world_step(w, 0), STINT_OK);
    message_put_change(world_frame(w, LOCAL), 6, &id, 1, &pay);
    assert_int_equal(world_step(w, 0), STINT_OK);
    assert_non_null(world_read(w, KEYED, MESSAGE_OUTCOMES));
    assert_true(message_next_job(w->arrays));
    assert_int_equal(w->arrays->info.state, STINT_UNKNOWN);
    assert_null(world_read(w, KEYED, MESSAGE_EVENTS));
    message_put_ids(world_frame(w, KEYED), MESSAGE_CANCEL, 7, &id, 1, 0);
    assert_int_equal(world_step(w, 0), STINT_OK);
    assert_non_null(world_read(w, KEYED, MESSAGE_ANSWERS));
    assert_int_equal(w->arrays->statuses[0], STINT_DENIED);
    world_destroy(&w);
}

static void
a_change_that_has_no_room_changes_nothing(void **state)
{
    struct stint_id id;
    struct stint_job_info info;
    struct world *w = world_with_job(20, &id);
    const struct change payload = {.set = CHANGE_PAYLOAD, .to = {.payload = {large, LARGE}}};
    const struct change nothing = {.set = 0};
    (void)state;
    store_model_set_room(w->store, 1000);
    assert_int_equal(change(w, id, &payload), STINT_STORE_FULL);
    assert_int_equal(world_state(w, id, &info), STINT_READY);
    assert_int_equal(info.payload_bytes, 20);
    store_model_set_room(w->store, UINT64_MAX);
    put_change(w, id, &nothing);
    assert_int_equal(world_step(w, 0), STINT_OK);
    assert_non_null(world_read(w, CLIENT, MESSAGE_ERROR));
    assert_int_equal(w->message.error.status, STINT_INVALID);
    check_whole(w, 0);
    world_destroy(&w);
}

/* ---- all of it, in any order ---- */

enum { JOBS = 12 };

struct play {
    struct world *w;
    struct dice dice;
    struct stint_id ids[JOBS];
    uint64_t number;
};

static void
change_some(struct play *p)
{
    static const char *const queues[] = {"default", "other", "third"};
    struct change c = {.set = (1U + dice_roll(&p->dice, 1023)) << 1,
        .delay_ms = dice_roll(&p->dice, 3) * 400,
        .to = {.queue = text(queues[dice_roll(&p->dice, 3)]),
            .kind = text("default"),
            .payload = {large, dice_once_in(&p->dice, 3) ? LARGE : 30},
            .priority = (uint8_t)dice_roll(&p->dice, 4),
            .max_attempts = 1 + dice_roll(&p->dice, 4),
            .keep_ms = dice_roll(&p->dice, 3) * 3000,
            .time_to_run_ms = 60000,
            .backoff_base_ms = 300,
            .backoff_cap_ms = 300}};
    if (dice_once_in(&p->dice, 2))
        c.set &= ~(uint32_t)CHANGE_DELAY;
    put_change(p->w, p->ids[dice_roll(&p->dice, JOBS)], &c);
}

static void
say_something(struct play *p)
{
    static const enum message_type types[] = {
        MESSAGE_CANCEL, MESSAGE_RETRY, MESSAGE_WAIT, MESSAGE_RETRY, MESSAGE_DELETE, MESSAGE_GET};
    struct stint_id id = p->ids[dice_roll(&p->dice, JOBS)];
    struct lease_ref ref = {.id = id, .attempt = 1 + dice_roll(&p->dice, 4), .begun = true};
    enum message_type type = types[dice_roll(&p->dice, dice_once_in(&p->dice, 6) ? 6 : 4)];
    switch (dice_roll(&p->dice, 8)) {
    case 0:
    case 1:
    case 2:
        change_some(p);
        break;
    case 3:
        message_put_ids(world_frame(p->w, CLIENT), type, ++p->number, &id, 1, 0);
        break;
    case 4:
        world_claim(p->w, WORKER, &ref, 1);
        break;
    case 5:
        message_put_leases(world_frame(p->w, WORKER), MESSAGE_STARTED, ++p->number, &ref, 1, false);
        break;
    default:
        world_settle(p->w, WORKER, ++p->number, id, ref.attempt,
            (enum outcome_type)(1 + dice_roll(&p->dice, 6)), "told");
    }
}

static void
act(struct play *p)
{
    if (dice_once_in(&p->dice, 12)) {
        world_restart(p->w);
        world_with_client(p->w);
        greet_worker(p->w, 5, 3);
    } else if (dice_once_in(&p->dice, 9)) {
        world_gone(p->w, WORKER);
        greet_worker(p->w, (uint8_t)(5 + dice_roll(&p->dice, 2)), 3);
    } else
        say_something(p);
    assert_int_equal(world_step(p->w, dice_once_in(&p->dice, 9) ? 1200 : 40), STINT_OK);
}

static void
whatever_is_done_to_moved_jobs_the_books_are_right(void **state)
{
    size_t moved = 0;
    (void)state;
    for (unsigned seed = 0; seed < 300; seed++) {
        struct play p = {.w = world_new(NULL), .dice = {seed}, .number = 20};
        struct verify_report report = {.problem = NULL};
        world_with_client(p.w);
        for (unsigned i = 0; i < JOBS; i++)
            p.ids[i] = world_submit_one(p.w, i + 1, "a job");
        greet_worker(p.w, 5, 3);
        for (unsigned i = 0; i < 150; i++)
            act(&p);
        moved += store_model_count(p.w->store, STORE_NAMES);
        core_destroy(&p.w->core);
        core_verify(p.w->store, 0, &report);
        assert_int_equal(report.problems, 0);
        world_destroy(&p.w);
    }
    assert_true(moved > 300);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_a_change_does_in_each_state),
        cmocka_unit_test(what_a_deletion_does_in_each_state),
        cmocka_unit_test(a_moved_job_is_handed_out_settled_and_heard_of_under_its_id),
        cmocka_unit_test(what_a_moved_job_stands_at_is_no_id),
        cmocka_unit_test(a_job_may_be_moved_again_and_back),
        cmocka_unit_test(a_worker_claims_a_moved_job_after_a_restart_and_its_late_word_counts),
        cmocka_unit_test(a_moved_jobs_rows_are_gone_when_it_is_forgotten),
        cmocka_unit_test(who_may_not_see_where_a_job_went_is_told_that_it_is_unknown),
        cmocka_unit_test(a_change_that_has_no_room_changes_nothing),
        cmocka_unit_test(whatever_is_done_to_moved_jobs_the_books_are_right),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
