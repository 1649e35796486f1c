/* A seed's plan: how the world is, and which faults happen in it when. All of it is drawn before
 * the world begins, so that a fault can be left out and the rest stays as it was: that is how a
 * failing plan is made small.
 */
#ifndef SIM_PLAN_H
#define SIM_PLAN_H

#include "core.h"
#include "peers.h"

enum fault_kind {
    FAULT_KILL_BROKER,
    FAULT_FAIL_COMMIT,
    FAULT_PAUSE_BROKER,
    FAULT_SLOW_DISK,
    FAULT_SET_CLOCK,
    FAULT_FULL_STORE,
    FAULT_KILL_PEER,
    FAULT_STOP_WORKER,
    FAULT_PAUSE_PEER,
    FAULT_BREAK,
    FAULT_CUT,
    FAULT_SLOW,
    FAULT_BRITTLE,
    FAULT_WILD,
    FAULT_KINDS
};

struct fault {
    enum fault_kind kind;
    uint64_t at_us, us; /* when, and how long it lasts */
    unsigned who; /* which peer */
    uint64_t with; /* what else it needs */
};

enum { FAULTS_MAX = 64 };

struct plan {
    uint64_t seed;
    struct load load;
    struct core_options options;
    struct fault faults[FAULTS_MAX];
    unsigned count;
    uint64_t end_us; /* faults stop then */
};

void plan_make(struct plan *plan, uint64_t seed);
void plan_apply(const struct fault *fault);
/* Faults stop: what was cut is joined, what stood still goes on. */
void plan_heal(const struct plan *plan);
const char *plan_text(const struct fault *fault);

#endif
