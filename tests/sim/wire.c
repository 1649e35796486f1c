/* A wire of the simulated world; the contract is in proto/wire.h. */
#include "wire.h"
#include "sim.h"

#include <poll.h>
#include <stdlib.h>

struct wire {
    struct process *process;
    struct socket *socket;
    struct pack_buffer frame;
    uint64_t frames; /* received */
};

uint64_t
wire_now_us(void)
{
    return world_us() + actor_process()->clock_us;
}

uint64_t
wire_wall_ms(void)
{
    return UINT64_C(1700000000000) + world_us() / 1000;
}

void
wire_random(void *to, size_t bytes)
{
    struct chance *c = &actor_process()->chance;
    for (size_t i = 0; i < bytes; i++)
        ((uint8_t *)to)[i] = (uint8_t)chance_next(c);
}

struct wire *
wire_new(void)
{
    struct wire *w = calloc(1, sizeof *w);
    if (w)
        w->process = actor_process();
    return w;
}

enum stint_status
wire_open(struct wire *w, const struct wire_target *target)
{
    (void)target;
    wire_close(w, 0);
    if (!w->process->killed)
        w->socket = network_open(w->process);
    return w->process->killed ? STINT_SYSTEM : STINT_OK;
}

const char *
wire_refusal(struct wire *w, bool *final)
{
    (void)w;
    (void) final;
    return NULL;
}

void
wire_close(struct wire *w, int linger_ms)
{
    (void)linger_ms; /* what is on its way may arrive or not */
    network_close(&w->socket);
}

void
wire_destroy(struct wire **wire)
{
    struct wire *w = *wire;
    if (!w)
        return;
    wire_close(w, 0);
    pack_buffer_free(&w->frame);
    free(w);
    *wire = NULL;
}

bool
wire_send(struct wire *w, struct slice frame)
{
    return w->socket && !w->process->killed && network_send(w->socket, frame);
}

bool
wire_receive(struct wire *w, struct slice *frame)
{
    if (!w->socket || w->process->killed || !network_receive(w->socket, &w->frame))
        return false;
    *frame = (struct slice){w->frame.data, w->frame.used};
    w->frames++;
    return true;
}

uint64_t
wire_progress(struct wire *w)
{
    return w->frames; /* they come whole here */
}

int
wire_fd(const struct wire *w)
{
    (void)w;
    return -1;
}

struct waiting {
    struct wire *wire;
    const int *fds;
    unsigned fds_count;
    bool sends;
};

static bool
is_ready(void *context)
{
    const struct waiting *waiting = context;
    struct wire *w = waiting->wire;
    if (w->process->killed || (w->socket && network_ready(w->socket, waiting->sends)))
        return true;
    for (unsigned i = 0; i < waiting->fds_count; i++) {
        struct pollfd p = {.fd = waiting->fds[i], .events = POLLIN};
        if (poll(&p, 1, 0) > 0)
            return true;
    }
    return false;
}

void
wire_wait(struct wire *w, const int *fds, unsigned fds_count, bool sends, uint64_t until_ms)
{
    struct waiting waiting = {w, fds, fds_count, sends};
    uint64_t clock_us = w->process->clock_us;
    /* A sleep takes at least a moment, also one until now. */
    uint64_t until_us = until_ms > (UINT64_MAX >> 12) ? UINT64_MAX : until_ms * 1000;
    until_us = until_us > clock_us + world_us() ? until_us - clock_us : world_us() + 1;
    actor_wait(is_ready, &waiting, until_us);
}
