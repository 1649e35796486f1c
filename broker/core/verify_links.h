/* Do the rows of jobs that wait for others fit to the jobs, and to each other? Part of verify.c: it
 * tells of each job, then has all rows looked at.
 */
#ifndef VERIFY_LINKS_H
#define VERIFY_LINKS_H

#include "state.h"

struct link_check {
    struct store *store;
    struct book *book; /* of the verifier */
    void (*complain)(void *context, const char *what, const struct stint_id *id);
    void *context;
    uint64_t waited, followers; /* jobs that others say that they wait for; rows that say so */
    uint64_t rows, rows_wanted; /* of STORE_PARENTS */
    struct pack_buffer parents; /* of one job */
};

/* A job that is after others knows which, and for how many it waits. */
void
link_check_job(struct link_check *check, const struct stint_id *key, const struct record *record);
void link_check_followers(struct link_check *check, struct slice key, struct slice value);
void link_check_parents(struct link_check *check, struct slice key, struct slice value);
void link_check_ended(struct link_check *check, struct slice key, struct slice value);
/* After all of them. */
void link_check_end(struct link_check *check);

#endif
