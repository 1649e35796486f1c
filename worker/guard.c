/* The guard process; what it is for is told in guard.h. */
#include "guard.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

/* The worker is gone when the pipe ends: nobody else holds its other side. */
static void
watch(const struct guard *g, int pipe)
{
    sigset_t all;
    char byte;
    sigfillset(&all);
    (void)sigprocmask(SIG_BLOCK, &all, NULL); /* Ctrl-C is for the worker */
    (void)prctl(PR_SET_NAME, "stint-guard");
    while (read(pipe, &byte, 1) < 0 && errno == EINTR)
        ;
    for (uint32_t i = 0; i < g->count; i++) {
        pid_t group = atomic_load(&g->groups[i]);
        if (group > 1)
            (void)kill(-group, SIGKILL);
    }
    _exit(0);
}

bool
guard_start(struct guard *g, uint32_t slots)
{
    int ends[2];
    void *memory = mmap(
        NULL, slots * sizeof *g->groups, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED || pipe2(ends, O_CLOEXEC) != 0)
        return false;
    g->groups = memory;
    g->count = slots;
    pid_t child = fork();
    if (child < 0)
        return false;
    if (child == 0) {
        /* Standard streams too: whoever reads the worker's output is not to wait for the guard. */
        (void)dup2(ends[0], 0);
        (void)close_range(1, ~0U, 0);
        watch(g, 0);
    }
    close(ends[0]);
    g->pipe = ends[1];
    return true;
}
