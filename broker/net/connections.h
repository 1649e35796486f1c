/* The broker's connections as the transport knows them, and which of them are to end: those that
 * say no HELLO, that send what never becomes a message, that are too many, or that the core wants
 * gone. Bookkeeping only: no socket, no clock, no system call; monitor.c has those.
 *
 * A connection is *unknown* until the core has a peer for it, and again when the core has
 * forgotten that peer. Strangers are kept short: anybody can be one.
 */
#ifndef CONNECTIONS_H
#define CONNECTIONS_H

#include "limit.h"
#include "routes.h"
#include "strangers.h"

enum {
    CONNECTION_HELLO_MS = 5000, /* how long one may be unknown */
    /* Bytes that came and are no message yet. A HELLO is small, and a part of a message costs
     * libzmq up to 32 times the bytes it has on the wire. */
    CONNECTION_UNKNOWN_BYTES = 128 << 10,
    CONNECTION_PEER_BYTES = 9 << 20, /* the largest message, and what the transport adds to it */
    CONNECTION_UNKNOWNS_BYTES = 4 << 20, /* of all unknown ones */
    CONNECTION_PEERS_BYTES = 256 << 20, /* of all peers */
    /* Bytes that the transport has read ahead of us. It counts messages, and they may be large: */
    CONNECTION_AHEAD_BYTES = 16 << 20, /* where there are too many, of those who sent so many */
    CONNECTIONS_AHEAD_BYTES = 128 << 20, /* of all */
    CONNECTION_LIFE_BYTES =
        1000, /* fewer may be ZeroMQ's heartbeats, which a hung process sends, too */
    CONNECTION_CLOSE_MS = 1000, /* what was sent before a close has so long to leave */
};

/* Why a connection was ended. */
enum connection_end {
    END_NOT,
    END_NO_HELLO,
    END_UNFINISHED,
    END_FOREIGN_ID,
    END_FOREIGN_USER,
    END_TOO_MANY,
    END_AHEAD,
    END_REVOKED,
    END_ASKED,
    CONNECTION_ENDS,
};

struct connection {
    int fd;
    uint64_t cookie; /* the kernel's number for the socket: descriptors are used again */
    struct stranger_host from;
    struct route *route; /* NULL: nothing has come yet, or it was forgotten */
    bool greeted;
    bool sealed; /* its messages come encrypted (CURVE): longer than they are read */
    bool deaf; /* nothing it says counts any more */
    bool shut; /* its end is on its way */
    enum connection_end why; /* it is to end at... */
    uint64_t ends_ms; /* ...this time */
    uint64_t since_ms; /* unknown since then */
    uint64_t base; /* bytes that had come when it was last heard... */
    uint64_t arrived; /* ...and at the last look */
    uint64_t lived; /* ...and when they last showed that it lives */
    uint64_t unfinished; /* bytes of its unfinished message, as counted below */
    uint64_t taken; /* bytes of the messages that were read */
    uint64_t ahead; /* and of those that wait for that, as counted below */
    uint64_t over_round; /* it had too many of them in this round; 0: not */
    struct connection *prev, *next; /* among unknown ones (oldest first), peers, or shut ones */
};

struct connections {
    struct connection **by_fd;
    uint32_t by_fd_size;
    struct connection *unknown, *peers, *closing, *shut;
    struct connection *at, *at_unknown; /* the next peer, and unknown one, to be looked at */
    uint32_t count, shut_count, max;
    uint64_t round; /* counts up when all that had arrived has been read */
    uint64_t unfinished[2]; /* of all unknown ones, of all peers */
    uint64_t ahead; /* of all */
};

void connections_init(struct connections *c, uint32_t max);
void connections_fini(struct connections *c);

/* The transport accepted it. */
struct connection *connections_add(struct connections *c, int fd, uint64_t cookie, uint64_t now_ms);
/* The transport let go of it; whoever it was is in `route`, if not NULL. */
void connections_remove(struct connections *c, int fd, struct route **route);
struct connection *connections_at(const struct connections *c, int fd);

/* A message came over it from this route. Returns the route it had before: one of an older
 * connection with the same descriptor. */
struct route *connections_tie(struct connection *connection, struct route *route);
/* A part of a message was read: so many bytes. */
static inline void
connections_take(struct connection *connection, uint64_t bytes)
{
    bytes += connection->sealed ? LIMIT_SEAL_BYTES : 0;
    connection->taken += bytes + (bytes < 256 ? 2 : 9); /* with what ZMTP puts before it */
}

/* The core has a peer for it. */
void connections_greet(struct connections *c, struct connection *connection);
/* The core has none any more; it may say HELLO again. */
void connections_forget(struct connections *c, struct connection *connection, uint64_t now_ms);
/* Nothing it says counts from now on, and it ends at `at_ms`. */
void connections_close(
    struct connections *c, struct connection *connection, enum connection_end why, uint64_t at_ms);

/* The next one to be ended now, or NULL; it says why, and is not returned again. */
struct connection *connections_due(struct connections *c, uint64_t now_ms);

/* All that had arrived at some moment since the last call has been read. */
void connections_round(struct connections *c);

/* A look at a connection: `arrived` bytes have come in all, of which the transport has not taken
 * `untaken` yet; `heard` says whether a message of it was read since the last look. True if bytes
 * came but no message: it lives. It may be due then. */
bool connections_look(struct connections *c, struct connection *connection, bool heard,
    uint64_t arrived, uint64_t untaken, uint64_t now_ms);
/* Are there any that should be looked at often? */
bool connections_busy(const struct connections *c);

#endif
