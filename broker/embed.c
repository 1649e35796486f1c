/* The broker on a thread of somebody else's process; the contract is in stint_embed.h.
 *
 * All of it, from opening to closing, is done on that thread: LMDB's transactions and ZeroMQ's
 * sockets are used where they were made, and the log finds its way by the thread. What the process
 * shares is one list of open brokers, for fork's sake.
 */
#include "embed_log.h"
#include "endpoint.h"
#include "limit.h"
#include "message.h"
#include "service.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/random.h>
#include <sysexits.h>
#include <unistd.h>
#include <utlist.h>

enum { PATH_BYTES = 4000, PEERS_MAX = 1000, WHY_BYTES = 1024, DESCRIPTORS = 5 };

enum embed_state { EMBED_OPENING, EMBED_SERVES, EMBED_REFUSED, EMBED_FAILED };

struct stint_embed {
    char endpoint[ENDPOINT_BYTES]; /* the first fields are those of an endpoint, too */
    bool has_thread;
    pid_t process; /* that opened it */
    pthread_t thread;
    int stop; /* an eventfd: readable once it is to end */
    char directory[PATH_BYTES];
    struct service service;
    struct embed_log log;
    stint_embed_failed_fn *failed;
    void *failed_context;
    jmp_buf damaged; /* where LMDB goes when it finds its file contradicting itself */
    pthread_mutex_t lock; /* holds what follows */
    pthread_cond_t changed;
    enum embed_state state;
    enum stint_status status;
    char why[WHY_BYTES]; /* set once, before the state */
    int descriptors[DESCRIPTORS]; /* that a child by fork is not to keep open */
    struct stint_embed *prev, *next;
};

/* All that are open, for fork: what a child has of them would keep a directory locked, and a socket
 * answering, when the parent is gone. */
static struct {
    pthread_mutex_t lock;
    pthread_once_t once;
    struct stint_embed *all;
} registry = {.lock = PTHREAD_MUTEX_INITIALIZER, .once = PTHREAD_ONCE_INIT};

static _Thread_local struct stint_embed *mine; /* of this thread, if it is a broker's */
static _Thread_local char open_error[WHY_BYTES];

static void
before_fork(void)
{
    (void)pthread_mutex_lock(&registry.lock);
}

static void
after_fork(void)
{
    (void)pthread_mutex_unlock(&registry.lock);
}

static void
in_child(void)
{
    struct stint_embed *e;
    DL_FOREACH (registry.all, e) {
        for (unsigned i = 0; i < DESCRIPTORS; i++)
            if (e->descriptors[i] >= 0)
                (void)close(e->descriptors[i]);
    }
    registry.all = NULL;
    (void)pthread_mutex_unlock(&registry.lock);
}

static void
watch_forks(void)
{
    (void)pthread_atfork(before_fork, after_fork, in_child);
}

static void
enter(struct stint_embed *e)
{
    const int all[DESCRIPTORS] = {e->service.data.lock, e->service.data.held, e->service.data.file,
        router_listening(e->service.router), e->stop};
    (void)pthread_mutex_lock(&registry.lock);
    memcpy(e->descriptors, all, sizeof all);
    DL_APPEND(registry.all, e);
    (void)pthread_mutex_unlock(&registry.lock);
}

static void
leave(struct stint_embed *e)
{
    struct stint_embed *other, *found = NULL;
    (void)pthread_mutex_lock(&registry.lock);
    DL_FOREACH (registry.all, other)
        if (other == e)
            found = other;
    if (found)
        DL_DELETE(registry.all, e);
    (void)pthread_mutex_unlock(&registry.lock);
}

static void
become(struct stint_embed *e, enum embed_state state, enum stint_status status, const char *why)
{
    (void)pthread_mutex_lock(&e->lock);
    (void)snprintf(e->why, sizeof e->why, "%s", why);
    e->status = status;
    e->state = state;
    (void)pthread_cond_broadcast(&e->changed);
    (void)pthread_mutex_unlock(&e->lock);
}

static enum stint_status
status_of(int exit_code)
{
    switch (exit_code) {
    case EX_OK:
        return STINT_OK;
    case EX_TEMPFAIL:
        return STINT_IN_USE;
    case EX_DATAERR:
    case EX_NOINPUT:
        return STINT_DAMAGED;
    case EX_IOERR:
        return STINT_IO;
    case EX_CONFIG:
        return STINT_VERSION_MISMATCH;
    case EX_USAGE:
        return STINT_INVALID;
    default:
        return STINT_SYSTEM;
    }
}

