/* The ROUTER socket; the contract is in router.h. Plain libzmq, as this is the hot path. Nothing
 * that a peer does may block it: every send is non-blocking, and a peer that does not take its
 * messages is gone.
 */
#include "router.h"
#include "limit.h"
#include "listen.h"
#include "monitor.h"
#include "now.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <zmq.h>

enum {
    BATCH_FRAMES = 8192,
    BATCH_BYTES = 16 << 20,
    HIGH_WATER = 4000, /* messages; credit and windows keep peers far below */
    LISTENERS_MAX = 16,
    PART_BYTES = 2, /* what a part has on the wire beside its bytes, at least */
    ENDING_MS = 5, /* a connection is over: how soon to look for its last words */
};

struct router {
    void *context, *socket;
    struct monitor *monitor;
    struct listener listeners[LISTENERS_MAX];
    size_t listeners_count;
    struct routes routes;
    struct event events[BATCH_FRAMES];
    zmq_msg_t frames[BATCH_FRAMES];
    uint32_t frames_count;
    char endpoint[256];
};

static char error_text[LISTEN_ERROR_BYTES];

/* No heartbeats of ZeroMQ's: they queue behind a large frame, so a slow link would be cut off in
 * the middle of it, for ever again. The core's own are behind it, too, but the core is told when
 * bytes come. */
static bool
set_options(void *socket, const struct router_options *o)
{
    int ipv6 = 0;
    for (size_t i = 0; i < o->endpoints_count; i++)
        ipv6 |= strchr(o->endpoints[i], '[') != NULL;
    const struct {
        int option, value;
    } options[] = {
        {ZMQ_LINGER, (int)o->linger_ms},
        {ZMQ_ROUTER_MANDATORY, 1}, /* else what can't be routed vanishes */
        {ZMQ_SNDHWM, HIGH_WATER},
        {ZMQ_RCVHWM, HIGH_WATER},
        {ZMQ_HANDSHAKE_IVL, 5000},
        {ZMQ_BACKLOG, 1024},
        {ZMQ_IPV6, ipv6},
    };
    int64_t message_bytes = LIMIT_MESSAGE_BYTES;
    for (size_t i = 0; i < sizeof options / sizeof *options; i++)
        if (zmq_setsockopt(socket, options[i].option, &options[i].value, sizeof(int)) != 0)
            return false;
    return zmq_setsockopt(socket, ZMQ_MAXMSGSIZE, &message_bytes, sizeof message_bytes) == 0;
}

static enum stint_status
bind_all(struct router *r, const struct router_options *o)
{
    assert(o->endpoints_count <= LISTENERS_MAX);
    for (size_t i = 0; i < o->endpoints_count; i++) {
        enum stint_status status =
            listen_at(r->socket, o->endpoints[i], &r->listeners[i], error_text);
        if (status != STINT_OK)
            return status;
        r->listeners_count++;
        size_t size = sizeof r->endpoint;
        if (i == 0)
            (void)zmq_getsockopt(r->socket, ZMQ_LAST_ENDPOINT, r->endpoint, &size);
    }
    return STINT_OK;
}

/* libzmq draws from rand(), which nobody seeds: its first routing id would be known to all. */
static void
seed_libzmq(void)
{
    unsigned seed;
    if (getrandom(&seed, sizeof seed, 0) == sizeof seed)
        srand(seed);
}

static bool
open_socket(struct router *r, const struct router_options *o)
{
    seed_libzmq();
    r->context = zmq_ctx_new();
    r->socket = r->context ? zmq_socket(r->context, ZMQ_ROUTER) : NULL;
    if (!r->socket || !set_options(r->socket, o))
        return false;
    struct monitor_options options = {.context = r->context,
        .socket = r->socket,
        .routes = &r->routes,
        .peers_max = o->peers_max,
        .heartbeat_ms = o->heartbeat_ms};
    r->monitor = monitor_new(&options);
    return r->monitor != NULL;
}

