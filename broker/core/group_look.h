/* A worker looks through the jobs of groups that stand in a level, for one that it has room for. */
#ifndef GROUP_LOOK_H
#define GROUP_LOOK_H

#include "group_passed.h"
#include "groups.h"

struct group_look {
    struct group_turn at; /* it goes on there */
    struct group_turn could; /* it would never have room for any before this one */
    bool passed; /* it has no room for some before */
    bool ends; /* none stands any more */
};

/* The place behind that one. */
struct group_turn group_behind(const struct standing *standing);
/* `scan`: that of the worker's kinds; NULL: it handles all. */
struct group_look
group_look_begin(const struct level *level, const struct worker *worker, const struct scan *scan);
/* It is none for this worker. `never`: nor ever will be. */
void group_look_on(struct group_look *look, const struct standing *standing, bool never);
/* Has the worker what the job needs? That may be held ahead: who comes behind it in its group waits
 * for it anyway. If it has not, the job is passed over. */
bool group_look_fits(struct core *core, const struct worker *worker, struct queue *queue,
    const struct record *record, const struct standing *standing, struct group_look *look);

#endif
