/* A broker as a whole; the contract is in service.h. */
#include "service.h"
#include "id.h"
#include "ids.h"
#include "journaled.h"
#include "key_files.h"
#include "keys.h"
#include "listen.h"
#include "log.h"
#include "loop.h"
#include "now.h"
#include "rows.h"
#include "segment_files.h"
#include "store_lmdb.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

/* Before there is a table of names. */
__attribute__((constructor)) static void
draw_seed(void)
{
    if (getrandom(&ids_seed, sizeof ids_seed, GRND_NONBLOCK) != sizeof ids_seed)
        ids_seed = clock_wall_ms() * 0x9e3779b97f4a7c15U ^ (uint64_t)getpid();
}

int
service_exit_code(enum stint_status status)
{
    return status == STINT_DAMAGED         ? EX_DATAERR
        : status == STINT_VERSION_MISMATCH ? EX_CONFIG
                                           : EX_IOERR;
}

/* The store must belong to this manifest; a new one is marked with its identity. */
static bool
same_identity(struct service *b)
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
check_number(struct service *b, char *text)
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
fit_file_size(struct service *b, struct store_lmdb_options *options)
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

/* What is not committed may take a small part of what is kept back, of the map and of the disk, of
 * which half may not be there. */
static uint64_t
pending_max(const struct store_lmdb_options *lmdb)
{
    uint64_t most = 16 << 20;
    if (most > lmdb->reserve_bytes / 4)
        most = lmdb->reserve_bytes / 4;
    if (most > lmdb->ballast_bytes / 2 && lmdb->ballast_bytes > 0)
        most = lmdb->ballast_bytes / 2;
    return most;
}

static int
open_journal(struct service *b, const struct store_lmdb_options *lmdb)
{
    char text[512];
    const struct journaled_options options = {.directory = b->data.directory,
        .identity = b->data.identity,
        .number = (uint16_t)b->options.broker,
        .bytes = b->options.journal_size,
        .pending_bytes_max = pending_max(lmdb),
        .disk_free_bytes = b->options.disk_free,
        .look = b->options.verify};
    enum stint_status status = journaled_open(&options, &b->store, text);
    b->has_journal = b->store != b->lmdb;
    if (status == STINT_OK)
        return 0;
    log_refusal(text);
    return service_exit_code(status);
}

/* What it began with is in the data file now; from here on commits go to the journal. */
static void
start_journal(struct service *b)
{
    struct store_journal_figures figures;
    store_journal_started(b->store);
    store_journal_figures(b->store, &figures);
    if (figures.replayed > 0)
        log_event(LOG_LEVEL_INFO, "the journal was applied",
            LOG_FIELDS(LOG_NUMBER("records", figures.replayed),
                LOG_NUMBER("bytes", figures.replayed_bytes)));
}

static int
open_file(struct service *b)
{
    char text[1024];
    const char *error = "";
    uint64_t page_bytes = (uint64_t)sysconf(_SC_PAGESIZE);
    struct store_lmdb_options options = {.path = b->data.path,
        .size_bytes = b->options.store_size / page_bytes * page_bytes,
        .disk_free_bytes = b->options.disk_free,
        .ballast_bytes = b->options.verify ? 0 : b->options.disk_reserve,
        .on_damage = b->host.on_damage};
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
        return service_exit_code(status);
    }
    if (!same_identity(b)) {
        log_refusal("the data file does not belong to the MANIFEST beside it; restore both "
                    "together");
        return EX_DATAERR;
    }
    rc = check_number(b, text);
    if (rc)
        log_refusal(text);
    b->lmdb = b->store;
    return rc ? rc : open_journal(b, &options);
}

int
service_open_store(struct service *b)
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

static int
open_core(struct service *b)
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
        return service_exit_code(status);
    }
    int rc = data_complete(&b->data, options.broker, text);
    if (rc)
        log_refusal(text);
    else if (b->data.size_is_old)
        log_event(LOG_LEVEL_WARN, "the disk is too full to bring the manifest up to date",
            LOG_FIELDS(LOG_TEXT("error", text)));
    if (!rc && b->has_journal)
        start_journal(b);
    return rc;
}

