/* A cgroup a slot; the contract is in cgroups.h. What the files of a cgroup mean is told in the
 * kernel's Documentation/admin-guide/cgroup-v2.rst. */
#include "cgroups.h"
#include "clone_into.h"
#include "log.h"
#include "processes.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    DEPTH = 32, /* of cgroups that jobs make in ours; what is deeper stays */
    STACK_BYTES = 65536, /* what is not touched takes no memory */
    END_MS = 10000, /* what SIGKILL does not end in this time hangs in the kernel */
    END_DEAD_MS = 1000, /* the same, where it would keep us from our work */
    PAUSE_MS_MAX = 16,
    NAMES = 100, /* tried at the start */
};

static const char prefix[] = "stint-worker-";

/* ---- a cgroup ---- */

static int
open_directory(int parent, const char *name)
{
    return openat(parent, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static bool
set(int dir, const char *name, const char *value)
{
    int fd = openat(dir, name, O_WRONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    bool done = write(fd, value, strlen(value)) > 0;
    close(fd);
    return done;
}

/* Does a process live in it or below? A zombie does not. */
static bool
is_populated(int dir)
{
    char text[128];
    int fd = openat(dir, "cgroup.events", O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    ssize_t size = read(fd, text, sizeof text - 1);
    close(fd);
    text[size > 0 ? size : 0] = '\0';
    return strstr(text, "populated 1") != NULL;
}

static void
kill_members(int dir)
{
    long pid;
    int fd = openat(dir, "cgroup.procs", O_RDONLY | O_CLOEXEC);
    FILE *f = fd >= 0 ? fdopen(fd, "r") : NULL;
    while (f && fscanf(f, "%ld", &pid) == 1)
        if (pid > 1) /* 0 is one of another pid namespace */
            (void)kill((pid_t)pid, SIGKILL);
    if (f)
        (void)fclose(f);
    else if (fd >= 0)
        close(fd);
}

enum task { REMOVE, KILL };

/* Removes the cgroups below this one, or kills what is in it and below. */
static void
walk(int dir, enum task task, unsigned depth)
{
    const struct dirent *entry;
    int again = open_directory(dir, ".");
    DIR *list = again >= 0 ? fdopendir(again) : NULL;
    while (list && depth > 0 && (entry = readdir(list))) {
        if (entry->d_type != DT_DIR || entry->d_name[0] == '.')
            continue;
        int below = open_directory(dir, entry->d_name);
        if (below >= 0) {
            walk(below, task, depth - 1);
            close(below);
        }
        if (task == REMOVE)
            (void)unlinkat(dir, entry->d_name, AT_REMOVEDIR);
    }
    if (list)
        (void)closedir(list);
    else if (again >= 0)
        close(again);
    if (task == KILL)
        kill_members(dir);
}

/* At once, also what is about to fork. Before Linux 5.14 one after the other, all of them stopped,
 * so that none can fork meanwhile. */
static void
kill_all(int dir)
{
    if (set(dir, "cgroup.kill", "1") || errno != ENOENT)
        return;
    bool frozen = set(dir, "cgroup.freeze", "1");
    walk(dir, KILL, DEPTH);
    if (frozen)
        (void)set(dir, "cgroup.freeze", "0");
}

static bool
empty(int dir, unsigned within_ms)
{
    uint64_t end_ms = clock_ms() + within_ms;
    unsigned pause_ms = 1;
    while (is_populated(dir)) {
        if (clock_ms() > end_ms)
            return false;
        kill_all(dir);
        clock_pause(pause_ms);
        pause_ms = pause_ms < PAUSE_MS_MAX ? 2 * pause_ms : pause_ms;
    }
    return true;
}

/* ---- where ---- */

/* In place: a blank is \040 in mountinfo. */
static void
unescape(char *text)
{
    char *to = text;
    for (const char *at = text; *at; to++) {
        unsigned code;
        bool escaped = *at == '\\' && sscanf(at + 1, "%3o", &code) == 1;
        *to = escaped ? (char)code : *at;
        at += escaped ? 4 : 1;
    }
    *to = '\0';
}

/* The path of a process's cgroup within the hierarchy, in `line`, which is to be freed; or NULL. */
static const char *
path_of(const char *process, char **line)
{
    char file[40];
    const char *path = NULL;
    size_t size = 0;
    (void)snprintf(file, sizeof file, "/proc/%s/cgroup", process);
    FILE *f = fopen(file, "re");
    while (f && !path && getline(line, &size, f) > 0)
        if (strncmp(*line, "0::/", 4) == 0) {
            (*line)[strcspn(*line, "\n")] = '\0';
            path = *line + 3;
        }
    if (f)
        (void)fclose(f);
    return path;
}

/* Opens our own cgroup by this line of mountinfo; -1 if it can't be seen there. */
static int
open_by(char *line, const char *own)
{
    enum { ROOT = 3, POINT = 4 };
    const char *field[POINT + 1] = {0};
    char *at = line, *path = NULL;
    if (!strstr(line, " - cgroup2 "))
        return -1;
    for (int i = 0; i <= POINT && at; i++) {
        field[i] = strsep(&at, " ");
        unescape(line + (field[i] - line));
    }
    if (!field[POINT])
        return -1;
    /* A mount may show a part of the hierarchy only. */
    size_t cut = strcmp(field[ROOT], "/") == 0 ? 0 : strlen(field[ROOT]);
    if (strncmp(own, field[ROOT], cut) != 0 || (own[cut] != '/' && own[cut] != '\0') ||
        strncmp(own, "/..", 3) == 0 || asprintf(&path, "%s%s", field[POINT], own + cut) < 0)
        return -1;
    int dir = open_directory(AT_FDCWD, path);
    free(path);
    return dir;
}

static int
open_own(const char *own)
{
    char *line = NULL;
    size_t size = 0;
    int dir = -1;
    FILE *f = fopen("/proc/self/mountinfo", "re");
    while (f && dir < 0 && getline(&line, &size, f) > 0)
        dir = open_by(line, own);
    if (f)
        (void)fclose(f);
    free(line);
    return dir;
}

/* ---- the worker's ---- */

static void
remove_dead(int parent)
{
    const struct dirent *entry;
    int again = open_directory(parent, ".");
    DIR *list = again >= 0 ? fdopendir(again) : NULL;
    while (list && (entry = readdir(list))) {
        if (strncmp(entry->d_name, prefix, sizeof prefix - 1) != 0)
            continue;
        int dir = open_directory(parent, entry->d_name);
        if (dir >= 0 && flock(dir, LOCK_EX | LOCK_NB) == 0 && empty(dir, END_DEAD_MS)) {
            walk(dir, REMOVE, DEPTH);
            (void)unlinkat(parent, entry->d_name, AT_REMOVEDIR);
        }
        if (dir >= 0)
            close(dir);
    }
    if (list)
        (void)closedir(list);
    else if (again >= 0)
        close(again);
}

/* A new one, locked. Another worker that starts now may take it for a dead one's until it is. */
static bool
make_own(struct cgroups *c, const char *path)
{
    for (int i = 0; i < NAMES; i++) {
        (void)snprintf(c->name, sizeof c->name, "%s%ld-%d", prefix, (long)getpid(), i);
        if (mkdirat(c->parent, c->name, 0755) != 0) {
            if (errno == EEXIST)
                continue;
            return false;
        }
        c->dir = open_directory(c->parent, c->name);
        if (c->dir >= 0 && flock(c->dir, LOCK_EX | LOCK_NB) == 0 &&
            faccessat(c->parent, c->name, F_OK, 0) == 0)
            return snprintf(c->path, sizeof c->path, "%s/%s/slot-", strcmp(path, "/") ? path : "",
                       c->name) < (int)sizeof c->path;
        if (c->dir >= 0)
            close(c->dir);
        c->dir = -1;
    }
    return false;
}

static void
do_without(struct cgroups *c, const char *why)
{
    log_event(LOG_LEVEL_DEBUG, "no cgroups for the jobs", LOG_FIELDS(LOG_TEXT("why", why)));
    if (c->dir >= 0)
        close(c->dir);
    if (c->parent >= 0)
        close(c->parent);
    c->dir = c->parent = -1;
}

void
cgroups_open(struct cgroups *c)
{
    char *line = NULL;
    const char *own = path_of("self", &line);
    *c = (struct cgroups){.parent = -1, .dir = -1};
    c->parent = own ? open_own(own) : -1;
    if (c->parent < 0)
        do_without(c, "there is no hierarchy of version 2, or none that tells of us");
    else if (make_own(c, own))
        remove_dead(c->parent);
    else {
        int error = errno;
        cgroups_remove(c);
        do_without(c, strerror(error));
    }
    free(line);
}

void
cgroups_kill(const struct cgroups *c)
{
    if (c->dir >= 0)
        kill_all(c->dir);
}

void
cgroups_remove(const struct cgroups *c)
{
    if (c->dir < 0)
        return;
    (void)empty(c->dir, END_MS);
    walk(c->dir, REMOVE, DEPTH);
    (void)unlinkat(c->parent, c->name, AT_REMOVEDIR);
}

/* ---- a slot's ---- */

static void
name_slot(const struct cgroups *c, uint32_t slot, char name[32])
{
    (void)snprintf(name, 32, "slot-%u-%u", slot, c->slots[slot].number);
}

static bool
prepare_slot(struct cgroups *c, uint32_t slot)
{
    struct cgroup_slot *s = &c->slots[slot];
    char name[32];
    if (!s->stack) {
        void *memory = mmap(NULL, STACK_BYTES, PROT_READ | PROT_WRITE,
            MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK | MAP_NORESERVE, -1, 0);
        s->stack = memory == MAP_FAILED ? NULL : memory;
    }
    name_slot(c, slot, name);
    if (s->stack && s->dir < 0 && (mkdirat(c->dir, name, 0755) == 0 || errno == EEXIST))
        s->dir = open_directory(c->dir, name);
    return s->stack && s->dir >= 0;
}

/* The slot's next job gets another one. */
static void
drop_slot(struct cgroups *c, uint32_t slot)
{
    struct cgroup_slot *s = &c->slots[slot];
    char name[32];
    walk(s->dir, REMOVE, DEPTH);
    close(s->dir);
    s->dir = -1;
    name_slot(c, slot, name);
    if (unlinkat(c->dir, name, AT_REMOVEDIR) != 0)
        s->number++;
}

pid_t
cgroups_start(struct cgroups *c, uint32_t slot, int (*child)(void *argument), void *argument)
{
    errno = ENOTSUP;
    if (c->dir < 0 || !prepare_slot(c, slot))
        return -1;
    struct cgroup_slot *s = &c->slots[slot];
    pid_t pid = clone_into(s->dir, s->stack, STACK_BYTES, child, argument);
    int error = errno;
    if (pid < 0 && error != EAGAIN && error != ENOMEM)
        drop_slot(c, slot); /* a job has changed it so that it takes no processes */
    errno = error;
    return pid;
}

bool
cgroups_end(struct cgroups *c, uint32_t slot)
{
    struct stat s;
    if (c->dir < 0 || c->slots[slot].dir < 0)
        return true;
    int dir = c->slots[slot].dir;
    if (!empty(dir, END_MS)) {
        drop_slot(c, slot);
        return false;
    }
    if (fstat(dir, &s) == 0 && s.st_nlink > 2) /* a job has made some of its own */
        walk(dir, REMOVE, DEPTH);
    return true;
}

bool
cgroups_find(const struct cgroups *c, pid_t pid, uint32_t *slot)
{
    char process[16], *line = NULL;
    size_t size = strlen(c->path);
    if (c->dir < 0)
        return false;
    (void)snprintf(process, sizeof process, "%ld", (long)pid);
    const char *path = path_of(process, &line);
    bool found = path && strncmp(path, c->path, size) == 0;
    if (found)
        *slot = (uint32_t)strtoul(path + size, NULL, 10);
    free(line);
    return found;
}

/* Tells by its argument that it was here: in our memory, and before we went on. */
__attribute__((no_sanitize("address"))) static int
arrive(void *argument)
{
    *(volatile bool *)argument = true;
    return 0;
}

bool
cgroups_prepare(struct cgroups *c, uint32_t slots)
{
    bool arrived = false;
    if (c->dir < 0)
        return true;
    c->slots = calloc(slots, sizeof *c->slots);
    if (!c->slots)
        return false;
    c->count = slots;
    for (uint32_t i = 0; i < slots; i++)
        c->slots[i].dir = -1;
    pid_t pid = cgroups_start(c, 0, arrive, &arrived);
    if (pid < 0 || !*(volatile bool *)&arrived)
        do_without(c, strerror(pid < 0 ? errno : ENOSYS));
    if (pid > 0)
        (void)waitpid(pid, NULL, 0);
    return true;
}
