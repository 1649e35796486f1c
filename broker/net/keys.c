/* The directory of keys; the contract is in keys.h. The table is looked into by the thread that
 * answers ZAP, and changed by the loop's, under a lock that nobody holds for long.
 */
#include "keys.h"
#include "key_files.h"
#include "log.h"
#include "splitmix.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#define uthash_fatal(text) abort()
#include <uthash.h>

enum {
    LOOK_MS = 250,
    LOOK_SHARE = 50, /* a look may take that part of the time, or there is a longer pause */
    KEYS_MAX = 1 << 16,
    PATH_BYTES = 4096,
};

struct known {
    uint8_t key[KEY_BYTES];
    uint64_t number;
    struct grant grant;
    bool twice; /* another file has the same key: neither counts */
    struct known *next; /* among those that are gone */
    UT_hash_handle hh; /* by key */
    UT_hash_handle by_number;
};

struct keys {
    char directory[PATH_BYTES];
    struct key_file broker; /* public_key "": none */
    struct known *all, *by_number;
    struct known *gone;
    pthread_mutex_t lock; /* of `all` */
    uint64_t numbers; /* given so far */
    uint64_t seen; /* a hash of what the directory looked like */
    uint64_t look_ms;
};

static const char suffix[] = ".pub";
enum { SUFFIX_BYTES = sizeof suffix - 1 };

static void
audit(const char *event, const char *name, const char *why)
{
    log_event(why ? LOG_LEVEL_WARN : LOG_LEVEL_INFO, event,
        LOG_FIELDS(LOG_NUMBER("audit", 1), LOG_TEXT("key", name), LOG_TEXT("why", why)));
}

static bool
is_key_name(const char *file, char name[STINT_NAME_BYTES])
{
    size_t size = strlen(file);
    if (size <= SUFFIX_BYTES || strcmp(file + size - SUFFIX_BYTES, suffix) != 0)
        return false;
    size -= SUFFIX_BYTES;
    if (size >= STINT_NAME_BYTES)
        return false;
    memcpy(name, file, size);
    name[size] = '\0';
    return key_name_is_valid(name);
}

/* A hash of names, sizes and times; 0: there is no directory. False: the system does not say, for
 * now. */
static bool
look(const struct keys *k, uint64_t *seen)
{
    uint64_t sum = 0;
    DIR *dir = opendir(k->directory);
    const struct dirent *entry;
    *seen = 0;
    if (!dir)
        return errno == ENOENT || errno == ENOTDIR;
    while ((entry = readdir(dir)) != NULL) {
        struct stat st;
        if (entry->d_name[0] == '.' || fstatat(dirfd(dir), entry->d_name, &st, 0) != 0)
            continue;
        uint64_t one = (uint64_t)st.st_ino;
        for (const char *at = entry->d_name; *at; at++)
            one = one * 1099511628211ULL + (uint8_t)*at;
        const uint64_t parts[] = {(uint64_t)st.st_size, (uint64_t)st.st_mode,
            (uint64_t)st.st_mtim.tv_sec, (uint64_t)st.st_mtim.tv_nsec, (uint64_t)st.st_ctim.tv_sec,
            (uint64_t)st.st_ctim.tv_nsec};
        for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
            one = splitmix64(&one) ^ parts[i];
        sum += splitmix64(&one); /* in whichever order they come */
    }
    (void)closedir(dir);
    *seen = sum | 1;
    return true;
}

static bool
read_grant(
    const struct key_file *file, const char *name, struct grant *grant, char why[KEY_WHY_BYTES])
{
    struct key_grant said;
    if (!key_file_grants(file, &said, why))
        return false;
    _Static_assert((int)KEY_SUBMIT == (int)RIGHT_SUBMIT && (int)KEY_RUN == (int)RIGHT_RUN &&
            (int)KEY_SEE == (int)RIGHT_SEE && (int)KEY_CONTROL == (int)RIGHT_CONTROL &&
            (int)KEY_PATTERNS_MAX == (int)GRANT_PATTERNS_MAX,
        "a file's rights are the core's");
    *grant = (struct grant){.rights = said.rights, .patterns_count = said.patterns_count};
    (void)snprintf(grant->name, sizeof grant->name, "%s", name);
    memcpy(grant->patterns, said.patterns, sizeof grant->patterns);
    return true;
}

