/* Listening at an endpoint: what libzmq's own bind leaves out. A name that stands for this host is
 * put into its address; the file of an ipc endpoint is never taken away from a broker that lives,
 * and removed at the end only if it is still ours.
 */
#ifndef LISTEN_H
#define LISTEN_H

#include "stint_status.h"

#include <stddef.h>
#include <sys/types.h>

struct listener {
    char path[108]; /* of the socket's file; "": none */
    dev_t device;
    ino_t inode;
};

enum { LISTEN_ERROR_BYTES = 512 };

/* Binds the ROUTER there. On failure `error` is a sentence.
 * Errors: STINT_BAD_ENDPOINT, STINT_SYSTEM. */
enum stint_status listen_at(
    void *socket, const char *endpoint, struct listener *listener, char error[LISTEN_ERROR_BYTES]);
/* An endpoint as bound, as peers are told it: a wildcard is no address, so they get the host's
 * name. */
void listen_told(const char *bound, char *told, size_t size);
void listen_end(const struct listener *listener);

#endif
