/* The store in LMDB; the contract is in store.h. What LMDB does behind one's back and why the code
 * is as it is: one environment a process, default flags (two syncs a commit), plain keys only, no
 * nested transactions, a transaction never touched after its commit.
 */
#include "store_lmdb.h"
#include "key_order.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <lmdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

/* A table has a cursor for each kind of work: inserting at the tail, deleting at the head and
 * reading are at different places, and a cursor that stays near its place is much faster. */
enum cursor_role { CURSOR_PUT, CURSOR_DEL, CURSOR_READ, CURSOR_ROLES };

enum { DIRTY_WORDS = 1024, DIRTY_SHIFT = 64 - 16 };

/* Where a cursor was left: it still stands there if nothing was written since. */
struct standing {
    bool known;
    uint64_t writes;
    struct slice key; /* of a reader: what it found */
};

struct cursors {
    MDB_cursor *of[STORE_TABLES][CURSOR_ROLES];
    struct standing read_at[STORE_TABLES], deleted_at[STORE_TABLES];
    uint64_t writes; /* so far, to any table */
};

struct store_lmdb {
    struct store base; /* first: a store is one of these */
    MDB_env *env;
    MDB_txn *txn;
    MDB_dbi tables[STORE_TABLES];
    struct cursors cursors;
    struct store_lmdb_options options;
    unsigned page_shift; /* of a page's size, which is a power of two */
    uint64_t room_bytes; /* as last worked out, from what is committed */
    uint64_t spent_bytes; /* put since then */
    bool room_is_old; /* the disk may have another size since then */
    uint64_t free_pages, free_at; /* as counted when this transaction was the last one */
    uint64_t ballast_to; /* up to there the file has its blocks, also beyond its end */
    unsigned ballast_pause; /* commits until more is tried to be had */
    bool has_ballast, failed;
    char error[256];
    unsigned dirty_count; /* bits that are set in `dirty` */
    uint64_t dirty[DIRTY_WORDS]; /* a bit for each page that was written to, see touch() */
};

enum {
    ROW_BYTES = 32, /* a key and a node's head, about */
    BALLAST_PIECE = 64 << 10,
    BALLAST_PAUSE = 64,
};

/* One that a file of an older format has not, when it is only read. */
static const MDB_dbi NO_TABLE = UINT_MAX;

static const char *const table_names[STORE_TABLES] = {"meta", "queues", "levels", "live", "transit",
    "parked", "due", "settled", "expiry", "parts", "sessions", "answers", "damaged", "settings",
    "names", "redirects", "feeds", "events", "bulks", "unique", "unique_ends", "deadlines",
    "followers", "parents", "ended", "schedules", "batches", "members", "groups", "group_lines",
    "group_turns", "group_due"};

static struct store_lmdb *
self(struct store *store)
{
    return (struct store_lmdb *)store;
}

static void
fail(struct store_lmdb *s, const char *what, int rc)
{
    if (s->failed)
        return;
    s->failed = true;
    struct statvfs fs;
    bool full = (rc == EIO || rc == ENOSPC) && statvfs(s->options.path, &fs) == 0 &&
        (uint64_t)fs.f_bavail * fs.f_frsize < (1U << 20);
    (void)snprintf(s->error, sizeof s->error, "%s %s: %s%s", what, s->options.path,
        mdb_strerror(rc), full ? " (the file system is full)" : "");
}

/* The transaction begins with the first operation, so that a step that needs none costs none. */
static bool
ready(struct store_lmdb *s)
{
    if (s->failed)
        return false;
    if (s->txn)
        return true;
    int rc = mdb_txn_begin(s->env, NULL, s->options.read_only ? MDB_RDONLY : 0, &s->txn);
    if (rc) {
        s->txn = NULL;
        fail(s, "can't begin a transaction in", rc);
    }
    return rc == 0;
}

static MDB_cursor *
cursor(struct store_lmdb *s, enum store_table table, enum cursor_role role)
{
    if (s->tables[table] == NO_TABLE || !ready(s))
        return NULL;
    MDB_cursor **c = &s->cursors.of[table][role];
    if (!*c) {
        int rc = mdb_cursor_open(s->txn, s->tables[table], c);
        if (rc) {
            *c = NULL;
            fail(s, "can't open a cursor in", rc);
        }
    }
    return *c;
}

static void
close_cursors(struct store_lmdb *s)
{
    for (unsigned t = 0; t < STORE_TABLES; t++)
        for (unsigned r = 0; r < CURSOR_ROLES; r++)
            if (s->cursors.of[t][r]) {
                mdb_cursor_close(s->cursors.of[t][r]);
                s->cursors.of[t][r] = NULL;
            }
    s->cursors.writes++; /* no cursor stands anywhere */
}

