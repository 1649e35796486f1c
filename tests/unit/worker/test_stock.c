/* What a worker has, of what is said, its machine, and the cgroups that it is in. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "stock.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static char place[] = "/tmp/stint-stock-XXXXXX";

static void
put(const char *name, const char *text)
{
    char path[256];
    (void)snprintf(path, sizeof path, "%s/%s", place, name);
    FILE *f = fopen(path, "we");
    assert_non_null(f);
    assert_true(fputs(text, f) >= 0);
    assert_int_equal(fclose(f), 0);
}

static void
make(const char *name)
{
    char path[256];
    (void)snprintf(path, sizeof path, "%s/%s", place, name);
    assert_int_equal(mkdir(path, 0700), 0);
}

static struct stock
limited(void)
{
    char members[256];
    struct stock s = {.cpus = 8 * (uint64_t)NEEDS_ONE, .memory_bytes = 1 << 30};
    (void)snprintf(members, sizeof members, "%s/members", place);
    stock_limit(&s, members, place);
    return s;
}

static void
the_least_of_all_cgroups_above_it_counts(void **state)
{
    (void)state;
    assert_non_null(mkdtemp(place));
    assert_int_equal(limited().cpus, 8000); /* nothing is there */
    put("members", "1:name=systemd:/x\n0::/a/b\n");
    make("a");
    make("a/b");
    assert_int_equal(limited().memory_bytes, 1 << 30);
    put("a/b/cpu.max", "max 100000\n");
    put("a/b/memory.max", "max\n");
    assert_int_equal(limited().cpus, 8000);
    put("a/cpu.max", "150000 100000\n");
    put("a/b/cpu.max", "400000 100000\n");
    put("a/b/memory.max", "67108864\n");
    put("memory.max", "134217728\n");
    struct stock s = limited();
    assert_int_equal(s.cpus, 1500);
    assert_int_equal(s.memory_bytes, 64 << 20);
    put("a/b/cpu.max", "1 1000000\n"); /* never nothing at all */
    assert_int_equal(limited().cpus, 1);
    put("members", "0::/\n");
    assert_int_equal(limited().memory_bytes, 128 << 20);
    char command[300];
    (void)snprintf(command, sizeof command, "rm -r %s", place);
    assert_int_equal(system(command), 0);
}

static void
what_is_said_is_stronger_than_what_is_there(void **state)
{
    const struct stock s = {.cpus = 1500, .memory_bytes = (5ULL << 30) + 12345};
    char text[LIMIT_HAS_BYTES + 1];
    (void)state;
    assert_null(stock_write(&s, NULL, text));
    assert_string_equal(text, "cpus=1.5 mem=5G");
    assert_null(stock_write(&s, "zone=a,gpu=2 cpus=0", text));
    assert_string_equal(text, "cpus=0 gpu=2 mem=5G zone=a");
    assert_null(stock_write(&s, "mem cpus mem=1M", text)); /* labels are no amounts */
    assert_string_equal(text, "cpus cpus=1.5 mem mem=1M");
    assert_non_null(stock_write(&s, "gpu=x=y", text));
    struct stock here = stock_of_machine();
    assert_true(here.cpus > 0 && here.memory_bytes > 1 << 20);
}

static void
cpus_and_mem_count_among_what_a_worker_has(void **state)
{
    const struct stock s = {.cpus = 2000, .memory_bytes = 1ULL << 30};
    char said[LIMIT_HAS_BYTES + 1] = "", text[LIMIT_HAS_BYTES + 1];
    (void)state;
    for (int i = 0; i < LIMIT_HAS - 1; i++) {
        (void)snprintf(said + strlen(said), sizeof said - strlen(said), " label%d", i);
        const char *why = stock_write(&s, said, text);
        assert_true(i < LIMIT_HAS - 2 ? !why : why && strstr(why, "with cpus and mem"));
    }
    (void)snprintf(said + strlen(said), sizeof said - strlen(said), " cpus=1"); /* and mem */
    assert_non_null(stock_write(&s, said, text));
    char *first = strchr(said + 1, ' ');
    assert_null(stock_write(&s, first, text));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_least_of_all_cgroups_above_it_counts),
        cmocka_unit_test(what_is_said_is_stronger_than_what_is_there),
        cmocka_unit_test(cpus_and_mem_count_among_what_a_worker_has),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
