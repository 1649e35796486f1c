/* Directories of runs; the contract is in scratch.h. */
#include "scratch.h"
#include "log.h"
#include "now.h"
#include "tree.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    NAMES = 100, /* tried at the start */
    AT_ONCE = 200, /* entries that a slot removes itself */
    AT_ONCE_DEPTH = 4, /* for each slot has few descriptors */
    DEPTH = 16,
    SLICE_MS = 2000, /* then others have their turn */
    RETRY_MS = 10000,
    SPELL_MS = 60000, /* what can't be removed is told so often */
    END_MS = 30000,
};

static const char prefix[] = "stint-worker-";

/* ---- the worker's own ---- */

static mode_t
own_mode(const struct scratch *s)
{
    return s->identity->changes ? 0711 : 0700;
}

/* The lock of one that is open; and is it still what has that name? */
static bool
take(int parent, const char *name, int dir)
{
    struct stat named, opened;
    return flock(dir, LOCK_EX | LOCK_NB) == 0 && fstat(dir, &opened) == 0 &&
        fstatat(parent, name, &named, AT_SYMLINK_NOFOLLOW) == 0 && named.st_ino == opened.st_ino &&
        named.st_dev == opened.st_dev;
}

/* A new one, locked; another worker that starts now may take it for a dead one's until then. False
 * with errno set. */
static bool
make_own(struct scratch *s)
{
    errno = EEXIST;
    for (int i = 0; i < NAMES && s->dir < 0; i++) {
        (void)snprintf(s->name, sizeof s->name, "%s%ld-%d", prefix, (long)getpid(), i);
        if (mkdirat(s->parent, s->name, 0700) != 0) {
            if (errno == EEXIST)
                continue;
            return false;
        }
        int dir = tree_open(s->parent, s->name, O_RDONLY);
        if (dir < 0 && errno != ENOENT) {
            int error = errno;
            (void)unlinkat(s->parent, s->name, AT_REMOVEDIR);
            errno = error;
            return false;
        }
        if (dir >= 0 && take(s->parent, s->name, dir))
            s->dir = dir;
        else if (dir >= 0)
            close(dir);
    }
    return s->dir >= 0 && fchmod(s->dir, own_mode(s)) == 0;
}

