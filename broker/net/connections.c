/* Which connections there are and which are to end; the contract is in connections.h. */
#include "connections.h"

#include <utlist.h>

void
connections_init(struct connections *c, uint32_t max)
{
    *c = (struct connections){.max = max, .round = 1};
}

void
connections_fini(struct connections *c)
{
    for (uint32_t fd = 0; fd < c->by_fd_size; fd++)
        free(c->by_fd[fd]);
    free(c->by_fd);
    *c = (struct connections){0};
}

struct connection *
connections_at(const struct connections *c, int fd)
{
    return fd >= 0 && (uint32_t)fd < c->by_fd_size ? c->by_fd[fd] : NULL;
}

static void
make_room(struct connections *c, uint32_t fd)
{
    uint32_t size = c->by_fd_size ? c->by_fd_size : 64;
    while (size <= fd)
        size *= 2;
    c->by_fd = realloc(c->by_fd, size * sizeof(struct connection *));
    if (!c->by_fd)
        abort();
    memset(c->by_fd + c->by_fd_size, 0, (size - c->by_fd_size) * sizeof(struct connection *));
    c->by_fd_size = size;
}

static struct connection **
list_of(struct connections *c, const struct connection *k)
{
    if (k->shut)
        return &c->shut;
    if (k->why)
        return &c->closing;
    return k->greeted ? &c->peers : &c->unknown;
}

static void
count_unfinished(struct connections *c, struct connection *k, uint64_t bytes)
{
    c->unfinished[k->greeted] += bytes - k->unfinished;
    k->unfinished = bytes;
}

static void
count_ahead(struct connections *c, struct connection *k, uint64_t bytes)
{
    c->ahead += bytes - k->ahead;
    k->ahead = bytes;
}

static void
take_out(struct connections *c, struct connection *k)
{
    struct connection **list = list_of(c, k);
    if (c->at == k)
        c->at = k->next;
    if (c->at_unknown == k)
        c->at_unknown = k->next;
    DL_DELETE(*list, k);
}

static void
put_in(struct connections *c, struct connection *k)
{
    struct connection **list = list_of(c, k);
    DL_APPEND(*list, k);
}

void
connections_remove(struct connections *c, int fd, struct route **route)
{
    struct connection *k = connections_at(c, fd);
    *route = k ? k->route : NULL;
    if (!k)
        return;
    if (k->route)
        k->route->connection = NULL;
    count_unfinished(c, k, 0);
    count_ahead(c, k, 0);
    take_out(c, k);
    c->by_fd[fd] = NULL;
    c->count--;
    c->shut_count -= k->shut;
    free(k);
}

struct connection *
connections_add(struct connections *c, int fd, uint64_t cookie, uint64_t now_ms)
{
    if ((uint32_t)fd >= c->by_fd_size)
        make_room(c, (uint32_t)fd);
    struct connection *k = calloc(1, sizeof *k);
    if (!k)
        abort();
    k->fd = fd;
    k->cookie = cookie;
    k->since_ms = now_ms;
    c->by_fd[fd] = k;
    c->count++;
    put_in(c, k);
    return k;
}

struct route *
connections_tie(struct connection *k, struct route *route)
{
    struct route *former = k->route;
    if (former)
        former->connection = NULL;
    k->route = route;
    route->connection = k;
    return former;
}

void
connections_greet(struct connections *c, struct connection *k)
{
    if (k->greeted || k->why)
        return;
    count_unfinished(c, k, 0);
    take_out(c, k);
    k->greeted = true;
    k->over_round = 0;
    put_in(c, k);
}

void
connections_forget(struct connections *c, struct connection *k, uint64_t now_ms)
{
    if (k->route)
        k->route->connection = NULL;
    k->route = NULL;
    if (!k->greeted || k->why)
        return;
    count_unfinished(c, k, 0);
    take_out(c, k);
    k->greeted = false;
    k->over_round = 0;
    k->since_ms = now_ms;
    k->base = k->arrived;
    put_in(c, k);
}

void
connections_close(
    struct connections *c, struct connection *k, enum connection_end why, uint64_t at_ms)
{
    if (k->why && k->ends_ms <= at_ms)
        return;
    take_out(c, k);
    count_unfinished(c, k, 0);
    count_ahead(c, k, 0);
    k->why = why;
    k->ends_ms = at_ms;
    k->deaf = true;
    put_in(c, k);
}

struct connection *
connections_due(struct connections *c, uint64_t now_ms)
{
    struct connection *k, *oldest = c->unknown;
    DL_FOREACH (c->closing, k)
        if (now_ms >= k->ends_ms)
            break;
    if (!k && oldest && now_ms - oldest->since_ms >= CONNECTION_HELLO_MS) {
        k = oldest;
        connections_close(c, k, END_NO_HELLO, now_ms);
    } else if (!k && oldest && c->count - c->shut_count > c->max) {
        k = oldest;
        connections_close(c, k, END_TOO_MANY, now_ms);
    }
    if (!k)
        return NULL;
    take_out(c, k);
    k->shut = true;
    c->shut_count++;
    put_in(c, k);
    return k;
}

void
connections_round(struct connections *c)
{
    c->round++;
}

static bool
too_much(const struct connections *c, const struct connection *k)
{
    if (!k->greeted)
        return k->unfinished > CONNECTION_UNKNOWN_BYTES ||
            (c->unfinished[0] > CONNECTION_UNKNOWNS_BYTES &&
                k->unfinished > CONNECTION_UNKNOWN_BYTES / 16);
    return k->unfinished > CONNECTION_PEER_BYTES ||
        (c->unfinished[1] > CONNECTION_PEERS_BYTES && k->unfinished > CONNECTION_PEER_BYTES / 16);
}

bool
connections_look(struct connections *c, struct connection *k, bool heard, uint64_t arrived,
    uint64_t untaken, uint64_t now_ms)
{
    if (k->why)
        return false;
    k->arrived = arrived;
    if (heard)
        k->base = k->lived = arrived;
    uint64_t bytes = arrived - k->base;
    count_unfinished(c, k, bytes > untaken ? bytes - untaken : 0);
    uint64_t known = untaken + k->taken;
    count_ahead(c, k, arrived > known ? arrived - known : 0);
    if (c->ahead > CONNECTIONS_AHEAD_BYTES && k->ahead > CONNECTION_AHEAD_BYTES) {
        connections_close(c, k, END_AHEAD, now_ms);
        return false;
    }
    if (!too_much(c, k))
        k->over_round = 0;
    else if (!k->over_round)
        k->over_round = c->round; /* they may be whole messages that have not been read yet */
    else if (c->round >= k->over_round + 2)
        connections_close(c, k, END_UNFINISHED, now_ms);
    if (arrived < k->lived + CONNECTION_LIFE_BYTES)
        return false;
    k->lived = arrived;
    return true;
}

bool
connections_busy(const struct connections *c)
{
    return c->unknown || c->closing || c->unfinished[1] > CONNECTION_UNKNOWN_BYTES ||
        c->ahead > CONNECTION_AHEAD_BYTES;
}
