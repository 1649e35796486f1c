/* The worker's main thread: takes signals, reaps orphans, watches the guard and says what happens,
 * while another thread talks to the broker.
 */
#ifndef KEEPER_H
#define KEEPER_H

#include "guard.h"
#include "runner.h"
#include "stint_worker.h"

struct keeper {
    struct stint_worker *worker;
    struct guard *guard;
    struct runner *runner;
    const char *endpoint;
    uint64_t drain_ms;
    atomic_bool refused; /* since there was a conversation, a broker has said no */
};

/* Before the worker is made: its threads are not to take the signals. */
void keeper_block_signals(void);
/* stint_worker_options.told, with the keeper for context. */
void keeper_told(void *keeper, enum stint_worker_event event, uint32_t running, const char *detail);
/* Runs the worker until it has stopped. */
enum stint_status keeper_run(struct keeper *keeper);

#endif
