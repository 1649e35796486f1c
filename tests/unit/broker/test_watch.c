/* What is pushed: each subscription hears what it names and nothing else, in the order it happened;
 * and who waits for jobs hears of each once. What time brings is in test_sweep.c.
 */
#include "world.h"

#include <stdlib.h>

enum { HEARD_MAX = 200, SUBSCRIPTIONS = 48, TYPES = STINT_EVENT_CANCELLED + 1 };

static const char *const queue_names[] = {"alpha", "beta"};

struct heard {
    enum stint_event_type type;
    struct stint_id id;
    uint64_t count;
};

struct subscriber {
    uint32_t events; /* bits; 0: all */
    unsigned queue; /* 2: all */
    bool some; /* only of the first job of each queue */
    struct heard heard[HEARD_MAX];
    unsigned count;
};

static struct subscriber subscribers[SUBSCRIPTIONS + 1]; /* by number; the first is 1 */

static struct slice
text(const char *t)
{
    return (struct slice){(const uint8_t *)t, strlen(t)};
}

/* Steps, and takes in what everybody hears. */
static void
step(struct world *w, uint64_t ms)
{
    assert_int_equal(world_step(w, ms), STINT_OK);
    for (size_t i = 0; world_next(w, 1, &i);) {
        if (w->message.type != MESSAGE_EVENTS)
            continue;
        assert_in_range(w->message.number, 1, SUBSCRIPTIONS);
        struct subscriber *s = &subscribers[w->message.number];
        for (uint32_t e = 0; e < w->message.count; e++) {
            const struct stint_event *event = &w->arrays->events[e];
            assert_true(s->count < HEARD_MAX);
            assert_string_equal(event->queue, queue_names[id_queue(&event->id) - 1]);
            assert_int_equal(event->at_ms, w->wall_ms);
            s->heard[s->count++] = (struct heard){event->type, event->id, event->count};
        }
    }
}

static void
settle(struct world *w, struct stint_id id, uint32_t attempt, enum outcome_type type)
{
    static uint64_t number;
    struct outcome o = {.id = id, .attempt = attempt, .type = type, .delay_ms = 3600000};
    message_put_settle(world_frame(w, 2), ++number, &o, 1, WINDOW_UNCHANGED);
    step(w, 1);
}

static void
ask(struct world *w, enum message_type what, struct stint_id id)
{
    message_put_ids(world_frame(w, 1), what, 900, &id, 1, 0);
    step(w, 1);
}

static void
join(struct world *w)
{
    struct slice names[] = {text(queue_names[0]), text(queue_names[1])};
    struct hello h = {.version_min = 1,
        .version_max = 1,
        .role = ROLE_WORKER,
        .name = text("worker"),
        .software = text("test"),
        .slots = 9,
        .window = 9,
        .queues = 2};
    h.session[0] = 2;
    message_put_hello(world_frame(w, 2), &h, names, NULL, NULL);
    world_claim(w, 2, NULL, 0);
    step(w, 1);
}

/* The job of a queue, as its submissions are numbered below: one each, in turn. */
static struct stint_id
id_of(unsigned queue, uint64_t sequence)
{
    return id_make(0, queue + 1, 100, sequence);
}

static void
submit(struct world *w, uint64_t number, unsigned queue)
{
    struct job_spec job = world_job("x");
    job.queue = text(queue_names[queue]);
    world_submit(w, 1, number, &job, 1);
    step(w, 1);
}

/* Jobs are made, run, fail, are given up, cancelled, and tried again. */
static void
live(struct world *w)
{
    for (uint64_t n = 1; n <= 6; n++)
        submit(w, n, (n - 1) % 2);
    join(w);
    settle(w, id_of(0, 1), 1, OUTCOME_SUCCEEDED);
    settle(w, id_of(0, 2), 1, OUTCOME_FAILED);
    settle(w, id_of(1, 1), 1, OUTCOME_DEAD);
    settle(w, id_of(1, 2), 1, OUTCOME_RETURNED);
    ask(w, MESSAGE_CANCEL, id_of(0, 2));
    ask(w, MESSAGE_CANCEL, id_of(1, 3));
    ask(w, MESSAGE_RETRY, id_of(1, 1));
    settle(w, id_of(1, 1), 2, OUTCOME_SNOOZED);
    message_put_numbered(world_frame(w, 2), MESSAGE_BYE, 9);
    step(w, 1);
}

