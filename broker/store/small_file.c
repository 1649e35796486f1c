/* Small files; the contract is in small_file.h. */
#include "small_file.h"
#include "directory.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

enum { PATH_BYTES = 4096 };

static bool
write_file(const char *path, const char *text, size_t size)
{
    errno = 0;
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    bool good = fd >= 0 && write(fd, text, size) == (ssize_t)size && fsync(fd) == 0;
    int problem = errno ? errno : ENOSPC; /* a short write has no errno */
    if (fd >= 0 && close(fd) != 0 && good) {
        good = false;
        problem = errno;
    }
    errno = problem;
    return good;
}

bool
small_file_replace(const char *directory, const char *name, const char *text, size_t size)
{
    char path[PATH_BYTES], fresh[PATH_BYTES];
    (void)snprintf(path, sizeof path, "%s/%s", directory, name);
    (void)snprintf(fresh, sizeof fresh, "%s/%s.new", directory, name);
    return write_file(fresh, text, size) && rename(fresh, path) == 0 && directory_sync(directory);
}
