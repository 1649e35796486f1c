/* The DEALER socket in libzmq; the contract is in wire.h. */
#include "wire.h"
#include "endpoint.h"
#include "greeting.h"
#include "limit.h"
#include "now.h"

#include <linux/sockios.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <zmq.h>

struct wire {
    void *context, *socket;
    void *monitor; /* tells of handshakes that failed */
    char endpoint[ENDPOINT_BYTES];
    struct greeting *greeting; /* asked for when a handshake has failed, and nobody said why */
    unsigned failed_since; /* so often more did, while it was asked for */
    uint64_t opened; /* so many times */
    bool by_keys, heard; /* heard: a frame has come */
    zmq_msg_t frame; /* the last one received */
    /* What the connection is under, once a frame has come over it. libzmq may close the descriptor
     * at any time, and the process use it for something else: the cookie is given only once. */
    int fd;
    uint64_t cookie; /* 0: not known */
    uint64_t received, acked; /* bytes, at the last look */
    uint64_t progress;
};

enum {
    ASKED_AGAIN = 4, /* after so many failed handshakes */
    WAITING_BYTES = 4096,
    LIFE_BYTES = 1000, /* fewer may be ZeroMQ's own heartbeats */
};

uint64_t
wire_now_us(void)
{
    return clock_us();
}

uint64_t
wire_wall_ms(void)
{
    return clock_wall_ms();
}

void
wire_random(void *to, size_t bytes)
{
    if (getrandom(to, bytes, 0) != (ssize_t)bytes)
        abort();
}

struct wire *
wire_new(void)
{
    struct wire *w = calloc(1, sizeof *w);
    if (!w)
        return NULL;
    zmq_msg_init(&w->frame);
    w->context = zmq_ctx_new();
    if (!w->context)
        wire_destroy(&w);
    return w;
}

static bool
set_keys(struct wire *w, const struct wire_target *t)
{
    return !t->broker_key ||
        (zmq_setsockopt(w->socket, ZMQ_CURVE_SERVERKEY, t->broker_key, strlen(t->broker_key) + 1) ==
                0 &&
            zmq_setsockopt(
                w->socket, ZMQ_CURVE_PUBLICKEY, t->public_key, strlen(t->public_key) + 1) == 0 &&
            zmq_setsockopt(
                w->socket, ZMQ_CURVE_SECRETKEY, t->secret_key, strlen(t->secret_key) + 1) == 0);
}

/* Without one we would only be silent about why there is no conversation. */
static void
open_monitor(struct wire *w)
{
    char endpoint[64]; /* another one each time: libzmq gives a name back only some time after */
    int events = ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL | ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL |
        ZMQ_EVENT_HANDSHAKE_FAILED_AUTH;
    int none = 0;
    (void)snprintf(
        endpoint, sizeof endpoint, "inproc://handshakes-%llu", (unsigned long long)++w->opened);
    if (zmq_socket_monitor(w->socket, endpoint, events) != 0)
        return;
    w->monitor = zmq_socket(w->context, ZMQ_PAIR);
    if (w->monitor &&
        (zmq_setsockopt(w->monitor, ZMQ_LINGER, &none, sizeof none) != 0 ||
            zmq_connect(w->monitor, endpoint) != 0)) {
        zmq_close(w->monitor);
        w->monitor = NULL;
    }
}

static const char differ[] = "one side speaks by keys and the other does not, or it is no broker";
static const char other_key[] =
    "the handshake failed; the broker's key may be another one, or it asks for none";

/* Reads what the monitor has told: an event is a frame of its number and a value, then one of the
 * address. Why a handshake failed, if it was said, and whether one did of which nobody said why. */
static const char *
read_events(struct wire *w, bool *unexplained)
{
    const char *why = NULL;
    uint8_t bytes[8];
    char address[512];
    int size;
    while (w->monitor && (size = zmq_recv(w->monitor, bytes, sizeof bytes, ZMQ_DONTWAIT)) >= 0) {
        uint16_t event = 0;
        (void)zmq_recv(w->monitor, address, sizeof address, ZMQ_DONTWAIT);
        if (size == 6)
            memcpy(&event, bytes, sizeof event);
        if (event == ZMQ_EVENT_HANDSHAKE_FAILED_AUTH)
            why = "the broker does not know our key";
        else if (event == ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL)
            why = differ;
        else if (event)
            *unexplained = true;
    }
    return why;
}

