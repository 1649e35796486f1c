/* Do the rows of groups fit to the jobs, and to each other? Part of verify.c: it tells of each job,
 * then has all rows looked at. How many jobs a group has is compared without memory for it: sums of
 * a number that each group has, over its jobs, and over what its row says, have to be the same.
 */
#ifndef VERIFY_GROUPS_H
#define VERIFY_GROUPS_H

#include "state.h"

struct group_check {
    struct store *store;
    struct book *book; /* of the verifier: what its levels and queues count of groups is counted
                          down */
    void (*complain)(void *context, const char *what, const struct stint_id *id);
    void *context;
    uint64_t ready, out; /* sums: what jobs are, less what rows say */
    uint64_t lines; /* jobs that wait in lines, less places that there are */
    uint64_t far; /* a sum: those that have rows, less what groups say of them */
    uint64_t behind, behind_of; /* the last job of the row that was looked at last; whose it is */
    uint64_t turns, dues; /* rows that there should be, less those that there are */
};

/* A job that waits or runs. */
void group_check_job(
    struct group_check *check, const struct stint_id *key, const struct record *record, bool runs);
void group_check_row(struct group_check *check, struct slice key, struct slice value);
void group_check_line(struct group_check *check, struct slice key, struct slice value);
void group_check_turn(struct group_check *check, struct slice key, struct slice value);
void group_check_due(struct group_check *check, struct slice key);
/* After all of them. */
void group_check_end(struct group_check *check);

#endif
