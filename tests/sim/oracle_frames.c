/* The oracle's ears: what the frames of a step say, and who said it. It trusts the codec, which has
 * tests and fuzzers of its own, and nothing else.
 */
#include "keys.h"
#include "oracle_inside.h"
#include "progress.h"

#include <stdlib.h>

enum { CONNECTIONS_MAX = 4096, SETTLES_MAX = 1024 };

struct traffic traffic;

static struct party *parties, *connected[CONNECTIONS_MAX];
static struct message_arrays *arrays;

/* What each connection was sent and has not shown to have read: a PING that says the token of a
 * PONG again shows that all that was sent before that PONG has been. */
static struct owed {
    uint64_t sent, read, token, sent_at_token;
} owed[CONNECTIONS_MAX];

static void
owe(const struct outbox_entry *e, const struct message *m)
{
    const struct core_options *o = &known.options;
    struct owed *w = &owed[e->peer];
    if (m->type == MESSAGE_PONG && m->pong.token != w->token) {
        w->token = m->pong.token;
        w->sent_at_token = w->sent;
    }
    w->sent += e->size;
    if (e->size > o->message_bytes)
        sim_broken("the broker sent %s of %zu bytes", message_name(m->type), e->size);
    /* What is collected in a step is counted, but sent at its end. */
    if (w->sent - w->read > o->unread_bytes + o->answers_bytes + 2 * o->message_bytes)
        sim_broken("the broker keeps %llu bytes for a peer that does not read",
            (unsigned long long)(w->sent - w->read));
}

static void
hear_ping(uint32_t peer, const struct message *m)
{
    struct owed *w = &owed[peer];
    if (!w->token || m->ping.token != w->token)
        return;
    w->read = w->sent_at_token;
    w->token = 0;
}

/* What each SETTLE said, until it is confirmed. */
struct settle {
    struct party *from;
    uint64_t number;
    struct heard_outcome *outcomes;
    uint32_t count;
};
static struct settle settles[SETTLES_MAX];
static unsigned settles_next;

/* Words, each between two spaces; none is "". */
static void
write_words(char *to, size_t size, const struct slice *words, uint32_t count)
{
    to[0] = '\0';
    for (uint32_t i = 0; i < count; i++) {
        char word[STINT_NAME_BYTES];
        size_t used = strlen(to);
        slice_to_text(word, sizeof word, words[i]);
        (void)snprintf(to + used, size - used, "%s%s ", i ? "" : " ", word);
    }
}

static bool
has_word(const char *words, const char *word)
{
    char between[STINT_NAME_BYTES + 2];
    (void)snprintf(between, sizeof between, " %s ", word);
    return strstr(words, between) != NULL;
}

/* By its name, or by how that begins. */
static bool
serves(const struct party *p, const char *queue)
{
    bool served = has_word(p->queues, queue);
    for (const char *at = p->prefixes; *at && !served; at += strcspn(at, " ")) {
        at += strspn(at, " ");
        size_t size = strcspn(at, "*");
        served = at[size] == '*' && strncmp(at, queue, size) == 0;
    }
    return served;
}

static struct party *
party_of(const struct hello *h, const struct grant *key)
{
    struct party *p;
    HASH_FIND(hh, parties, h->session, SESSION_BYTES, p);
    if (!p) {
        p = calloc(1, sizeof *p);
        if (!p)
            abort();
        memcpy(p->session, h->session, SESSION_BYTES);
        HASH_ADD(hh, parties, session, SESSION_BYTES, p);
    }
    p->role = h->role;
    p->key = key;
    slice_to_text(p->name, sizeof p->name, h->name);
    p->window = h->window;
    p->barred = false; /* it is told again */
    write_words(p->kinds, sizeof p->kinds, arrays->names.kinds, h->kinds);
    write_words(p->queues, sizeof p->queues, arrays->names.queues, h->queues);
    write_words(p->prefixes, sizeof p->prefixes, arrays->names.prefixes, h->prefixes);
    needs_hear(p, h, arrays->names.labels);
    p->greeted_us = world_us();
    p->welcomed = p->denied = false;
    p->asks_all = 0; /* a client that is new counts its requests anew */
    p->asks_whole = false;
    return p;
}

static void
connect_party(uint32_t peer, struct party *p)
{
    for (unsigned i = 0; i < CONNECTIONS_MAX; i++)
        if (connected[i] == p)
            connected[i] = NULL; /* a session has one connection */
    connected[peer] = p;
}