/* Of a handshake that failed without a word the greeting tells more. While that is asked for, one
 * by keys is not given up: only the second time in vain. libzmq does not tell of each connection
 * that came to nothing: what is not answered is asked again. */
const char *
wire_refusal(struct wire *w, bool *final)
{
    bool unexplained = false, asked = w->greeting != NULL;
    const char *why = read_events(w, &unexplained);
    *final = why != NULL;
    if (unexplained && asked && ++w->failed_since == ASKED_AGAIN)
        greeting_end(&w->greeting);
    if (unexplained && !w->greeting) {
        w->greeting = greeting_ask(w->context, w->endpoint);
        w->failed_since = 0;
    }
    enum greeting_said said = w->greeting ? greeting_look(w->greeting) : GREETING_NOTHING;
    bool answered = said != GREETING_NOTHING;
    if (answered)
        greeting_end(&w->greeting);
    if (said == (w->by_keys ? GREETING_OPEN : GREETING_KEYS)) {
        *final = true;
        return differ;
    }
    if (!why && w->by_keys && (answered || (unexplained && (asked || !w->greeting))))
        why = other_key;
    return why;
}

/* IMMEDIATE: frames wait in the session, which knows what became of them, not in a socket that is
 * not connected. No heartbeats of ZeroMQ's: they queue behind a large frame, and cut off a slow
 * link in the middle of it; the session judges, and knows that bytes move. */
enum stint_status
wire_open(struct wire *w, const struct wire_target *target)
{
    static const struct {
        int option, value;
    } options[] = {{ZMQ_LINGER, 0}, {ZMQ_IMMEDIATE, 1}, {ZMQ_SNDHWM, 1000}, {ZMQ_RCVHWM, 20000},
        {ZMQ_RECONNECT_IVL, 50}, {ZMQ_RECONNECT_IVL_MAX, 1000}, {ZMQ_CONNECT_TIMEOUT, 3000}};
    int64_t message_bytes = LIMIT_MESSAGE_BYTES + (target->broker_key ? LIMIT_SEAL_BYTES : 0);
    struct endpoint e;
    const char *why, *endpoint = target->endpoint;
    wire_close(w, 0);
    if (!endpoint_parse(endpoint, ENDPOINT_CONNECT, &e, &why))
        return STINT_BAD_ENDPOINT;
    int ipv6 = strchr(endpoint, '[') != NULL;
    w->socket = zmq_socket(w->context, ZMQ_DEALER);
    if (!w->socket)
        return STINT_SYSTEM;
    for (size_t i = 0; i < sizeof options / sizeof *options; i++)
        (void)zmq_setsockopt(w->socket, options[i].option, &options[i].value, sizeof(int));
    (void)zmq_setsockopt(w->socket, ZMQ_IPV6, &ipv6, sizeof ipv6);
    (void)zmq_setsockopt(w->socket, ZMQ_MAXMSGSIZE, &message_bytes, sizeof message_bytes);
    if (!set_keys(w, target)) {
        wire_close(w, 0);
        return STINT_BAD_KEY;
    }
    (void)snprintf(w->endpoint, sizeof w->endpoint, "%s", endpoint);
    w->by_keys = target->broker_key != NULL;
    w->heard = false;
    open_monitor(w);
    return zmq_connect(w->socket, endpoint) == 0 ? STINT_OK : STINT_BAD_ENDPOINT;
}

void
wire_close(struct wire *w, int linger_ms)
{
    if (!w->socket)
        return;
    (void)zmq_setsockopt(w->socket, ZMQ_LINGER, &linger_ms, sizeof linger_ms);
    if (w->monitor) {
        (void)zmq_socket_monitor(w->socket, NULL, 0);
        zmq_close(w->monitor);
        w->monitor = NULL;
    }
    greeting_end(&w->greeting);
    zmq_close(w->socket);
    w->socket = NULL;
    w->cookie = 0;
}

