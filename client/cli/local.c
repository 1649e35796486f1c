/* A broker and a worker of one's own; the contract is in local.h. */
#include "local.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

/* The program beside this one, or else the one on the path. */
static void
program_path(const char *name, const char *sibling, char *path, size_t size)
{
    char self[4096];
    ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
    (void)snprintf(path, size, "%s", name);
    if (n <= 0)
        return;
    self[n] = '\0';
    char *slash = strrchr(self, '/');
    if (!slash)
        return;
    *slash = '\0';
    char candidate[4200];
    (void)snprintf(candidate, sizeof candidate, "%s/%s", self, name);
    if (access(candidate, X_OK) != 0)
        (void)snprintf(candidate, sizeof candidate, "%s/%s/%s", self, sibling, name);
    if (access(candidate, X_OK) == 0)
        (void)snprintf(path, size, "%s", candidate);
}

/* Children end with us, however we end. */
static pid_t
start(const char *const *argv, const char *log)
{
    pid_t parent = getpid(), child = fork();
    if (child != 0)
        return child;
    (void)prctl(PR_SET_PDEATHSIG, SIGTERM);
    (void)setpgid(0, 0); /* Ctrl-C at the terminal is for the command alone */
    int fd = open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (fd < 0 || null < 0 || getppid() != parent)
        _exit(EX_OSERR);
    (void)dup2(null, 0);
    (void)dup2(fd, 1);
    (void)dup2(fd, 2);
    execvp(argv[0], (char *const *)(uintptr_t)argv);
    _exit(EX_UNAVAILABLE);
}

int
local_start(struct cli *cli, const char *directory, unsigned slots, struct local *local)
{
    char data[4096], log[4096], broker[4096], worker[4096], count[16], *real;
    *local = (struct local){0};
    if (mkdir(directory, 0700) != 0 && errno != EEXIST) {
        cli_say(cli, "can't make %s: %s", directory, strerror(errno));
        return EX_CANTCREAT;
    }
    real = realpath(directory, NULL);
    if (!real || strlen(real) + sizeof "/socket" > sizeof((struct sockaddr_un *)0)->sun_path) {
        cli_say(
            cli, "--local %s: the path is too long for a socket (at most 100 bytes)", directory);
        free(real);
        return EX_USAGE;
    }
    (void)snprintf(local->endpoint, sizeof local->endpoint, "ipc://%s/socket", real);
    (void)snprintf(data, sizeof data, "%s/data", real);
    program_path("stintd", "../../broker", broker, sizeof broker);
    program_path("stint-worker", "../../worker", worker, sizeof worker);
    (void)snprintf(count, sizeof count, "%u", slots);
    const char *const broker_argv[] = {
        broker, "--listen", local->endpoint, "--data", data, "--grace", "1s", NULL};
    const char *const worker_argv[] = {
        worker, "--endpoint", local->endpoint, "--exec", slots ? "--slots" : NULL, count, NULL};
    (void)snprintf(log, sizeof log, "%s/stintd.log", real);
    local->broker = start(broker_argv, log);
    (void)snprintf(log, sizeof log, "%s/stint-worker.log", real);
    local->worker = start(worker_argv, log);
    free(real);
    if (local->broker < 0 || local->worker < 0) {
        cli_say(cli, "can't start a broker and a worker: %s", strerror(errno));
        local_stop(local);
        return EX_OSERR;
    }
    cli->endpoint = local->endpoint;
    return EX_OK;
}

static void
stop(pid_t *child)
{
    if (*child <= 0)
        return;
    (void)kill(*child, SIGTERM);
    while (waitpid(*child, NULL, 0) < 0 && errno == EINTR)
        ;
    *child = 0;
}

void
local_stop(struct local *local)
{
    stop(&local->worker);
    stop(&local->broker);
}
