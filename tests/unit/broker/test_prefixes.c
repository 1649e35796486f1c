/* Workers that serve queues by prefix: those that there are and those that come, each in its turn,
 * and none that their key is not for. test_dispatch.c has who gets which job, of such workers too.
 */
#include "keyed.h"

#include <stdio.h>
#include <stdlib.h>

enum { FIRST = 10, MANY = 300 };

/* With these queues, parted by spaces. */
static void
put_serving(struct world *w, uint32_t peer, const char *queues, uint32_t slots, const char *kind)
{
    struct slice parts[LIMIT_QUEUES_SERVED], kinds = text(kind ? kind : "");
    struct hello h = {.version_min = 1,
        .version_max = 1,
        .role = ROLE_WORKER,
        .slots = slots,
        .window = slots,
        .name = text("worker"),
        .software = text("test"),
        .kinds = kind != NULL};
    for (unsigned open = 0; open < 2; open++)
        for (const char *at = queues; *at; at += strspn(at, " ")) {
            struct slice part = {(const uint8_t *)at, strcspn(at, " ")};
            at += part.size;
            if (pattern_is_open(part) != (open == 1))
                continue;
            parts[h.queues + h.prefixes] = part;
            *(open ? &h.prefixes : &h.queues) += 1;
        }
    memset(h.session, (int)(peer % 200 + 1), sizeof h.session);
    h.session[0] = (uint8_t)(1 + peer / 200);
    message_put_hello(world_frame(w, peer), &h, parts, &kinds, NULL);
    world_claim(w, peer, NULL, 0);
}

static void
step(struct world *w, uint64_t ms)
{
    assert_int_equal(world_step(w, ms), STINT_OK);
}

static void
serve(struct world *w, uint32_t peer, const char *queues, uint32_t slots)
{
    put_serving(w, peer, queues, slots, NULL);
    step(w, 0);
    assert_non_null(world_read(w, peer, MESSAGE_WELCOME));
}

static uint64_t
next_number(void)
{
    static uint64_t number;
    return ++number;
}

/* A world in which numbers of submissions begin anew. */
struct place {
    struct world *w;
    uint64_t number;
};

static struct place
a_place(const struct core_options *options)
{
    struct place p = {.w = world_new(options)};
    world_with_client(p.w);
    return p;
}

static void
put_job(struct place *p, const char *queue, const char *kind)
{
    struct job_spec job = world_job("payload");
    job.queue = text(queue);
    if (kind)
        job.kind = text(kind);
    world_submit(p->w, LOCAL, ++p->number, &job, 1);
}

static void
submit(struct place *p, const char *queue)
{
    put_job(p, queue, NULL);
    step(p->w, 0);
}

/* The queue of the one job that the worker was given in this step; "": it was given none. */
static const char *
given(struct world *w, uint32_t peer, struct stint_id *id)
{
    static char queue[STINT_NAME_BYTES];
    queue[0] = '\0';
    size_t count = world_count(w, peer, MESSAGE_DISPATCH);
    if (count == 0)
        return queue;
    assert_int_equal(count, 1);
    assert_non_null(world_read(w, peer, MESSAGE_DISPATCH));
    assert_int_equal(w->message.count, 1);
    slice_to_text(queue, sizeof queue, w->message.dispatch.queue);
    *id = w->arrays->dispatched[0].id;
    return queue;
}

static void
finish(struct world *w, uint32_t peer, struct stint_id id, enum outcome_type how, uint32_t attempt)
{
    world_settle(w, peer, next_number(), id, attempt, how, "");
    step(w, 0);
}

static bool
listed(struct world *w, const char *name, struct stint_queue_info *info)
{
    message_put_page(world_frame(w, LOCAL), MESSAGE_LIST_QUEUES, 5, (struct slice){0});
    step(w, 0);
    assert_non_null(world_read(w, LOCAL, MESSAGE_QUEUES));
    for (uint32_t i = w->message.count; i > 0; i--) {
        assert_true(message_next_queue(w->arrays));
        *info = w->arrays->queue_info;
        if (strcmp(info->name, name) == 0)
            return true;
    }
    return false;
}

/* What the first worker is said to serve, to this peer. */
static const char *
told_queues(struct world *w, uint32_t peer)
{
    message_put_page(world_frame(w, peer), MESSAGE_LIST_WORKERS, 6, (struct slice){0});
    step(w, 0);
    assert_non_null(world_read(w, peer, MESSAGE_WORKERS));
    return w->message.count > 0 && message_next_worker(w->arrays) ? w->arrays->worker_info.queues
                                                                  : NULL;
}

