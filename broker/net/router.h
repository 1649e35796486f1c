/* The ROUTER socket: frames into a batch, an outbox into frames. It numbers connections, so that
 * the core sees small numbers and no routing ids, remembers whom it could not reach, and ends
 * connections that are nobody's (monitor.h).
 */
#ifndef ROUTER_H
#define ROUTER_H

#include "core.h"
#include "keys.h"

struct router;

struct router_options {
    const char *const *endpoints;
    size_t endpoints_count;
    /* NULL: nobody is asked for a key. Else whoever connects from another host is, and, with
     * `keys_for_all`, everybody. Used for the router's life. */
    struct keys *keys;
    bool keys_for_all;
    uint32_t peers_max;
    uint64_t heartbeat_ms, linger_ms;
    int held; /* a directory that this process has locked; -1: none */
    bool shared_process; /* rand() is not to be seeded: all who can connect are trusted */
};

/* How many peers the descriptors suffice for that this process may have; `wanted` at most. */
uint32_t router_peers_max(uint32_t wanted);

/* Bind. `*error` is a sentence on failure, in a buffer of the thread's own. Errors:
 * STINT_BAD_ENDPOINT, STINT_SYSTEM. */
enum stint_status
router_new(const struct router_options *options, struct router **router, const char **error);
void router_destroy(struct router **router);

/* The first endpoint as bound, with the port that a wildcard got; borrowed. */
const char *router_endpoint(const struct router *router);

/* The descriptor that the first endpoint listens with, if it is ipc and has a file; else -1. */
int router_listening(const struct router *router);

/* Look at the keys at once; the log says when that is done. */
void router_look_at_keys(struct router *router);

/* Wait until a frame has come or `other_fd` is readable, `timeout_ms` at most. */
void router_wait(struct router *router, int other_fd, uint64_t timeout_ms);

/* Take what has arrived, up to a bounded number of frames and bytes, into batch->events;
 * batch->heard says whether that was all. The events are borrowed until router_done. */
void router_drain(struct router *router, struct batch *batch);
void router_done(struct router *router);

/* Send what is in the outbox. Whom it can't reach is in the next batch as gone. */
void router_send(struct router *router, const struct outbox *out);

#endif