/* Allocate the file's blocks from where they end up to `to`, or as many as the disk still has. */
static void
allocate(struct store_lmdb *s, int fd, uint64_t to)
{
    uint64_t piece = to - s->ballast_to, half = s->options.ballast_bytes / 2;
    uint64_t least = half < BALLAST_PIECE ? 1 : BALLAST_PIECE; /* what is over a half can be had */
    while (s->ballast_to < to && piece >= least) {
        uint64_t bytes = piece < to - s->ballast_to ? piece : to - s->ballast_to;
        if (fallocate(fd, FALLOC_FL_KEEP_SIZE, (off_t)s->ballast_to, (off_t)bytes) == 0) {
            s->ballast_to += bytes;
        } else if (errno == ENOSPC || errno == EDQUOT) {
            piece /= 2;
            s->ballast_pause = BALLAST_PAUSE;
        } else if (errno != EINTR) {
            s->has_ballast = false; /* this file system can't */
            return;
        }
    }
}

/* How much of the ballast is not there. It ends where the file has to. */
static uint64_t
missing_ballast(const struct store_lmdb *s)
{
    MDB_envinfo info;
    if (!s->has_ballast)
        return 0;
    mdb_env_info(s->env, &info);
    uint64_t to = ((info.me_last_pgno + 1) << s->page_shift) + s->options.ballast_bytes;
    if (to > info.me_mapsize)
        to = info.me_mapsize;
    return s->ballast_to < to ? to - s->ballast_to : 0;
}

/* Keeps blocks allocated beyond the file's end. They are the file's own, so that nobody else can
 * take them on a full disk, as room that is given back to the disk could be. */
static void
keep_ballast(struct store_lmdb *s)
{
    uint64_t missing = missing_ballast(s);
    int fd;
    if (missing <= s->options.ballast_bytes / 2 || mdb_env_get_fd(s->env, &fd) != 0)
        return;
    allocate(s, fd, s->ballast_to + missing);
    s->room_is_old = true;
}

/* What was allocated when the file was open before is asked for again, which costs nothing. */
static void
begin_ballast(struct store_lmdb *s)
{
    struct stat st;
    int fd;
    s->has_ballast =
        s->options.ballast_bytes > 0 && mdb_env_get_fd(s->env, &fd) == 0 && fstat(fd, &st) == 0;
    if (s->has_ballast)
        s->ballast_to = (uint64_t)st.st_size;
    keep_ballast(s);
}

uint64_t
store_lmdb_tend(struct store *store)
{
    struct store_lmdb *s = self(store);
    int dead;
    s->ballast_pause = 0;
    keep_ballast(s);
    s->room_is_old = true; /* others write to the disk as well */
    (void)mdb_reader_check(s->env, &dead);
    return missing_ballast(s);
}

enum stint_status
store_lmdb_copy(struct store *store, int fd)
{
    struct store_lmdb *s = self(store);
    int rc = mdb_env_copyfd2(s->env, fd, MDB_CP_COMPACT);
    if (rc)
        fail(s, "can't copy", rc);
    return rc ? STINT_IO : STINT_OK;
}

enum stint_status
store_lmdb_sync(struct store *store)
{
    struct store_lmdb *s = self(store);
    int rc = mdb_env_sync(s->env, 1);
    if (rc)
        fail(s, "can't sync", rc);
    return rc ? STINT_IO : STINT_OK;
}

/* LMDB does not tell how many pages a transaction has copied. Each is at an address of its own
 * while it lasts, so different pages of addresses are counted, by a hash: at most three a page, if
 * it was found in the file, and lies across two. */
static void
touch(struct store_lmdb *s, const void *at)
{
    uint64_t bit = (((uintptr_t)at >> s->page_shift) * 0x9e3779b97f4a7c15ULL) >> DIRTY_SHIFT;
    uint64_t *word = &s->dirty[bit / 64], mask = 1ULL << bit % 64;
    s->dirty_count += (*word & mask) == 0;
    *word |= mask;
}

static void
forget_touched(struct store_lmdb *s)
{
    if (s->dirty_count > 0)
        memset(s->dirty, 0, sizeof s->dirty);
    s->dirty_count = 0;
}

static uint64_t
lmdb_pending(struct store *store)
{
    const struct store_lmdb *s = self(store);
    return (uint64_t)s->dirty_count << s->page_shift;
}

static void
lmdb_begin(struct store *store)
{
    (void)store; /* see ready() */
}

