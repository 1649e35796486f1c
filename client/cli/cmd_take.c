/* stint take: one job for a shell script, with a lease that is held while the script works.
 * stint settle, in cmd_settle.c, says how it ended.
 */
#include "console.h"
#include "hold.h"
#include "out.h"
#include "ticket.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static char **queues, **kinds;
static char *wait_for, *lease, *process;

static struct poptOption options[] = {
    {"queue", 'q', POPT_ARG_ARGV, &queues, 0,
        "from this queue, or with mail.* from those that begin so (default); repeatable", "NAME"},
    {"kind", 'k', POPT_ARG_ARGV, &kinds, 0, "only of this kind; repeatable", "NAME"},
    {"wait", 0, POPT_ARG_STRING, &wait_for, 0, "wait so long for a job (10s)", "TIME"},
    {"lease", 0, POPT_ARG_STRING, &lease, 0,
        "hold it so long; then the run has failed, unless stint settle was called (60s)", "TIME"},
    {"while", 0, POPT_ARG_STRING, &process, 0,
        "the run has failed when this process ends before stint settle, such as $$", "PID"},
    POPT_TABLEEND};

/* The process that stays: nothing of the caller's is kept open, neither terminal nor pipe nor lock.
 */
_Noreturn static void
stay(const struct cli *cli, struct hold_options *o)
{
    enum { TO = 3 };
    int null = open("/dev/null", O_RDWR);
    if (null < 0 || dup2(o->to, TO) < 0 || setsid() < 0)
        _exit(EX_OSERR);
    for (int fd = 0; fd < TO; fd++)
        (void)dup2(null, fd);
    o->to = TO;
    if (close_range(TO + 1, UINT32_MAX, 0) != 0)
        _exit(EX_OSERR);
    hold_run(cli, o);
    _exit(EX_OK);
}

static pid_t
start(struct cli *cli, struct hold_options *o, int *from)
{
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) {
        cli_say(cli, "can't make a socket: %s", strerror(errno));
        return -1;
    }
    o->to = ends[1];
    *from = ends[0];
    pid_t child = fork();
    if (child == 0) {
        (void)close(ends[0]);
        stay(cli, o);
    }
    (void)close(ends[1]);
    if (child < 0)
        cli_say(cli, "can't start a process: %s", strerror(errno));
    return child;
}

static bool
print_object(const struct hold_job *job, const void *payload)
{
    const struct ticket ticket = {job->id, job->attempt};
    char text[TICKET_BYTES], id[STINT_ID_TEXT_BYTES];
    json_t *o = json_pack("{ss ss ss sI sI ss ss sI sI}", "schema", "stint.taken/1", "ticket",
        ticket_format(&ticket, text), "id", stint_id_format(&job->id, id), "attempt",
        (json_int_t)job->attempt, "max_attempts", (json_int_t)job->max_attempts, "queue",
        job->queue, "kind", job->kind, "priority", (json_int_t)job->priority, "payload_bytes",
        (json_int_t)job->payload_bytes);
    out_put_time(o, "lease_until", job->deadline_ms);
    out_put_body(o, "payload", payload, job->payload_bytes);
    return out_line(o);
}

/* The ticket is a line of its own, so that a script can read it, and cat the rest. */
static bool
print_job(const struct cli *cli, const struct hold_job *job, const void *payload)
{
    const struct ticket ticket = {job->id, job->attempt};
    char text[TICKET_BYTES];
    if (cli->json)
        return print_object(job, payload) && fflush(console_out()) == 0;
    fprintf(console_out(), "%s\n", ticket_format(&ticket, text));
    return out_bytes(payload, job->payload_bytes) && fflush(console_out()) == 0 &&
        !console_failed();
}

