/* stint fleet scale: how much there is to do and who does it is told to a command of the user's, at
 * regular intervals, which starts and stops workers accordingly. What it is told is the schema
 * stint.scale/1, which stint(1) describes.
 */
#ifndef SCALE_H
#define SCALE_H

#include "cli.h"

struct scale_options {
    uint64_t every_ms, timeout_ms;
    char **queues; /* only these; NULL: all */
    bool once;
};

/* Returns an exit code. */
int scale_run(struct cli *cli, const struct scale_options *options, const char **argv);

#endif