static bool
is_woken(void *context)
{
    struct stint_embed *e = context;
    uint64_t count;
    return read(e->stop, &count, sizeof count) == sizeof count;
}

static void
on_ready(void *context)
{
    struct stint_embed *e = context;
    enter(e);
    become(e, EMBED_SERVES, STINT_OK, "");
}

/* LMDB is in the middle of something that can't go on; nothing that it holds is touched again. */
_Noreturn static void
on_damage(const char *what)
{
    struct stint_embed *e = mine;
    (void)snprintf(e->log.why, sizeof e->log.why,
        "the data file is damaged (%.200s); restore it from a backup", what);
    longjmp(e->damaged, 1);
}

/* Whoever speaks is told that there is no broker any more, so that nobody waits for one. */
static void
answer_all(struct stint_embed *e)
{
    struct router *r = e->service.router;
    struct outbox out = {0};
    char detail[200];
    (void)snprintf(detail, sizeof detail, "%.199s", e->why);
    router_done(r); /* it may have been in the middle of a batch */
    while (!is_woken(e)) {
        struct batch batch = {0};
        router_wait(r, e->stop, 1000);
        router_drain(r, &batch);
        outbox_reset(&out);
        for (size_t i = 0; i < batch.count; i++) {
            const struct event *event = &batch.events[i];
            if (event->kind == EVENT_GONE) {
                outbox_forget(&out, event->peer);
            } else if (event->kind == EVENT_FRAME) {
                message_put_error(
                    outbox_begin(&out, event->peer), MESSAGE_HELLO, 0, STINT_CLOSING, detail, NULL);
                outbox_end(&out);
            }
        }
        router_done(r);
        router_send(r, &out);
    }
    outbox_free(&out);
}

/* The state is this thread's alone to change, so it may look at it without the lock. */
static void
fail(struct stint_embed *e, enum stint_status status)
{
    if (e->state == EMBED_OPENING) {
        become(e, EMBED_REFUSED, status, e->log.why);
        return;
    }
    become(e, EMBED_FAILED, status, e->log.why);
    if (e->failed)
        e->failed(e->failed_context, status, e->why);
    answer_all(e);
}

/* What the core has in memory may be half changed: it is left, which costs its memory. */
static void
fail_damaged(struct stint_embed *e)
{
    char what[WHY_BYTES];
    e->service.core = NULL;
    memcpy(what, e->log.why, sizeof what);
    log_event(LOG_LEVEL_ERROR, "the broker has ended", LOG_FIELDS(LOG_TEXT("error", what)));
    fail(e, STINT_DAMAGED);
}

static void
serve(struct stint_embed *e)
{
    int rc = service_open(&e->service);
    if (!rc)
        rc = service_serve(&e->service);
    if (rc)
        fail(e, status_of(rc));
}

static void *
run(void *argument)
{
    struct stint_embed *e = argument;
    mine = e;
    embed_log_use(&e->log);
    (void)pthread_setname_np(pthread_self(), "stint-embed");
    if (setjmp(e->damaged) == 0)
        serve(e);
    else
        fail_damaged(e);
    leave(e);
    if (setjmp(e->damaged) != 0)
        e->service.store = NULL; /* not even to be closed */
    service_close(&e->service);
    return NULL;
}

static enum stint_status
refuse(enum stint_status status, const char *what, const char *why)
{
    (void)snprintf(open_error, sizeof open_error, "%.500s%s%.500s", what, *what ? ": " : "", why);
    return status;
}

static bool
is_endpoint(const char *where)
{
    return strncmp(where, "tcp://", 6) == 0 || strncmp(where, "ipc://", 6) == 0;
}

/* Absolute, as the program may change its directory. */
static enum stint_status
name_directory(struct stint_embed *e, const char *where)
{
    char here[PATH_BYTES] = "";
    if (!*where)
        return refuse(STINT_INVALID, "", "the directory has no name");
    if (where[0] != '/' && !getcwd(here, sizeof here))
        return refuse(STINT_SYSTEM, "the working directory", strerror(errno));
    int n = snprintf(e->directory, sizeof e->directory, "%s%s%s", here, *here ? "/" : "", where);
    return n < (int)sizeof e->directory ? STINT_OK
                                        : refuse(STINT_INVALID, where, "the path is too long");
}

/* A socket in the directory. Where its path is too long for one, or no endpoint can be written so,
 * a name that has no path; the router lets nobody but this user in there. */
