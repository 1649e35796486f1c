/* The data directory; what is in it and why is told in data.h. */
#include "data.h"
#include "file_look.h"
#include "set_aside.h"
#include "small_file.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <lmdb.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

enum { MANIFEST_BYTES = 192 };

#define COMPLAIN(error, ...) (void)snprintf((error), 1024, __VA_ARGS__)

static int
make_directory(const char *path, char *error)
{
    struct stat st;
    if (mkdir(path, 0700) != 0 && errno != EEXIST) {
        COMPLAIN(
            error, "can't make the data directory %s: %s; choose another", path, strerror(errno));
        return EX_CANTCREAT;
    }
    if (stat(path, &st) != 0 || !S_ISDIR(st.st_mode)) {
        COMPLAIN(error, "%s is not a directory; choose another", path);
        return EX_CANTCREAT;
    }
    if (access(path, R_OK | W_OK | X_OK) != 0) {
        COMPLAIN(
            error, "can't write to the data directory %s: %s; whose is it?", path, strerror(errno));
        return EX_NOPERM;
    }
    return 0;
}

/* LMDB needs locks and a memory map that hold; file systems over a network promise neither. */
static int
check_file_system(const char *path, char *error)
{
    enum { NFS = 0x6969, SMB = 0x517b };
    static const unsigned long others[] = {
        0xff534d42UL /* CIFS */, 0xfe534d42UL /* SMB2 */, 0x01021997UL /* 9p */};
    struct statfs fs;
    if (statfs(path, &fs) != 0)
        return 0;
    bool bad = fs.f_type == NFS || fs.f_type == SMB;
    for (unsigned i = 0; i < sizeof others / sizeof *others; i++)
        bad |= (unsigned long)fs.f_type == others[i];
    if (!bad)
        return 0;
    COMPLAIN(error,
        "%s is on a network file system, which can't keep a store safe; use a local disk", path);
    return EX_CONFIG;
}

static int
refuse_second(const struct data *d, char *error)
{
    char path[4096], owner[32] = "";
    (void)snprintf(path, sizeof path, "%s/LOCK", d->directory);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? 0 : read(fd, owner, sizeof owner - 1);
    owner[n > 0 ? strcspn(owner, "\n") : 0] = '\0';
    if (fd >= 0)
        close(fd);
    COMPLAIN(error, "another broker (process %s%s) uses %s; stop it, or choose another directory",
        owner[0] ? owner : "unknown", strtol(owner, NULL, 10) == (long)getpid() ? ", this one" : "",
        d->directory);
    return EX_TEMPFAIL;
}

