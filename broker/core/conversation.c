/* Conversations: HELLO to BYE, and heartbeats. A session is told apart by the 16 bytes it chose, a
 * connection by the router's number. A worker's session outlives its connection; a client's
 * submissions outlive the broker.
 */
#include "conversation.h"
#include "attempt.h"
#include "control.h"
#include "fleet_has.h"
#include "peers.h"
#include "random.h"
#include "reply.h"
#include "sessions.h"

enum {
    CLIENT_IDLE_MS = 60000, /* a connection that only asks now and then; it may say HELLO again */
    SESSIONS_A_CONNECTION = 16, /* a process needs one, and another one if it is forgotten */
    PROOF_BYTES = 1 << 20,
    PROOF_MS = 60000, /* while memory is short, who shows no reading for so long is cut off */
};

/* Another connection of the same session is a former one; the new one takes its place. */
static void
drop_former(struct core *core, const uint8_t session[SESSION_BYTES])
{
    struct peer *former = fleet_peer_of_session(&core->fleet, session);
    if (former)
        peers_drop(core, former);
}

/* The queues that there are of its prefixes and those that come; those that it names besides are
 * expected. */
static bool
serve_prefixes(struct core *core, struct worker *worker, const struct hello *h)
{
    struct name_arrays *names = &core->scratch.decoded->names;
    struct pool_terms terms = {.names_count = h->queues, .prefixes_count = h->prefixes};
    memcpy(terms.names, names->queues, h->queues * sizeof *terms.names);
    memcpy(terms.prefixes, names->prefixes, h->prefixes * sizeof *terms.prefixes);
    pool_terms_reduce(&terms);
    for (uint32_t i = 0; i < terms.names_count; i++)
        if (!book_queue_expect(&core->book, terms.names[i]))
            return false;
    return fleet_worker_serve_by_prefix(
        &core->fleet, &core->book, worker, &terms, names->kinds, h->kinds);
}

/* "default" if it named none. A queue that holds nothing yet is made by its first job. */
static bool
serve_queues(struct core *core, struct worker *worker, uint32_t count, uint32_t kinds)
{
    struct queue *queues[LIMIT_QUEUES_SERVED];
    if (count == 0) {
        core->scratch.decoded->names.queues[0] = text_slice("default");
        count = 1;
    }
    uint32_t served = 0;
    for (uint32_t i = 0; i < count; i++) {
        struct queue *q = book_queue_expect(&core->book, core->scratch.decoded->names.queues[i]);
        if (!q)
            return false;
        bool twice = false;
        for (uint32_t j = 0; j < served; j++)
            twice |= queues[j] == q;
        if (!twice)
            queues[served++] = q;
    }
    fleet_worker_serve(
        &core->fleet, worker, queues, served, core->scratch.decoded->names.kinds, kinds);
    return true;
}

static void
take_has(struct worker *w, struct slice has)
{
    char text[LIMIT_HAS_BYTES + 1];
    size_t size = 0;
    if (has.size > 0) {
        const char *why = needs_write(NEEDS_OF_WORKER, has, text, &size);
        assert(!why);
    }
    fleet_worker_has(w, (struct slice){(const uint8_t *)text, size});
}

static bool
attach_worker(struct core *core, struct peer *peer, const struct hello *h)
{
    struct fleet *fleet = &core->fleet;
    struct worker *w = fleet_worker(fleet, h->session);
    if (!w) {
        w = fleet_worker_add(fleet, h->session);
        if (peer->grant)
            memcpy(w->key, peer->grant->name, sizeof w->key);
        w->times.joined_ms = core->clocks.listened_ms;
    }
    peer->worker = w;
    w->peer = peer;
    w->claimed = false;
    w->times.seen_ms = core->clocks.listened_ms;
    fleet->slots = fleet->slots - w->slots + h->slots;
    w->slots = h->slots;
    w->window = h->window;
    slice_to_text(w->name, sizeof w->name, h->name);
    slice_to_text(w->software, sizeof w->software, h->software);
    w->control.cores = h->cores;
    fleet_worker_label(w, core->scratch.decoded->names.labels, h->labels);
    take_has(w, h->has);
    return h->prefixes ? serve_prefixes(core, w, h) : serve_queues(core, w, h->queues, h->kinds);
}

