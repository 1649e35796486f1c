/* The one loop: wait, drain, step, send. Signals come through a descriptor. */
#ifndef LOOP_H
#define LOOP_H

#include "core.h"
#include "router.h"

/* Block the signals the loop handles; call it before any thread is started. Returns the signal
 * descriptor, or -1. */
int loop_block_signals(void);

/* What the process around it does; each gets `context`. */
struct loop_hooks {
    void *context;
    void (*on_hangup)(void *context); /* at SIGHUP */
    /* Asked after each commit and before its answers leave: is what was committed where it is
     * looked for after a restart? */
    bool (*is_there)(void *context);
    void (*on_second)(void *context); /* about once a second, also when there is nothing to do */
};

/* Serve until SIGTERM or SIGINT (what has arrived is still answered), or until the store fails.
 * Errors: STINT_IO: nothing after the last commit was answered; STINT_DAMAGED: nor was that. */
enum stint_status loop_run(struct core *core, struct store *store, struct router *router,
    int signals, const struct loop_hooks *hooks);

#endif
