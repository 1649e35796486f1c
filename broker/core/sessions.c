/* Sessions of clients as they are stored: the number of the last submission, and the answers to
 * those that may still be asked for again.
 */
#include "sessions.h"

enum {
    FORGOTTEN_A_STEP = 16384, /* answers of sessions that are over */
};

bool
sessions_owner(struct core *core, const uint8_t session[SESSION_BYTES], uint64_t *owner)
{
    struct slice key = session_key(session), value;
    struct row_session row;
    if (!store_get(core->store, STORE_SESSIONS, key, &value) || !row_session_read(key, value, &row))
        return false;
    *owner = row.owner;
    return true;
}

void
sessions_load(struct core *core, struct peer *peer)
{
    struct slice key = session_key(peer->session), value;
    struct row_session row;
    peer->submissions.owner = grant_owner(peer->grant);
    if (!store_get(core->store, STORE_SESSIONS, key, &value))
        return;
    if (!row_session_read(key, value, &row)) {
        core_say(
            core, NOTE_ERROR, "a damaged session row is ignored", NOTE_TEXT("peer", peer->name));
        return;
    }
    peer->submissions.last = row.submission;
    peer->submissions.pruned = row.pruned;
    peer->submissions.owner = row.owner;
    peer->submissions.stored = true;
}

static void
put_session(struct core *core, const struct peer *peer, uint64_t used_ms)
{
    uint8_t bytes[ROW_SESSION_BYTES_MAX];
    const struct row_session row = {.submission = peer->submissions.last,
        .pruned = peer->submissions.pruned,
        .used_ms = used_ms,
        .owner = peer->submissions.owner};
    store_put(core->store, STORE_SESSIONS, session_key(peer->session),
        row_session_write(bytes, peer->session, &row), (struct slice){0});
}

void
sessions_store(struct core *core, struct peer *peer)
{
    if (!peer->submissions.changed)
        return;
    put_session(core, peer, core->clocks.wall_ms);
    core->sessions += !peer->submissions.stored;
    peer->submissions.stored = true;
    peer->submissions.changed = false;
}

/* Removes answers of the session, as many as this step may. The row then says which are left, and
 * that it was never used, so that whatever stops us is made up for by the sweep. True: all is gone.
 */
static bool
forget_some(struct core *core, const uint8_t session[SESSION_BYTES], uint64_t most)
{
    struct slice key, value;
    uint8_t bytes[ANSWER_KEY_BYTES];
    uint64_t gone = 0, number;
    while (store_seek(core->store, STORE_ANSWERS, answer_key(bytes, session, gone), &key, &value) &&
        answer_key_read(key, &number) && memcmp(key.data, session, SESSION_BYTES) == 0) {
        if (core->step.forgotten++ >= most) {
            struct peer left = {0};
            memcpy(left.session, session, SESSION_BYTES);
            sessions_load(core, &left);
            left.submissions.pruned = gone;
            put_session(core, &left, 0);
            return false;
        }
        gone = number;
        store_del(core->store, STORE_ANSWERS, answer_key(bytes, session, gone));
    }
    if (store_del(core->store, STORE_SESSIONS, session_key(session)))
        core->sessions--;
    return true;
}

void
sessions_forget(struct core *core, const uint8_t session[SESSION_BYTES])
{
    if (!forget_some(core, session, FORGOTTEN_A_STEP))
        memcpy(pack_reserve(&core->sweeps.leaving, SESSION_BYTES), session, SESSION_BYTES);
}

void
sessions_forget_more(struct core *core)
{
    uint8_t session[SESSION_BYTES];
    while (core->sweeps.leaving.used > 0 && core->step.forgotten < FORGOTTEN_A_STEP) {
        memcpy(session, core->sweeps.leaving.data + core->sweeps.leaving.used - SESSION_BYTES,
            SESSION_BYTES);
        if (!forget_some(core, session, FORGOTTEN_A_STEP))
            return;
        core->sweeps.leaving.used -= SESSION_BYTES;
    }
}

/* A session that is back before all of it was forgotten begins anew all the same. */
void
sessions_finish(struct core *core, const uint8_t session[SESSION_BYTES])
{
    for (size_t at = 0; at < core->sweeps.leaving.used; at += SESSION_BYTES) {
        uint8_t *entry = core->sweeps.leaving.data + at;
        if (memcmp(entry, session, SESSION_BYTES) != 0)
            continue;
        (void)forget_some(core, session, UINT64_MAX);
        core->sweeps.leaving.used -= SESSION_BYTES;
        memmove(entry, core->sweeps.leaving.data + core->sweeps.leaving.used, SESSION_BYTES);
        return;
    }
}

/* But not before those whose clients waited for a restart have had time to come back: how long they
 * were away is not known for certain then. */
void
sessions_sweep_soon(struct core *core)
{
    uint64_t soon_ms = later(core->clocks.now_ms + 1000, core->clocks.started_ms + SESSION_REST_MS);
    core->sweeps.sessions_ms = earlier(core->sweeps.sessions_ms, soon_ms);
}
