/* The one loop: wait, drain, step, send. Signals come through a descriptor. */
#ifndef LOOP_H
#define LOOP_H

#include "core.h"
#include "router.h"

/* Block the signals the loop handles; call it before any thread is started. Returns the signal
 * descriptor, or -1. */
int loop_block_signals(void);

/* Serve until SIGTERM or SIGINT (what has arrived is still answered), or until the store fails.
 * `on_hangup` is called at SIGHUP. Errors: STINT_IO: nothing after the last commit was answered. */
enum stint_status
loop_run(struct core *core, struct router *router, int signals, void (*on_hangup)(void));

uint64_t loop_now_ms(void);

#endif