static void
queues_that_come_are_served_at_once_and_others_are_not(void **state)
{
    struct place p = a_place(NULL);
    struct stint_queue_info info;
    struct stint_id id;
    (void)state;
    submit(&p, "mail.old");
    serve(p.w, FIRST, "mail.* pay", 4);
    assert_string_equal(given(p.w, FIRST, &id), "mail.old");
    submit(&p, "mail.new");
    assert_string_equal(given(p.w, FIRST, &id), "mail.new");
    submit(&p, "pay");
    assert_string_equal(given(p.w, FIRST, &id), "pay");
    submit(&p, "mail");
    assert_string_equal(given(p.w, FIRST, &id), "");
    submit(&p, "default"); /* it says queues, so it does not serve this one */
    assert_string_equal(given(p.w, FIRST, &id), "");
    submit(&p, "pay.roll");
    assert_string_equal(given(p.w, FIRST, &id), "");
    assert_true(listed(p.w, "mail.new", &info));
    assert_int_equal(info.workers, 1);
    assert_true(listed(p.w, "mail", &info));
    assert_int_equal(info.workers, 0);
    world_destroy(&p.w);
}

static void
what_is_said_twice_or_covered_counts_once(void **state)
{
    struct place p = a_place(NULL);
    struct stint_queue_info info;
    (void)state;
    serve(p.w, FIRST, "pay mail.in pay a mail.x* mail.* mail.* mail.in.* z*", 1);
    assert_string_equal(told_queues(p.w, LOCAL), "a pay mail.* z*");
    submit(&p, "mail.in");
    assert_true(listed(p.w, "mail.in", &info));
    assert_int_equal(info.workers, 1);
    assert_true(listed(p.w, "pay", &info)); /* it is named, so it is expected */
    assert_int_equal(info.workers, 1);
    assert_int_equal(info.number, 0);
    serve(p.w, FIRST, "q* * a", 1);
    assert_string_equal(told_queues(p.w, LOCAL), "*");
    assert_true(listed(p.w, "mail.in", &info));
    assert_int_equal(info.workers, 1);
    serve(p.w, FIRST, "mail.in", 1); /* by its name now */
    assert_string_equal(told_queues(p.w, LOCAL), "mail.in");
    assert_true(listed(p.w, "mail.in", &info));
    assert_int_equal(info.workers, 1);
    world_destroy(&p.w);
}

/* One queue always has a job, and others come with one each; each job is given before any queue
 * that has had its turn has another. */
static void
none_of_many_queues_waits_longer_than_the_others(void **state)
{
    struct place p = a_place(NULL);
    unsigned turns[MANY] = {0};
    struct stint_id id;
    char name[16];
    (void)state;
    for (unsigned round = 0; round < 3; round++)
        for (unsigned q = 0; q < MANY; q++) {
            (void)snprintf(name, sizeof name, "q%03u", q);
            submit(&p, name);
        }
    serve(p.w, FIRST, "q*", 1);
    for (unsigned n = 0; n < 2 * MANY; n++) {
        unsigned q = (unsigned)atoi(given(p.w, FIRST, &id) + 1);
        assert_int_equal(turns[q]++, n / MANY); /* nobody is a round ahead */
        if (n % 3 == 0)
            put_job(&p, "q000", NULL);
        finish(p.w, FIRST, id, OUTCOME_SUCCEEDED, 1);
    }
    world_destroy(&p.w);
}

/* Workers of a pool share the turns. */
static void
two_workers_that_say_the_same_go_on_where_the_other_one_was(void **state)
{
    struct place p = a_place(NULL);
    struct stint_id id;
    (void)state;
    for (unsigned n = 0; n < 2; n++) {
        submit(&p, "q.a");
        submit(&p, "q.b");
    }
    serve(p.w, FIRST, "q.* x", 1);
    assert_string_equal(given(p.w, FIRST, &id), "q.a");
    serve(p.w, FIRST + 1, "x q.* x", 1);
    assert_string_equal(given(p.w, FIRST + 1, &id), "q.b");
    finish(p.w, FIRST + 1, id, OUTCOME_SUCCEEDED, 1);
    assert_string_equal(given(p.w, FIRST + 1, &id), "q.a");
    world_destroy(&p.w);
}

