/* stint-worker: settings, handlers from programs and plugins, and the worker's run. */
#include "defaults.h"
#include "endpoint.h"
#include "handlers.h"
#include "keeper.h"
#include "limit.h"
#include "log.h"
#include "settings.h"
#include "stock.h"
#include "streams.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sysexits.h>
#include <unistd.h>

enum {
    FILES_OF_OURS = 30, /* descriptors that a worker has open besides its jobs' */
    FILES_A_SLOT = 12, /* and for each job, at most */
};

/* How many slots when, and when it ends by itself. */
struct sizing {
    uint64_t local_min, local_max, cool_down_ms, exit_idle_ms, exit_after_ms;
};

/* How programs run. */
struct manner {
    struct cgroup_bounds bounds;
    const char *cpu;
    struct confine confine; /* goes to the runner */
    struct list variables;
    bool clean;
    const char *user, *tmp;
    struct identity identity;
};

struct config {
    struct sizing sizing;
    const char *endpoint, *key, *broker_key, *name, *has, *log_level, *log_format;
    uint64_t slots, prefetch, drain_ms, result_max;
    bool no_prefetch;
    char stock[STINT_HAS_BYTES]; /* what it has, of what was said and of the machine */
    struct list queues, labels;
    struct handlers handlers;
    struct manner manner;
};

