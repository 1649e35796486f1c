/* Listening; the contract is in listen.h. */
#include "listen.h"
#include "endpoint.h"
#include "limit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include <zmq.h>

enum { BACKLOG = 1024 };

static enum stint_status
complain(char error[LISTEN_ERROR_BYTES], const char *endpoint, const char *why)
{
    (void)snprintf(error, LISTEN_ERROR_BYTES, "can't listen at %s: %s", endpoint, why);
    return STINT_SYSTEM;
}

static bool
is_same(int a, int b)
{
    struct stat one, other;
    return a >= 0 && b >= 0 && fstat(a, &one) == 0 && fstat(b, &other) == 0 &&
        one.st_dev == other.st_dev && one.st_ino == other.st_ino;
}

/* Holds the directory of the path, so that two who begin at the same time take turns. -1 if that
 * is not allowed here, and then they do not; or if we hold it already by `held`. */
static int
lock_directory(const char *path, int held)
{
    char directory[108] = ".";
    const char *slash = strrchr(path, '/');
    if (slash) {
        size_t n = slash == path ? 1 : (size_t)(slash - path);
        memcpy(directory, path, n);
        directory[n] = '\0';
    }
    int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (is_same(fd, held)) {
        close(fd);
        return -1;
    }
    if (fd >= 0)
        (void)flock(fd, LOCK_EX);
    return fd;
}

/* Does nobody stand behind the socket at this path any more? If so, it is removed. */
static const char *
clear_path(const struct sockaddr_un *address)
{
    struct stat status;
    if (lstat(address->sun_path, &status) != 0)
        return errno == ENOENT ? NULL : strerror(errno);
    if (!S_ISSOCK(status.st_mode))
        return "there is a file that is no socket; remove it, or name another path";
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return strerror(errno);
    int rc = connect(fd, (const struct sockaddr *)address, sizeof *address);
    int why = rc == 0 || errno == EAGAIN ? EADDRINUSE : errno;
    close(fd);
    if (why == EADDRINUSE)
        return "another process serves there already";
    if (why != ECONNREFUSED && why != ENOENT)
        return strerror(why);
    return unlink(address->sun_path) == 0 || errno == ENOENT ? NULL : strerror(errno);
}

/* A socket of our own, as libzmq would remove whatever is at the path, at its bind and at its end.
 */
static int
open_ipc(const struct endpoint *e, struct listener *listener, const char **why)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct stat status;
    memcpy(address.sun_path, e->host, e->host_bytes);
    int directory = lock_directory(address.sun_path, listener->held);
    int fd = -1;
    *why = clear_path(&address);
    if (*why)
        goto done;
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    /* Whoever may write to it may connect. The file gets the socket's mode, less the umask, which
     * is the whole process's and not to be touched. */
    bool bound = fd >= 0 && fchmod(fd, 0600) == 0 &&
        bind(fd, (struct sockaddr *)&address, sizeof address) == 0;
    int error = errno;
    if (!bound || listen(fd, BACKLOG) != 0 || lstat(address.sun_path, &status) != 0) {
        *why = strerror(bound ? errno : error);
        if (fd >= 0)
            close(fd);
        fd = -1;
        goto done;
    }
    memcpy(listener->path, address.sun_path, sizeof listener->path);
    listener->device = status.st_dev;
    listener->inode = status.st_ino;
    listener->fd = fd;
done:
    if (directory >= 0)
        close(directory);
    return fd;
}

static enum stint_status
listen_ipc(void *socket, const char *endpoint, const struct endpoint *e, struct listener *listener,
    char error[LISTEN_ERROR_BYTES])
{
    const char *why;
    int none = -1, fd = open_ipc(e, listener, &why);
    if (fd < 0)
        return complain(error, endpoint, why);
    enum stint_status status = STINT_OK;
    if (zmq_setsockopt(socket, ZMQ_USE_FD, &fd, sizeof fd) != 0 ||
        zmq_bind(socket, endpoint) != 0) {
        status = complain(error, endpoint, zmq_strerror(zmq_errno()));
        close(fd);
    }
    (void)zmq_setsockopt(socket, ZMQ_USE_FD, &none, sizeof none);
    return status;
}

