/* ZMTP 3.0 without keys, by hand, over TCP and epoll: so light that ten thousand peers are one
 * thread of one process. Only what a DEALER of stint's says and hears; no multipart, no heartbeats.
 */
#ifndef ZMTP_H
#define ZMTP_H

#include "pack.h"

struct zmtp {
    int fd; /* -1: none */
    bool greeted, open; /* its greeting was heard; frames go both ways */
    uint32_t writes; /* what epoll was told to look for */
    struct pack_buffer in, out;
    size_t taken; /* of `in` */
    struct slice frame; /* the last one */
};

/* To a port of this host, in the background; `epoll` then tells of it with `owner`. False: not
 * now. */
bool zmtp_connect(struct zmtp *z, int epoll, void *owner, uint16_t port);
void zmtp_close(struct zmtp *z);

/* epoll has told of it. False: the connection is over. */
bool zmtp_turn(struct zmtp *z, int epoll, void *owner);
/* The next message, borrowed until zmtp_turn; false: none is whole yet. */
bool zmtp_next(struct zmtp *z, struct slice *frame);
/* Hand over a message, and send what can go now. */
void zmtp_put(struct zmtp *z, struct slice frame);
bool zmtp_flush(struct zmtp *z, int epoll, void *owner);

#endif
