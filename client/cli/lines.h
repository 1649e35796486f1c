/* Lines of input, without their end; read without standing still, so that a slow input does not
 * keep results from being shown. */
#ifndef LINES_H
#define LINES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct lines;

/* `path` NULL or "-": standard input. `end` is what ends a line; none is longer than `max`. NULL
 * with errno set. */
struct lines *lines_open(const char *path, char end, size_t max);
void lines_close(struct lines **lines);

enum lines_result { LINES_ONE, LINES_NONE_YET, LINES_OVER, LINES_ERROR, LINES_TOO_LONG };
/* The next line, borrowed until the next call. `wait_ms`: wait so long for it. */
enum lines_result lines_next(struct lines *lines, int wait_ms, const char **line, size_t *bytes);
/* Lines given out so far. */
uint64_t lines_count(const struct lines *lines);
/* How many lines there are in all, if that can be told beforehand (a file); 0: it can't. */
uint64_t lines_total(const struct lines *lines);

#endif
