/* Watching connections; the contract is in monitor.h.
 *
 * libzmq's I/O thread may close a descriptor, and get it again for another connection, at any time
 * between the monitor's word and our use of it. So each connection is known by its socket's cookie,
 * which the kernel gives only once.
 */
#include "monitor.h"
#include "limit.h"
#include "log.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <linux/tcp.h>
#include <malloc.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include <zmq.h>

enum {
    ALIVE_MAX = 1024,
    LOOKS = 64, /* at peers, each time; more if there are very many */
    LOOKS_UNKNOWN =
        256, /* at those that are unknown: strangers can be as many as there may be at all */
    TEND_SUSPECT_MS = 2, /* and one more for so many connections: */
    TEND_SUSPECT_EACH = 50,
    TEND_BUSY_MS = 20,
    TEND_MS = 100,
    TOLD_EVERY_MS = 10000,
    TRIM_AFTER_MS = 50,
    TRIM_BYTES = 64 << 10,
    GENTLE_BYTES = 16 << 10,
    STEP_MS = 250, /* longer, and we stood still */
    DOORS_MAX = 16,
};

/* A socket that listens, libzmq's to close. */
struct door {
    int fd;
    uint64_t cookie;
};

/* Handshakes that failed. */
struct failures {
    uint64_t count, told_ms; /* since the log was told */
    const char *why; /* the last one did */
};

/* Who is held off, and where. */
struct guard {
    struct strangers strangers;
    struct door doors[DOORS_MAX];
    uint32_t doors_count;
    uint64_t told_ms;
};

struct monitor {
    void *context, *router, *socket;
    int fd;
    struct routes *routes;
    struct connections connections;
    uint64_t heartbeat_ms, tend_ms;
    /* Connections are judged by a clock that stands still while we do (stopped, or waiting for a
     * slow disk): what they said meanwhile has not been read. */
    uint64_t now_ms, clock_ms;
    bool suspects; /* some have sent too much, and may be ended at the next look */
    uint64_t trim_ms; /* memory goes back to the system then; 0: no need */
    /* The row of the ROUTER's own routing ids: those after `row`, as many as there were
     * handshakes. */
    uint32_t row;
    uint64_t handshakes;
    uint32_t alive[ALIVE_MAX], alive_count;
    uint64_t ended[CONNECTION_ENDS], told_ms[CONNECTION_ENDS]; /* since the log was told */
    struct failures failed;
    struct guard guard;
};

static uint64_t
cookie_of(int fd)
{
    uint64_t cookie = 0;
    socklen_t size = sizeof cookie;
    return getsockopt(fd, SOL_SOCKET, SO_COOKIE, &cookie, &size) == 0 ? cookie : 0;
}

/* Bytes that have come over it in all. False if nobody counts them (ipc), or it is closed. */
static bool
bytes_arrived(const struct connection *k, uint64_t *bytes)
{
    struct tcp_info info;
    socklen_t size = sizeof info;
    if (k->cookie == 0 || getsockopt(k->fd, IPPROTO_TCP, TCP_INFO, &info, &size) != 0 ||
        size < offsetof(struct tcp_info, tcpi_bytes_received) + sizeof info.tcpi_bytes_received ||
        cookie_of(k->fd) != k->cookie)
        return false;
    *bytes = info.tcpi_bytes_received;
    return true;
}

/* Is it somebody else's connection to a name that has no permissions? */
static bool
is_foreign_user(int fd)
{
    struct sockaddr_un address = {0};
    struct ucred user = {0};
    socklen_t size = sizeof address;
    if (getsockname(fd, (struct sockaddr *)&address, &size) != 0 || address.sun_family != AF_UNIX ||
        size <= sizeof address.sun_family || address.sun_path[0] != '\0')
        return false;
    size = sizeof user;
    return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &user, &size) != 0 ||
        (user.uid != geteuid() && user.uid != 0);
}

/* A duplicate can't be closed under us. Whoever did wrong, or sends much, gets a reset: else the
 * kernel would keep what it goes on to send, and it would wait for room. */
