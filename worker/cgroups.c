/* A cgroup a slot; the contract is in cgroups.h. What the files of a cgroup mean is told in the
 * kernel's Documentation/admin-guide/cgroup-v2.rst. */
#include "cgroups.h"
#include "clone_into.h"
#include "log.h"
#include "processes.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/vfs.h>
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

static bool
read_file(int dir, const char *name, char *text, size_t bytes)
{
    int fd = openat(dir, name, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    ssize_t size = read(fd, text, bytes - 1);
    close(fd);
    text[size > 0 ? size : 0] = '\0';
    return size > 0;
}

/* Does a process live in it or below? A zombie does not. */
static bool
is_populated(int dir)
{
    char text[128];
    return read_file(dir, "cgroup.events", text, sizeof text) && strstr(text, "populated 1");
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

/* The path of our cgroup within the hierarchy, in `line`, which is to be freed; or NULL. */
static const char *
own_path(char **line)
{
    const char *path = NULL;
    size_t size = 0;
    FILE *f = fopen("/proc/self/cgroup", "re");
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
    struct statfs s;
    int dir = open_directory(AT_FDCWD, path);
    free(path);
    if (dir >= 0 && (fstatfs(dir, &s) != 0 || s.f_type != CGROUP2_SUPER_MAGIC)) {
        close(dir); /* something else is mounted over it */
        dir = -1;
    }
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

/* ---- of all workers ---- */

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

/* A new one in the parent, locked; its descriptor, or -1 with errno set. Another worker that starts
 * now may take it for a dead one's until it is locked. */
static int
make_in_parent(const struct cgroups *c, const char *what, char name[48])
{
    errno = EEXIST;
    for (int i = 0; i < NAMES; i++) {
        (void)snprintf(name, 48, "%s%ld-%d%s", prefix, (long)getpid(), i, what);
        if (mkdirat(c->parent, name, 0755) != 0) {
            if (errno == EEXIST)
                continue;
            return -1;
        }
        int dir = open_directory(c->parent, name);
        if (dir >= 0 && flock(dir, LOCK_EX | LOCK_NB) == 0 &&
            faccessat(c->parent, name, F_OK, 0) == 0)
            return dir;
        if (dir >= 0)
            close(dir);
    }
    return -1;
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

/* ---- bounds ---- */

static const struct {
    const char *name, *option;
    size_t offset; /* of its bound */
} controllers[] = {{"memory", "--memory", offsetof(struct cgroup_bounds, memory_bytes)},
    {"cpu", "--cpu", offsetof(struct cgroup_bounds, cpu_us)},
    {"pids", "--tasks", offsetof(struct cgroup_bounds, tasks)}};
enum { CONTROLLERS = sizeof controllers / sizeof *controllers };

static bool
is_wanted(const struct cgroups *c, size_t controller)
{
    return *(const uint64_t *)(const void *)((const char *)&c->bounds +
               controllers[controller].offset) != 0;
}

bool
cgroups_bounded(const struct cgroups *c)
{
    return c->bounds.memory_bytes || c->bounds.cpu_us || c->bounds.tasks;
}

/* Lets the cgroups below this one be bounded; false with errno set. */
static bool
enable(const struct cgroups *c, int dir, size_t *controller)
{
    char word[16];
    for (size_t i = 0; i < CONTROLLERS; i++) {
        (void)snprintf(word, sizeof word, "+%s", controllers[i].name);
        *controller = i;
        if (is_wanted(c, i) && !set(dir, "cgroup.subtree_control", word))
            return false;
    }
    return true;
}

/* A cgroup with processes in it can't bound those below it, so we may have to leave ours first. */
static bool
bound(struct cgroups *c, char *why, size_t why_bytes)
{
    size_t which = 0;
    bool good = enable(c, c->parent, &which);
    if (!good && errno == EBUSY) {
        c->self = make_in_parent(c, "-self", c->self_name);
        good = c->self >= 0 && set(c->self, "cgroup.procs", "0") && enable(c, c->parent, &which);
    }
    if (good && enable(c, c->dir, &which))
        return true;
    int error = errno;
    if (error == EBUSY)
        (void)snprintf(why, why_bytes,
            "other processes are in the worker's cgroup, so it can't be divided; start the worker "
            "in one of its own, as systemd-run -p Delegate=yes does");
    else
        (void)snprintf(why, why_bytes,
            "the worker's cgroup may not hand on the controller %s (%s); a service needs "
            "Delegate=yes",
            controllers[which].name, strerror(error));
    return false;
}

static bool
write_number(int dir, const char *name, uint64_t number)
{
    char text[24];
    (void)snprintf(text, sizeof text, "%llu", (unsigned long long)number);
    return number == 0 || set(dir, name, text);
}

/* A job that is over its memory ends as a whole, and does not go on in the swap space. */
static bool
write_bounds(const struct cgroup_bounds *b, int dir)
{
    char cpu[48];
    (void)snprintf(
        cpu, sizeof cpu, "%llu %d", (unsigned long long)b->cpu_us, (int)CGROUP_PERIOD_US);
    if (b->memory_bytes) {
        (void)set(dir, "memory.swap.max", "0"); /* there may be none */
        (void)set(dir, "memory.oom.group", "1");
    }
    return write_number(dir, "memory.max", b->memory_bytes) &&
        write_number(dir, "pids.max", b->tasks) && (b->cpu_us == 0 || set(dir, "cpu.max", cpu));
}

/* ---- the worker's own ---- */

bool
cgroups_open(struct cgroups *c, const struct cgroup_bounds *bounds, char *why, size_t why_bytes)
{
    char *line = NULL;
    const char *own = own_path(&line);
    bool good = true;
    *c = (struct cgroups){.bounds = *bounds, .parent = -1, .dir = -1, .self = -1};
    (void)snprintf(why, why_bytes, "the system has no cgroups of version 2 that tell of us");
    c->parent = own ? open_own(own) : -1;
    free(line);
    if (c->parent >= 0) {
        c->dir = make_in_parent(c, "", c->name);
        (void)snprintf(
            why, why_bytes, "the worker may make no cgroup below its own: %s", strerror(errno));
    }
    if (c->dir < 0)
        good = !cgroups_bounded(c);
    else {
        remove_dead(c->parent);
        good = !cgroups_bounded(c) || bound(c, why, why_bytes);
    }
    if (!good)
        cgroups_remove(c);
    if (!good || c->dir < 0)
        do_without(c, why);
    return good;
}

void
cgroups_kill(const struct cgroups *c)
{
    if (c->dir >= 0)
        kill_all(c->dir);
}

/* We go back to where we came from, which takes that nothing is bounded there any more. */
static void
return_home(const struct cgroups *c)
{
    char word[16];
    for (size_t i = 0; i < CONTROLLERS; i++) {
        (void)snprintf(word, sizeof word, "-%s", controllers[i].name);
        if (is_wanted(c, i))
            (void)set(c->parent, "cgroup.subtree_control", word);
    }
    if (set(c->parent, "cgroup.procs", "0"))
        (void)unlinkat(c->parent, c->self_name, AT_REMOVEDIR);
}

void
cgroups_remove(const struct cgroups *c)
{
    if (c->dir < 0)
        return;
    (void)empty(c->dir, END_MS);
    walk(c->dir, REMOVE, DEPTH);
    (void)unlinkat(c->parent, c->name, AT_REMOVEDIR);
    if (c->self >= 0)
        return_home(c);
}

/* ---- a slot's ---- */

static void
name_slot(const struct cgroups *c, uint32_t slot, char name[32])
{
    (void)snprintf(name, 32, "slot-%u-%u", slot, c->slots[slot].number);
}

/* Never used again: a kill may still reach what is forked into it later, and what a job has used of
 * its bounds is not the next one's. */
static void
drop_slot(struct cgroups *c, uint32_t slot)
{
    struct cgroup_slot *s = &c->slots[slot];
    char name[32];
    walk(s->dir, REMOVE, DEPTH);
    close(s->dir);
    s->dir = -1;
    name_slot(c, slot, name);
    (void)unlinkat(c->dir, name, AT_REMOVEDIR);
    s->number++;
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
    if (!s->stack || s->dir >= 0)
        return s->stack;
    name_slot(c, slot, name);
    if (mkdirat(c->dir, name, 0755) != 0 || (s->dir = open_directory(c->dir, name)) < 0)
        return false;
    if (write_bounds(&c->bounds, s->dir))
        return true;
    int error = errno;
    drop_slot(c, slot);
    errno = error;
    return false;
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

static bool
was_out_of_memory(int dir)
{
    static const char name[] = "oom_kill ";
    char text[512];
    const char *at = read_file(dir, "memory.events", text, sizeof text) ? strstr(text, name) : NULL;
    return at && strtoul(at + sizeof name - 1, NULL, 10) > 0;
}

bool
cgroups_end(struct cgroups *c, uint32_t slot, bool *out_of_memory)
{
    struct stat s;
    *out_of_memory = false;
    if (c->dir < 0 || c->slots[slot].dir < 0)
        return true;
    int dir = c->slots[slot].dir;
    bool used = cgroups_bounded(c) || is_populated(dir) ||
        (fstat(dir, &s) == 0 && s.st_nlink > 2); /* a job has made some of its own */
    bool dead = empty(dir, END_MS);
    *out_of_memory = c->bounds.memory_bytes && was_out_of_memory(dir);
    if (used)
        drop_slot(c, slot);
    return dead;
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
    volatile bool arrived = false;
    if (c->dir < 0)
        return true;
    c->slots = calloc(slots, sizeof *c->slots);
    if (!c->slots)
        return false;
    c->count = slots;
    for (uint32_t i = 0; i < slots; i++)
        c->slots[i].dir = -1;
    pid_t pid = cgroups_start(c, 0, arrive, (void *)(uintptr_t)&arrived);
    if (pid > 0)
        (void)waitpid(pid, NULL, 0);
    int error = pid < 0 ? errno : ENOSYS;
    if (pid > 0 && arrived)
        return true;
    if (!cgroups_bounded(c))
        do_without(c, strerror(error));
    errno = error;
    return !cgroups_bounded(c);
}
