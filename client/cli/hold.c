/* The holder of a lease; the contract is in hold.h.
 *
 * The thread of stint_worker_run keeps the lease; the slot's thread, in the handler, waits for the
 * settle, the deadline, the process it is held for, or a cancel. When the handler has returned, the
 * library tells the outcome until the broker has it; the worker ends when settle has seen that, or
 * some time after.
 */
#include "hold.h"
#include "stint_worker.h"
#include "ticket.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <unistd.h>

enum { LINGER_MS = 60000, RECEIVE_S = 10 };

struct hold {
    const struct hold_options *options;
    struct stint_worker *worker;
    bool taken; /* a job was given to the command; on the slot's thread */
    int settler; /* who has settled it, and waits until that is stored; -1: nobody */
    uint64_t until_ms; /* the end of the lease */
};

static struct stint_worker *stopping; /* for the signal handler */

static void
on_terminate(int number)
{
    (void)number;
    stint_worker_stop(stopping);
}

static void
tell_wrong(int to, int exit_code, const char *text)
{
    const char word = HOLD_WRONG;
    if (ticket_send(to, &word, 1) && ticket_send(to, &exit_code, sizeof exit_code))
        (void)ticket_send(to, text, strlen(text));
}

static void
told(void *context, enum stint_worker_event event, uint32_t running, const char *detail)
{
    struct hold *h = context;
    const char word = HOLD_CONNECTED;
    (void)running;
    if (event == STINT_WORKER_CONNECTED && !h->taken)
        (void)ticket_send(h->options->to, &word, 1);
    else if (event == STINT_WORKER_REFUSED && !h->taken)
        tell_wrong(h->options->to, EX_NOPERM, detail);
}

/* Gives the job to the command. False if that did not print it: it may be gone. */
static bool
deliver(struct hold *h, const struct stint_task_info *job)
{
    const char word = HOLD_JOB;
    char answer = 0;
    struct hold_job to = {.id = job->id,
        .attempt = job->attempt,
        .max_attempts = job->max_attempts,
        .priority = job->priority,
        .deadline_ms = clock_wall_ms() + h->options->lease_ms,
        .payload_bytes = job->payload_bytes};
    (void)snprintf(to.queue, sizeof to.queue, "%s", job->queue);
    (void)snprintf(to.kind, sizeof to.kind, "%s", job->kind);
    return ticket_send(h->options->to, &word, 1) && ticket_send(h->options->to, &to, sizeof to) &&
        ticket_send(h->options->to, job->payload, job->payload_bytes) &&
        ticket_receive(h->options->to, &answer, 1) && answer == HOLD_KEPT;
}

static void
settle(struct stint_task *task, const struct ticket_request *r, const char *body)
{
    switch ((enum ticket_outcome)r->outcome) {
    case TICKET_SUCCEED:
        stint_task_succeed(task, body, r->bytes);
        break;
    case TICKET_FAIL:
        stint_task_fail(task, body);
        break;
    case TICKET_DIE:
        stint_task_fail_for_good(task, body);
        break;
    case TICKET_SNOOZE:
        stint_task_snooze(task, r->delay_ms);
        break;
    case TICKET_RETURN:
        stint_task_give_back(task);
        break;
    }
}

/* One who connects: true if it has settled the job. */
static bool
hear(struct hold *h, int listener, struct stint_task *task)
{
    struct ticket_request r;
    struct timeval bound = {.tv_sec = RECEIVE_S};
    char *body = NULL;
    int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    bool good = fd >= 0 && ticket_is_ours(fd) &&
        setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &bound, sizeof bound) == 0 &&
        ticket_receive(fd, &r, sizeof r) && r.bytes <= TICKET_BODY_MAX &&
        r.outcome <= TICKET_RETURN;
    if (good) {
        body = cli_allocate((size_t)r.bytes + 1);
        good = ticket_receive(fd, body, r.bytes);
    }
    if (good) {
        bound.tv_sec = 0; /* from now on it is waited for */
        (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &bound, sizeof bound);
        settle(task, &r, body);
        (void)ticket_send(fd, "g", 1);
        h->settler = fd;
    } else if (fd >= 0) {
        (void)close(fd);
    }
    free(body);
    return good;
}

