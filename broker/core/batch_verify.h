/* Do batches and their jobs fit together? For the verifier (verify.c). Nothing is changed. */
#ifndef BATCH_VERIFY_H
#define BATCH_VERIFY_H

#include "state.h"

struct batch_verify {
    struct store *store;
    struct book *book;
    uint64_t jobs, members; /* jobs that are in a batch; rows that say so */
    void (*complain)(void *context, const char *what, const struct stint_id *id);
    void *context;
};

/* A job was read that stands there. */
void batch_verify_job(struct batch_verify *v, const struct stint_id *id, const struct record *r);
/* All jobs were read: the rows. `damaged` records were set aside: of those nobody knows whether
 * they were in a batch. */
void batch_verify_rows(struct batch_verify *v, uint64_t damaged);

#endif
