/* The loop; the contract is in loop.h. Replies and dispatches leave only after the commit; while
 * the commit waits for the disk, frames pile up and make the next batch larger, so group commit
 * needs no timer.
 */
#include "loop.h"
#include "log.h"
#include "note_log.h"
#include "now.h"

#include <sys/random.h>

enum { EACH_SECOND_MS = 1000, LOG_RETRY_MS = 100, SLOW_MS = 1000, STILL_MS = 3000 };

struct loop {
    struct core *core;
    struct store *store;
    struct router *router;
    const struct loop_hooks *hooks;
    struct outbox out;
    struct note_log notes;
};

static enum stint_status
turn(struct loop *l)
{
    struct batch batch = {0};
    router_drain(l->router, &batch);
    batch.now_ms = clock_ms();
    batch.wall_ms = clock_wall_ms();
    if (getrandom(&batch.seed, sizeof batch.seed, GRND_NONBLOCK) < 0)
        batch.seed = batch.now_ms;
    batch.room_bytes = l->store->ops->room(l->store);
    outbox_reset(&l->out);
    enum stint_status status = core_step(l->core, &batch, &l->out);
    uint64_t took_ms = clock_ms() - batch.now_ms;
    if (took_ms >= SLOW_MS)
        log_event(LOG_LEVEL_WARN, "a commit took long; the disk is slow or busy",
            LOG_FIELDS(LOG_NUMBER("ms", took_ms), LOG_NUMBER("messages", batch.count)));
    else if (batch.count > 0)
        log_event(LOG_LEVEL_DEBUG, "batch",
            LOG_FIELDS(LOG_NUMBER("messages", batch.count), LOG_NUMBER("ms", took_ms)));
    router_done(l->router);
    if (status == STINT_OK && !l->hooks->is_there(l->hooks->context))
        status = STINT_DAMAGED;
    if (status == STINT_OK)
        router_send(l->router, &l->out);
    note_log_take(&l->notes, l->core, batch.now_ms);
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
loop_run(
    struct core *core, struct store *store, struct router *router, const struct loop_hooks *hooks)
{
    struct loop l = {.core = core, .store = store, .router = router, .hooks = hooks};
    enum stint_status status = STINT_OK;
    uint64_t last_ms = 0;
    bool closing = false;
    while (status == STINT_OK && !closing) {
        uint64_t before_ms = clock_ms();
        router_wait(router, hooks->fd, idle_ms(core));
        uint64_t waited_ms = clock_ms() - before_ms;
        if (waited_ms >= STILL_MS) /* it never waits for so long by itself */
            log_event(
                LOG_LEVEL_WARN, "the broker stood still", LOG_FIELDS(LOG_NUMBER("ms", waited_ms)));
        closing = hooks->woken(hooks->context);
        status = turn(&l);
        uint64_t now_ms = clock_ms();
        if (now_ms - last_ms >= EACH_SECOND_MS) {
            last_ms = now_ms;
            hooks->on_second(hooks->context);
            uint64_t took_ms = clock_ms() - now_ms;
            if (took_ms >= SLOW_MS)
                log_event(LOG_LEVEL_WARN, "a checkpoint took long; the disk is slow or busy",
                    LOG_FIELDS(LOG_NUMBER("ms", took_ms)));
        }
    }
    outbox_free(&l.out);
    return status;
}
