/* Figures as OpenMetrics text, which Prometheus and others read. */
#ifndef METRICS_H
#define METRICS_H

#include "cli.h"

struct metrics;

struct metrics *metrics_new(void);
void metrics_add_queue(struct metrics *metrics, const struct stint_figures *figures);
/* Write all to standard output, the broker's own where there are some (NULL: none), and end. */
void metrics_write(struct metrics **metrics, const struct stint_stats *stats);

#endif
