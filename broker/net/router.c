/* The ROUTER socket; the contract is in router.h. Plain libzmq, as this is the hot path. Nothing
 * that a peer does may block it: every send is non-blocking, and a peer that does not take its
 * messages is gone.
 */
#include "router.h"
#include "endpoint.h"
#include "listen.h"
#include "log.h"
#include "monitor.h"
#include "now.h"
#include "zap.h"

#include <assert.h>
#include <limits.h>
#include <poll.h>
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
    TEND_MS = 50,
    COMPLAIN_MS = 10000,
    SWEEP_MS = 2000, /* connections of a listener that stopped have ended after so long */
    ENDING_MS = 5, /* a connection is over: how soon to look for its last words */
};

/* The keys, and what a new one of the broker's own makes to be done. */
struct security {
    struct keys *keys; /* NULL: nobody is asked for one */
    bool for_all;
    struct zap *zap;
    uint64_t sweep_until_ms; /* connections end in silence, until then */
    uint64_t tend_ms, complain_ms; /* not before */
    size_t unbound; /* listeners that could not be bound again yet */
};

struct router {
    void *context, *socket;
    int fd; /* readable when libzmq has something to do, which need not be a message */
    bool monitor_told; /* there may be something to hear of it */
    struct security security;
    struct monitor *monitor;
    struct listener listeners[LISTENERS_MAX];
    size_t listeners_count;
    struct routes routes;
    struct event events[BATCH_FRAMES];
    zmq_msg_t frames[BATCH_FRAMES];
    uint32_t frames_count;
    char endpoint[256];
};

static _Thread_local char error_text[LISTEN_ERROR_BYTES];

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
    for (size_t i = 0; i < sizeof options / sizeof *options; i++)
        if (zmq_setsockopt(socket, options[i].option, &options[i].value, sizeof(int)) != 0)
            return false;
    return true;
}

/* Is whoever connects there asked for a key? */
static bool
is_secure(const struct security *s, const char *endpoint)
{
    return s->keys && (s->for_all || !endpoint_text_is_local(endpoint, ENDPOINT_BIND));
}

/* A peer may say who it is itself, unless it has been said before: so all have a domain. */
static struct listen_security
security_at(const struct security *s, bool secure)
{
    struct listen_security security = {0};
    if (s->keys)
        security.domain = secure ? ZAP_DOMAIN_KEYS : ZAP_DOMAIN_LOCAL;
    if (secure)
        security.secret_key = keys_broker(s->keys)->secret_key;
    return security;
}

static enum stint_status
bind_all(struct router *r, const struct router_options *o)
{
    assert(o->endpoints_count <= LISTENERS_MAX);
    for (size_t i = 0; i < o->endpoints_count; i++) {
        const struct listen_security security =
            security_at(&r->security, is_secure(&r->security, o->endpoints[i]));
        enum stint_status status =
            listen_at(r->socket, o->endpoints[i], &security, o->held, &r->listeners[i], error_text);
        if (status != STINT_OK)
            return status;
        r->listeners_count++;
        size_t size = sizeof r->endpoint;
        if (i == 0)
            (void)zmq_getsockopt(r->socket, ZMQ_LAST_ENDPOINT, r->endpoint, &size);
    }
    return STINT_OK;
}

/* libzmq draws from rand(), which nobody seeds: its first routing id would be known to all. In
 * somebody else's process that is left as it is. */
static void
seed_libzmq(void)
{
    unsigned seed;
    if (getrandom(&seed, sizeof seed, 0) == sizeof seed)
        srand(seed);
}

/* Before anything is bound: without it, libzmq would let every key in. */
static bool
ask_for_keys(struct router *r, const struct router_options *o)
{
    int enforce = 1;
    if (!o->keys)
        return true;
    assert(keys_broker(o->keys));
    r->security.keys = o->keys;
    r->security.for_all = o->keys_for_all;
    r->security.zap = zap_new(r->context, keys_find, o->keys);
    return r->security.zap &&
        zmq_setsockopt(r->socket, ZAP_ENFORCE_DOMAIN, &enforce, sizeof enforce) == 0;
}

