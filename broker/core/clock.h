/* The broker's time. */
#ifndef CLOCK_H
#define CLOCK_H

#include "state.h"

bool clock_load(struct core *core);
void clock_set(struct core *core, uint64_t passed_ms, uint64_t wall_ms);
/* This moment is over: whatever comes after it comes at a later time, also after a restart. The
 * broker's time is ahead by a millisecond then, until that has passed: callers see to it that
 * `ticked_ms` stays small. */
void clock_tick(struct core *core);
/* A stored time as the wall clock has it now, for people. */
uint64_t clock_told(const struct core *core, uint64_t stored_ms);
/* And the other way: a time that people have told, as it is stored; at least 1. */
uint64_t clock_stored(const struct core *core, uint64_t told_ms);

#endif
