/* ZMTP by hand; the contract is in zmtp.h. */
#include "zmtp.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { GREETING_BYTES = 64, READ_BYTES = 4096, MORE = 1, LONG = 2, COMMAND = 4 };

static const uint8_t greeting[GREETING_BYTES] = {
    0xff, 0, 0, 0, 0, 0, 0, 0, 1, 0x7f, 3, 0, 'N', 'U', 'L', 'L'};

/* A command READY with one property. */
static const uint8_t ready[] = {COMMAND, 28, 5, 'R', 'E', 'A', 'D', 'Y', 11, 'S', 'o', 'c', 'k',
    'e', 't', '-', 'T', 'y', 'p', 'e', 0, 0, 0, 6, 'D', 'E', 'A', 'L', 'E', 'R'};

static void
put(struct pack_buffer *b, const void *bytes, size_t size)
{
    memcpy(pack_reserve(b, size), bytes, size);
}

static void
look_for(struct zmtp *z, int epoll, void *owner, int operation, uint32_t writes)
{
    struct epoll_event e = {.events = EPOLLIN | writes, .data.ptr = owner};
    if (operation == EPOLL_CTL_MOD && z->writes == writes)
        return;
    z->writes = writes;
    (void)epoll_ctl(epoll, operation, z->fd, &e);
}

bool
zmtp_connect(struct zmtp *z, int epoll, void *owner, uint16_t port)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(port)};
    int on = 1;
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    zmtp_close(z);
    z->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (z->fd < 0)
        return false;
    (void)setsockopt(z->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (connect(z->fd, (struct sockaddr *)&a, sizeof a) != 0 && errno != EINPROGRESS) {
        zmtp_close(z);
        return false;
    }
    put(&z->out, greeting, sizeof greeting);
    put(&z->out, ready, sizeof ready);
    look_for(z, epoll, owner, EPOLL_CTL_ADD, EPOLLOUT);
    return true;
}

void
zmtp_close(struct zmtp *z)
{
    if (z->fd >= 0)
        close(z->fd);
    pack_buffer_free(&z->in);
    pack_buffer_free(&z->out);
    *z = (struct zmtp){.fd = -1};
}

bool
zmtp_flush(struct zmtp *z, int epoll, void *owner)
{
    size_t sent = 0;
    while (z->fd >= 0 && sent < z->out.used) {
        ssize_t n = send(z->fd, z->out.data + sent, z->out.used - sent, MSG_NOSIGNAL);
        if (n < 0 && (errno == EAGAIN || errno == ENOTCONN))
            break;
        if (n <= 0)
            return false;
        sent += (size_t)n;
    }
    if (sent > 0)
        memmove(z->out.data, z->out.data + sent, z->out.used - sent);
    z->out.used -= sent;
    if (z->fd >= 0)
        look_for(z, epoll, owner, EPOLL_CTL_MOD, z->out.used ? EPOLLOUT : 0);
    return true;
}

bool
zmtp_turn(struct zmtp *z, int epoll, void *owner)
{
    ssize_t n;
    if (z->taken > 0)
        memmove(z->in.data, z->in.data + z->taken, z->in.used - z->taken);
    z->in.used -= z->taken;
    z->taken = 0;
    do {
        uint8_t *to = pack_reserve(&z->in, READ_BYTES);
        n = recv(z->fd, to, READ_BYTES, 0);
        z->in.used -= READ_BYTES - (size_t)(n > 0 ? n : 0);
    } while (n == READ_BYTES);
    if (n == 0 || (n < 0 && errno != EAGAIN))
        return false;
    return zmtp_flush(z, epoll, owner);
}

/* A frame: flags, size (one byte or eight), body. */
static bool
next_frame(struct zmtp *z, uint8_t *flags)
{
    const uint8_t *at = z->in.data + z->taken;
    size_t left = z->in.used - z->taken, head = 2;
    if (left < head)
        return false;
    uint64_t size = at[1];
    if (at[0] & LONG) {
        head = 9;
        if (left < head)
            return false;
        size = 0;
        for (unsigned i = 1; i < head; i++)
            size = size << 8 | at[i];
    }
    if (left - head < size)
        return false;
    *flags = at[0];
    z->frame = (struct slice){at + head, size};
    z->taken += head + size;
    return true;
}

bool
zmtp_next(struct zmtp *z, struct slice *frame)
{
    uint8_t flags;
    if (!z->greeted) {
        if (z->in.used < GREETING_BYTES)
            return false;
        z->greeted = true;
        z->taken = GREETING_BYTES;
    }
    while (next_frame(z, &flags)) {
        if (flags & COMMAND) {
            z->open |= z->frame.size > 6 && memcmp(z->frame.data, ready + 2, 6) == 0;
            continue;
        }
        *frame = z->frame;
        return true;
    }
    return false;
}

void
zmtp_put(struct zmtp *z, struct slice frame)
{
    uint8_t head[9] = {frame.size > UINT8_MAX ? LONG : 0, (uint8_t)frame.size};
    size_t size = 2;
    if (frame.size > UINT8_MAX) {
        size = 9;
        for (unsigned i = 1; i < size; i++)
            head[i] = (uint8_t)(frame.size >> 8 * (8 - i));
    }
    put(&z->out, head, size);
    put(&z->out, frame.data, frame.size);
}
