/* Another user for programs; the contract is in identity.h.
 *
 * glibc's setresuid and its like change all threads of a process, by signals. In a child that
 * shares our memory that would be our threads, and a thread that looks for a file is to be changed
 * alone: so all of it is done by the kernel's calls, which change the calling thread. */
#include "identity.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/keyctl.h>
#include <pwd.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { ENTRY_BYTES = 1 << 10, ENTRY_BYTES_MAX = 1 << 24, GROUPS_MAX = 65536 };

/* On some machines the first ones that Linux had took 16 bits. */
#ifdef SYS_setresuid32
enum {
    SET_UID = SYS_setresuid32,
    SET_GID = SYS_setresgid32,
    SET_GROUPS = SYS_setgroups32,
    SET_FS_UID = SYS_setfsuid32,
    SET_FS_GID = SYS_setfsgid32,
};
#else
enum {
    SET_UID = SYS_setresuid,
    SET_GID = SYS_setresgid,
    SET_GROUPS = SYS_setgroups,
    SET_FS_UID = SYS_setfsuid,
    SET_FS_GID = SYS_setfsgid,
};
#endif

/* ---- who it is ---- */

/* The highest number means "no change" to the kernel. */
static bool
read_number(const char *text, uint32_t *number)
{
    char *end;
    if (!isdigit((unsigned char)*text))
        return false;
    errno = 0;
    unsigned long long value = strtoull(text, &end, 10);
    *number = (uint32_t)value;
    return errno == 0 && *end == '\0' && value < UINT32_MAX;
}

/* One entry of the user database, in `*memory`; by name, or else by number. Returns an error
 * number, 0 also if there is none. */
static int
find_user(const char *text, struct passwd *user, char **memory, bool *found)
{
    uint32_t number;
    bool numeric = read_number(text, &number);
    *found = false;
    for (size_t bytes = ENTRY_BYTES; bytes <= ENTRY_BYTES_MAX; bytes *= 2) {
        struct passwd *result = NULL;
        free(*memory);
        if (!(*memory = malloc(bytes)))
            return ENOMEM;
        int error = getpwnam_r(text, user, *memory, bytes, &result);
        if (!result && error != ERANGE && numeric)
            error = getpwuid_r(number, user, *memory, bytes, &result);
        *found = result != NULL;
        if (error != ERANGE) /* others say in many ways that there is none */
            return result || error == ENOENT || error == ESRCH || error == EBADF || error == EPERM
                ? 0
                : error;
    }
    return ERANGE;
}

static bool
find_group(const char *text, gid_t *gid)
{
    uint32_t number;
    struct group *group = getgrnam(text); /* NOLINT: there are no other threads yet */
    bool numeric = read_number(text, &number);
    if (group)
        *gid = group->gr_gid;
    else if (numeric)
        *gid = number;
    return group || numeric;
}

static bool
find_groups(struct identity *i, const char *login)
{
    int count = 16;
    while (count <= GROUPS_MAX) {
        gid_t *all = realloc(i->groups.all, (size_t)count * sizeof *all);
        if (!all)
            return false;
        i->groups.all = all;
        i->groups.count = 1;
        all[0] = i->gid;
        int room = count;
        if (!login || getgrouplist(login, i->gid, all, &count) >= 0) {
            i->groups.count = login ? (size_t)count : 1;
            return true;
        }
        count = count > room ? count : 2 * room;
    }
    errno = E2BIG;
    return false;
}

static bool
set_variables(struct identity *i, const struct passwd *user)
{
    const char *home = user && *user->pw_dir ? user->pw_dir : "/";
    const char *shell = user && *user->pw_shell ? user->pw_shell : "/bin/sh";
    return asprintf(&i->variables[0], "HOME=%s", home) > 0 &&
        asprintf(&i->variables[1], "USER=%s", i->name) > 0 &&
        asprintf(&i->variables[2], "LOGNAME=%s", i->name) > 0 &&
        asprintf(&i->variables[3], "SHELL=%s", shell) > 0;
}

/* Fills in user and group; false with a sentence in `why`. */
static bool
find(struct identity *i, char *text, char *why, size_t why_bytes)
{
    struct passwd user;
    char *memory = NULL, *group = strchr(text, ':');
    uint32_t number = 0;
    bool found;
    if (group)
        *group++ = '\0';
    int error = find_user(text, &user, &memory, &found);
    bool good = false;
    if (error)
        (void)snprintf(why, why_bytes, "can't look for the user %s: %s", text, strerror(error));
    else if (!found && !read_number(text, &number))
        (void)snprintf(why, why_bytes, "there is no user %s", text);
    else if (!found && !group)
        (void)snprintf(why, why_bytes, "no user has the number %s, so say the group too, as %s:%s",
            text, text, text);
    else if (group && !find_group(group, &i->gid))
        (void)snprintf(why, why_bytes, "there is no group %s", group);
    else
        good = true;
    if (good) {
        i->uid = found ? user.pw_uid : number;
        i->gid = group ? i->gid : user.pw_gid;
        i->name = strdup(found ? user.pw_name : text);
        good = i->name && find_groups(i, found ? i->name : NULL) &&
            set_variables(i, found ? &user : NULL);
        if (!good)
            (void)snprintf(why, why_bytes, "the user %s: %s", text, strerror(errno));
    }
    free(memory);
    return good;
}

