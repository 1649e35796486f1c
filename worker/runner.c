/* Programs as handlers; the contract is in runner.h. One thread a slot comes through here; it waits
 * for its program, its pipes and its cancellation in one poll.
 */
#include "runner.h"
#include "control.h"
#include "ending.h"
#include "log.h"
#include "now.h"
#include "processes.h"
#include "told.h"
#include "units.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
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
    READS_A_TURN = 4, /* a program that writes without end is not to keep us from our clock */
    READS_AT_END = 64, /* what pipes can hold, and more */
    HOLD_OFF_MS = 100, /* doubles */
    HOLD_OFF_MS_MAX = 10000,
    SPELL_MS = 60000, /* a time of failed starts is told so often */
};

/* How far the child came. */
enum stage { STAGE_SETUP, STAGE_SCRATCH, STAGE_IDENTITY, STAGE_DIRECTORY, STAGE_PROGRAM };

/* What a program has written to its standard output... */
struct output {
    char *bytes;
    size_t used, size;
    bool overflow; /* it wrote more than is kept */
};

/* ...and the end of its standard error. */
struct tail {
    char bytes[ERROR_TAIL];
    size_t used;
    bool cut; /* there was more before it */
};

/* How it ended, as waitid tells. */
struct end {
    int code, status;
};

/* A program that runs. */
struct run {
    struct runner *runner;
    const char *path; /* of the program */
    const struct command *command;
    struct stint_task *task;
    uint32_t slot;
    enum stage stage; /* of the start that failed */
    pid_t pid;
    int pidfd, in, out, err; /* our ends; -1: closed */
    struct control control;
    size_t written;
    struct output output;
    struct tail tail;
    struct end end;
    bool terminated, out_of_memory;
    uint64_t kill_at_ms; /* 0: not yet, or done */
    struct scratch_run scratch;
};

/* ---- start ---- */

/* To end with the worker. A change of the user has made the kernel forget it. */
static bool
tie_to(pid_t parent)
{
    errno = ECHILD; /* if our parent has gone meanwhile */
    return prctl(PR_SET_PDEATHSIG, SIGKILL) == 0 && getppid() == parent;
}

/* What the child does between vfork and exec; only calls that are safe there. Returns how far it
 * came, with errno set. */
static enum stage
become(const struct run *r, const int streams[3], char *const *argv, char **env, pid_t parent)
{
    const struct runner *runner = r->runner;
    const struct command *c = r->command;
    sigset_t none;
    atomic_store(&runner->guard->groups[r->slot], getpid());
    /* A session of its own: no terminal can stop it. */
    if (setsid() < 0 || !tie_to(parent))
        return STAGE_SETUP;
    for (int i = 0; i < 3; i++)
        if (dup2(streams[i], i) < 0)
            return STAGE_SETUP;
    for (const int *s = runner->ignored; *s; s++)
        (void)signal(*s, SIG_DFL);
    (void)close_range(3, ~0U, CLOSE_RANGE_CLOEXEC); /* also what others left open in us */
    if (r->control.theirs == CONTROL_FD ? fcntl(CONTROL_FD, F_SETFD, 0) != 0
                                        : dup2(r->control.theirs, CONTROL_FD) < 0)
        return STAGE_SETUP;
    (void)setrlimit(RLIMIT_NOFILE, &runner->files);
    if (!confine_apply(&runner->confine))
        return STAGE_SETUP;
    if (runner->identity->changes && (!identity_become(runner->identity) || !tie_to(parent)))
        return STAGE_IDENTITY;
    if (c->directory && chdir(c->directory) != 0 && c->directory_required)
        return STAGE_DIRECTORY;
    sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
    execve(argv == c->argv ? r->path : argv[0], argv, env);
    return STAGE_PROGRAM;
}

/* Do we go on only once a child has become another program or ended? Tools that watch us turn vfork
 * into fork. */
static bool
vfork_waits(void)
{
    volatile bool reached = false;
    pid_t pid = vfork(); /* NOLINT: to find out whether it shares our memory */
    if (pid == 0) {
        reached = true; /* NOLINT: as above */
        _exit(0);
    }
    if (pid > 0)
        (void)waitpid(pid, NULL, 0);
    return reached;
}

