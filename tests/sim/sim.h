/* The simulated world: one thread, one virtual clock, one seed. Processes and their threads are
 * actors (coroutines); they run the real core, the real client and worker runtimes, the real
 * session and codec. What is simulated stands at the edges: wire.c (sockets, clock, random bytes),
 * slots.c (threads), disk.c and the model store (disks).
 */
#ifndef SIM_H
#define SIM_H

#include "pack.h"

#include <stdarg.h>
#include <stdio.h>

/* ---- chance: each user of it has a stream of its own, so that taking a fault out of a plan does
 * not change everything else ---- */

struct chance {
    uint64_t state;
};

struct chance chance_of(uint64_t seed, uint64_t stream);
uint64_t chance_next(struct chance *c);
/* 0 to n - 1; n is not 0. */
uint64_t chance_below(struct chance *c, uint64_t n);
/* from..to, both included */
uint64_t chance_between(struct chance *c, uint64_t from, uint64_t to);
/* True in `percent` of a hundred cases. */
bool chance_in_100(struct chance *c, unsigned percent);
/* Small mostly, now and then large: for delays. */
uint64_t chance_skewed(struct chance *c, uint64_t most);

/* ---- processes and actors ---- */

enum { US_A_MS = 1000, US_A_SECOND = 1000000 };

/* What the way between a process and the broker is like. */
struct weather {
    uint64_t slow_until_us, slow_us; /* each frame takes up to so much longer */
    uint64_t brittle_until_us; /* the connection may break at any frame */
    unsigned brittle_percent;
    uint64_t cut_until_us[2]; /* nothing gets through, to the broker, from the broker */
    /* Frames come twice and out of order, which TCP would not allow: those to the broker, and those
     * to clients. A worker runs what it is given, and would run it twice. */
    uint64_t wild_until_us;
    unsigned wild_percent;
};

struct grant;

struct process {
    const char *name; /* borrowed for life */
    const struct grant *key; /* it comes with; NULL: it is asked for none. Borrowed for life */
    struct chance chance, network;
    struct weather weather;
    uint64_t far_us; /* a frame takes at least so long to the broker, or back */
    uint64_t clock_us; /* its monotonic clock is so far ahead of the world's */
    uint64_t paused_until_us;
    bool hears_twice; /* it takes a frame from the broker twice in good part */
    bool killed; /* nothing it does reaches anybody any more */
};

typedef void actor_fn(void *context);
struct actor;

/* Start an actor of a process. The world frees it when it has returned and was joined, or at the
 * world's end. */
struct actor *actor_start(struct process *process, actor_fn *fn, void *context);
/* Let others go on until `ready` says yes (NULL: never) or it is `until_us` on the world's clock.
 */
void actor_wait(bool (*ready)(void *context), void *context, uint64_t until_us);
void actor_sleep(uint64_t us);
/* Wait until another actor has returned, and free it. */
void actor_join(struct actor **actor);
/* The process of the actor that runs now. */
struct process *actor_process(void);

/* The world's clock, in microseconds since its begin. */
uint64_t world_us(void);
/* Let actors run until it is `until_us` or none is left. */
void world_run(uint64_t until_us);
/* `order` decides who goes first of those that could. */
void world_begin(struct chance order);
/* Every actor has to have returned. */
void world_end(void);

/* ---- the network: what TCP and ZeroMQ promise, and what they do not. A connection keeps order and
 * loses nothing until it breaks; then what was on its way is lost from some point on, at each end,
 * and each end notices in its own time. A socket connects again by itself. ---- */

struct socket;

struct socket *network_open(struct process *process);
void network_close(struct socket **socket);
/* False: not connected now. */
bool network_send(struct socket *socket, struct slice frame);
/* False: nothing is there. */
bool network_receive(struct socket *socket, struct pack_buffer *frame);
/* Would network_receive, or, if `sends`, network_send, succeed? */
bool network_ready(struct socket *socket, bool sends);

/* The broker's end. A connection is told by a number that is never used again; those that have
 * something to say take turns. */
void network_listen(struct process *broker);
void network_unlisten(void);
bool network_arrived(void);
bool network_take(uint64_t *connection, const struct grant **key, struct pack_buffer *frame);
/* False: there is no such connection any more. A frame that is larger than a peer takes ends it. */
bool network_give(uint64_t connection, struct slice frame);
void network_end_connection(uint64_t connection);
/* The largest frame that a peer takes. */
void network_limit(size_t bytes);

/* Faults. */
void network_break(struct process *process);
void network_cut(struct process *process, bool up, bool down, uint64_t us);
/* When something will arrive that has not yet; UINT64_MAX if nothing is on its way. */
uint64_t network_next_us(void);
/* Everything has to be closed. */
void network_end(void);

/* ---- what happened ---- */

struct sim_figures {
    uint64_t seeds, faults, steps, frames, jobs, runs, restarts, worker_kills, client_kills;
    uint64_t virtual_us;
};
extern struct sim_figures figures;

/* Did frames come twice or out of order in this world? Then a claim may be an old one. */
extern bool sim_wild;
/* Is each event to be written down? */
extern bool sim_traced;
void sim_trace(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* A promise was broken: say which, and end the process. */
_Noreturn void sim_broken(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
