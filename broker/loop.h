/* The one loop: wait, drain, step, send. */
#ifndef LOOP_H
#define LOOP_H

#include "core.h"
#include "router.h"

/* What stands around it; each gets `context`. */
struct loop_hooks {
    void *context;
    int fd; /* readable: `woken` is to be asked at once */
    bool (*woken)(void *context); /* in each turn; true: it is the last one */
    /* Asked after each commit and before its answers leave: is what was committed where it is
     * looked for after a restart? */
    bool (*is_there)(void *context);
    void (*on_second)(void *context); /* about once a second, also when there is nothing to do */
};

/* Serve until `woken` says so (what has arrived is still answered), or until the store fails.
 * Errors: STINT_IO: nothing after the last commit was answered; STINT_DAMAGED: nor was that. */
enum stint_status loop_run(
    struct core *core, struct store *store, struct router *router, const struct loop_hooks *hooks);

#endif
