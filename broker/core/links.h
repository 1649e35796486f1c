/* Which jobs wait for which, as rows; after.h has what comes of it. A job that is *after* others
 * has rows of STORE_PARENTS with their ids as long as it is there, or, if that is one alone of its
 * own queue and priority, FIELD_PARENT. For each that it waits for it is in a row of
 * STORE_FOLLOWERS until that one has ended and it was told; followers of the same one whose ids
 * are neighbours share a row. What has ended, and has followers to be told, is in
 * core->sweeps.links, and, what is left of it at the end of a step, in STORE_ENDED, with which a
 * restart goes on. All go by ids, so jobs may be moved.
 *
 * A job without any of it comes nowhere near: FIELD_AFTER says that it has parents, FIELD_FOLLOWED
 * that it may have followers.
 */
#ifndef LINKS_H
#define LINKS_H

#include "state.h"

/* The job, which is new, is after these: notes them in its record, or as rows, and tells how many
 * bytes those have. */
size_t links_add(struct store *store, const struct stint_id *id, struct record *record,
    const struct stint_id *parents, uint32_t count);
/* And it waits for this one of them. */
void links_follow(struct core *core, const struct stint_id *parent, const struct stint_id *id);
/* Ids of those that it is, or was, after, one behind the other, written at the end of `ids`. False
 * if one of the rows is damaged. */
bool links_parents(struct store *store, const struct stint_id *id, const struct record *record,
    struct pack_buffer *ids);
/* Does it wait for this one of them? As the rows say, so not within a step. */
bool
links_wait_for(struct store *store, const struct stint_id *parent, const struct stint_id *follower);
/* Does it wait for others, as its record says? */
bool links_blocked(struct store *store, struct book *book, const struct stint_id *id);
/* It waits for none of them any more. What a step has no time for, and who stands between others in
 * a row, stays there, and is passed over when the row is told. */
void links_cut(struct core *core, const struct stint_id *id, const struct record *record);
/* The job is no more. */
void links_forget(struct core *core, const struct stint_id *id, const struct record *record);

/* It has ended so, and its followers are to be told. */
void links_ended(struct core *core, const struct stint_id *id, enum stint_state state);
/* Are they being told that it has ended? */
bool links_are_told(struct core *core, const struct stint_id *id);
/* Its record is damaged and is set aside: it is waited for no longer, and waits for none, but that
 * the one that its record alone named has it among its followers until it ends. */
void links_set_aside(struct core *core, const struct stint_id *id);

/* Is there one whose followers are to be told? */
static inline bool
links_wait(const struct core *core)
{
    return core->sweeps.links.rows || core->sweeps.links.first < core->sweeps.links.count;
}

/* The first of them, those that were left by earlier steps before those of this one; false: there
 * is none. It stays the first until links_take_follower finds none. */
bool links_next_ended(struct core *core, struct linked_end *ended);
/* Takes off one of its followers; false: there is none, and it is off the list. */
bool
links_take_follower(struct core *core, const struct linked_end *ended, struct stint_id *follower);
/* What is left goes into the store. */
void links_end_step(struct core *core);
/* At start: is there anybody to be told? */
void links_load(struct core *core);

#endif
