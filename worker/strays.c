/* Ends what jobs leave behind; the contract is in strays.h. */
#include "strays.h"
#include "id.h"
#include "processes.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    END_MS = 10000, /* what SIGKILL does not end in this time hangs in the kernel */
    PAUSE_MS_MAX = 16,
};

bool
strays_open(struct strays *s, uint32_t slots)
{
    *s = (struct strays){.children = children_open()};
    s->jobs = calloc(slots, sizeof *s->jobs);
    (void)prctl(PR_SET_CHILD_SUBREAPER, 1);
    return s->jobs && pthread_mutex_init(&s->lock, NULL) == 0;
}

void
strays_expect(struct strays *s, uint32_t slot, const struct stint_id *id, uint32_t attempt)
{
    pthread_mutex_lock(&s->lock);
    if (slot >= s->count)
        s->count = slot + 1;
    s->jobs[slot] =
        (struct living){.here = true, .id = *id, .attempt = attempt, .begun_ticks = clock_ticks()};
    pthread_mutex_unlock(&s->lock);
}

void
strays_begin(struct strays *s, uint32_t slot, pid_t leader)
{
    pthread_mutex_lock(&s->lock);
    s->jobs[slot].leader = leader;
    pthread_mutex_unlock(&s->lock);
}

void
strays_forget(struct strays *s, uint32_t slot)
{
    pthread_mutex_lock(&s->lock);
    s->jobs[slot] = (struct living){0};
    pthread_mutex_unlock(&s->lock);
}

void
strays_wait(struct strays *s, uint32_t slot, int pidfd, siginfo_t *info)
{
    pthread_mutex_lock(&s->lock);
    while (waitid(P_PIDFD, (id_t)pidfd, info, WEXITED) != 0 && errno == EINTR)
        ;
    s->jobs[slot] = (struct living){0};
    pthread_mutex_unlock(&s->lock);
}

/* Which job an orphan belongs to; `s->count`: none that runs; above: one that runs, but which? */
static uint32_t
owner_of(const struct strays *s, pid_t pid, const struct process *p)
{
    struct stint_id id;
    uint32_t attempt, unsure = 0;
    for (uint32_t i = 0; i < s->count; i++)
        if (s->jobs[i].here && s->jobs[i].leader && s->jobs[i].leader == p->session)
            return i;
    if (process_job(pid, &id, &attempt)) {
        for (uint32_t i = 0; i < s->count; i++)
            if (s->jobs[i].here && s->jobs[i].attempt == attempt &&
                id_compare(&s->jobs[i].id, &id) == 0)
                return i;
        return s->count;
    }
    for (uint32_t i = 0; i < s->count; i++)
        unsure += s->jobs[i].here && s->jobs[i].begun_ticks <= p->started_ticks;
    return s->count + unsure;
}

static bool
is_leader(const struct strays *s, pid_t pid)
{
    for (uint32_t i = 0; i < s->count; i++)
        if (s->jobs[i].leader == pid)
            return true;
    return false;
}

/* With the lock held, so that no number in hand is anybody else's: reaps who has ended, kills who
 * belongs to `slot` or to no job that runs. Returns how many were killed. */
static uint32_t
sweep(struct strays *s, uint32_t slot)
{
    pid_t pids[CHILDREN_MAX];
    uint32_t killed = 0;
    size_t count = children_read(s->children, pids);
    for (size_t i = 0; i < count; i++) {
        struct process p;
        if (is_leader(s, pids[i]) || !process_look(pids[i], &p))
            continue;
        if (p.dead) {
            (void)waitid(P_PID, (id_t)pids[i], NULL, WEXITED | WNOHANG);
            continue;
        }
        uint32_t owner = owner_of(s, pids[i], &p);
        /* The job that ends is begun before all it could have started. */
        bool only_ours = slot < s->count && owner == s->count + 1 &&
            s->jobs[slot].begun_ticks <= p.started_ticks;
        if (owner != slot && owner != s->count && !only_ours)
            continue;
        process_kill(pids[i]);
        killed++;
    }
    return killed;
}

bool
strays_end(struct strays *s, uint32_t slot)
{
    uint64_t end_ms = 0;
    unsigned pause_ms = 1;
    (void)kill(-s->jobs[slot].leader, SIGKILL);
    for (;;) {
        pthread_mutex_lock(&s->lock);
        uint32_t killed = sweep(s, slot);
        pthread_mutex_unlock(&s->lock);
        if (killed == 0)
            return true;
        if (end_ms == 0)
            end_ms = clock_ms() + END_MS;
        else if (clock_ms() > end_ms)
            return false;
        clock_pause(pause_ms);
        pause_ms = pause_ms < PAUSE_MS_MAX ? 2 * pause_ms : pause_ms;
    }
}

void
strays_kill_running(struct strays *s)
{
    pthread_mutex_lock(&s->lock);
    for (uint32_t i = 0; i < s->count; i++)
        if (s->jobs[i].leader)
            (void)kill(-s->jobs[i].leader, SIGKILL);
    pthread_mutex_unlock(&s->lock);
}

void
strays_reap(struct strays *s)
{
    if (s->children >= 0) {
        pthread_mutex_lock(&s->lock);
        (void)sweep(s, UINT32_MAX);
        pthread_mutex_unlock(&s->lock);
        return;
    }
    /* Without a list: the main thread's own children are none but orphans. */
    siginfo_t info = {0};
    while (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | __WNOTHREAD) == 0 && info.si_pid != 0)
        info.si_pid = 0;
}

static uint32_t
kill_children_of(const char *thread)
{
    pid_t pids[CHILDREN_MAX];
    struct process p;
    char path[64];
    uint32_t killed = 0;
    (void)snprintf(path, sizeof path, "/proc/self/task/%.16s/children", thread);
    int list = open(path, O_RDONLY | O_CLOEXEC);
    size_t count = children_read(list, pids);
    for (size_t i = 0; i < count; i++)
        if (process_look(pids[i], &p) && !p.dead) {
            process_kill(pids[i]);
            killed++;
        }
    if (list >= 0)
        close(list);
    return killed;
}

void
strays_end_all(struct strays *s)
{
    uint64_t end_ms = clock_ms() + END_MS;
    uint32_t killed = 1;
    strays_kill_running(s);
    while (s->children >= 0 && killed > 0 && clock_ms() < end_ms) {
        const struct dirent *entry;
        DIR *threads = opendir("/proc/self/task");
        killed = 0;
        while (threads && (entry = readdir(threads)))
            if (entry->d_name[0] != '.')
                killed += kill_children_of(entry->d_name);
        if (threads)
            (void)closedir(threads);
        clock_pause(1);
    }
}