/* The descriptor of the directory, on which its lock is. */
static bool
open_held(struct data *d)
{
    if (d->held < 0)
        d->held = open(d->directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return d->held >= 0;
}

/* The directory's own lock is what counts: LOCK may be removed by somebody who takes it for a
 * leftover. It stays for showing who that is. */
static int
take_lock(struct data *d, char *error)
{
    char path[4096];
    if (!open_held(d)) {
        COMPLAIN(error, "can't open %s: %s", d->directory, strerror(errno));
        return EX_NOPERM;
    }
    if (flock(d->held, LOCK_EX | LOCK_NB) != 0)
        return refuse_second(d, error);
    (void)snprintf(path, sizeof path, "%s/LOCK", d->directory);
    d->lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (d->lock < 0) {
        COMPLAIN(error, "can't open %s: %s", path, strerror(errno));
        return EX_NOPERM;
    }
    if (flock(d->lock, LOCK_EX | LOCK_NB) != 0)
        return refuse_second(d, error);
    if (ftruncate(d->lock, 0) == 0)
        (void)dprintf(d->lock, "%ld\n", (long)getpid());
    return 0;
}

/* The data file may have a second name in another directory. */
static int
lock_file(struct data *d, char *error)
{
    if (d->file < 0)
        d->file = open(d->path, O_RDONLY | O_CLOEXEC);
    if (d->file < 0) {
        COMPLAIN(error, "can't open %s: %s", d->path, strerror(errno));
        return EX_NOPERM;
    }
    if (flock(d->file, LOCK_EX | LOCK_NB) != 0) {
        COMPLAIN(error, "another broker uses %s under another name; stop it", d->path);
        return EX_TEMPFAIL;
    }
    return 0;
}

static int
manifest_text(
    char text[MANIFEST_BYTES], int format, const char *identity, uint64_t size, int number)
{
    int n = snprintf(text, MANIFEST_BYTES, "stint-data %d\nidentity %s\nsize %" PRIu64 "\n", format,
        identity, size);
    if (format > 1)
        n += snprintf(text + n, MANIFEST_BYTES - (size_t)n, "broker %d\n", number);
    return n;
}

static int
write_manifest(const struct data *d, int format, uint64_t size, int number, char *error)
{
    char text[MANIFEST_BYTES];
    int n = manifest_text(text, format, d->identity, size, number);
    if (small_file_replace(d->directory, "MANIFEST", text, (size_t)n))
        return 0;
    int problem = errno;
    COMPLAIN(error, "can't write %s/MANIFEST: %s", d->directory, strerror(problem));
    errno = problem;
    return EX_IOERR;
}

static int
begin_anew(struct data *d, int number, char *error)
{
    uint8_t bytes[16];
    if (getrandom(bytes, sizeof bytes, 0) != sizeof bytes) {
        COMPLAIN(error, "the system gives no random bytes: %s", strerror(errno));
        return EX_OSERR;
    }
    for (unsigned i = 0; i < sizeof bytes; i++)
        (void)snprintf(d->identity + (size_t)2 * i, 3, "%02x", bytes[i]);
    return write_manifest(d, DATA_FORMAT, 0, number, error);
}

/* Where LMDB's newer root says the file ends. Reads the two meta pages; their size is the system's
 * where the file was made. */
static bool
size_by_root(int fd, uint64_t *size)
{
    enum { PAGE_BYTES_MAX = 65536 };
    struct {
        uint8_t page_header[16];
        uint32_t magic, version;
        uint64_t address, map_size;
        uint32_t page_bytes;
        uint8_t trees[92];
        uint64_t last_page, transaction;
    } meta;
    uint64_t newest = 0, page_bytes = 0;
    *size = 0;
    for (uint64_t i = 0; i < 2; i++) {
        if (pread(fd, &meta, sizeof meta, (off_t)(page_bytes * i)) != (ssize_t)sizeof meta ||
            meta.magic != 0xbeefc0deU || meta.page_bytes == 0 || meta.page_bytes > PAGE_BYTES_MAX)
            return false;
        page_bytes = meta.page_bytes;
        if (i == 0 || meta.transaction > newest) {
            newest = meta.transaction;
            *size = (meta.last_page + 1) * page_bytes;
        }
    }
    return true;
}

static int
visit_table(MDB_txn *txn, MDB_dbi table)
{
    MDB_cursor *c;
    MDB_val k, v;
    volatile uint8_t sum = 0;
    int rc = mdb_cursor_open(txn, table, &c);
    if (rc)
        return rc;
    while ((rc = mdb_cursor_get(c, &k, &v, MDB_NEXT)) == 0) {
        const uint8_t *bytes = v.mv_data;
        for (size_t i = 0; i < v.mv_size; i += 512)
            sum = (uint8_t)(sum + bytes[i]);
    }
    mdb_cursor_close(c);
    return rc == MDB_NOTFOUND ? 0 : rc;
}

static int
visit_all(const char *path)
{
    MDB_env *env;
    MDB_txn *txn;
    MDB_dbi names, table;
    MDB_cursor *c;
    MDB_val k, v;
    if (mdb_env_create(&env) || mdb_env_set_maxdbs(env, 64) ||
        mdb_env_open(env, path, MDB_NOSUBDIR | MDB_RDONLY | MDB_NOLOCK, 0600) ||
        mdb_txn_begin(env, NULL, MDB_RDONLY, &txn) || mdb_dbi_open(txn, NULL, 0, &names) ||
        mdb_cursor_open(txn, names, &c) || visit_table(txn, 0 /* the free list */))
        return 1;
    while (mdb_cursor_get(c, &k, &v, MDB_NEXT) == 0) {
        char name[64];
        (void)snprintf(name, sizeof name, "%.*s", (int)k.mv_size, (const char *)k.mv_data);
        if (mdb_dbi_open(txn, name, 0, &table) || visit_table(txn, table))
            return 1;
    }
    return 0;
}

/* The child of all_pages_are_there. */
_Noreturn static void
visit_and_tell(const char *path, int to)
{
    (void)signal(SIGBUS, SIG_DFL);
    (void)signal(SIGSEGV, SIG_DFL);
    _exit(visit_all(path) != 0 || write(to, "", 1) != 1);
}

/* In a process apart, because a page that is not there kills who touches it. Its word comes through
 * a pipe: what becomes of children is not ours to say in every process. */
static bool
all_pages_are_there(const char *path)
{
    int ends[2];
    char word;
    if (pipe2(ends, O_CLOEXEC) != 0)
        return false;
    pid_t child = fork();
    if (child == 0)
        visit_and_tell(path, ends[1]);
    close(ends[1]);
    ssize_t n;
    do
        n = read(ends[0], &word, 1);
    while (n < 0 && errno == EINTR);
    close(ends[0]);
    while (child > 0 && waitpid(child, NULL, 0) < 0 && errno == EINTR)
        ;
    return child > 0 && n == 1;
}

/* The data file is open. */
static int
check_pages(struct data *d, char *error)
{
    struct stat st = {0};
    uint64_t root;
    int rc = lock_file(d, error);
    if (rc)
        return rc;
    bool has_root = fstat(d->file, &st) == 0 && size_by_root(d->file, &root);
    uint64_t size = (uint64_t)st.st_size;
    if (size < d->least_bytes || !has_root) {
        COMPLAIN(error,
            "%s is damaged: it has %" PRIu64 " bytes and had at least %" PRIu64
            "; it is left as it is: restore it from a backup",
            d->path, size, d->least_bytes);
        return EX_DATAERR;
    }
    if (size < root && !all_pages_are_there(d->path)) {
        COMPLAIN(error,
            "%s is cut short: it has %" PRIu64 " bytes and needs %" PRIu64
            "; it is left as it is: restore it from a backup",
            d->path, size, root);
        return EX_DATAERR;
    }
    return 0;
}

static int
check_file(struct data *d, char *error)
{
    d->file = open(d->path, O_RDONLY | O_CLOEXEC);
    if (d->file >= 0)
        return check_pages(d, error);
    COMPLAIN(error, "can't open %s: %s; the manifest beside it says that it was there: restore it",
        d->path, strerror(errno));
    return EX_NOINPUT;
}

/* A data file beside a manifest that knows of none: its first start did not come to serving, or
 * the manifest is an old one. Whatever it is, it is kept. */
static int
keep_unknown(struct data *d, char *error)
{
    if (set_aside(d->directory, d->path, d->set_aside, sizeof d->set_aside))
        return !d->set_aside[0] || fsync(d->held) == 0 ? 0 : EX_IOERR;
    COMPLAIN(error, "can't rename %s, which the MANIFEST does not know of: %s; move it away",
        d->path, strerror(errno));
    return EX_IOERR;
}

/* What was read is written again and compared, so that every byte of it is understood. */
static bool
parse_manifest(struct data *d, const char *text)
{
    char again[MANIFEST_BYTES];
    d->number = -1;
    int fields = sscanf(text, "stint-data %d identity %32[0-9a-f] size %" SCNu64 " broker %d",
        &d->format, d->identity, &d->least_bytes, &d->number);
    if (fields < 1 || d->format < 1 || d->format > DATA_FORMAT)
        return false;
    manifest_text(again, d->format, d->identity, d->least_bytes, d->number);
    return fields == (d->format == 1 ? 3 : 4) && strlen(d->identity) == 32 &&
        d->least_bytes <= INT64_MAX && d->number <= UINT16_MAX &&
        d->number >= (d->format == 1 ? -1 : 0) && strcmp(text, again) == 0;
}

/* Returns the exit code; `*missing` if there is none. */
static int
read_manifest(struct data *d, bool *missing, char *error)
{
    char path[4096], text[512] = "";
    (void)snprintf(path, sizeof path, "%s/MANIFEST", d->directory);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    *missing = fd < 0 && errno == ENOENT;
    if (*missing)
        return 0;
    ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
    if (n < 0) {
        COMPLAIN(error, "can't read %s: %s", path, strerror(errno));
        if (fd >= 0)
            close(fd);
        return EX_NOPERM;
    }
    close(fd);
    bool good = parse_manifest(d, text) && strlen(text) == (size_t)n;
    if (d->format > DATA_FORMAT) {
        COMPLAIN(error, "%s has format %d and this stintd knows up to %d; use a newer stintd",
            d->directory, d->format, DATA_FORMAT);
        return EX_CONFIG;
    }
    if (!good) {
        COMPLAIN(error, "%s is damaged: it can't be understood; restore it from a backup", path);
        return EX_DATAERR;
    }
    return 0;
}

int
data_refuse_number(const struct data *d, uint16_t number, char error[1024])
{
    COMPLAIN(error,
        "%s belongs to broker number %u; start with --broker-number %u, or choose "
        "another directory",
        d->directory, number, number);
    return EX_CONFIG;
}

static int
check_manifest(struct data *d, uint16_t number, bool verify, char *error)
{
    bool missing;
    int rc = read_manifest(d, &missing, error);
    if (rc)
        return rc;
    if (missing) {
        if (access(d->path, F_OK) != 0)
            return begin_anew(d, number, error);
        COMPLAIN(error,
            "%s has a data file but no MANIFEST; restore it, or choose another directory",
            d->directory);
        return EX_DATAERR;
    }
    if (d->least_bytes == 0)
        return verify ? 0 : keep_unknown(d, error);
    if (d->number >= 0 && d->number != number)
        return data_refuse_number(d, (uint16_t)d->number, error);
    return check_file(d, error);
}

static int
begin(struct data *d, const char *directory, char *error)
{
    *d = DATA_CLOSED;
    error[0] = '\0';
    if (strlen(directory) >= sizeof d->directory - 32) {
        COMPLAIN(error, "the path of the data directory is too long");
        return EX_USAGE;
    }
    (void)snprintf(d->directory, sizeof d->directory, "%s", directory);
    (void)snprintf(d->path, sizeof d->path, "%s/jobs.lmdb", directory);
    return 0;
}

int
data_open(struct data *d, const char *directory, uint16_t number, bool verify, char error[1024])
{
    int rc = begin(d, directory, error);
    if (!rc)
        rc = make_directory(directory, error);
    if (!rc)
        rc = check_file_system(directory, error);
    if (!rc)
        rc = take_lock(d, error);
    if (!rc)
        rc = check_manifest(d, number, verify, error);
    if (rc)
        data_close(d);
    return rc;
}

/* On a full disk the manifest may stay as it is, if only the size in it is old. */
int
data_complete(struct data *d, uint16_t number, char error[1024])
{
    struct stat st;
    int rc = lock_file(d, error);
    if (rc)
        return rc;
    if (fstat(d->file, &st) != 0 || fsync(d->held) != 0) {
        COMPLAIN(error, "can't look at %s: %s", d->path, strerror(errno));
        return EX_IOERR;
    }
    rc = write_manifest(d, DATA_FORMAT, (uint64_t)st.st_size, number, error);
    d->size_is_old = rc && (errno == ENOSPC || errno == EDQUOT) && d->format == DATA_FORMAT &&
        d->number == number && d->least_bytes > 0;
    if (!d->size_is_old)
        d->least_bytes = (uint64_t)st.st_size;
    return d->size_is_old ? 0 : rc;
}

/* ---- looked at, made and replaced as a whole ---- */

/* Whoever reads beside a broker holds a shared lock on LMDB's lock file, so that the data file is
 * not replaced under it: the lock file says what is in use of that one. Where there is none no
 * broker has run yet, and none is to begin. */
static int
lock_shared(struct data *d, char *error)
{
    char path[4096 + 8];
    (void)snprintf(path, sizeof path, "%s-lock", d->path);
    d->lock = open(path, O_RDONLY | O_CLOEXEC);
    if (d->lock >= 0) {
        if (flock(d->lock, LOCK_SH | LOCK_NB) == 0)
            return 0;
        COMPLAIN(error, "%s is being compacted; try again later", d->directory);
        return EX_TEMPFAIL;
    }
    if (errno != ENOENT) {
        COMPLAIN(error, "can't open %s: %s", path, strerror(errno));
        return EX_NOPERM;
    }
    d->alone = true;
    if (open_held(d) && flock(d->held, LOCK_SH | LOCK_NB) == 0)
        return 0;
    COMPLAIN(error,
        "%s is in use and %s is gone, without which it can't be read; stop stintd first",
        d->directory, path);
    return EX_TEMPFAIL;
}

static int
look_at_file(struct data *d, char *error)
{
    struct stat st;
    if (d->least_bytes == 0) {
        COMPLAIN(error,
            "%s holds nothing: its first start did not come to an end; start stintd on it",
            d->directory);
        return EX_NOINPUT;
    }
    if (d->number < 0) {
        COMPLAIN(error, "%s has format 1; start this stintd on it once", d->directory);
        return EX_CONFIG;
    }
    d->file = open(d->path, O_RDONLY | O_CLOEXEC);
    if (d->file < 0 || fstat(d->file, &st) != 0) {
        COMPLAIN(error, "can't open %s: %s", d->path, strerror(errno));
        return EX_NOINPUT;
    }
    if ((uint64_t)st.st_size >= d->least_bytes)
        return 0;
    COMPLAIN(error, "%s is damaged: it has %" PRIu64 " bytes and had at least %" PRIu64, d->path,
        (uint64_t)st.st_size, d->least_bytes);
    return EX_DATAERR;
}

int
data_look(struct data *d, const char *directory, char error[1024])
{
    bool missing = false;
    int rc = begin(d, directory, error);
    if (!rc && !data_exists(directory)) {
        COMPLAIN(error, "%s is no data directory of stintd's; name one with --data", directory);
        rc = EX_NOINPUT;
    }
    if (!rc)
        rc = lock_shared(d, error);
    if (!rc)
        rc = read_manifest(d, &missing, error);
    if (!rc)
        rc = look_at_file(d, error);
    if (rc)
        data_close(d);
    return rc;
}

int
data_look_alone(struct data *d, const char *directory, uint16_t number, char error[1024])
{
    int rc = data_look(d, directory, error);
    if (rc)
        return rc;
    d->alone = true;
    if (!data_take(d))
        rc = refuse_second(d, error);
    else if (d->number != number)
        rc = data_refuse_number(d, (uint16_t)d->number, error);
    else
        rc = check_pages(d, error);
    if (rc)
        data_close(d);
    return rc;
}

bool
data_is_writable(const char *directory)
{
    static const char *const names[] = {"", "LOCK", "jobs.lmdb", "jobs.lmdb-lock"};
    char path[4096];
    for (unsigned i = 0; i < sizeof names / sizeof *names; i++) {
        (void)snprintf(path, sizeof path, "%s/%s", directory, names[i]);
        if (access(path, W_OK) != 0 && errno != ENOENT)
            return false;
    }
    return true;
}

bool
data_take(struct data *d)
{
    return open_held(d) && flock(d->held, LOCK_EX | LOCK_NB) == 0;
}

void
data_give_back(struct data *d)
{
    (void)flock(d->held, d->alone ? LOCK_SH : LOCK_UN);
}

int
data_make(struct data *d, const char *directory, char error[1024])
{
    char journal[4096];
    int rc = begin(d, directory, error);
    bool was_there = access(directory, F_OK) == 0;
    if (!rc)
        rc = make_directory(directory, error);
    d->made = !rc && !was_there;
    if (!rc)
        rc = check_file_system(directory, error);
    (void)snprintf(journal, sizeof journal, "%s/journal-00", directory);
    if (!rc &&
        (data_exists(directory) || access(d->path, F_OK) == 0 || access(journal, F_OK) == 0)) {
        COMPLAIN(error, "%s holds a broker's data already; name another directory with --data",
            directory);
        rc = EX_CANTCREAT;
    }
    if (!rc)
        rc = take_lock(d, error);
    if (rc)
        data_close(d);
    return rc;
}

int
data_adopt(struct data *d, int format, const char *identity, uint16_t number, char error[1024])
{
    struct stat st;
    if (stat(d->path, &st) != 0) {
        COMPLAIN(error, "can't look at %s: %s", d->path, strerror(errno));
        return EX_IOERR;
    }
    (void)snprintf(d->identity, sizeof d->identity, "%s", identity);
    return write_manifest(d, format, (uint64_t)st.st_size, number, error);
}

void
data_unmake(struct data *d)
{
    char path[4096];
    if (d->lock < 0)
        return;
    (void)snprintf(path, sizeof path, "%s/LOCK", d->directory);
    (void)unlink(path);
    if (d->made)
        (void)rmdir(d->directory);
    data_close(d);
}

int
data_hold(struct data *d, char error[1024])
{
    struct flock first = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 0, .l_len = 1};
    char path[4096 + 8];
    (void)snprintf(path, sizeof path, "%s-lock", d->path);
    d->readers = open(path, O_RDWR | O_CLOEXEC);
    if (d->readers < 0 && errno == ENOENT)
        return 0;
    if (d->readers >= 0 && flock(d->readers, LOCK_EX | LOCK_NB) == 0 &&
        fcntl(d->readers, F_SETLK, &first) == 0)
        return 0;
    COMPLAIN(error, "somebody reads %s, as a backup does; try again later", d->path);
    return EX_TEMPFAIL;
}

