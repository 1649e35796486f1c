/* The network; the contract is in sim.h. */
#include "limit.h"
#include "message.h"
#include "sim.h"

#include <stdlib.h>
#include <utlist.h>

enum {
    LATENCY_US = 300, /* one way, up to */
    RETRY_US = 50000, /* ZMQ_RECONNECT_IVL... */
    RETRY_MAX_US = 1000000, /* ...and its MAX */
    SILENCE_US = 6000000, /* ZMQ_HEARTBEAT_TIMEOUT */
    HIGH_WATER = 4000,
};

enum direction { UP, DOWN }; /* to the broker, from the broker */

struct frame {
    uint64_t at_us;
    size_t size;
    struct frame *prev, *next;
    uint8_t bytes[];
};

struct way {
    struct frame *frames;
    unsigned count;
    uint64_t last_us; /* when the last one arrives */
    uint64_t ends_us; /* whoever receives here notices the end then; nothing arrives later */
};

struct connection {
    uint64_t number;
    struct process *process;
    struct socket *socket; /* NULL: the peer has let go */
    struct way ways[2];
    uint64_t open_us; /* both may send from then on */
    struct connection *prev, *next;
};

struct socket {
    struct process *process;
    struct connection *connection;
    uint64_t retry_at_us, retry_us;
    struct socket *prev, *next;
};

static struct connection *connections;
static struct socket *sockets;
static struct process *broker; /* NULL: nobody listens */
static uint64_t last_number;
static size_t largest_bytes;

void
network_limit(size_t bytes)
{
    largest_bytes = bytes;
}

