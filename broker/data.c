/* The data directory; what is in it and why is told in data.h. */
#include "data.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <lmdb.h>
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

#define COMPLAIN(error, ...) (void)snprintf((error), 1024, __VA_ARGS__)

static int
make_directory(const char *path, char *error)
{
    struct stat st;
    if (mkdir(path, 0700) != 0 && errno != EEXIST) {
        COMPLAIN(error, "can't make the data directory %s: %s; choose another with --data", path,
            strerror(errno));
        return EX_CANTCREAT;
    }
    if (stat(path, &st) != 0 || !S_ISDIR(st.st_mode)) {
        COMPLAIN(error, "%s is not a directory; choose another with --data", path);
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
take_lock(struct data *d, char *error)
{
    char path[4096], owner[32] = "";
    (void)snprintf(path, sizeof path, "%s/LOCK", d->directory);
    d->lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (d->lock < 0) {
        COMPLAIN(error, "can't open %s: %s", path, strerror(errno));
        return EX_NOPERM;
    }
    if (flock(d->lock, LOCK_EX | LOCK_NB) != 0) {
        ssize_t n = read(d->lock, owner, sizeof owner - 1);
        owner[n > 0 ? strcspn(owner, "\n") : 0] = '\0';
        COMPLAIN(error, "another stintd (process %s) uses %s; stop it, or choose another --data",
            owner[0] ? owner : "unknown", d->directory);
        return EX_TEMPFAIL;
    }
    if (ftruncate(d->lock, 0) == 0)
        (void)dprintf(d->lock, "%ld\n", (long)getpid());
    return 0;
}

static int
sync_directory(const struct data *d)
{
    int fd = open(d->directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int rc = fd < 0 ? -1 : fsync(fd);
    if (fd >= 0)
        close(fd);
    return rc;
}

static int
write_manifest(const struct data *d, uint64_t size, char *error)
{
    char path[4096], fresh[4096];
    (void)snprintf(path, sizeof path, "%s/MANIFEST", d->directory);
    (void)snprintf(fresh, sizeof fresh, "%s/MANIFEST.new", d->directory);
    char text[128];
    int n = snprintf(text, sizeof text, "stint-data %d\nidentity %s\nsize %" PRIu64 "\n",
        DATA_FORMAT, d->identity, size);
    int fd = open(fresh, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    bool good = fd >= 0 && write(fd, text, (size_t)n) == n && fsync(fd) == 0;
    if (fd >= 0 && close(fd) != 0)
        good = false;
    if (good && rename(fresh, path) == 0 && sync_directory(d) == 0)
        return 0;
    COMPLAIN(error, "can't write %s: %s", path, strerror(errno));
    return EX_IOERR;
}

static int
begin_anew(struct data *d, char *error)
{
    uint8_t bytes[16];
    if (getrandom(bytes, sizeof bytes, 0) != sizeof bytes)
        return EX_OSERR;
    for (unsigned i = 0; i < sizeof bytes; i++)
        (void)snprintf(d->identity + (size_t)2 * i, 3, "%02x", bytes[i]);
    return write_manifest(d, 0, error);
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

/* In a process apart, because a page that is not there kills who touches it. */
static bool
all_pages_are_there(const char *path)
{
    int status;
    pid_t child = fork();
    if (child == 0)
        _exit(visit_all(path));
    return child > 0 && waitpid(child, &status, 0) == child && WIFEXITED(status) &&
        WEXITSTATUS(status) == 0;
}

static int
check_file(const struct data *d, uint64_t least, char *error)
{
    struct stat st;
    uint64_t root;
    int fd = open(d->path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &st) != 0) {
        COMPLAIN(error,
            "can't open %s: %s; the manifest beside it says that it was there: restore it", d->path,
            strerror(errno));
        if (fd >= 0)
            close(fd);
        return EX_NOINPUT;
    }
    bool has_root = size_by_root(fd, &root);
    close(fd);
    uint64_t size = (uint64_t)st.st_size;
    if (size < least || !has_root) {
        COMPLAIN(error,
            "%s is damaged: it has %" PRIu64 " bytes and had at least %" PRIu64
            "; it is left as it is: restore it from a backup",
            d->path, size, least);
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
check_manifest(struct data *d, char *error)
{
    char path[4096];
    int format = 0;
    uint64_t least = 0;
    (void)snprintf(path, sizeof path, "%s/MANIFEST", d->directory);
    FILE *f = fopen(path, "re");
    if (!f && errno == ENOENT) {
        if (access(d->path, F_OK) != 0)
            return begin_anew(d, error);
        COMPLAIN(error, "%s has a data file but no MANIFEST; restore it, or choose another --data",
            d->directory);
        return EX_DATAERR;
    }
    int fields = f ? fscanf(f, "stint-data %d identity %32[0-9a-f] size %" SCNu64, &format,
                         d->identity, &least)
                   : 0;
    if (f)
        fclose(f);
    if (fields >= 1 && format > DATA_FORMAT) {
        COMPLAIN(error, "%s has format %d and this stintd knows up to %d; use a newer stintd",
            d->directory, format, DATA_FORMAT);
        return EX_CONFIG;
    }
    if (fields != 3 || strlen(d->identity) != 32 || format < 1) {
        COMPLAIN(error, "%s can't be understood; restore it from a backup", path);
        return EX_DATAERR;
    }
    if (least == 0) { /* its first start did not come to serving: nothing was ever accepted */
        (void)unlink(d->path);
        return 0;
    }
    return check_file(d, least, error);
}

int
data_open(struct data *d, const char *directory, char error[1024])
{
    *d = (struct data){.lock = -1};
    error[0] = '\0';
    if (strlen(directory) >= sizeof d->directory - 32) {
        COMPLAIN(error, "the path of --data is too long");
        return EX_USAGE;
    }
    (void)snprintf(d->directory, sizeof d->directory, "%s", directory);
    (void)snprintf(d->path, sizeof d->path, "%s/jobs.lmdb", directory);
    int rc = make_directory(directory, error);
    if (!rc)
        rc = check_file_system(directory, error);
    if (!rc)
        rc = take_lock(d, error);
    if (!rc)
        rc = check_manifest(d, error);
    if (rc)
        data_close(d);
    return rc;
}

int
data_complete(struct data *d, char error[1024])
{
    struct stat st;
    if (stat(d->path, &st) != 0 || sync_directory(d) != 0) {
        COMPLAIN(error, "can't look at %s: %s", d->path, strerror(errno));
        return EX_IOERR;
    }
    return write_manifest(d, (uint64_t)st.st_size, error);
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
    if (d->lock >= 0)
        close(d->lock);
    d->lock = -1;
}
