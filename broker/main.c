/* stintd: settings, data directory, store, core, router, loop; and what is said at start and end.
 */
#include "data.h"
#include "log.h"
#include "loop.h"
#include "notify.h"
#include "options.h"
#include "store_lmdb.h"
#include "streams.h"

#include <assert.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

struct broker {
    struct options options;
    struct data data;
    struct store *store;
    struct core *core;
    struct router *router;
};

_Noreturn static void
stop_at_once(const char *text, int exit_code)
{
    if (write(STDERR_FILENO, text, strlen(text)) < 0)
        _exit(EX_OSERR);
    _exit(exit_code);
}

/* A page of the data file that can't be read, or that points to nowhere, kills whoever touches it.
 * Say so, and stop. */
static void
on_memory_fault(int signal)
{
    if (signal == SIGBUS)
        stop_at_once("stintd: a page of the data file can't be read (SIGBUS): the file was cut "
                     "short or the disk failed; nothing unsaved was answered\n",
            EX_IOERR);
    stop_at_once(
        "stintd: stopped by a fault in its memory: the data file is damaged (try --verify), or "
        "this is a bug; nothing unsaved was answered\n",
        EX_IOERR);
}

static void
on_damaged_store(const char *what)
{
    char text[512];
    (void)snprintf(text, sizeof text,
        "stintd: the data file is damaged (%.200s); nothing unsaved was answered; restore it from "
        "a backup\n",
        what);
    stop_at_once(text, EX_DATAERR);
}

/* As many connections as the system lets us have. */
static void
raise_limits(void)
{
    struct rlimit files;
    if (getrlimit(RLIMIT_NOFILE, &files) != 0)
        return;
    files.rlim_cur = files.rlim_max;
    (void)setrlimit(RLIMIT_NOFILE, &files);
    if (getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur < 4096)
        log_event(LOG_LEVEL_WARN, "few connections are allowed; raise the open files limit",
            "limit", log_number(files.rlim_cur), NULL);
}

static int
complain(const char *what)
{
    fprintf(stderr, "stintd: %s\n", what);
    return 1;
}

/* The store must belong to this manifest; a new one is marked with its identity. */
static bool
same_identity(struct broker *b)
{
    struct store *s = b->store;
    struct slice key = {(const uint8_t *)"identity", 8}, value;
    struct slice mine = {(const uint8_t *)b->data.identity, strlen(b->data.identity)};
    assert(s);
    s->ops->begin(s);
    if (store_get(s, STORE_META, key, &value)) {
        bool same = value.size == mine.size && memcmp(value.data, mine.data, mine.size) == 0;
        s->ops->abort(s);
        return same;
    }
    store_put(s, STORE_META, key, mine, (struct slice){0});
    return s->ops->commit(s) == STINT_OK;
}

static int
open_store(struct broker *b)
{
    char text[1024];
    const char *error = "";
    int rc = data_open(&b->data, b->options.data, text);
    if (rc) {
        complain(text);
        return rc;
    }
    uint64_t page_bytes = (uint64_t)sysconf(_SC_PAGESIZE);
    struct store_lmdb_options options = {.path = b->data.path,
        .size_bytes = b->options.store_size / page_bytes * page_bytes,
        .disk_free_bytes = b->options.disk_free,
        .on_damage = on_damaged_store};
    options.reserve_bytes = options.size_bytes / 8;
    if (options.reserve_bytes > 64 << 20)
        options.reserve_bytes = 64 << 20;
    enum stint_status status = store_lmdb_new(&options, &b->store, &error);
    if (status != STINT_OK) {
        complain(error);
        return status == STINT_DAMAGED ? EX_DATAERR : EX_IOERR;
    }
    if (!same_identity(b)) {
        complain("the data file does not belong to the MANIFEST beside it; restore both together");
        return EX_DATAERR;
    }
    return 0;
}

static int
open_core(struct broker *b)
{
    char text[1024];
    const char *error = "";
    struct core_options options;
    options_to_core(&b->options, &options);
    options.endpoint = b->options.endpoints[0];
    options.software = "stintd " STINT_VERSION_TEXT;
    enum stint_status status = core_new(&options, b->store, loop_now_ms(), &b->core, &error);
    if (status != STINT_OK) {
        complain(error);
        return status == STINT_DAMAGED ? EX_DATAERR : EX_IOERR;
    }
    int rc = data_complete(&b->data, text);
    if (rc)
        complain(text);
    return rc;
}

