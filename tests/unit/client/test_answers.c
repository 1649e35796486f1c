/* What the client makes of answers, also of those that no good broker gives: each is an error in
 * words, and never a wait without end. The broker is a thread of this process that says what the
 * test has it say.
 */
#include "client.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>
#include <zmq.h>

enum { WAIT_MS = 60000 /* nothing takes so long: what waits for it has failed */ };

/* Writes the answer to a question; leaves `b` empty to say nothing. */
typedef void
answer_fn(const struct message *m, const struct message_arrays *arrays, struct pack_buffer *b);

static struct {
    pthread_t thread;
    void *context, *router;
    atomic_bool over;
    answer_fn *_Atomic answer;
    char endpoint[64];
} broker;

static void
hear_one(struct message_arrays *arrays, const uint8_t *frame, size_t size, struct pack_buffer *b)
{
    struct welcome w = {.version = 1,
        .epoch = 1,
        .heartbeat_ms = 1000,
        .lost_ms = 600000,
        .payload_bytes = 1000,
        .features = FEATURES_ALL};
    struct message m;
    const char *why;
    if (message_decode(frame, size, &m, arrays, &why) != STINT_OK)
        return;
    if (m.type == MESSAGE_HELLO)
        message_put_welcome(b, &w, NULL);
    else if (m.type == MESSAGE_PING)
        message_put_pong(b, m.number, 1);
    else if (m.type != MESSAGE_BYE)
        atomic_load (&broker.answer)(&m, arrays, b);
}

static void *
serve(void *argument)
{
    static uint8_t frame[1 << 16];
    struct message_arrays *arrays = calloc(1, sizeof *arrays);
    (void)argument;
    while (arrays && !atomic_load(&broker.over)) {
        zmq_pollitem_t p = {.socket = broker.router, .events = ZMQ_POLLIN};
        uint8_t peer[256];
        struct pack_buffer b = {0};
        if (zmq_poll(&p, 1, 20) <= 0)
            continue;
        int peer_size = zmq_recv(broker.router, peer, sizeof peer, 0);
        int size = zmq_recv(broker.router, frame, sizeof frame, 0);
        if (peer_size < 0 || size < 0)
            continue;
        hear_one(arrays, frame, (size_t)size, &b);
        if (b.used) {
            (void)zmq_send(broker.router, peer, (size_t)peer_size, ZMQ_SNDMORE);
            (void)zmq_send(broker.router, b.data, b.used, 0);
        }
        pack_buffer_free(&b);
    }
    free(arrays);
    return NULL;
}

static int
start(void **state)
{
    (void)state;
    (void)snprintf(
        broker.endpoint, sizeof broker.endpoint, "ipc://@stint-answers-%ld", (long)getpid());
    broker.context = zmq_ctx_new();
    broker.router = zmq_socket(broker.context, ZMQ_ROUTER);
    return zmq_bind(broker.router, broker.endpoint) != 0 ||
        pthread_create(&broker.thread, NULL, serve, NULL) != 0;
}

static int
stop(void **state)
{
    int linger = 0;
    (void)state;
    atomic_store(&broker.over, true);
    pthread_join(broker.thread, NULL);
    (void)zmq_setsockopt(broker.router, ZMQ_LINGER, &linger, sizeof linger);
    return zmq_close(broker.router) != 0 || zmq_ctx_term(broker.context) != 0;
}

static struct stint_client *
client_of(answer_fn *answer)
{
    struct stint_client_options o = {.endpoint = broker.endpoint, .refuse_at_once = true};
    struct stint_client *c;
    atomic_store(&broker.answer, answer);
    assert_int_equal(stint_client_new(&o, &c), STINT_OK);
    return c;
}

/* ---- every question that waits ---- */

static const struct stint_id one = {{0, 0, 0, 0, 0, 1, 155, 0, 0, 0, 0, 0, 0, 0, 0, 7}};

static bool
no_job(void *context, const struct stint_job_info *info)
{
    (void)info;
    ++*(unsigned *)context;
    return true;
}

