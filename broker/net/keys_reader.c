/* The reader of the directory of keys; the contract is in keys_reader.h. What is under the lock is
 * what it hands over, and nobody holds it for longer than that; all else is the reading thread's
 * alone.
 */
#include "keys_reader.h"
#include "key_files.h"
#include "keys.h"
#include "log.h"
#include "now.h"
#include "splitmix.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
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

struct owner;

/* A NAME.pub, as it was found last. */
struct file {
    char name[STINT_NAME_BYTES]; /* of the key */
    uint64_t looks; /* a hash of what the file looked like; 0: read it again */
    uint64_t seen; /* in this look */
    struct owner *owner; /* of the key that it holds; NULL: none */
    bool told; /* that another one holds the same key */
    uint64_t granted; /* a hash of what it grants */
    struct grant *grant; /* the same, from when it was read until the end of the look */
    UT_hash_handle hh; /* by name */
};

/* A key, and what was handed over of it. */
struct owner {
    uint8_t key[KEY_BYTES];
    unsigned files; /* that hold it; if several do, it counts in none */
    uint64_t given; /* `granted` of what was handed over; 0: nothing */
    UT_hash_handle hh; /* by key */
};

struct keys_reader {
    char directory[PATH_BYTES];
    struct file *files;
    struct owner *owners;
    uint64_t look; /* the how-manieth it is */
    uint64_t broker_looks; /* as `looks`, of broker.key */
    char broker_secret[KEY_TEXT_BYTES]; /* that was handed over */
    bool unsafe; /* others may write there */
    bool full; /* there are more files than are read */
    struct keys_found found; /* by the look that goes on */

    pthread_t thread;
    bool running;
    pthread_mutex_t lock; /* of what is below */
    pthread_cond_t wake;
    bool asked, ending;
    struct keys_found handed;
    atomic_bool something; /* was handed over */
};

static const char suffix[] = ".pub";
enum { SUFFIX_BYTES = sizeof suffix - 1 };

static void *
allocate(size_t size)
{
    void *p = calloc(1, size);
    if (!p)
        abort();
    return p;
}

