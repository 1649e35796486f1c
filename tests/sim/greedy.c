/* The greedy peer; what it is, is told in greedy.h. */
#include "greedy.h"
#include "ids.h"
#include "message.h"
#include "oracle.h"

#include <stdlib.h>

enum { JOBS = 12, IDS = 8, BURST = 80 };

static struct {
    struct process process;
    struct socket *socket;
    struct pack_buffer frame, received;
    struct message_arrays *arrays;
    uint32_t first; /* its jobs */
    uint64_t token; /* the last that it has read */
    bool stopping;
} g;

static const uint8_t too_large[LIMIT_MESSAGE_BYTES + 1];

static void
send_frame(void)
{
    if (g.socket)
        (void)network_send(g.socket, (struct slice){g.frame.data, g.frame.used});
    g.frame.used = 0;
}

static void
say_hello(void)
{
    struct hello h = {.role = ROLE_CLIENT,
        .version_min = 1,
        .version_max = 1,
        .name = {(const uint8_t *)"greedy", 6},
        .software = {(const uint8_t *)"sim", 3}};
    memset(h.session, 0xee, sizeof h.session);
    message_put_hello(&g.frame, &h, NULL, NULL, NULL);
    send_frame();
}

/* The same every time: jobs of which no two neighbours have neighbouring ids. */
static void
submit(void)
{
    struct job_spec jobs[JOBS];
    for (uint32_t i = 0; i < JOBS; i++) {
        char *payload = oracle_payload(g.first + i);
        const struct wish *w = oracle_wish_of(g.first + i);
        jobs[i] = (struct job_spec){.queue = {(const uint8_t *)"alpha", 5},
            .kind = {(const uint8_t *)"default", 7},
            .payload = {(const uint8_t *)payload, w->payload_bytes},
            .keep_ms = KEEP_DEFAULT,
            .backoff_base_ms = w->backoff_base_ms,
            .backoff_cap_ms = w->backoff_cap_ms,
            .max_attempts = w->max_attempts,
            .priority = w->priority};
    }
    message_put_submit(&g.frame, 1, 0, jobs, JOBS);
    for (uint32_t i = 0; i < JOBS; i++)
        free((void *)(uintptr_t)jobs[i].payload.data);
    send_frame();
}

static void
ask(unsigned what, uint64_t number)
{
    struct stint_id ids[IDS];
    struct message list = {.type = MESSAGE_LIST};
    for (unsigned i = 0; i < IDS; i++)
        ids[i] = id_make(0, (uint32_t)chance_between(&g.process.chance, 1, 3), 100,
            chance_between(&g.process.chance, 1, 40));
    switch (what) {
    case 0:
        submit();
        return;
    case 1:
        message_put_page(&g.frame, MESSAGE_LIST_QUEUES, number, (struct slice){0});
        break;
    case 2:
        message_put_page(&g.frame, MESSAGE_LIST_WORKERS, number, (struct slice){0});
        break;
    case 3:
        message_put_ids(&g.frame, MESSAGE_GET, number, ids, IDS, PART_PAYLOAD | PART_RESULT);
        break;
    case 4:
        message_put_ids(&g.frame, MESSAGE_WAIT, number, ids, IDS, 1);
        break;
    case 5:
        message_put_list(&g.frame, number, &list);
        break;
    case 6:
        message_put_ping(&g.frame, number, WINDOW_UNCHANGED, number);
        break;
    case 7:
        message_put_ping(&g.frame, number, WINDOW_UNCHANGED, g.token);
        break;
    case 8:
        say_hello();
        return;
    default: /* more than a message may be */
        if (g.socket && number % 16 == 0)
            (void)network_send(g.socket, (struct slice){too_large, sizeof too_large});
        return;
    }
    send_frame();
}

/* Whether it reads is its own affair; what counts is whether it shows it. */
static void
read_all(bool shows)
{
    struct message m;
    const char *why;
    while (g.socket && network_receive(g.socket, &g.received))
        if (message_decode(g.received.data, g.received.used, &m, g.arrays, &why) == STINT_OK &&
            m.type == MESSAGE_PONG && shows)
            g.token = m.pong.token;
}

static void
live(void *context)
{
    struct chance *chance = &g.process.chance;
    uint64_t number = 0;
    (void)context;
    g.socket = network_open(&g.process);
    while (!g.stopping) {
        unsigned what = (unsigned)chance_below(chance, 14);
        what = what < 10 ? what : 1 + what % 2; /* lists of queues and workers more often */
        unsigned count = (unsigned)chance_between(chance, 1, BURST);
        say_hello();
        for (unsigned i = 0; i < count && !g.stopping; i++)
            ask(what, ++number);
        read_all(chance_in_100(chance, 20));
        actor_sleep(1 + chance_skewed(chance, US_A_SECOND));
    }
    network_close(&g.socket);
}

void
greedy_begin(uint64_t seed)
{
    struct pack_buffer frame = g.frame, received = g.received;
    struct message_arrays *arrays = g.arrays ? g.arrays : calloc(1, sizeof *arrays);
    memset(&g, 0, sizeof g);
    g.frame = frame;
    g.received = received;
    g.arrays = arrays;
    g.process = (struct process){
        .name = "greedy", .chance = chance_of(seed, 300), .network = chance_of(seed, 301)};
    for (uint32_t i = 0; i < JOBS; i++) {
        struct wish w = {.kind = "default",
            .priority = (uint8_t)(i % 2 ? 7 : 100),
            .max_attempts = 5,
            .keep_ms = -1,
            .backoff_base_ms = 100,
            .backoff_cap_ms = 1000,
            .payload_bytes = 13,
            .result_bytes = 19};
        uint32_t job = oracle_wish(&w);
        g.first = i ? g.first : job;
        oracle_abandoned(job); /* it never listens to what became of it */
    }
    (void)actor_start(&g.process, live, NULL);
}

void
greedy_stop(void)
{
    g.stopping = true;
}
