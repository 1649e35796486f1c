/* What jobs can need of a worker: what was said, and else the cores and the memory that it may use
 * here, by its affinity, its machine, and the limits of the cgroups that it is in.
 */
#ifndef STOCK_H
#define STOCK_H

#include "needs.h"

struct stock {
    uint64_t cpus; /* in thousandths of a core */
    uint64_t memory_bytes;
};

/* Of this process and its machine. */
struct stock stock_of_machine(void);
/* Lowers it to the limits of the cgroups, version 2, that `members` (a file as /proc/self/cgroup)
 * names under `mount`, and of those above them. What is not there limits nothing. */
void stock_limit(struct stock *stock, const char *members, const char *mount);

/* What a worker has: what was said (NULL: nothing), and cpus and mem of the stock, where they were
 * not said. `text` is canonical then. Returns NULL, or what is wrong with what was said. */
const char *
stock_write(const struct stock *stock, const char *said, char text[LIMIT_HAS_BYTES + 1]);

#endif