/* Is it there, and can't be opened for a reason that passes (no descriptor, no memory, a disk that
 * fails)? Nobody is to be cut off for that. */
static bool
is_withheld(const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd >= 0)
        close(fd);
    return fd < 0 && errno != ENOENT && errno != ENOTDIR && errno != EACCES && errno != ELOOP &&
        errno != ENXIO;
}

/* Adds the file's key to the table that is being made. False: it can't be read for now. */
static bool
take_file(struct keys *k, struct known **made, const char *file, const char *name)
{
    char path[PATH_BYTES + 300], why[KEY_WHY_BYTES];
    struct key_file content;
    struct known *other, *known = calloc(1, sizeof *known);
    if (!known)
        abort();
    (void)snprintf(path, sizeof path, "%s/%s", k->directory, file);
    bool good = key_files_load(path, &content, why) &&
        read_grant(&content, name, &known->grant, why) &&
        key_decode(content.public_key, KEY_TEXT_BYTES - 1, known->key);
    explicit_bzero(&content, sizeof content);
    if (!good) {
        bool withheld = is_withheld(path);
        audit("a key is not taken", name, why);
        free(known);
        return !withheld;
    }
    HASH_FIND(hh, *made, known->key, KEY_BYTES, other);
    if (other) {
        other->twice = true;
        audit("a key is not taken", name, "another file has the same key, which counts in neither");
        free(known);
    } else
        HASH_ADD(hh, *made, key, KEY_BYTES, known);
    return true;
}

static void
free_all(struct known *made)
{
    struct known *known, *next;
    HASH_ITER (hh, made, known, next) {
        HASH_DEL(made, known);
        free(known);
    }
}

/* False: not all can be read for now. */
static bool
read_all(struct keys *k, struct known **made)
{
    DIR *dir = opendir(k->directory);
    const struct dirent *entry;
    bool good = dir || errno == ENOENT || errno == ENOTDIR;
    *made = NULL;
    while (dir && good && (entry = readdir(dir)) != NULL && HASH_COUNT(*made) < KEYS_MAX) {
        char name[STINT_NAME_BYTES];
        if (is_key_name(entry->d_name, name))
            good = take_file(k, made, entry->d_name, name);
    }
    if (dir)
        (void)closedir(dir);
    if (!good)
        free_all(*made);
    return good;
}

static void
take_out(struct keys *k, struct known *known)
{
    assert(k->all && k->by_number);
    HASH_DEL(k->all, known);
    HASH_DELETE(by_number, k->by_number, known);
    known->next = k->gone;
    k->gone = known;
}

static void
put_in(struct keys *k, struct known *known)
{
    known->number = ++k->numbers;
    HASH_ADD(hh, k->all, key, KEY_BYTES, known);
    HASH_ADD(by_number, k->by_number, number, sizeof known->number, known);
}

static bool
is_same_grant(const struct grant *a, const struct grant *b)
{
    return strcmp(a->name, b->name) == 0 && a->rights == b->rights &&
        a->patterns_count == b->patterns_count &&
        memcmp(a->patterns, b->patterns, sizeof a->patterns) == 0;
}

/* What was there, is the same in what was made now, and so stays as it is. */
static bool
stays(struct known *made, const struct known *was)
{
    struct known *is;
    HASH_FIND(hh, made, was->key, KEY_BYTES, is);
    return is && !is->twice && is_same_grant(&is->grant, &was->grant);
}

/* Brings the table to what was made. True if something changed. */
static bool
replace(struct keys *k, struct known *made)
{
    struct known *known, *next, *same;
    bool changed = false;
    pthread_mutex_lock(&k->lock);
    HASH_ITER (hh, k->all, known, next)
        if (!stays(made, known)) {
            take_out(k, known);
            changed = true;
        }
    HASH_ITER (hh, made, known, next) {
        HASH_DEL(made, known);
        HASH_FIND(hh, k->all, known->key, KEY_BYTES, same);
        if (same || known->twice) {
            free(known);
            continue;
        }
        put_in(k, known);
        audit("a key is taken", known->grant.name, NULL);
        changed = true;
    }
    pthread_mutex_unlock(&k->lock);
    for (known = k->gone; known; known = known->next)
        audit("a key is gone", known->grant.name, NULL);
    return changed;
}