/* Returns an exit code, or -1: go on. */
static int
read_config(struct config *c, int argc, char **argv)
{
    *c = (struct config){.endpoint = STINT_DEFAULT_ENDPOINT,
        .log_level = "info",
        .log_format = "text",
        .drain_ms = DEFAULT_DRAIN_MS,
        .prefetch = UINT64_MAX,
        .result_max = LIMIT_RESULT_BYTES};
    const struct setting table[] = {
        {"endpoint", 'e', SETTING_TEXT, &c->endpoint, 0, 0, "ENDPOINT",
            "the broker (" STINT_DEFAULT_ENDPOINT "); several, with commas, are tried in turn",
            NULL},
        {"key", 0, SETTING_TEXT, &c->key, 0, 0, "FILE",
            "our own key (worker.key in ~/.config/stint or /etc/stint, for a broker elsewhere)",
            NULL},
        {"broker-key", 0, SETTING_TEXT, &c->broker_key, 0, 0, "KEY|FILE",
            "the broker's public key, or several with commas (broker.pub, beside ours)", NULL},
        {"queue", 'q', SETTING_EACH, &c->queues, 0, 0, "NAME",
            "serve this queue, or with mail.* all whose names begin so; may be given several "
            "times (default)",
            list_add},
        {"slots", 's', SETTING_NUMBER, &c->slots, 1, LIMIT_WINDOW, "N",
            "jobs at a time (one a core)", NULL},
        {"handle", 'H', SETTING_EACH, &c->handlers.handles, 0, 0, "KIND=COMMAND",
            "run this program, without a shell, for jobs of this kind", list_add},
        {"shell", 0, SETTING_EACH, &c->handlers.shells, 0, 0, "KIND=COMMAND",
            "run this command line by /bin/sh for jobs of this kind", list_add},
        {"exec", 0, SETTING_FLAG, &c->handlers.exec, 0, 0, NULL,
            "run whatever program a job of kind exec names: whoever may submit may run "
            "anything here; off unless given",
            NULL},
        {"plugin", 'p', SETTING_EACH, &c->handlers.plugins, 0, 0, "FILE",
            "load handlers from this shared object", list_add},
        {"label", 'l', SETTING_EACH, &c->labels, 0, 0, "NAME",
            "a name by which several workers are told what to do; may be given several times",
            list_add},
        {"has", 0, SETTING_TEXT, &c->has, 0, 0, "WORDS",
            "what jobs can need of it: labels and amounts, as \"gpu=2 zone=a\" (cpus= and mem=, of "
            "what it may use here)",
            NULL},
        {"name", 'n', SETTING_TEXT, &c->name, 0, 0, "NAME", "shown to people (host:process)", NULL},
        {"prefetch", 0, SETTING_NUMBER, &c->prefetch, 0, LIMIT_WINDOW, "N",
            "jobs to hold ahead (as many as take about 50 ms)", NULL},
        {"no-prefetch", 0, SETTING_FLAG, &c->no_prefetch, 0, 0, NULL, "hold no jobs ahead", NULL},
        {"drain", 0, SETTING_DURATION, &c->drain_ms, 1, 86400000, "TIME",
            "when stopped, wait so long for running jobs (30s)", NULL},
        {"local-min", 0, SETTING_NUMBER, &c->sizing.local_min, 1, LIMIT_WINDOW, "N",
            "with --local-max: have at least so many slots (1)", NULL},
        {"local-max", 0, SETTING_NUMBER, &c->sizing.local_max, 1, LIMIT_WINDOW, "N",
            "more slots as jobs wait, up to so many; fewer again when there is less to do", NULL},
        {"cool-down", 0, SETTING_DURATION, &c->sizing.cool_down_ms, 1, 86400000, "TIME",
            "with --local-max: have fewer slots after so long in which fewer were enough (30s)",
            NULL},
        {"exit-idle", 0, SETTING_DURATION, &c->sizing.exit_idle_ms, 1, LIMIT_TIME_MS, "TIME",
            "end once nothing has run for so long", NULL},
        {"exit-after", 0, SETTING_DURATION, &c->sizing.exit_after_ms, 1, LIMIT_TIME_MS, "TIME",
            "end after so long, as when stopped", NULL},
        {"result-max", 0, SETTING_SIZE, &c->result_max, 1, LIMIT_BODY_BYTES_MAX, "SIZE",
            "largest standard output kept as a result (1M, at most 4M)", NULL},
        {"env", 0, SETTING_EACH, &c->manner.variables, 0, 0, "NAME[=VALUE]",
            "a variable of all programs' environment; without a value, the worker's", list_add},
        {"env-clean", 0, SETTING_FLAG, &c->manner.clean, 0, 0, NULL,
            "programs get of the worker's environment only what --env names", NULL},
        {"limit", 0, SETTING_EACH, &c->manner.confine, 0, 0, "NAME=SOFT[:HARD]",
            "a limit of programs' resources: nofile, as, cpu, fsize, core, nproc, stack or data",
            confine_add_limit},
        {"nice", 0, SETTING_NUMBER, &c->manner.confine.nice, 0, 19, "N",
            "run programs with a priority so much lower (0)", NULL},
        {"memory", 0, SETTING_SIZE, &c->manner.bounds.memory_bytes, 1 << 20, 0, "SIZE",
            "memory that a job may take, with all it starts (as much as there is)", NULL},
        {"cpu", 0, SETTING_TEXT, &c->manner.cpu, 0, 0, "CORES",
            "processor time that a job may take, as 0.5 or 2 cores (as much as there is)", NULL},
        {"tasks", 0, SETTING_NUMBER, &c->manner.bounds.tasks, 1, 4194304, "N",
            "processes and threads that a job may have (as many as there can be)", NULL},
        {"user", 0, SETTING_TEXT, &c->manner.user, 0, 0, "NAME[:GROUP]",
            "run programs as this user, if root runs the worker (as the worker's own)", NULL},
        {"tmp", 0, SETTING_TEXT, &c->manner.tmp, 0, 0, "DIRECTORY",
            "each run has a directory of its own in this one, named by TMPDIR and removed "
            "at its end",
            NULL},
        SETTINGS_OF_LOG(&c->log_level, &c->log_format),
    };
    const struct program program = {
        "stint-worker", "runs jobs of stint", "[OPTION...]", table, sizeof table / sizeof *table};
    return settings_exit_code(settings_read(&program, argc, argv));
}

static int
exit_code(enum stint_status status)
{
    switch (status) {
    case STINT_OK:
        return EX_OK;
    case STINT_VERSION_MISMATCH:
    case STINT_UNSUPPORTED:
        return EX_PROTOCOL;
    case STINT_DENIED:
        return EX_NOPERM;
    case STINT_BAD_ENDPOINT:
    case STINT_BAD_KEY:
    case STINT_BAD_NAME:
    case STINT_TOO_MANY:
    case STINT_INVALID:
        return EX_CONFIG;
    default:
        return EX_OSERR;
    }
}

