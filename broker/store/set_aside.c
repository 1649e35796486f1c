/* What is kept under another name; the contract is in set_aside.h. */
#include "set_aside.h"
#include "segments.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

enum { PATH_BYTES = 4096, NUMBERS = 10000 };

static bool
set_journal_aside(const char *directory, unsigned number)
{
    char from[PATH_BYTES], to[PATH_BYTES];
    for (unsigned i = 0; i < SEGMENTS_MAX; i++) {
        (void)snprintf(from, sizeof from, "%.4000s/journal-%02u", directory, i);
        (void)snprintf(to, sizeof to, "%.4000s/journal-%02u.set-aside-%u", directory, i, number);
        if (renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_NOREPLACE) != 0 && errno != ENOENT)
            return false;
    }
    return true;
}

bool
set_aside(const char *directory, const char *path, char *name, size_t size)
{
    name[0] = '\0';
    if (access(path, F_OK) != 0)
        return errno == ENOENT;
    for (unsigned i = 1; i < NUMBERS; i++) {
        (void)snprintf(name, size, "%s.set-aside-%u", path, i);
        if (access(name, F_OK) == 0)
            continue;
        return set_journal_aside(directory, i) &&
            renameat2(AT_FDCWD, path, AT_FDCWD, name, RENAME_NOREPLACE) == 0;
    }
    errno = EEXIST;
    return false;
}
