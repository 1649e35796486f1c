/* Connections come and go, and each has an account: what it was sent, and what it has shown to have
 * read. The broker keeps a frame until its peer has read it, so each costs memory, whatever it
 * says: every one is counted where it ends, wherever in the core it is made. A peer that owes too
 * much is refused what it could do without; then it is cut off.
 */
#include "peers.h"
#include "sessions.h"

#include <stdlib.h>

enum {
    PEER_FLOOR_BYTES = 1 << 20, /* what each peer may owe, whatever others do */
    STEP_BYTES = 256 << 20, /* in a step, beyond that */
    FORGIVEN_BYTES = 1 << 16, /* a connection that owes no more may begin anew */
};

static uint64_t
unread(const struct peer *p)
{
    return p->account.sent - p->account.read + p->taken_bytes + p->events_bytes +
        p->answers.submitted.used + p->answers.settled.used + p->answers.outcomes.used;
}

bool
peers_can_take(const struct core *core, const struct peer *peer)
{
    const struct core_options *o = &core->options;
    uint64_t bytes = unread(peer);
    if (bytes >= o->unread_bytes)
        return false;
    return bytes < PEER_FLOOR_BYTES ||
        (core->fleet.unread < o->unread_total_bytes && core->step.out->bytes.used < STEP_BYTES);
}

void
peers_have_read(struct core *core, struct peer *peer, uint64_t sent)
{
    struct account *a = &peer->account;
    assert(sent >= a->read && sent <= a->sent);
    core->fleet.unread -= sent - a->read;
    a->read = sent;
    a->read_ms = core->clocks.listened_ms;
}

static void
add_ended(struct core *core, struct ended connection)
{
    if (core->step.ended_count == core->step.ended_size) {
        core->step.ended_size = core->step.ended_size ? 2 * core->step.ended_size : 64;
        core->step.ended =
            realloc(core->step.ended, core->step.ended_size * sizeof *core->step.ended);
        if (!core->step.ended)
            abort();
    }
    core->step.ended[core->step.ended_count++] = connection;
}

void
peers_count_frame(void *context, const struct outbox_entry *entry)
{
    struct core *core = context;
    const struct core_options *o = &core->options;
    struct peer *peer = fleet_peer(&core->fleet, entry->peer);
    assert(entry->size > 0 && entry->size <= core->options.message_bytes);
    if (!peer)
        return;
    struct account *a = &peer->account;
    a->sent += entry->size;
    core->fleet.unread += entry->size;
    if (a->ending || unread(peer) <= o->unread_bytes + o->answers_bytes)
        return;
    a->ending = true;
    add_ended(core, (struct ended){.number = peer->number, .ends = true});
    core_say(core, NOTE_WARN, "a connection is ended, its peer asks and does not read",
        NOTE_TEXT("peer", peer->name), NOTE_NUMBER("unread_bytes", a->sent - a->read));
}

void
peers_forget(struct core *core, uint32_t number)
{
    if (core->step.ended_count > 0 && core->step.ended[core->step.ended_count - 1].number == number)
        return;
    add_ended(core, (struct ended){.number = number});
}

/* What still comes in this step is not heard: in the place of the peer stands one that is ending.
 */
void
peers_end(struct core *core, uint32_t number)
{
    uint8_t session[SESSION_BYTES] = {0};
    put_be(session + SESSION_BYTES - 4, number, 4);
    if (!fleet_peer_of_session(&core->fleet, session))
        fleet_peer_add(&core->fleet, number, session)->account.ending = true;
    add_ended(core, (struct ended){.number = number, .ends = true});
}

void
peers_have_output(struct core *core, struct peer *peer)
{
    if (peer->answers.has_output)
        return;
    peer->answers.has_output = true;
    peer->answers.next_output = core->step.outputs;
    core->step.outputs = peer;
}

void
peers_remove(struct core *core, struct peer *peer)
{
    struct peer **at = &core->step.outputs;
    sessions_store(core, peer);
    if (peer->answers.has_output) {
        while (*at != peer)
            at = &(*at)->answers.next_output;
        *at = peer->answers.next_output;
    }
    fleet_peer_remove(&core->fleet, peer);
}

void
peers_drop(struct core *core, struct peer *peer)
{
    uint32_t number = peer->number;
    bool owes = peer->account.sent - peer->account.read > FORGIVEN_BYTES;
    peers_remove(core, peer);
    if (owes)
        peers_end(core, number);
    else
        peers_forget(core, number);
}

void
peers_end_connections(struct core *core)
{
    for (size_t i = 0; i < core->step.ended_count; i++) {
        const struct ended *s = &core->step.ended[i];
        struct peer *peer = fleet_peer(&core->fleet, s->number);
        if (s->ends) {
            if (peer)
                peers_remove(core, peer);
            outbox_close(core->step.out, s->number);
        } else if (!peer)
            outbox_forget(core->step.out, s->number);
    }
    core->step.ended_count = 0;
}
