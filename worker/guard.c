/* The guard process; what it is for is told in guard.h. */
#include "guard.h"
#include "log.h"
#include "notify.h"
#include "processes.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    END_MS = 10000, /* what SIGKILL does not end in this time hangs in the kernel */
    LOOK_MS = 20,
    STOPS_MAX = 3, /* one more signal to stop than the worker knows an answer to */
    TELL_S = 1, /* tell the service manager so often that all is well */
    MORE_MS = 30000, /* and that it is to wait so long */
};

/* What the service manager was told. */
struct told {
    bool wanted; /* there is one */
    unsigned news, beats;
    uint64_t stop_ms; /* told to stop then; 0: not */
};

struct keeper_of_worker {
    pid_t worker;
    siginfo_t end; /* how the worker ended */
    bool ended;
    /* Children that were there before, as after `sleep 9 & exec stint-worker`: not ours to end. */
    pid_t before[CHILDREN_MAX];
    size_t before_count;
    int children;
};

static void
reap(struct keeper_of_worker *k)
{
    for (;;) {
        siginfo_t info = {0};
        if (waitid(P_ALL, 0, &info, WEXITED | WNOHANG) != 0 || info.si_pid == 0)
            return;
        if (info.si_pid == k->worker) {
            k->end = info;
            k->ended = true;
        }
        for (size_t i = 0; i < k->before_count; i++)
            if (k->before[i] == info.si_pid)
                k->before[i] = 0; /* the number may come again */
    }
}

static bool
was_before(const struct keeper_of_worker *k, pid_t pid)
{
    for (size_t i = 0; i < k->before_count; i++)
        if (k->before[i] == pid)
            return true;
    return false;
}

/* All that the worker left has come to us. What forks while it is killed comes too. */
static void
end_all(const struct guard *g, struct keeper_of_worker *k)
{
    pid_t pids[CHILDREN_MAX];
    uint64_t end_ms = clock_ms() + END_MS;
    size_t left, seen = 0;
    cgroups_kill(&g->cgroups);
    for (uint32_t i = 0; i < g->count; i++) {
        pid_t group = atomic_load(&g->groups[i]);
        if (group > 1)
            (void)kill(-group, SIGKILL);
    }
    do {
        reap(k);
        size_t count = children_read(k->children, pids);
        left = 0;
        for (size_t i = 0; i < count; i++) {
            if (was_before(k, pids[i]))
                continue;
            process_kill(pids[i]);
            left++;
        }
        seen = left > seen ? left : seen;
        if (left)
            clock_pause(LOOK_MS / 10);
    } while (left && clock_ms() < end_ms);
    cgroups_remove(&g->cgroups);
    scratch_remove(&g->scratch);
    if (k->end.si_code != CLD_EXITED)
        log_event(LOG_LEVEL_ERROR, "the worker was killed; what it ran was ended",
            LOG_FIELDS(
                LOG_NUMBER("signal", (unsigned)k->end.si_status), LOG_NUMBER("processes", seen)));
}

/* Ends as the worker has ended. */
static _Noreturn void
leave(const struct keeper_of_worker *k)
{
    const struct rlimit none = {0, 0};
    sigset_t set;
    if (k->end.si_code == CLD_EXITED)
        exit(k->end.si_status);
    (void)setrlimit(RLIMIT_CORE, &none); /* the worker has left one, if any */
    (void)signal(k->end.si_status, SIG_DFL);
    sigemptyset(&set);
    sigaddset(&set, k->end.si_status);
    (void)sigprocmask(SIG_UNBLOCK, &set, NULL);
    (void)kill(getpid(), k->end.si_status);
    _exit(128 + k->end.si_status); /* at PID 1 a signal to oneself does nothing */
}

/* What a terminal or a supervisor sends; those that ended us by a fault of our own still do, and
 * Ctrl-Z still stops. */
static void
signals_to_take(sigset_t *set)
{
    static const int left[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT, SIGTRAP, SIGSYS, SIGTSTP,
        SIGTTIN, SIGTTOU, SIGCONT};
    struct sigaction hangup;
    sigfillset(set);
    for (size_t i = 0; i < sizeof left / sizeof *left; i++)
        sigdelset(set, left[i]);
    if (sigaction(SIGHUP, NULL, &hangup) == 0 && hangup.sa_handler == SIG_IGN)
        sigdelset(set, SIGHUP); /* nohup */
}