static uint64_t
earlier(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static uint64_t
later(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

static uint64_t
latency(struct process *p)
{
    uint64_t us = 20 + p->far_us + chance_skewed(&p->network, LATENCY_US);
    if (p->weather.slow_until_us > world_us())
        us += chance_below(&p->network, p->weather.slow_us + 1);
    return us;
}

static void
drop_frames(struct way *way, unsigned left)
{
    while (way->count > left) {
        struct frame *f = way->frames->prev; /* the newest */
        DL_DELETE(way->frames, f);
        way->count--;
        free(f);
    }
}

/* From some point on nothing of what is on its way arrives, and the receiver notices at `ends_us`.
 */
static void
end_way(struct connection *c, enum direction d, uint64_t ends_us)
{
    struct way *way = &c->ways[d];
    drop_frames(way, (unsigned)chance_below(&c->process->network, way->count + 1));
    way->ends_us = earlier(way->ends_us, ends_us);
}

static void
free_connection(struct connection *c)
{
    drop_frames(&c->ways[UP], 0);
    drop_frames(&c->ways[DOWN], 0);
    DL_DELETE(connections, c);
    free(c);
}

static void
break_connection(struct connection *c)
{
    end_way(c, UP, world_us() + latency(c->process));
    end_way(c, DOWN, world_us() + latency(c->process));
}

/* The peer's end is gone: its process closed it, or noticed that it is broken. */
static void
let_go(struct connection *c)
{
    c->socket->connection = NULL;
    c->socket = NULL;
    drop_frames(&c->ways[DOWN], 0);
    end_way(c, UP, world_us() + latency(c->process));
}

/* Connections that both ends have let go of. */
static void
sweep(void)
{
    struct connection *c, *next;
    DL_FOREACH_SAFE (connections, c, next)
        if (!c->socket && world_us() >= c->ways[UP].ends_us)
            free_connection(c);
}

static void
connect_socket(struct socket *s)
{
    struct process *p = s->process;
    bool cut =
        p->weather.cut_until_us[UP] > world_us() || p->weather.cut_until_us[DOWN] > world_us();
    s->retry_at_us = world_us() + s->retry_us / 2 + chance_below(&p->network, s->retry_us);
    s->retry_us = earlier(2 * s->retry_us, RETRY_MAX_US);
    if (!broker || cut)
        return;
    struct connection *c = calloc(1, sizeof *c);
    if (!c)
        abort();
    c->number = ++last_number;
    c->process = p;
    c->socket = s;
    c->ways[UP].ends_us = c->ways[DOWN].ends_us = UINT64_MAX;
    c->open_us = world_us() + 3 * latency(p);
    DL_APPEND(connections, c);
    s->connection = c;
    s->retry_us = RETRY_US;
}

/* What a socket does by itself as time passes. */
static void
advance(struct socket *s)
{
    struct connection *c = s->connection;
    if (c && world_us() >= c->ways[DOWN].ends_us) {
        let_go(c);
        s->retry_at_us = world_us() + RETRY_US;
    }
    if (!s->connection && world_us() >= s->retry_at_us)
        connect_socket(s);
}

struct socket *
network_open(struct process *process)
{
    struct socket *s = calloc(1, sizeof *s);
    if (!s)
        abort();
    s->process = process;
    s->retry_us = RETRY_US;
    s->retry_at_us = world_us();
    DL_APPEND(sockets, s);
    advance(s);
    return s;
}

void
network_close(struct socket **socket)
{
    struct socket *s = *socket;
    if (!s)
        return;
    if (s->connection)
        let_go(s->connection);
    DL_DELETE(sockets, s);
    free(s);
    *socket = NULL;
    sweep();
}

/* What has no number of its own takes the connection's order for given, which none breaks: a
 * WELCOME that came once more after a later HELLO would answer that one with what was so before,
 * and of how far a job is the last that is told counts. */
static bool
needs_order(struct slice bytes)
{
    return bytes.size > 2 && bytes.data[1] == 0 &&
        (bytes.data[2] == MESSAGE_WELCOME || bytes.data[2] == MESSAGE_PROGRESS);
}

static void
push(struct connection *c, enum direction d, struct slice bytes)
{
    struct process *p = c->process;
    struct way *way = &c->ways[d];
    bool bears = (d == UP || p->hears_twice) && !needs_order(bytes);
    bool wild = p->weather.wild_until_us > world_us() && bears &&
        chance_in_100(&p->network, p->weather.wild_percent);
    struct frame *f = malloc(sizeof *f + bytes.size);
    if (!f)
        abort();
    memcpy(f->bytes, bytes.data, bytes.size);
    f->size = bytes.size;
    f->at_us = world_us() + latency(p);
    if (p->weather.cut_until_us[d] > world_us())
        f->at_us += p->weather.cut_until_us[d] - world_us();
    if (wild)
        f->at_us += chance_below(&p->network, 200 * US_A_MS);
    else if (f->at_us < way->last_us)
        f->at_us = way->last_us;
    if (!wild)
        way->last_us = f->at_us;
    DL_APPEND(way->frames, f);
    way->count++;
    figures.frames++;
    if (wild && chance_in_100(&p->network, 50))
        push(c, d, bytes);
    if (p->weather.brittle_until_us > world_us() &&
        chance_in_100(&p->network, p->weather.brittle_percent))
        break_connection(c);
}

/* The frame that arrives next, if it has arrived. */
static struct frame *
arrived(struct way *way)
{
    struct frame *f, *first = NULL;
    DL_FOREACH (way->frames, f)
        if (f->at_us <= world_us() && f->at_us < way->ends_us &&
            (!first || f->at_us < first->at_us))
            first = f;
    return first;
}

static void
pop(struct way *way, struct frame *f, struct pack_buffer *into)
{
    into->used = 0;
    memcpy(pack_reserve(into, f->size + 1), f->bytes, f->size);
    into->used = f->size;
    DL_DELETE(way->frames, f);
    way->count--;
    free(f);
}

static bool
is_open(const struct connection *c)
{
    return c && world_us() >= c->open_us;
}

bool
network_send(struct socket *s, struct slice frame)
{
    advance(s);
    if (!is_open(s->connection) || s->connection->ways[UP].count >= HIGH_WATER)
        return false;
    if (frame.size > LIMIT_MESSAGE_BYTES)
        break_connection(s->connection);
    /* If the broker's end is gone already, this goes nowhere. */
    if (s->connection->ways[UP].ends_us == UINT64_MAX)
        push(s->connection, UP, frame);
    return true;
}

bool
network_receive(struct socket *s, struct pack_buffer *frame)
{
    advance(s);
    struct frame *f = s->connection ? arrived(&s->connection->ways[DOWN]) : NULL;
    if (f)
        pop(&s->connection->ways[DOWN], f, frame);
    return f != NULL;
}

bool
network_ready(struct socket *s, bool sends)
{
    advance(s);
    if (!s->connection)
        return false;
    return (sends && is_open(s->connection) && s->connection->ways[UP].count < HIGH_WATER) ||
        arrived(&s->connection->ways[DOWN]);
}

void
network_listen(struct process *process)
{
    broker = process;
}

void
network_unlisten(void)
{
    struct connection *c;
    broker = NULL;
    DL_FOREACH (connections, c) {
        drop_frames(&c->ways[UP], 0);
        c->ways[UP].ends_us = world_us();
        if (c->socket)
            end_way(c, DOWN, world_us() + latency(c->process));
    }
    sweep();
}

/* The one whose turn it is. */
static struct connection *
first_arrived(void)
{
    struct connection *c;
    DL_FOREACH (connections, c)
        if (arrived(&c->ways[UP]))
            return c;
    return NULL;
}

bool
network_arrived(void)
{
    return first_arrived() != NULL;
}

bool
network_take(uint64_t *number, const struct grant **key, struct pack_buffer *frame)
{
    struct connection *c = first_arrived();
    if (!c)
        return false;
    *number = c->number;
    *key = c->process->key;
    pop(&c->ways[UP], arrived(&c->ways[UP]), frame);
    DL_DELETE(connections, c);
    DL_APPEND(connections, c);
    return true;
}

bool
network_give(uint64_t number, struct slice frame)
{
    struct connection *c;
    sweep();
    DL_FOREACH (connections, c)
        if (c->number == number) {
            if (world_us() >= c->ways[UP].ends_us || c->ways[DOWN].count >= HIGH_WATER)
                return false;
            if (frame.size > largest_bytes)
                break_connection(c);
            if (c->socket && c->ways[DOWN].ends_us == UINT64_MAX)
                push(c, DOWN, frame);
            return true;
        }
    return false;
}

void
network_end_connection(uint64_t number)
{
    struct connection *c;
    DL_FOREACH (connections, c)
        if (c->number == number) {
            drop_frames(&c->ways[UP], 0);
            c->ways[UP].ends_us = world_us();
            if (c->socket)
                c->ways[DOWN].ends_us =
                    earlier(c->ways[DOWN].ends_us, later(c->ways[DOWN].last_us, world_us()) + 1);
            return;
        }
}

void
network_break(struct process *process)
{
    struct connection *c;
    DL_FOREACH (connections, c)
        if (c->process == process && c->socket)
            break_connection(c);
}

void
network_cut(struct process *process, bool up, bool down, uint64_t us)
{
    struct connection *c;
    uint64_t until_us = world_us() + us;
    process->weather.cut_until_us[UP] = up ? until_us : 0;
    process->weather.cut_until_us[DOWN] = down ? until_us : 0;
    DL_FOREACH (connections, c) {
        if (c->process != process || !c->socket)
            continue;
        for (enum direction d = UP; d <= DOWN; d++) {
            struct frame *f;
            if (d == UP ? !up : !down)
                continue;
            DL_FOREACH (c->ways[d].frames, f)
                if (f->at_us > world_us())
                    f->at_us += us;
            if (c->ways[d].last_us > world_us())
                c->ways[d].last_us += us; /* nothing overtakes them */
        }
        if (us > SILENCE_US) /* heartbeats are missing at both ends, whichever way is cut */
            for (enum direction d = UP; d <= DOWN; d++)
                c->ways[d].ends_us = earlier(c->ways[d].ends_us,
                    world_us() + SILENCE_US + chance_below(&process->network, US_A_SECOND));
    }
}

uint64_t
network_next_us(void)
{
    struct connection *c;
    struct socket *s;
    uint64_t next_us = UINT64_MAX, now_us = world_us();
    DL_FOREACH (connections, c) {
        if (c->open_us > now_us)
            next_us = earlier(next_us, c->open_us);
        for (enum direction d = UP; d <= DOWN; d++) {
            struct frame *f;
            if (c->ways[d].ends_us > now_us)
                next_us = earlier(next_us, c->ways[d].ends_us);
            DL_FOREACH (c->ways[d].frames, f)
                if (f->at_us > now_us)
                    next_us = earlier(next_us, f->at_us);
        }
    }
    DL_FOREACH (sockets, s)
        if (!s->connection && s->retry_at_us > now_us)
            next_us = earlier(next_us, s->retry_at_us);
    return next_us;
}

void
network_end(void)
{
    if (sockets)
        sim_broken("%s has left a socket open", sockets->process->name);
    network_unlisten();
    while (connections)
        free_connection(connections);
    last_number = 0;
}