static bool
no_queue(void *context, const struct stint_queue_info *info)
{
    (void)info;
    ++*(unsigned *)context;
    return true;
}

static bool
no_worker(void *context, const struct stint_worker_info *info)
{
    (void)info;
    ++*(unsigned *)context;
    return true;
}

static enum stint_status
ask_get(struct stint_client *c)
{
    const struct stint_job_info *info;
    return stint_get(c, &one, STINT_NO_PARTS, &info, WAIT_MS);
}

static enum stint_status
ask_list(struct stint_client *c)
{
    unsigned count = 0;
    struct stint_filter f = {0};
    enum stint_status status = stint_list(c, &f, no_job, &count, WAIT_MS);
    assert_int_equal(count, 0);
    return status;
}

static enum stint_status
ask_cancel(struct stint_client *c)
{
    return stint_cancel(c, &one, 1, NULL, WAIT_MS);
}

static enum stint_status
ask_retry(struct stint_client *c)
{
    return stint_retry(c, &one, 1, NULL, WAIT_MS);
}

static enum stint_status
ask_queues(struct stint_client *c)
{
    unsigned count = 0;
    enum stint_status status = stint_queues(c, no_queue, &count, WAIT_MS);
    assert_int_equal(count, 0);
    return status;
}

static enum stint_status
ask_workers(struct stint_client *c)
{
    unsigned count = 0;
    enum stint_status status = stint_workers(c, no_worker, &count, WAIT_MS);
    assert_int_equal(count, 0);
    return status;
}

static enum stint_status
ask_stats(struct stint_client *c)
{
    struct stint_stats stats;
    return stint_get_stats(c, &stats, WAIT_MS);
}

static enum stint_status
ask_submit(struct stint_client *c)
{
    struct stint_job job = STINT_JOB_INIT;
    return stint_submit(c, &job, 1, NULL, WAIT_MS);
}

static enum stint_status (*const questions[])(struct stint_client *c) = {
    ask_get, ask_list, ask_cancel, ask_retry, ask_queues, ask_workers, ask_stats, ask_submit};
enum { QUESTIONS = sizeof questions / sizeof *questions, SUBMIT = QUESTIONS - 1 };

static enum stint_status refusal;

static void
refuse(const struct message *m, const struct message_arrays *arrays, struct pack_buffer *b)
{
    (void)arrays;
    message_put_error(b, m->type, m->number, refusal, "said why", NULL);
}

static void
a_refusal_comes_through_with_the_brokers_words(void **state)
{
    static const enum stint_status statuses[] = {STINT_NO_SUCH_JOB, STINT_NO_SUCH_QUEUE,
        STINT_INVALID, STINT_TOO_LARGE, STINT_DENIED, STINT_DAMAGED, STINT_UNKNOWN_TYPE};
    (void)state;
    for (size_t i = 0; i < sizeof statuses / sizeof *statuses; i++) {
        refusal = statuses[i];
        struct stint_client *c = client_of(refuse);
        for (unsigned q = 0; q < QUESTIONS; q++) {
            assert_int_equal(questions[q](c), statuses[i]);
            assert_non_null(strstr(stint_client_error(c), "said why"));
            assert_non_null(strstr(stint_client_error(c), stint_status_text(statuses[i])));
            assert_non_null(strstr(stint_client_error(c), broker.endpoint));
        }
        assert_int_equal(stint_client_pending(c), 0);
        stint_client_destroy(&c);
        assert_null(c);
    }
}

/* Answers with what another question would be answered with. */
static void
answer_another(const struct message *m, const struct message_arrays *arrays, struct pack_buffer *b)
{
    struct stint_stats stats = {0};
    uint32_t statuses[2] = {0};
    (void)arrays;
    if (m->type == MESSAGE_GET_STATS)
        message_put_answers(b, m->number, statuses, 1);
    else
        message_put_stats(b, m->number, &stats);
}

