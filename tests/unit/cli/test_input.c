/* Rows of input against a model: lines that come in pieces of any size, several together, cut into
 * columns, or words in all combinations.
 */
#include "input.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const struct cli cli = {.verb = "test"};
static char path[64];

static void
write_file(const char *bytes, size_t size)
{
    FILE *f = fopen(path, "we");
    assert_non_null(f);
    assert_int_equal(fwrite(bytes, 1, size, f), size);
    assert_int_equal(fclose(f), 0);
}

static uint64_t seed;
static size_t
below(size_t end)
{
    seed = seed * 6364136223846793005ULL + 1442695040888963407ULL;
    return (size_t)(seed >> 33) % end;
}

/* A pipe as standard input, written as it is read: no line is lost, doubled or put together. */
static void
lines_come_whole_whatever_pieces_they_come_in(void **state)
{
    enum { BYTES = 200000 };
    char *all = malloc(BYTES);
    (void)state;
    assert_non_null(all);
    for (seed = 1; seed < 5000000000000ULL; seed = seed * 100 + 7) {
        char end = seed % 2 ? '\n' : '\0';
        for (size_t i = 0, left = 0; i < BYTES; i++, left--) {
            if (left == 0)
                left = 1 + below(below(20) ? 60 : 20000);
            all[i] = left == 1 ? end : (char)('a' + below(26));
        }
        int ends[2], input = dup(STDIN_FILENO);
        assert_int_equal(pipe(ends), 0);
        dup2(ends[0], STDIN_FILENO);
        close(ends[0]);
        struct lines *l = lines_open(NULL, end, BYTES);
        assert_non_null(l);
        size_t written = 0, at = 0, size;
        uint64_t count = 0;
        const char *line;
        enum lines_result got = LINES_NONE_YET;
        while (got != LINES_OVER) {
            size_t piece = 1 + below(5000);
            if (written < BYTES && piece > BYTES - written)
                piece = BYTES - written;
            if (written < BYTES)
                written += (size_t)write(ends[1], all + written, piece);
            if (written == BYTES && ends[1] >= 0) {
                close(ends[1]);
                ends[1] = -1;
            }
            while ((got = lines_next(l, 0, &line, &size)) == LINES_ONE) {
                const char *stop = memchr(all + at, end, BYTES - at);
                assert_int_equal(size, (size_t)((stop ? stop : all + BYTES) - (all + at)));
                assert_memory_equal(line, all + at, size);
                at += size + (stop != NULL);
                assert_true(at <= written && lines_count(l) == ++count);
            }
            assert_true(got == LINES_NONE_YET || got == LINES_OVER);
        }
        assert_int_equal(at, BYTES);
        assert_true(lines_total(l) == 0); /* of a pipe it can't be told */
        lines_close(&l);
        assert_null(l);
        dup2(input, STDIN_FILENO);
        close(input);
    }
    free(all);
}

static void
a_line_over_its_limit_is_told_from_one_that_just_fits(void **state)
{
    static char text[300000];
    const char *line;
    size_t size;
    (void)state;
    memset(text, 'x', sizeof text);
    for (unsigned over = 0; over < 2; over++)
        for (size_t max = 10; max <= 100000; max *= 100) {
            text[max + over] = '\n';
            write_file(text, max + over + 1);
            struct lines *l = lines_open(path, '\n', max);
            assert_int_equal(lines_next(l, -1, &line, &size), over ? LINES_TOO_LONG : LINES_ONE);
            lines_close(&l);
            text[max + over] = 'x';
        }
    write_file(text, sizeof text); /* without an end: it is not read to the last byte */
    struct lines *l = lines_open(path, '\n', 1000);
    assert_int_equal(lines_next(l, -1, &line, &size), LINES_TOO_LONG);
    lines_close(&l);
    assert_null(lines_open("/no/such", '\n', 10));
    assert_int_equal(errno, ENOENT);
    l = lines_open("/tmp", '\n', 10);
    assert_int_equal(lines_next(l, -1, &line, &size), LINES_ERROR);
    lines_close(&l);
}