/* What the child is to know. */
struct birth {
    const struct run *run;
    const int *streams;
    char *const *argv;
    char **env;
    pid_t parent;
    int report; /* a pipe */
};

/* The child; returns its exit status if it could not become the program. Its stack may be none that
 * AddressSanitizer knows of. */
__attribute__((no_sanitize("address"))) static int
be_born(void *argument)
{
    const struct birth *b = argument;
    int report[2], to = b->report == CONTROL_FD ? dup(b->report) : b->report;
    report[1] = (int)become(b->run, b->streams, b->argv, b->env, b->parent);
    report[0] = errno;
    return write(to, report, sizeof report) > 0 ? 127 : 126;
}

/* In the slot's cgroup if there are any; else by vfork, because posix_spawn can't tie the child's
 * life to ours. What is bounded does not start outside. */
static pid_t
bear(struct run *r, struct birth *birth)
{
    struct cgroups *cgroups = &r->runner->guard->cgroups;
    pid_t pid = cgroups_start(cgroups, r->slot, be_born, birth);
    if (pid >= 0 || cgroups_bounded(cgroups))
        return pid;
    pid = vfork(); /* NOLINT: see above */
    if (pid == 0)
        _exit(be_born(birth)); /* NOLINT: safe calls only */
    return pid;
}

/* What went wrong comes through a pipe. It is not waited for where vfork waits: other slots'
 * children may hold its end open until they are programs of their own. */
static int
spawn(struct run *r, const int streams[3], char *const *argv, char **env)
{
    int failure[2] = {0, STAGE_SETUP}, ends[2];
    struct birth birth = {
        .run = r, .streams = streams, .argv = argv, .env = env, .parent = getpid()};
    r->stage = STAGE_SETUP;
    if (pipe2(ends, O_CLOEXEC | (r->runner->vfork_waits ? O_NONBLOCK : 0)) != 0)
        return errno;
    birth.report = ends[1];
    r->pid = bear(r, &birth);
    if (r->pid < 0)
        failure[0] = errno;
    close(ends[1]);
    while (r->pid > 0 && read(ends[0], failure, sizeof failure) < 0 && errno == EINTR)
        ;
    close(ends[0]);
    r->stage = (enum stage)failure[1];
    if (r->pid > 0 && failure[0]) {
        (void)waitpid(r->pid, NULL, 0);
        atomic_store(&r->runner->guard->groups[r->slot], 0);
    }
    return failure[0];
}

/* As execvp does with a script that does not say by what it is to be run. */
static int
spawn_by_shell(struct run *r, const int streams[3], char **env)
{
    size_t count = 0;
    while (r->command->argv[count])
        count++;
    char **argv = calloc(count + 2, sizeof *argv);
    if (!argv)
        return ENOMEM;
    argv[0] = (char *)(uintptr_t) "/bin/sh";
    argv[1] = (char *)(uintptr_t)r->path;
    for (size_t i = 1; i < count; i++)
        argv[i + 1] = r->command->argv[i];
    int error = spawn(r, streams, argv, env);
    free(argv);
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

/* A program may open it once more, as /dev/stdout, so it is to be its user's. */
static bool
open_pipe(const struct run *r, int *ours, int *theirs, bool we_read)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0)
        return false;
    *ours = ends[we_read ? 0 : 1];
    *theirs = ends[we_read ? 1 : 0];
    (void)fcntl(*ours, F_SETFL, O_NONBLOCK);
    return identity_give(r->runner->identity, *theirs);
}

static int
start_with(struct run *r, const int streams[3], char **env)
{
    const struct stint_task_info *job = stint_task_info(r->task);
    strays_expect(&r->runner->strays, r->slot, &job->id, job->attempt);
    int error = spawn(r, streams, r->command->argv, env);
    if (error == ENOEXEC)
        error = spawn_by_shell(r, streams, env);
    if (!error && (r->pidfd = pidfd_open(r->pid, 0)) < 0) {
        error = errno;
        r->stage = STAGE_SETUP;
        (void)kill(-r->pid, SIGKILL);
        (void)cgroups_end(&r->runner->guard->cgroups, r->slot, &r->out_of_memory);
        (void)waitpid(r->pid, NULL, 0);
        atomic_store(&r->runner->guard->groups[r->slot], 0);
    }
    if (error)
        strays_forget(&r->runner->strays, r->slot);
    else
        strays_begin(&r->runner->strays, r->slot, r->pid);
    return error;
}