/* A queue that had nothing for them is looked at again once it has. */
static void
a_queue_that_had_nothing_is_not_forgotten(void **state)
{
    struct place p = a_place(NULL);
    struct stint_id id, other;
    (void)state;
    put_serving(p.w, FIRST, "mail.*", 1, "send");
    step(p.w, 0);
    message_put_set_queue(world_frame(p.w, LOCAL), 1, text("mail.in"), STINT_PAUSE_QUEUE, NULL);
    put_job(&p, "mail.in", "send");
    step(p.w, 0);
    step(p.w, 100);
    assert_string_equal(given(p.w, FIRST, &id), "");
    message_put_set_queue(world_frame(p.w, LOCAL), 2, text("mail.in"), STINT_RESUME_QUEUE, NULL);
    step(p.w, 0);
    assert_string_equal(given(p.w, FIRST, &id), "mail.in");
    finish(p.w, FIRST, id, OUTCOME_RETURNED, 1);
    assert_string_equal(given(p.w, FIRST, &other), "mail.in");
    assert_memory_equal(&id, &other, sizeof id);
    finish(p.w, FIRST, id, OUTCOME_SUCCEEDED, 2);
    put_job(&p, "mail.in", "other"); /* which they do not handle */
    step(p.w, 0);
    assert_string_equal(given(p.w, FIRST, &id), "");
    put_job(&p, "mail.in", "send"); /* behind it */
    step(p.w, 0);
    assert_string_equal(given(p.w, FIRST, &id), "mail.in");
    finish(p.w, FIRST, id, OUTCOME_SUCCEEDED, 1);
    assert_string_equal(given(p.w, FIRST, &id), "");
    put_serving(p.w, FIRST, "mail.*", 1, "other"); /* it handles that one now */
    step(p.w, 0);
    assert_string_equal(given(p.w, FIRST, &id), "mail.in");
    world_destroy(&p.w);
}

/* Nothing becomes ready by that, and still there is something to be found. */
static void
a_job_that_is_of_another_kind_now_is_given_to_who_handles_that(void **state)
{
    struct place p = a_place(NULL);
    struct stint_id id = id_make(0, 1, DEFAULT_PRIORITY, 1);
    const struct change change = {.set = CHANGE_KIND, .to.kind = text("card")};
    (void)state;
    put_serving(p.w, FIRST, "mail.*", 1, "card");
    step(p.w, 0);
    put_job(&p, "mail.a", "letter");
    step(p.w, 0);
    step(p.w, 1000);
    assert_string_equal(given(p.w, FIRST, &id), "");
    message_put_change(world_frame(p.w, LOCAL), next_number(), &id, 1, &change);
    step(p.w, 0);
    assert_string_equal(given(p.w, FIRST, &id), "mail.a");
    world_destroy(&p.w);
}

static void
the_positions_of_a_kind_stay_while_one_of_the_two_ways_of_serving_is_left(void **state)
{
    struct place p = a_place(NULL);
    struct stint_id id;
    (void)state;
    put_serving(p.w, FIRST, "mail.*", 1, "send");
    put_serving(p.w, FIRST + 1, "mail.in", 1, "send");
    put_job(&p, "mail.in", "other");
    step(p.w, 0);
    world_gone(p.w, FIRST + 1);
    for (unsigned s = 0; s < 20; s++) { /* it is given up, and so is its way of serving */
        message_put_ping(world_frame(p.w, FIRST), s + 1, WINDOW_UNCHANGED, 0);
        step(p.w, 1000);
    }
    put_job(&p, "mail.in", "send");
    step(p.w, 0);
    assert_string_equal(given(p.w, FIRST, &id), "mail.in");
    world_destroy(&p.w);
}

static void
a_queue_that_is_only_matched_goes_and_may_come_again(void **state)
{
    struct core_options options;
    struct stint_queue_info info;
    struct stint_id id;
    (void)state;
    core_options_init(&options);
    options.keep_ms = 0;
    struct place p = a_place(&options);
    serve(p.w, FIRST, "mail.*", 1);
    for (unsigned n = 0; n < 2; n++) {
        submit(&p, "mail.in");
        assert_string_equal(given(p.w, FIRST, &id), "mail.in");
        finish(p.w, FIRST, id, OUTCOME_SUCCEEDED, 1);
        for (unsigned s = 0; s < 900; s++) {
            message_put_ping(world_frame(p.w, FIRST), s + 1, WINDOW_UNCHANGED, 0);
            message_put_ping(world_frame(p.w, LOCAL), s + 1, WINDOW_UNCHANGED, 0);
            step(p.w, 1000);
        }
        assert_false(listed(p.w, "mail.in", &info));
        assert_int_equal(store_model_count(p.w->store, STORE_QUEUES), 0);
    }
    world_destroy(&p.w);
}

