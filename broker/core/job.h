/* The moves of a job between tables; its description; the marks of when it expires. */
#ifndef JOB_H
#define JOB_H

#include "state.h"

/* A piece of a large body as it is stored, checked. */
bool part_read(struct store *store, const struct stint_id *id, uint32_t part, struct slice *piece);
/* The body, put together if it is in parts; borrowed. False if a part is damaged. */
bool job_body(
    struct core *core, const struct stint_id *id, const struct record *record, struct slice *body);
/* What was kept, put together; borrowed. False if a part is damaged. */
bool job_output(struct core *core, const struct stint_id *id, const struct record *record,
    struct slice *output);
/* Keep what a dead job wrote, as far as there is room for it; before it is settled. */
void job_keep_output(
    struct core *core, const struct stint_id *id, struct record *record, struct slice output);
void job_drop_output(struct core *core, const struct stint_id *id, struct record *record);
void job_set_aside(
    struct core *core, enum store_table table, const struct stint_id *id, struct slice bytes);
bool job_read(
    struct core *core, enum store_table table, const struct stint_id *id, struct record *record);
enum place job_find(struct core *core, const struct stint_id *id, struct record *record);
void job_write(struct core *core, enum store_table table, const struct stint_id *id,
    const struct record *record);
void job_insert(
    struct core *core, struct level *level, const struct stint_id *id, const struct job_spec *spec);
void job_forget(struct core *core, struct level *level, const struct stint_id *id,
    enum stint_state from, bool parted);
/* Is there a mark for an outcome that expires then? */
bool job_is_marked(struct store *store, const struct stint_id *id, uint64_t expires_ms);
void job_mark_expiry(
    struct core *core, struct level *level, const struct stint_id *id, uint64_t expires_ms);
void job_settle(struct core *core, struct level *level, const struct stint_id *id, enum place place,
    enum stint_state from, struct record *record, enum stint_state to, struct slice result);
void job_park(struct core *core, struct level *level, const struct stint_id *id,
    enum stint_state from, struct record *record, uint64_t due_ms);
void job_unpark(
    struct core *core, struct level *level, const struct stint_id *id, struct record *record);
void job_make_ready(struct core *core, struct level *level, const struct stint_id *id,
    enum stint_state from, const struct record *record);
void job_remove_settled(
    struct core *core, struct level *level, const struct stint_id *id, const struct record *record);
void job_describe(struct core *core, const struct stint_id *id, enum place place,
    const struct record *record, struct stint_job_info *info);
/* A mark is for a slot of 2^14 ms, which has begun when all of it is over. */
enum { EXPIRY_SLOT_SHIFT = 14 };

/* Where the marks of what expires say that something does: the first id of 1,024 neighbours. */
struct stint_id job_neighbourhood(const struct stint_id *id);

#endif
