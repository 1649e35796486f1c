/* Watches the ROUTER's connections: its socket monitor tells which come and go, the kernel how many
 * bytes came over each; connections.h decides which are to end, and here they are ended.
 */
#ifndef MONITOR_H
#define MONITOR_H

#include "connections.h"
#include "pack.h"

struct monitor;

/* A few more than there may be peers, so that the core can refuse the next one in words. */
enum { MORE_THAN_PEERS = 64 };

/* How many connections there may be: for so many peers, as far as descriptors suffice. */
uint32_t monitor_connections_max(uint32_t peers_max);

struct monitor_options {
    void *context, *socket; /* of libzmq; nothing is bound yet */
    struct routes *routes;
    uint32_t peers_max;
    uint64_t heartbeat_ms;
};

/* NULL: it can't be watched; errno says why. */
struct monitor *monitor_new(const struct monitor_options *options);
void monitor_destroy(struct monitor **monitor);

/* The descriptor that becomes readable when there is something to hear. */
int monitor_fd(const struct monitor *monitor);
/* Take in who came and went, and end who is due. `readable`: whether the descriptor was, or may
 * have been; asking the socket costs as much as a short message. */
void monitor_hear(struct monitor *monitor, uint64_t now_ms, bool readable);
/* Look at connections, now and then. */
void monitor_tend(struct monitor *monitor, uint64_t now_ms);
/* How long until monitor_tend has work. */
uint64_t monitor_idle_ms(const struct monitor *monitor, uint64_t now_ms);

/* The first message of a route has come over descriptor `fd`. False: it is not to be heard. */
bool monitor_admit(struct monitor *monitor, struct route *route, int fd);
/* The core has a peer for the route. */
void monitor_greet(struct monitor *monitor, const struct route *route);
/* The core has none any more. `close`: and its connection is to end. */
void monitor_forget(struct monitor *monitor, const struct route *route, bool close);
/* The transport has no connection for this route any more. What its last words came over may be
 * another one by now, with the same descriptor: that is not to suffer for it. */
void monitor_lost(struct monitor *monitor, const struct route *route);

/* The route's key is revoked: its connection is to end. */
void monitor_revoke(struct monitor *monitor, const struct route *route);
/* Find the connections that ended without a word of libzmq's: those of a listener that stopped. */
void monitor_sweep(struct monitor *monitor);

/* All that had arrived at some moment has been read. */
void monitor_round(struct monitor *monitor);

/* The next route that bytes came from but no message; false if there is none. */
bool monitor_take_alive(struct monitor *monitor, uint32_t *number);
bool monitor_has_alive(const struct monitor *monitor);

#endif
