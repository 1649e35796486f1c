/* A session on a wire; the contract is in link.h. */
#include "link.h"

#include <stdlib.h>

enum { FRAMES_A_PUMP = 1024 };

struct link {
    struct wire *wire;
    char endpoint[256];
    struct session *session;
    struct message_arrays *room;
    uint64_t progress, heard_ms; /* of the wire and the session, when they were last looked at */
};

enum stint_status
link_new(const char *endpoint, struct session *session, struct link **out)
{
    struct link *l = calloc(1, sizeof *l);
    if (!l)
        return STINT_NO_MEMORY;
    enum stint_status status = STINT_BAD_ENDPOINT;
    l->session = session;
    l->room = calloc(1, sizeof *l->room);
    l->wire = wire_new();
    if (!l->room || !l->wire)
        status = STINT_NO_MEMORY;
    else if (strlen(endpoint) < sizeof l->endpoint) {
        memcpy(l->endpoint, endpoint, strlen(endpoint) + 1);
        status = wire_open(l->wire, l->endpoint);
    }
    if (status != STINT_OK)
        link_destroy(&l, 0);
    *out = l;
    return status;
}

void
link_destroy(struct link **link, int linger_ms)
{
    struct link *l = *link;
    if (!l)
        return;
    if (l->wire)
        wire_close(l->wire, linger_ms);
    wire_destroy(&l->wire);
    free(l->room);
    free(l);
    *link = NULL;
}

struct message_arrays *
link_room(struct link *l)
{
    return l->room;
}

int
link_fd(const struct link *l)
{
    return wire_fd(l->wire);
}

static void
send_all(struct link *l, bool hold)
{
    for (;;) {
        struct slice frame = session_output(l->session, hold);
        if (frame.size == 0 || !wire_send(l->wire, frame))
            return;
        session_sent(l->session);
    }
}

static void
receive_all(struct link *l, uint64_t now_ms,
    void (*take)(void *owner, const struct message *message), void *owner)
{
    struct slice frame;
    for (unsigned n = 0; n < FRAMES_A_PUMP && wire_receive(l->wire, &frame); n++) {
        struct message message;
        if (session_receive(l->session, now_ms, frame.data, frame.size, &message, l->room))
            take(owner, &message);
    }
}

/* A large frame takes long on a slow link, and nothing else comes or goes meanwhile. */
static void
look_for_progress(struct link *l, uint64_t now_ms)
{
    if (!session_wonders(l->session, now_ms))
        return;
    uint64_t progress = wire_progress(l->wire);
    bool whole =
        l->heard_ms != l->session->times.heard_ms; /* the bytes may be those of a whole frame */
    if (!whole && progress != l->progress)
        session_progress(l->session, now_ms);
    l->progress = progress;
    l->heard_ms = l->session->times.heard_ms;
}

static enum stint_status
connect_anew(struct link *l)
{
    l->session->reconnect = false;
    if (l->session->endpoint[0]) {
        memcpy(l->endpoint, l->session->endpoint, sizeof l->endpoint);
        l->session->endpoint[0] = '\0';
    }
    return wire_open(l->wire, l->endpoint);
}

enum stint_status
link_pump(struct link *l, uint64_t now_ms, bool hold,
    void (*take)(void *owner, const struct message *message), void *owner)
{
    enum stint_status status = STINT_OK;
    receive_all(l, now_ms, take, owner);
    look_for_progress(l, now_ms);
    session_tick(l->session, now_ms);
    if (l->session->reconnect)
        status = connect_anew(l);
    if (status == STINT_OK)
        send_all(l, hold);
    return status;
}

void
link_wait(struct link *l, const int *fds, unsigned fds_count, uint64_t until_ms)
{
    uint64_t wake_ms = session_wake_ms(l->session);
    bool sends = session_output(l->session, false).size > 0;
    wire_wait(l->wire, fds, fds_count, sends, wake_ms < until_ms ? wake_ms : until_ms);
}
