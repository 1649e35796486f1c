/* A broker and a worker of one's own; the contract is in local.h. */
#include "local.h"
#include "console.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

enum { LOG_TAIL = 2000, LOG_LINES = 5, LOCK_WAIT_MS = 60000 };

struct helper {
    const char *name;
    char path[4096], log[4096];
    off_t log_from; /* what it says now begins here */
    pid_t pid; /* 0: it does not run */
};

struct local {
    struct helper broker, worker;
    int lock;
    char *directory; /* its real path */
    const char *called; /* as it was given */
    char endpoint[300];
};

static bool
is_program(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && S_ISREG(st.st_mode) && access(path, X_OK) == 0;
}

bool
local_find_program(const char *name, const char *sibling, char path[4096])
{
    char self[4096] = "";
    ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
    char *slash = n > 0 ? strrchr(self, '/') : NULL;
    if (slash) {
        *slash = '\0';
        (void)snprintf(path, 4096, "%s/%s", self, name);
        if (is_program(path))
            return true;
        (void)snprintf(path, 4096, "%s/%s/%s", self, sibling, name);
        if (is_program(path))
            return true;
    }
    const char *at = getenv("PATH");
    for (at = at ? at : "/usr/local/bin:/usr/bin:/bin"; *at; at += strspn(at, ":")) {
        size_t size = strcspn(at, ":");
        (void)snprintf(path, 4096, "%.*s/%s", (int)size, at, name);
        if (is_program(path))
            return true;
        at += size;
    }
    return false;
}

