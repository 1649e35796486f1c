/* Peers with keys: messages about several queues, lists that tell a part, whose a session is, and
 * what is noted of who changed what.
 */
#include "keyed.h"

/* ---- messages about several ---- */

static void
of_a_message_about_several_jobs_those_that_are_not_granted_are_denied(void **state)
{
    struct world *w = a_world_with_two_queues();
    struct grant g = grant_of("key", RIGHTS_ALL, "mail.in");
    struct stint_id ids[] = {id_make(0, 2, DEFAULT_PRIORITY, 1),
        id_make(w->options.broker, 1, DEFAULT_PRIORITY, 1),
        id_make(w->options.broker, 2, DEFAULT_PRIORITY, 1),
        id_make(w->options.broker, 1, DEFAULT_PRIORITY, 99)};
    struct lease_ref refs[4];
    struct outcome outcomes[4];
    (void)state;
    ids[0] = id_make((uint16_t)(w->options.broker + 1), 1, DEFAULT_PRIORITY, 1);
    for (unsigned i = 0; i < 4; i++) {
        refs[i] = (struct lease_ref){.id = ids[i], .attempt = 1};
        outcomes[i] = (struct outcome){.id = ids[i], .attempt = 1, .type = OUTCOME_SUCCEEDED};
    }
    w->grants[KEYED] = &g;
    put_hello(w, KEYED, ROLE_WORKER, "mail.in");
    message_put_ids(world_frame(w, KEYED), MESSAGE_WAIT, 3, ids, 4, 0);
    assert_int_equal(world_step(w, 0), STINT_OK);
    assert_non_null(world_read(w, KEYED, MESSAGE_ANSWERS));
    static const uint32_t expected[] = {STINT_DENIED, STINT_OK, STINT_DENIED, STINT_NO_SUCH_JOB};
    assert_memory_equal(w->arrays->statuses, expected, sizeof expected);

    message_put_leases(world_frame(w, KEYED), MESSAGE_CLAIM, 4, refs, 4, false);
    message_put_settle(world_frame(w, KEYED), 5, outcomes, 4, WINDOW_UNCHANGED);
    assert_int_equal(world_step(w, 0), STINT_OK);
    assert_non_null(world_read(w, KEYED, MESSAGE_CLAIMED));
    assert_int_equal(w->message.count, 4);
    assert_int_equal(w->arrays->leases[0].status, STINT_DENIED);
    assert_int_equal(w->arrays->leases[1].status, STINT_STALE);
    assert_int_equal(w->arrays->leases[2].status, STINT_DENIED);
    assert_memory_equal(&w->arrays->leases[2].id, &ids[2], sizeof *ids);
    assert_int_equal(w->arrays->leases[3].status, STINT_NO_SUCH_JOB);
    assert_non_null(world_read(w, KEYED, MESSAGE_SETTLED));
    for (unsigned i = 0; i < 4; i++) {
        uint32_t index;
        enum stint_status status;
        assert_true(message_next_exception(&w->arrays->answers[0], &index, &status));
        assert_int_equal(index, i);
        assert_int_equal(status == STINT_DENIED, expected[i] == STINT_DENIED);
    }

    message_put_ids(world_frame(w, KEYED), MESSAGE_CANCEL, 6, ids, 4, 0);
    assert_int_equal(world_step(w, 0), STINT_OK);
    assert_non_null(world_read(w, KEYED, MESSAGE_ANSWERS));
    assert_memory_equal(w->arrays->statuses, expected, sizeof expected);
    assert_int_equal(world_state(w, ids[1], NULL), STINT_CANCELLED_JOB);
    assert_int_equal(world_state(w, ids[2], NULL), STINT_READY);
    world_destroy(&w);
}