/* The job is the script's only when it has been printed. */
static int
take_job(struct cli *cli, int from)
{
    const char kept = HOLD_KEPT;
    struct hold_job job;
    if (!ticket_receive(from, &job, sizeof job) || job.payload_bytes > TICKET_BODY_MAX)
        return EX_SOFTWARE;
    char *payload = cli_allocate(job.payload_bytes + 1);
    bool good = ticket_receive(from, payload, job.payload_bytes) && print_job(cli, &job, payload);
    free(payload);
    if (!good)
        return EX_IOERR;
    return ticket_send(from, &kept, 1) ? EX_OK : EX_SOFTWARE;
}

static int
say_wrong(struct cli *cli, int from)
{
    char text[512];
    int code = EX_SOFTWARE;
    size_t used = 0;
    if (!ticket_receive(from, &code, sizeof code))
        return code;
    ssize_t n;
    while (used + 1 < sizeof text && (n = recv(from, text + used, sizeof text - 1 - used, 0)) > 0)
        used += (size_t)n;
    text[used] = '\0';
    cli_say(cli, "%s", text);
    return code;
}

static bool
is_readable(int fd, uint64_t until_ms)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};
    for (;;) {
        uint64_t now_ms = clock_ms(), left_ms = until_ms > now_ms ? until_ms - now_ms : 0;
        int n = poll(&p, 1, left_ms > 60000 ? 60000 : (int)left_ms);
        if (n > 0 || (n == 0 && clock_ms() >= until_ms))
            return n > 0;
    }
}

/* First the conversation with the broker, then the job; each has its time. */
static int
listen_to(struct cli *cli, int from, uint64_t wait_ms)
{
    bool connected = false;
    uint64_t until_ms = clock_ms() + cli->timeout_ms;
    for (;;) {
        char word;
        if (!is_readable(from, until_ms))
            break;
        if (!ticket_receive(from, &word, 1))
            break; /* it has waited long enough */
        if (word == HOLD_JOB)
            return take_job(cli, from);
        if (word == HOLD_WRONG)
            return say_wrong(cli, from);
        if (!connected)
            until_ms = clock_ms() + wait_ms;
        connected = true;
    }
    if (connected) {
        cli_say(cli, "no job came in this time; see stint queues");
        return EXIT_TIME_OVER;
    }
    cli_say(cli, "%s: %s; %s", cli->endpoint ? cli->endpoint : "the broker",
        stint_status_text(STINT_UNREACHABLE), stint_status_hint(STINT_UNREACHABLE));
    return EX_UNAVAILABLE;
}

static int
read_options(struct cli *cli, struct hold_options *o)
{
    uint64_t number = 0;
    if ((wait_for && !cli_duration(cli, "wait", wait_for, &o->wait_ms)) ||
        (lease && !cli_duration(cli, "lease", lease, &o->lease_ms)))
        return EX_USAGE;
    if (o->wait_ms == 0 || o->lease_ms == 0)
        return cli_usage(cli, "--%s: write at least 1ms", o->wait_ms ? "lease" : "wait");
    if (process && !cli_number(cli, "while", process, 1, INT32_MAX, &number))
        return EX_USAGE;
    o->process = (long)number;
    if (process && kill((pid_t)o->process, 0) != 0 && errno == ESRCH)
        return cli_usage(cli, "--while=%s: there is no such process", process);
    o->queues = (const char *const *)queues;
    o->kinds = (const char *const *)kinds;
    return EX_OK;
}

static int
run(struct cli *cli, const char **args)
{
    struct hold_options o = {.lease_ms = 60000, .wait_ms = 10000};
    int from = -1;
    (void)args;
    int rc = read_options(cli, &o);
    if (rc != EX_OK)
        return rc;
    pid_t child = start(cli, &o, &from);
    if (child < 0)
        return EX_OSERR;
    rc = listen_to(cli, from, o.wait_ms);
    (void)close(from);
    if (rc != EX_OK) { /* what it may have been given meanwhile goes back */
        (void)kill(child, SIGTERM);
        (void)waitpid(child, NULL, 0);
    }
    return rc;
}

const struct verb verb_take = {"take", "[OPTION...]",
    "take a job by hand, for a script; prints its ticket and its payload", options, run,
    VERB_TAKES_NOTHING};
