/* Programs as handlers; the contract is in runner.h. One thread a slot comes through here; it waits
 * for its program, its pipes and its cancellation in one poll.
 */
#include "runner.h"
#include "pack.h"

#include <errno.h>
#include <fcntl.h>
#include <msgpack.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

enum {
    ERROR_TAIL = 900, /* bytes of standard error kept */
    TERM_GRACE_MS = 5000, /* from SIGTERM to SIGKILL */
    READ_BYTES = 65536,
    VARIABLES = 8,
    VARIABLE_BYTES = 160,
};

/* A program that runs. */
struct run {
    const struct runner *runner;
    const char *path; /* of the program */
    const struct command *command;
    struct stint_task *task;
    pid_t pid;
    int pidfd, in, out, err; /* our ends; -1: closed */
    size_t written;
    char *output;
    size_t output_bytes, output_size;
    bool overflow;
    char tail[ERROR_TAIL];
    size_t tail_bytes;
    int status; /* as waitid tells: code and status below */
    int code;
    bool terminated;
};

struct environment {
    char text[VARIABLES][VARIABLE_BYTES];
    char **pointers;
};

static void
set_variable(struct environment *e, unsigned i, const char *name, const char *value)
{
    (void)snprintf(e->text[i], VARIABLE_BYTES, "%s=%s", name, value);
}

static bool
make_environment(struct environment *e, const struct stint_task_info *job)
{
    char id[STINT_ID_TEXT_BYTES], number[24];
    size_t count = 0, kept = 0;
    while (environ[count])
        count++;
    e->pointers = malloc((count + VARIABLES + 1) * sizeof *e->pointers);
    if (!e->pointers)
        return false;
    set_variable(e, 0, "STINT_JOB_ID", stint_id_format(&job->id, id));
    set_variable(e, 1, "STINT_QUEUE", job->queue);
    set_variable(e, 2, "STINT_KIND", job->kind);
    (void)snprintf(number, sizeof number, "%u", job->attempt);
    set_variable(e, 3, "STINT_ATTEMPT", number);
    (void)snprintf(number, sizeof number, "%u", job->max_attempts);
    set_variable(e, 4, "STINT_MAX_ATTEMPTS", number);
    (void)snprintf(number, sizeof number, "%u", job->priority);
    set_variable(e, 5, "STINT_PRIORITY", number);
    (void)snprintf(number, sizeof number, "%u", job->slot);
    set_variable(e, 6, "STINT_SLOT", number);
    (void)snprintf(number, sizeof number, "%llu", (unsigned long long)job->deadline_ms / 1000);
    set_variable(e, 7, "STINT_DEADLINE", job->deadline_ms ? number : "");
    for (unsigned i = 0; i < VARIABLES; i++)
        e->pointers[i] = e->text[i];
    for (size_t i = 0; i < count; i++) /* our own settings are not the program's */
        if (strncmp(environ[i], "STINT_", 6) != 0)
            e->pointers[VARIABLES + kept++] = environ[i];
    e->pointers[VARIABLES + kept] = NULL;
    return true;
}

/* What the child does between vfork and exec; only calls that are safe there. */
static int
become(struct run *r, int in, int out, int err, char **env, pid_t parent)
{
    sigset_t none;
    atomic_store(&r->runner->guard->groups[stint_task_info(r->task)->slot], getpid());
    if (setpgid(0, 0) != 0 || prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || getppid() != parent)
        return errno ? errno : ECHILD;
    if (dup2(in, 0) < 0 || dup2(out, 1) < 0 || dup2(err, 2) < 0)
        return errno;
    sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
    (void)signal(SIGPIPE, SIG_DFL);
    execve(r->path, r->command->argv, env);
    return errno;
}

/* vfork, because posix_spawn can't tie the child's life to ours; the child touches nothing but its
 * own descriptors and the guard's table until it is another program. */
static int
spawn(struct run *r, int in, int out, int err, char **env)
{
    volatile int error = 0;
    pid_t parent = getpid();
    r->pid = vfork(); /* NOLINT: see above; `error` is volatile */
    if (r->pid == 0) {
        error = become(r, in, out, err, env, parent); /* NOLINT: volatile */
        _exit(127);
    }
    if (r->pid < 0)
        return errno;
    if (error) {
        (void)waitpid(r->pid, NULL, 0);
        atomic_store(&r->runner->guard->groups[stint_task_info(r->task)->slot], 0);
    }
    return error;
}