/* What waits in such a worker is asked back when its queue is paused, or when another one is idle.
 */
static void
what_waits_ahead_is_recalled_as_from_other_workers(void **state)
{
    struct place p = a_place(NULL);
    struct job_spec job = world_job("x");
    (void)state;
    job.queue = text("mail.in");
    put_serving(p.w, FIRST, "mail.*", 1, NULL);
    step(p.w, 0);
    message_put_ping(world_frame(p.w, FIRST), 1, 5, 0); /* it takes 4 ahead */
    step(p.w, 0);
    world_submit_many(p.w, LOCAL, ++p.number, &job, 5);
    assert_non_null(world_read(p.w, FIRST, MESSAGE_DISPATCH));
    assert_int_equal(p.w->message.count, 5);
    put_serving(p.w, FIRST + 1, "m*", 2, NULL);
    step(p.w, 10);
    message_put_ping(world_frame(p.w, FIRST), 2, 5, 0);
    step(p.w, 200);
    assert_non_null(world_read(p.w, FIRST, MESSAGE_RECALL));
    assert_int_equal(p.w->message.count, 2);
    message_put_set_queue(world_frame(p.w, LOCAL), 1, text("mail.in"), STINT_PAUSE_QUEUE, NULL);
    step(p.w, 0);
    assert_non_null(world_read(p.w, FIRST, MESSAGE_RECALL));
    assert_int_equal(p.w->message.count, 5);
    assert_int_equal(p.w->message.recall.queue.size, 7);
    world_destroy(&p.w);
}

/* ---- keys ---- */

static bool
admitted(struct world *w, const char *queues)
{
    put_serving(w, KEYED, queues, 1, NULL);
    step(w, 0);
    if (world_read(w, KEYED, MESSAGE_WELCOME))
        return true;
    expect_error(w, STINT_DENIED);
    return false;
}

static void
a_key_has_to_be_for_all_that_a_prefix_stands_for(void **state)
{
    struct place p = a_place(NULL);
    struct grant g = grant_of("key", RIGHT_RUN, "mail.*"); /* and for `other` */
    (void)state;
    p.w->grants[KEYED] = &g;
    assert_false(admitted(p.w, "*"));
    assert_false(admitted(p.w, "m*"));
    assert_false(admitted(p.w, "mail*"));
    assert_false(admitted(p.w, "other*"));
    assert_false(admitted(p.w, "mail.in mail.* pay.*"));
    assert_false(admitted(p.w, "pay mail.*"));
    assert_true(admitted(p.w, "mail.*"));
    assert_true(admitted(p.w, "mail.in.* other"));
    assert_true(admitted(p.w, "mail.in other mail.i*"));
    g = grant_of("key", RIGHT_RUN, "*");
    assert_true(admitted(p.w, "*"));
    g = grant_of("key", RIGHT_RUN, NULL);
    assert_true(admitted(p.w, "*"));
    g = grant_of("key", RIGHT_SEE, NULL);
    assert_false(admitted(p.w, "mail.*"));
    world_destroy(&p.w);
}

/* Of a prefix, a key is told what it has of it, be there such queues or not. */
static void
a_key_is_told_its_own_part_of_a_prefix(void **state)
{
    static const struct {
        const char *serves, *grants; /* and `other` */
        const char *told; /* NULL: nothing of that worker */
        bool whole;
    } cases[] = {
        {"mail.*", "mail.*", "mail.*", true},
        {"mail.*", "m*", "mail.*", true},
        {"mail.*", "mail.in", "mail.in", false},
        {"mail.*", "mail.in.*", "mail.in.*", false},
        {"mail.*", "pay.*", NULL, false},
        {"*", "mail.in", "other mail.in", false},
        {"*", "oth*", "oth*", false},
        {"*", "*", "*", true},
        {"pay.* other", "mail.in", "other", false},
        {"o* mail.in", "mail.in", "mail.in other", false},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct place p = a_place(NULL);
        struct grant g = grant_of("key", RIGHT_SEE, cases[i].grants);
        struct stint_id id;
        p.w->grants[KEYED] = &g;
        serve(p.w, FIRST, cases[i].serves, 1);
        submit(&p, strcmp(cases[i].serves, "*") == 0 ? "other" : "mail.in");
        (void)given(p.w, FIRST, &id);
        put_hello(p.w, KEYED, ROLE_CLIENT, "");
        step(p.w, 0);
        const char *told = told_queues(p.w, KEYED);
        assert_int_equal(told != NULL, cases[i].told != NULL);
        if (!told)
            assert_int_equal(p.w->message.count, 0);
        else {
            assert_string_equal(told, cases[i].told);
            if (!cases[i].whole)
                assert_int_equal(p.w->arrays->worker_info.held, 0);
        }
        world_destroy(&p.w);
    }
}