/* Opens an input and writes all its rows as "number:line[arg|arg]...". */
static const char *
rows_of(const struct input_options *o, uint64_t *total)
{
    static char text[2000];
    struct input *in;
    struct row row;
    size_t used = 0;
    text[0] = '\0';
    assert_int_equal(input_open(&cli, o, &in), EX_OK);
    *total = input_total(in);
    while (input_next(in, -1, &row) == LINES_ONE) {
        used += (size_t)snprintf(text + used, sizeof text - used, "%llu:%.*s[",
            (unsigned long long)row.number, (int)row.line.size, row.line.bytes);
        for (size_t i = 0; i < row.count; i++)
            used += (size_t)snprintf(text + used, sizeof text - used, "%s%.*s", i ? "|" : "",
                (int)row.args[i].size, row.args[i].bytes);
        used += (size_t)snprintf(text + used, sizeof text - used, "]");
    }
    assert_int_equal(input_next(in, -1, &row), LINES_OVER); /* and stays so */
    input_close(&in);
    assert_null(in);
    return text;
}

static void
lines_become_rows_one_by_one_together_or_cut_into_columns(void **state)
{
    static const struct {
        const char *text;
        uint64_t together;
        const char *separator, *rows;
        uint64_t total;
    } table[] = {{"a\nb\n", 0, NULL, "1:a[a]2:b[b]", 2}, {"a\nb", 1, NULL, "1:a[a]2:b[b]", 1},
        {"", 1, NULL, "", 0}, {"\n", 1, NULL, "1:[]", 1}, {"\n\n", 2, NULL, "1: [|]", 1},
        {"a\nb\nc\n", 2, NULL, "1:a b[a|b]2:c[c]", 2}, {"a\nb\n", 2, NULL, "1:a b[a|b]", 1},
        {"a\nb\n", 3, NULL, "1:a b[a|b]", 1}, {"a,b\n,\nc\n", 1, ",", "1:a,b[a|b]2:,[|]3:c[c]", 3},
        {"a::b::c\n", 1, "::", "1:a::b::c[a|b|c]", 1}, {"a,b\nc\n", 2, ",", "1:a,b c[a,b|c]", 1}};
    (void)state;
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        uint64_t total;
        struct input_options o = {.path = path,
            .end = '\n',
            .together = table[i].together,
            .separator = table[i].separator};
        write_file(table[i].text, strlen(table[i].text));
        assert_string_equal(rows_of(&o, &total), table[i].rows);
        assert_true(total == table[i].total);
    }
}

static void
words_are_combined_and_the_last_set_turns_fastest(void **state)
{
    static const struct {
        const char *words[10], *rows;
        uint64_t total;
    } table[] = {{{"a", "b"}, "1:a[a]2:b[b]", 2}, {{":::", "a", "b"}, "1:a[a]2:b[b]", 2},
        {{"a", "b", ":::", "1", "2"}, "1:a 1[a|1]2:a 2[a|2]3:b 1[b|1]4:b 2[b|2]", 4},
        {{"a", ":::", "1", ":::", "x", "y"}, "1:a 1 x[a|1|x]2:a 1 y[a|1|y]", 2},
        {{"a", ":::"}, "", 0}, {{"a", ":::", ":::", "b"}, "", 0}, {{NULL}, "", 0}};
    const char *unknown[] = {"a", ":::+", "b", NULL}, *files[] = {"::::", "f", NULL};
    struct input *in;
    uint64_t total;
    (void)state;
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct input_options o = {.sets = (const char **)(uintptr_t)table[i].words};
        assert_string_equal(rows_of(&o, &total), table[i].rows);
        assert_true(total == table[i].total);
    }
    struct input_options o = {.sets = unknown};
    assert_int_equal(input_open(&cli, &o, &in), EX_USAGE);
    input_close(&in);
    o.sets = files;
    assert_int_equal(input_open(&cli, &o, &in), EX_USAGE);
    input_close(&in);
    o = (struct input_options){.path = "/no/such", .end = '\n'};
    assert_int_equal(input_open(&cli, &o, &in), EX_NOINPUT);
    input_close(&in);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_come_whole_whatever_pieces_they_come_in),
        cmocka_unit_test(a_line_over_its_limit_is_told_from_one_that_just_fits),
        cmocka_unit_test(lines_become_rows_one_by_one_together_or_cut_into_columns),
        cmocka_unit_test(words_are_combined_and_the_last_set_turns_fastest),
    };
    (void)snprintf(path, sizeof path, "/tmp/stint-input-XXXXXX");
    int fd = mkstemp(path);
    int failed = fd < 0 ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
    close(fd);
    unlink(path);
    return failed;
}
