/* Backup files: --backup makes one of a data directory, also while a stintd uses it; --restore
 * makes a directory of one. The copy is LMDB's own compact one, of what one read transaction sees.
 * It is read as a whole and checked before it gets its name.
 */
#include "feed_rows.h"
#include "log.h"
#include "minder.h"
#include "now.h"
#include "rows.h"
#include "store_lmdb.h"
#include "upkeep.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PIECE_BYTES = 1 << 20 };

static bool
is_stream(const char *name)
{
    return strcmp(name, "-") == 0;
}

/* Nothing is written over but an older backup. */
static int
check_target(const char *name)
{
    struct stat st;
    struct seal seal;
    if (is_stream(name))
        return isatty(STDOUT_FILENO)
            ? upkeep_refuse(EX_USAGE, "a backup is nothing to be written to a terminal")
            : EX_OK;
    if (stat(name, &st) != 0)
        return EX_OK;
    int fd = S_ISREG(st.st_mode) ? open(name, O_RDONLY | O_CLOEXEC) : -1;
    enum seal_result found = fd >= 0 ? seal_read(fd, false, &seal) : SEAL_NONE;
    if (fd >= 0)
        close(fd);
    if (found == SEAL_NONE || found == SEAL_UNREAD)
        return upkeep_refuse(EX_CANTCREAT,
            "%s is there and is no backup of stintd's; it is left as it is: choose another name",
            name);
    return EX_OK;
}

static int
open_fresh(struct fresh *f, const char *name, bool keeps)
{
    if (fresh_open(f, name, keeps))
        return EX_OK;
    return upkeep_refuse(
        EX_CANTCREAT, "can't make a file %s %s: %s", keeps ? "for" : "in", name, strerror(errno));
}

static int
failed_write(const char *name)
{
    return upkeep_refuse(EX_IOERR, "can't write %s: %s; nothing is left of it",
        is_stream(name) ? "the backup" : name, strerror(errno));
}

/* All bytes of one descriptor to another. False with errno set. */
static bool
pour(int from, int to)
{
    char *piece = malloc(PIECE_BYTES);
    ssize_t n;
    bool good = piece != NULL;
    while (good && (n = read(from, piece, PIECE_BYTES)) != 0) {
        good = n > 0 || errno == EINTR;
        for (ssize_t done = 0, wrote; good && done < n; done += wrote) {
            wrote = write(to, piece + done, (size_t)(n - done));
            good = wrote >= 0;
        }
    }
    free(piece);
    return good;
}

/* The file is checked: it gets its name, or goes where it is to go. */
static int
deliver(struct fresh *f, const char *name)
{
    bool good = is_stream(name) ? lseek(f->fd, 0, SEEK_SET) == 0 && pour(f->fd, STDOUT_FILENO)
                                : fresh_keep(f, true);
    return good ? EX_OK : failed_write(name);
}

/* What is said at the end. */
struct told {
    uint64_t begun_ms, copied_ms, grown_bytes, data_bytes, bytes;
    struct verify_report report;
};

static uint64_t
size_of(int fd)
{
    struct stat st;
    return fstat(fd, &st) == 0 ? (uint64_t)st.st_size : 0;
}

/* The copy itself; the source is let go as soon as it is made. */
static int
copy(struct source *s, struct fresh *f, const char *name, struct told *told)
{
    int file = s->file >= 0 ? s->file : s->data.file;
    enum stint_status status = store_lmdb_copy(s->store, f->fd);
    told->data_bytes = size_of(file);
    told->grown_bytes = minder_done_reading();
    told->copied_ms = clock_ms();
    int rc = status == STINT_OK
        ? EX_OK
        : upkeep_refuse(EX_IOERR, "can't make %s: %s; nothing is left of it",
              is_stream(name) ? "the backup" : name, s->store->ops->error(s->store));
    source_close(s);
    return rc;
}

static int
make(const struct options *o, struct source *s, struct fresh *f, struct told *told)
{
    const char *name = o->upkeep.backup;
    struct seal seal = s->seal;
    seal.taken_ms = clock_wall_ms();
    int rc = copy(s, f, name, told);
    if (!rc)
        rc = upkeep_check(o, f->path, &seal, &told->report);
    if (rc)
        return rc;
    seal.size = size_of(f->fd);
    told->bytes = seal.size + SEAL_BYTES;
    return seal_write(f->fd, &seal) ? deliver(f, name) : failed_write(name);
}

