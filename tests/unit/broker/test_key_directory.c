/* The directory of keys: what is taken from it, what is not, and what becomes of a key when its
 * file changes. Real files, read by the reader's own thread.
 */
#include "key_files.h"
#include "keys.h"
#include "log.h"
#include "now.h"

#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

enum { MANY = 1500, PAIRS = 3, DEADLINE_MS = 120000 };

struct fixture {
    char directory[64];
    struct key_file pairs[PAIRS];
    uint8_t keys[PAIRS][KEY_BYTES];
    struct keys *known;
};

static int
begin(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    assert_non_null(f);
    log_open("test", LOG_LEVEL_ERROR, false);
    (void)snprintf(f->directory, sizeof f->directory, "/tmp/stint-keys-XXXXXX");
    assert_non_null(mkdtemp(f->directory));
    for (unsigned i = 0; i < PAIRS; i++) {
        assert_true(key_files_draw(&f->pairs[i]));
        assert_true(key_decode(f->pairs[i].public_key, KEY_TEXT_BYTES - 1, f->keys[i]));
    }
    *state = f;
    return 0;
}

static int
end(void **state)
{
    struct fixture *f = *state;
    char command[128];
    keys_destroy(&f->known);
    (void)snprintf(command, sizeof command, "rm -rf %s", f->directory);
    assert_int_equal(system(command), 0); /* NOLINT: a path of our own */
    free(f);
    return 0;
}

static void
path_of(const struct fixture *f, const char *name, char path[128])
{
    (void)snprintf(path, 128, "%s/%s.pub", f->directory, name);
}

/* Written beside it and moved there, as files of keys are. */
static void
put(const struct fixture *f, const char *name, const char *key, const char *role)
{
    struct key_file file = {0};
    char path[128];
    path_of(f, name, path);
    (void)snprintf(file.public_key, sizeof file.public_key, "%s", key);
    (void)snprintf(file.role, sizeof file.role, "%s", role);
    assert_true(key_files_save(path, &file, false, true));
}

static void
take_away(const struct fixture *f, const char *name)
{
    char path[128];
    path_of(f, name, path);
    assert_true(key_files_remove(path));
}

static void
open_keys(struct fixture *f)
{
    f->known = keys_new(f->directory);
    assert_non_null(f->known);
}

/* Until all that is there now was looked at, and is so. */
static unsigned
look(struct fixture *f)
{
    unsigned changed = 0;
    uint64_t begun_ms = clock_ms();
    keys_ask(f->known);
    while (!(changed & KEYS_LOOKED)) {
        changed |= keys_take(f->known);
        assert_true(clock_ms() - begun_ms < DEADLINE_MS);
        (void)poll(NULL, 0, keys_wait(f->known) ? 0 : 1);
    }
    keys_drop(f->known);
    return changed & ~(unsigned)KEYS_LOOKED;
}

static uint64_t
number(const struct fixture *f, unsigned pair)
{
    return keys_find(f->known, f->keys[pair]);
}

static void
a_key_comes_and_goes_with_its_file_and_comes_back_as_another_one(void **state)
{
    struct fixture *f = *state;
    put(f, "one", f->pairs[0].public_key, "worker");
    open_keys(f);
    uint64_t first = number(f, 0);
    assert_true(first > 0);
    assert_string_equal(keys_grant(f->known, first)->name, "one");
    assert_int_equal(number(f, 1), 0);
    assert_int_equal(look(f), KEYS_SAME);
    put(f, "two", f->pairs[1].public_key, "client");
    assert_int_equal(look(f), KEYS_CHANGED);
    assert_true(number(f, 1) > first);
    take_away(f, "one");
    assert_int_equal(look(f), KEYS_CHANGED);
    assert_int_equal(number(f, 0), 0);
    assert_null(keys_grant(f->known, first));
    put(f, "one", f->pairs[0].public_key, "worker");
    assert_int_equal(look(f), KEYS_CHANGED);
    assert_true(number(f, 0) > number(f, 1));
}

static void
what_a_key_grants_changes_with_its_file_and_the_same_again_changes_nothing(void **state)
{
    struct fixture *f = *state;
    put(f, "one", f->pairs[0].public_key, "worker");
    open_keys(f);
    uint64_t first = number(f, 0);
    put(f, "one", f->pairs[0].public_key, "worker");
    assert_int_equal(look(f), KEYS_SAME);
    assert_int_equal(number(f, 0), first);
    put(f, "one", f->pairs[0].public_key, "client");
    assert_int_equal(look(f), KEYS_CHANGED);
    assert_true(number(f, 0) > first);
    assert_int_equal(keys_grant(f->known, number(f, 0))->rights, RIGHT_SUBMIT | RIGHT_SEE);
    put(f, "one", f->pairs[1].public_key, "client"); /* another key in the same file */
    assert_int_equal(look(f), KEYS_CHANGED);
    assert_int_equal(number(f, 0), 0);
    assert_true(number(f, 1) > 0);
    put(f, "one", "rubbish", "client");
    assert_int_equal(look(f), KEYS_CHANGED);
    assert_int_equal(keys_count(f->known), 0);
}

static void
a_key_in_two_files_counts_in_neither_until_one_is_gone(void **state)
{
    struct fixture *f = *state;
    put(f, "one", f->pairs[0].public_key, "worker");
    open_keys(f);
    put(f, "two", f->pairs[0].public_key, "admin");
    assert_int_equal(look(f), KEYS_CHANGED);
    assert_int_equal(number(f, 0), 0);
    take_away(f, "one");
    assert_int_equal(look(f), KEYS_CHANGED);
    assert_string_equal(keys_grant(f->known, number(f, 0))->name, "two");
    put(f, "three", f->pairs[0].public_key, "admin"); /* and as if it were moved there */
    take_away(f, "two");
    assert_int_equal(look(f), KEYS_CHANGED);
    assert_string_equal(keys_grant(f->known, number(f, 0))->name, "three");
}

