/* Launching by ssh; the contract is in launch.h. What is done on a host is a script for its sh,
 * given on the standard input of `ssh HOST sh -s`, so that no shell reads a quote twice. It says
 * how it went in one line that begins with the MARK; what else a login prints is not looked at.
 */
#include "launch.h"
#include "console.h"
#include "words.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define MARK "stint-fleet: "
#define END_OF_FILE "end-of-file-of-stint-fleet"

enum {
    SAID_BYTES = 8192,
    KEY_BYTES_MAX = 16384,
    ONCE_MORE_MS = 200,
    ENDING_MS = 10, /* one that has closed its output is about to end */
    MORE_MS = 30000,
    KILL_MS = 2000
};

/* What all scripts begin with. Whoever holds the lock is the worker, or what is left of it. One
 * that was told to end is not told again, as the second time it would not wait for its jobs. */
static const char script_head[] =
    "set -u; umask 077\n"
    "d=${XDG_STATE_HOME:-$HOME/.local/state}/stint/fleet/$name\n"
    "say() { printf '" MARK "%s\\n' \"$*\"; }\n"
    "fail() { say failed 0 \"$*\"; exit 1; }\n"
    "runs() { [ -e \"$d/lock\" ] && ! flock -n \"$d/lock\" true; }\n"
    "pid() { p=$(cat \"$d/pid\" 2>/dev/null); [ \"${p:-0}\" -gt 1 ] 2>/dev/null && echo \"$p\" || "
    "echo 0; }\n"
    "last() { tail -n 1 \"$d/log\" 2>/dev/null; }\n"
    "term() { p=$(pid); [ \"$p\" = 0 ] || kill -TERM \"$p\"; }\n"
    "end() { [ -e \"$d/ending\" ] || term; : >\"$d/ending\"; [ -z \"$now\" ] || { sleep 0.2; term; "
    "}\n"
    "    flock -w \"$wait\" \"$d/lock\" true; }\n"
    "command -v flock >/dev/null || fail 'there is no flock there, of util-linux'\n";

/* One at a time: its lock is held by the script alone, and not by what it starts. */
static const char script_turn[] =
    "mkdir -p \"$d\" || fail \"can't make $d\"\n"
    "exec 9>\"$d/launch.lock\" || fail \"can't write in $d\"\n"
    "flock -w \"$wait\" 9 || fail 'another launch of it is under way'\n";

static const char script_status[] =
    "if runs; then say running \"$(pid)\" \"since $(date -r \"$d/pid\" '+%F %T')\"\n"
    "else say 'not-running' 0 \"$(last)\"; fi\n";

static const char script_down[] =
    "runs || { say not-running 0; exit 0; }\n"
    "was=$(pid)\n"
    "end 2>/dev/null || fail \"it still runs jobs, and ends when they do (process $was)\"\n"
    "rm -f \"$d/pid\" \"$d/ending\"; say stopped \"$was\"\n";

/* Its command line is put beside the one that runs: the same needs nothing, another one a restart,
 * and so does one that was told to end. Its process id is that of the shell that becomes the
 * worker, written by whoever has the lock. */
static const char script_up[] =
    "how=started\n"
    "if runs; then\n"
    "    if [ ! -e \"$d/ending\" ] && [ ! -e \"$d/differs\" ] && cmp -s \"$d/command.new\" "
    "\"$d/command\"; then\n"
    "        rm -f \"$d/command.new\"; say running \"$(pid)\"; exit 0; fi\n"
    "    how=restarted\n"
    "    end 2>/dev/null || fail 'it still runs jobs, and starts anew when they have ended: try "
    "again'\n"
    "fi\n"
    "command -v \"$program\" >/dev/null || fail \"there is no program $program\"\n"
    "mv -f \"$d/command.new\" \"$d/command\"\n"
    "[ ! -e \"$d/log\" ] || mv -f \"$d/log\" \"$d/log.1\"\n"
    ": >\"$d/log\"; rm -f \"$d/pid\" \"$d/ending\" \"$d/differs\"\n"
    "setsid flock -F -n \"$d/lock\" sh -c 'echo $$ >\"$1/pid\"; exec sh \"$1/command\"' sh \"$d\" "
    "</dev/null >>\"$d/log\" 2>&1 9>&- &\n"
    "begun=$!; turns=$((wait * 10))\n"
    "while ! grep -q 'event[\":=]*connected' \"$d/log\"; do\n"
    "    grep -q '^State:[[:space:]]*[^ZX]' \"/proc/$begun/status\" 2>/dev/null ||\n"
    "        fail \"it has ended: $(last)\"\n"
    "    [ $turns -gt 0 ] || fail \"it runs, and is not connected yet: $(last)\"\n"
    "    turns=$((turns - 1)); sleep 0.1\n"
    "done\n"
    "say $how \"$(pid)\"\n";

