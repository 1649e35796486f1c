/* What clients of the simulated world want of jobs. */
#ifndef SIM_WISHES_H
#define SIM_WISHES_H

#include "oracle.h"
#include "peers.h"

extern const char *const wishes_kinds[3];

/* What a worker has: all that is ever needed, or maybe less. */
const char *wishes_has(bool all, struct chance *chance);
/* Mostly for a queue that the key is for. */
struct wish wishes_make(const struct load *load, const struct grant *key, struct chance *chance);
/* It may be after others: of its own submission, before it, whose first number that is; or, if
 * there is no key, of earlier ones. */
void wishes_wait(struct wish *wish, const struct load *load, const struct grant *key,
    uint32_t first, uint32_t place, struct chance *chance);
/* What a client submits for it, without the payload; `ids` are those that it is after. */
struct stint_job wishes_job(const struct wish *wish, uint32_t first, struct stint_id ids[2]);

#endif
