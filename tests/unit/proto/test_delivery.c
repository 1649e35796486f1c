/* A session over a bad network: frames are lost, come late and twice, and connections break.
 * Against a model of the broker that numbers and answers as PROTOCOL.md says, whatever is submitted
 * is stored exactly once and in order, every question is answered, and in the end nothing is owed.
 */
#include "world.h"

#include "session.h"
#include "splitmix.h"

#include <stdlib.h>

enum { SUBMISSIONS = 40, QUESTIONS = 15, ON_THE_WAY = 512, FRAME_MAX = 256 };

struct way { /* of frames, one direction */
    struct {
        uint8_t bytes[FRAME_MAX];
        size_t size;
    } frames[ON_THE_WAY];
    size_t count;
};

/* One run: a session, a broker, and what is between them. */
struct run {
    struct session s;
    struct message_arrays *arrays;
    uint64_t now_ms, seed;
    struct way up, down;
    bool greeted; /* the broker has heard HELLO on this connection */
    uint64_t stored; /* submissions, by the broker */
    uint32_t times_stored[SUBMISSIONS + 1];
    uint64_t submitted, answered, asked, replied; /* by the session */
};

static uint64_t
below(struct run *r, uint64_t end)
{
    return splitmix64(&r->seed) % end;
}

static void
put_on(struct way *way, struct slice frame)
{
    if (way->count == ON_THE_WAY)
        return; /* as lost as any other */
    assert_true(frame.size <= FRAME_MAX);
    memcpy(way->frames[way->count].bytes, frame.data, frame.size);
    way->frames[way->count++].size = frame.size;
}

/* Connections keep order; but a frame may be lost with the end of one. */
static bool
take_off(struct way *way, uint8_t frame[FRAME_MAX], size_t *size)
{
    if (way->count == 0)
        return false;
    *size = way->frames[0].size;
    memcpy(frame, way->frames[0].bytes, *size);
    memmove(way->frames, way->frames + 1, --way->count * sizeof *way->frames);
    return true;
}

static void
say(struct run *r, struct pack_buffer *frame)
{
    put_on(&r->down, (struct slice){frame->data, frame->used});
    pack_buffer_free(frame);
}

static void
store(struct run *r, const struct message *m)
{
    struct pack_buffer element = {0}, frame = {0};
    struct stint_id id = id_make(0, 1, 100, m->number);
    if (m->number == r->stored + 1) {
        r->stored++;
        r->times_stored[m->number]++;
    }
    if (m->number > r->stored)
        message_put_refused(&element, m->number, STINT_OUT_OF_ORDER, 0, (struct slice){NULL, 0});
    else {
        message_put_accepted(&element, m->number);
        pack_put_array(&element, 1);
        message_put_run(&element, &id, 1);
    }
    message_put_elements(&frame, MESSAGE_SUBMITTED, (struct slice){element.data, element.used}, 1);
    pack_buffer_free(&element);
    say(r, &frame);
}

static void
broker_hears(struct run *r, const uint8_t *bytes, size_t size)
{
    struct message m;
    const char *why;
    struct pack_buffer frame = {0};
    struct welcome w = {.version = 1,
        .epoch = 1,
        .heartbeat_ms = 100,
        .lost_ms = 500,
        .payload_bytes = 1 << 20,
        .submission = r->stored};
    assert_int_equal(message_decode(bytes, size, &m, r->arrays, &why), STINT_OK);
    if (m.type == MESSAGE_HELLO) {
        r->greeted = true;
        message_put_welcome(&frame, &w, NULL);
        say(r, &frame);
    } else if (!r->greeted) {
        message_put_error(&frame, m.type, m.number, STINT_HELLO_FIRST, "", NULL);
        say(r, &frame);
    } else if (m.type == MESSAGE_SUBMIT)
        store(r, &m);
    else if (m.type == MESSAGE_PING) {
        message_put_pong(&frame, m.number, 7);
        say(r, &frame);
    } else {
        struct stint_stats stats = {.submitted = m.number};
        assert_int_equal(m.type, MESSAGE_GET_STATS);
        message_put_stats(&frame, m.number, &stats);
        say(r, &frame);
    }
}