static void
remember_settle(const struct message *m, struct party *from)
{
    struct settle *s = &settles[settles_next++ % SETTLES_MAX];
    free(s->outcomes);
    *s = (struct settle){.from = from, .number = m->number, .count = m->count};
    s->outcomes = calloc(m->count + 1, sizeof *s->outcomes);
    if (!s->outcomes)
        abort();
    for (uint32_t i = 0; i < m->count; i++) {
        const struct outcome *o = &arrays->outcomes[i];
        s->outcomes[i] = (struct heard_outcome){.id = o->id,
            .attempt = o->attempt,
            .type = o->type,
            .delay_ms = o->delay_ms,
            .number = m->number,
            .index = i,
            .from = from,
            .denied = !rights_let(from->key, RIGHT_RUN, &o->id),
            .brings = o->joint.size > 0};
        if (!s->outcomes[i].denied && o->joint.size > 0)
            s->outcomes[i].brings_denied = !joint_hear(from->key, o);
        if (!s->outcomes[i].denied && o->joint.size > 0)
            s->outcomes[i].brings_doubtful = joint_is_doubtful(o);
        if (!s->outcomes[i].denied)
            LIST_ADD(traffic.outcomes, s->outcomes[i]);
    }
    if (m->settle.window != WINDOW_UNCHANGED)
        from->window = m->settle.window;
}

static bool
may_submit(const struct party *from, const struct message *m)
{
    bool may = true;
    for (uint32_t i = 0; i < m->count; i++) {
        char queue[STINT_NAME_BYTES];
        slice_to_text(queue, sizeof queue, arrays->specs[i].queue);
        may &= keys_allow(from->key, RIGHT_SUBMIT, queue);
    }
    return may;
}

static void
hear_submit(const struct party *from, const struct message *m)
{
    if (!may_submit(from, m))
        return; /* none of it may ever be stored */
    for (uint32_t i = 0; i < m->count; i++) {
        uint32_t job, attempt;
        if (!oracle_number(arrays->specs[i].payload, &job, &attempt))
            sim_broken("a submitted payload was changed on its way");
        LIST_ADD(traffic.submits, job);
    }
}

/* What a peer may not do has no effect, so that nothing is explained by it. */
static void
hear_leases(struct party *from, const struct message *m)
{
    for (uint32_t i = 0; i < m->count; i++) {
        const struct lease_ref *l = &arrays->leases[i];
        struct heard_claim claim = {l->id, l->attempt, from, l->begun};
        if (!rights_let(from->key, RIGHT_RUN, &l->id))
            continue;
        if (m->type == MESSAGE_CLAIM)
            LIST_ADD(traffic.claims, claim);
        else {
            claim.begun = true;
            LIST_ADD(traffic.started, claim);
        }
    }
}

static void
hear_move(const struct change *c, const struct stint_id *id)
{
    struct heard_change heard = {.id = *id,
        .set = c->set,
        .delay_ms = c->delay_ms,
        .priority = c->to.priority,
        .queue = KEYS_QUEUES};
    if (c->set & CHANGE_QUEUE) {
        heard.queue = keys_index(c->to.queue);
        job_may_move(id, heard.queue);
    }
    LIST_ADD(traffic.changes, heard);
}

static void
hear_change(const struct party *from, const struct message *m)
{
    for (uint32_t i = 0; i < m->count; i++) {
        if (!rights_let(from->key, RIGHT_SUBMIT | RIGHT_CONTROL, &arrays->ids[i]))
            continue;
        if (m->type == MESSAGE_CANCEL)
            LIST_ADD(traffic.cancels, arrays->ids[i]);
        else if (m->type == MESSAGE_RETRY)
            LIST_ADD(traffic.retries, arrays->ids[i]);
        else if (m->type == MESSAGE_DELETE)
            LIST_ADD(traffic.deletes, arrays->ids[i]);
        else
            hear_move(&m->change, &arrays->ids[i]);
    }
}

static void
hear(struct party *from, const struct message *m)
{
    switch (m->type) {
    case MESSAGE_SUBMIT:
        hear_submit(from, m);
        break;
    case MESSAGE_SETTLE:
        remember_settle(m, from);
        break;
    case MESSAGE_CLAIM:
        hear_leases(from, m);
        from->claimed |= !m->claim.more;
        break;
    case MESSAGE_STARTED:
        hear_leases(from, m);
        break;
    case MESSAGE_PING:
        if (m->ping.window != WINDOW_UNCHANGED)
            from->window = m->ping.window;
        break;
    case MESSAGE_CANCEL:
    case MESSAGE_RETRY:
    case MESSAGE_CHANGE:
    case MESSAGE_DELETE:
        hear_change(from, m);
        break;
    case MESSAGE_BYE:
        from->left = true;
        break;
    default:
        rights_hear(from, m);
    }
}

