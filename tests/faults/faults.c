/* Preloaded into an unchanged program: counts what it does to the files of one directory, and what
 * it sends, and does something at the n-th of these operations.
 *
 *     STINT_FAULTS_DIRECTORY  files below it are meant
 *     STINT_FAULTS            crash:N    end by SIGKILL before operation N
 *                             EIO:N      operation N fails with this error, ENOSPC likewise
 *                             EIO:N+     it and all later ones
 *                             short:N    operation N, if it writes, writes half
 *                             record:FILE  write down every operation (faults.h)
 *     STINT_FAULTS_COUNT      write the number of operations into this file, at each of them
 *
 * Sends count for a crash and for a record only: a disk's faults are not a network's.
 */
#include "faults.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>
#include <zmq.h>

#define PUBLIC __attribute__((visibility("default")))
/* The function that this one stands before. */
#define REAL(name, ...) \
    static __typeof__(name) *real; \
    if (!real) \
    *(void **)&real = dlsym(RTLD_NEXT, #name)

enum mode { MODE_NONE, MODE_CRASH, MODE_FAIL, MODE_SHORT, MODE_RECORD };
enum { FDS_MAX = 1024, ID_BYTES = 256 };

static struct {
    enum mode mode;
    const char *directory, *count_path;
    size_t directory_size;
    unsigned long n, at; /* operations so far; which one is meant */
    bool on; /* also all later ones */
    int error, log;
    uint32_t file_of[FDS_MAX]; /* 0: not ours */
    bool is_directory[FDS_MAX];
    uint32_t files;
    uint8_t id[ID_BYTES]; /* the routing id of the frame that comes next */
    size_t id_size;
} faults = {.log = -1};

static void
read_mode(const char *text)
{
    char *end;
    const char *colon = strchr(text, ':');
    if (!colon)
        return;
    if (strncmp(text, "record:", 7) == 0) {
        faults.mode = MODE_RECORD;
        faults.log = (int)syscall(
            SYS_openat, AT_FDCWD, colon + 1, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
        return;
    }
    faults.at = strtoul(colon + 1, &end, 10);
    faults.on = *end == '+';
    if (strncmp(text, "crash:", 6) == 0)
        faults.mode = MODE_CRASH;
    else if (strncmp(text, "short:", 6) == 0)
        faults.mode = MODE_SHORT;
    else
        faults.mode = MODE_FAIL;
    faults.error = strncmp(text, "ENOSPC:", 7) == 0 ? ENOSPC : EIO;
}

__attribute__((constructor)) static void
begin(void)
{
    const char *text = getenv("STINT_FAULTS");
    faults.directory = getenv("STINT_FAULTS_DIRECTORY");
    faults.count_path = getenv("STINT_FAULTS_COUNT");
    if (!faults.directory)
        return;
    faults.directory_size = strlen(faults.directory);
    if (text)
        read_mode(text);
}

static void
record(uint32_t kind, uint32_t file, uint64_t at, const struct iovec *pieces, int count)
{
    struct recorded r = {.kind = kind, .file = file, .at = at};
    static pthread_mutex_t one_at_a_time = PTHREAD_MUTEX_INITIALIZER;
    if (faults.log < 0)
        return;
    (void)pthread_mutex_lock(&one_at_a_time);
    for (int i = 0; i < count; i++)
        r.size += pieces[i].iov_len;
    (void)syscall(SYS_write, faults.log, &r, sizeof r);
    for (int i = 0; i < count; i++)
        (void)syscall(SYS_write, faults.log, pieces[i].iov_base, pieces[i].iov_len);
    (void)pthread_mutex_unlock(&one_at_a_time);
}

static void
record_text(uint32_t kind, uint32_t file, uint64_t at, const char *a, const char *b)
{
    struct iovec pieces[] = {
        {(void *)(uintptr_t)a, strlen(a) + 1}, {(void *)(uintptr_t)b, b ? strlen(b) + 1 : 0}};
    record(kind, file, at, pieces, 2);
}

static void
tell_count(void)
{
    char text[24];
    if (!faults.count_path)
        return;
    int n = snprintf(text, sizeof text, "%lu\n", faults.n);
    int fd = (int)syscall(SYS_openat, AT_FDCWD, faults.count_path, O_WRONLY | O_CREAT, 0600);
    (void)syscall(SYS_write, fd, text, (size_t)n);
    (void)syscall(SYS_close, fd);
}

/* The next operation begins. True if it is to fail. */
static bool
operation(bool of_disk)
{
    if (!of_disk && faults.mode != MODE_CRASH)
        return false;
    faults.n++;
    tell_count();
    bool meant = faults.n == faults.at || (faults.on && faults.n > faults.at);
    if (!meant)
        return false;
    if (faults.mode == MODE_CRASH)
        (void)kill(getpid(), SIGKILL);
    if (faults.mode != MODE_FAIL)
        return false;
    errno = faults.error;
    return true;
}

static bool
is_short(void)
{
    return faults.mode == MODE_SHORT && faults.n == faults.at;
}

static uint32_t
file_of(int fd)
{
    return fd >= 0 && fd < FDS_MAX ? faults.file_of[fd] : 0;
}

/* The part of a path below our directory, or NULL. */
static const char *
below(const char *path)
{
    if (!faults.directory || strncmp(path, faults.directory, faults.directory_size) != 0)
        return NULL;
    path += faults.directory_size;
    return *path == '/' ? path + 1 : *path ? NULL : "";
}

PUBLIC int
open(const char *path, int flags, ...)
{
    va_list arguments;
    REAL(open);
    va_start(arguments, flags);
    mode_t mode = va_arg(arguments, mode_t);
    va_end(arguments);
    const char *name = below(path);
    if (!name)
        return real(path, flags, mode);
    struct stat st;
    bool fresh = stat(path, &st) != 0;
    if ((flags & O_ACCMODE) != O_RDONLY && operation(true))
        return -1;
    int fd = real(path, flags, mode);
    if (fd < 0 || fd >= FDS_MAX)
        return fd;
    faults.is_directory[fd] = *name == '\0';
    faults.file_of[fd] = ++faults.files;
    if ((flags & O_ACCMODE) != O_RDONLY)
        record_text(RECORDED_OPEN, faults.files, fresh, name, NULL);
    if (flags & O_TRUNC)
        record(RECORDED_TRUNCATE, faults.files, 0, NULL, 0);
    return fd;
}

PUBLIC int
close(int fd)
{
    REAL(close);
    if (fd >= 0 && fd < FDS_MAX)
        faults.file_of[fd] = 0;
    return real(fd);
}

static uint32_t
kind_of_write(int fd)
{
    return (fcntl(fd, F_GETFL) & O_DSYNC) == O_DSYNC ? RECORDED_WRITE_SYNCED : RECORDED_WRITE;
}

PUBLIC ssize_t
pwrite(int fd, const void *bytes, size_t size, off_t at)
{
    REAL(pwrite);
    if (!file_of(fd))
        return real(fd, bytes, size, at);
    if (operation(true))
        return -1;
    if (is_short())
        size /= 2;
    struct iovec piece = {(void *)(uintptr_t)bytes, size};
    record(kind_of_write(fd), file_of(fd), (uint64_t)at, &piece, 1);
    return real(fd, bytes, size, at);
}

PUBLIC ssize_t
write(int fd, const void *bytes, size_t size)
{
    REAL(write);
    if (!file_of(fd))
        return real(fd, bytes, size);
    if (operation(true))
        return -1;
    if (is_short())
        size /= 2;
    struct iovec piece = {(void *)(uintptr_t)bytes, size};
    record(kind_of_write(fd), file_of(fd), (uint64_t)lseek(fd, 0, SEEK_CUR), &piece, 1);
    return real(fd, bytes, size);
}

PUBLIC ssize_t
writev(int fd, const struct iovec *pieces, int count)
{
    REAL(writev);
    if (!file_of(fd))
        return real(fd, pieces, count);
    if (operation(true))
        return -1;
    if (is_short() && count > 1)
        count /= 2;
    record(kind_of_write(fd), file_of(fd), (uint64_t)lseek(fd, 0, SEEK_CUR), pieces, count);
    return real(fd, pieces, count);
}

PUBLIC int
fdatasync(int fd)
{
    REAL(fdatasync);
    if (!file_of(fd))
        return real(fd);
    if (operation(true))
        return -1;
    record(RECORDED_SYNC, file_of(fd), 0, NULL, 0);
    return real(fd);
}

PUBLIC int
fsync(int fd)
{
    REAL(fsync);
    if (!file_of(fd))
        return real(fd);
    if (operation(true))
        return -1;
    record(
        faults.is_directory[fd] ? RECORDED_SYNC_DIRECTORY : RECORDED_SYNC, file_of(fd), 0, NULL, 0);
    return real(fd);
}

PUBLIC int
ftruncate(int fd, off_t size)
{
    REAL(ftruncate);
    if (!file_of(fd))
        return real(fd, size);
    if (operation(true))
        return -1;
    record(RECORDED_TRUNCATE, file_of(fd), (uint64_t)size, NULL, 0);
    return real(fd, size);
}

PUBLIC int
rename(const char *from, const char *to)
{
    REAL(rename);
    if (!below(from))
        return real(from, to);
    if (operation(true))
        return -1;
    record_text(RECORDED_RENAME, 0, 0, below(from), below(to));
    return real(from, to);
}

PUBLIC int
unlink(const char *path)
{
    REAL(unlink);
    if (!below(path))
        return real(path);
    if (operation(true))
        return -1;
    record_text(RECORDED_UNLINK, 0, 0, below(path), NULL);
    return real(path);
}

PUBLIC int
mkdir(const char *path, mode_t mode)
{
    REAL(mkdir);
    if (below(path) && operation(true))
        return -1;
    return real(path, mode);
}

static void
keep_id(const void *bytes, size_t size)
{
    faults.id_size = size < ID_BYTES ? size : ID_BYTES;
    memcpy(faults.id, bytes, faults.id_size);
}

static void
record_frame(uint32_t kind, const void *bytes, size_t size)
{
    struct iovec pieces[] = {{faults.id, faults.id_size}, {(void *)(uintptr_t)bytes, size}};
    record(kind, 0, faults.id_size, pieces, 2);
}

PUBLIC int
zmq_send(void *socket, const void *bytes, size_t size, int flags)
{
    REAL(zmq_send);
    if (flags & ZMQ_SNDMORE) {
        keep_id(bytes, size);
        return real(socket, bytes, size, flags);
    }
    (void)operation(false);
    int n = real(socket, bytes, size, flags);
    if (n >= 0)
        record_frame(RECORDED_SENT, bytes, size);
    return n;
}

PUBLIC int
zmq_msg_recv(zmq_msg_t *message, void *socket, int flags)
{
    REAL(zmq_msg_recv);
    static bool second; /* frames come in twos: routing id, content */
    int n = real(message, socket, flags);
    if (n < 0)
        return n;
    if (second)
        record_frame(RECORDED_RECEIVED, zmq_msg_data(message), (size_t)n);
    else
        keep_id(zmq_msg_data(message), (size_t)n);
    second = !second && zmq_msg_more(message);
    return n;
}
