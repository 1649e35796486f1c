/* Segments as files: how many there are at first, that more are made beside whoever writes, and
 * what is said when that fails.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "segment_files.h"

#include <glob.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { BYTES = 1 << 16 };

static char directory[64], moved[80];

static int
begin(void **state)
{
    (void)state;
    (void)snprintf(directory, sizeof directory, "/tmp/stint-segments-%ld", (long)getpid());
    (void)snprintf(moved, sizeof moved, "%s-moved", directory);
    return mkdir(directory, 0700);
}

static void
clear(const char *name)
{
    char pattern[100];
    glob_t found;
    (void)snprintf(pattern, sizeof pattern, "%s/*", name);
    if (glob(pattern, 0, NULL, &found) == 0) {
        for (size_t i = 0; i < found.gl_pathc; i++)
            (void)unlink(found.gl_pathv[i]);
        globfree(&found);
    }
    (void)rmdir(name);
}

static int
end(void **state)
{
    (void)state;
    clear(directory);
    clear(moved);
    return 0;
}

static struct segments *
make(unsigned max, uint64_t disk_free_bytes)
{
    struct segment_files_options o = {
        .directory = directory, .bytes = BYTES, .max = max, .disk_free_bytes = disk_free_bytes};
    struct segments *s;
    char error[SEGMENT_FILES_ERROR_BYTES];
    assert_int_equal(segment_files_make(&o, &s, error), SEGMENT_FILES_OK);
    return s;
}

/* Asks until there are so many, or it fails. */
static bool
grow_to(struct segments *s, unsigned count)
{
    while (s->count < count) {
        if (!s->ops->grow(s))
            return false;
        (void)sched_yield();
    }
    return true;
}

static void
there_are_a_few_at_first_and_more_are_made_up_to_the_most(void **state)
{
    struct segments *s = make(6, 0);
    uint8_t back[3];
    (void)state;
    assert_int_equal(s->count, 4);
    assert_true(grow_to(s, 6));
    for (unsigned i = 0; i < 3; i++)
        assert_true(s->ops->grow(s));
    assert_int_equal(s->count, 6);
    assert_true(s->ops->write(s, 5, BYTES - 3, (const uint8_t *)"end", 3));
    assert_true(s->ops->flush(s, 5));
    assert_true(s->ops->read(s, 5, BYTES - 3, back, 3));
    assert_memory_equal(back, "end", 3);
    s->ops->destroy(&s);
}

static void
there_are_fewer_where_fewer_may_be_or_the_disk_is_to_be_kept_free(void **state)
{
    struct segments *s = make(3, 0);
    (void)state;
    assert_int_equal(s->count, 3);
    s->ops->destroy(&s);
    s = make(6, UINT64_MAX / 2);
    assert_int_equal(s->count, SEGMENTS_MIN);
    for (unsigned i = 0; i < 3; i++)
        assert_true(s->ops->grow(s));
    assert_int_equal(s->count, SEGMENTS_MIN);
    s->ops->destroy(&s);
}

static void
one_that_can_not_be_made_is_an_error_that_says_which(void **state)
{
    struct segments *s = make(6, 0);
    (void)state;
    assert_string_equal(s->ops->error(s), "");
    assert_int_equal(rename(directory, moved), 0);
    assert_false(grow_to(s, 5));
    assert_non_null(strstr(s->ops->error(s), "can't make"));
    assert_non_null(strstr(s->ops->error(s), "journal-04"));
    assert_int_equal(s->count, 4);
    s->ops->destroy(&s);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(there_are_a_few_at_first_and_more_are_made_up_to_the_most),
        TEST(there_are_fewer_where_fewer_may_be_or_the_disk_is_to_be_kept_free),
        TEST(one_that_can_not_be_made_is_an_error_that_says_which),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
