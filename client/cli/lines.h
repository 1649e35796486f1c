/* Lines of input, without their end; read without standing still, so that a slow input does not
 * keep results from being shown. */
#ifndef LINES_H
#define LINES_H

#include <stdbool.h>
#include <stddef.h>

struct lines;

/* `path` NULL or "-": standard input. `end` is what ends a line. NULL with errno set. */
struct lines *lines_open(const char *path, char end);
void lines_close(struct lines **lines);

enum lines_result { LINES_ONE, LINES_NONE_YET, LINES_OVER, LINES_ERROR };
/* The next line, borrowed until the next call. With `wait` it is waited for. */
enum lines_result lines_next(struct lines *lines, bool wait, const char **line, size_t *bytes);
int lines_fd(const struct lines *lines);

#endif
