/* Jobs that wait for each other, as submit --graph reads them: a line a job, `NAME [PARENT...]:
 * PAYLOAD`.
 */
#ifndef GRAPH_H
#define GRAPH_H

#include "cli.h"

/* Submits all lines of the file ("-" or NULL: standard input) as jobs like `common`, in one
 * message: all of them are stored, or none. Prints the ids, in the order of the lines. Returns an
 * exit code.
 */
int graph_submit(struct cli *cli, const char *path, const struct stint_job *common);

#endif
