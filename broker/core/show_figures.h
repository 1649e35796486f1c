/* Figures of queues, as they are told. */
#ifndef SHOW_FIGURES_H
#define SHOW_FIGURES_H

#include "state.h"

void show_figures(struct core *core, struct peer *peer, const struct message *m);

#endif
