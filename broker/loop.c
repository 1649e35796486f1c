/* The loop; the contract is in loop.h. Replies and dispatches leave only after the commit; while
 * the commit waits for the disk, frames pile up and make the next batch larger, so group commit
 * needs no timer.
 */
#include "loop.h"
#include "log.h"

#include <signal.h>
#include <sys/random.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

enum { EACH_SECOND_MS = 1000, LOG_RETRY_MS = 100 };

static uint64_t
clock_ms(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

uint64_t
loop_now_ms(void)
{
    return clock_ms(CLOCK_MONOTONIC);
}

int
loop_block_signals(void)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGHUP);
    if (sigprocmask(SIG_BLOCK, &set, NULL) != 0)
        return -1;
    return signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
}

/* The signal that is waiting, or 0. */
static int
next_signal(int fd)
{
    struct signalfd_siginfo info;
    return read(fd, &info, sizeof info) == sizeof info ? (int)info.ssi_signo : 0;
}

/* What the core has to say, for whoever runs it. */
static void
log_notes(struct core *core)
{
    const char *note = core_note(core);
    if (note)
        log_event(LOG_LEVEL_WARN, "note", LOG_FIELDS(LOG_TEXT("text", note)));
}

static enum stint_status
turn(struct core *core, struct router *router, struct outbox *out, const struct loop_hooks *hooks)
{
    struct batch batch = {0};
    router_drain(router, &batch);
    batch.now_ms = clock_ms(CLOCK_MONOTONIC);
    batch.wall_ms = clock_ms(CLOCK_REALTIME);
    if (getrandom(&batch.seed, sizeof batch.seed, GRND_NONBLOCK) < 0)
        batch.seed = batch.now_ms;
    outbox_reset(out);
    enum stint_status status = core_step(core, &batch, out);
    router_done(router);
    if (status == STINT_OK && !hooks->is_there(hooks->context))
        status = STINT_DAMAGED;
    if (status == STINT_OK)
        router_send(router, out);
    log_notes(core);
    return status;
}

/* How long to wait when nothing comes; log lines that could not be written are tried again. */
static uint64_t
idle_ms(struct core *core)
{
    uint64_t ms = core_idle_ms(core), most = log_flush() ? EACH_SECOND_MS : LOG_RETRY_MS;
    return ms > most ? most : ms;
}

enum stint_status
loop_run(struct core *core, struct router *router, int signals, const struct loop_hooks *hooks)
{
    struct outbox out = {0};
    enum stint_status status = STINT_OK;
    uint64_t last_ms = 0;
    bool closing = false;
    while (status == STINT_OK && !closing) {
        router_wait(router, signals, idle_ms(core));
        for (int signal; (signal = next_signal(signals)) != 0;) {
            if (signal == SIGHUP)
                hooks->on_hangup(hooks->context);
            else
                closing = true;
        }
        status = turn(core, router, &out, hooks);
        uint64_t now_ms = loop_now_ms();
        if (now_ms - last_ms >= EACH_SECOND_MS) {
            last_ms = now_ms;
            hooks->on_second(hooks->context);
        }
    }
    outbox_free(&out);
    return status;
}
