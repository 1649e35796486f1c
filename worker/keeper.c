/* The worker's main thread; the contract is in keeper.h. */
#include "keeper.h"
#include "log.h"
#include "processes.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

enum {
    LOOK_MS = 1000, /* for orphans that have ended, and for a broker */
    STALLED_MS = 10000, /* a conversation that has not moved for so long hangs */
    SILENT_MS = 3000, /* without a broker for so long: say so */
    SILENT_MS_MAX = 300000, /* and then less and less often */
};

/* The thread that talks to the broker. */
struct conversation {
    struct stint_worker *worker;
    enum stint_status status;
    int done;
};

static void
signals_to_take(sigset_t *set)
{
    struct sigaction hangup;
    sigemptyset(set);
    sigaddset(set, SIGINT);
    sigaddset(set, SIGTERM);
    sigaddset(set, SIGQUIT); /* the guard's: it ends us */
    if (sigaction(SIGHUP, NULL, &hangup) == 0 && hangup.sa_handler != SIG_IGN)
        sigaddset(set, SIGHUP); /* not under nohup */
}

void
keeper_block_signals(void)
{
    sigset_t set;
    signals_to_take(&set);
    (void)signal(SIGPIPE, SIG_IGN);
    (void)pthread_sigmask(SIG_BLOCK, &set, NULL);
}

void
keeper_told(void *context, enum stint_worker_event event, uint32_t running, const char *detail)
{
    struct keeper *k = context;
    switch (event) {
    case STINT_WORKER_CONNECTED:
        guard_tell(k->guard, GUARD_CONNECTED);
        atomic_store(&k->refused, false);
        log_event(LOG_LEVEL_INFO, "connected", LOG_FIELDS(LOG_TEXT("endpoint", k->endpoint)));
        break;
    case STINT_WORKER_LOST:
        guard_tell(k->guard, GUARD_AWAY);
        log_event(LOG_LEVEL_WARN, "the connection is lost",
            LOG_FIELDS(LOG_TEXT("endpoint", k->endpoint), LOG_NUMBER("running", running),
                LOG_TEXT("why", *detail ? detail : NULL)));
        break;
    case STINT_WORKER_REFUSED:
    case STINT_WORKER_NO_ROOM:
        atomic_store(&k->refused, true);
        log_event(LOG_LEVEL_WARN, "the broker refuses us; keeps trying",
            LOG_FIELDS(LOG_TEXT("endpoint", k->endpoint), LOG_TEXT("why", detail)));
        break;
    case STINT_WORKER_DRAINING:
        guard_tell(k->guard, GUARD_STOPPING);
        log_event(LOG_LEVEL_INFO,
            running ? "stopping: waits for running jobs; stop it once more to end them"
                    : "stopping",
            LOG_FIELDS(LOG_NUMBER("running", running), LOG_NUMBER("at_most_ms", k->drain_ms)));
        break;
    case STINT_WORKER_CANCELLING:
        log_event(LOG_LEVEL_WARN, "ends the running jobs and gives them back",
            LOG_FIELDS(LOG_NUMBER("running", running)));
        break;
    case STINT_WORKER_RESIZED:
        log_event(LOG_LEVEL_INFO, "resized",
            LOG_FIELDS(
                LOG_NUMBER("slots", strtoul(detail, NULL, 10)), LOG_NUMBER("running", running)));
        break;
    case STINT_WORKER_PAUSED:
    case STINT_WORKER_RESUMED:
        log_event(LOG_LEVEL_INFO, event == STINT_WORKER_PAUSED ? "paused" : "resumed",
            LOG_FIELDS(LOG_NUMBER("running", running)));
        break;
    case STINT_WORKER_LEAVES:
        log_event(LOG_LEVEL_INFO, "leaves", LOG_FIELDS(LOG_TEXT("why", detail)));
        break;
    }
}

static void *
converse(void *argument)
{
    struct conversation *c = argument;
    uint64_t one = 1;
    c->status = stint_worker_run(c->worker);
    if (write(c->done, &one, sizeof one) < 0)
        c->status = STINT_SYSTEM;
    return NULL;
}

