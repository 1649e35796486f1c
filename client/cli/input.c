/* Rows of input; the contract is in input.h. */
#include "input.h"
#include "jobs.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct set {
    const char **words;
    size_t count, at;
};

struct input {
    struct input_options o;
    struct lines *lines;
    struct set *sets;
    size_t sets_count;
    bool over;
    uint64_t rows;
    /* The row that is being put together: copies, and the whole of it. */
    char **copies;
    struct value *args;
    size_t count, room;
    char *whole;
};

const char *
input_unknown_marker(const char *const *words)
{
    for (; *words; words++)
        if (strcmp(*words, ":::+") == 0 || strcmp(*words, "::::") == 0 ||
            strcmp(*words, "::::+") == 0)
            return *words;
    return NULL;
}

static int
read_sets(const struct cli *cli, struct input *in)
{
    const char *unknown = input_unknown_marker(in->o.sets);
    if (unknown)
        return cli_usage(cli, "%s is not known here; ::: and --input are", unknown);
    for (const char **w = in->o.sets; *w; w++) {
        if (w == in->o.sets || strcmp(*w, ":::") == 0) {
            in->sets = realloc(in->sets, (in->sets_count + 1) * sizeof *in->sets);
            if (!in->sets)
                abort();
            bool marker = strcmp(*w, ":::") == 0;
            in->sets[in->sets_count++] = (struct set){w + marker, !marker, 0};
        } else
            in->sets[in->sets_count - 1].count++;
    }
    in->over = in->sets_count == 0;
    for (size_t i = 0; i < in->sets_count; i++)
        in->over |= in->sets[i].count == 0;
    return EX_OK;
}

int
input_open(const struct cli *cli, const struct input_options *o, struct input **input)
{
    struct input *in = *input = cli_allocate(sizeof *in);
    in->o = *o;
    if (in->o.together == 0)
        in->o.together = 1;
    if (o->sets)
        return read_sets(cli, in);
    in->lines = lines_open(o->path, o->end, JOBS_PAYLOAD_MAX);
    if (in->lines)
        return EX_OK;
    cli_say(cli, "can't read %s: %s", o->path, strerror(errno));
    return EX_NOINPUT;
}

static void
clear(struct input *in)
{
    for (size_t i = 0; i < in->count; i++)
        free(in->copies[i]);
    in->count = 0;
    free(in->whole);
    in->whole = NULL;
}

void
input_close(struct input **input)
{
    struct input *in = *input;
    if (!in)
        return;
    clear(in);
    lines_close(&in->lines);
    free(in->sets);
    free(in->copies);
    free(in->args);
    free(in);
    *input = NULL;
}

static void
add(struct input *in, const char *bytes, size_t size)
{
    if (in->count == in->room) {
        in->room = in->room ? 2 * in->room : 8;
        in->copies = realloc(in->copies, in->room * sizeof *in->copies);
        in->args = realloc(in->args, in->room * sizeof *in->args);
        if (!in->copies || !in->args)
            abort();
    }
    in->copies[in->count] = cli_copy(bytes, size);
    in->args[in->count] = (struct value){in->copies[in->count], size};
    in->count++;
}

static enum lines_result
give(struct input *in, struct value line, struct row *row)
{
    *row = (struct row){line, in->args, in->count, ++in->rows};
    return LINES_ONE;
}

/* All arguments of the row, with blanks between them. */
static enum lines_result
give_joined(struct input *in, struct row *row)
{
    size_t size = in->count, at = 0;
    for (size_t i = 0; i < in->count; i++)
        size += in->args[i].size;
    in->whole = cli_allocate(size + 1);
    for (size_t i = 0; i < in->count; i++) {
        if (i)
            in->whole[at++] = ' ';
        memcpy(in->whole + at, in->args[i].bytes, in->args[i].size);
        at += in->args[i].size;
    }
    return give(in, (struct value){in->whole, at}, row);
}

static void
add_columns(struct input *in, const char *line, size_t size)
{
    size_t step = strlen(in->o.separator);
    for (;;) {
        const char *at = memmem(line, size, in->o.separator, step);
        add(in, line, at ? (size_t)(at - line) : size);
        if (!at)
            return;
        size -= (size_t)(at - line) + step;
        line = at + step;
    }
}

/* The next combination: the last set turns fastest. */
static enum lines_result
next_combination(struct input *in, struct row *row)
{
    if (in->over)
        return LINES_OVER;
    for (size_t i = 0; i < in->sets_count; i++) {
        const char *word = in->sets[i].words[in->sets[i].at];
        add(in, word, strlen(word));
    }
    size_t i = in->sets_count;
    while (i > 0 && ++in->sets[i - 1].at == in->sets[i - 1].count)
        in->sets[--i].at = 0;
    in->over = i == 0;
    return give_joined(in, row);
}

enum lines_result
input_next(struct input *in, int wait_ms, struct row *row)
{
    const char *line;
    size_t size;
    if (in->whole || in->o.together == 1 || in->count >= in->o.together)
        clear(in);
    if (in->sets)
        return next_combination(in, row);
    if (in->over)
        return LINES_OVER;
    for (;;) {
        enum lines_result got = lines_next(in->lines, wait_ms, &line, &size);
        if (got == LINES_OVER && in->count > 0) {
            in->over = true;
            return give_joined(in, row);
        }
        if (got != LINES_ONE)
            return got;
        if (in->o.together > 1) {
            add(in, line, size);
            if (in->count == in->o.together)
                return give_joined(in, row);
            continue;
        }
        if (in->o.separator)
            add_columns(in, line, size);
        else
            add(in, line, size);
        if (!in->o.separator)
            return give(in, in->args[0], row);
        in->whole = cli_copy(line, size);
        return give(in, (struct value){in->whole, size}, row);
    }
}

uint64_t
input_total(const struct input *in)
{
    uint64_t total = in->sets_count > 0; /* ::: with nothing behind it is no set at all */
    if (in->lines)
        return (lines_total(in->lines) + in->o.together - 1) / in->o.together;
    for (size_t i = 0; i < in->sets_count; i++)
        total *= in->sets[i].count;
    return total;
}

uint64_t
input_line(const struct input *in)
{
    return in->lines ? lines_count(in->lines) + 1 : in->rows;
}
