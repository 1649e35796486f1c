/* Trees that are removed: all that can be in one, made by somebody who wants to keep it, or to have
 * something else removed. What only root can make is left out elsewhere.
 */
#include "now.h"
#include "tree.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "skipping.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { NOBODY = 65534 };

static const struct tree_bounds whole = {.depth = 16}, narrow = {.depth = 2};
static char root[64];
static int at; /* the root: trees are made in it, and beside them what is to stay */

/* Also as somebody else than root, who may not do everything: false then, if we are not. */
static void
be(uid_t user)
{
    if (getuid() == 0)
        assert_int_equal(seteuid(user), 0);
}

static void
make(int dir, const char *name)
{
    int fd = openat(dir, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    close(fd);
}

static int
make_directory(int dir, const char *name)
{
    assert_int_equal(mkdirat(dir, name, 0700), 0);
    int below = openat(dir, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_true(below >= 0);
    return below;
}

static bool
is_there(const char *name)
{
    return faccessat(at, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

static int
make_root(void **state)
{
    (void)state;
    /* In memory if we may: the disk may be others' at the moment. */
    (void)snprintf(root, sizeof root, "%s/stint-tree-XXXXXX",
        access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
    if (!mkdtemp(root) || chmod(root, 0777) != 0)
        return -1;
    at = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    make(at, "stays");
    int dir = make_directory(at, "outside");
    make(dir, "stays");
    close(dir);
    return at < 0;
}

/* What was beside the trees is there still. */
static int
check_root(void **state)
{
    char command[100];
    (void)state;
    be(0);
    bool good = is_there("stays") && is_there("outside/stays");
    close(at);
    (void)snprintf(command, sizeof command, "chmod -R u+rwX %s; rm -r %s", root, root);
    return system(command) == 0 && good ? 0 : -1; /* NOLINT: a name of our own */
}

static void
all_kinds_of_files_go(void **state)
{
    char longest[256] = "";
    (void)state;
    memset(longest, 'x', 255);
    const char *const names[] = {"a", "with blank", "two\nlines", "\x01\xff", "-rf", "*", longest};
    int dir = make_directory(at, "tree");
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        make(dir, names[i]);
    assert_int_equal(symlinkat("nowhere", dir, "dangling"), 0);
    assert_int_equal(mkfifoat(dir, "fifo", 0600), 0);
    assert_int_equal(linkat(at, "stays", dir, "hard", 0), 0);
    int below = make_directory(dir, "below");
    make(below, names[2]);
    close(make_directory(below, "empty"));
    close(below);
    close(dir);
    assert_int_equal(tree_remove(at, "tree", &whole), TREE_GONE);
    assert_false(is_there("tree"));
    make(at, "file");
    assert_int_equal(tree_remove(at, "file", &whole), TREE_GONE);
    assert_false(is_there("file"));
    assert_int_equal(tree_remove(at, "missing", &whole), TREE_GONE);
}

static void
no_link_is_followed(void **state)
{
    (void)state;
    char outside[80];
    (void)snprintf(outside, sizeof outside, "%s/outside", root);
    int dir = make_directory(at, "tree"), below = make_directory(dir, "below");
    assert_int_equal(symlinkat("../outside", dir, "relative"), 0);
    assert_int_equal(symlinkat(outside, dir, "absolute"), 0);
    assert_int_equal(symlinkat("../stays", dir, "file"), 0);
    assert_int_equal(symlinkat("../../outside", below, "relative"), 0);
    close(below);
    close(dir);
    assert_int_equal(tree_remove(at, "tree", &whole), TREE_GONE);
    assert_false(is_there("tree"));
    assert_int_equal(symlinkat("outside", at, "tree"), 0); /* the tree itself */
    assert_int_equal(tree_remove(at, "tree", &whole), TREE_GONE);
    assert_false(is_there("tree"));
    assert_int_equal(symlinkat("outside", at, "tree"), 0);
    assert_int_equal(tree_open(at, "tree", O_RDONLY), -1);
    assert_int_equal(tree_remove(at, "tree", &whole), TREE_GONE);
}

static void
directories_without_permissions_go(void **state)
{
    static const mode_t modes[] = {0000, 0100, 0200, 0400, 0500, 0600, 0300};
    (void)state;
    be(NOBODY);
    int dir = make_directory(at, "tree");
    for (size_t i = 0; i < sizeof modes / sizeof *modes; i++) {
        char name[8];
        (void)snprintf(name, sizeof name, "%o", modes[i]);
        int below = make_directory(dir, name), more = make_directory(below, "more");
        make(more, "file");
        make(below, "file");
        assert_int_equal(fchmod(more, modes[i]), 0);
        assert_int_equal(fchmod(below, modes[i]), 0);
        close(more);
        close(below);
    }
    assert_int_equal(fchmod(dir, 0), 0);
    close(dir);
    assert_int_equal(tree_remove(at, "tree", &narrow), TREE_GONE);
    assert_false(is_there("tree"));
}

/* A chain of directories, with a file in each; deeper than any path can say. */
static void
make_deep(const char *name, unsigned levels, mode_t mode)
{
    int dir = make_directory(at, name);
    for (unsigned i = 0; i < levels; i++) {
        int below = make_directory(dir, "deeper");
        make(dir, "file");
        assert_int_equal(fchmod(dir, mode), 0);
        close(dir);
        dir = below;
    }
    close(dir);
}

static void
however_deep_it_is_few_descriptors_do(void **state)
{
    struct rlimit found, few;
    (void)state;
    be(NOBODY);
    make_deep("tree", 5000, 0700);
    make_deep("closed", 100, 0500);
    int first = open("/dev/null", O_RDONLY | O_CLOEXEC);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &found), 0);
    close(first);
    few = found;
    few.rlim_cur = (rlim_t)first + 16 + 2; /* as the contract says; the parent is open already */
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
    enum tree_end end = tree_remove(at, "tree", &whole);
    few.rlim_cur = (rlim_t)first + 2 + 2;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
    enum tree_end closed = tree_remove(at, "closed", &narrow);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &found), 0);
    assert_int_equal(end, TREE_GONE);
    assert_int_equal(closed, TREE_GONE);
    assert_false(is_there("tree") || is_there("closed"));
}

static void
many_files_go_in_as_many_calls_as_it_takes(void **state)
{
    const struct tree_bounds some = {.depth = 4, .entries = 100};
    atomic_bool stop = true;
    const struct tree_bounds stopped = {.depth = 4, .stop = &stop},
                             late = {.depth = 4, .until_ms = clock_ms()};
    unsigned calls = 0;
    char name[16];
    (void)state;
    int dir = make_directory(at, "tree");
    for (int i = 0; i < 1000; i++) {
        (void)snprintf(name, sizeof name, "%d", i);
        make(dir, name);
    }
    close(dir);
    assert_int_equal(tree_remove(at, "tree", &stopped), TREE_MORE);
    assert_int_equal(tree_remove(at, "tree", &late), TREE_MORE);
    while (tree_remove(at, "tree", &some) == TREE_MORE)
        calls++;
    assert_in_range(calls, 9, 10);
    assert_false(is_there("tree"));
}

static void
what_can_not_be_removed_is_told_and_the_rest_goes(void **state)
{
    (void)state;
    SKIP_UNLESS_ROOT();
    be(NOBODY);
    int dir = make_directory(at, "tree");
    make(dir, "file");
    be(0);
    close(make_directory(dir, "roots"));
    int below = openat(dir, "roots", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    make(below, "file");
    close(below);
    close(dir);
    be(NOBODY);
    errno = 0;
    assert_int_equal(tree_remove(at, "tree", &whole), TREE_STUCK);
    assert_int_equal(errno, EPERM);
    be(0);
    assert_true(is_there("tree/roots/file"));
    assert_false(is_there("tree/file"));
    assert_int_equal(tree_remove(at, "tree", &whole), TREE_GONE);
}

/* In a child with mounts of its own: one of another file system, one of ours. 77: it may make none.
 */
static int
remove_mounts(void)
{
    char path[128], from[128];
    (void)snprintf(path, sizeof path, "%s/tree/mount", root);
    if (unshare(CLONE_NEWNS) != 0 || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
        mount("none", path, "tmpfs", 0, NULL) != 0)
        return 77;
    at = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC); /* where these mounts can be seen */
    (void)snprintf(path, sizeof path, "%s/tree/mount/stays", root);
    if (mknod(path, S_IFREG | 0600, 0) != 0)
        return 1;
    (void)snprintf(path, sizeof path, "%s/tree/below/bind", root);
    (void)snprintf(from, sizeof from, "%s/outside", root);
    if (mount(from, path, NULL, MS_BIND, NULL) != 0)
        return 2;
    if (tree_open(at, "tree/mount", O_RDONLY) >= 0 || errno != EXDEV ||
        tree_open(at, "tree/below/bind", O_RDONLY) >= 0 || errno != EXDEV)
        return 3;
    if (tree_remove(at, "tree", &whole) != TREE_STUCK || errno != EBUSY)
        return 4;
    return is_there("tree/mount/stays") && is_there("outside/stays") && !is_there("tree/file") ? 0
                                                                                               : 5;
}

static void
no_mount_is_entered(void **state)
{
    int status;
    (void)state;
    int dir = make_directory(at, "tree"), below = make_directory(dir, "below");
    close(make_directory(dir, "mount"));
    close(make_directory(below, "bind"));
    make(dir, "file");
    close(below);
    close(dir);
    pid_t pid = fork();
    if (pid == 0)
        _exit(remove_mounts());
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    if (WEXITSTATUS(status) == 77)
        SKIP_BECAUSE("mounts of its own are not permitted here");
    assert_int_equal(WEXITSTATUS(status), 0);
    assert_int_equal(tree_remove(at, "tree", &whole), TREE_GONE);
}

/* Now a directory, now a link to one outside. */
static void *
exchange(void *argument)
{
    const atomic_bool *over = argument;
    while (!atomic_load(over)) {
        (void)renameat2(at, "bait", at, "tree/a", RENAME_EXCHANGE);
        (void)renameat2(at, "bait", at, "tree/b", RENAME_EXCHANGE);
    }
    return NULL;
}

static void
who_exchanges_directories_for_links_meanwhile_leads_nowhere(void **state)
{
    pthread_t enemy;
    atomic_bool over = false;
    (void)state;
    assert_int_equal(symlinkat("outside", at, "bait"), 0);
    assert_int_equal(pthread_create(&enemy, NULL, exchange, &over), 0);
    for (int i = 0; i < 500; i++) {
        if (mkdirat(at, "tree", 0700) == 0)
            for (const char *name = "ab"; *name; name++) {
                char path[32];
                (void)snprintf(path, sizeof path, "tree/%c", *name);
                (void)mkdirat(at, path, 0700);
                (void)snprintf(path, sizeof path, "tree/%c/file", *name);
                (void)mknodat(at, path, S_IFREG | 0600, 0);
            }
        (void)tree_remove(at, "tree", &whole);
        if (!is_there("outside/stays"))
            break;
    }
    atomic_store(&over, true);
    assert_int_equal(pthread_join(enemy, NULL), 0);
    assert_int_equal(tree_remove(at, "tree", &whole), TREE_GONE);
    assert_true(is_there("outside/stays"));
}

int
main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, make_root, check_root)
    const struct CMUnitTest tests[] = {
        T(all_kinds_of_files_go),
        T(no_link_is_followed),
        T(directories_without_permissions_go),
        T(however_deep_it_is_few_descriptors_do),
        T(many_files_go_in_as_many_calls_as_it_takes),
        T(what_can_not_be_removed_is_told_and_the_rest_goes),
        T(no_mount_is_entered),
        T(who_exchanges_directories_for_links_meanwhile_leads_nowhere),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
