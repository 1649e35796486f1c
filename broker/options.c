/* stintd's settings: the table, and what must hold between them. */
#include "options.h"
#include "endpoint.h"
#include "journaled.h"
#include "keys.h"
#include "limit.h"

#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

/* "Any free port" is another one each time. */
static bool
is_listed(const struct options *o, const struct endpoint *e)
{
    struct endpoint other;
    const char *why;
    bool listed = false;
    for (size_t i = 0; i < o->endpoints_count && !e->any_port; i++)
        listed |= endpoint_parse(o->endpoints[i], ENDPOINT_BIND, &other, &why) &&
            other.ipc == e->ipc && other.port == e->port && other.host_bytes == e->host_bytes &&
            memcmp(other.host, e->host, e->host_bytes) == 0;
    return listed;
}

static bool
add_endpoint(void *to, const char *value, const char **why)
{
    struct options *o = to;
    struct endpoint e;
    if (!endpoint_parse(value, ENDPOINT_BIND, &e, why))
        return false;
    *why = "it is given twice; once is enough";
    if (is_listed(o, &e))
        return false;
    *why = "there are 16 endpoints already";
    if (o->endpoints_count == LISTEN_MAX)
        return false;
    o->endpoints[o->endpoints_count++] = value;
    return true;
}

/* Keys are asked for if there is one of the broker's own. */
static void
find_keys(struct options *o)
{
    static char directory[4096], file[sizeof directory + sizeof KEYS_BROKER_FILE + 1];
    if (!o->keys) {
        (void)snprintf(directory, sizeof directory, "%s/keys", o->data);
        o->keys = directory;
    }
    (void)snprintf(file, sizeof file, "%s/%s", o->keys, KEYS_BROKER_FILE);
    o->has_keys = access(file, F_OK) == 0;
}

static bool
check_keys(const struct options *o)
{
    char text[1024];
    for (size_t i = 0; i < o->endpoints_count; i++)
        if (!endpoint_text_is_local(o->endpoints[i], ENDPOINT_BIND) && !o->allow_remote &&
            !o->has_keys) {
            (void)snprintf(text, sizeof text,
                "%.200s can be reached from other hosts, and nobody would be asked for a key; "
                "make keys with --init, listen on 127.0.0.1, or say --allow-remote-without-keys",
                o->endpoints[i]);
            log_refusal(text);
            return false;
        }
    if (o->require_keys && !o->has_keys) {
        (void)snprintf(text, sizeof text,
            "--require-keys: there is no " KEYS_BROKER_FILE " in %.300s; make keys with --init",
            o->keys);
        log_refusal(text);
        return false;
    }
    return true;
}

/* What else than serving is asked for: one thing at most. */
static bool
check_upkeep(const struct options *o, bool *serves)
{
    const struct option_upkeep *u = &o->upkeep;
    int asked = o->verify + o->init + (u->backup != NULL) + (u->restore != NULL) +
        (u->load != NULL) + u->compact + u->dump;
    const char *why = asked > 1
        ? "--verify, --init, --backup, --restore, --compact, --dump and --load: one at a time"
        : u->ignore_unknown && !u->load ? "--ignore-unknown is for --load alone"
                                        : NULL;
    *serves = asked == 0;
    if (why)
        log_refusal(why);
    return !why;
}

static bool
check(const struct options *o)
{
    bool serves;
    if (!log_choose("stintd", o->log_level, o->log_format)) /* first: it has the others' format */
        return false;
    if (!check_upkeep(o, &serves) || (serves && !check_keys(o)))
        return false;
    if (o->times.lost_ms < 2 * o->times.heartbeat_ms) {
        log_refusal("--lost must be at least twice --heartbeat");
        return false;
    }
    return true;
}

