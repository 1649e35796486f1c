/* The gate: every message of a peer passes it before anything else sees it. What its key does not
 * grant is denied, in words that say nothing of what it may not know; rights.c judges.
 */
#include "gate.h"
#include "reply.h"
#include "sessions.h"
#include "submit.h"

/* A session is of the key that made it, as long as anything is known of it. */
static bool
owns(struct core *core, const struct grant *g, const uint8_t session[SESSION_BYTES])
{
    const struct worker *w = fleet_worker(&core->fleet, session);
    const struct peer *p = fleet_peer_of_session(&core->fleet, session);
    uint64_t owner;
    if ((w && strcmp(w->key, g->name) != 0) ||
        (p && (!p->grant || strcmp(p->grant->name, g->name) != 0)))
        return false;
    return !sessions_owner(core, session, &owner) || owner == grant_owner(g);
}

bool
gate_admits_hello(struct core *core, uint32_t number, const struct message *m)
{
    const struct grant *g = core->step.grant;
    struct judgement *j = &core->scratch.judgement;
    rights_judge(g, &core->book, m, core->scratch.decoded, j);
    if (!j->why && g && !owns(core, g, m->hello.session))
        j->why = "this session was not made with this key";
    if (j->why)
        reply_refuse(core, number, m, STINT_DENIED, j->why);
    return !j->why;
}

/* A submission that is not the next one adds nothing, whatever is in it: one that is stored is
 * answered as it was, since a refusal would be a lie, and one that comes too early is refused. */
static bool
adds_nothing(const struct peer *peer, const struct message *m)
{
    return m->type == MESSAGE_SUBMIT && m->number != peer->submissions.last + 1;
}

bool
gate_admits(struct core *core, struct peer *peer, const struct message *m)
{
    struct judgement *j = &core->scratch.judgement;
    rights_judge(peer->grant, &core->book, m, core->scratch.decoded, j);
    if (!j->why || adds_nothing(peer, m))
        return true;
    if (m->type == MESSAGE_SUBMIT)
        submit_refuse(core, peer, m, STINT_DENIED, j->index, j->why);
    else
        reply_refuse(core, peer->number, m, STINT_DENIED, j->why);
    return false;
}
