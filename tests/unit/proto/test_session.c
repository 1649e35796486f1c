/* The peer's half of the protocol, by itself: no socket, and a clock of the test's. */
#include "world.h"

#include "session.h"

#include <stdlib.h>

static struct message_arrays *arrays;

static void
open_session(struct session *s, uint64_t now_ms)
{
    struct session_options o = {.role = ROLE_CLIENT, .name = "n", .software = "s", .seed = 1};
    session_init(s, &o, now_ms);
}

/* What the session wants to say next, as a message type; NONE if nothing. */
static enum message_type
said(struct session *s)
{
    struct message m;
    const char *why;
    struct slice frame = session_output(s, false);
    if (frame.size == 0)
        return MESSAGE_NONE;
    assert_int_equal(message_decode(frame.data, frame.size, &m, arrays, &why), STINT_OK);
    session_sent(s);
    return m.type;
}

static bool
hear(struct session *s, uint64_t now_ms, const struct pack_buffer *b)
{
    struct message m;
    return session_receive(s, now_ms, b->data, b->used, &m, arrays);
}

static void
welcome(struct session *s, uint64_t now_ms)
{
    struct welcome w = {.version = 1, .epoch = 3, .heartbeat_ms = 1000, .lost_ms = 5000};
    struct pack_buffer b = {0};
    message_put_welcome(&b, &w, NULL);
    assert_false(hear(s, now_ms, &b));
    pack_buffer_free(&b);
}

/* True if it is one for the owner. */
static bool
refuse(struct session *s, uint64_t now_ms, enum message_type about, enum stint_status status)
{
    struct pack_buffer b = {0};
    message_put_error(&b, about, 0, status, "detail", NULL);
    bool mine = hear(s, now_ms, &b);
    pack_buffer_free(&b);
    return mine;
}

static void
it_says_hello_and_opens_with_welcome(void **state)
{
    struct session s;
    (void)state;
    open_session(&s, 0);
    assert_int_equal(said(&s), MESSAGE_HELLO);
    assert_int_equal(said(&s), MESSAGE_NONE);
    welcome(&s, 5);
    assert_int_equal(s.state, SESSION_OPEN);
    assert_true(s.opened);
    session_fini(&s);
}

static void
a_hello_without_answer_is_said_again_on_a_new_connection_ever_more_slowly(void **state)
{
    struct session s;
    uint64_t now_ms = 0, last_ms = 0, waits[8];
    (void)state;
    open_session(&s, 0);
    for (unsigned n = 0; n < 8; n++) {
        assert_int_equal(said(&s), MESSAGE_HELLO);
        now_ms = session_wake_ms(&s);
        session_tick(&s, now_ms);
        assert_true(s.reconnect);
        s.reconnect = false;
        last_ms = now_ms;
        now_ms = session_wake_ms(&s);
        waits[n] = now_ms - last_ms;
        session_tick(&s, now_ms);
    }
    assert_in_range(waits[0], 50, 100);
    assert_in_range(waits[3], 400, 800);
    assert_in_range(waits[7], 2500, 5000);
    session_fini(&s);
}

static void
a_silent_broker_is_lost_and_requests_are_sent_again(void **state)
{
    struct session s;
    uint64_t now_ms = 0;
    (void)state;
    open_session(&s, 0);
    assert_int_equal(said(&s), MESSAGE_HELLO);
    welcome(&s, 0);
    s.opened = false;
    struct request *r = session_request_new(MESSAGE_GET_STATS, 1);
    message_put_numbered(&r->frame, MESSAGE_GET_STATS, 1);
    session_request_add(&s, r);
    assert_int_equal(said(&s), MESSAGE_GET_STATS);
    unsigned pings = 0;
    while (s.state == SESSION_OPEN) {
        now_ms += 500;
        session_tick(&s, now_ms);
        pings += said(&s) == MESSAGE_PING;
    }
    assert_int_equal(now_ms, 5000);
    assert_in_range(pings, 4, 5);
    session_tick(&s, session_wake_ms(&s));
    assert_int_equal(said(&s), MESSAGE_HELLO);
    assert_int_equal(said(&s), MESSAGE_NONE); /* requests wait for WELCOME */
    welcome(&s, now_ms);
    assert_int_equal(said(&s), MESSAGE_NONE); /* and for the owner to look at it */
    s.opened = false;
    assert_int_equal(said(&s), MESSAGE_GET_STATS);
    session_request_end(&s, &r);
    session_fini(&s);
}

