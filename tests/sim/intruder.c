/* The intruder; what it is, is told in intruder.h. */
#include "intruder.h"
#include "id.h"
#include "keys.h"
#include "message.h"
#include "oracle.h"

#include <stdlib.h>

enum { IDS = 4, BURST = 6, ATTEMPTS = 3 };

static struct {
    struct process process;
    struct grant key;
    struct socket *socket;
    struct pack_buffer frame, received;
    uint32_t job; /* that it would like to submit */
    bool stopping;
} g;

static void
send_frame(void)
{
    if (g.socket)
        (void)network_send(g.socket, (struct slice){g.frame.data, g.frame.used});
    g.frame.used = 0;
}

static struct slice
text(const char *s)
{
    return (struct slice){(const uint8_t *)s, strlen(s)};
}

static const char *
some_queue(void)
{
    return keys_queues[chance_below(&g.process.chance, KEYS_QUEUES)];
}

/* As a worker of its own queue; now and then of another one, or of all. */
static void
say_hello(void)
{
    bool own = chance_in_100(&g.process.chance, 90);
    struct slice queues[] = {
        text(KEYS_EMPTY_QUEUE), text(own ? KEYS_EMPTY_QUEUE : some_queue()), text("*")};
    struct hello h = {.role = ROLE_WORKER,
        .version_min = 1,
        .version_max = 1,
        .name = text("intruder"),
        .software = text("sim"),
        .slots = 8,
        .window = 8,
        .queues = 2,
        .prefixes = chance_in_100(&g.process.chance, 10)};
    memset(h.session, 0xdd, sizeof h.session);
    message_put_hello(&g.frame, &h, queues, NULL, NULL);
    send_frame();
}

static void
submit(void)
{
    char *payload = oracle_payload(g.job);
    struct job_spec job = {.queue = text(some_queue()),
        .kind = text("default"),
        .payload = {(const uint8_t *)payload, oracle_wish_of(g.job)->payload_bytes},
        .keep_ms = KEEP_DEFAULT,
        .backoff_base_ms = DEFAULT_BACKOFF_BASE_MS,
        .backoff_cap_ms = DEFAULT_BACKOFF_CAP_MS,
        .max_attempts = 1,
        .priority = 255};
    message_put_submit(&g.frame, 1, 0, &job, 1);
    free(payload);
}

/* Whatever is said of jobs that run, or ran, or do not begin before that is confirmed. */
static void
meddle_with_runs(unsigned what, const struct stint_id *ids, uint64_t number)
{
    struct chance *chance = &g.process.chance;
    struct lease_ref refs[IDS];
    struct outcome outcomes[IDS];
    for (unsigned i = 0; i < IDS; i++) {
        uint32_t attempt = (uint32_t)chance_between(chance, 1, ATTEMPTS);
        refs[i] = (struct lease_ref){
            .id = ids[i], .attempt = attempt, .begun = chance_in_100(chance, 50)};
        outcomes[i] = (struct outcome){.id = ids[i],
            .attempt = attempt,
            .type = (enum outcome_type)chance_between(chance, 1, 6),
            .body = text("by an intruder")};
    }
    if (what == 0)
        message_put_settle(&g.frame, number, outcomes, IDS, WINDOW_UNCHANGED);
    else
        message_put_leases(&g.frame, what == 1 ? MESSAGE_STARTED : MESSAGE_CLAIM, number, refs, IDS,
            what == 2 && chance_in_100(chance, 50));
}

static void
ask(uint64_t number)
{
    static const enum message_type by_ids[] = {
        MESSAGE_CANCEL, MESSAGE_RETRY, MESSAGE_DELETE, MESSAGE_WAIT, MESSAGE_GET};
    struct chance *chance = &g.process.chance;
    struct stint_id ids[IDS];
    struct message list = {
        .list.queue = chance_in_100(chance, 50) ? text(some_queue()) : (struct slice){0}};
    unsigned what = (unsigned)chance_below(chance, 14);
    for (unsigned i = 0; i < IDS; i++)
        ids[i] =
            id_make(0, (uint32_t)chance_between(chance, 1, 3), 100, chance_between(chance, 1, 40));
    if (what < 3)
        meddle_with_runs(what, ids, number);
    else if (what < 8)
        message_put_ids(&g.frame, by_ids[what - 3], number, ids, IDS, what < 6 ? 0 : 1);
    else if (what == 8)
        submit();
    else if (what == 9)
        message_put_list(&g.frame, number, &list);
    else if (what == 10)
        message_put_page(&g.frame, MESSAGE_LIST_QUEUES, number, (struct slice){0});
    else if (what == 11)
        message_put_page(&g.frame, MESSAGE_LIST_WORKERS, number, (struct slice){0});
    else if (what == 12)
        message_put_numbered(&g.frame, MESSAGE_GET_STATS, number);
    else
        message_put_subscribe(&g.frame, number,
            chance_in_100(chance, 50) ? text(some_queue()) : (struct slice){0}, 0, ids,
            chance_in_100(chance, 50) ? IDS : 0);
    send_frame();
}

static void
live(void *context)
{
    struct chance *chance = &g.process.chance;
    uint64_t number = 0;
    (void)context;
    g.socket = network_open(&g.process);
    while (!g.stopping) {
        if (number == 0 || chance_in_100(chance, 20))
            say_hello();
        for (uint64_t i = chance_between(chance, 1, BURST); i > 0; i--)
            ask(++number);
        while (network_receive(g.socket, &g.received))
            ; /* what it is told, the oracle has seen */
        message_put_ping(&g.frame, number, WINDOW_UNCHANGED, 0);
        send_frame();
        actor_sleep(1 + chance_skewed(chance, US_A_SECOND));
    }
    network_close(&g.socket);
}

void
intruder_begin(uint64_t seed)
{
    struct pack_buffer frame = g.frame, received = g.received;
    struct wish wish = {.kind = "default",
        .priority = 255,
        .max_attempts = 1,
        .keep_ms = -1,
        .backoff_base_ms = DEFAULT_BACKOFF_BASE_MS,
        .backoff_cap_ms = DEFAULT_BACKOFF_CAP_MS,
        .payload_bytes = 13,
        .result_bytes = 19};
    memset(&g, 0, sizeof g);
    g.frame = frame;
    g.received = received;
    g.process = (struct process){
        .name = "intruder", .chance = chance_of(seed, 400), .network = chance_of(seed, 401)};
    g.key = (struct grant){.name = "intruder",
        .rights = RIGHTS_ALL,
        .patterns_count = 1,
        .patterns = {KEYS_EMPTY_QUEUE}};
    g.process.key = &g.key;
    g.job = oracle_wish(&wish);
    oracle_answered(g.job, STINT_DENIED, NULL); /* it never may be stored */
    (void)actor_start(&g.process, live, NULL);
}

void
intruder_stop(void)
{
    g.stopping = true;
}
