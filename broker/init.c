/* stintd --init; the contract is in init.h. */
#include "init.h"
#include "data.h"
#include "endpoint.h"
#include "key_files.h"
#include "log.h"

#include <dirent.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

enum { PATH_BYTES = 4096, PORT_USUAL = 5670 };

/* What is made, in pairs: a secret key, and what others are told of it. */
static const struct {
    bool among_keys; /* else it lies in the data directory */
    const char *name, *role; /* role "": it is the broker's own, and grants nothing */
} made[] = {{true, "broker.key", ""}, {true, "broker.pub", ""}, {false, "admin.key", "admin"},
    {true, "admin.pub", "admin"}, {false, "worker.key", "worker"}, {true, "worker.pub", "worker"}};
enum { FILES = sizeof made / sizeof *made };

__attribute__((format(printf, 2, 3))) static int
refuse(int exit_code, const char *format, ...)
{
    char text[PATH_BYTES + 256];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    log_refusal(text);
    return exit_code;
}

static void
path_of(const struct options *o, unsigned file, char path[PATH_BYTES])
{
    (void)snprintf(
        path, PATH_BYTES, "%s/%s", made[file].among_keys ? o->keys : o->data, made[file].name);
}

/* Is there anything in the directory that we do not know? */
static bool
is_foreign(const char *path)
{
    static const char *const known[] = {".", "..", "lost+found", "keys"};
    const struct dirent *entry;
    bool foreign = false;
    if (data_exists(path))
        return false; /* stintd's, without keys until now */
    DIR *directory = opendir(path);
    while (directory && !foreign && (entry = readdir(directory))) {
        foreign = true;
        for (unsigned i = 0; i < sizeof known / sizeof *known; i++)
            foreign &= strcmp(entry->d_name, known[i]) != 0;
    }
    if (directory)
        closedir(directory);
    return foreign;
}

/* One that only we may write to, as whoever does may authorise keys. */
static int
make_directory(const char *path, bool *was_made)
{
    struct stat st;
    char why[KEY_WHY_BYTES];
    *was_made = mkdir(path, 0700) == 0;
    if (!*was_made && errno != EEXIST)
        return refuse(EX_CANTCREAT,
            "can't make the directory %s: %s; choose another with --data or --keys", path,
            strerror(errno));
    if (stat(path, &st) != 0 || !S_ISDIR(st.st_mode))
        return refuse(
            EX_CANTCREAT, "%s is not a directory; choose another with --data or --keys", path);
    if (st.st_uid != geteuid())
        return refuse(EX_CONFIG,
            "%s belongs to another user; let that user run stintd --init, or choose another "
            "directory with --data or --keys",
            path);
    if (!key_files_directory_is_ours(path, why))
        return refuse(EX_CONFIG, "%s can't be trusted: %s", path, why);
    return 0;
}

static int
check_none(const struct options *o)
{
    struct stat st;
    char path[PATH_BYTES];
    for (unsigned i = 0; i < FILES; i++) {
        path_of(o, i, path);
        if (lstat(path, &st) == 0)
            return refuse(EX_CANTCREAT,
                "%s is there already; nothing was changed: stint key makes single keys", path);
    }
    return 0;
}

static int
save(const struct options *o, unsigned file, const struct key_file *key, bool secret)
{
    char path[PATH_BYTES];
    path_of(o, file, path);
    if (key_files_save(path, key, secret, false))
        return 0;
    return refuse(EX_CANTCREAT, "can't write %s: %s", path, strerror(errno));
}

/* Draw and write the pairs; `broker` is for the broker's public key. What is made when one fails is
 * for the caller to take away: the first `*files` of them. */
static int
make_keys(const struct options *o, char broker[KEY_TEXT_BYTES], unsigned *files)
{
    int rc = 0;
    for (*files = 0; *files < FILES && rc == 0;) {
        struct key_file pair = {0}, public = {0};
        if (!key_files_draw(&pair))
            return refuse(EX_UNAVAILABLE, "libzmq has no CURVE here; no key was made");
        memcpy(public.public_key, pair.public_key, sizeof public.public_key);
        (void)snprintf(public.role, sizeof public.role, "%s", made[*files].role);
        if (*files == 0)
            memcpy(broker, public.public_key, KEY_TEXT_BYTES);
        rc = save(o, *files, &pair, true);
        explicit_bzero(&pair, sizeof pair);
        *files += rc == 0;
        if (rc == 0) {
            rc = save(o, *files, &public, false);
            *files += rc == 0;
        }
    }
    return rc;
}

/* Leave nothing half made. */
static void
take_away(const struct options *o, unsigned files, bool keys_made, bool data_made)
{
    char path[PATH_BYTES];
    for (unsigned i = 0; i < files; i++) {
        path_of(o, i, path);
        (void)unlink(path);
    }
    if (keys_made)
        (void)rmdir(o->keys);
    if (data_made)
        (void)rmdir(o->data);
}

/* Where workers on other hosts reach us, as far as the settings tell. A wildcard is no address, so
 * they get this host's name. */
static void
endpoint_told(const struct options *o, char *told, size_t size)
{
    struct endpoint e;
    const char *why;
    char host[128] = "HOST";
    (void)snprintf(told, size, "tcp://HOST:%d", PORT_USUAL);
    for (size_t i = 0; i < o->endpoints_count; i++) {
        if (!endpoint_parse(o->endpoints[i], ENDPOINT_BIND, &e, &why) || endpoint_is_local(&e))
            continue;
        bool wild =
            e.any_host || strncmp(e.host, "0.0.0.0:", 8) == 0 || strncmp(e.host, "[::]:", 5) == 0;
        if (wild)
            (void)gethostname(host, sizeof host - 1);
        else
            (void)snprintf(host, sizeof host, "%.*s", (int)e.host_bytes, e.host);
        (void)snprintf(told, size, "tcp://%s:%u", host, e.any_port ? PORT_USUAL : e.port);
        return;
    }
}

static void
tell(const struct options *o, const char *broker)
{
    char endpoint[ENDPOINT_BYTES], data[PATH_BYTES], keys[PATH_BYTES];
    const char *in = realpath(o->data, data) ? data : o->data;
    endpoint_told(o, endpoint, sizeof endpoint);
    printf("# Made admin.key and worker.key in %s; broker.key, and what each may do, in %s.\n"
           "# For a worker's host: copy %s/worker.key to its /etc/stint/worker.key, and these lines"
           " to its /etc/stint/worker.conf.\n"
           "endpoint = %s\nbroker-key = \"%s\"\n",
        in, realpath(o->keys, keys) ? keys : o->keys, in, endpoint, broker);
}

int
init_run(const struct options *o)
{
    char broker[KEY_TEXT_BYTES] = "";
    unsigned files = 0;
    bool data_made = false, keys_made = false;
    if (strlen(o->data) > PATH_BYTES - 64 || strlen(o->keys) > PATH_BYTES - 64)
        return refuse(EX_CONFIG, "the path of --data or --keys is too long");
    (void)prctl(PR_SET_DUMPABLE, 0); /* no core file with a secret in it */
    int rc = check_none(o);
    if (rc == 0)
        rc = make_directory(o->data, &data_made);
    if (rc == 0 && is_foreign(o->data))
        rc = refuse(EX_CONFIG,
            "%s holds other things than stintd's; choose another directory with --data", o->data);
    if (rc == 0)
        rc = make_directory(o->keys, &keys_made);
    if (rc == 0)
        rc = make_keys(o, broker, &files);
    if (rc == 0)
        tell(o, broker);
    else
        take_away(o, files, keys_made, data_made);
    return rc;
}
