/* The ROUTER socket; the contract is in router.h. Plain libzmq, as this is the hot path. Nothing
 * that a peer does may block it: every send is non-blocking, and a peer that does not take its
 * messages is gone.
 */
#include "router.h"
#include "limit.h"
#include "routes.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <zmq.h>

enum {
    BATCH_FRAMES = 8192,
    BATCH_BYTES = 16 << 20,
    HIGH_WATER = 4000, /* messages; credit and windows keep peers far below */
};

struct router {
    void *context, *socket;
    struct routes routes;
    struct event events[BATCH_FRAMES];
    zmq_msg_t frames[BATCH_FRAMES];
    uint32_t frames_count;
    char endpoint[256];
};

static char error_text[512];

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
        {ZMQ_HEARTBEAT_IVL, 2000}, /* half-open connections */
        {ZMQ_HEARTBEAT_TIMEOUT, 6000},
        {ZMQ_HEARTBEAT_TTL, 6000},
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
    for (size_t i = 0; i < o->endpoints_count; i++) {
        if (zmq_bind(r->socket, o->endpoints[i]) == 0)
            continue;
        (void)snprintf(error_text, sizeof error_text, "can't listen at %s: %s", o->endpoints[i],
            zmq_strerror(zmq_errno()));
        return errno == EINVAL || errno == EPROTONOSUPPORT ? STINT_BAD_ENDPOINT : STINT_SYSTEM;
    }
    size_t size = sizeof r->endpoint;
    (void)zmq_getsockopt(r->socket, ZMQ_LAST_ENDPOINT, r->endpoint, &size);
    return STINT_OK;
}

enum stint_status
router_new(const struct router_options *options, struct router **router, const char **error)
{
    struct router *r = calloc(1, sizeof *r);
    if (!r)
        return STINT_NO_MEMORY;
    *error = error_text;
    /* A few more than peers_max, so that the core can refuse the next one in words. */
    routes_init(&r->routes, options->peers_max + 64);
    r->context = zmq_ctx_new();
    r->socket = r->context ? zmq_socket(r->context, ZMQ_ROUTER) : NULL;
    enum stint_status status = STINT_SYSTEM;
    if (!r->socket || !set_options(r->socket, options))
        (void)snprintf(
            error_text, sizeof error_text, "can't make a socket: %s", zmq_strerror(zmq_errno()));
    else
        status = bind_all(r, options);
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

void
router_wait(struct router *r, int other_fd, uint64_t timeout_ms)
{
    zmq_pollitem_t items[] = {
        {.socket = r->socket, .events = ZMQ_POLLIN}, {.fd = other_fd, .events = ZMQ_POLLIN}};
    if (!r->routes.gone)
        (void)zmq_poll(items, 2, (long)timeout_ms);
}

/* Reads the rest of a message that has more parts than one; what it holds is not wanted. */
static void
skip_parts(struct router *r)
{
    zmq_msg_t part;
    int more = 1;
    while (more) {
        zmq_msg_init(&part);
        if (zmq_msg_recv(&part, r->socket, ZMQ_DONTWAIT) < 0)
            more = 0;
        else
            more = zmq_msg_more(&part);
        zmq_msg_close(&part);
    }
}

/* One message into the batch, if it has a route and is worth it. False if none is there. */
static bool
receive(struct router *r, size_t *count, size_t *bytes)
{
    zmq_msg_t id;
    zmq_msg_init(&id);
    if (zmq_msg_recv(&id, r->socket, ZMQ_DONTWAIT) < 0) {
        zmq_msg_close(&id);
        return false;
    }
    struct route *route = routes_find(&r->routes, zmq_msg_data(&id), zmq_msg_size(&id));
    bool more = zmq_msg_more(&id);
    zmq_msg_close(&id);
    if (!more)
        return true;
    zmq_msg_t *frame = &r->frames[r->frames_count];
    zmq_msg_init(frame);
    if (zmq_msg_recv(frame, r->socket, ZMQ_DONTWAIT) < 0 || !route) {
        if (zmq_msg_more(frame))
            skip_parts(r);
        zmq_msg_close(frame);
        return true;
    }
    size_t size = zmq_msg_size(frame);
    if (zmq_msg_more(frame)) {
        skip_parts(r);
        size = 0; /* a message has one frame: the core will say that this is none */
    }
    r->events[(*count)++] = (struct event){
        .kind = EVENT_FRAME, .peer = route->number, .frame = {zmq_msg_data(frame), size}};
    r->frames_count++;
    *bytes += size;
    return true;
}

void
router_drain(struct router *r, struct batch *batch)
{
    size_t count = 0, bytes = 0;
    struct route *gone;
    while (count < BATCH_FRAMES && (gone = routes_take_gone(&r->routes)) != NULL)
        r->events[count++] = (struct event){.kind = EVENT_GONE, .peer = gone->number};
    bool all = false;
    for (size_t n = count; !all && n < BATCH_FRAMES && bytes < BATCH_BYTES; n++)
        all = !receive(r, &count, &bytes);
    bool each = routes_round(&r->routes, r->frames_count);
    batch->heard = all ? HEARD_ALL : each ? HEARD_EACH : HEARD_SOME;
    batch->events = r->events;
    batch->count = count;
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
        if (e->forget)
            routes_forget(&r->routes, route);
        else if (!route->gone && !send_frame(r, route, outbox_frame(out, i)))
            routes_mark_gone(&r->routes, route);
    }
}
