/* Random numbers that nobody can foresee. */
#ifndef RANDOM_H
#define RANDOM_H

#include "state.h"

void random_stir(struct core *core, uint64_t seed);
uint64_t random_draw(struct core *core);

#endif
