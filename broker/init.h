/* stintd --init: a data directory with keys in it, before the first start or after it. */
#ifndef INIT_H
#define INIT_H

#include "options.h"

/* Make the data directory if it is not there, and in it the keys of the broker, of an administrator
 * and of workers; none of their files may be there already. On standard output: what was made, and
 * what a worker's host needs, as lines of its settings. Either all is made or nothing. Returns 0,
 * or an exit code after one line on standard error. No secret is printed. */
int init_run(const struct options *options);

#endif
