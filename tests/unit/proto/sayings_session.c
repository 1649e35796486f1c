/* Conversations open and end: what is said of that, with random fields. */
#include "sayings.h"

#include <stdio.h>

void
say_HELLO(uint64_t number)
{
    struct slice queues[17], kinds[9], labels[5];
    char prefixes[8][STINT_NAME_BYTES];
    bool worker = chance();
    struct hello h = {.version_min = (uint32_t)upto(UINT32_MAX),
        .version_max = (uint32_t)upto(UINT32_MAX),
        .role = worker ? ROLE_WORKER : ROLE_CLIENT,
        .name = letters(0, LIMIT_LABEL_BYTES),
        .software = letters(0, LIMIT_LABEL_BYTES),
        .slots = worker ? (uint32_t)upto(LIMIT_WINDOW) : 0,
        .window = worker ? (uint32_t)upto(LIMIT_WINDOW) : 0,
        .queues = worker ? (uint32_t)below(9) : 0,
        .prefixes = worker ? (uint32_t)below(9) : 0,
        .kinds = worker ? (uint32_t)below(9) : 0,
        .cores = worker ? (uint32_t)upto(UINT16_MAX) : 0,
        .labels = worker ? (uint32_t)below(5) : 0,
        .has = worker && chance() ? (struct slice){(const uint8_t *)"cpus=8 gpu=0 zone=a", 19}
                                  : (struct slice){NULL, 0}};
    (void)number;
    for (unsigned i = 0; i < 5; i++)
        labels[i] = name();
    for (unsigned i = 0; i < 9; i++) {
        queues[i] = name();
        kinds[i] = name();
    }
    for (unsigned i = 0; i < h.prefixes; i++) {
        struct slice begin = name();
        (void)snprintf(prefixes[i], sizeof prefixes[i], "%.*s*",
            (int)(begin.size < 63 ? begin.size : 63) * (i != 0), (const char *)begin.data);
        queues[h.queues + i] = (struct slice){(const uint8_t *)prefixes[i], strlen(prefixes[i])};
    }
    for (unsigned i = 0; i < SESSION_BYTES; i++)
        h.session[i] = (uint8_t)random_number();
    message_put_hello(&frame, &h, queues, kinds, labels);
    hear(MESSAGE_HELLO, 0);
    assert_int_equal(heard.hello.version_min, h.version_min);
    assert_int_equal(heard.hello.version_max, h.version_max);
    assert_int_equal(heard.hello.role, h.role);
    assert_memory_equal(heard.hello.session, h.session, SESSION_BYTES);
    assert_same(heard.hello.name, h.name);
    assert_same(heard.hello.software, h.software);
    assert_int_equal(heard.hello.slots, h.slots);
    assert_int_equal(heard.hello.window, h.window);
    assert_int_equal(heard.hello.queues, h.queues);
    assert_int_equal(heard.hello.kinds, h.kinds);
    for (unsigned i = 0; i < h.queues; i++)
        assert_same(arrays->names.queues[i], queues[i]);
    for (unsigned i = 0; i < h.kinds; i++)
        assert_same(arrays->names.kinds[i], kinds[i]);
    assert_int_equal(heard.hello.prefixes, h.prefixes);
    for (unsigned i = 0; i < h.prefixes; i++)
        assert_same(arrays->names.prefixes[i], queues[h.queues + i]);
    assert_same(heard.hello.has, h.has);
    assert_int_equal(heard.hello.cores, h.cores);
    assert_int_equal(heard.hello.labels, h.labels);
    for (unsigned i = 0; i < h.labels; i++)
        assert_same(arrays->names.labels[i], labels[i]);
}