static void
a_process_that_was_stopped_does_not_condemn_the_broker(void **state)
{
    struct session s;
    (void)state;
    open_session(&s, 0);
    assert_int_equal(said(&s), MESSAGE_HELLO);
    welcome(&s, 0);
    session_tick(&s, 60000);
    assert_int_equal(s.state, SESSION_OPEN);
    assert_int_equal(said(&s), MESSAGE_PING);
    session_fini(&s);
}

static void
a_silent_broker_is_lost_also_by_a_peer_that_seldom_looks(void **state)
{
    struct session s;
    uint64_t now_ms = 0;
    (void)state;
    open_session(&s, 0);
    assert_int_equal(said(&s), MESSAGE_HELLO);
    welcome(&s, 0);
    while (s.state == SESSION_OPEN && now_ms < 100 * DEFAULT_LOST_MS) {
        now_ms += 3 * DEFAULT_HEARTBEAT_MS;
        session_tick(&s, now_ms);
        (void)said(&s);
    }
    assert_int_equal(s.state, SESSION_IDLE);
    assert_true(now_ms > DEFAULT_LOST_MS);
    session_fini(&s);
}

static void
hello_first_begins_again_on_the_same_connection(void **state)
{
    struct session s;
    (void)state;
    open_session(&s, 0);
    assert_int_equal(said(&s), MESSAGE_HELLO);
    welcome(&s, 0);
    (void)refuse(&s, 10, MESSAGE_PING, STINT_HELLO_FIRST);
    assert_false(s.reconnect);
    assert_int_equal(said(&s), MESSAGE_HELLO);
    session_fini(&s);
}

static void
frames_of_its_own_go_one_by_one_and_before_requests(void **state)
{
    static const enum message_type types[] = {MESSAGE_CLAIM, MESSAGE_STARTED, MESSAGE_BYE};
    struct session s;
    (void)state;
    open_session(&s, 0);
    assert_int_equal(said(&s), MESSAGE_HELLO);
    welcome(&s, 0);
    s.opened = false;
    struct request *r = session_request_new(MESSAGE_SETTLE, 1);
    message_put_settle(&r->frame, 1, NULL, 0, WINDOW_UNCHANGED);
    session_request_add(&s, r);
    for (unsigned i = 0; i < 3; i++) {
        struct pack_buffer b = {0};
        if (types[i] == MESSAGE_BYE)
            message_put_numbered(&b, types[i], 9);
        else
            message_put_leases(&b, types[i], 9, NULL, 0, false);
        assert_true(session_control(&s, &b));
        pack_buffer_free(&b);
    }
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(said(&s), types[i]);
    assert_int_equal(said(&s), MESSAGE_SETTLE);
    session_fini(&s);
}

static struct request *
add_submission(struct session *s, uint64_t number)
{
    struct job_spec job = {.queue = {(const uint8_t *)"q", 1},
        .kind = {(const uint8_t *)"k", 1},
        .keep_ms = KEEP_DEFAULT,
        .backoff_base_ms = DEFAULT_BACKOFF_BASE_MS,
        .backoff_cap_ms = DEFAULT_BACKOFF_CAP_MS,
        .max_attempts = 5};
    struct request *r = session_request_new(MESSAGE_SUBMIT, number);
    message_put_submit(&r->frame, number, 0, &job, 1);
    session_request_add(s, r);
    return r;
}

static void
submissions_are_held_back_while_questions_go_on(void **state)
{
    struct session s;
    (void)state;
    open_session(&s, 0);
    assert_int_equal(said(&s), MESSAGE_HELLO);
    welcome(&s, 0);
    s.opened = false;
    s.submissions.allowed = 1;
    struct request *first = add_submission(&s, 1);
    struct request *second = add_submission(&s, 2);
    struct request *r = session_request_new(MESSAGE_GET_STATS, 1);
    message_put_numbered(&r->frame, MESSAGE_GET_STATS, 1);
    session_request_add(&s, r);
    assert_int_equal(said(&s), MESSAGE_GET_STATS);
    assert_int_equal(said(&s), MESSAGE_SUBMIT);
    assert_int_equal(said(&s), MESSAGE_NONE);
    assert_true(first->sent && !second->sent);
    assert_ptr_equal(session_request(&s, MESSAGE_SUBMIT, 2), second);
    assert_null(session_request(&s, MESSAGE_SUBMIT, 3));
    session_resubmit(&s);
    s.submissions.allowed = UINT32_MAX;
    assert_int_equal(said(&s), MESSAGE_SUBMIT);
    assert_int_equal(said(&s), MESSAGE_SUBMIT);
    session_renew(&s, 10, NULL); /* what was sent in another conversation stays known */
    assert_true(!second->sent && second->ever_sent);
    session_fini(&s);
}

