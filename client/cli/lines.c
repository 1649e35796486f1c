/* Lines of input; the contract is in lines.h. */
#include "lines.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct lines {
    int fd;
    char end;
    bool over;
    char *bytes;
    size_t from, used, size, scanned;
};

struct lines *
lines_open(const char *path, char end)
{
    struct lines *l = calloc(1, sizeof *l);
    if (!l)
        return NULL;
    l->end = end;
    l->fd = path && strcmp(path, "-") != 0 ? open(path, O_RDONLY | O_CLOEXEC) : STDIN_FILENO;
    if (l->fd < 0) {
        free(l);
        return NULL;
    }
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

int
lines_fd(const struct lines *l)
{
    return l->fd;
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
lines_next(struct lines *l, bool wait, const char **line, size_t *bytes)
{
    for (;;) {
        if (l->bytes && cut_line(l, line, bytes))
            return LINES_ONE;
        if (l->over)
            return LINES_OVER;
        struct pollfd p = {.fd = l->fd, .events = POLLIN};
        if (!wait && poll(&p, 1, 0) <= 0)
            return LINES_NONE_YET;
        if (!l->bytes || l->size - l->used < 4096)
            make_room(l);
        ssize_t n = read(l->fd, l->bytes + l->used, l->size - l->used);
        if (n > 0)
            l->used += (size_t)n;
        else if (n == 0)
            l->over = true;
        else if (errno == EINTR)
            return LINES_NONE_YET;
        else
            return LINES_ERROR;
    }
}
