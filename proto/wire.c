/* The DEALER socket in libzmq; the contract is in wire.h. */
#include "wire.h"
#include "limit.h"

#include <stdlib.h>
#include <sys/random.h>
#include <time.h>
#include <zmq.h>

enum { FDS_MAX = 4 };

struct wire {
    void *context, *socket;
    zmq_msg_t frame; /* the last one received */
};

uint64_t
wire_now_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
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

/* IMMEDIATE: frames wait in the session, which knows what became of them, not in a socket that is
 * not connected. */
enum stint_status
wire_open(struct wire *w, const char *endpoint)
{
    static const struct {
        int option, value;
    } options[] = {{ZMQ_LINGER, 0}, {ZMQ_IMMEDIATE, 1}, {ZMQ_SNDHWM, 1000}, {ZMQ_RCVHWM, 20000},
        {ZMQ_RECONNECT_IVL, 50}, {ZMQ_RECONNECT_IVL_MAX, 1000}, {ZMQ_CONNECT_TIMEOUT, 3000},
        {ZMQ_HEARTBEAT_IVL, 2000}, {ZMQ_HEARTBEAT_TIMEOUT, 6000}, {ZMQ_HEARTBEAT_TTL, 6000}};
    int64_t message_bytes = LIMIT_MESSAGE_BYTES;
    int ipv6 = strchr(endpoint, '[') != NULL;
    wire_close(w, 0);
    w->socket = zmq_socket(w->context, ZMQ_DEALER);
    if (!w->socket)
        return STINT_SYSTEM;
    for (size_t i = 0; i < sizeof options / sizeof *options; i++)
        (void)zmq_setsockopt(w->socket, options[i].option, &options[i].value, sizeof(int));
    (void)zmq_setsockopt(w->socket, ZMQ_IPV6, &ipv6, sizeof ipv6);
    (void)zmq_setsockopt(w->socket, ZMQ_MAXMSGSIZE, &message_bytes, sizeof message_bytes);
    return zmq_connect(w->socket, endpoint) == 0 ? STINT_OK : STINT_BAD_ENDPOINT;
}

void
wire_close(struct wire *w, int linger_ms)
{
    if (!w->socket)
        return;
    (void)zmq_setsockopt(w->socket, ZMQ_LINGER, &linger_ms, sizeof linger_ms);
    zmq_close(w->socket);
    w->socket = NULL;
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

bool
wire_receive(struct wire *w, struct slice *frame)
{
    if (zmq_msg_recv(&w->frame, w->socket, ZMQ_DONTWAIT) < 0)
        return false;
    *frame = (struct slice){zmq_msg_data(&w->frame), zmq_msg_size(&w->frame)};
    return true;
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
    zmq_pollitem_t items[1 + FDS_MAX];
    uint64_t now_ms = wire_now_ms();
    items[0] = (zmq_pollitem_t){
        .socket = w->socket, .events = (short)(ZMQ_POLLIN | (sends ? ZMQ_POLLOUT : 0))};
    for (unsigned i = 0; i < fds_count && i < FDS_MAX; i++)
        items[1 + i] = (zmq_pollitem_t){.fd = fds[i], .events = ZMQ_POLLIN};
    uint64_t sleep_ms = until_ms > now_ms ? until_ms - now_ms : 0;
    (void)zmq_poll(items, (int)(1 + fds_count), sleep_ms > 60000 ? 60000 : (long)sleep_ms);
}
