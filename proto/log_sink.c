/* Standard error without waiting; the contract is in log_sink.h. */
#include "log_sink.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

/* A pipe or a terminal is opened once more, so that O_NONBLOCK is ours alone. */
void
log_sink_open(struct log_sink *sink, int fd)
{
    struct stat st;
    char path[32];
    if (sink->kind == SINK_OWN)
        (void)close(sink->fd);
    sink->fd = fd;
    sink->kind = SINK_ANY;
    if (fstat(fd, &st) != 0)
        return;
    if (S_ISSOCK(st.st_mode))
        sink->kind = SINK_SOCKET;
    if (!S_ISFIFO(st.st_mode) && !S_ISCHR(st.st_mode))
        return;
    int flags = fcntl(fd, F_GETFL);
    if (flags < 0 || (flags & O_ACCMODE) == O_RDONLY)
        return; /* it is not open for us to write to, and stays so */
    (void)snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    int own = open(path, O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (own >= 0) {
        sink->fd = own;
        sink->kind = SINK_OWN;
    }
}

/* Where it could not be opened again, poll tells whether a pipe takes PIPE_BUF bytes. */
static bool
takes_some(int fd)
{
    struct pollfd p = {.fd = fd, .events = POLLOUT};
    if (poll(&p, 1, 0) == 1 && (p.revents & (POLLOUT | POLLERR | POLLHUP | POLLNVAL)))
        return true;
    errno = EAGAIN;
    return false;
}

ssize_t
log_sink_write(const struct log_sink *sink, const char *bytes, size_t size)
{
    switch (sink->kind) {
    case SINK_SOCKET:
        return send(sink->fd, bytes, size, MSG_DONTWAIT | MSG_NOSIGNAL);
    case SINK_OWN:
        return write(sink->fd, bytes, size);
    case SINK_ANY:
        break;
    }
    if (!takes_some(sink->fd))
        return -1;
    return write(sink->fd, bytes, size < PIPE_BUF ? size : PIPE_BUF);
}

/* How much of it is done with: written, or never to be written as nobody is there. */
static size_t
write_some(struct log_sink *sink, const char *bytes, size_t size)
{
    size_t done = 0;
    while (done < size) {
        ssize_t n = log_sink_write(sink, bytes + done, size - done);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno != EAGAIN && errno != EWOULDBLOCK) {
            sink->dropped++; /* a closed pipe or a full disk: these lines are lost */
            return size;
        }
        if (n <= 0)
            break;
        done += (size_t)n;
    }
    return done;
}

bool
log_sink_flush(struct log_sink *sink)
{
    if (sink->waiting == 0)
        return true;
    size_t done = write_some(sink, sink->text, sink->waiting);
    sink->waiting -= done;
    memmove(sink->text, sink->text + done, sink->waiting);
    return sink->waiting == 0;
}

bool
log_sink_put(struct log_sink *sink, const char *line, size_t bytes)
{
    size_t done = log_sink_flush(sink) ? write_some(sink, line, bytes) : 0;
    if (bytes - done > sizeof sink->text - sink->waiting) {
        sink->dropped++;
        return false;
    }
    memcpy(sink->text + sink->waiting, line + done, bytes - done);
    sink->waiting += bytes - done;
    return true;
}
