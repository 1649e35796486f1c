/* Removes a tree; the contract is in tree.h. All goes by descriptors of directories and names in
 * them, so nothing that is renamed meanwhile leads elsewhere. */
#include "tree.h"
#include "now.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { LOOK_EVERY = 64, MOVE_TRIES = 100 };

struct walk {
    const struct tree_bounds *bounds;
    int top; /* what is too deep is moved there */
    uint64_t looked, removed, moved;
    int error; /* the first one; 0: none */
    bool more;
};

int
tree_open(int parent, const char *name, int flags)
{
    const struct open_how how = {.flags = (uint64_t)(unsigned)(flags | O_DIRECTORY | O_CLOEXEC),
        .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV};
    return (int)syscall(SYS_openat2, parent, name, &how, sizeof how);
}

/* Gives us all rights to a directory that we may not even read. A descriptor by O_PATH takes none,
 * and by its name in /proc it can be changed. */
static bool
make_accessible(int parent, const char *name)
{
    char path[40];
    int fd = tree_open(parent, name, O_PATH);
    if (fd < 0)
        return false;
    (void)snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    bool done = chmod(path, S_IRWXU) == 0;
    int error = errno;
    close(fd);
    errno = error;
    return done;
}

static int
open_to_empty(int parent, const char *name)
{
    struct stat s;
    int fd = tree_open(parent, name, O_RDONLY);
    if (fd < 0 && errno == EACCES && make_accessible(parent, name))
        fd = tree_open(parent, name, O_RDONLY);
    if (fd >= 0 && fstat(fd, &s) == 0 && (s.st_mode & S_IRWXU) != S_IRWXU)
        (void)fchmod(fd, S_IRWXU);
    return fd;
}

static void
note(struct walk *w, int error)
{
    if (w->error == 0 && error != ENOENT)
        w->error = error;
}

static bool
is_over(struct walk *w)
{
    const struct tree_bounds *b = w->bounds;
    uint64_t looked = w->looked++;
    if (b->entries && looked >= b->entries)
        w->more = true;
    if (looked % LOOK_EVERY == 0 &&
        ((b->stop && atomic_load(b->stop)) || (b->until_ms && clock_ms() >= b->until_ms)))
        w->more = true;
    return w->more;
}

/* Up to where it is not too deep any more; a name there that is in the way is of no value. */
static void
move_up(struct walk *w, int parent, const char *name)
{
    char fresh[32];
    int error = EEXIST;
    for (int i = 0; i < MOVE_TRIES; i++) {
        (void)snprintf(fresh, sizeof fresh, ".deep-%llu", (unsigned long long)w->moved++);
        if (renameat(parent, name, w->top, fresh) == 0)
            return;
        error = errno;
        if (error == EACCES && !make_accessible(parent, name))
            break;
        if (error != EACCES && error != EEXIST && error != ENOTEMPTY && error != ENOTDIR)
            break;
    }
    note(w, error);
}

static bool empty(struct walk *w, int parent, const char *name, unsigned depth);

/* An entry of a directory that `depth` others are open for; is it gone? */
static bool
remove_entry(struct walk *w, int parent, const char *name, bool directory, unsigned depth)
{
    int error = 0;
    if (!directory && unlinkat(parent, name, 0) != 0)
        error = errno;
    if (directory || error == EISDIR)
        error = unlinkat(parent, name, AT_REMOVEDIR) == 0 ? 0 : errno;
    if (error == ENOTDIR && directory) /* it is another one than was listed */
        error = unlinkat(parent, name, 0) == 0 ? 0 : errno;
    if (error == 0)
        w->removed++;
    else if (error != ENOTEMPTY && error != EEXIST)
        note(w, error);
    else if (depth < w->bounds->depth)
        return empty(w, parent, name, depth + 1);
    else
        move_up(w, parent, name);
    return error == 0 || error == ENOENT;
}

static void
remove_entries(struct walk *w, DIR *list, unsigned depth)
{
    const struct dirent *entry;
    while ((entry = readdir(list))) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        if (is_over(w))
            return;
        (void)remove_entry(w, dirfd(list), entry->d_name, entry->d_type == DT_DIR, depth);
    }
}

/* Again and again while that helps: what was moved up comes into a list that was read before, and
 * who still lives may make more. */
static bool
empty(struct walk *w, int parent, const char *name, unsigned depth)
{
    int fd = open_to_empty(parent, name);
    DIR *list = fd >= 0 ? fdopendir(fd) : NULL;
    bool gone = !list && errno == ENOENT;
    if (!list)
        note(w, errno);
    if (!list && fd >= 0)
        close(fd);
    if (depth == 1)
        w->top = fd;
    while (list && !gone) {
        uint64_t removed = w->removed;
        rewinddir(list);
        remove_entries(w, list, depth);
        if (w->more)
            break;
        gone = unlinkat(parent, name, AT_REMOVEDIR) == 0 || errno == ENOENT;
        w->removed += gone;
        if (w->removed == removed) {
            note(w, errno);
            break;
        }
    }
    if (list)
        (void)closedir(list);
    return gone;
}

enum tree_end
tree_remove(int parent, const char *name, const struct tree_bounds *bounds)
{
    struct walk w = {.bounds = bounds, .top = -1};
    if (remove_entry(&w, parent, name, true, 0))
        return TREE_GONE;
    errno = w.error;
    return w.more ? TREE_MORE : TREE_STUCK;
}
