/* Needs as people write them, and their canonical text. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "message.h"
#include "needs.h"

#include <stdio.h>

static const char *
write(enum needs_of of, const char *text, char to[LIMIT_HAS_BYTES + 1])
{
    size_t size;
    const char *why =
        needs_write(of, (struct slice){(const uint8_t *)text, strlen(text)}, to, &size);
    if (!why)
        assert_int_equal(size, strlen(to));
    return why;
}

static void
assert_written(const char *text, const char *canonical)
{
    char to[LIMIT_HAS_BYTES + 1];
    assert_null(write(NEEDS_OF_JOB, text, to));
    assert_string_equal(to, canonical);
    assert_true(needs_are_canonical((struct slice){(const uint8_t *)to, strlen(to)}));
    if (strcmp(text, canonical) != 0)
        assert_false(needs_are_canonical((struct slice){(const uint8_t *)text, strlen(text)}));
}

static void
the_same_words_have_one_canonical_text(void **state)
{
    (void)state;
    assert_written("gpu", "gpu");
    assert_written("zone=a,gpu", "gpu zone=a");
    assert_written("  gpu,, gpu ", "gpu");
    assert_written("mem=4096M cpus=2 gpu", "cpus=2 gpu mem=4G");
    assert_written("cpus=02.500", "cpus=2.5");
    assert_written("cpus=0.001", "cpus=0.001");
    assert_written("mem=0.5G", "mem=512M");
    assert_written("mem=1024T", "mem=1024T");
    assert_written("mem=1125899906842624", "mem=1024T");
    assert_written("mem=1.5K", "mem=1536");
    assert_written("mem=0.001K", "mem=1.024");
    assert_written("n=1024 n=1K", "n=1K");
    assert_written("a=1 a-b a", "a a=1 a-b");
    assert_written("4090", "4090");
}

static void
what_is_wrong_is_said(void **state)
{
    static const char *const bad[] = {"", " , ", "=", "=1", "a=", "a==1", "a=1=2", "a=-1",
        "a=1 a=2", "a=0", "a=0.000", "a=1.", "a=1.2345", "a=1KB", "a=1k", "a=1e9",
        "a=99999999999999999999", "a=1025T", "a=1024.001T", "-a", "a/b", "a=\xc3\xa9"};
    char to[LIMIT_HAS_BYTES + 1];
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (!write(NEEDS_OF_JOB, bad[i], to))
            fail_msg("%s was taken for %s", bad[i], to);
    assert_null(write(NEEDS_OF_WORKER, "gpu=0", to));
    assert_string_equal(to, "gpu=0");
}

static void
there_is_an_end_to_how_many_and_how_long(void **state)
{
    char text[1024] = "", to[LIMIT_HAS_BYTES + 1], word[80];
    (void)state;
    for (unsigned i = 0; i < LIMIT_HAS + 1; i++) {
        (void)snprintf(text + strlen(text), 8, "a%u ", i);
        assert_int_equal(write(NEEDS_OF_JOB, text, to) == NULL, i < LIMIT_NEEDS);
        assert_int_equal(write(NEEDS_OF_WORKER, text, to) == NULL, i < LIMIT_HAS);
    }
    text[0] = '\0';
    for (unsigned i = 0; i < 15; i++) {
        memset(word, 'x', 60);
        (void)snprintf(word + 60, 20, "%02u ", i);
        memcpy(text + strlen(text), word, strlen(word) + 1);
        size_t size = (i + 1) * 63 - 1;
        assert_int_equal(write(NEEDS_OF_JOB, text, to) == NULL, size <= LIMIT_NEEDS_BYTES);
        assert_int_equal(write(NEEDS_OF_WORKER, text, to) == NULL, size <= LIMIT_HAS_BYTES);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_same_words_have_one_canonical_text),
        cmocka_unit_test(what_is_wrong_is_said),
        cmocka_unit_test(there_is_an_end_to_how_many_and_how_long),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