static void
what_others_may_write_to_grants_nothing_new_and_revokes_what_is_gone(void **state)
{
    struct fixture *f = *state;
    put(f, "one", f->pairs[0].public_key, "worker");
    put(f, "two", f->pairs[1].public_key, "worker");
    open_keys(f);
    uint64_t first = number(f, 0);
    assert_int_equal(chmod(f->directory, 0777), 0);
    put(f, "three", f->pairs[2].public_key, "admin");
    take_away(f, "two");
    assert_int_equal(look(f), KEYS_CHANGED);
    assert_int_equal(number(f, 0), first);
    assert_int_equal(number(f, 1), 0);
    assert_int_equal(number(f, 2), 0);
    put(f, "one", f->pairs[0].public_key, "admin"); /* more than it granted: it grants nothing */
    assert_int_equal(look(f), KEYS_CHANGED);
    assert_int_equal(number(f, 0), 0);
    assert_int_equal(look(f), KEYS_SAME);
    assert_int_equal(chmod(f->directory, 0700), 0);
    assert_int_equal(look(f), KEYS_CHANGED);
    assert_true(number(f, 0) > first && number(f, 2) > first);
}

static void
a_directory_that_is_not_there_holds_no_keys_and_may_come(void **state)
{
    struct fixture *f = *state;
    char real[sizeof f->directory];
    put(f, "one", f->pairs[0].public_key, "worker");
    open_keys(f);
    (void)snprintf(real, sizeof real, "%.50s-away", f->directory);
    assert_int_equal(rename(f->directory, real), 0);
    assert_int_equal(look(f), KEYS_CHANGED);
    assert_int_equal(number(f, 0), 0);
    assert_int_equal(rename(real, f->directory), 0);
    assert_int_equal(look(f), KEYS_CHANGED);
    assert_true(number(f, 0) > 0);
}

static void
while_the_system_lets_nothing_be_read_all_stays_as_it_is(void **state)
{
    struct fixture *f = *state;
    struct rlimit before, none;
    put(f, "one", f->pairs[0].public_key, "worker");
    put(f, "two", f->pairs[1].public_key, "worker");
    open_keys(f);
    uint64_t first = number(f, 0);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    put(f, "two", f->pairs[2].public_key, "worker");
    (void)look(f);
    int next = dup(STDERR_FILENO);
    assert_true(next >= 0);
    close(next);
    none = (struct rlimit){.rlim_cur = (rlim_t)next, .rlim_max = before.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0); /* no descriptor is left */
    assert_int_equal(look(f), KEYS_SAME);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    assert_int_equal(number(f, 0), first);
    assert_int_equal(look(f), KEYS_SAME);
    assert_int_equal(keys_count(f->known), 2);
}

static void
the_brokers_own_pair_changes_with_its_file_and_stays_when_that_is_gone(void **state)
{
    struct fixture *f = *state;
    char path[128];
    (void)snprintf(path, sizeof path, "%s/" KEYS_BROKER_FILE, f->directory);
    assert_true(key_files_save(path, &f->pairs[0], true, true));
    open_keys(f);
    assert_string_equal(keys_broker(f->known)->secret_key, f->pairs[0].secret_key);
    assert_true(key_files_save(path, &f->pairs[1], true, true));
    assert_int_equal(look(f), KEYS_BROKER_CHANGED);
    assert_string_equal(keys_broker(f->known)->secret_key, f->pairs[1].secret_key);
    assert_int_equal(chmod(path, 0644), 0); /* it does not count, and what we have goes on to */
    assert_int_equal(look(f), KEYS_SAME);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(look(f), KEYS_SAME);
    assert_string_equal(keys_broker(f->known)->secret_key, f->pairs[1].secret_key);
}

static void
many_keys_come_and_go_a_part_at_a_time_and_none_is_forgotten(void **state)
{
    struct fixture *f = *state;
    char name[STINT_NAME_BYTES], path[128];
    struct key_file pair;
    open_keys(f);
    for (unsigned i = 0; i < MANY; i++) {
        assert_true(key_files_draw(&pair));
        (void)snprintf(name, sizeof name, "key%u", i);
        path_of(f, name, path);
        FILE *file = fopen(path, "w");
        assert_non_null(file);
        (void)fprintf(file, "metadata\n    role = \"worker\"\ncurve\n    public-key = \"%s\"\n",
            pair.public_key);
        assert_int_equal(fclose(file), 0);
    }
    (void)look(f);
    assert_int_equal(keys_count(f->known), MANY);
    for (unsigned i = 0; i < MANY; i += 2) {
        (void)snprintf(name, sizeof name, "key%u", i);
        path_of(f, name, path);
        assert_int_equal(unlink(path), 0);
    }
    (void)look(f);
    assert_int_equal(keys_count(f->known), MANY / 2);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_key_comes_and_goes_with_its_file_and_comes_back_as_another_one),
        TEST(what_a_key_grants_changes_with_its_file_and_the_same_again_changes_nothing),
        TEST(a_key_in_two_files_counts_in_neither_until_one_is_gone),
        TEST(what_others_may_write_to_grants_nothing_new_and_revokes_what_is_gone),
        TEST(a_directory_that_is_not_there_holds_no_keys_and_may_come),
        TEST(while_the_system_lets_nothing_be_read_all_stays_as_it_is),
        TEST(the_brokers_own_pair_changes_with_its_file_and_stays_when_that_is_gone),
        TEST(many_keys_come_and_go_a_part_at_a_time_and_none_is_forgotten)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