void
frames_in(const struct batch *batch)
{
    for (size_t i = 0; i < batch->count; i++) {
        const struct event *e = &batch->events[i];
        struct message m;
        const char *why;
        if (e->peer >= CONNECTIONS_MAX)
            sim_broken("more connections than this oracle knows");
        if (e->kind == EVENT_GONE) {
            connected[e->peer] = NULL;
            owed[e->peer] = (struct owed){0};
            continue;
        }
        if (message_decode(e->frame.data, e->frame.size, &m, arrays, &why) != STINT_OK)
            sim_broken("a peer sent what can't be read: %s", why);
        sim_trace(
            "  in  %-3u %s %llu", e->peer, message_name(m.type), (unsigned long long)m.number);
        if (m.type == MESSAGE_HELLO)
            connect_party(e->peer, party_of(&m.hello, e->grant));
        struct party *from = connected[e->peer];
        if (!from)
            continue; /* a stranger: it will be told to say HELLO first */
        from->seen_us = world_us();
        if (m.type == MESSAGE_PING)
            hear_ping(e->peer, &m);
        else if (m.type == MESSAGE_SET_QUEUE)
            queues_hear(e->peer, from->key, &m, arrays);
        else if (m.type == MESSAGE_SET_SCHEDULE)
            schedules_hear(&m);
        else if (m.type == MESSAGE_SET_BATCH)
            batches_hear(&m);
        else if (m.type == MESSAGE_BULK)
            bulks_hear(from, &m);
        hear(from, &m);
    }
}

static void
see_dispatch(struct party *to, const struct message *m)
{
    char queue[STINT_NAME_BYTES];
    queues_check_dispatch(m->dispatch.queue, m->count);
    known.dispatched_us = world_us();
    if (to && to->barred)
        sim_broken("%s is paused, or is to leave, and is handed jobs", to->name);
    slice_to_text(queue, sizeof queue, m->dispatch.queue);
    if (to && !to->denied && !serves(to, queue))
        sim_broken("%s is handed jobs of %s, which it does not serve", to->name, queue);
    for (uint32_t i = 0; i < m->count; i++) {
        const struct dispatched_job *d = &arrays->dispatched[i];
        struct sent_dispatch s = {
            .id = d->id, .attempt = d->attempt, .to = to, .payload_bytes = d->payload.size};
        s.confirm = d->confirm;
        uint32_t attempt;
        if (!oracle_number(d->payload, &s.job, &attempt))
            sim_broken("a dispatched payload is not what was submitted");
        if (d->attempt != attempt && attempt != 0)
            sim_broken("a result was dispatched as a payload");
        s.limit_ms = d->time_to_run_ms;
        LIST_ADD(traffic.dispatches, s);
    }
}

/* What the simulator's runs ask for is good, but for what their keys do not let, and may have to
 * wait for room. */
static void
check_refused(const struct heard_outcome *o, enum stint_status status)
{
    bool waits = status == STINT_QUEUE_FULL || status == STINT_QUEUE_CLOSED ||
        status == STINT_BACKLOG_FULL || status == STINT_STORE_FULL || status == STINT_TOO_VARIED;
    bool late = status == STINT_STALE || status == STINT_NO_SUCH_JOB;
    if (!waits && !late && !(status == STINT_DENIED && (o->brings_denied || o->brings_doubtful)))
        sim_broken("an outcome with new jobs is answered with %s", stint_status_name(status));
}

static void
see_settled(const struct party *to, const struct message *m)
{
    for (uint32_t i = 0; i < m->count; i++) {
        struct answer *a = &arrays->answers[i];
        const struct settle *s = NULL;
        bool refused[LIMIT_JOBS] = {false};
        for (unsigned n = 0; n < SETTLES_MAX; n++)
            if (settles[n].from == to && settles[n].number == a->number && settles[n].outcomes)
                s = &settles[n];
        if (!s)
            sim_broken("a SETTLE was confirmed that nobody sent");
        for (uint32_t n = 0; n < a->count; n++) {
            uint32_t index;
            enum stint_status status;
            if (!message_next_exception(a, &index, &status) || index >= s->count)
                sim_broken("a SETTLED that can't be read");
            refused[index] = true;
            const struct heard_outcome *o = &s->outcomes[index];
            sim_trace("      %u: %s", index, stint_status_name(status));
            if (o->brings && !o->denied) {
                check_refused(o, status);
                continue;
            }
            if (o->denied ? status != STINT_DENIED : status == STINT_DENIED && job_known(&o->id))
                sim_broken("an outcome is answered with %s", stint_status_name(status));
        }
        for (uint32_t n = 0; n < s->count; n++)
            if (!refused[n] && s->outcomes[n].denied)
                sim_broken("an outcome was taken from who may not tell it");
            else if (!refused[n])
                LIST_ADD(traffic.confirmed, s->outcomes[n]);
    }
}

