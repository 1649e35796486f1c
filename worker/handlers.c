/* Handlers from programs and plugins; the contract is in handlers.h. */
#include "handlers.h"
#include "log.h"
#include "message.h"
#include "pattern.h"
#include "words.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NAME_RULE "1 to 64 of A-Z a-z 0-9 . _ -, beginning with a letter or digit"

/* A kind and the program that runs it; lives as long as the process. */
struct program_handler {
    char *kind;
    char **argv;
    struct runner *runner;
    struct program_handler *next;
};

/* What a slot has for one program handler. */
struct program_slot {
    const struct program_handler *handler;
    struct runner_slot *runner;
};

static void *
make_program_slot(void *context, uint32_t slot)
{
    struct program_slot *s = calloc(1, sizeof *s);
    (void)slot;
    if (!s)
        abort();
    s->handler = context;
    s->runner = runner_slot_new(s->handler->runner);
    return s;
}

static void
destroy_program_slot(void *context, void *state)
{
    struct program_slot *s = state;
    (void)context;
    runner_slot_destroy(&s->runner);
    free(s);
}

static void
run_program(struct stint_task *task, void *state)
{
    struct program_slot *s = state;
    const struct stint_task_info *job = stint_task_info(task);
    struct command command = {.argv = s->handler->argv,
        .input = job->payload,
        .input_bytes = job->payload_bytes,
        .ours = true};
    runner_run(s->runner, &command, task);
}

static void *
make_exec_slot(void *context, uint32_t slot)
{
    (void)slot;
    return runner_slot_new(context);
}

static void
destroy_exec_slot(void *context, void *state)
{
    struct runner_slot *s = state;
    (void)context;
    runner_slot_destroy(&s);
}

static void
run_exec(struct stint_task *task, void *state)
{
    runner_run_exec(state, task);
}

bool
complain(const char *what, const char *value)
{
    char text[1024];
    (void)snprintf(text, sizeof text, "%s: %s", value, what);
    log_refusal(text);
    return false;
}

/* A worker whose program is missing would take job after job and run none. */
static bool
check_program(const char *text, const char *name, const struct runner *runner)
{
    struct place place = {0};
    char why[1000];
    const char *search = surroundings_path(&runner->surroundings);
    bool good = identity_look(runner->identity);
    if (good) {
        const char *path = place_find(&place, name, search, NULL, NULL);
        good = path && program_check(path);
        identity_look_as_self(runner->identity);
    }
    if (!good && strchr(name, '/'))
        (void)snprintf(why, sizeof why, "can't run %.400s: %s", name, strerror(errno));
    else if (!good)
        (void)snprintf(why, sizeof why, "can't run %.400s: %s; PATH is %.400s", name,
            errno == EACCES ? "it is not executable" : "there is no such program", search);
    if (!good)
        complain(why, text);
    place_forget(&place);
    return good;
}

/* The command's words: cut as a shell would, but nothing is expanded; or one line for a shell. */
static char **
words_of(const char *command, bool shell, const char **why)
{
    int argc;
    const char **words;
    if (!shell) {
        *why = words_cut(command, &argc, &words);
        return (char **)(uintptr_t)words;
    }
    char **argv = calloc(4, sizeof *argv);
    if (!argv || !(argv[0] = strdup("/bin/sh")) || !(argv[1] = strdup("-c")) ||
        !(argv[2] = strdup(command)))
        abort();
    return argv;
}

static bool
add_handler(struct stint_worker *w, const struct stint_handler *handler, const char *text)
{
    enum stint_status status = stint_worker_handle(w, handler);
    if (status == STINT_BAD_NAME)
        return complain("the kind's name must be " NAME_RULE, text);
    if (status == STINT_TOO_MANY)
        return complain("there are 64 handlers already", text);
    if (status == STINT_INVALID)
        return complain("its kind has a handler already", text);
    return status == STINT_OK || complain(stint_status_text(status), text);
}

