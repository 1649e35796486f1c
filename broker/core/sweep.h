/* What time does. */
#ifndef SWEEP_H
#define SWEEP_H

#include "state.h"

void sweep_all(struct core *core);
void sweep_load(struct core *core);
/* When time alone has work for us, in wall-clock ms. */
uint64_t sweep_next_ms(const struct core *core);

#endif