static void
say_welcome(struct core *core, struct peer *peer, const struct hello *h)
{
    const struct core_options *o = &core->options;
    struct broker_ref self = {o->broker, text_slice(o->endpoint)};
    struct welcome w = {
        .version = h->version_max < PROTOCOL_VERSION_MAX ? h->version_max : PROTOCOL_VERSION_MAX,
        .epoch = core->epoch,
        .broker = o->broker,
        .heartbeat_ms = o->heartbeat_ms,
        .lost_ms = o->lost_ms,
        .message_bytes = o->message_bytes,
        .payload_bytes = o->payload_bytes,
        .result_bytes = o->result_bytes,
        .submission = peer->submissions.last,
        .brokers = 1,
        .software = text_slice(o->software),
        .features = FEATURES_ALL};
    message_put_welcome(outbox_begin(core->step.out, peer->number), &w, &self);
    outbox_end(core->step.out);
    outbox_greeted(core->step.out);
}

/* Why a peer can't be taken in; NULL: it can. */
static const char *
too_many(struct core *core, const struct hello *h, const struct account *account)
{
    const struct core_options *o = &core->options;
    if (core->fleet.peers_count >= o->max.peers)
        return "there are --peers-max connections";
    if (account->sessions > SESSIONS_A_CONNECTION)
        return "a connection speaks for a few sessions at most";
    uint64_t workers_max = o->max.workers ? o->max.workers : 2ULL * o->max.peers;
    if (h->role == ROLE_WORKER && core->fleet.workers_count >= workers_max &&
        !fleet_worker(&core->fleet, h->session))
        return "there are twice as many workers as --peers-max, those that are cut off counted";
    return NULL;
}

void
conversation_hello(struct core *core, uint32_t number, const struct message *m)
{
    const struct hello *h = &m->hello;
    if (h->version_min > PROTOCOL_VERSION_MAX || h->version_max < PROTOCOL_VERSION_MIN) {
        reply_refuse(core, number, m, STINT_VERSION_MISMATCH, "this broker speaks version 1");
        peers_forget(core, number);
        return;
    }
    static const uint8_t none[SESSION_BYTES];
    if (h->role == 0 || memcmp(h->session, none, SESSION_BYTES) == 0) {
        reply_refuse(core, number, m, STINT_INVALID, "a HELLO names a role and a session");
        peers_forget(core, number);
        return;
    }
    struct account account = {.read_ms = core->clocks.listened_ms};
    struct peer *peer = fleet_peer(&core->fleet, number);
    if (peer)
        account = peer->account;
    account.sessions += !peer || memcmp(peer->session, h->session, SESSION_BYTES) != 0;
    if (peer)
        peers_remove(core, peer); /* it begins anew */
    drop_former(core, h->session);
    const char *why = too_many(core, h, &account);
    if (why) {
        reply_refuse(core, number, m, STINT_TOO_MANY, why);
        peers_end(core, number);
        return;
    }
    peer = fleet_peer_add(&core->fleet, number, h->session);
    peer->role = h->role;
    peer->account = account;
    core->fleet.unread += account.sent - account.read;
    sessions_finish(core, h->session);
    slice_to_text(peer->name, sizeof peer->name, h->name);
    peer->seen_ms = core->clocks.listened_ms;
    fleet_peer_grant(&core->fleet, peer, core->step.grant);
    sessions_load(core, peer);
    if (h->role == ROLE_WORKER && !attach_worker(core, peer, h)) {
        reply_refuse(core, number, m, STINT_TOO_MANY,
            "workers and subscribers name too many queues that nothing is in, or workers have "
            "1,024 "
            "different sets of prefixes");
        if (peer->worker->counts.held == 0)
            fleet_worker_remove(&core->fleet, peer->worker);
        peers_remove(core, peer);
        peers_end(core, number);
        return;
    }
    say_welcome(core, peer, h);
    if (peer->worker)
        control_greet(core, peer->worker);
}