static void
close_end(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

static void
write_input(struct run *r)
{
    while (r->in >= 0) {
        size_t left = r->command->input_bytes - r->written;
        ssize_t n = left ? write(r->in, (const char *)r->command->input + r->written, left) : 0;
        if (n > 0)
            r->written += (size_t)n;
        else if (n < 0 && errno == EAGAIN)
            return;
        if (left == 0 || (n < 0 && errno != EINTR))
            close_end(&r->in); /* all is written, or the program does not want it */
    }
}

static void
keep_output(struct run *r, const char *bytes, size_t count)
{
    if (r->output_bytes + count > r->runner->result_bytes) {
        r->overflow = true;
        return;
    }
    if (r->output_bytes + count > r->output_size) {
        r->output_size = 2 * (r->output_bytes + count);
        r->output = realloc(r->output, r->output_size);
        if (!r->output)
            abort();
    }
    memcpy(r->output + r->output_bytes, bytes, count);
    r->output_bytes += count;
}

static void
keep_tail(struct run *r, const char *bytes, size_t count)
{
    if (count > ERROR_TAIL) {
        bytes += count - ERROR_TAIL;
        count = ERROR_TAIL;
    }
    size_t old = r->tail_bytes < ERROR_TAIL - count ? r->tail_bytes : ERROR_TAIL - count;
    memmove(r->tail, r->tail + r->tail_bytes - old, old);
    memcpy(r->tail + old, bytes, count);
    r->tail_bytes = old + count;
}

static void
read_end(struct run *r, int *fd, void (*keep)(struct run *r, const char *bytes, size_t count))
{
    char bytes[READ_BYTES];
    while (*fd >= 0) {
        ssize_t n = read(*fd, bytes, sizeof bytes);
        if (n > 0)
            keep(r, bytes, (size_t)n);
        else if (n == 0 || (errno != EAGAIN && errno != EINTR))
            close_end(fd);
        else if (errno == EAGAIN)
            return;
    }
}

/* Waits until the program has ended; its pipes are read meanwhile. */
static void
attend(struct run *r)
{
    enum { OUT, ERR, IN, PID, CANCEL, FDS };
    struct pollfd p[FDS];
    bool ended = false;
    int timeout = -1;
    while (!ended) {
        p[OUT] = (struct pollfd){.fd = r->out, .events = POLLIN};
        p[ERR] = (struct pollfd){.fd = r->err, .events = POLLIN};
        p[IN] = (struct pollfd){.fd = r->in, .events = POLLOUT};
        p[PID] = (struct pollfd){.fd = r->pidfd, .events = POLLIN};
        p[CANCEL] = (struct pollfd){
            .fd = r->terminated ? -1 : stint_task_cancel_fd(r->task), .events = POLLIN};
        int n = poll(p, FDS, timeout);
        if (n == 0)
            (void)kill(-r->pid, SIGKILL);
        if (n <= 0)
            continue;
        if (p[OUT].revents)
            read_end(r, &r->out, keep_output);
        if (p[ERR].revents)
            read_end(r, &r->err, keep_tail);
        if (p[IN].revents)
            write_input(r);
        if (p[CANCEL].revents || (r->overflow && !r->terminated)) {
            (void)kill(-r->pid, SIGTERM);
            r->terminated = true;
            timeout = TERM_GRACE_MS;
        }
        ended = p[PID].revents != 0;
    }
}

/* The program is a zombie still, so its group can't be anybody else's: end what it left behind. */
static void
reap(struct run *r)
{
    siginfo_t info = {0};
    (void)kill(-r->pid, SIGKILL);
    read_end(r, &r->out, keep_output);
    read_end(r, &r->err, keep_tail);
    atomic_store(&r->runner->guard->groups[stint_task_info(r->task)->slot], 0);
    while (waitid(P_PIDFD, (id_t)r->pidfd, &info, WEXITED) != 0 && errno == EINTR)
        ;
    r->code = info.si_code;
    r->status = info.si_status;
}

static void
tell_failure(struct run *r, const char *what, bool for_good)
{
    char why[ERROR_TAIL + 128];
    while (r->tail_bytes > 0 && r->tail[r->tail_bytes - 1] == '\n')
        r->tail_bytes--;
    (void)snprintf(
        why, sizeof why, "%s%s%.*s", what, r->tail_bytes ? "\n" : "", (int)r->tail_bytes, r->tail);
    if (for_good)
        stint_task_fail_for_good(r->task, why);
    else
        stint_task_fail(r->task, why);
}

static void
tell(struct run *r)
{
    char what[64];
    bool once = r->command->once;
    if (stint_task_timed_out(r->task))
        tell_failure(r, "the time to run was over", once);
    else if (stint_task_cancelled(r->task))
        stint_task_snooze(r->task, 0); /* the worker ends: another one runs it */
    else if (r->overflow) {
        (void)snprintf(what, sizeof what, "the output is over %zu bytes", r->runner->result_bytes);
        tell_failure(r, what, true);
    } else if (r->code == CLD_EXITED && r->status == 0)
        stint_task_succeed(r->task, r->output, r->output_bytes);
    else if (r->code == CLD_EXITED) {
        (void)snprintf(what, sizeof what, "exit status %d", r->status);
        tell_failure(r, what, r->status == EX_DATAERR || (once && r->status != EX_TEMPFAIL));
    } else {
        (void)snprintf(
            what, sizeof what, "killed by signal %d (%s)", r->status, strsignal(r->status));
        tell_failure(r, what, once);
    }
}

static bool
open_pipe(int *ours, int *theirs, bool we_read)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0)
        return false;
    *ours = ends[we_read ? 0 : 1];
    *theirs = ends[we_read ? 1 : 0];
    (void)fcntl(*ours, F_SETFL, O_NONBLOCK);
    return true;
}