bool
options_read(struct options *o, int argc, char **argv, int *exit_code)
{
    options_init(o);
    const struct setting table[] = {
        {"listen", 'l', SETTING_EACH, o, 0, 0, "ENDPOINT",
            "serve here; may be given several times (" STINT_DEFAULT_ENDPOINT ")", add_endpoint},
        {"data", 'd', SETTING_TEXT, &o->data, 0, 0, "DIR",
            "keep the jobs in this directory, made if it is not there (./stint-data)", NULL},
        {"allow-remote-without-keys", 0, SETTING_FLAG, &o->allow_remote, 0, 0, NULL,
            "without keys, let anybody who reaches a non-local endpoint submit and run jobs", NULL},
        {"keys", 0, SETTING_TEXT, &o->keys, 0, 0, "DIR",
            "the broker's key and those it has authorised (keys, in the data directory)", NULL},
        {"require-keys", 0, SETTING_FLAG, &o->require_keys, 0, 0, NULL,
            "ask for a key also who connects from this host", NULL},
        {"keep", 0, SETTING_DURATION, &o->times.keep_ms, 0, LIMIT_TIME_MS, "TIME",
            "keep outcomes and results so long, unless the job says otherwise (24h)", NULL},
        {"keep-dead", 0, SETTING_DURATION, &o->times.keep_dead_ms, 0, LIMIT_TIME_MS, "TIME",
            "keep dead jobs at least so long (30d)", NULL},
        {"grace", 0, SETTING_DURATION, &o->times.grace_ms, 1, 86400000, "TIME",
            "after a restart, wait so long for workers to claim what they run (10s)", NULL},
        {"heartbeat", 0, SETTING_DURATION, &o->times.heartbeat_ms, 10, 3600000, "TIME",
            "how often peers say that they are there (1s)", NULL},
        {"lost", 0, SETTING_DURATION, &o->times.lost_ms, 20, 36000000, "TIME",
            "a worker silent for so long is lost (5s)", NULL},
        {"session-keep", 0, SETTING_DURATION, &o->times.session_keep_ms, 1000, LIMIT_TIME_MS,
            "TIME", "a client may come back with a resent submit for so long (24h)", NULL},
        {"payload-max", 0, SETTING_SIZE, &o->max.payload_bytes, 1, LIMIT_BODY_BYTES_MAX, "SIZE",
            "largest payload of a job (1M, at most 4M)", NULL},
        {"result-max", 0, SETTING_SIZE, &o->max.result_bytes, 1, LIMIT_BODY_BYTES_MAX, "SIZE",
            "largest result of a job (1M, at most 4M)", NULL},
        {"backlog-max", 0, SETTING_NUMBER, &o->max.backlog, 0, 0, "JOBS",
            "refuse submits while so many jobs wait in all; 0: no limit (0)", NULL},
        {"queue-backlog-max", 0, SETTING_NUMBER, &o->max.queue_backlog, 0, 0, "JOBS",
            "refuse submits while so many jobs wait in the queue; 0: no limit (0)", NULL},
        {"queues-max", 0, SETTING_NUMBER, &o->max.queues, 1, 1000000, "QUEUES",
            "most queues (10000)", NULL},
        {"peers-max", 0, SETTING_NUMBER, &o->max.peers, 1, 1000000, "PEERS",
            "most connections (10000)", NULL},
        {"sessions-max", 0, SETTING_NUMBER, &o->max.sessions, 1, 100000000, "SESSIONS",
            "most client sessions remembered (100000)", NULL},
        {"store-size", 0, SETTING_SIZE, &o->store_size, 1 << 20, 1ULL << 46, "SIZE",
            "largest the store may become; address space, not disk (1T)", NULL},
        {"journal-size", 0, SETTING_SIZE, &o->journal_size, JOURNAL_BYTES_MIN, 1ULL << 32, "SIZE",
            "largest the journal before the store may become (64M)", NULL},
        {"disk-free", 0, SETTING_SIZE, &o->disk_free, 0, 0, "SIZE",
            "refuse submits while the disk has less room than this (256M)", NULL},
        {"disk-reserve", 0, SETTING_SIZE, &o->disk_reserve, 0, 1ULL << 40, "SIZE",
            "allocate so much ahead, for settling on a full disk; 0: nothing (16M)", NULL},
        {"broker-number", 0, SETTING_NUMBER, &o->broker, 0, 65535, "NUMBER",
            "this broker's number, part of every id; fixed with the directory (0)", NULL},
        SETTINGS_OF_LOG(&o->log_level, &o->log_format),
        {"verify", 0, SETTING_FLAG, &o->verify, 0, 0, NULL,
            "read all that is in the data directory, say whether it fits together, and exit", NULL},
        {"backup", 0, SETTING_TEXT, &o->upkeep.backup, 0, 0, "FILE",
            "copy the data, also of a stintd that runs, to this file (-: standard output), and "
            "exit",
            NULL},
        {"restore", 0, SETTING_TEXT, &o->upkeep.restore, 0, 0, "FILE",
            "make a data directory from a backup (-: standard input), and exit", NULL},
        {"compact", 0, SETTING_FLAG, &o->upkeep.compact, 0, 0, NULL,
            "make the data file as small as what is in it, and exit", NULL},
        {"dump", 0, SETTING_FLAG, &o->upkeep.dump, 0, 0, NULL,
            "write the data, or a backup's, to standard output as JSON lines, and exit", NULL},
        {"load", 0, SETTING_TEXT, &o->upkeep.load, 0, 0, "FILE",
            "make a data directory from what --dump wrote (-: standard input), and exit", NULL},
        {"ignore-unknown", 0, SETTING_FLAG, &o->upkeep.ignore_unknown, 0, 0, NULL,
            "let --load pass over lines and fields that it does not know", NULL},
        {"growth-max", 0, SETTING_SIZE, &o->upkeep.growth_bytes, 0, 0, "SIZE",
            "give up reading when the data file has grown by so much meanwhile; 0: never (1G)",
            NULL},
        {"init", 0, SETTING_FLAG, &o->init, 0, 0, NULL,
            "make the data directory with keys in it, tell what a worker's host needs, and exit",
            NULL},
        {"check-config", 0, SETTING_FLAG, &o->check_config, 0, 0, NULL, "check settings and exit",
            NULL},
    };
    const struct program program = {
        "stintd", "the broker of stint", "[OPTION...]", table, sizeof table / sizeof *table};
    o->broker = UINT64_MAX; /* which none can have */
    *exit_code = settings_exit_code(settings_read(&program, argc, argv));
    if (*exit_code >= 0)
        return false;
    o->upkeep.of_broker = o->broker != UINT64_MAX;
    o->broker = o->upkeep.of_broker ? o->broker : 0;
    if (o->endpoints_count == 0)
        o->endpoints[o->endpoints_count++] = STINT_DEFAULT_ENDPOINT;
    find_keys(o);
    if (!check(o)) {
        *exit_code = EX_CONFIG;
        return false;
    }
    return true;
}
