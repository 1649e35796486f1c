/* The simulated disk; the contract is in disk.h. */
#include "disk.h"
#include "segment_memory.h"
#include "store_journal.h"
#include "store_lmdb.h"
#include "store_model.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

enum { SECTOR = 512, SEGMENT_BYTES = 64 << 10, SEGMENTS = 4, KEPT_BYTES = 96 << 10 };

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

static struct store *model, *lmdb; /* one of them is the checkpoint */
static struct segments *segments;
static uint64_t term;

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
    segments = segment_memory_new(SEGMENTS_MIN, SEGMENTS, SEGMENT_BYTES);
    term = 0;
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
    segment_memory_free(&segments);
    free(disk.unsynced);
    disk.unsynced = NULL;
}

static void
open_lmdb(void)
{
    struct store_lmdb_options options = {
        .path = disk.path, .size_bytes = 64 << 20, .reserve_bytes = 8 << 20};
    const char *error;
    disk.failed = disk.catching = false;
    disk.fail_in = 0;
    if (store_lmdb_new(&options, &lmdb, &error) != STINT_OK)
        sim_broken("the store can't be opened: %s", error);
    disk.reader = open(disk.path, O_RDONLY | O_CLOEXEC);
    disk.catching = disk.reader >= 0;
}

struct store *
disk_open(const char *directory)
{
    struct row_journal row;
    struct store *store;
    char error[512];
    bool bad;
    if (directory)
        open_lmdb();
    bool has = store_journal_row(directory ? lmdb : model, &row, &bad);
    if (bad)
        sim_broken("the row of the journal is damaged");
    struct store_journal_options options = {.checkpoint = directory ? lmdb : model,
        .segments = segments,
        .identity = "simulated disk",
        .term = ++term,
        .kept_bytes_max = KEPT_BYTES,
        .pending_bytes_max = 1 << 20,
        .borrows = true};
    if (store_journal_new(&options, has ? &row : NULL, &store, error) != STINT_OK)
        sim_broken("the journal can't be opened: %s", error);
    return store;
}

void
disk_started(struct store *store)
{
    store_journal_started(store);
}

void
disk_tend(struct store *store, struct chance *chance)
{
    if (chance_in_100(chance, 1) && store_journal_checkpoint(store) != STINT_OK)
        sim_broken("a checkpoint can't be made: %s", store->ops->error(store));
}

static bool
stays(void *context)
{
    struct chance *chance = context;
    return chance_in_100(chance, 50);
}

void
disk_crash(struct store **store, struct chance *chance)
{
    (*store)->ops->destroy(store);
    segment_memory_crash(segments, stays, chance);
    if (model) {
        store_model_crash(model);
        return;
    }
    lmdb->ops->destroy(&lmdb);
    disk.catching = false;
    close(disk.reader);
    lose_unsynced(chance);
}

/* The journal's write and its flush are the commit. An operation before it may fail, or a
 * checkpoint, if one is made. */
void
disk_fail(enum commit_fault how, struct chance *chance)
{
    if (how == COMMIT_LOST)
        segment_memory_fail(segments, 0);
    else if (how == COMMIT_KEPT)
        segment_memory_fail(segments, 1);
    else if (!model)
        disk.fail_in = 1 + (unsigned)chance_below(chance, 6);
    else if (chance_in_100(chance, 50))
        store_model_fail_operation(model, (unsigned)chance_below(chance, 40));
    else
        store_model_fail_commit(model, 0);
}

void
disk_spare(void)
{
    segment_memory_spare(segments);
    disk.fail_in = 0;
    if (model)
        store_model_spare(model);
}

void
disk_set_room(uint64_t bytes)
{
    if (model)
        store_model_set_room(model, bytes);
}
