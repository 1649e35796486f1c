/* A group in memory, and turns of this step: who comes to stand in a step is often handed out in
 * it, so its turn is written to the store at the end of the step, if it stands then. Until then it
 * is in a heap of its level.
 */
#ifndef GROUP_TURNS_H
#define GROUP_TURNS_H

#include "state.h"

enum {
    GROUP_KEY_HEAD = 8,
    GROUP_NAME_ROOM = (LIMIT_GROUP_BYTES + 7) / 8 * 8,
};

/* A group that was looked at; it may be one that there is not, or no more. Whoever changes its row
 * marks it. What is looked at to find it comes first, as it is seldom in a cache. */
struct group {
    UT_hash_handle hh;
    uint32_t weight;
    bool stored, changed;
    bool fresh; /* the turn of its job that stands is not in the store yet (group_turns.h) */
    uint8_t name_bytes;
    struct queue *queue;
    struct row_group row;
    struct group *next_changed;
    /* Number of the queue, size of the name; the name. */
    uint8_t key[GROUP_KEY_HEAD + GROUP_NAME_ROOM];
};

static inline struct slice
group_name(const struct group *g)
{
    return (struct slice){g->key + GROUP_KEY_HEAD, g->name_bytes};
}

/* The group's job stands there from now on: group->row tells which, and when it is its turn. */
void turns_add(struct level *level, struct group *group);
/* It stands no more, if it is one of these; else its turn is in the store. */
bool turns_remove(struct level *level, struct group *group);
/* The first of them; NULL: there is none. */
const struct group *turns_first(struct level *level);
/* They are in the store from now on. */
void turns_write(struct core *core, struct level *level);
/* A row of STORE_GROUP_TURNS. */
void turns_put(struct core *core, const struct stint_id *key, uint64_t turn, struct slice name);

#endif
