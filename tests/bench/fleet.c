/* A fleet of workers in one thread: the protocol's own half (proto/session.h) on connections that
 * are light (zmtp.h). They settle what they are given at once, or hold it. Beside them one client,
 * which measures how long it takes from its submit until a worker has the job.
 *
 *     bench_fleet PORT WORKERS SLOTS [kinds|queues]
 *
 * `kinds`: each worker names a kind of its own beside the common one; `queues`: a queue.
 *
 * Told on standard input, a line each: `hold`, `settle` (which also settles what is held), `start
 * N` (so many samples), `count`; its end is the end. Says on standard output, with times in seconds
 * of the monotonic clock: `all TIME` when every worker has claimed what it holds, `fewer TIME` when
 * that is not so any more, `start P50 P99 MAX` in microseconds, and `count DISPATCHED HELD
 * REFUSED`.
 */
#include "message.h"
#include "now.h"
#include "session.h"
#include "splitmix.h"
#include "zmtp.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <unistd.h>

enum {
    SLOTS_MAX = 64,
    SAMPLES_MAX = 100000,
    TICK_MS = 1, /* so that heartbeats come one by one, as from many hosts... */
    TICK_MANY_MS = 10, /* ...but not of so many: */
    MANY = 3000,
    RETRY_MS = 50, /* as libstint's socket does */
    RETRY_MAX_MS = 1000,
    SPREAD_MS = 1000, /* of the first connections, so that heartbeats are spread, too */
    EVENTS = 256,
    CORES = 8,
    PAUSE_MS = 5, /* between samples */
};

/* A peer: a session on a connection. */
struct peer {
    struct session session;
    struct zmtp connection;
    uint64_t retry_at_ms, retry_ms;
    uint64_t numbers; /* of requests */
    bool claimed;
    uint32_t held_count;
    struct lease_ref held[SLOTS_MAX];
    char name[32], own[32];
    const char *own_list[2];
};

struct samples {
    uint64_t *us;
    uint32_t count, wanted;
    uint64_t begun_us, next_ms; /* begun_us: of the one on its way; 0: none is */
    uint64_t submissions;
};

static struct {
    int epoll;
    uint16_t port;
    struct peer *workers, client;
    uint32_t workers_count, slots, claimed;
    bool hold;
    uint64_t dispatched, held, refused, random;
    struct samples samples;
    struct message_arrays room;
} fleet;

static void
say(const char *what)
{
    uint64_t now = clock_us();
    printf("%s %llu.%06llu\n", what, (unsigned long long)(now / 1000000),
        (unsigned long long)(now % 1000000));
    (void)fflush(stdout);
}

static void
set_claimed(struct peer *p, bool claimed)
{
    if (p == &fleet.client || p->claimed == claimed)
        return;
    bool all = fleet.claimed == fleet.workers_count;
    p->claimed = claimed;
    fleet.claimed += claimed ? 1 : UINT32_MAX;
    if (fleet.claimed == fleet.workers_count)
        say("all");
    else if (all)
        say("fewer");
}

/* ---- what a worker does ---- */

static void
claim(struct peer *p)
{
    struct pack_buffer frame = {0};
    message_put_leases(&frame, MESSAGE_CLAIM, ++p->numbers, p->held, p->held_count, false);
    (void)session_control(&p->session, &frame);
    pack_buffer_free(&frame);
    p->session.opened = false;
}

static void
settle(struct peer *p, const struct stint_id *id, uint32_t attempt)
{
    const struct outcome outcome = {.id = *id, .attempt = attempt, .type = OUTCOME_SUCCEEDED};
    struct request *r = session_request_new(MESSAGE_SETTLE, ++p->numbers);
    message_put_settle(&r->frame, r->number, &outcome, 1, WINDOW_UNCHANGED);
    session_request_add(&p->session, r);
}