struct task {
    const struct host *host;
    pid_t pid; /* of ssh; 0: it does not run */
    int out; /* what it says; -1: it has closed that */
    bool late;
    uint64_t ends_ms; /* it is ended then, however far it came; later, killed */
    char said[SAID_BYTES]; /* the last of it, with a final NUL */
    size_t bytes;
};

struct launching {
    struct cli *cli;
    const struct launch_options *options;
    const char **ssh; /* its words */
    int ssh_count;
    struct task *tasks; /* one a host */
    size_t count, begun, running;
    launch_told *told;
    void *context;
    bool failed;
};

static void
tell(struct launching *l, const struct host *host, const char *state, long pid, const char *detail)
{
    const struct launch_report report = {
        .host = host, .state = state, .detail = detail, .pid = pid};
    l->failed |= strcmp(state, "failed") == 0;
    l->told(l->context, &report);
}

/* 'text' for a shell. */
static void
put_quoted(FILE *f, const char *text)
{
    (void)putc('\'', f);
    for (; *text; text++)
        if (*text == '\'')
            (void)fputs("'\\''", f);
        else
            (void)putc(*text, f);
    (void)putc('\'', f);
}

static void
put_variable(FILE *f, const char *name, const char *value)
{
    (void)fprintf(f, "%s=", name);
    put_quoted(f, value);
    (void)putc('\n', f);
}

/* The file as the host is to have it, in `path` below the worker's directory. */
static void
begin_file(FILE *f, const char *path)
{
    (void)fprintf(f, "cat >\"$d/%s\" <<'" END_OF_FILE "' || fail 'can not write there'\n", path);
}

static void
end_file(FILE *f)
{
    (void)fputs("\n" END_OF_FILE "\n", f);
}

/* A key is text. Returns why it is none, or NULL. */
static const char *
read_key(const char *path, bool secret_is_wrong, char text[KEY_BYTES_MAX])
{
    FILE *key = fopen(path, "re");
    if (!key)
        return strerror(errno);
    size_t n = fread(text, 1, KEY_BYTES_MAX - 1, key);
    const char *why = ferror(key) ? "it can't be read" : NULL;
    (void)fclose(key);
    text[n] = '\0';
    if (!why && secret_is_wrong && strstr(text, "secret-key"))
        why = "it holds a secret key; the broker's public one is broker.pub";
    if (!why &&
        (n == 0 || n == KEY_BYTES_MAX - 1 || strlen(text) != n || strstr(text, END_OF_FILE)))
        why = "it is no key";
    return why;
}

/* The host's copy of a key of ours, if there is one to be copied. False after saying why not. */
static bool
put_key(struct launching *l, FILE *f, const struct host *host, const char *path, const char *name)
{
    char text[KEY_BYTES_MAX] = "", detail[512];
    const char *why = path ? read_key(path, path == host->copy_broker_key, text) : NULL;
    if (why) {
        (void)snprintf(detail, sizeof detail, "%.300s: %s", path, why);
        tell(l, host, "failed", 0, detail);
    } else if (path) {
        begin_file(f, "key.new");
        (void)fputs(text, f);
        end_file(f);
        (void)fprintf(f,
            "if cmp -s \"$d/key.new\" \"$d/%s\"; then rm -f \"$d/key.new\"\n"
            "else mv -f \"$d/key.new\" \"$d/%s\"; : >\"$d/differs\"; fi\n",
            name, name);
    }
    explicit_bzero(text, sizeof text);
    return !why;
}

/* The line that becomes the worker. */
static void
put_command(FILE *f, const struct host *host)
{
    begin_file(f, "command.new");
    if (host->directory) {
        (void)fputs("cd ", f);
        put_quoted(f, host->directory);
        (void)fputs(" || exit\n", f);
    }
    (void)fputs("exec ", f);
    put_quoted(f, host->program ? host->program : "stint-worker");
    (void)fprintf(f, " '--name=%s'", host->name);
    for (size_t i = 0; i < host->options_count; i++) {
        (void)putc(' ', f);
        put_quoted(f, host->options[i]);
    }
    if (!host_has(host, "drain") && !host_has(host, "config"))
        (void)fputs(" --drain=24h", f); /* who is told to end, or to start anew, lets jobs finish */
    if (host->copy_key)
        (void)fputs(" \"--key=${0%/*}/key\"", f);
    if (host->copy_broker_key)
        (void)fputs(" \"--broker-key=${0%/*}/broker.pub\"", f);
    end_file(f);
}

