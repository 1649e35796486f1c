/* The ZAP handler; the contract is in zap.h. */
#include "zap.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zmq.h>

static const char handler[] = "inproc://zeromq.zap.01";

enum { FRAMES_MAX = 8, FRAME_BYTES = 256, USER_BYTES = 24 };

struct zap {
    void *socket; /* the handler's, used on its thread alone */
    void *stop, *stopped; /* the two ends of what ends it */
    pthread_t thread;
    bool running;
    zap_find_fn *find;
    void *find_context;
};

/* version, id, domain, address, identity, mechanism, credentials (under CURVE: the key) */
struct request {
    struct {
        char bytes[FRAME_BYTES];
        size_t size;
    } frames[FRAMES_MAX];
    size_t count; /* more than FRAMES_MAX: the rest was not kept */
};

static bool
is(const struct request *r, size_t frame, const char *text)
{
    return frame < r->count && r->frames[frame].size == strlen(text) &&
        memcmp(r->frames[frame].bytes, text, strlen(text)) == 0;
}

/* All parts of one request, those that are too long or too many as nothing. */
static bool
receive(void *socket, struct request *r)
{
    int more = 1;
    size_t size = sizeof more;
    r->count = 0;
    while (more) {
        char rest[FRAME_BYTES];
        bool fits = r->count < FRAMES_MAX;
        int n = zmq_recv(socket, fits ? r->frames[r->count].bytes : rest, FRAME_BYTES, 0);
        if (n < 0 || zmq_getsockopt(socket, ZMQ_RCVMORE, &more, &size) != 0)
            return false;
        if (fits)
            r->frames[r->count].size = n <= FRAME_BYTES ? (size_t)n : 0;
        r->count++;
    }
    return true;
}

/* Who is it? False: nobody that is to be let in. */
static bool
judge(const struct zap *z, const struct request *r, char user[USER_BYTES])
{
    enum { DOMAIN = 2, MECHANISM = 5, KEY = 6 };
    if (is(r, DOMAIN, ZAP_DOMAIN_LOCAL) && is(r, MECHANISM, "NULL") && r->count == MECHANISM + 1) {
        (void)snprintf(user, USER_BYTES, "0");
        return true;
    }
    if (!is(r, DOMAIN, ZAP_DOMAIN_KEYS) || !is(r, MECHANISM, "CURVE") || r->count != KEY + 1 ||
        r->frames[KEY].size != KEY_BYTES)
        return false;
    uint64_t number = z->find(z->find_context, (const uint8_t *)r->frames[KEY].bytes);
    (void)snprintf(user, USER_BYTES, "%" PRIu64, number);
    return number > 0;
}

static void
answer(const struct zap *z, const struct request *r)
{
    char user[USER_BYTES] = "";
    bool good = judge(z, r, user);
    const char *const parts[] = {"1.0", NULL, good ? "200" : "400",
        good ? "" : "this key is not allowed", good ? user : "", ""};
    enum { PARTS = sizeof parts / sizeof *parts };
    if (r->count < 2)
        return;
    for (size_t i = 0; i < PARTS; i++) {
        const char *text = parts[i] ? parts[i] : r->frames[1].bytes;
        size_t size = parts[i] ? strlen(text) : r->frames[1].size;
        if (zmq_send(z->socket, text, size, i + 1 < PARTS ? ZMQ_SNDMORE : 0) < 0)
            return;
    }
}

static void *
serve(void *argument)
{
    struct zap *z = argument;
    struct request request;
    zmq_pollitem_t items[] = {
        {.socket = z->socket, .events = ZMQ_POLLIN}, {.socket = z->stopped, .events = ZMQ_POLLIN}};
    while (!items[1].revents) {
        if (zmq_poll(items, 2, -1) < 0 && zmq_errno() != EINTR)
            break;
        if (items[0].revents && receive(z->socket, &request))
            answer(z, &request);
    }
    return NULL;
}

static bool
open_sockets(struct zap *z, void *context)
{
    static const char stop[] = "inproc://zap.stop";
    int none = 0;
    z->socket = zmq_socket(context, ZMQ_REP);
    z->stop = zmq_socket(context, ZMQ_PAIR);
    z->stopped = zmq_socket(context, ZMQ_PAIR);
    void *const all[] = {z->socket, z->stop, z->stopped};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        if (!all[i] || zmq_setsockopt(all[i], ZMQ_LINGER, &none, sizeof none) != 0)
            return false;
    return zmq_bind(z->stopped, stop) == 0 && zmq_connect(z->stop, stop) == 0 &&
        zmq_bind(z->socket, handler) == 0;
}

struct zap *
zap_new(void *context, zap_find_fn *find, void *find_context)
{
    struct zap *z = calloc(1, sizeof *z);
    if (!z)
        return NULL;
    z->find = find;
    z->find_context = find_context;
    z->running = open_sockets(z, context) && pthread_create(&z->thread, NULL, serve, z) == 0;
    if (!z->running) {
        int error = zmq_errno();
        zap_destroy(&z);
        errno = error;
    }
    return z;
}

void
zap_destroy(struct zap **zap)
{
    struct zap *z = *zap;
    if (!z)
        return;
    if (z->running && zmq_send(z->stop, "", 0, 0) == 0)
        (void)pthread_join(z->thread, NULL);
    if (z->running) /* at once: a close takes a moment, in which who asks would wait in vain */
        (void)zmq_unbind(z->socket, handler);
    void *const all[] = {z->socket, z->stop, z->stopped};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        if (all[i])
            zmq_close(all[i]);
    free(z);
    *zap = NULL;
}

bool
zap_user(const char *user_id, uint64_t *number)
{
    *number = 0;
    if (!user_id || !*user_id || strlen(user_id) > 19)
        return false;
    for (; *user_id; user_id++) {
        if (*user_id < '0' || *user_id > '9')
            return false;
        *number = 10 * *number + (uint64_t)(*user_id - '0');
    }
    return true;
}