static void
lmdb_abort(struct store *store)
{
    struct store_lmdb *s = self(store);
    if (s->txn) {
        close_cursors(s);
        mdb_txn_abort(s->txn);
        s->txn = NULL;
        forget_touched(s);
    }
}

static enum stint_status
lmdb_commit(struct store *store)
{
    struct store_lmdb *s = self(store);
    if (s->failed) {
        lmdb_abort(store);
        return STINT_IO;
    }
    if (!s->txn)
        return STINT_OK;
    close_cursors(s);
    MDB_txn *txn = s->txn;
    s->txn = NULL; /* commit frees it, also when it fails */
    forget_touched(s);
    int rc = mdb_txn_commit(txn);
    if (rc) {
        fail(s, "can't commit to", rc);
        return STINT_IO;
    }
    if (s->ballast_pause == 0)
        keep_ballast(s);
    else
        s->ballast_pause--;
    return STINT_OK;
}

static MDB_val
val(struct slice s)
{
    return (MDB_val){.mv_size = s.size, .mv_data = (void *)(uintptr_t)s.data};
}

static struct slice
slice(MDB_val v)
{
    return (struct slice){v.mv_data, v.mv_size};
}

static bool
found(struct store_lmdb *s, int rc)
{
    if (rc != 0 && rc != MDB_NOTFOUND)
        fail(s, "can't read", rc);
    return rc == 0;
}

static bool
stands(const struct store_lmdb *s, const struct standing *at)
{
    return at->known && at->writes == s->cursors.writes;
}

static bool
lmdb_get(struct store *store, enum store_table table, struct slice key, struct slice *value)
{
    struct store_lmdb *s = self(store);
    MDB_cursor *c = cursor(s, table, CURSOR_READ);
    MDB_val k = val(key), v;
    s->cursors.read_at[table].known = false;
    if (!c || !found(s, mdb_cursor_get(c, &k, &v, MDB_SET)))
        return false;
    *value = slice(v);
    return true;
}

/* From right behind what was found last, the next row need not be searched for. A longer key may
 * still stand before `from`. */
static bool
is_next_found(struct store_lmdb *s, MDB_cursor *c, const struct standing *at, struct slice from,
    MDB_val *k, MDB_val *v)
{
    return stands(s, at) && key_follows(at->key, from) && mdb_cursor_get(c, k, v, MDB_NEXT) == 0 &&
        !store_key_before(slice(*k), from);
}

static bool
lmdb_seek(struct store *store, enum store_table table, struct slice from, struct slice *key,
    struct slice *value)
{
    struct store_lmdb *s = self(store);
    MDB_cursor *c = cursor(s, table, CURSOR_READ);
    MDB_val k, v;
    struct standing *at = &s->cursors.read_at[table];
    bool goes_on = c && is_next_found(s, c, at, from, &k, &v);
    at->known = false;
    if (!goes_on) {
        k = val(from);
        if (!c || !found(s, mdb_cursor_get(c, &k, &v, MDB_SET_RANGE)))
            return false;
    }
    *key = slice(k);
    *value = slice(v);
    *at = (struct standing){.known = true, .writes = s->cursors.writes, .key = *key};
    return true;
}

static bool
lmdb_seek_back(struct store *store, enum store_table table, struct slice from, struct slice *key,
    struct slice *value)
{
    struct store_lmdb *s = self(store);
    MDB_cursor *c = cursor(s, table, CURSOR_READ);
    MDB_val k = val(from), v;
    s->cursors.read_at[table].known = false;
    if (!c)
        return false;
    bool behind = found(s, mdb_cursor_get(c, &k, &v, MDB_SET_RANGE));
    bool at = behind && k.mv_size == from.size && memcmp(k.mv_data, from.data, from.size) == 0;
    if (!at && !found(s, mdb_cursor_get(c, &k, &v, behind ? MDB_PREV : MDB_LAST)))
        return false;
    *key = slice(k);
    *value = slice(v);
    return true;
}

static void
lmdb_put(struct store *store, enum store_table table, struct slice key, struct slice head,
    struct slice body)
{
    struct store_lmdb *s = self(store);
    MDB_cursor *c = cursor(s, table, CURSOR_PUT);
    MDB_val k = val(key), v = {.mv_size = head.size + body.size, .mv_data = NULL};
    if (!c)
        return;
    s->cursors.writes++;
    int rc = mdb_cursor_put(c, &k, &v, MDB_RESERVE);
    if (rc) {
        fail(s, "can't write to", rc);
        return;
    }
    if (head.size)
        memcpy(v.mv_data, head.data, head.size);
    if (body.size)
        memcpy((uint8_t *)v.mv_data + head.size, body.data, body.size);
    touch(s, v.mv_data);
    s->spent_bytes += ROW_BYTES + v.mv_size;
}

