/* The command line for workers: words, places for the line, the payload of kind exec. The first
 * line of the input is the template, the rest the line that is put in. */
#include "fuzz.h"
#include "jobs.h"

#include <msgpack.h>
#include <string.h>

/* Of cli/main.c: here nobody is told anything. */
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

bool
cli_duration(const struct cli *cli, const char *option, const char *text, uint64_t *ms)
{
    (void)cli;
    (void)option;
    (void)text;
    (void)ms;
    return false;
}

static const msgpack_object *
argv_of(const msgpack_object *o)
{
    MUST(o->type == MSGPACK_OBJECT_MAP && o->via.map.size >= 1);
    MUST(o->via.map.ptr[0].val.type == MSGPACK_OBJECT_ARRAY);
    return &o->via.map.ptr[0].val;
}

static void
try_template(const char **args, bool shell, const char *line, size_t line_bytes)
{
    struct cli cli = {.verb = "map"};
    struct template t;
    size_t bytes = 0, at = 0;
    msgpack_unpacked u;
    if (jobs_template(&cli, args, shell, &t) != EX_OK)
        return;
    void *payload = jobs_payload(&t, line, line_bytes, line_bytes % 2 == 0, &bytes);
    msgpack_unpacked_init(&u);
    MUST(msgpack_unpack_next(&u, payload, bytes, &at) == MSGPACK_UNPACK_SUCCESS && at == bytes);
    const msgpack_object *argv = argv_of(&u.data);
    /* The line is one word, or stands in words: it never makes more of them. */
    MUST(argv->via.array.size == t.count + (t.has_place ? 0 : 1));
    if (!t.has_place) {
        const msgpack_object_str *last = &argv->via.array.ptr[argv->via.array.size - 1].via.str;
        MUST(last->size == line_bytes && memcmp(last->ptr, line, line_bytes) == 0);
    }
    msgpack_unpacked_destroy(&u);
    free(payload);
    jobs_template_free(&t);
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
        try_template(one, false, line, line_bytes);
        try_template(two, false, line, line_bytes);
        try_template(one, true, line, line_bytes);
    }
    free(text);
    free(line);
    return 0;
}
