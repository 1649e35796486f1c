/* stint-worker: settings, handlers from programs and plugins, and the worker's run. */
#include "log.h"
#include "runner.h"
#include "settings.h"
#include "streams.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <popt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

enum { LIST_MAX = 64, QUEUES_MAX = 256 };

/* A kind and the program that runs it. */
struct program_handler {
    char *kind;
    char **argv;
    const struct runner *runner;
    struct program_handler *next;
};

struct list {
    const char *items[QUEUES_MAX];
    uint32_t count;
};

struct config {
    const char *endpoint, *name, *log_level, *log_format;
    uint64_t slots, prefetch, drain_ms, result_max;
    bool exec, no_prefetch;
    struct list queues, handles, shells, plugins;
    struct program_handler *programs; /* those made of handles and shells */
};

static struct stint_worker *running; /* for the signal handler */

static void
on_signal(int signal)
{
    (void)signal;
    if (running)
        stint_worker_stop(running);
}

static bool
add(void *to, const char *value, const char **why)
{
    struct list *list = to;
    *why = "there are too many of them";
    if (list->count == QUEUES_MAX)
        return false;
    list->items[list->count++] = value;
    return true;
}

static int
read_config(struct config *c, int argc, char **argv)
{
    *c = (struct config){.endpoint = getenv("STINT_ENDPOINT"),
        .log_level = "info",
        .log_format = "text",
        .drain_ms = 30000,
        .result_max = 1 << 20};
    if (!c->endpoint || !*c->endpoint)
        c->endpoint = "tcp://127.0.0.1:5670";
    const struct setting table[] = {
        {"endpoint", 'e', SETTING_TEXT, &c->endpoint, 0, 0, "ENDPOINT",
            "the broker (tcp://127.0.0.1:5670)", NULL},
        {"queue", 'q', SETTING_EACH, &c->queues, 0, 0, "NAME",
            "serve this queue; may be given several times (default)", add},
        {"slots", 's', SETTING_NUMBER, &c->slots, 0, 65536, "N",
            "jobs at a time; 0: one a core (0)", NULL},
        {"handle", 'H', SETTING_EACH, &c->handles, 0, 0, "KIND=COMMAND",
            "run this program, without a shell, for jobs of this kind", add},
        {"shell", 0, SETTING_EACH, &c->shells, 0, 0, "KIND=COMMAND",
            "run this command line by /bin/sh for jobs of this kind", add},
        {"exec", 0, SETTING_FLAG, &c->exec, 0, 0, NULL,
            "run whatever program a job of kind exec names: whoever may submit may run "
            "anything here; off unless given",
            NULL},
        {"plugin", 'p', SETTING_EACH, &c->plugins, 0, 0, "FILE",
            "load handlers from this shared object", add},
        {"name", 'n', SETTING_TEXT, &c->name, 0, 0, "NAME", "shown to people (host:process)", NULL},
        {"prefetch", 0, SETTING_NUMBER, &c->prefetch, 0, 65536, "N",
            "jobs to hold ahead; 0: as many as take about 50 ms (0)", NULL},
        {"no-prefetch", 0, SETTING_FLAG, &c->no_prefetch, 0, 0, NULL, "hold no jobs ahead", NULL},
        {"drain", 0, SETTING_DURATION, &c->drain_ms, 1, 86400000, "TIME",
            "when stopped, wait so long for running jobs (30s)", NULL},
        {"result-max", 0, SETTING_SIZE, &c->result_max, 1, 4 << 20, "SIZE",
            "largest standard output kept as a result (1M, at most 4M)", NULL},
        {"log-level", 0, SETTING_TEXT, &c->log_level, 0, 0, "LEVEL",
            "error, warn, info or debug (info)", NULL},
        {"log-format", 0, SETTING_TEXT, &c->log_format, 0, 0, "FORMAT", "text or json (text)",
            NULL},
    };
    const struct program program = {
        "stint-worker", "runs jobs of stint", "[OPTION...]", table, sizeof table / sizeof *table};
    switch (settings_read(&program, argc, argv)) {
    case SETTINGS_DONE:
        return EX_OK;
    case SETTINGS_USAGE:
        return EX_USAGE;
    case SETTINGS_CONFIG:
        return EX_CONFIG;
    case SETTINGS_OK:
        break;
    }
    return -1;
}

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
    struct command command = {
        .argv = s->handler->argv, .input = job->payload, .input_bytes = job->payload_bytes};
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

static bool
complain(const char *what, const char *value)
{
    fprintf(stderr, "stint-worker: %s: %s\n", value, what);
    return false;
}

