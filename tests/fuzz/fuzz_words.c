/* The command line for workers: words, places for the line, the payload of kind exec. The first
 * line of the input is the template, the rest the line that is put in. */
#include "fuzz.h"
#include "jobs.h"
#include "template.h"

#include <msgpack.h>
#include <stdlib.h>
#include <string.h>

/* Of cli/cli.c and cli/jobs.c: here nobody is told anything, and there are no options. */
struct job_options job_options;

void
cli_say(const struct cli *cli, const char *format, ...)
{
    (void)cli;
    (void)format;
}

int
cli_usage(const struct cli *cli, const char *format, ...)
{
    (void)cli;
    (void)format;
    return EX_USAGE;
}

void *
cli_allocate(size_t size)
{
    void *p = calloc(1, size ? size : 1);
    MUST(p);
    return p;
}

char *
cli_copy(const void *bytes, size_t size)
{
    char *c = cli_allocate(size + 1);
    if (size)
        memcpy(c, bytes, size);
    return c;
}

static const msgpack_object *
argv_of(const msgpack_object *o)
{
    MUST(o->type == MSGPACK_OBJECT_MAP && o->via.map.size >= 1);
    MUST(o->via.map.ptr[0].val.type == MSGPACK_OBJECT_ARRAY);
    return &o->via.map.ptr[0].val;
}

static void
try_template(
    const char *const *words, size_t count, bool shell, const char *line, size_t line_bytes)
{
    struct cli cli = {.verb = "map"};
    struct template *t;
    struct value args[2] = {{line, line_bytes}, {line, line_bytes / 2}};
    struct row row = {args[0], args, 1 + line_bytes % 2, 7};
    struct surroundings s = {.once = line_bytes % 3 == 0};
    size_t bytes = 0, at = 0;
    msgpack_unpacked u;
    if (template_new(&cli, words, count, shell, true, &t) != EX_OK)
        return;
    void *payload = template_payload(t, &s, &row, &bytes);
    msgpack_unpacked_init(&u);
    MUST(msgpack_unpack_next(&u, payload, bytes, &at) == MSGPACK_UNPACK_SUCCESS && at == bytes);
    const msgpack_object *argv = argv_of(&u.data);
    /* Without a place the arguments of the row stand at the end, whatever is in them. */
    if (!strchr(words[count - 1], '{')) {
        const msgpack_object *last = &argv->via.array.ptr[argv->via.array.size - 1];
        const struct value *wanted = &args[row.count - 1];
        MUST(last->via.str.size == wanted->size);
        MUST(memcmp(last->via.str.ptr, wanted->bytes, wanted->size) == 0);
    }
    msgpack_unpacked_destroy(&u);
    free(template_text(t, &row));
    free(template_describe(t));
    free(payload);
    template_free(&t);
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    const uint8_t *end = size ? memchr(bytes, '\n', size) : NULL;
    size_t first = end ? (size_t)(end - bytes) : size;
    char *text = malloc(first + 1), *line = malloc(size + 1);
    MUST(text && line);
    memcpy(text, bytes, first);
    text[first] = '\0';
    size_t line_bytes = end ? size - first - 1 : 0;
    memcpy(line, bytes + size - line_bytes, line_bytes);
    const char *one[] = {text, NULL}, *two[] = {"program", text, NULL};
    if (*text) {
        try_template(one, 1, false, line, line_bytes);
        try_template(two, 2, false, line, line_bytes);
        try_template(one, 1, true, line, line_bytes);
    }
    free(text);
    free(line);
    return 0;
}
