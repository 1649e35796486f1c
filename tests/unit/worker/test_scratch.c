/* Directories of runs: each is fresh, and goes at once or by the thread; what dead workers have
 * left goes too, and what living ones have stays.
 */
#include "now.h"
#include "scratch.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "skipping.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PATIENCE_MS = 60000, NOBODY = 65534 };

static const struct identity self;
static char root[64], why[512];
static struct scratch scratch;

static int
make_root(void **state)
{
    (void)state;
    /* In memory if we may: the disk may be others' at the moment. */
    (void)snprintf(root, sizeof root, "%s/stint-scratch-XXXXXX",
        access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
    return mkdtemp(root) ? 0 : -1;
}

static int
remove_root(void **state)
{
    char command[100];
    (void)state;
    (void)snprintf(command, sizeof command, "chmod -R u+rwX %s; rm -r %s", root, root);
    return system(command); /* NOLINT: a name of our own */
}

/* How many entries a directory has. */
static unsigned
count_in(const char *path)
{
    unsigned count = 0;
    DIR *list = opendir(path);
    assert_non_null(list);
    while (readdir(list))
        count++;
    (void)closedir(list);
    return count - 2;
}

static void
wait_for_count(const char *path, unsigned count)
{
    uint64_t end_ms = clock_ms() + PATIENCE_MS;
    while (count_in(path) != count) {
        assert_true(clock_ms() < end_ms);
        (void)poll(NULL, 0, 2);
    }
}

/* Until none waits to be removed; false if that takes too long. */
static bool
wait_for_none(uint64_t end_ms)
{
    uint32_t waiting = 1;
    while (waiting > 0 && clock_ms() < end_ms) {
        pthread_mutex_lock(&scratch.remover.lock);
        waiting = scratch.remover.waiting;
        pthread_mutex_unlock(&scratch.remover.lock);
        (void)poll(NULL, 0, 2);
    }
    return waiting == 0;
}

static void
open_one(struct scratch *s)
{
    if (!scratch_open(s, root, &self, why, sizeof why))
        fail_msg("%s", why);
}

static void
close_one(struct scratch *s)
{
    scratch_stop(s);
    scratch_remove(s);
    scratch_close(s);
}

static void
fill(const char *path, unsigned files)
{
    char name[200];
    for (unsigned i = 0; i < files; i++) {
        (void)snprintf(name, sizeof name, "%s/%u", path, i);
        assert_int_equal(mknod(name, S_IFREG | 0600, 0), 0);
    }
}

static void
each_run_has_a_fresh_one_that_goes_with_it(void **state)
{
    struct scratch_run runs[2];
    struct stat s;
    char first[200];
    (void)state;
    open_one(&scratch);
    assert_true(scratch_start(&scratch));
    assert_int_equal(stat(scratch.path, &s), 0);
    assert_int_equal(s.st_mode & 07777, 0700);
    assert_true(scratch_make(&scratch, &runs[0]));
    assert_true(scratch_make(&scratch, &runs[1]));
    assert_string_not_equal(runs[0].path, runs[1].path);
    assert_int_equal(strncmp(runs[0].path, scratch.path, strlen(scratch.path)), 0);
    assert_int_equal(stat(runs[0].path, &s), 0);
    assert_int_equal(s.st_mode & 07777, 0700);
    (void)snprintf(first, sizeof first, "%s", runs[0].path);
    fill(runs[0].path, 20);
    scratch_end(&scratch, &runs[0]);
    assert_int_equal(access(first, F_OK), -1); /* what is little goes before it returns */
    assert_int_equal(access(runs[1].path, F_OK), 0);
    scratch_end(&scratch, &runs[0]); /* there is none any more */
    scratch_end(&scratch, &runs[1]);
    close_one(&scratch);
    assert_int_equal(count_in(root), 0);
}

static void
what_is_much_goes_by_the_thread(void **state)
{
    struct scratch_run run;
    (void)state;
    open_one(&scratch);
    assert_true(scratch_make(&scratch, &run));
    fill(run.path, 600);
    scratch_end(&scratch, &run);
    assert_int_equal(count_in(scratch.path), 1); /* there is no thread yet */
    assert_true(scratch_start(&scratch));
    for (int i = 0; i < 3; i++) {
        assert_true(scratch_make(&scratch, &run));
        fill(run.path, 600);
        scratch_end(&scratch, &run);
    }
    wait_for_count(scratch.path, 1);
    assert_true(wait_for_none(clock_ms() + PATIENCE_MS));
    close_one(&scratch);
    assert_int_equal(count_in(root), 0);
}

static void
while_too_many_wait_to_be_removed_there_are_no_new_ones(void **state)
{
    static struct scratch_run runs[SCRATCH_LEFT_MAX + 1];
    (void)state;
    open_one(&scratch);
    assert_true(scratch_start(&scratch));
    for (int i = 0; i <= SCRATCH_LEFT_MAX; i++) {
        assert_true(scratch_make(&scratch, &runs[i]));
        fill(runs[i].path, i < SCRATCH_LEFT_MAX ? 1 : 300);
    }
    scratch_stop(&scratch); /* as one that is slow: nothing is removed at once either */
    scratch.remover.started = true;
    for (int i = 0; i <= SCRATCH_LEFT_MAX; i++) {
        struct scratch_run more;
        bool made = scratch_make(&scratch, &more);
        assert_int_equal(made, i < SCRATCH_WAITING_MAX);
        if (made)
            scratch_end(&scratch, &more);
        else
            assert_int_equal(errno, EBUSY);
        atomic_store(&scratch.stop, i < SCRATCH_LEFT_MAX);
        scratch_end(&scratch, &runs[i]);
    }
    /* The last one found no room, and was removed by who brought it. */
    assert_int_equal(count_in(scratch.path), SCRATCH_LEFT_MAX);
    assert_true(scratch_start(&scratch));
    wait_for_count(scratch.path, 0);
    close_one(&scratch);
}

static void
what_can_not_be_removed_makes_room_and_goes_in_the_end(void **state)
{
    static struct scratch_run runs[SCRATCH_LEFT_MAX];
    uint64_t end_ms = clock_ms() + PATIENCE_MS;
    char below[200];
    (void)state;
    SKIP_UNLESS_ROOT();
    assert_int_equal(chmod(root, 0777), 0);
    (void)snprintf(below, sizeof below, "%s/of", root);
    assert_int_equal(mkdir(below, 0700), 0);
    assert_int_equal(chown(below, NOBODY, NOBODY), 0);
    assert_int_equal(seteuid(NOBODY), 0);
    bool open = scratch_open(&scratch, below, &self, why, sizeof why);
    for (int i = 0; open && i < SCRATCH_LEFT_MAX; i++)
        open = scratch_make(&scratch, &runs[i]);
    assert_int_equal(seteuid(0), 0);
    assert_true(open);
    for (int i = 0; i < SCRATCH_LEFT_MAX; i++) {
        (void)snprintf(below, sizeof below, "%s/roots", runs[i].path);
        assert_int_equal(mkdir(below, 0700), 0);
        fill(below, 1);
    }
    assert_int_equal(seteuid(NOBODY), 0);
    bool good = scratch_start(&scratch); /* its credentials are ours of now */
    for (int i = 0; i < SCRATCH_LEFT_MAX; i++)
        scratch_end(&scratch, &runs[i]);
    bool tried = good && wait_for_none(end_ms);
    struct scratch_run more = {0};
    good = good && scratch_make(&scratch, &more);
    if (good)
        fill(more.path, 600);
    scratch_end(&scratch, &more);
    while (tried && good && count_in(scratch.path) != SCRATCH_LEFT_MAX && clock_ms() < end_ms)
        (void)poll(NULL, 0, 2);
    unsigned left = count_in(scratch.path);
    scratch_stop(&scratch);
    assert_int_equal(seteuid(0), 0);
    assert_true(good);
    assert_true(tried);
    assert_int_equal(scratch.remover.count, SCRATCH_LEFT_MAX - 1);
    assert_int_equal(left, SCRATCH_LEFT_MAX);
    close_one(&scratch);
    (void)snprintf(below, sizeof below, "%s/of", root);
    assert_int_equal(count_in(below), 0);
}

static void
what_dead_workers_left_goes_and_what_living_ones_have_stays(void **state)
{
    static struct scratch dead, alive;
    struct scratch_run of_dead, of_alive;
    char foreign[100], target[100], link[120];
    (void)state;
    open_one(&dead);
    open_one(&alive);
    assert_true(scratch_make(&dead, &of_dead));
    assert_true(scratch_make(&alive, &of_alive));
    fill(of_dead.path, 500);
    fill(of_alive.path, 500);
    scratch_close(&dead); /* as if it was killed */
    (void)snprintf(foreign, sizeof foreign, "%s/stint-worker-9-0", root);
    assert_int_equal(mkdir(foreign, 0755), 0); /* none that we make */
    fill(foreign, 1);
    (void)snprintf(target, sizeof target, "%s/target", root);
    assert_int_equal(mkdir(target, 0700), 0);
    fill(target, 1);
    (void)snprintf(link, sizeof link, "%s/stint-worker-9-1", root);
    assert_int_equal(symlink("target", link), 0);
    open_one(&scratch);
    assert_true(scratch_start(&scratch));
    wait_for_count(root, 5); /* ours, the living one's, and three that are none of workers */
    assert_int_equal(count_in(of_alive.path), 500);
    assert_int_equal(count_in(foreign), 1);
    assert_int_equal(count_in(target), 1);
    assert_int_equal(access(of_dead.path, F_OK), -1);
    close_one(&scratch);
    assert_int_equal(count_in(of_alive.path), 500);
    free(of_dead.path);
    scratch_end(&alive, &of_alive);
    close_one(&alive);
    assert_int_equal(count_in(root), 3);
}

static void
what_can_be_no_place_for_them_is_named(void **state)
{
    char file[100], open_to_all[100];
    (void)state;
    (void)snprintf(file, sizeof file, "%s/file", root);
    assert_int_equal(mknod(file, S_IFREG | 0600, 0), 0);
    (void)snprintf(open_to_all, sizeof open_to_all, "%s/open", root);
    assert_int_equal(mkdir(open_to_all, 0700), 0);
    assert_int_equal(chmod(open_to_all, 0777), 0);
    const struct {
        const char *directory, *word;
    } rows[] = {{"/no/such", "No such file"}, {file, "Not a directory"},
        {open_to_all, "everybody may rename"}, {"/proc", "can't make a directory"}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        assert_false(scratch_open(&scratch, rows[i].directory, &self, why, sizeof why));
        assert_non_null(strstr(why, rows[i].word));
        assert_non_null(strstr(why, rows[i].directory));
    }
    assert_int_equal(chmod(open_to_all, 01777), 0);
    assert_true(scratch_open(&scratch, open_to_all, &self, why, sizeof why));
    close_one(&scratch);
    mode_t before = umask(0277);
    assert_false(scratch_open(&scratch, root, &self, why, sizeof why));
    (void)umask(before);
    assert_non_null(strstr(why, "umask"));
    assert_int_equal(count_in(root), 2);
}

static void
without_a_directory_nothing_is_done(void **state)
{
    struct scratch_run run;
    (void)state;
    assert_true(scratch_open(&scratch, NULL, &self, why, sizeof why));
    assert_true(scratch_start(&scratch));
    assert_false(scratch.remover.started);
    assert_true(scratch_make(&scratch, &run));
    assert_null(run.path);
    scratch_end(&scratch, &run);
    close_one(&scratch);
}

int
main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, make_root, remove_root)
    const struct CMUnitTest tests[] = {
        T(each_run_has_a_fresh_one_that_goes_with_it),
        T(what_is_much_goes_by_the_thread),
        T(while_too_many_wait_to_be_removed_there_are_no_new_ones),
        T(what_can_not_be_removed_makes_room_and_goes_in_the_end),
        T(what_dead_workers_left_goes_and_what_living_ones_have_stays),
        T(what_can_be_no_place_for_them_is_named),
        T(without_a_directory_nothing_is_done),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