/* KIND=COMMAND; the command is cut into words as a shell would, but nothing is expanded. */
static bool
add_program(struct stint_worker *w, struct config *c, const struct runner *runner, const char *text,
    bool shell)
{
    const char *command = strchr(text, '=');
    int argc;
    const char **words;
    if (!command)
        return complain("write KIND=COMMAND", text);
    struct program_handler *h = calloc(1, sizeof *h);
    if (!h || !(h->kind = strndup(text, (size_t)(command - text))))
        return complain("out of memory", text);
    h->runner = runner;
    h->next = c->programs;
    c->programs = h;
    command++;
    if (shell) {
        h->argv = calloc(4, sizeof *h->argv);
        if (!h->argv)
            return complain("out of memory", text);
        h->argv[0] = strdup("/bin/sh");
        h->argv[1] = strdup("-c");
        h->argv[2] = strdup(command);
    } else {
        if (poptParseArgvString(command, &argc, &words) != 0 || argc == 0)
            return complain("the command can't be cut into words", text);
        h->argv = (char **)(uintptr_t)words;
    }
    struct stint_handler handler = {.kind = h->kind,
        .run = run_program,
        .make = make_program_slot,
        .destroy = destroy_program_slot,
        .context = h};
    if (stint_worker_handle(w, &handler) != STINT_OK)
        return complain("the kind's name is not allowed, or there are over 64", text);
    return true;
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
    return entry(w) || complain("the plugin refused to start", path);
}

static bool
add_handlers(struct stint_worker *w, struct config *c, struct runner *runner)
{
    for (uint32_t i = 0; i < c->handles.count; i++)
        if (!add_program(w, c, runner, c->handles.items[i], false))
            return false;
    for (uint32_t i = 0; i < c->shells.count; i++)
        if (!add_program(w, c, runner, c->shells.items[i], true))
            return false;
    for (uint32_t i = 0; i < c->plugins.count; i++)
        if (!add_plugin(w, c->plugins.items[i]))
            return false;
    struct stint_handler exec = {.kind = "exec",
        .run = run_exec,
        .make = make_exec_slot,
        .destroy = destroy_exec_slot,
        .context = runner};
    return !c->exec || stint_worker_handle(w, &exec) == STINT_OK;
}

static int
exit_code(enum stint_status status)
{
    switch (status) {
    case STINT_OK:
        return EX_OK;
    case STINT_VERSION_MISMATCH:
        return EX_PROTOCOL;
    case STINT_DENIED:
        return EX_NOPERM;
    case STINT_BAD_ENDPOINT:
    case STINT_BAD_NAME:
    case STINT_TOO_MANY:
        return EX_CONFIG;
    default:
        return EX_OSERR;
    }
}

static void
handle_signals(void)
{
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
    (void)sigaction(SIGTERM, &action, NULL);
    (void)sigaction(SIGINT, &action, NULL);
    (void)signal(SIGPIPE, SIG_IGN);
}

static int
run(struct config *c, struct runner *runner, uint32_t slots)
{
    struct stint_worker_options options = {.endpoint = c->endpoint,
        .name = c->name,
        .slots = slots,
        .queues = c->queues.items,
        .queues_count = c->queues.count,
        .prefetch = c->no_prefetch ? STINT_NO_PREFETCH : (uint32_t)c->prefetch,
        .drain_ms = (uint32_t)c->drain_ms};
    enum stint_status status = stint_worker_new(&options, &running);
    if (status != STINT_OK) {
        complain(stint_status_text(status), c->endpoint);
        return exit_code(status);
    }
    if (!add_handlers(running, c, runner))
        return EX_CONFIG;
    handle_signals();
    log_event(LOG_LEVEL_INFO, "started", "endpoint", c->endpoint, "slots", log_number(slots),
        "version", STINT_VERSION_TEXT, NULL);
    status = stint_worker_run(running);
    if (status != STINT_OK)
        log_event(LOG_LEVEL_ERROR, stint_worker_error(running), NULL);
    else
        log_event(LOG_LEVEL_INFO, "stopped", NULL);
    struct stint_worker *w = running;
    running = NULL;
    stint_worker_destroy(&w);
    return exit_code(status);
}

int
main(int argc, char **argv)
{
    static struct config c; /* static: settings and handlers live as long as we do */
    struct guard guard;
    enum log_level level;
    standard_streams_open();
    int rc = read_config(&c, argc, argv);
    if (rc >= 0)
        return rc;
    if (!log_level_parse(c.log_level, &level)) {
        complain("write error, warn, info or debug", c.log_level);
        return EX_CONFIG;
    }
    if (!c.exec && c.handles.count + c.shells.count + c.plugins.count == 0) {
        fprintf(stderr,
            "stint-worker: it has nothing to run jobs with; give --handle, --shell, "
            "--plugin or --exec, see --help\n");
        return EX_USAGE;
    }
    log_open("stint-worker", level, strcmp(c.log_format, "json") == 0);
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    uint32_t slots = c.slots ? (uint32_t)c.slots : (uint32_t)(cores > 0 ? cores : 1);
    struct runner runner = {.guard = &guard,
        .null = open("/dev/null", O_RDONLY | O_CLOEXEC),
        .result_bytes = c.result_max};
    if (runner.null < 0 || !guard_start(&guard, slots)) {
        complain(strerror(errno), "starting");
        return EX_OSERR;
    }
    return run(&c, &runner, slots);
}
