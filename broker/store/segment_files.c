/* Segments as files; the contract is in segment_files.h. One that is to be added is made by a
 * thread: to allocate its blocks can take the file system a long time. It gets its name when it is
 * whole.
 */
#include "segment_files.h"
#include "directory.h"
#include "file_look.h"
#include "journal_record.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

enum { PIECE_BYTES = 1 << 20, ZEROS_BYTES = 1 << 16, PATH_BYTES = 4096 };

enum growing { GROWING_NOT, GROWING_NOW, GROWING_DONE, GROWING_FAILED };

struct segment_files {
    struct segments base; /* first: they are segments */
    char directory[PATH_BYTES - 32];
    unsigned max;
    uint64_t disk_free_bytes;
    bool read_only;
    int fds[SEGMENTS_MAX];
    unsigned written; /* the one that was written last */
    pthread_t thread;
    atomic_int growing; /* enum growing; the thread's last act is to change it */
    int fresh; /* what the thread made */
    int problem; /* why it made nothing: an errno */
    char error[SEGMENT_FILES_ERROR_BYTES];
};

static struct segment_files *
self(struct segments *segments)
{
    return (struct segment_files *)segments;
}

static void
path_of(const struct segment_files *f, unsigned number, char path[PATH_BYTES])
{
    (void)snprintf(path, PATH_BYTES, "%s/journal-%02u", f->directory, number);
}

/* ---- reading and writing ---- */

static bool
failed(struct segment_files *f, const char *what, unsigned number, bool is_short)
{
    char path[PATH_BYTES];
    path_of(f, number, path);
    (void)snprintf(f->error, sizeof f->error, "can't %s %.400s: %s", what, path,
        is_short ? "only a part of it went through" : strerror(errno));
    return false;
}

static bool
files_read(struct segments *segments, unsigned number, uint64_t at, uint8_t *to, size_t size)
{
    struct segment_files *f = self(segments);
    ssize_t n = pread(f->fds[number], to, size, (off_t)at);
    return n == (ssize_t)size ? true : failed(f, "read", number, n >= 0);
}

static bool
files_write(
    struct segments *segments, unsigned number, uint64_t at, const uint8_t *from, size_t size)
{
    struct segment_files *f = self(segments);
    f->written = number;
    ssize_t n = pwrite(f->fds[number], from, size, (off_t)at);
    return n == (ssize_t)size ? true : failed(f, "write", number, n >= 0);
}

static bool
files_flush(struct segments *segments, unsigned number)
{
    struct segment_files *f = self(segments);
    return fdatasync(f->fds[number]) == 0 ? true : failed(f, "flush", number, false);
}

static const char *
files_error(struct segments *segments)
{
    return self(segments)->error;
}

/* ---- making ---- */

/* With zeros, on the disk. */
static bool
fill(int fd, uint64_t bytes)
{
    uint8_t *zeros = calloc(1, ZEROS_BYTES); /* a constant would be so much of the program */
    bool good = zeros != NULL;
    for (uint64_t at = 0; good && at < bytes;) {
        size_t size = bytes - at < ZEROS_BYTES ? (size_t)(bytes - at) : ZEROS_BYTES;
        good = pwrite(fd, zeros, size, (off_t)at) == (ssize_t)size;
        at += size;
    }
    free(zeros);
    return good && fdatasync(fd) == 0;
}

/* A file of zeros, on the disk; its descriptor, or -1 with errno set. */
static int
make_file(const char *path, uint64_t bytes)
{
    int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0)
        return -1;
    errno = 0;
    if (fill(fd, bytes))
        return fd;
    int problem = errno ? errno : ENOSPC; /* a short write has no errno */
    close(fd);
    (void)unlink(path);
    errno = problem;
    return -1;
}

static void *
grow(void *context)
{
    struct segment_files *f = context;
    char fresh[PATH_BYTES], path[PATH_BYTES];
    (void)snprintf(fresh, sizeof fresh, "%s/journal-new", f->directory);
    path_of(f, f->base.count, path);
    f->fresh = make_file(fresh, f->base.bytes);
    bool good = f->fresh >= 0 && rename(fresh, path) == 0 && directory_sync(f->directory);
    f->problem = good ? 0 : errno;
    if (!good && f->fresh >= 0) {
        close(f->fresh);
        (void)unlink(fresh);
    }
    atomic_store(&f->growing, good ? GROWING_DONE : GROWING_FAILED);
    return NULL;
}