/* Opens the directory that the setting names; false with a sentence in `why`. */
static bool
open_parent(struct scratch *s, const char *directory, char **real, char *why, size_t why_bytes)
{
    struct stat st;
    mode_t mask = umask(077);
    (void)umask(mask);
    *real = realpath(directory, NULL);
    s->parent = *real ? open(*real, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
    if (s->parent < 0 || fstat(s->parent, &st) != 0)
        (void)snprintf(
            why, why_bytes, "can't use the directory %s: %s", directory, strerror(errno));
    else if ((st.st_mode & S_IWOTH) && !(st.st_mode & S_ISVTX))
        (void)snprintf(
            why, why_bytes, "everybody may rename what is in %s; chmod +t or o-w ends that", *real);
    else if (mask & S_IRWXU)
        (void)snprintf(why, why_bytes, "the umask keeps us from our own files");
    else
        return true;
    return false;
}

/* Could a run have one, and get there? */
static bool
try_one(struct scratch *s, char *why, size_t why_bytes)
{
    struct scratch_run run;
    if (!scratch_make(s, &run)) {
        (void)snprintf(
            why, why_bytes, "can't make a directory in %s: %s", s->path, strerror(errno));
        return false;
    }
    bool may = identity_may_enter(s->identity, run.path);
    if (!may)
        (void)snprintf(why, why_bytes, "%s can't go to directories in %s: %s",
            s->identity->name ? s->identity->name : "the worker", s->path, strerror(errno));
    scratch_end(s, &run);
    return may;
}

bool
scratch_open(struct scratch *s, const char *directory, const struct identity *identity, char *why,
    size_t why_bytes)
{
    char *real = NULL;
    *s = (struct scratch){.parent = -1, .dir = -1, .identity = identity};
    if (!directory)
        return true;
    bool good = open_parent(s, directory, &real, why, why_bytes);
    if (good && !make_own(s)) {
        (void)snprintf(why, why_bytes, "can't make a directory in %s: %s%s", real, strerror(errno),
            errno == ENOSYS ? "; it takes Linux 5.6, with openat2" : "");
        good = false;
    }
    if (good && asprintf(&s->path, "%s/%s", real, s->name) < 0)
        abort();
    good = good && try_one(s, why, why_bytes);
    free(real);
    if (!good) {
        scratch_remove(s);
        scratch_close(s);
    }
    return good;
}

void
scratch_remove(const struct scratch *s)
{
    const struct tree_bounds bounds = {.depth = DEPTH, .until_ms = clock_ms() + END_MS};
    if (s->dir >= 0 && tree_remove(s->parent, s->name, &bounds) != TREE_GONE)
        log_event(LOG_LEVEL_WARN,
            "not all temporary directories were removed; the next worker in the same place goes on",
            LOG_FIELDS(LOG_TEXT("directory", s->path)));
}

void
scratch_close(struct scratch *s)
{
    if (s->dir >= 0)
        close(s->dir);
    if (s->parent >= 0)
        close(s->parent);
    free(s->path);
    s->path = NULL;
    s->dir = s->parent = -1;
}

/* ---- a run's ---- */

static void
name_run(uint64_t number, char name[32])
{
    (void)snprintf(name, 32, "run-%llu", (unsigned long long)number);
}

static bool
is_crowded(struct scratch *s)
{
    pthread_mutex_lock(&s->remover.lock);
    bool crowded = s->remover.waiting >= SCRATCH_WAITING_MAX;
    pthread_mutex_unlock(&s->remover.lock);
    return crowded;
}

bool
scratch_make(struct scratch *s, struct scratch_run *run)
{
    const struct identity *i = s->identity;
    char name[32];
    *run = (struct scratch_run){0};
    if (!s->path)
        return true;
    errno = EBUSY;
    if (s->remover.started && is_crowded(s))
        return false;
    run->number = atomic_fetch_add(&s->runs, 1) + 1;
    name_run(run->number, name);
    if (mkdirat(s->dir, name, 0700) != 0)
        return false;
    if (i->changes && fchownat(s->dir, name, i->uid, i->gid, AT_SYMLINK_NOFOLLOW) != 0) {
        int error = errno;
        (void)unlinkat(s->dir, name, AT_REMOVEDIR);
        errno = error;
        return false;
    }
    if (asprintf(&run->path, "%s/%s", s->path, name) < 0)
        abort();
    return true;
}

/* Hands it over; false if there are too many. One that can't be removed anyway makes room: it is
 * tried again at the very end. */
static bool
hand_over(struct scratch_remover *r, uint64_t number)
{
    pthread_mutex_lock(&r->lock);
    uint32_t at = r->count;
    while (r->count == SCRATCH_LEFT_MAX && at-- > 0 && r->left[at].due_ms == 0)
        ;
    bool room = at < SCRATCH_LEFT_MAX;
    if (room) {
        r->left[at] = (struct scratch_left){.number = number};
        r->count += at == r->count;
        r->waiting++;
        pthread_cond_signal(&r->work);
    }
    pthread_mutex_unlock(&r->lock);
    return room;
}

void
scratch_end(struct scratch *s, struct scratch_run *run)
{
    struct tree_bounds bounds = {.depth = AT_ONCE_DEPTH, .entries = AT_ONCE, .stop = &s->stop};
    char name[32];
    if (!run->path)
        return;
    name_run(run->number, name);
    if (tree_remove(s->dir, name, &bounds) != TREE_GONE && s->remover.started &&
        !hand_over(&s->remover, run->number)) {
        bounds.entries = 0;
        (void)tree_remove(s->dir, name, &bounds);
    }
    free(run->path);
    run->path = NULL;
}

/* ---- the thread ---- */

/* Ours, made by make_own, and of no worker that lives? */
static bool
is_dead(int parent, const char *name, int dir)
{
    struct stat s;
    return fstat(dir, &s) == 0 && s.st_uid == geteuid() &&
        ((s.st_mode & 0777) == 0711 || (s.st_mode & 0777) == 0700) && take(parent, name, dir);
}

/* Returns whether there is more. */
static bool
remove_dead(struct scratch *s)
{
    const struct tree_bounds bounds = {
        .depth = DEPTH, .until_ms = clock_ms() + SLICE_MS, .stop = &s->stop};
    const struct dirent *entry;
    bool more = false;
    int again = openat(s->parent, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *list = again >= 0 ? fdopendir(again) : NULL;
    while (list && !more && (entry = readdir(list))) {
        if (strncmp(entry->d_name, prefix, sizeof prefix - 1) != 0 ||
            strcmp(entry->d_name, s->name) == 0)
            continue;
        int dir = tree_open(s->parent, entry->d_name, O_RDONLY);
        if (dir < 0)
            continue;
        if (is_dead(s->parent, entry->d_name, dir)) {
            enum tree_end end = tree_remove(s->parent, entry->d_name, &bounds);
            more = end == TREE_MORE;
            log_event(end == TREE_STUCK ? LOG_LEVEL_WARN : LOG_LEVEL_DEBUG,
                end == TREE_STUCK ? "can't remove what a worker has left that was killed"
                                  : "removes what a worker has left that was killed",
                LOG_FIELDS(LOG_TEXT("directory", entry->d_name),
                    LOG_TEXT("why", end == TREE_STUCK ? strerror(errno) : NULL)));
        }
        close(dir);
    }
    if (list)
        (void)closedir(list);
    else if (again >= 0)
        close(again);
    return more;
}

static void
tell_stuck(struct scratch *s, uint64_t number, int error)
{
    struct scratch_remover *r = &s->remover;
    uint64_t now_ms = clock_ms();
    char name[32];
    if (r->told_ms && now_ms - r->told_ms < SPELL_MS)
        return;
    r->told_ms = now_ms;
    name_run(number, name);
    log_event(LOG_LEVEL_WARN, "can't remove a temporary directory; tries again",
        LOG_FIELDS(LOG_TEXT("directory", s->path), LOG_TEXT("run", name),
            LOG_TEXT("why", strerror(error))));
}

/* With the lock held, which it gives back meanwhile; nobody else takes from the list. */
static void
remove_left(struct scratch *s, uint32_t at)
{
    struct scratch_remover *r = &s->remover;
    struct scratch_left left = r->left[at];
    const struct tree_bounds bounds = {
        .depth = DEPTH, .until_ms = clock_ms() + SLICE_MS, .stop = &s->stop};
    char name[32];
    name_run(left.number, name);
    pthread_mutex_unlock(&r->lock);
    enum tree_end end = tree_remove(s->dir, name, &bounds);
    if (end == TREE_STUCK)
        tell_stuck(s, left.number, errno);
    pthread_mutex_lock(&r->lock);
    if (r->left[at].number != left.number)
        return; /* it has made room for another one */
    if (end != TREE_MORE)
        r->waiting -= left.due_ms == 0;
    if (end == TREE_STUCK)
        r->left[at].due_ms = clock_ms() + RETRY_MS;
    else {
        r->left[at] = r->left[--r->count];
        if (end == TREE_MORE) /* its turn comes again after the others */
            r->left[r->count++] = left;
    }
}

/* The first that is due; or when one will be, in `*due_ms`, 0 if there is none. */
static uint32_t
choose(const struct scratch_remover *r, uint64_t *due_ms)
{
    uint64_t now_ms = clock_ms();
    *due_ms = 0;
    for (uint32_t i = 0; i < r->count; i++) {
        uint64_t due = r->left[i].due_ms;
        if (due <= now_ms)
            return i;
        *due_ms = *due_ms && *due_ms < due ? *due_ms : due;
    }
    return r->count;
}

static void
wait_until(struct scratch_remover *r, uint64_t due_ms)
{
    struct timespec t = {
        .tv_sec = (time_t)(due_ms / 1000), .tv_nsec = (long)(due_ms % 1000) * 1000000};
    if (due_ms)
        (void)pthread_cond_timedwait(&r->work, &r->lock, &t);
    else
        (void)pthread_cond_wait(&r->work, &r->lock);
}

static void *
remove_all(void *argument)
{
    struct scratch *s = argument;
    struct scratch_remover *r = &s->remover;
    pthread_mutex_lock(&r->lock);
    while (!atomic_load(&s->stop)) {
        uint64_t due_ms;
        uint32_t at = choose(r, &due_ms);
        if (at < r->count)
            remove_left(s, at);
        else if (r->dead_left) {
            pthread_mutex_unlock(&r->lock);
            bool more = remove_dead(s);
            pthread_mutex_lock(&r->lock);
            r->dead_left = more;
        } else
            wait_until(r, due_ms);
    }
    pthread_mutex_unlock(&r->lock);
    return NULL;
}

bool
scratch_start(struct scratch *s)
{
    struct scratch_remover *r = &s->remover;
    pthread_condattr_t attributes;
    if (!s->path)
        return true;
    if (pthread_mutex_init(&r->lock, NULL) != 0 || pthread_condattr_init(&attributes) != 0)
        return false;
    (void)pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    int error = pthread_cond_init(&r->work, &attributes);
    (void)pthread_condattr_destroy(&attributes);
    r->dead_left = true;
    if (error == 0)
        error = pthread_create(&r->thread, NULL, remove_all, s);
    r->started = error == 0;
    errno = error;
    return r->started;
}

void
scratch_stop(struct scratch *s)
{
    struct scratch_remover *r = &s->remover;
    if (!r->started)
        return;
    atomic_store(&s->stop, true);
    pthread_mutex_lock(&r->lock);
    pthread_cond_signal(&r->work);
    pthread_mutex_unlock(&r->lock);
    (void)pthread_join(r->thread, NULL);
    r->started = false;
}
