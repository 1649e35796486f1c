/* stintd --init; the contract is in init.h. */
#include "init.h"
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

/* What is made: the pair, and what others are told of it. */
static const struct {
    const char *role; /* "": it is the broker's own, and grants nothing */
    const char *secret, *public; /* in the data directory */
} made[] = {{"", "keys/broker.key", "keys/broker.pub"}, {"admin", "admin.key", "keys/admin.pub"},
    {"worker", "worker.key", "keys/worker.pub"}};
enum { PAIRS = sizeof made / sizeof *made };

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
path_of(const char *data, const char *name, char path[PATH_BYTES])
{
    (void)snprintf(path, PATH_BYTES, "%s/%s", data, name);
}

/* Is there anything in the directory that we do not know? */
static bool
is_foreign(const char *path)
{
    static const char *const known[] = {".", "..", "lost+found", "keys"};
    char manifest[PATH_BYTES];
    const struct dirent *entry;
    bool foreign = false;
    path_of(path, "MANIFEST", manifest);
    if (access(manifest, F_OK) == 0)
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
    *was_made = mkdir(path, 0700) == 0;
    if (!*was_made && errno != EEXIST)
        return refuse(EX_CANTCREAT, "can't make the directory %s: %s; choose another with --data",
            path, strerror(errno));
    if (stat(path, &st) != 0 || !S_ISDIR(st.st_mode))
        return refuse(EX_CANTCREAT, "%s is not a directory; choose another with --data", path);
    if (st.st_uid != geteuid())
        return refuse(EX_CONFIG,
            "%s belongs to another user; let that user run stintd --init, or choose another "
            "directory with --data",
            path);
    if (st.st_mode & 022)
        return refuse(EX_CONFIG,
            "others may write to %s, and so could authorise keys; take that from them: chmod 700",
            path);
    return 0;
}

/* None of the files is there. */
static int
check_none(const char *data)
{
    struct stat st;
    char path[PATH_BYTES];
    for (unsigned i = 0; i < 2 * PAIRS; i++) {
        path_of(data, i % 2 ? made[i / 2].public : made[i / 2].secret, path);
        if (lstat(path, &st) == 0)
            return refuse(EX_CANTCREAT,
                "%s is there already; nothing was changed: stint key makes single keys", path);
    }
    return 0;
}

static int
save(const char *data, const char *name, const struct key_file *file, bool secret)
{
    char path[PATH_BYTES];
    path_of(data, name, path);
    if (key_files_save(path, file, secret, false))
        return 0;
    return refuse(EX_CANTCREAT, "can't write %s: %s", path, strerror(errno));
}

/* Draw and write the pairs; `broker` is for the broker's public key. What is made when one fails is
 * for the caller to take away; `*files` says how many files are there. */
static int
make_keys(const char *data, char broker[KEY_TEXT_BYTES], unsigned *files)
{
    int rc = 0;
    for (unsigned i = 0; i < PAIRS && rc == 0; i++) {
        struct key_file pair = {0}, public = {0};
        if (!key_files_draw(&pair))
            return refuse(EX_UNAVAILABLE, "libzmq has no CURVE here; no key was made");
        memcpy(public.public_key, pair.public_key, sizeof public.public_key);
        (void)snprintf(public.role, sizeof public.role, "%s", made[i].role);
        rc = save(data, made[i].secret, &pair, true);
        *files += rc == 0;
        if (rc == 0) {
            rc = save(data, made[i].public, &public, false);
            *files += rc == 0;
        }
        explicit_bzero(&pair, sizeof pair);
        if (i == 0)
            memcpy(broker, public.public_key, KEY_TEXT_BYTES);
    }
    return rc;
}

/* Leave nothing half made. */
static void
take_away(const char *data, unsigned files, bool keys_made, bool data_made)
{
    char path[PATH_BYTES];
    for (unsigned i = 0; i < files; i++) {
        path_of(data, i % 2 ? made[i / 2].public : made[i / 2].secret, path);
        (void)unlink(path);
    }
    path_of(data, "keys", path);
    if (keys_made)
        (void)rmdir(path);
    if (data_made)
        (void)rmdir(data);
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
    char endpoint[ENDPOINT_BYTES], whole[PATH_BYTES];
    const char *data = realpath(o->data, whole) ? whole : o->data;
    endpoint_told(o, endpoint, sizeof endpoint);
    printf(
        "# Made in %s: keys/broker.key and .pub, admin.key and worker.key, and what these two may"
        " do in keys.\n"
        "# For a worker's host: copy %s/worker.key to its /etc/stint/worker.key, and these lines"
        " to its /etc/stint/worker.conf.\n"
        "endpoint = %s\nbroker-key = \"%s\"\nkey = /etc/stint/worker.key\n",
        data, data, endpoint, broker);
}

int
init_run(const struct options *o)
{
    char keys[PATH_BYTES], broker[KEY_TEXT_BYTES] = "";
    unsigned files = 0;
    bool data_made = false, keys_made = false;
    path_of(o->data, "keys", keys);
    if (strlen(o->data) > PATH_BYTES - 64)
        return refuse(EX_CONFIG, "the path of --data is too long");
    (void)prctl(PR_SET_DUMPABLE, 0); /* no core file with a secret in it */
    int rc = check_none(o->data);
    if (rc == 0)
        rc = make_directory(o->data, &data_made);
    if (rc == 0 && is_foreign(o->data))
        rc = refuse(EX_CONFIG,
            "%s holds other things than stintd's; choose another directory with --data", o->data);
    if (rc == 0)
        rc = make_directory(keys, &keys_made);
    if (rc == 0)
        rc = make_keys(o->data, broker, &files);
    if (rc == 0)
        tell(o, broker);
    else
        take_away(o->data, files, keys_made, data_made);
    return rc;
}