/* "a b c", for the log. */
static char *
join(const struct list *lists, size_t count)
{
    char *text = NULL;
    size_t size;
    FILE *f = open_memstream(&text, &size);
    if (!f)
        abort();
    for (size_t i = 0; i < count; i++)
        for (uint32_t k = 0; k < lists[i].count; k++) {
            const char *item = lists[i].items[k];
            (void)fprintf(f, "%s%.*s", ftell(f) ? " " : "", (int)strcspn(item, "="), item);
        }
    (void)fclose(f);
    return text;
}

static void
log_started(const struct config *c, const char *name, uint32_t slots)
{
    const struct handlers *h = &c->handlers;
    const struct list usual = {{STINT_DEFAULT_NAME}, 1}, exec = {{"exec"}, h->exec};
    const struct list kinds[] = {h->handles, h->shells, h->plugins, exec};
    char *kinds_text = join(kinds, sizeof kinds / sizeof *kinds);
    char *queues_text = join(c->queues.count ? &c->queues : &usual, 1);
    bool near = endpoint_list_is_local(c->endpoint);
    log_event(LOG_LEVEL_INFO, "started",
        LOG_FIELDS(LOG_TEXT("endpoint", c->endpoint), LOG_TEXT("name", name),
            LOG_TEXT("queues", queues_text), LOG_TEXT("kinds", kinds_text),
            LOG_NUMBER("slots", slots), LOG_TEXT("user", c->manner.user),
            LOG_TEXT("version", STINT_VERSION_TEXT)));
    if (h->exec && !near)
        log_event(LOG_LEVEL_WARN,
            "--exec: whoever can reach the broker can run any program here as this user",
            LOG_FIELDS(LOG_TEXT("endpoint", c->endpoint)));
    free(kinds_text);
    free(queues_text);
}

static int
run(struct config *c, struct runner *runner, uint32_t slots, uint32_t most)
{
    char name[STINT_LABEL_BYTES];
    struct keeper keeper = {
        .guard = runner->guard, .runner = runner, .endpoint = c->endpoint, .drain_ms = c->drain_ms};
    struct stint_worker_options options = {.endpoint = c->endpoint,
        .key = c->key,
        .broker_key = c->broker_key,
        /* By the guard's process: it is the one that the user has started. */
        .name = defaults_name(c->name, (long)runner->guard->pid, name),
        .slots = slots,
        .queues = c->queues.items,
        .queues_count = c->queues.count,
        .prefetch = c->prefetch == UINT64_MAX ? 0 : (uint32_t)c->prefetch,
        .drain_ms = (uint32_t)c->drain_ms,
        .told = keeper_told,
        .told_context = &keeper,
        .labels = c->labels.items,
        .labels_count = c->labels.count,
        .has = c->stock,
        .slots_max = most,
        .local_min = (uint32_t)c->sizing.local_min,
        .local_max = (uint32_t)c->sizing.local_max,
        .cool_down_ms = (uint32_t)c->sizing.cool_down_ms,
        .exit_idle_ms = c->sizing.exit_idle_ms,
        .exit_after_ms = c->sizing.exit_after_ms};
    if (c->no_prefetch || c->prefetch == 0)
        options.prefetch = STINT_NO_PREFETCH;
    keeper_block_signals();
    /* A core file would hold our key. And a child that becomes another user shares our memory. */
    if (c->key || c->broker_key || !endpoint_list_is_local(c->endpoint) ||
        c->manner.identity.changes)
        (void)prctl(PR_SET_DUMPABLE, 0);
    enum stint_status status = stint_worker_new(&options, &keeper.worker);
    if (status != STINT_OK) {
        const char *why = stint_worker_new_error();
        if (*why)
            log_refusal(why);
        else
            complain(stint_status_text(status), c->endpoint);
        return exit_code(status);
    }
    runner->worker = keeper.worker;
    const struct declared declared = {.variables = c->manner.variables.items,
        .count = c->manner.variables.count,
        .clean = c->manner.clean,
        .login = c->manner.identity.variables,
        .scratch = c->manner.tmp != NULL};
    if (!surroundings_set(&runner->surroundings, c->endpoint, options.name, &declared) ||
        !runner_open(runner, most)) {
        complain(strerror(errno), "starting");
        return EX_OSERR;
    }
    if (!handlers_add(keeper.worker, &c->handlers, runner))
        return EX_CONFIG;
    if (!scratch_start(&runner->guard->scratch)) {
        complain(strerror(errno), "starting");
        return EX_OSERR;
    }
    log_started(c, options.name, slots);
    status = keeper_run(&keeper);
    scratch_stop(&runner->guard->scratch);
    if (status != STINT_OK)
        log_event(LOG_LEVEL_ERROR, "ended by an error",
            LOG_FIELDS(LOG_TEXT("error", stint_worker_error(keeper.worker))));
    else
        log_event(LOG_LEVEL_INFO, "stopped", NULL);
    stint_worker_destroy(&keeper.worker);
    return exit_code(status);
}