static int
open_router(struct broker *b)
{
    const char *error = "";
    struct router_options options = {.endpoints = b->options.endpoints,
        .endpoints_count = b->options.endpoints_count,
        .peers_max = (uint32_t)b->options.peers_max,
        .linger_ms = 1000};
    enum stint_status status = router_new(&options, &b->router, &error);
    if (status == STINT_OK)
        return 0;
    complain(error);
    return status == STINT_BAD_ENDPOINT ? EX_CONFIG : EX_UNAVAILABLE;
}

/* Nothing is kept open that could be opened again: logs go to standard error. */
static void
on_hangup(void)
{
    log_event(LOG_LEVEL_INFO, "hangup; nothing to open again", NULL);
}

static int
serve(struct broker *b, int signals)
{
    log_event(LOG_LEVEL_INFO, "ready", "endpoint", router_endpoint(b->router), "data",
        b->data.directory, "version", STINT_VERSION_TEXT, NULL);
    notify("READY=1");
    enum stint_status status = loop_run(b->core, b->router, signals, on_hangup);
    notify("STOPPING=1");
    if (status != STINT_OK) {
        log_event(LOG_LEVEL_ERROR, "the store failed; nothing since its last commit was answered",
            "error", b->store->ops->error(b->store), NULL);
        return EX_IOERR;
    }
    log_event(LOG_LEVEL_INFO, "stopped", NULL);
    return EX_OK;
}

static int
run(struct broker *b, int signals)
{
    int rc = open_store(b);
    if (!rc)
        rc = open_core(b);
    if (!rc)
        rc = open_router(b);
    if (!rc)
        rc = serve(b, signals);
    return rc;
}

static void
print_problem(void *context, const char *what, const char *id)
{
    (void)context;
    fprintf(stderr, "stintd: %s%s%s\n", what, *id ? ": job " : "", id);
}

/* Reads all that is stored and says whether it fits together. */
static int
verify(struct broker *b)
{
    struct verify_report report = {.problem = print_problem};
    if (!data_exists(b->options.data)) {
        fprintf(stderr, "stintd: %s is no data directory of stintd's; name one with --data\n",
            b->options.data);
        return EX_NOINPUT;
    }
    int rc = open_store(b);
    if (rc)
        return rc;
    core_verify(b->store, (uint16_t)b->options.broker, &report);
    for (enum stint_state s = STINT_READY; s < STINT_STATES; s++)
        printf("%-10s %" PRIu64 "\n", stint_state_name(s), report.jobs[s]);
    printf("%-10s %" PRIu64 "\n%-10s %" PRIu64 "\n%-10s %" PRIu64 "\n%-10s %" PRIu64 "\n",
        "sessions", report.sessions, "answers", report.answers, "set aside", report.damaged,
        "problems", report.problems);
    return report.problems ? EX_DATAERR : EX_OK;
}

int
main(int argc, char **argv)
{
    static struct broker b = {.data.lock = -1}; /* static: its settings live as long as we do */
    enum log_level level;
    int rc = EX_OK;
    standard_streams_open();
    int signals = loop_block_signals();
    if (!options_read(&b.options, argc, argv, &rc))
        return rc;
    if (b.options.check_config) {
        printf("stintd: the settings are good\n");
        return EX_OK;
    }
    (void)umask(0077);
    (void)signal(SIGBUS, on_memory_fault);
    (void)signal(SIGSEGV, on_memory_fault);
    (void)signal(SIGABRT, on_memory_fault); /* so that whoever starts us again sees an exit code */
    (void)signal(SIGPIPE, SIG_IGN);
    (void)log_level_parse(b.options.log_level, &level);
    log_open("stintd", level, strcmp(b.options.log_format, "json") == 0);
    raise_limits();
    rc = b.options.verify ? verify(&b) : run(&b, signals);
    router_destroy(&b.router);
    core_destroy(&b.core);
    if (b.store)
        b.store->ops->destroy(&b.store);
    data_close(&b.data);
    return rc;
}
