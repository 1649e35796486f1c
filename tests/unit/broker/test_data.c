/* The data directory: who may use it, what its manifest may say, and what is said of a data file
 * that is missing, cut short, replaced or somebody else's. Each trouble has its exit code and
 * words.
 */
#include "data.h"
#include "store_lmdb.h"
#include "world.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

static char place[64]; /* a directory of the test's own; the data directory is in it */
static char directory[80];
static char error[1024];

static const char *
in(const char *name)
{
    static char path[200];
    (void)snprintf(path, sizeof path, "%s/%s", directory, name);
    return path;
}

static void
write_file(const char *name, const void *bytes, size_t size)
{
    int fd = open(in(name), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, bytes, size), size);
    close(fd);
}

static size_t
read_file(const char *name, char *text, size_t size)
{
    int fd = open(in(name), O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    ssize_t n = read(fd, text, size - 1);
    assert_true(n >= 0);
    text[n] = '\0';
    close(fd);
    return (size_t)n;
}

static void
make_store(void)
{
    struct store_lmdb_options o = {
        .path = in("jobs.lmdb"), .size_bytes = 16 << 20, .reserve_bytes = 1 << 20};
    struct store *store;
    const char *why = "";
    assert_int_equal(store_lmdb_new(&o, &store, &why), STINT_OK);
    for (unsigned i = 0; i < 200; i++) {
        uint8_t key[4] = {1, 2, 3, (uint8_t)i};
        static const uint8_t body[1500];
        store->ops->begin(store);
        store_put(store, STORE_LIVE, (struct slice){key, 4}, (struct slice){body, sizeof body},
            (struct slice){0});
        assert_int_equal(store->ops->commit(store), STINT_OK);
    }
    store->ops->destroy(&store);
}

/* A directory that broker 5 has used, with its manifest complete. */
static int
with_directory(void **state)
{
    struct data data;
    (void)state;
    (void)strcpy(place, "/tmp/stint-data-XXXXXX");
    assert_non_null(mkdtemp(place));
    (void)snprintf(directory, sizeof directory, "%s/data", place);
    assert_int_equal(data_open(&data, directory, 5, false, error), 0);
    assert_int_equal(data.format, 0);
    make_store();
    assert_int_equal(data_complete(&data, 5, error), 0);
    data_close(&data);
    return 0;
}

static int
without(void **state)
{
    static const char *const names[] = {"LOCK", "MANIFEST", "MANIFEST.new", "jobs.lmdb",
        "jobs.lmdb-lock", "jobs.lmdb.set-aside-1", "jobs.lmdb.set-aside-2", "other"};
    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        (void)unlink(in(names[i]));
    assert_int_equal(rmdir(directory), 0);
    assert_int_equal(rmdir(place), 0);
    return 0;
}

static void
refuse(uint16_t number, bool verify, int code, const char *words)
{
    struct data data;
    assert_int_equal(data_open(&data, directory, number, verify, error), code);
    if (!strstr(error, words))
        fail_msg("expected \"%s\" in \"%s\"", words, error);
    assert_true(data.lock < 0 && data.held < 0 && data.file < 0);
}

static void
accept(uint16_t number)
{
    struct data data;
    int rc = data_open(&data, directory, number, false, error);
    if (rc)
        fail_msg("refused: %s", error);
    assert_true(data_is_there(&data, error));
    data_close(&data);
}

static void
a_new_directory_is_made_and_a_used_one_is_known_again(void **state)
{
    struct data data;
    char text[256], identity[33];
    struct stat st;
    (void)state;
    assert_true(data_exists(directory));
    assert_int_equal(stat(directory, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0700);
    assert_int_equal(data_open(&data, directory, 5, false, error), 0);
    assert_int_equal(data.format, DATA_FORMAT);
    assert_int_equal(data.number, 5);
    assert_int_equal(strlen(data.identity), 32);
    (void)strcpy(identity, data.identity);
    assert_int_equal(stat(data.path, &st), 0);
    assert_int_equal(data.least_bytes, st.st_size);
    read_file("LOCK", text, sizeof text);
    assert_int_equal(strtol(text, NULL, 10), getpid());
    data_close(&data);
    data_close(&data); /* once more is nothing */
    read_file("MANIFEST", text, sizeof text);
    assert_non_null(strstr(text, identity));
    assert_false(data_exists(place));
}

static void
who_comes_second_is_told_who_was_first_until_that_one_is_gone(void **state)
{
    struct data first;
    char words[64];
    (void)state;
    assert_int_equal(data_open(&first, directory, 5, false, error), 0);
    (void)snprintf(
        words, sizeof words, "another broker (process %ld, this one) uses", (long)getpid());
    refuse(5, false, EX_TEMPFAIL, words);
    refuse(5, true, EX_TEMPFAIL, words);
    assert_int_equal(unlink(in("LOCK")), 0); /* somebody takes it for a leftover */
    refuse(5, false, EX_TEMPFAIL, "another broker (process unknown) uses");
    data_close(&first);
    accept(5);
}

static void
a_data_file_under_another_name_is_in_use_all_the_same(void **state)
{
    struct data first;
    char path[200];
    (void)state;
    (void)snprintf(path, sizeof path, "%s", in("jobs.lmdb"));
    assert_int_equal(data_open(&first, directory, 5, false, error), 0);
    /* The directory's own lock is let go, as if this were another directory with the same file. */
    close(first.held);
    close(first.lock);
    first.held = first.lock = -1;
    refuse(5, false, EX_TEMPFAIL, "under another name");
    data_close(&first);
    accept(5);
}

static void
a_path_that_can_be_no_directory_is_refused(void **state)
{
    struct data data;
    static char path[8000];
    (void)state;
    memset(path, 'p', sizeof path - 1);
    assert_int_equal(data_open(&data, path, 5, false, error), EX_USAGE);
    assert_int_equal(data_open(&data, in("MANIFEST"), 5, false, error), EX_CANTCREAT);
    assert_non_null(strstr(error, "is not a directory"));
    assert_int_equal(data_open(&data, in("no/such"), 5, false, error), EX_CANTCREAT);
    assert_non_null(strstr(error, "can't make the data directory"));
}

/* ---- the manifest ---- */

/* Writes what the manifest says with a line of it replaced. */
static void
change_manifest(const char *line, const char *by)
{
    char text[512], fresh[600];
    read_file("MANIFEST", text, sizeof text);
    char *at = strstr(text, line);
    assert_non_null(at);
    char *rest = strchr(at, '\n');
    assert_non_null(rest);
    *at = '\0';
    int n = snprintf(fresh, sizeof fresh, "%s%s%s", text, by, rest);
    write_file("MANIFEST", fresh, (size_t)n);
}

static void
what_a_manifest_may_not_say(void **state)
{
    static const char damaged[] = "can't be understood";
    static const struct {
        const char *line, *by;
        uint16_t number;
        int code;
        const char *words;
    } cases[] = {
        {"stint-data", "stint-data 14", 5, EX_CONFIG,
            "has format 14 and this stintd knows up to 13"},
        {"stint-data", "stint-data 2000000000", 5, EX_CONFIG, "use a newer stintd"},
        {"stint-data", "stint-data 0", 5, EX_DATAERR, damaged},
        {"stint-data", "stint-data -3", 5, EX_DATAERR, damaged},
        {"stint-data", "stint-data 03", 5, EX_DATAERR, damaged},
        {"stint-data", "stint-data  3", 5, EX_DATAERR, damaged},
        {"stint-data", "stint-date 3", 5, EX_DATAERR, damaged},
        {"stint-data", "stint-data 1", 5, EX_DATAERR, damaged}, /* that one had no broker */
        {"identity", "identity 0123456789abcdef0123456789abcde", 5, EX_DATAERR, damaged},
        {"identity", "identity 0123456789abcdef0123456789abcdef0", 5, EX_DATAERR, damaged},
        {"identity", "identity 0123456789ABCDEF0123456789abcdef", 5, EX_DATAERR, damaged},
        {"size", "size", 5, EX_DATAERR, damaged},
        {"size", "size x", 5, EX_DATAERR, damaged},
        {"size", "size -1", 5, EX_DATAERR, damaged},
        {"size", "size 18446744073709551615", 5, EX_DATAERR, damaged},
        {"broker", "broker 65536", 5, EX_DATAERR, damaged},
        {"broker", "broker -1", 5, EX_DATAERR, damaged},
        {"broker", "", 5, EX_DATAERR, damaged},
        {"broker", "broker 5\nand more", 5, EX_DATAERR, damaged},
        {"broker", "broker 6", 5, EX_CONFIG, "belongs to broker number 6"},
        {"broker", "broker 5", 6, EX_CONFIG, "start with --broker-number 5"},
        {"size", "size 99999999", 5, EX_DATAERR, "and had at least 99999999"},
    };
    char whole[512];
    size_t size = read_file("MANIFEST", whole, sizeof whole);
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        change_manifest(cases[i].line, cases[i].by);
        refuse(cases[i].number, false, cases[i].code, cases[i].words);
        refuse(cases[i].number, true, cases[i].code, cases[i].words);
        write_file("MANIFEST", whole, size);
        accept(5);
    }
}

static void
every_cut_of_a_manifest_is_refused(void **state)
{
    char whole[512];
    size_t size = read_file("MANIFEST", whole, sizeof whole);
    (void)state;
    for (size_t n = 0; n < size; n++) {
        write_file("MANIFEST", whole, n);
        refuse(5, false, EX_DATAERR, "restore it from a backup");
    }
    for (size_t n = 0; n < size; n++) {
        char other = whole[n];
        whole[n] = '\0';
        write_file("MANIFEST", whole, size);
        refuse(5, false, EX_DATAERR, "restore it from a backup");
        whole[n] = other;
    }
    write_file("MANIFEST", whole, size);
    accept(5);
}

static void
a_manifest_that_is_gone_is_not_written_over_its_data(void **state)
{
    (void)state;
    assert_int_equal(unlink(in("MANIFEST")), 0);
    refuse(5, false, EX_DATAERR, "has a data file but no MANIFEST");
    assert_int_equal(access(in("MANIFEST"), F_OK), -1);
    assert_int_equal(access(in("jobs.lmdb"), F_OK), 0);
}

static void
a_data_file_that_the_manifest_knows_nothing_of_is_set_aside_but_not_to_verify(void **state)
{
    struct data data;
    (void)state;
    for (unsigned n = 1; n <= 2; n++) {
        change_manifest("size", "size 0");
        assert_int_equal(data_open(&data, directory, 5, true, error), 0);
        assert_string_equal(data.set_aside, "");
        assert_int_equal(access(data.path, F_OK), 0);
        data_close(&data);
        assert_int_equal(data_open(&data, directory, 5, false, error), 0);
        assert_int_equal(access(data.path, F_OK), -1);
        assert_int_equal(access(data.set_aside, F_OK), 0);
        assert_int_equal(data.set_aside[strlen(data.set_aside) - 1], '0' + n);
        make_store();
        assert_int_equal(data_complete(&data, 5, error), 0);
        data_close(&data);
        accept(5);
    }
}

static void
a_directory_of_the_first_format_says_no_number(void **state)
{
    struct data data;
    char text[512];
    (void)state;
    change_manifest("stint-data", "stint-data 1");
    read_file("MANIFEST", text, sizeof text);
    write_file("MANIFEST", text, (size_t)(strstr(text, "broker") - text));
    assert_int_equal(data_open(&data, directory, 9, false, error), 0);
    assert_int_equal(data.format, 1);
    assert_int_equal(data.number, -1);
    assert_int_equal(data_refuse_number(&data, 7, error), EX_CONFIG);
    assert_non_null(strstr(error, "--broker-number 7"));
    assert_int_equal(data_complete(&data, 9, error), 0);
    data_close(&data);
    accept(9);
    refuse(5, false, EX_CONFIG, "belongs to broker number 9");
}

/* ---- the data file ---- */

static void
what_is_wrong_with_a_data_file_is_said(void **state)
{
    struct stat st;
    (void)state;
    (void)signal(
        SIGBUS, SIG_DFL); /* cmocka's would go on with the test in who looks at the pages */
    assert_int_equal(stat(in("jobs.lmdb"), &st), 0);
    assert_int_equal(rename(in("jobs.lmdb"), strdupa(in("other"))), 0);
    refuse(5, false, EX_NOINPUT, "the manifest beside it says that it was there");
    assert_int_equal(rename(in("other"), strdupa(in("jobs.lmdb"))), 0);
    accept(5);
    assert_int_equal(truncate(in("jobs.lmdb"), st.st_size - 1), 0);
    refuse(5, false, EX_DATAERR, "is damaged: it has");
    /* A manifest that is older than the file does not know how long it has to be; its root does. */
    change_manifest("size", "size 8192");
    assert_int_equal(truncate(in("jobs.lmdb"), st.st_size / 2), 0);
    refuse(5, false, EX_DATAERR, "is cut short: it has");
    write_file("jobs.lmdb", "this is no store", 16);
    change_manifest("size", "size 1");
    refuse(5, false, EX_DATAERR, "is damaged: it has 16 bytes");
}

static void
a_data_file_that_goes_while_it_is_in_use_is_missed(void **state)
{
    struct data data;
    (void)state;
    assert_int_equal(data_open(&data, directory, 5, false, error), 0);
    assert_true(data_is_there(&data, error));
    assert_int_equal(rename(data.path, in("other")), 0);
    assert_false(data_is_there(&data, error));
    assert_non_null(strstr(error, "was removed while it was in use"));
    write_file("jobs.lmdb", "another one", 11);
    assert_false(data_is_there(&data, error));
    assert_non_null(strstr(error, "was replaced while it was in use"));
    assert_int_equal(rename(in("other"), data.path), 0);
    assert_true(data_is_there(&data, error));
    assert_int_equal(truncate(data.path, 4096), 0);
    assert_false(data_is_there(&data, error));
    assert_non_null(strstr(error, "was cut short while it was in use"));
    data_close(&data);
}

#define FOR(test) cmocka_unit_test_setup_teardown(test, with_directory, without)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        FOR(a_new_directory_is_made_and_a_used_one_is_known_again),
        FOR(who_comes_second_is_told_who_was_first_until_that_one_is_gone),
        FOR(a_data_file_under_another_name_is_in_use_all_the_same),
        FOR(a_path_that_can_be_no_directory_is_refused),
        FOR(what_a_manifest_may_not_say),
        FOR(every_cut_of_a_manifest_is_refused),
        FOR(a_manifest_that_is_gone_is_not_written_over_its_data),
        FOR(a_data_file_that_the_manifest_knows_nothing_of_is_set_aside_but_not_to_verify),
        FOR(a_directory_of_the_first_format_says_no_number),
        FOR(what_is_wrong_with_a_data_file_is_said),
        FOR(a_data_file_that_goes_while_it_is_in_use_is_missed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