/* The script for a host. */
static bool
put_script(struct launching *l, FILE *f, const struct host *host)
{
    uint64_t wait_s = (l->options->wait_ms + 999) / 1000;
    put_variable(f, "name", host->name);
    put_variable(f, "program", host->program ? host->program : "stint-worker");
    put_variable(f, "now", l->options->now ? "yes" : "");
    (void)fprintf(f, "wait=%llu\n%s", (unsigned long long)wait_s, script_head);
    if (l->options->verb == LAUNCH_STATUS) {
        (void)fputs(script_status, f);
        return true;
    }
    (void)fputs(script_turn, f);
    if (l->options->verb == LAUNCH_DOWN)
        (void)fputs(script_down, f);
    else {
        if (!put_key(l, f, host, host->copy_key, "key") ||
            !put_key(l, f, host, host->copy_broker_key, "broker.pub"))
            return false;
        put_command(f, host);
        (void)fputs(script_up, f);
    }
    return true;
}

/* A descriptor that the script is read from; -1: it was told why not. */
static int
write_script(struct launching *l, const struct host *host)
{
    int fd = memfd_create("script", MFD_CLOEXEC);
    int copy = fd >= 0 ? fcntl(fd, F_DUPFD_CLOEXEC, 0) : -1;
    FILE *f = copy >= 0 ? fdopen(copy, "w") : NULL;
    bool told = false, good = false;
    if (f) {
        good = put_script(l, f, host);
        told = !good;
        good &= fclose(f) == 0;
    }
    if (good && lseek(fd, 0, SEEK_SET) == 0)
        return fd;
    if (!told)
        tell(l, host, "failed", 0, strerror(errno));
    if (fd >= 0)
        close(fd);
    return -1;
}

/* Never asks on a terminal, and does not wait for ever for a host that is away. */
static void
run_ssh(const struct launching *l, const struct host *host, int script, int out)
{
    static const char *const usual[] = {"-o", "BatchMode=yes", "-o", "ConnectTimeout=10", "-o",
        "ServerAliveInterval=5", "-o", "ServerAliveCountMax=3", "-T", "--"};
    enum { USUAL = sizeof usual / sizeof *usual };
    const char **argv = calloc((size_t)l->ssh_count + USUAL + 4, sizeof *argv);
    int n = 0;
    if (!argv)
        _exit(EX_OSERR);
    for (int i = 0; i < l->ssh_count; i++)
        argv[n++] = l->ssh[i];
    for (int i = 0; i < USUAL; i++)
        argv[n++] = usual[i];
    argv[n++] = host->address;
    argv[n] = "sh -s";
    (void)dup2(script, 0);
    (void)dup2(out, 1);
    (void)dup2(out, 2);
    execvp(argv[0], (char *const *)(uintptr_t)argv);
    dprintf(2, "can't run %s: %s\n", argv[0], strerror(errno));
    _exit(EXIT_NOT_FOUND);
}

static void
begin(struct launching *l, struct task *t)
{
    int pipe_fds[2], script = write_script(l, t->host);
    if (script < 0)
        return;
    if (pipe2(pipe_fds, O_CLOEXEC) != 0) {
        tell(l, t->host, "failed", 0, strerror(errno));
        close(script);
        return;
    }
    t->pid = fork();
    if (t->pid == 0) {
        (void)setpgid(0, 0);
        run_ssh(l, t->host, script, pipe_fds[1]);
    }
    (void)setpgid(t->pid, t->pid); /* whichever of us comes first */
    if (t->pid < 0) {
        tell(l, t->host, "failed", 0, strerror(errno));
        t->pid = 0;
    }
    close(script);
    close(pipe_fds[1]);
    t->out = pipe_fds[0];
    t->ends_ms = clock_ms() + 2 * l->options->wait_ms + MORE_MS;
    if (t->pid == 0)
        close(t->out);
    else
        l->running++;
}

/* The last line of what was said. */
static const char *
last_line(char *said)
{
    size_t n = strlen(said);
    while (n > 0 && isspace((unsigned char)said[n - 1]))
        said[--n] = '\0';
    const char *line = strrchr(said, '\n');
    return line ? line + 1 : said;
}

/* "stint-fleet: STATE PID DETAIL", the last one of them. */
static char *
find_mark(char *said)
{
    char *found = NULL;
    for (char *at = said; (at = strstr(at, MARK)) != NULL; at += strlen(MARK))
        if (at == said || at[-1] == '\n')
            found = at + strlen(MARK);
    return found;
}