int
backup_run(const struct options *o, int signals)
{
    static struct fresh f = {.fd = -1}; /* the minder has it as well */
    struct source s;
    struct told told = {.begun_ms = clock_ms()};
    const char *name = o->upkeep.backup;
    minder_start(&(struct minder_options){.signals = signals, .fresh = &f});
    int rc = check_target(name);
    if (!rc)
        rc = source_open(&s, o, o->data, true);
    if (rc)
        return rc;
    rc = open_fresh(&f, is_stream(name) ? upkeep_directory_for_copies() : name, !is_stream(name));
    if (!rc) {
        minder_reads(s.data.file, o->upkeep.growth_bytes);
        rc = make(o, &s, &f, &told);
    }
    source_close(&s);
    fresh_drop(&f);
    if (rc)
        return rc;
    log_event(LOG_LEVEL_INFO, "backup made",
        LOG_FIELDS(LOG_TEXT("file", name), LOG_NUMBER("bytes", told.bytes),
            LOG_NUMBER("jobs", upkeep_jobs(&told.report)),
            LOG_NUMBER("data_bytes", told.data_bytes), LOG_NUMBER("grown_bytes", told.grown_bytes),
            LOG_NUMBER("copy_ms", told.copied_ms - told.begun_ms),
            LOG_NUMBER("ms", clock_ms() - told.begun_ms)));
    return EX_OK;
}

/* ---- restore ---- */

static void
unmake(void *context)
{
    data_unmake(context);
}

static int
take_in(const struct options *o, struct fresh *f, struct seal *seal)
{
    const char *name = o->upkeep.restore;
    int from = is_stream(name) ? STDIN_FILENO : open(name, O_RDONLY | O_CLOEXEC);
    if (from < 0)
        return upkeep_refuse(EX_NOINPUT, "can't open %s: %s", name, strerror(errno));
    bool good = pour(from, f->fd);
    int error = errno;
    if (from != STDIN_FILENO)
        close(from);
    if (!good)
        return upkeep_refuse(EX_IOERR, "can't copy %s to %s: %s", name, o->data, strerror(error));
    int rc = source_judge(seal_read(f->fd, true, seal), name, seal);
    if (!rc)
        rc = upkeep_check_number(o, name, seal->broker);
    if (!rc && ftruncate(f->fd, (off_t)seal->size) != 0)
        rc = upkeep_refuse(EX_IOERR, "can't cut the copy of %s: %s", name, strerror(errno));
    return rc;
}

/* There is no journal, so that the first start begins one. What is recorded from now on has numbers
 * that the broker gave to other events since the backup was made: so the feeds begin a new life,
 * and who follows them is told. */
static int
begin_anew(const struct options *o, const char *path)
{
    struct store *store = NULL;
    uint8_t at[FEED_KEY_BYTES] = {0}, bytes[ROW_FEED_BYTES_MAX], text[2][LIMIT_NAME_BYTES];
    struct slice key, value, from = {at, 1};
    struct row_feed row;
    int rc = upkeep_open(o, path, false, &store);
    if (rc)
        return rc;
    store->ops->begin(store);
    (void)store_del(store, STORE_META, meta_key(META_JOURNAL));
    while (store_seek(store, STORE_FEEDS, from, &key, &value) && row_feed_read(key, value, &row) &&
        row.number < UINT32_MAX) {
        memcpy(text[0], row.name.data, row.name.size);
        memcpy(text[1], row.queues.data, row.queues.size);
        row.name.data = text[0];
        row.queues.data = text[1];
        row.life = feed_life();
        store_put(store, STORE_FEEDS, feed_key(at, row.number), row_feed_write(bytes, &row),
            (struct slice){0});
        from = feed_key(at, row.number + 1);
    }
    if (store->ops->commit(store) != STINT_OK)
        rc = upkeep_refuse(EX_IOERR, "can't write %s: %s", path, store->ops->error(store));
    store->ops->destroy(&store);
    return rc;
}

int
restore_run(const struct options *o, int signals)
{
    static struct fresh f = {.fd = -1};
    static struct data data;
    struct seal seal;
    struct verify_report report = {0};
    char text[1024];
    int rc = data_make(&data, o->data, text);
    if (rc)
        return upkeep_refuse(rc, "%s", text);
    rc = open_fresh(&f, data.path, true);
    minder_start(&(struct minder_options){
        .signals = signals, .fresh = &f, .drop = unmake, .context = &data});
    if (!rc)
        rc = take_in(o, &f, &seal);
    if (!rc)
        rc = upkeep_check(o, f.path, &seal, &report);
    if (!rc)
        rc = begin_anew(o, f.path);
    if (!rc)
        rc = upkeep_settle_in(&data, &f, &seal);
    fresh_drop(&f);
    if (rc) {
        data_unmake(&data);
        return rc;
    }
    log_event(LOG_LEVEL_INFO, "restored",
        LOG_FIELDS(LOG_TEXT("data", data.directory), LOG_NUMBER("jobs", upkeep_jobs(&report)),
            LOG_NUMBER("bytes", seal.size), LOG_NUMBER("broker", (uint64_t)seal.broker),
            LOG_NUMBER("taken_ms", seal.taken_ms)));
    data_close(&data);
    return EX_OK;
}