static int
start(struct run *r, char **env)
{
    int streams[3] = {r->runner->null, -1, -1}, error = 0;
    if ((r->command->input_bytes > 0 && !open_pipe(r, &r->in, &streams[0], false)) ||
        !open_pipe(r, &r->out, &streams[1], true) || !open_pipe(r, &r->err, &streams[2], true) ||
        !open_pipe(r, &r->control.fd, &r->control.theirs, true))
        error = errno;
    if (!error) {
        write_input(r); /* what the pipe holds, so that short payloads need no waiting */
        error = start_with(r, streams, env);
    }
    if (streams[0] != r->runner->null)
        close_end(&streams[0]);
    close_end(&streams[1]);
    close_end(&streams[2]);
    close_end(&r->control.theirs);
    return error;
}

/* ---- run ---- */

/* What fits of an output that is too long is kept. */
static void
keep_output(struct run *r, const char *bytes, size_t count)
{
    size_t room = r->runner->result_bytes - r->output.used;
    if (count > room) {
        r->output.overflow = true;
        count = room;
    }
    if (count == 0)
        return;
    if (r->output.used + count > r->output.size) {
        r->output.size = 2 * (r->output.used + count);
        r->output.bytes = realloc(r->output.bytes, r->output.size);
        if (!r->output.bytes)
            abort();
    }
    memcpy(r->output.bytes + r->output.used, bytes, count);
    r->output.used += count;
}

static void
keep_tail(struct run *r, const char *bytes, size_t count)
{
    stint_task_wrote(r->task, bytes, count);
    r->tail.cut = r->tail.cut || r->tail.used + count > ERROR_TAIL;
    if (count > ERROR_TAIL) {
        bytes += count - ERROR_TAIL;
        count = ERROR_TAIL;
    }
    size_t old = r->tail.used < ERROR_TAIL - count ? r->tail.used : ERROR_TAIL - count;
    memmove(r->tail.bytes, r->tail.bytes + r->tail.used - old, old);
    memcpy(r->tail.bytes + old, bytes, count);
    r->tail.used = old + count;
}

static void
read_end(struct run *r, int *fd, void (*keep)(struct run *r, const char *bytes, size_t count),
    unsigned reads)
{
    char bytes[READ_BYTES];
    for (; *fd >= 0 && reads > 0; reads--) {
        ssize_t n = read(*fd, bytes, sizeof bytes);
        if (n > 0)
            keep(r, bytes, (size_t)n);
        else if (n == 0 || (errno != EAGAIN && errno != EINTR))
            close_end(fd);
        else if (errno == EAGAIN)
            return;
    }
}

/* How long a poll may wait: until the program is to be killed, or to be heard again. */
static int
wait_ms(const struct run *r)
{
    uint64_t ms = control_deaf_ms(&r->control), now_ms = clock_ms();
    if (r->kill_at_ms && (ms == 0 || r->kill_at_ms < now_ms + ms))
        return r->kill_at_ms > now_ms ? (int)(r->kill_at_ms - now_ms) : 0;
    return ms ? (int)ms : -1;
}

/* A stopped program can't hear SIGTERM, so it is woken too. */
static void
terminate(struct run *r)
{
    (void)kill(-r->pid, SIGTERM);
    (void)kill(-r->pid, SIGCONT);
    r->terminated = true;
    r->kill_at_ms = clock_ms() + TERM_GRACE_MS;
}

