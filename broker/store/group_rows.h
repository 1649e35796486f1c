/* How the rows of groups are laid out. A group is told by the number of its queue and its name,
 * which has no zero in it. Nobody else knows an offset or a size. Numbers are big endian, so that
 * keys are in order; the key seeds the check.
 *
 *     groups       u32 queue, name -> words (struct row_group; one of them is twice `apart`, and 1
 *                  more if `low_first`), places
 *                  u32 queue, 0, 0 -> words of all groups of the queue (struct row_queue_groups)
 *                  u32 queue, 0, 1, u8 priority -> words: jobs of groups in the level that are
 *                  ready, and of them those that stand
 *                  u32 queue, 0, 2, name -> words: the weight that is set for the group
 *     group_lines  u32 queue, name, 0, u8 255 - priority, u64 sequence -> nothing, or u64 check and
 *                  for each that follows in the row how much larger its sequence is than the one
 *                  before (numbers.h)
 *     group_turns  the first 8 bytes of the level's ids, u64 turn, u64 sequence -> u64 check, name
 *     group_due    u64 time, u32 queue, name -> nothing
 *
 * Places are u8 how many, and of each the distance of its sequence from the one before (numbers.h),
 * twice, and one more if a u8 follows, a priority other than that of the one before. The first
 * follows the job that stands.
 */
#ifndef GROUP_ROWS_H
#define GROUP_ROWS_H

#include "numbers.h"
#include "rows.h"

enum {
    GROUP_WORDS = 12,
    GROUP_PLACES = 16, /* in a row, and at either end of a line */
    QUEUE_GROUPS_WORDS = 3,
    LEVEL_GROUPS_WORDS = 2,
    GROUP_WEIGHT_WORDS = 1,
    GROUP_KEY_BYTES_MAX = QUEUE_KEY_BYTES + LIMIT_GROUP_BYTES,
    GROUP_WEIGHT_KEY_BYTES_MAX = QUEUE_KEY_BYTES + 2 + LIMIT_GROUP_BYTES,
    LEVEL_GROUPS_KEY_BYTES = QUEUE_KEY_BYTES + 3,
    QUEUE_GROUPS_KEY_BYTES = QUEUE_KEY_BYTES + 2,
    GROUP_LINE_BYTES_MAX = GROUP_KEY_BYTES_MAX + 1 + 1 + 8,
    GROUP_TURN_KEY_BYTES = LEVEL_KEY_BYTES + 8 + 8,
    GROUP_DUE_KEY_BYTES_MAX = 8 + GROUP_KEY_BYTES_MAX,
    ROW_PLACES_BYTES_MAX = 1 + GROUP_PLACES * (NUMBER_BYTES_MAX + 1),
    ROW_GROUP_BYTES_MAX = ROW_HEAD_BYTES + 8 * GROUP_WORDS + 2 * ROW_PLACES_BYTES_MAX,
    ROW_GROUP_LINE_BYTES_MAX = 8 + GROUP_PLACES * NUMBER_BYTES_MAX,
    ROW_QUEUE_GROUPS_BYTES_MAX = ROW_HEAD_BYTES + 8 * QUEUE_GROUPS_WORDS,
    ROW_LEVEL_GROUPS_BYTES_MAX = ROW_HEAD_BYTES + 8 * LEVEL_GROUPS_WORDS,
    ROW_GROUP_WEIGHT_BYTES_MAX = ROW_HEAD_BYTES + 8 * GROUP_WEIGHT_WORDS,
    ROW_GROUP_TURN_BYTES_MAX = 8 + LIMIT_GROUP_BYTES,
};

/* The turn of a job that is kept apart: it is not handed out by turns. */
#define GROUP_TURN_APART UINT64_MAX

/* Jobs of a group, in order. */
struct group_places {
    uint32_t count;
    uint8_t priority[GROUP_PLACES];
    uint64_t sequence[GROUP_PLACES];
};

