/* A small text of the data directory, replaced as a whole: whatever stops us leaves the old one or
 * the new one.
 */
#ifndef SMALL_FILE_H
#define SMALL_FILE_H

#include <stdbool.h>
#include <stddef.h>

/* It is on the disk then, by way of a file NAME.new. False with errno set. */
bool
small_file_replace(const char *directory, const char *name, const char *text, size_t text_bytes);

#endif
