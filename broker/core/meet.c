/* What a submit meets; the contract is in meet.h. A row of STORE_UNIQUE names the job, and the
 * job's record says what holding means: one that holds its key while it waits lets go of it by
 * being handed out, without a word to the store, and whoever comes next finds that here.
 */
#include "meet.h"
#include "apart.h"
#include "unique.h"
#include "watch.h"

/* One whose time to begin is over will not run: the clock has not come to it yet. */
static bool
holds(const struct core *core, const struct job *job, struct slice unique)
{
    const struct record *r = &job->record;
    bool waiting_only = record_get(r, FIELD_UNIQUE_FLAGS, 0) & UNIQUE_WAITING;
    if (job->state == STINT_RUNNING ? waiting_only : job_is_overdue(core, r))
        return false;
    return job->place != PLACE_SETTLED && r->unique.size == unique.size &&
        memcmp(r->unique.data, unique.data, unique.size) == 0;
}

/* One that waits takes what the new one brings. */
static void
change(struct core *core, struct job *job, const struct job_spec *spec)
{
    apart_forget(core, &job->key);
    if (spec->unique_flags & UNIQUE_REPLACE)
        job_set_payload(core, job, spec->payload);
    if (spec->unique_flags & UNIQUE_MOVE) /* else one that is put off again and again expires */
        job_take_deadline(core, job, spec);
    job_write(core, job);
    if (spec->unique_flags & UNIQUE_MOVE)
        job_reschedule(core, job, job_due(core, spec));
    if (job->place == PLACE_LIVE && !record_has(&job->record, FIELD_GROUP))
        book_ready_at(job->level, id_sequence(&job->key)); /* it was apart */
    watch_event(core, STINT_EVENT_CHANGED, job->level, &job->id, job->record.attempt);
}

/* Who holds the key, if it is a job that is there; one that has succeeded may hold it, too, and is
 * `*gone` then. */
static bool
find_holder(struct core *core, const struct queue *q, const struct job_spec *spec, struct job *job,
    bool *gone)
{
    struct row_unique row;
    if (!unique_find(core, q->number, spec->unique, &row))
        return false;
    job->id = row.id;
    *gone = row.until_ms != 0;
    return *gone || (job_find(core, &row.id, job) && holds(core, job, spec->unique));
}

bool
meet_any(struct core *core, const struct queue *q, const struct job_spec *spec)
{
    struct job job;
    bool gone;
    return find_holder(core, q, spec, &job, &gone);
}

enum stint_met
meet_holder(
    struct core *core, const struct queue *q, const struct job_spec *spec, struct stint_id *id)
{
    struct job job;
    bool gone;
    if (!find_holder(core, q, spec, &job, &gone))
        return STINT_MET_NOTHING;
    *id = job.id;
    if (gone || job.state == STINT_RUNNING ||
        !(spec->unique_flags & (UNIQUE_REPLACE | UNIQUE_MOVE)))
        return STINT_MET_JOB;
    change(core, &job, spec);
    return STINT_MET_CHANGED;
}

bool
meet_is_free(struct core *core, uint32_t queue, struct job *job)
{
    const struct record *r = &job->record;
    uint8_t bytes[LIMIT_UNIQUE_BYTES];
    struct slice unique = {bytes, r->unique.size};
    struct stint_id key = job->key;
    enum place place = job->place;
    struct row_unique row;
    struct job holder;
    if (!record_has(r, FIELD_UNIQUE) || !unique_find(core, queue, r->unique, &row) ||
        id_compare(&row.id, &job->id) == 0)
        return true;
    if (row.until_ms)
        return false;
    memcpy(bytes, r->unique.data, unique.size);
    bool held = job_find(core, &row.id, &holder) && holds(core, &holder, unique);
    return job_load(core, &key, place, job) && !held;
}