/* How many slots the limit of descriptors allows, after it was raised as far as it goes. */
static uint32_t
slots_possible(struct rlimit *found, bool scratch)
{
    const rlim_t ours = FILES_OF_OURS + (scratch ? SCRATCH_FILES : 0);
    if (getrlimit(RLIMIT_NOFILE, found) != 0)
        return LIMIT_WINDOW;
    struct rlimit raised = {found->rlim_max, found->rlim_max};
    rlim_t files = setrlimit(RLIMIT_NOFILE, &raised) == 0 ? found->rlim_max : found->rlim_cur;
    if (files < ours)
        return 0;
    files = (files - ours) / FILES_A_SLOT;
    return files < LIMIT_WINDOW ? (uint32_t)files : LIMIT_WINDOW;
}

/* As many as were asked for, or as can be; 0: none can, as was told. */
static uint32_t
choose_slots(const struct config *c, const struct rlimit *files, uint32_t most)
{
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    uint32_t slots = c->slots ? (uint32_t)c->slots : (uint32_t)(cores > 0 ? cores : 1);
    if (c->sizing.local_max)
        slots = c->sizing.local_min ? (uint32_t)c->sizing.local_min : 1; /* to begin with */
    if (most == 0)
        complain("it is too low for even one job; see ulimit -n", "the limit of open files");
    else if (slots > most)
        log_event(LOG_LEVEL_WARN,
            "the limit of open files allows fewer slots than were asked for; see ulimit -n",
            LOG_FIELDS(LOG_NUMBER("asked", slots), LOG_NUMBER("slots", most),
                LOG_NUMBER("files", files->rlim_max)));
    return slots < most ? slots : most;
}

/* Programs are waited for by descriptors, which old kernels and some containers refuse. */
static bool
check_system(void)
{
    int fd = pidfd_open(getpid(), 0);
    if (fd < 0)
        return complain("the system refuses pidfd_open, which programs are waited for with: it "
                        "takes Linux 5.3, and a container that allows the call",
            strerror(errno));
    close(fd);
    return true;
}

static bool
read_cores(const char *text, uint64_t *cpu_us)
{
    char *end;
    if (!isdigit((unsigned char)*text))
        return false; /* neither -1 nor nan */
    double cores = strtod(text, &end);
    if (*end != '\0' || cores < 0.01 || cores > 10000)
        return false;
    *cpu_us = (uint64_t)(cores * CGROUP_PERIOD_US);
    return true;
}

static bool
check_size(const struct config *c)
{
    if (c->no_prefetch && c->prefetch != UINT64_MAX && c->prefetch > 0)
        return complain("with --no-prefetch no jobs are held ahead", "--prefetch");
    if (c->labels.count > LIMIT_LABELS)
        return complain("a worker has at most 16 labels", "--label");
    if (c->sizing.local_max && c->slots)
        return complain("with --local-max the slots follow the work", "--slots");
    if (!c->sizing.local_max && (c->sizing.local_min || c->sizing.cool_down_ms))
        return complain("it says nothing without --local-max",
            c->sizing.local_min ? "--local-min" : "--cool-down");
    if (c->sizing.local_min > c->sizing.local_max)
        return complain("it is more than --local-max", "--local-min");
    return true;
}

