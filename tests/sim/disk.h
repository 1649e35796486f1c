/* The simulated broker's disk: a journal on segments in memory, and behind it the checkpoint. In
 * one mode that is the model store, which knows what was committed; in the other the real LMDB
 * store, whose writes and syncs this program catches. What was written since the last flush may be
 * lost at a crash, of both, any of it, torn at 512 bytes.
 */
#ifndef SIM_DISK_H
#define SIM_DISK_H

#include "broker.h"

/* An empty disk. `directory` NULL: the model. */
void disk_begin(const char *directory);
void disk_end(void);
/* What is on it, for a broker that starts. */
struct store *disk_open(const char *directory);
/* The broker has begun with it. */
void disk_started(struct store *store);
/* A moment has passed; the broker makes a checkpoint now and then. */
void disk_tend(struct store *store, struct chance *chance);
/* Its process is gone: what was not synced is lost, or not. */
void disk_crash(struct store **store, struct chance *chance);
/* The next commit fails. */
void disk_fail(enum commit_fault how, struct chance *chance);
/* No, it does not: the step it was meant for is over. */
void disk_spare(void);
/* What the store says that new jobs may take; the model only. */
void disk_set_room(uint64_t bytes);

#endif
