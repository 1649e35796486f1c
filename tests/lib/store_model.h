/* A store in memory for tests: sorted arrays, far simpler than the real one. It knows what was
 * committed, and can lose the rest as a power loss would. */
#ifndef STORE_MODEL_H
#define STORE_MODEL_H

#include "store.h"

struct store *store_model_new(void);
/* Forget all that was not committed. */
void store_model_crash(struct store *store);
/* The commit after the next `n` fails, and everything from then on. */
void store_model_fail_commit(struct store *store, unsigned n);
/* The same, but that commit is on disk: the failure came after it. */
void store_model_fail_after_commit(struct store *store, unsigned n);
/* The operation after the next `n` fails, and with it its transaction. */
void store_model_fail_operation(struct store *store, unsigned n);
/* What was told to fail, and has not yet, will not. */
void store_model_spare(struct store *store);
/* Commits say that they are durable and are not: a crash loses all since this began. */
void store_model_lazy(struct store *store, bool lazy);
/* What room says; UINT64_MAX at first. */
void store_model_set_room(struct store *store, uint64_t room);
/* Do two stores hold the same rows? */
bool store_model_equal(struct store *a, struct store *b);
/* Rows of a table. */
size_t store_model_count(struct store *store, enum store_table table);
/* Flip a bit in the value of the first row of a table. */
void store_model_damage(struct store *store, enum store_table table);

#endif