static void
a_submit_of_which_one_job_is_not_granted_stores_none(void **state)
{
    struct world *w = a_world_with_two_queues();
    struct grant g = grant_of("key", RIGHT_SUBMIT, "mail.in");
    struct job_spec jobs[] = {world_job("a"), world_job("b")};
    struct stint_stats before, after;
    (void)state;
    jobs[0].queue = text("mail.in");
    jobs[1].queue = text("pay.roll");
    w->grants[KEYED] = &g;
    put_hello(w, KEYED, ROLE_CLIENT, "");
    assert_int_equal(world_step(w, 0), STINT_OK);
    core_stats(w->core, &before);
    world_submit(w, KEYED, 1, jobs, 2);
    put_submit(w, KEYED, 2, "mail.in"); /* behind a refused one */
    assert_int_equal(world_step(w, 0), STINT_OK);
    assert_non_null(world_read(w, KEYED, MESSAGE_SUBMITTED));
    assert_int_equal(w->arrays->answers[0].status, STINT_DENIED);
    assert_int_equal(w->arrays->answers[0].index, 1);
    assert_true(w->arrays->answers[0].detail.size > 10);
    assert_int_equal(w->arrays->answers[1].status, STINT_OUT_OF_ORDER);
    core_stats(w->core, &after);
    assert_int_equal(after.submitted, before.submitted);
    put_submit(w, KEYED, 1, "mail.in"); /* its number was not used */
    assert_int_equal(world_step(w, 0), STINT_OK);
    assert_int_equal(status_told(w, MESSAGE_SUBMITTED), STINT_OK);
    world_destroy(&w);
}

static void
a_submission_that_is_stored_is_answered_as_it_was_whatever_is_granted_now(void **state)
{
    struct world *w = a_world_with_two_queues();
    struct grant wide = grant_of("key", RIGHT_SUBMIT, NULL);
    struct grant narrow = grant_of("key", RIGHT_SUBMIT, "mail.in");
    (void)state;
    w->grants[KEYED] = &wide;
    put_hello(w, KEYED, ROLE_CLIENT, "");
    put_submit(w, KEYED, 1, "pay.roll");
    assert_int_equal(world_step(w, 0), STINT_OK);
    assert_int_equal(status_told(w, MESSAGE_SUBMITTED), STINT_OK);
    world_gone(w, KEYED);
    w->grants[KEYED] = &narrow;
    put_hello(w, KEYED, ROLE_CLIENT, "");
    put_submit(w, KEYED, 1, "pay.roll");
    assert_int_equal(world_step(w, 0), STINT_OK);
    assert_int_equal(status_told(w, MESSAGE_SUBMITTED), STINT_OK);
    put_submit(w, KEYED, 2, "pay.roll");
    assert_int_equal(world_step(w, 0), STINT_OK);
    assert_int_equal(status_told(w, MESSAGE_SUBMITTED), STINT_DENIED);
    world_destroy(&w);
}

static void
a_worker_that_names_no_queue_needs_the_default_one(void **state)
{
    struct world *w = world_new(NULL);
    struct grant g = grant_of("key", RIGHT_RUN, "mail.in");
    (void)state;
    w->grants[KEYED] = &g;
    world_hello_worker(w, KEYED, 9, 1);
    assert_int_equal(world_step(w, 0), STINT_OK);
    expect_error(w, STINT_DENIED);
    g = grant_of("key", RIGHT_RUN, "default");
    world_hello_worker(w, KEYED, 9, 1);
    assert_int_equal(world_step(w, 0), STINT_OK);
    assert_non_null(world_read(w, KEYED, MESSAGE_WELCOME));
    world_destroy(&w);
}

static void
a_worker_needs_each_queue_that_it_names(void **state)
{
    struct world *w = world_new(NULL);
    struct grant g = grant_of("key", RIGHT_RUN, "mail.*");
    struct slice served[] = {text("mail.in"), text("mail.out"), text("pay.roll")};
    struct hello h = {
        .version_min = 1, .version_max = 1, .role = ROLE_WORKER, .session = {1}, .slots = 1};
    (void)state;
    w->grants[KEYED] = &g;
    for (unsigned first = 0; first < 2; first++) { /* pay.roll is the last one, or the second */
        h.queues = 3 - first;
        message_put_hello(world_frame(w, KEYED), &h, served + first, NULL, NULL);
        assert_int_equal(world_step(w, 0), STINT_OK);
        expect_error(w, STINT_DENIED);
    }
    h.queues = 2;
    message_put_hello(world_frame(w, KEYED), &h, served, NULL, NULL);
    assert_int_equal(world_step(w, 0), STINT_OK);
    assert_non_null(world_read(w, KEYED, MESSAGE_WELCOME));
    world_destroy(&w);
}

