/* What time does: scheduled jobs become due, settled ones expire, as do jobs that have not begun in
 * time, sessions are forgotten. All of it in
 * bounded steps inside normal batches.
 *
 * A settled record carries the time it expires; the expiry table only says in which
 * neighbourhood (1,024 sequences of a level) something expires in which slot of time (16 s), so
 * that keeping an outcome costs one row and, now and then, one more.
 */
#include "sweep.h"
#include "after.h"
#include "attempt.h"
#include "feed.h"
#include "group_time.h"
#include "job.h"
#include "links.h"
#include "queues.h"
#include "schedule.h"
#include "sessions.h"
#include "unique.h"

enum {
    DUE_A_STEP = 2048,
    DEADLINES_A_STEP = 2048,
    EXPIRED_A_STEP = 16384, /* rows looked at or removed */
    SESSIONS_A_STEP = 512,
};

/* The first row of a table keyed by time and id. */
static bool
first_row(struct core *core, enum store_table table, uint64_t *time, struct stint_id *id)
{
    struct slice key, value, from = {(const uint8_t *)"", 1};
    return store_seek(core->store, table, from, &key, &value) && time_key_read(key, time, id);
}

static void
del_row(struct core *core, enum store_table table, uint64_t time, const struct stint_id *id)
{
    uint8_t key[TIME_KEY_BYTES];
    store_del(core->store, table, time_key(key, time, id));
}

static void
sweep_due(struct core *core)
{
    uint64_t due_ms;
    struct stint_id id;
    for (unsigned n = 0; n < DUE_A_STEP; n++) {
        if (!first_row(core, STORE_DUE, &due_ms, &id)) {
            core->sweeps.due_ms = UINT64_MAX;
            return;
        }
        core->sweeps.due_ms = due_ms;
        if (due_ms > core->clocks.wall_ms)
            return;
        struct job job;
        if (job_load(core, &id, PLACE_PARKED, &job))
            job_unpark(core, &job);
        else
            del_row(core, STORE_DUE, due_ms, &id); /* its record was damaged and is set aside */
    }
}

/* The job that stands there and would expire then, if it waits. */
static bool
find_overdue(struct core *core, uint64_t by_ms, const struct stint_id *key, struct job *job)
{
    bool found = job_load(core, key, PLACE_LIVE, job) || job_load(core, key, PLACE_PARKED, job);
    return found && !job->lease && record_get(&job->record, FIELD_START_BY, 0) == by_ms;
}

/* Jobs whose time to begin is over. One that a worker has may still begin, and its row goes: it
 * gets another one when it comes back. */