/* The first lets running jobs finish, the second ends them, the third kills them. Another one the
 * guard answers. */
static void
stop(struct keeper *k, unsigned count)
{
    if (count <= 2)
        stint_worker_stop(k->worker);
    else {
        log_event(LOG_LEVEL_WARN, "kills the running jobs", NULL);
        strays_kill_running(&k->runner->strays);
    }
}

/* The guard is gone, so it is our part to do what it was for, and then to be gone like it: nothing
 * is told to the broker about what we end. */
static _Noreturn void
follow(struct keeper *k)
{
    atomic_store(&k->runner->abandoned, true);
    atomic_store(&k->guard->scratch.stop, true);
    cgroups_kill(&k->guard->cgroups);
    strays_end_all(&k->runner->strays);
    cgroups_remove(&k->guard->cgroups);
    scratch_remove(&k->guard->scratch);
    (void)kill(getpid(), SIGKILL);
    _exit(1);
}

struct watch {
    unsigned from_guard, direct, stops;
    uint64_t silent_ms, heard_ms; /* without a broker: say so after that time; since then */
};

/* A terminal sends a signal to us and to the guard, which passes it on: that is one. */
static void
take_stops(struct keeper *k, struct watch *w, int signals, const struct pollfd *p)
{
    struct signalfd_siginfo info;
    char bytes[64];
    if (p[0].revents) {
        ssize_t n = read(k->guard->stops, bytes, sizeof bytes);
        if (n == 0)
            follow(k);
        w->from_guard += n > 0 ? (unsigned)n : 0;
    }
    if (p[1].revents && read(signals, &info, sizeof info) == sizeof info)
        w->direct += info.ssi_signo != SIGQUIT;
    while (w->stops < (w->direct > w->from_guard ? w->direct : w->from_guard))
        stop(k, ++w->stops);
}

static void
look_for_broker(const struct keeper *k, struct watch *w)
{
    uint64_t now_ms = clock_ms();
    if (stint_worker_connected(k->worker)) {
        w->heard_ms = now_ms;
        w->silent_ms = SILENT_MS;
    } else if (now_ms - w->heard_ms >= w->silent_ms && w->stops == 0) {
        log_event(LOG_LEVEL_WARN,
            atomic_load(&k->refused) ? "no broker takes us; keeps trying"
                                     : "no broker answers; keeps trying",
            LOG_FIELDS(
                LOG_TEXT("endpoint", k->endpoint), LOG_NUMBER("for_ms", now_ms - w->heard_ms)));
        w->silent_ms = 4 * w->silent_ms;
        if (w->silent_ms > now_ms - w->heard_ms + SILENT_MS_MAX)
            w->silent_ms = now_ms - w->heard_ms + SILENT_MS_MAX;
    }
}

enum stint_status
keeper_run(struct keeper *k)
{
    struct conversation c = {.worker = k->worker, .done = eventfd(0, EFD_CLOEXEC)};
    struct watch w = {.silent_ms = SILENT_MS, .heard_ms = clock_ms()};
    sigset_t set;
    pthread_t thread;
    signals_to_take(&set);
    int signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    guard_tell(k->guard, GUARD_AWAY);
    if (c.done < 0 || signals < 0 || pthread_create(&thread, NULL, converse, &c) != 0)
        return STINT_SYSTEM;
    struct pollfd p[] = {{.fd = k->guard->stops, .events = POLLIN},
        {.fd = signals, .events = POLLIN}, {.fd = c.done, .events = POLLIN}};
    while (!p[2].revents) {
        if (poll(p, 3, LOOK_MS) < 0)
            continue;
        (void)log_flush();
        take_stops(k, &w, signals, p);
        strays_reap(&k->runner->strays);
        look_for_broker(k, &w);
        if (stint_worker_stalled_ms(k->worker) < STALLED_MS)
            guard_beat(k->guard);
    }
    (void)pthread_join(thread, NULL);
    strays_reap(&k->runner->strays);
    close(signals);
    close(c.done);
    return c.status;
}
