/* What time does: parked jobs become due, settled ones expire, sessions are forgotten. All of it in
 * bounded steps inside normal batches.
 *
 * A settled record carries the time it expires; the expiry table only says in which neighbourhood
 * (1,024 sequences of a level) something expires in which slot of time (16 s), so that keeping an
 * outcome costs one row and, now and then, one more.
 */
#include "core_inside.h"

enum {
    DUE_A_STEP = 2048,
    EXPIRED_A_STEP = 16384, /* rows looked at or removed */
    SESSIONS_A_STEP = 512,
    SESSION_REST_MS =
        60000, /* while there are --sessions-max, who was away so long may be forgotten */
    SLOT_SHIFT = 14, /* 2^14 ms */
    NEIGHBOURS = 1024,
    DUE_KEY_BYTES = 8 + STINT_ID_BYTES,
};

static struct stint_id
neighbourhood(const struct stint_id *id)
{
    struct stint_id first = *id;
    id_set_sequence(&first, id_sequence(id) & ~(uint64_t)(NEIGHBOURS - 1));
    return first;
}

static bool
is_key(struct slice key)
{
    return key.size == DUE_KEY_BYTES;
}

static void
split_key(struct slice key, uint64_t *time, struct stint_id *id)
{
    *time = get_be(key.data, 8);
    memcpy(id->bytes, key.data + 8, STINT_ID_BYTES);
}

/* The first row of a table keyed by time and id. */
static bool
first_row(struct core *core, enum store_table table, uint64_t *time, struct stint_id *id)
{
    struct slice key, value, from = {(const uint8_t *)"", 1};
    if (!store_seek(core->store, table, from, &key, &value) || !is_key(key))
        return false;
    split_key(key, time, id);
    return true;
}

static void
time_key(uint8_t key[DUE_KEY_BYTES], uint64_t time, const struct stint_id *id)
{
    put_be(key, time, 8);
    memcpy(key + 8, id->bytes, STINT_ID_BYTES);
}

static void
del_row(struct core *core, enum store_table table, uint64_t time, const struct stint_id *id)
{
    uint8_t key[DUE_KEY_BYTES];
    time_key(key, time, id);
    store_del(core->store, table, (struct slice){key, sizeof key});
}

/* When the slot has begun, all of what it is for is over. */
static uint64_t
slot_of(uint64_t expires_ms)
{
    return (expires_ms >> SLOT_SHIFT) + 1;
}

bool
sweep_is_marked(struct store *store, const struct stint_id *id, uint64_t expires_ms)
{
    uint8_t key[DUE_KEY_BYTES];
    struct slice nothing;
    struct stint_id first = neighbourhood(id);
    time_key(key, slot_of(expires_ms), &first);
    return store_get(store, STORE_EXPIRY, (struct slice){key, sizeof key}, &nothing);
}

void
sweep_mark_expiry(
    struct core *core, struct level *level, const struct stint_id *id, uint64_t expires_ms)
{
    uint64_t slot = slot_of(expires_ms);
    struct stint_id first = neighbourhood(id);
    if (level->expiry_mark == slot && level->expiry_block == id_sequence(&first))
        return;
    uint8_t key[DUE_KEY_BYTES];
    time_key(key, slot, &first);
    store_put(core->store, STORE_EXPIRY, (struct slice){key, sizeof key}, (struct slice){0},
        (struct slice){0});
    level->expiry_mark = slot;
    level->expiry_block = id_sequence(&first);
    core->next_expiry = earlier(core->next_expiry, slot << SLOT_SHIFT);
}

static void
sweep_due(struct core *core)
{
    uint64_t due_ms;
    struct stint_id id;
    for (unsigned n = 0; n < DUE_A_STEP; n++) {
        if (!first_row(core, STORE_DUE, &due_ms, &id)) {
            core->next_due_ms = UINT64_MAX;
            return;
        }
        core->next_due_ms = due_ms;
        if (due_ms > core->wall_ms)
            return;
        struct record r;
        struct level *level = book_level_of(&core->book, &id);
        if (level && job_read(core, STORE_PARKED, &id, &r))
            job_unpark(core, level, &id, &r);
        else
            del_row(core, STORE_DUE, due_ms, &id); /* its record was damaged and is set aside */
    }
}

/* Removes what has expired in a neighbourhood. False if the step's share was used up before its
 * end; then something was removed, so that the next step comes further. */