static int
start(struct run *r, char **env)
{
    int in = r->runner->null, out = -1, err = -1, error = 0;
    if ((r->command->input_bytes > 0 && !open_pipe(&r->in, &in, false)) ||
        !open_pipe(&r->out, &out, true) || !open_pipe(&r->err, &err, true))
        error = errno;
    if (!error) {
        write_input(r); /* what the pipe holds, so that short payloads need no waiting */
        error = spawn(r, in, out, err, env);
    }
    if (!error && (r->pidfd = pidfd_open(r->pid, 0)) < 0) {
        error = errno;
        (void)kill(-r->pid, SIGKILL);
        (void)waitpid(r->pid, NULL, 0);
    }
    if (in != r->runner->null)
        close_end(&in);
    close_end(&out);
    close_end(&err);
    return error;
}

struct runner_slot *
runner_slot_new(const struct runner *runner)
{
    struct runner_slot *slot = calloc(1, sizeof *slot);
    if (!slot)
        abort();
    slot->runner = runner;
    return slot;
}

static void
forget_path(struct runner_slot *slot)
{
    free(slot->name);
    free(slot->path);
    slot->name = slot->path = NULL;
}

void
runner_slot_destroy(struct runner_slot **slot)
{
    if (!*slot)
        return;
    forget_path(*slot);
    free(*slot);
    *slot = NULL;
}

/* The first executable file of that name on PATH; NULL if there is none. */
static char *
search_path(const char *name)
{
    const char *at = getenv("PATH");
    if (!at)
        at = "/usr/local/bin:/usr/bin:/bin";
    for (; *at; at += strspn(at, ":")) {
        size_t size = strcspn(at, ":");
        char *path = malloc(size + strlen(name) + 2);
        if (!path)
            abort();
        memcpy(path, at, size);
        path[size] = '/';
        strcpy(path + size + 1, name);
        if (access(path, X_OK) == 0)
            return path;
        free(path);
        at += size;
    }
    return NULL;
}

/* Where the program is, remembered from the last run; NULL if there is none. A remembered place
 * that has become empty is searched for anew. */
static const char *
find_program(struct runner_slot *slot, const char *name)
{
    if (strchr(name, '/'))
        return name;
    if (slot->name && strcmp(slot->name, name) == 0 && access(slot->path, X_OK) == 0)
        return slot->path;
    forget_path(slot);
    slot->path = search_path(name);
    slot->name = slot->path ? strdup(name) : NULL;
    return slot->path;
}