struct row_group {
    uint64_t ready; /* jobs that wait in its line, and the one that stands */
    uint64_t out; /* that run, are kept apart, or keep its place until they are tried again */
    uint64_t apart; /* those that are kept apart */
    uint64_t stands; /* sequence of the one that may be handed out; 0: none may */
    uint8_t priority; /* of that one */
    uint64_t turn; /* and when it is its turn */
    uint64_t finish; /* its next turn is not before this */
    uint64_t tokens, filled_ms; /* of its rate, as they were then; filled_ms 0: all */
    uint64_t due_ms; /* its row of STORE_GROUP_DUE; 0: it has none */
    uint64_t far; /* how many of its line are in STORE_GROUP_LINES */
    bool low_first; /* the order of the queue's priorities that `near` is in */
    struct group_places near; /* the first of its line */
    struct group_places tail; /* those that came last, of one priority: none is before `near` */
};

struct row_queue_groups {
    uint64_t turn; /* the latest whose turn it was */
    uint64_t others; /* the next turn of jobs without a group */
    bool walks; /* all its groups are to be looked at, as what is set for them has changed */
};

/* ---- STORE_GROUPS ---- */

enum group_row { GROUP_ROW_QUEUE, GROUP_ROW_LEVEL, GROUP_ROW_WEIGHT, GROUP_ROW_GROUP };

/* Which of them it is, and the name of the group, if it is about one. False: it is none. */
bool group_key_read(struct slice key, enum group_row *which, uint32_t *queue, struct slice *name);

struct slice group_key(uint8_t key[GROUP_KEY_BYTES_MAX], uint32_t queue, struct slice name);
struct slice
row_group_write(uint8_t buffer[ROW_GROUP_BYTES_MAX], struct slice key, const struct row_group *row);
bool row_group_read(struct slice key, struct slice value, struct row_group *row);

struct slice queue_groups_key(uint8_t key[QUEUE_GROUPS_KEY_BYTES], uint32_t queue);
struct slice row_queue_groups_write(uint8_t buffer[ROW_QUEUE_GROUPS_BYTES_MAX], struct slice key,
    const struct row_queue_groups *row);
bool row_queue_groups_read(struct slice key, struct slice value, struct row_queue_groups *row);

struct slice
level_groups_key(uint8_t key[LEVEL_GROUPS_KEY_BYTES], uint32_t queue, uint8_t priority);
struct slice row_level_groups_write(uint8_t buffer[ROW_LEVEL_GROUPS_BYTES_MAX], struct slice key,
    uint64_t ready, uint64_t standing);
bool
row_level_groups_read(struct slice key, struct slice value, uint64_t *ready, uint64_t *standing);

struct slice
group_weight_key(uint8_t key[GROUP_WEIGHT_KEY_BYTES_MAX], uint32_t queue, struct slice name);
struct slice row_group_weight_write(
    uint8_t buffer[ROW_GROUP_WEIGHT_BYTES_MAX], struct slice key, uint32_t weight);
bool row_group_weight_read(struct slice key, struct slice value, uint32_t *weight);

/* ---- STORE_GROUP_LINES ---- */

/* Where a row stands whose first job is that one. */
struct slice group_line_key(uint8_t key[GROUP_LINE_BYTES_MAX], uint32_t queue, struct slice name,
    uint8_t priority, uint64_t sequence);
/* False if it is none. */
bool group_line_key_read(
    struct slice key, uint32_t *queue, struct slice *name, uint8_t *priority, uint64_t *sequence);
/* Of jobs of one priority, at least one, the first of which the key tells. */
struct slice row_group_line_write(
    uint8_t buffer[ROW_GROUP_LINE_BYTES_MAX], struct slice key, const struct group_places *places);
/* False if it is damaged. */
bool row_group_line_read(struct slice key, struct slice value, struct group_places *places);

/* ---- STORE_GROUP_TURNS ---- */

/* Of the job that stands at `key`. */
struct slice
group_turn_key(uint8_t at[GROUP_TURN_KEY_BYTES], const struct stint_id *key, uint64_t turn);
bool group_turn_key_read(struct slice at, struct stint_id *key, uint64_t *turn);
struct slice
row_group_turn_write(uint8_t buffer[ROW_GROUP_TURN_BYTES_MAX], struct slice at, struct slice name);
/* False if it is damaged. The name borrows from `value`. */
bool row_group_turn_read(struct slice at, struct slice value, struct slice *name);

/* ---- STORE_GROUP_DUE ---- */

struct slice group_due_key(
    uint8_t key[GROUP_DUE_KEY_BYTES_MAX], uint64_t due_ms, uint32_t queue, struct slice name);
bool group_due_read(struct slice key, uint64_t *due_ms, uint32_t *queue, struct slice *name);

#endif