void
wire_destroy(struct wire **wire)
{
    struct wire *w = *wire;
    if (!w)
        return;
    wire_close(w, 0);
    zmq_msg_close(&w->frame);
    if (w->context)
        zmq_ctx_term(w->context);
    free(w);
    *wire = NULL;
}

bool
wire_send(struct wire *w, struct slice frame)
{
    return zmq_send(w->socket, frame.data, frame.size, ZMQ_DONTWAIT) >= 0;
}

static uint64_t
cookie_of(int fd)
{
    uint64_t cookie = 0;
    socklen_t size = sizeof cookie;
    return getsockopt(fd, SOL_SOCKET, SO_COOKIE, &cookie, &size) == 0 ? cookie : 0;
}

bool
wire_receive(struct wire *w, struct slice *frame)
{
    if (zmq_msg_recv(&w->frame, w->socket, ZMQ_DONTWAIT) < 0)
        return false;
    w->heard = true;
    if (w->cookie == 0) {
        w->fd = zmq_msg_get(&w->frame, ZMQ_SRCFD);
        w->cookie = cookie_of(w->fd);
        w->received = w->acked = 0;
    }
    *frame = (struct slice){zmq_msg_data(&w->frame), zmq_msg_size(&w->frame)};
    return true;
}

/* What the other side's kernel acknowledged counts only while much more is on its way: it also
 * acknowledges the PINGs to a broker that hangs. */
uint64_t
wire_progress(struct wire *w)
{
    struct tcp_info info;
    socklen_t size = sizeof info;
    int waiting = 0;
    if (w->cookie == 0)
        return w->progress;
    if (cookie_of(w->fd) != w->cookie) {
        w->cookie = 0; /* libzmq has connected anew; the next frame tells where */
        return w->progress;
    }
    if (getsockopt(w->fd, IPPROTO_TCP, TCP_INFO, &info, &size) != 0 ||
        size < offsetof(struct tcp_info, tcpi_bytes_received) + sizeof info.tcpi_bytes_received)
        return w->progress; /* nobody counts */
    if (info.tcpi_bytes_received >= w->received + LIFE_BYTES ||
        (info.tcpi_bytes_acked != w->acked && ioctl(w->fd, SIOCOUTQ, &waiting) == 0 &&
            waiting >= WAITING_BYTES))
        w->progress++;
    if (info.tcpi_bytes_received >= w->received + LIFE_BYTES)
        w->received = info.tcpi_bytes_received;
    w->acked = info.tcpi_bytes_acked;
    return w->progress;
}

int
wire_fd(const struct wire *w)
{
    int fd = -1;
    size_t size = sizeof fd;
    if (w->socket)
        (void)zmq_getsockopt(w->socket, ZMQ_FD, &fd, &size);
    return fd;
}

void
wire_wait(struct wire *w, const int *fds, unsigned fds_count, bool sends, uint64_t until_ms)
{
    enum { FDS_USUAL = 6, OURS = 3 };
    zmq_pollitem_t usual[OURS + FDS_USUAL], *items = usual;
    uint64_t now_ms = wire_now_ms();
    unsigned count = 1 + fds_count;
    if (fds_count > FDS_USUAL && !(items = calloc(OURS + fds_count, sizeof *items)))
        abort();
    items[0] = (zmq_pollitem_t){
        .socket = w->socket, .events = (short)(ZMQ_POLLIN | (sends ? ZMQ_POLLOUT : 0))};
    for (unsigned i = 0; i < fds_count; i++)
        items[1 + i] = (zmq_pollitem_t){.fd = fds[i], .events = ZMQ_POLLIN};
    if (w->monitor && !w->heard)
        items[count++] = (zmq_pollitem_t){.socket = w->monitor, .events = ZMQ_POLLIN};
    if (w->greeting && !w->heard)
        items[count++] =
            (zmq_pollitem_t){.socket = greeting_socket(w->greeting), .events = ZMQ_POLLIN};
    uint64_t sleep_ms = until_ms > now_ms ? until_ms - now_ms : 0;
    (void)zmq_poll(items, (int)count, sleep_ms > 60000 ? 60000 : (long)sleep_ms);
    if (items != usual)
        free(items);
}
