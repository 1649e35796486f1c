/* Strangers: hosts from which many connections come whose handshakes fail. Each costs libzmq's
 * thread the arithmetic of CURVE, for which everybody else waits; so of the connections that such a
 * host begins only as many are let in as fail at a bearable rate. Bookkeeping only: no socket, no
 * clock; monitor.c puts the filter into the kernel.
 *
 * A host is an IPv4 address, or the upper half of an IPv6 address: the lower half is its owner's to
 * choose. This host itself is none: who is on it has other ways to take its time.
 */
#ifndef STRANGERS_H
#define STRANGERS_H

#include <linux/filter.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

enum {
    STRANGERS_WINDOW_MS = 100,
    STRANGERS_WINDOW_MAX = 10, /* handshakes of a host that may fail in a window */
    STRANGERS_HOSTS = 32, /* that are watched at once; of more, those that fail most */
    STRANGERS_HOST_CODE = 10, /* instructions of the filter for each */
    STRANGER_TEXT_BYTES = 64,
    STRANGERS_CODE = STRANGERS_HOSTS * STRANGERS_HOST_CODE + 5,
};

/* Where a connection comes from. Version 0: from this host, or not by IP. */
struct stranger_host {
    uint8_t version; /* of IP: 4 or 6 */
    uint32_t address[2]; /* in the host's byte order; of IPv4 only the second counts */
};

struct stranger {
    struct stranger_host host; /* version 0: nobody */
    uint32_t failed, before; /* handshakes, in this window and in the one before */
    uint32_t pass; /* of 2^32 connections that it begins, so many and one are let in */
};

struct strangers {
    struct stranger all[STRANGERS_HOSTS];
    uint64_t window_ms; /* it ends then; 0: none has begun */
};

/* The host at `there`, seen from `here`. */
struct stranger_host
stranger_host(const struct sockaddr_storage *there, const struct sockaddr_storage *here);

/* A handshake with this host failed. */
void strangers_blame(struct strangers *s, struct stranger_host host);
/* Ends a window that is over. True: the filter is another one now. */
bool strangers_judge(struct strangers *s, uint64_t now_ms);
/* Is any host watched? Then there is to be judged. */
bool strangers_any(const struct strangers *s);
/* The host of which least is let in; NULL: nobody is held off. */
const struct stranger *strangers_worst(const struct strangers *s);
/* As people write it; returns `text`. */
const char *stranger_text(const struct stranger *stranger, char text[STRANGER_TEXT_BYTES]);
/* Writes the filter, for a socket that listens; returns the number of instructions, 0 if nobody is
 * held off. */
uint16_t strangers_filter(const struct strangers *s, struct sock_filter code[STRANGERS_CODE]);

#endif