static void
large_submissions_go_out_as_others_are_answered(void **state)
{
    enum { COUNT = 8, BYTES = 3 << 20 };
    struct session s;
    struct request *all[COUNT];
    unsigned sent = 0;
    (void)state;
    open_session(&s, 0);
    assert_int_equal(said(&s), MESSAGE_HELLO);
    welcome(&s, 0);
    s.opened = false;
    for (unsigned i = 0; i < COUNT; i++) {
        all[i] = session_request_new(MESSAGE_SUBMIT, i + 1);
        memset(pack_reserve(&all[i]->frame, BYTES), 0, BYTES);
        session_request_add(&s, all[i]);
    }
    for (; session_output(&s, false).size > 0; sent++)
        session_sent(&s);
    assert_int_equal(sent, 4); /* 12 MiB */
    session_request_end(&s, &all[0]);
    assert_int_equal(session_output(&s, false).size, BYTES);
    session_sent(&s);
    assert_int_equal(session_output(&s, false).size, 0);
    session_resubmit(&s);
    for (sent = 0; session_output(&s, false).size > 0; sent++)
        session_sent(&s);
    assert_int_equal(sent, 4);
    session_fini(&s);
    open_session(&s, 0); /* one goes out, however large it is */
    assert_int_equal(said(&s), MESSAGE_HELLO);
    welcome(&s, 0);
    s.opened = false;
    all[0] = session_request_new(MESSAGE_SUBMIT, 1);
    memset(pack_reserve(&all[0]->frame, 5 * BYTES), 0, 5 * BYTES);
    session_request_add(&s, all[0]);
    assert_int_equal(session_output(&s, false).size, 5 * BYTES);
    session_fini(&s);
}

static void
what_was_refused_in_an_old_conversation_is_not_heard_in_a_new_one(void **state)
{
    struct session s;
    (void)state;
    open_session(&s, 0);
    welcome(&s, 0);
    assert_true(refuse(&s, 10, MESSAGE_SUBMIT, STINT_TOO_MANY));
    session_renew(&s, 10, NULL);
    assert_true(s.reconnect);
    assert_false(refuse(&s, 10, MESSAGE_SUBMIT, STINT_TOO_MANY));
    session_tick(&s, 10);
    welcome(&s, 10);
    assert_true(refuse(&s, 10, MESSAGE_SUBMIT, STINT_TOO_MANY));
    session_fini(&s);
}

static void
a_version_mismatch_is_the_end_and_too_many_is_not(void **state)
{
    struct session s;
    (void)state;
    open_session(&s, 0);
    assert_null(s.refusal);
    (void)refuse(&s, 0, MESSAGE_HELLO, STINT_TOO_MANY);
    assert_int_equal(s.state, SESSION_IDLE);
    assert_string_equal(s.refusal, "the broker has no room for us");
    session_tick(&s, session_wake_ms(&s));
    assert_int_equal(s.state, SESSION_GREETING);
    (void)refuse(&s, 0, MESSAGE_HELLO, STINT_VERSION_MISMATCH);
    assert_int_equal(s.state, SESSION_FAILED);
    assert_int_equal(s.failure.status, STINT_VERSION_MISMATCH);
    assert_string_equal(s.failure.detail, "detail");
    session_fini(&s);
}

static void
what_the_broker_refused_is_known_until_it_takes_us(void **state)
{
    struct session s;
    (void)state;
    open_session(&s, 0);
    (void)refuse(&s, 0, MESSAGE_HELLO, STINT_TOO_MANY);
    for (unsigned i = 0; i < 4; i++) /* nobody answers meanwhile */
        session_tick(&s, session_wake_ms(&s));
    assert_non_null(s.refusal);
    while (s.state != SESSION_GREETING)
        session_tick(&s, session_wake_ms(&s));
    welcome(&s, 100000);
    assert_null(s.refusal);
    session_fini(&s);
}