static void
report(struct launching *l, struct task *t, int status)
{
    static const char *const states[] = {
        "running", "started", "restarted", "stopped", "not-running", "failed"};
    char detail[SAID_BYTES + 64], *line = find_mark(t->said);
    size_t size = line ? strcspn(line, " \n") : 0;
    for (size_t i = 0; line && i < sizeof states / sizeof *states; i++)
        if (strlen(states[i]) == size && strncmp(line, states[i], size) == 0) {
            char *rest = line + size;
            rest[strcspn(rest, "\n")] = '\0';
            long pid = strtol(rest, &rest, 10);
            rest += strspn(rest, " ");
            tell(l, t->host, strcmp(states[i], "not-running") == 0 ? "not running" : states[i], pid,
                rest);
            return;
        }
    if (t->late) {
        tell(l, t->host, "failed", 0, cli_interrupted() ? "interrupted" : "no answer in time");
        return;
    }
    int code = WIFEXITED(status) ? WEXITSTATUS(status) : EXIT_SIGNAL + WTERMSIG(status);
    const char *last = last_line(t->said);
    (void)snprintf(
        detail, sizeof detail, "%s%s(%s ended with %d)", last, *last ? " " : "", l->ssh[0], code);
    tell(l, t->host, "failed", 0, detail);
}

/* One that has closed its output and lives on is given as long as any other. */
static void
reap(struct launching *l, struct task *t)
{
    int status = 0;
    if (waitpid(t->pid, &status, WNOHANG) == 0)
        return;
    t->pid = 0;
    l->running--;
    report(l, t, status);
}

/* True while there may be more. What is too long loses its beginning. */
static bool
hear(struct task *t)
{
    char bytes[4096];
    ssize_t n = read(t->out, bytes, sizeof bytes);
    if (n <= 0)
        return n < 0 && errno == EINTR;
    size_t size = (size_t)n, most = sizeof t->said - 1;
    if (t->bytes + size > most) {
        size_t drop = t->bytes + size - most;
        memmove(t->said, t->said + drop, t->bytes - drop);
        t->bytes -= drop;
    }
    for (size_t i = 0; i < size; i++) /* so that it is a text */
        t->said[t->bytes++] = bytes[i] ? bytes[i] : ' ';
    t->said[t->bytes] = '\0';
    return true;
}

static void
listen_once(struct launching *l)
{
    struct pollfd *fds = cli_allocate(l->count * sizeof *fds);
    int wait_ms = ONCE_MORE_MS;
    for (size_t i = 0; i < l->count; i++) {
        const struct task *t = &l->tasks[i];
        fds[i] = (struct pollfd){.fd = t->pid ? t->out : -1, .events = POLLIN};
        if (t->pid && t->out < 0)
            wait_ms = ENDING_MS;
    }
    if (poll(fds, l->count, wait_ms) > 0)
        for (size_t i = 0; i < l->count; i++)
            if (fds[i].revents && !hear(&l->tasks[i])) {
                close(l->tasks[i].out);
                l->tasks[i].out = -1;
            }
    for (size_t i = 0; i < l->count; i++)
        if (l->tasks[i].pid && l->tasks[i].out < 0)
            reap(l, &l->tasks[i]);
    free(fds);
}

/* A host that answers and then stands still holds up nobody else. */
static void
end_late(struct launching *l)
{
    uint64_t now_ms = clock_ms();
    for (size_t i = 0; i < l->count; i++) {
        struct task *t = &l->tasks[i];
        if (!t->pid || now_ms < t->ends_ms)
            continue;
        (void)kill(-t->pid, t->late ? SIGKILL : SIGTERM);
        t->late = true;
        t->ends_ms = now_ms + KILL_MS;
    }
}

static void
stop_all(struct launching *l)
{
    for (size_t i = 0; i < l->count; i++)
        l->tasks[i].ends_ms = 0;
    while (l->running > 0) {
        end_late(l);
        listen_once(l);
    }
    for (; l->begun < l->count; l->begun++)
        tell(l, l->tasks[l->begun].host, "failed", 0, "interrupted before its turn");
}

static void
run_all(struct launching *l)
{
    while ((l->begun < l->count || l->running > 0) && !cli_interrupted()) {
        while (l->begun < l->count && l->running < l->options->at_once)
            begin(l, &l->tasks[l->begun++]);
        listen_once(l);
        end_late(l);
    }
    if (cli_interrupted())
        stop_all(l);
}

int
launch(struct cli *cli, const struct hosts *hosts, const struct launch_options *options,
    launch_told *told, void *context)
{
    struct launching l = {
        .cli = cli, .options = options, .count = hosts->count, .told = told, .context = context};
    const char *ssh = options->ssh ? options->ssh : getenv("STINT_SSH");
    const char *why = words_cut(ssh && *ssh ? ssh : "ssh", &l.ssh_count, &l.ssh);
    if (why)
        return cli_usage(cli, "--ssh=%s: %s", ssh, why);
    l.tasks = cli_allocate(hosts->count * sizeof *l.tasks);
    for (size_t i = 0; i < hosts->count; i++)
        l.tasks[i].host = &hosts->all[i];
    cli_catch_interrupt();
    run_all(&l);
    int rc = cli_interrupted() ? EXIT_SIGNAL + cli_interrupted()
        : l.failed             ? EXIT_JOB_FAILED
                               : EX_OK;
    free(l.tasks);
    free(l.ssh);
    return rc;
}
