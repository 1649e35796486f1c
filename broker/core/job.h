/* A job: where it is found, every move between the tables, and its description. */
#ifndef JOB_H
#define JOB_H

#include "state.h"

/* A job that was found, with all that is known of it. What reads a record reads it into memory that
 * the next one uses again, so texts and body last until then. */
struct job {
    struct stint_id id; /* what it is called */
    struct stint_id key; /* where it stands: queue, priority, sequence. The same if never moved */
    struct level *level;
    enum place place;
    enum stint_state state;
    struct record record;
    struct lease *lease; /* of a running one; NULL if it was taken from it */
};

/* Errors: false: there is no such job, or it is damaged, and was set aside. */
bool job_find(struct core *core, const struct stint_id *id, struct job *job);
/* The same, of one that stands there. */
bool job_load(struct core *core, const struct stint_id *key, enum place place, struct job *job);
/* The same, of a running one. */
bool job_of_lease(struct core *core, struct lease *lease, struct job *job);

/* The body, put together if it is in parts; borrowed. False if a part is damaged. */
bool job_body(
    struct core *core, const struct stint_id *id, const struct record *record, struct slice *body);
/* What was kept, put together; borrowed. False if a part is damaged. */
bool job_output(struct core *core, const struct stint_id *id, const struct record *record,
    struct slice *output);
/* Keep what a dead job wrote, as far as there is room for it; before it is settled. */
void job_keep_output(struct core *core, struct job *job, struct slice output);

void job_set_aside(
    struct core *core, enum store_table table, const struct stint_id *key, struct slice bytes);
void job_insert(
    struct core *core, struct level *level, const struct stint_id *id, const struct job_spec *spec);
/* The same, of one that is after others: if it waits for any it is blocked, and also if it may not
 * run at all, as whoever inserts it ends it then. */
enum after_fate { AFTER_ALL, AFTER_WAITS, AFTER_NEVER };
struct job_after {
    const struct stint_id *parents;
    uint32_t count, waits; /* parents, and those that it waits for */
    enum after_fate fate;
};
void job_insert_after(struct core *core, struct level *level, const struct stint_id *id,
    const struct job_spec *spec, const struct job_after *after);
/* It waits for no other job any more: it is ready, or scheduled. */
void job_unblock(struct core *core, struct job *job);
/* Give a job that has not succeeded another payload; whoever does so writes or moves it then. */
void job_set_payload(struct core *core, struct job *job, struct slice payload);
/* Its record has changed, and stands where it stood. */
void job_write(struct core *core, const struct job *job);
/* The moves. Whoever moves a running job sees to its lease and its bit in transit. */
void job_settle(struct core *core, struct job *job, enum stint_state to, struct slice result);
/* Until its next run, after one that has ended. */
void job_park(struct core *core, struct job *job, uint64_t due_ms);
void job_unpark(struct core *core, struct job *job);
/* It stands at its old place in dispatch order afterwards. */
void job_make_ready(struct core *core, struct job *job);
/* When a job that is submitted with a time of its own is due, by the broker's time. */
uint64_t job_due(const struct core *core, const struct job_spec *spec);
/* One that waits is due then, or at once, if that is over. */
void job_reschedule(struct core *core, struct job *job, uint64_t due_ms);
/* Its time to begin is over: it is not to be handed out any more. */
static inline bool
job_is_overdue(const struct core *core, const struct record *record)
{
    return record_has(record, FIELD_START_BY) &&
        record->optional[FIELD_START_BY] <= core->clocks.wall_ms;
}

/* It has begun, or is over, so it never expires. Whoever does so writes or moves it then. */
void job_clear_deadline(struct core *core, struct job *job);
/* One that waits and may expire does so when this submit's would, or not at all, if that would not.
 * Whoever does so writes or moves it then. */
void job_take_deadline(struct core *core, struct job *job, const struct job_spec *spec);
/* A dead, cancelled or expired one is ready again. */
void job_revive(struct core *core, struct job *job);
void job_remove_settled(struct core *core, struct job *job);
/* One that waits goes; its record then says that it was cancelled, for those who watch it. */
void job_remove_waiting(struct core *core, struct job *job);
/* A live one goes without a trace, and its record was not read. */
void job_forget(struct core *core, struct level *level, const struct stint_id *id,
    const struct stint_id *key, enum stint_state from, bool chunked);
/* One that does not run stands in this level from now on, behind those that are there. Its id
 * stays. */
void job_move(struct core *core, struct job *job, struct level *level);
/* What the job is called whose record this is. False: that is damaged. */
bool job_name(struct core *core, const struct stint_id *key, const struct record *record,
    struct stint_id *id);

/* So long its outcome is kept, if it succeeds. */
uint64_t job_kept_ms(const struct core *core, const struct job *job);

#endif