static void
shut_down(const struct connection *k)
{
    const struct linger reset = {.l_onoff = 1};
    uint64_t arrived;
    bool gentle = k->why == END_ASKED ||
        (k->why == END_NO_HELLO && !(bytes_arrived(k, &arrived) && arrived > GENTLE_BYTES));
    int fd = fcntl(k->fd, F_DUPFD_CLOEXEC, 0);
    int use = fd >= 0 ? fd : k->fd;
    if (k->cookie && cookie_of(use) == k->cookie) {
        if (!gentle)
            (void)setsockopt(use, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
        (void)shutdown(use, SHUT_RDWR);
    }
    if (fd >= 0)
        close(fd);
}

static void
set_clock(struct monitor *m, uint64_t now_ms)
{
    uint64_t passed_ms = now_ms - m->now_ms;
    m->clock_ms += passed_ms < STEP_MS ? passed_ms : STEP_MS;
    m->now_ms = now_ms;
}

static void
end_due(struct monitor *m)
{
    struct connection *k;
    while ((k = connections_due(&m->connections, m->clock_ms)) != NULL) {
        shut_down(k);
        m->ended[k->why]++;
        if (!m->trim_ms &&
            (k->why == END_UNFINISHED || k->why == END_AHEAD || k->arrived > TRIM_BYTES))
            m->trim_ms = m->now_ms + TRIM_AFTER_MS;
    }
}

static void
leave(struct monitor *m, int fd)
{
    struct route *route;
    connections_remove(&m->connections, fd, &route);
    if (route)
        routes_mark_ending(m->routes, route);
}

/* Whoever has left already is nobody. */
static struct stranger_host
host_at(int fd)
{
    struct sockaddr_storage there = {0}, here = {0};
    socklen_t there_size = sizeof there, here_size = sizeof here;
    if (getpeername(fd, (struct sockaddr *)&there, &there_size) != 0 ||
        getsockname(fd, (struct sockaddr *)&here, &here_size) != 0)
        return (struct stranger_host){0};
    return stranger_host(&there, &here);
}

static void
enter(struct monitor *m, int fd)
{
    leave(m, fd);
    struct connection *k = connections_add(&m->connections, fd, cookie_of(fd), m->clock_ms);
    k->from = host_at(fd);
    if (is_foreign_user(fd))
        connections_close(&m->connections, k, END_FOREIGN_USER, m->clock_ms);
    if (m->tend_ms > m->now_ms + TEND_BUSY_MS)
        m->tend_ms = m->now_ms + TEND_BUSY_MS;
}

/* One event: a frame of its number and a value, then one of the address. */
static bool
read_event(void *socket, uint16_t *event, uint32_t *value)
{
    uint8_t bytes[8];
    char address[512];
    int size = zmq_recv(socket, bytes, sizeof bytes, ZMQ_DONTWAIT);
    if (size < 0)
        return false;
    (void)zmq_recv(socket, address, sizeof address, ZMQ_DONTWAIT);
    *event = 0;
    if (size == 6) {
        memcpy(event, bytes, 2);
        memcpy(value, bytes + 2, 4);
    }
    return true;
}

/* Strangers can make these as fast as they like. */
static void
count_failure(struct failures *f, uint16_t event)
{
    f->count++;
    f->why = event == ZMQ_EVENT_HANDSHAKE_FAILED_AUTH ? "a key that is not known"
        : event == ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL
        ? "it does not speak as is asked for: by no key, or by a key of another broker"
        : "it ended in the middle";
}

/* A connection is over. If nothing was ever heard over it, its handshake has failed, whatever
 * libzmq says of it (of some it says nothing, and of none whose it was). Not if we have ended it.
 */
static void
blame(struct monitor *m, int fd)
{
    const struct connection *k = connections_at(&m->connections, fd);
    if (k && k->taken == 0 && k->why != END_TOO_MANY && k->why != END_ASKED)
        strangers_blame(&m->guard.strangers, k->from);
}

static void
add_door(struct guard *g, int fd)
{
    struct sockaddr_storage here = {0};
    socklen_t size = sizeof here;
    if (g->doors_count < DOORS_MAX && getsockname(fd, (struct sockaddr *)&here, &size) == 0 &&
        here.ss_family != AF_UNIX)
        g->doors[g->doors_count++] = (struct door){fd, cookie_of(fd)};
}

static void
remove_door(struct guard *g, int fd)
{
    for (uint32_t i = 0; i < g->doors_count; i++)
        if (g->doors[i].fd == fd)
            g->doors[i--] = g->doors[--g->doors_count];
}

/* To connections that were made before, the filter does nothing; and so it is with any error. */
static void
filter_doors(const struct guard *g)
{
    struct sock_filter code[STRANGERS_CODE];
    struct sock_fprog program = {strangers_filter(&g->strangers, code), code};
    int option = program.len ? SO_ATTACH_FILTER : SO_DETACH_FILTER;
    for (uint32_t i = 0; i < g->doors_count; i++)
        if (g->doors[i].cookie && cookie_of(g->doors[i].fd) == g->doors[i].cookie)
            (void)setsockopt(g->doors[i].fd, SOL_SOCKET, option, &program, sizeof program);
}

static void
hear(struct monitor *m)
{
    uint16_t event;
    uint32_t value;
    while (read_event(m->socket, &event, &value)) {
        if (event == ZMQ_EVENT_ACCEPTED) {
            enter(m, (int)value);
        } else if (event == ZMQ_EVENT_DISCONNECTED) {
            blame(m, (int)value);
            leave(m, (int)value);
        } else if (event == ZMQ_EVENT_HANDSHAKE_SUCCEEDED) {
            m->handshakes++;
        } else if (event == ZMQ_EVENT_LISTENING) {
            add_door(&m->guard, (int)value);
        } else if (event == ZMQ_EVENT_CLOSED) {
            remove_door(&m->guard, (int)value);
        } else if (event) {
            count_failure(&m->failed, event);
        }
    }
}

void
monitor_hear(struct monitor *m, uint64_t now_ms, bool readable)
{
    set_clock(m, now_ms);
    if (readable)
        hear(m);
    end_due(m);
}

int
monitor_fd(const struct monitor *m)
{
    return m->fd;
}

static void
look_at(struct monitor *m, struct connection *k)
{
    uint64_t arrived;
    int untaken = 0;
    bool heard = k->route && k->route->heard;
    if (k->route)
        k->route->heard = false;
    if (!bytes_arrived(k, &arrived))
        return;
    if ((arrived - k->base > CONNECTION_UNKNOWN_BYTES / 16 ||
            arrived - k->taken > CONNECTION_UNKNOWN_BYTES / 16) &&
        ioctl(k->fd, SIOCINQ, &untaken) != 0)
        untaken = 0;
    bool alive =
        connections_look(&m->connections, k, heard, arrived, (uint64_t)untaken, m->clock_ms);
    m->suspects |= k->over_round != 0;
    if (alive && k->greeted && k->route && m->alive_count < ALIVE_MAX)
        m->alive[m->alive_count++] = k->route->number;
}

/* At so many of a list, from where the last turn ended; the end of the list is the end of the turn.
 */
static void
look_at_some(struct monitor *m, struct connection *list, struct connection **at, uint64_t looks)
{
    for (struct connection *k = list; k && looks > 0; looks--) {
        k = *at ? *at : list;
        *at = k->next;
        look_at(m, k);
        k = *at;
    }
}

static void
look_around(struct monitor *m)
{
    struct connections *c = &m->connections;
    m->suspects = false;
    look_at_some(m, c->unknown, &c->at_unknown, LOOKS_UNKNOWN);
    uint64_t looks = (uint64_t)(c->count) * TEND_MS / (m->heartbeat_ms + 1);
    look_at_some(m, c->peers, &c->at, looks < LOOKS ? LOOKS : looks);
}

static void
tell_failures(struct failures *f, uint64_t now_ms)
{
    if (f->count && (!f->told_ms || now_ms - f->told_ms >= TOLD_EVERY_MS)) {
        log_event(LOG_LEVEL_WARN, "handshakes failed",
            LOG_FIELDS(LOG_NUMBER("count", f->count), LOG_TEXT("last", f->why)));
        f->count = 0;
        f->told_ms = now_ms;
    }
}

static void
tell_held(struct guard *g, uint64_t now_ms)
{
    char text[STRANGER_TEXT_BYTES];
    const struct stranger *worst = strangers_worst(&g->strangers);
    if (worst && (!g->told_ms || now_ms - g->told_ms >= TOLD_EVERY_MS)) {
        log_event(LOG_LEVEL_WARN, "a host is held off: too many of its handshakes fail",
            LOG_FIELDS(LOG_TEXT("host", stranger_text(worst, text))));
        g->told_ms = now_ms;
    }
}

static void
tell(struct monitor *m, uint64_t now_ms)
{
    static const char *const reasons[CONNECTION_ENDS] = {[END_NO_HELLO] = "no HELLO in time",
        [END_UNFINISHED] = "too many bytes that made no message",
        [END_FOREIGN_ID] = "a routing id of its own",
        [END_FOREIGN_USER] = "another user of this host",
        [END_TOO_MANY] = "too many connections",
        [END_AHEAD] = "sent more than the broker could read",
        [END_REVOKED] = "its key is revoked, or grants something else now"};
    for (unsigned why = 0; why < CONNECTION_ENDS; why++) {
        if (!m->ended[why] || !reasons[why] ||
            (m->told_ms[why] && now_ms - m->told_ms[why] < TOLD_EVERY_MS))
            continue;
        log_event(why == END_NO_HELLO ? LOG_LEVEL_INFO : LOG_LEVEL_WARN, "connections ended",
            LOG_FIELDS(LOG_TEXT("reason", reasons[why]), LOG_NUMBER("count", m->ended[why])));
        m->ended[why] = 0;
        m->told_ms[why] = now_ms;
    }
    tell_failures(&m->failed, now_ms);
    tell_held(&m->guard, now_ms);
}

void
monitor_tend(struct monitor *m, uint64_t now_ms)
{
    if (now_ms < m->tend_ms)
        return;
    look_around(m);
    end_due(m);
    if (strangers_judge(&m->guard.strangers, now_ms))
        filter_doors(&m->guard);
    tell(m, now_ms);
    if (m->trim_ms && now_ms >= m->trim_ms) {
        (void)malloc_trim(0);
        m->trim_ms = 0;
    }
    uint64_t every = connections_busy(&m->connections) ? TEND_BUSY_MS : TEND_MS;
    if (m->suspects)
        every = TEND_SUSPECT_MS + m->connections.count / TEND_SUSPECT_EACH;
    if (every > m->heartbeat_ms / 4 + 1)
        every = m->heartbeat_ms / 4 + 1;
    m->tend_ms = now_ms + every;
}

uint64_t
monitor_idle_ms(const struct monitor *m, uint64_t now_ms)
{
    if (m->connections.count == 0 && !m->trim_ms && !strangers_any(&m->guard.strangers))
        return UINT64_MAX;
    return m->tend_ms > now_ms ? m->tend_ms - now_ms : 0;
}

/* The ROUTER's own routing ids are 0 and a number. */
static uint32_t
number_in(const uint8_t id[5])
{
    return (uint32_t)id[1] << 24 | (uint32_t)id[2] << 16 | (uint32_t)id[3] << 8 | (uint32_t)id[4];
}

/* Is it a routing id that the ROUTER made? One that it will make later would be its end: it
 * asserts that nobody has it. */
static bool
is_in_row(const struct monitor *m, const struct route *route)
{
    return route->size == 5 && route->id[0] == 0 &&
        (uint32_t)(number_in(route->id) - m->row - 1) < m->handshakes;
}

/* Of two routes over one descriptor, the one of the connection that came first is over. */
static void
tie(struct monitor *m, struct connection *k, struct route *route)
{
    k->sealed = route->key > 0;
    bool newer = !k->route || (int32_t)(number_in(route->id) - number_in(k->route->id)) > 0;
    struct route *former = newer ? connections_tie(k, route) : route;
    if (former)
        routes_mark_ending(m->routes, former);
}

bool
monitor_admit(struct monitor *m, struct route *route, int fd)
{
    struct connection *k = connections_at(&m->connections, fd);
    if (!k || !is_in_row(m, route)) {
        hear(m); /* it may have come just now */
        k = connections_at(&m->connections, fd);
    }
    route->known = true;
    if (!k) { /* it has ended already; this was its last word */
        if (!is_in_row(m, route) || route->barred)
            return false;
        routes_mark_ending(m->routes, route);
        return true;
    }
    if (!is_in_row(m, route))
        connections_close(&m->connections, k, END_FOREIGN_ID, m->clock_ms);
    else if (route->barred)
        connections_close(&m->connections, k, END_REVOKED, m->clock_ms);
    if (k->deaf)
        return false;
    tie(m, k, route);
    return true;
}

void
monitor_greet(struct monitor *m, const struct route *route)
{
    if (route->connection)
        connections_greet(&m->connections, route->connection);
}

void
monitor_forget(struct monitor *m, const struct route *route, bool close)
{
    struct connection *k = route->connection;
    bool unreachable = route->gone;
    if (!k)
        return;
    connections_forget(&m->connections, k, m->clock_ms);
    if (close || unreachable)
        connections_close(
            &m->connections, k, END_ASKED, m->clock_ms + (unreachable ? 0 : CONNECTION_CLOSE_MS));
}

void
monitor_lost(struct monitor *m, const struct route *route)
{
    if (route->connection)
        connections_forget(&m->connections, route->connection, m->clock_ms);
}

void
monitor_revoke(struct monitor *m, const struct route *route)
{
    if (route->connection)
        connections_close(&m->connections, route->connection, END_REVOKED, m->clock_ms);
}

void
monitor_sweep(struct monitor *m)
{
    for (uint32_t fd = 0; fd < m->connections.by_fd_size; fd++) {
        const struct connection *k = m->connections.by_fd[fd];
        if (k && k->cookie && cookie_of((int)fd) != k->cookie)
            leave(m, (int)fd);
    }
}

void
monitor_round(struct monitor *m)
{
    connections_round(&m->connections);
}

bool
monitor_take_alive(struct monitor *m, uint32_t *number)
{
    if (m->alive_count == 0)
        return false;
    *number = m->alive[--m->alive_count];
    return true;
}

bool
monitor_has_alive(const struct monitor *m)
{
    return m->alive_count > 0;
}

/* A connection of our own, to see where the row of routing ids begins. */
static bool
learn_row(struct monitor *m)
{
    static const char endpoint[] = "inproc://first";
    uint8_t id[5] = {0}, rest[1];
    int wait_ms = 1000;
    void *peer = zmq_socket(m->context, ZMQ_DEALER);
    bool learned = peer && zmq_bind(m->router, endpoint) == 0 && zmq_connect(peer, endpoint) == 0 &&
        zmq_send(peer, "", 0, 0) == 0 &&
        zmq_setsockopt(m->router, ZMQ_RCVTIMEO, &wait_ms, sizeof wait_ms) == 0 &&
        zmq_recv(m->router, id, sizeof id, 0) == sizeof id &&
        zmq_recv(m->router, rest, sizeof rest, 0) == 0 && zmq_unbind(m->router, endpoint) == 0;
    m->row = number_in(id);
    if (peer)
        zmq_close(peer);
    return learned;
}

/* libzmq hangs at full load once it has no descriptor left; so we keep well below that. */
uint32_t
monitor_connections_max(uint32_t peers_max)
{
    struct rlimit files;
    uint64_t allowed = (uint64_t)peers_max + MORE_THAN_PEERS;
    if (getrlimit(RLIMIT_NOFILE, &files) != 0 || files.rlim_cur == RLIM_INFINITY)
        return (uint32_t)allowed;
    uint64_t spare = files.rlim_cur / 4 > 1024 ? 1024 : files.rlim_cur / 4;
    if (spare < 48)
        spare = 48;
    uint64_t least = MORE_THAN_PEERS + 1;
    uint64_t room = files.rlim_cur > spare + least ? files.rlim_cur - spare : least;
    return (uint32_t)(allowed < room ? allowed : room);
}

static bool
open_monitor(struct monitor *m)
{
    static const char endpoint[] = "inproc://monitor";
    int events = ZMQ_EVENT_ACCEPTED | ZMQ_EVENT_DISCONNECTED | ZMQ_EVENT_HANDSHAKE_SUCCEEDED |
        ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL | ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL |
        ZMQ_EVENT_HANDSHAKE_FAILED_AUTH | ZMQ_EVENT_LISTENING | ZMQ_EVENT_CLOSED;
    int none = 0; /* no limit: else libzmq's I/O thread would wait for us */
    if (!learn_row(m) || zmq_socket_monitor(m->router, endpoint, events) != 0)
        return false;
    m->socket = zmq_socket(m->context, ZMQ_PAIR);
    size_t size = sizeof m->fd;
    return m->socket && zmq_getsockopt(m->socket, ZMQ_FD, &m->fd, &size) == 0 &&
        zmq_setsockopt(m->socket, ZMQ_RCVHWM, &none, sizeof none) == 0 &&
        zmq_setsockopt(m->socket, ZMQ_LINGER, &none, sizeof none) == 0 &&
        zmq_connect(m->socket, endpoint) == 0;
}

struct monitor *
monitor_new(const struct monitor_options *options)
{
    struct monitor *m = calloc(1, sizeof *m);
    if (!m)
        return NULL;
    m->context = options->context;
    m->router = options->socket;
    m->routes = options->routes;
    m->heartbeat_ms = options->heartbeat_ms;
    connections_init(&m->connections, monitor_connections_max(options->peers_max));
    if (!open_monitor(m)) {
        int error = errno;
        monitor_destroy(&m);
        errno = error;
        return NULL;
    }
    hear(m); /* only who has found nothing is told of what comes next */
    return m;
}

void
monitor_destroy(struct monitor **monitor)
{
    struct monitor *m = *monitor;
    if (!m)
        return;
    (void)zmq_socket_monitor(m->router, NULL, 0);
    if (m->socket)
        zmq_close(m->socket);
    connections_fini(&m->connections);
    free(m);
    *monitor = NULL;
}