uint32_t
router_peers_max(uint32_t wanted)
{
    uint32_t allowed = monitor_connections_max(wanted);
    return allowed > MORE_THAN_PEERS ? allowed - MORE_THAN_PEERS : 1;
}

enum stint_status
router_new(const struct router_options *options, struct router **router, const char **error)
{
    struct router *r = calloc(1, sizeof *r);
    if (!r)
        return STINT_NO_MEMORY;
    *error = error_text;
    routes_init(&r->routes, options->peers_max + MORE_THAN_PEERS);
    enum stint_status status = STINT_SYSTEM;
    if (open_socket(r, options))
        status = bind_all(r, options);
    else
        (void)snprintf(
            error_text, sizeof error_text, "can't make a socket: %s", zmq_strerror(zmq_errno()));
    if (status != STINT_OK)
        router_destroy(&r);
    *router = r;
    return status;
}

void
router_destroy(struct router **router)
{
    struct router *r = *router;
    if (!r)
        return;
    router_done(r);
    for (size_t i = 0; i < r->listeners_count; i++)
        listen_end(&r->listeners[i]);
    monitor_destroy(&r->monitor);
    if (r->socket)
        zmq_close(r->socket);
    if (r->context)
        zmq_ctx_term(r->context);
    routes_fini(&r->routes);
    free(r);
    *router = NULL;
}

const char *
router_endpoint(const struct router *r)
{
    return r->endpoint;
}

/* Looks at connections are no reason to return, unless the core is to hear of one. */
void
router_wait(struct router *r, int other_fd, uint64_t timeout_ms)
{
    zmq_pollitem_t items[] = {{.socket = r->socket, .events = ZMQ_POLLIN},
        {.socket = monitor_socket(r->monitor), .events = ZMQ_POLLIN},
        {.fd = other_fd, .events = ZMQ_POLLIN}};
    uint64_t now_ms = clock_ms(), until_ms = now_ms + timeout_ms;
    while (!r->routes.gone && !monitor_has_alive(r->monitor)) {
        uint64_t sleep_ms = until_ms > now_ms ? until_ms - now_ms : 0;
        uint64_t idle_ms = monitor_idle_ms(r->monitor, now_ms);
        if (r->routes.ending)
            idle_ms = ENDING_MS;
        bool last = sleep_ms <= idle_ms;
        if (zmq_poll(items, 3, (long)(last ? sleep_ms : idle_ms)) < 0 || items[0].revents ||
            items[2].revents || last || r->routes.ending)
            return;
        now_ms = clock_ms();
        monitor_round(r->monitor); /* there was nothing to be read */
        monitor_hear(r->monitor, now_ms);
        monitor_tend(r->monitor, now_ms);
    }
}

/* Reads the rest of a message that has more parts than one; what it holds is not wanted. Tells how
 * many bytes it had. */
static size_t
skip_parts(struct router *r)
{
    zmq_msg_t part;
    int more = 1;
    size_t bytes = 0;
    while (more) {
        zmq_msg_init(&part);
        if (zmq_msg_recv(&part, r->socket, ZMQ_DONTWAIT) < 0)
            more = 0;
        else
            more = zmq_msg_more(&part);
        bytes += zmq_msg_size(&part) + PART_BYTES;
        zmq_msg_close(&part);
    }
    return bytes;
}

enum receipt { RECEIVED_NONE, RECEIVED_NOTHING_OF_USE, RECEIVED };

/* The second frame of a message; the rest is skipped. False if it is not to be heard. */
static bool
receive_body(struct router *r, struct route *route, zmq_msg_t *frame, size_t *size)
{
    zmq_msg_init(frame);
    bool whole = zmq_msg_recv(frame, r->socket, ZMQ_DONTWAIT) >= 0;
    size_t bytes = *size = zmq_msg_size(frame);
    int fd = route && !route->known ? zmq_msg_get(frame, ZMQ_SRCFD) : -1;
    if (zmq_msg_more(frame)) {
        bytes += skip_parts(r);
        *size = 0; /* a message has one frame: the core will say that this is none */
    }
    bool good = whole && route && (route->known || monitor_admit(r->monitor, route, fd));
    if (route && route->connection)
        connections_take(route->connection, bytes);
    if (!good)
        zmq_msg_close(frame);
    return good;
}