static bool
has_room(const struct segment_files *f)
{
    struct statvfs fs;
    if (statvfs(f->directory, &fs) != 0)
        return true;
    uint64_t has = (uint64_t)fs.f_bavail * fs.f_frsize;
    return has >= f->disk_free_bytes && has - f->disk_free_bytes >= f->base.bytes;
}

/* Signals are for other threads. */
static bool
start(struct segment_files *f)
{
    sigset_t all, before;
    sigfillset(&all);
    if (pthread_sigmask(SIG_SETMASK, &all, &before) != 0)
        return false;
    atomic_store(&f->growing, GROWING_NOW);
    int rc = pthread_create(&f->thread, NULL, grow, f);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (rc != 0)
        atomic_store(&f->growing, GROWING_NOT);
    return rc == 0;
}

/* There may be more of it later. */
static bool
is_shortage(int problem)
{
    return problem == ENOSPC || problem == EDQUOT || problem == EMFILE || problem == ENFILE ||
        problem == ENOMEM;
}

static bool
files_grow(struct segments *segments)
{
    struct segment_files *f = self(segments);
    int growing = atomic_load(&f->growing);
    if (growing == GROWING_NOT && f->base.count < f->max && has_room(f))
        (void)start(f);
    if (growing != GROWING_DONE && growing != GROWING_FAILED)
        return true;
    (void)pthread_join(f->thread, NULL);
    atomic_store(&f->growing, GROWING_NOT);
    if (growing == GROWING_DONE)
        f->fds[f->base.count++] = f->fresh;
    errno = f->problem;
    return growing == GROWING_DONE || is_shortage(f->problem) ||
        failed(f, "make", f->base.count, false);
}

static void
files_destroy(struct segments **segments)
{
    struct segment_files *f = self(*segments);
    if (atomic_load(&f->growing) != GROWING_NOT) {
        (void)pthread_join(f->thread, NULL);
        if (atomic_load(&f->growing) == GROWING_DONE)
            close(f->fresh);
    }
    for (unsigned i = 0; i < f->base.count; i++)
        close(f->fds[i]);
    free(f);
    *segments = NULL;
}

static const struct segments_ops files_ops = {
    files_read, files_write, files_flush, files_grow, files_error, files_destroy};

static struct segment_files *
new_files(const struct segment_files_options *o)
{
    struct segment_files *f = calloc(1, sizeof *f);
    if (!f)
        abort();
    assert(o->max >= SEGMENTS_MIN && o->max <= SEGMENTS_MAX);
    f->base = (struct segments){.ops = &files_ops, .bytes = o->bytes};
    (void)snprintf(f->directory, sizeof f->directory, "%s", o->directory);
    f->max = o->max;
    f->disk_free_bytes = o->disk_free_bytes;
    f->read_only = o->read_only;
    return f;
}

static void
remove_file(const char *path)
{
    if (access(path, F_OK) == 0)
        (void)unlink(path);
}

/* Whatever is called a segment from this number on. */
static void
remove_from(const struct segment_files *f, unsigned number)
{
    char path[PATH_BYTES];
    for (unsigned i = number; i < SEGMENTS_MAX; i++) {
        path_of(f, i, path);
        remove_file(path);
    }
    (void)snprintf(path, sizeof path, "%s/journal-new", f->directory);
    remove_file(path);
}

/* With fewer there would be a checkpoint, and one more segment to make, for every few megabytes
 * that a new broker is given at first. */
enum { FIRST = 4 };

enum segment_files_result
segment_files_make(const struct segment_files_options *o, struct segments **segments, char *error)
{
    struct segment_files *f = new_files(o);
    char path[PATH_BYTES];
    *segments = &f->base;
    remove_from(f, 0);
    for (unsigned i = 0; i < SEGMENTS_MIN || (i < FIRST && i < f->max && has_room(f)); i++) {
        path_of(f, i, path);
        int fd = make_file(path, o->bytes);
        if (fd < 0) {
            (void)snprintf(
                error, SEGMENT_FILES_ERROR_BYTES, "can't make %.400s: %s", path, strerror(errno));
            files_destroy(segments);
            return SEGMENT_FILES_FAILED;
        }
        f->fds[f->base.count++] = fd;
    }
    if (directory_sync(f->directory))
        return SEGMENT_FILES_OK;
    (void)snprintf(error, SEGMENT_FILES_ERROR_BYTES, "can't flush the directory %.400s: %s",
        f->directory, strerror(errno));
    files_destroy(segments);
    return SEGMENT_FILES_FAILED;
}