void
frames_out(const struct outbox *out)
{
    for (size_t i = 0; i < out->count; i++) {
        struct message m;
        const char *why;
        const struct outbox_entry *e = &out->entries[i];
        struct slice frame = outbox_frame(out, i);
        struct party *to = connected[e->peer];
        if (e->forget) {
            connected[e->peer] = NULL;
            owed[e->peer] = (struct owed){0};
            continue;
        }
        if (message_decode(frame.data, frame.size, &m, arrays, &why) != STINT_OK)
            sim_broken("the broker sent what can't be read: %s", why);
        sim_trace(
            "  out %-3u %s %llu", e->peer, message_name(m.type), (unsigned long long)m.number);
        owe(e, &m);
        if (to && m.type == MESSAGE_ERROR && m.error.about == MESSAGE_HELLO)
            to->denied = true;
        if (m.type == MESSAGE_DISPATCH)
            see_dispatch(to, &m);
        else if (m.type == MESSAGE_SETTLED)
            see_settled(to, &m);
        else if (m.type == MESSAGE_QUEUE)
            queues_told(e->peer, &m);
        else if (m.type == MESSAGE_WELCOME && to)
            to->welcomed = true;
        else if (m.type == MESSAGE_ERROR && to && m.error.about == MESSAGE_HELLO)
            to->welcomed = false;
        else if (m.type == MESSAGE_REASONS)
            why_told(arrays, m.count);
        else if (m.type == MESSAGE_BULKS && to)
            bulks_told(to, &m, arrays);
        else if (m.type == MESSAGE_ORDER && to)
            to->barred = m.order.paused || m.order.leave != LEAVE_NOT;
        if (m.type == MESSAGE_JOBS || m.type == MESSAGE_OUTCOMES || m.type == MESSAGE_RUNNING)
            progress_told(&m, arrays);
        if (to && to->key)
            rights_check_told(to, &m, arrays);
    }
}

static bool
is_served(const struct job *j, bool of_its_kind, bool with_needs)
{
    const uint64_t lost_us = (uint64_t)known.options.lost_ms * US_A_MS;
    for (unsigned i = 0; i < CONNECTIONS_MAX; i++) {
        const struct party *p = connected[i];
        if (p && p->welcomed && !p->denied && p->role == ROLE_WORKER && !p->left &&
            p->greeted_us < world_us() && p->seen_us + lost_us / 2 > world_us() &&
            serves(p, keys_queues[j->now_queue]) &&
            (!of_its_kind || !p->kinds[0] || has_word(p->kinds, j->wish.kind)) &&
            (!with_needs || needs_could(p, j)))
            return true;
    }
    return false;
}

bool
frames_served(const struct job *j, bool of_its_kind)
{
    return is_served(j, of_its_kind, false);
}

bool
frames_could(const struct job *j)
{
    return is_served(j, true, true);
}

void
frames_clear(void)
{
    for (struct party *p = parties; p; p = p->hh.next)
        p->left = p->claimed = false;
    traffic.outcomes.count = traffic.claims.count = traffic.cancels.count = 0;
    traffic.retries.count = traffic.submits.count = traffic.dispatches.count = 0;
    traffic.confirmed.count = traffic.started.count = traffic.unlisted.count = 0;
    traffic.changes.count = traffic.deletes.count = 0;
}

void
frames_restart(void)
{
    memset(connected, 0, sizeof connected);
    memset(owed, 0, sizeof owed);
}

void
frames_begin(void)
{
    if (!arrays)
        arrays = calloc(1, sizeof *arrays);
    if (!arrays)
        abort();
    frames_restart();
    frames_clear();
    progress_begin();
}

void
frames_end(void)
{
    struct party *p, *next;
    HASH_ITER (hh, parties, p, next) {
        HASH_DEL(parties, p);
        free(p);
    }
    for (unsigned i = 0; i < SETTLES_MAX; i++)
        free(settles[i].outcomes);
    memset(settles, 0, sizeof settles);
    frames_restart();
}