/* What we are ourselves. */
static bool
read_own(struct identity *i)
{
    int count = getgroups(0, NULL);
    i->own_gid = getegid();
    i->own_groups.all = calloc(count > 0 ? (size_t)count : 1, sizeof(gid_t));
    if (count < 0 || !i->own_groups.all || getgroups(count, i->own_groups.all) != count)
        return false;
    i->own_groups.count = (size_t)count;
    return true;
}

/* Is it what we are, whatever we might become? */
static bool
is_self(const struct identity *i, bool group)
{
    uid_t u[3];
    gid_t g[3];
    if (getresuid(&u[0], &u[1], &u[2]) != 0 || getresgid(&g[0], &g[1], &g[2]) != 0)
        return false;
    for (int k = 0; k < 3; k++)
        if (u[k] != i->uid || (group && g[k] != i->gid))
            return false;
    return true;
}

/* Between its change and its exec a child is that user's already and shares our memory. This is the
 * one setting with which the user's other programs may look into it, for a moment. */
static bool
is_laid_open(void)
{
    char text[2] = "";
    int fd = open("/proc/sys/fs/suid_dumpable", O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    bool open = read(fd, text, 1) == 1 && text[0] == '1';
    close(fd);
    return open;
}

bool
identity_read(struct identity *i, const char *text, char *why, size_t why_bytes)
{
    *i = (struct identity){0};
    if (!text)
        return true;
    char *copy = strdup(text);
    if (!copy)
        abort();
    bool good = find(i, copy, why, why_bytes);
    free(copy);
    if (!good)
        return false;
    i->changes = geteuid() == 0;
    if (!i->changes && !is_self(i, strchr(text, ':') != NULL))
        (void)snprintf(why, why_bytes, "only a worker that root runs can run programs as %s", text);
    else if (i->changes && is_laid_open())
        (void)snprintf(why, why_bytes,
            "fs.suid_dumpable is 1, so a program of %s could look into the worker's memory; "
            "sysctl fs.suid_dumpable=0 or 2 ends that",
            text);
    else if (i->changes && !read_own(i))
        (void)snprintf(why, why_bytes, "can't tell our own groups: %s", strerror(errno));
    else
        return true;
    return false;
}

/* ---- to become it ---- */

/* A program is not to find the keys that root has in its session. */
static bool
leave_keyring(void)
{
    return syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, NULL) >= 0 || errno == ENOSYS ||
        errno == EPERM; /* there are none here, or none that any program can use */
}

bool
identity_become(const struct identity *i)
{
    if (!i->changes)
        return true;
    if (!leave_keyring())
        return false;
    (void)prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
    if (syscall(SET_GROUPS, i->groups.count, i->groups.all) != 0 ||
        syscall(SET_GID, i->gid, i->gid, i->gid) != 0 ||
        syscall(SET_UID, i->uid, i->uid, i->uid) != 0)
        return false;
    /* The change has made the memory, which is the worker's too, what fs.suid_dumpable says: see
     * is_laid_open. Nor is a core file to hold the worker's key. */
    return prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == 0;
}

bool
identity_try(const struct identity *i)
{
    int status;
    pid_t pid = i->changes ? fork() : 0;
    if (!i->changes)
        return true;
    if (pid == 0)
        _exit(identity_become(i) ? 0 : errno);
    if (pid < 0)
        return false;
    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR)
            return false;
    errno = WIFEXITED(status) ? WEXITSTATUS(status) : ECHILD;
    return errno == 0;
}

/* ---- to look at files as it ---- */

static bool
look_as(uid_t uid, gid_t gid, const struct groups *groups)
{
    if (syscall(SET_GROUPS, groups->count, groups->all) != 0)
        return false;
    (void)syscall(SET_FS_GID, gid);
    (void)syscall(SET_FS_UID, uid);
    /* They tell what was before; a value that is none changes nothing. */
    errno = EPERM;
    return (gid_t)syscall(SET_FS_GID, -1) == gid && (uid_t)syscall(SET_FS_UID, -1) == uid;
}

bool
identity_look(const struct identity *i)
{
    if (!i->changes || look_as(i->uid, i->gid, &i->groups))
        return true;
    int error = errno;
    identity_look_as_self(i);
    errno = error;
    return false;
}

void
identity_look_as_self(const struct identity *i)
{
    int error = errno;
    /* Never go on as something between the two. */
    if (i->changes && (!look_as(0, i->own_gid, &i->own_groups) || prctl(PR_SET_DUMPABLE, 0) != 0))
        abort();
    errno = error;
}

bool
identity_may_enter(const struct identity *i, const char *directory)
{
    if (!identity_look(i))
        return false;
    bool may = faccessat(AT_FDCWD, directory, X_OK, AT_EACCESS) == 0;
    identity_look_as_self(i);
    return may;
}

bool
identity_give(const struct identity *i, int fd)
{
    return !i->changes || fchown(fd, i->uid, i->gid) == 0;
}