void
runner_run(struct runner_slot *slot, const struct command *command, struct stint_task *task)
{
    struct environment env;
    struct run r = {.runner = slot->runner,
        .path = find_program(slot, command->argv[0]),
        .command = command,
        .task = task,
        .pidfd = -1,
        .in = -1,
        .out = -1,
        .err = -1};
    int error = ENOENT;
    if (r.path) {
        error = make_environment(&env, stint_task_info(task)) ? start(&r, env.pointers) : ENOMEM;
        free(env.pointers);
    }
    if (error) {
        char why[512];
        (void)snprintf(why, sizeof why, "can't run %s: %s", command->argv[0], strerror(error));
        /* Where the program is missing or broken no attempt will help; where the system is short
         * of something, a later one may. */
        if (error == ENOENT || error == EACCES || error == ENOEXEC || command->once)
            stint_task_fail_for_good(task, why);
        else
            stint_task_fail(task, why);
    } else {
        attend(&r);
        reap(&r);
        tell(&r);
    }
    close_end(&r.pidfd);
    close_end(&r.in);
    close_end(&r.out);
    close_end(&r.err);
    free(r.output);
}

static char *
text_of(const msgpack_object *o)
{
    const char *data = o->via.str.ptr;
    size_t size = o->via.str.size;
    if (o->type == MSGPACK_OBJECT_BIN) {
        data = o->via.bin.ptr;
        size = o->via.bin.size;
    } else if (o->type != MSGPACK_OBJECT_STR)
        return NULL;
    if (memchr(data, '\0', size))
        return NULL;
    return strndup(data, size);
}

static void
free_arguments(char **argv)
{
    for (char **a = argv; a && *a; a++)
        free(*a);
    free(argv);
}

static char **
arguments_of(const msgpack_object *o)
{
    if (o->type != MSGPACK_OBJECT_ARRAY || o->via.array.size == 0)
        return NULL;
    char **argv = calloc((size_t)o->via.array.size + 1, sizeof *argv);
    for (uint32_t i = 0; argv && i < o->via.array.size; i++) {
        argv[i] = text_of(&o->via.array.ptr[i]);
        if (!argv[i]) {
            free_arguments(argv);
            return NULL;
        }
    }
    return argv;
}

static bool
is_key(const msgpack_object *o, const char *key)
{
    return o->type == MSGPACK_OBJECT_STR && o->via.str.size == strlen(key) &&
        memcmp(o->via.str.ptr, key, o->via.str.size) == 0;
}

/* Reads the map form; false if it holds what is not known. */
static bool
read_map(const msgpack_object *o, struct command *c, char ***argv)
{
    for (uint32_t i = 0; i < o->via.map.size; i++) {
        const msgpack_object *key = &o->via.map.ptr[i].key, *value = &o->via.map.ptr[i].val;
        if (is_key(key, "argv") && !*argv)
            *argv = arguments_of(value);
        else if (is_key(key, "stdin") && value->type == MSGPACK_OBJECT_BIN) {
            c->input = value->via.bin.ptr;
            c->input_bytes = value->via.bin.size;
        } else if (is_key(key, "once") && value->type == MSGPACK_OBJECT_BOOLEAN)
            c->once = value->via.boolean;
        else
            return false;
    }
    return true;
}

void
runner_run_exec(struct runner_slot *slot, struct stint_task *task)
{
    const struct stint_task_info *job = stint_task_info(task);
    struct command command = {0};
    msgpack_unpacked unpacked;
    char **argv = NULL;
    size_t offset = 0;
    /* msgpack-c believes declared counts and would allocate for them, so check them first. */
    bool good = pack_check(job->payload, job->payload_bytes);
    msgpack_unpacked_init(&unpacked);
    good = good &&
        msgpack_unpack_next(&unpacked, job->payload, job->payload_bytes, &offset) ==
            MSGPACK_UNPACK_SUCCESS;
    if (good && unpacked.data.type == MSGPACK_OBJECT_MAP)
        good = read_map(&unpacked.data, &command, &argv);
    else if (good)
        argv = arguments_of(&unpacked.data);
    if (good && argv) {
        command.argv = argv;
        runner_run(slot, &command, task);
    } else
        stint_task_fail_for_good(task,
            "the payload of kind exec is a msgpack array of strings, or a map of argv, stdin, "
            "once");
    free_arguments(argv);
    msgpack_unpacked_destroy(&unpacked);
}