static bool
sweep_neighbourhood(struct core *core, const struct stint_id *first, uint64_t *share)
{
    bool removed = false;
    struct stint_id at = *first;
    struct slice key, bytes;
    while (store_seek(core->store, STORE_SETTLED, id_key(&at), &key, &bytes)) {
        struct record r;
        if (key.size != STINT_ID_BYTES)
            return true;
        memcpy(at.bytes, key.data, STINT_ID_BYTES);
        struct stint_id home = neighbourhood(&at);
        if (id_compare(&home, first) != 0)
            return true;
        struct level *level = book_level_of(&core->book, &at);
        if (job_read(core, STORE_SETTLED, &at, &r) && level &&
            record_get(&r, FIELD_EXPIRES, 0) <= core->wall_ms) {
            if (*share == 0 && removed)
                return false;
            *share -=
                earlier(*share, (r.body_bytes + record_get(&r, FIELD_OUTPUT, 0)) / PART_BYTES);
            job_remove_settled(core, level, &at, &r);
            removed = true;
        }
        *share -= *share > 0;
        at = id_plus(at, 1);
    }
    return true;
}

static void
sweep_expired(struct core *core)
{
    uint64_t slot;
    struct stint_id first;
    uint64_t share = EXPIRED_A_STEP;
    while (share > 0) {
        if (!first_row(core, STORE_EXPIRY, &slot, &first)) {
            core->next_expiry = UINT64_MAX;
            return;
        }
        core->next_expiry = slot << SLOT_SHIFT;
        if (core->next_expiry > core->wall_ms || !sweep_neighbourhood(core, &first, &share))
            return;
        del_row(core, STORE_EXPIRY, slot, &first);
    }
}

/* A walk over all session rows that goes on where it stopped, a piece at a time. Where no new
 * session fits in, those go that have rested for a while, so that others get on. */
static void
sweep_sessions(struct core *core)
{
    const struct core_options *o = &core->options;
    struct slice key, row;
    uint8_t at[SESSION_BYTES + 1];
    bool full = core->sessions >= o->sessions_max;
    uint64_t keep_ms = full ? earlier(SESSION_REST_MS, o->session_keep_ms) : o->session_keep_ms;
    memcpy(at, core->session_cursor, SESSION_BYTES);
    at[SESSION_BYTES] = 0;
    core->next_session_sweep_ms = core->now_ms + (full ? 0 : 1000);
    for (unsigned n = 0; n < SESSIONS_A_STEP && core->leaving.used == 0; n++) {
        if (!store_seek(core->store, STORE_SESSIONS, (struct slice){at, sizeof at}, &key, &row) ||
            key.size != SESSION_BYTES) {
            memset(core->session_cursor, 0, SESSION_BYTES);
            core->next_session_sweep_ms = core->now_ms + (full ? 1000 : o->session_keep_ms / 16);
            return;
        }
        memcpy(at, key.data, SESSION_BYTES);
        memcpy(core->session_cursor, at, SESSION_BYTES);
        uint64_t used_ms = row.size == 32 ? get_be(row.data + 24, 8) : 0;
        if (core->wall_ms > used_ms + keep_ms && !fleet_peer_of_session(&core->fleet, at)) {
            session_forget(core, at);
            core_say(core, NOTE_DEBUG, "a session that was not used is forgotten",
                NOTE_NUMBER("unused_ms", core->wall_ms - used_ms));
        }
    }
}

/* But not before those whose clients waited for a restart have had time to come back: how long they
 * were away is not known for certain then. */
void
sweep_sessions_soon(struct core *core)
{
    uint64_t soon_ms = later(core->now_ms + 1000, core->started_ms + SESSION_REST_MS);
    core->next_session_sweep_ms = earlier(core->next_session_sweep_ms, soon_ms);
}

void
sweep_all(struct core *core)
{
    if (core->next_due_ms <= core->wall_ms)
        sweep_due(core);
    if (core->next_expiry <= core->wall_ms)
        sweep_expired(core);
    session_forget_more(core);
    if (core->next_session_sweep_ms <= core->now_ms)
        sweep_sessions(core);
}

void
sweep_load(struct core *core)
{
    uint64_t slot;
    struct stint_id id;
    core->next_due_ms = UINT64_MAX;
    first_row(core, STORE_DUE, &core->next_due_ms, &id);
    core->next_expiry = first_row(core, STORE_EXPIRY, &slot, &id) ? slot << SLOT_SHIFT : UINT64_MAX;
}

uint64_t
sweep_next_ms(const struct core *core)
{
    if (core->leaving.used > 0 ||
        (core->sessions >= core->options.sessions_max &&
            core->next_session_sweep_ms <= core->now_ms))
        return 0;
    return earlier(core->next_due_ms, core->next_expiry);
}