/* Waits until the program has ended; its pipes are read meanwhile. */
static void
attend(struct run *r)
{
    enum { OUT, ERR, IN, PID, CANCEL, CONTROL, FDS };
    struct pollfd p[FDS];
    bool ended = false;
    while (!ended) {
        p[OUT] = (struct pollfd){.fd = r->out, .events = POLLIN};
        p[ERR] = (struct pollfd){.fd = r->err, .events = POLLIN};
        p[IN] = (struct pollfd){.fd = r->in, .events = POLLOUT};
        p[PID] = (struct pollfd){.fd = r->pidfd, .events = POLLIN};
        p[CANCEL] = (struct pollfd){
            .fd = r->terminated ? -1 : stint_task_cancel_fd(r->task), .events = POLLIN};
        p[CONTROL] = (struct pollfd){
            .fd = control_deaf_ms(&r->control) ? -1 : r->control.fd, .events = POLLIN};
        int n = poll(p, FDS, wait_ms(r));
        if (r->kill_at_ms && clock_ms() >= r->kill_at_ms) {
            (void)kill(-r->pid, SIGKILL);
            r->kill_at_ms = 0;
        }
        if (n <= 0)
            continue;
        if (p[OUT].revents)
            read_end(r, &r->out, keep_output, READS_A_TURN);
        if (p[ERR].revents)
            read_end(r, &r->err, keep_tail, READS_A_TURN);
        if (p[IN].revents)
            write_input(r);
        if (p[CONTROL].revents)
            control_hear(&r->control, r->task);
        if (p[CANCEL].revents || (r->output.overflow && !r->terminated))
            terminate(r);
        ended = p[PID].revents != 0;
    }
}

/* The program is a zombie still, so its number can't be anybody else's: end what it left behind. */
static void
reap(struct run *r)
{
    siginfo_t info = {0};
    bool dead = cgroups_end(&r->runner->guard->cgroups, r->slot, &r->out_of_memory);
    if (!strays_end(&r->runner->strays, r->slot) || !dead)
        log_event(LOG_LEVEL_WARN, "a process that a job left behind does not die",
            LOG_FIELDS(LOG_TEXT("program", r->command->argv[0])));
    read_end(r, &r->out, keep_output, READS_AT_END);
    read_end(r, &r->err, keep_tail, READS_AT_END);
    control_end(&r->control, r->task);
    atomic_store(&r->runner->guard->groups[r->slot], 0);
    strays_wait(&r->runner->strays, r->slot, r->pidfd, &info);
    r->end.code = info.si_code;
    r->end.status = info.si_status;
}

/* ---- tell ---- */

/* The tail as text: begins with a whole character, no empty lines at the end, no NUL. */
static const char *
tidy_tail(struct run *r, size_t *bytes)
{
    size_t from = 0;
    while (r->tail.used > 0 && r->tail.bytes[r->tail.used - 1] == '\n')
        r->tail.used--;
    while (r->tail.cut && from < 3 && from < r->tail.used && (r->tail.bytes[from] & 0xc0) == 0x80)
        from++;
    for (size_t i = from; i < r->tail.used; i++)
        if (r->tail.bytes[i] == '\0')
            r->tail.bytes[i] = '?';
    *bytes = r->tail.used - from;
    return r->tail.bytes + from;
}

static void
tell_failure(struct run *r, const char *what, bool for_good)
{
    char why[ERROR_TAIL + CONTROL_WHY_BYTES];
    size_t bytes;
    const char *tail = tidy_tail(r, &bytes);
    (void)snprintf(why, sizeof why, "%s%s%.*s", what, bytes ? "\n" : "", (int)bytes, tail);
    stint_task_keep_output(r->task, r->output.bytes, r->output.used);
    if (for_good)
        stint_task_fail_for_good(r->task, why);
    else
        stint_task_fail(r->task, why);
}

