/* The simulated broker's disk. One mode is the model store, which knows what was committed. The
 * other is the real LMDB store, whose writes and syncs this program catches: what was written since
 * the last sync may be lost at a crash, any of it, torn at 512 bytes.
 */
#ifndef SIM_DISK_H
#define SIM_DISK_H

#include "broker.h"

/* An empty disk. `directory` NULL: the model. */
void disk_begin(const char *directory);
void disk_end(void);
/* What is on it, for a broker that starts. */
struct store *disk_open(const char *directory);
/* Its process is gone: what was not synced is lost, or not. */
void disk_crash(struct store **store, struct chance *chance);
/* The next commit fails. */
void disk_fail(struct store *store, enum commit_fault how, struct chance *chance);
/* No, it does not: the step it was meant for is over. */
void disk_spare(struct store *store);
/* What the store says that new jobs may take; the model only. */
void disk_set_room(struct store *store, uint64_t bytes);

#endif
