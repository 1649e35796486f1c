/* What workers have, and leases take of it. */
#ifndef FLEET_HAS_H
#define FLEET_HAS_H

#include "fleet.h"

/* What it has, a canonical text; empty: nothing. What its jobs need is taken from it. */
void fleet_worker_has(struct worker *worker, struct slice has);
/* Could it run a job that needs this, if it held nothing else? */
bool fleet_worker_could(const struct worker *worker, const struct needs *needs);
/* What the job needs, which is the lease's from now on. */
void fleet_lease_need(struct lease *lease, struct needs *needs);

#endif
