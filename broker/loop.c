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

static void
tell(const struct note *note)
{
    const struct note_field *f = note->count ? &note->fields[0] : NULL;
    log_event((enum log_level)note->level, note->event, f ? f->key : NULL,
        f && f->text ? f->text : log_number(f ? f->number : 0), NULL);
}

static enum stint_status
turn(struct core *core, struct router *router, struct outbox *out)
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
    if (status == STINT_OK)
        router_send(router, out);
    struct note note;
    while (core_next_note(core, &note))
        tell(&note);
    return status;
}

enum stint_status
loop_run(struct core *core, struct router *router, int signals, void (*on_hangup)(void))
{
    struct outbox out = {0};
    enum stint_status status = STINT_OK;
    bool closing = false;
    while (status == STINT_OK && !closing) {
        router_wait(router, signals, core_idle_ms(core));
        for (int signal; (signal = next_signal(signals)) != 0;) {
            if (signal == SIGHUP)
                on_hangup();
            else
                closing = true;
        }
        status = turn(core, router, &out);
    }
    outbox_free(&out);
    return status;
}
