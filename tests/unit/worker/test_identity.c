/* Which users programs can be run as, and what becoming one changes: in the child or the thread
 * that asks, and nowhere else.
 */
#include "identity.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "skipping.h"
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pthread.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/fsuid.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { SOMEBODY = 1234567 }; /* of no entry in any database */

static char why[512];

static void
forget(struct identity *i)
{
    for (int k = 0; k < 4; k++)
        free(i->variables[k]);
    free(i->groups.all);
    free(i->own_groups.all);
    free(i->name);
    *i = (struct identity){0};
}

static void
users_are_named_or_numbered(void **state)
{
    static const struct {
        const char *text, *user, *home;
        uid_t uid;
        gid_t gid;
    } rows[] = {{"nobody", "USER=nobody", NULL, 65534, 65534},
        {"65534", "USER=nobody", NULL, 65534, 65534}, {"nobody:0", "USER=nobody", NULL, 65534, 0},
        {"nobody:root", "USER=nobody", NULL, 65534, 0}, {"root", "USER=root", "HOME=/root", 0, 0},
        {"1234567:7654321", "USER=1234567", "HOME=/", SOMEBODY, 7654321},
        {"4294967294:4294967294", "USER=4294967294", "HOME=/", 4294967294, 4294967294}};
    struct identity i;
    (void)state;
    SKIP_UNLESS_ROOT();
    if (!getpwnam("nobody") || getpwnam("nobody")->pw_uid != 65534)
        SKIP_BECAUSE("the user database has no nobody of 65534");
    for (size_t k = 0; k < sizeof rows / sizeof *rows; k++) {
        if (!identity_read(&i, rows[k].text, why, sizeof why))
            fail_msg("%s: %s", rows[k].text, why);
        assert_true(i.changes);
        assert_int_equal(i.uid, rows[k].uid);
        assert_int_equal(i.gid, rows[k].gid);
        assert_in_range(i.groups.count, 1, 65536);
        assert_int_equal(i.groups.all[0], rows[k].gid);
        if (rows[k].home)
            assert_string_equal(i.variables[0], rows[k].home);
        assert_string_equal(i.variables[1], rows[k].user);
        assert_int_equal(strncmp(i.variables[2], "LOGNAME=", 8), 0);
        assert_string_equal(i.variables[2] + 8, rows[k].user + 5);
        assert_int_equal(strncmp(i.variables[3], "SHELL=/", 7), 0);
        assert_null(i.variables[4]);
        forget(&i);
    }
}

static void
who_is_not_there_is_named(void **state)
{
    static const struct {
        const char *text, *word;
    } rows[] = {{"no such user", "no user no such user"}, {"", "no user"}, {":", "no user"},
        {"root:no-such-group", "no group no-such-group"}, {"root:", "no group"},
        {"1234567", "the group too"}, {"-1", "no user -1"}, {"+0", "no user +0"},
        {"4294967295", "no user 4294967295"}, {"4294967295:0", "no user"},
        {"root:4294967295", "no group"}, {"root:-1", "no group"}, {"4294967296", "no user"},
        {"99999999999999999999", "no user"}, {"0x0", "no user"}, {"0 ", "no user"}};
    struct identity i;
    (void)state;
    for (size_t k = 0; k < sizeof rows / sizeof *rows; k++) {
        assert_false(identity_read(&i, rows[k].text, why, sizeof why));
        if (!strstr(why, rows[k].word))
            fail_msg("%s: %s", rows[k].text, why);
        forget(&i);
    }
    assert_true(identity_read(&i, NULL, why, sizeof why));
    assert_false(i.changes);
    assert_null(i.variables[0]);
}

static void
only_root_may_run_programs_as_somebody_else(void **state)
{
    struct identity i;
    char text[64];
    (void)state;
    if (getuid() == 0)
        assert_true(setegid(SOMEBODY) == 0 && seteuid(SOMEBODY) == 0);
    bool other = identity_read(&i, "root", why, sizeof why);
    const char *word = strstr(why, "only a worker that root runs");
    forget(&i);
    if (getuid() == 0) { /* what it could go back to is not what it is */
        (void)snprintf(text, sizeof text, "%d:%d", SOMEBODY, SOMEBODY);
        other |= identity_read(&i, text, why, sizeof why);
        forget(&i);
        assert_true(seteuid(0) == 0 && setegid(0) == 0);
    }
    assert_false(other);
    assert_non_null(word);
}

