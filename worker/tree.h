/* Removes a directory with all that is in it, also if whoever made it wants us to remove something
 * else, or never to end: no symbolic link is followed, no mount is entered, a directory without
 * permissions gets them first, and however deep it is, few descriptors and little stack are used.
 *
 * It is done with the rights of the caller. Whoever may move a directory into the tree has it
 * removed like all else in it.
 */
#ifndef TREE_H
#define TREE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct tree_bounds {
    unsigned depth; /* directories open at a time, at least 2; what is deeper is moved up */
    uint64_t entries; /* looked at; 0: as many as there are */
    uint64_t until_ms; /* as clock_ms tells it; 0: as long as it takes */
    const atomic_bool *stop; /* or NULL */
};

enum tree_end {
    TREE_GONE,
    TREE_MORE, /* a bound was met; to be called again */
    TREE_STUCK, /* something can't be removed, errno says why; all else is gone */
};

/* `name`, in the directory `parent`, may also be no directory, or missing. Uses `depth` and two
 * more descriptors for the time. */
enum tree_end tree_remove(int parent, const char *name, const struct tree_bounds *bounds);

/* Opens a directory as openat does; not by a link, and none that is mounted. -1 with errno set, to
 * ENOSYS where the kernel is older than Linux 5.6. */
int tree_open(int parent, const char *name, int flags);

#endif
