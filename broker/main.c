/* stintd: settings, data directory, store, core, router, loop; and what is said at start and end.
 */
#include "data.h"
#include "id.h"
#include "init.h"
#include "key_files.h"
#include "listen.h"
#include "log.h"
#include "loop.h"
#include "notify.h"
#include "now.h"
#include "options.h"
#include "rows.h"
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
    struct keys *keys; /* NULL: nobody is asked for one */
    struct router *router;
    bool low; /* the disk's reserve is being used up */
    char endpoint[256]; /* told to peers; known once the router listens */
};

_Noreturn static void
stop_at_once(const char *text, int exit_code)
{
    log_last_words(text); /* NOLINT: it calls what may be called, poll, send and write */
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

/* As many connections as the system lets us have. A file that may not grow any further is to be an
 * error, as any other, and not a signal. */
static void
raise_limits(void)
{
    struct rlimit files;
    (void)signal(SIGXFSZ, SIG_IGN);
    if (getrlimit(RLIMIT_NOFILE, &files) != 0)
        return;
    files.rlim_cur = files.rlim_max;
    (void)setrlimit(RLIMIT_NOFILE, &files);
}

/* How many peers there can be, as each takes a descriptor. */
static uint32_t
peers_max(uint32_t wanted)
{
    struct rlimit files = {0};
    uint32_t allowed = router_peers_max(wanted);
    (void)getrlimit(RLIMIT_NOFILE, &files);
    if (allowed < wanted)
        log_event(LOG_LEVEL_WARN,
            "the open files limit allows fewer connections than --peers-max (ulimit -n)",
            LOG_FIELDS(LOG_NUMBER("limit", files.rlim_cur), LOG_NUMBER("connections", allowed),
                LOG_NUMBER("peers_max", wanted)));
    return allowed;
}

/* The store must belong to this manifest; a new one is marked with its identity. */
static bool
same_identity(struct broker *b)
{
    struct store *s = b->store;
    struct slice key = meta_key(META_IDENTITY), value;
    struct slice mine = {(const uint8_t *)b->data.identity, strlen(b->data.identity)};
    assert(s);
    s->ops->begin(s);
    if (store_get(s, STORE_META, key, &value)) {
        bool same = value.size == mine.size && memcmp(value.data, mine.data, mine.size) == 0;
        s->ops->abort(s);
        return same;
    }
    if (b->options.verify) {
        s->ops->abort(s);
        return true; /* its first start was interrupted */
    }
    store_put(s, STORE_META, key, mine, (struct slice){0});
    return s->ops->commit(s) == STINT_OK;
}

/* A manifest of format 1 does not say whose jobs these are, but each level does. */
static int
check_number(struct broker *b, char *text)
{
    struct slice from = {(const uint8_t *)"", 1}, key, value;
    struct stint_id level;
    uint64_t number = b->options.broker;
    if (b->data.number >= 0)
        return 0;
    b->store->ops->begin(b->store);
    if (store_seek(b->store, STORE_LEVELS, from, &key, &value) && level_key_read(key, &level))
        number = id_broker(&level);
    b->store->ops->abort(b->store);
    if (number == b->options.broker)
        return 0;
    return data_refuse_number(&b->data, (uint16_t)number, text);
}

/* The store is no larger than files may become. */
static int
fit_file_size(struct broker *b, struct store_lmdb_options *options)
{
    struct rlimit limit;
    struct stat st;
    char text[512];
    if (getrlimit(RLIMIT_FSIZE, &limit) != 0 || limit.rlim_cur >= options->size_bytes)
        return 0;
    uint64_t page_bytes = (uint64_t)sysconf(_SC_PAGESIZE), most = limit.rlim_cur;
    uint64_t has = stat(b->data.path, &st) == 0 ? (uint64_t)st.st_size : 0;
    if (most < has + (1 << 20)) {
        (void)snprintf(text, sizeof text,
            "files may have %" PRIu64 " bytes here and %.300s has %" PRIu64
            "; raise the limit of file sizes (ulimit -f)",
            most, b->data.path, has);
        log_refusal(text);
        return EX_CONFIG;
    }
    options->size_bytes = most / page_bytes * page_bytes;
    log_event(LOG_LEVEL_WARN, "the store is limited by the limit of file sizes (ulimit -f)",
        LOG_FIELDS(LOG_NUMBER("bytes", options->size_bytes)));
    return 0;
}

static int
open_file(struct broker *b)
{
    char text[1024];
    const char *error = "";
    uint64_t page_bytes = (uint64_t)sysconf(_SC_PAGESIZE);
    struct store_lmdb_options options = {.path = b->data.path,
        .size_bytes = b->options.store_size / page_bytes * page_bytes,
        .disk_free_bytes = b->options.disk_free,
        .ballast_bytes = b->options.verify ? 0 : b->options.disk_reserve,
        .on_damage = on_damaged_store};
    int rc = fit_file_size(b, &options);
    if (rc)
        return rc;
    options.reserve_bytes = options.size_bytes / 8;
    if (options.reserve_bytes > 64 << 20)
        options.reserve_bytes = 64 << 20;
    enum stint_status status = store_lmdb_new(&options, &b->store, &error);
    if (status == STINT_DAMAGED && b->options.verify && b->data.least_bytes == 0) {
        log_refusal(
            "its first start did not come to an end, so it holds nothing; start stintd on it");
        return EX_NOINPUT;
    }
    if (status != STINT_OK) {
        log_refusal(error);
        return status == STINT_DAMAGED ? EX_DATAERR : EX_IOERR;
    }
    if (!same_identity(b)) {
        log_refusal("the data file does not belong to the MANIFEST beside it; restore both "
                    "together");
        return EX_DATAERR;
    }
    rc = check_number(b, text);
    if (rc)
        log_refusal(text);
    return rc;
}

static int
open_store(struct broker *b)
{
    char text[1024];
    const struct options *o = &b->options;
    int rc = data_open(&b->data, o->data, (uint16_t)o->broker, o->verify, text);
    if (rc) {
        log_refusal(text);
        return rc;
    }
    if (b->data.set_aside[0])
        log_event(LOG_LEVEL_WARN, "a data file that the manifest does not know of was set aside",
            LOG_FIELDS(LOG_TEXT("file", b->data.set_aside)));
    return open_file(b);
}

static int
open_core(struct broker *b)
{
    char text[1024];
    const char *error = "";
    struct core_options options;
    options_to_core(&b->options, &options);
    options.endpoint = b->endpoint;
    options.max.peers = peers_max(options.max.peers);
    options.software = "stintd " STINT_VERSION_TEXT;
    enum stint_status status = core_new(&options, b->store, clock_ms(), &b->core, &error);
    if (status != STINT_OK) {
        log_refusal(error);
        return status == STINT_DAMAGED         ? EX_DATAERR
            : status == STINT_VERSION_MISMATCH ? EX_CONFIG
                                               : EX_IOERR;
    }
    int rc = data_complete(&b->data, options.broker, text);
    if (rc)
        log_refusal(text);
    else if (b->data.size_is_old)
        log_event(LOG_LEVEL_WARN, "the disk is too full to bring the manifest up to date",
            LOG_FIELDS(LOG_TEXT("error", text)));
    return rc;
}

static int
open_keys(struct broker *b)
{
    char why[KEY_WHY_BYTES], text[4096 + 2 * KEY_WHY_BYTES];
    if (!b->options.has_keys)
        return 0;
    if (!key_files_directory_is_ours(b->options.keys, why)) {
        (void)snprintf(text, sizeof text, "the directory of keys, %.4096s, can't be trusted: %s",
            b->options.keys, why);
        log_refusal(text);
        return EX_CONFIG;
    }
    b->keys = keys_new(b->options.keys);
    if (!b->keys) {
        log_refusal("no thread can be had to look at the keys");
        return EX_UNAVAILABLE;
    }
    if (!keys_broker(b->keys)) {
        log_refusal("the broker's own key, " KEYS_BROKER_FILE ", can't be used; see above");
        return EX_CONFIG;
    }
    log_event(LOG_LEVEL_INFO, "asks for keys",
        LOG_FIELDS(LOG_TEXT("keys", b->options.keys), LOG_NUMBER("known", keys_count(b->keys)),
            LOG_TEXT("of", b->options.require_keys ? "all" : "other hosts")));
    return 0;
}

static int
open_router(struct broker *b)
{
    const char *error = "";
    int rc = open_keys(b);
    if (rc)
        return rc;
    struct router_options options = {.endpoints = b->options.endpoints,
        .endpoints_count = b->options.endpoints_count,
        .keys = b->keys,
        .keys_for_all = b->options.require_keys,
        .peers_max = (uint32_t)b->options.max.peers,
        .heartbeat_ms = b->options.times.heartbeat_ms,
        .linger_ms = 1000};
    enum stint_status status = router_new(&options, &b->router, &error);
    if (status == STINT_OK) {
        listen_told(router_endpoint(b->router), b->endpoint, sizeof b->endpoint);
        return 0;
    }
    log_refusal(error);
    return status == STINT_BAD_ENDPOINT ? EX_CONFIG : EX_UNAVAILABLE;
}

/* Nothing is kept open that could be opened again: logs go to standard error. */
static void
on_hangup(void *context)
{
    struct broker *b = context;
    log_event(LOG_LEVEL_INFO, "hangup", NULL);
    router_look_at_keys(b->router);
}

static bool
is_there(void *context)
{
    char text[1024];
    struct broker *b = context;
    if (data_is_there(&b->data, text))
        return true;
    log_event(LOG_LEVEL_ERROR, "the data file is gone; nothing unsaved was answered",
        LOG_FIELDS(LOG_TEXT("error", text)));
    return false;
}

/* Says when the disk's reserve is being used up, and when it is whole again. */
static void
on_second(void *context)
{
    struct broker *b = context;
    uint64_t whole = b->options.disk_reserve, missing = store_lmdb_tend(b->store);
    bool low = missing > whole / 2;
    if (low != b->low)
        log_event(low ? LOG_LEVEL_ERROR : LOG_LEVEL_INFO,
            low ? "the disk is full; its reserve is being used up" : "the disk has room again",
            LOG_FIELDS(LOG_NUMBER("reserve", missing < whole ? whole - missing : 0)));
    b->low = low;
    notify_alive();
}

static int
serve(struct broker *b, int signals)
{
    const struct loop_hooks hooks = {b, on_hangup, is_there, on_second};
    for (size_t i = 0; i < b->options.endpoints_count; i++)
        log_event(
            LOG_LEVEL_INFO, "listening", LOG_FIELDS(LOG_TEXT("endpoint", b->options.endpoints[i])));
    log_event(LOG_LEVEL_INFO, "ready",
        LOG_FIELDS(LOG_TEXT("endpoint", router_endpoint(b->router)),
            LOG_TEXT("data", b->data.directory), LOG_TEXT("version", STINT_VERSION_TEXT)));
    notify("READY=1");
    enum stint_status status = loop_run(b->core, b->store, b->router, signals, &hooks);
    notify("STOPPING=1");
    if (status == STINT_DAMAGED)
        return EX_NOINPUT;
    if (status != STINT_OK) {
        log_event(LOG_LEVEL_ERROR, "the store failed; nothing since its last commit was answered",
            LOG_FIELDS(LOG_TEXT("error", b->store->ops->error(b->store))));
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
    char text[512];
    (void)snprintf(text, sizeof text, "%s%s%s", what, *id ? ": job " : "", id);
    log_refusal(text);
}

/* What was printed must have arrived. */
static int
check_output(void)
{
    if (fflush(stdout) == 0 && !ferror(stdout))
        return EX_OK;
    log_refusal("can't write to standard output");
    return EX_IOERR;
}

/* Reads all that is stored and says whether it fits together. */
static int
verify(struct broker *b)
{
    struct verify_report report = {.problem = print_problem};
    if (!data_exists(b->options.data)) {
        char text[512];
        (void)snprintf(text, sizeof text,
            "%.300s is no data directory of stintd's; name one with --data", b->options.data);
        log_refusal(text);
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
    rc = check_output();
    return rc || !report.problems ? rc : EX_DATAERR;
}

int
main(int argc, char **argv)
{
    static struct broker b = {
        .data = {
            .lock = -1, .held = -1, .file = -1}}; /* static: its settings live as long as we do */
    int rc = EX_OK;
    standard_streams_open();
    int signals = loop_block_signals();
    if (!options_read(&b.options, argc, argv, &rc))
        return rc;
    if (b.options.check_config) {
        printf("stintd: the settings are good\n");
        return check_output();
    }
    (void)umask(0077);
    if (b.options.init) {
        rc = init_run(&b.options);
        return rc ? rc : check_output();
    }
    (void)signal(SIGBUS, on_memory_fault);
    (void)signal(SIGSEGV, on_memory_fault);
    (void)signal(SIGABRT, on_memory_fault); /* so that whoever starts us again sees an exit code */
    (void)signal(SIGPIPE, SIG_IGN);
    raise_limits();
    rc = b.options.verify ? verify(&b) : run(&b, signals);
    router_destroy(&b.router);
    keys_destroy(&b.keys);
    core_destroy(&b.core);
    if (b.store)
        b.store->ops->destroy(&b.store);
    data_close(&b.data);
    return rc;
}