static enum segment_files_result
open_one(struct segment_files *f, unsigned number, char *error)
{
    char path[PATH_BYTES];
    struct stat st;
    path_of(f, number, path);
    int fd = open(path, (f->read_only ? O_RDONLY : O_RDWR) | O_CLOEXEC);
    if (fd < 0 && errno == ENOENT) {
        (void)snprintf(error, SEGMENT_FILES_ERROR_BYTES,
            "%.400s, a part of the journal, is not there; restore it", path);
        return SEGMENT_FILES_MISSING;
    }
    if (fd < 0 || fstat(fd, &st) != 0) {
        (void)snprintf(
            error, SEGMENT_FILES_ERROR_BYTES, "can't open %.400s: %s", path, strerror(errno));
        if (fd >= 0)
            close(fd);
        return SEGMENT_FILES_FAILED;
    }
    f->fds[f->base.count++] = fd;
    if ((uint64_t)st.st_size == f->base.bytes)
        return SEGMENT_FILES_OK;
    (void)snprintf(error, SEGMENT_FILES_ERROR_BYTES,
        "%.300s, a part of the journal, is %s: it has %llu bytes and had %llu; restore it", path,
        (uint64_t)st.st_size < f->base.bytes ? "cut short" : "damaged",
        (unsigned long long)st.st_size, (unsigned long long)f->base.bytes);
    return SEGMENT_FILES_SHORT;
}

enum segment_files_result
segment_files_open(
    const struct segment_files_options *o, unsigned count, struct segments **segments, char *error)
{
    struct segment_files *f = new_files(o);
    enum segment_files_result result = SEGMENT_FILES_OK;
    *segments = &f->base;
    assert(count >= SEGMENTS_MIN && count <= SEGMENTS_MAX);
    for (unsigned i = 0; result == SEGMENT_FILES_OK && i < count; i++)
        result = open_one(f, i, error);
    if (result != SEGMENT_FILES_OK)
        files_destroy(segments);
    return result;
}

void
segment_files_tidy(struct segments *segments)
{
    const struct segment_files *f = self(segments);
    assert(!f->read_only);
    remove_from(f, f->base.count);
}

static bool
look_at(
    int fd, bool (*is)(const uint8_t *block, const void *context), const void *context, bool *found)
{
    uint8_t *piece = malloc(PIECE_BYTES);
    ssize_t n = 0;
    if (!piece)
        abort();
    for (off_t at = 0; !*found && (n = pread(fd, piece, PIECE_BYTES, at)) > 0; at += n)
        for (ssize_t i = 0; !*found && i + JOURNAL_BLOCK <= n; i += JOURNAL_BLOCK)
            *found = is(piece + i, context);
    free(piece);
    return n >= 0;
}

enum segment_files_result
segment_files_look(const char *directory, bool (*is)(const uint8_t *block, const void *context),
    const void *context, bool *found, char *error)
{
    *found = false;
    for (unsigned i = 0; !*found && i < SEGMENTS_MAX; i++) {
        char path[PATH_BYTES];
        (void)snprintf(path, sizeof path, "%s/journal-%02u", directory, i);
        int fd = open(path, O_RDONLY | O_CLOEXEC);
        bool good = fd >= 0 ? look_at(fd, is, context, found) : errno == ENOENT;
        if (!good)
            (void)snprintf(
                error, SEGMENT_FILES_ERROR_BYTES, "can't read %.400s: %s", path, strerror(errno));
        if (fd >= 0)
            close(fd);
        if (!good)
            return SEGMENT_FILES_FAILED;
    }
    return SEGMENT_FILES_OK;
}

bool
segment_files_are_there(struct segments *segments)
{
    const struct segment_files *f = self(segments);
    struct statx found;
    return !file_look(f->fds[f->written], NULL, &found) || found.stx_nlink > 0;
}
