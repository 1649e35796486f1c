/* Descriptors 0 to 2; the contract is in streams.h. */
#include "streams.h"

#include <fcntl.h>
#include <stdbool.h>
#include <sysexits.h>
#include <unistd.h>

static bool
is_open(int fd)
{
    return fcntl(fd, F_GETFD) >= 0;
}

void
standard_streams_open(void)
{
    /* In rising order: an open takes the lowest number that is free. The mode is the one that does
     * not fit, and the directory is for where there is no /dev. */
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
        if (is_open(fd))
            continue;
        int mode = fd == STDIN_FILENO ? O_WRONLY : O_RDONLY;
        if (open("/dev/null", mode) != fd && open("/", O_RDONLY | O_DIRECTORY) != fd)
            _exit(EX_OSERR);
    }
}