static void
tell(struct run *r)
{
    char what[128], size[UNITS_TEXT_BYTES];
    size_t bytes;
    uint64_t memory_bytes = r->runner->guard->cgroups.bounds.memory_bytes;
    bool once = r->command->once;
    if (stint_task_timed_out(r->task)) {
        ending_write(ENDING_TIME_OVER, 0, what, sizeof what);
        tell_failure(r, what, once);
    } else if (stint_task_cancelled(r->task))
        stint_task_snooze(r->task, 0); /* the worker ends: another one runs it */
    else if (r->output.overflow) {
        (void)snprintf(what, sizeof what, "the output is over %zu bytes", r->runner->result_bytes);
        tell_failure(r, what, true);
    } else if (r->end.code == CLD_EXITED && r->end.status == 0 && r->control.refused[0]) {
        tell_failure(r, r->control.refused, once);
    } else if (r->end.code == CLD_EXITED && r->end.status == 0) {
        const char *tail = tidy_tail(r, &bytes);
        stint_task_keep_errors(r->task, tail, bytes);
        stint_task_succeed(r->task, r->output.bytes, r->output.used);
    } else if (r->end.code == CLD_EXITED) {
        ending_write(ENDING_EXIT, r->end.status, what, sizeof what);
        tell_failure(
            r, what, r->end.status == EX_DATAERR || (once && r->end.status != EX_TEMPFAIL));
    } else {
        ending_write(ENDING_SIGNAL, r->end.status, what, sizeof what);
        if (r->out_of_memory)
            (void)snprintf(what + strlen(what), sizeof what - strlen(what),
                ": out of memory, it may take %s", units_write_size(memory_bytes, size));
        tell_failure(r, what, once);
    }
}

/* ---- programs that can't be started ---- */

/* Takes no new jobs for a while, longer each time. One that fails while it is so tells nothing new.
 */
static void
hold_off(struct runner *runner, const char *why)
{
    uint64_t now_ms = clock_ms();
    pthread_mutex_lock(&runner->lock);
    if (now_ms >= runner->until_ms) {
        runner->delay_ms = atomic_load(&runner->short_of) ? 2 * runner->delay_ms : HOLD_OFF_MS;
        if (runner->delay_ms > HOLD_OFF_MS_MAX)
            runner->delay_ms = HOLD_OFF_MS_MAX;
        runner->until_ms = now_ms + runner->delay_ms;
        atomic_store(&runner->short_of, true);
        if (!runner->told || now_ms - runner->told_ms >= SPELL_MS) {
            runner->told = true;
            runner->told_ms = now_ms;
            log_event(LOG_LEVEL_WARN, "can't start programs; gives jobs back and takes no new ones",
                LOG_FIELDS(LOG_TEXT("why", why), LOG_NUMBER("for_ms", runner->delay_ms)));
        }
    }
    stint_worker_hold_off(runner->worker, (uint32_t)(runner->until_ms - now_ms) + 1);
    pthread_mutex_unlock(&runner->lock);
}

static void
started(struct runner *runner)
{
    if (!atomic_load(&runner->short_of))
        return;
    pthread_mutex_lock(&runner->lock);
    if (clock_ms() >= runner->until_ms)
        atomic_store(&runner->short_of, false);
    pthread_mutex_unlock(&runner->lock);
}

static bool
is_shortage(const struct run *r, int error)
{
    return r->stage < STAGE_DIRECTORY || error == EAGAIN || error == EMFILE || error == ENFILE ||
        error == ENOMEM || error == ETXTBSY;
}

/* execve says ENOENT of a script also if it is there. */
static bool
lacks_interpreter(const struct run *r, int error)
{
    return error == ENOENT && r->stage == STAGE_PROGRAM && r->path && *r->path == '/' &&
        access(r->path, X_OK) == 0;
}

/* What the worker owes each program is told as that. */
static void
write_debt(const struct run *r, int error, char *why, size_t bytes)
{
    const struct runner *runner = r->runner;
    if (r->stage == STAGE_IDENTITY)
        (void)snprintf(why, bytes, "can't become %s: %s", runner->identity->name, strerror(error));
    else if (r->stage == STAGE_SCRATCH)
        (void)snprintf(why, bytes, "can't make a directory in %s: %s", runner->guard->scratch.path,
            error == EBUSY ? "too many are being removed" : strerror(error));
    else if (!r->command->ours)
        (void)snprintf(why, bytes, "%s", strerror(error));
}

/* Where the machine is short of something or this worker's own program is gone, the job is not to
 * blame; where what the job names is missing here, another worker may have it. */