/* Its patience is the worker's own: it waits as long as running jobs may take, and for a worker
 * that the broker has told to leave as long as that takes, but not for one that stands still. */
static void
tell_manager(const struct guard *g, struct told *t)
{
    static const char *const texts[] = {[GUARD_STARTING] = "",
        [GUARD_AWAY] = "READY=1\nSTATUS=waits for a broker",
        [GUARD_CONNECTED] = "READY=1\nSTATUS=connected to the broker",
        [GUARD_STOPPING] = "STOPPING=1\nSTATUS=waits for running jobs"};
    unsigned news = atomic_load(&g->pulse->news), beats = atomic_load(&g->pulse->beats);
    if (!t->wanted)
        return;
    if (news != t->news)
        notify(texts[news]);
    if (beats != t->beats) {
        notify_alive();
        if (news == GUARD_STOPPING &&
            (t->stop_ms == 0 || clock_ms() < t->stop_ms + g->drain_ms + MORE_MS)) {
            char text[64];
            (void)snprintf(text, sizeof text, "EXTEND_TIMEOUT_USEC=%d000", MORE_MS);
            notify(text);
        }
    }
    t->news = news;
    t->beats = beats;
}

static int
wait_for_signal(const sigset_t *signals, bool timed)
{
    static const struct timespec second = {.tv_sec = TELL_S};
    siginfo_t info;
    return timed ? sigtimedwait(signals, &info, &second) : sigwaitinfo(signals, &info);
}

static _Noreturn void
watch(const struct guard *g, struct keeper_of_worker *k, const sigset_t *signals, int stops)
{
    struct told told = {.wanted = getenv("NOTIFY_SOCKET") != NULL};
    unsigned count = 0;
    while (!k->ended) {
        int signal = wait_for_signal(signals, told.wanted);
        if (signal == SIGCHLD)
            reap(k);
        else if (signal == SIGINT || signal == SIGTERM || signal == SIGHUP) {
            told.stop_ms = told.stop_ms ? told.stop_ms : clock_ms();
            if (++count > STOPS_MAX || write(stops, "", 1) != 1)
                (void)kill(k->worker, SIGKILL);
        } else if (signal == SIGQUIT)
            (void)kill(k->worker, SIGKILL);
        else if (signal > 0 && signal != SIGPIPE)
            (void)kill(k->worker, signal);
        tell_manager(g, &told);
    }
    end_all(g, k);
    leave(k);
}

bool
guard_start(struct guard *g, uint32_t slots)
{
    static struct keeper_of_worker keeper;
    int ends[2];
    sigset_t signals, before;
    void *memory = mmap(NULL, sizeof *g->pulse + slots * sizeof *g->groups, PROT_READ | PROT_WRITE,
        MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED || pipe2(ends, O_CLOEXEC) != 0)
        return false;
    g->pulse = memory;
    g->groups = (_Atomic pid_t *)(void *)(g->pulse + 1);
    g->count = slots;
    g->stops = ends[0];
    g->pid = getpid();
    keeper.children = children_open();
    keeper.before_count = children_read(keeper.children, keeper.before);
    signals_to_take(&signals);
    (void)signal(SIGCHLD, SIG_DFL); /* ignored, it would keep us from hearing of ends */
    (void)prctl(PR_SET_CHILD_SUBREAPER, 1);
    (void)sigprocmask(SIG_BLOCK, &signals, &before);
    keeper.worker = fork();
    if (keeper.worker < 0)
        return false;
    if (keeper.worker > 0) {
        close(ends[0]);
        (void)fcntl(ends[1], F_SETFL, O_NONBLOCK);
        watch(g, &keeper, &signals, ends[1]);
    }
    notify_forget();
    close(ends[1]);
    if (keeper.children >= 0)
        close(keeper.children);
    (void)sigprocmask(SIG_SETMASK, &before, NULL);
    return true;
}

/* A SIGCHLD without a child that has ended makes the guard look. A connection that comes and goes
 * while the worker stops is no news. */
void
guard_tell(const struct guard *g, enum guard_news news)
{
    if (atomic_load(&g->pulse->news) == GUARD_STOPPING)
        return;
    if (atomic_exchange(&g->pulse->news, news) != news && getppid() == g->pid)
        (void)kill(g->pid, SIGCHLD);
}

void
guard_beat(const struct guard *g)
{
    atomic_fetch_add(&g->pulse->beats, 1);
}