/* After a deletion the cursor stands at the next row, which is often the next to be deleted. */
static bool
is_next_deleted(
    struct store_lmdb *s, MDB_cursor *c, enum store_table table, struct slice key, MDB_val *v)
{
    MDB_val k;
    return stands(s, &s->cursors.deleted_at[table]) &&
        mdb_cursor_get(c, &k, v, MDB_GET_CURRENT) == 0 && k.mv_size == key.size &&
        memcmp(k.mv_data, key.data, key.size) == 0;
}

static bool
lmdb_del(struct store *store, enum store_table table, struct slice key)
{
    struct store_lmdb *s = self(store);
    MDB_cursor *c = cursor(s, table, CURSOR_DEL);
    MDB_val k = val(key), v;
    if (!c ||
        (!is_next_deleted(s, c, table, key, &v) && !found(s, mdb_cursor_get(c, &k, &v, MDB_SET))))
        return false;
    touch(s, v.mv_data);
    int rc = mdb_cursor_del(c, 0);
    if (rc)
        fail(s, "can't delete from", rc);
    s->cursors.deleted_at[table] = (struct standing){.known = true, .writes = ++s->cursors.writes};
    return rc == 0;
}

/* Pages in LMDB's free list, which is its table 0: transaction number -> count, page numbers. Only
 * a reader may look at it; this one is gone before anybody notices. */
static uint64_t
count_free_pages(struct store_lmdb *s)
{
    MDB_txn *reader;
    MDB_cursor *c;
    MDB_val k, v;
    uint64_t pages = 0;
    if (mdb_txn_begin(s->env, NULL, MDB_RDONLY, &reader) != 0)
        return 0;
    if (mdb_cursor_open(reader, 0, &c) == 0) {
        while (mdb_cursor_get(c, &k, &v, MDB_NEXT) == 0) {
            size_t count;
            memcpy(&count, v.mv_data, sizeof count);
            pages += count;
        }
        mdb_cursor_close(c);
    }
    mdb_txn_abort(reader);
    return pages;
}

/* Counted once a transaction, however often it is asked for. */
static uint64_t
free_pages(struct store_lmdb *s, const MDB_envinfo *info)
{
    if (s->free_at != info->me_last_txnid) {
        s->free_pages = count_free_pages(s);
        s->free_at = info->me_last_txnid;
    }
    return s->free_pages;
}

static void
lmdb_usage(struct store *store, uint64_t *used_bytes, uint64_t *size_bytes)
{
    struct store_lmdb *s = self(store);
    MDB_envinfo info;
    mdb_env_info(s->env, &info);
    uint64_t pages = info.me_last_pgno + 1 - free_pages(s, &info);
    *used_bytes = pages << s->page_shift;
    *size_bytes = info.me_mapsize;
}

/* Free pages can be counted only by walking the free list, so it is done when the file has come
 * near its limit, and then every few transactions; the reserve covers what happens between. */
static uint64_t
work_out_room(struct store_lmdb *s)
{
    MDB_envinfo info;
    mdb_env_info(s->env, &info);
    uint64_t size = info.me_mapsize >> s->page_shift;
    uint64_t used = info.me_last_pgno + 1 + s->dirty_count; /* also what is not committed */
    if (used > size)
        return 0; /* the map was made as large as the file needs, and no larger */
    if (missing_ballast(s) > s->options.ballast_bytes / 2)
        return 0; /* it is being used up: what is left is for what was accepted */
    if (used > size - size / 4)
        used -= free_pages(s, &info);
    uint64_t room = (size - used) << s->page_shift;
    room = room > s->options.reserve_bytes ? room - s->options.reserve_bytes : 0;
    struct statvfs fs;
    if (statvfs(s->options.path, &fs) == 0) {
        uint64_t disk = (uint64_t)fs.f_bavail * fs.f_frsize;
        uint64_t end = info.me_last_pgno + 1;
        uint64_t unused = end > used ? end - used : 0; /* pages of the file that are free */
        disk = disk > s->options.disk_free_bytes ? disk - s->options.disk_free_bytes : 0;
        disk += unused << s->page_shift;
        if (disk < room)
            room = disk;
    }
    return room;
}

/* What was put since is taken off twice over, as pages are rarely full. */
static uint64_t
room_left(const struct store_lmdb *s)
{
    uint64_t spent = 2 * s->spent_bytes;
    return s->room_bytes > spent ? s->room_bytes - spent : 0;
}