static enum stint_status
name_endpoint(struct stint_embed *e)
{
    struct endpoint parsed;
    const char *why;
    uint64_t number[2];
    int n = snprintf(e->endpoint, sizeof e->endpoint, "ipc://%.200s/socket", e->directory);
    if (strlen(e->directory) <= 200 && n < (int)sizeof e->endpoint &&
        !strstr(e->endpoint + 1, ",ipc://") && !strstr(e->endpoint, ",tcp://") &&
        endpoint_parse(e->endpoint, ENDPOINT_BIND, &parsed, &why))
        return STINT_OK;
    if (getrandom(number, sizeof number, 0) != sizeof number)
        return refuse(STINT_SYSTEM, "random bytes", strerror(errno));
    (void)snprintf(e->endpoint, sizeof e->endpoint, "ipc://@stint-embed-%016llx%016llx",
        (unsigned long long)number[0], (unsigned long long)number[1]);
    return STINT_OK;
}

static uint64_t
or_else(uint64_t value, uint64_t otherwise)
{
    return value ? value : otherwise;
}

static void
take_options(struct stint_embed *e, const struct stint_embed_options *o)
{
    struct options *to = &e->service.options;
    e->log.told = o->log;
    e->log.context = o->log_context;
    e->log.level = (enum log_level)o->log_level;
    e->failed = o->failed;
    e->failed_context = o->failed_context;
    to->times.keep_ms = or_else(o->keep_ms, to->times.keep_ms);
    to->times.keep_dead_ms = or_else(o->keep_dead_ms, to->times.keep_dead_ms);
    to->times.grace_ms = or_else(o->grace_ms, to->times.grace_ms);
    to->max.payload_bytes = or_else(o->payload_bytes, to->max.payload_bytes);
    to->max.result_bytes = or_else(o->result_bytes, to->max.result_bytes);
    to->max.backlog = o->backlog;
    to->max.peers = PEERS_MAX;
    to->store_size = or_else(o->store_bytes, 64ULL << 30);
    to->disk_free = or_else(o->disk_free_bytes, to->disk_free);
    to->disk_reserve = or_else(o->disk_reserve_bytes, to->disk_reserve);
    to->broker = o->broker;
    to->data = e->directory;
    to->endpoints[0] = e->endpoint;
    to->endpoints_count = 1;
}

/* As stintd's own settings are checked. */
static enum stint_status
check_options(const struct stint_embed_options *o)
{
    static const char range[] = "it is out of its range";
    const struct {
        const char *name;
        uint64_t value, min, max;
    } all[] = {
        {"keep_ms", o->keep_ms, 0, LIMIT_TIME_MS},
        {"keep_dead_ms", o->keep_dead_ms, 0, LIMIT_TIME_MS},
        {"grace_ms", o->grace_ms, 0, 86400000},
        {"payload_bytes", o->payload_bytes, 0, LIMIT_BODY_BYTES_MAX},
        {"result_bytes", o->result_bytes, 0, LIMIT_BODY_BYTES_MAX},
        {"store_bytes", or_else(o->store_bytes, 1 << 20), 1 << 20, 1ULL << 46},
        {"disk_reserve_bytes", o->disk_reserve_bytes, 0, 1ULL << 40},
        {"log_level", (uint64_t)o->log_level, 0, STINT_EMBED_DEBUG},
    };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        if (all[i].value < all[i].min || all[i].value > all[i].max)
            return refuse(STINT_INVALID, all[i].name, range);
    return STINT_OK;
}

/* The thread takes no signals: they are the program's. Those that a fault of its own would send it
 * are not blocked, so that a handler of the program's for them sees it. */
static bool
start_thread(struct stint_embed *e)
{
    static const int faults[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGTRAP, SIGSYS};
    sigset_t all, kept;
    (void)sigfillset(&all);
    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++)
        (void)sigdelset(&all, faults[i]);
    if (pthread_sigmask(SIG_SETMASK, &all, &kept) != 0)
        return false;
    int rc = pthread_create(&e->thread, NULL, run, e);
    (void)pthread_sigmask(SIG_SETMASK, &kept, NULL);
    e->has_thread = rc == 0;
    errno = rc;
    return e->has_thread;
}

static void
destroy(struct stint_embed *e)
{
    if (e->stop >= 0)
        (void)close(e->stop);
    (void)pthread_cond_destroy(&e->changed);
    (void)pthread_mutex_destroy(&e->lock);
    free(e);
}

