/* The user's command; the contract is in hook.h. */
#include "hook.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

enum { LOOK_MS = 20, LOOK_LONG_MS = 100, TERM_MS = 5000 };

struct hook {
    struct cli *cli;
    pid_t pid; /* of its group, too */
    bool reaped;
    int status;
};

/* A descriptor that the input is read from: a file, so that it does not matter whether anybody
 * reads it. -1: errno says why there is none. */
static int
open_input(const char *input)
{
    int fd = memfd_create("input", MFD_CLOEXEC);
    size_t size = strlen(input);
    while (fd >= 0 && size > 0) {
        ssize_t n = write(fd, input, size);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0) {
            close(fd);
            return -1;
        }
        input += n;
        size -= (size_t)n;
    }
    if (fd >= 0 && lseek(fd, 0, SEEK_SET) != 0) {
        close(fd);
        return -1;
    }
    return fd;
}

/* The child. What goes wrong is told by the pipe, which an exec closes. */
static void
become(const char **argv, int input, bool quiet, pid_t parent, int told)
{
    (void)setpgid(0, 0);
    (void)prctl(PR_SET_PDEATHSIG, SIGTERM);
    (void)signal(SIGPIPE, SIG_DFL);
    int error = 0;
    if (getppid() != parent)
        error = ESRCH;
    else if (dup2(input, STDIN_FILENO) < 0 || (quiet && dup2(STDERR_FILENO, STDOUT_FILENO) < 0))
        error = errno;
    if (error == 0) {
        (void)close_range(STDERR_FILENO + 1, ~0U, CLOSE_RANGE_CLOEXEC);
        execvp(argv[0], (char *const *)(uintptr_t)argv);
        error = errno;
    }
    (void)!write(told, &error, sizeof error);
    _exit(EXIT_NOT_FOUND);
}

/* Starts it. 0, or errno. */
static int
start(struct hook *h, const char **argv, const char *input, bool quiet)
{
    int fds[2], in = open_input(input), error = 0;
    pid_t parent = getpid();
    if (in < 0)
        return errno;
    if (pipe2(fds, O_CLOEXEC) != 0) {
        error = errno;
        close(in);
        return error;
    }
    h->pid = fork();
    if (h->pid == 0)
        become(argv, in, quiet, parent, fds[1]);
    if (h->pid < 0)
        error = errno;
    else
        (void)setpgid(h->pid, h->pid); /* whichever of us comes first */
    close(in);
    close(fds[1]);
    ssize_t n;
    do
        n = error ? 0 : read(fds[0], &error, sizeof error);
    while (n < 0 && errno == EINTR);
    close(fds[0]);
    if (error && h->pid > 0)
        while (waitpid(h->pid, NULL, 0) < 0 && errno == EINTR)
            continue;
    return error;
}

/* For a moment. The conversation with the broker goes on; should it have ended, the next question
 * says so. */
static void
pass(const struct hook *h, uint32_t ms)
{
    if (stint_client_process(h->cli->client, ms) != STINT_OK)
        (void)poll(NULL, 0, (int)ms);
}

static bool
has_ended(struct hook *h)
{
    if (!h->reaped)
        h->reaped = waitpid(h->pid, &h->status, WNOHANG) == h->pid;
    return h->reaped;
}

/* It is asked to end, and what it has started, too; after a while they are not asked. */
static void
end(struct hook *h)
{
    uint64_t patience_ms = clock_ms() + TERM_MS;
    (void)kill(-h->pid, SIGTERM);
    while ((!has_ended(h) || kill(-h->pid, 0) == 0) && clock_ms() < patience_ms)
        pass(h, LOOK_MS);
    (void)kill(-h->pid, SIGKILL);
    while (!h->reaped && waitpid(h->pid, &h->status, 0) < 0 && errno == EINTR)
        continue;
}

struct hook_end
hook_run(struct cli *cli, const char **argv, const char *input, bool quiet, uint64_t timeout_ms)
{
    struct hook h = {.cli = cli};
    uint64_t begun_ms = clock_ms();
    int error = start(&h, argv, input, quiet);
    if (error)
        return (struct hook_end){HOOK_CANT_RUN, error, clock_ms() - begun_ms};
    while (!has_ended(&h) && !cli_interrupted() && clock_ms() - begun_ms < timeout_ms)
        pass(&h, clock_ms() - begun_ms < LOOK_LONG_MS ? LOOK_MS : LOOK_LONG_MS);
    struct hook_end e = {HOOK_EXITED, 0, 0};
    if (!h.reaped) {
        e.how = cli_interrupted() ? HOOK_INTERRUPTED : HOOK_LATE;
        end(&h);
    } else {
        e.how = WIFSIGNALED(h.status) ? HOOK_KILLED : HOOK_EXITED;
        e.code = WIFSIGNALED(h.status) ? WTERMSIG(h.status) : WEXITSTATUS(h.status);
    }
    e.ms = clock_ms() - begun_ms;
    return e;
}

int
hook_exit(const struct hook_end *e)
{
    switch (e->how) {
    case HOOK_EXITED:
        return e->code;
    case HOOK_KILLED:
        return EXIT_SIGNAL + e->code;
    case HOOK_LATE:
        return EXIT_TIME_OVER;
    case HOOK_INTERRUPTED:
        return EXIT_SIGNAL + cli_interrupted();
    default:
        return e->code == ENOENT ? EXIT_NOT_FOUND : EXIT_CANNOT_RUN;
    }
}