static void
what_a_key_grants_is_kept_as_it_was_at_hello(void **state)
{
    struct world *w = a_world_with_two_queues();
    struct grant g = grant_of("key", RIGHT_SEE, "mail.in");
    (void)state;
    w->grants[KEYED] = &g;
    put_hello(w, KEYED, ROLE_CLIENT, "");
    assert_int_equal(world_step(w, 0), STINT_OK);
    g = grant_of("another", RIGHTS_ALL, NULL); /* what was lent is something else by now */
    w->grants[KEYED] = NULL;
    message_put_numbered(world_frame(w, KEYED), MESSAGE_GET_STATS, 3);
    assert_int_equal(world_step(w, 0), STINT_OK);
    expect_error(w, STINT_DENIED);
    world_destroy(&w);
}

/* ---- lists ---- */

static void
of_a_worker_that_also_serves_another_queue_its_work_is_not_told(void **state)
{
    struct world *w = a_world_with_two_queues();
    struct grant g = grant_of("key", RIGHT_SEE, "mail.in");
    (void)state;
    message_put_leases(world_frame(w, RUNS), MESSAGE_CLAIM, 1, NULL, 0, false);
    message_put_ping(world_frame(w, RUNS), 2, 2, 0); /* it is given both jobs */
    assert_int_equal(world_step(w, 0), STINT_OK);
    w->grants[KEYED] = &g;
    for (unsigned narrow = 0; narrow < 2; narrow++) {
        if (!narrow)
            g.patterns_count = 0;
        else
            g.patterns_count = 2;
        put_hello(w, KEYED, ROLE_CLIENT, "");
        message_put_page(world_frame(w, KEYED), MESSAGE_LIST_WORKERS, 3, (struct slice){0});
        assert_int_equal(world_step(w, 0), STINT_OK);
        assert_non_null(world_read(w, KEYED, MESSAGE_WORKERS));
        assert_true(message_next_worker(w->arrays));
        assert_int_equal(w->arrays->worker_info.held, narrow ? 0 : 2);
        assert_string_equal(w->arrays->worker_info.queues, narrow ? "mail.in" : "mail.in pay.roll");
    }
    world_destroy(&w);
}

static void
a_cursor_of_another_queue_is_not_taken(void **state)
{
    struct world *w = a_world_with_two_queues();
    struct grant g = grant_of("key", RIGHT_SEE, "pay.roll");
    uint8_t cursor[1 + STINT_ID_BYTES] = {1};
    struct message list = {.list.queue = text("pay.roll"), .list.cursor = {cursor, sizeof cursor}};
    struct stint_id froms[] = {id_make(w->options.broker, 1, DEFAULT_PRIORITY, 1),
        id_make((uint16_t)(w->options.broker - 1), 2, DEFAULT_PRIORITY, 1),
        id_make(w->options.broker, 2, DEFAULT_PRIORITY, 1)};
    (void)state;
    w->grants[KEYED] = &g;
    put_hello(w, KEYED, ROLE_CLIENT, "");
    for (unsigned i = 0; i < 3; i++) {
        memcpy(cursor + 1, froms[i].bytes, STINT_ID_BYTES);
        message_put_list(world_frame(w, KEYED), 3, &list);
        assert_int_equal(world_step(w, 0), STINT_OK);
        if (i < 2)
            expect_error(w, STINT_INVALID);
        else
            assert_int_equal(world_read(w, KEYED, MESSAGE_JOBS) ? w->message.count : 0, 1);
    }
    world_destroy(&w);
}

/* ---- sessions ---- */

static void
hello_with(struct world *w, uint32_t peer, const struct grant *g, enum message_role role)
{
    w->grants[peer] = g;
    if (role == ROLE_WORKER)
        world_hello_worker(w, peer, 77, 1);
    else
        world_hello_client(w, peer, 77);
    assert_int_equal(world_step(w, 0), STINT_OK);
}

static bool
is_let_in(struct world *w, uint32_t peer)
{
    if (world_read(w, peer, MESSAGE_WELCOME))
        return true;
    assert_non_null(world_read(w, peer, MESSAGE_ERROR));
    assert_int_equal(w->message.error.status, STINT_DENIED);
    return false;
}

