/* The names in a directory, brought to the disk: what was made or renamed in it is there after a
 * loss of power.
 */
#ifndef DIRECTORY_H
#define DIRECTORY_H

#include <fcntl.h>
#include <stdbool.h>
#include <unistd.h>

/* False with errno set. */
static inline bool
directory_sync(const char *path)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool good = fd >= 0 && fsync(fd) == 0;
    if (fd >= 0)
        close(fd);
    return good;
}

#endif