/* The right message with something wrong in it. */
static void
answer_badly(const struct message *m, const struct message_arrays *arrays, struct pack_buffer *b)
{
    static const uint8_t element[] = {0x81, 0x01, 0xc3}; /* where an id or a name is to be */
    static const uint8_t two[] = {0x93, 0x01, 0x00, 0x92, 0x01, 0x02};
    uint32_t statuses[2] = {0};
    (void)arrays;
    struct slice bad = {element, sizeof element};
    struct slice none = {NULL, 0};
    if (m->type == MESSAGE_GET || m->type == MESSAGE_LIST)
        message_put_numbered_elements(b, MESSAGE_JOBS, m->number, bad, 1, none);
    else if (m->type == MESSAGE_LIST_QUEUES)
        message_put_numbered_elements(b, MESSAGE_QUEUES, m->number, bad, 1, none);
    else if (m->type == MESSAGE_LIST_WORKERS)
        message_put_numbered_elements(b, MESSAGE_WORKERS, m->number, bad, 1, none);
    else if (m->type == MESSAGE_GET_STATS)
        message_put_answers(b, m->number, statuses, 0);
    else if (m->type == MESSAGE_SUBMIT)
        message_put_elements(b, MESSAGE_SUBMITTED, (struct slice){two, sizeof two}, 1);
    else
        message_put_answers(b, m->number, statuses, 2); /* of one job */
}

static void
an_answer_that_is_none_is_an_error_and_the_next_question_is_asked(void **state)
{
    (void)state;
    struct stint_client *c = client_of(answer_another);
    for (unsigned q = 0; q < SUBMIT; q++)
        assert_int_equal(questions[q](c), STINT_BAD_MESSAGE);
    atomic_store(&broker.answer, answer_badly);
    for (unsigned q = 0; q < QUESTIONS; q++)
        assert_int_equal(questions[q](c), STINT_BAD_MESSAGE);
    stint_client_destroy(&c);
}

/* ---- pages ---- */

/* Ten queues in pages of three; the cursor is the number of the next one. */
static void
answer_pages(const struct message *m, const struct message_arrays *arrays, struct pack_buffer *b)
{
    struct pack_buffer elements = {0};
    uint8_t from = m->page.cursor.size ? m->page.cursor.data[0] : 0;
    uint8_t end = from + 3 < 10 ? (uint8_t)(from + 3) : 10;
    (void)arrays;
    for (uint8_t i = from; i < end; i++) {
        struct stint_queue_info info = {.number = i};
        (void)snprintf(info.name, sizeof info.name, "q%u", i);
        message_put_queue_info(&elements, &info);
    }
    message_put_numbered_elements(b, MESSAGE_QUEUES, m->number,
        (struct slice){elements.data, elements.used}, (uint32_t)(end - from),
        (struct slice){&end, end < 10});
    pack_buffer_free(&elements);
}

struct seen {
    unsigned count, enough;
};

static bool
see_queue(void *context, const struct stint_queue_info *info)
{
    struct seen *seen = context;
    assert_int_equal(info->number, seen->count);
    return ++seen->count < seen->enough;
}

static void
pages_are_read_to_the_end_or_until_it_is_enough(void **state)
{
    (void)state;
    struct stint_client *c = client_of(answer_pages);
    for (unsigned enough = 1; enough < 14; enough++) {
        struct seen seen = {.enough = enough};
        assert_int_equal(stint_queues(c, see_queue, &seen, WAIT_MS), STINT_OK);
        assert_int_equal(seen.count, enough < 10 ? enough : 10);
    }
    stint_client_destroy(&c);
}

static void
answer_each(const struct message *m, const struct message_arrays *arrays, struct pack_buffer *b)
{
    static uint32_t statuses[LIMIT_JOBS];
    for (uint32_t i = 0; i < m->count; i++)
        statuses[i] = id_sequence(&arrays->ids[i]) % 5 == 4 ? STINT_WRONG_STATE : STINT_OK;
    message_put_answers(b, m->number, statuses, m->count);
}