/* The session's owner, as the client is one. */
static void
owner_hears(struct run *r, const struct message *m)
{
    struct request *request;
    if (m->type == MESSAGE_STATS) {
        request = session_request(&r->s, MESSAGE_GET_STATS, m->number);
        if (request) { /* else it was asked twice */
            assert_true(m->stats.submitted == m->number);
            session_request_end(&r->s, &request);
            r->replied++;
        }
        return;
    }
    assert_int_equal(m->type, MESSAGE_SUBMITTED);
    struct answer a = r->arrays->answers[0];
    request = session_request(&r->s, MESSAGE_SUBMIT, a.number);
    if (!request)
        return;
    if (a.status == STINT_OUT_OF_ORDER) {
        session_resubmit(&r->s);
        return;
    }
    assert_true(a.number <= r->stored);
    session_request_end(&r->s, &request);
    r->answered++;
}

static void
session_hears(struct run *r)
{
    uint8_t bytes[FRAME_MAX];
    size_t size;
    struct message m;
    if (take_off(&r->down, bytes, &size) &&
        session_receive(&r->s, r->now_ms, bytes, size, &m, r->arrays))
        owner_hears(r, &m);
    if (r->s.opened) {
        r->s.opened = false;
        assert_int_equal(r->s.state, SESSION_OPEN);
        assert_true(r->s.welcome.submission >= r->answered);
    }
}

static void
session_says(struct run *r)
{
    if (r->s.reconnect) {
        r->s.reconnect = false;
        r->greeted = false;
        r->up.count = r->down.count = 0; /* what was on its way is lost */
    }
    struct slice frame = session_output(&r->s, false);
    if (frame.size == 0)
        return;
    put_on(&r->up, frame);
    session_sent(&r->s);
}

static void
make_requests(struct run *r)
{
    struct job_spec job = world_job("p");
    if (r->submitted < SUBMISSIONS && below(r, 4) == 0) {
        struct request *request = session_request_new(MESSAGE_SUBMIT, ++r->submitted);
        message_put_submit(&request->frame, r->submitted, 0, &job, 1);
        session_request_add(&r->s, request);
    }
    if (r->asked < QUESTIONS && below(r, 8) == 0) {
        struct request *request = session_request_new(MESSAGE_GET_STATS, ++r->asked);
        message_put_numbered(&request->frame, MESSAGE_GET_STATS, r->asked);
        session_request_add(&r->s, request);
    }
}

/* `bad` of a hundred frames meet with something on their way. */
static void
move_up(struct run *r, uint64_t bad)
{
    uint8_t bytes[FRAME_MAX];
    size_t size;
    if (!take_off(&r->up, bytes, &size))
        return;
    uint64_t luck = below(r, 100);
    if (luck < bad) /* lost: a peer's queue was full, or its connection began anew */
        return;
    broker_hears(r, bytes, size);
    if (luck >= 100 - bad) /* twice: it was sent again while the answer was on its way */
        broker_hears(r, bytes, size);
}

static void
step(struct run *r, uint64_t bad)
{
    r->now_ms += 1 + below(r, 20);
    if (bad && below(r, 400) == 0)
        r->greeted = false; /* the broker was started anew */
    if (bad && below(r, 400) == 0)
        session_renew(&r->s, r->now_ms, NULL);
    if (bad && below(r, 100) < bad && r->down.count > 0)
        r->down.count--; /* the newest answer is lost */
    session_tick(&r->s, r->now_ms);
    if (below(r, 2))
        session_says(r);
    if (below(r, 2))
        move_up(r, bad);
    if (below(r, 2))
        session_hears(r);
}

static bool
is_settled(const struct run *r)
{
    return r->answered == SUBMISSIONS && r->replied == QUESTIONS;
}

