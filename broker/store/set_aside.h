/* What stands where a data directory is to begin, and is not known to hold nothing, is kept under
 * another name.
 */
#ifndef SET_ASIDE_H
#define SET_ASIDE_H

#include <stdbool.h>
#include <stddef.h>

/* The data file at `path`, if there is one, and first the journal beside it in `directory`, which
 * is of no use to what begins there. `name` (of `size` bytes) is the data file's new name, or "" if
 * there is none. False with errno set. */
bool set_aside(const char *directory, const char *path, char *name, size_t size);

#endif
