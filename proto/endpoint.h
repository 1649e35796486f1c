/* Endpoints as people write them: tcp://host:port and ipc://path. libzmq takes much more than that
 * (lists of addresses, ports modulo 65536), and says little about what it refuses; so all
 * programs ask here first. Pure: no name is looked up.
 */
#ifndef ENDPOINT_H
#define ENDPOINT_H

#include <stdbool.h>
#include <stddef.h>

enum endpoint_use { ENDPOINT_CONNECT, ENDPOINT_BIND };

enum { ENDPOINT_BYTES = 256 /* with its end; so long is MOVED's too */ };

struct endpoint {
    bool ipc;
    bool abstract; /* ipc://@name: a name in the kernel, no file, so without permissions */
    bool any_host, any_port; /* only to bind: '*' */
    const char *host; /* within the text, or the path; */
    size_t host_bytes; /* an IPv6 address with its brackets */
    unsigned port;
};

/* False: it is none, and `*why` is a constant phrase that says why. */
bool endpoint_parse(
    const char *text, enum endpoint_use use, struct endpoint *endpoint, const char **why);

/* Do only processes of this host reach it? */
bool endpoint_is_local(const struct endpoint *endpoint);
/* Is the text an endpoint at all, and such a one? */
bool endpoint_text_is_local(const char *text, enum endpoint_use use);

/* Of several with commas between, as to connect: how many bytes the first one has. */
size_t endpoint_first(const char *list);
/* Are all of them endpoints, and such ones? */
bool endpoint_list_is_local(const char *list);

#endif