static void
run_over(uint64_t seed, uint64_t bad)
{
    enum { BAD_STEPS = 3000, GOOD_STEPS = 200000 };
    struct run *r = calloc(1, sizeof *r);
    struct session_options o = {.role = ROLE_CLIENT, .name = "n", .software = "s", .seed = seed};
    assert_non_null(r);
    r->seed = seed;
    r->arrays = calloc(1, sizeof *r->arrays);
    session_init(&r->s, &o, 0);
    for (unsigned i = 0; i < BAD_STEPS; i++) {
        make_requests(r);
        step(r, bad);
        assert_int_not_equal(r->s.state, SESSION_FAILED);
        assert_true(r->stored <= r->submitted && r->answered <= r->stored);
    }
    /* The network is well again. What was lost without an end of the connection is only missed when
     * one comes, as the transport loses nothing otherwise. */
    session_renew(&r->s, r->now_ms, NULL);
    for (unsigned i = 0; i < GOOD_STEPS && !is_settled(r); i++) {
        make_requests(r);
        step(r, 0);
    }
    assert_true(is_settled(r));
    assert_null(r->s.requests.first);
    assert_null(r->s.submissions.first);
    assert_true(r->s.submissions.sent_bytes == 0);
    for (unsigned i = 1; i <= SUBMISSIONS; i++)
        assert_int_equal(r->times_stored[i], 1);
    session_fini(&r->s);
    free(r->arrays);
    free(r);
}

static void
whatever_the_network_loses_each_submission_is_stored_once_and_each_question_answered(void **state)
{
    static const uint64_t bad[] = {0, 2, 10, 30};
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        for (uint64_t seed = 1; seed <= 40; seed++)
            run_over(seed, bad[i]);
}

/* The row of submissions against a list: what is sent, in which order, and what is unsent. */
static void
a_row_of_requests_keeps_its_order_whatever_is_ended_and_sent_again(void **state)
{
    enum { MANY = 64 };
    (void)state;
    for (uint64_t seed = 1; seed <= 200; seed++) {
        uint64_t random = seed, next = 0, live[MANY], sent[MANY] = {0};
        size_t count = 0;
        struct session s;
        struct session_options o = {.role = ROLE_CLIENT, .name = "n", .software = "s"};
        session_init(&s, &o, 0);
        session_sent(&s); /* HELLO */
        s.state = SESSION_OPEN;
        for (unsigned i = 0; i < 300; i++) {
            uint64_t luck = splitmix64(&random) % 8;
            size_t at = count ? splitmix64(&random) % count : 0;
            if (luck < 3 && count < MANY) {
                struct request *r = session_request_new(MESSAGE_SUBMIT, ++next);
                memset(pack_reserve(&r->frame, 1 + next % 7), 0, 1 + next % 7);
                session_request_add(&s, r);
                sent[count] = 0;
                live[count++] = next;
            } else if (luck < 6 && session_output(&s, false).size > 0) {
                for (at = 0; sent[at]; at++)
                    assert_true(at + 1 < count);
                assert_int_equal(session_output(&s, false).size, 1 + live[at] % 7);
                session_sent(&s);
                sent[at] = 1;
            } else if (luck == 6 && count > 0) {
                struct request *r = session_request(&s, MESSAGE_SUBMIT, live[at]);
                assert_non_null(r);
                session_request_end(&s, &r);
                assert_null(r);
                memmove(live + at, live + at + 1, (count - at - 1) * sizeof *live);
                memmove(sent + at, sent + at + 1, (count - at - 1) * sizeof *sent);
                count--;
            } else if (luck == 7 && i % 5 == 0) {
                session_resubmit(&s);
                memset(sent, 0, sizeof sent);
            }
            uint64_t bytes = 0;
            for (at = 0; at < count; at++)
                bytes += sent[at] ? 1 + live[at] % 7 : 0;
            assert_true(s.submissions.sent_bytes == bytes);
        }
        session_fini(&s);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(
            whatever_the_network_loses_each_submission_is_stored_once_and_each_question_answered),
        cmocka_unit_test(a_row_of_requests_keeps_its_order_whatever_is_ended_and_sent_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
