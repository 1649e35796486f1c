/* The DEALER socket under a session; the contract is in link.h. */
#include "link.h"

#include <poll.h>
#include <stdlib.h>
#include <sys/random.h>
#include <time.h>
#include <zmq.h>

enum { FRAMES_A_PUMP = 1024, FDS_MAX = 4 };

struct link {
    void *context, *socket;
    char endpoint[256];
    struct session *session;
    struct message_room *room;
};

uint64_t
link_now_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

void
link_random(void *to, size_t bytes)
{
    if (getrandom(to, bytes, 0) != (ssize_t)bytes)
        abort();
}

/* IMMEDIATE: frames wait in the session, which knows what became of them, not in a socket that is
 * not connected. */
static enum stint_status
open_socket(struct link *l)
{
    static const struct {
        int option, value;
    } options[] = {{ZMQ_LINGER, 0}, {ZMQ_IMMEDIATE, 1}, {ZMQ_SNDHWM, 1000}, {ZMQ_RCVHWM, 20000},
        {ZMQ_RECONNECT_IVL, 50}, {ZMQ_RECONNECT_IVL_MAX, 1000}, {ZMQ_CONNECT_TIMEOUT, 3000},
        {ZMQ_HEARTBEAT_IVL, 2000}, {ZMQ_HEARTBEAT_TIMEOUT, 6000}, {ZMQ_HEARTBEAT_TTL, 6000}};
    int64_t message_bytes = LIMIT_MESSAGE_BYTES;
    int ipv6 = strchr(l->endpoint, '[') != NULL;
    l->socket = zmq_socket(l->context, ZMQ_DEALER);
    if (!l->socket)
        return STINT_SYSTEM;
    for (size_t i = 0; i < sizeof options / sizeof *options; i++)
        (void)zmq_setsockopt(l->socket, options[i].option, &options[i].value, sizeof(int));
    (void)zmq_setsockopt(l->socket, ZMQ_IPV6, &ipv6, sizeof ipv6);
    (void)zmq_setsockopt(l->socket, ZMQ_MAXMSGSIZE, &message_bytes, sizeof message_bytes);
    return zmq_connect(l->socket, l->endpoint) == 0 ? STINT_OK : STINT_BAD_ENDPOINT;
}

enum stint_status
link_new(const char *endpoint, struct session *session, struct link **out)
{
    struct link *l = calloc(1, sizeof *l);
    if (!l)
        return STINT_NO_MEMORY;
    enum stint_status status = STINT_BAD_ENDPOINT;
    l->session = session;
    l->room = calloc(1, sizeof *l->room);
    l->context = zmq_ctx_new();
    if (!l->room || !l->context)
        status = STINT_NO_MEMORY;
    else if (strlen(endpoint) < sizeof l->endpoint) {
        memcpy(l->endpoint, endpoint, strlen(endpoint) + 1);
        status = open_socket(l);
    }
    if (status != STINT_OK)
        link_destroy(&l, 0);
    *out = l;
    return status;
}

static void
close_socket(struct link *l, int linger_ms)
{
    if (!l->socket)
        return;
    (void)zmq_setsockopt(l->socket, ZMQ_LINGER, &linger_ms, sizeof linger_ms);
    zmq_close(l->socket);
    l->socket = NULL;
}

void
link_destroy(struct link **link, int linger_ms)
{
    struct link *l = *link;
    if (!l)
        return;
    close_socket(l, linger_ms);
    if (l->context)
        zmq_ctx_term(l->context);
    free(l->room);
    free(l);
    *link = NULL;
}

struct message_room *
link_room(struct link *l)
{
    return l->room;
}

int
link_fd(const struct link *l)
{
    int fd = -1;
    size_t size = sizeof fd;
    if (l->socket)
        (void)zmq_getsockopt(l->socket, ZMQ_FD, &fd, &size);
    return fd;
}

static void
send_all(struct link *l, bool hold)
{
    for (;;) {
        struct slice frame = session_output(l->session, hold);
        if (frame.size == 0 || zmq_send(l->socket, frame.data, frame.size, ZMQ_DONTWAIT) < 0)
            return;
        session_sent(l->session);
    }
}

static void
receive_all(struct link *l, uint64_t now_ms,
    void (*take)(void *owner, const struct message *message), void *owner)
{
    for (unsigned n = 0; n < FRAMES_A_PUMP; n++) {
        struct message message;
        zmq_msg_t frame;
        zmq_msg_init(&frame);
        if (zmq_msg_recv(&frame, l->socket, ZMQ_DONTWAIT) < 0) {
            zmq_msg_close(&frame);
            return;
        }
        if (session_receive(
                l->session, now_ms, zmq_msg_data(&frame), zmq_msg_size(&frame), &message, l->room))
            take(owner, &message);
        zmq_msg_close(&frame);
    }
}

enum stint_status
link_pump(struct link *l, uint64_t now_ms, bool hold,
    void (*take)(void *owner, const struct message *message), void *owner)
{
    receive_all(l, now_ms, take, owner);
    session_tick(l->session, now_ms);
    if (l->session->reconnect) {
        l->session->reconnect = false;
        if (l->session->endpoint[0]) {
            memcpy(l->endpoint, l->session->endpoint, sizeof l->endpoint);
            l->session->endpoint[0] = '\0';
        }
        close_socket(l, 0);
        enum stint_status status = open_socket(l);
        if (status != STINT_OK)
            return status;
    }
    send_all(l, hold);
    return STINT_OK;
}

void
link_wait(struct link *l, const int *fds, unsigned fds_count, uint64_t until_ms)
{
    zmq_pollitem_t items[1 + FDS_MAX];
    uint64_t now_ms = link_now_ms(), wake_ms = session_wake_ms(l->session);
    bool waiting = session_output(l->session, false).size > 0;
    if (wake_ms < until_ms)
        until_ms = wake_ms;
    items[0] = (zmq_pollitem_t){
        .socket = l->socket, .events = (short)(ZMQ_POLLIN | (waiting ? ZMQ_POLLOUT : 0))};
    for (unsigned i = 0; i < fds_count && i < FDS_MAX; i++)
        items[1 + i] = (zmq_pollitem_t){.fd = fds[i], .events = ZMQ_POLLIN};
    uint64_t sleep_ms = until_ms > now_ms ? until_ms - now_ms : 0;
    (void)zmq_poll(items, (int)(1 + fds_count), sleep_ms > 60000 ? 60000 : (long)sleep_ms);
}