/* Waits until the thread serves, or has given up. */
static enum stint_status
start(struct stint_embed *e)
{
    (void)pthread_once(&registry.once, watch_forks);
    if (e->stop < 0 || !start_thread(e))
        return refuse(STINT_SYSTEM, "can't start a thread", strerror(errno));
    (void)pthread_mutex_lock(&e->lock);
    while (e->state == EMBED_OPENING)
        (void)pthread_cond_wait(&e->changed, &e->lock);
    enum embed_state state = e->state;
    (void)pthread_mutex_unlock(&e->lock);
    if (state != EMBED_REFUSED)
        return STINT_OK;
    (void)pthread_join(e->thread, NULL);
    return refuse(e->status, "", e->why);
}

static enum stint_status
open_directory(struct stint_embed *e, const char *where, const struct stint_embed_options *options)
{
    static const struct stint_embed_options none;
    const struct stint_embed_options *o = options ? options : &none;
    enum stint_status status = check_options(o);
    if (status == STINT_OK)
        status = name_directory(e, where);
    if (status == STINT_OK)
        status = name_endpoint(e);
    if (status != STINT_OK)
        return status;
    e->stop = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    service_init(&e->service);
    take_options(e, o);
    e->service.host = (struct service_host){.context = e,
        .fd = e->stop,
        .woken = is_woken,
        .ready = on_ready,
        .on_damage = on_damage,
        .shared_process = true};
    return start(e);
}

/* A comma may stand in a path; one that begins an endpoint parts two. */
static const char *
end_of_endpoint(const char *where)
{
    const char *comma = where;
    while ((comma = strchr(comma, ',')) != NULL && !is_endpoint(comma + 1))
        comma++;
    return comma ? comma : where + strlen(where);
}

/* There may be several, as clients take them. NULL: all are good. */
static const char *
why_no_endpoint(const char *where)
{
    char one[ENDPOINT_BYTES];
    struct endpoint parsed;
    const char *why;
    for (const char *end;; where = end + 1) {
        end = end_of_endpoint(where);
        if (end - where >= (ptrdiff_t)sizeof one)
            return "it is too long";
        (void)snprintf(one, sizeof one, "%.*s", (int)(end - where), where);
        if (!endpoint_parse(one, ENDPOINT_CONNECT, &parsed, &why))
            return why;
        if (!*end)
            return NULL;
    }
}

static enum stint_status
open_endpoint(struct stint_embed *e, const char *where)
{
    const char *why = why_no_endpoint(where);
    if (why || strlen(where) >= sizeof e->endpoint)
        return refuse(STINT_BAD_ENDPOINT, where, why ? why : "it is too long");
    memcpy(e->endpoint, where, strlen(where) + 1);
    e->state = EMBED_SERVES;
    return STINT_OK;
}

enum stint_status
stint_embed_open(
    const char *where, const struct stint_embed_options *options, struct stint_embed **embed)
{
    struct stint_embed *e = calloc(1, sizeof *e);
    *embed = NULL;
    open_error[0] = '\0';
    if (!e)
        return refuse(STINT_NO_MEMORY, where, "out of memory");
    e->stop = -1;
    e->process = getpid();
    (void)pthread_mutex_init(&e->lock, NULL);
    (void)pthread_cond_init(&e->changed, NULL);
    enum stint_status status =
        is_endpoint(where) ? open_endpoint(e, where) : open_directory(e, where, options);
    if (status == STINT_OK)
        *embed = e;
    else
        destroy(e);
    return status;
}

const char *
stint_embed_open_error(void)
{
    return open_error;
}

const char *
stint_embed_endpoint(const struct stint_embed *e)
{
    return e->endpoint;
}

enum stint_status
stint_embed_status(const struct stint_embed *embed, const char **why)
{
    struct stint_embed *e = (struct stint_embed *)(uintptr_t)embed;
    (void)pthread_mutex_lock(&e->lock);
    enum stint_status status = e->status;
    (void)pthread_mutex_unlock(&e->lock);
    if (why)
        *why = e->why;
    return status;
}

void
stint_embed_close(struct stint_embed **embed)
{
    struct stint_embed *e = *embed;
    uint64_t one = 1;
    *embed = NULL;
    if (!e || e->process != getpid())
        return; /* a child's copy: what it points to is not whole */
    assert(mine != e); /* in a callback */
    if (e->has_thread) {
        if (write(e->stop, &one, sizeof one) != sizeof one)
            abort(); /* an eventfd takes a 1 */
        (void)pthread_join(e->thread, NULL);
    }
    destroy(e);
}