static void
sweep_deadlines(struct core *core)
{
    uint64_t by_ms;
    struct stint_id key;
    for (unsigned n = 0; n < DEADLINES_A_STEP; n++) {
        if (!first_row(core, STORE_DEADLINES, &by_ms, &key)) {
            core->sweeps.deadline_ms = UINT64_MAX;
            return;
        }
        core->sweeps.deadline_ms = by_ms;
        if (by_ms > core->clocks.wall_ms)
            return;
        struct job job;
        if (find_overdue(core, by_ms, &key, &job))
            attempt_expire(core, &job);
        else
            del_row(core, STORE_DEADLINES, by_ms, &key);
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
        struct job job;
        if (key.size != STINT_ID_BYTES)
            return true;
        memcpy(at.bytes, key.data, STINT_ID_BYTES);
        struct stint_id home = expiry_first(&at);
        if (id_compare(&home, first) != 0)
            return true;
        if (job_load(core, &at, PLACE_SETTLED, &job) &&
            record_get(&job.record, FIELD_EXPIRES, 0) <= core->clocks.wall_ms) {
            if (*share == 0 && removed)
                return false;
            *share -= earlier(*share,
                (job.record.body_bytes + record_get(&job.record, FIELD_OUTPUT, 0)) / PART_BYTES);
            job_remove_settled(core, &job);
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
            core->sweeps.expiry_ms = UINT64_MAX;
            return;
        }
        core->sweeps.expiry_ms = slot << EXPIRY_SLOT_SHIFT;
        if (core->sweeps.expiry_ms > core->clocks.wall_ms ||
            !sweep_neighbourhood(core, &first, &share))
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
    bool full = core->sessions >= o->max.sessions;
    uint64_t keep_ms = full ? earlier(SESSION_REST_MS, o->session_keep_ms) : o->session_keep_ms;
    memcpy(at, core->sweeps.session, SESSION_BYTES);
    at[SESSION_BYTES] = 0;
    core->sweeps.sessions_ms = core->clocks.now_ms + (full ? 0 : 1000);
    for (unsigned n = 0; n < SESSIONS_A_STEP && core->sweeps.leaving.used == 0; n++) {
        if (!store_seek(core->store, STORE_SESSIONS, (struct slice){at, sizeof at}, &key, &row) ||
            key.size != SESSION_BYTES) {
            memset(core->sweeps.session, 0, SESSION_BYTES);
            core->sweeps.sessions_ms =
                core->clocks.now_ms + (full ? 1000 : o->session_keep_ms / 16);
            return;
        }
        memcpy(at, key.data, SESSION_BYTES);
        memcpy(core->sweeps.session, at, SESSION_BYTES);
        struct row_session session = {0};
        if (!row_session_read(key, row, &session))
            core_say(core, NOTE_ERROR, "a damaged session row is not kept",
                NOTE_NUMBER("bytes", row.size));
        if (core->clocks.wall_ms > session.used_ms + keep_ms &&
            !fleet_peer_of_session(&core->fleet, at)) {
            sessions_forget(core, at);
            core_say(core, NOTE_DEBUG, "a session that was not used is forgotten",
                NOTE_NUMBER("unused_ms", core->clocks.wall_ms - session.used_ms));
        }
    }
}

/* ---- the chores ---- */

static uint64_t
until(uint64_t due_ms, uint64_t now_ms)
{
    return due_ms > now_ms ? due_ms - now_ms : 0;
}

static uint64_t
due_in(const struct core *core)
{
    return until(core->sweeps.due_ms, core->clocks.wall_ms);
}

static uint64_t
expiry_in(const struct core *core)
{
    return until(core->sweeps.expiry_ms, core->clocks.wall_ms);
}

static uint64_t
deadline_in(const struct core *core)
{
    return until(core->sweeps.deadline_ms, core->clocks.wall_ms);
}

static uint64_t
unique_in(const struct core *core)
{
    return until(core->sweeps.unique_ms, core->clocks.wall_ms);
}

static uint64_t
ended_in(const struct core *core)
{
    return links_wait(core) ? 0 : UINT64_MAX;
}

static uint64_t
leaving_in(const struct core *core)
{
    return core->sweeps.leaving.used > 0 ? 0 : UINT64_MAX;
}

static uint64_t
sessions_in(const struct core *core)
{
    return until(core->sweeps.sessions_ms, core->clocks.now_ms);
}

static uint64_t
queues_in(const struct core *core)
{
    return until(core->sweeps.queues_ms, core->clocks.now_ms);
}

/* What time brings: in how many milliseconds it is due, and what is done then, one bounded step of
 * it in a step of the core. */
struct chore {
    enum sweep_when when;
    uint64_t (*due_in)(const struct core *core);
    void (*step)(struct core *core);
};

static const struct chore chores[] = {
    {SWEEP_FIRST, deadline_in, sweep_deadlines},
    {SWEEP_FIRST, ended_in, after_step},
    {SWEEP_FIRST, due_in, sweep_due},
    {SWEEP_FIRST, schedule_due_in, schedule_sweep},
    {SWEEP_FIRST, group_due_in, group_due_step},
    {SWEEP_FIRST, group_walk_in, group_walk_step},
    {SWEEP_FIRST, expiry_in, sweep_expired},
    {SWEEP_FIRST, unique_in, unique_sweep},
    {SWEEP_FIRST, leaving_in, sessions_forget_more},
    {SWEEP_FIRST, sessions_in, sweep_sessions},
    {SWEEP_FIRST, feed_idle_ms, feed_sweep},
    {SWEEP_LAST, queues_in, queues_sweep},
};

enum { CHORES = sizeof chores / sizeof *chores };

void
sweep(struct core *core, enum sweep_when when)
{
    for (unsigned i = 0; i < CHORES; i++)
        if (chores[i].when == when && chores[i].due_in(core) == 0)
            chores[i].step(core);
}

uint64_t
sweep_idle_ms(const struct core *core)
{
    uint64_t idle_ms = UINT64_MAX;
    for (unsigned i = 0; i < CHORES; i++)
        idle_ms = earlier(idle_ms, chores[i].due_in(core));
    return idle_ms;
}

void
sweep_load(struct core *core)
{
    uint64_t slot;
    struct stint_id id;
    core->sweeps.due_ms = UINT64_MAX;
    first_row(core, STORE_DUE, &core->sweeps.due_ms, &id);
    core->sweeps.expiry_ms =
        first_row(core, STORE_EXPIRY, &slot, &id) ? slot << EXPIRY_SLOT_SHIFT : UINT64_MAX;
    core->sweeps.deadline_ms = UINT64_MAX;
    first_row(core, STORE_DEADLINES, &core->sweeps.deadline_ms, &id);
    unique_load(core);
    links_load(core);
}