/* Our own settings are not the helpers': they have been told all they need. */
static void
clear_environment(void)
{
    static const char *const names[] = {"STINT_ENDPOINT", "STINT_KEY", "STINT_BROKER_KEY",
        "STINT_QUEUE", "STINT_KIND", "STINT_JOB_ID", "STINT_ATTEMPT", "STINT_MAX_ATTEMPTS",
        "STINT_PRIORITY", "STINT_SLOT", "STINT_DEADLINE"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        (void)unsetenv(names[i]);
}

/* The child ends with us, however we end, and holds the lock as long as it runs. */
static bool
start(struct helper *h, const char *const *argv, int lock)
{
    struct stat st;
    pid_t parent = getpid();
    int fd = open(h->log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (fd < 0 || null < 0 || fstat(fd, &st) != 0)
        return false;
    h->log_from = st.st_size;
    h->pid = fork();
    if (h->pid == 0) {
        (void)prctl(PR_SET_PDEATHSIG, SIGTERM);
        (void)setpgid(0, 0); /* Ctrl-C at the terminal is for the command alone */
        if (getppid() != parent)
            _exit(EX_OSERR);
        (void)dup2(null, 0);
        (void)dup2(fd, 1);
        (void)dup2(fd, 2);
        (void)fcntl(lock, F_SETFD, 0);
        clear_environment();
        execv(argv[0], (char *const *)(uintptr_t)argv);
        dprintf(2, "can't run %s: %s\n", argv[0], strerror(errno));
        _exit(EX_UNAVAILABLE);
    }
    close(fd);
    close(null);
    return h->pid > 0;
}

static pid_t
owner(int lock)
{
    char text[32] = "";
    if (pread(lock, text, sizeof text - 1, 0) <= 0)
        return 0;
    pid_t pid = (pid_t)strtol(text, NULL, 10);
    return pid > 0 && kill(pid, 0) == 0 ? pid : 0;
}

int
local_lock(struct cli *cli, const char *directory, int *lock)
{
    char path[4200], text[32];
    uint64_t begun_ms = clock_ms();
    bool said = false;
    (void)snprintf(path, sizeof path, "%s/lock", directory);
    *lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (*lock < 0) {
        cli_say(cli, "can't use %s: %s", directory, strerror(errno));
        return EX_CANTCREAT;
    }
    while (flock(*lock, LOCK_EX | LOCK_NB) != 0) {
        bool busy = errno == EWOULDBLOCK;
        pid_t pid = owner(*lock);
        if (pid > 0 || clock_ms() - begun_ms > LOCK_WAIT_MS || !busy) {
            cli_say(cli,
                "%s is in use by another command (process %ld); wait for it, or choose "
                "another directory",
                directory, (long)pid);
            close(*lock);
            *lock = -1;
            return EX_TEMPFAIL;
        }
        if (!said && clock_ms() - begun_ms > 1000) {
            cli_say(cli, "what the last command started in %s is still ending; waiting for it",
                directory);
            said = true;
        }
        (void)poll(NULL, 0, 50);
    }
    (void)snprintf(text, sizeof text, "%ld\n", (long)getpid());
    if (ftruncate(*lock, 0) != 0 || pwrite(*lock, text, strlen(text), 0) < 0)
        cli_say(cli, "can't write to %s: %s", path, strerror(errno));
    return EX_OK;
}

/* The directory's real path, made if it is not there; NULL after saying what is wrong. */
static char *
open_directory(struct cli *cli, const char *directory)
{
    struct stat st;
    if (mkdir(directory, 0700) != 0 && errno != EEXIST) {
        cli_say(cli, "can't make %s: %s", directory, strerror(errno));
        return NULL;
    }
    char *real = realpath(directory, NULL);
    if (!real || stat(real, &st) != 0 || !S_ISDIR(st.st_mode)) {
        cli_say(cli, "--local %s: %s", directory, real ? "it is no directory" : strerror(errno));
        free(real);
        return NULL;
    }
    if (strlen(real) + sizeof "/socket" > sizeof((struct sockaddr_un *)0)->sun_path) {
        cli_say(
            cli, "--local %s: the path is too long for a socket (at most 100 bytes)", directory);
        free(real);
        return NULL;
    }
    for (const char *c = real; *c; c++)
        if ((unsigned char)*c < ' ' || *c == 127) {
            cli_say(cli, "--local %s: a socket's path can have no control characters", directory);
            free(real);
            return NULL;
        }
    return real;
}

int
local_start(struct cli *cli, struct local *local)
{
    const char *real = local->directory;
    char data[4096];
    struct helper *b = &local->broker, *w = &local->worker;
    b->name = "stintd";
    w->name = "stint-worker";
    struct helper *missing = !local_find_program(b->name, "../../broker", b->path) ? b
        : !local_find_program(w->name, "../../worker", w->path)                    ? w
                                                                                   : NULL;
    if (missing) {
        cli_say(cli, "can't find %s, neither beside stint nor on the PATH", missing->name);
        return EX_UNAVAILABLE;
    }
    (void)snprintf(local->endpoint, sizeof local->endpoint, "ipc://%s/socket", real);
    (void)snprintf(data, sizeof data, "%s/data", real);
    (void)snprintf(b->log, sizeof b->log, "%s/stintd.log", real);
    (void)snprintf(w->log, sizeof w->log, "%s/stint-worker.log", real);
    const char *const argv[] = {
        b->path, "--listen", local->endpoint, "--data", data, "--grace", "1s", NULL};
    if (!start(b, argv, local->lock)) {
        cli_say(cli, "can't start a broker in %s: %s", real, strerror(errno));
        return EX_OSERR;
    }
    cli->endpoint = local->endpoint;
    cli->key = cli->broker_key = ""; /* whatever the environment says: it is plain */
    return EX_OK;
}

int
local_open(struct cli *cli, const char *directory, struct local **local)
{
    struct local *l = cli_allocate(sizeof *l);
    l->lock = -1;
    *local = l;
    l->called = directory;
    l->directory = open_directory(cli, directory);
    int rc = l->directory ? EX_OK : EX_CANTCREAT;
    if (rc == EX_OK)
        rc = local_lock(cli, l->directory, &l->lock);
    if (rc != EX_OK)
        local_stop(local);
    return rc;
}

struct left {
    local_ours_fn *ours;
    void *context;
    struct stint_id *ids;
    size_t count, room;
};

static bool
note_left(void *context, const struct stint_job_info *info)
{
    struct left *left = context;
    if (left->ours && left->ours(left->context, &info->id))
        return true;
    if (left->count == left->room) {
        left->room = left->room ? 2 * left->room : 64;
        left->ids = realloc(left->ids, left->room * sizeof *left->ids);
        if (!left->ids)
            abort();
    }
    left->ids[left->count++] = info->id;
    return true;
}

/* Those that somebody has settled meanwhile, such as the one that they were after, are no trouble.
 */
static enum stint_status
cancel_left(struct cli *cli, const struct left *left, uint64_t *cancelled)
{
    enum { AT_ONCE = 2048 };
    enum stint_status statuses[AT_ONCE];
    for (size_t i = 0; i < left->count; i += AT_ONCE) {
        size_t n = left->count - i < AT_ONCE ? left->count - i : AT_ONCE;
        enum stint_status status =
            stint_cancel(cli->client, left->ids + i, n, statuses, cli->timeout_ms);
        if (status != STINT_OK && status != STINT_WRONG_STATE && status != STINT_NO_SUCH_JOB)
            return status;
        for (size_t k = 0; k < n; k++)
            *cancelled += statuses[k] == STINT_OK;
    }
    return STINT_OK;
}

/* What waits there, or was running when its command was killed, would run as soon as there is a
 * worker. */
static int
clear(struct cli *cli, struct local *local, local_ours_fn *ours, void *context)
{
    struct stint_filter unsettled = {.states = 0};
    struct left left = {.ours = ours, .context = context};
    enum stint_status status;
    uint64_t cancelled = 0;
    for (unsigned s = 1; s < STINT_STATES; s++)
        if (!stint_state_settled((enum stint_state)s))
            unsettled.states |= STINT_STATE_BIT(s);
    do { /* a page may miss what moves */
        left.count = 0;
        status = stint_list(cli->client, &unsettled, note_left, &left, cli->timeout_ms);
        if (status == STINT_OK)
            status = cancel_left(cli, &left, &cancelled);
    } while (status == STINT_OK && left.count > 0);
    free(left.ids);
    if (cancelled > 0)
        cli_say(cli,
            "%llu jobs that another command has left in %s are cancelled, and not run (a map that "
            "goes on there runs its lines then)",
            (unsigned long long)cancelled, local->called);
    return status == STINT_OK ? EX_OK : cli_failed(cli, status);
}

int
local_work(struct cli *cli, struct local *local, const char *queue, unsigned slots,
    local_ours_fn *ours, void *context)
{
    struct helper *w = &local->worker;
    char count[16];
    struct stint_filter one = {.queue = queue, .limit = 1};
    struct left none = {0};
    /* The worker would say of a name that is none what is not meant for people. */
    enum stint_status status = stint_list(cli->client, &one, note_left, &none, cli->timeout_ms);
    free(none.ids);
    if (status == STINT_BAD_NAME) {
        cli_say(
            cli, "--queue=%s: %s; %s", queue, stint_status_text(status), stint_status_hint(status));
        return cli_exit(status);
    }
    if (status != STINT_OK && status != STINT_NO_SUCH_QUEUE)
        return cli_failed(cli, status);
    int rc = clear(cli, local, ours, context);
    if (rc != EX_OK)
        return rc;
    (void)snprintf(count, sizeof count, "%u", slots);
    const char *const argv[] = {w->path, "--endpoint", local->endpoint, "--queue",
        queue ? queue : STINT_DEFAULT_NAME, "--exec", "--drain", "1ms", slots ? "--slots" : NULL,
        count, NULL};
    if (start(w, argv, local->lock))
        return EX_OK;
    cli_say(cli, "can't start a worker in %s: %s", local->directory, strerror(errno));
    return EX_OSERR;
}

/* The last lines of what it said since it was started. */
static void
say_log(struct cli *cli, const struct helper *h)
{
    char bytes[LOG_TAIL + 1];
    int fd = open(h->log, O_RDONLY | O_CLOEXEC);
    struct stat st;
    if (fd < 0 || fstat(fd, &st) != 0)
        return;
    off_t from = st.st_size - LOG_TAIL > h->log_from ? st.st_size - LOG_TAIL : h->log_from;
    ssize_t n = pread(fd, bytes, LOG_TAIL, from);
    close(fd);
    bytes[n > 0 ? n : 0] = '\0';
    char *line = bytes + strlen(bytes);
    for (int lines = 0; line > bytes && lines <= LOG_LINES; line--)
        lines += line[-1] == '\n' && line[0];
    line += line > bytes || (line[0] == '\n');
    line += *line == '\n';
    for (char *rest = line; rest && *rest;) {
        const char *one = strsep(&rest, "\n");
        if (*one)
            cli_say(cli, "%s: %s", h->name, one);
    }
}

static bool
ended(struct cli *cli, struct helper *h)
{
    int status;
    if (h->pid <= 0 || waitpid(h->pid, &status, WNOHANG) != h->pid)
        return false;
    h->pid = 0;
    if (WIFSIGNALED(status))
        cli_say(cli, "%s was killed by signal %d", h->name, WTERMSIG(status));
    else
        cli_say(cli, "%s ended with exit status %d; its last words (all in %s):", h->name,
            WEXITSTATUS(status), h->log);
    say_log(cli, h);
    return true;
}

int
local_check(struct cli *cli, struct local *local)
{
    if (!local)
        return EX_OK;
    bool broker = ended(cli, &local->broker);
    return broker || ended(cli, &local->worker) ? EX_UNAVAILABLE : EX_OK;
}

int
local_connect(struct cli *cli, struct local *local)
{
    uint64_t end_ms = clock_ms() + cli->timeout_ms;
    for (;;) {
        uint64_t now_ms = clock_ms();
        uint32_t slice_ms = !local || end_ms - now_ms < 100 ? (uint32_t)(end_ms - now_ms) : 100;
        enum stint_status status = stint_connect(cli->client, slice_ms);
        int rc = local_check(cli, local);
        if (rc != EX_OK)
            return rc;
        if (status == STINT_OK)
            return EX_OK;
        if (status != STINT_UNREACHABLE || clock_ms() >= end_ms)
            return cli_failed(cli, status);
    }
}

/* At the first signal a worker ends what it runs; if we are asked again, or it takes too long for a
 * person, it is killed, and its guard ends the programs. */
static void
stop(struct helper *h, uint64_t patience_ms)
{
    uint64_t end_ms = clock_ms() + patience_ms;
    if (h->pid > 0)
        (void)kill(h->pid, SIGTERM);
    while (h->pid > 0) {
        pid_t pid = waitpid(h->pid, NULL, WNOHANG);
        if (pid == h->pid || (pid < 0 && errno != EINTR))
            h->pid = 0;
        else if (clock_ms() >= end_ms)
            (void)kill(h->pid, SIGKILL);
        if (h->pid > 0)
            (void)poll(NULL, 0, 5);
    }
}

void
local_stop(struct local **local)
{
    enum { WORKER_MS = 8000, BROKER_MS = 10000 };
    struct local *l = *local;
    if (!l)
        return;
    stop(&l->worker, WORKER_MS);
    stop(&l->broker, BROKER_MS);
    if (l->lock >= 0)
        close(l->lock);
    free(l->directory);
    free(l);
    *local = NULL;
}