static void
each_job_of_many_gets_its_own_status_and_the_call_the_first_that_is_not_ok(void **state)
{
    enum { MANY = 3000 };
    static struct stint_id ids[MANY];
    static enum stint_status statuses[MANY];
    (void)state;
    struct stint_client *c = client_of(answer_each);
    for (unsigned i = 0; i < MANY; i++)
        ids[i] = id_make(0, 1, 100, i);
    assert_int_equal(stint_cancel(c, ids, MANY, statuses, WAIT_MS), STINT_WRONG_STATE);
    for (unsigned i = 0; i < MANY; i++)
        assert_int_equal(statuses[i], i % 5 == 4 ? STINT_WRONG_STATE : STINT_OK);
    assert_int_equal(stint_retry(c, ids, 4, statuses, WAIT_MS), STINT_OK);
    assert_int_equal(stint_cancel(c, ids, 0, NULL, WAIT_MS), STINT_OK);
    stint_client_destroy(&c);
}

/* ---- what is refused on this side ---- */

struct done {
    unsigned count;
    enum stint_status status;
};

static void
take_done(void *context, enum stint_status status, const struct stint_id *ids, size_t count)
{
    struct done *d = context;
    (void)ids;
    (void)count;
    d->count++;
    d->status = status;
}

static void
be_silent(const struct message *m, const struct message_arrays *arrays, struct pack_buffer *b)
{
    (void)m;
    (void)arrays;
    (void)b;
}

static void
a_job_that_can_not_be_submitted_is_refused_by_its_field_and_nobody_is_told(void **state)
{
    struct stint_job jobs[10];
    static const struct stint_job init = STINT_JOB_INIT;
    static const struct {
        enum stint_status status;
        const char *words;
    } said[10] = {{STINT_BAD_NAME, "queue \"a b\""}, {STINT_BAD_NAME, "kind \".x\""},
        {STINT_BAD_NAME, "queue \"\""}, {STINT_INVALID, "priority is 0 to 255, not 256"},
        {STINT_INVALID, "max attempts are 1 to 65535, not 65536"},
        {STINT_INVALID, "a hundred years"}, {STINT_INVALID, "a hundred years"},
        {STINT_INVALID, "a hundred years"}, {STINT_INVALID, "a hundred years"},
        {STINT_TOO_LARGE, "a payload of 4194305 bytes"}};
    struct done done = {0};
    (void)state;
    for (unsigned i = 0; i < 10; i++)
        jobs[i] = init;
    jobs[0].queue = "a b";
    jobs[1].kind = ".x";
    jobs[2].queue = "";
    jobs[3].priority = 256;
    jobs[4].max_attempts = 65536;
    jobs[5].keep_ms = (int64_t)LIMIT_TIME_MS + 1;
    jobs[6].time_to_run_ms = LIMIT_TIME_MS + 1;
    jobs[7].backoff_base_ms = LIMIT_TIME_MS + 1;
    jobs[8].backoff_cap_ms = LIMIT_TIME_MS + 1;
    jobs[9].payload_bytes = LIMIT_BODY_BYTES_MAX + 1;
    struct stint_client *c = client_of(be_silent);
    for (unsigned i = 0; i < 10; i++) {
        struct stint_job pair[] = {init, jobs[i]};
        assert_int_equal(stint_submit_async(c, &jobs[i], 1, take_done, &done), said[i].status);
        assert_non_null(strstr(stint_client_error(c), said[i].words));
        assert_int_equal(stint_submit(c, pair, 2, NULL, WAIT_MS), said[i].status);
        assert_non_null(strstr(stint_client_error(c), said[i].words));
        assert_non_null(strstr(stint_client_error(c), "job 1: "));
    }
    assert_int_equal(stint_submit_async(c, jobs, 0, take_done, &done), STINT_INVALID);
    assert_int_equal(stint_submit_async(c, jobs, 4097, take_done, &done), STINT_INVALID);
    assert_int_equal(stint_client_pending(c), 0);
    stint_client_destroy(&c);
    assert_int_equal(done.count, 0);
}

