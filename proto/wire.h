/* All that a peer needs of the world: a DEALER socket, a clock, random bytes. It decides nothing;
 * the link above it does. The simulator has a wire of its own (tests/sim/wire.c).
 */
#ifndef WIRE_H
#define WIRE_H

#include "pack.h"
#include "stint_status.h"

struct wire;

/* NULL: no memory. */
struct wire *wire_new(void);
/* Where to, and by which keys, in Z85; broker_key NULL: by none. */
struct wire_target {
    const char *endpoint, *broker_key, *public_key, *secret_key;
};
/* Connect, in the background; what was open before is closed. Errors: STINT_BAD_ENDPOINT
 * (endpoint.h says why), STINT_BAD_KEY, STINT_SYSTEM. */
enum stint_status wire_open(struct wire *wire, const struct wire_target *target);
/* Why the handshakes since the last call failed, a constant phrase; NULL: none did. `*final` is set
 * if the other side has said so: else it may only have ended meanwhile. */
const char *wire_refusal(struct wire *wire, bool *final);
/* What was given to the socket has up to `linger_ms` to leave. */
void wire_close(struct wire *wire, int linger_ms);
void wire_destroy(struct wire **wire);

/* False: not now. */
bool wire_send(struct wire *wire, struct slice frame);
/* The next frame; borrowed until the next call. False: there is none. */
bool wire_receive(struct wire *wire, struct slice *frame);

/* Readable (edge-triggered) when there may be something to do; -1 if there is no socket. */
int wire_fd(const struct wire *wire);
/* Sleep until a frame came, or can go if one waits to be sent, or one of `fds` is readable, or it
 * is `until_ms`. */
void
wire_wait(struct wire *wire, const int *fds, unsigned fds_count, bool sends, uint64_t until_ms);

/* A figure that is higher than at the last call if bytes of a frame moved over the connection since
 * then, either way, though it is not whole yet. It stands still if nobody counts them (ipc). */
uint64_t wire_progress(struct wire *wire);

/* The monotonic clock. */
uint64_t wire_now_us(void);
static inline uint64_t
wire_now_ms(void)
{
    return wire_now_us() / 1000;
}

/* Of the wall clock, for numbers that are to be in about the order in which they are drawn. */
uint64_t wire_wall_ms(void);

void wire_random(void *to, size_t bytes);

#endif