/* A core file would hold the secret. */
static bool
read_broker(struct keys *k)
{
    char path[PATH_BYTES + sizeof KEYS_BROKER_FILE + 1], why[KEY_WHY_BYTES];
    struct key_file file;
    (void)snprintf(path, sizeof path, "%s/%s", k->directory, KEYS_BROKER_FILE);
    if (access(path, F_OK) != 0)
        return false; /* what we have goes on to count */
    bool good = key_files_load(path, &file, why);
    if (good && !file.secret_key[0]) {
        (void)snprintf(why, sizeof why, "it holds no secret key");
        good = false;
    }
    if (!good)
        audit("the broker's key is not taken", KEYS_BROKER_FILE, why);
    bool changed = good && strcmp(file.secret_key, k->broker.secret_key) != 0;
    if (changed) {
        (void)prctl(PR_SET_DUMPABLE, 0);
        k->broker = file;
    }
    explicit_bzero(&file, sizeof file);
    return changed;
}

unsigned
keys_look(struct keys *k, uint64_t now_ms)
{
    if (now_ms != UINT64_MAX && now_ms < k->look_ms)
        return KEYS_SAME;
    struct timespec begin, end;
    (void)clock_gettime(CLOCK_MONOTONIC, &begin);
    uint64_t seen;
    bool said = look(k, &seen);
    (void)clock_gettime(CLOCK_MONOTONIC, &end);
    uint64_t took_ms = (uint64_t)((end.tv_sec - begin.tv_sec) * 1000) +
        (uint64_t)(end.tv_nsec / 1000000) - (uint64_t)(begin.tv_nsec / 1000000);
    if (now_ms != UINT64_MAX)
        k->look_ms = now_ms + LOOK_MS + LOOK_SHARE * (took_ms < LOOK_MS ? took_ms : LOOK_MS);
    if (!said || (seen == k->seen && now_ms != UINT64_MAX))
        return KEYS_SAME;
    struct known *made;
    unsigned changed = read_broker(k) ? KEYS_BROKER_CHANGED : KEYS_SAME;
    if (!read_all(k, &made))
        return changed; /* and the next look tries it again */
    k->seen = seen;
    return changed | (replace(k, made) ? KEYS_CHANGED : KEYS_SAME);
}

void
keys_drop(struct keys *k)
{
    while (k->gone) {
        struct known *known = k->gone;
        k->gone = known->next;
        free(known);
    }
}

struct keys *
keys_new(const char *directory)
{
    struct keys *k = calloc(1, sizeof *k);
    if (!k)
        abort();
    (void)snprintf(k->directory, sizeof k->directory, "%s", directory);
    pthread_mutex_init(&k->lock, NULL);
    (void)keys_look(k, UINT64_MAX);
    return k;
}

void
keys_destroy(struct keys **keys)
{
    struct keys *k = *keys;
    struct known *known, *next;
    if (!k)
        return;
    HASH_ITER (hh, k->all, known, next)
        take_out(k, known);
    keys_drop(k);
    pthread_mutex_destroy(&k->lock);
    explicit_bzero(k, sizeof *k);
    free(k);
    *keys = NULL;
}

const struct key_file *
keys_broker(const struct keys *k)
{
    return k->broker.secret_key[0] ? &k->broker : NULL;
}

uint64_t
keys_find(void *keys, const uint8_t key[KEY_BYTES])
{
    struct keys *k = keys;
    struct known *known;
    pthread_mutex_lock(&k->lock);
    HASH_FIND(hh, k->all, key, KEY_BYTES, known);
    uint64_t number = known ? known->number : 0;
    pthread_mutex_unlock(&k->lock);
    return number;
}

const struct grant *
keys_grant(const struct keys *k, uint64_t number)
{
    struct known *known;
    HASH_FIND(by_number, k->by_number, &number, sizeof number, known);
    return known ? &known->grant : NULL;
}

size_t
keys_count(const struct keys *k)
{
    return HASH_COUNT(k->all);
}