static void
names_and_numbers_of_other_calls_are_looked_at_too(void **state)
{
    struct stint_filter bad_queue = {.queue = "a b"}, bad_kind = {.kind = "-"};
    struct stint_subscription bad = {.queue = "a b"}, many = {.ids = &one, .ids_count = 4097};
    unsigned count = 0;
    (void)state;
    struct stint_client *c = client_of(be_silent);
    assert_int_equal(stint_list(c, &bad_queue, no_job, &count, WAIT_MS), STINT_BAD_NAME);
    assert_non_null(strstr(stint_client_error(c), "a b"));
    assert_int_equal(stint_list(c, &bad_kind, no_job, &count, WAIT_MS), STINT_BAD_NAME);
    assert_int_equal(stint_subscribe(c, &bad, NULL, NULL, WAIT_MS), STINT_BAD_NAME);
    assert_int_equal(stint_subscribe(c, &many, NULL, NULL, WAIT_MS), STINT_TOO_MANY);
    assert_int_equal(count, 0);
    stint_client_destroy(&c);
    stint_client_destroy(&c); /* none: nothing to do */
    struct stint_client_options o = {.endpoint = "nowhere"};
    assert_int_equal(stint_client_new(&o, &c), STINT_BAD_ENDPOINT);
    assert_null(c);
}

static void
what_is_not_answered_is_told_once_when_the_client_ends(void **state)
{
    struct stint_job job = STINT_JOB_INIT;
    struct done sent = {0}, never = {0};
    (void)state;
    struct stint_client *c = client_of(be_silent);
    assert_int_equal(stint_connect(c, WAIT_MS), STINT_OK);
    assert_int_equal(stint_submit_async(c, &job, 1, take_done, &sent), STINT_OK);
    assert_int_equal(stint_client_process(c, 0), STINT_OK);
    assert_int_equal(stint_client_pending(c), 1);
    assert_int_equal(sent.count, 0);
    stint_client_destroy(&c);
    assert_int_equal(sent.count, 1);
    assert_int_equal(sent.status, STINT_UNKNOWN_OUTCOME);
    struct stint_client_options o = {.endpoint = "ipc://@stint-nobody-is-there"};
    assert_int_equal(stint_client_new(&o, &c), STINT_OK);
    assert_int_equal(stint_submit_async(c, &job, 1, take_done, &never), STINT_OK);
    assert_int_equal(stint_client_process(c, 0), STINT_OK);
    stint_client_destroy(&c);
    assert_int_equal(never.count, 1);
    assert_int_equal(never.status, STINT_CLOSED);
}

/* A slip must not reach every worker. */
static void
just_one_target_is_taken(void **state)
{
    static const struct stint_target bad[] = {{0}, {.worker = "w", .all = true},
        {.worker = "w", .label = "l"}, {.label = "l", .all = true}, {.worker = ""}};
    struct stint_client *c = client_of(be_silent);
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(stint_stop_workers(c, &bad[i], NULL, WAIT_MS), STINT_INVALID);
    assert_int_equal(stint_set_slots(c, &(struct stint_target){.all = true}, 65537, NULL, WAIT_MS),
        STINT_INVALID);
    assert_int_equal(stint_set_fleet(c, (1U << 24) + 1, NULL, WAIT_MS), STINT_INVALID);
    stint_client_destroy(&c);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_refusal_comes_through_with_the_brokers_words),
        cmocka_unit_test(an_answer_that_is_none_is_an_error_and_the_next_question_is_asked),
        cmocka_unit_test(pages_are_read_to_the_end_or_until_it_is_enough),
        cmocka_unit_test(
            each_job_of_many_gets_its_own_status_and_the_call_the_first_that_is_not_ok),
        cmocka_unit_test(
            a_job_that_can_not_be_submitted_is_refused_by_its_field_and_nobody_is_told),
        cmocka_unit_test(names_and_numbers_of_other_calls_are_looked_at_too),
        cmocka_unit_test(just_one_target_is_taken),
        cmocka_unit_test(what_is_not_answered_is_told_once_when_the_client_ends),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