/* KIND=COMMAND */
static bool
add_program(struct stint_worker *w, struct handlers *all, struct runner *runner, const char *text,
    bool shell)
{
    const char *command = strchr(text, '='), *why;
    if (!command)
        return complain("write KIND=COMMAND", text);
    if (shell && command[1 + strspn(command + 1, " \t\n")] == '\0')
        return complain("there is no command in it", text);
    struct program_handler *h = calloc(1, sizeof *h);
    if (!h || !(h->kind = strndup(text, (size_t)(command - text))))
        abort();
    h->runner = runner;
    h->next = all->programs;
    all->programs = h;
    h->argv = words_of(command + 1, shell, &why);
    if (!h->argv)
        return complain(why, text);
    if (!check_program(text, h->argv[0], runner))
        return false;
    struct stint_handler handler = {.kind = h->kind,
        .run = run_program,
        .make = make_program_slot,
        .destroy = destroy_program_slot,
        .context = h};
    return add_handler(w, &handler, text);
}

static bool
add_plugin(struct stint_worker *w, const char *path)
{
    void *object = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!object)
        return complain(dlerror(), path);
    stint_plugin_fn *entry;
    *(void **)&entry = dlsym(object, STINT_PLUGIN_ENTRY);
    if (!entry)
        return complain("it has no entry point " STINT_PLUGIN_ENTRY, path);
    if (entry(w))
        return true;
    char what[800];
    const char *why = stint_worker_error(w);
    (void)snprintf(what, sizeof what, "the plugin refused to start%s%s", *why ? ": " : "", why);
    return complain(what, path);
}

bool
handlers_add(struct stint_worker *w, struct handlers *h, struct runner *runner)
{
    for (uint32_t i = 0; i < h->handles.count; i++)
        if (!add_program(w, h, runner, h->handles.items[i], false))
            return false;
    for (uint32_t i = 0; i < h->shells.count; i++)
        if (!add_program(w, h, runner, h->shells.items[i], true))
            return false;
    for (uint32_t i = 0; i < h->plugins.count; i++)
        if (!add_plugin(w, h->plugins.items[i]))
            return false;
    struct stint_handler exec = {.kind = "exec",
        .run = run_exec,
        .make = make_exec_slot,
        .destroy = destroy_exec_slot,
        .context = runner};
    if (h->exec && !add_handler(w, &exec, "--exec"))
        return false;
    return stint_worker_handlers(w) > 0 ||
        complain("it has registered no handler, and there is none else", h->plugins.items[0]);
}

bool
list_add(void *to, const char *value, const char **why)
{
    struct list *list = to;
    *why = "there are too many of them";
    if (list->count == LIST_MAX)
        return false;
    list->items[list->count++] = value;
    return true;
}

static bool
complain_of_name(const char *name, const char *setting, const char *what, const char *more)
{
    char text[256], rule[256];
    (void)snprintf(text, sizeof text, "%.20s '%.200s'", setting, name);
    (void)snprintf(rule, sizeof rule, "%.40s is " NAME_RULE "%.80s", what, more);
    return complain(rule, text);
}

bool
names_check(const struct list *names, const char *setting, const char *what)
{
    for (uint32_t i = 0; i < names->count; i++) {
        const char *name = names->items[i];
        if (!name_is_valid((struct slice){(const uint8_t *)name, strlen(name)}))
            return complain_of_name(name, setting, what, "");
    }
    return true;
}

bool
queues_check(const struct list *queues, const char *setting)
{
    uint32_t prefixes = 0;
    for (uint32_t i = 0; i < queues->count; i++) {
        const char *text = queues->items[i];
        struct slice queue = {(const uint8_t *)text, strlen(text)};
        if (!prefix_is_valid(queue) && !name_is_valid(queue))
            return complain_of_name(
                text, setting, "a queue's name", "; a * behind it: all that begin so");
        prefixes += pattern_is_open(queue);
    }
    return (prefixes <= LIMIT_PREFIXES && queues->count - prefixes <= LIMIT_QUEUES_SERVED) ||
        complain("a worker serves at most 256 names and 64 prefixes", setting);
}