/* A frame is longer on the wire when it is encrypted. */
static bool
set_security(void *socket, const struct listen_security *security)
{
    const char *key = security->secret_key, *domain = security->domain;
    int server = key != NULL;
    int64_t message_bytes = LIMIT_MESSAGE_BYTES + (server ? LIMIT_SEAL_BYTES : 0);
    return zmq_setsockopt(socket, ZMQ_CURVE_SERVER, &server, sizeof server) == 0 &&
        (!key || zmq_setsockopt(socket, ZMQ_CURVE_SECRETKEY, key, strlen(key) + 1) == 0) &&
        (!domain || zmq_setsockopt(socket, ZMQ_ZAP_DOMAIN, domain, strlen(domain)) == 0) &&
        zmq_setsockopt(socket, ZMQ_MAXMSGSIZE, &message_bytes, sizeof message_bytes) == 0;
}

static enum stint_status
bind_there(
    void *socket, const char *endpoint, struct listener *listener, char error[LISTEN_ERROR_BYTES])
{
    struct endpoint e;
    const char *why;
    char address[ENDPOINT_BYTES + 16];
    if (!endpoint_parse(endpoint, ENDPOINT_BIND, &e, &why)) {
        (void)complain(error, endpoint, why);
        return STINT_BAD_ENDPOINT;
    }
    if (e.ipc && !e.abstract)
        return listen_ipc(socket, endpoint, &e, listener, error);
    /* libzmq looks up no names to bind to. */
    if (e.host_bytes == 9 && memcmp(e.host, "localhost", 9) == 0)
        (void)snprintf(address, sizeof address, "tcp://127.0.0.1%s", e.host + 9);
    else
        (void)snprintf(address, sizeof address, "%s", endpoint);
    if (zmq_bind(socket, address) == 0)
        return STINT_OK;
    if (errno == ENODEV) {
        (void)complain(error, endpoint, "write an address of this host, or '*' for all");
        return STINT_BAD_ENDPOINT;
    }
    (void)complain(error, endpoint, zmq_strerror(zmq_errno()));
    return errno == EINVAL || errno == EPROTONOSUPPORT ? STINT_BAD_ENDPOINT : STINT_SYSTEM;
}

enum stint_status
listen_at(void *socket, const char *endpoint, const struct listen_security *security, int held,
    struct listener *listener, char error[LISTEN_ERROR_BYTES])
{
    *listener = (struct listener){.secure = security->secret_key != NULL, .held = held, .fd = -1};
    size_t size = sizeof listener->bound;
    if (!set_security(socket, security))
        return complain(error, endpoint, zmq_strerror(zmq_errno()));
    enum stint_status status = bind_there(socket, endpoint, listener, error);
    if (status == STINT_OK)
        (void)zmq_getsockopt(socket, ZMQ_LAST_ENDPOINT, listener->bound, &size);
    return status;
}

void
listen_stop(void *socket, struct listener *listener)
{
    (void)zmq_unbind(socket, listener->bound);
    listen_end(listener);
    listener->path[0] = '\0';
    listener->fd = -1;
    listener->stopped = true;
}

void
listen_told(const char *bound, char *told, size_t size)
{
    static const char *const wild[] = {"tcp://0.0.0.0:", "tcp://[::]:"};
    char host[128] = "";
    (void)snprintf(told, size, "%s", bound);
    for (unsigned i = 0; i < 2; i++) {
        size_t n = strlen(wild[i]);
        if (strncmp(bound, wild[i], n) == 0 && gethostname(host, sizeof host - 1) == 0)
            (void)snprintf(told, size, "tcp://%s:%s", host, bound + n);
    }
}

void
listen_end(const struct listener *listener)
{
    struct stat status;
    if (!listener->path[0])
        return;
    int directory = lock_directory(listener->path, listener->held);
    if (lstat(listener->path, &status) == 0 && S_ISSOCK(status.st_mode) &&
        status.st_dev == listener->device && status.st_ino == listener->inode)
        (void)unlink(listener->path);
    if (directory >= 0)
        close(directory);
}