static uint64_t
lmdb_room(struct store *store)
{
    enum { BALLAST_SHARE = 8 };
    struct store_lmdb *s = self(store);
    /* Near the limit it is worked out anew with each transaction, and before what others leave of
     * the disk may be less than the ballast can stand for. */
    bool low = room_left(s) < s->options.reserve_bytes && s->spent_bytes > 0;
    bool much = s->has_ballast && s->spent_bytes > s->options.ballast_bytes / BALLAST_SHARE;
    if (s->room_is_old || low || much || s->room_bytes == 0) {
        s->room_bytes = work_out_room(s);
        s->spent_bytes = 0;
        s->room_is_old = false;
    }
    return room_left(s);
}

static const char *
lmdb_error(struct store *store)
{
    return self(store)->error;
}

static void
lmdb_destroy(struct store **store)
{
    if (!*store)
        return;
    struct store_lmdb *s = self(*store);
    lmdb_abort(*store);
    if (s->env)
        mdb_env_close(s->env);
    free(s);
    *store = NULL;
}

static const struct store_ops lmdb_ops = {lmdb_begin, lmdb_commit, lmdb_abort, lmdb_get, lmdb_seek,
    lmdb_seek_back, lmdb_put, lmdb_del, lmdb_room, lmdb_usage, lmdb_pending, lmdb_error,
    lmdb_destroy};

static int
open_tables(struct store_lmdb *s)
{
    MDB_txn *txn;
    bool reads = s->options.read_only;
    int rc = mdb_txn_begin(s->env, NULL, reads ? MDB_RDONLY : 0, &txn);
    if (rc)
        return rc;
    for (unsigned t = 0; t < STORE_TABLES; t++) {
        rc = mdb_dbi_open(txn, table_names[t], reads ? 0 : MDB_CREATE, &s->tables[t]);
        if (rc == MDB_NOTFOUND && reads) {
            s->tables[t] = NO_TABLE;
        } else if (rc) {
            mdb_txn_abort(txn);
            return rc;
        }
    }
    return mdb_txn_commit(txn);
}

static void
on_assertion(MDB_env *env, const char *what)
{
    const struct store_lmdb *s = mdb_env_get_userctx(env);
    s->options.on_damage(what);
}

static int
open_environment(struct store_lmdb *s)
{
    int rc = mdb_env_create(&s->env);
    if (rc)
        return rc;
    if (s->options.on_damage) {
        (void)mdb_env_set_userctx(s->env, s);
        (void)mdb_env_set_assert(s->env, on_assertion);
    }
    rc = mdb_env_set_maxdbs(s->env, STORE_TABLES);
    if (!rc && !s->options.read_only) /* which takes the size that the writer gave it */
        rc = mdb_env_set_mapsize(s->env, s->options.size_bytes);
    unsigned flags = MDB_NOSUBDIR | MDB_NOTLS | (s->options.read_only ? MDB_RDONLY : 0) |
        (s->options.alone ? MDB_NOLOCK : 0) | (s->options.unsynced ? MDB_NOSYNC : 0);
    if (!rc)
        rc = mdb_env_open(s->env, s->options.path, flags, 0600);
    if (!rc)
        rc = open_tables(s);
    return rc;
}

static void
say_why(const struct store_lmdb_options *o, int rc, char *text, size_t size)
{
    if (rc == ENOMEM)
        (void)snprintf(text, size,
            "can't map %s into memory: %llu MiB of address space are not to be had; give less with "
            "--store-size, or raise the limit of virtual memory (ulimit -v)",
            o->path, (unsigned long long)(o->size_bytes >> 20));
    else
        (void)snprintf(text, size, "can't open %s: %s", o->path, mdb_strerror(rc));
}

enum stint_status
store_lmdb_new(const struct store_lmdb_options *options, struct store **store, const char **error)
{
    static _Thread_local char text[512];
    struct store_lmdb *s = calloc(1, sizeof *s);
    if (!s)
        return STINT_NO_MEMORY;
    s->base.ops = &lmdb_ops;
    s->options = *options;
    *store = &s->base; /* so that whoever on_damage leads to can close it */
    int rc = open_environment(s);
    if (rc) {
        say_why(options, rc, text, sizeof text);
        *error = text;
        if (s->env)
            mdb_env_close(s->env);
        free(s);
        *store = NULL;
        return rc == MDB_CORRUPTED || rc == MDB_INVALID || rc == MDB_VERSION_MISMATCH
            ? STINT_DAMAGED
            : STINT_IO;
    }
    MDB_stat stat;
    mdb_env_stat(s->env, &stat);
    s->page_shift = (unsigned)__builtin_ctz(stat.ms_psize);
    begin_ballast(s);
    return STINT_OK;
}