/* One message into the batch, if it has a route and is worth it. */
static enum receipt
receive(struct router *r, size_t *count, size_t *bytes)
{
    zmq_msg_t id;
    size_t size;
    zmq_msg_init(&id);
    if (zmq_msg_recv(&id, r->socket, ZMQ_DONTWAIT) < 0) {
        zmq_msg_close(&id);
        return RECEIVED_NONE;
    }
    struct route *route = routes_find(&r->routes, zmq_msg_data(&id), zmq_msg_size(&id));
    bool more = zmq_msg_more(&id);
    zmq_msg_close(&id);
    if (!more)
        return RECEIVED_NOTHING_OF_USE;
    zmq_msg_t *frame = &r->frames[r->frames_count];
    bool fresh = route && !route->known;
    if (!receive_body(r, route, frame, &size)) {
        if (fresh)
            routes_forget(&r->routes, route);
        return route ? RECEIVED : RECEIVED_NOTHING_OF_USE;
    }
    assert(route);
    route->heard = true;
    r->events[(*count)++] = (struct event){
        .kind = EVENT_FRAME, .peer = route->number, .frame = {zmq_msg_data(frame), size}};
    r->frames_count++;
    *bytes += size;
    return RECEIVED;
}

/* What the router itself has to tell. */
static size_t
tell(struct router *r)
{
    size_t count = 0;
    struct route *gone;
    uint32_t number;
    while (count < BATCH_FRAMES / 2 && (gone = routes_take_gone(&r->routes)) != NULL)
        r->events[count++] = (struct event){.kind = EVENT_GONE, .peer = gone->number};
    while (count < BATCH_FRAMES / 2 && monitor_take_alive(r->monitor, &number))
        r->events[count++] = (struct event){.kind = EVENT_ALIVE, .peer = number};
    return count;
}

void
router_drain(struct router *r, struct batch *batch)
{
    size_t bytes = 0, read = 0;
    enum receipt receipt = RECEIVED;
    uint64_t now_ms = clock_ms();
    monitor_hear(r->monitor, now_ms);
    size_t count = tell(r);
    for (size_t n = count; receipt && n < BATCH_FRAMES && bytes < BATCH_BYTES; n++) {
        receipt = receive(r, &count, &bytes);
        read += receipt == RECEIVED;
    }
    bool each = routes_round(&r->routes, read);
    batch->heard = !receipt ? HEARD_ALL : each ? HEARD_EACH : HEARD_SOME;
    batch->events = r->events;
    batch->count = count;
    if (batch->heard != HEARD_SOME) {
        routes_end_round(&r->routes);
        monitor_round(r->monitor);
    }
    monitor_tend(r->monitor, now_ms);
}

void
router_done(struct router *r)
{
    for (uint32_t i = 0; i < r->frames_count; i++)
        zmq_msg_close(&r->frames[i]);
    r->frames_count = 0;
}

static bool
send_frame(struct router *r, const struct route *route, struct slice frame)
{
    if (zmq_send(r->socket, route->id, route->size, ZMQ_SNDMORE | ZMQ_DONTWAIT) < 0)
        return false;
    return zmq_send(r->socket, frame.data, frame.size, ZMQ_DONTWAIT) >= 0;
}

void
router_send(struct router *r, const struct outbox *out)
{
    for (size_t i = 0; i < out->count; i++) {
        const struct outbox_entry *e = &out->entries[i];
        struct route *route = routes_at(&r->routes, e->peer);
        if (!route)
            continue;
        if (e->greeted)
            monitor_greet(r->monitor, route);
        if (e->forget) {
            monitor_forget(r->monitor, route, e->close);
            routes_forget(&r->routes, route);
        } else if (!route->gone && !send_frame(r, route, outbox_frame(out, i))) {
            if (zmq_errno() == EHOSTUNREACH)
                monitor_lost(r->monitor, route);
            routes_mark_gone(&r->routes, route);
        }
    }
}
