/* Files made whole; the contract is in fresh.h. */
#include "fresh.h"
#include "directory.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* The directory that a file is in. */
static void
directory_of(const char *name, char directory[4096])
{
    const char *slash = strrchr(name, '/');
    (void)snprintf(
        directory, 4096, "%.*s", slash ? (int)(slash - name) + 1 : 1, slash ? name : ".");
}

/* Can a file without a name be opened again, and be given one? Both go through /proc. */
static bool
is_reachable(struct fresh *f)
{
    (void)snprintf(f->path, sizeof f->path, "/proc/self/fd/%d", f->fd);
    return access(f->path, R_OK | W_OK) == 0;
}

static bool
open_unnamed(struct fresh *f, const char *directory)
{
    f->fd = open(directory, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (f->fd < 0)
        return false;
    if (is_reachable(f))
        return true;
    close(f->fd);
    f->fd = -1;
    return false;
}

bool
fresh_open(struct fresh *f, const char *name, bool keeps)
{
    enum { ROOM = 32 }; /* for what is put behind a name */
    char directory[4096];
    *f = (struct fresh){.fd = -1};
    if (strlen(name) >= sizeof f->name - ROOM) {
        errno = ENAMETOOLONG;
        return false;
    }
    (void)snprintf(f->name, sizeof f->name, "%s", name);
    (void)snprintf(
        f->aside, sizeof f->aside, "%s%s.new-%ld", name, keeps ? "" : "/stint", (long)getpid());
    if (keeps)
        directory_of(name, directory);
    else
        (void)snprintf(directory, sizeof directory, "%s", name);
    if (open_unnamed(f, directory))
        return true;
    f->fd = open(f->aside, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    f->named = f->fd >= 0;
    (void)snprintf(f->path, sizeof f->path, "%s", f->aside);
    return f->fd >= 0;
}

static bool
sync_directory(const char *name)
{
    char directory[4096];
    directory_of(name, directory);
    return directory_sync(directory);
}

bool
fresh_keep(struct fresh *f, bool replace)
{
    if (fsync(f->fd) != 0)
        return false;
    if (!f->named) {
        if (linkat(AT_FDCWD, f->path, AT_FDCWD, f->aside, AT_SYMLINK_FOLLOW) != 0)
            return false;
        f->named = true;
    }
    if (renameat2(AT_FDCWD, f->aside, AT_FDCWD, f->name, replace ? 0 : RENAME_NOREPLACE) != 0)
        return false;
    f->named = false;
    bool good = sync_directory(f->name) && close(f->fd) == 0;
    f->fd = -1;
    return good;
}

void
fresh_abandon(const struct fresh *f)
{
    if (f->named)
        (void)unlink(f->aside);
}

void
fresh_drop(struct fresh *f)
{
    fresh_abandon(f);
    f->named = false;
    if (f->fd >= 0)
        close(f->fd);
    f->fd = -1;
}