/* ---- reasons ---- */

static enum stint_why
why(struct world *w, const char *queue)
{
    message_put_why(world_frame(w, LOCAL), 7, text(queue), NULL, 0);
    step(w, 0);
    if (world_read(w, LOCAL, MESSAGE_ERROR))
        return STINT_WHY_UNKNOWN;
    assert_non_null(world_read(w, LOCAL, MESSAGE_REASONS));
    assert_true(message_next_reason(w->arrays));
    assert_string_equal(w->arrays->reason.queue, queue);
    return w->arrays->reason.why;
}

static void
a_queue_that_is_only_matched_has_a_worker(void **state)
{
    struct place p = a_place(NULL);
    struct stint_queue_info info;
    (void)state;
    assert_int_equal(why(p.w, "mail.in"), STINT_WHY_UNKNOWN);
    put_serving(p.w, FIRST, "mail.*", 1, "send");
    step(p.w, 0);
    assert_int_equal(
        why(p.w, "mail.in"), STINT_WHY_NOTHING); /* if a job came, it would be served */
    assert_int_equal(why(p.w, "pay"), STINT_WHY_UNKNOWN);
    put_job(&p, "mail.in", "other");
    step(p.w, 0);
    assert_int_equal(why(p.w, "mail.in"), STINT_WHY_NO_HANDLER);
    assert_int_equal(p.w->arrays->reason.workers, 1);
    assert_true(listed(p.w, "mail.in", &info));
    assert_string_equal(info.unserved, "other");
    put_job(&p, "pay", "other");
    step(p.w, 0);
    world_restart(p.w); /* no grace time is left when it has passed */
    world_with_client(p.w);
    step(p.w, 20000);
    world_with_client(p.w);
    assert_int_equal(why(p.w, "mail.in"), STINT_WHY_NO_WORKER);
    put_serving(p.w, FIRST, "*", 1, NULL);
    step(p.w, 0);
    assert_int_equal(why(p.w, "pay"), STINT_WHY_BUSY);
    world_destroy(&p.w);
}

/* ---- bounds ---- */

static void
so_many_different_sets_of_prefixes_there_are_and_no_more(void **state)
{
    struct place p = a_place(NULL);
    char queues[64];
    (void)state;
    for (unsigned n = 0; n < 1024; n++) {
        (void)snprintf(queues, sizeof queues, "p%u.*", n);
        serve(p.w, FIRST + n, queues, 1);
    }
    put_serving(p.w, FIRST + 2000, "one.more*", 1, NULL);
    step(p.w, 0);
    assert_non_null(world_read(p.w, FIRST + 2000, MESSAGE_ERROR));
    assert_int_equal(p.w->message.error.status, STINT_TOO_MANY);
    serve(p.w, FIRST + 2000, "p7.*", 1); /* the same as another one's is none more */
    serve(p.w, FIRST, "p8.*", 1); /* one less */
    serve(p.w, FIRST + 2000, "one.more*", 1);
    world_destroy(&p.w);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(queues_that_come_are_served_at_once_and_others_are_not),
        cmocka_unit_test(what_is_said_twice_or_covered_counts_once),
        cmocka_unit_test(none_of_many_queues_waits_longer_than_the_others),
        cmocka_unit_test(two_workers_that_say_the_same_go_on_where_the_other_one_was),
        cmocka_unit_test(a_queue_that_had_nothing_is_not_forgotten),
        cmocka_unit_test(a_job_that_is_of_another_kind_now_is_given_to_who_handles_that),
        cmocka_unit_test(the_positions_of_a_kind_stay_while_one_of_the_two_ways_of_serving_is_left),
        cmocka_unit_test(a_queue_that_is_only_matched_goes_and_may_come_again),
        cmocka_unit_test(what_waits_ahead_is_recalled_as_from_other_workers),
        cmocka_unit_test(a_key_has_to_be_for_all_that_a_prefix_stands_for),
        cmocka_unit_test(a_key_is_told_its_own_part_of_a_prefix),
        cmocka_unit_test(a_queue_that_is_only_matched_has_a_worker),
        cmocka_unit_test(so_many_different_sets_of_prefixes_there_are_and_no_more),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
