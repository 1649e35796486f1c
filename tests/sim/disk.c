/* The simulated disk; the contract is in disk.h. */
#include "disk.h"
#include "store_lmdb.h"
#include "store_model.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

enum { SECTOR = 512 };

/* ---- LMDB's writes, caught. LMDB writes with pwrite and writev, and its root through a
 * descriptor that syncs by itself. ---- */

/* What the file held before a write that is not synced yet, a sector at a time. */
struct before {
    off_t at;
    size_t size;
    uint8_t bytes[SECTOR];
};

static struct {
    char path[4096];
    struct before *unsynced;
    size_t count, size;
    unsigned fail_in; /* 0: never */
    int reader; /* LMDB's root is written through a descriptor that can't read */
    bool catching, failed;
} disk;

static struct store *model;

static ssize_t (*real_pwrite)(int fd, const void *bytes, size_t size, off_t at);
static ssize_t (*real_writev)(int fd, const struct iovec *pieces, int count);
static int (*real_fdatasync)(int fd);

static void
remember(off_t at, size_t size)
{
    for (size_t done = 0; done < size;) {
        if (disk.count == disk.size) {
            disk.size = disk.size ? 2 * disk.size : 256;
            disk.unsynced = realloc(disk.unsynced, disk.size * sizeof *disk.unsynced);
            if (!disk.unsynced)
                abort();
        }
        struct before *w = &disk.unsynced[disk.count++];
        size_t n = SECTOR - (size_t)(at + (off_t)done) % SECTOR;
        w->at = at + (off_t)done;
        w->size = n < size - done ? n : size - done;
        memset(w->bytes, 0, sizeof w->bytes);
        if (pread(disk.reader, w->bytes, w->size, w->at) < 0)
            abort();
        done += w->size;
    }
}

/* Does this call fail? Everything after the first that does fails too: the disk is gone. */
static bool
fails(void)
{
    if (disk.fail_in && --disk.fail_in == 0)
        disk.failed = true;
    if (disk.failed)
        errno = EIO;
    return disk.failed;
}

ssize_t
pwrite(int fd, const void *bytes, size_t size, off_t at)
{
    if (!real_pwrite)
        *(void **)&real_pwrite = dlsym(RTLD_NEXT, "pwrite");
    if (!disk.catching)
        return real_pwrite(fd, bytes, size, at);
    /* A descriptor that syncs by itself: what it has written is safe, but if it fails it may have
     * written or not. */
    bool syncs = (fcntl(fd, F_GETFL) & O_DSYNC) == O_DSYNC, failed = fails();
    if (failed && !syncs)
        return -1;
    if (failed || !syncs)
        remember(at, size);
    ssize_t n = real_pwrite(fd, bytes, size, at);
    return failed ? -1 : n;
}

ssize_t
writev(int fd, const struct iovec *pieces, int count)
{
    ssize_t written = 0;
    if (!real_writev)
        *(void **)&real_writev = dlsym(RTLD_NEXT, "writev");
    off_t at = disk.catching ? lseek(fd, 0, SEEK_CUR) : -1;
    if (at < 0)
        return real_writev(fd, pieces, count);
    if (fails())
        return -1;
    for (int i = 0; i < count; i++) {
        remember(at + written, pieces[i].iov_len);
        written += (ssize_t)pieces[i].iov_len;
    }
    return real_writev(fd, pieces, count);
}

int
fdatasync(int fd)
{
    if (!real_fdatasync)
        *(void **)&real_fdatasync = dlsym(RTLD_NEXT, "fdatasync");
    if (!disk.catching)
        return real_fdatasync(fd);
    if (fails())
        return -1;
    disk.count = 0; /* the file lies in memory; what matters is what we would give back */
    return 0;
}

/* Power is lost: each sector written since the last sync is there, or as it was before. */
static void
lose_unsynced(struct chance *chance)
{
    FILE *f = fopen(disk.path, "r+e");
    if (!f)
        abort();
    unsigned kept = (unsigned)chance_below(chance, 101); /* percent */
    while (disk.count > 0) {
        const struct before *w = &disk.unsynced[--disk.count];
        if (!chance_in_100(chance, kept) &&
            real_pwrite(fileno(f), w->bytes, w->size, w->at) != (ssize_t)w->size)
            abort();
    }
    (void)fclose(f);
}

void
disk_begin(const char *directory)
{
    memset(&disk, 0, sizeof disk);
    if (!directory) {
        model = store_model_new();
        return;
    }
    (void)snprintf(disk.path, sizeof disk.path, "%s/jobs.lmdb", directory);
    (void)unlink(disk.path);
}

void
disk_end(void)
{
    if (model)
        model->ops->destroy(&model);
    free(disk.unsynced);
    disk.unsynced = NULL;
}

struct store *
disk_open(const char *directory)
{
    struct store_lmdb_options options = {
        .path = disk.path, .size_bytes = 64 << 20, .reserve_bytes = 8 << 20};
    struct store *store;
    const char *error;
    if (!directory)
        return model;
    disk.failed = disk.catching = false;
    disk.fail_in = 0;
    if (store_lmdb_new(&options, &store, &error) != STINT_OK)
        sim_broken("the store can't be opened: %s", error);
    disk.reader = open(disk.path, O_RDONLY | O_CLOEXEC);
    disk.catching = disk.reader >= 0;
    return store;
}

void
disk_crash(struct store **store, struct chance *chance)
{
    if (*store == model) {
        store_model_crash(model);
        return;
    }
    (*store)->ops->destroy(store);
    disk.catching = false;
    close(disk.reader);
    lose_unsynced(chance);
}

void
disk_fail(struct store *store, enum commit_fault how, struct chance *chance)
{
    if (store != model)
        disk.fail_in = 1 + (unsigned)chance_below(chance, 6);
    else if (how == COMMIT_LOST)
        store_model_fail_commit(model, 0);
    else if (how == COMMIT_KEPT)
        store_model_fail_after_commit(model, 0);
    else
        store_model_fail_operation(model, (unsigned)chance_below(chance, 40));
}

void
disk_spare(struct store *store)
{
    if (store == model)
        store_model_spare(model);
    else
        disk.fail_in = 0;
}

void
disk_set_room(struct store *store, uint64_t bytes)
{
    if (store == model)
        store_model_set_room(store, bytes);
}