/* Waits until the job is settled, one way or another. */
static void
keep(struct hold *h, int listener, struct stint_task *task)
{
    char why[128];
    long process = h->options->process;
    int watched = process ? (int)syscall(SYS_pidfd_open, process, 0) : -1;
    bool is_gone = process && watched < 0;
    for (bool over = false; !over;) {
        struct pollfd fds[] = {{.fd = listener, .events = POLLIN},
            {.fd = stint_task_cancel_fd(task), .events = POLLIN},
            {.fd = watched, .events = POLLIN}};
        uint64_t now_ms = clock_ms(), left_ms = h->until_ms > now_ms ? h->until_ms - now_ms : 0;
        if (!is_gone && poll(fds, 3, left_ms > 60000 ? 60000 : (int)left_ms) < 0)
            continue;
        over = true;
        (void)snprintf(why, sizeof why,
            "the process it was held for (%ld) ended before stint settle", process);
        if (!is_gone && fds[0].revents)
            over = hear(h, listener, task);
        else if (!is_gone && fds[1].revents)
            stint_task_fail(task,
                stint_task_timed_out(task) ? "its time to run was over before stint settle"
                                           : "it was cancelled before stint settle");
        else if (is_gone || fds[2].revents)
            stint_task_fail(task, why);
        else if (clock_ms() >= h->until_ms)
            stint_task_fail(task, "the lease that stint take holds ended before stint settle");
        else
            over = false;
    }
    if (watched >= 0)
        (void)close(watched);
}

/* The worker is to end when settle has seen that the outcome is stored. If it has gone without
 * that, the broker is away: it has a while to come back and be told. */
static void *
end_later(void *context)
{
    struct hold *h = context;
    char word;
    if (h->settler >= 0 && !ticket_receive(h->settler, &word, 1))
        (void)poll(NULL, 0, LINGER_MS);
    stint_worker_stop(h->worker);
    return NULL;
}

static void
end_soon(struct hold *h)
{
    pthread_t thread;
    if (pthread_create(&thread, NULL, end_later, h) == 0)
        (void)pthread_detach(thread);
    else
        stint_worker_stop(h->worker);
}

static void
run(struct stint_task *task, void *state)
{
    struct hold *h = state;
    const struct stint_task_info *job = stint_task_info(task);
    const struct ticket ticket = {job->id, job->attempt};
    char path[TICKET_PATH_BYTES], why[256];
    stint_worker_hold_off(h->worker, UINT32_MAX); /* one job, and no other */
    int listener = h->taken ? -1 : ticket_listen(&ticket, path, why, sizeof why);
    h->until_ms = clock_ms() + h->options->lease_ms;
    if (listener < 0) {
        if (!h->taken)
            tell_wrong(h->options->to, EX_CANTCREAT, why);
        stint_task_give_back(task);
        stint_worker_stop(h->worker);
        return;
    }
    h->taken = true;
    if (deliver(h, job))
        keep(h, listener, task);
    else
        stint_task_give_back(task);
    (void)unlink(path);
    (void)close(listener);
    end_soon(h);
}

static void *
same(void *context, uint32_t slot)
{
    (void)slot;
    return context;
}

static bool
handle(struct hold *h)
{
    const char *const all[] = {NULL};
    const char *const *kinds = h->options->kinds;
    struct stint_handler handler = {.run = run, .make = same, .context = h};
    bool good = true;
    for (size_t i = 0; good && (kinds ? kinds[i] != NULL : i == 0); i++) {
        handler.kind = kinds ? kinds[i] : all[0];
        enum stint_status status = stint_worker_handle(h->worker, &handler);
        good = status == STINT_OK || status == STINT_INVALID; /* it is named twice */
    }
    return good;
}

static enum stint_status
make(const struct cli *cli, struct hold *h)
{
    char name[STINT_LABEL_BYTES], host[65] = "";
    (void)gethostname(host, sizeof host - 1);
    (void)snprintf(name, sizeof name, "%s:take:%ld", host, (long)getpid());
    struct stint_worker_options o = {.endpoint = cli->endpoint,
        .key = cli->key,
        .broker_key = cli->broker_key,
        .name = name,
        .slots = 1,
        .slots_max = 1,
        .prefetch = STINT_NO_PREFETCH,
        .drain_ms = 1,
        .queues = h->options->queues,
        .told = told,
        .told_context = h,
        /* The command tells it to stop before; this is for one that is gone. */
        .exit_idle_ms = cli->timeout_ms + h->options->wait_ms};
    while (o.queues && o.queues[o.queues_count])
        o.queues_count++;
    enum stint_status status = stint_worker_new(&o, &h->worker);
    if (status == STINT_OK && !handle(h))
        status = STINT_BAD_NAME;
    return status;
}

void
hold_run(const struct cli *cli, const struct hold_options *options)
{
    struct hold h = {.options = options, .settler = -1};
    struct sigaction terminate = {.sa_handler = on_terminate};
    enum stint_status status = make(cli, &h);
    if (status != STINT_OK) {
        const char *why = stint_worker_new_error();
        tell_wrong(options->to, cli_exit(status), *why ? why : stint_status_text(status));
        return;
    }
    stopping = h.worker;
    (void)sigaction(SIGTERM, &terminate, NULL);
    (void)signal(SIGHUP, SIG_IGN);
    status = stint_worker_run(h.worker);
    if (status != STINT_OK && !h.taken)
        tell_wrong(options->to, cli_exit(status), stint_worker_error(h.worker));
    terminate.sa_handler = SIG_IGN;
    (void)sigaction(SIGTERM, &terminate, NULL);
    if (h.settler >= 0)
        (void)close(h.settler);
}