/* In a child that is that user altogether. */
static int
be_somebody(void)
{
    struct identity i;
    char text[64];
    if (setresgid(SOMEBODY, SOMEBODY, SOMEBODY) != 0 ||
        setresuid(SOMEBODY, SOMEBODY, SOMEBODY) != 0)
        return 1;
    (void)snprintf(text, sizeof text, "%d:%d", SOMEBODY, SOMEBODY);
    if (!identity_read(&i, text, why, sizeof why) || i.changes || !i.variables[0])
        return 2;
    if (!identity_try(&i) || !identity_look(&i) || !identity_become(&i))
        return 3;
    forget(&i);
    (void)snprintf(text, sizeof text, "%d:%d", SOMEBODY, SOMEBODY + 1);
    bool other = identity_read(&i, text, why, sizeof why);
    forget(&i);
    return other ? 4 : 0;
}

static int
status_of(int (*what)(void))
{
    int status;
    pid_t pid = fork();
    if (pid == 0)
        _exit(what());
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static void
who_is_that_user_has_nothing_to_change(void **state)
{
    (void)state;
    SKIP_UNLESS_ROOT();
    assert_int_equal(status_of(be_somebody), 0);
}

static struct identity somebody;

static int
become(void)
{
    uid_t u[3], f;
    gid_t g[3], groups[8];
    if (!identity_become(&somebody) || getresuid(&u[0], &u[1], &u[2]) != 0 ||
        getresgid(&g[0], &g[1], &g[2]) != 0)
        return 1;
    f = (uid_t)setfsuid((uid_t)-1);
    for (int k = 0; k < 3; k++)
        if (u[k] != SOMEBODY || g[k] != 7654321 || f != SOMEBODY)
            return 2;
    if (getgroups(8, groups) != 1 || groups[0] != 7654321)
        return 3;
    return syscall(SYS_setresuid, 0, 0, 0) == 0 || syscall(SYS_setgroups, 0, NULL) == 0 ? 4 : 0;
}

static void
who_becomes_another_keeps_nothing_of_root(void **state)
{
    static const gid_t more[] = {0, 4, 27};
    (void)state;
    SKIP_UNLESS_ROOT();
    assert_true(identity_read(&somebody, "1234567:7654321", why, sizeof why));
    assert_true(identity_try(&somebody));
    assert_int_equal(geteuid(), 0);
    assert_int_equal(setgroups(3, more), 0);
    assert_int_equal(status_of(become), 0);
    forget(&somebody);
}

static void *
ask_other_thread(void *may)
{
    *(bool *)may = access("/root", R_OK) == 0 && getgroups(0, NULL) == 3 &&
        setfsuid((uid_t)-1) == 0 && setfsgid((gid_t)-1) == 0;
    return NULL;
}

static void
who_looks_as_another_sees_what_that_one_sees_and_other_threads_do_not(void **state)
{
    static const gid_t more[] = {0, 4, 27};
    pthread_t thread;
    char path[] = "/tmp/stint-identity-XXXXXX", file[64];
    bool other = false;
    (void)snprintf(file, sizeof file, "/tmp/stint-identity-look-%ld", (long)getpid());
    (void)state;
    SKIP_UNLESS_ROOT();
    assert_int_equal(setgroups(3, more), 0);
    assert_true(identity_read(&somebody, "1234567:7654321", why, sizeof why));
    assert_non_null(mkdtemp(path));
    assert_int_equal(chown(path, 0, 27), 0); /* what one of our groups may enter */
    assert_int_equal(chmod(path, 0770), 0);
    assert_true(identity_look(&somebody));
    bool may = faccessat(AT_FDCWD, path, X_OK, AT_EACCESS) == 0;
    int created = open(file, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600);
    (void)pthread_create(&thread, NULL, ask_other_thread, &other);
    (void)pthread_join(thread, NULL);
    bool changed = other; /* a thread that is made now is as its maker */
    errno = ENOTDIR;
    identity_look_as_self(&somebody);
    assert_int_equal(errno, ENOTDIR);
    struct stat s;
    assert_true(created >= 0);
    assert_int_equal(fstat(created, &s), 0);
    close(created);
    (void)unlink(file);
    assert_int_equal(s.st_uid, SOMEBODY);
    assert_int_equal(s.st_gid, 7654321);
    assert_false(may || changed);
    (void)pthread_create(&thread, NULL, ask_other_thread, &other);
    (void)pthread_join(thread, NULL);
    assert_true(other);
    assert_false(identity_may_enter(&somebody, path));
    assert_int_equal(chmod(path, 0711), 0);
    assert_true(identity_may_enter(&somebody, path));
    (void)rmdir(path);
    forget(&somebody);
    assert_int_equal(setgroups(0, NULL), 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(users_are_named_or_numbered),
        cmocka_unit_test(who_is_not_there_is_named),
        cmocka_unit_test(only_root_may_run_programs_as_somebody_else),
        cmocka_unit_test(who_is_that_user_has_nothing_to_change),
        cmocka_unit_test(who_becomes_another_keeps_nothing_of_root),
        cmocka_unit_test(who_looks_as_another_sees_what_that_one_sees_and_other_threads_do_not),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