int
data_shrink(struct data *d, uint64_t size, char error[1024])
{
    int rc = write_manifest(d, d->format, size, d->number, error);
    if (!rc)
        d->least_bytes = size;
    return rc;
}

bool
data_is_there(const struct data *d, char error[1024])
{
    struct statx there, here;
    bool looked = file_look(-1, d->path, &there);
    bool gone = !looked && (errno == ENOENT || errno == ENOTDIR);
    if (!file_look(d->file, NULL, &here))
        return true; /* nothing is known */
    gone |= here.stx_nlink == 0;
    bool same = !looked ||
        (there.stx_ino == here.stx_ino && there.stx_dev_major == here.stx_dev_major &&
            there.stx_dev_minor == here.stx_dev_minor);
    if (!gone && same && here.stx_size >= d->least_bytes)
        return true;
    COMPLAIN(error, "the data file %s was %s while it was in use", d->path,
        gone       ? "removed"
            : same ? "cut short"
                   : "replaced");
    return false;
}

bool
data_exists(const char *directory)
{
    char path[4096];
    (void)snprintf(path, sizeof path, "%s/MANIFEST", directory);
    return access(path, F_OK) == 0;
}

void
data_close(struct data *d)
{
    int *all[] = {&d->file, &d->lock, &d->held, &d->readers};
    for (unsigned i = 0; i < sizeof all / sizeof *all; i++) {
        if (*all[i] >= 0)
            close(*all[i]);
        *all[i] = -1;
    }
}