void
say_WELCOME(uint64_t number)
{
    struct broker_ref brokers[4];
    struct welcome w = {.version = (uint32_t)upto(UINT32_MAX),
        .epoch = upto(UINT64_MAX),
        .broker = (uint16_t)upto(UINT16_MAX),
        .heartbeat_ms = 1 + (uint32_t)upto(UINT32_MAX / 4 - 1),
        .lost_ms = 1 + (uint32_t)upto(UINT32_MAX / 4 - 1),
        .message_bytes = upto(UINT64_MAX),
        .payload_bytes = upto(UINT64_MAX),
        .result_bytes = upto(UINT64_MAX),
        .submission = upto(UINT64_MAX),
        .brokers = (uint32_t)below(5),
        .software = letters(0, LIMIT_LABEL_BYTES),
        .features = random_number() & FEATURES_ALL};
    (void)number;
    for (unsigned i = 0; i < 4; i++)
        brokers[i] = (struct broker_ref){(uint16_t)upto(UINT16_MAX), letters(0, 30)};
    message_put_welcome(&frame, &w, brokers);
    hear(MESSAGE_WELCOME, 0);
    assert_int_equal(heard.welcome.version, w.version);
    assert_number(heard.welcome.epoch, w.epoch);
    assert_int_equal(heard.welcome.broker, w.broker);
    assert_int_equal(heard.welcome.heartbeat_ms, w.heartbeat_ms);
    assert_int_equal(heard.welcome.lost_ms, w.lost_ms);
    assert_number(heard.welcome.message_bytes, w.message_bytes);
    assert_number(heard.welcome.payload_bytes, w.payload_bytes);
    assert_number(heard.welcome.result_bytes, w.result_bytes);
    assert_number(heard.welcome.submission, w.submission);
    assert_same(heard.welcome.software, w.software);
    assert_number(heard.welcome.features, w.features);
    assert_int_equal(heard.welcome.brokers, w.brokers);
    for (unsigned i = 0; i < w.brokers; i++) {
        assert_int_equal(arrays->brokers[i].number, brokers[i].number);
        assert_same(arrays->brokers[i].endpoint, brokers[i].endpoint);
    }
}

uint32_t
window(void)
{
    return chance() ? WINDOW_UNCHANGED : (uint32_t)upto(LIMIT_WINDOW);
}

void
say_PING(uint64_t number)
{
    uint32_t told = window();
    uint64_t token = chance() ? 0 : upto(UINT64_MAX);
    message_put_ping(&frame, number, told, token);
    hear(MESSAGE_PING, number);
    assert_int_equal(heard.ping.window, told);
    assert_number(heard.ping.token, token);
    struct ping p = {.window = told,
        .slots = (uint32_t)upto(LIMIT_WINDOW),
        .load = (uint32_t)upto(UINT16_MAX),
        .token = token};
    pack_buffer_free(&frame);
    message_put_worker_ping(&frame, number, &p);
    hear(MESSAGE_PING, number);
    assert_int_equal(heard.ping.window, told);
    assert_int_equal(heard.ping.slots, p.slots);
    assert_int_equal(heard.ping.load, p.load);
    assert_number(heard.ping.token, token);
}

void
say_PONG(uint64_t number)
{
    uint64_t token = upto(UINT64_MAX);
    message_put_pong(&frame, number, token);
    hear(MESSAGE_PONG, number);
    assert_number(heard.pong.token, token);
}

static void
say_number(enum message_type type, uint64_t number)
{
    message_put_numbered(&frame, type, number);
    hear(type, number);
}

void
say_BYE(uint64_t number)
{
    say_number(MESSAGE_BYE, number);
}

void
say_ERROR(uint64_t number)
{
    char detail[30], endpoint[30];
    enum message_type about = (enum message_type)below(128);
    enum stint_status status = (enum stint_status)upto(UINT16_MAX);
    bool moved = chance();
    text(detail, sizeof detail);
    text(endpoint, sizeof endpoint);
    message_put_error(&frame, about, number, status, detail, moved ? endpoint : NULL);
    hear(MESSAGE_ERROR, number);
    assert_int_equal(heard.error.status, status);
    assert_int_equal(heard.error.about, about);
    assert_same(heard.error.detail, (struct slice){(const uint8_t *)detail, strlen(detail)});
    assert_same(heard.error.endpoint,
        (struct slice){(const uint8_t *)endpoint, moved ? strlen(endpoint) : 0});
}

/* ---- jobs come in ---- */