void
conversation_ping(struct core *core, struct peer *peer, const struct message *m)
{
    if (peer->worker && m->ping.window != WINDOW_UNCHANGED)
        peer->worker->window = m->ping.window;
    if (peer->worker)
        control_ping(core, peer->worker, &m->ping);
    struct account *a = &peer->account;
    if (a->token && m->ping.token == a->token) { /* it has read that PONG and all before */
        peers_have_read(core, peer, a->sent_at_token);
        a->token = 0;
    }
    while (a->token == 0) {
        a->token = random_draw(core);
        a->sent_at_token = a->sent;
    }
    message_put_pong(outbox_begin(core->step.out, peer->number), m->number, a->token);
    outbox_end(core->step.out);
}

/* A worker settles or returns what it holds before it says goodbye; what it still holds then is
 * lost. A client that says goodbye has all its answers. */
void
conversation_bye(struct core *core, struct peer *peer, const struct message *m)
{
    uint32_t number = peer->number;
    if (peer->worker) {
        core_say(core, NOTE_INFO, "a worker has left", NOTE_TEXT("worker", peer->worker->name),
            NOTE_NUMBER("held", peer->worker->counts.held),
            NOTE_NUMBER("begun", peer->worker->counts.begun));
        attempt_end_worker(core, peer->worker);
        control_left(core);
    }
    sessions_store(core, peer);
    if (peer->submissions.stored)
        sessions_forget(core, peer->session);
    message_put_numbered(outbox_begin(core->step.out, number), MESSAGE_BYE, m->number);
    outbox_end(core->step.out);
    peers_drop(core, peer);
}

/* A busy broker never has read all that has arrived, and must not wait for that. */
static void
end_round(struct core *core, enum hearing heard)
{
    if (heard == HEARD_SOME)
        return;
    core->clocks.heard_ms = heard == HEARD_ALL ? core->clocks.listened_ms : core->clocks.round_ms;
    core->clocks.round_ms = core->clocks.listened_ms;
}

void
conversation_judge(struct core *core, enum hearing heard)
{
    const struct core_options *o = &core->options;
    end_round(core, heard);
    uint64_t every = o->heartbeat_ms / 4 + 1;
    if (core->clocks.now_ms - core->clocks.judged_ms < every)
        return;
    core->clocks.judged_ms = core->clocks.now_ms;
    attempt_judge_refused(core);
    struct worker *w = core->fleet.workers;
    while (w) {
        struct worker *next = w->next;
        attempt_judge(core, w);
        if (core->clocks.heard_ms >= w->times.seen_ms + o->lost_ms) {
            struct peer *peer = w->peer;
            core_say(core, NOTE_WARN, "a worker is lost", NOTE_TEXT("worker", w->name),
                NOTE_NUMBER("held", w->counts.held), NOTE_NUMBER("begun", w->counts.begun));
            attempt_end_worker(core, w);
            control_left(core);
            if (peer)
                peers_drop(core, peer);
        }
        w = next;
    }
    bool short_of_memory = core->fleet.unread >= o->unread_total_bytes;
    struct peer *p = core->fleet.peers;
    while (p) {
        struct peer *next = p->next;
        uint64_t idle_ms = o->lost_ms > CLIENT_IDLE_MS ? o->lost_ms : CLIENT_IDLE_MS;
        if (p->role == ROLE_CLIENT && core->clocks.heard_ms >= p->seen_ms + idle_ms)
            peers_drop(core, p);
        else if (short_of_memory && core->clocks.heard_ms >= p->account.read_ms + PROOF_MS &&
            p->account.sent - p->account.read > PROOF_BYTES) {
            core_say(core, NOTE_WARN, "a connection is ended, its peer does not read",
                NOTE_TEXT("peer", p->name),
                NOTE_NUMBER("unread_bytes", p->account.sent - p->account.read));
            peers_drop(core, p);
        }
        p = next;
    }
    if (core->clocks.grace_until_ms && core->clocks.heard_ms >= core->clocks.grace_until_ms) {
        core->clocks.grace_until_ms = 0;
        attempt_end_grace(core);
    }
}