static bool
wants(const struct subscriber *s, const struct heard *h)
{
    return (s->events == 0 || (s->events >> h->type & 1) != 0) &&
        (s->queue == 2 || id_queue(&h->id) == s->queue + 1) &&
        (!s->some || id_sequence(&h->id) == 1);
}

static void
subscribe_all(struct world *w)
{
    struct stint_id firsts[] = {id_of(1, 1), id_of(0, 1)};
    memset(subscribers, 0, sizeof subscribers);
    for (unsigned n = 1; n <= SUBSCRIPTIONS; n++) {
        struct subscriber *s = &subscribers[n];
        unsigned type = (n - 1) % 8;
        s->queue = 2 - (n - 1) / 8 % 3;
        s->some = (n - 1) / 24;
        s->events = type ? 1U << type : 0;
        message_put_subscribe(world_frame(w, 1), n,
            s->queue < 2 ? text(queue_names[s->queue]) : (struct slice){0}, s->events, firsts,
            s->some ? 2 : 0);
    }
    step(w, 1);
    assert_int_equal(world_count(w, 1, MESSAGE_ANSWERS), SUBSCRIPTIONS);
}

static void
each_subscription_hears_what_it_names_and_in_order(void **state)
{
    struct world *w = world_new(NULL);
    unsigned types[TYPES] = {0};
    (void)state;
    world_with_client(w);
    subscribe_all(w);
    live(w);
    const struct subscriber *all = &subscribers[1];
    for (unsigned i = 0; i < all->count; i++)
        types[all->heard[i].type]++;
    const unsigned expected[TYPES] = {[STINT_EVENT_SUBMITTED] = 6,
        [STINT_EVENT_STARTED] = 8, /* each, and two of them again */
        [STINT_EVENT_SUCCEEDED] = 1,
        [STINT_EVENT_FAILED] = 1,
        [STINT_EVENT_REQUEUED] = 5, /* given back, tried again, put off, two with their worker */
        [STINT_EVENT_DEAD] = 1,
        [STINT_EVENT_CANCELLED] = 2};
    assert_memory_equal(types, expected, sizeof types);
    for (unsigned n = 2; n <= SUBSCRIPTIONS; n++) {
        const struct subscriber *s = &subscribers[n];
        unsigned at = 0;
        for (unsigned i = 0; i < all->count; i++)
            if (wants(s, &all->heard[i])) {
                assert_true(at < s->count);
                assert_memory_equal(&s->heard[at].id, &all->heard[i].id, STINT_ID_BYTES);
                assert_int_equal(s->heard[at].type, all->heard[i].type);
                assert_int_equal(s->heard[at].count, all->heard[i].count);
                at++;
            }
        assert_int_equal(s->count, at);
    }
    world_destroy(&w);
}

static void
a_jobs_life_is_told_in_its_order_with_its_attempts(void **state)
{
    static const struct {
        enum stint_event_type type;
        uint64_t attempt;
    } life[] = {{STINT_EVENT_SUBMITTED, 0}, {STINT_EVENT_STARTED, 1}, {STINT_EVENT_DEAD, 1},
        {STINT_EVENT_REQUEUED, 1}, {STINT_EVENT_STARTED, 2}, {STINT_EVENT_REQUEUED, 2}};
    struct stint_id id = id_of(1, 1);
    struct world *w = world_new(NULL);
    (void)state;
    memset(subscribers, 0, sizeof subscribers);
    world_with_client(w);
    message_put_subscribe(world_frame(w, 1), 3, (struct slice){0}, 0, &id, 1);
    live(w);
    assert_int_equal(subscribers[3].count, sizeof life / sizeof *life);
    for (size_t i = 0; i < sizeof life / sizeof *life; i++) {
        assert_int_equal(subscribers[3].heard[i].type, life[i].type);
        assert_int_equal(subscribers[3].heard[i].count, life[i].attempt);
    }
    world_destroy(&w);
}