static int
open_keys(struct service *b)
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
open_router(struct service *b)
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
        .linger_ms = 1000,
        .held = b->data.held,
        .shared_process = b->host.shared_process};
    enum stint_status status = router_new(&options, &b->router, &error);
    if (status == STINT_OK) {
        listen_told(router_endpoint(b->router), b->endpoint, sizeof b->endpoint);
        return 0;
    }
    log_refusal(error);
    return status == STINT_BAD_ENDPOINT ? EX_CONFIG : EX_UNAVAILABLE;
}

static bool
is_there(void *context)
{
    char text[1024];
    struct service *b = context;
    bool is_there = data_is_there(&b->data, text);
    if (is_there && b->has_journal && !segment_files_are_there(store_journal_segments(b->store))) {
        is_there = false;
        (void)snprintf(
            text, sizeof text, "a file of the journal in %.512s was removed", b->data.directory);
    }
    if (is_there)
        return true;
    log_event(LOG_LEVEL_ERROR, "the data file is gone; nothing unsaved was answered",
        LOG_FIELDS(LOG_TEXT("error", text)));
    return false;
}

static bool
woken(void *context)
{
    struct service *b = context;
    return b->host.woken(b->host.context);
}

/* Says when the disk's reserve is being used up, and when it is whole again. */
static void
on_second(void *context)
{
    struct service *b = context;
    uint64_t whole = b->options.disk_reserve, missing = store_lmdb_tend(b->lmdb);
    bool low = missing > whole / 2;
    if (low != b->low)
        log_event(low ? LOG_LEVEL_ERROR : LOG_LEVEL_INFO,
            low ? "the disk is full; its reserve is being used up" : "the disk has room again",
            LOG_FIELDS(LOG_NUMBER("reserve", missing < whole ? whole - missing : 0)));
    b->low = low;
    if (b->has_journal) /* if it fails, the next commit says so */
        (void)store_journal_checkpoint(b->store);
    if (b->host.alive)
        b->host.alive(b->host.context);
}

void
service_init(struct service *b)
{
    *b = (struct service){.data = DATA_CLOSED};
    options_init(&b->options);
}

int
service_open(struct service *b)
{
    int rc = service_open_store(b);
    if (!rc)
        rc = open_core(b);
    if (!rc)
        rc = open_router(b);
    return rc;
}

static enum stint_status
end_journal(struct service *b)
{
    struct store_journal_figures figures;
    enum stint_status status = store_journal_checkpoint(b->store);
    store_journal_figures(b->store, &figures);
    log_event(LOG_LEVEL_DEBUG, "checkpoints were made",
        LOG_FIELDS(LOG_NUMBER("checkpoints", figures.checkpoints),
            LOG_NUMBER("longest_us", figures.longest_us)));
    return status;
}

int
service_serve(struct service *b)
{
    const struct loop_hooks hooks = {.context = b,
        .fd = b->host.fd,
        .woken = woken,
        .is_there = is_there,
        .on_second = on_second};
    for (size_t i = 0; i < b->options.endpoints_count; i++)
        log_event(
            LOG_LEVEL_INFO, "listening", LOG_FIELDS(LOG_TEXT("endpoint", b->options.endpoints[i])));
    log_event(LOG_LEVEL_INFO, "ready",
        LOG_FIELDS(LOG_TEXT("endpoint", router_endpoint(b->router)),
            LOG_TEXT("data", b->data.directory), LOG_TEXT("version", STINT_VERSION_TEXT)));
    if (b->host.ready)
        b->host.ready(b->host.context);
    enum stint_status status = loop_run(b->core, b->store, b->router, &hooks);
    if (status == STINT_DAMAGED)
        return EX_NOINPUT;
    if (status == STINT_OK && b->has_journal)
        status = end_journal(b);
    if (status != STINT_OK) {
        log_event(LOG_LEVEL_ERROR, "the store failed; nothing since its last commit was answered",
            LOG_FIELDS(LOG_TEXT("error", b->store->ops->error(b->store))));
        return EX_IOERR;
    }
    return EX_OK;
}

void
service_close(struct service *b)
{
    router_destroy(&b->router);
    keys_destroy(&b->keys);
    core_destroy(&b->core);
    if (b->store)
        b->store->ops->destroy(&b->store);
    data_close(&b->data);
}
