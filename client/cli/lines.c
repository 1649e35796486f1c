/* Lines of input; the contract is in lines.h. */
#include "lines.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct lines {
    int fd;
    off_t start; /* of what there is to read */
    char end;
    bool over;
    char *bytes;
    size_t from, used, size, scanned, max;
    uint64_t count;
};

struct lines *
lines_open(const char *path, char end, size_t max)
{
    struct lines *l = calloc(1, sizeof *l);
    if (!l)
        return NULL;
    l->end = end;
    l->max = max;
    l->fd = path && strcmp(path, "-") != 0 ? open(path, O_RDONLY | O_CLOEXEC) : STDIN_FILENO;
    if (l->fd < 0) {
        free(l);
        return NULL;
    }
    l->start = lseek(l->fd, 0, SEEK_CUR);
    return l;
}

void
lines_close(struct lines **lines)
{
    if (!*lines)
        return;
    if ((*lines)->fd != STDIN_FILENO)
        close((*lines)->fd);
    free((*lines)->bytes);
    free(*lines);
    *lines = NULL;
}

uint64_t
lines_count(const struct lines *l)
{
    return l->count;
}

uint64_t
lines_total(const struct lines *l)
{
    struct stat st;
    char bytes[65536];
    uint64_t count = 0;
    off_t at = l->start > 0 ? l->start : 0;
    if (fstat(l->fd, &st) != 0 || !S_ISREG(st.st_mode))
        return 0;
    for (ssize_t n; (n = pread(l->fd, bytes, sizeof bytes, at)) > 0; at += n)
        for (const char *p = bytes; (p = memchr(p, l->end, (size_t)(bytes + n - p))) != NULL; p++)
            count++;
    return count;
}

static bool
cut_line(struct lines *l, const char **line, size_t *bytes)
{
    char *end =
        l->used > l->scanned ? memchr(l->bytes + l->scanned, l->end, l->used - l->scanned) : NULL;
    if (!end && !(l->over && l->used > l->from)) {
        l->scanned = l->used;
        return false;
    }
    size_t stop = end ? (size_t)(end - l->bytes) : l->used;
    *line = l->bytes + l->from;
    *bytes = stop - l->from;
    l->from = l->scanned = end ? stop + 1 : stop;
    l->count++;
    return true;
}

static void
make_room(struct lines *l)
{
    if (l->bytes && l->used > l->from)
        memmove(l->bytes, l->bytes + l->from, l->used - l->from);
    l->used -= l->from;
    l->scanned -= l->from;
    l->from = 0;
    if (l->size - l->used >= 4096)
        return;
    l->size = l->size ? 2 * l->size : 65536;
    l->bytes = realloc(l->bytes, l->size);
    if (!l->bytes)
        abort();
}

enum lines_result
lines_next(struct lines *l, int wait_ms, const char **line, size_t *bytes)
{
    for (;;) {
        if (l->bytes && cut_line(l, line, bytes))
            return *bytes > l->max ? LINES_TOO_LONG : LINES_ONE;
        if (l->used - l->from > l->max)
            return LINES_TOO_LONG;
        if (l->over)
            return LINES_OVER;
        struct pollfd p = {.fd = l->fd, .events = POLLIN};
        if (poll(&p, 1, wait_ms) <= 0)
            return LINES_NONE_YET;
        if (!l->bytes || l->size - l->used < 4096)
            make_room(l);
        ssize_t n = read(l->fd, l->bytes + l->used, l->size - l->used);
        if (n > 0)
            l->used += (size_t)n;
        else if (n == 0)
            l->over = true;
        else if (errno == EINTR || errno == EAGAIN)
            return LINES_NONE_YET;
        else
            return LINES_ERROR;
    }
}