static void
a_session_belongs_to_the_key_that_made_it(void **state)
{
    struct grant anna = grant_of("anna", RIGHTS_ALL, NULL),
                 bert = grant_of("bert", RIGHTS_ALL, NULL);
    static const enum message_role roles[] = {ROLE_CLIENT, ROLE_WORKER};
    (void)state;
    for (unsigned made = 0; made < 2; made++)
        for (unsigned taken = 0; taken < 2; taken++) {
            struct world *w = world_new(NULL);
            hello_with(w, KEYED, &anna, roles[made]);
            assert_true(is_let_in(w, KEYED));
            hello_with(w, OTHER, &bert, roles[taken]);
            assert_false(is_let_in(w, OTHER));
            message_put_ping(world_frame(w, KEYED), 3, WINDOW_UNCHANGED, 0);
            assert_int_equal(world_step(w, 0), STINT_OK);
            assert_non_null(world_read(w, KEYED, MESSAGE_PONG)); /* it was not driven out */
            hello_with(w, OTHER + 1, &anna, roles[taken]);
            assert_true(is_let_in(w, OTHER + 1));
            hello_with(w, OTHER + 2, NULL, roles[taken]); /* who needs no key may do everything */
            assert_true(is_let_in(w, OTHER + 2));
            world_destroy(&w);
        }
}

static void
a_worker_that_is_cut_off_is_still_its_keys(void **state)
{
    struct world *w = world_new(NULL);
    struct grant anna = grant_of("anna", RIGHTS_ALL, NULL),
                 bert = grant_of("bert", RIGHTS_ALL, NULL);
    (void)state;
    hello_with(w, KEYED, &anna, ROLE_WORKER);
    world_gone(w, KEYED);
    hello_with(w, OTHER, &bert, ROLE_WORKER);
    assert_false(is_let_in(w, OTHER));
    hello_with(w, OTHER, &anna, ROLE_WORKER);
    assert_true(is_let_in(w, OTHER));
    world_destroy(&w);
}

static void
a_session_that_is_stored_is_still_its_keys_after_a_restart(void **state)
{
    struct world *w = world_new(NULL);
    struct grant anna = grant_of("anna", RIGHTS_ALL, NULL),
                 bert = grant_of("bert", RIGHTS_ALL, NULL);
    (void)state;
    hello_with(w, KEYED, &anna, ROLE_CLIENT);
    put_submit(w, KEYED, 1, "mail.in");
    assert_int_equal(world_step(w, 0), STINT_OK);
    world_restart(w);
    hello_with(w, OTHER, &bert, ROLE_CLIENT);
    assert_false(is_let_in(w, OTHER));
    hello_with(w, LOCAL, NULL, ROLE_CLIENT); /* it goes on in it, and it stays anna's */
    assert_true(is_let_in(w, LOCAL));
    put_submit(w, LOCAL, 2, "mail.in");
    assert_int_equal(world_step(w, 0), STINT_OK);
    world_gone(w, LOCAL);
    hello_with(w, OTHER, &bert, ROLE_CLIENT);
    assert_false(is_let_in(w, OTHER));
    hello_with(w, OTHER, &anna, ROLE_CLIENT);
    assert_true(is_let_in(w, OTHER));
    assert_int_equal(w->message.welcome.submission, 2);
    world_destroy(&w);
}

static void
a_session_made_without_a_key_is_no_keys(void **state)
{
    struct world *w = world_new(NULL);
    struct grant anna = grant_of("anna", RIGHTS_ALL, NULL);
    (void)state;
    hello_with(w, LOCAL, NULL, ROLE_CLIENT);
    put_submit(w, LOCAL, 1, "mail.in");
    assert_int_equal(world_step(w, 0), STINT_OK);
    hello_with(w, KEYED, &anna, ROLE_CLIENT);
    assert_false(is_let_in(w, KEYED));
    world_gone(w, LOCAL);
    hello_with(w, KEYED, &anna, ROLE_CLIENT);
    assert_false(is_let_in(w, KEYED));
    world_destroy(&w);
}