static int
check_config(struct config *c)
{
    const struct handlers *h = &c->handlers;
    if (!log_choose("stint-worker", c->log_level, c->log_format))
        return EX_CONFIG;
    if (c->name && strlen(c->name) >= STINT_LABEL_BYTES) {
        complain("a worker's name is at most 128 bytes", "--name");
        return EX_CONFIG;
    }
    const struct stock stock = stock_of_machine();
    const char *bad = stock_write(&stock, c->has, c->stock);
    if (bad) {
        complain(bad, "--has");
        return EX_CONFIG;
    }
    for (uint32_t i = 0; i < c->manner.variables.count; i++) {
        const char *why = declared_check(c->manner.variables.items[i]);
        if (why) {
            complain(why, "--env");
            return EX_CONFIG;
        }
    }
    if (c->manner.cpu && !read_cores(c->manner.cpu, &c->manner.bounds.cpu_us)) {
        complain("write a number of cores from 0.01 to 10000, such as 0.5 or 2", "--cpu");
        return EX_CONFIG;
    }
    if (!queues_check(&c->queues, "--queue") || !names_check(&c->labels, "--label", "a label") ||
        !check_size(c))
        return EX_CONFIG;
    if (!h->exec && h->handles.count + h->shells.count + h->plugins.count == 0) {
        log_refusal("it has nothing to run jobs with; give --handle, --shell, --plugin or --exec, "
                    "see --help");
        return EX_USAGE;
    }
    return EX_OK;
}

/* As whom programs run, and where. Asked before there is a second process or a thread. */
static int
choose_user(struct manner *m)
{
    struct identity *i = &m->identity;
    char why[512];
    if (!identity_read(i, m->user, why, sizeof why)) {
        complain(why, "--user");
        return EX_CONFIG;
    }
    if (!i->changes)
        return EX_OK;
    if (!identity_try(i)) {
        (void)snprintf(why, sizeof why, "can't become %s here: %s", i->name, strerror(errno));
        complain(why, "--user");
        return EX_OSERR;
    }
    char *here = getcwd(NULL, 0);
    bool may = here && identity_may_enter(i, here);
    if (!may) {
        (void)snprintf(why, sizeof why,
            "%s can't go to %.300s, where programs would run: %s; start the worker elsewhere",
            i->name, here ? here : "this directory", strerror(errno));
        complain(why, "--user");
    }
    free(here);
    return may ? EX_OK : EX_CONFIG;
}

/* What guard and worker share, and the guard itself: we go on as its child. */
static int
begin(struct config *c, struct guard *guard, uint32_t slots)
{
    char why[512];
    int rc = choose_user(&c->manner);
    if (rc != EX_OK)
        return rc;
    if (!cgroups_open(&guard->cgroups, &c->manner.bounds, why, sizeof why)) {
        complain(why, "--memory, --cpu and --tasks can't be kept here");
        return EX_OSERR;
    }
    bool good = scratch_open(&guard->scratch, c->manner.tmp, &c->manner.identity, why, sizeof why);
    if (!good)
        complain(why, "--tmp");
    else if (guard_start(guard, slots))
        return EX_OK;
    else
        complain(strerror(errno), "starting");
    cgroups_remove(&guard->cgroups);
    scratch_remove(&guard->scratch);
    return good ? EX_OSERR : EX_CONFIG;
}

int
main(int argc, char **argv)
{
    static struct config c; /* static: settings and handlers live as long as we do */
    static struct runner runner;
    static struct guard guard;
    standard_streams_open();
    int rc = read_config(&c, argc, argv);
    if (rc >= 0)
        return rc;
    rc = check_config(&c);
    if (rc != EX_OK)
        return rc;
    runner.guard = &guard;
    guard.drain_ms = c.drain_ms;
    runner.result_bytes = c.result_max;
    runner.confine = c.manner.confine;
    runner.identity = &c.manner.identity;
    uint32_t most = slots_possible(&runner.files, c.manner.tmp != NULL);
    uint32_t slots = choose_slots(&c, &runner.files, most);
    if (slots == 0 || !check_system())
        return EX_OSERR;
    rc = begin(&c, &guard, most);
    if (rc != EX_OK)
        return rc;
    return run(&c, &runner, slots, most);
}
