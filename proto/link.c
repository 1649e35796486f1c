/* A session on a wire; the contract is in link.h. */
#include "link.h"

#include <stdlib.h>

enum { FRAMES_A_PUMP = 1024 };

struct link {
    struct wire *wire;
    struct reach reach;
    struct session *session;
    bool opened; /* this connection has had its conversation */
    const char *refusal; /* why a handshake failed, the last time; NULL: none did */
    uint32_t refused; /* targets that have said no the last time they were tried: bits */
    const char *failed; /* this connection's handshake did; NULL: not, or it was dealt with */
    bool final, told; /* final: the other side said no; told: the session was told */
    struct message_arrays *arrays;
    uint64_t progress, heard_ms; /* of the wire and the session, when they were last looked at */
};

static enum stint_status
open_wire(struct link *l)
{
    const struct wire_target target = reach_target(&l->reach);
    l->opened = l->told = false;
    l->failed = NULL;
    return wire_open(l->wire, &target);
}

enum stint_status
link_new(const struct reach *reach, struct session *session, struct link **out)
{
    struct link *l = calloc(1, sizeof *l);
    if (!l)
        return STINT_NO_MEMORY;
    enum stint_status status = STINT_NO_MEMORY;
    l->session = session;
    l->reach = *reach;
    l->arrays = calloc(1, sizeof *l->arrays);
    l->wire = wire_new();
    if (l->arrays && l->wire)
        status = open_wire(l);
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
    reach_forget(&l->reach);
    free(l->arrays);
    free(l);
    *link = NULL;
}

struct message_arrays *
link_arrays(struct link *l)
{
    return l->arrays;
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
        if (session_receive(l->session, now_ms, frame.data, frame.size, &message, l->arrays))
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
    bool good = true;
    l->session->reconnect = false;
    if (!l->told)
        l->refused &= ~(1U << l->reach.at); /* it may only be away */
    if (l->session->endpoint[0]) {
        good = reach_move(&l->reach, l->session->endpoint);
        l->refused = 0;
    } else if (!l->opened) /* where there was a conversation, there may be another one */
        reach_next(&l->reach);
    l->session->endpoint[0] = '\0';
    return good ? open_wire(l) : STINT_BAD_ENDPOINT;
}

/* A handshake that failed need not be waited for any longer. It may fail before HELLO is due: that
 * is kept until then. */
static void
look_for_refusal(struct link *l, uint64_t now_ms)
{
    bool final = false;
    if (l->session->state == SESSION_OPEN) {
        l->opened = true;
        l->refusal = l->failed = NULL;
        l->refused = 0;
        return;
    }
    const char *why = wire_refusal(l->wire, &final);
    if (why) {
        l->failed = why;
        l->final = final;
    }
    if (!l->failed || l->session->state != SESSION_GREETING)
        return;
    l->refusal = l->failed;
    l->failed = NULL;
    if (l->final)
        l->refused |= 1U << l->reach.at;
    else
        l->refused &= ~(1U << l->reach.at);
    l->told = true;
    session_refused(l->session, now_ms, l->refusal);
}

const char *
link_refusal(const struct link *l, bool *final)
{
    unsigned targets = reach_targets(&l->reach);
    _Static_assert(REACH_ENDPOINTS_MAX * REACH_BROKERS_MAX <= 32, "a bit a target");
    *final = l->refused == (targets < 32 ? (1U << targets) - 1 : UINT32_MAX);
    return l->refusal;
}

enum stint_status
link_pump(struct link *l, uint64_t now_ms, bool hold,
    void (*take)(void *owner, const struct message *message), void *owner)
{
    enum stint_status status = STINT_OK;
    receive_all(l, now_ms, take, owner);
    look_for_progress(l, now_ms);
    look_for_refusal(l, now_ms);
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