static void
greeted_with(struct session *s, uint64_t features)
{
    struct welcome w = {
        .version = 1, .epoch = 3, .heartbeat_ms = 1000, .lost_ms = 5000, .features = features};
    struct pack_buffer b = {0};
    message_put_welcome(&b, &w, NULL);
    assert_false(hear(s, 0, &b));
    pack_buffer_free(&b);
}

static void
a_session_remembers_what_the_broker_can_do(void **state)
{
    struct session s;
    (void)state;
    open_session(&s, 0);
    greeted_with(&s, FEATURES_ALL);
    assert_true(session_has_feature(&s, "kinds"));
    assert_true(session_has_feature(&s, "cursors"));
    assert_true(session_needs_feature(&s, "cursors"));
    assert_int_equal(s.state, SESSION_OPEN);
    session_renew(&s, 1, NULL);
    session_tick(&s, 1);
    greeted_with(&s, feature_bit((struct slice){(const uint8_t *)"output", 6}));
    assert_true(session_has_feature(&s, "output"));
    assert_false(session_has_feature(&s, "cursors"));
    assert_false(session_needs_feature(&s, "cursors"));
    assert_int_equal(s.state, SESSION_FAILED);
    assert_int_equal(s.failure.status, STINT_UNSUPPORTED);
    assert_string_equal(s.failure.detail, "the broker lacks the feature: cursors");
    session_fini(&s);
}

static void
a_worker_with_kinds_does_not_begin_at_a_broker_without(void **state)
{
    const char *const kinds[] = {"mail"};
    for (unsigned with_kinds = 0; with_kinds < 2; with_kinds++) {
        struct session_options o = {.role = ROLE_WORKER,
            .name = "n",
            .software = "s",
            .kinds = kinds,
            .kinds_count = with_kinds};
        struct session s;
        (void)state;
        session_init(&s, &o, 0);
        greeted_with(&s, 0);
        assert_int_equal(s.state, with_kinds ? SESSION_FAILED : SESSION_OPEN);
        if (with_kinds) {
            assert_int_equal(s.failure.status, STINT_UNSUPPORTED);
            assert_string_equal(s.failure.detail, "the broker lacks the feature: kinds");
        }
        session_fini(&s);
    }
}

static void
a_worker_with_prefixes_does_not_begin_at_a_broker_without(void **state)
{
    const char *const queues[] = {"mail", "news.*", "pay", "*"};
    (void)state;
    for (unsigned count = 1; count <= 4; count++) {
        struct session_options o = {.role = ROLE_WORKER,
            .name = "n",
            .software = "s",
            .queues = queues,
            .queues_count = count};
        struct session s;
        session_init(&s, &o, 0);
        greeted_with(&s, feature_bit((struct slice){(const uint8_t *)"kinds", 5}));
        assert_int_equal(s.state, count > 1 ? SESSION_FAILED : SESSION_OPEN);
        if (count > 1) {
            assert_int_equal(s.failure.status, STINT_UNSUPPORTED);
            assert_string_equal(s.failure.detail, "the broker lacks the feature: prefixes");
        }
        session_fini(&s);
    }
}

static void
moved_is_followed(void **state)
{
    struct session s;
    struct pack_buffer b = {0};
    (void)state;
    open_session(&s, 0);
    assert_int_equal(said(&s), MESSAGE_HELLO);
    welcome(&s, 0);
    message_put_error(&b, MESSAGE_SUBMIT, 1, STINT_MOVED, "", "tcp://127.0.0.1:1");
    assert_false(hear(&s, 0, &b));
    assert_true(s.reconnect);
    assert_string_equal(s.endpoint, "tcp://127.0.0.1:1");
    pack_buffer_free(&b);
    session_fini(&s);
}

static void
rubbish_from_the_broker_is_ignored(void **state)
{
    struct session s;
    struct pack_buffer b = {0};
    (void)state;
    open_session(&s, 0);
    memcpy(pack_reserve(&b, 5), "\xdd\xff\0\0\0", 5);
    assert_false(hear(&s, 0, &b));
    assert_int_equal(s.state, SESSION_GREETING);
    pack_buffer_free(&b);
    session_fini(&s);
}

