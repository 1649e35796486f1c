/* Where log lines go: standard error, written without ever waiting for whoever reads it, and
 * without changing the flags of a terminal or pipe that other processes share with us. Not for
 * several threads at once: log.c holds a lock.
 */
#ifndef LOG_SINK_H
#define LOG_SINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum { LOG_WAITING_MAX = 64 << 10 };

struct log_sink {
    int fd;
    enum { SINK_ANY, SINK_SOCKET, SINK_OWN } kind; /* SINK_OWN: opened by us, non-blocking */
    uint64_t dropped; /* lines, since this was told last */
    size_t waiting; /* bytes of `text` */
    char text[LOG_WAITING_MAX];
};

void log_sink_open(struct log_sink *sink, int fd);

/* Write, or keep what can't be written now. False if there is no room for it: nothing was kept of
 * it, and it was counted. */
bool log_sink_put(struct log_sink *sink, const char *line, size_t bytes);

/* Write what is waiting; true if nothing is any more. */
bool log_sink_flush(struct log_sink *sink);

/* One write that does not wait. Async-signal-safe. Returns what write(2) does. */
ssize_t log_sink_write(const struct log_sink *sink, const char *bytes, size_t size);

#endif
