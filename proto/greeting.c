/* The greeting of ZMTP 3, read from a socket of bytes; the contract is in greeting.h.
 *
 *     0   signature: 0xFF, eight bytes that do not matter, 0x7F
 *     10  version: 3, and a minor one
 *     12  mechanism: twenty bytes, filled with zeros
 *     ..
 *
 * A side says the signature at once, the first of the version when it has that of the other one,
 * and the rest when it has that. Ours ends there.
 */
#include "greeting.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <zmq.h>

enum { SIGNATURE_BYTES = 10, MECHANISM_AT = 12, MECHANISM_BYTES = 20, VERSION = 3 };

static const uint8_t ours[SIGNATURE_BYTES + 1] = {0xFF, 0, 0, 0, 0, 0, 0, 0, 1, 0x7F, VERSION};

struct greeting {
    void *socket;
    bool said; /* ours was sent */
    enum greeting_said found;
    uint8_t bytes[MECHANISM_AT + MECHANISM_BYTES];
    size_t count;
};

struct greeting *
greeting_ask(void *context, const char *endpoint)
{
    static const struct {
        int option, value;
    } options[] = {{ZMQ_LINGER, 0}, {ZMQ_RECONNECT_IVL, -1}, {ZMQ_CONNECT_TIMEOUT, 3000}};
    int ipv6 = strchr(endpoint, '[') != NULL;
    struct greeting *g = calloc(1, sizeof *g);
    if (!g || !(g->socket = zmq_socket(context, ZMQ_STREAM))) {
        free(g);
        return NULL;
    }
    for (size_t i = 0; i < sizeof options / sizeof *options; i++)
        (void)zmq_setsockopt(g->socket, options[i].option, &options[i].value, sizeof(int));
    (void)zmq_setsockopt(g->socket, ZMQ_IPV6, &ipv6, sizeof ipv6);
    if (zmq_connect(g->socket, endpoint) != 0)
        greeting_end(&g);
    return g;
}

void *
greeting_socket(const struct greeting *g)
{
    return g->socket;
}

static enum greeting_said
judge(const struct greeting *g)
{
    static const uint8_t open[MECHANISM_BYTES] = "NULL", keys[MECHANISM_BYTES] = "CURVE";
    const uint8_t *mechanism = g->bytes + MECHANISM_AT;
    if (g->bytes[0] != ours[0] || g->bytes[SIGNATURE_BYTES - 1] != ours[SIGNATURE_BYTES - 1] ||
        g->bytes[SIGNATURE_BYTES] < VERSION)
        return GREETING_OTHER;
    if (memcmp(mechanism, keys, sizeof keys) == 0)
        return GREETING_KEYS;
    return memcmp(mechanism, open, sizeof open) == 0 ? GREETING_OPEN : GREETING_OTHER;
}

/* What came: nothing, as the connection begins and ends, or some bytes. */
static void
take(struct greeting *g, zmq_msg_t *from, zmq_msg_t *news)
{
    size_t size = zmq_msg_size(news), room = sizeof g->bytes - g->count;
    if (size == 0 && g->said) {
        g->found = GREETING_OTHER;
    } else if (size == 0) {
        g->said = true;
        if (zmq_send(g->socket, zmq_msg_data(from), zmq_msg_size(from),
                ZMQ_SNDMORE | ZMQ_DONTWAIT) < 0 ||
            zmq_send(g->socket, ours, sizeof ours, ZMQ_DONTWAIT) < 0)
            g->found = GREETING_OTHER;
    } else {
        memcpy(g->bytes + g->count, zmq_msg_data(news), size < room ? size : room);
        g->count += size < room ? size : room;
        if (g->count == sizeof g->bytes)
            g->found = judge(g);
    }
}

enum greeting_said
greeting_look(struct greeting *g)
{
    zmq_msg_t from, news;
    zmq_msg_init(&from);
    zmq_msg_init(&news);
    while (g->found == GREETING_NOTHING && zmq_msg_recv(&from, g->socket, ZMQ_DONTWAIT) >= 0 &&
        zmq_msg_recv(&news, g->socket, ZMQ_DONTWAIT) >= 0)
        take(g, &from, &news);
    zmq_msg_close(&from);
    zmq_msg_close(&news);
    return g->found;
}

void
greeting_end(struct greeting **greeting)
{
    struct greeting *g = *greeting;
    if (!g)
        return;
    zmq_close(g->socket);
    free(g);
    *greeting = NULL;
}