static void
bytes_that_move_are_as_good_as_hearing_the_broker(void **state)
{
    struct session s;
    (void)state;
    open_session(&s, 0);
    welcome(&s, 0);
    assert_false(session_wonders(&s, 499));
    assert_true(session_wonders(&s, 500));
    for (uint64_t now_ms = 500; now_ms <= 60000; now_ms += 500) {
        if (session_wonders(&s, now_ms))
            session_progress(&s, now_ms);
        session_tick(&s, now_ms);
        assert_int_equal(s.state, SESSION_OPEN);
    }
    assert_true(session_moves(&s, 64999));
    assert_false(session_moves(&s, 65000));
    for (uint64_t now_ms = 60500; now_ms < 65000; now_ms += 500)
        session_tick(&s, now_ms);
    assert_int_equal(s.state, SESSION_OPEN);
    session_tick(&s, 65000);
    assert_int_equal(s.state, SESSION_IDLE);
    session_fini(&s);
}

static struct message
next_message(struct session *s)
{
    struct message m;
    const char *why;
    struct slice frame = session_output(s, false);
    assert_true(frame.size > 0);
    assert_int_equal(message_decode(frame.data, frame.size, &m, arrays, &why), STINT_OK);
    session_sent(s);
    return m;
}

static void
a_worker_tells_labels_and_cores_at_first_and_slots_and_load_as_they_are(void **state)
{
    static const char *const labels[] = {"gpu", "eu"};
    const struct session_options o = {.role = ROLE_WORKER,
        .name = "n",
        .software = "s",
        .slots = 2,
        .cores = 8,
        .labels = labels,
        .labels_count = 2};
    struct session s;
    (void)state;
    session_init(&s, &o, 0);
    struct message m = next_message(&s);
    assert_int_equal(m.hello.cores, 8);
    assert_int_equal(m.hello.labels, 2);
    assert_int_equal(m.hello.slots, 2);
    assert_memory_equal(arrays->names.labels[0].data, "gpu", 3);
    assert_memory_equal(arrays->names.labels[1].data, "eu", 2);
    welcome(&s, 5);
    s.opened = false;
    s.options.slots = 5;
    s.load = 150;
    session_tell_window(&s);
    m = next_message(&s);
    assert_int_equal(m.type, MESSAGE_PING);
    assert_int_equal(m.ping.slots, 5);
    assert_int_equal(m.ping.load, 150);
    session_fini(&s);
    open_session(&s, 0); /* a client tells none of it */
    assert_int_equal(next_message(&s).hello.cores, 0);
    welcome(&s, 5);
    session_tell_window(&s);
    assert_int_equal(next_message(&s).ping.slots, SLOTS_UNCHANGED);
    session_fini(&s);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bytes_that_move_are_as_good_as_hearing_the_broker),
        cmocka_unit_test(it_says_hello_and_opens_with_welcome),
        cmocka_unit_test(a_worker_tells_labels_and_cores_at_first_and_slots_and_load_as_they_are),
        cmocka_unit_test(a_hello_without_answer_is_said_again_on_a_new_connection_ever_more_slowly),
        cmocka_unit_test(a_silent_broker_is_lost_and_requests_are_sent_again),
        cmocka_unit_test(a_process_that_was_stopped_does_not_condemn_the_broker),
        cmocka_unit_test(a_silent_broker_is_lost_also_by_a_peer_that_seldom_looks),
        cmocka_unit_test(hello_first_begins_again_on_the_same_connection),
        cmocka_unit_test(frames_of_its_own_go_one_by_one_and_before_requests),
        cmocka_unit_test(submissions_are_held_back_while_questions_go_on),
        cmocka_unit_test(large_submissions_go_out_as_others_are_answered),
        cmocka_unit_test(what_was_refused_in_an_old_conversation_is_not_heard_in_a_new_one),
        cmocka_unit_test(a_version_mismatch_is_the_end_and_too_many_is_not),
        cmocka_unit_test(what_the_broker_refused_is_known_until_it_takes_us),
        cmocka_unit_test(a_session_remembers_what_the_broker_can_do),
        cmocka_unit_test(a_worker_with_kinds_does_not_begin_at_a_broker_without),
        cmocka_unit_test(a_worker_with_prefixes_does_not_begin_at_a_broker_without),
        cmocka_unit_test(moved_is_followed),
        cmocka_unit_test(rubbish_from_the_broker_is_ignored),
    };
    arrays = calloc(1, sizeof *arrays);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    free(arrays);
    return failed;
}
