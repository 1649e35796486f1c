/* Key files on the disk; the contract is in key_files.h. */
#include "key_files.h"
#include "directory.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zmq.h>

static bool
refuse(char why[KEY_WHY_BYTES], const char *what)
{
    (void)snprintf(why, KEY_WHY_BYTES, "%s", what);
    return false;
}

/* All of it, into `text`, which has room for KEY_FILE_BYTES. */
static bool
read_all(int fd, char *text, size_t *size, char why[KEY_WHY_BYTES])
{
    ssize_t n = 1;
    *size = 0;
    while (n > 0 && *size < KEY_FILE_BYTES) {
        n = read(fd, text + *size, KEY_FILE_BYTES - *size);
        if (n < 0 && errno == EINTR)
            n = 1;
        else if (n > 0)
            *size += (size_t)n;
    }
    if (n < 0)
        return refuse(why, strerror(errno));
    return *size < KEY_FILE_BYTES || refuse(why, "it is too large for a key file");
}

/* Those of a service (systemd.exec(5)) are files of root, which by an access control list the
 * service alone may read; such a list shows as what the group may. */
static bool
is_credential(const char *path)
{
    const char *directory = getenv("CREDENTIALS_DIRECTORY");
    size_t size = directory && *directory == '/' ? strlen(directory) : 0;
    return size > 0 && strncmp(path, directory, size) == 0 && path[size] == '/';
}

bool
key_files_load(const char *path, struct key_file *file, char why[KEY_WHY_BYTES])
{
    char text[KEY_FILE_BYTES];
    size_t size = 0;
    struct stat st;
    *file = (struct key_file){0};
    /* Without waiting: it may be a pipe that nobody writes to. */
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0)
        return refuse(why, strerror(errno));
    bool good = fstat(fd, &st) == 0 && S_ISREG(st.st_mode);
    if (!good)
        (void)refuse(why, "it is no file");
    good = good && read_all(fd, text, &size, why) && key_file_read(text, size, file, why);
    close(fd);
    explicit_bzero(text, sizeof text);
    if (good && file->secret_key[0] && (st.st_mode & (is_credential(path) ? 037 : 077))) {
        explicit_bzero(file, sizeof *file);
        return refuse(why, "others than its owner may read it: chmod 600");
    }
    return good;
}

static bool
write_all(int fd, const char *text, size_t size)
{
    while (size > 0) {
        ssize_t n = write(fd, text, size);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        text += n;
        size -= (size_t)n;
    }
    return fsync(fd) == 0;
}

/* The directory's own entry of the file. */
static bool
sync_directory(const char *path)
{
    char directory[4096] = ".";
    const char *slash = strrchr(path, '/');
    if (slash)
        (void)snprintf(
            directory, sizeof directory, "%.*s", slash == path ? 1 : (int)(slash - path), path);
    return directory_sync(directory);
}

bool
key_files_save(const char *path, const struct key_file *file, bool secret, bool replace)
{
    char text[KEY_FILE_BYTES], aside[4096];
    size_t size = key_file_write(file, secret, text);
    (void)snprintf(aside, sizeof aside, "%.4000s.new-%ld", path, (long)getpid());
    int fd = open(aside, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, secret ? 0600 : 0644);
    bool good = fd >= 0 && write_all(fd, text, size) && (secret || fchmod(fd, 0644) == 0);
    int error = errno;
    explicit_bzero(text, sizeof text);
    if (fd >= 0)
        close(fd);
    if (good) {
        good = (replace ? rename(aside, path) : link(aside, path)) == 0;
        error = errno;
    }
    if (fd >= 0 && !(good && replace))
        (void)unlink(aside);
    errno = error;
    return good && sync_directory(path);
}

bool
key_files_directory_is_ours(const char *path, char why[KEY_WHY_BYTES])
{
    struct stat st;
    if (stat(path, &st) != 0)
        return errno == ENOENT || errno == ENOTDIR || refuse(why, strerror(errno));
    if (st.st_uid != geteuid() && st.st_uid != 0)
        return refuse(why, "it belongs to another user, who so could authorise keys: chown it");
    return !(st.st_mode & 022) ||
        refuse(why, "others may write to it, and so could authorise keys: chmod 700");
}

bool
key_files_remove(const char *path)
{
    return unlink(path) == 0 && sync_directory(path);
}

bool
key_files_draw(struct key_file *file)
{
    return zmq_curve_keypair(file->public_key, file->secret_key) == 0;
}