static void
tell_unstarted(struct run *r, int error)
{
    const struct command *c = r->command;
    bool entered = r->stage != STAGE_DIRECTORY;
    char why[512];
    ending_write_unstarted(entered ? ENDING_CANT_RUN : ENDING_CANT_ENTER, error,
        entered ? c->argv[0] : c->directory,
        lacks_interpreter(r, error) ? " (what its first line names)" : "", why, sizeof why);
    if (error == E2BIG)
        stint_task_fail_for_good(r->task, why);
    else if (is_shortage(r, error) || c->ours) {
        write_debt(r, error, why, sizeof why);
        hold_off(r->runner, why);
        stint_task_give_back(r->task);
    } else
        stint_task_unable(r->task, why);
}

/* Nothing is told any more, and soon the process ends. */
static void
stay_if_abandoned(const struct runner *runner)
{
    while (atomic_load(&runner->abandoned))
        (void)pause();
}

/* As the user that is to run it: what it may not even see is not there. */
static int
find_program(struct run *r, struct place *place)
{
    const struct runner *runner = r->runner;
    const struct command *c = r->command;
    bool looks = runner->identity->changes && !strchr(c->argv[0], '/');
    r->stage = STAGE_IDENTITY;
    if (looks && !identity_look(runner->identity))
        return errno;
    r->stage = STAGE_PROGRAM;
    r->path = place_find(
        place, c->argv[0], surroundings_path(&runner->surroundings), c->environment, c->directory);
    int error = r->path ? 0 : errno;
    if (looks)
        identity_look_as_self(runner->identity);
    return error;
}

static int
prepare_and_start(struct run *r)
{
    struct runner *runner = r->runner;
    r->stage = STAGE_SCRATCH;
    if (!scratch_make(&runner->guard->scratch, &r->scratch))
        return errno;
    r->stage = STAGE_SETUP;
    struct told told;
    bool whole = told_make(&told, r->task);
    char **env = environment_make(&runner->surroundings, stint_task_info(r->task),
        r->command->environment, r->scratch.path, told.all);
    int error = env && whole ? start(r, env) : ENOMEM;
    free(env);
    told_end(&told);
    return error;
}

void
runner_run(struct runner_slot *slot, const struct command *command, struct stint_task *task)
{
    struct runner *runner = slot->runner;
    struct run r = {.runner = runner,
        .command = command,
        .task = task,
        .slot = stint_task_info(task)->slot,
        .stage = STAGE_PROGRAM,
        .pidfd = -1,
        .in = -1,
        .out = -1,
        .err = -1,
        .control = {.fd = -1, .theirs = -1}};
    stay_if_abandoned(runner);
    int error = find_program(&r, &slot->place);
    if (!error)
        error = prepare_and_start(&r);
    if (!error) {
        started(runner);
        attend(&r);
        reap(&r);
        stay_if_abandoned(runner);
        tell(&r);
    } else
        tell_unstarted(&r, error);
    close_end(&r.pidfd);
    close_end(&r.in);
    close_end(&r.out);
    close_end(&r.err);
    close_end(&r.control.fd);
    control_forget(&r.control);
    free(r.output.bytes);
    scratch_end(&runner->guard->scratch, &r.scratch);
}

struct runner_slot *
runner_slot_new(struct runner *runner)
{
    struct runner_slot *slot = calloc(1, sizeof *slot);
    if (!slot)
        abort();
    slot->runner = runner;
    return slot;
}

void
runner_slot_destroy(struct runner_slot **slot)
{
    if (!*slot)
        return;
    place_forget(&(*slot)->place);
    free(*slot);
    *slot = NULL;
}

bool
runner_open(struct runner *r, uint32_t slots)
{
    size_t count = 0;
    struct sigaction action;
    r->null = open("/dev/null", O_RDONLY | O_CLOEXEC);
    r->vfork_waits = vfork_waits();
    if (r->null < 0 || pthread_mutex_init(&r->lock, NULL) != 0)
        return false;
    for (int s = 1; s < NSIG; s++)
        if (sigaction(s, NULL, &action) == 0 && action.sa_handler == SIG_IGN)
            r->ignored[count++] = s;
    return cgroups_prepare(&r->guard->cgroups, slots) && strays_open(&r->strays, slots);
}
