/* What is known of a file but its times. Whoever asks for those has the next write stamp the file
 * anew (Linux from 6.13 on, ext4, XFS and others), which waits for the file system's own journal: a
 * call of fstat between two commits would slow the second.
 */
#ifndef FILE_LOOK_H
#define FILE_LOOK_H

#include <fcntl.h>
#include <stdbool.h>
#include <sys/stat.h>

/* Of the file at `path`, or of the open `fd` if that is NULL: its number and device, its size and
 * how many names it has. False with errno set. */
static inline bool
file_look(int fd, const char *path, struct statx *found)
{
    return statx(path ? AT_FDCWD : fd, path ? path : "", path ? 0 : AT_EMPTY_PATH,
               STATX_INO | STATX_NLINK | STATX_SIZE, found) == 0;
}

#endif