static void
a_subscription_said_again_takes_the_place_of_the_first(void **state)
{
    struct world *w = world_new(NULL);
    (void)state;
    memset(subscribers, 0, sizeof subscribers);
    world_with_client(w);
    message_put_subscribe(world_frame(w, 1), 1, text("alpha"), 0, NULL, 0);
    message_put_subscribe(world_frame(w, 1), 1, text("beta"), 0, NULL, 0);
    step(w, 0);
    submit(w, 1, 0);
    assert_int_equal(subscribers[1].count, 0);
    submit(w, 2, 1);
    assert_int_equal(subscribers[1].count, 1);
    message_put_numbered(world_frame(w, 1), MESSAGE_UNSUBSCRIBE, 1);
    submit(w, 3, 1);
    assert_int_equal(subscribers[1].count, 1);
    world_destroy(&w);
}

static void
subscriptions_of_one_connection_are_limited(void **state)
{
    struct world *w = world_new(NULL);
    (void)state;
    world_with_client(w);
    for (unsigned n = 1; n <= LIMIT_SUBSCRIPTIONS + 1; n++) {
        message_put_subscribe(world_frame(w, 1), n, text("alpha"), 0, NULL, 0);
        assert_int_equal(world_step(w, 0), STINT_OK);
        assert_non_null(world_read(w, 1, MESSAGE_ANSWERS));
        assert_int_equal(
            w->arrays->statuses[0], n <= LIMIT_SUBSCRIPTIONS ? STINT_OK : STINT_TOO_MANY);
    }
    message_put_numbered(world_frame(w, 1), MESSAGE_UNSUBSCRIBE, 5);
    message_put_subscribe(world_frame(w, 1), 99, text("alpha"), 0, NULL, 0);
    assert_int_equal(world_step(w, 0), STINT_OK);
    assert_non_null(world_read(w, 1, MESSAGE_ANSWERS));
    for (size_t i = 0; world_next(w, 1, &i);)
        assert_int_equal(w->arrays->statuses[0], STINT_OK);
    world_destroy(&w);
}

static void
all_who_wait_for_a_job_hear_of_it_once_and_with_what_they_asked_for(void **state)
{
    struct world *w = world_new(NULL);
    struct stint_id id = id_of(0, 1);
    (void)state;
    world_with_client(w);
    submit(w, 1, 0);
    for (uint32_t peer = 20; peer < 26; peer++) {
        world_hello_client(w, peer, (uint8_t)peer);
        for (unsigned again = 0; again < 2; again++) /* the last time is what counts */
            message_put_ids(
                world_frame(w, peer), MESSAGE_WAIT, 1, &id, 1, again ? peer % 2 : peer % 3);
    }
    step(w, 0);
    world_gone(w, 23);
    join(w);
    struct outcome o = {
        .id = id, .attempt = 1, .type = OUTCOME_SUCCEEDED, .body = text("the result")};
    message_put_settle(world_frame(w, 2), 77, &o, 1, WINDOW_UNCHANGED);
    step(w, 0);
    for (uint32_t peer = 20; peer < 26; peer++) {
        assert_int_equal(world_count(w, peer, MESSAGE_OUTCOMES), peer != 23);
        if (peer == 23)
            continue;
        assert_non_null(world_read(w, peer, MESSAGE_OUTCOMES));
        assert_int_equal(w->message.count, 1);
        assert_true(message_next_job(w->arrays));
        assert_int_equal(w->arrays->info.state, STINT_SUCCEEDED);
        assert_int_equal(w->arrays->info.result_bytes, 10);
        assert_int_equal(w->arrays->info.result != NULL, peer % 2);
    }
    ask(w, MESSAGE_CANCEL, id);
    for (uint32_t peer = 20; peer < 26; peer++)
        assert_int_equal(world_count(w, peer, MESSAGE_OUTCOMES), 0);
    world_destroy(&w);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_subscription_hears_what_it_names_and_in_order),
        cmocka_unit_test(a_jobs_life_is_told_in_its_order_with_its_attempts),
        cmocka_unit_test(a_subscription_said_again_takes_the_place_of_the_first),
        cmocka_unit_test(subscriptions_of_one_connection_are_limited),
        cmocka_unit_test(all_who_wait_for_a_job_hear_of_it_once_and_with_what_they_asked_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
