/* What peers are sent, and what they owe for it. The broker keeps a frame until its peer has read
 * it, so each costs memory, whatever it says: every one is counted where it ends, wherever in the
 * core it is made. A peer that owes too much is refused what it could do without; then it is cut
 * off.
 */
#include "core_inside.h"

#include <stdlib.h>

enum {
    PEER_FLOOR_BYTES = 1 << 20, /* what each peer may owe, whatever others do */
    STEP_BYTES = 256 << 20, /* in a step, beyond that */
    FORGIVEN_BYTES = 1 << 16, /* a connection that owes no more may begin anew */
    REFUSALS_NOTED_MS = 1000, /* one in so long is told in words, the others are counted */
};

static uint64_t
unread(const struct peer *p)
{
    return p->account.sent - p->account.read + p->taken_bytes + p->events_bytes +
        p->submitted.used + p->settled.used + p->outcomes.used;
}

bool
peer_reads(const struct core *core, const struct peer *peer)
{
    const struct core_options *o = &core->options;
    uint64_t bytes = unread(peer);
    if (bytes >= o->unread_bytes)
        return false;
    return bytes < PEER_FLOOR_BYTES ||
        (core->fleet.unread < o->unread_total_bytes && core->out->bytes.used < STEP_BYTES);
}

void
peer_has_read(struct core *core, struct peer *peer, uint64_t sent)
{
    struct account *a = &peer->account;
    assert(sent >= a->read && sent <= a->sent);
    core->fleet.unread -= sent - a->read;
    a->read = sent;
    a->read_ms = core->listened_ms;
}

static void
add_stranger(struct core *core, struct stranger stranger)
{
    if (core->strangers_count == core->strangers_size) {
        core->strangers_size = core->strangers_size ? 2 * core->strangers_size : 64;
        core->strangers = realloc(core->strangers, core->strangers_size * sizeof *core->strangers);
        if (!core->strangers)
            abort();
    }
    core->strangers[core->strangers_count++] = stranger;
}

void
reply_ended(void *context, const struct outbox_entry *entry)
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
    add_stranger(core, (struct stranger){.number = peer->number, .ends = true});
    core_say(core, NOTE_WARN, "a connection is ended, its peer asks and does not read",
        NOTE_TEXT("peer", peer->name), NOTE_NUMBER("unread_bytes", a->sent - a->read));
}

/* A flood of refusals is not to become a flood of notes. */
static void
note_refusal(
    struct core *core, uint32_t number, const struct message *about, enum stint_status status)
{
    const struct peer *peer = fleet_peer(&core->fleet, number);
    if (core->refused_noted_ms && core->now_ms - core->refused_noted_ms < REFUSALS_NOTED_MS) {
        core->refused_untold++;
        return;
    }
    core_say(core, NOTE_INFO, "a message was refused",
        NOTE_TEXT("peer", peer ? peer->name : "unknown"),
        NOTE_TEXT("message", message_name(about->type)),
        NOTE_TEXT("status", stint_status_name(status)), NOTE_NUMBER("more", core->refused_untold));
    core->refused_noted_ms = core->now_ms;
    core->refused_untold = 0;
}

void
core_refused(
    struct core *core, uint32_t number, const struct message *about, enum stint_status status)
{
    core->figures.refused++;
    if (status != STINT_HELLO_FIRST) /* which is how peers begin anew */
        note_refusal(core, number, about, status);
}

void
core_refuse(struct core *core, uint32_t peer, const struct message *about, enum stint_status status,
    const char *detail)
{
    message_put_error(
        outbox_begin(core->out, peer), about->type, about->number, status, detail, NULL);
    outbox_end(core->out);
    core_refused(core, peer, about, status);
}

void
core_forget(struct core *core, uint32_t number)
{
    if (core->strangers_count > 0 && core->strangers[core->strangers_count - 1].number == number)
        return;
    add_stranger(core, (struct stranger){.number = number});
}

/* What still comes in this step is not heard: in the place of the peer stands one that is ending.
 */
void
core_end(struct core *core, uint32_t number)
{
    uint8_t session[SESSION_BYTES] = {0};
    put_be(session + SESSION_BYTES - 4, number, 4);
    if (!fleet_peer_of_session(&core->fleet, session))
        fleet_peer_add(&core->fleet, number, session)->account.ending = true;
    add_stranger(core, (struct stranger){.number = number, .ends = true});
}

void
reply_end_connections(struct core *core)
{
    for (size_t i = 0; i < core->strangers_count; i++) {
        const struct stranger *s = &core->strangers[i];
        struct peer *peer = fleet_peer(&core->fleet, s->number);
        if (s->ends) {
            if (peer)
                core_remove_peer(core, peer);
            outbox_close(core->out, s->number);
        } else if (!peer)
            outbox_forget(core->out, s->number);
    }
    core->strangers_count = 0;
}

void
core_has_output(struct core *core, struct peer *peer)
{
    if (peer->has_output)
        return;
    peer->has_output = true;
    peer->next_output = core->outputs;
    core->outputs = peer;
}

void
core_remove_peer(struct core *core, struct peer *peer)
{
    struct peer **at = &core->outputs;
    session_store(core, peer);
    if (peer->has_output) {
        while (*at != peer)
            at = &(*at)->next_output;
        *at = peer->next_output;
    }
    fleet_peer_remove(&core->fleet, peer);
}

void
core_drop_peer(struct core *core, struct peer *peer)
{
    uint32_t number = peer->number;
    bool owes = peer->account.sent - peer->account.read > FORGIVEN_BYTES;
    core_remove_peer(core, peer);
    if (owes)
        core_end(core, number);
    else
        core_forget(core, number);
}
