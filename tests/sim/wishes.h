/* What clients of the simulated world want of jobs. */
#ifndef SIM_WISHES_H
#define SIM_WISHES_H

#include "oracle.h"
#include "peers.h"

extern const char *const wishes_kinds[3];

/* Mostly for a queue that the key is for. */
struct wish wishes_make(const struct load *load, const struct grant *key, struct chance *chance);
/* What a client submits for it, without the payload. */
struct stint_job wishes_job(const struct wish *wish);

#endif