static void
audit(const char *event, const char *name, const char *why)
{
    log_event(LOG_LEVEL_WARN, event,
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

/* Never 0. */
static uint64_t
looks_of(const struct stat *st)
{
    const uint64_t parts[] = {(uint64_t)st->st_ino, (uint64_t)st->st_size, (uint64_t)st->st_mode,
        (uint64_t)st->st_uid, (uint64_t)st->st_mtim.tv_sec, (uint64_t)st->st_mtim.tv_nsec,
        (uint64_t)st->st_ctim.tv_sec, (uint64_t)st->st_ctim.tv_nsec};
    uint64_t sum = 0;
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        sum = splitmix64(&sum) ^ parts[i];
    return sum | 1;
}

/* Never 0. Over all bytes, as a grant is made from zeros. */
static uint64_t
hash_of(const struct grant *g)
{
    const uint8_t *bytes = (const uint8_t *)g;
    uint64_t sum = 14695981039346656037U; /* FNV-1a */
    for (size_t i = 0; i < sizeof *g; i++)
        sum = (sum ^ bytes[i]) * 1099511628211U;
    return sum | 1;
}

/* ---- what is handed over ---- */

static void
put_change(struct keys_found *found, const uint8_t key[KEY_BYTES], bool goes, struct grant *comes)
{
    struct key_change *c = allocate(sizeof *c);
    memcpy(c->key, key, KEY_BYTES);
    c->goes = goes;
    c->comes = comes;
    if (!comes && found->first) { /* who may do less is first */
        c->next = found->first;
        found->first = c;
        return;
    }
    *(found->first ? found->last : &found->first) = c;
    found->last = &c->next;
}

static void
free_broker(struct key_file **broker)
{
    if (*broker)
        explicit_bzero(*broker, sizeof **broker);
    free(*broker);
    *broker = NULL;
}

void
keys_found_free(struct keys_found *found)
{
    while (found->first) {
        struct key_change *c = found->first;
        found->first = c->next;
        free(c->comes);
        free(c);
    }
    free_broker(&found->broker);
    *found = (struct keys_found){0};
}

static void
hand_over(struct keys_reader *r)
{
    struct keys_found *from = &r->found, *to = &r->handed;
    if (!from->first && !from->broker && !from->asked)
        return;
    pthread_mutex_lock(&r->lock);
    if (from->first) {
        *(to->first ? to->last : &to->first) = from->first;
        to->last = from->last;
    }
    if (from->broker) {
        free_broker(&to->broker);
        to->broker = from->broker;
    }
    to->asked |= from->asked;
    atomic_store(&r->something, true);
    pthread_mutex_unlock(&r->lock);
    *from = (struct keys_found){0};
}

/* ---- a file ---- */

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
    grant->rights = said.rights;
    grant->patterns_count = said.patterns_count;
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

/* The file holds this key from now on; NULL: none. */
static void
set_owner(struct keys_reader *r, struct file *f, const uint8_t *key)
{
    struct owner *o = NULL;
    if (key)
        HASH_FIND(hh, r->owners, key, KEY_BYTES, o);
    if (key && !o) {
        o = allocate(sizeof *o);
        memcpy(o->key, key, KEY_BYTES);
        HASH_ADD(hh, r->owners, key, KEY_BYTES, o);
    }
    if (o == f->owner)
        return;
    if (o)
        o->files++;
    if (f->owner)
        f->owner->files--;
    f->owner = o;
}

/* False: it can't be read for now, and is as it was. */
static bool
read_file(struct keys_reader *r, struct file *f)
{
    char path[PATH_BYTES + STINT_NAME_BYTES + SUFFIX_BYTES + 2], why[KEY_WHY_BYTES];
    uint8_t key[KEY_BYTES];
    struct key_file content;
    struct grant *grant = allocate(sizeof *grant);
    (void)snprintf(path, sizeof path, "%s/%s%s", r->directory, f->name, suffix);
    bool good = key_files_load(path, &content, why) && read_grant(&content, f->name, grant, why) &&
        key_decode(content.public_key, KEY_TEXT_BYTES - 1, key);
    explicit_bzero(&content, sizeof content);
    free(f->grant);
    f->grant = NULL;
    if (good) {
        f->grant = grant;
        f->granted = hash_of(grant);
        set_owner(r, f, key);
        return true;
    }
    free(grant);
    audit("a key is not taken", f->name, why);
    if (is_withheld(path))
        return false;
    set_owner(r, f, NULL);
    return true;
}

static void
look_at_file(struct keys_reader *r, const char *name, const struct stat *st)
{
    struct file *f;
    char key[STINT_NAME_BYTES] = {0};
    (void)snprintf(key, sizeof key, "%s", name);
    HASH_FIND_STR(r->files, key, f);
    if (!f && HASH_COUNT(r->files) >= KEYS_MAX) {
        if (!r->full)
            log_event(LOG_LEVEL_ERROR, "there are more keys than are read",
                LOG_FIELDS(LOG_NUMBER("read", KEYS_MAX)));
        r->full = true;
        return;
    }
    if (!f) {
        f = allocate(sizeof *f);
        memcpy(f->name, key, sizeof key);
        HASH_ADD_STR(r->files, name, f);
    }
    f->seen = r->look;
    uint64_t looks = st ? looks_of(st) : f->looks; /* the system does not say, for now */
    if (looks != f->looks)
        f->looks = read_file(r, f) ? looks : 0;
}

/* ---- the directory ---- */

/* What others may write to grants nothing new. */
static bool
is_unsafe(struct keys_reader *r)
{
    char why[KEY_WHY_BYTES];
    bool unsafe = !key_files_directory_is_ours(r->directory, why);
    if (unsafe && !r->unsafe)
        log_event(LOG_LEVEL_ERROR, "nothing new is taken from the directory of keys",
            LOG_FIELDS(
                LOG_NUMBER("audit", 1), LOG_TEXT("keys", r->directory), LOG_TEXT("why", why)));
    r->unsafe = unsafe;
    return unsafe;
}

/* A core file would hold the secret. */
static void
look_at_broker(struct keys_reader *r)
{
    char path[PATH_BYTES + sizeof KEYS_BROKER_FILE + 1], why[KEY_WHY_BYTES];
    struct key_file file;
    struct stat st;
    (void)snprintf(path, sizeof path, "%s/%s", r->directory, KEYS_BROKER_FILE);
    if (stat(path, &st) != 0 || looks_of(&st) == r->broker_looks)
        return; /* what we have goes on to count, also if it is not there */
    bool good = key_files_load(path, &file, why);
    if (good && !file.secret_key[0]) {
        (void)snprintf(why, sizeof why, "it holds no secret key");
        good = false;
    }
    if (!good)
        audit("the broker's key is not taken", KEYS_BROKER_FILE, why);
    if (good || !is_withheld(path))
        r->broker_looks = looks_of(&st);
    if (good && strcmp(file.secret_key, r->broker_secret) != 0) {
        memcpy(r->broker_secret, file.secret_key, sizeof r->broker_secret);
        r->found.broker = allocate(sizeof file);
        *r->found.broker = file;
    }
    explicit_bzero(&file, sizeof file);
}

/* False: the system does not say all, for now; what was not seen may be there. */
static bool
look_at_files(struct keys_reader *r)
{
    DIR *dir = opendir(r->directory);
    const struct dirent *entry;
    if (!dir)
        return errno == ENOENT || errno == ENOTDIR;
    for (errno = 0; (entry = readdir(dir)) != NULL; errno = 0) {
        struct stat st;
        char name[STINT_NAME_BYTES];
        if (!is_key_name(entry->d_name, name))
            continue;
        bool said = fstatat(dirfd(dir), entry->d_name, &st, 0) == 0;
        if (said || (errno != ENOENT && errno != ELOOP && errno != ENOTDIR))
            look_at_file(r, name, said ? &st : NULL);
    }
    bool whole = errno == 0;
    (void)closedir(dir);
    return whole;
}

/* What goes: a key that its file does not hold any more, or that several do. */
static void
find_gone(struct keys_reader *r, bool whole)
{
    struct file *f, *next_file;
    struct owner *o, *next;
    HASH_ITER (hh, r->files, f, next_file) {
        if (!whole || f->seen == r->look)
            continue;
        set_owner(r, f, NULL);
        HASH_DEL(r->files, f);
        free(f->grant);
        free(f);
    }
    HASH_ITER (hh, r->owners, o, next) {
        if (o->given && o->files != 1) {
            put_change(&r->found, o->key, true, NULL);
            o->given = 0;
        }
        if (o->files == 0) {
            HASH_DEL(r->owners, o);
            free(o);
        }
    }
}

/* What comes, or grants another thing: a key that one file holds. */
static void
find_new(struct keys_reader *r)
{
    struct file *f, *next;
    HASH_ITER (hh, r->files, f, next) {
        struct owner *o = f->owner;
        bool twice = o && o->files > 1;
        if (twice && !f->told)
            audit("a key is not taken", f->name,
                "another file has the same key, which counts in neither");
        f->told = twice;
        bool differs = o && o->files == 1 && o->given != f->granted;
        if (differs && !f->grant && !r->unsafe) /* it was read when it did not count */
            f->looks = read_file(r, f) ? f->looks : 0;
        if (differs && o == f->owner && f->grant && !r->unsafe) {
            put_change(&r->found, o->key, o->given != 0, f->grant);
            o->given = f->granted;
            f->grant = NULL;
        } else if (differs && o->given) { /* it grants at least not what it did */
            put_change(&r->found, o->key, true, NULL);
            o->given = 0;
        }
        free(f->grant);
        f->grant = NULL;
    }
}

static void
look(struct keys_reader *r, bool asked)
{
    r->look++;
    r->found.asked = asked;
    if (!is_unsafe(r))
        look_at_broker(r);
    find_gone(r, look_at_files(r));
    find_new(r);
    hand_over(r);
}

/* ---- the thread ---- */

static void *
serve(void *argument)
{
    struct keys_reader *r = argument;
    uint64_t took_ms = 0;
    pthread_mutex_lock(&r->lock);
    while (!r->ending) {
        uint64_t until_ms =
            clock_ms() + LOOK_MS + LOOK_SHARE * (took_ms < LOOK_MS ? took_ms : LOOK_MS);
        const struct timespec until = {
            (time_t)(until_ms / 1000), (long)(until_ms % 1000) * 1000000};
        int rc = 0;
        while (!r->ending && !r->asked && rc != ETIMEDOUT)
            rc = pthread_cond_timedwait(&r->wake, &r->lock, &until);
        bool asked = r->asked;
        r->asked = false;
        if (r->ending)
            break;
        pthread_mutex_unlock(&r->lock);
        uint64_t begun_ms = clock_ms();
        look(r, asked);
        took_ms = clock_ms() - begun_ms;
        pthread_mutex_lock(&r->lock);
    }
    pthread_mutex_unlock(&r->lock);
    return NULL;
}

struct keys_reader *
keys_reader_new(const char *directory)
{
    struct keys_reader *r = allocate(sizeof *r);
    pthread_condattr_t monotonic;
    (void)snprintf(r->directory, sizeof r->directory, "%s", directory);
    pthread_mutex_init(&r->lock, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&r->wake, &monotonic);
    pthread_condattr_destroy(&monotonic);
    look(r, false);
    return r;
}

bool
keys_reader_start(struct keys_reader *r)
{
    assert(!r->running);
    int error = pthread_create(&r->thread, NULL, serve, r);
    r->running = error == 0;
    errno = error;
    return r->running;
}

void
keys_reader_destroy(struct keys_reader **reader)
{
    struct keys_reader *r = *reader;
    struct file *f, *next_file;
    struct owner *o, *next;
    if (!r)
        return;
    pthread_mutex_lock(&r->lock);
    r->ending = true;
    pthread_cond_signal(&r->wake);
    pthread_mutex_unlock(&r->lock);
    if (r->running)
        (void)pthread_join(r->thread, NULL);
    HASH_ITER (hh, r->files, f, next_file) {
        HASH_DEL(r->files, f);
        free(f);
    }
    HASH_ITER (hh, r->owners, o, next) {
        HASH_DEL(r->owners, o);
        free(o);
    }
    keys_found_free(&r->found);
    keys_found_free(&r->handed);
    pthread_cond_destroy(&r->wake);
    pthread_mutex_destroy(&r->lock);
    explicit_bzero(r, sizeof *r);
    free(r);
    *reader = NULL;
}

void
keys_reader_ask(struct keys_reader *r)
{
    pthread_mutex_lock(&r->lock);
    r->asked = true;
    pthread_cond_signal(&r->wake);
    pthread_mutex_unlock(&r->lock);
}

bool
keys_reader_take(struct keys_reader *r, struct keys_found *found)
{
    if (!atomic_load(&r->something))
        return false;
    pthread_mutex_lock(&r->lock);
    *found = r->handed;
    r->handed = (struct keys_found){0};
    atomic_store(&r->something, false);
    pthread_mutex_unlock(&r->lock);
    return true;
}
