/* Listening at an endpoint: what libzmq's own bind leaves out. A name that stands for this host is
 * put into its address; the file of an ipc endpoint is never taken away from a broker that lives,
 * and removed at the end only if it is still ours.
 */
#ifndef LISTEN_H
#define LISTEN_H

#include "stint_status.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* How it asks who connects there. */
struct listen_security {
    const char *secret_key; /* the broker's, in Z85; NULL: it asks for no key */
    const char *domain; /* ZMQ_ZAP_DOMAIN; NULL: nobody is asked */
};

struct listener {
    char bound[256]; /* the endpoint as libzmq has it */
    bool secure, stopped;
    int held; /* as given */
    int fd; /* of an ipc endpoint that has a file, libzmq's to close; -1: not known */
    char path[108]; /* of the socket's file; "": none */
    dev_t device;
    ino_t inode;
};

enum { LISTEN_ERROR_BYTES = 512 };

/* Binds the ROUTER there; libzmq copies how at that moment, so that each endpoint has its own.
 * `held`: a directory that this process has locked (flock) as long as it listens; -1: none. On
 * failure `error` is a sentence. Errors: STINT_BAD_ENDPOINT, STINT_SYSTEM. */
enum stint_status
listen_at(void *socket, const char *endpoint, const struct listen_security *security, int held,
    struct listener *listener, char error[LISTEN_ERROR_BYTES]);
/* Stop listening there. libzmq ends the connections that came that way, and tells nobody. */
void listen_stop(void *socket, struct listener *listener);
/* An endpoint as bound, as peers are told it: a wildcard is no address, so they get the host's
 * name. */
void listen_told(const char *bound, char *told, size_t size);
void listen_end(const struct listener *listener);

#endif
