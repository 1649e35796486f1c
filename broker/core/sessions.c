/* Sessions of clients as they are stored: the number of the last submission, and the answers to
 * those that may still be asked for again.
 */
#include "sessions.h"

enum {
    SESSION_ROW_BYTES = 32, /* check, last submission, pruned, used (wall clock) */
    FORGOTTEN_A_STEP = 16384, /* answers of sessions that are over */
};

static struct slice
session_key(const uint8_t session[SESSION_BYTES])
{
    return (struct slice){session, SESSION_BYTES};
}

bool
sessions_read(struct slice row, uint64_t *submission, uint64_t *pruned)
{
    if (row.size != SESSION_ROW_BYTES ||
        get_be(row.data, 8) != record_check(row.data + 8, SESSION_ROW_BYTES - 8, 0))
        return false;
    *submission = get_be(row.data + 8, 8);
    *pruned = get_be(row.data + 16, 8);
    return true;
}

void
sessions_load(struct core *core, struct peer *peer)
{
    struct slice row;
    if (!store_get(core->store, STORE_SESSIONS, session_key(peer->session), &row))
        return;
    if (sessions_read(row, &peer->submission, &peer->pruned))
        peer->session_stored = true;
    else
        core_say(
            core, NOTE_ERROR, "a damaged session row is ignored", NOTE_TEXT("peer", peer->name));
}

static void
put_session(struct core *core, const struct peer *peer, uint64_t used_ms)
{
    uint8_t row[SESSION_ROW_BYTES];
    put_be(row + 8, peer->submission, 8);
    put_be(row + 16, peer->pruned, 8);
    put_be(row + 24, used_ms, 8);
    put_be(row, record_check(row + 8, sizeof row - 8, 0), 8);
    store_put(core->store, STORE_SESSIONS, session_key(peer->session),
        (struct slice){row, sizeof row}, (struct slice){0});
}

void
sessions_store(struct core *core, struct peer *peer)
{
    if (!peer->session_changed)
        return;
    put_session(core, peer, core->clocks.wall_ms);
    core->sessions += !peer->session_stored;
    peer->session_stored = true;
    peer->session_changed = false;
}

/* Removes answers of the session, as many as this step may. The row then says which are left, and
 * that it was never used, so that whatever stops us is made up for by the sweep. True: all is gone.
 */
static bool
forget_some(struct core *core, const uint8_t session[SESSION_BYTES], uint64_t most)
{
    struct slice key, value;
    uint8_t from[SESSION_BYTES + 8];
    memcpy(from, session, SESSION_BYTES);
    memset(from + SESSION_BYTES, 0, 8);
    while (
        store_seek(core->store, STORE_ANSWERS, (struct slice){from, sizeof from}, &key, &value) &&
        key.size == sizeof from && memcmp(key.data, session, SESSION_BYTES) == 0) {
        if (core->step.forgotten++ >= most) {
            struct peer left = {0};
            memcpy(left.session, session, SESSION_BYTES);
            sessions_load(core, &left);
            left.pruned = get_be(from + SESSION_BYTES, 8);
            put_session(core, &left, 0);
            return false;
        }
        memcpy(from, key.data, sizeof from);
        store_del(core->store, STORE_ANSWERS, (struct slice){from, sizeof from});
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