static int
compare(const void *a, const void *b)
{
    const uint64_t *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

static void
take_sample(void)
{
    struct samples *s = &fleet.samples;
    s->us[s->count++] = clock_us() - s->begun_us;
    s->begun_us = 0;
    s->next_ms = clock_ms() + PAUSE_MS + splitmix64(&fleet.random) % PAUSE_MS;
    if (s->count < s->wanted)
        return;
    qsort(s->us, s->count, sizeof *s->us, compare);
    printf("start %llu %llu %llu\n", (unsigned long long)s->us[s->count / 2],
        (unsigned long long)s->us[(s->count - 1) * 99 / 100],
        (unsigned long long)s->us[s->count - 1]);
    (void)fflush(stdout);
    s->wanted = 0;
}

static void
take_dispatch(struct peer *p, const struct message *m)
{
    fleet.dispatched += m->count;
    if (fleet.samples.begun_us)
        take_sample();
    for (uint32_t i = 0; i < m->count; i++) {
        const struct dispatched_job *job = &fleet.room.dispatched[i];
        if (fleet.hold && p->held_count < SLOTS_MAX) {
            p->held[p->held_count++] =
                (struct lease_ref){.id = job->id, .attempt = job->attempt, .begun = true};
            fleet.held++;
        } else
            settle(p, &job->id, job->attempt);
    }
}

static void
end_requests(struct peer *p, enum message_type type, const struct message *m)
{
    for (uint32_t i = 0; i < m->count; i++) {
        struct request *r = session_request(&p->session, type, fleet.room.answers[i].number);
        if (r)
            session_request_end(&p->session, &r);
    }
}

static void
take(struct peer *p, const struct message *m)
{
    switch (m->type) {
    case MESSAGE_CLAIMED:
        fleet.refused += m->count;
        set_claimed(p, true);
        break;
    case MESSAGE_DISPATCH:
        take_dispatch(p, m);
        break;
    case MESSAGE_ORDER:
        p->session.options.slots = m->order.slots == SLOTS_OWN ? fleet.slots : m->order.slots;
        session_tell_window(&p->session);
        break;
    case MESSAGE_SETTLED:
        end_requests(p, MESSAGE_SETTLE, m);
        break;
    case MESSAGE_SUBMITTED:
        end_requests(p, MESSAGE_SUBMIT, m);
        break;
    default:
        break;
    }
}

/* ---- every peer ---- */

static void
connect_later(struct peer *p, uint64_t now_ms)
{
    zmtp_close(&p->connection);
    set_claimed(p, false);
    p->retry_ms = p->retry_ms ? 2 * p->retry_ms : RETRY_MS;
    if (p->retry_ms > RETRY_MAX_MS)
        p->retry_ms = RETRY_MAX_MS;
    p->retry_at_ms = now_ms + p->retry_ms / 2 + splitmix64(&fleet.random) % p->retry_ms;
}

static void
send_all(struct peer *p)
{
    while (p->connection.open) {
        struct slice frame = session_output(&p->session, !p->claimed && p != &fleet.client);
        if (frame.size == 0)
            break;
        zmtp_put(&p->connection, frame);
        session_sent(&p->session);
    }
}

static void
pump(struct peer *p, uint64_t now_ms)
{
    struct session *s = &p->session;
    session_tick(s, now_ms);
    if (s->state != SESSION_OPEN)
        set_claimed(p, false);
    if (s->reconnect) {
        s->reconnect = false;
        if (p->connection.fd >= 0)
            connect_later(p, now_ms);
    }
    if (s->state == SESSION_OPEN && s->opened && p != &fleet.client)
        claim(p);
    s->opened = false;
    if (p->connection.fd < 0 && now_ms >= p->retry_at_ms &&
        !zmtp_connect(&p->connection, fleet.epoll, p, fleet.port))
        connect_later(p, now_ms);
    send_all(p);
    if (!zmtp_flush(&p->connection, fleet.epoll, p))
        connect_later(p, now_ms);
}

static void
turn(struct peer *p, uint64_t now_ms)
{
    struct slice frame;
    if (p->connection.fd < 0)
        return;
    if (!zmtp_turn(&p->connection, fleet.epoll, p)) {
        connect_later(p, now_ms);
        return;
    }
    while (zmtp_next(&p->connection, &frame)) {
        struct message m;
        p->retry_ms = 0;
        if (session_receive(&p->session, now_ms, frame.data, frame.size, &m, &fleet.room))
            take(p, &m);
    }
    pump(p, now_ms);
}

static void
begin_peer(struct peer *p, enum message_role role, uint32_t number, const char *apart)
{
    static const char *const common[] = {"default"};
    struct session_options o = {.role = role,
        .name = p->name,
        .software = "bench_fleet",
        .slots = fleet.slots,
        .queues = common,
        .queues_count = 1,
        .seed = splitmix64(&fleet.random)};
    (void)snprintf(p->name, sizeof p->name, "w%u", number);
    (void)snprintf(p->own, sizeof p->own, "own%u", number);
    p->own_list[0] = "default";
    p->own_list[1] = p->own;
    if (role == ROLE_WORKER)
        o.cores = CORES;
    if (role == ROLE_WORKER && strcmp(apart, "kinds") == 0) {
        o.kinds = p->own_list;
        o.kinds_count = 2;
    } else if (role == ROLE_WORKER && strcmp(apart, "queues") == 0) {
        o.queues = p->own_list;
        o.queues_count = 2;
    }
    for (unsigned i = 0; i < SESSION_BYTES; i++)
        o.id[i] = (uint8_t)splitmix64(&fleet.random);
    p->connection.fd = -1;
    p->retry_at_ms = clock_ms() + splitmix64(&fleet.random) % SPREAD_MS;
    session_init(&p->session, &o, clock_ms());
}

/* ---- the client ---- */

static void
begin_sample(uint64_t now_ms)
{
    struct samples *s = &fleet.samples;
    struct session *client = &fleet.client.session;
    if (s->count >= s->wanted || s->begun_us || now_ms < s->next_ms ||
        client->state != SESSION_OPEN || client->submissions.first)
        return;
    const struct job_spec job = {.queue = {(const uint8_t *)"default", 7},
        .kind = {(const uint8_t *)"default", 7},
        .payload = {(const uint8_t *)"x", 1},
        .keep_ms = 0,
        .max_attempts = DEFAULT_MAX_ATTEMPTS,
        .backoff_base_ms = DEFAULT_BACKOFF_BASE_MS,
        .backoff_cap_ms = DEFAULT_BACKOFF_CAP_MS,
        .priority = DEFAULT_PRIORITY};
    struct request *r = session_request_new(MESSAGE_SUBMIT, ++s->submissions);
    message_put_submit(&r->frame, r->number, r->number - 1, &job, 1);
    session_request_add(client, r);
    s->begun_us = clock_us();
    pump(&fleet.client, now_ms);
}

static void
let_go(void)
{
    fleet.hold = false;
    for (uint32_t i = 0; i < fleet.workers_count; i++) {
        struct peer *p = &fleet.workers[i];
        for (uint32_t n = 0; n < p->held_count; n++)
            settle(p, &p->held[n].id, p->held[n].attempt);
        p->held_count = 0;
    }
    fleet.held = 0;
}

static void
obey(char *line)
{
    unsigned samples;
    if (strcmp(line, "hold") == 0)
        fleet.hold = true;
    else if (strcmp(line, "settle") == 0)
        let_go();
    else if (sscanf(line, "start %u", &samples) == 1 && samples > 0 && samples <= SAMPLES_MAX) {
        fleet.samples.count = 0;
        fleet.samples.wanted = samples;
    } else if (strcmp(line, "count") == 0) {
        printf("count %llu %llu %llu\n", (unsigned long long)fleet.dispatched,
            (unsigned long long)fleet.held, (unsigned long long)fleet.refused);
        (void)fflush(stdout);
    }
}

/* False: there is no more to come. */
static bool
listen_to(int fd)
{
    static char text[256];
    static size_t used;
    ssize_t n = read(fd, text + used, sizeof text - 1 - used);
    if (n == 0 || (n < 0 && errno != EAGAIN))
        return false;
    used += n > 0 ? (size_t)n : 0;
    text[used] = '\0';
    for (char *end; (end = strchr(text, '\n')) != NULL;) {
        *end = '\0';
        obey(text);
        used -= (size_t)(end + 1 - text);
        memmove(text, end + 1, used + 1);
    }
    return true;
}

static bool
is_due(const struct peer *p, uint64_t now_ms)
{
    return now_ms >= session_wake_ms(&p->session) ||
        (p->connection.fd < 0 && now_ms >= p->retry_at_ms);
}

static void
run(void)
{
    struct epoll_event events[EVENTS], input = {.events = EPOLLIN, .data.ptr = NULL};
    uint64_t ticked_ms = 0, tick_ms = fleet.workers_count < MANY ? TICK_MS : TICK_MANY_MS;
    bool goes_on = epoll_ctl(fleet.epoll, EPOLL_CTL_ADD, STDIN_FILENO, &input) == 0;
    while (goes_on) {
        int n = epoll_wait(fleet.epoll, events, EVENTS, TICK_MS);
        uint64_t now_ms = clock_ms();
        for (int i = 0; i < n; i++) {
            if (events[i].data.ptr)
                turn(events[i].data.ptr, now_ms);
            else
                goes_on = listen_to(STDIN_FILENO);
        }
        if (fleet.samples.wanted)
            begin_sample(now_ms);
        if (now_ms - ticked_ms < tick_ms)
            continue;
        ticked_ms = now_ms;
        pump(&fleet.client, now_ms);
        for (uint32_t i = 0; i < fleet.workers_count; i++)
            if (is_due(&fleet.workers[i], now_ms))
                pump(&fleet.workers[i], now_ms);
    }
}

int
main(int argc, char **argv)
{
    struct rlimit files;
    if (argc < 4 || atoi(argv[3]) < 1 || atoi(argv[3]) > SLOTS_MAX || atoi(argv[2]) < 1) {
        (void)fprintf(stderr, "usage: bench_fleet PORT WORKERS SLOTS [kinds|queues]\n");
        return 64;
    }
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &files);
    }
    fleet.port = (uint16_t)atoi(argv[1]);
    fleet.workers_count = (uint32_t)atoi(argv[2]);
    fleet.slots = (uint32_t)atoi(argv[3]);
    fleet.random = clock_us() ^ (uint64_t)getpid() << 32;
    fleet.epoll = epoll_create1(EPOLL_CLOEXEC);
    fleet.workers = calloc(fleet.workers_count, sizeof *fleet.workers);
    fleet.samples.us = calloc(SAMPLES_MAX, sizeof *fleet.samples.us);
    if (fleet.epoll < 0 || !fleet.workers || !fleet.samples.us)
        return 71;
    (void)fcntl(STDIN_FILENO, F_SETFL, O_NONBLOCK);
    begin_peer(&fleet.client, ROLE_CLIENT, fleet.workers_count, "");
    for (uint32_t i = 0; i < fleet.workers_count; i++)
        begin_peer(&fleet.workers[i], ROLE_WORKER, i, argc > 4 ? argv[4] : "");
    run();
    return 0;
}