static bool
open_socket(struct router *r, const struct router_options *o)
{
    if (!o->shared_process)
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
    size_t size = sizeof r->fd;
    return r->monitor != NULL && zmq_getsockopt(r->socket, ZMQ_FD, &r->fd, &size) == 0 &&
        ask_for_keys(r, o);
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
    zap_destroy(&r->security.zap);
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

static bool
has_message(struct router *r)
{
    int events = 0;
    size_t size = sizeof events;
    return zmq_getsockopt(r->socket, ZMQ_EVENTS, &events, &size) != 0 || events & ZMQ_POLLIN;
}

/* Looks at connections are no reason to return, unless the core is to hear of one. Not zmq_poll:
 * it asks every socket twice, which is most of what a step of one message costs. */
void
router_wait(struct router *r, int other_fd, uint64_t timeout_ms)
{
    enum { ROUTER, MONITOR, OTHER, ITEMS };
    struct pollfd items[ITEMS] = {[ROUTER] = {.fd = r->fd, .events = POLLIN},
        [MONITOR] = {.fd = monitor_fd(r->monitor), .events = POLLIN},
        [OTHER] = {.fd = other_fd, .events = POLLIN}};
    bool waits = r->security.keys && keys_wait(r->security.keys);
    uint64_t now_ms = clock_ms(), until_ms = now_ms + (waits ? 0 : timeout_ms);
    r->monitor_told = true;
    /* What was sent since may have taken the descriptor's word for what came. */
    while (!r->routes.gone && !monitor_has_alive(r->monitor) && !has_message(r)) {
        uint64_t sleep_ms = until_ms > now_ms ? until_ms - now_ms : 0;
        uint64_t idle_ms = monitor_idle_ms(r->monitor, now_ms);
        if (r->routes.ending)
            idle_ms = ENDING_MS;
        bool last = sleep_ms <= idle_ms;
        uint64_t most_ms = last ? sleep_ms : idle_ms;
        int ready = poll(items, ITEMS, most_ms < INT_MAX ? (int)most_ms : INT_MAX);
        r->monitor_told = ready < 0 || items[MONITOR].revents;
        bool message = items[ROUTER].revents && has_message(r);
        bool nothing = ready == 1 && items[ROUTER].revents && !message;
        if (ready < 0 || message || items[OTHER].revents || r->routes.ending || (last && !nothing))
            return;
        now_ms = clock_ms();
        monitor_round(r->monitor); /* there was nothing to be read */
        monitor_hear(r->monitor, now_ms, r->monitor_told);
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

/* Who it is that speaks for the first time, as was found when its connection began. */
static bool
identify(const struct security *s, struct route *route, zmq_msg_t *frame)
{
    if (!s->keys)
        return true;
    if (!zap_user(zmq_msg_gets(frame, "User-Id"), &route->key))
        return false;
    route->grant = route->key ? keys_grant(s->keys, route->key) : NULL;
    route->barred = route->key && !route->grant;
    return true;
}

static bool
admit(struct router *r, struct route *route, zmq_msg_t *frame)
{
    int fd = zmq_msg_get(frame, ZMQ_SRCFD);
    return identify(&r->security, route, frame) && monitor_admit(r->monitor, route, fd);
}

/* The second frame of a message; the rest is skipped. False if it is not to be heard. */
static bool
receive_body(struct router *r, struct route *route, zmq_msg_t *frame, size_t *size)
{
    zmq_msg_init(frame);
    bool whole = zmq_msg_recv(frame, r->socket, ZMQ_DONTWAIT) >= 0;
    size_t bytes = *size = zmq_msg_size(frame);
    if (zmq_msg_more(frame)) {
        bytes += skip_parts(r);
        *size = 0; /* a message has one frame: the core will say that this is none */
    }
    bool good = whole && route && (route->known || admit(r, route, frame)) && !route->barred;
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
    r->events[(*count)++] = (struct event){.kind = EVENT_FRAME,
        .peer = route->number,
        .frame = {zmq_msg_data(frame), size},
        .grant = route->grant};
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

/* Whoever has a key that grants this no more is not heard from now on. */
static void
revoke_all(struct router *r)
{
    for (uint32_t i = 0; i < r->routes.count; i++) {
        struct route *route = r->routes.all[i];
        if (!route->used || !route->key || route->barred ||
            keys_grant(r->security.keys, route->key) == route->grant)
            continue;
        route->barred = true;
        route->grant = NULL;
        monitor_revoke(r->monitor, route);
        routes_mark_gone(&r->routes, route); /* it may be already */
    }
    keys_drop(r->security.keys);
}

/* With the broker's key as it is now. Its address may not be free at once. */
static void
bind_again(struct router *r, uint64_t now_ms)
{
    const struct listen_security security = security_at(&r->security, true);
    r->security.unbound = 0;
    for (size_t i = 0; i < r->listeners_count; i++) {
        struct listener *l = &r->listeners[i];
        char endpoint[sizeof l->bound];
        if (!l->secure || !l->stopped)
            continue;
        memcpy(endpoint, l->bound, sizeof endpoint);
        if (listen_at(r->socket, endpoint, &security, l->held, l, error_text) == STINT_OK)
            continue;
        memcpy(l->bound, endpoint, sizeof endpoint);
        l->secure = l->stopped = true;
        if (r->security.unbound++ == 0 && now_ms >= r->security.complain_ms) {
            log_event(LOG_LEVEL_ERROR, "can't listen with the new key yet",
                LOG_FIELDS(LOG_TEXT("error", error_text)));
            r->security.complain_ms = now_ms + COMPLAIN_MS;
        }
    }
}

static void
change_key(struct router *r, uint64_t now_ms)
{
    for (size_t i = 0; i < r->listeners_count; i++)
        if (r->listeners[i].secure && !r->listeners[i].stopped)
            listen_stop(r->socket, &r->listeners[i]);
    r->security.sweep_until_ms = now_ms + SWEEP_MS;
    r->security.complain_ms = now_ms + SWEEP_MS; /* its address may not be free at once */
    bind_again(r, now_ms);
    log_event(LOG_LEVEL_INFO, "the broker has a new key; its peers connect anew",
        LOG_FIELDS(LOG_NUMBER("audit", 1)));
}

static void
tend_keys(struct router *r, uint64_t now_ms)
{
    struct security *s = &r->security;
    if (!s->keys)
        return;
    unsigned changed = keys_take(s->keys);
    if (changed & KEYS_CHANGED)
        revoke_all(r);
    if (changed & KEYS_BROKER_CHANGED)
        change_key(r, now_ms);
    if (changed & KEYS_LOOKED)
        log_event(LOG_LEVEL_INFO, "has looked at the keys", NULL);
    if (now_ms < s->tend_ms)
        return;
    s->tend_ms = now_ms + TEND_MS;
    if (s->unbound)
        bind_again(r, now_ms);
    if (s->sweep_until_ms) {
        monitor_sweep(r->monitor);
        if (now_ms >= s->sweep_until_ms)
            s->sweep_until_ms = 0;
    }
}

int
router_listening(const struct router *r)
{
    return r->listeners_count > 0 ? r->listeners[0].fd : -1;
}

void
router_look_at_keys(struct router *r)
{
    if (r->security.keys)
        keys_ask(r->security.keys);
}

void
router_drain(struct router *r, struct batch *batch)
{
    size_t bytes = 0, read = 0;
    enum receipt receipt = RECEIVED;
    uint64_t now_ms = clock_ms();
    tend_keys(r, now_ms);
    monitor_hear(r->monitor, now_ms, r->monitor_told);
    r->monitor_told = true; /* unless it is asked before the next */
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
