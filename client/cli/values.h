/* Values for shell completion: what the broker has of queues, kinds, jobs. */
#ifndef VALUES_H
#define VALUES_H

/* Print those of `what` (queues, kinds, states, ids), a line each; nothing if the broker is away.
 * Returns an exit code. */
int values_print(const char *what, const char *endpoint);

#endif