/* ---- what is noted ---- */

static const char *
field_of(const struct note *note, const char *key)
{
    for (uint32_t i = 0; i < note->count; i++)
        if (strcmp(note->fields[i].key, key) == 0)
            return note->fields[i].text ? note->fields[i].text : "";
    return NULL;
}

/* How many audit notes name this key. */
static unsigned
count_audit(struct world *w, const char *key)
{
    struct note note;
    unsigned count = 0;
    while (core_next_note(w->core, &note))
        if (field_of(&note, "audit") && strcmp(field_of(&note, "key"), key) == 0) {
            assert_int_equal(note.level, NOTE_AUDIT);
            assert_non_null(field_of(&note, "jobs"));
            count++;
        }
    return count;
}

static void
who_cancels_or_retries_is_noted_each_time(void **state)
{
    enum { TIMES = 100 };
    struct world *w = a_world_with_two_queues();
    struct grant g = grant_of("anna", RIGHT_CONTROL, "mail.in");
    struct stint_id mail = id_make(w->options.broker, 1, DEFAULT_PRIORITY, 1);
    struct stint_id pay = id_make(w->options.broker, 2, DEFAULT_PRIORITY, 1);
    (void)state;
    w->grants[KEYED] = &g;
    put_hello(w, KEYED, ROLE_CLIENT, "");
    for (unsigned i = 0; i < TIMES; i++) {
        enum message_type type = i % 2 ? MESSAGE_RETRY : MESSAGE_CANCEL;
        message_put_ids(world_frame(w, KEYED), type, 3, &mail, 1, 0);
    }
    message_put_ids(world_frame(w, KEYED), MESSAGE_CANCEL, 3, &pay, 1, 0); /* denied: not done */
    assert_int_equal(world_step(w, 0), STINT_OK);
    assert_int_equal(count_audit(w, "anna"), TIMES);
    message_put_ids(world_frame(w, LOCAL), MESSAGE_CANCEL, 3, &pay, 1, 0);
    assert_int_equal(world_step(w, 0), STINT_OK);
    assert_int_equal(count_audit(w, "local"), 1);
    world_destroy(&w);
}

static void
what_was_denied_is_noted_with_the_key(void **state)
{
    struct world *w = a_world_with_two_queues();
    struct grant g = grant_of("anna", RIGHT_RUN, "mail.in");
    struct note note;
    bool told = false;
    (void)state;
    w->grants[KEYED] = &g;
    put_hello(w, KEYED, ROLE_CLIENT, "");
    message_put_numbered(world_frame(w, KEYED), MESSAGE_GET_STATS, 3);
    assert_int_equal(world_step(w, 0), STINT_OK);
    while (core_next_note(w->core, &note))
        told |= field_of(&note, "status") && strcmp(field_of(&note, "status"), "DENIED") == 0 &&
            strcmp(field_of(&note, "key"), "anna") == 0;
    assert_true(told);
    world_destroy(&w);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(of_a_message_about_several_jobs_those_that_are_not_granted_are_denied),
        cmocka_unit_test(a_submit_of_which_one_job_is_not_granted_stores_none),
        cmocka_unit_test(a_submission_that_is_stored_is_answered_as_it_was_whatever_is_granted_now),
        cmocka_unit_test(a_worker_that_names_no_queue_needs_the_default_one),
        cmocka_unit_test(a_worker_needs_each_queue_that_it_names),
        cmocka_unit_test(what_a_key_grants_is_kept_as_it_was_at_hello),
        cmocka_unit_test(of_a_worker_that_also_serves_another_queue_its_work_is_not_told),
        cmocka_unit_test(a_cursor_of_another_queue_is_not_taken),
        cmocka_unit_test(a_session_belongs_to_the_key_that_made_it),
        cmocka_unit_test(a_worker_that_is_cut_off_is_still_its_keys),
        cmocka_unit_test(a_session_that_is_stored_is_still_its_keys_after_a_restart),
        cmocka_unit_test(a_session_made_without_a_key_is_no_keys),
        cmocka_unit_test(who_cancels_or_retries_is_noted_each_time),
        cmocka_unit_test(what_was_denied_is_noted_with_the_key),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
