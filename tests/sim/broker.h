/* The broker of the simulated world: the real core, the real numbering of connections and a store,
 * in the loop that the real broker runs (broker/loop.c), with a disk that takes its time and can
 * fail, and a process that can be killed at any moment.
 */
#ifndef SIM_BROKER_H
#define SIM_BROKER_H

#include "core.h"
#include "sim.h"

/* How a broker's next commit ends. */
enum commit_fault {
    COMMIT_LOST, /* it fails, and nothing of it is on disk */
    COMMIT_KEPT, /* it fails, and all of it is on disk */
    COMMIT_TORN, /* an operation before it fails */
};

/* `on_disk`: LMDB in this directory; NULL: the model. */
void broker_begin(const struct core_options *options, struct chance chance, const char *on_disk);
/* Killed now, and started again after a while. */
void broker_kill(uint64_t down_us);
void broker_pause(uint64_t us);
void broker_fail_commit(enum commit_fault how, uint64_t down_us);
void broker_set_clock(int64_t wall_ms); /* moves the wall clock */
void broker_slow_disk(uint64_t until_us, uint64_t commit_us);
void broker_set_room(uint64_t bytes);
struct process *broker_process(void);
/* Ends it for good, and frees everything. Its actor must be let run once more. */
void broker_stop(void);
void broker_end(void);

#endif
