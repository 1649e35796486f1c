/* Jobs that expire, as the oracle sees them: one that has begun never does, and none is handed out
 * after its time.
 */
#include "oracle_inside.h"

/* A restart may set the broker's time back, so what was written before it says nothing: nor does a
 * stamp that is less than what the record had, as it may be one of those. */
static void
note_stamps(struct job *j, const struct record *r)
{
    const uint64_t stamps[] = {
        r->submitted_ms, record_get(r, FIELD_SETTLED, 0), record_get(r, FIELD_READY, 0)};
    uint64_t latest_ms = 0;
    for (unsigned i = 0; i < 3; i++)
        latest_ms = stamps[i] > latest_ms ? stamps[i] : latest_ms;
    if (latest_ms > j->stamp_ms && latest_ms > known.stamp_ms)
        known.stamp_ms = latest_ms;
    j->stamp_ms = latest_ms;
}

void
expires_read(struct job *j, const struct record *r)
{
    j->now_start_by_ms = record_get(r, FIELD_START_BY, 0);
    note_stamps(j, r);
}

/* What has begun does not expire, nor does what is over. */
void
expires_check(const struct job *j)
{
    bool ran = j->now.begun || j->now.last == LAST_LOST || j->now.last == LAST_SNOOZED ||
        j->now.last == LAST_OVERTIME || j->now.last == LAST_BEGUN;
    if (j->now.state == STINT_UNKNOWN || !j->now_start_by_ms)
        return;
    if (ran || stint_state_settled(j->now.state))
        sim_broken("%s has begun or is over, and may still expire", job_named(j));
    if (!j->wish.expires_in_ms || (j->start_by_ms && j->start_by_ms != j->now_start_by_ms))
        sim_broken("%s expires when nobody has wished it", job_named(j));
}

void
expires_check_dispatch(const struct job *j)
{
    if (j->now_start_by_ms && j->now_start_by_ms <= known.stamp_ms)
        sim_broken("%s was dispatched after its time", job_named(j));
}
