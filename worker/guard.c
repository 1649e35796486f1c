/* The guard process; what it is for is told in guard.h. */
#include "guard.h"
#include "log.h"
#include "processes.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
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

static _Noreturn void
watch(const struct guard *g, struct keeper_of_worker *k, const sigset_t *signals, int stops)
{
    unsigned count = 0;
    while (!k->ended) {
        siginfo_t info;
        int signal = sigwaitinfo(signals, &info);
        if (signal == SIGCHLD)
            reap(k);
        else if (signal == SIGINT || signal == SIGTERM || signal == SIGHUP) {
            if (++count > STOPS_MAX || write(stops, "", 1) != 1)
                (void)kill(k->worker, SIGKILL);
        } else if (signal == SIGQUIT)
            (void)kill(k->worker, SIGKILL);
        else if (signal > 0 && signal != SIGPIPE)
            (void)kill(k->worker, signal);
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
    void *memory = mmap(
        NULL, slots * sizeof *g->groups, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED || pipe2(ends, O_CLOEXEC) != 0)
        return false;
    g->groups = memory;
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
    close(ends[1]);
    if (keeper.children >= 0)
        close(keeper.children);
    (void)sigprocmask(SIG_SETMASK, &before, NULL);
    return true;
}
