/* Kind `exec`: the job's payload says what to run, and how. */
#include "pack.h"
#include "runner.h"

#include <msgpack.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A payload as read; texts are ours. */
struct wish {
    struct command command;
    unsigned seen; /* keys, a bit each */
    char **argv, **environment;
    char *directory;
};

/* The bytes of a text or of binary data; false if it is neither. */
static bool
bytes_of(const msgpack_object *o, const char **data, size_t *size)
{
    if (o->type == MSGPACK_OBJECT_STR) {
        *data = o->via.str.ptr;
        *size = o->via.str.size;
    } else if (o->type == MSGPACK_OBJECT_BIN) {
        *data = o->via.bin.ptr;
        *size = o->via.bin.size;
    } else
        return false;
    return true;
}

static char *
text_of(const msgpack_object *o)
{
    const char *data;
    size_t size;
    if (!bytes_of(o, &data, &size) || memchr(data, '\0', size))
        return NULL;
    return strndup(data, size);
}

static void
free_texts(char **texts)
{
    for (char **t = texts; t && *t; t++)
        free(*t);
    free(texts);
}

static char **
arguments_of(const msgpack_object *o)
{
    if (o->type != MSGPACK_OBJECT_ARRAY || o->via.array.size == 0)
        return NULL;
    char **argv = calloc((size_t)o->via.array.size + 1, sizeof *argv);
    for (uint32_t i = 0; argv && i < o->via.array.size; i++) {
        argv[i] = text_of(&o->via.array.ptr[i]);
        if (!argv[i]) {
            free_texts(argv);
            return NULL;
        }
    }
    return argv;
}

/* NAME=VALUE of a pair; NULL if it can't be one. */
static char *
variable_of(const msgpack_object_kv *pair)
{
    char *name = text_of(&pair->key), *value = text_of(&pair->val), *both = NULL;
    if (name && value && *name && !strchr(name, '=') && asprintf(&both, "%s=%s", name, value) < 0)
        both = NULL;
    free(name);
    free(value);
    return both;
}

static char **
environment_of(const msgpack_object *o)
{
    if (o->type != MSGPACK_OBJECT_MAP)
        return NULL;
    char **all = calloc((size_t)o->via.map.size + 1, sizeof *all);
    for (uint32_t i = 0; all && i < o->via.map.size; i++) {
        all[i] = variable_of(&o->via.map.ptr[i]);
        if (!all[i]) {
            free_texts(all);
            return NULL;
        }
    }
    return all;
}

static bool
is_key(const msgpack_object *o, const char *key)
{
    return o->type == MSGPACK_OBJECT_STR && o->via.str.size == strlen(key) &&
        memcmp(o->via.str.ptr, key, o->via.str.size) == 0;
}

enum key { KEY_ARGV, KEY_CWD, KEY_ENV, KEY_STDIN, KEY_ONCE, KEY_CWD_REQUIRED, KEYS };
static const char *const keys[KEYS] = {"argv", "cwd", "env", "stdin", "once", "cwd_required"};

/* Reads one pair of the map form; false if it is wrong or there for the second time. */
static bool
read_pair(const msgpack_object_kv *pair, struct wish *w)
{
    const msgpack_object *value = &pair->val;
    const char *data;
    unsigned key = 0;
    while (key < KEYS && !is_key(&pair->key, keys[key]))
        key++;
    if (key == KEYS || w->seen & 1U << key)
        return false;
    w->seen |= 1U << key;
    switch ((enum key)key) {
    case KEY_ARGV:
        return (w->argv = arguments_of(value)) != NULL;
    case KEY_CWD:
        return (w->directory = text_of(value)) && *w->directory;
    case KEY_ENV:
        return (w->environment = environment_of(value)) != NULL;
    case KEY_STDIN:
        if (!bytes_of(value, &data, &w->command.input_bytes))
            return false;
        w->command.input = data;
        return true;
    case KEY_ONCE:
        w->command.once = value->type == MSGPACK_OBJECT_BOOLEAN && value->via.boolean;
        break;
    case KEY_CWD_REQUIRED:
        w->command.directory_required = value->type == MSGPACK_OBJECT_BOOLEAN && value->via.boolean;
        break;
    case KEYS:
        break;
    }
    return value->type == MSGPACK_OBJECT_BOOLEAN;
}

static bool
read_wish(const msgpack_object *o, struct wish *w)
{
    bool good = true;
    if (o->type == MSGPACK_OBJECT_MAP)
        for (uint32_t i = 0; good && i < o->via.map.size; i++)
            good = read_pair(&o->via.map.ptr[i], w);
    else
        w->argv = arguments_of(o);
    w->command.argv = w->argv;
    w->command.environment = w->environment;
    w->command.directory = w->directory;
    return good && w->argv;
}

void
runner_run_exec(struct runner_slot *slot, struct stint_task *task)
{
    const struct stint_task_info *job = stint_task_info(task);
    struct wish wish = {0};
    msgpack_unpacked unpacked;
    size_t offset = 0;
    /* msgpack-c believes declared counts and would allocate for them, so check them first. */
    bool good = pack_check(job->payload, job->payload_bytes);
    msgpack_unpacked_init(&unpacked);
    good = good &&
        msgpack_unpack_next(&unpacked, job->payload, job->payload_bytes, &offset) ==
            MSGPACK_UNPACK_SUCCESS &&
        read_wish(&unpacked.data, &wish);
    if (good)
        runner_run(slot, &wish.command, task);
    else
        stint_task_fail_for_good(task,
            "the payload of kind exec is a msgpack array of strings, or a map of argv, stdin, "
            "cwd, cwd_required, env, once; see stint-worker(1)");
    free_texts(wish.argv);
    free_texts(wish.environment);
    free(wish.directory);
    msgpack_unpacked_destroy(&unpacked);
}
